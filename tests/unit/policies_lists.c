/*
 * The lists of a process: a folder, its changes, rules that ask, and the swap
 * under load.
 */
#include "tests/lib/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policies/lists.h"
#include "policies/policy.h"

/* A folder of its own for each case. */
static const char *
new_folder(void)
{
    static char path[512];
    static int n;

    snprintf(path, sizeof(path), "%s/lists-%d", wn_test_dir(), n++);
    assert_int_equal(mkdir(path, 0700), 0);
    return path;
}

static void
put_file(const char *folder, const char *name, const char *text)
{
    char path[1024], whole[1024];
    FILE *f;

    snprintf(whole, sizeof(whole), "%s/.new", folder);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(whole, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rename(whole, path), 0);
}

static void
remove_file(const char *folder, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
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

/* The two looks that a change takes. */
static enum wn_status
poll_twice(struct wn_lists *ls, bool *ret_changed, struct wn_err *err)
{
    bool first = false, second = false;
    enum wn_status a = wn_lists_poll(ls, &first, err), b;

    b = a == WN_OK ? wn_lists_poll(ls, &second, err) : a;
    *ret_changed = first || second;
    return b;
}

static void
a_folder_is_read_and_described(void **state)
{
    const char *folder = new_folder();
    struct wn_lists *ls = NULL;
    struct wn_list_set *set;
    struct wn_err err = { "" };
    struct wn_buf out;

    put_file(folder, "scams.domain", "bad.example\n");
    put_file(folder, "ips.cidr", "192.0.2.0/24\n");
    put_file(folder, "handles.v2.exact", "ann\nbob\n");
    put_file(folder, ".hidden", "?");
    put_file(folder, "scams.domain~", "?");
    put_file(folder, "scams.domain.tmp", "?");
    assert_wn_ok(wn_lists_open(&ls, folder, &err), &err);
    assert_true(has(ls, "scams", "https://x.bad.example/"));
    assert_true(has(ls, "ips", "192.0.2.1"));
    assert_true(has(ls, "handles.v2", "bob"));
    assert_false(has(ls, "handles", "bob"));
    wn_buf_init(&out, 4096);
    wn_lists_describe(ls, &out);
    assert_non_null(strstr(out.data, "handles.v2@"));
    assert_non_null(strstr(out.data, " (exact, 2), ips@"));
    assert_non_null(strstr(out.data, " (domain, 1)"));
    wn_buf_release(&out);
    set = wn_lists_take(ls);
    assert_int_equal(wn_list_set_n(set), 3);
    assert_int_equal(strlen(wn_list_set_version(set)), 16);
    wn_lists_give(set);
    wn_lists_free(ls);
    assert_wn_ok(wn_lists_open(&ls, "", &err), &err);
    assert_false(has(ls, "scams", "bad.example"));
    wn_lists_free(ls);
}

static void
a_wrong_folder_is_refused_at_the_start(void **state)
{
    static const struct {
        const char *file, *text, *want;
    } rows[] = {
        { "bad.domain", "x y", "bad.domain:1: 'x y' is no domain" },
        { "bad.txt", "x",
            "/bad.txt: the name of a list's file ends in .exact, .domain or "
            ".cidr" },
        { "BAD.exact", "x", "'BAD' is none" },
        { "good.cidr", "::1", " are both a list 'good'" },
    };
    struct wn_lists *ls = NULL;
    struct wn_err err = { "" };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *folder = new_folder();

        put_file(folder, "good.exact", "x\n");
        put_file(folder, rows[i].file, rows[i].text);
        assert_int_equal(wn_lists_open(&ls, folder, &err), WN_REJECT);
        if (strstr(err.text, rows[i].want) == NULL)
            fail_msg("got '%s', want '%s'", err.text, rows[i].want);
    }
    assert_int_equal(wn_lists_open(&ls, "/nowhere", &err), WN_REJECT);
    assert_string_equal(err.text, "/nowhere: No such file or directory");
    assert_null(ls);
}

