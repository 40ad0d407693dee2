/*
 * Token ids against the reference implementation, over a corpus of 25,056
 * lines that this program makes from the same recipe as make_golden.py, and
 * for what is not WordPiece 4,000 more (make_tokenizers.py).
 *
 * WordPiece's vocabulary is that of all-MiniLM-L6-v2 (wordpiece/), and then
 * one of single letters: where the first says [UNK] to a whole word, the second
 * shows each character and their order. WN_TEST_E5_DIR names the folder of
 * multilingual-e5-small. Runs in the repository's root.
 */
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>
#include <unicode/utf8.h>

#include "core/buf.h"
#include "model/normalizer.h"
#include "model/tokenizer.h"
#include "model/unicode.h"
#include "tests/lib/test.h"

#define GOLDEN "tests/golden/"
#define WORDPIECE GOLDEN "wordpiece"

static uint32_t
fnv(const void *data, size_t len, uint32_t hash)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * UINT32_C(0x01000193);
    return hash;
}

/* The file's numbers; the caller frees them. */
static uint32_t *
read_u32(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "re");
    uint32_t *out;
    long size;

    if (f == NULL)
        fail_msg("%s: cannot open", path);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size > 0);
    rewind(f);
    out = malloc((size_t)size);
    assert_non_null(out);
    *ret_n = (size_t)size / 4;
    assert_int_equal(fread(out, 4, *ret_n, f), *ret_n);
    fclose(f);
    return out;
}

static void
add_char(struct wn_buf *b, int32_t c)
{
    char bytes[4];
    size_t len = 0;

    U8_APPEND_UNSAFE(bytes, len, c);
    wn_buf_add(b, bytes, len);
}

static void
parse_range(const json_t *range, int32_t *lo, int32_t *hi)
{
    const char *text = json_string_value(range);
    char *end;

    assert_non_null(text);
    *lo = (int32_t)strtol(text, &end, 16);
    assert_int_equal(*end, '-');
    *hi = (int32_t)strtol(end + 1, NULL, 16);
}

static size_t
member(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    assert_true(json_is_integer(v));
    return (size_t)json_integer_value(v);
}

struct corpus {
    json_t *recipe;
    struct wn_tokenizer *t;
    struct wn_tokens tk;
    uint32_t *hashes;
    size_t hashes_n, line, bad;
};

static void
print_line(const struct corpus *c, const struct wn_buf *b)
{
    print_error("line %zu differs:", c->line);
    for (size_t i = 0; i < b->len; i++)
        print_error(" %02x", (uint8_t)b->data[i]);
    print_error("\n  ids:");
    for (size_t i = 0; i < c->tk.n; i++)
        print_error(" %d", (int)c->tk.ids[i]);
    print_error("\n");
}

static void
check_line(struct corpus *c, struct wn_buf *b)
{
    struct wn_err err;

    assert_false(b->failed);
    assert_true(c->line < c->hashes_n);
    assert_wn_ok(wn_tokenizer_run(c->t, b->data, b->len, &c->tk, &err), &err);
    if (fnv(c->tk.ids, c->tk.n * 4, UINT32_C(0x811c9dc5)) !=
            c->hashes[c->line] &&
        c->bad++ < 10)
        print_line(c, b);
    c->line++;
    wn_buf_reset(b);
}

static void
check_sweep(struct corpus *c, struct wn_buf *b)
{
    const json_t *sweep = json_object_get(c->recipe, "sweep");
    size_t a_line = member(c->recipe, "sweep_a_line"), n = 0;

    for (size_t i = 0; i < json_array_size(sweep); i++) {
        int32_t lo, hi;

        parse_range(json_array_get(sweep, i), &lo, &hi);
        for (int32_t ch = lo; ch <= hi; ch++) {
            if (U_IS_SURROGATE(ch))
                continue;
            wn_buf_char(b, 'a');
            add_char(b, ch);
            wn_buf_str(b, "b ");
            if (++n % a_line == 0)
                check_line(c, b);
        }
    }
    if (b->len > 0)
        check_line(c, b);
}

