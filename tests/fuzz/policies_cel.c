/*
 * libFuzzer: any bytes as an expression, checked and unchecked. What compiles
 * is evaluated on no signals and on all of them: its value has the type that
 * the check promised, and it never takes more steps than its bound says.
 */
#include <stdlib.h>
#include <string.h>

#include "policies/cel_int.h"

#define MAX ((size_t)1 << 16)

static const struct wn_str keys[] = { { "a", 1 }, { "b", 1 } };
static const struct wn_value values[] = { { .kind = WN_VALUE_INT,
                                              .i = INT64_MIN },
    { .kind = WN_VALUE_STRING, .s = { "x", 1 } } };

/* A value of a signal, at the edges where its type has some. */
static struct wn_value
example(size_t i)
{
    switch (wn_signal_table[i].type) {
    case WN_TYPE_BOOL:
        return wn_value_bool(true);
    case WN_TYPE_INT:
        return wn_value_int(INT64_MAX - (int64_t)i);
    case WN_TYPE_DOUBLE:
        return wn_value_double(i % 2 ? 0.5 : -1e300);
    case WN_TYPE_STRING:
        return wn_value_str("h\xc3\xa9llo", 6);
    case WN_TYPE_LIST:
        return (struct wn_value){ .kind = WN_VALUE_LIST,
            .list = { values + 1, 1 } };
    case WN_TYPE_MAP:
        break;
    }
    return (
        struct wn_value){ .kind = WN_VALUE_MAP, .map = { keys, values, 2 } };
}

static void
evaluate(const struct wn_cel_node *node, const struct wn_signals *sig)
{
    static struct wn_cel_run run;
    struct wn_cel_value v;

    wn_cel_run_init(&run, sig->v);
    v = wn_cel_eval(node, &run);
    if (v.kind == WN_CEL_DYN || v.kind >= WN_CEL_KINDS)
        abort();
    if (node->type->kind != WN_CEL_DYN && v.kind > WN_CEL_ERROR &&
        v.kind != node->type->kind)
        abort();
    if (node->steps_max > WN_CEL_STEPS_MAX || run.steps > node->steps_max)
        abort();
    /* These signals are small: a bound below the largest is one. */
    if (run.spent && node->steps_max < WN_CEL_STEPS_MAX)
        abort();
    wn_cel_run_release(&run);
}

static void
compile(const char *src, size_t len, bool unchecked)
{
    struct wn_signals none, all;
    struct wn_cel_var vars[WN_SIG_COUNT];
    struct wn_cel_env env = { vars, WN_SIG_COUNT, unchecked };
    const struct wn_cel_node *node;
    struct wn_arena arena;
    struct wn_err err = { "" };
    size_t scans = 0;

    memset(&none, 0, sizeof(none));
    for (size_t i = 0; i < WN_SIG_COUNT; i++) {
        vars[i] = (struct wn_cel_var){ wn_signal_table[i].name,
            wn_cel_signal_type(wn_signal_table[i].type) };
        all.v[i] = example(i);
    }
    wn_arena_init(&arena, 4096, 64u << 20);
    if (wn_cel_compile(&node, &arena, src, len, "when", &env, &scans, &err) ==
        WN_OK) {
        evaluate(node, &none);
        evaluate(node, &all);
    } else if (err.text[0] == '\0') {
        abort();
    }
    wn_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > MAX)
        return 0;
    compile((const char *)data, size, false);
    compile((const char *)data, size, true);
    return 0;
}
