/*
 * Options and shipped files, for every subcommand. One thread: the main one.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/tools.h"
#include "core/hash.h"
#include "core/log.h"
#include "model/encoder.h"

extern char **environ;

static enum wn_log_level
log_level(const char *name)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    int i;

    for (i = WN_LOG_DEBUG; i < WN_LOG_ERROR; i++)
        if (strcmp(name, names[i]) == 0)
            break;
    return (enum wn_log_level)i;
}

static bool misused;

bool
wn_cmd_misused(void)
{
    return misused;
}

struct wn_options *
wn_cmd_options(int *argc, char **argv, const char *const *own)
{
    struct wn_options *o = wn_options_new();
    struct wn_err err = { "" };

    if (o == NULL) {
        fprintf(stderr, "winnow %s: out of memory\n", argv[0]);
        return NULL;
    }
    if (wn_options_load(o, argc, argv, own, environ, &err) != WN_OK) {
        misused = wn_options_misused(o);
        if (misused)
            wn_cmd_usage(argv[0], "%s", err.text);
        else
            wn_cmd_fail(WN_EX_CONFIG, argv[0], "%s", err.text);
        wn_options_free(o);
        return NULL;
    }
    if (wn_options_default_hidden() != NULL)
        fprintf(stderr,
            "winnow %s: note: this user may not read %s; it is passed over\n",
            argv[0], wn_options_default_hidden());
    wn_log_setup(log_level(wn_opt_str(o, WN_OPT_LOG_LEVEL)),
        strcmp(wn_opt_str(o, WN_OPT_LOG_FORMAT), "json") == 0);
    wn_hash_setup();
    return o;
}

/* The folder of the running binary, "." where the system does not say. */
static void
binary_folder(char *out, size_t out_bytes)
{
    ssize_t n = readlink("/proc/self/exe", out, out_bytes - 1);
    char *slash;

    if (n <= 0 || (size_t)n >= out_bytes - 1) {
        snprintf(out, out_bytes, ".");
        return;
    }
    out[n] = '\0';
    slash = strrchr(out, '/');
    if (slash != NULL)
        *slash = '\0';
}

/*
 * An installed binary stands in PREFIX/bin, its files in PREFIX/share/winnow
 * (weights/ there, model/weights/ in the source tree). One that was built
 * stands in build/ or, with sanitizers, in a folder of it. What is not there is
 * named as it would be installed, for the error text of whoever opens it.
 */
const char *
wn_cmd_share(const char *rel, char *out, size_t out_bytes)
{
    static const char *const sources[] = { "..", "../.." };
    const char *installed = strncmp(rel, "model/", 6) == 0 ? rel + 6 : rel;
    char folder[PATH_MAX / 2];
    size_t i;

    binary_folder(folder, sizeof(folder));
    snprintf(out, out_bytes, "%s/../share/winnow/%s", folder, installed);
    if (access(out, R_OK) == 0)
        return out;
    for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        snprintf(out, out_bytes, "%s/%s/%s", folder, sources[i], rel);
        if (access(out, R_OK) == 0)
            return out;
    }
    snprintf(out, out_bytes, "%s/../share/winnow/%s", folder, installed);
    return out;
}

const char *
wn_cmd_weights_dir(const struct wn_options *o, char *out, size_t n)
{
    const char *given = wn_opt_str(o, WN_OPT_MODEL_DIR);

    return given[0] != '\0' ? given
                            : wn_cmd_share("model/weights/winnow", out, n);
}

enum wn_status
wn_cmd_fail_file(const struct wn_options *o, enum wn_option id,
    const char *name, const char *path, enum wn_status rc, struct wn_err *err)
{
    const char *where = wn_opt_where(o, id);

    if (rc == WN_OK)
        return rc;
    if (wn_opt_str(o, id)[0] == '\0' && access(path, F_OK) != 0)
        return wn_fail(err, rc,
            "%s is not there: the shipped files are not beside the binary: "
            "set policy.file and model.dir, or make install",
            path);
    if (wn_opt_str(o, id)[0] == '\0')
        return rc;
    if (strncmp(where, "--", 2) == 0)
        return wn_fail_in(err, rc, "%s", where);
    return wn_fail_in(err, rc, "%s (%s)", name, where);
}

enum wn_status
wn_cmd_policy_open(
    struct wn_policy **ret, const struct wn_options *o, struct wn_err *err)
{
    char buf[PATH_MAX];
    const char *path = wn_cmd_policy_path(o, buf, sizeof(buf));

    return wn_cmd_fail_file(o, WN_OPT_POLICY_FILE, "policy.file", path,
        wn_policy_open(ret, path, err), err);
}

static enum wn_status
set_depth(
    struct wn_classifier *c, const struct wn_options *o, struct wn_err *err)
{
    enum wn_status rc =
        wn_classifier_depth(c, wn_opt_str(o, WN_OPT_SCORE_DEPTH), err);

    return rc == WN_OK ? rc : wn_fail_in(err, rc, "option score.depth");
}

enum wn_status
wn_cmd_classifier(struct wn_classifier **ret, const char *dir,
    const struct wn_options *o, struct wn_err *err)
{
    const char *isa = wn_opt_str(o, WN_OPT_KERNELS_ISA);
    const char *precision = wn_opt_str(o, WN_OPT_MODEL_PRECISION);
    struct wn_encoder_conf conf = { WN_ISAS - 1, WN_INT8 };
    struct wn_classifier *c = NULL;
    enum wn_status rc;
    char path[PATH_MAX];
    bool given = dir != NULL;

    for (int i = 0; i < WN_ISAS; i++)
        if (strcmp(isa, wn_isa_names[i]) == 0)
            conf.isa = (enum wn_isa)i;
    for (int i = 0; i < WN_PRECISIONS; i++)
        if (strcmp(precision, wn_precision_names[i]) == 0)
            conf.precision = (enum wn_precision)i;
    if (dir == NULL)
        dir = wn_cmd_weights_dir(o, path, sizeof(path));
    rc = wn_classifier_open(&c, dir, &conf, err);
    if (!given)
        rc = wn_cmd_fail_file(o, WN_OPT_MODEL_DIR, "model.dir", dir, rc, err);
    if (rc == WN_OK)
        rc = set_depth(c, o, err);
    if (rc == WN_OK)
        rc = wn_classifier_cache(
            c, (size_t)wn_opt_int(o, WN_OPT_SCORE_CACHE), err);
    if (rc == WN_OK)
        *ret = c;
    else
        wn_classifier_free(c);
    return rc;
}

const char *
wn_cmd_policy_path(const struct wn_options *o, char *out, size_t n)
{
    const char *given = wn_opt_str(o, WN_OPT_POLICY_FILE);

    return given[0] != '\0' ? given
                            : wn_cmd_share("policies/default.json", out, n);
}
