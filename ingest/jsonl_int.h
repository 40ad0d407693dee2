/*
 * One file of JSON Lines: its place in the store and its lines. Shared by
 * source_jsonl.c (which files, in what order) and jsonl_file.c (one of them).
 */
#ifndef WN_INGEST_JSONL_INT_H
#define WN_INGEST_JSONL_INT_H

#include <sys/types.h>

#include "ingest/lines.h"
#include "ingest/source.h"

#define WN_IDENT_MAX 96
#define WN_IDENT_HEAD 4096 /* bytes of a file that make its identity */

enum wn_file_state {
    WN_FILE_WAITING, /* not there, or without a line: not claimed          */
    WN_FILE_READING, /* claimed                                            */
    WN_FILE_ENDED,   /* read to its end; some records are not committed    */
    WN_FILE_DONE,    /* and let go                                         */
};

struct wn_file {
    char *path; /* absolute; "-" is standard input */
    enum wn_file_state state;
    bool input;    /* standard input                                   */
    bool vanished; /* the path names another file now, or none         */
    bool again;    /* what is there next is new, whatever it looks like */
    int fd;
    dev_t dev;
    ino_t ino;
    int64_t size, time_us; /* as last seen; modification, at the claim */
    char ident[WN_IDENT_MAX];
    size_t hashed; /* bytes of the head that ident is over */
    struct wn_claim claim;
    bool held;
    uint64_t generation;
    struct wn_lines lines;
    int64_t read_at;             /* offset of the next read          */
    int64_t last_next;           /* of the last record handed out    */
    int64_t committed;           /* as the writer said               */
    int64_t checked_us, gone_us; /* monotonic: of the path's stat    */
};

/* What a file needs of its source. */
struct wn_file_env {
    const struct wn_source_conf *conf;
    size_t line_max;
    bool follow, from_start;
    uint64_t *generation; /* counts claims */
};

/* NULL without memory. */
struct wn_file *wn_file_new(const char *path);
/* Lets go of it in the store, too. */
void wn_file_free(struct wn_file *f, const struct wn_file_env *env);

/* WAITING to READING once there is a line to read (without follow, anything);
 * stays WAITING where there is none, DONE where an empty file ends. */
enum wn_status wn_file_open(
    struct wn_file *f, const struct wn_file_env *env, struct wn_err *err);
/*
 * The next record. *ret NULL with *ret_more: bytes came, call again; without:
 * nothing there now, or READING became ENDED. wait_ms only for standard input.
 */
enum wn_status wn_file_read(struct wn_file *f, const struct wn_file_env *env,
    int wait_ms, struct wn_item **ret, bool *ret_more, struct wn_err *err);
/* ENDED to DONE, or with follow to WAITING for what comes to its path, once
 * all its records are committed. */
void wn_file_settle(struct wn_file *f, const struct wn_file_env *env);
/* It is somebody else's: no more of it. */
void wn_file_drop(struct wn_file *f);
/* Bytes behind the end. */
int64_t wn_file_behind(const struct wn_file *f);

#endif
