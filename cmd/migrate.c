/* winnow migrate: brings the database to the schema of this build. */
#include "cmd/cmd.h"
#include "cmd/tools.h"

static const char usage[] =
    "Usage: winnow migrate [--database.url=URL]\n"
    "\n"
    "Applies the migrations that the database lacks, each in a transaction of\n"
    "its own, under an advisory lock: two at once are safe, and a second run\n"
    "changes nothing. Connect as a role that may create roles and tables; the\n"
    "worker itself needs less (deploy/README.md).\n";

static void
print_step(void *arg, int version, const char *name)
{
    printf("migrate: %04d %s\n", version, name);
    fflush(stdout);
}

int
wn_cmd_migrate(int argc, char **argv)
{
    static const char *const prefixes[] = { "database.", "log.", NULL };
    struct wn_options *o;
    struct wn_err err = { "" };
    const char *url;
    int applied = 0, rc = 1;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, NULL);
    if (o == NULL)
        return WN_EX_CONFIG;
    if (argc > 1) {
        rc = wn_cmd_usage("migrate", "what is '%s' for?", argv[1]);
        goto out;
    }
    url = wn_cmd_database(o, "migrate");
    if (url == NULL) {
        rc = WN_EX_CONFIG;
        goto out;
    }
    if (wn_migrate(url, print_step, NULL, &applied, &err) != WN_OK) {
        wn_cmd_fail(1, "migrate", "%s", err.text);
        goto out;
    }
    if (applied == 0)
        printf("migrate: nothing to do, the schema is at version %d\n",
            wn_schema_version());
    else
        printf("migrate: %d applied, the schema is at version %d\n", applied,
            wn_schema_version());
    rc = 0;
out:
    wn_options_free(o);
    return rc;
}
