/*
 * Text to tokens, id for id as Hugging Face tokenizers (Rust) gives them for
 * the loaded folder: WordPiece of BERT, byte-level BPE of RoBERTa, or the
 * Unigram model of XLM-R and E5.
 * Read-only once open: any number of threads, each with its own wn_tokens.
 *
 * Text that spells a special token ("[SEP]", "</s>") is text here: it must not
 * be in the hand of who writes a post.
 */
#ifndef WN_MODEL_TOKENIZER_H
#define WN_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct wn_tokenizer;

/* tokenizer.json; of WordPiece also vocab.txt, with tokenizer_config.json for
 * lowercase, strip_accents and handle_chinese_chars where there is no
 * tokenizer.json. WN_REJECT: the file and the member that is not supported. */
enum wn_status wn_tokenizer_open(
    struct wn_tokenizer **ret, const char *dir, struct wn_err *err);
void wn_tokenizer_free(struct wn_tokenizer *t);

struct wn_token_scratch;
struct wn_tokens {
    int32_t *ids;
    uint32_t *start, *end; /* bytes of the input that a token came from,
                              [start, end), widened to whole characters: of
                              WordPiece its word, else the piece itself with
                              the space before it. Neither ever falls. */
    size_t n, cap;
    struct wn_token_scratch *scratch; /* the tokenizer's, NULL at first */
};
void wn_tokens_init(struct wn_tokens *tk);
void wn_tokens_release(struct wn_tokens *tk);

/* Tokens of text (valid UTF-8) without special ones, replacing what tk held.
 * WN_STOP without memory. Linear in len. */
enum wn_status wn_tokenizer_run(const struct wn_tokenizer *t, const char *text,
    size_t len, struct wn_tokens *tk, struct wn_err *err);

/* What stands before and after the tokens of a text: [CLS] and [SEP], or <s>
 * and </s>. */
int32_t wn_tokenizer_cls(const struct wn_tokenizer *t);
int32_t wn_tokenizer_sep(const struct wn_tokenizer *t);
/* What stands for a token that is hidden: [MASK], or the unknown one where
 * there is none. */
int32_t wn_tokenizer_mask(const struct wn_tokenizer *t);
/* One more than the largest id. */
size_t wn_tokenizer_vocab(const struct wn_tokenizer *t);

#endif
