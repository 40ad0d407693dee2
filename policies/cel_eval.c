/*
 * The value of a checked tree, three-valued: what depends on an unknown signal
 * is unknown, what cannot be computed is an error, and both travel up until
 * && or || does not need them: false && unknown is false, on either side.
 *
 * Runs on any thread; recursion is bounded by WN_POLICY_DEPTH_MAX.
 */
#include <math.h>
#include <string.h>

#include "policies/cel_int.h"

/* --- && and || --- */

/* `settles` decides whatever the rest is: false for &&, true for ||. */
static struct wn_cel_value
eval_logic(const struct wn_cel_node *n, struct wn_cel_run *run, bool settles)
{
    struct wn_cel_value r = wn_cel_bool(!settles);

    for (uint32_t i = 0; i < n->kids_n; i++) {
        struct wn_cel_value v = wn_cel_eval_node(n->kids[i], run);

        if (v.kind == WN_CEL_BOOL) {
            if (v.b == settles)
                return v;
            continue;
        }
        if (!wn_cel_no_value(&v))
            v = wn_cel_error(wn_cel_no_overload);
        /* Unknown says more than an error: it may become known. */
        if (r.kind != WN_CEL_UNKNOWN)
            r = v;
    }
    return r;
}

static struct wn_cel_value
eval_cond(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value c = wn_cel_eval_node(n->kids[0], run);

    if (wn_cel_no_value(&c))
        return c;
    if (c.kind != WN_CEL_BOOL)
        return wn_cel_error(wn_cel_no_overload);
    return wn_cel_eval_node(n->kids[c.b ? 1 : 2], run);
}

/* --- comparison, members, elements --- */

static struct wn_cel_value
compare(enum wn_cel_op op, const struct wn_cel_value *a,
    const struct wn_cel_value *b)
{
    int order = wn_cel_order(a, b);

    if (order == WN_CEL_NO_ORDER)
        return wn_cel_error(wn_cel_no_overload);
    switch (op) {
    case WN_OP_LT:
        return wn_cel_bool(order == -1);
    case WN_OP_LE:
        return wn_cel_bool(order == -1 || order == 0);
    case WN_OP_GT:
        return wn_cel_bool(order == 1);
    default:
        return wn_cel_bool(order == 1 || order == 0);
    }
}

struct wn_cel_value
wn_cel_element(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *key)
{
    size_t i;

    if (a->kind == WN_CEL_OPTIONAL)
        return wn_cel_opt_element(run, a, key);
    if (a->kind == WN_CEL_MAP)
        return wn_cel_lookup(run, a, key);
    if (a->kind != WN_CEL_LIST)
        return wn_cel_error(wn_cel_no_overload);
    if (!wn_cel_list_index(key, &i) || i >= a->seq.n)
        return wn_cel_error("no such element");
    return wn_cel_at(a, i);
}

static struct wn_cel_value
has_member(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *key)
{
    struct wn_cel_value r;

    if (a->kind == WN_CEL_MAP)
        return wn_cel_in(run, key, a);
    if (a->kind != WN_CEL_OPTIONAL)
        return wn_cel_error(wn_cel_no_overload);
    r = wn_cel_opt_element(run, a, key);
    return wn_cel_no_value(&r) ? r : wn_cel_bool(r.opt != NULL);
}

static struct wn_cel_value
eval_select(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value a = wn_cel_eval_node(n->kids[0], run);
    struct wn_cel_value key = wn_cel_string(n->name.p, n->name.len);

    if (n->op == WN_OP_HAS && a.kind == WN_CEL_UNKNOWN)
        return wn_cel_bool(false); /* nothing is known of it */
    if (wn_cel_no_value(&a))
        return a;
    if (n->op == WN_OP_HAS)
        return has_member(run, &a, &key);
    if (a.kind != WN_CEL_MAP && a.kind != WN_CEL_OPTIONAL)
        return wn_cel_error(wn_cel_no_overload);
    return wn_cel_element(run, &a, &key);
}

static struct wn_cel_value
eval_binary(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value a = wn_cel_eval_node(n->kids[0], run), b;

    if (a.kind == WN_CEL_UNKNOWN)
        return a;
    b = wn_cel_eval_node(n->kids[1], run);
    if (b.kind == WN_CEL_UNKNOWN || a.kind == WN_CEL_ERROR)
        return b.kind == WN_CEL_UNKNOWN ? b : a;
    if (b.kind == WN_CEL_ERROR)
        return b;
    switch (n->op) {
    case WN_OP_EQ:
        return wn_cel_equal(run, &a, &b);
    case WN_OP_NE:
        a = wn_cel_equal(run, &a, &b);
        return wn_cel_no_value(&a) ? a : wn_cel_bool(!a.b);
    case WN_OP_LT:
    case WN_OP_LE:
    case WN_OP_GT:
    case WN_OP_GE:
        return compare(n->op, &a, &b);
    case WN_OP_IN:
        if (b.kind != WN_CEL_LIST && b.kind != WN_CEL_MAP)
            return wn_cel_error(wn_cel_no_overload);
        return wn_cel_in(run, &a, &b);
    case WN_OP_INDEX:
        return wn_cel_element(run, &a, &b);
    default:
        return wn_cel_arithmetic(n->op, run, &a, &b);
    }
}

