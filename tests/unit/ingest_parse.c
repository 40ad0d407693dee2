/* Records of every envelope to posts: good ones, and each way to be dead. */
#include "ingest/parse.h"

#include "tests/lib/test.h"

#define MAX (1u << 20)

static struct wn_item *
parse_bytes(const char *p, size_t len, enum wn_format format)
{
    struct wn_item *item = wn_item_new(16u << 20);

    assert_non_null(item);
    item->rec.time_us = WN_TIME_UNKNOWN;
    item->rec.raw = (struct wn_str){ p, len };
    wn_parse(item, format, MAX);
    return item;
}

static struct wn_item *
parse(const char *json)
{
    return parse_bytes(json, strlen(json), WN_FORMAT_AUTO);
}

static void
assert_str(struct wn_str s, const char *want)
{
    if (want == NULL) {
        assert_null(s.p);
        return;
    }
    assert_non_null(s.p);
    assert_string_equal(s.p, want);
    assert_int_equal(s.len, strlen(want));
}

static void
assert_alive(const struct wn_item *item)
{
    if (item->outcome == WN_DEAD)
        fail_msg("dead: %s", item->cause.p);
}

static int64_t
at(const char *time)
{
    int64_t us = 0;

    assert_true(wn_time_parse(time, strlen(time), &us));
    return us;
}

static const struct wn_value *
extra(const struct wn_item *item, const char *key)
{
    const struct wn_value *v = &item->sig.v[WN_SIG_POST_EXTRA];

    assert_int_equal(v->kind, WN_VALUE_MAP);
    for (size_t i = 0; i < v->map.n; i++)
        if (strcmp(v->map.keys[i].p, key) == 0)
            return &v->map.v[i];
    return NULL;
}

static bool
named_bad(const struct wn_item *item, const char *name)
{
    for (size_t i = 0; i < item->post.bad_members_n; i++)
        if (strcmp(item->post.bad_members[i].p, name) == 0)
            return true;
    return false;
}

/* --- native --- */

static const char full[] =
    "{\"type\":\"post.created\",\"post\":{\"id\":\"p1\",\"revision\":3,"
    "\"created_at\":\"2026-11-23T10:00:00+01:00\",\"lang\":\"en_GB\","
    "\"surface\":\"feed\",\"text\":\"Good morning\",\"links\":"
    "[\"https://a.example/\",\"https://b.example/\"],\"reply_to\":\"p0\","
    "\"media\":[{\"id\":\"m1\",\"type\":\"image/jpeg\",\"url\":\"https://"
    "c.example/1.jpg\",\"alt\":\"a dog\"}],\"mood\":{\"n\":[1,2.5,null,"
    "true,\"x\"]},\"author\":{\"id\":\"a1\",\"handle\":\"ann\","
    "\"created_at\":\"2026-11-13T09:00:00Z\",\"followers\":12,"
    "\"following\":900,\"posts_1h\":4}}}";

static void
parse_native_reads_every_member(void **state)
{
    struct wn_item *item = parse(full);
    const struct wn_value *v = item->sig.v, *n;

    assert_alive(item);
    assert_int_equal(item->outcome, WN_OUT_NONE);
    assert_int_equal(item->post.event, WN_POST_CREATED);
    assert_str(item->post.id, "p1");
    assert_str(item->post.author_id, "a1");
    assert_str(item->post.text, "Good morning");
    assert_str(item->post.lang, "en-gb");
    assert_str(item->post.surface, "feed");
    assert_str(item->post.reply_to, "p0");
    assert_true(item->post.has_revision);
    assert_int_equal(item->post.revision, 3);
    assert_int_equal(item->post.created_us, at("2026-11-23T09:00:00Z"));
    assert_int_equal(item->rec.time_us, item->post.created_us);
    assert_int_equal(item->post.given_links_n, 2);
    assert_str(item->post.given_links[1], "https://b.example/");
    assert_int_equal(item->post.media_n, 1);
    assert_int_equal(item->post.bad_members_n, 0);
    assert_int_equal(v[WN_SIG_AUTHOR_FOLLOWERS].i, 12);
    assert_int_equal(v[WN_SIG_AUTHOR_FOLLOWING].i, 900);
    assert_int_equal(v[WN_SIG_AUTHOR_POSTS_1H].i, 4);
    assert_str(v[WN_SIG_AUTHOR_HANDLE].s, "ann");
    assert_true(v[WN_SIG_AUTHOR_AGE_DAYS].d == 10.0);
    assert_true(v[WN_SIG_POST_REPLY].b);
    assert_false(v[WN_SIG_POST_EDITED].b);
    assert_int_equal(v[WN_SIG_POST_MEDIA].i, 1);
    assert_int_equal(v[WN_SIG_TEXT_INVALID].kind, WN_VALUE_INT);
    assert_int_equal(v[WN_SIG_TEXT_INVALID].i, 0);
    assert_int_equal(v[WN_SIG_INGEST_BAD_MEMBERS].i, 0);
    n = extra(item, "mood");
    assert_non_null(n);
    assert_int_equal(n->kind, WN_VALUE_MAP);
    assert_int_equal(n->map.v[0].list.n, 5);
    assert_int_equal(n->map.v[0].list.v[2].kind, WN_VALUE_NULL);
    assert_null(extra(item, "text"));
    wn_item_free(item);
}

