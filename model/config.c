/*
 * config.json read with every number bounded, so that products of sizes
 * cannot overflow later (see the limits at read_sizes()).
 */
#include "model/config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define POSITIONS_MIN 2
#define JSON_BYTES_MAX (64 << 20) /* tokenizer.json of large vocabularies */

static enum wn_status
read_stream(json_t **ret, FILE *f, const char *file, struct wn_err *err)
{
    json_error_t why;
    struct stat sb;
    long size;

    if (fstat(fileno(f), &sb) == 0 && S_ISDIR(sb.st_mode))
        return wn_fail(err, WN_REJECT, "%s: is a directory", file);
    if (fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
        return wn_fail(err, WN_REJECT, "%s: not a regular file", file);
    if (size > JSON_BYTES_MAX)
        return wn_fail(err, WN_REJECT, "%s: larger than 64 MiB", file);
    rewind(f);
    *ret = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
    /* "no limit" is 10^30 in tokenizer_config.json: whole numbers are none
     * then, and whoever asks for one finds that out */
    if (*ret == NULL && json_error_code(&why) == json_error_numeric_overflow) {
        rewind(f);
        *ret = json_loadf(
            f, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
    }
    if (*ret == NULL)
        return wn_fail(err, WN_REJECT, "%s:%d: %s", file, why.line, why.text);
    return WN_OK;
}

enum wn_status
wn_config_load_json(json_t **ret, const char *dir, const char *file,
    bool optional, struct wn_err *err)
{
    char path[PATH_MAX];
    enum wn_status rc;
    FILE *f;

    *ret = NULL;
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >=
        sizeof(path))
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
    f = fopen(path, "re");
    if (f == NULL && optional && errno == ENOENT)
        return WN_OK;
    if (f == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    rc = read_stream(ret, f, file, err);
    fclose(f);
    return rc;
}

/* Member `name`, an integer in [min, max]. */
static enum wn_status
get_size(const json_t *root, const char *name, size_t min, size_t max,
    size_t *ret, struct wn_err *err)
{
    const json_t *v = json_object_get(root, name);

    if (v == NULL)
        return wn_fail(err, WN_REJECT, "config.json: no '%s'", name);
    if (!json_is_integer(v) || json_integer_value(v) < (json_int_t)min ||
        json_integer_value(v) > (json_int_t)max)
        return wn_fail(err, WN_REJECT,
            "config.json: '%s' is not an integer in %zu..%zu", name, min, max);
    *ret = (size_t)json_integer_value(v);
    return WN_OK;
}

/* What the families call the same number. */
struct size_row {
    size_t offset, min, max; /* offset in struct wn_encoder_shape */
    const char *bert, *distil;
};
static const struct size_row size_rows[] = {
#define AT(member) offsetof(struct wn_encoder_shape, member)
    { AT(layers), 1, WN_LAYERS_MAX, "num_hidden_layers", "n_layers" },
    { AT(hidden), 1, 8192, "hidden_size", "dim" },
    { AT(heads), 1, 256, "num_attention_heads", "n_heads" },
    { AT(ffn), 1, 65536, "intermediate_size", "hidden_dim" },
    { AT(positions), POSITIONS_MIN, 8192, "max_position_embeddings",
        "max_position_embeddings" },
    { AT(vocab), 1, 4 << 20, "vocab_size", "vocab_size" },
    { AT(types), 1, 64, "type_vocab_size", NULL },
#undef AT
};

static enum wn_status
read_sizes(struct wn_config *conf, const json_t *root, struct wn_err *err)
{
    for (size_t i = 0; i < sizeof(size_rows) / sizeof(size_rows[0]); i++) {
        const struct size_row *row = &size_rows[i];
        const char *name =
            conf->family == WN_DISTILBERT ? row->distil : row->bert;
        size_t *member = (size_t *)((char *)&conf->shape + row->offset);
        enum wn_status rc;

        if (name == NULL)
            continue;
        rc = get_size(root, name, row->min, row->max, member, err);
        if (rc != WN_OK)
            return rc;
    }
    if (conf->shape.hidden % conf->shape.heads != 0)
        return wn_fail(err, WN_REJECT,
            "config.json: %zu hidden do not divide into %zu heads",
            conf->shape.hidden, conf->shape.heads);
    return WN_OK;
}

static enum wn_status
read_family(struct wn_config *conf, const json_t *root, struct wn_err *err)
{
    static const struct {
        const char *name;
        enum wn_family family;
    } rows[] = {
        { "bert", WN_BERT },
        { "distilbert", WN_DISTILBERT },
        { "roberta", WN_ROBERTA },
        { "xlm-roberta", WN_ROBERTA },
    };
    const char *type = json_string_value(json_object_get(root, "model_type"));
    const char *place =
        json_string_value(json_object_get(root, "position_embedding_type"));
    size_t i = 0;

    if (type == NULL)
        return wn_fail(err, WN_REJECT, "config.json: no 'model_type'");
    while (
        i < sizeof(rows) / sizeof(rows[0]) && strcmp(type, rows[i].name) != 0)
        i++;
    if (i == sizeof(rows) / sizeof(rows[0]))
        return wn_fail(err, WN_REJECT,
            "config.json: model_type '%.40s' is not supported (bert, "
            "distilbert, roberta, xlm-roberta)",
            type);
    conf->family = rows[i].family;
    if (place != NULL && strcmp(place, "absolute") != 0)
        return wn_fail(err, WN_REJECT,
            "config.json: position_embedding_type '%.40s' is not supported",
            place);
    return WN_OK;
}

/* RoBERTa counts positions from behind that of its padding. */
static enum wn_status
read_position_first(
    struct wn_config *conf, const json_t *root, struct wn_err *err)
{
    enum wn_status rc = WN_OK;
    size_t pad = 1;

    if (conf->family != WN_ROBERTA)
        return WN_OK;
    if (json_object_get(root, "pad_token_id") != NULL)
        rc = get_size(root, "pad_token_id", 0, 8192, &pad, err);
    if (rc != WN_OK)
        return rc;
    if (pad + 1 + POSITIONS_MIN > conf->shape.positions)
        return wn_fail(err, WN_REJECT,
            "config.json: 'max_position_embeddings' is not %d more than "
            "'pad_token_id'",
            POSITIONS_MIN + 1);
    conf->position_first = pad + 1;
    conf->shape.positions -= pad + 1;
    return WN_OK;
}

static enum wn_status
read_activation(struct wn_config *conf, const json_t *root, struct wn_err *err)
{
    static const struct {
        const char *name;
        enum wn_activation activation;
    } rows[] = {
        { "gelu", WN_GELU_ERF },
        { "gelu_new", WN_GELU_TANH },
        { "gelu_pytorch_tanh", WN_GELU_TANH },
        { "relu", WN_RELU },
    };
    const char *member =
        conf->family == WN_DISTILBERT ? "activation" : "hidden_act";
    const char *name = json_string_value(json_object_get(root, member));

    if (name == NULL)
        return wn_fail(err, WN_REJECT, "config.json: no '%s'", member);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            conf->activation = rows[i].activation;
            return WN_OK;
        }
    }
    return wn_fail(err, WN_REJECT, "config.json: %s '%.40s' is not supported",
        member, name);
}

