/*
 * winnow model import: a folder of every family becomes a base; shards and
 * other names come to the same file as one with BERT's; what cannot be taken is
 * named, and leaves nothing behind. On copies of tests/golden/bert.
 */
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "model/encoder.h"
#include "model/tokenizer.h"
#include "tests/lib/program.h"
#include "tests/lib/test.h"

#define GOLDEN "tests/golden/"
#define TENSORS_MAX 64

static struct wn_err err;
static char dir[3000];

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
assert_says(const char *name, const char *want)
{
    if (strstr(content(name), want) == NULL)
        fail_msg("'%s' does not say '%s'", content(name), want);
}

/* Imports the test's folder `from` to `to`. */
static int
import(const char *from, const char *to, const char *flags)
{
    char args[12000];

    snprintf(args, sizeof(args), "model import '%s/%s' --out '%s/%s' %s", dir,
        from, dir, to, flags);
    return run(args);
}

static void
assert_imports(const char *from, const char *to, const char *flags)
{
    if (import(from, to, flags) != 0)
        fail_msg("%s: %s", from, content("out.err"));
}

/* Status and words of a refusal; nothing is left of it. */
static void
assert_refuses(
    const char *from, const char *flags, int status, const char *says)
{
    char path[4096];
    int got = import(from, "refused", flags);

    if (got != status)
        fail_msg("%s: %d, %s", from, got, content("out.err"));
    assert_says("out.err", says);
    snprintf(path, sizeof(path), "%s/refused", dir);
    assert_int_not_equal(access(path, F_OK), 0);
    snprintf(path, sizeof(path), "%s/refused.tmp", dir);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* --- folders to import --- */

static void
put_file(const char *folder, const char *name, const char *text)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s/%s", dir, folder, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* A copy of the golden BERT, without what the shell's `rm` takes. */
static void
copy_folder(const char *to, const char *without)
{
    char command[12000];

    snprintf(command, sizeof(command),
        "cp -r " GOLDEN "bert '%s/%s' && cd '%s/%s' && rm -f logits.f32 %s",
        dir, to, dir, to, without);
    assert_int_equal(system(command), 0);
}

struct tensors {
    struct wn_safetensors *st;
    struct wn_tensor t[TENSORS_MAX];
    char names[TENSORS_MAX][200];
    size_t n;
};

static void
open_tensors(struct tensors *x)
{
    assert_wn_ok(
        wn_safetensors_open(&x->st, GOLDEN "bert/model.safetensors", &err),
        &err);
    x->n = wn_safetensors_n(x->st);
    assert_true(x->n > 30 && x->n <= TENSORS_MAX);
    for (size_t i = 0; i < x->n; i++)
        x->t[i] = *wn_safetensors_at(x->st, i);
}

/* Those from `first` on as folder/name. */
static void
write_tensors(const struct tensors *x, const char *folder, const char *name,
    size_t first, size_t n)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s/%s", dir, folder, name);
    assert_wn_ok(wn_safetensors_write(path, x->t + first, n, &err), &err);
}

static bool
same_file(const char *a, const char *b)
{
    char command[9000];

    snprintf(
        command, sizeof(command), "cmp -s '%s/%s' '%s/%s'", dir, a, dir, b);
    return system(command) == 0;
}

/* --- what is taken --- */

static void
every_family_is_taken(void **state)
{
    static const struct {
        const char *family, *found, *tokenizer;
    } rows[] = {
        { "bert", "found      bert: 2 layers, width 32, 4 heads",
            "tokenizer  WordPiece, 292 pieces\n" },
        { "distilbert", "found      distilbert: 2 layers",
            "tokenizer  WordPiece, 292 pieces\n" },
        { "roberta", "found      roberta: 2 layers",
            "tokenizer  BPE, 1400 pieces\n" },
        { "xlm_roberta", "found      xlm-roberta: 2 layers",
            "tokenizer  Unigram, 1402 pieces\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wn_tokenizer *t = NULL;
        struct wn_encoder *e = NULL;
        char args[9000], path[4096];

        snprintf(args, sizeof(args), "model import " GOLDEN "%s --out '%s/%s'",
            rows[i].family, dir, rows[i].family);
        if (run(args) != 0)
            fail_msg("%s", content("out.err"));
        assert_says("out", rows[i].found);
        assert_says("out", rows[i].tokenizer);
        assert_says("out", "pooling    first token\n");
        assert_says("out", "left out   4 tensors of heads or buffers: ");
        snprintf(path, sizeof(path), "%s/%s", dir, rows[i].family);
        assert_wn_ok(wn_encoder_open(&e, path, NULL, &err), &err);
        assert_wn_ok(wn_tokenizer_open(&t, path, &err), &err);
        assert_int_equal(wn_encoder_shape(e)->labels, 0);
        assert_int_equal(wn_encoder_shape(e)->types, i == 0 ? 2 : 1);
        wn_tokenizer_free(t);
        wn_encoder_free(e);
    }
}

static void
write_rows(const char *part)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/rows/%s.jsonl", dir, part);
    f = fopen(path, "we");
    assert_non_null(f);
    for (size_t i = 0; i < 40; i++)
        fprintf(f,
            "{\"text\":\"%s %zu\",\"labels\":{\"spam\":%zu,\"scam\":%zu,"
            "\"bait\":%zu,\"ai\":%zu},\"source\":\"s\"}\n",
            i % 2 == 0 ? "free prize" : "coffee and weather", i, i % 2, i % 2,
            i % 2, i % 2);
    assert_int_equal(fclose(f), 0);
}

