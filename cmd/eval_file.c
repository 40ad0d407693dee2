/*
 * Scores in a file, so that comparing two models, or looking at them in
 * another way, costs no second pass. They are bound to the data they are of:
 * as many rows, in the same order, each with the same id, source and hash of
 * its text.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cmd/eval_int.h"
#include "core/hash.h"

#define FORMAT 1
#define LINE_BYTES_MAX (16u << 20)

static void
text_hash(const struct wn_data_row *row, char out[17])
{
    snprintf(out, 17, "%016" PRIx64, wn_hash64(row->text.p, row->text.len, 0));
}

/* --- writing --- */

static void
put_point(struct wn_buf *b, const struct wn_eval_point *p)
{
    /* infinities are no JSON: 1e308 is as far out */
    wn_buf_str(b, "{\"logit\":");
    wn_buf_double(b, fmax(fmin(p->logit, 1e308), -1e308));
    wn_buf_str(b, ",\"fpr\":");
    wn_buf_double(b, p->ask.fpr);
    wn_buf_str(b, ",\"precision\":");
    wn_buf_double(b, p->ask.precision);
    wn_buf_printf(b, ",\"dev_neg\":%zu}", p->neg);
}

static void
put_header(struct wn_buf *b, const struct wn_eval_scores *s)
{
    wn_buf_printf(b, "{\"scores\":%d,\"model\":", FORMAT);
    wn_buf_json(b, s->model, strlen(s->model));
    wn_buf_printf(b, ",\"rows\":%zu,\"heads\":{", s->n);
    for (size_t h = 0; h < WN_HEADS; h++) {
        wn_buf_printf(b, "%s\"%s\":[", h == 0 ? "" : ",", wn_head_names[h]);
        for (size_t k = 0; k < s->points_n; k++) {
            wn_buf_str(b, k == 0 ? "" : ",");
            put_point(b, &s->at[h][k]);
        }
        wn_buf_char(b, ']');
    }
    wn_buf_str(b, "}}\n");
}

static void
put_row(struct wn_buf *b, const struct wn_eval_scores *s,
    const struct wn_data *d, size_t i)
{
    const struct wn_data_row *row = &d->rows[i];
    const char *source = d->sources[row->source];
    char hash[17];

    text_hash(row, hash);
    wn_buf_str(b, "{\"id\":");
    wn_buf_json(b, row->id.p == NULL ? "" : row->id.p, row->id.len);
    wn_buf_str(b, ",\"source\":");
    wn_buf_json(b, source, strlen(source));
    wn_buf_printf(b, ",\"text\":\"%s\",\"words\":%u,\"logits\":", hash,
        (unsigned)s->words[i]);
    if (isinf(s->logit[0][i])) {
        wn_buf_str(b, "null}\n");
        return;
    }
    for (size_t h = 0; h < WN_HEADS; h++) {
        wn_buf_printf(b, "%s\"%s\":", h == 0 ? "{" : ",", wn_head_names[h]);
        wn_buf_double(b, s->logit[h][i]);
    }
    wn_buf_str(b, "}}\n");
}

