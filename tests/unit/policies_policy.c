/*
 * Policy files and what they make of signals: loading with every way to be
 * refused, the strongest action, reasons, rollout, limits.
 */
#include "tests/lib/test.h"

#include <pthread.h>

#include "policies/policy.h"

#define HEAD "{\"policy\":\"t\",\"version\":\"7\",\"rules\":["
#define TAIL "]}"
#define RULE(id, when, action)                                                 \
    "{\"id\":\"" id "\",\"when\":\"" when "\",\"action\":\"" action            \
    "\",\"category\":\"c\",\"reason\":\"" id " matched\"}"

static struct wn_policy *
load(const char *json)
{
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };

    assert_wn_ok(
        wn_policy_load(&p, json, strlen(json), "test.json", &err), &err);
    return p;
}

static void
expect_refused(const char *json, size_t len, const char *want)
{
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };
    enum wn_status rc = wn_policy_load(&p, json, len, "test.json", &err);

    if (rc != WN_REJECT || strstr(err.text, want) == NULL)
        fail_msg("%.200s\n  got  %s: %s\n  want %s", json, wn_status_name(rc),
            err.text, want);
    assert_null(p);
}

static void
eval(const struct wn_policy *p, const struct wn_signals *sig,
    struct wn_arena *arena, struct wn_verdict *ret)
{
    wn_arena_init(arena, 4096, 1u << 20);
    wn_policy_eval(p, sig, arena, ret);
}

static void
assert_str(struct wn_str s, const char *want)
{
    if (s.len != strlen(want) || memcmp(s.p, want, s.len) != 0)
        fail_msg("got '%.*s', want '%s'", (int)s.len, s.p, want);
}

static void
a_policy_tells_its_name_version_and_content(void **state)
{
    struct wn_policy *p = load(HEAD RULE("a", "true", "label") TAIL);
    struct wn_policy *q = load(HEAD RULE("a", "true", "limit") TAIL);

    assert_memory_equal(wn_policy_version(p), "t/7@", 4);
    assert_int_equal(strlen(wn_policy_version(p)), 4 + 16);
    assert_string_not_equal(wn_policy_version(p), wn_policy_version(q));
    assert_int_equal(wn_policy_rules(p), 1);
    wn_policy_free(p);
    wn_policy_free(q);
    wn_policy_free(NULL);
}

