/*
 * winnow status: what the tables say, for people or as JSON. Reads only.
 *
 * What is printed of a post is a stranger's text: it goes through
 * wn_cmd_plain(), so it cannot steer the terminal.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/tools.h"
#include "storage/report.h"

static const char usage[] =
    "Usage: winnow status [--json] [--top=N] [--database.url=URL]\n"
    "\n"
    "What the database holds: outcomes of records, dead letters by class with\n"
    "the newest cause, actions by flag, the most severe verdicts with their\n"
    "reasons, the cursor and the audit chain of every source. A member of\n"
    "winnow_auditor sees all of it but the texts of posts. How far a source\n"
    "is ahead of its cursor is known to the running worker only: winnow_lag\n"
    "on its /metrics.\n"
    "\n"
    "  --json   one JSON object instead of tables\n"
    "  --top=N  most severe verdicts to show (10)\n";

#define TOP_MAX 1000
#define ARENA_BYTES_MAX (64u << 20)

struct facts {
    struct wn_report r;
    struct wn_severe *severe;
    size_t severe_n;
    bool may_read; /* what posts say */
    struct wn_report_dead *dead;
    size_t dead_n;
    struct wn_report_cursor *cursors;
    size_t cursors_n;
};

static enum wn_status
read_facts(struct wn_store *st, size_t top, struct wn_arena *arena,
    struct facts *ret, struct wn_err *err)
{
    enum wn_status rc = wn_report_counts(st, &ret->r, err);

    if (rc == WN_OK)
        rc =
            wn_report_severe(st, top, arena, &ret->severe, &ret->severe_n, err);
    if (rc == WN_OK)
        rc = wn_report_may_read(st, &ret->may_read, err);
    if (rc == WN_OK && ret->r.dead_letters > 0)
        rc = wn_report_dead(st, arena, &ret->dead, &ret->dead_n, err);
    if (rc == WN_OK)
        rc = wn_report_cursors(st, arena, &ret->cursors, &ret->cursors_n, err);
    return rc;
}

/* --- for people --- */

/* What an outcome means, for who sees its name for the first time. */
static const char *const meanings[WN_OUTCOMES] = {
    [WN_DEGRADED] = "judged without its text or its image",
    [WN_DEFERRED] = "to be judged later",
    [WN_DEAD] = "dead letters: nobody can read them, see below",
    [WN_REPEAT] = "judged before: same id and revision, or same content",
    [WN_STALE] = "older than what was judged of the same post",
    [WN_ERASED] = "the post was deleted, and its content with it",
};

static void
print_counts(const struct wn_report *r)
{
    char first[WN_TIME_TEXT] = "", last[WN_TIME_TEXT] = "";
    int64_t all = 0;

    for (int i = 1; i < WN_OUTCOMES; i++)
        all += r->outcomes[i];
    if (r->first_us != WN_TIME_UNKNOWN)
        wn_time_format(r->first_us, first);
    if (r->last_us != WN_TIME_UNKNOWN)
        wn_time_format(r->last_us, last);
    printf("Records: %lld", (long long)all);
    if (r->first_us != WN_TIME_UNKNOWN)
        printf(", from %.19sZ to %.19sZ", first, last);
    putchar('\n');
    for (int i = 1; i < WN_OUTCOMES; i++)
        printf("  %-9s %9lld%s%s\n", wn_outcome_names[i],
            (long long)r->outcomes[i],
            r->outcomes[i] > 0 && meanings[i] != NULL ? "   " : "",
            r->outcomes[i] > 0 && meanings[i] != NULL ? meanings[i] : "");
}

static void
print_dead(const struct facts *f)
{
    struct wn_buf line;

    if (f->dead_n == 0)
        return;
    printf("\nDead letters (what a record should be: deploy/FORMATS.md)\n");
    for (size_t i = 0; i < f->dead_n; i++) {
        const struct wn_report_dead *d = &f->dead[i];

        wn_buf_init(&line, 1u << 16);
        wn_buf_str(&line, "  ");
        wn_cmd_plain(&line, d->cls, 10);
        while (line.len < 12)
            wn_buf_char(&line, ' ');
        wn_buf_printf(&line, "%9lld   newest: ", (long long)d->n);
        wn_cmd_plain(&line, d->topic, 200);
        wn_buf_printf(
            &line, "/%d offset %lld: ", (int)d->part, (long long)d->off);
        wn_cmd_plain(&line, d->cause, 300);
        wn_buf_char(&line, '\n');
        fwrite(line.data, 1, line.len, stdout);
        wn_buf_release(&line);
    }
}

