/*
 * Regular expressions in RE2 syntax (github.com/google/re2/wiki/Syntax) to a
 * small program, which cel_regex_run.c runs in time linear in the text.
 *
 * Only whether a part of the text matches is ever asked, so groups capture
 * nothing and greedy and lazy repetition are one. There are no
 * back-references and no looking around: that is what makes a bound on the
 * time possible, whatever the text. Patterns may be hostile too: nesting,
 * program and work are bounded.
 */
#include <string.h>

#include "policies/cel_regex.h"

#define PATTERN_MAX (16u << 10) /* bytes */
#define NEST_MAX 100            /* groups in groups */
#define REPEAT_MAX 1000         /* of {n,m}, as in RE2 */
#define WORK_MAX (64u << 10)    /* nodes visited to write the program */

static const char bad_group[] = "the pattern has a (?...) that RE2 lacks";
static const char bad_repeat[] = "the pattern has a bad repetition";

/* --- the grammar --- */

static struct wn_re_node *parse_alt(struct wn_re_parser *ps);

/* Behind \Q: literal up to \E or the end. */
static struct wn_re_node *
parse_quoted(struct wn_re_parser *ps)
{
    struct wn_re_node *first = wn_re_new_node(ps, WN_RE_N_EMPTY, 0),
                      *last = first;

    while (ps->p < ps->end && ps->why == NULL && !wn_re_skip(ps, "\\E")) {
        struct wn_re_node *cat = wn_re_new_node(ps, WN_RE_N_CAT, 0);

        if (cat == NULL || last == NULL)
            return NULL;
        cat->a = wn_re_char(ps, wn_re_take(ps));
        if (last == first)
            first = cat;
        else
            last->b = cat;
        last = cat;
    }
    return first;
}

/* Behind a backslash. */
static struct wn_re_node *
parse_escape(struct wn_re_parser *ps)
{
    struct wn_re_node *n;
    uint32_t c = 0;

    if (wn_re_skip(ps, "A"))
        return wn_re_new_node(ps, WN_RE_N_ASSERT, WN_RE_TEXT_START);
    if (wn_re_skip(ps, "z"))
        return wn_re_new_node(ps, WN_RE_N_ASSERT, WN_RE_TEXT_END);
    if (wn_re_skip(ps, "b"))
        return wn_re_new_node(ps, WN_RE_N_ASSERT, WN_RE_WORD_EDGE);
    if (wn_re_skip(ps, "B"))
        return wn_re_new_node(ps, WN_RE_N_ASSERT, WN_RE_NO_WORD_EDGE);
    if (wn_re_skip(ps, "Q"))
        return parse_quoted(ps);
    n = wn_re_set_escape(ps);
    if (n != NULL || ps->why != NULL)
        return n;
    if (wn_re_char_escape(ps, wn_re_peek(ps), &c))
        return wn_re_char(ps, c);
    return wn_re_fail(ps, wn_re_bad_escape);
}

/* Behind "(?P<" or "(?<": name>. */
static bool
skip_name(struct wn_re_parser *ps)
{
    const char *start = ps->p;

    for (int c; (c = wn_re_peek(ps)) != -1 && c != '>'; ps->p++)
        if (c != '_' && wn_re_digit(c, 10) < 0 && (c < 'a' || c > 'z') &&
            (c < 'A' || c > 'Z'))
            return false;
    return ps->p > start && wn_re_skip(ps, ">");
}

/* Behind "(?": flags and ')' or ':'. *ret_group: it was ':'. */
static bool
take_flags(struct wn_re_parser *ps, bool *ret_group)
{
    static const char letters[] = "imsU"; /* U: lazy, which is one here */
    bool off = false, any = false;
    const char *at;

    for (int c; (c = wn_re_peek(ps)) != ')' && c != ':'; ps->p++) {
        if (c == '-' && !off) {
            off = true;
            any = false;
            continue;
        }
        at = c > 0 ? strchr(letters, c) : NULL;
        if (at == NULL)
            return false;
        any = true;
        if (off)
            ps->flags &= ~(1u << (at - letters));
        else
            ps->flags |= 1u << (at - letters);
    }
    *ret_group = wn_re_skip(ps, ":");
    if (!*ret_group)
        ps->p++;
    return any || (!off && *ret_group);
}

