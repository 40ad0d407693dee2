/* Arguments of `winnow train`. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classifier/windows.h"
#include "cmd/tools.h"
#include "cmd/train_int.h"

#define ROWS_PER_SOURCE 3000
#define EPOCH_ROWS 60000
#define NAME "winnow-1"

const char wn_train_usage[] =
    "Usage: winnow train --data DIR... --base DIR --out DIR [OPTIONS]\n"
    "       winnow train --from-reviews --out DIR [OPTIONS]\n"
    "\n"
    "Makes weights from labelled texts. The encoder learns first; then the "
    "n-gram\n"
    "part beside it, their sum as a probability, and a threshold a head that "
    "lets 1 %\n"
    "of dev's negatives through. Stopped by a signal it leaves "
    "OUT.checkpoint, and\n"
    "the same command goes on from there.\n"
    "\n"
    "  --data DIR     has train.jsonl.gz and dev.jsonl.gz, or without .gz; "
    "each line\n"
    "                 {\"id\",\"text\",\"labels\":{\"spam\",\"scam\",\"bait\","
    "\"ai\"},\"source\"}\n"
    "                 with labels 1, 0 or null for unknown; may be given 8 "
    "times\n"
    "  --base DIR     a Hugging Face folder of BERT's shape: config.json,\n"
    "                 model.safetensors, tokenizer.json or vocab.txt\n"
    "  --out DIR      where the weights go: made in DIR.tmp, which then\n"
    "                 takes the place of DIR; refused where DIR holds other\n"
    "                 files than weights. DIR.tuned keeps the encoder in "
    "fp32\n"
    "  --test FILE    is measured at the end and chooses nothing\n"
    "  --about FILE   Markdown that ends the card: licences, limits\n"
    "  --name NAME    of the weights (" NAME ")\n"
    "  --threads N    (one a core)\n"
    "  --seed N       the same seed gives the same weights, whatever the "
    "threads (1)\n"
    "  --leave-out SOURCE,...  no text of these is trained or chosen on\n"
    "\n"
    "Of the encoder:\n"
    "  --heads-only       it stays as it is\n"
    "  --last-layers N    only these learn\n"
    "  --layers N         of the base, from below (all)\n"
    "  --exits N,...      layers after which a text may be settled, beside "
    "the last\n"
    "                     (none)\n"
    "  --epochs X         (2)\n"
    "  --epoch-rows N     texts shown in an epoch, sources by the root of "
    "their size;\n"
    "                     0: as many as there are (60000)\n"
    "  --weight SOURCE=X  this source counts X times that; may be given 16 "
    "times\n"
    "  --rate X           highest rate of learning (3e-4)\n"
    "  --batch-tokens N   (2048)\n"
    "  --precision P      of large products: fp32, bf16 (needs AVX512-BF16), "
    "or auto,\n"
    "                     bf16 where it can be; a training goes on in either "
    "(auto)\n"
    "\n"
    "Of the rest:\n"
    "  --rows-per-source N  at most so many texts of a source in an epoch (no "
    "bound);\n"
    "                 with --heads-only, through the encoder (3000; 0: all)\n"
    "  --cache FILE   keeps what the encoder said: training that was stopped "
    "goes on,\n"
    "                 and the next one skips it\n"
    "\n"
    "From reviews: weights in use learn what staff decided, and else stay as "
    "they\n"
    "are. A part of the decisions is held back for the gate, which is asked at "
    "the\n"
    "end (`winnow model compare`): status 0 only where the new weights "
    "passed.\n"
    "Nothing is put to use. Database and weights are named by options, as in\n"
    "`winnow run`.\n"
    "  --from-reviews  of the flags above: --out, --data (more to hold on "
    "to),\n"
    "                 --test (more for the gate), --name, --about, --threads,\n"
    "                 --seed, --rows-per-source (6000), and those below\n"
    "  --since DAY    only decisions from that day (2026-11-01) or time on "
    "(all)\n"
    "  --last-layers N  the encoder's last N layers and its heads learn too:\n"
    "                 minutes, where the n-grams alone take seconds (0); with\n"
    "                 --epochs (1), --epoch-rows (by the decisions), "
    "--weight,\n"
    "                 --rate, --batch-tokens, --precision\n"
    "  --base DIR     for that the same encoder in fp32, as OUT.tuned of its\n"
    "                 training, in place of the weights' own, which is "
    "rounded\n"
    "\n"
    "Examples:\n"
    "  winnow train --from-reviews --out weights-new --database.url=...\n"
    "  winnow train --data text --data model/data/feed --base "
    "multilingual-e5-small \\\n"
    "      --exits 3,6 --out weights --test text/test.jsonl.gz\n"
    "  winnow train --heads-only --data text --base all-MiniLM-L6-v2 --out "
    "weights\n";

const char *const wn_train_reviews_flags[] = { "--data=", "--base=", "--out=",
    "--test=", "--about=", "--name=", "--threads=", "--seed=", "--leave-out=",
    "--heads-only", "--last-layers=", "--layers=", "--exits=", "--epochs=",
    "--epoch-rows=", "--weight=", "--rate=", "--batch-tokens=", "--precision=",
    "--rows-per-source=", "--cache=", "--since=", NULL };

/* Takes a number; false and printed where it is none. */
static bool
take_number(
    int *argc, char **argv, const char *name, uint64_t max, uint64_t *ret)
{
    const char *s = wn_cmd_take(argc, argv, name);
    unsigned long long n;
    char *end;

    if (s == NULL)
        return true;
    errno = 0;
    n = strtoull(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || n > max) {
        wn_cmd_usage("train", "%s '%.40s' is not a whole number up to %llu",
            name, s, (unsigned long long)max);
        return false;
    }
    *ret = n;
    return true;
}

