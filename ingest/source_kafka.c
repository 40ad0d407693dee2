/*
 * The Kafka source: one consumer of a group. Poll thread only; librdkafka
 * calls back on it, except for its log (kafka_client.c).
 *
 * A message keeps the whole fetched set of messages alive, so it is copied
 * into its item and destroyed at once. Nothing here decides what was done:
 * the store's cursor does; Kafka's offsets are a mirror for lag tools.
 *
 * What keeps records from coming is a condition in health: "kafka" (broker,
 * topic, group), "source" (partitions that stand still), "record.size".
 */
#include "core/log.h"
#include "core/metrics.h"
#include "ingest/kafka_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_US 1000000
#define CHECK_MS 300
#define MIRROR_US 3000000
#define TOO_LARGE_US 60000000 /* without another one it is over */
#define CLOSE_US 2500000
#define DESTROY_MS 2000
#define ASK_MS 2000
#define ITEM_BYTES (1u << 20) /* of an arena, beside 16 times the record */
#define TIME_MAX_MS INT64_C(253402300799999) /* 9999-12-31 */

/* kafka.* may override these. */
static const struct wn_kafka_setting ours[] = {
    { "group.id", "winnow" },
    { "client.id", "winnow" },
    { "session.timeout.ms", "15000" },
    { "heartbeat.interval.ms", "3000" },
    { "max.poll.interval.ms", "120000" },
    /* Small prefetch: what is fetched is not in the byte budget. */
    { "queued.min.messages", "5000" },
    { "queued.max.messages.kbytes", "16384" },
    { "fetch.message.max.bytes", "1048576" },
    { "fetch.max.bytes", "8388608" },
    { "receive.message.max.bytes", "33554432" },
    /* A full prefetch queue waits this long: 500 ms would be stalls. 2.2.0
     * and later have a setting of its own for it. */
    { "fetch.error.backoff.ms", "50" },
    { "fetch.queue.backoff.ms", "20" },
    { "reconnect.backoff.max.ms", "3000" },
    /* New partitions, and a topic that comes late. */
    { "topic.metadata.refresh.interval.ms", "5000" },
    { "allow.auto.create.topics", "false" },
    { "log.connection.close", "false" },
    { NULL, NULL },
};

/* The fence owns these: see wn_options_kafka_owned(). */
static const struct wn_kafka_setting fixed[] = {
    { "enable.auto.commit", "false" },
    { "enable.auto.offset.store", "false" },
    { "auto.offset.reset", "error" },
    { "enable.partition.eof", "true" },
    { "isolation.level", "read_committed" },
    { "check.crcs", "true" },
    { NULL, NULL },
};

/* --- what keeps records from coming --- */

static void
set_down(struct wn_ksource *s, const char *cause)
{
    snprintf(s->cause, sizeof(s->cause), "%s", cause != NULL ? cause : "");
    wn_health_set(s->conf.health, "kafka", cause == NULL, s->cause);
}

static void
tell_down(struct wn_ksource *s)
{
    static const char begins[] = "no broker answers: ";
    char why[256], cause[320];

    /* The first reason stays: with several addresses they alternate, and each
     * change would be a line. */
    if (strncmp(s->cause, begins, sizeof(begins) - 1) == 0)
        return;
    wn_kafka_why(&s->signs, why, sizeof(why));
    snprintf(cause, sizeof(cause), "no broker answers%s%s",
        why[0] != '\0' ? ": " : "", why);
    set_down(s, cause);
}

static bool
tell_too_large(struct wn_ksource *s)
{
    long long at = atomic_load(&s->signs.too_large_us);
    bool now = at != 0 && wn_clock_mono_us() - at < TOO_LARGE_US;

    wn_health_set(s->conf.health, "record.size", !now,
        "a record is larger than kafka.receive.message.max.bytes and cannot "
        "be fetched: raise that setting, and kafka.fetch.max.bytes");
    return now;
}

