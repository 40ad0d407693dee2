/*
 * The group gives and takes partitions; poll thread only.
 *
 * What it gives is answered at once with an empty assignment, so that the
 * group goes on whatever the database does; then each partition is claimed in
 * the store, and all claimed ones are assigned with the offsets the store has
 * (librdkafka 2.0.2 has no leader epochs to go with them). Never assign and
 * seek: what is fetched before the seek would be from the wrong place.
 *
 * Eager assignors only: every rebalance takes all and gives anew, and between
 * the two rd_kafka_assign() may replace the whole list at any time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/metrics.h"
#include "ingest/kafka_int.h"

#define ASK_MS 2000       /* of one question to the broker            */
#define STEP_US 100000    /* of claims before the consumer is polled  */
#define AGAIN_US 1000000  /* after a claim that did not work out      */
#define FENCED_US 5000000 /* before a fenced partition is claimed     */
#define PARTS_MAX 100000  /* of a topic; Kafka itself ends before     */

/* Never the same twice in a process: a consumer made anew must not be taken
 * for the one before it. */
static atomic_ullong generations;

struct wn_kpart *
wn_kpart(struct wn_ksource *s, int32_t part)
{
    return part >= 0 && (size_t)part < s->parts_n ? &s->parts[part] : NULL;
}

static bool
make_room(struct wn_ksource *s, int32_t part)
{
    struct wn_kpart *grown;
    size_t n = (size_t)part + 1;

    if (n <= s->parts_n)
        return true;
    if (part < 0 || n > PARTS_MAX)
        return false;
    grown = realloc(s->parts, n * sizeof(*grown));
    if (grown == NULL)
        return false;
    memset(grown + s->parts_n, 0, (n - s->parts_n) * sizeof(*grown));
    s->parts = grown;
    s->parts_n = n;
    return true;
}

rd_kafka_topic_partition_list_t *
wn_kparts_in(const struct wn_ksource *s, enum wn_kpart_state state)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    size_t i;

    for (i = 0; i < s->parts_n; i++) {
        if (s->parts[i].state != state)
            continue;
        if (list == NULL)
            list = rd_kafka_topic_partition_list_new((int)s->parts_n);
        rd_kafka_topic_partition_list_add(list, s->topic, (int32_t)i)->offset =
            s->parts[i].expected;
    }
    return list;
}

/* --- what the partitions say in health --- */

static void
tell_health(struct wn_ksource *s)
{
    char cause[320] = "";
    size_t i, n = 0;

    for (i = 0; i < s->parts_n; i++) {
        if (s->parts[i].state != WN_KPART_STOPPED)
            continue;
        if (n++ == 0)
            snprintf(cause, sizeof(cause), "%s", s->parts[i].why);
    }
    if (n == 0 && s->claim_why[0] != '\0') {
        n = 1;
        snprintf(cause, sizeof(cause), "partitions are not claimed yet: %s",
            s->claim_why);
    }
    if (n > 1)
        snprintf(cause + strlen(cause), sizeof(cause) - strlen(cause),
            " (and %zu more)", n - 1);
    wn_health_set(s->conf.health, "source", n == 0, cause);
}

/* --- letting go --- */

/* false: the store did not answer, and need not be asked for others. */
static bool
let_go(struct wn_ksource *s, int32_t part, bool lost, bool ask_store)
{
    struct wn_kpart *p = &s->parts[part];
    const struct wn_source_events *events = &s->conf.events;
    struct wn_err err;
    bool held = p->state == WN_KPART_CLAIMED || p->state == WN_KPART_HELD;

    p->state = WN_KPART_NONE;
    if (!held)
        return true;
    events->revoked(events->arg, p->claim.source, p->generation, lost);
    if (lost || !ask_store)
        return ask_store;
    return wn_store_release(s->conf.store, &p->claim, &err) != WN_RETRY;
}

static void
let_all_go(struct wn_ksource *s, bool lost)
{
    bool ask = true;
    size_t i;

    for (i = 0; i < s->parts_n; i++)
        ask = let_go(s, (int32_t)i, lost, ask);
    tell_health(s);
}

/* Paused is a partition until it is resumed, whoever gets it next: librdkafka
 * keeps that through unassign and assign. Only this one: resuming what is not
 * paused makes 2.0.2 rewind it (librdkafka#4686). */
