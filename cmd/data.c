/* Reader of labelled texts, and of other JSON Lines of ours. */
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

const char *const wn_data_label_names[WN_HEADS] = { "spam", "scam", "bait",
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

/* The number of a name; a new one is added to names. */
static enum wn_status
name_number(struct wn_data *d, const char *member, const char *name,
    const char **names, size_t *n, uint16_t *ret, struct wn_err *err)
{
    size_t i;

    for (i = 0; i < *n && strcmp(names[i], name) != 0; i++)
        continue;
    if (i == WN_DATA_SOURCES_MAX)
        return wn_fail(err, WN_REJECT, "more than %d values of \"%s\"",
            WN_DATA_SOURCES_MAX, member);
    if (i == *n) {
        names[i] = wn_arena_strndup(&d->arena, name, strlen(name));
        if (names[i] == NULL)
            return wn_fail(err, WN_STOP, "out of memory");
        ++*n;
    }
    *ret = (uint16_t)i;
    return WN_OK;
}

/* The number of the name that member `member` of o holds, "" where it has
 * none. */
static enum wn_status
find_name(struct wn_data *d, const json_t *o, const char *member,
    const char **names, size_t *n, uint16_t *ret, struct wn_err *err)
{
    const json_t *v = json_object_get(o, member);
    const char *name = v == NULL || json_is_null(v) ? "" : json_string_value(v);

    if (name == NULL)
        return wn_fail(err, WN_REJECT, "\"%s\" is not a string", member);
    return name_number(d, member, name, names, n, ret, err);
}

static enum wn_status
copy(struct wn_data *d, struct wn_str from, struct wn_str *ret,
    struct wn_err *err)
{
    ret->len = from.len;
    ret->p = wn_arena_strndup(&d->arena, from.p, from.len);
    return ret->p == NULL ? wn_fail(err, WN_STOP, "out of memory") : WN_OK;
}

static struct wn_str
string_of(const json_t *v)
{
    return (struct wn_str){ json_string_value(v), json_string_length(v) };
}

static enum wn_status
read_labels(const json_t *labels, const char *const *names, size_t n,
    int8_t *ret, struct wn_err *err)
{
    if (!json_is_object(labels))
        return wn_fail(err, WN_REJECT, "\"labels\" is not an object");
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(labels, names[i]);
        json_int_t label = json_integer_value(v);

        if (v == NULL || json_is_null(v))
            ret[i] = -1;
        else if (json_is_integer(v) && (label == 0 || label == 1))
            ret[i] = (int8_t)label;
        else
            return wn_fail(
                err, WN_REJECT, "label \"%s\" is not 1, 0 or null", names[i]);
    }
    return WN_OK;
}

static enum wn_status
read_names(struct wn_data *d, const json_t *o, struct wn_data_row *row,
    struct wn_err *err)
{
    enum wn_status rc;

    rc =
        find_name(d, o, "source", d->sources, &d->sources_n, &row->source, err);
    if (rc == WN_OK)
        rc = find_name(d, o, "lang", d->langs, &d->langs_n, &row->lang, err);
    if (rc == WN_OK)
        rc = find_name(d, o, "kind", d->kinds, &d->kinds_n, &row->kind, err);
    return rc;
}

static enum wn_status
append(struct wn_data *d, const struct wn_data_row *row, struct wn_err *err)
{
    if (d->n == d->cap) {
        size_t cap = d->cap == 0 ? 4096 : d->cap * 2;
        struct wn_data_row *p = realloc(d->rows, cap * sizeof(*p));

        if (p == NULL)
            return wn_fail(err, WN_STOP, "out of memory");
        d->rows = p;
        d->cap = cap;
    }
    d->rows[d->n++] = *row;
    return WN_OK;
}

static enum wn_status
read_row(void *arg, const json_t *o, struct wn_err *err)
{
    struct wn_data *d = arg;
    const json_t *id = json_object_get(o, "id");
    const json_t *text = json_object_get(o, "text");
    const json_t *labels = json_object_get(o, "labels");
    struct wn_data_row row = { 0 };
    enum wn_status rc;

    if (!json_is_string(text))
        return wn_fail(err, WN_REJECT, "\"text\" is not a string");
    rc = read_labels(labels, wn_data_label_names, WN_HEADS, row.labels, err);
    if (rc == WN_OK)
        rc = read_labels(labels, wn_bait_names, WN_BAITS, row.baits, err);
    /* What is no bait is none of its kinds. */
    for (size_t b = 0; b < WN_BAITS; b++)
        if (row.baits[b] < 0 && row.labels[WN_BAIT] == 0)
            row.baits[b] = 0;
    if (rc == WN_OK)
        rc = copy(d, string_of(text), &row.text, err);
    if (rc == WN_OK && json_is_string(id))
        rc = copy(d, string_of(id), &row.id, err);
    if (rc == WN_OK)
        rc = read_names(d, o, &row, err);
    return rc == WN_OK ? append(d, &row, err) : rc;
}

enum wn_status
wn_data_add(struct wn_data *d, const struct wn_data_row *row,
    const char *source, struct wn_err *err)
{
    struct wn_data_row own = *row;
    enum wn_status rc = copy(d, row->id, &own.id, err);

    if (rc == WN_OK)
        rc = copy(d, row->text, &own.text, err);
    if (rc == WN_OK)
        rc = name_number(d, "source", source, d->sources, &d->sources_n,
            &own.source, err);
    if (rc == WN_OK)
        rc = name_number(d, "lang", "", d->langs, &d->langs_n, &own.lang, err);
    if (rc == WN_OK)
        rc = name_number(d, "kind", "", d->kinds, &d->kinds_n, &own.kind, err);
    return rc == WN_OK ? append(d, &own, err) : rc;
}

/* --- a file --- */

struct input {
    gzFile f;
    const char *name; /* for messages */
    struct wn_lines lines;
    size_t number; /* of the last line */
    wn_data_take *take;
    void *arg;
};

static enum wn_status
read_line(
    const struct input *in, const struct wn_line *line, struct wn_err *err)
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
        rc = in->take(in->arg, o, err);
    json_decref(o);
    return rc;
}

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
read_lines(struct input *in, struct wn_err *err)
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
            rc = read_line(in, &line, err);
            if (rc != WN_OK)
                wn_fail_in(err, rc, "%s:%zu", in->name, in->number);
        }
    }
    return rc;
}

enum wn_status
wn_data_each(
    const char *path, wn_data_take *take, void *arg, struct wn_err *err)
{
    struct input in = { .take = take, .arg = arg };
    enum wn_status rc = open_input(&in, path, err);

    if (rc != WN_OK)
        return rc;
    wn_lines_init(&in.lines, LINE_BYTES_MAX, 0);
    rc = read_lines(&in, err);
    wn_lines_release(&in.lines);
    gzclose_r(in.f);
    return rc;
}

enum wn_status
wn_data_read(struct wn_data *d, const char *path, struct wn_err *err)
{
    return wn_data_each(path, read_row, d, err);
}

enum wn_status
wn_data_read_all(
    struct wn_data *d, const char *const *files, size_t n, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (size_t i = 0; i < n && rc == WN_OK; i++)
        rc = wn_data_read(d, files[i], err);
    if (rc == WN_OK && d->n == 0)
        rc = wn_fail(err, WN_REJECT, "%s: no texts in it", files[0]);
    return rc;
}
