/*
 * A private PostgreSQL for one test program: made by initdb in a short
 * folder under /tmp, on a Unix socket, gone when the program ends. As root
 * the server runs as the user postgres (or nobody), since it refuses root.
 *
 * Every call ends the program with a message when the server cannot be had:
 * a test without its server has no result. One server a program.
 */
#ifndef WN_TESTS_LIB_PG_H
#define WN_TESTS_LIB_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct wn_pg;

/* Superuser "admin", database "postgres". fsync false only where a test does
 * not crash the machine's disk anyway: it is about twice as fast. */
struct wn_pg *wn_pg_start(bool fsync);
/* Stops it and removes its folder; done at exit by itself. */
void wn_pg_stop(struct wn_pg *pg);

/* Folder of the socket (host=...), and the postmaster's process id. */
const char *wn_pg_host(const struct wn_pg *pg);
pid_t wn_pg_pid(const struct wn_pg *pg);
/* "host=... dbname=db user=user"; lives as long as the program. */
const char *wn_pg_conninfo(struct wn_pg *pg, const char *db, const char *user);

/* kill -9 of the postmaster; its backends end by themselves. */
void wn_pg_kill(struct wn_pg *pg);
/* Starts it again on the same data, after wn_pg_kill() or wn_pg_halt(). */
void wn_pg_restart(struct wn_pg *pg);
/* A clean, fast shutdown that keeps the data. */
void wn_pg_halt(struct wn_pg *pg);

void wn_pg_create_db(struct wn_pg *pg, const char *db);
/* Runs SQL as admin; any error ends the program. */
void wn_pg_exec(struct wn_pg *pg, const char *db, const char *sql);
/* As wn_pg_exec(), formatted. For names and numbers of the test only. */
void wn_pg_execf(struct wn_pg *pg, const char *db, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* First column of the first row; "" for NULL or no row. malloc()ed. */
char *wn_pg_value(struct wn_pg *pg, const char *db, const char *sql);
/* The same as a number; a value that is none ends the program. */
long long wn_pg_number(struct wn_pg *pg, const char *db, const char *sql);

#endif
