/*
 * The folder of weights: config.json, model.safetensors, what the tokenizer
 * reads, and the card. Written into the work folder of train_folder.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "classifier/classifier.h"
#include "cmd/train_int.h"

#define CARD_BYTES_MAX (1u << 20)
#define FILE_BYTES_MAX (64u << 20) /* as the readers of these files have it */

/* What a folder holds; `must` of them are there in every base. What is copied
 * is what the tokenizer reads, and a file for other tools: tokenizer.json is
 * stronger than tokenizer_config.json, so one without the other would cut
 * texts in another way than the base does. */
static const struct {
    const char *name;
    bool copied, must;
} files[] = {
    { "config.json", false, true },
    { "model.safetensors", false, true },
    { "README.md", false, false },
    { "metrics.json", false, false },
    { "vocab.txt", true, false },
    { "tokenizer.json", true, false },
    { "tokenizer_config.json", true, false },
    { "special_tokens_map.json", true, false },
};
#define FILES_N (sizeof(files) / sizeof(files[0]))

const char *
wn_train_file_name(size_t i)
{
    return i < FILES_N ? files[i].name : NULL;
}

const char *
wn_train_work_dir(
    const struct wn_train_conf_cmd *conf, char *out, size_t out_bytes)
{
    /* wn_train_folder_check() has left room */
    snprintf(out, out_bytes, "%.*s.tmp", PATH_MAX - 8, conf->out_dir);
    return out;
}

static enum wn_status
path_in(char *out, const char *dir, const char *name, struct wn_err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);

    if (n < 0 || n >= PATH_MAX)
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
    return WN_OK;
}

static enum wn_status
write_file(const char *path, const char *data, size_t len, struct wn_err *err)
{
    FILE *f = fopen(path, "wb");
    bool ok;

    if (f == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    ok = fwrite(data, 1, len, f) == len;
    if (fclose(f) != 0 || !ok)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    return WN_OK;
}

enum wn_status
wn_train_read_file(
    const char *path, struct wn_buf *out, bool *ret_found, struct wn_err *err)
{
    FILE *f = fopen(path, "rb");
    char chunk[65536];
    size_t n;
    enum wn_status rc = WN_OK;

    *ret_found = f != NULL;
    if (f == NULL)
        return errno == ENOENT
                   ? WN_OK
                   : wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    while (!out->failed && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        wn_buf_add(out, chunk, n);
    if (ferror(f))
        rc = wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    else if (out->failed)
        rc = wn_fail(
            err, WN_REJECT, "%s: larger than %zu bytes", path, out->max);
    fclose(f);
    return rc;
}

enum wn_status
wn_train_read_about(struct wn_train_conf_cmd *conf, struct wn_err *err)
{
    bool found = true;
    enum wn_status rc;

    wn_buf_init(&conf->about_text, CARD_BYTES_MAX / 2);
    if (conf->about == NULL)
        return WN_OK;
    rc = wn_train_read_file(conf->about, &conf->about_text, &found, err);
    if (rc == WN_OK && !found)
        rc = wn_fail(err, WN_REJECT, "%s: %s", conf->about, strerror(ENOENT));
    return rc;
}

/* What the base is beside its weights: another of these gives other tokens,
 * or other numbers from the same ones. */
enum wn_status
wn_train_base_sha256(const struct wn_train_conf_cmd *conf,
    uint8_t ret[WN_SHA256], struct wn_err *err)
{
    static const char *const names[] = { "config.json", "1_Pooling/config.json",
        "vocab.txt", "tokenizer.json", "tokenizer_config.json" };
    enum { N = sizeof(names) / sizeof(names[0]) };
    uint8_t sha[N][WN_SHA256];
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < N && rc == WN_OK; i++) {
        char path[PATH_MAX];
        struct wn_buf all;
        bool found;

        wn_buf_init(&all, FILE_BYTES_MAX);
        rc = path_in(path, conf->base_dir, names[i], err);
        if (rc == WN_OK)
            rc = wn_train_read_file(path, &all, &found, err);
        wn_sha256(all.data, all.len, sha[i]);
        wn_buf_release(&all);
    }
    if (rc == WN_OK)
        wn_sha256(sha, sizeof(sha), ret);
    return rc;
}

enum wn_status
wn_train_copy_files(const char *from, const char *to, struct wn_err *err)
{
    for (size_t i = 0; i < FILES_N; i++) {
        char a[PATH_MAX], b[PATH_MAX];
        struct wn_buf all;
        bool found = false;
        enum wn_status rc;

        if (!files[i].copied)
            continue;
        wn_buf_init(&all, FILE_BYTES_MAX);
        rc = path_in(a, from, files[i].name, err);
        if (rc == WN_OK)
            rc = path_in(b, to, files[i].name, err);
        if (rc == WN_OK)
            rc = wn_train_read_file(a, &all, &found, err);
        if (rc == WN_OK && found)
            rc = write_file(b, all.data, all.len, err);
        else if (rc == WN_OK && files[i].must)
            rc = wn_fail(err, WN_REJECT, "%s: no such file", a);
        wn_buf_release(&all);
        if (rc != WN_OK)
            return rc;
    }
    return WN_OK;
}

/* --- config.json --- */

/* The file and its folder, of a path. */
static const char *
last_two(const char *path)
{
    const char *p = path + strlen(path);

    for (int slashes = 0; p > path; p--)
        if (p[-1] == '/' && ++slashes == 2)
            break;
    return p;
}

static json_t *
data_json(const struct wn_train_set *const *sets, size_t n)
{
    json_t *data = json_object();

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sets[i]->files_n; k++) {
            const struct wn_train_file *f = &sets[i]->files[k];
            char hex[2 * WN_SHA256 + 1];

            wn_hex(f->sha256, WN_SHA256, hex);
            json_object_set_new(data, last_two(f->path), json_string(hex));
        }
    return data;
}

