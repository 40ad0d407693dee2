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

#include <unicode/uset.h>

#include "core/utf8.h"
#include "policies/cel_regex.h"

#define PATTERN_MAX (16u << 10) /* bytes */
#define NEST_MAX 100            /* groups in groups */
#define REPEAT_MAX 1000         /* of {n,m}, as in RE2 */
#define WORK_MAX (64u << 10)    /* nodes visited to write the program */

enum { FLAG_I = 1, FLAG_M = 2, FLAG_S = 4 };

enum node_op { N_EMPTY, N_CHAR, N_SET, N_ASSERT, N_CAT, N_ALT, N_REPEAT };

struct node {
    enum node_op op;
    uint32_t c;         /* character, set, assertion */
    unsigned min, max;  /* of a repetition; max UINT_MAX: no end */
    struct node *a, *b; /* of cat and alt: a chain through b */
};

struct parser {
    const char *p, *end;
    unsigned flags, depth;
    struct wn_arena *arena;
    struct wn_cel_run *run;
    const char *why; /* set once it failed */
    struct wn_cel_regex_set *sets;
    uint32_t sets_n;
    struct wn_cel_regex_inst *code;
    uint32_t code_n, work;
};

static const char too_large[] = "the pattern is too large";
static const char bad_escape[] = "the pattern has an unknown escape";
static const char bad_class[] = "the pattern has a bad [class]";
static const char bad_group[] = "the pattern has a (?...) that RE2 lacks";
static const char bad_repeat[] = "the pattern has a bad repetition";
static const char not_closed[] = "the pattern has a ( or [ that is not closed";

/* NULL, and why, where it cannot be. */
static void *
fail(struct parser *ps, const char *why)
{
    if (ps->why == NULL)
        ps->why = why;
    return NULL;
}

static bool
refuse(struct parser *ps, const char *why)
{
    fail(ps, why);
    return false;
}

static void *
alloc(struct parser *ps, size_t bytes)
{
    void *p = ps->arena != NULL ? wn_arena_alloc(ps->arena, bytes)
                                : wn_cel_scratch(ps->run, bytes);

    return p != NULL ? p : fail(ps, too_large);
}

static struct node *
new_node(struct parser *ps, enum node_op op, uint32_t c)
{
    struct node *n = alloc(ps, sizeof(*n));

    if (n != NULL)
        *n = (struct node){ .op = op, .c = c };
    return n;
}

/* --- characters --- */

static int
peek(const struct parser *ps)
{
    return ps->p < ps->end ? (unsigned char)*ps->p : -1;
}

static bool
skip(struct parser *ps, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(ps->end - ps->p) < n || memcmp(ps->p, word, n) != 0)
        return false;
    ps->p += n;
    return true;
}

/* The character here, moving on; UINT32_MAX where there is none. */
static uint32_t
take(struct parser *ps)
{
    size_t n =
        ps->p < ps->end ? wn_utf8_len(ps->p, (size_t)(ps->end - ps->p)) : 0;
    uint32_t c;

    if (n == 0) {
        fail(ps, ps->p < ps->end ? "the pattern is not UTF-8" : not_closed);
        return UINT32_MAX;
    }
    c = wn_utf8_get(ps->p, n);
    ps->p += n;
    return c;
}

static int
digit_of(int c, int base)
{
    int d = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : 99;

    return d < base ? d : -1;
}

/* Behind \x: HH or {H...}. */
static bool
hex_escape(struct parser *ps, uint32_t *ret)
{
    bool braced = skip(ps, "{");
    uint32_t c = 0;
    unsigned n = 0;

    for (int d; (d = digit_of(peek(ps), 16)) >= 0 && (braced || n < 2);
         n++, ps->p++) {
        c = c << 4 | (uint32_t)d;
        if (c > 0x10ffff)
            return false;
    }
    *ret = c;
    return braced ? n > 0 && skip(ps, "}") : n == 2;
}

