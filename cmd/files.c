/* Whole files; see files.h. */
#include "cmd/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum wn_status
fail(struct wn_err *err, const char *path)
{
    return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
}

/* --- hashing --- */

static enum wn_status
hash(int fd, const char *path, uint8_t sha[WN_SHA256], uint64_t *bytes,
    struct wn_err *err)
{
    struct stat sb;
    void *p;

    if (fstat(fd, &sb) != 0)
        return fail(err, path);
    if (!S_ISREG(sb.st_mode))
        return wn_fail(err, WN_REJECT, "%s: not a regular file", path);
    *bytes = (uint64_t)sb.st_size;
    if (sb.st_size == 0) {
        wn_sha256("", 0, sha);
        return WN_OK;
    }
    p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return fail(err, path);
    wn_sha256(p, (size_t)sb.st_size, sha);
    munmap(p, (size_t)sb.st_size);
    return WN_OK;
}

enum wn_status
wn_file_sha256(const char *path, char ret_hex[2 * WN_SHA256 + 1],
    uint64_t *ret_bytes, struct wn_err *err)
{
    uint8_t sha[WN_SHA256];
    uint64_t bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum wn_status rc;

    if (fd < 0)
        return fail(err, path);
    rc = hash(fd, path, sha, &bytes, err);
    close(fd);
    if (rc != WN_OK)
        return rc;
    if (ret_hex != NULL)
        wn_hex(sha, sizeof(sha), ret_hex);
    if (ret_bytes != NULL)
        *ret_bytes = bytes;
    return WN_OK;
}

/* --- writing --- */

enum wn_status
wn_file_may_write(const char *path, struct wn_err *err)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct stat sb;
    int n;

    if (strcmp(path, "-") == 0)
        return WN_OK;
    if (stat(path, &sb) == 0) {
        if (S_ISDIR(sb.st_mode))
            return wn_fail(err, WN_REJECT, "%s: is a directory", path);
        return access(path, W_OK) == 0 ? WN_OK : fail(err, path);
    }
    n = snprintf(folder, sizeof(folder), "%.*s",
        slash == NULL ? 1 : (int)(slash - path + 1),
        slash == NULL ? "." : path);
    if (n < 0 || (size_t)n >= sizeof(folder))
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", path);
    return access(folder, W_OK | X_OK) == 0 ? WN_OK : fail(err, path);
}

static enum wn_status
write_all(FILE *f, const char *path, const struct wn_buf *b, struct wn_err *err)
{
    size_t done = b->len == 0 ? 0 : fwrite(b->data, 1, b->len, f);

    if (done != b->len || fflush(f) != 0)
        return fail(err, path);
    return WN_OK;
}

enum wn_status
wn_file_write(const char *path, const struct wn_buf *b, struct wn_err *err)
{
    enum wn_status rc;
    FILE *f;

    if (b->failed)
        return wn_fail(err, WN_STOP, "%s: out of memory", path);
    if (strcmp(path, "-") == 0)
        return write_all(stdout, "standard output", b, err);
    f = fopen(path, "we");
    if (f == NULL)
        return fail(err, path);
    rc = write_all(f, path, b, err);
    if (fclose(f) != 0 && rc == WN_OK)
        rc = fail(err, path);
    return rc;
}

enum wn_status
wn_file_replace(const char *path, const struct wn_buf *b, struct wn_err *err)
{
    char made[PATH_MAX];
    enum wn_status rc;
    int n = snprintf(made, sizeof(made), "%s.tmp", path);

    if (n < 0 || (size_t)n >= sizeof(made))
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", path);
    rc = wn_file_write(made, b, err);
    if (rc == WN_OK && rename(made, path) != 0)
        rc = fail(err, path);
    if (rc != WN_OK)
        unlink(made);
    return rc;
}
