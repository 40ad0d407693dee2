/*
 * Functions of the table in cel_fn.c, by the file that has them. Each gets
 * values of the kinds of its row.
 */
#ifndef WN_POLICIES_CEL_FN_H
#define WN_POLICIES_CEL_FN_H

#include "policies/cel_int.h"

#define WN_CEL_FN(name)                                                        \
    struct wn_cel_value wn_cel_##name(                                         \
        struct wn_cel_run *run, const struct wn_cel_value *args)

/* cel_fn.c */
WN_CEL_FN(matches);
WN_CEL_FN(in_list);

/* cel_convert.c */
WN_CEL_FN(int_of_uint);
WN_CEL_FN(int_of_double);
WN_CEL_FN(int_of_string);
WN_CEL_FN(int_of_time);
WN_CEL_FN(int_of_duration);
WN_CEL_FN(uint_of_int);
WN_CEL_FN(uint_of_double);
WN_CEL_FN(uint_of_string);
WN_CEL_FN(double_of_int);
WN_CEL_FN(double_of_uint);
WN_CEL_FN(double_of_string);
WN_CEL_FN(bool_of_string);
WN_CEL_FN(string_of);
WN_CEL_FN(string_of_bytes);
WN_CEL_FN(bytes_of_string);
WN_CEL_FN(base64_encode);
WN_CEL_FN(base64_decode);

/* cel_time.c; those in _in take a zone */
WN_CEL_FN(time_of_string);
WN_CEL_FN(time_of_int);
WN_CEL_FN(duration_of_string);
WN_CEL_FN(duration_of_int);
WN_CEL_FN(full_year);
WN_CEL_FN(full_year_in);
WN_CEL_FN(month);
WN_CEL_FN(month_in);
WN_CEL_FN(date);
WN_CEL_FN(date_in);
WN_CEL_FN(day_of_month);
WN_CEL_FN(day_of_month_in);
WN_CEL_FN(day_of_week);
WN_CEL_FN(day_of_week_in);
WN_CEL_FN(day_of_year);
WN_CEL_FN(day_of_year_in);
WN_CEL_FN(hours);
WN_CEL_FN(hours_in);
WN_CEL_FN(minutes);
WN_CEL_FN(minutes_in);
WN_CEL_FN(seconds);
WN_CEL_FN(seconds_in);
WN_CEL_FN(milliseconds);
WN_CEL_FN(milliseconds_in);
WN_CEL_FN(duration_hours);
WN_CEL_FN(duration_minutes);
WN_CEL_FN(duration_seconds);
WN_CEL_FN(duration_milliseconds);

/* cel_string.c */
WN_CEL_FN(char_at);
WN_CEL_FN(index_of);
WN_CEL_FN(index_of_from);
WN_CEL_FN(last_index_of);
WN_CEL_FN(last_index_of_from);
WN_CEL_FN(lower_ascii);
WN_CEL_FN(upper_ascii);
WN_CEL_FN(replace);
WN_CEL_FN(replace_n);
WN_CEL_FN(split);
WN_CEL_FN(split_n);
WN_CEL_FN(substring);
WN_CEL_FN(substring_to);
WN_CEL_FN(trim);
WN_CEL_FN(join);
WN_CEL_FN(join_with);
WN_CEL_FN(quote);
WN_CEL_FN(reverse);

/* cel_format.c */
WN_CEL_FN(format);

/* cel_math.c */
WN_CEL_FN(ceil);
WN_CEL_FN(floor);
WN_CEL_FN(round);
WN_CEL_FN(trunc);
WN_CEL_FN(sqrt);
WN_CEL_FN(sqrt_int);
WN_CEL_FN(sqrt_uint);
WN_CEL_FN(abs_int);
WN_CEL_FN(abs_double);
WN_CEL_FN(sign_int);
WN_CEL_FN(sign_uint);
WN_CEL_FN(sign_double);
WN_CEL_FN(is_nan);
WN_CEL_FN(is_inf);
WN_CEL_FN(is_finite);
WN_CEL_FN(bit_and);
WN_CEL_FN(bit_or);
WN_CEL_FN(bit_xor);
WN_CEL_FN(bit_not_int);
WN_CEL_FN(bit_not_uint);
WN_CEL_FN(shift_left);
WN_CEL_FN(shift_right);

/* A text that is being built in the run; NULL p once there is no room. */
struct wn_cel_text {
    struct wn_cel_run *run;
    char *p;
    size_t len, cap;
    bool failed;
};
/* cel_text.c */
void wn_cel_text_add(struct wn_cel_text *t, const char *p, size_t len);
struct wn_cel_value wn_cel_text_value(const struct wn_cel_text *t);
/* string(v) of a scalar, a time, a type or null; false for other kinds.
 * Doubles with an exponent where it is shorter, or without (plain). */
bool wn_cel_text_scalar(
    struct wn_cel_text *t, const struct wn_cel_value *v, bool plain);
/* "2009-02-13T23:31:30.5Z", "1.5s" (cel_time.c) */
void wn_cel_text_time(struct wn_cel_text *t, const struct wn_cel_value *v);
void wn_cel_text_duration(struct wn_cel_text *t, int64_t ns);

#endif