/* Behind a backslash, at c: one character, however it is written. */
static bool
char_escape(struct parser *ps, int c, uint32_t *ret)
{
    static const char from[] = "aftnrv", to[] = "\a\f\t\n\r\v";
    const char *p = c > 0 ? strchr(from, c) : NULL;

    if (c < 0 || c >= 0x80)
        return false;
    ps->p++;
    if (p != NULL) {
        *ret = (unsigned char)to[p - from];
        return true;
    }
    if (c == 'x')
        return hex_escape(ps, ret);
    if (digit_of(c, 8) >= 0) {
        /* \1 to \7 alone would look back at a group */
        if (c != '0' && digit_of(peek(ps), 8) < 0)
            return false;
        *ret = (uint32_t)(c - '0');
        for (int n = 0, d; n < 2 && (d = digit_of(peek(ps), 8)) >= 0; n++) {
            *ret = *ret * 8 + (uint32_t)d;
            ps->p++;
        }
        return true;
    }
    *ret = (uint32_t)c;
    return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
             (c >= 'A' && c <= 'Z'));
}

/* --- sets of characters --- */

/* d, s, w, or in capitals all but these: ASCII, as in RE2. */
static bool
add_perl(USet *set, int c)
{
    static const char *const ranges[] = { "dD", "09", "sS", "\t\n\f\r  ", "wW",
        "09AZ__az" };
    USet *part;

    for (size_t i = 0; i < 6; i += 2) {
        if (c != ranges[i][0] && c != ranges[i][1])
            continue;
        part = uset_openEmpty();
        for (const char *r = ranges[i + 1]; *r != '\0'; r += 2)
            uset_addRange(part, r[0], r[1]);
        if (c == ranges[i][1])
            uset_complement(part);
        uset_addAll(set, part);
        uset_close(part);
        return true;
    }
    return false;
}

/* Adds the property, or all but it. */
static bool
add_property(USet *set, const char *name, size_t len, bool negated)
{
    UErrorCode rc = U_ZERO_ERROR;
    UChar text[64];
    int32_t n = 0;
    USet *part;

    if (len == 0 || len > 40)
        return false;
    for (const char *p = "[:"; *p != '\0'; p++)
        text[n++] = (UChar)*p;
    for (size_t i = 0; i < len; i++) {
        if ((name[i] < 'A' || name[i] > 'Z') &&
            (name[i] < 'a' || name[i] > 'z') && name[i] != '_')
            return false;
        text[n++] = (UChar)name[i];
    }
    for (const char *p = ":]"; *p != '\0'; p++)
        text[n++] = (UChar)*p;
    part = uset_openPattern(text, n, &rc);
    if (U_SUCCESS(rc)) {
        if (negated)
            uset_complement(part);
        uset_addAll(set, part);
    }
    uset_close(part);
    return U_SUCCESS(rc);
}

/* Behind \p or \P: one letter, {Name} or {^Name}. */
static bool
take_property(struct parser *ps, USet *set, bool negated)
{
    const char *name = ps->p, *end;

    if (!skip(ps, "{")) {
        ps->p += ps->p < ps->end;
        return add_property(set, name, (size_t)(ps->p - name), negated);
    }
    if (skip(ps, "^"))
        negated = !negated;
    name = ps->p;
    end = memchr(name, '}', (size_t)(ps->end - name));
    if (end == NULL)
        return false;
    ps->p = end + 1;
    return add_property(set, name, (size_t)(end - name), negated);
}

/* Behind a backslash: a whole set; false where it is none. */
static bool
take_set_escape(struct parser *ps, USet *set)
{
    int c = peek(ps);

    if (c == 'p' || c == 'P') {
        ps->p++;
        if (!take_property(ps, set, c == 'P'))
            fail(ps, "the pattern has an unknown \\p{class}");
        return true;
    }
    if (!add_perl(set, c))
        return false;
    ps->p++;
    return true;
}

