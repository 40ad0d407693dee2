/*
 * Pieces and ids of a tokenizer's document, and giving them others.
 *
 * Ids stand in the model's vocabulary, in added_tokens, in the post-processors
 * and in the padding. A document is by a stranger here too: what is not of the
 * type that it should be is passed over or refused, never followed.
 */
#include <stdlib.h>
#include <string.h>

#include "model/tokenizer_json_int.h"
#include "model/unigram.h"

/* --- all of them --- */

/* SIZE_MAX: it is no id. */
static size_t
id_of(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) >= 0
               ? (size_t)json_integer_value(v)
               : SIZE_MAX;
}

void
wn_tokenizer_json_pieces(const json_t *root, const char **pieces, size_t n)
{
    const json_t *vocab = wn_tokenizer_json_vocab(root);
    const json_t *added = json_object_get(root, "added_tokens");
    const char *piece;
    json_t *v;

    memset(pieces, 0, n * sizeof(*pieces));
    for (size_t id = 0; id < json_array_size(vocab) && id < n; id++)
        pieces[id] =
            json_string_value(json_array_get(json_array_get(vocab, id), 0));
    json_object_foreach((json_t *)vocab, piece, v)
    {
        if (id_of(v) < n)
            pieces[id_of(v)] = piece;
    }
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *token = json_array_get(added, i);
        size_t id = id_of(json_object_get(token, "id"));

        if (id < n && pieces[id] == NULL)
            pieces[id] = json_string_value(json_object_get(token, "content"));
    }
}

/* Every place of an id but the model's vocabulary; visit() may change it. The
 * first of visit()'s returns that is not WN_OK. */
typedef enum wn_status visit_id(void *arg, json_t *id, struct wn_err *err);

static enum wn_status
visit_list(json_t *ids, visit_id *visit, void *arg, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < json_array_size(ids) && rc == WN_OK; i++)
        if (json_is_integer(json_array_get(ids, i)))
            rc = visit(arg, json_array_get(ids, i), err);
    return rc;
}

/* TemplateProcessing has lists of ids by name, the others "cls" and "sep" as
 * ["[CLS]", 101]. */
static enum wn_status
visit_processor(json_t *post, visit_id *visit, void *arg, struct wn_err *err)
{
    enum wn_status rc;
    const char *name;
    json_t *token;

    rc = visit_list(json_object_get(post, "cls"), visit, arg, err);
    if (rc == WN_OK)
        rc = visit_list(json_object_get(post, "sep"), visit, arg, err);
    json_object_foreach(json_object_get(post, "special_tokens"), name, token)
    {
        if (rc == WN_OK)
            rc = visit_list(json_object_get(token, "ids"), visit, arg, err);
    }
    return rc;
}

static enum wn_status
visit_ids(json_t *root, visit_id *visit, void *arg, struct wn_err *err)
{
    json_t *post = json_object_get(root, "post_processor");
    json_t *list = json_object_get(post, "processors");
    json_t *added = json_object_get(root, "added_tokens");
    json_t *unk = json_object_get(json_object_get(root, "model"), "unk_id");
    json_t *pad = json_object_get(json_object_get(root, "padding"), "pad_id");
    enum wn_status rc = visit_processor(post, visit, arg, err);

    for (size_t i = 0; i < json_array_size(list) && rc == WN_OK; i++)
        rc = visit_processor(json_array_get(list, i), visit, arg, err);
    for (size_t i = 0; i < json_array_size(added) && rc == WN_OK; i++)
        rc = visit(arg, json_object_get(json_array_get(added, i), "id"), err);
    if (rc == WN_OK && json_is_integer(unk))
        rc = visit(arg, unk, err);
    if (rc == WN_OK && json_is_integer(pad))
        rc = visit(arg, pad, err);
    return rc;
}

/* --- what stays --- */

struct keep {
    bool *keep;
    size_t n;
};

static enum wn_status
keep_id(void *arg, json_t *id, struct wn_err *err)
{
    const struct keep *k = arg;

    if (id_of(id) < k->n)
        k->keep[id_of(id)] = true;
    return WN_OK;
}

enum wn_status
wn_tokenizer_json_special(
    const json_t *root, bool *keep, size_t n, struct wn_err *err)
{
    int32_t unk = wn_tokenizer_json_unk(root);
    const char **pieces = calloc(n + 1, sizeof(*pieces));
    struct keep k = { keep, n };

    if (pieces == NULL)
        return wn_tokenizer_json_no_memory(err);
    visit_ids((json_t *)root, keep_id, &k, err);
    wn_tokenizer_json_pieces(root, pieces, n);
    for (size_t id = 0; id < n; id++)
        if (pieces[id] != NULL && wn_unigram_is_special(pieces[id]))
            keep[id] = true;
    if (unk >= 0 && (size_t)unk < n)
        keep[unk] = true;
    free(pieces);
    return WN_OK;
}

