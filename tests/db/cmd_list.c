/* winnow list over a real PostgreSQL, and lists from it into a policy. */
#include <unistd.h>

#include "cmd/lists.h"
#include "core/hash.h"
#include "tests/lib/pg.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"

static struct wn_pg *pg;
static char output[1 << 16];

static int
winnow_as(const char *role, const char *args)
{
    setenv("WINNOW_DATABASE_URL", wn_pg_conninfo(pg, "l", role), 1);
    return wn_program_say(args, output, sizeof(output));
}

static void expect(const char *role, int status, const char *says,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
expect(const char *role, int status, const char *says, const char *fmt, ...)
{
    char args[2048];
    va_list ap;
    int rc;

    va_start(ap, fmt);
    vsnprintf(args, sizeof(args), fmt, ap);
    va_end(ap);
    rc = winnow_as(role, args);
    if (rc != status || strstr(output, says) == NULL)
        fail_msg("winnow %s as %s: exit %d (wanted %d, '%s'):\n%s", args, role,
            rc, status, says, output);
}

/* Its path is in a static. */
static const char *
write_file(const char *name, const char *text)
{
    static char path[600];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", wn_test_dir(), name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static int
set_up(void **state)
{
    struct wn_err err = { "" };

    wn_hash_setup();
    pg = wn_pg_start(false);
    wn_pg_create_db(pg, "l");
    if (wn_migrate(wn_pg_conninfo(pg, "l", "admin"), NULL, NULL, NULL, &err) !=
        WN_OK)
        fail_msg("%s", err.text);
    wn_pg_exec(pg, "l",
        "CREATE ROLE staff LOGIN IN ROLE winnow_console;"
        "CREATE ROLE worker LOGIN IN ROLE winnow_worker");
    return 0;
}

static int
tear_down(void **state)
{
    wn_pg_stop(pg);
    return 0;
}

static bool
has(struct wn_lists *ls, const char *list, const char *value)
{
    struct wn_list_set *set = wn_lists_take(ls);
    const struct wn_list *l = wn_list_set_find(set, list, strlen(list));
    bool yes = l != NULL && wn_list_has(l, value, strlen(value));

    wn_lists_give(set);
    return yes;
}

static void
a_list_is_put_and_shown_with_who_and_why(void **state)
{
    const char *path = write_file("scams.domain", "one.example\n# x\n");

    expect("staff", 2, "say --reason=TEXT", "list put %s --staff=ann", path);
    expect("staff", 2, "staff must be", "list put %s --reason=x", path);
    expect("staff", 0, "scams.domain: version 1, 1 entries, hash ",
        "list put %s --staff=ann --reason='phishing wave'", path);
    expect("staff", 0, "  ann  phishing wave", "list show");
    path = write_file("scams.domain", "one.example\ntwo words\n");
    expect("staff", 78, "scams.domain:2: 'two words' is no domain",
        "list put %s --staff=ann --reason=x", path);
    path = write_file("scams.txt", "x\n");
    expect("staff", 2, "NAME.exact, NAME.domain or NAME.cidr",
        "list put %s --staff=ann --reason=x", path);
    path = write_file("mine.exact", "x\n");
    expect("worker", 1, "permission denied",
        "list put %s --staff=ann --reason=x", path);
    assert_int_equal(
        wn_pg_number(pg, "l", "SELECT count(*) FROM winnow.list_version"), 1);
    assert_int_equal(
        wn_pg_number(pg, "l", "SELECT count(*) FROM winnow.list_part"), 1);
}

static void
a_new_version_is_read_once_and_a_wrong_one_replaces_nothing(void **state)
{
    struct wn_list_feed feed = { .conninfo =
                                     wn_pg_conninfo(pg, "l", "worker") };
    struct wn_lists *ls = NULL;
    struct wn_err err = { "" };
    bool changed = false;

    assert_wn_ok(wn_lists_open(&ls, NULL, &err), &err);
    assert_wn_ok(wn_list_feed_poll(&feed, ls, &changed, &err), &err);
    assert_true(changed && has(ls, "scams", "https://x.one.example/"));
    assert_wn_ok(wn_list_feed_poll(&feed, ls, &changed, &err), &err);
    assert_false(changed);
    expect("staff", 0, "version", "list put %s --staff=ann --reason=more",
        write_file("scams.domain", "two.example\nthree.example"));
    assert_wn_ok(wn_list_feed_poll(&feed, ls, &changed, &err), &err);
    assert_true(changed && has(ls, "scams", "two.example") &&
                has(ls, "scams", "three.example"));
    assert_false(has(ls, "scams", "one.example"));
    wn_pg_exec(pg, "l",
        "INSERT INTO winnow.list_part VALUES (90, 0, 'four.example');"
        "INSERT INTO winnow.list_version (id, name, kind, parts, entries, "
        "hash, staff_id, reason) VALUES "
        "(90, 'scams', 'domain', 1, 1, 'ffffffffffffffff', 'x', 'x')");
    assert_int_equal(wn_list_feed_poll(&feed, ls, &changed, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "list scams: version 90 has the hash"));
    assert_true(!changed && has(ls, "scams", "two.example"));
    assert_wn_ok(wn_list_feed_poll(&feed, ls, &changed, &err), &err);
    wn_list_feed_release(&feed);
    wn_lists_free(ls);
}

/* Parts end at lines, whatever the size of the file. */
static void
a_long_list_comes_back_whole(void **state)
{
    enum { N = 120000 };
    char *text = malloc(N * 24), *p = text;
    struct wn_list_feed feed = { .conninfo =
                                     wn_pg_conninfo(pg, "l", "worker") };
    struct wn_lists *ls = NULL;
    struct wn_list_set *set;
    struct wn_err err = { "" };
    bool changed;

    assert_non_null(text);
    for (int i = 0; i < N; i++)
        p += sprintf(p, "host-%d.example\n", i);
    expect("staff", 0, "long.domain: version",
        "list put %s --staff=ann --reason=long",
        write_file("long.domain", text));
    free(text);
    assert_true(wn_pg_number(pg, "l",
                    "SELECT max(parts) FROM winnow.list_version "
                    "WHERE name = 'long'") >= 2);
    assert_wn_ok(wn_lists_open(&ls, NULL, &err), &err);
    wn_list_feed_poll(&feed, ls, &changed, &err);
    set = wn_lists_take(ls);
    assert_int_equal(wn_list_entries(wn_list_set_find(set, "long", 4)), N);
    wn_lists_give(set);
    assert_true(has(ls, "long", "host-0.example") &&
                has(ls, "long", "host-119999.example"));
    wn_list_feed_release(&feed);
    wn_lists_free(ls);
}

static void
workers_judge_by_the_lists_of_the_database(void **state)
{
    static const char policy[] =
        "{\"policy\":\"t\",\"version\":\"1\",\"rules\":[{\"id\":\"bad\","
        "\"action\":\"remove\",\"category\":\"c\",\"reason\":\"r\",\"when\":"
        "\"in_list('handles', author.handle)\"}]}";
    static const char posts[] =
        "{\"type\":\"post.created\",\"post\":{\"id\":\"p1\",\"text\":\"hello "
        "there\",\"author\":{\"id\":\"a\",\"handle\":\"mallory\"}}}\n"
        "{\"type\":\"post.created\",\"post\":{\"id\":\"p2\",\"text\":\"hello "
        "again\",\"author\":{\"id\":\"b\",\"handle\":\"bob\"}}}\n";
    char policy_path[600], posts_path[600];

    snprintf(policy_path, sizeof(policy_path), "%s",
        write_file("policy.json", policy));
    snprintf(
        posts_path, sizeof(posts_path), "%s", write_file("posts.jsonl", posts));
    /* the list that is wrong stands from an earlier case */
    wn_pg_exec(pg, "l",
        "ALTER TABLE winnow.list_version DISABLE TRIGGER USER;"
        "DELETE FROM winnow.list_version WHERE id = 90;"
        "ALTER TABLE winnow.list_version ENABLE TRIGGER USER");
    expect("worker", 78, "rule 'bad' asks for the list 'handles'",
        "run --no-progress --ingest.source=jsonl --ingest.path=%s "
        "--policy.file=%s --policy.lists=database --http.listen=off",
        posts_path, policy_path);
    expect("staff", 0, "handles.exact: version",
        "list put %s --staff=ann --reason=x",
        write_file("handles.exact", "mallory\n"));
    expect("worker", 0, "lists.live",
        "run --no-progress --ingest.source=jsonl --ingest.path=%s "
        "--policy.file=%s --policy.lists=database --http.listen=off",
        posts_path, policy_path);
    assert_int_equal(wn_pg_number(pg, "l",
                         "SELECT action FROM winnow.verdict "
                         "WHERE post_id = 'p1'"),
        4);
    assert_int_equal(wn_pg_number(pg, "l",
                         "SELECT action FROM winnow.verdict "
                         "WHERE post_id = 'p2'"),
        0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_list_is_put_and_shown_with_who_and_why),
    cmocka_unit_test(
        a_new_version_is_read_once_and_a_wrong_one_replaces_nothing),
    cmocka_unit_test(a_long_list_comes_back_whole),
    cmocka_unit_test(workers_judge_by_the_lists_of_the_database),
};

int
main(void)
{
    return wn_test_run(
        "cmd_list", tests, sizeof(tests) / sizeof(tests[0]), set_up, tear_down);
}
