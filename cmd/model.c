/* winnow model: describes weights, compares two, writes the card; takes them
 * out for other tools, and folders of others in; says which ones workers run.
 */
#include <limits.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"
#include "core/suggest.h"

#define KIND_DROP 0.05
#define THREADS_MAX 256
#define LAYERS_MAX 128
#define DATA_MAX 256
#define COUNT_MAX 1000000000
#define MIN_COUNT 3
#define WAIT_S 15
#define WAIT_S_MAX 3600
#define ROWS_MAX 10000

static const char usage[] =
    "Usage: winnow model info [DIR] [--json]\n"
    "       winnow model compare A B DATA... [--kind-drop P] [--json FILE] "
    "[OPTIONS]\n"
    "       winnow model card DIR [--print]\n"
    "       winnow model export OUT [--dtype f32|f16] [--exit N] [OPTIONS]\n"
    "       winnow model import DIR --out OUT [--map FILE]\n"
    "       winnow model prune DIR --out OUT [--layers N | --keep-layers "
    "0,1,2]\n"
    "           [--vocab-from DATA... [--min-count N] [--keep-first N]\n"
    "           [--keep-chars]]\n"
    "       winnow model activate|rollback|history|shadow ...\n"
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
    "export   makes of weights (--model.dir, or the shipped ones) a folder "
    "that the\n"
    "         transformers library loads: the encoder and its head, in "
    "floats, and\n"
    "         the tokenizer; its README.md has the lines that give the same "
    "logits\n"
    "import   makes of a folder as others publish them a base for `winnow "
    "train`:\n"
    "         BERT, MiniLM, E5, DistilBERT, RoBERTa and XLM-R, in safetensors, "
    "in\n"
    "         shards too; says what it found and what it left out\n"
    "prune    makes a base smaller: its upper layers go, and the words that "
    "DATA does\n"
    "         not use (JSON Lines with \"text\", gzip too). Texts of DATA "
    "keep their\n"
    "         tokens but for the words that go, which it checks\n"
    "\n"
    "activate ... which weights workers run: `winnow model activate --help`\n"
    "\n"
    "A folder that is made must not be there yet, or be empty.\n"
    "\n"
    "  --kind-drop P  0.05\n"
    "  --json         of info: one JSON object\n"
    "  --json FILE    of compare: what was found; - is standard output\n"
    "  --threads N    that score (one a core)\n"
    "  --print        prints the tables and changes no file\n"
    "  --dtype T      f32 or f16 (f32)\n"
    "  --exit N       the head after N layers, and no layer behind it (the "
    "last)\n"
    "  --out OUT      the folder to make\n"
    "  --map FILE     a JSON object of names of tensors, theirs and BERT's;\n"
    "                 one * on each side stands for the same:\n"
    "                 {\"wte.weight\":\"embeddings.word_embeddings.weight\",\n"
    "                  \"model.*\":\"*\"}\n"
    "  --layers N     keeps the first N layers\n"
    "  --keep-layers  keeps these, counted from 0\n"
    "  --vocab-from   keeps what these files use; the flag may come again\n"
    "  --min-count N  a word stays if they have it N times (3)\n"
    "  --keep-first N and the first N words (0); a vocabulary is often "
    "sorted by use\n"
    "  --keep-chars   and every single character, so that little is unknown\n"
    "\n"
    "Examples:\n"
    "  winnow eval gate.jsonl --weights old --scores old.scores\n"
    "  winnow model compare old.scores new gate.jsonl && echo promote\n"
    "  winnow eval test.jsonl --weights new --dev dev.jsonl "
    "--json new/metrics.json\n"
    "  winnow model card new\n"
    "  winnow model export hf --dtype f16\n"
    "  winnow model import multilingual-e5-small --out e5\n"
    "  winnow model prune e5 --out base --layers 6 --keep-chars "
    "--keep-first 32000 \\\n"
    "      --vocab-from data/train.jsonl.gz data/dev.jsonl.gz\n";

/* Of the four that speak with the database. */
static const char usage_live[] =
    "Usage: winnow model activate DIR --staff ID --reason TEXT [--wait S]\n"
    "       winnow model rollback --staff ID --reason TEXT [--wait S]\n"
    "       winnow model history [--max N] [--json]\n"
    "       winnow model shadow [--top N] [--json]\n"
    "\n"
    "activate puts the weights of DIR in force: they are tried here, an audit\n"
    "         row says who, why and which hash, and running workers take them\n"
    "         between two batches. DIR is where each worker finds them; one\n"
    "         that does not find the same hash there stays with what it runs\n"
    "         and says why. Status 1 says that not every worker runs them\n"
    "rollback brings back what was in force before; at last, each worker's\n"
    "         own: model.dir, or the weights shipped with it\n"
    "history  what was put in force, newest first, and what workers run\n"
    "shadow   how the scores of model.shadow differ from those acted on: "
    "flags\n"
    "         lost and gained, actions that would be others, the posts widest\n"
    "         apart\n"
    "\n"
    "  --staff ID     who does it; kept in the audit trail\n"
    "  --reason TEXT  why\n"
    "  --wait S       seconds that workers have to answer (15; 0 does not "
    "wait)\n"
    "  --max N        activations to show (20)\n"
    "  --top N        posts to show (10)\n"
    "  --json         one JSON object\n"
    "\n"
    "Example:\n"
    "  winnow model activate /var/lib/winnow/weights-7 --staff ana \\\n"
    "      --reason 'better on crypto scams, a week in the shadow'\n";

