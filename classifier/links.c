/*
 * Finding links. One walk over the text from label to label; a host is looked
 * at once, and at most HOST_MAX bytes of it, so no text costs more than
 * linear time.
 */
#include "classifier/links.h"

#include <string.h>
#include <strings.h>

#include "core/hash.h"

#define HOST_MAX 253

struct scan {
    const char *s;
    size_t len;
};

/* What is written for the URL at [start, end). */
struct found {
    size_t start, host, end;
    bool secure, hidden;
};

static unsigned char
at(const struct scan *t, size_t i)
{
    return i < t->len ? (unsigned char)t->s[i] : 0;
}

static bool
is_alpha(unsigned char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool
is_label(unsigned char c)
{
    return is_alpha(c) || (c >= '0' && c <= '9') || c == '-' || c >= 0x80;
}

static bool
starts(const struct scan *t, size_t i, const char *what)
{
    size_t n = strlen(what);

    return i + n <= t->len && strncasecmp(t->s + i, what, n) == 0;
}

/* Bytes of the dot at i, plain or disguised; 0 where there is none. */
static size_t
dot_at(const struct scan *t, size_t i, bool *hidden)
{
    static const char *const disguised[] = { "[.]", "(.)", "{.}", "[dot]",
        "(dot)", "{dot}" };
    size_t j = i;

    if (at(t, i) == '.')
        return 1;
    j += at(t, j) == ' ';
    if (at(t, j) != '[' && at(t, j) != '(' && at(t, j) != '{')
        return 0;
    for (size_t k = 0; k < sizeof(disguised) / sizeof(disguised[0]); k++)
        if (starts(t, j, disguised[k])) {
            *hidden = true;
            j += strlen(disguised[k]);
            return j + (at(t, j) == ' ') - i;
        }
    return 0;
}

/* Walks labels and dots from i. Returns the end of the last label; the last
 * one's start and the number of dots. */
static size_t
walk_host(
    const struct scan *t, size_t i, size_t *last, size_t *dots, bool *hidden)
{
    size_t end = i;

    *last = i;
    *dots = 0;
    while (end - i < HOST_MAX) {
        size_t j = end, dot;
        bool disguised = false;

        while (j - i < HOST_MAX && is_label(at(t, j)))
            j++;
        if (j == end)
            break;
        end = j;
        dot = dot_at(t, end, &disguised);
        if (dot == 0 || !is_label(at(t, end + dot)))
            break;
        *hidden = *hidden || disguised;
        end += dot;
        *last = end;
        (*dots)++;
    }
    return end;
}

/* Chinese and Japanese go on without a space after a link. */
static bool
ends_path(unsigned char c)
{
    return c <= ' ' || c == '"' || c == '<' || c == '>' || c == '`' ||
           c == '|' || (c >= 0xE3 && c <= 0xE9) || c == 0xEF;
}

static size_t
trim(const struct scan *t, size_t from, size_t end)
{
    int open = 0;

    for (size_t i = from; i < end; i++)
        open += (t->s[i] == '(') - (t->s[i] == ')');
    while (end > from) {
        char c = t->s[end - 1];

        if (c == ')' && open < 0)
            open++;
        else if (c == '\0' || strchr(".,;:!?'*_]}", c) == NULL)
            break;
        end--;
    }
    return end;
}

/* End of port, path, query and fragment behind a host that ends at i. */
static size_t
rest_end(const struct scan *t, size_t i)
{
    size_t end = i;

    if (at(t, i) != '/' && at(t, i) != ':' && at(t, i) != '?' &&
        at(t, i) != '#')
        return i;
    while (
        end < t->len && !ends_path(at(t, end)) && end - i < WN_LINK_BYTES_MAX) {
        if ((at(t, end) == ',' || at(t, end) == ';') &&
            (starts(t, end + 1, "http") || starts(t, end + 1, "hxxp")))
            break;
        end++;
    }
    return trim(t, i, end);
}

/* A label run [i, end) with "://" behind it: is it a scheme of ours? Text may
 * stand before it without a space. */
static bool
match_scheme(const struct scan *t, size_t i, size_t end, struct found *f)
{
    static const struct {
        const char *name;
        bool secure, hidden;
    } schemes[] = { { "https", true, false }, { "hxxps", true, true },
        { "http", false, false }, { "hxxp", false, true } };
    size_t slashes = starts(t, end, "://")     ? 3
                     : starts(t, end, "[:]//") ? 5
                                               : 0;
    size_t k, n = 0, last, dots, host_end;

    if (slashes == 0)
        return false;
    for (k = 0; k < 4; k++) {
        n = strlen(schemes[k].name);
        if (end - i >= n && starts(t, end - n, schemes[k].name))
            break;
    }
    if (k == 4)
        return false;
    f->start = end - n;
    f->secure = schemes[k].secure;
    f->hidden = schemes[k].hidden || slashes == 5;
    f->host = end + slashes;
    host_end = walk_host(t, f->host, &last, &dots, &f->hidden);
    /* user:pass@host, [::1] and the like are taken as they stand. */
    if (at(t, host_end) == '@' || at(t, host_end) == '[')
        while (host_end < t->len && !ends_path(at(t, host_end)) &&
               at(t, host_end) != '/' && host_end - f->host < HOST_MAX)
            host_end++;
    if (host_end == f->host)
        return false;
    f->end = rest_end(t, host_end);
    return true;
}

static bool
one_of(const char *s, size_t n, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strlen(*list) == n && memcmp(*list, s, n) == 0)
            return true;
    return false;
}

