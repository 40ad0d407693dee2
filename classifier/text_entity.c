/*
 * HTML entities: the named ones of Latin-1 and the marks that people type, and
 * every numeric one. A bounded look back from a semicolon, so that text
 * without entities pays one comparison a character.
 */
#include <stdlib.h>
#include <string.h>

#include "classifier/text_int.h"

#define ENTITY_UNITS_MAX 16 /* between & and ; */

/* clang-format off */
static const struct named {
    const char *name;
    UChar32 c;
} named[] = { /* sorted by strcmp for bsearch */
    { "AElig", 0xC6 }, { "Aacute", 0xC1 }, { "Acirc", 0xC2 }, { "Agrave", 0xC0 }, { "Aring", 0xC5 },
    { "Atilde", 0xC3 }, { "Auml", 0xC4 }, { "Ccedil", 0xC7 }, { "ETH", 0xD0 }, { "Eacute", 0xC9 },
    { "Ecirc", 0xCA }, { "Egrave", 0xC8 }, { "Euml", 0xCB }, { "Iacute", 0xCD }, { "Icirc", 0xCE },
    { "Igrave", 0xCC }, { "Iuml", 0xCF }, { "Ntilde", 0xD1 }, { "OElig", 0x152 }, { "Oacute", 0xD3 },
    { "Ocirc", 0xD4 }, { "Ograve", 0xD2 }, { "Oslash", 0xD8 }, { "Otilde", 0xD5 }, { "Ouml", 0xD6 },
    { "Scaron", 0x160 }, { "THORN", 0xDE }, { "Uacute", 0xDA }, { "Ucirc", 0xDB }, { "Ugrave", 0xD9 },
    { "Uuml", 0xDC }, { "Yacute", 0xDD }, { "aacute", 0xE1 }, { "acirc", 0xE2 }, { "acute", 0xB4 },
    { "aelig", 0xE6 }, { "agrave", 0xE0 }, { "amp", '&' }, { "apos", '\'' }, { "aring", 0xE5 },
    { "atilde", 0xE3 }, { "auml", 0xE4 }, { "bdquo", 0x201E }, { "brvbar", 0xA6 }, { "bull", 0x2022 },
    { "ccedil", 0xE7 }, { "cedil", 0xB8 }, { "cent", 0xA2 }, { "colon", ':' }, { "comma", ',' },
    { "commat", '@' }, { "copy", 0xA9 }, { "curren", 0xA4 }, { "dagger", 0x2020 }, { "deg", 0xB0 },
    { "divide", 0xF7 }, { "dollar", '$' }, { "eacute", 0xE9 }, { "ecirc", 0xEA }, { "egrave", 0xE8 },
    { "emsp", 0x2003 }, { "ensp", 0x2002 }, { "eth", 0xF0 }, { "euml", 0xEB }, { "euro", 0x20AC },
    { "excl", '!' }, { "frac12", 0xBD }, { "frac14", 0xBC }, { "frac34", 0xBE }, { "gt", '>' },
    { "hearts", 0x2665 }, { "hellip", 0x2026 }, { "iacute", 0xED }, { "icirc", 0xEE }, { "iexcl", 0xA1 },
    { "igrave", 0xEC }, { "iquest", 0xBF }, { "iuml", 0xEF }, { "laquo", 0xAB }, { "ldquo", 0x201C },
    { "lpar", '(' }, { "lrm", 0x200E }, { "lsaquo", 0x2039 }, { "lsquo", 0x2018 }, { "lt", '<' },
    { "macr", 0xAF }, { "mdash", 0x2014 }, { "micro", 0xB5 }, { "middot", 0xB7 }, { "nbsp", 0xA0 },
    { "ndash", 0x2013 }, { "not", 0xAC }, { "ntilde", 0xF1 }, { "num", '#' }, { "oacute", 0xF3 },
    { "ocirc", 0xF4 }, { "oelig", 0x153 }, { "ograve", 0xF2 }, { "ordf", 0xAA }, { "ordm", 0xBA },
    { "oslash", 0xF8 }, { "otilde", 0xF5 }, { "ouml", 0xF6 }, { "para", 0xB6 }, { "percnt", '%' },
    { "period", '.' }, { "plus", '+' }, { "plusmn", 0xB1 }, { "pound", 0xA3 }, { "quest", '?' },
    { "quot", '"' }, { "raquo", 0xBB }, { "rdquo", 0x201D }, { "reg", 0xAE }, { "rlm", 0x200F },
    { "rpar", ')' }, { "rsaquo", 0x203A }, { "rsquo", 0x2019 }, { "sbquo", 0x201A }, { "scaron", 0x161 },
    { "sect", 0xA7 }, { "semi", ';' }, { "shy", 0xAD }, { "sol", '/' }, { "sup1", 0xB9 },
    { "sup2", 0xB2 }, { "sup3", 0xB3 }, { "szlig", 0xDF }, { "thinsp", 0x2009 }, { "thorn", 0xFE },
    { "tilde", 0x2DC }, { "times", 0xD7 }, { "trade", 0x2122 }, { "uacute", 0xFA }, { "ucirc", 0xFB },
    { "ugrave", 0xF9 }, { "uml", 0xA8 }, { "uuml", 0xFC }, { "yacute", 0xFD }, { "yen", 0xA5 },
    { "yuml", 0xFF }, { "zwj", 0x200D }, { "zwnj", 0x200C },
};

