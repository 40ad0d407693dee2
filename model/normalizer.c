/*
 * The steps of the normalizer. Each passes once over the text; where there is
 * nothing for it to change, and so in most texts for most steps, it only
 * looks.
 */
#include "model/normalizer.h"

#include <stdlib.h>
#include <string.h>

#include "model/normalizer_int.h"

#define STEPS_MAX 32
#define BERT_STEPS 5 /* what BertNormalizer takes at most */
#define DEPTH_MAX 8

struct step {
    enum {
        REPLACE,
        FORM,
        CHARSMAP,
        LOWERCASE,
        STRIP,
        STRIP_ACCENTS,
        PREPEND,
        CLEAN,
        PAD_CJK,
        STRIP_MARKS
    } kind;
    struct wn_replace *replace;
    const struct wn_unicode_form *form;
    struct wn_charsmap *charsmap;
    bool left, right; /* STRIP */
    char *prepend;
};

struct wn_normalizer {
    struct step steps[STEPS_MAX];
    size_t n;
};

/* --- running --- */

/* What a step makes of one character: how many, at most 3. */
static size_t
lowercase(int32_t c, int32_t out[3])
{
    return wn_unicode_lower(c, out);
}

static size_t
strip_accents(int32_t c, int32_t out[3])
{
    out[0] = c;
    return !wn_unicode_is_combining(c);
}

/* The three of BertNormalizer. */
static size_t
clean(int32_t c, int32_t out[3])
{
    out[0] = c;
    if (c == '\t' || c == '\n' || c == '\r')
        out[0] = ' ';
    else if (c == 0 || c == 0xfffd || wn_unicode_is_other(c))
        return 0;
    else if (wn_unicode_is_space(c))
        out[0] = ' ';
    return 1;
}

static size_t
pad_cjk(int32_t c, int32_t out[3])
{
    bool pad = wn_unicode_is_cjk(c);

    out[0] = out[2] = ' ';
    out[pad] = c;
    return pad ? 3 : 1;
}

static size_t
strip_marks(int32_t c, int32_t out[3])
{
    out[0] = c;
    return !wn_unicode_is_mark(c);
}

static bool
run_chars(size_t (*step)(int32_t c, int32_t out[3]), const struct wn_trace *in,
    struct wn_trace *out)
{
    for (size_t at = 0; at < in->n && !out->failed;) {
        size_t start = at, n;
        int32_t chars[3];

        n = step(wn_trace_next(in, &at), chars);
        for (size_t i = 0; i < n; i++)
            wn_trace_put_char(out, chars[i], in->start[start], in->end[start]);
    }
    return true;
}

static bool
run_strip(
    const struct step *step, const struct wn_trace *in, struct wn_trace *out)
{
    size_t from = 0, to = 0;
    bool leading = step->left;

    for (size_t at = 0; at < in->n;) {
        bool space = wn_unicode_is_space(wn_trace_next(in, &at));

        if (space && leading)
            from = at;
        leading = leading && space;
        if (!space || !step->right)
            to = at;
    }
    if (to < from)
        to = from;
    wn_trace_copy(out, in, from, to);
    return true;
}

static bool
run_prepend(
    const struct step *step, const struct wn_trace *in, struct wn_trace *out)
{
    if (in->n == 0)
        return false;
    wn_trace_put(
        out, step->prepend, strlen(step->prepend), in->start[0], in->end[0]);
    wn_trace_copy(out, in, 0, in->n);
    return true;
}

static bool
run_step(const struct step *step, const struct wn_trace *in,
    struct wn_trace *out, struct wn_normalizer_scratch *scratch)
{
    switch (step->kind) {
    case REPLACE:
        return wn_replace_run(step->replace, in, out);
    case FORM:
        return wn_normalizer_form(step->form, in, out, scratch);
    case CHARSMAP:
        return wn_charsmap_run(step->charsmap, in, out);
    case LOWERCASE:
        return run_chars(lowercase, in, out);
    case STRIP:
        return run_strip(step, in, out);
    case STRIP_ACCENTS:
        return run_chars(strip_accents, in, out);
    case PREPEND:
        return run_prepend(step, in, out);
    case CLEAN:
        return run_chars(clean, in, out);
    case PAD_CJK:
        return run_chars(pad_cjk, in, out);
    case STRIP_MARKS:
        return run_chars(strip_marks, in, out);
    }
    return false;
}

void
wn_normalizer_run(const struct wn_normalizer *n, struct wn_trace *t,
    struct wn_trace *spare, struct wn_normalizer_scratch *scratch)
{
    for (size_t i = 0; i < n->n && !t->failed; i++) {
        wn_trace_reset(spare, t);
        if (run_step(&n->steps[i], t, spare, scratch))
            wn_trace_swap(t, spare);
    }
}

/* --- reading --- */

