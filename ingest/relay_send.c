/*
 * The relay's producer. It runs on the relay thread; delivery reports come in
 * rd_kafka_poll() and rd_kafka_flush(), so on the same thread.
 *
 * Messages do not expire: while the broker is away they stay in
 * librdkafka's queue with their sequence numbers, and go out in order and once
 * when it is back. So a broker's restart repeats nothing.
 *
 * A batch that the broker finds too large or malformed is refused as a whole,
 * whichever row is to blame. Its rows are sent again one by one, and only what
 * is refused alone is refused for good. Small batches make that rare; rows
 * with the same topic partition in later batches are then ahead of them.
 */
#include "ingest/relay_send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/kafka_int.h"
#include "ingest/service_int.h"

#define KINDS 2
#define ASK_MS 1000 /* for metadata                        */
#define STEP_MS 50  /* between two questions to go_on      */
#define GIVE_UP_MS 500
#define DESTROY_MS 1000
#define STALL_US 2000000 /* no report for so long is a cause */
#define CAUSE 384

struct topic {
    const char *name; /* "": rows of this kind are not sent */
    const char *kind;
    rd_kafka_topic_t *rkt;
    bool ready;
    unsigned tries;
    int64_t retry_us;
    char cause[CAUSE]; /* "" while ready or not asked for */
};

struct slot {
    struct wn_sender *s;
    rd_kafka_resp_err_t e;
    bool reported;
};

struct wn_sender {
    const struct wn_options *o;
    rd_kafka_t *rk; /* NULL: to be made anew */
    struct wn_kafka_signs signs;
    struct topic topics[KINDS]; /* by kind - 1 */
    char stalled[CAUSE];
    bool hung;  /* a client that did not end still uses us */
    size_t out; /* reports to come */
    int64_t reported_us;
    struct slot slots[WN_SEND_MAX];
};

static struct topic *
topic_of(struct wn_sender *s, enum wn_outbox_kind kind)
{
    return &s->topics[kind == WN_OUTBOX_DEAD ? 1 : 0];
}

/* --- the client --- */

static void
on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct slot *slot = m->_private;

    (void)rk, (void)opaque;
    slot->e = m->err;
    slot->reported = true;
    slot->s->out--;
    slot->s->reported_us = wn_clock_mono_us();
}

static void
set_callbacks(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
}

static const struct wn_kafka_setting ours[] = {
    { "client.id", "winnow-relay" },
    { "linger.ms", "10" },
    { "batch.size", "65536" },
    { "queue.buffering.max.messages", "4000" },
    { "queue.buffering.max.kbytes", "65536" },
    { "reconnect.backoff.max.ms", "2000" },
    { "topic.metadata.propagation.max.ms", "2000" },
    { NULL, NULL },
};
static const struct wn_kafka_setting last[] = {
    { "enable.idempotence", "true" },
    { "acks", "all" },
    { "allow.auto.create.topics", "false" },
    /* Waiting is ours to end: a message that expired in the client's queue
     * would be sent again, behind those after it. */
    { "message.timeout.ms", "0" },
    { NULL, NULL },
};

enum wn_status
wn_sender_check(const struct wn_options *o, struct wn_err *err)
{
    return wn_kafka_check(RD_KAFKA_PRODUCER, o, ours, last, err);
}

static enum wn_status
client_open(struct wn_sender *s, struct wn_err *err)
{
    enum wn_status rc;
    size_t i;

    rc = wn_kafka_client(&s->rk, RD_KAFKA_PRODUCER, s->o, ours, last,
        set_callbacks, &s->signs, err);
    if (rc != WN_OK)
        return rc;
    for (i = 0; i < KINDS; i++) {
        if (s->topics[i].name[0] == '\0')
            continue;
        s->topics[i].rkt = rd_kafka_topic_new(s->rk, s->topics[i].name, NULL);
        if (s->topics[i].rkt == NULL)
            return wn_fail(err, WN_REJECT, "topic %s: %s", s->topics[i].name,
                rd_kafka_err2str(rd_kafka_last_error()));
    }
    return WN_OK;
}

static void
client_close(struct wn_sender *s)
{
    size_t i;

    for (i = 0; i < KINDS; i++) {
        if (s->topics[i].rkt != NULL)
            rd_kafka_topic_destroy(s->topics[i].rkt);
        s->topics[i].rkt = NULL;
        s->topics[i].ready = false;
    }
    if (s->rk == NULL)
        return;
    if (s->out > 0)
        rd_kafka_purge(s->rk, RD_KAFKA_PURGE_F_QUEUE |
                                  RD_KAFKA_PURGE_F_INFLIGHT |
                                  RD_KAFKA_PURGE_F_NON_BLOCKING);
    s->out = 0;
    if (!wn_kafka_destroy(s->rk, DESTROY_MS))
        s->hung = true;
    s->rk = NULL;
}

enum wn_status
wn_sender_open(
    struct wn_sender **ret, const struct wn_options *o, struct wn_err *err)
{
    struct wn_sender *s = calloc(1, sizeof(*s));
    enum wn_status rc;

