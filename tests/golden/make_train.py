#!/usr/bin/env python3
"""Makes what tests/golden/model_train.c compares with: ten steps of training by PyTorch.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch transformers tokenizers numpy safetensors
    /tmp/venv/bin/python tests/golden/make_train.py [--float32 | --dense-words]

The network is transformers' BertModel with an exit after layers 1 and 3, on padded batches; gradients are autograd's, clipping
and AdamW are torch's. All in double precision: what differs is then ours. Weights, texts and labels come from one
splitmix64, which the test draws from in the same order. Written beside this file, the same with the same versions:

    train.json        versions; loss, loss of the last exit, gradient norm and tokens of each step; for each tensor the norm
                      of its gradient at steps 1 and 10 and of its weights before step 1, after it and after step 10
    train_moves.i8    how far each weight went in ten steps, in units of 2^-14, tensor by tensor

Words are the one place where AdamW is not torch's as it stands: a step moves the rows of the words in its batch, and of
the others neither weight nor moments. They are put back after each step. (torch's SparseAdam leaves them too, but adds
eps before it corrects the bias.)

Two options write nothing and say how far another run is from the golden one: --float32 runs in single precision, and
--dense-words moves all rows.
"""
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
import transformers

from make_golden import Random, path

STEPS, TEXTS, SEED = 10, 12, 2024
LAYERS, HIDDEN, HEADS, FFN, POSITIONS, VOCAB = 3, 64, 4, 128, 40, 200
EXITS, OUT = (1, 3), 5
BLOCK_REACH, WORDS_REACH = 0.2, 0.3
EXIT_WEIGHT, OUT_WEIGHT = (0.3, 1.0), (1, 1, 2, 0.5, 0.5)
SMOOTHING, ENERGY, ENERGY_AT, SELF, TEACH = 0.1, 0.5, 0.25, 0.5, 0.25
# decay and fall are larger than in use: each must move weights further than the test's bound. eps is 1e-6 and not 1e-8
# for the biases of keys, whose gradient is 0: softmax takes them away. AdamW makes steps of what rounding leaves of it.
RATE, FALL, DECAY, CLIP, BETAS, EPS = 1e-3, 0.8, 0.5, 1.5, (0.9, 0.999), 1e-6
MOVE = 2.0 ** -14


# --- numbers that the test draws in the same order ---

def unit(rnd):
    """In [-1, 1), exact in double."""
    return (rnd.next() >> 11) / 2.0 ** 52 - 1


def draw(rnd, reach, n):
    return np.array([reach * unit(rnd) for _ in range(n)]).astype(np.float32)


def draw_batch(rnd):
    texts, labels, weight, teacher = [], [], [], []
    for _ in range(TEXTS):
        texts.append([rnd.below(1 + rnd.below(VOCAB)) for _ in range(1 + rnd.below(POSITIONS))])
        weight.append(0.25 * (1 + rnd.below(8)))
        labels.append([rnd.below(3) - 1 for _ in range(OUT)])
        teacher.append([np.float32(2 * unit(rnd)) if rnd.below(4) > 0 else np.nan for _ in range(OUT)])
    return texts, np.array(labels), np.array(weight), np.array(teacher)


