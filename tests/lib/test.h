/*
 * What every test program shares. Include this instead of <cmocka.h>.
 *
 * Case names are sentences. WN_TEST_MAIN("group", tests) runs the cases that
 * WN_TEST_FILTER names, with WN_SEED printed by tests/run.sh.
 */
#ifndef WN_TESTS_LIB_TEST_H
#define WN_TESTS_LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/status.h"

/* Fails with the error's text. */
#define assert_wn_ok(expr, err)                                                \
    do {                                                                       \
        enum wn_status wn_rc_ = (expr);                                        \
        if (wn_rc_ != WN_OK)                                                   \
            fail_msg(                                                          \
                "%s: %s: %s", #expr, wn_status_name(wn_rc_), (err)->text);     \
    } while (0)

/* Seed of this run, for tests that draw at random; they print nothing. */
uint64_t wn_test_seed(void);
/* splitmix64: the next number of the state. */
uint64_t wn_test_random(uint64_t *state);
/* A fresh private folder under $TMPDIR, removed at exit. */
const char *wn_test_dir(void);
int wn_test_run(const char *group, const struct CMUnitTest *tests, size_t n,
    CMFixtureFunction setup, CMFixtureFunction teardown);

#define WN_TEST_MAIN(group, tests)                                             \
    int main(void)                                                             \
    {                                                                          \
        return wn_test_run(                                                    \
            group, tests, sizeof(tests) / sizeof((tests)[0]), NULL, NULL);     \
    }

#endif
