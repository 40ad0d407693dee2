/*
 * Text to WordPiece ids in one pass, as the reference does it in five.
 *
 * Each character goes through clean_text, CJK padding, accent stripping,
 * lower case and word splitting, in this order; a finished word is cut into
 * pieces at once, so only the word at hand is held. The one thing that needs
 * to look further is canonical order: combining characters that survive the
 * stripping wait in `marks` until the next starter.
 *
 * Text that spells a special token ("[SEP]") is text here: it must not be in
 * the hand of who writes a post. The reference does the same when asked to
 * encode special tokens.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <unicode/utf8.h>

#include "model/config.h"
#include "model/tokenizer_int.h"
#include "model/unicode.h"
#include "model/vocab.h"

#define WORD_CHARS_MAX 1000 /* what a folder may ask for; usual is 100 */

/* What all five steps together do with a byte that is a character. */
enum ascii { STEPS, WORD, SPACE, PUNCT }; /* STEPS: they are asked */

struct wn_wordpiece {
    struct wn_vocab *vocab;
    const struct wn_unicode *unicode;
    const struct wn_hidden *hidden;
    bool clean, cjk, strip, lower;
    size_t word_chars_max;
    int32_t unk;
    const char *unk_piece; /* until it is found */
    struct {
        uint8_t kind, as; /* as: WORD, in lower case if we are to */
        int32_t id;       /* PUNCT: its token                     */
    } ascii[256];
};

/* A character and the bytes of the input that it came from. */
struct mark {
    int32_t c;
    uint32_t start, end;
};

struct run {
    const struct wn_wordpiece *t;
    struct wn_tokens *tk;
    bool failed; /* out of memory */

    char word[4 * WORD_CHARS_MAX];
    size_t len, chars; /* len stands still once chars is over the maximum */
    uint32_t start, end;

    struct mark *marks, *spare; /* spare: room to sort */
    size_t marks_n, marks_cap;
};

/* --- words to pieces --- */

static void
add_token(struct run *r, int32_t id)
{
    if (!wn_tokens_add(r->tk, id, r->start, r->end))
        r->failed = true;
}

/* Greedy from the left; one miss makes the whole word unknown. */
static bool
cut(const struct wn_wordpiece *t, const char *word, size_t n, uint32_t start,
    uint32_t end, struct wn_tokens *tk)
{
    size_t first = tk->n, at = 0, len;

    while (at < n) {
        int32_t id =
            wn_vocab_longest(t->vocab, word + at, n - at, at > 0, &len);

        if (id < 0 || wn_hidden_has(t->hidden, id)) {
            tk->n = first;
            return wn_tokens_add(tk, t->unk, start, end);
        }
        if (!wn_tokens_add(tk, id, start, end))
            return false;
        at += len;
    }
    return true;
}

bool
wn_wordpiece_cut(const struct wn_wordpiece *t, const struct wn_trace *text,
    size_t from, size_t to, struct wn_tokens *tk)
{
    uint32_t start = text->start[from], end = text->end[to - 1];
    size_t chars = 0;

    for (size_t at = from; at < to; chars++)
        wn_trace_next(text, &at);
    if (chars > t->word_chars_max)
        return wn_tokens_add(tk, t->unk, start, end);
    return cut(t, text->p + from, to - from, start, end, tk);
}

static void
end_word(struct run *r)
{
    if (r->chars == 0)
        return;
    if (r->chars > r->t->word_chars_max)
        add_token(r, r->t->unk);
    else
        r->failed =
            !cut(r->t, r->word, r->len, r->start, r->end, r->tk) || r->failed;
    r->len = r->chars = 0;
}

static void
add_to_word(struct run *r, int32_t c, uint32_t start, uint32_t end)
{
    if (r->chars == 0) {
        r->start = start;
        r->end = end;
    }
    if (start < r->start)
        r->start = start;
    if (end > r->end)
        r->end = end;
    if (++r->chars > r->t->word_chars_max)
        return;
    U8_APPEND_UNSAFE(r->word, r->len, c);
}