static void
parse_absent_numbers_stay_unknown(void **state)
{
    struct wn_item *item = parse("{\"post\":{\"id\":\"p\",\"text\":\"t\","
                                 "\"author\":{\"id\":\"a\"}}}");
    static const enum wn_signal unknown[] = { WN_SIG_AUTHOR_FOLLOWERS,
        WN_SIG_AUTHOR_FOLLOWING, WN_SIG_AUTHOR_POSTS_1H, WN_SIG_AUTHOR_AGE_DAYS,
        WN_SIG_AUTHOR_HANDLE, WN_SIG_POST_LANG, WN_SIG_POST_SURFACE };

    assert_alive(item);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(item->sig.v[unknown[i]].kind, WN_VALUE_UNKNOWN);
    assert_int_equal(item->rec.time_us, WN_TIME_UNKNOWN);
    assert_false(item->sig.v[WN_SIG_POST_REPLY].b);
    wn_item_free(item);
}

static void
parse_optional_members_of_the_wrong_type_are_named(void **state)
{
    struct wn_item *item = parse(
        "{\"type\":\"post.updated\",\"post\":{\"id\":\"p\",\"text\":\"t\","
        "\"revision\":\"3\",\"created_at\":5,\"lang\":[1],\"surface\":{},"
        "\"links\":\"x\",\"reply_to\":7,\"media\":\"none\",\"author\":{"
        "\"id\":\"a\",\"handle\":9,\"created_at\":\"then\",\"followers\":"
        "99999999999999999999,\"following\":-1,\"posts_1h\":1.5}}}");
    static const char *const names[] = { "post.revision", "post.created_at",
        "post.lang", "post.surface", "post.links", "post.reply_to",
        "post.media", "author.handle", "author.created_at", "author.followers",
        "author.following", "author.posts_1h" };
    const size_t n = sizeof(names) / sizeof(names[0]);

    assert_alive(item);
    for (size_t i = 0; i < n; i++)
        if (!named_bad(item, names[i]))
            fail_msg("%s is not named", names[i]);
    assert_int_equal(item->post.bad_members_n, n);
    assert_int_equal(item->sig.v[WN_SIG_INGEST_BAD_MEMBERS].i, n);
    assert_false(item->post.has_revision);
    assert_int_equal(
        item->sig.v[WN_SIG_AUTHOR_FOLLOWERS].kind, WN_VALUE_UNKNOWN);
    assert_int_equal(item->sig.v[WN_SIG_POST_REPLY].kind, WN_VALUE_UNKNOWN);
    assert_int_equal(item->sig.v[WN_SIG_POST_MEDIA].kind, WN_VALUE_UNKNOWN);
    assert_true(item->sig.v[WN_SIG_POST_EDITED].b);
    wn_item_free(item);
}

