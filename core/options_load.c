/*
 * Where options come from: the file, the environment, the command line. Each
 * error begins with the place that can be corrected.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/options_int.h"
#include "core/suggest.h"

#define DEFAULT_FILE "/etc/winnow/winnow.conf"
#define FILE_MAX ((size_t)1 << 20)
#define PREFIX "WINNOW_"
#define WHERE_MAX 300

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* s without spaces at both ends; cuts in place. */
static char *
trim(char *s)
{
    size_t len;

    while (is_space(*s))
        s++;
    len = strlen(s);
    while (len > 0 && is_space(s[len - 1]))
        len--;
    s[len] = '\0';
    return s;
}

/* The value without its comment, or what is between double quotes. NULL when
 * the quotes do not match. */
static char *
cut_value(char *s)
{
    char *end;

    if (*s == '"') {
        end = strchr(s + 1, '"');
        if (end == NULL)
            return NULL;
        *end = '\0';
        end = trim(end + 1);
        return *end == '\0' || *end == '#' ? s + 1 : NULL;
    }
    if (*s == '#')
        *s = '\0';
    for (end = s; *end != '\0'; end++) {
        if (*end == '#' && is_space(end[-1])) {
            *end = '\0';
            break;
        }
    }
    return trim(s);
}

/* What is wrong is said without the line's text: it may hold a password. */
static enum wn_status
set_line(
    struct wn_options *o, char *line, const char *where, struct wn_err *err)
{
    char *name = trim(line), *value;

    if (*name == '\0' || *name == '#')
        return WN_OK;
    value = strchr(name, '=');
    if (value == NULL)
        return wn_fail(err, WN_REJECT,
            "%s: not a line of the form name = "
            "value",
            where);
    *value++ = '\0';
    name = trim(name);
    if (!wn_option_is_name(name))
        return wn_fail(err, WN_REJECT, "%s: no option has such a name", where);
    value = cut_value(trim(value));
    if (value == NULL)
        return wn_fail(
            err, WN_REJECT, "%s: %.80s: quotes do not match", where, name);
    return wn_options_set(o, name, value, where, err);
}

static enum wn_status
read_file(const char *path, struct wn_buf *text, struct wn_err *err)
{
    char part[4096];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    do {
        n = read(fd, part, sizeof(part));
        if (n > 0)
            wn_buf_add(text, part, (size_t)n);
    } while ((n > 0 && !text->failed) || (n < 0 && errno == EINTR));
    if (n < 0)
        wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    close(fd);
    if (n < 0)
        return WN_REJECT;
    if (text->failed)
        return wn_fail(err, WN_REJECT, "%s: over %zu bytes", path, FILE_MAX);
    if (text->len > 0 && memchr(text->data, '\0', text->len) != NULL)
        return wn_fail(err, WN_REJECT, "%s: is not a text file", path);
    return WN_OK;
}

