/*
 * winnow score: judges texts without a database, a broker or a working
 * directory. For people a table, for scripts --jsonl (score_jsonl.c); why, for
 * both, --explain (score_explain.c).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/lists.h"
#include "cmd/score_int.h"
#include "cmd/tools.h"
#include "ingest/parse.h"
#include "ingest/repair.h"

static const char usage[] =
    "Usage: winnow score [--json] [--explain[=HEAD]] [TEXT... | -] [OPTIONS]\n"
    "       winnow score --jsonl [--explain[=HEAD]] < posts.jsonl [OPTIONS]\n"
    "\n"
    "Judges each TEXT, or all of standard input as one text, and prints the\n"
    "scores, what the policy makes of them, and why.\n"
    "\n"
    "  --json   one JSON object a text, as --jsonl prints them, and\n"
    "           \"skipped\": the rules that an unknown input kept from being "
    "asked\n"
    "  --jsonl  reads {\"id\",\"text\"} or a native post a line, prints one\n"
    "           line for each, in order, blank and bad ones too:\n"
    "           {\"id\",\"scores\":{\"spam\",\"scam\",\"bait\",\"ai_text\"},"
    "\"flags\":[],\n"
    "            \"action\",\"reasons\":[{\"rule\",\"category\",\"reason\"}]}\n"
    "           or {\"line\",\"error\"}; scores are null where there is no "
    "text,\n"
    "           \"insufficient_text\":true says that it has under 25 words.\n"
    "           Flushes when its input pauses; status 0 at its end.\n"
    "  --explain[=HEAD]\n"
    "           which words it hangs on: what the logit of HEAD (spam, scam, "
    "bait,\n"
    "           ai_text; if none is named, the flagged one with the highest "
    "score,\n"
    "           else the highest) loses without each word. They need not add "
    "up.\n"
    "           Takes a tenth of a second a text. In JSON the member\n"
    "           \"explain\":{\"head\",\"logit\",\"window\",\"windows\","
    "\"text\",\n"
    "            \"words\":[{\"word\",\"weight\",\"at\":[[begin,end]]}],"
    "\"left_out\":[]},\n"
    "           heaviest first, at and left_out in bytes of its text, which "
    "is\n"
    "           hardened; null without text\n"
    "\n"
    "Examples:\n"
    "  winnow score 'Claim your prize now: http://prize.example'\n"
    "  winnow score - < letter.txt\n"
    "  winnow score --explain=scam 'Claim your prize now: "
    "http://prize.example'\n"
    "  winnow score --jsonl < posts.jsonl | grep '\"action\":\"remove\"'\n"
    "  winnow score --jsonl --policy.file=mine.json --score.threads=2 "
    "< posts.jsonl\n";

/* --- shared with score_jsonl.c --- */

enum wn_status
wn_score_items(const struct wn_score *s, struct wn_scorer *scorer,
    struct wn_item **items, size_t n, struct wn_err *err)
{
    struct wn_item *alive[WN_SCORE_BATCH_MAX];
    size_t i, alive_n = 0;
    enum wn_status rc;

    WN_ASSERT(n <= WN_SCORE_BATCH_MAX);
    for (i = 0; i < n; i++)
        if (items[i]->outcome != WN_DEAD)
            alive[alive_n++] = items[i];
    if (alive_n == 0)
        return WN_OK;
    rc = wn_scorer_run(scorer, alive, alive_n, err);
    for (i = 0; i < alive_n && rc == WN_OK; i++)
        wn_policy_eval(
            s->policy, &alive[i]->sig, &alive[i]->arena, &alive[i]->verdict);
    return rc;
}

static void
json_scores(struct wn_buf *out, const struct wn_item *item)
{
    int h;

    for (h = 0; h < WN_HEADS; h++) {
        if (item->sig.v[WN_SIG_SCORE_SPAM + h].kind != WN_VALUE_DOUBLE) {
            wn_buf_str(out, ",\"scores\":null");
            return;
        }
    }
    for (h = 0; h < WN_HEADS; h++) {
        wn_buf_printf(
            out, "%s\"%s\":", h == 0 ? ",\"scores\":{" : ",", wn_head_names[h]);
        wn_buf_double(out, item->sig.v[WN_SIG_SCORE_SPAM + h].d);
    }
    wn_buf_char(out, '}');
}

static bool
is_true(const struct wn_item *item, int signal)
{
    const struct wn_value *v = &item->sig.v[signal];

    return v->kind == WN_VALUE_BOOL && v->b;
}

