/*
 * Each step passes once over the text and its splits. Some write the text
 * anew, so every step gets a spare text and a spare list to write to.
 */
#include "model/pretokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "model/pretokenizer_int.h"
#include "model/unicode.h"

#define STEPS_MAX 16
#define DEPTH_MAX 8

struct step {
    enum { METASPACE, BYTES, WHITESPACE, BERT } kind;
    char replacement[8]; /* METASPACE: what stands for a space */
    size_t replacement_len;
    enum { ALWAYS, FIRST, NEVER } prepend; /* METASPACE */
    bool split;        /* METASPACE: before each replacement       */
    bool space_before; /* BYTES                                    */
    bool pattern;      /* BYTES                                    */
};

struct wn_pretokenizer {
    struct step steps[STEPS_MAX];
    size_t n;
};

/* --- splits --- */

void
wn_splits_release(struct wn_splits *s)
{
    free(s->p);
    *s = (struct wn_splits){ 0 };
}

void
wn_splits_reset(struct wn_splits *s)
{
    s->n = 0;
    s->failed = false;
}

void
wn_splits_add(struct wn_splits *s, size_t from, size_t to, int32_t id)
{
    if (s->failed || from == to)
        return;
    if (s->n == s->cap) {
        size_t cap = 2 * s->cap + 64;
        struct wn_split *p = realloc(s->p, cap * sizeof(*p));

        s->failed = p == NULL;
        if (p == NULL)
            return;
        s->p = p;
        s->cap = cap;
    }
    s->p[s->n++] = (struct wn_split){ (uint32_t)from, (uint32_t)to, id };
}

static void
swap(struct wn_splits *a, struct wn_splits *b)
{
    struct wn_splits other = *a;

    *a = *b;
    *b = other;
}

/* --- steps that write the text anew --- */

static bool
starts_with(
    const struct step *step, const struct wn_trace *t, size_t from, size_t to)
{
    return to - from >= step->replacement_len &&
           memcmp(t->p + from, step->replacement, step->replacement_len) == 0;
}

/* Appends t[from, to) to out with every space replaced. */
static void
replace_spaces(const struct step *step, const struct wn_trace *t, size_t from,
    size_t to, struct wn_trace *out)
{
    while (from < to) {
        const char *space = memchr(t->p + from, ' ', to - from);
        size_t at = space == NULL ? to : (size_t)(space - t->p);

        wn_trace_copy(out, t, from, at);
        if (space == NULL)
            return;
        wn_trace_put(out, step->replacement, step->replacement_len,
            t->start[at], t->end[at]);
        from = at + 1;
    }
}

/* Cuts t[from, end of t) before each replacement character. */
static void
split_before(const struct step *step, const struct wn_trace *t, size_t from,
    struct wn_splits *out)
{
    for (size_t at = from + 1; at < t->n; at++) {
        if (t->p[at] != step->replacement[0] || !starts_with(step, t, at, t->n))
            continue;
        wn_splits_add(out, from, at, -1);
        from = at;
    }
    wn_splits_add(out, from, t->n, -1);
}

static void
run_metaspace(const struct step *step, const struct wn_trace *t, size_t from,
    size_t to, struct wn_trace *out, struct wn_splits *out_s)
{
    size_t out_from = out->n;
    bool prepend = step->prepend == ALWAYS ||
                   (step->prepend == FIRST && t->start[from] == 0);

    if (prepend && t->p[from] != ' ' && !starts_with(step, t, from, to))
        wn_trace_put(out, step->replacement, step->replacement_len,
            t->start[from], t->end[from]);
    replace_spaces(step, t, from, to, out);
    if (step->split && !out->failed)
        split_before(step, out, out_from, out_s);
    else
        wn_splits_add(out_s, out_from, out->n, -1);
}

static void
rewrite(const struct step *step, const struct wn_trace *t,
    const struct wn_splits *s, struct wn_trace *out, struct wn_splits *out_s)
{
    for (size_t i = 0; i < s->n && !out->failed; i++) {
        const struct wn_split *w = &s->p[i];
        size_t from = out->n;

        if (w->id >= 0) {
            wn_trace_copy(out, t, w->from, w->to);
            wn_splits_add(out_s, from, out->n, w->id);
        } else if (step->kind == METASPACE) {
            run_metaspace(step, t, w->from, w->to, out, out_s);
        } else {
            wn_pretokenizer_bytes(t, w->from, w->to, step->space_before,
                step->pattern, out, out_s);
        }
    }
}

/* --- steps that only cut --- */

/* At white space, which goes; `alone`: and around each punctuation mark. */
static void
cut_words(const struct wn_trace *t, size_t from, size_t to, bool alone,
    struct wn_splits *out)
{
    size_t at = from;

    while (at < to) {
        size_t start = at;
        int32_t c = wn_trace_next(t, &at);
        bool space = wn_unicode_is_space(c);

        if (!space && !(alone && wn_unicode_is_punct(c)))
            continue;
        wn_splits_add(out, from, start, -1);
        if (!space)
            wn_splits_add(out, start, at, -1);
        from = at;
    }
    wn_splits_add(out, from, to, -1);
}

