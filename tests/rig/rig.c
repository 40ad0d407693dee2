/*
 * The fault rig: a real broker, a real PostgreSQL, workers that are killed
 * with SIGKILL and frozen with SIGSTOP past the session timeout while
 * partitions move, a database that is killed and started again; then the
 * checker (check.c) compares the producer's ledger with what was stored.
 *
 *   rig [--posts N] [--kills N] [--freezes N] [--pg-kills N] [--workers N]
 *       [--parts N] [--seed N] [--worker PATH] [--plant FAULT] [--metrics]
 *
 * Records are produced in step with the faults, so that there is work in hand
 * whenever one comes. --plant breaks the database on purpose before (fence) or
 * after the run (verdict, audit, chain), to show that the checker sees it:
 * then the rig succeeds only when the checker reports it. --metrics compares
 * the counters of workers that serve them (--worker build/winnow) with the
 * tables; that needs a run without faults, since counters die with their
 * process. Without faults each verdict id must be on the output topic exactly
 * once.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "storage/store.h"
#include "tests/lib/kafka.h"
#include "tests/lib/pg.h"
#include "tests/lib/test.h"
#include "tests/rig/check.h"

#define WORKERS_MAX 8
#define PARTS_MAX 64
#define TOPIC "posts"
#define OUTPUT "verdicts"
#define FREEZE_MS 3500 /* past the workers' session timeout of 2 s */

struct worker {
    pid_t pid;
    int64_t thaw_us; /* frozen until then; 0: running */
    char log[512];
};

struct rig {
    int64_t posts, kills, freezes, pg_kills;
    int workers_n, parts;
    const char *worker_path, *plant;
    bool metrics; /* the workers serve /metrics: compare them with the tables */
    uint64_t seed;

    struct wn_pg *pg;
    struct wn_kafka *kafka;
    PGconn *db;
    const char *dir, *conninfo;
    struct worker workers[WORKERS_MAX];
    struct ledger ledger;
    uint64_t serial; /* number of the next post */
    int64_t done_kills, done_freezes, done_pg_kills;
};

static void
die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("rig: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(3);
}

static void
sleep_ms(int64_t ms)
{
    struct timespec t = { ms / 1000, (ms % 1000) * 1000000 };

    nanosleep(&t, NULL);
}

/* --- workers --- */

static void
worker_start(struct rig *rig, int i)
{
    struct worker *w = &rig->workers[i];
    char kafka[256], url[512];
    pid_t pid;

    snprintf(w->log, sizeof(w->log), "%s/worker-%d.log", rig->dir, i);
    snprintf(kafka, sizeof(kafka), "--kafka.bootstrap.servers=%s",
        wn_kafka_bootstrap(rig->kafka));
    snprintf(url, sizeof(url), "--database.url=%s", rig->conninfo);
    pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0) {
        int fd = open(w->log, O_CREAT | O_WRONLY | O_APPEND, 0600);

        dup2(fd, 1);
        dup2(fd, 2);
        execl(rig->worker_path, "winnow", "run", kafka, url,
            "--http.listen=127.0.0.1:0", "--output.dead_topic=dead",
            "--ingest.topic=" TOPIC, "--output.verdicts_topic=" OUTPUT,
            "--kafka.group.id=rig", "--kafka.session.timeout.ms=2000",
            "--kafka.heartbeat.interval.ms=500", "--score.threads=1",
            /* finished work waits in hand: a thawed worker tries to commit
             * what is no longer its own, and the fence is asked */
            "--store.batch-age-ms=400", (char *)NULL);
        _exit(127);
    }
    w->pid = pid;
    w->thaw_us = 0;
}

/* A worker ended by itself: nothing in this rig may make it do so. */
static void
workers_alive(struct rig *rig)
{
    for (int i = 0; i < rig->workers_n; i++) {
        int status;

        if (waitpid(rig->workers[i].pid, &status, WNOHANG) != 0)
            die("worker %d ended by itself (status %x): %s", i, status,
                rig->workers[i].log);
    }
}

