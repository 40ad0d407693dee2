/*
 * The Unigram model: which of all ways to cut a text is taken, and what a text
 * must not come to. tests/golden has the rest, as numbers.
 */
#include "tests/unit/tokenizer_kit.h"

#include "core/clock.h"

#define AROUND                                                                 \
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["         \
    "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},"                       \
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"                             \
    "{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}],"                     \
    "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[0],\"tokens\":["     \
    "\"<s>\"]},\"</s>\":{\"id\":\"</s>\",\"ids\":[2],\"tokens\":[\"</s>\"]}}}"
#define SPECIAL "[\"<s>\",0],[\"<pad>\",0],[\"</s>\",0],[\"<unk>\",0]"
#define MODEL(pieces)                                                          \
    "{" AROUND                                                                 \
    ",\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":[" SPECIAL        \
    "," pieces "]}}"
#define WITH(steps, pieces)                                                    \
    "{" AROUND "," steps ",\"model\":{\"type\":\"Unigram\",\"unk_id\":3,"      \
    "\"vocab\":[" SPECIAL "," pieces "]}}"
#define META                                                                   \
    "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"▁\","       \
    "\"prepend_scheme\":\"always\",\"split\":false}"

static void
the_sum_of_scores_decides(void **state)
{
    struct kit k;

    (void)state;
    kit_open(
        &k, MODEL("[\"a\",-1],[\"b\",-1],[\"c\",-3],[\"ab\",-1.5],[\"bc\",-2],"
                  "[\"abc\",-4]"));
    kit_tokens(&k, "", "");
    kit_tokens(&k, "ab", "ab");
    kit_tokens(&k, "abc", "a|bc"); /* -3, before -4 and -4.5 */
    kit_tokens(&k, "abcab", "a|bc|ab");
    kit_close(&k);
}

/* Of equal sums the piece that starts first. */
static void
ties_go_to_the_longer_last_piece(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("[\"a\",-2.5],[\"aa\",-3.5],[\"aaa\",-4.5]"));
    kit_tokens(&k, "aaaa", "a|aaa");
    kit_close(&k);
}

/* As doubles -3.4635... and -0.5 are -3.9635..., and "kx" would win; the
 * reference reads the digits of the first as a larger number. */
static void
scores_are_read_as_the_reference_reads_them(void **state)
{
    struct kit k;

    (void)state;
    assert_true(-3.4635426998138428 + -0.5 == -3.9635426998138428);
    kit_open(&k, MODEL("[\"k\",-3.4635426998138428],[\"x\",-0.5],"
                       "[\"kx\",-3.9635426998138428]"));
    kit_tokens(&k, "kx", "k|x");
    kit_close(&k);
    kit_open(&k, MODEL("[\"k\",-3.5],[\"x\",-0.5],[\"kx\",-4]"));
    kit_tokens(&k, "kx", "kx");
    kit_close(&k);
}

static void
unknown_characters_in_a_row_are_one_token(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("[\"a\",-1],[\"é\",-1]"));
    kit_tokens(&k, "xyz", "<unk>");
    kit_places(&k, "xyz", "xyz");
    kit_tokens(&k, "axyéz日本a", "a|<unk>|é|<unk>|a");
    kit_places(&k, "axyéz日本a", "a|xy|é|z日本|a");
    kit_close(&k);
}

/* A character that is only part of a piece is unknown where that piece is not,
 * at ten below the least score. */
static void
an_unknown_character_costs_ten_more_than_the_worst_piece(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("[\"a\",-1],[\"bbb\",-20.9]"));
    kit_tokens(&k, "abbba", "a|bbb|a");
    kit_tokens(&k, "abba", "a|<unk>|a");
    kit_close(&k);
}

static void
of_equal_pieces_the_last_counts(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("[\"a\",-1],[\"b\",-1],[\"a\",-2]"));
    kit_run(&k, "a", 1);
    assert_int_equal(k.tk.n, 1);
    assert_int_equal(k.tk.ids[0], 6);
    kit_close(&k);
}

static void
no_text_comes_to_a_special_token(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k,
        WITH("\"added_tokens\":[{\"id\":7,\"content\":\"<x>\",\"special\":true"
             "},{\"id\":8,\"content\":\"<y>\",\"special\":false}]",
            "[\"<\",-1],[\"s\",-1],[\">\",-1],[\"<x>\",0],[\"<y>\",-1],"
            "[\"<mask>\",0],[\"/\",-1],[\"x\",-1],[\"y\",-1]"));
    kit_tokens(&k, "<s>", "<|s|>");
    kit_tokens(&k, "</s>", "<|/|s|>");
    kit_tokens(&k, "<x>", "<|x|>");
    kit_tokens(&k, "s<y>s", "s|<y>|s"); /* added, but not special */
    kit_tokens(&k, "<mask>", "<|<unk>|s|<unk>|>");
    kit_tokens(&k, "<unk>", "<|<unk>|>");
    assert_int_equal(wn_tokenizer_cls(k.t), 0);
    assert_int_equal(wn_tokenizer_sep(k.t), 2);
    kit_close(&k);
}

