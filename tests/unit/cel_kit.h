/*
 * What the tests of the expression language share: a small environment, and
 * expressions against the text of what they yield.
 */
#ifndef WN_TESTS_UNIT_CEL_KIT_H
#define WN_TESTS_UNIT_CEL_KIT_H

#include "tests/lib/test.h"

#include "policies/cel_int.h"

enum { V_N, V_D, V_S, V_B, V_LIST, V_MAP, V_GONE, V_GONE_B, V_DEEP, VARS };

static const struct wn_cel_var vars[VARS] = {
    [V_N] = { "n", &wn_cel_types[WN_CEL_INT] },
    [V_D] = { "d", &wn_cel_types[WN_CEL_DOUBLE] },
    [V_S] = { "s", &wn_cel_types[WN_CEL_STRING] },
    [V_B] = { "b", &wn_cel_types[WN_CEL_BOOL] },
    [V_LIST] = { "post.links", &wn_cel_list_string },
    [V_MAP] = { "post.extra", &wn_cel_map_string },
    [V_GONE] = { "gone.number", &wn_cel_types[WN_CEL_INT] },
    [V_GONE_B] = { "gone.flag", &wn_cel_types[WN_CEL_BOOL] },
    [V_DEEP] = { "gone.map", &wn_cel_map_string },
};
static const struct wn_cel_env env = { .vars = vars, .n = VARS };

static const struct wn_value links[] = {
    { .kind = WN_VALUE_STRING, .s = { "https://a.example", 17 } },
    { .kind = WN_VALUE_STRING, .s = { "https://b.example", 17 } },
};
static const struct wn_str inner_keys[] = { { "lang", 4 } };
static const struct wn_value inner_values[] = { { .kind = WN_VALUE_STRING,
    .s = { "en", 2 } } };
static const struct wn_str map_keys[] = { { "age", 3 }, { "vip", 3 },
    { "nothing", 7 }, { "inner", 5 } };
static const struct wn_value map_values[] = {
    { .kind = WN_VALUE_INT, .i = 17 },
    { .kind = WN_VALUE_BOOL, .b = true },
    { .kind = WN_VALUE_NULL },
    { .kind = WN_VALUE_MAP, .map = { inner_keys, inner_values, 1 } },
};

static inline void
fill(struct wn_value *v)
{
    memset(v, 0, VARS * sizeof(*v)); /* unknown */
    v[V_N] = wn_value_int(5);
    v[V_D] = wn_value_double(2.5);
    v[V_S] = wn_value_str("caf\xc3\xa9 now", 9);
    v[V_B] = wn_value_bool(true);
    v[V_LIST] =
        (struct wn_value){ .kind = WN_VALUE_LIST, .list = { links, 2 } };
    v[V_MAP] = (struct wn_value){ .kind = WN_VALUE_MAP,
        .map = { map_keys, map_values, 4 } };
}

/* What an expression yields, written as text. */
static inline void
show(const struct wn_cel_value *v, char *buf, size_t len)
{
    switch (v->kind) {
    case WN_CEL_UNKNOWN:
        snprintf(buf, len, "unknown");
        break;
    case WN_CEL_ERROR:
        snprintf(buf, len, "error: %s", v->why);
        break;
    case WN_CEL_NULL:
        snprintf(buf, len, "null");
        break;
    case WN_CEL_BOOL:
        snprintf(buf, len, "%s", v->b ? "true" : "false");
        break;
    case WN_CEL_INT:
        snprintf(buf, len, "%lld", (long long)v->i);
        break;
    case WN_CEL_UINT:
        snprintf(buf, len, "%lluu", (unsigned long long)v->u);
        break;
    case WN_CEL_DOUBLE:
        snprintf(buf, len, "%gd", v->d);
        break;
    case WN_CEL_STRING:
        snprintf(buf, len, "'%.*s'", (int)v->s.len, v->s.p);
        break;
    case WN_CEL_TYPE:
        snprintf(buf, len, "type %s", wn_cel_type_name(v->type));
        break;
    case WN_CEL_LIST:
    case WN_CEL_MAP:
        snprintf(buf, len, "%zu elements", v->seq.n);
        break;
    default:
        snprintf(buf, len, "a %s", wn_cel_type_name(v->kind));
        break;
    }
}

/* The value of src, or "refused: " and the error. */
static inline void
run_expr(const char *src, size_t len, char *buf, size_t buf_len)
{
    struct wn_arena arena;
    const struct wn_cel_node *node = NULL;
    struct wn_value values[VARS];
    struct wn_cel_run run;
    struct wn_err err = { "" };
    size_t scans = 0;

    wn_arena_init(&arena, 4096, 64u << 20);
    if (wn_cel_compile(&node, &arena, src, len, "when", &env, &scans, &err) ==
        WN_OK) {
        struct wn_cel_value v;

        fill(values);
        wn_cel_run_init(&run, values);
        v = wn_cel_eval(node, &run);
        show(&v, buf, buf_len);
        wn_cel_run_release(&run);
    } else {
        snprintf(buf, buf_len, "refused: %s", err.text);
    }
    wn_arena_release(&arena);
}

struct row {
    const char *src, *want;
};

static inline void
check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* Exactly as long as it is, so that ASan sees a byte too far. */
        size_t len = strlen(rows[i].src);
        char *src = malloc(len + 1), got[600];

        assert_non_null(src);
        memcpy(src, rows[i].src, len);
        run_expr(src, len, got, sizeof(got));
        free(src);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg(
                "%s\n  got  %s\n  want %s", rows[i].src, got, rows[i].want);
    }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

/* n times the text, between two others. */
static inline char *
repeat(const char *before, const char *text, size_t n, const char *after)
{
    size_t len = strlen(text), a = strlen(before), z = strlen(after);
    char *p = malloc(a + n * len + z + 1);

    assert_non_null(p);
    memcpy(p, before, a);
    for (size_t i = 0; i < n; i++)
        memcpy(p + a + i * len, text, len);
    memcpy(p + a + n * len, after, z + 1);
    return p;
}

static inline void
expect_start(char *src, const char *want)
{
    char got[600];

    run_expr(src, strlen(src), got, sizeof(got));
    if (strncmp(got, want, strlen(want)) != 0)
        fail_msg("%.60s...\n  got  %s\n  want %s", src, got, want);
    free(src);
}

#endif
