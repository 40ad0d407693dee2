/* See shadow.h. One thread scores and stores; any thread offers. */
#include "ingest/shadow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ingest/service_int.h"
#include "storage/shadow.h"

#define POSTS_MAX 256
#define BYTES_MAX (8u << 20)
#define BATCH 8 /* few: an end waits for one */
#define WAIT_MS 200
#define STORE_MS 10000
#define NICE 10
#define SHARE_SEED UINT64_C(0x736861646f77) /* "shadow": never changes */
enum { COUNT_SCORED, COUNT_DROPPED };       /* of WN_M_SHADOW */

struct offered {
    struct wn_item *item; /* the record alone: it is parsed again */
    const char *live;     /* version that lives as long as the process */
    struct wn_shadow_said was;
    size_t bytes;
};

struct wn_shadow {
    struct wn_svc *svc;
    struct wn_queue *queue; /* of struct offered; never full before `posts` */
    atomic_size_t posts, bytes;
    pthread_t thread;
    bool on;
    /* The thread's. */
    struct wn_store *store;
    struct wn_shadow_row rows[BATCH];
    size_t rows_n;
    unsigned attempt;
};

/* --- offers --- */

bool
wn_shadow_share_has(struct wn_str post_id, double share)
{
    uint64_t h = wn_hash64(post_id.p, post_id.len, SHARE_SEED) >> 11;

    return (double)h * 0x1p-53 < share;
}

static void
read_said(const struct wn_item *item, struct wn_shadow_said *said)
{
    const struct wn_value *v = item->sig.v;

    *said = (struct wn_shadow_said){ .action = item->verdict.action };
    for (int h = 0; h < WN_HEADS; h++) {
        const struct wn_value *score = &v[WN_SIG_SCORE_SPAM + h];
        const struct wn_value *flag = &v[WN_SIG_FLAG_SPAM + h];

        said->scores[h] =
            score->kind == WN_VALUE_DOUBLE ? score->d : (double)NAN;
        if (flag->kind == WN_VALUE_BOOL && flag->b)
            said->flags |= 1u << h;
    }
}

static void
offered_free(void *arg)
{
    struct offered *o = arg;

    if (o != NULL)
        wn_item_free(o->item);
    free(o);
}

/* A record like the item's, to be parsed again; NULL without memory. */
static struct offered *
copy_of(const struct wn_item *item)
{
    const struct wn_record *rec = &item->rec;
    struct offered *o = calloc(1, sizeof(*o));
    struct wn_item *copy = wn_item_new(item->arena.bytes_max);

    if (o == NULL || copy == NULL) {
        wn_item_free(copy);
        free(o);
        return NULL;
    }
    o->item = copy;
    o->live = item->model_version;
    read_said(item, &o->was);
    copy->rec = *rec;
    copy->rec.key = (struct wn_str){ NULL, 0 };
    copy->rec.raw.p = wn_arena_strndup(&copy->arena, rec->raw.p, rec->raw.len);
    if (copy->rec.raw.p != NULL)
        return o;
    offered_free(o);
    return NULL;
}

/* Takes room for one more of so many bytes, in any case; whether there was
 * any. */
static bool
take_room(struct wn_shadow *s, size_t bytes)
{
    bool few = atomic_fetch_add(&s->posts, 1) < POSTS_MAX;
    bool light = atomic_fetch_add(&s->bytes, bytes) + bytes <= BYTES_MAX;

    return few && light;
}

static void
give_room(struct wn_shadow *s, size_t bytes)
{
    atomic_fetch_sub(&s->posts, 1);
    atomic_fetch_sub(&s->bytes, bytes);
}

/* While posts wait they are read less deep: what is said of them then is not
 * what the first model says, and there is enough to do. */
static bool
is_wanted(struct wn_shadow *s, const struct wn_item *item)
{
    double share = 0;
    const char *version = wn_models_shadow(s->svc->models, &share);

    return version != NULL && version != item->model_version &&
           item->rec.raw.p != NULL && !atomic_load(&s->svc->careful) &&
           (item->skipped & WN_SKIPPED_DEPTH) == 0 &&
           wn_shadow_share_has(item->post.id, share);
}

void
wn_shadow_offer(struct wn_shadow *s, const struct wn_item *item)
{
    struct offered *o;
    size_t bytes = item->bytes;

    if (s == NULL || !is_wanted(s, item))
        return;
    o = take_room(s, bytes) ? copy_of(item) : NULL;
    if (o != NULL)
        o->bytes = bytes;
    if (o != NULL && wn_queue_put(s->queue, o))
        return;
    offered_free(o);
    give_room(s, bytes);
    wn_metric_add(WN_M_SHADOW, COUNT_DROPPED, 1);
}

/* --- scoring beside --- */

/* What is left of a batch, parsed: whose bytes are no post any more (they
 * were one a moment ago) is let go. */
