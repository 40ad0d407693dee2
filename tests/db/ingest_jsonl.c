/* The JSON Lines source and its cursor in a real PostgreSQL: what a second run
 * reads, and which files it refuses. */
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/parse.h"
#include "ingest/source.h"

#include "tests/db/storage_kit.h"

static atomic_bool stop;

struct rig {
    struct kit kit;
    struct wn_store *claims, *writes; /* of the poll and writer threads */
    struct wn_options *options;
    struct wn_source *source;
    struct wn_claim claim; /* the last one */
    int assigned, revoked;
    char path[512];
};

static void
on_assigned(void *arg, const struct wn_claim *claim, uint64_t generation)
{
    struct rig *r = arg;

    r->claim = *claim;
    r->assigned++;
}

static void
on_revoked(void *arg, int32_t source, uint64_t generation, bool lost)
{
    struct rig *r = arg;

    assert_false(lost);
    r->revoked++;
}

static void
put(const char *path, const char *text, const char *mode)
{
    FILE *f = fopen(path, mode);

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void
begin(struct rig *r)
{
    static int n;

    memset(r, 0, sizeof(*r));
    kit_open(&r->kit);
    r->claims = kit_store(&r->kit, r->kit.worker, "w1");
    r->writes = kit_store(&r->kit, r->kit.worker, "w1");
    snprintf(r->path, sizeof(r->path), "%s/%d.jsonl", wn_test_dir(), ++n);
}

static void
open_source(struct rig *r, bool follow, bool from_start)
{
    struct wn_source_conf conf = { .store = r->claims,
        .events = { r, on_assigned, on_revoked },
        .stop = &stop };
    struct wn_err err;

    r->options = wn_options_new();
    assert_wn_ok(
        wn_options_set(r->options, "ingest.path", r->path, "t", &err), &err);
    assert_wn_ok(wn_options_set(r->options, "ingest.follow",
                     follow ? "true" : "false", "t", &err),
        &err);
    assert_wn_ok(wn_options_set(r->options, "ingest.from_start",
                     from_start ? "true" : "false", "t", &err),
        &err);
    conf.options = r->options;
    assert_wn_ok(wn_source_jsonl_open(&r->source, &conf, &err), &err);
}

static void
close_source(struct rig *r)
{
    r->source->ops->close(r->source);
    assert_int_equal(r->assigned, r->revoked);
    wn_options_free(r->options);
    r->source = NULL;
}

static struct wn_item *
next(struct rig *r)
{
    struct wn_item *item = NULL;
    struct wn_err err;

    for (int i = 0; i < 300; i++) {
        assert_wn_ok(r->source->ops->poll(r->source, 10, &item, &err), &err);
        if (item != NULL || r->source->ops->drained(r->source))
            return item;
    }
    fail_msg("no record within 3 s");
    return NULL;
}

/* Reads one record, which is no JSON, and commits it as a dead letter. */
static void
commit(struct rig *r, const char *raw)
{
    struct wn_item *item = next(r);
    struct wn_err err;

    if (raw == NULL) {
        assert_null(item);
        return;
    }
    assert_non_null(item);
    assert_int_equal(item->rec.raw.len, strlen(raw));
    assert_memory_equal(item->rec.raw.p, raw, strlen(raw));
    assert_int_equal(item->rec.source, r->claim.source);
    wn_parse(item, WN_FORMAT_AUTO, 1u << 20);
    assert_int_equal(item->outcome, WN_DEAD);
    assert_wn_ok(
        wn_store_commit(r->writes, &r->claim, &item, 1, item->rec.next, &err),
        &err);
    r->source->ops->committed(r->source, item->rec.source, item->rec.next);
    wn_item_free(item);
}

static void
refused(struct rig *r, const char *why)
{
    struct wn_item *item = NULL;
    struct wn_err err;

    open_source(r, false, false);
    assert_int_equal(
        r->source->ops->poll(r->source, 1000, &item, &err), WN_STOP);
    assert_null(item);
    assert_non_null(strstr(err.text, why));
    assert_non_null(strstr(err.text, "--ingest.from-start"));
    assert_non_null(strstr(err.text, r->path));
    close_source(r);
}

static long long
files_known(struct rig *r)
{
    return wn_pg_number(r->kit.pg, r->kit.db,
        "SELECT count(*) FROM winnow.source_cursor WHERE kind = 'file'");
}

static void
jsonl_a_second_run_goes_on_where_the_first_ended(void **state)
{
    struct rig r;

    begin(&r);
    put(r.path, "one\ntwo\n", "w");
    open_source(&r, false, false);
    commit(&r, "one");
    wn_item_free(next(&r)); /* two is read and not committed */
    close_source(&r);

    open_source(&r, false, false);
    commit(&r, "two");
    commit(&r, NULL);
    close_source(&r);

    put(r.path, "three\n", "a");
    open_source(&r, false, false);
    commit(&r, "three");
    commit(&r, NULL);
    close_source(&r);

    open_source(&r, false, false);
    commit(&r, NULL);
    assert_int_equal(r.source->ops->lag(r.source), 0);
    close_source(&r);
    assert_int_equal(files_known(&r), 1);
    kit_close(&r.kit);
}

static void
jsonl_a_clean_close_is_not_a_crash(void **state)
{
    struct rig r;

    begin(&r);
    put(r.path, "one\ntwo\n", "w");
    open_source(&r, false, false);
    commit(&r, "one");
    close_source(&r);
    open_source(&r, false, false);
    commit(&r, "two");
    assert_false(r.claim.unclean);
    close_source(&r);
    kit_close(&r.kit);
}

/* From one line to well over 4 KiB: the row stays, its ident grows. */
static void
jsonl_a_growing_file_stays_the_same(void **state)
{
    struct rig r;
    char line[2000];

    begin(&r);
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 2] = '\n';
    line[sizeof(line) - 1] = '\0';
    put(r.path, "one\n", "w");
    open_source(&r, true, false);
    commit(&r, "one");
    for (int i = 0; i < 4; i++)
        put(r.path, line, "a");
    line[sizeof(line) - 2] = '\0';
    for (int i = 0; i < 4; i++)
        commit(&r, line);
    close_source(&r);
    assert_int_equal(wn_pg_number(r.kit.pg, r.kit.db,
                         "SELECT count(*) FROM winnow.source_cursor WHERE "
                         "ident LIKE '4096:%'"),
        1);
    put(r.path, "last\n", "a");
    open_source(&r, false, false);
    commit(&r, "last");
    close_source(&r);
    assert_int_equal(files_known(&r), 1);
    kit_close(&r.kit);
}

