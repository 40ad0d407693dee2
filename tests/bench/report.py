#!/usr/bin/env python3
"""make bench-report: one page, FOLDER/report.html, of the JSON files that the benchmarks left in FOLDER.

What is not there is named on the page. tests/bench/README.md has the meaning of the figures. Standard library only.

    report.py FOLDER
"""
import html
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass

COMMANDS = {
    "encoder.json": "make bench-encoder",
    "encoder-rounds.json": "make bench-encoder",
    "encoder-avx2.json": "make bench-encoder ISA=avx2",
    "encoder-avx2-rounds.json": "make bench-encoder ISA=avx2",
    "service.json": "make bench-service",
    "tokenizer.json": "make bench-tokenizer",
    "store.json": "make bench-store",
    "train.json": "make bench-train",
    "policy.json": "make bench-policy",
    "lists.json": "make bench-lists",
}
WIDTH, BARS_LEFT, BARS_RIGHT, BAR, STEP = 760, 290, 570, 14, 22
ENGINES = {"winnow": "winnow", "ort": "ONNX Runtime", "ct2": "CTranslate2"}
# the names that the ratios of service.json have for peers
SERVICE_PEERS = {"2 processes, one post a call": "one_post_a_call", "batch 8": "batch_8", "batch 32": "batch_32"}
STORE_MODES = {"pairs": "pairs", "whole": "whole posts", "rows": "pairs, row by row"}
STYLE = """
:root { color-scheme: light dark; --text: #222; --back: #fff; --line: #ccc; --ours: #2a6fbb; --peer: #a3a3a3; 
  --weak: #5f5f5f; --warn: #a33a00 }
@media (prefers-color-scheme: dark) { :root { --text: #ddd; --back: #181a1c; --line: #444; --ours: #5fa3ea; --peer: #777;
  --weak: #a0a0a0; --warn: #ff9e64 } }
body { max-width: 760px; margin: 1.5em auto; padding: 0 1em; font: 15px/1.45 system-ui, sans-serif; color: var(--text);
  background: var(--back) }
h2 { margin-top: 2em; padding-top: .6em; border-top: 1px solid var(--line) }
p, h3 { margin: .4em 0 }
svg { display: block; width: 100%; height: auto; font-size: 12px }
text { fill: var(--text) }
.head { fill: var(--weak) }
.ours { fill: var(--ours) }
.peer { fill: var(--peer) }
path { stroke: var(--text); fill: none }
div { overflow-x: auto }
table { margin: .5em 0 1em; border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: .15em .7em .15em 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: bottom }
th:first-child, td:first-child { text-align: left }
.about { color: var(--weak) }
.missing { color: var(--warn) }
.key { display: inline-block; width: .8em; height: .8em }
"""


@dataclass
class Bar:
    label: str
    value: float
    ours: bool
    spread: tuple = ()  # least and most of the rounds
    beside: str = ""


def number(value):
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def times(value):
    return "" if value is None else f"{value:.{2 if value < 3 else 1}f} ×"


def text(x, y, what, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y}" class="{kind}" text-anchor="{anchor}">{html.escape(what)}</text>'


def chart(title, unit, bars, beside=""):
    """Bars from zero; `beside` heads the column of ratios at the right."""
    scale = (BARS_RIGHT - BARS_LEFT) / max(v for b in bars for v in (b.value, *b.spread))
    out = [text(BARS_LEFT, 12, unit, "head"), text(WIDTH, 12, beside, "head", "end")]
    for i, b in enumerate(bars):
        y = 20 + i * STEP
        base, end = y + BAR - 3, BARS_LEFT + b.value * scale
        out += [text(BARS_LEFT - 8, base, b.label, "", "end"),
                f'<rect x="{BARS_LEFT}" y="{y}" width="{b.value * scale:.1f}" height="{BAR}" '
                f'class="{"ours" if b.ours else "peer"}"/>']
        if b.spread:
            least, most = (BARS_LEFT + v * scale for v in b.spread)
            ends = "".join(f"M{x:.1f} {y + 3}v{BAR - 6}" for x in (least, most))
            out.append(f'<path d="{ends}M{least:.1f} {y + BAR // 2}H{most:.1f}"/>')
            end = max(end, most)
        out += [text(end + 6, base, number(b.value)), text(WIDTH, base, b.beside, "", "end")]
    return (f'<h3>{html.escape(title)}</h3>\n<svg viewBox="0 0 {WIDTH} {20 + len(bars) * STEP}" role="img" '
            f'aria-label="{html.escape(title)}, {html.escape(unit)}">\n' + "\n".join(out) + "\n</svg>\n")


def table(head, rows):
    def line(tag, cells):
        return "<tr>" + "".join(f"<{tag}>{html.escape(number(c))}</{tag}>" for c in cells) + "</tr>\n"
    return f"<div><table>\n{line('th', head)}{''.join(line('td', r) for r in rows)}</table></div>\n"


