/*
 * The weight file's reader against files by a stranger, and the writer.
 */
#include "model/safetensors.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "model/safetensors_int.h"
#include "tests/lib/test.h"

struct file {
    char path[4200];
    uint8_t bytes[8192];
    size_t len;
};

static void
write_bytes(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* Header length, header, then data_len bytes 0, 1, 2, ... */
static void
make_raw(struct file *f, const char *header, size_t header_len, size_t data_len)
{
    snprintf(f->path, sizeof(f->path), "%s/x.safetensors", wn_test_dir());
    assert_true(8 + header_len + data_len <= sizeof(f->bytes));
    for (size_t i = 0; i < 8; i++)
        f->bytes[i] = (uint8_t)(header_len >> 8 * i);
    memcpy(f->bytes + 8, header, header_len);
    f->len = 8 + header_len;
    for (size_t i = 0; i < data_len; i++)
        f->bytes[f->len++] = (uint8_t)i;
    write_bytes(f->path, f->bytes, f->len);
}

static void
assert_rejects(const char *path, const char *why)
{
    struct wn_safetensors *st = NULL;
    struct wn_err err;
    enum wn_status rc = wn_safetensors_open(&st, path, &err);

    if (rc != WN_REJECT)
        fail_msg("%s instead of a rejection: %s", wn_status_name(rc), why);
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, why);
    assert_null(st);
}

static void
rejects(const char *header, size_t data_len, const char *why)
{
    struct file f;

    make_raw(&f, header, strlen(header), data_len);
    assert_rejects(f.path, why);
}

static struct wn_safetensors *
accepts(const char *header, size_t data_len)
{
    struct wn_safetensors *st;
    struct wn_err err;
    struct file f;

    make_raw(&f, header, strlen(header), data_len);
    assert_wn_ok(wn_safetensors_open(&st, f.path, &err), &err);
    return st;
}

#define TENSOR(name, dtype, shape, range)                                      \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape                   \
    ",\"data_offsets\":" range "}"
#define ONE(dtype, shape, range) "{" TENSOR("a", dtype, shape, range) "}"

static void
a_plain_file_is_read(void **state)
{
    struct wn_safetensors *st = accepts(
        "{\"__metadata__\":{\"format\":\"pt\"}," TENSOR("b", "U8", "[2,3]",
            "[8,14]") "," TENSOR("a", "F32", "[2]", "[0,8]") "}   ",
        14);
    const struct wn_tensor *a = wn_safetensors_find(st, "a");
    const struct wn_tensor *b = wn_safetensors_find(st, "b");

    (void)state;
    assert_int_equal(wn_safetensors_n(st), 2);
    assert_ptr_equal(wn_safetensors_at(st, 0), a); /* by place */
    assert_ptr_equal(wn_safetensors_at(st, 1), b);
    assert_int_equal(a->dtype, WN_F32);
    assert_int_equal(a->rank, 1);
    assert_int_equal(a->n, 2);
    assert_int_equal(b->dtype, WN_U8);
    assert_int_equal(b->rank, 2);
    assert_int_equal(b->shape[0], 2);
    assert_int_equal(b->shape[1], 3);
    assert_int_equal(*(const uint8_t *)b->data, 8);
    assert_null(wn_safetensors_find(st, "c"));
    assert_null(wn_safetensors_find(st, "__metadata__"));
    assert_null(wn_safetensors_find(st, ""));
    wn_safetensors_close(st);
}

static void
scalars_and_empty_tensors_are_legal(void **state)
{
    struct wn_safetensors *st =
        accepts("{" TENSOR("scalar", "I64", "[]", "[0,8]") "," TENSOR(
                    "none", "F32", "[0]", "[8,8]") "," TENSOR("wide", "F32",
                    "[0,9223372036854775807,9223372036854775807]", "[0,0]") "}",
            8);

    (void)state;
    assert_int_equal(wn_safetensors_find(st, "scalar")->rank, 0);
    assert_int_equal(wn_safetensors_find(st, "scalar")->n, 1);
    assert_int_equal(wn_safetensors_find(st, "none")->n, 0);
    assert_int_equal(wn_safetensors_find(st, "wide")->n, 0);
    wn_safetensors_close(st);

    st = accepts("{}", 0);
    assert_int_equal(wn_safetensors_n(st), 0);
    assert_null(wn_safetensors_find(st, "a"));
    wn_safetensors_close(st);
}

