/* Weights for tests; see weights.h. */
#include "tests/lib/weights.h"

#include <limits.h>
#include <math.h>

#include <jansson.h>

#include "classifier/classifier.h"
#include "model/encoder.h"
#include "model/ngram.h"
#include "tests/lib/test.h"

#define GOLDEN "tests/golden/bert"

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

static void
write_config(const char *dir, const struct wn_joint *j)
{
    json_t *root = json_load_file(GOLDEN "/config.json", 0, NULL);
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

/* Heads after each early exit and after the last layer, or the one kind of
 * file without exits. */
static size_t
put_heads(struct wn_tensor *to, const struct wn_joint *j, size_t hidden,
    size_t layers)
{
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
            heads[e][i] = (float)(wn_test_random(&seed) % 2001) / 1000.0f - 1;
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

static void
write_tensors(const char *dir, const struct wn_joint *j)
{
    static int8_t ngrams[WN_NGRAM_ROWS * WN_NGRAM_OUT];
    static float scale[2 * WN_NGRAM_OUT];
    static uint8_t seen[WN_NGRAM_WORDS / 8];
    struct wn_encoder *e = NULL;
    struct wn_err err = { "" };
    struct wn_tensor extra[2 * WN_EXITS_MAX + 3];
    uint64_t seed = 7;
    size_t hidden, n;

    must(wn_encoder_open(&e, GOLDEN, NULL, &err) == WN_OK, err.text);
    hidden = wn_encoder_shape(e)->hidden;
    must(hidden <= 1024, "the encoder is too wide");
    for (size_t i = 0; i < sizeof(ngrams); i++)
        ngrams[i] = (int8_t)(wn_test_random(&seed) % 255 - 127);
    for (size_t i = 0; i < 2 * WN_NGRAM_OUT; i++)
        scale[i] = 0.005f;
    for (size_t i = 0; i < sizeof(seen); i++) /* three words of eight */
        seen[i] = (uint8_t)(1u << i % 3 | 8u << i % 5 | 0x40);
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
    write_config(dir, j);
    write_tensors(dir, j);
}
