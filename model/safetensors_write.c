/*
 * Writing safetensors, and numbers out of their tensors.
 *
 * A file appears under its name whole or not at all: path.tmp, fsync, rename,
 * fsync of the folder. The header is padded with spaces so that the first
 * tensor lies on a multiple of eight.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "model/safetensors_int.h"

/* Half precision has 5 bits of exponent and 10 of fraction. */
static float
from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, bits;
    uint32_t exponent = h >> 10 & 31, fraction = h & 1023;
    float v;

    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24 */
        v = (float)fraction / 16777216.0f;
        return sign != 0 ? -v : v;
    }
    if (exponent == 31)
        bits = sign | 0x7f800000 | fraction << 13;
    else
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

uint16_t
wn_f16(float v)
{
    uint32_t bits, sign;

    memcpy(&bits, &v, sizeof(bits));
    sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (bits < 0x38800000) { /* under 2^-14: 0.5's last bit is 2^-24 too */
        memcpy(&v, &bits, sizeof(v));
        v += 0.5f;
        memcpy(&bits, &v, sizeof(bits));
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    bits = (bits - 0x38000000 + 0xfff + (bits >> 13 & 1)) >> 13;
    return (uint16_t)(sign | (bits < 0x7c00 ? bits : 0x7c00));
}

static float
from_bf16(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

void
wn_tensor_floats(const struct wn_tensor *t, size_t first, size_t n, float *out)
{
    const uint8_t *p =
        (const uint8_t *)t->data + first * wn_dtype_bytes(t->dtype);
    uint16_t h;

    WN_ASSERT(first <= t->n);
    WN_ASSERT(n <= t->n - first);
    switch (t->dtype) {
    case WN_F32:
        if (n > 0)
            memcpy(out, p, n * sizeof(*out));
        break;
    case WN_F16:
    case WN_BF16:
        for (size_t i = 0; i < n; i++) {
            memcpy(&h, p + 2 * i, sizeof(h));
            out[i] = t->dtype == WN_F16 ? from_f16(h) : from_bf16(h);
        }
        break;
    case WN_I8:
        for (size_t i = 0; i < n; i++)
            out[i] = (float)(int8_t)p[i];
        break;
    case WN_U8:
    case WN_I32:
    case WN_I64:
        WN_ASSERT(!"a tensor of numbers");
    }
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum wn_status
check_names(const struct wn_tensor *tensors, size_t n, struct wn_err *err)
{
    const char **names = calloc(n + 1, sizeof(*names));
    enum wn_status rc = WN_OK;

    if (names == NULL)
        return wn_fail(err, WN_STOP, "safetensors: out of memory");
    for (size_t i = 0; i < n; i++)
        names[i] = tensors[i].name;
    qsort(names, n, sizeof(*names), compare_names);
    for (size_t i = 0; i + 1 < n && rc == WN_OK; i++) {
        if (strcmp(names[i], names[i + 1]) == 0)
            rc = wn_fail(err, WN_REJECT,
                "safetensors: two tensors named '%.100s'", names[i]);
    }
    free(names);
    return rc;
}

static void
add_entry(struct wn_buf *b, const struct wn_tensor *t, size_t begin)
{
    wn_buf_json(b, t->name, strlen(t->name));
    wn_buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", wn_dtype_name(t->dtype));
    for (size_t i = 0; i < t->rank; i++)
        wn_buf_printf(b, "%s%zu", i == 0 ? "" : ",", t->shape[i]);
    wn_buf_printf(b, "],\"data_offsets\":[%zu,%zu]}", begin,
        begin + t->n * wn_dtype_bytes(t->dtype));
}

/* What a file is made of; make NULL: the tensors' own data. */
struct content {
    const struct wn_tensor *tensors;
    size_t n;
    wn_tensor_make *make;
    void *arg;
};

/* Header length, header and padding. */
static void
make_header(struct wn_buf *b, const struct content *c)
{
    size_t at = 0;
    uint64_t len;

    for (int i = 0; i < 8; i++)
        wn_buf_char(b, 0);
    wn_buf_char(b, '{');
    if (c->make != NULL)
        wn_buf_str(b, "\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < c->n; i++) {
        const struct wn_tensor *t = &c->tensors[i];

        if (i > 0 || c->make != NULL)
            wn_buf_char(b, ',');
        add_entry(b, t, at);
        at += t->n * wn_dtype_bytes(t->dtype);
    }
    wn_buf_char(b, '}');
    while (!b->failed && b->len % 8 != 0)
        wn_buf_char(b, ' ');
    if (b->failed)
        return;
    len = b->len - 8;
    for (int i = 0; i < 8; i++)
        b->data[i] = (char)(len >> 8 * i & 0xff);
}

static int
write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static enum wn_status
fail_write(const char *path, struct wn_err *err)
{
    return wn_fail(err, WN_RETRY, "%s: %s", path, strerror(errno));
}

static enum wn_status
write_data(
    int fd, const char *path, const struct content *c, struct wn_err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct wn_tensor *t = &c->tensors[i];

        if (write_all(fd, t->data, t->n * wn_dtype_bytes(t->dtype)) != 0)
            return fail_write(path, err);
    }
    return WN_OK;
}

static enum wn_status
write_made(int fd, const char *path, const struct content *c, void *part,
    struct wn_err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct wn_tensor *t = &c->tensors[i];

        for (size_t at = 0, n; at < t->n; at += n) {
            enum wn_status rc;

            n = t->n - at < WN_TENSOR_PART ? t->n - at : WN_TENSOR_PART;
            rc = c->make(c->arg, i, at, n, part, err);
            if (rc != WN_OK)
                return rc;
            if (write_all(fd, part, n * wn_dtype_bytes(t->dtype)) != 0)
                return fail_write(path, err);
        }
    }
    return WN_OK;
}

static enum wn_status
write_tensors(
    int fd, const char *path, const struct content *c, struct wn_err *err)
{
    enum wn_status rc;
    void *part;

    if (c->make == NULL)
        return write_data(fd, path, c, err);
    part = malloc(WN_TENSOR_PART * sizeof(int64_t));
    if (part == NULL)
        return wn_fail(err, WN_STOP, "safetensors: out of memory");
    rc = write_made(fd, path, c, part, err);
    free(part);
    return rc;
}

/* Makes the rename itself durable. Best effort: some file systems refuse. */
static void
sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    int fd;

    if (slash == NULL)
        snprintf(dir, sizeof(dir), ".");
    else
        snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path + 1), path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static enum wn_status