def paragraph(what, kind=""):
    return f'<p class="{kind}">{html.escape(what, quote=False)}</p>\n'


class Folder:
    def __init__(self, path):
        self.path, self.files = path, {}
        for name in COMMANDS:
            try:
                with open(os.path.join(path, name), encoding="utf-8") as f:
                    self.files[name] = json.load(f)
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as e:
                sys.exit(f"bench-report: {path}/{name}: {e}")
        if not self.files:
            sys.exit(f"bench-report: {path} has no results of a benchmark: `make bench` writes them")

    def heading(self, title, names):
        """With a line for each file: date and machine, or that it is missing."""
        out = f"<h2>{html.escape(title)}</h2>\n"
        for name in names:
            if name not in self.files:
                out += paragraph(f"{name} is missing: {COMMANDS[name]} writes it", "missing")
                continue
            at = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(os.path.getmtime(os.path.join(self.path, name))))
            out += paragraph(f"{name}, written {at}; {machine(self.files[name])}", "about")
        return out + f"<p>Repeat: <code>{html.escape(COMMANDS[names[0]])}</code></p>\n"


def machine(file):
    about = file.get("machine")
    if about is None:
        return f"instruction set {file['isa']}" if "isa" in file else "it does not name its machine"
    load = f", load {about['load_at_start']:.1f} at the start" if "load_at_start" in about else ""
    flags = " ".join(about.get("flags") or about["isa"])
    return f"{about.get('model') or about['cpu']}, {about['cores']} cores, {flags}{load}"


def encoder(folder, title, base):
    names = [base + ".json", base + "-rounds.json"]
    summary, rounds = map(folder.files.get, names)
    out = folder.heading(title, names) + paragraph(
        "Six layers, ours and the peers'. Every row: the same work. Shipped: the last layer for first rows alone ([CLS] pooling). "
        "Weights: the shipped weights whole, as the service reads a text to its end; whole ...: a peer with all their layers. "
        "Sorted: a peer has the whole pass to sort by length. b8: batches of 8.")
    if summary and rounds and any(round(statistics.median(rounds["tok_s"]["cpu"]["1"].get(n, [0]))) != v
                                  for n, v in summary["tok_s"].items()):
        out += paragraph(f"{names[1]} is of another run than {names[0]} and left out", "missing")
        rounds = None
    if rounds:
        count = len(next(iter(rounds["tok_s"]["cpu"]["1"].values())))
        out += paragraph(f"{rounds['posts']} posts a pass, {count} rounds; whiskers are their least and most.")
        for threads in rounds["tok_s"]["cpu"]:
            out += encoder_rates(threads, *(rounds["tok_s"][clock][threads] for clock in ("cpu", "wall")))
    elif summary:
        out += encoder_rates("1", {n: [v] for n, v in summary["tok_s"].items()}, {})
    if summary:
        share = summary.get("share_of_limit")
        out += table(["ratio of the medians", "one thread", "two threads"],
                     [[k, times(v), times(summary["ratio2"].get(k))] for k, v in summary["ratio"].items()])
        out += paragraph(f"winnow every row reaches {share:.1%} of what the core could do") if share else ""
        out += paragraph("not measured: " + ", ".join(summary["missing"]), "missing") if summary["missing"] else ""
    if rounds:
        out += table(["peaks of one core, G operations/s", "median", "least", "most"],
                     [[n, p["median"], p["min"], p["max"]] for n, p in rounds["peaks"].items()])
    return out


def encoder_rates(threads, cpu, wall):
    """One chart; cpu and wall are {engine: rates of the rounds}."""
    medians = {n: statistics.median(v) for n, v in cpu.items()}
    bars, rows = [], []
    for name, rates in cpu.items():
        ours, median = name.startswith("winnow"), medians[name]
        engine, _, rest = name.removeprefix("whole_").partition("_")
        label = f"{ENGINES[engine]} {'whole ' if name.startswith('whole_') else ''}{rest.replace('_', ' ')}"
        ratios = ["" if ours else times(medians[n] / median) for n in ("winnow_every_row", "winnow_shipped")]
        spread = (min(rates), max(rates)) if len(rates) > 1 else ()
        bars.append(Bar(label, median, ours, spread, ratios[0]))
        rows.append([label, median, *(spread or ("", "")), statistics.median(wall[name]) if name in wall else None, *ratios])
    return chart(f"Threads: {threads}", "tokens/s by CPU time, median", bars, "winnow every row ÷ this") + table(
        ["engine", "tokens/s", "least", "most", "by wall time", "every row ÷ this", "shipped ÷ this"], rows)


