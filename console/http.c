/*
 * The routes are one table; answer() is the only place that looks at a method
 * or a path. Runs on libmicrohttpd's own thread: nothing here blocks, and all
 * that a request can make us hold is bounded (connections, header bytes, idle
 * time; a body is refused before it is read).
 */
#include "console/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>
#include <microhttpd.h>

#include "core/log.h"
#include "core/metrics.h"

#define BODY_BYTES_MAX (1u << 20)

struct wn_http {
    struct MHD_Daemon *daemon;
    struct wn_health *health;
    unsigned port;
};

struct address {
    bool off;
    struct sockaddr_storage sa;
    socklen_t len;
};

/* --- http.listen --- */

/* Splits "host:port" or "[v6]:port" into two buffers. */
static bool
split_listen(const char *s, char *host, size_t host_bytes, const char **port)
{
    const char *colon = strrchr(s, ':');
    size_t len;

    if (colon == NULL || colon == s)
        return false;
    len = (size_t)(colon - s);
    *port = colon + 1;
    if (s[0] == '[') {
        if (len < 3 || s[len - 1] != ']')
            return false;
        s++;
        len -= 2;
    } else if (memchr(s, ':', len) != NULL) {
        return false; /* a bare IPv6 address: where would its port begin? */
    }
    if (len >= host_bytes)
        return false;
    memcpy(host, s, len);
    host[len] = '\0';
    return true;
}

static bool
good_port(const char *s)
{
    size_t len = strlen(s);

    return len >= 1 && len <= 5 && strspn(s, "0123456789") == len &&
           strtoul(s, NULL, 10) <= 65535;
}

static enum wn_status
parse_listen(const char *listen, struct address *ret, struct wn_err *err)
{
    char host[INET6_ADDRSTRLEN + 32];
    const char *port;
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM };
    struct addrinfo *ai = NULL;

    memset(ret, 0, sizeof(*ret));
    if (strcmp(listen, "off") == 0) {
        ret->off = true;
        return WN_OK;
    }
    if (!split_listen(listen, host, sizeof(host), &port))
        return wn_fail(err, WN_REJECT,
            "http.listen: '%s' is not address:port, [v6]:port or off", listen);
    if (!good_port(port))
        return wn_fail(
            err, WN_REJECT, "http.listen: '%s' is no port (0 to 65535)", port);
    if (getaddrinfo(host, port, &hints, &ai) != 0 || ai == NULL)
        return wn_fail(err, WN_REJECT,
            "http.listen: '%s' is no numeric address, such as 127.0.0.1", host);
    memcpy(&ret->sa, ai->ai_addr, ai->ai_addrlen);
    ret->len = ai->ai_addrlen;
    freeaddrinfo(ai);
    return WN_OK;
}

enum wn_status
wn_http_check(const char *listen, struct wn_err *err)
{
    struct address addr;

    return parse_listen(listen, &addr, err);
}

/* --- what the routes answer: fill `out`, return the status --- */

static unsigned
show_metrics(struct wn_http *h, struct wn_buf *out)
{
    wn_metrics_text(out);
    wn_health_info_text(h->health, out);
    return MHD_HTTP_OK;
}

