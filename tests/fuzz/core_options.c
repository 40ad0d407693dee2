/*
 * libFuzzer: any bytes as an options file, and what follows a zero byte as
 * variables (WINNOW_...) and arguments, a zero byte between. What loads has
 * every value within its row of the table; what does not says where.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/options_int.h"

#define MAX ((size_t)1 << 13)
#define WORDS_MAX 32

static void
must(bool holds)
{
    if (!holds)
        abort();
}

static int64_t
bound(const char *s)
{
    char *unit;
    int64_t v = strtoll(s, &unit, 10);

    switch (*unit) {
    case 'k':
        return v << 10;
    case 'm':
        return v << 20;
    case 'g':
        return v << 30;
    default:
        return v;
    }
}

/* Whether s is one of "a|b|c". */
static bool
is_word_of(const char *s, const char *words)
{
    size_t len = strlen(s), n;

    for (; *words != '\0'; words += n + (words[n] == '|')) {
        n = strcspn(words, "|");
        if (n == len && memcmp(words, s, n) == 0)
            return true;
    }
    return false;
}

static void
check_row(const struct wn_options *o, enum wn_option id)
{
    const struct wn_option_info *row = &wn_option_table[id];

    must(wn_opt_where(o, id)[0] != '\0');
    switch (row->type) {
    case WN_OPTION_STR:
        must(strlen(wn_opt_str(o, id)) <= WN_OPTION_VALUE_MAX);
        break;
    case WN_OPTION_INT:
    case WN_OPTION_SIZE:
        must(wn_opt_int(o, id) >= bound(row->min));
        must(wn_opt_int(o, id) <= bound(row->max));
        break;
    case WN_OPTION_BOOL:
        (void)wn_opt_bool(o, id);
        break;
    case WN_OPTION_ENUM:
        must(is_word_of(wn_opt_str(o, id), row->min));
        break;
    }
    if (row->flags & WN_OPT_SECRET && wn_opt_str(o, id)[0] != '\0')
        must(strcmp(wn_option_shown(row->name, wn_opt_str(o, id)), "***") == 0);
}

static void
check_all(const struct wn_options *o)
{
    const char *name, *value;

    for (int id = 0; id < WN_OPT_COUNT; id++)
        check_row(o, (enum wn_option)id);
    must(wn_options_kafka_n(o) <= WN_OPTIONS_KAFKA_MAX);
    for (size_t i = 0; i < wn_options_kafka_n(o); i++) {
        wn_options_kafka(o, i, &name, &value);
        must(name[0] != '\0' && wn_options_kafka_owned(name) == NULL);
        must(strlen(value) <= WN_OPTION_VALUE_MAX);
    }
}

static void
put_file(int fd, const char *p, size_t len)
{
    must(ftruncate(fd, 0) == 0);
    must(pwrite(fd, p, len, 0) == (ssize_t)len);
}

/* words: strings one after the other; another --config is not opened. */
static void
load(const char *words, const char *end, char *config)
{
    static const char *const own[] = { "--jsonl", "--top=", NULL };
    char *argv[WORDS_MAX + 2], *env[WORDS_MAX + 2];
    int argc = 1, envc = 1;
    struct wn_options *o = wn_options_new();
    struct wn_err err = { "" };
    enum wn_status rc;

    must(o != NULL);
    argv[0] = "winnow";
    env[0] = config;
    for (; words < end && argc + envc < WORDS_MAX; words += strlen(words) + 1) {
        if (strncmp(words, "WINNOW_", 7) == 0)
            env[envc++] = (char *)words;
        else if (strncmp(words, "--config", 8) != 0)
            argv[argc++] = (char *)words;
    }
    argv[argc] = env[envc] = NULL;
    rc = wn_options_load(o, &argc, argv, own, env, &err);
    must(rc == WN_OK || (rc == WN_REJECT && err.text[0] != '\0'));
    if (rc == WN_OK) {
        must(argc >= 1 && argv[argc] == NULL);
        check_all(o);
    }
    wn_options_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char config[64], text[MAX + 1];
    static int fd = -1;
    size_t len;

    if (fd < 0) {
        fd = memfd_create("fuzz", 0);
        snprintf(config, sizeof(config), "WINNOW_CONFIG=/proc/self/fd/%d", fd);
    }
    if (size > MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    len = strlen(text);
    put_file(fd, text, len);
    load(text + len + 1, text + size, config);
    return 0;
}