static void
add_unit(struct wn_buf *b, const json_t *kind, uint64_t *rnd)
{
    const json_t *strings = json_object_get(kind, "strings");
    const json_t *ranges = json_object_get(kind, "ranges"), *s;
    int32_t lo, hi, ch;

    if (wn_test_random(rnd) % 100 < member(kind, "space")) {
        wn_buf_char(b, ' ');
    } else if (json_array_size(strings) > 0 && wn_test_random(rnd) % 2 == 0) {
        s = json_array_get(
            strings, wn_test_random(rnd) % json_array_size(strings));
        wn_buf_add(b, json_string_value(s), json_string_length(s));
    } else {
        s = json_array_get(
            ranges, wn_test_random(rnd) % json_array_size(ranges));
        parse_range(s, &lo, &hi);
        ch = lo + (int32_t)(wn_test_random(rnd) % (uint64_t)(hi - lo + 1));
        add_char(b, U_IS_SURROGATE(ch) ? 'x' : ch);
    }
}

static void
check_mixed(struct corpus *c, struct wn_buf *b)
{
    const json_t *kinds = json_object_get(c->recipe, "kinds");
    size_t n = member(c->recipe, "mixed_lines");

    for (size_t i = 0; i < n; i++) {
        const json_t *kind = json_array_get(kinds, i % json_array_size(kinds));
        const json_t *units = json_object_get(kind, "units");
        uint64_t rnd = member(c->recipe, "seed") + i * 1000003;
        size_t lo = (size_t)json_integer_value(json_array_get(units, 0));
        size_t hi = (size_t)json_integer_value(json_array_get(units, 1));
        size_t k = lo + wn_test_random(&rnd) % (hi - lo + 1);

        while (k-- > 0)
            add_unit(b, kind, &rnd);
        check_line(c, b);
    }
}

static void
check_recipe(struct corpus *c, const char *path, struct wn_buf *b)
{
    json_error_t why;

    c->recipe = json_load_file(path, JSON_ALLOW_NUL, &why);
    if (c->recipe == NULL)
        fail_msg("%s:%d: %s", path, why.line, why.text);
    check_sweep(c, b);
    check_mixed(c, b);
    json_decref(c->recipe);
}

/* more: the second recipe too. */
static void
check_corpus(const char *dir, const char *hashes, bool more)
{
    struct corpus c = { .line = 0 };
    struct wn_buf b;
    struct wn_err err;

    c.hashes = read_u32(hashes, &c.hashes_n);
    assert_wn_ok(wn_tokenizer_open(&c.t, dir, &err), &err);
    wn_tokens_init(&c.tk);
    wn_buf_init(&b, 1 << 20);

    check_recipe(&c, GOLDEN "corpus.json", &b);
    if (more)
        check_recipe(&c, GOLDEN "corpus_more.json", &b);
    print_message("# %zu lines, %zu differ\n", c.line, c.bad);
    assert_int_equal(c.bad, 0);
    assert_int_equal(c.line, c.hashes_n);
    assert_true(c.line >= 20000);

    wn_buf_release(&b);
    wn_tokens_release(&c.tk);
    wn_tokenizer_free(c.t);
    free(c.hashes);
}

static void
corpus_has_the_ids_of_the_reference(void **state)
{
    (void)state;
    check_corpus(WORDPIECE, GOLDEN "tokens.u32", false);
}

/* An added token, which no line has, makes WordPiece go step by step. */
static void
corpus_has_the_same_ids_step_by_step(void **state)
{
    static const char json[] =
        "{\"added_tokens\":[{\"id\":0,\"content\":\"no such text\"}],"
        "\"normalizer\":{\"type\":\"BertNormalizer\"},"
        "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
        "\"model\":{\"type\":\"WordPiece\"}}";
    char path[8300], *vocab;
    FILE *f;

    (void)state;
    vocab = realpath(WORDPIECE "/vocab.txt", NULL);
    assert_non_null(vocab);
    snprintf(path, sizeof(path), "%s/vocab.txt", wn_test_dir());
    assert_int_equal(symlink(vocab, path), 0);
    free(vocab);
    snprintf(path, sizeof(path), "%s/tokenizer.json", wn_test_dir());
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(json, f) >= 0);
    assert_int_equal(fclose(f), 0);
    check_corpus(wn_test_dir(), GOLDEN "tokens.u32", false);
}

