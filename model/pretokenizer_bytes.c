/*
 * ByteLevel, the pre-tokenizer of GPT-2 and RoBERTa: words are cut by the
 * pattern
 *
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * and each of their bytes becomes a character that can be seen: 0x21 to 0x7e,
 * 0xa1 to 0xac and 0xae to 0xff itself, the others U+0100 and on.
 */
#include "model/pretokenizer_int.h"

#include <string.h>

#include "model/unicode.h"

static enum wn_word_class
class_at(const struct wn_trace *t, size_t *at)
{
    uint8_t byte = (uint8_t)t->p[*at];

    if (byte >= 0x80)
        return wn_unicode_word_class(wn_trace_next(t, at));
    *at += 1;
    if ((byte | 32) >= 'a' && (byte | 32) <= 'z')
        return WN_LETTER;
    if (byte >= '0' && byte <= '9')
        return WN_NUMBER;
    return byte == ' ' || (byte >= 9 && byte <= 13) ? WN_SPACE : WN_OTHER;
}

/* Behind the characters of that class from `at` on; *ret_last is where the last
 * of them begins. */
static size_t
skip_class(const struct wn_trace *t, size_t at, size_t to,
    enum wn_word_class class, size_t *ret_last)
{
    size_t next = at;

    *ret_last = at;
    while (at < to && class_at(t, &next) == class) {
        *ret_last = at;
        at = next;
    }
    return at;
}

/* The length of 's, 't, 're, ... at p, or 0. */
static size_t
contraction(const char *p, size_t n)
{
    if (n >= 2 && p[0] == '\'' && p[1] != '\0' && strchr("stmd", p[1]) != NULL)
        return 2;
    if (n >= 3 && p[0] == '\'' &&
        (memcmp(p + 1, "re", 2) == 0 || memcmp(p + 1, "ve", 2) == 0 ||
            memcmp(p + 1, "ll", 2) == 0))
        return 3;
    return 0;
}

/* Where the match of the pattern at `from` ends. */
static size_t
match_end(const struct wn_trace *t, size_t from, size_t to)
{
    size_t at = from, n = contraction(t->p + from, to - from), last;
    enum wn_word_class class;

    if (n > 0)
        return from + n;
    class = class_at(t, &at);
    if (t->p[from] == ' ' && at < to) {
        size_t next = at;
        enum wn_word_class behind = class_at(t, &next);

        if (behind != WN_SPACE)
            return skip_class(t, at, to, behind, &last);
    }
    at = skip_class(t, from, to, class, &last);
    /* the last white space goes with what follows, or stands alone */
    return class == WN_SPACE && at < to && last > from ? last : at;
}

/* The same for a text that has a space before it, which t lacks; `from` where
 * the match is that space alone. */
static size_t
first_match_end(const struct wn_trace *t, size_t from, size_t to)
{
    size_t at = from, last;
    enum wn_word_class class = class_at(t, &at);

    at = skip_class(t, from, to, class, &last);
    return class == WN_SPACE && at < to ? last : at;
}

static void
put_bytes(
    const struct wn_trace *t, size_t from, size_t to, struct wn_trace *out)
{
    for (; from < to; from++) {
        uint8_t byte = (uint8_t)t->p[from];
        int32_t c = byte;

        if (byte <= 0x20)
            c = 0x100 + byte;
        else if (byte >= 0x7f && byte <= 0xa0)
            c = 0x121 + (byte - 0x7f);
        else if (byte == 0xad)
            c = 0x143;
        wn_trace_put_char(out, c, t->start[from], t->end[from]);
    }
}

/* A space where the text begins. */
static void
put_space(const struct wn_trace *t, size_t from, struct wn_trace *out)
{
    wn_trace_put_char(out, 0x120, t->start[from], t->end[from]);
}

void
wn_pretokenizer_bytes(const struct wn_trace *t, size_t from, size_t to,
    bool space_before, bool pattern, struct wn_trace *out,
    struct wn_splits *out_s)
{
    bool space = space_before && t->p[from] != ' ';

    while (from < to) {
        size_t out_from = out->n, end = to;

        if (space)
            put_space(t, from, out);
        if (pattern)
            end = space ? first_match_end(t, from, to) : match_end(t, from, to);
        put_bytes(t, from, end, out);
        wn_splits_add(out_s, out_from, out->n, -1);
        from = end;
        space = false;
    }
}
