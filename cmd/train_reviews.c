/*
 * winnow train --from-reviews: weights in use learn what staff decided, with
 * replay of what ships, so that they do not forget the rest.
 *
 * The n-grams learn what the whole gets wrong; where it was asked for, the
 * encoder's last layers are tuned for a short while; thresholds rise where they
 * must. Then the gate is asked, on posts that nothing was trained or chosen on
 * and on the decisions that were held back. Nothing is put to use here: the new
 * weights lie in OUT, and the exit status says whether they passed.
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"
#include "cmd/train_reviews.h"

#define FEED "model/data/feed"
/* Of a head, in the gate: what ships has 80 of ai_text. */
#define NEG_MIN 50
/* Of a kind, in the gate: its kinds have two or three dozen posts, and of 20
 * two are lost by chance. */
#define KIND_DROP 0.1
#define NAME_END "-reviews"
#define TEACH 2 /* what holding on counts for, beside decisions */
/* Texts shown to the encoder: each decision so often, and as much replay. */
#define SHOWN 3
#define SHOWN_MIN 2000
#define SHOWN_MAX 20000

struct job {
    struct wn_train_conf_cmd *conf;
    const struct wn_options *o;
    struct wn_reviews reviews;
    struct wn_train_set train, dev;
    struct wn_data gate;
    struct wn_reviews_model before, after;
    struct wn_reviews_head heads[WN_HEADS];
    char name[WN_JOINT_NAME_MAX + 1]; /* where none was given */
};

/* --- what is learnt from --- */

static enum wn_status
read_reviews(struct job *j, struct wn_store *st, struct wn_err *err)
{
    const struct wn_reviews *r = &j->reviews;
    enum wn_status rc =
        wn_reviews_read(&j->reviews, st, j->conf->since_us, err);

    if (rc != WN_OK)
        return rc;
    if (r->decisions > WN_REVIEWS_MAX)
        fprintf(stderr,
            "reviews: of %lld decisions the newest %d are read; --since takes "
            "a shorter time\n",
            (long long)r->decisions, WN_REVIEWS_MAX);
    fprintf(stderr,
        "reviews: %zu posts, %zu texts to learn from, %zu of them "
        "held back\n",
        r->posts, r->data.n, r->held);
    return WN_OK;
}

/* What ships, and what the operator has beside it. */
static enum wn_status
read_replay(struct job *j, struct wn_train_set *to, const char *name,
    struct wn_err *err)
{
    char path[PATH_MAX], rel[64];
    enum wn_status rc;

    wn_train_set_init(to);
    snprintf(rel, sizeof(rel), FEED "/%s.jsonl", name);
    rc =
        wn_train_set_read(to, NULL, wn_cmd_share(rel, path, sizeof(path)), err);
    for (size_t i = 0; rc == WN_OK && i < j->conf->data_n; i++)
        rc = wn_train_set_read(to, j->conf->data_dirs[i], name, err);
    return rc;
}

/* Away with replay beyond so many texts of a source: what the weights say of
 * a text must be known. */
static enum wn_status
pick(struct job *j, struct wn_train_set *s, struct wn_err *err)
{
    const struct wn_train_conf_cmd *c = j->conf;
    enum wn_status rc = wn_train_set_pick(
        s, c->rows_per_source, c->seed, WN_TRAIN_WINDOWS, err);
    size_t n = 0;

    for (size_t r = 0; rc == WN_OK && r < s->data.n; r++)
        if (s->picked[r]) {
            s->picked[n] = true;
            s->data.rows[n++] = s->data.rows[r];
        }
    s->data.n = rc == WN_OK ? n : s->data.n;
    return rc;
}

