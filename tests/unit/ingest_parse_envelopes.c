/* CloudEvents, ActivityStreams and Jetstream records to posts. */
#include "ingest/parse.h"

#include "tests/lib/test.h"

static struct wn_item *
parse(const char *json)
{
    struct wn_item *item = wn_item_new(16u << 20);

    assert_non_null(item);
    item->rec.time_us = WN_TIME_UNKNOWN;
    item->rec.raw = (struct wn_str){ json, strlen(json) };
    wn_parse(item, WN_FORMAT_AUTO, 1u << 20);
    return item;
}

struct row {
    const char *json;
    const char *dead; /* beginning of the cause; NULL: it lives */
    const char *id;
    enum wn_post_event event;
    const char *author, *text;
};

static void
assert_str(const char *json, struct wn_str s, const char *want)
{
    if ((s.p == NULL) != (want == NULL) ||
        (want != NULL && strcmp(s.p, want) != 0))
        fail_msg("%s: %s is not %s", json, s.p == NULL ? "NULL" : s.p,
            want == NULL ? "NULL" : want);
}

static void
check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        struct wn_item *item = parse(r->json);

        if (r->dead != NULL) {
            if (item->outcome != WN_DEAD ||
                strncmp(item->cause.p, r->dead, strlen(r->dead)) != 0)
                fail_msg("%s: %s", r->json,
                    item->cause.p == NULL ? "lives" : item->cause.p);
        } else {
            if (item->outcome == WN_DEAD)
                fail_msg("%s: %s", r->json, item->cause.p);
            assert_int_equal(item->post.event, r->event);
            assert_str(r->json, item->post.author_id, r->author);
            assert_str(r->json, item->post.text, r->text);
        }
        assert_str(r->json, item->post.id, r->id);
        wn_item_free(item);
    }
}

static int64_t
at(const char *time)
{
    int64_t us = 0;

    assert_true(wn_time_parse(time, strlen(time), &us));
    return us;
}

#define CE "{\"specversion\":\"1.0\",\"id\":\"e1\",\"source\":\"/s\","
#define POST "{\"id\":\"p\",\"text\":\"t\",\"author\":{\"id\":\"a\"}}"

static void
parse_cloudevents_carry_posts_and_events(void **state)
{
    static const struct row rows[] = {
        { CE "\"type\":\"com.example.post.updated\",\"data\":" POST "}", NULL,
            "p", WN_POST_UPDATED, "a", "t" },
        { CE "\"type\":\"post.created\",\"data\":{\"post\":" POST "}}", NULL,
            "p", WN_POST_CREATED, "a", "t" },
        { CE "\"type\":\"anything\",\"data\":{\"type\":\"post.updated\","
             "\"post\":" POST "}}",
            NULL, "p", WN_POST_UPDATED, "a", "t" },
        { CE "\"type\":\"x.post.deleted\",\"subject\":\"p5\"}", NULL, "p5",
            WN_POST_DELETED, NULL, NULL },
        { CE "\"type\":\"x.post.created\",\"subject\":\"p6\",\"data\":{"
             "\"text\":\"t\",\"author\":{\"id\":\"a\"}}}",
            NULL, "p6", WN_POST_CREATED, "a", "t" },
        /* {"id":"p","text":"t","author":{"id":"a"}} */
        { CE "\"type\":\"post.created\",\"data_base64\":\"eyJpZCI6InAiLCJ0ZXh0"
             "IjoidCIsImF1dGhvciI6eyJpZCI6ImEifX0=\"}",
            NULL, "p", WN_POST_CREATED, "a", "t" },
        { CE "\"type\":\"post.created\",\"data\":\"{\\\"id\\\":\\\"p\\\","
             "\\\"text\\\":\\\"t\\\",\\\"author\\\":{\\\"id\\\":\\\"a\\\"}}"
             "\"}",
            NULL, "p", WN_POST_CREATED, "a", "t" },
        { CE "\"type\":\"x.y\",\"data\":{\"type\":\"Create\",\"actor\":\"a\","
             "\"object\":{\"id\":\"n\",\"type\":\"Note\",\"content\":\"c\"}}}",
            NULL, "n", WN_POST_CREATED, "a", "c" },
        { CE "\"type\":\"repost.created\",\"data\":" POST "}", "event: ", "p",
            0, NULL, NULL },
        { CE "\"type\":\"post.created\"}", "id: ", NULL, 0, NULL, NULL },
        { CE "\"type\":\"post.created\",\"data\":[1]}", "type: data", NULL, 0,
            NULL, NULL },
        { CE "\"type\":\"post.created\",\"data\":\"{\"}", "json: ", NULL, 0,
            NULL, NULL },
        { CE "\"type\":\"post.created\",\"data_base64\":\"e!\"}",
            "json: ", NULL, 0, NULL, NULL },
        { CE "\"type\":\"post.created\",\"data_base64\":5}", "type: ", NULL, 0,
            NULL, NULL },
        { CE "\"type\":\"post.created\",\"data\":" CE "\"type\":\"x\"}}",
            "event: ", NULL, 0, NULL, NULL },
        { CE "\"type\":\"post.created\",\"data\":{\"post\":5}}",
            "type: \"post\"", NULL, 0, NULL, NULL },
    };
    struct wn_item *item;

    check(rows, sizeof(rows) / sizeof(rows[0]));
    item = parse(CE "\"type\":\"post.created\",\"time\":"
                    "\"2026-02-03T04:05:06Z\",\"data\":" POST "}");
    assert_int_equal(item->rec.time_us, at("2026-02-03T04:05:06Z"));
    wn_item_free(item);
}

