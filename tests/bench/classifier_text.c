/*
 * What reading a text costs before the encoder sees it, on one thread, beside
 * Hugging Face tokenizers (Rust) on the same posts:
 *
 *   classifier_text [--profile PART] POSTS
 *
 *   tokens      ids and offsets alone, of the shipped weights' tokenizer
 *   harden      hardened text alone
 *   links       links of the hardened text
 *   ngrams      the n-grams of the windows
 *   reading     all of it: hardened, links, windows with their ids, n-grams
 *   cold        the same, 32 posts at a time, with 16 MiB of other memory read
 *               in between (not timed): about what an encoder leaves of the
 *               caches to the next batch
 *
 * and tokens alone of each kind of tokenizer: WordPiece, Unigram and byte-level
 * BPE of tests/golden, and of multilingual-e5-small where WN_TEST_E5_DIR names
 * its folder.
 *
 * POSTS is what tests/bench/posts.py writes. Parts and peer take turns in
 * every round, timed by the CPU time of their process, so other work on the
 * machine is left out; medians of the rounds are printed and written to
 * $BUILD/bench/tokenizer.json (BUILD: build). It fails where an id differs from
 * the peer's. $BENCH_PYTHON runs the peer (build/bench/venv/bin/python).
 *
 * --profile runs one part for three seconds and nothing else: for a profiler.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "classifier/reader.h"

#define ROUNDS 9
#define PASSES 8      /* over all posts, in one turn of ours: some 100 ms */
#define WINDOWS_MAX 4 /* the service's default */
#define COLD_POSTS 32 /* and its batch */
#define COLD_BYTES (16u << 20)
#define WEIGHTS "model/weights/winnow"
#define PEER "tests/bench/tokenizer_peer.py"

enum part { TOKENS, HARDEN, LINKS, NGRAMS, READING, COLD, PARTS };
static const char *const part_names[PARTS] = { "tokens", "harden", "links",
    "ngrams", "reading", "cold" };
enum { PEER_BATCH, PEER_FAST, PEERS };
static const char *const peer_names[PEERS] = { "tokenizers_batch",
    "tokenizers_batch_fast" };

/* Tokenizers beside the shipped one. */
enum kind { WORDPIECE, UNIGRAM, BPE, E5, KINDS };
static const char *const kind_names[KINDS] = { "wordpiece", "unigram", "bpe",
    "unigram_e5" };

struct measured {
    double us[ROUNDS], peer_us[PEERS][ROUNDS]; /* a token */
    size_t tokens;                             /* 0: not there */
};

struct bench {
    struct wn_str *posts, *hard; /* as they came, and hardened */
    size_t n, tokens, bytes;
    struct wn_tokenizer *t;
    struct wn_tokens tk;
    struct wn_text text;
    struct wn_links links;
    struct wn_reading reading;
    struct wn_ngram_bag bag;
    struct wn_arena arena;
    char *other; /* COLD_BYTES */
    FILE *to_peer, *from_peer;
    pid_t peer;
    char version[64];
    double us[PARTS][ROUNDS], peer_us[PEERS][ROUNDS]; /* a token */
    struct measured kinds[KINDS];
};

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "bench-tokenizer: %s: %s\n", what, why);
    exit(1);
}

static void
must(enum wn_status rc, const char *what, const struct wn_err *err)
{
    if (rc != WN_OK)
        die(what, err->text);
}

static double
cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Sorts v. */
static double
median(double v[ROUNDS])
{
    qsort(v, ROUNDS, sizeof(*v), by_value);
    return v[ROUNDS / 2];
}

static struct wn_str
keep(const char *p, size_t len)
{
    char *copy = malloc(len + 1);

    if (copy == NULL)
        die("posts", "out of memory");
    memcpy(copy, p, len);
    copy[len] = '\0';
    return (struct wn_str){ copy, len };
}

static void
add_post(struct bench *b, size_t *cap, const char *line, const char *path)
{
    json_t *o = json_loads(line, 0, NULL);
    const json_t *text = json_object_get(o, "text");

    if (!json_is_string(text))
        die(path, "a line without a \"text\"");
    if (b->n == *cap) {
        *cap = *cap == 0 ? 1024 : 2 * *cap;
        b->posts = realloc(b->posts, *cap * sizeof(*b->posts));
        b->hard = realloc(b->hard, *cap * sizeof(*b->hard));
        if (b->posts == NULL || b->hard == NULL)
            die(path, "out of memory");
    }
    b->posts[b->n++] = keep(json_string_value(text), json_string_length(text));
    b->bytes += json_string_length(text);
    json_decref(o);
}

