/*
 * config.json and the pooling file: what is read, and what is refused.
 */
#include "model/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"

#define BERT                                                                   \
    "{\"model_type\":\"bert\",\"hidden_size\":384,\"num_hidden_layers\":6,"    \
    "\"num_attention_heads\":12,\"intermediate_size\":1536,"                   \
    "\"hidden_act\":\"gelu\",\"layer_norm_eps\":1e-12,"                        \
    "\"max_position_embeddings\":512,\"type_vocab_size\":2,"                   \
    "\"vocab_size\":30522}"
#define ROBERTA                                                                \
    "{\"model_type\":\"roberta\",\"hidden_size\":768,"                         \
    "\"num_hidden_layers\":12,\"num_attention_heads\":12,"                     \
    "\"intermediate_size\":3072,\"hidden_act\":\"gelu\","                      \
    "\"layer_norm_eps\":1e-05,\"max_position_embeddings\":514,"                \
    "\"type_vocab_size\":1,\"vocab_size\":50265,\"pad_token_id\":1}"
#define DISTIL                                                                 \
    "{\"model_type\":\"distilbert\",\"dim\":768,\"n_layers\":6,"               \
    "\"n_heads\":12,\"hidden_dim\":3072,\"activation\":\"gelu\","              \
    "\"max_position_embeddings\":512,\"vocab_size\":30522}"

