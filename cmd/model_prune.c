/*
 * winnow model prune: a base with fewer layers, or with the words alone that
 * some texts use. The word table is most of a multilingual model, and most of
 * its rows are never read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "cmd/model_prune.h"
#include "cmd/tools.h"
#include "model/config.h"
#include "model/tokenizer_json.h"

struct job {
    const struct wn_model_prune *asked;
    struct wn_model_source source;
    size_t layers[WN_LAYERS_MAX], layers_n;
    json_t *tokenizer; /* where words go */
    struct wn_words words;
    struct wn_model_out out;
};

/* --- layers --- */

static enum wn_status
bad_layers(const char *why, size_t layers, struct wn_err *err)
{
    return wn_fail(
        err, WN_REJECT, "%s: the folder has layers 0 to %zu", why, layers - 1);
}

/* "0,1,2", rising. */
static enum wn_status
read_list(struct job *j, size_t layers, struct wn_err *err)
{
    const char *p = j->asked->keep;

    for (;;) {
        char *end;
        unsigned long n = strtoul(p, &end, 10);

        if (p[0] < '0' || p[0] > '9' || (*end != ',' && *end != '\0') ||
            n >= layers || (j->layers_n > 0 && n <= j->layers[j->layers_n - 1]))
            return bad_layers(
                "--keep-layers is not a rising list like 0,1,2", layers, err);
        j->layers[j->layers_n++] = n;
        if (*end == '\0')
            return WN_OK;
        p = end + 1;
    }
}

static enum wn_status
choose_layers(struct job *j, struct wn_err *err)
{
    size_t layers = wn_encoder_shape(j->source.encoder)->layers;
    size_t n = j->asked->layers == 0 ? layers : j->asked->layers;

    if (j->asked->keep != NULL)
        return read_list(j, layers, err);
    if (n > layers)
        return bad_layers("--layers asks for more", layers, err);
    for (j->layers_n = 0; j->layers_n < n; j->layers_n++)
        j->layers[j->layers_n] = j->layers_n;
    return WN_OK;
}

/* --- words --- */

/* Before an hour of counting. */
static enum wn_status
check_model(const json_t *tokenizer, struct wn_err *err)
{
    const char *model = wn_tokenizer_json_model(tokenizer);

    if (strcmp(model, "Unigram") == 0 || strcmp(model, "WordPiece") == 0)
        return WN_OK;
    return wn_fail(err, WN_REJECT,
        "--vocab-from: only the vocabularies of Unigram and WordPiece can be "
        "cut: in %.20s pieces are made of other pieces",
        model);
}

static enum wn_status
choose_words(struct job *j, struct wn_err *err)
{
    enum wn_status rc;

    if (j->asked->data_n == 0)
        return WN_OK;
    rc = wn_tokenizer_json_read(&j->tokenizer, j->asked->dir, err);
    if (rc == WN_OK)
        rc = check_model(j->tokenizer, err);
    if (rc != WN_OK)
        return rc;
    return wn_words_choose(&j->words, &j->source, j->asked, j->tokenizer, err);
}

static void
renumber_pad(const struct wn_words *w, json_t *config)
{
    const json_t *pad = json_object_get(config, "pad_token_id");
    json_int_t id = json_is_integer(pad) ? json_integer_value(pad) : -1;

    if (id < 0 || (size_t)id >= w->n || w->to[id] < 0)
        json_object_del(config, "pad_token_id");
    else
        json_object_set_new(config, "pad_token_id", json_integer(w->to[id]));
}

/* Where words go, one file says what the vocabulary is. */
static enum wn_status
write_tokenizer(const struct job *j, struct wn_err *err)
{
    enum wn_status rc;

    if (j->tokenizer == NULL)
        return wn_train_copy_files(j->asked->dir, j->out.dir, err);
    rc = wn_tokenizer_json_renumber(j->tokenizer, j->words.to, j->words.n, err);
    if (rc == WN_OK)
        rc = wn_model_out_tokenizer(&j->out, j->tokenizer,
            wn_encoder_shape(j->source.encoder)->positions, err);
    return rc;
}

