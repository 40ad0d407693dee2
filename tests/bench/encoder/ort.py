#!/usr/bin/env python3
"""ONNX Runtime as an engine (engine.py has the protocol), at its best: fusing SkipLayerNormalization costs int8 a fifth on
CPUs and is off; every other optimisation is on. One session, one intra-op thread; two threads are two callers of that
session, which share its weights in the cache: faster than one session with two intra-op threads, which spin."""
import numpy as np
import onnxruntime

import engine

INPUTS = ("input_ids", "attention_mask")


def feed(posts):
    """Padded to the longest post of the batch, as a tokenizer returns it."""
    ids, mask = np.zeros((2, len(posts), max(map(len, posts))), np.int64)
    for row, post in enumerate(posts):
        ids[row, :len(post)] = post
        mask[row, :len(post)] = 1
    return dict(zip(INPUTS, (ids, mask)))


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"],
                                        disabled_optimizers=["SkipLayerNormFusion"])


def main():
    args = engine.arguments(__doc__)
    model, noop = session(args.model), session(args.noop)
    one = feed([[101]])
    about = {"name": "onnxruntime", "version": onnxruntime.__version__,
             "call_us": engine.call_us(lambda: noop.run(None, one))}
    engine.serve(about, args, feed, lambda f: model.run(None, f))


if __name__ == "__main__":
    main()
