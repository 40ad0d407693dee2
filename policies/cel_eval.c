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

static const char no_overload[] = "an operator does not take this type";
static const char overflow[] = "a number leaves 64 bits";
static const char by_zero[] = "division by zero";
static const char no_scratch[] = "the expression builds too much";

static bool
no_value(const struct wn_cel_value *v)
{
    return v->kind <= WN_CEL_ERROR;
}

static struct wn_cel_value
of_bool(bool b)
{
    return (struct wn_cel_value){ .kind = WN_CEL_BOOL, .b = b };
}

static struct wn_cel_value
of_int(int64_t i)
{
    return (struct wn_cel_value){ .kind = WN_CEL_INT, .i = i };
}

static struct wn_cel_value
of_uint(uint64_t u)
{
    return (struct wn_cel_value){ .kind = WN_CEL_UINT, .u = u };
}

static struct wn_cel_value
of_double(double d)
{
    return (struct wn_cel_value){ .kind = WN_CEL_DOUBLE, .d = d };
}

/* --- && and || --- */

/* `settles` decides whatever the rest is: false for &&, true for ||. */
static struct wn_cel_value
eval_logic(const struct wn_cel_node *n, struct wn_cel_run *run, bool settles)
{
    struct wn_cel_value r = of_bool(!settles);

    for (uint32_t i = 0; i < n->kids_n; i++) {
        struct wn_cel_value v = wn_cel_eval(n->kids[i], run);

        if (v.kind == WN_CEL_BOOL) {
            if (v.b == settles)
                return v;
            continue;
        }
        if (!no_value(&v))
            v = wn_cel_error(no_overload);
        /* Unknown says more than an error: it may become known. */
        if (r.kind != WN_CEL_UNKNOWN)
            r = v;
    }
    return r;
}

static struct wn_cel_value
eval_cond(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value c = wn_cel_eval(n->kids[0], run);

    if (no_value(&c))
        return c;
    if (c.kind != WN_CEL_BOOL)
        return wn_cel_error(no_overload);
    return wn_cel_eval(n->kids[c.b ? 1 : 2], run);
}

/* --- arithmetic --- */

static struct wn_cel_value
arithmetic_int(enum wn_cel_op op, int64_t a, int64_t b)
{
    int64_t r = 0;
    bool bad = false;

    if ((op == WN_OP_DIV || op == WN_OP_MOD) && b == 0)
        return wn_cel_error(by_zero);
    switch (op) {
    case WN_OP_ADD:
        bad = __builtin_add_overflow(a, b, &r);
        break;
    case WN_OP_SUB:
        bad = __builtin_sub_overflow(a, b, &r);
        break;
    case WN_OP_MUL:
        bad = __builtin_mul_overflow(a, b, &r);
        break;
    default: /* the one quotient that does not fit */
        bad = a == INT64_MIN && b == -1;
        if (!bad)
            r = op == WN_OP_DIV ? a / b : a % b;
        break;
    }
    return bad ? wn_cel_error(overflow) : of_int(r);
}

static struct wn_cel_value
arithmetic_uint(enum wn_cel_op op, uint64_t a, uint64_t b)
{
    uint64_t r = 0;
    bool bad = false;

    if ((op == WN_OP_DIV || op == WN_OP_MOD) && b == 0)
        return wn_cel_error(by_zero);
    switch (op) {
    case WN_OP_ADD:
        bad = __builtin_add_overflow(a, b, &r);
        break;
    case WN_OP_SUB:
        bad = __builtin_sub_overflow(a, b, &r);
        break;
    case WN_OP_MUL:
        bad = __builtin_mul_overflow(a, b, &r);
        break;
    default:
        r = op == WN_OP_DIV ? a / b : a % b;
        break;
    }
    return bad ? wn_cel_error(overflow) : of_uint(r);
}

/* IEEE 754 throughout: x / 0.0 is an infinity or NaN, as CEL has it. */
__attribute__((no_sanitize("float-divide-by-zero"))) static struct wn_cel_value
arithmetic_double(enum wn_cel_op op, double a, double b)
{
    switch (op) {
    case WN_OP_ADD:
        return of_double(a + b);
    case WN_OP_SUB:
        return of_double(a - b);
    case WN_OP_MUL:
        return of_double(a * b);
    case WN_OP_DIV:
        return of_double(a / b);
    default:
        return wn_cel_error(no_overload);
    }
}

