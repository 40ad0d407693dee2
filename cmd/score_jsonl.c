/*
 * winnow score --jsonl: one line out for each line in, in order.
 *
 *   reader thread --queue--> worker threads --ring of done batches--> main
 *
 * The reader makes batches and hands one on when it is full, or when its input
 * has no more bytes just now: so output never waits for input. A batch's place
 * in the ring is its number modulo RING; the reader waits while the ring is
 * full, so at most RING batches of BATCH_BYTES and one line are in memory. Main
 * writes them in order. The first failure is kept and ends everyone.
 *
 * `lock` guards ring, written, made, failed and err.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/score_int.h"
#include "cmd/tools.h"
#include "core/queue.h"
#include "ingest/lines.h"
#include "ingest/parse.h"

#define RING 64
#define BATCH_BYTES ((size_t)256 << 10)
/* Of one batch's output: ids and reasons of hostile posts are long. */
#define OUT_MAX ((size_t)64 << 20)
#define LOOK_MS 100 /* how soon the reader sees that all is over */

struct batch {
    uint64_t number;
    uint64_t first_line;
    size_t n, bytes, tokens;                   /* estimated */
    struct wn_item *items[WN_SCORE_BATCH_MAX]; /* NULL: a blank line */
    struct wn_buf out;
};

