/*
 * The places where ports of the reference tokenizer broke, each as a case
 * that one can read; tests/golden has the rest, as numbers. Tokens are shown
 * as their pieces with a space between.
 */
#include "model/tokenizer.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"

static const char *const pieces[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a",
    "##a", "b", "##b", "he", "hello", "##llo", "##l", "##lo", "cafe", "über",
    "uber", "Uber", "istanbul", "ist", "##an", "οδοσ", "οδος", "ж", "##ж", "日",
    "本", "\U0002b81f", "\U0002b820", "\U0002b920", "か", "##な",
    "\u1112\u1161\u11ab", "ส", "##ว", "sep", "[", "]", "!", ",", "$", "`", "。",
    "i", "i\u0307", "##\u0307", "ß", "###", "#", "un", "##aff", "##able", "una",
    NULL };

struct folder {
    char dir[4200];
};

static void
write_text(const struct folder *f, const char *name, const char *text)
{
    char path[4300];
    FILE *out;

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    out = fopen(path, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* A new empty folder. */
static void
make_folder(struct folder *f)
{
    static int n;

    snprintf(f->dir, sizeof(f->dir), "%s/%d", wn_test_dir(), n++);
    assert_int_equal(mkdir(f->dir, 0700), 0);
}

static void
write_vocab(const struct folder *f)
{
    char text[2048];
    size_t len = 0;

    for (size_t i = 0; pieces[i] != NULL; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", pieces[i]);
    assert_true(len < sizeof(text));
    write_text(f, "vocab.txt", text);
}

static struct wn_tokenizer *
open_folder(const struct folder *f)
{
    struct wn_tokenizer *t;
    struct wn_err err;

    assert_wn_ok(wn_tokenizer_open(&t, f->dir, &err), &err);
    return t;
}

/* A tokenizer whose folder has `json` as tokenizer.json; NULL: none. */
static struct wn_tokenizer *
open_with(const char *json)
{
    struct folder f;

    make_folder(&f);
    write_vocab(&f);
    if (json != NULL)
        write_text(&f, "tokenizer.json", json);
    return open_folder(&f);
}

static void
run(const struct wn_tokenizer *t, const char *text, size_t len,
    struct wn_tokens *tk)
{
    struct wn_err err;

    assert_wn_ok(wn_tokenizer_run(t, text, len, tk, &err), &err);
}

static void
assert_tokens_n(const struct wn_tokenizer *t, const char *text, size_t len,
    const char *want)
{
    struct wn_tokens tk;
    char got[4096] = "";
    size_t at = 0;

    wn_tokens_init(&tk);
    run(t, text, len, &tk);
    for (size_t i = 0; i < tk.n; i++)
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%s",
            i == 0 ? "" : " ", pieces[tk.ids[i]]);
    wn_tokens_release(&tk);
    assert_string_equal(got, want);
}

static void
assert_tokens(const struct wn_tokenizer *t, const char *text, const char *want)
{
    assert_tokens_n(t, text, strlen(text), want);
}

static void
words_are_cut_greedily(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);

    (void)state;
    assert_tokens(t, "", "");
    assert_tokens(t, " \t\r\n\u00a0\u3000", "");
    assert_tokens(t, "hello Hello HELLO", "hello hello hello");
    assert_tokens(t, "hello,b!a", "hello , b ! a");
    assert_tokens(t, "aab", "a ##a ##b");
    assert_tokens(t, "hel", "he ##l");
    /* the longest first, even where a shorter one would have gone on */
    assert_tokens(t, "unable", "[UNK]");
    assert_tokens(t, "unaffable", "[UNK]");
    assert_tokens(t, "##a", "# # a");
    wn_tokenizer_free(t);
}

static void
one_miss_makes_the_word_unknown(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);

    (void)state;
    assert_tokens(t, "hellox", "[UNK]");
    assert_tokens(t, "a\U0001f600b a", "[UNK] a");
    assert_tokens(t, "hello\U0001f600 hello", "[UNK] hello");
    wn_tokenizer_free(t);
}

