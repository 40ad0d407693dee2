#include "tests/lib/test.h"

#include <sys/stat.h>

#include "core/options.h"

static struct wn_options *o;
static struct wn_err err;
static char path[4200];

static int
begin(void **state)
{
    o = wn_options_new();
    err.text[0] = '\0';
    snprintf(path, sizeof(path), "%s/winnow.conf", wn_test_dir());
    return o == NULL;
}

static int
end(void **state)
{
    wn_options_free(o);
    return 0;
}

static void
write_bytes(const void *p, size_t len)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void
write_file(const char *text)
{
    write_bytes(text, strlen(text));
}

/* The file's errors, after its path. */
static void
refuse_file(const char *text, const char *error)
{
    write_file(text);
    assert_int_equal(wn_options_file(o, path, &err), WN_REJECT);
    assert_memory_equal(err.text, path, strlen(path));
    assert_string_equal(err.text + strlen(path), error);
}

static void
options_file_has_lines_comments_and_quotes(void **state)
{
    write_file("\xef\xbb\xbf# a comment\r\n"
               "\n"
               "  store.batch_rows=7  # few\r\n"
               "\tingest.topic = \t a#b \n"
               "model.dir = \" with # and spaces \"  # so\n"
               "policy.file = # nothing\n"
               "database.url =\n"
               "kafka.group.id = g = h\n"
               "ingest.follow = yes");
    assert_wn_ok(wn_options_file(o, path, &err), &err);
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_ROWS), 7);
    assert_string_equal(wn_opt_str(o, WN_OPT_INGEST_TOPIC), "a#b");
    assert_string_equal(wn_opt_str(o, WN_OPT_MODEL_DIR), " with # and spaces ");
    assert_string_equal(wn_opt_str(o, WN_OPT_POLICY_FILE), "");
    assert_false(wn_opt_is_default(o, WN_OPT_POLICY_FILE));
    assert_string_equal(wn_opt_str(o, WN_OPT_DATABASE_URL), "");
    assert_true(wn_opt_bool(o, WN_OPT_INGEST_FOLLOW));
    assert_int_equal(wn_options_kafka_n(o), 1);
}

static void
options_file_errors_name_file_and_line(void **state)
{
    refuse_file("\n# x\nstore.batch_rows = many\n",
        ":3: store.batch_rows: \"many\" is not a whole number");
    refuse_file("log.level = info\nstore.batch_row = 5",
        ":2: unknown option \"store.batch_row\"; did you mean "
        "store.batch_rows?");
    refuse_file(
        "just words hunter2\n", ":1: not a line of the form name = value");
    refuse_file(
        "postgres://u:hunter2@h/db?x=y\n", ":1: no option has such a name");
    refuse_file("= 5\n", ":1: no option has such a name");
    refuse_file("model.dir = \"open\n", ":1: model.dir: quotes do not match");
    refuse_file("model.dir = \"a\" b\n", ":1: model.dir: quotes do not match");
    refuse_file("kafka.acks = 1\n",
        ":1: kafka.acks is not yours to set: the outbox forgets a row only "
        "when all replicas have it");
}

static void
options_file_that_cannot_be_read_is_an_error(void **state)
{
    char missing[4300];

    snprintf(missing, sizeof(missing), "%s.none", path);
    assert_int_equal(wn_options_file(o, missing, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "winnow.conf.none: No such file"));
    assert_int_equal(wn_options_file(o, wn_test_dir(), &err), WN_REJECT);
    assert_non_null(strstr(err.text, "Is a directory"));
    write_bytes("a\0b", 3);
    assert_int_equal(wn_options_file(o, path, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "is not a text file"));
    write_file("");
    assert_wn_ok(wn_options_file(o, path, &err), &err);
}

static void
options_file_is_bounded(void **state)
{
    static char big[(1 << 20) + 1];

    memset(big, '\n', sizeof(big));
    write_bytes(big, sizeof(big) - 1);
    assert_wn_ok(wn_options_file(o, path, &err), &err);
    write_bytes(big, sizeof(big));
    assert_int_equal(wn_options_file(o, path, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "over 1048576 bytes"));
}

static void
options_environment_names_are_those_of_the_table(void **state)
{
    char *env[] = { "HOME=/root", "WINNOW_STORE_BATCH_ROWS=9",
        "WINNOW_INGEST_POST_BYTES_MAX=2k", "WINNOW_DATABASE_URL=host=h",
        "WINNOW_KAFKA_BOOTSTRAP_SERVERS=k:9092",
        "WINNOW_KAFKA_SESSION_TIMEOUT_MS=9000", "WINNOWX=1",
        "WINNOW_CONFIG=/nowhere", NULL };
    const char *name, *value, *where;

    assert_wn_ok(wn_options_env(o, env, &err), &err);
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_ROWS), 9);
    assert_int_equal(wn_opt_int(o, WN_OPT_INGEST_POST_BYTES), 2048);
    assert_string_equal(wn_opt_str(o, WN_OPT_DATABASE_URL), "host=h");
    assert_int_equal(wn_options_kafka_n(o), 2);
    wn_options_kafka(o, 0, &name, &value, &where);
    assert_string_equal(name, "bootstrap.servers");
    assert_string_equal(value, "k:9092");
    wn_options_kafka(o, 1, &name, &value, &where);
    assert_string_equal(name, "session.timeout.ms");
}