struct flow {
    const struct wn_score *score;
    struct wn_queue *todo;
    struct batch *ring[RING]; /* done, not yet written */
    uint64_t written, made;   /* batches */
    bool read_all, failed;
    struct wn_err err;
    struct wn_textless textless; /* has its own lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void
fail(struct flow *f, const char *text)
{
    pthread_mutex_lock(&f->lock);
    if (!f->failed)
        (void)wn_fail(&f->err, WN_STOP, "%s", text);
    f->failed = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    wn_queue_close(f->todo);
}

static bool
has_failed(struct flow *f)
{
    bool failed;

    pthread_mutex_lock(&f->lock);
    failed = f->failed;
    pthread_mutex_unlock(&f->lock);
    return failed;
}

static void
free_batch(void *arg)
{
    struct batch *b = arg;

    if (b == NULL)
        return;
    for (size_t i = 0; i < b->n; i++)
        wn_item_free(b->items[i]);
    wn_buf_release(&b->out);
    free(b);
}

/* --- reader --- */

/* A fresh batch once the ring has a place for it; NULL: it is over. */
static struct batch *
begin_batch(struct flow *f, uint64_t first_line)
{
    struct batch *b;
    bool failed;

    pthread_mutex_lock(&f->lock);
    while (!f->failed && f->made - f->written >= RING)
        pthread_cond_wait(&f->changed, &f->lock);
    failed = f->failed;
    pthread_mutex_unlock(&f->lock);
    b = failed ? NULL : calloc(1, sizeof(*b));
    if (b == NULL) {
        fail(f, "out of memory");
        return NULL;
    }
    b->number = f->made; /* only this thread writes it */
    b->first_line = first_line;
    wn_buf_init(&b->out, OUT_MAX);
    return b;
}

static bool
send_batch(struct flow *f, struct batch **b)
{
    struct batch *full = *b;

    *b = NULL;
    if (full == NULL)
        return true;
    pthread_mutex_lock(&f->lock);
    f->made++;
    pthread_mutex_unlock(&f->lock);
    if (wn_queue_put(f->todo, full))
        return true;
    free_batch(full);
    return false;
}

/* The line's item, NULL of a blank one; false without memory. */
static bool
make_item(struct flow *f, const struct wn_line *line, struct wn_item **ret)
{
    struct wn_item *item;
    char *raw;

    *ret = NULL;
    if (wn_line_is_blank(line))
        return true;
    item = wn_item_new((1u << 20) + 16 * line->len);
    raw = item == NULL ? NULL
                       : wn_arena_strndup(&item->arena, line->p, line->len);
    if (raw == NULL) {
        wn_item_free(item);
        fail(f, "out of memory");
        return false;
    }
    item->rec.time_us = WN_TIME_UNKNOWN;
    item->rec.raw = (struct wn_str){ raw, line->len };
    *ret = item;
    return true;
}

static bool
is_full(const struct flow *f, const struct batch *b)
{
    return b->n == WN_SCORE_BATCH_MAX || b->bytes >= BATCH_BYTES ||
           b->tokens >= f->score->batch_tokens;
}

/* Adds the line to the batch, which goes out before it where it has no room
 * for it, and behind it where it is full. Of one line it takes any weight. */
static bool
add_line(struct flow *f, struct batch **b, const struct wn_line *line,
    uint64_t number)
{
    struct wn_item *item;
    size_t tokens;

    if (!make_item(f, line, &item))
        return false;
    tokens = item == NULL ? 0 : wn_item_weight(item);
    if (*b != NULL && (*b)->tokens + tokens > f->score->batch_tokens &&
        !send_batch(f, b)) {
        wn_item_free(item);
        return false;
    }
    if (*b == NULL)
        *b = begin_batch(f, number);
    if (*b == NULL) {
        wn_item_free(item);
        return false;
    }
    (*b)->items[(*b)->n++] = item;
    (*b)->bytes += line->len;
    (*b)->tokens += tokens;
    return !is_full(f, *b) || send_batch(f, b);
}

/* Every whole line that is there; of the last, at the end, all the rest. */
static bool
take_lines(struct flow *f, struct wn_lines *lines, struct batch **b,
    uint64_t *count, bool at_end)
{
    struct wn_line line;

    while (wn_lines_next(lines, &line) ||
           (at_end && wn_lines_last(lines, &line))) {
        if (!add_line(f, b, &line, *count + 1))
            return false;
        ++*count;
    }
    return true;
}

/* Bytes of standard input, once they come; 0 at its end, -1: it is over. */
static ssize_t
read_some(struct flow *f, char *p, size_t n)
{
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    ssize_t got;

    for (;;) {
        if (has_failed(f))
            return -1;
        if (poll(&in, 1, LOOK_MS) <= 0)
            continue;
        got = read(STDIN_FILENO, p, n);
        if (got >= 0)
            return got;
        if (errno != EINTR && errno != EAGAIN) {
            char text[128];

            snprintf(text, sizeof(text), "standard input: %s", strerror(errno));
            fail(f, text);
            return -1;
        }
    }
}

static bool
input_waits(void)
{
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

    return poll(&in, 1, 0) == 0;
}

static void
read_all(struct flow *f, struct wn_lines *lines, struct batch **b)
{
    uint64_t count = 0;
    size_t room;
    ssize_t got;

    for (;;) {
        char *p = wn_lines_room(lines, &room);

        if (p == NULL) {
            fail(f, "out of memory");
            return;
        }
        if (*b != NULL && input_waits() && !send_batch(f, b))
            return;
        got = read_some(f, p, room);
        if (got < 0)
            return;
        wn_lines_add(lines, (size_t)got);
        if (!take_lines(f, lines, b, &count, got == 0))
            return;
        if (got == 0) {
            (void)send_batch(f, b);
            return;
        }
    }
}

static void *
reader(void *arg)
{
    struct flow *f = arg;
    struct wn_lines lines;
    struct batch *b = NULL;

    wn_lines_init(&lines, f->score->bytes_max, 0);
    read_all(f, &lines, &b);
    free_batch(b);
    wn_lines_release(&lines);
    wn_queue_close(f->todo);
    pthread_mutex_lock(&f->lock);
    f->read_all = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* --- workers --- */

static void
parse_line(const struct flow *f, struct wn_item *item)
{
    static const char deletion[] = "event: a deletion has nothing to score";

    wn_parse_loose(item, f->score->bytes_max);
    if (item->outcome != WN_DEAD && item->post.event == WN_POST_DELETED) {
        item->outcome = WN_DEAD;
        item->cause = (struct wn_str){ deletion, sizeof(deletion) - 1 };
    }
}

/* The item's line, with why where that was asked. */
static enum wn_status
put_item(struct flow *f, struct wn_explainer *x, struct batch *b,
    const struct wn_item *item, uint64_t line, struct wn_err *err)
{
    struct wn_explanation why;
    enum wn_status rc = WN_OK;

    if (x != NULL)
        rc = wn_score_explain(f->score, x, item, &why, err);
    if (rc == WN_OK)
        wn_score_json(&b->out, item, line, false, x != NULL ? &why : NULL);
    return rc;
}

static enum wn_status
work(struct flow *f, struct wn_scorer *scorer, struct wn_explainer *x,
    struct batch *b, struct wn_err *err)
{
    struct wn_item *items[WN_SCORE_BATCH_MAX];
    enum wn_status rc;
    size_t i, n = 0;

    for (i = 0; i < b->n; i++) {
        if (b->items[i] == NULL)
            continue;
        parse_line(f, b->items[i]);
        wn_textless_look(&f->textless, b->items[i]);
        items[n++] = b->items[i];
    }
    rc = wn_score_items(f->score, scorer, items, n, err);
    for (i = 0; i < b->n && rc == WN_OK; i++) {
        if (b->items[i] == NULL)
            wn_score_json_error(&b->out, b->first_line + i, "a blank line");
        else
            rc = put_item(f, x, b, b->items[i], b->first_line + i, err);
        wn_item_free(b->items[i]);
        b->items[i] = NULL;
    }
    if (rc == WN_OK && b->out.failed)
        rc = wn_fail(err, WN_STOP, "out of memory");
    return rc;
}

static void
hand_over(struct flow *f, struct batch *b)
{
    pthread_mutex_lock(&f->lock);
    f->ring[b->number % RING] = b;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void *
worker(void *arg)
{
    struct flow *f = arg;
    struct wn_scorer *scorer = NULL;
    struct wn_explainer *x = NULL;
    struct wn_err err = { "" };
    struct batch *b;

    if (wn_scorer_new(&scorer, f->score->classifier, f->score->windows_max,
            &err) != WN_OK ||
        wn_score_explainer(f->score, &x, &err) != WN_OK) {
        fail(f, err.text);
        wn_scorer_free(scorer);
        return NULL;
    }
    while ((b = wn_queue_take(f->todo)) != NULL) {
        if (work(f, scorer, x, b, &err) != WN_OK) {
            fail(f, err.text);
            free_batch(b);
            break;
        }
        hand_over(f, b);
    }
    wn_explainer_free(x);
    wn_scorer_free(scorer);
    return NULL;
}

/* --- main --- */

/* The next batch in order; NULL at the end, or once something failed. */
static struct batch *
next_batch(struct flow *f)
{
    struct batch *b = NULL, **place;

    pthread_mutex_lock(&f->lock);
    place = &f->ring[f->written % RING];
    while (
        !f->failed && *place == NULL && !(f->read_all && f->written == f->made))
        pthread_cond_wait(&f->changed, &f->lock);
    if (!f->failed) {
        b = *place;
        *place = NULL;
    }
    pthread_mutex_unlock(&f->lock);
    return b;
}

static bool
write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t put = write(STDOUT_FILENO, p, n);

        if (put < 0 && errno == EAGAIN) {
            struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

            (void)poll(&out, 1, LOOK_MS);
        } else if (put < 0 && errno != EINTR) {
            return false;
        } else if (put > 0) {
            p += put;
            n -= (size_t)put;
        }
    }
    return true;
}

static void
write_in_order(struct flow *f)
{
    struct batch *b;

    while ((b = next_batch(f)) != NULL) {
        bool ok = write_all(b->out.data, b->out.len);

        if (!ok) {
            char text[128];

            snprintf(
                text, sizeof(text), "standard output: %s", strerror(errno));
            fail(f, text);
        }
        free_batch(b);
        pthread_mutex_lock(&f->lock);
        f->written++;
        pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->lock);
    }
}