/* At [:name:] or [:^name:] in a class; false where it is none. */
static bool
take_posix(struct parser *ps, USet *set)
{
    static const char *const names[][2] = { { "alnum", "09AZaz" },
        { "alpha", "AZaz" }, { "ascii", "\x01\x7f" }, { "blank", "\t\t  " },
        { "cntrl", "\x01\x1f\x7f\x7f" }, { "digit", "09" }, { "graph", "!~" },
        { "lower", "az" }, { "print", " ~" }, { "punct", "!/:@[`{~" },
        { "space", "\t\r  " }, { "upper", "AZ" }, { "word", "09AZaz__" },
        { "xdigit", "09AFaf" } };
    const char *start = ps->p;
    bool negated;
    USet *part;

    if (!skip(ps, "[:"))
        return false;
    negated = skip(ps, "^");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *name = ps->p;

        if (!skip(ps, names[i][0]) || !skip(ps, ":]")) {
            ps->p = name;
            continue;
        }
        part = uset_openEmpty();
        for (const char *r = names[i][1]; *r != '\0'; r += 2)
            uset_addRange(part, r[0], r[1]);
        if (i == 2 || i == 4) /* these two begin with U+0000 */
            uset_add(part, 0);
        if (negated)
            uset_complement(part);
        uset_addAll(set, part);
        uset_close(part);
        return true;
    }
    ps->p = start;
    return false;
}

/* The set's ranges as an array of the program; with FLAG_I in any case. */
static struct node *
set_node(struct parser *ps, USet *set)
{
    struct wn_cel_regex_set *s;
    UErrorCode rc = U_ZERO_ERROR;
    int32_t n, used = 0;

    if (ps->flags & FLAG_I)
        uset_closeOver(set, USET_CASE_INSENSITIVE);
    n = uset_getItemCount(set);
    if (ps->sets_n == WN_CEL_REGEX_SETS_MAX)
        return fail(ps, too_large);
    s = &ps->sets[ps->sets_n];
    memset(s, 0, sizeof(*s));
    s->ranges = alloc(ps, (size_t)(n + 1) * sizeof(*s->ranges));
    if (s->ranges == NULL)
        return NULL;
    for (int32_t i = 0; i < n; i++) {
        UChar32 from = 0, to = 0;

        /* not 0: a string, which folding adds; never a character */
        if (uset_getItem(set, i, &from, &to, NULL, 0, &rc) != 0)
            continue;
        s->ranges[used].from = (uint32_t)from;
        s->ranges[used++].to = (uint32_t)to;
        for (UChar32 c = from; c <= to && c < 128; c++)
            s->ascii[c >> 6] |= (uint64_t)1 << (c & 63);
    }
    s->n = (uint32_t)used;
    return new_node(ps, N_SET, ps->sets_n++);
}

/* One character or the end of a range in a class. */
static bool
take_class_char(struct parser *ps, uint32_t *ret)
{
    if (skip(ps, "\\")) {
        if (char_escape(ps, peek(ps), ret))
            return true;
        return refuse(ps, bad_escape);
    }
    *ret = take(ps);
    return *ret != UINT32_MAX;
}

static bool
take_class_item(struct parser *ps, USet *set)
{
    uint32_t from, to;

    if (take_posix(ps, set))
        return true;
    if (peek(ps) == '[' && ps->end - ps->p > 1 && ps->p[1] == ':')
        return refuse(ps, bad_class);
    if (peek(ps) == '\\') {
        ps->p++;
        if (take_set_escape(ps, set))
            return ps->why == NULL;
        ps->p--;
    }
    if (!take_class_char(ps, &from))
        return false;
    to = from;
    if (peek(ps) == '-' && ps->end - ps->p > 1 && ps->p[1] != ']') {
        ps->p++;
        if (!take_class_char(ps, &to))
            return false;
    }
    if (to < from)
        return refuse(ps, bad_class);
    uset_addRange(set, (UChar32)from, (UChar32)to);
    return true;
}

