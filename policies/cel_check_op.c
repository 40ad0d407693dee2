/*
 * The check of literals and operators: what their operands may be, and the
 * type of what they give. Constant lists and maps become constants here.
 */
#include <string.h>

#include "policies/cel_int.h"

#define DYN (&wn_cel_types[WN_CEL_DYN])

/* clang-format off */
/* How an operator is written, for errors. */
static const char *const op_names[] = {
    [WN_OP_NOT] = "!",  [WN_OP_NEG] = "-",  [WN_OP_INDEX] = "[]",
    [WN_OP_EQ] = "==",  [WN_OP_NE] = "!=",  [WN_OP_LT] = "<",
    [WN_OP_LE] = "<=",  [WN_OP_GT] = ">",   [WN_OP_GE] = ">=",
    [WN_OP_IN] = "in",  [WN_OP_ADD] = "+",  [WN_OP_SUB] = "-",
    [WN_OP_MUL] = "*",  [WN_OP_DIV] = "/",  [WN_OP_MOD] = "%",
    [WN_OP_AND] = "&&", [WN_OP_OR] = "||",
};
/* clang-format on */

static enum wn_status
fail_memory(const struct wn_cel_checker *ck, const struct wn_cel_node *n)
{
    return wn_cel_fail(ck->lx, n->at, "the policy takes too much memory");
}

static enum wn_status
fail_types(const struct wn_cel_checker *ck, const struct wn_cel_node *n,
    const char *verb, const char *hint)
{
    char a[64], b[64];

    return wn_cel_fail(ck->lx, n->at, "'%s' cannot %s %s and %s%s",
        op_names[n->op], verb, wn_cel_type_text(n->kids[0]->type, a, sizeof(a)),
        wn_cel_type_text(n->kids[1]->type, b, sizeof(b)), hint);
}

/* --- literals --- */

static bool
all_const(const struct wn_cel_node *n)
{
    for (uint32_t i = 0; i < n->kids_n; i++)
        if (n->kids[i]->op != WN_OP_CONST)
            return false;
    return true;
}

/* Every step-th kid from `from`, as an array of values. */
static struct wn_cel_value *
const_kids(struct wn_cel_checker *ck, const struct wn_cel_node *n,
    uint32_t from, uint32_t step)
{
    struct wn_cel_value *v =
        wn_arena_array(ck->lx->arena, n->kids_n / step + 1, sizeof(*v));

    for (uint32_t i = from; v != NULL && i < n->kids_n; i += step)
        v[i / step] = n->kids[i]->value;
    return v;
}

enum wn_status
wn_cel_check_list(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    struct wn_cel_type *type = wn_arena_zalloc(ck->lx->arena, sizeof(*type));
    enum wn_status rc;

    if (type == NULL)
        return fail_memory(ck, n);
    type->kind = WN_CEL_LIST;
    for (uint32_t i = 0; i < n->kids_n; i++) {
        rc = wn_cel_check_node(ck, n->kids[i]);
        if (rc != WN_OK)
            return rc;
        type->elem = wn_cel_type_join(type->elem, n->kids[i]->type);
    }
    if (type->elem == NULL)
        type->elem = DYN;
    n->type = type;
    if (!all_const(n))
        return WN_OK;
    memset(&n->value, 0, sizeof(n->value));
    n->value.kind = WN_CEL_LIST;
    n->value.seq.n = n->kids_n;
    n->value.seq.v = const_kids(ck, n, 0, 1);
    if (n->value.seq.v == NULL)
        return fail_memory(ck, n);
    n->op = WN_OP_CONST;
    return WN_OK;
}

/* A map of constants becomes one; a key given twice is seen here already. */
static enum wn_status
fold_map(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    struct wn_cel_value map = { .kind = WN_CEL_MAP };

    map.seq.v = const_kids(ck, n, 1, 2);
    map.seq.keys = const_kids(ck, n, 0, 2);
    if (map.seq.v == NULL || map.seq.keys == NULL)
        return fail_memory(ck, n);
    for (; map.seq.n < n->kids_n / 2; map.seq.n++) {
        struct wn_cel_value found;

        wn_cel_run_reset(ck->run);
        if (!wn_cel_is_key(&n->kids[2 * map.seq.n]->value))
            return WN_OK; /* not checked: an error when it is evaluated */
        found = wn_cel_in(ck->run, &n->kids[2 * map.seq.n]->value, &map);
        if (found.kind != WN_CEL_BOOL || found.b)
            return wn_cel_fail(ck->lx, n->kids[2 * map.seq.n]->at,
                "the map has this key already");
    }
    n->value = map;
    n->op = WN_OP_CONST;
    return WN_OK;
}

static bool
may_be_key(enum wn_cel_kind kind)
{
    return kind == WN_CEL_DYN || kind == WN_CEL_BOOL || kind == WN_CEL_INT ||
           kind == WN_CEL_UINT || kind == WN_CEL_STRING;
}

