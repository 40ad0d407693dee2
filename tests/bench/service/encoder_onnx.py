"""The shipped encoder as ONNX graphs, fp32 and int8, for ONNX Runtime.

The graph is the one that exporters write for a BERT model: embeddings, layers with separate query, key and value, GELU by
Erf, mean pooling over the mask; and our four linear heads. int8 is made by quantize_dynamic() with its defaults, as a
user would make it. Inputs input_ids and attention_mask (N, L), int64; output scores (N, 4), probabilities.
"""
import json
import os
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic


def _read(folder):
    """config.json and the tensors of model.safetensors as fp32; an I8 matrix is multiplied by its "<name>.scale"."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    with open(os.path.join(folder, "model.safetensors"), "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    raw = {}
    for name, t in header.items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            kind = {"I8": np.int8, "F32": np.float32}[t["dtype"]]
            raw[name] = np.frombuffer(data[begin:end], kind).reshape(t["shape"])
    out = {}
    for name, t in raw.items():
        if name.startswith("ngram.") or name.endswith(".scale"):
            continue
        out[name] = t.astype(np.float32) * raw[name + ".scale"][:, None] if t.dtype == np.int8 else t
    return config, out


class _Graph:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value, name=None):
        name = name or "c%d" % len(self.constants)
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add(self, op, *inputs, **attributes):
        out = attributes.pop("out", "v%d" % len(self.nodes))
        self.nodes.append(helper.make_node(op, list(inputs), [out], **attributes))
        return out

    def linear(self, x, weights, base):
        w = self.constant(weights[base + ".weight"].T, base + ".weight.T")
        return self.add("Add", self.add("MatMul", x, w), self.constant(weights[base + ".bias"], base + ".bias"))

    def norm(self, x, weights, base, epsilon):
        return self.add(
            "LayerNormalization", x, self.constant(weights[base + ".weight"], base + ".weight"),
            self.constant(weights[base + ".bias"], base + ".bias"), axis=-1, epsilon=epsilon)

    def gelu(self, x):
        erf = self.add("Erf", self.add("Div", x, self.constant(np.float32(np.sqrt(2)))))
        product = self.add("Mul", x, self.add("Add", erf, self.constant(np.float32(1))))
        return self.add("Mul", product, self.constant(np.float32(0.5)))


def _embed(g, w, config):
    e = "embeddings."
    words = g.add("Gather", g.constant(w[e + "word_embeddings.weight"], "words"), "input_ids")
    length = g.add("Gather", g.add("Shape", "input_ids"), g.constant(np.int64(1)))
    places = g.add("Range", g.constant(np.int64(0)), length, g.constant(np.int64(1)))
    table = w[e + "position_embeddings.weight"] + w[e + "token_type_embeddings.weight"][0]
    x = g.add("Add", words, g.add("Gather", g.constant(table, "positions"), places))
    return g.norm(x, w, e + "LayerNorm", config["layer_norm_eps"])


def _attend(g, x, w, layer, mask, heads, width):
    shape = g.constant(np.array([0, 0, heads, width], np.int64))

    def split(name, order):
        y = g.linear(x, w, layer + "attention.self." + name)
        return g.add("Transpose", g.add("Reshape", y, shape), perm=order)

    query, key, value = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])
    scores = g.add("Div", g.add("MatMul", query, key), g.constant(np.float32(np.sqrt(width))))
    shares = g.add("Softmax", g.add("Add", scores, mask), axis=-1)
    mixed = g.add("Transpose", g.add("MatMul", shares, value), perm=[0, 2, 1, 3])
    flat = g.add("Reshape", mixed, g.constant(np.array([0, 0, heads * width], np.int64)))
    return g.linear(flat, w, layer + "attention.output.dense")


def _layer(g, x, w, layer, mask, config):
    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
    y = _attend(g, x, w, layer, mask, heads, config["hidden_size"] // heads)
    x = g.norm(g.add("Add", y, x), w, layer + "attention.output.LayerNorm", epsilon)
    y = g.linear(g.gelu(g.linear(x, w, layer + "intermediate.dense")), w, layer + "output.dense")
    return g.norm(g.add("Add", y, x), w, layer + "output.LayerNorm", epsilon)


def _pool(g, x, mask):
    weight = g.add("Unsqueeze", mask, g.constant(np.array([2], np.int64)))
    axis = g.constant(np.array([1], np.int64))
    total = g.add("ReduceSum", g.add("Mul", x, weight), axis, keepdims=0)
    return g.add("Div", total, g.add("ReduceSum", weight, axis, keepdims=0))


def build(weights, folder):
    """Writes encoder-fp32.onnx and encoder-int8.onnx to folder; their paths."""
    config, w = _read(weights)
    g = _Graph()
    mask = g.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    wide = g.add("Unsqueeze", mask, g.constant(np.array([1, 2], np.int64)))
    bias = g.add("Mul", g.add("Sub", g.constant(np.float32(1)), wide), g.constant(np.float32(-10000)))
    x = _embed(g, w, config)
    for i in range(config["num_hidden_layers"]):
        x = _layer(g, x, w, "encoder.layer.%d." % i, bias, config)
    g.add("Sigmoid", g.linear(_pool(g, x, mask), w, "heads"), out="scores")

    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["N", "L"]) for n in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 4])
    graph = helper.make_graph(g.nodes, "winnow", inputs, [output], g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    os.makedirs(folder, exist_ok=True)
    paths = os.path.join(folder, "encoder-fp32.onnx"), os.path.join(folder, "encoder-int8.onnx")
    onnx.save(model, paths[0])
    quantize_dynamic(paths[0], paths[1])
    return paths