static const char *const verbs[] = { "info", "compare", "card", "export",
    "import", "prune", "activate", "rollback", "history", "shadow" };
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
    return wn_cmd_usage("model",
        "say info, compare, card, export, import, prune, activate, rollback, "
        "history or shadow");
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

static bool
take_dtype(int *argc, char **argv, enum wn_dtype *ret)
{
    const char *s = wn_cmd_take(argc, argv, "--dtype");

    if (s == NULL || strcmp(s, "f32") == 0)
        return true;
    if (strcmp(s, "f16") == 0) {
        *ret = WN_F16;
        return true;
    }
    wn_cmd_usage(argv[0], "--dtype '%.40s' is neither f32 nor f16", s);
    return false;
}

static int
take_out(int argc, char **argv, const struct wn_options *o)
{
    struct wn_model_export x = { .dtype = WN_F32 };
    char path[PATH_MAX];

    if (!take_dtype(&argc, argv, &x.dtype) ||
        !wn_cmd_take_count(&argc, argv, "--exit", 1, LAYERS_MAX, &x.exit))
        return 2;
    if (argc != 3)
        return wn_cmd_usage("model", "export needs one OUT");
    x.out = argv[2];
    x.dir = wn_cmd_weights_dir(o, path, sizeof(path));
    return wn_model_export(&x);
}

static int
take_in(int argc, char **argv)
{
    const char *out = NULL, *map = NULL;

    if (!wn_cmd_take_name(&argc, argv, "--out", &out) ||
        !wn_cmd_take_name(&argc, argv, "--map", &map))
        return 2;
    if (argc != 3 || out == NULL)
        return wn_cmd_usage("model", "import needs one DIR and --out OUT");
    return wn_model_import(argv[2], out, map);
}

static bool
too_many(void)
{
    wn_cmd_usage("model", "--vocab-from: more than %d files", DATA_MAX);
    return false;
}

/* The flag's values, then what stands behind DIR: a pattern of the shell gives
 * the flag its first one alone. */
static bool
take_data(int *argc, char **argv, struct wn_model_prune *p)
{
    size_t named = 0;

    for (;;) {
        const char *file = NULL;

        if (!wn_cmd_take_name(argc, argv, "--vocab-from", &file))
            return false;
        if (file == NULL)
            break;
        if (named == DATA_MAX)
            return too_many();
        p->data[named++] = file;
    }
    p->data_n = named;
    for (int i = 3; named > 0 && i < *argc; i++) {
        if (p->data_n == DATA_MAX)
            return too_many();
        p->data[p->data_n++] = argv[i];
    }
    return true;
}

static int
check_prune(int argc, const struct wn_model_prune *p)
{
    bool words = p->min_count != 0 || p->keep_first != 0 || p->keep_chars;

    if (argc < 3 || p->out == NULL || (argc > 3 && p->data_n == 0))
        return wn_cmd_usage("model", "prune needs one DIR and --out OUT");
    if (p->layers > 0 && p->keep != NULL)
        return wn_cmd_usage(
            "model", "--layers and --keep-layers: one of them is enough");
    if (p->layers == 0 && p->keep == NULL && p->data_n == 0)
        return wn_cmd_usage(
            "model", "prune needs --layers, --keep-layers or --vocab-from");
    if (p->data_n == 0 && words)
        return wn_cmd_usage("model",
            "--min-count, --keep-first and --keep-chars need --vocab-from");
    for (size_t i = 0; i < p->data_n; i++)
        if (strcmp(p->data[i], "-") == 0)
            return wn_cmd_usage("model",
                "--vocab-from: files are read twice, standard input is not");
    return 0;
}

static int
prune(int argc, char **argv)
{
    static const char *data[DATA_MAX];
    struct wn_model_prune p = { .data = data };
    int status;

    p.keep_chars = wn_cmd_take_switch(&argc, argv, "--keep-chars");
    if (!wn_cmd_take_name(&argc, argv, "--out", &p.out) ||
        !wn_cmd_take_count(&argc, argv, "--layers", 1, LAYERS_MAX, &p.layers) ||
        !wn_cmd_take_name(&argc, argv, "--keep-layers", &p.keep) ||
        !wn_cmd_take_count(
            &argc, argv, "--min-count", 1, COUNT_MAX, &p.min_count) ||
        !wn_cmd_take_count(
            &argc, argv, "--keep-first", 1, COUNT_MAX, &p.keep_first) ||
        !take_data(&argc, argv, &p))
        return 2;
    status = check_prune(argc, &p);
    if (status != 0)
        return status;
    p.dir = argv[2];
    p.min_count = p.min_count == 0 ? MIN_COUNT : p.min_count;
    return wn_model_prune(&p);
}

