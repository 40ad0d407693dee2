/* Hashed n-grams: from text to rows, from rows to one number a head. */
#include "model/ngram.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

/*
 * k characters between white space make at most 2 k word rows and 3 (k + 1)
 * character rows: less than 5 a character and 5 for the white space. add()
 * writes one row more than it keeps.
 */
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
    b->words = malloc((WN_NGRAM_CHARS_MAX + 1) * sizeof(*b->words));
    b->chars = malloc((WN_NGRAM_CHARS_MAX + 2) * sizeof(*b->chars));
    b->seen = calloc(WN_NGRAM_ROWS / 64, sizeof(*b->seen));
    if (b->rows != NULL && b->words != NULL && b->chars != NULL &&
        b->seen != NULL)
        return WN_OK;
    wn_ngram_bag_release(b);
    return wn_fail(err, WN_STOP, "n-grams: out of memory");
}

void
wn_ngram_bag_release(struct wn_ngram_bag *b)
{
    free(b->rows);
    free(b->words);
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

/* Without a branch: whether a row was seen before is as good as random, and a
 * wrong guess costs more than all the rest. */
static inline void
add(struct wn_ngram_bag *b, uint64_t h, uint32_t table)
{
    uint32_t row;
    uint64_t *seen;

    h *= UINT64_C(0xD6E8FEB86659FD93);
    row = (uint32_t)(h >> 46) + table * WN_NGRAM_BUCKETS;
    seen = &b->seen[row / 64];
    b->rows[b->n] = row;
    b->n += ~(*seen >> (row & 63)) & 1;
    *seen |= UINT64_C(1) << (row & 63);
}

/* x: the characters of one word between white space, with its bounds; n >= 3.
 * Straight through but for the last two places, which have fewer rows. */
static void
add_chars(struct wn_ngram_bag *b, const int32_t *x, size_t n)
{
    uint64_t h;

    for (size_t i = 0; i + 3 < n; i++) {
        h = mix(mix(SEED_CHARS, (uint64_t)x[i]), (uint64_t)x[i + 1]);
        add(b, h, 1);
        h = mix(h, (uint64_t)x[i + 2]);
        add(b, h, 1);
        add(b, mix(h, (uint64_t)x[i + 3]), 1);
    }
    h = mix(mix(SEED_CHARS, (uint64_t)x[n - 3]), (uint64_t)x[n - 2]);
    add(b, h, 1);
    add(b, mix(h, (uint64_t)x[n - 1]), 1);
    h = mix(mix(SEED_CHARS, (uint64_t)x[n - 2]), (uint64_t)x[n - 1]);
    add(b, h, 1);
}

static bool
word_char_beyond_ascii(int32_t c)
{
    return u_isalnum(c) ||
           (U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_MC_MASK)) != 0;
}

static inline bool
word_char(int32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || c == DIGIT || c == '_' || c == '\'';
    return word_char_beyond_ascii(c);
}

static uint32_t
word_bit(uint64_t h)
{
    return (uint32_t)((h * UINT64_C(0xA0761D6478BD642F)) >> 43);
}

/* Words are runs of letters and digits; any other character is a word, a run
 * of the same one too ("!!!"). *last: the word before, 0 at the start. */
