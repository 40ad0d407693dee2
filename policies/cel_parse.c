/*
 * CEL tokens to a tree, by precedence climbing. Syntax only: names are
 * resolved and types found in cel_check.c.
 *
 * Two bounds keep the C stack small whatever the text: the parser counts its
 * own nesting, and every node knows the height of the tree under it, which
 * long chains such as a + b + c + ... grow as well. Chains of && and || are
 * one flat node, so they may be as long as the node bound allows.
 */
#include <string.h>
#include <strings.h>

#include "policies/cel_int.h"

struct parser {
    struct wn_cel_lexer *lx;
    struct wn_cel_token t; /* the next token, not yet used */
    unsigned depth;        /* of parse_expr() on the stack */
    unsigned nodes;
};

static enum wn_status parse_expr(struct parser *ps, struct wn_cel_node **ret);

static enum wn_status
advance(struct parser *ps)
{
    return wn_cel_next(ps->lx, &ps->t);
}

static bool
at_op(const struct parser *ps, enum wn_cel_op op)
{
    return ps->t.kind == WN_TOK_OP && ps->t.op == op;
}

/* The operator that a word of other languages means, or NULL. */
static const char *
operator_of(struct wn_str word)
{
    static const char *const words[][2] = { { "and", "&&" }, { "or", "||" },
        { "not", "!" }, { "is", "==" } };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (word.len == strlen(words[i][0]) &&
            strncasecmp(word.p, words[i][0], word.len) == 0)
            return words[i][1];
    return NULL;
}

static enum wn_status
fail_word(const struct parser *ps, const struct wn_cel_token *t)
{
    return wn_cel_fail(ps->lx, t->at, "'%.*s' is no operator: '%s'?",
        (int)t->text.len, t->text.p, operator_of(t->text));
}

static enum wn_status
fail_token(const struct parser *ps, const char *wanted)
{
    const struct wn_cel_token *t = &ps->t;
    int len = t->text.len < 40 ? (int)t->text.len : 40;

    if (t->kind == WN_TOK_END)
        return wn_cel_fail(ps->lx, t->at, "ends where %s is wanted", wanted);
    if (t->kind == WN_TOK_NAME && operator_of(t->text) != NULL)
        return fail_word(ps, t);
    if (t->text.len > 0)
        return wn_cel_fail(ps->lx, t->at, "'%.*s' stands where %s is wanted",
            len, t->text.p, wanted);
    return wn_cel_fail(
        ps->lx, t->at, "a literal stands where %s is wanted", wanted);
}

static enum wn_status
expect(struct parser *ps, enum wn_cel_op op, const char *wanted)
{
    if (!at_op(ps, op))
        return fail_token(ps, wanted);
    return advance(ps);
}

/* --- nodes --- */

static enum wn_status
new_node(struct parser *ps, enum wn_cel_op op, size_t at, size_t kids_n,
    struct wn_cel_node **ret)
{
    struct wn_cel_node *n = wn_arena_zalloc(ps->lx->arena, sizeof(*n));

    if (++ps->nodes > WN_CEL_NODES_MAX)
        return wn_cel_fail(ps->lx, at, "more than %d parts in one expression",
            WN_CEL_NODES_MAX);
    if (n != NULL && kids_n > 0)
        n->kids = wn_arena_array(ps->lx->arena, kids_n, sizeof(*n->kids));
    if (n == NULL || (kids_n > 0 && n->kids == NULL))
        return wn_cel_fail(ps->lx, at, "the policy takes too much memory");
    n->op = op;
    n->at = (uint32_t)at;
    n->depth = 1;
    *ret = n;
    return WN_OK;
}

static enum wn_status
add_kid(struct parser *ps, struct wn_cel_node *n, struct wn_cel_node *kid)
{
    n->kids[n->kids_n++] = kid;
    if (kid->depth >= n->depth)
        n->depth = kid->depth + 1;
    if (n->depth > WN_POLICY_DEPTH_MAX)
        return wn_cel_fail(
            ps->lx, n->at, "nested deeper than %d", WN_POLICY_DEPTH_MAX);
    return WN_OK;
}

static enum wn_status
new_binary(struct parser *ps, enum wn_cel_op op, size_t at,
    struct wn_cel_node *a, struct wn_cel_node *b, struct wn_cel_node **ret)
{
    struct wn_cel_node *n;
    enum wn_status rc = new_node(ps, op, at, b == NULL ? 1 : 2, &n);

