/*
 * The macros over lists and maps: all, exists, exists_one, filter, map,
 * transformList, transformMap, transformMapEntry, with one variable or two.
 *
 * Over a list one variable is the element, two are index and element; over a
 * map one is the key, two are key and value. A body is one node, so a macro
 * is a loop here and nothing else; nesting is bounded like everything's.
 */
#include <string.h>

#include "policies/cel_int.h"

/* Where a loop stands. */
struct loop {
    const struct wn_cel_node *n;
    struct wn_cel_run *run;
    struct wn_cel_value range;
    const struct wn_cel_node *when; /* NULL: every element */
    const struct wn_cel_node *body;
};

static void
set_locals(const struct loop *lp, size_t i)
{
    struct wn_cel_value *v = &lp->run->locals[lp->n->index];

    if (lp->range.kind == WN_CEL_MAP) {
        v[0] = wn_cel_key_at(&lp->range, i);
        if (lp->n->two)
            v[1] = wn_cel_at(&lp->range, i);
    } else if (lp->n->two) {
        v[0] = wn_cel_int((int64_t)i);
        v[1] = wn_cel_at(&lp->range, i);
    } else {
        v[0] = wn_cel_at(&lp->range, i);
    }
}

/* A bool, or what stands in its way. */
static struct wn_cel_value
ask(const struct loop *lp, const struct wn_cel_node *node)
{
    struct wn_cel_value v = wn_cel_eval_node(node, lp->run);

    if (!wn_cel_no_value(&v) && v.kind != WN_CEL_BOOL)
        return wn_cel_error(wn_cel_no_overload);
    return v;
}

/* --- to a bool --- */

/* As && and || over the elements: errors count only where nothing settles
 * it. What one element builds dies with it. */
static struct wn_cel_value
loop_logic(const struct loop *lp, bool settles)
{
    struct wn_cel_value r = wn_cel_bool(!settles);

    for (size_t i = 0; i < lp->range.seq.n && !lp->run->spent; i++) {
        size_t used = lp->run->used;
        struct wn_cel_value v;

        set_locals(lp, i);
        v = ask(lp, lp->body);
        lp->run->used = used;
        if (v.kind == WN_CEL_BOOL && v.b == settles)
            return v;
        if (v.kind != WN_CEL_BOOL && r.kind != WN_CEL_UNKNOWN)
            r = v;
    }
    return r;
}

static struct wn_cel_value
loop_one(const struct loop *lp)
{
    size_t n = 0;

    for (size_t i = 0; i < lp->range.seq.n; i++) {
        size_t used = lp->run->used;
        struct wn_cel_value v;

        set_locals(lp, i);
        v = ask(lp, lp->body);
        lp->run->used = used;
        if (wn_cel_no_value(&v))
            return v;
        n += v.b;
    }
    return wn_cel_bool(n == 1);
}

/* --- to a list or a map --- */

struct built {
    struct wn_cel_value *keys, *v;
    size_t n, cap;
};

/* Doubles what there is; the old halves stay where they are. */
static bool
grow(struct wn_cel_run *run, struct built *b)
{
    size_t cap = b->cap == 0 ? 8 : 2 * b->cap;
    struct wn_cel_value *v = wn_cel_scratch(run, cap * sizeof(*v));
    struct wn_cel_value *keys = wn_cel_scratch(run, cap * sizeof(*v));

    if (v == NULL || keys == NULL)
        return false;
    if (b->n > 0) {
        memcpy(v, b->v, b->n * sizeof(*v));
        memcpy(keys, b->keys, b->n * sizeof(*v));
    }
    b->v = v;
    b->keys = keys;
    b->cap = cap;
    return true;
}

static struct wn_cel_value
add(const struct loop *lp, struct built *b, struct wn_cel_value key,
    struct wn_cel_value v)
{
    if (b->n == b->cap && !grow(lp->run, b))
        return wn_cel_error(
            lp->run->spent ? wn_cel_no_steps : wn_cel_no_scratch);
    b->keys[b->n] = key;
    b->v[b->n++] = v;
    return v;
}

