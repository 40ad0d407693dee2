/*
 * The HTTP door of a running worker: /metrics, /healthz, /readyz, /status.
 *
 * One thread of libmicrohttpd answers everything; handlers only read what
 * health and metrics give any thread. It answers GET and HEAD, takes no request
 * body, and every error is JSON. Nothing secret is in reach of a handler: it
 * sees health, metrics and nothing else.
 */
#ifndef WN_CONSOLE_HTTP_H
#define WN_CONSOLE_HTTP_H

#include "core/health.h"
#include "core/status.h"

#define WN_HTTP_CONNECTIONS_MAX 64
#define WN_HTTP_HEADER_BYTES_MAX 16384 /* request line and headers */
#define WN_HTTP_IDLE_SECONDS 10

struct wn_http;

/*
 * Whether `listen` (option http.listen) can be understood: "address:port" with
 * a numeric address, "[v6]:port", or "off". Opens nothing.
 * Fails: WN_REJECT with what is wrong.
 */
enum wn_status wn_http_check(const char *listen, struct wn_err *err);

/*
 * Listens and answers from now on. "off" gives OK and *ret NULL.
 *
 * Owns:    the caller frees *ret with wn_http_free(), before `health`.
 * Fails:   WN_REJECT as wn_http_check(); WN_STOP when the address cannot be
 *          had (in use, not ours).
 */
enum wn_status wn_http_open(struct wn_http **ret, const char *listen,
    struct wn_health *health, struct wn_err *err);
/* Waits for answers under way. Accepts NULL. */
void wn_http_free(struct wn_http *h);

/* The port in use: the one that port 0 turned into. */
unsigned wn_http_port(const struct wn_http *h);

#endif
