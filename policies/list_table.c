/*
 * A set of strings that is filled once and then only asked: open addressing,
 * three quarters full at most, one string after the other in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "policies/list_int.h"

#define SEED 0x6c697374u
#define LEN_BYTES 2 /* before each string */

/* `text` doubles; at its end it is cut to what it holds. */
static bool
make_room(struct wn_list_table *t, size_t len)
{
    size_t cap = t->cap == 0 ? 4096 : 2 * t->cap;
    unsigned char *text;

    if (len <= t->cap - t->len)
        return true;
    text = realloc(t->text, cap);
    if (text == NULL)
        return false;
    t->text = text;
    t->cap = cap;
    if (t->len == 0)
        t->text[t->len++] = 0; /* so that no string lies at 0 */
    return true;
}

bool
wn_list_table_add(struct wn_list_table *t, const char *p, size_t len)
{
    if (t->len + len + 1 + LEN_BYTES > WN_LIST_BYTES_MAX ||
        !make_room(t, len + 1 + LEN_BYTES))
        return false;
    t->text[t->len] = (unsigned char)(len & 0xff);
    t->text[t->len + 1] = (unsigned char)(len >> 8);
    memcpy(t->text + t->len + LEN_BYTES, p, len);
    t->len += LEN_BYTES + len;
    t->n++;
    return true;
}

static size_t
len_at(const struct wn_list_table *t, size_t at)
{
    return t->text[at] | (size_t)t->text[at + 1] << 8;
}

/* The upper bits of the hash as a place among slots_n. */
static size_t
place_of(const struct wn_list_table *t, uint64_t hash)
{
    return (size_t)((hash >> 32) * (uint64_t)t->slots_n >> 32);
}

/* The slot of the string, or the empty one where it would go. */
static struct wn_list_slot *
find(const struct wn_list_table *t, const char *p, size_t len, uint64_t hash)
{
    size_t i = place_of(t, hash);

    while (t->slots[i].at != 0) {
        const struct wn_list_slot *s = &t->slots[i];

        if (s->tag == (uint32_t)hash && len_at(t, s->at) == len &&
            memcmp(t->text + s->at + LEN_BYTES, p, len) == 0)
            break;
        i = i + 1 < t->slots_n ? i + 1 : 0;
    }
    return &t->slots[i];
}

bool
wn_list_table_finish(struct wn_list_table *t)
{
    unsigned char *text = t->len > 0 ? realloc(t->text, t->len) : NULL;
    size_t different = 0, len;

    if (text != NULL) {
        t->text = text;
        t->cap = t->len;
    }
    t->slots_n = t->n + t->n / 3 + 1;
    t->slots = calloc(t->slots_n, sizeof(*t->slots));
    if (t->slots == NULL)
        return false;
    for (size_t at = 1; at < t->len; at += LEN_BYTES + len) {
        const char *p = (const char *)t->text + at + LEN_BYTES;
        struct wn_list_slot *s;
        uint64_t hash;

        len = len_at(t, at);
        hash = wn_hash64(p, len, SEED);
        s = find(t, p, len, hash);
        if (s->at != 0)
            continue;
        *s = (struct wn_list_slot){ (uint32_t)at, (uint32_t)hash };
        different++;
    }
    t->n = different;
    return true;
}

bool
wn_list_table_has(const struct wn_list_table *t, const char *p, size_t len)
{
    return find(t, p, len, wn_hash64(p, len, SEED))->at != 0;
}

void
wn_list_table_release(struct wn_list_table *t)
{
    free(t->text);
    free(t->slots);
}
