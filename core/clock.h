/* Time. The only file that asks the system for it. */
#ifndef WN_CORE_CLOCK_H
#define WN_CORE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Microseconds since 1970-01-01T00:00:00Z, plus the test shift. */
int64_t wn_clock_now_us(void);
/* Microseconds of CLOCK_MONOTONIC: for durations and deadlines. */
int64_t wn_clock_mono_us(void);
/* Moves wn_clock_now_us() for tests ("the clock 90 days on"). */
void wn_clock_shift_us(int64_t us);

#define WN_TIME_UNKNOWN INT64_MIN

/*
 * RFC 3339 date-time with any offset, upper or lower case t and z, fractions
 * of any length (kept to microseconds, cut), leap second 60 read as 59.
 * false and ret untouched where it is none, or outside years 1..9999.
 */
bool wn_time_parse(const char *s, size_t len, int64_t *ret_us);
/* "2026-11-24T05:02:32.123456Z" (27 characters and NUL); 6 digits always. */
#define WN_TIME_TEXT 32
void wn_time_format(int64_t us, char out[WN_TIME_TEXT]);

#endif
