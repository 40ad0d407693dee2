/*
 * The options: one table row each feeds the parser, --help and
 * deploy/OPTIONS.md.
 *
 * Sources, later ones win: the default, the file (`key = value`, # comments;
 * --config FILE, else WINNOW_CONFIG, else /etc/winnow/winnow.conf when it is
 * there), the environment (WINNOW_STORE_BATCH_ROWS for store.batch_rows), flags
 * (--store.batch-rows=N, --store.batch_rows N). Names beginning with `kafka.`
 * go to librdkafka as they are, without the prefix, except those that the
 * fence owns (wn_options_kafka_owned()). An unknown name or a bad value is an
 * error that names file:line (or the variable, or the flag), and nothing is
 * touched: cmd exits 78 (EX_CONFIG).
 *
 * O(ID, name, type, default, min, max, unit, flags, help)
 *   type   STR, INT, SIZE (k, m, g suffixes, powers of 1024), BOOL, ENUM (min
 *          holds the words: "a|b|c", as a string)
 *   flags  0, SECRET (never logged, shown or in /status), RELOAD
 */
#ifndef WN_CORE_OPTIONS_H
#define WN_CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/status.h"

/* clang-format off */
#define WN_OPT_SECRET 1u
#define WN_OPT_RELOAD 2u
#define WN_OPTIONS(O)                                                                                                                     \
    O(INGEST_SOURCE,     "ingest.source",        ENUM, "kafka", "kafka|jsonl", "", "", 0, "where posts come from")                        \
    O(INGEST_TOPIC,      "ingest.topic",         STR,  "posts", "", "", "", 0, "Kafka topic to read")                                     \
    O(INGEST_START,      "ingest.start",         STR,  "beginning", "", "", "", 0, "first subscription of a topic: beginning, end, or an RFC 3339 time") \
    O(INGEST_ASSIGNOR,   "ingest.assignor",      ENUM, "range", "range|roundrobin", "", "", 0, "how partitions are shared out in the group")  \
    O(INGEST_PATH,       "ingest.path",          STR,  "-", "", "", "", 0, "JSON Lines: a file, a folder, or - for standard input")       \
    O(INGEST_FOLLOW,     "ingest.follow",        BOOL, "false", "", "", "", 0, "wait for more lines at the end of a file, through rotation") \
    O(INGEST_FROM_START, "ingest.from_start",    BOOL, "false", "", "", "", 0, "read a file that is shorter than its cursor, or another than the cursor's, from its first byte") \
    O(INGEST_FORMAT,     "ingest.format",        ENUM, "auto", "auto|native|cloudevents|activitystreams|jetstream", "", "", 0, "envelope of the records; auto tells them apart by their marks") \
    O(INGEST_POST_BYTES, "ingest.post_bytes_max",SIZE, "1m", "1k", "16m", "bytes", 0, "a larger record becomes a dead letter")               \
    O(INGEST_BYTES,      "ingest.bytes_max",     SIZE, "16m", "4m", "8g", "bytes", 0, "items in hand; consuming pauses at 80 % and goes on at 40 %") \
    O(SCORE_THREADS,     "score.threads",        INT,  "0", "0", "256", "threads", 0, "scoring threads; 0: one a core")                      \
    O(SCORE_WINDOWS,     "score.windows_max",    INT,  "4", "1", "16", "windows", 0, "windows of a long text that the encoder reads")        \
    O(SCORE_BATCH,       "score.batch_tokens",   INT,  "3072", "1", "262144", "tokens", 0, "posts that a scorer takes at a time, by their estimated tokens; it never waits for more, and takes one at least") \
    O(SCORE_DEPTH,       "score.depth",          STR,  "auto", "", "", "", 0, "layers of the encoder: auto (a text stops where nothing could flag it any more), or a number that the weights have an exit after") \
    O(SCORE_WAIT,        "score.wait_ms_max",    INT,  "0", "0", "600000", "ms", 0, "while posts wait longer than this for a scorer, texts are read less deep, an exit of the weights at a time, and those verdicts are degraded(depth); 0: never") \
    O(SCORE_CACHE,       "score.cache_entries",  INT,  "65536", "0", "16777216", "windows", 0, "windows of texts whose scores are kept for copies of them, 64 bytes each; 0: none") \
    O(MODEL_DIR,         "model.dir",            STR,  "", "", "", "", WN_OPT_RELOAD, "folder of the weights while none are activated (`winnow model activate`); empty: those shipped with the binary")    \
    O(MODEL_SHADOW,      "model.shadow",         STR,  "", "", "", "", WN_OPT_RELOAD, "folder of a second model that scores some posts beside the first, for `winnow model shadow`; no verdict depends on it") \
    O(MODEL_SHARE,       "model.shadow_share",   INT,  "10", "0", "100", "%", WN_OPT_RELOAD, "of the posts that the second model is shown, the same ones everywhere")      \
    O(MODEL_PRECISION,   "model.precision",      ENUM, "int8", "int8|int8-fine|bf16|fp32", "", "", 0, "of the encoder: int8-fine differs on CPUs without VNNI alone; fp32 is what the others are measured against") \
    O(KERNELS_ISA,       "kernels.isa",          ENUM, "auto", "auto|ref|avx2|avxvnni|avx512vnni", "", "", 0, "most that the encoder may use of the CPU's instructions; auto: all it knows") \
    O(POLICY_FILE,       "policy.file",          STR,  "", "", "", "", 0, "the policy; empty: the one shipped with the binary")             \
    O(POLICY_LISTS,      "policy.lists",         STR,  "", "", "", "", 0, "lists that rules ask with in_list(): a folder of NAME.exact, NAME.domain, NAME.cidr, or `database` (winnow list); what changes is read again; empty: none") \
    O(DATABASE_URL,      "database.url",         STR,  "", "", "", "", WN_OPT_SECRET, "libpq connection string or URI")                     \
    O(STORE_ROWS,        "store.batch_rows",     INT,  "2000", "1", "20000", "records", 0, "most records in one transaction")                \
    O(STORE_BYTES,       "store.batch_bytes",    SIZE, "4m", "64k", "256m", "bytes", 0, "most bytes in one transaction")                     \
    O(STORE_AGE,         "store.batch_age_ms",   INT,  "20", "0", "10000", "ms", 0, "longest that a finished record waits for its batch to fill") \
    O(STORE_RETENTION,   "store.retention_days", INT,  "180", "2", "3650", "days", 0, "older message times are clamped, and tables keep as long; at least what winnow.retention_rule says, which only the owner of the database writes (180)") \
    O(OUTPUT_VERDICTS,   "output.verdicts_topic",STR,  "", "", "", "", 0, "Kafka topic for verdicts; empty: none are sent")                 \
    O(OUTPUT_DEAD,       "output.dead_topic",    STR,  "", "", "", "", 0, "Kafka topic for dead letters; empty: none are sent")             \
    O(OUTPUT_WAITING,    "output.waiting_max",   INT,  "1000000", "1000", "100000000", "rows", 0, "outbox rows that may wait for their topic; then consuming pauses") \
    O(HTTP_LISTEN,       "http.listen",          STR,  "127.0.0.1:9464", "", "", "", 0, "address:port of /metrics, /healthz, /readyz, /status; port 0: any free; off: none") \
    O(LOG_LEVEL,         "log.level",            ENUM, "info", "debug|info|warn|error", "", "", 0, "least level that is logged")           \
    O(LOG_FORMAT,        "log.format",           ENUM, "text", "text|json", "", "", 0, "key=value lines or JSON lines")