/* A host [i, end) without a scheme: is it meant as a link? */
static bool
match_bare(const struct scan *t, size_t i, size_t end, size_t last, size_t dots,
    bool hidden, struct found *f)
{
    /* Endings that are no words, so "end.so we" or "great.live" is no link. */
    static const char *const sure[] = { "com", "net", "org", "info", "biz",
        "xyz", "icu", "ru", "ua", "cn", "vip", NULL };
    size_t tld = end - last, after = rest_end(t, end);
    bool www = dots >= 2 && starts(t, i, "www") && !is_label(at(t, i + 3));
    bool lower = true;

    if (dots == 0 || tld < 2 || tld > 24)
        return false;
    for (size_t k = last; k < end; k++) {
        if (!is_alpha(at(t, k)))
            return false;
        lower = lower && at(t, k) >= 'a';
    }
    if (!www && !hidden && !(lower && one_of(t->s + last, tld, sure)) &&
        !(lower && at(t, end) == '/' && after > end + 1))
        return false;
    *f =
        (struct found){ .start = i, .host = i, .end = after, .hidden = hidden };
    return true;
}

/* The next link at or after *i; moves *i past it. */
static bool
next_link(const struct scan *t, size_t *i, struct found *ret)
{
    while (*i < t->len) {
        struct found f = { 0 };
        size_t last, dots, end;
        bool hidden = false;

        if (!is_label(at(t, *i))) {
            (*i)++;
            continue;
        }
        end = walk_host(t, *i, &last, &dots, &hidden);
        if (match_scheme(t, last, end, &f) ||
            ((*i == 0 || at(t, *i - 1) != '@') && at(t, end) != '@' &&
                match_bare(t, *i, end, last, dots, hidden, &f))) {
            *i = f.end;
            *ret = f;
            return true;
        }
        /* "good.comhttps" and the like: go on behind the last label only. */
        *i = end > *i ? end : *i + 1;
    }
    return false;
}

/* The link in plain form, in out (WN_LINK_BYTES_MAX). */
static size_t
write_plain(const struct scan *t, const struct found *f, char *out)
{
    const char *scheme = f->secure ? "https://" : "http://";
    size_t n = strlen(scheme), i = f->host;
    bool in_host = true;

    memcpy(out, scheme, n);
    while (i < f->end && n < WN_LINK_BYTES_MAX) {
        bool hidden = false;
        size_t dot = in_host ? dot_at(t, i, &hidden) : 0;

        if (dot > 0 && i + dot <= f->end) {
            out[n++] = '.';
            i += dot;
            continue;
        }
        in_host = in_host && is_label(at(t, i));
        out[n++] = t->s[i++];
    }
    return n;
}

