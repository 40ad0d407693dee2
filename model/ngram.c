/* Hashed n-grams: from text to rows, from rows to one number a head. */
#include "model/ngram.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

/* A word of k characters makes at most 1 + 1 word rows and, with its two
 * bounds, 3 rows a character and a few more. */
#define ROWS_MAX (5u * (WN_NGRAM_CHARS_MAX + 2))
#define BOUND 1   /* stands before and after a word            */
#define DIGIT '0' /* stands for every digit: 19.99 like 24.50  */

enum { SEED_WORD = 1, SEED_PAIR, SEED_CHARS };

enum wn_status
wn_ngram_bag_init(struct wn_ngram_bag *b, struct wn_err *err)
{
    memset(b, 0, sizeof(*b));
    b->cap = ROWS_MAX;
    b->rows = malloc(b->cap * sizeof(*b->rows));
    b->chars = malloc((WN_NGRAM_CHARS_MAX + 1) * sizeof(*b->chars));
    b->seen = calloc(WN_NGRAM_ROWS / 64, sizeof(*b->seen));
    if (b->rows != NULL && b->chars != NULL && b->seen != NULL)
        return WN_OK;
    wn_ngram_bag_release(b);
    return wn_fail(err, WN_STOP, "n-grams: out of memory");
}

void
wn_ngram_bag_release(struct wn_ngram_bag *b)
{
    free(b->rows);
    free(b->chars);
    free(b->seen);
    memset(b, 0, sizeof(*b));
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 29;
}

static void
add(struct wn_ngram_bag *b, uint64_t h, uint32_t table)
{
    uint32_t row;
    uint64_t bit;

    h *= UINT64_C(0xD6E8FEB86659FD93);
    row = (uint32_t)(h >> 46) + table * WN_NGRAM_BUCKETS;
    bit = UINT64_C(1) << (row & 63);
    if ((b->seen[row / 64] & bit) != 0 || b->n == b->cap)
        return;
    b->seen[row / 64] |= bit;
    b->rows[b->n++] = row;
}

/* Characters of one word between white space, with its bounds. */
static void
add_chars(struct wn_ngram_bag *b, const int32_t *c, size_t n)
{
    for (size_t i = 0; i < n + 1; i++) {
        uint64_t h = mix(SEED_CHARS, i == 0 ? BOUND : (uint64_t)c[i - 1]);

        for (size_t k = i; k < i + 3 && k < n + 1; k++) {
            h = mix(h, k == n ? BOUND : (uint64_t)c[k]);
            add(b, h, 1);
        }
    }
}

static bool
word_char(int32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || c == DIGIT || c == '_' || c == '\'';
    return u_isalnum(c) ||
           (U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_MC_MASK)) != 0;
}

/* Words are runs of letters and digits; any other character is a word, a run
 * of the same one too ("!!!"). *last: the word before, 0 at the start. */
static void
add_words(struct wn_ngram_bag *b, const int32_t *c, size_t n, uint64_t *last)
{
    size_t i = 0;

    while (i < n) {
        uint64_t h = SEED_WORD;
        size_t start = i;

        if (word_char(c[i])) {
            for (; i < n && word_char(c[i]); i++)
                h = mix(h, (uint64_t)c[i]);
        } else {
            h = mix(h, (uint64_t)c[i]);
            while (i < n && c[i] == c[start])
                i++;
        }
        add(b, h, 0);
        add(b, mix(mix(SEED_PAIR, *last), h), 0);
        *last = h;
    }
}

static int32_t
fold(UChar32 c)
{
    if (c < 0x80) {
        if (c >= 'A' && c <= 'Z')
            return c | 32;
        return c >= '0' && c <= '9' ? DIGIT : c;
    }
    return u_isdigit(c) ? DIGIT : u_tolower(c);
}

