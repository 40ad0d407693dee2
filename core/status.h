/*
 * What a call came to, and the text that explains it.
 *
 * A status names what the caller does next; struct wn_err says what happened.
 * The place that detects an error fills the text once with wn_fail(); callers
 * above pass status and text on unchanged; the top of a thread logs and acts.
 */
#ifndef WN_CORE_STATUS_H
#define WN_CORE_STATUS_H

#include <stdnoreturn.h>

enum wn_status {
    WN_OK = 0,
    WN_REJECT, /* this input is bad: record why and move on        */
    WN_RETRY,  /* the other side is away: same call again, later   */
    WN_FULL,   /* one of our own bounds was reached: slow down     */
    WN_FENCED, /* another owner has it now: drop the work, let go  */
    WN_STOP,   /* going on could write something false: shut down  */
};

/* The caller's, fixed in size, never NULL: failing cannot fail. */
struct wn_err {
    char text[512]; /* one line, no content of posts, no secrets */
};

/* Fills err->text (cut to fit) and returns status, which is not WN_OK. */
enum wn_status wn_fail(struct wn_err *err, enum wn_status status,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that is there; returns status. */
enum wn_status wn_fail_in(struct wn_err *err, enum wn_status status,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "ok", "reject", "retry", ... for logs. */
const char *wn_status_name(enum wn_status status);

/*
 * For our own mistakes only, one condition at a time, on in production.
 * Bad input, a full disk or a lost connection is never an assertion.
 */
#define WN_ASSERT(cond)                                                        \
    do {                                                                       \
        if (!(cond))                                                           \
            wn_assert_failed(#cond, __FILE__, __LINE__);                       \
    } while (0)

noreturn void wn_assert_failed(const char *cond, const char *file, int line);

#endif
