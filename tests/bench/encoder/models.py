#!/usr/bin/env python3
"""The peers' models, of the very numbers that we ship: models.py WEIGHTS CORPUS OUT

  OUT/fp32.onnx      the graph that torch's exporter writes of a BertModel: Query, key and value as three products,
                     LayerNormalization, GELU from Erf. ONNX Runtime fuses what it wants to when it loads it.
  OUT/int8.onnx      that graph after onnxruntime.quantization.quantize_dynamic, signed weights, one scale a channel. One
                     scale a tensor is as fast within 1 % and fails the check below (cosine 0.971); unsigned weights are
                     half as fast on VNNI.
  OUT/ct2-float32/   CTranslate2's TransformerEncoderSpec with the same numbers; ct2-int8/ quantised by its converter
  OUT/noop.onnx, OUT/ct2-noop-*/   the same inputs and next to no arithmetic: what a call costs

Every graph computes the whole last hidden state and gives its first row, [CLS], of each post. A mean over the rows instead
would cost a peer less than 0.1 %. Fails where a model does not compute what a plain forward pass in numpy does. A peer
that is not installed is left out and said so.
"""
import importlib.util
import logging
import os
import sys

import numpy as np

from weights import Weights, forward

CHECKED_POSTS = 5
CHECKED_TOKENS_MAX = 64
FP32_DIFFERENCE_MAX = 1e-3
INT8_COSINE_MIN = 0.98


class Graph:
    """Nodes and constants; names are given as they come."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def constant(self, value, name=None):
        from onnx import numpy_helper
        name = name or f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def op(self, kind, *inputs, **attributes):
        from onnx import helper
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], name=f"{kind}_{len(self.nodes)}", **attributes))
        return out

    def save(self, path, output, width):
        import onnx
        from onnx import TensorProto, helper
        self.nodes[-1].output[0] = output
        inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "sequence"])
                  for n in ("input_ids", "attention_mask", "token_type_ids")]
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", width])]
        graph = helper.make_graph(self.nodes, "bert", inputs, outputs, list(self.constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)


def write_onnx(w, path):
    g = Graph()
    size = w.hidden // w.heads
    sqrt2, one, half = (g.constant(np.float32(v)) for v in (np.sqrt(2), 1, 0.5))
    split = g.constant(np.array([0, 0, w.heads, size]))
    joined = g.constant(np.array([0, 0, w.hidden]))

    def linear(x, base):
        weight, bias = w.linear(base)
        return g.op("Add", g.constant(bias, base + ".bias"), g.op("MatMul", x, g.constant(weight.T, base + ".weight")))

    def norm(x, base):
        gamma, beta = w.linear(base)
        return g.op("LayerNormalization", x, g.constant(gamma), g.constant(beta), axis=-1, epsilon=w.epsilon)

    def heads(x, base, perm):
        return g.op("Transpose", g.op("Reshape", linear(x, base), split), perm=perm)

    length = g.op("Gather", g.op("Shape", "input_ids"), g.constant(np.array([1])), axis=0)
    positions = g.op("Slice", g.constant(w.get("embeddings.position_embeddings.weight")), g.constant(np.array([0])),
                     length, g.constant(np.array([0])))
    words = g.op("Gather", g.constant(w.get("embeddings.word_embeddings.weight")), "input_ids")
    types = g.op("Gather", g.constant(w.get("embeddings.token_type_embeddings.weight")), "token_type_ids")
    x = norm(g.op("Add", g.op("Add", words, types), positions), "embeddings.LayerNorm")
    mask = g.op("Cast", g.op("Unsqueeze", "attention_mask", g.constant(np.array([1, 2]))), to=1)
    mask = g.op("Mul", g.op("Sub", one, mask), g.constant(np.float32(np.finfo(np.float32).min)))
    for i in range(w.layers):
        part = w.layer(i)
        q = heads(x, part["query"], [0, 2, 1, 3])
        k = heads(x, part["key"], [0, 2, 3, 1])
        v = heads(x, part["value"], [0, 2, 1, 3])
        scores = g.op("Div", g.op("MatMul", q, k), g.constant(np.float32(np.sqrt(size))))
        shares = g.op("Softmax", g.op("Add", scores, mask), axis=-1)
        y = g.op("Reshape", g.op("Transpose", g.op("MatMul", shares, v), perm=[0, 2, 1, 3]), joined)
        x = norm(g.op("Add", linear(y, part["attn_out"]), x), part["attn_norm"])
        y = linear(x, part["ffn_in"])
        erf = g.op("Add", g.op("Erf", g.op("Div", y, sqrt2)), one)
        y = g.op("Mul", g.op("Mul", y, erf), half)
        x = norm(g.op("Add", linear(y, part["ffn_out"]), x), part["ffn_norm"])
    g.op("Gather", x, g.constant(np.array(0)), axis=1)
    g.save(path, "cls", w.hidden)


def write_onnx_noop(path):
    """The same three inputs; adds them up."""
    g = Graph()
    ids = g.op("Add", g.op("Add", "input_ids", "attention_mask"), "token_type_ids")
    g.op("Cast", ids, to=1)
    g.save(path, "cls", "sequence")


class Noop:
    """As little of a BERT as CTranslate2 loads. The numbers differ: it would make one variable of equal ones."""
    layers, hidden, heads, vocab, epsilon = 1, 16, 1, 128, 1e-12
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
        w.layers, w.heads, pre_norm=False, activation=common_spec.Activation.GELU, layernorm_embedding=True,
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


def make_ort(w, out, posts, want):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    import ort
    logging.disable(logging.WARNING)  # its advice is about shape inference, which this graph does not need
    paths = {n: os.path.join(out, n + ".onnx") for n in ("fp32", "int8", "noop")}
    write_onnx(w, paths["fp32"])
    write_onnx_noop(paths["noop"])
    quantize_dynamic(paths["fp32"], paths["int8"], weight_type=QuantType.QInt8, per_channel=True)
    for name in ("fp32", "int8"):
        model = ort.session(paths[name])
        got = np.concatenate([model.run(None, ort.feed([p]))[0] for p in posts])
        compare(f"onnxruntime {name}", got, want, name == "int8")


def make_ct2(w, out, posts, want):
    import ctranslate2
    for compute in ("float32", "int8"):
        path = os.path.join(out, "ct2-" + compute)
        quantization = None if compute == "float32" else compute
        write_ct2(w, path, quantization)
        write_ct2(Noop(), os.path.join(out, "ct2-noop-" + compute), quantization)
        model = ctranslate2.Encoder(path, compute_type=compute, intra_threads=1)
        got = [np.asarray(model.forward_batch([p], token_type_ids=[[0] * len(p)]).last_hidden_state)[0, 0]
               for p in posts]
        compare(f"ctranslate2 {compute}", np.array(got), want, compute == "int8")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    w, corpus, out = Weights(sys.argv[1]), sys.argv[2], sys.argv[3]
    with open(corpus, encoding="ascii") as f:
        posts = [list(map(int, line.split())) for line in f]
    posts = [p for p in posts if len(p) <= CHECKED_TOKENS_MAX][:CHECKED_POSTS]
    want = np.array([forward(w, p)[0] for p in posts])
    os.makedirs(out, exist_ok=True)
    for peer, needs, make in (("onnxruntime", "onnx", make_ort), ("ctranslate2", "ctranslate2", make_ct2)):
        if importlib.util.find_spec(peer) and importlib.util.find_spec(needs):
            make(w, out, posts, want)
        else:
            print(f"models: {peer} is not installed", file=sys.stderr)


if __name__ == "__main__":
    main()
