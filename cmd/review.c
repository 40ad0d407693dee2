/*
 * winnow review: what waits for a person, what a person decided, and past
 * moderation logs taken in. Until the review console is there this is the only
 * door to storage/review.h, and it stays for scripts.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cmd/cmd.h"
#include "cmd/review_int.h"
#include "cmd/tools.h"
#include "core/suggest.h"
#include "storage/review.h"

static const char usage[] =
    "Usage: winnow review list [--state=open|decided|closed] [--max=N] "
    "[--jsonl]\n"
    "       winnow review decide ITEM --action=ACTION --staff=ID\n"
    "                            [--label=HEAD=yes|no,...] [--reason=TEXT]\n"
    "                            [--revision=N]\n"
    "       winnow review import FILE [--staff=ID]\n"
    "\n"
    "list    items, highest priority first, with what was decided\n"
    "decide  records a decision on one item; refused when the item is decided\n"
    "        or closed, or (with --revision, the number that list shows) when\n"
    "        the post has changed since it was listed\n"
    "import  past decisions, one JSON object a line (- for standard input):\n"
    "          {\"ref\":\"log-17\",       yours; the same ref is imported "
    "once\n"
    "           \"post_id\":\"p1\", \"author_id\":\"a1\", \"text\":\"...\",\n"
    "           \"labels\":{\"spam\":true,\"scam\":false},   heads not named: "
    "not judged\n"
    "           \"action\":\"remove\",     allow, label, limit, review, "
    "remove\n"
    "           \"at\":\"2026-10-01T12:00:00Z\",\n"
    "           \"reason\":\"...\", \"staff\":\"ID\"}   optional; absent: "
    "--staff's\n"
    "        A bad line is named with its number and left out; the others are\n"
    "        imported, and the exit status is 1. Broken characters are "
    "replaced\n"
    "        as in a post, and cost no line but in ref.\n"
    "\n"
    "ACTION is allow, label, limit, review or remove; HEAD is spam, scam, "
    "bait\n"
    "or ai_text; ID names the person who decides (it is kept in the audit "
    "trail),\n"
    "in at most 256 bytes; a reason has at most 4096.\n";

#define ITEMS_MAX 10000
#define ARENA_BYTES_MAX (256u << 20)

bool
wn_review_head(const char *name, size_t len, enum wn_head *ret)
{
    for (int h = 0; h < WN_HEADS; h++) {
        if (strlen(wn_head_names[h]) == len &&
            memcmp(wn_head_names[h], name, len) == 0) {
            *ret = (enum wn_head)h;
            return true;
        }
    }
    return false;
}

bool
wn_review_action(const char *name, enum wn_action *ret)
{
    for (int a = 0; name != NULL && a < WN_ACTIONS; a++) {
        if (strcmp(wn_action_names[a], name) == 0) {
            *ret = (enum wn_action)a;
            return true;
        }
    }
    return false;
}

/* 0 and *ret; else printed, and the exit status. Called once the arguments are
 * known to be right: whoever mistypes one hears of that first. */
static int
open_store(const struct wn_options *o, struct wn_store **ret)
{
    if (wn_cmd_database(o, "review") == NULL)
        return WN_EX_CONFIG;
    *ret = wn_cmd_store(o, "review");
    return *ret == NULL ? 1 : 0;
}

/* --- list --- */

static const char *const label_words[] = { "no", "yes" };

/* "decided: remove by ana, spam=yes scam=no, "why" at 2026-11-25T15:00:00Z" */
static void
add_said(struct wn_buf *out, const struct wn_review_said *said)
{
    char at[WN_TIME_TEXT];
    bool first = true;

    wn_time_format(said->at_us, at);
    wn_buf_printf(out, "    decided: %s by ", wn_action_names[said->action]);
    wn_cmd_plain(out, said->staff_id, 60);
    for (int h = 0; h < WN_HEADS; h++) {
        if (said->labels[h] == WN_LABEL_UNSAID)
            continue;
        wn_buf_printf(out, "%s%s=%s", first ? ", " : " ", wn_head_names[h],
            label_words[said->labels[h] == WN_LABEL_YES]);
        first = false;
    }
    if (said->reason.len > 0) {
        wn_buf_str(out, ", \"");
        wn_cmd_plain(out, said->reason, 160);
        wn_buf_str(out, "\"");
    }
    wn_buf_printf(out, " at %.19sZ\n", at);
}

