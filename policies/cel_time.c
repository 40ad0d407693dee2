/*
 * Timestamps and durations: their texts, and the parts of a date in UTC or in
 * a zone. Zone names are ICU's own table, so no file is read when a rule is
 * asked; the calendar is the proleptic Gregorian one, as RFC 3339 has it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <unicode/ucal.h>

#include "policies/cel_fn.h"

#define NS 1000000000
#define DAY 86400

/* --- the calendar --- */

struct date {
    int64_t year;
    int month, day; /* from 1 */
};

/* Days since 1970 of a date; years are counted from March. */
static int64_t
days_of(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era, doe;
    int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    era = (y >= 0 ? y : y - 399) / 400;
    doe = (y - era * 400) * 365 + (y - era * 400) / 4 - (y - era * 400) / 100 +
          doy;
    return era * 146097 + doe - 719468;
}

static struct date
date_of(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int mp = (int)((5 * doy + 2) / 153);
    struct date d;

    d.day = (int)(doy - (153 * mp + 2) / 5) + 1;
    d.month = mp < 10 ? mp + 3 : mp - 9;
    d.year = yoe + era * 400 + (d.month <= 2);
    return d;
}

static int
month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
        31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

/* Days before the second, and its seconds of the day. */
static int64_t
day_of(int64_t s, int64_t *ret_rest)
{
    int64_t day = s / DAY - (s % DAY < 0);

    *ret_rest = s - day * DAY;
    return day;
}

/* --- reading --- */

/* Exactly n digits. */
static bool
take_digits(struct wn_str *s, size_t n, int64_t *ret)
{
    int64_t v = 0;

    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    s->p += n;
    s->len -= n;
    *ret = v;
    return true;
}

static bool
take_char(struct wn_str *s, char c)
{
    if (s->len == 0 || s->p[0] != c)
        return false;
    s->p++;
    s->len--;
    return true;
}

/* Behind a dot: at least one digit; those beyond the ninth are dropped. */
static bool
take_fraction(struct wn_str *s, int64_t *ret_ns)
{
    int64_t ns = 0, unit = NS / 10;
    size_t n = 0;

    for (; s->len > 0 && s->p[0] >= '0' && s->p[0] <= '9'; n++) {
        ns += (s->p[0] - '0') * unit;
        unit /= 10;
        s->p++;
        s->len--;
    }
    *ret_ns = ns;
    return n > 0;
}

/* hh:mm */
static bool
take_clock(struct wn_str *s, int64_t *ret_seconds)
{
    int64_t h, m;

    if (!take_digits(s, 2, &h) || !take_char(s, ':') ||
        !take_digits(s, 2, &m) || h > 23 || m > 59)
        return false;
    *ret_seconds = h * 3600 + m * 60;
    return true;
}

/* Z, +hh:mm or -hh:mm */
static bool
take_offset(struct wn_str *s, int64_t *ret)
{
    bool west = s->len > 0 && s->p[0] == '-';

    *ret = 0;
    if (take_char(s, 'Z'))
        return true;
    if ((!take_char(s, '+') && !take_char(s, '-')) || !take_clock(s, ret))
        return false;
    if (west)
        *ret = -*ret;
    return true;
}

static struct wn_cel_value
time_value(int64_t s, int64_t ns)
{
    struct wn_cel_value r = { .kind = WN_CEL_TIMESTAMP };

    if (s < WN_CEL_TIME_MIN || s > WN_CEL_TIME_MAX)
        return wn_cel_error("a timestamp leaves the years 1 to 9999");
    r.time.s = s;
    r.time.ns = (int32_t)ns;
    return r;
}

/* RFC 3339 */
WN_CEL_FN(time_of_string)
{
    struct wn_str s = args[0].s;
    int64_t year, month, day, clock, second, ns = 0, offset;

    if (!take_digits(&s, 4, &year) || !take_char(&s, '-') ||
        !take_digits(&s, 2, &month) || !take_char(&s, '-') ||
        !take_digits(&s, 2, &day) || !take_char(&s, 'T') ||
        !take_clock(&s, &clock) || !take_char(&s, ':') ||
        !take_digits(&s, 2, &second) || second > 59 ||
        (take_char(&s, '.') && !take_fraction(&s, &ns)) ||
        !take_offset(&s, &offset) || s.len > 0 || month < 1 || month > 12 ||
        day < 1 || day > month_days(year, (int)month))
        return wn_cel_error("the text is no RFC 3339 timestamp");
    return time_value(
        days_of(year, (int)month, (int)day) * DAY + clock + second - offset,
        ns);
}

WN_CEL_FN(time_of_int)
{
    return time_value(args[0].i, 0);
}