/* Of the weights in use, what holds on: precisions of layers, and what they
 * were trained on. */
static void
keep_of_model(json_t *winnow, const char *dir)
{
    static const char *const kept[] = { "precision", "data" };
    char path[PATH_MAX];
    json_t *root = NULL, *was;
    struct wn_err err;

    if (path_in(path, dir, "config.json", &err) == WN_OK)
        root = json_load_file(path, 0, NULL);
    was = json_object_get(root, "winnow");
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (json_object_get(was, kept[i]) != NULL)
            json_object_set(winnow, kept[i], json_object_get(was, kept[i]));
    json_decref(root);
}

static void
add_data(json_t *winnow, json_t *data)
{
    json_t *was = json_object_get(winnow, "data");

    if (json_is_object(was))
        json_object_update(was, data);
    else
        json_object_set(winnow, "data", data);
    json_decref(data);
}

/* The base's config with "winnow" in it; m NULL: only what the encoder
 * itself needs. */
static enum wn_status
write_config(const struct wn_train_conf_cmd *conf,
    const struct wn_encoder_shape *shape, size_t vocab_lines,
    const struct wn_train_model *m, const struct wn_train_set *const *sets,
    size_t sets_n, struct wn_err *err)
{
    char dir[PATH_MAX], from[PATH_MAX], to[PATH_MAX];
    struct wn_joint joint = { .text_version = 0 };
    json_error_t why;
    json_t *root, *winnow;
    enum wn_status rc;

    wn_train_work_dir(conf, dir, sizeof(dir));
    rc = path_in(from, conf->base_dir, "config.json", err);
    if (rc == WN_OK)
        rc = path_in(to, dir, "config.json", err);
    if (rc != WN_OK)
        return rc;
    root = json_load_file(from, 0, &why);
    if (!json_is_object(root)) {
        json_decref(root);
        return wn_fail(err, WN_REJECT, "%s: not a JSON object", from);
    }
    if (m != NULL)
        joint = m->joint;
    snprintf(joint.name, sizeof(joint.name), "%s", conf->name);
    joint.text_version = WN_TEXT_VERSION;
    winnow = wn_joint_json(&joint, shape->pooling, wn_head_names);
    if (conf->from_reviews)
        keep_of_model(winnow, conf->model_dir);
    if (m != NULL) {
        add_data(winnow, data_json(sets, sets_n));
        json_object_set_new(
            winnow, "seed", json_integer((json_int_t)conf->seed));
        json_object_set_new(
            winnow, "vocab_lines", json_integer((json_int_t)vocab_lines));
    }
    json_object_del(root, "_name_or_path");
    json_object_set_new(root, "winnow", winnow);
    if (json_dump_file(root, to,
            JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) != 0)
        rc = wn_fail(err, WN_REJECT, "%s: %s", to, strerror(errno));
    json_decref(root);
    return rc;
}

enum wn_status
wn_train_write_base(const struct wn_train_conf_cmd *conf,
    const struct wn_encoder *base, struct wn_err *err)
{
    char dir[PATH_MAX];
    enum wn_status rc = wn_train_folder_begin(conf, err);

    wn_train_work_dir(conf, dir, sizeof(dir));
    if (rc == WN_OK)
        rc = wn_train_copy_files(conf->base_dir, dir, err);
    if (rc == WN_OK)
        rc = write_config(conf, wn_encoder_shape(base), 0, NULL, NULL, 0, err);
    if (rc == WN_OK)
        rc = wn_encoder_write_int8(base, dir, NULL, 0, err);
    return rc;
}

