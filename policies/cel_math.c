/*
 * The math extension: rounding, signs and bits. math.greatest and math.least
 * take any number of arguments and are operators (cel_eval.c).
 */
#include <math.h>

#include "policies/cel_fn.h"

WN_CEL_FN(ceil)
{
    return wn_cel_double(ceil(args[0].d));
}

WN_CEL_FN(floor)
{
    return wn_cel_double(floor(args[0].d));
}

WN_CEL_FN(round) /* a half away from zero */
{
    return wn_cel_double(round(args[0].d));
}

WN_CEL_FN(trunc)
{
    return wn_cel_double(trunc(args[0].d));
}

WN_CEL_FN(sqrt)
{
    return wn_cel_double(sqrt(args[0].d));
}

WN_CEL_FN(sqrt_int)
{
    return wn_cel_double(sqrt((double)args[0].i));
}

WN_CEL_FN(sqrt_uint)
{
    return wn_cel_double(sqrt((double)args[0].u));
}

WN_CEL_FN(abs_int)
{
    if (args[0].i == INT64_MIN)
        return wn_cel_error(wn_cel_overflow);
    return wn_cel_int(args[0].i < 0 ? -args[0].i : args[0].i);
}

WN_CEL_FN(abs_double)
{
    return wn_cel_double(fabs(args[0].d));
}

WN_CEL_FN(sign_int)
{
    return wn_cel_int((args[0].i > 0) - (args[0].i < 0));
}

WN_CEL_FN(sign_uint)
{
    return wn_cel_uint(args[0].u > 0);
}

WN_CEL_FN(sign_double) /* NaN stays NaN */
{
    double d = args[0].d;

    return wn_cel_double(isnan(d) ? d : (d > 0) - (d < 0));
}

WN_CEL_FN(is_nan)
{
    return wn_cel_bool(isnan(args[0].d));
}

WN_CEL_FN(is_inf)
{
    return wn_cel_bool(isinf(args[0].d));
}

WN_CEL_FN(is_finite)
{
    return wn_cel_bool(isfinite(args[0].d));
}

/* --- bits: of an int those of its two's complement --- */

/* The kind of the argument that has them. */
static struct wn_cel_value
of_bits(const struct wn_cel_value *like, uint64_t bits)
{
    return like->kind == WN_CEL_UINT ? wn_cel_uint(bits)
                                     : wn_cel_int((int64_t)bits);
}

static uint64_t
bits_of(const struct wn_cel_value *v)
{
    return v->kind == WN_CEL_UINT ? v->u : (uint64_t)v->i;
}

WN_CEL_FN(bit_and)
{
    return of_bits(&args[0], bits_of(&args[0]) & bits_of(&args[1]));
}

WN_CEL_FN(bit_or)
{
    return of_bits(&args[0], bits_of(&args[0]) | bits_of(&args[1]));
}

WN_CEL_FN(bit_xor)
{
    return of_bits(&args[0], bits_of(&args[0]) ^ bits_of(&args[1]));
}

WN_CEL_FN(bit_not_int)
{
    return wn_cel_int(~args[0].i);
}

WN_CEL_FN(bit_not_uint)
{
    return wn_cel_uint(~args[0].u);
}

WN_CEL_FN(shift_left)
{
    if (args[1].i < 0)
        return wn_cel_error("a shift is not negative");
    return of_bits(
        &args[0], args[1].i > 63 ? 0 : bits_of(&args[0]) << args[1].i);
}

/* Zeros come in from the left, for an int too. */
WN_CEL_FN(shift_right)
{
    if (args[1].i < 0)
        return wn_cel_error("a shift is not negative");
    return of_bits(
        &args[0], args[1].i > 63 ? 0 : bits_of(&args[0]) >> args[1].i);
}
