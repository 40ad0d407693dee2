/*
 * The functions of the language, one row an overload. A function that is not
 * in this table does not exist; macros and what evaluates only some of its
 * arguments are in cel_macro.c.
 */
#include <string.h>

#include "policies/cel_fn.h"

/* Code points: every byte that does not continue one. */
static struct wn_cel_value
size_string(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    size_t n = 0;

    for (size_t i = 0; i < args[0].s.len; i++)
        n += ((unsigned char)args[0].s.p[i] & 0xc0) != 0x80;
    return wn_cel_int((int64_t)n);
}

static struct wn_cel_value
size_bytes(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return wn_cel_int((int64_t)args[0].s.len);
}

static struct wn_cel_value
size_seq(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return wn_cel_int((int64_t)args[0].seq.n);
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

    return wn_cel_bool(with.len <= s.len && same(s.p, with.p, with.len));
}

static struct wn_cel_value
ends_with(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    struct wn_str s = args[0].s, with = args[1].s;

    if (with.len > s.len)
        return wn_cel_bool(false);
    return wn_cel_bool(
        with.len == 0 || same(s.p + (s.len - with.len), with.p, with.len));
}

static struct wn_cel_value
contains(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    struct wn_str s = args[0].s, part = args[1].s;

    if (part.len == 0)
        return wn_cel_bool(true);
    return wn_cel_bool(
        part.len <= s.len && memmem(s.p, s.len, part.p, part.len) != NULL);
}

static struct wn_cel_value
itself(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return args[0];
}

static struct wn_cel_value
type_of(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return (struct wn_cel_value){ .kind = WN_CEL_TYPE, .type = args[0].kind };
}

/* With a pattern that is no constant; the others are compiled when loaded. */
WN_CEL_FN(matches)
{
    const char *why;
    const struct wn_cel_regex *re;

    if (!wn_cel_charge(run, 64 + args[1].s.len))
        return wn_cel_error(wn_cel_no_steps);
    re = wn_cel_regex_new(NULL, run, args[1].s, &why);
    return re == NULL ? wn_cel_error(why)
                      : wn_cel_regex_match(re, run, args[0].s);
}

/* A run has one set of lists: all its expressions see the same. */
WN_CEL_FN(in_list)
{
    const struct wn_list *l = NULL;

    if (!wn_cel_charge(run, WN_CEL_LIST_STEPS))
        return wn_cel_error(wn_cel_no_steps);
    if (run->taken == NULL && run->lists != NULL)
        run->taken = wn_lists_take(run->lists);
    if (run->taken != NULL)
        l = wn_list_set_find(run->taken, args[0].s.p, args[0].s.len);
    return l == NULL ? wn_cel_error("there is no such list")
                     : wn_cel_bool(wn_list_has(l, args[1].s.p, args[1].s.len));
}

/* --- optionals --- */

static struct wn_cel_value
opt_none(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return wn_cel_none();
}

static struct wn_cel_value
opt_of(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return wn_cel_some(run, &args[0]);
}

/* What a type begins with: 0, false, empty, null, none. */
static bool
is_zero(const struct wn_cel_value *v)
{
    switch (v->kind) {
    case WN_CEL_NULL:
        return true;
    case WN_CEL_BOOL:
        return !v->b;
    case WN_CEL_INT:
    case WN_CEL_DURATION:
        return v->i == 0;
    case WN_CEL_UINT:
        return v->u == 0;
    case WN_CEL_DOUBLE:
        return v->d == 0;
    case WN_CEL_STRING:
    case WN_CEL_BYTES:
        return v->s.len == 0;
    case WN_CEL_LIST:
    case WN_CEL_MAP:
        return v->seq.n == 0;
    case WN_CEL_OPTIONAL:
        return v->opt == NULL;
    default:
        return false;
    }
}

static struct wn_cel_value
opt_of_non_zero(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return is_zero(&args[0]) ? wn_cel_none() : wn_cel_some(run, &args[0]);
}

static struct wn_cel_value
opt_has_value(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return wn_cel_bool(args[0].opt != NULL);
}

static struct wn_cel_value
opt_value(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    return args[0].opt == NULL ? wn_cel_error("the optional has no value")
                               : *args[0].opt;
}

/* The values of those that have one. */
static struct wn_cel_value
opt_unwrap(struct wn_cel_run *run, const struct wn_cel_value *args)
{
    struct wn_cel_value *v = NULL;
    size_t n = 0;

    if (args[0].seq.n <= WN_CEL_BUILD_MAX)
        v = wn_cel_scratch(run, args[0].seq.n * sizeof(*v));
    if (v == NULL || !wn_cel_charge(run, args[0].seq.n))
        return wn_cel_error(wn_cel_no_scratch);
    for (size_t i = 0; i < args[0].seq.n; i++) {
        struct wn_cel_value e = wn_cel_at(&args[0], i);

        if (e.kind != WN_CEL_OPTIONAL)
            return wn_cel_error(wn_cel_no_overload);
        if (e.opt != NULL)
            v[n++] = *e.opt;
    }
    return wn_cel_list(v, n);
}

