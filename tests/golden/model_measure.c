/*
 * Measures against scikit-learn and statsmodels on random scores with many
 * ties, weighted too: measures.json, made by make_measures.py.
 */
#include "model/measure.h"

#include <math.h>

#include <jansson.h>

#include "model/measure_int.h"
#include "tests/lib/test.h"

#define ROWS_MAX 256
#define BOUND 1e-12

static struct wn_err err;
static json_t *root;
static double largest;

static void
assert_member(const json_t *o, const char *name, double got)
{
    const json_t *v = json_object_get(o, name);

    assert_true(json_is_number(v));
    largest = fmax(largest, fabs(json_number_value(v) - got));
    if (!(fabs(json_number_value(v) - got) <= BOUND))
        fail_msg("%s is %.15f, not %.15f", name, got, json_number_value(v));
}

struct rows {
    double scores[ROWS_MAX];
    int8_t labels[ROWS_MAX];
    uint32_t times[ROWS_MAX];
    size_t n;
};

static void
read_rows(struct rows *r, const json_t *o)
{
    r->n = json_array_size(json_object_get(o, "scores"));
    assert_true(r->n > 0 && r->n <= ROWS_MAX);
    for (size_t i = 0; i < r->n; i++) {
        r->scores[i] =
            json_number_value(json_array_get(json_object_get(o, "scores"), i));
        r->labels[i] = (int8_t)json_integer_value(
            json_array_get(json_object_get(o, "labels"), i));
        r->times[i] = (uint32_t)json_integer_value(
            json_array_get(json_object_get(o, "times"), i));
    }
}

static void
measures_are_those_of_the_reference(void **state)
{
    const json_t *o;
    size_t i, cases = 0;

    (void)state;
    json_array_foreach(json_object_get(root, "cases"), i, o)
    {
        struct wn_quality q;
        struct rows r;

        read_rows(&r, o);
        assert_wn_ok(wn_quality(r.scores, r.labels, r.n, 0, 1, &q, &err), &err);
        assert_member(o, "auc", q.auc.value);
        assert_member(o, "ap", q.ap.value);
        assert_member(o, "brier", q.brier.value);
        assert_member(o, "ece", q.ece);
        cases++;
    }
    assert_int_equal(cases, 6);
    print_message("# largest difference %.1e\n", largest);
}

static void
weighted_measures_are_those_of_the_reference(void **state)
{
    const json_t *o;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(root, "cases"), i, o)
    {
        const json_t *w = json_object_get(o, "weighted");
        struct wn_ranks ranks;
        struct wn_count c;
        struct rows r;

        read_rows(&r, o);
        assert_wn_ok(
            wn_ranks_init(&ranks, r.scores, r.labels, r.n, &err), &err);
        assert_wn_ok(wn_ranks_loss(&ranks, &err), &err);
        wn_ranks_count(&ranks, r.times, 0, &c);
        assert_member(w, "auc", c.auc);
        assert_member(w, "ap", c.ap);
        assert_member(w, "brier", c.brier);
        wn_ranks_release(&ranks);
    }
    assert_true(i > 0);
}

static void
intervals_of_shares_are_those_of_the_reference(void **state)
{
    const json_t *o;
    size_t i;

    (void)state;
    json_array_foreach(json_object_get(root, "wilson"), i, o)
    {
        struct wn_range r = wn_wilson(json_number_value(json_array_get(o, 0)),
            (size_t)json_integer_value(json_array_get(o, 1)));

        if (fabs(r.low - json_number_value(json_array_get(o, 2))) > BOUND ||
            fabs(r.high - json_number_value(json_array_get(o, 3))) > BOUND)
            fail_msg("row %zu: %.15f to %.15f", i, r.low, r.high);
    }
    assert_true(i > 0);
}

static int
setup(void **state)
{
    json_error_t why;

    (void)state;
    root = json_load_file("tests/golden/measures.json", 0, &why);
    if (root == NULL)
        fprintf(stderr, "measures.json:%d: %s\n", why.line, why.text);
    return root == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    json_decref(root);
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(measures_are_those_of_the_reference),
    cmocka_unit_test(weighted_measures_are_those_of_the_reference),
    cmocka_unit_test(intervals_of_shares_are_those_of_the_reference),
};

int
main(void)
{
    return wn_test_run("golden/measure", tests,
        sizeof(tests) / sizeof(tests[0]), setup, teardown);
}
