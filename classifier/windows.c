/*
 * Windows: places are chosen on the text's bytes when it is long, on its
 * tokens when it is not; both go through place_all(), which knows neither.
 */
#include "classifier/windows.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Spans of `size` in [0, total), sorted, not overlapping at the ends. */
struct places {
    size_t start[WN_WINDOWS_MAX];
    size_t n, max, size, total;
};

void
wn_windows_init(struct wn_windows *w, size_t tokens_max)
{
    WN_ASSERT(tokens_max >= 3);
    memset(w, 0, sizeof(*w));
    w->inner =
        (tokens_max < WN_WINDOW_TOKENS ? tokens_max : WN_WINDOW_TOKENS) - 2;
    wn_tokens_init(&w->scratch);
}

void
wn_windows_release(struct wn_windows *w)
{
    wn_tokens_release(&w->scratch);
    memset(w, 0, sizeof(*w));
}

void
wn_windows_reset(struct wn_windows *w)
{
    w->n = w->tokens = w->bytes = 0;
    w->unread_share = 0;
}

static bool
covered(const struct places *p, size_t at)
{
    for (size_t i = 0; i < p->n; i++)
        if (at >= p->start[i] && at < p->start[i] + p->size)
            return true;
    return false;
}

static void
place(struct places *p, size_t start)
{
    if (start + p->size > p->total)
        start = p->total - p->size;
    p->start[p->n++] = start;
}

/* Around points that nothing shows yet, evenly from all of them: a wall of
 * links at the front must not take every window. */
static void
place_around(struct places *p, const size_t *points, size_t points_n)
{
    size_t open[64], n = 0, slots = p->max - p->n;

    for (size_t i = 0; i < points_n && n < 64; i++)
        if (!covered(p, points[i]))
            open[n++] = points[i];
    for (size_t k = 0; k < slots && p->n < p->max && n > 0; k++) {
        size_t at = open[slots >= n ? (k < n ? k : n - 1)
                                    : (2 * k + 1) * n / (2 * slots)];

        if (!covered(p, at))
            place(p, at > p->size / 3 ? at - p->size / 3 : 0);
    }
}

