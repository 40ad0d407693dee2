/* The table of moves, and that nothing else moves. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ingest/flow.h"
#include "tests/lib/test.h"

/* In a process of its own: a move that the table lacks ends it. */
static bool
moves(enum wn_flow from, enum wn_flow to)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct wn_item item = { .flow = (int)from };

        fclose(stderr);
        wn_flow_move(&item, to);
        _exit(item.flow == (int)to ? 0 : 1);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGABRT);
    else
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFEXITED(status);
}

static void
the_printed_table_is_every_move_there_is(void **state)
{
    char line[64];
    struct wn_buf out;
    int from, to, n = 0, lines = 0;
    bool printed;
    size_t i;

    wn_buf_init(&out, 1u << 16);
    wn_flow_print(&out);
    for (from = 0; from < WN_FLOW_STATES; from++) {
        for (to = 0; to < WN_FLOW_STATES; to++) {
            snprintf(line, sizeof(line), "%-8s -> %-8s ",
                wn_flow_name((enum wn_flow)from),
                wn_flow_name((enum wn_flow)to));
            printed = memmem(out.data, out.len, line, strlen(line)) != NULL;
            if (printed != moves((enum wn_flow)from, (enum wn_flow)to))
                fail_msg("%s: printed %d", line, printed);
            n += printed;
        }
    }
    for (i = 0; i < out.len; i++)
        lines += out.data[i] == '\n';
    assert_int_equal(lines, n);
    assert_true(n > 5);
    wn_buf_release(&out);
}

static void
a_record_ends_stored_or_dropped_and_nothing_follows(void **state)
{
    int to;

    for (to = 0; to < WN_FLOW_STATES; to++) {
        assert_false(moves(WN_FLOW_STORED, (enum wn_flow)to));
        assert_false(moves(WN_FLOW_DROPPED, (enum wn_flow)to));
    }
}

static void
only_what_has_an_outcome_is_stored(void **state)
{
    assert_false(moves(WN_FLOW_READ, WN_FLOW_STORED));
    assert_false(moves(WN_FLOW_SCORED, WN_FLOW_STORED));
    assert_true(moves(WN_FLOW_DECIDED, WN_FLOW_STORED));
    assert_true(moves(WN_FLOW_DELETED, WN_FLOW_STORED));
    assert_true(moves(WN_FLOW_DEAD, WN_FLOW_STORED));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_printed_table_is_every_move_there_is),
    cmocka_unit_test(a_record_ends_stored_or_dropped_and_nothing_follows),
    cmocka_unit_test(only_what_has_an_outcome_is_stored),
};

WN_TEST_MAIN("flow", tests)
