/*
 * The program of a regular expression: what cel_regex.c writes and
 * cel_regex_run.c runs.
 */
#ifndef WN_POLICIES_CEL_REGEX_H
#define WN_POLICIES_CEL_REGEX_H

#include <string.h>

#include "policies/cel_int.h"

#define WN_CEL_REGEX_MAX 8192     /* instructions */
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
    uint32_t key; /* while it is parsed: see cel_regex_class.c */
};
struct wn_cel_regex {
    const struct wn_cel_regex_inst *code; /* begins at 0 */
    const struct wn_cel_regex_set *sets;
    uint32_t n;
    bool first_known;  /* a match begins with a character...  */
    uint64_t first[2]; /* of these, or with one from 128 on   */
};

/* --- the parser, between its files --- */

enum { WN_RE_FLAG_I = 1, WN_RE_FLAG_M = 2, WN_RE_FLAG_S = 4 };

enum wn_re_node_op {
    WN_RE_N_EMPTY,
    WN_RE_N_CHAR,
    WN_RE_N_SET,
    WN_RE_N_ASSERT,
    WN_RE_N_CAT,
    WN_RE_N_ALT,
    WN_RE_N_REPEAT
};

struct wn_re_node {
    enum wn_re_node_op op;
    uint32_t c;               /* character, set, assertion */
    unsigned min, max;        /* of a repetition; max UINT_MAX: no end */
    struct wn_re_node *a, *b; /* of cat and alt: a chain through b */
};

struct wn_re_parser {
    const char *p, *end;
    unsigned flags, depth;
    struct wn_arena *arena;
    struct wn_cel_run *run;
    const char *why; /* set once it failed */
    struct wn_cel_regex_set *sets;
    uint32_t sets_n;
    struct wn_cel_regex_inst *code;
    uint32_t code_n, work, looks;
};

extern const char wn_re_too_large[], wn_re_not_closed[], wn_re_bad_escape[];

static inline int
wn_re_peek(const struct wn_re_parser *ps)
{
    return ps->p < ps->end ? (unsigned char)*ps->p : -1;
}

static inline bool
wn_re_skip(struct wn_re_parser *ps, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(ps->end - ps->p) < n || memcmp(ps->p, word, n) != 0)
        return false;
    ps->p += n;
    return true;
}

static inline int
wn_re_digit(int c, int base)
{
    int d = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : 99;

    return d < base ? d : -1;
}

/* cel_regex_class.c */
/* NULL, and why, where it cannot be. */
void *wn_re_fail(struct wn_re_parser *ps, const char *why);
bool wn_re_refuse(struct wn_re_parser *ps, const char *why);
void *wn_re_alloc(struct wn_re_parser *ps, size_t bytes);
struct wn_re_node *wn_re_new_node(
    struct wn_re_parser *ps, enum wn_re_node_op op, uint32_t c);
/* The character here, moving on; UINT32_MAX where there is none. */
uint32_t wn_re_take(struct wn_re_parser *ps);
/* Behind a backslash, at c: one character, however it is written. */
bool wn_re_char_escape(struct wn_re_parser *ps, int c, uint32_t *ret);
/* Behind a backslash; NULL, and nothing is used up, where it is no set. */
struct wn_re_node *wn_re_set_escape(struct wn_re_parser *ps);
/* Behind '['. */
struct wn_re_node *wn_re_class(struct wn_re_parser *ps);
struct wn_re_node *wn_re_char(struct wn_re_parser *ps, uint32_t c);
/* '.': all but a line feed, or with (?s) all. */
struct wn_re_node *wn_re_any(struct wn_re_parser *ps);

#endif
