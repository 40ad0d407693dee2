/*
 * format(): "%s is %.2f".format([x, y]) of the strings extension, without
 * locales. Clauses: %s %d %f %e %b %o %x %X %%, and a precision for %f and %e.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/cel_fn.h"

#define DEPTH_MAX 32      /* of lists in lists under %s */
#define PRECISION_MAX 100 /* digits behind the dot */

static const char bad_argument[] = "format: a clause does not take this type";
static const char bad_clause[] = "format: no such clause";

static bool add_value(
    struct wn_cel_text *t, const struct wn_cel_value *v, unsigned depth);

static void
add_str(struct wn_cel_text *t, const char *s)
{
    wn_cel_text_add(t, s, strlen(s));
}

/* --- %s --- */

static bool
add_list(struct wn_cel_text *t, const struct wn_cel_value *v, unsigned depth)
{
    add_str(t, "[");
    for (size_t i = 0; i < v->seq.n && !t->failed; i++) {
        struct wn_cel_value e = wn_cel_at(v, i);

        add_str(t, i == 0 ? "" : ", ");
        if (!add_value(t, &e, depth))
            return false;
    }
    add_str(t, "]");
    return true;
}

/* A key as text, and where it was. */
struct entry {
    struct wn_str key;
    size_t i;
};

static int
by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    struct wn_cel_value v = wn_cel_string(x->key.p, x->key.len);
    struct wn_cel_value w = wn_cel_string(y->key.p, y->key.len);
    int order = wn_cel_order(&v, &w);

    if (order != 0)
        return order;
    return x->i < y->i ? -1 : x->i > y->i;
}

/* In the order of its keys' texts; NULL without room. qsort() may call
 * malloc, which takes nothing away from anyone. */
static struct entry *
sorted_keys(struct wn_cel_run *run, const struct wn_cel_value *map)
{
    struct entry *entries =
        map->seq.n > WN_CEL_BUILD_MAX
            ? NULL
            : wn_cel_scratch(run, map->seq.n * sizeof(*entries));

    if (entries == NULL || !wn_cel_charge(run, 4 * map->seq.n))
        return NULL;
    for (size_t i = 0; i < map->seq.n; i++) {
        struct wn_cel_text t = { .run = run };
        struct wn_cel_value key = wn_cel_key_at(map, i);

        if (!wn_cel_text_scalar(&t, &key, true) || t.failed)
            return NULL;
        entries[i].key = wn_cel_text_value(&t).s;
        entries[i].i = i;
    }
    if (map->seq.n > 1)
        qsort(entries, map->seq.n, sizeof(*entries), by_key);
    return entries;
}

static bool
add_map(struct wn_cel_text *t, const struct wn_cel_value *v, unsigned depth)
{
    const struct entry *entries = sorted_keys(t->run, v);

    if (entries == NULL) {
        t->failed = true;
        return true;
    }
    add_str(t, "{");
    for (size_t i = 0; i < v->seq.n && !t->failed; i++) {
        struct wn_cel_value e = wn_cel_at(v, entries[i].i);

        add_str(t, i == 0 ? "" : ", ");
        wn_cel_text_add(t, entries[i].key.p, entries[i].key.len);
        add_str(t, ": ");
        if (!add_value(t, &e, depth))
            return false;
    }
    add_str(t, "}");
    return true;
}

static bool
add_value(struct wn_cel_text *t, const struct wn_cel_value *v, unsigned depth)
{
    if (depth == 0)
        return false;
    if (!wn_cel_charge(t->run, 1)) {
        t->failed = true;
        return true;
    }
    if (v->kind == WN_CEL_LIST)
        return add_list(t, v, depth - 1);
    if (v->kind == WN_CEL_MAP)
        return add_map(t, v, depth - 1);
    return wn_cel_text_scalar(t, v, true);
}

/* --- numbers --- */

static bool
is_number(const struct wn_cel_value *v)
{
    return v->kind >= WN_CEL_INT && v->kind <= WN_CEL_DOUBLE;
}

/* Digits of a base that is a power of two, with a minus for a negative one. */
static void
add_based(struct wn_cel_text *t, const struct wn_cel_value *v, unsigned shift,
    bool upper)
{
    bool negative = v->kind == WN_CEL_INT && v->i < 0;
    uint64_t u = v->kind == WN_CEL_BOOL ? v->b
                 : negative             ? -(uint64_t)v->i
                                        : v->u;
    char buf[66], *p = buf + sizeof(buf);

    do {
        *--p = (upper ? "0123456789ABCDEF"
                      : "0123456789abcdef")[u & ((1u << shift) - 1)];
        u >>= shift;
    } while (u > 0);
    if (negative)
        *--p = '-';
    wn_cel_text_add(t, p, (size_t)(buf + sizeof(buf) - p));
}

