/*
 * Regular expressions: single characters, and sets of them as [classes],
 * \d, \p{Greek} and the like. ICU knows the properties; folding comes before
 * "all but", so that in any case [^k] is neither k nor K.
 */
#include <string.h>

#include <unicode/uset.h>

#include "core/utf8.h"
#include "policies/cel_regex.h"

#define LOOKS_MAX (4u << 20)       /* characters that folding may look at */
#define LOOKS_PROPERTY (16u << 10) /* what finding a property is worth */

const char wn_re_too_large[] = "the pattern is too large";
const char wn_re_bad_escape[] = "the pattern has an unknown escape";
const char wn_re_not_closed[] = "the pattern has a ( or [ that is not closed";
static const char bad_class[] = "the pattern has a bad [class]";

/* NULL, and why, where it cannot be. */
void *
wn_re_fail(struct wn_re_parser *ps, const char *why)
{
    if (ps->why == NULL)
        ps->why = why;
    return NULL;
}

bool
wn_re_refuse(struct wn_re_parser *ps, const char *why)
{
    wn_re_fail(ps, why);
    return false;
}

void *
wn_re_alloc(struct wn_re_parser *ps, size_t bytes)
{
    void *p = ps->arena != NULL ? wn_arena_alloc(ps->arena, bytes)
                                : wn_cel_scratch(ps->run, bytes);

    return p != NULL ? p : wn_re_fail(ps, wn_re_too_large);
}

struct wn_re_node *
wn_re_new_node(struct wn_re_parser *ps, enum wn_re_node_op op, uint32_t c)
{
    struct wn_re_node *n = wn_re_alloc(ps, sizeof(*n));

    if (n != NULL)
        *n = (struct wn_re_node){ .op = op, .c = c };
    return n;
}

/* --- characters --- */

/* The character here, moving on; UINT32_MAX where there is none. */
uint32_t
wn_re_take(struct wn_re_parser *ps)
{
    size_t n =
        ps->p < ps->end ? wn_utf8_len(ps->p, (size_t)(ps->end - ps->p)) : 0;
    uint32_t c;

    if (n == 0) {
        wn_re_fail(ps,
            ps->p < ps->end ? "the pattern is not UTF-8" : wn_re_not_closed);
        return UINT32_MAX;
    }
    c = wn_utf8_get(ps->p, n);
    ps->p += n;
    return c;
}

/* Behind \x: HH or {H...}. */
static bool
hex_escape(struct wn_re_parser *ps, uint32_t *ret)
{
    bool braced = wn_re_skip(ps, "{");
    uint32_t c = 0;
    unsigned n = 0;

    for (int d; (d = wn_re_digit(wn_re_peek(ps), 16)) >= 0 && (braced || n < 2);
         n++, ps->p++) {
        c = c << 4 | (uint32_t)d;
        if (c > 0x10ffff)
            return false;
    }
    *ret = c;
    return braced ? n > 0 && wn_re_skip(ps, "}") : n == 2;
}

