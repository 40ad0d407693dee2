/*
 * winnow model shadow: how the second model's scores differ from those that
 * were acted on. A post's text is a stranger's: it goes through wn_cmd_plain().
 */
#include <math.h>
#include <string.h>

#include <jansson.h>

#include "cmd/cmd.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"
#include "core/clock.h"
#include "storage/shadow.h"

#define ARENA_BYTES_MAX (64u << 20)

static double
share_of(int64_t n, int64_t of)
{
    return of > 0 ? 100 * (double)n / (double)of : 0;
}

/* --- for people --- */

static void
print_heads(const struct wn_shadow_report *r)
{
    printf("\n%-8s %11s %11s %11s %11s %12s %8s\n", "Flag", "by both", "lost",
        "gained", "flips", "mean apart", "most");
    for (int h = 0; h < WN_HEADS; h++) {
        const struct wn_shadow_head *d = &r->head[h];

        printf("%-8s %11lld %11lld %11lld %9.2f %% ", wn_head_names[h],
            (long long)d->both, (long long)d->lost, (long long)d->gained,
            share_of(d->lost + d->gained, r->posts));
        if (d->known > 0)
            printf("%12.4f %8.4f\n", d->mean, d->most);
        else
            printf("%12s %8s\n", "-", "-");
    }
    printf("lost: flagged by the first model and not by the second; gained: "
           "the other way\n");
}

static void
print_actions(const struct wn_shadow_report *r)
{
    int64_t same = 0;

    for (int a = 0; a < WN_ACTIONS; a++)
        same += r->actions[a][a];
    printf("\nAction: the same for %lld posts (%.2f %%)\n", (long long)same,
        share_of(same, r->posts));
    for (int from = WN_ACTIONS - 1; from >= 0; from--)
        for (int to = WN_ACTIONS - 1; to >= 0; to--)
            if (from != to && r->actions[from][to] > 0)
                printf("  %-7s would be %-7s %9lld (%.2f %%)\n",
                    wn_action_names[from], wn_action_names[to],
                    (long long)r->actions[from][to],
                    share_of(r->actions[from][to], r->posts));
}

static void
print_example(const struct wn_shadow_example *e)
{
    struct wn_buf out;

    wn_buf_init(&out, 1u << 16);
    wn_buf_printf(&out, "  %s -> %s  ", wn_action_names[e->was.action],
        wn_action_names[e->shadow.action]);
    if (e->post_id.p != NULL)
        wn_cmd_plain(&out, e->post_id, 60);
    else
        wn_buf_str(&out, "(its verdict has left)");
    for (int h = 0; h < WN_HEADS; h++) {
        bool was = e->was.flags >> h & 1, now = e->shadow.flags >> h & 1;

        if (!isnan(e->was.scores[h]) && !isnan(e->shadow.scores[h]) &&
            (was != now || fabs(e->was.scores[h] - e->shadow.scores[h]) >= .1))
            wn_buf_printf(&out, "  %s%s %.3f -> %.3f",
                was == now ? ""
                : was      ? "-"
                           : "+",
                wn_head_names[h], e->was.scores[h], e->shadow.scores[h]);
    }
    if (e->text.p != NULL) {
        wn_buf_str(&out, "\n     \"");
        wn_cmd_plain(&out, e->text, 90);
        wn_buf_char(&out, '"');
    }
    wn_buf_char(&out, '\n');
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
}

static void
print_report(const struct wn_shadow_report *r)
{
    char first[WN_TIME_TEXT], last[WN_TIME_TEXT];

    if (r->model.p == NULL) {
        printf("No second model has scored a post yet: run a worker with "
               "model.shadow=DIR.\n");
        return;
    }
    wn_time_format(r->first_us, first);
    wn_time_format(r->last_us, last);
    printf("First model:  %.*s\nSecond model: %.*s\n%lld posts, from %.19sZ to "
           "%.19sZ\n",
        (int)r->live.len, r->live.p, (int)r->model.len, r->model.p,
        (long long)r->posts, first, last);
    if (r->other_posts > 0)
        printf("(and %lld of other pairs of models, which are not counted "
               "here)\n",
            (long long)r->other_posts);
    print_heads(r);
    print_actions(r);
    if (r->examples_n > 0)
        printf("\nWidest apart, of those whose flags or action differ%s:\n",
            r->may_read ? "" : " (this role may not read what posts say)");
    for (size_t i = 0; i < r->examples_n; i++)
        print_example(&r->examples[i]);
}

