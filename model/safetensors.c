/*
 * Reading and writing safetensors.
 *
 * The header is JSON by a stranger: jansson parses it (duplicate keys are an
 * error there), and every number is checked before it is used as an offset.
 * What always holds once open: the tensors, ordered by their place, cover the
 * bytes after the header exactly, so no pointer leaves the mapping. A file
 * that is cut short by someone else while it is mapped is not survived:
 * replace weights by rename, as wn_safetensors_write() does.
 */
#include "model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "core/hash.h"
#include "model/safetensors_int.h"

struct wn_safetensors {
    const uint8_t *map;
    size_t size;
    const char *file; /* last part of the path, for messages */
    char *path;
    struct wn_tensor *tensors;  /* by place in the file */
    struct wn_tensor **by_name; /* the same, by name    */
    size_t n;
};

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [WN_F32] = { "F32", 4 },
    [WN_F16] = { "F16", 2 },
    [WN_BF16] = { "BF16", 2 },
    [WN_I8] = { "I8", 1 },
    [WN_U8] = { "U8", 1 },
    [WN_I32] = { "I32", 4 },
    [WN_I64] = { "I64", 8 },
};

const char *
wn_dtype_name(enum wn_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t
wn_dtype_bytes(enum wn_dtype dtype)
{
    return dtypes[dtype].bytes;
}

static bool
find_dtype(const char *name, enum wn_dtype *ret)
{
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *ret = (enum wn_dtype)i;
            return true;
        }
    }
    return false;
}

static enum wn_status
bad_tensor(const struct wn_safetensors *st, const char *name, const char *why,
    struct wn_err *err)
{
    return wn_fail(
        err, WN_REJECT, "%s: tensor '%.100s': %s", st->file, name, why);
}

/* A JSON integer from 0 on; anything else is false. */
static bool
get_size(const json_t *v, size_t *ret)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *ret = (size_t)json_integer_value(v);
    return true;
}

static enum wn_status
read_shape(const struct wn_safetensors *st, struct wn_tensor *t,
    const json_t *shape, struct wn_err *err)
{
    if (!json_is_array(shape))
        return bad_tensor(st, t->name, "shape is not a list", err);
    t->rank = json_array_size(shape);
    if (t->rank > sizeof(t->shape) / sizeof(t->shape[0]))
        return bad_tensor(st, t->name, "more than 8 dimensions", err);
    t->n = 1;
    for (size_t i = 0; i < t->rank; i++) {
        if (!get_size(json_array_get(shape, i), &t->shape[i]))
            return bad_tensor(st, t->name, "shape is not of sizes", err);
        if (__builtin_mul_overflow(t->n, t->shape[i], &t->n))
            return bad_tensor(st, t->name, "shape overflows", err);
    }
    return WN_OK;
}

/* Checks the range against shape and dtype; t->data points at its begin. */
static enum wn_status
read_range(const struct wn_safetensors *st, struct wn_tensor *t,
    const json_t *range, const uint8_t *data, size_t data_len,
    struct wn_err *err)
{
    size_t begin, end, bytes;

    if (!json_is_array(range) || json_array_size(range) != 2 ||
        !get_size(json_array_get(range, 0), &begin) ||
        !get_size(json_array_get(range, 1), &end))
        return bad_tensor(st, t->name, "data_offsets is not [begin, end]", err);
    if (begin > end || end > data_len)
        return bad_tensor(st, t->name, "data_offsets leave the file", err);
    if (__builtin_mul_overflow(t->n, wn_dtype_bytes(t->dtype), &bytes) ||
        bytes != end - begin)
        return bad_tensor(
            st, t->name, "data_offsets do not fit shape and dtype", err);
    t->data = data + begin;
    return WN_OK;
}

static enum wn_status
read_tensor(const struct wn_safetensors *st, struct wn_tensor *t,
    const json_t *entry, const uint8_t *data, size_t data_len,
    struct wn_err *err)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    enum wn_status rc;

    if (dtype == NULL)
        return bad_tensor(st, t->name, "no dtype", err);
    if (!find_dtype(dtype, &t->dtype))
        return wn_fail(err, WN_REJECT,
            "%s: tensor '%.100s': dtype '%.20s' is not supported", st->file,
            t->name, dtype);
    rc = read_shape(st, t, json_object_get(entry, "shape"), err);
    if (rc != WN_OK)
        return rc;
    return read_range(
        st, t, json_object_get(entry, "data_offsets"), data, data_len, err);
}