static void
jsonl_refuses_another_file_and_a_shorter_one(void **state)
{
    struct rig r;

    begin(&r);
    put(r.path, "one\ntwo\n", "w");
    open_source(&r, false, false);
    commit(&r, "one");
    commit(&r, "two");
    commit(&r, NULL);
    close_source(&r);

    put(r.path, "another\n", "w");
    refused(&r, "another file");
    put(r.path, "one\n", "w");
    refused(&r, "another file"); /* shorter than the head itself */

    open_source(&r, false, true);
    commit(&r, "one");
    commit(&r, NULL);
    close_source(&r);
    assert_int_equal(files_known(&r), 2);

    put(r.path, "more\n", "a"); /* and it is the path's file from here on */
    open_source(&r, false, false);
    commit(&r, "more");
    close_source(&r);
    kit_close(&r.kit);
}

/* Cut to its first 4 KiB, a file looks the same and is not. */
static void
jsonl_a_file_cut_short_is_begun_again_only_when_told(void **state)
{
    struct rig r;
    char line[4097];

    begin(&r);
    memset(line, 'x', 4096);
    line[4095] = '\n';
    line[4096] = '\0';
    put(r.path, line, "w");
    put(r.path, "two\n", "a");
    line[4095] = '\0';
    open_source(&r, false, false);
    commit(&r, line);
    commit(&r, "two");
    close_source(&r);

    assert_int_equal(truncate(r.path, 4096), 0);
    refused(&r, "shorter");
    open_source(&r, false, true);
    commit(&r, line);
    commit(&r, NULL);
    close_source(&r);
    open_source(&r, false, false);
    commit(&r, NULL);
    close_source(&r);
    assert_int_equal(files_known(&r), 2);
    kit_close(&r.kit);
}

/* The new file is claimed once the last record of the old one is committed. */
static void
jsonl_rotation_makes_a_new_source(void **state)
{
    struct rig r;
    char old[600];
    struct wn_item *item;
    struct wn_err err;
    int32_t first;

    begin(&r);
    snprintf(old, sizeof(old), "%s.1", r.path);
    put(r.path, "one\n", "w");
    open_source(&r, true, false);
    commit(&r, "one");
    first = r.claim.source;
    assert_int_equal(rename(r.path, old), 0);
    put(old, "two\n", "a");
    put(r.path, "three\n", "w");
    item = next(&r);
    assert_non_null(item);
    assert_int_equal(item->rec.offset, 4);
    for (int i = 0; i < 8; i++) {
        struct wn_item *early = NULL;

        assert_wn_ok(r.source->ops->poll(r.source, 100, &early, &err), &err);
        assert_null(early);
    }
    wn_parse(item, WN_FORMAT_AUTO, 1u << 20);
    assert_wn_ok(wn_store_commit(r.writes, &r.claim, &item, 1, 8, &err), &err);
    r.source->ops->committed(r.source, first, 8);
    wn_item_free(item);
    commit(&r, "three");
    assert_int_not_equal(r.claim.source, first);
    close_source(&r);
    assert_int_equal(r.assigned, 2);

    open_source(&r, false, false);
    commit(&r, NULL);
    close_source(&r);
    kit_close(&r.kit);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(jsonl_a_second_run_goes_on_where_the_first_ended),
    cmocka_unit_test(jsonl_a_clean_close_is_not_a_crash),
    cmocka_unit_test(jsonl_a_growing_file_stays_the_same),
    cmocka_unit_test(jsonl_refuses_another_file_and_a_shorter_one),
    cmocka_unit_test(jsonl_a_file_cut_short_is_begun_again_only_when_told),
    cmocka_unit_test(jsonl_rotation_makes_a_new_source),
};

WN_TEST_MAIN("ingest_jsonl_db", tests)
