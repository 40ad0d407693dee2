/*
 * Windows: places are chosen on the text's bytes when it is long, on its
 * tokens when it is not; both go through place_all(), which knows neither.
 */
#include "classifier/windows.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A token and the space behind it are this many bytes or more but in walls of
 * punctuation: what a window over a slice is sure to show. */
#define BYTES_SHOWN 2u

/* Spans of `size` in [0, total), each around a place `at`. */
struct places {
    struct place {
        size_t start, at;
    } place[WN_WINDOWS_MAX];
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

/* Shown with a quarter of a span on each side, where the text goes on. */
static bool
covered(const struct places *p, size_t at)
{
    size_t margin = p->size / 4;

    for (size_t i = 0; i < p->n; i++) {
        size_t start = p->place[i].start, end = start + p->size;

        if ((at >= start + margin || (start == 0 && at >= start)) &&
            (at + margin <= end || (end == p->total && at < end)))
            return true;
    }
    return false;
}

static void
place(struct places *p, size_t at)
{
    size_t start = at > p->size / 2 ? at - p->size / 2 : 0;

    if (start + p->size > p->total)
        start = p->total - p->size;
    p->place[p->n++] = (struct place){ start, at };
}

/* How far `at` is from the nearest place. */
static size_t
distance(const struct places *p, size_t at)
{
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < p->n; i++) {
        size_t other = p->place[i].at;
        size_t d = at > other ? at - other : other - at;

        least = d < least ? d : least;
    }
    return least;
}

/* Around points that nothing shows yet, always the one that is farthest from
 * every place: a wall of links must not take every window from the one link
 * that stands alone. */
static void
place_around(struct places *p, const struct wn_spots *s)
{
    while (p->n < p->max) {
        size_t best = 0, at = 0;

        for (size_t i = 0; i < s->n; i++) {
            size_t d = covered(p, s->at[i]) ? 0 : distance(p, s->at[i]);

            if (d > best) {
                best = d;
                at = s->at[i];
            }
        }
        if (best == 0)
            return;
        place(p, at);
    }
}

static int
by_start(const void *a, const void *b)
{
    size_t x = ((const struct place *)a)->start;
    size_t y = ((const struct place *)b)->start;

    return (x > y) - (x < y);
}

static void
sort(struct places *p)
{
    qsort(p->place, p->n, sizeof(p->place[0]), by_start);
}

/* The middle of the widest stretch that nothing shows; false where all is
 * shown. */
static bool
place_in_gap(struct places *p)
{
    size_t best = 0, at = 0;

    sort(p);
    for (size_t i = 0; i + 1 < p->n; i++) {
        size_t end = p->place[i].start + p->size, next = p->place[i + 1].start;

        if (next > end && next - end > best) {
            best = next - end;
            at = end + best / 2;
        }
    }
    if (best > 0)
        place(p, at);
    return best > 0;
}

/* Who disguises a link means it to be overlooked, so those come first. */
static void
place_all(struct places *p, const struct wn_spots *hidden,
    const struct wn_spots *plain)
{
    place(p, 0);
    if (p->max > 1)
        place(p, p->total);
    place_around(p, hidden);
    place_around(p, plain);
    while (p->n > 1 && p->n < p->max && place_in_gap(p))
        ;
    sort(p);
}

static void
add_token(struct wn_window *win, int32_t id, size_t start, size_t stop)
{
    win->ids[win->n] = id;
    win->start[win->n] = (uint32_t)start;
    win->stop[win->n++] = (uint32_t)stop;
}