/* -1: it is no id, or none of ours. */
static int32_t
small_id(const json_t *v)
{
    return id_of(v) <= INT32_MAX ? (int32_t)id_of(v) : -1;
}

int32_t
wn_tokenizer_json_find(const json_t *root, const char *piece)
{
    const json_t *vocab = wn_tokenizer_json_vocab(root);
    const json_t *added = json_object_get(root, "added_tokens");
    const json_t *id = json_object_get(vocab, piece);

    if (id != NULL)
        return small_id(id);
    for (size_t i = 0; i < json_array_size(vocab); i++)
        if (wn_tokenizer_json_is(
                json_array_get(json_array_get(vocab, i), 0), piece))
            return (int32_t)i;
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *token = json_array_get(added, i);

        if (wn_tokenizer_json_is(json_object_get(token, "content"), piece))
            return small_id(json_object_get(token, "id"));
    }
    return -1;
}

int32_t
wn_tokenizer_json_unk(const json_t *root)
{
    const json_t *model = json_object_get(root, "model");
    const json_t *id = json_object_get(model, "unk_id");
    const char *name = json_string_value(json_object_get(model, "unk_token"));

    if (id == NULL)
        id = json_object_get(
            wn_tokenizer_json_vocab(root), name == NULL ? "[UNK]" : name);
    return small_id(id);
}

int32_t
wn_tokenizer_json_least(const json_t *root)
{
    const json_t *vocab = wn_tokenizer_json_vocab(root);
    double least = 0;
    int32_t id = -1;

    for (size_t i = 0; i < json_array_size(vocab) && i <= INT32_MAX; i++) {
        double score =
            json_number_value(json_array_get(json_array_get(vocab, i), 1));

        if (id >= 0 && score >= least)
            continue;
        least = score;
        id = (int32_t)i;
    }
    return id;
}

/* --- other ids --- */

struct renumber {
    const int32_t *to;
    size_t n;
};

static int32_t
new_id(const struct renumber *r, size_t id)
{
    return id < r->n ? r->to[id] : -1;
}

static enum wn_status
renumber_id(void *arg, json_t *id, struct wn_err *err)
{
    int32_t to = new_id(arg, id_of(id));

    if (to < 0)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: id %lld of a special token is beyond the "
            "vocabulary, or was taken out",
            (long long)json_integer_value(id));
    json_integer_set(id, to);
    return WN_OK;
}

static enum wn_status
renumber_list(json_t *model, const json_t *vocab, const struct renumber *r,
    struct wn_err *err)
{
    json_t *list = json_array();

    for (size_t id = 0; id < json_array_size(vocab); id++)
        if (new_id(r, id) >= 0) {
            WN_ASSERT((size_t)new_id(r, id) == json_array_size(list));
            json_array_append(list, json_array_get(vocab, id));
        }
    if (json_object_set_new(model, "vocab", list) != 0)
        return wn_tokenizer_json_no_memory(err);
    return WN_OK;
}

/* In the order of the new ids. */
static enum wn_status
renumber_object(json_t *model, const json_t *root, const struct renumber *r,
    struct wn_err *err)
{
    const json_t *vocab = wn_tokenizer_json_vocab(root);
    const char **pieces = calloc(r->n + 1, sizeof(*pieces));
    json_t *o = json_object();
    const char *piece;
    json_t *v;

    if (pieces == NULL || o == NULL) {
        free(pieces);
        json_decref(o);
        return wn_tokenizer_json_no_memory(err);
    }
    json_object_foreach((json_t *)vocab, piece, v)
    {
        if (id_of(v) < r->n)
            pieces[id_of(v)] = piece;
    }
    for (size_t id = 0; id < r->n; id++)
        if (pieces[id] != NULL && r->to[id] >= 0)
            json_object_set_new(o, pieces[id], json_integer(r->to[id]));
    free(pieces);
    return json_object_set_new(model, "vocab", o) == 0
               ? WN_OK
               : wn_tokenizer_json_no_memory(err);
}

enum wn_status
wn_tokenizer_json_renumber(
    json_t *root, const int32_t *to, size_t n, struct wn_err *err)
{
    const char *type = wn_tokenizer_json_model(root);
    json_t *model = json_object_get(root, "model");
    struct renumber r = { to, n };
    enum wn_status rc;

    if (strcmp(type, "Unigram") == 0)
        rc = renumber_list(model, wn_tokenizer_json_vocab(root), &r, err);
    else if (strcmp(type, "WordPiece") == 0)
        rc = renumber_object(model, root, &r, err);
    else
        rc = wn_fail(err, WN_REJECT,
            "tokenizer.json: model '%.40s': only the vocabulary of Unigram and "
            "WordPiece can be cut",
            type);
    return rc == WN_OK ? visit_ids(root, renumber_id, &r, err) : rc;
}
