/*
 * A policy: rules over signals, and what they make of one post.
 *
 * JSON (DESIGN 6); conditions are CEL (google/cel-spec) without protobuf
 * messages, with macros, strings, math, time and optionals. Rules are
 * type-checked against core/signals.h when loaded, so evaluation reads no
 * clock, file or global and cannot fail: a rule whose input is unknown, or that
 * meets an evaluation error (overflow, division by zero), is skipped and named
 * in the verdict.
 *
 * A wn_policy is read-only once loaded: any number of threads may evaluate it.
 */
#ifndef WN_POLICIES_POLICY_H
#define WN_POLICIES_POLICY_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/item.h"
#include "core/status.h"

#define WN_POLICY_BYTES_MAX (4u << 20) /* of a policy file  */
#define WN_POLICY_RULES_MAX 4096
#define WN_POLICY_DEPTH_MAX 64 /* nesting of an expression    */

struct wn_policy;

/*
 * Parses and checks. WN_REJECT names the place: "policy.json: rule 'x' (3rd):
 * column 17 of when: ...". `name` is used in errors only.
 * Owns: the caller frees *ret with wn_policy_free().
 */
enum wn_status wn_policy_load(struct wn_policy **ret, const char *json,
    size_t len, const char *name, struct wn_err *err);
/* From a file of at most WN_POLICY_BYTES_MAX. */
enum wn_status wn_policy_open(
    struct wn_policy **ret, const char *path, struct wn_err *err);
void wn_policy_free(struct wn_policy *p);

/* "default/7@<first 16 hex digits of the file's SHA-256>": name, version and
 * content; in every verdict. Lives as long as the policy. */
const char *wn_policy_version(const struct wn_policy *p);
size_t wn_policy_rules(const struct wn_policy *p);

/*
 * Fills ret: the action, its reasons (strongest action first, then the
 * policy's order), the rules skipped. No matching rule means WN_ALLOW.
 * rollout is taken by a stable hash of rule id and author.id. Strings of ret
 * lie in `arena` or in the policy; without memory in the arena the reasons
 * are cut, never the action.
 */
void wn_policy_eval(const struct wn_policy *p, const struct wn_signals *sig,
    struct wn_arena *arena, struct wn_verdict *ret);

/*
 * Why a rule that the verdict names as skipped was not asked, for people:
 * "author.age_days is unknown", or the error that it met. `out` gets it.
 */
void wn_policy_why_skipped(const struct wn_policy *p,
    const struct wn_signals *sig, struct wn_str rule, struct wn_buf *out);

/* A table of the rules (id, action, mode, category, when) for people. */
void wn_policy_describe(const struct wn_policy *p, struct wn_buf *out);

#endif
