/*
 * IP addresses and networks, as ranges of 128-bit numbers that are sorted and
 * merged once, and then searched by halves.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "policies/list_int.h"

#define TEXT_MAX 64 /* of an address; IPv6 takes 45 */

static int
order(struct wn_list_address a, struct wn_list_address b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low < b.low ? -1 : a.low > b.low;
}

static uint64_t
big_endian(const unsigned char *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* *ret_bits: of an address of this family. */
static bool
parse(const char *p, size_t len, struct wn_list_address *ret, int *ret_bits)
{
    char text[TEXT_MAX];
    unsigned char b[16] = { 0 };

    if (len > 1 && p[0] == '[' && p[len - 1] == ']') {
        p++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(text) || memchr(p, '\0', len) != NULL)
        return false;
    memcpy(text, p, len);
    text[len] = '\0';
    *ret_bits = 128;
    if (inet_pton(AF_INET6, text, b) != 1) {
        b[10] = b[11] = 0xff;
        *ret_bits = 32;
        if (inet_pton(AF_INET, text, b + 12) != 1)
            return false;
    }
    ret->high = big_endian(b);
    ret->low = big_endian(b + 8);
    return true;
}

/* 0x7f.1, 2130706433: what only browsers take for an IPv4 address. */
static bool
parse_odd(const char *p, size_t len, struct wn_list_address *ret)
{
    char text[TEXT_MAX];
    struct in_addr a;

    if (len == 0 || len >= sizeof(text) || memchr(p, '\0', len) != NULL)
        return false;
    memcpy(text, p, len);
    text[len] = '\0';
    if (inet_aton(text, &a) == 0)
        return false;
    *ret =
        (struct wn_list_address){ 0, UINT64_C(0xffff) << 32 | ntohl(a.s_addr) };
    return true;
}

bool
wn_list_address(const char *p, size_t len, struct wn_list_address *ret)
{
    int bits;

    return parse(p, len, ret, &bits) || parse_odd(p, len, ret);
}

/* Digits only, up to max. */
static bool
parse_bits(const char *p, size_t len, int max, int *ret)
{
    int n = 0;

    if (len == 0 || len > 3)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        n = n * 10 + (p[i] - '0');
    }
    *ret = n;
    return n <= max;
}

/* The last n bits of 64. */
static uint64_t
low_bits(int n)
{
    return n <= 0 ? 0 : n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

bool
wn_list_network(const char *p, size_t len, struct wn_list_range *ret)
{
    const char *slash = memchr(p, '/', len);
    size_t address_len = slash != NULL ? (size_t)(slash - p) : len;
    struct wn_list_address a;
    int bits, width, rest;

    if (!parse(p, address_len, &a, &width))
        return false;
    bits = width;
    if (slash != NULL &&
        !parse_bits(slash + 1, len - address_len - 1, width, &bits))
        return false;
    rest = width - bits; /* that are free */
    ret->from.high = a.high & ~low_bits(rest - 64);
    ret->from.low = a.low & ~low_bits(rest);
    ret->to.high = a.high | low_bits(rest - 64);
    ret->to.low = a.low | low_bits(rest);
    return true;
}

bool
wn_list_ranges_add(struct wn_list_ranges *r, struct wn_list_range range)
{
    if (r->n == r->cap) {
        size_t cap = r->cap == 0 ? 64 : 2 * r->cap;
        struct wn_list_range *v = realloc(r->v, cap * sizeof(*v));

        if (v == NULL)
            return false;
        r->v = v;
        r->cap = cap;
    }
    r->v[r->n++] = range;
    return true;
}

static int
by_from(const void *a, const void *b)
{
    return order(((const struct wn_list_range *)a)->from,
        ((const struct wn_list_range *)b)->from);
}

/* Does b begin within a, or right behind it? */
static bool
touches(const struct wn_list_range *a, const struct wn_list_range *b)
{
    struct wn_list_address next = { a->to.high, a->to.low + 1 };

    next.high += next.low == 0;
    return order(b->from, a->to) <= 0 || order(b->from, next) == 0;
}

void
wn_list_ranges_finish(struct wn_list_ranges *r)
{
    size_t n = 0;
    struct wn_list_range *v;

    if (r->n == 0)
        return;
    qsort(r->v, r->n, sizeof(*r->v), by_from);
    for (size_t i = 1; i < r->n; i++) {
        if (!touches(&r->v[n], &r->v[i]))
            r->v[++n] = r->v[i];
        else if (order(r->v[i].to, r->v[n].to) > 0)
            r->v[n].to = r->v[i].to;
    }
    r->n = n + 1;
    v = realloc(r->v, r->n * sizeof(*v));
    if (v != NULL)
        r->v = v;
    r->cap = r->n;
}

bool
wn_list_ranges_has(const struct wn_list_ranges *r, struct wn_list_address a)
{
    size_t lo = 0, hi = r->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (order(r->v[mid].to, a) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < r->n && order(r->v[lo].from, a) <= 0;
}
