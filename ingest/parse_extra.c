/*
 * post.extra: members of a post that Winnow does not know, as values that a
 * policy can read. Bounded in depth, number and bytes; what is beyond a bound
 * is left out and "post.extra" is named among the bad members.
 */
#include <string.h>

#include "ingest/parse_int.h"

struct extra {
    struct wn_parser *ps;
    size_t nodes, bytes; /* left */
};

static bool value(
    struct extra *x, const json_t *json, int depth, struct wn_value *ret);

static bool
take(struct extra *x, size_t bytes)
{
    if (x->nodes == 0 || bytes > x->bytes) {
        wn_parser_bad(x->ps, "post.extra");
        return false;
    }
    x->nodes--;
    x->bytes -= bytes;
    return true;
}

/* An array in the arena; where that is full the rest of extra is left out. */
static void *
array(struct extra *x, size_t n, size_t size)
{
    void *p = wn_arena_array(&x->ps->item->arena, n, size);

    if (p == NULL)
        wn_parser_bad(x->ps, "post.extra");
    return p;
}

static bool
list(struct extra *x, const json_t *json, int depth, struct wn_value *ret)
{
    size_t i, n = json_array_size(json), kept = 0;
    struct wn_value *v;

    n = n < x->nodes ? n : x->nodes + 1;
    v = array(x, n + 1, sizeof(*v));
    if (v == NULL)
        return false;
    for (i = 0; i < n; i++)
        if (value(x, json_array_get(json, i), depth + 1, &v[kept]))
            kept++;
    ret->kind = WN_VALUE_LIST;
    ret->list.v = v;
    ret->list.n = kept;
    return true;
}

static bool
is_known(const char *key, const char *const *known)
{
    for (; known != NULL && *known != NULL; known++)
        if (strcmp(key, *known) == 0)
            return true;
    return false;
}

static bool
map(struct extra *x, const json_t *json, const char *const *known, int depth,
    struct wn_value *ret)
{
    size_t n = json_object_size(json), kept = 0;
    struct wn_value *v;
    struct wn_str *keys;
    const char *key;
    json_t *member;

    n = n < x->nodes ? n : x->nodes + 1;
    v = array(x, n + 1, sizeof(*v));
    keys = array(x, n + 1, sizeof(*keys));
    if (v == NULL || keys == NULL)
        return false;
    json_object_foreach((json_t *)(uintptr_t)json, key, member)
    {
        if (is_known(key, known))
            continue;
        if (kept == n || !take(x, strlen(key)) ||
            !value(x, member, depth + 1, &v[kept]))
            continue;
        keys[kept] = wn_parser_copy(x->ps, key, strlen(key));
        kept++;
    }
    ret->kind = WN_VALUE_MAP;
    ret->map.keys = keys;
    ret->map.v = v;
    ret->map.n = kept;
    return true;
}

static bool
value(struct extra *x, const json_t *json, int depth, struct wn_value *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (depth > WN_EXTRA_DEPTH_MAX) {
        wn_parser_bad(x->ps, "post.extra");
        return false;
    }
    if (!take(x, json_is_string(json) ? json_string_length(json) : 0))
        return false;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return map(x, json, NULL, depth, ret);
    case JSON_ARRAY:
        return list(x, json, depth, ret);
    case JSON_STRING:
        ret->kind = WN_VALUE_STRING;
        ret->s = wn_parser_copy_json(x->ps, json);
        break;
    case JSON_INTEGER:
        *ret = wn_value_int(json_integer_value(json));
        break;
    case JSON_REAL:
        *ret = wn_value_double(json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret = wn_value_bool(json_is_true(json));
        break;
    case JSON_NULL:
        ret->kind = WN_VALUE_NULL;
        break;
    }
    return true;
}

void
wn_parser_extra(
    struct wn_parser *ps, const json_t *post, const char *const *known)
{
    struct extra x = {
        .ps = ps, .nodes = WN_EXTRA_NODES_MAX, .bytes = WN_EXTRA_BYTES_MAX
    };
    struct wn_value v = { .kind = WN_VALUE_UNKNOWN };

    if (map(&x, post, known, 0, &v))
        ps->item->sig.v[WN_SIG_POST_EXTRA] = v;
}