# --- the network ---

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bert = transformers.BertModel(transformers.BertConfig(
            vocab_size=VOCAB, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
            intermediate_size=FFN, max_position_embeddings=POSITIONS, type_vocab_size=1, layer_norm_eps=1e-12,
            pad_token_id=None, hidden_dropout_prob=0, attention_probs_dropout_prob=0), add_pooling_layer=False)
        self.exits = torch.nn.ModuleList(torch.nn.Linear(HIDDEN, OUT) for _ in EXITS)
        types = self.bert.embeddings.token_type_embeddings.weight  # ours are a part of the positions
        torch.nn.init.zeros_(types).requires_grad_(False)

    def forward(self, ids, mask):
        """Logits (exits, texts, OUT)."""
        states = self.bert(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        share = (mask / mask.sum(1, keepdim=True)).to(states[0].dtype)
        return torch.stack([exit((states[after] * share[:, :, None]).sum(1)) for exit, after in zip(self.exits, EXITS)])


class Tensor:
    """One of our tensors: the parameters whose rows it is made of, how many layers up it is, and whether it decays."""

    def __init__(self, name, depth, parameters):
        self.name, self.depth, self.parameters = name, depth, parameters
        self.decays = depth > 0 and parameters[0].dim() == 2

    def cat(self, of):
        return torch.cat([of(p).detach().reshape(-1) for p in self.parameters]).double().numpy()

    def weights(self):
        return self.cat(lambda p: p)

    def gradient(self):
        return self.cat(lambda p: p.grad)


def tensors(net):
    """In the order of our block, words last."""
    e, out = net.bert.embeddings, []
    out += [Tensor("positions", 0, [e.position_embeddings.weight]), Tensor("norm.g", 0, [e.LayerNorm.weight]),
            Tensor("norm.b", 0, [e.LayerNorm.bias])]
    for i, layer in enumerate(net.bert.encoder.layer):
        a = layer.attention
        for name, modules in (("qkv", [a.self.query, a.self.key, a.self.value]), ("proj", [a.output.dense]),
                              ("norm1", [a.output.LayerNorm]), ("up", [layer.intermediate.dense]),
                              ("down", [layer.output.dense]), ("norm2", [layer.output.LayerNorm])):
            out += [Tensor(f"{i}.{name}.{kind}", i + 1, [getattr(m, kind) for m in modules]) for kind in ("weight", "bias")]
    for after, head in zip(EXITS, net.exits):
        out += [Tensor(f"exit{after}.{kind}", LAYERS + 1, [getattr(head, kind)]) for kind in ("weight", "bias")]
    return out + [Tensor("words", 0, [e.word_embeddings.weight])]


def initialise(all_tensors, rnd):
    for t in all_tensors:
        n = sum(p.numel() for p in t.parameters)
        x = draw(rnd, WORDS_REACH if t.name == "words" else BLOCK_REACH, n)
        if "norm" in t.name and t.name.endswith(("weight", ".g")):
            x += np.float32(1)
        at = 0
        for p in t.parameters:
            with torch.no_grad():
                p.copy_(torch.from_numpy(x[at:at + p.numel()]).reshape(p.shape))
            at += p.numel()


# --- the loss: model/train/loss.h ---

def loss_of(logits, labels, weight, teacher):
    """The loss, and that of the last exit's labels."""
    def tensor(x):
        return torch.as_tensor(x, dtype=logits.dtype)

    known, weight, out_weight = tensor(labels >= 0), tensor(weight)[:, None], tensor(OUT_WEIGHT)
    smooth = tensor(labels == 1) * (1 - SMOOTHING) + SMOOTHING / 2
    has_teacher, teacher = tensor(~np.isnan(teacher)), torch.sigmoid(tensor(np.nan_to_num(teacher)))

    def bce(z, p):
        return F.binary_cross_entropy_with_logits(z, p, reduction="none")

    def from_labels(z):
        energy = ENERGY * tensor(labels == 0) * F.relu(-z - ENERGY_AT) ** 2
        return (known * weight * out_weight * (bce(z, smooth) + energy)).sum() / (known * weight).sum()

    def from_teacher(z, p, there):
        return (there * weight * bce(z, p)).sum() / (OUT * weight.sum())

    own = torch.sigmoid(logits[-1].detach())
    total = 0
    for e, (z, by) in enumerate(zip(logits, EXIT_WEIGHT)):
        last = from_labels(z)
        total = total + by * (last + TEACH * from_teacher(z, teacher, has_teacher))
        if e + 1 < len(logits):
            total = total + by * SELF * from_teacher(z, own, 1)
    return total, last


# --- training ---

def optimiser(all_tensors):
    groups = [{"params": t.parameters, "weight_decay": DECAY if t.decays else 0, "depth": t.depth} for t in all_tensors]
    return torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=EPS)


def set_rates(optim, step):
    for g in optim.param_groups:
        g["lr"] = RATE * (1 - step / STEPS) * FALL ** max(0, LAYERS - g["depth"])


