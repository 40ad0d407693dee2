/*
 * libFuzzer: any bytes through every envelope and the loose form. The first
 * byte chooses; whatever comes out must be dead with a cause or have an id and
 * valid UTF-8.
 */
#include <stdlib.h>

#include "ingest/parse.h"
#include "ingest/repair.h"

#define MAX ((size_t)1 << 16)

static void
check_utf8(struct wn_str s)
{
    struct wn_buf out;

    wn_buf_init(&out, s.len * 3 + 64);
    if (s.p != NULL && wn_repair_text(&out, s.p, s.len) != 0)
        abort();
    wn_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wn_item *item;

    if (size == 0 || size > MAX)
        return 0;
    item = wn_item_new(32 * MAX);
    if (item == NULL)
        return 0;
    item->rec.time_us = WN_TIME_UNKNOWN;
    item->rec.raw = (struct wn_str){ (const char *)data + 1, size - 1 };
    if (data[0] % 6 == 5)
        wn_parse_loose(item, MAX);
    else
        wn_parse(item, (enum wn_format)(data[0] % 6), MAX);
    if (item->outcome == WN_DEAD ? item->cause.len == 0
                                 : item->post.id.p == NULL)
        abort();
    check_utf8(item->post.id);
    check_utf8(item->post.text);
    wn_item_free(item);
    return 0;
}
