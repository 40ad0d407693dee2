/* The binary under test, $BUILD/winnow (build/winnow where BUILD is not set):
 * tests of commands run it as a user would. One thread. */
#ifndef WN_TESTS_LIB_PROGRAM_H
#define WN_TESTS_LIB_PROGRAM_H

#include <stddef.h>

/* Its path, good until the next call. */
const char *wn_program(void);
/* Runs `winnow ARGS` by the shell, its streams to `out` and `out.err` in dir;
 * the exit status. */
int wn_program_run(const char *dir, const char *args);
/* The same, both streams together into `out`, of which the first room - 1
 * bytes are kept, and nothing on standard input. */
int wn_program_say(const char *args, char *out, size_t room);
/* A file of dir as text, good until the next call. Fails where there is none.
 */
const char *wn_program_file(const char *dir, const char *name);

#endif
