/*
 * Threads that share out the tasks of one call after another. Which thread
 * runs a task is left to chance; so a task's result may depend on its number
 * and never on the thread's, and then no number of threads changes a bit.
 */
#ifndef WN_MODEL_TRAIN_POOL_H
#define WN_MODEL_TRAIN_POOL_H

#include <stddef.h>

#include "core/status.h"

struct wn_pool;

#define WN_POOL_THREADS_MAX 64

/* The caller is one of `threads`. WN_STOP: a thread could not be started. */
enum wn_status wn_pool_new(
    struct wn_pool **ret, size_t threads, struct wn_err *err);
void wn_pool_free(struct wn_pool *p); /* accepts NULL */
size_t wn_pool_threads(const struct wn_pool *p);

/* fn(arg, task, thread) for each task < n, thread < wn_pool_threads(); returns
 * when all are done. One caller at a time. */
typedef void wn_pool_fn(void *arg, size_t task, size_t thread);
void wn_pool_run(struct wn_pool *p, size_t n, wn_pool_fn *fn, void *arg);

#endif
