"""The linear reader that leave-one-family-out is compared with: logistic regression on hashed n-grams (word 1-2-grams,
character 2-4-grams inside word bounds, 2^18 buckets each, L2), trained on the same folds as lofo.sh.

usage: ngram.py DATA FEED OUT        DATA has text/{train,dev,test}.jsonl.gz, FEED is model/data/feed
Writes OUT/<family>.ngram.json: head -> positives, negatives, auc, recall and false positives at the threshold that lets
1 % of the other families' dev negatives through. Skips folds that are there.
"""
import gzip
import json
import os
import sys

import numpy as np
from scipy.sparse import hstack
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

FAMILIES = {
    "sms_en": ["sms_uci", "sms_mendeley"],
    "sms_other": ["sms_turkish", "sms_indonesian", "sms_thai"],
    "mail": ["enron", "phish_mail", "ham_mail"],
    "telegram": ["tg_spam", "tg_swindlers"],
    "yt_x": ["yt_comments", "x_posts"],
    "headlines_en": ["cb_headlines"],
    "headlines_other": ["cb_turkish", "cb_spanish", "cb_indonesian"],
    "bots": ["tweepfake", "llm_tweets"],
    "reddit_docs": ["reddit_gpt", "llm_docs"],
    "reviews": ["gen_reviews"],
}
HEADS = {"spam": "spam", "scam": "scam", "bait": "bait", "ai_text": "ai"}
ROWS_PER_SOURCE = 2000
FILL = ["tweeteval", "xlmt"]


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def features(rows):
    texts = [r["text"] for r in rows]
    words = HashingVectorizer(n_features=2**18, ngram_range=(1, 2), norm="l2", alternate_sign=False)
    chars = HashingVectorizer(n_features=2**18, analyzer="char_wb", ngram_range=(2, 4), norm="l2", alternate_sign=False)
    return hstack([words.transform(texts), chars.transform(texts)]).tocsr()


def labels(rows, head):
    known = [r["labels"].get(head) for r in rows]
    return np.array([-1 if v is None else v for v in known])


def pick(rows, seed):
    """At most ROWS_PER_SOURCE texts of each source, by chance."""
    order = np.random.default_rng(seed).permutation(len(rows))
    taken, out = {}, []
    for i in order:
        source = rows[i]["source"]
        if taken.setdefault(source, 0) < ROWS_PER_SOURCE:
            taken[source] += 1
            out.append(rows[i])
    return out


def fold(train, dev, test):
    x_train, x_dev, x_test = features(train), features(dev), features(test)
    out = {}
    for head, name in HEADS.items():
        y_train, y_dev, y_test = (labels(r, name) for r in (train, dev, test))
        known, held, asked = y_train >= 0, y_dev == 0, y_test >= 0
        pos, neg = int((y_test == 1).sum()), int((y_test == 0).sum())
        if pos == 0 and neg < 200:
            continue
        model = LogisticRegression(solver="liblinear", C=10, class_weight="balanced")
        model.fit(x_train[known], y_train[known])
        threshold = np.quantile(model.decision_function(x_dev[held]), 0.99)
        z, y = model.decision_function(x_test[asked]), y_test[asked]
        out[head] = {
            "positives": pos,
            "negatives": neg,
            "auc": float(roc_auc_score(y, z)) if pos and neg else None,
            "recall": float((z[y == 1] > threshold).mean()) if pos else None,
            "fpr": float((z[y == 0] > threshold).mean()) if neg else None,
        }
    return out


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    data, feed, out = sys.argv[1:]
    parts = {p: read(f"{data}/text/{p}.jsonl.gz") for p in ("train", "dev", "test")}
    mine = {p: read(f"{feed}/{p}.jsonl") for p in ("train", "dev")}
    os.makedirs(out, exist_ok=True)
    for family, sources in FAMILIES.items():
        path = f"{out}/{family}.ngram.json"
        if os.path.exists(path):
            continue
        left = set(sources)
        keep = {p: [r for r in parts[p] if r["source"] not in left] + mine[p] for p in mine}
        test = [r for p in parts for r in parts[p] if r["source"] in left]
        test += [r for r in parts["test"] if r["source"] in FILL]
        result = fold(pick(keep["train"], 1), keep["dev"], test)
        with open(path + ".part", "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
        os.rename(path + ".part", path)
        print(family, json.dumps({h: [r["recall"] and round(r["recall"], 3), r["fpr"] and round(r["fpr"], 4)] for h, r in result.items()}))


if __name__ == "__main__":
    main()
