/* Items come and go; the stages fill them. Names are what users see. */
#include "core/item.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Holds an ordinary post with its message: one malloc beside the item's. */
#define BLOCK_BYTES 8192

const char *const wn_head_names[WN_HEADS] = {
    [WN_SPAM] = "spam",
    [WN_SCAM] = "scam",
    [WN_BAIT] = "bait",
    [WN_AI_TEXT] = "ai_text",
};

const char *const wn_bait_names[WN_BAITS] = { "bait_vote", "bait_react",
    "bait_share", "bait_tag", "bait_comment" };
const char *const wn_action_names[WN_ACTIONS] = {
    [WN_ALLOW] = "allow",
    [WN_LABEL] = "label",
    [WN_LIMIT] = "limit",
    [WN_REVIEW] = "review",
    [WN_REMOVE] = "remove",
};

const char *const wn_outcome_names[WN_OUTCOMES] = {
    [WN_OUT_NONE] = "none",
    [WN_SCORED] = "scored",
    [WN_DEGRADED] = "degraded",
    [WN_DEFERRED] = "deferred",
    [WN_DEAD] = "dead",
    [WN_REPEAT] = "repeat",
    [WN_STALE] = "stale",
    [WN_ERASED] = "erased",
};

struct kept {
    struct kept *next;
    char text[];
};
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept *kept; /* kept_lock */

static struct kept *
find_kept(const char *version)
{
    struct kept *k = kept;

    while (k != NULL && strcmp(k->text, version) != 0)
        k = k->next;
    return k;
}

const char *
wn_version_keep(const char *version)
{
    size_t len = strlen(version) + 1;
    struct kept *k;

    pthread_mutex_lock(&kept_lock);
    k = find_kept(version);
    if (k == NULL && (k = malloc(sizeof(*k) + len)) != NULL) {
        memcpy(k->text, version, len);
        k->next = kept;
        kept = k;
    }
    pthread_mutex_unlock(&kept_lock);
    return k != NULL ? k->text : NULL;
}

struct wn_item *
wn_item_new(size_t bytes_max)
{
    struct wn_item *item = calloc(1, sizeof(*item));

    if (item != NULL)
        wn_arena_init(&item->arena, BLOCK_BYTES, bytes_max);
    return item;
}

void
wn_item_free(struct wn_item *item)
{
    if (item == NULL)
        return;
    wn_arena_release(&item->arena);
    free(item);
}

size_t
wn_item_weight(const struct wn_item *item)
{
    size_t n = item->rec.raw.len / 4 + 1;

    return n < WN_ITEM_WEIGHT_MAX ? n : WN_ITEM_WEIGHT_MAX;
}
