/*
 * winnow model import: a folder of a family that we know, as others publish
 * them, becomes a base of `winnow train`: checked, under BERT's names, one file
 * of weights, with the files that its tokenizer reads. What is printed says
 * what was found and what was left out.
 *
 * Where weights are in shards, or under other names, they are gathered first,
 * in the folder that is made, and read from there.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/model_folder.h"
#include "cmd/model_gather.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"
#include "model/config.h"
#include "model/tokenizer_json.h"

struct job {
    const char *dir, *map_file;
    struct wn_config conf;
    json_t *map;
    size_t files;
    struct wn_model_source source;
    struct wn_bert_rest rest;
    char tokenizer[32];
    struct wn_model_out out;
};

/* --- reading --- */

static bool
has(const char *dir, const char *name)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof(path), "%s/%s", dir, name) < PATH_MAX &&
           access(path, F_OK) == 0;
}

/* What other tools write instead of tokenizer.json is named, with the way
 * from there. */
static enum wn_status
check_tokenizer(const char *dir, struct wn_err *err)
{
    static const char *const others[] = { "sentencepiece.bpe.model",
        "spiece.model", "tokenizer.model", "vocab.json" };

    if (has(dir, "tokenizer.json") || has(dir, "vocab.txt"))
        return WN_OK;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (has(dir, others[i]))
            return wn_fail(err, WN_REJECT,
                "tokenizer.json: is not there, but %s is: make it with "
                "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
                others[i]);
    return wn_fail(err, WN_REJECT, "neither tokenizer.json nor vocab.txt");
}

/* config.json for what was gathered; how it is pooled may stand elsewhere. */
static enum wn_status
gather_config(const struct job *j, struct wn_err *err)
{
    json_t *root = NULL;
    enum wn_status rc;

    rc = wn_config_load_json(&root, j->dir, "config.json", false, err);
    if (rc != WN_OK)
        return rc;
    json_object_set_new(root, "winnow",
        json_pack("{s:s}", "pooling",
            j->conf.shape.pooling == WN_POOL_MEAN ? "mean" : "cls"));
    rc = wn_model_out_json(&j->out, "config.json", root, err);
    json_decref(root);
    return rc;
}

/* *ret_dir: where the weights are. */
static enum wn_status
gather(struct job *j, const char **ret_dir, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    *ret_dir = j->dir;
    j->files = 1;
    if (j->map == NULL && !wn_model_has_shards(j->dir))
        return WN_OK;
    *ret_dir = j->out.dir;
    rc = wn_model_gather(j->dir, j->out.dir, j->map, &j->files, err);
    return rc == WN_OK ? gather_config(j, err) : rc;
}

/* The small files first: what is wrong with them is said at once. */
static enum wn_status
read_source(struct job *j, struct wn_err *err)
{
    json_t *tokenizer = NULL;
    const char *dir;
    enum wn_status rc;

    rc = wn_config_read(&j->conf, j->dir, err);
    if (rc == WN_OK)
        rc = check_tokenizer(j->dir, err);
    if (rc == WN_OK)
        rc = wn_tokenizer_json_read(&tokenizer, j->dir, err);
    if (rc == WN_OK)
        snprintf(j->tokenizer, sizeof(j->tokenizer), "%s",
            wn_tokenizer_json_model(tokenizer));
    json_decref(tokenizer);
    if (rc == WN_OK)
        rc = gather(j, &dir, err);
    return rc == WN_OK ? wn_model_source_open(&j->source, dir, j->dir, err)
                       : rc;
}

/* --- writing --- */

static enum wn_status
write_all(struct job *j, struct wn_err *err)
{
    const struct wn_bert b = { .prefix = "" };
    json_t *config;
    enum wn_status rc;

    rc = wn_bert_write(j->source.encoder, j->out.dir, &b, &j->rest, err);
    if (rc == WN_OK)
        rc = wn_train_copy_files(j->dir, j->out.dir, err);
    if (rc != WN_OK)
        return rc;
    config = wn_bert_config(j->source.encoder, j->source.config, &b);
    rc = wn_model_out_json(&j->out, "config.json", config, err);
    json_decref(config);
    return rc;
}

/* --- what was found --- */

static const char *
dtype_name(enum wn_dtype dtype)
{
    return dtype == WN_F16    ? "fp16"
           : dtype == WN_BF16 ? "bf16"
           : dtype == WN_I8   ? "int8"
                              : "fp32";
}

/* "fp16" where the word table is: the largest tensor. */
static const char *
words_dtype(const struct wn_encoder *e)
{
    const struct wn_safetensors *st = wn_encoder_file(e);
    const struct wn_tensor *largest = wn_safetensors_at(st, 0);

    for (size_t i = 1; i < wn_safetensors_n(st); i++)
        if (wn_safetensors_at(st, i)->n > largest->n)
            largest = wn_safetensors_at(st, i);
    return dtype_name(largest->dtype);
}

static void
put_rest(const struct job *j, struct wn_buf *b)
{
    if (j->rest.n == 0)
        return;
    wn_buf_printf(b, "left out   %zu tensor%s of heads or buffers: ", j->rest.n,
        j->rest.n == 1 ? "" : "s");
    wn_cmd_plain(
        b, (struct wn_str){ j->rest.example, strlen(j->rest.example) }, 100);
    wn_buf_str(b, j->rest.n > 1 ? ", ...\n" : "\n");
}

static void
put_found(const struct job *j, struct wn_buf *b)
{
    const struct wn_encoder_shape *s = wn_encoder_shape(j->source.encoder);
    const char *type =
        json_string_value(json_object_get(j->source.config, "model_type"));

    wn_buf_printf(b, "found      %s: ", type);
    wn_model_put_shape(b, s, s->layers);
    wn_buf_printf(b, "\nweights    %s, in %zu file%s\ntokenizer  ",
        words_dtype(j->source.encoder), j->files, j->files == 1 ? "" : "s");
    wn_buf_printf(b, "%s, %zu pieces\npooling    %s\n", j->tokenizer,
        wn_tokenizer_vocab(j->source.tokenizer),
        s->pooling == WN_POOL_MEAN ? "mean" : "first token");
    put_rest(j, b);
    if (j->conf.activation != WN_GELU_ERF)
        wn_buf_str(b,
            "note       only `winnow train --heads-only` takes it: its "
            "activation is not \"gelu\"\n");
}

static void
print_done(const struct job *j)
{
    struct wn_buf b;

    wn_buf_init(&b, 1u << 16);
    put_found(j, &b);
    wn_buf_printf(&b, "%s is written\n", j->out.place.out);
    fwrite(b.data, 1, b.len, stdout);
    wn_buf_release(&b);
}

/* --- all of it --- */

static int
import(struct job *j, const char *out, struct wn_err *err)
{
    if (j->map_file != NULL &&
        wn_model_map_read(&j->map, j->map_file, err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "model", "%s", err->text);
    if (wn_model_out_begin(&j->out, out, err) != WN_OK)
        return wn_cmd_fail(1, "model", "%s", err->text);
    if (read_source(j, err) != WN_OK)
        return wn_model_fail_in(j->dir, err);
    if (write_all(j, err) != WN_OK || wn_model_out_end(&j->out, err) != WN_OK)
        return wn_cmd_fail(1, "model", "%s", err->text);
    print_done(j);
    return 0;
}

int
wn_model_import(const char *dir, const char *out, const char *map)
{
    struct job j = { .dir = dir, .map_file = map };
    struct wn_err err = { "" };
    int status = import(&j, out, &err);

    wn_model_out_release(&j.out);
    wn_model_source_release(&j.source);
    json_decref(j.map);
    return status;
}