    if (rc == WN_OK)
        rc = add_kid(ps, n, a);
    if (rc == WN_OK && b != NULL)
        rc = add_kid(ps, n, b);
    if (rc == WN_OK)
        *ret = n;
    return rc;
}

/* --- lists of operands: links while their number is not known yet --- */

struct link {
    struct link *next;
    struct wn_cel_node *node;
};
struct chain {
    struct link *first, **end;
    size_t n;
};

static enum wn_status
chain_add(struct parser *ps, struct chain *c, struct wn_cel_node *node)
{
    struct link *l = wn_arena_alloc(ps->lx->arena, sizeof(*l));

    if (l == NULL)
        return wn_cel_fail(
            ps->lx, node->at, "the policy takes too much memory");
    *l = (struct link){ .node = node };
    if (c->n++ == 0)
        c->end = &c->first;
    *c->end = l;
    c->end = &l->next;
    return WN_OK;
}

static enum wn_status
chain_node(struct parser *ps, const struct chain *c, enum wn_cel_op op,
    size_t at, struct wn_cel_node **ret)
{
    enum wn_status rc = new_node(ps, op, at, c->n, ret);

    for (const struct link *l = c->first; rc == WN_OK && l; l = l->next)
        rc = add_kid(ps, *ret, l->node);
    return rc;
}

/* [?]expr of a list or a map. */
static enum wn_status
parse_entry(struct parser *ps, bool optional, struct wn_cel_node **ret)
{
    size_t at = ps->t.at;
    enum wn_status rc = parse_expr(ps, ret);

    if (rc == WN_OK && optional)
        rc = new_binary(ps, WN_OP_OPT_ENTRY, at, *ret, NULL, ret);
    return rc;
}

/* Uses up a '?' that stands here. */
static enum wn_status
skip_mark(struct parser *ps, bool *ret)
{
    *ret = at_op(ps, WN_OP_COND);
    return *ret ? advance(ps) : WN_OK;
}

/* expr, expr, ... up to the closing op, which is used up. A comma before
 * it is fine in a list; calls are as lenient, which harms nobody. */
static enum wn_status
parse_operands(struct parser *ps, struct chain *c, enum wn_cel_op close,
    const char *wanted)
{
    struct wn_cel_node *node;
    bool optional = false;
    enum wn_status rc = WN_OK;

    while (!at_op(ps, close)) {
        if (close == WN_OP_CLOSE_INDEX)
            rc = skip_mark(ps, &optional);
        if (rc == WN_OK)
            rc = parse_entry(ps, optional, &node);
        if (rc == WN_OK)
            rc = chain_add(ps, c, node);
        if (rc == WN_OK && !at_op(ps, close))
            rc = expect(ps, WN_OP_COMMA, wanted);
        if (rc != WN_OK)
            return rc;
    }
    return advance(ps);
}

/* --- primary expressions --- */

