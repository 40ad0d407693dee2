/*
 * The signals catalogue: every named fact about a post, in one table.
 *
 * The classifier and ingest fill it, policies are checked against it, storage
 * keeps it with the verdict. A signal's number is stored (CBOR keys), so a row
 * is only ever added at the end, never moved, renamed or given another type.
 *
 * X(ID, name, type, unit, keep, meaning)
 *   type  BOOL, INT, DOUBLE, STRING, LIST (of strings), MAP (of JSON values)
 *   keep  VERDICT: stored with the verdict, holds no content of a post;
 *         CONTENT: stored with the content and erased with it; a reason may
 *         not quote it
 */
#ifndef WN_CORE_SIGNALS_H
#define WN_CORE_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define WN_SIGNALS(X)                                                                                                     \
    X(SCORE_SPAM,        "score.spam",         DOUBLE, "probability", VERDICT, "calibrated probability of spam")          \
    X(SCORE_SCAM,        "score.scam",         DOUBLE, "probability", VERDICT, "calibrated probability of a scam")        \
    X(SCORE_BAIT,        "score.bait",         DOUBLE, "probability", VERDICT, "calibrated probability of engagement bait") \
    X(SCORE_AI_TEXT,     "score.ai_text",      DOUBLE, "probability", VERDICT, "calibrated probability of machine-written text") \
    X(FLAG_SPAM,         "flag.spam",          BOOL,   "",            VERDICT, "score.spam is at or over the weights' own threshold") \
    X(FLAG_SCAM,         "flag.scam",          BOOL,   "",            VERDICT, "score.scam is at or over the weights' own threshold") \
    X(FLAG_BAIT,         "flag.bait",          BOOL,   "",            VERDICT, "score.bait is at or over the weights' own threshold") \
    X(FLAG_AI_TEXT,      "flag.ai_text",       BOOL,   "",            VERDICT, "score.ai_text is at or over the weights' own threshold and the text is long enough to say so") \
    X(TEXT_CHARS,        "text.chars",         INT,    "characters",  VERDICT, "length of the hardened text in code points") \
    X(TEXT_WORDS,        "text.words",         INT,    "words",       VERDICT, "words of the hardened text")              \
    X(TEXT_TOKENS,       "text.tokens",        INT,    "tokens",      VERDICT, "tokens of the whole hardened text, without special ones") \
    X(TEXT_WINDOWS,      "text.windows",       INT,    "windows",     VERDICT, "windows of the text that the encoder read") \
    X(TEXT_UNREAD_SHARE, "text.unread_share",  DOUBLE, "share",       VERDICT, "share of the tokens that no window covers") \
    X(TEXT_INSUFFICIENT, "text.insufficient",  BOOL,   "",            VERDICT, "under 25 words: too short to judge ai_text") \
    X(TEXT_INVALID,      "text.invalid",       INT,    "count",       VERDICT, "U+0000, lone surrogates and invalid UTF-8 sequences that became U+FFFD") \
    X(TEXT_ZERO_WIDTH,   "text.zero_width",    INT,    "characters",  VERDICT, "zero-width and other invisible characters taken out") \
    X(TEXT_BIDI,         "text.bidi",          INT,    "characters",  VERDICT, "bidirectional control characters taken out") \
    X(TEXT_TAGS,         "text.tags",          INT,    "characters",  VERDICT, "tag characters (U+E0000-E007F) and variation selectors taken out") \
    X(TEXT_LINKS,        "text.links",         INT,    "links",       VERDICT, "different links: those the post gives and those found in its text; counted to 1,024") \
    X(TEXT_LINKS_HIDDEN, "text.links_hidden",  INT,    "links",       VERDICT, "links written to be overlooked: hxxp, [.], (dot); counted to 1,024") \
    X(POST_LANG,         "post.lang",          STRING, "",            VERDICT, "language that the platform states, lower case")   \
    X(POST_SURFACE,      "post.surface",       STRING, "",            VERDICT, "where it was posted: feed, reply, group, ...")  \
    X(POST_REPLY,        "post.reply",         BOOL,   "",            VERDICT, "it answers another post")                  \
    X(POST_EDITED,       "post.edited",        BOOL,   "",            VERDICT, "the record is an update of a post")       \
    X(POST_MEDIA,        "post.media",         INT,    "items",       VERDICT, "media attached")                          \
    X(POST_TEXT,         "post.text",          STRING, "",            CONTENT, "the text, repaired, not hardened")        \
    X(POST_LINKS,        "post.links",         LIST,   "",            CONTENT, "links given and found, at most 64")       \
    X(POST_EXTRA,        "post.extra",         MAP,    "",            CONTENT, "members of the post that Winnow does not know") \
    X(AUTHOR_ID,         "author.id",          STRING, "",            CONTENT, "the platform's id of the author")         \
    X(AUTHOR_HANDLE,     "author.handle",      STRING, "",            CONTENT, "the author's handle")                     \
    X(AUTHOR_AGE_DAYS,   "author.age_days",    DOUBLE, "days",        VERDICT, "age of the account at the message's time") \
    X(AUTHOR_FOLLOWERS,  "author.followers",   INT,    "accounts",    VERDICT, "followers that the platform states")      \
    X(AUTHOR_FOLLOWING,  "author.following",   INT,    "accounts",    VERDICT, "accounts followed that the platform states") \
    X(AUTHOR_POSTS_1H,   "author.posts_1h",    INT,    "posts",       VERDICT, "posts in the last hour that the platform states") \
    X(INGEST_BAD_MEMBERS,"ingest.bad_members", INT,    "members",     VERDICT, "optional members of the wrong type, read as unknown") \
    X(SCORE_BAIT_VOTE,   "score.bait_vote",    DOUBLE, "probability", VERDICT, "asks for reactions or comments as ballots; not calibrated") \
    X(SCORE_BAIT_REACT,  "score.bait_react",   DOUBLE, "probability", VERDICT, "asks for likes and other reactions; not calibrated") \
    X(SCORE_BAIT_SHARE,  "score.bait_share",   DOUBLE, "probability", VERDICT, "asks to be shared; not calibrated")       \
    X(SCORE_BAIT_TAG,    "score.bait_tag",     DOUBLE, "probability", VERDICT, "asks to tag or mention people; not calibrated") \
    X(SCORE_BAIT_COMMENT,"score.bait_comment", DOUBLE, "probability", VERDICT, "asks for a particular reply; not calibrated") \
    X(SCORE_DEPTH,       "score.depth",        INT,    "layers",      VERDICT, "layers of the encoder that the text went through; a flag always comes from the most that score.depth allows") \
    X(TEXT_COMBINING,    "text.combining",     INT,    "characters",  VERDICT, "combining marks taken out: stacks of more than a letter has, and lines through letters") \
    X(TEXT_STYLED,       "text.styled",        INT,    "characters",  VERDICT, "letters from styled alphabets made plain: mathematical, circled, squared, fullwidth, small capitals") \
    X(TEXT_CONFUSABLES,  "text.confusables",   INT,    "characters",  VERDICT, "letters of another alphabet that look like the word's own, made its own") \
    X(TEXT_MIXED_SCRIPT, "text.mixed_script",  INT,    "words",       VERDICT, "words with such letters")                 \
    X(TEXT_SPACED_WORDS, "text.spaced_words",  INT,    "words",       VERDICT, "words written letter by letter (f r e e, f.r.e.e) and put together") \
    X(TEXT_LEET_WORDS,   "text.leet_words",    INT,    "words",       VERDICT, "words with digits or signs for letters (fr33, v1agra); read as letters in a second view of the text") \
    X(TEXT_REPEATS,      "text.repeats",       INT,    "runs",        VERDICT, "letters repeated many times and squeezed to two")
