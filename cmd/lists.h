/*
 * The lists that rules ask, from where policy.lists says: files, or the
 * database.
 */
#ifndef WN_CMD_LISTS_H
#define WN_CMD_LISTS_H

#include "core/options.h"
#include "policies/lists.h"
#include "storage/lists.h"

/* Lists of the database on their way into those of the process. */
struct wn_list_feed {
    const char *conninfo;
    const atomic_bool *stop; /* as in struct wn_store_conf; may be NULL */
    struct wn_store *st;     /* of the thread that polls; NULL: none yet */
    struct {
        char name[WN_LIST_NAME_MAX + 1];
        int64_t version; /* read, whatever came of it */
    } have[WN_STORED_LISTS_MAX];
    size_t n;
};

/* policy.lists is `database`. */
bool wn_cmd_lists_stored(const struct wn_options *o);

/*
 * Reads the versions that are new into ls. WN_RETRY: the database is away.
 * WN_REJECT: a list is not what it should be; it stays as it was. The thread
 * that polls is the only one to.
 */
enum wn_status wn_list_feed_poll(struct wn_list_feed *f, struct wn_lists *ls,
    bool *ret_changed, struct wn_err *err);
void wn_list_feed_release(struct wn_list_feed *f);

/* Opens the lists of the files, none where they are in the database. */
enum wn_status wn_cmd_lists_open(
    struct wn_lists **ret, const struct wn_options *o, struct wn_err *err);
/* All of it for one command: reads them from wherever they are, for p. p is
 * freed before *ret. */
enum wn_status wn_cmd_lists_once(struct wn_lists **ret, struct wn_policy *p,
    const struct wn_options *o, struct wn_err *err);

#endif
