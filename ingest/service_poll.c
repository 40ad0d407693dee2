/*
 * The poll thread: takes records from the source into our hands, as many as
 * the byte budget allows, and says which partitions are held.
 *
 * Back-pressure is a ladder. First it only stops taking: what librdkafka has
 * fetched stays where it is. Pausing throws that away, so it comes only after
 * SHUT_US, and flips no sooner than FLIP_US after the last flip; from then on
 * the source is polled again, which keeps the group membership.
 *
 * Careful mode: after unclean deaths without progress every record is handled
 * alone, journalled first, until those that could be to blame are done.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/service_int.h"

#define POLL_MS 100
#define SHUT_US 2000000
#define FLIP_US 5000000
#define REVOKE_WAIT_US 2000000
#define LAG_US 200000
#define TELL_US 10000
#define STORE_MS 3000 /* of one wait of the poll thread for the database */

struct seen {
    int32_t source;
    int64_t committed;
};

struct poll {
    struct wn_svc *svc;
    struct wn_source *source;
    struct wn_store *store;
    struct wn_source_conf source_conf;
    bool kafka; /* else a file, which cannot be stuck */
    bool paused, careful;
    int64_t shut_us; /* not taking since; 0: taking */
    int64_t flip_us;
    int64_t told_us;      /* the source was told of commits */
    int64_t lag_us;       /* lag was asked for             */
    int64_t progress_us;  /* for the watchdog              */
    uint64_t progress_n;  /* admitted + committed then     */
    struct wn_item *held; /* waits for its journal entry  */
    unsigned held_tries;
    int64_t held_retry_us;
    struct seen *seen; /* what this process committed, by source */
    size_t seen_n;
};

/* --- partitions come and go: the source's callbacks --- */

/* The cursor is behind what we had committed: an asynchronous standby took
 * over. Nothing is wrong, but an operator wants to know. */
static void
note_rewind(struct poll *p, const struct wn_claim *claim)
{
    char gap[64];
    size_t i;

    for (i = 0; i < p->seen_n; i++) {
        if (p->seen[i].source != claim->source ||
            p->seen[i].committed <= claim->next_offset)
            continue;
        wn_metric_add(WN_M_REWINDS, 0, 1);
        snprintf(gap, sizeof(gap), "from=%lld to=%lld",
            (long long)p->seen[i].committed, (long long)claim->next_offset);
        wn_log(WN_LOG_WARN, "partition.rewind", "source=%d %s",
            (int)claim->source, gap);
        p->seen[i].committed = claim->next_offset;
    }
}

static void
remember(struct poll *p, int32_t source, int64_t committed)
{
    struct seen *grown;
    size_t i;

    for (i = 0; i < p->seen_n; i++) {
        if (p->seen[i].source == source) {
            p->seen[i].committed = committed;
            return;
        }
    }
    grown = realloc(p->seen, (p->seen_n + 1) * sizeof(*grown));
    if (grown == NULL)
        return; /* a rewind would go unseen; that is all */
    p->seen = grown;
    p->seen[p->seen_n++] = (struct seen){ source, committed };
}

static void
look_for_careful(struct poll *p)
{
    struct wn_partition *part;
    size_t i;
    bool careful = false;

    pthread_mutex_lock(&p->svc->lock);
    for (i = 0; i < WN_PART_BUCKETS; i++) {
        for (part = p->svc->parts[i]; part != NULL; part = part->next)
            careful = careful || (!part->gone && part->careful_until > 0);
    }
    pthread_mutex_unlock(&p->svc->lock);
    if (careful != p->careful)
        wn_log(WN_LOG_WARN, careful ? "careful.begin" : "careful.end",
            "reason=%s",
            careful ? "\"workers died here without progress\""
                    : "\"those records are done\"");
    p->careful = careful;
    atomic_store(&p->svc->careful, careful);
}

/* A line for each only where workers died over it: a source says in one line
 * what it got. */
static void
tell_claim(const struct wn_claim *claim)
{
    static struct wn_log_limit limit;
    uint64_t missed = 0;
    bool died = claim->unclean || claim->stalled > 0;

    if (died && !wn_log_limit(&limit, &missed))
        return;
    wn_log(died ? WN_LOG_WARN : WN_LOG_DEBUG, "partition.claimed",
        "source=%d epoch=%lld next=%lld unclean=%d stalled=%d missed=%llu",
        (int)claim->source, (long long)claim->epoch,
        (long long)claim->next_offset, claim->unclean, claim->stalled,
        (unsigned long long)missed);
}

