/*
 * One file of JSON Lines. Poll thread only.
 *
 * Its cursor in the store has a name that stays true while the file grows:
 * absolute path and the hash of its first bytes, at most 4 KiB. Rows of one
 * claim carry byte offsets of one file and no other: what is put in its place
 * (rotation, truncation) is a new source, claimed only after the last record of
 * the old one was committed, so that the newest row of a path is always the
 * file that was read last.
 */
#include "ingest/jsonl_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Between two looks at a path, and before a file that left it is given up:
 * its writer may still be at its last line. */
#define LOOK_US 200000

struct wn_file *
wn_file_new(const char *path)
{
    struct wn_file *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->fd = -1;
    f->input = strcmp(path, "-") == 0;
    f->path = strdup(path);
    if (f->path == NULL) {
        free(f);
        return NULL;
    }
    return f;
}

static void
close_file(struct wn_file *f)
{
    if (f->fd >= 0 && !f->input)
        close(f->fd);
    f->fd = -1;
    wn_lines_release(&f->lines);
}

/* Tells ingest, then the store. A store that is away keeps the claim; the
 * next one sees that this process is gone. */
static void
release(struct wn_file *f, const struct wn_file_env *env)
{
    const struct wn_source_conf *conf = env->conf;
    struct wn_err err;

    if (!f->held)
        return;
    if (conf->events.revoked != NULL)
        conf->events.revoked(
            conf->events.arg, f->claim.source, f->generation, false);
    if (conf->store != NULL)
        (void)wn_store_release(conf->store, &f->claim, &err);
    f->held = false;
}

void
wn_file_free(struct wn_file *f, const struct wn_file_env *env)
{
    if (f == NULL)
        return;
    release(f, env);
    close_file(f);
    free(f->path);
    free(f);
}

void
wn_file_drop(struct wn_file *f)
{
    close_file(f);
    f->held = false;
    f->state = WN_FILE_DONE;
}

/* --- identity --- */

/* "<n>:<hex of SHA-256>" over the first n bytes; n as found. */
static enum wn_status
ident_of(struct wn_file *f, size_t n, char out[WN_IDENT_MAX], size_t *ret_n,
    struct wn_err *err)
{
    char head[WN_IDENT_HEAD], hex[2 * WN_SHA256 + 1];
    uint8_t hash[WN_SHA256];
    size_t have = 0;
    ssize_t got;