static void
what_is_no_file_is_rejected(void **state)
{
    struct file f;

    (void)state;
    assert_rejects("/nonexistent/x.safetensors", "No such file");
    assert_rejects(wn_test_dir(), "not a regular file");
    make_raw(&f, "{}", 2, 0);
    write_bytes(f.path, "", 0);
    assert_rejects(f.path, "empty");
}

static void
a_file_cut_at_any_length_is_rejected(void **state)
{
    static const char header[] = "{" TENSOR("a", "F32", "[4]",
        "[0,16]") "," TENSOR("b", "I8", "[3]", "[16,19]") "}";
    struct wn_safetensors *st;
    struct wn_err err;
    struct file f;

    (void)state;
    make_raw(&f, header, sizeof(header) - 1, 19);
    for (size_t len = 0; len < f.len; len++) {
        write_bytes(f.path, f.bytes, len);
        assert_rejects(f.path, "");
    }
    write_bytes(f.path, f.bytes, f.len + 1);
    assert_rejects(f.path, "bytes after the last tensor");
    write_bytes(f.path, f.bytes, f.len);
    assert_wn_ok(wn_safetensors_open(&st, f.path, &err), &err);
    wn_safetensors_close(st);
}

static void
header_lengths_that_lie_are_rejected(void **state)
{
    static const struct {
        uint64_t len;
        const char *why;
    } rows[] = {
        { 0, "does not begin with '{'" },
        { 3, "ends within its header" },  /* by one byte */
        { 10, "ends within its header" }, /* the file's own size */
        { 100, "ends within its header" },
        { 100000000, "ends within its header" },
        { 100000001, "more than 100000000 bytes" },
        { UINT64_C(1) << 63, "more than 100000000 bytes" },
        { UINT64_MAX, "more than 100000000 bytes" },
        { UINT64_MAX - 7, "more than 100000000 bytes" },
    };
    struct file f;

    (void)state;
    make_raw(&f, "{}", 2, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t j = 0; j < 8; j++)
            f.bytes[j] = (uint8_t)(rows[i].len >> 8 * j);
        write_bytes(f.path, f.bytes, f.len);
        assert_rejects(f.path, rows[i].why);
    }
}

static void
headers_that_are_not_an_object_of_tensors_are_rejected(void **state)
{
    static char deep[6000];

    (void)state;
    rejects("[]", 0, "does not begin with '{'");
    rejects(" {}", 0, "does not begin with '{'");
    rejects("{", 0, "header: ");
    rejects("{} x", 0, "header: ");
    rejects("{}{}", 0, "header: ");
    rejects("{\"a\":\"\xff\"}", 0, "header: ");
    rejects("{\"a\\u0000b\":{}}", 0, "header: ");
    rejects("{\"a\":1}", 0, "no dtype");
    rejects("{\"a\":[]}", 0, "no dtype");
    rejects("{\"a\":{}}", 0, "no dtype");
    memset(deep, '[', sizeof(deep) - 1);
    memcpy(deep, "{\"a\":", 5);
    rejects(deep, 0, "header: ");
}

static void
metadata_is_of_strings(void **state)
{
    (void)state;
    wn_safetensors_close(accepts("{\"__metadata__\":{}}", 0));
    rejects("{\"__metadata__\":[]}", 0, "__metadata__ is not an object");
    rejects("{\"__metadata__\":null}", 0, "__metadata__ is not an object");
    rejects("{\"__metadata__\":{\"k\":1}}", 0, "'k' is not a string");
}

static void
two_tensors_of_one_name_are_rejected(void **state)
{
    (void)state;
    rejects("{" TENSOR("a", "U8", "[1]", "[0,1]") "," TENSOR(
                "a", "U8", "[1]", "[1,2]") "}",
        2, "duplicate");
    rejects("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[1],"
            "\"data_offsets\":[0,1]}}",
        1, "duplicate");
}

