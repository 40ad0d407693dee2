/* What every test program shares; see test.h. */
#include "tests/lib/test.h"

#include <ftw.h>
#include <unistd.h>

#include "core/hash.h"

static char dir[4096];
static pid_t dir_owner;

uint64_t
wn_test_seed(void)
{
    const char *s = getenv("WN_SEED");

    return s == NULL ? 1 : strtoull(s, NULL, 0);
}

uint64_t
wn_test_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    remove(path);
    return 0;
}

/* A child that was forked by a test ends before the folder's owner does. */
static void
remove_dir(void)
{
    if (getpid() == dir_owner)
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
wn_test_dir(void)
{
    const char *tmp = getenv("TMPDIR");

    if (dir[0] != '\0')
        return dir;
    snprintf(dir, sizeof(dir), "%s/winnow-test.XXXXXX",
        tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        exit(1);
    }
    dir_owner = getpid();
    atexit(remove_dir);
    return dir;
}

int
wn_test_run(const char *group, const struct CMUnitTest *tests, size_t n,
    CMFixtureFunction setup, CMFixtureFunction teardown)
{
    const char *filter = getenv("WN_TEST_FILTER");

    wn_hash_setup();
    if (filter != NULL && filter[0] != '\0')
        cmocka_set_test_filter(filter);
    return _cmocka_run_group_tests(group, tests, n, setup, teardown);
}