/* Behind '['. */
static struct node *
parse_class(struct parser *ps)
{
    USet *set = uset_openEmpty();
    bool negated = skip(ps, "^"), first = true;
    struct node *n = NULL;

    while (first || peek(ps) != ']') {
        first = false;
        if (peek(ps) == -1)
            fail(ps, not_closed);
        if (ps->why != NULL || !take_class_item(ps, set))
            goto out;
    }
    ps->p++;
    if (negated) {
        /* folded first: [^k] in any case is neither k nor K */
        if (ps->flags & FLAG_I)
            uset_closeOver(set, USET_CASE_INSENSITIVE);
        uset_removeAllStrings(set);
        uset_complement(set);
    }
    n = set_node(ps, set);
out:
    uset_close(set);
    return n;
}

static struct node *
char_node(struct parser *ps, uint32_t c)
{
    struct node *n;
    USet *set;

    if (!(ps->flags & FLAG_I))
        return new_node(ps, N_CHAR, c);
    set = uset_open((UChar32)c, (UChar32)c);
    n = set_node(ps, set);
    uset_close(set);
    return n;
}

/* '.': all but a line feed, or with (?s) all. */
static struct node *
any_node(struct parser *ps)
{
    USet *set = uset_open(0, 0x10ffff);
    struct node *n;

    if (!(ps->flags & FLAG_S))
        uset_remove(set, '\n');
    n = set_node(ps, set);
    uset_close(set);
    return n;
}

/* --- the grammar --- */

static struct node *parse_alt(struct parser *ps);

/* Behind \Q: literal up to \E or the end. */
static struct node *
parse_quoted(struct parser *ps)
{
    struct node *first = new_node(ps, N_EMPTY, 0), *last = first;

    while (ps->p < ps->end && ps->why == NULL && !skip(ps, "\\E")) {
        struct node *cat = new_node(ps, N_CAT, 0);

        if (cat == NULL || last == NULL)
            return NULL;
        cat->a = char_node(ps, take(ps));
        if (last == first)
            first = cat;
        else
            last->b = cat;
        last = cat;
    }
    return first;
}

/* Behind a backslash. */
static struct node *
parse_escape(struct parser *ps)
{
    struct node *n = NULL;
    uint32_t c = 0;
    USet *set;

    if (skip(ps, "A"))
        return new_node(ps, N_ASSERT, WN_RE_TEXT_START);
    if (skip(ps, "z"))
        return new_node(ps, N_ASSERT, WN_RE_TEXT_END);
    if (skip(ps, "b"))
        return new_node(ps, N_ASSERT, WN_RE_WORD_EDGE);
    if (skip(ps, "B"))
        return new_node(ps, N_ASSERT, WN_RE_NO_WORD_EDGE);
    if (skip(ps, "Q"))
        return parse_quoted(ps);
    set = uset_openEmpty();
    if (take_set_escape(ps, set))
        n = ps->why == NULL ? set_node(ps, set) : NULL;
    else if (char_escape(ps, peek(ps), &c))
        n = char_node(ps, c);
    else
        fail(ps, bad_escape);
    uset_close(set);
    return n;
}

/* Behind "(?P<" or "(?<": name>. */
static bool
skip_name(struct parser *ps)
{
    const char *start = ps->p;

    for (int c; (c = peek(ps)) != -1 && c != '>'; ps->p++)
        if (c != '_' && digit_of(c, 10) < 0 && (c < 'a' || c > 'z') &&
            (c < 'A' || c > 'Z'))
            return false;
    return ps->p > start && skip(ps, ">");
}

