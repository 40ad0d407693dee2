/*
 * winnow policy: checks a policy file, shows the one that would be live.
 *
 * A policy that is wrong is exit 78, as everywhere a configuration is wrong;
 * 1 is kept for "could not be tried".
 */
#include <limits.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/tools.h"
#include "core/signals.h"
#include "core/suggest.h"
#include "policies/policy.h"

static const char usage[] =
    "Usage: winnow policy check FILE\n"
    "       winnow policy show [FILE]\n"
    "       winnow policy signals [--json]\n"
    "\n"
    "check    parses FILE, checks the type of every rule against the signals\n"
    "         catalogue, and prints OK with the table of its rules; or the "
    "place\n"
    "         and cause of the first error, with exit status 78\n"
    "show     prints the table of FILE, or of the policy that `winnow run` "
    "would "
    "use\n"
    "signals  every fact that a rule may ask for: name, type, unit, meaning,\n"
    "         and whether a reason may quote it\n";

static void
print(struct wn_policy *p, const char *path, const char *ok)
{
    struct wn_buf out;
    size_t n = wn_policy_rules(p);

    wn_buf_init(&out, 16u << 20);
    wn_policy_describe(p, &out);
    printf("%s%s: %s, %zu rule%s\n", ok, path, wn_policy_version(p), n,
        n == 1 ? "" : "s");
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
    if (n == 0)
        wn_cmd_fail(0, "policy", "warning: no rules: every post is allowed");
}

/* The FILE of check and of show. */
static int
show_file(const char *path, const char *ok)
{
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };

    if (wn_policy_open(&p, path, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "policy", "%s", err.text);
    print(p, path, ok);
    wn_policy_free(p);
    return 0;
}

/* The one that `winnow run` would use. */
static int
show_live(const struct wn_options *o)
{
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };
    char path[PATH_MAX];

    if (wn_cmd_policy_open(&p, o, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "policy", "%s", err.text);
    print(p, wn_cmd_policy_path(o, path, sizeof(path)), "");
    wn_policy_free(p);
    return 0;
}

/* --- the signals catalogue --- */

/* A reason outlives the post: it quotes what is kept with the verdict, and
 * one value, no list. */
static bool
is_quotable(const struct wn_signal_info *s)
{
    return s->keep == WN_KEEP_VERDICT && s->type != WN_TYPE_LIST &&
           s->type != WN_TYPE_MAP;
}

static void
print_signals(void)
{
    printf("%-18s  %-6s  %-11s  %-6s  %s\n", "signal", "type", "unit", "reason",
        "meaning");
    for (int i = 0; i < WN_SIG_COUNT; i++) {
        const struct wn_signal_info *s = &wn_signal_table[i];

        printf("%-18s  %-6s  %-11s  %-6s  %s\n", s->name,
            wn_signal_type_name(s->type), s->unit, is_quotable(s) ? "yes" : "-",
            s->meaning);
    }
    printf("\nreason: whether a rule's reason may quote it, as "
           "{author.age_days}.\npost.extra.NAME is a member of the post that "
           "your platform sent besides.\n");
}

static int
print_signals_json(void)
{
    struct wn_buf out;
    int rc = 0;

    wn_buf_init(&out, 1u << 20);
    for (int i = 0; i < WN_SIG_COUNT; i++) {
        const struct wn_signal_info *s = &wn_signal_table[i];

        wn_buf_printf(&out,
            "%s{\"name\":\"%s\",\"type\":\"%s\",\"unit\":\"%s\","
            "\"reason\":%s,\"meaning\":",
            i == 0 ? "[" : ",\n ", s->name, wn_signal_type_name(s->type),
            s->unit, is_quotable(s) ? "true" : "false");
        wn_buf_json(&out, s->meaning, strlen(s->meaning));
        wn_buf_char(&out, '}');
    }
    wn_buf_str(&out, "]\n");
    if (out.failed)
        rc = wn_cmd_fail(1, "policy", "out of memory");
    else
        fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
    return rc;
}

static int
signals(bool json)
{
    if (json)
        return print_signals_json();
    print_signals();
    return 0;
}

/* --- the subcommand --- */

static const char *const verbs[] = { "check", "show", "signals" };

static const char *
verb_at(const void *names, size_t i)
{
    return ((const char *const *)names)[i];
}

static int
misused(int argc, char **argv)
{
    const char *near = NULL;

    for (size_t i = 0; argc > 1 && i < 3; i++)
        if (strcmp(argv[1], verbs[i]) == 0)
            argc = 0;
    if (argc > 1)
        near = wn_suggest(argv[1], strlen(argv[1]), verb_at, verbs, 3);
    if (near != NULL)
        return wn_cmd_usage(
            "policy", "'%.40s' is unknown; did you mean '%s'?", argv[1], near);
    return wn_cmd_usage(
        "policy", "say check FILE, show [FILE] or signals [--json]");
}

int
wn_cmd_policy(int argc, char **argv)
{
    static const char *const prefixes[] = { "policy.", NULL };
    static const char *const own[] = { "--json", NULL };
    struct wn_options *o;
    bool json;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, own);
    if (o == NULL)
        return WN_EX_CONFIG;
    json = wn_cmd_take_switch(&argc, argv, "--json");
    if (argc == 2 && strcmp(argv[1], "signals") == 0)
        rc = signals(json);
    else if (json)
        rc = wn_cmd_usage("policy", "--json is for signals");
    else if (argc == 3 && strcmp(argv[1], "check") == 0)
        rc = show_file(argv[2], "OK ");
    else if (argc == 3 && strcmp(argv[1], "show") == 0)
        rc = show_file(argv[2], "");
    else if (argc == 2 && strcmp(argv[1], "show") == 0)
        rc = show_live(o);
    else
        rc = misused(argc, argv);
    wn_options_free(o);
    return rc;
}