static void
on_assigned(void *arg, const struct wn_claim *claim, uint64_t generation)
{
    struct poll *p = arg;
    struct wn_partition *part;
    struct wn_err err;
    int64_t until = claim->careful_until;
    int64_t run = p->kafka ? WN_CAREFUL_RECORDS : WN_CAREFUL_BYTES;

    wn_metric_add(WN_M_CLAIMS, 0, 1);
    note_rewind(p, claim);
    part = wn_part_new(p->svc, claim, generation);
    if (part == NULL) {
        wn_fail(&err, WN_STOP, "partition: out of memory");
        wn_svc_fail(p->svc, WN_STOP, &err);
        return;
    }
    if (claim->stalled >= 2 && until < claim->next_offset + run)
        until = claim->next_offset + run;
    if (until > claim->next_offset)
        part->careful_until = until;
    look_for_careful(p);
    tell_claim(claim);
}

static void
wait_for_commit(struct wn_svc *svc, int32_t source, uint64_t generation)
{
    int64_t until = wn_clock_mono_us() + REVOKE_WAIT_US;
    bool busy;

    do {
        pthread_mutex_lock(&svc->lock);
        busy = wn_part_busy(svc, source, generation);
        pthread_mutex_unlock(&svc->lock);
        if (busy)
            wn_svc_nap(svc, 2, true);
    } while (busy && wn_clock_mono_us() < until && !svc->hard_stop);
}

static void
on_revoked(void *arg, int32_t source, uint64_t generation, bool lost)
{
    struct poll *p = arg;
    struct wn_svc *svc = p->svc;
    struct wn_partition *part;

    pthread_mutex_lock(&svc->lock);
    part = wn_part_find(svc, source, generation);
    if (part != NULL) {
        part->gone = true;
        svc->parts_n--;
        wn_metric_set(WN_M_PARTITIONS_HELD, 0, (double)svc->parts_n);
    }
    pthread_mutex_unlock(&svc->lock);
    if (part == NULL)
        return;
    wait_for_commit(svc, source, generation);
    look_for_careful(p);
    wn_log(WN_LOG_DEBUG, lost ? "partition.lost" : "partition.revoked",
        "source=%d", (int)source);
}

/* --- admission --- */

static void
quarantine(struct wn_item *item, int deaths)
{
    char *cause = wn_arena_printf(&item->arena,
        "crash: %d workers died with this record alone in hand", deaths);

    item->outcome = WN_DEAD;
    if (cause != NULL)
        item->cause = (struct wn_str){ cause, strlen(cause) };
    wn_flow_move(item, WN_FLOW_DEAD);
}

static void
admit(struct poll *p, struct wn_partition *part, struct wn_item *item)
{
    struct wn_svc *svc = p->svc;

    item->bytes =
        sizeof(*item) + 4096 + 3 * (item->rec.raw.len + item->rec.key.len);
    item->admitted_us = wn_clock_mono_us();
    item->seq = part->admitted++;
    atomic_fetch_add(&svc->bytes, item->bytes);
    atomic_fetch_add(&svc->items, 1);
    atomic_fetch_add(&svc->admitted, 1);
    pthread_mutex_lock(&svc->lock);
    if (part->front_us == 0 && item->rec.time_us != WN_TIME_UNKNOWN)
        part->front_us = item->rec.time_us;
    pthread_mutex_unlock(&svc->lock);
    if (part->careful_until > 0 && item->rec.next >= part->careful_until) {
        part->careful_until = 0;
        look_for_careful(p);
    }
    if (!wn_queue_put(svc->to_score, item))
        wn_svc_let_go(svc, item);
}

/* The item's partition, or NULL where it is not ours any more. */
static struct wn_partition *
part_of(struct poll *p, const struct wn_item *item)
{
    struct wn_partition *part;

    pthread_mutex_lock(&p->svc->lock);
    part = wn_part_find(p->svc, item->rec.source, item->rec.generation);
    if (part != NULL && part->fenced)
        part = NULL;
    pthread_mutex_unlock(&p->svc->lock);
    return part;
}

/* Journals the record that is held, then admits it. */
static enum wn_status
admit_held(struct poll *p, struct wn_err *err)
{
    struct wn_partition *part = part_of(p, p->held);
    struct wn_claim claim = { 0 };
    struct wn_item *item = p->held;
    enum wn_status rc = WN_FENCED;
    int deaths = 0;

    if (part != NULL) {
        claim.source = part->source;
        claim.epoch = part->epoch;
        rc = wn_store_attempt(p->store, &claim, item->rec.offset, &deaths, err);
    }
    if (rc == WN_RETRY) {
        p->held_retry_us = wn_clock_mono_us() +
                           (int64_t)wn_svc_backoff_ms(p->held_tries++) * 1000;
        return WN_OK;
    }
    p->held = NULL;
    p->held_tries = 0;
    if (rc != WN_OK) {
        if (rc == WN_FENCED && part != NULL) {
            pthread_mutex_lock(&p->svc->lock);
            part->fenced = true;
            pthread_mutex_unlock(&p->svc->lock);
        }
        wn_item_free(item);
        return rc == WN_FENCED ? WN_OK : rc;
    }
    wn_metric_add(WN_M_CAREFUL, 0, 1);
    if (deaths >= WN_DEATHS_MAX)
        quarantine(item, deaths);
    admit(p, part, item);
    return WN_OK;
}

