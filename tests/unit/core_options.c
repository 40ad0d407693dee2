#include "tests/lib/test.h"

#include "core/options.h"

static struct wn_options *o;
static struct wn_err err;

static int
begin(void **state)
{
    o = wn_options_new();
    err.text[0] = '\0';
    return o == NULL;
}

static int
end(void **state)
{
    wn_options_free(o);
    return 0;
}

static void
set(const char *name, const char *value)
{
    assert_wn_ok(wn_options_set(o, name, value, "here", &err), &err);
}

static void
refuse(const char *name, const char *value, const char *text)
{
    assert_int_equal(wn_options_set(o, name, value, "here", &err), WN_REJECT);
    assert_string_equal(err.text, text);
}

static void
options_begin_with_the_defaults_of_the_table(void **state)
{
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_ROWS), 2000);
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_BYTES), 4 << 20);
    assert_int_equal(wn_opt_int(o, WN_OPT_INGEST_BYTES), 16 << 20);
    assert_string_equal(wn_opt_str(o, WN_OPT_INGEST_SOURCE), "kafka");
    assert_false(wn_opt_bool(o, WN_OPT_INGEST_FOLLOW));
    for (int i = 0; i < WN_OPT_COUNT; i++)
        assert_true(wn_opt_is_default(o, (enum wn_option)i));
    assert_int_equal(wn_options_kafka_n(o), 0);
}

static void
options_values_are_read_by_their_type(void **state)
{
    set("store.batch_rows", "20000");
    set("ingest.bytes_max", "1G");
    set("ingest.follow", "on");
    set("log.format", "json");
    set("database.url", "host=/tmp dbname=x");
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_ROWS), 20000);
    assert_int_equal(wn_opt_int(o, WN_OPT_INGEST_BYTES), 1 << 30);
    assert_true(wn_opt_bool(o, WN_OPT_INGEST_FOLLOW));
    assert_string_equal(wn_opt_str(o, WN_OPT_LOG_FORMAT), "json");
    assert_string_equal(
        wn_opt_str(o, WN_OPT_DATABASE_URL), "host=/tmp dbname=x");
    assert_false(wn_opt_is_default(o, WN_OPT_STORE_ROWS));
    set("store.batch_bytes", "65536");
    set("store.batch_bytes", "64k");
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_BYTES), 65536);
}

static void
options_the_last_value_wins(void **state)
{
    set("store.batch_rows", "5");
    set("store.batch_rows", "6");
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_ROWS), 6);
    refuse("store.batch_rows", "0",
        "here: store.batch_rows: 0 is under the minimum, 1 records");
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_ROWS), 6);
}

static void
options_bounds_are_named_with_their_unit(void **state)
{
    refuse("store.batch_rows", "20001",
        "here: store.batch_rows: 20001 is over the maximum, 20000 records");
    refuse("store.batch_bytes", "257m",
        "here: store.batch_bytes: 257m is over the maximum, 256m bytes");
    refuse("score.threads", "-1",
        "here: score.threads: -1 is under the minimum, 0 threads");
}

static void
options_numbers_are_numbers_to_the_last_character(void **state)
{
    static const char *const bad[] = { "", " 5", "5 ", "+5", "0x10", "5.0",
        "five", "5k", "-", "99999999999999999999", "1e3" };
    char text[200];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text),
            "here: store.batch_rows: \"%s\" is not a whole number", bad[i]);
        refuse("store.batch_rows", bad[i], text);
    }
    refuse("store.batch_bytes", "4mb",
        "here: store.batch_bytes: \"4mb\" is not a size (a whole number, with "
        "k, m or g for powers of 1024)");
    assert_int_equal(wn_options_set(o, "ingest.bytes_max", "9007199254740993g",
                         "here", &err),
        WN_REJECT);
    assert_non_null(strstr(err.text, "is not a size"));
}

static void
options_words_and_switches_name_what_is_allowed(void **state)
{
    refuse("log.level", "loud",
        "here: log.level: \"loud\" is none of debug|info|warn|error");
    refuse("log.level", "info|warn",
        "here: log.level: \"info|warn\" is none of debug|info|warn|error");
    refuse("log.level", "inf",
        "here: log.level: \"inf\" is none of debug|info|warn|error");
    refuse("ingest.follow", "maybe",
        "here: ingest.follow: \"maybe\" is not true or false");
}

