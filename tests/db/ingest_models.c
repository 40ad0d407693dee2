/*
 * Models that change under a running service, between a followed file and a
 * real PostgreSQL. Of the weights, "high" flags every text and "low" flags
 * none, so each verdict shows which of them scored it, whatever it names.
 */
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/metrics.h"
#include "ingest/service.h"
#include "ingest/shadow.h"
#include "storage/activation.h"
#include "tests/db/storage_kit.h"
#include "tests/lib/weights.h"

#define SECONDS 60 /* that anything may take to come about */

static char high[512], low[512], endless[512], broken[512];
static char high_version[128], low_version[128], endless_version[128];

/* --- weights --- */

static void
make_weights(
    char *dir, char *version, const char *name, double slope, double offset)
{
    struct wn_classifier *c;
    struct wn_err err;

    wn_weights_make_named(dir, name, (struct wn_calibration){ slope, offset });
    assert_wn_ok(wn_classifier_open(&c, dir, NULL, &err), &err);
    snprintf(version, 128, "%s", wn_classifier_version(c));
    wn_classifier_free(c);
}

static int
make_all(void **state)
{
    (void)state;
    make_weights(high, high_version, "high", 1, 1000);
    make_weights(low, low_version, "low", 1, -1000);
    make_weights(endless, endless_version, "endless", 1e300, 1e300);
    snprintf(broken, sizeof(broken), "%s/broken", wn_test_dir());
    return mkdir(broken, 0700);
}

/* --- the service --- */

struct bench {
    struct kit k;
    struct wn_store *desk;
    char path[600];
    int posts;
    int64_t activation;

    pthread_t thread;
    struct wn_options *options;
    struct wn_policy *policy;
    struct wn_health *health;
    atomic_bool stop, reload, ended;
    const char *own, *shadow; /* of the options, as they are read next */
    double share;
    enum wn_status rc;
    struct wn_err err;
};

static enum wn_status
open_model(void *arg, const char *dir, bool shadow, struct wn_classifier **ret,
    struct wn_err *err)
{
    struct bench *b = arg;
    enum wn_status rc;

    *ret = NULL;
    if (shadow && b->shadow == NULL)
        return WN_OK;
    if (dir == NULL)
        dir = shadow ? b->shadow : b->own;
    rc = wn_classifier_open(ret, dir, NULL, err);
    return rc == WN_OK ? wn_classifier_cache(*ret, 4096, err) : rc;
}

static enum wn_status
reload(void *arg, double *ret_share, struct wn_err *err)
{
    struct bench *b = arg;

    *ret_share = b->share;
    return WN_OK;
}

static void *
serve(void *arg)
{
    struct bench *b = arg;
    struct wn_service_conf conf = { .options = b->options,
        .shadow_share = b->share,
        .open_model = open_model,
        .reload = reload,
        .model_arg = b,
        .reload_asked = &b->reload,
        .policy = b->policy,
        .health = b->health,
        .stop = &b->stop };

    b->rc = open_model(b, NULL, false, &conf.classifier, &b->err);
    if (b->rc == WN_OK)
        b->rc = open_model(b, NULL, true, &conf.shadow, &b->err);
    if (b->rc == WN_OK)
        b->rc = wn_service_run(&conf, &b->err);
    b->ended = true;
    return NULL;
}

static void
bench_open(struct bench *b, const char *own)
{
    FILE *f;

    memset(b, 0, sizeof(*b));
    kit_open(&b->k);
    wn_pg_exec(b->k.pg, b->k.db,
        "DO $$ BEGIN CREATE ROLE clerk LOGIN; EXCEPTION WHEN "
        "duplicate_object THEN NULL; END $$; GRANT winnow_console TO clerk");
    b->desk =
        kit_store(&b->k, wn_pg_conninfo(b->k.pg, b->k.db, "clerk"), "desk");
    snprintf(b->path, sizeof(b->path), "%s/%s.jsonl", wn_test_dir(), b->k.db);
    f = fopen(b->path, "w");
    assert_non_null(f);
    fclose(f);
    b->own = own;
}

