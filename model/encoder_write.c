/*
 * An encoder's tensors as int8, one scale a row: a quarter of the file.
 *
 * A row of a matrix is an output channel (or a word), so its scale is one
 * factor on one number of the result. Symmetric: the largest magnitude of the
 * row becomes 127. Vectors are a thousandth of the whole and stay F32.
 *
 * A number that is none (NaN, an infinity) has no place in int8: it would
 * come out as 0 and pass for a weight, so it is refused by its name.
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

static enum wn_status
no_memory(struct wn_err *err)
{
    return wn_fail(err, WN_STOP, "encoder: out of memory");
}

static enum wn_status
check_finite(const char *name, const float *p, size_t n, struct wn_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(p[i]))
            return wn_fail(err, WN_REJECT,
                "tensor '%.100s': a number in it is NaN or infinite", name);
    return WN_OK;
}

/* F32 copy of a vector, or of the scales that an I8 file has already. */
static enum wn_status
add_floats(struct list *l, const struct wn_tensor *t, struct wn_err *err)
{
    float *data = wn_arena_array(&l->arena, t->n, sizeof(*data));

    if (data == NULL)
        return no_memory(err);
    wn_tensor_floats(t, 0, t->n, data);
    l->tensors[l->n] = *t;
    l->tensors[l->n].dtype = WN_F32;
    l->tensors[l->n++].data = data;
    return check_finite(t->name, data, t->n, err);
}

/* out (n) = row / scale, rounded; the scale. A row so close to 0 that its
 * inverse is no float becomes 0. */
static float
quantize_row(const float *row, size_t n, int8_t *out)
{
    float largest = 0, inv;

    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(row[i]));
    inv = largest > 0 ? 127.0f / largest : 0;
    if (!isfinite(inv))
        inv = 0;
    for (size_t i = 0; i < n; i++)
        out[i] = (int8_t)lrintf(row[i] * inv);
    return largest / 127.0f;
}

/* "<name>.scale" now and "<name>" at `matrix`: the vectors come first in the
 * file, so that every F32 is aligned. */
static enum wn_status
add_quantized(struct list *l, const struct wn_tensor *t,
    struct wn_tensor *matrix, struct wn_err *err)
{
    size_t rows = t->shape[0], cols = t->shape[1];
    char *name = wn_arena_printf(&l->arena, "%s.scale", t->name);
    float *scale = wn_arena_array(&l->arena, rows, sizeof(*scale));
    float *row = wn_arena_array(&l->arena, cols, sizeof(*row));
    int8_t *data = wn_arena_alloc(&l->arena, t->n);

    if (name == NULL || scale == NULL || row == NULL || data == NULL)
        return no_memory(err);
    for (size_t r = 0; r < rows; r++) {
        enum wn_status rc;

        wn_tensor_floats(t, r * cols, cols, row);
        rc = check_finite(t->name, row, cols, err);
        if (rc != WN_OK)
            return rc;
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
    return WN_OK;
}

/* All tensors of the network; `matrices` is room to put the I8 ones aside. */
static enum wn_status
add_all(const struct wn_encoder *e, struct list *l, struct wn_tensor *matrices,
    size_t *ret_matrices_n, struct wn_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < wn_safetensors_n(e->file); i++) {
        const struct wn_tensor *t = wn_safetensors_at(e->file, i);
        enum wn_status rc = WN_OK;

        if (!e->used[i])
            continue;
        if (t->rank != 2)
            rc = add_floats(l, t, err);
        else if (t->dtype == WN_I8)
            matrices[n++] = *t; /* its scales are a vector of the file */
        else
            rc = add_quantized(l, t, &matrices[n++], err);
        if (rc != WN_OK)
            return rc;
    }
    *ret_matrices_n = n;
    return WN_OK;
}

/* The caller's own tensors go in as they are, if they are numbers. */
static enum wn_status
add_extra(
    struct list *l, const struct wn_tensor *extra, size_t n, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < n && rc == WN_OK; i++) {
        l->tensors[l->n++] = extra[i];
        if (extra[i].dtype == WN_F32)
            rc = check_finite(extra[i].name, extra[i].data, extra[i].n, err);
    }
    return rc;
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
    if (l.tensors == NULL || matrices == NULL) {
        rc = no_memory(err);
        goto out;
    }
    rc = add_all(e, &l, matrices, &matrices_n, err);
    if (rc != WN_OK)
        goto out;
    memcpy(l.tensors + l.n, matrices, matrices_n * sizeof(*matrices));
    l.n += matrices_n;
    rc = add_extra(&l, extra, extra_n, err);
    if (rc != WN_OK)
        goto out;
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