def service(folder):
    out, s = folder.heading("Service: JSON to a committed verdict", ["service.json"]), folder.files.get("service.json")
    if s is None:
        return out
    systems, ratio = {"winnow": s["winnow"], **s["peers"]}, s["ratio"]

    def against(name, of_peer, of_best):
        """The ratio that the file has for a peer, if any."""
        return times(ratio[of_best] if name == s["best_peer"] else ratio.get(of_peer % SERVICE_PEERS.get(name, "")))

    faster = {n: against(n, "posts_s_vs_%s", "posts_s_vs_best") for n in systems}
    cheaper = {n: against(n, "%s_cpu_s_vs_ours", "best_cpu_s_vs_ours") for n in systems}
    out += paragraph(f"{s['rounds']} rounds, winnow twice in each; whiskers are the least and most of all runs. Ratios are "
                     "medians of the rounds' own; on a busy machine those to batches 8 and 32 are too good.")
    out += chart("Full load", "posts/s, median", [
        Bar(n, r["posts_s"], n == "winnow", (min(r["posts_s_all"]), max(r["posts_s_all"])), faster[n])
        for n, r in systems.items()], "winnow ÷ this")
    out += table(["system", "posts/s", "least", "most", "resident MB", "winnow ÷ this"], [
        [n, r["posts_s"], min(r["posts_s_all"]), max(r["posts_s_all"]), r["rss_mb"], faster[n]] for n, r in systems.items()])
    out += chart("CPU time of the system", "CPU seconds a million posts, median", [
        Bar(n, r["cpu_s_per_million"], n == "winnow", (), cheaper[n]) for n, r in systems.items()], "this ÷ winnow")
    out += table(["CPU s a million posts", "system", "broker", "database", "this ÷ winnow"], [
        [n, *(r[part + "cpu_s_per_million"] for part in ("", "broker_", "database_")), cheaper[n]]
        for n, r in systems.items()])
    out += paragraph(f"{s['winnow']['not_encoder_share']:.1%} of winnow's CPU time is not the encoder")
    out += chart("Produce to committed, winnow", "ms", [
        Bar(f"{load} % of full load, {p}", r[p + "_ms"], True) for load, r in s["latency"].items() for p in ("p50", "p99")])
    return out + table(["load", "posts/s", "posts", "p50 ms", "p99 ms", "most ms"], [
        [load + " %", r["posts_s"], r["posts"], r["p50_ms"], r["p99_ms"], r["max_ms"]] for load, r in s["latency"].items()])


def tokenizer(folder):
    out, t = folder.heading("Reading a text before the encoder", ["tokenizer.json"]), folder.files.get("tokenizer.json")
    if t is None:
        return out
    tokens = t["parts"]["tokens"]["us_token"]
    bars, rows = [], []
    for name, p in t["parts"].items():
        ours, spread = not name.startswith("tokenizers"), (p["us_token_least"], p["us_token_most"])
        ratio = "" if ours else times(p["us_token"] / tokens)
        label = name.replace("_", " ")
        bars.append(Bar(label, p["us_token"], ours, spread, ratio))
        rows.append([label, p["us_token"], *spread, p["us_post"], ratio])
    out += paragraph(f"{t['posts']} posts, {t['tokens']:,} tokens, {t['rounds']} rounds; whiskers are their least and most. "
                     f"Peer: Hugging Face tokenizers {t['tokenizers']}, which makes ids only, as tokens does.")
    kinds = [[name, k["tokens"], k["us_token"], k["us_token_least"], k["us_token_most"],
              k["tokenizers_batch"], k["tokenizers_batch_fast"]] for name, k in t.get("kinds", {}).items()]
    return (out + chart("One thread", "µs of CPU time a token, median", bars, "this ÷ tokens")
            + table(["part", "µs a token", "least", "most", "µs a post", "this ÷ tokens"], rows)
            + table(["other tokenizers", "tokens", "µs a token", "least", "most", "tokenizers_batch",
                     "tokenizers_batch_fast"], kinds))


def store(folder):
    out, s = folder.heading("Database write path", ["store.json"]), folder.files.get("store.json")
    if s is None:
        return out
    batches = s["posts_per_second"]
    ratio = {batch: times(rates["pairs"] / rates["rows"]) for batch, rates in batches.items()}
    out += paragraph(f"{s['rounds']} rounds, medians; an fdatasync takes {s['fdatasync_ms']:.2f} ms. "
                     "Pairs: verdict and audit rows; row by row: the same by one INSERT and one round trip each.")
    out += chart("One connection, durable commits", "posts/s, median", [
        Bar(f"{STORE_MODES[mode]}, {batch} a commit", rate, mode != "rows", (), ratio[batch] if mode == "rows" else "")
        for batch, rates in batches.items() for mode, rate in rates.items()], "pairs ÷ this")
    out += table(["posts a commit", *STORE_MODES.values(), "pairs ÷ row by row"],
                 [[batch, *(rates[mode] for mode in STORE_MODES), ratio[batch]] for batch, rates in batches.items()])
    return out + table(["table", "mean bytes of a row"], list(s["mean_row_bytes"].items()))


