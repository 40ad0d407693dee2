/*
 * Macros: calls whose arguments are not all values. all(), exists(),
 * exists_one(), filter(), map(), transformList(), transformMap(),
 * transformMapEntry(), cel.bind(), optMap() and optFlatMap() bring variables;
 * or() and orValue() evaluate their argument only where it is wanted.
 *
 * A macro becomes a node of its own kind: kids[0] is what it goes over, then
 * a condition where there is one, then the body. Its variables are slots of
 * the run, one or two from node->index on.
 */
#include <string.h>

#include "policies/cel_int.h"

#define DYN (&wn_cel_types[WN_CEL_DYN])

static const struct macro {
    const char *name;
    uint8_t args_n; /* with what stands before the dot */
    uint8_t vars_n; /* kids[1], kids[2] are their names */
    enum wn_cel_op op;
} macros[] = {
    { "all", 3, 1, WN_OP_ALL },
    { "all", 4, 2, WN_OP_ALL },
    { "exists", 3, 1, WN_OP_EXISTS },
    { "exists", 4, 2, WN_OP_EXISTS },
    { "exists_one", 3, 1, WN_OP_EXISTS_ONE },
    { "exists_one", 4, 2, WN_OP_EXISTS_ONE },
    { "existsOne", 3, 1, WN_OP_EXISTS_ONE },
    { "existsOne", 4, 2, WN_OP_EXISTS_ONE },
    { "filter", 3, 1, WN_OP_FILTER },
    { "map", 3, 1, WN_OP_MAP_LIST },
    { "map", 4, 1, WN_OP_MAP_LIST },
    { "transformList", 4, 2, WN_OP_MAP_LIST },
    { "transformList", 5, 2, WN_OP_MAP_LIST },
    { "transformMap", 4, 2, WN_OP_MAP_MAP },
    { "transformMap", 5, 2, WN_OP_MAP_MAP },
    { "transformMapEntry", 4, 2, WN_OP_MAP_MAP_ENTRY },
    { "transformMapEntry", 5, 2, WN_OP_MAP_MAP_ENTRY },
    { "optMap", 3, 1, WN_OP_OPT_MAP },
    { "optFlatMap", 3, 1, WN_OP_OPT_FLAT_MAP },
    { "or", 2, 0, WN_OP_OPT_OR },
    { "orValue", 2, 0, WN_OP_OPT_OR_VALUE },
};

static bool
name_is(struct wn_str s, const char *word)
{
    return strlen(word) == s.len && memcmp(word, s.p, s.len) == 0;
}

static const struct macro *
find(const struct wn_cel_node *n)
{
    for (size_t i = 0; n->member && i < sizeof(macros) / sizeof(macros[0]); i++)
        if (macros[i].args_n == n->kids_n && name_is(n->name, macros[i].name))
            return &macros[i];
    return NULL;
}

/* cel.bind(name, value, body) */
static bool
is_bind(const struct wn_cel_node *n)
{
    return n->member && n->kids_n == 4 && name_is(n->name, "bind") &&
           n->kids[0]->op == WN_OP_NAME && name_is(n->kids[0]->name, "cel");
}

/* Declares the names at kids[from] on; the types come later. */
static enum wn_status
add_locals(struct wn_cel_checker *ck, struct wn_cel_node *n, uint32_t from,
    uint32_t vars_n)
{
    n->two = vars_n == 2;
    for (uint32_t i = 0; i < vars_n; i++) {
        const struct wn_cel_node *var = n->kids[from + i];

        if (var->op != WN_OP_NAME)
            return wn_cel_fail(ck->lx, var->at,
                "%.*s() wants the name of a variable here", (int)n->name.len,
                n->name.p);
        if (i == 1 && var->name.len == n->kids[from]->name.len &&
            memcmp(var->name.p, n->kids[from]->name.p, var->name.len) == 0)
            return wn_cel_fail(ck->lx, var->at, "the variable %.*s twice",
                (int)var->name.len, var->name.p);
        if (ck->locals_n == WN_CEL_LOCALS_MAX)
            return wn_cel_fail(ck->lx, var->at, "too many variables");
        ck->locals[ck->locals_n++] = (struct wn_cel_local){ var->name, DYN };
    }
    return WN_OK;
}

