/*
 * A policy and the lists that its rules name: a misspelled name is found when
 * the policy is loaded, not when a post needs it.
 */
#include <string.h>

#include "policies/cel_fn.h"
#include "policies/policy_int.h"

static const char *
name_at(const void *set, size_t i)
{
    return wn_list_name(wn_list_set_at(set, i));
}

static enum wn_status
fail_name(const struct wn_rule *rule, struct wn_str name,
    const struct wn_list_set *set, struct wn_err *err)
{
    int len = name.len < 80 ? (int)name.len : 80;
    const char *near = NULL;

    if (set == NULL || wn_list_set_n(set) == 0)
        return wn_fail(err, WN_REJECT,
            "rule '%.*s' asks for the list '%.*s', and no lists are loaded: "
            "policy.lists is their folder",
            (int)rule->id.len, rule->id.p, len, name.p);
    near = wn_suggest(name.p, name.len, name_at, set, wn_list_set_n(set));
    return wn_fail(err, WN_REJECT,
        "rule '%.*s' asks for the list '%.*s', which is not there%s%s%s",
        (int)rule->id.len, rule->id.p, len, name.p,
        near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
        near != NULL ? "'?" : "");
}

static enum wn_status
check_node(const struct wn_rule *rule, const struct wn_cel_node *n,
    const struct wn_list_set *set, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    if (n->op == WN_OP_CALL && n->fn->call == wn_cel_in_list) {
        struct wn_str name = n->kids[0]->value.s;

        if (set == NULL || wn_list_set_find(set, name.p, name.len) == NULL)
            return fail_name(rule, name, set, err);
    }
    for (uint32_t i = 0; rc == WN_OK && i < n->kids_n; i++)
        rc = check_node(rule, n->kids[i], set, err);
    return rc;
}

enum wn_status
wn_policy_use_lists(
    struct wn_policy *p, struct wn_lists *ls, struct wn_err *err)
{
    struct wn_list_set *set = ls != NULL ? wn_lists_take(ls) : NULL;
    enum wn_status rc = WN_OK;

    for (size_t i = 0; rc == WN_OK && i < p->rules_n; i++)
        rc = check_node(&p->rules[i], p->rules[i].when, set, err);
    wn_lists_give(set);
    if (rc == WN_OK)
        p->lists = ls;
    return rc;
}
