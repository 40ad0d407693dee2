/*
 * What the reference tokenizer knows of a character, at the Unicode versions
 * that it knows it: tokenizers (Rust) 0.23 takes categories from a table of
 * Unicode 8.0, normal forms and combining marks from one of 9.0, white space
 * and lower case from Rust itself (17.0), and letters and numbers of byte-level
 * BPE from Oniguruma (16.0). ICU's data, of 15.0 or later, is cut back by the
 * age of each character and newer characters are listed, so a newer ICU changes
 * nothing; make_golden.py compares all 1,112,064 characters.
 */
#ifndef WN_MODEL_UNICODE_H
#define WN_MODEL_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct wn_unicode; /* ICU's decomposition data; never freed, any thread */

/* WN_STOP where ICU cannot find its data. */
enum wn_status wn_unicode_get(
    const struct wn_unicode **ret, struct wn_err *err);

/* Letter (L*), number (N*), white space, or none of them. */
enum wn_word_class { WN_LETTER, WN_NUMBER, WN_SPACE, WN_OTHER };
enum wn_word_class wn_unicode_word_class(int32_t c);
/* What regular expressions call \w: letters, marks, digits, connectors. */
bool wn_unicode_is_word(int32_t c);

/* Control, format, private use: what clean_text deletes. Unassigned stays. */
bool wn_unicode_is_other(int32_t c);
bool wn_unicode_is_space(int32_t c);
/* Category P*, or ASCII that is neither letter, digit, space nor control. */
bool wn_unicode_is_punct(int32_t c);
/* Category Mn. */
bool wn_unicode_is_mark(int32_t c);
/* Category M, as of Unicode 9.0. */
bool wn_unicode_is_combining(int32_t c);
/* The blocks that the normalizer pads with spaces; 2B820..2B91F is missing
 * there, so it is here. */
bool wn_unicode_is_cjk(int32_t c);
/* Lower case of one character alone, without its context: 1 or 2 of them. */
size_t wn_unicode_lower(int32_t c, int32_t out[2]);

#define WN_DECOMPOSED_MAX 32
/* Full canonical decomposition: the number of characters, at least 1. */
size_t wn_unicode_decompose(
    const struct wn_unicode *u, int32_t c, int32_t out[WN_DECOMPOSED_MAX]);
/* Canonical combining class; 0 for what starts a sequence. */
uint8_t wn_unicode_class(int32_t c);

enum wn_form { WN_NFC, WN_NFD, WN_NFKC, WN_NFKD };
struct wn_unicode_form; /* a form's data; never freed, any thread */

/* WN_STOP where ICU cannot find its data. */
enum wn_status wn_unicode_get_form(
    const struct wn_unicode_form **ret, enum wn_form form, struct wn_err *err);
/* Bits of a character: the form leaves it alone as it is, and nothing before
 * it changes with it. */
enum { WN_FORM_SELF = 1, WN_FORM_BOUNDARY = 2 };
unsigned wn_unicode_form_flags(const struct wn_unicode_form *f, int32_t c);
/* Full decomposition of the form: the number of characters, at least 1. */
size_t wn_unicode_form_decompose(
    const struct wn_unicode_form *f, int32_t c, int32_t out[WN_DECOMPOSED_MAX]);
/* The character that a and b compose to; -1 where there is none, or the form
 * does not compose. */
int32_t wn_unicode_form_compose(
    const struct wn_unicode_form *f, int32_t a, int32_t b);

#endif