/* Checks kids[from] on. */
static enum wn_status
check_bodies(struct wn_cel_checker *ck, struct wn_cel_node *n, uint32_t from)
{
    enum wn_status rc = WN_OK;

    for (uint32_t i = from; rc == WN_OK && i < n->kids_n; i++)
        rc = wn_cel_check_node(ck, n->kids[i]);
    return rc;
}

/* Takes the names out, so that only what is evaluated is left. */
static void
drop_names(struct wn_cel_node *n, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i + count < n->kids_n; i++)
        n->kids[i] = n->kids[i + count];
    n->kids_n -= count;
}

static enum wn_status
want(struct wn_cel_checker *ck, const struct wn_cel_node *n,
    const struct wn_cel_node *kid, enum wn_cel_kind kind, const char *what)
{
    char text[64];

    if (wn_cel_is_kind(kid->type, kind))
        return WN_OK;
    return wn_cel_fail(ck->lx, kid->at, "%.*s() wants %s here, not %s",
        (int)n->name.len, n->name.p, what,
        wn_cel_type_text(kid->type, text, sizeof(text)));
}

/* --- loops --- */

/* What the variables are, over a range of that type. */
static void
type_locals(struct wn_cel_checker *ck, const struct wn_cel_node *n,
    const struct wn_cel_type *range)
{
    struct wn_cel_local *local = &ck->locals[n->index];
    const struct wn_cel_type *elem = range->elem != NULL ? range->elem : DYN;

    if (range->kind == WN_CEL_MAP)
        local[0].type = range->key;
    else if (!n->two)
        local[0].type = elem;
    else if (range->kind == WN_CEL_LIST)
        local[0].type = &wn_cel_types[WN_CEL_INT];
    if (n->two)
        local[1].type = elem;
}

static const struct wn_cel_type *
new_type(struct wn_cel_checker *ck, enum wn_cel_kind kind,
    const struct wn_cel_type *key, const struct wn_cel_type *elem)
{
    struct wn_cel_type *t = wn_arena_alloc(ck->lx->arena, sizeof(*t));

    if (t != NULL)
        *t = (struct wn_cel_type){ kind, key, elem };
    return t;
}

/* The type of the whole; first is that of the first variable. */
static enum wn_status
type_loop(struct wn_cel_checker *ck, struct wn_cel_node *n,
    const struct wn_cel_type *first)
{
    const struct wn_cel_type *range = n->kids[0]->type;
    const struct wn_cel_node *body = n->kids[n->kids_n - 1];

    switch (n->op) {
    case WN_OP_FILTER:
        n->type = range->kind == WN_CEL_LIST
                      ? range
                      : new_type(ck, WN_CEL_LIST, NULL, first);
        break;
    case WN_OP_MAP_LIST:
        n->type = new_type(ck, WN_CEL_LIST, NULL, body->type);
        break;
    case WN_OP_MAP_MAP:
        n->type = new_type(ck, WN_CEL_MAP, first, body->type);
        break;
    case WN_OP_MAP_MAP_ENTRY:
        n->type = body->type->kind == WN_CEL_MAP ? body->type
                                                 : &wn_cel_types[WN_CEL_MAP];
        return want(ck, n, body, WN_CEL_MAP, "a map");
    default:
        n->type = &wn_cel_types[WN_CEL_BOOL];
        break;
    }
    if (n->type == NULL)
        return wn_cel_fail(ck->lx, n->at, "the policy takes too much memory");
    if (n->op == WN_OP_MAP_LIST || n->op == WN_OP_MAP_MAP)
        return WN_OK;
    return want(ck, n, body, WN_CEL_BOOL, "a bool");
}

