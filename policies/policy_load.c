/*
 * A policy file: JSON to checked rules.
 *
 * Files are written by people: every error names the rule by its id and its
 * place, and the nearest known word where one is not known. What this version
 * cannot do (quotas, shadow rules) is refused, never ignored: a quota that is
 * accepted and not applied would be a lie to the one who relies on it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "policies/policy_int.h"

#define POLICY_ARENA_MAX ((size_t)512 << 20)
#define POLICY_BLOCK (64u << 10)
#define NAME_MAX_BYTES 64

/*
 * Operations of one policy that may read a whole text, at most about 1 MiB
 * each: what a hostile post can make one evaluation cost.
 */
#define SCANS_MAX 1024

struct loader {
    const char *name; /* of the file, for errors */
    struct wn_policy *p;
    struct wn_cel_var vars[WN_SIG_COUNT];
    struct wn_cel_env env;
    size_t scans;
    struct wn_err *err;
};

/* --- members --- */

static const char *const policy_members[] = { "policy", "version", "rules",
    "quotas" };
static const char *const rule_members[] = { "id", "when", "action", "category",
    "reason", "mode", "rollout" };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *
word_at(const void *names, size_t i)
{
    return ((const char *const *)names)[i];
}

/* "a, b, c" */
static const char *
word_list(const char *const *words, size_t n, char *out, size_t out_bytes)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n && len < out_bytes; i++)
        len += (size_t)snprintf(
            out + len, out_bytes - len, "%s%s", i == 0 ? "" : ", ", words[i]);
    return out;
}

/* "x is not ...; did you mean y?" for a word of a fixed set. */
static enum wn_status
fail_word(struct loader *ld, const char *what, const char *word,
    const char *const *words, size_t n)
{
    const char *near = wn_suggest(word, strlen(word), word_at, words, n);
    char shown[41], list[128];
    size_t i = 0;

    for (; i < sizeof(shown) - 1 && word[i] != '\0'; i++)
        shown[i] = (char)(word[i] < ' ' || word[i] == 0x7f ? '?' : word[i]);
    shown[i] = '\0'; /* plain ASCII: an error is one line */
    if (near == NULL)
        return wn_fail(ld->err, WN_REJECT, "unknown %s '%s': one of %s", what,
            shown, word_list(words, n, list, sizeof(list)));
    return wn_fail(ld->err, WN_REJECT, "unknown %s '%s'; did you mean '%s'?",
        what, shown, near);
}

static bool
word_in(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static enum wn_status
check_members(
    struct loader *ld, json_t *object, const char *const *words, size_t n)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (!word_in(key, words, n))
            return fail_word(ld, "member", key, words, n);
    }
    return WN_OK;
}

/* A required string, copied into the policy. */
static enum wn_status
get_string(struct loader *ld, struct wn_str *ret, json_t *object,
    const char *key, size_t len_max)
{
    json_t *v = json_object_get(object, key);
    size_t len;
    char *p;

    if (v == NULL)
        return wn_fail(ld->err, WN_REJECT, "member '%s' is missing", key);
    if (!json_is_string(v))
        return wn_fail(ld->err, WN_REJECT, "'%s' is not a string", key);
    len = json_string_length(v);
    if (len == 0 || len > len_max)
        return wn_fail(ld->err, WN_REJECT, "'%s' has 1 to %zu bytes, not %zu",
            key, len_max, len);
    p = wn_arena_strndup(&ld->p->arena, json_string_value(v), len);
    if (p == NULL)
        return wn_fail(ld->err, WN_STOP, "policy: out of memory");
    *ret = (struct wn_str){ p, len };
    return WN_OK;
}

/* Ids stand in verdicts, metrics and logs: no blanks, no quotes. */
static enum wn_status
get_name(struct loader *ld, struct wn_str *ret, json_t *object, const char *key)
{
    static const char ok[] = "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    struct wn_str s = { NULL, 0 };
    enum wn_status rc = get_string(ld, &s, object, key, NAME_MAX_BYTES);

    if (rc == WN_OK && strspn(s.p, ok) != s.len)
        return wn_fail(ld->err, WN_REJECT,
            "'%s' may hold letters, digits, '-', '_' and '.' only", key);
    if (rc == WN_OK)
        *ret = s;
    return rc;
}

/* --- one rule --- */