/* Behind '('. */
static struct wn_re_node *
parse_group(struct wn_re_parser *ps)
{
    unsigned flags = ps->flags;
    bool group = true;
    struct wn_re_node *n;

    if (wn_re_skip(ps, "?P<") || (ps->end - ps->p > 2 && ps->p[2] != '=' &&
                                     ps->p[2] != '!' && wn_re_skip(ps, "?<"))) {
        if (!skip_name(ps))
            return wn_re_fail(ps, bad_group);
    } else if (wn_re_skip(ps, "?") && !take_flags(ps, &group)) {
        return wn_re_fail(ps, bad_group);
    }
    if (!group) /* for what follows in the group around it */
        return wn_re_new_node(ps, WN_RE_N_EMPTY, 0);
    if (++ps->depth > NEST_MAX)
        return wn_re_fail(ps, "the pattern is nested too deeply");
    n = parse_alt(ps);
    ps->depth--;
    ps->flags = flags;
    if (ps->why == NULL && !wn_re_skip(ps, ")"))
        return wn_re_fail(ps, wn_re_not_closed);
    return n;
}

static struct wn_re_node *
parse_atom(struct wn_re_parser *ps)
{
    bool lines = ps->flags & WN_RE_FLAG_M;

    if (wn_re_skip(ps, "("))
        return parse_group(ps);
    if (wn_re_skip(ps, "["))
        return wn_re_class(ps);
    if (wn_re_skip(ps, "."))
        return wn_re_any(ps);
    if (wn_re_skip(ps, "^"))
        return wn_re_new_node(
            ps, WN_RE_N_ASSERT, lines ? WN_RE_LINE_START : WN_RE_TEXT_START);
    if (wn_re_skip(ps, "$"))
        return wn_re_new_node(
            ps, WN_RE_N_ASSERT, lines ? WN_RE_LINE_END : WN_RE_TEXT_END);
    if (wn_re_skip(ps, "\\"))
        return parse_escape(ps);
    if (wn_re_peek(ps) == '*' || wn_re_peek(ps) == '+' || wn_re_peek(ps) == '?')
        return wn_re_fail(ps, bad_repeat);
    return wn_re_char(ps, wn_re_take(ps));
}

/* Digits up to REPEAT_MAX; more than it stays more than it. */
static bool
take_count(struct wn_re_parser *ps, unsigned *ret)
{
    const char *start = ps->p;
    unsigned n = 0;

    for (int d; (d = wn_re_digit(wn_re_peek(ps), 10)) >= 0; ps->p++)
        n = n > REPEAT_MAX ? n : n * 10 + (unsigned)d;
    *ret = n;
    return ps->p > start;
}

/* At '{': {n}, {n,} or {n,m}; false, and nothing is used up, where it is a
 * plain brace. */
static bool
take_braces(struct wn_re_parser *ps, unsigned *min, unsigned *max)
{
    const char *start = ps->p++;
    bool ok = take_count(ps, min);

    *max = *min;
    if (ok && wn_re_skip(ps, ",") && !take_count(ps, max))
        *max = UINT32_MAX;
    if (ok && wn_re_skip(ps, "}"))
        return true;
    ps->p = start;
    return false;
}

/* An atom with what repeats it. */
static struct wn_re_node *
parse_repeat(struct wn_re_parser *ps)
{
    struct wn_re_node *n = parse_atom(ps), *rep;
    unsigned min = 0, max = UINT32_MAX;
    bool simple;

    if (n == NULL)
        return NULL;
    simple =
        wn_re_peek(ps) == '*' || wn_re_peek(ps) == '+' || wn_re_peek(ps) == '?';
    if (simple) {
        min = wn_re_peek(ps) == '+';
        max = wn_re_peek(ps) == '?' ? 1 : UINT32_MAX;
        ps->p++;
    } else if (wn_re_peek(ps) != '{' || !take_braces(ps, &min, &max)) {
        return n;
    }
    wn_re_skip(ps, "?"); /* lazy: the same */
    if (min > REPEAT_MAX || (max != UINT32_MAX && max > REPEAT_MAX) ||
        min > max || wn_re_peek(ps) == '*' || wn_re_peek(ps) == '+' ||
        wn_re_peek(ps) == '?')
        return wn_re_fail(ps, bad_repeat);
    rep = wn_re_new_node(ps, WN_RE_N_REPEAT, 0);
    if (rep == NULL)
        return NULL;
    rep->a = n;
    rep->min = min;
    rep->max = max;
    return rep;
}

