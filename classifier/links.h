/*
 * Links: those a post gives and every URL in its hardened text.
 *
 * Found are http(s) and hxxp(s) URLs, www. names, bare domains with a path, and
 * bare domains under the few endings that are never words. A dot may be
 * written [.], (.), {.}, [dot] or (dot); such links, and hxxp, count as
 * hidden. The domain of a mail address is no link. " dot " between words is
 * left alone: "the dot com years" is more common than what it would catch.
 *
 * The whole text is walked, however many links it has: of those that have no
 * place in the list the number and the places are kept, so that 64 plain links
 * hide nothing that stands behind them.
 */
#ifndef WN_CLASSIFIER_LINKS_H
#define WN_CLASSIFIER_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifier/classifier.h"
#include "classifier/spots.h"
#include "core/arena.h"
#include "core/status.h"

#define WN_LINK_BYTES_MAX 2048 /* longer ones are cut */
/* Different links are told apart up to this many. Beyond, `different` stands
 * still and each that is hidden counts as another one. */
#define WN_LINKS_COUNT_MAX 1024

struct wn_links {
    /* The first different ones: given first, then as found, with a scheme and
     * plain dots, valid UTF-8 where the given ones are. Two are the same
     * without scheme, www., case of the host and a slash at the end. */
    struct wn_str url[WN_LINKS_MAX];
    size_t n;                 /* of url[]                              */
    size_t different, hidden; /* WN_LINKS_COUNT_MAX each, at most      */
    /* Where in the text each of them starts first. */
    struct wn_spots plain_spots, hidden_spots;
    /* Bytes looked at, each as often as it was, and slots of the table: what
     * a text costs, the same on every machine. */
    size_t steps;

    struct wn_str id[WN_LINKS_MAX]; /* of url[]: what two must share */
    /* A table of the different ones, at most half full. The seed is nobody's
     * to know, so no text can make its links meet in one slot. */
    uint64_t seed;
    struct wn_link_slot {
        uint64_t key; /* 0: free                              */
        uint8_t url;  /* in url[]; WN_LINKS_MAX: not kept     */
        bool in_text;
    } slot[2 * WN_LINKS_COUNT_MAX];
};

void wn_links_init(struct wn_links *l);

/* Replaces what l held. Strings lie in the arena, or are the given ones.
 * WN_FULL when the arena is. text is valid UTF-8. Linear in len and in the
 * bytes given. */
enum wn_status wn_links_collect(struct wn_links *l, struct wn_arena *arena,
    const struct wn_str *given, size_t given_n, const char *text, size_t len,
    struct wn_err *err);

#endif
