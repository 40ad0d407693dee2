#!/usr/bin/env python3
"""Makes what the golden tests of Unigram and byte-level BPE compare with, by the reference libraries.

    /tmp/venv/bin/pip install sentencepiece protobuf        # beside what make_golden.py needs
    /tmp/venv/bin/python tests/golden/make_tokenizers.py [E5_DIR]

Written beside this file:

    xlm_roberta/      a small random classifier of the XLM-R shape with a Unigram tokenizer and a character map, both
                      trained by SentencePiece on words of make_golden.py and strings of corpus.json
    roberta/          the same of the RoBERTa shape, with byte-level BPE
    distilbert/tokenizer.json   what vocab.txt there says, as newer folders say it
    forms.u32         one hash of what normal forms, StripAccents and the pattern of ByteLevel make of each block of 4,096
                      characters
    NAME/tokens.u32   one 32-bit hash of the ids for each line of corpus.json and then of corpus_more.json
    NAME/tokens.jsonl a few of those lines whole
    e5.u32, e5.f32    the same hashes, and projections of first rows on the 200 texts, of E5_DIR: the folder of
                      multilingual-e5-small that tests find through WN_TEST_E5_DIR. Left alone where no E5_DIR is given.

Special tokens that a text spells are text for us. Byte-level BPE does the same when asked to encode special tokens;
Unigram would find them in its vocabulary, so there the reference gets a vocabulary that spells them as no text does.
SentencePiece and the BPE trainer may train another tokenizer in another version: what counts is what is committed.
"""
import base64
import io
import json
import os
import struct
import sys
import unicodedata

import sentencepiece
import torch
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from make_golden import (WORDS, Random, corpus, fnv, hash_ids, is_surrogate, path, randomize, reference_tokenizer,
                         write_logits, write_model, write_projections)

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def lines():
    return list(corpus()) + list(corpus("corpus_more.json"))


# --- what the small tokenizers learn from ---

def training_lines():
    """Words, and the strings of the corpus; letters of some scripts, so that each is a piece."""
    kinds = json.load(open(path("corpus.json"), encoding="utf-8"))["kinds"]
    strings = [s for k in kinds for s in k["strings"] if s.strip() and "\0" not in s and "\n" not in s]
    rnd = Random(11)
    for _ in range(4000):
        out = []
        for _ in range(3 + rnd.below(12)):
            out.append(strings[rnd.below(len(strings))] if rnd.below(4) == 0 else WORDS[rnd.below(len(WORDS))])
        yield (" " if rnd.below(9) else "").join(out)
    for first, last in ((0x21, 0x7e), (0xc0, 0x17f), (0x391, 0x3c9), (0x410, 0x44f), (0x5d0, 0x5ea), (0x621, 0x64a),
                        (0x915, 0x939), (0x3041, 0x3096), (0x30a1, 0x30fa), (0xac00, 0xac20), (0x4e00, 0x4e20),
                        (0x1f600, 0x1f620), (0x300, 0x310)):
        yield from (chr(c) * 2 for c in range(first, last + 1))


# --- Unigram, as SentencePiece and XLM-R have it ---

def rules():
    """NFKC of some blocks, and what SentencePiece makes of controls and white space, as lines of its rule file."""
    out = {chr(c): "" for c in range(1, 32) if chr(c) not in "\t\n\f\r"}
    out.update({c: " " for c in "\t\n\f\r\u00a0\u1680\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2581\u3000\ufeff\ufffd"})
    blocks = [(0xa0, 0x17f), (0x958, 0x95f), (0x2000, 0x200a), (0x2010, 0x203f), (0x2100, 0x2150), (0x2460, 0x2490),
              (0x3300, 0x3310), (0xfb00, 0xfb06), (0xfb1d, 0xfb40), (0xff01, 0xffef), (0x1d400, 0x1d420)]
    for c in (chr(c) for first, last in blocks for c in range(first, last + 1)):
        if unicodedata.normalize("NFKC", c) != c:
            out.setdefault(c, unicodedata.normalize("NFKC", c))
        if unicodedata.normalize("NFD", c) != c:
            out.setdefault(unicodedata.normalize("NFD", c), unicodedata.normalize("NFKC", c))
    for kana in range(0xff76, 0xff8f):
        for mark in "\uff9e\uff9f":
            both = chr(kana) + mark
            out.setdefault(both, unicodedata.normalize("NFKC", both))
    hexes = lambda s: " ".join("%X" % ord(c) for c in s)
    return "".join("%s\t%s\n" % (hexes(k), hexes(v)) for k, v in out.items() if k != v)


