#include "tests/lib/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/clock.h"
#include "core/queue.h"

#define PUTTERS 4
#define TAKERS 3
#define EACH 5000

static int numbers[PUTTERS * EACH];

static void
queue_gives_back_in_order(void **state)
{
    struct wn_queue *q = wn_queue_new(3);

    for (int round = 0; round < 5; round++) { /* the ring goes round */
        for (int i = 0; i < 3; i++)
            assert_true(wn_queue_put(q, &numbers[i]));
        assert_int_equal(wn_queue_len(q), 3);
        for (int i = 0; i < 3; i++)
            assert_ptr_equal(wn_queue_take(q), &numbers[i]);
    }
    wn_queue_free(q, NULL);
}

static void
queue_closed_drains_and_then_ends(void **state)
{
    struct wn_queue *q = wn_queue_new(4);
    void *got[4];

    assert_true(wn_queue_put(q, &numbers[0]));
    assert_true(wn_queue_put(q, &numbers[1]));
    assert_false(wn_queue_closed(q));
    wn_queue_close(q);
    assert_true(wn_queue_closed(q));
    assert_false(wn_queue_put(q, &numbers[2]));
    assert_ptr_equal(wn_queue_take(q), &numbers[0]);
    assert_int_equal(wn_queue_take_many(q, got, 4, -1), 1);
    assert_ptr_equal(got[0], &numbers[1]);
    assert_null(wn_queue_take(q));
    assert_int_equal(wn_queue_take_many(q, got, 4, 10000), 0);
    wn_queue_free(q, NULL);
}

static void
queue_take_many_takes_what_is_there_up_to_n(void **state)
{
    struct wn_queue *q = wn_queue_new(8);
    void *got[8];

    for (int i = 0; i < 5; i++)
        wn_queue_put(q, &numbers[i]);
    assert_int_equal(wn_queue_take_many(q, got, 3, 0), 3);
    assert_ptr_equal(got[2], &numbers[2]);
    assert_int_equal(wn_queue_take_many(q, got, 8, 1000), 2);
    assert_ptr_equal(got[1], &numbers[4]);
    wn_queue_free(q, NULL);
}

static void
queue_take_many_ends_at_its_time(void **state)
{
    struct wn_queue *q = wn_queue_new(2);
    int64_t begin = wn_clock_mono_us();
    void *got[2];

    assert_int_equal(wn_queue_take_many(q, got, 2, 0), 0);
    assert_true(wn_clock_mono_us() - begin < 1000000);
    begin = wn_clock_mono_us();
    assert_int_equal(wn_queue_take_many(q, got, 2, 30), 0);
    assert_true(wn_clock_mono_us() - begin >= 30000);
    assert_false(wn_queue_closed(q));
    wn_queue_free(q, NULL);
}

static int dropped;

static void
drop(void *item)
{
    dropped += *(int *)item;
}

static void
queue_free_drops_what_is_left(void **state)
{
    struct wn_queue *q = wn_queue_new(4);
    int one = 1, two = 20;

    wn_queue_put(q, &one);
    wn_queue_put(q, &two);
    wn_queue_free(q, drop);
    assert_int_equal(dropped, 21);
    wn_queue_free(NULL, NULL);
}

static void
queue_a_size_beyond_memory_is_refused(void **state)
{
    assert_null(wn_queue_new(SIZE_MAX / 4));
}

struct shared {
    struct wn_queue *q;
    _Atomic int next_putter, most, refused;
    _Atomic unsigned char seen[PUTTERS * EACH];
};

static void *
put_all(void *arg)
{
    struct shared *s = arg;
    int base = atomic_fetch_add(&s->next_putter, 1) * EACH;

    for (int i = 0; i < EACH; i++) {
        if (!wn_queue_put(s->q, &numbers[base + i]))
            atomic_fetch_add(&s->refused, 1);
    }
    return NULL;
}

static void
see(struct shared *s, void *item)
{
    atomic_fetch_add(&s->seen[(int *)item - numbers], 1);
}

static void *
take_all(void *arg)
{
    struct shared *s = arg;
    void *got[16], *item;
    size_t n;

    for (;;) {
        n = wn_queue_take_many(s->q, got, 16, 5);
        for (size_t i = 0; i < n; i++)
            see(s, got[i]);
        item = wn_queue_take(s->q);
        if (item == NULL)
            return NULL;
        see(s, item);
        if ((int)wn_queue_len(s->q) > atomic_load(&s->most))
            atomic_store(&s->most, (int)wn_queue_len(s->q));
    }
}

static void
queue_hands_every_item_to_exactly_one_of_many_threads(void **state)
{
    static struct shared s;
    pthread_t putters[PUTTERS], takers[TAKERS];

    s.q = wn_queue_new(7);
    for (int i = 0; i < TAKERS; i++)
        pthread_create(&takers[i], NULL, take_all, &s);
    for (int i = 0; i < PUTTERS; i++)
        pthread_create(&putters[i], NULL, put_all, &s);
    for (int i = 0; i < PUTTERS; i++)
        pthread_join(putters[i], NULL);
    wn_queue_close(s.q);
    for (int i = 0; i < TAKERS; i++)
        pthread_join(takers[i], NULL);
    for (int i = 0; i < PUTTERS * EACH; i++)
        assert_int_equal(s.seen[i], 1);
    assert_int_equal(s.refused, 0);
    assert_true(s.most <= 7);
    assert_int_equal(wn_queue_len(s.q), 0);
    wn_queue_free(s.q, NULL);
}