/* The unit at s in nanoseconds; 0 where there is none. Longer ones first. */
static int64_t
take_unit(struct wn_str *s)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = { { "ns", 1 }, { "us", 1000 }, { "\xc2\xb5s", 1000 },
        { "\xce\xbcs", 1000 }, { "ms", 1000000 }, { "s", NS },
        { "m", 60 * (int64_t)NS }, { "h", 3600 * (int64_t)NS } };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t n = strlen(units[i].name);

        if (s->len < n || memcmp(s->p, units[i].name, n) != 0)
            continue;
        s->p += n;
        s->len -= n;
        return units[i].ns;
    }
    return 0;
}

/* One "12.5h" of a duration, added to *ns. */
static bool
take_part(struct wn_str *s, int64_t *ns)
{
    int64_t whole = 0, fraction = 0, unit, part;
    bool any = false;

    for (; s->len > 0 && s->p[0] >= '0' && s->p[0] <= '9'; any = true) {
        if (__builtin_mul_overflow(whole, (int64_t)10, &whole) ||
            __builtin_add_overflow(whole, (int64_t)(s->p[0] - '0'), &whole))
            return false;
        s->p++;
        s->len--;
    }
    if (take_char(s, '.'))
        any = take_fraction(s, &fraction) || any;
    unit = any ? take_unit(s) : 0;
    /* fraction / 1e9 of the unit: for seconds and more the unit is whole
     * seconds, which keeps the product within 64 bits */
    part = unit >= NS ? fraction * (unit / NS) : fraction * unit / NS;
    return unit != 0 && !__builtin_mul_overflow(whole, unit, &whole) &&
           !__builtin_add_overflow(*ns, whole, ns) &&
           !__builtin_add_overflow(*ns, part, ns);
}

WN_CEL_FN(duration_of_string)
{
    struct wn_str s = args[0].s;
    bool negative = s.len > 0 && s.p[0] == '-';
    int64_t ns = 0;

    if (!take_char(&s, '-'))
        take_char(&s, '+');
    if (s.len == 1 && s.p[0] == '0')
        s.len = 0;
    else if (s.len == 0)
        return wn_cel_error("the text is no duration");
    while (s.len > 0)
        if (!take_part(&s, &ns))
            return wn_cel_error("the text is no duration of 292 years");
    return (struct wn_cel_value){ .kind = WN_CEL_DURATION,
        .i = negative ? -ns : ns };
}

WN_CEL_FN(duration_of_int)
{
    return (struct wn_cel_value){ .kind = WN_CEL_DURATION, .i = args[0].i };
}

/* --- writing --- */

/* ".5", without zeros at the end; nothing for none. */
static int
fraction_text(char *buf, size_t len, int64_t ns)
{
    int n;

    if (ns == 0)
        return 0;
    n = snprintf(buf, len, ".%09" PRId64, ns);
    while (buf[n - 1] == '0')
        n--;
    return n;
}

void
wn_cel_text_time(struct wn_cel_text *t, const struct wn_cel_value *v)
{
    int64_t rest;
    struct date d = date_of(day_of(v->time.s, &rest));
    char buf[80];
    int n;

    n = snprintf(buf, sizeof(buf), "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d",
        d.year, d.month, d.day, (int)(rest / 3600), (int)(rest / 60 % 60),
        (int)(rest % 60));
    n += fraction_text(buf + n, sizeof(buf) - (size_t)n, v->time.ns);
    buf[n++] = 'Z';
    wn_cel_text_add(t, buf, (size_t)n);
}

void
wn_cel_text_duration(struct wn_cel_text *t, int64_t ns)
{
    uint64_t all = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    char buf[80];
    int n;

    n = snprintf(buf, sizeof(buf), "%s%" PRIu64, ns < 0 ? "-" : "", all / NS);
    n += fraction_text(buf + n, sizeof(buf) - (size_t)n, (int64_t)(all % NS));
    buf[n++] = 's';
    wn_cel_text_add(t, buf, (size_t)n);
}

/* --- parts of a date --- */

/* hh:mm with a sign or none. */
static bool
fixed_zone(struct wn_str s, int64_t *ret)
{
    bool west = s.len > 0 && s.p[0] == '-';

    if (!take_char(&s, '-'))
        take_char(&s, '+');
    if (!take_clock(&s, ret) || s.len > 0)
        return false;
    if (west)
        *ret = -*ret;
    return true;
}