static void
thaw(struct rig *rig, int64_t now_us)
{
    for (int i = 0; i < rig->workers_n; i++)
        if (rig->workers[i].thaw_us != 0 && rig->workers[i].thaw_us <= now_us) {
            kill(rig->workers[i].pid, SIGCONT);
            rig->workers[i].thaw_us = 0;
            rig->done_freezes++; /* it slept through its session */
        }
}

/* SIGTERM to all; each must end with 0 within 10 s. */
static void
workers_stop(struct rig *rig)
{
    int64_t start = wn_clock_mono_us();

    thaw(rig, INT64_MAX);
    for (int i = 0; i < rig->workers_n; i++)
        kill(rig->workers[i].pid, SIGTERM);
    for (int i = 0; i < rig->workers_n; i++) {
        int status = 0;

        while (waitpid(rig->workers[i].pid, &status, WNOHANG) == 0) {
            if (wn_clock_mono_us() - start > 11000000)
                die("worker %d does not end on SIGTERM: %s", i,
                    rig->workers[i].log);
            sleep_ms(20);
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            die("worker %d ended with status %x: %s", i, status,
                rig->workers[i].log);
    }
    printf("workers ended %.1f s after SIGTERM\n",
        (double)(wn_clock_mono_us() - start) / 1e6);
}

/* --- producing --- */

static void
on_ack(void *arg, int32_t part, int64_t offset, uint64_t serial)
{
    ledger_add(arg, part, offset, serial);
}

/* Post number `serial`: one in 64 repeats an earlier one, one in 128 is not
 * JSON, one in 128 deletes an earlier one; the rest are new. */
static size_t
post_text(uint64_t serial, char *out, size_t size, char *key, size_t key_size)
{
    static const char *const openings[] = { "Lost my keys near the station",
        "The soup turned out well tonight", "Win a phone, just send the fee",
        "Who else is awake at this hour", "Share this with ten friends",
        "New bike lane opens on Monday", "Double your coins by tomorrow",
        "Thanks to everyone who came along" };
    uint64_t state = serial, of = serial;
    const char *type = "post.created";

    if (serial % 128 == 77)
        return (size_t)snprintf(
            out, size, "{\"type\": not json %" PRIu64, serial);
    if (serial > 1000 && serial % 64 == 13)
        of = serial - 1 - wn_test_random(&state) % 1000;
    if (serial > 1000 && serial % 128 == 99) {
        of = serial - 1 - wn_test_random(&state) % 1000;
        type = "post.deleted";
    }
    snprintf(key, key_size, "rig-%" PRIu64, of);
    return (size_t)snprintf(out, size,
        "{\"type\":\"%s\",\"post\":{\"id\":\"rig-%" PRIu64 "\",\"revision\":1,"
        "\"text\":\"%s, number %" PRIu64 "\",\"author\":{\"id\":\"a%" PRIu64
        "\"}}}",
        type, of, openings[of % 8], of, of % 997);
}

static void
produce(struct rig *rig, int64_t n)
{
    while (n-- > 0) {
        char text[512], key[64] = "";
        uint64_t serial = rig->serial++;
        size_t len = post_text(serial, text, sizeof(text), key, sizeof(key));

        wn_kafka_send(rig->kafka, TOPIC,
            (int32_t)(serial % (uint64_t)rig->parts),
            (struct wn_kafka_bytes){ key, strlen(key) },
            (struct wn_kafka_bytes){ text, len }, 0, serial);
    }
}

/* --- what the database says --- */

/* Sum of all cursors; -1 while the database is away. */
static int64_t
progress(struct rig *rig)
{
    PGresult *r;
    int64_t sum = -1;

    if (rig->db == NULL || PQstatus(rig->db) != CONNECTION_OK) {
        PQfinish(rig->db);
        rig->db = PQconnectdb(wn_pg_conninfo(rig->pg, "rig", "admin"));
    }
    r = PQexec(rig->db,
        "SELECT coalesce(sum(next_offset), 0) FROM winnow.source_cursor "
        "WHERE kind = 'kafka'");
    if (PQresultStatus(r) == PGRES_TUPLES_OK)
        sum = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return sum;
}

/* Waits until the cursors have moved on from `from`, at most ms. */
static int64_t
wait_progress(struct rig *rig, int64_t from, int64_t ms)
{
    int64_t end = wn_clock_mono_us() + ms * 1000, now = from;

    while (wn_clock_mono_us() < end) {
        workers_alive(rig);
        thaw(rig, wn_clock_mono_us());
        now = progress(rig);
        if (now > from)
            break;
        sleep_ms(30);
    }
    return now > from ? now : from;
}

/* --- faults --- */

static void
fault_kill(struct rig *rig, int i)
{
    kill(rig->workers[i].pid, SIGKILL);
    waitpid(rig->workers[i].pid, NULL, 0);
    rig->done_kills++;
    worker_start(rig, i);
}

static void
fault_freeze(struct rig *rig, int i)
{
    kill(rig->workers[i].pid, SIGSTOP);
    rig->workers[i].thaw_us = wn_clock_mono_us() + FREEZE_MS * 1000;
}

/* A worker that is not frozen: killing one that is would spare it the wake-up
 * for which it was frozen. -1 where fewer than `spare` others would run. */
static int
pick_running(const struct rig *rig, uint64_t *rng, int spare)
{
    int running[WORKERS_MAX], n = 0;

    for (int i = 0; i < rig->workers_n; i++)
        if (rig->workers[i].thaw_us == 0)
            running[n++] = i;
    return n <= spare ? -1 : running[wn_test_random(rng) % (uint64_t)n];
}

static void
fault_pg(struct rig *rig)
{
    wn_pg_kill(rig->pg);
    sleep_ms(300);
    wn_pg_restart(rig->pg);
    rig->done_pg_kills++;
}

/* One round: some records, a freeze and a kill at random moments, sometimes
 * the database; then until something was committed again. */
static void
fault_round(struct rig *rig, uint64_t *rng, int64_t seen)
{
    int i;

    sleep_ms((int64_t)(wn_test_random(rng) % 400));
    i = pick_running(rig, rng, 1); /* one at least goes on */
    if (rig->done_freezes < rig->freezes && i >= 0)
        fault_freeze(rig, i);
    sleep_ms((int64_t)(wn_test_random(rng) % 700));
    i = pick_running(rig, rng, 0);
    if (rig->done_kills < rig->kills && i >= 0)
        fault_kill(rig, i);
    if (rig->done_pg_kills < rig->pg_kills &&
        rig->done_pg_kills * rig->kills <= rig->done_kills * rig->pg_kills)
        fault_pg(rig);
    wait_progress(rig, seen, 5000);
}

static bool
faults_left(const struct rig *rig)
{
    return rig->done_kills < rig->kills || rig->done_freezes < rig->freezes ||
           rig->done_pg_kills < rig->pg_kills;
}

static void
run_faults(struct rig *rig)
{
    uint64_t rng = rig->seed;
    int64_t rounds = rig->kills > rig->freezes ? rig->kills : rig->freezes;
    int64_t start = wn_clock_mono_us(), told = start;

    if (rounds == 0)
        rounds = 1;
    for (int64_t round = 0; round == 0 || faults_left(rig); round++) {
        int64_t due = rig->posts * (round + 1) / rounds;

        if (due > rig->posts)
            due = rig->posts;
        produce(rig, due - (int64_t)rig->serial);
        if (faults_left(rig))
            fault_round(rig, &rng, progress(rig));
        if (wn_clock_mono_us() - told > 10000000) {
            told = wn_clock_mono_us();
            printf("%5.0f s  %" PRIu64 " sent, %" PRId64 " committed, %" PRId64
                   " kills, %" PRId64 " freezes, %" PRId64 " database kills\n",
                (double)(told - start) / 1e6, rig->serial, progress(rig),
                rig->done_kills, rig->done_freezes, rig->done_pg_kills);
            fflush(stdout);
        }
    }
    produce(rig, rig->posts - (int64_t)rig->serial);
    wn_kafka_flush(rig->kafka);
    if (rig->ledger.n != rig->serial)
        die("%zu of %" PRIu64 " records were acknowledged", rig->ledger.n,
            rig->serial);
}

/* --- the end --- */

static void
wait_drained(struct rig *rig, const int64_t *ends)
{
    int64_t goal = 0, now = progress(rig), last = wn_clock_mono_us();

    for (int p = 0; p < rig->parts; p++)
        goal += ends[p];
    while (now < goal) {
        int64_t then = now;

        now = wait_progress(rig, now, 1000);
        if (now > then)
            last = wn_clock_mono_us();
        if (wn_clock_mono_us() - last > 120000000)
            die("no progress for 120 s at %" PRId64 " of %" PRId64, now, goal);
    }
}

/* The relay has 60 s after the last commit to send what is left. */
static void
wait_relayed(struct rig *rig)
{
    int64_t end = wn_clock_mono_us() + 60000000;

    while (wn_pg_number(rig->pg, "rig",
               "SELECT count(*) FROM winnow.outbox o LEFT JOIN "
               "winnow.relay_cursor r ON r.source = o.source "
               "WHERE o.off >= coalesce(r.next_offset, 0)") > 0) {
        if (wn_clock_mono_us() > end)
            die("the outbox is not empty 60 s after the last commit");
        sleep_ms(200);
    }
}

static void
on_output(void *arg, const struct wn_kafka_record *r)
{
    if (r->verdict_id.len != 16)
        die("an output message whose verdict_id has %zu bytes",
            r->verdict_id.len);
    ids_add(arg, r->verdict_id.p);
}

/* Lines of the workers' logs with `what` in them. */
static int64_t
count_in_logs(struct rig *rig, const char *what)
{
    int64_t n = 0;

    for (int i = 0; i < rig->workers_n; i++) {
        char line[4096];
        FILE *f = fopen(rig->workers[i].log, "r");

        if (f == NULL)
            continue;
        while (fgets(line, sizeof(line), f) != NULL)
            n += strstr(line, what) != NULL;
        fclose(f);
    }
    return n;
}

/* Where a worker serves /metrics: its log says so at every start. */
static int
http_port(const char *log)
{
    static const char event[] = " http.listen ", member[] = " port=";
    char line[4096];
    const char *at;
    FILE *f = fopen(log, "r");
    int port = 0;

    if (f == NULL)
        die("%s: %s", log, strerror(errno));
    while (fgets(line, sizeof(line), f) != NULL) {
        at = strstr(line, event) != NULL ? strstr(line, member) : NULL;
        if (at != NULL)
            port = atoi(at + sizeof(member) - 1);
    }
    fclose(f);
    if (port == 0)
        die("no http.listen in %s", log);
    return port;
}

/* A value of /metrics, summed over the workers. */
static double
scrape(struct rig *rig, const char *series)
{
    double sum = 0;

    for (int i = 0; i < rig->workers_n; i++) {
        char cmd[256], line[1024];
        FILE *p;

        snprintf(cmd, sizeof(cmd), "curl -fsS http://127.0.0.1:%d/metrics",
            http_port(rig->workers[i].log));
        p = popen(cmd, "r");
        if (p == NULL)
            die("curl: %s", strerror(errno));
        while (fgets(line, sizeof(line), p) != NULL)
            if (strncmp(line, series, strlen(series)) == 0)
                sum += strtod(line + strlen(series), NULL);
        if (pclose(p) != 0)
            die("worker %d does not answer /metrics", i);
    }
    return sum;
}

/* Counters against tables: only where no worker died. */
static int64_t
compare_metrics(struct rig *rig)
{
    static const struct {
        const char *series, *sql;
    } pairs[] = {
        { "winnow_posts_total{outcome=\"scored\"} ",
            "SELECT count(*) FROM winnow.verdict WHERE outcome = 1" },
        { "winnow_posts_total{outcome=\"dead\"} ",
            "SELECT count(*) FROM winnow.dead_letter" },
        { "winnow_posts_total{outcome=\"repeat\"} ",
            "SELECT count(*) FROM winnow.verdict WHERE outcome = 5" },
        { "winnow_posts_total{outcome=\"stale\"} ",
            "SELECT count(*) FROM winnow.verdict WHERE outcome = 6" },
        { "winnow_posts_total{outcome=\"erased\"} ",
            "SELECT count(*) FROM winnow.verdict WHERE outcome = 7" },
        { "winnow_verdicts_total{action=\"review\"} ",
            "SELECT count(*) FROM winnow.verdict WHERE action = 3" },
        { "winnow_lag ", "SELECT 0" },
    };
    int64_t bad = 0;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        double m = scrape(rig, pairs[i].series);
        long long n = wn_pg_number(rig->pg, "rig", pairs[i].sql);

        printf("  metric %-42s %10.0f  table %10lld%s\n", pairs[i].series, m, n,
            m != (double)n ? "  <-- differ" : "");
        bad += m != (double)n;
    }
    return bad;
}

