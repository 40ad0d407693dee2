/*
 * Named lists of millions of entries: load time, memory, lookups a second on
 * one thread, and the swap while another thread looks things up.
 *
 *   policies_list [ENTRIES]
 *
 * Writes the list's file first (a domain each, made from words), then prints
 * the figures and writes build/bench/lists.json. CPU time, so that other work
 * on the machine is left out; of the swap the longest look by the clock too.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policies/lists.h"

#define FOLDER "build/bench/lists"
#define LOOKUPS 4000000u
#define BLOCK 64 /* lookups between two readings of the clock */
#define SWAPS 5

static void
must(enum wn_status rc, const struct wn_err *err)
{
    if (rc == WN_OK)
        return;
    fprintf(stderr, "bench-lists: %s\n", err->text);
    exit(1);
}

static double
seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t
next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t
resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long size = 0, resident = 0;

    if (f == NULL || fscanf(f, "%lu %lu", &size, &resident) != 2)
        exit(1);
    fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* The i-th domain of the list; those from n on are in none. */
static int
domain(char *out, size_t size, uint64_t i)
{
    static const char *const words[] = { "shop", "win", "crypto", "photo",
        "deal", "login", "secure", "gift", "news", "bank", "mail", "cloud",
        "prize", "fan", "pay", "coin" };
    static const char *const ends[] = { "com", "net", "org", "info", "top",
        "xyz", "co.uk", "shop" };

    return snprintf(out, size, "%s-%s%llu.%s", words[i % 16],
        words[i / 16 % 16], (unsigned long long)(i * 2654435761u % 4294967291u),
        ends[i / 256 % 8]);
}

/* To another name, then renamed. */
static void
write_list(size_t n)
{
    FILE *f;
    char text[64];

    mkdir("build/bench", 0777);
    mkdir(FOLDER, 0777);
    f = fopen(FOLDER "/.scams", "w");
    if (f == NULL)
        exit(1);
    for (size_t i = 0; i < n; i++) {
        domain(text, sizeof(text), i);
        fprintf(f, "%s\n", text);
    }
    if (fclose(f) != 0 || rename(FOLDER "/.scams", FOLDER "/scams.domain") != 0)
        exit(1);
}

/* --- lookups --- */

/* URLs of a host under a domain of the list, or of one that is not there. */
static double
look_up(const struct wn_list *l, uint64_t first, uint64_t n, bool want)
{
    enum { URLS = 1 << 16 };
    static char url[URLS][96];
    static unsigned char len[URLS];
    uint64_t seed = 7, found = 0;
    char host[64];
    double start;

    for (int i = 0; i < URLS; i++) {
        domain(host, sizeof(host), first + next_random(&seed) % n);
        len[i] = (unsigned char)snprintf(
            url[i], sizeof(url[i]), "https://www.%s/p?i=%d", host, i);
    }
    start = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < LOOKUPS; i++)
        found += wn_list_has(l, url[i % URLS], len[i % URLS]);
    start = seconds(CLOCK_THREAD_CPUTIME_ID) - start;
    if (found != (want ? LOOKUPS : 0)) {
        fprintf(stderr,
            "bench-lists: %llu lookups found what they should "
            "not, or did not\n",
            (unsigned long long)found);
        exit(1);
    }
    return LOOKUPS / start;
}

/* --- the swap --- */

struct reader {
    struct wn_lists *ls;
    atomic_bool stop;
    uint64_t looks, wrong;
    double longest_s; /* of a block of looks, by this thread's CPU time */
};

