/*
 * Types of expressions: how they are called and which go together.
 */
#include <stdio.h>

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
    [WN_CEL_LIST]   = { WN_CEL_LIST, NULL, DYN },
    [WN_CEL_MAP]    = { WN_CEL_MAP, DYN, DYN },
};
const struct wn_cel_type wn_cel_list_string
    = { WN_CEL_LIST, NULL, &wn_cel_types[WN_CEL_STRING] };
const struct wn_cel_type wn_cel_map_string
    = { WN_CEL_MAP, &wn_cel_types[WN_CEL_STRING], DYN };

static const char *const kind_names[WN_CEL_KINDS] = { "unknown", "error",
    "dyn", "null", "bool", "int", "uint", "double", "string", "list", "map" };
/* clang-format on */

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

bool
wn_cel_orderable(const struct wn_cel_type *a, const struct wn_cel_type *b)
{
    if (wn_cel_numeric(a) && wn_cel_numeric(b))
        return true;
    if (!wn_cel_agree(a, b))
        return false;
    return a->kind != WN_CEL_NULL && a->elem == NULL &&
           b->kind != WN_CEL_NULL && b->elem == NULL;
}