static bool
is_positive(const char *s, double max, double *ret)
{
    char *end;

    *ret = strtod(s, &end);
    return *s != '\0' && *end == '\0' && *ret > 0 && *ret <= max;
}

static bool
take_real(int *argc, char **argv, const char *name, double max, double *ret)
{
    const char *s = wn_cmd_take(argc, argv, name);
    double x;

    if (s == NULL)
        return true;
    if (!is_positive(s, max, &x)) {
        wn_cmd_usage("train", "%s '%.40s' is not a number over 0 and up to %g",
            name, s, max);
        return false;
    }
    *ret = x;
    return true;
}

static bool
take_numbers(int *argc, char **argv, struct wn_train_conf_cmd *conf)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct wn_tune_conf *t = &conf->tune;
    uint64_t rows = conf->rows_per_source,
             threads = cores > 0 ? (uint64_t)cores : 1;
    uint64_t layers = 0, last = t->last_layers, tokens = t->tokens;
    uint64_t epoch_rows = t->epoch_rows;

    conf->seed = 1;
    if (!take_number(argc, argv, "--rows-per-source", UINT32_MAX, &rows) ||
        !take_number(argc, argv, "--threads", WN_POOL_THREADS_MAX, &threads) ||
        !take_number(argc, argv, "--seed", INT64_MAX, &conf->seed) ||
        !take_number(argc, argv, "--layers", 128, &layers) ||
        !take_number(argc, argv, "--last-layers", 128, &last) ||
        !take_number(argc, argv, "--epoch-rows", UINT32_MAX, &epoch_rows) ||
        !take_number(argc, argv, "--batch-tokens", 1u << 16, &tokens) ||
        !take_real(argc, argv, "--epochs", 1000, &t->epochs) ||
        !take_real(argc, argv, "--rate", 1, &t->rate))
        return false;
    if (tokens < WN_WINDOW_TOKENS) {
        wn_cmd_usage("train", "--batch-tokens is at least %d, a window",
            WN_WINDOW_TOKENS);
        return false;
    }
    conf->rows_per_source = rows == UINT64_MAX ? ROWS_PER_SOURCE : (size_t)rows;
    t->source_rows = rows == UINT64_MAX ? 0 : (size_t)rows;
    conf->threads = threads > 0 ? (size_t)threads : 1;
    t->last_layers = (size_t)last;
    t->layers = (size_t)layers;
    t->epoch_rows = (size_t)epoch_rows;
    t->tokens = (size_t)tokens;
    t->threads = conf->threads;
    t->seed = conf->seed;
    return true;
}

