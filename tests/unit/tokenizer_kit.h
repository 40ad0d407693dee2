/*
 * For tests of tokenizers that are read from a tokenizer.json: opens one whose
 * text is given, and shows tokens as their pieces with a bar between. One test
 * program includes it once.
 */
#ifndef WN_TESTS_UNIT_TOKENIZER_KIT_H
#define WN_TESTS_UNIT_TOKENIZER_KIT_H

#include <sys/stat.h>

#include <jansson.h>

#include "model/tokenizer.h"
#include "tests/lib/test.h"

struct kit {
    struct wn_tokenizer *t;
    json_t *root; /* the file */
    struct wn_tokens tk;
};

/* A new folder with `json` as tokenizer.json. */
static void
kit_folder(const char *json, char dir[4200])
{
    static int n;
    char path[4300];
    FILE *f;

    snprintf(dir, 4200, "%s/kit%d", wn_test_dir(), n++);
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(path, sizeof(path), "%s/tokenizer.json", dir);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(json, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void
kit_open(struct kit *k, const char *json)
{
    struct wn_err err;
    char dir[4200];

    kit_folder(json, dir);
    assert_wn_ok(wn_tokenizer_open(&k->t, dir, &err), &err);
    k->root = json_loads(json, 0, NULL);
    assert_non_null(k->root);
    wn_tokens_init(&k->tk);
}

static void
kit_close(struct kit *k)
{
    wn_tokens_release(&k->tk);
    wn_tokenizer_free(k->t);
    json_decref(k->root);
}

static inline void
kit_refuses(const char *json, const char *why)
{
    struct wn_tokenizer *t = NULL;
    struct wn_err err;
    char dir[4200];

    kit_folder(json, dir);
    assert_int_equal(wn_tokenizer_open(&t, dir, &err), WN_REJECT);
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, why);
    assert_null(t);
}

static const char *
kit_piece(const struct kit *k, int32_t id)
{
    const json_t *vocab =
        json_object_get(json_object_get(k->root, "model"), "vocab");
    const json_t *added = json_object_get(k->root, "added_tokens");
    const char *piece;
    json_t *v;

    for (size_t i = 0; i < json_array_size(added); i++) {
        v = json_array_get(added, i);
        if (json_integer_value(json_object_get(v, "id")) == id)
            return json_string_value(json_object_get(v, "content"));
    }
    if (json_is_array(vocab))
        return json_string_value(
            json_array_get(json_array_get(vocab, (size_t)id), 0));
    json_object_foreach((json_t *)vocab, piece, v)
    {
        if (json_integer_value(v) == id)
            return piece;
    }
    return "?";
}

/* The tokens of text, and what holds for those of every text. */
static void
kit_run(struct kit *k, const char *text, size_t len)
{
    struct wn_err err;

    assert_wn_ok(wn_tokenizer_run(k->t, text, len, &k->tk, &err), &err);
    for (size_t i = 0; i < k->tk.n; i++) {
        uint32_t start = k->tk.start[i], end = k->tk.end[i];

        assert_true((size_t)k->tk.ids[i] < wn_tokenizer_vocab(k->t));
        assert_true(start < end && end <= len);
        assert_true(i == 0 || start >= k->tk.start[i - 1]);
        assert_true(i == 0 || end >= k->tk.end[i - 1]);
    }
}

static void
kit_tokens(struct kit *k, const char *text, const char *want)
{
    char got[4096] = "";
    size_t at = 0;

    kit_run(k, text, strlen(text));
    for (size_t i = 0; i < k->tk.n; i++)
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%s",
            i == 0 ? "" : "|", kit_piece(k, k->tk.ids[i]));
    assert_string_equal(got, want);
}

/* Each token's bytes of text, with a bar between. */
static inline void
kit_places(struct kit *k, const char *text, const char *want)
{
    char got[4096] = "";
    size_t at = 0;

    kit_run(k, text, strlen(text));
    for (size_t i = 0; i < k->tk.n; i++)
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%.*s",
            i == 0 ? "" : "|", (int)(k->tk.end[i] - k->tk.start[i]),
            text + k->tk.start[i]);
    assert_string_equal(got, want);
}

#endif
