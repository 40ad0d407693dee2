/*
 * The relay thread. A lane is a partition held, as the relay sees it. Rows of
 * a lane go out a chunk at a time: read, sent, all reports awaited, watermark
 * moved. The writer's committed offset of the partition tells when there can
 * be new rows, so a lane at rest costs the database nothing.
 *
 * A Kafka partition that goes to another worker takes its rows with it: the
 * chunk on its way is finished, the new owner sends the rest. A file that was
 * read to its end has no next owner, so its lane stays until it is empty. The
 * epoch is checked with every read and every mark: a lane that lost its
 * partition sends nothing more.
 */
#include "ingest/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/relay_send.h"
#include "ingest/service_int.h"

#define STORE_MS 5000
#define IDLE_MS 10
#define REST_US 25000         /* of a lane, for its next rows to gather     */
#define LOST_US 1500000       /* for the reports of a partition taken away  */
#define COUNT_US 1000000      /* between two counts of what waits           */
#define RECOUNT_US 30000000   /* of lanes that were found empty             */
#define FULL_CHUNK (4u << 20) /* bytes; over it there may be more rows      */
#define ARENA_BYTES (64u << 20)
#define NO_OFFSET INT64_MIN

struct lane {
    struct wn_claim claim; /* source and epoch only */
    uint64_t generation;
    struct wn_partition *part; /* while a chunk is on its way: not freed then */
    bool seen, gone, fenced;
    bool dry;          /* nothing was left after `read_at` */
    int64_t committed; /* by the writer, when last looked  */
    int64_t read_at;   /* committed at the last read       */
    int64_t delivered; /* to be marked as done; NO_OFFSET  */
    int64_t rest_us;   /* not before                       */
    int64_t lost_us;   /* taken away since; 0: not         */
    int64_t counted_us;
    int64_t waiting;
    enum wn_outbox_kind blocked; /* rows of this kind wait; 0: none */
};

struct relay {
    struct wn_svc *svc;
    struct wn_store *store;
    struct wn_sender *sender;
    struct lane *lanes;
    size_t lanes_n, lanes_cap;
    struct lane *now; /* its chunk is on its way */
    bool keep;        /* lanes without a partition: files */
    struct wn_arena arena;
    enum wn_sent sent[WN_SEND_MAX];
    unsigned attempt; /* the database's */
    int64_t retry_us, counted_us, count_us;
    int64_t waiting_max;
};

bool
wn_relay_wanted(const struct wn_options *o)
{
    return wn_opt_str(o, WN_OPT_OUTPUT_VERDICTS)[0] != '\0' ||
           wn_opt_str(o, WN_OPT_OUTPUT_DEAD)[0] != '\0';
}

void
wn_relay_end(struct wn_svc *svc, int64_t us)
{
    atomic_store(&svc->relay_until_us, wn_clock_mono_us() + us);
    atomic_store(&svc->relay_stop, true);
}

/* --- lanes --- */

/* Partitions keep their order from look to look, so the next lane is mostly
 * the next partition's. */
static struct lane *
lane_find(struct relay *r, const struct wn_partition *p, size_t *hint)
{
    size_t i;
    struct lane *l;

    for (i = 0; i < r->lanes_n; i++) {
        l = &r->lanes[(*hint + i) % r->lanes_n];
        if (l->claim.source == p->source && l->generation == p->generation) {
            *hint = (size_t)(l - r->lanes) + 1;
            return l;
        }
    }
    return NULL;
}

