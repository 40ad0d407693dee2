/*
 * winnow train --from-reviews with the real binary over a real PostgreSQL: a
 * planted campaign is learnt from decisions, texts that nobody decided on are
 * found, honest look-alikes are not, and all else stays as it was. The weights
 * are small ones on the golden BERT, trained here on the shipped posts.
 */
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/lib/campaign.h"
#include "tests/lib/pg.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"

#define DECISIONS 400

static struct wn_pg *pg;
static const char *dir;
static char output[1 << 16];

/* --- running it --- */

/* Runs `winnow ARGS` with database `db`, both streams into `output`; the exit
 * status. $D in args is the test's folder. */
static int
winnow(const char *db, const char *args)
{
    setenv("D", dir, 1);
    setenv("WINNOW_DATABASE_URL", wn_pg_conninfo(pg, db, "admin"), 1);
    return wn_program_say(args, output, sizeof(output));
}

/* The end of the output: a message has no room for more. */
static const char *
tail(void)
{
    size_t len = strlen(output);

    return output + (len > 700 ? len - 700 : 0);
}

static void
says(const char *what)
{
    if (strstr(output, what) == NULL)
        fail_msg("no '%s' in:\n%s", what, tail());
}

static void
expect(const char *db, const char *args, int status, const char *what)
{
    int rc = winnow(db, args);

    if (rc != status)
        fail_msg("winnow %s: exit %d, not %d:\n%s", args, rc, status, tail());
    says(what);
}

static const char *
path_of(const char *name)
{
    static char path[4][4200];
    static int next;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof(path[0]), "%s/%s", dir, name);
    return path[next];
}

/* A fresh database with those decisions. */
static void
database(const char *db, const char *decisions)
{
    char args[4400];

    wn_pg_create_db(pg, db);
    expect(db, "migrate", 0, "migrate");
    snprintf(
        args, sizeof(args), "review import --staff=ana %s", path_of(decisions));
    expect(db, args, 0, "imported");
}

/* What the weights find of the campaign's fresh texts, and how many of the
 * honest ones they take for it. */
static void
ask_fresh(const char *weights, double *ret_found, double *ret_wrong)
{
    char args[9000];
    const json_t *at;
    json_t *root;

    snprintf(args, sizeof(args), "eval %s --weights %s --json %s",
        path_of("fresh"), path_of(weights), path_of("eval.json"));
    expect("none", args, 0, "");
    root = json_load_file(path_of("eval.json"), 0, NULL);
    at = json_object_get(json_object_get(root, "heads"), "scam");
    at = json_array_get(json_object_get(json_object_get(at, "all"), "at"), 0);
    assert_true(json_is_real(json_object_get(at, "recall")));
    *ret_found = json_number_value(json_object_get(at, "recall"));
    *ret_wrong = json_number_value(json_object_get(at, "fpr"));
    json_decref(root);
}

static void
assert_learnt(const char *before, const char *after)
{
    double found[2], wrong[2];

    ask_fresh(before, &found[0], &wrong[0]);
    ask_fresh(after, &found[1], &wrong[1]);
    printf("# %s: %.3f of the campaign found, was %.3f; of honest texts %.3f, "
           "was %.3f\n",
        after, found[1], found[0], wrong[1], wrong[0]);
    assert_true(found[0] < 0.3);
    assert_true(found[1] > 0.8);
    assert_true(wrong[1] < 0.1);
}

/* Member "winnow" of the weights' config.json; the caller's json_decref(). */
static json_t *
config_of(const char *weights)
{
    char path[8300];
    json_t *root, *winnow;

    snprintf(path, sizeof(path), "%s/config.json", path_of(weights));
    root = json_load_file(path, 0, NULL);
    winnow = json_incref(json_object_get(root, "winnow"));
    json_decref(root);
    assert_non_null(winnow);
    return winnow;
}

static bool
same_bytes(const char *a, const char *b)
{
    char line[9000];

    snprintf(line, sizeof(line), "cmp -s %s %s", path_of(a), path_of(b));
    return system(line) == 0;
}

/* --- cases --- */