static void
a_change_comes_in_once_it_stands_still(void **state)
{
    const char *folder = new_folder();
    struct wn_lists *ls = NULL;
    struct wn_list_set *old;
    struct wn_err err = { "" };
    bool changed = true;

    put_file(folder, "scams.domain", "one.example\n");
    assert_wn_ok(wn_lists_open(&ls, folder, &err), &err);
    assert_wn_ok(wn_lists_poll(ls, &changed, &err), &err);
    assert_false(changed);
    old = wn_lists_take(ls);
    put_file(folder, "scams.domain", "two.example\nthree.example\n");
    assert_wn_ok(wn_lists_poll(ls, &changed, &err), &err);
    assert_false(changed); /* it may be half written */
    assert_wn_ok(wn_lists_poll(ls, &changed, &err), &err);
    assert_true(changed);
    assert_true(has(ls, "scams", "two.example"));
    assert_false(has(ls, "scams", "one.example"));
    /* who took the old set keeps it */
    assert_true(wn_list_has(wn_list_set_at(old, 0), "one.example", 11));
    wn_lists_give(old);
    put_file(folder, "more.exact", "x\n");
    assert_wn_ok(poll_twice(ls, &changed, &err), &err);
    assert_true(changed);
    assert_true(has(ls, "more", "x") && has(ls, "scams", "two.example"));
    assert_wn_ok(poll_twice(ls, &changed, &err), &err);
    assert_false(changed);
    wn_lists_free(ls);
}

static void
a_wrong_file_replaces_nothing_and_is_told_once(void **state)
{
    const char *folder = new_folder();
    struct wn_lists *ls = NULL;
    struct wn_err err = { "" };
    bool changed = true;

    put_file(folder, "scams.domain", "one.example\n");
    assert_wn_ok(wn_lists_open(&ls, folder, &err), &err);
    put_file(folder, "scams.domain", "two.example\n<html>oops\n");
    assert_int_equal(poll_twice(ls, &changed, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "scams.domain:2: '<html>oops'"));
    assert_false(changed);
    assert_true(has(ls, "scams", "one.example"));
    assert_wn_ok(poll_twice(ls, &changed, &err), &err);
    put_file(folder, "scams.domain", "three.example\n");
    assert_wn_ok(poll_twice(ls, &changed, &err), &err);
    assert_true(changed && has(ls, "scams", "three.example"));
    remove_file(folder, "scams.domain");
    assert_int_equal(poll_twice(ls, &changed, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "scams.domain is gone"));
    assert_true(has(ls, "scams", "three.example"));
    assert_wn_ok(poll_twice(ls, &changed, &err), &err);
    put_file(folder, "scams.domain", "four.example\n");
    assert_wn_ok(poll_twice(ls, &changed, &err), &err);
    assert_true(changed && has(ls, "scams", "four.example"));
    wn_lists_free(ls);
}

/* --- rules --- */

static const char rules[] =
    "{\"policy\":\"t\",\"version\":\"1\",\"rules\":["
    "{\"id\":\"scam\",\"action\":\"remove\",\"category\":\"c\",\"reason\":"
    "\"r\","
    "\"when\":\"post.links.exists(l, in_list('scams', l))\"},"
    "{\"id\":\"known\",\"action\":\"review\",\"category\":\"c\",\"reason\":"
    "\"r\","
    "\"when\":\"in_list('handles', author.handle)\"}]}";

static enum wn_action
judge(const struct wn_policy *p, const char *link, const char *handle,
    struct wn_verdict *ret)
{
    struct wn_signals sig;
    struct wn_value links = wn_value_str(link, strlen(link));
    struct wn_arena arena;

    memset(&sig, 0, sizeof(sig));
    sig.v[WN_SIG_POST_LINKS] =
        (struct wn_value){ .kind = WN_VALUE_LIST, .list = { &links, 1 } };
    if (handle != NULL)
        sig.v[WN_SIG_AUTHOR_HANDLE] = wn_value_str(handle, strlen(handle));
    wn_arena_init(&arena, 4096, 1u << 20);
    wn_policy_eval(p, &sig, &arena, ret);
    wn_arena_release(&arena);
    return ret->action;
}

static void
rules_ask_the_lists_of_their_policy(void **state)
{
    const char *folder = new_folder();
    struct wn_lists *ls = NULL;
    struct wn_policy *p = NULL;
    struct wn_verdict v;
    struct wn_err err = { "" };
    bool changed;

    put_file(folder, "scams.domain", "bad.example\n");
    put_file(folder, "handles.exact", "ann\n");
    assert_wn_ok(wn_lists_open(&ls, folder, &err), &err);
    assert_wn_ok(
        wn_policy_load(&p, rules, sizeof(rules) - 1, "t.json", &err), &err);
    /* without its lists nothing is found, and said so */
    assert_int_equal(judge(p, "http://bad.example", "ann", &v), WN_ALLOW);
    assert_int_equal(v.skipped_n, 2);
    assert_wn_ok(wn_policy_use_lists(p, ls, &err), &err);
    assert_int_equal(judge(p, "http://x.bad.example", "bob", &v), WN_REMOVE);
    assert_int_equal(judge(p, "http://good.example", "ann", &v), WN_REVIEW);
    assert_int_equal(judge(p, "http://good.example", "bob", &v), WN_ALLOW);
    assert_int_equal(v.skipped_n, 0);
    assert_int_equal(judge(p, "http://good.example", NULL, &v), WN_ALLOW);
    assert_int_equal(v.skipped_n, 1);
    put_file(folder, "handles.exact", "bob\n");
    assert_wn_ok(poll_twice(ls, &changed, &err), &err);
    assert_int_equal(judge(p, "http://good.example", "bob", &v), WN_REVIEW);
    wn_policy_free(p);
    wn_lists_free(ls);
}

