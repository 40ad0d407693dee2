/*
 * winnow model prune: texts that say which words stay keep their pieces,
 * whatever goes; ids, special ones too, and rows of the table follow. For both
 * kinds of vocabulary, on the small checkpoints of tests/golden.
 */
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "classifier/text.h"
#include "core/item.h"
#include "model/encoder.h"
#include "model/tokenizer.h"
#include "model/tokenizer_json.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"

#define GOLDEN "tests/golden/"
#define TEXTS 120
#define IDS_MAX 2000

static struct wn_err err;
static char dir[3000], data[3100];
static char texts[TEXTS][400];

/* --- running it --- */

static int
run(const char *args)
{
    return wn_program_run(dir, args);
}

static const char *
content(const char *name)
{
    return wn_program_file(dir, name);
}

static void
assert_says(const char *want)
{
    if (strstr(content("out"), want) == NULL)
        fail_msg("'%s' does not say '%s'", content("out"), want);
}

/* --- texts --- */

/* Words that the small vocabularies know, parts of them and what they do not
 * know at all, under this run's seed. */
static void
draw_text(char *out, size_t n, uint64_t *seed)
{
    static const char *const words[] = { "free", "prize", "click", "walking",
        "coffee", "weather", "testing", "unbelievably", "customs", "refund",
        "don't", "100%", "q", "zzz", "na\xc3\xafve", "\xd0\xbf\xd1\x80",
        "\xf0\x9f\x98\x80", "\xe6\x97\xa5\xe6\x9c\xac", "moreover", "wallet",
        "tagging", "amen", "rivers", "xylophone", "!", "\xe2\x98\x83",
        "\xea\xb0\x80\xea\xb0\x81" };
    size_t len = 0, count = 1 + wn_test_random(seed) % 25;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *word =
            words[wn_test_random(seed) % (sizeof(words) / sizeof(words[0]))];

        if (len + strlen(word) + 2 > n)
            return;
        len += (size_t)snprintf(out + len, n - len, "%s%s",
            i > 0 && wn_test_random(seed) % 6 > 0 ? " " : "", word);
    }
}

static int
make_texts(void **state)
{
    uint64_t seed = wn_test_seed();
    FILE *f;

    (void)state;
    snprintf(dir, sizeof(dir), "%s", wn_test_dir());
    snprintf(data, sizeof(data), "%s/data.jsonl", dir);
    f = fopen(data, "we");
    if (f == NULL)
        return -1;
    for (size_t i = 0; i < TEXTS; i++) {
        json_t *o;

        if (i == 0) /* which are rare, whatever is drawn */
            strcpy(texts[i], "conclusion therefore generate language customs "
                             "season delivery");
        else
            draw_text(texts[i], sizeof(texts[i]), &seed);
        o = json_pack("{s:s}", "text", texts[i]);
        json_dumpf(o, f, JSON_COMPACT);
        fputc('\n', f);
        json_decref(o);
    }
    return fclose(f);
}

/* --- a folder's tokenizer --- */

struct side {
    struct wn_tokenizer *t;
    json_t *root;
    const char *pieces[IDS_MAX];
    struct wn_tokens tk;
};

static void
side_open(struct side *s, const char *folder)
{
    assert_wn_ok(wn_tokenizer_open(&s->t, folder, &err), &err);
    assert_wn_ok(wn_tokenizer_json_read(&s->root, folder, &err), &err);
    wn_tokenizer_json_pieces(s->root, s->pieces, IDS_MAX);
    wn_tokens_init(&s->tk);
}

static void
side_close(struct side *s)
{
    wn_tokens_release(&s->tk);
    wn_tokenizer_free(s->t);
    json_decref(s->root);
}

static void
side_cut(struct side *s, const char *text)
{
    struct wn_text hard;

    wn_text_init(&hard);
    assert_wn_ok(wn_text_harden(&hard, text, strlen(text), &err), &err);
    assert_wn_ok(
        wn_tokenizer_run(s->t, hard.data, hard.len, &s->tk, &err), &err);
    wn_text_release(&hard);
}

