/*
 * The weights that score, and a second model beside them (the shadow). Scorers
 * take what is live for one batch; a thread of its own, the keeper, puts others
 * in their place:
 *
 *   writer: reads what is activated, once a second ──► keeper: opens, checks
 *   SIGHUP: the options are read again ──────────────►  hash, tries, swaps
 *
 * What cannot be opened, has another hash than was activated or gives no finite
 * scores never takes the place of what is there; health names the cause
 * (condition "model"), and it is tried again every 30 s. Nothing is scored
 * before the first word of the database, so that a restart does not judge its
 * first posts by other weights.
 */
#ifndef WN_INGEST_MODELS_H
#define WN_INGEST_MODELS_H

#include "core/live.h"
#include "ingest/service.h"
#include "storage/activation.h"

#define WN_ACTIVATION_POLL_US 1000000

/* One classifier with a scorer for each thread. */
struct wn_model {
    struct wn_classifier *classifier;
    const char *version; /* lives as long as the process */
    struct wn_scorer **scorers;
    size_t scorers_n;
};

struct wn_models;

/* Takes conf->classifier and conf->shadow. score_instead: there are none, *ret
 * is NULL, and every call accepts that. `threads` will score. */
enum wn_status wn_models_new(struct wn_models **ret,
    const struct wn_service_conf *conf, size_t threads, struct wn_err *err);
/* Starts the keeper, where conf->open_model lets it have something to do. */
enum wn_status wn_models_start(struct wn_models *m, struct wn_err *err);
/* Nobody is waited for any more; the keeper ends when it can. */
void wn_models_stop(struct wn_models *m);
/* The keeper, to join; false where none runs. */
bool wn_models_thread(const struct wn_models *m, pthread_t *ret);
/* All threads have ended. */
void wn_models_free(struct wn_models *m);

/* Scorers: the live model, for one batch; waits for the first word. */
struct wn_model *wn_models_take(struct wn_models *m);
void wn_models_drop(struct wn_models *m, struct wn_model *taken);
/* The shadow's thread: the same; NULL where there is none. */
struct wn_model *wn_models_take_shadow(struct wn_models *m);
void wn_models_drop_shadow(struct wn_models *m, struct wn_model *taken);
/* Any thread, cheap: the shadow's version and share; NULL: none. */
const char *wn_models_shadow(struct wn_models *m, double *ret_share);
/* The shadow's thread: it is of no use, for this cause; others go on. */
void wn_models_shadow_off(struct wn_models *m, const char *cause);

/* Any thread: the options are to be read again. */
void wn_models_reload(struct wn_models *m);

/* The writer: whether it should ask what is activated; what it heard; what the
 * keeper has to say to the database, once (false: nothing). */
bool wn_models_wants(const struct wn_models *m);
void wn_models_hear(struct wn_models *m, const struct wn_activated *a);
struct wn_models_word {
    int64_t activation;
    const char *version;
    char cause[512]; /* "": it runs what is in force */
};
bool wn_models_say(struct wn_models *m, struct wn_models_word *ret);

#endif
