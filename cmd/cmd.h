/*
 * Subcommands of `winnow`: one file each, cmd/<name>.c. main.c holds the table.
 *
 * Each gets its own argv (argv[0] is its name), prints its --help itself, and
 * returns the exit status: 0, 1 (it did not work), 2 (bad usage), 78
 * (EX_CONFIG: an option, a policy or weights are wrong; nothing was touched).
 */
#ifndef WN_CMD_CMD_H
#define WN_CMD_CMD_H

#include "classifier/classifier.h"
#include "core/options.h"
#include "policies/policy.h"

int wn_cmd_run(int argc, char **argv);
int wn_cmd_score(int argc, char **argv);
int wn_cmd_eval(int argc, char **argv);
int wn_cmd_model(int argc, char **argv);
int wn_cmd_train(int argc, char **argv);
int wn_cmd_migrate(int argc, char **argv);
int wn_cmd_policy(int argc, char **argv);
int wn_cmd_list(int argc, char **argv);
int wn_cmd_review(int argc, char **argv);
int wn_cmd_status(int argc, char **argv);

#define WN_EX_CONFIG 78

/* cmd/common.c: options of file, environment and flags, log set up by them;
 * prints the error and returns NULL on failure. `own` as in
 * wn_options_load(). The subcommand then returns WN_EX_CONFIG, and main() makes
 * it 2 where wn_cmd_misused() says that the command line itself was wrong. */
struct wn_options *wn_cmd_options(
    int *argc, char **argv, const char *const *own);
bool wn_cmd_misused(void);
/* Shipped files: beside the build (build/../<rel>) or PREFIX/share/winnow. */
const char *wn_cmd_share(const char *rel, char *out, size_t out_bytes);
/* model.dir and policy.file, or what is shipped. */
const char *wn_cmd_weights_dir(const struct wn_options *o, char *out, size_t n)
    __attribute__((warn_unused_result));
/* Opens weights, with their cache, to run as model.precision and kernels.isa
 * say; dir NULL: those of wn_cmd_weights_dir(). */
enum wn_status wn_cmd_classifier(struct wn_classifier **ret, const char *dir,
    const struct wn_options *o, struct wn_err *err);
/* The error of a file that the option names, so that it begins with where that
 * was said; files that nobody named are the shipped ones. */
enum wn_status wn_cmd_fail_file(const struct wn_options *o, enum wn_option id,
    const char *name, const char *path, enum wn_status rc, struct wn_err *err);
/* Opens that policy; its errors begin with where policy.file was set. */
enum wn_status wn_cmd_policy_open(
    struct wn_policy **ret, const struct wn_options *o, struct wn_err *err);
const char *wn_cmd_policy_path(const struct wn_options *o, char *out, size_t n)
    __attribute__((warn_unused_result));

#endif