static void
resume_part(struct wn_ksource *s, int32_t part)
{
    rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(one, s->topic, part);
    rd_kafka_resume_partitions(s->rk, one);
    rd_kafka_topic_partition_list_destroy(one);
}

void
wn_kassign_stop_part(struct wn_ksource *s, int32_t part, const char *why)
{
    struct wn_kpart *p = wn_kpart(s, part);

    if (p == NULL || p->state != WN_KPART_HELD)
        return;
    if (s->paused)
        resume_part(s, part);
    let_go(s, part, false, true);
    p->state = WN_KPART_STOPPED;
    snprintf(p->why, sizeof(p->why), "%s", why);
    tell_health(s);
}

static void
go_through_again(struct wn_ksource *s, int64_t in_us)
{
    s->claiming = true;
    s->given_at = 0;
    s->wait_us = wn_clock_mono_us() + in_us;
}

void
wn_kassign_fenced(struct wn_ksource *s, int32_t part)
{
    struct wn_kpart *p = wn_kpart(s, part);

    if (p == NULL || p->state == WN_KPART_NONE)
        return;
    if (s->paused && p->state == WN_KPART_HELD)
        resume_part(s, part);
    p->state = WN_KPART_FENCED;
    if (s->given != NULL)
        go_through_again(s, FENCED_US);
}

/* --- where a partition begins --- */

static enum wn_status
broker_away(int32_t part, rd_kafka_resp_err_t e, struct wn_err *err)
{
    return wn_fail(err, WN_RETRY, "kafka: offsets of partition %d: %s",
        (int)part, rd_kafka_err2str(e));
}

static enum wn_status
ends_of(struct wn_ksource *s, int32_t part, int64_t *ret_low, int64_t *ret_high,
    struct wn_err *err)
{
    rd_kafka_resp_err_t e = rd_kafka_query_watermark_offsets(
        s->rk, s->topic, part, ret_low, ret_high, ASK_MS);

    return e == RD_KAFKA_RESP_ERR_NO_ERROR ? WN_OK : broker_away(part, e, err);
}

/* The first record at or after the time; the end where there is none. */
static enum wn_status
offset_at(struct wn_ksource *s, int32_t part, int64_t high, int64_t *ret,
    struct wn_err *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *one =
        rd_kafka_topic_partition_list_add(list, s->topic, part);
    rd_kafka_resp_err_t e;

    one->offset = s->start_us / 1000;
    e = rd_kafka_offsets_for_times(s->rk, list, ASK_MS);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        e = one->err;
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        *ret = one->offset >= 0 ? one->offset : high;
    rd_kafka_topic_partition_list_destroy(list);
    return e == RD_KAFKA_RESP_ERR_NO_ERROR ? WN_OK : broker_away(part, e, err);
}

static enum wn_status
first_offset(struct wn_ksource *s, int32_t part, bool by_policy, int64_t *ret,
    struct wn_err *err)
{
    int64_t low, high;
    enum wn_status rc = ends_of(s, part, &low, &high, err);

    if (rc != WN_OK)
        return rc;
    if (!by_policy || strcmp(s->start, "beginning") == 0)
        *ret = low;
    else if (strcmp(s->start, "end") == 0)
        *ret = high;
    else
        rc = offset_at(s, part, high, ret, err);
    return rc;
}

/* --- claiming --- */

static struct wn_source_name
name_of(const struct wn_ksource *s, int32_t part)
{
    return (struct wn_source_name){ "kafka", s->cluster, s->topic, part, "" };
}

static enum wn_status
make_cursor(struct wn_ksource *s, int32_t part, struct wn_err *err)
{
    struct wn_source_name name = name_of(s, part);
    struct wn_claim claim;
    bool self, sister;
    int64_t start;
    enum wn_status rc;

    rc = wn_store_known(s->conf.store, &name, &self, &sister, NULL, err);
    if (rc != WN_OK || self)
        return rc;
    rc = first_offset(s, part, true, &start, err);
    if (rc == WN_OK)
        rc = wn_store_claim(s->conf.store, &name, start, &claim, err);
    if (rc == WN_OK)
        rc = wn_store_release(s->conf.store, &claim, err);
    return rc == WN_FENCED ? WN_OK : rc;
}