static void
words_of_over_a_hundred_characters_are_unknown(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);
    char text[512], want[1024];

    (void)state;
    memset(text, 'a', 101);
    text[101] = '\0';
    assert_tokens(t, text, "[UNK]");
    /* characters, not bytes: a hundred of two bytes each */
    strcpy(want, "ж");
    strcpy(text, "ж");
    for (int i = 1; i < 100; i++) {
        strcat(want, " ##ж");
        strcat(text, "Ж");
    }
    assert_tokens(t, text, want);
    strcat(text, "ж");
    assert_tokens(t, text, "[UNK]");
    wn_tokenizer_free(t);

    t = open_with("{\"normalizer\":{\"type\":\"BertNormalizer\"},"
                  "\"model\":{\"max_input_chars_per_word\":3}}");
    assert_tokens(t, "aaa aaaa b", "a ##a ##a [UNK] b");
    wn_tokenizer_free(t);
}

/* Letters are taken a run at a time; a word may have several. */
static void
runs_of_letters_make_one_word(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);
    char text[512] = "", want[1024] = "a";

    (void)state;
    assert_tokens(t, "aжBжa", "a ##ж ##b ##ж ##a");
    for (int i = 0; i < 100; i++)
        strcat(text, i == 60 ? "\u200ba" : "a");
    for (int i = 1; i < 100; i++)
        strcat(want, " ##a");
    assert_tokens(t, text, want);
    strcat(text, "\u200ba");
    assert_tokens(t, text, "[UNK]");
    wn_tokenizer_free(t);

    t = open_with("{\"normalizer\":{\"type\":\"BertNormalizer\","
                  "\"lowercase\":false}}");
    assert_tokens(t, "HELLO hello Uber", "[UNK] hello Uber");
    wn_tokenizer_free(t);
}

static void
punctuation_stands_alone_known_or_not(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);

    (void)state;
    assert_tokens(t, "a%b!", "a [UNK] b !");
    assert_tokens(t, "e\u0301!\u0301!", "[UNK] ! !");
    wn_tokenizer_free(t);
}

static void
controls_are_dropped_and_not_spaced(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);

    (void)state;
    assert_tokens(t, "he\u200bllo", "hello");     /* zero-width space     */
    assert_tokens(t, "he\u00adllo", "hello");     /* soft hyphen          */
    assert_tokens(t, "\ufeffhello", "hello");     /* byte-order mark      */
    assert_tokens(t, "he\u202ello", "hello");     /* right-to-left        */
    assert_tokens(t, "he\ufffdllo", "hello");     /* replacement          */
    assert_tokens(t, "he\x01llo\x7f", "hello");   /* C0, DEL              */
    assert_tokens(t, "he\ue000llo", "hello");     /* private use          */
    assert_tokens(t, "he\U000e0041llo", "hello"); /* tag                 */
    assert_tokens_n(t, "he\0llo", 6, "hello");
    assert_tokens(t, "a\tb\na\rb\u2003a\u2028b", "a b a b a b");
    /* unassigned is not Cc, Cf or Co: it stays and spoils the word */
    assert_tokens(t, "he\u0378llo", "[UNK]");
    wn_tokenizer_free(t);
}

static void
broken_bytes_are_dropped(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);

    (void)state;
    assert_tokens(t, "he\xffllo", "hello");
    assert_tokens(t, "hello\xf0\x9f\x98", "hello");
    assert_tokens(t, "\x80\xc0\xafhello", "hello");
    wn_tokenizer_free(t);
}

