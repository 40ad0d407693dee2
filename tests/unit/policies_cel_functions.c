/*
 * Functions of the expression language: conversions, strings, format, math,
 * bytes, types and time.
 */
#include "tests/unit/cel_kit.h"

/* clang-format off */
static void
conversions_fit_or_are_an_error(void **state)
{
    static const struct row rows[] = {
        { "int('-12')", "-12" }, { "int('+7')", "7" },
        { "int(' 7')", "error: the text is no int" },
        { "int('')", "error: the text is no int" },
        { "int('-9223372036854775808')", "-9223372036854775808" },
        { "int('9223372036854775808')", "error: the text is no int" },
        { "int(-2.9)", "-2" }, { "int(timestamp(90))", "90" },
        { "uint(3.9)", "3u" }, { "uint('8')", "8u" },
        { "uint(-1)", "error: the number does not fit a uint" },
        { "uint(-0.5)", "error: the number does not fit a uint" },
        { "uint(18446744073709551616.0)", "error: the number does not fit a uint" },
        { "double('-2.5e3')", "-2500d" }, { "double('inf')", "infd" },
        { "double('1e999')", "error: the number does not fit a double" },
        { "double('0x10')", "error: the text is no double" },
        { "double('1 ')", "error: the text is no double" },
        { "bool('t') && bool('1') && !bool('False')", "true" },
        { "bool('yes')", "error: the text is no bool" },
        { "string(-5)", "'-5'" }, { "string(7u)", "'7'" },
        { "string(true)", "'true'" }, { "string(0.1)", "'0.1'" },
        { "string(-0.0045)", "'-0.0045'" }, { "string(250000.0)", "'250000'" },
        { "string(2.5e6)", "'2.5e+06'" }, { "string(5e-7)", "'5e-07'" },
        { "string(1.0 / 3.0)", "'0.3333333333333333'" },
        { "string(b'\\xc3\\xa9')", "'\xc3\xa9'" },
        { "string(b'\\xff')", "error: the bytes are not UTF-8" },
        { "bytes('\xc3\xa9') == b'\\xc3\\xa9'", "true" },
        { "base64.encode(b'ab')", "'YWI='" },
        { "base64.decode('YWI') == b'ab'", "true" },
        { "base64.decode('Y')", "error: the text is no base64" },
        { "base64.decode('YW==I')", "error: the text is no base64" },
    };
    CHECK_ROWS(rows);
}

static void
types_are_values(void **state)
{
    static const struct row rows[] = {
        { "type(1)", "type int" }, { "type(null)", "type null_type" },
        { "type(b'') == bytes", "true" }, { "type(type(1)) == type", "true" },
        { "type([]) == list && type({}) == map", "true" },
        { "type(duration('1s')) == google.protobuf.Duration", "true" },
        { "type(post.extra.age) == int", "true" },
        { "type(1) == type(1u)", "false" },
        { "int.x", "refused: column 5 of when: type has no members" },
    };
    CHECK_ROWS(rows);
}

static void
strings_count_characters_and_refuse_what_is_outside(void **state)
{
    static const struct row rows[] = {
        { "s.charAt(3)", "'\xc3\xa9'" }, { "'ab'.charAt(2)", "''" },
        { "'ab'.charAt(3)", "error: a position is outside of the text" },
        { "'ab'.charAt(-1)", "error: a position is outside of the text" },
        { "s.indexOf('now')", "5" }, { "s.indexOf('x')", "-1" },
        { "'abab'.indexOf('b', 2)", "3" }, { "'ab'.indexOf('', 2)", "2" },
        { "'ab'.indexOf('a', 3)", "error: a position is outside of the text" },
        { "'abab'.lastIndexOf('ab')", "2" }, { "''.lastIndexOf('a')", "-1" },
        { "'abab'.lastIndexOf('ab', 1)", "0" },
        { "s.substring(3, 4)", "'\xc3\xa9'" }, { "s.substring(5)", "'now'" },
        { "s.substring(8)", "''" },
        { "s.substring(9)", "error: a position is outside of the text" },
        { "s.substring(2, 1)", "error: a position is outside of the text" },
        { "'AbC\xc3\x89'.lowerAscii()", "'abc\xc3\x89'" },
        { "'abz'.upperAscii()", "'ABZ'" },
        { "'hello'.replace('l', 'L')", "'heLLo'" },
        { "'hello'.replace('l', '', 1)", "'helo'" },
        { "'hello'.replace('l', 'x', 0)", "'hello'" },
        { "'ab'.replace('', '-')", "'-a-b-'" },
        { "'a,b,c'.split(',') == ['a', 'b', 'c']", "true" },
        { "'a,b,c'.split(',', 2) == ['a', 'b,c']", "true" },
        { "'abc'.split('') == ['a', 'b', 'c']", "true" },
        { "''.split(',') == ['']", "true" }, { "'a'.split(',', 0) == []", "true" },
        { "['a', 'b'].join()", "'ab'" }, { "['a', 'b'].join(', ')", "'a, b'" },
        { "[].join(',')", "''" },
        { "[dyn(1)].join()", "error: an operator does not take this type" },
        { "'\\t\\u00a0 x \\u2028'.trim()", "'x'" }, { "' '.trim()", "''" },
        { "'\\u200bx'.trim() == 'x'", "false" },
        { "s.reverse()", "'won \xc3\xa9" "fac'" },
        { "strings.quote('a\"\\n')", "'\"a\\\"\\n\"'" },
    };
    CHECK_ROWS(rows);
}