static void
parse_whole_reals_are_integers(void **state)
{
    struct wn_item *item =
        parse("{\"post\":{\"id\":\"p\",\"text\":\"t\",\"revision\":2.0,"
              "\"author\":{\"id\":\"a\",\"followers\":1e3}}}");

    assert_alive(item);
    assert_int_equal(item->post.revision, 2);
    assert_int_equal(item->sig.v[WN_SIG_AUTHOR_FOLLOWERS].i, 1000);
    wn_item_free(item);
}

static void
parse_dead_records_say_why(void **state)
{
    static const struct {
        const char *json, *class, *id;
    } rows[] = {
        { "", "json: ", NULL },
        { "not json", "json: ", NULL },
        { "{\"post\":", "json: ", NULL },
        { "[1]", "json: not an object", NULL },
        { "\"x\"", "json: ", NULL },
        { "{} {}", "json: ", NULL },
        { "{\xFF}", "json: ", NULL },
        { "{}", "id: ", NULL },
        { "{\"type\":\"post.created\"}", "id: no \"post\" member: {", NULL },
        { "{\"id\":\"p\",\"text\":\"t\"}", "id: no \"post\" member: {", NULL },
        { "{\"post\":[]}", "type: \"post\"", NULL },
        { "{\"post\":{\"text\":\"t\",\"author\":{\"id\":\"a\"}}}",
            "id: post.id", NULL },
        { "{\"post\":{\"id\":\"\",\"text\":\"t\",\"author\":{\"id\":\"a\"}}}",
            "id: post.id", NULL },
        { "{\"post\":{\"id\":7,\"text\":\"t\",\"author\":{\"id\":\"a\"}}}",
            "type: \"post.id\" is a number: write it as a string, \"7\"",
            NULL },
        { "{\"post\":{\"id\":\"p\",\"text\":\"t\"}}", "id: post.author.id",
            "p" },
        { "{\"post\":{\"id\":\"p\",\"text\":\"t\",\"author\":{}}}",
            "id: post.author.id", "p" },
        { "{\"post\":{\"id\":\"p\",\"text\":\"t\",\"author\":{\"id\":1}}}",
            "type: \"post.author.id\" is a number: write it as a string, \"1\"",
            "p" },
        { "{\"post\":{\"id\":7.5,\"text\":\"t\"}}",
            "type: \"post.id\" is a number: write it as a string", NULL },
        { "{\"post\":{\"id\":[\"p\"],\"text\":\"t\"}}",
            "type: \"post.id\" is a list", NULL },
        { "{\"post\":{\"id\":\"p\",\"text\":\"t\",\"author\":\"a\"}}",
            "type: post.author", "p" },
        { "{\"post\":{\"id\":\"p\",\"text\":5,\"author\":{\"id\":\"a\"}}}",
            "type: post.text", "p" },
        { "{\"post\":{\"id\":\"p\",\"media\":5,\"author\":{\"id\":\"a\"}}}",
            "type: post.media", "p" },
        { "{\"post\":{\"id\":\"p\",\"text\":null,\"author\":{\"id\":\"a\"}}}",
            "type: neither", "p" },
        { "{\"type\":\"post.liked\",\"post\":{\"id\":\"p\",\"text\":\"t\","
          "\"author\":{\"id\":\"a\"}}}",
            "event: ", "p" },
        { "{\"type\":\"x.post.created\",\"post\":{\"id\":\"p\"}}",
            "event: ", "p" },
        { "{\"type\":5,\"post\":{\"id\":\"p\"}}", "event: ", "p" },
        { "{\"type\":\"post.deleted\",\"post\":{}}", "id: post.id", NULL },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wn_item *item = parse(rows[i].json);

        if (item->outcome != WN_DEAD ||
            strncmp(item->cause.p, rows[i].class, strlen(rows[i].class)) != 0)
            fail_msg("%s: outcome %d, cause %s", rows[i].json, item->outcome,
                item->cause.p == NULL ? "-" : item->cause.p);
        assert_str(item->post.id, rows[i].id);
        wn_item_free(item);
    }
}

static void
parse_causes_hold_no_content(void **state)
{
    struct wn_item *item = parse("{\"post\": \"secretword\" oops");

    assert_int_equal(item->outcome, WN_DEAD);
    assert_null(strstr(item->cause.p, "secret"));
    assert_null(strstr(item->cause.p, "oops"));
    wn_item_free(item);
}

