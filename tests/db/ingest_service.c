/* The whole service on JSON Lines, between files and a real PostgreSQL, without
 * a broker: threads, windows and commits are the same as with Kafka, and a
 * thread sanitizer can look at them (librdkafka's own threads blind it). */
#include <sys/stat.h>

#include "core/metrics.h"
#include "ingest/service.h"
#include "tests/db/storage_kit.h"
#include "tests/lib/weights.h"

#define POSTS 6000

static atomic_bool stop;

static enum wn_status
stub_score(struct wn_item **items, size_t n, struct wn_err *err)
{
    size_t i;

    for (i = 0; i < n; i++) {
        items[i]->sig.v[WN_SIG_SCORE_SPAM] = wn_value_double(0.5);
        items[i]->outcome = WN_SCORED;
        items[i]->model_version = "stub";
        items[i]->text_version = WN_TEXT_VERSION;
    }
    return WN_OK;
}

static void
write_posts(const char *path, int from, int to)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    for (; from < to; from++)
        fprintf(f,
            "{\"post\":{\"id\":\"p%d\",\"text\":\"Number %d of the day\","
            "\"author\":{\"id\":\"a\"}}}\n",
            from, from);
    assert_int_equal(fclose(f), 0);
}

/* c NULL: the stub scores. Else one scorer, which posts soon wait for; the
 * service takes c. */
static void
run_service(struct kit *k, const char *path, struct wn_classifier *c)
{
    static const char policy[] =
        "{\"policy\":\"kit\",\"version\":\"1\",\"rules\":[]}";
    const char *const settings[][2] = { { "ingest.source", "jsonl" },
        { "ingest.path", path }, { "database.url", k->worker },
        { "score.threads", c == NULL ? "3" : "1" },
        { "score.batch_tokens", "500" }, { "store.batch_rows", "100" },
        { "score.wait_ms_max", "1" } };
    struct wn_service_conf conf = { .classifier = c,
        .score_instead = c == NULL ? stub_score : NULL,
        .stop = &stop };
    struct wn_options *o = wn_options_new();
    struct wn_policy *p;
    struct wn_err err;
    size_t i;

    conf.health = wn_health_new();
    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        assert_wn_ok(
            wn_options_set(o, settings[i][0], settings[i][1], "test", &err),
            &err);
    assert_wn_ok(wn_policy_load(&p, policy, strlen(policy), "kit", &err), &err);
    conf.options = o;
    conf.policy = p;
    assert_wn_ok(wn_service_run(&conf, &err), &err);
    wn_policy_free(p);
    wn_health_free(conf.health);
    wn_options_free(o);
}

static void
two_files_are_judged_once_and_the_service_ends_by_itself(void **state)
{
    char folder[512], path[600];
    struct kit k;
    int i;

    kit_open(&k);
    snprintf(folder, sizeof(folder), "%s/posts", wn_test_dir());
    assert_int_equal(mkdir(folder, 0700), 0);
    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%d.jsonl", folder, i);
        write_posts(path, i * POSTS / 2, (i + 1) * POSTS / 2);
    }
    for (i = 0; i < 2; i++) { /* the second time nothing is new */
        run_service(&k, folder, NULL);
        assert_int_equal(
            wn_pg_number(k.pg, k.db, "SELECT count(*) FROM winnow.verdict"),
            POSTS);
        assert_int_equal(wn_pg_number(k.pg, k.db,
                             "SELECT count(DISTINCT post_id) "
                             "FROM winnow.verdict WHERE outcome = 1"),
            POSTS);
        assert_int_equal(wn_pg_number(k.pg, k.db,
                             "SELECT sum(chain_seq) "
                             "FROM winnow.source_cursor"),
            POSTS);
    }
    kit_close(&k);
}

/* Weights with an exit after the first of two layers, where about half of all
 * texts are settled. */
static struct wn_classifier *
open_weights(void)
{
    struct wn_classifier *c = NULL;
    struct wn_joint j;
    struct wn_err err;
    char dir[600];

    snprintf(dir, sizeof(dir), "%s/weights", wn_test_dir());
    assert_int_equal(mkdir(dir, 0700), 0);
    wn_weights_joint(&j);
    j.early_n = 1;
    j.early[0].after = 1;
    j.early[0].stop = -3;
    for (size_t h = 0; h < WN_HEADS; h++) {
        j.head[h].mix[0] = j.head[h].mix[1] = 0.5;
        j.head[h].threshold = 0.9;
    }
    memcpy(j.early[0].head, j.head, sizeof(j.head));
    wn_weights_make(dir, &j);
    assert_wn_ok(wn_classifier_open(&c, dir, NULL, &err), &err);
    return c;
}

static void
posts_that_wait_too_long_lose_depth_and_say_so(void **state)
{
    double before = wn_metric_value(WN_M_DEGRADED, 2);
    int64_t degraded;
    char path[600];
    struct kit k;

    (void)state;
    kit_open(&k);
    snprintf(path, sizeof(path), "%s/waiting.jsonl", wn_test_dir());
    write_posts(path, 0, POSTS);
    run_service(&k, path, open_weights());
    degraded = wn_pg_number(k.pg, k.db,
        "SELECT count(*) FROM winnow.verdict_readable "
        "WHERE outcome = 'degraded' AND skipped = ARRAY['depth']");
    print_message(
        "# %lld of %d posts lost depth\n", (long long)degraded, POSTS);
    assert_in_range(degraded, 1, POSTS - 1);
    assert_int_equal(wn_pg_number(k.pg, k.db,
                         "SELECT count(*) FROM winnow.verdict "
                         "WHERE outcome = 1 AND skipped = 0"),
        POSTS - degraded);
    assert_int_equal(
        (int64_t)(wn_metric_value(WN_M_DEGRADED, 2) - before), degraded);
    assert_int_equal((int64_t)wn_metric_value(WN_M_SHED, 0), 1);
    kit_close(&k);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_files_are_judged_once_and_the_service_ends_by_itself),
    cmocka_unit_test(posts_that_wait_too_long_lose_depth_and_say_so),
};

WN_TEST_MAIN("service_db", tests)
