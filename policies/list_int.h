/*
 * What a list is made of, between its files.
 */
#ifndef WN_POLICIES_LIST_INT_H
#define WN_POLICIES_LIST_INT_H

#include <stdatomic.h>

#include "policies/list.h"

/* --- list_table.c: a set of strings --- */

/*
 * The strings lie one behind the other in `text`, each behind its length (two
 * bytes). A slot has the place of one, from 1 (0: empty), and 32 bits of its
 * hash, so that a string that is not there is seldom looked for in `text`.
 */
struct wn_list_slot {
    uint32_t at, tag;
};
struct wn_list_table {
    unsigned char *text;
    size_t len, cap; /* bytes */
    struct wn_list_slot *slots;
    size_t slots_n;
    size_t n; /* added, and then different strings */
};
bool wn_list_table_add(struct wn_list_table *t, const char *p, size_t len);
/* Makes the slots; strings that are there twice count once. */
bool wn_list_table_finish(struct wn_list_table *t);
bool wn_list_table_has(
    const struct wn_list_table *t, const char *p, size_t len);
void wn_list_table_release(struct wn_list_table *t);

/* --- list_range.c: ranges of addresses --- */

/* An IPv4 address is ::ffff:a.b.c.d, as in RFC 4291. */
struct wn_list_address {
    uint64_t high, low;
};
struct wn_list_range {
    struct wn_list_address from, to;
};
struct wn_list_ranges {
    struct wn_list_range *v; /* in the end ascending, apart */
    size_t n, cap;
};
/* "192.0.2.7", "2001:db8::1", "[::1]", and odd ways of writing them. */
bool wn_list_address(const char *p, size_t len, struct wn_list_address *ret);
/* An address, or a network: address/bits. */
bool wn_list_network(const char *p, size_t len, struct wn_list_range *ret);
bool wn_list_ranges_add(struct wn_list_ranges *r, struct wn_list_range range);
void wn_list_ranges_finish(struct wn_list_ranges *r);
bool wn_list_ranges_has(
    const struct wn_list_ranges *r, struct wn_list_address a);

/* --- list_host.c: hosts --- */

#define WN_LIST_HOST_MAX 253

/* The host of a URL or a host name, in its one form: lower case, xn--, no dot
 * at its end. Its length; 0 where there is none. */
size_t wn_list_host(const char *p, size_t len, char out[WN_LIST_HOST_MAX + 1]);
/* Labels of a host name, 0 where it is none; an address is none. */
unsigned wn_list_labels(const char *host, size_t len);

/* --- list.c --- */

struct wn_list {
    char name[WN_LIST_NAME_MAX + 1];
    enum wn_list_kind kind;
    atomic_uint holders;
    struct wn_list_table table;      /* exact, domain */
    struct wn_list_ranges ranges;    /* cidr          */
    unsigned labels_min, labels_max; /* of the domains there are */
    char version[17];
};

#endif
