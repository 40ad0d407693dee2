/*
 * Our encoder as an engine of bench-encoder: what the peers' engines do, with
 * the same lines (tests/bench/README.md).
 *
 *   model_encoder --weights DIR --corpus FILE [--posts N] [--threads N]
 *                 [--chunk TOKENS | --one-post] [--pooling mean|cls]
 *                 [--layers N] [--isa NAME]
 *
 * Pooling is the weights' own and layers are all of them, unless it is said
 * otherwise: --layers is the first N.
 *
 * Posts come in order of arrival and are packed into chunks of whole posts,
 * without padding; a post longer than a chunk is one alone. Each worker has a
 * workspace and takes the next chunk from a counter. Workers live as long as
 * the process and wait between passes, as scorers do between batches.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "model/encoder.h"
#include "model/encoder_int.h"

#define POSTS_MAX 65536
#define THREADS_MAX 256
#define POST_TOKENS_MAX 512
#define LINE_BYTES_MAX (POST_TOKENS_MAX * 8)

struct conf {
    const char *weights, *corpus;
    enum wn_isa isa; /* at most */
    size_t posts, threads, chunk_tokens;
    size_t layers;       /* 0: all */
    const char *pooling; /* NULL: the weights' own */
    bool one_post;
};

/* Posts back to back; post i is ids[offsets[i]] .. ids[offsets[i + 1]]. */
struct corpus {
    int32_t *ids;
    size_t *offsets, posts;
};

/* Posts [first, first + n) of the corpus. */
struct chunk {
    size_t first, n;
};

struct engine {
    struct wn_encoder *encoder;
    size_t layers; /* that it has */
    struct corpus corpus;
    struct chunk *chunks; /* of the first posts of the corpus */
    size_t posts, chunks_n, chunk_posts_max, chunk_tokens_max;
    atomic_size_t next;
    pthread_barrier_t start, end;
    bool over; /* read after start, written before it */
};

struct worker {
    struct engine *engine;
    struct wn_workspace *space;
    size_t *offsets; /* of one chunk, from 0 */
    float *pooled;
    pthread_t thread;
};

