/*
 * What the loader makes and the evaluation reads.
 */
#ifndef WN_POLICIES_POLICY_INT_H
#define WN_POLICIES_POLICY_INT_H

#include "core/item.h"
#include "policies/cel_int.h"
#include "policies/policy.h"

/* A reason's text: literal parts and signals, in order. */
struct wn_reason_part {
    struct wn_str text;    /* the literal part                 */
    enum wn_signal signal; /* WN_SIG_COUNT for a literal part  */
};
#define WN_REASON_BYTES_MAX 1000 /* of a reason as written        */
#define WN_REASON_PARTS_MAX 64
#define WN_REASON_VALUE_MAX 64 /* bytes of a signal in a reason */

struct wn_reason_template {
    struct wn_reason_part *parts;
    size_t n;
    struct wn_str source; /* as written */
};

enum wn_rule_mode { WN_RULE_ENFORCE, WN_RULE_OFF };

struct wn_rule {
    struct wn_str id, category, when_text;
    const struct wn_cel_node *when;
    enum wn_action action;
    enum wn_rule_mode mode;
    unsigned rollout;      /* 0..100                     */
    uint64_t rollout_seed; /* of the author's hash   */
    struct wn_reason_template reason;
    size_t ordinal; /* from 1, in the file */
};

struct wn_policy {
    struct wn_arena arena; /* everything below lies in it */
    const char *version;
    struct wn_rule *rules;
    size_t rules_n;
    struct wn_lists *lists; /* of in_list(): see policy_lists.c; or NULL */
};

/* reason.c: WN_REJECT for a placeholder that names no scalar signal, or one
 * that belongs to the content of a post. */
enum wn_status wn_reason_parse(struct wn_reason_template *ret,
    struct wn_arena *arena, const char *text, size_t len, struct wn_err *err);
/* The text for these signals; the template as written where the arena is
 * full. */
struct wn_str wn_reason_render(const struct wn_reason_template *t,
    const struct wn_signals *sig, struct wn_arena *arena);

#endif