/* What browsers read for &#128; to &#159;: windows-1252, not C1 controls. */
static const uint16_t windows_1252[32] = {
    0x20AC, 0x81, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021, 0x2C6, 0x2030, 0x160, 0x2039, 0x152, 0x8D, 0x17D, 0x8F,
    0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x2DC, 0x2122, 0x161, 0x203A, 0x153, 0x9D, 0x17E, 0x178,
};
/* clang-format on */

static int
compare(const void *key, const void *row)
{
    return strcmp(key, ((const struct named *)row)->name);
}

static UChar32
numeric(const char *s, bool *bad)
{
    UChar32 v = 0;
    bool hex = *s == 'x' || *s == 'X';

    s += hex;
    if (*s == '\0')
        return -1;
    for (; *s != '\0'; s++) {
        int d = *s >= '0' && *s <= '9' ? *s - '0'
                : hex && (*s | 32) >= 'a' && (*s | 32) <= 'f'
                    ? (*s | 32) - 'a' + 10
                    : -1;

        if (d < 0)
            return -1;
        if (v <= 0x10FFFF) /* beyond it only "too large" matters */
            v = v * (hex ? 16 : 10) + d;
    }
    if (v >= 0x80 && v < 0xA0)
        v = windows_1252[v - 0x80];
    if (v == 0 || v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF)) {
        *bad = true;
        v = 0xFFFD;
    }
    return v;
}

UChar32
wn_text_entity(const UChar *s, size_t len, size_t *start, bool *bad)
{
    char name[ENTITY_UNITS_MAX + 1];
    size_t n = 0, i = len - 1;
    const struct named *row;
    UChar32 c;

    while (n < ENTITY_UNITS_MAX && i > 0 && s[i - 1] != '&') {
        if (s[i - 1] >= 0x80 || s[i - 1] <= ' ')
            return -1;
        i--;
        n++;
    }
    if (n == 0 || i == 0 || s[i - 1] != '&')
        return -1;
    for (size_t k = 0; k < n; k++)
        name[k] = (char)s[i + k];
    name[n] = '\0';
    if (name[0] == '#') {
        c = numeric(name + 1, bad);
    } else {
        row = bsearch(name, named, sizeof(named) / sizeof(named[0]),
            sizeof(named[0]), compare);
        c = row == NULL ? -1 : row->c;
    }
    if (c >= 0)
        *start = i - 1;
    return c;
}