    while (have < n) {
        got = pread(f->fd, head + have, n - have, (off_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return wn_fail(
                err, WN_STOP, "%s: read: %s", f->path, strerror(errno));
        if (got == 0)
            break;
        have += (size_t)got;
    }
    wn_sha256(head, have, hash);
    wn_hex(hash, sizeof(hash), hex);
    snprintf(out, WN_IDENT_MAX, "%zu:%s", have, hex);
    *ret_n = have;
    return WN_OK;
}

static struct wn_source_name
name_of(const struct wn_file *f, const char *ident)
{
    return (struct wn_source_name){
        .kind = "file",
        .cluster = "",
        .topic = f->path,
        .ident = ident,
    };
}

/* Whether the file begins with the bytes that `ident` was made over. */
static enum wn_status
begins_as(struct wn_file *f, const char *ident, bool *ret, struct wn_err *err)
{
    char now[WN_IDENT_MAX];
    size_t n = strtoul(ident, NULL, 10), have, len;
    enum wn_status rc;

    *ret = false;
    if (n == 0 || n > WN_IDENT_HEAD)
        return WN_OK;
    rc = ident_of(f, n, now, &have, err);
    /* the ident of a file that was begun again has more behind the hash */
    len = strlen(now);
    if (rc == WN_OK && have == n && strncmp(now, ident, len) == 0 &&
        (ident[len] == '\0' || ident[len] == ':'))
        *ret = true;
    return rc;
}

/* The ident over what is there, made different from any that is known. */
static enum wn_status
new_ident(struct wn_file *f, const struct wn_file_env *env, struct wn_err *err)
{
    struct wn_source_name name = name_of(f, f->ident);
    enum wn_status rc;
    bool self, sister;

    rc = ident_of(f, WN_IDENT_HEAD, f->ident, &f->hashed, err);
    if (rc != WN_OK || env->conf->store == NULL)
        return rc;
    rc = wn_store_known(env->conf->store, &name, &self, &sister, NULL, err);
    if (rc == WN_OK && self) {
        size_t len = strlen(f->ident);

        snprintf(f->ident + len, WN_IDENT_MAX - len, ":%llx",
            (unsigned long long)wn_clock_now_us());
        f->hashed = WN_IDENT_HEAD; /* it is not made again as it grows */
    }
    return rc;
}

/* Which cursor is this file's: the newest of its path, one that is known by
 * all of the head, or none. */
static enum wn_status
find_ident(struct wn_file *f, const struct wn_file_env *env, bool *ret_other,
    struct wn_err *err)
{
    struct wn_source_name name = name_of(f, f->ident);
    char newest[WN_IDENT_MAX] = "";
    enum wn_status rc;
    bool self, sister, same;

    *ret_other = false;
    if (env->conf->store == NULL || f->again)
        return new_ident(f, env, err);
    rc = ident_of(f, WN_IDENT_HEAD, f->ident, &f->hashed, err);
    if (rc == WN_OK)
        rc = wn_store_known(
            env->conf->store, &name, &self, &sister, newest, err);
    if (rc == WN_OK)
        rc = begins_as(f, newest, &same, err);
    if (rc != WN_OK)
        return rc;
    if (same) {
        f->hashed = strchr(newest, ':') != strrchr(newest, ':')
                        ? WN_IDENT_HEAD
                        : strtoul(newest, NULL, 10);
        snprintf(f->ident, sizeof(f->ident), "%s", newest);
    } else {
        *ret_other = newest[0] != '\0' && !self;
    }
    return WN_OK;
}

static enum wn_status
refuse(const struct wn_file *f, const char *why, struct wn_err *err)
{
    return wn_fail(err, WN_STOP,
        "%s %s; --ingest.from-start reads it from its first byte", f->path,
        why);
}

/* Standard input has rows, so it needs a source, but nothing to go on from:
 * its ident is this run's alone. */
static void
input_ident(struct wn_file *f)
{
    uint8_t random[16];
    char hex[2 * sizeof(random) + 1];

    wn_random(random, sizeof(random));
    wn_hex(random, sizeof(random), hex);
    snprintf(f->ident, sizeof(f->ident), "0:%s", hex);
    f->hashed = WN_IDENT_HEAD;
}

/* As the file grows its ident comes to be over 4 KiB. Where the database is
 * away the shorter one does: it is over the same first bytes. */
static void
grow_ident(struct wn_file *f, const struct wn_file_env *env)
{
    char ident[WN_IDENT_MAX];
    struct wn_err err;
    size_t n;

    if (env->conf->store == NULL || f->hashed >= WN_IDENT_HEAD ||
        f->read_at < WN_IDENT_HEAD)
        return;
    if (ident_of(f, WN_IDENT_HEAD, ident, &n, &err) != WN_OK ||
        n < WN_IDENT_HEAD)
        return;
    if (wn_store_reident(env->conf->store, &f->claim, ident, &err) == WN_OK)
        snprintf(f->ident, sizeof(f->ident), "%s", ident);
    f->hashed = n;
}

/* --- opening --- */

static void
begin(struct wn_file *f, const struct wn_file_env *env)
{
    const struct wn_source_events *events = &env->conf->events;

    f->state = WN_FILE_READING;
    f->held = true;
    f->generation = ++*env->generation;
    f->read_at = f->last_next = f->committed = f->claim.next_offset;
    f->gone_us = 0;
    f->vanished = f->again = false;
    wn_lines_init(&f->lines, env->line_max, f->read_at);
    if (events->assigned != NULL)
        events->assigned(events->arg, &f->claim, f->generation);
}

/* f->ident is settled: takes the cursor of that name. */
static enum wn_status
claim(struct wn_file *f, const struct wn_file_env *env, struct wn_err *err)
{
    struct wn_source_name name = name_of(f, f->ident);

    if (env->conf->store != NULL)
        return wn_store_claim(env->conf->store, &name, 0, &f->claim, err);
    memset(&f->claim, 0, sizeof(f->claim));
    f->claim.source = (int32_t)*env->generation + 1;
    f->claim.leader_epoch = -1;
    f->claim.attempt_offset = -1;
    return WN_OK;
}

/* A cursor beyond the end is of a longer file than this one. */
static enum wn_status
claim_anew(struct wn_file *f, const struct wn_file_env *env, const char *why,
    struct wn_err *err)
{
    enum wn_status rc;

    if (!env->from_start)
        return refuse(f, why, err);
    rc = new_ident(f, env, err);
    return rc == WN_OK ? claim(f, env, err) : rc;
}

static enum wn_status
claim_file(struct wn_file *f, const struct wn_file_env *env, struct wn_err *err)
{
    enum wn_status rc;
    struct wn_err ignored;
    bool other;

    rc = find_ident(f, env, &other, err);
    if (rc != WN_OK)
        return rc;
    if (other)
        return claim_anew(
            f, env, "is another file than the one read before", err);
    rc = claim(f, env, err);
    if (rc != WN_OK || f->claim.next_offset <= f->size)
        return rc;
    (void)wn_store_release(env->conf->store, &f->claim, &ignored);
    return claim_anew(f, env, "is shorter than what was read of it", err);
}

/* Whether there is a line to begin with: an identity needs bytes, and a line
 * being written may still be taken back by its writer's editor. */
static bool
has_line(struct wn_file *f)
{
    char head[WN_IDENT_HEAD];
    ssize_t n = pread(f->fd, head, sizeof(head), 0);

    return n == (ssize_t)sizeof(head) ||
           (n > 0 && memchr(head, '\n', (size_t)n) != NULL);
}

static enum wn_status
open_path(struct wn_file *f, const struct wn_file_env *env, bool *ret_there,
    struct wn_err *err)
{
    struct stat sb;

    *ret_there = false;
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 && errno == ENOENT && env->follow)
        return WN_OK;
    if (f->fd < 0 || fstat(f->fd, &sb) != 0)
        return wn_fail(err, WN_STOP, "%s: %s", f->path, strerror(errno));
    if (!S_ISREG(sb.st_mode))
        return wn_fail(err, WN_STOP, "%s: not a file", f->path);
    f->dev = sb.st_dev;
    f->ino = sb.st_ino;
    f->size = sb.st_size;
    f->time_us =
        sb.st_mtim.tv_sec * INT64_C(1000000) + sb.st_mtim.tv_nsec / 1000;
    *ret_there = env->follow ? has_line(f) : f->size > 0;
    return WN_OK;
}

static enum wn_status
open_input(struct wn_file *f, const struct wn_file_env *env, struct wn_err *err)
{
    enum wn_status rc;

    f->fd = STDIN_FILENO;
    f->time_us = wn_clock_now_us();
    if (f->ident[0] == '\0')
        input_ident(f);
    rc = claim(f, env, err);
    if (rc == WN_OK)
        begin(f, env);
    return rc;
}

enum wn_status
wn_file_open(
    struct wn_file *f, const struct wn_file_env *env, struct wn_err *err)
{
    enum wn_status rc;
    bool there;