/* A broker answers: asks only while there is a doubt. */
static void
look(struct wn_ksource *s)
{
    const struct rd_kafka_metadata *md;
    int64_t now = wn_clock_mono_us();
    bool too_large;

    if (now - s->checked_us < CHECK_US)
        return;
    s->checked_us = now;
    too_large = tell_too_large(s);
    if (s->cluster == NULL)
        s->cluster = rd_kafka_clusterid(s->rk, CHECK_MS);
    if (s->cluster != NULL && atomic_load(&s->signs.down) &&
        rd_kafka_metadata(s->rk, 0, NULL, &md, CHECK_MS) ==
            RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(md);
        atomic_store(&s->signs.down, false);
    }
    if (s->cluster == NULL || (atomic_load(&s->signs.down) && !too_large))
        tell_down(s);
    else if (s->missing[0] != '\0')
        set_down(s, s->missing);
    else if (!s->answered)
        set_down(s, "the group has not given out its partitions yet");
    else
        set_down(s, NULL);
}

/* --- messages that are news --- */

/* The cursor is not within the partition: nothing that is safe can follow. */
static void
on_out_of_range(struct wn_ksource *s, int32_t part)
{
    struct wn_kpart *p = wn_kpart(s, part);
    int64_t low, high, at = p->expected;
    char why[256];
    rd_kafka_resp_err_t e = rd_kafka_query_watermark_offsets(
        s->rk, s->topic, part, &low, &high, ASK_MS);

    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        snprintf(why, sizeof(why),
            "%s/%d: offset %" PRId64 " is out of range; set next_offset of "
            "its source_cursor row to where reading shall go on",
            s->topic, (int)part, at);
    else if (at > high)
        snprintf(why, sizeof(why),
            "%s/%d: it ends at %" PRId64 ", before our offset %" PRId64
            ": the topic was made anew or cut off; read it under another "
            "name, or set next_offset of its source_cursor row",
            s->topic, (int)part, high, at);
    else
        snprintf(why, sizeof(why),
            "%s/%d: offsets %" PRId64 " to %" PRId64 " are gone, unread, by "
            "retention; set next_offset of its source_cursor row to go on",
            s->topic, (int)part, at, low);
    wn_kassign_stop_part(s, part, why);
}

static void
on_damaged(struct wn_ksource *s, const rd_kafka_message_t *m)
{
    char why[256];

    snprintf(why, sizeof(why),
        "%s/%d: records at or after offset %" PRId64 " are damaged: %s",
        s->topic, (int)m->partition, wn_kpart(s, m->partition)->expected,
        rd_kafka_message_errstr(m));
    wn_kassign_stop_part(s, m->partition, why);
}

static enum wn_status
on_fatal(struct wn_ksource *s, struct wn_err *err)
{
    char why[256] = "";

    rd_kafka_fatal_error(s->rk, why, sizeof(why));
    return wn_fail(err, WN_STOP, "kafka: %s", why);
}

static void
on_other(const rd_kafka_message_t *m)
{
    static struct wn_log_limit limit;
    char text[256];
    uint64_t missed;

    if (wn_log_limit(&limit, &missed))
        wn_log(WN_LOG_WARN, "kafka.error",
            "partition=%d error=%s missed=%" PRIu64 " text=%s",
            (int)m->partition, rd_kafka_err2name(m->err), missed,
            wn_log_quote(rd_kafka_message_errstr(m), text, sizeof(text)));
}

