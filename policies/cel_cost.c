/*
 * A bound on the steps of an expression, from its tree alone: what no post
 * makes it exceed. Texts are taken to be at most 1 MiB, and a post's lists
 * and maps to have at most as many elements as 1 MiB of JSON can hold. What
 * this has no good bound for gets the largest there is, WN_CEL_STEPS_MAX: the
 * run stops there.
 */
#include "policies/cel_fn.h"

#define NO_BOUND WN_CEL_STEPS_MAX
#define TEXT_MAX ((uint64_t)1 << 20)     /* bytes of a text of a post    */
#define ELEMENTS_MAX ((uint64_t)1 << 19) /* of all lists and maps of one */

/* len: bytes of a text, elements of a list or map; as large as can be. */
struct cost {
    uint64_t steps, len;
};

static struct cost cost_of(const struct wn_cel_node *n);

static uint64_t
cap(uint64_t steps)
{
    return steps < NO_BOUND ? steps : NO_BOUND;
}

/* Both factors are at most 2^23, so nothing wraps. */
static uint64_t
times(uint64_t a, uint64_t b)
{
    a = a < WN_CEL_BUILD_MAX ? a : WN_CEL_BUILD_MAX;
    b = b < WN_CEL_BUILD_MAX ? b : WN_CEL_BUILD_MAX;
    return cap(a * b);
}

static uint64_t
read_steps(uint64_t bytes)
{
    return bytes / WN_CEL_STEP_BYTES + 1;
}

static uint64_t
len_of_type(enum wn_cel_kind kind)
{
    switch (kind) {
    case WN_CEL_STRING:
    case WN_CEL_BYTES:
        return TEXT_MAX;
    case WN_CEL_DYN:
    case WN_CEL_LIST:
    case WN_CEL_MAP:
    case WN_CEL_OPTIONAL:
        return TEXT_MAX > ELEMENTS_MAX ? TEXT_MAX : ELEMENTS_MAX;
    default:
        return 0;
    }
}

/* What may be built is larger than what a post brings. */
static uint64_t
len_of_built(enum wn_cel_kind kind)
{
    return len_of_type(kind) > 0 ? WN_CEL_BUILD_MAX : 0;
}

static uint64_t
len_of_const(const struct wn_cel_value *v)
{
    switch (v->kind) {
    case WN_CEL_STRING:
    case WN_CEL_BYTES:
        return v->s.len;
    case WN_CEL_LIST:
    case WN_CEL_MAP:
        return v->seq.n;
    default:
        return 0;
    }
}

static struct cost
sum_of_kids(const struct wn_cel_node *n)
{
    struct cost r = { 1, 0 };

    for (uint32_t i = 0; i < n->kids_n; i++) {
        struct cost kid = cost_of(n->kids[i]);

        r.steps = cap(r.steps + kid.steps);
        r.len = kid.len > r.len ? kid.len : r.len;
    }
    return r;
}

/* A value that takes one step to compare, whatever the other is. */
static bool
is_scalar(enum wn_cel_kind kind)
{
    return len_of_type(kind) == 0;
}

static bool
is_text(enum wn_cel_kind kind)
{
    return kind == WN_CEL_STRING || kind == WN_CEL_BYTES;
}

/* Steps of one comparison; the shorter text decides. */
static uint64_t
compare_steps(
    enum wn_cel_kind a, uint64_t a_len, enum wn_cel_kind b, uint64_t b_len)
{
    if (is_scalar(a) || is_scalar(b))
        return 1;
    if (is_text(a) && is_text(b))
        return read_steps(a_len < b_len ? a_len : b_len);
    if (is_text(a) || is_text(b))
        return read_steps(is_text(a) ? a_len : b_len);
    return NO_BOUND;
}

/* a op b: comparison, in, +, [], and the like. */
static struct cost
cost_of_binary(const struct wn_cel_node *n)
{
    struct cost a = cost_of(n->kids[0]), b = cost_of(n->kids[1]), r;
    enum wn_cel_kind ka = n->kids[0]->type->kind, kb = n->kids[1]->type->kind;

    r.steps = cap(a.steps + b.steps + 2);
    r.len = 0;
    switch (n->op) {
    case WN_OP_IN: /* a key or an element, each in turn */
        r.steps += times(b.len + 1, compare_steps(ka, a.len, ka, a.len));
        break;
    case WN_OP_INDEX:
    case WN_OP_OPT_INDEX:
        if (ka != WN_CEL_LIST)
            r.steps +=
                times(2 * a.len + 2, compare_steps(kb, b.len, kb, b.len));
        r.len = len_of_built(n->type->kind);
        break;
    case WN_OP_ADD:
        r.len = len_of_built(n->type->kind);
        if (is_text(n->type->kind)) {
            r.len = a.len + b.len;
            r.steps += read_steps(r.len);
        } else if (n->type->kind == WN_CEL_LIST ||
                   n->type->kind == WN_CEL_DYN) {
            r.steps = NO_BOUND;
        }
        break;
    case WN_OP_SUB:
    case WN_OP_MUL:
    case WN_OP_DIV:
    case WN_OP_MOD:
    case WN_OP_LT:
    case WN_OP_LE:
    case WN_OP_GT:
    case WN_OP_GE:
        break;
    default:
        r.steps += compare_steps(ka, a.len, kb, b.len);
        break;
    }
    r.steps = cap(r.steps);
    return r;
}