/* Behind "(?": flags and ')' or ':'. *ret_group: it was ':'. */
static bool
take_flags(struct parser *ps, bool *ret_group)
{
    static const char letters[] = "imsU"; /* U: lazy, which is one here */
    bool off = false, any = false;
    const char *at;

    for (int c; (c = peek(ps)) != ')' && c != ':'; ps->p++) {
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
    *ret_group = skip(ps, ":");
    if (!*ret_group)
        ps->p++;
    return any || (!off && *ret_group);
}

/* Behind '('. */
static struct node *
parse_group(struct parser *ps)
{
    unsigned flags = ps->flags;
    bool group = true;
    struct node *n;

    if (skip(ps, "?P<") || (ps->end - ps->p > 2 && ps->p[2] != '=' &&
                               ps->p[2] != '!' && skip(ps, "?<"))) {
        if (!skip_name(ps))
            return fail(ps, bad_group);
    } else if (skip(ps, "?") && !take_flags(ps, &group)) {
        return fail(ps, bad_group);
    }
    if (!group) /* for what follows in the group around it */
        return new_node(ps, N_EMPTY, 0);
    if (++ps->depth > NEST_MAX)
        return fail(ps, "the pattern is nested too deeply");
    n = parse_alt(ps);
    ps->depth--;
    ps->flags = flags;
    if (ps->why == NULL && !skip(ps, ")"))
        return fail(ps, not_closed);
    return n;
}

static struct node *
parse_atom(struct parser *ps)
{
    bool lines = ps->flags & FLAG_M;

    if (skip(ps, "("))
        return parse_group(ps);
    if (skip(ps, "["))
        return parse_class(ps);
    if (skip(ps, "."))
        return any_node(ps);
    if (skip(ps, "^"))
        return new_node(
            ps, N_ASSERT, lines ? WN_RE_LINE_START : WN_RE_TEXT_START);
    if (skip(ps, "$"))
        return new_node(ps, N_ASSERT, lines ? WN_RE_LINE_END : WN_RE_TEXT_END);
    if (skip(ps, "\\"))
        return parse_escape(ps);
    if (peek(ps) == '*' || peek(ps) == '+' || peek(ps) == '?')
        return fail(ps, bad_repeat);
    return char_node(ps, take(ps));
}

/* Digits up to REPEAT_MAX; more than it stays more than it. */
static bool
take_count(struct parser *ps, unsigned *ret)
{
    const char *start = ps->p;
    unsigned n = 0;

    for (int d; (d = digit_of(peek(ps), 10)) >= 0; ps->p++)
        n = n > REPEAT_MAX ? n : n * 10 + (unsigned)d;
    *ret = n;
    return ps->p > start;
}

/* At '{': {n}, {n,} or {n,m}; false, and nothing is used up, where it is a
 * plain brace. */
static bool
take_braces(struct parser *ps, unsigned *min, unsigned *max)
{
    const char *start = ps->p++;
    bool ok = take_count(ps, min);

    *max = *min;
    if (ok && skip(ps, ",") && !take_count(ps, max))
        *max = UINT32_MAX;
    if (ok && skip(ps, "}"))
        return true;
    ps->p = start;
    return false;
}

/* An atom with what repeats it. */
static struct node *
parse_repeat(struct parser *ps)
{
    struct node *n = parse_atom(ps), *rep;
    unsigned min = 0, max = UINT32_MAX;
    bool simple;

    if (n == NULL)
        return NULL;
    simple = peek(ps) == '*' || peek(ps) == '+' || peek(ps) == '?';
    if (simple) {
        min = peek(ps) == '+';
        max = peek(ps) == '?' ? 1 : UINT32_MAX;
        ps->p++;
    } else if (peek(ps) != '{' || !take_braces(ps, &min, &max)) {
        return n;
    }
    skip(ps, "?"); /* lazy: the same */
    if (min > REPEAT_MAX || (max != UINT32_MAX && max > REPEAT_MAX) ||
        min > max || peek(ps) == '*' || peek(ps) == '+' || peek(ps) == '?')
        return fail(ps, bad_repeat);
    rep = new_node(ps, N_REPEAT, 0);
    if (rep == NULL)
        return NULL;
    rep->a = n;
    rep->min = min;
    rep->max = max;
    return rep;
}

static struct node *
parse_cat(struct parser *ps)
{
    struct node *first = NULL, *last = NULL, *cat;

    while (ps->why == NULL && ps->p < ps->end && peek(ps) != '|' &&
           peek(ps) != ')') {
        cat = new_node(ps, N_CAT, 0);
        if (cat == NULL)
            return NULL;
        cat->a = parse_repeat(ps);
        if (last != NULL)
            last->b = cat;
        else
            first = cat;
        last = cat;
    }
    return first != NULL ? first : new_node(ps, N_EMPTY, 0);
}

static struct node *
parse_alt(struct parser *ps)
{
    struct node *first = new_node(ps, N_ALT, 0), *last = first;

    if (first == NULL)
        return NULL;
    first->a = parse_cat(ps);
    while (ps->why == NULL && skip(ps, "|")) {
        last->b = new_node(ps, N_ALT, 0);
        if (last->b == NULL)
            return NULL;
        last = last->b;
        last->a = parse_cat(ps);
    }
    return first;
}

/* --- the program --- */

static uint32_t
emit(struct parser *ps, enum wn_cel_regex_op op, uint32_t x)
{
    if (ps->code_n == WN_CEL_REGEX_MAX) {
        fail(ps, too_large);
        return 0;
    }
    ps->code[ps->code_n] =
        (struct wn_cel_regex_inst){ .op = op, .x = x, .y = ps->code_n + 1 };
    return ps->code_n++;
}

static void write_node(struct parser *ps, const struct node *n);

static void
write_alt(struct parser *ps, const struct node *n)
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
write_repeat(struct parser *ps, const struct node *n)
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
write_node(struct parser *ps, const struct node *n)
{
    for (; n != NULL && ps->why == NULL; n = n->b) {
        if (++ps->work > WORK_MAX) {
            fail(ps, too_large);
            return;
        }
        switch (n->op) {
        case N_EMPTY:
            return;
        case N_CHAR:
            emit(ps, WN_RE_CHAR, n->c);
            return;
        case N_SET:
            emit(ps, WN_RE_SET, n->c);
            return;
        case N_ASSERT:
            emit(ps, WN_RE_ASSERT, n->c);
            return;
        case N_REPEAT:
            write_repeat(ps, n);
            return;
        case N_ALT:
            write_alt(ps, n);
            return;
        case N_CAT:
            write_node(ps, n->a);
            break;
        }
    }
}

static const struct wn_cel_regex *
new_program(struct parser *ps)
{
    struct wn_cel_regex *re = alloc(ps, sizeof(*re));
    struct wn_cel_regex_inst *code;
    struct wn_cel_regex_set *sets;

    if (re == NULL)
        return NULL;
    code = alloc(ps, ps->code_n * sizeof(*code));
    sets = alloc(ps, (ps->sets_n + 1) * sizeof(*sets));
    if (code == NULL || sets == NULL)
        return NULL;
    memcpy(code, ps->code, ps->code_n * sizeof(*code));
    memcpy(sets, ps->sets, ps->sets_n * sizeof(*sets));
    *re = (struct wn_cel_regex){ code, sets, ps->code_n };
    return re;
}

const struct wn_cel_regex *
wn_cel_regex_new(struct wn_arena *arena, struct wn_cel_run *run,
    struct wn_str pattern, const char **ret_why)
{
    struct wn_cel_regex_inst code[WN_CEL_REGEX_MAX];
    struct wn_cel_regex_set sets[WN_CEL_REGEX_SETS_MAX];
    struct parser ps = { .p = pattern.p,
        .end = pattern.p + pattern.len,
        .arena = arena,
        .run = run,
        .sets = sets,
        .code = code };
    const struct wn_cel_regex *re = NULL;
    struct node *n = NULL;

    if (pattern.len > PATTERN_MAX)
        fail(&ps, too_large);
    else
        n = parse_alt(&ps);
    if (ps.why == NULL && ps.p < ps.end)
        fail(&ps, "the pattern has a ) too many");
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
