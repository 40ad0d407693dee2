/*
 * winnow review import: JSON Lines of past decisions. A bad line is named and
 * left out, its neighbours go in; a database that goes away stops the import
 * at a line that is named, and the same file again goes on from there, since
 * every line has a ref that is imported once.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cmd/review_int.h"
#include "cmd/tools.h"
#include "ingest/lines.h"
#include "ingest/repair.h"
#include "storage/review.h"

#define LINE_BYTES_MAX (2u << 20)
#define ERRORS_SHOWN 50
#define REPLACEMENT "\xEF\xBF\xBD"

struct import {
    struct wn_store *st;
    const char *path, *staff;
    struct wn_buf clean; /* the line at hand, repaired      */
    size_t repaired;     /* characters of it that were lost */
    unsigned long line, added, known, bad;
    int64_t told_us;
    bool terminal;
};

/* What the JSON parser says quotes the line. */
static void
bad_line(struct import *im, const char *why)
{
    struct wn_buf plain;

    if (im->bad++ >= ERRORS_SHOWN)
        return;
    wn_buf_init(&plain, 4096);
    wn_cmd_plain(&plain, (struct wn_str){ why, strlen(why) }, 500);
    fprintf(stderr, "%s:%lu: %.*s\n", im->path, im->line, (int)plain.len,
        plain.len > 0 ? plain.data : "");
    wn_buf_release(&plain);
}

static void
tell(struct import *im)
{
    int64_t now = wn_clock_mono_us();

    if (!im->terminal || now - im->told_us < 500000)
        return;
    im->told_us = now;
    fprintf(stderr, "\r\033[K%lu lines, %lu imported", im->line, im->added);
    fflush(stderr);
}

/* A member that must be a string of 1..max bytes; NULL and `why` set else. */
static const char *
need(const json_t *o, const char *name, size_t max, const char **why)
{
    const json_t *v = json_object_get(o, name);

    if (*why == NULL && (!json_is_string(v) || json_string_length(v) == 0 ||
                            json_string_length(v) > max)) {
        static char text[96];

        snprintf(text, sizeof(text),
            "\"%s\" must be a string of 1 to %zu bytes", name, max);
        *why = text;
    }
    return *why == NULL ? json_string_value(v) : NULL;
}

/* A member that may be absent, null or "": then `fallback`. Of another type it
 * is a mistake, and a reason that is dropped is gone: NULL and `why` set. */
static const char *
optional(
    const json_t *o, const char *name, const char *fallback, const char **why)
{
    const json_t *v = json_object_get(o, name);

    if (v == NULL || json_is_null(v))
        return fallback;
    if (*why == NULL && !json_is_string(v)) {
        static char text[96];

        snprintf(text, sizeof(text), "\"%s\" must be a string", name);
        *why = text;
    }
    if (*why != NULL)
        return NULL;
    return json_string_length(v) > 0 ? json_string_value(v) : fallback;
}

static const char *
read_labels(const json_t *o, enum wn_label labels[WN_HEADS])
{
    json_t *all = json_object_get(o, "labels"), *v;
    const char *name;
    enum wn_head h;

    for (int i = 0; i < WN_HEADS; i++)
        labels[i] = WN_LABEL_UNSAID;
    if (all != NULL && !json_is_object(all))
        return "\"labels\" must be an object";
    json_object_foreach(all, name, v)
    {
        if (!wn_review_head(name, strlen(name), &h))
            return "\"labels\" may name spam, scam, bait and ai_text";
        if (json_is_null(v))
            continue;
        if (!json_is_boolean(v))
            return "a label is true, false or null";
        labels[h] = json_is_true(v) ? WN_LABEL_YES : WN_LABEL_NO;
    }
    return NULL;
}

/* NULL, or what is wrong with the object. Strings of ret lie in `o`. */
static const char *
read_object(const json_t *o, const char *staff, struct wn_imported *ret)
{
    const json_t *at = json_object_get(o, "at");
    const char *why = NULL, *action;

    if (!json_is_object(o))
        return "not a JSON object";
    ret->ref = need(o, "ref", 200, &why);
    ret->post_id = need(o, "post_id", 512, &why);
    ret->author_id = need(o, "author_id", 512, &why);
    ret->text.p = need(o, "text", 1u << 20, &why);
    ret->reason = optional(o, "reason", "", &why);
    ret->staff_id = optional(o, "staff", staff, &why);
    action = optional(o, "action", NULL, &why);
    if (why != NULL)
        return why;
    ret->text.len = json_string_length(json_object_get(o, "text"));
    if (ret->staff_id == NULL || ret->staff_id[0] == '\0')
        return "\"staff\" is absent and --staff was not given";
    if (!wn_review_action(action, &ret->action))
        return "\"action\" must be allow, label, limit, review or remove";
    if (!json_is_string(at) || !wn_time_parse(json_string_value(at),
                                   json_string_length(at), &ret->at_us))
        return "\"at\" must be an RFC 3339 time";
    return read_labels(o, ret->labels);
}