#define STR WN_CEL_STRING
#define BYTES WN_CEL_BYTES
#define INT WN_CEL_INT
#define UINT WN_CEL_UINT
#define DBL WN_CEL_DOUBLE
#define BOOL WN_CEL_BOOL
#define LIST WN_CEL_LIST
#define MAP WN_CEL_MAP
#define TIME WN_CEL_TIMESTAMP
#define DUR WN_CEL_DURATION
#define TYPE WN_CEL_TYPE
#define OPT WN_CEL_OPTIONAL
#define DYN WN_CEL_DYN
/* clang-format off */
const struct wn_cel_fn wn_cel_fns[] = {
    /* name                  member scans  n  arguments            result; overloads of one name and form together */
    { "size",                 false, true , 1, { STR },                  INT , size_string },
    { "size",                 false, false, 1, { BYTES },                INT , size_bytes },
    { "size",                 false, false, 1, { LIST },                 INT , size_seq },
    { "size",                 false, false, 1, { MAP },                  INT , size_seq },
    { "size",                 true , true , 1, { STR },                  INT , size_string },
    { "size",                 true , false, 1, { BYTES },                INT , size_bytes },
    { "size",                 true , false, 1, { LIST },                 INT , size_seq },
    { "size",                 true , false, 1, { MAP },                  INT , size_seq },
    { "startsWith",           true , false, 2, { STR, STR },             BOOL, starts_with },
    { "endsWith",             true , false, 2, { STR, STR },             BOOL, ends_with },
    { "contains",             true , true , 2, { STR, STR },             BOOL, contains },
    { "matches",              true , true , 2, { STR, STR },             BOOL, wn_cel_matches },
    { "matches",              false, true , 2, { STR, STR },             BOOL, wn_cel_matches },
    { "in_list",              false, true , 2, { STR, STR },             BOOL, wn_cel_in_list },
    { "dyn",                  false, false, 1, { DYN },                  DYN , itself },
    { "type",                 false, false, 1, { DYN },                  TYPE, type_of },
    { "int",                  false, false, 1, { INT },                  INT , itself },
    { "int",                  false, false, 1, { UINT },                 INT , wn_cel_int_of_uint },
    { "int",                  false, false, 1, { DBL },                  INT , wn_cel_int_of_double },
    { "int",                  false, true , 1, { STR },                  INT , wn_cel_int_of_string },
    { "int",                  false, false, 1, { TIME },                 INT , wn_cel_int_of_time },
    { "int",                  false, false, 1, { DUR },                  INT , wn_cel_int_of_duration },
    { "uint",                 false, false, 1, { UINT },                 UINT, itself },
    { "uint",                 false, false, 1, { INT },                  UINT, wn_cel_uint_of_int },
    { "uint",                 false, false, 1, { DBL },                  UINT, wn_cel_uint_of_double },
    { "uint",                 false, true , 1, { STR },                  UINT, wn_cel_uint_of_string },
    { "double",               false, false, 1, { DBL },                  DBL , itself },
    { "double",               false, false, 1, { INT },                  DBL , wn_cel_double_of_int },
    { "double",               false, false, 1, { UINT },                 DBL , wn_cel_double_of_uint },
    { "double",               false, false, 1, { STR },                  DBL , wn_cel_double_of_string },
    { "bool",                 false, false, 1, { BOOL },                 BOOL, itself },
    { "bool",                 false, false, 1, { STR },                  BOOL, wn_cel_bool_of_string },
    { "string",               false, false, 1, { STR },                  STR , itself },
    { "string",               false, false, 1, { BOOL },                 STR , wn_cel_string_of },
    { "string",               false, false, 1, { INT },                  STR , wn_cel_string_of },
    { "string",               false, false, 1, { UINT },                 STR , wn_cel_string_of },
    { "string",               false, false, 1, { DBL },                  STR , wn_cel_string_of },
    { "string",               false, false, 1, { TIME },                 STR , wn_cel_string_of },
    { "string",               false, false, 1, { DUR },                  STR , wn_cel_string_of },
    { "string",               false, true , 1, { BYTES },                STR , wn_cel_string_of_bytes },
    { "bytes",                false, false, 1, { BYTES },                BYTES, itself },
    { "bytes",                false, false, 1, { STR },                  BYTES, wn_cel_bytes_of_string },
    { "timestamp",            false, false, 1, { TIME },                 TIME, itself },
    { "timestamp",            false, false, 1, { STR },                  TIME, wn_cel_time_of_string },
    { "timestamp",            false, false, 1, { INT },                  TIME, wn_cel_time_of_int },
    { "duration",             false, false, 1, { DUR },                  DUR , itself },
    { "duration",             false, true , 1, { STR },                  DUR , wn_cel_duration_of_string },
    { "duration",             false, false, 1, { INT },                  DUR , wn_cel_duration_of_int },
    { "getFullYear",          true , false, 1, { TIME },                 INT , wn_cel_full_year },
    { "getFullYear",          true , false, 2, { TIME, STR },            INT , wn_cel_full_year_in },
    { "getMonth",             true , false, 1, { TIME },                 INT , wn_cel_month },
    { "getMonth",             true , false, 2, { TIME, STR },            INT , wn_cel_month_in },
    { "getDate",              true , false, 1, { TIME },                 INT , wn_cel_date },
    { "getDate",              true , false, 2, { TIME, STR },            INT , wn_cel_date_in },
    { "getDayOfMonth",        true , false, 1, { TIME },                 INT , wn_cel_day_of_month },
    { "getDayOfMonth",        true , false, 2, { TIME, STR },            INT , wn_cel_day_of_month_in },
    { "getDayOfWeek",         true , false, 1, { TIME },                 INT , wn_cel_day_of_week },
    { "getDayOfWeek",         true , false, 2, { TIME, STR },            INT , wn_cel_day_of_week_in },
    { "getDayOfYear",         true , false, 1, { TIME },                 INT , wn_cel_day_of_year },
    { "getDayOfYear",         true , false, 2, { TIME, STR },            INT , wn_cel_day_of_year_in },
    { "getHours",             true , false, 1, { TIME },                 INT , wn_cel_hours },
    { "getHours",             true , false, 2, { TIME, STR },            INT , wn_cel_hours_in },
    { "getHours",             true , false, 1, { DUR },                  INT , wn_cel_duration_hours },
    { "getMinutes",           true , false, 1, { TIME },                 INT , wn_cel_minutes },
    { "getMinutes",           true , false, 2, { TIME, STR },            INT , wn_cel_minutes_in },
    { "getMinutes",           true , false, 1, { DUR },                  INT , wn_cel_duration_minutes },
    { "getSeconds",           true , false, 1, { TIME },                 INT , wn_cel_seconds },
    { "getSeconds",           true , false, 2, { TIME, STR },            INT , wn_cel_seconds_in },
    { "getSeconds",           true , false, 1, { DUR },                  INT , wn_cel_duration_seconds },
    { "getMilliseconds",      true , false, 1, { TIME },                 INT , wn_cel_milliseconds },
    { "getMilliseconds",      true , false, 2, { TIME, STR },            INT , wn_cel_milliseconds_in },
    { "getMilliseconds",      true , false, 1, { DUR },                  INT , wn_cel_duration_milliseconds },
    { "charAt",               true , true , 2, { STR, INT },             STR , wn_cel_char_at },
    { "indexOf",              true , true , 2, { STR, STR },             INT , wn_cel_index_of },
    { "indexOf",              true , true , 3, { STR, STR, INT },        INT , wn_cel_index_of_from },
    { "lastIndexOf",          true , true , 2, { STR, STR },             INT , wn_cel_last_index_of },
    { "lastIndexOf",          true , true , 3, { STR, STR, INT },        INT , wn_cel_last_index_of_from },
    { "lowerAscii",           true , true , 1, { STR },                  STR , wn_cel_lower_ascii },
    { "upperAscii",           true , true , 1, { STR },                  STR , wn_cel_upper_ascii },
    { "replace",              true , true , 3, { STR, STR, STR },        STR , wn_cel_replace },
    { "replace",              true , true , 4, { STR, STR, STR, INT },   STR , wn_cel_replace_n },
    { "split",                true , true , 2, { STR, STR },             LIST, wn_cel_split },
    { "split",                true , true , 3, { STR, STR, INT },        LIST, wn_cel_split_n },
    { "substring",            true , true , 2, { STR, INT },             STR , wn_cel_substring },
    { "substring",            true , true , 3, { STR, INT, INT },        STR , wn_cel_substring_to },
    { "trim",                 true , true , 1, { STR },                  STR , wn_cel_trim },
    { "reverse",              true , true , 1, { STR },                  STR , wn_cel_reverse },
    { "join",                 true , true , 1, { LIST },                 STR , wn_cel_join },
    { "join",                 true , true , 2, { LIST, STR },            STR , wn_cel_join_with },
    { "format",               true , true , 2, { STR, LIST },            STR , wn_cel_format },
    { "strings.quote",        false, true , 1, { STR },                  STR , wn_cel_quote },
    { "base64.encode",        false, true , 1, { BYTES },                STR , wn_cel_base64_encode },
    { "base64.decode",        false, true , 1, { STR },                  BYTES, wn_cel_base64_decode },
    { "math.ceil",            false, false, 1, { DBL },                  DBL , wn_cel_ceil },
    { "math.floor",           false, false, 1, { DBL },                  DBL , wn_cel_floor },
    { "math.round",           false, false, 1, { DBL },                  DBL , wn_cel_round },
    { "math.trunc",           false, false, 1, { DBL },                  DBL , wn_cel_trunc },
    { "math.sqrt",            false, false, 1, { DBL },                  DBL , wn_cel_sqrt },
    { "math.sqrt",            false, false, 1, { INT },                  DBL , wn_cel_sqrt_int },
    { "math.sqrt",            false, false, 1, { UINT },                 DBL , wn_cel_sqrt_uint },
    { "math.abs",             false, false, 1, { INT },                  INT , wn_cel_abs_int },
    { "math.abs",             false, false, 1, { UINT },                 UINT, itself },
    { "math.abs",             false, false, 1, { DBL },                  DBL , wn_cel_abs_double },
    { "math.sign",            false, false, 1, { INT },                  INT , wn_cel_sign_int },
    { "math.sign",            false, false, 1, { UINT },                 UINT, wn_cel_sign_uint },
    { "math.sign",            false, false, 1, { DBL },                  DBL , wn_cel_sign_double },
    { "math.isNaN",           false, false, 1, { DBL },                  BOOL, wn_cel_is_nan },
    { "math.isInf",           false, false, 1, { DBL },                  BOOL, wn_cel_is_inf },
    { "math.isFinite",        false, false, 1, { DBL },                  BOOL, wn_cel_is_finite },
    { "math.bitAnd",          false, false, 2, { INT, INT },             INT , wn_cel_bit_and },
    { "math.bitAnd",          false, false, 2, { UINT, UINT },           UINT, wn_cel_bit_and },
    { "math.bitOr",           false, false, 2, { INT, INT },             INT , wn_cel_bit_or },
    { "math.bitOr",           false, false, 2, { UINT, UINT },           UINT, wn_cel_bit_or },
    { "math.bitXor",          false, false, 2, { INT, INT },             INT , wn_cel_bit_xor },
    { "math.bitXor",          false, false, 2, { UINT, UINT },           UINT, wn_cel_bit_xor },
    { "math.bitNot",          false, false, 1, { INT },                  INT , wn_cel_bit_not_int },
    { "math.bitNot",          false, false, 1, { UINT },                 UINT, wn_cel_bit_not_uint },
    { "math.bitShiftLeft",    false, false, 2, { INT, INT },             INT , wn_cel_shift_left },
    { "math.bitShiftLeft",    false, false, 2, { UINT, INT },            UINT, wn_cel_shift_left },
    { "math.bitShiftRight",   false, false, 2, { INT, INT },             INT , wn_cel_shift_right },
    { "math.bitShiftRight",   false, false, 2, { UINT, INT },            UINT, wn_cel_shift_right },
    { "optional.none",        false, false, 0, { DYN },                     OPT , opt_none },
    { "optional.of",          false, false, 1, { DYN },                  OPT , opt_of },
    { "optional.ofNonZeroValue", false, false, 1, { DYN },                  OPT , opt_of_non_zero },
    { "optional.unwrap",      false, true , 1, { LIST },                 LIST, opt_unwrap },
    { "unwrapOpt",            true , true , 1, { LIST },                 LIST, opt_unwrap },
    { "hasValue",             true , false, 1, { OPT },                  BOOL, opt_has_value },
    { "value",                true , false, 1, { OPT },                  DYN , opt_value },
};
/* clang-format on */
const size_t wn_cel_fns_n = sizeof(wn_cel_fns) / sizeof(wn_cel_fns[0]);

const struct wn_cel_fn *
wn_cel_fn_find(struct wn_str name, bool member)
{
    for (size_t i = 0; i < wn_cel_fns_n; i++)
        if (wn_cel_fns[i].member == member &&
            strlen(wn_cel_fns[i].name) == name.len &&
            memcmp(wn_cel_fns[i].name, name.p, name.len) == 0)
            return &wn_cel_fns[i];
    return NULL;
}

bool
wn_cel_fn_same(const struct wn_cel_fn *a, const struct wn_cel_fn *b)
{
    return a->member == b->member && strcmp(a->name, b->name) == 0;
}
