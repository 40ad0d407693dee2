/*
 * winnow list: named lists in the database, for workers whose policy.lists is
 * `database`.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/lists.h"
#include "cmd/tools.h"
#include "storage/review.h"

#define PART_BYTES (1u << 20)
#define SHOWN_MAX 100

static const char usage[] =
    "Usage: winnow list put FILE --staff=ID --reason=TEXT\n"
    "       winnow list show\n"
    "\n"
    "put   a new version of the list NAME, from FILE, whose name is "
    "NAME.exact,\n"
    "      NAME.domain or NAME.cidr; workers take it within seconds. ID and "
    "TEXT\n"
    "      are kept with it. A file that is wrong changes nothing: exit 78\n"
    "show  the versions there are, newest first\n"
    "\n"
    "What the kinds mean, and how rules ask (in_list): policies/README.md.\n";

/* "…/scam-domains.domain" */
static bool
split_path(
    const char *path, struct wn_stored_list *ret, enum wn_list_kind *ret_kind)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    size_t len = dot != NULL ? (size_t)(dot - file) : 0;

    if (len == 0 || len >= sizeof(ret->name))
        return false;
    memcpy(ret->name, file, len);
    ret->name[len] = '\0';
    for (int k = 0; k < WN_LIST_KINDS; k++) {
        if (strcmp(dot + 1, wn_list_kind_names[k]) == 0) {
            snprintf(ret->kind, sizeof(ret->kind), "%s", dot + 1);
            *ret_kind = (enum wn_list_kind)k;
            return true;
        }
    }
    return false;
}

/* Reads it as workers will, for its hash and its errors. */
static int
check_file(const char *path, struct wn_stored_list *ret)
{
    enum wn_list_kind kind;
    struct wn_list *l;
    struct wn_err err = { "" };

    if (!split_path(path, ret, &kind))
        return wn_cmd_usage("list",
            "'%.200s': a list's file is NAME.exact, NAME.domain or NAME.cidr",
            path);
    if (wn_list_open(&l, ret->name, kind, path, &err) != WN_OK)
        return wn_cmd_fail(WN_EX_CONFIG, "list", "%s", err.text);
    snprintf(ret->hash, sizeof(ret->hash), "%s", wn_list_version(l));
    ret->entries = (int64_t)wn_list_entries(l);
    wn_list_drop(l);
    return 0;
}

/* Whole lines at a time; ret->parts counts them. */
static enum wn_status
send_parts(struct wn_store *st, FILE *f, struct wn_stored_list *ret,
    struct wn_err *err)
{
    char *buf = malloc(PART_BYTES);
    enum wn_status rc = WN_OK;
    size_t len = 0, whole = 1;

    if (buf == NULL)
        return wn_fail(err, WN_STOP, "out of memory");
    while (rc == WN_OK && whole > 0) {
        size_t n = fread(buf + len, 1, PART_BYTES - len, f);
        char *nl;

        len += n;
        nl = n > 0 ? memrchr(buf, '\n', len) : NULL;
        whole = nl != NULL ? (size_t)(nl + 1 - buf) : len;
        if (whole > 0)
            rc = wn_stored_list_add(
                st, ret->version, ret->parts++, buf, whole, err);
        memmove(buf, buf + whole, len - whole);
        len -= whole;
    }
    free(buf);
    return rc;
}

static enum wn_status
send_list(struct wn_store *st, const char *path, struct wn_stored_list *l,
    const char *staff, const char *reason, struct wn_err *err)
{
    FILE *f = fopen(path, "r");
    enum wn_status rc;

    if (f == NULL)
        return wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    rc = wn_stored_list_begin(st, &l->version, err);
    if (rc == WN_OK)
        rc = send_parts(st, f, l, err);
    fclose(f);
    return rc == WN_OK ? wn_stored_list_end(st, l, staff, reason, err) : rc;
}

static int
put(const struct wn_options *o, const char *path, const char *staff,
    const char *reason)
{
    struct wn_stored_list l = { .parts = 0 };
    struct wn_store *st;
    struct wn_err err = { "" };
    int rc;

    if (wn_review_check(staff, reason, &err) != WN_OK || reason == NULL ||
        *reason == '\0')
        return wn_cmd_usage(
            "list", "%s", err.text[0] != '\0' ? err.text : "say --reason=TEXT");
    rc = check_file(path, &l);
    if (rc != 0)
        return rc;
    st = wn_cmd_store(o, "list");
    if (st == NULL)
        return 1;
    if (send_list(st, path, &l, staff, reason, &err) != WN_OK)
        rc = wn_cmd_fail(1, "list", "%s", err.text);
    else
        printf("%s.%s: version %lld, %lld entries, hash %s\n", l.name, l.kind,
            (long long)l.version, (long long)l.entries, l.hash);
    wn_store_free(st);
    return rc;
}

static int
show(const struct wn_options *o)
{
    struct wn_store *st = wn_cmd_store(o, "list");
    struct wn_err err = { "" };
    struct wn_buf out;
    int rc = 0;

    if (st == NULL)
        return 1;
    wn_buf_init(&out, 1u << 20);
    if (wn_stored_lists_history(st, SHOWN_MAX, &out, &err) != WN_OK)
        rc = wn_cmd_fail(1, "list", "%s", err.text);
    else if (out.len > 0)
        fwrite(out.data, 1, out.len, stdout);
    else
        puts("no lists");
    wn_buf_release(&out);
    wn_store_free(st);
    return rc;
}

int
wn_cmd_list(int argc, char **argv)
{
    static const char *const prefixes[] = { "database.", NULL };
    static const char *const own[] = { "--staff=", "--reason=", NULL };
    const char *staff, *reason;
    struct wn_options *o;
    int rc;

    if (wn_cmd_help(argc, argv, usage, prefixes))
        return 0;
    o = wn_cmd_options(&argc, argv, own);
    if (o == NULL)
        return WN_EX_CONFIG;
    staff = wn_cmd_take(&argc, argv, "--staff");
    reason = wn_cmd_take(&argc, argv, "--reason");
    if (argc == 3 && strcmp(argv[1], "put") == 0)
        rc = put(o, argv[2], staff, reason);
    else if (argc == 2 && strcmp(argv[1], "show") == 0 && staff == NULL &&
             reason == NULL)
        rc = show(o);
    else
        rc = wn_cmd_usage("list", "say put FILE or show");
    wn_options_free(o);
    return rc;
}
