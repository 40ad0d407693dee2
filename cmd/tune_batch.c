/* Texts to tokens: through the same path as scoring's, first window only. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "classifier/reader.h"
#include "cmd/train_int.h"

#define ARENA_BYTES (64u << 20)
#define ROWS_MAX 4096
/* A text from elsewhere is put to a text so often, of all that are changed. */
#define TEXT_BYTES_MAX (1u << 16)

struct wn_tune_batch {
    const struct wn_tune_conf *conf;
    const struct wn_train_set *set;
    struct wn_tokenizer *tokenizer;
    struct wn_reading reading;
    struct wn_arena arena; /* of links */
    struct wn_buf text;    /* as changed */
    int32_t *ids;
    size_t offsets[ROWS_MAX + 1], n;
    int8_t labels[ROWS_MAX * WN_TUNE_OUT];
    float weight[ROWS_MAX], teacher[ROWS_MAX * WN_TUNE_OUT];
};

enum wn_status
wn_tune_batch_new(struct wn_tune_batch **ret, const struct wn_tune_conf *conf,
    const struct wn_train_set *set, const struct wn_encoder *base,
    struct wn_err *err)
{
    struct wn_tune_batch *b = calloc(1, sizeof(*b));
    enum wn_status rc;

    if (b == NULL)
        return wn_fail(err, WN_STOP, "train: out of memory");
    b->conf = conf;
    b->set = set;
    wn_arena_init(&b->arena, 1u << 16, ARENA_BYTES);
    wn_buf_init(&b->text, 4 * TEXT_BYTES_MAX);
    b->ids = calloc(conf->tokens, sizeof(*b->ids));
    rc = wn_reading_init(&b->reading, wn_encoder_shape(base), err);
    if (rc == WN_OK && b->ids == NULL)
        rc = wn_fail(err, WN_STOP, "train: out of memory");
    if (rc == WN_OK)
        rc = wn_tokenizer_open(&b->tokenizer, conf->base_dir, err);
    if (rc != WN_OK) {
        wn_tune_batch_free(b);
        return rc;
    }
    *ret = b;
    return WN_OK;
}

void
wn_tune_batch_free(struct wn_tune_batch *b)
{
    if (b == NULL)
        return;
    wn_reading_release(&b->reading);
    wn_tokenizer_free(b->tokenizer);
    wn_arena_release(&b->arena);
    wn_buf_release(&b->text);
    free(b->ids);
    free(b);
}

/* A benign text of the same set, by chance. */
static struct wn_str
benign(const struct wn_data *d, uint64_t *random)
{
    for (int k = 0; k < 64; k++) {
        const struct wn_data_row *r = &d->rows[wn_train_random(random) % d->n];

        if (r->labels[WN_SPAM] == 0 && r->labels[WN_SCAM] == 0 &&
            r->labels[WN_BAIT] != 1)
            return r->text;
    }
    return (struct wn_str){ "", 0 };
}

static void
set_labels(int8_t *to, const struct wn_data_row *r, bool mixed)
{
    memcpy(to, r->labels, WN_HEADS);
    memcpy(to + WN_HEADS, r->baits, WN_BAITS);
    if (mixed) /* two hands: who wrote it is not one question any more */
        to[WN_AI_TEXT] = -1;
}

/* What is taught is no label. */
static void
set_teacher(struct wn_tune_batch *b, size_t row, bool mixed)
{
    const float *from = b->conf->teacher + row * WN_TUNE_OUT;
    float *to = b->teacher + b->n * WN_TUNE_OUT;
    int8_t *labels = b->labels + b->n * WN_TUNE_OUT;

    for (size_t o = 0; o < WN_TUNE_OUT; o++) {
        to[o] = from[o];
        if (!isnan(from[o]))
            labels[o] = -1;
    }
    if (mixed)
        to[WN_AI_TEXT] = NAN;
}

/* Some tokens, but for the special ones at both ends, become the mask. */
static void
mask(const struct wn_tune_batch *b, int32_t *ids, size_t n, uint64_t *random)
{
    double share =
        b->conf->mask * (double)(wn_train_random(random) >> 11) * 0x1p-53;
    uint64_t least = (uint64_t)(share * 0x1p63);

    for (size_t i = 1; i + 1 < n; i++)
        if (wn_train_random(random) >> 1 < least)
            ids[i] = wn_tokenizer_mask(b->tokenizer);
}

static enum wn_status
read_text(struct wn_tune_batch *b, const struct wn_data_row *r,
    uint64_t *random, bool *mixed, struct wn_err *err)
{
    struct wn_str text = r->text;

    *mixed = false;
    wn_buf_reset(&b->text);
    if ((double)(wn_train_random(random) >> 11) * 0x1p-53 < b->conf->augment &&
        text.len <= TEXT_BYTES_MAX) {
        wn_tune_augment(&b->text, text, benign(&b->set->data, random),
            wn_train_random(random), mixed);
        if (!b->text.failed)
            text = (struct wn_str){ b->text.data, b->text.len };
    }
    wn_arena_reset(&b->arena);
    return wn_reading_run(&b->reading, b->tokenizer, &b->arena, text.p,
        text.len, NULL, 0, 1, err);
}

enum wn_status
wn_tune_batch_fill(struct wn_tune_batch *b, const struct wn_tune_plan *plan,
    uint64_t epoch, uint64_t *at, struct wn_err *err)
{
    b->n = 0;
    for (; *at < plan->n && b->n < ROWS_MAX; ++*at) {
        const struct wn_data_row *r = &b->set->data.rows[plan->rows[*at]];
        uint64_t random = b->conf->seed ^ (epoch << 40) ^ *at << 8;
        const struct wn_window *w = &b->reading.windows.w[0];
        size_t first = b->offsets[b->n];
        bool mixed;
        enum wn_status rc = read_text(b, r, &random, &mixed, err);

        if (rc != WN_OK)
            return rc;
        if (b->reading.windows.n == 0)
            continue;
        if (first + w->n > b->conf->tokens)
            break;
        memcpy(b->ids + first, w->ids, w->n * sizeof(*w->ids));
        mask(b, b->ids + first, w->n, &random);
        set_labels(b->labels + b->n * WN_TUNE_OUT, r, mixed);
        if (b->conf->teacher != NULL)
            set_teacher(b, plan->rows[*at], mixed);
        b->weight[b->n] = 1;
        b->offsets[++b->n] = first + w->n;
    }
    return WN_OK;
}

void
wn_tune_batch_get(const struct wn_tune_batch *b, struct wn_net_batch *net,
    struct wn_loss_rows *rows)
{
    net->ids = b->ids;
    net->offsets = b->offsets;
    net->n = b->n;
    *rows = (struct wn_loss_rows){ b->labels, b->weight,
        b->conf->teacher == NULL ? NULL : b->teacher, b->n };
}
