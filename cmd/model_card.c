/*
 * winnow model card: the tables of a folder's README.md, from the numbers that
 * `winnow eval --json` wrote into its metrics.json. Only what lies between two
 * marks is replaced, so that a person's words stay; numbers of other weights
 * are refused. Nothing is computed here: what metrics.json lacks is "-".
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"
#include "model/config.h"

#define CARD_BYTES_MAX (4u << 20)
#define BEGIN "<!-- figures -->"
#define END "<!-- /figures -->"
#define POS_MIN 20 /* slices with fewer rows say nothing */
#define NEG_MIN 200

/* --- pieces of Markdown --- */

/* A name of the data's in a cell: no marks of Markdown or HTML. */
static void
put_cell(struct wn_buf *out, const char *s)
{
    struct wn_buf plain;

    wn_buf_init(&plain, 4096);
    wn_cmd_plain(&plain,
        (struct wn_str){ s == NULL || s[0] == '\0' ? "(none)" : s,
            s == NULL || s[0] == '\0' ? 6 : strlen(s) },
        60);
    for (size_t i = 0; i < plain.len; i++) {
        if (strchr("|<>&`*[]\\", plain.data[i]) != NULL)
            wn_buf_char(out, '\\');
        wn_buf_char(out, plain.data[i]);
    }
    wn_buf_release(&plain);
}