static void
tune(const char *base, const char *out)
{
    char args[16000];

    snprintf(args, sizeof(args),
        "train --data '%s/rows' --base '%s' --out '%s/%s' --epochs 1 "
        "--epoch-rows 40 --batch-tokens 256",
        dir, base, dir, out);
    if (run(args) != 0)
        fail_msg("%s", content("out.err"));
}

/* Which has no table of types. */
static void
winnow_tunes_a_distilbert_imported_or_not(void **state)
{
    char path[4096];

    (void)state;
    snprintf(path, sizeof(path), "%s/rows", dir);
    assert_int_equal(mkdir(path, 0777), 0);
    write_rows("train");
    write_rows("dev");
    tune(GOLDEN "distilbert", "tuned1");
    snprintf(path, sizeof(path),
        "model import " GOLDEN "distilbert --out '%s/base'", dir);
    assert_int_equal(run(path), 0);
    snprintf(path, sizeof(path), "%s/base", dir);
    tune(path, "tuned2");
    assert_true(
        same_file("tuned1/model.safetensors", "tuned2/model.safetensors"));
}

static void
shards_come_to_the_same_file(void **state)
{
    struct tensors x;
    json_t *map = json_object();
    char path[4096];

    (void)state;
    copy_folder("whole", "");
    copy_folder("shards", "model.safetensors");
    open_tensors(&x);
    for (size_t i = 0; i < x.n; i++)
        json_object_set_new(map, x.t[i].name,
            json_string(
                i < 10 ? "model-1.safetensors" : "model-2.safetensors"));
    write_tensors(&x, "shards", "model-1.safetensors", 0, 10);
    write_tensors(&x, "shards", "model-2.safetensors", 10, x.n - 10);
    map = json_pack(
        "{s:{s:i}, s:o}", "metadata", "total_size", 1, "weight_map", map);
    snprintf(path, sizeof(path), "%s/shards/model.safetensors.index.json", dir);
    assert_int_equal(json_dump_file(map, path, 0), 0);
    json_decref(map);
    wn_safetensors_close(x.st);

    put_file("whole", "tokenizer_config.json",
        "{\"model_max_length\":1000000000000000019884624838656}");
    assert_imports("whole", "from_whole", "");
    assert_says("out", "weights    fp32, in 1 file\n");
    assert_imports("shards", "from_shards", "");
    assert_says("out", "weights    fp32, in 2 files\n");
    assert_true(same_file(
        "from_whole/model.safetensors", "from_shards/model.safetensors"));
    assert_true(same_file("from_whole/config.json", "from_shards/config.json"));
}

/* sentence-transformers' names of a wrapped model, and some that are nobody's;
 * how it is pooled stands in a file of its own. */
