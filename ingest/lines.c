/*
 * The buffer holds one line and one chunk. Of a line over the bound the first
 * line_max + 1 bytes stay at its front, chunks are read behind them, and what
 * has no newline in it is let go again (`passed`).
 */
#include "ingest/lines.h"

#include <stdlib.h>
#include <string.h>

#include "core/status.h"

#define CHUNK ((size_t)128 << 10)

void
wn_lines_init(struct wn_lines *l, size_t line_max, int64_t at)
{
    *l = (struct wn_lines){ .line_max = line_max, .at = at };
}

void
wn_lines_release(struct wn_lines *l)
{
    free(l->buf);
    wn_lines_init(l, l->line_max, l->at);
}

/* The pending bytes go to the front; those over the bound go altogether. */
static void
settle(struct wn_lines *l)
{
    size_t pending = l->have - l->pos, keep = l->line_max + 1;

    if (pending > 0 && l->pos > 0)
        memmove(l->buf, l->buf + l->pos, pending);
    if (pending > keep) {
        l->passed += pending - keep;
        pending = keep;
    }
    l->pos = 0;
    l->have = l->scanned = pending;
}

char *
wn_lines_room(struct wn_lines *l, size_t *ret)
{
    size_t cap;
    char *buf;

    settle(l);
    if (l->cap - l->have < CHUNK) {
        cap = l->cap == 0 ? 2 * CHUNK : 2 * l->cap;
        if (cap > l->line_max + 1 + CHUNK)
            cap = l->line_max + 1 + CHUNK;
        if (cap > l->cap) {
            buf = realloc(l->buf, cap);
            if (buf == NULL)
                return NULL;
            l->buf = buf;
            l->cap = cap;
        }
    }
    *ret = l->cap - l->have;
    return l->buf + l->have;
}

void
wn_lines_add(struct wn_lines *l, size_t n)
{
    WN_ASSERT(n <= l->cap - l->have);
    l->have += n;
}

/* The line from pos to `end`, with `newline` bytes behind it. */
static void
take(struct wn_lines *l, size_t end, size_t newline, struct wn_line *ret)
{
    size_t len = end - l->pos;

    ret->p = l->buf + l->pos;
    ret->start = l->at;
    ret->next = l->at + (int64_t)(l->passed + len + newline);
    ret->len = len > l->line_max ? l->line_max + 1 : len;
    l->at = ret->next;
    l->passed = 0;
    l->pos = l->scanned = end + newline;
}

bool
wn_lines_next(struct wn_lines *l, struct wn_line *ret)
{
    const char *nl;

    if (l->scanned >= l->have)
        return false;
    nl = memchr(l->buf + l->scanned, '\n', l->have - l->scanned);
    if (nl == NULL) {
        l->scanned = l->have;
        return false;
    }
    take(l, (size_t)(nl - l->buf), 1, ret);
    return true;
}

bool
wn_lines_last(struct wn_lines *l, struct wn_line *ret)
{
    if (l->have == l->pos)
        return false;
    take(l, l->have, 0, ret);
    return true;
}

bool
wn_line_is_blank(const struct wn_line *line)
{
    for (size_t i = 0; i < line->len; i++) {
        if (line->p[i] != ' ' && line->p[i] != '\t' && line->p[i] != '\r')
            return false;
    }
    return true;
}