static void
metaspace_stands_for_spaces_and_before_the_text(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, WITH(META, "[\"▁\",-2],[\"▁a\",-1],[\"a\",-1],[\"b\",-1],"
                            "[\"▁a▁b\",-1]"));
    kit_tokens(&k, "a b", "▁a▁b");
    kit_places(&k, "a b", "a b");
    kit_tokens(&k, " a  b", "▁a|▁|▁|b");
    kit_places(&k, " a  b", " a| | |b");
    kit_tokens(&k, "b", "▁|b"); /* the mark is from the first character */
    kit_places(&k, "b", "b|b");
    kit_tokens(&k, "▁a", "▁a");
    kit_tokens(&k, " ", "▁");
    kit_close(&k);
}

/* Broken bytes read as U+FFFD, each. */
static void
broken_bytes_are_characters(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("[\"a\",-1],[\"\uFFFD\",-1]"));
    kit_tokens(&k,
        "a\xff"
        "a\xf0\x9f\x98",
        "a|\uFFFD|a|\uFFFD");
    kit_close(&k);
}

static void
a_hostile_megabyte_is_cheap(void **state)
{
    enum { N = 1 << 20 };
    char *text = malloc(N);
    struct kit k;
    int64_t begin;

    (void)state;
    assert_non_null(text);
    kit_open(
        &k, WITH(META, "[\"a\",-1],[\"aa\",-1.5],[\"aaaaaaaaaaaaaaaa\",-9],"
                       "[\"b\",-1]"));
    memset(text, 'a', N);
    begin = wn_clock_mono_us();
    kit_run(&k, text, N);
    assert_true(k.tk.n > N / 16);
    memset(text, 'x', N);
    kit_run(&k, text, N);
    assert_int_equal(k.tk.n, 1); /* the mark is unknown, too */
    assert_int_equal(k.tk.end[0], N);
    print_message("# 1 MiB of \"a\" and one of unknown ones: %lld ms\n",
        (long long)(wn_clock_mono_us() - begin) / 1000);
    free(text);
    kit_close(&k);
}

static void
files_that_cannot_be_used_say_why(void **state)
{
    static const char *const rows[][2] = {
        { "{\"model\":{\"type\":\"Unigram\"}}", "model.vocab is not a list" },
        { "{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", "model.vocab" },
        { "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]]}}",
            "model.unk_id" },
        { "{\"model\":{\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":"
          "[[\"a\",0]]}}",
            "model.unk_id" },
        { "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":"
          "[[\"a\",\"b\"]]}}",
            "model.vocab[0]" },
        { "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":"
          "[[\"a\",0],[\"a\"]]}}",
            "model.vocab[1]" },
        { "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":"
          "true,\"vocab\":[[\"a\",0]]}}",
            "byte_fallback" },
        { "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":"
          "[[\"a\",0]]}}",
            "no post_processor in tokenizer.json" },
        { "{\"post_processor\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":"
          "\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",0]]}}",
            "no post_processor in tokenizer.json" },
        { "{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":"
          "[{\"Sequence\":{\"id\":\"A\"}}]},\"model\":{\"type\":\"Unigram\"}}",
            "post_processor is not one special token" },
        { "{\"post_processor\":{\"type\":\"Other\"}}",
            "post_processor 'Other' is not supported" },
    };
    static char json[2048];
    char piece[600];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        kit_refuses(rows[i][0], rows[i][1]);
    memset(piece, 'x', 513);
    piece[513] = '\0';
    snprintf(json, sizeof(json),
        "{" AROUND ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":"
        "[[\"a\",0],[\"%s\",-1]]}}",
        piece);
    kit_refuses(json, "piece 1 has more than 512 bytes");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_sum_of_scores_decides),
    cmocka_unit_test(ties_go_to_the_longer_last_piece),
    cmocka_unit_test(scores_are_read_as_the_reference_reads_them),
    cmocka_unit_test(unknown_characters_in_a_row_are_one_token),
    cmocka_unit_test(an_unknown_character_costs_ten_more_than_the_worst_piece),
    cmocka_unit_test(of_equal_pieces_the_last_counts),
    cmocka_unit_test(no_text_comes_to_a_special_token),
    cmocka_unit_test(metaspace_stands_for_spaces_and_before_the_text),
    cmocka_unit_test(broken_bytes_are_characters),
    cmocka_unit_test(a_hostile_megabyte_is_cheap),
    cmocka_unit_test(files_that_cannot_be_used_say_why),
};

WN_TEST_MAIN("model tokenizer unigram", tests)
