/*
 * libFuzzer: any bytes as a weight file. What opens must lie within the file,
 * cover it, and be found by its name.
 *
 * Input that begins with '{' is a header up to its first zero byte and then
 * the tensors' bytes, and gets the length in front that fits: else hardly any
 * input would come past it. Other input is a file as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/safetensors_int.h"

static volatile uint8_t sink;

static void
check_tensor(const struct wn_safetensors *st, const struct wn_tensor *t)
{
    const uint8_t *p = t->data;
    size_t n = t->rank == 0, len = t->n * wn_dtype_bytes(t->dtype);

    for (size_t i = 0; i < t->rank; i++)
        n = (i == 0 ? 1 : n) * t->shape[i];
    if (n != t->n || wn_safetensors_find(st, t->name) != t)
        abort();
    for (size_t i = 0; i < len; i++)
        sink = p[i];
}

static void
put(int fd, const void *p, size_t len, off_t at)
{
    if (pwrite(fd, p, len, at) != (ssize_t)len)
        abort();
}

static void
put_file(int fd, const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t len = zero == NULL ? size : (size_t)(zero - data);
    uint8_t head[8];

    if (ftruncate(fd, 0) != 0)
        abort();
    if (size == 0 || data[0] != '{') {
        put(fd, data, size, 0);
        return;
    }
    for (int i = 0; i < 8; i++)
        head[i] = (uint8_t)(len >> 8 * i);
    put(fd, head, 8, 0);
    put(fd, data, len, 8);
    if (zero != NULL)
        put(fd, zero + 1, size - len - 1, (off_t)(8 + len));
}

static void
open_and_check(const char *path)
{
    struct wn_safetensors *st;
    struct wn_err err = { "" };

    switch (wn_safetensors_open(&st, path, &err)) {
    case WN_OK:
        for (size_t i = 0; i < wn_safetensors_n(st); i++)
            check_tensor(st, wn_safetensors_at(st, i));
        wn_safetensors_close(st);
        break;
    case WN_REJECT:
        if (err.text[0] == '\0')
            abort();
        break;
    default:
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;

    if (fd < 0) {
        fd = memfd_create("fuzz", 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    put_file(fd, data, size);
    open_and_check(path);
    return 0;
}