static void
begin(struct bench *b)
{
    static const char policy[] =
        "{\"policy\":\"kit\",\"version\":\"1\",\"rules\":[{\"id\":\"spam\","
        "\"when\":\"flag.spam\",\"action\":\"limit\",\"category\":\"spam\","
        "\"reason\":\"Spam\"}]}";
    const char *const settings[][2] = { { "ingest.source", "jsonl" },
        { "ingest.path", b->path }, { "ingest.follow", "true" },
        { "database.url", b->k.worker }, { "score.threads", "3" },
        { "score.batch_tokens", "200" }, { "store.batch_rows", "50" } };
    struct wn_err err;

    b->options = wn_options_new();
    b->health = wn_health_new();
    b->stop = b->ended = false;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        assert_wn_ok(wn_options_set(b->options, settings[i][0], settings[i][1],
                         "test", &err),
            &err);
    assert_wn_ok(
        wn_policy_load(&b->policy, policy, strlen(policy), "kit", &err), &err);
    assert_int_equal(pthread_create(&b->thread, NULL, serve, b), 0);
}

static void
end(struct bench *b)
{
    b->stop = true;
    pthread_join(b->thread, NULL);
    assert_wn_ok(b->rc, &b->err);
    wn_policy_free(b->policy);
    wn_health_free(b->health);
    wn_options_free(b->options);
}

/* n posts more; few different texts, so that most are in a cache. */
static void
write_posts(struct bench *b, int n)
{
    FILE *f = fopen(b->path, "a");

    assert_non_null(f);
    for (int end = b->posts + n; b->posts < end; b->posts++)
        fprintf(f,
            "{\"post\":{\"id\":\"p%d\",\"text\":\"Number %d of the day\","
            "\"author\":{\"id\":\"a\"}}}\n",
            b->posts, b->posts % 7);
    assert_int_equal(fclose(f), 0);
}

static void
wait_number(struct bench *b, long long want, const char *sql)
{
    int64_t until = wn_clock_mono_us() + SECONDS * INT64_C(1000000);
    long long n = kit_count(&b->k, sql);

    while (n != want) {
        if (b->ended)
            fail_msg("the service ended: %s", b->err.text);
        if (wn_clock_mono_us() > until)
            fail_msg("%lld, not %lld: %s", n, want, sql);
        usleep(30000);
        n = kit_count(&b->k, sql);
    }
}

static void
wait_verdicts(struct bench *b)
{
    wait_number(b, b->posts, "SELECT count(*) FROM winnow.verdict");
}

/* The worker has seen to the newest activation; whether it runs it. */
static void
wait_answer(struct bench *b, bool taken)
{
    char sql[256];

    snprintf(sql, sizeof(sql),
        "SELECT count(*) FROM winnow.running_now WHERE activation = %lld AND "
        "cause IS %sNULL",
        (long long)b->activation, taken ? "" : "NOT ");
    wait_number(b, 1, sql);
}

static void
activate(struct bench *b, const char *dir, const char *version)
{
    struct wn_activate a = { "model", dir, version, b->activation, "ana",
        "a test" };
    struct wn_activated done;
    struct wn_err err;

    assert_wn_ok(wn_activate(b->desk, &a, &done, &err), &err);
    b->activation = done.id;
}

static bool
says(struct bench *b, const char *text)
{
    struct wn_buf json;
    bool found;

    wn_buf_init(&json, 1u << 20);
    wn_health_json(b->health, &json);
    found = memmem(json.data, json.len, text, strlen(text)) != NULL;
    wn_buf_release(&json);
    return found;
}

static void
wait_says(struct bench *b, const char *text)
{
    int64_t until = wn_clock_mono_us() + SECONDS * INT64_C(1000000);

    while (!says(b, text)) {
        if (wn_clock_mono_us() > until)
            fail_msg("/status does not say '%s'", text);
        usleep(30000);
    }
}

/* Verdicts of either model; none names the one that did not score it. */
static void
check_verdicts(struct bench *b, const char *version, long long n)
{
    char sql[512];

    assert_int_equal(
        kit_count(&b->k,
            "SELECT count(*) FROM winnow.verdict v JOIN winnow.version m ON "
            "m.id = v.model WHERE (m.value LIKE 'high@%' AND (v.flags & 7 <> 7 "
            "OR v.action <> 2)) OR (m.value LIKE 'low@%' AND (v.flags <> 0 OR "
            "v.action <> 0)) OR m.value !~ '^(high|low)@'"),
        0);
    snprintf(sql, sizeof(sql),
        "SELECT count(*) FROM winnow.verdict v JOIN winnow.version m ON m.id = "
        "v.model WHERE m.value = '%s'",
        version);
    assert_int_equal(kit_count(&b->k, sql), n);
}

