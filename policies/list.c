/*
 * One named list: its entries in, its lookups out. See list.h.
 *
 * Filling is one thread's; after wn_list_finish() nothing is written but the
 * count of holders.
 */
#include "policies/list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "policies/list_int.h"

#define READ_BYTES (256u << 10)

const char *const wn_list_kind_names[WN_LIST_KINDS] = { "exact", "domain",
    "cidr" };

static bool
is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.");

    return len > 0 && len <= WN_LIST_NAME_MAX && name[len] == '\0' &&
           name[0] != '.';
}

enum wn_status
wn_list_new(struct wn_list **ret, const char *name, enum wn_list_kind kind,
    struct wn_err *err)
{
    struct wn_list *l;

    if (!is_name(name))
        return wn_fail(err, WN_REJECT,
            "a list's name has 1 to %u of a-z 0-9 - _ . and begins with no "
            "dot: '%.80s' is none",
            WN_LIST_NAME_MAX, name);
    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return wn_fail(err, WN_STOP, "list %s: out of memory", name);
    memcpy(l->name, name, strlen(name));
    l->kind = kind;
    l->labels_min = UINT32_MAX;
    atomic_init(&l->holders, 1);
    *ret = l;
    return WN_OK;
}

void
wn_list_hold(struct wn_list *l)
{
    atomic_fetch_add(&l->holders, 1);
}

void
wn_list_drop(struct wn_list *l)
{
    if (l == NULL || atomic_fetch_sub(&l->holders, 1) != 1)
        return;
    wn_list_table_release(&l->table);
    free(l->ranges.v);
    free(l);
}

/* --- entries --- */

/* Nothing of a URL around it. */
static bool
is_bare(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)p[i] <= ' ' || strchr("/\\:@?#%[]", p[i]) != NULL)
            return false;
    return true;
}

/* *.example.com and .example.com are example.com, which holds what is under
 * it. */
static enum wn_status
add_domain(struct wn_list *l, const char *p, size_t len, struct wn_err *err)
{
    char host[WN_LIST_HOST_MAX + 1];
    size_t skip = len > 2 && p[0] == '*' && p[1] == '.' ? 2
                  : len > 1 && p[0] == '.'              ? 1
                                                        : 0;
    size_t n = is_bare(p, len) ? wn_list_host(p + skip, len - skip, host) : 0;
    unsigned labels = wn_list_labels(host, n);

    if (labels == 0)
        return wn_fail(
            err, WN_REJECT, "'%.*s' is no domain", len < 80 ? (int)len : 80, p);
    if (labels < l->labels_min)
        l->labels_min = labels;
    if (labels > l->labels_max)
        l->labels_max = labels;
    return wn_list_table_add(&l->table, host, n)
               ? WN_OK
               : wn_fail(err, WN_REJECT, "the entries take too much memory");
}

static enum wn_status
add_network(struct wn_list *l, const char *p, size_t len, struct wn_err *err)
{
    struct wn_list_range range;

    if (!wn_list_network(p, len, &range))
        return wn_fail(err, WN_REJECT,
            "'%.*s' is no address and no network such as 192.0.2.0/24",
            len < 80 ? (int)len : 80, p);
    return wn_list_ranges_add(&l->ranges, range)
               ? WN_OK
               : wn_fail(err, WN_REJECT, "the entries take too much memory");
}

enum wn_status
wn_list_add(struct wn_list *l, const char *p, size_t len, struct wn_err *err)
{
    if (len == 0 || len > WN_LIST_ENTRY_MAX)
        return wn_fail(err, WN_REJECT, "an entry has 1 to %u bytes, not %zu",
            WN_LIST_ENTRY_MAX, len);
    if (l->table.n + l->ranges.n == WN_LIST_ENTRIES_MAX)
        return wn_fail(err, WN_REJECT, "a list has at most %u entries",
            WN_LIST_ENTRIES_MAX);
    if (l->kind == WN_LIST_DOMAIN)
        return add_domain(l, p, len, err);
    if (l->kind == WN_LIST_CIDR)
        return add_network(l, p, len, err);
    return wn_list_table_add(&l->table, p, len)
               ? WN_OK
               : wn_fail(err, WN_REJECT, "the entries take too much memory");
}