static void
every_nonspacing_mark_is_an_accent(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);

    (void)state;
    assert_tokens(t, "café cafe\u0301 CAFÉ", "cafe cafe cafe");
    assert_tokens(t, "Über", "uber");
    /* not 0300..036F alone: Cyrillic, Hebrew, Thai, half marks */
    assert_tokens(t, "ж\u0483ж", "ж ##ж");
    assert_tokens(t, "a\u05b0a", "a ##a");
    assert_tokens(t, "ส\u0e34ว", "ส ##ว");
    assert_tokens(t, "a\ufe20b\u20d0", "a ##b");
    /* Hangul falls into its letters */
    assert_tokens(t, "\ud55c", "\u1112\u1161\u11ab");
    wn_tokenizer_free(t);
}

static void
a_long_run_of_marks_is_cheap(void **state)
{
    enum { N = 200000 };
    struct wn_tokenizer *t = open_with(NULL);
    char *text = malloc(3 * N + 1);

    (void)state;
    assert_non_null(text);
    text[0] = 'a';
    for (size_t i = 0; i < N; i++)
        memcpy(text + 1 + 2 * i, "\u0301", 2);
    assert_tokens_n(t, text, 1 + 2 * N, "a");
    /* spacing marks with a class stay, and are put in order */
    for (size_t i = 0; i < N; i++)
        memcpy(text + 1 + 3 * i, i % 2 == 0 ? "\u302f" : "\u302e", 3);
    assert_tokens_n(t, text, 1 + 3 * N, "[UNK]");
    free(text);
    wn_tokenizer_free(t);
}

/* lowercase and strip_accents, each true, false or null */
static void
null_strip_accents_follows_lowercase(void **state)
{
    static const struct {
        const char *json, *want; /* of "Über über" */
    } rows[] = {
        { "\"lowercase\":true,\"strip_accents\":null", "uber uber" },
        { "\"lowercase\":true", "uber uber" },
        { "\"lowercase\":true,\"strip_accents\":true", "uber uber" },
        { "\"lowercase\":true,\"strip_accents\":false", "über über" },
        { "\"lowercase\":false,\"strip_accents\":null", "[UNK] über" },
        { "\"lowercase\":false,\"strip_accents\":true", "Uber uber" },
        { "\"lowercase\":false,\"strip_accents\":false", "[UNK] über" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wn_tokenizer *t;
        char json[256];

        snprintf(json, sizeof(json),
            "{\"normalizer\":{\"type\":\"BertNormalizer\",%s}}", rows[i].json);
        t = open_with(json);
        assert_tokens(t, "Über über", rows[i].want);
        wn_tokenizer_free(t);
    }
}

static void
accents_that_stay_are_not_decomposed(void **state)
{
    struct wn_tokenizer *t =
        open_with("{\"normalizer\":{\"type\":\"BertNormalizer\","
                  "\"lowercase\":true,\"strip_accents\":false}}");

    (void)state;
    assert_tokens(t, "ÜBER", "über");
    assert_tokens(t, "u\u0308ber", "[UNK]");
    assert_tokens(t, "\u0130", "i\u0307"); /* one capital, two letters */
    wn_tokenizer_free(t);
}

static void
lower_case_looks_at_one_character(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);

    (void)state;
    assert_tokens(t, "ΟΔΟΣ", "οδοσ"); /* no final sigma */
    assert_tokens(t, "οδος", "οδος");
    assert_tokens(t, "İstanbul", "istanbul");
    assert_tokens(t, "\u1e9e", "ß");
    wn_tokenizer_free(t);
}

static void
the_blocks_of_ideographs_are_those_of_the_reference(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);

    (void)state;
    assert_tokens(t, "a日本a", "a 日 本 a");
    assert_tokens(t, "a\U0002b81fa", "a \U0002b81f a");
    /* 2B820..2B91F is missing there */
    assert_tokens(t, "a\U0002b820a", "[UNK]");
    assert_tokens(t, "\U0002b820", "\U0002b820");
    assert_tokens(t, "a\U0002b920a", "a \U0002b920 a");
    assert_tokens(t, "かな", "か ##な"); /* kana are letters */
    assert_tokens(t, "日。", "日 。");
    wn_tokenizer_free(t);

    t = open_with("{\"normalizer\":{\"type\":\"BertNormalizer\","
                  "\"handle_chinese_chars\":false}}");
    assert_tokens(t, "a日a", "[UNK]");
    wn_tokenizer_free(t);
}

