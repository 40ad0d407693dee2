/*
 * What stands before the model in a tokenizer.json: added tokens, normalizer,
 * pre-tokenizer. The model of these cases knows each letter they need, so that
 * tokens show what the steps have made of a text.
 */
#include "tests/unit/tokenizer_kit.h"

#include "core/clock.h"

#define MODEL                                                                    \
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"</s>\",1],"      \
    "\"cls\":[\"<s>\",0]},\"model\":{\"type\":\"Unigram\",\"unk_id\":2,"         \
    "\"vocab\":[[\"<s>\",0],[\"</s>\",0],[\"<unk>\",0],[\"a\",-1],[\"b\",-1],"   \
    "[\"A\",-1],[\"▁\",-1],[\" \",-1],[\"é\",-1],[\"e\",-1],[\"\u0301\",-1]," \
    "[\"ab\",-1],[\"日\",-1],[\"ガ\",-1],[\"!\",-1],[\"\\t\",-1],[\"\\n\",-1]" \
    ","                                                                          \
    "[\"i\",-1],[\"\u0307\",-1],[\"fi\",-1],[\"\u0323\",-1],[\"x\",-1]]}"
#define NORM(steps) "{\"normalizer\":" steps "," MODEL "}"
#define SEQUENCE(steps)                                                        \
    NORM("{\"type\":\"Sequence\",\"normalizers\":[" steps "]}")
#define REPLACE(pattern, with)                                                 \
    "{\"type\":\"Replace\",\"pattern\":{" pattern "},\"content\":\"" with "\"" \
    "}"
#define REGEX(pattern, with) NORM(REPLACE("\"Regex\":\"" pattern "\"", with))
#define PRE(steps) "{\"pre_tokenizer\":" steps "," MODEL "}"

/* One row a file: opened, and a text's tokens and their places. */
struct row {
    const char *json, *text, *tokens, *places;
};

static void
check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct kit k;

        kit_open(&k, rows[i].json);
        kit_tokens(&k, rows[i].text, rows[i].tokens);
        kit_places(&k, rows[i].text, rows[i].places);
        kit_close(&k);
    }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void
