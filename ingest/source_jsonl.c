/*
 * The JSON Lines source: a file, a folder's *.jsonl in the order of their
 * names, or standard input. Poll thread only; see jsonl_file.c for one file.
 *
 * Without follow the files are read one after another, and at most HELD_MAX
 * wait for the commit of their last records. With follow all are open, take
 * turns record by record, and the folder is looked through again and again.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "ingest/jsonl_int.h"

#define HELD_MAX 16
#define FILES_MAX 4096 /* a followed one is an open descriptor */
#define NAP_MS 50
#define SCAN_US 200000
/* Bytes of a line before any was read: of a guess at lag. */
#define LINE_GUESS 512

struct jsonl {
    struct wn_source source;
    struct wn_source_conf conf;
    struct wn_file_env env;
    uint64_t generation;
    char *folder; /* NULL for one file */
    struct wn_file **files;
    size_t files_n, turn;
    bool paused;
    char fenced[PATH_MAX]; /* a file that another process took */
    int64_t scanned_us;
    uint64_t lines, bytes; /* handed out */
};

/* --- which files --- */

/* Where the path is among the files, or belongs: they are in order. */
static size_t
place_of(const struct jsonl *s, const char *path, bool *ret_there)
{
    size_t low = 0, high = s->files_n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int cmp = strcmp(s->files[mid]->path, path);

        if (cmp == 0) {
            *ret_there = true;
            return mid;
        }
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *ret_there = false;
    return low;
}

/*
 * A followed folder whose files are rotated has more names in its life than
 * may be open at once: when the list is full, the first that is not there any
 * more is forgotten. Not before, because a name that comes again within one
 * run is a new file and needs no --ingest.from-start.
 */
static bool
forget_gone(struct jsonl *s)
{
    struct stat sb;

    for (size_t i = 0; s->env.follow && i < s->files_n; i++) {
        struct wn_file *f = s->files[i];

        if (f->state != WN_FILE_WAITING || f->held || stat(f->path, &sb) == 0 ||
            errno != ENOENT)
            continue;
        wn_file_free(f, &s->env);
        s->files_n--;
        memmove(s->files + i, s->files + i + 1,
            (s->files_n - i) * sizeof(*s->files));
        return true;
    }
    return false;
}

static enum wn_status
add_file(struct jsonl *s, const char *path, struct wn_err *err)
{
    struct wn_file **files, *f;
    struct stat sb;
    bool there;
    size_t at = place_of(s, path, &there);

    if (there)
        return WN_OK;
    if (s->files_n == FILES_MAX && forget_gone(s))
        at = place_of(s, path, &there);
    if (s->files_n == FILES_MAX)
        return wn_fail(err, WN_STOP,
            "ingest.path: %s: over %d *.jsonl files; give each folder at most "
            "that many",
            s->folder, FILES_MAX);
    files = realloc(s->files, (s->files_n + 1) * sizeof(*files));
    if (files == NULL)
        return wn_fail(err, WN_STOP, "jsonl: out of memory");
    s->files = files;
    f = wn_file_new(path);
    if (f == NULL)
        return wn_fail(err, WN_STOP, "jsonl: out of memory");
    if (stat(path, &sb) == 0)
        f->size = sb.st_size;
    memmove(files + at + 1, files + at, (s->files_n - at) * sizeof(*files));
    files[at] = f;
    s->files_n++;
    return WN_OK;
}

static int
is_jsonl(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return n > 6 && e->d_name[0] != '.' &&
           strcmp(e->d_name + n - 6, ".jsonl") == 0;
}

/* By bytes, whatever the locale: the order is part of what a run does. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum wn_status
scan_folder(struct jsonl *s, struct wn_err *err)
{
    struct dirent **names = NULL;
    enum wn_status rc = WN_OK;
    char path[PATH_MAX + 256];
    int i, n = scandir(s->folder, &names, is_jsonl, by_name);

    if (n < 0)
        return wn_fail(
            err, WN_STOP, "ingest.path: %s: %s", s->folder, strerror(errno));
    for (i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", s->folder, names[i]->d_name);
        if (rc == WN_OK)
            rc = add_file(s, path, err);
        free(names[i]);
    }
    free(names);
    return rc;
}

/* The path as the cursor names it: absolute and real, also of a file that is
 * yet to come (its folder has to be there). malloc()ed; NULL with errno. */
