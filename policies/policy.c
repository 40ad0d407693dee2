/*
 * From signals to an action and its reasons.
 *
 * Any number of threads at once: a policy never changes after it is loaded,
 * and an evaluation writes to its verdict, its stack and the item's arena
 * only. The arena is used for the texts of reasons and for nothing else, so
 * the action is the same whatever memory there is.
 */
#include <stdio.h>
#include <string.h>

#include "policies/policy_int.h"

/* The rules that matched, by action, in the policy's order. */
struct hits {
    uint16_t rule[WN_ACTIONS][WN_REASONS_MAX];
    size_t n[WN_ACTIONS];
};

/*
 * Is this author in the rollout? The same author stays in while the share
 * grows; rules draw apart, so that not the same few bear every new rule.
 */
static bool
in_rollout(const struct wn_rule *rule, const struct wn_signals *sig)
{
    const struct wn_value *author = &sig->v[WN_SIG_AUTHOR_ID];

    if (rule->rollout == 100)
        return true;
    if (rule->rollout == 0 || author->kind != WN_VALUE_STRING)
        return false;
    return wn_hash64(author->s.p, author->s.len, rule->rollout_seed) % 100 <
           rule->rollout;
}

static void
add_hit(struct hits *hits, const struct wn_policy *p, size_t i)
{
    enum wn_action a = p->rules[i].action;

    if (hits->n[a] < WN_REASONS_MAX)
        hits->rule[a][hits->n[a]] = (uint16_t)i;
    hits->n[a]++;
}

static void
ask_rules(const struct wn_policy *p, struct wn_cel_run *run,
    const struct wn_signals *sig, struct hits *hits, struct wn_verdict *ret)
{
    for (size_t i = 0; i < p->rules_n; i++) {
        const struct wn_rule *rule = &p->rules[i];
        struct wn_cel_value v;

        if (rule->mode == WN_RULE_OFF || !in_rollout(rule, sig))
            continue;
        wn_cel_run_reset(run);
        v = wn_cel_eval(rule->when, run);
        if (v.kind == WN_CEL_BOOL) {
            if (v.b)
                add_hit(hits, p, i);
        } else if (ret->skipped_n < WN_SKIPPED_RULES_MAX) {
            ret->skipped[ret->skipped_n++] = rule->id;
        }
    }
}

static void
add_reasons(const struct wn_policy *p, const struct hits *hits,
    const struct wn_signals *sig, struct wn_arena *arena,
    struct wn_verdict *ret)
{
    for (int a = WN_ACTIONS - 1; a >= 0; a--) {
        if (hits->n[a] > 0 && ret->action == WN_ALLOW)
            ret->action = (enum wn_action)a;
        for (size_t i = 0; i < hits->n[a]; i++) {
            const struct wn_rule *rule;

            if (ret->reasons_n == WN_REASONS_MAX) {
                ret->reasons_more += hits->n[a] - i;
                break;
            }
            rule = &p->rules[hits->rule[a][i]];
            ret->reasons[ret->reasons_n++] = (struct wn_reason){
                .rule = rule->id,
                .category = rule->category,
                .text = wn_reason_render(&rule->reason, sig, arena),
            };
        }
    }
}

void
wn_policy_eval(const struct wn_policy *p, const struct wn_signals *sig,
    struct wn_arena *arena, struct wn_verdict *ret)
{
    struct wn_cel_run run; /* not cleared: 20 KiB */
    struct hits hits;

    memset(&hits, 0, sizeof(hits));
    memset(ret, 0, sizeof(*ret));
    wn_cel_run_init(&run, sig->v);
    run.lists = p->lists;
    ask_rules(p, &run, sig, &hits, ret);
    wn_cel_run_release(&run);
    add_reasons(p, &hits, sig, arena, ret);
}

const char *
wn_policy_version(const struct wn_policy *p)
{
    return p->version;
}

size_t
wn_policy_rules(const struct wn_policy *p)
{
    return p->rules_n;
}

/* --- why a rule was skipped --- */