static bool
same_pieces(const struct side *a, const struct side *b)
{
    bool same = a->tk.n == b->tk.n;

    for (size_t i = 0; same && i < a->tk.n; i++)
        same = strcmp(a->pieces[a->tk.ids[i]], b->pieces[b->tk.ids[i]]) == 0;
    return same;
}

/* Whether all of a's pieces are in b's vocabulary. */
static bool
all_there(const struct side *a, const struct side *b)
{
    bool there = true;

    for (size_t i = 0; i < a->tk.n; i++)
        there = there &&
                wn_tokenizer_json_find(b->root, a->pieces[a->tk.ids[i]]) >= 0;
    return there;
}

static bool
has_unknown(const struct side *a)
{
    bool unknown = false;

    for (size_t i = 0; i < a->tk.n; i++)
        unknown = unknown || a->tk.ids[i] == wn_tokenizer_json_unk(a->root);
    return unknown;
}

/* --- what stays the same --- */

static const struct {
    const char *family, *flags;
    bool all; /* no text has a word that goes */
} cases[] = {
    { "bert", "--min-count 1", true },
    { "bert", "--min-count 3", false },
    { "bert", "--min-count 40 --keep-chars", false },
    { "distilbert", "--min-count 2", false },
    { "xlm_roberta", "--min-count 1", true },
    { "xlm_roberta", "--min-count 3", false },
    { "xlm_roberta", "--min-count 40 --keep-chars", false },
    { "xlm_roberta", "--min-count 5 --keep-first 60", false },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static void
prune(size_t i, char made[4096])
{
    char args[12000];

    snprintf(made, 4096, "%s/%zu", dir, i);
    snprintf(args, sizeof(args),
        "model prune " GOLDEN "%s --out '%s' --vocab-from '%s' %s",
        cases[i].family, made, data, cases[i].flags);
    if (access(made, F_OK) != 0 && run(args) != 0)
        fail_msg("%s: %s", args, content("out.err"));
}

static void
texts_keep_their_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct side was = { .t = NULL }, is = { .t = NULL };
        char made[4096], path[64];
        size_t touched = 0;

        prune(i, made);
        snprintf(path, sizeof(path), GOLDEN "%s", cases[i].family);
        side_open(&was, path);
        side_open(&is, made);
        assert_true(wn_tokenizer_vocab(is.t) < wn_tokenizer_vocab(was.t));
        for (size_t k = 0; k < TEXTS; k++) {
            side_cut(&was, texts[k]);
            side_cut(&is, texts[k]);
            touched += !all_there(&was, &is);
            if (all_there(&was, &is) && !same_pieces(&was, &is) &&
                !(was.root != NULL && has_unknown(&was) &&
                    strcmp(wn_tokenizer_json_model(was.root), "WordPiece") ==
                        0))
                fail_msg("%s %s: '%s'", path, cases[i].flags, texts[k]);
        }
        if (cases[i].all != (touched == 0))
            fail_msg("%s %s: %zu texts had a word that went", path,
                cases[i].flags, touched);
        side_close(&was);
        side_close(&is);
    }
}

