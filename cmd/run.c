/*
 * winnow run: the worker. Wires options, weights, policy, health and HTTP to
 * ingest's service and turns its end into an exit status.
 *
 * Everything that can be wrong with the configuration is found before the
 * first connection is made, so that exit 78 means that nothing was touched.
 */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/lists.h"
#include "cmd/tools.h"
#include "console/http.h"
#include "core/log.h"
#include "ingest/flow.h"
#include "ingest/service.h"

static const char usage[] =
    "Usage: winnow run [--progress] [OPTIONS]\n"
    "       winnow run --print-flow\n"
    "\n"
    "Reads posts from Kafka or JSON Lines, judges each, and commits verdict,\n"
    "audit row and cursor in one transaction, until SIGTERM (it then ends\n"
    "within 10 s) or, for a file without ingest.follow, until all of it is\n"
    "committed. A second signal ends it at once; nothing is lost by that.\n"
    "SIGHUP reads model.dir, model.shadow and model.shadow_share again; the\n"
    "weights that `winnow model activate` names are taken without it.\n"
    "\n"
    "  --progress    a line on standard error: posts, posts/s, lag (also\n"
    "                without asking, when standard error is a terminal)\n"
    "  --no-progress never\n"
    "  --print-flow  the states of one post and every move between them\n";

#define LISTS_MS 1000 /* between two looks for lists that changed */

static atomic_bool stop, reload_asked;

static void
on_stop(int sig)
{
    if (stop)
        _exit(128 + sig);
    stop = true;
}

static void
on_reload(int sig)
{
    reload_asked = true;
}

static void
catch_signals(void)
{
    struct sigaction sa = { .sa_handler = on_stop };

    sigemptyset(&sa.sa_mask);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    sa.sa_handler = on_reload;
    sigaction(SIGHUP, &sa, NULL);
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);
}

/*
 * Posts are other people's words: none of them may end in a core file. A limit
 * of 0 does not hold where cores are piped to a program, an empty filter does.
 */
static void
keep_memory_private(void)
{
    const struct rlimit none = { 0, 0 };
    FILE *f = fopen("/proc/self/coredump_filter", "we");

    setrlimit(RLIMIT_CORE, &none);
    if (f != NULL) {
        fputs("0", f);
        fclose(f);
    }
}

/* --- progress --- */

struct progress {
    bool wanted, terminal;
    int64_t started_us, printed_us;
    uint64_t committed;
    uint64_t last_committed;
};

static void
print_progress(struct progress *p, int64_t now, int64_t lag)
{
    double window = (double)(now - p->printed_us) / 1e6;
    double rate =
        window > 0 ? (double)(p->committed - p->last_committed) / window : 0;

    fprintf(stderr, "%s%llu posts done, %.0f posts/s",
        p->terminal ? "\r\033[K" : "", (unsigned long long)p->committed, rate);
    if (lag >= 0)
        fprintf(stderr, ", lag %lld", (long long)lag);
    if (!p->terminal)
        fputc('\n', stderr);
    fflush(stderr);
    p->printed_us = now;
    p->last_committed = p->committed;
}

/* About every 200 ms: a terminal gets every second call or so, a file a line
 * every two seconds. */
static void
on_progress(void *arg, uint64_t committed, int64_t lag)
{
    struct progress *p = arg;
    int64_t now = wn_clock_mono_us();

    if (p->terminal && isatty(STDERR_FILENO) != 1)
        stop = true; /* the terminal has gone, and sent SIGHUP itself */
    p->committed = committed;
    if (p->wanted && now - p->printed_us >= (p->terminal ? 500000 : 2000000))
        print_progress(p, now, lag);
}

static void
end_progress(const struct progress *p)
{
    double seconds = (double)(wn_clock_mono_us() - p->started_us) / 1e6;

    if (p->wanted)
        fprintf(stderr, "%s%llu new posts done in %.1f s, %.0f posts/s\n",
            p->terminal ? "\r\033[K" : "", (unsigned long long)p->committed,
            seconds, seconds > 0 ? (double)p->committed / seconds : 0);
}

