/*
 * The program of a regular expression: what cel_regex.c writes and
 * cel_regex_run.c runs.
 */
#ifndef WN_POLICIES_CEL_REGEX_H
#define WN_POLICIES_CEL_REGEX_H

#include "policies/cel_int.h"

#define WN_CEL_REGEX_MAX 4096     /* instructions */
#define WN_CEL_REGEX_SETS_MAX 512 /* [classes] */

enum wn_cel_regex_op {
    WN_RE_CHAR,   /* the character x, then y         */
    WN_RE_SET,    /* a character of set x, then y    */
    WN_RE_ASSERT, /* the place is an x, then y       */
    WN_RE_SPLIT,  /* x and y                         */
    WN_RE_JUMP,   /* x                               */
    WN_RE_MATCH,
};
enum wn_cel_regex_place {
    WN_RE_TEXT_START,
    WN_RE_TEXT_END,
    WN_RE_LINE_START,
    WN_RE_LINE_END,
    WN_RE_WORD_EDGE,
    WN_RE_NO_WORD_EDGE,
};

struct wn_cel_regex_inst {
    enum wn_cel_regex_op op;
    uint32_t x, y;
};
struct wn_cel_regex_range {
    uint32_t from, to;
};
struct wn_cel_regex_set {
    uint64_t ascii[2];                 /* a bit a character under 128 */
    struct wn_cel_regex_range *ranges; /* ascending, apart            */
    uint32_t n;
};
struct wn_cel_regex {
    const struct wn_cel_regex_inst *code; /* begins at 0 */
    const struct wn_cel_regex_set *sets;
    uint32_t n;
};

#endif