enum wn_status
wn_list_finish(struct wn_list *l, struct wn_err *err)
{
    const char *kind = wn_list_kind_names[l->kind];
    uint8_t hash[WN_SHA256];
    struct wn_part parts[3] = { { kind, strlen(kind) + 1 } };

    if (l->kind == WN_LIST_CIDR)
        wn_list_ranges_finish(&l->ranges);
    else if (!wn_list_table_finish(&l->table))
        return wn_fail(err, WN_STOP, "list %s: out of memory", l->name);
    parts[1] = (struct wn_part){ l->table.text, l->table.len };
    parts[2] =
        (struct wn_part){ l->ranges.v, l->ranges.n * sizeof(*l->ranges.v) };
    wn_sha256_parts(parts, 3, hash);
    wn_hex(hash, 8, l->version);
    return WN_OK;
}

/* --- a file --- */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static enum wn_status
add_line(struct wn_list *l, const char *p, size_t len, struct wn_err *err)
{
    while (len > 0 && is_blank(*p)) {
        p++;
        len--;
    }
    if (len == 0 || *p == '#')
        return WN_OK;
    for (size_t i = 1; l->kind != WN_LIST_EXACT && i < len; i++)
        if (p[i] == '#' && is_blank(p[i - 1]))
            len = i;
    while (len > 0 && is_blank(p[len - 1]))
        len--;
    return wn_list_add(l, p, len, err);
}

/* Adds the whole lines of p, and where it is the end the rest too; *ret_used:
 * the bytes of them. `where` begins errors. */
static enum wn_status
add_lines(struct wn_list *l, const char *p, size_t len, bool end,
    const char *where, unsigned long *line, size_t *ret_used,
    struct wn_err *err)
{
    struct wn_err why = { "" };
    size_t from = 0;

    while (from < len) {
        const char *nl = memchr(p + from, '\n', len - from);
        size_t n = nl != NULL ? (size_t)(nl - p) - from : len - from;

        if (nl == NULL && !end)
            break;
        ++*line;
        if (add_line(l, p + from, n, &why) != WN_OK)
            return wn_fail(
                err, WN_REJECT, "%s:%lu: %s", where, *line, why.text);
        from += n + (nl != NULL);
    }
    *ret_used = from;
    return WN_OK;
}

enum wn_status
wn_list_add_text(struct wn_list *l, const char *p, size_t len,
    const char *where, unsigned long *line, struct wn_err *err)
{
    size_t used;

    return add_lines(l, p, len, true, where, line, &used, err);
}

/* A file through a buffer that each line has to fit into. */
struct reader {
    int fd;
    const char *path;
    char *buf;
    size_t len;
    unsigned long line;
};

static enum wn_status
take_lines(struct wn_list *l, struct reader *r, bool end, struct wn_err *err)
{
    size_t used = 0;
    enum wn_status rc =
        add_lines(l, r->buf, r->len, end, r->path, &r->line, &used, err);

    if (rc == WN_OK && used == 0 && r->len == READ_BYTES)
        return wn_fail(err, WN_REJECT, "%s:%lu: a line of more than %u bytes",
            r->path, r->line + 1, READ_BYTES);
    memmove(r->buf, r->buf + used, r->len - used);
    r->len -= used;
    return rc;
}

static enum wn_status
read_lines(struct wn_list *l, struct reader *r, struct wn_err *err)
{
    enum wn_status rc = WN_OK;
    ssize_t n = 1;

    while (rc == WN_OK && n > 0) {
        n = read(r->fd, r->buf + r->len, READ_BYTES - r->len);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        if (n < 0)
            return wn_fail(err, WN_REJECT, "%s: %s", r->path, strerror(errno));
        r->len += (size_t)n;
        rc = take_lines(l, r, n == 0, err);
    }
    return rc;
}