static enum wn_status
take(struct poll *p, struct wn_item *item, struct wn_err *err)
{
    struct wn_partition *part = part_of(p, item);

    if (part == NULL) {
        wn_item_free(item); /* of a claim that is void */
        return WN_OK;
    }
    if (p->careful) {
        p->held = item;
        p->held_retry_us = 0;
        return admit_held(p, err);
    }
    admit(p, part, item);
    return WN_OK;
}

/* --- back-pressure --- */

static bool
may_take(const struct poll *p)
{
    const struct wn_svc *svc = p->svc;
    size_t limit = p->paused ? svc->bytes_max / 5 * 2 : svc->bytes_max / 5 * 4;

    if (p->held != NULL || atomic_load(&svc->outbox_full))
        return false;
    if (p->careful)
        return atomic_load(&svc->items) == 0;
    return atomic_load(&svc->bytes) < limit;
}

static void
flip(struct poll *p, bool paused, int64_t now)
{
    p->paused = paused;
    p->flip_us = now;
    p->source->ops->pause(p->source, paused);
    if (paused)
        wn_metric_add(WN_M_PAUSES, 0, 1);
}

/* true: the source may be polled. */
static bool
press_back(struct poll *p)
{
    int64_t now = wn_clock_mono_us();
    bool open = may_take(p);
    bool rested = now - p->flip_us >= FLIP_US;

    if (open)
        p->shut_us = 0;
    else if (p->shut_us == 0)
        p->shut_us = now;
    if (p->paused && open && rested)
        flip(p, false, now);
    else if (!p->paused && !open && rested && now - p->shut_us >= SHUT_US)
        flip(p, true, now);
    return p->paused || open;
}

/* --- what the writer has done since --- */

static void
tell_source(struct poll *p)
{
    struct wn_svc *svc = p->svc;
    struct wn_partition *part;
    struct {
        int32_t source;
        int64_t next;
        bool fenced;
    } news[64];
    size_t n = 0, i;

    pthread_mutex_lock(&svc->lock);
    for (i = 0; i < WN_PART_BUCKETS; i++) {
        for (part = svc->parts[i]; part != NULL && n < 64; part = part->next) {
            if (part->gone || (!part->fenced && part->told == part->committed))
                continue;
            part->told = part->committed;
            news[n].source = part->source;
            news[n].next = part->committed;
            news[n].fenced = part->fenced;
            n++;
            if (part->fenced) {
                part->gone = true;
                svc->parts_n--;
            }
        }
    }
    wn_metric_set(WN_M_PARTITIONS_HELD, 0, (double)svc->parts_n);
    pthread_mutex_unlock(&svc->lock);
    for (i = 0; i < n; i++) {
        if (news[i].fenced) {
            p->source->ops->fenced(p->source, news[i].source);
            continue;
        }
        remember(p, news[i].source, news[i].next);
        p->source->ops->committed(p->source, news[i].source, news[i].next);
    }
}

/* Once nothing is behind, whatever was in hand at the deaths is done. */
static void
end_careful(struct poll *p, int64_t lag)
{
    struct wn_partition *part;
    size_t i;

    if (!p->careful || lag != 0 || p->held != NULL ||
        atomic_load(&p->svc->items) != 0)
        return;
    pthread_mutex_lock(&p->svc->lock);
    for (i = 0; i < WN_PART_BUCKETS; i++) {
        for (part = p->svc->parts[i]; part != NULL; part = part->next)
            part->careful_until = 0;
    }
    pthread_mutex_unlock(&p->svc->lock);
    look_for_careful(p);
}

static void
look_at_lag(struct poll *p)
{
    int64_t now = wn_clock_mono_us(), lag;

    if (now - p->lag_us < LAG_US)
        return;
    p->lag_us = now;
    lag = p->source->ops->lag(p->source);
    atomic_store(&p->svc->lag, lag);
    if (lag >= 0)
        wn_metric_set(WN_M_LAG, 0, (double)lag);
    end_careful(p, lag);
}

/* --- the watchdog --- */

static void
close_source(struct poll *p)
{
    if (p->source != NULL)
        p->source->ops->close(p->source);
    p->source = NULL;
    wn_item_free(p->held);
    p->held = NULL;
}

