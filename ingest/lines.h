/*
 * Lines out of a stream of bytes, with a bound on the length of one: of a
 * longer line its first line_max + 1 bytes are kept and the rest is passed
 * over, so that no line costs more memory than the bound. Knows the offset of
 * each line. The caller reads into it:
 *
 *   for (;;) {
 *       while (wn_lines_next(l, &line))
 *           ...
 *       p = wn_lines_room(l, &n);
 *       n = read(fd, p, n);
 *       if (n == 0)
 *           break;
 *       wn_lines_add(l, n);
 *   }
 *   if (wn_lines_last(l, &line))
 *       ...
 *
 * One thread at a time.
 */
#ifndef WN_INGEST_LINES_H
#define WN_INGEST_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wn_line {
    const char *p; /* without the newline; good until the next call */
    size_t len;    /* line_max + 1 where it was cut                 */
    int64_t start; /* offset of its first byte                      */
    int64_t next;  /* offset of the byte after its newline          */
};

struct wn_lines {
    char *buf;
    size_t cap, line_max;
    size_t pos, have, scanned; /* pos..have is unread; no newline before
                                  scanned                             */
    size_t passed;             /* bytes of a cut line that were let go */
    int64_t at;                /* offset of buf[pos], less passed      */
};

/* Allocates nothing yet; `at` is the offset of the first byte. */
void wn_lines_init(struct wn_lines *l, size_t line_max, int64_t at);
void wn_lines_release(struct wn_lines *l);
/* Where to read at most *ret bytes into; NULL without memory. Only after
 * wn_lines_next() said false. */
char *wn_lines_room(struct wn_lines *l, size_t *ret);
void wn_lines_add(struct wn_lines *l, size_t n);
/* false: no whole line is there. */
bool wn_lines_next(struct wn_lines *l, struct wn_line *ret);
/* What stands after the last newline; false where nothing does. */
bool wn_lines_last(struct wn_lines *l, struct wn_line *ret);
/* Nothing but blanks, tabs and carriage returns. */
bool wn_line_is_blank(const struct wn_line *line);

#endif