/* clang-format off */
static const char *const refusals[][2] = {
    { "", "test.json: line 1 column 0: " },
    { "[", "test.json: line 1 column 1: " },
    { "[]", "test.json: a policy is an object" },
    { "{\"policy\":\"t\",\"policy\":\"u\"}", "duplicate object key" },
    { "{\"version\":\"1\",\"rules\":[]}", "test.json: member 'policy' is missing" },
    { "{\"policy\":\"t\",\"rules\":[]}", "member 'version' is missing" },
    { "{\"policy\":\"t\",\"version\":7,\"rules\":[]}", "'version' is not a string" },
    { "{\"policy\":\"t\",\"version\":\"7\"}", "'rules' is missing" },
    { "{\"policy\":\"t\",\"version\":\"7\",\"rules\":{}}", "'rules' is not an array" },
    { "{\"policy\":\"t t\",\"version\":\"7\",\"rules\":[]}", "'policy' may hold letters" },
    { "{\"policy\":\"\",\"version\":\"7\",\"rules\":[]}", "'policy' has 1 to 64 bytes, not 0" },
    { "{\"policy\":\"t\",\"version\":\"7\",\"rules\":[],\"rulse\":[]}", "unknown member 'rulse'; did you mean 'rules'?" },
    { "{\"policy\":\"t\",\"version\":\"7\",\"rules\":[],\"quotas\":{}}", "quotas are not supported by this version" },
    { HEAD "7" TAIL, "test.json: 1st rule: a rule is an object" },
    { HEAD "{}" TAIL, "test.json: 1st rule: member 'id' is missing" },
    { HEAD "{\"id\":\"a\"}" TAIL, "test.json: rule 'a' (1st): member 'action' is missing" },
    { HEAD RULE("a", "true", "label") "," RULE("b", "tru", "label") TAIL,
      "test.json: rule 'b' (2nd): column 1 of when: no such signal: tru" },
    { HEAD RULE("a", "true", "label") "," RULE("b", "true", "label") "," RULE("c", "1", "label") TAIL,
      "rule 'c' (3rd): column 1 of when: a condition is a bool, this is int" },
    { HEAD RULE("a", "flag.scam && size(post.lnks) > 0", "label") TAIL,
      "rule 'a' (1st): column 19 of when: no such signal: post.lnks; did you mean post.links?" },
    { HEAD RULE("a", "true", "delete") TAIL, "unknown action 'delete'" },
    { HEAD RULE("a", "true", "reveiw") TAIL, "unknown action 'reveiw'; did you mean 'review'?" },
    { HEAD RULE("a", "true", "label") "," RULE("b", "true", "label") "," RULE("a", "true", "label") TAIL,
      "test.json: rule 'a' (3rd): the 1st rule has this id too" },
    { HEAD "{\"id\":\"a b\"}" TAIL, "test.json: 1st rule: 'id' may hold letters" },
    { HEAD "{\"id\":\"a\",\"w\\n\":1}" TAIL, "unknown member 'w?'" },
    { HEAD "{\"id\":\"a\",\"wen\":\"true\"}" TAIL, "unknown member 'wen'; did you mean 'when'?" },
    { HEAD "{\"id\":\"a\",\"action\":\"label\",\"category\":\"c\",\"reason\":\"r\"}" TAIL, "member 'when' is missing" },
    { HEAD "{\"id\":\"a\",\"action\":\"label\",\"category\":\"c\",\"when\":\"true\"}" TAIL, "member 'reason' is missing" },
    { HEAD "{\"id\":\"a\",\"action\":\"label\",\"reason\":\"r\",\"when\":\"true\"}" TAIL, "member 'category' is missing" },
#define MORE(more) HEAD "{\"id\":\"a\",\"when\":\"true\",\"action\":\"label\",\"category\":\"c\"," more "}" TAIL
    { MORE("\"reason\":\"r\",\"mode\":\"shadow\""), "mode 'shadow' is not supported by this version: use 'off'" },
    { MORE("\"reason\":\"r\",\"mode\":\"enforced\""), "unknown mode 'enforced'; did you mean 'enforce'?" },
    { MORE("\"reason\":\"r\",\"mode\":true"), "'mode' is not a string" },
    { MORE("\"reason\":\"r\",\"rollout\":101"), "'rollout' is a whole number of percent, 0 to 100" },
    { MORE("\"reason\":\"r\",\"rollout\":-1"), "'rollout' is a whole number" },
    { MORE("\"reason\":\"r\",\"rollout\":0.5"), "'rollout' is a whole number" },
    { MORE("\"reason\":\"r\",\"rollout\":\"5\""), "'rollout' is a whole number" },
    { MORE("\"reason\":\"{author.age}\""), "reason: no such signal: {author.age}" },
    { MORE("\"reason\":\"{author.age_day}\""), "did you mean {author.age_days}?" },
    { MORE("\"reason\":\"by {author.id}\""), "reason: {author.id} is content of the post" },
    { MORE("\"reason\":\"by {author.handle}\""), "{author.handle} is content of the post" },
    { MORE("\"reason\":\"says {post.text}\""), "{post.text} is content of the post" },
    { MORE("\"reason\":\"{post.links}\""), "{post.links} is content of the post" },
    { MORE("\"reason\":\"{post.extra}\""), "{post.extra} is content of the post" },
    { MORE("\"reason\":\"{\""), "reason: a '{' is not closed" },
    { MORE("\"reason\":\"}\""), "reason: a '}' alone" },
    { MORE("\"reason\":\"{}\""), "reason: no such signal: {}" },
    { MORE("\"reason\":\"\""), "'reason' has 1 to 1000 bytes, not 0" },
};
/* clang-format on */

static void
a_wrong_file_is_refused_with_its_place(void **state)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const char *json = refusals[i][0];

        expect_refused(json, strlen(json), refusals[i][1]);
    }
    expect_refused("{\"policy\":\"\0\"}", 13, "test.json: line 1");
    expect_refused("\xff\xfe", 2, "test.json: line 1");
}