static void
options_know_where_their_values_were_set(void **state)
{
    assert_string_equal(wn_opt_where(o, WN_OPT_HTTP_LISTEN), "default");
    assert_wn_ok(
        wn_options_set(o, "http.listen", "off", "x.conf:3", &err), &err);
    assert_string_equal(wn_opt_where(o, WN_OPT_HTTP_LISTEN), "x.conf:3");
    set("http.listen", "127.0.0.1:0");
    assert_string_equal(wn_opt_where(o, WN_OPT_HTTP_LISTEN), "here");
    /* a value that was refused changes nothing */
    assert_int_equal(
        wn_options_set(o, "store.batch_rows", "many", "y", &err), WN_REJECT);
    assert_string_equal(wn_opt_where(o, WN_OPT_STORE_ROWS), "default");
}

static void
options_a_start_is_a_word_or_a_time(void **state)
{
    set("ingest.start", "end");
    set("ingest.start", "2026-11-24T05:00:00+01:00");
    assert_int_equal(
        wn_options_set(o, "ingest.start", "yesterday", "x.conf:3", &err),
        WN_REJECT);
    assert_memory_equal(err.text, "x.conf:3: ingest.start: \"yesterday\"", 35);
}

static void
options_unknown_names_get_a_suggestion_when_one_is_near(void **state)
{
    refuse("store.batch_row", "5",
        "here: unknown option \"store.batch_row\"; did you mean "
        "store.batch_rows?");
    refuse("store.batch.rows", "5",
        "here: unknown option \"store.batch.rows\"; did you mean "
        "store.batch_rows?");
    refuse("databse.url", "x",
        "here: unknown option \"databse.url\"; did you mean database.url?");
    refuse("retention_days", "5",
        "here: unknown option \"retention_days\"; did you mean "
        "store.retention_days?");
    refuse("bootstrap.servers", "x",
        "here: unknown option \"bootstrap.servers\"; did you mean "
        "kafka.bootstrap.servers?");
    refuse("colour", "x", "here: unknown option \"colour\"");
    refuse("kafka.", "x", "here: unknown option \"kafka.\"");
}

static void
options_a_secret_at_the_wrong_place_is_not_shown(void **state)
{
    char longer[300];

    refuse(
        "postgres://u:hunter2@h/db?a", "b", "here: no option has such a name");
    refuse("", "hunter2", "here: no option has such a name");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    refuse(longer, "hunter2", "here: no option has such a name");
    refuse("database.url", "hunter2\n",
        "here: database.url: holds a control character");
    refuse("kafka.sasl.password", "hunter2\x7f",
        "here: kafka.sasl.password: holds a control character");
}

static void
options_long_values_are_refused(void **state)
{
    static char value[8194];

    memset(value, 'x', sizeof(value) - 1);
    refuse("model.dir", value, "here: model.dir: over 8192 bytes");
    value[8192] = '\0';
    set("model.dir", value);
    assert_string_equal(wn_opt_str(o, WN_OPT_MODEL_DIR), value);
}

static void
options_kafka_settings_pass_through_in_order(void **state)
{
    const char *name, *value, *where;

    set("kafka.bootstrap.servers", "a:9092");
    set("kafka.group.id", "g");
    set("kafka.bootstrap.servers", "b:9092");
    assert_int_equal(wn_options_kafka_n(o), 2);
    wn_options_kafka(o, 0, &name, &value, &where);
    assert_string_equal(name, "bootstrap.servers");
    assert_string_equal(value, "b:9092");
    wn_options_kafka(o, 1, &name, &value, &where);
    assert_string_equal(name, "group.id");
    assert_string_equal(value, "g");
}

static void
options_kafka_settings_of_the_fence_are_refused_with_the_reason(void **state)
{
    static const char *const names[] = { "enable.auto.commit",
        "auto.commit.enable", "enable.auto.offset.store", "auto.offset.reset",
        "partition.assignment.strategy", "isolation.level",
        "enable.idempotence", "check.crcs", "enable.partition.eof",
        "message.timeout.ms", "group.protocol", "group.remote.assignor",
        "transactional.id", "acks", "delivery.report.only.error" };
    char option[100];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(option, sizeof(option), "kafka.%s", names[i]);
        assert_non_null(wn_options_kafka_owned(names[i]));
        assert_int_equal(
            wn_options_set(o, option, "x", "here", &err), WN_REJECT);
        assert_non_null(strstr(err.text, wn_options_kafka_owned(names[i])));
    }
    refuse("kafka.partition.assignment.strategy", "range",
        "here: kafka.partition.assignment.strategy is not yours to set: use "
        "ingest.assignor");
    assert_int_equal(wn_options_kafka_n(o), 0);
    assert_null(wn_options_kafka_owned("bootstrap.servers"));
    assert_null(wn_options_kafka_owned("session.timeout.ms"));
}