static void
init_progress(struct progress *p, bool asked, bool refused)
{
    memset(p, 0, sizeof(*p));
    p->terminal = isatty(STDERR_FILENO) == 1;
    p->wanted = (asked || p->terminal) && !refused;
    p->started_us = p->printed_us = wn_clock_mono_us();
}

/* --- the parts of a worker --- */

struct worker {
    struct wn_options *options;
    struct wn_classifier *classifier, *shadow; /* until the service has them */
    /* To read the options again; the service's thread uses them alone. */
    int argc;
    char **argv;
    struct wn_options *fresh;
    struct wn_policy *policy;
    struct wn_lists *lists;
    struct wn_list_feed feed; /* of `lists`, where they are in the database */
    struct wn_health *health;
    struct wn_http *http;
};

static void
release(struct worker *w)
{
    wn_http_free(w->http);
    if (w->lists != NULL)
        wn_lists_end_watch(w->lists); /* which uses feed and health */
    wn_list_feed_release(&w->feed);
    wn_policy_free(w->policy);
    wn_lists_free(w->lists);
    wn_health_free(w->health);
    wn_classifier_free(w->classifier);
    wn_classifier_free(w->shadow);
    wn_options_free(w->fresh);
    wn_options_free(w->options);
    free(w->argv);
}

/* --- weights --- */

static const char *const own_flags[] = { "--progress", "--no-progress",
    "--print-flow", NULL };

static enum wn_status
open_shadow(
    struct wn_classifier **ret, const struct wn_options *o, struct wn_err *err)
{
    const char *dir = wn_opt_str(o, WN_OPT_MODEL_SHADOW);
    enum wn_status rc;

    *ret = NULL;
    if (dir[0] == '\0')
        return WN_OK;
    rc = wn_cmd_classifier(ret, dir, o, err);
    return rc == WN_OK ? rc
                       : wn_fail_in(err, rc, "model.shadow (%s)",
                             wn_opt_where(o, WN_OPT_MODEL_SHADOW));
}

static double
shadow_share(const struct wn_options *o)
{
    return (double)wn_opt_int(o, WN_OPT_MODEL_SHARE) / 100;
}

/* As struct wn_service_conf has it. */
static enum wn_status
open_model(void *arg, const char *dir, bool shadow, struct wn_classifier **ret,
    struct wn_err *err)
{
    const struct worker *w = arg;
    const struct wn_options *o = w->fresh != NULL ? w->fresh : w->options;

    return shadow ? open_shadow(ret, o, err)
                  : wn_cmd_classifier(ret, dir, o, err);
}

/* The command line as it was: reading options takes it apart. */
static bool
keep_arguments(struct worker *w, int argc, char **argv)
{
    w->argv = calloc((size_t)argc + 1, sizeof(*w->argv));
    if (w->argv == NULL)
        return false;
    memcpy(w->argv, argv, (size_t)argc * sizeof(*argv));
    w->argc = argc;
    return true;
}

/* The same file, environment and flags; nothing is taken of bad ones. */
static enum wn_status
reload(void *arg, double *ret_share, struct wn_err *err)
{
    struct worker *w = arg;
    char **argv = calloc((size_t)w->argc + 1, sizeof(*argv));
    struct wn_options *o = wn_options_new();
    int argc = w->argc;
    enum wn_status rc = WN_STOP;

    if (argv == NULL || o == NULL) {
        wn_fail(err, WN_STOP, "options: out of memory");
        goto out;
    }
    memcpy(argv, w->argv, (size_t)argc * sizeof(*argv));
    rc = wn_options_load(o, &argc, argv, own_flags, environ, err);
    if (rc != WN_OK)
        goto out;
    *ret_share = shadow_share(o);
    wn_options_free(w->fresh);
    w->fresh = o;
    o = NULL;
out:
    wn_options_free(o);
    free(argv);
    return rc;
}