static size_t
parse(struct wn_shadow *s, struct offered **o, size_t n)
{
    struct wn_svc *svc = s->svc;
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        wn_parse(o[i]->item, svc->format, svc->post_bytes_max);
        if (o[i]->item->outcome == WN_DEAD) {
            give_room(s, o[i]->bytes);
            offered_free(o[i]);
        } else {
            o[kept++] = o[i];
        }
    }
    return kept;
}

static void
decide(struct wn_shadow *s, const struct wn_model *model, struct offered *o)
{
    struct wn_shadow_row *r = &s->rows[s->rows_n++];
    struct wn_item *item = o->item;

    wn_policy_eval(
        s->svc->conf->policy, &item->sig, &item->arena, &item->verdict);
    *r = (struct wn_shadow_row){ .source = item->rec.source,
        .offset = item->rec.offset,
        .model = model->version,
        .live = o->live,
        .was = o->was };
    read_said(item, &r->shadow);
}

static void
score(struct wn_shadow *s, const struct wn_model *model, struct offered **o,
    size_t n)
{
    struct wn_item *items[BATCH];
    struct wn_err err = { "" };

    for (size_t i = 0; i < n; i++)
        items[i] = o[i]->item;
    if (wn_scorer_run(model->scorers[0], items, n, &err) != WN_OK) {
        wn_models_shadow_off(s->svc->models, err.text);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (model->version != o[i]->live) /* it may have become the first */
            decide(s, model, o[i]);
}

static void
score_some(struct wn_shadow *s)
{
    struct offered *o[BATCH];
    struct wn_model *model;
    size_t n = wn_queue_take_many(s->queue, (void **)o, BATCH, WAIT_MS);

    if (n == 0)
        return;
    n = parse(s, o, n);
    model = wn_models_take_shadow(s->svc->models);
    if (model != NULL && n > 0)
        score(s, model, o, n);
    wn_models_drop_shadow(s->svc->models, model);
    for (size_t i = 0; i < n; i++) {
        give_room(s, o[i]->bytes);
        offered_free(o[i]);
    }
}

/* Until the rows are there; false: the service is ending, or it is over. */
static bool
store(struct wn_shadow *s)
{
    struct wn_svc *svc = s->svc;
    struct wn_err err = { "" };
    enum wn_status rc = WN_RETRY;

    while (rc == WN_RETRY && s->rows_n > 0 && !svc->stopping) {
        if (s->store == NULL)
            rc = wn_svc_store_open(svc, &s->store, STORE_MS, &err);
        else
            rc = WN_OK;
        if (rc == WN_OK)
            rc = wn_shadow_put(s->store, s->rows, s->rows_n, &err);
        if (rc == WN_RETRY)
            wn_svc_nap(svc, wn_svc_backoff_ms(s->attempt++), false);
    }
    if (rc == WN_OK) {
        wn_metric_add(WN_M_SHADOW, COUNT_SCORED, s->rows_n);
        s->attempt = 0;
    } else if (rc != WN_RETRY && !svc->stopping) {
        wn_models_shadow_off(svc->models, err.text);
    }
    s->rows_n = 0;
    return !svc->stopping;
}

static void *
work(void *arg)
{
    struct wn_shadow *s = arg;

    /* of Linux: this thread's, not the process's */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
    while (!s->svc->stopping) {
        score_some(s);
        if (s->rows_n > 0 && !store(s))
            break;
    }
    wn_store_free(s->store);
    return NULL;
}

/* --- its life --- */

enum wn_status
wn_shadow_new(struct wn_shadow **ret, struct wn_svc *svc, struct wn_err *err)
{
    const struct wn_service_conf *conf = svc->conf;
    struct wn_shadow *s;

    *ret = NULL;
    if (svc->models == NULL ||
        (conf->shadow == NULL && conf->open_model == NULL))
        return WN_OK;
    s = calloc(1, sizeof(*s));
    if (s != NULL) {
        s->svc = svc;
        s->queue = wn_queue_new(POSTS_MAX);
    }
    if (s == NULL || s->queue == NULL) {
        free(s);
        return wn_fail(err, WN_STOP, "shadow: out of memory");
    }
    *ret = s;
    return WN_OK;
}

enum wn_status
wn_shadow_start(struct wn_shadow *s, struct wn_err *err)
{
    if (s == NULL)
        return WN_OK;
    s->on = pthread_create(&s->thread, NULL, work, s) == 0;
    return s->on ? WN_OK
                 : wn_fail(err, WN_STOP, "service: a thread does not start");
}

bool
wn_shadow_thread(const struct wn_shadow *s, pthread_t *ret)
{
    if (s == NULL || !s->on)
        return false;
    *ret = s->thread;
    return true;
}

void
wn_shadow_free(struct wn_shadow *s)
{
    if (s == NULL)
        return;
    wn_queue_free(s->queue, offered_free);
    free(s);
}
