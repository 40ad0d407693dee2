/*
 * libFuzzer: any bytes as a policy file, and as the `when` of one. What loads
 * is evaluated on no signals and on all of them and must give an action of the
 * five; what does not must say why.
 */
#include <stdlib.h>
#include <string.h>

#include "policies/cel_int.h"
#include "policies/policy.h"

#define MAX ((size_t)1 << 16)

static const struct wn_str keys[] = { { "a", 1 }, { "b", 1 } };
static const struct wn_value values[] = { { .kind = WN_VALUE_INT,
                                              .i = INT64_MIN },
    { .kind = WN_VALUE_STRING, .s = { "x", 1 } } };

/* One value of every type, at the edges where a type has some. */
static void
fill(struct wn_signals *sig)
{
    for (size_t i = 0; i < WN_SIG_COUNT; i++) {
        switch (wn_signal_table[i].type) {
        case WN_TYPE_BOOL:
            sig->v[i] = wn_value_bool(true);
            break;
        case WN_TYPE_INT:
            sig->v[i] = wn_value_int(INT64_MAX - (int64_t)i);
            break;
        case WN_TYPE_DOUBLE:
            sig->v[i] = wn_value_double(i % 2 ? 0.5 : -1e300);
            break;
        case WN_TYPE_STRING:
            sig->v[i] = wn_value_str("h\xc3\xa9llo", 6);
            break;
        case WN_TYPE_LIST:
            sig->v[i] = (struct wn_value){ .kind = WN_VALUE_LIST,
                .list = { values + 1, 1 } };
            break;
        case WN_TYPE_MAP:
            sig->v[i] = (struct wn_value){ .kind = WN_VALUE_MAP,
                .map = { keys, values, 2 } };
            break;
        }
    }
}

static void
eval_policy(const struct wn_policy *p)
{
    struct wn_signals sig;
    struct wn_verdict v;
    struct wn_arena arena;
    struct wn_buf out;

    memset(&sig, 0, sizeof(sig));
    wn_arena_init(&arena, 4096, 1u << 20);
    wn_policy_eval(p, &sig, &arena, &v);
    if (v.action >= WN_ACTIONS || v.reasons_n > WN_REASONS_MAX)
        abort();
    fill(&sig);
    wn_policy_eval(p, &sig, &arena, &v);
    if (v.action >= WN_ACTIONS || (v.action != WN_ALLOW && v.reasons_n == 0))
        abort();
    wn_arena_release(&arena);
    wn_buf_init(&out, 1u << 22);
    wn_policy_describe(p, &out);
    wn_buf_release(&out);
}

static const struct wn_cel_type *
type_of(enum wn_signal_type type)
{
    switch (type) {
    case WN_TYPE_BOOL:
        return &wn_cel_types[WN_CEL_BOOL];
    case WN_TYPE_INT:
        return &wn_cel_types[WN_CEL_INT];
    case WN_TYPE_DOUBLE:
        return &wn_cel_types[WN_CEL_DOUBLE];
    case WN_TYPE_STRING:
        return &wn_cel_types[WN_CEL_STRING];
    case WN_TYPE_LIST:
        return &wn_cel_list_string;
    case WN_TYPE_MAP:
        break;
    }
    return &wn_cel_map_string;
}

/* The bytes themselves: a file's strings are UTF-8, these need not be. */
static void
eval_expression(const char *src, size_t len)
{
    struct wn_cel_var vars[WN_SIG_COUNT];
    struct wn_cel_env env = { .vars = vars, .n = WN_SIG_COUNT };
    const struct wn_cel_node *node;
    struct wn_signals sig;
    struct wn_cel_run run;
    struct wn_arena arena;
    struct wn_err err = { "" };
    size_t scans = 0;

    for (size_t i = 0; i < WN_SIG_COUNT; i++)
        vars[i] = (struct wn_cel_var){ wn_signal_table[i].name,
            type_of(wn_signal_table[i].type) };
    fill(&sig);
    wn_arena_init(&arena, 4096, 64u << 20);
    if (wn_cel_compile(&node, &arena, src, len, "when", &env, &scans, &err) ==
        WN_OK) {
        struct wn_cel_value v;

        wn_cel_run_init(&run, sig.v);
        v = wn_cel_eval(node, &run);
        if (v.kind == WN_CEL_DYN || v.kind >= WN_CEL_KINDS)
            abort();
        /* The check promised the type of every value that is one. */
        if (node->type->kind != WN_CEL_DYN && v.kind > WN_CEL_ERROR &&
            v.kind != node->type->kind)
            abort();
        wn_cel_run_release(&run);
    } else if (err.text[0] == '\0') {
        abort();
    }
    wn_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };

    if (size == 0 || size > MAX)
        return 0;
    if (data[0] != '{')
        eval_expression((const char *)data, size);
    if (wn_policy_load(&p, (const char *)data, size, "fuzz", &err) == WN_OK)
        eval_policy(p);
    else if (err.text[0] == '\0')
        abort();
    wn_policy_free(p);
    return 0;
}
