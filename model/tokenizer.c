/*
 * A folder's tokenizer of whatever kind: opening it, and a text's way through
 * normalizer, pre-tokenizer and model. WordPiece as BERT has it is a path of
 * its own (wordpiece.c), which does all three in one pass.
 */
#include "model/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "model/tokenizer_int.h"

#define INPUT_MAX ((size_t)256 << 20) /* of what is not WordPiece */

struct wn_tokenizer {
    struct wn_wordpiece *wordpiece; /* NULL: the four below */
    struct wn_normalizer *norm;
    struct wn_pretokenizer *pre;
    struct wn_unigram *unigram;
    int32_t cls, sep, mask;
    size_t vocab;
};

/* --- tokens --- */

void
wn_tokens_init(struct wn_tokens *tk)
{
    *tk = (struct wn_tokens){ 0 };
}

static void
scratch_free(struct wn_token_scratch *s)
{
    if (s == NULL)
        return;
    wn_trace_release(&s->text);
    wn_trace_release(&s->spare);
    wn_splits_release(&s->splits);
    wn_splits_release(&s->spare_splits);
    wn_normalizer_scratch_release(&s->norm);
    free(s->nodes.p);
    free(s);
}

void
wn_tokens_release(struct wn_tokens *tk)
{
    free(tk->ids);
    free(tk->start);
    free(tk->end);
    scratch_free(tk->scratch);
    wn_tokens_init(tk);
}

static bool
grow(struct wn_tokens *tk)
{
    size_t cap = tk->cap == 0 ? 256 : 2 * tk->cap;
    int32_t *ids = realloc(tk->ids, cap * sizeof(*ids));
    uint32_t *start, *end;

    if (ids != NULL)
        tk->ids = ids;
    start = realloc(tk->start, cap * sizeof(*start));
    if (start != NULL)
        tk->start = start;
    end = realloc(tk->end, cap * sizeof(*end));
    if (end != NULL)
        tk->end = end;
    if (ids == NULL || start == NULL || end == NULL)
        return false;
    tk->cap = cap;
    return true;
}

bool
wn_tokens_add(struct wn_tokens *tk, int32_t id, uint32_t start, uint32_t end)
{
    if (tk->n == tk->cap && !grow(tk))
        return false;
    tk->ids[tk->n] = id;
    tk->start[tk->n] = start;
    tk->end[tk->n++] = end;
    return true;
}

/* --- running --- */

/* s->text through the steps and to tokens. False without memory. */
static bool
run_steps(const struct wn_tokenizer *t, struct wn_token_scratch *s,
    struct wn_tokens *tk)
{
    wn_normalizer_run(t->norm, &s->text, &s->spare, &s->norm);
    if (s->text.failed)
        return false;
    s->splits.n = 0;
    s->splits.failed = false;
    wn_splits_add(&s->splits, 0, s->text.n, true);
    wn_pretokenizer_run(
        t->pre, &s->text, &s->spare, &s->splits, &s->spare_splits);
    if (s->text.failed || s->splits.failed)
        return false;
    for (size_t i = 0; i < s->splits.n; i++) {
        const struct wn_split *w = &s->splits.p[i];

        if (!wn_unigram_run(
                t->unigram, &s->text, w->from, w->to, &s->nodes, tk))
            return false;
    }
    return true;
}

enum wn_status
wn_tokenizer_run(const struct wn_tokenizer *t, const char *text, size_t len,
    struct wn_tokens *tk, struct wn_err *err)
{
    if (len > (t->wordpiece != NULL ? INT32_MAX : INPUT_MAX))
        return wn_fail(err, WN_REJECT, "text of more than %zu MiB",
            (t->wordpiece != NULL ? INT32_MAX : INPUT_MAX) >> 20);
    tk->n = 0;
    if (t->wordpiece != NULL)
        return wn_wordpiece_run(t->wordpiece, text, len, tk, err);
    if (tk->scratch == NULL)
        tk->scratch = calloc(1, sizeof(*tk->scratch));
    if (tk->scratch == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    wn_trace_load(&tk->scratch->text, text, 0, len);
    if (tk->scratch->text.failed || !run_steps(t, tk->scratch, tk))
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    return WN_OK;
}

/* --- opening --- */

static enum wn_status
open_wordpiece(struct wn_tokenizer *t, const char *dir, const json_t *root,
    struct wn_err *err)
{
    enum wn_status rc = wn_wordpiece_open(&t->wordpiece, dir, root, err);

