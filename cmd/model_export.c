/*
 * winnow model export: weights as a folder that the transformers library
 * loads, without code of its own.
 *
 * Our head reads the mean of the rows, and it is linear: the mean of what it
 * makes of each row is what it makes of their mean. So the folder is BERT for
 * token classification, and one mean over a text's tokens gives its logits.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "classifier/windows.h"
#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/model_folder.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"
#include "model/config.h"
#include "model/heads.h"
#include "model/joint.h"
#include "model/tokenizer_json.h"

#define README_BYTES_MAX (1u << 20)

struct job {
    const struct wn_model_export *asked;
    struct wn_model_source source;
    struct wn_joint joint;
    struct wn_heads heads;
    size_t exit, layers, outputs;
    json_t *tokenizer;
    struct wn_model_out out;
};

/* The heads' names, then those of what a bait asks for. */
static const char *
label_name(size_t i)
{
    return i < WN_HEADS ? wn_head_names[i] : wn_bait_names[i - WN_HEADS];
}

/* --- what is there --- */

static enum wn_status
choose_exit(struct job *x, struct wn_err *err)
{
    char known[80];
    size_t n = 0;

    for (size_t e = 0; e < x->heads.exits; e++) {
        if (x->asked->exit == x->heads.after[e] || x->asked->exit == 0)
            x->exit = e;
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%zu",
            e > 0 ? ", " : "", x->heads.after[e]);
    }
    x->layers = x->heads.after[x->exit];
    x->outputs = x->heads.kinds ? WN_OUTPUTS : WN_HEADS_OUT;
    if (x->asked->exit != 0 && x->asked->exit != x->layers)
        return wn_fail(err, WN_REJECT,
            "--exit: these weights have heads after %s layers", known);
    return WN_OK;
}

/* config.json and the file's tensors speak of the same exits. */
static enum wn_status
check_exits(const struct job *x, struct wn_err *err)
{
    bool same = x->joint.early_n + 1 == x->heads.exits;

    for (size_t e = 0; same && e < x->joint.early_n; e++)
        same = x->joint.early[e].after == x->heads.after[e];
    return same ? WN_OK
                : wn_fail(err, WN_REJECT,
                      "config.json: winnow.exits are not those of "
                      "model.safetensors");
}

static enum wn_status
read_weights(struct job *x, struct wn_err *err)
{
    const char *dir = x->asked->dir;
    const struct wn_encoder *e;
    enum wn_status rc;

    rc = wn_joint_read(&x->joint, dir, wn_head_names, err);
    if (rc == WN_OK)
        rc = wn_model_source_open(&x->source, dir, dir, err);
    if (rc != WN_OK)
        return rc;
    e = x->source.encoder;
    rc = wn_heads_open(&x->heads, wn_encoder_file(e),
        wn_encoder_shape(e)->hidden, wn_encoder_shape(e)->layers, err);
    if (rc == WN_OK)
        rc = check_exits(x, err);
    if (rc == WN_OK)
        rc = choose_exit(x, err);
    if (rc == WN_OK)
        rc = wn_tokenizer_json_read(&x->tokenizer, dir, err);
    return rc;
}

/* --- model.safetensors and config.json --- */

static struct wn_bert
as_bert(const struct job *x, const size_t *layers)
{
    return (struct wn_bert){ .layers = layers,
        .layers_n = x->layers,
        .dtype = &x->asked->dtype,
        .prefix = "bert." };
}

static enum wn_status
write_tensors(const struct job *x, const struct wn_bert *b, struct wn_err *err)
{
    const struct wn_heads *h = &x->heads;
    struct wn_bert all = *b;
    const struct wn_tensor head[] = {
        { .name = "classifier.weight",
            .dtype = WN_F32,
            .rank = 2,
            .shape = { x->outputs, h->hidden },
            .n = x->outputs * h->hidden,
            .data = h->weight + x->exit * WN_OUTPUTS * h->hidden },
        { .name = "classifier.bias",
            .dtype = WN_F32,
            .rank = 1,
            .shape = { x->outputs },
            .n = x->outputs,
            .data = h->bias[x->exit] },
    };

    all.extra = head;
    all.extra_n = 2;
    return wn_bert_write(x->source.encoder, x->out.dir, &all, NULL, err);
}

/* The part of "winnow" that says what a logit comes to. */
static json_t *
winnow_json(const struct job *x)
{
    struct wn_joint j = x->joint;
    json_t *o;

    memcpy(j.head, wn_joint_at(&x->joint, x->exit), sizeof(j.head));
    j.early_n = 0;
    o = wn_joint_json(
        &j, wn_encoder_shape(x->source.encoder)->pooling, wn_head_names);
    json_object_del(o, "format"); /* it is no folder of weights */
    json_object_del(o, "exits");
    return o;
}

static enum wn_status
write_config(const struct job *x, const struct wn_bert *b, struct wn_err *err)
{
    json_t *o = wn_bert_config(x->source.encoder, x->source.config, b);
    json_t *names = json_object(), *ids = json_object();
    enum wn_status rc;

    for (size_t i = 0; i < x->outputs; i++) {
        char id[24];

        snprintf(id, sizeof(id), "%zu", i);
        json_object_set_new(names, id, json_string(label_name(i)));
        json_object_set_new(ids, label_name(i), json_integer((json_int_t)i));
    }
    json_object_set_new(
        o, "architectures", json_pack("[s]", "BertForTokenClassification"));
    json_object_set_new(o, "id2label", names);
    json_object_set_new(o, "label2id", ids);
    json_object_set_new(o, "winnow", winnow_json(x));
    rc = wn_model_out_json(&x->out, "config.json", o, err);
    json_decref(o);
    return rc;
}

