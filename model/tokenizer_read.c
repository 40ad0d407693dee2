/*
 * Opening a folder's tokenizer: tokenizer.json, or for WordPiece the older
 * vocab.txt and tokenizer_config.json. What is not supported is refused with
 * the member that asks for it.
 */
#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "model/tokenizer_int.h"

#define ID_MAX (1 << 24)

/* Is o.name an object of that type? */
static bool
has_type(const json_t *o, const char *name, const char *want)
{
    const json_t *part = json_object_get(o, name);
    const char *type = json_string_value(json_object_get(part, "type"));

    return type != NULL && strcmp(type, want) == 0;
}

static int32_t
find_piece(const struct wn_tokenizer *t, const char *piece)
{
    if (t->wordpiece != NULL)
        return wn_wordpiece_find(t->wordpiece, piece);
    return t->bpe != NULL ? wn_bpe_find(t->bpe, piece) : -1;
}

/* --- what stands around a text --- */

static int32_t
id_of(const json_t *id)
{
    return json_is_integer(id) && json_integer_value(id) >= 0 &&
                   json_integer_value(id) <= ID_MAX
               ? (int32_t)json_integer_value(id)
               : -1;
}

/* Part i of a TemplateProcessing's single sequence: the id of a special token,
 * or -1. */
static int32_t
template_id(const json_t *post, size_t i)
{
    const json_t *part = json_array_get(json_object_get(post, "single"), i);
    const char *name = json_string_value(
        json_object_get(json_object_get(part, "SpecialToken"), "id"));
    const json_t *token, *ids;

    if (name == NULL)
        return -1;
    token = json_object_get(json_object_get(post, "special_tokens"), name);
    ids = json_object_get(token, "ids");
    return json_array_size(ids) == 1 ? id_of(json_array_get(ids, 0)) : -1;
}

static void
read_template(struct wn_tokenizer *t, const json_t *post)
{
    const json_t *single = json_object_get(post, "single");

    if (json_array_size(single) != 3 ||
        json_object_get(json_array_get(single, 1), "Sequence") == NULL)
        return;
    t->cls = template_id(post, 0);
    t->sep = template_id(post, 2);
}

/* RobertaProcessing and BertProcessing: "cls": ["<s>", 0], "sep": ... */
static void
read_pair(struct wn_tokenizer *t, const json_t *post)
{
    t->cls = id_of(json_array_get(json_object_get(post, "cls"), 1));
    t->sep = id_of(json_array_get(json_object_get(post, "sep"), 1));
}

static enum wn_status
read_processor(struct wn_tokenizer *t, const json_t *post, struct wn_err *err)
{
    const char *type = json_string_value(json_object_get(post, "type"));

    if (type == NULL)
        type = "";
    if (strcmp(type, "ByteLevel") == 0)
        return WN_OK; /* cuts spaces off offsets, which we leave on */
    if (strcmp(type, "TemplateProcessing") == 0)
        read_template(t, post);
    else if (strcmp(type, "RobertaProcessing") == 0 ||
             strcmp(type, "BertProcessing") == 0)
        read_pair(t, post);
    else
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: post_processor '%.40s' is not supported", type);
    if (t->cls < 0 || t->sep < 0)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: post_processor is not one special token, the "
            "text, and one special token");
    return WN_OK;
}

static enum wn_status
read_post_processor(
    struct wn_tokenizer *t, const json_t *root, struct wn_err *err)
{
    const json_t *post = json_object_get(root, "post_processor");
    const json_t *list = json_object_get(post, "processors");
    enum wn_status rc = WN_OK;

    t->cls = t->sep = -1;
    if (has_type(root, "post_processor", "Sequence"))
        for (size_t i = 0; i < json_array_size(list) && rc == WN_OK; i++)
            rc = read_processor(t, json_array_get(list, i), err);
    else if (post != NULL && !json_is_null(post))
        rc = read_processor(t, post, err);
    return rc;
}

/* Where no post_processor says it, it is what BERT calls it. */
static enum wn_status
find_around(struct wn_tokenizer *t, struct wn_err *err)
{
    if (t->cls < 0) {
        t->cls = find_piece(t, "[CLS]");
        t->sep = find_piece(t, "[SEP]");
    }
    if (t->cls < 0 || t->sep < 0)
        return wn_fail(err, WN_REJECT,
            "vocabulary: no post_processor in tokenizer.json, and no %s",
            t->cls < 0 ? "[CLS]" : "[SEP]");
    return WN_OK;
}

/* [MASK] by the names it goes by, or the unknown token. */
static void
find_mask(struct wn_tokenizer *t)
{
    static const char *const names[] = { "[MASK]", "<mask>", "[UNK]", "<unk>" };

    t->mask = t->unigram != NULL ? wn_unigram_unk(t->unigram) : -1;
    for (size_t i = 0; t->mask < 0 && i < sizeof(names) / sizeof(names[0]); i++)
        t->mask = find_piece(t, names[i]);
    if (t->mask < 0)
        t->mask = t->sep;
}