static void
print_item(const struct wn_review_item *it)
{
    struct wn_buf out;
    char at[WN_TIME_TEXT];

    wn_time_format(it->created_us, at);
    wn_buf_init(&out, 1u << 16);
    wn_buf_printf(&out,
        "%lld  %-7s  %s  priority %.2f  %.19sZ  revision %lld  ",
        (long long)it->id, it->state, wn_action_names[it->action], it->priority,
        at, (long long)it->version);
    wn_cmd_plain(&out, it->post_id, 60);
    wn_buf_str(&out, "\n    \"");
    wn_cmd_plain(&out, it->text, 100);
    wn_buf_str(&out, it->text.len > 0 ? "\"\n" : "\" (no text, or erased)\n");
    for (size_t i = 0; i < it->reasons_n; i++) {
        wn_buf_str(&out, "    because ");
        wn_cmd_plain(&out, it->reasons[i].text, 160);
        wn_buf_str(&out, "\n");
    }
    if (it->has_said)
        add_said(&out, &it->said);
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
}

static json_t *
json_said(const struct wn_review_item *it)
{
    const struct wn_review_said *said = &it->said;
    json_t *labels;
    char at[WN_TIME_TEXT];

    if (!it->has_said)
        return json_null();
    labels = json_object();
    for (int h = 0; h < WN_HEADS; h++)
        if (said->labels[h] != WN_LABEL_UNSAID)
            json_object_set_new(labels, wn_head_names[h],
                json_boolean(said->labels[h] == WN_LABEL_YES));
    wn_time_format(said->at_us, at);
    return json_pack("{s:s,s:o,s:o,s:o,s:s}", "action",
        wn_action_names[said->action], "staff", wn_cmd_json(said->staff_id),
        "labels", labels, "reason", wn_cmd_json(said->reason), "at", at);
}

static void
print_item_json(const struct wn_review_item *it)
{
    json_t *reasons = json_array(), *o;
    char made[WN_TIME_TEXT], at[WN_TIME_TEXT];

    wn_time_format(it->created_us, made);
    wn_time_format(it->time_us, at);
    for (size_t i = 0; i < it->reasons_n; i++)
        json_array_append_new(reasons,
            json_pack("{s:o,s:o,s:o}", "rule", wn_cmd_json(it->reasons[i].rule),
                "category", wn_cmd_json(it->reasons[i].category), "reason",
                wn_cmd_json(it->reasons[i].text)));
    o = json_pack("{s:I,s:s,s:o,s:o,s:o,s:s,s:f,s:I,s:s,s:s,s:o,s:o}", "item",
        (json_int_t)it->id, "state", it->state, "post_id",
        wn_cmd_json(it->post_id), "author_id", wn_cmd_json(it->author_id),
        "text", wn_cmd_json(it->text), "action", wn_action_names[it->action],
        "priority", it->priority, "revision", (json_int_t)it->version, "made",
        made, "at", at, "reasons", reasons, "decision", json_said(it));
    wn_cmd_print_json(o);
}

static int
list(const struct wn_options *o, const char *state, size_t max, bool json)
{
    struct wn_store *st = NULL;
    struct wn_review_item *items = NULL;
    struct wn_arena arena;
    struct wn_err err = { "" };
    size_t n = 0;
    int rc = open_store(o, &st);

    if (rc != 0)
        return rc;
    wn_arena_init(&arena, 1u << 16, ARENA_BYTES_MAX);
    if (wn_review_list(st, state, max, &arena, &items, &n, &err) != WN_OK)
        rc = wn_cmd_fail(1, "review", "%s", err.text);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (json)
            print_item_json(&items[i]);
        else
            print_item(&items[i]);
    }
    if (rc == 0 && !json)
        printf("%zu item%s\n", n, n == 1 ? "" : "s");
    wn_arena_release(&arena);
    wn_store_free(st);
    return rc;
}

static bool
parse_number(const char *text, int64_t max, int64_t *ret)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 0 || n > max)
        return false;
    *ret = n;
    return true;
}

static int
cmd_list(const struct wn_options *o, int argc, char **argv)
{
    const char *state = wn_cmd_take(&argc, argv, "--state");
    const char *max_text = wn_cmd_take(&argc, argv, "--max");
    bool json = wn_cmd_take_switch(&argc, argv, "--jsonl");
    int64_t max = 50;

    if (state != NULL && strcmp(state, "open") != 0 &&
        strcmp(state, "decided") != 0 && strcmp(state, "closed") != 0)
        return wn_cmd_usage("review", "--state is open, decided or closed");
    if (max_text != NULL && !parse_number(max_text, ITEMS_MAX, &max))
        return wn_cmd_usage("review", "--max takes 0 to %d", ITEMS_MAX);
    if (argc > 1)
        return wn_cmd_usage("review", "what is '%s' for?", argv[1]);
    return list(o, state, (size_t)max, json);
}

/* --- decide --- */

