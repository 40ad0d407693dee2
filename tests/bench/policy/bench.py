#!/usr/bin/env python3
"""bench-policy: the policy engine beside cel-go, the same rules over the same signals, one thread each, in turns.

In each round every engine goes over the next POSTS / ROUNDS posts, all rules on each; the order rotates. What each rule says of
each post (true, false, skipped) has to be the same on both sides, or the benchmark fails. Rates are evaluations a second,
a rule on a post each, medians over the rounds by CPU time and by wall time. tests/bench/README.md has the meaning of the
JSON. Standard library only.
"""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.dirname(HERE))
from driver import Engine, EngineFailed, machine, save, spread  # noqa: E402 (its folder is not this one)

GOAL = 3.0  # times cel-go
CLOCKS = ("cpu", "wall")
OURS = {"winnow": "conditions", "winnow_policy": "policy"}
PEER = "cel_go"


def start(args):
    data = [f"{args.folder}/policy.json", f"{args.folder}/posts.jsonl"]
    engines = [Engine(name, 1, [f"{args.build}/tests/bench/policies_eval", mode, *data], None) for name, mode in OURS.items()]
    engines.append(Engine(PEER, 1, [f"{args.folder}/celgo", *data], None))
    return engines


def same_outcomes(answers):
    """Every rule on every post; the whole policy counts its reasons alone."""
    a, b, whole = answers["winnow"], answers[PEER], answers["winnow_policy"]
    return all(a[key] == b[key] for key in ("matched", "skipped", "digest")) and whole["matched"] == a["matched"]


def run(engines, args):
    posts = engines[0].about["posts"] // args.rounds
    rounds = []
    for i in range(args.rounds):
        turn = engines[i % len(engines):] + engines[:i % len(engines)]
        answers = {e.name: e.go(posts) for e in turn}
        if not same_outcomes(answers):
            sys.exit(f"bench-policy: the engines disagree on a rule: {answers}")
        rounds.append(answers)
        print(f"round {i + 1} of {args.rounds}: " + ", ".join(
            f"{name} {rate(answers[name], 'cpu') / 1e6:.2f} M/s" for name in sorted(answers)), flush=True)
    return rounds


def rate(answer, clock):
    return answer["evaluations"] / answer[clock + "_s"]


def report(engines, rounds):
    rates = {e.name: {clock: spread([rate(r[e.name], clock) for r in rounds]) for clock in CLOCKS} for e in engines}
    ratios = {f"{name}_vs_{PEER}": {clock: spread([rate(r[name], clock) / rate(r[PEER], clock) for r in rounds])
                                    for clock in CLOCKS} for name in OURS}
    about = {e.name: e.about for e in engines}
    return {"machine": machine(), "rules": about["winnow"]["rules"], "posts": about["winnow"]["posts"], "rounds": len(rounds),
            "peer": {"version": about[PEER]["version"], "go": about[PEER]["go"]}, "goal": GOAL, "evaluations_s": rates,
            "ratio": ratios, "matched": sum(r["winnow"]["matched"] for r in rounds),
            "skipped": sum(r["winnow"]["skipped"] for r in rounds)}


def show(result):
    print(f"{result['machine']['model']}, one thread; {result['rules']} rules on {result['posts']} posts, "
          f"{result['matched']} matches, {result['skipped']} skipped; cel-go {result['peer']['version']}, {result['peer']['go']}")
    for name, by_clock in result["evaluations_s"].items():
        cpu, wall = by_clock["cpu"], by_clock["wall"]
        print(f"{name:14} {cpu['median'] / 1e6:8.2f} M evaluations/s of CPU time ({cpu['min'] / 1e6:.2f} to {cpu['max'] / 1e6:.2f}), "
              f"{wall['median'] / 1e6:.2f} by the clock")
    for name, by_clock in result["ratio"].items():
        cpu = by_clock["cpu"]
        print(f"{name:26} {cpu['median']:.2f} ({cpu['min']:.2f} to {cpu['max']:.2f}); by the clock "
              f"{by_clock['wall']['median']:.2f}; goal {result['goal']:.1f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--folder", default="build/bench/policy")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    try:
        engines = start(args)
        try:
            result = report(engines, run(engines, args))
        finally:
            for e in engines:
                e.close()
    except EngineFailed as e:
        sys.exit(f"bench-policy: {e}")
    show(result)
    save("build/bench/policy.json", result)


if __name__ == "__main__":
    main()
