#!/usr/bin/env python3
"""The peers' models, of the very numbers that we ship: models.py WEIGHTS CORPUS OUT

  OUT/fp32.onnx      the graph of bert_onnx.py
  OUT/int8.onnx      that graph after onnxruntime.quantization.quantize_dynamic, signed weights, one scale a channel. One
                     scale a tensor is as fast within 1 % and fails the check below (cosine 0.971); unsigned weights are
                     half as fast on VNNI.
  OUT/ct2-float32/   CTranslate2's TransformerEncoderSpec with the same numbers; ct2-int8/ quantised by its converter
  OUT/noop.onnx, OUT/ct2-noop-*/   the same inputs and next to no arithmetic: what a call costs
  OUT/six-*          of weights with more than six layers: the same with the first six

Every graph computes the whole last hidden state and gives its first row, [CLS], of each post. A mean over the rows instead
would cost a peer less than 0.1 %. Fails where a model does not compute what a plain forward pass in numpy does. A peer
that is not installed is left out and said so.
"""
import importlib.util
import logging
import os
import sys

import numpy as np

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from weights import Weights, forward  # noqa: E402 (its folder is not this one)

CHECKED_POSTS = 5
CHECKED_TOKENS_MAX = 64
FP32_DIFFERENCE_MAX = 1e-3
INT8_COSINE_MIN = 0.98


def write_onnx(w, path):
    from bert_onnx import Graph, encode, first_row
    g = Graph()
    x, _ = encode(g, w)
    first_row(g, x)
    g.save(path, "cls", w.hidden)


def write_onnx_noop(path):
    """The same two inputs; adds them up."""
    from bert_onnx import INPUTS, Graph
    g = Graph()
    g.op("Cast", g.op("Add", *INPUTS), to=1)
    g.save(path, "cls", "sequence")


class Noop:
    """As little of a BERT as CTranslate2 loads. The numbers differ: it would make one variable of equal ones."""
    layers, hidden, heads_n, vocab, epsilon = 1, 16, 1, 128, 1e-12
    layer = Weights.layer

    def __init__(self):
        self.random = np.random.default_rng(1)

    def _numbers(self, *shape):
        return self.random.standard_normal(shape, np.float32)

    def get(self, name):
        return self._numbers(self.vocab, self.hidden)

    def linear(self, base):
        shape = (self.hidden,) if base.endswith("LayerNorm") else (self.hidden, self.hidden)
        return self._numbers(*shape), self._numbers(self.hidden)


def write_ct2(w, path, quantization):
    from ctranslate2.specs import common_spec, transformer_spec
    encoder = transformer_spec.TransformerEncoderSpec(
        w.layers, w.heads_n, pre_norm=False, activation=common_spec.Activation.GELU, layernorm_embedding=True,
        num_source_embeddings=2, embeddings_merge=common_spec.EmbeddingsMerge.ADD)
    model = transformer_spec.TransformerEncoderModelSpec(encoder)

    def linear(spec, *bases):
        pairs = [w.linear(b) for b in bases]
        spec.weight, spec.bias = (np.concatenate([p[i] for p in pairs]) for i in range(2))

    def norm(spec, base):
        spec.gamma, spec.beta = w.linear(base)

    encoder.scale_embeddings = False
    encoder.embeddings[0].weight = w.get("embeddings.word_embeddings.weight")
    encoder.embeddings[1].weight = w.get("embeddings.token_type_embeddings.weight")
    encoder.position_encodings.encodings = w.get("embeddings.position_embeddings.weight")
    norm(encoder.layernorm_embedding, "embeddings.LayerNorm")
    for i, spec in enumerate(encoder.layer):
        part = w.layer(i)
        linear(spec.self_attention.linear[0], part["query"], part["key"], part["value"])
        linear(spec.self_attention.linear[1], part["attn_out"])
        norm(spec.self_attention.layer_norm, part["attn_norm"])
        linear(spec.ffn.linear_0, part["ffn_in"])
        linear(spec.ffn.linear_1, part["ffn_out"])
        norm(spec.ffn.layer_norm, part["ffn_norm"])
    model.register_vocabulary([f"t{i}" for i in range(w.vocab)])  # ids are what we pass
    model.config.unk_token = "t100"
    model.config.layer_norm_epsilon = w.epsilon
    model.validate()
    model.optimize(quantization=quantization)
    os.makedirs(path, exist_ok=True)
    model.save(path)


def compare(name, got, want, int8):
    """got, want (posts, hidden): the [CLS] rows."""
    assert got.shape == want.shape
    difference = np.abs(got - want).max()
    cosine = ((got * want).sum(-1) / np.linalg.norm(got, axis=-1) / np.linalg.norm(want, axis=-1)).min()
    print(f"models: {name}: largest difference {difference:.2g}, smallest cosine {cosine:.5f}")
    if not (cosine > INT8_COSINE_MIN if int8 else difference < FP32_DIFFERENCE_MAX):
        sys.exit(f"models: {name} does not compute what it should")


def make_ort(w, out, prefix, posts, want):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    import ort
    logging.disable(logging.WARNING)  # its advice is about shape inference, which this graph does not need
    paths = {n: os.path.join(out, prefix + n + ".onnx") for n in ("fp32", "int8")}
    write_onnx(w, paths["fp32"])
    write_onnx_noop(os.path.join(out, "noop.onnx"))
    quantize_dynamic(paths["fp32"], paths["int8"], weight_type=QuantType.QInt8, per_channel=True)
    for name in ("fp32", "int8"):
        model = ort.session(paths[name])
        got = np.concatenate([model.run(None, ort.feed([p]))[0] for p in posts])
        compare(f"onnxruntime {prefix}{name}", got, want, name == "int8")


def make_ct2(w, out, prefix, posts, want):
    import ctranslate2
    for compute in ("float32", "int8"):
        path = os.path.join(out, f"{prefix}ct2-{compute}")
        quantization = None if compute == "float32" else compute
        write_ct2(w, path, quantization)
        write_ct2(Noop(), os.path.join(out, "ct2-noop-" + compute), quantization)
        model = ctranslate2.Encoder(path, compute_type=compute, intra_threads=1)
        got = [np.asarray(model.forward_batch([p], token_type_ids=[[0] * len(p)]).last_hidden_state)[0, 0]
               for p in posts]
        compare(f"ctranslate2 {prefix}{compute}", np.array(got), want, compute == "int8")


def make_all(w, out, prefix, posts):
    want = np.array([forward(w, p)[0] for p in posts])
    for peer, needs, make in (("onnxruntime", "onnx", make_ort), ("ctranslate2", "ctranslate2", make_ct2)):
        if importlib.util.find_spec(peer) and importlib.util.find_spec(needs):
            make(w, out, prefix, posts, want)
        else:
            print(f"models: {peer} is not installed", file=sys.stderr)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, corpus, out = sys.argv[1:]
    with open(corpus, encoding="ascii") as f:
        posts = [list(map(int, line.split())) for line in f]
    posts = [p for p in posts if len(p) <= CHECKED_TOKENS_MAX][:CHECKED_POSTS]
    os.makedirs(out, exist_ok=True)
    w = Weights(folder)
    make_all(w, out, "", posts)
    if w.layers > 6:
        make_all(Weights(folder, 6), out, "six-", posts)


if __name__ == "__main__":
    main()
