/*
 * Finding links. One walk over the text from label to label. Linear whatever
 * the text, because what is looked at and not taken is looked at once more at
 * most: a host of at most HOST_MAX bytes is refused as a whole, and what
 * follows it is read only once the host is a link or all that lacks is a path.
 * Then the bytes read are passed over with the link, but for what trim() gives
 * back, and in that no host can begin.
 */
#include "classifier/links_int.h"

#include <string.h>
#include <strings.h>

#define HOST_MAX 253

static unsigned char
at(const struct wn_link_scan *t, size_t i)
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

/* The letters of `what` (lower case) at i. */
static bool
letters(const struct wn_link_scan *t, size_t i, const char *what)
{
    for (; *what != '\0'; what++, i++)
        if ((at(t, i) | 32) != *what)
            return false;
    return true;
}

/* i, or where the character begins that a bound at i would cut. */
static size_t
whole_char(const struct wn_link_scan *t, size_t i)
{
    while (i > 0 && (at(t, i) & 0xC0) == 0x80)
        i--;
    return i;
}

/* Bytes of the dot at i, plain or disguised; 0 where there is none. */
static size_t
dot_at(const struct wn_link_scan *t, size_t i, bool *hidden)
{
    size_t j = i;
    unsigned char open, close;

    if (at(t, i) == '.')
        return 1;
    j += at(t, j) == ' ';
    open = at(t, j++);
    if (open != '[' && open != '(' && open != '{')
        return 0;
    close = open == '(' ? ')' : open + 2;
    j += at(t, j) == '.' ? 1 : letters(t, j, "dot") ? 3 : 0;
    if (at(t, j - 1) == open || at(t, j) != close)
        return 0;
    *hidden = true;
    j++;
    return j + (at(t, j) == ' ') - i;
}

/* Walks labels and dots from i. Returns the end of the last label; the last
 * one's start and the number of dots. */
static size_t
walk_host(
    struct wn_link_scan *t, size_t i, size_t *last, size_t *dots, bool *hidden)
{
    size_t end = i;

    *last = i;
    *dots = 0;
    while (end - i < HOST_MAX) {
        size_t j = end, dot;
        bool disguised = false;

        while (j - i < HOST_MAX && is_label(at(t, j)))
            j++;
        if (j - i == HOST_MAX)
            j = whole_char(t, j);
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
    t->steps += end - i;
    return end;
}

/* Chinese and Japanese go on without a space after a link. */
static bool
ends_path(unsigned char c)
{
    return c <= ' ' || c == '"' || c == '<' || c == '>' || c == '`' ||
           c == '|' || (c >= 0xE3 && c <= 0xE9) || c == 0xEF;
}

/* None of these is part of a label, so no host begins in what is cut. */
static bool
is_trimmed(char c)
{
    return c != '\0' && strchr(".,;:!?'*_]}", c) != NULL;
}

static size_t
trim(struct wn_link_scan *t, size_t from, size_t end)
{
    int open = 0;

    t->steps += end - from;
    for (size_t i = from; i < end; i++)
        open += (t->s[i] == '(') - (t->s[i] == ')');
    while (end > from) {
        char c = t->s[end - 1];

        if (c == ')' && open < 0)
            open++;
        else if (!is_trimmed(c))
            break;
        end--;
        t->steps++;
    }
    return end;
}

/* End of port, path, query and fragment behind a host that ends at i. */
static size_t
rest_end(struct wn_link_scan *t, size_t i)
{
    size_t end = i;

    if (at(t, i) != '/' && at(t, i) != ':' && at(t, i) != '?' &&
        at(t, i) != '#')
        return i;
    while (end - i < WN_LINK_BYTES_MAX && !ends_path(at(t, end))) {
        if ((at(t, end) == ',' || at(t, end) == ';') &&
            (letters(t, end + 1, "http") || letters(t, end + 1, "hxxp")))
            break;
        end++;
    }
    if (end - i == WN_LINK_BYTES_MAX)
        end = whole_char(t, end);
    t->steps += end - i;
    return trim(t, i, end);
}

/* http or hxxp, with an s or without, that ends at i: its length, else 0. */
static size_t
scheme_before(const struct wn_link_scan *t, size_t start, size_t i,
    struct wn_link_found *f)
{
    size_t n = 4;

