/*
 * Where the weights are made, and how they come to their place.
 *
 * They are made in <out>.tmp, which is emptied at start: nothing in it is of
 * another training. Once whole it changes places with <out> in one step, so
 * that the folder of that name is all of one training, whatever stops us, and
 * files that this training did not make are gone with the old folder. Where
 * the file system cannot exchange two names, the old folder is moved aside
 * first, and back if the new one cannot take its place.
 *
 * What is removed is only what a training makes. A folder that holds anything
 * else is refused before the work begins: it is somebody's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/train_int.h"

/* Also what wn_safetensors_write() leaves behind when it is killed. */
static bool
is_ours(const char *name)
{
    for (size_t i = 0; wn_train_file_name(i) != NULL; i++)
        if (strcmp(wn_train_file_name(i), name) == 0)
            return true;
    return strcmp(name, "model.safetensors.tmp") == 0;
}

/* `dir` is not there, or a folder with nothing but files of weights. */
static enum wn_status
check_folder(const char *dir, struct wn_err *err)
{
    enum wn_status rc = WN_OK;
    struct dirent *e;
    DIR *d = opendir(dir);

    if (d == NULL && errno == ENOENT)
        return WN_OK;
    if (d == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", dir, strerror(errno));
    while (rc == WN_OK && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            !is_ours(e->d_name))
            rc = wn_fail(err, WN_REJECT,
                "%s: holds '%.100s', which is no file of weights: the folder "
                "would be replaced, so name another one",
                dir, e->d_name);
    closedir(d);
    return rc;
}

static void
remove_files(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    for (size_t i = 0; wn_train_file_name(i) != NULL; i++)
        unlinkat(fd, wn_train_file_name(i), 0);
    unlinkat(fd, "model.safetensors.tmp", 0);
    close(fd);
}

/* The folder that `path` lies in. */
static const char *
parent_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        snprintf(out, PATH_MAX, ".");
    else
        snprintf(out, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path),
            path);
    return out;
}

/* Links followed and slashes at the end cut: a name beside it is wanted. */
static enum wn_status
resolve(struct wn_train_conf_cmd *conf, struct wn_err *err)
{
    char real[PATH_MAX];
    size_t len;

    if (realpath(conf->out, real) != NULL)
        snprintf(conf->out_dir, sizeof(conf->out_dir), "%s", real);
    else
        snprintf(conf->out_dir, sizeof(conf->out_dir), "%s", conf->out);
    len = strlen(conf->out_dir);
    while (len > 1 && conf->out_dir[len - 1] == '/')
        conf->out_dir[--len] = '\0';
    if (strlen(conf->out) + 8 > PATH_MAX || len + 8 > PATH_MAX)
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", conf->out);
    return WN_OK;
}

enum wn_status
wn_train_folder_check(struct wn_train_conf_cmd *conf, struct wn_err *err)
{
    char dir[PATH_MAX], parent[PATH_MAX];
    struct stat here, above;
    enum wn_status rc = resolve(conf, err);

    if (rc != WN_OK)
        return rc;
    parent_of(conf->out_dir, parent);
    if (stat(parent, &above) != 0 || access(parent, W_OK | X_OK) != 0)
        return wn_fail(err, WN_REJECT, "%s: %s", parent, strerror(errno));
    if (stat(conf->out_dir, &here) == 0 && here.st_dev != above.st_dev)
        return wn_fail(err, WN_REJECT,
            "%s: a mount point cannot be replaced: name a folder in it",
            conf->out_dir);
    rc = check_folder(conf->out_dir, err);
    if (rc == WN_OK)
        rc = check_folder(wn_train_work_dir(conf, dir, sizeof(dir)), err);
    return rc;
}

enum wn_status
wn_train_folder_begin(const struct wn_train_conf_cmd *conf, struct wn_err *err)
{
    char dir[PATH_MAX];

    wn_train_work_dir(conf, dir, sizeof(dir));
    remove_files(dir);
    if (mkdir(dir, 0777) == 0)
        return WN_OK;
    if (errno == EEXIST && rmdir(dir) == 0 && mkdir(dir, 0777) == 0)
        return WN_OK;
    return wn_fail(err, WN_REJECT, "%s: %s", dir, strerror(errno));
}

void
wn_train_folder_drop(const struct wn_train_conf_cmd *conf)
{
    char dir[PATH_MAX];

    wn_train_work_dir(conf, dir, sizeof(dir));
    remove_files(dir);
    rmdir(dir);
}

/* All of it on the disk before its name says so. Best effort: some file
 * systems refuse. */
static void
sync_folder(const char *dir, bool files)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (files)
        (void)syncfs(fd);
    else
        (void)fsync(fd);
    close(fd);
}

/* For file systems without RENAME_EXCHANGE. */
static enum wn_status
move_aside(const char *dir, const char *out, struct wn_err *err)
{
    char old[PATH_MAX];

    snprintf(old, sizeof(old), "%.*s.old", PATH_MAX - 8, out);
    if (rename(out, old) != 0)
        return wn_fail(err, WN_REJECT, "%s: %s", old, strerror(errno));
    if (rename(dir, out) != 0) {
        int why = errno;

        if (rename(old, out) != 0)
            return wn_fail(err, WN_REJECT, "%s: %s; what was there is in %s",
                out, strerror(why), old);
        return wn_fail(err, WN_REJECT, "%s: %s", out, strerror(why));
    }
    /* where the exchange would have put it */
    if (rename(old, dir) != 0)
        fprintf(stderr, "train: what was there before stays in %s\n", old);
    return WN_OK;
}

/* `dir` is at `out`, and what was there at `dir`. */
static enum wn_status
exchange(const char *dir, const char *out, struct wn_err *err)
{
    bool there = access(out, F_OK) == 0;

    if (!there && rename(dir, out) == 0)
        return WN_OK;
    if (there && renameat2(AT_FDCWD, dir, AT_FDCWD, out, RENAME_EXCHANGE) == 0)
        return WN_OK;
    if (there && (errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP))
        return move_aside(dir, out, err);
    return wn_fail(err, WN_REJECT, "%s: %s", out, strerror(errno));
}

enum wn_status
wn_train_folder_swap(const struct wn_train_conf_cmd *conf, struct wn_err *err)
{
    char dir[PATH_MAX], parent[PATH_MAX];
    enum wn_status rc;

    wn_train_work_dir(conf, dir, sizeof(dir));
    sync_folder(dir, true);
    rc = exchange(dir, conf->out_dir, err);
    if (rc != WN_OK)
        return rc;
    sync_folder(parent_of(conf->out_dir, parent), false);
    wn_train_folder_drop(conf);
    if (access(dir, F_OK) == 0)
        fprintf(stderr, "train: what was there before stays in %s\n", dir);
    return WN_OK;
}
