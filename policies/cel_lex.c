/*
 * CEL text to tokens: names, numbers, strings with their escapes, operators.
 *
 * The source need not end in NUL and may be any bytes: whatever is no token
 * is an error with its column. Strings come out as valid UTF-8 if the source
 * is, because escapes may only name code points; byte strings are any bytes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "policies/cel_int.h"

enum wn_status
wn_cel_fail(const struct wn_cel_lexer *lx, size_t at, const char *fmt, ...)
{
    size_t column = 1;
    char text[384];
    va_list ap;

    if (lx->err == NULL)
        return WN_REJECT;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < at && i < lx->len; i++)
        column += ((unsigned char)lx->src[i] & 0xc0) != 0x80;
    return wn_fail(
        lx->err, WN_REJECT, "column %zu of %s: %s", column, lx->what, text);
}

static int
peek(const struct wn_cel_lexer *lx, size_t ahead)
{
    if (ahead >= lx->len - lx->pos)
        return -1;
    return (unsigned char)lx->src[lx->pos + ahead];
}

static bool
is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int
hex_value(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* White space, and comments to the end of their line. */
static void
skip_blank(struct wn_cel_lexer *lx)
{
    for (;;) {
        int c = peek(lx, 0);

        if (c == ' ' || (c >= '\t' && c <= '\r' && c != '\v'))
            lx->pos++;
        else if (c == '/' && peek(lx, 1) == '/')
            while (peek(lx, 0) != -1 && peek(lx, 0) != '\n')
                lx->pos++;
        else
            return;
    }
}

/* --- strings --- */

struct quote {
    char mark;
    size_t n; /* 1 or 3 marks */
    bool raw;
    bool bytes; /* \x and \ooo are bytes, \u is none */
};

/* n digits of the base, from `from` bytes ahead. */
static bool
read_code(
    struct wn_cel_lexer *lx, size_t from, size_t n, int base, uint32_t *ret)
{
    uint32_t c = 0;

    for (size_t i = 0; i < n; i++) {
        int d = hex_value(peek(lx, from + i));

        if (d < 0 || d >= base)
            return false;
        c = c * (uint32_t)base + (uint32_t)d;
    }
    lx->pos += from + n;
    *ret = c;
    return true;
}

static bool
simple_escape(int c, uint32_t *ret)
{
    static const char from[] = "abfnrtv\\?\"'`";
    static const char to[] = "\a\b\f\n\r\t\v\\?\"'`";
    const char *p = c > 0 ? strchr(from, c) : NULL;

    if (p == NULL)
        return false;
    *ret = (unsigned char)to[p - from];
    return true;
}

/* \ud83d\udc31: the second half, behind the first. */
static void
join_surrogates(struct wn_cel_lexer *lx, uint32_t *code)
{
    size_t pos = lx->pos;
    uint32_t low;

    if (*code >> 10 != 0xd800 >> 10 || peek(lx, 0) != '\\' ||
        peek(lx, 1) != 'u' || !read_code(lx, 2, 4, 16, &low))
        return;
    if (low >> 10 == 0xdc00 >> 10)
        *code = 0x10000 + ((*code & 0x3ff) << 10 | (low & 0x3ff));
    else
        lx->pos = pos;
}

/* At a backslash; moves behind the escape. */
static enum wn_status
read_escape(struct wn_cel_lexer *lx, const struct quote *q, uint32_t *ret)
{
    size_t at = lx->pos;
    int c = peek(lx, 1);
    bool ok;

    if (simple_escape(c, ret)) {
        lx->pos += 2;
        return WN_OK;
    }
    if (c == 'x' || c == 'X')
        ok = read_code(lx, 2, 2, 16, ret);
    else if (c == 'u' && !q->bytes)
        ok = read_code(lx, 2, 4, 16, ret);
    else if (c == 'U' && !q->bytes)
        ok = read_code(lx, 2, 8, 16, ret);
    else
        ok = c >= '0' && c <= '3' && read_code(lx, 1, 3, 8, ret);
    if (!ok)
        return wn_cel_fail(lx, at,
            "bad escape: \\n \\t \\\" \\\\ and the like, \\xHH, \\ooo, "
            "\\uHHHH or \\UHHHHHHHH%s",
            q->bytes ? " (in a string only)" : "");
    if (c == 'u')
        join_surrogates(lx, ret);
    if (*ret > 0x10ffff || (*ret >= 0xd800 && *ret < 0xe000))
        return wn_cel_fail(lx, at, "the escape names no character");
    return WN_OK;
}