def training(folder):
    out, t = folder.heading("Training beside PyTorch on the CPU", ["train.json"]), folder.files.get("train.json")
    if t is None:
        return out
    out += paragraph(f"Batches of {t['batch']} posts, {t['posts']} a pass, {t['rounds']} rounds, dropout {t['dropout']:g}; "
                     "whiskers are the least and most. Tokens are real ones; GFLOP/s count no padding. Padded: posts in order "
                     "of arrival, as ours; sorted: batches of posts of like lengths.")
    for shape, about in t["shapes"].items():
        for threads, figures in about["threads"].items():
            out += training_rates(f"{shape}, threads: {threads}", figures)
    return out + (paragraph("not measured: " + ", ".join(t["missing"]), "missing") if t["missing"] else "")


def training_rates(title, figures):
    bars, rows = [], []
    for name, r in figures["rows"].items():
        label, cpu = name.replace("_", " "), r["tok_s"]["cpu"]
        against = figures["ratio"].get(f"winnow_vs_{name}", {})
        ratio = times(against["cpu"]["of_medians"]) if against else ""
        bars.append(Bar(label, cpu["median"], name.startswith("winnow"), (cpu["min"], cpu["max"]), ratio))
        rows.append([label, cpu["median"], r["tok_s"]["wall"]["median"], *(r["gflop_s"][c]["median"] for c in ("cpu", "wall")),
                     f"{r['padding_share']:.0%}", f"{r['adamw_share']:.0%}", r["peak_mb"], r["idle_mb"]])
    return chart(title, "tokens/s by CPU time, median", bars, "winnow's GFLOP/s ÷ this") + table(
        ["", "tokens/s", "by wall time", "GFLOP/s", "by wall time", "padding", "AdamW", "peak MB", "MB before the network"], rows)


def policy(folder):
    out = folder.heading("Policies: rules on posts", ["policy.json", "lists.json"])
    p, lists = folder.files.get("policy.json"), folder.files.get("lists.json")
    if p:
        ratio = {n: times(p["ratio"][n + "_vs_cel_go"]["cpu"]["median"]) for n in ("winnow", "winnow_policy")}
        out += paragraph(f"{p['rules']} rules on {p['posts']} posts, {p['rounds']} rounds, one thread each; whiskers are the least "
                         f"and most. Peer: cel-go {p['peer']['version']}, {p['peer']['go']}. Policy: with the verdict and the "
                         "texts of its reasons.")
        out += chart("Rules evaluated", "evaluations/s of CPU time, median", [
            Bar(n.replace("_", " "), r["cpu"]["median"], n in ratio, (r["cpu"]["min"], r["cpu"]["max"]), ratio.get(n, ""))
            for n, r in p["evaluations_s"].items()], "this ÷ cel-go")
        out += table(["", "evaluations/s", "least", "most", "by wall time", "this ÷ cel-go"], [
            [n.replace("_", " "), *(r["cpu"][k] for k in ("median", "min", "max")), r["wall"]["median"], ratio.get(n, "")]
            for n, r in p["evaluations_s"].items()])
    if lists:
        out += table(["a named list of domains", ""], [
            ["entries", lists["entries"]], ["CPU seconds to load", lists["load_s"]], ["MB", lists["memory_bytes"] / 1e6],
            ["lookups/s, URLs in it", lists["lookups_s"]["hits"]], ["lookups/s, other URLs", lists["lookups_s"]["misses"]],
            ["looks while it was swapped", lists["swap"]["looks"]], ["of them wrong", lists["swap"]["wrong"]]])
    return out


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Folder(sys.argv[1])
    try:
        sections = [encoder(folder, "Encoder", "encoder"), encoder(folder, "Encoder, held to AVX2", "encoder-avx2"),
                    service(folder), tokenizer(folder), policy(folder), store(folder), training(folder)]
    except KeyError as e:
        sys.exit(f"bench-report: {folder.path}: a file is of another version, without {e}: measure again")
    path = os.path.join(folder.path, "report.html")
    with open(path, "w", encoding="utf-8") as f:
        f.write('<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
                '<meta name="viewport" content="width=device-width">\n<title>winnow: benchmarks</title>\n'
                f'<style>{STYLE}</style>\n<h1>winnow: benchmarks</h1>\n'
                '<p><span class="key" style="background: var(--ours)"></span> winnow '
                '<span class="key" style="background: var(--peer)"></span> what it is measured beside</p>\n'
                + "".join(sections) + "</html>\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
