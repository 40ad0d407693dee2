/* Whole files: hashing one, writing one. */
#ifndef WN_CMD_FILES_H
#define WN_CMD_FILES_H

#include <stdint.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/status.h"

/* Lower-case hex and NUL, and the size; either may be NULL. WN_REJECT:
 * "PATH: why". */
enum wn_status wn_file_sha256(const char *path, char ret_hex[2 * WN_SHA256 + 1],
    uint64_t *ret_bytes, struct wn_err *err);

/* Whether a file could be written there, as far as can be told without doing
 * it; "-" can. For before hours of work. */
enum wn_status wn_file_may_write(const char *path, struct wn_err *err);

/* Writes all of b; "-" is standard output. A buffer that failed is
 * WN_STOP. */
enum wn_status wn_file_write(
    const char *path, const struct wn_buf *b, struct wn_err *err);

/* The same through PATH.tmp and a rename: the old file stays whole until the
 * new one is. For regular files. */
enum wn_status wn_file_replace(
    const char *path, const struct wn_buf *b, struct wn_err *err);

#endif
