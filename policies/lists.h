/*
 * The named lists of a process, and their change while rules use them.
 *
 * At any time there is one set of lists, which never changes: whoever judges a
 * post takes it, looks into it, and gives it back, so one post meets one
 * version of every list. A change makes a new set and swaps it in; the old one
 * lives until the last has given it back.
 *
 * From a folder: NAME.exact, NAME.domain and NAME.cidr are lists (list.h),
 * names that begin with a dot or end in ~ or .tmp are passed over. Two looks in
 * a row have to find the same file before it is read, so that a file may be
 * written in place; a rename is better. A file that is wrong, or gone, replaces
 * nothing: the list stays as it was until there is a good file.
 *
 * From elsewhere (a database): wn_lists_put(), and a poll of one's own.
 */
#ifndef WN_POLICIES_LISTS_H
#define WN_POLICIES_LISTS_H

#include "core/buf.h"
#include "policies/list.h"

#define WN_LISTS_MAX 64

struct wn_lists;
struct wn_list_set;

/*
 * Reads every list of the folder; none where folder is NULL or empty.
 * WN_REJECT names the file that is wrong. Owns: the caller frees *ret with
 * wn_lists_free(), when every set was given back.
 */
enum wn_status wn_lists_open(
    struct wn_lists **ret, const char *folder, struct wn_err *err);
void wn_lists_free(struct wn_lists *ls); /* accepts NULL; ends the watch */

/*
 * Looks whether files changed and swaps what did. *ret_changed: there is a new
 * set. WN_REJECT, once a change, names the first file that is wrong; the others
 * are swapped all the same. Thread: one at a time.
 */
enum wn_status wn_lists_poll(
    struct wn_lists *ls, bool *ret_changed, struct wn_err *err);
/* What a thread of its own does every period_ms: `poll` (NULL: the files, as
 * wn_lists_poll()), then `tell`, after a change with err NULL, and for what is
 * wrong with why, once as long as it is the same. */
struct wn_lists_watch {
    int64_t period_ms;
    enum wn_status (*poll)(
        void *arg, struct wn_lists *ls, bool *ret_changed, struct wn_err *err);
    void (*tell)(void *arg, struct wn_lists *ls, const struct wn_err *err);
    void *arg;
};
enum wn_status wn_lists_watch(struct wn_lists *ls,
    const struct wn_lists_watch *watch, struct wn_err *err);
/* Ends it and waits until it has; wn_lists_free() does so too. */
void wn_lists_end_watch(struct wn_lists *ls);

/* A finished list comes in, in place of the one of its name. Takes l. Any
 * thread. WN_REJECT: one too many. */
enum wn_status wn_lists_put(
    struct wn_lists *ls, struct wn_list *l, struct wn_err *err);

/* Any thread; never NULL. */
struct wn_list_set *wn_lists_take(struct wn_lists *ls);
void wn_lists_give(struct wn_list_set *set); /* accepts NULL */

/* NULL where there is none of this name. */
const struct wn_list *wn_list_set_find(
    const struct wn_list_set *set, const char *name, size_t len);
size_t wn_list_set_n(const struct wn_list_set *set);
const struct wn_list *wn_list_set_at(const struct wn_list_set *set, size_t i);
/* 16 hex digits over the names and versions of all; "" where there is none. */
const char *wn_list_set_version(const struct wn_list_set *set);
/* "SET VERSION: handles@0123456789abcdef (exact, 17), ...": for /status. */
void wn_lists_describe(struct wn_lists *ls, struct wn_buf *out);

/* --- policies --- */

struct wn_policy;

/*
 * The lists that the policy's in_list() asks, from now on; ls outlives it.
 * NULL: none. WN_REJECT: a rule names a list that is not there. Before the
 * policy is shared between threads.
 */
enum wn_status wn_policy_use_lists(
    struct wn_policy *p, struct wn_lists *ls, struct wn_err *err);

#endif