static void
json_reasons(struct wn_buf *out, const struct wn_verdict *v)
{
    size_t i;

    wn_buf_str(out, ",\"reasons\":[");
    for (i = 0; i < v->reasons_n; i++) {
        const struct wn_reason *r = &v->reasons[i];

        wn_buf_str(out, i == 0 ? "{\"rule\":" : ",{\"rule\":");
        wn_buf_json(out, r->rule.p, r->rule.len);
        wn_buf_str(out, ",\"category\":");
        wn_buf_json(out, r->category.p, r->category.len);
        wn_buf_str(out, ",\"reason\":");
        wn_buf_json(out, r->text.p, r->text.len);
        wn_buf_char(out, '}');
    }
    wn_buf_char(out, ']');
}

void
wn_score_json_error(struct wn_buf *out, uint64_t line, const char *text)
{
    wn_buf_printf(out, "{\"line\":%llu,\"error\":", (unsigned long long)line);
    wn_buf_json(out, text, strlen(text));
    wn_buf_str(out, "}\n");
}

static void
json_skipped(struct wn_buf *out, const struct wn_verdict *v)
{
    wn_buf_str(out, ",\"skipped\":[");
    for (size_t i = 0; i < v->skipped_n; i++) {
        wn_buf_str(out, i == 0 ? "" : ",");
        wn_buf_json(out, v->skipped[i].p, v->skipped[i].len);
    }
    wn_buf_char(out, ']');
}

void
wn_score_json(struct wn_buf *out, const struct wn_item *item, uint64_t line,
    bool more, const struct wn_explanation *why)
{
    bool first = true;
    int h;

    if (item->outcome == WN_DEAD) {
        wn_score_json_error(out, line, item->cause.p);
        return;
    }
    wn_buf_str(out, "{\"id\":");
    wn_buf_json(out, item->post.id.p, item->post.id.len);
    json_scores(out, item);
    wn_buf_str(out, ",\"flags\":[");
    for (h = 0; h < WN_HEADS; h++) {
        if (!is_true(item, WN_SIG_FLAG_SPAM + h))
            continue;
        wn_buf_printf(out, "%s\"%s\"", first ? "" : ",", wn_head_names[h]);
        first = false;
    }
    wn_buf_printf(
        out, "],\"action\":\"%s\"", wn_action_names[item->verdict.action]);
    json_reasons(out, &item->verdict);
    if (is_true(item, WN_SIG_TEXT_INSUFFICIENT))
        wn_buf_str(out, ",\"insufficient_text\":true");
    if (more)
        json_skipped(out, &item->verdict);
    if (why != NULL)
        wn_score_explain_json(out, why);
    wn_buf_str(out, "}\n");
}

/* --- the table --- */

static void
print_signal(const struct wn_value *v, const struct wn_signal_info *info)
{
    switch (v->kind) {
    case WN_VALUE_BOOL:
        if (v->b)
            printf("  %-18s yes\n", info->name);
        break;
    case WN_VALUE_INT:
        if (v->i != 0)
            printf("  %-18s %lld\n", info->name, (long long)v->i);
        break;
    case WN_VALUE_DOUBLE:
        if (v->d != 0)
            printf("  %-18s %.3g\n", info->name, v->d);
        break;
    default:
        break;
    }
}

/* Facts about the text that say something: what is 0 or no is left out. */
static void
print_signals(const struct wn_item *item)
{
    int i;

    printf("\nsignals\n");
    for (i = 0; i < WN_SIG_COUNT; i++)
        if (strncmp(wn_signal_table[i].name, "text.", 5) == 0)
            print_signal(&item->sig.v[i], &wn_signal_table[i]);
}

static void
print_verdict(const struct wn_verdict *v)
{
    struct wn_buf line;
    size_t i;

    printf("\naction   %s\n", wn_action_names[v->action]);
    for (i = 0; i < v->reasons_n; i++) {
        wn_buf_init(&line, 1u << 20);
        wn_cmd_plain(&line, v->reasons[i].text, 200);
        printf("reason   %.*s (rule %.*s, %.*s)\n", (int)line.len,
            line.len > 0 ? line.data : "", (int)v->reasons[i].rule.len,
            v->reasons[i].rule.p, (int)v->reasons[i].category.len,
            v->reasons[i].category.p);
        wn_buf_release(&line);
    }
}

