#include "tests/lib/test.h"

#include <math.h>
#include <pthread.h>

#include "core/metrics.h"

static struct wn_buf out;

static int
begin(void **state)
{
    wn_buf_init(&out, 1 << 20);
    return 0;
}

static int
end(void **state)
{
    wn_buf_release(&out);
    return 0;
}

static void
expose(void)
{
    wn_buf_reset(&out);
    wn_metrics_text(&out);
    assert_false(out.failed);
}

static void
assert_line(const char *line)
{
    char whole[300];

    snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (strncmp(out.data, whole + 1, strlen(whole + 1)) != 0 &&
        strstr(out.data, whole) == NULL)
        fail_msg("no line: %s", line);
}

static void
metrics_counters_add_up_by_series(void **state)
{
    wn_metric_add(WN_M_POSTS, 0, 2);
    wn_metric_add(WN_M_POSTS, 0, 3);
    wn_metric_add(WN_M_POSTS, 6, 1);
    wn_metric_add(WN_M_TOKENS, 0, 10000000000);
    assert_true(wn_metric_value(WN_M_POSTS, 0) == 5);
    assert_true(wn_metric_value(WN_M_POSTS, 1) == 0);
    expose();
    assert_line("# HELP winnow_posts_total records committed, by outcome");
    assert_line("# TYPE winnow_posts_total counter");
    assert_line("winnow_posts_total{outcome=\"scored\"} 5");
    assert_line("winnow_posts_total{outcome=\"degraded\"} 0");
    assert_line("winnow_posts_total{outcome=\"erased\"} 1");
    assert_line("winnow_tokens_total 10000000000");
}

static void
metrics_gauges_keep_the_last_value(void **state)
{
    wn_metric_set(WN_M_LAG_SECONDS, 0, 7);
    wn_metric_set(WN_M_LAG_SECONDS, 0, 0.25);
    wn_metric_set(WN_M_LAG, 0, NAN);
    wn_metric_set(WN_M_BATCH_ROWS, 0, INFINITY);
    assert_true(wn_metric_value(WN_M_LAG_SECONDS, 0) == 0.25);
    expose();
    assert_line("# TYPE winnow_lag_seconds gauge");
    assert_line("winnow_lag_seconds 0.25");
    assert_line("winnow_lag NaN");
    assert_line("winnow_batch_rows +Inf");
}

static void
metrics_histograms_are_cumulative_with_sum_and_count(void **state)
{
    wn_metric_observe(
        WN_M_STAGE_SECONDS, WN_STAGE_TEXT, 0.0001); /* a bound is in */
    wn_metric_observe(WN_M_STAGE_SECONDS, WN_STAGE_TEXT, 0.002);
    wn_metric_observe(WN_M_STAGE_SECONDS, WN_STAGE_TEXT, 0.0025);
    wn_metric_observe(WN_M_STAGE_SECONDS, WN_STAGE_TEXT, 1000);
    assert_true(wn_metric_value(WN_M_STAGE_SECONDS, WN_STAGE_TEXT) == 4);
    expose();
    assert_line("# TYPE winnow_stage_seconds histogram");
    assert_line("winnow_stage_seconds_bucket{stage=\"text\",le=\"0.0001\"} 1");
    assert_line("winnow_stage_seconds_bucket{stage=\"text\",le=\"0.001\"} 1");
    assert_line("winnow_stage_seconds_bucket{stage=\"text\",le=\"0.0025\"} 3");
    assert_line("winnow_stage_seconds_bucket{stage=\"text\",le=\"100\"} 3");
    assert_line("winnow_stage_seconds_bucket{stage=\"text\",le=\"+Inf\"} 4");
    assert_line("winnow_stage_seconds_sum{stage=\"text\"} 1000.0046");
    assert_line("winnow_stage_seconds_count{stage=\"text\"} 4");
    assert_line("winnow_stage_seconds_count{stage=\"parse\"} 0");
    assert_line("winnow_verdict_age_seconds_bucket{le=\"+Inf\"} 0");
}