static void
read_posts(struct bench *b, const char *path)
{
    FILE *f = fopen(path, "re");
    size_t cap = 0, line_cap = 0;
    char *line = NULL;

    if (f == NULL)
        die(path, strerror(errno));
    while (getline(&line, &line_cap, f) > 0)
        add_post(b, &cap, line, path);
    free(line);
    fclose(f);
    if (b->n == 0)
        die(path, "no posts");
}

static void
open_all(struct bench *b)
{
    struct wn_encoder_shape shape = { .positions = 512 };
    struct wn_err err = { "" };

    must(wn_tokenizer_open(&b->t, WEIGHTS, &err), WEIGHTS, &err);
    wn_tokens_init(&b->tk);
    wn_text_init(&b->text);
    must(wn_reading_init(&b->reading, &shape, &err), "reading", &err);
    must(wn_ngram_bag_init(&b->bag, &err), "n-grams", &err);
    wn_arena_init(&b->arena, 1u << 16, 4u << 20);
    b->other = malloc(COLD_BYTES);
    if (b->other == NULL)
        die("memory", "there is too little");
    memset(b->other, 1, COLD_BYTES);
}

/* --- one part over all posts --- */

static void
run_post(struct bench *b, enum part part, size_t i)
{
    struct wn_str post = b->posts[i], hard = b->hard[i];
    struct wn_err err = { "" };
    enum wn_status rc = WN_OK;

    switch (part) {
    case TOKENS:
        rc = wn_tokenizer_run(b->t, post.p, post.len, &b->tk, &err);
        break;
    case HARDEN:
        rc = wn_text_harden(&b->text, post.p, post.len, &err);
        break;
    case LINKS:
        rc = wn_links_collect(
            &b->links, &b->arena, NULL, 0, hard.p, hard.len, &err);
        break;
    case NGRAMS:
        wn_ngram_bag_fill(&b->bag, hard.p, hard.len);
        break;
    default:
        rc = wn_reading_run(&b->reading, b->t, &b->arena, post.p, post.len,
            NULL, 0, WINDOWS_MAX, &err);
        for (size_t w = 0; rc == WN_OK && w < b->reading.windows.n; w++)
            wn_reading_bag(&b->reading, w);
    }
    must(rc, part_names[part], &err);
    wn_arena_reset(&b->arena);
}

static void
run_part(struct bench *b, enum part part)
{
    for (size_t i = 0; i < b->n; i++)
        run_post(b, part, i);
}

static void
sweep_caches(const struct bench *b)
{
    volatile char sink = 0;

    for (size_t i = 0; i < COLD_BYTES; i += 64)
        sink = (char)(sink + b->other[i]);
}

/* Seconds of one pass in batches that begin with cold caches. */
static double
run_cold(struct bench *b)
{
    double took = 0, start;

    for (size_t i = 0; i < b->n; i += COLD_POSTS) {
        sweep_caches(b);
        start = cpu_s();
        for (size_t k = i; k < b->n && k < i + COLD_POSTS; k++)
            run_post(b, READING, k);
        took += cpu_s() - start;
    }
    return took;
}

/* Microseconds a token. */
static double
time_part(struct bench *b, enum part part)
{
    double start = cpu_s();

    if (part == COLD)
        return run_cold(b) * 1e6 / (double)b->tokens;
    for (int i = 0; i < PASSES; i++)
        run_part(b, part);
    return (cpu_s() - start) * 1e6 / (double)(PASSES * b->tokens);
}

static void
harden_posts(struct bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        run_post(b, HARDEN, i);
        b->hard[i] = keep(b->text.data, b->text.len);
    }
}

/* --- the peer --- */

static void
start_peer(
    struct bench *b, const char *vocab, const char *posts, const char *ids)
{
    const char *python = getenv("BENCH_PYTHON");
    int in[2], out[2];

    if (python == NULL || python[0] == '\0')
        python = "build/bench/venv/bin/python";
    if (pipe(in) != 0 || pipe(out) != 0)
        die("pipe", strerror(errno));
    b->peer = fork();
    if (b->peer < 0)
        die("fork", strerror(errno));
    if (b->peer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)
            _exit(126);
        close(in[1]);
        close(out[0]);
        execl(python, python, PEER, vocab, posts, ids, (char *)NULL);
        fprintf(stderr, "bench-tokenizer: %s: %s\n", python, strerror(errno));
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    b->to_peer = fdopen(in[1], "w");
    b->from_peer = fdopen(out[0], "r");
    if (b->to_peer == NULL || b->from_peer == NULL)
        die("pipe", strerror(errno));
    if (fscanf(b->from_peer, "%63s", b->version) != 1)
        die("peer", "tokenizers did not start (make bench-tokenizer installs "
                    "it); its output is above");
}

