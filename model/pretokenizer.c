/*
 * Each step passes once over the text and its splits. Metaspace writes the
 * text anew, so every step gets a spare text and a spare list to write to.
 */
#include "model/pretokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "model/unicode.h"

#define STEPS_MAX 16

enum prepend { ALWAYS, FIRST, NEVER };

struct step {
    enum { METASPACE, WHITESPACE_SPLIT } kind;
    char replacement[8];
    size_t replacement_len;
    enum prepend prepend;
    bool split;
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
wn_splits_add(struct wn_splits *s, size_t from, size_t to, bool first)
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
    s->p[s->n++] = (struct wn_split){ (uint32_t)from, (uint32_t)to, first };
}

/* --- running --- */

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
    bool first, struct wn_splits *out)
{
    for (size_t at = from + 1; at < t->n; at++) {
        if (t->p[at] != step->replacement[0] || !starts_with(step, t, at, t->n))
            continue;
        wn_splits_add(out, from, at, first);
        from = at;
        first = t->start[at] == 0;
    }
    wn_splits_add(out, from, t->n, first);
}

static void
run_metaspace(const struct step *step, const struct wn_trace *t,
    const struct wn_splits *s, struct wn_trace *out, struct wn_splits *out_s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct wn_split *w = &s->p[i];
        size_t from = out->n;
        bool prepend =
            step->prepend == ALWAYS || (step->prepend == FIRST && w->first);

        if (prepend && t->p[w->from] != ' ' &&
            !starts_with(step, t, w->from, w->to))
            wn_trace_put(out, step->replacement, step->replacement_len,
                t->start[w->from], t->end[w->from]);
        replace_spaces(step, t, w->from, w->to, out);
        if (out->failed)
            return;
        if (step->split)
            split_before(step, out, from, w->first, out_s);
        else
            wn_splits_add(out_s, from, out->n, w->first);
    }
}

static void
run_whitespace(
    const struct wn_trace *t, const struct wn_splits *s, struct wn_splits *out)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t from = s->p[i].from, at = from;

        while (at < s->p[i].to) {
            size_t start = at;

            if (!wn_unicode_is_space(wn_trace_next(t, &at)))
                continue;
            if (from < start)
                wn_splits_add(out, from, start, t->start[from] == 0);
            from = at;
        }
        if (from < at)
            wn_splits_add(out, from, at, t->start[from] == 0);
    }
}

static void
swap(struct wn_splits *a, struct wn_splits *b)
{
    struct wn_splits other = *a;

    *a = *b;
    *b = other;
}

void
wn_pretokenizer_run(const struct wn_pretokenizer *p, struct wn_trace *t,
    struct wn_trace *spare, struct wn_splits *s, struct wn_splits *spare_splits)
{
    for (size_t i = 0; i < p->n && !t->failed && !s->failed; i++) {
        spare_splits->n = 0;
        spare_splits->failed = false;
        switch (p->steps[i].kind) {
        case METASPACE:
            wn_trace_reset(spare);
            run_metaspace(&p->steps[i], t, s, spare, spare_splits);
            wn_trace_swap(t, spare);
            break;
        case WHITESPACE_SPLIT:
            run_whitespace(t, s, spare_splits);
            break;
        }
        swap(s, spare_splits);
    }
}

/* --- reading --- */

static enum wn_status
read_metaspace(struct step *step, const json_t *json, struct wn_err *err)
{
    static const char *const names[] = {
        [ALWAYS] = "always", [FIRST] = "first", [NEVER] = "never"
    };
    const json_t *scheme = json_object_get(json, "prepend_scheme");
    const json_t *split = json_object_get(json, "split");
    const char *with = json_string_value(json_object_get(json, "replacement"));

    if (with == NULL || with[0] == '\0' ||
        strlen(with) >= sizeof(step->replacement))
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: pre_tokenizer: Metaspace's replacement is not one "
            "character");
    strcpy(step->replacement, with);
    step->replacement_len = strlen(with);
    step->split = split == NULL || json_is_null(split) || json_is_true(split);
    step->prepend = ALWAYS;
    /* files from before there were schemes */
    if (json_is_false(json_object_get(json, "add_prefix_space")))
        step->prepend = NEVER;
    if (scheme == NULL)
        return WN_OK;
    for (int i = ALWAYS; i <= NEVER; i++) {
        if (json_is_string(scheme) &&
            strcmp(json_string_value(scheme), names[i]) == 0) {
            step->prepend = (enum prepend)i;
            return WN_OK;
        }
    }
    return wn_fail(err, WN_REJECT,
        "tokenizer.json: pre_tokenizer: Metaspace's prepend_scheme is not "
        "always, first or never");
}

static enum wn_status
read_step(struct wn_pretokenizer *p, const json_t *json, struct wn_err *err)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    struct step *step = &p->steps[p->n];

    if (type == NULL)
        return wn_fail(
            err, WN_REJECT, "tokenizer.json: pre_tokenizer has no 'type'");
    if (p->n == STEPS_MAX)
        return wn_fail(err, WN_REJECT,
            "tokenizer.json: pre_tokenizer has more than %d steps", STEPS_MAX);
    p->n++;
    if (strcmp(type, "Metaspace") == 0) {
        step->kind = METASPACE;
        return read_metaspace(step, json, err);
    }
    if (strcmp(type, "WhitespaceSplit") == 0) {
        step->kind = WHITESPACE_SPLIT;
        return WN_OK;
    }
    return wn_fail(err, WN_REJECT,
        "tokenizer.json: pre_tokenizer '%.40s' is not supported", type);
}

static enum wn_status
read_steps(struct wn_pretokenizer *p, const json_t *json, struct wn_err *err)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *list = json_object_get(json, "pretokenizers");
    enum wn_status rc = WN_OK;

    if (json == NULL || json_is_null(json))
        return WN_OK;
    if (type == NULL || strcmp(type, "Sequence") != 0)
        return read_step(p, json, err);
    for (size_t i = 0; i < json_array_size(list) && rc == WN_OK; i++)
        rc = read_step(p, json_array_get(list, i), err);
    return rc;
}

enum wn_status
wn_pretokenizer_read(
    struct wn_pretokenizer **ret, const json_t *json, struct wn_err *err)
{
    struct wn_pretokenizer *p = calloc(1, sizeof(*p));
    enum wn_status rc;

    if (p == NULL)
        return wn_fail(err, WN_STOP, "tokenizer: out of memory");
    rc = read_steps(p, json, err);
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