static enum wn_status
get_action(struct loader *ld, struct wn_rule *rule, json_t *object)
{
    struct wn_str s;
    enum wn_status rc = get_string(ld, &s, object, "action", NAME_MAX_BYTES);

    if (rc != WN_OK)
        return rc;
    for (int a = 0; a < WN_ACTIONS; a++) {
        if (strcmp(s.p, wn_action_names[a]) == 0) {
            rule->action = (enum wn_action)a;
            return WN_OK;
        }
    }
    return fail_word(ld, "action", s.p, wn_action_names, WN_ACTIONS);
}

static enum wn_status
get_mode(struct loader *ld, struct wn_rule *rule, json_t *object)
{
    static const char *const modes[] = { "enforce", "off", "shadow" };
    struct wn_str s;
    enum wn_status rc;

    rule->mode = WN_RULE_ENFORCE;
    if (json_object_get(object, "mode") == NULL)
        return WN_OK;
    rc = get_string(ld, &s, object, "mode", NAME_MAX_BYTES);
    if (rc != WN_OK)
        return rc;
    if (strcmp(s.p, "shadow") == 0)
        return wn_fail(ld->err, WN_REJECT,
            "mode 'shadow' is not supported by this version: use 'off'");
    if (!word_in(s.p, modes, COUNT(modes)))
        return fail_word(ld, "mode", s.p, modes, COUNT(modes));
    if (strcmp(s.p, "off") == 0)
        rule->mode = WN_RULE_OFF;
    return WN_OK;
}

static enum wn_status
get_rollout(struct loader *ld, struct wn_rule *rule, json_t *object)
{
    json_t *v = json_object_get(object, "rollout");

    rule->rollout = 100;
    rule->rollout_seed = wn_hash64(rule->id.p, rule->id.len, 0);
    if (v == NULL)
        return WN_OK;
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        json_integer_value(v) > 100)
        return wn_fail(ld->err, WN_REJECT,
            "'rollout' is a whole number of percent, 0 to 100");
    rule->rollout = (unsigned)json_integer_value(v);
    return WN_OK;
}

static enum wn_status
get_when(struct loader *ld, struct wn_rule *rule, json_t *object)
{
    char text[64];
    enum wn_status rc =
        get_string(ld, &rule->when_text, object, "when", WN_CEL_SOURCE_MAX);

    if (rc == WN_OK)
        rc = wn_cel_compile(&rule->when, &ld->p->arena, rule->when_text.p,
            rule->when_text.len, "when", &ld->env, &ld->scans, ld->err);
    if (rc != WN_OK)
        return rc;
    if (rule->when->type->kind != WN_CEL_BOOL &&
        rule->when->type->kind != WN_CEL_DYN)
        return wn_fail(ld->err, WN_REJECT,
            "column 1 of when: a condition is a bool, this is %s",
            wn_cel_type_text(rule->when->type, text, sizeof(text)));
    if (ld->scans > SCANS_MAX)
        return wn_fail(ld->err, WN_REJECT,
            "the policy may cost too much: more than %d operations so far "
            "that read a whole text or list",
            SCANS_MAX);
    return WN_OK;
}

static enum wn_status
get_reason(struct loader *ld, struct wn_rule *rule, json_t *object)
{
    struct wn_str s;
    enum wn_status rc =
        get_string(ld, &s, object, "reason", WN_REASON_BYTES_MAX);

    if (rc != WN_OK)
        return rc;
    return wn_reason_parse(&rule->reason, &ld->p->arena, s.p, s.len, ld->err);
}

/* The id first: later errors name the rule by it. */
static enum wn_status
get_rule(struct loader *ld, struct wn_rule *rule, json_t *object)
{
    enum wn_status rc;

    if (!json_is_object(object))
        return wn_fail(ld->err, WN_REJECT, "a rule is an object");
    rc = get_name(ld, &rule->id, object, "id");
    if (rc == WN_OK)
        rc = check_members(ld, object, rule_members, COUNT(rule_members));
    if (rc == WN_OK)
        rc = get_action(ld, rule, object);
    if (rc == WN_OK)
        rc = get_name(ld, &rule->category, object, "category");
    if (rc == WN_OK)
        rc = get_mode(ld, rule, object);
    if (rc == WN_OK)
        rc = get_rollout(ld, rule, object);
    if (rc == WN_OK)
        rc = get_reason(ld, rule, object);
    return rc == WN_OK ? get_when(ld, rule, object) : rc;
}

