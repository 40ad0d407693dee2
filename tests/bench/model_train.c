/*
 * Our network in training as an engine of bench-train (tests/bench/README.md):
 * each pass trains on the first posts of a corpus, batch by batch.
 *
 *   model_train --layers N --hidden N --heads N --ffn N --vocab N --batch POSTS
 *               --corpus FILE [--threads N] [--dropout SHARE] [--bf16]
 *
 * Weights and labels are drawn as train/pytorch.py draws them, so both begin
 * with the same loss. One exit, after the last layer; every number learns.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cblas.h>

#include "core/clock.h"
#include "model/train/loss.h"
#include "model/train/net_math.h"

#define OUT 9
#define POSITIONS 512
#define POSTS_MAX 65536
#define POST_TOKENS_MAX 256
#define LINE_BYTES_MAX (POST_TOKENS_MAX * 8)
#define REACH 0.05

static const struct wn_adamw adamw = { .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
    .decay = 0.01,
    .rate = 1e-5,
    .fall = 1,
    .clip = 1,
    .words = true };
static const struct wn_loss plain = { .exit_weight = { 1 },
    .out_weight = { 1, 1, 1, 1, 1, 1, 1, 1, 1 } };

struct conf {
    struct wn_net_shape shape;
    const char *corpus;
    size_t batch, threads;
    double dropout;
    bool bf16;
};

/* Posts back to back; post i is ids[offsets[i]] .. ids[offsets[i + 1]]. */
struct corpus {
    int32_t *ids;
    size_t *offsets, posts;
};

struct engine {
    struct conf conf;
    struct corpus corpus;
    struct wn_pool *pool;
    struct wn_net *net;
    /* of a batch */
    size_t *offsets;
    int8_t *labels;
    float *weight, *logits, *dlogits;
};

struct pass {
    size_t tokens, squares; /* squares: of the posts' tokens */
    double adamw_s, loss;   /* loss: of the first batch */
};

static noreturn void
die(const char *what, const char *why)
{
    fprintf(stderr, "model_train: %s: %s\n", what, why);
    exit(1);
}

static void *
must_alloc(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (p == NULL)
        die("start", "out of memory");
    return p;
}

static void
must(enum wn_status rc, const struct wn_err *err)
{
    if (rc != WN_OK)
        die("start", err->text);
}

/* --- what is drawn --- */

/* Number i of splitmix64's sequence. */
static uint64_t
drawn(uint64_t seed, uint64_t i)
{
    return wn_mix64(seed + i * UINT64_C(0x9E3779B97F4A7C15));
}

static void
add_drawn(float *w, size_t n, size_t first)
{
    for (size_t i = 0; i < n; i++)
        w[i] +=
            (float)(REACH * ((double)(drawn(1, first + i) >> 11) / 0x1p52 - 1));
}

static int8_t
label(size_t post, size_t out)
{
    return (int8_t)(drawn(2, post * OUT + out) >> 63);
}

/* --- the posts --- */

static size_t
read_post(char *line, int32_t *ids, size_t vocab)
{
    size_t n = 0;
    char *end;

    for (;; line = end) {
        long id = strtol(line, &end, 10);

        if (end == line)
            break;
        if (id < 0 || (size_t)id >= vocab)
            die("corpus", "an id is not in the vocabulary");
        if (n == POST_TOKENS_MAX)
            die("corpus", "a post is longer than 256 tokens");
        ids[n++] = (int32_t)id;
    }
    if (n == 0 || (*end != '\n' && *end != '\0'))
        die("corpus", "a line is not token ids");
    return n;
}

static void
read_corpus(struct corpus *c, const char *path, size_t vocab)
{
    char line[LINE_BYTES_MAX];
    FILE *f = fopen(path, "re");

    if (f == NULL)
        die(path, strerror(errno));
    c->ids = must_alloc(POSTS_MAX * POST_TOKENS_MAX, sizeof(*c->ids));
    c->offsets = must_alloc(POSTS_MAX + 1, sizeof(*c->offsets));
    while (c->posts < POSTS_MAX && fgets(line, sizeof(line), f) != NULL) {
        size_t at = c->offsets[c->posts];

        c->offsets[++c->posts] = at + read_post(line, c->ids + at, vocab);
    }
    fclose(f);
}