/* n rules of one text, ids r0, r1, ... */
static char *
many_rules(size_t n, const char *when)
{
    size_t cap = n * (strlen(when) + 128) + 256, len;
    char *json = malloc(cap);

    assert_non_null(json);
    len = (size_t)sprintf(json, HEAD);
    for (size_t i = 0; i < n; i++)
        len += (size_t)sprintf(json + len,
            "%s{\"id\":\"r%zu\",\"when\":\"%s\",\"action\":\"label\","
            "\"category\":\"c\",\"reason\":\"r\"}",
            i == 0 ? "" : ",", i, when);
    strcpy(json + len, TAIL);
    return json;
}

static void
rules_bytes_and_cost_are_bounded(void **state)
{
    struct wn_policy *p;
    char *json = many_rules(WN_POLICY_RULES_MAX, "flag.spam");

    p = load(json);
    assert_int_equal(wn_policy_rules(p), WN_POLICY_RULES_MAX);
    wn_policy_free(p);
    free(json);
    json = many_rules(WN_POLICY_RULES_MAX + 1, "flag.spam");
    expect_refused(json, strlen(json), "4097 rules, at most 4096");
    free(json);
    json = many_rules(1025, "post.text.contains('x')");
    expect_refused(json, strlen(json),
        "rule 'r1024' (1025th): the policy may cost too much");
    free(json);
    json = calloc(1, WN_POLICY_BYTES_MAX + 2);
    assert_non_null(json);
    memset(json, ' ', WN_POLICY_BYTES_MAX + 1);
    expect_refused(json, WN_POLICY_BYTES_MAX + 1, "larger than 4194304 bytes");
    memcpy(json, HEAD TAIL, strlen(HEAD TAIL));
    assert_int_equal(json[WN_POLICY_BYTES_MAX], ' ');
    json[WN_POLICY_BYTES_MAX] = '\0';
    p = load(json); /* exactly the maximum */
    wn_policy_free(p);
    free(json);
}

static void
a_nested_bomb_is_refused(void **state)
{
    size_t n = 1u << 20;
    char *json = malloc(n);

    assert_non_null(json);
    memset(json, '[', n);
    expect_refused(json, n, "test.json: line 1");
    free(json);
}

static void
files_are_opened_or_the_error_names_them(void **state)
{
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };
    char path[4200];
    FILE *f;

    snprintf(path, sizeof(path), "%s/p.json", wn_test_dir());
    assert_int_equal(wn_policy_open(&p, path, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "p.json: No such file"));
    assert_int_equal(wn_policy_open(&p, wn_test_dir(), &err), WN_REJECT);
    assert_non_null(strstr(err.text, "Is a directory"));
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(HEAD RULE("a", "true", "label") TAIL, f);
    fclose(f);
    assert_wn_ok(wn_policy_open(&p, path, &err), &err);
    assert_int_equal(wn_policy_rules(p), 1);
    wn_policy_free(p);
}

static void
the_strongest_action_wins_and_every_match_is_a_reason(void **state)
{
    struct wn_policy *p = load(HEAD RULE("one", "true", "label") "," RULE("two",
        "true", "remove") "," RULE("three", "false", "review") "," RULE("four",
        "true", "remove") "," RULE("five", "true", "allow") TAIL);
    struct wn_signals sig = { 0 };
    struct wn_verdict v;
    struct wn_arena arena;

    eval(p, &sig, &arena, &v);
    assert_int_equal(v.action, WN_REMOVE);
    assert_int_equal(v.reasons_n, 4);
    assert_str(v.reasons[0].rule, "two");
    assert_str(v.reasons[0].category, "c");
    assert_str(v.reasons[0].text, "two matched");
    assert_str(v.reasons[1].rule, "four");
    assert_str(v.reasons[2].rule, "one");
    assert_str(v.reasons[3].rule, "five");
    assert_int_equal(v.skipped_n, 0);
    wn_arena_release(&arena);
    wn_policy_free(p);
}

