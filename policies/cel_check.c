/*
 * From a tree of names to a tree of variables and types.
 *
 * Every operator and function is checked against the types of its operands, so
 * that a rule that can never work is refused when its file is loaded. `dyn`
 * (members of post.extra) passes every check and is tested when evaluated.
 * Numbers of different types may be compared, as CEL's cross-type comparisons
 * allow; arithmetic wants both sides of one type.
 */
#include <string.h>

#include "policies/cel_fn.h"

#define DYN (&wn_cel_types[WN_CEL_DYN])
#define NAME_CHAIN_MAX 256 /* bytes of a dotted name */

static enum wn_status
fail_memory(const struct wn_cel_checker *ck, const struct wn_cel_node *n)
{
    return wn_cel_fail(ck->lx, n->at, "the policy takes too much memory");
}

/* --- names --- */

static const char *
var_name(const void *names, size_t i)
{
    return ((const struct wn_cel_var *)names)[i].name;
}

/* The name that a chain of selections begins with, or NULL. */
static const struct wn_cel_node *
base_of(const struct wn_cel_node *n)
{
    while (n->op == WN_OP_SELECT)
        n = n->kids[0];
    return n->op == WN_OP_NAME || n->op == WN_OP_ROOT ? n : NULL;
}

/* "a.b.c" of such a chain; 0 if it is none or too long for any name there
 * is. */
static size_t
chain_text(const struct wn_cel_node *n, char *buf)
{
    size_t len = 0;

    if (n->op == WN_OP_ROOT) {
        n = n->kids[0];
    } else if (n->op == WN_OP_SELECT) {
        len = chain_text(n->kids[0], buf);
        if (len == 0 || len + 1 >= NAME_CHAIN_MAX)
            return 0;
        buf[len++] = '.';
    } else if (n->op != WN_OP_NAME) {
        return 0;
    }
    if (n->name.len >= NAME_CHAIN_MAX - len)
        return 0;
    memcpy(buf + len, n->name.p, n->name.len);
    return len + n->name.len;
}