static void
write_text(const char *name, const char *text)
{
    char path[4200];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", wn_test_dir(), name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void
remove_file(const char *name)
{
    char path[4200];

    snprintf(path, sizeof(path), "%s/%s", wn_test_dir(), name);
    unlink(path);
}

/* config.json is `text` with `member` (a name) set to the JSON `value`, or
 * removed where that is NULL. */
static void
write_config(const char *text, const char *member, const char *value)
{
    json_t *root = json_loads(text, 0, NULL), *v;
    char *out;

    assert_non_null(root);
    if (member != NULL && value == NULL) {
        assert_int_equal(json_object_del(root, member), 0);
    } else if (member != NULL) {
        v = json_loads(value, JSON_DECODE_ANY, NULL);
        assert_non_null(v);
        assert_int_equal(json_object_set_new(root, member, v), 0);
    }
    out = json_dumps(root, 0);
    assert_non_null(out);
    write_text("config.json", out);
    free(out);
    json_decref(root);
}

static struct wn_config
reads(const char *text, const char *member, const char *value)
{
    struct wn_config conf;
    struct wn_err err;

    write_config(text, member, value);
    assert_wn_ok(wn_config_read(&conf, wn_test_dir(), &err), &err);
    return conf;
}

static void
assert_rejects(const char *why)
{
    struct wn_config conf, before;
    struct wn_err err;

    memset(&conf, 0x5a, sizeof(conf));
    before = conf;
    assert_int_equal(wn_config_read(&conf, wn_test_dir(), &err), WN_REJECT);
    if (strstr(err.text, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, why);
    assert_memory_equal(&conf, &before, sizeof(conf));
}

static void
rejects(const char *text, const char *member, const char *value)
{
    write_config(text, member, value);
    assert_rejects(member);
}

static void
bert_is_read(void **state)
{
    struct wn_config conf = reads(BERT, NULL, NULL);

    (void)state;
    assert_int_equal(conf.family, WN_BERT);
    assert_int_equal(conf.shape.hidden, 384);
    assert_int_equal(conf.shape.layers, 6);
    assert_int_equal(conf.shape.heads, 12);
    assert_int_equal(conf.shape.ffn, 1536);
    assert_int_equal(conf.shape.positions, 512);
    assert_int_equal(conf.shape.types, 2);
    assert_int_equal(conf.shape.vocab, 30522);
    assert_int_equal(conf.shape.labels, 0);
    assert_int_equal(conf.shape.pooling, WN_POOL_CLS);
    assert_int_equal(conf.activation, WN_GELU_ERF);
    assert_true(conf.norm_eps == 1e-12f);
}

static void
distilbert_has_its_own_names(void **state)
{
    struct wn_config conf = reads(DISTIL, NULL, NULL);

    (void)state;
    assert_int_equal(conf.family, WN_DISTILBERT);
    assert_int_equal(conf.shape.hidden, 768);
    assert_int_equal(conf.shape.layers, 6);
    assert_int_equal(conf.shape.heads, 12);
    assert_int_equal(conf.shape.ffn, 3072);
    assert_int_equal(conf.shape.types, 0);
    assert_true(conf.norm_eps == 1e-12f);
    rejects(DISTIL, "dim", NULL);
    rejects(DISTIL, "activation", NULL);
    rejects(DISTIL, "n_heads", "0");
}

static void
roberta_counts_positions_from_behind_the_padding(void **state)
{
    struct wn_config conf = reads(ROBERTA, NULL, NULL);

    (void)state;
    assert_int_equal(conf.family, WN_ROBERTA);
    assert_int_equal(conf.position_first, 2);
    assert_int_equal(conf.shape.positions, 512);
    assert_int_equal(conf.shape.types, 1);
    conf = reads(ROBERTA, "model_type", "\"xlm-roberta\"");
    assert_int_equal(conf.family, WN_ROBERTA);
    conf = reads(ROBERTA, "pad_token_id", "0");
    assert_int_equal(conf.position_first, 1);
    assert_int_equal(conf.shape.positions, 513);
    conf = reads(ROBERTA, "pad_token_id", NULL);
    assert_int_equal(conf.position_first, 2);
    conf = reads(BERT, "pad_token_id", "5");
    assert_int_equal(conf.position_first, 0);
    rejects(ROBERTA, "pad_token_id", "-1");
    rejects(ROBERTA, "pad_token_id", "512");
    rejects(ROBERTA, "pad_token_id", "\"1\"");
    rejects(ROBERTA, "max_position_embeddings", "3");
}

static void
every_member_is_needed_and_bounded(void **state)
{
    static const struct {
        const char *name, *max_more;
    } rows[] = {
        { "num_hidden_layers", "129" },
        { "hidden_size", "8193" },
        { "num_attention_heads", "257" },
        { "intermediate_size", "65537" },
        { "max_position_embeddings", "8193" },
        { "vocab_size", "4194305" },
        { "type_vocab_size", "65" },
    };
    static const char *const wrong[] = { "0", "-1", "1.5", "\"6\"", "null",
        "[6]", "true", "9223372036854775807" };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rejects(BERT, rows[i].name, NULL);
        rejects(BERT, rows[i].name, rows[i].max_more);
        for (size_t j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++)
            rejects(BERT, rows[i].name, wrong[j]);
    }
    write_config(BERT, "num_attention_heads", "7");
    assert_rejects("384 hidden do not divide into 7 heads");
}

static void
activations_have_several_names(void **state)
{
    (void)state;
    assert_int_equal(
        reads(BERT, "hidden_act", "\"gelu_new\"").activation, WN_GELU_TANH);
    assert_int_equal(
        reads(BERT, "hidden_act", "\"gelu_pytorch_tanh\"").activation,
        WN_GELU_TANH);
    assert_int_equal(reads(BERT, "hidden_act", "\"relu\"").activation, WN_RELU);
    assert_int_equal(
        reads(DISTIL, "activation", "\"relu\"").activation, WN_RELU);
    rejects(BERT, "hidden_act", NULL);
    rejects(BERT, "hidden_act", "\"silu\"");
    rejects(BERT, "hidden_act", "3");
}

static void
what_is_not_supported_is_named(void **state)
{
    (void)state;
    rejects(BERT, "model_type", NULL);
    write_config(BERT, "model_type", "\"deberta-v2\"");
    assert_rejects("model_type 'deberta-v2' is not supported");
    write_config(BERT, "position_embedding_type", "\"relative_key\"");
    assert_rejects("position_embedding_type 'relative_key'");
    reads(BERT, "position_embedding_type", "\"absolute\"");
}

static void
epsilon_is_a_small_positive_number(void **state)
{
    static const char *const wrong[] = { "0", "-1e-12", "1", "\"1e-12\"",
        "null", "[]" };

    (void)state;
    assert_true(reads(BERT, "layer_norm_eps", "1e-5").norm_eps == 1e-5f);
    assert_true(reads(BERT, "layer_norm_eps", NULL).norm_eps == 1e-12f);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        rejects(BERT, "layer_norm_eps", wrong[i]);
}

static void
labels_are_counted(void **state)
{
    (void)state;
    assert_int_equal(
        reads(BERT, "id2label", "{\"0\":\"ham\",\"1\":\"spam\"}").shape.labels,
        2);
    assert_int_equal(reads(BERT, "id2label", "{}").shape.labels, 0);
}

static void
pooling_is_ours_then_that_of_sentence_transformers(void **state)
{
    static const struct {
        const char *text;
        int pooling; /* -1: rejected */
    } rows[] = {
        { "{\"pooling_mode_mean_tokens\":true}", WN_POOL_MEAN },
        { "{\"pooling_mode_cls_token\":true,"
          "\"pooling_mode_mean_tokens\":false}",
            WN_POOL_CLS },
        { "{\"pooling_mode\":\"mean\"}", WN_POOL_MEAN },
        { "{\"pooling_mode\":\"cls\",\"pooling_mode_mean_tokens\":true}",
            WN_POOL_CLS },
        { "{\"pooling_mode\":\"max\"}", -1 },
        { "{\"pooling_mode\":1}", -1 },
        { "{\"pooling_mode_max_tokens\":true}", -1 },
        { "{\"pooling_mode_cls_token\":true,"
          "\"pooling_mode_mean_tokens\":true}",
            -1 },
        { "{}", -1 },
        { "[]", -1 },
    };
    char dir[4200];

    (void)state;
    snprintf(dir, sizeof(dir), "%s/1_Pooling", wn_test_dir());
    assert_int_equal(mkdir(dir, 0700), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_text("1_Pooling/config.json", rows[i].text);
        write_config(BERT, NULL, NULL);
        if (rows[i].pooling < 0)
            assert_rejects("pooling is neither 'mean' nor 'cls'");
        else
            assert_int_equal(
                reads(BERT, NULL, NULL).shape.pooling, rows[i].pooling);
    }
    write_text("1_Pooling/config.json", "{\"pooling_mode\":\"cls\"}");
    assert_int_equal(
        reads(BERT, "winnow", "{\"pooling\":\"mean\"}").shape.pooling,
        WN_POOL_MEAN);
    write_config(BERT, "winnow", "{\"pooling\":\"sum\"}");
    assert_rejects("pooling is neither");
    remove_file("1_Pooling/config.json");
    rmdir(dir);
}

static void
lines_of_the_vocabulary_may_be_said(void **state)
{
    static const char *const wrong[] = { "0", "-1", "1.5", "\"6\"", "null",
        "4194305" };
    char member[64];

    (void)state;
    assert_int_equal(reads(BERT, NULL, NULL).shape.vocab_lines, 0);
    assert_int_equal(
        reads(BERT, "winnow", "{\"pooling\":\"cls\",\"vocab_lines\":30522}")
            .shape.vocab_lines,
        30522);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(member, sizeof(member),
            "{\"pooling\":\"cls\",\"vocab_lines\":%s}", wrong[i]);
        write_config(BERT, "winnow", member);
        assert_rejects("'vocab_lines' is not an integer");
    }
}