static bool
at_end_quote(const struct wn_cel_lexer *lx, const struct quote *q)
{
    for (size_t i = 0; i < q->n; i++)
        if (peek(lx, i) != q->mark)
            return false;
    return true;
}

/* The body, up to the closing quote, into out; out holds what is left. */
static enum wn_status
read_body(struct wn_cel_lexer *lx, const struct quote *q, size_t start,
    char *out, size_t *ret_len)
{
    size_t n = 0;

    while (!at_end_quote(lx, q)) {
        int c = peek(lx, 0);
        uint32_t code = 0;
        enum wn_status rc;

        if (c == -1 || (q->n == 1 && (c == '\n' || c == '\r')))
            return wn_cel_fail(lx, start, "the string is not closed");
        if (c != '\\' || q->raw) {
            out[n++] = (char)c;
            lx->pos++;
            continue;
        }
        rc = read_escape(lx, q, &code);
        if (rc != WN_OK)
            return rc;
        if (q->bytes)
            out[n++] = (char)code;
        else
            n += wn_utf8_put(out + n, code);
    }
    *ret_len = n;
    return WN_OK;
}

/* An upper bound of what the body takes: no escape gets longer. */
static size_t
body_length(const struct wn_cel_lexer *lx, const struct quote *q)
{
    struct wn_cel_lexer ahead = *lx;

    while (ahead.pos < ahead.len && !at_end_quote(&ahead, q))
        ahead.pos += !q->raw && peek(&ahead, 0) == '\\' ? 2 : 1;
    return (ahead.pos < ahead.len ? ahead.pos : ahead.len) - lx->pos;
}

/* At the opening quote, behind a prefix. */
static enum wn_status
read_string(struct wn_cel_lexer *lx, struct quote q, struct wn_cel_token *t)
{
    size_t len = 0;
    char *out;
    enum wn_status rc;

    q.mark = lx->src[lx->pos];
    q.n = peek(lx, 1) == q.mark && peek(lx, 2) == q.mark ? 3 : 1;
    lx->pos += q.n;
    out = wn_arena_alloc(lx->arena, body_length(lx, &q) + 1);
    if (out == NULL)
        return wn_cel_fail(lx, t->at, "the policy takes too much memory");
    rc = read_body(lx, &q, t->at, out, &len);
    if (rc != WN_OK)
        return rc;
    lx->pos += q.n;
    t->kind = WN_TOK_CONST;
    t->value.kind = q.bytes ? WN_CEL_BYTES : WN_CEL_STRING;
    t->value.s = (struct wn_str){ out, len };
    return WN_OK;
}

/* r'..', b'..', and both in any order; *ret_n bytes before the quote. */
static bool
string_prefix(const struct wn_cel_lexer *lx, size_t *ret_n, struct quote *ret)
{
    size_t n = 0;

    for (int c; n < 2; n++) {
        c = peek(lx, n);
        if ((c == 'r' || c == 'R') && !ret->raw)
            ret->raw = true;
        else if ((c == 'b' || c == 'B') && !ret->bytes)
            ret->bytes = true;
        else
            break;
    }
    *ret_n = n;
    return peek(lx, n) == '"' || peek(lx, n) == '\'';
}

/* --- numbers --- */

