/*
 * Attacked texts: each attack does what its name says and no more, links stay
 * links, the same seed gives the same text, and training does not know the
 * data they are made of.
 */
#include "cmd/attack.h"

#include <dirent.h>

#include "classifier/text.h"
#include "core/utf8.h"
#include "tests/lib/test.h"

static const char plain[] =
    "Claim your free lottery prize now at https://prize.example/claim or "
    "write to @winner #lucky";

static struct wn_str
str_of(const char *s)
{
    return (struct wn_str){ s, strlen(s) };
}

/* The attacked text; "" where nothing was changed. */
static const char *
make(enum wn_attack a, const char *text, uint64_t seed)
{
    static char kept[4][200000];
    static int next;
    char *ret = kept[next++ % 4];
    struct wn_buf out;
    bool changed;

    wn_buf_init(&out, 1u << 20);
    changed = wn_attack_make(a, str_of(text), seed, &out);
    assert_false(out.failed);
    snprintf(ret, sizeof(kept[0]), "%.*s", changed ? (int)out.len : 0,
        out.data == NULL ? "" : out.data);
    wn_buf_release(&out);
    return ret;
}

static size_t
words_of(const char *s)
{
    size_t n = 0;

    for (bool in = false; *s != '\0'; s++) {
        n += *s != ' ' && *s != '\n' && !in;
        in = *s != ' ' && *s != '\n';
    }
    return n;
}

/* What the hardened text makes of it. */
static const char *
hardened(const char *s)
{
    static char kept[200000];
    struct wn_text t;
    struct wn_err err;

    wn_text_init(&t);
    assert_wn_ok(wn_text_harden(&t, s, strlen(s), &err), &err);
    snprintf(kept, sizeof(kept), "%s", t.data);
    wn_text_release(&t);
    return kept;
}

static void
the_same_seed_gives_the_same_text(void **state)
{
    (void)state;
    for (int a = 0; a < WN_ATTACKS; a++) {
        size_t differ = 0;

        assert_string_equal(make((enum wn_attack)a, plain, 7),
            make((enum wn_attack)a, plain, 7));
        for (uint64_t seed = 1; seed < 20; seed++) {
            const char *s = make((enum wn_attack)a, plain, seed);

            assert_true(s[0] != '\0');
            assert_string_not_equal(s, plain);
            differ += strcmp(s, make((enum wn_attack)a, plain, 99)) != 0;
        }
        assert_true(differ >= 10);
    }
}

/* For every seed and attack, whatever the bytes: valid UTF-8 stays valid, and
 * what a reader must be able to follow is there, unbroken. */
static void
links_handles_and_tags_work_still(void **state)
{
    (void)state;
    for (int a = 0; a < WN_ATTACKS; a++)
        for (uint64_t seed = 0; seed < 50; seed++) {
            const char *s = make((enum wn_attack)a, plain, seed);

            assert_non_null(strstr(s, "https://prize.example/claim"));
            assert_non_null(strstr(s, "@winner"));
            assert_non_null(strstr(s, "#lucky"));
            for (size_t at = 0, len; s[at] != '\0'; at += len) {
                len = wn_utf8_len(s + at, strlen(s + at));
                assert_true(len > 0);
            }
        }
}

static void
letters_are_spaced_and_hidden(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        const char *s = make(WN_ATTACK_SPACING, "lottery", seed);

        assert_int_equal(s[0], 'l');
        assert_int_equal(s[strlen(s) - 1], 'y');
        assert_true(strlen(s) >= 13);
        /* what is invisible goes when the text is hardened */
        s = make(WN_ATTACK_ZERO_WIDTH, "free lottery prize", seed);
        assert_true(strlen(s) > 18);
        assert_string_equal(hardened(s), "free lottery prize");
    }
}