static void
overlaps_and_holes_are_rejected(void **state)
{
    (void)state;
    rejects("{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR(
                "b", "U8", "[4]", "[3,7]") "}",
        7, "overlaps");
    rejects("{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR(
                "b", "U8", "[4]", "[0,4]") "}",
        4, "overlaps");
    rejects("{" TENSOR("a", "U8", "[8]", "[0,8]") "," TENSOR(
                "b", "U8", "[2]", "[3,5]") "}",
        8, "overlaps");
    rejects("{" TENSOR("a", "U8", "[8]", "[0,8]") "," TENSOR(
                "b", "U8", "[0]", "[3,3]") "}",
        8, "overlaps");
    rejects("{" TENSOR("a", "U8", "[4]", "[0,4]") "," TENSOR(
                "b", "U8", "[4]", "[5,9]") "}",
        9, "a hole");
    rejects(ONE("U8", "[4]", "[1,5]"), 5, "a hole");
    rejects(ONE("U8", "[4]", "[0,4]"), 5, "bytes after the last tensor");
    rejects("{}", 1, "bytes after the last tensor");
}

static void
ranges_that_leave_the_file_are_rejected(void **state)
{
    (void)state;
    rejects(ONE("U8", "[4]", "[0,5]"), 4, "leave the file");
    rejects(ONE("U8", "[4]", "[4,0]"), 4, "leave the file");
    rejects(ONE("U8", "[4]", "[9223372036854775803,9223372036854775807]"), 4,
        "leave the file");
    rejects(ONE("U8", "[4]", "[0,18446744073709551615]"), 4, "header: ");
    rejects(ONE("U8", "[4]", "[-4,0]"), 4, "not [begin, end]");
    rejects(ONE("U8", "[4]", "[0,4.0]"), 4, "not [begin, end]");
    rejects(ONE("U8", "[4]", "[0,\"4\"]"), 4, "not [begin, end]");
    rejects(ONE("U8", "[4]", "[0]"), 4, "not [begin, end]");
    rejects(ONE("U8", "[4]", "[0,2,4]"), 4, "not [begin, end]");
    rejects(ONE("U8", "[4]", "null"), 4, "not [begin, end]");
    rejects("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"offsets\":[0,4]}}", 4,
        "not [begin, end]");
}

