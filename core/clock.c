/*
 * Time: the system's clocks, and RFC 3339 texts in the proleptic Gregorian
 * calendar. Any thread.
 */
#include "core/clock.h"

#include <stdatomic.h>
#include <time.h>

#define DAY_S INT64_C(86400)
#define SECOND_US INT64_C(1000000)

static _Atomic int64_t shift_us;

static int64_t
read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts); /* cannot fail for the two clocks we ask */
    return (int64_t)ts.tv_sec * SECOND_US + ts.tv_nsec / 1000;
}

int64_t
wn_clock_now_us(void)
{
    return read_clock(CLOCK_REALTIME) +
           atomic_load_explicit(&shift_us, memory_order_relaxed);
}

int64_t
wn_clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void
wn_clock_shift_us(int64_t us)
{
    atomic_store_explicit(&shift_us, us, memory_order_relaxed);
}

/*
 * Days since 1970-01-01. Years are counted from March, so that the leap day is
 * the last of its year and a month's first day is a linear formula.
 */
static int64_t
days_of_date(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
date_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);

    *ret_year = yoe + era * 400 + (month <= 2);
    *ret_month = month;
    *ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
}

static int
days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
        31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

struct reader {
    const char *p, *end;
    bool ok;
};

/* Exactly n digits, lo to hi. */
static int
read_number(struct reader *r, int n, int lo, int hi)
{
    int v = 0;

    for (; n > 0; n--, r->p++) {
        if (r->p == r->end || *r->p < '0' || *r->p > '9') {
            r->ok = false;
            return lo;
        }
        v = v * 10 + (*r->p - '0');
    }
    if (v < lo || v > hi) {
        r->ok = false;
        return lo;
    }
    return v;
}

/* One character, either of two. */
static char
read_char(struct reader *r, char a, char b)
{
    if (!r->ok || r->p == r->end || (*r->p != a && *r->p != b)) {
        r->ok = false;
        return '\0';
    }
    return *r->p++;
}

static int64_t
read_date(struct reader *r)
{
    int year, month, day;

    year = read_number(r, 4, 1, 9999);
    read_char(r, '-', '-');
    month = read_number(r, 2, 1, 12);
    read_char(r, '-', '-');
    day = read_number(r, 2, 1, 31);
    if (day > days_in_month(year, month))
        r->ok = false;
    return days_of_date(year, month, day) * DAY_S;
}

static int64_t
read_time_of_day(struct reader *r)
{
    int hour, minute, second;

    hour = read_number(r, 2, 0, 23);
    read_char(r, ':', ':');
    minute = read_number(r, 2, 0, 59);
    read_char(r, ':', ':');
    second = read_number(r, 2, 0, 60);
    return hour * 3600 + minute * 60 + (second == 60 ? 59 : second);
}

/* ".123" or nothing, in microseconds; further digits are read and dropped. */
static int64_t
read_fraction(struct reader *r)
{
    int64_t us = 0, unit = SECOND_US / 10;

    if (r->p == r->end || *r->p != '.')
        return 0;
    r->p++;
    if (r->p == r->end || *r->p < '0' || *r->p > '9')
        r->ok = false;
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++) {
        us += unit * (*r->p - '0');
        unit /= 10;
    }
    return us;
}

/* Seconds east of Greenwich. */
static int64_t
read_offset(struct reader *r)
{
    int hour, minute;
    char sign;

    if (r->p < r->end && (*r->p == 'Z' || *r->p == 'z')) {
        r->p++;
        return 0;
    }
    sign = read_char(r, '+', '-');
    hour = read_number(r, 2, 0, 23);
    read_char(r, ':', ':');
    minute = read_number(r, 2, 0, 59);
    return (sign == '-' ? -1 : 1) * (hour * 3600 + minute * 60);
}

bool
wn_time_parse(const char *s, size_t len, int64_t *ret_us)
{
    struct reader r = { s, s + len, true };
    int64_t seconds, us;

    seconds = read_date(&r);
    read_char(&r, 'T', 't');
    seconds += read_time_of_day(&r);
    us = read_fraction(&r);
    seconds -= read_offset(&r);
    if (!r.ok || r.p != r.end)
        return false;
    /* An offset may lead out of the years that four digits can say. */
    if (seconds < days_of_date(1, 1, 1) * DAY_S ||
        seconds >= days_of_date(10000, 1, 1) * DAY_S)
        return false;
    *ret_us = seconds * SECOND_US + us;
    return true;
}

/* Writes v with at least `width` digits; returns the place after them. */
static char *
put_digits(char *p, int64_t v, int width)
{
    char digits[20];
    int n = 0;

    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0 || n < width);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

void
wn_time_format(int64_t us, char out[WN_TIME_TEXT])
{
    int64_t fraction = us % SECOND_US, seconds = us / SECOND_US, day, year;
    int month, mday;
    char *p = out;

    if (fraction < 0) {
        fraction += SECOND_US;
        seconds--;
    }
    day = seconds / DAY_S;
    seconds %= DAY_S;
    if (seconds < 0) {
        seconds += DAY_S;
        day--;
    }
    date_of_days(day, &year, &month, &mday);
    if (year < 0)
        *p++ = '-';
    p = put_digits(p, year < 0 ? -year : year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, mday, 2);
    *p++ = 'T';
    p = put_digits(p, seconds / 3600, 2);
    *p++ = ':';
    p = put_digits(p, seconds / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, seconds % 60, 2);
    *p++ = '.';
    p = put_digits(p, fraction, 6);
    *p++ = 'Z';
    *p = '\0';
}
