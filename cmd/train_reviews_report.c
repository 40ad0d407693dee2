/* What learning from decisions came to, for people, and the card. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/tools.h"
#include "cmd/train_reviews.h"

/* --- for the terminal --- */

static void
add_line(struct wn_buf *out, size_t n, const char *what)
{
    if (n > 0)
        wn_buf_printf(out, "%8zu  %s\n", n, what);
}

static void
add_share(struct wn_buf *out, size_t k, size_t n)
{
    if (n == 0)
        wn_buf_printf(out, " %9s", "-");
    else
        wn_buf_printf(out, " %7.1f %%", 100 * (double)k / (double)n);
}

static void
add_heads(struct wn_buf *out, const struct wn_reviews_head *heads)
{
    wn_buf_printf(out, "\n%-8s %6s %9s %9s %6s %9s %9s   %s\n", "held back",
        "yes", "found", "now", "no", "flagged", "now", "threshold");
    for (size_t h = 0; h < WN_HEADS; h++) {
        const struct wn_reviews_head *r = &heads[h];

        wn_buf_printf(out, "%-9s %6zu", wn_head_names[h], r->pos);
        add_share(out, r->found[0], r->pos);
        add_share(out, r->found[1], r->pos);
        wn_buf_printf(out, " %6zu", r->neg);
        add_share(out, r->wrong[0], r->neg);
        add_share(out, r->wrong[1], r->neg);
        if (r->threshold[1] > r->threshold[0])
            wn_buf_printf(
                out, "   %.4f, was %.4f\n", r->threshold[1], r->threshold[0]);
        else
            wn_buf_str(out, "   as it was\n");
    }
}

void
wn_reviews_summary(struct wn_buf *out, const struct wn_reviews *r,
    const struct wn_reviews_head heads[WN_HEADS])
{
    char first[WN_TIME_TEXT], last[WN_TIME_TEXT];

    wn_time_format(r->first_us, first);
    wn_time_format(r->last_us, last);
    wn_buf_printf(out, "%8lld  decisions, %.10s to %.10s, on\n",
        (long long)r->decisions, first, last);
    wn_buf_printf(out, "%8zu  posts, of which\n", r->posts);
    add_line(out, r->gone, "have no text any more: deleted, or past retention");
    add_line(out, r->textless, "are media alone");
    add_line(out, r->unsaid, "name no head: nothing to learn");
    add_line(out, r->disputed, "are disputed among staff");
    add_line(out, r->copies, "are copies of another");
    add_line(out, r->data.n - r->held, "texts were learnt from");
    add_line(out, r->held, "texts were held back: they are in the gate");
    add_heads(out, heads);
}

/* --- the card --- */

/* The card of the weights that all of it began from comes after this. */
#define MARK "<!-- what these weights began from -->\n"

static void
add_method(struct wn_buf *out, const struct wn_train_conf_cmd *conf,
    const struct wn_reviews *r)
{
    char encoder[120] = "it stayed as it was";

    if (conf->tune.last_layers > 0)
        snprintf(encoder, sizeof(encoder),
            "the last %zu layers and what reads them were tuned for a short "
            "while",
            conf->tune.last_layers);
    wn_buf_printf(out,
        "# %s\n\n"
        "Weights for Winnow that learnt what staff decided: made by `winnow "
        "train --from-reviews` from %s, whose card is below.\n\n"
        "%zu texts of decided posts were learnt from and %zu held back, with "
        "replay of the project's own posts. The encoder: %s. The n-grams "
        "learnt what the whole got wrong. How the two are summed and scaled "
        "to a probability stayed as it was. A threshold rose as far "
        "as the highest benign posts of dev did, and none is lower than "
        "before. Seed %llu.\n\n",
        conf->name, conf->model_name, r->data.n - r->held, r->held, encoder,
        (unsigned long long)conf->seed);
}

static void
add_ratio(struct wn_buf *out, size_t k, size_t n)
{
    if (n == 0)
        wn_buf_str(out, " - |");
    else
        wn_buf_printf(
            out, " %zu of %zu (%.1f %%) |", k, n, 100 * (double)k / (double)n);
}

static void
add_table(struct wn_buf *out, const struct wn_reviews_head *heads)
{
    wn_buf_str(out,
        "Decisions that were held back, before and after:\n\n"
        "| head | found before | found | flagged wrongly before | flagged "
        "wrongly | threshold before | threshold |\n"
        "|---|---|---|---|---|---|---|\n");
    for (size_t h = 0; h < WN_HEADS; h++) {
        const struct wn_reviews_head *r = &heads[h];

        wn_buf_printf(out, "| %s |", wn_head_names[h]);
        for (size_t k = 0; k < 2; k++)
            add_ratio(out, r->found[k], r->pos);
        for (size_t k = 0; k < 2; k++)
            add_ratio(out, r->wrong[k], r->neg);
        wn_buf_printf(
            out, " %.4f | %.4f |\n", r->threshold[0], r->threshold[1]);
    }
}

/* From its mark on, where it has one: cards do not pile up. */
static enum wn_status
add_before(struct wn_buf *out, const char *dir, struct wn_err *err)
{
    char path[PATH_MAX];
    struct wn_buf card;
    bool found = false;
    enum wn_status rc = WN_OK;
    const char *from;

    wn_buf_init(&card, 1u << 20);
    if (snprintf(path, sizeof(path), "%s/README.md", dir) < PATH_MAX)
        rc = wn_train_read_file(path, &card, &found, err);
    from = found && card.len > 0 ? strstr(card.data, MARK) : NULL;
    wn_buf_str(out, "\n" MARK "\n");
    if (from != NULL)
        wn_buf_str(out, from + strlen(MARK));
    else if (found)
        wn_buf_add(out, card.data, card.len);
    wn_buf_release(&card);
    return rc;
}

enum wn_status
wn_reviews_card(struct wn_buf *out, const struct wn_train_conf_cmd *conf,
    const struct wn_reviews *r, const struct wn_reviews_head heads[WN_HEADS],
    struct wn_err *err)
{
    add_method(out, conf, r);
    add_table(out, heads);
    if (conf->about_text.len > 0) {
        wn_buf_str(out, "\n");
        wn_buf_add(out, conf->about_text.data, conf->about_text.len);
    }
    return add_before(out, conf->model_dir, err);
}
