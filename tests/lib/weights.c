/* Weights for tests; see weights.h. */
#include "tests/lib/weights.h"

#include <limits.h>
#include <math.h>
#include <sys/stat.h>

#include <jansson.h>

#include "classifier/classifier.h"
#include "model/encoder.h"
#include "model/ngram.h"
#include "tests/lib/test.h"

#define GOLDEN "tests/golden/bert"
#define HIDDEN WN_WEIGHTS_HIDDEN
#define FFN (2 * HIDDEN)
#define VOCAB 292 /* as the golden BERT's vocab.txt */
#define WINDOW_POSITIONS 128

static void
must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "tests: weights: %s\n", what);
    exit(1);
}

static const char *
path_in(const char *dir, const char *file)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    return path;
}

void
wn_weights_joint(struct wn_joint *j)
{
    *j = (struct wn_joint){ .name = "winnow-test-1",
        .text_version = WN_TEXT_VERSION };
    for (size_t h = 0; h < WN_HEADS; h++) {
        j->head[h].mix[0] = j->head[h].mix[1] = 1;
        j->head[h].cal = (struct wn_calibration){ 1, 0 };
        j->head[h].threshold = 0.5;
    }
}

static void
copy_vocab(const char *dir)
{
    FILE *in = fopen(GOLDEN "/vocab.txt", "re");
    FILE *out = fopen(path_in(dir, "vocab.txt"), "we");
    char line[256];

    must(in != NULL && out != NULL, "vocab.txt");
    while (fgets(line, sizeof(line), in) != NULL)
        must(fputs(line, out) >= 0, "vocab.txt");
    fclose(in);
    must(fclose(out) == 0, "vocab.txt");
}

/* --- the encoder --- */

static json_t *
config(size_t positions)
{
    json_t *root = json_load_file(GOLDEN "/config.json", 0, NULL);

    must(root != NULL &&
             json_object_set_new(root, "hidden_size", json_integer(HIDDEN)) ==
                 0 &&
             json_object_set_new(
                 root, "intermediate_size", json_integer(FFN)) == 0 &&
             json_object_set_new(
                 root, "num_attention_heads", json_integer(HIDDEN / 32)) == 0 &&
             json_object_set_new(root, "num_hidden_layers",
                 json_integer(WN_WEIGHTS_LAYERS)) == 0 &&
             json_object_set_new(root, "max_position_embeddings",
                 json_integer((json_int_t)positions)) == 0,
        "config.json");
    return root;
}

static void
write_config(const char *dir, json_t *root, const struct wn_joint *j)
{
    json_t *joint = wn_joint_json(j, WN_POOL_MEAN, wn_head_names);

    must(root != NULL && joint != NULL &&
             json_object_set_new(root, "winnow", joint) == 0 &&
             json_dump_file(root, path_in(dir, "config.json"), 0) == 0,
        "config.json");
    json_decref(root);
}

static struct wn_tensor
tensor(const char *name, enum wn_dtype dtype, size_t rows, size_t cols,
    const void *data)
{
    return (struct wn_tensor){ .name = name,
        .dtype = dtype,
        .rank = cols == 0 ? 1 : 2,
        .shape = { rows, cols },
        .n = cols == 0 ? rows : rows * cols,
        .data = data };
}

/* Numbers around `middle`, so spread that a product of normalised rows with
 * them is about as large as what went in. */
static void
draw(float *to, size_t n, float middle, float spread, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++)
        to[i] = middle +
                spread * ((float)(wn_test_random(seed) % 2001) / 1000.0f - 1);
}

struct drawn {
    struct wn_tensor tensors[5 + 16 * WN_WEIGHTS_LAYERS];
    char names[5 + 16 * WN_WEIGHTS_LAYERS][80];
    size_t n;
    uint64_t seed;
};

/* cols 0: a vector. */
static void
put_drawn(struct drawn *d, const char *base, const char *part, size_t rows,
    size_t cols, float middle, float spread)
{
    size_t n = rows * (cols == 0 ? 1 : cols);
    float *data = malloc(n * sizeof(*data));

    must(data != NULL, "out of memory");
    draw(data, n, middle, spread, &d->seed);
    snprintf(d->names[d->n], sizeof(d->names[0]), "%s.%s", base, part);
    d->tensors[d->n] = tensor(d->names[d->n], WN_F32, rows, cols, data);
    d->n++;
}