static void
a_list_that_is_not_there_is_found_when_the_policy_is_loaded(void **state)
{
    const char *folder = new_folder();
    struct wn_lists *ls = NULL;
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };

    put_file(folder, "scam.domain", "bad.example\n");
    assert_wn_ok(wn_lists_open(&ls, folder, &err), &err);
    assert_wn_ok(
        wn_policy_load(&p, rules, sizeof(rules) - 1, "t.json", &err), &err);
    assert_int_equal(wn_policy_use_lists(p, ls, &err), WN_REJECT);
    assert_string_equal(err.text, "rule 'scam' asks for the list 'scams', "
                                  "which is not there; did you mean 'scam'?");
    assert_int_equal(wn_policy_use_lists(p, NULL, &err), WN_REJECT);
    assert_string_equal(err.text,
        "rule 'scam' asks for the list 'scams', and no lists are loaded: "
        "policy.lists is their folder");
    wn_policy_free(p);
    wn_lists_free(ls);
}

static void
the_name_of_a_list_is_written_in_the_rule(void **state)
{
    static const char *const wrong[] = { "in_list(author.handle, 'x')",
        "in_list('scams', 1)", "in_list('scams')", "'scams'.in_list('x')",
        "in_list(1, 'x')" };
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };
    char json[512];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int len = snprintf(json, sizeof(json),
            "{\"policy\":\"t\",\"version\":\"1\",\"rules\":[{\"id\":\"a\","
            "\"action\":\"label\",\"category\":\"c\",\"reason\":\"r\","
            "\"when\":\"%s\"}]}",
            wrong[i]);

        assert_int_equal(
            wn_policy_load(&p, json, (size_t)len, "t.json", &err), WN_REJECT);
        assert_non_null(strstr(err.text, "in_list()"));
    }
}

/* --- the swap --- */

enum { READERS = 3, SWAPS = 200, ENTRIES = 300 };

struct load {
    struct wn_lists *ls;
    const struct wn_policy *policy;
    atomic_bool stop;
    atomic_ulong looks, torn;
};

/* Every version has all its entries or none: a look that finds one of a
 * version finds all. */
static void *
read_lists(void *arg)
{
    struct load *load = arg;
    struct wn_verdict v;
    char entry[32];

    while (!atomic_load(&load->stop)) {
        struct wn_list_set *set = wn_lists_take(load->ls);
        const struct wn_list *l = wn_list_set_find(set, "scams", 5);
        unsigned found[2] = { 0, 0 };

        for (int i = 0; i < ENTRIES; i++) {
            for (int k = 0; k < 2; k++) {
                int len =
                    snprintf(entry, sizeof(entry), "h%d.v%d.example", i, k);

                found[k] += wn_list_has(l, entry, (size_t)len);
            }
        }
        wn_lists_give(set);
        if (!(found[0] == ENTRIES && found[1] == 0) &&
            !(found[1] == ENTRIES && found[0] == 0))
            atomic_fetch_add(&load->torn, 1);
        judge(load->policy, "http://h7.v0.example", NULL, &v);
        atomic_fetch_add(&load->looks, 1);
    }
    return NULL;
}

static struct wn_list *
version_of(int version)
{
    struct wn_list *l = NULL;
    struct wn_err err = { "" };
    char entry[32];

    assert_wn_ok(wn_list_new(&l, "scams", WN_LIST_DOMAIN, &err), &err);
    for (int i = 0; i < ENTRIES; i++) {
        int len = snprintf(entry, sizeof(entry), "h%d.v%d.example", i, version);

        assert_wn_ok(wn_list_add(l, entry, (size_t)len, &err), &err);
    }
    assert_wn_ok(wn_list_finish(l, &err), &err);
    return l;
}

