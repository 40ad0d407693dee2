/* The whole service on JSON Lines, between files and a real PostgreSQL, without
 * a broker: threads, windows and commits are the same as with Kafka, and a
 * thread sanitizer can look at them (librdkafka's own threads blind it). */
#include <sys/stat.h>

#include "ingest/service.h"
#include "tests/db/storage_kit.h"

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

static void
run_service(struct kit *k, const char *path)
{
    static const char policy[] =
        "{\"policy\":\"kit\",\"version\":\"1\",\"rules\":[]}";
    const char *const settings[][2] = { { "ingest.source", "jsonl" },
        { "ingest.path", path }, { "database.url", k->worker },
        { "score.threads", "3" }, { "score.batch_tokens", "500" },
        { "store.batch_rows", "100" } };
    struct wn_service_conf conf = { .score_instead = stub_score,
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
        run_service(&k, folder);
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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(two_files_are_judged_once_and_the_service_ends_by_itself),
};

WN_TEST_MAIN("service_db", tests)
