/*
 * The checker: compares what a producer says it sent (the ledger) with what
 * lies in PostgreSQL and on the output topics. It shares no code with the
 * service: own SQL, own hashing of the chain (libsodium directly).
 */
#ifndef WN_TESTS_RIG_CHECK_H
#define WN_TESTS_RIG_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

/* One record that the broker acknowledged. */
struct ledger_row {
    int32_t part;
    int64_t offset;
    uint64_t serial; /* number of the post: id "rig-<serial>" */
};

struct ledger {
    struct ledger_row *rows;
    size_t n, cap;
};

void ledger_add(
    struct ledger *l, int32_t part, int64_t offset, uint64_t serial);
void ledger_free(struct ledger *l);

struct findings {
    int64_t records;          /* of the ledger                            */
    int64_t lost;             /* offsets without a verdict row            */
    int64_t doubled_verdicts; /* rows beyond one an offset                */
    int64_t doubled_audit;    /* audit rows of records beyond one         */
    int64_t missing_audit;    /* offsets without an audit row             */
    int64_t foreign;          /* verdict rows that no ledger row explains */
    int64_t quarantined;      /* dead letters of class crash              */
    int64_t broken_chains;    /* partitions whose chain does not hold     */
    int64_t broken_leaves;    /* audit rows whose leaf is not their body's */
    int64_t behind;           /* partitions whose cursor is not at the end */
    int64_t outputs_missing;  /* verdict ids that never reached the topic */
    int64_t outputs_foreign;  /* ids on the topic that no verdict has     */
    int64_t outputs_again;    /* messages beyond one an id: a death may
                                 repeat the chunk after the watermark     */
};

/* Ids found on the output topic, 16 bytes each, in any order. */
struct ids {
    uint8_t (*id)[16];
    size_t n, cap;
};
void ids_add(struct ids *ids, const uint8_t id[16]);
void ids_free(struct ids *ids);

/*
 * ends[p] is the end offset of partition p. ids may be NULL: then the topic
 * is not compared. Exits with a message when the database does not answer.
 */
void check(PGconn *db, const char *topic, const struct ledger *l,
    const int64_t *ends, size_t parts, struct ids *ids, struct findings *ret);

/* Prints a line each; returns how many of them must not be. deaths: whether
 * workers or servers died, so that an output may be repeated. */
int64_t check_print(const struct findings *f, bool deaths);

#endif