static struct wn_cel_value
as_map(const struct built *b)
{
    struct wn_cel_value r = { .kind = WN_CEL_MAP };

    r.seq.v = b->v;
    r.seq.keys = b->keys;
    r.seq.n = b->n;
    return r;
}

/* Every entry of a map; a key that is there already is an error. */
static struct wn_cel_value
add_entries(const struct loop *lp, struct built *b, struct wn_cel_value map)
{
    if (map.kind != WN_CEL_MAP)
        return wn_cel_error(wn_cel_no_overload);
    for (size_t i = 0; i < map.seq.n; i++) {
        struct wn_cel_value so_far = as_map(b), r;
        struct wn_cel_value key = wn_cel_key_at(&map, i);

        r = wn_cel_in(lp->run, &key, &so_far);
        if (r.kind == WN_CEL_BOOL)
            r = r.b ? wn_cel_error("the map has a key twice")
                    : add(lp, b, key, wn_cel_at(&map, i));
        if (wn_cel_no_value(&r))
            return r;
    }
    return map;
}

/* What the element adds; an error or unknown ends the loop. */
static struct wn_cel_value
add_element(const struct loop *lp, struct built *b, size_t i)
{
    struct wn_cel_value v = wn_cel_bool(true);

    set_locals(lp, i);
    if (lp->when != NULL)
        v = ask(lp, lp->when);
    if (wn_cel_no_value(&v) || !v.b)
        return v;
    if (lp->n->op == WN_OP_FILTER)
        v = lp->range.kind == WN_CEL_MAP ? wn_cel_key_at(&lp->range, i)
                                         : wn_cel_at(&lp->range, i);
    else
        v = wn_cel_eval_node(lp->body, lp->run);
    if (wn_cel_no_value(&v))
        return v;
    if (lp->n->op == WN_OP_MAP_MAP_ENTRY)
        return add_entries(lp, b, v);
    if (lp->n->op != WN_OP_MAP_MAP)
        return add(lp, b, v, v);
    return add(lp, b,
        lp->range.kind == WN_CEL_MAP ? wn_cel_key_at(&lp->range, i)
                                     : wn_cel_int((int64_t)i),
        v);
}

static struct wn_cel_value
loop_build(const struct loop *lp)
{
    struct built b = { NULL, NULL, 0, 0 };

    for (size_t i = 0; i < lp->range.seq.n; i++) {
        struct wn_cel_value v = add_element(lp, &b, i);

        if (wn_cel_no_value(&v))
            return v;
    }
    return lp->n->op == WN_OP_MAP_MAP || lp->n->op == WN_OP_MAP_MAP_ENTRY
               ? as_map(&b)
               : wn_cel_list(b.v, b.n);
}

struct wn_cel_value
wn_cel_eval_loop(const struct wn_cel_node *node, struct wn_cel_run *run)
{
    struct loop lp = { .n = node, .run = run };

    lp.range = wn_cel_eval_node(node->kids[0], run);
    if (wn_cel_no_value(&lp.range))
        return lp.range;
    if (lp.range.kind != WN_CEL_LIST && lp.range.kind != WN_CEL_MAP)
        return wn_cel_error(wn_cel_no_overload);
    lp.body = node->kids[node->kids_n - 1];
    if (node->op == WN_OP_FILTER)
        lp.when = lp.body;
    else if (node->kids_n == 3)
        lp.when = node->kids[1];
    switch (node->op) {
    case WN_OP_ALL:
        return loop_logic(&lp, false);
    case WN_OP_EXISTS:
        return loop_logic(&lp, true);
    case WN_OP_EXISTS_ONE:
        return loop_one(&lp);
    default:
        return loop_build(&lp);
    }
}
