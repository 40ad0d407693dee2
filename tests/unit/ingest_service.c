/* What the threads of the service share, without servers: the window of
 * finished items, partitions that come and go, waiting. */
#include "ingest/service_int.h"
#include "tests/lib/test.h"

static struct wn_svc svc;

static void
begin(void)
{
    memset(&svc, 0, sizeof(svc));
    pthread_mutex_init(&svc.lock, NULL);
}

static void
end(void)
{
    wn_parts_free(&svc);
    pthread_mutex_destroy(&svc.lock);
    assert_int_equal(atomic_load(&svc.items), 0);
    assert_int_equal(atomic_load(&svc.bytes), 0);
}

static struct wn_partition *
part(int32_t source, uint64_t generation)
{
    struct wn_claim claim = {
        .source = source, .epoch = 1, .next_offset = 100
    };
    struct wn_partition *p = wn_part_new(&svc, &claim, generation);

    assert_non_null(p);
    return p;
}

static void
put(struct wn_partition *p, uint64_t seq)
{
    struct wn_item *item = wn_item_new(1024);

    assert_non_null(item);
    item->seq = seq;
    item->bytes = 10;
    item->flow = WN_FLOW_DECIDED;
    atomic_fetch_add(&svc.items, 1);
    atomic_fetch_add(&svc.bytes, 10);
    assert_true(wn_part_put(p, item));
}

static void
only_a_run_without_a_hole_is_ready(void **state)
{
    struct wn_partition *p;

    begin();
    p = part(1, 1);
    put(p, 2);
    put(p, 1);
    assert_int_equal(p->ready, 0);
    put(p, 0);
    assert_int_equal(p->ready, 3);
    put(p, 4);
    assert_int_equal(p->ready, 3);
    put(p, 3);
    assert_int_equal(p->ready, 5);
    end();
}

/* Any order of many more than the first window holds, in runs. */
static void
any_order_of_many_comes_out_in_order(void **state)
{
    enum { N = 3000 };
    static uint64_t order[N];
    uint64_t rng = wn_test_seed(), swap, taken = 0;
    struct wn_partition *p;
    size_t i, j;

    begin();
    p = part(1, 1);
    for (i = 0; i < N; i++)
        order[i] = i;
    for (i = N - 1; i > 0; i--) {
        j = wn_test_random(&rng) % (i + 1);
        swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (i = 0; i < N; i++) {
        put(p, order[i]);
        while (p->ready > 0) { /* as the writer takes them */
            struct wn_item **at = &p->window[p->base & (p->cap - 1)];

            assert_int_equal((*at)->seq, taken++);
            wn_svc_let_go(&svc, *at);
            *at = NULL;
            p->base++;
            p->ready--;
        }
    }
    assert_int_equal(taken, N);
    end();
}

static void
a_partition_is_found_by_source_and_generation(void **state)
{
    struct wn_partition *a, *b, *c;

    begin();
    a = part(1, 1);
    b = part(1 + WN_PART_BUCKETS, 1); /* the same bucket */
    a->gone = true;
    c = part(1, 2);
    assert_null(wn_part_find(&svc, 1, 1));
    assert_ptr_equal(wn_part_find(&svc, 1, 2), c);
    assert_ptr_equal(wn_part_find(&svc, 1 + WN_PART_BUCKETS, 1), b);
    assert_null(wn_part_find(&svc, 2, 1));
    a->committing = true; /* gone, but not done */
    assert_true(wn_part_busy(&svc, 1, 1));
    assert_false(wn_part_busy(&svc, 1, 2));
    end();
}

static void
what_is_gone_is_swept_with_its_items(void **state)
{
    struct wn_partition *a, *b;

    begin();
    a = part(1, 1);
    b = part(2, 1);
    put(a, 0);
    put(b, 0);
    a->gone = true;
    wn_parts_sweep(&svc, NULL);
    assert_int_equal(atomic_load(&svc.items), 1);
    assert_null(svc.parts[1]);
    assert_ptr_equal(svc.parts[2], b);
    end();
}

static void
the_relay_sees_a_partition_before_it_is_swept(void **state)
{
    struct wn_partition *p;

    begin();
    atomic_store(&svc.relay_on, true);
    p = part(1, 1);
    p->gone = true;
    wn_parts_sweep(&svc, NULL);
    assert_ptr_equal(svc.parts[1], p);
    p->relay_saw = p->relaying = true;
    wn_parts_sweep(&svc, NULL);
    assert_ptr_equal(svc.parts[1], p);
    p->relaying = false;
    wn_parts_sweep(&svc, NULL);
    assert_null(svc.parts[1]);
    end();
}

static void
waits_between_tries_are_jittered_and_bounded(void **state)
{
    unsigned attempt, i;
    int ms, least, most;

    for (attempt = 0; attempt < 40; attempt++) {
        least = 1000000;
        most = 0;
        for (i = 0; i < 300; i++) {
            ms = wn_svc_backoff_ms(attempt);
            assert_in_range(ms, 50, 5050);
            least = ms < least ? ms : least;
            most = ms > most ? ms : most;
        }
        assert_true(most > least);
        if (attempt == 0)
            assert_true(most <= 100);
        if (attempt > 10) /* full jitter: from next to nothing to all of it */
            assert_true(least < 500 && most > 4500);
    }
}

static void
a_nap_ends_when_the_service_stops(void **state)
{
    int64_t began = wn_clock_mono_us();

    begin();
    svc.stopping = true;
    wn_svc_nap(&svc, 10000, false);
    assert_true(wn_clock_mono_us() - began < 1000000);
    began = wn_clock_mono_us();
    wn_svc_nap(&svc, 60, true);
    assert_true(wn_clock_mono_us() - began >= 60000);
    svc.hard_stop = true;
    wn_svc_nap(&svc, 10000, true);
    assert_true(wn_clock_mono_us() - began < 2000000);
    end();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_a_run_without_a_hole_is_ready),
    cmocka_unit_test(any_order_of_many_comes_out_in_order),
    cmocka_unit_test(a_partition_is_found_by_source_and_generation),
    cmocka_unit_test(what_is_gone_is_swept_with_its_items),
    cmocka_unit_test(the_relay_sees_a_partition_before_it_is_swept),
    cmocka_unit_test(waits_between_tries_are_jittered_and_bounded),
    cmocka_unit_test(a_nap_ends_when_the_service_stops),
};

WN_TEST_MAIN("service_parts", tests)
