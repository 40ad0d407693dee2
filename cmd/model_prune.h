/*
 * What the files of `winnow model prune` share: model_prune.c takes layers out
 * and writes the folder, model_words.c says which words stay.
 */
#ifndef WN_CMD_MODEL_PRUNE_H
#define WN_CMD_MODEL_PRUNE_H

#include "cmd/model_folder.h"
#include "cmd/model_int.h"

/* Words by their ids in the folder that is read; own memory. */
struct wn_words {
    size_t n;        /* the encoder's */
    uint64_t *count; /* (n): how often texts have it         */
    bool *keep;      /* (n)                                   */
    int32_t *to;     /* (n): its new id, -1: it goes          */
    int32_t *kept;   /* (kept_n): those that stay, in order   */
    size_t kept_n;
    int32_t unk;               /* the unknown token, -1: none */
    size_t texts, never, rare; /* what was read; words that go */
    uint64_t tokens;
    size_t touched; /* texts that had a word that goes        */
    size_t known;   /* texts with unknown words that are cut into pieces now */
};

/* Counts the words of asked->data and chooses. root: the tokenizer's document.
 * Released in any case. */
enum wn_status wn_words_choose(struct wn_words *w,
    const struct wn_model_source *s, const struct wn_model_prune *asked,
    const json_t *root, struct wn_err *err);
/* Reads the texts again: with the tokenizer in made_dir they are what they were
 * but for the words that went. WN_STOP: one is not. */
enum wn_status wn_words_check(struct wn_words *w,
    const struct wn_model_source *s, const struct wn_model_prune *asked,
    const char *made_dir, struct wn_err *err);
void wn_words_release(struct wn_words *w);

#endif