static enum wn_status
open_source(struct poll *p, struct wn_err *err)
{
    const char *kind = wn_opt_str(p->svc->conf->options, WN_OPT_INGEST_SOURCE);

    p->paused = false;
    p->flip_us = wn_clock_mono_us() - FLIP_US;
    p->shut_us = 0;
    p->progress_us = wn_clock_mono_us();
    p->kafka = strcmp(kind, "kafka") == 0;
    if (!p->kafka)
        return wn_source_jsonl_open(&p->source, &p->source_conf, err);
    return wn_source_kafka_open(&p->source, &p->source_conf, err);
}

/* Records are there, nothing is in our hands, and none comes: the consumer is
 * stuck, whatever the reason. */
static enum wn_status
watch(struct poll *p, struct wn_err *err)
{
    struct wn_svc *svc = p->svc;
    uint64_t n = atomic_load(&svc->admitted) + atomic_load(&svc->committed);
    int64_t now = wn_clock_mono_us();

    if (!p->kafka || n != p->progress_n || p->paused || p->held != NULL ||
        atomic_load(&svc->items) > 0 || atomic_load(&svc->lag) <= 0 ||
        !atomic_load(&svc->database_ok)) {
        p->progress_n = n;
        p->progress_us = now;
        return WN_OK;
    }
    if (now - p->progress_us < wn_service_watchdog_us())
        return WN_OK;
    wn_log(WN_LOG_WARN, "consumer.remade", "lag=%lld idle_s=%lld",
        (long long)atomic_load(&svc->lag),
        (long long)((now - p->progress_us) / 1000000));
    wn_metric_add(WN_M_CONSUMER_REMADE, 0, 1);
    atomic_store(&svc->lag, -1);
    close_source(p);
    return open_source(p, err);
}

/* --- the thread --- */

static bool
is_drained(const struct poll *p)
{
    return p->source->ops->drained(p->source) && p->held == NULL &&
           atomic_load(&p->svc->items) == 0;
}

static enum wn_status
step(struct poll *p, unsigned *tries, struct wn_err *err)
{
    struct wn_item *item = NULL;
    enum wn_status rc;

    if (wn_clock_mono_us() - p->told_us >= TELL_US) {
        p->told_us = wn_clock_mono_us();
        tell_source(p);
    }
    look_at_lag(p);
    if (p->held != NULL && wn_clock_mono_us() >= p->held_retry_us) {
        rc = admit_held(p, err);
        if (rc != WN_OK)
            return rc;
    }
    if (!press_back(p)) {
        wn_svc_nap(p->svc, 1, false);
        return WN_OK;
    }
    rc = p->source->ops->poll(p->source, POLL_MS, &item, err);
    if (rc == WN_RETRY) { /* the writer says so in health */
        wn_svc_nap(p->svc, wn_svc_backoff_ms((*tries)++), false);
        return WN_OK;
    }
    *tries = 0;
    return rc == WN_OK && item != NULL ? take(p, item, err) : rc;
}

static enum wn_status
run(struct poll *p, struct wn_err *err)
{
    unsigned tries = 0;
    enum wn_status rc = WN_OK;

    rc = wn_svc_store_open(p->svc, &p->store, STORE_MS, err);
    if (rc != WN_OK)
        return rc == WN_RETRY ? WN_OK : rc;
    p->source_conf.store = p->store;
    rc = open_source(p, err);
    while (rc == WN_OK && !p->svc->stopping) {
        rc = step(p, &tries, err);
        if (rc == WN_OK)
            rc = watch(p, err);
        if (rc == WN_OK && is_drained(p)) {
            tell_source(p);
            atomic_store(&p->svc->ended, true);
            wn_svc_nap(p->svc, 20, false);
        }
    }
    return rc;
}

/* The writer is still committing what is done, and the relay sending it:
 * nothing is let go before. */
static void
leave(struct poll *p)
{
    while (!atomic_load(&p->svc->drain_done) || atomic_load(&p->svc->relay_on))
        wn_svc_nap(p->svc, 5, true);
    if (p->source != NULL)
        tell_source(p);
    close_source(p);
}

void *
wn_poll_thread(void *arg)
{
    struct poll p = { .svc = arg };
    struct wn_err err = { "" };
    enum wn_status rc;

    p.source_conf = (struct wn_source_conf){
        .options = p.svc->conf->options,
        .health = p.svc->health,
        .events = { &p, on_assigned, on_revoked },
        .stop = &p.svc->stopping,
    };
    rc = run(&p, &err);
    if (rc != WN_OK)
        wn_svc_fail(p.svc, rc, &err);
    leave(&p);
    wn_store_free(p.store);
    free(p.seen);
    atomic_store(&p.svc->poll_done, true);
    return NULL;
}
