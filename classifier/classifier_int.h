/* What the weights and the scorer share. */
#ifndef WN_CLASSIFIER_CLASSIFIER_INT_H
#define WN_CLASSIFIER_CLASSIFIER_INT_H

#include "classifier/cache.h"
#include "classifier/classifier.h"
#include "model/encoder.h"
#include "model/heads.h"
#include "model/joint.h"
#include "model/ngram.h"
#include "model/tokenizer.h"

_Static_assert(WN_HEADS == WN_HEADS_OUT, "the model has our heads");
_Static_assert(WN_HEADS == WN_NGRAM_OUT, "and so have its n-grams");

struct wn_classifier {
    struct wn_encoder *encoder;
    struct wn_tokenizer *tokenizer;
    struct wn_heads heads;
    struct wn_ngram ngram;
    struct wn_joint joint;
    size_t depth; /* exit that every window leaves by; heads.exits: each by
                     the first that settles it */
    struct wn_cache *cache;      /* NULL: none */
    enum wn_precision precision; /* as asked */
    char version[WN_JOINT_NAME_MAX + 1 + 16 + 32];
    size_t version_len; /* without how they are read */
};

#endif
