/*
 * The text of a reason: what a moderator reads, with the values filled in.
 *
 * Verdicts outlive the content they are about, so a reason may quote only
 * signals that are kept with the verdict; a placeholder for anything else is
 * refused when the policy is loaded.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "policies/policy_int.h"

static const char *
signal_name(const void *names, size_t i)
{
    return ((const struct wn_signal_info *)names)[i].name;
}

static enum wn_status
fail_signal(struct wn_err *err, const char *p, size_t len)
{
    const char *near =
        wn_suggest(p, len, signal_name, wn_signal_table, WN_SIG_COUNT);
    int shown = len < 60 ? (int)len : 60;

    if (near == NULL)
        return wn_fail(
            err, WN_REJECT, "reason: no such signal: {%.*s}", shown, p);
    return wn_fail(err, WN_REJECT,
        "reason: no such signal: {%.*s}; did you mean {%s}?", shown, p, near);
}

/* The signal of {name}: a scalar, kept with the verdict. */
static enum wn_status
check_signal(enum wn_signal *ret, const char *p, size_t len, struct wn_err *err)
{
    enum wn_signal s = wn_signal_find(p, len);
    const struct wn_signal_info *info;

    if (s == WN_SIG_COUNT)
        return fail_signal(err, p, len);
    info = &wn_signal_table[s];
    if (info->keep != WN_KEEP_VERDICT)
        return wn_fail(err, WN_REJECT,
            "reason: {%s} is content of the post: it would outlive its "
            "erasure",
            info->name);
    if (info->type == WN_TYPE_LIST || info->type == WN_TYPE_MAP)
        return wn_fail(err, WN_REJECT, "reason: {%s} is a %s, not one value",
            info->name, wn_signal_type_name(info->type));
    *ret = s;
    return WN_OK;
}

static enum wn_status
add_part(struct wn_reason_template *t, const char *p, size_t len,
    enum wn_signal signal, struct wn_err *err)
{
    if (len == 0 && signal == WN_SIG_COUNT)
        return WN_OK;
    if (t->n == WN_REASON_PARTS_MAX)
        return wn_fail(
            err, WN_REJECT, "reason: more than %d parts", WN_REASON_PARTS_MAX);
    t->parts[t->n++] = (struct wn_reason_part){ { p, len }, signal };
    return WN_OK;
}

/* At a brace: "{{" or "}}" is one of it, "{name}" a signal. Moves *pos
 * behind it. */
static enum wn_status
parse_brace(struct wn_reason_template *t, size_t *pos, struct wn_err *err)
{
    const char *p = t->source.p + *pos, *end;
    size_t left = t->source.len - *pos;
    enum wn_signal signal = WN_SIG_COUNT;
    enum wn_status rc;

    if (left > 1 && p[1] == p[0]) {
        *pos += 2;
        return add_part(t, p, 1, WN_SIG_COUNT, err);
    }
    if (p[0] == '}')
        return wn_fail(
            err, WN_REJECT, "reason: a '}' alone: write }} for a brace");
    end = memchr(p, '}', left);
    if (end == NULL)
        return wn_fail(err, WN_REJECT,
            "reason: a '{' is not closed: write {{ for a brace");
    rc = check_signal(&signal, p + 1, (size_t)(end - p) - 1, err);
    if (rc != WN_OK)
        return rc;
    *pos += (size_t)(end - p) + 1;
    return add_part(t, NULL, 0, signal, err);
}

enum wn_status
wn_reason_parse(struct wn_reason_template *ret, struct wn_arena *arena,
    const char *text, size_t len, struct wn_err *err)
{
    struct wn_reason_part parts[WN_REASON_PARTS_MAX];
    struct wn_reason_template t = { .parts = parts, .source = { text, len } };
    enum wn_status rc = WN_OK;
    size_t pos = 0;

    if (len == 0 || len > WN_REASON_BYTES_MAX)
        return wn_fail(err, WN_REJECT, "reason: 1 to %d bytes, not %zu",
            WN_REASON_BYTES_MAX, len);
    while (rc == WN_OK && pos < len) {
        size_t n = 0;

        while (pos + n < len && text[pos + n] != '{' && text[pos + n] != '}')
            n++;
        rc = add_part(&t, text + pos, n, WN_SIG_COUNT, err);
        pos += n;
        if (rc == WN_OK && pos < len)
            rc = parse_brace(&t, &pos, err);
    }
    if (rc != WN_OK)
        return rc;
    t.parts = wn_arena_array(arena, t.n, sizeof(*t.parts));
    if (t.parts == NULL)
        return wn_fail(err, WN_STOP, "policy: out of memory");
    memcpy(t.parts, parts, t.n * sizeof(*t.parts));
    *ret = t;
    return WN_OK;
}

/* --- rendering --- */

/* At most two decimals, none for a whole number. */
static int
print_double(char *buf, size_t len, double d, bool probability)
{
    int n;

    if (isnan(d))
        return snprintf(buf, len, "not a number");
    if (probability && fabs(d) < 1000)
        return snprintf(buf, len, "%.2f", d);
    if (!(fabs(d) < 1e15))
        return snprintf(buf, len, "%.6g", d);
    n = snprintf(buf, len, "%.2f", d);
    while (buf[n - 1] == '0')
        n--;
    if (buf[n - 1] == '.')
        n--;
    if (n == 2 && memcmp(buf, "-0", 2) == 0) {
        buf[0] = '0';
        n = 1;
    }
    return n;
}

/* Platforms choose these strings: cut between characters, and one line. */
static int
print_string(char *buf, size_t len, struct wn_str s)
{
    size_t n = s.len < len ? s.len : len;

    if (n < s.len)
        while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        buf[i] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
    }
    return (int)n;
}

static size_t
print_signal(char buf[WN_REASON_VALUE_MAX], enum wn_signal signal,
    const struct wn_value *v)
{
    const size_t len = WN_REASON_VALUE_MAX;
    const char *unit = wn_signal_table[signal].unit;

    switch (v->kind) {
    case WN_VALUE_BOOL:
        return (size_t)snprintf(buf, len, "%s", v->b ? "yes" : "no");
    case WN_VALUE_INT:
        return (size_t)snprintf(buf, len, "%" PRId64, v->i);
    case WN_VALUE_DOUBLE:
        return (size_t)print_double(
            buf, len, v->d, strcmp(unit, "probability") == 0);
    case WN_VALUE_STRING:
        return (size_t)print_string(buf, len, v->s);
    default:
        return (size_t)snprintf(buf, len, "unknown");
    }
}

struct wn_str
wn_reason_render(const struct wn_reason_template *t,
    const struct wn_signals *sig, struct wn_arena *arena)
{
    char *out;
    size_t max = 0, n = 0;

    if (t->n == 1 && t->parts[0].signal == WN_SIG_COUNT)
        return t->parts[0].text;
    for (size_t i = 0; i < t->n; i++)
        max += t->parts[i].signal == WN_SIG_COUNT ? t->parts[i].text.len
                                                  : WN_REASON_VALUE_MAX;
    out = wn_arena_alloc(arena, max);
    if (out == NULL)
        return t->source;
    for (size_t i = 0; i < t->n; i++) {
        const struct wn_reason_part *part = &t->parts[i];

        if (part->signal == WN_SIG_COUNT) {
            memcpy(out + n, part->text.p, part->text.len);
            n += part->text.len;
        } else {
            n += print_signal(out + n, part->signal, &sig->v[part->signal]);
        }
    }
    return (struct wn_str){ out, n };
}
