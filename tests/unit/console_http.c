/* The HTTP door of a worker, over real sockets on a free port. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "console/http.h"
#include "core/metrics.h"
#include "tests/lib/test.h"

struct door {
    struct wn_health *health;
    struct wn_http *http;
};

static int
open_door(void **state)
{
    struct door *d = calloc(1, sizeof(*d));
    struct wn_err err = { "" };

    d->health = wn_health_new();
    wn_health_tick(d->health);
    if (wn_http_open(&d->http, "127.0.0.1:0", d->health, &err) != WN_OK)
        fail_msg("%s", err.text);
    *state = d;
    return 0;
}

static int
close_door(void **state)
{
    struct door *d = *state;

    wn_http_free(d->http);
    wn_health_free(d->health);
    free(d);
    return 0;
}

static int
dial(const struct door *d)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)wn_http_port(d->http)) };
    struct timeval limit = { .tv_sec = 20 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

/* Sends the bytes, reads until the server closes. The caller frees. */
static char *
talk(const struct door *d, const char *bytes, size_t len)
{
    size_t cap = 1u << 20, n = 0;
    char *out = malloc(cap);
    int fd = dial(d);
    ssize_t r;

    assert_true(send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
    while (n < cap - 1 && (r = recv(fd, out + n, cap - 1 - n, 0)) > 0)
        n += (size_t)r;
    out[n] = '\0';
    close(fd);
    return out;
}

static char *
ask(const struct door *d, const char *method, const char *path)
{
    char req[512];
    int n = snprintf(req, sizeof(req),
        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        method, path);

    return talk(d, req, (size_t)n);
}

static int
status_of(const char *answer)
{
    int status = 0;

    if (sscanf(answer, "HTTP/1.1 %d", &status) != 1)
        fail_msg("no HTTP answer: '%.80s'", answer);
    return status;
}

static const char *
body_of(const char *answer)
{
    const char *p = strstr(answer, "\r\n\r\n");

    assert_non_null(p);
    return p + 4;
}

static void
metrics_are_the_text_exposition(void **state)
{
    char *a;

    wn_metric_add(WN_M_FENCED, 0, 3);
    a = ask(*state, "GET", "/metrics");
    assert_int_equal(status_of(a), 200);
    assert_non_null(strstr(a, "Content-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(a, "\nwinnow_fenced_commits_total 3\n"));
    assert_non_null(strstr(a, "\nwinnow_rss_bytes "));
    assert_null(strstr(a, "\nwinnow_rss_bytes 0\n"));
    free(a);
}

static void
healthz_says_alive_while_ticks_come(void **state)
{
    struct door *d = *state;
    char *a = ask(d, "GET", "/healthz");

    assert_int_equal(status_of(a), 200);
    assert_string_equal(body_of(a), "{\"alive\":true}\n");
    free(a);
}

/* Nobody ticks here: within the 5 s that core/health.h states it shows. */
static void
healthz_is_503_once_ticks_stop(void **state)
{
    int status = 200;

    for (int i = 0; i < 100 && status == 200; i++) {
        char *a = ask(*state, "GET", "/healthz");

        status = status_of(a);
        if (status == 503)
            assert_string_equal(body_of(a), "{\"alive\":false}\n");
        free(a);
        if (status == 200)
            usleep(100000);
    }
    assert_int_equal(status, 503);
}

static void
readyz_names_each_cause_until_all_is_well(void **state)
{
    struct door *d = *state;
    char *a;

    wn_health_set(d->health, "kafka", false, "topic \"posts\" is missing");
    wn_health_set(d->health, "database", true, NULL);
    a = ask(d, "GET", "/readyz");
    assert_int_equal(status_of(a), 503);
    assert_string_equal(body_of(a), "{\"ready\":false,\"causes\":{\"kafka\":"
                                    "\"topic \\\"posts\\\" is missing\"}}\n");
    free(a);

    wn_health_set(d->health, "kafka", true, NULL);
    a = ask(d, "GET", "/readyz");
    assert_int_equal(status_of(a), 200);
    assert_string_equal(body_of(a), "{\"ready\":true,\"causes\":{}}\n");
    free(a);
}

static void
readyz_is_503_before_anything_reported(void **state)
{
    char *a = ask(*state, "GET", "/readyz");

    assert_int_equal(status_of(a), 503);
    free(a);
}

static void
status_shows_conditions_and_facts(void **state)
{
    struct door *d = *state;
    char *a;

    wn_health_set(d->health, "database", false, "connection refused");
    wn_health_info(d->health, "policy", "default/7@0123456789abcdef");
    a = ask(d, "GET", "/status?pretty=1");
    assert_int_equal(status_of(a), 200);
    assert_non_null(strstr(a, "Content-Type: application/json"));
    assert_non_null(strstr(body_of(a), "default/7@0123456789abcdef"));
    assert_non_null(strstr(body_of(a), "connection refused"));
    free(a);
}

static void
head_has_the_headers_and_no_body(void **state)
{
    char *a = ask(*state, "HEAD", "/status");

    assert_int_equal(status_of(a), 200);
    assert_non_null(strstr(a, "Content-Length: "));
    assert_null(strstr(a, "Content-Length: 0\r\n"));
    assert_string_equal(body_of(a), "");
    free(a);
}

static void
an_unknown_path_is_a_json_404(void **state)
{
    char *a = ask(*state, "GET", "/metrics/../etc/passwd");

    assert_int_equal(status_of(a), 404);
    assert_non_null(strstr(body_of(a), "{\"error\":{\"status\":404,"));
    free(a);
}

static void
another_method_is_a_json_405_that_names_the_right_ones(void **state)
{
    char *a = ask(*state, "DELETE", "/status");

    assert_int_equal(status_of(a), 405);
    assert_non_null(strstr(a, "Allow: GET, HEAD"));
    assert_non_null(strstr(body_of(a), "{\"error\":{\"status\":405,"));
    free(a);
}

static void
a_body_is_refused_before_it_is_read(void **state)
{
    static const char req[] = "POST /status HTTP/1.1\r\nHost: x\r\n"
                              "Content-Length: 99999999999\r\n\r\n";
    char *a = talk(*state, req, sizeof(req) - 1);

    assert_int_equal(status_of(a), 413);
    assert_non_null(strstr(body_of(a), "{\"error\":{\"status\":413,"));
    free(a);
}

static void
headers_beyond_the_bound_are_an_error_not_memory(void **state)
{
    size_t len = 64 * 1024;
    char *req = malloc(len + 8), *a;
    int n = snprintf(req, len, "GET /status HTTP/1.1\r\nHost: x\r\nX-Long: ");

    memset(req + n, 'a', len - (size_t)n);
    memcpy(req + len, "\r\n\r\n", 4);
    a = talk(*state, req, len + 4);
    /* A peer that still sends may see the connection reset instead. */
    if (a[0] != '\0')
        assert_true(status_of(a) >= 400 && status_of(a) < 500);
    free(a);
    a = ask(*state, "GET", "/status");
    assert_int_equal(status_of(a), 200);
    free(a);
    free(req);
}

static void
garbage_harms_nobody(void **state)
{
    uint64_t seed = wn_test_seed();
    char junk[300], *a;

    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(junk); i++)
            junk[i] = (char)wn_test_random(&seed);
        memcpy(junk + sizeof(junk) - 4, "\r\n\r\n", 4);
        int fd = dial(*state);
        assert_true(send(fd, junk, sizeof(junk), MSG_NOSIGNAL) > 0);
        close(fd);
    }
    a = ask(*state, "GET", "/healthz");
    assert_int_equal(status_of(a), 200);
    free(a);
}

static void
connections_have_a_limit_and_come_back(void **state)
{
    int fd[WN_HTTP_CONNECTIONS_MAX + 16];
    size_t n = sizeof(fd) / sizeof(fd[0]);
    char *a;

    for (size_t i = 0; i < n; i++)
        fd[i] = dial(*state);
    for (size_t i = 0; i < n; i++)
        close(fd[i]);
    /* it takes a moment to notice */
    a = ask(*state, "GET", "/healthz");
    for (int i = 0; i < 500 && strncmp(a, "HTTP/1.1 200", 12) != 0; i++) {
        free(a);
        usleep(10000);
        a = ask(*state, "GET", "/healthz");
    }
    assert_int_equal(status_of(a), 200);
    free(a);
}

static void
answers_are_counted_by_status(void **state)
{
    double before = wn_metric_value(WN_M_HTTP_REQUESTS, 4);

    free(ask(*state, "GET", "/nothing"));
    assert_true(wn_metric_value(WN_M_HTTP_REQUESTS, 4) == before + 1);
}

static void
listen_addresses_are_checked_without_opening(void **state)
{
    static const char *const good[] = { "127.0.0.1:9464", "0.0.0.0:0",
        "[::1]:65535", "off" };
    static const char *const bad[] = { "", "9464", ":9464", "127.0.0.1",
        "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:9x",
        "::1:9464", "[]:9464", "some.host.example:80", "Off",
        "127.0.0.1:99999999999" };
    struct wn_err err;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_wn_ok(wn_http_check(good[i], &err), &err);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (wn_http_check(bad[i], &err) != WN_REJECT)
            fail_msg("'%s' was taken", bad[i]);
        assert_non_null(strstr(err.text, "http.listen"));
    }
}