static struct wn_re_node *
parse_cat(struct wn_re_parser *ps)
{
    struct wn_re_node *first = NULL, *last = NULL, *cat;

    while (ps->why == NULL && ps->p < ps->end && wn_re_peek(ps) != '|' &&
           wn_re_peek(ps) != ')') {
        cat = wn_re_new_node(ps, WN_RE_N_CAT, 0);
        if (cat == NULL)
            return NULL;
        cat->a = parse_repeat(ps);
        if (last != NULL)
            last->b = cat;
        else
            first = cat;
        last = cat;
    }
    return first != NULL ? first : wn_re_new_node(ps, WN_RE_N_EMPTY, 0);
}

static struct wn_re_node *
parse_alt(struct wn_re_parser *ps)
{
    struct wn_re_node *first = wn_re_new_node(ps, WN_RE_N_ALT, 0),
                      *last = first;

    if (first == NULL)
        return NULL;
    first->a = parse_cat(ps);
    while (ps->why == NULL && wn_re_skip(ps, "|")) {
        last->b = wn_re_new_node(ps, WN_RE_N_ALT, 0);
        if (last->b == NULL)
            return NULL;
        last = last->b;
        last->a = parse_cat(ps);
    }
    return first;
}

/* --- the program --- */

static uint32_t
emit(struct wn_re_parser *ps, enum wn_cel_regex_op op, uint32_t x)
{
    if (ps->code_n == WN_CEL_REGEX_MAX) {
        wn_re_fail(ps, wn_re_too_large);
        return 0;
    }
    ps->code[ps->code_n] =
        (struct wn_cel_regex_inst){ .op = op, .x = x, .y = ps->code_n + 1 };
    return ps->code_n++;
}

static void write_node(struct wn_re_parser *ps, const struct wn_re_node *n);

static void
write_alt(struct wn_re_parser *ps, const struct wn_re_node *n)
{
    uint32_t last = UINT32_MAX; /* jumps to the end, chained through x */

    for (; n != NULL && ps->why == NULL; n = n->b) {
        uint32_t split = 0;

        if (n->b != NULL)
            split = emit(ps, WN_RE_SPLIT, ps->code_n + 1);
        write_node(ps, n->a);
        if (n->b == NULL)
            break;
        last = emit(ps, WN_RE_JUMP, last);
        ps->code[split].y = ps->code_n;
    }
    while (last != UINT32_MAX && ps->why == NULL) {
        uint32_t next = ps->code[last].x;

        ps->code[last].x = ps->code_n;
        last = next;
    }
}

static void
write_repeat(struct wn_re_parser *ps, const struct wn_re_node *n)
{
    uint32_t split, first = UINT32_MAX, jump;

    for (unsigned i = 0; i < n->min && ps->why == NULL; i++)
        write_node(ps, n->a);
    if (n->max == UINT32_MAX) {
        split = emit(ps, WN_RE_SPLIT, ps->code_n + 1);
        write_node(ps, n->a);
        jump = emit(ps, WN_RE_JUMP, split);
        if (ps->why == NULL)
            ps->code[split].y = jump + 1;
        return;
    }
    /* every optional copy may leave for the end: chained through y */
    for (unsigned i = n->min; i < n->max && ps->why == NULL; i++) {
        split = emit(ps, WN_RE_SPLIT, ps->code_n + 1);
        ps->code[split].y = first;
        first = split;
        write_node(ps, n->a);
    }
    while (first != UINT32_MAX && ps->why == NULL) {
        split = first;
        first = ps->code[split].y;
        ps->code[split].y = ps->code_n;
    }
}

