/* A private PostgreSQL for one test program; see pg.h. */
#include "tests/lib/pg.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_SECONDS 60

struct info {
    struct info *next;
    char text[];
};

struct wn_pg {
    char dir[64]; /* short: a socket's name has at most 107 bytes */
    char bin[256];
    bool fsync;
    pid_t owner; /* the process that stops it; its forks do not */
    pid_t pid;   /* postmaster, 0 while it is down               */
    uid_t uid;
    gid_t gid;
    struct info *infos;
};

static struct wn_pg *the_pg;

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "private PostgreSQL: %s: %s\n", what, why);
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

/* The newest installed server's folder of programs. */
static void
find_programs(struct wn_pg *pg)
{
    const char *own = getenv("PG_BIN");
    glob_t g;
    size_t i;
    int best = -1, version;

    if (own != NULL && own[0] != '\0') {
        snprintf(pg->bin, sizeof(pg->bin), "%s", own);
        return;
    }
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &g) != 0)
        die("programs", "no /usr/lib/postgresql/*/bin (PG_BIN names another)");
    for (i = 0; i < g.gl_pathc; i++) {
        version = atoi(g.gl_pathv[i] + strlen("/usr/lib/postgresql/"));
        if (version > best) {
            best = version;
            snprintf(pg->bin, sizeof(pg->bin), "%s", g.gl_pathv[i]);
        }
    }
    globfree(&g);
}

static void
find_user(struct wn_pg *pg)
{
    struct passwd *pw;

    pg->uid = geteuid();
    pg->gid = getegid();
    if (pg->uid != 0)
        return;
    pw = getpwnam("postgres");
    if (pw == NULL)
        pw = getpwnam("nobody");
    if (pw == NULL)
        die("user", "neither postgres nor nobody exists");
    pg->uid = pw->pw_uid;
    pg->gid = pw->pw_gid;
}

/* In the child: output to the log, our user, dies with the test. */
static void
become_server(struct wn_pg *pg)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/log", pg->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(126);
    if (geteuid() == 0 &&
        (fchown(fd, pg->uid, pg->gid) != 0 || setgroups(0, NULL) != 0 ||
            setgid(pg->gid) != 0 || setuid(pg->uid) != 0))
        _exit(126);
    if (chdir(pg->dir) != 0)
        _exit(126);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* after setuid, which clears it */
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("PGDATA");
}

static void
show_log(struct wn_pg *pg)
{
    char path[128], line[1024];
    FILE *f;

    snprintf(path, sizeof(path), "%s/log", pg->dir);
    f = fopen(path, "r");
    if (f == NULL)
        return;
    while (fgets(line, sizeof(line), f) != NULL)
        fputs(line, stderr);
    fclose(f);
}

static void
make_cluster(struct wn_pg *pg)
{
    char prog[300], data[128];
    pid_t pid;
    int st;

    snprintf(prog, sizeof(prog), "%s/initdb", pg->bin);
    snprintf(data, sizeof(data), "%s/data", pg->dir);
    pid = fork();
    if (pid == 0) {
        become_server(pg);
        execl(prog, "initdb", "-D", data, "-U", "admin", "-A", "trust", "-E",
            "UTF8", "--locale=C.UTF-8", "--no-sync", "-k", (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &st, 0) != pid || st != 0) {
        show_log(pg);
        die("initdb", "failed; its output is above");
    }
}

static pid_t
spawn(struct wn_pg *pg)
{
    char prog[300], data[128], sock[128], sync[32];
    pid_t pid;

    snprintf(prog, sizeof(prog), "%s/postgres", pg->bin);
    snprintf(data, sizeof(data), "%s/data", pg->dir);
    snprintf(sock, sizeof(sock), "unix_socket_directories=%s", pg->dir);
    snprintf(sync, sizeof(sync), "fsync=%s", pg->fsync ? "on" : "off");
    pid = fork();
    if (pid == 0) {
        become_server(pg);
        execl(prog, "postgres", "-D", data, "-c", "listen_addresses=", "-c",
            sock, "-c", sync, "-c", "max_connections=60", "-c",
            "shared_buffers=256MB", "-c", "wal_buffers=16MB", "-c",
            "max_wal_size=4GB", "-c", "min_wal_size=1GB", "-c",
            "unix_socket_permissions=0777", "-c", "timezone=UTC", (char *)NULL);
        _exit(127);
    }
    if (pid < 0)
        die("postgres", strerror(errno));
    return pid;
}

/* false when it ended by itself: after a kill -9 old backends may still hold
 * the shared memory for a moment. */
static bool
wait_ready(struct wn_pg *pg)
{
    const char *info = wn_pg_conninfo(pg, "postgres", "admin");
    int i, st;

    for (i = 0; i < START_SECONDS * 50; i++) {
        if (waitpid(pg->pid, &st, WNOHANG) == pg->pid)
            return false;
        if (PQping(info) == PQPING_OK)
            return true;
        sleep_ms(20);
    }
    return false;
}

static void
remove_stale_pid_file(struct wn_pg *pg)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/data/postmaster.pid", pg->dir);
    unlink(path);
}

void
wn_pg_restart(struct wn_pg *pg)
{
    int tries;

    for (tries = 0; tries < 50; tries++) {
        pg->pid = spawn(pg);
        if (wait_ready(pg))
            return;
        kill(pg->pid, SIGKILL);
        waitpid(pg->pid, NULL, 0);
        pg->pid = 0;
        sleep_ms(100);
    }
    show_log(pg);
    die("postgres", "does not start; its log is above");
}