/* clang-format on */

enum wn_option {
#define O(id, name, type, def, min, max, unit, flags, help) WN_OPT_##id,
    WN_OPTIONS(O)
#undef O
        WN_OPT_COUNT
};

struct wn_options;

/* Defaults only. NULL without memory. */
struct wn_options *wn_options_new(void);
void wn_options_free(struct wn_options *o);

/* One `name = value`; `where` ("winnow.conf:12", "WINNOW_X", "--x") begins
 * the error text. WN_REJECT on an unknown name or a bad value. */
enum wn_status wn_options_set(struct wn_options *o, const char *name,
    const char *value, const char *where, struct wn_err *err);

/* WN_REJECT on the first bad line, or when the file cannot be read. */
enum wn_status wn_options_file(
    struct wn_options *o, const char *path, struct wn_err *err);
/* Every WINNOW_* variable but WINNOW_CONFIG and what Kubernetes sets for a
 * Service (WINNOW_SERVICE_HOST, WINNOW_PORT_...); unknown ones are errors. */
enum wn_status wn_options_env(
    struct wn_options *o, char *const *env, struct wn_err *err);

/*
 * File, environment, then the flags of argv that are options. Others are left
 * in argv order: *ret_argc and argv are cut down to argv[0], unknown flags
 * are errors unless listed in `own` (NULL-terminated: "--jsonl", "--top=" for
 * one with a value); those are left in argv too. "--" ends the flags and is
 * taken out. --config FILE is read, and taken out, here.
 */
enum wn_status wn_options_load(struct wn_options *o, int *argc, char **argv,
    const char *const *own, char *const *env, struct wn_err *err);

/* Whether the load was refused because the command line has a flag that is not
 * known, or lacks a flag's value: bad usage, not a bad configuration. */
bool wn_options_misused(const struct wn_options *o);

/* The default file where it is there and this user may not read it, so that it
 * was passed over; else NULL. */
const char *wn_options_default_hidden(void);

const char *wn_opt_str(const struct wn_options *o, enum wn_option id);
int64_t wn_opt_int(
    const struct wn_options *o, enum wn_option id); /* INT, SIZE */
bool wn_opt_bool(const struct wn_options *o, enum wn_option id);
bool wn_opt_is_default(const struct wn_options *o, enum wn_option id);
/* Where the value was set ("winnow.conf:12", "WINNOW_X", "--x"; "default"),
 * to begin the error of whoever finds it wrong later. */
const char *wn_opt_where(const struct wn_options *o, enum wn_option id);

/* The kafka.* pairs, without the prefix, in the order set, and where. */
size_t wn_options_kafka_n(const struct wn_options *o);
void wn_options_kafka(const struct wn_options *o, size_t i,
    const char **ret_name, const char **ret_value, const char **ret_where);
/* Why Winnow owns this librdkafka setting, or NULL where it is the user's. */
const char *wn_options_kafka_owned(const char *name);
/* For logs and /status: "***" for secrets and kafka.*password, *secret*, ... */
const char *wn_option_shown(const char *name, const char *value);

/* Lines for --help of the options whose name begins with one of `prefixes`
 * (NULL-terminated; NULL: all), and the whole of deploy/OPTIONS.md. */
void wn_options_help(struct wn_buf *out, const char *const *prefixes);
void wn_options_markdown(struct wn_buf *out);

#endif