static enum wn_status
read_gate(struct job *j, struct wn_err *err)
{
    char path[PATH_MAX];
    enum wn_status rc = wn_data_read(
        &j->gate, wn_cmd_share(FEED "/test.jsonl", path, sizeof(path)), err);

    if (rc == WN_OK && j->conf->test != NULL)
        rc = wn_data_read(&j->gate, j->conf->test, err);
    if (rc == WN_OK)
        rc = wn_reviews_add(&j->reviews, true, &j->gate, err);
    return rc;
}

static enum wn_status
read_data(struct job *j, struct wn_err *err)
{
    static const char *const names[] = { "train", "dev" };
    struct wn_train_set *sets[] = { &j->train, &j->dev };
    enum wn_status rc = WN_OK;

    for (size_t i = 0; rc == WN_OK && i < 2; i++) {
        rc = read_replay(j, sets[i], names[i], err);
        if (rc == WN_OK)
            rc = pick(j, sets[i], err);
        if (rc == WN_OK)
            rc = wn_reviews_add_set(&j->reviews, i == 1, sets[i], err);
        if (rc == WN_OK)
            rc = wn_train_set_pick(sets[i], 0, 0, WN_TRAIN_WINDOWS, err);
    }
    return rc == WN_OK ? read_gate(j, err) : rc;
}

/* --- the encoder --- */

/* Half of what is shown are decisions, as far as repeating them allows. */
static void
plan(struct job *j)
{
    const struct wn_data *d = &j->train.data;
    struct wn_tune_conf *t = &j->conf->tune;
    size_t n[WN_DATA_SOURCES_MAX] = { 0 }, reviews = 0;
    double others = 0;

    for (size_t r = 0; r < d->n; r++)
        n[d->rows[r].source]++;
    for (size_t s = 0; s < d->sources_n; s++)
        if (strcmp(d->sources[s], WN_REVIEWS_SOURCE) == 0)
            reviews = n[s];
        else
            others += sqrt((double)n[s]);
    if (t->epoch_rows == 0)
        t->epoch_rows = (size_t)fmin(
            fmax(2.0 * SHOWN * (double)reviews, SHOWN_MIN), SHOWN_MAX);
    if (t->weights_n < WN_TUNE_WEIGHTS_MAX) /* what was asked for comes first */
        t->weights[t->weights_n++] = (struct wn_tune_weight){ WN_REVIEWS_SOURCE,
            others / sqrt((double)reviews) };
}

static enum wn_status
tune(struct job *j, struct wn_err *err)
{
    struct wn_train_conf_cmd *c = j->conf;
    const struct wn_heads *heads = &j->before.m.heads;
    float *teacher = NULL;
    enum wn_status rc;

    if (c->tune.last_layers == 0)
        return WN_OK;
    wn_train_tune_paths(c);
    c->tune.exits = heads->exits - 1;
    memcpy(c->tune.after, heads->after, c->tune.exits * sizeof(*heads->after));
    plan(j);
    rc = wn_reviews_teacher(&teacher, &j->before, &j->train, err);
    c->tune.teacher = teacher;
    c->tune.teach = TEACH;
    if (rc == WN_OK)
        rc = wn_tune(&c->tune, &j->train, err);
    free(teacher);
    c->base_dir = c->tune.dir;
    return rc;
}

/* Heads beside the encoder that was tuned, or as they were. */
static enum wn_status
open_heads(struct job *j, const struct wn_encoder *base, struct wn_err *err)
{
    const struct wn_heads *was = &j->before.m.heads;
    struct wn_heads *heads = &j->after.m.heads;
    const struct wn_encoder_shape *s = wn_encoder_shape(base);
    enum wn_status rc =
        wn_heads_open(heads, wn_encoder_file(base), s->hidden, s->layers, err);

    if (rc != WN_OK)
        return rc;
    if (heads->exits != was->exits || heads->hidden != was->hidden ||
        memcmp(heads->after, was->after, was->exits * sizeof(was->after[0])) !=
            0)
        return wn_fail(err, WN_REJECT,
            "--base %s: its exits are not those of the weights in use",
            j->conf->base_dir);
    heads->kinds = heads->kinds && was->kinds;
    return WN_OK;
}

