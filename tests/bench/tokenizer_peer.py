"""Hugging Face tokenizers (Rust) for tests/bench/classifier_text.c: one thread, the batch calls.

    tokenizer_peer.py VOCAB|TOKENIZER_JSON POSTS IDS

What it remembers of words is forgotten before each round, so that no round is of posts that it has seen. Writes the ids of all posts, without special tokens, to IDS: 32-bit numbers, a post's count before its ids. Then each line
on standard input asks for one round, and is answered by the process CPU seconds of encode_batch() and of
encode_batch_fast(), which leaves the offsets out.
"""
import json
import os
import struct
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizers  # noqa: E402 (reads the variable when it is loaded)
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers


def open_tokenizer(path):
    if path.endswith(".json"):
        t = Tokenizer.from_file(path)
        t.encode_special_tokens = True
        return t
    with open(path, encoding="utf-8") as f:
        vocab = {line.rstrip(): i for i, line in enumerate(f)}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return t


def main():
    vocab, posts, ids = sys.argv[1:]
    t = open_tokenizer(vocab)
    with open(posts, encoding="utf-8") as f:
        texts = [json.loads(line)["text"] for line in f]
    with open(ids, "wb") as f:
        for e in t.encode_batch(texts, add_special_tokens=False):
            f.write(struct.pack("=I%dI" % len(e.ids), len(e.ids), *e.ids))
    print(tokenizers.__version__, flush=True)
    for _ in sys.stdin:
        took = []
        for call in (t.encode_batch, t.encode_batch_fast):
            if hasattr(t.model, "_clear_cache"):
                t.model._clear_cache()
            start = time.process_time()
            encoded = call(texts, add_special_tokens=False)
            took.append(time.process_time() - start)
            del encoded
        print("%.9f %.9f" % tuple(took), flush=True)


if __name__ == "__main__":
    main()