/* false: stop here. */
static bool
import_object(struct import *im, const json_t *o)
{
    struct wn_imported d = { 0 };
    struct wn_err err = { "" };
    const char *why = read_object(o, im->staff, &d);
    bool known = false;
    enum wn_status rc;

    if (why == NULL && im->repaired > 0 && strstr(d.ref, REPLACEMENT) != NULL)
        why = "\"ref\" has broken characters: two of them could be one";
    if (why != NULL) {
        bad_line(im, why);
        return true;
    }
    rc = wn_review_import(im->st, &d, &known, &err);
    if (rc == WN_OK) {
        if (known)
            im->known++;
        else
            im->added++;
    } else if (rc == WN_REJECT) {
        bad_line(im, err.text);
    } else {
        fprintf(stderr, "%s:%lu: %s%s\n", im->path, im->line, err.text,
            rc == WN_RETRY || rc == WN_FENCED
                ? "; run it again to go on from here"
                : "");
        return false;
    }
    return true;
}

static bool
import_line(struct import *im, const struct wn_line *line)
{
    json_error_t why;
    json_t *o;
    bool on;

    im->line++;
    tell(im);
    if (wn_line_is_blank(line))
        return true;
    if (line->len > LINE_BYTES_MAX) {
        bad_line(im, "the line is over 2 MiB");
        return true;
    }
    /* as ingest reads a post: one bad byte of a text costs that byte */
    wn_buf_reset(&im->clean);
    im->repaired = wn_repair_json(&im->clean, line->p, line->len);
    if (im->clean.failed) {
        wn_cmd_fail(1, "review", "out of memory");
        return false;
    }
    o = json_loadb(im->clean.data, im->clean.len, JSON_REJECT_DUPLICATES, &why);
    if (o == NULL) {
        bad_line(im, why.text);
        return true;
    }
    on = import_object(im, o);
    json_decref(o);
    return on;
}

/* What is there goes into the lines; 0 at the end, -1 and printed: stop. */
static ssize_t
read_some(struct import *im, struct wn_lines *lines, int fd)
{
    size_t room;
    char *p = wn_lines_room(lines, &room);
    ssize_t n;

    if (p == NULL) {
        wn_cmd_fail(1, "review", "out of memory");
        return -1;
    }
    do
        n = read(fd, p, room);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        wn_cmd_fail(1, "review", "%s: %s", im->path, strerror(errno));
    else
        wn_lines_add(lines, (size_t)n);
    return n;
}

/* false: it stopped before the end of the file. */
static bool
read_lines(struct import *im, int fd)
{
    struct wn_lines lines;
    struct wn_line line;
    bool on = true;
    ssize_t n;

    wn_lines_init(&lines, LINE_BYTES_MAX, 0);
    do {
        n = read_some(im, &lines, fd);
        while (on && n >= 0 &&
               (wn_lines_next(&lines, &line) ||
                   (n == 0 && wn_lines_last(&lines, &line))))
            on = import_line(im, &line);
    } while (on && n > 0);
    wn_lines_release(&lines);
    return on && n == 0;
}

static int
import_lines(struct import *im, int fd)
{
    bool on = read_lines(im, fd);

    if (im->terminal)
        fputs("\r\033[K", stderr);
    if (im->bad > ERRORS_SHOWN)
        fprintf(stderr, "%s: and %lu more bad lines\n", im->path,
            im->bad - ERRORS_SHOWN);
    printf("%lu lines: %lu imported, %lu imported before, %lu bad\n", im->line,
        im->added, im->known, im->bad);
    return on && im->bad == 0 ? 0 : 1;
}

int
wn_review_import_file(struct wn_store *st, const char *path, const char *staff)
{
    struct import im = { .st = st, .path = path, .staff = staff };
    bool standard = strcmp(path, "-") == 0;
    int rc, fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return wn_cmd_fail(1, "review", "%s: %s", path, strerror(errno));
    im.terminal = isatty(STDERR_FILENO) == 1;
    wn_buf_init(&im.clean, 6 * (size_t)LINE_BYTES_MAX);
    rc = import_lines(&im, fd);
    wn_buf_release(&im.clean);
    if (!standard)
        close(fd);
    return rc;
}
