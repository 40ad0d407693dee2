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
#define DEPTH_MAX 8

struct step {
    enum { REPLACE, FORM, LOWERCASE, STRIP, STRIP_ACCENTS, PREPEND } kind;
    struct wn_replace *replace;
    const struct wn_unicode_form *form;
    bool left, right; /* STRIP */
    char *prepend;
};

struct wn_normalizer {
    struct step steps[STEPS_MAX];
    size_t n;
};

/* --- running --- */

static bool
run_lowercase(const struct wn_trace *in, struct wn_trace *out)
{
    for (size_t at = 0; at < in->n;) {
        size_t start = at;
        int32_t c = wn_trace_next(in, &at), lower[2];
        size_t n = wn_unicode_lower(c, lower);

        for (size_t i = 0; i < n; i++)
            wn_trace_put_char(out, lower[i], in->start[start], in->end[start]);
    }
    return true;
}

static bool
run_strip_accents(const struct wn_trace *in, struct wn_trace *out)
{
    for (size_t at = 0; at < in->n;) {
        size_t start = at;

        if (!wn_unicode_is_combining(wn_trace_next(in, &at)))
            wn_trace_copy(out, in, start, at);
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
    case LOWERCASE:
        return run_lowercase(in, out);
    case STRIP:
        return run_strip(step, in, out);
    case STRIP_ACCENTS:
        return run_strip_accents(in, out);
    case PREPEND:
        return run_prepend(step, in, out);
    }
    return false;
}

void
wn_normalizer_run(const struct wn_normalizer *n, struct wn_trace *t,
    struct wn_trace *spare, struct wn_normalizer_scratch *scratch)
{
    for (size_t i = 0; i < n->n && !t->failed; i++) {
        wn_trace_reset(spare);
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

static enum wn_status
read_step(
    struct step *step, const char *type, const json_t *json, struct wn_err *err)
{
    static const char *const forms[] = { [WN_NFC] = "NFC",
        [WN_NFD] = "NFD",
        [WN_NFKC] = "NFKC",
        [WN_NFKD] = "NFKD" };

    for (int i = WN_NFC; i <= WN_NFKD; i++) {
        if (strcmp(type, forms[i]) == 0) {
            step->kind = FORM;
            return wn_unicode_get_form(&step->form, (enum wn_form)i, err);
        }
    }
    if (strcmp(type, "Replace") == 0) {
        step->kind = REPLACE;
        return wn_replace_read(&step->replace, json, err);
    }
    if (strcmp(type, "Lowercase") == 0) {
        step->kind = LOWERCASE;
        return WN_OK;
    }
    if (strcmp(type, "StripAccents") == 0) {
        step->kind = STRIP_ACCENTS;
        return WN_OK;
    }
    if (strcmp(type, "Strip") == 0) {
        step->kind = STRIP;
        step->left = json_is_true(json_object_get(json, "strip_left"));
        step->right = json_is_true(json_object_get(json, "strip_right"));
        return WN_OK;
    }
    if (strcmp(type, "Prepend") == 0) {
        step->kind = PREPEND;
        return read_prepend(step, json, err);
    }
    return wn_fail(err, WN_REJECT,
        "tokenizer.json: normalizer '%.40s' is not supported", type);
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
    if (n->n == STEPS_MAX || depth == DEPTH_MAX)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: normalizer has more than %d steps, or %d levels",
            STEPS_MAX, DEPTH_MAX);
    if (strcmp(type, "Sequence") != 0)
        return read_step(&n->steps[n->n++], type, json, err);
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
        free(n->steps[i].prepend);
    }
    free(n);
}