    if (s == NULL)
        return wn_fail(err, WN_STOP, "relay: out of memory");
    s->o = o;
    wn_kafka_signs_init(&s->signs, s);
    s->topics[0].name = wn_opt_str(o, WN_OPT_OUTPUT_VERDICTS);
    s->topics[0].kind = "verdict";
    s->topics[1].name = wn_opt_str(o, WN_OPT_OUTPUT_DEAD);
    s->topics[1].kind = "dead";
    rc = client_open(s, err);
    if (rc == WN_OK)
        *ret = s;
    else
        wn_sender_free(s);
    return rc;
}

void
wn_sender_free(struct wn_sender *s)
{
    if (s == NULL)
        return;
    client_close(s);
    if (!s->hung)
        free(s);
}

/* --- topics --- */

static void
put_off(struct topic *t)
{
    t->ready = false;
    t->retry_us =
        wn_clock_mono_us() + (int64_t)wn_svc_backoff_ms(t->tries++) * 1000;
}

static void
topic_fails(struct topic *t, const char *what, const char *why)
{
    snprintf(t->cause, sizeof(t->cause), "topic %s %s%s", t->name, what, why);
    put_off(t);
}

/* What Kafka says of the topic, as a cause that does not change by itself. */
static void
topic_error(struct wn_sender *s, struct topic *t, rd_kafka_resp_err_t e)
{
    char why[256];

    switch (e) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        topic_fails(t, "does not exist", "");
        break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        /* the reasons take turns: the first one stands while it lasts */
        if (strstr(t->cause, "cannot be reached: ") != NULL) {
            put_off(t);
            break;
        }
        wn_kafka_why(&s->signs, why, sizeof(why));
        topic_fails(t,
            "cannot be reached: ", why[0] != '\0' ? why : "no broker answers");
        break;
    default:
        topic_fails(t, "", rd_kafka_err2str(e));
    }
}

static void
topic_ask(struct wn_sender *s, struct topic *t)
{
    const struct rd_kafka_metadata *md = NULL;
    rd_kafka_resp_err_t e;

    e = rd_kafka_metadata(s->rk, 0, t->rkt, &md, ASK_MS);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
        e = md->topic_cnt == 1 ? md->topics[0].err
                               : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        rd_kafka_metadata_destroy(md);
    }
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR) {
        topic_error(s, t, e);
        return;
    }
    t->ready = true;
    t->cause[0] = '\0';
}

bool
wn_sender_ready(struct wn_sender *s, enum wn_outbox_kind kind)
{
    struct topic *t = topic_of(s, kind);
    struct wn_err err;

    if (t->ready || t->name[0] == '\0')
        return true;
    if (wn_clock_mono_us() < t->retry_us)
        return false;
    if (s->rk == NULL && client_open(s, &err) != WN_OK) {
        topic_fails(t, "waits for a Kafka client", "");
        client_close(s);
        return false;
    }
    topic_ask(s, t);
    return t->ready;
}

const char *
wn_sender_trouble(const struct wn_sender *s)
{
    size_t i;

    for (i = 0; i < KINDS; i++) {
        if (s->topics[i].cause[0] != '\0')
            return s->topics[i].cause;
    }
    return s->stalled;
}

/* A fatal error of the idempotent producer cannot be mended in it. */
static bool
is_broken(struct wn_sender *s)
{
    char why[256], quoted[300];
    size_t i;

    if (s->rk == NULL || rd_kafka_fatal_error(s->rk, why, sizeof(why)) ==
                             RD_KAFKA_RESP_ERR_NO_ERROR)
        return s->rk == NULL;
    wn_log(WN_LOG_WARN, "relay.producer_remade", "why=%s",
        wn_log_quote(why, quoted, sizeof(quoted)));
    client_close(s);
    for (i = 0; i < KINDS; i++)
        put_off(&s->topics[i]);
    return true;
}

void
wn_sender_tick(struct wn_sender *s)
{
    if (!is_broken(s))
        rd_kafka_poll(s->rk, 0);
}

/* --- rows --- */

/* About the message, or the batch it was in: no matter how often it is sent. */
static bool
is_for_good(rd_kafka_resp_err_t e)
{
    switch (e) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
        return true;
    default:
        return false;
    }
}

static rd_kafka_resp_err_t
produce(struct wn_sender *s, const struct wn_outbox_row *row, size_t i)
{
    struct topic *t = topic_of(s, row->kind);
    const bool keyed = row->key.len > 0;
    rd_kafka_vu_t v[] = {
        { .vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = t->rkt },
        { .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY },
        { .vtype = RD_KAFKA_VTYPE_KEY,
            .u.mem = { keyed ? (void *)(uintptr_t)row->key.p : NULL,
                row->key.len } },
        { .vtype = RD_KAFKA_VTYPE_VALUE,
            .u.mem = { (void *)(uintptr_t)row->value.p, row->value.len } },
        { .vtype = RD_KAFKA_VTYPE_HEADER,
            .u.header = { "verdict_id", row->verdict_id,
                sizeof(row->verdict_id) } },
        { .vtype = RD_KAFKA_VTYPE_HEADER,
            .u.header = { "kind", t->kind, (ssize_t)strlen(t->kind) } },
        { .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = &s->slots[i] },
    };
    rd_kafka_error_t *error;
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;

    s->slots[i] = (struct slot){ .s = s };
    error = rd_kafka_produceva(s->rk, v, sizeof(v) / sizeof(v[0]));
    if (error != NULL) {
        e = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
    } else {
        s->out++;
    }
    return e;
}