/* Behind a backslash, at c: one character, however it is written. */
bool
wn_re_char_escape(struct wn_re_parser *ps, int c, uint32_t *ret)
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
    if (wn_re_digit(c, 8) >= 0) {
        /* \1 to \7 alone would look back at a group */
        if (c != '0' && wn_re_digit(wn_re_peek(ps), 8) < 0)
            return false;
        *ret = (uint32_t)(c - '0');
        for (int n = 0, d; n < 2 && (d = wn_re_digit(wn_re_peek(ps), 8)) >= 0;
             n++) {
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

/* Work that a short pattern can ask for many times over. A run pays for it,
 * about 6 ns a look. */
static bool
look(struct wn_re_parser *ps, uint32_t n)
{
    ps->looks += n;
    if (ps->looks > LOOKS_MAX ||
        (ps->run != NULL && !wn_cel_charge(ps->run, n / 3)))
        return wn_re_refuse(ps, wn_re_too_large);
    return true;
}

/* Adds part, in any case with (?i), or all but it; part is closed. */
static void
merge(struct wn_re_parser *ps, USet *set, USet *part, bool negated)
{
    if ((ps->flags & WN_RE_FLAG_I) && look(ps, (uint32_t)uset_size(part))) {
        uset_closeOver(part, USET_CASE_INSENSITIVE);
        uset_removeAllStrings(part); /* such as "ss": no character */
    }
    if (negated)
        uset_complement(part);
    uset_addAll(set, part);
    uset_close(part);
}

/* "azAZ": pairs of the first and the last of a range, all ASCII. */
static USet *
pairs(const char *ranges)
{
    USet *part = uset_openEmpty();

    for (; *ranges != '\0'; ranges += 2)
        uset_addRange(part, ranges[0], ranges[1]);
    return part;
}

/* d, s, w, or in capitals all but these: ASCII, as in RE2. */
static bool
add_perl(struct wn_re_parser *ps, USet *set, int c)
{
    static const char *const ranges[] = { "dD", "09", "sS", "\t\n\f\r  ", "wW",
        "09AZ__az" };

    for (size_t i = 0; i < 6; i += 2) {
        if (c == ranges[i][0] || c == ranges[i][1]) {
            merge(ps, set, pairs(ranges[i + 1]), c == ranges[i][1]);
            return true;
        }
    }
    return false;
}

/* Adds the property, or all but it. */
static bool
add_property(struct wn_re_parser *ps, USet *set, const char *name, size_t len,
    bool negated)
{
    UErrorCode rc = U_ZERO_ERROR;
    UChar text[64] = { '[', ':' };
    USet *part;

    if (len == 0 || len > 40 || !look(ps, LOOKS_PROPERTY))
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((name[i] < 'A' || name[i] > 'Z') &&
            (name[i] < 'a' || name[i] > 'z') && name[i] != '_')
            return false;
        text[i + 2] = (UChar)name[i];
    }
    text[len + 2] = ':';
    text[len + 3] = ']';
    part = uset_openPattern(text, (int32_t)len + 4, &rc);
    if (U_SUCCESS(rc))
        merge(ps, set, part, negated);
    else
        uset_close(part);
    return U_SUCCESS(rc);
}

/* Behind \p or \P: one letter, {Name} or {^Name}. */
static bool
take_property(struct wn_re_parser *ps, USet *set, bool negated)
{
    const char *name = ps->p, *end;

    if (!wn_re_skip(ps, "{")) {
        ps->p += ps->p < ps->end;
        return add_property(ps, set, name, (size_t)(ps->p - name), negated);
    }
    if (wn_re_skip(ps, "^"))
        negated = !negated;
    name = ps->p;
    end = memchr(name, '}', (size_t)(ps->end - name));
    if (end == NULL)
        return false;
    ps->p = end + 1;
    return add_property(ps, set, name, (size_t)(end - name), negated);
}

/* Behind a backslash: adds a whole set; false where it is none. */
static bool
take_set(struct wn_re_parser *ps, USet *set)
{
    int c = wn_re_peek(ps);

    if (c == 'p' || c == 'P') {
        ps->p++;
        if (!take_property(ps, set, c == 'P'))
            wn_re_fail(ps, "the pattern has an unknown \\p{class}");
        return true;
    }
    if (!add_perl(ps, set, c))
        return false;
    ps->p++;
    return true;
}

/* At [:name:] or [:^name:] in a class; false where it is none. */
static bool
take_posix(struct wn_re_parser *ps, USet *set)
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

    if (!wn_re_skip(ps, "[:"))
        return false;
    negated = wn_re_skip(ps, "^");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *name = ps->p;

        if (!wn_re_skip(ps, names[i][0]) || !wn_re_skip(ps, ":]")) {
            ps->p = name;
            continue;
        }
        part = pairs(names[i][1]);
        if (i == 2 || i == 4) /* these two begin with U+0000 */
            uset_add(part, 0);
        merge(ps, set, part, negated);
        return true;
    }
    ps->p = start;
    return false;
}

static void
fill_set(struct wn_cel_regex_set *s, const USet *set, uint32_t n)
{
    UErrorCode rc = U_ZERO_ERROR;

    for (uint32_t i = 0; i < n; i++) {
        UChar32 from = 0, to = 0;

        if (uset_getItem(set, (int32_t)i, &from, &to, NULL, 0, &rc) != 0)
            continue; /* a string: no character */
        s->ranges[s->n].from = (uint32_t)from;
        s->ranges[s->n++].to = (uint32_t)to;
        for (UChar32 c = from; c <= to && c < 128; c++)
            s->ascii[c >> 6] |= (uint64_t)1 << (c & 63);
    }
}

/* The set's ranges as an array of the program; key is the character that it
 * is for, in any case, or UINT32_MAX. The set is closed. */
