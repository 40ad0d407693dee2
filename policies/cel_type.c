/*
 * Types of expressions: how they are called and which go together.
 */
#include <stdio.h>
#include <string.h>

#include "policies/cel_int.h"

#define DYN (&wn_cel_types[WN_CEL_DYN])

/* clang-format off */
const struct wn_cel_type wn_cel_types[WN_CEL_KINDS] = {
    [WN_CEL_DYN]    = { WN_CEL_DYN, NULL, NULL },
    [WN_CEL_NULL]   = { WN_CEL_NULL, NULL, NULL },
    [WN_CEL_BOOL]   = { WN_CEL_BOOL, NULL, NULL },
    [WN_CEL_INT]    = { WN_CEL_INT, NULL, NULL },
    [WN_CEL_UINT]   = { WN_CEL_UINT, NULL, NULL },
    [WN_CEL_DOUBLE] = { WN_CEL_DOUBLE, NULL, NULL },
    [WN_CEL_STRING] = { WN_CEL_STRING, NULL, NULL },
    [WN_CEL_BYTES]  = { WN_CEL_BYTES, NULL, NULL },
    [WN_CEL_LIST]   = { WN_CEL_LIST, NULL, DYN },
    [WN_CEL_MAP]    = { WN_CEL_MAP, DYN, DYN },
    [WN_CEL_TIMESTAMP] = { WN_CEL_TIMESTAMP, NULL, NULL },
    [WN_CEL_DURATION]  = { WN_CEL_DURATION, NULL, NULL },
    [WN_CEL_TYPE]      = { WN_CEL_TYPE, NULL, NULL },
    [WN_CEL_OPTIONAL]  = { WN_CEL_OPTIONAL, NULL, NULL },
};
const struct wn_cel_type wn_cel_list_string
    = { WN_CEL_LIST, NULL, &wn_cel_types[WN_CEL_STRING] };
const struct wn_cel_type wn_cel_map_string
    = { WN_CEL_MAP, &wn_cel_types[WN_CEL_STRING], DYN };

static const char *const kind_names[WN_CEL_KINDS] = { "unknown", "error",
    "dyn", "null", "bool", "int", "uint", "double", "string", "bytes", "list",
    "map", "timestamp", "duration", "type", "optional" };
/* As type() shows them, and as names in expressions. */
static const char *const type_names[WN_CEL_KINDS] = { NULL, NULL, NULL,
    "null_type", "bool", "int", "uint", "double", "string", "bytes", "list",
    "map", "google.protobuf.Timestamp", "google.protobuf.Duration", "type",
    "optional_type" };
/* clang-format on */

const struct wn_cel_type *
wn_cel_signal_type(enum wn_signal_type type)
{
    switch (type) {
    case WN_TYPE_BOOL:
        return &wn_cel_types[WN_CEL_BOOL];
    case WN_TYPE_INT:
        return &wn_cel_types[WN_CEL_INT];
    case WN_TYPE_DOUBLE:
        return &wn_cel_types[WN_CEL_DOUBLE];
    case WN_TYPE_STRING:
        return &wn_cel_types[WN_CEL_STRING];
    case WN_TYPE_LIST:
        return &wn_cel_list_string;
    case WN_TYPE_MAP:
        break;
    }
    return &wn_cel_map_string;
}

const char *
wn_cel_type_text(const struct wn_cel_type *type, char *buf, size_t len)
{
    char key[64], elem[64];

    if (len > 64)
        len = 64;
    if (type->elem == NULL)
        snprintf(buf, len, "%s", kind_names[type->kind]);
    else if (type->elem->elem != NULL) /* deep ones are not worth the room */
        snprintf(buf, len, "%s(...)", kind_names[type->kind]);
    else if (type->key == NULL)
        snprintf(buf, len, "list(%s)",
            wn_cel_type_text(type->elem, elem, sizeof(elem)));
    else
        snprintf(buf, len, "map(%s, %s)", wn_cel_type_text(type->key, key, 20),
            wn_cel_type_text(type->elem, elem, 20));
    return buf;
}

const char *
wn_cel_type_name(enum wn_cel_kind kind)
{
    return type_names[kind] != NULL ? type_names[kind] : kind_names[kind];
}

bool
wn_cel_type_find(const char *p, size_t len, enum wn_cel_kind *ret)
{
    for (int k = WN_CEL_NULL; k < WN_CEL_KINDS; k++) {
        if (strlen(type_names[k]) == len &&
            memcmp(type_names[k], p, len) == 0) {
            *ret = (enum wn_cel_kind)k;
            return true;
        }
    }
    return false;
}

bool
wn_cel_numeric(const struct wn_cel_type *t)
{
    return t->kind >= WN_CEL_INT && t->kind <= WN_CEL_DOUBLE;
}

bool
wn_cel_is_kind(const struct wn_cel_type *t, enum wn_cel_kind kind)
{
    return t->kind == kind || t->kind == WN_CEL_DYN;
}

bool
wn_cel_agree(const struct wn_cel_type *a, const struct wn_cel_type *b)
{
    while (a->kind == b->kind && a->elem != NULL) {
        if (a->key != NULL && !wn_cel_agree(a->key, b->key))
            return false;
        a = a->elem;
        b = b->elem;
    }
    return a->kind == b->kind || a->kind == WN_CEL_DYN || b->kind == WN_CEL_DYN;
}

bool
wn_cel_same_type(const struct wn_cel_type *a, const struct wn_cel_type *b)
{
    while (a->kind == b->kind && a->elem != NULL) {
        if (a->key != NULL && !wn_cel_same_type(a->key, b->key))
            return false;
        a = a->elem;
        b = b->elem;
    }
    return a->kind == b->kind;
}

bool
wn_cel_equatable(const struct wn_cel_type *a, const struct wn_cel_type *b)
{
    return wn_cel_agree(a, b) || (wn_cel_numeric(a) && wn_cel_numeric(b));
}

static bool
has_order(enum wn_cel_kind kind)
{
    switch (kind) {
    case WN_CEL_NULL:
    case WN_CEL_LIST:
    case WN_CEL_MAP:
    case WN_CEL_TYPE:
    case WN_CEL_OPTIONAL:
        return false;
    default:
        return true;
    }
}

bool
wn_cel_orderable(const struct wn_cel_type *a, const struct wn_cel_type *b)
{
    if (wn_cel_numeric(a) && wn_cel_numeric(b))
        return true;
    if (!wn_cel_agree(a, b))
        return false;
    return has_order(a->kind) && has_order(b->kind);
}

const struct wn_cel_type *
wn_cel_type_join(const struct wn_cel_type *a, const struct wn_cel_type *b)
{
    if (a == NULL)
        return b;
    return wn_cel_same_type(a, b) ? a : &wn_cel_types[WN_CEL_DYN];
}