/* A regular file that is the same when it was read. */
static enum wn_status
read_file(struct wn_list *l, struct reader *r, struct wn_err *err)
{
    struct stat before, after;
    enum wn_status rc;

    if (fstat(r->fd, &before) != 0 || !S_ISREG(before.st_mode))
        return wn_fail(err, WN_REJECT, "%s is not a file", r->path);
    rc = read_lines(l, r, err);
    if (rc != WN_OK)
        return rc;
    if (fstat(r->fd, &after) != 0 || after.st_size != before.st_size ||
        after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
        after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
        return wn_fail(err, WN_REJECT,
            "%s changed while it was read: write to another name, then rename",
            r->path);
    return wn_list_finish(l, err);
}

enum wn_status
wn_list_open(struct wn_list **ret, const char *name, enum wn_list_kind kind,
    const char *path, struct wn_err *err)
{
    struct reader r = { .path = path, .fd = -1 };
    struct wn_list *l = NULL;
    enum wn_status rc = wn_list_new(&l, name, kind, err);

    if (rc != WN_OK)
        return rc;
    r.buf = malloc(READ_BYTES);
    r.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r.buf == NULL)
        rc = wn_fail(err, WN_STOP, "%s: out of memory", path);
    else if (r.fd < 0)
        rc = wn_fail(err, WN_REJECT, "%s: %s", path, strerror(errno));
    else
        rc = read_file(l, &r, err);
    if (r.fd >= 0)
        close(r.fd);
    free(r.buf);
    if (rc == WN_OK)
        *ret = l;
    else
        wn_list_drop(l);
    return rc;
}

/* --- lookups --- */

/* The host, and each domain it lies under; the list's shortest last. */
static bool
has_host(const struct wn_list *l, const char *p, size_t len)
{
    char host[WN_LIST_HOST_MAX + 1];
    size_t n = wn_list_host(p, len, host), from = n;

    if (wn_list_labels(host, n) == 0)
        return false;
    for (unsigned labels = 1; labels <= l->labels_max; labels++) {
        while (from > 0 && host[from - 1] != '.')
            from--;
        if (labels >= l->labels_min &&
            wn_list_table_has(&l->table, host + from, n - from))
            return true;
        if (from == 0)
            return false;
        from--;
    }
    return false;
}

static bool
has_address(const struct wn_list *l, const char *p, size_t len)
{
    char host[WN_LIST_HOST_MAX + 1];
    struct wn_list_address a;
    size_t n;

    if (!wn_list_address(p, len, &a)) {
        n = wn_list_host(p, len, host);
        if (!wn_list_address(host, n, &a))
            return false;
    }
    return wn_list_ranges_has(&l->ranges, a);
}

bool
wn_list_has(const struct wn_list *l, const char *p, size_t len)
{
    if (len == 0)
        return false;
    switch (l->kind) {
    case WN_LIST_DOMAIN:
        return has_host(l, p, len);
    case WN_LIST_CIDR:
        return has_address(l, p, len);
    default:
        return wn_list_table_has(&l->table, p, len);
    }
}

const char *
wn_list_name(const struct wn_list *l)
{
    return l->name;
}

enum wn_list_kind
wn_list_kind(const struct wn_list *l)
{
    return l->kind;
}

size_t
wn_list_entries(const struct wn_list *l)
{
    return l->table.n + l->ranges.n;
}

size_t
wn_list_bytes(const struct wn_list *l)
{
    return sizeof(*l) + l->table.cap +
           l->table.slots_n * sizeof(*l->table.slots) +
           l->ranges.cap * sizeof(*l->ranges.v);
}

const char *
wn_list_version(const struct wn_list *l)
{
    return l->version;
}
