/*
 * Which words of a vocabulary stay, by how often texts have them.
 *
 * A text is read as training reads it: hardened, then cut. Both kinds of
 * vocabulary that can be cut choose among all ways to cut a word, and what they
 * choose is still there and still the best when others go: so a text that had
 * no word that goes keeps its tokens. wn_words_check() reads all of it once
 * more and holds the tool to it. Two things are seen to for that: unknown
 * characters cost what they did (the piece of the lowest score stays), and of
 * WordPiece's unknown words, which are those where a first try failed, some may
 * be cut into pieces now.
 */
#include "cmd/model_prune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifier/text.h"
#include "core/clock.h"
#include "core/utf8.h"
#include "model/tokenizer_json.h"

#define PROGRESS_US (10 * 1000000)

/* --- texts --- */

/* A pass over all of them. */
struct pass {
    const struct wn_model_source *s;
    const struct wn_model_prune *asked;
    struct wn_words *words;
    struct wn_text text;
    struct wn_tokens tk, made_tk;
    const struct wn_tokenizer *made; /* NULL: of the first pass */
    int64_t said_us;
    const char *what;
    size_t texts;
};

static void
say_progress(struct pass *p)
{
    int64_t now = wn_clock_mono_us();

    p->texts++;
    if (now - p->said_us < PROGRESS_US)
        return;
    p->said_us = now;
    fprintf(stderr, "prune: %s %zu texts\n", p->what, p->texts);
}

static void
count(struct pass *p)
{
    struct wn_words *w = p->words;

    for (size_t i = 0; i < p->tk.n; i++)
        w->count[p->tk.ids[i]]++;
    w->texts++;
    w->tokens += p->tk.n;
}

/* Whether a text's tokens are those that it had, under their new ids. */
static enum wn_status
compare(struct pass *p, struct wn_err *err)
{
    struct wn_words *w = p->words;
    bool touched = false, unknown = false, same;
    enum wn_status rc =
        wn_tokenizer_run(p->made, p->text.data, p->text.len, &p->made_tk, err);

    if (rc != WN_OK)
        return rc;
    same = p->tk.n == p->made_tk.n;
    for (size_t i = 0; i < p->tk.n; i++) {
        int32_t id = p->tk.ids[i];

        touched = touched || w->to[id] < 0;
        unknown = unknown || id == w->unk;
        same = same && w->to[id] == p->made_tk.ids[i];
    }
    w->touched += touched;
    if (touched || same)
        return WN_OK;
    w->known++;
    return unknown ? WN_OK
                   : wn_fail(err, WN_STOP,
                         "text %zu has other tokens, but none of its words "
                         "went: this is a bug of winnow",
                         p->texts);
}

static enum wn_status
take_text(void *arg, const json_t *o, struct wn_err *err)
{
    struct pass *p = arg;
    const json_t *text = json_object_get(o, "text");
    enum wn_status rc;

    if (!json_is_string(text))
        return wn_fail(err, WN_REJECT, "\"text\" is not a string");
    rc = wn_text_harden(
        &p->text, json_string_value(text), json_string_length(text), err);
    if (rc == WN_OK)
        rc = wn_tokenizer_run(
            p->s->tokenizer, p->text.data, p->text.len, &p->tk, err);
    say_progress(p);
    if (rc == WN_OK && p->made != NULL)
        rc = compare(p, err);
    else if (rc == WN_OK)
        count(p);
    return rc;
}

static enum wn_status
run_pass(struct pass *p, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    wn_text_init(&p->text);
    wn_tokens_init(&p->tk);
    wn_tokens_init(&p->made_tk);
    p->said_us = wn_clock_mono_us();
    for (size_t i = 0; i < p->asked->data_n && rc == WN_OK; i++)
        rc = wn_data_each(p->asked->data[i], take_text, p, err);
    if (rc == WN_OK && p->texts == 0)
        rc = wn_fail(err, WN_REJECT, "%s: no texts in it", p->asked->data[0]);
    wn_text_release(&p->text);
    wn_tokens_release(&p->tk);
    wn_tokens_release(&p->made_tk);
    return rc;
}

