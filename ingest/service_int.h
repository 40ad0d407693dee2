/*
 * What the threads of the service share: the partitions held, the items in
 * hand, the queues. See README.md for who owns what.
 */
#ifndef WN_INGEST_SERVICE_INT_H
#define WN_INGEST_SERVICE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/log.h"
#include "core/metrics.h"
#include "core/queue.h"
#include "ingest/flow.h"
#include "ingest/models.h"
#include "ingest/parse.h"
#include "ingest/service.h"
#include "ingest/shed.h"
#include "ingest/source.h"
#include "storage/store.h"

#define WN_PART_BUCKETS 256
#define WN_SCORERS_MAX 256
#define WN_DEATHS_MAX 3 /* alone in hand; then the record is quarantined */

/*
 * A partition under one claim. The poll thread makes it, and alone sets
 * `gone`; the writer alone frees it, once gone and seen so by the relay. So the
 * poll thread may use it until it is gone, the writer at any time.
 */
struct wn_partition {
    struct wn_partition *next; /* in its bucket; svc->lock */
    /* Never change. */
    int32_t source;
    uint64_t generation;
    int64_t epoch;
    /* Poll thread. */
    uint64_t admitted;     /* items so far: the next one's seq   */
    int64_t careful_until; /* records before it are handled alone */
    int64_t told;          /* what the source was told           */
    /* svc->lock */
    bool gone;       /* revoked: its items are dropped             */
    bool fenced;     /* the store said so; the poll thread is told */
    bool committing; /* a transaction is running                   */
    bool relaying;   /* rows of it are on their way to Kafka        */
    bool relay_saw;  /* the relay knows that it is gone            */
    int64_t committed;
    int64_t front_us; /* message time of about the oldest in hand */
    /* Writer: finished items by seq, from `base` on. */
    struct wn_claim claim;
    struct wn_item **window;
    size_t cap; /* a power of two */
    uint64_t base;
    size_t ready; /* finished without a hole from base on */
    size_t run;   /* items of a commit to be tried again; 0: none */
    int64_t ready_us;
};

struct wn_svc {
    const struct wn_service_conf *conf;
    struct wn_health *health;
    char instance[64];
    enum wn_format format;
    size_t post_bytes_max, bytes_max;
    size_t scorers_n; /* threads; 1 .. WN_SCORERS_MAX */
    struct wn_shed shed;

    atomic_bool stopping;      /* no more records; what is done is committed */
    atomic_bool hard_stop;     /* no more waiting for servers                */
    atomic_bool ended;         /* the source has ended and all is committed  */
    atomic_bool drain_done;    /* the writer has ended: sources may close    */
    atomic_bool relay_on;      /* the relay runs: see wn_relay_thread()       */
    atomic_llong relay_dry_us; /* when it last found nothing left to send,
                                  by the monotonic clock; 0: never         */
    atomic_bool relay_stop;    /* it ends when nothing is left, or ...        */
    atomic_llong relay_until_us; /* ... then, by the monotonic clock        */

    pthread_mutex_t lock;
    struct wn_partition *parts[WN_PART_BUCKETS];
    size_t parts_n;        /* not gone */
    enum wn_status failed; /* of the thread that failed first */
    struct wn_err failure;

    struct wn_models *models; /* NULL: conf->score_instead */
    struct wn_shadow *shadow; /* NULL: no thread scores beside */
    atomic_uint scorers; /* threads that score, as they number themselves */
    atomic_bool careful; /* records are handled alone */
    struct wn_queue *to_score, *to_write;
    atomic_size_t bytes, items; /* in hand */
    atomic_ullong committed;
    struct wn_service_end end; /* the writer's until it has ended */
    atomic_ullong admitted;
    atomic_llong lag; /* as the poll thread last saw it */
    atomic_bool outbox_full;
    atomic_bool database_ok;
    atomic_bool poll_done; /* the poll thread has let go of everything */
};

/* --- service.c --- */

/* A thread met what it cannot go on from: the service ends with it. */
void wn_svc_fail(
    struct wn_svc *svc, enum wn_status rc, const struct wn_err *err);
/* Waits up to ms, less when stopping (until_hard: when hard_stop). */
void wn_svc_nap(const struct wn_svc *svc, int ms, bool until_hard);
/* Full jitter: 50 ms to 5 s, growing with attempt (0, 1, ...). */
int wn_svc_backoff_ms(unsigned attempt);
/* The item leaves our hands: bytes, count, memory. */
void wn_svc_let_go(struct wn_svc *svc, struct wn_item *item);
/* A store of this service's, opened with patience; WN_RETRY when stopping. */
enum wn_status wn_svc_store_open(struct wn_svc *svc, struct wn_store **ret,
    int timeout_ms, struct wn_err *err);

/* Seams for tests. 0: the product's value again. */
void wn_service_watchdog_ms(int64_t ms);
int64_t wn_service_watchdog_us(void);

/* --- service_parts.c; all under svc->lock but where stated --- */

struct wn_partition *wn_part_find(
    const struct wn_svc *svc, int32_t source, uint64_t generation);
/* Takes the lock itself. NULL without memory. */
struct wn_partition *wn_part_new(
    struct wn_svc *svc, const struct wn_claim *claim, uint64_t generation);
/* Whether a transaction or a chunk of the relay runs for it, gone or not. */
bool wn_part_busy(
    const struct wn_svc *svc, int32_t source, uint64_t generation);
/* Takes the lock itself: unlinks and frees what is gone, except `keep`, which
 * the writer still holds (NULL: nothing). Writer. */
void wn_parts_sweep(struct wn_svc *svc, const struct wn_partition *keep);
/* After all threads have ended. */
void wn_parts_free(struct wn_svc *svc);
/* Writer: puts a finished item in its window; false without memory. */
bool wn_part_put(struct wn_partition *p, struct wn_item *item);

/* --- service_poll.c, service_score.c: the threads --- */

void *wn_poll_thread(void *svc);
void *wn_score_thread(void *svc);

#endif