static size_t
tokens_max(const struct job *x)
{
    size_t positions = wn_encoder_shape(x->source.encoder)->positions;

    return positions < WN_WINDOW_TOKENS ? positions : WN_WINDOW_TOKENS;
}

/* --- README.md --- */

static void
put_snippet(const struct job *x, struct wn_buf *out)
{
    bool mean = wn_encoder_shape(x->source.encoder)->pooling == WN_POOL_MEAN;

    wn_buf_str(out,
        "```python\n"
        "import torch\n"
        "from transformers import AutoModelForTokenClassification, "
        "AutoTokenizer\n"
        "\n"
        "folder = \".\"\n"
        "tokenizer = AutoTokenizer.from_pretrained(folder)\n"
        "model = AutoModelForTokenClassification.from_pretrained(folder)"
        ".float().eval()\n"
        "\n"
        "def logits(texts):\n"
        "    x = tokenizer(texts, padding=True, truncation=True, "
        "return_tensors=\"pt\")\n"
        "    with torch.no_grad():\n"
        "        rows = model(**x).logits  # (texts, tokens, labels)\n");
    if (mean)
        wn_buf_str(out,
            "    mask = x[\"attention_mask\"].unsqueeze(-1)\n"
            "    return (rows * mask).sum(1) / mask.sum(1)  # mean of a "
            "text's tokens\n");
    else
        wn_buf_str(out, "    return rows[:, 0]  # of the first token\n");
    wn_buf_str(out,
        "\n"
        "labels = list(model.config.id2label.values())\n"
        "print(dict(zip(labels, logits([\"Claim your free prize now\"])[0]"
        ".tolist())))\n"
        "```\n\n");
}

static void
put_readme(const struct job *x, struct wn_buf *out)
{
    wn_buf_printf(out,
        "# %s, for the transformers library\n\n"
        "The encoder of Winnow's weights %s, its first %zu layers, with the "
        "head after them, in %s. Made by `winnow model export`. No code of "
        "its own is needed:\n\n",
        x->joint.name, x->joint.name, x->layers,
        x->asked->dtype == WN_F16 ? "fp16" : "fp32");
    put_snippet(x, out);
    wn_buf_printf(out,
        "The head is linear, so it may be applied before the rows are pooled "
        "or after: the class for token\nclassification gives Winnow's logits "
        "exactly. `AutoModel` loads the same folder without the head.\n\n"
        "What Winnow does beside this:\n\n"
        "- It hardens a text first (invisible characters, NFKC, entities, "
        "handles; version %d) and reads a long one in\n  windows of %zu "
        "tokens, of which the highest logit counts. Give this model text "
        "that needs neither.\n"
        "- Text that spells a special token is text there; the transformers "
        "library takes it for that token.\n"
        "- `scores` mixes the logit with a model on n-grams that is not in "
        "this folder: sigmoid(a * (mix[0] * logit + mix[1] *\n  n-grams + "
        "mix[2]) + b), a head's numbers being those of `winnow.heads` in "
        "config.json.\n",
        x->joint.text_version, tokens_max(x));
}

static enum wn_status
write_readme(const struct job *x, struct wn_err *err)
{
    char path[PATH_MAX];
    struct wn_buf out;
    enum wn_status rc;

    if (snprintf(path, sizeof(path), "%s/README.md", x->out.dir) >= PATH_MAX)
        return wn_fail(err, WN_REJECT, "%.100s...: path too long", x->out.dir);
    wn_buf_init(&out, README_BYTES_MAX);
    put_readme(x, &out);
    rc = wn_file_write(path, &out, err);
    wn_buf_release(&out);
    return rc;
}

/* --- all of it --- */

static enum wn_status
write_all(struct job *x, struct wn_err *err)
{
    size_t layers[WN_LAYERS_MAX];
    const struct wn_bert b = as_bert(x, layers);
    enum wn_status rc = wn_model_out_begin(&x->out, x->asked->out, err);

    for (size_t i = 0; i < x->layers; i++)
        layers[i] = i;
    if (rc == WN_OK)
        rc = write_tensors(x, &b, err);
    if (rc == WN_OK)
        rc = write_config(x, &b, err);
    if (rc == WN_OK)
        rc = wn_model_out_tokenizer(&x->out, x->tokenizer, tokens_max(x), err);
    if (rc == WN_OK)
        rc = write_readme(x, err);
    return rc == WN_OK ? wn_model_out_end(&x->out, err) : rc;
}

static void
print_done(const struct job *x)
{
    struct wn_buf b;

    wn_buf_init(&b, 4096);
    wn_buf_printf(&b, "%s: ", x->joint.name);
    wn_model_put_shape(&b, wn_encoder_shape(x->source.encoder), x->layers);
    wn_buf_printf(&b, ", %zu labels, %s\n%s is written\n", x->outputs,
        x->asked->dtype == WN_F16 ? "fp16" : "fp32", x->asked->out);
    fwrite(b.data, 1, b.len, stdout);
    wn_buf_release(&b);
}

int
wn_model_export(const struct wn_model_export *asked)
{
    struct job x = { .asked = asked };
    struct wn_err err = { "" };
    int status = 0;

    if (read_weights(&x, &err) != WN_OK)
        status = wn_model_fail_in(asked->dir, &err);
    else if (write_all(&x, &err) != WN_OK)
        status = wn_cmd_fail(1, "model", "%s", err.text);
    else
        print_done(&x);
    wn_model_out_release(&x.out);
    wn_heads_release(&x.heads);
    json_decref(x.tokenizer);
    wn_model_source_release(&x.source);
    return status;
}