static void
shapes_that_do_not_fit_are_rejected(void **state)
{
    (void)state;
    rejects(ONE("F32", "[2]", "[0,4]"), 4, "do not fit");
    rejects(ONE("F32", "[1]", "[0,3]"), 3, "do not fit");
    rejects(ONE("F32", "[]", "[0,8]"), 8, "do not fit");
    /* 4 * 2^62 is 0 in 64 bits: the product of sizes and that of bytes */
    rejects(ONE("U8", "[4611686018427387904,4]", "[0,0]"), 0, "overflows");
    rejects(ONE("F32", "[4611686018427387904]", "[0,0]"), 0, "do not fit");
    rejects(ONE("I64", "[4294967296,4294967296,0]", "[0,0]"), 0, "overflows");
    rejects(ONE("U8", "[99999999999999999999]", "[0,0]"), 0, "header: ");
    rejects(ONE("U8", "[-1]", "[0,0]"), 0, "not of sizes");
    rejects(ONE("U8", "[1.0]", "[0,1]"), 1, "not of sizes");
    rejects(ONE("U8", "[[1]]", "[0,1]"), 1, "not of sizes");
    rejects(ONE("U8", "4", "[0,4]"), 4, "not a list");
    rejects(
        "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4, "not a list");
    rejects(ONE("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "8 dimensions");
    wn_safetensors_close(accepts(ONE("U8", "[1,1,1,1,1,1,1,1]", "[0,1]"), 1));
}

static void
types_that_nobody_reads_are_rejected(void **state)
{
    (void)state;
    rejects(ONE("F64", "[1]", "[0,8]"), 8, "dtype 'F64' is not supported");
    rejects(ONE("BOOL", "[1]", "[0,1]"), 1, "'BOOL' is not supported");
    rejects(ONE("F8_E4M3", "[1]", "[0,1]"), 1, "is not supported");
    rejects(ONE("f32", "[1]", "[0,4]"), 4, "'f32' is not supported");
    rejects(ONE("", "[1]", "[0,4]"), 4, "'' is not supported");
    rejects("{\"a\":{\"dtype\":7,\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
        "no dtype");
}

/* Reads all that an accepted file promises: a sanitizer sees a bad pointer. */
static size_t
walk(const struct wn_safetensors *st)
{
    size_t bytes = 0;
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < wn_safetensors_n(st); i++) {
        const struct wn_tensor *t = wn_safetensors_at(st, i);
        size_t len = t->n * wn_dtype_bytes(t->dtype);

        for (size_t j = 0; j < len; j++)
            sum = (uint8_t)(sum + ((const uint8_t *)t->data)[j]);
        bytes += len;
    }
    return bytes;
}

static void
a_spoilt_byte_is_an_error_or_harmless(void **state)
{
    static const char header[] = "{\"__metadata__\":{\"f\":\"pt\"}," TENSOR("a",
        "F16", "[2,2]", "[0,8]") "," TENSOR("b", "I8", "[3]", "[8,11]") "}";
    uint64_t rnd = wn_test_seed();
    struct file f;

    (void)state;
    make_raw(&f, header, sizeof(header) - 1, 11);
    for (size_t i = 0; i < 8 * f.len; i++) {
        struct wn_safetensors *st;
        struct wn_err err;
        size_t at = i / 8;
        uint8_t was = f.bytes[at];
        enum wn_status rc;

        f.bytes[at] = i % 2 == 0 ? (uint8_t)wn_test_random(&rnd)
                                 : (uint8_t)(was ^ 1u << i % 8);
        write_bytes(f.path, f.bytes, f.len);
        rc = wn_safetensors_open(&st, f.path, &err);
        if (rc == WN_OK) {
            assert_int_equal(walk(st), 11);
            wn_safetensors_close(st);
        } else {
            assert_int_equal(rc, WN_REJECT);
            assert_true(strlen(err.text) > 0);
        }
        f.bytes[at] = was;
    }
}

/* --- the writer --- */

static void
what_is_written_is_read_back(void **state)
{
    static const float f32[] = { 1, -2.5f, NAN, INFINITY, -0.0f, 1e-42f };
    static const int8_t i8[] = { -128, 0, 127 };
    static const int64_t i64[] = { INT64_MIN };
    const struct wn_tensor in[] = {
        { "f.weight", WN_F32, 2, { 2, 3 }, 6, f32 },
        { "q\"\\\n\xc3\xa9", WN_I8, 1, { 3 }, 3, i8 },
        { "empty", WN_BF16, 3, { 4, 0, 2 }, 0, f32 },
        { "scalar", WN_I64, 0, { 0 }, 1, i64 },
    };
    struct wn_safetensors *st;
    struct wn_err err;
    char path[4200];

    (void)state;
    snprintf(path, sizeof(path), "%s/w.safetensors", wn_test_dir());
    assert_wn_ok(wn_safetensors_write(path, in, 4, &err), &err);
    assert_wn_ok(wn_safetensors_open(&st, path, &err), &err);
    assert_int_equal(wn_safetensors_n(st), 4);
    assert_int_equal((uintptr_t)wn_safetensors_at(st, 0)->data % 8, 0);
    for (size_t i = 0; i < 4; i++) {
        const struct wn_tensor *t = wn_safetensors_find(st, in[i].name);

        assert_non_null(t);
        assert_int_equal(t->dtype, in[i].dtype);
        assert_int_equal(t->rank, in[i].rank);
        assert_memory_equal(
            t->shape, in[i].shape, t->rank * sizeof(t->shape[0]));
        assert_int_equal(t->n, in[i].n);
        if (t->n > 0)
            assert_memory_equal(
                t->data, in[i].data, t->n * wn_dtype_bytes(t->dtype));
    }
    wn_safetensors_close(st);
}

static void
a_file_is_replaced_whole_or_not_at_all(void **state)
{
    static const float one[] = { 1 }, two[] = { 2, 2 };
    const struct wn_tensor first = { "a", WN_F32, 1, { 1 }, 1, one };
    const struct wn_tensor twice[] = {
        { "b", WN_F32, 1, { 2 }, 2, two },
        { "b", WN_F32, 1, { 2 }, 2, two },
    };
    struct wn_safetensors *old, *st;
    char path[4200], tmp[4300];
    struct wn_err err;

    (void)state;
    snprintf(path, sizeof(path), "%s/r.safetensors", wn_test_dir());
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    assert_wn_ok(wn_safetensors_write(path, &first, 1, &err), &err);
    assert_int_equal(wn_safetensors_write(path, twice, 2, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "two tensors named 'b'"));
    assert_wn_ok(wn_safetensors_open(&old, path, &err), &err);
    assert_non_null(wn_safetensors_find(old, "a"));

    /* One that is open keeps what it has mapped. */
    assert_wn_ok(wn_safetensors_write(path, twice, 1, &err), &err);
    assert_int_not_equal(access(tmp, F_OK), 0);
    assert_memory_equal(wn_safetensors_find(old, "a")->data, one, sizeof(one));
    assert_wn_ok(wn_safetensors_open(&st, path, &err), &err);
    assert_null(wn_safetensors_find(st, "a"));
    assert_non_null(wn_safetensors_find(st, "b"));
    wn_safetensors_close(st);
    wn_safetensors_close(old);
}

static void
a_write_that_fails_leaves_nothing(void **state)
{
    static const float one[] = { 1 };
    const struct wn_tensor t = { "a", WN_F32, 1, { 1 }, 1, one };
    char path[4200], tmp[4300];
    struct wn_err err;

    (void)state;
    assert_int_equal(
        wn_safetensors_write("/nonexistent/x", &t, 1, &err), WN_RETRY);
    assert_non_null(strstr(err.text, "/nonexistent/x"));
    /* a folder cannot be replaced by a file */
    snprintf(path, sizeof(path), "%s/folder", wn_test_dir());
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(wn_safetensors_write(path, &t, 1, &err), WN_RETRY);
    assert_int_not_equal(access(tmp, F_OK), 0);
}

/* Numbers that are made: (tensor * 1000000 + element), as the dtype has it. */
static enum wn_status
make_numbers(
    void *arg, size_t i, size_t first, size_t n, void *out, struct wn_err *err)
{
    size_t *calls = arg;

    if (++*calls == 4)
        return wn_fail(err, WN_REJECT, "the fourth part");
    assert_true(n <= WN_TENSOR_PART);
    for (size_t k = 0; k < n; k++) {
        float v = (float)(i * 1000000 + first + k);
        uint16_t h = wn_f16(v);

        memcpy(i == 0 ? (char *)out + 4 * k : (char *)out + 2 * k,
            i == 0 ? (void *)&v : (void *)&h, i == 0 ? 4 : 2);
    }
    return WN_OK;
}

static void
numbers_may_be_made_while_they_are_written(void **state)
{
    size_t n = WN_TENSOR_PART + 7, calls = 0;
    const struct wn_tensor t[] = {
        { "a", WN_F32, 2, { n, 1 }, n, NULL },
        { "b", WN_F16, 1, { 3 }, 3, NULL },
        { "c", WN_F16, 1, { 1 }, 1, NULL },
    };
    struct wn_safetensors *st;
    char path[4200], tmp[4300];
    struct wn_err err;
    float v[2];

    (void)state;
    snprintf(path, sizeof(path), "%s/made.safetensors", wn_test_dir());
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    assert_wn_ok(
        wn_safetensors_make(path, t, 2, make_numbers, &calls, &err), &err);
    assert_int_equal(calls, 3);
    assert_wn_ok(wn_safetensors_open(&st, path, &err), &err);
    assert_int_equal(wn_safetensors_n(st), 2);
    wn_tensor_floats(wn_safetensors_find(st, "a"), n - 2, 2, v);
    assert_true(v[0] == (float)(n - 2) && v[1] == (float)(n - 1));
    wn_tensor_floats(wn_safetensors_find(st, "b"), 0, 2, v);
    assert_true(isinf(v[0]) && v[0] > 0); /* a million */
    wn_safetensors_close(st);

    calls = 0;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(
        wn_safetensors_make(path, t, 3, make_numbers, &calls, &err), WN_REJECT);
    assert_string_equal(err.text, "the fourth part");
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(tmp, F_OK), 0);
}

static float
half(uint16_t h)
{
    const struct wn_tensor t = { "h", WN_F16, 1, { 1 }, 1, &h };
    float v;

    wn_tensor_floats(&t, 0, 1, &v);
    return v;
}

/* Every half comes back, and what lies between two goes to the nearer one, from
 * their middle to the even one. */
static void
the_nearest_half_is_taken(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        uint16_t lower = (uint16_t)h, got;
        float v = half(lower), next, middle;

        if (isnan(v)) {
            assert_true(isnan(half(wn_f16(v))));
            continue;
        }
        assert_int_equal(wn_f16(v), lower);
        if ((h & 0x7fff) >= 0x7bff)
            continue;
        next = half((uint16_t)(lower + 1));
        middle = (v + next) / 2;
        got = wn_f16(middle);
        assert_int_equal(got, lower + (lower & 1));
        assert_int_equal(wn_f16(nextafterf(middle, v)), lower);
        assert_int_equal(wn_f16(nextafterf(middle, next)), lower + 1);
    }
    assert_int_equal(wn_f16(65519.99f), 0x7bff);
    assert_int_equal(wn_f16(65520), 0x7c00);
    assert_int_equal(wn_f16(-1e30f), 0xfc00);
    assert_int_equal(wn_f16(1e-30f), 0);
}