static void
no_matching_rule_means_allow(void **state)
{
    struct wn_policy *p = load(HEAD RULE("one", "false", "remove") TAIL);
    struct wn_policy *empty = load(HEAD TAIL);
    struct wn_signals sig = { 0 };
    struct wn_verdict v;
    struct wn_arena arena;

    eval(p, &sig, &arena, &v);
    assert_int_equal(v.action, WN_ALLOW);
    assert_int_equal(v.reasons_n, 0);
    wn_policy_eval(empty, &sig, &arena, &v);
    assert_int_equal(v.action, WN_ALLOW);
    wn_arena_release(&arena);
    wn_policy_free(p);
    wn_policy_free(empty);
}

static void
a_rule_without_its_input_is_skipped_and_named(void **state)
{
    struct wn_policy *p =
        load(HEAD RULE("age", "author.age_days < 30", "remove") "," RULE(
            "zero", "1 / (author.followers - 3) > 0", "remove") "," RULE("dyn",
            "post.extra.kind", "remove") "," RULE("settled",
            "author.age_days < 30 && false", "remove") "," RULE("known",
            "has(author.age_days) && author.age_days < 30",
            "remove") "," RULE("yes", "author.followers == 3", "label") TAIL);
    static const struct wn_str keys[] = { { "kind", 4 } };
    static const struct wn_value values[] = { { .kind = WN_VALUE_STRING,
        .s = { "x", 1 } } };
    struct wn_signals sig = { 0 };
    struct wn_verdict v;
    struct wn_arena arena;

    sig.v[WN_SIG_AUTHOR_FOLLOWERS] = wn_value_int(3);
    sig.v[WN_SIG_POST_EXTRA] =
        (struct wn_value){ .kind = WN_VALUE_MAP, .map = { keys, values, 1 } };
    eval(p, &sig, &arena, &v);
    assert_int_equal(v.action, WN_LABEL);
    assert_int_equal(v.reasons_n, 1);
    assert_str(v.reasons[0].rule, "yes");
    assert_int_equal(v.skipped_n, 3);
    assert_str(v.skipped[0], "age");
    assert_str(v.skipped[1], "zero");
    assert_str(v.skipped[2], "dyn");
    wn_arena_release(&arena);
    wn_policy_free(p);
}

static void
reasons_and_skipped_rules_beyond_the_bound_are_cut(void **state)
{
    char *json = many_rules(100, "flag.spam");
    struct wn_policy *p = load(json);
    struct wn_signals sig = { 0 };
    struct wn_verdict v;
    struct wn_arena arena;

    eval(p, &sig, &arena, &v);
    assert_int_equal(v.action, WN_ALLOW);
    assert_int_equal(v.skipped_n, WN_SKIPPED_RULES_MAX);
    assert_str(v.skipped[31], "r31");
    sig.v[WN_SIG_FLAG_SPAM] = wn_value_bool(true);
    wn_policy_eval(p, &sig, &arena, &v);
    assert_int_equal(v.action, WN_LABEL);
    assert_int_equal(v.skipped_n, 0);
    assert_int_equal(v.reasons_n, WN_REASONS_MAX);
    assert_int_equal(v.reasons_more, 100 - WN_REASONS_MAX);
    assert_str(v.reasons[15].rule, "r15");
    wn_arena_release(&arena);
    wn_policy_free(p);
    free(json);
}

/* The one reason of a policy whose reason is `reason`, for these signals. */
static void
expect_reason(
    const char *reason, const struct wn_signals *sig, const char *want)
{
    char json[2048];
    struct wn_policy *p;
    struct wn_verdict v;
    struct wn_arena arena;

    snprintf(json, sizeof(json),
        HEAD "{\"id\":\"a\",\"when\":\"true\",\"action\":\"label\","
             "\"category\":\"c\",\"reason\":\"%s\"}" TAIL,
        reason);
    p = load(json);
    eval(p, sig, &arena, &v);
    assert_int_equal(v.reasons_n, 1);
    assert_str(v.reasons[0].text, want);
    wn_arena_release(&arena);
    wn_policy_free(p);
}