enum wn_status
wn_eval_scores_write(const struct wn_eval_scores *s, const struct wn_data *d,
    const char *path, struct wn_err *err)
{
    FILE *f = fopen(path, "we");
    struct wn_buf b;
    bool ok = true;

    if (f == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    wn_buf_init(&b, LINE_BYTES_MAX);
    put_header(&b, s);
    for (size_t i = 0; i <= d->n && ok && !b.failed; i++) {
        ok = fwrite(b.data, 1, b.len, f) == b.len;
        wn_buf_reset(&b);
        if (i < d->n)
            put_row(&b, s, d, i);
    }
    ok = fclose(f) == 0 && ok;
    ok = ok && !b.failed;
    wn_buf_release(&b);
    return ok ? WN_OK
              : wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
}

/* --- reading --- */

struct reading {
    struct wn_eval_scores *s;
    const struct wn_data *d;
    bool begun; /* the header is read */
    size_t row; /* the next one       */
};

static enum wn_status
read_points(
    struct wn_eval_scores *s, const json_t *o, size_t h, struct wn_err *err)
{
    const json_t *list = json_object_get(o, wn_head_names[h]);
    size_t n = json_array_size(list);

    if (n < 1 || n > WN_POINTS_MAX || (h > 0 && n != s->points_n))
        return wn_fail(err, WN_REJECT, "heads.%s: not 1 to %d thresholds",
            wn_head_names[h], WN_POINTS_MAX);
    s->points_n = n;
    for (size_t k = 0; k < n; k++) {
        const json_t *p = json_array_get(list, k);
        const json_t *logit = json_object_get(p, "logit");
        const json_t *fpr = json_object_get(p, "fpr");
        const json_t *precision = json_object_get(p, "precision");
        json_int_t neg = json_integer_value(json_object_get(p, "dev_neg"));

        if ((!json_is_number(logit) && !json_is_null(logit)) || neg < 0)
            return wn_fail(err, WN_REJECT,
                "heads.%s: a threshold's \"logit\" is not a number",
                wn_head_names[h]);
        s->at[h][k] = (struct wn_eval_point){
            .logit = json_is_null(logit) ? NAN : json_number_value(logit),
            .ask = { json_is_number(fpr) ? json_number_value(fpr) : NAN,
                json_is_number(precision) ? json_number_value(precision)
                                          : NAN },
            .neg = (size_t)neg,
        };
    }
    return WN_OK;
}

static enum wn_status
read_header(struct reading *r, const json_t *o, struct wn_err *err)
{
    const char *model = json_string_value(json_object_get(o, "model"));
    json_int_t n = json_integer_value(json_object_get(o, "rows"));
    enum wn_status rc = WN_OK;

    if (json_integer_value(json_object_get(o, "scores")) != FORMAT ||
        model == NULL)
        return wn_fail(err, WN_REJECT,
            "not the first line of a file of scores, which `winnow eval "
            "--scores FILE` writes");
    if (n != (json_int_t)r->d->n)
        return wn_fail(err, WN_REJECT,
            "scores of %lld texts, the data has %zu: it is of other data",
            (long long)n, r->d->n);
    snprintf(r->s->model, sizeof(r->s->model), "%s", model);
    for (size_t h = 0; h < WN_HEADS && rc == WN_OK; h++)
        rc = read_points(r->s, json_object_get(o, "heads"), h, err);
    r->begun = true;
    return rc;
}

static bool
is_row(const json_t *o, const struct wn_data *d, const struct wn_data_row *row)
{
    const json_t *id = json_object_get(o, "id");
    const char *source = json_string_value(json_object_get(o, "source"));
    const char *text = json_string_value(json_object_get(o, "text"));
    char hash[17];

    text_hash(row, hash);
    return json_string_length(id) == row->id.len &&
           memcmp(json_string_value(id) == NULL ? "" : json_string_value(id),
               row->id.p == NULL ? "" : row->id.p, row->id.len) == 0 &&
           source != NULL && strcmp(source, d->sources[row->source]) == 0 &&
           text != NULL && strcmp(text, hash) == 0;
}

static enum wn_status
read_logits(struct reading *r, const json_t *o, struct wn_err *err)
{
    for (size_t h = 0; h < WN_HEADS; h++) {
        const json_t *z = json_object_get(o, wn_head_names[h]);

        if (!json_is_null(o) && !json_is_number(z))
            return wn_fail(
                err, WN_REJECT, "logits.%s is not a number", wn_head_names[h]);
        r->s->logit[h][r->row] =
            json_is_null(o) ? -INFINITY : json_number_value(z);
    }
    return WN_OK;
}

static enum wn_status
read_scores(void *arg, const json_t *o, struct wn_err *err)
{
    struct reading *r = arg;
    const json_t *logits = json_object_get(o, "logits");
    json_int_t words = json_integer_value(json_object_get(o, "words"));

    if (!r->begun)
        return read_header(r, o, err);
    if (r->row == r->d->n)
        return wn_fail(err, WN_REJECT, "more lines than the data has texts");
    if (!is_row(o, r->d, &r->d->rows[r->row]))
        return wn_fail(err, WN_REJECT,
            "its id, source or text is not that of text %zu of the data: the "
            "same files, in the same order, are needed",
            r->row + 1);
    if (logits == NULL || words < 0 || words > UINT32_MAX)
        return wn_fail(
            err, WN_REJECT, "\"logits\" or \"words\" is missing or wrong");
    r->s->words[r->row] = (uint32_t)words;
    if (read_logits(r, logits, err) != WN_OK)
        return WN_REJECT;
    r->row++;
    return WN_OK;
}

enum wn_status
wn_eval_scores_read(struct wn_eval_scores *ret, const struct wn_data *d,
    const char *path, struct wn_err *err)
{
    struct reading r = { .s = ret, .d = d };
    enum wn_status rc = wn_eval_scores_init(ret, d->n, false, err);

    if (rc == WN_OK)
        rc = wn_data_each(path, read_scores, &r, err);
    if (rc == WN_OK && (!r.begun || r.row != d->n))
        rc = wn_fail(err, WN_REJECT,
            "%s: scores of %zu texts, the data has %zu: it is cut off", path,
            r.row, d->n);
    if (rc != WN_OK)
        wn_eval_scores_release(ret);
    return rc;
}
