/*
 * Hardened text, version WN_TEXT_VERSION: the one function that stands between
 * a post and everything that reads its words. `train`, `eval`, `score` and
 * `run` all call it, so a model never meets text of another making.
 *
 * In this order:
 *   1. invalid UTF-8 and U+0000 become U+FFFD;
 *   2. invisible characters go: C0/C1 controls, everything with the property
 *      Default_Ignorable_Code_Point (zero-width, bidi controls, variation
 *      selectors, tag characters, fillers) and the annotation marks;
 *   3. stacks of combining marks and lines through letters go, letters in a
 *      disc or square and regional indicators that are no flag become letters;
 *   4. NFKC;
 *   5. HTML entities are decoded until none is left (&amp;amp; too);
 *   6. white space is squeezed to one space, or one line feed if it had one;
 *   7. handles become @user, those that open the text (reply and RT prefixes)
 *      go; the local part of a mail address becomes user. Not inside a URL;
 *   8. letters set apart (f r e e, f.r.e.e) become words again (text_spaced.c);
 *   9. in a word of mixed alphabets, letters of the one that look like letters
 *      of the other become those; small capitals become letters (text_fold.c);
 *  10. five and more of a letter become two, three at a word's end too; of a
 *      long number only the first four digits are kept (text_words.c).
 *
 * Always: the result is valid UTF-8, hardening it again changes nothing, the
 * time is linear in the input, and the output is at most 12 times as long
 * (one Arabic ligature, U+FDFA, is what comes near that).
 *
 * Steps 8 to 10 do only what ordinary text cannot mean. What it might mean is
 * left, and folded in a second view: fr33, v1agra, $cam, w i n, Schifffahrt,
 * look-alikes beside a dot. The second view is there only where it differs,
 * and a head takes the higher logit of both.
 *
 * What ordinary text needs is dropped like the rest, as it was in the training
 * data, but not counted, so a count is evidence of hiding and not of a
 * language: joiners inside emoji and after letters of scripts that join
 * (Arabic, Indic, ...), zero-width spaces in Thai, Khmer, Lao and Burmese, one
 * variation selector after an emoji, a Han or a Mongolian character, the tags
 * of a flag, bidi marks, embeddings and isolates in a text that has
 * right-to-left letters, a byte order mark at the start, fullwidth letters
 * beside Han, kana and Hangul. Overrides (U+202D, U+202E) are always counted.
 */
#ifndef WN_CLASSIFIER_TEXT_H
#define WN_CLASSIFIER_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "classifier/spots.h"
#include "core/buf.h"
#include "core/status.h"

#define WN_TEXT_MARKS_MAX 8
#define WN_TEXT_BYTES_MAX (16u << 20) /* bytes beyond it are not read */

struct wn_text {
    /* The result: valid UTF-8, NUL-terminated; data is never NULL after a
     * successful call. */
    char *data;
    size_t len;
    size_t chars; /* code points */
    /* Words: runs between white space with a letter or digit in them. Two
     * characters of Han or kana, four of Thai, Lao, Khmer or Burmese count as
     * a word, since no space tells. */
    size_t words;
    /* The second view, and where it differs; len 0 where there is none. */
    struct wn_buf view;
    struct wn_spots view_spots;

    /* What was taken out: characters, or bytes that were none. */
    size_t invalid, zero_width, bidi, tags, combining;
    /* What was undone: letters in disguise, words of mixed alphabets, words
     * that were spaced out or written with digits, runs of a letter. */
    size_t styled, confusables, mixed_script_words;
    size_t spaced_words, leet_words, repeats;

    /* Scratch, kept between calls. */
    size_t cap;
    struct wn_buf spare;
    uint16_t *u16, *tmp;
    size_t u16_len, u16_cap, tmp_cap;
};

void wn_text_init(struct wn_text *t);
void wn_text_release(struct wn_text *t);

/* Replaces what t held. WN_STOP without memory. */
enum wn_status wn_text_harden(
    struct wn_text *t, const char *in, size_t len, struct wn_err *err);

#endif
