/*
 * Added tokens are found from the left, always the longest, by a trie for
 * those that are looked for in the input and one for those that are looked for
 * in the normalized text. Special ones are found too and then passed over, as
 * the reference does when it is asked to encode them.
 */
#include "model/added.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/utf8.h>

#include "model/trie.h"
#include "model/unicode.h"

#define TOKENS_MAX 65536
#define ID_MAX (1 << 24)

struct token {
    int32_t id;
    bool special, single_word, lstrip, rstrip;
};

struct wn_added {
    struct token *tokens; /* (n) */
    size_t n, size;
    struct wn_trie raw, normalized; /* to numbers of tokens[] */
};

/* --- cutting --- */

/* The token that p[at, n) begins with, the longest, and its end; or NULL. */
static const struct token *
token_at(const struct wn_added *a, const struct wn_trie *trie, const char *p,
    size_t n, size_t at, size_t *ret_end)
{
    const struct token *found = NULL;
    uint32_t node = 0;

    while (at < n && wn_trie_step(trie, &node, (uint8_t)p[at])) {
        at++;
        if (trie->nodes[node].value < 0)
            continue;
        found = &a->tokens[trie->nodes[node].value];
        *ret_end = at;
    }
    return found;
}

/* Are there word characters right before or behind p[from, to)? */
static bool
is_inside_word(const char *p, size_t n, size_t from, size_t to)
{
    int32_t at = (int32_t)from, c = -1;

    if (at > 0)
        U8_PREV((const uint8_t *)p, 0, at, c);
    if (c >= 0 && wn_unicode_is_word(c))
        return true;
    at = (int32_t)to;
    c = -1;
    if (to < n)
        U8_NEXT((const uint8_t *)p, at, (int32_t)n, c);
    return c >= 0 && wn_unicode_is_word(c);
}

/* Back over white space, not beyond `least`. */
static size_t
back_over_space(const char *p, size_t at, size_t least)
{
    while (at > least) {
        int32_t before = (int32_t)at, c;

        U8_PREV((const uint8_t *)p, (int32_t)least, before, c);
        if (c < 0 || !wn_unicode_is_space(c))
            break;
        at = (size_t)before;
    }
    return at;
}

static size_t
over_space(const char *p, size_t at, size_t n)
{
    while (at < n) {
        int32_t next = (int32_t)at, c;

        U8_NEXT((const uint8_t *)p, next, (int32_t)n, c);
        if (c < 0 || !wn_unicode_is_space(c))
            break;
        at = (size_t)next;
    }
    return at;
}

void
wn_added_cut(const struct wn_added *a, bool normalized, const char *p, size_t n,
    struct wn_splits *out)
{
    const struct wn_trie *trie = normalized ? &a->normalized : &a->raw;
    size_t done = 0;

    for (size_t at = 0; at < n && a->size > 0;) {
        size_t start = at, end = at + 1;
        const struct token *token = token_at(a, trie, p, n, at, &end);

        at = end;
        /* white space that the token before has taken is not taken again */
        if (token == NULL || token->special || end <= done ||
            (token->single_word && is_inside_word(p, n, start, end)))
            continue;
        if (start < done)
            start = done;
        if (token->lstrip)
            start = back_over_space(p, start, done);
        if (token->rstrip)
            end = over_space(p, end, n);
        wn_splits_add(out, done, start, -1);
        wn_splits_add(out, start, end, token->id);
        done = end;
    }
    if (done < n)
        wn_splits_add(out, done, n, -1);
}

/* --- reading --- */

static enum wn_status
read_token(struct wn_added *a, const json_t *json, struct wn_err *err)
{
    const json_t *id = json_object_get(json, "id");
    struct token *token = &a->tokens[a->n];

    if (!json_is_string(json_object_get(json, "content")) ||
        !json_is_integer(id) || json_integer_value(id) < 0 ||
        json_integer_value(id) > ID_MAX)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: added_tokens[%zu] is not {\"id\": a number, "
            "\"content\": a string}",
            a->n);
    token->id = (int32_t)json_integer_value(id);
    token->special = json_is_true(json_object_get(json, "special"));
    token->single_word = json_is_true(json_object_get(json, "single_word"));
    token->lstrip = json_is_true(json_object_get(json, "lstrip"));
    token->rstrip = json_is_true(json_object_get(json, "rstrip"));
    if (!token->special && (size_t)token->id >= a->size)
        a->size = (size_t)token->id + 1;
    a->n++;
    return WN_OK;
}

