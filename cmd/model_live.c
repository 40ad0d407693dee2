/*
 * winnow model activate, rollback, history: which weights the workers run, who
 * said so, and whether they do.
 *
 * Weights are opened and tried here first, so that a bad folder is refused
 * before anything is written; each worker does the same again before it lets
 * them score.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "cmd/cmd.h"
#include "cmd/model_int.h"
#include "cmd/tools.h"
#include "core/clock.h"
#include "storage/activation.h"
#include "storage/review.h"

#define LOOK_MS 200
#define ARENA_BYTES_MAX (16u << 20)

static const char own_weights[] =
    "each worker's own: model.dir, or those shipped with it";

/* Whether the folder's weights open and score; *ret: their version, however
 * they are read here. */
static enum wn_status
look_at(const char *dir, const struct wn_options *o, char ret[WN_VERSION_TEXT],
    struct wn_err *err)
{
    struct wn_classifier *c = NULL;
    enum wn_status rc = wn_cmd_classifier(&c, dir, o, err);

    if (rc != WN_OK)
        return rc;
    rc = wn_classifier_try(c, (size_t)wn_opt_int(o, WN_OPT_SCORE_WINDOWS), err);
    if (rc == WN_OK)
        snprintf(ret, WN_VERSION_TEXT, "%.*s",
            (int)wn_classifier_weights_len(c), wn_classifier_version(c));
    else
        wn_fail_in(err, rc, "%.200s", dir);
    wn_classifier_free(c);
    return rc;
}

/* --- what the workers say --- */

struct workers {
    size_t live, refused, silent;
};

static void
print_worker(const struct wn_running *r, int64_t id)
{
    struct wn_buf out;

    wn_buf_init(&out, 1u << 16);
    wn_buf_str(&out, "  ");
    wn_cmd_plain(&out, r->instance, 80);
    if (r->activation < id)
        wn_buf_str(&out, "  has not answered yet, runs ");
    else
        wn_buf_str(&out, r->cause.p != NULL ? "  stays with " : "  runs ");
    wn_cmd_plain(&out, r->version, 90);
    if (r->cause.p != NULL) {
        wn_buf_str(&out, "\n    ");
        wn_cmd_plain(&out, r->cause, 500);
    }
    wn_buf_char(&out, '\n');
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
}

/* One look; printed only where asked. */
static enum wn_status
ask_workers(struct wn_store *st, int64_t id, bool print, struct workers *ret,
    struct wn_err *err)
{
    struct wn_running *all = NULL;
    struct wn_arena arena;
    size_t n = 0;
    enum wn_status rc;

    *ret = (struct workers){ 0 };
    wn_arena_init(&arena, 1u << 14, ARENA_BYTES_MAX);
    rc = wn_running(st, "model", &arena, &all, &n, err);
    for (size_t i = 0; rc == WN_OK && i < n; i++) {
        if (all[i].activation < id)
            ret->silent++;
        else if (all[i].activation == id && all[i].cause.p != NULL)
            ret->refused++;
        else
            ret->live++;
        if (print)
            print_worker(&all[i], id);
    }
    wn_arena_release(&arena);
    return rc;
}

static void
nap(void)
{
    const struct timespec ts = { 0, LOOK_MS * 1000000L };

    nanosleep(&ts, NULL);
}

/* Until all have answered, or so long. The exit status. */
static int
await(struct wn_store *st, int64_t id, size_t seconds)
{
    int64_t until = wn_clock_mono_us() + (int64_t)seconds * 1000000;
    struct workers w = { 0 };
    struct wn_err err = { "" };
    enum wn_status rc = ask_workers(st, id, false, &w, &err);

    while (rc == WN_OK && w.silent > 0 && wn_clock_mono_us() < until) {
        nap();
        rc = ask_workers(st, id, false, &w, &err);
    }
    if (rc == WN_OK)
        rc = ask_workers(st, id, true, &w, &err);
    if (rc != WN_OK)
        return wn_cmd_fail(1, "model", "%s", err.text);
    if (w.live + w.refused + w.silent == 0)
        printf("  no worker is connected: the next to start takes it\n");
    if (w.refused + w.silent > 0)
        return wn_cmd_fail(1, "model",
            "it is in force, but %zu of %zu workers do not run it",
            w.refused + w.silent, w.live + w.refused + w.silent);
    return 0;
}