static void
put_linear(struct drawn *d, const char *base, size_t out, size_t in)
{
    put_drawn(d, base, "weight", out, in, 0, 1.7f / sqrtf((float)in));
    put_drawn(d, base, "bias", out, 0, 0, 0.1f);
}

static void
put_norm(struct drawn *d, const char *base)
{
    put_drawn(d, base, "weight", HIDDEN, 0, 1, 0.1f);
    put_drawn(d, base, "bias", HIDDEN, 0, 0, 0.1f);
}

static void
put_layer(struct drawn *d, size_t i)
{
    static const struct {
        const char *name;
        size_t out, in;
    } linear[] = {
        { "attention.self.query", HIDDEN, HIDDEN },
        { "attention.self.key", HIDDEN, HIDDEN },
        { "attention.self.value", HIDDEN, HIDDEN },
        { "attention.output.dense", HIDDEN, HIDDEN },
        { "intermediate.dense", FFN, HIDDEN },
        { "output.dense", HIDDEN, FFN },
    };
    char base[64];

    for (size_t k = 0; k < sizeof(linear) / sizeof(linear[0]); k++) {
        snprintf(base, sizeof(base), "encoder.layer.%zu.%s", i, linear[k].name);
        put_linear(d, base, linear[k].out, linear[k].in);
    }
    snprintf(
        base, sizeof(base), "encoder.layer.%zu.attention.output.LayerNorm", i);
    put_norm(d, base);
    snprintf(base, sizeof(base), "encoder.layer.%zu.output.LayerNorm", i);
    put_norm(d, base);
}

/* An encoder in fp32, which write_tensors() reads and replaces. */
static void
draw_encoder(const char *dir, size_t positions)
{
    struct drawn d = { .seed = 5 };
    struct wn_err err = { "" };

    put_drawn(&d, "embeddings.word_embeddings", "weight", VOCAB, HIDDEN, 0, 1);
    put_drawn(&d, "embeddings.position_embeddings", "weight", positions, HIDDEN,
        0, 0.3f);
    put_drawn(
        &d, "embeddings.token_type_embeddings", "weight", 2, HIDDEN, 0, 0.1f);
    put_norm(&d, "embeddings.LayerNorm");
    for (size_t i = 0; i < WN_WEIGHTS_LAYERS; i++)
        put_layer(&d, i);
    must(wn_safetensors_write(
             path_in(dir, "model.safetensors"), d.tensors, d.n, &err) == WN_OK,
        err.text);
    for (size_t i = 0; i < d.n; i++)
        free((void *)(uintptr_t)d.tensors[i].data);
}

/* --- what is beside it --- */

/* Heads after each early exit and after the last layer, or the one kind of
 * file without exits. */
static size_t
put_heads(struct wn_tensor *to, const struct wn_joint *j, size_t hidden,
    size_t layers)
{
    const float spread = hidden == HIDDEN ? 3 : 1; /* so are their rows */
    static float heads[WN_EXITS_MAX][WN_OUTPUTS * 1024];
    static float bias[WN_EXITS_MAX][WN_OUTPUTS];
    static char names[WN_EXITS_MAX][2][40];
    uint64_t seed = 11;
    size_t n = 0;

    for (size_t e = 0; e <= j->early_n; e++) {
        size_t after = e < j->early_n ? j->early[e].after : layers;
        size_t outputs = j->early_n > 0 ? WN_OUTPUTS : WN_HEADS;
        char(*name)[40] = names[e];

        for (size_t i = 0; i < outputs * hidden; i++)
            heads[e][i] =
                spread * ((float)(wn_test_random(&seed) % 2001) / 1000.0f - 1);
        if (j->early_n > 0) {
            snprintf(name[0], 40, "exit.%zu.weight", after);
            snprintf(name[1], 40, "exit.%zu.bias", after);
        } else {
            strcpy(name[0], "heads.weight");
            strcpy(name[1], "heads.bias");
        }
        to[n++] = tensor(name[0], WN_F32, outputs, hidden, heads[e]);
        to[n++] = tensor(name[1], WN_F32, outputs, 0, bias[e]);
    }
    return n;
}

