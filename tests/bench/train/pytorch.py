#!/usr/bin/env python3
"""PyTorch as an engine of bench-train (bench.py has the protocol), at its best on a CPU in fp32: one matrix for query, key
and value, scaled_dot_product_attention, the fused AdamW, and memory that malloc keeps (bench.py sets that).

BERT's shape, an exit on the mean of the last layer, cross-entropy with labels that are drawn; every number learns, the word
table too. Batches are padded to their longest text; --order sorted makes them of texts of like lengths.
"""
import argparse
import json
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

OUT, POSITIONS, REACH, CHUNK = 9, 512, 0.05, 1 << 20
RATE, DECAY, CLIP = 1e-5, 0.01, 1.0


# --- numbers of model_train.c, in its order ---

def splitmix(seed, first, n):
    """Numbers first + 1 .. first + n of splitmix64's sequence."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(first + 1, first + n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def add_drawn(parameter, first):
    """Adds numbers within REACH, from place `first` of the sequence; the place after them."""
    flat = parameter.detach().reshape(-1)
    for at in range(0, flat.numel(), CHUNK):
        n = min(CHUNK, flat.numel() - at)
        unit = (splitmix(1, first + at, n) >> np.uint64(11)) / 2.0 ** 52 - 1
        flat[at:at + n] += torch.from_numpy((REACH * unit).astype(np.float32))
    return first + flat.numel()


def labels(first, n):
    return torch.from_numpy((splitmix(2, first * OUT, n * OUT) >> np.uint64(63)).astype(np.float32)).reshape(n, OUT)


# --- the network ---

class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        h = shape.hidden
        self.heads, self.dropout = shape.heads, shape.dropout
        self.qkv, self.proj, self.norm1 = nn.Linear(h, 3 * h), nn.Linear(h, h), nn.LayerNorm(h, 1e-12)
        self.up, self.down, self.norm2 = nn.Linear(h, shape.ffn), nn.Linear(shape.ffn, h), nn.LayerNorm(h, 1e-12)

    def forward(self, x, mask):
        b, t, h = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, h // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=self.dropout)
        x = self.norm1(x + F.dropout(self.proj(y.transpose(1, 2).reshape(b, t, h)), self.dropout))
        return self.norm2(x + F.dropout(self.down(F.gelu(self.up(x))), self.dropout))


class Net(nn.Module):
    def __init__(self, shape):
        super().__init__()
        h, self.dropout = shape.hidden, shape.dropout
        self.positions, self.norm = nn.Embedding(POSITIONS, h), nn.LayerNorm(h, 1e-12)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.exit, self.words = nn.Linear(h, OUT), nn.Embedding(shape.vocab, h)
        at = 0
        for name, p in self.named_parameters():
            nn.init.constant_(p, 1 if "norm" in name and name.endswith("weight") else 0)
            at = add_drawn(p, at)

    def forward(self, ids, real):
        mask = None if real.all() else real[:, None, None, :]
        x = self.words(ids) + self.positions.weight[:ids.shape[1]]
        x = F.dropout(self.norm(x), self.dropout)
        for layer in self.layers:
            x = layer(x, mask)
        share = real / real.sum(1, keepdim=True)
        return self.exit(torch.einsum("bth,bt->bh", x, share))


# --- training ---

class Trainer:
    def __init__(self, args):
        self.net = Net(args)
        self.run = torch.compile(self.net, dynamic=True) if args.compiled else self.net
        decays = [p for n, p in self.net.named_parameters() if p.dim() == 2 and n.split(".")[0] not in ("words", "positions")]
        rest = [p for p in self.net.parameters() if not any(p is d for d in decays)]
        self.optim = torch.optim.AdamW([{"params": decays, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0}],
                                       lr=RATE, fused=True)

    def step(self, batch):
        """The loss, and seconds of clipping and AdamW."""
        ids, real, truth = batch
        loss = F.binary_cross_entropy_with_logits(self.run(ids, real), truth)
        loss.backward()
        began = time.perf_counter()
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optim.step()
        self.optim.zero_grad()
        return loss.item(), time.perf_counter() - began


def pad(posts, truth):
    ids = torch.zeros(len(posts), max(map(len, posts)), dtype=torch.long)
    for row, post in enumerate(posts):
        ids[row, :len(post)] = torch.tensor(post)
    lengths = torch.tensor([len(p) for p in posts])
    return ids, torch.arange(ids.shape[1]) < lengths[:, None], truth


def batches(args, n):
    """Of n texts: the first ones in order of arrival; or the whole corpus sorted by length, of whose batches some."""
    with open(args.corpus, encoding="ascii") as f:
        posts = [list(map(int, line.split())) for line in f]
    truth, order, step = labels(0, len(posts)), list(range(len(posts))), 1
    if args.order == "sorted":
        order.sort(key=lambda i: len(posts[i]))
        step = len(posts) // n
    cut = [order[i:i + args.batch] for i in range(0, len(order), args.batch)]
    return [pad([posts[i] for i in b], truth[b]) for b in cut[step // 2::step][:n // args.batch]]


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_pass(trainer, batches_made):
    wall, cpu = time.perf_counter(), time.process_time()
    steps = [trainer.step(b) for b in batches_made]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    lengths = torch.cat([real.sum(1) for _, real, _ in batches_made])
    return {"tokens": int(lengths.sum()), "squares": int((lengths ** 2).sum()),
            "padded_tokens": sum(ids.numel() for ids, _, _ in batches_made), "wall_s": wall, "cpu_s": cpu,
            "adamw_s": sum(s for _, s in steps), "loss": steps[0][0], "peak_mb": peak_mb()}


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    for name in ("layers", "hidden", "heads", "ffn", "vocab", "batch", "threads"):
        p.add_argument("--" + name, type=int, required=True)
    p.add_argument("--corpus", required=True)
    p.add_argument("--order", choices=("sorted", "arrival"), required=True)
    p.add_argument("--dropout", type=float, default=0)
    p.add_argument("--compiled", action="store_true")
    return p.parse_args()


def main():
    args, idle_mb = arguments(), peak_mb()
    torch.set_num_threads(args.threads)
    trainer = Trainer(args)
    print(json.dumps({"ready": True, "name": "pytorch", "version": torch.__version__, "idle_mb": idle_mb}), flush=True)
    for line in sys.stdin:
        verb, n = line.split()
        if verb != "go":
            sys.exit(f"not a request: {line.strip()!r}")
        print(json.dumps(run_pass(trainer, batches(args, int(n)))), flush=True)


if __name__ == "__main__":
    main()