static void
add_hex_bytes(struct wn_cel_text *t, struct wn_str s, bool upper)
{
    for (size_t i = 0; i < s.len && !t->failed; i++) {
        char buf[3];

        snprintf(
            buf, sizeof(buf), upper ? "%02X" : "%02x", (unsigned char)s.p[i]);
        wn_cel_text_add(t, buf, 2);
    }
}

static bool
add_float(struct wn_cel_text *t, const struct wn_cel_value *v, char clause,
    int precision)
{
    char buf[320 + PRECISION_MAX];
    double d;

    if (!is_number(v))
        return false;
    d = v->kind == WN_CEL_INT    ? (double)v->i
        : v->kind == WN_CEL_UINT ? (double)v->u
                                 : v->d;
    if (!isfinite(d))
        return wn_cel_text_scalar(t, v, true);
    snprintf(buf, sizeof(buf), clause == 'f' ? "%.*f" : "%.*e", precision, d);
    add_str(t, buf);
    return true;
}

/* One argument under its clause; false where it does not take it. */
static bool
add_clause(struct wn_cel_text *t, const struct wn_cel_value *v, char clause,
    int precision)
{
    bool whole = v->kind == WN_CEL_INT || v->kind == WN_CEL_UINT;

    switch (clause) {
    case 's':
        return add_value(t, v, DEPTH_MAX);
    case 'd':
        return is_number(v) && wn_cel_text_scalar(t, v, true);
    case 'f':
    case 'e':
        return add_float(t, v, clause, precision);
    case 'b':
        if (whole || v->kind == WN_CEL_BOOL)
            add_based(t, v, 1, false);
        return whole || v->kind == WN_CEL_BOOL;
    case 'o':
        if (whole)
            add_based(t, v, 3, false);
        return whole;
    default: /* x, X */
        if (whole)
            add_based(t, v, 4, clause == 'X');
        else if (v->kind == WN_CEL_STRING || v->kind == WN_CEL_BYTES)
            add_hex_bytes(t, v->s, clause == 'X');
        else
            return false;
        return true;
    }
}

/* Behind '%': the clause's letter, its precision in *precision; 0 where it is
 * none. */
static char
take_clause(struct wn_str s, size_t *pos, int *precision)
{
    char c;

    *precision = 6;
    if (*pos < s.len && s.p[*pos] == '.') {
        *precision = 0;
        for (++*pos; *pos < s.len && s.p[*pos] >= '0' && s.p[*pos] <= '9';
             ++*pos)
            if (*precision <= PRECISION_MAX)
                *precision = *precision * 10 + (s.p[*pos] - '0');
        if (*precision > PRECISION_MAX || *pos >= s.len ||
            (s.p[*pos] != 'f' && s.p[*pos] != 'e'))
            return 0;
    }
    c = *pos < s.len ? s.p[(*pos)++] : '\0';
    return c != '\0' && strchr("sdfeboxX", c) != NULL ? c : 0;
}

WN_CEL_FN(format)
{
    struct wn_cel_text t = { .run = run };
    struct wn_str s = args[0].s;
    size_t arg = 0;

    for (size_t pos = 0; pos < s.len;) {
        const char *mark = memchr(s.p + pos, '%', s.len - pos);
        size_t n = mark == NULL ? s.len - pos : (size_t)(mark - s.p) - pos;
        struct wn_cel_value v;
        int precision;
        char clause;

        wn_cel_text_add(&t, s.p + pos, n);
        pos += n;
        if (mark == NULL)
            break;
        pos++;
        if (pos < s.len && s.p[pos] == '%') {
            wn_cel_text_add(&t, "%", 1);
            pos++;
            continue;
        }
        clause = take_clause(s, &pos, &precision);
        if (clause == 0)
            return wn_cel_error(bad_clause);
        if (arg == args[1].seq.n)
            return wn_cel_error("format: an argument is missing");
        v = wn_cel_at(&args[1], arg++);
        if (!wn_cel_charge(run, 1))
            return wn_cel_error(wn_cel_no_steps);
        if (!add_clause(&t, &v, clause, precision))
            return wn_cel_error(bad_argument);
    }
    return wn_cel_text_value(&t);
}
