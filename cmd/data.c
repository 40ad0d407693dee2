/* Reader of labelled texts for `train` and `eval`. */
#include "cmd/data.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <zlib.h>

#include "ingest/lines.h"

#define LINE_BYTES_MAX (16u << 20)
#define DATA_BYTES_MAX ((size_t)64 << 30)

static const char *const label_names[WN_HEADS] = { "spam", "scam", "bait",
    "ai" };

void
wn_data_init(struct wn_data *d)
{
    memset(d, 0, sizeof(*d));
    wn_arena_init(&d->arena, 1u << 20, DATA_BYTES_MAX);
}

void
wn_data_release(struct wn_data *d)
{
    free(d->rows);
    wn_arena_release(&d->arena);
    memset(d, 0, sizeof(*d));
}

static enum wn_status
find_source(
    struct wn_data *d, const char *name, uint16_t *ret, struct wn_err *err)
{
    for (size_t i = 0; i < d->sources_n; i++)
        if (strcmp(d->sources[i], name) == 0) {
            *ret = (uint16_t)i;
            return WN_OK;
        }
    if (d->sources_n == WN_DATA_SOURCES_MAX)
        return wn_fail(
            err, WN_REJECT, "more than %d sources", WN_DATA_SOURCES_MAX);
    *ret = (uint16_t)d->sources_n;
    d->sources[d->sources_n] = wn_arena_strndup(&d->arena, name, strlen(name));
    if (d->sources[d->sources_n] == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    d->sources_n++;
    return WN_OK;
}

static enum wn_status
copy(struct wn_data *d, const json_t *v, struct wn_str *ret, struct wn_err *err)
{
    ret->len = json_string_length(v);
    ret->p = wn_arena_strndup(&d->arena, json_string_value(v), ret->len);
    return ret->p == NULL ? wn_fail(err, WN_STOP, "out of memory") : WN_OK;
}

static enum wn_status
read_label(
    const json_t *labels, const char *name, int8_t *ret, struct wn_err *err)
{
    const json_t *v = json_object_get(labels, name);
    json_int_t n = json_integer_value(v);

    *ret = -1;
    if (v == NULL || json_is_null(v))
        return WN_OK;
    if (!json_is_integer(v) || (n != 0 && n != 1))
        return wn_fail(
            err, WN_REJECT, "label \"%s\" is not 1, 0 or null", name);
    *ret = (int8_t)n;
    return WN_OK;
}

static enum wn_status
read_labels(const json_t *labels, struct wn_data_row *row, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    if (!json_is_object(labels))
        return wn_fail(err, WN_REJECT, "\"labels\" is not an object");
    for (size_t h = 0; rc == WN_OK && h < WN_HEADS; h++)
        rc = read_label(labels, label_names[h], &row->labels[h], err);
    for (size_t b = 0; rc == WN_OK && b < WN_BAITS; b++) {
        rc = read_label(labels, wn_bait_names[b], &row->baits[b], err);
        /* What is no bait is none of its kinds. */
        if (row->baits[b] < 0 && row->labels[WN_BAIT] == 0)
            row->baits[b] = 0;
    }
    return rc;
}

/* A string that need not be there. */
static enum wn_status
copy_member(struct wn_data *d, const json_t *o, const char *name,
    struct wn_str *ret, struct wn_err *err)
{
    const json_t *v = json_object_get(o, name);