void
wn_ngram_bag_fill(struct wn_ngram_bag *b, const char *text, size_t len)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t i = 0, n = 0, start;
    uint64_t last = 0;

    b->n = 0;
    while (i < len && n < WN_NGRAM_CHARS_MAX) {
        UChar32 c;

        U8_NEXT_UNSAFE(s, i, c);
        b->chars[n++] = fold(c);
    }
    for (i = 0; i < n; i++) {
        if (b->chars[i] == ' ' || b->chars[i] == '\n')
            continue;
        start = i;
        while (i < n && b->chars[i] != ' ' && b->chars[i] != '\n')
            i++;
        add_words(b, b->chars + start, i - start, &last);
        add_chars(b, b->chars + start, i - start);
    }
    for (i = 0; i < b->n; i++)
        b->seen[b->rows[i] / 64] = 0;
}

static enum wn_status
check(const struct wn_tensor *t, const char *name, enum wn_dtype dtype,
    size_t rows, struct wn_err *err)
{
    if (t == NULL)
        return wn_fail(
            err, WN_REJECT, "model.safetensors: no tensor '%s'", name);
    if (t->dtype != dtype || t->rank != 2 || t->shape[0] != rows ||
        t->shape[1] != WN_NGRAM_OUT)
        return wn_fail(err, WN_REJECT,
            "model.safetensors: tensor '%s': not (%zu, %d) of the right type",
            name, rows, WN_NGRAM_OUT);
    return WN_OK;
}

enum wn_status
wn_ngram_open(
    struct wn_ngram *ret, const struct wn_safetensors *st, struct wn_err *err)
{
    const struct wn_tensor *w = wn_safetensors_find(st, "ngram.weight");
    const struct wn_tensor *s = wn_safetensors_find(st, "ngram.scale");
    enum wn_status rc;
    float scale[2][WN_NGRAM_OUT];

    rc = check(w, "ngram.weight", WN_I8, WN_NGRAM_ROWS, err);
    if (rc == WN_OK)
        rc = check(s, "ngram.scale", WN_F32, 2, err);
    if (rc != WN_OK)
        return rc;
    memcpy(scale, s->data, sizeof(scale));
    for (size_t i = 0; i < 2 * WN_NGRAM_OUT; i++)
        if (!isfinite(scale[i / WN_NGRAM_OUT][i % WN_NGRAM_OUT]))
            return wn_fail(err, WN_REJECT,
                "model.safetensors: tensor 'ngram.scale': not finite");
    ret->weights = w->data;
    memcpy(ret->scale, scale, sizeof(scale));
    return WN_OK;
}

void
wn_ngram_score(const struct wn_ngram *m, const uint32_t *rows, size_t n,
    float out[WN_NGRAM_OUT])
{
    int32_t sum[2][WN_NGRAM_OUT] = { { 0 } };
    float norm = n > 0 ? 1.0f / sqrtf((float)n) : 0.0f;

    for (size_t i = 0; i < n; i++) {
        const int8_t *w = m->weights + (size_t)rows[i] * WN_NGRAM_OUT;
        int32_t *to = sum[rows[i] >= WN_NGRAM_BUCKETS];

        for (size_t h = 0; h < WN_NGRAM_OUT; h++)
            to[h] += w[h];
    }
    for (size_t h = 0; h < WN_NGRAM_OUT; h++)
        out[h] = norm * ((float)sum[0][h] * m->scale[0][h] +
                            (float)sum[1][h] * m->scale[1][h]);
}

void
wn_ngram_quantise(const float *weights, const float gain[WN_NGRAM_OUT],
    int8_t *ret_weights, float ret_scale[2][WN_NGRAM_OUT])
{
    for (size_t t = 0; t < 2; t++)
        for (size_t h = 0; h < WN_NGRAM_OUT; h++) {
            const float *w = weights + t * WN_NGRAM_BUCKETS * WN_NGRAM_OUT + h;
            int8_t *q = ret_weights + t * WN_NGRAM_BUCKETS * WN_NGRAM_OUT + h;
            float top = 0;

            for (size_t i = 0; i < WN_NGRAM_BUCKETS; i++)
                top = fmaxf(top, fabsf(w[i * WN_NGRAM_OUT]));
            ret_scale[t][h] = top * gain[h] / 127.0f;
            for (size_t i = 0; i < WN_NGRAM_BUCKETS; i++)
                q[i * WN_NGRAM_OUT] =
                    top > 0 ? (int8_t)lrintf(w[i * WN_NGRAM_OUT] / top * 127.0f)
                            : 0;
        }
}