/* The row of each word is the one that it had. */
static void
rows_follow_their_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct side was = { .t = NULL }, is = { .t = NULL };
        struct wn_encoder *a = NULL, *b = NULL;
        const struct wn_tensor *from = NULL, *to;
        char made[4096], path[64];
        size_t row;

        prune(i, made);
        snprintf(path, sizeof(path), GOLDEN "%s", cases[i].family);
        side_open(&was, path);
        side_open(&is, made);
        assert_wn_ok(wn_encoder_open(&a, path, NULL, &err), &err);
        assert_wn_ok(wn_encoder_open(&b, made, NULL, &err), &err);
        for (size_t k = 0; k < wn_safetensors_n(wn_encoder_file(a)); k++)
            if (strstr(wn_safetensors_at(wn_encoder_file(a), k)->name,
                    "word_embeddings") != NULL)
                from = wn_safetensors_at(wn_encoder_file(a), k);
        to = wn_safetensors_find(
            wn_encoder_file(b), "embeddings.word_embeddings.weight");
        assert_non_null(from);
        assert_non_null(to);
        assert_int_equal(to->dtype, from->dtype);
        assert_int_equal(to->shape[0], wn_tokenizer_vocab(is.t));
        row = to->shape[1] * (to->dtype == WN_F32 ? 4 : 2);
        for (size_t id = 0; id < to->shape[0]; id++) {
            int32_t old = wn_tokenizer_json_find(was.root, is.pieces[id]);

            assert_true(old >= 0);
            assert_memory_equal((const char *)to->data + id * row,
                (const char *)from->data + (size_t)old * row, row);
        }
        wn_encoder_free(a);
        wn_encoder_free(b);
        side_close(&was);
        side_close(&is);
    }
}

static void
special_tokens_stay_under_new_ids(void **state)
{
    static const char *const around[] = { "[CLS]", "[SEP]", "[MASK]", "[PAD]",
        "[UNK]" };
    struct side is = { .t = NULL };
    char made[4096], path[4200];
    json_t *config;

    (void)state;
    prune(1, made);
    side_open(&is, made);
    for (size_t i = 0; i < 5; i++)
        assert_true(wn_tokenizer_json_find(is.root, around[i]) >= 0);
    assert_int_equal(
        wn_tokenizer_cls(is.t), wn_tokenizer_json_find(is.root, "[CLS]"));
    assert_int_equal(
        wn_tokenizer_sep(is.t), wn_tokenizer_json_find(is.root, "[SEP]"));
    side_close(&is);

    prune(5, made);
    memset(&is, 0, sizeof(is));
    side_open(&is, made);
    assert_int_equal(
        wn_tokenizer_cls(is.t), wn_tokenizer_json_find(is.root, "<s>"));
    assert_int_equal(
        wn_tokenizer_sep(is.t), wn_tokenizer_json_find(is.root, "</s>"));
    /* the last piece of 1,402 was <mask> */
    assert_int_equal(wn_tokenizer_vocab(is.t) - 1,
        wn_tokenizer_json_find(is.root, "<mask>"));
    snprintf(path, sizeof(path), "%s/config.json", made);
    config = json_load_file(path, 0, NULL);
    assert_int_equal(
        json_integer_value(json_object_get(config, "pad_token_id")),
        wn_tokenizer_json_find(is.root, "<pad>"));
    assert_int_equal(json_integer_value(json_object_get(config, "vocab_size")),
        wn_tokenizer_vocab(is.t));
    json_decref(config);
    side_close(&is);
}

/* What an unknown character costs follows from the lowest score. */
static void
the_lowest_score_stays(void **state)
{
    struct side was = { .t = NULL }, is = { .t = NULL };
    char made[4096];

    (void)state;
    prune(5, made);
    side_open(&was, GOLDEN "xlm_roberta");
    side_open(&is, made);
    assert_string_equal(was.pieces[wn_tokenizer_json_least(was.root)],
        is.pieces[wn_tokenizer_json_least(is.root)]);
    side_close(&was);
    side_close(&is);
}

static void
flags_say_what_stays(void **state)
{
    struct side was = { .t = NULL }, is = { .t = NULL };
    char made[4096];

    (void)state;
    prune(7, made); /* --keep-first 60 */
    side_open(&was, GOLDEN "xlm_roberta");
    side_open(&is, made);
    for (size_t id = 0; id < 60; id++)
        assert_string_equal(was.pieces[id], is.pieces[id]);
    side_close(&is);
    prune(6, made); /* --keep-chars */
    memset(&is, 0, sizeof(is));
    side_open(&is, made);
    for (size_t id = 0; id < wn_tokenizer_vocab(was.t); id++)
        if (strlen(was.pieces[id]) == 1)
            assert_true(wn_tokenizer_json_find(is.root, was.pieces[id]) >= 0);
    side_close(&is);
    side_close(&was);
    prune(2, made);
    memset(&is, 0, sizeof(is));
    side_open(&is, made);
    assert_true(wn_tokenizer_json_find(is.root, "##z") >= 0);
    assert_true(wn_tokenizer_json_find(is.root, "##tion") < 0);
    side_close(&is);
}