static void
other_names_are_mapped(void **state)
{
    struct tensors x;

    (void)state;
    copy_folder("named", "");
    open_tensors(&x);
    for (size_t i = 0; i < x.n; i++) {
        const char *was = x.t[i].name, *rest = strstr(was, "encoder.layer.");

        if (rest != NULL && strstr(rest, "attention.self.query") != NULL)
            snprintf(x.names[i], sizeof(x.names[i]), "blocks.%c.q%s", rest[14],
                strrchr(rest, '.'));
        else
            snprintf(x.names[i], sizeof(x.names[i]), "0.auto_model.%s",
                strncmp(was, "bert.", 5) == 0 ? was + 5 : was);
        x.t[i].name = x.names[i];
    }
    write_tensors(&x, "named", "model.safetensors", 0, x.n);
    wn_safetensors_close(x.st);
    assert_refuses("named", "", 78, "embeddings.word_embeddings.weight");

    put_file("named", "map.json",
        "{\"blocks.*.q.weight\":"
        "\"bert.encoder.layer.*.attention.self.query.weight\","
        "\"blocks.*.q.bias\":\"bert.encoder.layer.*.attention.self.query."
        "bias\","
        "\"0.auto_model.classifier.bias\":\"classifier.bias\","
        "\"0.auto_model.classifier.weight\":\"classifier.weight\","
        "\"0.auto_model.*\":\"bert.*\"}");
    {
        char flags[4096];

        snprintf(flags, sizeof(flags), "--map '%s/named/map.json'", dir);
        assert_imports("named", "from_named", flags);
        copy_folder("plain", "");
        assert_imports("plain", "from_plain", "");
        assert_true(same_file(
            "from_named/model.safetensors", "from_plain/model.safetensors"));
    }
}

static void
pooling_is_found_where_it_stands(void **state)
{
    char path[4096], flags[4096];

    (void)state;
    copy_folder("pooled", "");
    snprintf(path, sizeof(path), "%s/pooled/1_Pooling", dir);
    assert_int_equal(mkdir(path, 0777), 0);
    put_file("pooled", "1_Pooling/config.json",
        "{\"pooling_mode_mean_tokens\":true}");
    assert_imports("pooled", "from_pooled", "");
    assert_says("out", "pooling    mean\n");
    /* through a map it is read from a folder that was made */
    put_file("pooled", "map.json", "{\"bert.*\":\"*\"}");
    snprintf(flags, sizeof(flags), "--map '%s/pooled/map.json'", dir);
    assert_imports("pooled", "from_pooled2", flags);
    assert_says("out", "pooling    mean\n");
    assert_says("from_pooled2/config.json", "\"pooling\": \"mean\"");
}

static void
what_cannot_be_tuned_is_said(void **state)
{
    char args[9000];

    (void)state;
    snprintf(args, sizeof(args),
        "model import " GOLDEN "bert_tanh_f16 --out '%s/tanh'", dir);
    assert_int_equal(run(args), 0);
    assert_says("out", "weights    fp16, in 1 file\n");
    assert_says("out", "note       only `winnow train --heads-only` takes it");
}

/* --- what is not --- */

static void
other_families_are_named(void **state)
{
    static const char *const types[] = { "modernbert", "deberta-v2", "electra",
        "t5" };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char folder[32], text[64], says[128];

        snprintf(folder, sizeof(folder), "other%zu", i);
        snprintf(text, sizeof(text), "{\"model_type\":\"%s\"}", types[i]);
        snprintf(says, sizeof(says),
            "model_type '%s' is not supported (bert, distilbert, roberta, "
            "xlm-roberta)",
            types[i]);
        copy_folder(folder, "");
        put_file(folder, "config.json", text);
        assert_refuses(folder, "", 78, says);
    }
}

static void
missing_files_are_named_with_the_way_from_there(void **state)
{
    (void)state;
    assert_refuses("nowhere", "", 78, "nowhere/config.json: No such file");
    copy_folder("pickle", "model.safetensors");
    put_file("pickle", "pytorch_model.bin", "\x80\x02");
    assert_refuses("pickle", "", 78,
        "pytorch_model.bin is: pickle files can run code and are refused");
    copy_folder("no_weights", "model.safetensors");
    assert_refuses("no_weights", "", 78, "model.safetensors: No such file");
    copy_folder("no_tokens", "vocab.txt");
    assert_refuses(
        "no_tokens", "", 78, "no_tokens: neither tokenizer.json nor vocab.txt");
    put_file("no_tokens", "sentencepiece.bpe.model", "x");
    assert_refuses("no_tokens", "", 78,
        "tokenizer.json: is not there, but sentencepiece.bpe.model is: make it "
        "with AutoTokenizer");
    copy_folder("more_tokens", "");
    put_file("more_tokens", "tokenizer.json",
        "{\"model\":{\"type\":\"WordPiece\"},\"post_processor\":null,"
        "\"added_tokens\":[{\"id\":292,\"content\":\"more\"}]}");
    assert_refuses("more_tokens", "", 78,
        "the tokenizer has 293 pieces, the encoder knows 292 words");
}

