/*
 * What `winnow train --from-reviews` is worth with the shipped weights: 500
 * decisions, four of seven on a campaign that nobody has seen, and how much of
 * its other texts is found afterwards. Beside it, for how long it took, whether
 * the gate passed, and how many honest look-alikes are flagged.
 *
 *   cmd_reviews [WEIGHTS]      a folder, in place of those shipped
 *
 * Fails unless it took under five minutes, less than 30 % was found before and
 * more than 80 % after, and the gate passed.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include <jansson.h>

#include "core/clock.h"
#include "tests/lib/campaign.h"
#include "tests/lib/pg.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"

#define DECISIONS 500
#define EACH 10 /* texts of a fresh template */

static const char *dir, *weights;

static int
winnow(const char *args, const char *last)
{
    char line[8192];

    snprintf(line, sizeof(line), "'%s' %s%s", wn_program(), args, last);
    fflush(stdout);
    return WEXITSTATUS(system(line));
}

/* Shares of the campaign, and of honest texts, that any head flags. */
static void
ask(const char *of, double ret[2])
{
    char args[4096];
    json_t *root, *at;

    snprintf(args, sizeof(args), "eval %s/fresh --weights '%s' --json %s/eval",
        dir, of, dir);
    if (winnow(args, " >/dev/null 2>&1") != 0)
        fail_msg("winnow eval of %s did not work", of);
    snprintf(args, sizeof(args), "%s/eval", dir);
    root = json_load_file(args, 0, NULL);
    at = json_object_get(json_object_get(root, "heads"), "scam");
    at = json_array_get(json_object_get(json_object_get(at, "all"), "at"), 0);
    ret[0] = json_number_value(json_object_get(at, "recall"));
    ret[1] = json_number_value(json_object_get(at, "fpr"));
    json_decref(root);
}

static void
make_files(struct wn_pg *pg)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/decisions", dir);
    wn_campaign_decisions(path, DECISIONS, 1);
    snprintf(path, sizeof(path), "%s/fresh", dir);
    wn_campaign_fresh(path, EACH, 2);
    setenv("WINNOW_DATABASE_URL", wn_pg_conninfo(pg, "postgres", "admin"), 1);
    snprintf(
        path, sizeof(path), "review import --staff=bench %s/decisions", dir);
    if (winnow("migrate", " >/dev/null") != 0 ||
        winnow(path, " >/dev/null") != 0)
        fail_msg("the decisions could not be imported");
}

/* Seconds of all processes that this one has waited for. */
static double
cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* The exit status of training into `out`, and how long it took: on the clock,
 * and of CPU. */
static int
train(int layers, const char *out, double ret_seconds[2])
{
    char args[8192];
    int64_t began = wn_clock_mono_us();
    double cpu = cpu_seconds();
    int status;

    snprintf(args, sizeof(args),
        "train --from-reviews --last-layers %d --model.dir '%s' --out %s",
        layers, weights, out);
    status = winnow(args, "");
    ret_seconds[0] = (double)(wn_clock_mono_us() - began) / 1e6;
    ret_seconds[1] = cpu_seconds() - cpu;
    return status;
}

static bool
run(int layers, const double before[2])
{
    char out[4096];
    double after[2], seconds[2];
    int status;

    snprintf(out, sizeof(out), "%s/last-%d", dir, layers);
    status = train(layers, out, seconds);
    ask(out, after);
    printf(
        "\nreviews: n-grams and last %d layers: %d decisions, %.0f s (%.0f s "
        "of CPU); of fresh texts of the campaign %.1f %% found, was %.1f "
        "%%; of honest ones %.1f %% flagged, was %.1f %%; gate %s\n\n",
        layers, DECISIONS, seconds[0], seconds[1], 100 * after[0],
        100 * before[0], 100 * after[1], 100 * before[1],
        status == 0 ? "passed" : "not passed");
    return status == 0 && seconds[0] < 300 && before[0] < 0.3 && after[0] > 0.8;
}

int
main(int argc, char **argv)
{
    double before[2];
    bool good;

    weights = argc > 1 ? argv[1] : "model/weights/winnow";
    dir = wn_test_dir();
    make_files(wn_pg_start(false));
    ask(weights, before);
    good = run(0, before);
    good = run(2, before) && good;
    return good ? 0 : 1;
}