/* Splits on white space, and around each punctuation character. */
static void
split(struct run *r, int32_t c, uint32_t start, uint32_t end)
{
    if (wn_unicode_is_space(c)) {
        end_word(r);
    } else if (wn_unicode_is_punct(c)) {
        end_word(r);
        add_to_word(r, c, start, end);
        end_word(r);
    } else {
        add_to_word(r, c, start, end);
    }
}

/* --- characters to words --- */

static void
lower(struct run *r, int32_t c, uint32_t start, uint32_t end)
{
    int32_t out[2];
    size_t n;

    if (!r->t->lower) {
        split(r, c, start, end);
        return;
    }
    n = wn_unicode_lower(c, out);
    for (size_t i = 0; i < n; i++)
        split(r, out[i], start, end);
}

/* Stable by class, in one pass: a run may be as long as the text. */
static void
sort_marks(struct run *r)
{
    size_t at[257] = { 0 };

    for (size_t i = 0; i < r->marks_n; i++)
        at[wn_unicode_class(r->marks[i].c) + 1]++;
    for (size_t i = 1; i < 257; i++)
        at[i] += at[i - 1];
    for (size_t i = 0; i < r->marks_n; i++)
        r->spare[at[wn_unicode_class(r->marks[i].c)]++] = r->marks[i];
}

static void
flush_marks(struct run *r)
{
    const struct mark *m = r->marks;

    if (r->marks_n == 0)
        return;
    if (r->marks_n > 1) {
        sort_marks(r);
        m = r->spare;
    }
    for (size_t i = 0; i < r->marks_n; i++)
        lower(r, m[i].c, m[i].start, m[i].end);
    r->marks_n = 0;
}

static bool
grow_marks(struct run *r)
{
    size_t cap = r->marks_cap == 0 ? 32 : 2 * r->marks_cap;
    struct mark *p = realloc(r->marks, cap * sizeof(*p));

    if (p != NULL)
        r->marks = p;
    else
        return false;
    p = realloc(r->spare, cap * sizeof(*p));
    if (p == NULL)
        return false;
    r->spare = p;
    r->marks_cap = cap;
    return true;
}

static void
add_mark(struct run *r, int32_t c, uint32_t start, uint32_t end)
{
    if (r->marks_n == r->marks_cap && !grow_marks(r)) {
        r->failed = true;
        return;
    }
    r->marks[r->marks_n++] = (struct mark){ c, start, end };
}

/* Decomposes, drops category Mn, and puts what is left in canonical order. A
 * starter ends a run of marks even where it is dropped itself. */
static void
strip(struct run *r, int32_t c, uint32_t start, uint32_t end)
{
    int32_t out[WN_DECOMPOSED_MAX];
    size_t n;

    if (!r->t->strip) {
        lower(r, c, start, end);
        return;
    }
    n = wn_unicode_decompose(r->t->unicode, c, out);
    for (size_t i = 0; i < n; i++) {
        bool starter = wn_unicode_class(out[i]) == 0;

        if (starter)
            flush_marks(r);
        if (wn_unicode_is_mark(out[i]))
            continue;
        if (starter)
            lower(r, out[i], start, end);
        else
            add_mark(r, out[i], start, end);
    }
}

static void
pad_cjk(struct run *r, int32_t c, uint32_t start, uint32_t end)
{
    if (!r->t->cjk || !wn_unicode_is_cjk(c)) {
        strip(r, c, start, end);
        return;
    }
    strip(r, ' ', start, end);
    strip(r, c, start, end);
    strip(r, ' ', start, end);
}

static void
clean(struct run *r, int32_t c, uint32_t start, uint32_t end)
{
    if (!r->t->clean) {
        pad_cjk(r, c, start, end);
        return;
    }
    if (c == '\t' || c == '\n' || c == '\r')
        c = ' ';
    if (c == 0 || c == 0xfffd || wn_unicode_is_other(c))
        return;
    pad_cjk(r, wn_unicode_is_space(c) ? ' ' : c, start, end);
}