static void
run_peer(struct bench *b, double us[PEERS][ROUNDS], size_t round)
{
    double s[PEERS];

    fputs("round\n", b->to_peer);
    fflush(b->to_peer);
    if (fscanf(b->from_peer, "%lf %lf", &s[0], &s[1]) != 2)
        die("peer", "ended in the middle");
    for (size_t i = 0; i < PEERS; i++)
        us[i][round] = s[i] * 1e6 / (double)b->tokens;
}

static void
stop_peer(struct bench *b)
{
    int status;

    fclose(b->to_peer);
    fclose(b->from_peer);
    if (waitpid(b->peer, &status, 0) != b->peer || status != 0)
        die("peer", "did not end well");
}

static uint32_t
next_id(FILE *f, const char *path)
{
    uint32_t id;

    if (fread(&id, sizeof(id), 1, f) != 1)
        die(path, "ends too early");
    return id;
}

/* Every id equals the peer's; counts the tokens. */
static void
compare_ids(struct bench *b, const char *path)
{
    FILE *f = fopen(path, "re");

    if (f == NULL)
        die(path, strerror(errno));
    b->tokens = 0;
    for (size_t i = 0; i < b->n; i++) {
        run_post(b, TOKENS, i);
        if (next_id(f, path) != b->tk.n)
            die(b->posts[i].p, "another number of tokens than the peer's");
        for (size_t k = 0; k < b->tk.n; k++)
            if (next_id(f, path) != (uint32_t)b->tk.ids[k])
                die(b->posts[i].p, "other tokens than the peer's");
        b->tokens += b->tk.n;
    }
    fclose(f);
}

/* --- other kinds of tokenizer --- */

static const char *
kind_dir(enum kind kind)
{
    static const char *const dirs[KINDS] = { "tests/golden/wordpiece",
        "tests/golden/xlm_roberta", "tests/golden/roberta", NULL };
    const char *e5 = getenv("WN_TEST_E5_DIR");

    if (kind == E5)
        return e5 == NULL || e5[0] == '\0' ? NULL : e5;
    return dirs[kind];
}

/* The file of a folder that the peer reads its tokenizer from. */
static void
peer_file(const char *dir, char *out, size_t n)
{
    snprintf(out, n, "%s/tokenizer.json", dir);
    if (access(out, R_OK) != 0)
        snprintf(out, n, "%s/vocab.txt", dir);
}

/* Ids alone, as those of the shipped weights. */
static void
measure_kind(
    struct bench *b, enum kind kind, const char *posts, const char *ids)
{
    struct measured *m = &b->kinds[kind];
    struct wn_tokenizer *shipped = b->t;
    const char *dir = kind_dir(kind);
    struct wn_err err = { "" };
    size_t tokens = b->tokens;
    char vocab[512];

    if (dir == NULL)
        return;
    must(wn_tokenizer_open(&b->t, dir, &err), dir, &err);
    peer_file(dir, vocab, sizeof(vocab));
    start_peer(b, vocab, posts, ids);
    compare_ids(b, ids);
    m->tokens = b->tokens;
    for (size_t round = 0; round < ROUNDS; round++) {
        run_peer(b, m->peer_us, round);
        m->us[round] = time_part(b, TOKENS);
    }
    stop_peer(b);
    wn_tokenizer_free(b->t);
    b->t = shipped;
    b->tokens = tokens;
}

/* --- the report --- */

static void
report_row(json_t *rows, const char *name, double v[ROUNDS], double a_post)
{
    double mid = median(v);

    printf("%-22s %10.3f %10.2f %10.3f .. %.3f\n", name, mid, mid * a_post,
        v[0], v[ROUNDS - 1]);
    json_object_set_new(rows, name,
        json_pack("{s:f,s:f,s:f,s:f}", "us_token", mid, "us_post", mid * a_post,
            "us_token_least", v[0], "us_token_most", v[ROUNDS - 1]));
}

static json_t *
report_kinds(struct bench *b)
{
    json_t *kinds = json_object();

    for (size_t k = 0; k < KINDS; k++) {
        struct measured *m = &b->kinds[k];
        double ours = median(m->us), batch = median(m->peer_us[PEER_BATCH]);
        double fast = median(m->peer_us[PEER_FAST]);

        if (m->tokens == 0)
            continue;
        printf("%-22s %10.3f %10.2f %10.3f .. %.3f; tokenizers %.3f, fast "
               "%.3f\n",
            kind_names[k], ours, ours * (double)m->tokens / (double)b->n,
            m->us[0], m->us[ROUNDS - 1], batch, fast);
        json_object_set_new(kinds, kind_names[k],
            json_pack("{s:I,s:f,s:f,s:f,s:f,s:f}", "tokens",
                (json_int_t)m->tokens, "us_token", ours, "us_token_least",
                m->us[0], "us_token_most", m->us[ROUNDS - 1],
                peer_names[PEER_BATCH], batch, peer_names[PEER_FAST], fast));
    }
    return kinds;
}

