/*
 * Byte-level BPE: how words are cut, which pairs join first, and what a text
 * must not come to. tests/golden has the rest, as numbers.
 */
#include "tests/unit/tokenizer_kit.h"

#include "core/clock.h"

#define AROUND                                                                 \
    "\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"</s>\",1]," \
    "\"cls\":[\"<s>\",0],\"trim_offsets\":true,\"add_prefix_space\":false}"
#define BYTES(more)                                                            \
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false"     \
    ",\"trim_offsets\":true" more "}"
#define PIECES                                                                 \
    "\"<s>\":0,\"</s>\":1,\"<unk>\":2,\"a\":3,\"b\":4,\"c\":5,\"Ġ\":6,"       \
    "\"ab\":7,\"bc\":8,\"abc\":9,\"Ġa\":10,\"'\":11,\"s\":12,\"1\":13,"       \
    "\"!\":14,\"Ċ\":15,\"Ã\":16,\"©\":17,\"Ã©\":18,\"<\":19,\">\":20,"    \
    "\"'s\":21,\"ĠĠ\":22"
#define MODEL(members, merges)                                                 \
    "{" AROUND "," BYTES("") ",\"model\":{\"type\":\"BPE\"," members           \
                             "\"vocab\":{" PIECES "},\"merges\":[" merges      \
                             "]}}"

static void
pairs_join_by_rank_and_not_by_place(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("", "\"b c\",\"a b\",\"a bc\""));
    kit_tokens(&k, "", "");
    kit_tokens(&k, "ab", "ab");
    kit_tokens(&k, "abc", "abc"); /* b c, then a bc */
    kit_tokens(&k, "abab", "ab|ab");
    kit_close(&k);
    kit_open(&k, MODEL("", "[\"a\",\"b\"],[\"b\",\"c\"],[\"a\",\"bc\"]"));
    kit_tokens(&k, "abc", "ab|c"); /* a b comes first: no way to abc */
    kit_tokens(&k, "bcbc", "bc|bc");
    kit_close(&k);
}

static void
a_word_that_is_a_piece_still_needs_the_merges(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("", ""));
    kit_tokens(&k, "abc", "a|b|c");
    kit_close(&k);
    kit_open(&k, MODEL("\"ignore_merges\":true,", ""));
    kit_tokens(&k, "abc", "abc");
    kit_tokens(&k, "abca", "a|b|c|a");
    kit_close(&k);
}

static void
words_are_cut_by_the_pattern_of_gpt2(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("", "\"Ġ a\",\"a b\",\"' s\",\"Ġ Ġ\""));
    kit_tokens(&k, "ab ab", "ab|Ġa|b");
    kit_tokens(&k, "a1!", "a|1|!");
    kit_tokens(&k, "a's", "a|'s");
    kit_tokens(&k, "a 's", "a|Ġ|'|s");
    /* the last of many spaces goes with the word */
    kit_tokens(&k, "a   a", "a|ĠĠ|Ġa");
    kit_tokens(&k, "a  ", "a|ĠĠ");
    kit_tokens(&k, "a \n1", "a|Ġ|Ċ|1");
    kit_places(&k, "ab ab", "ab| a|b");
    kit_close(&k);
}

static void
a_space_may_be_put_before_the_text(void **state)
{
    static const char json[] =
        "{" AROUND ",\"pre_tokenizer\":{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":true},\"model\":{\"vocab"
        "\":{" PIECES "},\"merges\":[\"Ġ a\"]}}";
    struct kit k;

    (void)state;
    kit_open(&k, json);
    kit_tokens(&k, "a a", "Ġa|Ġa");
    kit_tokens(&k, " a", "Ġa");
    kit_tokens(&k, "\na", "Ġ|Ċ|a");
    kit_tokens(&k, "", "");
    kit_places(&k, "b a", "b|b| a");
    kit_close(&k);
}

static void
tokens_of_a_characters_bytes_have_its_place(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("", ""));
    kit_tokens(&k, "aéa", "a|Ã|©|a");
    kit_places(&k, "aéa", "a|é|é|a");
    kit_close(&k);
    kit_open(&k, MODEL("", "\"Ã ©\""));
    kit_tokens(&k, "é", "Ã©");
    kit_close(&k);
}

