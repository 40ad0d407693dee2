/* A folder of weights, opened and checked; see classifier.h. */
#include "classifier/classifier_int.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifier/windows.h"
#include "core/buf.h"
#include "core/hash.h"

/* A window of fewer tokens would show nothing of a text. */
#define POSITIONS_MIN 16
#define FILE_BYTES_MAX (64u << 20) /* as the readers of these files have it */

static enum wn_status
check(const struct wn_classifier *c, struct wn_err *err)
{
    const struct wn_encoder_shape *shape = wn_encoder_shape(c->encoder);

    if (c->joint.text_version != WN_TEXT_VERSION)
        return wn_fail(err, WN_REJECT,
            "config.json: these weights read text version %d, this build "
            "makes version %d: train them again or use their build",
            c->joint.text_version, WN_TEXT_VERSION);
    if (shape->positions < POSITIONS_MIN)
        return wn_fail(err, WN_REJECT,
            "config.json: %zu positions, at least %d are needed",
            shape->positions, POSITIONS_MIN);
    if (wn_tokenizer_vocab(c->tokenizer) > shape->vocab)
        return wn_fail(err, WN_REJECT,
            "vocab.txt has %zu pieces, the encoder knows %zu",
            wn_tokenizer_vocab(c->tokenizer), shape->vocab);
    if (shape->vocab_lines != 0 &&
        wn_tokenizer_vocab(c->tokenizer) != shape->vocab_lines)
        return wn_fail(err, WN_REJECT,
            "vocab.txt has %zu pieces, config.json's winnow.vocab_lines says "
            "%zu: it is cut off or another one",
            wn_tokenizer_vocab(c->tokenizer), shape->vocab_lines);
    return WN_OK;
}

/* config.json and the file's tensors speak of the same exits. */
static enum wn_status
check_exits(const struct wn_classifier *c, struct wn_err *err)
{
    bool same = c->joint.early_n + 1 == c->heads.exits;

    for (size_t e = 0; same && e < c->joint.early_n; e++)
        same = c->joint.early[e].after == c->heads.after[e];
    if (!same)
        return wn_fail(err, WN_REJECT,
            "config.json: winnow.exits are not those of model.safetensors");
    for (size_t e = 0; e < c->heads.exits && !c->heads.kinds; e++)
        for (size_t h = 0; h < WN_HEADS; h++)
            if (wn_joint_at(&c->joint, e)[h].with_kinds)
                return wn_fail(err, WN_REJECT,
                    "config.json: a head counts kinds, and model.safetensors "
                    "has none");
    return WN_OK;
}

/* SHA-256 of a small file of the folder; of nothing where it is not there. */
static enum wn_status
hash_file(const char *dir, const char *name, uint8_t sha[WN_SHA256],
    struct wn_err *err)
{
    char path[PATH_MAX], part[4096];
    struct wn_buf text;
    enum wn_status rc = WN_OK;
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    wn_buf_init(&text, FILE_BYTES_MAX);
    f = fopen(path, "re");
    while (f != NULL && (n = fread(part, 1, sizeof(part), f)) > 0)
        wn_buf_add(&text, part, n);
    if ((f != NULL && ferror(f)) || text.failed)
        rc = wn_fail(err, WN_REJECT, "%s: cannot be read whole", name);
    if (f != NULL)
        fclose(f);
    wn_sha256(text.data, text.len, sha);
    wn_buf_release(&text);
    return rc;
}

/* Whatever a score depends on is in the hash: thresholds and mix are in
 * config.json, and another vocabulary gives other tokens. */
static enum wn_status
name_version(struct wn_classifier *c, const char *dir, struct wn_err *err)
{
    static const char *const files[] = { "config.json", "1_Pooling/config.json",
        "vocab.txt", "tokenizer.json", "tokenizer_config.json" };
    enum { N = sizeof(files) / sizeof(files[0]) };
    uint8_t sha[N + 1][WN_SHA256], all[WN_SHA256];
    char hex[2 * WN_SHA256 + 1];
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < N && rc == WN_OK; i++)
        rc = hash_file(dir, files[i], sha[i], err);
    if (rc != WN_OK)
        return rc;
    wn_safetensors_sha256(wn_encoder_file(c->encoder), sha[N]);
    wn_sha256(sha, sizeof(sha), all);
    wn_hex(all, sizeof(all), hex);
    c->version_len = (size_t)snprintf(
        c->version, sizeof(c->version), "%s@%.16s", c->joint.name, hex);
    return WN_OK;
}

