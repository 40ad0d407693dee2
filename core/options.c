/*
 * The values: one slot an option, and the list of kafka.* pairs. Filled by one
 * thread at start (options_load.c), read-only afterwards.
 */
#include "core/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/options_int.h"

const struct wn_option_info wn_option_table[WN_OPT_COUNT] = {
#define O(id, name, type, def, min, max, unit, flags, help)                    \
    [WN_OPT_##                                                                 \
        id] = { name, WN_OPTION_##type, def, min, max, unit, flags, help },
    WN_OPTIONS(O)
#undef O
};

struct value {
    char *text, *where; /* NULL: the default of the table */
    int64_t number;
};

struct pair {
    char *name, *value, *where;
};

struct wn_options {
    bool misused;
    struct value values[WN_OPT_COUNT];
    struct pair kafka[WN_OPTIONS_KAFKA_MAX];
    size_t kafka_n;
};

enum wn_option
wn_option_find(const char *name)
{
    int i = 0;

    while (i < WN_OPT_COUNT && strcmp(wn_option_table[i].name, name) != 0)
        i++;
    return (enum wn_option)i;
}

/* Decimal digits with a sign, then, where allowed, k, m or g. */
static bool
parse_number(const char *s, bool size, int64_t *ret)
{
    const char *suffix, *powers = "kmg";
    char *end;
    long long v;
    int64_t number;

    if (s[0] != '-' && (s[0] < '0' || s[0] > '9'))
        return false; /* strtoll() would skip spaces and take a + */
    errno = 0;
    v = strtoll(s, &end, 10);
    if (end == s || errno != 0)
        return false;
    number = v;
    if (size && *end != '\0') {
        suffix = strchr(powers, *end | 0x20);
        if (suffix == NULL)
            return false;
        for (long i = suffix - powers; i >= 0; i--) {
            if (__builtin_mul_overflow(number, 1024, &number))
                return false;
        }
        end++;
    }
    if (*end != '\0')
        return false;
    *ret = number;
    return true;
}

static bool
parse_bool(const char *s, int64_t *ret)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off",
        "on", "0", "1" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(s, words[i]) == 0) {
            *ret = i % 2;
            return true;
        }
    }
    return false;
}

/* s as one of "a|b|c"; its place is the number. */
static bool
parse_word(const char *s, const char *words, int64_t *ret)
{
    size_t len = strlen(s), n;

    for (int64_t i = 0;; i++, words += n + 1) {
        n = strcspn(words, "|");
        if (n == len && memcmp(words, s, n) == 0) {
            *ret = i;
            return true;
        }
        if (words[n] == '\0')
            return false;
    }
}

static const char *
unit_space(const struct wn_option_info *info)
{
    return info->unit[0] == '\0' ? "" : " ";
}

/* The name behind the place, but where the place is a flag, which spells it. */
static const char *
named(const char *where, const char *name)
{
    return strncmp(where, "--", 2) == 0 ? "" : name;
}

static const char *
colon(const char *where)
{
    return named(where, ": ");
}

static enum wn_status
check_number(const struct wn_option_info *info, const char *text,
    const char *where, int64_t *ret, struct wn_err *err)
{
    bool size = info->type == WN_OPTION_SIZE;
    int64_t v, limit;

    if (!parse_number(text, size, &v))
        return wn_fail(err, WN_REJECT, "%s%s%s: \"%.80s\" is not a %s", where,
            colon(where), named(where, info->name), text,
            size ? "size (a whole number, with k, m or g for powers of 1024)"
                 : "whole number");
    if (parse_number(info->min, true, &limit) && v < limit)
        return wn_fail(err, WN_REJECT,
            "%s%s%s: %.80s is under the minimum, "
            "%s%s%s",
            where, colon(where), named(where, info->name), text, info->min,
            unit_space(info), info->unit);
    if (parse_number(info->max, true, &limit) && v > limit)
        return wn_fail(err, WN_REJECT,
            "%s%s%s: %.80s is over the maximum, "
            "%s%s%s",
            where, colon(where), named(where, info->name), text, info->max,
            unit_space(info), info->unit);
    *ret = v;
    return WN_OK;
}

