"""Our encoder as an ONNX graph, for every benchmark that runs it in ONNX Runtime.

The graph is the one that exporters write for a BERT model: query, key and value as three products, LayerNormalization, GELU
from Erf; what can be fused is fused when it is loaded. Inputs input_ids and attention_mask (N, L), int64. All posts are one
segment, so the row of that type is a part of the positions.
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUTS = ("input_ids", "attention_mask")


class Graph:
    """Nodes and constants; names are given as they come."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def constant(self, value, name=None):
        name = name or f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def op(self, kind, *inputs, **attributes):
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], name=f"{kind}_{len(self.nodes)}", **attributes))
        return out

    def linear(self, x, weight, bias, name):
        """weight (out, in)."""
        return self.op("Add", self.op("MatMul", x, self.constant(weight.T, name + ".weight")),
                       self.constant(bias, name + ".bias"))

    def norm(self, x, gamma, beta, epsilon):
        return self.op("LayerNormalization", x, self.constant(gamma), self.constant(beta), axis=-1, epsilon=epsilon)

    def save(self, path, output, width):
        """What the last node gives is the output, (N, width)."""
        self.nodes[-1].output[0] = output
        inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "sequence"]) for n in INPUTS]
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", width])]
        graph = helper.make_graph(self.nodes, "bert", inputs, outputs, list(self.constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)


def _embeddings(g, w):
    length = g.op("Gather", g.op("Shape", "input_ids"), g.constant(np.array([1])), axis=0)
    table = w.get("embeddings.position_embeddings.weight") + w.get("embeddings.token_type_embeddings.weight")[0]
    positions = g.op("Slice", g.constant(table), g.constant(np.array([0])), length, g.constant(np.array([0])))
    words = g.op("Gather", g.constant(w.get("embeddings.word_embeddings.weight")), "input_ids")
    return g.norm(g.op("Add", words, positions), *w.linear("embeddings.LayerNorm"), w.epsilon)


def _attention(g, w, part, x, mask):
    size = w.hidden // w.heads_n
    split = g.constant(np.array([0, 0, w.heads_n, size]))
    joined = g.constant(np.array([0, 0, w.hidden]))

    def heads(name, perm):
        y = g.linear(x, *w.linear(part[name]), part[name])
        return g.op("Transpose", g.op("Reshape", y, split), perm=perm)

    q, k, v = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    scores = g.op("Div", g.op("MatMul", q, k), g.constant(np.float32(np.sqrt(size))))
    shares = g.op("Softmax", g.op("Add", scores, mask), axis=-1)
    y = g.op("Reshape", g.op("Transpose", g.op("MatMul", shares, v), perm=[0, 2, 1, 3]), joined)
    return g.linear(y, *w.linear(part["attn_out"]), part["attn_out"])


def _feed_forward(g, w, part, x):
    y = g.linear(x, *w.linear(part["ffn_in"]), part["ffn_in"])
    erf = g.op("Erf", g.op("Div", y, g.constant(np.float32(np.sqrt(2)))))
    y = g.op("Mul", g.op("Mul", y, g.op("Add", erf, g.constant(np.float32(1)))), g.constant(np.float32(0.5)))
    return g.linear(y, *w.linear(part["ffn_out"]), part["ffn_out"])


def encode(g, w):
    """The last hidden state (N, L, H) of weights w, and the mask as floats (N, L)."""
    x = _embeddings(g, w)
    mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    wide = g.op("Sub", g.constant(np.float32(1)), g.op("Unsqueeze", mask, g.constant(np.array([1, 2]))))
    wide = g.op("Mul", wide, g.constant(np.float32(np.finfo(np.float32).min)))
    for i in range(w.layers):
        part = w.layer(i)
        x = g.norm(g.op("Add", _attention(g, w, part, x, wide), x), *w.linear(part["attn_norm"]), w.epsilon)
        x = g.norm(g.op("Add", _feed_forward(g, w, part, x), x), *w.linear(part["ffn_norm"]), w.epsilon)
    return x, mask


def first_row(g, x):
    return g.op("Gather", x, g.constant(np.array(0)), axis=1)


def mean_row(g, x, mask):
    weight = g.op("Unsqueeze", mask, g.constant(np.array([2])))
    axis = g.constant(np.array([1]))
    total = g.op("ReduceSum", g.op("Mul", x, weight), axis, keepdims=0)
    return g.op("Div", total, g.op("ReduceSum", weight, axis, keepdims=0))