static void
corpus_has_the_letters_of_the_reference(void **state)
{
    (void)state;
    check_corpus(GOLDEN "letters", GOLDEN "letters/letters.u32", false);
}

static void
corpus_has_the_unigram_pieces_of_the_reference(void **state)
{
    (void)state;
    check_corpus(GOLDEN "xlm_roberta", GOLDEN "xlm_roberta/tokens.u32", true);
}

static void
corpus_has_the_byte_pairs_of_the_reference(void **state)
{
    (void)state;
    check_corpus(GOLDEN "roberta", GOLDEN "roberta/tokens.u32", true);
}

static void
corpus_has_the_ids_of_e5(void **state)
{
    const char *dir = getenv("WN_TEST_E5_DIR");

    (void)state;
    if (dir == NULL || dir[0] == '\0') {
        print_message("# skipped: WN_TEST_E5_DIR does not name the folder of "
                      "multilingual-e5-small\n");
        skip();
    }
    check_corpus(dir, GOLDEN "e5.u32", true);
}

static void
check_sample(
    const struct wn_tokenizer *t, struct wn_tokens *tk, const json_t *sample)
{
    const json_t *text = json_object_get(sample, "text");
    const json_t *ids = json_object_get(sample, "ids");
    struct wn_err err;

    assert_wn_ok(wn_tokenizer_run(t, json_string_value(text),
                     json_string_length(text), tk, &err),
        &err);
    assert_int_equal(tk->n, json_array_size(ids));
    for (size_t i = 0; i < tk->n; i++)
        assert_int_equal(
            tk->ids[i], json_integer_value(json_array_get(ids, i)));
}

