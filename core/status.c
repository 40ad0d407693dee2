/*
 * Status names, error texts and assertions. An error text is one line however
 * it came about: libraries hand us messages with line ends in them.
 */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

/* Line ends and other controls become spaces; none stay at the end. */
static void
one_line(char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            s[i] = ' ';
    }
    while (len > 0 && s[len - 1] == ' ')
        s[--len] = '\0';
}

/* As much of s as goes into `room` bytes with its NUL. */
static void
append(char *to, size_t room, const char *s)
{
    size_t len = strnlen(s, room - 1);

    memcpy(to, s, len);
    to[len] = '\0';
}

/* A text that filled its room may end inside a UTF-8 character: drop it. */
static void
whole_characters(char *s, size_t room)
{
    size_t len = strlen(s), i = len;

    if (len + 1 < room)
        return;
    while (i > 0 && ((unsigned char)s[i - 1] & 0xc0) == 0x80)
        i--;
    if (i > 0 && (unsigned char)s[i - 1] >= 0xc0)
        s[i - 1] = '\0';
}

enum wn_status
wn_fail(struct wn_err *err, enum wn_status status, const char *fmt, ...)
{
    struct wn_err text; /* the arguments may point into *err */
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text.text, sizeof(text.text), fmt, ap);
    va_end(ap);
    whole_characters(text.text, sizeof(text.text));
    one_line(text.text);
    *err = text;
    WN_ASSERT(status != WN_OK);
    return status;
}

enum wn_status
wn_fail_in(struct wn_err *err, enum wn_status status, const char *fmt, ...)
{
    struct wn_err text;
    size_t len;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text.text, sizeof(text.text), fmt, ap);
    va_end(ap);
    len = strlen(text.text);
    append(text.text + len, sizeof(text.text) - len, ": ");
    len = strlen(text.text);
    append(text.text + len, sizeof(text.text) - len, err->text);
    whole_characters(text.text, sizeof(text.text));
    one_line(text.text);
    *err = text;
    WN_ASSERT(status != WN_OK);
    return status;
}

const char *
wn_status_name(enum wn_status status)
{
    static const char *const names[] = {
        [WN_OK] = "ok",
        [WN_REJECT] = "reject",
        [WN_RETRY] = "retry",
        [WN_FULL] = "full",
        [WN_FENCED] = "fenced",
        [WN_STOP] = "stop",
    };

    if ((size_t)status >= sizeof(names) / sizeof(names[0]))
        return "unknown";
    return names[status];
}

noreturn void
wn_assert_failed(const char *cond, const char *file, int line)
{
    char quoted[256];

    wn_log(WN_LOG_ERROR, "assert.failed", "at=%s:%d cond=%s", file, line,
        wn_log_quote(cond, quoted, sizeof(quoted)));
    abort();
}
