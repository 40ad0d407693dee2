/*
 * winnow score --explain[=HEAD]: which words a score hangs on, for people as a
 * table, for scripts as a member of their line.
 */
#include <math.h>
#include <string.h>

#include "cmd/score_int.h"
#include "cmd/tools.h"

#define ROWS_MAX 10   /* of the table */
#define BAR_WIDTH 20u /* of the heaviest word */
#define LINE_MAX ((size_t)1 << 16)

bool
wn_score_take_explain(int *argc, char **argv, struct wn_score *s)
{
    bool asked = wn_cmd_take_switch(argc, argv, "--explain");
    const char *name = wn_cmd_take(argc, argv, "--explain");

    s->explain = asked || name != NULL;
    s->explain_head = WN_HEADS;
    if (name == NULL)
        return true;
    for (enum wn_head h = 0; h < WN_HEADS; h++)
        if (strcmp(name, wn_head_names[h]) == 0)
            s->explain_head = h;
    if (s->explain_head == WN_HEADS)
        wn_cmd_usage(argv[0],
            "--explain '%.40s' is none of spam, scam, bait and ai_text", name);
    return s->explain_head != WN_HEADS;
}

enum wn_status
wn_score_explainer(
    const struct wn_score *s, struct wn_explainer **ret, struct wn_err *err)
{
    return s->explain
               ? wn_explainer_new(ret, s->classifier, s->windows_max, err)
               : WN_OK;
}

enum wn_status
wn_score_explain(const struct wn_score *s, struct wn_explainer *x,
    const struct wn_item *item, struct wn_explanation *ret, struct wn_err *err)
{
    enum wn_head head = s->explain_head;

    if (head == WN_HEADS && item->outcome != WN_DEAD)
        head = wn_explain_head(&item->sig);
    if (head == WN_HEADS || item->outcome == WN_DEAD) {
        *ret = (struct wn_explanation){ .windows = 0 };
        return WN_OK;
    }
    return wn_explain_run(x, &item->post, head, ret, err);
}

/* --- for scripts --- */

/* Places of word `word` as [[begin,end],...]. */
static void
json_places(struct wn_buf *out, const struct wn_explanation *e, size_t word)
{
    const char *comma = "";

    wn_buf_char(out, '[');
    for (size_t k = 0; k < e->places_n; k++) {
        if (e->places[k].word != word)
            continue;
        wn_buf_printf(
            out, "%s[%zu,%zu]", comma, e->places[k].begin, e->places[k].end);
        comma = ",";
    }
    wn_buf_char(out, ']');
}

void
wn_score_explain_json(struct wn_buf *out, const struct wn_explanation *e)
{
    if (e->windows == 0) {
        wn_buf_str(out, ",\"explain\":null");
        return;
    }
    wn_buf_printf(out,
        ",\"explain\":{\"head\":\"%s\",\"logit\":", wn_head_names[e->head]);
    wn_buf_double(out, e->logit);
    wn_buf_printf(out,
        ",\"window\":%zu,\"windows\":%zu,\"text\":", e->window + 1, e->windows);
    wn_buf_json(out, e->text.p, e->text.len);
    wn_buf_str(out, ",\"words\":[");
    for (size_t i = 0; i < e->words_n; i++) {
        wn_buf_str(out, i == 0 ? "{\"word\":" : ",{\"word\":");
        wn_buf_json(out, e->words[i].text.p, e->words[i].text.len);
        wn_buf_str(out, ",\"weight\":");
        wn_buf_double(out, e->words[i].weight);
        wn_buf_str(out, ",\"at\":");
        json_places(out, e, i);
        wn_buf_char(out, '}');
    }
    wn_buf_str(out, "],\"left_out\":");
    json_places(out, e, WN_EXPLAIN_LEFT_OUT);
    wn_buf_char(out, '}');
}

/* --- for people --- */

/* + for the head, - against it; `most` is a whole bar. */
static void
print_bar(double weight, double most)
{
    unsigned n = 0;

    if (most > 0)
        n = (unsigned)lround(fabs(weight) / most * BAR_WIDTH);
    for (unsigned i = 0; i < BAR_WIDTH; i++)
        putchar(i >= n ? ' ' : weight < 0 ? '-' : '+');
}

static void
print_word(const struct wn_explained_word *w, double most)
{
    struct wn_buf text;

    wn_buf_init(&text, LINE_MAX);
    wn_cmd_plain(&text, w->text, 40);
    printf("  %+6.2f  ", w->weight);
    print_bar(w->weight, most);
    printf("  %.*s", (int)text.len, text.len > 0 ? text.data : "");
    if (w->times > 1)
        printf("  (%zu times)", w->times);
    printf("\n");
    wn_buf_release(&text);
}

static void
print_rest(const struct wn_explanation *e, size_t shown)
{
    size_t left_out = 0;

    for (size_t k = 0; k < e->places_n; k++)
        left_out += e->places[k].word == WN_EXPLAIN_LEFT_OUT;
    if (e->words_n > shown)
        printf("  and %zu that weigh less\n", e->words_n - shown);
    if (left_out > 0)
        printf("  left out: %zu more, which seem to weigh less\n", left_out);
    if (e->windows > 1)
        printf("  of window %zu of %zu, where it is highest\n", e->window + 1,
            e->windows);
}

void
wn_score_explain_print(const struct wn_explanation *e)
{
    size_t shown = e->words_n < ROWS_MAX ? e->words_n : ROWS_MAX;

    if (e->windows == 0) {
        printf("\nexplain  nothing: there is no text\n");
        return;
    }
    printf("\nexplain  %s: its logit is %.2f, and so much less without\n",
        wn_head_names[e->head], e->logit);
    for (size_t i = 0; i < shown; i++)
        print_word(&e->words[i], fabs(e->words[0].weight));
    print_rest(e, shown);
}
