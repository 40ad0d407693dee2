/* What finding links (links_find.c) and listing them (links.c) share. */
#ifndef WN_CLASSIFIER_LINKS_INT_H
#define WN_CLASSIFIER_LINKS_INT_H

#include "classifier/links.h"

struct wn_link_scan {
    const char *s;
    size_t len;
    size_t steps; /* as in struct wn_links */
};

/* What is written for the URL at [start, end). */
struct wn_link_found {
    size_t start, host, end;
    bool secure, hidden;
};

/* The next link at or after *i; moves *i past it. Of all calls for one text
 * together, steps grow by at most a small multiple of its length. */
bool wn_link_next(struct wn_link_scan *t, size_t *i, struct wn_link_found *ret);
/* The link in plain form; its length. */
size_t wn_link_plain(struct wn_link_scan *t, const struct wn_link_found *f,
    char out[WN_LINK_BYTES_MAX]);

#endif