static void
format_writes_arguments_under_their_clauses(void **state)
{
    static const struct row rows[] = {
        { "'%s is %d%%'.format(['x', 5])", "'x is 5%'" },
        { "'%.2f %e'.format([2.345, 1])", "'2.35 1.000000e+00'" },
        { "'%b %o %x %X'.format([5, 8u, 255, -255])", "'101 10 ff -FF'" },
        { "'%b'.format([true])", "'1'" },
        { "'%x'.format(['Az'])", "'417a'" }, { "'%X'.format([b'\\xff'])", "'FF'" },
        { "'%s'.format([[1, 'a', null, 2.50]])", "'[1, a, null, 2.5]'" },
        { "'%s'.format([{'b': 1, 'a': [2]}])", "'{a: [2], b: 1}'" },
        { "'%s %s'.format([int, duration('90s')])", "'int 90s'" },
        { "'%s'.format([1e30])", "'1000000000000000000000000000000'" },
        { "'%f'.format([1.0 / 0.0])", "'Infinity'" },
        { "'%d'.format([])", "error: format: an argument is missing" },
        { "'%d'.format(['a'])", "error: format: a clause does not take this type" },
        { "'%o'.format([1.5])", "error: format: a clause does not take this type" },
        { "'%s'.format([optional.none()])", "error: format: a clause does not take this type" },
        { "'%y'.format([1])", "error: format: no such clause" },
        { "'%'.format([1])", "error: format: no such clause" },
        { "'%.2d'.format([1])", "error: format: no such clause" },
        { "'%.101f'.format([1.0])", "error: format: no such clause" },
    };
    CHECK_ROWS(rows);
}

static void
math_rounds_and_turns_bits(void **state)
{
    static const struct row rows[] = {
        { "math.greatest(1, 2.5, 2u)", "2.5d" }, { "math.least([3, 1, 2])", "1" },
        { "math.greatest(n, 3)", "5" },
        { "math.least(dyn([]))", "error: the list is empty" },
        { "math.least(dyn('a'))", "error: an operator does not take this type" },
        { "math.least('a')", "refused: column 6 of when: math.least() takes numbers, not string" },
        { "math.least()", "refused: column 6 of when: math.least() takes numbers or a list" },
        { "math.ceil(1.2)", "2d" }, { "math.floor(-1.2)", "-2d" },
        { "math.round(-1.5)", "-2d" }, { "math.trunc(-1.9)", "-1d" },
        { "math.sqrt(9)", "3d" }, { "math.abs(-3)", "3" },
        { "math.abs(-9223372036854775808)", "error: a number leaves 64 bits" },
        { "math.sign(-2.5)", "-1d" }, { "math.sign(0u)", "0u" },
        { "math.isNaN(0.0 / 0.0) && math.isInf(1.0 / 0.0)", "true" },
        { "math.isFinite(1.0)", "true" },
        { "math.bitAnd(6, 3)", "2" }, { "math.bitOr(6u, 3u)", "7u" },
        { "math.bitXor(6, -1)", "-7" }, { "math.bitNot(0)", "-1" },
        { "math.bitShiftLeft(1, 63)", "-9223372036854775808" },
        { "math.bitShiftLeft(1, 64)", "0" },
        { "math.bitShiftRight(-1, 60)", "15" },
        { "math.bitShiftRight(1, -1)", "error: a shift is not negative" },
        { "math.floor(dyn('a'))", "error: an operator does not take this type" },
    };
    CHECK_ROWS(rows);
}