static enum wn_status
read_prepend(struct step *step, const json_t *json, struct wn_err *err)
{
    const char *prepend = json_string_value(json_object_get(json, "prepend"));

    if (prepend == NULL)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: normalizer: Prepend has no 'prepend'");
    step->prepend = strdup(prepend);
    if (step->prepend == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    return WN_OK;
}

/* The next step of n, which has room; a list of BERT's may take five. */
static struct step *
add_step(struct wn_normalizer *n, int kind)
{
    struct step *step = &n->steps[n->n++];

    step->kind = kind;
    return step;
}

static enum wn_status
read_bert(struct wn_normalizer *n, const json_t *json, struct wn_err *err)
{
    const json_t *strip = json_object_get(json, "strip_accents");
    bool lower = !json_is_false(json_object_get(json, "lowercase"));
    enum wn_status rc = WN_OK;

    if (!json_is_false(json_object_get(json, "clean_text")))
        add_step(n, CLEAN);
    if (!json_is_false(json_object_get(json, "handle_chinese_chars")))
        add_step(n, PAD_CJK);
    if (json_is_boolean(strip) ? json_is_true(strip) : lower) {
        rc = wn_unicode_get_form(&add_step(n, FORM)->form, WN_NFD, err);
        add_step(n, STRIP_MARKS);
    }
    if (lower)
        add_step(n, LOWERCASE);
    return rc;
}

static bool
read_form(const char *type, enum wn_form *ret)
{
    static const char *const names[] = { [WN_NFC] = "NFC",
        [WN_NFD] = "NFD",
        [WN_NFKC] = "NFKC",
        [WN_NFKD] = "NFKD" };

    for (int i = WN_NFC; i <= WN_NFKD; i++) {
        if (strcmp(type, names[i]) == 0) {
            *ret = (enum wn_form)i;
            return true;
        }
    }
    return false;
}

static enum wn_status
read_step(struct wn_normalizer *n, const char *type, const json_t *json,
    struct wn_err *err)
{
    enum wn_form form;
    struct step *step;

    if (read_form(type, &form))
        return wn_unicode_get_form(&add_step(n, FORM)->form, form, err);
    if (strcmp(type, "Replace") == 0)
        return wn_replace_read(&add_step(n, REPLACE)->replace, json, err);
    if (strcmp(type, "Precompiled") == 0)
        return wn_charsmap_read(&add_step(n, CHARSMAP)->charsmap, json, err);
    if (strcmp(type, "BertNormalizer") == 0)
        return read_bert(n, json, err);
    if (strcmp(type, "Prepend") == 0)
        return read_prepend(add_step(n, PREPEND), json, err);
    if (strcmp(type, "Strip") == 0) {
        step = add_step(n, STRIP);
        step->left = json_is_true(json_object_get(json, "strip_left"));
        step->right = json_is_true(json_object_get(json, "strip_right"));
    } else if (strcmp(type, "Lowercase") == 0) {
        add_step(n, LOWERCASE);
    } else if (strcmp(type, "StripAccents") == 0) {
        add_step(n, STRIP_ACCENTS);
    } else {
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: normalizer '%.40s' is not supported", type);
    }
    return WN_OK;
}

static enum wn_status
read_steps(
    struct wn_normalizer *n, const json_t *json, int depth, struct wn_err *err)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *list = json_object_get(json, "normalizers");
    enum wn_status rc = WN_OK;

    if (type == NULL)
        return wn_fail(
            err, WN_REJECT, "tokenizer.json: normalizer has no 'type'");
    if (n->n + BERT_STEPS > STEPS_MAX || depth == DEPTH_MAX)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: normalizer has more than %d steps, or %d levels",
            STEPS_MAX - BERT_STEPS, DEPTH_MAX);
    if (strcmp(type, "Sequence") != 0)
        return read_step(n, type, json, err);
    for (size_t i = 0; i < json_array_size(list) && rc == WN_OK; i++)
        rc = read_steps(n, json_array_get(list, i), depth + 1, err);
    return rc;
}

enum wn_status
wn_normalizer_read(
    struct wn_normalizer **ret, const json_t *json, struct wn_err *err)
{
    struct wn_normalizer *n = calloc(1, sizeof(*n));
    enum wn_status rc = WN_OK;

    if (n == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    if (json != NULL && !json_is_null(json))
        rc = read_steps(n, json, 0, err);
    if (rc == WN_OK)
        *ret = n;
    else
        wn_normalizer_free(n);
    return rc;
}

void
wn_normalizer_free(struct wn_normalizer *n)
{
    if (n == NULL)
        return;
    for (size_t i = 0; i < n->n; i++) {
        wn_replace_free(n->steps[i].replace);
        wn_charsmap_free(n->steps[i].charsmap);
        free(n->steps[i].prepend);
    }
    free(n);
}