static void
parse_size_is_asked_before_anything_else(void **state)
{
    struct wn_item *item = wn_item_new(1u << 20);
    char json[2048];

    memset(json, ' ', sizeof(json));
    item->rec.raw = (struct wn_str){ json, 1025 };
    wn_parse(item, WN_FORMAT_AUTO, 1024);
    assert_int_equal(item->outcome, WN_DEAD);
    assert_memory_equal(item->cause.p, "size: ", 6);
    wn_item_free(item);

    item = wn_item_new(1u << 20);
    item->rec.raw = (struct wn_str){ json, 1024 };
    wn_parse(item, WN_FORMAT_AUTO, 1024);
    assert_memory_equal(item->cause.p, "json: ", 6);
    wn_item_free(item);
}

static void
parse_ids_are_bounded(void **state)
{
    char json[2200], id[1026];

    for (int over = 0; over < 2; over++) {
        struct wn_item *item;

        memset(id, 'i', sizeof(id));
        id[1024 + over] = '\0';
        snprintf(json, sizeof(json),
            "{\"post\":{\"id\":\"%s\",\"text\":\"t\",\"author\":{\"id\":"
            "\"a\"}}}",
            id);
        item = parse(json);
        assert_int_equal(item->outcome, over ? WN_DEAD : WN_OUT_NONE);
        wn_item_free(item);
    }
}

static void
parse_bad_bytes_are_judged_and_counted(void **state)
{
    static const char json[] =
        "{\"post\":{\"id\":\"p\",\"text\":\"a\\u0000\xFF\\ud800z\0\","
        "\"author\":{\"id\":\"a\"}}}";
    struct wn_item *item = parse_bytes(json, sizeof(json) - 1, WN_FORMAT_AUTO);

    assert_alive(item);
    assert_str(item->post.text, "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz"
                                "\xEF\xBF\xBD");
    assert_int_equal(item->sig.v[WN_SIG_TEXT_INVALID].i, 4);
    wn_item_free(item);
}

static void
parse_text_of_the_wrong_type_is_forgiven_beside_media(void **state)
{
    struct wn_item *item = parse("{\"post\":{\"id\":\"p\",\"text\":5,"
                                 "\"media\":[{\"id\":\"m\"}],"
                                 "\"author\":{\"id\":\"a\"}}}");

    assert_alive(item);
    assert_null(item->post.text.p);
    assert_true(named_bad(item, "post.text"));
    wn_item_free(item);
}

static void
parse_of_two_equal_names_the_last_counts(void **state)
{
    struct wn_item *item = parse("{\"post\":{\"id\":\"p\",\"text\":\"first\","
                                 "\"text\":\"last\",\"author\":{\"id\":\"a\"}"
                                 "}}");

    assert_alive(item);
    assert_str(item->post.text, "last");
    wn_item_free(item);
}

static void
parse_ages_are_counted_from_the_message_time(void **state)
{
    static const char json[] =
        "{\"post\":{\"id\":\"p\",\"text\":\"t\",\"created_at\":"
        "\"2026-01-10T00:00:00Z\",\"author\":{\"id\":\"a\",\"created_at\":"
        "\"2026-01-05T00:00:00Z\"}}}";
    struct wn_item *item = parse(json);

    assert_true(item->sig.v[WN_SIG_AUTHOR_AGE_DAYS].d == 5.0);
    wn_item_free(item);

    item = wn_item_new(1u << 20);
    item->rec.time_us = at("2026-01-06T00:00:00Z");
    item->rec.raw = (struct wn_str){ json, strlen(json) };
    wn_parse(item, WN_FORMAT_AUTO, MAX);
    assert_true(item->sig.v[WN_SIG_AUTHOR_AGE_DAYS].d == 1.0);
    assert_int_equal(item->rec.time_us, at("2026-01-06T00:00:00Z"));
    wn_item_free(item);

    item = wn_item_new(1u << 20);
    item->rec.time_us = at("2026-01-01T00:00:00Z");
    item->rec.raw = (struct wn_str){ json, strlen(json) };
    wn_parse(item, WN_FORMAT_AUTO, MAX);
    assert_true(item->sig.v[WN_SIG_AUTHOR_AGE_DAYS].d == 0.0);
    wn_item_free(item);
}

