/*
 * A librdkafka client: settings, and what its threads say. Its log is not
 * ours to repeat at any rate: connection failures become a cause in health,
 * which is logged when it changes; the rest is limited to a line a second.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/log.h"
#include "ingest/kafka_int.h"

void
wn_kafka_signs_init(struct wn_kafka_signs *signs, void *user)
{
    memset(signs, 0, sizeof(*signs));
    signs->user = user;
    atomic_flag_clear(&signs->busy);
}

/* "... (after 3ms in state CONNECT, 2 identical error(s) suppressed)": what
 * differs every time would make every time a change. */
static void
keep_why(struct wn_kafka_signs *signs, const char *text)
{
    const char *end = strstr(text, " (after ");
    const char *begin = strstr(text, "]: ");
    size_t len;

    begin = begin != NULL ? begin + 3 : text;
    len = end != NULL && end > begin ? (size_t)(end - begin) : strlen(begin);
    if (len >= sizeof(signs->why))
        len = sizeof(signs->why) - 1;
    if (atomic_flag_test_and_set(&signs->busy))
        return; /* another thread writes one: as good as ours */
    memcpy(signs->why, begin, len);
    signs->why[len] = '\0';
    atomic_flag_clear(&signs->busy);
}

void
wn_kafka_why(struct wn_kafka_signs *signs, char *out, size_t out_bytes)
{
    out[0] = '\0';
    if (atomic_flag_test_and_set(&signs->busy))
        return;
    snprintf(out, out_bytes, "%s", signs->why);
    atomic_flag_clear(&signs->busy);
}

static void
on_log(const rd_kafka_t *rk, int level, const char *fac, const char *buf)
{
    static struct wn_log_limit limit;
    struct wn_kafka_signs *signs = rk != NULL ? rd_kafka_opaque(rk) : NULL;
    char text[512];
    uint64_t missed;

    if (signs != NULL && strstr(buf, "receive.message.max.bytes") != NULL &&
        strstr(buf, "Invalid response size") != NULL) {
        atomic_store(&signs->too_large_us, wn_clock_mono_us());
        return;
    }
    if (strcmp(fac, "FAIL") == 0 || strcmp(fac, "ERROR") == 0) {
        if (signs != NULL && strcmp(fac, "FAIL") == 0)
            keep_why(signs, buf);
        level = 7;
    }
    if (strcmp(fac, "CONFWARN") == 0)
        level = 7; /* of settings for the other kind of client */
    wn_log_quote(buf, text, sizeof(text));
    if (level > 4)
        wn_log(WN_LOG_DEBUG, "kafka.log", "fac=%s text=%s", fac, text);
    else if (wn_log_limit(&limit, &missed))
        wn_log(WN_LOG_WARN, "kafka.log", "fac=%s missed=%llu text=%s", fac,
            (unsigned long long)missed, text);
}

