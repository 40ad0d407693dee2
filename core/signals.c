/* The catalogue as data, and its look-up by name. Constant; any thread. */
#include "core/signals.h"

#include <string.h>

const struct wn_signal_info wn_signal_table[WN_SIG_COUNT] = {
#define X(id, name, type, unit, keep, meaning)                                 \
    [WN_SIG_##                                                                 \
        id] = { #id, name, WN_TYPE_##type, unit, WN_KEEP_##keep, meaning },
    WN_SIGNALS(X)
#undef X
};

/* A walk: names are looked up when a policy is loaded, not for each post. */
enum wn_signal
wn_signal_find(const char *name, size_t len)
{
    const char *have;

    for (int i = 0; i < WN_SIG_COUNT; i++) {
        have = wn_signal_table[i].name;
        if (strlen(have) == len && memcmp(have, name, len) == 0)
            return (enum wn_signal)i;
    }
    return WN_SIG_COUNT;
}

const char *
wn_signal_type_name(enum wn_signal_type type)
{
    static const char *const names[] = {
        [WN_TYPE_BOOL] = "bool",
        [WN_TYPE_INT] = "int",
        [WN_TYPE_DOUBLE] = "double",
        [WN_TYPE_STRING] = "string",
        [WN_TYPE_LIST] = "list",
        [WN_TYPE_MAP] = "map",
    };

    if ((size_t)type >= sizeof(names) / sizeof(names[0]))
        return "unknown";
    return names[type];
}
