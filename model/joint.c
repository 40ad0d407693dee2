/* Reading and writing the "winnow" member of config.json. */
#include "model/joint.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "model/config.h"

#define FILE_NAME "config.json"

bool
wn_joint_is_name(const char *s, size_t len)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    return len > 0 && len <= WN_JOINT_NAME_MAX && strspn(s, good) == len;
}

static enum wn_status
read_name(struct wn_joint *j, const json_t *v, struct wn_err *err)
{
    const char *s = json_string_value(v);
    size_t len = s == NULL ? 0 : json_string_length(v);

    if (!wn_joint_is_name(s, len))
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.name is not 1 to %d letters, digits, '-', "
                      "'_' and '.'",
            WN_JOINT_NAME_MAX);
    memcpy(j->name, s, len + 1);
    return WN_OK;
}

static enum wn_status
read_int(const json_t *o, const char *name, int *ret, struct wn_err *err)
{
    const json_t *v = json_object_get(o, name);
    json_int_t n = json_integer_value(v);

    if (!json_is_integer(v) || n < 1 || n > INT_MAX)
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.%s is not a positive integer", name);
    *ret = (int)n;
    return WN_OK;
}

static bool
number(const json_t *v, double *ret)
{
    *ret = json_number_value(v);
    return json_is_number(v) && isfinite(*ret);
}

static enum wn_status
read_head(struct wn_joint_head *head, const json_t *o, const char *name,
    struct wn_err *err)
{
    const json_t *mix = json_object_get(o, "mix");
    struct wn_calibration *cal = &head->cal;
    double *threshold = &head->threshold;

    if (!json_is_object(o))
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.heads.%s is missing or no object", name);
    for (size_t i = 0; i < 3; i++)
        if (json_array_size(mix) != 3 ||
            !number(json_array_get(mix, i), &head->mix[i]))
            return wn_fail(err, WN_REJECT,
                FILE_NAME ": winnow.heads.%s.mix is not three numbers", name);
    if (!number(json_object_get(o, "a"), &cal->a) || cal->a <= 0 ||
        !number(json_object_get(o, "b"), &cal->b))
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.heads.%s: a is not a number over 0, or b "
                      "no number",
            name);
    if (!number(json_object_get(o, "threshold"), threshold) || *threshold < 0 ||
        *threshold > 1)
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.heads.%s.threshold is not in 0 .. 1", name);
    head->with_kinds = json_object_get(o, "kinds") != NULL;
    if (head->with_kinds && !number(json_object_get(o, "kinds"), &head->kinds))
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.heads.%s.kinds is no number", name);
    return WN_OK;
}

static enum wn_status
read_heads(struct wn_joint_head *to, const json_t *heads,
    const char *const *names, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t h = 0; rc == WN_OK && h < WN_HEADS_OUT; h++)
        rc = read_head(&to[h], json_object_get(heads, names[h]), names[h], err);
    return rc;
}

static enum wn_status
read_exit(struct wn_joint_exit *e, const json_t *o, const char *const *names,
    struct wn_err *err)
{
    json_int_t after = json_integer_value(json_object_get(o, "after"));

    if (after < 1 || after > WN_EXIT_LAYER_MAX ||
        !number(json_object_get(o, "stop"), &e->stop))
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.exits: \"after\" is not in 1 .. %d, or "
                      "\"stop\" no number",
            WN_EXIT_LAYER_MAX);
    e->after = (size_t)after;
    return read_heads(e->head, json_object_get(o, "heads"), names, err);
}

static enum wn_status
read_exits(struct wn_joint *j, const json_t *exits, const char *const *names,
    struct wn_err *err)
{
    size_t n = json_array_size(exits);
    enum wn_status rc = WN_OK;

    if (exits == NULL)
        return WN_OK;
    if (!json_is_array(exits) || n > WN_EXITS_MAX - 1)
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.exits is not a list of at most %d",
            WN_EXITS_MAX - 1);
    for (size_t i = 0; rc == WN_OK && i < n; i++)
        rc = read_exit(&j->early[i], json_array_get(exits, i), names, err);
    j->early_n = n;
    return rc;
}