/* Tokens of the largest batch. */
static size_t
largest(const struct corpus *c, size_t batch)
{
    size_t most = 0;

    for (size_t i = 0; i + batch <= c->posts; i += batch)
        if (c->offsets[i + batch] - c->offsets[i] > most)
            most = c->offsets[i + batch] - c->offsets[i];
    return most;
}

/* --- training --- */

/* Where the trainer has it. */
static void
use_bf16(struct wn_net *net)
{
#if __has_include("model/train/bf16.h")
    struct wn_err err;

    must(wn_net_bf16(net, &err), &err);
#else
    (void)net;
    die("--bf16", "this build trains in fp32 alone");
#endif
}

static void
open_engine(struct engine *g)
{
    struct conf *c = &g->conf;
    size_t numbers = c->batch * OUT;
    struct wn_err err;

    openblas_set_num_threads(1); /* ours share the work out */
    read_corpus(&g->corpus, c->corpus, c->shape.vocab);
    c->shape.tokens_max = largest(&g->corpus, c->batch);
    if (c->shape.tokens_max == 0)
        die(c->corpus, "has fewer posts than a batch");
    must(wn_pool_new(&g->pool, c->threads, &err), &err);
    must(wn_net_new(&g->net, &c->shape, g->pool, &err), &err);
    add_drawn(g->net->w.block, g->net->w.n, 0);
    add_drawn(g->net->words, c->shape.vocab * c->shape.hidden, g->net->w.n);
    if (c->bf16)
        use_bf16(g->net);
    g->offsets = must_alloc(c->batch + 1, sizeof(*g->offsets));
    g->labels = must_alloc(numbers, sizeof(*g->labels));
    g->weight = must_alloc(c->batch, sizeof(*g->weight));
    g->logits = must_alloc(numbers, sizeof(*g->logits));
    g->dlogits = must_alloc(numbers, sizeof(*g->dlogits));
    for (size_t i = 0; i < c->batch; i++)
        g->weight[i] = 1;
}

static void
close_engine(struct engine *g)
{
    wn_net_free(g->net);
    wn_pool_free(g->pool);
    free(g->corpus.ids);
    free(g->corpus.offsets);
    free(g->offsets);
    free(g->labels);
    free(g->weight);
    free(g->logits);
    free(g->dlogits);
}

static double
seconds_since(int64_t began_us)
{
    return (double)(wn_clock_mono_us() - began_us) / 1e6;
}

/* Posts first .. first + batch: the loss. */
static double
step(struct engine *g, size_t first, struct pass *pass)
{
    const size_t n = g->conf.batch, *at = g->corpus.offsets + first;
    struct wn_net_batch b = { .ids = g->corpus.ids + at[0],
        .offsets = g->offsets,
        .n = n,
        .dropout = g->conf.dropout,
        .key = g->net->steps };
    struct wn_loss_rows rows = { g->labels, g->weight, NULL, n };
    double loss;
    int64_t began;

    for (size_t i = 0; i <= n; i++)
        g->offsets[i] = at[i] - at[0];
    for (size_t i = 0; i < n * OUT; i++)
        g->labels[i] = label(first + i / OUT, i % OUT);
    wn_net_forward(g->net, &b, g->logits);
    loss = wn_loss(&plain, &g->net->shape, &rows, g->logits, g->dlogits, NULL);
    wn_net_backward(g->net, &b, g->dlogits, 0);
    began = wn_clock_mono_us();
    wn_net_step(g->net, &adamw);
    pass->adamw_s += seconds_since(began);
    pass->tokens += g->offsets[n];
    for (size_t i = 0; i < n; i++)
        pass->squares += (at[i + 1] - at[i]) * (at[i + 1] - at[i]);
    return loss;
}