static enum wn_status
check_range(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_type *range;
    char text[64];
    enum wn_status rc = wn_cel_check_node(ck, n->kids[0]);

    if (rc != WN_OK)
        return rc;
    range = n->kids[0]->type;
    *ck->scans += n->kids[0]->op != WN_OP_CONST;
    if (wn_cel_is_kind(range, WN_CEL_LIST) || range->kind == WN_CEL_MAP)
        return WN_OK;
    return wn_cel_fail(ck->lx, n->at, "%.*s() goes over lists and maps, not %s",
        (int)n->name.len, n->name.p,
        wn_cel_type_text(range, text, sizeof(text)));
}

static enum wn_status
check_loop(struct wn_cel_checker *ck, struct wn_cel_node *n, uint32_t vars_n)
{
    const struct wn_cel_type *first = DYN;
    enum wn_status rc = check_range(ck, n);

    if (rc != WN_OK)
        return rc;
    n->index = ck->locals_n;
    rc = add_locals(ck, n, 1, vars_n);
    if (rc == WN_OK) {
        type_locals(ck, n, n->kids[0]->type);
        first = ck->locals[n->index].type;
        rc = check_bodies(ck, n, 1 + vars_n);
    }
    ck->locals_n = n->index;
    if (rc != WN_OK)
        return rc;
    drop_names(n, 1, vars_n);
    if (n->kids_n == 3)
        rc = want(ck, n, n->kids[1], WN_CEL_BOOL, "a bool");
    return rc == WN_OK ? type_loop(ck, n, first) : rc;
}

/* --- the others --- */

static enum wn_status
check_bind(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    enum wn_status rc;

    n->op = WN_OP_BIND;
    n->kids++; /* `cel` */
    n->kids_n--;
    rc = wn_cel_check_node(ck, n->kids[1]);
    if (rc != WN_OK)
        return rc;
    n->index = ck->locals_n;
    rc = add_locals(ck, n, 0, 1);
    if (rc == WN_OK) {
        ck->locals[n->index].type = n->kids[1]->type;
        rc = check_bodies(ck, n, 2);
    }
    ck->locals_n = n->index;
    if (rc != WN_OK)
        return rc;
    drop_names(n, 0, 1);
    n->type = n->kids[1]->type;
    return WN_OK;
}

/* optMap, optFlatMap, or, orValue: kids[0] is an optional. */
static enum wn_status
check_optional(
    struct wn_cel_checker *ck, struct wn_cel_node *n, uint32_t vars_n)
{
    enum wn_status rc = wn_cel_check_node(ck, n->kids[0]);

    if (rc == WN_OK)
        rc = want(ck, n, n->kids[0], WN_CEL_OPTIONAL, "an optional");
    if (rc != WN_OK)
        return rc;
    n->index = ck->locals_n;
    rc = add_locals(ck, n, 1, vars_n);
    if (rc == WN_OK)
        rc = check_bodies(ck, n, 1 + vars_n);
    ck->locals_n = n->index;
    if (rc != WN_OK)
        return rc;
    drop_names(n, 1, vars_n);
    n->type =
        n->op == WN_OP_OPT_OR_VALUE ? DYN : &wn_cel_types[WN_CEL_OPTIONAL];
    if (n->op == WN_OP_OPT_OR || n->op == WN_OP_OPT_FLAT_MAP)
        return want(ck, n, n->kids[1], WN_CEL_OPTIONAL, "an optional");
    return WN_OK;
}

enum wn_status
wn_cel_check_macro(
    struct wn_cel_checker *ck, struct wn_cel_node *n, bool *ret_is)
{
    const struct macro *m = find(n);

    *ret_is = m != NULL || is_bind(n);
    if (m == NULL)
        return *ret_is ? check_bind(ck, n) : WN_OK;
    n->op = m->op;
    switch (m->op) {
    case WN_OP_OPT_MAP:
    case WN_OP_OPT_FLAT_MAP:
    case WN_OP_OPT_OR:
    case WN_OP_OPT_OR_VALUE:
        return check_optional(ck, n, m->vars_n);
    default:
        return check_loop(ck, n, m->vars_n);
    }
}
