/*
 * A bump allocator: many small allocations that die together.
 *
 * An arena grows in blocks up to bytes_max and never beyond. wn_arena_reset()
 * makes it empty and keeps its first block, so a warm arena does not call
 * malloc. One thread at a time.
 */
#ifndef WN_CORE_ARENA_H
#define WN_CORE_ARENA_H

#include <stddef.h>

struct wn_arena_block;
struct wn_arena {
    struct wn_arena_block *first, *last;
    size_t block_bytes; /* size of a new block                    */
    size_t bytes;       /* held from malloc, all blocks            */
    size_t bytes_max;   /* wn_arena_alloc() returns NULL beyond it */
};

/* Allocates nothing yet. */
void wn_arena_init(struct wn_arena *a, size_t block_bytes, size_t bytes_max);
void wn_arena_release(struct wn_arena *a);
void wn_arena_reset(struct wn_arena *a);

/* Aligned to 16, not cleared; NULL when bytes_max or malloc says no. */
void *wn_arena_alloc(struct wn_arena *a, size_t bytes);
void *wn_arena_zalloc(struct wn_arena *a, size_t bytes);
/* n * size with the overflow checked. */
void *wn_arena_array(struct wn_arena *a, size_t n, size_t size);
/* Copies len bytes and adds a NUL that is not counted. */
char *wn_arena_strndup(struct wn_arena *a, const char *p, size_t len);
char *wn_arena_printf(struct wn_arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
