"""A plain fine-tune of the same base on the same data with PyTorch, to hold our trainer against: BertForSequenceClassification as
the transformers library has it (a dense layer on the first row), masked binary cross-entropy of the four heads, AdamW with warm-up
and linear decay, texts as they are, by chance.

usage: finetune.py DATA FEED BASE OUT [--texts 180000] [--rate 1e-4] [--batch 32] [--seed 1]
DATA has text/{train,test}.jsonl.gz, FEED is model/data/feed, BASE the base model's folder. OUT keeps a checkpoint every 200 steps, so
a run that was stopped goes on, and at the end finetune.json: AUC and recall at 1 % false positives of each head on both test files.
Needs torch, transformers, tokenizers, safetensors, numpy (tests/golden/requirements.txt). About three hours on two cores.
"""
import argparse
import gzip
import json
import math
import os
import time

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertForSequenceClassification

HEADS = ["spam", "scam", "bait", "ai"]
TOKENS_MAX = 128
WARM_UP = 0.06


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def labels(row):
    return [-1.0 if row["labels"].get(h) is None else float(row["labels"][h]) for h in HEADS]


def pad(ids):
    width = max(map(len, ids))
    out = torch.ones((len(ids), width), dtype=torch.long)  # 1 is <pad>
    mask = torch.zeros((len(ids), width), dtype=torch.long)
    for i, x in enumerate(ids):
        out[i, : len(x)] = torch.tensor(x)
        mask[i, : len(x)] = 1
    return out, mask


def order(ids, texts, batch, seed):
    """Batches of texts of like length, by chance: groups of 50 batches are sorted."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(len(ids)) for _ in range(math.ceil(texts / len(ids)))])[:texts]
    batches = []
    for g in range(0, len(rows), 50 * batch):
        group = sorted(rows[g : g + 50 * batch], key=lambda r: len(ids[r]))
        parts = [group[i : i + batch] for i in range(0, len(group), batch)]
        batches += [parts[i] for i in rng.permutation(len(parts))]
    return batches


def loss_of(logits, y):
    known = (y >= 0).float()
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, y.clamp(min=0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def train(model, ids, y, batches, args):
    """Goes on from OUT/checkpoint.pt."""
    adam = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=0.01)
    steps = len(batches)
    warm = max(1, int(WARM_UP * steps))
    plan = torch.optim.lr_scheduler.LambdaLR(adam, lambda s: min((s + 1) / warm, max(0, (steps - s) / (steps - warm))))
    path, first = f"{args.out}/checkpoint.pt", 0
    if os.path.exists(path):
        kept = torch.load(path, weights_only=True)
        model.load_state_dict(kept["model"])
        adam.load_state_dict(kept["adam"])
        plan.load_state_dict(kept["plan"])
        first = kept["step"]
    began, tokens = time.time(), 0
    model.train()
    for step in range(first, steps):
        x, mask = pad([ids[r] for r in batches[step]])
        loss = loss_of(model(input_ids=x, attention_mask=mask).logits, y[batches[step]])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        plan.step()
        adam.zero_grad()
        tokens += int(mask.sum())
        if (step + 1) % 20 == 0:
            rate = (time.time() - began) / (step + 1 - first)
            print(f"step {step + 1} of {steps}, loss {loss.item():.4f}, {tokens / (time.time() - began):.0f} tokens/s, "
                  f"{rate * (steps - step) / 60:.0f} min left", flush=True)
        if (step + 1) % 200 == 0 or step + 1 == steps:
            torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "plan": plan.state_dict(), "step": step + 1}, path + ".part")
            os.rename(path + ".part", path)


def scores(model, ids):
    out = np.zeros((len(ids), len(HEADS)))
    model.eval()
    with torch.inference_mode():
        rows = sorted(range(len(ids)), key=lambda r: len(ids[r]))
        for i in range(0, len(rows), 64):
            x, mask = pad([ids[r] for r in rows[i : i + 64]])
            out[rows[i : i + 64]] = model(input_ids=x, attention_mask=mask).logits.numpy()
    return out


def measure(z, y):
    pos, neg = z[y == 1], np.sort(z[y == 0])
    if len(pos) == 0 or len(neg) == 0:
        return None
    below = (np.searchsorted(neg, pos, "left") + np.searchsorted(neg, pos, "right")) / 2
    threshold = np.nextafter(neg[len(neg) - 1 - int(0.01 * len(neg))], np.inf)
    return {"pos": len(pos), "neg": len(neg), "auc": float(below.mean() / len(neg)), "recall_at_1_percent": float((pos >= threshold).mean())}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "feed", "base", "out"):
        p.add_argument(name)
    p.add_argument("--texts", type=int, default=180000)
    p.add_argument("--rate", type=float, default=1e-4)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    os.makedirs(args.out, exist_ok=True)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.from_file(f"{args.base}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS_MAX)
    config = BertConfig.from_pretrained(args.base, num_labels=len(HEADS))
    model = BertForSequenceClassification.from_pretrained(args.base, config=config, dtype=torch.float32)

    def encode(rows):
        return [e.ids for e in tokenizer.encode_batch([r["text"] for r in rows])]

    rows = read(f"{args.data}/text/train.jsonl.gz") + read(f"{args.feed}/train.jsonl")
    y = torch.tensor([labels(r) for r in rows])
    ids = encode(rows)
    train(model, ids, y, order(ids, args.texts, args.batch, args.seed), args)
    result = {}
    for name, path in {"test": f"{args.data}/text/test.jsonl.gz", "feed": f"{args.feed}/test.jsonl"}.items():
        rows = read(path)
        z, y = scores(model, encode(rows)), np.array([labels(r) for r in rows])
        result[name] = {h: measure(z[:, i], y[:, i]) for i, h in enumerate(HEADS)}
        for h, m in result[name].items():
            print(name, h, m)
    with open(f"{args.out}/finetune.json", "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
