/*
 * The features file: a header, then records in the order in which threads
 * finished them. Threads share the file and the list of what is asked for
 * under one lock; each has its own scratch. A record that was cut off by a
 * stop is cut away at the next start.
 */
#include "cmd/train_features.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "classifier/classifier.h"
#include "classifier/reader.h"
#include "core/clock.h"
#include "core/hash.h"

#define MAGIC "winnow features 3"
#define BATCH_TOKENS 1024 /* a thread's matrices stay in its own cache */
#define BATCH_TEXTS 128
#define PROGRESS_US 5000000

struct header {
    char magic[24];
    uint8_t sha256[WN_SHA256], settings[WN_SHA256];
    uint32_t text_version, width;
};

struct record {
    uint64_t key;
    uint32_t windows, check; /* RECORD_CHECK, or the file is broken */
};
#define RECORD_CHECK 0x72646372u

struct wn_features {
    const struct wn_encoder *e;
    const struct wn_tokenizer *tokenizer;
    struct wn_features_exits exits;
    size_t width; /* of a window: exits * hidden */
    int fd;
    const uint8_t *map;
    size_t bytes;
    /* Open addressing: where in the file a key's record starts, 0 for none. */
    size_t *slots;
    size_t slots_n, records;
};

static uint64_t
key_of(struct wn_features_ask ask)
{
    return wn_hash64(ask.text.p, ask.text.len, ask.windows_max);
}

static enum wn_status
fail_io(struct wn_err *err, const char *what)
{
    return wn_fail(err, WN_STOP, "features: %s: %s", what, strerror(errno));
}

/* --- index --- */

static size_t *
slot_of(const struct wn_features *f, uint64_t key)
{
    size_t i = (size_t)key & (f->slots_n - 1);

    while (f->slots[i] != 0 &&
           ((const struct record *)(f->map + f->slots[i]))->key != key)
        i = (i + 1) & (f->slots_n - 1);
    return &f->slots[i];
}

static size_t
record_bytes(const struct wn_features *f, uint32_t windows)
{
    return sizeof(struct record) + windows * f->width * sizeof(float);
}

/* Whether a whole record starts at `at`. */
static bool
whole_record(const struct wn_features *f, size_t at)
{
    const struct record *r = (const struct record *)(f->map + at);

    return at + sizeof(*r) <= f->bytes && r->check == RECORD_CHECK &&
           r->windows <= WN_WINDOWS_MAX &&
           at + record_bytes(f, r->windows) <= f->bytes;
}

static void
unmap(struct wn_features *f)
{
    if (f->map != NULL)
        munmap((void *)(uintptr_t)f->map, f->bytes);
    f->map = NULL;
    f->bytes = 0;
    free(f->slots);
    f->slots = NULL;
}

/* Maps the file as it is and indexes it; cuts away what is not whole. */
static enum wn_status
index_file(struct wn_features *f, struct wn_err *err)
{
    struct stat sb;
    void *map;
    size_t at;

    unmap(f);
    if (fstat(f->fd, &sb) != 0)
        return fail_io(err, "stat");
    map = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_SHARED, f->fd, 0);
    if (map == MAP_FAILED)
        return fail_io(err, "mmap");
    f->map = map;
    f->bytes = (size_t)sb.st_size;
    f->records = 0;
    for (at = sizeof(struct header); whole_record(f, at); f->records++)
        at += record_bytes(f, ((const struct record *)(f->map + at))->windows);
    if (at != f->bytes && ftruncate(f->fd, (off_t)at) != 0)
        return fail_io(err, "truncate");
    if (lseek(f->fd, (off_t)at, SEEK_SET) < 0)
        return fail_io(err, "seek");
    for (f->slots_n = 1024; f->slots_n < 2 * f->records;)
        f->slots_n *= 2;
    f->slots = calloc(f->slots_n, sizeof(*f->slots));
    if (f->slots == NULL)
        return wn_fail(err, WN_STOP, "features: out of memory");
    for (size_t end = at, i = sizeof(struct header); i < end;) {
        const struct record *r = (const struct record *)(f->map + i);

        *slot_of(f, r->key) = i;
        i += record_bytes(f, r->windows);
    }
    return WN_OK;
}

/* --- open and find --- */

