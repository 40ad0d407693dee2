/*
 * Links: those a post gives and every URL in its hardened text.
 *
 * Found are http(s) and hxxp(s) URLs, www. names, bare domains with a path, and
 * bare domains under the few endings that are never words. A dot may be
 * written [.], (.), {.}, [dot] or (dot); such links, and hxxp, count as
 * hidden. The domain of a mail address is no link. " dot " between words is
 * left alone: "the dot com years" is more common than what it would catch.
 */
#ifndef WN_CLASSIFIER_LINKS_H
#define WN_CLASSIFIER_LINKS_H

#include <stdbool.h>
#include <stddef.h>

#include "classifier/classifier.h"
#include "core/arena.h"
#include "core/status.h"

#define WN_LINK_BYTES_MAX 2048 /* longer ones are cut */

struct wn_links {
    /* Different ones: given first, then as found, with a scheme and plain
     * dots. Two are the same without scheme, www., case of the host and a
     * slash at the end. */
    struct wn_str url[WN_LINKS_MAX];
    size_t n, hidden;
    /* Bytes of the text where each of them starts first, in order. */
    size_t at[WN_LINKS_MAX];
    size_t at_n;
};

/* Replaces what l held. Strings lie in the arena, or are the given ones.
 * WN_FULL when the arena is. Linear in len; ends early at WN_LINKS_MAX. */
enum wn_status wn_links_collect(struct wn_links *l, struct wn_arena *arena,
    const struct wn_str *given, size_t given_n, const char *text, size_t len,
    struct wn_err *err);

#endif