static bool
is_reserved(struct wn_str s)
{
    static const char *const words[] = { "as", "break", "const", "continue",
        "else", "for", "function", "if", "import", "let", "loop", "namespace",
        "package", "return", "var", "void", "while" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (s.len == strlen(words[i]) && memcmp(s.p, words[i], s.len) == 0)
            return true;
    return false;
}

/* Behind "name(" or "a.name(". */
static enum wn_status
parse_call(struct parser *ps, struct wn_str name, size_t at,
    struct wn_cel_node *target, struct wn_cel_node **ret)
{
    struct chain c = { 0 };
    enum wn_status rc = advance(ps);

    if (rc == WN_OK && target != NULL)
        rc = chain_add(ps, &c, target);
    if (rc == WN_OK)
        rc = parse_operands(ps, &c, WN_OP_CLOSE, "',' or ')'");
    if (rc == WN_OK)
        rc = chain_node(ps, &c, WN_OP_CALL, at, ret);
    if (rc == WN_OK) {
        (*ret)->name = name;
        (*ret)->member = target != NULL;
    }
    return rc;
}

static enum wn_status
parse_name(struct parser *ps, struct wn_cel_node **ret)
{
    struct wn_cel_token t = ps->t;
    enum wn_status rc;

    if (is_reserved(t.text))
        return wn_cel_fail(ps->lx, t.at, "'%.*s' is a reserved word",
            (int)t.text.len, t.text.p);
    rc = advance(ps);
    if (rc != WN_OK)
        return rc;
    /* `not x`, `not (x)`: no function has the name of such a word */
    if (operator_of(t.text) != NULL &&
        (ps->t.kind == WN_TOK_NAME || at_op(ps, WN_OP_OPEN)))
        return fail_word(ps, &t);
    if (at_op(ps, WN_OP_OPEN))
        return parse_call(ps, t.text, t.at, NULL, ret);
    rc = new_node(ps, WN_OP_NAME, t.at, 0, ret);
    if (rc == WN_OK)
        (*ret)->name = t.text;
    return rc;
}

/* Behind the dot of .name: whatever variables of macros are called. */
static enum wn_status
parse_root(struct parser *ps, size_t at, struct wn_cel_node **ret)
{
    enum wn_status rc = parse_name(ps, ret);

    if (rc == WN_OK && (*ret)->op == WN_OP_NAME)
        rc = new_binary(ps, WN_OP_ROOT, at, *ret, NULL, ret);
    return rc;
}

static enum wn_status
parse_const(struct parser *ps, bool negative, struct wn_cel_node **ret)
{
    struct wn_cel_token t = ps->t;
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    enum wn_status rc;

    if (t.kind == WN_TOK_INT && t.value.u > limit)
        return wn_cel_fail(
            ps->lx, t.at, "the number does not fit an int: 64 bits with sign");
    if (t.kind == WN_TOK_INT) {
        uint64_t u = t.value.u;

        t.value.kind = WN_CEL_INT;
        t.value.i = negative ? (int64_t)-u : (int64_t)u;
    } else if (negative) {
        t.value.d = -t.value.d;
    }
    rc = new_node(ps, WN_OP_CONST, t.at, 0, ret);
    if (rc != WN_OK)
        return rc;
    (*ret)->value = t.value;
    return advance(ps);
}

/* At '{': [?]key : value, ... */
static enum wn_status
parse_map(struct parser *ps, size_t at, struct wn_cel_node **ret)
{
    struct chain c = { 0 };
    struct wn_cel_node *node;
    bool optional;
    enum wn_status rc = advance(ps);

    while (rc == WN_OK && !at_op(ps, WN_OP_CLOSE_MAP)) {
        rc = skip_mark(ps, &optional);
        if (rc == WN_OK)
            rc = parse_expr(ps, &node);
        if (rc == WN_OK)
            rc = chain_add(ps, &c, node);
        if (rc == WN_OK)
            rc = expect(ps, WN_OP_COLON, "':'");
        if (rc == WN_OK)
            rc = parse_entry(ps, optional, &node);
        if (rc == WN_OK)
            rc = chain_add(ps, &c, node);
        if (rc == WN_OK && !at_op(ps, WN_OP_CLOSE_MAP))
            rc = expect(ps, WN_OP_COMMA, "',' or '}'");
    }
    if (rc == WN_OK)
        rc = chain_node(ps, &c, WN_OP_MAP, at, ret);
    return rc == WN_OK ? advance(ps) : rc;
}

static enum wn_status
parse_primary(struct parser *ps, struct wn_cel_node **ret)
{
    struct chain c = { 0 };
    size_t at = ps->t.at;
    enum wn_status rc;

    if (ps->t.kind == WN_TOK_NAME)
        return parse_name(ps, ret);
    if (ps->t.kind == WN_TOK_CONST || ps->t.kind == WN_TOK_INT)
        return parse_const(ps, false, ret);
    if (at_op(ps, WN_OP_OPEN)) {
        rc = advance(ps);
        if (rc == WN_OK)
            rc = parse_expr(ps, ret);
        return rc == WN_OK ? expect(ps, WN_OP_CLOSE, "')'") : rc;
    }
    if (at_op(ps, WN_OP_OPEN_INDEX)) {
        rc = advance(ps);
        if (rc == WN_OK)
            rc = parse_operands(ps, &c, WN_OP_CLOSE_INDEX, "',' or ']'");
        return rc == WN_OK ? chain_node(ps, &c, WN_OP_LIST, at, ret) : rc;
    }
    if (at_op(ps, WN_OP_OPEN_MAP))
        return parse_map(ps, at, ret);
    if (at_op(ps, WN_OP_DOT)) {
        rc = advance(ps);
        if (rc == WN_OK && ps->t.kind != WN_TOK_NAME)
            rc = fail_token(ps, "a name");
        return rc == WN_OK ? parse_root(ps, at, ret) : rc;
    }
    return fail_token(ps, "an expression");
}

/* --- a.b, a.f(x), a[i]; a.?b, a[?i] --- */

static enum wn_status
parse_dot(struct parser *ps, struct wn_cel_node **node)
{
    struct wn_cel_token t;
    bool optional = false;
    enum wn_status rc = advance(ps);

    if (rc == WN_OK)
        rc = skip_mark(ps, &optional);
    t = ps->t;
    /* `in` stays an operator; the reserved words are names after a dot. */
    if (rc == WN_OK && t.kind != WN_TOK_NAME && t.kind != WN_TOK_QUOTED)
        return fail_token(ps, "a name");
    if (rc == WN_OK)
        rc = advance(ps);
    if (rc != WN_OK)
        return rc;
    if (at_op(ps, WN_OP_OPEN) && t.kind == WN_TOK_NAME && !optional)
        return parse_call(ps, t.text, t.at, *node, node);
    rc = new_binary(ps, optional ? WN_OP_OPT_SELECT : WN_OP_SELECT, t.at, *node,
        NULL, node);
    if (rc == WN_OK)
        (*node)->name = t.text;
    return rc;
}

static enum wn_status
parse_index(struct parser *ps, struct wn_cel_node **node)
{
    size_t at = ps->t.at;
    struct wn_cel_node *index;
    bool optional = false;
    enum wn_status rc = advance(ps);

    if (rc == WN_OK)
        rc = skip_mark(ps, &optional);
    if (rc == WN_OK)
        rc = parse_expr(ps, &index);
    if (rc == WN_OK)
        rc = new_binary(ps, optional ? WN_OP_OPT_INDEX : WN_OP_INDEX, at, *node,
            index, node);
    return rc == WN_OK ? expect(ps, WN_OP_CLOSE_INDEX, "']'") : rc;
}

static enum wn_status
parse_member(
    struct parser *ps, struct wn_cel_node *node, struct wn_cel_node **ret)
{
    enum wn_status rc = WN_OK;

    while (rc == WN_OK) {
        if (at_op(ps, WN_OP_DOT))
            rc = parse_dot(ps, &node);
        else if (at_op(ps, WN_OP_OPEN_INDEX))
            rc = parse_index(ps, &node);
        else
            break;
    }
    if (rc == WN_OK)
        *ret = node;
    return rc;
}

/* A minus before a number is part of the number: -9223372036854775808. */
static bool
is_number(const struct wn_cel_token *t)
{
    return t->kind == WN_TOK_INT ||
           (t->kind == WN_TOK_CONST && t->value.kind == WN_CEL_DOUBLE);
}

static enum wn_status
parse_unary(struct parser *ps, struct wn_cel_node **ret)
{
    struct wn_cel_node *node;
    enum wn_cel_op op;
    size_t at = ps->t.at;
    enum wn_status rc;

    if (!at_op(ps, WN_OP_NOT) && !at_op(ps, WN_OP_SUB)) {
        rc = parse_primary(ps, &node);
        return rc == WN_OK ? parse_member(ps, node, ret) : rc;
    }
    op = at_op(ps, WN_OP_NOT) ? WN_OP_NOT : WN_OP_NEG;
    if (++ps->depth > WN_POLICY_DEPTH_MAX)
        return wn_cel_fail(
            ps->lx, at, "nested deeper than %d", WN_POLICY_DEPTH_MAX);
    rc = advance(ps);
    if (rc == WN_OK && op == WN_OP_NEG && is_number(&ps->t)) {
        rc = parse_const(ps, true, &node);
        if (rc == WN_OK)
            rc = parse_member(ps, node, ret);
    } else if (rc == WN_OK) {
        rc = parse_unary(ps, &node);
        if (rc == WN_OK)
            rc = new_binary(ps, op, at, node, NULL, ret);
    }
    ps->depth--;
    return rc;
}

/* --- binary operators --- */

static int
precedence(const struct wn_cel_token *t)
{
    if (t->kind != WN_TOK_OP)
        return 0;
    switch (t->op) {
    case WN_OP_OR:
        return 1;
    case WN_OP_AND:
        return 2;
    case WN_OP_EQ:
    case WN_OP_NE:
    case WN_OP_LT:
    case WN_OP_LE:
    case WN_OP_GT:
    case WN_OP_GE:
    case WN_OP_IN:
        return 3;
    case WN_OP_ADD:
    case WN_OP_SUB:
        return 4;
    case WN_OP_MUL:
    case WN_OP_DIV:
    case WN_OP_MOD:
        return 5;
    default:
        return 0;
    }
}

static enum wn_status parse_binary(
    struct parser *ps, int min, struct wn_cel_node **ret);

/* first && b && c ... as one node. */
static enum wn_status
parse_logic(
    struct parser *ps, struct wn_cel_node *first, struct wn_cel_node **ret)
{
    struct wn_cel_token t = ps->t;
    struct chain c = { 0 };
    struct wn_cel_node *node;
    enum wn_status rc = chain_add(ps, &c, first);

    while (rc == WN_OK && at_op(ps, t.op)) {
        rc = advance(ps);
        if (rc == WN_OK)
            rc = parse_binary(ps, precedence(&t) + 1, &node);
        if (rc == WN_OK)
            rc = chain_add(ps, &c, node);
    }
    return rc == WN_OK ? chain_node(ps, &c, t.op, t.at, ret) : rc;
}

/* Operators of at least the precedence min, left to right. */
static enum wn_status
parse_binary(struct parser *ps, int min, struct wn_cel_node **ret)
{
    struct wn_cel_node *a, *b;
    enum wn_status rc = parse_unary(ps, &a);

    while (rc == WN_OK && precedence(&ps->t) >= min) {
        struct wn_cel_token t = ps->t;

        if (t.op == WN_OP_AND || t.op == WN_OP_OR) {
            rc = parse_logic(ps, a, &a);
            continue;
        }
        rc = advance(ps);
        if (rc == WN_OK)
            rc = parse_binary(ps, precedence(&t) + 1, &b);
        if (rc == WN_OK)
            rc = new_binary(ps, t.op, t.at, a, b, &a);
    }
    if (rc == WN_OK)
        *ret = a;
    return rc;
}

/* Behind '?': yes : no, right to left. */
static enum wn_status
parse_cond(struct parser *ps, struct wn_cel_node *cond, size_t at,
    struct wn_cel_node **ret)
{
    struct wn_cel_node *yes, *no, *n;
    enum wn_status rc = advance(ps);

    if (rc == WN_OK)
        rc = parse_binary(ps, 1, &yes);
    if (rc == WN_OK)
        rc = expect(ps, WN_OP_COLON, "':'");
    if (rc == WN_OK)
        rc = parse_expr(ps, &no);
    if (rc == WN_OK)
        rc = new_node(ps, WN_OP_COND, at, 3, &n);
    if (rc == WN_OK)
        rc = add_kid(ps, n, cond);
    if (rc == WN_OK)
        rc = add_kid(ps, n, yes);
    if (rc == WN_OK)
        rc = add_kid(ps, n, no);
    if (rc == WN_OK)
        *ret = n;
    return rc;
}

static enum wn_status
parse_expr(struct parser *ps, struct wn_cel_node **ret)
{
    struct wn_cel_node *node;
    enum wn_status rc;

    if (++ps->depth > WN_POLICY_DEPTH_MAX)
        return wn_cel_fail(
            ps->lx, ps->t.at, "nested deeper than %d", WN_POLICY_DEPTH_MAX);
    rc = parse_binary(ps, 1, &node);
    if (rc == WN_OK && at_op(ps, WN_OP_COND))
        rc = parse_cond(ps, node, ps->t.at, &node);
    if (rc == WN_OK)
        *ret = node;
    ps->depth--;
    return rc;
}

enum wn_status
wn_cel_parse(struct wn_cel_node **ret, struct wn_cel_lexer *lx)
{
    struct parser ps = { .lx = lx };
    struct wn_cel_node *node;
    enum wn_status rc = advance(&ps);

    if (rc == WN_OK)
        rc = parse_expr(&ps, &node);
    if (rc == WN_OK && ps.t.kind != WN_TOK_END)
        rc = fail_token(&ps, "an operator or the end");
    if (rc == WN_OK)
        *ret = node;
    return rc;
}