static double
number(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

static long long
count(const json_t *o, const char *name)
{
    return (long long)json_integer_value(json_object_get(o, name));
}

/* How numbers are written: as they are, or as per cent. */
enum form { PLAIN, PER_CENT };

static void
put_number(struct wn_buf *out, double v, enum form form)
{
    if (isnan(v))
        wn_buf_char(out, '-');
    else if (form == PER_CENT)
        wn_buf_printf(out, "%.*f", fabs(v) < 0.0995 ? 2 : 1, v * 100);
    else
        wn_buf_printf(out, "%.4f", v);
}

/* "0.91 (0.88-0.93)", from name and name_ci. */
static void
put_range(struct wn_buf *out, const json_t *o, const char *name, enum form form)
{
    char ci[64];
    const json_t *list;

    snprintf(ci, sizeof(ci), "%s_ci", name);
    list = json_object_get(o, ci);
    put_number(out, number(o, name), form);
    if (json_is_number(json_array_get(list, 0))) {
        wn_buf_str(out, " (");
        put_number(out, json_number_value(json_array_get(list, 0)), form);
        wn_buf_char(out, '-');
        put_number(out, json_number_value(json_array_get(list, 1)), form);
        wn_buf_char(out, ')');
    }
    wn_buf_str(out, " | ");
}

static const json_t *
head_of(const json_t *m, size_t h)
{
    return json_object_get(json_object_get(m, "heads"), wn_head_names[h]);
}

/* --- tables --- */

static void
put_heads(struct wn_buf *out, const json_t *m)
{
    wn_buf_str(out,
        "| head | positive / negative | AUC | average precision | Brier | ECE "
        "|\n|---|---|---|---|---|---|\n");
    for (size_t h = 0; h < WN_HEADS; h++) {
        const json_t *all = json_object_get(head_of(m, h), "all");

        wn_buf_printf(out, "| %s | %lld / %lld | ", wn_head_names[h],
            count(all, "pos"), count(all, "neg"));
        put_range(out, all, "auc", PLAIN);
        put_range(out, all, "ap", PLAIN);
        put_range(out, all, "brier", PLAIN);
        put_number(out, number(all, "ece"), PLAIN);
        wn_buf_str(out, " |\n");
    }
}

static void
put_point(struct wn_buf *out, const json_t *point)
{
    double fpr = number(point, "dev_fpr");

    if (isnan(fpr))
        wn_buf_str(out, "own");
    else
        wn_buf_printf(out, "%g %% of %lld negatives of dev", fpr * 100,
            count(point, "dev_neg"));
    wn_buf_str(out, ": ");
    put_number(out, number(point, "threshold"), PLAIN);
    wn_buf_str(out, " | ");
}

static void
put_rates(struct wn_buf *out, const json_t *m)
{
    wn_buf_printf(out,
        "\n| head | threshold | recall, %% | false positives, %% | precision "
        "at %g %% positives, %% |\n|---|---|---|---|---|\n",
        number(m, "prevalence") * 100);
    for (size_t h = 0; h < WN_HEADS; h++) {
        const json_t *points = json_object_get(head_of(m, h), "points");
        const json_t *at =
            json_object_get(json_object_get(head_of(m, h), "all"), "at");

        for (size_t k = 0; k < json_array_size(points); k++) {
            const json_t *r = json_array_get(at, k);

            wn_buf_printf(out, "| %s | ", k == 0 ? wn_head_names[h] : "");
            put_point(out, json_array_get(points, k));
            put_range(out, r, "recall", PER_CENT);
            put_range(out, r, "fpr", PER_CENT);
            put_range(out, r, "precision", PER_CENT);
            if (!out->failed)
                out->data[out->len - 1] = '\n';
        }
    }
}

static void
put_benign(struct wn_buf *out, const json_t *m)
{
    const json_t *b = json_object_get(json_object_get(m, "benign"), "all");

    if (count(b, "rows") == 0)
        return;
    wn_buf_printf(
        out, "\nOf %lld benign rows flagged by any head: ", count(b, "rows"));
    put_number(out, number(b, "flagged"), PER_CENT);
    wn_buf_str(out, " %.\n");
}

static void
put_slice(
    struct wn_buf *out, const char *head, const char *name, const json_t *c)
{
    const json_t *at = json_array_get(json_object_get(c, "at"), 0);

    wn_buf_printf(out, "| %s | ", head);
    put_cell(out, name);
    wn_buf_printf(out, " | %lld / %lld | ", count(c, "pos"), count(c, "neg"));
    put_range(out, c, "auc", PLAIN);
    put_range(out, at, "recall", PER_CENT);
    put_range(out, at, "fpr", PER_CENT);
    if (!out->failed)
        out->data[out->len - 1] = '\n';
}

static bool
is_large(const json_t *c)
{
    return count(c, "pos") >= POS_MIN || count(c, "neg") >= NEG_MIN;
}

static void
put_slices(
    struct wn_buf *out, const json_t *m, const char *by, const char *title)
{
    size_t start = out->len, lines = 0;

    wn_buf_printf(out,
        "\nBy %s, at the weights' own thresholds (slices of %d positives or "
        "%d negatives):\n\n| head | %s | positive / negative | AUC | recall, "
        "%% | false positives, %% |\n|---|---|---|---|---|---|\n",
        title, POS_MIN, NEG_MIN, title);
    for (size_t h = 0; h < WN_HEADS; h++) {
        json_t *slices =
            json_object_get(json_object_get(head_of(m, h), "by"), by);
        const char *name;
        json_t *c;
        bool first = true;

        json_object_foreach(slices, name, c)
        {
            if (!is_large(c))
                continue;
            put_slice(out, first ? wn_head_names[h] : "", name, c);
            first = false;
            lines++;
        }
    }
    if (lines == 0 && !out->failed)
        out->len = start; /* nothing to show */
}

/* A kind's positives flagged by their head; a benign kind by any. */
static void
put_kind(struct wn_buf *out, const char *name, const char *head, long long n,
    const json_t *o, const char *share)
{
    wn_buf_str(out, "| ");
    put_cell(out, name);
    wn_buf_printf(out, " | %s | %lld | ", head, n);
    put_range(out, o, share, PER_CENT);
    if (!out->failed)
        out->data[out->len - 1] = '\n';
}

static size_t
put_kinds_of(struct wn_buf *out, const json_t *m, size_t h, const char *by)
{
    json_t *kinds = json_object_get(json_object_get(head_of(m, h), "by"), by);
    const char *name;
    size_t lines = 0;
    json_t *c;

    json_object_foreach(kinds, name, c)
    {
        if (count(c, "pos") == 0 || name[0] == '\0')
            continue;
        put_kind(out, name, wn_head_names[h], count(c, "pos"),
            json_array_get(json_object_get(c, "at"), 0), "recall");
        lines++;
    }
    return lines;
}

static void
put_kinds(struct wn_buf *out, const json_t *m)
{
    json_t *benign = json_object_get(json_object_get(m, "benign"), "kind");
    size_t start = out->len, lines = 0;
    const char *name;
    json_t *c;

    wn_buf_str(out, "\nBy kind, at the weights' own thresholds:\n\n"
                    "| kind | head | rows | flagged, % |\n|---|---|---|---|\n");
    for (size_t h = 0; h < WN_HEADS; h++)
        lines += put_kinds_of(out, m, h, "kind");
    lines += put_kinds_of(out, m, WN_BAIT, "sub");
    json_object_foreach(benign, name, c)
    {
        if (name[0] == '\0')
            continue;
        put_kind(out, name, "benign, any", count(c, "rows"), c, "flagged");
        lines++;
    }
    if (lines == 0 && !out->failed)
        out->len = start;
}

static void
put_attacks(struct wn_buf *out, const json_t *m)
{
    json_t *attacks = json_object_get(m, "attacks"), *a;
    const char *name;

    if (!json_is_object(attacks))
        return;
    wn_buf_str(out,
        "\nAttacked texts, at the weights' own thresholds; lost: positives no "
        "longer flagged, gained: benign rows newly flagged:\n\n"
        "| head | attack | positives | recall before, % | recall after, % | "
        "lost, % | benign rows | gained, % |\n"
        "|---|---|---|---|---|---|---|---|\n");
    for (size_t h = 0; h < WN_HEADS; h++) {
        const char *head = wn_head_names[h];

        json_object_foreach(attacks, name, a)
        {
            const json_t *c =
                json_object_get(json_object_get(a, "heads"), wn_head_names[h]);

            wn_buf_printf(out, "| %s | ", head);
            put_cell(out, name);
            wn_buf_printf(out, " | %lld | ", count(c, "pos"));
            put_number(out, number(c, "recall_before"), PER_CENT);
            wn_buf_str(out, " | ");
            put_range(out, c, "recall", PER_CENT);
            put_number(out, number(c, "lost"), PER_CENT);
            wn_buf_printf(out, " | %lld | ", count(c, "benign"));
            put_number(out, number(c, "gained"), PER_CENT);
            wn_buf_str(out, " |\n");
            head = "";
        }
    }
}

static void
put_file(struct wn_buf *out, const json_t *file)
{
    const char *sha = json_string_value(json_object_get(file, "sha256"));

    put_cell(out, json_string_value(json_object_get(file, "file")));
    if (sha != NULL && strlen(sha) == 64 &&
        strspn(sha, "0123456789abcdef") == 64)
        wn_buf_printf(out, " (SHA-256 %.16s...)", sha);
}

static void
put_data(struct wn_buf *out, const json_t *m)
{
    const json_t *files = json_object_get(m, "data");
    const json_t *dev = json_object_get(m, "dev");

    wn_buf_printf(
        out, "Measured by `winnow eval` on %lld texts: ", count(m, "rows"));
    for (size_t i = 0; i < json_array_size(files); i++) {
        wn_buf_str(out, i == 0 ? "" : ", ");
        put_file(out, json_array_get(files, i));
    }
    if (json_is_object(dev)) {
        wn_buf_str(out, "; dev: ");
        put_file(out, dev);
    }
    wn_buf_printf(out,
        ". In brackets 95 %% intervals: of %lld resamples of the texts for "
        "AUC, average precision and Brier, Wilson's for shares. \"-\": cannot "
        "be said of these texts.\n\n",
        count(m, "rounds"));
}

static void
put_figures(struct wn_buf *out, const json_t *m)
{
    put_data(out, m);
    put_heads(out, m);
    put_rates(out, m);
    put_benign(out, m);
    put_slices(out, m, "source", "source");
    put_slices(out, m, "lang", "language");
    put_slices(out, m, "length", "words");
    put_kinds(out, m);
    put_attacks(out, m);
}

/* --- the file --- */

/* Numbers of other weights than the folder's are no card of them. */
static enum wn_status
check_model(const json_t *m, const char *dir, struct wn_err *err)
{
    const char *model = json_string_value(json_object_get(m, "model"));
    struct wn_classifier *c = NULL;
    enum wn_status rc;

    if (count(m, "format") != 1 || model == NULL ||
        !json_is_object(json_object_get(m, "heads")))
        return wn_fail(err, WN_REJECT,
            "%s/metrics.json: not what `winnow eval --json` writes", dir);
    rc = wn_classifier_open(&c, dir, NULL, err);
    if (rc != WN_OK)
        return rc;
    if (strcmp(model, wn_classifier_version(c)) != 0)
        rc = wn_fail(err, WN_REJECT,
            "%s/metrics.json is of %.80s, the weights are %s: measure them "
            "with `winnow eval`",
            dir, model, wn_classifier_version(c));
    wn_classifier_free(c);
    return rc;
}

static enum wn_status
read_card(const char *path, struct wn_buf *out, struct wn_err *err)
{
    FILE *f = fopen(path, "re");
    char chunk[65536];
    size_t n;
    enum wn_status rc = WN_OK;

    if (f == NULL && errno == ENOENT)
        return WN_OK;
    if (f == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    while (!out->failed && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        wn_buf_add(out, chunk, n);
    if (ferror(f))
        rc = wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    else if (out->failed)
        rc = wn_fail(
            err, WN_REJECT, "%s: larger than %u bytes", path, CARD_BYTES_MAX);
    fclose(f);
    return rc;
}

/* The old card with new figures. */
static enum wn_status
join(const char *path, const struct wn_buf *old, const struct wn_buf *figures,
    struct wn_buf *out, struct wn_err *err)
{
    const char *text = old->len == 0 ? "" : old->data;
    const char *from = strstr(text, BEGIN);
    const char *to = from == NULL ? NULL : strstr(from, END);

    if (from != NULL && to == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s without %s", path, BEGIN, END);
    if (from == NULL) {
        wn_buf_add(out, text, old->len);
        wn_buf_str(out, old->len == 0 ? "## Figures\n\n" : "\n## Figures\n\n");
    } else {
        wn_buf_add(out, text, (size_t)(from - text));
    }
    wn_buf_str(out, BEGIN "\n\n");
    wn_buf_add(out, figures->data, figures->len);
    wn_buf_str(out, "\n" END);
    if (to == NULL)
        wn_buf_char(out, '\n');
    else
        wn_buf_str(out, to + strlen(END));
    return WN_OK;
}

static enum wn_status
write_card(const char *dir, const struct wn_buf *figures, struct wn_err *err)
{
    char path[PATH_MAX];
    struct wn_buf old, out;
    enum wn_status rc;

    if (snprintf(path, sizeof(path), "%s/README.md", dir) >= PATH_MAX)
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", dir);
    wn_buf_init(&old, CARD_BYTES_MAX);
    wn_buf_init(&out, 2 * CARD_BYTES_MAX);
    rc = read_card(path, &old, err);
    if (rc == WN_OK)
        rc = join(path, &old, figures, &out, err);
    if (rc == WN_OK)
        rc = wn_file_replace(path, &out, err);
    wn_buf_release(&old);
    wn_buf_release(&out);
    return rc;
}

int
wn_model_card(const char *dir, bool print)
{
    struct wn_err err = { "" };
    struct wn_buf figures;
    json_t *m = NULL;
    enum wn_status rc;

    wn_buf_init(&figures, CARD_BYTES_MAX);
    rc = wn_config_load_json(&m, dir, "metrics.json", false, &err);
    if (rc == WN_OK)
        rc = check_model(m, dir, &err);
    if (rc == WN_OK)
        put_figures(&figures, m);
    if (rc == WN_OK && figures.failed)
        rc = wn_fail(&err, WN_REJECT, "the tables are larger than %u bytes",
            CARD_BYTES_MAX);
    if (rc == WN_OK)
        rc = print ? wn_file_write("-", &figures, &err)
                   : write_card(dir, &figures, &err);
    wn_buf_release(&figures);
    json_decref(m);
    return rc == WN_OK ? 0 : wn_cmd_fail(1, "model", "%s", err.text);
}