static void
broken_indexes_are_refused(void **state)
{
    static const struct {
        const char *index, *says;
    } rows[] = {
        { "[", "model.safetensors.index.json:1: " },
        { "{}", "no object 'weight_map'" },
        { "{\"weight_map\":{\"x\":1}}", "'x' is not the name of a file" },
        { "{\"weight_map\":{\"x\":\"../whole/model.safetensors\"}}",
            "'../whole/model.safetensors' is not the name of one" },
        { "{\"weight_map\":{\"x\":\"..\"}}", "'..' is not the name of one" },
        { "{\"weight_map\":{\"x\":\"none.safetensors\"}}",
            "none.safetensors: No such file" },
        { "{\"weight_map\":{\"x\":\"a.safetensors\"}}",
            "a.safetensors: no tensor 'x'" },
        { "{\"weight_map\":{}}", "'embeddings.word_embeddings.weight': is "
                                 "missing" },
    };

    (void)state;
    copy_folder("broken", "");
    {
        char command[9000];

        snprintf(command, sizeof(command),
            "cd '%s/broken' && mv model.safetensors a.safetensors", dir);
        assert_int_equal(system(command), 0);
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_file("broken", "model.safetensors.index.json", rows[i].index);
        assert_refuses("broken", "", 78, rows[i].says);
    }
}

static void
broken_maps_are_refused(void **state)
{
    static const struct {
        const char *map, *says;
    } rows[] = {
        { "{\"a\":", "map.json:1: " },
        { "[]", "is not an object of names" },
        { "{\"a\":1}", "'a': not a name" },
        { "{\"a\":\"\"}", "'a': not a name" },
        { "{\"a.*.*\":\"b\"}", "'a.*.*': not a name" },
        { "{\"a\":\"b.*\"}", "'a': not a name" },
        { "{\"a\":\"b\",\"a\":\"c\"}", "map.json:1: duplicate" },
        { "{\"nobody\":\"x\"}", "'nobody' fits no tensor" },
        { "{\"*\":\"*\",\"bert.*\":\"*\"}", "'bert.*' fits no tensor, or rows "
                                            "before it take what it fits" },
        { "{\"bert.*\":\"same\"}", "two tensors named 'same'" },
    };
    char flags[4096];

    (void)state;
    copy_folder("mapped", "");
    snprintf(flags, sizeof(flags), "--map '%s/mapped/map.json'", dir);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put_file("mapped", "map.json", rows[i].map);
        assert_refuses("mapped", flags, 78, rows[i].says);
    }
    assert_refuses("mapped", "--map /nowhere", 78, "/nowhere");
}

static void
import_says_how_it_is_used(void **state)
{
    static const struct {
        const char *args;
        int status;
        const char *says;
    } rows[] = {
        { "", 2, "import needs one DIR and --out OUT" },
        { GOLDEN "bert", 2, "import needs one DIR and --out OUT" },
        { GOLDEN "bert x --out y", 2, "import needs one DIR and --out OUT" },
        { GOLDEN "bert --out", 2, "--out" },
        { GOLDEN "bert --out tests", 1, "tests: holds '" },
        { GOLDEN "bert --out /nowhere/x", 1, "/nowhere: No such file" },
        { GOLDEN "bert --out a --exit 1", 2, "--exit: unknown flag" },
    };
    char args[9000];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(args, sizeof(args), "model import %s", rows[i].args);
        if (run(args) != rows[i].status)
            fail_msg("%s: %s", args, content("out.err"));
        assert_says("out.err", rows[i].says);
    }
}

static int
setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "%s", wn_test_dir());
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_is_taken),
        cmocka_unit_test(winnow_tunes_a_distilbert_imported_or_not),
        cmocka_unit_test(shards_come_to_the_same_file),
        cmocka_unit_test(other_names_are_mapped),
        cmocka_unit_test(pooling_is_found_where_it_stands),
        cmocka_unit_test(what_cannot_be_tuned_is_said),
        cmocka_unit_test(other_families_are_named),
        cmocka_unit_test(missing_files_are_named_with_the_way_from_there),
        cmocka_unit_test(broken_indexes_are_refused),
        cmocka_unit_test(broken_maps_are_refused),
        cmocka_unit_test(import_says_how_it_is_used),
    };

    return wn_test_run(
        "model import", tests, sizeof(tests) / sizeof(tests[0]), setup, NULL);
}