static void
the_digest_is_that_of_the_whole_file(void **state)
{
    struct wn_safetensors *st;
    uint8_t got[32], want[32];
    struct wn_err err;
    struct file f;

    (void)state;
    make_raw(
        &f, ONE("U8", "[4]", "[0,4]"), strlen(ONE("U8", "[4]", "[0,4]")), 4);
    assert_wn_ok(wn_safetensors_open(&st, f.path, &err), &err);
    wn_safetensors_sha256(st, got);
    wn_sha256(f.bytes, f.len, want);
    assert_memory_equal(got, want, sizeof(got));
    wn_safetensors_close(st);
}

/* --- numbers --- */

static double
half_by_definition(unsigned h)
{
    double sign = h >> 15 ? -1 : 1;
    int exponent = h >> 10 & 31, fraction = h & 1023;

    if (exponent == 31)
        return fraction != 0 ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

static void
every_half_is_the_float_that_it_means(void **state)
{
    static uint16_t in[65536];
    static float out[65536];
    struct wn_tensor t = { "h", WN_F16, 1, { 65536 }, 65536, in };

    (void)state;
    for (unsigned i = 0; i < 65536; i++)
        in[i] = (uint16_t)i;
    wn_tensor_floats(&t, 0, t.n, out);
    for (unsigned i = 0; i < 65536; i++) {
        double want = half_by_definition(i);

        if (isnan(want))
            assert_true(isnan(out[i]));
        else
            assert_true(
                (double)out[i] == want && !!signbit(out[i]) == !!signbit(want));
    }
    t.dtype = WN_BF16;
    wn_tensor_floats(&t, 0, t.n, out);
    for (unsigned i = 0; i < 65536; i++) {
        uint32_t bits;

        memcpy(&bits, &out[i], sizeof(bits));
        assert_int_equal(bits, i << 16);
    }
}

static void
numbers_are_read_from_any_address(void **state)
{
    static const uint8_t bytes[] = { 0xff, 0, 0, 0x80, 0x3f, 0x80, 0x7f };
    const struct wn_tensor f = { "f", WN_F32, 1, { 1 }, 1, bytes + 1 };
    const struct wn_tensor b = { "b", WN_BF16, 1, { 1 }, 1, bytes + 3 };
    const struct wn_tensor i = { "i", WN_I8, 1, { 3 }, 3, bytes + 4 };
    float out[2];

    (void)state;
    wn_tensor_floats(&f, 0, 1, out);
    assert_true(out[0] == 1.0f);
    wn_tensor_floats(&b, 0, 1, out);
    assert_true(out[0] == 1.0f);
    wn_tensor_floats(&i, 1, 2, out);
    assert_true(out[0] == -128.0f);
    assert_true(out[1] == 127.0f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_plain_file_is_read),
    cmocka_unit_test(scalars_and_empty_tensors_are_legal),
    cmocka_unit_test(what_is_no_file_is_rejected),
    cmocka_unit_test(a_file_cut_at_any_length_is_rejected),
    cmocka_unit_test(header_lengths_that_lie_are_rejected),
    cmocka_unit_test(headers_that_are_not_an_object_of_tensors_are_rejected),
    cmocka_unit_test(metadata_is_of_strings),
    cmocka_unit_test(two_tensors_of_one_name_are_rejected),
    cmocka_unit_test(overlaps_and_holes_are_rejected),
    cmocka_unit_test(ranges_that_leave_the_file_are_rejected),
    cmocka_unit_test(shapes_that_do_not_fit_are_rejected),
    cmocka_unit_test(types_that_nobody_reads_are_rejected),
    cmocka_unit_test(a_spoilt_byte_is_an_error_or_harmless),
    cmocka_unit_test(what_is_written_is_read_back),
    cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
    cmocka_unit_test(a_write_that_fails_leaves_nothing),
    cmocka_unit_test(numbers_may_be_made_while_they_are_written),
    cmocka_unit_test(the_nearest_half_is_taken),
    cmocka_unit_test(the_digest_is_that_of_the_whole_file),
    cmocka_unit_test(every_half_is_the_float_that_it_means),
    cmocka_unit_test(numbers_are_read_from_any_address),
};

WN_TEST_MAIN("model safetensors", tests)