/*
 * ingest.start is for all partitions of a topic that nobody has read, and for
 * none that comes later: so all get their cursors now, also those that the
 * group gave to others.
 */
static enum wn_status
make_cursors(struct wn_ksource *s, struct wn_err *err)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(s->rk, s->topic, NULL);
    rd_kafka_resp_err_t e;
    enum wn_status rc = WN_OK;
    int32_t i, n = 0;

    e = rd_kafka_metadata(s->rk, 0, topic, &md, ASK_MS);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
        n = md->topic_cnt == 1 ? md->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(md);
    }
    rd_kafka_topic_destroy(topic);
    if (n == 0)
        return wn_fail(err, WN_RETRY, "kafka: partitions of the topic: %s",
            rd_kafka_err2str(e));
    for (i = 0; i < n && rc == WN_OK && !*s->conf.stop; i++)
        rc = make_cursor(s, i, err);
    return rc;
}

static enum wn_status
claim_in_store(struct wn_ksource *s, int32_t part, struct wn_claim *ret,
    struct wn_err *err)
{
    struct wn_source_name name = name_of(s, part);
    bool self, sister;
    int64_t start = 0;
    enum wn_status rc;

    rc = wn_store_known(s->conf.store, &name, &self, &sister, NULL, err);
    if (rc == WN_OK && !self && !sister && strcmp(s->start, "beginning") != 0) {
        rc = make_cursors(s, err);
        self = true;
    }
    if (rc == WN_OK && !self)
        rc = first_offset(s, part, false, &start, err);
    if (rc == WN_OK)
        rc = wn_store_claim(s->conf.store, &name, start, ret, err);
    return rc;
}

static enum wn_status
claim(struct wn_ksource *s, int32_t part, struct wn_err *err)
{
    const struct wn_source_events *events = &s->conf.events;
    struct wn_claim taken;
    struct wn_kpart *p;
    enum wn_status rc;

    if (!make_room(s, part))
        return wn_fail(
            err, WN_STOP, "kafka: no room for partition %d", (int)part);
    p = &s->parts[part];
    if (p->state != WN_KPART_NONE && p->state != WN_KPART_FENCED)
        return WN_OK;
    rc = claim_in_store(s, part, &taken, err);
    if (rc != WN_OK)
        return rc == WN_FENCED ? WN_RETRY : rc;
    *p = (struct wn_kpart){ .state = WN_KPART_CLAIMED,
        .claim = taken,
        .generation = atomic_fetch_add(&generations, 1) + 1,
        .expected = taken.next_offset,
        .committed = taken.next_offset,
        .mirrored = -1,
        .eof = -1 };
    s->unassigned = true;
    events->assigned(events->arg, &p->claim, p->generation);
    return WN_OK;
}

/* --- handing what is claimed to Kafka --- */

/* One line, however many: "topic=posts n=3 partitions=0,2,5". */
static void
tell_claimed(const struct wn_ksource *s)
{
    char list[256] = "";
    size_t i, n = 0, len = 0;

    for (i = 0; i < s->parts_n; i++) {
        if (s->parts[i].state != WN_KPART_HELD)
            continue;
        if (len < sizeof(list) - 16)
            len += (size_t)snprintf(
                list + len, sizeof(list) - len, "%s%zu", n > 0 ? "," : "", i);
        n++;
    }
    wn_log(WN_LOG_INFO, "group.claimed", "topic=%s n=%zu partitions=%s%s",
        s->topic, n, list, len < sizeof(list) - 16 ? "" : ",...");
}

/* All that is ours, from where we are: replaces what was assigned before. */
static enum wn_status
assign(struct wn_ksource *s, struct wn_err *err)
{
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t e;
    size_t i;

    for (i = 0; i < s->parts_n; i++) {
        if (s->parts[i].state == WN_KPART_CLAIMED)
            s->parts[i].state = WN_KPART_HELD;
    }
    list = wn_kparts_in(s, WN_KPART_HELD);
    s->unassigned = false;
    if (list == NULL)
        return WN_OK;
    e = rd_kafka_assign(s->rk, list);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR && s->paused)
        rd_kafka_pause_partitions(s->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        return wn_fail(err, WN_STOP, "kafka: assign: %s", rd_kafka_err2str(e));
    tell_claimed(s);
    return WN_OK;
}