static void
text_that_spells_a_special_token_is_text(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);

    (void)state;
    assert_tokens(t, "a[SEP]b", "a [ sep ] b");
    assert_tokens(t, "$`$", "$ ` $");
    wn_tokenizer_free(t);
}

static void
tokens_know_their_place(void **state)
{
    static const char text[] = "a He\u200bllo, 日é\u0301b";
    static const uint32_t want[][2] = {
        { 0, 1 },   /* a */
        { 2, 10 },  /* hello, over what was dropped within */
        { 10, 11 }, /* , */
        { 12, 15 }, /* 日 */
        { 15, 20 }, /* eb is unknown, one token */
    };
    struct wn_tokenizer *t = open_with(NULL);
    struct wn_tokens tk;

    (void)state;
    wn_tokens_init(&tk);
    run(t, text, sizeof(text) - 1, &tk);
    assert_int_equal(tk.n, sizeof(want) / sizeof(want[0]));
    for (size_t i = 0; i < tk.n; i++) {
        assert_int_equal(tk.start[i], want[i][0]);
        assert_int_equal(tk.end[i], want[i][1]);
    }
    /* every piece of a word has the word's place */
    run(t, "! aab", 5, &tk);
    assert_int_equal(tk.n, 4);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(tk.start[i], 2);
        assert_int_equal(tk.end[i], 5);
    }
    wn_tokens_release(&tk);
    wn_tokenizer_free(t);
}

static size_t
random_text(uint64_t *rnd, char *out)
{
    static const char *const units[] = { " ", "a", "hello", "\u0301", "é", "日",
        "!", "\u200b", "\u302e", "\U0001f600", "\ud55c", "İ", "\n", "\xff",
        "\u302f", "Ж" };
    size_t len = 0, n = wn_test_random(rnd) % 40;

    while (n-- > 0) {
        const char *unit = units[wn_test_random(rnd) % 16];

        memcpy(out + len, unit, strlen(unit));
        len += strlen(unit);
    }
    return len;
}

static void
places_lie_between_characters_whatever_the_text(void **state)
{
    struct wn_tokenizer *t = open_with(NULL);
    uint64_t rnd = wn_test_seed();
    struct wn_tokens tk;
    char text[512];

    (void)state;
    wn_tokens_init(&tk);
    for (int k = 0; k < 20000; k++) {
        size_t len = random_text(&rnd, text);
        uint32_t last = 0;

        run(t, text, len, &tk);
        for (size_t i = 0; i < tk.n; i++) {
            assert_true((size_t)tk.ids[i] < wn_tokenizer_vocab(t));
            assert_true(tk.start[i] < tk.end[i]);
            assert_true(tk.end[i] <= len);
            assert_true(tk.start[i] >= last);
            assert_true(((uint8_t)text[tk.start[i]] & 0xc0) != 0x80);
            assert_true(
                tk.end[i] == len || ((uint8_t)text[tk.end[i]] & 0xc0) != 0x80);
            last = tk.start[i];
        }
    }
    wn_tokens_release(&tk);
    wn_tokenizer_free(t);
}

/* --- folders --- */

static void
tokenizer_config_counts_where_there_is_no_tokenizer_json(void **state)
{
    struct wn_tokenizer *t;
    struct folder f;

    (void)state;
    make_folder(&f);
    write_vocab(&f);
    write_text(&f, "tokenizer_config.json",
        "{\"do_lower_case\":false,\"tokenize_chinese_chars\":false}");
    t = open_folder(&f);
    assert_tokens(t, "über Hello hello a日a", "über [UNK] hello [UNK]");
    assert_int_equal(wn_tokenizer_cls(t), 2);
    assert_int_equal(wn_tokenizer_sep(t), 3);
    assert_int_equal(
        wn_tokenizer_vocab(t), sizeof(pieces) / sizeof(pieces[0]) - 1);
    wn_tokenizer_free(t);

    write_text(
        &f, "tokenizer.json", "{\"normalizer\":{\"type\":\"BertNormalizer\"}}");
    t = open_folder(&f);
    assert_tokens(t, "Hello a日a", "hello a 日 a");
    wn_tokenizer_free(t);
}

