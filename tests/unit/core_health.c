#include "tests/lib/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/health.h"

static char text[65536];
static int saved_stderr, log_fd;

static void
capture_begin(void)
{
    char path[4200];

    snprintf(path, sizeof(path), "%s/log", wn_test_dir());
    log_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
    assert_true(log_fd >= 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(log_fd, STDERR_FILENO);
}

/* Number of lines written since. */
static int
capture_end(void)
{
    ssize_t n;
    int lines = 0;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    n = pread(log_fd, text, sizeof(text) - 1, 0);
    close(log_fd);
    assert_true(n >= 0);
    text[n] = '\0';
    for (const char *p = text; *p != '\0'; p++)
        lines += *p == '\n';
    return lines;
}

static void
health_is_ready_when_all_that_was_set_is_ok(void **state)
{
    struct wn_health *h = wn_health_new();

    capture_begin();
    assert_false(wn_health_ready(h)); /* nothing is known yet */
    wn_health_set(h, "kafka", true, NULL);
    assert_true(wn_health_ready(h));
    wn_health_set(h, "database", false, "no route");
    assert_false(wn_health_ready(h));
    wn_health_set(h, "database", true, NULL);
    assert_true(wn_health_ready(h));
    capture_end();
    wn_health_free(h);
    wn_health_free(NULL);
}

static void
health_logs_changes_and_nothing_else(void **state)
{
    struct wn_health *h = wn_health_new();
    char again[] = "no route";

    capture_begin();
    wn_health_set(h, "database", true, NULL);
    wn_health_set(h, "database", false, "no route");
    wn_health_set(h, "database", false, again);
    wn_health_set(h, "database", false, "refused \"now\"");
    wn_health_set(h, "database", true, NULL);
    wn_health_set(h, "database", true, "of no account");
    assert_int_equal(capture_end(), 4);
    assert_non_null(strstr(text, " warn health.change condition=database "
                                 "ok=false cause=\"no route\"\n"));
    assert_non_null(strstr(text, "cause=\"refused \\\"now\\\"\"\n"));
    assert_non_null(
        strstr(text, " info health.change condition=database ok=true\n"));
    wn_health_free(h);
}

/* Also where the cause changes on the way: a start tries more than once. */
static void
health_a_first_state_becomes_a_warning_only_when_it_holds(void **state)
{
    struct wn_health *h = wn_health_new();
    const int64_t begin = wn_clock_mono_us();
    struct timespec nap = { 0, 20000000 };
    int lines;

    capture_begin();
    wn_health_set(h, "database", false, "not connected yet");
    wn_health_set(h, "kafka", false, "not connected yet");
    wn_health_set(h, "kafka", true, NULL);
    wn_health_set(h, "database", false, "refused");
    wn_health_tick(h);
    assert_false(wn_health_ready(h));
    assert_int_equal(capture_end(), 4);
    assert_null(strstr(text, " warn "));
    assert_non_null(strstr(text, " info health.change condition=database "
                                 "ok=false cause=\"refused\"\n"));
    do {
        assert_true(wn_clock_mono_us() - begin < 20000000);
        nanosleep(&nap, NULL);
        capture_begin();
        wn_health_tick(h);
        lines = capture_end();
    } while (lines == 0);
    assert_true(wn_clock_mono_us() - begin >= 2000000);
    assert_int_equal(lines, 1);
    assert_non_null(strstr(text, " warn health.change condition=database "
                                 "ok=false cause=\"refused\"\n"));
    capture_begin();
    wn_health_tick(h);
    wn_health_set(h, "kafka", false, "gone");
    wn_health_set(h, "database", false, "no route");
    assert_int_equal(capture_end(), 2);
    assert_null(strstr(text, " info "));
    wn_health_free(h);
}

static void
health_json_shows_conditions_and_facts(void **state)
{
    struct wn_health *h = wn_health_new();
    struct wn_buf out;
    const char *at;

    capture_begin();
    wn_buf_init(&out, 65536);
    wn_health_json(h, &out);
    assert_string_equal(out.data, "{\"ready\":false,\"alive\":true,"
                                  "\"conditions\":{},\"info\":{}}");
    wn_buf_reset(&out);
    wn_health_set(h, "kafka", true, NULL);
    wn_health_set(h, "database", false, "bad\xff \"x\"");
    wn_health_info(h, "version", "1");
    wn_health_info(h, "version", "2");
    wn_health_info(h, "topic", "posts");
    wn_health_json(h, &out);
    capture_end();
    at =
        strstr(out.data, "\"kafka\":{\"ok\":true,\"cause\":null,\"since\":\"2");
    assert_non_null(at);
    at = strstr(out.data,
        "\"database\":{\"ok\":false,\"cause\":\"bad? \\\"x\\\"\",\"since\":");
    assert_non_null(at);
    assert_non_null(
        strstr(out.data, "\"info\":{\"version\":\"2\",\"topic\":\"posts\"}}"));
    wn_buf_release(&out);
    wn_health_free(h);
}

static void
health_since_moves_when_ok_flips_not_with_the_cause(void **state)
{
    struct wn_health *h = wn_health_new();
    char first[64];
    struct wn_buf out;

    capture_begin();
    wn_buf_init(&out, 65536);
    wn_health_set(h, "kafka", false, "a");
    wn_health_json(h, &out);
    snprintf(first, sizeof(first), "%.37s", strstr(out.data, "\"since\""));
    wn_buf_reset(&out);
    usleep(2000);
    wn_health_set(h, "kafka", false, "b");
    wn_health_json(h, &out);
    assert_non_null(strstr(out.data, first));
    wn_buf_reset(&out);
    usleep(2000);
    wn_health_set(h, "kafka", true, NULL);
    wn_health_json(h, &out);
    assert_null(strstr(out.data, first));
    capture_end();
    wn_buf_release(&out);
    wn_health_free(h);
}

static void
health_long_causes_are_cut_between_characters(void **state)
{
    struct wn_health *h = wn_health_new();
    char cause[1001];
    const char *at;
    struct wn_buf out;

    for (size_t i = 0; i + 1 < sizeof(cause); i += 2)
        memcpy(cause + i, "\xc3\xa9", 2);
    cause[1000] = '\0';
    wn_buf_init(&out, 65536);
    capture_begin();
    wn_health_set(h, "kafka", false, cause);
    capture_end();
    wn_health_json(h, &out);
    at = strstr(out.data, "\xc3\xa9");
    assert_non_null(at);
    assert_int_equal(strcspn(at, "\""), 254);
    wn_buf_release(&out);
    wn_health_free(h);
}

static void *
report(void *arg)
{
    struct wn_buf out;

    wn_buf_init(&out, 65536);
    for (int i = 0; i < 300; i++) {
        wn_health_set(arg, i % 2 ? "kafka" : "database", i % 3 != 0, "why");
        wn_health_info(arg, "n", i % 2 ? "odd" : "even");
        wn_health_tick(arg);
        wn_health_ready(arg);
        wn_buf_reset(&out);
        wn_health_json(arg, &out);
    }
    wn_buf_release(&out);
    return NULL;
}

static void
health_any_thread_may_report_and_read(void **state)
{
    struct wn_health *h = wn_health_new();
    pthread_t threads[4];

    capture_begin();
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, report, h);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    capture_end();
    wn_health_set(h, "kafka", true, NULL);
    wn_health_set(h, "database", true, NULL);
    assert_true(wn_health_ready(h));
    assert_true(wn_health_alive(h));
    wn_health_free(h);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(health_is_ready_when_all_that_was_set_is_ok),
    cmocka_unit_test(health_logs_changes_and_nothing_else),
    cmocka_unit_test(health_a_first_state_becomes_a_warning_only_when_it_holds),
    cmocka_unit_test(health_json_shows_conditions_and_facts),
    cmocka_unit_test(health_since_moves_when_ok_flips_not_with_the_cause),
    cmocka_unit_test(health_long_causes_are_cut_between_characters),
    cmocka_unit_test(health_any_thread_may_report_and_read),
};
WN_TEST_MAIN("core_health", tests)