static enum wn_status
read_hex(struct wn_cel_lexer *lx, struct wn_cel_token *t)
{
    uint64_t u = 0;

    lx->pos += 2;
    if (hex_value(peek(lx, 0)) < 0)
        return wn_cel_fail(lx, t->at, "0x wants hexadecimal digits");
    for (int d; (d = hex_value(peek(lx, 0))) >= 0; lx->pos++) {
        if (u >> 60 != 0)
            return wn_cel_fail(lx, t->at, "the number is too large");
        u = u << 4 | (uint64_t)d;
    }
    t->value.u = u;
    return WN_OK;
}

static enum wn_status
read_decimal(struct wn_cel_lexer *lx, struct wn_cel_token *t)
{
    uint64_t u = 0;

    for (int c; is_digit(c = peek(lx, 0)); lx->pos++)
        if (__builtin_mul_overflow(u, (uint64_t)10, &u) ||
            __builtin_add_overflow(u, (uint64_t)(c - '0'), &u))
            return wn_cel_fail(lx, t->at, "the number is too large");
    t->value.u = u;
    return WN_OK;
}

/* Length of a double that starts here; 0 where it is none. */
static size_t
double_length(const struct wn_cel_lexer *lx)
{
    size_t n = 0, e;
    bool is_double = false;

    while (is_digit(peek(lx, n)))
        n++;
    if (peek(lx, n) == '.' && is_digit(peek(lx, n + 1))) {
        is_double = true;
        for (n++; is_digit(peek(lx, n));)
            n++;
    }
    if (peek(lx, n) == 'e' || peek(lx, n) == 'E') {
        e = n + 1;
        e += peek(lx, e) == '+' || peek(lx, e) == '-';
        if (is_digit(peek(lx, e))) {
            is_double = true;
            for (n = e; is_digit(peek(lx, n));)
                n++;
        }
    }
    return is_double ? n : 0;
}

static enum wn_status
read_double(struct wn_cel_lexer *lx, size_t n, struct wn_cel_token *t)
{
    char text[128];

    if (n >= sizeof(text))
        return wn_cel_fail(lx, t->at, "the number has too many digits");
    memcpy(text, lx->src + lx->pos, n);
    text[n] = '\0';
    t->value.d = strtod(text, NULL);
    if (t->value.d > 1.7976931348623157e308)
        return wn_cel_fail(lx, t->at, "the number is too large");
    lx->pos += n;
    t->kind = WN_TOK_CONST;
    t->value.kind = WN_CEL_DOUBLE;
    return WN_OK;
}

static enum wn_status
read_number(struct wn_cel_lexer *lx, struct wn_cel_token *t)
{
    size_t n = double_length(lx);
    enum wn_status rc;
    int c;

    if (n > 0) {
        rc = read_double(lx, n, t);
    } else {
        t->kind = WN_TOK_INT;
        if (peek(lx, 0) == '0' && (peek(lx, 1) == 'x' || peek(lx, 1) == 'X'))
            rc = read_hex(lx, t);
        else
            rc = read_decimal(lx, t);
        if (rc == WN_OK && (peek(lx, 0) == 'u' || peek(lx, 0) == 'U')) {
            lx->pos++;
            t->kind = WN_TOK_CONST;
            t->value.kind = WN_CEL_UINT;
        }
    }
    c = peek(lx, 0);
    if (rc == WN_OK && (is_name_start(c) || is_digit(c)))
        return wn_cel_fail(lx, t->at, "a number runs into a name");
    return rc;
}

/* --- names and operators --- */