static void
the_vocabulary_may_be_in_tokenizer_json(void **state)
{
    struct wn_tokenizer *t;
    struct folder f;

    (void)state;
    make_folder(&f);
    write_text(&f, "tokenizer.json",
        "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"model\":{\"type\":"
        "\"WordPiece\",\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,"
        "\"[SEP]\":3,\"a\":4,\"##a\":5}}}");
    t = open_folder(&f);
    assert_tokens(t, "aa x", "a ##a [UNK]");
    wn_tokenizer_free(t);
}

/* What one pass does not know is done step by step. */
static void
other_steps_may_stand_before_wordpiece(void **state)
{
    struct wn_tokenizer *t;

    (void)state;
    t = open_with("{\"normalizer\":{\"type\":\"Lowercase\"},"
                  "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}}");
    assert_tokens(t, "Hello  ÜBER hello! aab", "hello über [UNK] a ##a ##b");
    assert_tokens(t, "[SEP] [sep]", "[UNK] [UNK]");
    wn_tokenizer_free(t);

    t = open_with("{\"added_tokens\":[{\"id\":9,\"content\":\"He llo\","
                  "\"normalized\":true}],\"normalizer\":{\"type\":"
                  "\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":"
                  "\"BertPreTokenizer\"}}");
    assert_tokens(t, "a he llo,b Über", "a hello , b uber");
    wn_tokenizer_free(t);
}

static void
folders_that_cannot_be_used_say_why(void **state)
{
    static const struct {
        const char *file, *text, *why;
    } rows[] = {
        { "tokenizer.json", "{", "tokenizer.json:1: " },
        { "tokenizer.json", "[]", "tokenizer.json: not an object" },
        { "tokenizer.json", "{\"normalizer\":{\"type\":\"Nmt\"}}",
            "normalizer 'Nmt' is not supported" },
        { "tokenizer.json",
            "{\"normalizer\":{\"type\":\"BertNormalizer\"},"
            "\"pre_tokenizer\":{\"type\":\"Digits\"}}",
            "pre_tokenizer 'Digits' is not supported" },
        { "tokenizer.json",
            "{\"normalizer\":{\"type\":\"BertNormalizer\"},"
            "\"model\":{\"type\":\"WordLevel\"}}",
            "model 'WordLevel' is not supported" },
        { "tokenizer.json",
            "{\"normalizer\":{\"type\":\"BertNormalizer\"},"
            "\"model\":{\"continuing_subword_prefix\":\"@@\"}}",
            "is not '##'" },
        { "tokenizer.json",
            "{\"normalizer\":{\"type\":\"BertNormalizer\"},"
            "\"model\":{\"max_input_chars_per_word\":0}}",
            "not in 1..1000" },
        { "tokenizer.json",
            "{\"normalizer\":{\"type\":\"BertNormalizer\"},"
            "\"model\":{\"max_input_chars_per_word\":1001}}",
            "not in 1..1000" },
        { "tokenizer_config.json", "{\"a\":1,\"a\":2}", "duplicate" },
        { "vocab.txt", "[PAD]\n[CLS]\n[SEP]\nhello\n", "no [UNK]" },
        { "vocab.txt", "", "no [UNK]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wn_tokenizer *t = NULL;
        struct wn_err err;
        struct folder f;

        make_folder(&f);
        write_vocab(&f);
        write_text(&f, rows[i].file, rows[i].text);
        assert_int_equal(wn_tokenizer_open(&t, f.dir, &err), WN_REJECT);
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, rows[i].why);
        assert_null(t);
    }
}

