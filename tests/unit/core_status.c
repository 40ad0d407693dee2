#include "tests/lib/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void
status_a_failure_fills_the_text_and_returns_the_status(void **state)
{
    struct wn_err err = { "" };

    assert_int_equal(wn_fail(&err, WN_RETRY, "connect: %d", 7), WN_RETRY);
    assert_string_equal(err.text, "connect: 7");
}

static void
status_a_prefix_goes_before_the_text_that_is_there(void **state)
{
    struct wn_err err;

    wn_fail(&err, WN_REJECT, "no such file");
    assert_int_equal(wn_fail_in(&err, WN_STOP, "weights %s", "a.bin"), WN_STOP);
    assert_string_equal(err.text, "weights a.bin: no such file");
}

static void
status_an_argument_may_be_the_text_itself(void **state)
{
    struct wn_err err;

    wn_fail(&err, WN_REJECT, "inner");
    wn_fail(&err, WN_REJECT, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
}

static void
status_line_ends_of_a_library_become_spaces(void **state)
{
    struct wn_err err;

    wn_fail(&err, WN_RETRY, "server said:\n\tno\r\n");
    assert_string_equal(err.text, "server said:  no");
}

static void
status_a_long_text_is_cut_between_characters(void **state)
{
    char text[700];
    struct wn_err err;

    for (size_t i = 0; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2); /* e with acute */
    text[sizeof(text) - 2] = '\0';
    wn_fail(&err, WN_REJECT, "%s", text); /* 511 bytes: one half is left */
    assert_int_equal(strlen(err.text) % 2, 0);
    assert_true(strlen(err.text) >= 508);
    wn_fail_in(&err, WN_REJECT, "%s", text);
    assert_true(strlen(err.text) < sizeof(err.text));
    assert_int_equal(strlen(err.text) % 2, 0);
}

static void
status_every_status_has_a_name(void **state)
{
    assert_string_equal(wn_status_name(WN_OK), "ok");
    assert_string_equal(wn_status_name(WN_REJECT), "reject");
    assert_string_equal(wn_status_name(WN_RETRY), "retry");
    assert_string_equal(wn_status_name(WN_FULL), "full");
    assert_string_equal(wn_status_name(WN_FENCED), "fenced");
    assert_string_equal(wn_status_name(WN_STOP), "stop");
    assert_string_equal(wn_status_name((enum wn_status)99), "unknown");
}

static void
status_a_failed_assertion_names_itself_and_aborts(void **state)
{
    char text[512] = "";
    int fds[2], status;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        WN_ASSERT(fds[0] == -7);
        _exit(0);
    }
    close(fds[1]);
    n = read(fds[0], text, sizeof(text) - 1);
    assert_true(n > 0);
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    assert_non_null(strstr(text, " error assert.failed at="));
    assert_non_null(strstr(text, "core_status.c:"));
    assert_non_null(strstr(text, "cond=\"fds[0] == -7\""));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(status_a_failure_fills_the_text_and_returns_the_status),
    cmocka_unit_test(status_a_prefix_goes_before_the_text_that_is_there),
    cmocka_unit_test(status_an_argument_may_be_the_text_itself),
    cmocka_unit_test(status_line_ends_of_a_library_become_spaces),
    cmocka_unit_test(status_a_long_text_is_cut_between_characters),
    cmocka_unit_test(status_every_status_has_a_name),
    cmocka_unit_test(status_a_failed_assertion_names_itself_and_aborts),
};
WN_TEST_MAIN("core_status", tests)