/* Tokens [from, to) of the scratch, which start at byte `base`, as a window. */
static void
add_window(struct wn_windows *w, const struct wn_tokenizer *t, size_t base,
    size_t from, size_t to)
{
    const struct wn_tokens *tk = &w->scratch;
    struct wn_window *win = &w->w[w->n++];

    win->n = 0;
    win->begin = base + (to > from ? tk->start[from] : 0);
    win->end = base + (to > from ? tk->end[to - 1] : 0);
    add_token(win, wn_tokenizer_cls(t), win->begin, win->begin);
    for (size_t i = from; i < to; i++)
        add_token(win, tk->ids[i], base + tk->start[i], base + tk->end[i]);
    add_token(win, wn_tokenizer_sep(t), win->end, win->end);
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

/* Bytes to tokens; several bytes may be of one token. */
static struct wn_spots
spots_of_tokens(const struct wn_tokens *tk, const struct wn_spots *bytes)
{
    struct wn_spots s = *bytes;

    for (size_t i = 0; i < s.n; i++)
        s.at[i] = token_at(tk, s.at[i]);
    return s;
}

/* The whole text is in the scratch. */
static void
plan_tokens(struct wn_windows *w, const struct wn_tokenizer *t, size_t len,
    const struct wn_spots *hidden, const struct wn_spots *plain,
    size_t windows_max)
{
    struct wn_spots first, then;
    struct places p = { .max = windows_max, .size = w->inner };
    size_t n = w->scratch.n, k = (n + w->inner - 1) / w->inner;
    size_t seen = 0, upto = 0;

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
    first = spots_of_tokens(&w->scratch, hidden);
    then = spots_of_tokens(&w->scratch, plain);
    place_all(&p, &first, &then);
    for (size_t i = 0; i < p.n; i++) {
        size_t end = p.place[i].start + w->inner;

        add_window(w, t, 0, p.place[i].start, end);
        seen += end - (p.place[i].start > upto ? p.place[i].start : upto);
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

/* The slice of a long text around `at`: of its tokens those around it. */
static enum wn_status
add_slice(struct wn_windows *w, const struct wn_tokenizer *t, const char *text,
    size_t len, size_t at, size_t *tokens, struct wn_err *err)
{
    size_t from = at > WN_SLICE_BYTES / 2 ? at - WN_SLICE_BYTES / 2 : 0;
    size_t to = from + WN_SLICE_BYTES, inner = w->inner, n, first;
    enum wn_status rc;

    if (to >= len) {
        to = len;
        from = len - WN_SLICE_BYTES;
    }
    from = back_to_start(text, from);
    to = to == len ? len : back_to_start(text, to);
    rc = wn_tokenizer_run(t, text + from, to - from, &w->scratch, err);
    if (rc != WN_OK)
        return rc;
    n = w->scratch.n;
    w->bytes += to - from;
    *tokens += n;
    first = token_at(&w->scratch, at - from);
    first = first > inner / 2 ? first - inner / 2 : 0;
    if (first + inner > n)
        first = n > inner ? n - inner : 0;
    add_window(w, t, from, first, n < first + inner ? n : first + inner);
    return WN_OK;
}

static enum wn_status
plan_slices(struct wn_windows *w, const struct wn_tokenizer *t,
    const char *text, size_t len, const struct wn_spots *hidden,
    const struct wn_spots *plain, size_t windows_max, struct wn_err *err)
{
    struct places p = {
        .max = windows_max, .size = BYTES_SHOWN * w->inner, .total = len
    };
    size_t tokens = 0, read = 0;
    enum wn_status rc = WN_OK;

    place_all(&p, hidden, plain);
    for (size_t i = 0; i < p.n && rc == WN_OK; i++)
        rc = add_slice(w, t, text, len, p.place[i].at, &tokens, err);
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
    const char *text, size_t len, const struct wn_spots *hidden,
    const struct wn_spots *plain, size_t windows_max, struct wn_err *err)
{
    enum wn_status rc;

    WN_ASSERT(windows_max >= 1);
    WN_ASSERT(windows_max <= WN_WINDOWS_MAX);
    wn_windows_reset(w);
    if (len > WN_WHOLE_BYTES)
        return plan_slices(w, t, text, len, hidden, plain, windows_max, err);
    w->bytes = len;
    rc = wn_tokenizer_run(t, text, len, &w->scratch, err);
    if (rc == WN_OK)
        plan_tokens(w, t, len, hidden, plain, windows_max);
    return rc;
}