static enum wn_status
write_all(int fd, const void *p, size_t n, struct wn_err *err)
{
    const char *at = p;

    while (n > 0) {
        ssize_t done = write(fd, at, n);

        if (done < 0 && errno != EINTR)
            return fail_io(err, "write");
        if (done > 0) {
            at += done;
            n -= (size_t)done;
        }
    }
    return WN_OK;
}

/* Writes the header of a new file, compares that of an old one. */
static enum wn_status
check_header(struct wn_features *f, const char *path,
    const uint8_t settings[WN_SHA256], struct wn_err *err)
{
    struct header want = { .text_version = WN_TEXT_VERSION }, have;
    ssize_t n;

    memcpy(want.magic, MAGIC, sizeof(MAGIC));
    wn_safetensors_sha256(wn_encoder_file(f->e), want.sha256);
    memcpy(want.settings, settings, sizeof(want.settings));
    want.width = (uint32_t)f->width;
    n = pread(f->fd, &have, sizeof(have), 0);
    if (n < 0)
        return fail_io(err, "read");
    if (n == 0)
        return write_all(f->fd, &want, sizeof(want), err);
    if ((size_t)n == sizeof(have) && memcmp(&have, &want, sizeof(have)) == 0)
        return WN_OK;
    return wn_fail(err, WN_REJECT,
        "%s: features of another base or of another version of hardened "
        "text: remove the file",
        path);
}

enum wn_status
wn_features_open(struct wn_features **ret, const char *path,
    const struct wn_encoder *e, const struct wn_tokenizer *tokenizer,
    const struct wn_features_exits *exits, const uint8_t settings[WN_SHA256],
    struct wn_err *err)
{
    struct wn_features *f = calloc(1, sizeof(*f));
    enum wn_status rc;

    if (f == NULL)
        return wn_fail(err, WN_STOP, "features: out of memory");
    f->e = e;
    f->tokenizer = tokenizer;
    f->exits = *exits;
    f->width = exits->n * wn_encoder_shape(e)->hidden;
    f->fd = path == NULL ? open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                         : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (f->fd < 0) {
        rc = wn_fail(err, WN_REJECT, "%s: %s", path == NULL ? "/tmp" : path,
            strerror(errno));
        goto out;
    }
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
        rc = wn_fail(err, WN_REJECT, "%s: another training uses it", path);
        goto out;
    }
    rc = check_header(f, path, settings, err);
    if (rc == WN_OK)
        rc = index_file(f, err);
    if (rc != WN_OK)
        goto out;
    *ret = f;
    f = NULL;
out:
    wn_features_free(f);
    return rc;
}

void
wn_features_free(struct wn_features *f)
{
    if (f == NULL)
        return;
    unmap(f);
    if (f->fd >= 0)
        close(f->fd);
    free(f);
}

const float *
wn_features_find(const struct wn_features *f, struct wn_features_ask ask,
    size_t *ret_windows)
{
    size_t at = *slot_of(f, key_of(ask));
    const struct record *r = (const struct record *)(f->map + at);

    *ret_windows = at == 0 ? 0 : r->windows;
    return at == 0 ? NULL : (const float *)(r + 1);
}

/* --- computing --- */

/* What the threads share. `next`, `done`, `tokens`, `rc` and the file are
 * under the lock. */
struct work {
    struct wn_features *f;
    const struct wn_features_ask *ask;
    const uint32_t *todo;
    size_t todo_n, next, done, tokens;
    int64_t started_us, said_us;
    pthread_mutex_t lock;
    enum wn_status rc;
    struct wn_err err;
};

/* One thread's scratch and the batch that it fills. */
struct worker {
    struct work *work;
    struct wn_workspace *space;
    struct wn_reading reading;
    struct wn_arena arena;
    struct record records[BATCH_TEXTS]; /* in the batch */
    size_t records_n, windows_n, tokens;
    int32_t *ids;
    size_t offsets[BATCH_TOKENS / 2 + WN_WINDOWS_MAX + 1];
    float *pooled; /* (windows, exits, H) */
    float *last;   /* (windows, H) */
};

#define BATCH_TOKENS_MAX (BATCH_TOKENS + WN_WINDOWS_MAX * WN_WINDOW_TOKENS)
#define BATCH_WINDOWS_MAX (BATCH_TOKENS / 2 + WN_WINDOWS_MAX)