enum wn_status
wn_options_file(struct wn_options *o, const char *path, struct wn_err *err)
{
    struct wn_buf text;
    char where[WHERE_MAX], *line, *next;
    enum wn_status rc;

    wn_buf_init(&text, FILE_MAX);
    rc = read_file(path, &text, err);
    if (rc != WN_OK || text.len == 0)
        goto out;
    line = text.data;
    if (strncmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3; /* the mark that some editors put first */
    for (int n = 1; line != NULL && rc == WN_OK; n++, line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        snprintf(where, sizeof(where), "%.250s:%d", path, n);
        rc = set_line(o, line, where, err);
    }
out:
    wn_buf_release(&text);
    return rc;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * Kubernetes sets these for a Service whose name begins with "winnow". They
 * are nobody's typing error, and no option's name is like them.
 */
static bool
is_service_link(const char *name, size_t len)
{
    char s[WN_OPTION_NAME_MAX + 2];

    if (len >= sizeof(s) - 1)
        return false;
    memcpy(s, name, len);
    memcpy(s + len, "_", 2); /* so that the last word ends like the others */
    return strstr(s, "_SERVICE_HOST_") != NULL ||
           strstr(s, "_SERVICE_PORT_") != NULL || strstr(s, "_PORT_") != NULL;
}

/* Whether c in a variable's name may stand for `have` in an option's. */
static bool
is_env_of(char c, char have)
{
    if (c == '_')
        return have == '.' || have == '_';
    return lower(c) == have;
}

/* The option that the rest of a variable's name stands for. Only the table
 * can tell STORE_BATCH_ROWS from store.batch.rows. */
static enum wn_option
find_env(const char *s, size_t len)
{
    const char *have;
    size_t k;

    for (int i = 0; i < WN_OPT_COUNT; i++) {
        have = wn_option_table[i].name;
        if (strlen(have) != len)
            continue;
        for (k = 0; k < len && is_env_of(s[k], have[k]); k++)
            ;
        if (k == len)
            return (enum wn_option)i;
    }
    return WN_OPT_COUNT;
}

/* The name to hand to wn_options_set(): of kafka.* all dots, since what
 * librdkafka takes as text has no underscores; of others the first is a dot,
 * so that an unknown name is near enough to be recognized. */
static void
name_of_env(const char *s, size_t len, char out[WN_OPTION_NAME_MAX + 1])
{
    bool kafka = len > 6 && strncmp(s, "KAFKA_", 6) == 0, dot = false;
    enum wn_option id = find_env(s, len);

    if (id != WN_OPT_COUNT) {
        strcpy(out, wn_option_table[id].name);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = lower(s[i]);
        if (s[i] == '_' && (kafka || !dot)) {
            out[i] = '.';
            dot = true;
        }
    }
    out[len] = '\0';
}

static enum wn_status
set_variable(struct wn_options *o, const char *variable, struct wn_err *err)
{
    const char *name = variable + sizeof(PREFIX) - 1, *eq;
    char where[WN_OPTION_NAME_MAX + sizeof(PREFIX)];
    char option[WN_OPTION_NAME_MAX + 1];
    size_t len;

    eq = strchr(name, '=');
    if (eq == NULL)
        return WN_OK; /* not a variable at all */
    len = (size_t)(eq - name);
    if ((len == 6 && memcmp(name, "CONFIG", 6) == 0) ||
        is_service_link(variable, (size_t)(eq - variable)))
        return WN_OK;
    if (len > WN_OPTION_NAME_MAX)
        return wn_fail(err, WN_REJECT, "%.80s...: unknown option", variable);
    snprintf(where, sizeof(where), "%.*s", (int)(eq - variable), variable);
    name_of_env(name, len, option);
    return wn_options_set(o, option, eq + 1, where, err);
}

enum wn_status
wn_options_env(struct wn_options *o, char *const *env, struct wn_err *err)
{
    enum wn_status rc = WN_OK;

    for (; *env != NULL && rc == WN_OK; env++) {
        if (strncmp(*env, PREFIX, sizeof(PREFIX) - 1) == 0)
            rc = set_variable(o, *env, err);
    }
    return rc;
}

static const char *
env_value(char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; *env != NULL; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    }
    return NULL;
}

/* The command line as it is read: args[i] is next, args[kept] is free. */
struct flags {
    char **args;
    int n, i, kept;
    const char *const *own;
};

static void
keep(struct flags *f)
{
    f->args[f->kept++] = f->args[f->i];
}

/* The entry of `own` that the argument is, or NULL. */
static const char *
find_own(const struct flags *f, const char *arg)
{
    size_t len = strcspn(arg, "="), have;

    for (const char *const *own = f->own; own != NULL && *own != NULL; own++) {
        have = strcspn(*own, "=");
        if (have != len || memcmp(*own, arg, len) != 0)
            continue;
        if (arg[len] == '\0' || (*own)[have] == '=')
            return *own;
    }
    return NULL;
}

/* The value behind the flag's name: after =, or the next argument. NULL when
 * there is none. */
static const char *
flag_value(struct flags *f)
{
    const char *arg = f->args[f->i], *eq = strchr(arg, '=');

    if (eq != NULL)
        return eq + 1;
    if (f->i + 1 == f->n)
        return NULL;
    return f->args[++f->i];
}

/* "--store.batch-rows=9" is store.batch_rows; kafka.* as it stands. */
static void
flag_name(const char *arg, char out[WN_OPTION_NAME_MAX + 1])
{
    size_t len;

    arg += strspn(arg, "-");
    len = strcspn(arg, "=");
    if (len > WN_OPTION_NAME_MAX)
        len = WN_OPTION_NAME_MAX;
    memcpy(out, arg, len);
    out[len] = '\0';
    if (strncmp(out, "kafka.", 6) == 0)
        return;
    for (; *out != '\0'; out++) {
        if (*out == '-')
            *out = '_';
    }
}

/* --- flags that are wrong: bad usage --- */

static enum wn_status
lacks_value(struct wn_options *o, const char *where, const char *what,
    struct wn_err *err)
{
    wn_options_set_misused(o);
    return wn_fail(err, WN_REJECT, "%s: needs %s", where, what);
}

/* "--store.batch-rows" of store.batch_rows; kafka.* as it stands. */
static const char *
flag_of(const char *option, char out[WN_OPTION_NAME_MAX + 3])
{
    snprintf(out, WN_OPTION_NAME_MAX + 3, "--%s", option);
    for (char *p = out; strncmp(option, "kafka.", 6) != 0 && *p != '\0'; p++)
        if (*p == '_')
            *p = '-';
    return out;
}

/* The flag that this one was meant to be: one of the subcommand's own, or an
 * option, whichever is nearer. NULL: none is near. */
static const char *
near_flag(
    const struct flags *f, const char *name, char out[WN_OPTION_NAME_MAX + 3])
{
    const char *option = wn_option_suggest(name), *best = NULL;
    size_t limit = strlen(name) / 4 + 2, len, d;

    for (const char *const *own = f->own; own != NULL && *own != NULL; own++) {
        len = strcspn(*own, "=");
        if (len <= 3)
            continue;
        d = wn_edits(name, strlen(name), *own + 2, len - 2);
        if (d < limit && d < len - 2) {
            limit = d;
            best = *own;
        }
    }
    if (best == NULL)
        return option == NULL ? NULL : flag_of(option, out);
    if (option != NULL &&
        wn_edits(name, strlen(name), option, strlen(option)) < limit)
        return flag_of(option, out);
    snprintf(
        out, WN_OPTION_NAME_MAX + 3, "%.*s", (int)strcspn(best, "="), best);
    return out;
}

static enum wn_status
unknown_flag(struct wn_options *o, const struct flags *f, const char *where,
    const char *name, struct wn_err *err)
{
    char flag[WN_OPTION_NAME_MAX + 3];
    const char *near;

    wn_options_set_misused(o);
    for (const char *const *own = f->own; own != NULL && *own != NULL; own++)
        if (strcmp(*own, where) == 0) /* with a value, or find_own() had it */
            return wn_fail(err, WN_REJECT, "%s: takes no value", where);
    if (where[1] != '-')
        return wn_fail(err, WN_REJECT,
            "%s: unknown flag; what begins with '-' and is no flag goes behind "
            "--",
            where);
    near = near_flag(f, name, flag);
    if (near == NULL)
        return wn_fail(err, WN_REJECT, "%s: unknown flag", where);
    return wn_fail(
        err, WN_REJECT, "%s: unknown flag; did you mean %s?", where, near);
}

static enum wn_status
set_flag(struct wn_options *o, struct flags *f, struct wn_err *err)
{
    const char *arg = f->args[f->i], *value;
    char name[WN_OPTION_NAME_MAX + 1], where[WN_OPTION_NAME_MAX + 3];
    enum wn_option id;

    flag_name(arg, name);
    if (!wn_option_is_name(name)) { /* it may be a secret at a wrong place */
        wn_options_set_misused(o);
        return wn_fail(err, WN_REJECT,
            "argument %d: no flag has such a name; what begins with '-' and is "
            "no flag goes behind --",
            f->i);
    }
    snprintf(where, sizeof(where), "%.*s", (int)strcspn(arg, "="), arg);
    if (strcmp(name, "config") == 0 && arg[1] == '-') {
        if (flag_value(f) == NULL)
            return lacks_value(o, where, "a file", err);
        return WN_OK; /* read before the environment */
    }
    id = wn_option_find(name);
    if (arg[1] != '-' ||
        (id == WN_OPT_COUNT &&
            (strncmp(name, "kafka.", 6) != 0 || name[6] == '\0')))
        return unknown_flag(o, f, where, name, err);
    if (id != WN_OPT_COUNT && wn_option_table[id].type == WN_OPTION_BOOL &&
        strchr(arg, '=') == NULL)
        return wn_options_set(o, name, "true", where, err);
    value = flag_value(f);
    if (value == NULL)
        return lacks_value(o, where, "a value", err);
    return wn_options_set(o, name, value, where, err);
}

/* One argument and its value. */
static enum wn_status
read_argument(struct wn_options *o, struct flags *f, struct wn_err *err)
{
    const char *arg = f->args[f->i], *own = find_own(f, arg);

    if (own == NULL && arg[0] == '-' && arg[1] != '\0')
        return set_flag(o, f, err);
    keep(f);
    if (own != NULL && strchr(own, '=') != NULL && strchr(arg, '=') == NULL) {
        if (f->i + 1 == f->n)
            return lacks_value(o, arg, "a value", err);
        f->i++;
        keep(f);
    }
    return WN_OK;
}

/* The FILE of --config, or NULL; the last one wins, as with every flag. */
static const char *
find_config(int argc, char **argv, const char *const *own)
{
    struct flags f = { argv, argc, 1, 1, own };
    const char *config = NULL, *arg, *mine;

    for (; f.i < argc && strcmp(argv[f.i], "--") != 0; f.i++) {
        arg = argv[f.i];
        mine = find_own(&f, arg);
        if (mine != NULL && strchr(mine, '=') != NULL)
            flag_value(&f);
        else if (mine == NULL && strcmp(arg, "--config") == 0)
            config = flag_value(&f);
        else if (mine == NULL && strncmp(arg, "--config=", 9) == 0)
            config = arg + 9;
    }
    return config;
}

static enum wn_status
load_file(struct wn_options *o, const char *path, char *const *env,
    struct wn_err *err)
{
    const char *where = path != NULL ? "--config" : PREFIX "CONFIG";

    if (path == NULL)
        path = env_value(env, PREFIX "CONFIG");
    if (path != NULL && path[0] != '\0' && access(path, R_OK) != 0)
        return wn_fail(
            err, WN_REJECT, "%s: %s: %s", where, path, strerror(errno));
    if (path != NULL && path[0] != '\0')
        return wn_options_file(o, path, err);
    /* One that this user may not read (it may hold passwords) is the
     * service's, not theirs: wn_options_default_hidden() tells. */
    if (access(DEFAULT_FILE, R_OK) == 0)
        return wn_options_file(o, DEFAULT_FILE, err);
    return WN_OK;
}

const char *
wn_options_default_hidden(void)
{
    return access(DEFAULT_FILE, F_OK) == 0 && access(DEFAULT_FILE, R_OK) != 0
               ? DEFAULT_FILE
               : NULL;
}

enum wn_status
wn_options_load(struct wn_options *o, int *argc, char **argv,
    const char *const *own, char *const *env, struct wn_err *err)
{
    struct flags f = { argv, *argc, 1, 1, own };
    enum wn_status rc;

    rc = load_file(o, find_config(*argc, argv, own), env, err);
    if (rc == WN_OK)
        rc = wn_options_env(o, env, err);
    for (; f.i < f.n && rc == WN_OK; f.i++) {
        if (strcmp(argv[f.i], "--") == 0)
            break;
        rc = read_argument(o, &f, err);
    }
    if (rc != WN_OK)
        return rc;
    for (f.i++; f.i < f.n; f.i++) /* what follows "--" */
        keep(&f);
    argv[f.kept] = NULL;
    *argc = f.kept;
    return WN_OK;
}
