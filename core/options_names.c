/*
 * What names mean: which librdkafka settings are not the user's, which values
 * are secrets, and what a mistyped name was meant to be.
 */
#include <string.h>

#include "core/options_int.h"
#include "core/suggest.h"

/* A wrong value of any of these makes the cursor's fence, or the outbox, say
 * something false without an error. */
static const struct {
    const char *name, *why;
} owned[] = {
    { "enable.auto.commit", "the database cursor says what is done; Kafka's "
                            "offset is only its mirror" },
    { "auto.commit.enable", "the database cursor says what is done; Kafka's "
                            "offset is only its mirror" },
    { "enable.auto.offset.store", "offsets are mirrored after the commit, "
                                  "never before" },
    { "offset.store.method", "the database holds the cursors" },
    { "auto.offset.reset", "a reset would skip or repeat records in silence; "
                           "ingest.start says where a new topic begins" },
    { "partition.assignment.strategy", "use ingest.assignor" },
    { "group.protocol", "partitions are claimed in rebalances of the classic "
                        "protocol" },
    { "group.remote.assignor", "partitions are claimed in rebalances of the "
                               "classic protocol" },
    { "isolation.level", "records of aborted transactions must not be judged" },
    { "check.crcs", "a record that was damaged on its way must not be judged" },
    { "enable.partition.eof", "the lag and the end of a run are told by it" },
    { "enable.idempotence", "the outbox keeps its order by it" },
    { "transactional.id", "the outbox is relayed without transactions" },
    { "acks", "the outbox forgets a row only when all replicas have it" },
    { "request.required.acks", "the outbox forgets a row only when all "
                               "replicas have it" },
    { "message.timeout.ms", "what expired in the client's queue would be sent "
                            "again behind later rows" },
    { "delivery.timeout.ms", "what expired in the client's queue would be sent "
                             "again behind later rows" },
    { "delivery.report.only.error", "the outbox forgets a row by its report" },
};

const char *
wn_options_kafka_owned(const char *name)
{
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        if (strcmp(owned[i].name, name) == 0)
            return owned[i].why;
    }
    return NULL;
}

bool
wn_option_is_name(const char *s)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(s);

    return len > 0 && strspn(s, allowed) == len;
}

bool
wn_option_owned(size_t i, const char **ret_name, const char **ret_why)
{
    if (i >= sizeof(owned) / sizeof(owned[0]))
        return false;
    *ret_name = owned[i].name;
    *ret_why = owned[i].why;
    return true;
}

bool
wn_option_is_secret(const char *name)
{
    static const char *const marks[] = { "password", "secret", "private",
        "credential", "jaas", "ssl.key.pem", "ssl_key", "oauthbearer.config" };
    enum wn_option id = wn_option_find(name);

    if (id != WN_OPT_COUNT)
        return (wn_option_table[id].flags & WN_OPT_SECRET) != 0;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (strstr(name, marks[i]) != NULL)
            return true;
    }
    return false;
}

const char *
wn_option_shown(const char *name, const char *value)
{
    /* That a secret is empty is no secret, and often the answer sought. */
    if (value[0] != '\0' && wn_option_is_secret(name))
        return "***";
    return value;
}

/* How far `name` is from `have`; a name without its section is near. */
static size_t
distance(const char *name, const char *have)
{
    const char *dot = strchr(have, '.');

    if (dot != NULL && strcmp(name, dot + 1) == 0)
        return 1;
    return wn_edits(name, strlen(name), have, strlen(have));
}

const char *
wn_option_suggest(const char *name)
{
    /* Pass-through names that are often written without their prefix. */
    static const char *const others[] = { "kafka.bootstrap.servers",
        "kafka.group.id", "kafka.client.id", "kafka.security.protocol" };
    const size_t n = WN_OPT_COUNT + sizeof(others) / sizeof(others[0]);
    const char *best = NULL, *have;
    size_t limit = strlen(name) / 4 + 2, d; /* taken below it only */

    for (size_t i = 0; i < n; i++) {
        have = i < WN_OPT_COUNT ? wn_option_table[i].name
                                : others[i - WN_OPT_COUNT];
        d = distance(name, have);
        if (d < limit) {
            best = have;
            limit = d;
        }
    }
    return best;
}