write_file(const char *path, const struct wn_buf *header,
    const struct content *c, struct wn_err *err)
{
    char tmp[PATH_MAX];
    enum wn_status rc;
    int fd;

    if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= sizeof(tmp))
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", path);
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return fail_write(tmp, err);
    rc = write_all(fd, header->data, header->len) != 0
             ? fail_write(tmp, err)
             : write_tensors(fd, tmp, c, err);
    if (rc == WN_OK && fsync(fd) != 0)
        rc = fail_write(tmp, err);
    if (close(fd) != 0 && rc == WN_OK)
        rc = fail_write(tmp, err);
    if (rc == WN_OK && rename(tmp, path) != 0)
        rc = fail_write(path, err);
    if (rc != WN_OK)
        unlink(tmp);
    else
        sync_folder(path);
    return rc;
}

static enum wn_status
write_content(const char *path, const struct content *c, struct wn_err *err)
{
    struct wn_buf header;
    enum wn_status rc;

    wn_buf_init(&header, WN_SAFETENSORS_HEADER_MAX);
    rc = check_names(c->tensors, c->n, err);
    if (rc != WN_OK)
        goto out;
    make_header(&header, c);
    if (header.failed) {
        rc = wn_fail(err, WN_STOP, "%s: header too large", path);
        goto out;
    }
    rc = write_file(path, &header, c, err);
out:
    wn_buf_release(&header);
    return rc;
}

enum wn_status
wn_safetensors_write(const char *path, const struct wn_tensor *tensors,
    size_t n, struct wn_err *err)
{
    const struct content c = { .tensors = tensors, .n = n };

    return write_content(path, &c, err);
}

enum wn_status
wn_safetensors_make(const char *path, const struct wn_tensor *tensors, size_t n,
    wn_tensor_make *make, void *arg, struct wn_err *err)
{
    const struct content c = { tensors, n, make, arg };

    return write_content(path, &c, err);
}