    return json_is_string(v) ? copy(d, v, ret, err) : WN_OK;
}

static enum wn_status
read_row(struct wn_data *d, const json_t *o, struct wn_err *err)
{
    const json_t *text = json_object_get(o, "text");
    const json_t *source = json_object_get(o, "source");
    struct wn_data_row row = { 0 };
    enum wn_status rc;

    if (!json_is_string(text))
        return wn_fail(err, WN_REJECT, "\"text\" is not a string");
    if (source != NULL && !json_is_string(source))
        return wn_fail(err, WN_REJECT, "\"source\" is not a string");
    rc = read_labels(json_object_get(o, "labels"), &row, err);
    if (rc == WN_OK)
        rc = copy(d, text, &row.text, err);
    if (rc == WN_OK)
        rc = copy_member(d, o, "id", &row.id, err);
    if (rc == WN_OK)
        rc = copy_member(d, o, "lang", &row.lang, err);
    if (rc == WN_OK)
        rc = copy_member(d, o, "kind", &row.kind, err);
    if (rc == WN_OK)
        rc = find_source(d, source == NULL ? "" : json_string_value(source),
            &row.source, err);
    if (rc != WN_OK)
        return rc;
    if (d->n == d->cap) {
        size_t cap = d->cap == 0 ? 4096 : d->cap * 2;
        struct wn_data_row *p = realloc(d->rows, cap * sizeof(*p));

        if (p == NULL)
            return wn_fail(err, WN_STOP, "out of memory");
        d->rows = p;
        d->cap = cap;
    }
    d->rows[d->n++] = row;
    return WN_OK;
}

static enum wn_status
read_line(struct wn_data *d, const struct wn_line *line, struct wn_err *err)
{
    json_error_t why;
    json_t *o;
    enum wn_status rc;

    if (line->len > LINE_BYTES_MAX)
        return wn_fail(err, WN_REJECT, "longer than %u bytes", LINE_BYTES_MAX);
    if (wn_line_is_blank(line))
        return WN_OK;
    o = json_loadb(line->p, line->len, JSON_ALLOW_NUL, &why);
    if (!json_is_object(o))
        rc = wn_fail(
            err, WN_REJECT, "%s", o == NULL ? why.text : "not a JSON object");
    else
        rc = read_row(d, o, err);
    json_decref(o);
    return rc;
}

/* --- a file --- */

struct input {
    gzFile f;
    const char *name; /* for messages */
    struct wn_lines lines;
    size_t number; /* of the last line */
};

/* Opened here and not by zlib, to know a folder for one; zlib owns the
 * descriptor from then on. */
static enum wn_status
open_input(struct input *in, const char *path, struct wn_err *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat sb;

    in->name = standard ? "standard input" : path;
    if (fd < 0)
        return wn_fail(err, WN_REJECT, "%s: %s", in->name, strerror(errno));
    if (fstat(fd, &sb) == 0 && S_ISDIR(sb.st_mode)) {
        close(fd);
        return wn_fail(err, WN_REJECT, "%s: is a directory", in->name);
    }
    in->f = gzdopen(fd, "rb");
    if (in->f == NULL) {
        close(fd);
        return wn_fail(err, WN_STOP, "%s: out of memory", in->name);
    }
    gzbuffer(in->f, 1u << 18);
    return WN_OK;
}

/* One chunk; *ret_n is 0 at the end. */
static enum wn_status
read_chunk(struct input *in, size_t *ret_n, struct wn_err *err)
{
    size_t room;
    char *p = wn_lines_room(&in->lines, &room);
    int n, gz = Z_OK;

    if (p == NULL)
        return wn_fail(err, WN_STOP, "%s: out of memory", in->name);
    n = gzread(in->f, p, room < INT_MAX ? (unsigned)room : INT_MAX);
    (void)gzerror(in->f, &gz);
    /* a file that was cut off says so only at its end, and with n = 0 */
    if (n < 0 || (n == 0 && gz != Z_OK && gz != Z_STREAM_END))
        return wn_fail(err, WN_REJECT, "%s: after line %zu: %s", in->name,
            in->number,
            gz == Z_ERRNO       ? strerror(errno)
            : gz == Z_BUF_ERROR ? "the gzip file is cut off"
                                : "the gzip file is broken");
    wn_lines_add(&in->lines, (size_t)n);
    *ret_n = (size_t)n;
    return WN_OK;
}

static enum wn_status
read_lines(struct wn_data *d, struct input *in, struct wn_err *err)
{
    struct wn_line line;
    size_t n = 1;
    enum wn_status rc = WN_OK;

    while (rc == WN_OK && n > 0) {
        rc = read_chunk(in, &n, err);
        while (
            rc == WN_OK && (wn_lines_next(&in->lines, &line) ||
                               (n == 0 && wn_lines_last(&in->lines, &line)))) {
            in->number++;
            rc = read_line(d, &line, err);
            if (rc != WN_OK)
                wn_fail_in(err, rc, "%s:%zu", in->name, in->number);
        }
    }
    return rc;
}

enum wn_status
wn_data_read(struct wn_data *d, const char *path, struct wn_err *err)
{
    struct input in = { .number = 0 };
    enum wn_status rc = open_input(&in, path, err);

    if (rc != WN_OK)
        return rc;
    wn_lines_init(&in.lines, LINE_BYTES_MAX, 0);
    rc = read_lines(d, &in, err);
    wn_lines_release(&in.lines);
    gzclose_r(in.f);
    return rc;
}