static struct lane *
lane_add(struct relay *r, const struct wn_partition *p)
{
    size_t cap = r->lanes_cap == 0 ? 16 : r->lanes_cap * 2;
    struct lane *grown;

    if (r->lanes_n == r->lanes_cap) {
        if (r->now != NULL)
            return NULL; /* lanes must not move now: it is seen later */
        grown = realloc(r->lanes, cap * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        r->lanes = grown;
        r->lanes_cap = cap;
    }
    grown = &r->lanes[r->lanes_n++];
    *grown = (struct lane){ .claim = { .source = p->source, .epoch = p->epoch },
        .generation = p->generation,
        .delivered = NO_OFFSET };
    return grown;
}

static void
lane_look(struct relay *r, struct wn_partition *p, size_t *hint)
{
    struct lane *l = lane_find(r, p, hint);

    if (l == NULL && (!p->gone || r->keep))
        l = lane_add(r, p);
    if (l != NULL) {
        l->seen = true;
        l->committed = p->committed;
        l->gone = p->gone;
    }
    /* Without memory a file's lane is tried again, not forgotten. */
    if (p->gone && !p->committing && (l != NULL || !r->keep))
        p->relay_saw = true;
}

static bool
lane_is_over(const struct relay *r, const struct lane *l)
{
    if (l->fenced)
        return !l->seen || l->gone;
    if (l->seen && !l->gone)
        return false;
    return !r->keep || (l->dry && l->committed == l->read_at);
}

static void
lanes_drop(struct relay *r)
{
    size_t i, n = 0;

    for (i = 0; i < r->lanes_n; i++) {
        if (!lane_is_over(r, &r->lanes[i]))
            r->lanes[n++] = r->lanes[i];
    }
    r->lanes_n = n;
}

static void
lanes_refresh(struct relay *r)
{
    struct wn_svc *svc = r->svc;
    struct wn_partition *p;
    size_t i, hint = 0;

    for (i = 0; i < r->lanes_n; i++)
        r->lanes[i].seen = false;
    pthread_mutex_lock(&svc->lock);
    for (i = 0; i < WN_PART_BUCKETS; i++) {
        for (p = svc->parts[i]; p != NULL; p = p->next)
            lane_look(r, p, &hint);
    }
    pthread_mutex_unlock(&svc->lock);
    if (r->now == NULL)
        lanes_drop(r);
}

/* The partition will not be let go while the chunk is on its way. */
static bool
lane_begin(struct relay *r, struct lane *l)
{
    struct wn_svc *svc = r->svc;

    pthread_mutex_lock(&svc->lock);
    l->part = wn_part_find(svc, l->claim.source, l->generation);
    if (l->part != NULL)
        l->part->relaying = true;
    pthread_mutex_unlock(&svc->lock);
    l->lost_us = 0;
    r->now = l;
    return l->part != NULL || r->keep;
}

static void
lane_end(struct relay *r, struct lane *l)
{
    pthread_mutex_lock(&r->svc->lock);
    if (l->part != NULL)
        l->part->relaying = false;
    pthread_mutex_unlock(&r->svc->lock);
    l->part = NULL;
    r->now = NULL;
}

/* --- what the database says --- */

/* The writer speaks of the database in health; here we only wait. */
static bool
went(struct relay *r, struct lane *l, enum wn_status rc,
    const struct wn_err *err)
{
    if (rc == WN_OK) {
        r->attempt = 0;
        return true;
    }
    if (rc == WN_FENCED) {
        l->fenced = true;
    } else if (rc == WN_RETRY) {
        r->retry_us = wn_clock_mono_us() +
                      (int64_t)wn_svc_backoff_ms(r->attempt++) * 1000;
    } else {
        wn_svc_fail(r->svc, rc == WN_FULL ? WN_STOP : rc, err);
        atomic_store(&r->svc->relay_until_us, 0);
        atomic_store(&r->svc->relay_stop, true);
    }
    return false;
}

/* --- what waits --- */

static bool
is_due(const struct relay *r, const struct lane *l, int64_t now)
{
    return !l->fenced && now >= r->retry_us && now >= l->rest_us &&
           (!l->dry || l->committed != l->read_at || l->delivered != NO_OFFSET);
}

static void
count_lane(struct relay *r, struct lane *l, int64_t max)
{
    struct wn_err err = { "" };
    int64_t now = wn_clock_mono_us();
    const bool quiet = l->dry && l->committed == l->read_at;

    if (quiet)
        l->waiting = 0;
    if (l->fenced || (quiet && now - l->counted_us < RECOUNT_US))
        return;
    l->counted_us = now;
    if (went(r, l,
            wn_store_outbox_waiting(
                r->store, &l->claim, max, &l->waiting, &err),
            &err) &&
        l->waiting > 0)
        l->dry = false;
}

static void
say(struct relay *r, int64_t waiting)
{
    struct wn_svc *svc = r->svc;
    const char *trouble = waiting > 0 ? wn_sender_trouble(r->sender) : "";
    bool full = atomic_load(&svc->outbox_full);
    char cause[480];

    if (waiting > r->waiting_max)
        full = true;
    else if (waiting < r->waiting_max / 5 * 4)
        full = false;
    atomic_store(&svc->outbox_full, full);
    wn_metric_set(WN_M_OUTBOX_WAITING, 0, (double)waiting);
    if (full)
        snprintf(cause, sizeof(cause),
            "over %lld rows wait, consuming is paused%s%s",
            (long long)r->waiting_max, trouble[0] != '\0' ? ": " : "", trouble);
    else
        snprintf(cause, sizeof(cause), "%s", trouble);
    wn_health_set(svc->health, "outbox", cause[0] == '\0', cause);
}

/* Once a second, or less often where counting itself takes long. */
static void
count_waiting(struct relay *r)
{
    int64_t begin = wn_clock_mono_us(), waiting = 0;
    size_t i;

    if (begin < r->retry_us || begin - r->counted_us < r->count_us)
        return;
    for (i = 0; i < r->lanes_n && begin >= r->retry_us; i++) {
        if (waiting <= r->waiting_max)
            count_lane(r, &r->lanes[i], r->waiting_max + 1 - waiting);
        if (!r->lanes[i].fenced)
            waiting += r->lanes[i].waiting;
    }
    r->counted_us = wn_clock_mono_us();
    r->count_us = (r->counted_us - begin) * 20;
    if (r->count_us < COUNT_US)
        r->count_us = COUNT_US;
    if (begin >= r->retry_us)
        say(r, waiting);
}

/* --- a chunk --- */

static bool
out_of_time(const struct relay *r)
{
    return r->svc->hard_stop ||
           (atomic_load(&r->svc->relay_stop) &&
               wn_clock_mono_us() >= atomic_load(&r->svc->relay_until_us));
}

/* Asked while reports are awaited, which can be for long. */
static bool
go_on(void *arg)
{
    struct relay *r = arg;
    struct lane *l = r->now;

    lanes_refresh(r);
    count_waiting(r);
    if (out_of_time(r) || l->fenced)
        return false;
    if (r->keep || !l->gone)
        return true;
    if (l->lost_us == 0)
        l->lost_us = wn_clock_mono_us();
    return wn_clock_mono_us() - l->lost_us < LOST_US;
}

static bool
mark_refused(
    struct relay *r, struct lane *l, const struct wn_outbox_row *row, size_t i)
{
    static struct wn_log_limit limit;
    struct wn_err err = { "" };
    char why[256], quoted[300];
    uint64_t missed;

    wn_sender_why(r->sender, i, why, sizeof(why));
    if (!went(r, l,
            wn_store_outbox_refused(r->store, &l->claim, row, why, &err), &err))
        return false;
    wn_metric_add(WN_M_RELAY_REFUSED, 0, 1);
    if (wn_log_limit(&limit, &missed))
        wn_log(WN_LOG_WARN, "relay.refused",
            "item=%d/%lld bytes=%zu missed=%llu why=%s", (int)l->claim.source,
            (long long)row->offset, row->value.len, (unsigned long long)missed,
            wn_log_quote(why, quoted, sizeof(quoted)));
    return true;
}

/* The offset up to which all rows are settled goes into the lane. */
static size_t
settle(
    struct relay *r, struct lane *l, const struct wn_outbox_row *rows, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (r->sent[i] == WN_SENT_WAITS)
            break;
        if (r->sent[i] == WN_SENT_REFUSED && !mark_refused(r, l, &rows[i], i))
            return i;
        if (r->sent[i] == WN_SENT_DELIVERED)
            wn_metric_add(
                WN_M_RELAYED, rows[i].kind == WN_OUTBOX_DEAD ? 1 : 0, 1);
        l->delivered = rows[i].offset;
    }
    if (i < n)
        l->blocked = rows[i].kind;
    return i;
}

