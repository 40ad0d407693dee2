#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"

static char text[1 << 20];
static int saved_stderr = -1, log_fd = -1;

/* stderr goes to a file until capture_end() has read it into text. */
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

static void
capture_end(void)
{
    ssize_t n;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    n = pread(log_fd, text, sizeof(text) - 1, 0);
    close(log_fd);
    assert_true(n >= 0);
    text[n] = '\0';
}

static int
reset(void **state)
{
    wn_log_setup(WN_LOG_INFO, false);
    wn_clock_shift_us(0);
    return 0;
}

static void
log_a_line_is_time_level_event_and_pairs(void **state)
{
    int64_t us;

    capture_begin();
    wn_log(WN_LOG_WARN, "store.retry", "item=posts/3/9 wait_ms=%d", 400);
    capture_end();
    assert_true(wn_time_parse(text, 27, &us));
    assert_true(wn_clock_now_us() - us < 60000000);
    assert_string_equal(
        text + 27, " warn store.retry item=posts/3/9 wait_ms=400\n");
}

static void
log_an_event_may_have_no_pairs(void **state)
{
    capture_begin();
    wn_log(WN_LOG_ERROR, "stopped", "%s", "");
    capture_end();
    assert_string_equal(text + 27, " error stopped\n");
}

static void
log_levels_under_the_least_are_silent(void **state)
{
    capture_begin();
    wn_log(WN_LOG_DEBUG, "quiet", "a=1");
    wn_log_setup(WN_LOG_ERROR, false);
    wn_log(WN_LOG_WARN, "quiet", "a=1");
    wn_log_setup(WN_LOG_DEBUG, false);
    wn_log(WN_LOG_DEBUG, "heard", "a=1");
    capture_end();
    assert_null(strstr(text, "quiet"));
    assert_non_null(strstr(text, " debug heard a=1\n"));
}

static void
log_controls_cannot_make_a_second_line(void **state)
{
    capture_begin();
    wn_log(WN_LOG_INFO, "e", "a=x\nforged b=\x1b[31m");
    capture_end();
    assert_string_equal(text + 27, " info e a=x?forged b=?[31m\n");
}

static void
log_json_has_a_member_a_pair(void **state)
{
    char quoted[64];

    wn_log_setup(WN_LOG_INFO, true);
    capture_begin();
    wn_log(WN_LOG_INFO, "health.change", "ok=false  cause=%s n=%d flag x=",
        wn_log_quote("say \"hi\"\\\n\x01", quoted, sizeof(quoted)), 5);
    capture_end();
    assert_memory_equal(text, "{\"time\":\"2", 10);
    assert_string_equal(text + 9 + 27,
        "\",\"level\":\"info\",\"event\":\"health.change\",\"ok\":\"false\","
        "\"cause\":\"say \\\"hi\\\"\\\\\\n\\\\x01\",\"n\":\"5\",\"flag\":\"\","
        "\"x\":\"\"}\n");
}

static void
log_json_stays_json_when_values_are_not_quoted_well(void **state)
{
    wn_log_setup(WN_LOG_INFO, true);
    capture_begin();
    wn_log(WN_LOG_INFO, "e", "a=x\"y b=\\ c=\xff d=\"open \\");
    capture_end();
    assert_non_null(
        strstr(text, "\"a\":\"x\\\"y\",\"b\":\"\\\\\",\"c\":\"\\\\xff\","
                     "\"d\":\"open \\\\\"}\n"));
}

static void
log_a_long_line_is_cut_and_still_one_line(void **state)
{
    static char value[20000];
    size_t len;

    memset(value, 'v', sizeof(value) - 1);
    for (int json = 0; json < 2; json++) {
        wn_log_setup(WN_LOG_INFO, json);
        capture_begin();
        wn_log(WN_LOG_INFO, "long", "first=1 value=%s", value);
        wn_log(WN_LOG_INFO, "next", "a=1");
        capture_end();
        len = strcspn(text, "\n");
        assert_true(len < 4096);
        assert_non_null(strstr(text, "first"));
        assert_non_null(strstr(text + len, "next"));
        if (json)
            assert_int_equal(text[len - 1], '}');
        else
            assert_memory_equal(text + len - 3, "...", 3);
    }
}

static void
log_json_drops_a_pair_that_does_not_fit_whole(void **state)
{
    static char value[3000];
    size_t len;

    memset(value, '"', sizeof(value) - 1); /* twice as long in JSON */
    wn_log_setup(WN_LOG_INFO, true);
    capture_begin();
    wn_log(WN_LOG_INFO, "e", "a=1 b=x%s", value);
    capture_end();
    len = strlen(text);
    assert_string_equal(text + len - 10, ",\"a\":\"1\"}\n");
}

