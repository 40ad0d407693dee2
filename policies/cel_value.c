/*
 * Values of expressions: equality, order, lookup, as CEL defines them.
 *
 * Numbers compare by value across int, uint and double. Elements of signals
 * are looked at where they lie (`foreign`), nothing is copied.
 */
#include <math.h>
#include <string.h>

#include "policies/cel_int.h"

/* Lists and maps may hold maps from a post: nobody else bounds their depth. */
#define EQUAL_DEPTH_MAX 32

const char wn_cel_no_overload[] = "an operator does not take this type";
const char wn_cel_no_scratch[] = "the expression builds too much";
const char wn_cel_no_steps[] = "the expression costs too much";
const char wn_cel_overflow[] = "a number leaves 64 bits";

/* --- the run --- */

void
wn_cel_run_init(struct wn_cel_run *run, const struct wn_value *vars)
{
    run->vars = vars;
    run->values = NULL;
    wn_arena_init(&run->more, WN_CEL_BUILD_MAX / 64, WN_CEL_BUILD_MAX * 2);
    wn_cel_run_reset(run);
}

void
wn_cel_run_reset(struct wn_cel_run *run)
{
    run->steps = 0;
    run->steps_max = WN_CEL_STEPS_MAX;
    run->spent = false;
    run->used = 0;
    if (run->more.first != NULL)
        wn_arena_reset(&run->more);
    run->built = 0;
}

void
wn_cel_run_release(struct wn_cel_run *run)
{
    wn_arena_release(&run->more);
}

/* What is large goes to the arena, at most WN_CEL_BUILD_MAX of it; writing
 * it costs what reading it does. */
void *
wn_cel_scratch(struct wn_cel_run *run, size_t bytes)
{
    void *p;

    if (bytes > WN_CEL_BUILD_MAX || !wn_cel_charge_bytes(run, bytes))
        return NULL;
    if (bytes <= WN_CEL_SCRATCH - run->used) {
        p = run->scratch + run->used;
        /* WN_CEL_SCRATCH is a multiple of 16, so this stays within it. */
        run->used += (bytes + 15) & ~(size_t)15;
        return p;
    }
    if (bytes > WN_CEL_BUILD_MAX - run->built)
        return NULL;
    run->built += bytes;
    return wn_arena_alloc(&run->more, bytes);
}

/* --- values --- */

struct wn_cel_value
wn_cel_error(const char *why)
{
    return (struct wn_cel_value){ .kind = WN_CEL_ERROR, .why = why };
}

struct wn_cel_value
wn_cel_from(const struct wn_value *v)
{
    struct wn_cel_value r = { .kind = WN_CEL_UNKNOWN };

    switch (v->kind) {
    case WN_VALUE_UNKNOWN:
        break;
    case WN_VALUE_NULL:
        r.kind = WN_CEL_NULL;
        break;
    case WN_VALUE_BOOL:
        r.kind = WN_CEL_BOOL;
        r.b = v->b;
        break;
    case WN_VALUE_INT:
        r.kind = WN_CEL_INT;
        r.i = v->i;
        break;
    case WN_VALUE_DOUBLE:
        r.kind = WN_CEL_DOUBLE;
        r.d = v->d;
        break;
    case WN_VALUE_STRING:
        r.kind = WN_CEL_STRING;
        r.s = v->s;
        break;
    case WN_VALUE_LIST:
        r.kind = WN_CEL_LIST;
        r.foreign = true;
        r.seq.v = v->list.v;
        r.seq.n = v->list.n;
        break;
    case WN_VALUE_MAP:
        r.kind = WN_CEL_MAP;
        r.foreign = true;
        r.seq.v = v->map.v;
        r.seq.keys = v->map.keys;
        r.seq.n = v->map.n;
        break;
    }
    return r;
}

struct wn_cel_value
wn_cel_at(const struct wn_cel_value *list, size_t i)
{
    if (list->foreign)
        return wn_cel_from((const struct wn_value *)list->seq.v + i);
    return ((const struct wn_cel_value *)list->seq.v)[i];
}