    f->secure = i > start && (at(t, i - 1) | 32) == 's';
    n += f->secure;
    if (i - start < n)
        return 0;
    f->hidden = letters(t, i - n, "hxxp");
    return f->hidden || letters(t, i - n, "http") ? n : 0;
}

/* user:pass@host, [::1] and the like are taken as they stand. */
static size_t
odd_host_end(struct wn_link_scan *t, size_t host, size_t i)
{
    size_t end = i;

    if (at(t, i) != '@' && at(t, i) != '[')
        return i;
    while (end - host < HOST_MAX && !ends_path(at(t, end)) && at(t, end) != '/')
        end++;
    t->steps += end - i;
    return end - host == HOST_MAX ? whole_char(t, end) : end;
}

/* A label run [i, end) with "://" behind it: is it a scheme of ours? Text may
 * stand before it without a space. */
static bool
match_scheme(
    struct wn_link_scan *t, size_t i, size_t end, struct wn_link_found *f)
{
    size_t slashes = 0, n, last, dots, host_end;

    if (at(t, end) == ':')
        slashes = 1;
    else if (at(t, end) == '[' && at(t, end + 1) == ':' &&
             at(t, end + 2) == ']')
        slashes = 3;
    if (slashes == 0 || at(t, end + slashes) != '/' ||
        at(t, end + slashes + 1) != '/')
        return false;
    n = scheme_before(t, i, end, f);
    if (n == 0)
        return false;
    f->start = end - n;
    f->hidden = f->hidden || slashes == 3;
    f->host = end + slashes + 2;
    host_end = walk_host(t, f->host, &last, &dots, &f->hidden);
    host_end = odd_host_end(t, f->host, host_end);
    if (host_end == f->host)
        return false;
    f->end = rest_end(t, host_end);
    return true;
}

/* Endings that are no words, so "end.so we" or "great.live" is no link. */
static bool
is_sure(const char *s, size_t n)
{
    static const char two[] = "ru ua cn ", three[] = "com net org biz xyz icu "
                                                     "vip ";
    const char *list = n == 2 ? two : three;

    if (n == 4)
        return memcmp(s, "info", 4) == 0;
    if (n != 2 && n != 3)
        return false;
    for (; *list != '\0'; list += n + 1)
        if (memcmp(list, s, n) == 0)
            return true;
    return false;
}

/* A host [i, end) without a scheme: is it meant as a link? */
static bool
match_bare(struct wn_link_scan *t, size_t i, size_t end, size_t last,
    size_t dots, bool hidden, struct wn_link_found *f)
{
    size_t tld = end - last, after;
    bool lower = true, sure;

    if (dots == 0 || tld < 2 || tld > 24)
        return false;
    for (size_t k = last; k < end; k++) {
        if (!is_alpha(at(t, k)))
            return false;
        lower = lower && at(t, k) >= 'a';
    }
    sure = hidden || (lower && is_sure(t->s + last, tld)) ||
           (dots >= 2 && letters(t, i, "www") && !is_label(at(t, i + 3)));
    if (!sure && !(lower && at(t, end) == '/'))
        return false;
    after = rest_end(t, end);
    if (!sure && after <= end + 1)
        return false;
    *f = (struct wn_link_found){
        .start = i, .host = i, .end = after, .hidden = hidden
    };
    return true;
}

bool
wn_link_next(struct wn_link_scan *t, size_t *i, struct wn_link_found *ret)
{
    while (*i < t->len) {
        struct wn_link_found f = { 0 };
        size_t last, dots, end;
        bool hidden = false;

        t->steps++;
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

size_t
wn_link_plain(struct wn_link_scan *t, const struct wn_link_found *f,
    char out[WN_LINK_BYTES_MAX])
{
    const char *scheme = f->secure ? "https://" : "http://";
    size_t n = strlen(scheme), i = f->host, rest;
    bool in_host = true;

    memcpy(out, scheme, n);
    while (i < f->end && in_host && n < WN_LINK_BYTES_MAX) {
        bool hidden = false;
        size_t dot = dot_at(t, i, &hidden);

        if (dot > 0 && i + dot <= f->end) {
            out[n++] = '.';
            i += dot;
            continue;
        }
        in_host = is_label(at(t, i));
        out[n++] = t->s[i++];
    }
    rest = f->end - i;
    if (rest > WN_LINK_BYTES_MAX - n)
        rest = whole_char(t, i + WN_LINK_BYTES_MAX - n) - i;
    memcpy(out + n, t->s + i, rest);
    t->steps += f->end - f->host;
    return n + rest;
}