def train_unigram(folder):
    os.makedirs(folder, exist_ok=True)
    tsv = os.path.join(folder, "rules.tsv")
    with open(tsv, "w") as f:
        f.write(rules())
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=training_lines(), model_writer=trained, vocab_size=1400, model_type="unigram",
        character_coverage=1.0, normalization_rule_tsv=tsv, num_threads=1, minloglevel=2)
    os.remove(tsv)
    proto = sentencepiece_model_pb2.ModelProto.FromString(trained.getvalue())
    pieces = [(p.piece, p.score) for p in proto.pieces if p.type == proto.SentencePiece.NORMAL]
    vocab = [[p, 0.0] for p in SPECIAL[:4]] + [list(p) for p in pieces] + [["<mask>", 0.0]]
    added = [dict(id=i, content=vocab[i][0], single_word=False, lstrip=vocab[i][0] == "<mask>", rstrip=False,
                  normalized=False, special=True) for i in (0, 1, 2, 3, len(vocab) - 1)]
    template = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    whole = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled",
             "precompiled_charsmap": base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"}]},
        "post_processor": {
            "type": "TemplateProcessing", "single": template, "pair": template + template,
            "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in (("<s>", 0), ("</s>", 2))}},
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": False},
    }
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump(whole, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


# --- byte-level BPE, as RoBERTa has it ---

def train_bpe(folder):
    os.makedirs(folder, exist_ok=True)
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(training_lines(), trainers.BpeTrainer(
        vocab_size=1400, special_tokens=SPECIAL, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False))
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tok.save(os.path.join(folder, "tokenizer.json"), pretty=False)


# --- ids ---

def open_reference(folder):
    with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as f:
        whole = json.load(f)
    if whole["model"]["type"] == "Unigram":
        whole["added_tokens"] = []
        whole["post_processor"] = None
        for pair in whole["model"]["vocab"]:
            if pair[0] in SPECIAL:
                pair[0] = "\ue000%s\ue000" % pair[0]
    tok = Tokenizer.from_str(json.dumps(whole))
    tok.no_padding()
    tok.no_truncation()
    tok.encode_special_tokens = True
    return tok


def write_hashes(file, tok):
    ids = [e.ids for e in tok.encode_batch(lines(), add_special_tokens=False)]
    with open(file, "wb") as f:
        f.write(struct.pack("<%dI" % len(ids), *map(hash_ids, ids)))
    print("%s: %d lines, %d tokens" % (file, len(ids), sum(map(len, ids))))
    return ids


def write_tokens(folder):
    ids = write_hashes(os.path.join(folder, "tokens.u32"), open_reference(folder))
    texts = lines()
    first = len(texts) - 40
    with open(os.path.join(folder, "tokens.jsonl"), "w", encoding="utf-8") as f:
        for i in list(range(2, 20, 9)) + list(range(first, first + 40)):
            f.write(json.dumps({"line": i, "text": texts[i], "ids": ids[i]}) + "\n")


def around(tok, positions):
    """The ids of a text as the models see them."""
    return lambda text: [0] + tok.encode(text, add_special_tokens=False).ids[: positions - 2] + [2]


def write_forms():
    steps = [normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(), normalizers.StripAccents()]
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    hashes = []
    for block in range(0, 0x110000, 4096):
        h = 0x811C9DC5
        for c in range(block, block + 4096):
            if is_surrogate(c):
                continue
            made = [s.normalize_str("a" + chr(c) + "\u0301") for s in steps]
            # a letter, a number, another character, or white space
            kind = [k for k, other in enumerate("a1!") if len(split.pre_tokenize_str(other + chr(c))) == 1]
            h = fnv(("\n".join(made) + chr(kind[0] if kind else 3)).encode(), h)
        hashes.append(h)
    with open(path("forms.u32"), "wb") as f:
        f.write(struct.pack("<%dI" % len(hashes), *hashes))


# --- models ---

def write_classifier(name, kind, config, seed, texts):
    folder = path(name)
    tok = open_reference(folder)
    labels = {i: "LABEL_%d" % i for i in range(3)}
    model = kind(config(
        vocab_size=tok.get_vocab_size(), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=96, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5,
        id2label=labels)).eval()
    randomize(model, seed)
    write_model(folder, model, True)
    write_logits(folder, model, texts, around(tok, 64))
    write_tokens(folder)


def write_e5(folder, texts):
    tok = open_reference(folder)
    write_hashes(path("e5.u32"), tok)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    ids_of = around(tok, 512)

    def pooled_of(text):
        ids = torch.tensor([ids_of(text)])
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0][0]

    write_projections("e5.f32", texts, pooled_of)


def main():
    torch.set_num_threads(2)
    with open(path("texts.jsonl"), encoding="utf-8") as f:
        texts = [json.loads(line) for line in f]
    reference_tokenizer(path("distilbert", "vocab.txt")).save(path("distilbert", "tokenizer.json"), pretty=False)
    write_forms()
    train_unigram(path("xlm_roberta"))
    train_bpe(path("roberta"))
    write_classifier("xlm_roberta", transformers.XLMRobertaForSequenceClassification, transformers.XLMRobertaConfig, 5, texts)
    write_classifier("roberta", transformers.RobertaForSequenceClassification, transformers.RobertaConfig, 6, texts)
    if len(sys.argv) > 1:
        write_e5(sys.argv[1], texts)


if __name__ == "__main__":
    main()