/* How they are read makes scores too: named where it is not the usual. */
static void
name_reading(struct wn_classifier *c)
{
    char depth[24] = "";

    if (c->depth < c->heads.exits && c->heads.exits > 1)
        snprintf(depth, sizeof(depth), "+depth=%zu", c->heads.after[c->depth]);
    snprintf(c->version + c->version_len, sizeof(c->version) - c->version_len,
        "%s%s%s", depth, c->precision != WN_INT8 ? "+" : "",
        c->precision != WN_INT8 ? wn_precision_names[c->precision] : "");
}

/* The small files first: what is wrong with them is said at once. */
static enum wn_status
load(struct wn_classifier *c, const char *dir,
    const struct wn_encoder_conf *conf, struct wn_err *err)
{
    static const struct wn_encoder_conf usual = { WN_ISAS - 1, WN_INT8 };
    const struct wn_safetensors *file;
    enum wn_status rc;

    if (conf == NULL)
        conf = &usual;
    c->precision = conf->precision;
    rc = wn_joint_read(&c->joint, dir, wn_head_names, err);
    if (rc == WN_OK)
        rc = wn_tokenizer_open(&c->tokenizer, dir, err);
    if (rc == WN_OK)
        rc = wn_encoder_open(&c->encoder, dir, conf, err);
    if (rc == WN_OK)
        rc = check(c, err);
    if (rc != WN_OK)
        return rc;
    file = wn_encoder_file(c->encoder);
    rc = wn_heads_open(&c->heads, file, wn_encoder_shape(c->encoder)->hidden,
        wn_encoder_shape(c->encoder)->layers, err);
    if (rc == WN_OK)
        rc = check_exits(c, err);
    c->depth = c->heads.exits;
    if (rc == WN_OK)
        rc = wn_ngram_open(&c->ngram, file, err);
    if (rc == WN_OK)
        rc = name_version(c, dir, err);
    if (rc == WN_OK)
        name_reading(c);
    return rc;
}

enum wn_status
wn_classifier_open(struct wn_classifier **ret, const char *dir,
    const struct wn_encoder_conf *conf, struct wn_err *err)
{
    struct wn_classifier *c = calloc(1, sizeof(*c));
    enum wn_status rc;

    if (c == NULL)
        return wn_fail(err, WN_STOP, "weights: out of memory");
    rc = load(c, dir, conf, err);
    if (rc != WN_OK) {
        wn_classifier_free(c);
        return strncmp(err->text, dir, strlen(dir)) == 0
                   ? rc
                   : wn_fail_in(err, rc, "%s", dir);
    }
    *ret = c;
    return WN_OK;
}

void
wn_classifier_free(struct wn_classifier *c)
{
    if (c == NULL)
        return;
    wn_cache_free(c->cache);
    wn_heads_release(&c->heads);
    wn_encoder_free(c->encoder);
    wn_tokenizer_free(c->tokenizer);
    free(c);
}

enum wn_status
wn_classifier_cache(struct wn_classifier *c, size_t entries, struct wn_err *err)
{
    wn_cache_free(c->cache);
    c->cache = entries > 0 ? wn_cache_new(entries) : NULL;
    if (entries > 0 && c->cache == NULL)
        return wn_fail(err, WN_STOP, "score cache: out of memory");
    return WN_OK;
}

/* What was said at another depth is not what is said now. */
static enum wn_status
set_depth(struct wn_classifier *c, size_t depth)
{
    if (c->cache != NULL && depth != c->depth)
        wn_cache_clear(c->cache);
    c->depth = depth;
    name_reading(c);
    return WN_OK;
}

enum wn_status
wn_classifier_depth(
    struct wn_classifier *c, const char *depth, struct wn_err *err)
{
    char known[80];
    size_t n = 0;

    if (strcmp(depth, "auto") == 0)
        return set_depth(c, c->heads.exits);
    for (size_t e = 0; e < c->heads.exits; e++) {
        char *layers = known + n;

        n += (size_t)snprintf(layers, sizeof(known) - n, "%s%zu",
            e > 0 ? ", " : "", c->heads.after[e]);
        if (strcmp(depth, layers + (e > 0 ? 2 : 0)) == 0)
            return set_depth(c, e);
    }
    return wn_fail(err, WN_REJECT,
        "depth '%.20s': these weights know auto and %s layers", depth, known);
}

const char *
wn_classifier_version(const struct wn_classifier *c)
{
    return c->version;
}

size_t
wn_classifier_weights_len(const struct wn_classifier *c)
{
    return c->version_len;
}

const char *
wn_classifier_kernels(const struct wn_classifier *c)
{
    return wn_encoder_kernels(c->encoder);
}

double
wn_classifier_threshold(const struct wn_classifier *c, enum wn_head h)
{
    return c->joint.head[h].threshold;
}