/* --- all of it --- */

static enum wn_status
write_all(struct job *j, struct wn_err *err)
{
    const struct wn_bert b = { .layers = j->layers,
        .layers_n = j->layers_n,
        .words = j->words.kept,
        .words_n = j->words.kept_n,
        .prefix = "" };
    json_t *config;
    enum wn_status rc;

    rc = wn_bert_write(j->source.encoder, j->out.dir, &b, NULL, err);
    if (rc == WN_OK)
        rc = write_tokenizer(j, err);
    if (rc != WN_OK)
        return rc;
    config = wn_bert_config(j->source.encoder, j->source.config, &b);
    if (j->tokenizer != NULL)
        renumber_pad(&j->words, config);
    rc = wn_model_out_json(&j->out, "config.json", config, err);
    json_decref(config);
    if (rc == WN_OK && j->tokenizer != NULL)
        rc = wn_words_check(&j->words, &j->source, j->asked, j->out.dir, err);
    return rc == WN_OK ? wn_model_out_end(&j->out, err) : rc;
}

static enum wn_status
read_all(struct job *j, struct wn_err *err)
{
    enum wn_status rc;

    rc = wn_model_source_open(&j->source, j->asked->dir, j->asked->dir, err);
    if (rc == WN_OK)
        rc = choose_layers(j, err);
    return rc;
}

static void
put_words(const struct job *j, struct wn_buf *b)
{
    const struct wn_words *w = &j->words;

    wn_buf_printf(b,
        "texts      %zu, %" PRIu64 " tokens\n"
        "words      %zu of %zu stay; %zu that no text has go, %zu that are "
        "rarer than %zu, %zu that no token is\n"
        "of texts   %zu had a word that goes, the others keep their tokens",
        w->texts, w->tokens, w->kept_n, w->n, w->never, w->rare,
        j->asked->min_count, w->n - w->kept_n - w->never - w->rare, w->touched);
    if (w->known > 0)
        wn_buf_printf(b,
            " but for %zu, where what was unknown is cut into pieces now",
            w->known);
    wn_buf_char(b, '\n');
}

static double
megabytes_of(const char *dir)
{
    char path[PATH_MAX];
    struct stat sb;

    if (snprintf(path, sizeof(path), "%s/model.safetensors", dir) >= PATH_MAX ||
        stat(path, &sb) != 0)
        return 0;
    return (double)sb.st_size / 1e6;
}

static void
print_done(const struct job *j)
{
    size_t before = wn_encoder_shape(j->source.encoder)->layers;
    struct wn_buf b;

    wn_buf_init(&b, 1u << 16);
    wn_buf_printf(&b, "layers     %zu of %zu stay\n", j->layers_n, before);
    if (j->tokenizer != NULL)
        put_words(j, &b);
    wn_buf_printf(&b, "weights    %.1f MB, were %.1f MB\n%s is written\n",
        megabytes_of(j->asked->out), megabytes_of(j->asked->dir),
        j->asked->out);
    fwrite(b.data, 1, b.len, stdout);
    wn_buf_release(&b);
}

static int
prune(struct job *j, struct wn_err *err)
{
    if (read_all(j, err) != WN_OK)
        return wn_model_fail_in(j->asked->dir, err);
    if (wn_model_out_begin(&j->out, j->asked->out, err) != WN_OK ||
        choose_words(j, err) != WN_OK || write_all(j, err) != WN_OK)
        return wn_cmd_fail(1, "model", "%s", err->text);
    print_done(j);
    return 0;
}

int
wn_model_prune(const struct wn_model_prune *asked)
{
    struct job *j = calloc(1, sizeof(*j));
    struct wn_err err = { "" };
    int status;

    if (j == NULL)
        return wn_cmd_fail(1, "model", "out of memory");
    j->asked = asked;
    status = prune(j, &err);
    wn_model_out_release(&j->out);
    wn_words_release(&j->words);
    json_decref(j->tokenizer);
    wn_model_source_release(&j->source);
    free(j);
    return status;
}
