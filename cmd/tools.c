/* Shared by the subcommands; see tools.h. One thread: the main one. */
#include "cmd/tools.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cmd/cmd.h"
#include "core/utf8.h"

bool
wn_cmd_help(
    int argc, char **argv, const char *text, const char *const *prefixes)
{
    struct wn_buf out;
    bool asked = false;

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            asked = true;
    if (!asked)
        return false;
    fputs(text, stdout);
    if (prefixes == NULL)
        return true;
    wn_buf_init(&out, 1u << 20);
    wn_options_help(&out, prefixes);
    fputs("\nOptions (file `key = value`, WINNOW_... variables, flags; later "
          "ones win;\n--config FILE names the file):\n",
        stdout);
    fwrite(out.data, 1, out.len, stdout);
    wn_buf_release(&out);
    return true;
}

static void
remove_args(int *argc, char **argv, int at, int n)
{
    for (int i = at; i + n <= *argc; i++)
        argv[i] = argv[i + n]; /* the NULL at the end too */
    *argc -= n;
}

const char *
wn_cmd_take(int *argc, char **argv, const char *name)
{
    size_t len = strlen(name);

    for (int i = 1; i < *argc; i++) {
        const char *value;

        if (strncmp(argv[i], name, len) != 0)
            continue;
        if (argv[i][len] == '=') {
            value = argv[i] + len + 1;
            remove_args(argc, argv, i, 1);
            return value;
        }
        if (argv[i][len] == '\0') {
            value = i + 1 < *argc ? argv[i + 1] : "";
            remove_args(argc, argv, i, i + 1 < *argc ? 2 : 1);
            return value;
        }
    }
    return NULL;
}

bool
wn_cmd_take_switch(int *argc, char **argv, const char *name)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            remove_args(argc, argv, i, 1);
            return true;
        }
    }
    return false;
}

bool
wn_cmd_take_count(int *argc, char **argv, const char *flag, size_t min,
    size_t max, size_t *ret)
{
    const char *s = wn_cmd_take(argc, argv, flag);
    unsigned long long n;
    char *end;

    if (s == NULL)
        return true;
    errno = 0;
    n = strtoull(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || n < min ||
        n > max) {
        wn_cmd_usage(argv[0],
            "%s '%.40s' is not a whole number from %zu to %zu", flag, s, min,
            max);
        return false;
    }
    *ret = (size_t)n;
    return true;
}

bool
wn_cmd_take_double(int *argc, char **argv, const char *flag, double low,
    double high, double *ret)
{
    const char *s = wn_cmd_take(argc, argv, flag);
    double v;
    char *end;

    if (s == NULL)
        return true;
    v = strtod(s, &end);
    if (s[0] == '\0' || *end != '\0' || !(v > low && v < high)) {
        wn_cmd_usage(argv[0], "%s '%.40s' is not a number between %g and %g",
            flag, s, low, high);
        return false;
    }
    *ret = v;
    return true;
}

bool
wn_cmd_take_name(int *argc, char **argv, const char *flag, const char **ret)
{
    const char *s = wn_cmd_take(argc, argv, flag);

    if (s != NULL && s[0] == '\0') {
        wn_cmd_usage(argv[0], "%s needs a name", flag);
        return false;
    }
    *ret = s == NULL ? *ret : s;
    return true;
}

int
wn_cmd_usage(const char *name, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "winnow %s: ", name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nTry 'winnow %s --help'.\n", name);
    return 2;
}

int
wn_cmd_fail(int status, const char *name, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "winnow %s: ", name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return status;
}

const char *
wn_cmd_database(const struct wn_options *o, const char *name)
{
    static const char *const own[] = { "PGHOST", "PGHOSTADDR", "PGSERVICE",
        "PGDATABASE" };
    const char *url = wn_opt_str(o, WN_OPT_DATABASE_URL);

    if (url[0] != '\0')
        return url;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (getenv(own[i]) != NULL)
            return url;
    wn_cmd_fail(WN_EX_CONFIG, name,
        "database.url is not set (in the file, as WINNOW_DATABASE_URL or as "
        "--database.url)");
    return NULL;
}

struct wn_store *
wn_cmd_store(const struct wn_options *o, const char *name)
{
    struct wn_store_conf conf = { 0 };
    struct wn_store *st = NULL;
    struct wn_err err = { "" };

    conf.conninfo = wn_opt_str(o, WN_OPT_DATABASE_URL);
    conf.instance = name;
    conf.retention_days = wn_opt_int(o, WN_OPT_STORE_RETENTION);
    if (wn_store_open(&st, &conf, &err) != WN_OK)
        wn_cmd_fail(1, name, "%s", err.text);
    return st;
}

/* One character of s at *at, moved past it; U+FFFD for what is no UTF-8. */
static uint32_t
next_char(struct wn_str s, size_t *at)
{
    const char *p = s.p + *at;
    size_t len = wn_utf8_len(p, s.len - *at);

    *at += len > 0 ? len : 1;
    return len > 0 ? wn_utf8_get(p, len) : 0xfffd;
}

/* Could move the cursor, colour the screen, or turn the line around. */
static bool
unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x2069) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe007f);
}

void
wn_cmd_plain(struct wn_buf *out, struct wn_str s, size_t chars_max)
{
    size_t at = 0, start;

    for (size_t n = 0; at < s.len; n++) {
        uint32_t c;

        if (n == chars_max) {
            wn_buf_str(out, "...");
            return;
        }
        start = at;
        c = next_char(s, &at);
        if (c == '\n' || c == '\t' || c == '\r')
            wn_buf_char(out, ' ');
        else if (unprintable(c) || c == 0xfffd)
            wn_buf_str(out, "\xc2\xb7"); /* middle dot */
        else
            wn_buf_add(out, s.p + start, at - start);
    }
}

void
wn_cmd_column(struct wn_buf *out, const char *name, size_t width)
{
    struct wn_str s = { name[0] == '\0' ? "(none)" : name, 0 };
    size_t start = out->len, chars = 0;

    s.len = strlen(s.p);
    wn_cmd_plain(out, s, width - 3);
    for (size_t i = start; !out->failed && i < out->len; i++)
        chars += (out->data[i] & 0xc0) != 0x80;
    for (; !out->failed && chars < width; chars++)
        wn_buf_char(out, ' ');
}

json_t *
wn_cmd_json(struct wn_str s)
{
    return s.p != NULL ? json_stringn_nocheck(s.p, s.len) : json_null();
}

bool
wn_cmd_print_json(json_t *o)
{
    if (o == NULL)
        return false;
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
    return true;
}
