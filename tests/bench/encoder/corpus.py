#!/usr/bin/env python3
"""The posts that every encoder is timed on: corpus.py OUT [POSTS]

One post a line, token ids separated by spaces, [CLS] 101 first and [SEP] 102 last. Lengths follow the log-normal of a
feed: clamp(round(30 * exp(0.9 * z)), 4, 256). All randomness is one splitmix64 stream with a fixed seed and Box-Muller on
it, so every machine writes the same file. The order of the lines is the order of arrival. Standard library only.
"""
import math
import sys

SEED = 20240607
LEN_MIN, LEN_MAX = 4, 256
CLS, SEP = 101, 102
ID_FIRST, ID_END = 1000, 30522
MASK = (1 << 64) - 1


def splitmix64(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def posts(n):
    stream = splitmix64(SEED)
    for _ in range(n):
        u, v = ((next(stream) >> 11) / (1 << 53) for _ in range(2))
        z = math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v)
        length = min(LEN_MAX, max(LEN_MIN, math.floor(30 * math.exp(0.9 * z) + 0.5)))
        yield [CLS] + [ID_FIRST + next(stream) % (ID_END - ID_FIRST) for _ in range(length - 2)] + [SEP]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    written = list(posts(int(sys.argv[2]) if len(sys.argv) == 3 else 1024))
    with open(sys.argv[1], "w", encoding="ascii") as f:
        f.writelines(" ".join(map(str, p)) + "\n" for p in written)
    lengths = sorted(map(len, written))
    n, total = len(lengths), sum(lengths)
    print(f"corpus: {n} posts, {total} tokens, mean {total / n:.1f}, median {lengths[n // 2]}, "
          f"p90 {lengths[n * 9 // 10]}, p99 {lengths[n * 99 // 100]}, max {lengths[-1]}")


if __name__ == "__main__":
    main()