static void
reasons_are_filled_in_readably(void **state)
{
    struct wn_signals sig = { 0 };
    static const double days[] = { 12, 12.5, 12.346, 0.001, -0.001, 1e300 };
    static const char *const texts[] = { "12", "12.5", "12.35", "0", "0",
        "1e+300" };
    char lang[101], cut[64];

    expect_reason("{author.age_days} days", &sig, "unknown days");
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        sig.v[WN_SIG_AUTHOR_AGE_DAYS] = wn_value_double(days[i]);
        expect_reason("{author.age_days}", &sig, texts[i]);
    }
    sig.v[WN_SIG_SCORE_SPAM] = wn_value_double(0.9);
    sig.v[WN_SIG_AUTHOR_FOLLOWERS] = wn_value_int(1234567);
    sig.v[WN_SIG_FLAG_SPAM] = wn_value_bool(true);
    sig.v[WN_SIG_POST_LANG] = wn_value_str("pt\n<b>", 6);
    expect_reason("{score.spam}: {author.followers}, {flag.spam}", &sig,
        "0.90: 1234567, yes");
    expect_reason("{{{post.lang}}}", &sig, "{pt <b>}");
    expect_reason("{{author.id}}", &sig, "{author.id}");
    /* 100 bytes of two each, cut at 64 and never within a character. */
    lang[0] = 'x';
    for (int i = 1; i < 101; i += 2)
        memcpy(lang + i, "\xc3\xa9", 2);
    sig.v[WN_SIG_POST_LANG] = wn_value_str(lang, 101);
    snprintf(cut, sizeof(cut), "%.63s", lang);
    expect_reason("{post.lang}", &sig, cut);
}

static void
without_memory_the_action_stands(void **state)
{
    struct wn_policy *p =
        load(HEAD "{\"id\":\"a\",\"when\":\"'x' + 'y' == 'xy' && flag.spam\","
                  "\"action\":\"remove\",\"category\":\"c\","
                  "\"reason\":\"Spam {score.spam}\"}" TAIL);
    struct wn_signals sig = { 0 };
    struct wn_verdict v;
    struct wn_arena none;

    wn_arena_init(&none, 4096, 0);
    sig.v[WN_SIG_FLAG_SPAM] = wn_value_bool(true);
    wn_policy_eval(p, &sig, &none, &v);
    assert_int_equal(v.action, WN_REMOVE);
    assert_int_equal(v.reasons_n, 1);
    assert_str(v.reasons[0].rule, "a");
    assert_str(v.reasons[0].text, "Spam {score.spam}");
    wn_arena_release(&none);
    wn_policy_free(p);
}

static struct wn_policy *
load_rollout(const char *id, unsigned percent)
{
    char json[512];

    snprintf(json, sizeof(json),
        HEAD "{\"id\":\"%s\",\"when\":\"true\",\"action\":\"label\","
             "\"category\":\"c\",\"reason\":\"r\",\"rollout\":%u}" TAIL,
        id, percent);
    return load(json);
}

static bool
hits_author(const struct wn_policy *p, int author)
{
    struct wn_signals sig = { 0 };
    struct wn_verdict v;
    struct wn_arena arena;
    char id[32];
    int n = snprintf(id, sizeof(id), "author-%d", author);

    if (author >= 0)
        sig.v[WN_SIG_AUTHOR_ID] = wn_value_str(id, (size_t)n);
    eval(p, &sig, &arena, &v);
    wn_arena_release(&arena);
    assert_int_equal(v.skipped_n, 0);
    return v.action == WN_LABEL;
}

static void
rollout_takes_a_stable_share_that_only_grows(void **state)
{
    struct wn_policy *ten = load_rollout("a", 10);
    struct wn_policy *half = load_rollout("a", 50);
    struct wn_policy *other = load_rollout("b", 50);
    struct wn_policy *none = load_rollout("a", 0);
    struct wn_policy *all = load_rollout("a", 100);
    int in_ten = 0, in_half = 0, differ = 0;

    for (int i = 0; i < 4000; i++) {
        bool a = hits_author(ten, i), b = hits_author(half, i);

        assert_true(!a || b);
        assert_int_equal(hits_author(half, i), b);
        assert_false(hits_author(none, i));
        in_ten += a;
        in_half += b;
        differ += b != hits_author(other, i);
    }
    assert_in_range(in_ten, 300, 500);
    assert_in_range(in_half, 1800, 2200);
    assert_in_range(differ, 1500, 2500);
    assert_false(hits_author(half, -1)); /* nobody known: out */
    assert_true(hits_author(all, -1));
    wn_policy_free(ten);
    wn_policy_free(half);
    wn_policy_free(other);
    wn_policy_free(none);
    wn_policy_free(all);
}