/* Breaks what the checker must then report. */
static void
plant(struct rig *rig, const char *when)
{
    static const struct {
        const char *name, *when, *sql;
    } plants[] = {
        { "fence", "before",
            "ALTER TABLE winnow.verdict DROP CONSTRAINT verdict_pkey;"
            "ALTER TABLE winnow.audit DROP CONSTRAINT audit_pkey;"
            "ALTER TABLE winnow.content DROP CONSTRAINT content_pkey;"
            "ALTER TABLE winnow.dead_letter DROP CONSTRAINT dead_letter_pkey;"
            "ALTER TABLE winnow.outbox DROP CONSTRAINT IF EXISTS outbox_pkey;"
            "CREATE OR REPLACE FUNCTION winnow.cursor_advance(p_source int,"
            " p_epoch bigint, p_start bigint, p_end bigint, p_leader_epoch int,"
            " p_seq bigint, p_head bytea) RETURNS void LANGUAGE sql"
            " SECURITY DEFINER AS $$"
            " UPDATE winnow.source_cursor SET next_offset = p_end,"
            " chain_seq = p_seq, chain_head = p_head WHERE id = p_source $$" },
        { "verdict", "after",
            "DELETE FROM winnow.verdict WHERE ctid IN (SELECT ctid FROM "
            "winnow.verdict WHERE outcome = 1 LIMIT 1)" },
        { "audit", "after",
            "ALTER TABLE winnow.audit DISABLE TRIGGER USER; "
            "UPDATE winnow.audit SET body = body || '\\x00' WHERE seq = 5 AND "
            "source = (SELECT min(source) FROM winnow.audit)" },
        { "chain", "after",
            "UPDATE winnow.source_cursor SET chain_head = "
            "decode(repeat('ab', 32), 'hex') WHERE part = 0" },
    };

    for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++)
        if (strcmp(plants[i].name, rig->plant) == 0 &&
            strcmp(plants[i].when, when) == 0)
            wn_pg_exec(rig->pg, "rig", plants[i].sql);
}

