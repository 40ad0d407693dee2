#!/usr/bin/env python3
"""bench-encoder: our encoder and the peers' on the same posts and the same weights, all held warm and run in turns.

Every round runs the peak probe and then one pass of every engine, with one thread and with two; the order rotates. Figures
are medians over the rounds. Rates by CPU time divide the process's CPU time by its busy threads: on idle cores that is
wall time, and where other work shares the cores it leaves out the waiting for them. Ratios are of CPU time. tests/bench/
README.md has the meaning of the JSON. Standard library only; engine processes bring the peers.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))
from driver import Engine, EngineFailed, machine, save, spread  # noqa: E402 (its folder is not this one)

WEIGHTS = "model/weights/winnow"
CORPUS = "build/bench/corpus.txt"
MODELS = "build/bench/models"
PYTHON = "build/bench/venv/bin/python"
BUDGET_S = 480  # of the ten minutes; the rest is for installing peers and making models
SLOWER = 1.3  # than it was while warming up the machine may become when other work begins
WARM_POSTS = 64
# Posts a pass and rounds, the first that fits the budget; the last in any case. Of fewer posts, sorting makes worse batches.
PLANS = [(256, 7), (256, 5), (128, 5)]

# Ratios are of six layers, ours and the peers' (of deeper weights the first six), so that they mean the same whatever weights
# ship; "shipped" is with [CLS] pooling, where the last layer is computed for first rows alone. "weights" are those that ship, as
# the service reads a text that goes all the way: every layer, their own pooling, packs of classifier/scorer.c (PACK_TOKENS).
SERVICE_PACK, CHUNK, SIX = 192, 128, 6
OURS = {
    "winnow_every_row": ["--chunk", str(CHUNK), "--pooling", "mean", "--layers", str(SIX)],
    "winnow_shipped": ["--chunk", str(CHUNK), "--pooling", "cls", "--layers", str(SIX)],
    "winnow_one_post_shipped": ["--one-post", "--pooling", "cls", "--layers", str(SIX)],
    "winnow_weights": ["--chunk", str(SERVICE_PACK)],
}
# name: type, order, batch
ORT = {f"ort_{kind}_{order}_b{batch}": (kind, order, batch) for kind, order, batch in (
    ("int8", "sorted", 1), ("int8", "sorted", 2), ("int8", "sorted", 4), ("int8", "arrival", 1), ("int8", "arrival", 8),
    ("fp32", "sorted", 4))}
CT2 = {f"ct2_{kind}_{order}_b{batch}": (kind, order, batch) for kind, order, batch in (
    ("int8", "sorted", 4), ("int8", "sorted", 8), ("int8", "arrival", 1), ("fp32", "sorted", 8))}
# All layers of deeper weights, in each peer's fastest of the above.
WHOLE_ORT = {"whole_ort_int8_sorted_b2": ("int8", "sorted", 2)}
WHOLE_CT2 = {"whole_ct2_int8_sorted_b4": ("int8", "sorted", 4)}
PEERS = {"onnxruntime": {**ORT, **WHOLE_ORT}, "ctranslate2": {**CT2, **WHOLE_CT2}}


def shape():
    """Layers, hidden size, width of the feed-forward layer and pooling of the shipped weights."""
    with open(f"{WEIGHTS}/config.json", encoding="utf-8") as f:
        config = json.load(f)
    return (config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"],
            config.get("winnow", {}).get("pooling", "mean"))


# The probes that bound the linear layers and attention; the first of those that the CPU has
LIMITS = {
    "avx512vnni": (["vpdpbusd_zmm"], ["vdpbf16ps_zmm", "vfmadd231ps_zmm"]),
    "avxvnni": (["vpdpbusd_ymm"], ["vfmadd231ps_ymm"]),
    "avx2": (["maddubs_depth2"], ["vfmadd231ps_ymm"]),
    "ref": ([], []),
}



def best_isa(flags):
    if "avx512_vnni" in flags and "avx512vl" in flags:
        return "avx512vnni"
    if "avx_vnni" in flags:
        return "avxvnni"
    return "avx2" if "avx2" in flags and "fma" in flags else "ref"


def environment(capped, flags):
    """CTranslate2 chooses less than the best on some CPUs, and its matrix products choose on their own; OpenBLAS too."""
    env = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    if capped:
        env.update(CT2_FORCE_CPU_ISA="AVX2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2",
                   OPENBLAS_CORETYPE="Haswell")
    elif "avx512bw" in flags and "avx512vl" in flags:
        env["CT2_FORCE_CPU_ISA"] = "AVX512"
    return env


def command(name, threads, build, isa):
    about = ["--corpus", CORPUS, "--threads", str(threads)]
    if name in OURS:
        return [f"{build}/tests/bench/model_encoder", "--weights", WEIGHTS, "--isa", isa, "--posts", str(PLANS[0][0]),
                *about, *OURS[name]]
    peer = next(p for p in PEERS.values() if name in p)
    kind, order, batch = peer[name]
    prefix = "" if name.startswith("whole_") or shape()[0] <= SIX else "six-"
    about += ["--order", order, "--batch", str(batch)]
    if peer is PEERS["onnxruntime"]:
        return [PYTHON, f"{HERE}/ort.py", "--model", f"{MODELS}/{prefix}{kind}.onnx", "--noop", f"{MODELS}/noop.onnx", *about]
    compute = {"int8": "int8", "fp32": "float32"}[kind]
    return [PYTHON, f"{HERE}/ct2.py", "--model", f"{MODELS}/{prefix}ct2-{compute}", "--noop", f"{MODELS}/ct2-noop-{compute}",
            "--compute", compute, *about]


def start(names, thread_counts, build, isa, env):
    """The engines that run, and the names of those that do not with the reason."""
    engines, failed = [], {}
    for threads in thread_counts:
        for name in names:
            if name in failed:
                continue
            try:
                engines.append(Engine(name, threads, command(name, threads, build, isa), env))
            except EngineFailed as e:
                failed[name] = str(e)
    return engines, failed


def by_peer(failed):
    """The same with one name, the peer's, where nothing of a peer runs."""
    whole = {p: names for p, names in PEERS.items() if all(n in failed for n in names if n in ORT or n in CT2)}
    rest = {n: why for n, why in failed.items() if not any(n in names for names in whole.values())}
    return {**{p: failed[next(iter(names))] for p, names in whole.items()}, **rest}