    if (f->input)
        return open_input(f, env, err);
    rc = open_path(f, env, &there, err);
    if (rc == WN_OK && there)
        rc = claim_file(f, env, err);
    if (rc == WN_OK && there) {
        begin(f, env);
        return WN_OK;
    }
    close_file(f);
    if (rc == WN_OK && !env->follow)
        f->state = WN_FILE_DONE;
    return rc;
}

/* --- reading --- */

static enum wn_status
make_item(struct wn_file *f, const struct wn_line *line, struct wn_item **ret,
    struct wn_err *err)
{
    struct wn_item *item = wn_item_new((1u << 20) + 16 * line->len);
    char *raw = NULL;

    if (item != NULL)
        raw = wn_arena_strndup(&item->arena, line->p, line->len);
    if (raw == NULL) {
        wn_item_free(item);
        return wn_fail(err, WN_STOP, "%s: out of memory", f->path);
    }
    item->rec.source = f->claim.source;
    item->rec.offset = line->start;
    item->rec.next = line->next;
    item->rec.time_us = WN_TIME_UNKNOWN;
    item->rec.fallback_us = f->time_us;
    item->rec.leader_epoch = -1;
    item->rec.generation = f->generation;
    item->rec.raw = (struct wn_str){ raw, line->len };
    item->bytes = line->len + sizeof(*item);
    f->last_next = line->next;
    *ret = item;
    return WN_OK;
}

/* Bytes into the lines: *ret 0 at the end, -1 where none came in time. */
static enum wn_status
read_bytes(struct wn_file *f, int wait_ms, ssize_t *ret, struct wn_err *err)
{
    struct pollfd pfd = { .fd = f->fd, .events = POLLIN };
    size_t room;
    char *p;

    if (f->input && poll(&pfd, 1, wait_ms) <= 0) {
        *ret = -1;
        return WN_OK;
    }
    p = wn_lines_room(&f->lines, &room);
    if (p == NULL)
        return wn_fail(err, WN_STOP, "%s: out of memory", f->path);
    *ret = f->input ? read(f->fd, p, room)
                    : pread(f->fd, p, room, (off_t)f->read_at);
    if (*ret < 0 && errno != EINTR && errno != EAGAIN)
        return wn_fail(err, WN_STOP, "%s: read: %s", f->path, strerror(errno));
    if (*ret > 0) {
        wn_lines_add(&f->lines, (size_t)*ret);
        f->read_at += *ret;
    }
    return WN_OK;
}

/* Has the path left this file, or the file become shorter? Looked at five
 * times a second; only then is the end of a followed file an end. */
static bool
has_left(struct wn_file *f)
{
    const int64_t now = wn_clock_mono_us();
    struct stat sb;

    if (now - f->checked_us < LOOK_US)
        return false;
    f->checked_us = now;
    if (fstat(f->fd, &sb) == 0) {
        f->size = sb.st_size;
        if (sb.st_size < f->read_at) {
            f->again = true;
            return true;
        }
    }
    if (stat(f->path, &sb) == 0 && sb.st_dev == f->dev && sb.st_ino == f->ino) {
        f->gone_us = 0;
        return false;
    }
    if (f->gone_us == 0) {
        f->gone_us = now;
        return false;
    }
    f->vanished = f->again = true;
    return true;
}

static enum wn_status
read_end(struct wn_file *f, const struct wn_file_env *env, struct wn_item **ret,
    struct wn_err *err)
{
    struct wn_line line;
    enum wn_status rc = WN_OK;

