/*
 * Where a grapheme cluster ends: the rules GB3 to GB13 of UAX #29.
 *
 * ICU's break iterator is that of the ICU that is installed, and wants UTF-16;
 * only its data is asked, for characters up to 15.0.
 */
#include "model/grapheme.h"

#include <unicode/uchar.h>

#include "model/unicode_int.h"

/* Extend and SpacingMark of Unicode 16.0 and 17.0 */
static const struct wn_range new_extend[] = {
    /* clang-format off */
    { 0x897, 0x897 }, { 0x1acf, 0x1add }, { 0x1ae0, 0x1aeb },
    { 0x10d69, 0x10d6d }, { 0x10efa, 0x10efc }, { 0x113b8, 0x113c0 },
    { 0x113c2, 0x113c2 }, { 0x113c5, 0x113c5 }, { 0x113c7, 0x113ca },
    { 0x113cc, 0x113d0 }, { 0x113d2, 0x113d2 }, { 0x113e1, 0x113e2 },
    { 0x11b60, 0x11b67 }, { 0x11f5a, 0x11f5a }, { 0x1611e, 0x1612f },
    { 0x1e5ee, 0x1e5ef }, { 0x1e6e3, 0x1e6e3 }, { 0x1e6e6, 0x1e6e6 },
    { 0x1e6ee, 0x1e6ef }, { 0x1e6f5, 0x1e6f5 },
    /* clang-format on */
};

/* Indic_Conjunct_Break=Linker of 17.0 */
static const struct wn_range linkers[] = {
    /* clang-format off */
    { 0x94d, 0x94d }, { 0x9cd, 0x9cd }, { 0xacd, 0xacd }, { 0xb4d, 0xb4d },
    { 0xc4d, 0xc4d }, { 0xd4d, 0xd4d }, { 0x1039, 0x1039 },
    { 0x17d2, 0x17d2 }, { 0x1a60, 0x1a60 }, { 0x1b44, 0x1b44 },
    { 0x1bab, 0x1bab }, { 0xa9c0, 0xa9c0 }, { 0xaaf6, 0xaaf6 },
    { 0x10a3f, 0x10a3f }, { 0x11133, 0x11133 }, { 0x113d0, 0x113d0 },
    { 0x1193e, 0x1193e }, { 0x11a47, 0x11a47 }, { 0x11a99, 0x11a99 },
    { 0x11f42, 0x11f42 },
    /* clang-format on */
};

/* Indic_Conjunct_Break=Consonant of 17.0 */
static const struct wn_range consonants[] = {
    /* clang-format off */
    { 0x915, 0x939 }, { 0x958, 0x95f }, { 0x978, 0x97f }, { 0x995, 0x9a8 },
    { 0x9aa, 0x9b0 }, { 0x9b2, 0x9b2 }, { 0x9b6, 0x9b9 }, { 0x9dc, 0x9dd },
    { 0x9df, 0x9df }, { 0x9f0, 0x9f1 }, { 0xa95, 0xaa8 }, { 0xaaa, 0xab0 },
    { 0xab2, 0xab3 }, { 0xab5, 0xab9 }, { 0xaf9, 0xaf9 }, { 0xb15, 0xb28 },
    { 0xb2a, 0xb30 }, { 0xb32, 0xb33 }, { 0xb35, 0xb39 }, { 0xb5c, 0xb5d },
    { 0xb5f, 0xb5f }, { 0xb71, 0xb71 }, { 0xc15, 0xc28 }, { 0xc2a, 0xc39 },
    { 0xc58, 0xc5a }, { 0xd15, 0xd3a }, { 0x1000, 0x102a },
    { 0x103f, 0x103f }, { 0x1050, 0x1055 }, { 0x105a, 0x105d },
    { 0x1061, 0x1061 }, { 0x1065, 0x1066 }, { 0x106e, 0x1070 },
    { 0x1075, 0x1081 }, { 0x108e, 0x108e }, { 0x1780, 0x17b3 },
    { 0x1a20, 0x1a54 }, { 0x1b0b, 0x1b0c }, { 0x1b13, 0x1b33 },
    { 0x1b45, 0x1b4c }, { 0x1b83, 0x1ba0 }, { 0x1bae, 0x1baf },
    { 0x1bbb, 0x1bbd }, { 0xa989, 0xa98b }, { 0xa98f, 0xa9b2 },
    { 0xa9e0, 0xa9e4 }, { 0xa9e7, 0xa9ef }, { 0xa9fa, 0xa9fe },
    { 0xaa60, 0xaa6f }, { 0xaa71, 0xaa73 }, { 0xaa7a, 0xaa7a },
    { 0xaa7e, 0xaa7f }, { 0xaae0, 0xaaea }, { 0xabc0, 0xabda },
    { 0x10a00, 0x10a00 }, { 0x10a10, 0x10a13 }, { 0x10a15, 0x10a17 },
    { 0x10a19, 0x10a35 }, { 0x11103, 0x11126 }, { 0x11144, 0x11144 },
    { 0x11147, 0x11147 }, { 0x11380, 0x11389 }, { 0x1138b, 0x1138b },
    { 0x1138e, 0x1138e }, { 0x11390, 0x113b5 }, { 0x11900, 0x11906 },
    { 0x11909, 0x11909 }, { 0x1190c, 0x11913 }, { 0x11915, 0x11916 },
    { 0x11918, 0x1192f }, { 0x11a00, 0x11a00 }, { 0x11a0b, 0x11a32 },
    { 0x11a50, 0x11a50 }, { 0x11a5c, 0x11a83 }, { 0x11f04, 0x11f10 },
    { 0x11f12, 0x11f33 },
    /* clang-format on */
};