/* --- the card --- */

static void
add_sources(struct wn_buf *out, const struct wn_train_set *s)
{
    for (size_t i = 0; i < s->data.sources_n; i++) {
        size_t n = 0, used = 0;

        for (size_t r = 0; r < s->data.n; r++)
            if (s->data.rows[r].source == i) {
                n++;
                used += s->picked[r];
            }
        if (n == 0) /* left out */
            continue;
        wn_buf_printf(out, "| %s | %zu | %zu |\n",
            s->data.sources[i][0] == '\0' ? "-" : s->data.sources[i], n, used);
    }
}

/* How the encoder came to what it says. */
static void
add_tuning(struct wn_buf *out, const struct wn_tune_conf *t,
    const struct wn_heads *heads)
{
    wn_buf_printf(out,
        "tuned on the training texts (AdamW, %g epochs of %zu texts, sources "
        "by the root of their size, highest rate %g, dropout %g, %g of the "
        "tokens hidden at most, %g of the texts changed as people or evaders "
        "would) and rounded to int8 with one scale an output channel; linear "
        "heads read the mean of its rows after",
        t->epochs, t->epoch_rows, t->rate, t->dropout, t->mask, t->augment);
    for (size_t e = 0; e < heads->exits; e++)
        wn_buf_printf(out, "%s %zu",
            e == 0                 ? ""
            : e + 1 < heads->exits ? ","
                                   : " and",
            heads->after[e]);
    wn_buf_str(out,
        " layers, the last teaching the others; a text that nothing could "
        "flag any more stops at an early one. ");
}

static void
add_method(struct wn_buf *out, const struct wn_train_conf_cmd *conf,
    const struct wn_encoder_shape *shape, const struct wn_heads *heads)
{
    wn_buf_printf(out,
        "# %s\n\n"
        "Weights for Winnow: four heads (spam, scam, bait, ai_text), one "
        "calibrated probability each. Made by `winnow train`; `winnow eval` "
        "measures them.\n\n"
        "## Method\n\n"
        "Two readers see the same windows (at most 128 tokens) of the same "
        "hardened text, version %d. The first is an encoder with %zu layers "
        "of width %zu, ",
        conf->name, WN_TEXT_VERSION, shape->layers, shape->hidden);
    if (heads->kinds)
        add_tuning(out, &conf->tune, heads);
    else
        wn_buf_str(out,
            "frozen and rounded to int8 with one scale an output channel; a "
            "linear head reads its pooled rows. ");
    wn_buf_printf(out,
        "The second is linear on hashed word 1-2-grams and character "
        "2-4-grams, int8 too. What is linear is trained with masked binary "
        "cross-entropy (an unknown label teaches nothing) and AdaGrad; how "
        "many epochs, at which rate, and how the two are summed is chosen on "
        "dev for each head, and the sum is scaled there to a probability. A "
        "text's score is the highest of its windows. A head's threshold lets "
        "1 %% of dev's negatives through as false positives. Seed %llu; the "
        "test file chose nothing.\n\n",
        (unsigned long long)conf->seed);
}

static void
add_figures(struct wn_buf *out, const struct wn_train_report *report)
{
    wn_buf_str(out,
        "## Figures\n\n"
        "AUC with the 95 % interval of 1,000 resamples of the texts; recall "
        "and false positives are of both readers at the shipped "
        "threshold.\n\n");
    if (report->has_test) {
        wn_buf_str(out, "Test:\n\n");
        wn_train_table(out, report->test);
        wn_buf_str(out, "\n");
    }
    wn_buf_str(out, "Dev (chosen on it, so it flatters):\n\n");
    wn_train_table(out, report->dev);
}

static enum wn_status
write_card(const struct wn_train_conf_cmd *conf, const struct wn_buf *card,
    struct wn_err *err)
{
    char dir[PATH_MAX], path[PATH_MAX];
    enum wn_status rc;

    rc = path_in(
        path, wn_train_work_dir(conf, dir, sizeof(dir)), "README.md", err);
    if (rc == WN_OK && card->failed)
        rc = wn_fail(
            err, WN_REJECT, "the card is larger than %zu bytes", card->max);
    if (rc == WN_OK)
        rc = write_file(path, card->data, card->len, err);
    return rc;
}

