/*
 * The plain structs that the stages pass on: one record from a source, the
 * post in it, its signals, the verdict on it.
 *
 * An item belongs to one thread at a time and changes hands through queues.
 * All its strings lie in its own arena, so wn_item_free() frees everything.
 */
#ifndef WN_CORE_ITEM_H
#define WN_CORE_ITEM_H

#include "core/arena.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/signals.h"

/* The four heads, in the order of every array indexed by head. */
enum wn_head { WN_SPAM, WN_SCAM, WN_BAIT, WN_AI_TEXT, WN_HEADS };
extern const char *const wn_head_names[WN_HEADS]; /* "spam", ..., "ai_text" */

/* What engagement bait asks for: labels beside bait's head. */
enum wn_bait_kind {
    WN_BAIT_VOTE,
    WN_BAIT_REACT,
    WN_BAIT_SHARE,
    WN_BAIT_TAG,
    WN_BAIT_COMMENT,
    WN_BAITS
};
extern const char *const wn_bait_names[WN_BAITS]; /* "bait_vote", ... */

/* Weakest first: the strongest matching rule wins. */
enum wn_action {
    WN_ALLOW,
    WN_LABEL,
    WN_LIMIT,
    WN_REVIEW,
    WN_REMOVE,
    WN_ACTIONS
};
extern const char *const wn_action_names[WN_ACTIONS];

/* How a record ended: exactly one, stored as this number (DESIGN 7). */
enum wn_outcome {
    WN_OUT_NONE = 0,
    WN_SCORED = 1,
    WN_DEGRADED = 2, /* judged without the stages in item->skipped      */
    WN_DEFERRED = 3, /* to be judged later                              */
    WN_DEAD = 4,     /* nobody can read it: item->cause says why        */
    WN_REPEAT = 5,   /* this post, revision or content was judged before */
    WN_STALE = 6,    /* older than what was judged                      */
    WN_ERASED = 7,   /* the post was deleted                            */
    WN_OUTCOMES
};
extern const char *const wn_outcome_names[WN_OUTCOMES];

/* Stages that a degraded item went without; bits. */
#define WN_SKIPPED_TEXT 1u
#define WN_SKIPPED_IMAGE 2u
#define WN_SKIPPED_DEPTH 4u /* layers of the encoder, while posts wait */
#define WN_SKIPPED_STAGES 3

/* Where a record came from. The fence is the cursor of `source`. */
struct wn_record {
    int32_t source;       /* row of source_cursor; 0 before a claim       */
    int64_t offset;       /* Kafka offset, or byte where the line starts  */
    int64_t next;         /* first offset after it, as far as this record
                             tells: Kafka offset + 1, byte after the line */
    int64_t time_us;      /* message time; WN_TIME_UNKNOWN if none        */
    int64_t fallback_us;  /* message time where the envelope has none
                            either (a file's own); 0: none               */
    int32_t leader_epoch; /* Kafka's; -1 if unknown                     */
    struct wn_str key;    /* raw bytes; p NULL where there is none        */
    struct wn_str raw;    /* the message; p NULL for a Kafka tombstone    */
    uint64_t generation;  /* claim under which it was read: see ingest   */
};

enum wn_post_event { WN_POST_CREATED, WN_POST_UPDATED, WN_POST_DELETED };

/* The post of a record, from whatever envelope. Absent strings have p NULL. */
struct wn_post {
    enum wn_post_event event;
    struct wn_str id;
    struct wn_str author_id; /* absent on a deletion */
    struct wn_str text;      /* repaired UTF-8       */
    bool has_revision;
    int64_t revision;
    int64_t created_us; /* WN_TIME_UNKNOWN if not given */
    struct wn_str lang, surface, reply_to;
    const struct wn_str *given_links; /* post.links as given */
    size_t given_links_n;
    size_t media_n;
    /* SHA-256 of what a reader sees (text, links, media): repeats are told
     * by it where there is no revision. */
    uint8_t content_hash[WN_SHA256];
    /* Optional members of the wrong type, as "author.followers". */
    const struct wn_str *bad_members;
    size_t bad_members_n;
};

struct wn_reason {
    struct wn_str rule, category, text;
};
#define WN_REASONS_MAX 16
#define WN_SKIPPED_RULES_MAX 32

struct wn_verdict {
    enum wn_action action;
    struct wn_reason reasons[WN_REASONS_MAX]; /* strongest action first */
    size_t reasons_n;
    size_t reasons_more; /* matches beyond WN_REASONS_MAX */
    /* Rules that could not be asked because an input was unknown. */
    struct wn_str skipped[WN_SKIPPED_RULES_MAX];
    size_t skipped_n;
};

struct wn_item {
    struct wn_arena arena;
    struct wn_record rec;
    struct wn_post post;
    struct wn_signals sig;
    struct wn_verdict verdict;
    enum wn_outcome outcome;
    unsigned skipped;    /* WN_SKIPPED_...                      */
    struct wn_str cause; /* of WN_DEAD: short, no content       */
    /* Versions that made the verdict; live as long as the process. */
    const char *model_version, *policy_version;
    int text_version;
    size_t bytes;         /* what it counts in the byte budget   */
    int64_t admitted_us;  /* monotonic, for stage times          */
    uint64_t seq;         /* ingest's place in its partition     */
    int flow;             /* ingest/flow.h: how far it has come  */
    struct wn_item *next; /* for the one list it is in           */
};

/* A copy that lives as long as the process, one of each text: for versions,
 * of which there are few. NULL without memory. Any thread. */
const char *wn_version_keep(const char *version);

#define WN_ITEM_WEIGHT_MAX 2048 /* tokens; asserted where windows are known */

/* A zeroed item with an arena of at most bytes_max; NULL without memory. */
struct wn_item *wn_item_new(size_t bytes_max);
void wn_item_free(struct wn_item *item); /* accepts NULL */
/* About how many tokens its record has for the encoder: four bytes each, up to
 * what all windows of the longest text have (once: where a text is read in
 * a second view too, the same again at most). */
size_t wn_item_weight(const struct wn_item *item);

#endif