/* clang-format on */

enum wn_signal {
#define X(id, name, type, unit, keep, meaning) WN_SIG_##id,
    WN_SIGNALS(X)
#undef X
        WN_SIG_COUNT
};

enum wn_signal_type {
    WN_TYPE_BOOL,
    WN_TYPE_INT,
    WN_TYPE_DOUBLE,
    WN_TYPE_STRING,
    WN_TYPE_LIST, /* of strings */
    WN_TYPE_MAP,  /* string keys, values of any JSON type */
};

enum wn_signal_keep { WN_KEEP_VERDICT, WN_KEEP_CONTENT };

struct wn_signal_info {
    const char *id; /* "SCORE_SPAM" */
    const char *name;
    enum wn_signal_type type;
    const char *unit;
    enum wn_signal_keep keep;
    const char *meaning;
};
extern const struct wn_signal_info wn_signal_table[WN_SIG_COUNT];

/* WN_SIG_COUNT where there is no such name. */
enum wn_signal wn_signal_find(const char *name, size_t len);
const char *wn_signal_type_name(enum wn_signal_type type);

/* A byte string that somebody else owns; UTF-8 unless stated. */
struct wn_str {
    const char *p;
    size_t len;
};

/*
 * A value: a signal's, or what an expression yields. Strings, lists and maps
 * lie in the arena of the item they belong to.
 */
enum wn_value_kind {
    WN_VALUE_UNKNOWN = 0, /* absent or not looked at: never 0, never false */
    WN_VALUE_NULL,
    WN_VALUE_BOOL,
    WN_VALUE_INT,
    WN_VALUE_DOUBLE,
    WN_VALUE_STRING,
    WN_VALUE_LIST,
    WN_VALUE_MAP,
};
struct wn_value {
    enum wn_value_kind kind;
    union {
        bool b;
        int64_t i;
        double d;
        struct wn_str s;
        struct {
            const struct wn_value *v;
            size_t n;
        } list;
        struct {
            const struct wn_str *keys; /* in the order of the JSON object */
            const struct wn_value *v;
            size_t n;
        } map;
    };
};

/* Every signal of one post; all unknown when zeroed. */
struct wn_signals {
    struct wn_value v[WN_SIG_COUNT];
};

static inline struct wn_value
wn_value_bool(bool b)
{
    return (struct wn_value){ .kind = WN_VALUE_BOOL, .b = b };
}
static inline struct wn_value
wn_value_int(int64_t i)
{
    return (struct wn_value){ .kind = WN_VALUE_INT, .i = i };
}
static inline struct wn_value
wn_value_double(double d)
{
    return (struct wn_value){ .kind = WN_VALUE_DOUBLE, .d = d };
}
static inline struct wn_value
wn_value_str(const char *p, size_t len)
{
    return (struct wn_value){ .kind = WN_VALUE_STRING, .s = { p, len } };
}

#endif