#define AS                                                                     \
    "{\"@context\":\"https://www.w3.org/ns/activitystreams\",\"actor\":"       \
    "\"https://s.example/u/ann\","

static void
parse_activities_carry_notes(void **state)
{
    static const struct row rows[] = {
        { AS "\"type\":\"Create\",\"object\":{\"id\":\"n1\",\"type\":\"Note\","
             "\"content\":\"<p>Hi <b>you</b> &amp; all</p><p>two<br/>three"
             "</p>\"}}",
            NULL, "n1", WN_POST_CREATED, "https://s.example/u/ann",
            "Hi you & all\ntwo\nthree" },
        { AS "\"type\":[\"Update\"],\"object\":{\"id\":\"n1\",\"type\":"
             "[\"Note\"],\"attributedTo\":[{\"id\":\"b\"}],\"content\":\"x\","
             "\"summary\":\"warning\"}}",
            NULL, "n1", WN_POST_UPDATED, "b", "warning\nx" },
        { AS "\"type\":\"Create\",\"object\":{\"id\":\"q\",\"type\":"
             "\"Question\",\"content\":\"poll?\"}}",
            NULL, "q", WN_POST_CREATED, "https://s.example/u/ann", "poll?" },
        { AS "\"type\":\"Delete\",\"object\":\"n1\"}", NULL, "n1",
            WN_POST_DELETED, NULL, NULL },
        { AS "\"type\":\"Delete\",\"object\":{\"id\":\"n2\",\"type\":"
             "\"Tombstone\"}}",
            NULL, "n2", WN_POST_DELETED, NULL, NULL },
        { AS "\"type\":\"Like\",\"object\":\"n1\"}", "event: ", NULL, 0, NULL,
            NULL },
        { AS "\"type\":\"Create\",\"object\":{\"id\":\"i\",\"type\":\"Image\","
             "\"content\":\"x\"}}",
            "event: ", "i", 0, NULL, NULL },
        { AS "\"type\":\"Create\"}", "id: no object", NULL, 0, NULL, NULL },
        { AS "\"type\":\"Create\",\"object\":\"n\"}", "type: object", NULL, 0,
            NULL, NULL },
        { AS "\"type\":\"Create\",\"object\":{\"type\":\"Note\",\"content\":"
             "\"x\"}}",
            "id: object.id", NULL, 0, NULL, NULL },
        { AS "\"type\":\"Create\",\"object\":{\"id\":\"n\",\"type\":\"Note\","
             "\"content\":7}}",
            "type: ", "n", 0, NULL, NULL },
        { "{\"type\":\"Create\",\"object\":{\"id\":\"n\",\"type\":\"Note\","
          "\"content\":\"x\"}}",
            "id: author.id", "n", 0, NULL, NULL },
    };

    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
parse_activities_give_links_media_and_times(void **state)
{
    struct wn_item *item = parse(
        AS "\"type\":\"Update\",\"object\":{\"id\":\"n\",\"type\":\"Note\","
           "\"contentMap\":{\"de\":\"<a href=\\\"https://x.example/?a=1&amp;"
           "b=2\\\">hier</a>\"},\"published\":\"2026-01-01T00:00:00Z\","
           "\"updated\":\"2026-01-02T00:00:00Z\",\"inReplyTo\":{\"id\":\"m\"},"
           "\"sensitive\":true,\"attachment\":[{\"type\":\"Document\","
           "\"mediaType\":\"image/png\",\"url\":\"https://x.example/1.png\"},"
           "{\"type\":\"Link\",\"href\":\"https://y.example/\"}]}}");

    assert_int_equal(item->outcome, WN_OUT_NONE);
    assert_string_equal(item->post.text.p, "hier");
    assert_string_equal(item->post.lang.p, "de");
    assert_string_equal(item->post.reply_to.p, "m");
    assert_int_equal(item->post.given_links_n, 2);
    assert_string_equal(
        item->post.given_links[0].p, "https://x.example/?a=1&b=2");
    assert_string_equal(item->post.given_links[1].p, "https://y.example/");
    assert_int_equal(item->post.media_n, 1);
    assert_int_equal(item->post.created_us, at("2026-01-01T00:00:00Z"));
    assert_int_equal(item->rec.time_us, at("2026-01-02T00:00:00Z"));
    assert_int_equal(item->sig.v[WN_SIG_POST_EXTRA].map.n, 1);
    wn_item_free(item);
}

static void
parse_html_is_what_a_reader_sees(void **state)
{
    static const struct {
        const char *html, *text;
    } rows[] = {
        { "plain", "plain" },
        { "a <  b > c", "a < b > c" },
        { "<div><p> a </p>\\n<p>b</p></div>", "a\nb" },
        { "a<br><br>b", "a\n\nb" },
        { "x<script>evil()</script>y<style>p{}</style>z", "xyz" },
        { "x<!-- hidden > --> y", "x y" },
        { "&#65;&#x42;&lt;&quot;&apos;&nbsp;&eacute;", "AB<\"' &eacute;" },
        { "&#0;&#xD800;&#1114112;", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "&#128512;", "\xF0\x9F\x98\x80" },
        { "<a title=\\\">\\\" href=x>y</a>", "y" },
        { "cut <a href=\\\"x", "cut" },
        { "<", "<" },
        { "&", "&" },
        { "<p></p>", "" },
        { "<3 you", "<3 you" },
    };
    char json[512];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wn_item *item;

        snprintf(json, sizeof(json),
            "{\"type\":\"Create\",\"actor\":\"a\",\"object\":{\"id\":\"n\","
            "\"type\":\"Note\",\"content\":\"%s\"}}",
            rows[i].html);
        item = parse(json);
        assert_int_equal(item->outcome, WN_OUT_NONE);
        assert_str(json, item->post.text, rows[i].text);
        wn_item_free(item);
    }
}