/* Every letter is its own twin's: one character for one. */
static void
letters_are_replaced_one_by_one(void **state)
{
    static const enum wn_attack attacks[] = { WN_ATTACK_HOMOGLYPH,
        WN_ATTACK_STYLED, WN_ATTACK_LEET };
    static const char text[] = "abcdefghijklm nopqrstuvwxyz ABCDEFG HIJKLMNOP "
                               "QRSTUVWXYZ";

    (void)state;
    for (size_t a = 0; a < 3; a++)
        for (uint64_t seed = 0; seed < 50; seed++) {
            const char *s = make(attacks[a], text, seed);
            size_t chars = 0, kept = 0;

            for (size_t at = 0, len; s[at] != '\0'; at += len, chars++) {
                len = wn_utf8_len(s + at, strlen(s + at));
                assert_true(len > 0);
                assert_true(chars < strlen(text));
                kept += len == 1 && s[at] == text[chars];
                if (text[chars] == ' ')
                    assert_int_equal(s[at], ' ');
            }
            assert_int_equal(chars, strlen(text));
            assert_true(kept < strlen(text));
        }
    /* a style spans its whole alphabet */
    for (size_t k = 0; k < wn_attack_styles_n; k++)
        assert_true(wn_attack_styles[k].lower >= 0x2000 &&
                    wn_attack_styles[k].upper >= 0x2000);
}

static void
harmless_words_are_as_many_as_said(void **state)
{
    static const char text[] = "win a prize";

    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        size_t n = words_of(make(WN_ATTACK_SUFFIX, text, seed)) - 3;

        assert_true(n >= 1 && n <= 10);
        n = words_of(make(WN_ATTACK_HASHTAGS, text, seed)) - 3;
        assert_true(n >= 5 && n <= 15);
    }
    assert_int_equal(words_of(make(WN_ATTACK_FRONT_300, text, 1)), 303);
    assert_int_equal(words_of(make(WN_ATTACK_BEHIND_3000, text, 1)), 3003);
    assert_memory_equal(make(WN_ATTACK_BEHIND_300, text, 1), text, 11);
    assert_string_equal(
        strstr(make(WN_ATTACK_FRONT_3000, text, 1), "\n\n") + 2, text);
}

static void
what_cannot_change_is_said_not_to(void **state)
{
    (void)state;
    assert_string_equal(make(WN_ATTACK_HOMOGLYPH, "12345 67", 1), "");
    assert_string_equal(make(WN_ATTACK_STYLED, "", 1), "");
    assert_string_equal(make(WN_ATTACK_LEET, "xxx", 1), "");
    assert_string_equal(
        make(WN_ATTACK_HOMOGLYPH, "\xd0\xb4\xd0\xbe\xd0\xbc", 1), "");
    assert_string_equal(make(WN_ATTACK_SPACING, "@you #me a/b", 1), "");
}

static void
bytes_that_are_no_text_stay(void **state)
{
    (void)state;
    for (int a = 0; a < WN_ATTACK_SUFFIX; a++) {
        const char *s =
            make((enum wn_attack)a, "\xff\xfelottery\xc3 \xe2\x82", 3);

        assert_memory_equal(s, "\xff\xfe", 2);
        assert_non_null(strstr(s, "\xc3 \xe2\x82"));
    }
}

/* --- training does not know --- */

static bool
mentions(const char *path, const char *what)
{
    FILE *f = fopen(path, "re");
    char line[4096];
    bool found = false;

    assert_non_null(f);
    while (!found && fgets(line, sizeof(line), f) != NULL)
        found = strstr(line, what) != NULL;
    fclose(f);
    return found;
}

/* How many files of `folder` there are whose names begin with `prefix`; none
 * may name attack.h or attack_data. */
static size_t
check_folder(const char *folder, const char *prefix)
{
    DIR *d = opendir(folder);
    const struct dirent *entry;
    size_t n = 0;

    while (d != NULL && (entry = readdir(d)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.' ||
            strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (mentions(path, "cmd/attack") || mentions(path, "wn_attack"))
            fail_msg("%s: training must not know what is measured", path);
        n++;
    }
    if (d != NULL)
        closedir(d);
    return n;
}

static void
training_does_not_know_them(void **state)
{
    (void)state;
    assert_true(check_folder("cmd", "train") > 3);
    check_folder("model/train", "");
    check_folder("model", "heads_train");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_same_seed_gives_the_same_text),
    cmocka_unit_test(links_handles_and_tags_work_still),
    cmocka_unit_test(letters_are_spaced_and_hidden),
    cmocka_unit_test(letters_are_replaced_one_by_one),
    cmocka_unit_test(harmless_words_are_as_many_as_said),
    cmocka_unit_test(what_cannot_change_is_said_not_to),
    cmocka_unit_test(bytes_that_are_no_text_stay),
    cmocka_unit_test(training_does_not_know_them),
};
WN_TEST_MAIN("cmd/attack", tests)