static enum wn_status
on_news(struct wn_ksource *s, const rd_kafka_message_t *m, struct wn_err *err)
{
    struct wn_kpart *p = wn_kpart(s, m->partition);
    bool held = p != NULL && p->state == WN_KPART_HELD;

    switch (m->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (held)
            p->eof = m->offset;
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        if (held)
            on_out_of_range(s, m->partition);
        break;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
        if (held)
            on_damaged(s, m);
        break;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        atomic_store(&s->signs.too_large_us, wn_clock_mono_us());
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        snprintf(s->missing, sizeof(s->missing),
            "topic %.80s does not exist; it is not made by itself", s->topic);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        snprintf(s->missing, sizeof(s->missing), "topic %.80s: %s", s->topic,
            rd_kafka_err2str(m->err));
        break;
    case RD_KAFKA_RESP_ERR__FATAL:
        return on_fatal(s, err);
    default:
        on_other(m);
    }
    return WN_OK;
}

/* --- records --- */

static bool
copy(struct wn_item *item, const void *p, size_t len, struct wn_str *ret)
{
    char *own;

    if (p == NULL)
        return true; /* none, which is not the same as empty */
    own = wn_arena_strndup(&item->arena, p, len);
    *ret = (struct wn_str){ own, len };
    return own != NULL;
}

static int64_t
time_of(const rd_kafka_message_t *m)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(m, &type);

    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0)
        return WN_TIME_UNKNOWN;
    return (ms < TIME_MAX_MS ? ms : TIME_MAX_MS) * 1000;
}

static enum wn_status
on_record(struct wn_ksource *s, const rd_kafka_message_t *m,
    struct wn_item **ret, struct wn_err *err)
{
    struct wn_kpart *p = wn_kpart(s, m->partition);
    struct wn_item *item;

    /* Fetched under an assignment that is over (librdkafka#1359), or again
     * (#4686): not ours, or not new. */
    if (p == NULL || p->state != WN_KPART_HELD || m->offset < p->expected)
        return WN_OK;
    item = wn_item_new(ITEM_BYTES + 16 * (m->len + m->key_len));
    if (item == NULL || !copy(item, m->payload, m->len, &item->rec.raw) ||
        !copy(item, m->key, m->key_len, &item->rec.key)) {
        wn_item_free(item);
        return wn_fail(err, WN_STOP, "kafka: out of memory");
    }
    item->rec.source = p->claim.source;
    item->rec.generation = p->generation;
    item->rec.offset = m->offset;
    item->rec.next = m->offset + 1;
    item->rec.time_us = time_of(m);
    item->rec.leader_epoch = -1; /* 2.0.2 does not tell */
    p->expected = m->offset + 1;
    *ret = item;
    return WN_OK;
}

/* --- the interface --- */

static enum wn_status
kafka_poll(struct wn_source *source, int timeout_ms, struct wn_item **ret,
    struct wn_err *err)
{
    struct wn_ksource *s = (struct wn_ksource *)source;
    rd_kafka_message_t *m;
    enum wn_status rc;

    *ret = NULL;
    rc = wn_kassign_step(s, err);
    if (rc != WN_OK)
        return rc;
    look(s);
    if (wn_clock_mono_us() - s->mirrored_us >= MIRROR_US)
        wn_kmirror(s);
    m = rd_kafka_consumer_poll(s->rk, s->claiming ? 10 : timeout_ms);
    if (m == NULL)
        return WN_OK;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        rc = on_record(s, m, ret, err);
    else
        rc = on_news(s, m, err);
    rd_kafka_message_destroy(m);
    return rc;
}

static void
kafka_pause(struct wn_source *source, bool paused)
{
    struct wn_ksource *s = (struct wn_ksource *)source;
    rd_kafka_topic_partition_list_t *held = wn_kparts_in(s, WN_KPART_HELD);

    s->paused = paused;
    if (held == NULL)
        return;
    if (paused)
        rd_kafka_pause_partitions(s->rk, held);
    else
        rd_kafka_resume_partitions(s->rk, held);
    rd_kafka_topic_partition_list_destroy(held);
}

/* The partition of a row of source_cursor; -1 where it is none of ours. */
static int32_t
part_of(const struct wn_ksource *s, int32_t row)
{
    size_t i;

    for (i = 0; i < s->parts_n; i++) {
        if (s->parts[i].state != WN_KPART_NONE &&
            s->parts[i].claim.source == row)
            return (int32_t)i;
    }
    return -1;
}