/* N-grams of any kind, or of the words alone. */
static void
put_ngrams(int8_t *rows, const struct wn_weights_word *words, size_t n)
{
    struct wn_ngram_bag bag;
    struct wn_err err = { "" };
    uint64_t seed = 7;

    for (size_t i = 0; words == NULL && i < WN_NGRAM_ROWS * WN_NGRAM_OUT; i++)
        rows[i] = (int8_t)(wn_test_random(&seed) % 255 - 127);
    if (words == NULL)
        return;
    memset(rows, 0, WN_NGRAM_ROWS * WN_NGRAM_OUT);
    must(wn_ngram_bag_init(&bag, &err) == WN_OK, err.text);
    for (size_t i = 0; i < n; i++) {
        wn_ngram_bag_fill(&bag, words[i].word, strlen(words[i].word));
        for (size_t k = 0; k < bag.n; k++)
            rows[bag.rows[k] * WN_NGRAM_OUT + words[i].head] = 127;
    }
    wn_ngram_bag_release(&bag);
}

static void
write_tensors(const char *from, const char *dir, const struct wn_joint *j,
    const struct wn_weights_word *words, size_t words_n)
{
    static int8_t ngrams[WN_NGRAM_ROWS * WN_NGRAM_OUT];
    static float scale[2 * WN_NGRAM_OUT];
    static uint8_t seen[WN_NGRAM_WORDS / 8];
    struct wn_encoder *e = NULL;
    struct wn_err err = { "" };
    struct wn_tensor extra[2 * WN_EXITS_MAX + 3];
    size_t hidden, n;

    must(wn_encoder_open(&e, from, NULL, &err) == WN_OK, err.text);
    hidden = wn_encoder_shape(e)->hidden;
    must(hidden <= 1024, "the encoder is too wide");
    put_ngrams(ngrams, words, words_n);
    for (size_t i = 0; i < 2 * WN_NGRAM_OUT; i++)
        scale[i] = 0.005f;
    for (size_t i = 0; i < sizeof(seen); i++) /* three words of eight */
        seen[i] =
            words_n > 0 ? 0xFF : (uint8_t)(1u << i % 3 | 8u << i % 5 | 0x40);
    n = put_heads(extra, j, hidden, wn_encoder_shape(e)->layers);
    extra[n++] = tensor("ngram.scale", WN_F32, 2, WN_NGRAM_OUT, scale);
    extra[n++] = tensor("ngram.seen", WN_U8, 1, sizeof(seen), seen);
    extra[n++] =
        tensor("ngram.weight", WN_I8, WN_NGRAM_ROWS, WN_NGRAM_OUT, ngrams);
    must(wn_encoder_write_int8(e, dir, extra, n, &err) == WN_OK, err.text);
    wn_encoder_free(e);
}

void
wn_weights_make(const char *dir, const struct wn_joint *j)
{
    copy_vocab(dir);
    write_config(dir, config(WN_WEIGHTS_POSITIONS), j);
    draw_encoder(dir, WN_WEIGHTS_POSITIONS);
    write_tensors(dir, dir, j, NULL, 0);
}

void
wn_weights_make_named(
    char dir[512], const char *name, struct wn_calibration cal)
{
    struct wn_joint j;

    snprintf(dir, 512, "%s/%s", wn_test_dir(), name);
    must(mkdir(dir, 0700) == 0, dir);
    wn_weights_joint(&j);
    snprintf(j.name, sizeof(j.name), "%s", name);
    for (int h = 0; h < WN_HEADS; h++)
        j.head[h].cal = cal;
    wn_weights_make(dir, &j);
}

void
wn_weights_make_golden(const char *dir, const struct wn_joint *j)
{
    copy_vocab(dir);
    write_config(dir, json_load_file(GOLDEN "/config.json", 0, NULL), j);
    write_tensors(GOLDEN, dir, j, NULL, 0);
}

void
wn_weights_make_planted(const char *dir, const struct wn_joint *j,
    const struct wn_weights_word *words, size_t n)
{
    copy_vocab(dir);
    write_config(dir, config(WINDOW_POSITIONS), j);
    draw_encoder(dir, WINDOW_POSITIONS);
    write_tensors(dir, dir, j, words, n);
}
