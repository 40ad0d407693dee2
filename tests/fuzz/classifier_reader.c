/*
 * libFuzzer: any bytes as a post's text, through everything that reads it
 * before the encoder does: hardened text, its second view, links, windows,
 * tokens, n-grams, and the words that explanations are made of.
 *
 * The first byte is the number of windows, the second how often the rest is
 * repeated (a text must be long to be cut; under 192, as most are, never), the
 * third how many given links of eight bytes come first. Long ones are read
 * twice only where the first is 128 or more. Runs in the repository's root.
 */
#include <stdlib.h>
#include <string.h>

#include <unicode/utf8.h>

#include "classifier/explain_int.h"
#include "classifier/reader.h"

#define MAX ((size_t)1 << 12)
#define REPEATED_MAX (WN_WHOLE_BYTES + 2048)
#define GIVEN_MAX 80
#define GIVEN_BYTES 8

static struct wn_tokenizer *tokenizer;
static struct wn_reading reading;
static struct wn_text again;
static struct wn_arena arena;

static void
must(bool holds)
{
    if (!holds)
        abort();
}

static bool
is_utf8(const char *p, size_t len)
{
    const uint8_t *s = (const uint8_t *)p;
    int32_t i = 0, c;

    while (i < (int32_t)len) {
        U8_NEXT(s, i, (int32_t)len, c);
        if (c < 0)
            return false;
    }
    return true;
}

/* Of a text and its length. */
static bool
starts_char(const char *p, size_t len, size_t i)
{
    return i == len || ((unsigned char)p[i] & 0xC0) != 0x80;
}

static void
check_spots(const struct wn_spots *s, const char *p, size_t len)
{
    must(s->n <= WN_SPOTS_MAX);
    for (size_t i = 0; i < s->n; i++)
        must(s->at[i] < len && starts_char(p, len, s->at[i]) &&
             (i == 0 || s->at[i] > s->at[i - 1]));
}

/* There is one exactly where it differs. */
static void
check_view(const struct wn_text *t)
{
    const struct wn_buf *v = &t->view;

    must((v->len > 0) == (t->view_spots.n > 0));
    if (v->len == 0)
        return;
    must(v->len <= 2 * t->len && v->data[v->len] == '\0');
    must(is_utf8(v->data, v->len));
    must(memchr(v->data, '\0', v->len) == NULL);
    must(v->len != t->len || memcmp(v->data, t->data, v->len) != 0);
    check_spots(&t->view_spots, v->data, v->len);
}

static void
check_text(const struct wn_text *t, size_t in)
{
    struct wn_err err;

    must(t->data != NULL && t->data[t->len] == '\0');
    must(t->len <= 12 * in);
    must(is_utf8(t->data, t->len));
    must(memchr(t->data, '\0', t->len) == NULL);
    must(t->chars <= t->len && t->words <= t->chars);
    must(t->invalid + t->zero_width + t->bidi + t->tags <= in);
    must(t->combining + t->styled + t->repeats <= 2 * in);
    must(t->spaced_words + t->leet_words + t->mixed_script_words <= in);
    check_view(t);
    must(wn_text_harden(&again, t->data, t->len, &err) == WN_OK);
    must(again.len == t->len && memcmp(again.data, t->data, t->len) == 0);
    must(again.chars == t->chars && again.words == t->words);
    must(again.invalid + again.zero_width + again.tags == 0);
    must(again.spaced_words + again.repeats == 0);
    must(again.view.len == t->view.len &&
         (t->view.len == 0 ||
             memcmp(again.view.data, t->view.data, t->view.len) == 0));
}

static void
check_links(const struct wn_links *l, const struct wn_text *t, size_t given_n)
{
    size_t bytes = t->len + given_n * GIVEN_BYTES;

    must(l->n <= WN_LINKS_MAX && l->different <= WN_LINKS_COUNT_MAX);
    must(l->n <= l->different && (l->n == l->different || l->n == 64));
    must(l->hidden <= l->different);
    must(l->steps <= 8 * bytes + 64);
    must((t->len > 0 || given_n > 0) || l->different == 0);
    check_spots(&l->plain_spots, t->data, t->len);
    check_spots(&l->hidden_spots, t->data, t->len);
    for (size_t i = given_n; i < l->n; i++)
        must(l->url[i].len <= WN_LINK_BYTES_MAX &&
             memcmp(l->url[i].p, "http", 4) == 0 &&
             is_utf8(l->url[i].p, l->url[i].len));
}

/* Where tokens came from, and the words that are made of them. */
static void
check_places(const char *text, size_t len, const struct wn_window *w)
{
    static struct wn_place p[WN_WINDOW_TOKENS];
    size_t words, n, at = w->begin, most = 0;

    for (size_t k = 1; k + 1 < w->n; k++)
        must(w->start[k] >= w->start[k - 1] && w->stop[k] >= w->start[k] &&
             w->start[k] >= w->begin && w->stop[k] <= w->end &&
             starts_char(text, len, w->start[k]) &&
             starts_char(text, len, w->stop[k]));
    n = wn_places_find(p, WN_WINDOW_TOKENS, text, w, &words);
    for (size_t k = 0; k < n; k++) {
        must(p[k].begin >= at && p[k].end > p[k].begin && p[k].end <= w->end);
        must(p[k].core >= p[k].begin && p[k].core < p[k].core_end &&
             p[k].core_end <= p[k].end);
        must(starts_char(text, len, p[k].begin) && p[k].word <= most);
        most += p[k].word == most;
        at = p[k].end;
    }
    must(words == most);
}