static void
parse_deletions_need_nothing_but_the_id(void **state)
{
    struct wn_item *item = parse(
        "{\"type\":\"post.deleted\",\"post\":{\"id\":\"p9\",\"text\":\"t\"}}");

    assert_alive(item);
    assert_int_equal(item->post.event, WN_POST_DELETED);
    assert_str(item->post.id, "p9");
    assert_null(item->post.text.p);
    wn_item_free(item);
}

static void
parse_tombstones_delete_by_key(void **state)
{
    static const struct {
        const char *key;
        size_t len;
        bool dead;
    } rows[] = { { "p7", 2, false }, { NULL, 0, true }, { "", 0, true } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wn_item *item = wn_item_new(1u << 20);

        item->rec.key = (struct wn_str){ rows[i].key, rows[i].len };
        wn_parse(item, WN_FORMAT_AUTO, MAX);
        assert_int_equal(item->post.event, WN_POST_DELETED);
        if (rows[i].dead) {
            assert_int_equal(item->outcome, WN_DEAD);
            assert_memory_equal(item->cause.p, "id: ", 4);
        } else {
            assert_alive(item);
            assert_str(item->post.id, "p7");
        }
        wn_item_free(item);
    }
}

static void
hash_of(const char *members, uint8_t out[WN_SHA256])
{
    char json[512];
    struct wn_item *item;

    snprintf(json, sizeof(json),
        "{\"post\":{\"id\":\"p\",%s,\"author\":{\"id\":\"a\"}}}", members);
    item = parse(json);
    assert_alive(item);
    memcpy(out, item->post.content_hash, WN_SHA256);
    wn_item_free(item);
}

