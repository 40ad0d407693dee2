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
#include "policies/policy.h"

static const char usage[] =
    "Usage: winnow policy check FILE\n"
    "       winnow policy show [FILE]\n"
    "\n"
    "check  parses FILE, checks the type of every rule against the signals\n"
    "       catalogue, and prints OK with the table of its rules; or the "
    "place\n"
    "       and cause of the first error, with exit status 78\n"
    "show   prints the table of FILE, or of the policy that `winnow run` would "
    "use\n";

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

int
wn_cmd_policy(int argc, char **argv)
{
    static const char *const prefixes[] = { "policy.", NULL };
    struct wn_options *o;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, NULL);
    if (o == NULL)
        return WN_EX_CONFIG;
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        rc = show_file(argv[2], "OK ");
    else if (argc == 3 && strcmp(argv[1], "show") == 0)
        rc = show_file(argv[2], "");
    else if (argc == 2 && strcmp(argv[1], "show") == 0)
        rc = show_live(o);
    else
        rc = wn_cmd_usage("policy", "say check FILE, or show [FILE]");
    wn_options_free(o);
    return rc;
}
