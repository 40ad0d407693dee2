/*
 * Named lists for rules: in_list("scam-domains", l).
 *
 * A list is a name, a kind and up to tens of millions of entries. It is filled
 * once, from a file or entry by entry, and never changes after that: any
 * number of threads may look into it. lists.h has the lists of a process and
 * swaps them while they are used.
 *
 *   exact    the value is an entry, byte for byte
 *   domain   the host of the value (a host name or a URL) is an entry or lies
 *            under one: example.com holds https://a.example.com/x. Hosts are
 *            read as browsers read them: any case, user names, ports, %XX,
 *            letters beyond ASCII as xn--
 *   cidr     the value is an IP address, or a URL of one, within an entry:
 *            192.0.2.0/24, 192.0.2.7, 2001:db8::/32
 *
 * Text of entries: one a line, blanks around it and empty lines left out; # and
 * what follows is a comment at the start of a line, and for domains and
 * addresses behind a blank too.
 */
#ifndef WN_POLICIES_LIST_H
#define WN_POLICIES_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define WN_LIST_NAME_MAX 64             /* bytes: a-z 0-9 - _ .           */
#define WN_LIST_ENTRY_MAX 1024          /* bytes of one entry             */
#define WN_LIST_ENTRIES_MAX (64u << 20) /* of one list                    */
#define WN_LIST_BYTES_MAX (2u << 30)    /* of the entries of one list     */

enum wn_list_kind {
    WN_LIST_EXACT,
    WN_LIST_DOMAIN,
    WN_LIST_CIDR,
    WN_LIST_KINDS
};
extern const char *const wn_list_kind_names[WN_LIST_KINDS]; /* "exact", ... */

struct wn_list;

/* Empty, to be filled. The first holder is the caller, who drops *ret. */
enum wn_status wn_list_new(struct wn_list **ret, const char *name,
    enum wn_list_kind kind, struct wn_err *err);
/* One entry. WN_REJECT: it is none of this kind, or one too many. */
enum wn_status wn_list_add(
    struct wn_list *l, const char *p, size_t len, struct wn_err *err);
/* Whole lines, as a file has them. Errors name "WHERE:LINE: ..."; *line counts
 * them. */
enum wn_status wn_list_add_text(struct wn_list *l, const char *p, size_t len,
    const char *where, unsigned long *line, struct wn_err *err);
/* Ends the filling; from here on it is read-only. */
enum wn_status wn_list_finish(struct wn_list *l, struct wn_err *err);

/*
 * A whole file, finished. WN_REJECT names "FILE:LINE: ..."; also where the
 * file changed while it was read.
 */
enum wn_status wn_list_open(struct wn_list **ret, const char *name,
    enum wn_list_kind kind, const char *path, struct wn_err *err);

/* A list lives until its last holder drops it. Any thread. */
void wn_list_hold(struct wn_list *l);
void wn_list_drop(struct wn_list *l); /* accepts NULL and unfinished */

/* Is the value in it? Of finished lists. */
bool wn_list_has(const struct wn_list *l, const char *p, size_t len);

const char *wn_list_name(const struct wn_list *l);
enum wn_list_kind wn_list_kind(const struct wn_list *l);
/* Different entries; of addresses, ranges that do not touch. */
size_t wn_list_entries(const struct wn_list *l);
size_t wn_list_bytes(const struct wn_list *l); /* of memory */
/* 16 hex digits of the SHA-256 of kind and entries, in their order. */
const char *wn_list_version(const struct wn_list *l);

#endif
