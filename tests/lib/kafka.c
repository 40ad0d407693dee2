/* A private Apache Kafka for one test program; see kafka.h. */
#include "tests/lib/kafka.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <librdkafka/rdkafka.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_SECONDS 90
#define CALL_MS 30000

struct wn_kafka {
    char dir[64], conf[96], libs[PATH_MAX + 2];
    char brokers[32];
    pid_t owner, pid; /* who stops it; the java process, 0 while it is down */
    rd_kafka_t *producer;
    wn_kafka_acked *acked;
    void *acked_arg;
    int64_t last_offset;
};

static struct wn_kafka *the_kafka;

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "private Kafka: %s: %s\n", what, why);
    exit(1);
}

static void
sleep_ms(long ms)
{
    struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&ts, NULL);
}

static int
remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)flag, (void)ftw;
    remove(path);
    return 0;
}

static bool
port_free(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Below the range of outgoing connections, or a client that tries the port
 * while the broker is down could connect to itself. */
static int
pick_port(int from)
{
    int i, port;

    for (i = 0; i < 10000; i++) {
        port = 20000 + (from + i) % 12000;
        if (port_free(port))
            return port;
    }
    die("port", "none is free");
    return 0;
}

static void
find_libs(struct wn_kafka *k)
{
    const char *dir = getenv("WINNOW_KAFKA_LIBS");
    char full[PATH_MAX];

    if (dir == NULL || dir[0] == '\0')
        dir = "build/kafka/libs";
    if (realpath(dir, full) == NULL)
        die(dir, "no such folder: mvn -q -f tests/kafka/pom.xml "
                 "dependency:copy-dependencies -DoutputDirectory=$PWD/"
                 "build/kafka/libs");
    snprintf(k->libs, sizeof(k->libs), "%.*s/*", PATH_MAX - 4, full);
}

static void
write_conf(struct wn_kafka *k, const char *const *properties)
{
    int port = pick_port((int)getpid() * 7);
    int control = pick_port(port - 20000 + 1);
    FILE *f = fopen(k->conf, "w");

    if (f == NULL)
        die(k->conf, strerror(errno));
    snprintf(k->brokers, sizeof(k->brokers), "127.0.0.1:%d", port);
    fprintf(f,
        "process.roles=broker,controller\nnode.id=1\n"
        "listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d\n"
        "advertised.listeners=PLAINTEXT://127.0.0.1:%d,"
        "CONTROLLER://127.0.0.1:%d\n"
        "controller.listener.names=CONTROLLER\n"
        "inter.broker.listener.name=PLAINTEXT\n"
        "listener.security.protocol.map="
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        "controller.quorum.bootstrap.servers=127.0.0.1:%d\n"
        "log.dirs=%s/data\noffsets.topic.replication.factor=1\n"
        "offsets.topic.num.partitions=4\n"
        "transaction.state.log.replication.factor=1\n"
        "transaction.state.log.min.isr=1\n"
        "group.initial.rebalance.delay.ms=0\nnum.network.threads=2\n"
        "num.io.threads=2\nauto.create.topics.enable=true\n",
        port, control, port, control, control, k->dir);
    for (; properties != NULL && *properties != NULL; properties++)
        fprintf(f, "%s\n", *properties);
    if (fclose(f) != 0)
        die(k->conf, strerror(errno));
}

/* java with the class and arguments given; its output goes to our log. */
static pid_t
java(struct wn_kafka *k, const char *const *args)
{
    const char *argv[16] = { "java", "-Xmx512m", "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1", "-cp", k->libs };
    char log[96];
    pid_t pid;
    int n, fd;

    for (n = 6; *args != NULL && n < 15; n++)
        argv[n] = *args++;
    pid = fork();
    if (pid < 0)
        die("fork", strerror(errno));
    if (pid > 0)
        return pid;
    snprintf(log, sizeof(log), "%s/log", k->dir);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* a terminal's ^C is the test's business */
    execvp("java", (char *const *)argv);
    _exit(127);
}

static void
show_log(struct wn_kafka *k)
{
    char path[96], line[1024];
    FILE *f;

    snprintf(path, sizeof(path), "%s/log", k->dir);
    f = fopen(path, "r");
    if (f == NULL)
        return;
    if (fseek(f, -4000, SEEK_END) != 0)
        rewind(f);
    while (fgets(line, sizeof(line), f) != NULL)
        fputs(line, stderr);
    fclose(f);
}

static void
format(struct wn_kafka *k)
{
    const char *args[] = { "kafka.tools.StorageTool", "format", "-t",
        "MkU3OEVBNTcwNTJENDM2Qg", "-c", k->conf, "--standalone", NULL };
    int status;
    pid_t pid = java(k, args);

    if (waitpid(pid, &status, 0) != pid || status != 0) {
        show_log(k);
        die("format", "the storage tool failed");
    }
}

/* A client of our own, for one call. */
static rd_kafka_t *
client(struct wn_kafka *k, rd_kafka_type_t type, const char *const *settings)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk;
    char why[256];

    rd_kafka_conf_set(conf, "bootstrap.servers", k->brokers, why, sizeof(why));
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
    for (; settings != NULL && settings[0] != NULL; settings += 2) {
        if (rd_kafka_conf_set(conf, settings[0], settings[1], why,
                sizeof(why)) != RD_KAFKA_CONF_OK)
            die(settings[0], why);
    }
    rk = rd_kafka_new(type, conf, why, sizeof(why));
    if (rk == NULL)
        die("client", why);
    return rk;
}