/* A rule that was not asked is no rule that did not match. */
static void
print_skipped(const struct wn_score *s, const struct wn_item *item)
{
    const struct wn_verdict *v = &item->verdict;
    struct wn_buf why;

    for (size_t i = 0; i < v->skipped_n; i++) {
        wn_buf_init(&why, 1u << 16);
        wn_policy_why_skipped(s->policy, &item->sig, v->skipped[i], &why);
        printf("skipped  rule %.*s: %.*s\n", (int)v->skipped[i].len,
            v->skipped[i].p, (int)why.len, why.len > 0 ? why.data : "");
        wn_buf_release(&why);
    }
}

static void
print_table(const struct wn_score *s, const struct wn_item *item)
{
    struct wn_buf head;
    int h;

    wn_buf_init(&head, 1u << 20);
    if (item->post.text.p != NULL)
        wn_cmd_plain(&head, item->post.text, 68);
    printf("text     %s\n\n", head.len > 0 ? head.data : "(none)");
    wn_buf_release(&head);
    printf("label    score  threshold  flag\n");
    for (h = 0; h < WN_HEADS; h++) {
        const struct wn_value *v = &item->sig.v[WN_SIG_SCORE_SPAM + h];
        double threshold =
            wn_classifier_threshold(s->classifier, (enum wn_head)h);

        if (v->kind != WN_VALUE_DOUBLE)
            printf("%-7s      -      %.3f\n", wn_head_names[h], threshold);
        else
            printf("%-7s  %.3f      %.3f  %s\n", wn_head_names[h], v->d,
                threshold, is_true(item, WN_SIG_FLAG_SPAM + h) ? "yes" : "-");
    }
    if (is_true(item, WN_SIG_TEXT_INSUFFICIENT) &&
        item->sig.v[WN_SIG_SCORE_AI_TEXT].kind == WN_VALUE_DOUBLE)
        printf("under %d words: too short to judge ai_text\n",
            WN_AI_TEXT_WORDS_MIN);
    print_verdict(&item->verdict);
    print_skipped(s, item);
    print_signals(item);
}

/* --- texts --- */

/* An item as --jsonl would have made it of {"id","text"}. */
static struct wn_item *
item_of(const struct wn_score *s, size_t number, const char *p, size_t len)
{
    struct wn_item *item = wn_item_new((1u << 20) + 32 * len);
    struct wn_buf clean, json;
    size_t invalid;

    wn_buf_init(&clean, 3 * len + 64);
    wn_buf_init(&json, 20 * len + 256);
    invalid = wn_repair_text(&clean, p, len);
    wn_buf_printf(&json, "{\"id\":\"%zu\",\"text\":", number);
    wn_buf_json(&json, clean.len > 0 ? clean.data : "", clean.len);
    wn_buf_char(&json, '}');
    if (item == NULL || clean.failed || json.failed) {
        wn_item_free(item);
        item = NULL;
    } else {
        item->rec.time_us = WN_TIME_UNKNOWN;
        item->rec.raw = (struct wn_str){ json.data, json.len };
        wn_parse_loose(item, s->bytes_max * 20 + 256);
        item->rec.raw = (struct wn_str){ NULL, 0 };
        item->sig.v[WN_SIG_TEXT_INVALID] = wn_value_int((int64_t)invalid);
    }
    wn_buf_release(&clean);
    wn_buf_release(&json);
    return item;
}

/* What texts are read with: one of each for the one thread there is. */
struct readers {
    struct wn_scorer *scorer;
    struct wn_explainer *explainer; /* NULL: nobody asked why */
};

static int
print_json(
    const struct wn_item *item, size_t number, const struct wn_explanation *why)
{
    struct wn_buf out;
    int rc = 0;

    wn_buf_init(&out, 1u << 20);
    wn_score_json(&out, item, number, true, why);
    if (out.failed)
        rc = wn_cmd_fail(1, "score", "the answer is over 1 MiB");
    else
        fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
    return rc;
}

static int
score_item(const struct wn_score *s, const struct readers *r,
    struct wn_item *item, size_t number, bool json)
{
    struct wn_explanation why, *asked = r->explainer != NULL ? &why : NULL;
    struct wn_err err = { "" };
    enum wn_status rc = wn_score_items(s, r->scorer, &item, 1, &err);

    if (rc == WN_OK && asked != NULL)
        rc = wn_score_explain(s, r->explainer, item, asked, &err);
    if (rc != WN_OK)
        return wn_cmd_fail(1, "score", "%s", err.text);
    if (json)
        return print_json(item, number, asked);
    if (number > 1)
        printf("\n");
    print_table(s, item);
    if (asked != NULL)
        wn_score_explain_print(asked);
    return 0;
}

