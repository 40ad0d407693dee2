/*
 * Sets of WAYS entries; a window's set is told by its key, and so is the lock,
 * one for a stripe of sets, so that scorers seldom meet. In a set the entry
 * that was longest unused goes.
 */
#include "classifier/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

#define WAYS 8
#define STRIPES 64
#define LINE 64 /* bytes of a cache line */

/* One cache line, so that a set is eight and shares none with another. */
struct entry {
    _Alignas(LINE) uint8_t key[WN_CACHE_KEY];
    struct wn_said said;
    uint8_t age; /* 1: used last .. WAYS: longest unused; 0: empty */
};

_Static_assert(sizeof(struct entry) == LINE, "as score.cache_entries says");

struct set {
    struct entry way[WAYS];
};

struct wn_cache {
    uint8_t secret[WN_KEYED_HASH_KEY];
    pthread_mutex_t lock[STRIPES]; /* of sets i with i % STRIPES */
    size_t sets;                   /* a power of two             */
    struct set *set;
};

struct wn_cache *
wn_cache_new(size_t entries)
{
    struct wn_cache *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    for (c->sets = STRIPES; c->sets * WAYS < entries;)
        c->sets *= 2;
    c->set = aligned_alloc(LINE, c->sets * sizeof(*c->set));
    if (c->set == NULL) {
        free(c);
        return NULL;
    }
    wn_cache_clear(c);
    wn_random(c->secret, sizeof(c->secret));
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_init(&c->lock[i], NULL);
    return c;
}

void
wn_cache_clear(struct wn_cache *c)
{
    memset(c->set, 0, c->sets * sizeof(*c->set));
}

void
wn_cache_free(struct wn_cache *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_destroy(&c->lock[i]);
    free(c->set);
    free(c);
}

void
wn_cache_key(const struct wn_cache *c, const char *text, size_t len,
    const int32_t *ids, size_t n, bool brief, uint8_t key[WN_CACHE_KEY])
{
    const struct wn_part parts[] = { { &len, sizeof(len) }, { text, len },
        { &brief, sizeof(brief) }, { ids, n * sizeof(*ids) } };

    wn_keyed_hash(
        c->secret, parts, sizeof(parts) / sizeof(parts[0]), key, WN_CACHE_KEY);
}

static size_t
set_of(const struct wn_cache *c, const uint8_t key[WN_CACHE_KEY])
{
    uint64_t bits;

    memcpy(&bits, key, sizeof(bits));
    return (size_t)bits & (c->sets - 1);
}

static struct entry *
find(struct set *s, const uint8_t key[WN_CACHE_KEY])
{
    for (size_t i = 0; i < WAYS; i++)
        if (s->way[i].age != 0 && memcmp(s->way[i].key, key, WN_CACHE_KEY) == 0)
            return &s->way[i];
    return NULL;
}

/* An empty entry, or the one that was longest unused. */
static struct entry *
room(struct set *s)
{
    struct entry *e = &s->way[0];

    for (size_t i = 0; i < WAYS; i++) {
        if (s->way[i].age == 0)
            return &s->way[i];
        if (s->way[i].age > e->age)
            e = &s->way[i];
    }
    return e;
}

/* Makes e the one used last: those that were younger are older by one. */
static void
touch(struct set *s, struct entry *e)
{
    for (size_t i = 0; i < WAYS; i++)
        if (s->way[i].age != 0 && (e->age == 0 || s->way[i].age < e->age))
            s->way[i].age++;
    e->age = 1;
}

bool
wn_cache_get(
    struct wn_cache *c, const uint8_t key[WN_CACHE_KEY], struct wn_said *ret)
{
    size_t i = set_of(c, key);
    struct entry *e;

    pthread_mutex_lock(&c->lock[i % STRIPES]);
    e = find(&c->set[i], key);
    if (e != NULL) {
        *ret = e->said;
        touch(&c->set[i], e);
    }
    pthread_mutex_unlock(&c->lock[i % STRIPES]);
    return e != NULL;
}

void
wn_cache_put(struct wn_cache *c, const uint8_t key[WN_CACHE_KEY],
    const struct wn_said *said)
{
    size_t i = set_of(c, key);
    struct set *s = &c->set[i];
    struct entry *e;

    pthread_mutex_lock(&c->lock[i % STRIPES]);
    e = find(s, key);
    if (e == NULL)
        e = room(s);
    memcpy(e->key, key, WN_CACHE_KEY);
    e->said = *said;
    touch(s, e);
    pthread_mutex_unlock(&c->lock[i % STRIPES]);
}
