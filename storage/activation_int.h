/* The body of an activation's audit row: for activation.c and the test that
 * holds its form. */
#ifndef WN_STORAGE_ACTIVATION_INT_H
#define WN_STORAGE_ACTIVATION_INT_H

#include "storage/staff_int.h"

struct wn_activation_body {
    int32_t source;
    int64_t seq, ts_us, id;
    const char *kind, *version, *before; /* "": each worker's own */
    bool rollback;
    const char *staff_id, *reason;
    const uint8_t *salt; /* of the person */
};
void wn_activation_body(struct wn_buf *o, const struct wn_activation_body *b);

#endif