static void
time_is_counted_in_utc_or_in_a_zone(void **state)
{
    static const struct row rows[] = {
        { "string(timestamp('2024-02-29T12:00:00.120+01:30'))", "'2024-02-29T10:30:00.12Z'" },
        { "timestamp('2023-02-29T12:00:00Z')", "error: the text is no RFC 3339 timestamp" },
        { "timestamp('2023-02-28T24:00:00Z')", "error: the text is no RFC 3339 timestamp" },
        { "timestamp('2023-02-28')", "error: the text is no RFC 3339 timestamp" },
        { "timestamp('0001-01-01T00:00:00+01:00')", "error: a timestamp leaves the years 1 to 9999" },
        { "string(timestamp(-62135596800))", "'0001-01-01T00:00:00Z'" },
        { "timestamp('2024-12-31T23:59:58Z').getDayOfYear()", "365" },
        { "timestamp('2024-12-31T23:59:58Z').getMonth()", "11" },
        { "timestamp('2024-12-31T23:59:58Z').getDate()", "31" },
        { "timestamp('2024-12-31T23:59:58Z').getDayOfMonth()", "30" },
        { "timestamp('2024-12-31T23:59:58Z').getDayOfWeek()", "2" },
        { "timestamp('1969-12-28T00:00:00Z').getDayOfWeek()", "0" },
        { "timestamp('2024-12-31T23:59:58Z').getFullYear('Europe/Berlin')", "2025" },
        { "timestamp('2024-07-01T22:30:00Z').getHours('Europe/Berlin')", "0" },
        { "timestamp('2024-07-01T22:30:00Z').getMinutes('-00:45')", "45" },
        { "timestamp('2024-07-01T22:30:07.5Z').getSeconds()", "7" },
        { "timestamp('2024-07-01T22:30:07.5Z').getMilliseconds('UTC')", "500" },
        { "timestamp(0).getHours('No/Where')", "error: no such time zone" },
        { "timestamp(0).getHours('')", "error: no such time zone" },
        { "string(duration('1h2m3.5s'))", "'3723.5s'" },
        { "string(duration('-1.5ms'))", "'-0.0015s'" },
        { "duration('90m').getHours()", "1" }, { "duration('90m').getMinutes()", "90" },
        { "duration('1.25s').getMilliseconds()", "250" },
        { "duration('')", "error: the text is no duration" },
        { "duration('5')", "error: the text is no duration of 292 years" },
        { "duration('9999999999999999999s')", "error: the text is no duration of 292 years" },
        { "timestamp(100) - timestamp(40) == duration('1m')", "true" },
        { "timestamp(0) - duration('1ns') < timestamp(0)", "true" },
        { "duration('1h') + timestamp(0) == timestamp(3600)", "true" },
        { "duration('1s') - duration('2s') == duration('-1s')", "true" },
        { "timestamp(253402300799) + duration('1s')", "error: a timestamp leaves the years 1 to 9999" },
        { "timestamp(253402300799) - timestamp(-62135596800)", "error: a duration is longer than 292 years" },
        { "duration('200000h') * 2", "refused: column 21 of when: '*' cannot take duration and int" },
        { "timestamp(0) + timestamp(0)", "refused: column 14 of when: '+' cannot take timestamp and timestamp" },
    };
    CHECK_ROWS(rows);
}
/* clang-format on */

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(conversions_fit_or_are_an_error),
    cmocka_unit_test(types_are_values),
    cmocka_unit_test(strings_count_characters_and_refuse_what_is_outside),
    cmocka_unit_test(format_writes_arguments_under_their_clauses),
    cmocka_unit_test(math_rounds_and_turns_bits),
    cmocka_unit_test(time_is_counted_in_utc_or_in_a_zone),
};
WN_TEST_MAIN("policies_cel_functions", tests)