/* What makes two links the same: [*p, *p + *len) without scheme, www. and a
 * slash at the end. */
static void
identity(struct wn_str *u)
{
    for (size_t i = 0; i + 2 < u->len && i < 8; i++)
        if (memcmp(u->p + i, "://", 3) == 0) {
            u->p += i + 3;
            u->len -= i + 3;
            break;
        }
    if (u->len > 4 && strncasecmp(u->p, "www.", 4) == 0) {
        u->p += 4;
        u->len -= 4;
    }
    if (u->len > 0 && u->p[u->len - 1] == '/')
        u->len--;
}

static bool
same(struct wn_str a, struct wn_str b)
{
    const char *slash;
    size_t host;

    identity(&a);
    identity(&b);
    if (a.len != b.len)
        return false;
    slash = memchr(a.p, '/', a.len);
    host = slash == NULL ? a.len : (size_t)(slash - a.p);
    return strncasecmp(a.p, b.p, host) == 0 &&
           memcmp(a.p + host, b.p + host, a.len - host) == 0;
}

/* Equal for two that are the same(): a text may repeat one link a hundred
 * thousand times, and each is looked up. */
static uint64_t
key_of(struct wn_str u)
{
    char host[HOST_MAX];
    const char *slash;
    size_t n;

    identity(&u);
    slash = memchr(u.p, '/', u.len);
    n = slash == NULL ? u.len : (size_t)(slash - u.p);
    if (n > sizeof(host))
        n = sizeof(host);
    for (size_t i = 0; i < n; i++)
        host[i] =
            is_alpha((unsigned char)u.p[i]) ? (char)(u.p[i] | 32) : u.p[i];
    return wn_hash64(host, n, u.len);
}

/* The links of l with what finds them again. */
struct index {
    struct wn_links *l;
    uint64_t keys[WN_LINKS_MAX];
    bool in_text[WN_LINKS_MAX];
};

/* Where u is in the list, or the list's end. */
static size_t
find(const struct index *x, struct wn_str u, uint64_t key)
{
    size_t i = 0;

    while (i < x->l->n && !(x->keys[i] == key && same(x->l->url[i], u)))
        i++;
    return i;
}

static void
add_given(struct index *x, struct wn_str u)
{
    uint64_t key;

    if (u.len == 0 || x->l->n == WN_LINKS_MAX)
        return;
    key = key_of(u);
    if (find(x, u, key) < x->l->n)
        return;
    x->keys[x->l->n] = key;
    x->l->url[x->l->n++] = u;
}

static enum wn_status
add_found(struct index *x, struct wn_arena *arena, const struct scan *t,
    const struct found *f, struct wn_err *err)
{
    char plain[WN_LINK_BYTES_MAX];
    struct wn_links *l = x->l;
    struct wn_str u = { plain, write_plain(t, f, plain) };
    uint64_t key = key_of(u);
    size_t i = find(x, u, key);

    if (i == l->n) {
        u.p = wn_arena_strndup(arena, u.p, u.len);
        if (u.p == NULL)
            return wn_fail(err, WN_FULL, "links: the item's memory is full");
        x->keys[i] = key;
        l->url[l->n++] = u;
        l->hidden += f->hidden;
    }
    if (!x->in_text[i])
        l->at[l->at_n++] = f->start;
    x->in_text[i] = true;
    return WN_OK;
}

enum wn_status
wn_links_collect(struct wn_links *l, struct wn_arena *arena,
    const struct wn_str *given, size_t given_n, const char *text, size_t len,
    struct wn_err *err)
{
    struct index x = { .l = l };
    struct scan t = { text, len };
    struct found f;
    size_t i = 0;
    enum wn_status rc = WN_OK;

    l->n = l->hidden = l->at_n = 0;
    for (size_t k = 0; k < given_n && l->n < WN_LINKS_MAX; k++)
        add_given(&x, given[k]);
    while (rc == WN_OK && l->n < WN_LINKS_MAX && next_link(&t, &i, &f))
        rc = add_found(&x, arena, &t, &f, err);
    return rc;
}