/* Before anything else is read: what was delivered is not sent again because
 * the database was away for a moment. */
static bool
mark_done(struct relay *r, struct lane *l)
{
    struct wn_err err = { "" };

    if (l->delivered == NO_OFFSET)
        return true;
    if (!went(r, l,
            wn_store_outbox_done(r->store, &l->claim, l->delivered, &err),
            &err))
        return false;
    l->delivered = NO_OFFSET;
    return true;
}

/* true: there may be more. */
static bool
send_chunk(struct relay *r, struct lane *l)
{
    struct wn_outbox_row *rows = NULL;
    struct wn_err err = { "" };
    int64_t begin = wn_clock_mono_us(), committed = l->committed;
    size_t n = 0, i, bytes = 0;

    wn_arena_reset(&r->arena);
    if (!mark_done(r, l) || !went(r, l,
                                wn_store_outbox_read(r->store, &l->claim,
                                    WN_SEND_MAX, &r->arena, &rows, &n, &err),
                                &err))
        return false;
    for (i = 0; i < n; i++)
        bytes += rows[i].value.len;
    if (n > 0) {
        wn_sender_send(r->sender, rows, n, r->sent, go_on, r);
        i = settle(r, l, rows, n);
        if (!mark_done(r, l) || i < n)
            return false;
        wn_metric_observe(WN_M_STAGE_SECONDS, WN_STAGE_RELAY,
            (double)(wn_clock_mono_us() - begin) / 1e6);
    }
    l->read_at = committed;
    l->dry = n < WN_SEND_MAX && bytes < FULL_CHUNK;
    return !l->dry;
}