static char *
real_path(const char *path, bool follow)
{
    const char *slash = strrchr(path, '/');
    char *real = realpath(path, NULL), *folder, *ret = NULL;

    if (real != NULL || errno != ENOENT || !follow)
        return real;
    folder = slash == NULL   ? strdup(".")
             : slash == path ? strdup("/")
                             : strndup(path, (size_t)(slash - path));
    if (folder != NULL)
        real = realpath(folder, NULL);
    if (real != NULL &&
        asprintf(&ret, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
            slash == NULL ? path : slash + 1) < 0)
        ret = NULL;
    free(folder);
    free(real);
    return ret;
}

static enum wn_status
find_files(struct jsonl *s, struct wn_err *err)
{
    const char *path = wn_opt_str(s->conf.options, WN_OPT_INGEST_PATH);
    char *real;
    struct stat sb;
    enum wn_status rc;

    if (strcmp(path, "-") == 0)
        return add_file(s, path, err);
    real = real_path(path, s->env.follow);
    if (real == NULL)
        return wn_fail(
            err, WN_REJECT, "ingest.path: %s: %s", path, strerror(errno));
    if (stat(real, &sb) == 0 && S_ISDIR(sb.st_mode)) {
        s->folder = real;
        return scan_folder(s, err);
    }
    rc = add_file(s, real, err);
    free(real);
    return rc;
}

/* --- polling --- */

static void
nap(int ms)
{
    struct timespec ts = { .tv_sec = ms / 1000,
        .tv_nsec = ms % 1000 * 1000000L };

    nanosleep(&ts, NULL);
}

/* One step with one file; *ret_busy: it is worth calling again at once. */
static enum wn_status
step_file(struct jsonl *s, struct wn_file *f, int wait_ms, struct wn_item **ret,
    bool *ret_busy, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    switch (f->state) {
    case WN_FILE_WAITING:
        rc = wn_file_open(f, &s->env, err);
        *ret_busy = rc == WN_OK && f->state != WN_FILE_WAITING;
        break;
    case WN_FILE_READING:
        rc = wn_file_read(f, &s->env, wait_ms, ret, ret_busy, err);
        *ret_busy = *ret_busy || f->state != WN_FILE_READING;
        break;
    case WN_FILE_ENDED:
        wn_file_settle(f, &s->env);
        break;
    case WN_FILE_DONE:
        break;
    }
    return rc;
}

/* One after another; files at their end wait for their commits meanwhile. */
static enum wn_status
step_in_order(struct jsonl *s, int wait_ms, struct wn_item **ret,
    bool *ret_busy, struct wn_err *err)
{
    size_t held = 0;

    for (; s->turn < s->files_n; s->turn++)
        if (s->files[s->turn]->state != WN_FILE_DONE)
            break;
    for (size_t i = s->turn; i < s->files_n && held < HELD_MAX; i++) {
        struct wn_file *f = s->files[i];
        const bool open =
            f->state == WN_FILE_WAITING || f->state == WN_FILE_READING;
        enum wn_status rc = step_file(s, f, wait_ms, ret, ret_busy, err);

        if (rc != WN_OK || *ret != NULL || open)
            return rc;
        held += f->state == WN_FILE_ENDED;
    }
    return WN_OK;
}

static enum wn_status
step_in_turn(struct jsonl *s, int wait_ms, struct wn_item **ret, bool *ret_busy,
    struct wn_err *err)
{
    const int64_t now = wn_clock_mono_us();
    enum wn_status rc = WN_OK;

    if (s->folder != NULL && now - s->scanned_us >= SCAN_US) {
        rc = scan_folder(s, err);
        s->scanned_us = now;
    }
    for (size_t i = 0; i < s->files_n && rc == WN_OK && *ret == NULL; i++) {
        bool busy = false;

        s->turn = (s->turn + 1) % s->files_n;
        rc = step_file(s, s->files[s->turn], wait_ms, ret, &busy, err);
        *ret_busy = *ret_busy || busy;
    }
    return rc;
}

static bool
is_input(const struct jsonl *s)
{
    return s->files_n == 1 && s->files[0]->input;
}

static bool
jsonl_drained(const struct wn_source *source)
{
    const struct jsonl *s = (const struct jsonl *)source;
    size_t i;

    if (s->env.follow && !is_input(s))
        return false;
    for (i = s->turn; i < s->files_n; i++)
        if (s->files[i]->state < WN_FILE_ENDED)
            return false;
    return true;
}

static enum wn_status
jsonl_poll(struct wn_source *source, int timeout_ms, struct wn_item **ret,
    struct wn_err *err)
{
    struct jsonl *s = (struct jsonl *)source;
    const int64_t until = wn_clock_mono_us() + (int64_t)timeout_ms * 1000;
    int64_t left_ms = timeout_ms;
    enum wn_status rc;
    bool busy;

