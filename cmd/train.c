/*
 * winnow train: makes a folder of weights from labelled texts.
 *
 * The encoder stays as it is and is read once (rounded to int8 first, so that
 * training sees the numbers that scoring will see); what is learnt is linear
 * and takes seconds. One thread but for the encoder.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/tools.h"
#include "cmd/train_int.h"

#define ROWS_PER_SOURCE 3000
#define SEED 1
#define NAME "winnow-minilm-1"
#define THREADS_MAX 64

static const char usage[] =
    "Usage: winnow train --heads-only --data DIR --base DIR --out DIR "
    "[OPTIONS]\n"
    "\n"
    "Makes weights from labelled texts: the four heads on a frozen encoder, "
    "the\n"
    "n-gram part beside it, their sum as a probability, and a threshold a "
    "head\n"
    "that lets 1 % of dev's negatives through.\n"
    "\n"
    "  --heads-only   the encoder is not changed (the one way there is)\n"
    "  --data DIR     has train.jsonl.gz and dev.jsonl.gz, or without .gz; "
    "each line\n"
    "                 {\"id\",\"text\",\"labels\":{\"spam\",\"scam\",\"bait\","
    "\"ai\"},\"source\"}\n"
    "                 with labels 1, 0 or null for unknown\n"
    "  --base DIR     a Hugging Face folder of BERT, MiniLM or DistilBERT:\n"
    "                 config.json, model.safetensors, vocab.txt\n"
    "  --out DIR      where the weights go: made in DIR.tmp, which then\n"
    "                 takes the place of DIR; refused where DIR holds other\n"
    "                 files than weights\n"
    "  --cache FILE   keeps what the encoder said: training that was stopped "
    "goes on,\n"
    "                 and the next one skips it\n"
    "  --rows-per-source N  at most so many texts of a source of train go "
    "through the\n"
    "                 encoder (3000; 0: all); the n-grams read all\n"
    "  --test FILE    is measured at the end and chooses nothing\n"
    "  --about FILE   Markdown that ends the card: licences, limits\n"
    "  --name NAME    of the weights (" NAME ")\n"
    "  --threads N    that run the encoder (one a core)\n"
    "  --seed N       the same seed gives the same weights\n"
    "\n"
    "Examples:\n"
    "  winnow train --heads-only --data text --base all-MiniLM-L6-v2 --out "
    "weights\n"
    "  winnow train --heads-only --data text --base all-MiniLM-L6-v2 --out "
    "weights \\\n"
    "      --cache features.bin --test text/test.jsonl.gz\n";

/* --- arguments --- */

/* Takes a number; false and printed where it is none. */
static bool
take_number(int *argc, char **argv, const char *name, size_t max, uint64_t *ret)
{
    const char *s = wn_cmd_take(argc, argv, name);
    unsigned long long n;
    char *end;

    if (s == NULL)
        return true;
    errno = 0;
    n = strtoull(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || n > max) {
        wn_cmd_usage("train", "%s '%.40s' is not a whole number up to %zu",
            name, s, max);
        return false;
    }
    *ret = n;
    return true;
}

static bool
take_numbers(int *argc, char **argv, struct wn_train_conf_cmd *conf)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t rows = ROWS_PER_SOURCE, threads = cores > 0 ? (uint64_t)cores : 1;

    conf->seed = SEED;
    if (!take_number(argc, argv, "--rows-per-source", UINT32_MAX, &rows) ||
        !take_number(argc, argv, "--threads", THREADS_MAX, &threads) ||
        !take_number(argc, argv, "--seed", INT64_MAX, &conf->seed))
        return false;
    conf->rows_per_source = (size_t)rows;
    conf->threads = threads > 0 ? (size_t)threads : 1;
    return true;
}

/* What can be known before hours of work is; 0 or the exit status. */
static int
check_arguments(struct wn_train_conf_cmd *conf)
{
    struct wn_err err = { "" };

    if (!wn_joint_is_name(conf->name, strlen(conf->name)))
        return wn_cmd_usage("train",
            "--name takes 1 to %d letters, digits, '-', '_' and '.'",
            WN_JOINT_NAME_MAX);
    if (wn_train_read_about(conf, &err) != WN_OK)
        return wn_cmd_fail(1, "train", "--about: %s", err.text);
    if (wn_train_folder_check(conf, &err) != WN_OK)
        return wn_cmd_fail(1, "train", "--out: %s", err.text);
    return 0;
}

