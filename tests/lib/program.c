/* Running the binary under test; see program.h. */
#include "tests/lib/program.h"

#include <sys/wait.h>

#include "tests/lib/test.h"

const char *
wn_program(void)
{
    static char path[4096];
    const char *build = getenv("BUILD");

    snprintf(path, sizeof(path), "%s/winnow",
        build == NULL || build[0] == '\0' ? "build" : build);
    return path;
}

static int
exit_status(int status)
{
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int
wn_program_run(const char *dir, const char *args)
{
    char command[32000];

    if (snprintf(command, sizeof(command), "'%s' %s >'%s/out' 2>'%s/out.err'",
            wn_program(), args, dir, dir) >= (int)sizeof(command))
        fail_msg("arguments of more than %zu bytes", sizeof(command));
    return exit_status(system(command));
}

int
wn_program_say(const char *args, char *out, size_t room)
{
    char command[32000], rest[4096];
    size_t n;
    FILE *f;

    if (snprintf(command, sizeof(command), "'%s' %s 2>&1 </dev/null",
            wn_program(), args) >= (int)sizeof(command))
        fail_msg("arguments of more than %zu bytes", sizeof(command));
    fflush(stdout);
    f = popen(command, "r");
    assert_non_null(f);
    n = fread(out, 1, room - 1, f);
    out[n] = '\0';
    while (fread(rest, 1, sizeof(rest), f) > 0)
        continue;
    return exit_status(pclose(f));
}

const char *
wn_program_file(const char *dir, const char *name)
{
    static char text[1 << 18];
    char path[8192];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "re");
    if (f == NULL)
        fail_msg("%s is not there", path);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}
