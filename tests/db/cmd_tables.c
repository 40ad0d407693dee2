/* migrate, review and status of the real binary over a real PostgreSQL. */
#include <unistd.h>

#include <libpq-fe.h>

#include "core/item.h"
#include "tests/lib/pg.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"

static struct wn_pg *pg;
static char output[1 << 16];

/* Runs `winnow ARGS` as `role` with database `db`, both streams into `output`;
 * the exit status. */
static int
winnow_as(const char *role, const char *db, const char *args)
{
    setenv("WINNOW_DATABASE_URL", wn_pg_conninfo(pg, db, role), 1);
    return wn_program_say(args, output, sizeof(output));
}

static int
winnow(const char *db, const char *args)
{
    return winnow_as("admin", db, args);
}

static void
expect_as(const char *role, const char *db, const char *args, int status,
    const char *says)
{
    int rc = winnow_as(role, db, args);

    if (rc != status || strstr(output, says) == NULL)
        fail_msg("winnow %s as %s: exit %d (wanted %d, '%s'):\n%s", args, role,
            rc, status, says, output);
}

static void
expect(const char *db, const char *args, int status, const char *says)
{
    expect_as("admin", db, args, status, says);
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

/* --- the table of roles in deploy/README.md --- */

/* One post and one line that is none, judged as a worker. */
#define POST                                                                   \
    "{\"post\":{\"id\":\"p1\",\"text\":\"a secret word\",\"author\":{\"id\":"  \
    "\"a\"}}}\n{\"id\":\"x\",\"text\":\"y\"}\n"

/* What a role of that group may do, as the page says it. */
static const struct {
    const char *row, *role, *args, *says;
} may[] = {
    { "| `winnow migrate` | the owner |", "t_owner", "migrate", "0001 core" },
    { "| `winnow run` | `winnow_worker` |", "t_worker",
        "run --no-progress --http.listen=off --ingest.source=jsonl "
        "--ingest.path=%s",
        "1 of 2 records became dead letters" },
    { "| `winnow review`, `winnow status`, `winnow train --from-reviews` | "
      "`winnow_console` |",
        "t_console", "review list --state=open", "" },
    { "| `winnow review`, `winnow status`, `winnow train --from-reviews` | "
      "`winnow_console` |",
        "t_console", "status", "a secret word" },
    { "| reading verdicts and audit trail, `winnow status` | `winnow_auditor` "
      "|",
        "t_auditor", "status", "may not read what posts say" },
    { "| `winnow model activate`, `rollback` | `winnow_console` |", "t_console",
        "model activate model/weights/winnow --wait 0 --staff ana --reason "
        "test",
        "activation 1: winnow-" },
    { "| `winnow model activate`, `rollback` | `winnow_console` |", "t_console",
        "model rollback --wait 0 --staff ana --reason test", "activation 2: " },
    { "| `winnow model history`, `shadow` | `winnow_auditor` |", "t_auditor",
        "model history", "by ana: test" },
    { "| `winnow model history`, `shadow` | `winnow_auditor` |", "t_auditor",
        "model shadow", "No second model" },
};

static size_t
rows_of_the_page(void)
{
    char line[512];
    FILE *f = fopen("deploy/README.md", "r");
    bool seen[sizeof(may) / sizeof(may[0])] = { false }, inside = false;
    size_t rows = 0, i;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        const char *row = line + strspn(line, " ");

        if (strncmp(row, "| Command | Role |", 18) == 0)
            inside = true;
        else if (inside && row[0] != '|')
            inside = false;
        if (!inside || strstr(row, "winnow") == NULL)
            continue;
        rows++;
        for (i = 0; i < sizeof(may) / sizeof(may[0]); i++)
            seen[i] |= strncmp(row, may[i].row, strlen(may[i].row)) == 0;
    }
    fclose(f);
    for (i = 0; i < sizeof(may) / sizeof(may[0]); i++)
        if (!seen[i])
            fail_msg("deploy/README.md has no row '%s'", may[i].row);
    return rows;
}

/* SQL as a role; its SQLSTATE, "00000" when it may. */
static void
expect_sql(const char *role, const char *db, const char *sql, const char *state)
{
    PGconn *conn = PQconnectdb(wn_pg_conninfo(pg, db, role));
    PGresult *res = PQexec(conn, sql);
    const char *got = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    if (got == NULL)
        got = PQresultStatus(res) == PGRES_TUPLES_OK ? "00000" : "no answer";
    if (strcmp(got, state) != 0)
        fail_msg("%s as %s: %s", sql, role, got);
    PQclear(res);
    PQfinish(conn);
}