static bool
may_claim(struct wn_ksource *s)
{
    if (s->given == NULL || !s->claiming || *s->conf.stop || s->closing ||
        wn_clock_mono_us() < s->wait_us)
        return false;
    if (s->cluster == NULL)
        s->cluster = rd_kafka_clusterid(s->rk, ASK_MS);
    return s->cluster != NULL;
}

enum wn_status
wn_kassign_step(struct wn_ksource *s, struct wn_err *err)
{
    int64_t until = wn_clock_mono_us() + STEP_US;
    bool again = false;
    enum wn_status rc = WN_OK;

    if (!may_claim(s))
        return WN_OK;
    while (s->given_at < s->given->cnt && !again && !*s->conf.stop) {
        if (wn_clock_mono_us() >= until)
            return WN_OK; /* heartbeats and rebalances are served between */
        rc = claim(s, s->given->elems[s->given_at++].partition, err);
        if (rc != WN_OK && rc != WN_RETRY)
            return rc;
        again = rc == WN_RETRY;
    }
    s->claiming = false;
    if (again)
        go_through_again(s, AGAIN_US);
    snprintf(
        s->claim_why, sizeof(s->claim_why), "%.255s", again ? err->text : "");
    tell_health(s);
    /* What could be claimed need not wait for the rest. */
    return s->unassigned ? assign(s, err) : WN_OK;
}

/* --- rebalances --- */

static void
give(struct wn_ksource *s, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *none =
        rd_kafka_topic_partition_list_new(0);

    rd_kafka_assign(s->rk, none);
    rd_kafka_topic_partition_list_destroy(none);
    let_all_go(s, false); /* nothing is left where every revoke came */
    if (s->given != NULL)
        rd_kafka_topic_partition_list_destroy(s->given);
    s->given = rd_kafka_topic_partition_list_copy(list);
    go_through_again(s, 0);
    s->answered = true;
    s->missing[0] = '\0';
}

static void
let_given_go(struct wn_ksource *s, bool lost)
{
    rd_kafka_topic_partition_list_t *held = wn_kparts_in(s, WN_KPART_HELD);

    if (held != NULL && s->paused)
        rd_kafka_resume_partitions(s->rk, held); /* it outlives the claim */
    if (held != NULL)
        rd_kafka_topic_partition_list_destroy(held);
    if (!lost)
        wn_kmirror(s);
    let_all_go(s, lost);
    if (s->given != NULL)
        rd_kafka_topic_partition_list_destroy(s->given);
    s->given = NULL;
    s->claiming = false;
    s->claim_why[0] = '\0';
}

void
wn_kassign_release(struct wn_ksource *s)
{
    let_given_go(s, false);
}

void
wn_kassign_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t e,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct wn_kafka_signs *signs = opaque;
    struct wn_ksource *s = signs->user;
    bool lost;

    if (e == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        wn_log(WN_LOG_INFO, "group.assigned", "partitions=%d", list->cnt);
        give(s, list);
        return;
    }
    lost = rd_kafka_assignment_lost(rk) != 0;
    wn_log(WN_LOG_INFO, lost ? "group.lost" : "group.revoked", "partitions=%d",
        list->cnt);
    let_given_go(s, lost || e != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS);
    rd_kafka_assign(rk, NULL);
}

/* --- the mirror --- */

void
wn_kmirror(struct wn_ksource *s)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    struct wn_kpart *p;
    size_t i;

    s->mirrored_us = wn_clock_mono_us();
    for (i = 0; i < s->parts_n; i++) {
        p = &s->parts[i];
        if (p->state != WN_KPART_HELD || p->mirrored == p->committed)
            continue;
        if (list == NULL)
            list = rd_kafka_topic_partition_list_new((int)s->parts_n);
        rd_kafka_topic_partition_list_add(list, s->topic, (int32_t)i)->offset =
            p->mirrored = p->committed;
    }
    if (list == NULL)
        return;
    if (rd_kafka_commit(s->rk, list, 1) != RD_KAFKA_RESP_ERR_NO_ERROR)
        wn_metric_add(WN_M_MIRROR_ERRORS, 0, 1);
    rd_kafka_topic_partition_list_destroy(list);
}