static bool
answers(struct wn_kafka *k)
{
    rd_kafka_t *rk = client(k, RD_KAFKA_PRODUCER, NULL);
    const struct rd_kafka_metadata *md = NULL;
    bool ok = rd_kafka_metadata(rk, 1, NULL, &md, 2000) ==
                  RD_KAFKA_RESP_ERR_NO_ERROR &&
              md->broker_cnt > 0;

    if (md != NULL)
        rd_kafka_metadata_destroy(md);
    rd_kafka_destroy(rk);
    return ok;
}

static void
start(struct wn_kafka *k)
{
    const char *args[] = { "kafka.Kafka", k->conf, NULL };
    int i, status;

    k->pid = java(k, args);
    for (i = 0; i < START_SECONDS * 5; i++) {
        if (waitpid(k->pid, &status, WNOHANG) == k->pid) {
            show_log(k);
            k->pid = 0;
            die("start", "it ended at once");
        }
        if (answers(k))
            return;
        sleep_ms(200);
    }
    show_log(k);
    die("start", "it does not answer");
}

static void
stop_at_exit(void)
{
    if (the_kafka != NULL)
        wn_kafka_stop(the_kafka);
}

struct wn_kafka *
wn_kafka_start(const char *const *properties)
{
    struct wn_kafka *k = calloc(1, sizeof(*k));

    if (k == NULL || the_kafka != NULL)
        die("start", "out of memory, or there is one already");
    k->owner = getpid();
    strcpy(k->dir, "/tmp/wn-kafka.XXXXXX");
    if (mkdtemp(k->dir) == NULL)
        die(k->dir, strerror(errno));
    snprintf(k->conf, sizeof(k->conf), "%s/conf", k->dir);
    find_libs(k);
    the_kafka = k;
    atexit(stop_at_exit);
    write_conf(k, properties);
    format(k);
    start(k);
    return k;
}

void
wn_kafka_kill(struct wn_kafka *k)
{
    if (k->pid == 0)
        return;
    kill(k->pid, SIGKILL);
    waitpid(k->pid, NULL, 0);
    k->pid = 0;
}

void
wn_kafka_restart(struct wn_kafka *k)
{
    wn_kafka_kill(k);
    start(k);
}

void
wn_kafka_freeze(struct wn_kafka *k, bool frozen)
{
    kill(k->pid, frozen ? SIGSTOP : SIGCONT);
}