struct wn_cel_value
wn_cel_key_at(const struct wn_cel_value *map, size_t i)
{
    if (map->foreign)
        return (struct wn_cel_value){ .kind = WN_CEL_STRING,
            .s = ((const struct wn_str *)map->seq.keys)[i] };
    return ((const struct wn_cel_value *)map->seq.keys)[i];
}

/* --- order --- */

static int
order_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int
order_i64(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int
order_double(double a, double b)
{
    if (isnan(a) || isnan(b))
        return 2;
    return a < b ? -1 : a > b;
}

static int
order_int_uint(int64_t i, uint64_t u)
{
    return i < 0 ? -1 : order_u64((uint64_t)i, u);
}

/* As the reference implementation has it: in double, with what no int can
 * reach told apart first. */
static int
order_int_double(int64_t i, double d)
{
    if (d > 0x1p63)
        return -1;
    if (d < -0x1p63)
        return 1;
    return order_double((double)i, d);
}

static int
order_uint_double(uint64_t u, double d)
{
    if (d > 0x1p64)
        return -1;
    if (d < 0)
        return 1;
    return order_double((double)u, d);
}

static int
reverse(int order)
{
    return order == -1 || order == 1 ? -order : order;
}

static int
order_numbers(const struct wn_cel_value *a, const struct wn_cel_value *b)
{
    if (a->kind > b->kind)
        return reverse(order_numbers(b, a));
    if (a->kind == WN_CEL_DOUBLE)
        return order_double(a->d, b->d);
    if (a->kind == WN_CEL_UINT)
        return b->kind == WN_CEL_UINT ? order_u64(a->u, b->u)
                                      : order_uint_double(a->u, b->d);
    if (b->kind == WN_CEL_INT)
        return order_i64(a->i, b->i);
    return b->kind == WN_CEL_UINT ? order_int_uint(a->i, b->u)
                                  : order_int_double(a->i, b->d);
}

static bool
is_number(const struct wn_cel_value *v)
{
    return v->kind >= WN_CEL_INT && v->kind <= WN_CEL_DOUBLE;
}

/* By byte; for strings by code point, which UTF-8 keeps in that order. */
static int
order_strings(struct wn_str a, struct wn_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

    if (c != 0)
        return c < 0 ? -1 : 1;
    return a.len < b.len ? -1 : a.len > b.len;
}

int
wn_cel_order(const struct wn_cel_value *a, const struct wn_cel_value *b)
{
    if (is_number(a) && is_number(b))
        return order_numbers(a, b);
    if (a->kind != b->kind)
        return WN_CEL_NO_ORDER;
    switch (a->kind) {
    case WN_CEL_STRING:
    case WN_CEL_BYTES:
        return order_strings(a->s, b->s);
    case WN_CEL_BOOL:
        return (int)a->b - (int)b->b;
    case WN_CEL_DURATION:
        return order_i64(a->i, b->i);
    case WN_CEL_TIMESTAMP:
        return a->time.s != b->time.s ? order_i64(a->time.s, b->time.s)
                                      : order_i64(a->time.ns, b->time.ns);
    default:
        return WN_CEL_NO_ORDER;
    }
}

bool
wn_cel_is_key(const struct wn_cel_value *v)
{
    return v->kind == WN_CEL_STRING || v->kind == WN_CEL_BOOL ||
           v->kind == WN_CEL_INT || v->kind == WN_CEL_UINT;
}

bool
wn_cel_list_index(const struct wn_cel_value *v, size_t *ret)
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

/* --- equality: 1, 0, or -1 once the run has no steps left --- */

static int equal(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *b, unsigned depth);

/* Steps for the bytes that both have. */
static uint64_t
compare_cost(const struct wn_cel_value *a, const struct wn_cel_value *b)
{
    size_t n;

    if (a->kind != b->kind ||
        (a->kind != WN_CEL_STRING && a->kind != WN_CEL_BYTES))
        return 0;
    n = a->s.len < b->s.len ? a->s.len : b->s.len;
    return n / WN_CEL_STEP_BYTES;
}

/* Index of the key, n where there is none, SIZE_MAX without steps. */
static size_t
find_key(struct wn_cel_run *run, const struct wn_cel_value *map,
    const struct wn_cel_value *key, size_t guess)
{
    struct wn_cel_value k;

    if (guess < map->seq.n) {
        k = wn_cel_key_at(map, guess);
        if (!wn_cel_charge(run, 1 + compare_cost(&k, key)))
            return SIZE_MAX;
        if (wn_cel_order(&k, key) == 0)
            return guess;
    }
    for (size_t i = 0; i < map->seq.n; i++) {
        k = wn_cel_key_at(map, i);
        if (!wn_cel_charge(run, 1 + compare_cost(&k, key)))
            return SIZE_MAX;
        if (wn_cel_order(&k, key) == 0)
            return i;
    }
    return map->seq.n;
}

static int
equal_lists(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *b, unsigned depth)
{
    int eq = a->seq.n == b->seq.n;

    for (size_t i = 0; eq == 1 && i < a->seq.n; i++) {
        struct wn_cel_value x = wn_cel_at(a, i), y = wn_cel_at(b, i);

        eq = equal(run, &x, &y, depth + 1);
    }
    return eq;
}

static int
equal_maps(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *b, unsigned depth)
{
    int eq = a->seq.n == b->seq.n;

    for (size_t i = 0; eq == 1 && i < a->seq.n; i++) {
        struct wn_cel_value key = wn_cel_key_at(a, i), x, y;
        size_t at = find_key(run, b, &key, i);

        if (at == SIZE_MAX)
            return -1;
        if (at == b->seq.n)
            return 0;
        x = wn_cel_at(a, i);
        y = wn_cel_at(b, at);
        eq = equal(run, &x, &y, depth + 1);
    }
    return eq;
}

static int
equal(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *b, unsigned depth)
{
    if (depth > EQUAL_DEPTH_MAX || !wn_cel_charge(run, 1 + compare_cost(a, b)))
        return -1;
    if (is_number(a) && is_number(b))
        return order_numbers(a, b) == 0;
    if (a->kind != b->kind)
        return 0;
    switch (a->kind) {
    case WN_CEL_NULL:
        return 1;
    case WN_CEL_BOOL:
        return a->b == b->b;
    case WN_CEL_STRING:
    case WN_CEL_BYTES:
        return a->s.len == b->s.len &&
               (a->s.len == 0 || memcmp(a->s.p, b->s.p, a->s.len) == 0);
    case WN_CEL_TIMESTAMP:
    case WN_CEL_DURATION:
        return wn_cel_order(a, b) == 0;
    case WN_CEL_TYPE:
        return a->type == b->type;
    case WN_CEL_OPTIONAL:
        if (a->opt == NULL || b->opt == NULL)
            return a->opt == b->opt;
        return equal(run, a->opt, b->opt, depth + 1);
    case WN_CEL_LIST:
        return equal_lists(run, a, b, depth);
    case WN_CEL_MAP:
        return equal_maps(run, a, b, depth);
    default: /* unknown elements inside a list: never seen from JSON */
        return 0;
    }
}

struct wn_cel_value
wn_cel_equal(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *b)
{
    int eq = equal(run, a, b, 0);

    return eq < 0 ? wn_cel_error(wn_cel_no_steps) : wn_cel_bool(eq == 1);
}

struct wn_cel_value
wn_cel_lookup(struct wn_cel_run *run, const struct wn_cel_value *map,
    const struct wn_cel_value *key)
{
    size_t at = find_key(run, map, key, SIZE_MAX);

    if (at == SIZE_MAX)
        return wn_cel_error(wn_cel_no_steps);
    return at == map->seq.n ? wn_cel_error("no such key") : wn_cel_at(map, at);
}

struct wn_cel_value
wn_cel_in(struct wn_cel_run *run, const struct wn_cel_value *elem,
    const struct wn_cel_value *seq)
{
    if (seq->kind == WN_CEL_MAP) {
        size_t at = find_key(run, seq, elem, SIZE_MAX);

        return at == SIZE_MAX ? wn_cel_error(wn_cel_no_steps)
                              : wn_cel_bool(at < seq->seq.n);
    }
    for (size_t i = 0; i < seq->seq.n; i++) {
        struct wn_cel_value v = wn_cel_at(seq, i);
        int eq = equal(run, elem, &v, 0);

        if (eq != 0)
            return eq < 0 ? wn_cel_error(wn_cel_no_steps) : wn_cel_bool(true);
    }
    return wn_cel_bool(false);
}