static enum wn_status
make_card(const struct wn_train_conf_cmd *conf,
    const struct wn_encoder_shape *shape, const struct wn_heads *heads,
    const struct wn_train_set *const *sets,
    const struct wn_train_report *report, struct wn_err *err)
{
    struct wn_buf out;
    enum wn_status rc;

    wn_buf_init(&out, CARD_BYTES_MAX);
    add_method(&out, conf, shape, heads);
    add_figures(&out, report);
    wn_buf_str(&out,
        "\n## Data\n\n"
        "| source | texts in train | of them read for the heads |\n"
        "|---|---|---|\n");
    add_sources(&out, sets[0]);
    wn_buf_str(&out, "\n");
    if (conf->about_text.len > 0)
        wn_buf_add(&out, conf->about_text.data, conf->about_text.len);
    rc = write_card(conf, &out, err);
    wn_buf_release(&out);
    return rc;
}

/* --- all of it --- */

static struct wn_tensor
tensor(const char *name, enum wn_dtype dtype, size_t rows, size_t cols,
    const void *data)
{
    return (struct wn_tensor){ .name = name,
        .dtype = dtype,
        .rank = cols == 0 ? 1 : 2,
        .shape = { rows, cols },
        .n = rows * (cols == 0 ? 1 : cols),
        .data = data };
}

/* The exits' tensors; names (exits, 2) is room for theirs. */
static size_t
add_heads(struct wn_tensor *to, const struct wn_heads *h, char (*names)[40])
{
    size_t n = 0, outputs = h->kinds ? WN_OUTPUTS : WN_HEADS_OUT;

    for (size_t e = 0; e < h->exits; e++) {
        char *weight = names[2 * e], *bias = names[2 * e + 1];

        if (h->kinds) {
            snprintf(weight, 40, "exit.%zu.weight", h->after[e]);
            snprintf(bias, 40, "exit.%zu.bias", h->after[e]);
        } else {
            snprintf(weight, 40, "heads.weight");
            snprintf(bias, 40, "heads.bias");
        }
        to[n++] = tensor(weight, WN_F32, outputs, h->hidden,
            h->weight + e * WN_OUTPUTS * h->hidden);
        to[n++] = tensor(bias, WN_F32, outputs, 0, h->bias[e]);
    }
    return n;
}

static enum wn_status
write_tensors(const struct wn_encoder *e, const char *dir,
    const struct wn_train_model *m, struct wn_err *err)
{
    struct wn_tensor extra[2 * WN_EXITS_MAX + 3];
    char names[2 * WN_EXITS_MAX][40];
    size_t n = add_heads(extra, &m->heads, names);

    extra[n++] = tensor("ngram.scale", WN_F32, 2, WN_HEADS, m->ngram.scale);
    if (m->words.seen != NULL)
        extra[n++] =
            tensor("ngram.seen", WN_U8, 1, WN_NGRAM_WORDS / 8, m->words.seen);
    extra[n++] =
        tensor("ngram.weight", WN_I8, WN_NGRAM_ROWS, WN_HEADS, m->ngram_weight);
    return wn_encoder_write_int8(e, dir, extra, n, err);
}

/* What no command would open must not take the place of what they do. */
static enum wn_status
check_opens(const char *dir, struct wn_err *err)
{
    struct wn_classifier *c = NULL;
    enum wn_status rc = wn_classifier_open(&c, dir, NULL, err);

    wn_classifier_free(c);
    return rc;
}

enum wn_status
wn_train_write(const struct wn_train_conf_cmd *conf, const struct wn_encoder *e,
    const struct wn_tokenizer *t, const struct wn_train_model *m,
    const struct wn_train_set *const *sets, size_t sets_n,
    const struct wn_train_report *report, struct wn_err *err)
{
    const struct wn_encoder_shape *shape = wn_encoder_shape(e);
    char dir[PATH_MAX];
    enum wn_status rc;

    wn_train_work_dir(conf, dir, sizeof(dir));
    rc = write_config(conf, shape, wn_tokenizer_vocab(t), m, sets, sets_n, err);
    if (rc == WN_OK && conf->card != NULL)
        rc = write_card(conf, conf->card, err);
    else if (rc == WN_OK)
        rc = make_card(conf, shape, &m->heads, sets, report, err);
    if (rc == WN_OK)
        rc = write_tensors(e, dir, m, err);
    if (rc == WN_OK)
        rc = check_opens(dir, err);
    if (rc == WN_OK)
        rc = wn_train_folder_swap(conf, err);
    return rc;
}
