/* Folders of models, read and made; see model_folder.h. */
#include "cmd/model_folder.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/tools.h"
#include "model/config.h"
#include "model/tokenizer_json.h"

/* --- read --- */

enum wn_status
wn_model_source_open(struct wn_model_source *s, const char *weights_dir,
    const char *dir, struct wn_err *err)
{
    size_t pieces, words;
    enum wn_status rc;

    rc = wn_encoder_open(&s->encoder, weights_dir, NULL, err);
    if (rc == WN_OK)
        rc = wn_config_load_json(
            &s->config, weights_dir, "config.json", false, err);
    if (rc == WN_OK)
        rc = wn_tokenizer_open(&s->tokenizer, dir, err);
    if (rc != WN_OK)
        return rc;
    pieces = wn_tokenizer_vocab(s->tokenizer);
    words = wn_encoder_shape(s->encoder)->vocab;
    if (pieces > words)
        return wn_fail(err, WN_REJECT,
            "the tokenizer has %zu pieces, the encoder knows %zu words: they "
            "are not of one model",
            pieces, words);
    return WN_OK;
}

void
wn_model_source_release(struct wn_model_source *s)
{
    wn_encoder_free(s->encoder);
    wn_tokenizer_free(s->tokenizer);
    json_decref(s->config);
}

int
wn_model_fail_in(const char *dir, const struct wn_err *err)
{
    bool named = strncmp(err->text, dir, strlen(dir)) == 0;

    return wn_cmd_fail(WN_EX_CONFIG, "model", "%s%s%s", named ? "" : dir,
        named ? "" : ": ", err->text);
}

/* --- made --- */

static enum wn_status
check_empty(const char *out, struct wn_err *err)
{
    DIR *d = opendir(out);
    enum wn_status rc = WN_OK;
    struct dirent *e;

    if (d == NULL && errno == ENOENT)
        return WN_OK;
    if (d == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", out, strerror(errno));
    while (rc == WN_OK && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = wn_fail(err, WN_REJECT,
                "%s: holds '%.100s': name a folder that is empty or not there",
                out, e->d_name);
    closedir(d);
    return rc;
}

enum wn_status
wn_model_out_begin(struct wn_model_out *o, const char *out, struct wn_err *err)
{
    enum wn_status rc = check_empty(out, err);

    o->place.out = out;
    if (rc == WN_OK)
        rc = wn_train_folder_check(&o->place, err);
    if (rc == WN_OK)
        rc = wn_train_folder_begin(&o->place, err);
    if (rc != WN_OK)
        return rc;
    wn_train_work_dir(&o->place, o->dir, sizeof(o->dir));
    o->begun = true;
    return WN_OK;
}

static enum wn_status
write_json(const struct wn_model_out *o, const char *name, const json_t *json,
    size_t flags, struct wn_err *err)
{
    char path[PATH_MAX];

    if (json == NULL)
        return wn_fail(err, WN_STOP, "%s: out of memory", name);
    if (snprintf(path, sizeof(path), "%s/%s", o->dir, name) >= PATH_MAX)
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", o->dir);
    if (json_dump_file(json, path, flags | JSON_PRESERVE_ORDER) != 0)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    return WN_OK;
}

enum wn_status
wn_model_out_json(const struct wn_model_out *o, const char *name,
    const json_t *json, struct wn_err *err)
{
    return write_json(
        o, name, json, JSON_INDENT(2) | JSON_REAL_PRECISION(9), err);
}

/* What texts of one batch are filled up with; NULL where there is none. */
static const char *
find_pad(const json_t *tokenizer)
{
    static const char *const names[] = { "[PAD]", "<pad>" };

    for (size_t i = 0; i < 2; i++)
        if (wn_tokenizer_json_find(tokenizer, names[i]) >= 0)
            return names[i];
    return NULL;
}

enum wn_status
wn_model_out_tokenizer(const struct wn_model_out *o, const json_t *tokenizer,
    size_t tokens_max, struct wn_err *err)
{
    json_t *config = json_pack("{s:s, s:I, s:b, s:[s, s]}", "tokenizer_class",
        "PreTrainedTokenizerFast", "model_max_length", (json_int_t)tokens_max,
        "clean_up_tokenization_spaces", 0, "model_input_names", "input_ids",
        "attention_mask");
    const char *pad = find_pad(tokenizer);
    enum wn_status rc;

    if (pad != NULL)
        json_object_set_new(config, "pad_token", json_string(pad));
    rc = wn_model_out_json(o, "tokenizer_config.json", config, err);
    json_decref(config);
    /* scores keep each of their digits */
    if (rc == WN_OK)
        rc = write_json(o, "tokenizer.json", tokenizer,
            JSON_COMPACT | JSON_REAL_PRECISION(17), err);
    return rc;
}

enum wn_status
wn_model_out_end(struct wn_model_out *o, struct wn_err *err)
{
    struct wn_model_source made = { .encoder = NULL };
    enum wn_status rc = wn_model_source_open(&made, o->dir, o->dir, err);

    wn_model_source_release(&made);
    if (rc == WN_OK)
        rc = wn_train_folder_swap(&o->place, err);
    if (rc == WN_OK)
        o->begun = false;
    return rc;
}

void
wn_model_out_release(struct wn_model_out *o)
{
    if (o->begun)
        wn_train_folder_drop(&o->place);
}

void
wn_model_put_shape(
    struct wn_buf *b, const struct wn_encoder_shape *s, size_t layers)
{
    wn_buf_printf(b,
        "%zu layers, width %zu, %zu heads, ffn %zu, %zu positions, %zu words",
        layers, s->hidden, s->heads, s->ffn, s->positions, s->vocab);
}
