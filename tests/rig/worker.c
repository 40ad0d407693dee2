/*
 * A worker for the fault rig: the whole service with options of its own
 * argv, and a stub in place of the classifier, since the rig's subject is the
 * pipeline. The stub takes WN_RIG_POST_US microseconds a post, so that there is
 * always work in hand when a fault comes, and scores by the post's number.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metrics.h"
#include "ingest/service.h"

extern char **environ;

static atomic_bool stop;
static unsigned post_us = 2000;

static void
on_term(int sig)
{
    (void)sig;
    if (stop)
        _exit(1);
    stop = true;
}

/* 0..99 by the text alone, so that a redo gives the same verdict. */
static unsigned
text_percent(const struct wn_item *item)
{
    return (
        unsigned)(wn_hash64(item->post.text.p, item->post.text.len, 1) % 100);
}

static enum wn_status
score_stub(struct wn_item **items, size_t n, struct wn_err *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++) {
        unsigned p = text_percent(items[i]);

        for (int h = 0; h < WN_HEADS; h++) {
            items[i]->sig.v[WN_SIG_SCORE_SPAM + h] =
                wn_value_double((p + (unsigned)h) % 100 / 100.0);
            items[i]->sig.v[WN_SIG_FLAG_SPAM + h] = wn_value_bool(p >= 95);
        }
        items[i]->outcome = WN_SCORED;
        items[i]->model_version = "stub";
        items[i]->text_version = WN_TEXT_VERSION;
    }
    usleep((useconds_t)(post_us * n));
    return WN_OK;
}

static const char policy_json[] =
    "{\"policy\":\"rig\",\"version\":\"1\",\"rules\":["
    "{\"id\":\"look\",\"when\":\"flag.spam\",\"action\":\"review\","
    "\"category\":\"spam\",\"reason\":\"Score {score.spam}\"}]}";

int
main(int argc, char **argv)
{
    struct wn_err err = { "" };
    struct wn_policy *policy = NULL;
    struct wn_options *options = wn_options_new();
    struct wn_health *health = wn_health_new();
    struct sigaction sa = { .sa_handler = on_term };
    enum wn_status rc;

    if (getenv("WN_RIG_POST_US") != NULL)
        post_us = (unsigned)atoi(getenv("WN_RIG_POST_US"));
    sigaction(SIGTERM, &sa, NULL);
    wn_hash_setup();
    if (options == NULL || health == NULL ||
        wn_options_load(options, &argc, argv, NULL, environ, &err) != WN_OK ||
        wn_policy_load(
            &policy, policy_json, strlen(policy_json), "rig", &err) != WN_OK) {
        fprintf(stderr, "rig worker: %s\n", err.text);
        return 78;
    }
    struct wn_service_conf conf = {
        .options = options,
        .score_instead = score_stub,
        .policy = policy,
        .health = health,
        .stop = &stop,
    };
    rc = wn_service_run(&conf, &err);
    wn_log(WN_LOG_INFO, "rig.end", "status=%s fenced=%.0f", wn_status_name(rc),
        wn_metric_value(WN_M_FENCED, 0));
    if (rc != WN_OK)
        fprintf(stderr, "rig worker: %s\n", err.text);
    wn_policy_free(policy);
    wn_health_free(health);
    wn_options_free(options);
    return rc == WN_OK ? 0 : 1;
}