static void
run_threads(struct flow *f)
{
    pthread_t reads, works[256];
    size_t n = 0, i;

    while (n < f->score->threads && n < 256 &&
           pthread_create(&works[n], NULL, worker, f) == 0)
        n++;
    if (n == 0 || pthread_create(&reads, NULL, reader, f) != 0) {
        fail(f, "no thread can be made");
    } else {
        write_in_order(f);
        pthread_join(reads, NULL);
    }
    for (i = 0; i < n; i++)
        pthread_join(works[i], NULL);
}

int
wn_score_jsonl(const struct wn_score *s)
{
    struct flow f = { .score = s };
    int rc = 0;

    f.todo = wn_queue_new(RING);
    if (f.todo == NULL)
        return wn_cmd_fail(1, "score", "out of memory");
    if (isatty(STDIN_FILENO))
        wn_cmd_fail(0, "score",
            "reading {\"id\",\"text\"}, one a line; end with Ctrl-D");
    wn_textless_init(&f.textless);
    pthread_mutex_init(&f.lock, NULL);
    pthread_cond_init(&f.changed, NULL);
    run_threads(&f);
    if (f.failed)
        rc = wn_cmd_fail(1, "score", "%s", f.err.text);
    else
        wn_textless_tell(&f.textless);
    for (size_t i = 0; i < RING; i++)
        free_batch(f.ring[i]);
    wn_queue_free(f.todo, free_batch);
    wn_textless_release(&f.textless);
    pthread_cond_destroy(&f.changed);
    pthread_mutex_destroy(&f.lock);
    return rc;
}