/* The weights as they will be, but for n-grams and thresholds. */
static enum wn_status
open_after(struct job *j, struct wn_err *err)
{
    struct wn_encoder *base = NULL;
    char dir[PATH_MAX];
    enum wn_status rc;

    rc = wn_encoder_open(&base, j->conf->base_dir, NULL, err);
    if (rc == WN_OK)
        rc = open_heads(j, base, err);
    if (rc == WN_OK)
        rc = wn_train_write_base(j->conf, base, err);
    wn_encoder_free(base);
    wn_train_work_dir(j->conf, dir, sizeof(dir));
    return rc == WN_OK ? wn_reviews_open_after(&j->after, &j->before, dir, err)
                       : rc;
}

/* --- the whole --- */

/* "winnow-1" becomes "winnow-1-reviews", and stays so from then on. */
static void
set_names(struct job *j)
{
    struct wn_train_conf_cmd *c = j->conf;
    const char *was = j->before.m.joint.name;
    size_t len = strlen(was), end = strlen(NAME_END);
    bool has = len >= end && strcmp(was + len - end, NAME_END) == 0;
    size_t room = sizeof(j->name) - 1 - (has ? 0 : end);

    c->model_name = was;
    snprintf(j->name, sizeof(j->name), "%.*s%s", (int)room, was,
        has ? "" : NAME_END);
    if (c->name == NULL)
        c->name = j->name;
}

static enum wn_status
check_layers(const struct job *j, struct wn_err *err)
{
    size_t has = wn_encoder_shape(j->before.encoder)->layers;
    size_t last = j->conf->tune.last_layers;

    if (last > has)
        return wn_fail(err, WN_REJECT, "--last-layers %zu: %s has %zu", last,
            j->conf->model_dir, has);
    return WN_OK;
}

static enum wn_status
learn(struct job *j, struct wn_err *err)
{
    struct wn_train_conf_cmd *c = j->conf;
    struct wn_train_set *sets[2] = { &j->train, &j->dev };
    enum wn_status rc = wn_reviews_open(&j->before, c->model_dir, err);

    if (rc == WN_OK)
        rc = check_layers(j, err);
    if (rc == WN_OK)
        set_names(j);
    if (rc == WN_OK)
        rc = wn_train_set_words(&j->train, j->before.encoder,
            j->before.tokenizer, &j->before.m.words, err);
    for (size_t i = 0; rc == WN_OK && i < 2; i++) {
        rc =
            wn_train_set_features(sets[i], j->before.features, c->threads, err);
        if (rc == WN_OK)
            rc = wn_train_set_ngrams(sets[i], j->before.encoder,
                j->before.tokenizer, &j->before.m.words, err);
    }
    if (rc == WN_OK)
        rc = tune(j, err);
    if (rc == WN_OK)
        rc = open_after(j, err);
    if (rc == WN_OK)
        rc = wn_train_set_features(&j->dev, j->after.features, c->threads, err);
    if (rc == WN_OK && c->tune.last_layers > 0)
        wn_reviews_settle(&j->after, &j->before, &j->dev);
    if (rc == WN_OK)
        rc =
            wn_reviews_ngrams(&j->after.m, &j->before, &j->train, c->seed, err);
    if (rc == WN_OK)
        rc = wn_reviews_thresholds(
            &j->after, &j->before, &j->dev, j->heads, err);
    return rc;
}

static enum wn_status
write_weights(struct job *j, struct wn_err *err)
{
    const struct wn_train_set *sets[] = { &j->train, &j->dev };
    struct wn_buf card;
    enum wn_status rc;

    wn_buf_init(&card, 1u << 20);
    rc = wn_reviews_card(&card, j->conf, &j->reviews, j->heads, err);
    j->conf->card = &card;
    if (rc == WN_OK)
        rc = wn_train_write(j->conf, j->after.encoder, j->after.tokenizer,
            &j->after.m, sets, 2, NULL, err);
    j->conf->card = NULL;
    wn_buf_release(&card);
    return rc;
}

