/*
 * winnow train: makes a folder of weights from labelled texts.
 *
 * First the encoder learns (tune.h), but for --heads-only. Then it stays as it
 * is and is read once (rounded to int8 first, so that what follows sees the
 * numbers that scoring will see); what is learnt there is linear and takes
 * seconds.
 *
 * --from-reviews goes another way: train_reviews.c.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/tools.h"
#include "cmd/train_int.h"

struct job {
    struct wn_train_conf_cmd conf;
    struct wn_train_set sets[3]; /* train, dev, test */
    size_t sets_n;
    struct wn_encoder *encoder; /* as it will ship */
    struct wn_tokenizer *tokenizer;
    struct wn_features *features;
    struct wn_train_model model;
    struct wn_train_report report;
};

/* All input is read before anything is written. */
static enum wn_status
read_data(struct job *j, struct wn_err *err)
{
    static const char *const names[] = { "train", "dev" };
    enum wn_status rc = WN_OK;

    for (size_t i = 0; rc == WN_OK && i < 2; i++) {
        wn_train_set_init(&j->sets[j->sets_n++]);
        for (size_t k = 0; rc == WN_OK && k < j->conf.data_n; k++)
            rc = wn_train_set_read(
                &j->sets[i], j->conf.data_dirs[k], names[i], err);
        if (rc == WN_OK && j->conf.left_out != NULL)
            rc = wn_train_set_leave_out(&j->sets[i], j->conf.left_out, err);
        if (rc == WN_OK)
            rc = wn_train_set_pick(&j->sets[i],
                i == 0 ? j->conf.rows_per_source : 0, j->conf.seed,
                i == 0 ? 1 : WN_TRAIN_WINDOWS, err);
    }
    if (rc == WN_OK && j->conf.test != NULL) {
        wn_train_set_init(&j->sets[j->sets_n++]);
        rc = wn_train_set_read(&j->sets[2], NULL, j->conf.test, err);
        if (rc == WN_OK)
            rc = wn_train_set_pick(&j->sets[2], 0, 0, WN_TRAIN_WINDOWS, err);
        j->report.has_test = true;
    }
    return rc;
}

/* The heads that were tuned with the base, or one exit to be learnt. */
static enum wn_status
open_heads(struct job *j, const struct wn_encoder *base,
    struct wn_features_exits *exits, struct wn_err *err)
{
    const struct wn_encoder_shape *s = wn_encoder_shape(base);
    struct wn_heads *heads = &j->model.heads;
    enum wn_status rc;

    if (wn_heads_are_there(wn_encoder_file(base), s->layers)) {
        rc = wn_heads_open(
            heads, wn_encoder_file(base), s->hidden, s->layers, err);
    } else {
        rc = wn_heads_init(heads, s->hidden, 1, err);
        heads->after[0] = s->layers;
    }
    exits->n = heads->exits;
    memcpy(exits->after, heads->after, sizeof(exits->after));
    return rc;
}

/* The encoder as it will ship, opened from the work folder. */
static enum wn_status
open_encoder(struct job *j, struct wn_err *err)
{
    static const struct wn_encoder_conf served = { WN_ISAS - 1, WN_INT8 };
    struct wn_features_exits exits = { 0 };
    struct wn_encoder *base = NULL;
    uint8_t settings[WN_SHA256];
    char dir[PATH_MAX];
    enum wn_status rc;

    rc = wn_encoder_open(&base, j->conf.base_dir, NULL, err);
    if (rc == WN_OK)
        rc = open_heads(j, base, &exits, err);
    if (rc == WN_OK)
        rc = wn_train_write_base(&j->conf, base, err);
    wn_encoder_free(base);
    wn_train_work_dir(&j->conf, dir, sizeof(dir));
    if (rc == WN_OK)
        rc = wn_encoder_open(&j->encoder, dir, &served, err);
    if (rc == WN_OK)
        rc = wn_tokenizer_open(&j->tokenizer, dir, err);
    if (rc == WN_OK)
        rc = wn_train_base_sha256(&j->conf, settings, err);
    if (rc == WN_OK)
        rc = wn_features_open(&j->features, j->conf.cache, j->encoder,
            j->tokenizer, &exits, settings, err);
    return rc;
}

static enum wn_status
prepare(struct job *j, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    /* Those of train are for heads that have yet to be learnt. */
    for (size_t i = j->model.heads.kinds; rc == WN_OK && i < j->sets_n; i++)
        rc = wn_train_set_features(
            &j->sets[i], j->features, j->conf.threads, err);
    if (rc == WN_OK)
        rc = wn_ngram_words_init(&j->model.words, err);
    if (rc == WN_OK)
        rc = wn_train_set_words(
            &j->sets[0], j->encoder, j->tokenizer, &j->model.words, err);
    for (size_t i = 0; rc == WN_OK && i < j->sets_n; i++)
        rc = wn_train_set_ngrams(
            &j->sets[i], j->encoder, j->tokenizer, &j->model.words, err);
    j->model.ngram.seen = j->model.words.seen;
    return rc;
}

