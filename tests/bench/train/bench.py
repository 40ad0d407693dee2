#!/usr/bin/env python3
"""bench-train: our trainer beside PyTorch on the CPU, the same network, numbers and posts, in turns.

For each shape of a network and each number of threads all engines are started, make one pass to warm up, and then one in each
round; the order rotates. Rates are medians over the rounds, by wall time and by CPU time divided by the threads, which on
idle cores are the same. Tokens are real ones: what is computed for padding counts as nothing. tests/bench/README.md has the
meaning of the JSON. Standard library only; engines bring the rest.
"""
import argparse
import math
import os
import sys
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))
from driver import Engine, EngineFailed, machine, save, spread  # noqa: E402 (its folder is not this one)

CORPUS = "build/bench/corpus.txt"
PYTHON = "build/bench/venv/bin/python"
BATCH = 32
GOAL = 1.2  # times PyTorch's GFLOP/s
LOSS_APART = 1e-4  # relative, of two engines at the first batch of the first pass
CLOCKS = ("wall", "cpu")


@dataclass
class Shape:
    layers: int
    hidden: int
    heads: int
    ffn: int
    vocab: int

    def matrices(self):
        """Numbers of the layers' matrices: each takes part in a multiply and an add for every token."""
        return self.layers * (4 * self.hidden ** 2 + 2 * self.hidden * self.ffn)

    def gflop(self, answer):
        """Of a pass, forward and twice that back: 2 for each number of a matrix and token; in attention 4 * hidden a layer
        for each pair of tokens of a post."""
        return (6 * self.matrices() * answer["tokens"] + 12 * self.layers * self.hidden * answer["squares"]) / 1e9

    def options(self):
        return [word for name, value in vars(self).items() for word in (f"--{name}", str(value))]


SHAPES = {"minilm-l6": Shape(6, 384, 12, 1536, 30522), "e5-small": Shape(12, 384, 12, 1536, 77276)}
# name: options beside those of all, and the share of a pass that it makes (padded batches take four times as long)
OURS = {"winnow": ([], 1), "winnow_bf16": (["--bf16"], 1)}
PEERS = {"pytorch_padded": (["--order", "arrival"], 0.5), "pytorch_sorted": (["--order", "sorted"], 1),
         "pytorch_sorted_compiled": (["--order", "sorted", "--compiled"], 1)}
ROWS = {**OURS, **PEERS}


def environment(threads):
    """malloc gives memory back and takes it again at each step unless it is told to keep it: 4 % of PyTorch's time."""
    return dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS="1", MALLOC_TOP_PAD_=str(1 << 26),
                MALLOC_MMAP_THRESHOLD_=str(1 << 32), MALLOC_TRIM_THRESHOLD_=str(1 << 34),
                TORCHINDUCTOR_CACHE_DIR=os.path.abspath("build/bench/inductor"))


def command(name, shape, threads, args):
    program = [f"{args.build}/tests/bench/model_train"] if name in OURS else [PYTHON, "-B", f"{HERE}/pytorch.py"]
    return [*program, *shape.options(), "--batch", str(BATCH), "--corpus", CORPUS, "--threads", str(threads),
            "--dropout", str(args.dropout), *ROWS[name][0]]