/* Seconds east of UTC that the zone of that name was at, then. */
static bool
named_zone(struct wn_str s, int64_t at, int64_t *ret)
{
    UChar name[64], canonical[64];
    UBool known = 0;
    UErrorCode rc = U_ZERO_ERROR;
    UCalendar *cal;

    if (s.len == 0 || s.len >= 64)
        return false;
    for (size_t i = 0; i < s.len; i++)
        name[i] = (unsigned char)s.p[i];
    ucal_getCanonicalTimeZoneID(
        name, (int32_t)s.len, canonical, 64, &known, &rc);
    if (U_FAILURE(rc) || !known)
        return false;
    cal = ucal_open(name, (int32_t)s.len, "en", UCAL_GREGORIAN, &rc);
    ucal_setMillis(cal, (double)at * 1000, &rc);
    *ret = (ucal_get(cal, UCAL_ZONE_OFFSET, &rc) +
               ucal_get(cal, UCAL_DST_OFFSET, &rc)) /
           1000;
    ucal_close(cal);
    return U_SUCCESS(rc);
}

#define ZONE_STEPS 5000 /* what a name costs to look up */

/* The time as if its zone were UTC; args[1] is the zone, where there is one. */
static bool
local(struct wn_cel_run *run, const struct wn_cel_value *args, bool zoned,
    int64_t *ret)
{
    int64_t offset = 0;

    if (zoned && !fixed_zone(args[1].s, &offset)) {
        if (!wn_cel_charge(run, ZONE_STEPS) ||
            !named_zone(args[1].s, args[0].time.s, &offset))
            return false;
    }
    *ret = args[0].time.s + offset;
    return true;
}

enum part {
    YEAR,
    MONTH,
    DATE,
    DAY_OF_WEEK,
    DAY_OF_YEAR,
    HOURS,
    MINUTES,
    SECONDS
};

static struct wn_cel_value
part_of(enum part part, int64_t s)
{
    int64_t rest, days = day_of(s, &rest);
    struct date d = date_of(days);

    switch (part) {
    case YEAR:
        return wn_cel_int(d.year);
    case MONTH:
        return wn_cel_int(d.month - 1);
    case DATE:
        return wn_cel_int(d.day);
    case DAY_OF_WEEK: /* 1970 began on a Thursday */
        return wn_cel_int(((days + 4) % 7 + 7) % 7);
    case DAY_OF_YEAR:
        return wn_cel_int(days - days_of(d.year, 1, 1));
    case HOURS:
        return wn_cel_int(rest / 3600);
    case MINUTES:
        return wn_cel_int(rest / 60 % 60);
    case SECONDS:
        break;
    }
    return wn_cel_int(rest % 60);
}

static struct wn_cel_value
get(enum part part, struct wn_cel_run *run, const struct wn_cel_value *args,
    bool zoned)
{
    int64_t s;

    if (!local(run, args, zoned, &s))
        return wn_cel_error("no such time zone");
    return part_of(part, s);
}

#define GETTER(name, part)                                                     \
    WN_CEL_FN(name)                                                            \
    {                                                                          \
        return get(part, run, args, false);                                    \
    }                                                                          \
    WN_CEL_FN(name##_in)                                                       \
    {                                                                          \
        return get(part, run, args, true);                                     \
    }

GETTER(full_year, YEAR)
GETTER(month, MONTH)
GETTER(date, DATE)
GETTER(day_of_week, DAY_OF_WEEK)
GETTER(day_of_year, DAY_OF_YEAR)
GETTER(hours, HOURS)
GETTER(minutes, MINUTES)
GETTER(seconds, SECONDS)

static struct wn_cel_value
less_one(struct wn_cel_value v)
{
    if (v.kind == WN_CEL_INT)
        v.i--;
    return v;
}

WN_CEL_FN(day_of_month)
{
    return less_one(get(DATE, run, args, false));
}

WN_CEL_FN(day_of_month_in)
{
    return less_one(get(DATE, run, args, true));
}

WN_CEL_FN(milliseconds)
{
    return wn_cel_int(args[0].time.ns / 1000000);
}

/* No zone is off by a part of a second; its name must still be one. */
WN_CEL_FN(milliseconds_in)
{
    struct wn_cel_value v = get(SECONDS, run, args, true);

    return wn_cel_no_value(&v) ? v : wn_cel_milliseconds(run, args);
}

WN_CEL_FN(duration_hours)
{
    return wn_cel_int(args[0].i / NS / 3600);
}

WN_CEL_FN(duration_minutes)
{
    return wn_cel_int(args[0].i / NS / 60);
}

WN_CEL_FN(duration_seconds)
{
    return wn_cel_int(args[0].i / NS);
}

WN_CEL_FN(duration_milliseconds) /* of its second */
{
    return wn_cel_int(args[0].i % NS / 1000000);
}
