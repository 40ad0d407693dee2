/* The life of a model, with the real binary: a worker that runs, commands
 * beside it, SIGHUP. "high" flags every text, "low" none. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "classifier/classifier.h"
#include "core/clock.h"
#include "core/item.h"
#include "tests/lib/pg.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"
#include "tests/lib/weights.h"

#define SECONDS 60
#define WHO " --staff ana --reason 'better on scams'"

static struct wn_pg *pg;
static char output[1 << 16], high[512], low[512], posts[512], conf[512];
static int posts_n, dbs;
static char db[16];
static pid_t worker;

/* --- what it runs on --- */

static int
make_all(void **state)
{
    (void)state;
    wn_weights_make_named(high, "high", (struct wn_calibration){ 1, 1000 });
    wn_weights_make_named(low, "low", (struct wn_calibration){ 1, -1000 });
    pg = wn_pg_start(false);
    wn_pg_exec(pg, "postgres",
        "CREATE ROLE worker LOGIN; CREATE ROLE clerk "
        "LOGIN; CREATE ROLE auditor LOGIN");
    return 0;
}

static int
winnow_as(const char *role, const char *args)
{
    char line[4096];

    setenv("WINNOW_DATABASE_URL", wn_pg_conninfo(pg, db, role), 1);
    snprintf(line, sizeof(line), "model %s", args);
    return wn_program_say(line, output, sizeof(output));
}

static void
expect_as(const char *role, const char *args, int status, const char *says)
{
    int rc = winnow_as(role, args);

    if (rc != status || strstr(output, says) == NULL)
        fail_msg("winnow model %s as %s: exit %d (wanted %d, '%s'):\n%s", args,
            role, rc, status, says, output);
}

static void
expect(const char *args, int status, const char *says)
{
    expect_as("clerk", args, status, says);
}

static void
wait_number(long long want, const char *sql)
{
    int64_t until = wn_clock_mono_us() + SECONDS * INT64_C(1000000);
    long long n = wn_pg_number(pg, db, sql);

    while (n != want) {
        if (wn_clock_mono_us() > until)
            fail_msg("%lld, not %lld: %s", n, want, sql);
        usleep(30000);
        n = wn_pg_number(pg, db, sql);
    }
}

/* --- the worker --- */

static void
write_conf(const char *model, const char *more)
{
    FILE *f = fopen(conf, "w");

    assert_non_null(f);
    fprintf(f,
        "ingest.source = jsonl\ningest.path = %s\ningest.follow = true\n"
        "http.listen = off\nmodel.dir = %s\n%s",
        posts, model, more);
    assert_int_equal(fclose(f), 0);
}

static void
open_bench(void)
{
    char migrate[600];
    FILE *f;

    snprintf(db, sizeof(db), "live%d", ++dbs);
    snprintf(posts, sizeof(posts), "%s/%s.jsonl", wn_test_dir(), db);
    snprintf(conf, sizeof(conf), "%s/%s.conf", wn_test_dir(), db);
    f = fopen(posts, "w");
    assert_non_null(f);
    fclose(f);
    posts_n = 0;
    wn_pg_create_db(pg, db);
    setenv("WINNOW_DATABASE_URL", wn_pg_conninfo(pg, db, "admin"), 1);
    snprintf(migrate, sizeof(migrate), "%s migrate >/dev/null", wn_program());
    assert_int_equal(system(migrate), 0);
    wn_pg_exec(pg, db,
        "GRANT winnow_worker TO worker; GRANT winnow_console "
        "TO clerk; GRANT winnow_auditor TO auditor");
}