static void
options_every_option_has_a_variable(void **state)
{
    char variable[200], *env[] = { variable, NULL };
    char *p;

#define O(id, name, type, def, min, max, unit, flags, help)                    \
    snprintf(variable, sizeof(variable), "WINNOW_%s=%s", name, def);           \
    for (p = variable + 7; *p != '='; p++)                                     \
        *p = (char)(*p == '.' ? '_' : *p >= 'a' && *p <= 'z' ? *p - 32 : *p);  \
    assert_wn_ok(wn_options_env(o, env, &err), &err);                          \
    assert_false(wn_opt_is_default(o, WN_OPT_##id));
    WN_OPTIONS(O)
#undef O
    assert_int_equal(wn_options_kafka_n(o), 0);
}

static void
refuse_env(char *variable, const char *error)
{
    char *env[] = { variable, NULL };

    assert_int_equal(wn_options_env(o, env, &err), WN_REJECT);
    assert_string_equal(err.text, error);
}

static void
options_environment_errors_name_the_variable(void **state)
{
    refuse_env("WINNOW_STORE_BATCH_ROW=5",
        "WINNOW_STORE_BATCH_ROW: unknown option \"store.batch_row\"; did you "
        "mean store.batch_rows?");
    refuse_env("WINNOW_STORE_BATCH_ROWS=x",
        "WINNOW_STORE_BATCH_ROWS: store.batch_rows: \"x\" is not a whole "
        "number");
    refuse_env("WINNOW_PATH=hunter2", "WINNOW_PATH: unknown option \"path\"; "
                                      "did you mean ingest.path?");
    refuse_env("WINNOW_KAFKA_AUTO_OFFSET_RESET=x",
        "WINNOW_KAFKA_AUTO_OFFSET_RESET: kafka.auto.offset.reset is not yours "
        "to set: a reset would skip or repeat records in silence; "
        "ingest.start says where a new topic begins");
    refuse_env("WINNOW_=5", "WINNOW_: no option has such a name");
}

static void
options_environment_of_kubernetes_services_is_passed_over(void **state)
{
    char *env[] = { "WINNOW_SERVICE_HOST=10.0.0.1", "WINNOW_SERVICE_PORT=9464",
        "WINNOW_SERVICE_PORT_HTTP=9464", "WINNOW_PORT=tcp://10.0.0.1:9464",
        "WINNOW_PORT_9464_TCP_ADDR=10.0.0.1",
        "WINNOW_KAFKA_SERVICE_HOST=10.0.0.2", NULL };

    assert_wn_ok(wn_options_env(o, env, &err), &err);
    assert_int_equal(wn_options_kafka_n(o), 0);
}

/* Loads a command line; returns what is left, joined by spaces. */
static char *no_env[] = { NULL };
static char left[500];

static enum wn_status
load(const char *line, char *const *env)
{
    static const char *const own[] = { "--jsonl", "--top=", "-h", NULL };
    static char words[1000];
    char *argv[50], *rest = words;
    enum wn_status rc;
    int argc = 0;

    snprintf(words, sizeof(words), "%s", line);
    while ((argv[argc] = strsep(&rest, " ")) != NULL)
        argc++;
    rc = wn_options_load(o, &argc, argv, own, env, &err);
    left[0] = '\0';
    for (int i = 1; i < argc && rc == WN_OK; i++) {
        strcat(left, argv[i]);
        strcat(left, i + 1 < argc ? " " : "");
    }
    if (rc == WN_OK)
        assert_null(argv[argc]);
    return rc;
}

static void
options_flags_take_both_spellings_and_leave_the_rest(void **state)
{
    assert_wn_ok(
        load("run --store.batch-rows=5 a --log.level debug --jsonl b "
             "--ingest.follow c --store.batch_age_ms 3 - --top 4 --top=6 -h "
             "--kafka.group.id=g --kafka.client.id x d",
            no_env),
        &err);
    assert_string_equal(left, "a --jsonl b c - --top 4 --top=6 -h d");
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_ROWS), 5);
    assert_int_equal(wn_opt_int(o, WN_OPT_STORE_AGE), 3);
    assert_string_equal(wn_opt_str(o, WN_OPT_LOG_LEVEL), "debug");
    assert_true(wn_opt_bool(o, WN_OPT_INGEST_FOLLOW));
    assert_int_equal(wn_options_kafka_n(o), 2);
    assert_wn_ok(load("run --ingest.follow=false", no_env), &err);
    assert_false(wn_opt_bool(o, WN_OPT_INGEST_FOLLOW));
}

