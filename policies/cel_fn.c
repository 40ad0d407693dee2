/*
 * The functions of the language, one row an overload. A function that is not
 * in this table does not exist; wn_cel_fn_later() knows those of the standard
 * that rule writers will look for, so that the error can say it.
 */
#include <string.h>

#include "policies/cel_int.h"

static struct wn_cel_value
of_bool(bool b)
{
    return (struct wn_cel_value){ .kind = WN_CEL_BOOL, .b = b };
}

static struct wn_cel_value
of_int(size_t n)
{
    return (struct wn_cel_value){ .kind = WN_CEL_INT, .i = (int64_t)n };
}

/* Code points: every byte that does not continue one. */
static struct wn_cel_value
size_string(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    size_t n = 0;

    for (size_t i = 0; i < args[0].s.len; i++)
        n += ((unsigned char)args[0].s.p[i] & 0xc0) != 0x80;
    return of_int(n);
}

static struct wn_cel_value
size_seq(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return of_int(args[0].seq.n);
}

static bool
same(const char *a, const char *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

static struct wn_cel_value
starts_with(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    struct wn_str s = args[0].s, with = args[1].s;

    return of_bool(with.len <= s.len && same(s.p, with.p, with.len));
}

static struct wn_cel_value
ends_with(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    struct wn_str s = args[0].s, with = args[1].s;

    if (with.len > s.len)
        return of_bool(false);
    return of_bool(
        with.len == 0 || same(s.p + (s.len - with.len), with.p, with.len));
}

static struct wn_cel_value
contains(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    struct wn_str s = args[0].s, part = args[1].s;

    if (part.len == 0)
        return of_bool(true);
    return of_bool(
        part.len <= s.len && memmem(s.p, s.len, part.p, part.len) != NULL);
}

static struct wn_cel_value
itself(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return args[0];
}

static struct wn_cel_value
int_of_uint(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    if (args[0].u > INT64_MAX)
        return wn_cel_error("the number does not fit an int");
    return (struct wn_cel_value){ .kind = WN_CEL_INT, .i = (int64_t)args[0].u };
}

/* Towards zero; the bounds are what a double can hold of an int64. */
static struct wn_cel_value
int_of_double(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    if (!(args[0].d > -0x1p63 && args[0].d < 0x1p63))
        return wn_cel_error("the number does not fit an int");
    return (struct wn_cel_value){ .kind = WN_CEL_INT, .i = (int64_t)args[0].d };
}

static struct wn_cel_value
double_of_int(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return (
        struct wn_cel_value){ .kind = WN_CEL_DOUBLE, .d = (double)args[0].i };
}

static struct wn_cel_value
double_of_uint(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return (
        struct wn_cel_value){ .kind = WN_CEL_DOUBLE, .d = (double)args[0].u };
}

#define STR WN_CEL_STRING
/* clang-format off */
const struct wn_cel_fn wn_cel_fns[] = {
    /* name        member scans  n  arguments        result */
    { "size",       false, true,  1, { STR },          WN_CEL_INT,  size_string },
    { "size",       false, false, 1, { WN_CEL_LIST },  WN_CEL_INT,  size_seq },
    { "size",       false, false, 1, { WN_CEL_MAP },   WN_CEL_INT,  size_seq },
    { "size",       true,  true,  1, { STR },          WN_CEL_INT,  size_string },
    { "size",       true,  false, 1, { WN_CEL_LIST },  WN_CEL_INT,  size_seq },
    { "size",       true,  false, 1, { WN_CEL_MAP },   WN_CEL_INT,  size_seq },
    { "startsWith", true,  false, 2, { STR, STR },     WN_CEL_BOOL, starts_with },
    { "endsWith",   true,  false, 2, { STR, STR },     WN_CEL_BOOL, ends_with },
    { "contains",   true,  true,  2, { STR, STR },     WN_CEL_BOOL, contains },
    { "dyn",        false, false, 1, { WN_CEL_DYN },   WN_CEL_DYN,  itself },
    { "int",        false, false, 1, { WN_CEL_INT },   WN_CEL_INT,  itself },
    { "int",        false, false, 1, { WN_CEL_UINT },  WN_CEL_INT,  int_of_uint },
    { "int",        false, false, 1, { WN_CEL_DOUBLE }, WN_CEL_INT, int_of_double },
    { "double",     false, false, 1, { WN_CEL_DOUBLE }, WN_CEL_DOUBLE, itself },
    { "double",     false, false, 1, { WN_CEL_INT },   WN_CEL_DOUBLE, double_of_int },
    { "double",     false, false, 1, { WN_CEL_UINT },  WN_CEL_DOUBLE, double_of_uint },
};
/* clang-format on */
const size_t wn_cel_fns_n = sizeof(wn_cel_fns) / sizeof(wn_cel_fns[0]);

/* In the standard, not in this version. */
static const char *const later[] = { "all", "exists", "exists_one", "filter",
    "map", "matches", "uint", "string", "bool", "bytes", "type", "timestamp",
    "duration", "lowerAscii", "upperAscii", "split", "join", "replace", "trim",
    "substring", "indexOf" };

bool
wn_cel_fn_later(struct wn_str name)
{
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        if (strlen(later[i]) == name.len &&
            memcmp(later[i], name.p, name.len) == 0)
            return true;
    return false;
}