/* a.b, a.?b, has(a.b): one look at every key. */
static struct cost
cost_of_select(const struct wn_cel_node *n)
{
    struct cost r = cost_of(n->kids[0]);

    r.steps = cap(r.steps + 4 + times(2 * r.len + 2, read_steps(n->name.len)));
    r.len = len_of_built(n->type->kind);
    return r;
}

/* Each text is read once; what is more than that has no bound here. */
static struct cost
cost_of_call(const struct wn_cel_node *n)
{
    struct cost r = { 8, 0 }; /* with a number's text, or an optional */

    for (uint32_t i = 0; i < n->kids_n; i++) {
        struct cost kid = cost_of(n->kids[i]);

        r.steps = cap(r.steps + kid.steps + read_steps(kid.len));
        if (n->regex != NULL && i == 0)
            r.steps = cap(r.steps + times(kid.len + 1,
                                        wn_cel_regex_size(n->regex) / 4 + 1));
    }
    r.len = len_of_built(n->type->kind);
    if (n->fn->scans && n->regex == NULL &&
        (r.len > 0 || n->fn->call == wn_cel_matches ||
            n->fn->call == wn_cel_last_index_of ||
            n->fn->call == wn_cel_last_index_of_from))
        r.steps = NO_BOUND;
    if (!n->fn->scans && n->kids_n == 2 && n->fn->ret == WN_CEL_INT)
        r.steps = cap(r.steps + 5008); /* the name of a time zone */
    return r;
}

/* The range once, the rest for every element. */
static struct cost
cost_of_loop(const struct wn_cel_node *n)
{
    struct cost range = cost_of(n->kids[0]), r = { 2, 0 };

    for (uint32_t i = 1; i < n->kids_n; i++)
        r.steps = cap(r.steps + cost_of(n->kids[i]).steps);
    if (n->op == WN_OP_MAP_MAP_ENTRY)
        r.steps = NO_BOUND;
    /* growing doubles, and a value and a key take less than a step each */
    r.steps = cap(range.steps + 16 + times(range.len, r.steps + 4));
    r.len = n->type->kind == WN_CEL_BOOL ? 0 : range.len;
    return r;
}

static struct cost
cost_of_list(const struct wn_cel_node *n)
{
    struct cost r = sum_of_kids(n);
    uint64_t keys = n->op == WN_OP_MAP ? n->kids_n / 2 : 0;

    r.steps = cap(r.steps + 4 + 2 * (uint64_t)n->kids_n);
    if (keys > 0) /* no key twice: each is compared with those before it */
        r.steps = cap(r.steps + times(times(keys, keys), read_steps(r.len)));
    r.len = n->op == WN_OP_MAP ? keys : n->kids_n;
    return r;
}

static struct cost
cost_of(const struct wn_cel_node *n)
{
    struct cost r;

    switch (n->op) {
    case WN_OP_CONST:
        return (struct cost){ 1, len_of_const(&n->value) };
    case WN_OP_VAR:
        return (struct cost){ 1, len_of_type(n->type->kind) };
    case WN_OP_LOCAL: /* may hold what an expression built */
        return (struct cost){ 1, len_of_built(n->type->kind) };
    case WN_OP_HAS_VAR:
    case WN_OP_FAIL:
        return (struct cost){ 1, 0 };
    case WN_OP_SELECT:
    case WN_OP_HAS:
    case WN_OP_OPT_SELECT:
        return cost_of_select(n);
    case WN_OP_CALL:
        return cost_of_call(n);
    case WN_OP_LIST:
    case WN_OP_MAP:
        return cost_of_list(n);
    case WN_OP_ALL:
    case WN_OP_EXISTS:
    case WN_OP_EXISTS_ONE:
    case WN_OP_FILTER:
    case WN_OP_MAP_LIST:
    case WN_OP_MAP_MAP:
    case WN_OP_MAP_MAP_ENTRY:
        return cost_of_loop(n);
    case WN_OP_GREATEST:
    case WN_OP_LEAST:
        r = sum_of_kids(n);
        r.steps = cap(r.steps + r.len + 4 + 2 * (uint64_t)n->kids_n);
        r.len = 0;
        return r;
    case WN_OP_NOT:
    case WN_OP_NEG:
    case WN_OP_AND:
    case WN_OP_OR:
    case WN_OP_COND:
    case WN_OP_OPT_ENTRY:
    case WN_OP_BIND:
    case WN_OP_OPT_OR:
    case WN_OP_OPT_OR_VALUE:
    case WN_OP_OPT_MAP:
    case WN_OP_OPT_FLAT_MAP:
        r = sum_of_kids(n);
        r.steps = cap(r.steps + 4);
        if (n->op != WN_OP_COND)
            r.len = len_of_built(n->type->kind);
        return r;
    default:
        return cost_of_binary(n);
    }
}

uint64_t
wn_cel_cost(const struct wn_cel_node *node)
{
    return cap(cost_of(node).steps);
}