/* DistilBERT's is fixed in its code and not written down. */
static enum wn_status
read_eps(struct wn_config *conf, const json_t *root, struct wn_err *err)
{
    const json_t *v = json_object_get(root, "layer_norm_eps");
    double eps = v == NULL ? 1e-12 : json_number_value(v);

    if (!(eps > 0 && eps < 1))
        return wn_fail(err, WN_REJECT,
            "config.json: 'layer_norm_eps' is not a number in 0..1");
    conf->norm_eps = (float)eps;
    return WN_OK;
}

static enum wn_status
set_pooling(struct wn_config *conf, const char *file, const char *name,
    struct wn_err *err)
{
    if (name != NULL && strcmp(name, "mean") == 0)
        conf->shape.pooling = WN_POOL_MEAN;
    else if (name != NULL && strcmp(name, "cls") == 0)
        conf->shape.pooling = WN_POOL_CLS;
    else
        return wn_fail(
            err, WN_REJECT, "%s: pooling is neither 'mean' nor 'cls'", file);
    return WN_OK;
}

/* sentence-transformers writes one flag a mode, newer ones also a name. */
static enum wn_status
read_pooling_file(
    struct wn_config *conf, const json_t *root, struct wn_err *err)
{
    const char *file = "1_Pooling/config.json";
    const json_t *mode = json_object_get(root, "pooling_mode");
    const char *name = json_string_value(mode);
    size_t on = 0;
    const char *key;
    json_t *v;