/* Posts that keep coming, some 500 a second, until told. */
static atomic_bool feeding;

static void *
feed(void *arg)
{
    while (feeding) {
        write_posts(arg, 5);
        usleep(10000);
    }
    return NULL;
}

/* --- cases --- */

static void
model_is_swapped_under_load_and_no_verdict_is_of_two(void **state)
{
    struct bench b;
    pthread_t feeder;
    long long flagged;

    (void)state;
    bench_open(&b, low);
    begin(&b);
    write_posts(&b, 500);
    wait_verdicts(&b);
    check_verdicts(&b, low_version, 500);
    wait_says(&b, low_version);
    assert_true(says(&b, "\"model_from\":\"options\""));
    feeding = true;
    assert_int_equal(pthread_create(&feeder, NULL, feed, &b), 0);
    for (int i = 0; i < 5; i++) {
        activate(&b, i % 2 == 0 ? high : low,
            i % 2 == 0 ? high_version : low_version);
        wait_answer(&b, true);
        wait_says(&b, i % 2 == 0 ? high_version : low_version);
    }
    feeding = false;
    pthread_join(feeder, NULL);
    wait_verdicts(&b);
    flagged =
        kit_count(&b.k, "SELECT count(*) FROM winnow.verdict WHERE flags <> 0");
    assert_true(flagged > 0);
    check_verdicts(&b, high_version, flagged);
    check_verdicts(&b, low_version, b.posts - flagged);
    write_posts(&b, 100);
    wait_verdicts(&b);
    assert_int_equal(
        kit_count(&b.k, "SELECT count(*) FROM (SELECT flags FROM "
                        "winnow.verdict ORDER BY off DESC LIMIT 100) v WHERE "
                        "flags & 7 = 7"),
        100);
    assert_true(wn_metric_value(WN_M_MODEL_SWAPS, 0) >= 5);
    assert_true(wn_metric_value(WN_M_SCORE_CACHE, 0) > 0); /* hits */
    end(&b);
    assert_int_equal(kit_count(&b.k, "SELECT count(*) FROM winnow.audit WHERE "
                                     "kind = 1"),
        b.posts);
    kit_close(&b.k);
}

static void
model_that_is_bad_never_takes_the_place_of_a_good_one(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, low);
    begin(&b);
    activate(&b, high, high_version);
    wait_answer(&b, true);
    wait_says(&b, "\"model\":{\"ok\":true");
    activate(&b, broken, "broken@0000000000000000");
    wait_answer(&b, false);
    assert_true(says(&b, "config.json"));
    assert_true(says(&b, high_version));
    assert_false(wn_health_ready(b.health));
    write_posts(&b, 50);
    wait_verdicts(&b);
    check_verdicts(&b, high_version, 50);
    activate(&b, low, "low@ffffffffffffffff"); /* not what is there */
    wait_answer(&b, false);
    assert_true(says(&b, "was changed since"));
    assert_true(wn_metric_value(WN_M_MODEL_SWAPS, 1) >= 2);
    write_posts(&b, 50);
    wait_verdicts(&b);
    check_verdicts(&b, high_version, 100);
    activate(&b, endless, endless_version); /* it opens, and cannot score */
    wait_answer(&b, false);
    assert_true(says(&b, "gave no finite number"));
    for (int i = 0; i < 4; i++) /* by low, broken and high, to its own */
        activate(&b, NULL, NULL);
    wait_answer(&b, true);
    wait_says(&b, "\"model\":{\"ok\":true");
    assert_true(says(&b, "\"model_from\":\"options\""));
    write_posts(&b, 50);
    wait_verdicts(&b);
    check_verdicts(&b, low_version, 50);
    end(&b);
    kit_close(&b.k);
}