    *ret = NULL;
    if (s->fenced[0] != '\0')
        return wn_fail(err, WN_STOP, "%s: another process reads it", s->fenced);
    while (!*s->conf.stop) {
        int wait_ms = left_ms < NAP_MS ? (int)left_ms : NAP_MS;

        busy = false;
        if (!s->paused) {
            rc = s->env.follow ? step_in_turn(s, wait_ms, ret, &busy, err)
                               : step_in_order(s, wait_ms, ret, &busy, err);
            if (rc != WN_OK)
                return rc;
            if (*ret != NULL) {
                s->lines++;
                s->bytes += (uint64_t)((*ret)->rec.next - (*ret)->rec.offset);
                return WN_OK;
            }
        }
        left_ms = (until - wn_clock_mono_us()) / 1000;
        if (left_ms <= 0)
            break;
        if (!busy)
            nap(left_ms < NAP_MS ? (int)left_ms : NAP_MS);
    }
    return WN_OK;
}

/* --- the rest of the interface --- */

static void
jsonl_pause(struct wn_source *source, bool paused)
{
    ((struct jsonl *)source)->paused = paused;
}

static struct wn_file *
find_source(struct jsonl *s, int32_t source)
{
    size_t i;

    for (i = 0; i < s->files_n; i++)
        if (s->files[i]->held && s->files[i]->claim.source == source)
            return s->files[i];
    return NULL;
}

static void
jsonl_committed(struct wn_source *source, int32_t number, int64_t next)
{
    struct wn_file *f = find_source((struct jsonl *)source, number);

    if (f != NULL && next > f->committed)
        f->committed = next;
}

static void
jsonl_fenced(struct wn_source *source, int32_t number)
{
    struct jsonl *s = (struct jsonl *)source;
    struct wn_file *f = find_source(s, number);

    if (f == NULL)
        return;
    snprintf(s->fenced, sizeof(s->fenced), "%s", f->path);
    wn_file_drop(f);
}

/* Lines that are not read yet can only be guessed, by the mean so far. */
static int64_t
jsonl_lag(struct wn_source *source)
{
    const struct jsonl *s = (const struct jsonl *)source;
    int64_t behind = 0;
    double mean =
        s->lines == 0 ? LINE_GUESS : (double)s->bytes / (double)s->lines;
    size_t i;

    if (is_input(s) && !jsonl_drained(source))
        return -1;
    for (i = 0; i < s->files_n; i++)
        behind += wn_file_behind(s->files[i]);
    return behind == 0 ? 0 : 1 + (int64_t)((double)behind / mean);
}

static void
jsonl_close(struct wn_source *source)
{
    struct jsonl *s = (struct jsonl *)source;
    size_t i;

    for (i = 0; i < s->files_n; i++)
        wn_file_free(s->files[i], &s->env);
    free(s->files);
    free(s->folder);
    free(s);
}

static const struct wn_source_ops ops = {
    .poll = jsonl_poll,
    .pause = jsonl_pause,
    .committed = jsonl_committed,
    .fenced = jsonl_fenced,
    .lag = jsonl_lag,
    .drained = jsonl_drained,
    .close = jsonl_close,
};

enum wn_status
wn_source_jsonl_open(struct wn_source **ret, const struct wn_source_conf *conf,
    struct wn_err *err)
{
    struct jsonl *s = calloc(1, sizeof(*s));
    const struct wn_options *o = conf->options;
    enum wn_status rc;

    if (s == NULL)
        return wn_fail(err, WN_STOP, "jsonl: out of memory");
    s->source.ops = &ops;
    s->conf = *conf;
    s->env.conf = &s->conf;
    s->env.line_max = (size_t)wn_opt_int(o, WN_OPT_INGEST_POST_BYTES);
    s->env.follow = wn_opt_bool(o, WN_OPT_INGEST_FOLLOW);
    s->env.from_start = wn_opt_bool(o, WN_OPT_INGEST_FROM_START);
    s->env.generation = &s->generation;
    rc = find_files(s, err);
    if (rc == WN_OK && s->files_n == 0 && !s->env.follow)
        rc = wn_fail(err, WN_REJECT, "ingest.path: %s: no *.jsonl file in it",
            s->folder);
    if (rc != WN_OK) {
        jsonl_close(&s->source);
        return rc;
    }
    *ret = &s->source;
    return WN_OK;
}