static enum wn_status
read_all(struct wn_joint *j, const json_t *o, const char *const *names,
    struct wn_err *err)
{
    int format = 0;
    enum wn_status rc;

    if (!json_is_object(o))
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": no object \"winnow\": these are not weights that "
                      "`winnow train` made");
    rc = read_int(o, "format", &format, err);
    if (rc == WN_OK && format != WN_JOINT_FORMAT)
        rc = wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.format is %d, this build reads %d", format,
            WN_JOINT_FORMAT);
    if (rc == WN_OK)
        rc = read_name(j, json_object_get(o, "name"), err);
    if (rc == WN_OK)
        rc = read_int(o, "text_version", &j->text_version, err);
    if (rc == WN_OK)
        rc = read_heads(j->head, json_object_get(o, "heads"), names, err);
    if (rc == WN_OK)
        rc = read_exits(j, json_object_get(o, "exits"), names, err);
    return rc;
}

enum wn_status
wn_joint_read(struct wn_joint *ret, const char *dir, const char *const *names,
    struct wn_err *err)
{
    struct wn_joint j = { .text_version = 0 };
    json_t *root = NULL;
    enum wn_status rc;

    rc = wn_config_load_json(&root, dir, FILE_NAME, false, err);
    if (rc == WN_OK)
        rc = read_all(&j, json_object_get(root, "winnow"), names, err);
    if (rc == WN_OK)
        *ret = j;
    json_decref(root);
    return rc;
}

static json_t *
heads_json(const struct wn_joint_head *head, const char *const *names)
{
    json_t *heads = json_object();

    for (size_t h = 0; h < WN_HEADS_OUT; h++)
        json_object_set_new(heads, names[h],
            json_pack("{s:f, s:f, s:f, s:[f, f, f], s:o*}", "a", head[h].cal.a,
                "b", head[h].cal.b, "threshold", head[h].threshold, "mix",
                head[h].mix[0], head[h].mix[1], head[h].mix[2], "kinds",
                head[h].with_kinds ? json_real(head[h].kinds) : NULL));
    if (json_object_size(heads) == WN_HEADS_OUT)
        return heads;
    json_decref(heads);
    return NULL;
}

json_t *
wn_joint_json(
    const struct wn_joint *j, enum wn_pooling pooling, const char *const *names)
{
    json_t *exits = json_array();

    for (size_t e = 0; e < j->early_n; e++)
        json_array_append_new(
            exits, json_pack("{s:I, s:f, s:o}", "after",
                       (json_int_t)j->early[e].after, "stop", j->early[e].stop,
                       "heads", heads_json(j->early[e].head, names)));
    if (json_array_size(exits) != j->early_n) {
        json_decref(exits);
        return NULL;
    }
    return json_pack("{s:i, s:s, s:i, s:s, s:o, s:o}", "format",
        WN_JOINT_FORMAT, "name", j->name, "text_version", j->text_version,
        "pooling", pooling == WN_POOL_MEAN ? "mean" : "cls", "heads",
        heads_json(j->head, names), "exits", exits);
}

const struct wn_joint_head *
wn_joint_at(const struct wn_joint *j, size_t e)
{
    return e < j->early_n ? j->early[e].head : j->head;
}

float
wn_joint_encoder(
    const struct wn_joint_head *head, size_t h, const float out[WN_OUTPUTS])
{
    float most = out[h];

    for (size_t k = WN_HEADS_OUT; k < WN_OUTPUTS && head->with_kinds; k++)
        if (out[k] + (float)head->kinds > most || isnan(out[k]))
            most = out[k] + (float)head->kinds;
    return most;
}

double
wn_joint_logit(const struct wn_joint_head *head, double encoder, double ngram)
{
    const double *m = head->mix;

    return head->cal.a * (m[0] * encoder + m[1] * ngram + m[2]) + head->cal.b;
}

double
wn_joint_over(const struct wn_joint *j, size_t h, double logit)
{
    double t = j->head[h].threshold;

    return logit - log(fmax(t, 1e-12) / fmax(1 - t, 1e-12));
}