static struct wn_cel_value
add_strings(struct wn_cel_run *run, struct wn_str a, struct wn_str b)
{
    char *p;

    if (a.len == 0 || b.len == 0)
        return (struct wn_cel_value){ .kind = WN_CEL_STRING,
            .s = a.len == 0 ? b : a };
    if (a.len > WN_CEL_SCRATCH || b.len > WN_CEL_SCRATCH)
        return wn_cel_error(no_scratch);
    p = wn_cel_scratch(run, a.len + b.len);
    if (p == NULL)
        return wn_cel_error(no_scratch);
    memcpy(p, a.p, a.len);
    memcpy(p + a.len, b.p, b.len);
    return (struct wn_cel_value){ .kind = WN_CEL_STRING,
        .s = { p, a.len + b.len } };
}

static struct wn_cel_value
add_lists(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *b)
{
    struct wn_cel_value r = { .kind = WN_CEL_LIST }, *v;

    if (a->seq.n > WN_CEL_SCRATCH || b->seq.n > WN_CEL_SCRATCH)
        return wn_cel_error(no_scratch);
    r.seq.n = a->seq.n + b->seq.n;
    v = wn_cel_scratch(run, r.seq.n * sizeof(*v));
    if (v == NULL)
        return wn_cel_error(no_scratch);
    for (size_t i = 0; i < a->seq.n; i++)
        v[i] = wn_cel_at(a, i);
    for (size_t i = 0; i < b->seq.n; i++)
        v[a->seq.n + i] = wn_cel_at(b, i);
    r.seq.v = v;
    return r;
}

static struct wn_cel_value
arithmetic(enum wn_cel_op op, struct wn_cel_run *run,
    const struct wn_cel_value *a, const struct wn_cel_value *b)
{
    if (a->kind != b->kind)
        return wn_cel_error(no_overload);
    switch (a->kind) {
    case WN_CEL_INT:
        return arithmetic_int(op, a->i, b->i);
    case WN_CEL_UINT:
        return arithmetic_uint(op, a->u, b->u);
    case WN_CEL_DOUBLE:
        return arithmetic_double(op, a->d, b->d);
    case WN_CEL_STRING:
        if (op == WN_OP_ADD)
            return add_strings(run, a->s, b->s);
        break;
    case WN_CEL_LIST:
        if (op == WN_OP_ADD)
            return add_lists(run, a, b);
        break;
    default:
        break;
    }
    return wn_cel_error(no_overload);
}

static struct wn_cel_value
negate(const struct wn_cel_value *v)
{
    if (v->kind == WN_CEL_DOUBLE)
        return of_double(-v->d);
    if (v->kind != WN_CEL_INT)
        return wn_cel_error(no_overload);
    return v->i == INT64_MIN ? wn_cel_error(overflow) : of_int(-v->i);
}

/* --- comparison, members, elements --- */

static struct wn_cel_value
compare(enum wn_cel_op op, const struct wn_cel_value *a,
    const struct wn_cel_value *b)
{
    int order = wn_cel_order(a, b);

    if (order == WN_CEL_NO_ORDER)
        return wn_cel_error(no_overload);
    switch (op) {
    case WN_OP_LT:
        return of_bool(order == -1);
    case WN_OP_LE:
        return of_bool(order == -1 || order == 0);
    case WN_OP_GT:
        return of_bool(order == 1);
    default:
        return of_bool(order == 1 || order == 0);
    }
}

/* A whole number from 0 of any number type; false for the rest. */
static bool
list_index(const struct wn_cel_value *v, size_t *ret)
{
    if (v->kind == WN_CEL_INT && v->i >= 0)
        *ret = (size_t)v->i;
    else if (v->kind == WN_CEL_UINT)
        *ret = (size_t)v->u;
    else if (v->kind == WN_CEL_DOUBLE && v->d >= 0 && v->d < 0x1p53 &&
             trunc(v->d) == v->d)
        *ret = (size_t)v->d;
    else
        return false;
    return true;
}

static struct wn_cel_value
element(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *key)
{
    size_t i;

    if (a->kind == WN_CEL_MAP)
        return wn_cel_lookup(run, a, key);
    if (a->kind != WN_CEL_LIST)
        return wn_cel_error(no_overload);
    if (!list_index(key, &i) || i >= a->seq.n)
        return wn_cel_error("no such element");
    return wn_cel_at(a, i);
}

static struct wn_cel_value
eval_select(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value a = wn_cel_eval(n->kids[0], run);
    struct wn_cel_value key = { .kind = WN_CEL_STRING, .s = n->name };

    if (n->op == WN_OP_HAS && a.kind == WN_CEL_UNKNOWN)
        return of_bool(false); /* nothing is known of it */
    if (no_value(&a))
        return a;
    if (a.kind != WN_CEL_MAP)
        return wn_cel_error(no_overload);
    return n->op == WN_OP_HAS ? wn_cel_in(run, &key, &a)
                              : wn_cel_lookup(run, &a, &key);
}

