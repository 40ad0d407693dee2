/*
 * Building the double array: depth first over the sorted keys, each node's
 * children put where they fit among the free nodes. Those are a list, so that
 * the many nodes with one child cost one look.
 *
 * A child is known by its label alone, so no two nodes may have the same
 * base; base 0 is nobody's, and is what a node without children has.
 */
#include "model/trie.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 256
#define NODES_MAX ((size_t)1 << 24)
#define TRIES 128 /* places looked at before a new block is added */

/* Keys [lo, hi) go on below `node` at byte `depth`. */
struct todo {
    size_t lo, hi, depth;
    uint32_t node;
};

struct link {
    uint32_t prev, next;
};

struct build {
    struct wn_trie trie;
    const struct wn_trie_key *keys;
    bool *used;        /* (n): is that base somebody's? */
    struct link *free; /* (n): the free nodes in a ring, from node 0 on */
    struct todo *todo;
    size_t todo_n, todo_cap;
};

static int
by_bytes(const void *a, const void *b)
{
    const struct wn_trie_key *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->len < y->len ? x->len : y->len);

    if (order != 0)
        return order;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static enum wn_status
no_memory(struct wn_err *err)
{
    return wn_fail(err, WN_STOP, "vocabulary: out of memory");
}

static void
link_node(struct build *b, uint32_t at)
{
    uint32_t last = b->free[0].prev;

    b->free[at] = (struct link){ last, 0 };
    b->free[last].next = at;
    b->free[0].prev = at;
}

static void
take_node(struct build *b, uint32_t at, uint8_t label)
{
    struct link l = b->free[at];

    b->free[l.prev].next = l.next;
    b->free[l.next].prev = l.prev;
    b->trie.nodes[at].label = label;
}

static bool
grow(struct build *b, size_t n)
{
    struct wn_trie_node *nodes = realloc(b->trie.nodes, n * sizeof(*nodes));
    struct link *links;
    bool *used;

    if (nodes == NULL)
        return false;
    b->trie.nodes = nodes;
    used = realloc(b->used, n * sizeof(*used));
    if (used == NULL)
        return false;
    b->used = used;
    links = realloc(b->free, n * sizeof(*links));
    if (links == NULL)
        return false;
    b->free = links;
    return true;
}

static enum wn_status
add_block(struct build *b, struct wn_err *err)
{
    size_t first = b->trie.n;

    if (first == NODES_MAX)
        return wn_fail(err, WN_REJECT, "vocabulary: too many pieces");
    if (!grow(b, first + BLOCK))
        return no_memory(err);
    b->trie.n += BLOCK;
    for (size_t i = first; i < first + BLOCK; i++) {
        b->trie.nodes[i] = (struct wn_trie_node){ .value = -1 };
        b->used[i] = i == 0;
        if (i == 0)
            b->free[0] = (struct link){ 0, 0 };
        else
            link_node(b, (uint32_t)i);
    }
    return WN_OK;
}

static bool
fits(const struct build *b, uint32_t base, const uint8_t *labels, size_t n)
{
    if (b->used[base])
        return false;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = base ^ labels[i];

        if (at == 0 || b->trie.nodes[at].label != 0)
            return false;
    }
    return true;
}

/* A base for children of these labels; a new block has room for any. */
static enum wn_status
find_base(struct build *b, const uint8_t *labels, size_t n, uint32_t *ret,
    struct wn_err *err)
{
    uint32_t at = b->free[0].next;

    for (int i = 0; i < TRIES && at != 0; i++, at = b->free[at].next) {
        if (!fits(b, at ^ labels[0], labels, n))
            continue;
        *ret = at ^ labels[0];
        return WN_OK;
    }
    *ret = (uint32_t)b->trie.n;
    return add_block(b, err);
}

static enum wn_status
push(struct build *b, struct todo todo, struct wn_err *err)
{
    if (b->todo_n == b->todo_cap) {
        size_t cap = 2 * b->todo_cap + 64;
        struct todo *p = realloc(b->todo, cap * sizeof(*p));

        if (p == NULL)
            return no_memory(err);
        b->todo = p;
        b->todo_cap = cap;
    }
    b->todo[b->todo_n++] = todo;
    return WN_OK;
}

/* Where each label's keys begin; the number of labels. */
static size_t
split_keys(const struct build *b, const struct todo *t, uint8_t labels[BLOCK],
    size_t starts[BLOCK + 1])
{
    size_t n = 0;

    for (size_t i = t->lo; i < t->hi; i++) {
        uint8_t label = (uint8_t)b->keys[i].p[t->depth];

        if (n == 0 || labels[n - 1] != label) {
            labels[n] = label;
            starts[n++] = i;
        }
    }
    starts[n] = t->hi;
    return n;
}

static enum wn_status
place_children(struct build *b, struct todo t, struct wn_err *err)
{
    uint8_t labels[BLOCK];
    size_t starts[BLOCK + 1], n;
    enum wn_status rc;
    uint32_t base;

    /* the keys that end here are the first; of equal ones the last counts */
    for (; t.lo < t.hi && b->keys[t.lo].len == t.depth; t.lo++)
        if (t.depth > 0)
            b->trie.nodes[t.node].value = b->keys[t.lo].value;
    n = split_keys(b, &t, labels, starts);
    if (n == 0)
        return WN_OK;
    rc = find_base(b, labels, n, &base, err);
    if (rc != WN_OK)
        return rc;
    b->used[base] = true;
    b->trie.nodes[t.node].base = base & 0xffffff;
    for (size_t i = 0; i < n; i++)
        take_node(b, base ^ labels[i], labels[i]);
    for (size_t i = n; i-- > 0 && rc == WN_OK;)
        rc = push(b,
            (struct todo){
                starts[i], starts[i + 1], t.depth + 1, base ^ labels[i] },
            err);
    return rc;
}

static enum wn_status
check_keys(const struct wn_trie_key *keys, size_t n, struct wn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i].len > WN_TRIE_KEY_MAX)
            return wn_fail(err, WN_REJECT,
                "vocabulary: piece %d has more than %d bytes",
                (int)keys[i].value, WN_TRIE_KEY_MAX);
        if (memchr(keys[i].p, 0, keys[i].len) != NULL)
            return wn_fail(err, WN_REJECT,
                "vocabulary: piece %d has a zero byte", (int)keys[i].value);
    }
    return WN_OK;
}

enum wn_status
wn_trie_build(
    struct wn_trie *ret, struct wn_trie_key *keys, size_t n, struct wn_err *err)
{
    struct build b = { .keys = keys };
    enum wn_status rc;

    rc = check_keys(keys, n, err);
    if (rc != WN_OK)
        return rc;
    if (n > 0)
        qsort(keys, n, sizeof(*keys), by_bytes);
    rc = add_block(&b, err);
    if (rc == WN_OK)
        rc = push(&b, (struct todo){ 0, n, 0, 0 }, err);
    while (rc == WN_OK && b.todo_n > 0)
        rc = place_children(&b, b.todo[--b.todo_n], err);
    free(b.used);
    free(b.free);
    free(b.todo);
    if (rc == WN_OK)
        *ret = b.trie;
    else
        free(b.trie.nodes);
    return rc;
}

void
wn_trie_release(struct wn_trie *t)
{
    free(t->nodes);
    *t = (struct wn_trie){ 0 };
}