static void
options_two_dashes_end_the_flags(void **state)
{
    assert_wn_ok(
        load("run x -- --store.batch-rows=5 --config y", no_env), &err);
    assert_string_equal(left, "x --store.batch-rows=5 --config y");
    assert_true(wn_opt_is_default(o, WN_OPT_STORE_ROWS));
}

static void
refuse_flags(const char *line, const char *error)
{
    assert_int_equal(load(line, no_env), WN_REJECT);
    assert_string_equal(err.text, error);
}

static void
options_flag_errors_name_the_flag(void **state)
{
    refuse_flags("run --store.batch-row=5",
        "--store.batch-row: unknown flag; did you mean --store.batch-rows?");
    refuse_flags("run --store.batch-rows", "--store.batch-rows: needs a value");
    refuse_flags("run --store.batch-rows=x",
        "--store.batch-rows: \"x\" is not a whole number");
    refuse_flags("run --jsonl=5", "--jsonl: takes no value");
    refuse_flags("run --jsnl", "--jsnl: unknown flag; did you mean --jsonl?");
    refuse_flags("run --topp=3", "--topp: unknown flag; did you mean --top?");
    refuse_flags("run --bootstrap.servers=x",
        "--bootstrap.servers: unknown flag; did you mean "
        "--kafka.bootstrap.servers?");
    refuse_flags("run --kafka.", "--kafka.: unknown flag");
    refuse_flags("run --colour=x", "--colour: unknown flag");
    refuse_flags("run -x",
        "-x: unknown flag; what begins with '-' and is no flag goes behind "
        "--");
    refuse_flags("run --top", "--top: needs a value");
    refuse_flags("run --config", "--config: needs a file");
    refuse_flags("run a --u:hunter2@h=b",
        "argument 2: no flag has such a name; "
        "what begins with '-' and is no flag goes behind --");
    refuse_flags("run --kafka.enable.auto.commit=true",
        "--kafka.enable.auto.commit: kafka.enable.auto.commit is not yours to "
        "set: the database cursor says what is done; Kafka's offset is only "
        "its mirror");
}

/* Bad usage is told from a bad configuration: the exit status differs. */
static void
options_know_bad_usage_from_a_bad_value(void **state)
{
    static const struct {
        const char *line;
        bool misused;
    } cases[] = {
        { "run --nonsense=1", true },
        { "run -x", true },
        { "run --top", true },
        { "run --store.batch-rows", true },
        { "run --store.batch-rows=many", false },
        { "run --config /nowhere", false },
        { "run --kafka.acks=1", false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wn_options_free(o);
        o = wn_options_new();
        assert_int_equal(load(cases[i].line, no_env), WN_REJECT);
        assert_int_equal(wn_options_misused(o), cases[i].misused);
    }
}

static void
options_later_sources_win(void **state)
{
    char config[4300], line[4400], other[4300],
        *env[] = { config, "WINNOW_SCORE_THREADS=2",
            "WINNOW_SCORE_BATCH_TOKENS=2", NULL };

    write_file("score.threads = 1\nscore.batch_tokens = 1\n"
               "score.windows_max = 1\n");
    snprintf(config, sizeof(config), "WINNOW_CONFIG=%s", path);
    assert_wn_ok(load("run --score.threads=3", env), &err);
    assert_int_equal(wn_opt_int(o, WN_OPT_SCORE_THREADS), 3);
    assert_int_equal(wn_opt_int(o, WN_OPT_SCORE_BATCH), 2);
    assert_int_equal(wn_opt_int(o, WN_OPT_SCORE_WINDOWS), 1);

    /* --config goes before WINNOW_CONFIG */
    snprintf(other, sizeof(other), "%s", path);
    snprintf(config, sizeof(config), "WINNOW_CONFIG=/nowhere");
    write_file("score.windows_max = 5\n");
    snprintf(
        line, sizeof(line), "run --top --config a --config %.200s b", other);
    assert_wn_ok(load(line, env), &err);
    assert_string_equal(left, "--top --config a b");
    assert_int_equal(wn_opt_int(o, WN_OPT_SCORE_WINDOWS), 5);
    assert_int_equal(load("run", env), WN_REJECT);
    assert_memory_equal(err.text, "WINNOW_CONFIG: /nowhere: No such file", 37);
    assert_int_equal(load("run --config=/not/there", env), WN_REJECT);
    assert_memory_equal(err.text, "--config: /not/there: No such file", 34);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
static const struct CMUnitTest tests[] = {
    T(options_file_has_lines_comments_and_quotes),
    T(options_file_errors_name_file_and_line),
    T(options_file_that_cannot_be_read_is_an_error),
    T(options_file_is_bounded),
    T(options_environment_names_are_those_of_the_table),
    T(options_every_option_has_a_variable),
    T(options_environment_errors_name_the_variable),
    T(options_environment_of_kubernetes_services_is_passed_over),
    T(options_flags_take_both_spellings_and_leave_the_rest),
    T(options_two_dashes_end_the_flags),
    T(options_flag_errors_name_the_flag),
    T(options_know_bad_usage_from_a_bad_value),
    T(options_later_sources_win),
};
WN_TEST_MAIN("core_options_load", tests)