/* Content of the tokens as they are looked for. */
struct strings {
    struct wn_trace *t; /* (n) */
    struct wn_trie_key *keys;
    struct wn_trace spare;
    struct wn_normalizer_scratch scratch;
};

static enum wn_status
build(struct wn_added *a, const json_t *json, bool normalized,
    const struct wn_normalizer *norm, struct strings *s, struct wn_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n; i++) {
        const json_t *token = json_array_get(json, i);
        const json_t *asked = json_object_get(token, "normalized");
        const json_t *content = json_object_get(token, "content");
        struct wn_trace *t = &s->t[i];

        /* by default what is not special is looked for in the normalized */
        if ((json_is_boolean(asked) ? json_is_true(asked)
                                    : !a->tokens[i].special) != normalized)
            continue;
        wn_trace_load(
            t, json_string_value(content), 0, json_string_length(content));
        if (normalized)
            wn_normalizer_run(norm, t, &s->spare, &s->scratch);
        if (t->failed)
            return wn_fail(err, WN_STOP, "tokenizer: out of memory");
        s->keys[n].p = t->n == 0 ? "" : t->p;
        s->keys[n].len = t->n;
        s->keys[n++].value = (int32_t)i;
    }
    return wn_trie_build(
        normalized ? &a->normalized : &a->raw, s->keys, n, err);
}

static enum wn_status
build_tries(struct wn_added *a, const json_t *json,
    const struct wn_normalizer *norm, struct wn_err *err)
{
    struct strings s = { .t = calloc(a->n + 1, sizeof(*s.t)),
        .keys = calloc(a->n + 1, sizeof(*s.keys)) };
    enum wn_status rc;

    if (s.t == NULL || s.keys == NULL) {
        rc = wn_fail(err, WN_STOP, "tokenizer: out of memory");
        goto out;
    }
    rc = build(a, json, false, norm, &s, err);
    if (rc == WN_OK)
        rc = build(a, json, true, norm, &s, err);
out:
    for (size_t i = 0; s.t != NULL && i < a->n; i++)
        wn_trace_release(&s.t[i]);
    wn_trace_release(&s.spare);
    wn_normalizer_scratch_release(&s.scratch);
    free(s.t);
    free(s.keys);
    return rc;
}

enum wn_status
wn_added_read(struct wn_added **ret, const json_t *json,
    const struct wn_normalizer *norm, struct wn_err *err)
{
    size_t n = json_array_size(json);
    struct wn_added *a = calloc(1, sizeof(*a));
    enum wn_status rc = WN_OK;

    if (n > TOKENS_MAX) {
        rc = wn_fail(err, WN_REJECT,
            "tokenizer.json: added_tokens has more than %d", TOKENS_MAX);
        goto out;
    }
    if (a != NULL)
        a->tokens = calloc(n + 1, sizeof(*a->tokens));
    if (a == NULL || a->tokens == NULL) {
        rc = wn_fail(err, WN_STOP, "tokenizer: out of memory");
        goto out;
    }
    for (size_t i = 0; i < n && rc == WN_OK; i++)
        rc = read_token(a, json_array_get(json, i), err);
    if (rc == WN_OK && a->size > 0)
        rc = build_tries(a, json, norm, err);
    if (rc != WN_OK)
        goto out;

    *ret = a;
    a = NULL;
out:
    wn_added_free(a);
    return rc;
}

void
wn_added_free(struct wn_added *a)
{
    if (a == NULL)
        return;
    wn_trie_release(&a->raw);
    wn_trie_release(&a->normalized);
    free(a->tokens);
    free(a);
}

bool
wn_added_any(const struct wn_added *a)
{
    return a->size > 0;
}

size_t
wn_added_size(const struct wn_added *a)
{
    return a->size;
}