static void
print_actions(const struct wn_report *r)
{
    printf("\n%-9s %9s", "Action", "verdicts");
    for (int h = 0; h < WN_HEADS; h++)
        printf(" %9s", wn_head_names[h]);
    putchar('\n');
    for (int a = WN_ACTIONS - 1; a >= 0; a--) {
        printf("  %-7s %9lld", wn_action_names[a], (long long)r->actions[a]);
        for (int h = 0; h < WN_HEADS; h++)
            printf(" %9lld", (long long)r->flags_by_action[a][h]);
        putchar('\n');
    }
    printf("  %-7s %9s", "flagged", "");
    for (int h = 0; h < WN_HEADS; h++)
        printf(" %9lld", (long long)r->flags[h]);
    putchar('\n');
}

static void
print_one_severe(size_t rank, const struct wn_severe *s)
{
    struct wn_buf line;

    wn_buf_init(&line, 1u << 16);
    wn_buf_printf(&line, "%3zu. %-6s ", rank, wn_action_names[s->action]);
    wn_cmd_plain(&line, s->post_id, 60);
    for (int h = 0; h < WN_HEADS; h++)
        if (!isnan(s->scores[h]))
            wn_buf_printf(&line, "  %s %.2f", wn_head_names[h], s->scores[h]);
    if (s->text.p != NULL) {
        wn_buf_str(&line, "\n     \"");
        wn_cmd_plain(&line, s->text, 90);
        wn_buf_char(&line, '"');
    }
    wn_buf_char(&line, '\n');
    for (size_t i = 0; i < s->reasons_n; i++) {
        wn_buf_str(&line, "     because ");
        wn_cmd_plain(&line, s->reasons[i].text, 160);
        wn_buf_str(&line, " [");
        wn_cmd_plain(&line, s->reasons[i].rule, 60);
        wn_buf_str(&line, "]\n");
    }
    fwrite(line.data, 1, line.len, stdout);
    wn_buf_release(&line);
}

static void
print_cursor(const struct wn_report_cursor *c)
{
    struct wn_buf line;
    char at[WN_TIME_TEXT];

    wn_time_format(c->updated_us, at);
    wn_buf_init(&line, 1u << 16);
    wn_buf_str(&line, "  ");
    wn_cmd_plain(&line, c->kind, 16);
    wn_buf_char(&line, ' ');
    wn_cmd_plain(&line, c->topic, 200);
    wn_buf_printf(&line, "/%d: next %lld, epoch %lld, %s", (int)c->part,
        (long long)c->next_offset, (long long)c->epoch,
        c->owner.len > 0 ? "held by " : "released");
    wn_cmd_plain(&line, c->owner, 80);
    wn_buf_printf(&line,
        ", %.19sZ\n    audit chain: %lld rows, head %.16s...\n", at,
        (long long)c->chain_seq, c->chain_head);
    fwrite(line.data, 1, line.len, stdout);
    wn_buf_release(&line);
}

/* Every run over standard input has a cursor; of those without a record there
 * is nothing to tell. */
static bool
is_empty_stdin(const struct wn_report_cursor *c)
{
    return c->chain_seq == 0 && c->owner.len == 0 && c->topic.len == 1 &&
           c->topic.p[0] == '-';
}

static void
print_facts(const struct facts *f)
{
    const struct wn_report *r = &f->r;

    print_counts(r);
    print_dead(f);
    print_actions(r);
    if (f->severe_n > 0)
        printf("\nMost severe%s:\n",
            f->may_read ? "" : " (this role may not read what posts say)");
    for (size_t i = 0; i < f->severe_n; i++)
        print_one_severe(i + 1, &f->severe[i]);
    printf("\nSources (lag: see winnow_lag of the worker):\n");
    for (size_t i = 0; i < f->cursors_n; i++)
        if (!is_empty_stdin(&f->cursors[i]))
            print_cursor(&f->cursors[i]);
    printf("\nReview: %lld open, %lld decided (winnow review list). Dead "
           "letters: %lld. Outbox waiting: %lld.\n",
        (long long)r->review_open, (long long)r->decisions,
        (long long)r->dead_letters, (long long)r->outbox_waiting);
    printf("Audit trail: %lld rows in table winnow.audit, one hash chain a "
           "source; its heads are above.\n",
        (long long)r->audit_rows);
}

