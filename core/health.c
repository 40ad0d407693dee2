/*
 * Conditions and facts of the process behind one lock. Nothing is written
 * while it is held: a log that blocks must not block /readyz.
 */
#include "core/health.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/status.h"
#include "core/utf8.h"

#define TEXT_MAX 256 /* of a cause or a value, with its NUL */
#define ALIVE_US INT64_C(5000000)
/* A start waits for others: what is not ok at first is no alarm before that. */
#define PATIENCE_US INT64_C(2000000)

struct condition {
    const char *name;
    bool ok;
    int64_t since_us;
    int64_t warn_us; /* monotonic: its first state, not ok, becomes a warning
                        then; 0: not one of these, or said */
    char cause[TEXT_MAX];
};

struct fact {
    const char *name;
    char value[TEXT_MAX];
};

struct wn_health {
    pthread_mutex_t lock; /* guards all that follows but tick_us */
    struct condition conditions[WN_HEALTH_MAX];
    size_t conditions_n;
    struct fact facts[WN_HEALTH_MAX];
    size_t facts_n;
    _Atomic int64_t tick_us; /* monotonic */
};

struct wn_health *
wn_health_new(void)
{
    struct wn_health *h = calloc(1, sizeof(*h));

    if (h == NULL)
        return NULL;
    WN_ASSERT(pthread_mutex_init(&h->lock, NULL) == 0);
    wn_health_tick(h); /* a start is a sign of life */
    return h;
}

void
wn_health_free(struct wn_health *h)
{
    if (h == NULL)
        return;
    pthread_mutex_destroy(&h->lock);
    free(h);
}

/* As much as fits; what is not UTF-8 becomes ?, because it goes into JSON. */
static void
copy_text(char to[TEXT_MAX], const char *s)
{
    size_t n = s == NULL ? 0 : strlen(s), len = 0, k;

    for (; n > 0; s += k ? k : 1, n -= k ? k : 1) {
        k = wn_utf8_len(s, n);
        if (len + (k ? k : 1) >= TEXT_MAX)
            break;
        if (k > 0)
            memcpy(to + len, s, k);
        else
            to[len] = '?';
        len += k ? k : 1;
    }
    to[len] = '\0';
}

/* The condition of that name, made if new; the caller holds the lock. */
static struct condition *
find_condition(struct wn_health *h, const char *name, bool *ret_new)
{
    struct condition *c;

    for (c = h->conditions; c < h->conditions + h->conditions_n; c++) {
        if (strcmp(c->name, name) == 0) {
            *ret_new = false;
            return c;
        }
    }
    WN_ASSERT(h->conditions_n < WN_HEALTH_MAX);
    h->conditions_n++;
    c->name = name;
    *ret_new = true;
    return c;
}

static void
log_change(
    const char *name, bool ok, const char *cause, enum wn_log_level level)
{
    char quoted[TEXT_MAX * 2];

    if (ok)
        wn_log(WN_LOG_INFO, "health.change", "condition=%s ok=true", name);
    else
        wn_log(level, "health.change", "condition=%s ok=false cause=%s", name,
            wn_log_quote(cause, quoted, sizeof(quoted)));
}

/* Of a change to not ok; the caller holds the lock. */
static enum wn_log_level
level_of(struct condition *c, bool is_new)
{
    const int64_t now = wn_clock_mono_us();

    if (is_new)
        c->warn_us = now + PATIENCE_US;
    if (c->warn_us > now)
        return WN_LOG_INFO;
    c->warn_us = 0;
    return WN_LOG_WARN;
}

void
wn_health_set(struct wn_health *h, const char *name, bool ok, const char *cause)
{
    struct condition *c;
    char text[TEXT_MAX];
    enum wn_log_level level = WN_LOG_INFO;
    bool is_new, flipped, changed;

    copy_text(text, ok ? NULL : cause);
    pthread_mutex_lock(&h->lock);
    c = find_condition(h, name, &is_new);
    flipped = is_new || c->ok != ok;
    changed = flipped || strcmp(c->cause, text) != 0;
    c->ok = ok;
    memcpy(c->cause, text, sizeof(text));
    if (flipped)
        c->since_us = wn_clock_now_us();
    if (ok)
        c->warn_us = 0;
    else if (changed)
        level = level_of(c, is_new);
    pthread_mutex_unlock(&h->lock);
    if (changed)
        log_change(name, ok, text, level);
}