enum wn_status
wn_cel_check_map(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    struct wn_cel_type *type = wn_arena_zalloc(ck->lx->arena, sizeof(*type));
    enum wn_status rc;

    if (type == NULL)
        return fail_memory(ck, n);
    type->kind = WN_CEL_MAP;
    for (uint32_t i = 0; i < n->kids_n; i++) {
        const struct wn_cel_type **part = i % 2 ? &type->elem : &type->key;
        enum wn_cel_kind kind;

        rc = wn_cel_check_node(ck, n->kids[i]);
        if (rc != WN_OK)
            return rc;
        kind = n->kids[i]->type->kind;
        if (i % 2 == 0 && !may_be_key(kind))
            return wn_cel_fail(ck->lx, n->kids[i]->at,
                "a map's keys are strings, ints, uints or bools");
        *part = wn_cel_type_join(*part, n->kids[i]->type);
    }
    if (type->key == NULL)
        type->key = type->elem = DYN;
    n->type = type;
    return all_const(n) ? fold_map(ck, n) : WN_OK;
}

/* --- operators: the kids are checked --- */

static enum wn_status
check_logic(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    char a[64];

    for (uint32_t i = 0; i < n->kids_n; i++)
        if (!wn_cel_is_kind(n->kids[i]->type, WN_CEL_BOOL))
            return wn_cel_fail(ck->lx, n->kids[i]->at,
                "'%s' wants a bool, this is %s", op_names[n->op],
                wn_cel_type_text(n->kids[i]->type, a, sizeof(a)));
    n->type = &wn_cel_types[WN_CEL_BOOL];
    return WN_OK;
}

static enum wn_status
check_neg(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_type *t = n->kids[0]->type;
    char a[64];

    if (!wn_cel_is_kind(t, WN_CEL_INT) && t->kind != WN_CEL_DOUBLE)
        return wn_cel_fail(ck->lx, n->at,
            "'-' wants an int or a double, "
            "not %s",
            wn_cel_type_text(t, a, sizeof(a)));
    n->type = t;
    return WN_OK;
}

static enum wn_status
check_compare(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_type *a = n->kids[0]->type, *b = n->kids[1]->type;
    bool equality = n->op == WN_OP_EQ || n->op == WN_OP_NE;

    if (equality ? !wn_cel_equatable(a, b) : !wn_cel_orderable(a, b))
        return fail_types(ck, n, "compare", "");
    n->type = &wn_cel_types[WN_CEL_BOOL];
    /* Elements of unknown depth are compared one by one. */
    *ck->scans += equality && a->kind == b->kind &&
                  (a->elem != NULL || a->kind == WN_CEL_DYN);
    return WN_OK;
}

static enum wn_status
check_in(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_type *a = n->kids[0]->type, *b = n->kids[1]->type;

    if (b->kind == WN_CEL_STRING)
        return wn_cel_fail(ck->lx, n->at,
            "'in' wants a list or a map; for "
            "a part of a text write: text.contains(part)");
    if (b->kind != WN_CEL_DYN && b->elem == NULL)
        return fail_types(ck, n, "look through", "");
    if (b->elem != NULL &&
        !wn_cel_equatable(a, b->kind == WN_CEL_MAP ? b->key : b->elem))
        return fail_types(ck, n, "compare", "");
    n->type = &wn_cel_types[WN_CEL_BOOL];
    *ck->scans += n->kids[1]->op != WN_OP_CONST;
    return WN_OK;
}

static bool
adds(enum wn_cel_op op, enum wn_cel_kind kind)
{
    switch (kind) {
    case WN_CEL_DYN:
    case WN_CEL_INT:
    case WN_CEL_UINT:
        return true;
    case WN_CEL_DOUBLE:
        return op != WN_OP_MOD;
    case WN_CEL_STRING:
    case WN_CEL_BYTES:
    case WN_CEL_LIST:
        return op == WN_OP_ADD;
    case WN_CEL_DURATION:
        return op == WN_OP_ADD || op == WN_OP_SUB;
    default:
        return false;
    }
}

/* What a timestamp and a duration or timestamp make; NULL for nothing. */
static const struct wn_cel_type *
time_result(enum wn_cel_op op, enum wn_cel_kind a, enum wn_cel_kind b)
{
    bool ta = a == WN_CEL_TIMESTAMP, tb = b == WN_CEL_TIMESTAMP;

    if (op != WN_OP_ADD && op != WN_OP_SUB)
        return NULL;
    if (a == WN_CEL_DYN || b == WN_CEL_DYN)
        return DYN;
    if (ta && tb)
        return op == WN_OP_SUB ? &wn_cel_types[WN_CEL_DURATION] : NULL;
    if (ta && b == WN_CEL_DURATION)
        return &wn_cel_types[WN_CEL_TIMESTAMP];
    return tb && a == WN_CEL_DURATION && op == WN_OP_ADD
               ? &wn_cel_types[WN_CEL_TIMESTAMP]
               : NULL;
}

