/*
 * The bump allocator. Blocks form a list; only the last one is filled. An
 * allocation larger than a block gets a block of its own size.
 *
 * Under AddressSanitizer everything not handed out is off limits, and a red
 * zone lies between allocations (see core/asan.h), so a pointer kept across
 * wn_arena_reset() or run past its end is found as with malloc.
 */
#include "core/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/asan.h"
#include "core/status.h"

#define ALIGN ((size_t)16)

struct wn_arena_block {
    struct wn_arena_block *next;
    size_t size, used; /* of data */
    _Alignas(16) unsigned char data[];
};

void
wn_arena_init(struct wn_arena *a, size_t block_bytes, size_t bytes_max)
{
    *a = (struct wn_arena){
        .block_bytes = block_bytes,
        .bytes_max = bytes_max,
    };
}

static void
free_blocks(struct wn_arena *a, struct wn_arena_block *b)
{
    struct wn_arena_block *next;

    for (; b != NULL; b = next) {
        next = b->next;
        a->bytes -= sizeof(*b) + b->size;
        WN_UNPOISON(b->data, b->size);
        free(b);
    }
}

void
wn_arena_release(struct wn_arena *a)
{
    free_blocks(a, a->first);
    a->first = a->last = NULL;
    WN_ASSERT(a->bytes == 0);
}

void
wn_arena_reset(struct wn_arena *a)
{
    if (a->first == NULL)
        return;
    free_blocks(a, a->first->next);
    a->first->next = NULL;
    a->first->used = 0;
    a->last = a->first;
    WN_POISON(a->first->data, a->first->size);
}

/* A new last block with room for `need` bytes; false where the bound is. */
static bool
add_block(struct wn_arena *a, size_t need)
{
    struct wn_arena_block *b;
    size_t left = a->bytes_max - a->bytes, size = a->block_bytes;

    if (left < sizeof(*b) || need > left - sizeof(*b))
        return false;
    if (size < need)
        size = need;
    if (size > left - sizeof(*b))
        size = left - sizeof(*b);
    b = malloc(sizeof(*b) + size);
    if (b == NULL)
        return false;
    b->next = NULL;
    b->size = size;
    b->used = 0;
    WN_POISON(b->data, size);
    if (a->last == NULL)
        a->first = b;
    else
        a->last->next = b;
    a->last = b;
    a->bytes += sizeof(*b) + size;
    return true;
}

void *
wn_arena_alloc(struct wn_arena *a, size_t bytes)
{
    struct wn_arena_block *b = a->last;
    size_t need;
    void *p;

    if (bytes > SIZE_MAX - ALIGN - WN_RED_ZONE)
        return NULL;
    /* An empty allocation still gets an address of its own. */
    need = bytes == 0 ? ALIGN : (bytes + ALIGN - 1) & ~(ALIGN - 1);
    need += WN_RED_ZONE;
    if (b == NULL || need > b->size - b->used) {
        if (!add_block(a, need))
            return NULL;
        b = a->last;
    }
    p = b->data + b->used;
    b->used += need;
    WN_UNPOISON(p, bytes);
    return p;
}

void *
wn_arena_zalloc(struct wn_arena *a, size_t bytes)
{
    void *p = wn_arena_alloc(a, bytes);

    if (p != NULL)
        memset(p, 0, bytes);
    return p;
}

void *
wn_arena_array(struct wn_arena *a, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    return wn_arena_alloc(a, bytes);
}

char *
wn_arena_strndup(struct wn_arena *a, const char *p, size_t len)
{
    char *s;

    if (len == SIZE_MAX)
        return NULL;
    s = wn_arena_alloc(a, len + 1);
    if (s == NULL)
        return NULL;
    if (len > 0)
        memcpy(s, p, len);
    s[len] = '\0';
    return s;
}

char *
wn_arena_printf(struct wn_arena *a, const char *fmt, ...)
{
    va_list ap;
    char *s;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0)
        return NULL;
    s = wn_arena_alloc(a, (size_t)len + 1);
    if (s == NULL)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(s, (size_t)len + 1, fmt, ap);
    va_end(ap);
    return s;
}
