"""The shipped weights as fp32 numbers, and a plain forward pass over them that the peers' models are checked against."""
import json
import math
import os

import numpy as np

DTYPES = {"F32": "<f4", "I8": "i1"}


class Weights:
    """Tensors by their names in the file; rows of int8 times their scale."""

    def __init__(self, directory):
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        self.layers = config["num_hidden_layers"]
        self.hidden = config["hidden_size"]
        self.heads = config["num_attention_heads"]
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

    def linear(self, base):
        """Weight (out, in) and bias (out)."""
        return self.get(base + ".weight"), self.get(base + ".bias")

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

    n, size = len(ids), w.hidden // w.heads
    x = (w.get("embeddings.word_embeddings.weight")[ids] + w.get("embeddings.position_embeddings.weight")[:n]
         + w.get("embeddings.token_type_embeddings.weight")[0])
    x = norm(x.astype(np.float64), "embeddings.LayerNorm")
    for i in range(w.layers):
        part = w.layer(i)
        q, k, v = (linear(x, part[p]).reshape(n, w.heads, size).transpose(1, 0, 2) for p in ("query", "key", "value"))
        s = q @ k.transpose(0, 2, 1) / math.sqrt(size)
        s = np.exp(s - s.max(-1, keepdims=True))
        y = (s / s.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(n, w.hidden)
        x = norm(x + linear(y, part["attn_out"]), part["attn_norm"])
        x = norm(x + linear(gelu(linear(x, part["ffn_in"])), part["ffn_out"]), part["ffn_norm"])
    return x
