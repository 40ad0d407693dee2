/* The JSON Lines source on real files, without a store: what is read, in what
 * order, and through rotation. Its cursor is tested in tests/db. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/source.h"

#include "tests/lib/test.h"

static atomic_bool stop;
static int files_made;

struct rig {
    struct wn_options *options;
    struct wn_source *source;
    int assigned, revoked;
    char path[512];
};

static void
on_assigned(void *arg, const struct wn_claim *claim, uint64_t generation)
{
    struct rig *r = arg;

    assert_int_not_equal(claim->source, 0);
    assert_int_not_equal(generation, 0);
    r->assigned++;
}

static void
on_revoked(void *arg, int32_t source, uint64_t generation, bool lost)
{
    ((struct rig *)arg)->revoked++;
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
begin(struct rig *r, const char *suffix)
{
    memset(r, 0, sizeof(*r));
    snprintf(r->path, sizeof(r->path), "%s/%d%s", wn_test_dir(), ++files_made,
        suffix);
    r->options = wn_options_new();
    assert_non_null(r->options);
}

static void
set(struct rig *r, const char *name, const char *value)
{
    struct wn_err err;

    assert_wn_ok(wn_options_set(r->options, name, value, "test", &err), &err);
}

static enum wn_status
try_open(struct rig *r, struct wn_err *err)
{
    struct wn_source_conf conf = { .options = r->options,
        .events = { r, on_assigned, on_revoked },
        .stop = &stop };

    set(r, "ingest.path", r->path);
    return wn_source_jsonl_open(&r->source, &conf, err);
}

static void
open_source(struct rig *r)
{
    struct wn_err err;

    assert_wn_ok(try_open(r, &err), &err);
}

static void
end(struct rig *r)
{
    if (r->source != NULL)
        r->source->ops->close(r->source);
    assert_int_equal(r->assigned, r->revoked);
    wn_options_free(r->options);
}

/* The next record, waited for at most 3 s; NULL where the source drained. */
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

static void
expect(struct rig *r, const char *raw, int64_t offset, int64_t after)
{
    struct wn_item *item = next(r);

    if (raw == NULL) {
        assert_null(item);
        return;
    }
    assert_non_null(item);
    assert_int_equal(item->rec.raw.len, strlen(raw));
    assert_memory_equal(item->rec.raw.p, raw, strlen(raw));
    assert_int_equal(item->rec.offset, offset);
    assert_int_equal(item->rec.next, after);
    assert_int_equal(item->rec.time_us, WN_TIME_UNKNOWN);
    assert_true(item->rec.fallback_us > 0);
    wn_item_free(item);
}

static void
expect_nothing(struct rig *r)
{
    struct wn_item *item = NULL;
    struct wn_err err;

    assert_wn_ok(r->source->ops->poll(r->source, 300, &item, &err), &err);
    assert_null(item);
}

static void
jsonl_reads_a_file_line_by_line(void **state)
{
    struct rig r;

    begin(&r, ".jsonl");
    put(r.path, "one\n\n  \r\ntwo\r\nthree", "w");
    open_source(&r);
    assert_int_not_equal(r.source->ops->lag(r.source), 0);
    expect(&r, "one", 0, 4);
    expect(&r, "two\r", 9, 14);
    expect(&r, "three", 14, 19); /* no newline, and its end */
    expect(&r, NULL, 0, 0);
    assert_true(r.source->ops->drained(r.source));
    r.source->ops->committed(r.source, 1, 19);
    assert_int_equal(r.source->ops->lag(r.source), 0);
    end(&r);
    assert_int_equal(r.assigned, 1);
}

static void
jsonl_reads_an_empty_file_to_its_end(void **state)
{
    struct rig r;

    begin(&r, ".jsonl");
    put(r.path, "", "w");
    open_source(&r);
    expect(&r, NULL, 0, 0);
    assert_int_equal(r.source->ops->lag(r.source), 0);
    end(&r);
    assert_int_equal(r.assigned, 0);
}

