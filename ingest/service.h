/*
 * The service: one source, N scorers, one writer, one relay; the flow of one
 * post from record to committed verdict. `winnow run` is this and HTTP.
 *
 *   poll thread --queue--> scorer threads --queue--> writer thread --> store
 *      ^  pause/resume by bytes in hand                   |
 *      +----------------- committed offsets --------------+
 *   relay thread: outbox --> Kafka, own connection
 */
#ifndef WN_INGEST_SERVICE_H
#define WN_INGEST_SERVICE_H

#include <stdatomic.h>

#include "classifier/classifier.h"
#include "core/health.h"
#include "core/options.h"
#include "core/status.h"
#include "policies/policy.h"

struct wn_service_conf {
    const struct wn_options *options;
    /* Weights, taken also where the service fails: those that score until
     * others are activated, and those beside them (NULL: none), which are shown
     * shadow_share (0 to 1) of the posts. */
    struct wn_classifier *classifier, *shadow;
    double shadow_share;
    /* Opens weights on a thread of the service. dir NULL: those that the
     * options name, as last read; with `shadow` *ret NULL where they name none.
     * NULL: what is activated is passed over, and *reload_asked too. */
    enum wn_status (*open_model)(void *arg, const char *dir, bool shadow,
        struct wn_classifier **ret, struct wn_err *err);
    /* Reads the options again. WN_REJECT: nothing has changed. */
    enum wn_status (*reload)(void *arg, double *ret_share, struct wn_err *err);
    void *model_arg;
    atomic_bool
        *reload_asked; /* SIGHUP sets it, the service clears it; or NULL */
    /* In place of the classifier, for rigs whose subject is the pipeline: fills
     * signals and outcome of the items. NULL in the product. */
    enum wn_status (*score_instead)(
        struct wn_item **items, size_t n, struct wn_err *err);
    const struct wn_policy *policy;
    struct wn_health *health;
    const atomic_bool *stop; /* SIGTERM sets it; a second one exits */
    /* Called about every 200 ms on the calling thread with totals so far:
     * progress lines. May be NULL. */
    void (*progress)(void *arg, uint64_t committed, int64_t lag);
    void *progress_arg;
    struct wn_service_end *ret_end; /* may be NULL */
};

/* What a run came to; filled once its threads have ended. */
struct wn_service_end {
    uint64_t records, dead; /* committed, and how many of them nobody could
                               read */
    char first_dead[512];   /* "offset 12: cause", without content */
};

/*
 * Whether the options can be run with at all: those of Kafka and of the
 * database's connection string. Touches nothing; WN_REJECT names where the
 * wrong one was set.
 */
enum wn_status wn_service_check(const struct wn_options *o, struct wn_err *err);

/*
 * Runs until *stop, or until a source that ends has ended and all of it is
 * committed. Waits for broker and database to appear (health says what it
 * waits for). After *stop it ends within 10 s. WN_OK: clean end.
 */
enum wn_status wn_service_run(
    const struct wn_service_conf *conf, struct wn_err *err);

#endif
