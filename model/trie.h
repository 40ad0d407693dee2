/*
 * A double-array trie: from byte strings to numbers, made for finding all
 * those that a text begins with in one walk. Filled once, then read by any
 * thread.
 */
#ifndef WN_MODEL_TRIE_H
#define WN_MODEL_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define WN_TRIE_KEY_MAX 512 /* bytes */

struct wn_trie_key {
    const char *p;
    size_t len;
    int32_t value; /* 0 or more */
};

/* A node's children are at base ^ byte, those whose label is that byte. */
struct wn_trie_node {
    uint32_t base : 24, label : 8;
    int32_t value; /* -1: none ends here */
};
struct wn_trie {
    struct wn_trie_node *nodes; /* 0 is the root */
    size_t n;                   /* a multiple of 256 */
};

/* Sorts keys. Of equal keys the one with the largest value counts; an empty one
 * does not. WN_REJECT: one is too long, or all are too many. */
enum wn_status wn_trie_build(struct wn_trie *ret, struct wn_trie_key *keys,
    size_t n, struct wn_err *err);
void wn_trie_release(struct wn_trie *t);

/* One step down from *node: false where there is none. */
static inline bool
wn_trie_step(const struct wn_trie *t, uint32_t *node, uint8_t byte)
{
    uint32_t to = t->nodes[*node].base ^ byte;

    /* byte 0 is no label of a child: it marks the free */
    if (byte == 0 || t->nodes[to].label != byte)
        return false;
    *node = to;
    return true;
}

#endif
