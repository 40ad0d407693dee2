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
    "       winnow policy show [--policy.file=FILE]\n"
    "\n"
    "check  parses FILE, checks the type of every rule against the signals\n"
    "       catalogue, and prints OK with the table of its rules; or the "
    "place\n"
    "       and cause of the first error, with exit status 78\n"
    "show   does the same for the policy that `winnow run` would use\n";

static int
show(const char *path, bool ok_line)
{
    struct wn_policy *p = NULL;
    struct wn_err err = { "" };
    struct wn_buf out;

    if (wn_policy_open(&p, path, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "policy", "%s", err.text);
    wn_buf_init(&out, 16u << 20);
    wn_policy_describe(p, &out);
    if (ok_line)
        printf("OK %s: %s, %zu rules\n", path, wn_policy_version(p),
            wn_policy_rules(p));
    else
        printf("%s: %s, %zu rules\n", path, wn_policy_version(p),
            wn_policy_rules(p));
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
    wn_policy_free(p);
    return 0;
}

int
wn_cmd_policy(int argc, char **argv)
{
    static const char *const prefixes[] = { "policy.", NULL };
    struct wn_options *o;
    char path[PATH_MAX];
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, NULL);
    if (o == NULL)
        return WN_EX_CONFIG;
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        rc = show(argv[2], true);
    else if (argc == 2 && strcmp(argv[1], "show") == 0)
        rc = show(wn_cmd_policy_path(o, path, sizeof(path)), false);
    else
        rc = wn_cmd_usage("policy", "say check FILE, or show");
    wn_options_free(o);
    return rc;
}