/* "spam=yes,scam=no" */
static bool
parse_labels(const char *text, enum wn_label labels[WN_HEADS])
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        const char *eq = memchr(text, '=', len);
        size_t value_len;
        enum wn_head h;

        if (eq == NULL || !wn_review_head(text, (size_t)(eq - text), &h))
            return false;
        value_len = len - (size_t)(eq - text) - 1;
        if (value_len == 3 && memcmp(eq + 1, "yes", 3) == 0)
            labels[h] = WN_LABEL_YES;
        else if (value_len == 2 && memcmp(eq + 1, "no", 2) == 0)
            labels[h] = WN_LABEL_NO;
        else
            return false;
        text += len + (text[len] == ',');
    }
    return true;
}

static int
decide(const struct wn_options *o, const struct wn_decision *d)
{
    struct wn_store *st = NULL;
    struct wn_err err = { "" };
    int64_t id = 0;
    int rc = open_store(o, &st);

    if (rc != 0)
        return rc;
    if (wn_review_decide(st, d, &id, &err) != WN_OK)
        rc = wn_cmd_fail(
            1, "review", "item %lld: %s", (long long)d->item, err.text);
    else
        printf("item %lld: decision %lld, %s\n", (long long)d->item,
            (long long)id, wn_action_names[d->action]);
    wn_store_free(st);
    return rc;
}

static int
cmd_decide(const struct wn_options *o, int argc, char **argv)
{
    const char *action = wn_cmd_take(&argc, argv, "--action");
    const char *revision = wn_cmd_take(&argc, argv, "--revision");
    const char *labels;
    struct wn_decision d = { .version = -1 };
    struct wn_err err = { "" };

    d.staff_id = wn_cmd_take(&argc, argv, "--staff");
    d.reason = wn_cmd_take(&argc, argv, "--reason");
    if (d.reason == NULL)
        d.reason = "";
    for (int h = 0; h < WN_HEADS; h++)
        d.labels[h] = WN_LABEL_UNSAID;
    while ((labels = wn_cmd_take(&argc, argv, "--label")) != NULL)
        if (!parse_labels(labels, d.labels))
            return wn_cmd_usage(
                "review", "--label takes HEAD=yes|no,..., not '%s'", labels);
    if (argc != 2 || !parse_number(argv[1], INT64_MAX, &d.item))
        return wn_cmd_usage("review", "decide takes the number of one item");
    if (!wn_review_action(action, &d.action))
        return wn_cmd_usage(
            "review", "--action must be allow, label, limit, review or remove");
    if (d.staff_id == NULL || d.staff_id[0] == '\0')
        return wn_cmd_usage("review", "--staff must say who decides");
    if (wn_review_check(d.staff_id, d.reason, &err) != WN_OK)
        return wn_cmd_usage("review", "--%s", err.text);
    if (revision != NULL && !parse_number(revision, INT64_MAX, &d.version))
        return wn_cmd_usage("review", "--revision takes a number");
    return decide(o, &d);
}

static int
cmd_import(const struct wn_options *o, int argc, char **argv)
{
    const char *staff = wn_cmd_take(&argc, argv, "--staff");
    struct wn_err err = { "" };
    struct wn_store *st = NULL;
    int rc;

    if (argc != 2)
        return wn_cmd_usage("review", "import takes one file, or -");
    if (staff != NULL && wn_review_check(staff, "", &err) != WN_OK)
        return wn_cmd_usage("review", "--%s", err.text);
    rc = open_store(o, &st);
    if (rc != 0)
        return rc;
    rc = wn_review_import_file(st, argv[1], staff);
    wn_store_free(st);
    return rc;
}

/* --- the subcommand --- */

static const struct verb {
    const char *name;
    int (*run)(const struct wn_options *o, int argc, char **argv);
} verbs[] = {
    { "list", cmd_list },
    { "decide", cmd_decide },
    { "import", cmd_import },
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const char *
verb_at(const void *names, size_t i)
{
    return ((const struct verb *)names)[i].name;
}

static int
dispatch(const struct wn_options *o, int argc, char **argv)
{
    const char *near;

    if (argc < 2)
        return wn_cmd_usage("review", "say list, decide or import");
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(o, argc - 1, argv + 1);
    near = wn_suggest(argv[1], strlen(argv[1]), verb_at, verbs, VERBS);
    if (near == NULL)
        return wn_cmd_usage("review",
            "'%.40s' is unknown: say list, decide or import", argv[1]);
    return wn_cmd_usage(
        "review", "'%.40s' is unknown; did you mean '%s'?", argv[1], near);
}

int
wn_cmd_review(int argc, char **argv)
{
    static const char *const own[] = { "--state=", "--max=", "--jsonl",
        "--action=", "--staff=", "--label=", "--reason=", "--revision=", NULL };
    static const char *const prefixes[] = { "database.", NULL };
    struct wn_options *o;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, own);
    if (o == NULL)
        return WN_EX_CONFIG;
    rc = dispatch(o, argc, argv);
    wn_options_free(o);
    return rc;
}
