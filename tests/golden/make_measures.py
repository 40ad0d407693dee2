#!/usr/bin/env python3
"""Makes measures.json: what scikit-learn and statsmodels say of random scores, for tests/golden/model_measure.c.

    python3 -m venv build/measures && build/measures/bin/pip install scikit-learn==1.5.2 statsmodels==0.14.4
    build/measures/bin/python tests/golden/make_measures.py

ECE is in neither library: it is computed here as model/measure.h defines it, on fractions and in another way.
"""
import json
import os
import random
from fractions import Fraction

import numpy as np
import sklearn
import statsmodels
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

HERE = os.path.dirname(os.path.abspath(__file__))
BINS = 15


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z, dtype=float)))


def ece(scores, labels):
    """Every row is spread over the bins that its group of equal scores covers, evenly."""
    n = len(scores)
    edges = [b * n // BINS for b in range(BINS + 1)]
    mean, share = [0.0] * BINS, [Fraction(0)] * BINS
    start = 0
    for value in sorted(set(scores)):
        rows = [y for z, y in zip(scores, labels) if z == value]
        end = start + len(rows)
        for b in range(BINS):
            covered = max(0, min(end, edges[b + 1]) - max(start, edges[b]))
            mean[b] += covered * float(sigmoid(value))
            share[b] += Fraction(covered * sum(rows), len(rows))
        start = end
    return sum(abs(m - float(s)) for m, s in zip(mean, share)) / n


def case(rng, n, digits, prevalence, slope):
    labels = [int(rng.random() < prevalence) for _ in range(n)]
    scores = [round(slope * (y - 0.5) + rng.gauss(0, 2), digits) for y in labels]
    times = [rng.randrange(4) for _ in labels]
    p = sigmoid(scores)
    return {
        "scores": scores,
        "labels": labels,
        "times": times,
        "auc": roc_auc_score(labels, scores),
        "ap": average_precision_score(labels, scores),
        "brier": brier_score_loss(labels, p),
        "ece": ece(scores, labels),
        "weighted": {
            "auc": roc_auc_score(labels, scores, sample_weight=times),
            "ap": average_precision_score(labels, scores, sample_weight=times),
            "brier": brier_score_loss(labels, p, sample_weight=times),
        },
    }


def main():
    rng = random.Random(20)
    shapes = [(40, 0, 0.5, 2), (120, 3, 0.3, 1), (150, 1, 0.1, 3), (200, 2, 0.5, 0), (97, 0, 0.8, 4), (31, 2, 0.4, 1)]
    wilson = []
    for hits, n in [(0, 1), (1, 1), (0, 50), (3, 50), (49, 50), (50, 50), (500, 1000), (7, 29399)]:
        low, high = proportion_confint(hits, n, method="wilson")
        wilson.append([hits, n, low, high])
    made = {
        "made_by": {"scikit-learn": sklearn.__version__, "statsmodels": statsmodels.__version__},
        "cases": [case(rng, *shape) for shape in shapes],
        "wilson": wilson,
    }
    with open(os.path.join(HERE, "measures.json"), "w", encoding="ascii") as f:
        f.write("{\n")
        f.write('"made_by": ' + json.dumps(made["made_by"]) + ",\n")
        f.write('"cases": [\n' + ",\n".join(json.dumps(c) for c in made["cases"]) + "\n],\n")
        f.write('"wilson": ' + json.dumps(wilson) + "\n}\n")


if __name__ == "__main__":
    main()