static unsigned
show_alive(struct wn_http *h, struct wn_buf *out)
{
    bool alive = wn_health_alive(h->health);

    wn_buf_printf(out, "{\"alive\":%s}\n", alive ? "true" : "false");
    return alive ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

/* {NAME: cause} of the conditions that are not ok; NULL without memory. */
static json_t *
bad_conditions(const json_t *all)
{
    json_t *causes = json_object(), *cond;
    const char *name;

    json_object_foreach(json_object_get(all, "conditions"), name, cond)
    {
        json_t *cause = json_object_get(cond, "cause");

        if (json_is_true(json_object_get(cond, "ok")))
            continue;
        json_object_set_new(causes, name,
            json_is_string(cause) ? json_incref(cause) : json_string(""));
    }
    return causes;
}

/*
 * The causes are read from the same JSON that /status shows, so the two pages
 * cannot tell different stories.
 */
static unsigned
show_ready(struct wn_http *h, struct wn_buf *out)
{
    struct wn_buf text;
    json_t *all, *answer;
    char *dump = NULL;
    bool ready = false;

    wn_buf_init(&text, BODY_BYTES_MAX);
    wn_health_json(h->health, &text);
    all = json_loadb(text.data != NULL ? text.data : "", text.len, 0, NULL);
    ready = json_is_true(json_object_get(all, "ready"));
    answer =
        json_pack("{s:b, s:o}", "ready", ready, "causes", bad_conditions(all));
    if (answer != NULL)
        dump = json_dumps(answer, JSON_COMPACT);
    wn_buf_str(out, dump != NULL ? dump : "{\"ready\":false,\"causes\":{}}");
    wn_buf_char(out, '\n');
    free(dump);
    json_decref(answer);
    json_decref(all);
    wn_buf_release(&text);
    return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned
show_status(struct wn_http *h, struct wn_buf *out)
{
    wn_health_json(h->health, out);
    wn_buf_char(out, '\n');
    return MHD_HTTP_OK;
}

#define JSON_TYPE "application/json"

/* Every page there is. */
static const struct route {
    const char *path;
    const char *type;
    unsigned (*show)(struct wn_http *h, struct wn_buf *out);
} routes[] = {
    { "/metrics", "text/plain; version=0.0.4; charset=utf-8", show_metrics },
    { "/healthz", JSON_TYPE, show_alive },
    { "/readyz", JSON_TYPE, show_ready },
    { "/status", JSON_TYPE, show_status },
};

static const struct route *
find_route(const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

/* --- answers --- */

/* The label values of winnow_http_requests_total, in its order. */
static void
count_answer(unsigned status)
{
    static const unsigned codes[] = { 200, 400, 401, 403, 404, 405, 413, 500,
        503 };

    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i] == status)
            wn_metric_add(WN_M_HTTP_REQUESTS, i, 1);
}

static enum MHD_Result
send_answer(struct MHD_Connection *c, unsigned status, const char *type,
    const struct wn_buf *body)
{
    struct MHD_Response *r;
    enum MHD_Result rc;

    r = MHD_create_response_from_buffer(
        body->len, body->data, MHD_RESPMEM_MUST_COPY);
    if (r == NULL)
        return MHD_NO;
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, "Allow", "GET, HEAD");
    if (status == MHD_HTTP_CONTENT_TOO_LARGE)
        MHD_add_response_header(r, "Connection", "close");
    rc = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    count_answer(status);
    return rc;
}

static enum MHD_Result
send_error(struct MHD_Connection *c, unsigned status, const char *text)
{
    struct wn_buf body;
    enum MHD_Result rc;

    wn_buf_init(&body, 4096);
    wn_buf_printf(&body, "{\"error\":{\"status\":%u,\"message\":", status);
    wn_buf_json(&body, text, strlen(text));
    wn_buf_str(&body, "}}\n");
    rc = send_answer(c, status, JSON_TYPE, &body);
    wn_buf_release(&body);
    return rc;
}

static enum MHD_Result
send_page(struct wn_http *h, struct MHD_Connection *c, const struct route *r)
{
    struct wn_buf body;
    enum MHD_Result rc;
    unsigned status;

    wn_buf_init(&body, BODY_BYTES_MAX);
    status = r->show(h, &body);
    if (body.failed)
        rc = send_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR,
            "the answer is larger than this server's own bound");
    else
        rc = send_answer(c, status, r->type, &body);
    wn_buf_release(&body);
    return rc;
}

