/*
 * libFuzzer: any bytes as what we are said to have written. The reader stays
 * within them and always goes on; what passes the check is what the writer
 * makes of it again, to the byte.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cbor.h"

static void
must(bool holds)
{
    if (!holds)
        abort();
}

/* Item after item, whatever they would mean together. */
static void
read_all(const uint8_t *data, size_t size)
{
    struct wn_cbor_reader r = { data, data + size }, before;
    struct wn_cbor_item it;
    struct wn_err err = { "" };

    for (;;) {
        before = r;
        if (wn_cbor_next(&r, &it, &err) != WN_OK)
            break;
        must(r.p > before.p && r.p <= r.end && r.end == before.end);
        if (it.kind == WN_CBOR_BYTES || it.kind == WN_CBOR_TEXT)
            must((const uint8_t *)it.p >= before.p &&
                 it.u <= (uint64_t)(r.end - (const uint8_t *)it.p));
        if (it.kind == WN_CBOR_ARRAY || it.kind == WN_CBOR_MAP)
            must(it.u <= (uint64_t)(r.end - r.p));
    }
    must(err.text[0] != '\0');
    must(r.p == before.p && r.end == before.end);
}

/* -1 - n. CBOR's integers go farther down than any int64_t, and the reader
 * follows them; the writer has the same head for n itself. */
static void
write_negative(struct wn_buf *b, uint64_t n)
{
    size_t at = b->len;

    if (n <= INT64_MAX) {
        wn_cbor_int(b, -1 - (int64_t)n);
        return;
    }
    wn_cbor_uint(b, n);
    must(!b->failed);
    b->data[at] |= 0x20;
}

static void
write_head(struct wn_buf *b, const struct wn_cbor_item *it)
{
    switch (it->kind) {
    case WN_CBOR_UINT:
        wn_cbor_uint(b, it->u);
        break;
    case WN_CBOR_NINT:
        write_negative(b, it->u);
        break;
    case WN_CBOR_BYTES:
        wn_cbor_bytes(b, it->p, it->u);
        break;
    case WN_CBOR_TEXT:
        wn_cbor_text(b, it->p, it->u);
        break;
    case WN_CBOR_ARRAY:
        wn_cbor_array(b, it->u);
        break;
    case WN_CBOR_MAP:
        wn_cbor_map(b, it->u);
        break;
    case WN_CBOR_BOOL:
        wn_cbor_bool(b, it->u != 0);
        break;
    case WN_CBOR_NULL:
        wn_cbor_null(b);
        break;
    case WN_CBOR_DOUBLE:
        wn_cbor_double(b, it->d);
        break;
    }
}

/* Elements follow their head, so a flat walk writes the same tree. */
static void
write_again(const uint8_t *data, size_t size)
{
    struct wn_cbor_reader r = { data, data + size };
    struct wn_cbor_item it;
    struct wn_err err;
    struct wn_buf b;

    wn_buf_init(&b, size + 64);
    while (r.p < r.end) {
        must(wn_cbor_next(&r, &it, &err) == WN_OK);
        write_head(&b, &it);
    }
    must(!b.failed && b.len == size && memcmp(b.data, data, size) == 0);
    wn_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wn_err err = { "" };
    enum wn_status rc;

    if (size > (size_t)1 << 16)
        return 0;
    read_all(data, size);
    rc = wn_cbor_check(data, size, &err);
    must(rc == WN_OK || (rc == WN_REJECT && err.text[0] != '\0'));
    if (rc == WN_OK)
        write_again(data, size);
    return 0;
}