static void
parse_content_hash_is_what_a_reader_sees(void **state)
{
    static const char *const different[] = { "\"text\":\"a\"", "\"text\":\"b\"",
        "\"text\":\"\"", "\"media\":[]", "\"text\":\"a\",\"links\":[\"b\"]",
        "\"text\":\"a\",\"links\":[\"b\",\"c\"]",
        "\"text\":\"a\",\"links\":[\"bc\"]",
        "\"text\":\"a\",\"media\":[{\"url\":\"b\"}]",
        "\"text\":\"a\",\"media\":[{\"url\":\"b\",\"alt\":\"c\"}]" };
    enum { N = sizeof(different) / sizeof(different[0]) };
    uint8_t hash[N][WN_SHA256], one[WN_SHA256], two[WN_SHA256];

    for (size_t i = 0; i < N; i++) {
        hash_of(different[i], hash[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(hash[i], hash[j], WN_SHA256);
    }
    hash_of("\"text\":\"a\",\"revision\":1,\"mood\":1", one);
    assert_memory_equal(one, hash[0], WN_SHA256);
    hash_of("\"media\":[{\"id\":\"1\",\"url\":\"u\"}]", one);
    hash_of("\"media\":[{\"id\":\"2\",\"url\":\"u\"}]", two);
    assert_memory_equal(one, two, WN_SHA256);
}

static void
parse_extra_is_bounded(void **state)
{
    size_t cap = 300000, n;
    char *json = malloc(cap);
    struct wn_item *item;

    n = (size_t)snprintf(json, cap,
        "{\"post\":{\"id\":\"p\",\"text\":\"t\",\"author\":{\"id\":\"a\"},"
        "\"deep\":");
    for (int i = 0; i < 100; i++)
        json[n++] = '[';
    for (int i = 0; i < 100; i++)
        json[n++] = ']';
    n += (size_t)snprintf(json + n, cap - n, ",\"wide\":[0");
    for (int i = 0; i < 100000; i++) {
        json[n++] = ',';
        json[n++] = '0';
    }
    n += (size_t)snprintf(json + n, cap - n, "]}}");
    item = parse_bytes(json, n, WN_FORMAT_AUTO);
    assert_alive(item);
    assert_true(named_bad(item, "post.extra"));
    assert_int_equal(item->sig.v[WN_SIG_POST_EXTRA].kind, WN_VALUE_MAP);
    assert_non_null(extra(item, "deep"));
    wn_item_free(item);
    free(json);
}

static void
parse_nesting_is_bounded(void **state)
{
    size_t n = 100000;
    char *json = malloc(n);
    struct wn_item *item;

    memset(json, '[', n);
    item = parse_bytes(json, n, WN_FORMAT_AUTO);
    assert_int_equal(item->outcome, WN_DEAD);
    assert_non_null(strstr(item->cause.p, "nested"));
    wn_item_free(item);
    free(json);
}

/* --- loose: winnow score --- */

static struct wn_item *
parse_loose(const char *json)
{
    struct wn_item *item = wn_item_new(1u << 20);

    assert_non_null(item);
    item->rec.time_us = WN_TIME_UNKNOWN;
    item->rec.raw = (struct wn_str){ json, strlen(json) };
    wn_parse_loose(item, MAX);
    return item;
}

static void
parse_loose_takes_id_and_text(void **state)
{
    static const struct {
        const char *json, *id, *text;
        bool dead;
    } rows[] = {
        { "{\"id\":\"x\",\"text\":\"hello\"}", "x", "hello", false },
        { "{\"id\":\"x\",\"text\":null}", "x", NULL, false },
        { "{\"id\":\"x\"}", "x", NULL, false },
        { "{\"id\":\"x\",\"text\":\"t\",\"author\":{\"followers\":3}}", "x",
            "t", false },
        { "{\"text\":\"hello\"}", NULL, NULL, true },
        { "{\"id\":\"x\",\"text\":5}", "x", NULL, true },
        { "{\"post\":{\"id\":\"y\",\"text\":\"t\",\"author\":{\"id\":\"a\"}}}",
            "y", "t", false },
        { "{\"type\":\"post.created\",\"post\":{\"id\":\"y\",\"text\":\"t\"}}",
            "y", "t", true },
        { "nope", NULL, NULL, true },
        { "{\"id\":\"x\",\"text\":\"t\",\"post\":null}", "x", "t", false },
        { "{\"id\":\"x\",\"text\":\"t\",\"post\":7}", "x", "t", false },
        { "{\"id\":\"x\",\"text\":\"t\",\"data\":[1]}", "x", "t", false },
        { "{\"post\":null}", NULL, NULL, true },
        { "{\"post\":7,\"id\":\"x\"}", NULL, NULL, true },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wn_item *item = parse_loose(rows[i].json);

        if ((item->outcome == WN_DEAD) != rows[i].dead)
            fail_msg("%s: %s", rows[i].json,
                item->cause.p == NULL ? "lives" : item->cause.p);
        if (!rows[i].dead) {
            assert_str(item->post.id, rows[i].id);
            assert_str(item->post.text, rows[i].text);
        }
        wn_item_free(item);
    }
}

/* Needed nowhere in this form, so another shape of it costs no verdict. */
static void
parse_loose_names_an_author_of_another_shape(void **state)
{
    static const struct {
        const char *author, *bad;
    } rows[] = { { "\"bob\"", "post.author" }, { "[1]", "post.author" },
        { "7", "post.author" }, { "{\"id\":5}", "author.id" },
        { "{\"id\":{}}", "author.id" }, { "{\"id\":\"\"}", NULL },
        { "null", NULL }, { "{}", NULL } };
    char json[128];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wn_item *item;

        snprintf(json, sizeof(json),
            "{\"id\":\"c\",\"text\":\"x\",\"author\":%s}", rows[i].author);
        item = parse_loose(json);
        assert_alive(item);
        assert_str(item->post.text, "x");
        assert_null(item->post.author_id.p);
        assert_int_equal(item->post.bad_members_n, rows[i].bad != NULL);
        if (rows[i].bad != NULL && !named_bad(item, rows[i].bad))
            fail_msg("%s: %s is not named", json, rows[i].bad);
        wn_item_free(item);

        /* An envelope still needs its author. */
        snprintf(json, sizeof(json),
            "{\"post\":{\"id\":\"c\",\"text\":\"x\",\"author\":%s}}",
            rows[i].author);
        item = parse_loose(json);
        assert_int_equal(item->outcome, WN_DEAD);
        wn_item_free(item);
    }
}

/* Marks of an envelope without what it would bring. Where ingest.format
 * decides, they stay marks. */
static void
parse_loose_takes_a_line_that_only_looks_like_an_envelope(void **state)
{
    static const char *const rows[] = {
        "{\"id\":\"x\",\"text\":\"t\",\"did\":\"d\",\"kind\":\"k\"}",
        "{\"id\":\"x\",\"text\":\"t\",\"@context\":\"c\"}",
        "{\"id\":\"x\",\"text\":\"t\",\"specversion\":\"1.0\"}",
        "{\"id\":\"x\",\"text\":\"t\",\"type\":\"Create\",\"object\":null}",
    };
    static const char *const envelopes[] = {
        "{\"id\":\"x\",\"text\":\"t\",\"did\":\"d\",\"kind\":\"commit\","
        "\"commit\":{}}",
        "{\"id\":\"x\",\"text\":\"t\",\"@context\":\"c\",\"object\":{}}",
        "{\"id\":\"x\",\"text\":\"t\",\"specversion\":\"1.0\",\"data\":{}}",
        "{\"id\":5,\"text\":\"t\",\"@context\":\"c\"}",
    };

    for (size_t i = 0; i < 4; i++) {
        struct wn_item *item = parse_loose(rows[i]);

        if (item->outcome == WN_DEAD)
            fail_msg("%s: %s", rows[i], item->cause.p);
        assert_str(item->post.id, "x");
        assert_str(item->post.text, "t");
        wn_item_free(item);
        item = parse(rows[i]);
        assert_int_equal(item->outcome, WN_DEAD);
        wn_item_free(item);
        item = parse_loose(envelopes[i]);
        if (item->outcome != WN_DEAD)
            fail_msg("%s lives", envelopes[i]);
        wn_item_free(item);
    }
}

/* --- random bytes --- */

static void
parse_survives_any_bytes(void **state)
{
    uint64_t seed = wn_test_seed();
    const size_t n = sizeof(full) - 1;
    char json[sizeof(full)];

    for (int round = 0; round < 20000; round++) {
        struct wn_item *item;
        size_t len = n, edits = 1 + wn_test_random(&seed) % 6;

        memcpy(json, full, n);
        while (edits-- > 0)
            json[wn_test_random(&seed) % n] = (char)wn_test_random(&seed);
        if (wn_test_random(&seed) % 4 == 0)
            len = wn_test_random(&seed) % n;
        item =
            parse_bytes(json, len, (enum wn_format)(wn_test_random(&seed) % 5));
        assert_true(item->outcome == WN_DEAD || item->post.id.p != NULL);
        assert_true(item->outcome != WN_DEAD || item->cause.len > 0);
        wn_item_free(item);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(parse_native_reads_every_member),
    cmocka_unit_test(parse_absent_numbers_stay_unknown),
    cmocka_unit_test(parse_optional_members_of_the_wrong_type_are_named),
    cmocka_unit_test(parse_whole_reals_are_integers),
    cmocka_unit_test(parse_dead_records_say_why),
    cmocka_unit_test(parse_causes_hold_no_content),
    cmocka_unit_test(parse_size_is_asked_before_anything_else),
    cmocka_unit_test(parse_ids_are_bounded),
    cmocka_unit_test(parse_bad_bytes_are_judged_and_counted),
    cmocka_unit_test(parse_text_of_the_wrong_type_is_forgiven_beside_media),
    cmocka_unit_test(parse_of_two_equal_names_the_last_counts),
    cmocka_unit_test(parse_ages_are_counted_from_the_message_time),
    cmocka_unit_test(parse_deletions_need_nothing_but_the_id),
    cmocka_unit_test(parse_tombstones_delete_by_key),
    cmocka_unit_test(parse_content_hash_is_what_a_reader_sees),
    cmocka_unit_test(parse_extra_is_bounded),
    cmocka_unit_test(parse_nesting_is_bounded),
    cmocka_unit_test(parse_loose_takes_id_and_text),
    cmocka_unit_test(parse_loose_names_an_author_of_another_shape),
    cmocka_unit_test(parse_loose_takes_a_line_that_only_looks_like_an_envelope),
    cmocka_unit_test(parse_survives_any_bytes),
};

WN_TEST_MAIN("ingest_parse", tests)
