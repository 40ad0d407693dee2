/*
 * tokenizer.json as a document: read, or made of the files that older folders
 * have. What becomes of its ids: tokenizer_json_ids.c.
 */
#include "model/tokenizer_json_int.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/config.h"
#include "model/vocab.h"

enum wn_status
wn_tokenizer_json_no_memory(struct wn_err *err)
{
    return wn_fail(err, WN_STOP, "tokenizer: out of memory");
}

const json_t *
wn_tokenizer_json_vocab(const json_t *root)
{
    return json_object_get(json_object_get(root, "model"), "vocab");
}

bool
wn_tokenizer_json_is(const json_t *v, const char *want)
{
    return json_is_string(v) && strcmp(json_string_value(v), want) == 0;
}

const char *
wn_tokenizer_json_model(const json_t *root)
{
    const json_t *model = json_object_get(root, "model");
    const char *type = json_string_value(json_object_get(model, "type"));

    if (type != NULL)
        return type;
    /* as wn_tokenizer_open() tells those of old files */
    return json_object_get(model, "merges") != NULL   ? "BPE"
           : json_object_get(model, "unk_id") != NULL ? "Unigram"
           : json_object_get(model, "vocab") != NULL  ? "WordPiece"
                                                      : "";
}

/* --- from vocab.txt --- */

struct list {
    char **pieces; /* by id, with "##" */
    size_t n;
    size_t bad; /* a line with a NUL, counted from 1 */
    bool failed;
};

static void
put_piece(void *arg, int32_t id, const char *piece, size_t len, bool cont)
{
    struct list *l = arg;
    char *copy = malloc(len + 3);

    if (copy == NULL) {
        l->failed = true;
        return;
    }
    if (memchr(piece, '\0', len) != NULL)
        l->bad = (size_t)id + 1;
    snprintf(copy, 3, "%s", cont ? "##" : "");
    memcpy(copy + (cont ? 2 : 0), piece, len);
    copy[len + (cont ? 2 : 0)] = '\0';
    l->pieces[id] = copy;
}

static enum wn_status
bad_line(size_t line, struct wn_err *err)
{
    return wn_fail(err, WN_REJECT, "vocab.txt:%zu: is not UTF-8 text", line);
}

/* Pieces in the order of their ids. */
static enum wn_status
list_json(json_t **ret, const struct list *l, struct wn_err *err)
{
    json_t *o = json_object();

    if (l->bad > 0) {
        json_decref(o);
        return bad_line(l->bad, err);
    }
    for (size_t id = 0; id < l->n; id++) {
        if (l->pieces[id] == NULL)
            continue;
        if (json_object_set_new(
                o, l->pieces[id], json_integer((json_int_t)id)) == 0)
            continue;
        json_decref(o);
        return bad_line(id + 1, err);
    }
    *ret = o;
    return o == NULL ? wn_tokenizer_json_no_memory(err) : WN_OK;
}

static enum wn_status
vocab_json(json_t **ret, const struct wn_vocab *v, struct wn_err *err)
{
    struct list l = { .n = wn_vocab_size(v) };
    enum wn_status rc;

    l.pieces = calloc(l.n + 1, sizeof(*l.pieces));
    if (l.pieces == NULL)
        return wn_tokenizer_json_no_memory(err);
    wn_vocab_each(v, put_piece, &l);
    rc = l.failed ? wn_tokenizer_json_no_memory(err) : list_json(ret, &l, err);
    for (size_t id = 0; id < l.n; id++)
        free(l.pieces[id]);
    free(l.pieces);
    return rc;
}

/* *ret stays NULL where there is no vocab.txt. */
static enum wn_status
read_vocab_txt(json_t **ret, const char *dir, struct wn_err *err)
{
    struct wn_vocab *v = NULL;
    char path[PATH_MAX];
    enum wn_status rc;

    if ((size_t)snprintf(path, sizeof(path), "%s/vocab.txt", dir) >=
        sizeof(path))
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
    if (access(path, F_OK) != 0)
        return WN_OK;
    rc = wn_vocab_new(&v, err);
    if (rc == WN_OK)
        rc = wn_vocab_read(v, path, err);
    if (rc == WN_OK)
        rc = vocab_json(ret, v, err);
    wn_vocab_free(v);
    return rc;
}

/* --- what BERT's tokenizer is without a tokenizer.json --- */

static json_t *
flag(const json_t *config, const char *name, bool otherwise)
{
    const json_t *v = json_object_get(config, name);

    return json_boolean(json_is_boolean(v) ? json_is_true(v) : otherwise);
}

/* null follows lowercase. */
static json_t *
normalizer_json(const json_t *config)
{
    const json_t *strip = json_object_get(config, "strip_accents");

    return json_pack("{s:s, s:b, s:o, s:o, s:o}", "type", "BertNormalizer",
        "clean_text", 1, "handle_chinese_chars",
        flag(config, "tokenize_chinese_chars", true), "strip_accents",
        json_is_boolean(strip) ? json_boolean(json_is_true(strip))
                               : json_null(),
        "lowercase", flag(config, "do_lower_case", true));
}

static json_t *
special_json(const json_t *vocab)
{
    static const char *const names[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]",
        "[MASK]" };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const json_t *id = json_object_get(vocab, names[i]);

        if (id == NULL)
            continue;
        json_array_append_new(list,
            json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id",
                json_integer_value(id), "content", names[i], "single_word", 0,
                "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1));
    }
    return list;
}