static void
options_kafka_settings_are_bounded(void **state)
{
    char name[40];

    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof(name), "kafka.x%d", i);
        set(name, "1");
    }
    refuse("kafka.one.more", "1", "here: over 256 kafka.* settings");
    set("kafka.x7", "2"); /* one that is there may still change */
    assert_int_equal(wn_options_kafka_n(o), 256);
}

static void
options_secrets_are_shown_as_stars(void **state)
{
    static const char *const secret[] = { "database.url", "kafka.sasl.password",
        "sasl.password", "kafka.ssl.key.password",
        "kafka.ssl.keystore.password", "kafka.sasl.oauthbearer.client.secret",
        "kafka.ssl.key.pem", "kafka.sasl.oauthbearer.config" };

    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        assert_string_equal(wn_option_shown(secret[i], "hunter2"), "***");
    assert_string_equal(wn_option_shown("database.url", ""), "");
    assert_string_equal(wn_option_shown("ingest.topic", "posts"), "posts");
    assert_string_equal(
        wn_option_shown("kafka.bootstrap.servers", "a:1"), "a:1");
}

static void
options_help_has_each_option_in_80_columns(void **state)
{
    static const char *const some[] = { "http.", "log.l", NULL };
    struct wn_buf out;
    int flags = 0;

    wn_buf_init(&out, 1 << 16);
    wn_options_help(&out, NULL);
    wn_buf_char(&out, '\0');
    for (const char *p = out.data; *p != '\0'; p += strcspn(p, "\n") + 1) {
        flags += strncmp(p, "  --", 4) == 0;
        assert_true(strcspn(p, "\n") <= 80);
        assert_true(strncmp(p, "  --", 4) == 0 || strspn(p, " ") == 32);
    }
    assert_int_equal(flags, WN_OPT_COUNT);
    assert_non_null(strstr(out.data,
        "  --store.batch-rows=N          most records in one transaction "
        "[2000; 1 to\n                                20000 records]\n"));
    assert_non_null(strstr(out.data, "  --ingest.follow               wait "));
    assert_non_null(strstr(out.data, "[info; debug, info,"));
    wn_buf_reset(&out);
    wn_options_help(&out, some);
    assert_non_null(strstr(out.data, "--http.listen=TEXT"));
    assert_non_null(strstr(out.data, "--log.level=WORD"));
    assert_null(strstr(out.data, "--log.format"));
    assert_null(strstr(out.data, "store"));
    wn_buf_release(&out);
}

static void
options_page_has_every_option_and_every_refused_setting(void **state)
{
    struct wn_buf out;
    char row[200];
    int sections = 0;

    wn_buf_init(&out, 1 << 20);
    wn_options_markdown(&out);
    assert_false(out.failed);
#define O(id, name, type, def, min, max, unit, flags, help)                    \
    snprintf(row, sizeof(row), "\n| `%s` | ", name);                           \
    assert_non_null(strstr(out.data, row));                                    \
    assert_non_null(strstr(out.data,                                           \
        (flags)&WN_OPT_RELOAD                                                  \
            ? " | " help "; a running worker reads it again on SIGHUP |\n"     \
            : " | " help " |\n"));
    WN_OPTIONS(O)
#undef O
    for (const char *p = out.data; (p = strstr(p, "\n## ")) != NULL; p++)
        sections++;
    assert_int_equal(sections, 12); /* of 10 prefixes, kafka, environment */
    assert_non_null(strstr(out.data, "| `auto.offset.reset` | a reset "));
    assert_non_null(strstr(out.data, "| text, secret | libpq"));
    wn_buf_release(&out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
static const struct CMUnitTest tests[] = {
    T(options_begin_with_the_defaults_of_the_table),
    T(options_values_are_read_by_their_type),
    T(options_the_last_value_wins),
    T(options_bounds_are_named_with_their_unit),
    T(options_numbers_are_numbers_to_the_last_character),
    T(options_words_and_switches_name_what_is_allowed),
    T(options_know_where_their_values_were_set),
    T(options_a_start_is_a_word_or_a_time),
    T(options_unknown_names_get_a_suggestion_when_one_is_near),
    T(options_a_secret_at_the_wrong_place_is_not_shown),
    T(options_long_values_are_refused),
    T(options_kafka_settings_pass_through_in_order),
    T(options_kafka_settings_of_the_fence_are_refused_with_the_reason),
    T(options_kafka_settings_are_bounded),
    T(options_secrets_are_shown_as_stars),
    T(options_help_has_each_option_in_80_columns),
    T(options_page_has_every_option_and_every_refused_setting),
};
WN_TEST_MAIN("core_options", tests)