static void
model_that_is_in_force_judges_the_first_post_of_a_new_worker(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, low);
    activate(&b, high, high_version);
    write_posts(&b, 300);
    begin(&b);
    wait_verdicts(&b);
    check_verdicts(&b, high_version, 300);
    assert_true(says(&b, "\"model_from\":\"activation 1\""));
    end(&b);
    activate(&b, broken, "broken@0000000000000000");
    write_posts(&b, 20);
    begin(&b); /* nothing better is there than its own */
    wait_answer(&b, false);
    wait_verdicts(&b);
    check_verdicts(&b, low_version, 20);
    assert_false(wn_health_ready(b.health));
    end(&b);
    kit_close(&b.k);
}

static void
model_of_the_options_is_read_again_on_sighup(void **state)
{
    struct bench b;

    (void)state;
    bench_open(&b, low);
    begin(&b);
    wait_answer(&b, true);
    write_posts(&b, 20);
    wait_verdicts(&b);
    b.own = broken;
    b.reload = true;
    wait_says(&b, "\"model\":{\"ok\":false");
    write_posts(&b, 20);
    wait_verdicts(&b);
    check_verdicts(&b, low_version, 40);
    b.own = high;
    b.reload = true;
    wait_says(&b, high_version);
    write_posts(&b, 20);
    wait_verdicts(&b);
    check_verdicts(&b, high_version, 20);
    end(&b);
    kit_close(&b.k);
}

static void
shadow_scores_its_share_and_changes_no_verdict(void **state)
{
    struct bench b;
    long long share;

    (void)state;
    bench_open(&b, low);
    b.shadow = high;
    b.share = 0.5;
    begin(&b);
    wait_says(&b, high_version);
    write_posts(&b, 200);
    wait_verdicts(&b);
    check_verdicts(&b, low_version, 200);
    for (int i = share = 0; i < 200; i++) {
        char id[16];

        snprintf(id, sizeof(id), "p%d", i);
        share +=
            wn_shadow_share_has((struct wn_str){ id, strlen(id) }, b.share);
    }
    assert_in_range(share, 60, 140);
    /* it may have dropped some, and scored no other */
    wait_number(&b, share,
        "SELECT count(*) FROM winnow.shadow_score WHERE flags & 7 = 7 AND "
        "live_flags = 0 AND action = 2 AND live_action = 0 AND spam > 0.99 AND "
        "live_spam < 0.01");
    b.shadow = NULL;
    b.reload = true;
    wait_says(&b, "\"shadow\":\"none\"");
    write_posts(&b, 50);
    wait_verdicts(&b);
    activate(&b, high, high_version); /* beside itself it says nothing */
    wait_answer(&b, true);
    b.shadow = high;
    b.share = 1;
    b.reload = true;
    wait_says(&b, "\"shadow\":\"high@");
    write_posts(&b, 50);
    wait_verdicts(&b);
    end(&b);
    assert_int_equal(
        kit_count(&b.k, "SELECT count(*) FROM winnow.shadow_score"), share);
    kit_close(&b.k);
}

static void
shadow_share_is_stable_and_grows(void **state)
{
    int in = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        char text[16];
        struct wn_str id = { text, 0 };

        id.len = (size_t)snprintf(text, sizeof(text), "post-%d", i);
        assert_false(wn_shadow_share_has(id, 0));
        assert_true(wn_shadow_share_has(id, 1));
        if (!wn_shadow_share_has(id, 0.1))
            continue;
        in++;
        assert_true(wn_shadow_share_has(id, 0.2));
    }
    assert_in_range(in, 140, 260);
    /* the same in every process and every version */
    assert_true(wn_shadow_share_has((struct wn_str){ "post-1", 6 }, 1));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(model_is_swapped_under_load_and_no_verdict_is_of_two),
    cmocka_unit_test(model_that_is_bad_never_takes_the_place_of_a_good_one),
    cmocka_unit_test(
        model_that_is_in_force_judges_the_first_post_of_a_new_worker),
    cmocka_unit_test(model_of_the_options_is_read_again_on_sighup),
    cmocka_unit_test(shadow_scores_its_share_and_changes_no_verdict),
    cmocka_unit_test(shadow_share_is_stable_and_grows),
};

int
main(void)
{
    return wn_test_run("ingest_models", tests, sizeof(tests) / sizeof(tests[0]),
        make_all, NULL);
}
