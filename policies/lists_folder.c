/*
 * Lists from files of a folder, read again when they change. One thread looks
 * and reads; rules go on with the set that there is.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policies/lists_int.h"

/* --- names --- */

static bool
ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

static bool
is_passed_over(const char *name)
{
    return name[0] == '.' || ends_with(name, "~") || ends_with(name, ".tmp");
}

/* "scam-domains.domain": name and kind. */
static bool
split_name(
    const char *file, char name[WN_LIST_NAME_MAX + 1], enum wn_list_kind *ret)
{
    const char *dot = strrchr(file, '.');
    size_t len = dot != NULL ? (size_t)(dot - file) : 0;

    if (len == 0 || len > WN_LIST_NAME_MAX)
        return false;
    for (int k = 0; k < WN_LIST_KINDS; k++) {
        if (strcmp(dot + 1, wn_list_kind_names[k]) == 0) {
            memcpy(name, file, len);
            name[len] = '\0';
            *ret = (enum wn_list_kind)k;
            return true;
        }
    }
    return false;
}

/* --- one file --- */

static bool
same_stamp(const struct wn_list_stamp *a, const struct wn_list_stamp *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->time_s == b->time_s &&
           a->time_ns == b->time_ns;
}

static struct wn_list_stamp
stamp_of(const struct stat *st)
{
    return (struct wn_list_stamp){ .device = (uint64_t)st->st_dev,
        .inode = (uint64_t)st->st_ino,
        .size = st->st_size,
        .time_s = st->st_mtim.tv_sec,
        .time_ns = st->st_mtim.tv_nsec };
}

/* A list of this name is of one file. */
static enum wn_status
check_alone(const struct wn_lists *ls, const struct wn_list_file *f,
    const char *name, struct wn_err *err)
{
    char other[WN_LIST_NAME_MAX + 1];
    enum wn_list_kind kind;

    for (size_t i = 0; i < ls->files_n; i++) {
        const struct wn_list_file *g = &ls->files[i];

        if (g != f && g->here && split_name(g->name, other, &kind) &&
            strcmp(other, name) == 0)
            return wn_fail(err, WN_REJECT, "%s: %s and %s are both a list '%s'",
                ls->folder, g->name, f->name, name);
    }
    return WN_OK;
}

static enum wn_status
read_list(struct wn_lists *ls, struct wn_list_file *f, struct wn_err *err)
{
    char path[PATH_MAX], name[WN_LIST_NAME_MAX + 1];
    enum wn_list_kind kind;
    struct wn_list *l;
    enum wn_status rc;

    f->tried = f->seen;
    if (!split_name(f->name, name, &kind))
        return wn_fail(err, WN_REJECT,
            "%s/%s: the name of a list's file ends in .exact, .domain or .cidr",
            ls->folder, f->name);
    if (snprintf(path, sizeof(path), "%s/%s", ls->folder, f->name) >=
        (int)sizeof(path))
        return wn_fail(err, WN_REJECT, "%s: the path is too long", ls->folder);
    rc = check_alone(ls, f, name, err);
    if (rc == WN_OK)
        rc = wn_list_open(&l, name, kind, path, err);
    return rc == WN_OK ? wn_lists_put(ls, l, err) : rc;
}

/* --- the folder --- */

static struct wn_list_file *
file_of(struct wn_lists *ls, const char *name)
{
    struct wn_list_file *f;

    for (size_t i = 0; i < ls->files_n; i++)
        if (strcmp(ls->files[i].name, name) == 0)
            return &ls->files[i];
    if (ls->files_n == WN_LISTS_MAX || strlen(name) >= sizeof(f->name))
        return NULL;
    f = &ls->files[ls->files_n++];
    memset(f, 0, sizeof(*f));
    memcpy(f->name, name, strlen(name));
    return f;
}

/* Reads it where it is new: at once, or when it stood still for a look. */
static enum wn_status
look_at(struct wn_lists *ls, const char *name, const struct stat *st,
    bool at_once, bool *ret_changed, struct wn_err *err)
{
    struct wn_list_file *f = file_of(ls, name);
    struct wn_list_stamp stamp = stamp_of(st);
    bool still;
    enum wn_status rc;

    if (f == NULL)
        return wn_fail(err, WN_REJECT,
            "%s/%s: there are at most %d lists, with names of %d bytes",
            ls->folder, name, WN_LISTS_MAX, WN_LIST_NAME_MAX);
    still = f->here && same_stamp(&stamp, &f->seen);
    f->here = true;
    f->missed = false;
    f->seen = stamp;
    if (same_stamp(&stamp, &f->tried) || (!still && !at_once))
        return WN_OK;
    rc = read_list(ls, f, err);
    *ret_changed = *ret_changed || rc == WN_OK;
    return rc;
}