static void
log_quote_escapes_and_cuts_to_fit(void **state)
{
    char out[16];

    assert_string_equal(wn_log_quote("a b", out, sizeof(out)), "\"a b\"");
    assert_string_equal(
        wn_log_quote("\"\\\t\x7f", out, sizeof(out)), "\"\\\"\\\\\\t\\x7f\"");
    assert_string_equal(wn_log_quote(NULL, out, sizeof(out)), "\"\"");
    assert_string_equal(wn_log_quote("\xc3\xa9\xed\xa0", out, sizeof(out)),
        "\"\xc3\xa9\\xed\\xa0\"");
    assert_string_equal(wn_log_quote("abcdef", out, 6), "\"abc\"");
    assert_string_equal(wn_log_quote("ab\n", out, 6), "\"ab\"");
    assert_string_equal(wn_log_quote("ab\xc3\xa9", out, 6), "\"ab\"");
    assert_string_equal(wn_log_quote("abcdef", out, 3), "\"\"");
    assert_string_equal(wn_log_quote("abcdef", out, 2), "");
    assert_string_equal(wn_log_quote("abcdef", out, 1), "");
}

static void
log_keeps_errno(void **state)
{
    capture_begin();
    errno = ENOSPC;
    wn_log(WN_LOG_INFO, "e", "a=1");
    assert_int_equal(errno, ENOSPC);
    capture_end();
}

static struct wn_log_limit limit;
static _Atomic uint64_t passed, missed_sum;

static void *
knock(void *arg)
{
    uint64_t missed;

    for (int i = 0; i < 10000; i++) {
        if (wn_log_limit(&limit, &missed)) {
            atomic_fetch_add(&passed, 1);
            atomic_fetch_add(&missed_sum, missed);
        }
    }
    return NULL;
}

static void
log_limit_lets_one_pass_a_second_and_counts_the_rest(void **state)
{
    int64_t begin = wn_clock_mono_us();
    pthread_t threads[4];
    uint64_t seconds, last, missed;

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, knock, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    seconds = (uint64_t)(wn_clock_mono_us() - begin) / 1000000;
    assert_true(passed >= 1 && passed <= seconds + 1);
    __atomic_store_n(&limit.next_us, 0, __ATOMIC_RELAXED); /* time passes */
    assert_true(wn_log_limit(&limit, &last));
    assert_int_equal(passed + missed_sum + last, 40000);
    assert_false(wn_log_limit(&limit, &missed));
}

static void *
write_lines(void *arg)
{
    for (int i = 0; i < 500; i++)
        wn_log(WN_LOG_INFO, "thread", "name=%s n=%d tail=end",
            (const char *)arg, i);
    return NULL;
}

static void
log_lines_of_threads_do_not_mix(void **state)
{
    static char names[3][200];
    pthread_t threads[3];
    int lines = 0;
    char *line, *rest = text;

    capture_begin();
    for (int i = 0; i < 3; i++) {
        memset(names[i], 'a' + i, sizeof(names[i]) - 1);
        pthread_create(&threads[i], NULL, write_lines, names[i]);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    capture_end();
    while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
        lines++;
        assert_memory_equal(line + 27, " info thread name=", 18);
        line += 45;
        assert_int_equal(strspn(line, (char[]){ *line, '\0' }), 199);
        assert_string_equal(line + strlen(line) - 9, " tail=end");
    }
    assert_int_equal(lines, 1500);
}

#define T(name) cmocka_unit_test_setup(name, reset)
static const struct CMUnitTest tests[] = {
    T(log_a_line_is_time_level_event_and_pairs),
    T(log_an_event_may_have_no_pairs),
    T(log_levels_under_the_least_are_silent),
    T(log_controls_cannot_make_a_second_line),
    T(log_json_has_a_member_a_pair),
    T(log_json_stays_json_when_values_are_not_quoted_well),
    T(log_a_long_line_is_cut_and_still_one_line),
    T(log_json_drops_a_pair_that_does_not_fit_whole),
    T(log_quote_escapes_and_cuts_to_fit),
    T(log_keeps_errno),
    T(log_limit_lets_one_pass_a_second_and_counts_the_rest),
    T(log_lines_of_threads_do_not_mix),
};
WN_TEST_MAIN("core_log", tests)