static int64_t
check_all(struct rig *rig, const int64_t *ends)
{
    struct ids ids = { 0 };
    struct findings f;
    int64_t bad;

    wn_kafka_read(rig->kafka, OUTPUT, on_output, &ids);
    progress(rig); /* connects again after the last database kill */
    check(rig->db, TOPIC, &rig->ledger, ends, (size_t)rig->parts, &ids, &f);
    printf("findings\n");
    bad = check_print(
        &f, rig->done_kills + rig->done_freezes + rig->done_pg_kills > 0);
    ids_free(&ids);
    return bad;
}

static void
setup(struct rig *rig)
{
    static const char *const props[] = { "group.min.session.timeout.ms=1000",
        NULL };
    struct wn_err err = { "" };
    int applied = 0;

    rig->dir = wn_test_dir();
    rig->pg = wn_pg_start(true);
    wn_pg_create_db(rig->pg, "rig");
    rig->conninfo = wn_pg_conninfo(rig->pg, "rig", "admin");
    if (wn_migrate(rig->conninfo, NULL, NULL, &applied, &err) != WN_OK)
        die("migrate: %s", err.text);
    wn_pg_exec(
        rig->pg, "rig", "CREATE ROLE rig LOGIN; GRANT winnow_worker TO rig");
    rig->conninfo = wn_pg_conninfo(rig->pg, "rig", "rig");
    rig->kafka = wn_kafka_start(props);
    wn_kafka_create_topic(rig->kafka, TOPIC, rig->parts);
    wn_kafka_create_topic(rig->kafka, OUTPUT, 1);
    wn_kafka_create_topic(rig->kafka, "dead", 1);
    wn_kafka_on_ack(rig->kafka, on_ack, &rig->ledger);
    if (rig->plant[0] != '\0')
        plant(rig, "before");
    for (int i = 0; i < rig->workers_n; i++)
        worker_start(rig, i);
}