/* What is gone is told once; its list stays. */
static enum wn_status
look_for_gone(
    struct wn_lists *ls, const bool found[WN_LISTS_MAX], struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < ls->files_n; i++) {
        struct wn_list_file *f = &ls->files[i];

        if (found[i] || f->missed)
            continue;
        f->missed = !f->here; /* for two looks */
        f->here = false;
        if (f->missed && rc == WN_OK)
            rc = wn_fail(err, WN_REJECT,
                "%s/%s is gone: the list stays as it was until the next start",
                ls->folder, f->name);
    }
    return rc;
}

static enum wn_status
look(struct wn_lists *ls, bool at_once, bool *ret_changed, struct wn_err *err)
{
    bool found[WN_LISTS_MAX] = { false };
    enum wn_status rc = WN_OK, one;
    struct wn_err why;
    struct dirent *e;
    struct stat st;
    DIR *dir = opendir(ls->folder);

    if (dir == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", ls->folder, strerror(errno));
    while ((e = readdir(dir)) != NULL) {
        if (is_passed_over(e->d_name) ||
            fstatat(dirfd(dir), e->d_name, &st, 0) != 0 || S_ISDIR(st.st_mode))
            continue;
        one = look_at(ls, e->d_name, &st, at_once, ret_changed, &why);
        for (size_t i = 0; i < ls->files_n; i++)
            found[i] = found[i] || strcmp(ls->files[i].name, e->d_name) == 0;
        if (one != WN_OK && rc == WN_OK)
            rc = wn_fail(err, one, "%s", why.text);
    }
    closedir(dir);
    return rc == WN_OK ? look_for_gone(ls, found, err) : rc;
}

enum wn_status
wn_lists_read_folder(struct wn_lists *ls, struct wn_err *err)
{
    bool changed = false;

    return look(ls, true, &changed, err);
}

enum wn_status
wn_lists_poll(struct wn_lists *ls, bool *ret_changed, struct wn_err *err)
{
    *ret_changed = false;
    return ls->folder == NULL ? WN_OK : look(ls, false, ret_changed, err);
}

/* --- the watch --- */

/* Waits for the period; false once it is to end. */
static bool
wait(struct wn_lists *ls)
{
    struct timespec until;
    bool stop;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ls->watch.period_ms / 1000;
    until.tv_nsec += ls->watch.period_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&ls->stop_lock);
    while (!ls->stop &&
           pthread_cond_timedwait(&ls->stop_cond, &ls->stop_lock, &until) == 0)
        ;
    stop = ls->stop;
    pthread_mutex_unlock(&ls->stop_lock);
    return !stop;
}

static enum wn_status
poll_now(struct wn_lists *ls, bool *ret_changed, struct wn_err *err)
{
    *ret_changed = false;
    return ls->watch.poll == NULL
               ? wn_lists_poll(ls, ret_changed, err)
               : ls->watch.poll(ls->watch.arg, ls, ret_changed, err);
}

/* What is wrong at each look is told at the first. */
static void *
watch(void *arg)
{
    struct wn_lists *ls = arg;
    struct wn_err err = { "" }, told = { "" };
    bool changed;

    while (wait(ls)) {
        enum wn_status rc = poll_now(ls, &changed, &err);

        if (changed)
            ls->watch.tell(ls->watch.arg, ls, NULL);
        if (rc != WN_OK && strcmp(err.text, told.text) != 0)
            ls->watch.tell(ls->watch.arg, ls, &err);
        if (rc != WN_OK)
            told = err;
        else
            told.text[0] = '\0';
    }
    return NULL;
}

enum wn_status
wn_lists_watch(
    struct wn_lists *ls, const struct wn_lists_watch *w, struct wn_err *err)
{
    pthread_condattr_t attr;

    ls->watch = *w;
    pthread_mutex_init(&ls->stop_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ls->stop_cond, &attr);
    pthread_condattr_destroy(&attr);
    ls->watched = pthread_create(&ls->thread, NULL, watch, ls) == 0;
    if (!ls->watched) {
        pthread_mutex_destroy(&ls->stop_lock);
        pthread_cond_destroy(&ls->stop_cond);
        return wn_fail(err, WN_STOP, "lists: no thread to watch them");
    }
    return WN_OK;
}

void
wn_lists_end_watch(struct wn_lists *ls)
{
    if (!ls->watched)
        return;
    pthread_mutex_lock(&ls->stop_lock);
    ls->stop = true;
    pthread_cond_signal(&ls->stop_cond);
    pthread_mutex_unlock(&ls->stop_lock);
    pthread_join(ls->thread, NULL);
    pthread_mutex_destroy(&ls->stop_lock);
    pthread_cond_destroy(&ls->stop_cond);
    ls->watched = false;
}
