/*
 * Runs every file of policies/cases: signals in, action, reasons and skipped
 * rules out, as data that a policy owner can read and extend. The format is
 * explained in policies/README.md. Run from the root of the tree.
 */
#include "tests/lib/test.h"

#include <dirent.h>

#include <jansson.h>

#include "policies/policy.h"

#define CASES "policies/cases"
#define FILES_MAX 256

struct names {
    char *v[FILES_MAX];
    size_t n;
};

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
list_files(struct names *ret)
{
    DIR *dir = opendir(CASES);

    if (dir == NULL)
        fail_msg(CASES ": run from the root of the tree");
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        size_t len = strlen(e->d_name);

        if (len < 5 || strcmp(e->d_name + len - 5, ".json") != 0)
            continue;
        assert_in_range(ret->n, 0, FILES_MAX - 1);
        ret->v[ret->n++] = strdup(e->d_name);
    }
    closedir(dir);
    qsort(ret->v, ret->n, sizeof(ret->v[0]), by_name);
}

static json_t *
read_json(const char *path)
{
    json_error_t why;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);

    if (root == NULL)
        fail_msg("%s:%d: %s", path, why.line, why.text);
    return root;
}

/* --- signals from JSON --- */

static struct wn_value value_of(json_t *j, struct wn_arena *arena);

static struct wn_value
list_of(json_t *j, struct wn_arena *arena)
{
    size_t n = json_array_size(j);
    struct wn_value *v = wn_arena_array(arena, n + 1, sizeof(*v));

    assert_non_null(v);
    for (size_t i = 0; i < n; i++)
        v[i] = value_of(json_array_get(j, i), arena);
    return (struct wn_value){ .kind = WN_VALUE_LIST, .list = { v, n } };
}

static struct wn_value
map_of(json_t *j, struct wn_arena *arena)
{
    size_t n = 0, max = json_object_size(j);
    struct wn_str *keys = wn_arena_array(arena, max + 1, sizeof(*keys));
    struct wn_value *v = wn_arena_array(arena, max + 1, sizeof(*v));
    const char *key;
    json_t *member;

    assert_true(keys != NULL && v != NULL);
    json_object_foreach(j, key, member)
    {
        keys[n] = (struct wn_str){ key, strlen(key) };
        v[n++] = value_of(member, arena);
    }
    return (struct wn_value){ .kind = WN_VALUE_MAP, .map = { keys, v, n } };
}

static struct wn_value
value_of(json_t *j, struct wn_arena *arena)
{
    switch (json_typeof(j)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return wn_value_bool(json_is_true(j));
    case JSON_INTEGER:
        return wn_value_int(json_integer_value(j));
    case JSON_REAL:
        return wn_value_double(json_real_value(j));
    case JSON_STRING:
        return wn_value_str(json_string_value(j), json_string_length(j));
    case JSON_ARRAY:
        return list_of(j, arena);
    case JSON_OBJECT:
        return map_of(j, arena);
    case JSON_NULL:
        break;
    }
    return (struct wn_value){ .kind = WN_VALUE_NULL };
}

static enum wn_value_kind
kind_of(enum wn_signal_type type)
{
    static const enum wn_value_kind kinds[] = {
        [WN_TYPE_BOOL] = WN_VALUE_BOOL,
        [WN_TYPE_INT] = WN_VALUE_INT,
        [WN_TYPE_DOUBLE] = WN_VALUE_DOUBLE,
        [WN_TYPE_STRING] = WN_VALUE_STRING,
        [WN_TYPE_LIST] = WN_VALUE_LIST,
        [WN_TYPE_MAP] = WN_VALUE_MAP,
    };
    return kinds[type];
}

/* null takes a signal of the base away. */
static void
set_signals(const char *where, json_t *from, struct wn_signals *sig,
    struct wn_arena *arena)
{
    const char *name;
    json_t *j;

    json_object_foreach(from, name, j)
    {
        enum wn_signal s = wn_signal_find(name, strlen(name));
        struct wn_value v = value_of(j, arena);

        if (s == WN_SIG_COUNT)
            fail_msg("%s: no such signal: %s", where, name);
        if (v.kind == WN_VALUE_NULL)
            v.kind = WN_VALUE_UNKNOWN;
        else if (v.kind == WN_VALUE_INT &&
                 wn_signal_table[s].type == WN_TYPE_DOUBLE)
            v = wn_value_double((double)v.i);
        if (v.kind != WN_VALUE_UNKNOWN &&
            v.kind != kind_of(wn_signal_table[s].type))
            fail_msg("%s: %s is a %s", where, name,
                wn_signal_type_name(wn_signal_table[s].type));
        sig->v[s] = v;
    }
}

/* --- what came out --- */

static json_t *
ids_of_reasons(const struct wn_verdict *v)
{
    json_t *a = json_array();

    for (size_t i = 0; i < v->reasons_n; i++)
        json_array_append_new(
            a, json_stringn(v->reasons[i].rule.p, v->reasons[i].rule.len));
    return a;
}