/* The letters and digits that begin at `at`, at most up to len; after them. */
static size_t
take_word(struct run *r, const uint8_t *p, size_t at, size_t len)
{
    const struct wn_wordpiece *t = r->t;
    size_t room = t->word_chars_max, end = at;

    room = r->chars < room ? room - r->chars : 0;
    if (r->chars == 0)
        r->start = (uint32_t)at;
    for (; end < len && t->ascii[p[end]].kind == WORD; end++)
        if (end - at < room)
            r->word[r->len++] = (char)t->ascii[p[end]].as;
    r->chars += end - at;
    r->end = (uint32_t)end;
    return end;
}

/* Most of most texts: all five steps at once. Returns after what it took; `at`
 * where that is nothing. */
static size_t
take_ascii(struct run *r, const uint8_t *p, size_t at, size_t len)
{
    uint8_t kind = r->t->ascii[p[at]].kind;

    if (kind == STEPS)
        return at;
    flush_marks(r);
    if (kind == WORD)
        return take_word(r, p, at, len);
    end_word(r);
    if (kind == PUNCT) {
        r->start = (uint32_t)at;
        r->end = (uint32_t)at + 1;
        add_token(r, r->t->ascii[p[at]].id);
    }
    return at + 1;
}

enum wn_status
wn_wordpiece_run(const struct wn_wordpiece *t, const char *text, size_t len,
    struct wn_tokens *tk, struct wn_err *err)
{
    const uint8_t *p = (const uint8_t *)text;
    struct run r;
    int32_t at = 0, c;

    r.t = t;
    r.tk = tk;
    r.failed = false;
    r.len = r.chars = 0;
    r.marks = r.spare = NULL;
    r.marks_n = r.marks_cap = 0;
    while (at < (int32_t)len && !r.failed) {
        uint32_t start = (uint32_t)at;

        at = (int32_t)take_ascii(&r, p, start, len);
        if ((uint32_t)at > start)
            continue;
        /* A broken byte reads as U+FFFD, which clean_text drops. */
        U8_NEXT_OR_FFFD(p, at, (int32_t)len, c);
        clean(&r, c, start, (uint32_t)at);
    }
    flush_marks(&r);
    end_word(&r);
    free(r.marks);
    free(r.spare);
    if (r.failed)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    return WN_OK;
}

/* --- opening --- */

/* Member `name` of o, or `otherwise` where it is missing or null. */
static bool
get_bool(const json_t *o, const char *name, bool otherwise)
{
    const json_t *v = json_object_get(o, name);

    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static enum wn_status
read_model(struct wn_wordpiece *t, const json_t *model, struct wn_err *err)
{
    const char *prefix =
        json_string_value(json_object_get(model, "continuing_subword_prefix"));
    const json_t *chars = json_object_get(model, "max_input_chars_per_word");
    const char *unk = json_string_value(json_object_get(model, "unk_token"));

    if (prefix != NULL && strcmp(prefix, "##") != 0)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.continuing_subword_prefix is not '##'");
    if (unk != NULL)
        t->unk_piece = unk;
    if (chars == NULL)
        return WN_OK;
    if (!json_is_integer(chars) || json_integer_value(chars) < 1 ||
        json_integer_value(chars) > WORD_CHARS_MAX)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: model.max_input_chars_per_word is not in 1..%d",
            WORD_CHARS_MAX);
    t->word_chars_max = (size_t)json_integer_value(chars);
    return WN_OK;
}

static void
read_normalizer(struct wn_wordpiece *t, const json_t *norm)
{
    t->clean = get_bool(norm, "clean_text", true);
    t->cjk = get_bool(norm, "handle_chinese_chars", true);
    t->lower = get_bool(norm, "lowercase", true);
    t->strip = get_bool(norm, "strip_accents", t->lower);
}

static void
read_tokenizer_config(struct wn_wordpiece *t, const json_t *root)
{
    t->cjk = get_bool(root, "tokenize_chinese_chars", true);
    t->lower = get_bool(root, "do_lower_case", true);
    t->strip = get_bool(root, "strip_accents", t->lower);
}