static void
metrics_times_of_clocks_set_back_count_as_zero(void **state)
{
    wn_metric_observe(WN_M_VERDICT_AGE, 0, -5);
    wn_metric_observe(WN_M_VERDICT_AGE, 0, NAN);
    wn_metric_observe(WN_M_VERDICT_AGE, 0, INFINITY);
    expose();
    assert_line("winnow_verdict_age_seconds_bucket{le=\"0.0001\"} 3");
    assert_line("winnow_verdict_age_seconds_sum 0");
    assert_line("winnow_verdict_age_seconds_count 3");
}

static void
metrics_rss_is_read_when_asked_for(void **state)
{
    const char *at;

    expose();
    at = strstr(out.data, "\nwinnow_rss_bytes ");
    assert_non_null(at);
    assert_true(strtod(at + 18, NULL) > 100000);
    assert_true(wn_metric_value(WN_M_RSS, 0) > 100000);
}

static void
metrics_every_line_is_well_formed(void **state)
{
    char *line, *rest, *space, *after;
    int metrics = 0;

    expose();
    assert_int_equal(out.data[out.len - 1], '\n');
    rest = out.data;
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        metrics += strncmp(line, "# TYPE ", 7) == 0;
        if (line[0] == '#')
            continue;
        assert_memory_equal(line, "winnow_", 7);
        space = strrchr(line, ' ');
        assert_non_null(space);
        strtod(space + 1, &after);
        assert_true(after > space + 1 && *after == '\0');
        assert_true((strchr(line, '{') == NULL) == (strchr(line, '}') == NULL));
    }
    assert_int_equal(metrics, WN_M_COUNT);
}

static void *
count(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        wn_metric_add(WN_M_FENCED, 0, 1);
        wn_metric_observe(WN_M_STAGE_SECONDS, WN_STAGE_RELAY, 0.5);
        wn_metric_set(WN_M_QUEUE_BYTES, 0, i);
    }
    return NULL;
}

/* More threads than slots: the later ones share the last. */
static void
metrics_lose_nothing_among_more_threads_than_slots(void **state)
{
    enum { ROUNDS = 10, THREADS = 8 };
    pthread_t threads[THREADS];

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
        expose();
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    assert_true(ROUNDS * THREADS > WN_METRICS_THREADS);
    assert_true(wn_metric_value(WN_M_FENCED, 0) == ROUNDS * THREADS * 1000);
    assert_true(wn_metric_value(WN_M_STAGE_SECONDS, WN_STAGE_RELAY) ==
                ROUNDS * THREADS * 1000);
    expose();
    assert_line("winnow_stage_seconds_sum{stage=\"relay\"} 40000");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
/* The enum and the label's values are written apart. */
static void
metrics_stages_are_named_in_the_order_of_their_numbers(void **state)
{
    static const char *const names[] = { [WN_STAGE_PARSE] = "parse",
        [WN_STAGE_TEXT] = "text",
        [WN_STAGE_ENCODE] = "encode",
        [WN_STAGE_POLICY] = "policy",
        [WN_STAGE_COMMIT] = "commit",
        [WN_STAGE_RELAY] = "relay" };
    char line[80];

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        double before = wn_metric_value(WN_M_STAGE_SECONDS, i);

        wn_metric_observe(WN_M_STAGE_SECONDS, i, 0.001);
        expose();
        snprintf(line, sizeof(line),
            "winnow_stage_seconds_count{stage=\"%s\"} %.0f", names[i],
            before + 1);
        assert_line(line);
    }
}

static const struct CMUnitTest tests[] = {
    T(metrics_counters_add_up_by_series),
    T(metrics_gauges_keep_the_last_value),
    T(metrics_histograms_are_cumulative_with_sum_and_count),
    T(metrics_times_of_clocks_set_back_count_as_zero),
    T(metrics_rss_is_read_when_asked_for),
    T(metrics_every_line_is_well_formed),
    T(metrics_lose_nothing_among_more_threads_than_slots),
    T(metrics_stages_are_named_in_the_order_of_their_numbers),
};
WN_TEST_MAIN("core_metrics", tests)