static enum wn_status
make(struct job *j, struct wn_err *err)
{
    enum wn_status rc = read_data(j, err);

    if (rc != WN_OK)
        return rc;
    rc = learn(j, err);
    if (rc == WN_OK)
        rc = write_weights(j, err);
    if (rc != WN_OK)
        wn_train_folder_drop(j->conf);
    return rc;
}

/* The exit status: whether the new weights are not worse. */
static int
gate(struct job *j)
{
    struct wn_compare c = { .model = { j->conf->model_dir, j->conf->out_dir },
        .data = &j->gate,
        .threads = j->conf->threads,
        .neg_min = NEG_MIN,
        .kind_drop = KIND_DROP };
    int status;

    printf("\nThe gate: %zu posts that nothing was trained on, A as it was, B "
           "as it is now\n\n",
        j->gate.n);
    fflush(stdout);
    status = wn_model_compare(&c, j->o);
    if (status == 0)
        printf("\ntrain: %s has passed; --model.dir %s puts it to use\n",
            j->conf->out, j->conf->out);
    else
        printf("\ntrain: %s has NOT passed: what is in use had better stay\n",
            j->conf->out);
    return status;
}

static void
print_summary(const struct job *j)
{
    struct wn_buf out;

    wn_buf_init(&out, 1u << 16);
    wn_reviews_summary(&out, &j->reviews, j->heads);
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
}

static int
run(struct job *j)
{
    struct wn_err err = { "" };
    struct wn_store *st;
    enum wn_status rc;

    if (wn_cmd_database(j->o, "train") == NULL)
        return WN_EX_CONFIG;
    st = wn_cmd_store(j->o, "train");
    if (st == NULL)
        return 1;
    rc = read_reviews(j, st, &err);
    wn_store_free(st); /* nothing waits for us for minutes */
    if (rc == WN_OK)
        rc = make(j, &err);
    if (rc != WN_OK)
        return wn_cmd_fail(1, "train", "%s", err.text);
    print_summary(j);
    return gate(j);
}

static bool
same_folder(const char *a, const char *b)
{
    char x[PATH_MAX], y[PATH_MAX];

    return realpath(a, x) != NULL && realpath(b, y) != NULL &&
           strcmp(x, y) == 0;
}

/* What is read must not be what is written: the gate asks both. 0 or the exit
 * status. */
static int
check_folders(struct wn_train_conf_cmd *conf)
{
    wn_train_tune_paths(conf);
    if (same_folder(conf->model_dir, conf->out_dir))
        return wn_cmd_usage("train",
            "--out %.200s holds the weights in use: name another folder",
            conf->out);
    if (same_folder(conf->base_dir, conf->tune.dir))
        return wn_cmd_usage("train",
            "--base %.200s is where --out keeps its encoder: name another "
            "--out",
            conf->base_dir);
    return 0;
}

int
wn_train_from_reviews(
    struct wn_train_conf_cmd *conf, const struct wn_options *o)
{
    struct job j = { .conf = conf, .o = o };
    char path[PATH_MAX];
    int status;

    wn_reviews_init(&j.reviews);
    wn_data_init(&j.gate);
    conf->model_dir = wn_cmd_weights_dir(o, path, sizeof(path));
    if (conf->base_dir == NULL)
        conf->base_dir = conf->model_dir;
    status = check_folders(conf);
    if (status == 0)
        status = run(&j);
    wn_train_set_release(&j.train);
    wn_train_set_release(&j.dev);
    wn_reviews_close(&j.before);
    wn_reviews_close(&j.after);
    wn_reviews_release(&j.reviews);
    wn_data_release(&j.gate);
    return status;
}
