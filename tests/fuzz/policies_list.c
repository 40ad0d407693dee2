/*
 * libFuzzer: any bytes as the text of a list, of the kind that the first byte
 * says. What is taken as an entry is found again, and so is what lies under a
 * domain; any line may be looked up in it.
 */
#include <stdlib.h>
#include <string.h>

#include "policies/list_int.h"

#define MAX ((size_t)1 << 16)

/* Is the entry found? A list of itself alone, so that nothing else is. */
static void
check_entry(enum wn_list_kind kind, const char *p, size_t len)
{
    char under[WN_LIST_ENTRY_MAX + 8];
    struct wn_err err = { "" };
    struct wn_list *l;

    if (wn_list_new(&l, "fuzz", kind, &err) != WN_OK)
        abort();
    if (wn_list_add(l, p, len, &err) == WN_OK &&
        wn_list_finish(l, &err) == WN_OK) {
        bool plain = kind == WN_LIST_EXACT ||
                     (kind == WN_LIST_DOMAIN && p[0] != '*' && p[0] != '.');

        if (plain && !wn_list_has(l, p, len))
            abort();
        if (kind == WN_LIST_DOMAIN && plain && (unsigned char)p[0] > ' ') {
            memcpy(under, "a.", 2);
            memcpy(under + 2, p, len);
            if (len < 200 && !wn_list_has(l, under, len + 2))
                abort();
        }
    } else if (err.text[0] == '\0') {
        abort();
    }
    wn_list_drop(l);
}

static void
check_text(enum wn_list_kind kind, const char *p, size_t len)
{
    struct wn_err err = { "" };
    unsigned long line = 0;
    struct wn_list *l;

    if (wn_list_new(&l, "fuzz", kind, &err) != WN_OK)
        abort();
    if (wn_list_add_text(l, p, len, "text", &line, &err) == WN_OK &&
        wn_list_finish(l, &err) == WN_OK)
        wn_list_has(l, p, len);
    wn_list_drop(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data + 1, *nl;
    enum wn_list_kind kind;

    if (size < 2 || size > MAX)
        return 0;
    kind = (enum wn_list_kind)(data[0] % WN_LIST_KINDS);
    size--;
    check_text(kind, p, size);
    for (; size > 0; p = nl + 1) {
        size_t len;

        nl = memchr(p, '\n', size);
        len = nl != NULL ? (size_t)(nl - p) : size;
        check_entry(kind, p, len);
        if (nl == NULL)
            break;
        size -= len + 1;
    }
    return 0;
}