static void
check_samples(const char *dir, const char *path)
{
    FILE *f = fopen(path, "re");
    struct wn_tokenizer *t;
    struct wn_tokens tk;
    struct wn_err err;
    size_t n = 0;
    json_t *sample;

    assert_non_null(f);
    assert_wn_ok(wn_tokenizer_open(&t, dir, &err), &err);
    wn_tokens_init(&tk);
    while ((sample = json_loadf(
                f, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        check_sample(t, &tk, sample);
        json_decref(sample);
        n++;
    }
    assert_true(n >= 40);
    wn_tokens_release(&tk);
    wn_tokenizer_free(t);
    fclose(f);
}

static void
samples_have_the_ids_of_the_reference(void **state)
{
    (void)state;
    check_samples(WORDPIECE, GOLDEN "tokens.jsonl");
    check_samples(GOLDEN "xlm_roberta", GOLDEN "xlm_roberta/tokens.jsonl");
    check_samples(GOLDEN "roberta", GOLDEN "roberta/tokens.jsonl");
}

/* What the five steps make of one character, in make_golden.py's words. */
static uint32_t
hash_char(const struct wn_unicode *u, int32_t c, uint32_t hash)
{
    int32_t out[WN_DECOMPOSED_MAX];
    struct wn_buf b;
    size_t n;

    wn_buf_init(&b, 1024);
    if (c == '\t' || c == '\n' || c == '\r')
        wn_buf_char(&b, ' ');
    else if (c != 0 && c != 0xfffd && !wn_unicode_is_other(c))
        add_char(&b, wn_unicode_is_space(c) ? ' ' : c);
    wn_buf_char(&b, '\n');
    wn_buf_char(&b, wn_unicode_is_cjk(c));
    wn_buf_char(&b, '\n');
    n = wn_unicode_decompose(u, c, out);
    for (size_t i = 0; i < n; i++) {
        if (!wn_unicode_is_mark(out[i]))
            add_char(&b, out[i]);
    }
    wn_buf_char(&b, '\n');
    n = wn_unicode_lower(c, out);
    for (size_t i = 0; i < n; i++)
        add_char(&b, out[i]);
    wn_buf_char(&b, wn_unicode_is_space(c)   ? 2
                    : wn_unicode_is_punct(c) ? 3
                                             : 1);
    assert_false(b.failed);
    hash = fnv(b.data, b.len, hash);
    wn_buf_release(&b);
    return hash;
}

static void
every_character_is_what_the_reference_knows(void **state)
{
    const struct wn_unicode *u;
    struct wn_err err;
    uint32_t *want;
    size_t n;

    (void)state;
    want = read_u32(GOLDEN "unicode.u32", &n);
    assert_int_equal(n, 0x110000 / 4096);
    assert_wn_ok(wn_unicode_get(&u, &err), &err);
    for (size_t i = 0; i < n; i++) {
        uint32_t hash = UINT32_C(0x811c9dc5);

        for (int32_t c = (int32_t)i * 4096; c < (int32_t)(i + 1) * 4096; c++) {
            if (!U_IS_SURROGATE(c))
                hash = hash_char(u, c, hash);
        }
        if (hash != want[i])
            fail_msg("block U+%05zX differs", i * 4096);
    }
    free(want);
}

/* --- normal forms --- */

#define STEPS 5

struct forms {
    struct wn_normalizer *steps[STEPS];
    struct wn_normalizer_scratch scratch;
    struct wn_trace text, spare;
};

static void
open_forms(struct forms *f)
{
    static const char *const names[STEPS] = { "NFC", "NFD", "NFKC", "NFKD",
        "StripAccents" };
    struct wn_err err;

    memset(f, 0, sizeof(*f));
    for (int i = 0; i < STEPS; i++) {
        json_t *json = json_pack("{s:s}", "type", names[i]);

        assert_non_null(json);
        assert_wn_ok(wn_normalizer_read(&f->steps[i], json, &err), &err);
        json_decref(json);
    }
}

static void
close_forms(struct forms *f)
{
    for (int i = 0; i < STEPS; i++)
        wn_normalizer_free(f->steps[i]);
    wn_normalizer_scratch_release(&f->scratch);
    wn_trace_release(&f->text);
    wn_trace_release(&f->spare);
}

/* What the steps make of a character with an accent behind it, and its class,
 * in make_tokenizers.py's words. */
static uint32_t
hash_forms(struct forms *f, int32_t c, uint32_t hash)
{
    static const uint8_t classes[] = {
        [WN_LETTER] = 0, [WN_NUMBER] = 1, [WN_OTHER] = 2, [WN_SPACE] = 3
    };
    char text[8] = "a";
    size_t n = 1;

    U8_APPEND_UNSAFE(text, n, c);
    U8_APPEND_UNSAFE(text, n, 0x301);
    for (int i = 0; i < STEPS; i++) {
        wn_trace_load(&f->text, text, 0, n);
        wn_normalizer_run(f->steps[i], &f->text, &f->spare, &f->scratch);
        assert_false(f->text.failed);
        if (i > 0)
            hash = fnv("\n", 1, hash);
        hash = fnv(f->text.p, f->text.n, hash);
    }
    return fnv(&classes[wn_unicode_word_class(c)], 1, hash);
}

static void
every_character_has_the_forms_of_the_reference(void **state)
{
    struct forms f;
    uint32_t *want;
    size_t n;

    (void)state;
    want = read_u32(GOLDEN "forms.u32", &n);
    assert_int_equal(n, 0x110000 / 4096);
    open_forms(&f);
    for (size_t i = 0; i < n; i++) {
        uint32_t hash = UINT32_C(0x811c9dc5);

        for (int32_t c = (int32_t)i * 4096; c < (int32_t)(i + 1) * 4096; c++)
            if (!U_IS_SURROGATE(c))
                hash = hash_forms(&f, c, hash);
        if (hash != want[i])
            fail_msg("block U+%05zX differs", i * 4096);
    }
    close_forms(&f);
    free(want);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_what_the_reference_knows),
        cmocka_unit_test(every_character_has_the_forms_of_the_reference),
        cmocka_unit_test(samples_have_the_ids_of_the_reference),
        cmocka_unit_test(corpus_has_the_ids_of_the_reference),
        cmocka_unit_test(corpus_has_the_same_ids_step_by_step),
        cmocka_unit_test(corpus_has_the_letters_of_the_reference),
        cmocka_unit_test(corpus_has_the_unigram_pieces_of_the_reference),
        cmocka_unit_test(corpus_has_the_byte_pairs_of_the_reference),
        cmocka_unit_test(corpus_has_the_ids_of_e5),
    };

    return wn_test_run("golden tokenizer", tests, 9, NULL, NULL);
}