/* The reports did not come in time: without them the slots stay in use. */
static void
give_up(struct wn_sender *s)
{
    int64_t until = wn_clock_mono_us() + GIVE_UP_MS * 1000;

    rd_kafka_purge(s->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (s->out > 0 && wn_clock_mono_us() < until)
        rd_kafka_poll(s->rk, 10);
    if (s->out > 0)
        client_close(s);
}

static void
note_stall(struct wn_sender *s)
{
    char why[256];

    if (s->stalled[0] != '\0' || wn_clock_mono_us() - s->reported_us < STALL_US)
        return;
    wn_kafka_why(&s->signs, why, sizeof(why));
    snprintf(s->stalled, sizeof(s->stalled), "no answer from Kafka%s%s",
        why[0] != '\0' ? ": " : "", why);
}

/* Waits until `left` reports at most are to come. */
static bool
wait_reports(
    struct wn_sender *s, size_t left, bool (*go_on)(void *arg), void *arg)
{
    s->reported_us = wn_clock_mono_us();
    while (s->out > left) {
        rd_kafka_flush(s->rk, STEP_MS); /* does not wait for linger.ms */
        if (s->out <= left)
            break;
        note_stall(s);
        if (is_broken(s))
            return false;
        if (!go_on(arg)) {
            give_up(s);
            return false;
        }
    }
    s->stalled[0] = '\0';
    return true;
}

/* true: on its way. Otherwise *sent says what became of it. */
static bool
hand_over(struct wn_sender *s, const struct wn_outbox_row *row, size_t i,
    enum wn_sent *sent, bool (*go_on)(void *arg), void *arg)
{
    struct topic *t = topic_of(s, row->kind);
    rd_kafka_resp_err_t e;

    *sent = WN_SENT_WAITS;
    if (t->name[0] == '\0') {
        *sent = WN_SENT_SKIPPED;
        return false;
    }
    if (!wn_sender_ready(s, row->kind))
        return false;
    e = produce(s, row, i);
    while (e == RD_KAFKA_RESP_ERR__QUEUE_FULL && s->out > 0) {
        if (!wait_reports(s, s->out - 1, go_on, arg))
            return false;
        e = produce(s, row, i);
    }
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    s->slots[i].e = e;
    if (is_for_good(e))
        *sent = WN_SENT_REFUSED;
    else
        topic_error(s, t, e);
    return false;
}

static enum wn_sent
answer(struct wn_sender *s, const struct wn_outbox_row *row, size_t i)
{
    const struct slot *slot = &s->slots[i];

    if (!slot->reported)
        return WN_SENT_WAITS;
    if (slot->e == RD_KAFKA_RESP_ERR_NO_ERROR) {
        topic_of(s, row->kind)->tries = 0;
        return WN_SENT_DELIVERED;
    }
    if (is_for_good(slot->e))
        return WN_SENT_REFUSED;
    if (slot->e != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
        slot->e != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        topic_error(s, topic_of(s, row->kind), slot->e);
    return WN_SENT_WAITS;
}

/* Refused, maybe for the sake of a neighbour in its batch. */
static enum wn_sent
send_alone(struct wn_sender *s, const struct wn_outbox_row *row, size_t i,
    bool (*go_on)(void *arg), void *arg)
{
    enum wn_sent sent;

    if (!hand_over(s, row, i, &sent, go_on, arg))
        return sent;
    if (!wait_reports(s, 0, go_on, arg))
        return WN_SENT_WAITS;
    return answer(s, row, i);
}

void
wn_sender_send(struct wn_sender *s, const struct wn_outbox_row *rows, size_t n,
    enum wn_sent *sent, bool (*go_on)(void *arg), void *arg)
{
    bool sending[WN_SEND_MAX] = { false };
    size_t i, end;

    WN_ASSERT(n <= WN_SEND_MAX);
    for (i = 0; i < n; i++)
        sent[i] = WN_SENT_WAITS;
    for (end = 0; end < n; end++) {
        sending[end] = hand_over(s, &rows[end], end, &sent[end], go_on, arg);
        if (!sending[end] && sent[end] == WN_SENT_WAITS)
            break;
    }
    if (s->rk != NULL)
        wait_reports(s, 0, go_on, arg);
    for (i = 0; i < end; i++) {
        if (!sending[i])
            continue;
        sent[i] = answer(s, &rows[i], i);
        if (sent[i] == WN_SENT_REFUSED && s->rk != NULL)
            sent[i] = send_alone(s, &rows[i], i, go_on, arg);
    }
}

void
wn_sender_why(const struct wn_sender *s, size_t i, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "%s", rd_kafka_err2str(s->slots[i].e));
}