/* --- choosing --- */

/* One character, of WordPiece behind "##" too. */
static bool
is_char(const char *piece)
{
    size_t len;

    if (strncmp(piece, "##", 2) == 0 && piece[2] != '\0')
        piece += 2;
    len = piece[0] == '\0' ? 0 : wn_utf8_len(piece, strlen(piece));
    return len > 0 && piece[len] == '\0';
}

/* The encoder's row for padding stays even where no token is called so. */
static void
keep_pad(struct wn_words *w, const json_t *config)
{
    const json_t *pad = json_object_get(config, "pad_token_id");

    if (json_is_integer(pad) && json_integer_value(pad) >= 0 &&
        (size_t)json_integer_value(pad) < w->n)
        w->keep[json_integer_value(pad)] = true;
}

static enum wn_status
choose(struct wn_words *w, const struct wn_model_source *s,
    const struct wn_model_prune *asked, const json_t *root, struct wn_err *err)
{
    const char **pieces = calloc(w->n + 1, sizeof(*pieces));
    int32_t least = wn_tokenizer_json_least(root);
    enum wn_status rc;

    if (pieces == NULL)
        return wn_fail(err, WN_STOP, "model: out of memory");
    wn_tokenizer_json_pieces(root, pieces, w->n);
    rc = wn_tokenizer_json_special(root, w->keep, w->n, err);
    keep_pad(w, s->config);
    if (least >= 0 && (size_t)least < w->n)
        w->keep[least] = true;
    for (size_t id = 0; id < w->n; id++) {
        if (pieces[id] == NULL)
            continue;
        if (id < asked->keep_first || w->count[id] >= asked->min_count ||
            (asked->keep_chars && is_char(pieces[id])))
            w->keep[id] = true;
        w->never += !w->keep[id] && w->count[id] == 0;
        w->rare += !w->keep[id] && w->count[id] > 0;
    }
    free(pieces);
    return rc;
}

static void
number(struct wn_words *w)
{
    for (size_t id = 0; id < w->n; id++) {
        w->to[id] = w->keep[id] ? (int32_t)w->kept_n : -1;
        if (w->keep[id])
            w->kept[w->kept_n++] = (int32_t)id;
    }
}

enum wn_status
wn_words_choose(struct wn_words *w, const struct wn_model_source *s,
    const struct wn_model_prune *asked, const json_t *root, struct wn_err *err)
{
    struct pass p = { .s = s, .asked = asked, .words = w, .what = "counted" };
    enum wn_status rc;

    w->n = wn_encoder_shape(s->encoder)->vocab;
    w->unk = wn_tokenizer_json_unk(root);
    w->count = calloc(w->n, sizeof(*w->count));
    w->keep = calloc(w->n, sizeof(*w->keep));
    w->to = calloc(w->n, sizeof(*w->to));
    w->kept = calloc(w->n, sizeof(*w->kept));
    if (w->count == NULL || w->keep == NULL || w->to == NULL || w->kept == NULL)
        return wn_fail(err, WN_STOP, "model: out of memory");
    rc = run_pass(&p, err);
    if (rc == WN_OK)
        rc = choose(w, s, asked, root, err);
    if (rc == WN_OK)
        number(w);
    return rc;
}

enum wn_status
wn_words_check(struct wn_words *w, const struct wn_model_source *s,
    const struct wn_model_prune *asked, const char *made_dir,
    struct wn_err *err)
{
    struct pass p = { .s = s, .asked = asked, .words = w, .what = "checked" };
    struct wn_tokenizer *made = NULL;
    enum wn_status rc = wn_tokenizer_open(&made, made_dir, err);

    p.made = made;
    if (rc == WN_OK)
        rc = run_pass(&p, err);
    wn_tokenizer_free(made);
    return rc;
}

void
wn_words_release(struct wn_words *w)
{
    free(w->count);
    free(w->keep);
    free(w->to);
    free(w->kept);
}