/* 0, or the exit status of an error, which is printed. */
static int
take_arguments(int argc, char **argv, struct wn_train_conf_cmd *conf)
{
    const struct {
        const char *name, **to;
        bool must;
    } texts[] = {
        { "--data", &conf->data_dir, true },
        { "--base", &conf->base_dir, true },
        { "--out", &conf->out, true },
        { "--cache", &conf->cache, false },
        { "--test", &conf->test, false },
        { "--about", &conf->about, false },
        { "--name", &conf->name, false },
    };
    bool heads_only = wn_cmd_take_switch(&argc, argv, "--heads-only");

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i].to = wn_cmd_take(&argc, argv, texts[i].name);
        if (*texts[i].to != NULL && **texts[i].to == '\0')
            return wn_cmd_usage("train", "%s needs a value", texts[i].name);
    }
    if (!take_numbers(&argc, argv, conf))
        return 2;
    if (argc > 1)
        return wn_cmd_usage("train", "what is '%.80s' for?", argv[1]);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].must && *texts[i].to == NULL)
            return wn_cmd_usage("train", "%s is missing", texts[i].name);
    if (!heads_only)
        return wn_cmd_usage("train",
            "without --heads-only the encoder would change too, which this "
            "version cannot do");
    if (conf->name == NULL)
        conf->name = NAME;
    return check_arguments(conf);
}

/* --- the work --- */

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
        j->sets_n++;
        rc = wn_train_set_read(&j->sets[i], j->conf.data_dir, names[i], err);
        if (rc == WN_OK)
            rc = wn_train_set_pick(&j->sets[i],
                i == 0 ? j->conf.rows_per_source : 0, j->conf.seed,
                i == 0 ? 1 : WN_TRAIN_WINDOWS, err);
    }
    if (rc == WN_OK && j->conf.test != NULL) {
        j->sets_n++;
        rc = wn_train_set_read(&j->sets[2], NULL, j->conf.test, err);
        if (rc == WN_OK)
            rc = wn_train_set_pick(&j->sets[2], 0, 0, WN_TRAIN_WINDOWS, err);
        j->report.has_test = true;
    }
    return rc;
}

/* The encoder as it will ship, opened from the work folder. */
static enum wn_status
open_encoder(struct job *j, struct wn_err *err)
{
    struct wn_encoder *base = NULL;
    uint8_t settings[WN_SHA256];
    char dir[PATH_MAX];
    enum wn_status rc;

    rc = wn_encoder_open(&base, j->conf.base_dir, NULL, err);
    if (rc == WN_OK)
        rc = wn_train_write_base(&j->conf, base, err);
    wn_encoder_free(base);
    wn_train_work_dir(&j->conf, dir, sizeof(dir));
    if (rc == WN_OK)
        rc = wn_encoder_open(&j->encoder, dir, NULL, err);
    if (rc == WN_OK)
        rc = wn_tokenizer_open(&j->tokenizer, dir, err);
    if (rc == WN_OK)
        rc = wn_train_base_sha256(&j->conf, settings, err);
    if (rc == WN_OK)
        rc = wn_features_open(&j->features, j->conf.cache, j->encoder,
            j->tokenizer, settings, err);
    return rc;
}

static enum wn_status
prepare(struct job *j, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t i = 0; rc == WN_OK && i < j->sets_n; i++)
        rc = wn_train_set_features(
            &j->sets[i], j->features, j->conf.threads, err);
    for (size_t i = 0; rc == WN_OK && i < j->sets_n; i++)
        rc = wn_train_set_ngrams(&j->sets[i], j->encoder, j->tokenizer, err);
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
            wn_encoder_shape(j->encoder)->hidden, j->conf.seed, err);
    if (rc == WN_OK)
        rc = measure(j, err);
    if (rc == WN_OK)
        rc = wn_train_write(&j->conf, j->encoder, j->tokenizer, &j->model, sets,
            j->sets_n, &j->report, err);
    return rc;
}

static enum wn_status
train(struct job *j, struct wn_err *err)
{
    enum wn_status rc = read_data(j, err);

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

int
wn_cmd_train(int argc, char **argv)
{
    struct job j = { .sets_n = 0 };
    struct wn_err err = { "" };
    enum wn_status rc;
    int status;

    if (wn_cmd_help(argc, argv, usage, NULL))
        return 0;
    status = take_arguments(argc, argv, &j.conf);
    if (status == 0) {
        wn_hash_setup();
        rc = train(&j, &err);
        if (rc == WN_OK)
            print_report(&j);
        else
            status = wn_cmd_fail(1, "train", "%s", err.text);
    }
    job_release(&j);
    return status;
}