static void
what_is_not_known_is_dropped_named_or_fused(void **state)
{
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("", ""));
    kit_tokens(&k, "axya", "a|a");
    kit_places(&k, "axya", "a|a");
    kit_close(&k);
    kit_open(&k, MODEL("\"unk_token\":\"<unk>\",", ""));
    kit_tokens(&k, "axya", "a|<unk>|<unk>|a");
    kit_close(&k);
    kit_open(&k, MODEL("\"unk_token\":\"<unk>\",\"fuse_unk\":true,", ""));
    kit_tokens(&k, "axya", "a|<unk>|a");
    kit_places(&k, "axya", "a|xy|a");
    kit_close(&k);
}

static void
no_text_comes_to_a_special_token(void **state)
{
    static const char whole[] =
        "{" AROUND ",\"model\":{\"type\":\"BPE\",\"ignore_merges\":true,"
        "\"vocab\":{" PIECES "},\"merges\":[]}}";
    struct kit k;

    (void)state;
    kit_open(&k, MODEL("", ""));
    kit_tokens(&k, "<s>", "<|s|>");
    assert_int_equal(wn_tokenizer_cls(k.t), 0);
    assert_int_equal(wn_tokenizer_sep(k.t), 1);
    kit_close(&k);
    kit_open(&k, whole);
    kit_tokens(&k, "<s>", "<|s|>");
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
    kit_open(&k, MODEL("", "\"b c\",\"a b\",\"a bc\""));
    begin = wn_clock_mono_us();
    for (size_t i = 0; i < N; i++)
        text[i] = "abc"[i % 3];
    kit_run(&k, text, N);
    assert_int_equal(k.tk.n, N / 3 + 1);
    memset(text, 'a', N);
    kit_run(&k, text, N);
    assert_int_equal(k.tk.n, N);
    print_message("# words of 1 MiB: %lld ms\n",
        (long long)(wn_clock_mono_us() - begin) / 1000);
    free(text);
    kit_close(&k);
}

static void
files_that_cannot_be_used_say_why(void **state)
{
    (void)state;
    kit_refuses("{\"model\":{\"type\":\"BPE\"}}", "model.vocab");
    kit_refuses("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1}}}",
        "model.vocab: an id is not a number");
    kit_refuses("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}",
        "model.merges is not a list");
    kit_refuses(MODEL("", "\"a b\",\"b a\""), "model.merges[1]");
    kit_refuses(MODEL("", "\"a\""), "model.merges[0]");
    kit_refuses(MODEL("", "\"a b c\""), "model.merges[0]");
    kit_refuses(MODEL("", "[\"a\",1]"), "model.merges[0]");
    kit_refuses(MODEL("\"dropout\":0.1,", ""), "model.dropout");
    kit_refuses(MODEL("\"byte_fallback\":true,", ""), "model.byte_fallback");
    kit_refuses(MODEL("\"continuing_subword_prefix\":\"##\",", ""),
        "model.continuing_subword_prefix");
    kit_refuses(
        MODEL("\"end_of_word_suffix\":\"</w>\",", ""), "end_of_word_suffix");
    kit_refuses(MODEL("\"unk_token\":\"[UNK]\",", ""), "model.unk_token");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(pairs_join_by_rank_and_not_by_place),
    cmocka_unit_test(a_word_that_is_a_piece_still_needs_the_merges),
    cmocka_unit_test(words_are_cut_by_the_pattern_of_gpt2),
    cmocka_unit_test(a_space_may_be_put_before_the_text),
    cmocka_unit_test(tokens_of_a_characters_bytes_have_its_place),
    cmocka_unit_test(what_is_not_known_is_dropped_named_or_fused),
    cmocka_unit_test(no_text_comes_to_a_special_token),
    cmocka_unit_test(a_hostile_megabyte_is_cheap),
    cmocka_unit_test(files_that_cannot_be_used_say_why),
};

WN_TEST_MAIN("model tokenizer bpe", tests)