static struct wn_cel_value
eval_binary(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value a = wn_cel_eval(n->kids[0], run), b;

    if (a.kind == WN_CEL_UNKNOWN)
        return a;
    b = wn_cel_eval(n->kids[1], run);
    if (b.kind == WN_CEL_UNKNOWN || a.kind == WN_CEL_ERROR)
        return b.kind == WN_CEL_UNKNOWN ? b : a;
    if (b.kind == WN_CEL_ERROR)
        return b;
    switch (n->op) {
    case WN_OP_EQ:
        return wn_cel_equal(run, &a, &b);
    case WN_OP_NE:
        a = wn_cel_equal(run, &a, &b);
        return no_value(&a) ? a : of_bool(!a.b);
    case WN_OP_LT:
    case WN_OP_LE:
    case WN_OP_GT:
    case WN_OP_GE:
        return compare(n->op, &a, &b);
    case WN_OP_IN:
        if (b.kind != WN_CEL_LIST && b.kind != WN_CEL_MAP)
            return wn_cel_error(no_overload);
        return wn_cel_in(run, &a, &b);
    case WN_OP_INDEX:
        return element(run, &a, &b);
    default:
        return arithmetic(n->op, run, &a, &b);
    }
}

static struct wn_cel_value
eval_unary(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value a = wn_cel_eval(n->kids[0], run);

    if (no_value(&a))
        return a;
    if (n->op == WN_OP_NEG)
        return negate(&a);
    return a.kind == WN_CEL_BOOL ? of_bool(!a.b) : wn_cel_error(no_overload);
}

/* --- lists, maps, calls --- */

/* Every step-th kid from `from`; NULL with *ret_bad set where one has no
 * value or the scratch is used up. */
static struct wn_cel_value *
eval_kids(const struct wn_cel_node *n, struct wn_cel_run *run, uint32_t from,
    uint32_t step, struct wn_cel_value *ret_bad)
{
    struct wn_cel_value *v =
        wn_cel_scratch(run, (n->kids_n / step) * sizeof(*v));

    if (v == NULL) {
        *ret_bad = wn_cel_error(no_scratch);
        return NULL;
    }
    for (uint32_t i = from; i < n->kids_n; i += step) {
        v[i / step] = wn_cel_eval(n->kids[i], run);
        if (no_value(&v[i / step])) {
            *ret_bad = v[i / step];
            return NULL;
        }
    }
    return v;
}

static struct wn_cel_value
eval_list(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value r = { .kind = WN_CEL_LIST }, bad;

    r.seq.n = n->kids_n;
    r.seq.v = eval_kids(n, run, 0, 1, &bad);
    return r.seq.v == NULL ? bad : r;
}

static bool
is_key(const struct wn_cel_value *v)
{
    return v->kind == WN_CEL_STRING || v->kind == WN_CEL_BOOL ||
           v->kind == WN_CEL_INT || v->kind == WN_CEL_UINT;
}

static struct wn_cel_value
eval_map(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value r = { .kind = WN_CEL_MAP }, bad;
    const struct wn_cel_value *keys = eval_kids(n, run, 0, 2, &bad);

    if (keys == NULL)
        return bad;
    r.seq.keys = keys;
    r.seq.v = eval_kids(n, run, 1, 2, &bad);
    if (r.seq.v == NULL)
        return bad;
    for (; r.seq.n < n->kids_n / 2; r.seq.n++) {
        struct wn_cel_value found = wn_cel_in(run, &keys[r.seq.n], &r);

        if (!is_key(&keys[r.seq.n]))
            return wn_cel_error(no_overload);
        if (found.kind != WN_CEL_BOOL || found.b)
            return wn_cel_error("the map has a key twice");
    }
    return r;
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
    const struct wn_cel_fn *fn = n->fn, *end = wn_cel_fns + wn_cel_fns_n;

    for (; fn < end; fn++) {
        if (strcmp(fn->name, n->fn->name) != 0 || fn->member != n->fn->member)
            break;
        if (fn->args_n == n->fn->args_n && takes(fn, args))
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
        args[i] = wn_cel_eval(n->kids[i], run);
        if (no_value(&args[i]))
            return args[i];
    }
    if (!takes(fn, args))
        fn = overload(n, args);
    return fn == NULL ? wn_cel_error(no_overload) : fn->call(run, args);
}

struct wn_cel_value
wn_cel_eval(const struct wn_cel_node *node, struct wn_cel_run *run)
{
    switch (node->op) {
    case WN_OP_CONST:
        return node->value;
    case WN_OP_VAR:
        return wn_cel_from(&run->vars[node->index]);
    case WN_OP_HAS_VAR:
        return of_bool(run->vars[node->index].kind != WN_VALUE_UNKNOWN);
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
    default:
        return eval_binary(node, run);
    }
}