    if (rc != WN_OK)
        return rc;
    t->vocab = wn_wordpiece_vocab(t->wordpiece);
    t->cls = wn_wordpiece_find(t->wordpiece, "[CLS]");
    t->sep = wn_wordpiece_find(t->wordpiece, "[SEP]");
    if (t->cls < 0 || t->sep < 0)
        return wn_fail(err, WN_REJECT, "vocabulary: no %s",
            t->cls < 0 ? "[CLS]" : "[SEP]");
    t->mask = wn_wordpiece_find(t->wordpiece, "[MASK]");
    if (t->mask < 0)
        t->mask = wn_wordpiece_find(t->wordpiece, "[UNK]");
    return WN_OK;
}

/* The id of special token `name` of a TemplateProcessing; -1 without. */
static int32_t
template_id(const json_t *post, const char *name)
{
    const json_t *token =
        json_object_get(json_object_get(post, "special_tokens"), name);
    const json_t *ids = json_object_get(token, "ids");
    const json_t *id = json_array_get(ids, 0);

    if (json_array_size(ids) != 1 || !json_is_integer(id) ||
        json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
        return -1;
    return (int32_t)json_integer_value(id);
}

static const char *
template_name(const json_t *post, size_t i)
{
    const json_t *part = json_array_get(json_object_get(post, "single"), i);
    const json_t *token = json_object_get(part, "SpecialToken");
    const char *name = json_string_value(json_object_get(token, "id"));

    return name == NULL ? "" : name;
}

static enum wn_status
read_post_processor(
    struct wn_tokenizer *t, const json_t *post, struct wn_err *err)
{
    const char *type = json_string_value(json_object_get(post, "type"));
    const json_t *single = json_object_get(post, "single");

    if (type == NULL || strcmp(type, "TemplateProcessing") != 0)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: post_processor '%.40s' is not supported",
            type == NULL ? "" : type);
    t->cls = template_id(post, template_name(post, 0));
    t->sep = template_id(post, template_name(post, 2));
    if (json_array_size(single) != 3 || t->cls < 0 || t->sep < 0 ||
        json_object_get(json_array_get(single, 1), "Sequence") == NULL)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: post_processor.single is not one special token, "
            "the text, and one special token");
    if ((size_t)t->cls >= t->vocab || (size_t)t->sep >= t->vocab)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: post_processor: an id is not in the vocabulary");
    return WN_OK;
}

/* Pieces that text must not spell: those of added_tokens that are special, and
 * what the others of a model's special tokens are usually called. */
static bool
is_hidden(const void *arg, const char *piece)
{
    static const char *const usual[] = { "<s>", "</s>", "<pad>", "<unk>",
        "<mask>", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]" };
    const json_t *list = json_object_get(arg, "added_tokens");

    if (piece[0] != '<' && piece[0] != '[' && json_array_size(list) == 0)
        return false;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (strcmp(usual[i], piece) == 0)
            return true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *token = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(token, "content"));

        if (name != NULL && strcmp(name, piece) == 0 &&
            json_is_true(json_object_get(token, "special")))
            return true;
    }
    return false;
}

static enum wn_status
open_unigram(struct wn_tokenizer *t, const json_t *root, struct wn_err *err)
{
    enum wn_status rc;

    rc = wn_normalizer_read(&t->norm, json_object_get(root, "normalizer"), err);
    if (rc == WN_OK)
        rc = wn_pretokenizer_read(
            &t->pre, json_object_get(root, "pre_tokenizer"), err);
    if (rc == WN_OK)
        rc = wn_unigram_read(
            &t->unigram, json_object_get(root, "model"), is_hidden, root, err);
    if (rc != WN_OK)
        return rc;
    t->vocab = wn_unigram_size(t->unigram);
    t->mask = wn_unigram_unk(t->unigram);
    return read_post_processor(t, json_object_get(root, "post_processor"), err);
}

static enum wn_status
open_folder(struct wn_tokenizer *t, const char *dir, struct wn_err *err)
{
    const char *type;
    json_t *root;
    enum wn_status rc;

    rc = wn_config_load_json(&root, dir, "tokenizer.json", true, err);
    if (rc != WN_OK)
        return rc;
    type = json_string_value(
        json_object_get(json_object_get(root, "model"), "type"));
    if (type != NULL && strcmp(type, "Unigram") == 0)
        rc = open_unigram(t, root, err);
    else
        rc = open_wordpiece(t, dir, root, err);
    json_decref(root);
    return rc;
}

enum wn_status
wn_tokenizer_open(
    struct wn_tokenizer **ret, const char *dir, struct wn_err *err)
{
    struct wn_tokenizer *t = calloc(1, sizeof(*t));
    enum wn_status rc;

    if (t == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    rc = open_folder(t, dir, err);
    if (rc == WN_OK)
        *ret = t;
    else
        wn_tokenizer_free(t);
    return rc;
}

void
wn_tokenizer_free(struct wn_tokenizer *t)
{
    if (t == NULL)
        return;
    wn_wordpiece_free(t->wordpiece);
    wn_normalizer_free(t->norm);
    wn_pretokenizer_free(t->pre);
    wn_unigram_free(t->unigram);
    free(t);
}

int32_t
wn_tokenizer_cls(const struct wn_tokenizer *t)
{
    return t->cls;
}

int32_t
wn_tokenizer_sep(const struct wn_tokenizer *t)
{
    return t->sep;
}

int32_t
wn_tokenizer_mask(const struct wn_tokenizer *t)
{
    return t->mask;
}

size_t
wn_tokenizer_vocab(const struct wn_tokenizer *t)
{
    return t->vocab;
}