/* Takes the set for each look, as a post does. */
static void *
read_on(void *arg)
{
    struct reader *r = arg;
    char url[96], host[64];
    uint64_t i = 0;

    while (!atomic_load(&r->stop)) {
        double start = seconds(CLOCK_THREAD_CPUTIME_ID), took;

        for (int k = 0; k < BLOCK; k++, i += 7919) {
            struct wn_list_set *set = wn_lists_take(r->ls);
            int len;

            domain(host, sizeof(host), i % 100000);
            len = snprintf(url, sizeof(url), "https://%s/", host);
            r->wrong += !wn_list_has(wn_list_set_at(set, 0), url, (size_t)len);
            wn_lists_give(set);
            r->looks++;
        }
        took = seconds(CLOCK_THREAD_CPUTIME_ID) - start;
        r->longest_s = took > r->longest_s ? took : r->longest_s;
    }
    return NULL;
}

static void
swap_under_load(struct wn_lists *ls, struct reader *r)
{
    struct wn_err err = { "" };
    pthread_t thread;

    memset(r, 0, sizeof(*r));
    r->ls = ls;
    if (pthread_create(&thread, NULL, read_on, r) != 0)
        exit(1);
    for (int i = 0; i < SWAPS; i++) {
        struct wn_list *l;

        must(wn_list_open(
                 &l, "scams", WN_LIST_DOMAIN, FOLDER "/scams.domain", &err),
            &err);
        must(wn_lists_put(ls, l, &err), &err);
    }
    atomic_store(&r->stop, true);
    pthread_join(thread, NULL);
    if (r->wrong > 0) {
        fprintf(stderr, "bench-lists: %llu looks found nothing in a swap\n",
            (unsigned long long)r->wrong);
        exit(1);
    }
}

struct figures {
    size_t entries, memory;
    double load_s, hits_s, misses_s;
    struct reader reader;
};

static void
measure(struct figures *f, size_t n)
{
    size_t before = resident_bytes();
    struct wn_err err = { "" };
    struct wn_lists *ls;
    struct wn_list_set *set;
    const struct wn_list *l;

    f->load_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
    must(wn_lists_open(&ls, FOLDER, &err), &err);
    f->load_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - f->load_s;
    f->memory = resident_bytes() - before;
    set = wn_lists_take(ls);
    l = wn_list_set_at(set, 0);
    f->entries = wn_list_entries(l);
    f->hits_s = look_up(l, 0, n, true);
    f->misses_s = look_up(l, n, n, false);
    wn_lists_give(set);
    swap_under_load(ls, &f->reader);
    wn_lists_free(ls);
}

static void
save(const struct figures *f)
{
    FILE *out = fopen("build/bench/lists.json", "w");

    if (out == NULL)
        exit(1);
    fprintf(out,
        "{\"entries\":%zu,\"load_s\":%.3f,\"memory_bytes\":%zu,"
        "\"lookups_s\":{\"hits\":%.0f,\"misses\":%.0f},"
        "\"swap\":{\"swaps\":%d,\"looks\":%llu,\"wrong\":%llu,\"block\":%d,"
        "\"slowest_block_ms\":%.4f}}\n",
        f->entries, f->load_s, f->memory, f->hits_s, f->misses_s, SWAPS,
        (unsigned long long)f->reader.looks,
        (unsigned long long)f->reader.wrong, BLOCK, f->reader.longest_s * 1e3);
    if (fclose(out) != 0)
        exit(1);
    puts("written to build/bench/lists.json");
}

int
main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000000;
    struct figures f;

    if (n < 100000)
        n = 100000; /* the reader of the swap asks for as many */
    write_list(n);
    measure(&f, n);
    printf("%zu domains: loaded in %.2f s of CPU time, %.0f MB; %.2f M "
           "lookups/s of URLs that are in it, %.2f M/s of others\n",
        f.entries, f.load_s, (double)f.memory / 1e6, f.hits_s / 1e6,
        f.misses_s / 1e6);
    printf("%d swaps under load: %llu looks, none wrong; the slowest %d took "
           "%.3f ms\n",
        SWAPS, (unsigned long long)f.reader.looks, BLOCK,
        f.reader.longest_s * 1e3);
    save(&f);
    return 0;
}
