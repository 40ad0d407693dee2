/*
 * The event log. A line is put together on the stack and leaves in one
 * write(), so lines of different threads do not mix. Lines are bounded: a
 * longer one is cut, in JSON form between two pairs.
 *
 *   2026-11-24T05:02:32.123456Z warn store.retry item=posts/3/9 wait_ms=400
 *   {"time":"...","level":"warn","event":"store.retry","item":"posts/3/9",...}
 *
 * JSON values are always strings: a field whose type changes with its content
 * is what log stores refuse.
 */
#include "core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/utf8.h"

#define PAIRS_MAX 3072  /* bytes of formatted pairs   */
#define LINE_BYTES 4096 /* bytes of a line with its \n */

/* Written before threads start, only read afterwards. */
static enum wn_log_level min_level = WN_LOG_INFO;
static bool as_json;

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void
wn_log_setup(enum wn_log_level min, bool json)
{
    min_level = min;
    as_json = json;
}

/* The character at s as it stands between quotes; returns bytes of s read.
 * Only \" \\ \n \r \t and \xNN come out: quoted_to_json() relies on it. */
static size_t
escape(const char *s, size_t n, char out[5])
{
    size_t len = wn_utf8_len(s, n);
    unsigned char c = (unsigned char)*s;
    char letter = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : 0;

    if (c == '"' || c == '\\')
        letter = (char)c;
    if (letter != 0) {
        snprintf(out, 5, "\\%c", letter);
        return 1;
    }
    if (len == 0 || c < 0x20 || c == 0x7f) {
        snprintf(out, 5, "\\x%02x", c);
        return 1;
    }
    memcpy(out, s, len);
    out[len] = '\0';
    return len;
}

const char *
wn_log_quote(const char *s, char *out, size_t out_bytes)
{
    size_t n = s == NULL ? 0 : strlen(s), len = 0, k;
    char one[5];

    if (out_bytes < 3) { /* no room for two quotes */
        if (out_bytes > 0)
            out[0] = '\0';
        return out;
    }
    out[len++] = '"';
    while (n > 0) {
        k = escape(s, n, one);
        if (len + strlen(one) + 2 > out_bytes)
            break;
        memcpy(out + len, one, strlen(one));
        len += strlen(one);
        s += k;
        n -= k;
    }
    out[len++] = '"';
    out[len] = '\0';
    return out;
}

/* Where a pair's value ends: at a space, or behind the closing quote. */
static const char *
value_end(const char *p)
{
    if (*p != '"')
        return p + strcspn(p, " ");
    for (p++; *p != '\0' && *p != '"'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
    }
    return *p == '"' ? p + 1 : p;
}

struct line {
    char text[LINE_BYTES];
    size_t len;
    bool full; /* a part did not fit: nothing more is added */
};

static void
put(struct line *l, const char *p, size_t len)
{
    if (l->full || len > sizeof(l->text) - 4 - l->len) { /* keeps "...\n" */
        l->full = true;
        return;
    }
    memcpy(l->text + l->len, p, len);
    l->len += len;
}

/* A plain value or key as the inside of a JSON string. */
static void
plain_to_json(struct line *l, const char *p, size_t n)
{
    char one[5];
    size_t k;

    for (; n > 0; p += k, n -= k) {
        k = escape(p, n, one);
        if (one[0] == '\\' && one[1] == 'x')
            put(l, "\\", 1); /* JSON has no \x: show it as text */
        put(l, one, strlen(one));
    }
}

/* The inside of wn_log_quote()'s result as the inside of a JSON string. */
static void
quoted_to_json(struct line *l, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\\') {
            put(l, p + i, 1);
            continue;
        }
        if (i + 1 == n || strchr("\"\\nrt", p[i + 1]) == NULL) {
            put(l, "\\\\", 2);
            continue;
        }
        put(l, p + i, 2);
        i++;
    }
}