/* --- as JSON --- */

static void
json_counts(struct wn_buf *out, const char *name, const int64_t *n,
    const char *const *names, int from, int to)
{
    wn_buf_printf(out, "\"%s\":{", name);
    for (int i = from; i < to; i++)
        wn_buf_printf(out, "%s\"%s\":%lld", i > from ? "," : "", names[i],
            (long long)n[i]);
    wn_buf_char(out, '}');
}

static void
json_time(struct wn_buf *out, const char *name, int64_t us)
{
    char text[WN_TIME_TEXT];

    if (us == WN_TIME_UNKNOWN) {
        wn_buf_printf(out, "\"%s\":null", name);
        return;
    }
    wn_time_format(us, text);
    wn_buf_printf(out, "\"%s\":\"%s\"", name, text);
}

static void
json_str(struct wn_buf *out, const char *name, struct wn_str s)
{
    wn_buf_printf(out, "\"%s\":", name);
    wn_buf_json(out, s.p != NULL ? s.p : "", s.len);
}

static void
json_severe(struct wn_buf *out, const struct wn_severe *s)
{
    wn_buf_char(out, '{');
    json_str(out, "post_id", s->post_id);
    wn_buf_printf(out, ",\"action\":\"%s\",", wn_action_names[s->action]);
    if (s->text.p != NULL)
        json_str(out, "text", s->text);
    else
        wn_buf_str(out, "\"text\":null");
    wn_buf_str(out, ",\"scores\":{");
    for (int h = 0; h < WN_HEADS; h++) {
        wn_buf_printf(out, "%s\"%s\":", h > 0 ? "," : "", wn_head_names[h]);
        wn_buf_double(out, s->scores[h]);
    }
    wn_buf_str(out, "},\"reasons\":[");
    for (size_t i = 0; i < s->reasons_n; i++) {
        wn_buf_str(out, i > 0 ? ",{" : "{");
        json_str(out, "rule", s->reasons[i].rule);
        wn_buf_char(out, ',');
        json_str(out, "category", s->reasons[i].category);
        wn_buf_char(out, ',');
        json_str(out, "reason", s->reasons[i].text);
        wn_buf_char(out, '}');
    }
    wn_buf_str(out, "]}");
}

static void
json_cursor(struct wn_buf *out, const struct wn_report_cursor *c)
{
    wn_buf_char(out, '{');
    json_str(out, "kind", c->kind);
    wn_buf_char(out, ',');
    json_str(out, "topic", c->topic);
    wn_buf_printf(out,
        ",\"part\":%d,\"epoch\":%lld,\"next_offset\":%lld,\"chain_seq\":%lld,"
        "\"chain_head\":\"%s\",",
        (int)c->part, (long long)c->epoch, (long long)c->next_offset,
        (long long)c->chain_seq, c->chain_head);
    json_str(out, "owner", c->owner);
    wn_buf_char(out, ',');
    json_time(out, "updated", c->updated_us);
    wn_buf_char(out, '}');
}

static void
json_dead(struct wn_buf *out, const struct wn_report_dead *d)
{
    wn_buf_char(out, '{');
    json_str(out, "class", d->cls);
    wn_buf_printf(out, ",\"count\":%lld,\"newest\":{", (long long)d->n);
    json_str(out, "cause", d->cause);
    wn_buf_char(out, ',');
    json_str(out, "topic", d->topic);
    wn_buf_printf(
        out, ",\"part\":%d,\"offset\":%lld,", (int)d->part, (long long)d->off);
    json_time(out, "at", d->at_us);
    wn_buf_str(out, "}}");
}