def probe(build):
    return json.loads(subprocess.run([f"{build}/tests/bench/core_peaks"], check=True, capture_output=True).stdout)


class Results:
    """rates[clock][threads][name]: tok/s of each round."""

    def __init__(self):
        self.rates = {"cpu": {}, "wall": {}}
        self.peaks = {}

    def add_pass(self, engine, answer):
        for clock, seconds in (("cpu", answer["cpu_s"] / engine.threads), ("wall", answer["wall_s"])):
            of = self.rates[clock].setdefault(engine.threads, {})
            of.setdefault(engine.name, []).append(answer["tokens"] / seconds)

    def add_peaks(self, peaks):
        for name, value in peaks.items():
            self.peaks.setdefault(name, []).append(value)

    def medians(self, threads):
        return {n: statistics.median(v) for n, v in self.rates["cpu"].get(threads, {}).items()}


def ratio_pairs(medians):
    """Of each ratio the names above and below the line, the best peer's configuration by its median."""
    def best(*beginnings):
        return max((n for n in medians if n.startswith(beginnings)), key=medians.get, default=None)

    int8 = best("ort_int8", "ct2_int8")
    whole = best("whole_") or int8
    return {
        "every_row_vs_best_int8": ("winnow_every_row", int8),
        "shipped_vs_best_int8": ("winnow_shipped", int8),
        "shipped_vs_best_fp32": ("winnow_shipped", best("ort_fp32", "ct2_fp32")),
        "weights_vs_best_int8": ("winnow_weights", whole),
        "one_post_vs_int8_b1": ("winnow_one_post_shipped", best("ort_int8_arrival_b1", "ct2_int8_arrival_b1")),
        "shipped_vs_int8_padded_b8": ("winnow_shipped", best("ort_int8_arrival_b8")),
    }


def ratios(results, threads):
    """Of each ratio its value (of the medians), the spread over rounds, and the two names."""
    medians, rounds = results.medians(threads), results.rates["cpu"].get(threads, {})
    return {key: (medians[above] / medians[below], [a / b for a, b in zip(rounds[above], rounds[below])], above, below)
            for key, (above, below) in ratio_pairs(medians).items() if above in medians and below in medians}