static struct wn_re_node *
set_node(struct wn_re_parser *ps, USet *set, uint32_t key)
{
    struct wn_cel_regex_set *s = &ps->sets[ps->sets_n];
    struct wn_re_node *node = NULL;
    uint32_t n = (uint32_t)uset_getItemCount(set);

    if (ps->sets_n == WN_CEL_REGEX_SETS_MAX)
        wn_re_fail(ps, wn_re_too_large);
    else
        node = wn_re_new_node(ps, WN_RE_N_SET, ps->sets_n);
    if (node != NULL) {
        memset(s, 0, sizeof(*s));
        s->key = key;
        s->ranges = wn_re_alloc(ps, (n + 1) * sizeof(*s->ranges));
    }
    if (ps->why == NULL) {
        fill_set(s, set, n);
        ps->sets_n++;
    }
    uset_close(set);
    return ps->why == NULL ? node : NULL;
}

/* One character or the end of a range in a class. */
static bool
take_class_char(struct wn_re_parser *ps, uint32_t *ret)
{
    if (wn_re_skip(ps, "\\")) {
        if (wn_re_char_escape(ps, wn_re_peek(ps), ret))
            return true;
        return wn_re_refuse(ps, wn_re_bad_escape);
    }
    *ret = wn_re_take(ps);
    return *ret != UINT32_MAX;
}

static bool
take_class_item(struct wn_re_parser *ps, USet *set)
{
    uint32_t from, to;

    if (take_posix(ps, set))
        return true;
    if (wn_re_peek(ps) == '[' && ps->end - ps->p > 1 && ps->p[1] == ':')
        return wn_re_refuse(ps, bad_class);
    if (wn_re_peek(ps) == '\\') {
        ps->p++;
        if (take_set(ps, set))
            return ps->why == NULL;
        ps->p--;
    }
    if (!take_class_char(ps, &from))
        return false;
    to = from;
    if (wn_re_peek(ps) == '-' && ps->end - ps->p > 1 && ps->p[1] != ']') {
        ps->p++;
        if (!take_class_char(ps, &to))
            return false;
    }
    if (to < from)
        return wn_re_refuse(ps, bad_class);
    merge(ps, set, uset_open((UChar32)from, (UChar32)to), false);
    return ps->why == NULL;
}

/* Behind '['. */
struct wn_re_node *
wn_re_class(struct wn_re_parser *ps)
{
    USet *set = uset_openEmpty();
    bool negated = wn_re_skip(ps, "^"), first = true;

    while (ps->why == NULL && (first || wn_re_peek(ps) != ']')) {
        first = false;
        if (wn_re_peek(ps) == -1)
            wn_re_fail(ps, wn_re_not_closed);
        else
            take_class_item(ps, set);
    }
    if (ps->why == NULL)
        ps->p++;
    if (negated)
        uset_complement(set);
    return set_node(ps, set, UINT32_MAX);
}

/* Behind a backslash; NULL, and nothing is used up, where it is no set. */
struct wn_re_node *
wn_re_set_escape(struct wn_re_parser *ps)
{
    USet *set = uset_openEmpty();

    if (take_set(ps, set))
        return set_node(ps, set, UINT32_MAX);
    uset_close(set);
    return NULL;
}

/* The set of the character in any case, which a pattern has only once. */
static struct wn_re_node *
folded_node(struct wn_re_parser *ps, uint32_t c)
{
    USet *set;

    for (uint32_t i = 0; i < ps->sets_n; i++)
        if (ps->sets[i].key == c)
            return wn_re_new_node(ps, WN_RE_N_SET, i);
    set = uset_openEmpty();
    merge(ps, set, uset_open((UChar32)c, (UChar32)c), false);
    if (uset_size(set) > 1)
        return set_node(ps, set, c);
    uset_close(set);
    return wn_re_new_node(ps, WN_RE_N_CHAR, c);
}

struct wn_re_node *
wn_re_char(struct wn_re_parser *ps, uint32_t c)
{
    if (c == UINT32_MAX)
        return NULL; /* there was none: why is set */
    return ps->flags & WN_RE_FLAG_I ? folded_node(ps, c)
                                    : wn_re_new_node(ps, WN_RE_N_CHAR, c);
}

/* '.': all but a line feed, or with (?s) all. */
struct wn_re_node *
wn_re_any(struct wn_re_parser *ps)
{
    USet *set = uset_open(0, 0x10ffff);

    if (!(ps->flags & WN_RE_FLAG_S))
        uset_remove(set, '\n');
    return set_node(ps, set, UINT32_MAX);
}
