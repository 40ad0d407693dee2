/*
 * A tokenizer as a document: made of an old folder it gives the same tokens,
 * and with other ids the same pieces.
 */
#include "model/tokenizer_json.h"

#include <sys/stat.h>

#include "model/tokenizer.h"
#include "tests/lib/test.h"

#define GOLDEN "tests/golden/"
#define IDS 1402

static struct wn_err err;

static const char *
fresh_dir(void)
{
    static char path[4096];
    static int n;

    snprintf(path, sizeof(path), "%s/%d", wn_test_dir(), n++);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static void
put_file(const char *dir, const char *name, const char *text, size_t len)
{
    char path[4200];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static json_t *
read_json(const char *dir)
{
    json_t *root = NULL;

    assert_wn_ok(wn_tokenizer_json_read(&root, dir, &err), &err);
    return root;
}

static struct wn_tokenizer *
open_json(const json_t *root)
{
    const char *dir = fresh_dir();
    struct wn_tokenizer *t = NULL;
    char path[4200];

    snprintf(path, sizeof(path), "%s/tokenizer.json", dir);
    assert_int_equal(json_dump_file(root, path, JSON_COMPACT), 0);
    assert_wn_ok(wn_tokenizer_open(&t, dir, &err), &err);
    return t;
}

/* Calls each() with the tokens that a and b make of the golden texts. */
static void
for_texts(const struct wn_tokenizer *a, const struct wn_tokenizer *b,
    void (*each)(
        void *arg, const struct wn_tokens *a, const struct wn_tokens *b),
    void *arg)
{
    FILE *f = fopen(GOLDEN "texts.jsonl", "re");
    struct wn_tokens x, y;
    size_t n = 0;
    json_t *v;

    assert_non_null(f);
    wn_tokens_init(&x);
    wn_tokens_init(&y);
    while ((v = json_loadf(
                f, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        const char *text = json_string_value(v);

        assert_wn_ok(wn_tokenizer_run(a, text, strlen(text), &x, &err), &err);
        assert_wn_ok(wn_tokenizer_run(b, text, strlen(text), &y, &err), &err);
        each(arg, &x, &y);
        json_decref(v);
        n++;
    }
    assert_int_equal(n, 200);
    wn_tokens_release(&x);
    wn_tokens_release(&y);
    fclose(f);
}

static void
are_equal(void *arg, const struct wn_tokens *a, const struct wn_tokens *b)
{
    assert_null(arg);
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->ids, b->ids, a->n * sizeof(*a->ids));
}

static void
an_old_folder_comes_to_the_same_tokens(void **state)
{
    static const char *const configs[] = { NULL, "{\"do_lower_case\":false}",
        "{\"do_lower_case\":true,\"strip_accents\":false,"
        "\"model_max_length\":1000000000000000019884624838656}",
        "{\"tokenize_chinese_chars\":false}" };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const char *dir = fresh_dir();
        struct wn_tokenizer *was = NULL, *is;
        char command[9000], kept[4096];
        json_t *root;

        snprintf(kept, sizeof(kept), "%s", dir);
        snprintf(
            command, sizeof(command), "cp " GOLDEN "bert/vocab.txt '%s'", kept);
        assert_int_equal(system(command), 0);
        if (configs[i] != NULL)
            put_file(
                kept, "tokenizer_config.json", configs[i], strlen(configs[i]));
        assert_wn_ok(wn_tokenizer_open(&was, kept, &err), &err);
        root = read_json(kept);
        assert_string_equal(wn_tokenizer_json_model(root), "WordPiece");
        is = open_json(root);
        for_texts(was, is, are_equal, NULL);
        assert_int_equal(wn_tokenizer_cls(was), wn_tokenizer_cls(is));
        assert_int_equal(wn_tokenizer_sep(was), wn_tokenizer_sep(is));
        assert_int_equal(wn_tokenizer_mask(was), wn_tokenizer_mask(is));
        assert_int_equal(wn_tokenizer_vocab(was), wn_tokenizer_vocab(is));
        wn_tokenizer_free(was);
        wn_tokenizer_free(is);
        json_decref(root);
    }
}

static void
a_folder_of_today_stays_as_it_is(void **state)
{
    static const char *const folders[] = { "distilbert", "roberta",
        "xlm_roberta" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct wn_tokenizer *was = NULL, *is;
        char dir[64];
        json_t *root;

        snprintf(dir, sizeof(dir), GOLDEN "%s", folders[i]);
        assert_wn_ok(wn_tokenizer_open(&was, dir, &err), &err);
        root = read_json(dir);
        is = open_json(root);
        for_texts(was, is, are_equal, NULL);
        wn_tokenizer_free(was);
        wn_tokenizer_free(is);
        json_decref(root);
    }
}

static const char *
type_of(const json_t *root, const char *part)
{
    const char *type =
        json_string_value(json_object_get(json_object_get(root, part), "type"));

    return type == NULL ? "" : type;
}

/* vocab.txt is what wn_tokenizer_open() takes where both are there. */
static void
vocab_txt_is_stronger(void **state)
{
    static const char json[] = "{\"normalizer\":{\"type\":\"BertNormalizer\"},"
                               "\"model\":{\"vocab\":{\"[UNK]\":0}}}";
    static const char lines[] = "[UNK]\n[CLS]\n[SEP]\nword\n";
    const char *dir = fresh_dir();
    json_t *root;

    (void)state;
    put_file(dir, "tokenizer.json", json, strlen(json));
    put_file(dir, "vocab.txt", lines, strlen(lines));
    root = read_json(dir);
    assert_int_equal(wn_tokenizer_json_find(root, "word"), 3);
    assert_int_equal(wn_tokenizer_json_find(root, "none"), -1);
    assert_int_equal(wn_tokenizer_json_unk(root), 0);
    assert_int_equal(wn_tokenizer_json_least(root), -1);
    /* and what nobody says is said */
    assert_string_equal(type_of(root, "model"), "WordPiece");
    assert_string_equal(type_of(root, "pre_tokenizer"), "BertPreTokenizer");
    assert_string_equal(type_of(root, "post_processor"), "TemplateProcessing");
    json_decref(root);
}

static void
lines_that_are_no_text_are_refused(void **state)
{
    static const char latin[] = "[UNK]\n[CLS]\n[SEP]\ncaf\xe9\n";
    static const char nul[] = "[UNK]\n[CLS]\n[SEP]\na\0b\n";
    const char *dir = fresh_dir();
    json_t *root = NULL;

    (void)state;
    assert_int_equal(wn_tokenizer_json_read(&root, dir, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "neither vocab.txt nor tokenizer.json"));
    put_file(dir, "vocab.txt", latin, sizeof(latin) - 1);
    assert_int_equal(wn_tokenizer_json_read(&root, dir, &err), WN_REJECT);
    assert_string_equal(err.text, "vocab.txt:4: is not UTF-8 text");
    put_file(dir, "vocab.txt", nul, sizeof(nul) - 1);
    assert_int_equal(wn_tokenizer_json_read(&root, dir, &err), WN_REJECT);
    assert_string_equal(err.text, "vocab.txt:4: is not UTF-8 text");
    assert_null(root);
}

/* --- other ids --- */

/* Every third piece that has no part of its own goes. */
static void
draw_ids(const json_t *root, int32_t to[IDS], size_t n)
{
    bool keep[IDS] = { false };
    int32_t next = 0;

    assert_wn_ok(wn_tokenizer_json_special(root, keep, n, &err), &err);
    for (size_t id = 0; id < n; id++)
        to[id] = keep[id] || id % 3 != 0 ? next++ : -1;
}

/* Where no piece of a text went, its ids are the new ones. */
static void
follow(void *arg, const struct wn_tokens *a, const struct wn_tokens *b)
{
    const int32_t *to = arg;
    bool stays = true;

    for (size_t i = 0; i < a->n; i++)
        stays = stays && to[a->ids[i]] >= 0;
    if (!stays)
        return;
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        assert_int_equal(to[a->ids[i]], b->ids[i]);
}

static void
ids_are_changed_everywhere(void **state)
{
    static const char *const folders[] = { "distilbert", "bert",
        "xlm_roberta" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct wn_tokenizer *was = NULL, *is;
        int32_t to[IDS];
        char dir[64];
        json_t *root;
        size_t n;

        snprintf(dir, sizeof(dir), GOLDEN "%s", folders[i]);
        assert_wn_ok(wn_tokenizer_open(&was, dir, &err), &err);
        n = wn_tokenizer_vocab(was);
        root = read_json(dir);
        draw_ids(root, to, n);
        assert_wn_ok(wn_tokenizer_json_renumber(root, to, n, &err), &err);
        is = open_json(root);
        for_texts(was, is, follow, to);
        assert_int_equal(to[wn_tokenizer_cls(was)], wn_tokenizer_cls(is));
        assert_int_equal(to[wn_tokenizer_sep(was)], wn_tokenizer_sep(is));
        assert_int_equal(to[wn_tokenizer_mask(was)], wn_tokenizer_mask(is));
        assert_true(wn_tokenizer_vocab(is) < n);
        wn_tokenizer_free(was);
        wn_tokenizer_free(is);
        json_decref(root);
    }
}

/* In each place that has ids, by their names. */
static void
every_place_of_an_id_is_known(void **state)
{
    static const char text[] =
        "{\"padding\":{\"pad_id\":1},\"added_tokens\":[{\"id\":4,\"content\":"
        "\"<x>\",\"special\":false}],\"post_processor\":{\"type\":\"Sequence\","
        "\"processors\":[{\"type\":\"RobertaProcessing\",\"cls\":[\"s\",2],"
        "\"sep\":[\"e\",3]},{\"special_tokens\":{\"s\":{\"ids\":[2,3]}}}]},"
        "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"vocab\":{"
        "\"u\":5,\"free\":0,\"p\":1,\"s\":2,\"e\":3,\"c\":6}}}";
    static const char want[] =
        "{\"padding\":{\"pad_id\":0},\"added_tokens\":[{\"id\":3,\"content\":"
        "\"<x>\",\"special\":false}],\"post_processor\":{\"type\":\"Sequence\","
        "\"processors\":[{\"type\":\"RobertaProcessing\",\"cls\":[\"s\",1],"
        "\"sep\":[\"e\",2]},{\"special_tokens\":{\"s\":{\"ids\":[1,2]}}}]},"
        "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"vocab\":{"
        "\"p\":0,\"s\":1,\"e\":2,\"u\":4}}}";
    const int32_t to[] = { -1, 0, 1, 2, 3, 4, -1 },
                  without[] = { 0, 1, 2, 3, -1, 4, 5 };
    bool keep[7] = { false };
    json_t *root = json_loads(text, 0, NULL);
    const char *pieces[7];
    char *got;

    (void)state;
    assert_wn_ok(wn_tokenizer_json_special(root, keep, 7, &err), &err);
    for (size_t id = 0; id < 7; id++)
        assert_int_equal(keep[id], id != 0 && id != 6);
    wn_tokenizer_json_pieces(root, pieces, 7);
    assert_string_equal(pieces[4], "<x>");
    assert_string_equal(pieces[6], "c");
    assert_wn_ok(wn_tokenizer_json_renumber(root, to, 7, &err), &err);
    got = json_dumps(root, JSON_COMPACT);
    assert_string_equal(got, want);
    free(got);
    json_decref(root);

    root = json_loads(text, 0, NULL);
    assert_int_equal(
        wn_tokenizer_json_renumber(root, without, 7, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "id 4 of a special token"));
    json_decref(root);
    root = read_json(GOLDEN "roberta");
    assert_int_equal(wn_tokenizer_json_renumber(root, to, 7, &err), WN_REJECT);
    assert_non_null(strstr(err.text, "model 'BPE'"));
    json_decref(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_folder_comes_to_the_same_tokens),
        cmocka_unit_test(a_folder_of_today_stays_as_it_is),
        cmocka_unit_test(vocab_txt_is_stronger),
        cmocka_unit_test(lines_that_are_no_text_are_refused),
        cmocka_unit_test(ids_are_changed_everywhere),
        cmocka_unit_test(every_place_of_an_id_is_known),
    };

    return wn_test_run(
        "tokenizer json", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
