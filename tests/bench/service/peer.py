"""The pipeline that bench-service compares with: what one would write in Python in an afternoon, and not badly.

Kafka (confluent-kafka) -> tokenizers -> ONNX Runtime int8 -> PostgreSQL COPY and commit -> Kafka offsets, forever.

    peer.py BROKER GROUP TOPIC PARTITIONS DSN MODEL DISABLED TOKENIZER FETCH CALL THREADS

DISABLED are optimizers of ONNX Runtime that the model is faster without, with commas between. TOKENIZER is a tokenizer.json,
or a vocab.txt of WordPiece. FETCH posts are taken at once and committed together; CALL of them go into one call of the model, padded to the longest.
At least once: it may store a row twice after a crash, and keeps no audit trail, no order and no fence.
"""
import json
import sys

import numpy as np
import onnxruntime
import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

TOKENS_MAX = 256
THRESHOLD = 0.9


def open_tokenizer(path):
    if path.endswith(".json"):
        t = Tokenizer.from_file(path)
        t.no_padding()
        t.enable_truncation(TOKENS_MAX)
        return t
    with open(path, encoding="utf-8") as f:
        vocab = {line.rstrip(): i for i, line in enumerate(f)}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))
    t.enable_truncation(TOKENS_MAX)
    return t


def open_model(path, disabled, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"],
                                        disabled_optimizers=[d for d in disabled.split(",") if d])


def score(model, tokenizer, texts):
    encoded = tokenizer.encode_batch_fast(texts)
    longest = max(len(e.ids) for e in encoded)
    ids = np.zeros((len(encoded), longest), np.int64)
    mask = np.zeros_like(ids)
    for row, e in enumerate(encoded):
        ids[row, : len(e.ids)] = e.ids
        mask[row, : len(e.ids)] = 1
    return model.run(["scores"], {"input_ids": ids, "attention_mask": mask})[0]


def store(db, posts, scores):
    with db.cursor() as cursor, cursor.copy("COPY peer_verdict (post_id, scores, action) FROM STDIN") as copy:
        for post, s in zip(posts, scores):
            copy.write_row((post["id"], s.tolist(), "review" if s.max() > THRESHOLD else "allow"))
    db.commit()


def main():
    broker, group, topic, parts, dsn, model, disabled, pieces = sys.argv[1:9]
    fetch, call, threads = (int(v) for v in sys.argv[9:])
    tokenizer, session = open_tokenizer(pieces), open_model(model, disabled, threads)
    db = psycopg.connect(dsn)
    consumer = Consumer({"bootstrap.servers": broker, "group.id": group, "enable.auto.commit": False})
    # not subscribe(): two processes would first share out their partitions for seconds, in the measured time
    consumer.assign([TopicPartition(topic, int(p), OFFSET_BEGINNING) for p in parts.split(",")])
    while True:
        messages = [m for m in consumer.consume(fetch, timeout=0.1) if m.error() is None]
        if not messages:
            continue
        posts = [json.loads(m.value())["post"] for m in messages]
        texts = [p["text"] for p in posts]
        scores = [score(session, tokenizer, texts[i : i + call]) for i in range(0, len(texts), call)]
        store(db, posts, np.concatenate(scores))
        consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()
