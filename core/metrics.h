/*
 * Prometheus text exposition, own and small: every metric is a row of one
 * static table, so names and label values are known at compile time and no
 * input can grow them. Counters and histograms are kept per thread in
 * cache-line-padded slots (at most WN_METRICS_THREADS; later threads share the
 * last) and summed on reading. What this process runs (versions of model and
 * policy) is no number: wn_health_info_text() says it beside these.
 *
 * M(ID, kind, name, label, values, help): kind COUNTER, GAUGE or HISTOGRAM
 * (seconds, fixed buckets). A metric with a label has one series a value;
 * values is the list of label values, separated by '|'.
 */
#ifndef WN_CORE_METRICS_H
#define WN_CORE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

/* clang-format off */
#define WN_METRICS(M)                                                                                                                  \
    M(POSTS,            COUNTER,   "winnow_posts_total",                    "outcome", "scored|degraded|deferred|dead|repeat|stale|erased", "records committed, by outcome") \
    M(DEGRADED,         COUNTER,   "winnow_degraded_total",                 "stage",   "text|image|depth", "verdicts committed that went without a stage, by stage") \
    M(ACTIONS,          COUNTER,   "winnow_verdicts_total",                 "action",  "allow|label|limit|review|remove", "verdicts committed, by action") \
    M(STAGE_SECONDS,    HISTOGRAM, "winnow_stage_seconds",                  "stage",   "parse|text|encode|policy|commit|relay", "time in a stage: per post, but per batch for encode, commit and relay") \
    M(VERDICT_AGE,      HISTOGRAM, "winnow_verdict_age_seconds",            "",        "", "message time to committed verdict")        \
    M(LAG,              GAUGE,     "winnow_lag",                            "",        "", "records between the committed cursors and the ends of the assigned partitions") \
    M(LAG_SECONDS,      GAUGE,     "winnow_lag_seconds",                    "",        "", "age of the oldest record in hand")         \
    M(FENCED,           COUNTER,   "winnow_fenced_commits_total",           "",        "", "commits refused because another worker owns the partition") \
    M(AMBIGUOUS,        COUNTER,   "winnow_ambiguous_commits_total",        "outcome", "done|again|fenced", "commits whose answer was lost, by what the cursor said") \
    M(REWINDS,          COUNTER,   "winnow_rewinds_total",                  "",        "", "claims that found the cursor behind what this process had committed") \
    M(DEAD_LETTERS,     COUNTER,   "winnow_dlq_total",                      "class",   "json|id|type|event|size|crash|constraint", "dead letters, by cause") \
    M(STORE_RETRIES,    COUNTER,   "winnow_store_retries_total",            "",        "", "batches sent again after a lost or refused connection") \
    M(BATCH_ROWS,       GAUGE,     "winnow_batch_rows",                     "",        "", "records in the last committed batch")      \
    M(CLAIMS,           COUNTER,   "winnow_claims_total",                   "",        "", "partitions claimed")                       \
    M(PARTITIONS_HELD,  GAUGE,     "winnow_partitions_held",                "",        "", "partitions this worker owns")              \
    M(PARTITIONS_AHEAD, GAUGE,     "winnow_table_partitions_ahead",         "",        "", "time partitions made ahead, least of all tables; alarm under 2") \
    M(RELAYED,          COUNTER,   "winnow_relayed_total",                  "kind",    "verdict|dead", "outbox rows delivered to Kafka") \
    M(RELAY_REFUSED,    COUNTER,   "winnow_relay_refused_total",            "",        "", "outbox rows that the broker refused for good") \
    M(OUTBOX_WAITING,   GAUGE,     "winnow_outbox_waiting",                 "",        "", "outbox rows not yet relayed, of the partitions held") \
    M(MIRROR_ERRORS,    COUNTER,   "winnow_mirror_errors_total",            "",        "", "failed commits of mirror offsets to Kafka") \
    M(CAREFUL,          COUNTER,   "winnow_records_alone_total",            "",        "", "records handled alone after unclean deaths") \
    M(PAUSES,           COUNTER,   "winnow_pauses_total",                   "",        "", "times that consuming was paused for the byte budget") \
    M(CONSUMER_REMADE,  COUNTER,   "winnow_consumer_remade_total",          "",        "", "consumers made anew after 60 s without progress") \
    M(QUEUE_BYTES,      GAUGE,     "winnow_queue_bytes",                    "",        "", "bytes of items in hand, against ingest.bytes_max") \
    M(SCORE_CACHE,      COUNTER,   "winnow_score_cache_total",              "result",  "hit|miss", "windows of texts looked up among those scored before") \
    M(MODEL_SWAPS,      COUNTER,   "winnow_model_swaps_total",              "result",  "done|refused", "other weights put in place of those that score, or not")  \
    M(SHADOW,           COUNTER,   "winnow_shadow_total",                   "result",  "scored|dropped", "posts of the shadow's share, by whether it had time for them") \
    M(SHED,             GAUGE,     "winnow_depth_shed",                     "",        "", "exits of the encoder that texts are not read to while posts wait (score.wait_ms_max)") \
    M(TOKENS,           COUNTER,   "winnow_tokens_total",                   "",        "", "tokens that the encoder read")            \
    M(HTTP_REQUESTS,    COUNTER,   "winnow_http_requests_total",            "code",    "200|400|401|403|404|405|413|500|503", "HTTP answers, by status") \
    M(LOG_LINES,        COUNTER,   "winnow_log_lines_total",                "level",   "debug|info|warn|error", "lines written to the event log") \
    M(RSS,              GAUGE,     "winnow_rss_bytes",                      "",        "", "resident memory of this process")
/* clang-format on */

enum wn_metric {
#define M(id, kind, name, label, values, help) WN_M_##id,
    WN_METRICS(M)
#undef M
        WN_M_COUNT
};

/* Series of WN_M_STAGE_SECONDS, in the order of its label's values. */
enum wn_stage {
    WN_STAGE_PARSE,
    WN_STAGE_TEXT,
    WN_STAGE_ENCODE,
    WN_STAGE_POLICY,
    WN_STAGE_COMMIT,
    WN_STAGE_RELAY
};

#define WN_METRICS_THREADS 64
#define WN_METRICS_SERIES_MAX 16 /* label values a metric may have */

/* series: index of the label's value; 0 where there is no label. Any thread. */
void wn_metric_add(enum wn_metric m, unsigned series, uint64_t n);
void wn_metric_set(enum wn_metric m, unsigned series, double v);
void wn_metric_observe(enum wn_metric m, unsigned series, double seconds);
/* Sum over threads of a counter, value of a gauge, count of a histogram. */
double wn_metric_value(enum wn_metric m, unsigned series);
/* The whole exposition, text format 0.0.4. */
void wn_metrics_text(struct wn_buf *out);

#endif