static void
vocabularies_are_bounded(void **state)
{
    static const char *const bad[][2] = {
        { "{\"[UNK]\":-1}", "an id is not a number" },
        { "{\"[UNK]\":\"1\"}", "an id is not a number" },
        { "{\"[UNK]\":2147483648}", "an id is not a number" },
        { "{\"[UNK]\":16777217}", "too many pieces" },
        { "[]", "model.vocab is not an object" },
    };
    static char line[4096];
    struct wn_tokenizer *t = NULL;
    struct wn_err err;
    struct folder f;

    (void)state;
    make_folder(&f);
    assert_int_equal(wn_tokenizer_open(&t, f.dir, &err), WN_REJECT);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char json[256];

        snprintf(json, sizeof(json),
            "{\"normalizer\":{\"type\":\"BertNormalizer\"},"
            "\"model\":{\"vocab\":%s}}",
            bad[i][0]);
        write_text(&f, "tokenizer.json", json);
        assert_int_equal(wn_tokenizer_open(&t, f.dir, &err), WN_REJECT);
        if (strstr(err.text, bad[i][1]) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, bad[i][1]);
    }
    memset(line, 'x', 600);
    write_text(&f, "vocab.txt", line);
    assert_int_equal(wn_tokenizer_open(&t, f.dir, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "too long"));
    memset(line, 'x', sizeof(line) - 1);
    write_text(&f, "vocab.txt", line);
    assert_int_equal(wn_tokenizer_open(&t, f.dir, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "line 1 is too long"));
    assert_null(t);
}

/* getline() would have held all of a file without a newline. */
static void
a_vocabulary_of_gigabytes_is_not_read(void **state)
{
    struct wn_tokenizer *t = NULL;
    struct wn_err err;
    struct folder f;
    char path[4300];

    (void)state;
    make_folder(&f);
    snprintf(path, sizeof(path), "%s/vocab.txt", f.dir);
    write_text(&f, "vocab.txt", "[UNK]\n");
    assert_int_equal(truncate(path, (off_t)4 << 30), 0);
    assert_int_equal(wn_tokenizer_open(&t, f.dir, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "vocab.txt: larger than 64 MiB"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(wn_tokenizer_open(&t, f.dir, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "vocab.txt: not a regular file"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(wn_tokenizer_open(&t, f.dir, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "vocab.txt: is a directory"));
    assert_null(t);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(words_are_cut_greedily),
    cmocka_unit_test(one_miss_makes_the_word_unknown),
    cmocka_unit_test(words_of_over_a_hundred_characters_are_unknown),
    cmocka_unit_test(runs_of_letters_make_one_word),
    cmocka_unit_test(punctuation_stands_alone_known_or_not),
    cmocka_unit_test(controls_are_dropped_and_not_spaced),
    cmocka_unit_test(broken_bytes_are_dropped),
    cmocka_unit_test(every_nonspacing_mark_is_an_accent),
    cmocka_unit_test(a_long_run_of_marks_is_cheap),
    cmocka_unit_test(null_strip_accents_follows_lowercase),
    cmocka_unit_test(accents_that_stay_are_not_decomposed),
    cmocka_unit_test(lower_case_looks_at_one_character),
    cmocka_unit_test(the_blocks_of_ideographs_are_those_of_the_reference),
    cmocka_unit_test(text_that_spells_a_special_token_is_text),
    cmocka_unit_test(tokens_know_their_place),
    cmocka_unit_test(places_lie_between_characters_whatever_the_text),
    cmocka_unit_test(tokenizer_config_counts_where_there_is_no_tokenizer_json),
    cmocka_unit_test(the_vocabulary_may_be_in_tokenizer_json),
    cmocka_unit_test(other_steps_may_stand_before_wordpiece),
    cmocka_unit_test(folders_that_cannot_be_used_say_why),
    cmocka_unit_test(vocabularies_are_bounded),
    cmocka_unit_test(a_vocabulary_of_gigabytes_is_not_read),
};

WN_TEST_MAIN("model tokenizer", tests)