struct state {
    int prev;      /* Grapheme_Cluster_Break of the last character     */
    bool emoji;    /* a pictograph, then Extend alone: GB11            */
    bool emoji_j;  /* and then ZWJ                                     */
    bool conjunct; /* a consonant, then Extend and Linker alone: GB9c  */
    bool linked;   /* at least one of those is a Linker                */
    bool odd;      /* an odd number of regional indicators: GB12, GB13 */
};

static int
break_class(int32_t c)
{
    if (c >= 0x20 && c < 0x7f)
        return U_GCB_OTHER;
    if (c >= 0x897 && WN_IN(new_extend, c))
        return U_GCB_EXTEND;
    if (c == 0x113d1) /* of 16.0 */
        return U_GCB_PREPEND;
    return u_getIntPropertyValue(c, UCHAR_GRAPHEME_CLUSTER_BREAK);
}

static bool
is_control(int class)
{
    return class == U_GCB_CONTROL || class == U_GCB_CR || class == U_GCB_LF;
}

static bool
joins_hangul(int prev, int class)
{
    switch (prev) {
    case U_GCB_L:
        return class == U_GCB_L || class == U_GCB_V || class == U_GCB_LV ||
               class == U_GCB_LVT;
    case U_GCB_LV:
    case U_GCB_V:
        return class == U_GCB_V || class == U_GCB_T;
    case U_GCB_LVT:
    case U_GCB_T:
        return class == U_GCB_T;
    default:
        return false;
    }
}

static bool
is_pictograph(int32_t c)
{
    return c >= 0xa9 && u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC);
}

static bool
is_consonant(int32_t c)
{
    return c >= 0x915 && WN_IN(consonants, c);
}

static bool
joins(const struct state *s, int32_t c, int class)
{
    if (s->prev == U_GCB_CR)
        return class == U_GCB_LF;
    if (is_control(s->prev) || is_control(class))
        return false;
    if (class == U_GCB_EXTEND || class == U_GCB_ZWJ ||
        class == U_GCB_SPACING_MARK || s->prev == U_GCB_PREPEND ||
        joins_hangul(s->prev, class))
        return true;
    if (s->odd && s->prev == U_GCB_REGIONAL_INDICATOR &&
        class == U_GCB_REGIONAL_INDICATOR)
        return true;
    if (s->conjunct && s->linked && is_consonant(c))
        return true;
    return s->emoji_j && is_pictograph(c);
}

static void
advance(struct state *s, int32_t c, int class)
{
    bool extends = class == U_GCB_EXTEND || class == U_GCB_ZWJ;
    bool linker = c >= 0x94d && WN_IN(linkers, c);

    s->odd = class == U_GCB_REGIONAL_INDICATOR && !s->odd;
    s->emoji_j = s->emoji && class == U_GCB_ZWJ;
    s->emoji = is_pictograph(c) || (s->emoji && class == U_GCB_EXTEND);
    if (is_consonant(c)) {
        s->conjunct = true;
        s->linked = false;
    } else {
        s->conjunct = s->conjunct && (linker || (extends && c != 0x200c));
        s->linked = s->conjunct && (s->linked || linker);
    }
    s->prev = class;
}

size_t
wn_grapheme_end(const struct wn_trace *t, size_t at)
{
    struct state s = { 0 };
    int32_t c = wn_trace_next(t, &at);

    advance(&s, c, break_class(c));
    while (at < t->n) {
        size_t next = at;
        int class;

        c = wn_trace_next(t, &next);
        class = break_class(c);
        if (!joins(&s, c, class))
            break;
        advance(&s, c, class);
        at = next;
    }
    return at;
}