static bool
has_body(struct MHD_Connection *c)
{
    const char *len = MHD_lookup_connection_value(
        c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return MHD_lookup_connection_value(
               c, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL ||
           (len != NULL && strcmp(len, "0") != 0);
}

/*
 * libmicrohttpd calls this once when the headers are there and again when the
 * request is complete. Refusals of method and body go out at the first call,
 * before a byte of the body is taken in.
 */
static enum MHD_Result
answer(void *arg, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_bytes, void **seen)
{
    static int mark;
    const struct route *r = find_route(url);

    if (*seen == NULL) {
        *seen = &mark;
        if (has_body(c))
            return send_error(c, MHD_HTTP_CONTENT_TOO_LARGE,
                "no page here takes a request body");
        return MHD_YES;
    }
    if (r == NULL)
        return send_error(c, MHD_HTTP_NOT_FOUND,
            "there is /metrics, /healthz, /readyz and /status");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return send_error(c, MHD_HTTP_METHOD_NOT_ALLOWED, "use GET or HEAD");
    return send_page(arg, c, r);
}

/* --- lifecycle --- */

/* What peers send is no event of ours: only for debugging. */
static void log_library(void *arg, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void
log_library(void *arg, const char *fmt, va_list ap)
{
    char text[256], quoted[600];

    vsnprintf(text, sizeof(text), fmt, ap);
    wn_log(WN_LOG_DEBUG, "http.library", "text=%s",
        wn_log_quote(text, quoted, sizeof(quoted)));
}

/*
 * The socket is made here rather than by libmicrohttpd so that "in use" can be
 * told from its other failures.
 */
static enum wn_status
listen_on(
    const struct address *addr, const char *name, int *ret, struct wn_err *err)
{
    int fd, yes = 1;

    fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return wn_fail(
            err, WN_STOP, "http.listen %s: socket: %s", name, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (const struct sockaddr *)&addr->sa, addr->len) != 0 ||
        listen(fd, WN_HTTP_CONNECTIONS_MAX) != 0) {
        wn_fail(err, WN_STOP,
            "http.listen %s: %s (another address, port 0 or off would do)",
            name, strerror(errno));
        close(fd);
        return WN_STOP;
    }
    *ret = fd;
    return WN_OK;
}

static unsigned
bound_port(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return 0;
    if (sa.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&sa)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&sa)->sin_port);
}

static enum wn_status
start(struct wn_http *h, int fd, struct wn_err *err)
{
    h->daemon = MHD_start_daemon(
        MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, answer,
        h, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)WN_HTTP_CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)WN_HTTP_CONNECTIONS_MAX / 2, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)WN_HTTP_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)WN_HTTP_HEADER_BYTES_MAX, MHD_OPTION_END);
    if (h->daemon == NULL)
        return wn_fail(err, WN_STOP, "http: libmicrohttpd did not start");
    return WN_OK;
}

enum wn_status
wn_http_open(struct wn_http **ret, const char *listen, struct wn_health *health,
    struct wn_err *err)
{
    struct address addr;
    struct wn_http *h = NULL;
    enum wn_status rc;
    int fd = -1;

    rc = parse_listen(listen, &addr, err);
    if (rc != WN_OK || addr.off) {
        if (rc == WN_OK)
            *ret = NULL;
        goto out;
    }
    h = calloc(1, sizeof(*h));
    if (h == NULL) {
        rc = wn_fail(err, WN_STOP, "http: out of memory");
        goto out;
    }
    h->health = health;
    rc = listen_on(&addr, listen, &fd, err);
    if (rc != WN_OK)
        goto out;
    h->port = bound_port(fd);
    rc = start(h, fd, err);
    if (rc != WN_OK)
        goto out;
    fd = -1; /* the daemon's now */
    *ret = h;
    h = NULL;
out:
    if (fd >= 0)
        close(fd);
    wn_http_free(h);
    return rc;
}

void
wn_http_free(struct wn_http *h)
{
    if (h == NULL)
        return;
    if (h->daemon != NULL)
        MHD_stop_daemon(h->daemon);
    free(h);
}

unsigned
wn_http_port(const struct wn_http *h)
{
    return h->port;
}
