/*
 * The list of links, and the table that tells the different ones apart. What
 * a link is says links_find.c.
 */
#include "classifier/links.h"

#include <string.h>
#include <strings.h>

#include "classifier/links_int.h"
#include "core/hash.h"

#define SLOTS (2 * (size_t)WN_LINKS_COUNT_MAX)

void
wn_links_init(struct wn_links *l)
{
    memset(l, 0, sizeof(*l));
    wn_random(&l->seed, sizeof(l->seed));
}

/* What makes two links the same: u without scheme, www. and a slash at the
 * end. */
static struct wn_str
identity(struct wn_str u)
{
    for (size_t i = 0; i + 2 < u.len && i < 8; i++)
        if (u.p[i] == ':' && memcmp(u.p + i, "://", 3) == 0) {
            u.p += i + 3;
            u.len -= i + 3;
            break;
        }
    if (u.len > 4 && u.p[3] == '.' && strncasecmp(u.p, "www", 3) == 0) {
        u.p += 4;
        u.len -= 4;
    }
    if (u.len > 0 && u.p[u.len - 1] == '/')
        u.len--;
    return u;
}

static size_t
host_len(struct wn_str id)
{
    const char *slash = memchr(id.p, '/', id.len);

    return slash == NULL ? id.len : (size_t)(slash - id.p);
}

/* Of two identities. */
static bool
same(struct wn_str a, struct wn_str b)
{
    size_t host;

    if (a.len != b.len)
        return false;
    if (memcmp(a.p, b.p, a.len) == 0)
        return true;
    host = host_len(a);
    return strncasecmp(a.p, b.p, host) == 0 &&
           memcmp(a.p + host, b.p + host, a.len - host) == 0;
}

/* Equal for two that are the same(), and never 0. */
static uint64_t
key_of(const struct wn_links *l, struct wn_str id)
{
    uint64_t key = l->seed;
    char part[256];
    size_t host = host_len(id), n;

    for (size_t i = 0; i < host; i += n) {
        n = host - i < sizeof(part) ? host - i : sizeof(part);
        for (size_t k = 0; k < n; k++) {
            char c = id.p[i + k];

            part[k] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
        }
        key = wn_hash64(part, n, key);
    }
    if (host < id.len)
        key = wn_hash64(id.p + host, id.len - host, key);
    return key == 0 ? 1 : key;
}

/* The slot of a link, or the free one where it would go. */
static struct wn_link_slot *
find(struct wn_links *l, struct wn_str id, uint64_t key)
{
    size_t i = key & (SLOTS - 1);

    l->steps += id.len;
    for (;; i = (i + 1) & (SLOTS - 1)) {
        struct wn_link_slot *s = &l->slot[i];

        l->steps++;
        if (s->key == 0)
            return s;
        if (s->key != key)
            continue;
        if (s->url == WN_LINKS_MAX)
            return s;
        l->steps += id.len;
        if (same(l->id[s->url], id))
            return s;
    }
}

/* One that is not there yet; u.p lives as long as the list. */
static void
take(struct wn_links *l, struct wn_link_slot *s, struct wn_str u, uint64_t key)
{
    *s = (struct wn_link_slot){ .key = key, .url = WN_LINKS_MAX };
    l->different++;
    if (l->n == WN_LINKS_MAX)
        return;
    s->url = (uint8_t)l->n;
    l->id[l->n] = identity(u);
    l->url[l->n++] = u;
}

static void
add_given(struct wn_links *l, struct wn_str u)
{
    struct wn_str id = identity(u);
    struct wn_link_slot *s;
    uint64_t key;

    if (u.len == 0 || l->different == WN_LINKS_COUNT_MAX)
        return;
    key = key_of(l, id);
    s = find(l, id, key);
    if (s->key == 0)
        take(l, s, u, key);
}

static void
see(struct wn_links *l, const struct wn_link_found *f)
{
    wn_spots_add(f->hidden ? &l->hidden_spots : &l->plain_spots, f->start);
}

static enum wn_status
add_found(struct wn_links *l, struct wn_arena *arena, struct wn_link_scan *t,
    const struct wn_link_found *f, struct wn_err *err)
{
    char plain[WN_LINK_BYTES_MAX];
    struct wn_str u = { plain, wn_link_plain(t, f, plain) };
    struct wn_str id = identity(u);
    uint64_t key = key_of(l, id);
    struct wn_link_slot *s = find(l, id, key);

    if (s->key == 0 && l->different == WN_LINKS_COUNT_MAX) {
        l->hidden += f->hidden && l->hidden < WN_LINKS_COUNT_MAX;
        see(l, f);
        return WN_OK;
    }
    if (s->key == 0) {
        if (l->n < WN_LINKS_MAX)
            u.p = wn_arena_strndup(arena, u.p, u.len);
        if (u.p == NULL)
            return wn_fail(err, WN_FULL, "links: the item's memory is full");
        take(l, s, u, key);
        l->hidden += f->hidden;
    }
    if (!s->in_text)
        see(l, f);
    s->in_text = true;
    return WN_OK;
}

static void
reset(struct wn_links *l)
{
    if (l->different > 0)
        memset(l->slot, 0, sizeof(l->slot));
    l->n = l->different = l->hidden = l->steps = 0;
    wn_spots_reset(&l->plain_spots);
    wn_spots_reset(&l->hidden_spots);
}

enum wn_status
wn_links_collect(struct wn_links *l, struct wn_arena *arena,
    const struct wn_str *given, size_t given_n, const char *text, size_t len,
    struct wn_err *err)
{
    struct wn_link_scan t = { text, len, 0 };
    struct wn_link_found f;
    size_t i = 0;
    enum wn_status rc = WN_OK;

    reset(l);
    for (size_t k = 0; k < given_n; k++)
        add_given(l, given[k]);
    while (rc == WN_OK && wn_link_next(&t, &i, &f))
        rc = add_found(l, arena, &t, &f, err);
    l->steps += t.steps;
    return rc;
}