static void
off_opens_nothing(void **state)
{
    struct wn_http *h = (struct wn_http *)&h;
    struct wn_err err;

    assert_wn_ok(wn_http_open(&h, "off", NULL, &err), &err);
    assert_null(h);
}

static void
a_port_in_use_is_a_clear_error(void **state)
{
    struct door *d = *state;
    struct wn_http *other = NULL;
    struct wn_err err;
    char listen_on[64];

    snprintf(
        listen_on, sizeof(listen_on), "127.0.0.1:%u", wn_http_port(d->http));
    assert_int_equal(wn_http_open(&other, listen_on, d->health, &err), WN_STOP);
    assert_null(other);
    assert_non_null(strstr(err.text, listen_on));
    assert_non_null(strstr(err.text, "in use"));
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_door, close_door)
    const struct CMUnitTest tests[] = {
        CASE(metrics_are_the_text_exposition),
        CASE(healthz_says_alive_while_ticks_come),
        CASE(healthz_is_503_once_ticks_stop),
        CASE(readyz_names_each_cause_until_all_is_well),
        CASE(readyz_is_503_before_anything_reported),
        CASE(status_shows_conditions_and_facts),
        CASE(head_has_the_headers_and_no_body),
        CASE(an_unknown_path_is_a_json_404),
        CASE(another_method_is_a_json_405_that_names_the_right_ones),
        CASE(a_body_is_refused_before_it_is_read),
        CASE(headers_beyond_the_bound_are_an_error_not_memory),
        CASE(garbage_harms_nobody),
        CASE(connections_have_a_limit_and_come_back),
        CASE(answers_are_counted_by_status),
        CASE(listen_addresses_are_checked_without_opening),
        CASE(off_opens_nothing),
        CASE(a_port_in_use_is_a_clear_error),
    };

    return wn_test_run(
        "console_http", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