static void
report(struct bench *b, const char *path)
{
    double a_post = (double)b->tokens / (double)b->n, best, ratio;
    json_t *rows = json_object(), *root;

    printf("%zu posts, %zu tokens (%.1f a post, %.0f bytes a post), %d rounds, "
           "one thread, CPU time\n%-22s %10s %10s %10s\n",
        b->n, b->tokens, a_post, (double)b->bytes / (double)b->n, ROUNDS, "",
        "us/token", "us/post", "us/token, least .. most");
    for (size_t i = 0; i < PARTS; i++)
        report_row(rows, part_names[i], b->us[i], a_post);
    for (size_t i = 0; i < PEERS; i++)
        report_row(rows, peer_names[i], b->peer_us[i], a_post);
    best = b->peer_us[PEER_BATCH][ROUNDS / 2];
    if (b->peer_us[PEER_FAST][ROUNDS / 2] < best)
        best = b->peer_us[PEER_FAST][ROUNDS / 2];
    ratio = best / b->us[TOKENS][ROUNDS / 2];
    printf("tokenizers %s at its best is %.1f times tokens; all ids are "
           "equal\n",
        b->version, ratio);
    root = json_pack("{s:I,s:I,s:I,s:i,s:s,s:b,s:f,s:o,s:o}", "posts",
        (json_int_t)b->n, "tokens", (json_int_t)b->tokens, "bytes",
        (json_int_t)b->bytes, "rounds", ROUNDS, "tokenizers", b->version,
        "ids_equal", 1, "peer_best_vs_tokens", ratio, "parts", rows, "kinds",
        report_kinds(b));
    if (root == NULL || json_dump_file(root, path, JSON_INDENT(2)) != 0)
        die(path, "cannot be written");
    json_decref(root);
}

static void
profile(struct bench *b, const char *name)
{
    enum part part = TOKENS;
    double start = cpu_s();
    size_t passes = 0;

    while (part < COLD && strcmp(part_names[part], name) != 0)
        part++;
    if (part == COLD)
        die(name, "no such part, or none for a profiler");
    for (; cpu_s() - start < 3; passes++)
        run_part(b, part);
    printf("%s: %.2f us a post\n", name,
        (cpu_s() - start) * 1e6 / (double)(passes * b->n));
}

static void
measure(struct bench *b, const char *posts)
{
    const char *build = getenv("BUILD");
    char ids[512], json[512], vocab[512];

    if (build == NULL || build[0] == '\0')
        build = "build";
    snprintf(ids, sizeof(ids), "%s/bench/tokenizer_ids.u32", build);
    snprintf(json, sizeof(json), "%s/bench/tokenizer.json", build);
    peer_file(WEIGHTS, vocab, sizeof(vocab));
    start_peer(b, vocab, posts, ids);
    compare_ids(b, ids);
    for (size_t round = 0; round < ROUNDS; round++) {
        run_peer(b, b->peer_us, round);
        for (size_t p = 0; p < PARTS; p++)
            b->us[p][round] = time_part(b, (enum part)p);
    }
    stop_peer(b);
    for (size_t k = 0; k < KINDS; k++)
        measure_kind(b, (enum kind)k, posts, ids);
    report(b, json);
    unlink(ids);
}

static void
release(struct bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free((char *)b->posts[i].p);
        free((char *)b->hard[i].p);
    }
    free(b->posts);
    free(b->hard);
    wn_tokens_release(&b->tk);
    wn_text_release(&b->text);
    wn_reading_release(&b->reading);
    wn_ngram_bag_release(&b->bag);
    wn_arena_release(&b->arena);
    free(b->other);
    wn_tokenizer_free(b->t);
}

int
main(int argc, char **argv)
{
    static struct bench b;
    bool profiled = argc == 4 && strcmp(argv[1], "--profile") == 0;

    if (!profiled && argc != 2) {
        fputs("usage: classifier_text [--profile PART] POSTS\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    read_posts(&b, argv[argc - 1]);
    open_all(&b);
    harden_posts(&b);
    if (profiled)
        profile(&b, argv[2]);
    else
        measure(&b, argv[1]);
    release(&b);
    return 0;
}