static bool
relay_lane(struct relay *r, struct lane *l)
{
    bool more = false;

    if (l->blocked != 0 && !wn_sender_ready(r->sender, l->blocked)) {
        l->rest_us = wn_clock_mono_us() + REST_US;
        return false;
    }
    l->blocked = 0;
    if (lane_begin(r, l))
        more = send_chunk(r, l);
    lane_end(r, l);
    l->rest_us = more ? 0 : wn_clock_mono_us() + REST_US;
    return more;
}

/* --- the thread --- */

/* Everything was sent; blocked: or waits for a topic that is not there. */
static bool
is_done(const struct relay *r, bool blocked)
{
    size_t i;
    const struct lane *l;

    for (i = 0; i < r->lanes_n; i++) {
        l = &r->lanes[i];
        if (l->fenced || (blocked && l->blocked != 0))
            continue;
        if (!l->dry || l->committed != l->read_at)
            return false;
    }
    return true;
}

static void
tell_what_is_left(const struct relay *r)
{
    int64_t rows = 0;
    size_t i;

    for (i = 0; i < r->lanes_n; i++)
        rows += r->lanes[i].fenced ? 0 : r->lanes[i].waiting;
    if (!is_done(r, false))
        wn_log(WN_LOG_WARN, "relay.left",
            "rows=%lld why=\"the next run of the same source sends them\"",
            (long long)rows);
}

static void
work(struct relay *r)
{
    struct wn_svc *svc = r->svc;
    bool ending, more;
    size_t i;

    while (!out_of_time(r)) {
        ending = atomic_load(&svc->relay_stop);
        more = false;
        lanes_refresh(r);
        if (is_done(r, false))
            atomic_store(&svc->relay_dry_us, wn_clock_mono_us());
        if (ending && is_done(r, true))
            return;
        for (i = 0; i < r->lanes_n && !out_of_time(r); i++) {
            if (is_due(r, &r->lanes[i], wn_clock_mono_us()))
                more = relay_lane(r, &r->lanes[i]) || more;
        }
        wn_sender_tick(r->sender);
        count_waiting(r);
        if (!more)
            wn_svc_nap(svc, IDLE_MS, true);
    }
}

void *
wn_relay_thread(void *arg)
{
    struct relay r = { .svc = arg };
    const struct wn_options *o = r.svc->conf->options;
    struct wn_err err = { "" };
    enum wn_status rc;

    r.keep = strcmp(wn_opt_str(o, WN_OPT_INGEST_SOURCE), "kafka") != 0;
    r.waiting_max = wn_opt_int(o, WN_OPT_OUTPUT_WAITING);
    r.count_us = COUNT_US;
    wn_arena_init(&r.arena, 1u << 20, ARENA_BYTES);
    atomic_store(&r.svc->relay_on, true);
    rc = wn_sender_open(&r.sender, o, &err);
    if (rc == WN_OK)
        rc = wn_svc_store_open(r.svc, &r.store, STORE_MS, &err);
    if (rc == WN_OK) {
        work(&r);
        tell_what_is_left(&r);
    } else if (rc != WN_RETRY)
        wn_svc_fail(r.svc, rc, &err);
    atomic_store(&r.svc->relay_on, false);
    wn_sender_free(r.sender);
    wn_store_free(r.store);
    wn_arena_release(&r.arena);
    free(r.lanes);
    return NULL;
}