static bool
take_precision(int *argc, char **argv, struct wn_tune_conf *t)
{
    static const char *const names[] = { "auto", "fp32", "bf16" };
    const char *s = wn_cmd_take(argc, argv, "--precision");

    if (s == NULL)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(s, names[i]) == 0) {
            t->precision = (enum wn_tune_precision)i;
            return true;
        }
    wn_cmd_usage("train", "--precision '%.40s' is not auto, fp32 or bf16", s);
    return false;
}

/* "3,6": ascending; the last layer is added once it is known. */
static bool
take_exits(int *argc, char **argv, struct wn_tune_conf *t)
{
    const char *s = wn_cmd_take(argc, argv, "--exits"), *p = s;

    while (p != NULL && *p != '\0') {
        char *end;
        unsigned long n = strtoul(p, &end, 10);

        if (end == p || (*end != ',' && *end != '\0') || n == 0 || n > 128 ||
            t->exits == WN_NET_EXITS_MAX - 1 ||
            (t->exits > 0 && n <= t->after[t->exits - 1])) {
            wn_cmd_usage("train",
                "--exits '%.40s' is not a list of up to %d layers, ascending, "
                "as 3,6",
                s, WN_NET_EXITS_MAX - 1);
            return false;
        }
        t->after[t->exits++] = n;
        p = *end == ',' ? end + 1 : end;
    }
    return true;
}

static bool
take_weights(int *argc, char **argv, struct wn_tune_conf *t)
{
    const char *s;

    while ((s = wn_cmd_take(argc, argv, "--weight")) != NULL) {
        struct wn_tune_weight *w = &t->weights[t->weights_n];
        char *equals = strrchr(s, '=');

        if (equals == NULL || t->weights_n == WN_TUNE_WEIGHTS_MAX ||
            !is_positive(equals + 1, 1000, &w->by)) {
            wn_cmd_usage("train",
                "--weight '%.40s' is not SOURCE=NUMBER, or one of more than %d",
                s, WN_TUNE_WEIGHTS_MAX);
            return false;
        }
        *equals = '\0'; /* argv is ours */
        w->source = s;
        t->weights_n++;
    }
    return true;
}

/* What silence means where weights in use learn a little more. */
static void
reviews_defaults(struct wn_train_conf_cmd *conf)
{
    struct wn_tune_conf *t = &conf->tune;

    conf->rows_per_source = 6000;
    t->last_layers = 0; /* the encoder stays as it is */
    t->epochs = 1;
    t->rate = 1e-4;
    t->epoch_rows = 0; /* by the number of decisions */
}

/* A date, or a time with it. */
static bool
take_since(int *argc, char **argv, struct wn_train_conf_cmd *conf)
{
    const char *s = wn_cmd_take(argc, argv, "--since");
    char day[32];

    if (s == NULL)
        return true;
    snprintf(day, sizeof(day), "%.12sT00:00:00Z", s);
    if (wn_time_parse(s, strlen(s), &conf->since_us) ||
        wn_time_parse(day, strlen(day), &conf->since_us))
        return true;
    wn_cmd_usage("train",
        "--since '%.40s' is not a day as 2026-11-01, nor a time of RFC 3339",
        s);
    return false;
}