static void
stop_at_exit(void)
{
    if (the_pg != NULL && the_pg->owner == getpid())
        wn_pg_stop(the_pg);
}

struct wn_pg *
wn_pg_start(bool fsync)
{
    struct wn_pg *pg = calloc(1, sizeof(*pg));

    if (pg == NULL || the_pg != NULL)
        die("start", "no memory, or started twice");
    pg->fsync = fsync;
    pg->owner = getpid();
    find_programs(pg);
    find_user(pg);
    snprintf(pg->dir, sizeof(pg->dir), "/tmp/wnpg.XXXXXX");
    if (mkdtemp(pg->dir) == NULL || chmod(pg->dir, 0755) != 0 ||
        chown(pg->dir, pg->uid, pg->gid) != 0)
        die(pg->dir, strerror(errno));
    the_pg = pg;
    atexit(stop_at_exit);
    make_cluster(pg);
    wn_pg_restart(pg);
    return pg;
}

void
wn_pg_halt(struct wn_pg *pg)
{
    if (pg->pid == 0)
        return;
    kill(pg->pid, SIGCONT);
    kill(pg->pid, SIGINT); /* fast: ends sessions, writes a checkpoint */
    while (waitpid(pg->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    pg->pid = 0;
}

void
wn_pg_kill(struct wn_pg *pg)
{
    if (pg->pid == 0)
        return;
    kill(pg->pid, SIGKILL);
    while (waitpid(pg->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    pg->pid = 0;
    remove_stale_pid_file(pg);
}

void
wn_pg_stop(struct wn_pg *pg)
{
    struct info *in;

    if (pg->pid != 0) {
        kill(pg->pid, SIGCONT);
        kill(pg->pid, SIGQUIT); /* at once: the data is thrown away */
        while (waitpid(pg->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    nftw(pg->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    while ((in = pg->infos) != NULL) {
        pg->infos = in->next;
        free(in);
    }
    free(pg);
    the_pg = NULL;
}

const char *
wn_pg_host(const struct wn_pg *pg)
{
    return pg->dir;
}

pid_t
wn_pg_pid(const struct wn_pg *pg)
{
    return pg->pid;
}

const char *
wn_pg_conninfo(struct wn_pg *pg, const char *db, const char *user)
{
    struct info *in;
    char text[256];

    snprintf(text, sizeof(text), "host=%s port=5432 dbname=%s user=%s", pg->dir,
        db, user);
    for (in = pg->infos; in != NULL; in = in->next) {
        if (strcmp(in->text, text) == 0)
            return in->text;
    }
    in = malloc(sizeof(*in) + strlen(text) + 1);
    if (in == NULL)
        die("conninfo", "out of memory");
    strcpy(in->text, text);
    in->next = pg->infos;
    pg->infos = in;
    return in->text;
}

/* Waits while the server says that it is still recovering. */
static PGconn *
connect_admin(struct wn_pg *pg, const char *db)
{
    PGconn *conn = NULL;
    int i;

    for (i = 0; i < 100; i++) {
        PQfinish(conn);
        conn = PQconnectdb(wn_pg_conninfo(pg, db, "admin"));
        if (PQstatus(conn) == CONNECTION_OK)
            return conn;
        sleep_ms(50);
    }
    die("connect", PQerrorMessage(conn));
    return NULL;
}

static void
quiet(void *arg, const char *message)
{
    (void)arg, (void)message;
}

static char *
run(struct wn_pg *pg, const char *db, const char *sql, bool want)
{
    PGconn *conn = connect_admin(pg, db);
    PGresult *res;
    char *value = NULL;

    PQsetNoticeProcessor(conn, quiet, NULL);
    res = PQexec(conn, sql);
    if (PQresultStatus(res) != PGRES_COMMAND_OK &&
        PQresultStatus(res) != PGRES_TUPLES_OK)
        die(sql, PQerrorMessage(conn));
    if (want) {
        value = strdup(PQntuples(res) > 0 && PQnfields(res) > 0
                           ? PQgetvalue(res, 0, 0)
                           : "");
        if (value == NULL)
            die(sql, "out of memory");
    }
    PQclear(res);
    PQfinish(conn);
    return value;
}

void
wn_pg_exec(struct wn_pg *pg, const char *db, const char *sql)
{
    run(pg, db, sql, false);
}

void
wn_pg_execf(struct wn_pg *pg, const char *db, const char *fmt, ...)
{
    char sql[4096];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(sql, sizeof(sql), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(sql))
        die("SQL", "too long");
    run(pg, db, sql, false);
}

char *
wn_pg_value(struct wn_pg *pg, const char *db, const char *sql)
{
    return run(pg, db, sql, true);
}

long long
wn_pg_number(struct wn_pg *pg, const char *db, const char *sql)
{
    char *text = run(pg, db, sql, true), *end;
    long long n = strtoll(text, &end, 10);

    if (end == text || *end != '\0')
        die(sql, text);
    free(text);
    return n;
}

void
wn_pg_create_db(struct wn_pg *pg, const char *db)
{
    wn_pg_execf(pg, "postgres", "CREATE DATABASE \"%s\"", db);
}