static enum wn_status
check_metadata(
    const struct wn_safetensors *st, json_t *meta, struct wn_err *err)
{
    const char *key;
    json_t *v;

    if (!json_is_object(meta))
        return wn_fail(
            err, WN_REJECT, "%s: __metadata__ is not an object", st->file);
    json_object_foreach(meta, key, v)
    {
        if (!json_is_string(v))
            return wn_fail(err, WN_REJECT,
                "%s: __metadata__: '%.100s' is not a string", st->file, key);
    }
    return WN_OK;
}

static size_t
tensor_bytes(const struct wn_tensor *t)
{
    return t->n * wn_dtype_bytes(t->dtype);
}

/* Empty tensors come before the one that begins at the same place. */
static int
compare_place(const void *a, const void *b)
{
    const struct wn_tensor *x = a, *y = b;

    if (x->data != y->data)
        return (const uint8_t *)x->data < (const uint8_t *)y->data ? -1 : 1;
    return (tensor_bytes(x) > 0) - (tensor_bytes(y) > 0);
}

static int
compare_name(const void *a, const void *b)
{
    const struct wn_tensor *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* No overlap, no hole, and the last end is the end of the file. */
static enum wn_status
check_cover(
    const struct wn_safetensors *st, const uint8_t *data, struct wn_err *err)
{
    const uint8_t *at = data;

    for (size_t i = 0; i < st->n; i++) {
        const uint8_t *begin = st->tensors[i].data;

        if (begin < at)
            return bad_tensor(
                st, st->tensors[i].name, "overlaps another one", err);
        if (begin > at)
            return bad_tensor(
                st, st->tensors[i].name, "a hole lies before it", err);
        at = begin + tensor_bytes(&st->tensors[i]);
    }
    if (at != st->map + st->size)
        return wn_fail(
            err, WN_REJECT, "%s: bytes after the last tensor", st->file);
    return WN_OK;
}

static enum wn_status
read_entries(struct wn_safetensors *st, json_t *root, const uint8_t *data,
    struct wn_err *err)
{
    size_t data_len = (size_t)(st->map + st->size - data);
    const char *name;
    json_t *entry;
    enum wn_status rc;

    json_object_foreach(root, name, entry)
    {
        struct wn_tensor *t = &st->tensors[st->n];

        if (strcmp(name, "__metadata__") == 0) {
            rc = check_metadata(st, entry, err);
        } else {
            t->name = strdup(name);
            if (t->name == NULL)
                return wn_fail(err, WN_STOP, "%s: out of memory", st->file);
            st->n++;
            rc = read_tensor(st, t, entry, data, data_len, err);
        }
        if (rc != WN_OK)
            return rc;
    }
    return WN_OK;
}

static enum wn_status
read_index(struct wn_safetensors *st, json_t *root, const uint8_t *data,
    struct wn_err *err)
{
    size_t n = json_object_size(root);
    enum wn_status rc;

    st->tensors = calloc(n + 1, sizeof(*st->tensors));
    st->by_name = calloc(n + 1, sizeof(struct wn_tensor *));
    if (st->tensors == NULL || st->by_name == NULL)
        return wn_fail(err, WN_STOP, "%s: out of memory", st->file);
    rc = read_entries(st, root, data, err);
    if (rc != WN_OK)
        return rc;
    qsort(st->tensors, st->n, sizeof(*st->tensors), compare_place);
    for (size_t i = 0; i < st->n; i++)
        st->by_name[i] = &st->tensors[i];
    qsort(st->by_name, st->n, sizeof(struct wn_tensor *), compare_name);
    return check_cover(st, data, err);
}

static uint64_t
get_u64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static enum wn_status
read_header(struct wn_safetensors *st, struct wn_err *err)
{
    json_error_t why;
    json_t *root;
    uint64_t len;
    enum wn_status rc;

    if (st->size < 8)
        return wn_fail(
            err, WN_REJECT, "%s: shorter than its header length", st->file);
    len = get_u64(st->map);
    if (len > WN_SAFETENSORS_HEADER_MAX)
        return wn_fail(err, WN_REJECT, "%s: header of more than %d bytes",
            st->file, WN_SAFETENSORS_HEADER_MAX);
    if (len > st->size - 8)
        return wn_fail(err, WN_REJECT, "%s: ends within its header", st->file);
    if (len == 0 || st->map[8] != '{')
        return wn_fail(
            err, WN_REJECT, "%s: header does not begin with '{'", st->file);
    root = json_loadb(
        (const char *)st->map + 8, (size_t)len, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL)
        return wn_fail(err, WN_REJECT, "%s: header: %s", st->file, why.text);
    rc = read_index(st, root, st->map + 8 + len, err);
    json_decref(root);
    return rc;
}

/* Whether `name` lies in the folder of `path`. */
static bool
has_neighbour(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    int dir_len = slash == NULL ? 0 : (int)(slash - path + 1);
    char other[PATH_MAX];
    int n = snprintf(other, sizeof(other), "%.*s%s", dir_len, path, name);

    return n > 0 && (size_t)n < sizeof(other) && access(other, F_OK) == 0;
}

/* Why a file that is not there is not there: what other tools write instead
 * of it is named, with the way from there. */
static enum wn_status
missing(const struct wn_safetensors *st, const char *path, struct wn_err *err)
{
    static const char *const pickles[] = { "pytorch_model.bin",
        "pytorch_model.bin.index.json", "model.bin" };
    char shards[64];
    int n = snprintf(shards, sizeof(shards), "%s.index.json", st->file);

    if (n > 0 && (size_t)n < sizeof(shards) && has_neighbour(path, shards))
        return wn_fail(err, WN_REJECT,
            "%s: is not there, but %s is: shards are not supported; merge "
            "them with save_pretrained(..., max_shard_size=\"100GB\")",
            path, shards);
    for (size_t i = 0; i < sizeof(pickles) / sizeof(pickles[0]); i++)
        if (has_neighbour(path, pickles[i]))
            return wn_fail(err, WN_REJECT,
                "%s: is not there, but %s is: pickle files can run code and "
                "are refused; convert it with save_pretrained(..., "
                "safe_serialization=True)",
                path, pickles[i]);
    return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(ENOENT));
}