static void
reviews_campaign_is_learnt_and_its_other_texts_are_found(void **state)
{
    json_t *c;

    (void)state;
    database("campaign", "decisions");
    expect("campaign", "train --from-reviews --model.dir $D/plain --out $D/a",
        0, "B is not worse.");
    says("texts were held back: they are in the gate");
    says("/a has passed");
    says("bait           0         -         -      0         -         -   "
         "as it was");
    assert_learnt("plain", "a");
    c = config_of("a");
    assert_string_equal(
        json_string_value(json_object_get(c, "name")), "plain-1-reviews");
    assert_non_null(
        json_object_get(json_object_get(c, "data"), "feed/train.jsonl"));
    assert_non_null(
        json_object_get(json_object_get(c, "data"), "database/reviews"));
    json_decref(c);
    assert_true(access(path_of("a.tmp"), F_OK) != 0);
    assert_true(access(path_of("a.tuned"), F_OK) != 0);
    expect("campaign",
        "train --from-reviews --model.dir $D/plain --out $D/b "
        "--threads 1",
        0, "/b has passed");
    assert_true(same_bytes("a/model.safetensors", "b/model.safetensors"));
    assert_true(same_bytes("a/README.md", "b/README.md"));
}

/* A head that nobody named is what it was, and so are early exits' layers. */
static void
reviews_tune_the_encoder_of_weights_with_exits(void **state)
{
    json_t *was, *now;

    (void)state;
    expect("campaign",
        "train --from-reviews --last-layers 1 --model.dir $D/exits --out $D/c "
        "--name tuned-2",
        0, "/c has passed");
    says("train: in ");
    says("settled under");
    assert_learnt("exits", "c");
    was = config_of("exits");
    now = config_of("c");
    assert_string_equal(
        json_string_value(json_object_get(now, "name")), "tuned-2");
    was = json_array_get(json_object_get(was, "exits"), 0);
    now = json_array_get(json_object_get(now, "exits"), 0);
    assert_int_equal(json_integer_value(json_object_get(now, "after")), 1);
    assert_true(json_number_value(json_object_get(now, "stop")) <=
                json_number_value(json_object_get(was, "stop")) + 1e-6);
    expect("none", "model info $D/c", 0, "tuned-2@");
    expect("campaign",
        "train --from-reviews --last-layers 1 --model.dir $D/exits "
        "--base $D/c.tuned --out $D/c",
        2, "name another");
}

/* Weights without exits have none afterwards, and no kinds of bait that were
 * never learnt. */
static void
reviews_tune_the_encoder_of_weights_without_exits(void **state)
{
    json_t *now;

    (void)state;
    expect("campaign",
        "train --from-reviews --last-layers 1 --model.dir $D/plain --out $D/d",
        0, "/d has passed");
    assert_learnt("plain", "d");
    now = config_of("d");
    assert_int_equal(json_array_size(json_object_get(now, "exits")), 0);
    json_decref(now);
    expect("none", "score --model.dir $D/d 'a post of some words'", 0, "spam");
}

