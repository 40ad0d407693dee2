/*
 * The set of lists and its swap. `lock` is held for a pointer and a count and
 * never while a file is read.
 */
#include "policies/lists.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "policies/lists_int.h"

/* --- sets --- */

struct wn_list_set *
wn_lists_take(struct wn_lists *ls)
{
    struct wn_list_set *set;

    pthread_mutex_lock(&ls->lock);
    set = ls->set;
    atomic_fetch_add(&set->holders, 1);
    pthread_mutex_unlock(&ls->lock);
    return set;
}

void
wn_lists_give(struct wn_list_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->holders, 1) != 1)
        return;
    for (size_t i = 0; i < set->n; i++)
        wn_list_drop(set->list[i]);
    free(set);
}

const struct wn_list *
wn_list_set_find(const struct wn_list_set *set, const char *name, size_t len)
{
    for (size_t i = 0; i < set->n; i++) {
        const char *have = wn_list_name(set->list[i]);

        if (strncmp(have, name, len) == 0 && have[len] == '\0')
            return set->list[i];
    }
    return NULL;
}

size_t
wn_list_set_n(const struct wn_list_set *set)
{
    return set->n;
}

const struct wn_list *
wn_list_set_at(const struct wn_list_set *set, size_t i)
{
    return set->list[i];
}

const char *
wn_list_set_version(const struct wn_list_set *set)
{
    return set->version;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(wn_list_name(*(struct wn_list *const *)a),
        wn_list_name(*(struct wn_list *const *)b));
}

/* In the order of the names, so that equal lists are equal sets. */
static void
seal(struct wn_list_set *set)
{
    struct wn_part parts[2 * WN_LISTS_MAX];
    uint8_t hash[WN_SHA256];

    qsort(set->list, set->n, sizeof(set->list[0]), by_name);
    for (size_t i = 0; i < set->n; i++) {
        const char *name = wn_list_name(set->list[i]);
        const char *version = wn_list_version(set->list[i]);

        parts[2 * i] = (struct wn_part){ name, strlen(name) + 1 };
        parts[2 * i + 1] = (struct wn_part){ version, strlen(version) + 1 };
    }
    wn_sha256_parts(parts, 2 * set->n, hash);
    if (set->n > 0)
        wn_hex(hash, 8, set->version);
}

/* Puts l into the new set, in place of the one of its name. */
static bool
set_list(struct wn_list_set *set, struct wn_list *l)
{
    size_t i = 0;

    while (
        i < set->n && strcmp(wn_list_name(set->list[i]), wn_list_name(l)) != 0)
        i++;
    if (i == WN_LISTS_MAX)
        return false;
    if (i < set->n)
        wn_list_drop(set->list[i]);
    else
        set->n++;
    set->list[i] = l;
    return true;
}

enum wn_status
wn_lists_put(struct wn_lists *ls, struct wn_list *l, struct wn_err *err)
{
    struct wn_list_set *set = calloc(1, sizeof(*set)), *old;

    if (set == NULL) {
        wn_list_drop(l);
        return wn_fail(err, WN_STOP, "lists: out of memory");
    }
    atomic_init(&set->holders, 1);
    pthread_mutex_lock(&ls->change);
    old = ls->set;
    set->n = old->n;
    for (size_t i = 0; i < old->n; i++) {
        set->list[i] = old->list[i];
        wn_list_hold(set->list[i]);
    }
    if (!set_list(set, l)) {
        pthread_mutex_unlock(&ls->change);
        wn_lists_give(set);
        wn_list_drop(l);
        return wn_fail(
            err, WN_REJECT, "there are at most %d lists", WN_LISTS_MAX);
    }
    seal(set);
    pthread_mutex_lock(&ls->lock);
    ls->set = set;
    pthread_mutex_unlock(&ls->lock);
    pthread_mutex_unlock(&ls->change);
    wn_lists_give(old);
    return WN_OK;
}

/* --- all of them --- */

enum wn_status
wn_lists_open(struct wn_lists **ret, const char *folder, struct wn_err *err)
{
    struct wn_lists *ls = calloc(1, sizeof(*ls));
    enum wn_status rc = WN_OK;

    if (ls != NULL)
        ls->set = calloc(1, sizeof(*ls->set));
    if (ls == NULL || ls->set == NULL) {
        free(ls);
        return wn_fail(err, WN_STOP, "lists: out of memory");
    }
    atomic_init(&ls->set->holders, 1);
    pthread_mutex_init(&ls->lock, NULL);
    pthread_mutex_init(&ls->change, NULL);
    if (folder != NULL && *folder != '\0') {
        ls->folder = strdup(folder);
        rc = ls->folder == NULL ? wn_fail(err, WN_STOP, "lists: out of memory")
                                : wn_lists_read_folder(ls, err);
    }
    if (rc == WN_OK)
        *ret = ls;
    else
        wn_lists_free(ls);
    return rc;
}

void
wn_lists_free(struct wn_lists *ls)
{
    if (ls == NULL)
        return;
    wn_lists_end_watch(ls);
    wn_lists_give(ls->set);
    pthread_mutex_destroy(&ls->lock);
    pthread_mutex_destroy(&ls->change);
    free(ls->folder);
    free(ls);
}

void
wn_lists_describe(struct wn_lists *ls, struct wn_buf *out)
{
    struct wn_list_set *set = wn_lists_take(ls);

    wn_buf_str(out, set->n > 0 ? set->version : "none");
    for (size_t i = 0; i < set->n; i++) {
        const struct wn_list *l = set->list[i];

        wn_buf_printf(out, "%s%s@%s (%s, %zu)", i == 0 ? ": " : ", ",
            wn_list_name(l), wn_list_version(l),
            wn_list_kind_names[wn_list_kind(l)], wn_list_entries(l));
    }
    wn_lists_give(set);
}
