/*
 * The event log: one line an event on stderr, as key=value or JSON lines.
 *
 *   wn_log(WN_LOG_WARN, "store.retry", "item=%s sqlstate=%s wait_ms=%d", ...)
 *
 * The format yields key=value pairs; values with spaces are written as
 * key="..." (use wn_log_quote() for text from elsewhere). Never content,
 * author names, SQL parameters or secrets. Any thread; a line is one write().
 */
#ifndef WN_CORE_LOG_H
#define WN_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wn_log_level { WN_LOG_DEBUG, WN_LOG_INFO, WN_LOG_WARN, WN_LOG_ERROR };

/* Before threads start. Default: info, key=value. */
void wn_log_setup(enum wn_log_level min, bool json);

void wn_log(enum wn_log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes s as "..." with quotes, backslashes and control characters escaped,
 * cut to fit; returns out. */
const char *wn_log_quote(const char *s, char *out, size_t out_bytes);

/*
 * A limiter for events that can come at any rate: true at most once a second
 * per limiter, then *ret_missed says how many were held back since. Static
 * storage, zeroed; any thread.
 */
struct wn_log_limit {
    int64_t next_us;
    uint64_t missed;
};
bool wn_log_limit(struct wn_log_limit *l, uint64_t *ret_missed);

#endif