def second_core(results):
    one, two = (results.rates["cpu"].get(t, {}).get("winnow_shipped") for t in (1, 2))
    if not one or not two:
        return None
    return (statistics.median(two) / statistics.median(one), [b / a for a, b in zip(one, two)],
            "winnow_shipped on two threads", "on one")


def lengths(posts):
    with open(CORPUS, encoding="ascii") as f:
        return [len(line.split()) for line, _ in zip(f, range(posts))]


def limit_tok_s(isa, peaks, posts):
    """Every row: linear layers and attention each at the rate of its probe. None where there is none."""
    def rate(names):
        return next((peaks[n]["median"] * 1e9 for n in names if n in peaks), None)

    linear, attention = map(rate, LIMITS[isa])
    if linear is None or attention is None:
        return None
    _, hidden, ffn, _ = shape()
    mean = sum(n * n for n in lengths(posts)) / sum(lengths(posts))  # of the post that a token is in
    # a token's work in all linear layers, and in attention for each token of its post
    linear_ops = 2 * SIX * (4 * hidden * hidden + 2 * hidden * ffn)
    return 1 / (linear_ops / linear + 4 * SIX * hidden * mean / attention)


def print_table(results):
    print("\ntok/s: by CPU time, median (min-max), and by wall time, median")
    thread_counts = sorted(results.rates["cpu"])
    print(" " * 28 + "".join(f"{f'threads: {t}':>32}" for t in thread_counts))
    for name in results.rates["cpu"][1]:
        print(f"{name:<28}", end="")
        for t in thread_counts:
            cpu, wall = (results.rates[clock][t].get(name) for clock in ("cpu", "wall"))
            print(f"{cell(cpu, wall):>32}", end="")
        print()


def cell(cpu, wall):
    if cpu is None:
        return "-"
    return f"{statistics.median(cpu):.0f} ({min(cpu):.0f}-{max(cpu):.0f}) {statistics.median(wall):8.0f}"


def print_ratios(title, found):
    print(f"\n{title}")
    for key, (value, rounds, above, below) in found.items():
        print(f"  {key:<28} {value:6.2f}  ({min(rounds):.2f}-{max(rounds):.2f})  {above} / {below}")


def print_calls(engines, results, posts):
    """What a call through Python costs, beside a call that encodes one post."""
    mean = sum(lengths(posts)) / posts
    for peer, one_post in (("onnxruntime", "ort_int8_arrival_b1"), ("ctranslate2", "ct2_int8_arrival_b1")):
        about = [e.about for e in engines if e.name == one_post]
        if about:
            us, whole = about[0]["call_us"], mean / results.medians(1)[one_post] * 1e6
            print(f"{peer} {about[0]['version']}: a call through Python that computes nothing takes {us:.0f} us, "
                  f"one with a post {whole:.0f} us ({us / whole:.1%})")


def plan(engines, began):
    """Warms the engines; posts a pass and rounds by how long that took."""
    t = time.monotonic()
    for e in engines:
        e.go(WARM_POSTS)
    now = time.monotonic()
    for posts, rounds in PLANS:
        if (now - t) * posts / WARM_POSTS * rounds * SLOWER < BUDGET_S - (now - began):
            break
    return posts, rounds


def measure(engines, build, posts, rounds):
    results = Results()
    for r in range(rounds):
        results.add_peaks(probe(build))
        at = r * len(engines) // rounds
        for e in engines[at:] + engines[:at]:
            results.add_pass(e, e.go(posts))
        print(f"bench-encoder: round {r + 1} of {rounds}", file=sys.stderr)
    return results


