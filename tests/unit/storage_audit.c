/* The form of the audit trail, held by a stored vector: a change here makes
 * every trail that exists unverifiable. */
#include "core/cbor.h"
#include "storage/activation_int.h"
#include "tests/lib/test.h"

static void
check_hex(const uint8_t *p, size_t len, const char *want)
{
    char *hex = malloc(2 * len + 1);

    assert_non_null(hex);
    wn_hex(p, len, hex);
    assert_string_equal(hex, want);
    free(hex);
}

static void
fill(struct wn_item *it, struct wn_row *row, struct wn_claim *c)
{
    memset(c, 0, sizeof(*c));
    memset(c->verdict_salt, 7, sizeof(c->verdict_salt));
    it->rec = (struct wn_record){ .source = 3,
        .offset = 41,
        .next = 42,
        .time_us = 1700000000000000,
        .raw = { "{}", 2 } };
    it->post.id = (struct wn_str){ "p1", 2 };
    it->post.author_id = (struct wn_str){ "a1", 2 };
    memset(it->post.content_hash, 9, WN_SHA256);
    it->sig.v[WN_SIG_SCORE_SPAM] = wn_value_double(0.5);
    it->sig.v[WN_SIG_FLAG_SPAM] = wn_value_bool(true);
    it->verdict.action = WN_REVIEW;
    it->verdict.reasons_n = 1;
    it->verdict.reasons[0].rule = (struct wn_str){ "r", 1 };
    it->verdict.reasons[0].text = (struct wn_str){ "kept out", 8 };
    it->outcome = WN_SCORED;
    it->model_version = "m";
    it->policy_version = "q";
    it->text_version = 1;
    *row = (struct wn_row){ .item = it,
        .outcome = WN_SCORED,
        .ts = 1700000000000000,
        .model = 1,
        .policy = 2 };
    wn_verdict_id(c, 41, "m", "q", row->verdict_id);
}

static void
audit_row_has_the_stored_form(void **state)
{
    static uint8_t salt[WN_SALT] = { 1, 2, 3 };
    struct wn_item *it = wn_item_new(4096);
    uint8_t leaf[WN_SHA256];
    struct wn_batch b;
    struct wn_claim c;
    struct wn_row row;

    (void)state;
    memset(&b, 0, sizeof(b));
    wn_buf_init(&b.body, 65536);
    fill(it, &row, &c);
    row.salt = salt;
    wn_audit_row(&b, &row, leaf);
    assert_int_equal(b.seq, 1);
    check_hex((uint8_t *)b.body.data, b.body.len,
        "b40001010102030301041829051b00060a24181e40000601070308501417d7cc"
        "931661e3cc644c7c121ddf6d0a616d0b61710c010d000e010f8161721084f938"
        "00f6f6f6115820c1bd149f7704a5ff3e5abfdab5a3334f7ab72a70e908ca89fa"
        "d05c1275fdbd1912582065a097c1b868207ad9c084daa7c3d467e19623316cc8"
        "f73bf7161fe488d014ea135820c4f21780b28917b4693783be6950216b2c5ec1"
        "355dc6a1ebc77a3dfeab698d2d14582090ce8ebebfc4d2195a8816a8189a92f2"
        "3b6c6e16fa99751d71361915014ccf4b");
    check_hex(leaf, sizeof(leaf),
        "2ee1b068287ce1088da565e4460f03fae3136a7a5a5f15ae29464d5ff6d98e86");
    check_hex(b.head, sizeof(b.head),
        "d7e45517044b3be9217b3f4a8527e28f83aa7d499307159641d6dfcc760567d7");
    wn_audit_row(&b, &row, leaf); /* the second of the chain */
    check_hex(b.head, sizeof(b.head),
        "4a69d63b497458d96ab0d2074d93ff5cfae4ee06c2ef17fc075ab26d5f916c69");
    wn_buf_release(&b.body);
    wn_item_free(it);
}