static void
lists_are_swapped_while_they_are_read(void **state)
{
    static const char policy[] =
        "{\"policy\":\"t\",\"version\":\"1\",\"rules\":[{\"id\":\"scam\","
        "\"action\":\"remove\",\"category\":\"c\",\"reason\":\"r\",\"when\":"
        "\"post.links.exists(l, in_list('scams', l))\"}]}";
    struct load load = { .ls = NULL };
    struct wn_policy *p = NULL;
    pthread_t thread[READERS];
    struct wn_err err = { "" };

    assert_wn_ok(wn_lists_open(&load.ls, NULL, &err), &err);
    assert_wn_ok(wn_lists_put(load.ls, version_of(0), &err), &err);
    assert_wn_ok(
        wn_policy_load(&p, policy, sizeof(policy) - 1, "t.json", &err), &err);
    assert_wn_ok(wn_policy_use_lists(p, load.ls, &err), &err);
    load.policy = p;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(
            pthread_create(&thread[i], NULL, read_lists, &load), 0);
    for (int i = 0; i < SWAPS || atomic_load(&load.looks) < READERS * 10; i++)
        assert_wn_ok(wn_lists_put(load.ls, version_of(i % 2), &err), &err);
    atomic_store(&load.stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&load.torn), 0);
    wn_policy_free(p);
    wn_lists_free(load.ls);
}

static void
there_is_a_most_of_lists(void **state)
{
    struct wn_lists *ls = NULL;
    struct wn_err err = { "" };

    assert_wn_ok(wn_lists_open(&ls, NULL, &err), &err);
    for (int i = 0; i <= WN_LISTS_MAX; i++) {
        struct wn_list *l = NULL;
        char name[16];

        snprintf(name, sizeof(name), "l%d", i);
        assert_wn_ok(wn_list_new(&l, name, WN_LIST_EXACT, &err), &err);
        assert_wn_ok(wn_list_add(l, "x", 1, &err), &err);
        assert_wn_ok(wn_list_finish(l, &err), &err);
        assert_int_equal(
            wn_lists_put(ls, l, &err), i < WN_LISTS_MAX ? WN_OK : WN_REJECT);
    }
    assert_string_equal(err.text, "there are at most 64 lists");
    assert_true(has(ls, "l63", "x"));
    wn_lists_free(ls);
}

/* --- the watch --- */

struct told {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int changes, errors;
};

static void
on_tell(void *arg, struct wn_lists *ls, const struct wn_err *err)
{
    struct told *t = arg;

    pthread_mutex_lock(&t->lock);
    t->changes += err == NULL;
    t->errors += err != NULL;
    pthread_cond_signal(&t->cond);
    pthread_mutex_unlock(&t->lock);
}

/* false where it did not come to be within ten seconds. */
static bool
wait_for(struct told *t, int changes, int errors)
{
    struct timespec until;
    bool yes;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&t->lock);
    while (t->changes < changes || t->errors < errors)
        if (pthread_cond_timedwait(&t->cond, &t->lock, &until) != 0)
            break;
    yes = t->changes == changes && t->errors == errors;
    pthread_mutex_unlock(&t->lock);
    return yes;
}

static void
the_watch_tells_changes_and_errors(void **state)
{
    const char *folder = new_folder();
    struct told told = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0,
        0 };
    const struct wn_lists_watch watch = { 5, NULL, on_tell, &told };
    struct wn_lists *ls = NULL;
    struct wn_err err = { "" };

    put_file(folder, "scams.domain", "one.example\n");
    assert_wn_ok(wn_lists_open(&ls, folder, &err), &err);
    assert_wn_ok(wn_lists_watch(ls, &watch, &err), &err);
    put_file(folder, "scams.domain", "second.example\n");
    assert_true(wait_for(&told, 1, 0));
    assert_true(has(ls, "scams", "second.example"));
    put_file(folder, "scams.domain", "no domain\n");
    assert_true(wait_for(&told, 1, 1));
    assert_true(has(ls, "scams", "second.example"));
    wn_lists_free(ls);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_folder_is_read_and_described),
    cmocka_unit_test(a_wrong_folder_is_refused_at_the_start),
    cmocka_unit_test(a_change_comes_in_once_it_stands_still),
    cmocka_unit_test(a_wrong_file_replaces_nothing_and_is_told_once),
    cmocka_unit_test(rules_ask_the_lists_of_their_policy),
    cmocka_unit_test(
        a_list_that_is_not_there_is_found_when_the_policy_is_loaded),
    cmocka_unit_test(the_name_of_a_list_is_written_in_the_rule),
    cmocka_unit_test(lists_are_swapped_while_they_are_read),
    cmocka_unit_test(there_is_a_most_of_lists),
    cmocka_unit_test(the_watch_tells_changes_and_errors),
};
WN_TEST_MAIN("policies_lists", tests)