/* --- as JSON --- */

static json_t *
json_number(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

static json_t *
json_heads(const struct wn_shadow_report *r)
{
    json_t *heads = json_object();

    for (int h = 0; h < WN_HEADS; h++) {
        const struct wn_shadow_head *d = &r->head[h];

        json_object_set_new(heads, wn_head_names[h],
            json_pack("{s:I,s:I,s:I,s:I,s:o,s:o}", "both", (json_int_t)d->both,
                "lost", (json_int_t)d->lost, "gained", (json_int_t)d->gained,
                "scored", (json_int_t)d->known, "mean_apart",
                json_number(d->mean), "most_apart", json_number(d->most)));
    }
    return heads;
}

static json_t *
json_actions(const struct wn_shadow_report *r)
{
    json_t *list = json_array();

    for (int from = 0; from < WN_ACTIONS; from++)
        for (int to = 0; to < WN_ACTIONS; to++)
            if (r->actions[from][to] > 0)
                json_array_append_new(
                    list, json_pack("{s:s,s:s,s:I}", "from",
                              wn_action_names[from], "to", wn_action_names[to],
                              "posts", (json_int_t)r->actions[from][to]));
    return list;
}

static json_t *
json_said(const struct wn_shadow_said *said)
{
    json_t *scores = json_object(), *flags = json_array();

    for (int h = 0; h < WN_HEADS; h++) {
        json_object_set_new(
            scores, wn_head_names[h], json_number(said->scores[h]));
        if (said->flags >> h & 1)
            json_array_append_new(flags, json_string(wn_head_names[h]));
    }
    return json_pack("{s:s,s:o,s:o}", "action", wn_action_names[said->action],
        "flags", flags, "scores", scores);
}

static json_t *
json_examples(const struct wn_shadow_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->examples_n; i++)
        json_array_append_new(
            list, json_pack("{s:o,s:o,s:o,s:o}", "post_id",
                      wn_cmd_json(r->examples[i].post_id), "text",
                      wn_cmd_json(r->examples[i].text), "first",
                      json_said(&r->examples[i].was), "second",
                      json_said(&r->examples[i].shadow)));
    return list;
}

static int
print_json(const struct wn_shadow_report *r)
{
    json_t *o = json_pack("{s:o,s:o,s:I,s:I,s:o,s:o,s:o}", "first",
        wn_cmd_json(r->live), "second", wn_cmd_json(r->model), "posts",
        (json_int_t)r->posts, "posts_of_other_pairs",
        (json_int_t)r->other_posts, "heads", json_heads(r), "actions",
        json_actions(r), "examples", json_examples(r));

    return wn_cmd_print_json(o) ? 0 : wn_cmd_fail(1, "model", "out of memory");
}

int
wn_model_shadow(const struct wn_options *o, size_t examples_max, bool json)
{
    struct wn_shadow_report r;
    struct wn_arena arena;
    struct wn_store *st;
    struct wn_err err = { "" };
    int status = 0;

    if (wn_cmd_database(o, "model") == NULL)
        return WN_EX_CONFIG;
    st = wn_cmd_store(o, "model");
    if (st == NULL)
        return 1;
    wn_arena_init(&arena, 1u << 16, ARENA_BYTES_MAX);
    if (wn_shadow_report(st, examples_max, &arena, &r, &err) != WN_OK)
        status = wn_cmd_fail(1, "model", "%s", err.text);
    else if (json)
        status = print_json(&r);
    else
        print_report(&r);
    wn_arena_release(&arena);
    wn_store_free(st);
    return status;
}
