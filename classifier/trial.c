/* Weights that open may still be of no use: their numbers may be none. */
#include <stdlib.h>
#include <string.h>

#include "classifier/classifier.h"

#define LONG_WORDS 600 /* more than one window of any encoder's */
#define ITEM_BYTES (1u << 20)

static const char *const texts[] = {
    "See you at the harbour at six, I will bring the maps.",
    "Free tokens for the first hundred wallets, connect here: "
    "https://claim.example/now",
    "Спасибо всем, кто пришёл вчера на концерт!",
    "本日の列車は雪のため遅れています。",
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

/* The last of them is long. */
static bool
put_text(struct wn_item *item, size_t i)
{
    const char *word = "harbour ";
    size_t len = i < TEXTS ? strlen(texts[i]) : LONG_WORDS * strlen(word);
    char *text = wn_arena_alloc(&item->arena, len);

    if (text == NULL)
        return false;
    for (size_t at = 0; at < len; at++)
        text[at] = i < TEXTS ? texts[i][at] : word[at % strlen(word)];
    item->post.text = (struct wn_str){ text, len };
    return true;
}

enum wn_status
wn_classifier_try(
    const struct wn_classifier *c, size_t windows_max, struct wn_err *err)
{
    struct wn_item *items[TEXTS + 1] = { NULL };
    struct wn_scorer *s = NULL;
    enum wn_status rc = wn_scorer_new(&s, c, windows_max, err);

    for (size_t i = 0; i <= TEXTS && rc == WN_OK; i++) {
        items[i] = wn_item_new(ITEM_BYTES);
        if (items[i] == NULL || !put_text(items[i], i))
            rc = wn_fail(err, WN_REJECT, "weights: out of memory");
    }
    if (rc == WN_OK)
        rc = wn_scorer_run(s, items, TEXTS + 1, err);
    for (size_t i = 0; i <= TEXTS; i++)
        wn_item_free(items[i]);
    wn_scorer_free(s);
    return rc == WN_OK ? WN_OK : wn_fail_in(err, WN_REJECT, "trial");
}
