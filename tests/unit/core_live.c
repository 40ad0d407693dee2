/* What is live is replaced under many users, and is never gone under one. */
#include "core/live.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/item.h"
#include "tests/lib/test.h"

#define USERS 4
#define SWAPS 2000

struct thing {
    int first, second; /* equal while it is whole */
};

static struct wn_live live;
static atomic_bool enough;

static struct thing *
make(int n)
{
    struct thing *t = malloc(sizeof(*t));

    assert_non_null(t);
    *t = (struct thing){ n, n };
    return t;
}

/* What is freed is broken first, so that a user of it would see. */
static void
destroy(struct thing *t)
{
    if (t != NULL)
        t->second = -1;
    free(t);
}

static void *
use(void *arg)
{
    long *uses = arg;

    while (!enough) {
        struct thing *t = wn_live_take(&live);
        int first = t->first;

        if (t->second != first || t->first != first)
            abort();
        wn_live_drop(&live, t);
        (*uses)++;
    }
    return NULL;
}

static void
live_thing_is_whole_for_whoever_took_it(void **state)
{
    pthread_t threads[USERS];
    long uses[USERS] = { 0 };
    struct thing *old;

    (void)state;
    wn_live_init(&live, make(0));
    for (int i = 0; i < USERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, &uses[i]), 0);
    for (int i = 1; i <= SWAPS; i++) {
        old = wn_live_swap(&live, make(i));
        assert_int_equal(old->first, i - 1);
        destroy(old);
    }
    enough = true;
    for (int i = 0; i < USERS; i++)
        pthread_join(threads[i], NULL);
    old = wn_live_release(&live);
    assert_int_equal(old->first, SWAPS);
    destroy(old);
}

static void
live_may_be_nothing(void **state)
{
    struct wn_live l;
    struct thing *t = make(1);

    (void)state;
    wn_live_init(&l, NULL);
    assert_null(wn_live_take(&l));
    wn_live_drop(&l, NULL);
    assert_null(wn_live_swap(&l, t));
    assert_ptr_equal(wn_live_take(&l), t);
    wn_live_drop(&l, t);
    assert_ptr_equal(wn_live_swap(&l, NULL), t);
    assert_null(wn_live_take(&l));
    wn_live_drop(&l, NULL);
    assert_null(wn_live_release(&l));
    destroy(t);
}

static void
version_is_kept_once(void **state)
{
    char text[] = "winnow-1@0123";
    const char *kept = wn_version_keep(text);

    (void)state;
    assert_non_null(kept);
    text[0] = 'x';
    assert_string_equal(kept, "winnow-1@0123");
    assert_ptr_equal(wn_version_keep("winnow-1@0123"), kept);
    assert_ptr_not_equal(wn_version_keep("winnow-2@0123"), kept);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(live_thing_is_whole_for_whoever_took_it),
    cmocka_unit_test(live_may_be_nothing),
    cmocka_unit_test(version_is_kept_once),
};

WN_TEST_MAIN("core_live", tests)