static double
cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
peak_mb(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static void
run_pass(struct engine *g, size_t posts)
{
    int64_t began_us = wn_clock_mono_us();
    double cpu = cpu_s();
    struct pass pass = { 0 };

    for (size_t i = 0; i + g->conf.batch <= posts; i += g->conf.batch) {
        double loss = step(g, i, &pass);

        if (i == 0)
            pass.loss = loss;
    }
    printf("{\"tokens\":%zu,\"squares\":%zu,\"padded_tokens\":%zu,"
           "\"wall_s\":%.6f,\"cpu_s\":%.6f,\"adamw_s\":%.6f,"
           "\"loss\":%.9g,\"peak_mb\":%.1f}\n",
        pass.tokens, pass.squares, pass.tokens, seconds_since(began_us),
        cpu_s() - cpu, pass.adamw_s, pass.loss, peak_mb());
}

/* --- options and requests --- */

static size_t
number(const char *option, const char *s, size_t max)
{
    char *end;
    unsigned long n = strtoul(s, &end, 10);

    if (end == s || *end != '\0' || n == 0 || n > max)
        die(option, "not a number in its range");
    return n;
}

static void
read_options(struct conf *conf, int argc, char **argv)
{
    struct {
        const char *name;
        size_t *value, max;
    } const numbers[] = {
        { "layers", &conf->shape.layers, 64 },
        { "hidden", &conf->shape.hidden, 4096 },
        { "heads", &conf->shape.heads, 64 },
        { "ffn", &conf->shape.ffn, 16384 },
        { "vocab", &conf->shape.vocab, 1 << 20 },
        { "batch", &conf->batch, 1024 },
        { "threads", &conf->threads, WN_POOL_THREADS_MAX },
    };
    enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };
    struct option known[NUMBERS + 4] = { { 0 } };
    int c;

    for (int i = 0; i < NUMBERS; i++)
        known[i] =
            (struct option){ numbers[i].name, required_argument, NULL, i };
    known[NUMBERS] = (struct option){ "corpus", required_argument, NULL, 'c' };
    known[NUMBERS + 1] =
        (struct option){ "dropout", required_argument, NULL, 'd' };
    known[NUMBERS + 2] = (struct option){ "bf16", no_argument, NULL, 'b' };
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c >= 0 && c < NUMBERS)
            *numbers[c].value = number(numbers[c].name, optarg, numbers[c].max);
        else if (c == 'c')
            conf->corpus = optarg;
        else if (c == 'd')
            conf->dropout = strtod(optarg, NULL);
        else if (c == 'b')
            conf->bf16 = true;
        else
            exit(2);
    }
    for (int i = 0; i < NUMBERS; i++)
        if (*numbers[i].value == 0)
            die(numbers[i].name, "is missing");
    if (conf->corpus == NULL || optind != argc)
        die("usage", "--corpus FILE, no other operands");
    if (!(conf->dropout >= 0 && conf->dropout < 1))
        die("dropout", "is not a share");
}

/* "go N": one pass over the first N posts. */
static void
serve(struct engine *g)
{
    char line[32];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "go ", 3) != 0)
            die("request", "is not go N");
        run_pass(g, number("go", line + 3, g->corpus.posts));
    }
}

int
main(int argc, char **argv)
{
    struct engine g = {
        .conf = { .shape = { .positions = POSITIONS,
                      .norm_eps = 1e-12,
                      .out = OUT,
                      .exits = 1 },
            .threads = 1 },
    };
    double idle_mb = peak_mb();

    read_options(&g.conf, argc, argv);
    g.conf.shape.after[0] = g.conf.shape.layers;
    if (g.conf.shape.hidden % g.conf.shape.heads != 0)
        die("hidden", "is not a multiple of heads");
    open_engine(&g);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("{\"ready\":true,\"name\":\"winnow\",\"version\":\"OpenBLAS %s\","
           "\"idle_mb\":%.1f}\n",
        openblas_get_corename(), idle_mb);
    serve(&g);
    close_engine(&g);
    return 0;
}
