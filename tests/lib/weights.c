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

static void
write_tensors(const char *dir)
{
    static int8_t ngrams[WN_NGRAM_ROWS * WN_NGRAM_OUT];
    static float heads[WN_HEADS * 1024], bias[WN_HEADS];
    static float scale[2 * WN_NGRAM_OUT];
    struct wn_encoder *e = NULL;
    struct wn_err err = { "" };
    struct wn_tensor extra[4];
    uint64_t seed = 7;
    size_t hidden;

    must(wn_encoder_open(&e, GOLDEN, NULL, &err) == WN_OK, err.text);
    hidden = wn_encoder_shape(e)->hidden;
    must(hidden <= 1024, "the encoder is too wide");
    for (size_t i = 0; i < sizeof(ngrams); i++)
        ngrams[i] = (int8_t)(wn_test_random(&seed) % 255 - 127);
    for (size_t i = 0; i < WN_HEADS * hidden; i++)
        heads[i] = (float)(wn_test_random(&seed) % 2001) / 1000.0f - 1.0f;
    for (size_t i = 0; i < 2 * WN_NGRAM_OUT; i++)
        scale[i] = 0.005f;
    extra[0] = tensor("heads.weight", WN_F32, WN_HEADS, hidden, heads);
    extra[1] = tensor("heads.bias", WN_F32, WN_HEADS, 0, bias);
    extra[2] = tensor("ngram.scale", WN_F32, 2, WN_NGRAM_OUT, scale);
    extra[3] =
        tensor("ngram.weight", WN_I8, WN_NGRAM_ROWS, WN_NGRAM_OUT, ngrams);
    must(wn_encoder_write_int8(e, dir, extra, 4, &err) == WN_OK, err.text);
    wn_encoder_free(e);
}

void
wn_weights_make(const char *dir, const struct wn_joint *j)
{
    copy_vocab(dir);
    write_config(dir, j);
    write_tensors(dir);
}