/* The one text option with a syntax that is ours to know. */
static enum wn_status
check_start(const char *text, const char *where, struct wn_err *err)
{
    int64_t us;

    if (strcmp(text, "beginning") == 0 || strcmp(text, "end") == 0 ||
        wn_time_parse(text, strlen(text), &us))
        return WN_OK;
    return wn_fail(err, WN_REJECT,
        "%s%s%s: \"%.80s\" is not beginning, end or an RFC 3339 "
        "time (2026-11-24T05:00:00Z)",
        where, colon(where), named(where, "ingest.start"), text);
}

/* Number of the value; texts have none. */
static enum wn_status
check_value(enum wn_option id, const char *text, const char *where,
    int64_t *ret, struct wn_err *err)
{
    const struct wn_option_info *info = &wn_option_table[id];

    switch (info->type) {
    case WN_OPTION_INT:
    case WN_OPTION_SIZE:
        return check_number(info, text, where, ret, err);
    case WN_OPTION_BOOL:
        if (parse_bool(text, ret))
            return WN_OK;
        return wn_fail(err, WN_REJECT, "%s%s%s: \"%.80s\" is not true or false",
            where, colon(where), named(where, info->name), text);
    case WN_OPTION_ENUM:
        if (parse_word(text, info->min, ret))
            return WN_OK;
        return wn_fail(err, WN_REJECT, "%s%s%s: \"%.80s\" is none of %s", where,
            colon(where), named(where, info->name), text, info->min);
    case WN_OPTION_STR:
        break;
    }
    if (id == WN_OPT_INGEST_START)
        return check_start(text, where, err);
    return WN_OK;
}

struct wn_options *
wn_options_new(void)
{
    struct wn_options *o = calloc(1, sizeof(*o));
    struct wn_err err;

    if (o == NULL)
        return NULL;
    for (int i = 0; i < WN_OPT_COUNT; i++)
        WN_ASSERT(check_value((enum wn_option)i, wn_option_table[i].def,
                      "default", &o->values[i].number, &err) == WN_OK);
    return o;
}

void
wn_options_free(struct wn_options *o)
{
    if (o == NULL)
        return;
    for (int i = 0; i < WN_OPT_COUNT; i++) {
        free(o->values[i].text);
        free(o->values[i].where);
    }
    for (size_t i = 0; i < o->kafka_n; i++) {
        free(o->kafka[i].name);
        free(o->kafka[i].value);
        free(o->kafka[i].where);
    }
    free(o);
}

static enum wn_status
no_memory(const char *where, struct wn_err *err)
{
    return wn_fail(err, WN_STOP, "%s: out of memory", where);
}

static enum wn_status
add_kafka(struct wn_options *o, const char *name, const char *value,
    const char *where, struct wn_err *err)
{
    struct pair *pair = &o->kafka[o->kafka_n];

    if (o->kafka_n == WN_OPTIONS_KAFKA_MAX)
        return wn_fail(err, WN_REJECT, "%s: over %d kafka.* settings", where,
            WN_OPTIONS_KAFKA_MAX);
    pair->name = strdup(name);
    pair->value = strdup(value);
    pair->where = strdup(where);
    if (pair->name == NULL || pair->value == NULL || pair->where == NULL) {
        free(pair->name);
        free(pair->value);
        free(pair->where);
        return no_memory(where, err);
    }
    o->kafka_n++;
    return WN_OK;
}

/* A later source replaces the value, and the pair keeps its place. */
static enum wn_status
set_kafka(struct wn_options *o, const char *name, const char *value,
    const char *where, struct wn_err *err)
{
    const char *why = wn_options_kafka_owned(name);
    char *copy, *place;

    if (why != NULL)
        return wn_fail(err, WN_REJECT, "%s: kafka.%s is not yours to set: %s",
            where, name, why);
    for (size_t i = 0; i < o->kafka_n; i++) {
        if (strcmp(o->kafka[i].name, name) != 0)
            continue;
        copy = strdup(value);
        place = strdup(where);
        if (copy == NULL || place == NULL) {
            free(copy);
            free(place);
            return no_memory(where, err);
        }
        free(o->kafka[i].value);
        free(o->kafka[i].where);
        o->kafka[i].value = copy;
        o->kafka[i].where = place;
        return WN_OK;
    }
    return add_kafka(o, name, value, where, err);
}