/* --- layers, and what is printed --- */

static void
layers_go_from_the_top_or_by_number(void **state)
{
    char args[12000];

    (void)state;
    snprintf(args, sizeof(args),
        "model prune " GOLDEN "roberta --layers 1 --out '%s/top'", dir);
    assert_int_equal(run(args), 0);
    assert_says("layers     1 of 2 stay\n");
    assert_non_null(
        strstr(content("top/config.json"), "\"num_hidden_layers\": 1"));
    snprintf(args, sizeof(args),
        "model prune " GOLDEN "roberta --keep-layers=1 --out '%s/second'", dir);
    assert_int_equal(run(args), 0);
    snprintf(args, sizeof(args),
        "cmp -s '%s/top/model.safetensors' '%s/second/model.safetensors'", dir,
        dir);
    assert_int_not_equal(system(args), 0);
}

static void
what_went_is_counted(void **state)
{
    char args[12000];

    (void)state;
    snprintf(args, sizeof(args),
        "model prune " GOLDEN "bert --out '%s/said' --keep-layers 0,1 "
        "--min-count 1 --vocab-from '%s' '%s'",
        dir, data, data);
    if (run(args) != 0)
        fail_msg("%s", content("out.err"));
    assert_says("layers     2 of 2 stay\n");
    assert_says("texts      240, ");
    assert_says(" of 292 stay; ");
    assert_says("of texts   0 had a word that goes, the others keep their "
                "tokens");
    assert_says("/said is written\n");
}

/* WordPiece takes the longest piece first, and where that leads nowhere the
 * word is unknown; without that piece another way may be found. */
static void
an_unknown_word_may_become_known(void **state)
{
    char args[12000];

    (void)state;
    snprintf(args, sizeof(args),
        "cp -r " GOLDEN "bert '%s/zh' && cd '%s/zh' && "
        "{ head -289 vocab.txt; printf '\xd0\xb6\xd0\xb4\n\xd0\xb6\n"
        "##\xd0\xb4\xd1\x8f\n'; } >v && mv v vocab.txt && "
        "printf '{\"text\":\"\xd0\xb6\xd0\xb4\xd1\x8f\"}\n"
        "{\"text\":\"z\xd0\xb4\xd1\x8f\"}\n{\"text\":\"free\"}\n' "
        ">texts",
        dir, dir);
    assert_int_equal(system(args), 0);
    snprintf(args, sizeof(args),
        "model prune '%s/zh' --out '%s/zh2' --vocab-from '%s/zh/texts' "
        "--min-count 1 --keep-chars",
        dir, dir, dir);
    if (run(args) != 0)
        fail_msg("%s", content("out.err"));
    assert_says("of texts   0 had a word that goes, the others keep their "
                "tokens but for 1, where what was unknown is cut into pieces "
                "now\n");
}

/* A base that was cut is a base. */
static void
winnow_trains_on_it(void **state)
{
    char args[16000], made[4096], path[4096];
    FILE *f;

    (void)state;
    prune(5, made);
    snprintf(path, sizeof(path), "%s/rows", dir);
    assert_int_equal(mkdir(path, 0777), 0);
    for (int part = 0; part < 2; part++) {
        snprintf(path, sizeof(path), "%s/rows/%s.jsonl", dir,
            part == 0 ? "train" : "dev");
        f = fopen(path, "we");
        assert_non_null(f);
        for (size_t i = 0; i < 40; i++)
            fprintf(f,
                "{\"text\":\"%s %zu\",\"labels\":{\"spam\":%zu,\"scam\":%zu,"
                "\"bait\":%zu,\"ai\":%zu},\"source\":\"s\"}\n",
                i % 2 == 0 ? "free prize" : "coffee and weather", i, i % 2,
                i % 2, i % 2, i % 2);
        assert_int_equal(fclose(f), 0);
    }
    snprintf(args, sizeof(args),
        "train --heads-only --data '%s/rows' --base '%s' --out '%s/trained'",
        dir, made, dir);
    if (run(args) != 0)
        fail_msg("%s", content("out.err"));
}