/* --- all rules --- */

static const char *
ordinal_suffix(size_t n)
{
    static const char *const suffixes[] = { "th", "st", "nd", "rd" };

    return n % 10 > 3 || n % 100 / 10 == 1 ? "th" : suffixes[n % 10];
}

static enum wn_status
fail_rule(
    struct loader *ld, const struct wn_rule *rule, size_t n, enum wn_status rc)
{
    const char *suffix = ordinal_suffix(n);

    if (rule->id.len == 0)
        return wn_fail_in(ld->err, rc, "%s: %zu%s rule", ld->name, n, suffix);
    return wn_fail_in(
        ld->err, rc, "%s: rule '%s' (%zu%s)", ld->name, rule->id.p, n, suffix);
}

static int
by_id(const void *a, const void *b)
{
    const struct wn_rule *x = *(const struct wn_rule *const *)a;
    const struct wn_rule *y = *(const struct wn_rule *const *)b;
    int c = strcmp(x->id.p, y->id.p);

    if (c != 0)
        return c;
    return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

static enum wn_status
check_ids(struct loader *ld)
{
    size_t n = ld->p->rules_n;
    const struct wn_rule **sorted =
        wn_arena_array(&ld->p->arena, n + 1, sizeof(*sorted));

    if (sorted == NULL)
        return wn_fail(ld->err, WN_STOP, "policy: out of memory");
    for (size_t i = 0; i < n; i++)
        sorted[i] = &ld->p->rules[i];
    qsort(sorted, n, sizeof(*sorted), by_id);
    for (size_t i = 1; i < n; i++) {
        const struct wn_rule *a = sorted[i - 1], *b = sorted[i];

        if (strcmp(a->id.p, b->id.p) == 0)
            return wn_fail(ld->err, WN_REJECT,
                "%s: rule '%s' (%zu%s): the %zu%s rule has this id too",
                ld->name, b->id.p, b->ordinal, ordinal_suffix(b->ordinal),
                a->ordinal, ordinal_suffix(a->ordinal));
    }
    return WN_OK;
}

static enum wn_status
get_rules(struct loader *ld, json_t *root)
{
    json_t *rules = json_object_get(root, "rules");
    size_t n = json_array_size(rules);

    if (!json_is_array(rules))
        return wn_fail(ld->err, WN_REJECT, "%s: 'rules' is %s", ld->name,
            rules == NULL ? "missing" : "not an array");
    if (n > WN_POLICY_RULES_MAX)
        return wn_fail(ld->err, WN_REJECT, "%s: %zu rules, at most %d",
            ld->name, n, WN_POLICY_RULES_MAX);
    ld->p->rules = wn_arena_array(&ld->p->arena, n + 1, sizeof(*ld->p->rules));
    if (ld->p->rules == NULL)
        return wn_fail(ld->err, WN_STOP, "policy: out of memory");
    for (size_t i = 0; i < n; i++) {
        struct wn_rule *rule = &ld->p->rules[i];
        enum wn_status rc;

        *rule = (struct wn_rule){ .ordinal = i + 1 };
        rc = get_rule(ld, rule, json_array_get(rules, i));
        if (rc != WN_OK)
            return fail_rule(ld, rule, i + 1, rc);
        ld->p->rules_n++;
    }
    return check_ids(ld);
}

/* --- the document --- */

static enum wn_status
get_header(struct loader *ld, json_t *root, const char *json, size_t len)
{
    struct wn_str name, version;
    uint8_t hash[WN_SHA256];
    char hex[2 * 8 + 1];
    enum wn_status rc;

    if (!json_is_object(root))
        return wn_fail(ld->err, WN_REJECT, "a policy is an object");
    rc = check_members(ld, root, policy_members, COUNT(policy_members));
    if (rc == WN_OK && json_object_get(root, "quotas") != NULL)
        rc = wn_fail(
            ld->err, WN_REJECT, "quotas are not supported by this version");
    if (rc == WN_OK)
        rc = get_name(ld, &name, root, "policy");
    if (rc == WN_OK)
        rc = get_name(ld, &version, root, "version");
    if (rc != WN_OK)
        return rc;
    wn_sha256(json, len, hash);
    wn_hex(hash, 8, hex);
    ld->p->version =
        wn_arena_printf(&ld->p->arena, "%s/%s@%s", name.p, version.p, hex);
    if (ld->p->version == NULL)
        return wn_fail(ld->err, WN_STOP, "policy: out of memory");
    return WN_OK;
}

/* Every signal is a variable, by its number. */
static void
fill_env(struct loader *ld)
{
    for (size_t i = 0; i < WN_SIG_COUNT; i++) {
        ld->vars[i].name = wn_signal_table[i].name;
        ld->vars[i].type = wn_cel_signal_type(wn_signal_table[i].type);
    }
    ld->env = (struct wn_cel_env){ .vars = ld->vars, .n = WN_SIG_COUNT };
}

/* Whether the parser stopped behind a closing bracket that a comma precedes. */
static bool
is_trailing_comma(const char *json, size_t len, int position)
{
    size_t at = position > 0 ? (size_t)position : 0;

    if (at == 0 || at > len || memchr("]}", json[at - 1], 2) == NULL)
        return false;
    for (at--; at > 0 && memchr(" \t\r\n", json[at - 1], 4) != NULL; at--)
        ;
    return at > 0 && json[at - 1] == ',';
}

static enum wn_status
load_root(struct loader *ld, const char *json, size_t len)
{
    size_t mark = len >= 3 && memcmp(json, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    json_error_t why; /* the mark: some editors put it first */
    json_t *root =
        json_loadb(json + mark, len - mark, JSON_REJECT_DUPLICATES, &why);
    enum wn_status rc;

    if (root == NULL)
        return wn_fail(ld->err, WN_REJECT, "%s: line %d column %d: %.160s%s",
            ld->name, why.line, why.column, why.text,
            is_trailing_comma(json + mark, len - mark, why.position)
                ? " (the comma before it has nothing behind it: take it out)"
                : "");
    rc = get_header(ld, root, json, len);
    if (rc != WN_OK)
        wn_fail_in(ld->err, rc, "%s", ld->name);
    else
        rc = get_rules(ld, root);
    json_decref(root);
    return rc;
}

enum wn_status
wn_policy_load(struct wn_policy **ret, const char *json, size_t len,
    const char *name, struct wn_err *err)
{
    struct loader ld = { .name = name, .err = err };
    enum wn_status rc;

    if (len > WN_POLICY_BYTES_MAX)
        return wn_fail(err, WN_REJECT, "%s: larger than %u bytes", name,
            WN_POLICY_BYTES_MAX);
    ld.p = calloc(1, sizeof(*ld.p));
    if (ld.p == NULL)
        return wn_fail(err, WN_STOP, "policy: out of memory");
    wn_arena_init(&ld.p->arena, POLICY_BLOCK, POLICY_ARENA_MAX);
    fill_env(&ld);
    rc = load_root(&ld, json, len);
    if (rc != WN_OK)
        goto out;
    *ret = ld.p;
    ld.p = NULL;
out:
    wn_policy_free(ld.p);
    return rc;
}

/* One byte more than allowed is read, so that too much is seen. */
static enum wn_status
read_file(
    FILE *f, const char *path, char *buf, size_t *ret_len, struct wn_err *err)
{
    size_t n = fread(buf, 1, WN_POLICY_BYTES_MAX + 1u, f);

    if (ferror(f))
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    *ret_len = n;
    return WN_OK;
}

enum wn_status
wn_policy_open(struct wn_policy **ret, const char *path, struct wn_err *err)
{
    FILE *f = NULL;
    char *buf = NULL;
    size_t len = 0;
    enum wn_status rc;

    f = fopen(path, "rbe");
    if (f == NULL) {
        rc = wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
        goto out;
    }
    buf = malloc(WN_POLICY_BYTES_MAX + 1u);
    if (buf == NULL) {
        rc = wn_fail(err, WN_STOP, "policy: out of memory");
        goto out;
    }
    rc = read_file(f, path, buf, &len, err);
    if (rc == WN_OK)
        rc = wn_policy_load(ret, buf, len, path, err);
out:
    free(buf);
    if (f != NULL)
        fclose(f);
    return rc;
}

void
wn_policy_free(struct wn_policy *p)
{
    if (p == NULL)
        return;
    wn_arena_release(&p->arena);
    free(p);
}