static void
cut(const struct step *step, const struct wn_trace *t,
    const struct wn_splits *s, struct wn_splits *out)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct wn_split *w = &s->p[i];

        if (w->id >= 0)
            wn_splits_add(out, w->from, w->to, w->id);
        else
            cut_words(t, w->from, w->to, step->kind == BERT, out);
    }
}

void
wn_pretokenizer_run(const struct wn_pretokenizer *p, struct wn_trace *t,
    struct wn_trace *spare, struct wn_splits *s, struct wn_splits *spare_splits)
{
    for (size_t i = 0; i < p->n && !t->failed && !s->failed; i++) {
        const struct step *step = &p->steps[i];

        wn_splits_reset(spare_splits);
        if (step->kind == METASPACE || step->kind == BYTES) {
            wn_trace_reset(spare, t);
            rewrite(step, t, s, spare, spare_splits);
            wn_trace_swap(t, spare);
        } else {
            cut(step, t, s, spare_splits);
        }
        swap(s, spare_splits);
    }
}

/* --- reading --- */

/* Member `name` of json, or `otherwise` where it is missing or null. */
static bool
get_bool(const json_t *json, const char *name, bool otherwise)
{
    const json_t *v = json_object_get(json, name);

    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static enum wn_status
read_scheme(struct step *step, const json_t *json, struct wn_err *err)
{
    static const char *const names[] = {
        [ALWAYS] = "always", [FIRST] = "first", [NEVER] = "never"
    };
    const json_t *scheme = json_object_get(json, "prepend_scheme");
    const char *name = json_string_value(scheme);

    step->prepend = ALWAYS;
    /* of files from before there were schemes */
    if (!get_bool(json, "add_prefix_space", true))
        step->prepend = NEVER;
    if (scheme == NULL)
        return WN_OK;
    for (int i = ALWAYS; i <= NEVER; i++) {
        if (name != NULL && strcmp(name, names[i]) == 0) {
            step->prepend = i;
            return WN_OK;
        }
    }
    return wn_fail(err, WN_REJECT,
        "tokenizer.json: pre_tokenizer: Metaspace's prepend_scheme is not "
        "always, first or never");
}

static enum wn_status
read_metaspace(struct step *step, const json_t *json, struct wn_err *err)
{
    const char *with = json_string_value(json_object_get(json, "replacement"));

    if (with == NULL || with[0] == '\0' ||
        strlen(with) >= sizeof(step->replacement))
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: pre_tokenizer: Metaspace's replacement is not one "
            "character");
    strcpy(step->replacement, with);
    step->replacement_len = strlen(with);
    step->split = get_bool(json, "split", true);
    return read_scheme(step, json, err);
}

static enum wn_status
read_step(
    struct step *step, const char *type, const json_t *json, struct wn_err *err)
{
    if (strcmp(type, "Metaspace") == 0) {
        step->kind = METASPACE;
        return read_metaspace(step, json, err);
    }
    if (strcmp(type, "ByteLevel") == 0) {
        step->kind = BYTES;
        step->space_before = get_bool(json, "add_prefix_space", true);
        step->pattern = get_bool(json, "use_regex", true);
        return WN_OK;
    }
    if (strcmp(type, "WhitespaceSplit") == 0) {
        step->kind = WHITESPACE;
        return WN_OK;
    }
    if (strcmp(type, "BertPreTokenizer") == 0) {
        step->kind = BERT;
        return WN_OK;
    }
    return wn_fail(err, WN_REJECT,
        "tokenizer.json: pre_tokenizer '%.40s' is not supported", type);
}

static enum wn_status
read_steps(struct wn_pretokenizer *p, const json_t *json, int depth,
    struct wn_err *err)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *list = json_object_get(json, "pretokenizers");
    enum wn_status rc = WN_OK;

    if (type == NULL)
        return wn_fail(
            err, WN_REJECT, "tokenizer.json: pre_tokenizer has no 'type'");
    if (p->n == STEPS_MAX || depth == DEPTH_MAX)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: pre_tokenizer has more than %d steps, or %d "
            "levels",
            STEPS_MAX, DEPTH_MAX);
    if (strcmp(type, "Sequence") != 0)
        return read_step(&p->steps[p->n++], type, json, err);
    for (size_t i = 0; i < json_array_size(list) && rc == WN_OK; i++)
        rc = read_steps(p, json_array_get(list, i), depth + 1, err);
    return rc;
}

enum wn_status
wn_pretokenizer_read(
    struct wn_pretokenizer **ret, const json_t *json, struct wn_err *err)
{
    struct wn_pretokenizer *p = calloc(1, sizeof(*p));
    enum wn_status rc = WN_OK;

    if (p == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    if (json != NULL && !json_is_null(json))
        rc = read_steps(p, json, 0, err);
    if (rc == WN_OK)
        *ret = p;
    else
        free(p);
    return rc;
}

void
wn_pretokenizer_free(struct wn_pretokenizer *p)
{
    free(p);
}