static int
by_start(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

/* The middle of the widest stretch that nothing shows. */
static void
place_in_gap(struct places *p)
{
    size_t best = 0, at = 0;

    qsort(p->start, p->n, sizeof(p->start[0]), by_start);
    for (size_t i = 0; i + 1 < p->n; i++) {
        size_t end = p->start[i] + p->size;

        if (p->start[i + 1] > end && p->start[i + 1] - end > best) {
            best = p->start[i + 1] - end;
            at = end + best / 2;
        }
    }
    if (best > 0)
        place(p, at > p->size / 2 ? at - p->size / 2 : 0);
    else
        p->max = p->n;
}

static void
place_all(struct places *p, const size_t *points, size_t points_n)
{
    place(p, 0);
    if (p->max > 1)
        place(p, p->total - p->size);
    place_around(p, points, points_n);
    while (p->n > 1 && p->n < p->max)
        place_in_gap(p);
    qsort(p->start, p->n, sizeof(p->start[0]), by_start);
}

/* Tokens [from, to) of the scratch, which start at byte `base`, as a window. */
static void
add_window(struct wn_windows *w, const struct wn_tokenizer *t, size_t base,
    size_t from, size_t to)
{
    const struct wn_tokens *tk = &w->scratch;
    struct wn_window *win = &w->w[w->n++];

    win->n = 0;
    win->ids[win->n++] = wn_tokenizer_cls(t);
    for (size_t i = from; i < to; i++)
        win->ids[win->n++] = tk->ids[i];
    win->ids[win->n++] = wn_tokenizer_sep(t);
    win->begin = base + (to > from ? tk->start[from] : 0);
    win->end = base + (to > from ? tk->end[to - 1] : 0);
}

static size_t
token_at(const struct wn_tokens *tk, size_t byte)
{
    size_t lo = 0, hi = tk->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (tk->end[mid] <= byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Windows that follow each other leave no byte between them: what makes no
 * token is still read as n-grams. */
static void
show_all(struct wn_windows *w, size_t len)
{
    w->w[0].begin = 0;
    for (size_t i = 0; i + 1 < w->n; i++)
        if (w->w[i].end < w->w[i + 1].begin)
            w->w[i].end = w->w[i + 1].begin;
    w->w[w->n - 1].end = len;
}

/* The whole text is in the scratch. */
static void
plan_tokens(struct wn_windows *w, const struct wn_tokenizer *t, size_t len,
    const size_t *links_at, size_t links_n, size_t windows_max)
{
    struct places p = { .max = windows_max, .size = w->inner };
    size_t n = w->scratch.n, k = (n + w->inner - 1) / w->inner;
    size_t seen = 0, upto = 0;
    size_t points[64];

    w->tokens = n;
    w->unread_share = 0;
    if (k <= windows_max) {
        k = k == 0 ? 1 : k;
        for (size_t i = 0; i < k; i++)
            add_window(w, t, 0, n * i / k, n * (i + 1) / k);
        show_all(w, len);
        return;
    }
    p.total = n;
    for (size_t i = 0; i < links_n && i < 64; i++)
        points[i] = token_at(&w->scratch, links_at[i]);
    place_all(&p, points, links_n < 64 ? links_n : 64);
    for (size_t i = 0; i < p.n; i++) {
        size_t end = p.start[i] + w->inner;

        add_window(w, t, 0, p.start[i], end);
        seen += end - (p.start[i] > upto ? p.start[i] : upto);
        upto = end;
    }
    w->unread_share = (double)(n - seen) / (double)n;
}

/* Moves i back to the start of a character, at best of a word. */
static size_t
back_to_start(const char *text, size_t i)
{
    size_t word = i;

    while (word > 0 && i - word < 32 && text[word - 1] != ' ' &&
           text[word - 1] != '\n')
        word--;
    if (i - word < 32)
        return word;
    while (i > 0 && ((unsigned char)text[i] & 0xC0) == 0x80)
        i--;
    return i;
}

/* One slice of a long text: its first tokens at the head, its last ones at the
 * tail, the middle elsewhere. */
static enum wn_status
add_slice(struct wn_windows *w, const struct wn_tokenizer *t, const char *text,
    size_t len, size_t from, size_t to, size_t *tokens, struct wn_err *err)
{
    size_t inner = w->inner, n, first;
    enum wn_status rc;

    from = back_to_start(text, from);
    to = to == len ? len : back_to_start(text, to);
    rc = wn_tokenizer_run(t, text + from, to - from, &w->scratch, err);
    if (rc != WN_OK)
        return rc;
    n = w->scratch.n;
    w->bytes += to - from;
    *tokens += n;
    first = from == 0 || n <= inner ? 0
            : to == len             ? n - inner
                                    : (n - inner) / 2;
    add_window(w, t, from, first, n < first + inner ? n : first + inner);
    return WN_OK;
}

static enum wn_status
plan_slices(struct wn_windows *w, const struct wn_tokenizer *t,
    const char *text, size_t len, const size_t *links_at, size_t links_n,
    size_t windows_max, struct wn_err *err)
{
    struct places p = {
        .max = windows_max, .size = WN_SLICE_BYTES, .total = len
    };
    size_t tokens = 0, read = 0;
    enum wn_status rc = WN_OK;

    place_all(&p, links_at, links_n);
    for (size_t i = 0; i < p.n && rc == WN_OK; i++)
        rc = add_slice(w, t, text, len, p.start[i], p.start[i] + WN_SLICE_BYTES,
            &tokens, err);
    if (rc != WN_OK)
        return rc;
    w->tokens = (size_t)((double)tokens * (double)len / (double)w->bytes);
    for (size_t i = 0; i < w->n; i++)
        read += w->w[i].n - 2;
    w->unread_share =
        w->tokens > read ? 1.0 - (double)read / (double)w->tokens : 0;
    return WN_OK;
}

enum wn_status
wn_windows_plan(struct wn_windows *w, const struct wn_tokenizer *t,
    const char *text, size_t len, const size_t *links_at, size_t links_n,
    size_t windows_max, struct wn_err *err)
{
    enum wn_status rc;

    WN_ASSERT(windows_max >= 1);
    WN_ASSERT(windows_max <= WN_WINDOWS_MAX);
    wn_windows_reset(w);
    if (len > WN_WHOLE_BYTES)
        return plan_slices(
            w, t, text, len, links_at, links_n, windows_max, err);
    w->bytes = len;
    rc = wn_tokenizer_run(t, text, len, &w->scratch, err);
    if (rc == WN_OK)
        plan_tokens(w, t, len, links_at, links_n, windows_max);
    return rc;
}