/* One pair; taken back whole when it does not fit. */
static void
put_json_pair(struct line *l, const char *key, size_t key_len,
    const char *value, size_t len)
{
    size_t before = l->len;

    put(l, ",\"", 2);
    plain_to_json(l, key, key_len);
    put(l, "\":\"", 3);
    if (len > 0 && value[0] == '"') {
        len -= len > 1 && value[len - 1] == '"' ? 2 : 1;
        quoted_to_json(l, value + 1, len);
    } else {
        plain_to_json(l, value, len);
    }
    put(l, "\"", 1);
    if (l->full)
        l->len = before;
}

/* "k=v k="v v"" as members; a word without = becomes {"word":""}. */
static void
put_json_pairs(struct line *l, const char *pairs)
{
    const char *p = pairs, *key, *end;
    size_t key_len;

    while (!l->full) {
        p += strspn(p, " ");
        if (*p == '\0')
            return;
        key = p;
        key_len = strcspn(p, "= ");
        p += key_len;
        if (*p == '=')
            p++;
        end = value_end(p);
        put_json_pair(l, key, key_len, p, (size_t)(end - p));
        p = end;
    }
}

static void
format_json(struct line *l, enum wn_log_level level, const char *event,
    const char *time, const char *pairs)
{
    char head[256];

    snprintf(head, sizeof(head),
        "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"", time,
        level_names[level]);
    put(l, head, strlen(head));
    plain_to_json(l, event, strlen(event));
    put(l, "\"", 1);
    put_json_pairs(l, pairs);
    l->text[l->len++] = '}';
}

static void
format_text(struct line *l, enum wn_log_level level, const char *event,
    const char *time, const char *pairs)
{
    size_t n;

    put(l, time, strlen(time));
    put(l, " ", 1);
    put(l, level_names[level], strlen(level_names[level]));
    put(l, " ", 1);
    put(l, event, strlen(event));
    n = strlen(pairs);
    if (n > 0) {
        put(l, " ", 1);
        put(l, pairs, n);
    }
}

/* What would end or garble the line, whoever formatted it. */
static void
no_controls(char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
    }
}

void
wn_log(enum wn_log_level level, const char *event, const char *fmt, ...)
{
    char pairs[PAIRS_MAX], time[WN_TIME_TEXT];
    struct line l;
    int saved = errno, n;
    va_list ap;

    if (level < min_level)
        return;
    va_start(ap, fmt);
    n = vsnprintf(pairs, sizeof(pairs), fmt, ap);
    va_end(ap);
    if (n < 0)
        pairs[0] = '\0';
    if (n >= (int)sizeof(pairs))
        memcpy(pairs + sizeof(pairs) - 4, "...", 4);
    no_controls(pairs);
    l.len = 0;
    l.full = false;
    wn_time_format(wn_clock_now_us(), time);
    if (as_json)
        format_json(&l, level, event, time, pairs);
    else
        format_text(&l, level, event, time, pairs);
    l.text[l.len++] = '\n';
    while (write(STDERR_FILENO, l.text, l.len) < 0 && errno == EINTR)
        ;
    wn_metric_add(WN_M_LOG_LINES, (unsigned)level, 1);
    errno = saved; /* logging between a call and its perror() is harmless */
}

bool
wn_log_limit(struct wn_log_limit *l, uint64_t *ret_missed)
{
    int64_t now = wn_clock_mono_us();
    int64_t next = __atomic_load_n(&l->next_us, __ATOMIC_RELAXED);

    /* Of the threads that come when it is due, one wins. */
    if (now < next ||
        !__atomic_compare_exchange_n(&l->next_us, &next, now + 1000000, false,
            __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        __atomic_fetch_add(&l->missed, 1, __ATOMIC_RELAXED);
        return false;
    }
    *ret_missed = __atomic_exchange_n(&l->missed, 0, __ATOMIC_RELAXED);
    return true;
}