static enum wn_status
measure(struct job *j, struct wn_err *err)
{
    enum wn_status rc;

    rc = wn_train_measure(
        j->report.dev, &j->model, &j->sets[1], j->features, j->conf.seed, err);
    if (rc == WN_OK && j->report.has_test)
        rc = wn_train_measure(j->report.test, &j->model, &j->sets[2],
            j->features, j->conf.seed, err);
    return rc;
}

static enum wn_status
make(struct job *j, struct wn_err *err)
{
    const struct wn_train_set *sets[3] = { &j->sets[0], &j->sets[1],
        &j->sets[2] };
    enum wn_status rc;

    rc = open_encoder(j, err);
    if (rc == WN_OK)
        rc = prepare(j, err);
    if (rc == WN_OK)
        rc = wn_train_fit(&j->model, &j->sets[0], &j->sets[1], j->features,
            j->conf.seed, err);
    if (rc == WN_OK)
        rc = measure(j, err);
    if (rc == WN_OK)
        rc = wn_train_write(&j->conf, j->encoder, j->tokenizer, &j->model, sets,
            j->sets_n, &j->report, err);
    return rc;
}

void
wn_train_tune_paths(struct wn_train_conf_cmd *conf)
{
    struct wn_tune_conf *t = &conf->tune;

    t->base_dir = conf->base_dir;
    snprintf(
        t->dir, sizeof(t->dir), "%.*s.tuned", PATH_MAX - 16, conf->out_dir);
    snprintf(t->checkpoint, sizeof(t->checkpoint), "%.*s.checkpoint",
        PATH_MAX - 16, conf->out_dir);
}

/* What is tuned is the base of all that follows. */
static enum wn_status
tune(struct job *j, struct wn_err *err)
{
    struct wn_tune_conf *t = &j->conf.tune;
    enum wn_status rc;

    if (j->conf.heads_only)
        return WN_OK;
    wn_train_tune_paths(&j->conf);
    rc = wn_tune(t, &j->sets[0], err);
    j->conf.base_dir = t->dir;
    return rc;
}

static enum wn_status
train(struct job *j, struct wn_err *err)
{
    enum wn_status rc = read_data(j, err);

    if (rc == WN_OK)
        rc = tune(j, err);
    if (rc != WN_OK)
        return rc;
    rc = make(j, err);
    if (rc != WN_OK)
        wn_train_folder_drop(&j->conf);
    return rc;
}

static void
job_release(struct job *j)
{
    for (size_t i = 0; i < j->sets_n; i++)
        wn_train_set_release(&j->sets[i]);
    wn_train_model_release(&j->model);
    wn_features_free(j->features);
    wn_tokenizer_free(j->tokenizer);
    wn_encoder_free(j->encoder);
    wn_buf_release(&j->conf.about_text);
}

static void
print_report(const struct job *j)
{
    struct wn_buf out;

    wn_buf_init(&out, 1u << 16);
    wn_buf_str(&out, "\nAUC on dev (everything was chosen on it)\n\n");
    wn_train_table(&out, j->report.dev);
    if (j->report.has_test) {
        wn_buf_str(&out, "\nAUC on test\n\n");
        wn_train_table(&out, j->report.test);
    }
    wn_buf_printf(&out, "\ntrain: %s is written\n", j->conf.out);
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
}

static int
run(int argc, char **argv, struct job *j)
{
    struct wn_err err = { "" };
    int status = wn_train_arguments(argc, argv, &j->conf);

    if (status != 0)
        return status;
    wn_hash_setup();
    if (train(j, &err) != WN_OK)
        return wn_cmd_fail(1, "train", "%s", err.text);
    print_report(j);
    return 0;
}

/* Beside its own flags it knows options: where the database is, and which
 * weights are in use. */
static int
run_reviews(int argc, char **argv, struct wn_train_conf_cmd *conf)
{
    struct wn_options *o = wn_cmd_options(&argc, argv, wn_train_reviews_flags);
    int status;

    if (o == NULL)
        return WN_EX_CONFIG;
    status = wn_train_arguments(argc, argv, conf);
    if (status == 0)
        status = wn_train_from_reviews(conf, o);
    wn_options_free(o);
    return status;
}

int
wn_cmd_train(int argc, char **argv)
{
    static const char *const prefixes[] = { "database.", "model.", NULL };
    struct job j = { .sets_n = 0 };
    int status;

    if (wn_cmd_help(argc, argv, wn_train_usage, prefixes))
        return 0;
    j.conf.from_reviews = wn_cmd_take_switch(&argc, argv, "--from-reviews");
    if (j.conf.from_reviews)
        status = run_reviews(argc, argv, &j.conf);
    else
        status = run(argc, argv, &j);
    job_release(&j);
    return status;
}