void
wn_health_info(struct wn_health *h, const char *name, const char *value)
{
    struct fact *f;

    pthread_mutex_lock(&h->lock);
    for (f = h->facts; f < h->facts + h->facts_n; f++) {
        if (strcmp(f->name, name) == 0)
            break;
    }
    if (f == h->facts + h->facts_n) {
        WN_ASSERT(h->facts_n < WN_HEALTH_MAX);
        h->facts_n++;
        f->name = name;
    }
    copy_text(f->value, value);
    pthread_mutex_unlock(&h->lock);
}

/* The caller holds the lock. */
static bool
all_ok(const struct wn_health *h)
{
    for (size_t i = 0; i < h->conditions_n; i++) {
        if (!h->conditions[i].ok)
            return false;
    }
    return h->conditions_n > 0;
}

bool
wn_health_ready(struct wn_health *h)
{
    bool ready;

    pthread_mutex_lock(&h->lock);
    ready = all_ok(h);
    pthread_mutex_unlock(&h->lock);
    return ready;
}

/* A first state that holds, once; false: none is due. */
static bool
take_overdue(struct wn_health *h, int64_t now, const char **ret_name,
    char ret_cause[TEXT_MAX])
{
    struct condition *c, *end;
    bool found = false;

    pthread_mutex_lock(&h->lock);
    end = h->conditions + h->conditions_n;
    for (c = h->conditions; c < end && !found; c++) {
        if (c->warn_us == 0 || c->warn_us > now)
            continue;
        c->warn_us = 0;
        *ret_name = c->name;
        memcpy(ret_cause, c->cause, TEXT_MAX);
        found = true;
    }
    pthread_mutex_unlock(&h->lock);
    return found;
}

void
wn_health_tick(struct wn_health *h)
{
    const int64_t now = wn_clock_mono_us();
    const char *name;
    char cause[TEXT_MAX];

    atomic_store_explicit(&h->tick_us, now, memory_order_relaxed);
    while (take_overdue(h, now, &name, cause))
        log_change(name, false, cause, WN_LOG_WARN);
}

bool
wn_health_alive(struct wn_health *h)
{
    int64_t tick = atomic_load_explicit(&h->tick_us, memory_order_relaxed);

    return wn_clock_mono_us() - tick < ALIVE_US;
}

static void
put_string(struct wn_buf *out, const char *s)
{
    wn_buf_json(out, s, strlen(s));
}

static void
put_condition(struct wn_buf *out, const struct condition *c)
{
    char since[WN_TIME_TEXT];

    wn_time_format(c->since_us, since);
    put_string(out, c->name);
    wn_buf_printf(out, ":{\"ok\":%s,\"cause\":", c->ok ? "true" : "false");
    if (c->ok)
        wn_buf_str(out, "null");
    else
        put_string(out, c->cause);
    wn_buf_printf(out, ",\"since\":\"%s\"}", since);
}

/* A label's value: \\, \" and \n are escaped (text format 0.0.4). */
static void
put_label(struct wn_buf *out, const struct fact *f, bool first)
{
    wn_buf_printf(out, "%s%s=\"", first ? "" : ",", f->name);
    for (const char *s = f->value; *s != '\0'; s++) {
        if (*s == '\\' || *s == '"')
            wn_buf_char(out, '\\');
        wn_buf_char(out, *s == '\n' ? ' ' : *s);
    }
    wn_buf_char(out, '"');
}

void
wn_health_info_text(struct wn_health *h, struct wn_buf *out)
{
    wn_buf_str(out, "# HELP winnow_info versions of what this process runs\n"
                    "# TYPE winnow_info gauge\nwinnow_info{");
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->facts_n; i++)
        put_label(out, &h->facts[i], i == 0);
    pthread_mutex_unlock(&h->lock);
    wn_buf_str(out, "} 1\n");
}

void
wn_health_json(struct wn_health *h, struct wn_buf *out)
{
    bool alive = wn_health_alive(h);

    pthread_mutex_lock(&h->lock);
    wn_buf_printf(out, "{\"ready\":%s,\"alive\":%s,\"conditions\":{",
        all_ok(h) ? "true" : "false", alive ? "true" : "false");
    for (size_t i = 0; i < h->conditions_n; i++) {
        if (i > 0)
            wn_buf_char(out, ',');
        put_condition(out, &h->conditions[i]);
    }
    wn_buf_str(out, "},\"info\":{");
    for (size_t i = 0; i < h->facts_n; i++) {
        if (i > 0)
            wn_buf_char(out, ',');
        put_string(out, h->facts[i].name);
        wn_buf_char(out, ':');
        put_string(out, h->facts[i].value);
    }
    wn_buf_str(out, "}}");
    pthread_mutex_unlock(&h->lock);
}
