/*
 * Scorer threads: bytes to post, post to signals, signals to one action. Each
 * has a scorer of its own in the live model, which it takes for one batch; so
 * a batch is scored whole by one model, and other weights come between two.
 */
#include "ingest/service_int.h"
#include "ingest/shadow.h"

#define BATCH_MAX 1024 /* posts, however light */

static double
seconds_since(int64_t us)
{
    return (double)(wn_clock_mono_us() - us) / 1e6;
}

/* Whose work is void by now is not worth scoring. */
static bool
is_void(struct wn_svc *svc, const struct wn_item *item)
{
    bool gone;

    if (svc->stopping)
        return true;
    pthread_mutex_lock(&svc->lock);
    gone = wn_part_find(svc, item->rec.source, item->rec.generation) == NULL;
    pthread_mutex_unlock(&svc->lock);
    return gone;
}

/* true: it goes on to the scorer. */
static bool
parse(struct wn_svc *svc, struct wn_item *item)
{
    int64_t begin = wn_clock_mono_us();

    if (item->flow == WN_FLOW_DEAD) /* quarantined: not read again */
        return false;
    wn_parse(item, svc->format, svc->post_bytes_max);
    wn_metric_observe(WN_M_STAGE_SECONDS, WN_STAGE_PARSE, seconds_since(begin));
    if (item->outcome == WN_DEAD)
        wn_flow_move(item, WN_FLOW_DEAD);
    else if (item->post.event == WN_POST_DELETED)
        wn_flow_move(item, WN_FLOW_DELETED);
    return item->flow == WN_FLOW_READ;
}

static void
decide(struct wn_svc *svc, const struct wn_model *model, struct wn_item *item)
{
    int64_t begin = wn_clock_mono_us();

    wn_flow_move(item, WN_FLOW_SCORED);
    wn_policy_eval(svc->conf->policy, &item->sig, &item->arena, &item->verdict);
    item->policy_version = wn_policy_version(svc->conf->policy);
    if (model != NULL) {
        item->model_version = model->version;
        item->text_version = WN_TEXT_VERSION;
    }
    wn_flow_move(item, WN_FLOW_DECIDED);
    wn_metric_observe(
        WN_M_STAGE_SECONDS, WN_STAGE_POLICY, seconds_since(begin));
}

/* How deep the batch is read, by how long its oldest post waited for us. */
static void
choose_depth(
    struct wn_svc *svc, struct wn_scorer *scorer, const struct wn_item *oldest)
{
    int64_t now = wn_clock_mono_us(), waited = now - oldest->admitted_us;
    bool changed;
    size_t exits = wn_shed_look(
        &svc->shed, now, waited, wn_scorer_sheds(scorer), &changed);

    wn_scorer_shed(scorer, exits);
    if (!changed)
        return;
    wn_metric_set(WN_M_SHED, 0, (double)exits);
    wn_log(exits > 0 ? WN_LOG_WARN : WN_LOG_INFO, "score.depth",
        "exits_shed=%zu waited_ms=%lld", exits, (long long)(waited / 1000));
}

static enum wn_status
score(struct wn_svc *svc, const struct wn_model *model, unsigned number,
    struct wn_item **items, size_t n, struct wn_err *err)
{
    struct wn_item *judged[BATCH_MAX];
    enum wn_status rc = WN_OK;
    size_t i, k = 0;

    for (i = 0; i < n; i++) {
        if (parse(svc, items[i]))
            judged[k++] = items[i];
    }
    if (k > 0 && svc->conf->score_instead != NULL)
        rc = svc->conf->score_instead(judged, k, err);
    if (k > 0 && svc->conf->score_instead == NULL) {
        choose_depth(svc, model->scorers[number], judged[0]);
        rc = wn_scorer_run(model->scorers[number], judged, k, err);
    }
    if (rc != WN_OK)
        return rc;
    for (i = 0; i < k; i++) {
        decide(svc, model, judged[i]);
        wn_shadow_offer(svc->shadow, judged[i]);
    }
    return WN_OK;
}

/* What is left of a batch once void items are let go. */
static size_t
keep_live(struct wn_svc *svc, struct wn_item **items, size_t n)
{
    size_t i, kept = 0;

    for (i = 0; i < n; i++) {
        if (is_void(svc, items[i])) {
            wn_flow_move(items[i], WN_FLOW_DROPPED);
            wn_svc_let_go(svc, items[i]);
        } else {
            items[kept++] = items[i];
        }
    }
    return kept;
}

static size_t
weigh(const void *item)
{
    return wn_item_weight(item);
}

/* A batch is this scorer's share of what is waiting, up to `tokens`. It never
 * waits for company: two posts cost the encoder about what each costs alone. */
static enum wn_status
work(struct wn_svc *svc, unsigned number, size_t tokens, struct wn_err *err)
{
    struct wn_item *items[BATCH_MAX];
    struct wn_model *model;
    enum wn_status rc;
    size_t n, i;

    for (;;) {
        n = wn_queue_take_within(svc->to_score, (void **)items, BATCH_MAX,
            svc->scorers_n, tokens, weigh);
        if (n == 0)
            return WN_OK; /* closed and drained */
        n = keep_live(svc, items, n);
        model = wn_models_take(svc->models);
        rc = score(svc, model, number, items, n, err);
        wn_models_drop(svc->models, model);
        for (i = 0; i < n; i++) {
            if (rc != WN_OK || !wn_queue_put(svc->to_write, items[i]))
                wn_svc_let_go(svc, items[i]);
        }
        if (rc != WN_OK)
            return rc;
    }
}

void *
wn_score_thread(void *arg)
{
    struct wn_svc *svc = arg;
    unsigned number = atomic_fetch_add(&svc->scorers, 1);
    struct wn_err err = { "" };
    enum wn_status rc = work(svc, number,
        (size_t)wn_opt_int(svc->conf->options, WN_OPT_SCORE_BATCH), &err);

    if (rc != WN_OK)
        wn_svc_fail(svc, rc, &err);
    return NULL;
}