/* Depth is what the parser allowed; the work of {n} in {n} is bounded. */
static void
write_node(struct wn_re_parser *ps, const struct wn_re_node *n)
{
    for (; n != NULL && ps->why == NULL; n = n->b) {
        if (++ps->work > WORK_MAX) {
            wn_re_fail(ps, wn_re_too_large);
            return;
        }
        switch (n->op) {
        case WN_RE_N_EMPTY:
            return;
        case WN_RE_N_CHAR:
            emit(ps, WN_RE_CHAR, n->c);
            return;
        case WN_RE_N_SET:
            emit(ps, WN_RE_SET, n->c);
            return;
        case WN_RE_N_ASSERT:
            emit(ps, WN_RE_ASSERT, n->c);
            return;
        case WN_RE_N_REPEAT:
            write_repeat(ps, n);
            return;
        case WN_RE_N_ALT:
            write_alt(ps, n);
            return;
        case WN_RE_N_CAT:
            write_node(ps, n->a);
            break;
        }
    }
}

/* The characters that a match can begin with; none are known where it can be
 * empty. Assertions are taken to hold. */
static void
find_first(struct wn_cel_regex *re)
{
    bool seen[WN_CEL_REGEX_MAX] = { false };
    uint16_t stack[2 * WN_CEL_REGEX_MAX] = { 0 };
    size_t n = 1;

    while (n > 0) {
        uint16_t pc = stack[--n];
        const struct wn_cel_regex_inst *in = &re->code[pc];

        if (seen[pc])
            continue;
        seen[pc] = true;
        if (in->op == WN_RE_MATCH)
            return;
        if (in->op == WN_RE_CHAR && in->x < 128)
            re->first[in->x >> 6] |= (uint64_t)1 << (in->x & 63);
        if (in->op == WN_RE_SET)
            for (int i = 0; i < 2; i++)
                re->first[i] |= re->sets[in->x].ascii[i];
        if (in->op == WN_RE_SPLIT || in->op == WN_RE_JUMP)
            stack[n++] = (uint16_t)in->x;
        if (in->op == WN_RE_SPLIT || in->op == WN_RE_ASSERT)
            stack[n++] = (uint16_t)in->y;
    }
    re->first_known = true;
}

static const struct wn_cel_regex *
new_program(struct wn_re_parser *ps)
{
    struct wn_cel_regex *re = wn_re_alloc(ps, sizeof(*re));
    struct wn_cel_regex_inst *code;
    struct wn_cel_regex_set *sets;

    if (re == NULL)
        return NULL;
    code = wn_re_alloc(ps, ps->code_n * sizeof(*code));
    sets = wn_re_alloc(ps, (ps->sets_n + 1) * sizeof(*sets));
    if (code == NULL || sets == NULL)
        return NULL;
    memcpy(code, ps->code, ps->code_n * sizeof(*code));
    memcpy(sets, ps->sets, ps->sets_n * sizeof(*sets));
    *re = (struct wn_cel_regex){ .code = code, .sets = sets, .n = ps->code_n };
    find_first(re);
    return re;
}

const struct wn_cel_regex *
wn_cel_regex_new(struct wn_arena *arena, struct wn_cel_run *run,
    struct wn_str pattern, const char **ret_why)
{
    struct wn_cel_regex_inst code[WN_CEL_REGEX_MAX];
    struct wn_cel_regex_set sets[WN_CEL_REGEX_SETS_MAX];
    struct wn_re_parser ps = { .p = pattern.p,
        .end = pattern.p + pattern.len,
        .arena = arena,
        .run = run,
        .sets = sets,
        .code = code };
    const struct wn_cel_regex *re = NULL;
    struct wn_re_node *n = NULL;

    if (pattern.len > PATTERN_MAX)
        wn_re_fail(&ps, wn_re_too_large);
    else
        n = parse_alt(&ps);
    if (ps.why == NULL && ps.p < ps.end)
        wn_re_fail(&ps, "the pattern has a ) too many");
    if (ps.why == NULL) {
        write_node(&ps, n);
        emit(&ps, WN_RE_MATCH, 0);
    }
    if (ps.why == NULL)
        re = new_program(&ps);
    if (re == NULL)
        *ret_why = ps.why;
    return re;
}

size_t
wn_cel_regex_size(const struct wn_cel_regex *re)
{
    return re->n;
}