static enum wn_status
worker_init(struct worker *w, struct work *work, struct wn_err *err)
{
    enum wn_status rc;

    memset(w, 0, sizeof(*w));
    w->work = work;
    wn_arena_init(&w->arena, 1u << 20, 64u << 20);
    w->ids = malloc(BATCH_TOKENS_MAX * sizeof(*w->ids));
    w->pooled = malloc(BATCH_WINDOWS_MAX * work->f->width * sizeof(*w->pooled));
    w->last = malloc(BATCH_WINDOWS_MAX * wn_encoder_shape(work->f->e)->hidden *
                     sizeof(*w->last));
    if (w->ids == NULL || w->pooled == NULL || w->last == NULL)
        return wn_fail(err, WN_STOP, "features: out of memory");
    rc = wn_reading_init(&w->reading, wn_encoder_shape(work->f->e), err);
    if (rc != WN_OK)
        return rc;
    return wn_workspace_new(&w->space, work->f->e, BATCH_TOKENS_MAX, err);
}

static void
worker_release(struct worker *w)
{
    wn_workspace_free(w->space);
    wn_reading_release(&w->reading);
    wn_arena_release(&w->arena);
    free(w->ids);
    free(w->pooled);
    free(w->last);
}

/* Appends a text's windows to the batch. */
static enum wn_status
add_text(struct worker *w, struct wn_features_ask ask, struct wn_err *err)
{
    enum wn_status rc;

    wn_arena_reset(&w->arena);
    rc = wn_reading_run(&w->reading, w->work->f->tokenizer, &w->arena,
        ask.text.p, ask.text.len, NULL, 0, ask.windows_max, err);
    if (rc != WN_OK)
        return rc;
    for (size_t i = 0; i < w->reading.windows.n; i++) {
        const struct wn_window *win = &w->reading.windows.w[i];

        memcpy(w->ids + w->tokens, win->ids, win->n * sizeof(*w->ids));
        w->tokens += win->n;
        w->offsets[++w->windows_n] = w->tokens;
    }
    w->records[w->records_n++] = (struct record){ key_of(ask),
        (uint32_t)w->reading.windows.n, RECORD_CHECK };
    return WN_OK;
}

/* Fills the batch; false when nothing was left. */
static bool
fill_batch(struct worker *w, enum wn_status *rc, struct wn_err *err)
{
    struct work *work = w->work;

    w->records_n = w->windows_n = w->tokens = 0;
    while (*rc == WN_OK && w->tokens < BATCH_TOKENS &&
           w->windows_n < BATCH_TOKENS / 2 && w->records_n < BATCH_TEXTS) {
        size_t i;

        pthread_mutex_lock(&work->lock);
        i = work->rc == WN_OK ? work->next : work->todo_n;
        if (i < work->todo_n)
            work->next++;
        pthread_mutex_unlock(&work->lock);
        if (i >= work->todo_n)
            break;
        *rc = add_text(w, work->ask[work->todo[i]], err);
    }
    return w->records_n > 0;
}

static void
say_progress(struct work *work, bool last)
{
    int64_t now = wn_clock_mono_us();
    double s = (double)(now - work->started_us + 1) / 1e6;
    double left =
        s / (double)(work->done + 1) * (double)(work->todo_n - work->done);

    if (!last && now - work->said_us < PROGRESS_US)
        return;
    work->said_us = now;
    fprintf(stderr,
        "features: %zu of %zu texts, %.0f texts/s, %.0f tokens/s, %.0f s "
        "left\n",
        work->done, work->todo_n, (double)work->done / s,
        (double)work->tokens / s, left);
}

/* Under the lock: records with their numbers to the file. */
static enum wn_status
store_batch(struct worker *w, struct wn_err *err)
{
    size_t width = w->work->f->width;
    const float *at = w->pooled;
    enum wn_status rc = WN_OK;

    for (size_t i = 0; rc == WN_OK && i < w->records_n; i++) {
        size_t n = w->records[i].windows * width;

        rc = write_all(
            w->work->f->fd, &w->records[i], sizeof(w->records[i]), err);
        if (rc == WN_OK)
            rc = write_all(w->work->f->fd, at, n * sizeof(*at), err);
        at += n;
    }
    w->work->done += w->records_n;
    w->work->tokens += w->tokens;
    say_progress(w->work, false);
    return rc;
}

