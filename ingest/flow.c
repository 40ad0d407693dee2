/* The flow of one post; see flow.h. */
#include "ingest/flow.h"

static const char *const names[WN_FLOW_STATES] = {
    [WN_FLOW_READ] = "read",
    [WN_FLOW_SCORED] = "scored",
    [WN_FLOW_DECIDED] = "decided",
    [WN_FLOW_DELETED] = "deleted",
    [WN_FLOW_DEAD] = "dead",
    [WN_FLOW_STORED] = "stored",
    [WN_FLOW_DROPPED] = "dropped",
};

struct move {
    enum wn_flow from, to;
    const char *why;
};

/* Every move there is. `winnow run --print-flow` shows this same table. */
/* clang-format off */
static const struct move moves[] = {
    { WN_FLOW_READ,    WN_FLOW_SCORED,  "every label has a score, or the skipped stage is named" },
    { WN_FLOW_READ,    WN_FLOW_DELETED, "the platform took the post back: nothing to score" },
    { WN_FLOW_READ,    WN_FLOW_DEAD,    "nobody can read it, or it killed three workers alone in hand" },
    { WN_FLOW_READ,    WN_FLOW_DROPPED, "another worker owns the partition, or we are stopping" },
    { WN_FLOW_SCORED,  WN_FLOW_DECIDED, "the policy gave exactly one action" },
    { WN_FLOW_DECIDED, WN_FLOW_STORED,  "verdict, audit row and cursor are committed" },
    { WN_FLOW_DECIDED, WN_FLOW_DROPPED, "another worker owns the partition, or we are stopping" },
    { WN_FLOW_DELETED, WN_FLOW_STORED,  "content is erased, audit row and cursor are committed" },
    { WN_FLOW_DELETED, WN_FLOW_DROPPED, "another worker owns the partition, or we are stopping" },
    { WN_FLOW_DEAD,    WN_FLOW_STORED,  "bytes and cause are committed for people to look at" },
    { WN_FLOW_DEAD,    WN_FLOW_DROPPED, "another worker owns the partition, or we are stopping" },
};
/* clang-format on */

#define MOVES (sizeof(moves) / sizeof(moves[0]))

void
wn_flow_move(struct wn_item *item, enum wn_flow to)
{
    bool known = false;
    size_t i;

    for (i = 0; i < MOVES; i++)
        known =
            known || ((int)moves[i].from == item->flow && moves[i].to == to);
    WN_ASSERT(known);
    item->flow = (int)to;
}

const char *
wn_flow_name(enum wn_flow state)
{
    return names[state];
}

void
wn_flow_print(struct wn_buf *out)
{
    size_t i;

    for (i = 0; i < MOVES; i++)
        wn_buf_printf(out, "%-8s -> %-8s %s\n", names[moves[i].from],
            names[moves[i].to], moves[i].why);
}