def report(results, isa, posts, failed, engines):
    """Prints, and returns what the JSON says."""
    peaks = {n: spread(v) for n, v in results.peaks.items()}
    print("\npeaks of one core, G operations/s: median of the rounds (max)")
    for name, p in peaks.items():
        print(f"  {name:<18} {p['median']:7.1f}  ({p['max']:.1f})")
    print_table(results)
    print()
    print_calls(engines, results, posts)

    found = {t: ratios(results, t) for t in (1, 2)}
    core = second_core(results)
    if core:
        for t in found:
            found[t]["second_core"] = core
    for t, title in ((1, "ratios, one thread"), (2, "ratios, two threads")):
        if found[t]:
            print_ratios(title + ": of the medians, by CPU time (min-max of the rounds)", found[t])
    tok_s = results.medians(1)
    limit = limit_tok_s(isa, peaks, posts)
    keys = [*ratio_pairs({}), "second_core"]
    out = {"isa": isa, "threads": 1, "tok_s": {n: round(v) for n, v in tok_s.items()},
           "ratio": {k: round(v[0], 3) for k, v in found[1].items()},
           "ratio2": {k: round(v[0], 3) for k, v in found[2].items()}}
    missing = list(by_peer(failed))
    missing += [k for k in keys if k not in out["ratio"]]
    missing += [f"ratio2.{k}" for k in keys if k in out["ratio"] and k not in out["ratio2"]]
    if limit and "winnow_every_row" in tok_s:
        out["share_of_limit"] = round(tok_s["winnow_every_row"] / limit, 3)
        print(f"\nlimit of this core with {isa}, every row: {limit:.0f} tok/s; ours is {out['share_of_limit']:.1%} of it")
    else:
        missing.append("share_of_limit")
    out["missing"] = missing
    return out, peaks


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build", help="where our programs are")
    p.add_argument("--isa", default="", choices=("", "avx2"), help="avx2: ours and CTranslate2 only, both held to it")
    return p.parse_args()


def check(engines, failed, isa):
    """Says what does not run; there must be ours, on that instruction set, and a peer."""
    for name, why in by_peer(failed).items():
        print(f"bench-encoder: {name} does not run: {why}", file=sys.stderr)
    if any(name in OURS for name in failed):
        sys.exit("bench-encoder: our own encoder does not run")
    if all(e.name in OURS for e in engines):
        sys.exit("bench-encoder: no peer ran")
    for e in engines:
        if e.name in OURS and e.about["isa"] != isa:
            sys.exit(f"bench-encoder: {e.name} runs on {e.about['isa']}, not {isa}")


def on_alarm(_signal, _frame):
    sys.exit(f"bench-encoder: not done within {BUDGET_S + 60} s: the machine is too slow or too busy")


def main():
    args, began = arguments(), time.monotonic()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(BUDGET_S + 60)
    about = machine()
    isa = args.isa or best_isa(about["flags"])
    if args.isa and not {"avx2", "fma"} <= set(about["flags"]):
        sys.exit("bench-encoder: this CPU has no AVX2")
    layers, hidden, _, pooling = shape()
    names = [*OURS, *CT2] if args.isa else [*OURS, *ORT, *CT2]
    if layers > SIX:
        names += WHOLE_CT2 if args.isa else [*WHOLE_ORT, *WHOLE_CT2]
    thread_counts = [1, 2] if about["cores"] > 1 else [1]
    print(f"{about['model']}, {about['cores']} cores, load {os.getloadavg()[0]:.1f}; {' '.join(about['flags'])}\n"
          f"instruction set: {isa}" + (", of ours and CTranslate2; ONNX Runtime has no switch for it" if args.isa else "") + f"""
weights: {WEIGHTS}, {layers} layers x {hidden}, {pooling} pooling
  every row        {SIX} layers, mean pooling, packs of {CHUNK} tokens: the peers' work
  shipped          {SIX} layers, the last of them for each post's first row alone ([CLS] pooling), packs of {CHUNK}
  weights          all {layers} layers, {pooling} pooling, packs of {SERVICE_PACK}, as the service reads a text to its end
  peers            {SIX} layers, every row; whole_...: all {layers}""")

    engines = []
    try:
        engines, failed = start(names, thread_counts, args.build, isa, environment(args.isa, about["flags"]))
        check(engines, failed, isa)
        posts, rounds = plan(engines, began)
        print(f"{posts} posts a pass, {rounds} rounds", flush=True)
        results = measure(engines, args.build, posts, rounds)
    except EngineFailed as e:
        sys.exit(f"bench-encoder: an engine ended: {e}")
    finally:
        for e in engines:
            e.close()

    out, peaks = report(results, isa, posts, failed, engines)
    base = "build/bench/encoder" + ("-avx2" if args.isa else "")
    print()
    save(base + ".json", out)
    save(base + "-rounds.json", {"machine": about, "posts": posts, "peaks": peaks, "tok_s": results.rates})


if __name__ == "__main__":
    main()