/* A flag of the one way that was given on the other. 0 or the exit status. */
static int
check_way(const struct wn_train_conf_cmd *conf)
{
    const struct wn_tune_conf *t = &conf->tune;
    const struct {
        const char *flag;
        bool given;
    } not_here[] = {
        { "--heads-only", conf->heads_only },
        { "--layers", t->layers > 0 },
        { "--exits", t->exits > 0 },
        { "--cache", conf->cache != NULL },
        { "--leave-out", conf->left_out != NULL },
    };

    for (size_t i = 0; i < sizeof(not_here) / sizeof(not_here[0]); i++)
        if (not_here[i].given)
            return wn_cmd_usage("train", "%s does not go with --from-reviews",
                not_here[i].flag);
    if (conf->base_dir != NULL && t->last_layers == 0)
        return wn_cmd_usage(
            "train", "--base goes with --last-layers: else no encoder learns");
    return 0;
}

static bool
take_data(int *argc, char **argv, struct wn_train_conf_cmd *conf)
{
    const char *s;

    while ((s = wn_cmd_take(argc, argv, "--data")) != NULL) {
        if (*s == '\0' || conf->data_n == WN_TRAIN_FILES_MAX) {
            wn_cmd_usage("train", "--data needs a value, up to %d times",
                WN_TRAIN_FILES_MAX);
            return false;
        }
        conf->data_dirs[conf->data_n++] = s;
    }
    return true;
}

/* What can be known before hours of work is; 0 or the exit status. */
static int
check(struct wn_train_conf_cmd *conf)
{
    struct wn_err err = { "" };

    if (conf->name != NULL && !wn_joint_is_name(conf->name, strlen(conf->name)))
        return wn_cmd_usage("train",
            "--name takes 1 to %d letters, digits, '-', '_' and '.'",
            WN_JOINT_NAME_MAX);
    if (wn_train_read_about(conf, &err) != WN_OK)
        return wn_cmd_fail(1, "train", "--about: %s", err.text);
    if (wn_train_folder_check(conf, &err) != WN_OK)
        return wn_cmd_fail(1, "train", "--out: %s", err.text);
    return 0;
}

/* Everything with a text for a value. */
static int
take_texts(int *argc, char **argv, struct wn_train_conf_cmd *conf)
{
    const struct {
        const char *name, **to;
        bool must;
    } texts[] = {
        { "--base", &conf->base_dir, !conf->from_reviews },
        { "--out", &conf->out, true },
        { "--cache", &conf->cache, false },
        { "--test", &conf->test, false },
        { "--about", &conf->about, false },
        { "--name", &conf->name, false },
        { "--leave-out", &conf->left_out, false },
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        *texts[i].to = wn_cmd_take(argc, argv, texts[i].name);
        if (*texts[i].to != NULL && **texts[i].to == '\0')
            return wn_cmd_usage("train", "%s needs a value", texts[i].name);
    }
    if (*argc > 1)
        return wn_cmd_usage("train", "what is '%.80s' for?", argv[1]);
    if (conf->data_n == 0 && !conf->from_reviews)
        return wn_cmd_usage("train", "--data is missing");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].must && *texts[i].to == NULL)
            return wn_cmd_usage("train", "%s is missing", texts[i].name);
    return 0;
}

int
wn_train_arguments(int argc, char **argv, struct wn_train_conf_cmd *conf)
{
    int status;

    wn_tune_defaults(&conf->tune);
    conf->tune.epoch_rows = EPOCH_ROWS;
    conf->rows_per_source = ROWS_PER_SOURCE;
    if (conf->from_reviews)
        reviews_defaults(conf);
    conf->heads_only = wn_cmd_take_switch(&argc, argv, "--heads-only");
    if (!take_numbers(&argc, argv, conf) ||
        !take_exits(&argc, argv, &conf->tune) ||
        !take_precision(&argc, argv, &conf->tune) ||
        !take_weights(&argc, argv, &conf->tune) ||
        !take_data(&argc, argv, conf) ||
        (conf->from_reviews && !take_since(&argc, argv, conf)))
        return 2;
    status = take_texts(&argc, argv, conf);
    if (status == 0 && conf->from_reviews)
        status = check_way(conf);
    if (status != 0)
        return status;
    if (conf->name == NULL && !conf->from_reviews)
        conf->name = NAME;
    return check(conf);
}