/* Names each unknown signal under the node once; how many there were. */
static size_t
add_unknown(const struct wn_cel_node *node, const struct wn_signals *sig,
    bool seen[WN_SIG_COUNT], size_t n, struct wn_buf *out)
{
    if (node->op == WN_OP_VAR && !seen[node->index] &&
        sig->v[node->index].kind == WN_VALUE_UNKNOWN) {
        seen[node->index] = true;
        wn_buf_printf(
            out, "%s%s", n == 0 ? "" : ", ", wn_signal_table[node->index].name);
        n++;
    }
    for (size_t i = 0; i < node->kids_n; i++)
        n = add_unknown(node->kids[i], sig, seen, n, out);
    return n;
}

static void
add_why(const struct wn_rule *rule, const struct wn_signals *sig,
    struct wn_lists *lists, struct wn_buf *out)
{
    bool seen[WN_SIG_COUNT] = { false };
    struct wn_cel_run run;
    struct wn_cel_value v;
    size_t n;

    wn_cel_run_init(&run, sig->v);
    run.lists = lists;
    v = wn_cel_eval(rule->when, &run);
    wn_cel_run_release(&run);
    if (v.kind != WN_CEL_UNKNOWN) {
        wn_buf_str(out, v.kind == WN_CEL_ERROR ? v.why : "it gave no bool");
        return;
    }
    n = add_unknown(rule->when, sig, seen, 0, out);
    wn_buf_str(out, n == 0   ? "an input is unknown"
                    : n == 1 ? " is unknown"
                             : " are unknown");
}

void
wn_policy_why_skipped(const struct wn_policy *p, const struct wn_signals *sig,
    struct wn_str rule, struct wn_buf *out)
{
    for (size_t i = 0; i < p->rules_n; i++) {
        const struct wn_rule *have = &p->rules[i];

        if (have->id.len == rule.len &&
            memcmp(have->id.p, rule.p, rule.len) == 0) {
            add_why(have, sig, p->lists, out);
            return;
        }
    }
}

/* --- describe --- */

static void
pad(struct wn_buf *out, const char *p, size_t len, size_t width)
{
    wn_buf_add(out, p, len);
    for (; len < width; len++)
        wn_buf_char(out, ' ');
    wn_buf_str(out, "  ");
}

/* On one line, whatever white space the rule was written with. */
static void
add_when(struct wn_buf *out, struct wn_str when)
{
    bool blank = false;

    for (size_t i = 0; i < when.len; i++) {
        if (when.p[i] == ' ' || (when.p[i] >= '\t' && when.p[i] <= '\r')) {
            blank = true;
            continue;
        }
        if (blank)
            wn_buf_char(out, ' ');
        blank = false;
        wn_buf_char(out, when.p[i]);
    }
    wn_buf_char(out, '\n');
}

static void
describe_mode(struct wn_buf *out, const struct wn_rule *rule)
{
    char text[16];
    int n;

    if (rule->mode == WN_RULE_OFF || rule->rollout == 100) {
        const char *mode = rule->mode == WN_RULE_OFF ? "off" : "enforce";

        pad(out, mode, strlen(mode), 12);
        return;
    }
    n = snprintf(text, sizeof(text), "enforce %u%%", rule->rollout);
    pad(out, text, (size_t)n, 12);
}

void
wn_policy_describe(const struct wn_policy *p, struct wn_buf *out)
{
    size_t id = 4, category = 8;

    for (size_t i = 0; i < p->rules_n; i++) {
        if (p->rules[i].id.len > id)
            id = p->rules[i].id.len;
        if (p->rules[i].category.len > category)
            category = p->rules[i].category.len;
    }
    pad(out, "rule", 4, id);
    pad(out, "action", 6, 6);
    pad(out, "mode", 4, 12);
    pad(out, "category", 8, category);
    wn_buf_str(out, "when\n");
    for (size_t i = 0; i < p->rules_n; i++) {
        const struct wn_rule *rule = &p->rules[i];
        const char *action = wn_action_names[rule->action];

        pad(out, rule->id.p, rule->id.len, id);
        pad(out, action, strlen(action), 6);
        describe_mode(out, rule);
        pad(out, rule->category.p, rule->category.len, category);
        add_when(out, rule->when_text);
    }
}