static void
kafka_committed(struct wn_source *source, int32_t row, int64_t next)
{
    struct wn_ksource *s = (struct wn_ksource *)source;
    int32_t part = part_of(s, row);

    if (part >= 0)
        s->parts[part].committed = next;
}

static void
kafka_fenced(struct wn_source *source, int32_t row)
{
    struct wn_ksource *s = (struct wn_ksource *)source;

    wn_kassign_fenced(s, part_of(s, row));
}

/* Behind the end of one partition; -1 unknown. Offsets of what is no record
 * (transaction markers, compaction) are behind us once its end was seen. */
static int64_t
behind(const struct wn_ksource *s, int32_t part)
{
    const struct wn_kpart *p = &s->parts[part];
    int64_t low = -1, high = -1, at = p->committed;

    if (rd_kafka_get_watermark_offsets(s->rk, s->topic, part, &low, &high) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0)
        return -1;
    if (p->committed >= p->expected && p->eof > at)
        at = p->eof;
    return high > at ? high - at : 0;
}

static int64_t
kafka_lag(struct wn_source *source)
{
    struct wn_ksource *s = (struct wn_ksource *)source;
    int64_t sum = 0, one;
    size_t i;

    if (!s->answered || s->claiming)
        return -1;
    for (i = 0; i < s->parts_n; i++) {
        /* what is stopped or fenced is behind as well: nobody reads it */
        if (s->parts[i].state == WN_KPART_NONE ||
            s->parts[i].state == WN_KPART_CLAIMED)
            continue;
        one = behind(s, (int32_t)i);
        if (one < 0)
            return -1;
        sum += one;
    }
    return sum;
}

static bool
kafka_drained(const struct wn_source *source)
{
    (void)source;
    return false;
}

/* --- opening and closing --- */

/* Without a limit it hangs where the broker is gone (librdkafka#4527). */
static void
leave_group(struct wn_ksource *s)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(s->rk);
    int64_t until = wn_clock_mono_us() + CLOSE_US;
    rd_kafka_error_t *error;
    rd_kafka_event_t *ev;

    error = rd_kafka_consumer_close_queue(s->rk, queue);
    while (error == NULL && !rd_kafka_consumer_closed(s->rk) &&
           wn_clock_mono_us() < until) {
        ev = rd_kafka_queue_poll(queue, 50);
        if (ev == NULL)
            continue;
        if (rd_kafka_event_type(ev) == RD_KAFKA_EVENT_REBALANCE)
            wn_kassign_rebalance(s->rk, rd_kafka_event_error(ev),
                rd_kafka_event_topic_partition_list(ev), &s->signs);
        rd_kafka_event_destroy(ev);
    }
    if (error != NULL)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
}

/* Sources whose client did not end in time: its threads may still read their
 * signs. Kept where leak checkers find them. */
static _Atomic(struct wn_ksource *) left_behind;

static void
kafka_close(struct wn_source *source)
{
    struct wn_ksource *s = (struct wn_ksource *)source;
    bool gone = true;

    s->closing = true;
    if (s->rk != NULL) {
        wn_kassign_release(s);
        leave_group(s);
        gone = wn_kafka_destroy(s->rk, DESTROY_MS);
    }
    free(s->parts);
    s->parts = NULL;
    s->parts_n = 0;
    rd_kafka_mem_free(NULL, s->cluster);
    if (gone)
        free(s);
    else
        s->left_behind = atomic_exchange(&left_behind, s);
}

static const struct wn_source_ops ops = {
    .poll = kafka_poll,
    .pause = kafka_pause,
    .committed = kafka_committed,
    .fenced = kafka_fenced,
    .lag = kafka_lag,
    .drained = kafka_drained,
    .close = kafka_close,
};