def posts_of(name, args):
    return max(1, int(args.posts * ROWS[name][1]) // BATCH) * BATCH


class Block:
    """All engines of a shape with a number of threads: what they are, and their answers, of which the first warmed up."""

    def __init__(self, shape, threads, names, args):
        self.shape, self.threads, self.args = shape, threads, args
        self.engines, self.failed, self.answers = [], {}, {}
        for name in names:
            self._start(name)

    def _start(self, name):
        engine = None
        try:
            engine = Engine(name, self.threads, command(name, self.shape, self.threads, self.args),
                            environment(self.threads))
            self._go(engine)
            self.engines.append(engine)
        except EngineFailed as why:
            self.failed[name] = str(why)
            if engine:
                engine.close()

    def _go(self, engine):
        answer = engine.go(posts_of(engine.name, self.args))
        if not math.isfinite(answer["loss"]):
            raise EngineFailed("the loss is not a number")
        self.answers.setdefault(engine.name, []).append(answer)

    def run(self):
        self._check_losses()
        for r in range(self.args.rounds):
            at = r * len(self.engines) // self.args.rounds
            for e in self.engines[at:] + self.engines[:at]:
                self._go(e)
            print(f"bench-train: {self.threads} threads, round {r + 1} of {self.args.rounds}", file=sys.stderr)

    def _check_losses(self):
        """They began with the same numbers and posts, so with the same loss."""
        pair = [self.answers[n][0]["loss"] for n in ("winnow", "pytorch_padded") if n in self.answers]
        if self.args.dropout == 0 and len(pair) == 2 and abs(pair[0] / pair[1] - 1) > LOSS_APART:
            sys.exit(f"bench-train: ours and PyTorch do not compute the same: losses {pair[0]} and {pair[1]}")

    def close(self):
        for e in self.engines:
            e.close()

    # --- figures ---

    def seconds(self, answer, clock):
        return answer["cpu_s"] / self.threads if clock == "cpu" else answer["wall_s"]

    def rates(self, name, clock, of):
        return [of(a) / self.seconds(a, clock) for a in self.answers[name][1:]]

    def row(self, engine):
        measured = self.answers[engine.name][1:]
        out = {"version": engine.about["version"]}
        for key, of in (("tok_s", lambda a: a["tokens"]), ("gflop_s", self.shape.gflop)):
            out[key] = {clock: spread(self.rates(engine.name, clock, of)) for clock in CLOCKS}
        out["padding_share"] = 1 - sum(a["tokens"] for a in measured) / sum(a["padded_tokens"] for a in measured)
        out["adamw_share"] = spread([a["adamw_s"] / a["wall_s"] for a in measured])["median"]
        return {**out, "peak_mb": measured[-1]["peak_mb"], "idle_mb": engine.about["idle_mb"]}

    def ratio(self, above, below):
        """Of GFLOP/s: of the medians, and the spread over rounds."""
        out = {}
        for clock in CLOCKS:
            a, b = (self.rates(n, clock, self.shape.gflop) for n in (above, below))
            rounds = spread([x / y for x, y in zip(a, b)])
            out[clock] = {"of_medians": spread(a)["median"] / spread(b)["median"], "min": rounds["min"], "max": rounds["max"]}
        return out

    def figures(self):
        names = [e.name for e in self.engines]
        return {"rows": {e.name: self.row(e) for e in self.engines},
                "ratio": {f"{ours}_vs_{peer}": self.ratio(ours, peer)
                          for ours in names if ours in OURS for peer in names if peer in PEERS}}


def print_block(title, figures):
    print(f"\n{title}\n{'':<26}{'tokens/s, wall (min-max)':>26}{'CPU':>7}{'GFLOP/s, wall':>15}{'CPU':>7}"
          f"{'padding':>9}{'AdamW':>7}{'peak MB':>9}{'idle':>6}")
    for name, r in figures["rows"].items():
        wall, cpu = r["tok_s"]["wall"], r["tok_s"]["cpu"]
        rate = f"{wall['median']:.0f} ({wall['min']:.0f}-{wall['max']:.0f})"
        print(f"  {name:<24}{rate:>26}{cpu['median']:7.0f}{r['gflop_s']['wall']['median']:15.1f}"
              f"{r['gflop_s']['cpu']['median']:7.1f}{r['padding_share']:9.0%}{r['adamw_share']:7.0%}{r['peak_mb']:9.0f}"
              f"{r['idle_mb']:6.0f}")
    for name, clocks in figures["ratio"].items():
        print(f"  {name:<40}" + "  ".join(f"{c} {v['of_medians']:.2f} ({v['min']:.2f}-{v['max']:.2f})"
                                           for c, v in clocks.items()))


def print_goals(shapes):
    """The goal is held against PyTorch's best configuration."""
    print(f"\ngoal: {GOAL} times the GFLOP/s of PyTorch at its best")
    for shape, about in shapes.items():
        for threads, figures in about["threads"].items():
            for ours in OURS:
                for clock in CLOCKS:
                    against = [v[clock]["of_medians"] for k, v in figures["ratio"].items() if k.startswith(f"{ours}_vs_")]
                    if against:
                        print(f"  {shape}, {threads} threads, {ours}, {clock} time: {min(against):.2f}, "
                              f"{'reached' if min(against) >= GOAL else 'missed'}")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build", help="where our program is")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--posts", type=int, default=128, help="of a pass, in batches of 32; at most 1024")
    p.add_argument("--shape", choices=SHAPES, action="append", help="only this one")
    p.add_argument("--threads", type=int, action="append", help="only so many")
    p.add_argument("--dropout", type=float, default=0)
    p.add_argument("--bf16", action="store_true", help="ours in bf16 as well")
    p.add_argument("--compiled", action="store_true", help="PyTorch by torch.compile as well; needs a C++ compiler")
    args = p.parse_args()
    if args.rounds < 1 or not BATCH <= args.posts <= 1024:
        p.error("--rounds is at least 1, --posts 32 to 1024")
    return args


def measure(args, names, thread_counts):
    """shapes of the JSON, and of each row that does not run the reason."""
    shapes, missing = {}, {}
    for shape in args.shape or SHAPES:
        about = shapes[shape] = {"matrix_parameters": SHAPES[shape].matrices(), "threads": {}}
        for threads in thread_counts:
            block = Block(SHAPES[shape], threads, [n for n in names if n not in missing], args)
            try:
                missing.update(block.failed)
                block.run()
            finally:
                block.close()
            about["threads"][str(threads)] = block.figures()
            print_block(f"{shape}, threads: {threads}", about["threads"][str(threads)])
    return shapes, missing


def main():
    args, about = arguments(), machine()
    about["load_at_start"] = os.getloadavg()[0]
    names = [n for n in ROWS if (args.bf16 or not n.endswith("bf16")) and (args.compiled or not n.endswith("compiled"))]
    thread_counts = args.threads or [t for t in (1, 2) if t <= about["cores"]]
    print(f"{about['model']}, {about['cores']} cores, load {about['load_at_start']:.1f}; {' '.join(about['flags'])}\n"
          f"batches of {BATCH} posts, {args.posts} a pass, {args.rounds} rounds, dropout {args.dropout:g}", flush=True)
    try:
        shapes, missing = measure(args, names, thread_counts)
    except EngineFailed as e:
        sys.exit(f"bench-train: an engine ended: {e}")
    print_goals(shapes)
    if about["load_at_start"] > 1:
        print(f"bench-train: the machine was busy (load {about['load_at_start']:.1f}): two threads of PyTorch spin while they "
              "wait for each other, so ratios with two threads are too good", file=sys.stderr)
    for name, why in missing.items():
        print(f"bench-train: {name} does not run: {why}", file=sys.stderr)
    print()
    save("build/bench/train.json", {
        "machine": about, "posts": args.posts, "batch": BATCH, "rounds": args.rounds, "dropout": args.dropout, "goal": GOAL,
        "shapes": shapes, "missing": list(missing)})
    if "winnow" in missing or all(n in missing for n in names if n in PEERS):
        sys.exit("bench-train: ours or every configuration of PyTorch is missing")


if __name__ == "__main__":
    main()
