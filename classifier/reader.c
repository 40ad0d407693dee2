/* From a text's bytes to what the readers take; see reader.h. */
#include "classifier/reader.h"

enum wn_status
wn_reading_init(struct wn_reading *r, const struct wn_encoder_shape *shape,
    struct wn_err *err)
{
    wn_text_init(&r->text);
    wn_windows_init(&r->windows, shape->positions);
    wn_links_init(&r->links);
    return wn_ngram_bag_init(&r->bag, err);
}

void
wn_reading_release(struct wn_reading *r)
{
    wn_text_release(&r->text);
    wn_windows_release(&r->windows);
    wn_ngram_bag_release(&r->bag);
}

enum wn_status
wn_reading_run(struct wn_reading *r, const struct wn_tokenizer *t,
    struct wn_arena *arena, const char *text, size_t len,
    const struct wn_str *given_links, size_t given_n, size_t windows_max,
    struct wn_err *err)
{
    enum wn_status rc;

    wn_windows_reset(&r->windows);
    rc = wn_text_harden(&r->text, text, len, err);
    if (rc == WN_OK)
        rc = wn_links_collect(&r->links, arena, given_links, given_n,
            r->text.data, r->text.len, err);
    if (rc != WN_OK || r->text.len == 0)
        return rc;
    return wn_windows_plan(&r->windows, t, r->text.data, r->text.len,
        &r->links.hidden_spots, &r->links.plain_spots, windows_max, err);
}

const struct wn_ngram_bag *
wn_reading_bag(struct wn_reading *r, size_t i)
{
    const struct wn_window *w = &r->windows.w[i];

    WN_ASSERT(i < r->windows.n);
    wn_ngram_bag_fill(&r->bag, r->text.data + w->begin, w->end - w->begin);
    return &r->bag;
}