static void
usage(void)
{
    puts("usage: rig [--posts N] [--kills N] [--freezes N] [--pg-kills N]\n"
         "           [--workers N] [--parts N] [--seed N] [--worker PATH]\n"
         "           [--plant fence|verdict|audit|chain] [--metrics]");
    exit(2);
}

static void
options(struct rig *rig, int argc, char **argv)
{
    static const struct option known[] = { { "posts", 1, NULL, 'n' },
        { "kills", 1, NULL, 'k' }, { "freezes", 1, NULL, 'f' },
        { "pg-kills", 1, NULL, 'g' }, { "workers", 1, NULL, 'w' },
        { "parts", 1, NULL, 'p' }, { "seed", 1, NULL, 's' },
        { "worker", 1, NULL, 'x' }, { "plant", 1, NULL, 't' },
        { "metrics", 0, NULL, 'm' }, { NULL, 0, NULL, 0 } };
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        int64_t v = optarg != NULL ? strtoll(optarg, NULL, 10) : 0;

        switch (c) {
        case 'n':
            rig->posts = v;
            break;
        case 'k':
            rig->kills = v;
            break;
        case 'f':
            rig->freezes = v;
            break;
        case 'g':
            rig->pg_kills = v;
            break;
        case 'w':
            rig->workers_n = (int)v;
            break;
        case 'p':
            rig->parts = (int)v;
            break;
        case 's':
            rig->seed = (uint64_t)v;
            break;
        case 'x':
            rig->worker_path = optarg;
            break;
        case 't':
            rig->plant = optarg;
            break;
        case 'm':
            rig->metrics = true;
            break;
        default:
            usage();
        }
    }
    if (optind != argc || rig->workers_n < 1 || rig->workers_n > WORKERS_MAX ||
        rig->parts < 1 || rig->parts > PARTS_MAX || rig->posts < 1)
        usage();
}