static noreturn void
die(const char *what, const char *why)
{
    fprintf(stderr, "model_encoder: %s: %s\n", what, why);
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

/* --- the encoder: the places that know its interface --- */

static void
encoder_open(struct engine *g, const struct conf *conf)
{
    struct wn_encoder_conf how = { conf->isa, WN_INT8 };
    struct wn_encoder_shape *shape;
    struct wn_err err;

    if (wn_encoder_open(&g->encoder, conf->weights, &how, &err) != WN_OK)
        die("open", err.text);
    shape = &g->encoder->conf.shape;
    g->layers = shape->layers;
    if (conf->layers > shape->layers)
        die("--layers", "more than the weights have");
    if (conf->layers > 0)
        shape->layers = conf->layers;
    if (conf->pooling != NULL)
        shape->pooling =
            strcmp(conf->pooling, "cls") == 0 ? WN_POOL_CLS : WN_POOL_MEAN;
}

static void
encoder_close(struct engine *g)
{
    g->encoder->conf.shape.layers = g->layers;
    wn_encoder_free(g->encoder);
}

static void
encoder_run(struct worker *w, const struct chunk *c)
{
    const struct corpus *corpus = &w->engine->corpus;
    size_t from = corpus->offsets[c->first];

    for (size_t i = 0; i <= c->n; i++)
        w->offsets[i] = corpus->offsets[c->first + i] - from;
    wn_encoder_run(w->engine->encoder, w->space, corpus->ids + from, w->offsets,
        c->n, w->pooled, NULL);
}

/* --- the posts --- */

static size_t
read_post(char *line, int32_t *ids, size_t vocab)
{
    size_t n = 0;
    char *end;

    for (;;) {
        long id = strtol(line, &end, 10);

        if (end == line)
            break;
        if (id < 0 || (size_t)id >= vocab)
            die("corpus", "an id is not in the vocabulary");
        if (n == POST_TOKENS_MAX)
            die("corpus", "a post is longer than 512 tokens");
        ids[n++] = (int32_t)id;
        line = end;
    }
    if (n == 0 || (*end != '\n' && *end != '\0'))
        die("corpus", "a line is not token ids");
    return n;
}

static void
read_corpus(struct corpus *c, const struct conf *conf, size_t vocab)
{
    char line[LINE_BYTES_MAX];
    FILE *f = fopen(conf->corpus, "r");

    if (f == NULL)
        die(conf->corpus, strerror(errno));
    c->ids = must_alloc(conf->posts * POST_TOKENS_MAX, sizeof(*c->ids));
    c->offsets = must_alloc(conf->posts + 1, sizeof(*c->offsets));
    while (c->posts < conf->posts && fgets(line, sizeof(line), f) != NULL) {
        size_t at = c->offsets[c->posts];

        c->offsets[++c->posts] = at + read_post(line, c->ids + at, vocab);
    }
    fclose(f);
    if (c->posts < conf->posts)
        die(conf->corpus, "has fewer posts than --posts");
}

/* Cuts the first posts of the corpus into chunks: whole posts, in order, as
 * many as fit; at least one. */
static void
cut_chunks(struct engine *g, const struct conf *conf, size_t posts)
{
    const size_t *offsets = g->corpus.offsets;

    g->posts = posts;
    g->chunks_n = 0;
    for (size_t i = 0; i < posts;) {
        struct chunk *c = &g->chunks[g->chunks_n++];
        size_t tokens;

        c->first = i++;
        while (!conf->one_post && i < posts &&
               offsets[i + 1] - offsets[c->first] <= conf->chunk_tokens)
            i++;
        c->n = i - c->first;
        tokens = offsets[i] - offsets[c->first];
        if (c->n > g->chunk_posts_max)
            g->chunk_posts_max = c->n;
        if (tokens > g->chunk_tokens_max)
            g->chunk_tokens_max = tokens;
    }
}

/* --- the passes --- */

static void
work(struct worker *w)
{
    struct engine *g = w->engine;
    size_t i;

    while ((i = atomic_fetch_add(&g->next, 1)) < g->chunks_n)
        encoder_run(w, &g->chunks[i]);
}

static void *
worker_main(void *arg)
{
    struct worker *w = arg;

    for (;;) {
        pthread_barrier_wait(&w->engine->start);
        if (w->engine->over)
            return NULL;
        work(w);
        pthread_barrier_wait(&w->engine->end);
    }
}

static void
worker_init(struct worker *w, struct engine *g)
{
    struct wn_err err;

    w->engine = g;
    w->offsets = must_alloc(g->chunk_posts_max + 1, sizeof(*w->offsets));
    w->pooled =
        must_alloc(g->chunk_posts_max * wn_encoder_shape(g->encoder)->hidden,
            sizeof(*w->pooled));
    if (wn_workspace_new(&w->space, g->encoder, g->chunk_tokens_max, &err) !=
        WN_OK)
        die("workspace", err.text);
}

static double
cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
run_pass(struct engine *g, struct worker *own)
{
    int64_t began_us = wn_clock_mono_us();
    double cpu = cpu_s();

    atomic_store(&g->next, 0);
    pthread_barrier_wait(&g->start);
    work(own);
    pthread_barrier_wait(&g->end);
    printf("{\"tokens\":%zu,\"posts\":%zu,\"wall_s\":%.6f,\"cpu_s\":%.6f}\n",
        g->corpus.offsets[g->posts], g->posts,
        (double)(wn_clock_mono_us() - began_us) / 1e6, cpu_s() - cpu);
}

/* The first worker is the caller's thread. */
static void
start_workers(struct engine *g, struct worker *workers, size_t n)
{
    pthread_barrier_init(&g->start, NULL, (unsigned)n);
    pthread_barrier_init(&g->end, NULL, (unsigned)n);
    for (size_t i = 0; i < n; i++)
        worker_init(&workers[i], g);
    for (size_t i = 1; i < n; i++) {
        if (pthread_create(
                &workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            die("start", "no thread");
    }
}

static void
end_workers(struct engine *g, struct worker *workers, size_t n)
{
    g->over = true;
    pthread_barrier_wait(&g->start);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            pthread_join(workers[i].thread, NULL);
        wn_workspace_free(workers[i].space);
        free(workers[i].offsets);
        free(workers[i].pooled);
    }
    pthread_barrier_destroy(&g->start);
    pthread_barrier_destroy(&g->end);
}

static size_t
number(const char *option, const char *s, size_t max)
{
    char *end;
    unsigned long n = strtoul(s, &end, 10);

    if (end == s || *end != '\0' || n == 0 || n > max)
        die(option, "not a number in its range");
    return n;
}

static enum wn_isa
isa_of(const char *name)
{
    for (int i = 0; i < WN_ISAS; i++) {
        if (strcmp(name, wn_isa_names[i]) == 0)
            return (enum wn_isa)i;
    }
    die("--isa", "not the name of an instruction set");
}

static void
read_options(struct conf *conf, int argc, char **argv)
{
    static const struct option known[] = {
        { "weights", required_argument, NULL, 'w' },
        { "corpus", required_argument, NULL, 'c' },
        { "posts", required_argument, NULL, 'p' },
        { "threads", required_argument, NULL, 't' },
        { "chunk", required_argument, NULL, 'k' },
        { "one-post", no_argument, NULL, '1' },
        { "pooling", required_argument, NULL, 'f' },
        { "layers", required_argument, NULL, 'l' },
        { "isa", required_argument, NULL, 'i' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'w':
            conf->weights = optarg;
            break;
        case 'c':
            conf->corpus = optarg;
            break;
        case 'p':
            conf->posts = number("--posts", optarg, POSTS_MAX);
            break;
        case 't':
            conf->threads = number("--threads", optarg, THREADS_MAX);
            break;
        case 'k':
            conf->chunk_tokens = number("--chunk", optarg, 1 << 16);
            break;
        case '1':
            conf->one_post = true;
            break;
        case 'f':
            conf->pooling = optarg;
            break;
        case 'l':
            conf->layers = number("--layers", optarg, 64);
            break;
        case 'i':
            conf->isa = isa_of(optarg);
            break;
        default:
            exit(2);
        }
    }
    if (conf->weights == NULL || conf->corpus == NULL || optind != argc)
        die("usage", "--weights DIR --corpus FILE, no other operands");
}

/* "go N": one pass over the first N posts. */
static void
serve(struct engine *g, struct worker *own, const struct conf *conf)
{
    char line[32];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "go ", 3) != 0)
            die("request", "is not go N");
        cut_chunks(g, conf, number("go", line + 3, conf->posts));
        run_pass(g, own);
    }
}

int
main(int argc, char **argv)
{
    struct conf conf = { .isa = WN_ISA_AVX512VNNI,
        .posts = 256,
        .threads = 1,
        .chunk_tokens = 128 };
    struct engine engine = { 0 };
    struct worker *workers;

    read_options(&conf, argc, argv);
    encoder_open(&engine, &conf);
    read_corpus(&engine.corpus, &conf, wn_encoder_shape(engine.encoder)->vocab);
    engine.chunks = must_alloc(conf.posts, sizeof(*engine.chunks));
    cut_chunks(&engine, &conf, conf.posts); /* workspaces are of this size */
    workers = must_alloc(conf.threads, sizeof(*workers));
    start_workers(&engine, workers, conf.threads);

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("{\"ready\":true,\"name\":\"winnow\",\"version\":\"%s\","
           "\"isa\":\"%s\"}\n",
        wn_encoder_kernels(engine.encoder),
        wn_isa_names[wn_kernels_get(conf.isa)->isa]);
    serve(&engine, workers, &conf);

    end_workers(&engine, workers, conf.threads);
    free(workers);
    free(engine.chunks);
    free(engine.corpus.ids);
    free(engine.corpus.offsets);
    encoder_close(&engine);
    return 0;
}
