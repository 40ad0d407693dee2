"""What the engines of Python share: how posts become batches, and the lines that the driver and an engine exchange.

An engine loads, says {"ready": true, ...} on one line, and for each line "go N" on standard input makes one timed pass over
the first N posts and answers {"tokens", "posts", "wall_s", "cpu_s"}; end of input ends it. tokens are real ones, without
padding; cpu_s is that of the process, all its threads. Batches are made before the clock starts.
"""
import argparse
import itertools
import json
import statistics
import sys
import threading
import time


def arguments(description, **extra):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--model", required=True)
    p.add_argument("--noop", required=True, help="a model that computes nothing: what a call costs")
    p.add_argument("--corpus", required=True)
    p.add_argument("--batch", type=int, required=True)
    p.add_argument("--order", choices=("sorted", "arrival"), required=True)
    p.add_argument("--threads", type=int, default=1)
    for name, keys in extra.items():
        p.add_argument("--" + name, **keys)
    return p.parse_args()


def batches(args, n):
    """Lists of the first n posts. Sorted: longest first, so that the last ones are small and threads end together."""
    with open(args.corpus, encoding="ascii") as f:
        posts = [list(map(int, line.split())) for line in itertools.islice(f, n)]
    if args.order == "sorted":
        posts.sort(key=len, reverse=True)
    return [posts[i:i + args.batch] for i in range(0, len(posts), args.batch)]


def call_us(call, n=300):
    """Microseconds of one call, median."""
    def once():
        t = time.perf_counter()
        call()
        return (time.perf_counter() - t) * 1e6
    return round(statistics.median(once() for _ in range(n)), 1)


def run_pass(batches_made, threads, call):
    """Wall and CPU seconds. Each thread takes the next batch; a step of a list's iterator is atomic in CPython."""
    def work(queue):
        for batch in queue:
            call(batch)

    queue = iter(batches_made)
    others = [threading.Thread(target=work, args=(queue,)) for _ in range(threads - 1)]
    wall, cpu = time.perf_counter(), time.process_time()
    for t in others:
        t.start()
    work(queue)
    for t in others:
        t.join()
    return time.perf_counter() - wall, time.process_time() - cpu


def serve(about, args, prepare, call):
    """prepare(posts) makes of a batch what call() takes."""
    print(json.dumps({"ready": True, **about}), flush=True)
    for line in sys.stdin:
        verb, n = line.split()
        if verb != "go":
            sys.exit(f"not a request: {line.strip()!r}")
        posts = batches(args, int(n))
        wall, cpu = run_pass([prepare(b) for b in posts], args.threads, call)
        print(json.dumps({"tokens": sum(len(p) for b in posts for p in b), "posts": sum(map(len, posts)),
                          "wall_s": wall, "cpu_s": cpu}), flush=True)