/* Of activate, which has a DIR, and of rollback. */
static int
activate(int argc, char **argv, const struct wn_options *o, bool back)
{
    struct wn_model_live a = { .wait_s = WAIT_S, .options = o };

    if (!wn_cmd_take_name(&argc, argv, "--staff", &a.staff) ||
        !wn_cmd_take_name(&argc, argv, "--reason", &a.reason) ||
        !wn_cmd_take_count(&argc, argv, "--wait", 0, WAIT_S_MAX, &a.wait_s))
        return 2;
    if (argc != (back ? 2 : 3))
        return wn_cmd_usage(
            "model", back ? "rollback takes no DIR" : "activate needs one DIR");
    a.dir = back ? NULL : argv[2];
    return wn_model_activate(&a);
}

static int
history(int argc, char **argv, const struct wn_options *o)
{
    bool json = wn_cmd_take_switch(&argc, argv, "--json");
    size_t max = 20;

    if (!wn_cmd_take_count(&argc, argv, "--max", 1, ROWS_MAX, &max))
        return 2;
    if (argc != 2)
        return wn_cmd_usage("model", "what is '%.40s' for?", argv[2]);
    return wn_model_history(o, max, json);
}

static int
shadow(int argc, char **argv, const struct wn_options *o)
{
    bool json = wn_cmd_take_switch(&argc, argv, "--json");
    size_t top = 10;

    if (!wn_cmd_take_count(&argc, argv, "--top", 0, ROWS_MAX, &top))
        return 2;
    if (argc != 2)
        return wn_cmd_usage("model", "what is '%.40s' for?", argv[2]);
    return wn_model_shadow(o, top, json);
}

static int
run(int argc, char **argv, const struct wn_options *o)
{
    const char *verb = argc > 1 ? argv[1] : NULL;

    return verb == NULL                    ? unknown(verb)
           : strcmp(verb, "info") == 0     ? info(argc, argv, o)
           : strcmp(verb, "compare") == 0  ? compare(argc, argv, o)
           : strcmp(verb, "card") == 0     ? card(argc, argv)
           : strcmp(verb, "export") == 0   ? take_out(argc, argv, o)
           : strcmp(verb, "import") == 0   ? take_in(argc, argv)
           : strcmp(verb, "prune") == 0    ? prune(argc, argv)
           : strcmp(verb, "activate") == 0 ? activate(argc, argv, o, false)
           : strcmp(verb, "rollback") == 0 ? activate(argc, argv, o, true)
           : strcmp(verb, "history") == 0  ? history(argc, argv, o)
           : strcmp(verb, "shadow") == 0   ? shadow(argc, argv, o)
                                           : unknown(verb);
}

/* A flag of another verb is not passed over. --json stands alone with info and
 * has a value with compare. */
static const char *const *
own_flags(const char *verb)
{
    static const char *const none[] = { NULL };
    static const struct {
        const char *verb, *flags[8];
    } rows[] = {
        { "info", { "--json" } },
        { "compare", { "--json=", "--kind-drop=", "--threads=" } },
        { "card", { "--print" } },
        { "export", { "--dtype=", "--exit=" } },
        { "import", { "--out=", "--map=" } },
        { "prune", { "--out=", "--layers=", "--keep-layers=", "--vocab-from=",
                       "--min-count=", "--keep-first=", "--keep-chars" } },
        { "activate", { "--staff=", "--reason=", "--wait=" } },
        { "rollback", { "--staff=", "--reason=", "--wait=" } },
        { "history", { "--max=", "--json" } },
        { "shadow", { "--top=", "--json" } },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(verb, rows[i].verb) == 0)
            return rows[i].flags;
    return none;
}

static bool
is_live(int argc, char **argv)
{
    static const char *const live[] = { "activate", "rollback", "history",
        "shadow" };

    for (size_t i = 0; argc > 1 && i < sizeof(live) / sizeof(live[0]); i++)
        if (strcmp(argv[1], live[i]) == 0)
            return true;
    return false;
}

int
wn_cmd_model(int argc, char **argv)
{
    static const char *const prefixes[] = { "score.threads",
        "score.windows_max", "model.", "kernels.", "database.", NULL };
    struct wn_options *o;
    int rc;

    if (wn_cmd_help(
            argc, argv, is_live(argc, argv) ? usage_live : usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, own_flags(argc > 1 ? argv[1] : ""));
    if (o == NULL)
        return WN_EX_CONFIG;
    rc = run(argc, argv, o);
    wn_options_free(o);
    return rc;
}
