/*
 * Does a part of a text match? All ways through the program are walked at
 * once, character by character, each place of the program at most once a
 * character: text times program is the most that it can take.
 */
#include <string.h>

#include "core/utf8.h"
#include "policies/cel_regex.h"

#define NO_CHAR UINT32_MAX
#define VISITS_STEP 16 /* places visited in one step of the run */

/* Stands on the stack: 80 KiB. */
struct walk {
    const struct wn_cel_regex *re;
    uint32_t prev, next; /* the characters around the place */
    uint32_t turn;       /* of seen[] */
    uint64_t visits;
    uint16_t wanted_n, live_n; /* next places; those that take a character */
    uint16_t wanted[WN_CEL_REGEX_MAX], live[WN_CEL_REGEX_MAX];
    uint16_t stack[WN_CEL_REGEX_MAX];
    uint32_t seen[WN_CEL_REGEX_MAX];
};

static bool
is_word(uint32_t c)
{
    return c < 128 && (c == '_' || (c >= '0' && c <= '9') ||
                          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
}

static bool
at_place(const struct walk *w, uint32_t place)
{
    switch (place) {
    case WN_RE_TEXT_START:
        return w->prev == NO_CHAR;
    case WN_RE_TEXT_END:
        return w->next == NO_CHAR;
    case WN_RE_LINE_START:
        return w->prev == NO_CHAR || w->prev == '\n';
    case WN_RE_LINE_END:
        return w->next == NO_CHAR || w->next == '\n';
    case WN_RE_WORD_EDGE:
        return is_word(w->prev) != is_word(w->next);
    default:
        return is_word(w->prev) == is_word(w->next);
    }
}

static bool
in_set(const struct wn_cel_regex_set *set, uint32_t c)
{
    uint32_t lo = 0, hi = set->n;

    if (c < 128)
        return set->ascii[c >> 6] >> (c & 63) & 1;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (c > set->ranges[mid].to)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < set->n && c >= set->ranges[lo].from;
}

static void
push(struct walk *w, uint32_t pc, uint16_t *n)
{
    if (w->seen[pc] == w->turn)
        return;
    w->seen[pc] = w->turn;
    w->stack[(*n)++] = (uint16_t)pc;
}

/* Follows what takes no character from pc; true at a match. */
static bool
follow(struct walk *w, uint32_t pc)
{
    uint16_t n = 0;

    push(w, pc, &n);
    while (n > 0) {
        const struct wn_cel_regex_inst *in = &w->re->code[w->stack[--n]];

        w->visits++;
        switch (in->op) {
        case WN_RE_MATCH:
            return true;
        case WN_RE_SPLIT:
            push(w, in->y, &n);
            push(w, in->x, &n);
            break;
        case WN_RE_JUMP:
            push(w, in->x, &n);
            break;
        case WN_RE_ASSERT:
            if (at_place(w, in->x))
                push(w, in->y, &n);
            break;
        default:
            w->live[w->live_n++] = (uint16_t)(in - w->re->code);
            break;
        }
    }
    return false;
}

/* Those that take the next character say where it goes on. */
static void
advance(struct walk *w)
{
    w->wanted_n = 0;
    for (uint16_t i = 0; i < w->live_n; i++) {
        const struct wn_cel_regex_inst *in = &w->re->code[w->live[i]];

        if (in->op == WN_RE_CHAR ? in->x == w->next
                                 : in_set(&w->re->sets[in->x], w->next))
            w->wanted[w->wanted_n++] = (uint16_t)in->y;
    }
    w->visits += w->live_n;
}

static bool
may_begin(const struct walk *w)
{
    const struct wn_cel_regex *re = w->re;

    if (!re->first_known)
        return true;
    if (w->next == NO_CHAR)
        return false;
    return w->next >= 128 || (re->first[w->next >> 6] >> (w->next & 63) & 1);
}

/* Follows every way that is open here, and a new one from the start. */
static bool
arrive(struct walk *w)
{
    w->turn++;
    w->live_n = 0;
    for (uint16_t i = 0; i < w->wanted_n; i++)
        if (follow(w, w->wanted[i]))
            return true;
    w->visits++;
    return may_begin(w) && follow(w, 0);
}

static bool
begins_at_start(const struct wn_cel_regex *re)
{
    return re->code[0].op == WN_RE_ASSERT && re->code[0].x == WN_RE_TEXT_START;
}

struct wn_cel_value
wn_cel_regex_match(
    const struct wn_cel_regex *re, struct wn_cel_run *run, struct wn_str text)
{
    bool anchored = begins_at_start(re);
    struct walk w; /* not cleared: only seen[] has to be */

    w.re = re;
    w.prev = NO_CHAR;
    w.turn = 0;
    w.visits = 0;
    w.wanted_n = 0;
    memset(w.seen, 0, re->n * sizeof(w.seen[0]));
    for (size_t pos = 0;;) {
        size_t n =
            pos < text.len ? wn_utf8_len(text.p + pos, text.len - pos) : 0;

        w.next = n > 0            ? wn_utf8_get(text.p + pos, n)
                 : pos < text.len ? 0xfffd
                                  : NO_CHAR;
        if (arrive(&w))
            return wn_cel_bool(true);
        if (w.next == NO_CHAR || (anchored && w.live_n == 0))
            return wn_cel_bool(false);
        advance(&w);
        if (!wn_cel_charge(run, w.visits / VISITS_STEP))
            return wn_cel_error(wn_cel_no_steps);
        w.visits %= VISITS_STEP;
        w.prev = w.next;
        pos += n > 0 ? n : 1;
    }
}
