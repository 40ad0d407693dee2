/* The table as text: lines of --help, and the page deploy/OPTIONS.md. */
#include <string.h>

#include "core/options_int.h"

#define HELP_WIDTH 80
#define HELP_COLUMN 32 /* where the meaning of a flag begins */

/* "1 to 20000 records", "kafka, jsonl"; nothing where there is no bound. */
static void
put_bounds(struct wn_buf *out, const struct wn_option_info *info)
{
    if (info->type == WN_OPTION_ENUM) {
        for (const char *p = info->min; *p != '\0'; p++) {
            if (*p == '|')
                wn_buf_str(out, ", ");
            else
                wn_buf_char(out, *p);
        }
    } else if (info->type == WN_OPTION_BOOL) {
        wn_buf_str(out, "true, false");
    } else if (info->min[0] != '\0') {
        wn_buf_printf(out, "%s to %s", info->min, info->max);
        if (info->unit[0] != '\0')
            wn_buf_printf(out, " %s", info->unit);
    }
}

static bool
wanted(const char *name, const char *const *prefixes)
{
    if (prefixes == NULL)
        return true;
    for (; *prefixes != NULL; prefixes++) {
        if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
            return true;
    }
    return false;
}

/* "  --store.batch-rows=N", padded; the spelling that flags usually have. */
static void
put_flag(struct wn_buf *out, const struct wn_option_info *info)
{
    static const char *const values[] = { "TEXT", "N", "SIZE", "", "WORD" };
    size_t begin = out->len;

    wn_buf_str(out, "  --");
    for (const char *p = info->name; *p != '\0'; p++)
        wn_buf_char(out, *p == '_' ? '-' : *p);
    if (values[info->type][0] != '\0')
        wn_buf_printf(out, "=%s", values[info->type]);
    do
        wn_buf_char(out, ' ');
    while (out->len - begin < HELP_COLUMN && !out->failed);
}

/* Text in lines of at most 80 columns; the first begins at column `column`,
 * the others stand under HELP_COLUMN. */
static void
put_wrapped(struct wn_buf *out, const char *text, size_t len, size_t column)
{
    size_t at = 0, n;

    while (at < len) {
        const char *end = memchr(text + at, ' ', len - at);

        n = end == NULL ? len - at : (size_t)(end - text) - at;
        if (column > HELP_COLUMN && column + 1 + n > HELP_WIDTH) {
            wn_buf_printf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (at > 0) {
            wn_buf_char(out, ' ');
            column++;
        }
        wn_buf_add(out, text + at, n);
        column += n;
        at += n + 1;
    }
    wn_buf_char(out, '\n');
}

static const char reloaded[] = "; a running worker reads it again on SIGHUP";

void
wn_options_help(struct wn_buf *out, const char *const *prefixes)
{
    const struct wn_option_info *info = wn_option_table;
    struct wn_buf text;
    size_t begin;

    wn_buf_init(&text, 4096);
    for (; info < wn_option_table + WN_OPT_COUNT; info++) {
        if (!wanted(info->name, prefixes))
            continue;
        begin = out->len;
        put_flag(out, info);
        wn_buf_reset(&text);
        wn_buf_str(&text, info->help);
        if (info->flags & WN_OPT_RELOAD)
            wn_buf_str(&text, reloaded);
        wn_buf_printf(&text, " [%s", info->def[0] == '\0' ? "none" : info->def);
        if (info->type == WN_OPTION_ENUM || info->min[0] != '\0') {
            wn_buf_str(&text, "; ");
            put_bounds(&text, info);
        }
        wn_buf_str(&text, "]");
        if (text.len > 0)
            put_wrapped(out, text.data, text.len, out->len - begin);
    }
    wn_buf_release(&text);
}

static const char page_head[] =
    "# Options\n"
    "\n"
    "This page is made from the table in `core/options.h` by `make docs`.\n"
    "\n"
    "Later sources win: the default; the file (`--config FILE`, else "
    "`WINNOW_CONFIG`, else\n"
    "`/etc/winnow/winnow.conf` when it is there); the environment "
    "(`WINNOW_STORE_BATCH_ROWS`); flags\n"
    "(`--store.batch-rows=500`, `--store.batch_rows 500`; a switch may stand "
    "alone: `--ingest.follow`).\n"
    "An unknown name or a bad value ends the program with status 78 and says "
    "where it stands.\n"
    "\n"
    "The file has lines `name = value`. `#` begins a comment at the start of "
    "a line or after a space;\n"
    "a value with such a `#`, or with spaces at its ends, goes in double "
    "quotes. Sizes take `k`, `m`\n"
    "and `g`, powers of 1024.\n";

static const char page_kafka[] =
    "\n## kafka.*\n"
    "\n"
    "Every `kafka.NAME` goes to librdkafka as `NAME`: "
    "`kafka.bootstrap.servers`, `kafka.group.id`,\n"
    "`kafka.security.protocol`, ... In the environment all underscores are "
    "dots:\n"
    "`WINNOW_KAFKA_BOOTSTRAP_SERVERS`. At most 256 of them. Values of names "
    "with `password`, `secret`,\n"
    "and the like are never shown. These are refused, because a wrong value "
    "would break a promise in silence:\n"
    "\n"
    "| Setting | Why it is not yours to set |\n"
    "|---|---|\n";

static const char page_env[] =
    "\n## Environment\n"
    "\n"
    "An unknown `WINNOW_*` variable is an error. Only `WINNOW_CONFIG` and "
    "what Kubernetes sets for a\n"
    "Service (`WINNOW_SERVICE_HOST`, `WINNOW_PORT_...`) are passed over.\n";

/* Rows of one section come together in the table. */
static void
put_section(struct wn_buf *out, const char *name)
{
    wn_buf_printf(out, "\n## %.*s\n\n", (int)strcspn(name, "."), name);
    wn_buf_str(out, "| Option | Default | Values | Meaning |\n"
                    "|---|---|---|---|\n");
}

static void
put_row(struct wn_buf *out, const struct wn_option_info *info)
{
    wn_buf_printf(out, "| `%s` | ", info->name);
    if (info->def[0] != '\0')
        wn_buf_printf(out, "`%s`", info->def);
    wn_buf_str(out, " | ");
    put_bounds(out, info);
    if (info->type == WN_OPTION_STR)
        wn_buf_str(out, info->flags & WN_OPT_SECRET ? "text, secret" : "text");
    wn_buf_printf(out, " | %s%s |\n", info->help,
        info->flags & WN_OPT_RELOAD ? reloaded : "");
}

void
wn_options_markdown(struct wn_buf *out)
{
    const struct wn_option_info *info = wn_option_table, *before = NULL;
    const char *name, *why;
    size_t len;

    wn_buf_str(out, page_head);
    for (; info < wn_option_table + WN_OPT_COUNT; before = info++) {
        len = strcspn(info->name, ".") + 1;
        if (before == NULL || strncmp(before->name, info->name, len) != 0)
            put_section(out, info->name);
        put_row(out, info);
    }
    wn_buf_str(out, page_kafka);
    for (size_t i = 0; wn_option_owned(i, &name, &why); i++)
        wn_buf_printf(out, "| `%s` | %s |\n", name, why);
    wn_buf_str(out, page_env);
}