static void
jsonl_refuses_what_is_not_there(void **state)
{
    struct rig r;
    struct wn_err err;

    begin(&r, ".jsonl");
    assert_int_equal(try_open(&r, &err), WN_REJECT);
    assert_non_null(strstr(err.text, r.path));
    assert_int_equal(mkdir(r.path, 0700), 0);
    assert_int_equal(try_open(&r, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "no *.jsonl"));
    end(&r);
}

static void
jsonl_reads_a_folder_by_name(void **state)
{
    static const char *const names[] = { "b.jsonl", "a.jsonl", "c.txt",
        ".d.jsonl", "e.jsonl" };
    struct rig r;
    char path[600];

    begin(&r, "");
    assert_int_equal(mkdir(r.path, 0700), 0);
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "%s/%s", r.path, names[i]);
        put(path, names[i], "w");
    }
    open_source(&r);
    expect(&r, "a.jsonl", 0, 7);
    expect(&r, "b.jsonl", 0, 7);
    expect(&r, "e.jsonl", 0, 7);
    expect(&r, NULL, 0, 0);
    end(&r);
    assert_int_equal(r.assigned, 3);
}

static void
jsonl_keeps_a_piece_of_a_line_that_is_too_long(void **state)
{
    struct rig r;
    struct wn_item *item;
    char *text = malloc(1000001);

    memset(text, 'x', 1000000);
    text[1000000] = '\0';
    begin(&r, ".jsonl");
    put(r.path, text, "w");
    put(r.path, "\nafter\n", "a");
    free(text);
    set(&r, "ingest.post_bytes_max", "2k");
    open_source(&r);
    item = next(&r);
    assert_non_null(item);
    assert_int_equal(item->rec.raw.len, 2049);
    assert_int_equal(item->rec.next, 1000001);
    wn_item_free(item);
    expect(&r, "after", 1000001, 1000007);
    expect(&r, NULL, 0, 0);
    end(&r);
}

static void
jsonl_gives_nothing_while_paused(void **state)
{
    struct rig r;

    begin(&r, ".jsonl");
    put(r.path, "one\n", "w");
    open_source(&r);
    r.source->ops->pause(r.source, true);
    expect_nothing(&r);
    r.source->ops->pause(r.source, false);
    expect(&r, "one", 0, 4);
    end(&r);
}

static void
jsonl_follow_waits_for_the_newline(void **state)
{
    struct rig r;

    begin(&r, ".jsonl");
    set(&r, "ingest.follow", "true");
    open_source(&r); /* the file is yet to come */
    expect_nothing(&r);
    put(r.path, "on", "w");
    expect_nothing(&r);
    put(r.path, "e\ntwo", "a");
    expect(&r, "one", 0, 4);
    expect_nothing(&r);
    put(r.path, "\n", "a");
    expect(&r, "two", 4, 8);
    assert_false(r.source->ops->drained(r.source));
    end(&r);
}

static void
jsonl_follow_survives_rotation(void **state)
{
    struct rig r;
    char old[600];

    begin(&r, ".jsonl");
    snprintf(old, sizeof(old), "%s.1", r.path);
    put(r.path, "one\n", "w");
    set(&r, "ingest.follow", "true");
    open_source(&r);
    expect(&r, "one", 0, 4);
    assert_int_equal(rename(r.path, old), 0);
    put(old, "two\nlast", "a");
    put(r.path, "three\n", "w");
    expect(&r, "two", 4, 8);
    expect(&r, "last", 8, 12);
    expect(&r, "three", 0, 6);
    end(&r);
    assert_int_equal(r.assigned, 2);
}