static void
add_words(struct wn_ngram_bag *b, const int32_t *c, size_t n, uint64_t *last)
{
    size_t i = 0;

    while (i < n) {
        uint64_t h = SEED_WORD;
        size_t start = i, rows = b->n;
        bool is_word = false;

        if (word_char(c[i])) {
            is_word = c[i] != DIGIT;
            for (; i < n && word_char(c[i]); i++)
                h = mix(h, (uint64_t)c[i]);
        } else {
            h = mix(h, (uint64_t)c[i]);
            while (i < n && c[i] == c[start])
                i++;
        }
        add(b, h, 0);
        if (is_word && b->n > rows)
            b->words[b->words_n++] = word_bit(h);
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

/* n characters that end at white space or with the text stand behind x[0]. */
static void
end_word(struct wn_ngram_bag *b, int32_t *x, size_t n, uint64_t *last)
{
    if (n == 0)
        return;
    x[0] = x[n + 1] = BOUND;
    add_words(b, x + 1, n, last);
    add_chars(b, x, n + 2);
}

void
wn_ngram_bag_fill(struct wn_ngram_bag *ret, const char *text, size_t len)
{
    const uint8_t *s = (const uint8_t *)text;
    struct wn_ngram_bag bag = *ret, *b = &bag; /* its n stays in a register */
    size_t n = 0;
    uint64_t last = 0;

    b->n = b->words_n = 0;
    for (size_t i = 0, chars = 0; i < len && chars < WN_NGRAM_CHARS_MAX;
         chars++) {
        UChar32 c;

        U8_NEXT_UNSAFE(s, i, c);
        if (c == ' ' || c == '\n') {
            end_word(b, b->chars, n, &last);
            n = 0;
        } else {
            b->chars[++n] = fold(c);
        }
    }
    end_word(b, b->chars, n, &last);
    for (size_t i = 0; i < b->n; i++)
        b->seen[b->rows[i] / 64] = 0;
    WN_ASSERT(b->n < b->cap);
    ret->n = b->n;
    ret->words_n = b->words_n;
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
    const struct wn_tensor *seen = wn_safetensors_find(st, "ngram.seen");
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
    if (seen != NULL &&
        (seen->dtype != WN_U8 || seen->rank != 2 || seen->shape[0] != 1 ||
            seen->shape[1] != WN_NGRAM_WORDS / 8))
        return wn_fail(err, WN_REJECT,
            "model.safetensors: tensor 'ngram.seen': not (1, %u) of bytes",
            WN_NGRAM_WORDS / 8);
    ret->weights = w->data;
    ret->seen = seen != NULL ? seen->data : NULL;
    memcpy(ret->scale, scale, sizeof(scale));
    return WN_OK;
}

/* Share of words from which on a score counts, and counts whole. In languages
 * of training nine texts of ten have more than half of theirs, in others as
 * many have less. */
#define TRUST_FROM 0.25f
#define TRUST_TO 0.5f

static bool
has_bit(const uint8_t *bits, uint32_t i)
{
    return (bits[i / 8] >> (i & 7) & 1) != 0;
}

float
wn_ngram_trust(const struct wn_ngram *m, const struct wn_ngram_bag *b)
{
    size_t seen = 0;
    float share;

    if (m->seen == NULL || b->words_n == 0)
        return 1;
    for (size_t i = 0; i < b->words_n; i++)
        seen += has_bit(m->seen, b->words[i]);
    share = (float)seen / (float)b->words_n;
    return fminf(fmaxf((share - TRUST_FROM) / (TRUST_TO - TRUST_FROM), 0), 1);
}

void
wn_ngram_read(const struct wn_ngram *m, const struct wn_ngram_bag *b,
    float out[WN_NGRAM_OUT])
{
    float trust = wn_ngram_trust(m, b);

    wn_ngram_score(m, b->rows, b->n, out);
    for (size_t h = 0; h < WN_NGRAM_OUT; h++)
        out[h] *= trust;
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

enum wn_status
wn_ngram_words_init(struct wn_ngram_words *w, struct wn_err *err)
{
    w->seen = calloc(WN_NGRAM_WORDS / 8, 1);
    w->in = calloc(WN_NGRAM_WORDS, sizeof(*w->in));
    if (w->seen != NULL && w->in != NULL)
        return WN_OK;
    wn_ngram_words_release(w);
    return wn_fail(err, WN_STOP, "n-grams: out of memory");
}

void
wn_ngram_words_release(struct wn_ngram_words *w)
{
    free(w->seen);
    free(w->in);
    memset(w, 0, sizeof(*w));
}

void
wn_ngram_words_add(
    struct wn_ngram_words *w, const struct wn_ngram_bag *b, uint32_t text)
{
    for (size_t i = 0; i < b->words_n; i++) {
        uint32_t bit = b->words[i];

        if (w->in[bit] != 0 && w->in[bit] != text)
            w->seen[bit / 8] |= (uint8_t)(1u << (bit & 7));
        w->in[bit] = text;
    }
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