static struct wn_cel_value
eval_unary(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value a = wn_cel_eval_node(n->kids[0], run);

    if (wn_cel_no_value(&a))
        return a;
    if (n->op == WN_OP_NEG)
        return wn_cel_negate(&a);
    return a.kind == WN_CEL_BOOL ? wn_cel_bool(!a.b)
                                 : wn_cel_error(wn_cel_no_overload);
}

/* --- lists, maps, calls --- */

/* Adds the value of one entry, or what stands in an optional one. The error
 * or unknown that it met; null for none. */
static struct wn_cel_value
eval_entry(const struct wn_cel_node *n, struct wn_cel_run *run,
    struct wn_cel_value *v, size_t *len)
{
    bool optional = n->op == WN_OP_OPT_ENTRY;
    struct wn_cel_value e = wn_cel_eval_node(optional ? n->kids[0] : n, run);

    if (wn_cel_no_value(&e))
        return e;
    if (optional && e.kind != WN_CEL_OPTIONAL)
        return wn_cel_error(wn_cel_no_overload);
    if (!optional)
        v[(*len)++] = e;
    else if (e.opt != NULL)
        v[(*len)++] = *e.opt;
    return (struct wn_cel_value){ .kind = WN_CEL_NULL };
}

static struct wn_cel_value
eval_list(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value *v = wn_cel_scratch(run, n->kids_n * sizeof(*v));
    size_t len = 0;

    if (v == NULL)
        return wn_cel_error(wn_cel_no_scratch);
    for (uint32_t i = 0; i < n->kids_n; i++) {
        struct wn_cel_value bad = eval_entry(n->kids[i], run, v, &len);

        if (wn_cel_no_value(&bad))
            return bad;
    }
    return wn_cel_list(v, len);
}

/* A key and its value; the map grows where there is a value. */
static struct wn_cel_value
eval_pair(const struct wn_cel_node *n, uint32_t i, struct wn_cel_run *run,
    struct wn_cel_value *map, struct wn_cel_value *keys, struct wn_cel_value *v)
{
    struct wn_cel_value key = wn_cel_eval_node(n->kids[i], run), r;
    size_t len = map->seq.n;

    if (wn_cel_no_value(&key))
        return key;
    if (!wn_cel_is_key(&key))
        return wn_cel_error(wn_cel_no_overload);
    r = eval_entry(n->kids[i + 1], run, v, &len);
    if (wn_cel_no_value(&r) || len == map->seq.n)
        return r;
    r = wn_cel_in(run, &key, map);
    if (wn_cel_no_value(&r))
        return r;
    if (r.b)
        return wn_cel_error("the map has a key twice");
    keys[map->seq.n++] = key;
    return r;
}

static struct wn_cel_value
eval_map(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value r = { .kind = WN_CEL_MAP };
    struct wn_cel_value *keys, *v;
    size_t bytes = n->kids_n / 2 * sizeof(*v);

    keys = wn_cel_scratch(run, bytes);
    v = wn_cel_scratch(run, bytes);
    if (keys == NULL || v == NULL)
        return wn_cel_error(wn_cel_no_scratch);
    r.seq.v = v;
    r.seq.keys = keys;
    r.seq.n = 0;
    for (uint32_t i = 0; i < n->kids_n; i += 2) {
        struct wn_cel_value bad = eval_pair(n, i, run, &r, keys, v);

        if (wn_cel_no_value(&bad))
            return bad;
    }
    return r;
}

/* The first of the greatest, or of the least; numbers, or one list of them. */
static struct wn_cel_value
eval_extreme(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value list = eval_list(n, run), best, v;
    int wanted = n->op == WN_OP_GREATEST ? 1 : -1;

    if (wn_cel_no_value(&list))
        return list;
    best = wn_cel_at(&list, 0);
    if (list.seq.n == 1 && best.kind == WN_CEL_LIST) {
        list = best;
        if (list.seq.n == 0)
            return wn_cel_error("the list is empty");
        best = wn_cel_at(&list, 0);
    }
    for (size_t i = 0; i < list.seq.n; i++) {
        v = wn_cel_at(&list, i);
        if (v.kind < WN_CEL_INT || v.kind > WN_CEL_DOUBLE)
            return wn_cel_error(wn_cel_no_overload);
        if (!wn_cel_charge(run, 1))
            return wn_cel_error(wn_cel_no_steps);
        if (wn_cel_order(&v, &best) == wanted)
            best = v;
    }
    return best;
}

