/* From a text's bytes to what the readers take; see reader.h. */
#include "classifier/reader.h"

enum wn_status
wn_reading_init(struct wn_reading *r, const struct wn_encoder_shape *shape,
    struct wn_err *err)
{
    wn_text_init(&r->text);
    wn_windows_init(&r->windows, shape->positions);
    wn_windows_init(&r->view, shape->positions);
    wn_links_init(&r->links);
    return wn_ngram_bag_init(&r->bag, err);
}

void
wn_reading_release(struct wn_reading *r)
{
    wn_text_release(&r->text);
    wn_windows_release(&r->windows);
    wn_windows_release(&r->view);
    wn_ngram_bag_release(&r->bag);
}

static bool
shows_any(const struct wn_window *w, const struct wn_spots *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i] >= w->begin && s->at[i] < w->end)
            return true;
    return false;
}

/* Of the second view's windows, those that show where it differs. */
static enum wn_status
plan_view(struct wn_reading *r, const struct wn_tokenizer *t,
    size_t windows_max, struct wn_err *err)
{
    const struct wn_spots *spots = &r->text.view_spots;
    struct wn_spots none = { .n = 0 };
    struct wn_windows *w = &r->view;
    enum wn_status rc;
    size_t kept = 0;

    rc = wn_windows_plan(w, t, r->text.view.data, r->text.view.len, spots,
        &none, windows_max, err);
    if (rc != WN_OK || spots->step > 0) /* thinned: any may show one */
        return rc;
    for (size_t i = 0; i < w->n; i++)
        if (shows_any(&w->w[i], spots))
            w->w[kept++] = w->w[i];
    w->n = kept;
    return WN_OK;
}

enum wn_status
wn_reading_run(struct wn_reading *r, const struct wn_tokenizer *t,
    struct wn_arena *arena, const char *text, size_t len,
    const struct wn_str *given_links, size_t given_n, size_t windows_max,
    struct wn_err *err)
{
    enum wn_status rc;

    wn_windows_reset(&r->windows);
    wn_windows_reset(&r->view);
    rc = wn_text_harden(&r->text, text, len, err);
    if (rc == WN_OK)
        rc = wn_links_collect(&r->links, arena, given_links, given_n,
            r->text.data, r->text.len, err);
    if (rc != WN_OK || r->text.len == 0)
        return rc;
    rc = wn_windows_plan(&r->windows, t, r->text.data, r->text.len,
        &r->links.hidden_spots, &r->links.plain_spots, windows_max, err);
    if (rc == WN_OK && r->text.view.len > 0)
        rc = plan_view(r, t, windows_max, err);
    return rc;
}

static const struct wn_ngram_bag *
fill(struct wn_reading *r, const char *text, const struct wn_window *w)
{
    wn_ngram_bag_fill(&r->bag, text + w->begin, w->end - w->begin);
    return &r->bag;
}

const struct wn_ngram_bag *
wn_reading_bag(struct wn_reading *r, size_t i)
{
    WN_ASSERT(i < r->windows.n);
    return fill(r, r->text.data, &r->windows.w[i]);
}

const struct wn_ngram_bag *
wn_reading_view_bag(struct wn_reading *r, size_t i)
{
    WN_ASSERT(i < r->view.n);
    return fill(r, r->text.view.data, &r->view.w[i]);
}
