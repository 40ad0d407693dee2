/*
 * bench-policy, our engine: rules over posts' signals, on one thread.
 *
 *   policies_eval conditions|policy POLICY.json POSTS.jsonl
 *
 * Reads all posts, says {"ready":true,...}, and answers "go N" with a timed
 * pass of every rule over the next N posts. `conditions` evaluates each rule's
 * condition and keeps all outcomes (digest); `policy` calls wn_policy_eval(),
 * the whole way to a verdict with the texts of its reasons.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "policies/policy_int.h"

#define POSTS_MAX 1000000

struct engine {
    struct wn_policy *policy;
    bool conditions;
    struct wn_arena arena; /* everything of the posts */
    struct wn_signals *posts;
    size_t n, at;
};

struct result {
    uint64_t evaluations, matched, skipped, digest;
    double wall_s, cpu_s;
};

static void
die(const char *what)
{
    fprintf(stderr, "policies_eval: %s\n", what);
    exit(1);
}

static void *
take(struct wn_arena *a, size_t n, size_t size)
{
    void *p = wn_arena_array(a, n + 1, size);

    if (p == NULL)
        die("out of memory");
    return p;
}

static struct wn_str
copy(struct wn_arena *a, const char *p)
{
    struct wn_str s = { wn_arena_strndup(a, p, strlen(p)), strlen(p) };

    if (s.p == NULL)
        die("out of memory");
    return s;
}

static struct wn_value value_of(struct wn_arena *a, const json_t *j);

static struct wn_value
list_of(struct wn_arena *a, const json_t *j)
{
    size_t n = json_array_size(j);
    struct wn_value *v = take(a, n, sizeof(*v));

    for (size_t i = 0; i < n; i++)
        v[i] = value_of(a, json_array_get(j, i));
    return (struct wn_value){ .kind = WN_VALUE_LIST, .list = { v, n } };
}

static struct wn_value
map_of(struct wn_arena *a, json_t *j)
{
    size_t n = json_object_size(j), i = 0;
    struct wn_value *v = take(a, n, sizeof(*v));
    struct wn_str *keys = take(a, n, sizeof(*keys));
    const char *key;
    json_t *member;

    json_object_foreach(j, key, member)
    {
        keys[i] = copy(a, key);
        v[i++] = value_of(a, member);
    }
    return (struct wn_value){ .kind = WN_VALUE_MAP, .map = { keys, v, n } };
}

static struct wn_value
value_of(struct wn_arena *a, const json_t *j)
{
    struct wn_value v = { .kind = WN_VALUE_STRING };

    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return map_of(a, (json_t *)j);
    case JSON_ARRAY:
        return list_of(a, j);
    case JSON_STRING:
        v.s = copy(a, json_string_value(j));
        return v;
    case JSON_INTEGER:
        return wn_value_int(json_integer_value(j));
    case JSON_REAL:
        return wn_value_double(json_real_value(j));
    case JSON_TRUE:
    case JSON_FALSE:
        return wn_value_bool(json_is_true(j));
    default:
        return (struct wn_value){ .kind = WN_VALUE_NULL };
    }
}

static void
read_post(struct engine *e, const char *line, size_t len)
{
    json_t *j = json_loadb(line, len, 0, NULL);
    struct wn_signals *sig = &e->posts[e->n++];
    const char *name;
    json_t *member;

    if (j == NULL)
        die("a line of the posts is no JSON");
    json_object_foreach(j, name, member)
    {
        enum wn_signal s = wn_signal_find(name, strlen(name));

        if (s == WN_SIG_COUNT)
            die("a post has a signal that is not in the catalogue");
        sig->v[s] = value_of(&e->arena, member);
    }
    json_decref(j);
}

static void
read_posts(struct engine *e, const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    e->posts = calloc(POSTS_MAX, sizeof(*e->posts)); /* pages come as used */
    if (f == NULL || e->posts == NULL)
        die("the posts cannot be read");
    wn_arena_init(&e->arena, 1u << 20, (size_t)4 << 30);
    while (e->n < POSTS_MAX && (len = getline(&line, &cap, f)) > 0)
        read_post(e, line, (size_t)len);
    free(line);
    fclose(f);
}

/* --- the passes --- */

static double
now_s(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
ask_conditions(const struct wn_policy *p, const struct wn_signals *sig,
    struct wn_cel_run *run, struct result *r)
{
    wn_cel_run_init(run, sig->v);
    for (size_t i = 0; i < p->rules_n; i++) {
        struct wn_cel_value v;
        unsigned outcome;

        wn_cel_run_reset(run);
        v = wn_cel_eval(p->rules[i].when, run);
        outcome = v.kind != WN_CEL_BOOL ? 2 : v.b;
        r->matched += outcome == 1;
        r->skipped += outcome == 2;
        r->digest = r->digest * 1099511628211u ^ outcome;
    }
    wn_cel_run_release(run);
}

static void
ask_policy(const struct wn_policy *p, const struct wn_signals *sig,
    struct wn_arena *arena, struct result *r)
{
    struct wn_verdict verdict;

    wn_arena_reset(arena);
    wn_policy_eval(p, sig, arena, &verdict);
    r->matched += verdict.reasons_n + verdict.reasons_more;
    r->skipped += verdict.skipped_n; /* at most WN_SKIPPED_RULES_MAX */
}

static struct result
pass(struct engine *e, size_t posts)
{
    static struct wn_cel_run run;
    struct result r = { .digest = 1 };
    double wall = now_s(CLOCK_MONOTONIC);
    double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
    struct wn_arena arena;

    wn_arena_init(&arena, 64u << 10, 1u << 20);
    for (size_t i = 0; i < posts; i++, e->at = (e->at + 1) % e->n) {
        if (e->conditions)
            ask_conditions(e->policy, &e->posts[e->at], &run, &r);
        else
            ask_policy(e->policy, &e->posts[e->at], &arena, &r);
    }
    r.evaluations = posts * e->policy->rules_n;
    r.cpu_s = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    r.wall_s = now_s(CLOCK_MONOTONIC) - wall;
    wn_arena_release(&arena);
    return r;
}

int
main(int argc, char **argv)
{
    struct engine e = { .n = 0 };
    struct wn_err err = { "" };
    char line[64];
    size_t posts;

    if (argc != 4)
        die("usage: policies_eval conditions|policy POLICY.json POSTS.jsonl");
    e.conditions = strcmp(argv[1], "conditions") == 0;
    if (wn_policy_open(&e.policy, argv[2], &err) != WN_OK)
        die(err.text);
    read_posts(&e, argv[3]);
    printf("{\"ready\":true,\"rules\":%zu,\"posts\":%zu}\n",
        wn_policy_rules(e.policy), e.n);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL &&
           sscanf(line, "go %zu", &posts) == 1) {
        struct result r = pass(&e, posts);

        printf("{\"evaluations\":%llu,\"matched\":%llu,\"skipped\":%llu,"
               "\"digest\":\"%016llx\",\"wall_s\":%.6f,\"cpu_s\":%.6f}\n",
            (unsigned long long)r.evaluations, (unsigned long long)r.matched,
            (unsigned long long)r.skipped, (unsigned long long)r.digest,
            r.wall_s, r.cpu_s);
        fflush(stdout);
    }
    wn_policy_free(e.policy);
    wn_arena_release(&e.arena);
    free(e.posts);
    return 0;
}