def step_of(optim, words, ids, dense):
    """A step that leaves the rows of words which are not among ids."""
    others = torch.ones(VOCAB, dtype=torch.bool)
    others[ids.flatten()] = dense
    state = optim.state[words]
    kept = [t.detach()[others].clone() if t is not None else 0 for t in (words, state.get("exp_avg"), state.get("exp_avg_sq"))]
    optim.step()
    with torch.no_grad():
        for t, was in zip((words, state["exp_avg"], state["exp_avg_sq"]), kept):
            t[others] = was


def pad(texts):
    ids = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, t in enumerate(texts):
        ids[i, :len(t)] = torch.tensor(t)
        mask[i, :len(t)] = 1
    return ids, mask


def norms(vectors):
    return [float(np.linalg.norm(v)) for v in vectors]


def run(dtype=torch.float64, dense=False):
    """What train.json has, and the moves."""
    rnd, net = Random(SEED), Net().to(dtype)
    all_tensors = tensors(net)
    optim, words = optimiser(all_tensors), all_tensors[-1].parameters[0]
    initialise(all_tensors, rnd)
    first = [t.weights() for t in all_tensors]
    steps, gradients, weights = [], [], [norms(first)]
    for step in range(STEPS):
        texts, labels, weight, teacher = draw_batch(rnd)
        ids, mask = pad(texts)
        optim.zero_grad()
        loss, last = loss_of(net(ids, mask), labels, weight, teacher)
        loss.backward()
        if step in (0, STEPS - 1):
            gradients.append(norms(t.gradient() for t in all_tensors))
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        set_rates(optim, step)
        step_of(optim, words, ids[mask > 0], dense)
        steps.append({"tokens": int(mask.sum()), "loss": loss.item(), "last": last.item(), "norm": norm.item()})
        if step in (0, STEPS - 1):
            weights.append(norms(t.weights() for t in all_tensors))
    rows = [{"name": t.name, "n": sum(p.numel() for p in t.parameters), "gradient_norm": [float(x) for x in g],
             "weight_norm": [float(x) for x in w]} for t, g, w in zip(all_tensors, zip(*gradients), zip(*weights))]
    moves = np.concatenate([t.weights() - was for t, was in zip(all_tensors, first)])
    return {"steps": steps, "tensors": rows}, moves


def quantise(moves):
    q = np.rint(moves / MOVE)
    if np.abs(q).max() > 127:
        sys.exit("a weight went further than 127 units")
    return q.astype(np.int8)


def line(value):
    return json.dumps(value, separators=(",", ":"))


def write(golden, moves):
    with open(path("train.json"), "w", encoding="utf-8") as f:
        f.write('{"versions":%s,\n' % line({"torch": torch.__version__.split("+")[0],
                                            "transformers": transformers.__version__}))
        f.write('"steps":[\n%s],\n"tensors":[\n%s]}\n' % tuple(
            ",\n".join(map(line, golden[k])) for k in ("steps", "tensors")))
    quantise(moves).tofile(path("train_moves.i8"))


def compare(golden, moves):
    """Prints how far this run is from what is written."""
    with open(path("train.json"), encoding="utf-8") as f:
        want = json.load(f)
    for key in ("loss", "norm"):
        print("%s: %.1e relative" % (key, max(abs(a[key] / b[key] - 1) for a, b in zip(golden["steps"], want["steps"]))))
    far = np.abs(moves - np.fromfile(path("train_moves.i8"), np.int8) * MOVE)
    print("weights: %.1e at most, of which storing them is up to %.1e" % (far.max(), MOVE / 2))


def main():
    torch.set_num_threads(1)
    dtype = torch.float32 if "--float32" in sys.argv else torch.float64
    golden, moves = run(dtype, "--dense-words" in sys.argv)
    if len(sys.argv) > 1:
        compare(golden, moves)
        return
    write(golden, moves)
    for s in golden["steps"]:
        print("%(tokens)4d tokens, loss %(loss).4f, last exit %(last).4f, gradient %(norm).4f" % s)
    print("moves: %.1e at most, %d weights" % (np.abs(moves).max(), moves.size))


if __name__ == "__main__":
    main()
