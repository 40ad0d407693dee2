/*
 * A second model beside the first (model.shadow): a stable share of the posts,
 * told by the id, goes to a thread of its own, which parses them again, scores
 * and decides them as the first model's were, and stores both apart. No verdict
 * waits for it or depends on it: its thread is nice, its queue is bounded in
 * posts and bytes, and what finds it full is dropped and counted.
 */
#ifndef WN_INGEST_SHADOW_H
#define WN_INGEST_SHADOW_H

#include <pthread.h>
#include <stdbool.h>

#include "core/item.h"
#include "core/status.h"

struct wn_svc;
struct wn_shadow;

/* svc->models is there. *ret NULL where no second model can ever come. */
enum wn_status wn_shadow_new(
    struct wn_shadow **ret, struct wn_svc *svc, struct wn_err *err);
/* All accept NULL. */
enum wn_status wn_shadow_start(struct wn_shadow *s, struct wn_err *err);
/* Its thread, to join once svc->stopping; false where none runs. */
bool wn_shadow_thread(const struct wn_shadow *s, pthread_t *ret);
void wn_shadow_free(struct wn_shadow *s);

/* Any thread: a post that was scored and decided. It stays the caller's. */
void wn_shadow_offer(struct wn_shadow *s, const struct wn_item *item);

/* Whether posts of this id are in a share of 0 to 1: the same ones in every
 * process, and all of a smaller share are in a larger one. */
bool wn_shadow_share_has(struct wn_str post_id, double share);

#endif