    if (mode != NULL)
        return set_pooling(conf, file, name, err);
    json_object_foreach((json_t *)root, key, v)
    {
        if (strncmp(key, "pooling_mode_", 13) != 0 || !json_is_true(v))
            continue;
        on++;
        if (strcmp(key, "pooling_mode_mean_tokens") == 0)
            name = "mean";
        else if (strcmp(key, "pooling_mode_cls_token") == 0)
            name = "cls";
    }
    return set_pooling(conf, file, on == 1 ? name : NULL, err);
}

/* Our own member first, then sentence-transformers, then the first row, which
 * is what classification heads read. */
static enum wn_status
read_pooling(struct wn_config *conf, const json_t *root, const char *dir,
    struct wn_err *err)
{
    const json_t *own =
        json_object_get(json_object_get(root, "winnow"), "pooling");
    json_t *file = NULL;
    enum wn_status rc;

    if (own != NULL)
        return set_pooling(conf, "config.json", json_string_value(own), err);
    conf->shape.pooling = WN_POOL_CLS;
    rc = wn_config_load_json(&file, dir, "1_Pooling/config.json", true, err);
    if (rc == WN_OK && file != NULL)
        rc = read_pooling_file(conf, file, err);
    json_decref(file);
    return rc;
}

/* winnow.vocab_lines, which folders of others and old ones of ours lack. */
static enum wn_status
read_vocab_lines(struct wn_config *conf, const json_t *root, struct wn_err *err)
{
    const json_t *own = json_object_get(root, "winnow");

    if (json_object_get(own, "vocab_lines") == NULL)
        return WN_OK;
    return get_size(
        own, "vocab_lines", 1, 4 << 20, &conf->shape.vocab_lines, err);
}

static enum wn_status
read_precision(struct wn_config *conf, const json_t *root, struct wn_err *err)
{
    const json_t *list =
        json_object_get(json_object_get(root, "winnow"), "precision");

    for (size_t i = 0; i < WN_LAYERS_MAX; i++)
        conf->precision[i] = WN_INT8;
    if (list == NULL)
        return WN_OK;
    if (!json_is_array(list) || json_array_size(list) != conf->shape.layers)
        return wn_fail(err, WN_REJECT,
            "config.json: winnow.precision is not a list of a word a layer");
    for (size_t i = 0; i < conf->shape.layers; i++) {
        const char *word = json_string_value(json_array_get(list, i));
        int p = 0;

        while (p < WN_PRECISIONS &&
               (word == NULL || strcmp(word, wn_precision_names[p]) != 0))
            p++;
        if (p == WN_PRECISIONS)
            return wn_fail(err, WN_REJECT,
                "config.json: winnow.precision[%zu] is not fp32, bf16, "
                "int8-fine or int8",
                i);
        conf->precision[i] = (enum wn_precision)p;
    }
    return WN_OK;
}

static enum wn_status
read_root(struct wn_config *conf, const json_t *root, const char *dir,
    struct wn_err *err)
{
    enum wn_status rc;

    if (!json_is_object(root))
        return wn_fail(err, WN_REJECT, "config.json: not an object");
    rc = read_family(conf, root, err);
    if (rc == WN_OK)
        rc = read_sizes(conf, root, err);
    if (rc == WN_OK)
        rc = read_position_first(conf, root, err);
    if (rc == WN_OK)
        rc = read_activation(conf, root, err);
    if (rc == WN_OK)
        rc = read_eps(conf, root, err);
    if (rc == WN_OK)
        rc = read_pooling(conf, root, dir, err);
    if (rc == WN_OK)
        rc = read_precision(conf, root, err);
    if (rc == WN_OK)
        rc = read_vocab_lines(conf, root, err);
    conf->shape.labels = json_object_size(json_object_get(root, "id2label"));
    return rc;
}

enum wn_status
wn_config_read(struct wn_config *ret, const char *dir, struct wn_err *err)
{
    struct wn_config conf = { 0 };
    json_t *root = NULL;
    enum wn_status rc;

    rc = wn_config_load_json(&root, dir, "config.json", false, err);
    if (rc == WN_OK)
        rc = read_root(&conf, root, dir, err);
    if (rc == WN_OK)
        *ret = conf;
    json_decref(root);
    return rc;
}
