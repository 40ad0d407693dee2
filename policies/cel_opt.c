/*
 * Optionals: a value that is there or is not (none). a.?b and a[?i] look
 * without an error; what follows them stays optional until a value is asked
 * for.
 */
#include "policies/cel_int.h"

struct wn_cel_value
wn_cel_none(void)
{
    return (struct wn_cel_value){ .kind = WN_CEL_OPTIONAL, .opt = NULL };
}

struct wn_cel_value
wn_cel_some(struct wn_cel_run *run, const struct wn_cel_value *v)
{
    struct wn_cel_value *copy = wn_cel_scratch(run, sizeof(*copy));

    if (copy == NULL)
        return wn_cel_error(wn_cel_no_scratch);
    *copy = *v;
    return (struct wn_cel_value){ .kind = WN_CEL_OPTIONAL, .opt = copy };
}

struct wn_cel_value
wn_cel_opt_element(struct wn_cel_run *run, const struct wn_cel_value *a,
    const struct wn_cel_value *key)
{
    struct wn_cel_value v;
    size_t i;

    if (a->kind == WN_CEL_OPTIONAL) {
        if (a->opt == NULL)
            return *a;
        a = a->opt;
    }
    if (a->kind == WN_CEL_LIST) {
        if (!wn_cel_list_index(key, &i))
            return key->kind == WN_CEL_INT ? wn_cel_none()
                                           : wn_cel_error(wn_cel_no_overload);
        if (i >= a->seq.n)
            return wn_cel_none();
        v = wn_cel_at(a, i);
        return wn_cel_some(run, &v);
    }
    if (a->kind != WN_CEL_MAP)
        return wn_cel_error(wn_cel_no_overload);
    v = wn_cel_in(run, key, a);
    if (wn_cel_no_value(&v))
        return v;
    if (!v.b)
        return wn_cel_none();
    v = wn_cel_lookup(run, a, key);
    return wn_cel_no_value(&v) ? v : wn_cel_some(run, &v);
}

static struct wn_cel_value
select_optional(const struct wn_cel_node *n, struct wn_cel_run *run,
    const struct wn_cel_value *a)
{
    struct wn_cel_value key = wn_cel_string(n->name.p, n->name.len);

    if (n->op == WN_OP_OPT_INDEX) {
        key = wn_cel_eval_node(n->kids[1], run);
        if (wn_cel_no_value(&key))
            return key;
    } else if (a->kind == WN_CEL_LIST) {
        return wn_cel_error(wn_cel_no_overload);
    }
    return wn_cel_opt_element(run, a, &key);
}

struct wn_cel_value
wn_cel_eval_optional(const struct wn_cel_node *n, struct wn_cel_run *run)
{
    struct wn_cel_value a = wn_cel_eval_node(n->kids[0], run), v;

    if (wn_cel_no_value(&a))
        return a;
    if (n->op == WN_OP_OPT_SELECT || n->op == WN_OP_OPT_INDEX)
        return select_optional(n, run, &a);
    if (a.kind != WN_CEL_OPTIONAL)
        return wn_cel_error(wn_cel_no_overload);
    if (n->op == WN_OP_OPT_OR_VALUE)
        return a.opt != NULL ? *a.opt : wn_cel_eval_node(n->kids[1], run);
    if (n->op == WN_OP_OPT_OR) {
        v = a.opt != NULL ? a : wn_cel_eval_node(n->kids[1], run);
    } else {
        if (a.opt == NULL)
            return a;
        run->locals[n->index] = *a.opt;
        v = wn_cel_eval_node(n->kids[1], run);
        if (n->op == WN_OP_OPT_MAP)
            return wn_cel_no_value(&v) ? v : wn_cel_some(run, &v);
    }
    if (!wn_cel_no_value(&v) && v.kind != WN_CEL_OPTIONAL)
        return wn_cel_error(wn_cel_no_overload);
    return v;
}