replace_takes_strings_and_simple_patterns(void **state)
{
    static const struct row rows[] = {
        { NORM(REPLACE("\"String\":\"xx\"", "!")), "axxxa", "a|!|x|a",
            "a|xx|x|a" },
        { NORM(REPLACE("\"String\":\"x\"", "")), "axxa", "a|a", "a|a" },
        { REGEX(" {2,}", " "), "a   b b", "a| |b| |b", "a|   |b| |b" },
        { REGEX(" {2}", "!"), "a   a", "a|!| |a", "a|  | |a" },
        { REGEX("x{1,2}", "!"), "xxx", "!|!", "xx|x" },
        { REGEX("x+", "!"), "axxxa", "a|!|a", "a|xxx|a" },
        { REGEX("\\\\s+", " "), "a\t\u3000\nb", "a| |b", "a|\t\u3000\n|b" },
        { REGEX("[x-z\\\\x{65E5}]", "!"), "ayz日a", "a|!|!|!|a", "a|y|z|日|a" },
        { REGEX("[^ab]+", "!"), "ax日yb", "a|!|b", "a|x日y|b" },
        { REGEX("[\\\\s!]", "é"), "a!\u00a0", "a|é|é", "a|!|\u00a0" },
        { REGEX("\\\\x78\\\\.", "!"), "ax.xx", "a|!|x|x", "a|x.|x|x" },
        { REGEX("''", "!"), "a'''", "a|!|<unk>", "a|''|'" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void
replace_refuses_what_it_does_not_know(void **state)
{
    static const char *const rows[] = { REGEX("a|b", ""), REGEX("a*", ""),
        REGEX("a?", ""), REGEX("(a)", ""), REGEX(".", ""), REGEX("a+b", ""),
        REGEX("[a", ""), REGEX("[b-a]", ""), REGEX("[[:alpha:]]", ""),
        REGEX("a{0,2}", ""), REGEX("a{3,2}", ""), REGEX("a{99999}", ""),
        REGEX("\\\\d", ""), REGEX("\\\\x{110000}", ""), REGEX("\\\\x{41", ""),
        REGEX("", ""), REGEX("^a", ""), REGEX("a$", ""), REGEX("[a&&b]", ""),
        NORM(REPLACE("\"String\":\"\"", "")) };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        kit_refuses(rows[i], "Replace's pattern");
    kit_refuses(NORM("{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"}}"),
        "Replace has no 'content'");
}

#define TYPE(name) "{\"type\":\"" name "\"}"

static void
normal_forms_are_those_of_unicode_9(void **state)
{
    static const struct row rows[] = {
        { NORM(TYPE("NFC")), "e\u0301é", "é|é", "e\u0301|é" },
        { NORM(TYPE("NFD")), "é", "e|\u0301", "é|é" },
        { NORM(TYPE("NFKC")), "\ufb01\uff76\uff9e\uff21", "fi|ガ|A",
            "\ufb01|\uff76\uff9e|\uff21" },
        { NORM(TYPE("NFKD")), "\ufb01é", "fi|e|\u0301", "\ufb01|é|é" },
        /* canonical order: the mark below first */
        { NORM(TYPE("NFD")), "e\u0301\u0323", "e|\u0323|\u0301",
            "e\u0301\u0323|e\u0301\u0323|e\u0301\u0323" },
        /* U+1B132, of a later version, is left alone */
        { NORM(TYPE("NFKC")), "\U0001b132\u0301a", "<unk>|\u0301|a",
            "\U0001b132|\u0301|a" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void
other_steps_change_characters_one_by_one(void **state)
{
    static const struct row rows[] = {
        { NORM(TYPE("Lowercase")), "AÉ\u0130", "a|é|i|\u0307",
            "A|É|\u0130|\u0130" },
        { SEQUENCE(TYPE("NFD") "," TYPE("StripAccents")), "éa\u0301", "e|a",
            "é|a" },
        { NORM("{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}"),
            " \u3000a b \n", "a| |b", "a| |b" },
        { NORM("{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":"
               "false}"),
            " a ", "a| ", "a| " },
        { NORM("{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}"),
            "  ", "", "" },
        { NORM("{\"type\":\"Prepend\",\"prepend\":\"▁\"}"), "a", "▁|a", "a|a" },
        { NORM("{\"type\":\"Prepend\",\"prepend\":\"▁\"}"), "", "", "" },
        { NORM(TYPE("BertNormalizer")), "A\u200bÉ\t日", "a|e| | |日| ",
            "A|É|\t|日|日|日" },
        { NORM("{\"type\":\"BertNormalizer\",\"lowercase\":false}"), "AÉ",
            "A|<unk>", "A|É" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void
pre_tokenizers_cut(void **state)
{
    static const struct row rows[] = {
        { PRE(TYPE("WhitespaceSplit")), " ab a\u3000b\n", "ab|a|b", "ab|a|b" },
        { PRE(TYPE("BertPreTokenizer")), "a!b  ab", "a|!|b|ab", "a|!|b|ab" },
        /* no piece goes over a cut */
        { PRE("{\"type\":\"Metaspace\",\"replacement\":\"a\","
              "\"prepend_scheme\":\"never\"}"),
            "bab b", "b|ab|ab", "b|ab| b" },
        { PRE("{\"type\":\"Metaspace\",\"replacement\":\"▁\","
              "\"add_prefix_space\":true}"),
            "a b", "▁|a|▁|b", "a|a| |b" },
        { PRE("{\"type\":\"Metaspace\",\"replacement\":\"▁\","
              "\"prepend_scheme\":\"never\",\"add_prefix_space\":false}"),
            "a b", "a|▁|b", "a| |b" },
        { PRE("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
              "\"WhitespaceSplit\"},{\"type\":\"Metaspace\",\"replacement\":"
              "\"▁\"}]}"),
            "a  b", "▁|a|▁|b", "a|a|b|b" },
        { PRE("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
              "\"WhitespaceSplit\"},{\"type\":\"Metaspace\",\"replacement\":"
              "\"▁\",\"prepend_scheme\":\"first\"}]}"),
            "a b", "▁|a|b", "a|a|b" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

#define ADDED(members)                                                         \
    "{\"normalizer\":{\"type\":\"Lowercase\"},\"added_tokens\":[{\"id\":99,"   \
    "\"content\":\"Bab\"," members "}]," MODEL "}"

static void
added_tokens_are_found_in_the_text(void **state)
{
    static const struct row rows[] = {
        { ADDED("\"normalized\":false"), "aBabbab", "a|Bab|b|ab",
            "a|Bab|b|ab" },
        { ADDED("\"normalized\":true"), "aBabbab", "a|Bab|Bab", "a|Bab|bab" },
        { ADDED("\"special\":true,\"normalized\":false"), "Bab", "b|ab",
            "B|ab" },
        { ADDED("\"single_word\":true"), "bab abab bab!", "Bab| |ab|ab| |Bab|!",
            "bab| |ab|ab| |bab|!" },
        { ADDED("\"lstrip\":true"), "a  bab b", "a|Bab| |b", "a|  bab| |b" },
        { ADDED("\"rstrip\":true"), "a bab \tb", "a| |Bab|b", "a| |bab \t|b" },
        { ADDED("\"lstrip\":true,\"rstrip\":true"), "bab bab bab",
            "Bab|Bab|Bab", "bab |bab |bab" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void
white_space_that_an_added_token_took_is_gone(void **state)
{
    static const struct row rows[] = {
        { "{\"added_tokens\":[{\"id\":98,\"content\":\"  \"},{\"id\":99,"
          "\"content\":\"x\",\"rstrip\":true}]," MODEL "}",
            "a  x     a", "a|  |x|a", "a|  |x     |a" },
        { "{\"added_tokens\":[{\"id\":98,\"content\":\" a\"},{\"id\":99,"
          "\"content\":\"x\",\"rstrip\":true}]," MODEL "}",
            "x a", "x| a", "x |a" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

/* The map of tests/golden, with the model of this file. */
static void
open_map(struct kit *k)
{
    json_t *whole =
        json_load_file("tests/golden/xlm_roberta/tokenizer.json", 0, NULL);
    json_t *root = json_loads(NORM("null"), 0, NULL), *steps;
    char *json;

    assert_non_null(whole);
    assert_non_null(root);
    steps =
        json_object_get(json_object_get(whole, "normalizer"), "normalizers");
    assert_int_equal(
        json_object_set(root, "normalizer", json_array_get(steps, 0)), 0);
    json = json_dumps(root, 0);
    assert_non_null(json);
    kit_open(k, json);
    free(json);
    json_decref(root);
    json_decref(whole);
}

static void
a_character_map_looks_at_short_clusters_first(void **state)
{
    static const struct row rows[] = {
        { NULL, "ab", "ab", "ab" },
        { NULL, "", "", "" },
        { NULL, "a\r\nb\r", "a| |b| ", "a|\r\n|b|\r" },
        { NULL, "e\u0301\ufb01", "é|fi", "e\u0301|\ufb01" },
        { NULL,
            "a\x01\x02"
            "b",
            "ab",
            "a\x01\x02"
            "b" },
        /* the shortest key that a cluster begins with stands for all of it */
        { NULL, "\ufb01\u0301x", "fi|x", "\ufb01\u0301|x" },
        /* six bytes are too many for that */
        { NULL, "\ufb01\u0301\u0301x", "fi|\u0301|\u0301|x",
            "\ufb01|\u0301|\u0301|x" },
        { NULL, "x\u0323e", "x|\u0323|e", "x|\u0323|e" },
    };
    struct kit k;

    (void)state;
    open_map(&k);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        kit_tokens(&k, rows[i].text, rows[i].tokens);
        kit_places(&k, rows[i].text, rows[i].places);
    }
    kit_close(&k);
}

static void
broken_character_maps_are_refused(void **state)
{
    static const char *const maps[] = { "", "AAAA", "BAAAAA==", "!", "////////",
        "CAAAAAAAAAAAAAAA", "BAAAAAAAAAD/AA==" };
    char json[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        snprintf(json, sizeof(json),
            "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap"
            "\":\"%s\"}," MODEL "}",
            maps[i]);
        kit_refuses(json, "precompiled_charsmap");
    }
    kit_refuses(NORM(TYPE("Precompiled")), "precompiled_charsmap");
}

static void
what_is_not_supported_is_named(void **state)
{
    static const char *const rows[][2] = {
        { NORM(TYPE("Nmt")), "normalizer 'Nmt'" },
        { NORM("{}"), "normalizer has no 'type'" },
        { SEQUENCE("3"), "normalizer has no 'type'" },
        { NORM(TYPE("Prepend")), "Prepend has no 'prepend'" },
        { PRE(TYPE("Digits")), "pre_tokenizer 'Digits'" },
        { PRE("{}"), "pre_tokenizer has no 'type'" },
        { PRE(TYPE("Metaspace")), "Metaspace's replacement" },
        { PRE("{\"type\":\"Metaspace\",\"replacement\":\"▁\","
              "\"prepend_scheme\":\"last\"}"),
            "prepend_scheme" },
        { "{\"added_tokens\":[{\"id\":1}]," MODEL "}", "added_tokens[0]" },
        { "{\"added_tokens\":[{\"id\":-1,\"content\":\"a\"}]," MODEL "}",
            "added_tokens[0]" },
        { "{\"model\":{\"type\":\"WordLevel\"}}", "model 'WordLevel'" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        kit_refuses(rows[i][0], rows[i][1]);
}

/* Ten steps that each make ten of one. */
static void
a_file_cannot_make_a_text_grow_without_end(void **state)
{
    static char json[65536];
    struct wn_err err;
    struct kit k;
    size_t n;

    (void)state;
    n = (size_t)snprintf(json, sizeof(json),
        "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
    for (int i = 0; i < 10; i++)
        n += (size_t)snprintf(json + n, sizeof(json) - n, "%s%s",
            i == 0 ? "" : ",", REPLACE("\"String\":\"a\"", "aaaaaaaaaa"));
    snprintf(json + n, sizeof(json) - n, "]}," MODEL "}");
    kit_open(&k, json);
    kit_tokens(&k, "b", "b");
    assert_int_equal(wn_tokenizer_run(k.t, "a", 1, &k.tk, &err), WN_STOP);
    assert_non_null(strstr(err.text, "many times as long"));
    kit_tokens(&k, "b", "b");
    kit_close(&k);
}

/* A list in a list in a list. */
static void
lists_may_not_be_deep_or_long(void **state)
{
    static char json[65536];
    size_t n = 0;

    (void)state;
    n += (size_t)snprintf(json, sizeof(json), "{\"normalizer\":");
    for (int i = 0; i < 20; i++)
        n += (size_t)snprintf(json + n, sizeof(json) - n,
            "{\"type\":\"Sequence\",\"normalizers\":[");
    for (int i = 0; i < 20; i++)
        n += (size_t)snprintf(json + n, sizeof(json) - n, "]}");
    snprintf(json + n, sizeof(json) - n, "," MODEL "}");
    kit_refuses(json, "normalizer has more than");
    n = (size_t)snprintf(json, sizeof(json),
        "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[");
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(json + n, sizeof(json) - n, "%s%s",
            i == 0 ? "" : ",", TYPE("WhitespaceSplit"));
    snprintf(json + n, sizeof(json) - n, "]}," MODEL "}");
    kit_refuses(json, "pre_tokenizer has more than");
}

/* Marks in a row are put in order and composed; each text is one sequence. */
static void
a_hostile_megabyte_of_marks_is_cheap(void **state)
{
    enum { N = 1 << 20 };
    static const char *const forms[] = { NORM(TYPE("NFKC")),
        NORM(TYPE("NFD")) };
    char *text = malloc(N);
    int64_t begin = wn_clock_mono_us();

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < N; i += 2)
        memcpy(text + i, i % 4 == 0 ? "\u0301" : "\u0323", 2);
    for (size_t i = 0; i < 2; i++) {
        struct kit k;

        kit_open(&k, forms[i]);
        kit_run(&k, text, N);
        assert_int_equal(k.tk.n, N / 2);
        kit_close(&k);
    }
    print_message("# 1 MiB of marks, twice: %lld ms\n",
        (long long)(wn_clock_mono_us() - begin) / 1000);
    free(text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(replace_takes_strings_and_simple_patterns),
    cmocka_unit_test(replace_refuses_what_it_does_not_know),
    cmocka_unit_test(normal_forms_are_those_of_unicode_9),
    cmocka_unit_test(other_steps_change_characters_one_by_one),
    cmocka_unit_test(pre_tokenizers_cut),
    cmocka_unit_test(added_tokens_are_found_in_the_text),
    cmocka_unit_test(white_space_that_an_added_token_took_is_gone),
    cmocka_unit_test(a_character_map_looks_at_short_clusters_first),
    cmocka_unit_test(broken_character_maps_are_refused),
    cmocka_unit_test(what_is_not_supported_is_named),
    cmocka_unit_test(a_file_cannot_make_a_text_grow_without_end),
    cmocka_unit_test(lists_may_not_be_deep_or_long),
    cmocka_unit_test(a_hostile_megabyte_of_marks_is_cheap),
};

WN_TEST_MAIN("model tokenizer steps", tests)