static void
json_facts(struct wn_buf *out, const struct facts *f)
{
    const struct wn_report *r = &f->r;

    wn_buf_char(out, '{');
    json_counts(out, "outcomes", r->outcomes, wn_outcome_names, 1, WN_OUTCOMES);
    wn_buf_char(out, ',');
    json_counts(out, "actions", r->actions, wn_action_names, 0, WN_ACTIONS);
    wn_buf_char(out, ',');
    json_counts(out, "flags", r->flags, wn_head_names, 0, WN_HEADS);
    wn_buf_str(out, ",\"flags_by_action\":{");
    for (int a = 0; a < WN_ACTIONS; a++) {
        if (a > 0)
            wn_buf_char(out, ',');
        json_counts(out, wn_action_names[a], r->flags_by_action[a],
            wn_head_names, 0, WN_HEADS);
    }
    wn_buf_printf(out,
        "},\"audit_rows\":%lld,\"review_open\":%lld,\"decisions\":%lld,"
        "\"dead_letters\":%lld,\"outbox_waiting\":%lld,",
        (long long)r->audit_rows, (long long)r->review_open,
        (long long)r->decisions, (long long)r->dead_letters,
        (long long)r->outbox_waiting);
    json_time(out, "first", r->first_us);
    wn_buf_char(out, ',');
    json_time(out, "last", r->last_us);
    wn_buf_str(out, ",\"severe\":[");
    for (size_t i = 0; i < f->severe_n; i++) {
        if (i > 0)
            wn_buf_char(out, ',');
        json_severe(out, &f->severe[i]);
    }
    wn_buf_str(out, "],\"dead\":[");
    for (size_t i = 0; i < f->dead_n; i++) {
        if (i > 0)
            wn_buf_char(out, ',');
        json_dead(out, &f->dead[i]);
    }
    wn_buf_str(out, "],\"sources\":[");
    for (size_t i = 0; i < f->cursors_n; i++) {
        if (i > 0)
            wn_buf_char(out, ',');
        json_cursor(out, &f->cursors[i]);
    }
    wn_buf_str(out, "]}\n");
}

static int
print_json(const struct facts *f)
{
    struct wn_buf out;
    int rc = 0;

    wn_buf_init(&out, 64u << 20);
    json_facts(&out, f);
    if (out.failed)
        rc = wn_cmd_fail(1, "status", "the report is over 64 MiB");
    else
        fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
    return rc;
}

/* --- the subcommand --- */

static bool
parse_top(const char *text, size_t *ret)
{
    size_t len = text != NULL ? strlen(text) : 0;

    *ret = 10;
    if (text == NULL)
        return true;
    if (len == 0 || len > 4 || strspn(text, "0123456789") != len)
        return false;
    *ret = (size_t)strtoul(text, NULL, 10);
    return *ret <= TOP_MAX;
}

static int
report(const struct wn_options *o, size_t top, bool json)
{
    struct wn_store *st = NULL;
    struct wn_arena arena;
    struct facts f = { 0 };
    struct wn_err err = { "" };
    int rc = 1;

    wn_arena_init(&arena, 1u << 16, ARENA_BYTES_MAX);
    st = wn_cmd_store(o, "status");
    if (st == NULL)
        goto out;
    if (read_facts(st, top, &arena, &f, &err) != WN_OK) {
        wn_cmd_fail(1, "status", "%s", err.text);
        goto out;
    }
    rc = 0;
    if (json)
        rc = print_json(&f);
    else
        print_facts(&f);
out:
    wn_store_free(st);
    wn_arena_release(&arena);
    return rc;
}

int
wn_cmd_status(int argc, char **argv)
{
    static const char *const own[] = { "--json", "--top=", NULL };
    static const char *const prefixes[] = { "database.", NULL };
    struct wn_options *o;
    size_t top;
    bool json;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, own);
    if (o == NULL)
        return WN_EX_CONFIG;
    json = wn_cmd_take_switch(&argc, argv, "--json");
    if (!parse_top(wn_cmd_take(&argc, argv, "--top"), &top))
        rc = wn_cmd_usage("status", "--top takes a number up to %d", TOP_MAX);
    else if (argc > 1)
        rc = wn_cmd_usage("status", "what is '%s' for?", argv[1]);
    else if (wn_cmd_database(o, "status") == NULL)
        rc = WN_EX_CONFIG;
    else
        rc = report(o, top, json);
    wn_options_free(o);
    return rc;
}