static void
audit_activation_has_the_stored_form(void **state)
{
    static const uint8_t salt[WN_SALT] = { 1, 2, 3 };
    struct wn_activation_body b = { .source = 3,
        .seq = 41,
        .ts_us = 1700000000000000,
        .id = 5,
        .kind = "model",
        .version = "b@2",
        .before = "a@1",
        .rollback = true,
        .staff_id = "ana",
        .reason = "kept out",
        .salt = salt };
    uint8_t leaf[WN_SHA256];
    struct wn_buf body;

    (void)state;
    wn_buf_init(&body, 4096);
    wn_activation_body(&body, &b);
    assert_null(memmem(body.data, body.len, "kept out", 8));
    assert_null(memmem(body.data, body.len, "ana", 3));
    check_hex((uint8_t *)body.data, body.len,
        "ac000101030203031829051b00060a24181e4000182358202717ab7a942654"
        "2d8b47129d4121140c6cd92106a872a2dcd0e8cc601caf9e86182458208e9f"
        "7de90c3479d57cb3230513d52569e2172eba4dcac6690507346c2568c1ed18"
        "30656d6f64656c1831f5183205183363624032183463614031");
    wn_audit_leaf(body.data, body.len, leaf);
    check_hex(leaf, sizeof(leaf),
        "dc5faf0537d0f2799521e0ba6ea64222bf17b7a5133a17922cced2af899b8c14");
    wn_buf_release(&body);
}

static void
audit_body_holds_no_reason_text_and_no_ids(void **state)
{
    static uint8_t salt[WN_SALT];
    struct wn_item *it = wn_item_new(4096);
    uint8_t leaf[WN_SHA256];
    struct wn_batch b;
    struct wn_claim c;
    struct wn_row row;

    (void)state;
    memset(&b, 0, sizeof(b));
    wn_buf_init(&b.body, 65536);
    fill(it, &row, &c);
    it->post.id = (struct wn_str){ "post-canary", 11 };
    it->post.author_id = (struct wn_str){ "author-canary", 13 };
    row.salt = salt;
    wn_audit_row(&b, &row, leaf);
    assert_null(memmem(b.body.data, b.body.len, "canary", 6));
    assert_null(memmem(b.body.data, b.body.len, "kept out", 8));
    wn_buf_release(&b.body);
    wn_item_free(it);
}