bool
wn_cel_find_local(
    const struct wn_cel_checker *ck, struct wn_str name, uint32_t *ret)
{
    for (uint32_t i = ck->locals_n; i-- > 0;) {
        if (ck->locals[i].name.len == name.len &&
            memcmp(ck->locals[i].name.p, name.p, name.len) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool
find_var(const struct wn_cel_env *env, const char *p, size_t len, uint32_t *ret)
{
    for (size_t i = 0; i < env->n; i++) {
        if (strncmp(env->vars[i].name, p, len) == 0 &&
            env->vars[i].name[len] == '\0') {
            *ret = (uint32_t)i;
            return true;
        }
    }
    return false;
}

/* A variable, or the name of a type. */
static bool
resolve_one(struct wn_cel_checker *ck, struct wn_cel_node *n, enum wn_cel_op op)
{
    char buf[NAME_CHAIN_MAX];
    size_t len = chain_text(n, buf);

    if (len == 0)
        return false;
    if (find_var(ck->env, buf, len, &n->index)) {
        n->type = op == WN_OP_VAR ? ck->env->vars[n->index].type
                                  : &wn_cel_types[WN_CEL_BOOL];
        n->op = op;
    } else if (op == WN_OP_VAR && wn_cel_type_find(buf, len, &n->value.type)) {
        n->op = WN_OP_CONST;
        n->value.kind = WN_CEL_TYPE;
        n->type = &wn_cel_types[WN_CEL_TYPE];
    } else {
        return false;
    }
    n->kids_n = 0;
    return true;
}

/* Makes the longest part of a chain that is a variable into one. A variable
 * of a macro comes first, unless a dot stands before the name. */
static bool
resolve(struct wn_cel_checker *ck, struct wn_cel_node *n, enum wn_cel_op op)
{
    struct wn_cel_node *base = n;

    while (base->op == WN_OP_SELECT)
        base = base->kids[0];
    if (base->op == WN_OP_NAME &&
        wn_cel_find_local(ck, base->name, &base->index)) {
        base->op = WN_OP_LOCAL;
        base->type = ck->locals[base->index].type;
        return base != n || op == WN_OP_VAR;
    }
    for (;; n = n->kids[0], op = WN_OP_VAR) {
        if (resolve_one(ck, n, op))
            return true;
        if (n->op != WN_OP_SELECT)
            return false;
    }
}

static enum wn_status
fail_name(struct wn_cel_checker *ck, const struct wn_cel_node *n)
{
    char buf[NAME_CHAIN_MAX];
    size_t len = chain_text(n, buf);
    const char *near;

    n = base_of(n);
    if (len == 0)
        return wn_cel_fail(ck->lx, n->at, "no such signal");
    near = wn_suggest(buf, len, var_name, ck->env->vars, ck->env->n);
    len = len < 60 ? len : 60;
    if (near == NULL)
        return wn_cel_fail(
            ck->lx, n->at, "no such signal: %.*s", (int)len, buf);
    return wn_cel_fail(ck->lx, n->at, "no such signal: %.*s; did you mean %s?",
        (int)len, buf, near);
}

/* A name, or a.b where a is a map. op is SELECT or HAS. */
static enum wn_status
check_select(
    struct wn_cel_checker *ck, struct wn_cel_node *n, enum wn_cel_op op)
{
    const struct wn_cel_type *from;
    char buf[64];
    enum wn_status rc;

    if (base_of(n) != NULL &&
        !resolve(ck, n, op == WN_OP_HAS ? WN_OP_HAS_VAR : WN_OP_VAR))
        return fail_name(ck, n);
    if (n->op != WN_OP_SELECT)
        return WN_OK;
    rc = wn_cel_check_node(ck, n->kids[0]);
    if (rc != WN_OK)
        return rc;
    from = n->kids[0]->type;
    if (!wn_cel_is_kind(from, WN_CEL_MAP) && from->kind != WN_CEL_OPTIONAL)
        return wn_cel_fail(ck->lx, n->at, "%s has no members",
            wn_cel_type_text(from, buf, sizeof(buf)));
    n->op = op;
    if (op == WN_OP_HAS)
        n->type = &wn_cel_types[WN_CEL_BOOL];
    else if (from->kind == WN_CEL_OPTIONAL)
        n->type = from;
    else
        n->type = from->elem != NULL ? from->elem : DYN;
    return WN_OK;
}

/* --- calls --- */

/* Two functions that take any number of arguments; CALL for the others. */
static enum wn_cel_op
extreme_of(struct wn_str name)
{
    if (name.len == 13 && memcmp(name.p, "math.greatest", 13) == 0)
        return WN_OP_GREATEST;
    if (name.len == 10 && memcmp(name.p, "math.least", 10) == 0)
        return WN_OP_LEAST;
    return WN_OP_CALL;
}

static bool
call_is(const struct wn_cel_node *n, const char *name)
{
    return strncmp(name, n->name.p, n->name.len) == 0 &&
           name[n->name.len] == '\0';
}

static enum wn_status
check_has(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    struct wn_cel_node *kid = n->kids_n == 1 ? n->kids[0] : NULL;
    size_t at = n->at;
    enum wn_status rc;

    if (kid == NULL || kid->op != WN_OP_SELECT)
        return wn_cel_fail(
            ck->lx, n->at, "has() takes one member: has(author.followers)");
    rc = check_select(ck, kid, WN_OP_HAS);
    if (rc != WN_OK)
        return rc;
    *n = *kid;
    n->at = (uint32_t)at;
    return WN_OK;
}

static bool
takes(const struct wn_cel_fn *fn, const struct wn_cel_node *n)
{
    if (fn->member != n->member || fn->args_n != n->kids_n)
        return false;
    for (uint32_t i = 0; i < n->kids_n; i++)
        if (fn->args[i] != WN_CEL_DYN &&
            !wn_cel_is_kind(n->kids[i]->type, fn->args[i]))
            return false;
    return true;
}

static const char *
fn_name(const void *names, size_t i)
{
    return ((const struct wn_cel_fn *)names)[i].name;
}

static enum wn_status
fail_no_function(const struct wn_cel_checker *ck, const struct wn_cel_node *n)
{
    int len = n->name.len < 60 ? (int)n->name.len : 60;
    const char *near;

    near =
        wn_suggest(n->name.p, n->name.len, fn_name, wn_cel_fns, wn_cel_fns_n);
    if (near == NULL)
        return wn_cel_fail(
            ck->lx, n->at, "no such function: %.*s()", len, n->name.p);
    return wn_cel_fail(ck->lx, n->at,
        "no such function: %.*s(); did you mean %s()?", len, n->name.p, near);
}

/* The function exists; its arguments are not what it takes. */
static enum wn_status
fail_arguments(const struct wn_cel_checker *ck, const struct wn_cel_node *n,
    const struct wn_cel_fn *fn)
{
    char a[64];
    const char *hint = "";
    unsigned want = fn->args_n - fn->member;
    uint32_t i = 0;

    if (fn->member && !n->member)
        return wn_cel_fail(
            ck->lx, n->at, "%s() is written a.%s(b)", fn->name, fn->name);
    if (n->member && !fn->member)
        return wn_cel_fail(
            ck->lx, n->at, "%s() is written %s(a)", fn->name, fn->name);
    if (fn->args_n != n->kids_n)
        return wn_cel_fail(ck->lx, n->at, "%s() takes %u argument%s", fn->name,
            want, want == 1 ? "" : "s");
    while (i + 1 < n->kids_n && wn_cel_is_kind(n->kids[i]->type, fn->args[i]))
        i++;
    if (i == 0 && call_is(n, "contains") &&
        n->kids[0]->type->kind == WN_CEL_LIST)
        hint = "; for a list write: x in list";
    return wn_cel_fail(ck->lx, n->at, "%s() does not take %s%s%s", fn->name,
        i == 0 && fn->member ? "" : "the argument ",
        wn_cel_type_text(n->kids[i]->type, a, sizeof(a)), hint);
}

/* A function of this name: best one that is written the same way and takes as
 * many arguments. */
static const struct wn_cel_fn *
find_name(const struct wn_cel_node *n)
{
    const struct wn_cel_fn *near = NULL;
    int best = -1;

    for (size_t i = 0; i < wn_cel_fns_n; i++) {
        const struct wn_cel_fn *fn = &wn_cel_fns[i];
        int fit = 2 * (fn->member == n->member) + (fn->args_n == n->kids_n);

        if (call_is(n, fn->name) && fit > best) {
            near = fn;
            best = fit;
        }
    }
    return near;
}

/* math.abs(x) and the like: what stands before the dot is a part of the
 * function's name, and no argument. */
static enum wn_status
join_name(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_node *base = n->member ? base_of(n->kids[0]) : NULL;
    char buf[NAME_CHAIN_MAX];
    struct wn_str full = { buf, 0 };
    uint32_t local;

    if (base == NULL ||
        (base->op == WN_OP_NAME && wn_cel_find_local(ck, base->name, &local)))
        return WN_OK;
    full.len = chain_text(n->kids[0], buf);
    if (full.len == 0 || full.len + 1 + n->name.len > sizeof(buf))
        return WN_OK;
    buf[full.len++] = '.';
    memcpy(buf + full.len, n->name.p, n->name.len);
    full.len += n->name.len;
    if (wn_cel_fn_find(full, false) == NULL && extreme_of(full) == WN_OP_CALL)
        return WN_OK;
    full.p = wn_arena_strndup(ck->lx->arena, full.p, full.len);
    if (full.p == NULL)
        return fail_memory(ck, n);
    n->name = full;
    n->member = false;
    n->kids++;
    n->kids_n--;
    return WN_OK;
}

/* Numbers of any type, or one list of them. */
static enum wn_status
check_extreme(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_type *type = NULL, *t;
    char a[64];

    n->op = extreme_of(n->name);
    for (uint32_t i = 0; i < n->kids_n; i++) {
        t = n->kids[i]->type;
        if (n->kids_n == 1 && t->kind == WN_CEL_LIST)
            t = t->elem;
        if (!wn_cel_numeric(t) && t->kind != WN_CEL_DYN)
            return wn_cel_fail(ck->lx, n->at, "%.*s() takes numbers, not %s",
                (int)n->name.len, n->name.p, wn_cel_type_text(t, a, sizeof(a)));
        type = wn_cel_type_join(type, t);
    }
    if (type == NULL)
        return wn_cel_fail(ck->lx, n->at, "%.*s() takes numbers or a list",
            (int)n->name.len, n->name.p);
    n->type = type;
    return WN_OK;
}

static enum wn_status
check_kids(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    enum wn_status rc = WN_OK;

    for (uint32_t i = 0; rc == WN_OK && i < n->kids_n; i++)
        rc = wn_cel_check_node(ck, n->kids[i]);
    return rc;
}

/* A pattern that is a constant is compiled now, and refused now. */
static enum wn_status
set_function(struct wn_cel_checker *ck, struct wn_cel_node *n,
    const struct wn_cel_fn *fn)
{
    const char *why = NULL;

    n->fn = fn;
    n->type = &wn_cel_types[fn->ret];
    *ck->scans += fn->scans && n->kids[0]->op != WN_OP_CONST;
    if (fn->call != wn_cel_matches || n->kids_n != 2 ||
        n->kids[1]->op != WN_OP_CONST ||
        n->kids[1]->value.kind != WN_CEL_STRING)
        return WN_OK;
    n->regex = wn_cel_regex_new(ck->lx->arena, NULL, n->kids[1]->value.s, &why);
    if (n->regex == NULL)
        return wn_cel_fail(ck->lx, n->kids[1]->at, "matches(): %s", why);
    return WN_OK;
}

/* Nothing is known of the arguments: the first overload stands for all. */
static enum wn_status
set_unchecked(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_fn *fn = wn_cel_fn_find(n->name, n->member);

    if (fn == NULL || n->kids_n > WN_CEL_ARGS_MAX)
        return fail_no_function(ck, n);
    return set_function(ck, n, fn);
}

/* The name first: an unknown function is the better error. */
static enum wn_status
check_call(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    const struct wn_cel_fn *near;
    bool is_macro = false;
    enum wn_status rc;

    if (!n->member && call_is(n, "has"))
        return check_has(ck, n);
    rc = wn_cel_check_macro(ck, n, &is_macro);
    if (rc == WN_OK && !is_macro)
        rc = join_name(ck, n);
    if (rc != WN_OK || is_macro)
        return rc;
    near = find_name(n);
    if (near == NULL && extreme_of(n->name) == WN_OP_CALL)
        return fail_no_function(ck, n);
    rc = check_kids(ck, n);
    if (rc != WN_OK)
        return rc;
    if (!n->member && extreme_of(n->name) != WN_OP_CALL)
        return check_extreme(ck, n);
    if (near == NULL)
        return fail_no_function(ck, n);
    if (ck->env->unchecked)
        return set_unchecked(ck, n);
    for (size_t i = 0; i < wn_cel_fns_n; i++)
        if (call_is(n, wn_cel_fns[i].name) && takes(&wn_cel_fns[i], n))
            return set_function(ck, n, &wn_cel_fns[i]);
    return fail_arguments(ck, n, near);
}

static enum wn_status
check_kind(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    enum wn_status rc;

    switch (n->op) {
    case WN_OP_CONST:
        n->type = &wn_cel_types[n->value.kind];
        return WN_OK;
    case WN_OP_VAR: /* resolve() made it one */
    case WN_OP_LOCAL:
        return WN_OK;
    case WN_OP_NAME:
    case WN_OP_ROOT:
    case WN_OP_SELECT:
        return check_select(ck, n, WN_OP_SELECT);
    case WN_OP_CALL:
        return check_call(ck, n);
    case WN_OP_LIST:
        return wn_cel_check_list(ck, n);
    case WN_OP_MAP:
        return wn_cel_check_map(ck, n);
    default:
        rc = check_kids(ck, n);
        return rc == WN_OK ? wn_cel_check_operator(ck, n) : rc;
    }
}

/* Where nothing is to be checked, every type is dyn, and what has no meaning
 * at all is an error when it is evaluated. */
enum wn_status
wn_cel_check_node(struct wn_cel_checker *ck, struct wn_cel_node *n)
{
    enum wn_status rc = check_kind(ck, n);

    if (!ck->env->unchecked)
        return rc;
    n->type = DYN;
    if (rc != WN_OK) {
        n->op = WN_OP_FAIL;
        n->kids_n = 0;
        n->value = wn_cel_error("no such name or function");
    }
    return WN_OK;
}

enum wn_status
wn_cel_compile(const struct wn_cel_node **ret, struct wn_arena *arena,
    const char *src, size_t len, const char *what, const struct wn_cel_env *env,
    size_t *scans, struct wn_err *err)
{
    struct wn_cel_lexer lx = {
        .src = src, .len = len, .what = what, .arena = arena, .err = err
    };
    struct wn_cel_run run;
    struct wn_cel_checker ck = {
        .lx = &lx, .env = env, .scans = scans, .run = &run
    };
    struct wn_cel_node *node;
    enum wn_status rc;

    if (len > WN_CEL_SOURCE_MAX)
        return wn_fail(err, WN_REJECT, "%s is longer than %u bytes", what,
            WN_CEL_SOURCE_MAX);
    rc = wn_cel_parse(&node, &lx);
    if (rc != WN_OK)
        return rc;
    /* Telling the column of each of many thousand errors would be quadratic. */
    if (env->unchecked)
        lx.err = NULL;
    wn_cel_run_init(&run, NULL);
    rc = wn_cel_check_node(&ck, node);
    wn_cel_run_release(&run);
    if (rc != WN_OK)
        return rc;
    node->steps_max = wn_cel_cost(node);
    *ret = node;
    return WN_OK;
}
