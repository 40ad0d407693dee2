/*
 * WordPiece with BertNormalizer and BertPreTokenizer, id for id as Hugging
 * Face tokenizers (Rust) gives them for the loaded folder. Read-only once
 * open: any number of threads, each with its own wn_tokens.
 */
#ifndef WN_MODEL_TOKENIZER_H
#define WN_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct wn_tokenizer;

/* vocab.txt, with tokenizer_config.json / tokenizer.json for lowercase,
 * strip_accents and handle_chinese_chars where they are there. */
enum wn_status wn_tokenizer_open(
    struct wn_tokenizer **ret, const char *dir, struct wn_err *err);
void wn_tokenizer_free(struct wn_tokenizer *t);

struct wn_tokens {
    int32_t *ids;
    uint32_t *start, *end; /* bytes of the input that a token came from:
                              [start, end) of its word, widened to whole
                              characters of the input                    */
    size_t n, cap;
};
void wn_tokens_init(struct wn_tokens *tk);
void wn_tokens_release(struct wn_tokens *tk);

/* Tokens of text (valid UTF-8) without special ones, replacing what tk held.
 * WN_STOP without memory. Linear in len. */
enum wn_status wn_tokenizer_run(const struct wn_tokenizer *t, const char *text,
    size_t len, struct wn_tokens *tk, struct wn_err *err);

int32_t wn_tokenizer_cls(const struct wn_tokenizer *t);
int32_t wn_tokenizer_sep(const struct wn_tokenizer *t);
int32_t wn_tokenizer_pad(const struct wn_tokenizer *t);
/* What stands for a token that is hidden: [MASK], or the unknown one where
 * there is none. */
int32_t wn_tokenizer_mask(const struct wn_tokenizer *t);
size_t wn_tokenizer_vocab(const struct wn_tokenizer *t);

#endif
