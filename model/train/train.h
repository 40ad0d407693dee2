/*
 * From a folder's encoder to a network that learns, and back: weights in,
 * weights out, and a checkpoint of everything that training goes on from.
 */
#ifndef WN_MODEL_TRAIN_TRAIN_H
#define WN_MODEL_TRAIN_TRAIN_H

#include "model/encoder.h"
#include "model/train/net.h"

struct wn_train_shape {
    size_t layers; /* of the encoder's, from below; 0: all */
    size_t exits, after[WN_NET_EXITS_MAX];
    size_t out, tokens_max;
};

/*
 * A network with the encoder's weights; its exits are small random numbers of
 * the seed, or what the folder's file has ("exit.<after>.weight"; of heads
 * without exits the last exit's first outputs), where their shapes are those.
 *
 * Owns:  the caller frees *ret with wn_net_free(); the encoder and the pool
 *        stay the caller's, the encoder is not needed afterwards.
 * Fails: WN_REJECT: a shape that does not fit, an encoder that was not opened
 *        in fp32, another activation than GELU by erf; WN_STOP: out of memory.
 */
enum wn_status wn_train_net(struct wn_net **ret, const struct wn_encoder *e,
    const struct wn_train_shape *shape, uint64_t seed, struct wn_pool *pool,
    struct wn_err *err);

/* Writes dir/model.safetensors in F32 with BERT's names, and the exits beside
 * them. */
enum wn_status wn_train_save(
    const struct wn_net *net, const char *dir, struct wn_err *err);

/*
 * Everything of the network at a step, with the caller's `place` in its data,
 * in one file: path.tmp, fsync, rename. `settings` is a hash of what training
 * was begun with: a file with others is refused.
 */
struct wn_train_place {
    uint64_t epoch, row, tokens;
    double loss; /* running mean, for display */
};
enum wn_status wn_checkpoint_write(const struct wn_net *net, const char *path,
    const uint8_t settings[32], const struct wn_train_place *place,
    struct wn_err *err);
/* *found: there is such a file. WN_REJECT: of other settings, or broken; the
 * network is then not to be used. */
enum wn_status wn_checkpoint_read(struct wn_net *net, const char *path,
    const uint8_t settings[32], struct wn_train_place *ret, bool *found,
    struct wn_err *err);

#endif
