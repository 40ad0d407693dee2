/*
 * HTML to what a reader sees of it: tags go, <br> and blocks end lines, white
 * space collapses, what stands in <script> and <style> and comments is not
 * seen, the common entities are decoded. No tree is built: a post's markup is
 * hostile, and all that is asked of it is its text and its links.
 *
 * One pass; a "<" that opens no tag is text, a tag without an end takes the
 * rest with it, as in a browser.
 */
#include <string.h>
#include <strings.h>

#include "core/utf8.h"
#include "ingest/parse_int.h"

struct html {
    struct wn_parser *ps;
    struct wn_buf *out;
    size_t begin; /* out->len when it began: lines break after it only */
    const char *p, *end;
    bool space; /* white space was seen and not yet written */
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
at_line_start(const struct html *h)
{
    return h->out->len == h->begin || h->out->data[h->out->len - 1] == '\n';
}

static void
put(struct html *h, const char *p, size_t len)
{
    if (h->space && !at_line_start(h))
        wn_buf_char(h->out, ' ');
    h->space = false;
    wn_buf_add(h->out, p, len);
}

/* --- entities --- */

/* What no text can hold becomes U+FFFD, as in a browser. */
static size_t
encode(uint32_t c, char out[4])
{
    if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        c = 0xFFFD;
    return wn_utf8_put(out, c);
}

/* &#…; or &#x…; at p: its length, 0 where it is none. */
static size_t
numeric(const char *p, size_t left, uint32_t *ret)
{
    bool hex = left > 2 && (p[2] | 0x20) == 'x';
    size_t i = hex ? 3 : 2, first = i;
    uint32_t c = 0;

    for (; i < left && i < 12; i++) {
        char l = (char)(p[i] | 0x20);

        if (p[i] >= '0' && p[i] <= '9')
            c = c * (hex ? 16 : 10) + (uint32_t)(p[i] - '0');
        else if (hex && l >= 'a' && l <= 'f')
            c = c * 16 + (uint32_t)(l - 'a') + 10;
        else
            break;
        if (c > 0x10FFFF)
            c = 0x110000;
    }
    if (i == first)
        return 0;
    *ret = c;
    return i < left && p[i] == ';' ? i + 1 : i;
}

/* The entity at p: its length and character, 0 where it is text. Rarer names
 * are left for the hardened text, which knows them all. */
static size_t
entity(const char *p, size_t left, char out[4], size_t *ret_len)
{
    static const struct {
        const char *name, *is;
    } names[] = { { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" },
        { "&quot;", "\"" }, { "&apos;", "'" }, { "&nbsp;", " " } };
    uint32_t c;
    size_t i, n;

    if (left > 2 && p[1] == '#') {
        n = numeric(p, left, &c);
        if (n > 0)
            *ret_len = encode(c, out);
        return n;
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        n = strlen(names[i].name);
        if (left >= n && memcmp(p, names[i].name, n) == 0) {
            out[0] = names[i].is[0];
            *ret_len = 1;
            return n;
        }
    }
    return 0;
}

/* --- tags --- */

static const char *
skip_spaces(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

static void
add_href(struct html *h, const char *p, size_t len)
{
    struct wn_buf url;
    size_t i = 0;

    wn_buf_init(&url, len + 64);
    while (i < len) {
        char c[4];
        size_t c_len = 0, n = 0;

        if (p[i] == '&')
            n = entity(p + i, len - i, c, &c_len);
        wn_buf_add(&url, n > 0 ? c : p + i, n > 0 ? c_len : 1);
        i += n > 0 ? n : 1;
    }
    if (!url.failed && url.len > 0)
        wn_parser_link(h->ps, url.data, url.len);
    wn_buf_release(&url);
}

/* One attribute at p: where it ends. Hands on the href of an anchor. */
static const char *
attribute(struct html *h, const char *p, bool anchor)
{
    const char *name = p, *value;
    size_t name_len;
    char quote;

    while (p < h->end && !is_space(*p) && *p != '=' && *p != '>' && *p != '/')
        p++;
    name_len = (size_t)(p - name);
    p = skip_spaces(p, h->end);
    if (p == h->end || *p != '=')
        return p == name ? p + 1 : p; /* a lone slash */
    p = skip_spaces(p + 1, h->end);
    quote = p < h->end && (*p == '"' || *p == '\'') ? *p++ : '\0';
    value = p;
    while (p < h->end && *p != quote &&
           (quote != '\0' || (!is_space(*p) && *p != '>')))
        p++;
    if (anchor && name_len == 4 && strncasecmp(name, "href", 4) == 0)
        add_href(h, value, (size_t)(p - value));
    return p < h->end && quote != '\0' ? p + 1 : p;
}

static bool
is_name(const char *p, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(p, name, len) == 0;
}

static bool
is_block(const char *p, size_t len)
{
    static const char *const names[] = { "p", "div", "li", "ul", "ol", "tr",
        "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr", "table",
        "section", "article" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (is_name(p, len, names[i]))
            return true;
    return false;
}

/* To behind </name…>, or to the end. */
static void
skip_element(struct html *h, const char *name, size_t len)
{
    while (h->p < h->end) {
        const char *lt = memchr(h->p, '<', (size_t)(h->end - h->p));

        if (lt == NULL) {
            h->p = h->end;
            return;
        }
        h->p = lt + 1;
        if ((size_t)(h->end - lt) > len + 2 && lt[1] == '/' &&
            strncasecmp(lt + 2, name, len) == 0) {
            const char *gt = memchr(lt, '>', (size_t)(h->end - lt));

            h->p = gt == NULL ? h->end : gt + 1;
            return;
        }
    }
}

/* "<!--…-->", "<!…>" or "<?…>". */
static void
skip_markup(struct html *h)
{
    const char *stop;
    size_t left = (size_t)(h->end - h->p);

    if (left >= 4 && memcmp(h->p, "<!--", 4) == 0) {
        stop = memmem(h->p + 4, left - 4, "-->", 3);
        h->p = stop == NULL ? h->end : stop + 3;
        return;
    }
    stop = memchr(h->p, '>', left);
    h->p = stop == NULL ? h->end : stop + 1;
}

static void
tag(struct html *h)
{
    const bool closes = h->p[1] == '/';
    const char *name = h->p + 1 + closes, *p = name;
    size_t len;
    bool anchor;

    while (p < h->end && (is_letter(*p) || (*p >= '0' && *p <= '9')))
        p++;
    len = (size_t)(p - name);
    anchor = !closes && is_name(name, len, "a");
    while (p < h->end && *p != '>') {
        p = skip_spaces(p, h->end);
        if (p < h->end && *p != '>')
            p = attribute(h, p, anchor);
    }
    h->p = p < h->end ? p + 1 : p;
    if (is_name(name, len, "br")) {
        wn_buf_char(h->out, '\n');
        h->space = false;
    } else if (is_block(name, len)) {
        if (!at_line_start(h))
            wn_buf_char(h->out, '\n');
        h->space = false;
    } else if (!closes &&
               (is_name(name, len, "script") || is_name(name, len, "style"))) {
        skip_element(h, name, len);
    }
}

static bool
opens_tag(const struct html *h)
{
    size_t left = (size_t)(h->end - h->p);

    return h->p[0] == '<' &&
           ((left > 1 && is_letter(h->p[1])) ||
               (left > 2 && h->p[1] == '/' && is_letter(h->p[2])));
}

void
wn_html_text(
    struct wn_parser *ps, struct wn_buf *out, const char *html, size_t len)
{
    struct html h = {
        .ps = ps, .out = out, .begin = out->len, .p = html, .end = html + len
    };

    while (h.p < h.end && !out->failed) {
        char c[4];
        size_t c_len = 0, n;

        if (opens_tag(&h)) {
            tag(&h);
        } else if (h.p[0] == '<' && h.end - h.p > 1 &&
                   (h.p[1] == '!' || h.p[1] == '?')) {
            skip_markup(&h);
        } else if (is_space(*h.p)) {
            h.space = true;
            h.p++;
        } else if (*h.p == '&' &&
                   (n = entity(h.p, (size_t)(h.end - h.p), c, &c_len)) > 0) {
            put(&h, c, c_len);
            h.p += n;
        } else {
            put(&h, h.p, 1);
            h.p++;
        }
    }
    while (out->len > h.begin && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
}