#define JS                                                                     \
    "{\"did\":\"did:plc:abc\",\"time_us\":1767225600000000,\"kind\":"          \
    "\"commit\",\"commit\":{\"rev\":\"3l3qo2vutsw2b\",\"collection\":"         \
    "\"app.bsky.feed.post\",\"rkey\":\"3l3q\","
#define URI "at://did:plc:abc/app.bsky.feed.post/3l3q"

static void
parse_jetstream_commits_carry_posts(void **state)
{
    static const struct row rows[] = {
        { JS "\"operation\":\"create\",\"record\":{\"text\":\"hi\"}}}", NULL,
            URI, WN_POST_CREATED, "did:plc:abc", "hi" },
        { JS "\"operation\":\"update\",\"record\":{\"text\":\"hi\"}}}", NULL,
            URI, WN_POST_UPDATED, "did:plc:abc", "hi" },
        { JS "\"operation\":\"delete\"}}", NULL, URI, WN_POST_DELETED,
            "did:plc:abc", NULL },
        { JS "\"operation\":\"create\",\"record\":{\"text\":\"\",\"embed\":{"
             "\"$type\":\"app.bsky.embed.external\",\"external\":{\"uri\":"
             "\"https://x.example\",\"title\":\"Title\",\"description\":"
             "\"More\"}}}}}",
            NULL, URI, WN_POST_CREATED, "did:plc:abc", "Title\nMore" },
        { JS "\"operation\":\"create\"}}", "type: commit.record", URI, 0, NULL,
            NULL },
        { JS "\"operation\":\"create\",\"record\":{\"text\":5}}}",
            "type: ", URI, 0, NULL, NULL },
        { JS "\"operation\":\"undo\",\"record\":{\"text\":\"t\"}}}",
            "event: ", URI, 0, NULL, NULL },
        { "{\"did\":\"d\",\"kind\":\"identity\"}", "event: ", NULL, 0, NULL,
            NULL },
        { "{\"did\":\"d\",\"kind\":\"commit\"}", "type: commit", NULL, 0, NULL,
            NULL },
        { "{\"did\":\"d\",\"kind\":\"commit\",\"commit\":{\"operation\":"
          "\"create\",\"collection\":\"app.bsky.feed.like\"}}",
            "event: ", NULL, 0, NULL, NULL },
        { "{\"did\":\"d\",\"kind\":\"commit\",\"commit\":{\"operation\":"
          "\"create\",\"collection\":\"app.bsky.feed.post\"}}",
            "id: commit.rkey", NULL, 0, NULL, NULL },
    };

    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
parse_jetstream_gives_revision_links_and_media(void **state)
{
    struct wn_item *item = parse(
        JS "\"operation\":\"create\",\"record\":{\"text\":\"hi\",\"langs\":"
           "[\"EN\"],\"createdAt\":\"2026-01-01T00:00:00.000Z\",\"reply\":{"
           "\"parent\":{\"uri\":\"at://x/y/z\"}},\"facets\":[{\"features\":[{"
           "\"$type\":\"app.bsky.richtext.facet#link\",\"uri\":"
           "\"https://x.example\"}]}],\"embed\":{\"$type\":"
           "\"app.bsky.embed.recordWithMedia\",\"media\":{\"$type\":"
           "\"app.bsky.embed.images\",\"images\":[{\"alt\":\"a\",\"image\":{"
           "\"ref\":{\"$link\":\"bafy1\"},\"mimeType\":\"image/jpeg\"}},"
           "{\"image\":{\"ref\":{\"$link\":\"bafy2\"}}}]}}}}}");
    struct wn_item *later;

    assert_int_equal(item->outcome, WN_OUT_NONE);
    assert_int_equal(item->rec.time_us, INT64_C(1767225600000000));
    assert_int_equal(item->post.created_us, at("2026-01-01T00:00:00Z"));
    assert_string_equal(item->post.lang.p, "en");
    assert_string_equal(item->post.reply_to.p, "at://x/y/z");
    assert_int_equal(item->post.given_links_n, 1);
    assert_int_equal(item->post.media_n, 2);
    assert_true(item->post.has_revision);
    later = parse("{\"did\":\"d\",\"kind\":\"commit\",\"commit\":{\"rev\":"
                  "\"3l3qo2vutsw2c\",\"operation\":\"delete\",\"collection\":"
                  "\"app.bsky.feed.post\",\"rkey\":\"k\"}}");
    assert_int_equal(later->post.revision, item->post.revision + 1);
    wn_item_free(later);
    wn_item_free(item);
}

/* A format that is fixed is not looked for. */
static void
parse_fixed_format_reads_that_envelope_only(void **state)
{
    struct wn_item *item = wn_item_new(1u << 20);
    static const char json[] = "{\"post\":" POST "}";

    item->rec.time_us = WN_TIME_UNKNOWN;
    item->rec.raw = (struct wn_str){ json, strlen(json) };
    wn_parse(item, WN_FORMAT_JETSTREAM, 1u << 20);
    assert_int_equal(item->outcome, WN_DEAD);
    assert_memory_equal(item->cause.p, "event: ", 7);
    wn_item_free(item);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(parse_cloudevents_carry_posts_and_events),
    cmocka_unit_test(parse_activities_carry_notes),
    cmocka_unit_test(parse_activities_give_links_media_and_times),
    cmocka_unit_test(parse_html_is_what_a_reader_sees),
    cmocka_unit_test(parse_jetstream_commits_carry_posts),
    cmocka_unit_test(parse_jetstream_gives_revision_links_and_media),
    cmocka_unit_test(parse_fixed_format_reads_that_envelope_only),
};

WN_TEST_MAIN("ingest_parse_envelopes", tests)