static void
every_row_of_the_page_of_roles_holds(void **state)
{
    char args[1024];
    size_t i;

    assert_int_equal(rows_of_the_page(), 6);
    wn_pg_create_db(pg, "roles");
    wn_pg_exec(pg, "roles",
        "CREATE ROLE t_owner LOGIN CREATEROLE; ALTER DATABASE roles OWNER TO "
        "t_owner; CREATE ROLE t_worker LOGIN IN ROLE winnow_worker; CREATE "
        "ROLE t_console LOGIN IN ROLE winnow_console; CREATE ROLE t_auditor "
        "LOGIN IN ROLE winnow_auditor; CREATE ROLE t_nobody LOGIN");
    for (i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
        /* the only % of any of them */
        const char *at = strstr(may[i].args, "%s");

        snprintf(args, sizeof(args), "%.*s%s",
            at != NULL ? (int)(at - may[i].args) : (int)strlen(may[i].args),
            may[i].args, at != NULL ? write_log(POST) : "");
        expect_as(may[i].role, "roles", args, 0, may[i].says);
    }
    expect_as("t_auditor", "roles", "status", 0, "id: no \"post\" member");
    assert_null(strstr(output, "secret"));
    expect_sql("t_auditor", "roles",
        "SELECT outcome, action, flags, model, policy, reasons FROM "
        "winnow.verdict_readable, winnow.audit",
        "00000");
    expect_sql("t_console", "roles", "TABLE winnow.verdict_readable", "00000");
    expect_sql("t_auditor", "roles", "TABLE winnow.content", "42501");
    expect_sql(
        "t_auditor", "roles", "SELECT raw FROM winnow.dead_letter", "42501");
    expect_sql(
        "t_auditor", "roles", "SELECT value FROM winnow.outbox", "42501");
    assert_int_equal(wn_pg_number(pg, "roles",
                         "SELECT count(*) FROM winnow.verdict_readable WHERE "
                         "(post_id = 'p1' AND outcome IN ('scored', "
                         "'degraded') AND action IS NOT NULL AND model IS NOT "
                         "NULL AND policy LIKE 'default%') OR (outcome = "
                         "'dead' AND action IS NULL AND flags = '{}')"),
        2);
}

static void
who_may_not_is_told_which_role_may(void **state)
{
    expect_as("t_nobody", "roles", "status", 1,
        "role t_nobody may not do this; it needs winnow_worker");
    assert_non_null(strstr(output, "deploy/README.md"));
    expect_as("t_auditor", "roles",
        "review decide 1 --action=allow --staff=ana", 1,
        "role t_auditor may not do this");
    assert_null(strstr(output, "again"));
}

/* A stream of them is a line a minute in the log, and one at the end. */
static void
dead_letters_are_told_but_not_one_by_one(void **state)
{
    char args[1024];
    const char *at;
    int lines = 0;

    snprintf(args, sizeof(args),
        "run --no-progress --http.listen=off --ingest.source=jsonl "
        "--ingest.path=%s --ingest.from-start=true --store.batch-rows=1",
        write_log("{\"id\":\"a\"}\n{\"post\":{\"id\":3}}\nno\n"));
    expect_as("t_worker", "roles", args, 0,
        "\n3 of 3 records became dead letters; the first: the line at byte 0: "
        "id: no \"post\" member: {");
    for (at = output; (at = strstr(at, "ingest.dead_letters ")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 1);
    expect_as("t_console", "roles", "status", 0, "write it as a string, \"3\"");
    expect_as("t_console", "roles", "status --json", 0,
        "\"dead\":[{\"class\":\"id\",\"count\":2,\"newest\":{\"cause\":\"id: ");
}

static void
status_passes_over_empty_runs_over_standard_input(void **state)
{
    expect_as("t_worker", "roles",
        "run --no-progress --http.listen=off --ingest.source=jsonl "
        "--ingest.path=-",
        0, "");
    assert_null(strstr(output, "dead letters"));
    assert_int_equal(wn_pg_number(pg, "roles",
                         "SELECT count(*) FROM winnow.source_cursor WHERE "
                         "topic = '-' AND chain_seq = 0"),
        1);
    expect_as("t_console", "roles", "status", 0, "Sources");
    assert_null(strstr(output, " -/0"));
}

/* Names of the view are those of the code. */
static void
a_view_names_what_the_code_names(void **state)
{
    char sql[512];
    int i;

    for (i = 1; i < WN_OUTCOMES + WN_ACTIONS; i++) {
        const bool outcome = i < WN_OUTCOMES;
        const int code = outcome ? i : i - WN_OUTCOMES;

        snprintf(sql, sizeof(sql),
            "UPDATE winnow.verdict SET %s = %d, flags = 15 WHERE post_id = "
            "'p1'",
            outcome ? "outcome" : "action", code);
        wn_pg_exec(pg, "roles", sql);
        snprintf(sql, sizeof(sql),
            "SELECT count(*) FROM winnow.verdict_readable WHERE %s = '%s' AND "
            "flags = '{%s,%s,%s,%s}'",
            outcome ? "outcome" : "action",
            outcome ? wn_outcome_names[code] : wn_action_names[code],
            wn_head_names[0], wn_head_names[1], wn_head_names[2],
            wn_head_names[3]);
        assert_int_equal(wn_pg_number(pg, "roles", sql), 1);
    }
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
        cmocka_unit_test(every_row_of_the_page_of_roles_holds),
        cmocka_unit_test(who_may_not_is_told_which_role_may),
        cmocka_unit_test(dead_letters_are_told_but_not_one_by_one),
        cmocka_unit_test(status_passes_over_empty_runs_over_standard_input),
        cmocka_unit_test(a_view_names_what_the_code_names),
        cmocka_unit_test(a_password_in_a_flag_leaves_the_process_list),
    };

    return wn_test_run(
        "cmd_tables", tests, sizeof(tests) / sizeof(tests[0]), begin, NULL);
}