/* Served by the thread that polls the client. */
static void
on_error(rd_kafka_t *rk, int e, const char *reason, void *opaque)
{
    struct wn_kafka_signs *signs = opaque;

    (void)rk;
    if (e == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        atomic_store(&signs->down, true);
    else if (e == RD_KAFKA_RESP_ERR__AUTHENTICATION)
        keep_why(signs, reason);
}

/* --- settings --- */

/* librdkafka's text may repeat the value, which may be a secret. */
static enum wn_status
refuse(const char *where, const char *name, const char *why, struct wn_err *err)
{
    if (strcmp(wn_option_shown(name, "x"), "x") != 0)
        why = "librdkafka does not take its value";
    return wn_fail(err, WN_REJECT, "%s: kafka.%s: %s", where, name, why);
}

static enum wn_status
set(rd_kafka_conf_t *conf, const struct wn_kafka_setting *list, bool must,
    const char *where, struct wn_err *err)
{
    char why[256];
    rd_kafka_conf_res_t res;

    for (; list != NULL && list->name != NULL; list++) {
        res =
            rd_kafka_conf_set(conf, list->name, list->value, why, sizeof(why));
        if (res == RD_KAFKA_CONF_UNKNOWN && !must)
            continue;
        if (res != RD_KAFKA_CONF_OK)
            return refuse(where, list->name, why, err);
    }
    return WN_OK;
}

static bool
names_brokers(const char *name)
{
    return strcmp(name, "bootstrap.servers") == 0 ||
           strcmp(name, "metadata.broker.list") == 0;
}

static enum wn_status
set_users(rd_kafka_conf_t *conf, const struct wn_options *o, bool brokers,
    struct wn_err *err)
{
    struct wn_kafka_setting one[2] = { { NULL, NULL } };
    const char *where;
    enum wn_status rc = WN_OK;
    size_t i;

    for (i = 0; i < wn_options_kafka_n(o) && rc == WN_OK; i++) {
        wn_options_kafka(o, i, &one[0].name, &one[0].value, &where);
        if (brokers || !names_brokers(one[0].name))
            rc = set(conf, one, true, where, err);
    }
    return rc;
}

static enum wn_status
settings(rd_kafka_conf_t **ret, const struct wn_options *o, bool brokers,
    const struct wn_kafka_setting *ours, const struct wn_kafka_setting *last,
    struct wn_err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum wn_status rc;

    rc = set(conf, ours, false, "here", err);
    if (rc == WN_OK)
        rc = set_users(conf, o, brokers, err);
    if (rc == WN_OK)
        rc = set(conf, last, true, "here", err);
    if (rc == WN_OK)
        *ret = conf;
    else
        rd_kafka_conf_destroy(conf);
    return rc;
}

/* A broker must be named: without one librdkafka waits for ever. */
static enum wn_status
find_brokers(const struct wn_options *o, struct wn_err *err)
{
    const char *name, *value, *where;
    size_t i;

    for (i = 0; i < wn_options_kafka_n(o); i++) {
        wn_options_kafka(o, i, &name, &value, &where);
        if (names_brokers(name) && value[0] != '\0')
            return WN_OK;
    }
    return wn_fail(err, WN_REJECT,
        "kafka.bootstrap.servers is not set: name a broker as host:port (in "
        "the file, as WINNOW_KAFKA_BOOTSTRAP_SERVERS or as "
        "--kafka.bootstrap.servers)");
}

enum wn_status
wn_kafka_check(rd_kafka_type_t type, const struct wn_options *o,
    const struct wn_kafka_setting *ours, const struct wn_kafka_setting *last,
    struct wn_err *err)
{
    rd_kafka_conf_t *conf;
    rd_kafka_t *rk;
    enum wn_status rc;
    char why[256];

    rc = find_brokers(o, err);
    if (rc == WN_OK)
        rc = settings(&conf, o, false, ours, last, err);
    if (rc != WN_OK)
        return rc;
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
    rd_kafka_conf_set_log_cb(conf, NULL);
    rk = rd_kafka_new(type, conf, why, sizeof(why));
    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return wn_fail(err, WN_REJECT, "kafka: %s", why);
    }
    rd_kafka_destroy(rk);
    return WN_OK;
}

enum wn_status
wn_kafka_client(rd_kafka_t **ret, rd_kafka_type_t type,
    const struct wn_options *o, const struct wn_kafka_setting *ours,
    const struct wn_kafka_setting *last, void (*more)(rd_kafka_conf_t *conf),
    struct wn_kafka_signs *signs, struct wn_err *err)
{
    rd_kafka_conf_t *conf;
    enum wn_status rc;
    char why[256];

    rc = settings(&conf, o, true, ours, last, err);
    if (rc != WN_OK)
        return rc;
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (more != NULL)
        more(conf);
    rd_kafka_conf_set_opaque(conf, signs);
    *ret = rd_kafka_new(type, conf, why, sizeof(why));
    if (*ret != NULL)
        return WN_OK;
    rd_kafka_conf_destroy(conf);
    return wn_fail(err, WN_REJECT, "kafka: %s", why);
}

static void *
destroy(void *rk)
{
    rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

bool
wn_kafka_destroy(rd_kafka_t *rk, int ms)
{
    struct timespec ts;
    pthread_t thread;

    if (pthread_create(&thread, NULL, destroy, rk) != 0)
        return false;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_sec += ms / 1000;
    ts.tv_nsec += ms % 1000 * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000L;
    }
    if (pthread_timedjoin_np(thread, NULL, &ts) != ETIMEDOUT)
        return true;
    pthread_detach(thread);
    return false;
}