/* One more than the 4,096 that may be: files that went make room for it. */
static void
jsonl_follow_forgets_a_file_that_is_gone_for_a_new_one(void **state)
{
    struct rig r;
    struct wn_item *item = NULL;
    struct wn_err err;
    char path[600];
    enum wn_status rc = WN_OK;

    begin(&r, "");
    assert_int_equal(mkdir(r.path, 0700), 0);
    for (int i = 0; i < 4096; i++) {
        snprintf(path, sizeof(path), "%s/%04d.jsonl", r.path, i);
        put(path, "", "w");
    }
    set(&r, "ingest.follow", "true");
    open_source(&r);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s/new.jsonl", r.path);
    put(path, "new\n", "w");
    expect(&r, "new", 0, 4);
    snprintf(path, sizeof(path), "%s/more.jsonl", r.path);
    put(path, "more\n", "w");
    for (int i = 0; rc == WN_OK && i < 300; i++)
        rc = r.source->ops->poll(r.source, 10, &item, &err);
    assert_int_equal(rc, WN_STOP);
    assert_non_null(strstr(err.text, r.path));
    assert_non_null(strstr(err.text, "over 4096"));
    end(&r);
}

static void
jsonl_follow_survives_truncation(void **state)
{
    struct rig r;

    begin(&r, ".jsonl");
    put(r.path, "the first file\n", "w");
    set(&r, "ingest.follow", "true");
    open_source(&r);
    expect(&r, "the first file", 0, 15);
    put(r.path, "two\n", "w");
    expect(&r, "two", 0, 4);
    end(&r);
}

static void
jsonl_follow_finds_new_files_of_a_folder(void **state)
{
    struct rig r;
    char path[600];

    begin(&r, "");
    assert_int_equal(mkdir(r.path, 0700), 0);
    set(&r, "ingest.follow", "true");
    open_source(&r);
    assert_int_equal(r.source->ops->lag(r.source), 0);
    expect_nothing(&r);
    snprintf(path, sizeof(path), "%s/x.jsonl", r.path);
    put(path, "one\n", "w");
    expect(&r, "one", 0, 4);
    end(&r);
}

static void
jsonl_reads_standard_input(void **state)
{
    struct rig r;
    int fds[2], was = dup(STDIN_FILENO);

    assert_int_equal(pipe(fds), 0);
    assert_true(dup2(fds[0], STDIN_FILENO) >= 0);
    begin(&r, "");
    snprintf(r.path, sizeof(r.path), "-");
    open_source(&r);
    expect_nothing(&r);
    assert_int_equal(r.source->ops->lag(r.source), -1);
    assert_int_equal(write(fds[1], "one\ntwo", 7), 7);
    expect(&r, "one", 0, 4);
    close(fds[1]);
    expect(&r, "two", 4, 7);
    expect(&r, NULL, 0, 0);
    end(&r);
    close(fds[0]);
    assert_true(dup2(was, STDIN_FILENO) >= 0);
    close(was);
}

static void
jsonl_a_fenced_file_stops_the_source(void **state)
{
    struct rig r;
    struct wn_item *item;
    struct wn_err err;

    begin(&r, ".jsonl");
    put(r.path, "one\ntwo\n", "w");
    open_source(&r);
    expect(&r, "one", 0, 4);
    r.source->ops->fenced(r.source, 1);
    assert_int_equal(r.source->ops->poll(r.source, 0, &item, &err), WN_STOP);
    assert_non_null(strstr(err.text, "another process"));
    r.revoked++; /* ingest let go of it by itself */
    end(&r);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(jsonl_reads_a_file_line_by_line),
    cmocka_unit_test(jsonl_reads_an_empty_file_to_its_end),
    cmocka_unit_test(jsonl_refuses_what_is_not_there),
    cmocka_unit_test(jsonl_reads_a_folder_by_name),
    cmocka_unit_test(jsonl_keeps_a_piece_of_a_line_that_is_too_long),
    cmocka_unit_test(jsonl_gives_nothing_while_paused),
    cmocka_unit_test(jsonl_follow_waits_for_the_newline),
    cmocka_unit_test(jsonl_follow_survives_rotation),
    cmocka_unit_test(jsonl_follow_forgets_a_file_that_is_gone_for_a_new_one),
    cmocka_unit_test(jsonl_follow_survives_truncation),
    cmocka_unit_test(jsonl_follow_finds_new_files_of_a_folder),
    cmocka_unit_test(jsonl_reads_standard_input),
    cmocka_unit_test(jsonl_a_fenced_file_stops_the_source),
};

WN_TEST_MAIN("ingest_jsonl", tests)