/* Touches nothing but files that it reads. 0, or 78 and printed. */
static int
load(struct worker *w)
{
    struct wn_err err = { "" };

    if (wn_cmd_database(w->options, "run") == NULL)
        return WN_EX_CONFIG;
    if (wn_http_check(wn_opt_str(w->options, WN_OPT_HTTP_LISTEN), &err) !=
        WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "run", "%s: %s",
            wn_opt_where(w->options, WN_OPT_HTTP_LISTEN), err.text);
    if (wn_service_check(w->options, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "run", "%s", err.text);
    if (wn_cmd_policy_open(&w->policy, w->options, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "run", "%s", err.text);
    if (wn_cmd_lists_open(&w->lists, w->options, &err) != WN_OK ||
        (!wn_cmd_lists_stored(w->options) &&
            wn_policy_use_lists(w->policy, w->lists, &err) != WN_OK))
        return wn_cmd_fail(WN_EX_CONFIG, "run", "%s", err.text);
    if (wn_cmd_classifier(&w->classifier, NULL, w->options, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "run", "%s", err.text);
    if (open_shadow(&w->shadow, w->options, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "run", "%s", err.text);
    return 0;
}

/* After a change, by the thread that watches. */
static void
tell_lists(void *arg, struct wn_lists *ls, const struct wn_err *err)
{
    struct worker *w = arg;
    struct wn_buf text;
    char quoted[1024];

    if (err != NULL) {
        wn_log(WN_LOG_WARN, "lists.bad", "cause=%s",
            wn_log_quote(err->text, quoted, sizeof(quoted)));
        return;
    }
    wn_buf_init(&text, 1u << 16);
    wn_lists_describe(ls, &text);
    if (!text.failed) {
        wn_log(WN_LOG_INFO, "lists.live", "lists=%s",
            wn_log_quote(text.data, quoted, sizeof(quoted)));
        wn_health_info(w->health, "lists", text.data);
    }
    wn_buf_release(&text);
}

static enum wn_status
poll_database(
    void *arg, struct wn_lists *ls, bool *ret_changed, struct wn_err *err)
{
    struct worker *w = arg;

    return wn_list_feed_poll(&w->feed, ls, ret_changed, err);
}

/* The lists of the database before the first post, however long it is away.
 * 0, or the exit status. */
static int
read_database(struct worker *w)
{
    struct timespec pause = { 0, 200000000 };
    struct wn_err err = { "" };
    enum wn_status rc;
    bool changed;

    while ((rc = wn_list_feed_poll(&w->feed, w->lists, &changed, &err)) ==
               WN_RETRY &&
           !atomic_load(&stop)) {
        wn_health_set(w->health, "lists", false, err.text);
        wn_health_tick(w->health);
        nanosleep(&pause, NULL);
    }
    /* the thread that polls from now on has a connection of its own */
    wn_list_feed_release(&w->feed);
    if (rc == WN_RETRY)
        return 0; /* stopped */
    if (rc == WN_OK)
        rc = wn_policy_use_lists(w->policy, w->lists, &err);
    if (rc != WN_OK)
        return wn_cmd_fail(
            rc == WN_REJECT ? WN_EX_CONFIG : 1, "run", "%s", err.text);
    wn_health_set(w->health, "lists", true, NULL);
    return 0;
}

/* 0, or the exit status. */
static int
watch_lists(struct worker *w)
{
    bool stored = wn_cmd_lists_stored(w->options);
    struct wn_lists_watch watch = { LISTS_MS, stored ? poll_database : NULL,
        tell_lists, w };
    struct wn_err err = { "" };
    int rc;

    if (wn_opt_str(w->options, WN_OPT_POLICY_LISTS)[0] == '\0')
        return 0;
    w->feed.conninfo = wn_opt_str(w->options, WN_OPT_DATABASE_URL);
    w->feed.stop = &stop;
    rc = stored ? read_database(w) : 0;
    if (rc != 0)
        return rc;
    tell_lists(w, w->lists, NULL);
    if (wn_lists_watch(w->lists, &watch, &err) != WN_OK)
        return wn_cmd_fail(1, "run", "%s", err.text);
    return 0;
}

static void
tell_versions(struct worker *w)
{
    char n[16];

    wn_health_info(w->health, "winnow", WINNOW_VERSION);
    wn_health_info(w->health, "model", wn_classifier_version(w->classifier));
    wn_health_info(w->health, "kernels", wn_classifier_kernels(w->classifier));
    wn_health_info(w->health, "policy", wn_policy_version(w->policy));
    snprintf(n, sizeof(n), "%d", WN_TEXT_VERSION);
    wn_health_info(w->health, "text", n);
    snprintf(n, sizeof(n), "%d", wn_schema_version());
    wn_health_info(w->health, "schema", n);
}

static int
open_doors(struct worker *w)
{
    const char *listen = wn_opt_str(w->options, WN_OPT_HTTP_LISTEN);
    struct wn_err err = { "" };

    w->health = wn_health_new();
    if (w->health == NULL)
        return wn_cmd_fail(1, "run", "out of memory");
    tell_versions(w);
    wn_health_tick(w->health);
    if (wn_http_open(&w->http, listen, w->health, &err) != WN_OK)
        return wn_cmd_fail(1, "run", "%s", err.text);
    if (w->http != NULL)
        wn_log(WN_LOG_INFO, "http.listen", "address=%s port=%u", listen,
            wn_http_port(w->http));
    return 0;
}

/* Also without --progress: who feeds us another format has to hear of it. */
static void
tell_dead(const struct wn_service_end *e)
{
    if (e->dead > 0)
        fprintf(stderr,
            "%llu of %llu records became dead letters; the first: %s "
            "(winnow status counts them by cause)\n",
            (unsigned long long)e->dead, (unsigned long long)e->records,
            e->first_dead);
}

static int
serve(struct worker *w, struct progress *p)
{
    struct wn_service_conf conf = { 0 };
    struct wn_service_end ended = { 0 };
    struct wn_err err = { "" };
    enum wn_status rc;

    conf.options = w->options;
    conf.classifier = w->classifier;
    conf.shadow = w->shadow;
    conf.shadow_share = shadow_share(w->options);
    w->classifier = w->shadow = NULL; /* the service's from here on */
    conf.open_model = open_model;
    conf.reload = reload;
    conf.model_arg = w;
    conf.reload_asked = &reload_asked;
    conf.policy = w->policy;
    conf.health = w->health;
    conf.stop = &stop;
    conf.progress = on_progress;
    conf.progress_arg = p;
    conf.ret_end = &ended;
    rc = wn_service_run(&conf, &err);
    end_progress(p);
    tell_dead(&ended);
    if (rc != WN_OK)
        return wn_cmd_fail(1, "run", "%s", err.text);
    return 0;
}

static int
print_flow(void)
{
    struct wn_buf out;

    wn_buf_init(&out, 1u << 20);
    wn_flow_print(&out);
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
    return 0;
}

int
wn_cmd_run(int argc, char **argv)
{
    static const char *const prefixes[] = { "ingest.", "score.", "model.",
        "kernels.", "policy.", "database.", "store.", "output.", "http.",
        "log.", NULL };
    struct worker w = { 0 };
    struct progress p;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    if (!keep_arguments(&w, argc, argv))
        return wn_cmd_fail(1, "run", "out of memory");
    w.options = wn_cmd_options(&argc, argv, own_flags);
    if (w.options == NULL) {
        rc = WN_EX_CONFIG;
        goto out;
    }
    if (wn_cmd_take_switch(&argc, argv, "--print-flow")) {
        rc = print_flow();
        goto out;
    }
    init_progress(&p, wn_cmd_take_switch(&argc, argv, "--progress"),
        wn_cmd_take_switch(&argc, argv, "--no-progress"));
    if (argc > 1) {
        rc = wn_cmd_usage("run", "what is '%s' for?", argv[1]);
        goto out;
    }
    keep_memory_private();
    catch_signals();
    rc = load(&w);
    if (rc == 0)
        rc = open_doors(&w);
    if (rc == 0)
        rc = watch_lists(&w);
    if (rc == 0)
        rc = serve(&w, &p);
out:
    release(&w);
    return rc;
}
