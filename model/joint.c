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
read_head(struct wn_joint *j, size_t h, const json_t *o, const char *name,
    struct wn_err *err)
{
    const json_t *mix = json_object_get(o, "mix");
    struct wn_calibration *cal = &j->head[h].cal;
    double *threshold = &j->head[h].threshold;

    if (!json_is_object(o))
        return wn_fail(err, WN_REJECT,
            FILE_NAME ": winnow.heads.%s is missing or no object", name);
    for (size_t i = 0; i < 3; i++)
        if (json_array_size(mix) != 3 ||
            !number(json_array_get(mix, i), &j->head[h].mix[i]))
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
    return WN_OK;
}

static enum wn_status
read_all(struct wn_joint *j, const json_t *o, const char *const *names,
    struct wn_err *err)
{
    const json_t *heads = json_object_get(o, "heads");
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
    for (size_t h = 0; rc == WN_OK && h < WN_HEADS_OUT; h++)
        rc = read_head(j, h, json_object_get(heads, names[h]), names[h], err);
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

json_t *
wn_joint_json(
    const struct wn_joint *j, enum wn_pooling pooling, const char *const *names)
{
    json_t *heads = json_object();
    bool ok = heads != NULL;

    for (size_t h = 0; h < WN_HEADS_OUT && ok; h++) {
        const double *m = j->head[h].mix;

        ok = json_object_set_new(heads, names[h],
                 json_pack("{s:f, s:f, s:f, s:[f, f, f]}", "a",
                     j->head[h].cal.a, "b", j->head[h].cal.b, "threshold",
                     j->head[h].threshold, "mix", m[0], m[1], m[2])) == 0;
    }
    if (!ok) {
        json_decref(heads);
        return NULL;
    }
    return json_pack("{s:i, s:s, s:i, s:s, s:o}", "format", WN_JOINT_FORMAT,
        "name", j->name, "text_version", j->text_version, "pooling",
        pooling == WN_POOL_MEAN ? "mean" : "cls", "heads", heads);
}

double
wn_joint_logit(const struct wn_joint *j, size_t h, double encoder, double ngram)
{
    const double *m = j->head[h].mix;

    return m[0] * encoder + m[1] * ngram + m[2];
}

double
wn_joint_probability(const struct wn_joint *j, size_t h, double logit)
{
    return wn_calibrate(j->head[h].cal, logit);
}
