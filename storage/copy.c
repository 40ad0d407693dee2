/*
 * The binary format of COPY: a header, rows of counted fields, a trailer.
 * Lengths are checked, because a wrong one would be read as the next field.
 */
#include <string.h>

#include "storage/batch_int.h"

#define FIELD_MAX (256u << 20) /* far under PostgreSQL's 1 GiB */

void
wn_copy_begin(struct wn_buf *b)
{
    wn_buf_reset(b);
    wn_buf_add(b, "PGCOPY\n\377\r\n\0", 11);
    wn_buf_u32(b, 0); /* flags */
    wn_buf_u32(b, 0); /* header extension */
}

void
wn_copy_row(struct wn_buf *b, uint16_t fields)
{
    wn_buf_u16(b, fields);
}

void
wn_copy_null(struct wn_buf *b)
{
    wn_buf_u32(b, UINT32_MAX);
}

static void
big_endian(uint8_t *p, uint64_t v, int bytes)
{
    while (bytes > 0) {
        p[--bytes] = (uint8_t)v;
        v >>= 8;
    }
}

/* One reservation a field: these are most of what is written. */
static void
number(struct wn_buf *b, uint64_t v, int bytes)
{
    uint8_t *p = wn_buf_reserve(b, 4 + (size_t)bytes);

    if (p == NULL)
        return;
    big_endian(p, (uint64_t)bytes, 4);
    big_endian(p + 4, v, bytes);
}

void
wn_copy_i16(struct wn_buf *b, int16_t v)
{
    number(b, (uint64_t)v, 2);
}

void
wn_copy_i32(struct wn_buf *b, int32_t v)
{
    number(b, (uint64_t)v, 4);
}

void
wn_copy_i64(struct wn_buf *b, int64_t v)
{
    number(b, (uint64_t)v, 8);
}

void
wn_copy_time(struct wn_buf *b, int64_t us)
{
    wn_copy_i64(b, us - WN_PG_EPOCH_US);
}

void
wn_copy_bytes(struct wn_buf *b, const void *p, size_t len)
{
    if (len > FIELD_MAX) {
        b->failed = true;
        return;
    }
    wn_buf_u32(b, (uint32_t)len);
    wn_buf_add(b, p, len);
}

void
wn_copy_str(struct wn_buf *b, struct wn_str s)
{
    if (s.p == NULL)
        wn_copy_null(b);
    else
        wn_copy_bytes(b, s.p, s.len);
}

void
wn_copy_buf(struct wn_buf *b, const struct wn_buf *built)
{
    if (built->failed)
        b->failed = true;
    else
        wn_copy_bytes(b, built->data, built->len);
}

void
wn_copy_jsonb(struct wn_buf *b, const struct wn_buf *json)
{
    if (json->failed || json->len > FIELD_MAX) {
        b->failed = true;
        return;
    }
    wn_buf_u32(b, (uint32_t)json->len + 1);
    wn_buf_char(b, 1); /* version of jsonb's binary form */
    wn_buf_add(b, json->data, json->len);
}

void
wn_copy_end(struct wn_buf *b)
{
    wn_buf_u16(b, UINT16_MAX);
}