static bool
text_is(struct wn_str s, const char *word)
{
    return s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

static void
read_name(struct wn_cel_lexer *lx, struct wn_cel_token *t)
{
    size_t n = 1;

    while (is_name_start(peek(lx, n)) || is_digit(peek(lx, n)))
        n++;
    t->text = (struct wn_str){ lx->src + lx->pos, n };
    lx->pos += n;
    t->kind = WN_TOK_NAME;
    if (text_is(t->text, "in")) {
        t->kind = WN_TOK_OP;
        t->op = WN_OP_IN;
    } else if (text_is(t->text, "true") || text_is(t->text, "false")) {
        t->kind = WN_TOK_CONST;
        t->value.kind = WN_CEL_BOOL;
        t->value.b = n == 4;
    } else if (text_is(t->text, "null")) {
        t->kind = WN_TOK_CONST;
        t->value.kind = WN_CEL_NULL;
    }
}

static enum wn_status
read_quoted(struct wn_cel_lexer *lx, struct wn_cel_token *t)
{
    size_t n = 1;

    for (int c; (c = peek(lx, n)) != '`'; n++)
        if (c == -1 || c < ' ')
            return wn_cel_fail(lx, t->at, "the name in ` ` is not closed");
    if (n == 1)
        return wn_cel_fail(lx, t->at, "the name in ` ` is empty");
    t->kind = WN_TOK_QUOTED;
    t->text = (struct wn_str){ lx->src + lx->pos + 1, n - 1 };
    lx->pos += n + 1;
    return WN_OK;
}

/* clang-format off */
static const struct {
    const char *text;
    enum wn_cel_op op;
} operators[] = { /* longer ones first */
    { "&&", WN_OP_AND },        { "||", WN_OP_OR },
    { "==", WN_OP_EQ },         { "!=", WN_OP_NE },
    { "<=", WN_OP_LE },         { ">=", WN_OP_GE },
    { "<",  WN_OP_LT },         { ">",  WN_OP_GT },
    { "+",  WN_OP_ADD },        { "-",  WN_OP_SUB },
    { "*",  WN_OP_MUL },        { "/",  WN_OP_DIV },
    { "%",  WN_OP_MOD },        { "!",  WN_OP_NOT },
    { "?",  WN_OP_COND },       { ":",  WN_OP_COLON },
    { "(",  WN_OP_OPEN },       { ")",  WN_OP_CLOSE },
    { "[",  WN_OP_OPEN_INDEX }, { "]",  WN_OP_CLOSE_INDEX },
    { "{",  WN_OP_OPEN_MAP },   { "}",  WN_OP_CLOSE_MAP },
    { ".",  WN_OP_DOT },        { ",",  WN_OP_COMMA },
};
/* clang-format on */

static enum wn_status
fail_character(const struct wn_cel_lexer *lx)
{
    int c = peek(lx, 0);

    if (c == '&' || c == '|' || c == '=')
        return wn_cel_fail(lx, lx->pos,
            "'%c' alone is no operator: "
            "'%c%c'?",
            c, c, c);
    if (c > ' ' && c < 0x7f)
        return wn_cel_fail(lx, lx->pos, "unexpected character '%c'", c);
    return wn_cel_fail(lx, lx->pos,
        "unexpected byte 0x%02x: only strings may hold other characters",
        (unsigned)c);
}

static enum wn_status
read_operator(struct wn_cel_lexer *lx, struct wn_cel_token *t)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        size_t n = strlen(operators[i].text);

        if (n > lx->len - lx->pos ||
            memcmp(lx->src + lx->pos, operators[i].text, n) != 0)
            continue;
        t->kind = WN_TOK_OP;
        t->op = operators[i].op;
        t->text = (struct wn_str){ lx->src + lx->pos, n };
        lx->pos += n;
        return WN_OK;
    }
    return fail_character(lx);
}

enum wn_status
wn_cel_next(struct wn_cel_lexer *lx, struct wn_cel_token *ret)
{
    struct wn_cel_token t = { .kind = WN_TOK_END };
    enum wn_status rc = WN_OK;
    struct quote quote = { 0 };
    size_t prefix;
    int c;

    skip_blank(lx);
    t.at = lx->pos;
    c = peek(lx, 0);
    if (c == -1) {
        *ret = t;
        return WN_OK;
    }
    if (string_prefix(lx, &prefix, &quote)) {
        lx->pos += prefix;
        rc = read_string(lx, quote, &t);
    } else if (is_name_start(c)) {
        read_name(lx, &t);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(lx, 1)))) {
        rc = read_number(lx, &t);
    } else if (c == '`') {
        rc = read_quoted(lx, &t);
    } else {
        rc = read_operator(lx, &t);
    }
    if (rc == WN_OK)
        *ret = t;
    return rc;
}
