/*
 * From policy.lists to the lists that rules ask; see lists.h.
 */
#include "cmd/lists.h"

#include <string.h>

#include "cmd/cmd.h"
#include "cmd/tools.h"

bool
wn_cmd_lists_stored(const struct wn_options *o)
{
    return strcmp(wn_opt_str(o, WN_OPT_POLICY_LISTS), "database") == 0;
}

/* --- from the database --- */

static bool
kind_of(const char *name, enum wn_list_kind *ret)
{
    for (int k = 0; k < WN_LIST_KINDS; k++) {
        if (strcmp(name, wn_list_kind_names[k]) == 0) {
            *ret = (enum wn_list_kind)k;
            return true;
        }
    }
    return false;
}

static enum wn_status
add_parts(struct wn_list_feed *f, const struct wn_stored_list *row,
    struct wn_list *l, struct wn_err *err)
{
    struct wn_buf part;
    unsigned long line = 0;
    enum wn_status rc = WN_OK;

    wn_buf_init(&part, WN_STORED_PART_MAX);
    for (int32_t n = 0; rc == WN_OK && n < row->parts; n++) {
        wn_buf_reset(&part);
        rc = wn_stored_list_part(f->st, row->version, n, &part, err);
        if (rc == WN_OK)
            rc =
                wn_list_add_text(l, part.data, part.len, row->name, &line, err);
    }
    wn_buf_release(&part);
    return rc == WN_OK ? wn_list_finish(l, err) : rc;
}

static enum wn_status
read_list(struct wn_list_feed *f, const struct wn_stored_list *row,
    struct wn_lists *ls, struct wn_err *err)
{
    struct wn_list *l = NULL;
    enum wn_list_kind kind;
    enum wn_status rc;

    if (!kind_of(row->kind, &kind))
        return wn_fail(
            err, WN_REJECT, "list %s: no kind '%s'", row->name, row->kind);
    rc = wn_list_new(&l, row->name, kind, err);
    if (rc == WN_OK)
        rc = add_parts(f, row, l, err);
    if (rc == WN_OK && strcmp(wn_list_version(l), row->hash) != 0)
        rc = wn_fail(err, WN_REJECT,
            "list %s: version %lld has the hash %s, not %s", row->name,
            (long long)row->version, wn_list_version(l), row->hash);
    if (rc != WN_OK) {
        wn_list_drop(l);
        return rc;
    }
    return wn_lists_put(ls, l, err);
}

/* Where its version is kept; NULL where the database has too many names. */
static int64_t *
have(struct wn_list_feed *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->have[i].name, name) == 0)
            return &f->have[i].version;
    if (f->n == WN_STORED_LISTS_MAX)
        return NULL;
    memcpy(f->have[f->n].name, name, strlen(name) + 1);
    f->have[f->n].version = 0;
    return &f->have[f->n++].version;
}

static enum wn_status
open_store(struct wn_list_feed *f, struct wn_err *err)
{
    struct wn_store_conf conf = { .conninfo = f->conninfo,
        .instance = "winnow lists",
        .retention_days = 180,
        .stop = f->stop };

    return f->st != NULL ? WN_OK : wn_store_open(&f->st, &conf, err);
}

enum wn_status
wn_list_feed_poll(struct wn_list_feed *f, struct wn_lists *ls,
    bool *ret_changed, struct wn_err *err)
{
    struct wn_stored_list rows[WN_STORED_LISTS_MAX];
    enum wn_status rc = open_store(f, err), one;
    struct wn_err why;
    size_t n = 0;

    *ret_changed = false;
    if (rc == WN_OK)
        rc = wn_stored_lists(f->st, rows, &n, err);
    for (size_t i = 0; i < n && rc != WN_RETRY; i++) {
        int64_t *version = have(f, rows[i].name);

        if (version == NULL || *version == rows[i].version)
            continue;
        one = read_list(f, &rows[i], ls, &why);
        *ret_changed = *ret_changed || one == WN_OK;
        if (one != WN_RETRY)
            *version = rows[i].version;
        if (one != WN_OK && (rc == WN_OK || one == WN_RETRY))
            rc = wn_fail(err, one, "%s", why.text);
    }
    return rc;
}

void
wn_list_feed_release(struct wn_list_feed *f)
{
    wn_store_free(f->st);
    f->st = NULL;
}

/* --- for commands --- */

enum wn_status
wn_cmd_lists_open(
    struct wn_lists **ret, const struct wn_options *o, struct wn_err *err)
{
    const char *folder = wn_opt_str(o, WN_OPT_POLICY_LISTS);

    if (wn_cmd_lists_stored(o))
        return wn_lists_open(ret, NULL, err);
    return wn_cmd_fail_file(o, WN_OPT_POLICY_LISTS, "policy.lists", folder,
        wn_lists_open(ret, folder, err), err);
}

enum wn_status
wn_cmd_lists_once(struct wn_lists **ret, struct wn_policy *p,
    const struct wn_options *o, struct wn_err *err)
{
    struct wn_list_feed feed = { .conninfo =
                                     wn_opt_str(o, WN_OPT_DATABASE_URL) };
    struct wn_lists *ls = NULL;
    enum wn_status rc = wn_cmd_lists_open(&ls, o, err);
    bool changed;

    if (rc == WN_OK && wn_cmd_lists_stored(o))
        rc = wn_list_feed_poll(&feed, ls, &changed, err);
    wn_list_feed_release(&feed);
    if (rc == WN_OK)
        rc = wn_policy_use_lists(p, ls, err);
    if (rc == WN_OK)
        *ret = ls;
    else
        wn_lists_free(ls);
    return rc;
}