static void
start_worker(void)
{
    setenv("WINNOW_DATABASE_URL", wn_pg_conninfo(pg, db, "worker"), 1);
    fflush(stdout);
    worker = fork();
    assert_true(worker >= 0);
    if (worker > 0) { /* until it is known: an activation waits for it then */
        wait_number(1, "SELECT count(*) FROM winnow.running_now");
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a case that fails stops nothing */
    if (freopen("/dev/null", "w", stderr) == NULL)
        _exit(1);
    execl(wn_program(), "winnow", "run", "--config", conf, (char *)NULL);
    _exit(1);
}

static void
stop_worker(void)
{
    int status = -1;

    assert_int_equal(kill(worker, SIGTERM), 0);
    assert_int_equal(waitpid(worker, &status, 0), worker);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A few posts more, all judged by weights of that name. */
static void
judge(const char *name)
{
    FILE *f = fopen(posts, "a");
    char sql[300];

    assert_non_null(f);
    for (int i = 0; i < 5; i++, posts_n++)
        fprintf(f,
            "{\"post\":{\"id\":\"p%d\",\"text\":\"The harbour opens at "
            "six.\",\"author\":{\"id\":\"a\"}}}\n",
            posts_n);
    assert_int_equal(fclose(f), 0);
    wait_number(posts_n, "SELECT count(*) FROM winnow.verdict");
    snprintf(sql, sizeof(sql),
        "SELECT count(*) FROM (SELECT v.*, m.value FROM winnow.verdict v JOIN "
        "winnow.version m ON m.id = v.model ORDER BY off DESC LIMIT 5) v "
        "WHERE value LIKE '%s@%%' AND (flags <> 0) = (value LIKE 'high@%%')",
        name);
    assert_int_equal(wn_pg_number(pg, db, sql), 5);
}

/* --- cases --- */

static void
model_is_activated_and_rolled_back_beside_a_running_worker(void **state)
{
    char args[1024];

    (void)state;
    open_bench();
    write_conf(low, "");
    start_worker();
    judge("low");
    expect("history", 0, "No model was ever activated");
    expect("rollback" WHO, 1, "nothing to roll back to");
    snprintf(args, sizeof(args), "activate %s" WHO, high);
    expect(args, 0, "  runs high@");
    assert_non_null(strstr(output, "activation 1: high@"));
    judge("high");
    expect(args, 1, "is activated already");
    expect_as("auditor", "history", 0, "by ana: better on scams");
    assert_non_null(strstr(output, "*    1  "));
    assert_non_null(strstr(output, "\nWorkers:\n"));
    expect("rollback" WHO, 0, "  runs low@");
    assert_non_null(strstr(output, "each worker's own"));
    judge("low");
    expect("history --json", 0, "\"act\":\"rollback\"");
    assert_non_null(strstr(output, "\"in_force\":true"));
    stop_worker();
    assert_int_equal(wn_pg_number(pg, db,
                         "SELECT count(*) FROM winnow.audit WHERE kind = "
                         "3"),
        2);
}

static void
model_that_is_bad_is_refused_before_anything_is_written(void **state)
{
    char args[1200], moved[600];

    (void)state;
    open_bench();
    write_conf(low, "");
    expect("activate /nowhere" WHO, 78, "/nowhere: No such file");
    snprintf(args, sizeof(args), "activate %s" WHO, wn_test_dir());
    expect(args, 78, "config.json");
    expect("activate x", 2, "--staff must say who");
    expect("activate --staff ana --reason why", 2, "activate needs one DIR");
    expect("activate x --staff ana", 2, "--reason must say why");
    expect("rollback x" WHO, 2, "rollback takes no DIR");
    expect("histroy", 2, "did you mean 'history'?");
    assert_int_equal(
        wn_pg_number(pg, db, "SELECT count(*) FROM winnow.activation"), 0);
    snprintf(args, sizeof(args), "activate %s" WHO, high);
    expect(args, 0, "no worker is connected");
    start_worker();
    judge("high"); /* the first post too */
    expect_as("worker", "rollback" WHO, 1, "permission denied");
    /* it can be read here, and not where the workers look for it */
    snprintf(moved, sizeof(moved), "%s/moved", wn_test_dir());
    snprintf(args, sizeof(args), "cp -r %s %s", low, moved);
    assert_int_equal(system(args), 0);
    snprintf(args, sizeof(args), "activate %s" WHO, moved);
    expect(args, 0, "  runs low@");
    snprintf(args, sizeof(args), "activate %s" WHO, high);
    expect(args, 0, "  runs high@");
    snprintf(args, sizeof(args), "%s/config.json", moved);
    assert_int_equal(unlink(args), 0);
    expect("rollback" WHO, 78, "config.json");
    judge("high");
    stop_worker();
}

static void
model_of_the_configuration_and_its_shadow_follow_sighup(void **state)
{
    char more[700];

    (void)state;
    open_bench();
    write_conf(low, "");
    start_worker();
    judge("low");
    expect("shadow", 0, "No second model has scored a post yet");
    snprintf(more, sizeof(more),
        "model.shadow = %s\nmodel.shadow_share = 100\n", high);
    write_conf(low, more);
    assert_int_equal(kill(worker, SIGHUP), 0);
    do /* until it has read it */
        judge("low");
    while (
        wn_pg_number(pg, db, "SELECT count(*) FROM winnow.shadow_score") == 0);
    expect("shadow", 0, "First model:  low@");
    assert_non_null(strstr(output, "Second model: high@"));
    assert_non_null(strstr(output, "allow   would be "));
    assert_non_null(strstr(output, "+spam 0.000 -> 1.000"));
    assert_non_null(strstr(output, "The harbour opens at six."));
    expect_as("auditor", "shadow --top 1", 0, "may not read what posts say");
    expect("shadow --json", 0, "\"second\":\"high@");
    assert_non_null(strstr(output, "\"gained\":"));
    write_conf("/nowhere", "model.shadow_share = 1000\n");
    assert_int_equal(kill(worker, SIGHUP), 0);
    judge("low"); /* nothing of it is taken */
    write_conf(high, "");
    assert_int_equal(kill(worker, SIGHUP), 0);
    wait_number(1, "SELECT count(*) FROM winnow.running_now WHERE version "
                   "LIKE 'high@%'");
    judge("high");
    stop_worker();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(
        model_is_activated_and_rolled_back_beside_a_running_worker),
    cmocka_unit_test(model_that_is_bad_is_refused_before_anything_is_written),
    cmocka_unit_test(model_of_the_configuration_and_its_shadow_follow_sighup),
};

int
main(void)
{
    return wn_test_run("cmd_model_live", tests,
        sizeof(tests) / sizeof(tests[0]), make_all, NULL);
}
