/*
 * Metrics. Every thread adds to a slot of its own, without contention; only
 * wn_metrics_text() and wn_metric_value() walk all slots. All cells are relaxed
 * atomics: a scrape may see one event of a thread and not yet another, which
 * a scrape at any other moment would, too.
 */
#include "core/metrics.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/status.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct info {
    enum kind kind;
    const char *name, *label, *values, *help;
};
static const struct info table[WN_M_COUNT] = {
#define M(id, kind, name, label, values, help)                                 \
    [WN_M_##id] = { kind, name, label, values, help },
    WN_METRICS(M)
#undef M
};

/* Histograms are numbered apart, so that only they have buckets. */
#define NUMBER_COUNTER(id)
#define NUMBER_GAUGE(id)
#define NUMBER_HISTOGRAM(id) H_##id,
enum {
#define M(id, kind, name, label, values, help) NUMBER_##kind(id)
    WN_METRICS(M)
#undef M
        H_COUNT
};
#define PLACE_COUNTER(id) 0
#define PLACE_GAUGE(id) 0
#define PLACE_HISTOGRAM(id) H_##id
static const unsigned char histogram_of[WN_M_COUNT] = {
#define M(id, kind, name, label, values, help) [WN_M_##id] = PLACE_##kind(id),
    WN_METRICS(M)
#undef M
};

/* clang-format off */
/* Upper bounds in seconds and as the label `le` shows them. */
static const struct {
    double seconds;
    const char *le;
} bounds[] = {
    { 1e-4, "0.0001" }, { 2.5e-4, "0.00025" }, { 5e-4, "0.0005" },
    { 1e-3, "0.001" }, { 2.5e-3, "0.0025" }, { 5e-3, "0.005" },
    { 1e-2, "0.01" }, { 2.5e-2, "0.025" }, { 5e-2, "0.05" },
    { 1e-1, "0.1" }, { 2.5e-1, "0.25" }, { 5e-1, "0.5" },
    { 1, "1" }, { 2.5, "2.5" }, { 5, "5" },
    { 10, "10" }, { 25, "25" }, { 50, "50" },
    { 100, "100" },
};
/* clang-format on */
#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

struct histogram {
    _Atomic uint64_t bucket[BOUNDS + 1]; /* the last one is +Inf */
    _Atomic double sum;
};

struct slot {
    _Alignas(64) _Atomic uint64_t counter[WN_M_COUNT][WN_METRICS_SERIES_MAX];
    struct histogram histogram[H_COUNT][WN_METRICS_SERIES_MAX];
};
static struct slot slots[WN_METRICS_THREADS];
static _Atomic unsigned slots_used;
static _Atomic double gauges[WN_M_COUNT][WN_METRICS_SERIES_MAX];
/* Series of each metric, counted at its first use; 0 before. */
static _Atomic unsigned char series_n[WN_M_COUNT];

static struct slot *
own_slot(void)
{
    static _Thread_local struct slot *own;
    unsigned n;

    if (own == NULL) {
        n = atomic_fetch_add_explicit(&slots_used, 1, memory_order_relaxed);
        own = &slots[n < WN_METRICS_THREADS ? n : WN_METRICS_THREADS - 1];
    }
    return own;
}

static unsigned
count_series(enum wn_metric m)
{
    unsigned n = atomic_load_explicit(&series_n[m], memory_order_relaxed);

    if (n == 0) {
        n = 1;
        for (const char *p = table[m].values; *p != '\0'; p++)
            n += *p == '|';
        WN_ASSERT(n <= WN_METRICS_SERIES_MAX);
        atomic_store_explicit(
            &series_n[m], (unsigned char)n, memory_order_relaxed);
    }
    return n;
}

/* A metric of another kind or a series outside the table is our mistake. */
static void
check_use(enum wn_metric m, unsigned series, enum kind kind)
{
    WN_ASSERT((unsigned)m < WN_M_COUNT);
    WN_ASSERT(table[m].kind == kind);
    WN_ASSERT(series < count_series(m));
}

void
wn_metric_add(enum wn_metric m, unsigned series, uint64_t n)
{
    check_use(m, series, COUNTER);
    atomic_fetch_add_explicit(
        &own_slot()->counter[m][series], n, memory_order_relaxed);
}

void
wn_metric_set(enum wn_metric m, unsigned series, double v)
{
    check_use(m, series, GAUGE);
    atomic_store_explicit(&gauges[m][series], v, memory_order_relaxed);
}

static void
add_double(_Atomic double *to, double v)
{
    double was = atomic_load_explicit(to, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(
        to, &was, was + v, memory_order_relaxed, memory_order_relaxed))
        ;
}

void
wn_metric_observe(enum wn_metric m, unsigned series, double seconds)
{
    struct histogram *h;
    size_t i = 0;

    check_use(m, series, HISTOGRAM);
    h = &own_slot()->histogram[histogram_of[m]][series];
    if (!isfinite(seconds) || seconds < 0) /* clocks of others, set back */
        seconds = 0;
    while (i < BOUNDS && seconds > bounds[i].seconds)
        i++;
    atomic_fetch_add_explicit(&h->bucket[i], 1, memory_order_relaxed);
    add_double(&h->sum, seconds);
}

/* Resident bytes of this process; 0 where /proc does not say. */
static double
read_rss(void)
{
    unsigned long long total, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL)
        return 0;
    if (fscanf(f, "%llu %llu", &total, &resident) != 2)
        resident = 0;
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static uint64_t
sum_counter(enum wn_metric m, unsigned series)
{
    uint64_t n = 0;

    for (size_t t = 0; t < WN_METRICS_THREADS; t++)
        n += atomic_load_explicit(
            &slots[t].counter[m][series], memory_order_relaxed);
    return n;
}

static uint64_t
sum_bucket(enum wn_metric m, unsigned series, size_t bucket)
{
    uint64_t n = 0;

    for (size_t t = 0; t < WN_METRICS_THREADS; t++)
        n += atomic_load_explicit(
            &slots[t].histogram[histogram_of[m]][series].bucket[bucket],
            memory_order_relaxed);
    return n;
}

static double
sum_seconds(enum wn_metric m, unsigned series)
{
    double sum = 0;

    for (size_t t = 0; t < WN_METRICS_THREADS; t++)
        sum += atomic_load_explicit(
            &slots[t].histogram[histogram_of[m]][series].sum,
            memory_order_relaxed);
    return sum;
}

static double
read_gauge(enum wn_metric m, unsigned series)
{
    if (m == WN_M_RSS)
        return read_rss();
    return atomic_load_explicit(&gauges[m][series], memory_order_relaxed);
}

double
wn_metric_value(enum wn_metric m, unsigned series)
{
    uint64_t n = 0;

    WN_ASSERT((unsigned)m < WN_M_COUNT);
    WN_ASSERT(series < count_series(m));
    if (table[m].kind == GAUGE)
        return read_gauge(m, series);
    if (table[m].kind == COUNTER)
        return (double)sum_counter(m, series);
    for (size_t i = 0; i <= BOUNDS; i++)
        n += sum_bucket(m, series, i);
    return (double)n;
}

/* name{label="value",le="0.1"} and a space. value and le may be empty. */
static void
put_series(struct wn_buf *out, const struct info *info, const char *suffix,
    const char *value, int value_len, const char *le)
{
    const char *open = "{";

    wn_buf_printf(out, "%s%s", info->name, suffix);
    if (value_len > 0) {
        wn_buf_printf(
            out, "%s%s=\"%.*s\"", open, info->label, value_len, value);
        open = ",";
    }
    if (le != NULL) {
        wn_buf_printf(out, "%sle=\"%s\"", open, le);
        open = ",";
    }
    wn_buf_str(out, open[0] == ',' ? "} " : " ");
}

static void
put_double(struct wn_buf *out, double v)
{
    if (isnan(v))
        wn_buf_str(out, "NaN");
    else if (isinf(v))
        wn_buf_str(out, v < 0 ? "-Inf" : "+Inf");
    else
        wn_buf_double(out, v);
    wn_buf_char(out, '\n');
}

static void
put_histogram(struct wn_buf *out, enum wn_metric m, unsigned series,
    const char *value, int value_len)
{
    const struct info *info = &table[m];
    uint64_t n = 0;

    for (size_t i = 0; i <= BOUNDS; i++) {
        n += sum_bucket(m, series, i);
        put_series(out, info, "_bucket", value, value_len,
            i < BOUNDS ? bounds[i].le : "+Inf");
        wn_buf_printf(out, "%llu\n", (unsigned long long)n);
    }
    put_series(out, info, "_sum", value, value_len, NULL);
    put_double(out, sum_seconds(m, series));
    /* From the buckets just read, so that it agrees with them. */
    put_series(out, info, "_count", value, value_len, NULL);
    wn_buf_printf(out, "%llu\n", (unsigned long long)n);
}

static void
put_metric(struct wn_buf *out, enum wn_metric m)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    const struct info *info = &table[m];
    const char *value = info->values;
    unsigned n = count_series(m);
    int len;

    wn_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", info->name, info->help,
        info->name, kinds[info->kind]);
    for (unsigned i = 0; i < n; i++, value += len + 1) {
        len = (int)strcspn(value, "|");
        if (info->kind == HISTOGRAM) {
            put_histogram(out, m, i, value, len);
            continue;
        }
        put_series(out, info, "", value, len, NULL);
        if (info->kind == GAUGE)
            put_double(out, read_gauge(m, i));
        else
            wn_buf_printf(out, "%llu\n", (unsigned long long)sum_counter(m, i));
    }
}

void
wn_metrics_text(struct wn_buf *out)
{
    for (int m = 0; m < WN_M_COUNT; m++)
        put_metric(out, (enum wn_metric)m);
}