static void
bytes_that_are_no_object_are_rejected(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "", "config.json:" },
        { "[]", "not an object" },
        { "{\"model_type\":\"bert\",\n}", "config.json:2: " },
        { "{\"a\":1,\"a\":1}", "duplicate" },
        { "{} {}", "config.json:1: " },
        { "{\"a\":\"\xff\"}", "config.json:1: " },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_text("config.json", rows[i].text);
        assert_rejects(rows[i].why);
    }
    remove_file("config.json");
    assert_rejects("config.json: No such file");
}

static void
a_file_may_be_missing_only_where_it_is_optional(void **state)
{
    json_t *root = NULL;
    struct wn_err err;

    (void)state;
    assert_wn_ok(
        wn_config_load_json(&root, wn_test_dir(), "none.json", true, &err),
        &err);
    assert_null(root);
    assert_int_equal(
        wn_config_load_json(&root, wn_test_dir(), "none.json", false, &err),
        WN_REJECT);
    write_text("some.json", "{\"a\":7}");
    assert_wn_ok(
        wn_config_load_json(&root, wn_test_dir(), "some.json", true, &err),
        &err);
    assert_int_equal(json_integer_value(json_object_get(root, "a")), 7);
    json_decref(root);
    /* a folder is no file, even where none is needed */
    assert_int_equal(
        wn_config_load_json(&root, "/", "tmp", true, &err), WN_REJECT);
    assert_string_equal(err.text, "tmp: is a directory");
    assert_null(root);
}

static void
a_file_of_gigabytes_is_not_read(void **state)
{
    char path[4200];
    json_t *root = NULL;
    struct wn_err err;

    (void)state;
    write_text("huge.json", "{}");
    snprintf(path, sizeof(path), "%s/huge.json", wn_test_dir());
    assert_int_equal(truncate(path, (off_t)4 << 30), 0);
    assert_int_equal(
        wn_config_load_json(&root, wn_test_dir(), "huge.json", false, &err),
        WN_REJECT);
    assert_non_null(strstr(err.text, "larger than 64 MiB"));
    remove_file("huge.json");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(bert_is_read),
    cmocka_unit_test(distilbert_has_its_own_names),
    cmocka_unit_test(roberta_counts_positions_from_behind_the_padding),
    cmocka_unit_test(every_member_is_needed_and_bounded),
    cmocka_unit_test(activations_have_several_names),
    cmocka_unit_test(what_is_not_supported_is_named),
    cmocka_unit_test(epsilon_is_a_small_positive_number),
    cmocka_unit_test(labels_are_counted),
    cmocka_unit_test(pooling_is_ours_then_that_of_sentence_transformers),
    cmocka_unit_test(lines_of_the_vocabulary_may_be_said),
    cmocka_unit_test(bytes_that_are_no_object_are_rejected),
    cmocka_unit_test(a_file_may_be_missing_only_where_it_is_optional),
    cmocka_unit_test(a_file_of_gigabytes_is_not_read),
};

WN_TEST_MAIN("model config", tests)