static bool
takes(const struct wn_cel_fn *fn, const struct wn_cel_value *args)
{
    for (uint8_t i = 0; i < fn->args_n; i++)
        if (fn->args[i] != WN_CEL_DYN && fn->args[i] != args[i].kind)
            return false;
    return true;
}

/* The overload that the check chose, or for dyn a later one of the name. */
static const struct wn_cel_fn *
overload(const struct wn_cel_node *n, const struct wn_cel_value *args)
{
    const struct wn_cel_fn *end = wn_cel_fns + wn_cel_fns_n;

    for (const struct wn_cel_fn *fn = n->fn; fn < end; fn++) {
        if (!wn_cel_fn_same(fn, n->fn))
            break;
        if (fn->args_n == n->kids_n && takes(fn, args))
            return fn;
    }
    return NULL;
}

static struct wn_cel_value
eval_call(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value args[WN_CEL_ARGS_MAX];
    const struct wn_cel_fn *fn = n->fn;

    for (uint32_t i = 0; i < n->kids_n; i++) {
        args[i] = wn_cel_eval_node(n->kids[i], run);
        if (wn_cel_no_value(&args[i]))
            return args[i];
    }
    if (fn->args_n != n->kids_n || !takes(fn, args))
        fn = overload(n, args);
    if (fn == NULL)
        return wn_cel_error(wn_cel_no_overload);
    if (n->regex != NULL)
        return wn_cel_regex_match(n->regex, run, args[0].s);
    /* Each reads its texts once; those that do more say so. */
    for (uint32_t i = 0; fn->scans && i < n->kids_n; i++)
        if ((args[i].kind == WN_CEL_STRING || args[i].kind == WN_CEL_BYTES) &&
            !wn_cel_charge_bytes(run, args[i].s.len))
            return wn_cel_error(wn_cel_no_steps);
    return fn->call(run, args);
}

static struct wn_cel_value
eval_var(const struct wn_cel_node *n, const struct wn_cel_run *run)
{
    return run->values != NULL ? run->values[n->index]
                               : wn_cel_from(&run->vars[n->index]);
}

struct wn_cel_value
wn_cel_eval_node(const struct wn_cel_node *node, struct wn_cel_run *run)
{
    struct wn_cel_value v;

    if (!wn_cel_charge(run, 1))
        return wn_cel_error(wn_cel_no_steps);
    switch (node->op) {
    case WN_OP_CONST:
    case WN_OP_FAIL:
        return node->value;
    case WN_OP_VAR:
        return eval_var(node, run);
    case WN_OP_HAS_VAR:
        v = eval_var(node, run);
        return wn_cel_bool(v.kind != WN_CEL_UNKNOWN);
    case WN_OP_LOCAL:
        return run->locals[node->index];
    case WN_OP_SELECT:
    case WN_OP_HAS:
        return eval_select(node, run);
    case WN_OP_NOT:
    case WN_OP_NEG:
        return eval_unary(node, run);
    case WN_OP_AND:
        return eval_logic(node, run, false);
    case WN_OP_OR:
        return eval_logic(node, run, true);
    case WN_OP_COND:
        return eval_cond(node, run);
    case WN_OP_LIST:
        return eval_list(node, run);
    case WN_OP_MAP:
        return eval_map(node, run);
    case WN_OP_CALL:
        return eval_call(node, run);
    case WN_OP_GREATEST:
    case WN_OP_LEAST:
        return eval_extreme(node, run);
    case WN_OP_BIND:
        run->locals[node->index] = wn_cel_eval_node(node->kids[0], run);
        return wn_cel_eval_node(node->kids[1], run);
    case WN_OP_OPT_SELECT:
    case WN_OP_OPT_INDEX:
    case WN_OP_OPT_OR:
    case WN_OP_OPT_OR_VALUE:
    case WN_OP_OPT_MAP:
    case WN_OP_OPT_FLAT_MAP:
        return wn_cel_eval_optional(node, run);
    case WN_OP_ALL:
    case WN_OP_EXISTS:
    case WN_OP_EXISTS_ONE:
    case WN_OP_FILTER:
    case WN_OP_MAP_LIST:
    case WN_OP_MAP_MAP:
    case WN_OP_MAP_MAP_ENTRY:
        return wn_cel_eval_loop(node, run);
    default:
        return eval_binary(node, run);
    }
}

/* An error about cost that && or || took in is an error all the same: what
 * a costly text makes of a rule must not be a value. */
struct wn_cel_value
wn_cel_eval(const struct wn_cel_node *node, struct wn_cel_run *run)
{
    struct wn_cel_value v;

    run->steps_max = node->steps_max;
    v = wn_cel_eval_node(node, run);
    return run->spent ? wn_cel_error(wn_cel_no_steps) : v;
}
