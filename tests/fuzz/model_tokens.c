/*
 * libFuzzer: any bytes as a text, through each kind of tokenizer of
 * tests/golden. Tokens are of the vocabulary and none is special; their places
 * are whole characters of the text, and never fall. Runs in the repository's
 * root.
 */
#include <stdlib.h>

#include <unicode/utf8.h>

#include "model/tokenizer.h"

#define MAX ((size_t)1 << 16)
#define KINDS 3

static struct wn_tokenizer *kinds[KINDS];
static struct wn_tokens tokens[KINDS];

static void
must(bool holds)
{
    if (!holds)
        abort();
}

static void
open_all(void)
{
    static const char *const dirs[KINDS] = { "tests/golden/bert",
        "tests/golden/xlm_roberta", "tests/golden/roberta" };
    struct wn_err err;

    for (int i = 0; i < KINDS; i++) {
        must(wn_tokenizer_open(&kinds[i], dirs[i], &err) == WN_OK);
        wn_tokens_init(&tokens[i]);
    }
}

/* Does no character go on over this place? Broken ones end anywhere. */
static bool
is_between(const uint8_t *text, size_t len, size_t at)
{
    int32_t start = (int32_t)at, next, c;

    if (at == 0 || at == len || (text[at] & 0xc0) != 0x80)
        return true;
    U8_SET_CP_START(text, 0, start);
    next = start;
    U8_NEXT(text, next, (int32_t)len, c);
    return c < 0 || next <= (int32_t)at;
}

static void
check(const struct wn_tokenizer *t, const struct wn_tokens *tk,
    const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < tk->n; i++) {
        must(tk->ids[i] >= 0 && (size_t)tk->ids[i] < wn_tokenizer_vocab(t));
        must(tk->ids[i] != wn_tokenizer_cls(t) &&
             tk->ids[i] != wn_tokenizer_sep(t));
        must(tk->start[i] < tk->end[i] && tk->end[i] <= len);
        must(is_between(text, len, tk->start[i]));
        must(is_between(text, len, tk->end[i]));
        must(i == 0 || (tk->start[i] >= tk->start[i - 1] &&
                           tk->end[i] >= tk->end[i - 1]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wn_err err;

    if (kinds[0] == NULL)
        open_all();
    if (size > MAX)
        return 0;
    for (int i = 0; i < KINDS; i++) {
        must(wn_tokenizer_run(kinds[i], (const char *)data, size, &tokens[i],
                 &err) == WN_OK);
        check(kinds[i], &tokens[i], data, size);
    }
    return 0;
}
