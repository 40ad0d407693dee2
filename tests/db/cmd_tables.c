/* migrate, review and status of the real binary over a real PostgreSQL. */
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/pg.h"
#include "tests/lib/test.h"

static struct wn_pg *pg;
static char output[1 << 16];

/* Runs `winnow ARGS` with database `db`, both streams into `output`; the exit
 * status. */
static int
winnow(const char *db, const char *args)
{
    const char *build = getenv("BUILD");
    char line[8192];
    size_t n;
    FILE *f;

    setenv("WINNOW_DATABASE_URL", wn_pg_conninfo(pg, db, "admin"), 1);
    snprintf(line, sizeof(line), "%s/winnow %s 2>&1 </dev/null",
        build != NULL ? build : "build", args);
    fflush(stdout);
    f = popen(line, "r");
    assert_non_null(f);
    n = fread(output, 1, sizeof(output) - 1, f);
    output[n] = '\0';
    return WEXITSTATUS(pclose(f));
}

static void
expect(const char *db, const char *args, int status, const char *says)
{
    int rc = winnow(db, args);

    if (rc != status || strstr(output, says) == NULL)
        fail_msg("winnow %s: exit %d (wanted %d, '%s'):\n%s", args, rc, status,
            says, output);
}

static const char *
write_log(const char *text)
{
    static char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/log.jsonl", wn_test_dir());
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void
migrate_twice_changes_nothing_the_second_time(void **state)
{
    wn_pg_create_db(pg, "m1");
    expect("m1", "migrate", 0, "migrate: 0001 core");
    expect("m1", "migrate", 0, "nothing to do");
}

static void
a_database_without_schema_names_the_command(void **state)
{
    wn_pg_create_db(pg, "m2");
    expect("m2", "status", 1, "winnow migrate");
}

static void
a_server_that_is_not_there_is_exit_1_and_no_password(void **state)
{
    int rc;

    rc = winnow("m1", "status --database.url='host=/nonexistent user=u "
                      "password=hunter2 dbname=x'");
    assert_int_equal(rc, 1);
    assert_null(strstr(output, "hunter2"));
}

static void
import_names_bad_lines_and_takes_the_others_once(void **state)
{
    const char *path = write_log(
        "{\"ref\":\"r1\",\"post_id\":\"p1\",\"author_id\":\"a\",\"text\":"
        "\"buy \\u001b[31mnow\",\"labels\":{\"spam\":true},\"action\":"
        "\"remove\",\"at\":\"2026-10-01T12:00:00Z\",\"staff\":\"ana\"}\n"
        "nonsense\n\n"
        "{\"ref\":\"r2\",\"post_id\":\"p2\",\"author_id\":\"a\",\"text\":\"x\","
        "\"labels\":{\"spam\":3},\"action\":\"allow\","
        "\"at\":\"2026-10-01T12:00:00Z\"}\n"
        "{\"ref\":\"r3\",\"post_id\":\"p3\",\"author_id\":\"a\",\"text\":\"x\","
        "\"labels\":{},\"action\":\"allow\",\"at\":\"yesterday\"}\n"
        "{\"ref\":\"r4\",\"post_id\":\"p4\",\"author_id\":\"a\",\"text\":"
        "\"ok\","
        "\"action\":\"allow\",\"at\":\"2026-10-01T12:00:00+02:00\"}");
    char args[600];

    wn_pg_create_db(pg, "r1");
    expect("r1", "migrate", 0, "applied");
    snprintf(args, sizeof(args), "review import %s --staff=bob", path);
    expect("r1", args, 1, "2 imported, 0 imported before, 3 bad");
    assert_non_null(strstr(output, "log.jsonl:2: "));
    assert_non_null(strstr(output, "log.jsonl:4: a label is"));
    assert_non_null(strstr(output, "log.jsonl:5: \"at\" must be"));
    expect("r1", args, 1, "0 imported, 2 imported before, 3 bad");
    assert_int_equal(
        wn_pg_number(pg, "r1", "SELECT count(*) FROM winnow.decision"), 2);
}

#define LINE(ref, more)                                                        \
    "{\"ref\":\"" ref "\",\"post_id\":\"p\",\"author_id\":\"a\","              \
    "\"action\":\"allow\",\"at\":\"2026-10-01T12:00:00Z\"," more "}\n"

/* clang-format off */
static const char odd_lines[] =
    LINE("b1", "\"text\":\"a\\u0000b\"")
    LINE("b2", "\"text\":\"a\xff" "b\"")
    LINE("b3", "\"text\":\"x\",\"reason\":[\"why\"]")
    LINE("b4", "\"text\":\"x\",\"staff\":7")
    LINE("b5", "\"text\":\"x\",\"reason\":null")
    LINE("b\xfe", "\"text\":\"x\"")
    "\x1b[31m\n";
/* clang-format on */

static void
import_repairs_a_text_and_drops_no_reason(void **state)
{
    const char *path = write_log(odd_lines);
    char args[600];

    wn_pg_create_db(pg, "r2");
    expect("r2", "migrate", 0, "applied");
    snprintf(args, sizeof(args), "review import %s --staff=bob", path);
    expect("r2", args, 1, "3 imported, 0 imported before, 4 bad");
    assert_non_null(strstr(output, "log.jsonl:3: \"reason\" must be a string"));
    assert_non_null(strstr(output, "log.jsonl:4: \"staff\" must be a string"));
    assert_non_null(strstr(output, "log.jsonl:6: \"ref\" has broken"));
    assert_non_null(strstr(output, "log.jsonl:7: "));
    assert_null(strchr(output, '\x1b'));
    assert_int_equal(wn_pg_number(pg, "r2",
                         "SELECT count(*) FROM winnow.content WHERE text = "
                         "U&'a\\FFFDb'"),
        2);
}

static void
who_decides_is_looked_at_before_anything(void **state)
{
    char args[6000];

    expect("none",
        "review decide 7 --action=allow --staff=\"$(printf "
        "'bad\\377')\"",
        2, "--staff must be 1 to 256 bytes of UTF-8");
    expect("none", "review import /nowhere --staff=\"$(printf 'bad\\377')\"", 2,
        "--staff must be");
    expect("none", "review import /nowhere --staff=", 2, "--staff must be");
    snprintf(args, sizeof(args),
        "review decide 7 --action=allow --staff=ana --reason=%04097d", 0);
    expect("none", args, 2, "--reason must be at most 4096 bytes");
}

static void
what_is_listed_cannot_steer_the_terminal(void **state)
{
    expect("r1", "review list --state=decided", 0, "2 items");
    assert_non_null(strstr(output, "buy "));
    assert_null(strchr(output, '\x1b'));
}

static void
what_a_person_decided_is_listed(void **state)
{
    expect("r1", "review list --state=decided", 0,
        "decided: remove by ana, spam=yes at 2026-10-01T12:00:00Z\n");
    expect("r1", "review list --state=decided --jsonl", 0,
        "\"decision\":{\"action\":\"remove\",\"staff\":\"ana\",\"labels\":"
        "{\"spam\":true},\"reason\":\"\",\"at\":\"2026-10-01T12:00:00");
}

static void
a_decided_item_is_not_decided_again(void **state)
{
    expect("r1", "review decide 1 --action=allow --staff=ana", 1, "decided");
    expect("r1", "review decide 999 --action=allow --staff=ana", 1, "999");
}

static void
decide_refuses_bad_usage_before_it_connects(void **state)
{
    expect("r1", "review decide 1 --action=ban --staff=ana", 2, "--action");
    expect("r1", "review decide 1 --action=allow", 2, "--staff");
    expect("r1", "review decide x --action=allow --staff=ana", 2, "number");
    expect("r1", "review decide 1 --action=allow --staff=a --label=spam", 2,
        "--label");
}

static void
status_counts_what_is_there(void **state)
{
    expect("r1", "status", 0, "Review: 0 open, 2 decided");
    expect("r1", "status --json", 0, "\"decisions\":2");
    expect("r1", "status --top=many", 2, "--top");
}

/* `run` without a database waits, so its arguments can be looked at. */
static void
a_password_in_a_flag_leaves_the_process_list(void **state)
{
    int rc;

    rc = winnow("r1",
        "run --no-progress --http.listen=off --ingest.source=jsonl "
        "--ingest.path=/dev/null "
        "--database.url='host=/nonexistent password=hunter3' & "
        "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; "
        "tr '\\0' ' ' </proc/$!/cmdline; echo; done; kill $!; wait $!");
    assert_int_equal(rc, 0);
    assert_non_null(strstr(output, "--database.url=****"));
    assert_null(strstr(strstr(output, "--database.url=****"), "hunter3"));
}

static int
begin(void **state)
{
    pg = wn_pg_start(false);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(migrate_twice_changes_nothing_the_second_time),
        cmocka_unit_test(a_database_without_schema_names_the_command),
        cmocka_unit_test(a_server_that_is_not_there_is_exit_1_and_no_password),
        cmocka_unit_test(import_names_bad_lines_and_takes_the_others_once),
        cmocka_unit_test(import_repairs_a_text_and_drops_no_reason),
        cmocka_unit_test(who_decides_is_looked_at_before_anything),
        cmocka_unit_test(what_is_listed_cannot_steer_the_terminal),
        cmocka_unit_test(what_a_person_decided_is_listed),
        cmocka_unit_test(a_decided_item_is_not_decided_again),
        cmocka_unit_test(decide_refuses_bad_usage_before_it_connects),
        cmocka_unit_test(status_counts_what_is_there),
        cmocka_unit_test(a_password_in_a_flag_leaves_the_process_list),
    };

    return wn_test_run(
        "cmd_tables", tests, sizeof(tests) / sizeof(tests[0]), begin, NULL);
}
