/*
 * libFuzzer: any bytes as a policy file. What loads is evaluated on no signals
 * and on all of them and must give an action of the five; what does not must
 * say why. Expressions by themselves are policies_cel.c.
 */
#include <stdlib.h>
#include <string.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };

    if (size == 0 || size > MAX)
        return 0;
    if (wn_policy_load(&p, (const char *)data, size, "fuzz", &err) == WN_OK)
        eval_policy(p);
    else if (err.text[0] == '\0')
        abort();
    wn_policy_free(p);
    return 0;
}