static enum wn_status
check_arithmetic(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_type *a = n->kids[0]->type, *b = n->kids[1]->type;
    bool dyn_side = a->kind == WN_CEL_DYN || b->kind == WN_CEL_DYN;

    if (a->kind == WN_CEL_TIMESTAMP || b->kind == WN_CEL_TIMESTAMP ||
        (dyn_side &&
            (a->kind == WN_CEL_DURATION || b->kind == WN_CEL_DURATION))) {
        n->type = time_result(n->op, a->kind, b->kind);
        return n->type != NULL ? WN_OK : fail_types(ck, n, "take", "");
    }
    if (wn_cel_numeric(a) && wn_cel_numeric(b) && a->kind != b->kind)
        return fail_types(
            ck, n, "take", ": write 30.0 for 30, or double(x) for x");
    if ((a->kind != b->kind && !dyn_side) || !adds(n->op, a->kind) ||
        !adds(n->op, b->kind))
        return fail_types(ck, n, "take", "");
    n->type = a->kind == WN_CEL_DYN ? b : a;
    if (n->type->kind == WN_CEL_LIST && !wn_cel_same_type(a, b))
        n->type = &wn_cel_types[WN_CEL_LIST];
    return WN_OK;
}

static enum wn_status
check_index(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_type *a = n->kids[0]->type, *i = n->kids[1]->type;
    char text[64];

    if (a->kind == WN_CEL_LIST && !wn_cel_is_kind(i, WN_CEL_INT) &&
        i->kind != WN_CEL_UINT)
        return wn_cel_fail(ck->lx, n->at, "a list's index is an int, not %s",
            wn_cel_type_text(i, text, sizeof(text)));
    if (a->kind == WN_CEL_MAP && !wn_cel_equatable(a->key, i))
        return wn_cel_fail(ck->lx, n->at, "the map has no key of type %s",
            wn_cel_type_text(i, text, sizeof(text)));
    if (a->kind != WN_CEL_DYN && a->kind != WN_CEL_OPTIONAL && a->elem == NULL)
        return wn_cel_fail(ck->lx, n->at, "%s has no elements",
            wn_cel_type_text(a, text, sizeof(text)));
    if (n->op == WN_OP_OPT_INDEX || a->kind == WN_CEL_OPTIONAL)
        n->type = &wn_cel_types[WN_CEL_OPTIONAL];
    else
        n->type = a->elem != NULL ? a->elem : DYN;
    return WN_OK;
}

/* a.?b */
static enum wn_status
check_opt_select(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_type *from = n->kids[0]->type;
    char text[64];

    if (!wn_cel_is_kind(from, WN_CEL_MAP) && from->kind != WN_CEL_OPTIONAL)
        return wn_cel_fail(ck->lx, n->at, "%s has no members",
            wn_cel_type_text(from, text, sizeof(text)));
    n->type = &wn_cel_types[WN_CEL_OPTIONAL];
    return WN_OK;
}

/* ?a in a list or a map. */
static enum wn_status
check_opt_entry(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    char text[64];

    if (!wn_cel_is_kind(n->kids[0]->type, WN_CEL_OPTIONAL))
        return wn_cel_fail(ck->lx, n->at, "'?' wants an optional here, not %s",
            wn_cel_type_text(n->kids[0]->type, text, sizeof(text)));
    n->type = DYN;
    return WN_OK;
}

static enum wn_status
check_cond(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_type *yes = n->kids[1]->type, *no = n->kids[2]->type;
    char a[64], b[64];

    if (!wn_cel_is_kind(n->kids[0]->type, WN_CEL_BOOL))
        return wn_cel_fail(ck->lx, n->at,
            "'?' wants a bool before it, "
            "not %s",
            wn_cel_type_text(n->kids[0]->type, a, sizeof(a)));
    if (!wn_cel_agree(yes, no))
        return wn_cel_fail(ck->lx, n->at,
            "'?' gives %s or %s: both sides "
            "are of one type",
            wn_cel_type_text(yes, a, sizeof(a)),
            wn_cel_type_text(no, b, sizeof(b)));
    n->type = wn_cel_type_join(yes, no);
    return WN_OK;
}

enum wn_status
wn_cel_check_operator(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    switch (n->op) {
    case WN_OP_NOT:
    case WN_OP_AND:
    case WN_OP_OR:
        return check_logic(ck, n);
    case WN_OP_NEG:
        return check_neg(ck, n);
    case WN_OP_INDEX:
    case WN_OP_OPT_INDEX:
        return check_index(ck, n);
    case WN_OP_OPT_SELECT:
        return check_opt_select(ck, n);
    case WN_OP_OPT_ENTRY:
        return check_opt_entry(ck, n);
    case WN_OP_IN:
        return check_in(ck, n);
    case WN_OP_COND:
        return check_cond(ck, n);
    case WN_OP_EQ:
    case WN_OP_NE:
    case WN_OP_LT:
    case WN_OP_LE:
    case WN_OP_GT:
    case WN_OP_GE:
        return check_compare(ck, n);
    default:
        return check_arithmetic(ck, n);
    }
}
