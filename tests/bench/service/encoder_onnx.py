"""The shipped encoder for the peer of bench-service: an ONNX graph with mean pooling and our four linear heads, all layers,
in int8 by the variant of quantize_dynamic() and of ONNX Runtime's fusions that is fastest on this machine.

Inputs input_ids and attention_mask (N, L), int64; output scores (N, 4), probabilities of the encoder's heads alone.
"""
import itertools
import os
import random
import statistics
import sys
import time

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bert_onnx import INPUTS, Graph, encode, mean_row  # noqa: E402 (its folder is not this one)
from weights import Weights  # noqa: E402

# name: of the weights, one scale a channel
QUANTISED = {"int8": (QuantType.QInt8, False), "int8-channel": (QuantType.QInt8, True), "uint8": (QuantType.QUInt8, False)}
# What ONNX Runtime fuses by itself, with and without the fusion that costs some CPUs more than it saves
DISABLED = ([], ["SkipLayerNormFusion"])
POSTS, ROUNDS = 24, 3
DIFFERENCE_MAX = 0.05  # mean, of probabilities, to the same graph in fp32


def _write(w, path):
    g = Graph()
    x, mask = encode(g, w)
    g.op("Sigmoid", g.linear(mean_row(g, x, mask), *w.heads(), "heads"))
    g.save(path, "scores", 4)


def session(path, disabled, threads=1):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled)


def _posts(vocab):
    """About the lengths of the posts that are measured."""
    draw = random.Random(7)
    lengths = [min(256, max(4, round(draw.lognormvariate(3.4, 0.8)))) for _ in range(POSTS)]
    return [np.array([[draw.randrange(1000, vocab) for _ in range(n)]], np.int64) for n in lengths]


def _run(model, posts):
    return np.concatenate([model.run(None, dict(zip(INPUTS, (p, np.ones_like(p)))))[0] for p in posts])


def _cpu_s(model, posts):
    start = time.process_time()
    _run(model, posts)
    return time.process_time() - start


def build(weights, folder):
    """Writes the graphs to folder. The path of the fastest in int8, and the fusions to be disabled with it."""
    os.makedirs(folder, exist_ok=True)
    w = Weights(weights)
    exact = os.path.join(folder, "encoder-fp32.onnx")
    _write(w, exact)
    posts = _posts(w.vocab)
    want = _run(session(exact, []), posts)
    models = {}
    for name, (kind, channel) in QUANTISED.items():
        path = os.path.join(folder, f"encoder-{name}.onnx")
        quantize_dynamic(exact, path, weight_type=kind, per_channel=channel)
        for disabled in DISABLED:
            model = session(path, disabled)
            away = np.abs(_run(model, posts) - want).mean()  # warms it, too
            models[name, *disabled] = (path, disabled, model, away)
    rounds = {key: [] for key in models}
    for _, (key, (_, _, model, _)) in itertools.product(range(ROUNDS), models.items()):
        rounds[key].append(_cpu_s(model, posts))
    tokens = sum(p.size for p in posts)
    best = None
    for key, (path, disabled, _, away) in models.items():
        took = statistics.median(rounds[key])
        print("peer's encoder: %-44s %6.0f tokens/s, probabilities %.4f from fp32's" % (
            ", ".join([key[0], *(f"without {d}" for d in key[1:])]), tokens / took, away))
        if away <= DIFFERENCE_MAX and (best is None or took < best[0]):
            best = took, path, disabled
    if best is None:
        sys.exit("bench-service: no int8 variant of the peer's encoder computes what it should")
    return best[1:]