static void
check_window(const struct wn_windows *ws, size_t i, const char *p, size_t len)
{
    const struct wn_window *w = &ws->w[i];

    must(w->n >= 2 && w->n <= ws->inner + 2);
    must(w->ids[0] == wn_tokenizer_cls(tokenizer));
    must(w->ids[w->n - 1] == wn_tokenizer_sep(tokenizer));
    for (size_t k = 0; k < w->n; k++)
        must(w->ids[k] >= 0 &&
             (size_t)w->ids[k] < wn_tokenizer_vocab(tokenizer));
    must(w->begin <= w->end && w->end <= len);
    must(starts_char(p, len, w->begin) && starts_char(p, len, w->end));
    must(i == 0 || w->begin >= ws->w[i - 1].begin);
    check_places(p, len, w);
}

static void
check_bag(const struct wn_ngram_bag *bag)
{
    must(bag->n <= bag->cap);
    for (size_t k = 0; k < bag->n; k++)
        must(bag->rows[k] < WN_NGRAM_ROWS);
}

static void
check_windows(struct wn_reading *r, size_t max)
{
    const struct wn_windows *w = &r->windows, *v = &r->view;

    must(w->n <= max && (w->n > 0) == (r->text.len > 0));
    must(w->unread_share >= 0 && w->unread_share <= 1);
    must(w->bytes <= WN_WHOLE_BYTES + max * (WN_SLICE_BYTES + 64));
    for (size_t i = 0; i < w->n; i++) {
        check_window(w, i, r->text.data, r->text.len);
        check_bag(wn_reading_bag(r, i));
    }
    must(v->n <= max && (v->n == 0 || r->text.view.len > 0));
    must(v->bytes <= WN_WHOLE_BYTES + max * (WN_SLICE_BYTES + 64));
    for (size_t i = 0; i < v->n; i++) {
        check_window(v, i, r->text.view.data, r->text.view.len);
        check_bag(wn_reading_view_bag(r, i));
    }
}

/* A text that has been read once is read alike a second time. */
static void
check_again(size_t windows_max)
{
    static struct wn_windows before;
    size_t n = reading.links.n, hidden = reading.links.hidden;
    size_t views = reading.view.n;
    struct wn_err err;

    before = reading.windows;
    must(wn_reading_run(&reading, tokenizer, &arena, again.data, again.len,
             NULL, 0, windows_max, &err) == WN_OK);
    must(reading.links.n == n && reading.links.hidden == hidden);
    must(reading.windows.n == before.n && reading.view.n == views);
    for (size_t i = 0; i < before.n; i++)
        must(reading.windows.w[i].n == before.w[i].n &&
             reading.windows.w[i].begin == before.w[i].begin &&
             memcmp(reading.windows.w[i].ids, before.w[i].ids,
                 before.w[i].n * sizeof(before.w[i].ids[0])) == 0);
}

static void
open_all(void)
{
    struct wn_encoder_shape shape = { .positions = 64 };
    struct wn_err err;

    must(wn_tokenizer_open(&tokenizer, "tests/golden/bert", &err) == WN_OK);
    must(wn_reading_init(&reading, &shape, &err) == WN_OK);
    reading.links.seed = 1; /* the same run for the same input */
    wn_text_init(&again);
    wn_arena_init(&arena, (size_t)1 << 16, (size_t)1 << 24);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[REPEATED_MAX];
    struct wn_str given[GIVEN_MAX];
    size_t windows_max, repeats, n = 0, given_n = 0;
    struct wn_err err;

    if (tokenizer == NULL)
        open_all();
    if (size < 4 || size > MAX)
        return 0;
    windows_max = 1 + data[0] % WN_WINDOWS_MAX;
    while (given_n < data[2] % GIVEN_MAX &&
           3 + (given_n + 1) * GIVEN_BYTES < size) {
        given[given_n] =
            (struct wn_str){ (const char *)data + 3 + given_n * GIVEN_BYTES,
                GIVEN_BYTES };
        given_n++;
    }
    repeats = data[1] < 192 ? 0 : 8 * (data[1] - 192u);
    for (size_t k = 0; k <= repeats && n + size - 3 <= sizeof(text); k++) {
        memcpy(text + n, data + 3, size - 3);
        n += size - 3;
    }
    wn_arena_reset(&arena);
    must(wn_reading_run(&reading, tokenizer, &arena, text, n, given, given_n,
             windows_max, &err) == WN_OK);
    check_text(&reading.text, n);
    check_links(&reading.links, &reading.text, given_n);
    check_windows(&reading, windows_max);
    if (given_n == 0 && (repeats == 0 || data[0] >= 128))
        check_again(windows_max);
    return 0;
}