    if (env->follow && !f->input && !has_left(f))
        return WN_OK;
    /* of a file that was cut short, the line in hand is no more */
    if ((!f->again || f->vanished) && wn_lines_last(&f->lines, &line) &&
        !wn_line_is_blank(&line))
        rc = make_item(f, &line, ret, err);
    if (rc == WN_OK) {
        f->size = f->read_at;
        f->state = WN_FILE_ENDED;
        close_file(f);
    }
    return rc;
}

enum wn_status
wn_file_read(struct wn_file *f, const struct wn_file_env *env, int wait_ms,
    struct wn_item **ret, bool *ret_more, struct wn_err *err)
{
    struct wn_line line;
    enum wn_status rc;
    ssize_t got;

    *ret = NULL;
    *ret_more = false;
    while (wn_lines_next(&f->lines, &line))
        if (!wn_line_is_blank(&line))
            return make_item(f, &line, ret, err);
    rc = read_bytes(f, wait_ms, &got, err);
    if (rc != WN_OK || got < 0)
        return rc;
    if (got == 0)
        return read_end(f, env, ret, err);
    f->gone_us = 0;
    grow_ident(f, env);
    *ret_more = true;
    return WN_OK;
}

void
wn_file_settle(struct wn_file *f, const struct wn_file_env *env)
{
    if (f->held && env->conf->store != NULL && f->committed < f->last_next)
        return;
    release(f, env);
    f->state = env->follow && !f->input ? WN_FILE_WAITING : WN_FILE_DONE;
}

int64_t
wn_file_behind(const struct wn_file *f)
{
    int64_t end = f->size > f->read_at ? f->size : f->read_at;

    if (f->state == WN_FILE_DONE)
        return 0;
    if (f->state == WN_FILE_WAITING)
        return f->size;
    /* what stands after the last record are blank lines, or the beginning of
     * a line that is still being written */
    if (f->state == WN_FILE_ENDED ||
        (f->read_at >= f->size && f->lines.scanned == f->lines.have))
        end = f->last_next;
    return end > f->committed ? end - f->committed : 0;
}