static enum wn_status
unknown(const char *name, const char *where, struct wn_err *err)
{
    const char *near = wn_option_suggest(name);

    if (near == NULL)
        return wn_fail(
            err, WN_REJECT, "%s: unknown option \"%.80s\"", where, name);
    return wn_fail(err, WN_REJECT,
        "%s: unknown option \"%.80s\"; did you mean %s?", where, name, near);
}

/* Bounds of any value; control characters have no place in a setting, and
 * would let one line of a log or of libpq's string pass for two. */
static enum wn_status
check_text(
    const char *name, const char *value, const char *where, struct wn_err *err)
{
    if (strlen(value) > WN_OPTION_VALUE_MAX)
        return wn_fail(err, WN_REJECT, "%s%s%.80s: over %d bytes", where,
            colon(where), named(where, name), WN_OPTION_VALUE_MAX);
    for (const char *p = value; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return wn_fail(err, WN_REJECT,
                "%s%s%.80s: holds a control character", where, colon(where),
                named(where, name));
    }
    return WN_OK;
}

static enum wn_status
set_value(struct wn_options *o, enum wn_option id, const char *text,
    const char *where, struct wn_err *err)
{
    struct value v = { .number = 0 };
    enum wn_status rc = check_value(id, text, where, &v.number, err);

    if (rc != WN_OK)
        return rc;
    v.text = strdup(text);
    v.where = strdup(where);
    if (v.text == NULL || v.where == NULL) {
        free(v.text);
        free(v.where);
        return no_memory(where, err);
    }
    free(o->values[id].text);
    free(o->values[id].where);
    o->values[id] = v;
    return WN_OK;
}

enum wn_status
wn_options_set(struct wn_options *o, const char *name, const char *value,
    const char *where, struct wn_err *err)
{
    enum wn_option id = wn_option_find(name);
    enum wn_status rc;

    if (strlen(name) > WN_OPTION_NAME_MAX || !wn_option_is_name(name))
        return wn_fail(err, WN_REJECT, "%s: no option has such a name", where);
    if (id == WN_OPT_COUNT &&
        (strncmp(name, "kafka.", 6) != 0 || name[6] == '\0'))
        return unknown(name, where, err);
    rc = check_text(name, value, where, err);
    if (rc != WN_OK)
        return rc;
    if (id == WN_OPT_COUNT)
        return set_kafka(o, name + 6, value, where, err);
    return set_value(o, id, value, where, err);
}

void
wn_options_set_misused(struct wn_options *o)
{
    o->misused = true;
}

bool
wn_options_misused(const struct wn_options *o)
{
    return o->misused;
}

const char *
wn_opt_str(const struct wn_options *o, enum wn_option id)
{
    WN_ASSERT((unsigned)id < WN_OPT_COUNT);
    if (o->values[id].text == NULL)
        return wn_option_table[id].def;
    return o->values[id].text;
}

int64_t
wn_opt_int(const struct wn_options *o, enum wn_option id)
{
    WN_ASSERT((unsigned)id < WN_OPT_COUNT);
    WN_ASSERT(wn_option_table[id].type == WN_OPTION_INT ||
              wn_option_table[id].type == WN_OPTION_SIZE);
    return o->values[id].number;
}

bool
wn_opt_bool(const struct wn_options *o, enum wn_option id)
{
    WN_ASSERT((unsigned)id < WN_OPT_COUNT);
    WN_ASSERT(wn_option_table[id].type == WN_OPTION_BOOL);
    return o->values[id].number != 0;
}

bool
wn_opt_is_default(const struct wn_options *o, enum wn_option id)
{
    WN_ASSERT((unsigned)id < WN_OPT_COUNT);
    return o->values[id].text == NULL;
}

const char *
wn_opt_where(const struct wn_options *o, enum wn_option id)
{
    WN_ASSERT((unsigned)id < WN_OPT_COUNT);
    return o->values[id].where == NULL ? "default" : o->values[id].where;
}

size_t
wn_options_kafka_n(const struct wn_options *o)
{
    return o->kafka_n;
}

void
wn_options_kafka(const struct wn_options *o, size_t i, const char **ret_name,
    const char **ret_value, const char **ret_where)
{
    WN_ASSERT(i < o->kafka_n);
    *ret_name = o->kafka[i].name;
    *ret_value = o->kafka[i].value;
    *ret_where = o->kafka[i].where;
}
