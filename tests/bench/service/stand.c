/*
 * A private Apache Kafka and PostgreSQL for a command, gone when it ends:
 *
 *   stand COMMAND [ARGUMENT ...]
 *
 * The command finds BENCH_BROKER (host:port), BENCH_KAFKA_PID, BENCH_DSN
 * (libpq, as superuser) and BENCH_PG_PID (of the postmaster). The database
 * syncs its commits and keeps their times (track_commit_timestamp). Ends with
 * the command's status.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/kafka.h"
#include "tests/lib/pg.h"

static void
export_pid(const char *name, pid_t pid)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", (int)pid);
    setenv(name, text, 1);
}

static void
start_pg(void)
{
    struct wn_pg *pg = wn_pg_start(true);

    wn_pg_exec(
        pg, "postgres", "ALTER SYSTEM SET track_commit_timestamp = 'on'");
    wn_pg_halt(pg);
    wn_pg_restart(pg);
    setenv("BENCH_DSN", wn_pg_conninfo(pg, "postgres", "admin"), 1);
    export_pid("BENCH_PG_PID", wn_pg_pid(pg));
}

static void
start_kafka(void)
{
    struct wn_kafka *k = wn_kafka_start(NULL);

    setenv("BENCH_BROKER", wn_kafka_bootstrap(k), 1);
    export_pid("BENCH_KAFKA_PID", wn_kafka_pid(k));
}

static int
run(char **argv)
{
    int status;
    pid_t pid = fork();

    if (pid < 0) {
        fprintf(stderr, "stand: fork: %s\n", strerror(errno));
        return 1;
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execvp(argv[0], argv);
        fprintf(stderr, "stand: %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR)
            return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: stand COMMAND [ARGUMENT ...]\n", stderr);
        return 2;
    }
    signal(SIGINT, SIG_IGN); /* the command's business; then we clean up */
    start_pg();
    start_kafka();
    return run(argv + 1);
}