int
main(int argc, char **argv)
{
    struct rig rig = {
        .posts = 20000,
        .workers_n = 3,
        .parts = 4,
        .seed = wn_test_seed(),
        .worker_path = "build/tests/rig/worker",
        .plant = "",
    };
    int64_t ends[PARTS_MAX], bad, start, fenced;

    options(&rig, argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("rig: %" PRId64 " posts, %d partitions, %d workers, seed %" PRIu64
           ", logs in %s\n",
        rig.posts, rig.parts, rig.workers_n, rig.seed, wn_test_dir());
    setup(&rig);
    start = wn_clock_mono_us();
    run_faults(&rig);
    thaw(&rig, INT64_MAX);
    for (int p = 0; p < rig.parts; p++)
        ends[p] = wn_kafka_end(rig.kafka, TOPIC, p);
    wait_drained(&rig, ends);
    printf("%" PRId64 " posts in %.1f s: %.0f posts/s\n", rig.posts,
        (double)(wn_clock_mono_us() - start) / 1e6,
        (double)rig.posts * 1e6 / (double)(wn_clock_mono_us() - start));
    wait_relayed(&rig);
    bad = rig.metrics ? compare_metrics(&rig) : 0;
    workers_stop(&rig);
    if (rig.plant[0] != '\0')
        plant(&rig, "after");
    bad += check_all(&rig, ends);
    fenced = count_in_logs(&rig, "store.fenced");
    printf("  kills %" PRId64 ", freezes %" PRId64 ", database kills %" PRId64
           ", fenced commits %" PRId64 "\n",
        rig.done_kills, rig.done_freezes, rig.done_pg_kills, fenced);
    if (fenced == 0 && rig.freezes >= 100 && rig.plant[0] == '\0') {
        printf("  the fence was never asked: these faults prove nothing\n");
        bad++;
    }
    PQfinish(rig.db);
    ledger_free(&rig.ledger);
    if (rig.plant[0] != '\0')
        printf("planted '%s': the checker %s it\n", rig.plant,
            bad != 0 ? "sees" : "does NOT see");
    return (bad != 0) == (rig.plant[0] != '\0') ? 0 : 1;
}