static void
a_rule_that_is_off_is_checked_and_not_asked(void **state)
{
    static const char bad[] =
        HEAD "{\"id\":\"a\",\"when\":\"tru\",\"action\":\"label\","
             "\"category\":\"c\",\"reason\":\"r\",\"mode\":\"off\"}" TAIL;
    struct wn_policy *p =
        load(HEAD "{\"id\":\"a\",\"when\":\"true\",\"action\":\"label\","
                  "\"category\":\"c\",\"reason\":\"r\",\"mode\":\"off\"}" TAIL);

    assert_false(hits_author(p, 1));
    wn_policy_free(p);
    expect_refused(bad, strlen(bad), "no such signal: tru");
}

static void
describe_is_a_table_of_the_rules(void **state)
{
    struct wn_policy *p = load(HEAD RULE("long-name", "flag.spam\\n  &&   true",
        "review") ","
                  "{\"id\":\"b\",\"when\":\"true\",\"action\":\"label\","
                  "\"category\":\"c\",\"reason\":\"r\",\"rollout\":25}" TAIL);
    struct wn_buf out;

    wn_buf_init(&out, 4096);
    wn_policy_describe(p, &out);
    assert_string_equal(out.data,
        "rule       action  mode          category  when\n"
        "long-name  review  enforce       c         flag.spam && true\n"
        "b          label   enforce 25%   c         true\n");
    wn_buf_release(&out);
    wn_policy_free(p);
}

static void *
eval_often(void *arg)
{
    struct wn_policy *p = arg;
    struct wn_signals sig = { 0 };
    struct wn_verdict v;
    struct wn_arena arena;
    size_t removed = 0;

    wn_arena_init(&arena, 4096, 1u << 16);
    sig.v[WN_SIG_SCORE_SPAM] = wn_value_double(0.75);
    for (int i = 0; i < 2000; i++) {
        wn_arena_reset(&arena);
        sig.v[WN_SIG_FLAG_SPAM] = wn_value_bool(i % 2 == 0);
        wn_policy_eval(p, &sig, &arena, &v);
        removed += v.action == WN_REMOVE && v.reasons[0].text.len == 9 &&
                   memcmp(v.reasons[0].text.p, "Spam 0.75", 9) == 0;
    }
    wn_arena_release(&arena);
    return (void *)removed;
}

static void
threads_share_one_policy(void **state)
{
    struct wn_policy *p = load(HEAD
        "{\"id\":\"a\",\"when\":\"[1, 2] + [3] == [1, 2, 3] && flag.spam\","
        "\"action\":\"remove\",\"category\":\"c\","
        "\"reason\":\"Spam {score.spam}\"}" TAIL);
    pthread_t t[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, eval_often, p), 0);
    for (int i = 0; i < 4; i++) {
        void *removed;

        assert_int_equal(pthread_join(t[i], &removed), 0);
        assert_int_equal((size_t)removed, 1000);
    }
    wn_policy_free(p);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_policy_tells_its_name_version_and_content),
    cmocka_unit_test(a_wrong_file_is_refused_with_its_place),
    cmocka_unit_test(rules_bytes_and_cost_are_bounded),
    cmocka_unit_test(a_nested_bomb_is_refused),
    cmocka_unit_test(files_are_opened_or_the_error_names_them),
    cmocka_unit_test(the_strongest_action_wins_and_every_match_is_a_reason),
    cmocka_unit_test(no_matching_rule_means_allow),
    cmocka_unit_test(a_rule_without_its_input_is_skipped_and_named),
    cmocka_unit_test(reasons_and_skipped_rules_beyond_the_bound_are_cut),
    cmocka_unit_test(reasons_are_filled_in_readably),
    cmocka_unit_test(without_memory_the_action_stands),
    cmocka_unit_test(rollout_takes_a_stable_share_that_only_grows),
    cmocka_unit_test(a_rule_that_is_off_is_checked_and_not_asked),
    cmocka_unit_test(describe_is_a_table_of_the_rules),
    cmocka_unit_test(threads_share_one_policy),
};
WN_TEST_MAIN("policies_policy", tests)