static void
prune_says_what_is_wrong(void **state)
{
    static const struct {
        const char *args;
        int status;
        const char *says;
    } wrong[] = {
        { "", 2, "prune needs one DIR and --out OUT" },
        { GOLDEN "bert", 2, "prune needs one DIR and --out OUT" },
        { GOLDEN "bert x --out a --layers 1", 2, "prune needs one DIR" },
        { GOLDEN "bert --out a", 2, "--layers, --keep-layers or --vocab-from" },
        { GOLDEN "bert --out a --layers 1 --keep-layers 0", 2,
            "one of them is enough" },
        { GOLDEN "bert --out a --layers 1 --keep-chars", 2,
            "need --vocab-from" },
        { GOLDEN "bert --out a --vocab-from -", 2, "files are read twice" },
        { GOLDEN "bert --out a --vocab-from=", 2, "--vocab-from needs a name" },
        { GOLDEN "bert --out a --layers 0", 2, "--layers '0' is not" },
        { GOLDEN "bert --out a --layer 1", 2, "did you mean --layers?" },
        { GOLDEN "bert --out a --layers 3", 78,
            "--layers asks for more: the folder has layers 0 to 1" },
        { GOLDEN "bert --out a --keep-layers 1,0", 78, "not a rising list" },
        { GOLDEN "bert --out a --keep-layers 0,2", 78, "not a rising list" },
        { GOLDEN "bert --out a --keep-layers 0,", 78, "not a rising list" },
        { GOLDEN "bert --out a --keep-layers 0,0", 78, "not a rising list" },
        { "/nowhere --out a --layers 1", 78, "/nowhere/config.json: No such" },
        { GOLDEN "bert --out tests --layers 1", 1,
            "name a folder that is "
            "empty or not there" },
        { GOLDEN "bert --out a --vocab-from /nowhere", 1,
            "/nowhere: No such file" },
        { GOLDEN "bert --out a --vocab-from /dev/null", 1,
            "/dev/null: no texts in it" },
        { GOLDEN "bert --out a --vocab-from " GOLDEN "texts.jsonl", 1,
            "texts.jsonl:1: " },
        { GOLDEN "roberta --out a --vocab-from " GOLDEN "texts.jsonl", 1,
            "in BPE pieces are made of other pieces" },
    };
    char args[12000];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int status;

        snprintf(args, sizeof(args), "model prune %s", wrong[i].args);
        status = run(args);
        if (status != wrong[i].status ||
            strstr(content("out.err"), wrong[i].says) == NULL)
            fail_msg("%s: %d, '%s'", args, status, content("out.err"));
        assert_int_not_equal(access("a", F_OK), 0);
        assert_int_not_equal(access("a.tmp", F_OK), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_keep_their_pieces),
        cmocka_unit_test(rows_follow_their_words),
        cmocka_unit_test(special_tokens_stay_under_new_ids),
        cmocka_unit_test(the_lowest_score_stays),
        cmocka_unit_test(flags_say_what_stays),
        cmocka_unit_test(layers_go_from_the_top_or_by_number),
        cmocka_unit_test(what_went_is_counted),
        cmocka_unit_test(an_unknown_word_may_become_known),
        cmocka_unit_test(winnow_trains_on_it),
        cmocka_unit_test(prune_says_what_is_wrong),
    };

    return wn_test_run("model prune", tests, sizeof(tests) / sizeof(tests[0]),
        make_texts, NULL);
}
