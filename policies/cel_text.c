/*
 * Texts that an expression builds, and scalars as texts.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policies/cel_fn.h"

#define EXPONENT_FROM 6 /* from a million on string(double) has an exponent */

/* Room doubles; what was is left behind in the run. */
static bool
make_room(struct wn_cel_text *t, size_t len)
{
    size_t cap = t->cap < 64 ? 64 : t->cap;
    char *p;

    if (t->failed)
        return false;
    if (len <= t->cap - t->len)
        return true;
    while (cap - t->len < len && cap < WN_CEL_BUILD_MAX)
        cap *= 2;
    p = cap - t->len < len ? NULL : wn_cel_scratch(t->run, cap);
    if (p == NULL) {
        t->failed = true;
        return false;
    }
    if (t->len > 0)
        memcpy(p, t->p, t->len);
    t->p = p;
    t->cap = cap;
    return true;
}

void
wn_cel_text_add(struct wn_cel_text *t, const char *p, size_t len)
{
    if (len == 0 || !make_room(t, len))
        return;
    memcpy(t->p + t->len, p, len);
    t->len += len;
}

struct wn_cel_value
wn_cel_text_value(const struct wn_cel_text *t)
{
    if (t->failed)
        return wn_cel_error(
            t->run->spent ? wn_cel_no_steps : wn_cel_no_scratch);
    return wn_cel_string(t->len > 0 ? t->p : "", t->len);
}

static void
add_str(struct wn_cel_text *t, const char *s)
{
    wn_cel_text_add(t, s, strlen(s));
}

/* d.ddd and its exponent: the fewest digits that read back as d. */
static int
shortest(double d, char *digits, int *ret_exponent)
{
    char buf[40];
    int n = 0;

    for (int precision = 0; precision < 18; precision++) {
        snprintf(buf, sizeof(buf), "%.*e", precision, d);
        if (strtod(buf, NULL) == d)
            break;
    }
    for (const char *p = buf; *p != '\0' && *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    *ret_exponent = atoi(strchr(buf, 'e') + 1);
    return n;
}

static void
add_exponent(struct wn_cel_text *t, const char *digits, int n, int exponent)
{
    char buf[16];

    wn_cel_text_add(t, digits, 1);
    if (n > 1) {
        add_str(t, ".");
        wn_cel_text_add(t, digits + 1, (size_t)n - 1);
    }
    snprintf(
        buf, sizeof(buf), "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    add_str(t, buf);
}

static void
add_zeros(struct wn_cel_text *t, int n)
{
    while (n-- > 0)
        add_str(t, "0");
}

static void
add_plain(struct wn_cel_text *t, const char *digits, int n, int exponent)
{
    int whole = exponent + 1;

    if (whole <= 0) {
        add_str(t, "0.");
        add_zeros(t, -whole);
        wn_cel_text_add(t, digits, (size_t)n);
    } else if (n <= whole) {
        wn_cel_text_add(t, digits, (size_t)n);
        add_zeros(t, whole - n);
    } else {
        wn_cel_text_add(t, digits, (size_t)whole);
        add_str(t, ".");
        wn_cel_text_add(t, digits + whole, (size_t)(n - whole));
    }
}

static void
add_double(struct wn_cel_text *t, double d, bool plain)
{
    char digits[40];
    int n, exponent;

    if (isnan(d)) {
        add_str(t, "NaN");
        return;
    }
    if (signbit(d))
        add_str(t, "-");
    if (isinf(d)) {
        add_str(t, plain ? "Infinity" : d > 0 ? "+Inf" : "Inf");
        return;
    }
    n = shortest(fabs(d), digits, &exponent);
    if (!plain && (exponent < -4 || exponent >= EXPONENT_FROM))
        add_exponent(t, digits, n, exponent);
    else
        add_plain(t, digits, n, exponent);
}

bool
wn_cel_text_scalar(
    struct wn_cel_text *t, const struct wn_cel_value *v, bool plain)
{
    char buf[32];

    switch (v->kind) {
    case WN_CEL_NULL:
        add_str(t, "null");
        return true;
    case WN_CEL_BOOL:
        add_str(t, v->b ? "true" : "false");
        return true;
    case WN_CEL_INT:
        snprintf(buf, sizeof(buf), "%" PRId64, v->i);
        add_str(t, buf);
        return true;
    case WN_CEL_UINT:
        snprintf(buf, sizeof(buf), "%" PRIu64, v->u);
        add_str(t, buf);
        return true;
    case WN_CEL_DOUBLE:
        add_double(t, v->d, plain);
        return true;
    case WN_CEL_STRING:
    case WN_CEL_BYTES:
        wn_cel_text_add(t, v->s.p, v->s.len);
        return true;
    case WN_CEL_TIMESTAMP:
        wn_cel_text_time(t, v);
        return true;
    case WN_CEL_DURATION:
        wn_cel_text_duration(t, v->i);
        return true;
    case WN_CEL_TYPE:
        add_str(t, wn_cel_type_name(v->type));
        return true;
    default:
        return false;
    }
}