/* --- activate, rollback --- */

static int
check_words(const struct wn_model_live *a)
{
    struct wn_err err = { "" };

    if (a->staff == NULL || a->staff[0] == '\0')
        return wn_cmd_usage("model", "--staff must say who does it");
    if (a->reason == NULL || a->reason[0] == '\0')
        return wn_cmd_usage("model", "--reason must say why");
    if (wn_review_check(a->staff, a->reason, &err) != WN_OK)
        return wn_cmd_usage("model", "--%s", err.text);
    return wn_cmd_database(a->options, "model") == NULL ? WN_EX_CONFIG : 0;
}

/* Fills what is to be put in force. 0, or printed and the exit status. */
static int
plan_activate(const struct wn_model_live *a, struct wn_activated *to)
{
    char full[PATH_MAX];
    struct wn_err err = { "" };

    if (realpath(a->dir, full) == NULL)
        return wn_cmd_fail(
            WN_EX_CONFIG, "model", "%s: %s", a->dir, strerror(errno));
    if (look_at(full, a->options, to->version, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "model", "%s", err.text);
    snprintf(to->place, sizeof(to->place), "%s", full);
    return 0;
}

static int
plan_rollback(const struct wn_model_live *a, struct wn_store *st,
    struct wn_activated *to, int64_t *ret_after)
{
    char version[WN_VERSION_TEXT];
    struct wn_err err = { "" };

    if (wn_activated_before(st, "model", to, ret_after, &err) != WN_OK)
        return wn_cmd_fail(1, "model", "%s", err.text);
    if (to->place[0] == '\0')
        return 0;
    if (look_at(to->place, a->options, version, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "model", "%s", err.text);
    if (strcmp(version, to->version) != 0)
        return wn_cmd_fail(WN_EX_CONFIG, "model",
            "%s holds %s, not %s that was activated: activate a folder that "
            "holds it",
            to->place, version, to->version);
    return 0;
}

static int
put_in_force(const struct wn_model_live *a, struct wn_store *st,
    const struct wn_activated *to, int64_t after)
{
    struct wn_activate ask = { .kind = "model",
        .after = after,
        .staff_id = a->staff,
        .reason = a->reason };
    struct wn_activated done;
    struct wn_err err = { "" };

    if (a->dir != NULL) {
        ask.place = to->place;
        ask.version = to->version;
    }
    if (wn_activate(st, &ask, &done, &err) != WN_OK)
        return wn_cmd_fail(1, "model", "%s", err.text);
    if (done.place[0] != '\0')
        printf("activation %lld: %s in %s\n", (long long)done.id, done.version,
            done.place);
    else
        printf("activation %lld: %s\n", (long long)done.id, own_weights);
    fflush(stdout);
    return a->wait_s > 0 ? await(st, done.id, a->wait_s) : 0;
}

int
wn_model_activate(const struct wn_model_live *a)
{
    struct wn_activated to = { 0 }, now = { 0 };
    struct wn_store *st = NULL;
    struct wn_err err = { "" };
    int status = check_words(a);

    if (status == 0 && a->dir != NULL)
        status = plan_activate(a, &to);
    if (status != 0)
        return status;
    st = wn_cmd_store(a->options, "model");
    if (st == NULL)
        return 1;
    if (a->dir == NULL)
        status = plan_rollback(a, st, &to, &now.id);
    else if (wn_activated(st, "model", &now, &err) != WN_OK)
        status = wn_cmd_fail(1, "model", "%s", err.text);
    if (status == 0)
        status = put_in_force(a, st, &to, now.id);
    wn_store_free(st);
    return status;
}

/* --- history --- */

static void
print_activation(const struct wn_activation_row *a, bool in_force)
{
    struct wn_buf out;
    char at[WN_TIME_TEXT];

    wn_time_format(a->at_us, at);
    wn_buf_init(&out, 1u << 16);
    wn_buf_printf(&out, "%c %4lld  %.19sZ  %s  ", in_force ? '*' : ' ',
        (long long)a->id, at, a->rollback ? "rollback" : "activate");
    if (a->place.len > 0) {
        wn_cmd_plain(&out, a->version, 90);
        wn_buf_str(&out, " in ");
        wn_cmd_plain(&out, a->place, 300);
    } else {
        wn_buf_str(&out, own_weights);
    }
    wn_buf_str(&out, "\n        by ");
    wn_cmd_plain(&out, a->staff_id, 60);
    wn_buf_str(&out, ": ");
    wn_cmd_plain(&out, a->reason, 300);
    wn_buf_char(&out, '\n');
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
}

static json_t *
json_activations(const struct wn_activation_row *all, size_t n)
{
    json_t *list = json_array();
    char at[WN_TIME_TEXT];

    for (size_t i = 0; i < n; i++) {
        wn_time_format(all[i].at_us, at);
        json_array_append_new(
            list, json_pack("{s:I,s:b,s:s,s:s,s:o,s:o,s:o,s:o,s:I}", "id",
                      (json_int_t)all[i].id, "in_force", i == 0, "act",
                      all[i].rollback ? "rollback" : "activate", "at", at,
                      "dir", wn_cmd_json(all[i].place), "version",
                      wn_cmd_json(all[i].version), "staff",
                      wn_cmd_json(all[i].staff_id), "reason",
                      wn_cmd_json(all[i].reason), "audit_seq",
                      (json_int_t)all[i].seq));
    }
    return list;
}

static json_t *
json_workers(const struct wn_running *all, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("{s:o,s:I,s:o,s:o}", "instance",
                      wn_cmd_json(all[i].instance), "activation",
                      (json_int_t)all[i].activation, "version",
                      wn_cmd_json(all[i].version), "cause",
                      wn_cmd_json(all[i].cause)));
    return list;
}

static int
print_history(const struct wn_activation_row *all, size_t n,
    const struct wn_running *workers, size_t workers_n, bool json)
{
    json_t *o;

    if (json) {
        o = json_pack("{s:o,s:o}", "activations", json_activations(all, n),
            "workers", json_workers(workers, workers_n));
        return wn_cmd_print_json(o) ? 0
                                    : wn_cmd_fail(1, "model", "out of memory");
    }
    if (n == 0)
        printf("No model was ever activated; in force: %s.\n", own_weights);
    for (size_t i = 0; i < n; i++)
        print_activation(&all[i], i == 0);
    if (workers_n > 0)
        printf("\nWorkers:\n");
    for (size_t i = 0; i < workers_n; i++)
        print_worker(&workers[i], n > 0 ? all[0].id : 0);
    return 0;
}

int
wn_model_history(const struct wn_options *o, size_t max, bool json)
{
    struct wn_activation_row *all = NULL;
    struct wn_running *workers = NULL;
    struct wn_arena arena;
    struct wn_store *st;
    struct wn_err err = { "" };
    size_t n = 0, workers_n = 0;
    enum wn_status rc;
    int status;

    if (wn_cmd_database(o, "model") == NULL)
        return WN_EX_CONFIG;
    st = wn_cmd_store(o, "model");
    if (st == NULL)
        return 1;
    wn_arena_init(&arena, 1u << 16, ARENA_BYTES_MAX);
    rc = wn_activations(st, "model", max, &arena, &all, &n, &err);
    if (rc == WN_OK)
        rc = wn_running(st, "model", &arena, &workers, &workers_n, &err);
    status = rc == WN_OK ? print_history(all, n, workers, workers_n, json)
                         : wn_cmd_fail(1, "model", "%s", err.text);
    wn_arena_release(&arena);
    wn_store_free(st);
    return status;
}