static void
put(const char *name, const char *mode, const char *text)
{
    FILE *f = fopen(path_of(name), mode);

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#define LINE(ref, text, labels)                                                \
    "{\"ref\":\"" ref "\",\"post_id\":\"" ref "\",\"author_id\":\"a\","        \
    "\"text\":\"" text "\",\"labels\":{" labels "},\"action\":\"allow\","      \
    "\"at\":\"2026-11-21T10:00:00Z\"}\n"

static void
reviews_tell_what_teaches_nothing(void **state)
{
    (void)state;
    wn_campaign_decisions(path_of("more"), 60, 3);
    put("more", "a",
        LINE("u1", "nobody says what this is", "")
            LINE("c1", "a copy of this text", "\"scam\":false")
                LINE("c2", "a copy of this text", "\"scam\":false")
                    LINE("x1", "a copy that is disputed", "\"scam\":false")
                        LINE("x2", "a copy that is disputed", "\"scam\":true"));
    database("more", "more");
    wn_pg_exec(pg, "more",
        "DELETE FROM winnow.content WHERE post_id IN ('p1', 'p2', 'p3')");
    expect("more", "train --from-reviews --model.dir $D/plain --out $D/e", 0,
        "      65  decisions, 2026-11-20 to 2026-11-21");
    says("       3  have no text any more");
    says("       1  name no head");
    says("       3  are copies");
}

/* Staff who call every scam honest: the gate remembers. */
static void
reviews_that_undo_what_is_known_do_not_pass(void **state)
{
    FILE *in = fopen("model/data/feed/train.jsonl", "re");
    FILE *out = fopen(path_of("poison"), "we");
    static char line[1 << 16];
    size_t n = 0;

    (void)state;
    assert_non_null(in);
    assert_non_null(out);
    while (n < 500 && fgets(line, sizeof(line), in) != NULL) {
        json_t *o = json_loads(line, 0, NULL), *d;
        const char *id = json_string_value(json_object_get(o, "id"));

        if (json_integer_value(
                json_object_get(json_object_get(o, "labels"), "scam")) == 1) {
            d = json_pack("{s:s,s:s,s:s,s:O,s:{s:b},s:s,s:s}", "ref", id,
                "post_id", id, "author_id", "a", "text",
                json_object_get(o, "text"), "labels", "scam", 0, "action",
                "allow", "at", "2026-11-22T10:00:00Z");
            assert_non_null(d);
            assert_int_equal(json_dumpf(d, out, JSON_COMPACT), 0);
            fputc('\n', out);
            json_decref(d);
            n++;
        }
        json_decref(o);
    }
    assert_int_equal(fclose(out), 0);
    fclose(in);
    assert_int_equal(n, 500);
    database("poison", "poison");
    expect("poison", "train --from-reviews --model.dir $D/plain --out $D/f", 1,
        "scam: recall is lower");
    says("/f has NOT passed");
    assert_int_equal(access(path_of("f/config.json"), F_OK), 0);
}

static void
reviews_say_what_is_wrong_before_the_work(void **state)
{
    static const char *const flags[] = { "--heads-only", "--layers 2",
        "--exits 1", "--cache x", "--leave-out feed" };
    char args[300];

    (void)state;
    wn_pg_create_db(pg, "empty");
    expect("empty", "train --from-reviews --out $D/g", 1, "winnow migrate");
    expect("empty", "migrate", 0, "");
    expect("empty", "train --from-reviews --out $D/g", 1,
        "no decisions in that time");
    expect("campaign", "train --from-reviews --out $D/g --since 2030-01-01", 1,
        "no decisions in that time");
    put("few", "w",
        LINE("1", "one", "\"spam\":true") LINE("2", "two", "\"spam\":true")
            LINE("3", "three", ""));
    database("few", "few");
    expect("few", "train --from-reviews --out $D/g", 1,
        "at least 20 and some are needed: of 3 decided posts");
    says("1 name no head (--label says");
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        snprintf(
            args, sizeof(args), "train --from-reviews --out $D/g %s", flags[i]);
        expect("few", args, 2, "does not go with --from-reviews");
    }
    expect("few", "train --from-reviews", 2, "--out is missing");
    expect("few", "train --from-reviews --out $D/g --since yesterday", 2,
        "--since 'yesterday' is not a day");
    expect("few", "train --from-reviews --out $D/g --base $D/plain", 2,
        "--base goes with --last-layers");
    expect("few", "train --from-reviews --out $D/plain --model.dir $D/plain", 2,
        "holds the weights in use");
    expect("few", "train --data x --base y --out $D/g --since 2026-11-01", 2,
        "what is '--since' for?");
    expect("campaign", "train --from-reviews --out $D/g --model.dir $D/nowhere",
        1, "nowhere");
    expect("campaign",
        "train --from-reviews --out $D/g --model.dir $D/plain --last-layers 3",
        1, "plain has 2");
    assert_true(access(path_of("g"), F_OK) != 0);
    assert_true(access(path_of("g.tmp"), F_OK) != 0);
}

/* --- */

static int
begin(void **state)
{
    (void)state;
    dir = wn_test_dir();
    unsetenv("WINNOW_CONFIG");
    unsetenv("WINNOW_MODEL_DIR");
    pg = wn_pg_start(false);
    wn_campaign_decisions(path_of("decisions"), DECISIONS, 1);
    wn_campaign_fresh(path_of("fresh"), 4, 2);
    expect("none",
        "train --heads-only --rows-per-source 200 --data model/data/feed "
        "--base tests/golden/bert --out $D/plain --name plain-1",
        0, "/plain is written");
    expect("none",
        "train --exits 1 --epochs 1 --epoch-rows 1000 --rate 1e-3 --data "
        "model/data/feed --base tests/golden/bert --out $D/exits",
        0, "/exits is written");
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            reviews_campaign_is_learnt_and_its_other_texts_are_found),
        cmocka_unit_test(reviews_tune_the_encoder_of_weights_with_exits),
        cmocka_unit_test(reviews_tune_the_encoder_of_weights_without_exits),
        cmocka_unit_test(reviews_tell_what_teaches_nothing),
        cmocka_unit_test(reviews_that_undo_what_is_known_do_not_pass),
        cmocka_unit_test(reviews_say_what_is_wrong_before_the_work),
    };

    return wn_test_run(
        "cmd_reviews", tests, sizeof(tests) / sizeof(tests[0]), begin, NULL);
}
