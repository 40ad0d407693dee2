/* The folder that fine-tuning leaves: BERT's config.json, whatever family the
 * base was of, the base's tokenizer, and model.safetensors in fp32. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "cmd/train_int.h"

static enum wn_status
config_path(const char *dir, char out[PATH_MAX], struct wn_err *err)
{
    if (snprintf(out, PATH_MAX, "%s/config.json", dir) >= PATH_MAX)
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
    return WN_OK;
}

static void
set_size(json_t *o, const char *name, size_t n)
{
    json_object_set_new(o, name, json_integer((json_int_t)n));
}

static json_t *
winnow_json(const char *settings)
{
    json_t *winnow = json_object();

    json_object_set_new(winnow, "pooling", json_string("mean"));
    json_object_set_new(winnow, "tuned", json_string(settings));
    return winnow;
}

static enum wn_status
write_config(const struct wn_tune_conf *conf, const struct wn_net_shape *s,
    const char *settings, struct wn_err *err)
{
    json_t *root = json_object();
    char path[PATH_MAX];
    enum wn_status rc = config_path(conf->dir, path, err);

    json_object_set_new(root, "model_type", json_string("bert"));
    json_object_set_new(root, "hidden_act", json_string("gelu"));
    set_size(root, "hidden_size", s->hidden);
    set_size(root, "num_hidden_layers", s->layers);
    set_size(root, "num_attention_heads", s->heads);
    set_size(root, "intermediate_size", s->ffn);
    set_size(root, "max_position_embeddings", s->positions);
    set_size(root, "type_vocab_size", s->types);
    set_size(root, "vocab_size", s->vocab);
    json_object_set_new(root, "layer_norm_eps", json_real(s->norm_eps));
    json_object_set_new(root, "winnow", winnow_json(settings));
    if (rc == WN_OK &&
        json_dump_file(root, path,
            JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) != 0)
        rc = wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    json_decref(root);
    return rc;
}

/* config.json last: it says that the rest is whole. */
enum wn_status
wn_tune_folder_write(const struct wn_tune_conf *conf, const struct wn_net *net,
    const char *settings, struct wn_err *err)
{
    enum wn_status rc;

    if (mkdir(conf->dir, 0777) != 0 && errno != EEXIST)
        return wn_fail(err, WN_REJECT, "%s: %s", conf->dir, strerror(errno));
    rc = wn_train_copy_files(conf->base_dir, conf->dir, err);
    if (rc == WN_OK)
        rc = wn_train_save(net, conf->dir, err);
    if (rc == WN_OK)
        rc = write_config(conf, &net->shape, settings, err);
    return rc;
}

bool
wn_tune_folder_is(const struct wn_tune_conf *conf, const char *settings)
{
    struct wn_err err;
    char path[PATH_MAX];
    const char *said;
    json_t *root;
    bool is;

    if (config_path(conf->dir, path, &err) != WN_OK)
        return false;
    root = json_load_file(path, 0, NULL);
    said = json_string_value(
        json_object_get(json_object_get(root, "winnow"), "tuned"));
    is = said != NULL && strcmp(said, settings) == 0;
    json_decref(root);
    return is;
}