static void
on_mirrored(rd_kafka_t *rk, rd_kafka_resp_err_t e,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
    (void)rk, (void)list, (void)opaque;
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR && e != RD_KAFKA_RESP_ERR__NO_OFFSET)
        wn_metric_add(WN_M_MIRROR_ERRORS, 0, 1);
}

static void
set_callbacks(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_rebalance_cb(conf, wn_kassign_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_mirrored);
}

static enum wn_status
check_start(const struct wn_options *o, int64_t *ret_us, struct wn_err *err)
{
    const char *start = wn_opt_str(o, WN_OPT_INGEST_START);

    if (strcmp(start, "beginning") == 0 || strcmp(start, "end") == 0 ||
        wn_time_parse(start, strlen(start), ret_us))
        return WN_OK;
    return wn_fail(err, WN_REJECT,
        "%s: ingest.start: neither beginning, end nor an RFC 3339 time",
        wn_opt_where(o, WN_OPT_INGEST_START));
}

static enum wn_status
subscribe(struct wn_ksource *s, struct wn_err *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t e;

    rd_kafka_topic_partition_list_add(list, s->topic, RD_KAFKA_PARTITION_UA);
    e = rd_kafka_poll_set_consumer(s->rk);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        e = rd_kafka_subscribe(s->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return e == RD_KAFKA_RESP_ERR_NO_ERROR
               ? WN_OK
               : wn_fail(err, WN_REJECT, "kafka: subscribe to %s: %s", s->topic,
                     rd_kafka_err2str(e));
}

#define FIXED (sizeof(fixed) / sizeof(fixed[0]))

/* What is fixed, and the assignor that the options name. */
static void
last_settings(
    const struct wn_options *o, struct wn_kafka_setting out[FIXED + 1])
{
    memcpy(out, fixed, sizeof(fixed));
    out[FIXED - 1] = (struct wn_kafka_setting){ "partition.assignment.strategy",
        wn_opt_str(o, WN_OPT_INGEST_ASSIGNOR) };
    out[FIXED] = (struct wn_kafka_setting){ NULL, NULL };
}

enum wn_status
wn_source_kafka_check(const struct wn_options *o, struct wn_err *err)
{
    struct wn_kafka_setting last[FIXED + 1];
    int64_t start_us;
    enum wn_status rc;

    last_settings(o, last);
    rc = check_start(o, &start_us, err);
    if (rc == WN_OK)
        rc = wn_kafka_check(RD_KAFKA_CONSUMER, o, ours, last, err);
    return rc;
}

static enum wn_status
open_client(struct wn_ksource *s, struct wn_err *err)
{
    struct wn_kafka_setting last[FIXED + 1];

    last_settings(s->conf.options, last);
    return wn_kafka_client(&s->rk, RD_KAFKA_CONSUMER, s->conf.options, ours,
        last, set_callbacks, &s->signs, err);
}

enum wn_status
wn_source_kafka_open(struct wn_source **ret, const struct wn_source_conf *conf,
    struct wn_err *err)
{
    struct wn_ksource *s = calloc(1, sizeof(*s));
    enum wn_status rc;

    if (s == NULL)
        return wn_fail(err, WN_STOP, "kafka: out of memory");
    s->source.ops = &ops;
    s->conf = *conf;
    s->topic = wn_opt_str(conf->options, WN_OPT_INGEST_TOPIC);
    wn_kafka_signs_init(&s->signs, s);
    s->start = wn_opt_str(conf->options, WN_OPT_INGEST_START);
    rc = check_start(conf->options, &s->start_us, err);
    if (rc == WN_OK)
        rc = open_client(s, err);
    if (rc == WN_OK)
        rc = subscribe(s, err);
    if (rc != WN_OK) {
        kafka_close(&s->source);
        return rc;
    }
    set_down(s, "no broker has answered yet");
    *ret = &s->source;
    return WN_OK;
}
