/*
 * What the process can say of itself: named conditions with a cause.
 *
 * Threads report; HTTP (/healthz, /readyz, /status) and `winnow status` read.
 * A change of state is logged here, once, so nobody else needs to. Any thread.
 */
#ifndef WN_CORE_HEALTH_H
#define WN_CORE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

#define WN_HEALTH_MAX 32 /* conditions; names are string literals */

struct wn_health;

struct wn_health *wn_health_new(void);
void wn_health_free(struct wn_health *h);

/*
 * Sets condition `name` ("kafka", "database", "partitions", ...). Not ok makes
 * /readyz answer 503 with the cause. Logs `health.change` when ok flips or the
 * cause changes. A condition that is not ok from its first word on is logged
 * as info for 2 s, and as a warning when it holds longer: a start that waits
 * a moment is no alarm. cause may be NULL when ok.
 */
void wn_health_set(
    struct wn_health *h, const char *name, bool ok, const char *cause);

/* A fact for /status: shown, never judged. Value is copied. */
void wn_health_info(struct wn_health *h, const char *name, const char *value);

/* The facts as one Prometheus gauge of value 1 with a label a fact:
 * winnow_info{model="...",policy="..."} 1 */
void wn_health_info_text(struct wn_health *h, struct wn_buf *out);

/* true when every condition set so far is ok and at least one was set. */
bool wn_health_ready(struct wn_health *h);

/* The event loop lives: call it at least every second. Logs what wn_health_set
 * held back. */
void wn_health_tick(struct wn_health *h);
/* A tick in the last 5 s. */
bool wn_health_alive(struct wn_health *h);

/* {"ready":bool,"alive":bool,"conditions":{NAME:{"ok","cause","since"}},
 *  "info":{NAME:VALUE}} */
void wn_health_json(struct wn_health *h, struct wn_buf *out);

#endif