void
wn_kafka_stop(struct wn_kafka *k)
{
    if (k->owner != getpid())
        return;
    the_kafka = NULL;
    wn_kafka_kill(k);
    if (k->producer != NULL) {
        rd_kafka_purge(
            k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(k->producer);
    }
    nftw(k->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(k);
}

const char *
wn_kafka_bootstrap(const struct wn_kafka *k)
{
    return k->brokers;
}

pid_t
wn_kafka_pid(const struct wn_kafka *k)
{
    return k->pid;
}

/* --- the Admin API --- */

struct admin {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    rd_kafka_AdminOptions_t *options;
    char why[512];
};

static void
admin_open(struct wn_kafka *k, struct admin *a, rd_kafka_admin_op_t op)
{
    a->rk = client(k, RD_KAFKA_PRODUCER, NULL);
    a->queue = rd_kafka_queue_new(a->rk);
    a->options = rd_kafka_AdminOptions_new(a->rk, op);
    rd_kafka_AdminOptions_set_operation_timeout(
        a->options, 10000, a->why, sizeof(a->why));
}

/* The result, with errors of the request itself told. */
static rd_kafka_event_t *
admin_wait(struct admin *a, const char *what)
{
    rd_kafka_event_t *ev = rd_kafka_queue_poll(a->queue, CALL_MS);

    if (ev == NULL)
        die(what, "no answer");
    if (rd_kafka_event_error(ev) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(what, rd_kafka_event_error_string(ev));
    return ev;
}

static void
admin_close(struct admin *a, rd_kafka_event_t *ev)
{
    rd_kafka_event_destroy(ev);
    rd_kafka_AdminOptions_destroy(a->options);
    rd_kafka_queue_destroy(a->queue);
    rd_kafka_destroy(a->rk);
}

static void
check_topics(const rd_kafka_topic_result_t **results, const size_t *n)
{
    size_t i;

    for (i = 0; i < *n; i++) {
        if (rd_kafka_topic_result_error(results[i]) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            die(rd_kafka_topic_result_name(results[i]),
                rd_kafka_topic_result_error_string(results[i]));
    }
}

void
wn_kafka_create_topic(struct wn_kafka *k, const char *topic, int parts)
{
    wn_kafka_create_topic_with(k, topic, parts, NULL);
}

void
wn_kafka_create_topic_with(
    struct wn_kafka *k, const char *topic, int parts, const char *config)
{
    struct admin a;
    rd_kafka_NewTopic_t *t;
    rd_kafka_event_t *ev;
    char name[128];
    const char *equals;
    size_t n;

    admin_open(k, &a, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    t = rd_kafka_NewTopic_new(topic, parts, 1, a.why, sizeof(a.why));
    if (t == NULL)
        die(topic, a.why);
    if (config != NULL) {
        equals = strchr(config, '=');
        snprintf(name, sizeof(name), "%.*s", (int)(equals - config), config);
        rd_kafka_NewTopic_set_config(t, name, equals + 1);
    }
    rd_kafka_CreateTopics(a.rk, &t, 1, a.options, a.queue);
    ev = admin_wait(&a, topic);
    check_topics(rd_kafka_CreateTopics_result_topics(
                     rd_kafka_event_CreateTopics_result(ev), &n),
        &n);
    rd_kafka_NewTopic_destroy(t);
    admin_close(&a, ev);
}

void
wn_kafka_grow(struct wn_kafka *k, const char *topic, int parts)
{
    struct admin a;
    rd_kafka_NewPartitions_t *p;
    rd_kafka_event_t *ev;
    size_t n;

    admin_open(k, &a, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    p = rd_kafka_NewPartitions_new(topic, (size_t)parts, a.why, sizeof(a.why));
    if (p == NULL)
        die(topic, a.why);
    rd_kafka_CreatePartitions(a.rk, &p, 1, a.options, a.queue);
    ev = admin_wait(&a, topic);
    check_topics(rd_kafka_CreatePartitions_result_topics(
                     rd_kafka_event_CreatePartitions_result(ev), &n),
        &n);
    rd_kafka_NewPartitions_destroy(p);
    admin_close(&a, ev);
}

void
wn_kafka_delete(struct wn_kafka *k, const char *topic)
{
    struct admin a;
    rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_event_t *ev;
    size_t n;

    admin_open(k, &a, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopics(a.rk, &t, 1, a.options, a.queue);
    ev = admin_wait(&a, topic);
    check_topics(rd_kafka_DeleteTopics_result_topics(
                     rd_kafka_event_DeleteTopics_result(ev), &n),
        &n);
    rd_kafka_DeleteTopic_destroy(t);
    admin_close(&a, ev);
}

void
wn_kafka_trim(
    struct wn_kafka *k, const char *topic, int32_t part, int64_t before)
{
    struct admin a;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_DeleteRecords_t *d;
    rd_kafka_event_t *ev;

    rd_kafka_topic_partition_list_add(list, topic, part)->offset = before;
    admin_open(k, &a, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    d = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(a.rk, &d, 1, a.options, a.queue);
    ev = admin_wait(&a, topic);
    rd_kafka_DeleteRecords_destroy(d);
    rd_kafka_topic_partition_list_destroy(list);
    admin_close(&a, ev);
}

bool
wn_kafka_exists(struct wn_kafka *k, const char *topic)
{
    rd_kafka_t *rk = client(k, RD_KAFKA_CONSUMER, NULL);
    const struct rd_kafka_metadata *md;
    bool found = false;
    int i;

    if (rd_kafka_metadata(rk, 1, NULL, &md, CALL_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        die("metadata", "no answer");
    for (i = 0; i < md->topic_cnt; i++)
        found = found || strcmp(md->topics[i].topic, topic) == 0;
    rd_kafka_metadata_destroy(md);
    rd_kafka_destroy(rk);
    return found;
}

int64_t
wn_kafka_end(struct wn_kafka *k, const char *topic, int32_t part)
{
    rd_kafka_t *rk = client(k, RD_KAFKA_CONSUMER, NULL);
    int64_t low, high;
    rd_kafka_resp_err_t e;
    int asked = 0;

    /* A topic that was made a moment ago may have no leader yet. */
    for (;;) {
        e = rd_kafka_query_watermark_offsets(
            rk, topic, part, &low, &high, CALL_MS);
        if (e != RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || asked++ == 100)
            break;
        sleep_ms(100);
    }
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(topic, rd_kafka_err2str(e));
    rd_kafka_destroy(rk);
    return high;
}

int64_t
wn_kafka_mirror(
    struct wn_kafka *k, const char *group, const char *topic, int32_t part)
{
    const char *settings[] = { "group.id", group, NULL, NULL };
    rd_kafka_t *rk = client(k, RD_KAFKA_CONSUMER, settings);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t e;
    int64_t offset;

    rd_kafka_topic_partition_list_add(list, topic, part);
    e = rd_kafka_committed(rk, list, CALL_MS);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(group, rd_kafka_err2str(e));
    offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return offset;
}

/* --- producing --- */

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct wn_kafka *k = opaque;

    (void)rk;
    if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
        m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("produce", rd_kafka_err2str(m->err));
    k->last_offset = m->offset;
    if (k->acked != NULL)
        k->acked(k->acked_arg, m->partition, m->offset,
            (uint64_t)(uintptr_t)m->_private);
}

static void
producer_open(struct wn_kafka *k)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    static const char *const settings[][2] = { { "enable.idempotence", "true" },
        { "linger.ms", "5" }, { "log_level", "0" },
        { "message.max.bytes", "33554432" },
        { "message.timeout.ms", "120000" } };
    char why[256];
    size_t i;

    rd_kafka_conf_set(conf, "bootstrap.servers", k->brokers, why, sizeof(why));
    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why,
                sizeof(why)) != RD_KAFKA_CONF_OK)
            die(settings[i][0], why);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, k);
    k->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (k->producer == NULL)
        die("producer", why);
}

void
wn_kafka_on_ack(struct wn_kafka *k, wn_kafka_acked *acked, void *arg)
{
    k->acked = acked;
    k->acked_arg = arg;
}

/* A partition that the producer has not heard of yet. */
static void
ask_for_partitions(struct wn_kafka *k, const char *topic)
{
    const struct rd_kafka_metadata *md;
    rd_kafka_topic_t *t = rd_kafka_topic_new(k->producer, topic, NULL);

    if (rd_kafka_metadata(k->producer, 0, t, &md, CALL_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(md);
    rd_kafka_topic_destroy(t);
    rd_kafka_poll(k->producer, 100);
}

void
wn_kafka_send(struct wn_kafka *k, const char *topic, int32_t part,
    struct wn_kafka_bytes key, struct wn_kafka_bytes value, int64_t time_ms,
    uint64_t serial)
{
    rd_kafka_resp_err_t e;
    int asked = 0;

    if (k->producer == NULL)
        producer_open(k);
    for (;;) {
        e = rd_kafka_producev(k->producer, RD_KAFKA_V_TOPIC(topic),
            RD_KAFKA_V_PARTITION(part), RD_KAFKA_V_KEY((void *)key.p, key.len),
            RD_KAFKA_V_VALUE((void *)value.p, value.len),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_TIMESTAMP(time_ms),
            RD_KAFKA_V_OPAQUE((void *)(uintptr_t)serial), RD_KAFKA_V_END);
        if (e == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION && asked++ < 100)
            ask_for_partitions(k, topic);
        else if (e != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        else
            rd_kafka_poll(k->producer, 100);
    }
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("produce", rd_kafka_err2str(e));
    rd_kafka_poll(k->producer, 0);
}

void
wn_kafka_flush(struct wn_kafka *k)
{
    if (k->producer != NULL &&
        rd_kafka_flush(k->producer, 120000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("flush", "records are not acknowledged");
}

int64_t
wn_kafka_put(struct wn_kafka *k, const char *topic, int32_t part,
    const char *key, const char *value)
{
    struct wn_kafka_bytes kb = { key, key != NULL ? strlen(key) : 0 };
    struct wn_kafka_bytes vb = { value, value != NULL ? strlen(value) : 0 };

    wn_kafka_send(k, topic, part, kb, vb, 0, 0);
    wn_kafka_flush(k);
    return k->last_offset;
}

/* --- reading --- */

static struct wn_kafka_bytes
header(const rd_kafka_message_t *m, const char *name)
{
    rd_kafka_headers_t *h;
    struct wn_kafka_bytes b = { NULL, 0 };

    if (rd_kafka_message_headers(m, &h) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(h, name, &b.p, &b.len) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
        b.p = NULL;
    return b;
}

static int
assign_all(rd_kafka_t *rk, const char *topic)
{
    const struct rd_kafka_metadata *md;
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_topic_partition_list_t *list;
    int n;

    if (rd_kafka_metadata(rk, 0, t, &md, CALL_MS) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        md->topics[0].partition_cnt == 0)
        die(topic, "no such topic");
    n = md->topics[0].partition_cnt;
    list = rd_kafka_topic_partition_list_new(n);
    for (int i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(md);
    rd_kafka_topic_destroy(t);
    return n;
}

size_t
wn_kafka_read(struct wn_kafka *k, const char *topic,
    void (*record)(void *arg, const struct wn_kafka_record *r), void *arg)
{
    const char *settings[] = { "group.id", "winnow-test-reader",
        "enable.auto.commit", "false", "enable.partition.eof", "true",
        "allow.auto.create.topics", "false", NULL, NULL };
    rd_kafka_t *rk = client(k, RD_KAFKA_CONSUMER, settings);
    rd_kafka_message_t *m;
    size_t n = 0;
    int left;

    rd_kafka_poll_set_consumer(rk);
    left = assign_all(rk, topic);
    while (left > 0) {
        m = rd_kafka_consumer_poll(rk, CALL_MS);
        if (m == NULL)
            die(topic, "no record in time");
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            left--;
        } else if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            struct wn_kafka_record r = { m->partition, m->offset,
                { m->key, m->key_len }, { m->payload, m->len },
                header(m, "verdict_id"), header(m, "kind") };

            n++;
            if (record != NULL)
                record(arg, &r);
        }
        rd_kafka_message_destroy(m);
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return n;
}
