/* winnow model: describes weights, compares two, writes the card. */
#include <limits.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"
#include "core/suggest.h"

#define KIND_DROP 0.05
#define THREADS_MAX 256

static const char usage[] =
    "Usage: winnow model info [DIR] [--json]\n"
    "       winnow model compare A B DATA... [--kind-drop P] [--json FILE] "
    "[OPTIONS]\n"
    "       winnow model card DIR [--print]\n"
    "\n"
    "info     what is in a folder of weights (DIR, or those in use): shape,\n"
    "         family, tokenizer, heads, thresholds, text version, size and "
    "hash of\n"
    "         each file; status 78 where they cannot be used, with the "
    "reason\n"
    "compare  whether B may take the place of A. Each is a folder of "
    "weights, or\n"
    "         scores of DATA that `winnow eval --scores` kept. Status 0 only "
    "if B is\n"
    "         not worse, by these rules, each model at its own thresholds:\n"
    "           1. no head's recall is lower, outside the 95 % interval of "
    "the\n"
    "              difference (1,000 resamples of the same texts for both)\n"
    "           2. no head flags more of its negatives, and B does not flag "
    "more of\n"
    "              the benign rows by any head, outside that interval\n"
    "           3. no kind of 20 rows or more loses more than P of its "
    "recall, no\n"
    "              benign kind has more than P flagged beyond A's share\n"
    "           4. every head is tested: 30 positives and 200 negatives\n"
    "         1 says that B is worse, or that it did not work (on standard "
    "error)\n"
    "card     puts the tables of DIR/metrics.json, which `winnow eval --json` "
    "made\n"
    "         of these weights, into DIR/README.md, between the marks\n"
    "         <!-- figures --> and <!-- /figures -->, or at its end\n"
    "\n"
    "  --kind-drop P  0.05\n"
    "  --json         of info: one JSON object\n"
    "  --json FILE    of compare: what was found; - is standard output\n"
    "  --threads N    that score (one a core)\n"
    "  --print        prints the tables and changes no file\n"
    "\n"
    "Examples:\n"
    "  winnow eval gate.jsonl --weights old --scores old.scores\n"
    "  winnow model compare old.scores new gate.jsonl && echo promote\n"
    "  winnow eval test.jsonl --weights new --dev dev.jsonl "
    "--json new/metrics.json\n"
    "  winnow model card new\n";

static const char *const verbs[] = { "info", "compare", "card" };
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const char *
verb_at(const void *names, size_t i)
{
    return ((const char *const *)names)[i];
}

static int
unknown(const char *verb)
{
    const char *near =
        verb == NULL ? NULL
                     : wn_suggest(verb, strlen(verb), verb_at, verbs, VERBS);

    if (near != NULL)
        return wn_cmd_usage(
            "model", "'%.40s' is unknown; did you mean '%s'?", verb, near);
    return wn_cmd_usage("model", "say info, compare or card");
}

static int
info(int argc, char **argv, const struct wn_options *o)
{
    bool json = wn_cmd_take_switch(&argc, argv, "--json");
    char path[PATH_MAX];

    if (argc > 3)
        return wn_cmd_usage("model", "info takes one DIR");
    return wn_model_info(
        argc == 3 ? argv[2] : wn_cmd_weights_dir(o, path, sizeof(path)), json);
}

static int
compare(int argc, char **argv, const struct wn_options *o)
{
    struct wn_compare c = { .kind_drop = KIND_DROP };

    if (!wn_cmd_take_name(&argc, argv, "--json", &c.json) ||
        !wn_cmd_take_double(&argc, argv, "--kind-drop", 0, 1, &c.kind_drop) ||
        !wn_cmd_take_count(
            &argc, argv, "--threads", 1, THREADS_MAX, &c.threads))
        return 2;
    if (argc < 5)
        return wn_cmd_usage("model", "compare needs A, B and DATA");
    c.model[0] = argv[2];
    c.model[1] = argv[3];
    c.files = (const char *const *)argv + 4;
    c.files_n = (size_t)argc - 4;
    return wn_model_compare(&c, o);
}

static int
card(int argc, char **argv)
{
    bool print = wn_cmd_take_switch(&argc, argv, "--print");

    if (argc != 3)
        return wn_cmd_usage("model", "card needs one DIR");
    return wn_model_card(argv[2], print);
}

/* A flag of another verb is not passed over. */
static int
run(int argc, char **argv, const struct wn_options *o)
{
    const char *verb = argc > 1 ? argv[1] : NULL;
    int rc = verb == NULL                   ? unknown(verb)
             : strcmp(verb, "info") == 0    ? info(argc, argv, o)
             : strcmp(verb, "compare") == 0 ? compare(argc, argv, o)
             : strcmp(verb, "card") == 0    ? card(argc, argv)
                                            : unknown(verb);

    return rc;
}

/* --json stands alone with info and has a value with compare. */
int
wn_cmd_model(int argc, char **argv)
{
    static const char *const prefixes[] = { "score.threads",
        "score.windows_max", "model.", "kernels.", NULL };
    static const char *const of_info[] = { "--json", NULL };
    static const char *const of_compare[] = {
        "--json=", "--kind-drop=", "--threads=", NULL
    };
    static const char *const of_card[] = { "--print", NULL };
    const char *verb = argc > 1 ? argv[1] : "";
    const char *const *own = strcmp(verb, "compare") == 0 ? of_compare
                             : strcmp(verb, "card") == 0  ? of_card
                                                          : of_info;
    struct wn_options *o;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, own);
    if (o == NULL)
        return WN_EX_CONFIG;
    rc = run(argc, argv, o);
    wn_options_free(o);
    return rc;
}