/* wn_exits.ask: everybody goes on. */
static void
keep_exit(void *arg, size_t layer, const float *pooled, const size_t *who,
    size_t n, bool *keep)
{
    struct worker *w = arg;
    const struct wn_features *f = w->work->f;
    size_t h = wn_encoder_shape(f->e)->hidden, e = 0;

    (void)keep;
    while (f->exits.after[e] != layer + 1)
        e++;
    for (size_t i = 0; i < n; i++)
        memcpy(w->pooled + who[i] * f->width + e * h, pooled + i * h,
            h * sizeof(*pooled));
}

static void
run_batch(struct worker *w)
{
    const struct wn_features *f = w->work->f;
    size_t h = wn_encoder_shape(f->e)->hidden;
    struct wn_exits exits = { 0, keep_exit, w };

    if (w->windows_n == 0)
        return;
    for (size_t e = 0; e + 1 < f->exits.n; e++)
        exits.after |= UINT64_C(1) << (f->exits.after[e] - 1);
    wn_encoder_run_exits(
        f->e, w->space, w->ids, w->offsets, w->windows_n, &exits, w->last);
    for (size_t i = 0; i < w->windows_n; i++)
        memcpy(w->pooled + i * f->width + (f->exits.n - 1) * h, w->last + i * h,
            h * sizeof(*w->last));
}

static void
work_batches(struct worker *w, struct wn_err *err)
{
    struct work *work = w->work;
    enum wn_status rc = WN_OK;

    while (fill_batch(w, &rc, err) && rc == WN_OK) {
        run_batch(w);
        pthread_mutex_lock(&work->lock);
        rc = store_batch(w, err);
        pthread_mutex_unlock(&work->lock);
        if (rc != WN_OK)
            break;
    }
    if (rc == WN_OK)
        return;
    pthread_mutex_lock(&work->lock);
    work->rc = rc;
    work->err = *err;
    pthread_mutex_unlock(&work->lock);
}

static void *
run_worker(void *arg)
{
    struct work *work = arg;
    struct worker *w = malloc(sizeof(*w));
    struct wn_err err = { "features: out of memory" };

    if (w != NULL && worker_init(w, work, &err) == WN_OK) {
        work_batches(w, &err);
    } else {
        pthread_mutex_lock(&work->lock);
        work->rc = WN_STOP;
        work->err = err;
        pthread_mutex_unlock(&work->lock);
    }
    if (w != NULL)
        worker_release(w);
    free(w);
    return NULL;
}

#define THREADS_MAX 64

static enum wn_status
run_workers(struct work *work, size_t threads, struct wn_err *err)
{
    pthread_t ids[THREADS_MAX];
    size_t n = 0;

    pthread_mutex_init(&work->lock, NULL);
    work->started_us = work->said_us = wn_clock_mono_us();
    while (n < threads && n < THREADS_MAX &&
           pthread_create(&ids[n], NULL, run_worker, work) == 0)
        n++;
    if (n == 0)
        run_worker(work); /* no thread to be had: this one does it */
    for (size_t i = 0; i < n; i++)
        pthread_join(ids[i], NULL);
    pthread_mutex_destroy(&work->lock);
    say_progress(work, true);
    if (work->rc != WN_OK)
        *err = work->err;
    return work->rc;
}

enum wn_status
wn_features_compute(struct wn_features *f, const struct wn_features_ask *ask,
    size_t n, size_t threads, struct wn_err *err)
{
    struct work work = { .f = f, .ask = ask, .rc = WN_OK };
    uint32_t *todo = malloc((n + 1) * sizeof(*todo));
    enum wn_status rc = WN_OK;

    if (todo == NULL)
        return wn_fail(err, WN_STOP, "features: out of memory");
    for (size_t i = 0; i < n; i++)
        if (*slot_of(f, key_of(ask[i])) == 0)
            todo[work.todo_n++] = (uint32_t)i;
    work.todo = todo;
    if (work.todo_n > 0)
        rc = run_workers(&work, threads, err);
    if (rc == WN_OK)
        rc = index_file(f, err);
    free(todo);
    return rc;
}