static enum wn_status
map_file(struct wn_safetensors *st, const char *path, struct wn_err *err)
{
    struct stat sb;
    enum wn_status rc = WN_OK;
    void *map;
    int fd;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return missing(st, path, err);
    if (fd < 0)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    if (fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode) || sb.st_size == 0) {
        rc = wn_fail(err, WN_REJECT, "%s: empty or not a regular file", path);
        goto out;
    }
    map = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        rc = wn_fail(err, WN_STOP, "%s: mmap: %s", path, strerror(errno));
        goto out;
    }
    st->map = map;
    st->size = (size_t)sb.st_size;
out:
    close(fd);
    return rc;
}

enum wn_status
wn_safetensors_open(
    struct wn_safetensors **ret, const char *path, struct wn_err *err)
{
    struct wn_safetensors *st = calloc(1, sizeof(*st));
    const char *slash;
    enum wn_status rc;

    if (st == NULL || (st->path = strdup(path)) == NULL) {
        rc = wn_fail(err, WN_STOP, "%s: out of memory", path);
        goto out;
    }
    slash = strrchr(st->path, '/');
    st->file = slash == NULL ? st->path : slash + 1;
    rc = map_file(st, path, err);
    if (rc != WN_OK)
        goto out;
    rc = read_header(st, err);
    if (rc != WN_OK)
        goto out;

    *ret = st;
    st = NULL;
out:
    wn_safetensors_close(st);
    return rc;
}

void
wn_safetensors_close(struct wn_safetensors *st)
{
    if (st == NULL)
        return;
    for (size_t i = 0; i < st->n; i++)
        free((char *)st->tensors[i].name);
    free(st->tensors);
    free(st->by_name);
    if (st->map != NULL)
        munmap((void *)st->map, st->size);
    free(st->path);
    free(st);
}

const struct wn_tensor *
wn_safetensors_find(const struct wn_safetensors *st, const char *name)
{
    const struct wn_tensor key = { .name = name }, *p = &key;
    struct wn_tensor *const *hit;

    hit = bsearch(
        &p, st->by_name, st->n, sizeof(struct wn_tensor *), compare_name);
    return hit == NULL ? NULL : *hit;
}

size_t
wn_safetensors_n(const struct wn_safetensors *st)
{
    return st->n;
}

const struct wn_tensor *
wn_safetensors_at(const struct wn_safetensors *st, size_t i)
{
    WN_ASSERT(i < st->n);
    return &st->tensors[i];
}

const char *
wn_safetensors_name(const struct wn_safetensors *st)
{
    return st->file;
}

void
wn_safetensors_sha256(const struct wn_safetensors *st, uint8_t out[32])
{
    wn_sha256(st->map, st->size, out);
}
