/*
 * What several subcommands share: help, flags of their own, the database.
 */
#ifndef WN_CMD_TOOLS_H
#define WN_CMD_TOOLS_H

#include <stdbool.h>
#include <stdio.h>

#include "core/buf.h"
#include "core/item.h"
#include "core/options.h"
#include "storage/store.h"

#define WINNOW_VERSION "0.1.0"

/*
 * When --help or -h is among the arguments: prints `text`, then the options
 * whose names begin with one of `prefixes` (NULL: none), and says true.
 */
bool wn_cmd_help(
    int argc, char **argv, const char *text, const char *const *prefixes);

/* Takes --name=VALUE or --name VALUE out of argv. NULL: not given; a flag that
 * lacks its value gives "". `name` begins with "--". */
const char *wn_cmd_take(int *argc, char **argv, const char *name);
/* Takes --name out of argv; whether it was there. */
bool wn_cmd_take_switch(int *argc, char **argv, const char *name);

/* The same for a whole number in min .. max, a number over low and under high,
 * and a name that is not empty. false, and printed as by wn_cmd_usage(),
 * where it is none; *ret stays where the flag was not given. */
bool wn_cmd_take_count(int *argc, char **argv, const char *flag, size_t min,
    size_t max, size_t *ret);
bool wn_cmd_take_double(int *argc, char **argv, const char *flag, double low,
    double high, double *ret);
bool wn_cmd_take_name(
    int *argc, char **argv, const char *flag, const char **ret);

/* Prints "winnow NAME: text" and the way to --help; returns 2. */
int wn_cmd_usage(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints "winnow NAME: text" and returns `status`. */
int wn_cmd_fail(int status, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* database.url, or "" where libpq's own variables (PGHOST, PGSERVICE, ...)
 * say it. NULL, and printed, where nobody says it: exit 78. */
const char *wn_cmd_database(const struct wn_options *o, const char *name);
/* A store for one command; NULL and printed: exit 1. */
struct wn_store *wn_cmd_store(const struct wn_options *o, const char *name);

/* Text of a stranger for a terminal: one line, control, bidirectional and
 * invisible characters replaced, at most chars_max characters. */
void wn_cmd_plain(struct wn_buf *out, struct wn_str s, size_t chars_max);
/* The same for a name, cut or filled up to `width` characters; "(none)" for an
 * empty one. */
void wn_cmd_column(struct wn_buf *out, const char *name, size_t width);

struct json_t; /* jansson's */
/* The text as JSON, the caller's json_decref(); null where there is none. */
struct json_t *wn_cmd_json(struct wn_str s);
/* One line on standard output; takes o. false, and nothing printed: o is NULL,
 * as json_pack() without memory gives it. */
bool wn_cmd_print_json(struct json_t *o);

#endif