static void
audit_commitments_differ_by_salt_tag_and_value(void **state)
{
    uint8_t s1[WN_SALT] = { 1 }, s2[WN_SALT] = { 2 };
    uint8_t a[WN_SHA256], b[WN_SHA256];
    char big[5000];

    (void)state;
    wn_audit_commit(s1, WN_COMMIT_POST, "x", 1, a);
    wn_audit_commit(s2, WN_COMMIT_POST, "x", 1, b);
    assert_memory_not_equal(a, b, sizeof(a));
    wn_audit_commit(s1, WN_COMMIT_AUTHOR, "x", 1, b);
    assert_memory_not_equal(a, b, sizeof(a));
    wn_audit_commit(s1, WN_COMMIT_POST, "y", 1, b);
    assert_memory_not_equal(a, b, sizeof(a));
    wn_audit_commit(s1, WN_COMMIT_POST, "x", 1, b);
    assert_memory_equal(a, b, sizeof(a));
    memset(big, 'b', sizeof(big)); /* longer than fits in one piece */
    wn_audit_commit(s1, WN_COMMIT_POST, big, sizeof(big), a);
    big[4999] = 'c';
    wn_audit_commit(s1, WN_COMMIT_POST, big, sizeof(big), b);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void
sqlstates_name_what_the_caller_does(void **state)
{
    (void)state;
    assert_int_equal(wn_sqlstate_status(""), WN_RETRY);
    assert_int_equal(wn_sqlstate_status("MF001"), WN_FENCED);
    assert_int_equal(wn_sqlstate_status("MF002"), WN_STOP);
    assert_int_equal(wn_sqlstate_status("08006"), WN_RETRY);
    assert_int_equal(wn_sqlstate_status("40P01"), WN_RETRY);
    assert_int_equal(wn_sqlstate_status("53100"), WN_RETRY);
    assert_int_equal(wn_sqlstate_status("57014"), WN_RETRY);
    assert_int_equal(wn_sqlstate_status("58030"), WN_RETRY);
    assert_int_equal(wn_sqlstate_status("55P03"), WN_RETRY);
    assert_int_equal(wn_sqlstate_status("25006"), WN_RETRY);
    assert_int_equal(wn_sqlstate_status("25P03"), WN_RETRY);
    assert_int_equal(wn_sqlstate_status("22021"), WN_REJECT);
    assert_int_equal(wn_sqlstate_status("23505"), WN_REJECT);
    assert_int_equal(wn_sqlstate_status("54000"), WN_REJECT);
    assert_int_equal(wn_sqlstate_status("42P01"), WN_STOP);
    assert_int_equal(wn_sqlstate_status("42501"), WN_STOP);
}

static void
text_that_postgresql_refuses_is_repaired(void **state)
{
    struct wn_buf b;

    (void)state;
    assert_true(wn_text_clean("gr\xc3\xbc\xc3\x9f", 6));
    assert_false(wn_text_clean("a\0b", 3));
    assert_false(wn_text_clean("\xed\xa0\x80", 3)); /* a surrogate  */
    assert_false(wn_text_clean("\xc0\x80", 2));     /* overlong     */
    assert_false(wn_text_clean("\xf4\x90\x80\x80", 4));
    assert_false(wn_text_clean("\xe2\x82", 2)); /* cut short    */
    wn_buf_init(&b, 4096);
    wn_text_add_clean(&b, (struct wn_str){ "a\0b\xff", 4 });
    assert_string_equal(b.data, "a\xef\xbf\xbd"
                                "b\xef\xbf\xbd");
    wn_buf_release(&b);
}

/* Bytes left for the body, the signals or the JSON of a row run out at any
 * point: no row of any table is taken for whole. */
static void
audit_row_that_has_no_memory_is_no_row(void **state)
{
    static uint8_t salt[WN_SALT] = { 1, 2, 3 };
    static const enum wn_table tables[] = { WN_T_AUDIT, WN_T_VERDICT,
        WN_T_CONTENT, WN_T_OUTBOX };
    static struct wn_store st = { .want_verdicts = true };
    struct wn_item *it = wn_item_new(4096);
    size_t t, max, at, cut = 0;
    struct wn_batch b;
    struct wn_claim c;
    struct wn_row row;
    struct wn_buf out;
    uint8_t head[WN_SHA256] = { 0 };

    (void)state;
    fill(it, &row, &c);
    row.salt = salt;
    row.keep_content = true;
    it->post.text = (struct wn_str){ "a\xff", 2 };
    it->sig.v[WN_SIG_AUTHOR_HANDLE] = wn_value_str("handle", 6);
    for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        for (max = 2; max < 800; max++) {
            memset(&b, 0, sizeof(b));
            b.rows = &row;
            b.n = 1;
            wn_buf_init(&b.body, max);
            wn_buf_init(&b.json, max);
            wn_buf_init(&b.cbor, max);
            wn_buf_init(&out, 65536);
            at = 0;
            wn_rows_encode(&st, &b, tables[t], &at, 1, &out);
            if (b.body.failed || b.json.failed || b.cbor.failed) {
                assert_true(out.failed);
                assert_memory_equal(b.head, head, sizeof(head));
                cut++;
            }
            assert_true(max < 799 || !out.failed);
            wn_buf_release(&b.body);
            wn_buf_release(&b.json);
            wn_buf_release(&b.cbor);
            wn_buf_release(&out);
        }
        assert_true(cut > 2);
        cut = 0;
    }
    wn_item_free(it);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audit_row_has_the_stored_form),
        cmocka_unit_test(audit_activation_has_the_stored_form),
        cmocka_unit_test(audit_body_holds_no_reason_text_and_no_ids),
        cmocka_unit_test(audit_row_that_has_no_memory_is_no_row),
        cmocka_unit_test(audit_commitments_differ_by_salt_tag_and_value),
        cmocka_unit_test(sqlstates_name_what_the_caller_does),
        cmocka_unit_test(text_that_postgresql_refuses_is_repaired),
    };

    return wn_test_run(
        "storage_audit", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