static json_t *
ids_of_skipped(const struct wn_verdict *v)
{
    json_t *a = json_array();

    for (size_t i = 0; i < v->skipped_n; i++)
        json_array_append_new(
            a, json_stringn(v->skipped[i].p, v->skipped[i].len));
    return a;
}

static void
expect_ids(const char *where, const char *what, json_t *want, json_t *got)
{
    char *w, *g;

    if (!json_is_array(want))
        fail_msg("%s: '%s' is not a list of rule ids", where, what);
    if (!json_equal(want, got)) {
        w = json_dumps(want, 0);
        g = json_dumps(got, 0);
        fail_msg("%s: %s\n  want %s\n  got  %s", where, what, w, g);
    }
    json_decref(got);
}

/* "texts": what the reason of a rule says, for the rules that are named. */
static void
expect_texts(const char *where, json_t *texts, const struct wn_verdict *v)
{
    const char *id;
    json_t *want;

    json_object_foreach(texts, id, want)
    {
        const struct wn_reason *r = NULL;

        for (size_t i = 0; i < v->reasons_n; i++)
            if (v->reasons[i].rule.len == strlen(id) &&
                memcmp(v->reasons[i].rule.p, id, strlen(id)) == 0)
                r = &v->reasons[i];
        if (r == NULL)
            fail_msg("%s: no reason of rule %s", where, id);
        if (r->text.len != json_string_length(want) ||
            memcmp(r->text.p, json_string_value(want), r->text.len) != 0)
            fail_msg("%s: text of %s\n  want %s\n  got  %.*s", where, id,
                json_string_value(want), (int)r->text.len, r->text.p);
    }
}

static void
check_members(const char *where, json_t *object, const char *const *known)
{
    const char *key;
    json_t *j;

    json_object_foreach(object, key, j)
    {
        size_t i = 0;

        while (known[i] != NULL && strcmp(known[i], key) != 0)
            i++;
        if (known[i] == NULL)
            fail_msg("%s: unknown member '%s'", where, key);
    }
}

static void
run_case(const char *file, json_t *root, json_t *c, const struct wn_policy *p)
{
    static const char *const known[] = { "name", "signals", "action", "reasons",
        "skipped", "texts", NULL };
    const char *name = json_string_value(json_object_get(c, "name"));
    const char *action = json_string_value(json_object_get(c, "action"));
    struct wn_signals sig;
    struct wn_arena arena;
    struct wn_verdict v;
    char where[512];

    snprintf(where, sizeof(where), "%s: %s", file, name);
    if (name == NULL || action == NULL)
        fail_msg("%s: a case has a name and an action", where);
    check_members(where, c, known);
    memset(&sig, 0, sizeof(sig));
    wn_arena_init(&arena, 4096, 1u << 20);
    set_signals(where, json_object_get(root, "base"), &sig, &arena);
    set_signals(where, json_object_get(c, "signals"), &sig, &arena);
    wn_policy_eval(p, &sig, &arena, &v);
    if (strcmp(wn_action_names[v.action], action) != 0)
        fail_msg("%s: action\n  want %s\n  got  %s", where, action,
            wn_action_names[v.action]);
    expect_ids(
        where, "reasons", json_object_get(c, "reasons"), ids_of_reasons(&v));
    expect_ids(
        where, "skipped", json_object_get(c, "skipped"), ids_of_skipped(&v));
    expect_texts(where, json_object_get(c, "texts"), &v);
    wn_arena_release(&arena);
}

static struct wn_policy *
load_policy(const char *file, json_t *root)
{
    json_t *j = json_object_get(root, "policy");
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };
    char path[512], *text;

    if (json_is_string(j)) {
        snprintf(path, sizeof(path), "%s/%s", CASES, json_string_value(j));
        assert_wn_ok(wn_policy_open(&p, path, &err), &err);
        return p;
    }
    text = json_dumps(j, 0);
    if (text == NULL)
        fail_msg("%s: 'policy' is a file or a policy", file);
    assert_wn_ok(wn_policy_load(&p, text, strlen(text), file, &err), &err);
    free(text);
    return p;
}

static size_t
run_file(const char *file)
{
    static const char *const known[] = { "policy", "base", "cases", NULL };
    char path[512];
    struct wn_policy *p;
    json_t *root, *cases, *c;
    size_t i, n;

    snprintf(path, sizeof(path), "%s/%s", CASES, file);
    root = read_json(path);
    check_members(file, root, known);
    cases = json_object_get(root, "cases");
    n = json_array_size(cases);
    if (n == 0)
        fail_msg("%s: no cases", file);
    p = load_policy(file, root);
    json_array_foreach(cases, i, c) run_case(file, root, c, p);
    wn_policy_free(p);
    json_decref(root);
    return n;
}

static void
every_case_of_the_shipped_files_comes_out_as_written(void **state)
{
    struct names files = { .n = 0 };
    size_t cases = 0;

    list_files(&files);
    for (size_t i = 0; i < files.n; i++) {
        cases += run_file(files.v[i]);
        free(files.v[i]);
    }
    /* None may get lost with a file that is not found. */
    assert_in_range(cases, 40, 1000000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_case_of_the_shipped_files_comes_out_as_written),
};
WN_TEST_MAIN("policies_cases", tests)