static enum wn_status
read_vocab(struct wn_wordpiece *t, const json_t *root, const char *dir,
    struct wn_err *err)
{
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof(path), "%s/vocab.txt", dir) >=
        sizeof(path))
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
    if (access(path, F_OK) == 0)
        return wn_vocab_read(t->vocab, path, err);
    if (root == NULL)
        return wn_fail(
            err, WN_REJECT, "%s: neither vocab.txt nor tokenizer.json", dir);
    return wn_vocab_read_json(t->vocab,
        json_object_get(json_object_get(root, "model"), "vocab"), err);
}

/* Other controls are for clean_text, which deletes them without a trace. */
static void
fill_ascii(struct wn_wordpiece *t)
{
    for (int32_t c = 0; c < 0x80; c++) {
        char piece = (char)c;
        int32_t id;

        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            t->ascii[c].kind = SPACE;
        } else if (wn_unicode_is_punct(c)) {
            id = wn_vocab_find(t->vocab, &piece, 1);
            t->ascii[c].kind = PUNCT;
            t->ascii[c].id = id < 0 ? t->unk : id;
        } else if (c > ' ' && c < 0x7f) {
            t->ascii[c].kind = WORD;
            t->ascii[c].as =
                (uint8_t)(t->lower && c >= 'A' && c <= 'Z' ? c | 32 : c);
        }
    }
}

static enum wn_status
read_settings(struct wn_wordpiece *t, const char *dir, const json_t *root,
    struct wn_err *err)
{
    json_t *old = NULL;
    enum wn_status rc;

    if (root != NULL) {
        read_normalizer(t, json_object_get(root, "normalizer"));
        return read_model(t, json_object_get(root, "model"), err);
    }
    rc = wn_config_load_json(&old, dir, "tokenizer_config.json", true, err);
    if (rc == WN_OK && old != NULL)
        read_tokenizer_config(t, old);
    json_decref(old);
    return rc;
}

static enum wn_status
read_folder(struct wn_wordpiece *t, const char *dir, const json_t *root,
    struct wn_err *err)
{
    enum wn_status rc = read_settings(t, dir, root, err);

    if (rc == WN_OK)
        rc = read_vocab(t, root, dir, err);
    if (rc != WN_OK)
        return rc;
    t->unk = wn_wordpiece_find(t, t->unk_piece);
    if (t->unk < 0)
        return wn_fail(err, WN_REJECT, "vocabulary: no %.40s", t->unk_piece);
    t->unk_piece = NULL; /* it was root's */
    fill_ascii(t);
    return WN_OK;
}

enum wn_status
wn_wordpiece_open(struct wn_wordpiece **ret, const char *dir,
    const json_t *root, const struct wn_hidden *hidden, struct wn_err *err)
{
    struct wn_wordpiece *t = calloc(1, sizeof(*t));
    enum wn_status rc;

    if (t == NULL) {
        rc = wn_fail(err, WN_STOP, "tokenizer: out of memory");
        goto out;
    }
    t->hidden = hidden;
    t->unk_piece = "[UNK]";
    t->clean = t->cjk = t->strip = t->lower = true;
    t->word_chars_max = 100;
    rc = wn_unicode_get(&t->unicode, err);
    if (rc == WN_OK)
        rc = wn_vocab_new(&t->vocab, err);
    if (rc == WN_OK)
        rc = read_folder(t, dir, root, err);
    if (rc != WN_OK)
        goto out;

    *ret = t;
    t = NULL;
out:
    wn_wordpiece_free(t);
    return rc;
}

void
wn_wordpiece_free(struct wn_wordpiece *t)
{
    if (t == NULL)
        return;
    wn_vocab_free(t->vocab);
    free(t);
}

int32_t
wn_wordpiece_find(const struct wn_wordpiece *t, const char *piece)
{
    return wn_vocab_find(t->vocab, piece, strlen(piece));
}

size_t
wn_wordpiece_vocab(const struct wn_wordpiece *t)
{
    return wn_vocab_size(t->vocab);
}
