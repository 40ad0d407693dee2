"""The shipped weights as fp32 numbers, and a plain forward pass over them that the peers' models are checked against."""
import json
import math
import os

import numpy as np

DTYPES = {"F32": "<f4", "I8": "i1"}
HEADS = 4  # an exit has outputs for kinds of bait behind them


class Weights:
    """Tensors by their names in the file; rows of int8 times their scale. `layers`: as if there were no more."""

    def __init__(self, directory, layers=None):
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        self.all_layers = config["num_hidden_layers"]
        self.layers = layers or self.all_layers
        self.hidden = config["hidden_size"]
        self.heads_n = config["num_attention_heads"]
        self.vocab = config["vocab_size"]
        self.epsilon = config["layer_norm_eps"]
        self.data = np.memmap(os.path.join(directory, "model.safetensors"), np.uint8, "r")
        end = 8 + int.from_bytes(self.data[:8].tobytes(), "little")
        self.head = json.loads(self.data[8:end].tobytes())
        self.data = self.data[end:]

    def _raw(self, name):
        about = self.head[name]
        first, last = about["data_offsets"]
        return self.data[first:last].view(DTYPES[about["dtype"]]).reshape(about["shape"])

    def get(self, name):
        a = self._raw(name).astype(np.float32)
        if name + ".scale" in self.head:
            a *= self._raw(name + ".scale")[:, None]
        return a

    def rows(self, name, ids):
        a = self._raw(name)[ids].astype(np.float32)
        if name + ".scale" in self.head:
            a *= self._raw(name + ".scale")[ids][:, None]
        return a

    def linear(self, base):
        """Weight (out, in) and bias (out)."""
        return self.get(base + ".weight"), self.get(base + ".bias")

    def heads(self):
        """The four heads after the last layer."""
        exit_ = f"exit.{self.all_layers}"
        weight, bias = self.linear(exit_ if exit_ + ".weight" in self.head else "heads")
        return weight[:HEADS], bias[:HEADS]

    def layer(self, i):
        """Names of the parts of layer i."""
        p = f"encoder.layer.{i}."
        return {
            "query": p + "attention.self.query",
            "key": p + "attention.self.key",
            "value": p + "attention.self.value",
            "attn_out": p + "attention.output.dense",
            "attn_norm": p + "attention.output.LayerNorm",
            "ffn_in": p + "intermediate.dense",
            "ffn_out": p + "output.dense",
            "ffn_norm": p + "output.LayerNorm",
        }


def forward(w, ids):
    """The last hidden state (tokens, hidden) of one post, in double precision."""
    def linear(x, base):
        weight, bias = w.linear(base)
        return x @ weight.T.astype(np.float64) + bias

    def norm(x, base):
        gamma, beta = w.linear(base)
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + w.epsilon) * gamma + beta

    def gelu(x):
        erf = np.fromiter(map(math.erf, x.ravel() / math.sqrt(2)), np.float64, x.size).reshape(x.shape)
        return x * (1 + erf) / 2

    n, size = len(ids), w.hidden // w.heads_n
    x = (w.rows("embeddings.word_embeddings.weight", ids) + w.get("embeddings.position_embeddings.weight")[:n]
         + w.get("embeddings.token_type_embeddings.weight")[0])
    x = norm(x.astype(np.float64), "embeddings.LayerNorm")
    for i in range(w.layers):
        part = w.layer(i)
        q, k, v = (linear(x, part[p]).reshape(n, w.heads_n, size).transpose(1, 0, 2) for p in ("query", "key", "value"))
        s = q @ k.transpose(0, 2, 1) / math.sqrt(size)
        s = np.exp(s - s.max(-1, keepdims=True))
        y = (s / s.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(n, w.hidden)
        x = norm(x + linear(y, part["attn_out"]), part["attn_norm"])
        x = norm(x + linear(gelu(linear(x, part["ffn_in"])), part["ffn_out"]), part["ffn_norm"])
    return x
