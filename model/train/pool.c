#include "model/train/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cblas.h>

struct worker {
    struct wn_pool *pool;
    pthread_t thread;
    size_t number;
};

struct wn_pool {
    size_t threads, started;
    struct worker worker[WN_POOL_THREADS_MAX];
    /* The call at hand; written by the caller under the lock. */
    wn_pool_fn *fn;
    void *arg;
    size_t n;
    atomic_size_t next;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t begun, done;
    size_t call, busy;
    bool ended;
};

static void
take_tasks(struct wn_pool *p, size_t thread)
{
    size_t task;

    while ((task = atomic_fetch_add(&p->next, 1)) < p->n)
        p->fn(p->arg, task, thread);
}

static void *
work(void *arg)
{
    struct worker *w = arg;
    struct wn_pool *p = w->pool;
    size_t seen = 0;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->call == seen && !p->ended)
            pthread_cond_wait(&p->begun, &p->lock);
        if (p->ended)
            break;
        seen = p->call;
        pthread_mutex_unlock(&p->lock);
        take_tasks(p, w->number);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0)
            pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

enum wn_status
wn_pool_new(struct wn_pool **ret, size_t threads, struct wn_err *err)
{
    struct wn_pool *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return wn_fail(err, WN_STOP, "threads: out of memory");
    openblas_set_num_threads(1); /* the pool's threads are all there are */
    WN_ASSERT(threads >= 1);
    WN_ASSERT(threads <= WN_POOL_THREADS_MAX);
    p->threads = threads;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->begun, NULL);
    pthread_cond_init(&p->done, NULL);
    for (size_t i = 1; i < threads; i++) {
        struct worker *w = &p->worker[i];

        *w = (struct worker){ .pool = p, .number = i };
        if (pthread_create(&w->thread, NULL, work, w) != 0) {
            wn_pool_free(p);
            return wn_fail(err, WN_STOP, "threads: %zu cannot be had", threads);
        }
        p->started = i;
    }
    *ret = p;
    return WN_OK;
}

void
wn_pool_free(struct wn_pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    pthread_cond_broadcast(&p->begun);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 1; i <= p->started; i++)
        pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->begun);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

size_t
wn_pool_threads(const struct wn_pool *p)
{
    return p->threads;
}

void
wn_pool_run(struct wn_pool *p, size_t n, wn_pool_fn *fn, void *arg)
{
    pthread_mutex_lock(&p->lock);
    p->fn = fn;
    p->arg = arg;
    p->n = n;
    atomic_store(&p->next, 0);
    p->call++;
    p->busy = p->threads - 1;
    pthread_cond_broadcast(&p->begun);
    pthread_mutex_unlock(&p->lock);
    take_tasks(p, 0);
    pthread_mutex_lock(&p->lock);
    while (p->busy > 0)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}
