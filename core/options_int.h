/* What the files of the options share; see options.h. */
#ifndef WN_CORE_OPTIONS_INT_H
#define WN_CORE_OPTIONS_INT_H

#include "core/options.h"

#define WN_OPTION_NAME_MAX 128
#define WN_OPTION_VALUE_MAX 8192
#define WN_OPTIONS_KAFKA_MAX 256

enum wn_option_type {
    WN_OPTION_STR,
    WN_OPTION_INT,
    WN_OPTION_SIZE,
    WN_OPTION_BOOL,
    WN_OPTION_ENUM
};

struct wn_option_info {
    const char *name;
    enum wn_option_type type;
    const char *def, *min, *max, *unit;
    unsigned flags;
    const char *help;
};
extern const struct wn_option_info wn_option_table[WN_OPT_COUNT];

/* WN_OPT_COUNT where there is none. */
enum wn_option wn_option_find(const char *name);
/* Whether it could be a name: letters, digits, '.', '_' and '-'. What is not
 * is never shown, because secrets land at the wrong side of a '='. */
bool wn_option_is_name(const char *s);
/* The name that the unknown `name` was meant to be, or NULL. */
const char *wn_option_suggest(const char *name);
/* See wn_options_misused(). */
void wn_options_set_misused(struct wn_options *o);
/* An option, or a librdkafka setting with or without the prefix. */
bool wn_option_is_secret(const char *name);

/* The i-th setting that wn_options_kafka_owned() knows; false after them. */
bool wn_option_owned(size_t i, const char **ret_name, const char **ret_why);

#endif