/* --- what no text may come to --- */

static enum wn_status
hide(struct wn_hidden *h, int32_t id, struct wn_err *err)
{
    size_t n = (size_t)id + 1;
    bool *ids;

    if (n > h->n) {
        ids = realloc(h->ids, n);
        if (ids == NULL)
            return wn_fail(err, WN_STOP, "tokenizer: out of memory");
        memset(ids + h->n, 0, n - h->n);
        h->ids = ids;
        h->n = n;
    }
    h->ids[id] = true;
    return WN_OK;
}

static enum wn_status
find_hidden(struct wn_tokenizer *t, const json_t *root, struct wn_err *err)
{
    const json_t *list = json_object_get(root, "added_tokens");
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < json_array_size(list) && rc == WN_OK; i++) {
        const json_t *token = json_array_get(list, i);
        int32_t id = id_of(json_object_get(token, "id"));

        if (id >= 0 && json_is_true(json_object_get(token, "special")))
            rc = hide(&t->hidden, id, err);
    }
    if (rc == WN_OK && t->cls >= 0)
        rc = hide(&t->hidden, t->cls, err);
    if (rc == WN_OK && t->sep >= 0)
        rc = hide(&t->hidden, t->sep, err);
    return rc;
}

/* --- the model and what comes before it --- */

/* Of old files the members say which model it is. */
static enum wn_status
read_model(struct wn_tokenizer *t, const char *dir, const json_t *root,
    struct wn_err *err)
{
    const json_t *model = json_object_get(root, "model");
    const char *type = json_string_value(json_object_get(model, "type"));

    if (type == NULL)
        type = json_object_get(model, "merges") != NULL   ? "BPE"
               : json_object_get(model, "unk_id") != NULL ? "Unigram"
                                                          : "WordPiece";
    if (strcmp(type, "Unigram") == 0)
        return wn_unigram_read(&t->unigram, model, &t->hidden, err);
    if (strcmp(type, "BPE") == 0)
        return wn_bpe_read(&t->bpe, model, &t->hidden, err);
    if (strcmp(type, "WordPiece") == 0)
        return wn_wordpiece_open(&t->wordpiece, dir, root, &t->hidden, err);
    return wn_fail(
        err, WN_REJECT, "tokenizer.json: model '%.40s' is not supported", type);
}

/* What comes before the model. */
static enum wn_status
read_steps(struct wn_tokenizer *t, const json_t *root, struct wn_err *err)
{
    enum wn_status rc;

    rc = wn_normalizer_read(&t->norm, json_object_get(root, "normalizer"), err);
    if (rc == WN_OK)
        rc = wn_pretokenizer_read(
            &t->pre, json_object_get(root, "pre_tokenizer"), err);
    if (rc == WN_OK)
        rc = wn_added_read(
            &t->added, json_object_get(root, "added_tokens"), t->norm, err);
    return rc;
}

static bool
is_one_pass(const struct wn_tokenizer *t, const json_t *root)
{
    return t->wordpiece != NULL &&
           (root == NULL ||
               (has_type(root, "normalizer", "BertNormalizer") &&
                   (json_object_get(root, "pre_tokenizer") == NULL ||
                       has_type(root, "pre_tokenizer", "BertPreTokenizer")) &&
                   !wn_added_any(t->added)));
}

/* One more than the largest id that may come up. */
static size_t
count_ids(const struct wn_tokenizer *t)
{
    const size_t ids[] = {
        t->wordpiece != NULL ? wn_wordpiece_vocab(t->wordpiece) : 0,
        t->unigram != NULL ? wn_unigram_size(t->unigram) : 0,
        t->bpe != NULL ? wn_bpe_size(t->bpe) : 0,
        t->added != NULL ? wn_added_size(t->added) : 0,
        (size_t)t->cls + 1,
        (size_t)t->sep + 1,
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        n = ids[i] > n ? ids[i] : n;
    return n;
}

enum wn_status
wn_tokenizer_read(struct wn_tokenizer *t, const char *dir, struct wn_err *err)
{
    enum wn_status rc;
    json_t *root;

    rc = wn_config_load_json(&root, dir, "tokenizer.json", true, err);
    if (rc == WN_OK && root != NULL && !json_is_object(root))
        rc = wn_fail(err, WN_REJECT, "tokenizer.json: not an object");
    if (rc == WN_OK)
        rc = read_post_processor(t, root, err);
    if (rc == WN_OK)
        rc = find_hidden(t, root, err);
    if (rc == WN_OK)
        rc = read_model(t, dir, root, err);
    if (rc == WN_OK && root != NULL)
        rc = read_steps(t, root, err);
    if (rc == WN_OK)
        rc = find_around(t, err);
    if (rc == WN_OK) {
        find_mask(t);
        t->one_pass = is_one_pass(t, root);
        t->vocab = count_ids(t);
    }
    json_decref(root);
    return rc;
}