static int
score_text(const struct wn_score *s, const struct readers *r, size_t number,
    const char *p, size_t len, bool json)
{
    struct wn_item *item = item_of(s, number, p, len);
    int rc;

    if (item == NULL)
        return wn_cmd_fail(1, "score", "out of memory");
    rc = score_item(s, r, item, number, json);
    wn_item_free(item);
    return rc;
}

/* All of standard input, at most bytes_max. */
static int
score_input(const struct wn_score *s, const struct readers *r, bool json)
{
    char *text = malloc(s->bytes_max + 1);
    size_t len;
    int rc;

    if (text == NULL)
        return wn_cmd_fail(1, "score", "out of memory");
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "winnow score: reading a text; end it with Ctrl-D\n");
    len = fread(text, 1, s->bytes_max + 1, stdin);
    if (ferror(stdin))
        rc = wn_cmd_fail(1, "score", "standard input: %s", strerror(errno));
    else if (len > s->bytes_max)
        rc = wn_cmd_fail(1, "score",
            "the text is over ingest.post_bytes_max, which is %zu bytes",
            s->bytes_max);
    else
        rc = score_text(s, r, 1, text, len, json);
    free(text);
    return rc;
}

static int
score_texts(const struct wn_score *s, int argc, char **argv, bool json)
{
    struct readers r = { NULL, NULL };
    struct wn_err err = { "" };
    int i, rc = 0;

    if (wn_scorer_new(&r.scorer, s->classifier, s->windows_max, &err) !=
            WN_OK ||
        wn_score_explainer(s, &r.explainer, &err) != WN_OK)
        rc = wn_cmd_fail(1, "score", "%s", err.text);
    else if (argc == 1 || (argc == 2 && strcmp(argv[1], "-") == 0))
        rc = score_input(s, &r, json);
    else
        for (i = 1; i < argc && rc == 0; i++)
            rc = score_text(s, &r, (size_t)i, argv[i], strlen(argv[i]), json);
    wn_explainer_free(r.explainer);
    wn_scorer_free(r.scorer);
    if (fflush(stdout) != 0 && rc == 0)
        rc = wn_cmd_fail(1, "score", "standard output: %s", strerror(errno));
    return rc;
}

static int
load(struct wn_score *s, const struct wn_options *o)
{
    struct wn_err err = { "" };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    s->threads = (size_t)wn_opt_int(o, WN_OPT_SCORE_THREADS);
    if (s->threads == 0)
        s->threads = cores > 0 && cores <= 256 ? (size_t)cores : 1;
    s->windows_max = (size_t)wn_opt_int(o, WN_OPT_SCORE_WINDOWS);
    s->batch_tokens = (size_t)wn_opt_int(o, WN_OPT_SCORE_BATCH);
    s->bytes_max = (size_t)wn_opt_int(o, WN_OPT_INGEST_POST_BYTES);
    if (wn_cmd_policy_open(&s->policy, o, &err) != WN_OK ||
        wn_cmd_lists_once(&s->lists, s->policy, o, &err) != WN_OK ||
        wn_cmd_classifier(&s->classifier, NULL, o, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "score", "%s", err.text);
    return 0;
}

int
wn_cmd_score(int argc, char **argv)
{
    static const char *const prefixes[] = { "score.", "model.", "kernels.",
        "policy.", "ingest.post_bytes_max", NULL };
    static const char *const own[] = { "--json", "--jsonl", "--explain",
        "--explain=", NULL };
    struct wn_score s = { 0 };
    struct wn_options *o;
    bool json, jsonl;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, own);
    if (o == NULL)
        return WN_EX_CONFIG;
    json = wn_cmd_take_switch(&argc, argv, "--json");
    jsonl = wn_cmd_take_switch(&argc, argv, "--jsonl");
    signal(SIGPIPE, SIG_IGN);
    if (!wn_score_take_explain(&argc, argv, &s))
        rc = 2;
    else if (jsonl && argc > 1)
        rc = wn_cmd_usage("score", "--jsonl reads standard input, no TEXT");
    else if ((rc = load(&s, o)) == 0)
        rc = jsonl ? wn_score_jsonl(&s) : score_texts(&s, argc, argv, json);
    wn_classifier_free(s.classifier);
    wn_policy_free(s.policy);
    wn_lists_free(s.lists);
    wn_options_free(o);
    return rc;
}