static size_t
weigh(const void *item)
{
    return (size_t)((const int *)item - numbers);
}

static void
queue_takes_within_a_weight_and_one_at_least(void **state)
{
    struct wn_queue *q = wn_queue_new(8);
    void *got[8];

    /* item n weighs n */
    wn_queue_put(q, &numbers[9]);
    wn_queue_put(q, &numbers[2]);
    wn_queue_put(q, &numbers[3]);
    wn_queue_put(q, &numbers[1]);
    assert_int_equal(wn_queue_take_within(q, got, 8, 1, 5, weigh), 1);
    assert_ptr_equal(got[0], &numbers[9]);
    assert_int_equal(wn_queue_take_within(q, got, 8, 1, 5, weigh), 2);
    assert_ptr_equal(got[1], &numbers[3]);
    wn_queue_put(q, &numbers[1]);
    assert_int_equal(wn_queue_take_within(q, got, 1, 1, 5, weigh), 1);
    wn_queue_close(q);
    assert_int_equal(wn_queue_take_within(q, got, 8, 1, 5, weigh), 1);
    assert_int_equal(wn_queue_take_within(q, got, 8, 1, 5, weigh), 0);
    wn_queue_free(q, NULL);
}

/* What one taker leaves is another's, at once. */
static void
queue_shares_a_burst_among_its_takers(void **state)
{
    struct wn_queue *q = wn_queue_new(8);
    void *got[8];

    for (int i = 1; i <= 7; i++)
        wn_queue_put(q, &numbers[i]);
    assert_int_equal(wn_queue_take_within(q, got, 8, 3, 100, weigh), 3);
    assert_ptr_equal(got[2], &numbers[3]);
    assert_int_equal(wn_queue_take_within(q, got, 8, 3, 100, weigh), 2);
    assert_int_equal(wn_queue_take_within(q, got, 8, 2, 100, weigh), 1);
    assert_int_equal(wn_queue_take_within(q, got, 8, 9, 100, weigh), 1);
    assert_ptr_equal(got[0], &numbers[7]);
    assert_int_equal(wn_queue_len(q), 0);
    wn_queue_free(q, NULL);
}

static void *
put_one_more(void *arg)
{
    return wn_queue_put(arg, &numbers[9]) ? &numbers[9] : NULL;
}

static void *
take_one(void *arg)
{
    return wn_queue_take(arg);
}

static void
queue_close_wakes_who_waits_on_either_side(void **state)
{
    struct wn_queue *full = wn_queue_new(1), *empty = wn_queue_new(1);
    pthread_t putter, taker;
    void *ret;

    wn_queue_put(full, &numbers[0]);
    pthread_create(&putter, NULL, put_one_more, full);
    pthread_create(&taker, NULL, take_one, empty);
    wn_queue_close(full);
    wn_queue_close(empty);
    pthread_join(putter, &ret);
    assert_null(ret);
    pthread_join(taker, &ret);
    assert_null(ret);
    assert_int_equal(wn_queue_len(full), 1);
    assert_ptr_equal(wn_queue_take(full), &numbers[0]);
    wn_queue_free(full, NULL);
    wn_queue_free(empty, NULL);
}

static void
queue_a_full_queue_takes_the_waiting_item_when_there_is_room(void **state)
{
    struct wn_queue *q = wn_queue_new(1);
    pthread_t putter;
    void *ret;

    wn_queue_put(q, &numbers[0]);
    pthread_create(&putter, NULL, put_one_more, q);
    assert_ptr_equal(wn_queue_take(q), &numbers[0]);
    assert_ptr_equal(wn_queue_take(q), &numbers[9]);
    pthread_join(putter, &ret);
    assert_non_null(ret);
    wn_queue_free(q, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(queue_gives_back_in_order),
    cmocka_unit_test(queue_closed_drains_and_then_ends),
    cmocka_unit_test(queue_take_many_takes_what_is_there_up_to_n),
    cmocka_unit_test(queue_take_many_ends_at_its_time),
    cmocka_unit_test(queue_free_drops_what_is_left),
    cmocka_unit_test(queue_a_size_beyond_memory_is_refused),
    cmocka_unit_test(queue_hands_every_item_to_exactly_one_of_many_threads),
    cmocka_unit_test(queue_takes_within_a_weight_and_one_at_least),
    cmocka_unit_test(queue_shares_a_burst_among_its_takers),
    cmocka_unit_test(queue_close_wakes_who_waits_on_either_side),
    cmocka_unit_test(
        queue_a_full_queue_takes_the_waiting_item_when_there_is_room),
};
WN_TEST_MAIN("core_queue", tests)
