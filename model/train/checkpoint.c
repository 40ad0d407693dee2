/*
 * A checkpoint: a header, then the network's numbers as they lie in memory,
 * then a hash of all. Read again on the machine that wrote it, by the build
 * that did: the settings' hash says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/hash.h"
#include "model/train/train.h"

#define MAGIC "winnow checkpoint 1"

struct header {
    char magic[24];
    uint8_t settings[32];
    struct wn_net_shape shape;
    struct wn_train_place place;
    uint64_t steps;
};

struct array {
    float *p;
    size_t n;
};
#define ARRAYS 6

static void
arrays_of(const struct wn_net *net, struct array ret[ARRAYS])
{
    size_t words = net->shape.vocab * net->shape.hidden;

    ret[0] = (struct array){ net->w.block, net->w.n };
    ret[1] = (struct array){ net->m.block, net->m.n };
    ret[2] = (struct array){ net->v.block, net->v.n };
    ret[3] = (struct array){ net->words, words };
    ret[4] = (struct array){ net->words_m, words };
    ret[5] = (struct array){ net->words_v, words };
}

static enum wn_status
fail_io(struct wn_err *err, const char *path)
{
    return wn_fail(err, WN_STOP, "%s: %s", path,
        errno == 0 ? "is cut off" : strerror(errno));
}

/* Pieces in a chain: the hash of each is the seed of the next. */
static uint64_t
hash_all(const struct header *h, const struct array *a)
{
    uint64_t hash = wn_hash64(h, sizeof(*h), 0);

    for (size_t i = 0; i < ARRAYS; i++)
        hash = wn_hash64(a[i].p, a[i].n * sizeof(float), hash);
    return hash;
}

static enum wn_status
write_all(FILE *f, const struct header *h, const struct array *a,
    const char *path, struct wn_err *err)
{
    uint64_t hash = hash_all(h, a);
    bool ok = fwrite(h, sizeof(*h), 1, f) == 1;

    for (size_t i = 0; ok && i < ARRAYS; i++)
        ok = fwrite(a[i].p, sizeof(float), a[i].n, f) == a[i].n;
    ok = ok && fwrite(&hash, sizeof(hash), 1, f) == 1 && fflush(f) == 0 &&
         fsync(fileno(f)) == 0;
    return ok ? WN_OK : fail_io(err, path);
}

enum wn_status
wn_checkpoint_write(const struct wn_net *net, const char *path,
    const uint8_t settings[32], const struct wn_train_place *place,
    struct wn_err *err)
{
    struct header h;
    struct array a[ARRAYS];
    char tmp[PATH_MAX];
    enum wn_status rc;
    FILE *f;

    memset(&h, 0, sizeof(h)); /* its padding is hashed too */
    memcpy(h.magic, MAGIC, sizeof(MAGIC));
    memcpy(h.settings, settings, sizeof(h.settings));
    h.shape = net->shape;
    h.place = *place;
    h.steps = net->steps;
    arrays_of(net, a);
    if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= sizeof(tmp))
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", path);
    errno = 0;
    f = fopen(tmp, "wb");
    if (f == NULL)
        return fail_io(err, tmp);
    rc = write_all(f, &h, a, tmp, err);
    if (fclose(f) != 0 && rc == WN_OK)
        rc = fail_io(err, tmp);
    if (rc == WN_OK && rename(tmp, path) != 0)
        rc = fail_io(err, path);
    if (rc != WN_OK)
        unlink(tmp);
    return rc;
}

static enum wn_status
check_header(const struct header *h, const struct wn_net *net,
    const uint8_t settings[32], const char *path, struct wn_err *err)
{
    if (memcmp(h->magic, MAGIC, sizeof(MAGIC)) != 0)
        return wn_fail(err, WN_REJECT, "%s: not a checkpoint of winnow", path);
    if (memcmp(h->settings, settings, sizeof(h->settings)) != 0 ||
        memcmp(&h->shape, &net->shape, sizeof(h->shape)) != 0)
        return wn_fail(err, WN_REJECT,
            "%s: of a training with other settings or data; remove it to begin "
            "again",
            path);
    return WN_OK;
}

static enum wn_status
read_all(FILE *f, struct wn_net *net, const char *path,
    const uint8_t settings[32], struct header *h, struct wn_err *err)
{
    struct array a[ARRAYS];
    enum wn_status rc;
    uint64_t hash;

    if (fread(h, sizeof(*h), 1, f) != 1)
        return wn_fail(err, WN_REJECT, "%s: is cut off", path);
    rc = check_header(h, net, settings, path, err);
    if (rc != WN_OK)
        return rc;
    arrays_of(net, a);
    for (size_t i = 0; i < ARRAYS; i++)
        if (fread(a[i].p, sizeof(float), a[i].n, f) != a[i].n)
            return wn_fail(err, WN_REJECT, "%s: is cut off", path);
    if (fread(&hash, sizeof(hash), 1, f) != 1 || hash != hash_all(h, a))
        return wn_fail(
            err, WN_REJECT, "%s: is broken; remove it to begin again", path);
    return WN_OK;
}

enum wn_status
wn_checkpoint_read(struct wn_net *net, const char *path,
    const uint8_t settings[32], struct wn_train_place *ret, bool *found,
    struct wn_err *err)
{
    struct header h;
    enum wn_status rc;
    FILE *f;

    errno = 0;
    f = fopen(path, "rb");
    *found = f != NULL;
    if (f == NULL)
        return errno == ENOENT ? WN_OK : fail_io(err, path);
    rc = read_all(f, net, path, settings, &h, err);
    fclose(f);
    if (rc != WN_OK)
        return rc;
    net->steps = h.steps;
    *ret = h.place;
    return WN_OK;
}
