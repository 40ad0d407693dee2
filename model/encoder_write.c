/*
 * An encoder's tensors as int8, one scale a row: a quarter of the file.
 *
 * A row of a matrix is an output channel (or a word), so its scale is one
 * factor on one number of the result. Symmetric: the largest magnitude of the
 * row becomes 127. Vectors are a thousandth of the whole and stay F32.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "model/encoder_int.h"

struct list {
    struct wn_arena arena; /* names and numbers of the new tensors */
    struct wn_tensor *tensors;
    size_t n;
};

/* F32 copy of a vector, or of the scales that an I8 file has already. */
static bool
add_floats(struct list *l, const struct wn_tensor *t)
{
    float *data = wn_arena_array(&l->arena, t->n, sizeof(*data));

    if (data == NULL)
        return false;
    wn_tensor_floats(t, 0, t->n, data);
    l->tensors[l->n] = *t;
    l->tensors[l->n].dtype = WN_F32;
    l->tensors[l->n++].data = data;
    return true;
}

/* out (n) = row / scale, rounded; the scale */
static float
quantize_row(const float *row, size_t n, int8_t *out)
{
    float largest = 0, inv;

    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(row[i]));
    inv = largest > 0 ? 127.0f / largest : 0;
    for (size_t i = 0; i < n; i++)
        out[i] = (int8_t)lrintf(row[i] * inv);
    return largest / 127.0f;
}

/* "<name>.scale" now and "<name>" at `matrix`: the vectors come first in the
 * file, so that every F32 is aligned. */
static bool
add_quantized(
    struct list *l, const struct wn_tensor *t, struct wn_tensor *matrix)
{
    size_t rows = t->shape[0], cols = t->shape[1];
    char *name = wn_arena_printf(&l->arena, "%s.scale", t->name);
    float *scale = wn_arena_array(&l->arena, rows, sizeof(*scale));
    float *row = wn_arena_array(&l->arena, cols, sizeof(*row));
    int8_t *data = wn_arena_alloc(&l->arena, t->n);

    if (name == NULL || scale == NULL || row == NULL || data == NULL)
        return false;
    for (size_t r = 0; r < rows; r++) {
        wn_tensor_floats(t, r * cols, cols, row);
        scale[r] = quantize_row(row, cols, data + r * cols);
    }
    *matrix = *t;
    matrix->dtype = WN_I8;
    matrix->data = data;
    l->tensors[l->n++] = (struct wn_tensor){
        .name = name,
        .dtype = WN_F32,
        .rank = 1,
        .shape = { rows },
        .n = rows,
        .data = scale,
    };
    return true;
}

/* All tensors of the network; `matrices` is room to put the I8 ones aside. */
static bool
add_all(const struct wn_encoder *e, struct list *l, struct wn_tensor *matrices,
    size_t *ret_matrices_n)
{
    size_t n = 0;

    for (size_t i = 0; i < wn_safetensors_n(e->file); i++) {
        const struct wn_tensor *t = wn_safetensors_at(e->file, i);
        bool ok = true;

        if (!e->used[i])
            continue;
        if (t->rank != 2)
            ok = add_floats(l, t);
        else if (t->dtype == WN_I8)
            matrices[n++] = *t; /* its scales are a vector of the file */
        else
            ok = add_quantized(l, t, &matrices[n++]);
        if (!ok)
            return false;
    }
    *ret_matrices_n = n;
    return true;
}

enum wn_status
wn_encoder_write_int8(const struct wn_encoder *e, const char *dir,
    const struct wn_tensor *extra, size_t extra_n, struct wn_err *err)
{
    size_t n = wn_safetensors_n(e->file), matrices_n;
    struct list l = { .n = 0 };
    struct wn_tensor *matrices;
    char path[PATH_MAX];
    enum wn_status rc;

    wn_arena_init(&l.arena, 1 << 20, SIZE_MAX);
    l.tensors =
        wn_arena_array(&l.arena, 2 * n + extra_n + 1, sizeof(*l.tensors));
    matrices = wn_arena_array(&l.arena, n + 1, sizeof(*matrices));
    if (l.tensors == NULL || matrices == NULL ||
        !add_all(e, &l, matrices, &matrices_n)) {
        rc = wn_fail(err, WN_STOP, "encoder: out of memory");
        goto out;
    }
    memcpy(l.tensors + l.n, matrices, matrices_n * sizeof(*matrices));
    l.n += matrices_n;
    if (extra_n > 0)
        memcpy(l.tensors + l.n, extra, extra_n * sizeof(*extra));
    l.n += extra_n;
    if ((size_t)snprintf(path, sizeof(path), "%s/model.safetensors", dir) >=
        sizeof(path)) {
        rc = wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
        goto out;
    }
    rc = wn_safetensors_write(path, l.tensors, l.n, err);
out:
    wn_arena_release(&l.arena);
    return rc;
}