static json_t *
template_json(const json_t *vocab)
{
    static const char *const around[] = { "[CLS]", "[SEP]" };
    json_t *tokens = json_object();

    for (size_t i = 0; i < 2; i++)
        json_object_set_new(tokens, around[i],
            json_pack("{s:s, s:[I], s:[s]}", "id", around[i], "ids",
                json_integer_value(json_object_get(vocab, around[i])), "tokens",
                around[i]));
    return json_pack("{s:s, s:[{s:{s:s,s:i}}, {s:{s:s,s:i}}, {s:{s:s,s:i}}], "
                     "s:[{s:{s:s,s:i}}, {s:{s:s,s:i}}, {s:{s:s,s:i}}, "
                     "{s:{s:s,s:i}}, {s:{s:s,s:i}}], s:o}",
        "type", "TemplateProcessing", "single", "SpecialToken", "id", "[CLS]",
        "type_id", 0, "Sequence", "id", "A", "type_id", 0, "SpecialToken", "id",
        "[SEP]", "type_id", 0, "pair", "SpecialToken", "id", "[CLS]", "type_id",
        0, "Sequence", "id", "A", "type_id", 0, "SpecialToken", "id", "[SEP]",
        "type_id", 0, "Sequence", "id", "B", "type_id", 1, "SpecialToken", "id",
        "[SEP]", "type_id", 1, "special_tokens", tokens);
}

/* Takes vocab. */
static json_t *
bert_json(const json_t *config, json_t *vocab)
{
    return json_pack("{s:s, s:n, s:n, s:o, s:o, s:{s:s}, s:o, s:{s:s, s:s, "
                     "s:b}, s:{s:s, s:s, s:s, s:i, s:o}}",
        "version", "1.0", "truncation", "padding", "added_tokens",
        special_json(vocab), "normalizer", normalizer_json(config),
        "pre_tokenizer", "type", "BertPreTokenizer", "post_processor",
        template_json(vocab), "decoder", "type", "WordPiece", "prefix", "##",
        "cleanup", 1, "model", "type", "WordPiece", "unk_token", "[UNK]",
        "continuing_subword_prefix", "##", "max_input_chars_per_word", 100,
        "vocab", vocab);
}

static enum wn_status
make_json(json_t **ret, const char *dir, json_t *vocab, struct wn_err *err)
{
    json_t *config;
    enum wn_status rc;

    rc = wn_config_load_json(&config, dir, "tokenizer_config.json", true, err);
    if (rc != WN_OK) {
        json_decref(vocab);
        return rc;
    }
    *ret = bert_json(config, vocab);
    json_decref(config);
    return *ret == NULL ? wn_tokenizer_json_no_memory(err) : WN_OK;
}

/* Takes vocab, which is stronger than the document's own. */
static enum wn_status
set_vocab(json_t *root, json_t *vocab, struct wn_err *err)
{
    json_t *model = json_object_get(root, "model");

    if (strcmp(wn_tokenizer_json_model(root), "WordPiece") != 0)
        json_decref(vocab); /* of another tokenizer */
    else if (json_object_set_new(model, "vocab", vocab) != 0)
        return wn_tokenizer_json_no_memory(err);
    return WN_OK;
}

static void
set_default(json_t *o, const char *name, json_t *v)
{
    if (json_object_get(o, name) == NULL)
        json_object_set_new(o, name, v);
    else
        json_decref(v);
}

/* What wn_tokenizer_open() takes for granted where a document is silent, for
 * readers that do not. */
static void
complete(json_t *root)
{
    const char *type = wn_tokenizer_json_model(root);
    bool wordpiece = strcmp(type, "WordPiece") == 0;
    json_t *model = json_object_get(root, "model");
    const json_t *post = json_object_get(root, "post_processor");
    const json_t *norm =
        json_object_get(json_object_get(root, "normalizer"), "type");

    set_default(root, "version", json_string("1.0"));
    set_default(root, "truncation", json_null());
    set_default(root, "padding", json_null());
    set_default(root, "added_tokens", json_array());
    set_default(model, "type", json_string(type));
    if (wordpiece) {
        set_default(model, "unk_token", json_string("[UNK]"));
        set_default(model, "continuing_subword_prefix", json_string("##"));
        set_default(model, "max_input_chars_per_word", json_integer(100));
    }
    if (wordpiece && wn_tokenizer_json_is(norm, "BertNormalizer"))
        set_default(root, "pre_tokenizer",
            json_pack("{s:s}", "type", "BertPreTokenizer"));
    if ((post == NULL || json_is_null(post)) &&
        json_object_get(wn_tokenizer_json_vocab(root), "[CLS]") != NULL)
        json_object_set_new(root, "post_processor",
            template_json(wn_tokenizer_json_vocab(root)));
    set_default(root, "normalizer", json_null());
    set_default(root, "pre_tokenizer", json_null());
    set_default(root, "decoder", json_null());
}

enum wn_status
wn_tokenizer_json_read(json_t **ret, const char *dir, struct wn_err *err)
{
    json_t *root = NULL, *vocab = NULL;
    enum wn_status rc;

    rc = wn_config_load_json(&root, dir, "tokenizer.json", true, err);
    if (rc == WN_OK)
        rc = read_vocab_txt(&vocab, dir, err);
    if (rc == WN_OK && root == NULL && vocab == NULL)
        rc = wn_fail(
            err, WN_REJECT, "%s: neither vocab.txt nor tokenizer.json", dir);
    if (rc != WN_OK) {
        json_decref(root);
        return rc;
    }
    if (root == NULL)
        return make_json(ret, dir, vocab, err);
    if (vocab != NULL)
        rc = set_vocab(root, vocab, err);
    if (rc != WN_OK) {
        json_decref(root);
        return rc;
    }
    complete(root);
    *ret = root;
    return WN_OK;
}
