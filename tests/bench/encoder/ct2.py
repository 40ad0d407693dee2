#!/usr/bin/env python3
"""CTranslate2 as an engine (engine.py has the protocol). One replica a thread with one thread inside, which is faster than
one replica with two. The instruction set is the environment's: CT2_FORCE_CPU_ISA for its own kernels, ONEDNN_MAX_CPU_ISA
(and MKL_ENABLE_INSTRUCTIONS) for the matrix products below them."""
import ctranslate2
import numpy as np

import engine


def encoder(path, args):
    return ctranslate2.Encoder(path, device="cpu", compute_type=args.compute, inter_threads=args.threads,
                               intra_threads=1)


def main():
    args = engine.arguments(__doc__, compute={"choices": ("int8", "float32"), "required": True})
    model, noop = encoder(args.model, args), encoder(args.noop, args)

    def call(batch, of=model):
        posts, types = batch
        return np.asarray(of.forward_batch(posts, token_type_ids=types).last_hidden_state)[:, 0]

    def arrays(posts):
        return posts, [[0] * len(p) for p in posts]

    about = {"name": "ctranslate2", "version": ctranslate2.__version__,
             "call_us": engine.call_us(lambda: call(arrays([[101]]), noop))}
    engine.serve(about, args, arrays, call)


if __name__ == "__main__":
    main()
