/*
 * Arithmetic: + - * / % and the minus before a value. What leaves the range of
 * its type is an error, never a wrapped number.
 */
#include <string.h>

#include "policies/cel_int.h"

static const char by_zero[] = "division by zero";

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
    return bad ? wn_cel_error(wn_cel_overflow) : wn_cel_int(r);
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
    return bad ? wn_cel_error(wn_cel_overflow) : wn_cel_uint(r);
}

/* IEEE 754 throughout: x / 0.0 is an infinity or NaN, as CEL has it. */
__attribute__((no_sanitize("float-divide-by-zero"))) static struct wn_cel_value
arithmetic_double(enum wn_cel_op op, double a, double b)
{
    switch (op) {
    case WN_OP_ADD:
        return wn_cel_double(a + b);
    case WN_OP_SUB:
        return wn_cel_double(a - b);
    case WN_OP_MUL:
        return wn_cel_double(a * b);
    case WN_OP_DIV:
        return wn_cel_double(a / b);
    default:
        return wn_cel_error(wn_cel_no_overload);
    }
}

/* Of strings or of bytes: the kind stays. */
static struct wn_cel_value
add_strings(struct wn_cel_run *run, enum wn_cel_kind kind, struct wn_str a,
    struct wn_str b)
{
    char *p;

    if (a.len == 0 || b.len == 0)
        return (struct wn_cel_value){ .kind = kind, .s = a.len == 0 ? b : a };
    if (a.len > WN_CEL_BUILD_MAX || b.len > WN_CEL_BUILD_MAX)
        return wn_cel_error(wn_cel_no_scratch);
    p = wn_cel_scratch(run, a.len + b.len);
    if (p == NULL)
        return wn_cel_error(wn_cel_no_scratch);
    memcpy(p, a.p, a.len);
    memcpy(p + a.len, b.p, b.len);
    return (struct wn_cel_value){ .kind = kind, .s = { p, a.len + b.len } };
}

static struct wn_cel_value
add_lists(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *b)
{
    size_t n = a->seq.n + b->seq.n;
    struct wn_cel_value *v;

    if (a->seq.n > WN_CEL_BUILD_MAX || b->seq.n > WN_CEL_BUILD_MAX)
        return wn_cel_error(wn_cel_no_scratch);
    v = wn_cel_scratch(run, n * sizeof(*v));
    if (v == NULL || !wn_cel_charge(run, n))
        return wn_cel_error(wn_cel_no_scratch);
    for (size_t i = 0; i < a->seq.n; i++)
        v[i] = wn_cel_at(a, i);
    for (size_t i = 0; i < b->seq.n; i++)
        v[a->seq.n + i] = wn_cel_at(b, i);
    return wn_cel_list(v, n);
}

/* --- time: seconds and nanoseconds, nothing leaves its range --- */

#define NS 1000000000

static struct wn_cel_value
move_time(const struct wn_cel_value *t, int64_t s, int64_t ns)
{
    struct wn_cel_value r = { .kind = WN_CEL_TIMESTAMP };

    ns += t->time.ns;
    r.time.s = t->time.s + s + (ns >= NS) - (ns < 0);
    r.time.ns = (int32_t)(ns >= NS ? ns - NS : ns < 0 ? ns + NS : ns);
    if (r.time.s < WN_CEL_TIME_MIN || r.time.s > WN_CEL_TIME_MAX)
        return wn_cel_error("a timestamp leaves the years 1 to 9999");
    return r;
}

static struct wn_cel_value
between(const struct wn_cel_value *a, const struct wn_cel_value *b)
{
    int64_t ns;

    if (__builtin_mul_overflow(a->time.s - b->time.s, (int64_t)NS, &ns) ||
        __builtin_add_overflow(
            ns, (int64_t)a->time.ns - (int64_t)b->time.ns, &ns))
        return wn_cel_error("a duration is longer than 292 years");
    return (struct wn_cel_value){ .kind = WN_CEL_DURATION, .i = ns };
}

static struct wn_cel_value
arithmetic_duration(enum wn_cel_op op, int64_t a, int64_t b)
{
    struct wn_cel_value r;

    if (op != WN_OP_ADD && op != WN_OP_SUB)
        return wn_cel_error(wn_cel_no_overload);
    r = arithmetic_int(op, a, b);
    if (r.kind == WN_CEL_INT)
        r.kind = WN_CEL_DURATION;
    return r;
}

static struct wn_cel_value
arithmetic_time(enum wn_cel_op op, const struct wn_cel_value *a,
    const struct wn_cel_value *b)
{
    bool ta = a->kind == WN_CEL_TIMESTAMP, tb = b->kind == WN_CEL_TIMESTAMP;

    if (ta && tb && op == WN_OP_SUB)
        return between(a, b);
    if (ta && b->kind == WN_CEL_DURATION && op == WN_OP_ADD)
        return move_time(a, b->i / NS, b->i % NS);
    if (ta && b->kind == WN_CEL_DURATION && op == WN_OP_SUB)
        return move_time(a, -(b->i / NS), -(b->i % NS));
    if (a->kind == WN_CEL_DURATION && tb && op == WN_OP_ADD)
        return move_time(b, a->i / NS, a->i % NS);
    return wn_cel_error(wn_cel_no_overload);
}

struct wn_cel_value
wn_cel_arithmetic(enum wn_cel_op op, struct wn_cel_run *run,
    const struct wn_cel_value *a, const struct wn_cel_value *b)
{
    if (a->kind == WN_CEL_TIMESTAMP || b->kind == WN_CEL_TIMESTAMP)
        return arithmetic_time(op, a, b);
    if (a->kind != b->kind)
        return wn_cel_error(wn_cel_no_overload);
    switch (a->kind) {
    case WN_CEL_INT:
        return arithmetic_int(op, a->i, b->i);
    case WN_CEL_UINT:
        return arithmetic_uint(op, a->u, b->u);
    case WN_CEL_DOUBLE:
        return arithmetic_double(op, a->d, b->d);
    case WN_CEL_DURATION:
        return arithmetic_duration(op, a->i, b->i);
    case WN_CEL_STRING:
    case WN_CEL_BYTES:
        if (op == WN_OP_ADD)
            return add_strings(run, a->kind, a->s, b->s);
        break;
    case WN_CEL_LIST:
        if (op == WN_OP_ADD)
            return add_lists(run, a, b);
        break;
    default:
        break;
    }
    return wn_cel_error(wn_cel_no_overload);
}

struct wn_cel_value
wn_cel_negate(const struct wn_cel_value *v)
{
    if (v->kind == WN_CEL_DOUBLE)
        return wn_cel_double(-v->d);
    if (v->kind != WN_CEL_INT)
        return wn_cel_error(wn_cel_no_overload);
    return v->i == INT64_MIN ? wn_cel_error(wn_cel_overflow)
                             : wn_cel_int(-v->i);
}
