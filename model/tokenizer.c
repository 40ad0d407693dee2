/*
 * A text's way through added tokens, normalizer, pre-tokenizer and model, of
 * whatever kind the folder's are (tokenizer_read.c). WordPiece as BERT has it
 * is a path of its own (wordpiece.c), which does all of them in one pass.
 */
#include "model/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "model/tokenizer_int.h"

#define INPUT_MAX ((size_t)16 << 20) /* of what is not one pass */

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
    wn_splits_release(&s->parts);
    wn_splits_release(&s->splits);
    wn_splits_release(&s->spare_splits);
    wn_normalizer_scratch_release(&s->norm);
    free(s->nodes.p);
    wn_bpe_scratch_release(&s->bpe);
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

bool
wn_tokens_grow(struct wn_tokens *tk)
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

/* --- running --- */

/* What the splits of s->text come to. False without memory. */
static bool
run_model(const struct wn_tokenizer *t, struct wn_token_scratch *s,
    struct wn_tokens *tk)
{
    const struct wn_trace *text = &s->text;

    for (size_t i = 0; i < s->splits.n; i++) {
        const struct wn_split *w = &s->splits.p[i];
        bool enough;

        if (w->id >= 0)
            enough = wn_tokens_add(
                tk, w->id, text->start[w->from], text->end[w->to - 1]);
        else if (t->unigram != NULL)
            enough =
                wn_unigram_run(t->unigram, text, w->from, w->to, &s->nodes, tk);
        else if (t->bpe != NULL)
            enough = wn_bpe_run(t->bpe, text, w->from, w->to, &s->bpe, tk);
        else
            enough = wn_wordpiece_cut(t->wordpiece, text, w->from, w->to, tk);
        if (!enough)
            return false;
    }
    return true;
}

/* text[from, to) without added tokens that are looked for in the input. */
static bool
run_part(const struct wn_tokenizer *t, const char *text, size_t from, size_t to,
    struct wn_token_scratch *s, struct wn_tokens *tk)
{
    wn_trace_load(&s->text, text, from, to);
    wn_normalizer_run(t->norm, &s->text, &s->spare, &s->norm);
    if (s->text.failed)
        return false;
    wn_splits_reset(&s->splits);
    wn_added_cut(t->added, true, s->text.p, s->text.n, &s->splits);
    wn_pretokenizer_run(
        t->pre, &s->text, &s->spare, &s->splits, &s->spare_splits);
    if (s->text.failed || s->splits.failed)
        return false;
    return run_model(t, s, tk);
}

static bool
run_parts(const struct wn_tokenizer *t, const char *text, size_t len,
    struct wn_token_scratch *s, struct wn_tokens *tk)
{
    bool enough = true;

    wn_splits_reset(&s->parts);
    wn_added_cut(t->added, false, text, len, &s->parts);
    for (size_t i = 0; i < s->parts.n && enough; i++) {
        const struct wn_split *part = &s->parts.p[i];

        enough = part->id >= 0
                     ? wn_tokens_add(tk, part->id, part->from, part->to)
                     : run_part(t, text, part->from, part->to, s, tk);
    }
    return enough && !s->parts.failed;
}

enum wn_status
wn_tokenizer_run(const struct wn_tokenizer *t, const char *text, size_t len,
    struct wn_tokens *tk, struct wn_err *err)
{
    size_t most = t->one_pass ? INT32_MAX : INPUT_MAX;

    if (len > most)
        return wn_fail(err, WN_REJECT, "text of more than %zu MiB", most >> 20);
    tk->n = 0;
    if (t->one_pass)
        return wn_wordpiece_run(t->wordpiece, text, len, tk, err);
    if (tk->scratch == NULL)
        tk->scratch = calloc(1, sizeof(*tk->scratch));
    if (tk->scratch == NULL || !run_parts(t, text, len, tk->scratch, tk))
        return wn_fail(err, WN_STOP,
            "tokenizer: out of memory, or tokenizer.json makes a text many "
            "times as long");
    return WN_OK;
}

enum wn_status
wn_tokenizer_open(
    struct wn_tokenizer **ret, const char *dir, struct wn_err *err)
{
    struct wn_tokenizer *t = calloc(1, sizeof(*t));
    enum wn_status rc;

    if (t == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    rc = wn_tokenizer_read(t, dir, err);
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
    wn_added_free(t->added);
    wn_normalizer_free(t->norm);
    wn_pretokenizer_free(t->pre);
    wn_wordpiece_free(t->wordpiece);
    wn_unigram_free(t->unigram);
    wn_bpe_free(t->bpe);
    free(t->hidden.ids);
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
