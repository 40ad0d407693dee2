"""make bench-service: JSON in Kafka to a verdict committed in PostgreSQL, `winnow run` beside a Python pipeline.

Runs inside tests/bench/service/stand, which gives it a private broker and database. Everything shares the machine's cores:
broker, database, the system under test, and this driver.

Full load: N posts lie in a topic of two partitions before the system starts; N is chosen so that it takes SECONDS. The rate
is taken between the first commit and the commit that completes 95 % of the posts, by the commit times that the database
keeps (in the last 5 %, one of two processes may have nothing left). CPU time is read from /proc when the first rows are
seen and again at 95 %, so starting and loading are left out on both sides. Systems take turns; medians of the rounds count.

Latency: posts are produced at a steady pace, some per cent of the full rate; a post's time ends when another connection
sees the cursor beyond it, asked every 5 ms, so what is reported includes up to 5 ms of that.

    bench.py WINNOW POSTS OUT MODELS     OUT: service.json; MODELS: a folder for the ONNX graphs
"""
import atexit
import bisect
import json
import logging
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

import psycopg
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

import encoder_onnx

HERE = os.path.dirname(os.path.abspath(__file__))
WEIGHTS = "model/weights/winnow"
PARTS = 2
SCORERS = 2
BLOCK = 256  # posts.py: any whole number of blocks has the same lengths
ROUNDS = 3
SECONDS, SECONDS_PADDED = 15, 10
ROUNDS_SECONDS = 480  # a round that would end later is left out, but the first
LATENCY_SECONDS = 15
LOADS = (20, 50, 80)
STALL_SECONDS = 90
TICK = os.sysconf("SC_CLK_TCK")

FULL = "winnow, all layers"

# fetched and committed together, posts a call of the model, processes, threads of each
PEERS = {
    "batch 32": (32, 32, 1, 2),
    "batch 8": (8, 8, 1, 2),
    "2 processes, one post a call": (1, 1, 2, 1),
    "2 processes, one post a call, 32 a commit": (32, 1, 2, 1),
}


def fail(message):
    sys.exit("bench-service: " + message)


started = []


def end_started():
    """However this ends, nothing that it started stays."""
    for p in started:
        if p.poll() is None:
            p.kill()


# --- what the kernel knows of processes ---


def stat(pid):
    """Parent and the CPU seconds of a process: its own, and those of the children that have ended."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    user, system, child_user, child_system = (int(v) / TICK for v in fields[11:15])
    return int(fields[1]), user + system, child_user + child_system


def cpu_of(pids):
    return sum(stat(pid)[1] for pid in pids)


def cpu_of_tree(root):
    """A process with its children: PostgreSQL's backends."""
    total = sum(stat(root)[1:])
    for name in os.listdir("/proc"):
        try:
            if name.isdigit():
                parent, own, ended = stat(int(name))
                total += own + ended if parent == root else 0
        except OSError:
            continue  # it has ended
    return total


def cpu_of_threads(pid):
    out = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, tid)) as f:
            fields = f.read().rpartition(")")[2].split()
        out[tid] = (int(fields[11]) + int(fields[12])) / TICK
    return out


def peak_rss_mb(pids):
    total = 0
    for pid in pids:
        with open("/proc/%d/status" % pid) as f:
            total += int(re.search(r"^VmHWM:\s+(\d+) kB", f.read(), re.M).group(1))
    return total / 1024


def machine():
    with open("/proc/cpuinfo") as f:
        info = f.read()
    flags = re.search(r"^flags\s*:(.*)$", info, re.M).group(1).split()
    kinds = ("avx512_vnni", "avx_vnni", "avx512f", "avx2")
    return {
        "cpu": re.search(r"^model name\s*:\s*(.*)$", info, re.M).group(1),
        "cores": os.cpu_count(),
        "isa": [k for k in kinds if k in flags],
        "load_at_start": os.getloadavg()[0],
    }


# --- the stand ---


class Stand:
    """Broker, database and posts; every run has a topic and a database of its own."""

    def __init__(self, winnow, posts, models):
        self.winnow, self.broker, self.dsn = winnow, os.environ["BENCH_BROKER"], os.environ["BENCH_DSN"]
        self.kafka_pid, self.pg_pid = int(os.environ["BENCH_KAFKA_PID"]), int(os.environ["BENCH_PG_PID"])
        with open(posts, encoding="utf-8") as f:
            self.posts = [json.loads(line) for line in f]
        self.model, self.disabled = encoder_onnx.build(WEIGHTS, models)
        self.tokenizer = os.path.join(WEIGHTS, "tokenizer.json")
        if not os.path.exists(self.tokenizer):
            self.tokenizer = os.path.join(WEIGHTS, "vocab.txt")
        self.producer = Producer({"bootstrap.servers": self.broker, "linger.ms": 0, "log_level": 4})
        self.admin = AdminClient({"bootstrap.servers": self.broker})
        self.db = psycopg.connect(self.dsn, autocommit=True)
        self.log = open(os.path.join(models, "service.log"), "wb")
        self.runs = 0

    def prepare(self):
        """A fresh topic and database: (name, dsn)."""
        self.runs += 1
        name = "bench%d" % self.runs
        self.admin.create_topics([NewTopic(name, PARTS, 1)])[name].result(30)
        self.db.execute("CREATE DATABASE " + name)
        return name, self.dsn.replace("dbname=postgres", "dbname=" + name)

    def drop(self, name):
        self.db.execute("DROP DATABASE %s WITH (FORCE)" % name)
        self.admin.delete_topics([name])[name].result(30)
        self.db.execute("CHECKPOINT")

    def message(self, i):
        post = self.posts[i]
        return json.dumps({
            "type": "post.created",
            "post": {"id": post["id"], "revision": 1, "text": post["text"], "author": {"id": "a%d" % (i % 997)}},
        }, ensure_ascii=False).encode()

    def send(self, topic, i, on_delivery=None):
        self.producer.produce(topic, self.message(i), self.posts[i]["id"], i % PARTS, on_delivery=on_delivery)

    def fill(self, topic, n):
        def check(error, message):
            if error is not None:
                fail("produce: %s" % error)

        for i in range(n):
            self.send(topic, i, check)
            self.producer.poll(0)
        if self.producer.flush(60) != 0:
            fail("produce: not all posts were acknowledged")


class System:
    """What reads a topic and writes a database: processes, and how to see their work."""

    # SQL: how many rows are committed; the times of all commits, and the rows of each
    count = times = None

    def __init__(self, stand, name, dsn):
        self.stand, self.name, self.processes = stand, name, []
        self.db = psycopg.connect(dsn, autocommit=True)

    def start(self, *command):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("WINNOW_", "BENCH_"))}
        env["WINNOW_CONFIG"] = "/dev/null"
        self.processes.append(subprocess.Popen(command, stdout=self.stand.log, stderr=self.stand.log, env=env))
        started.append(self.processes[-1])

    def pids(self):
        return [p.pid for p in self.processes]

    def alive(self):
        for p in self.processes:
            if p.poll() is not None:
                fail("%s ended with status %d; its output: %s" % (p.args[0], p.returncode, self.stand.log.name))

    def rows(self):
        return self.db.execute(self.count).fetchone()[0]

    def wait_rows(self, n, nap=0.02):
        """Until n rows are there; how many, then."""
        seen, moved = -1, time.monotonic()
        while True:
            self.alive()
            now = self.rows()
            if now >= n:
                return now
            if now > seen:
                seen, moved = now, time.monotonic()
            if time.monotonic() - moved > STALL_SECONDS:
                fail("no progress for %d s at %d of %d posts; output: %s" % (
                    STALL_SECONDS, now, n, self.stand.log.name))
            time.sleep(nap)

    def stop(self):
        for p in self.processes:
            p.send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                p.kill()
                fail("%s does not end on SIGTERM" % p.args[0])
        self.db.close()


class Winnow(System):
    count = "SELECT coalesce(sum(next_offset), 0)::bigint FROM winnow.source_cursor"
    times = ("SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS t, count(*) FROM winnow.verdict "
             "GROUP BY t ORDER BY t")

    def __init__(self, stand, name, dsn, depth="auto"):
        database = "--database.url=" + dsn
        subprocess.run([stand.winnow, "migrate", database], check=True, stdout=stand.log, stderr=stand.log,
                       env={"WINNOW_CONFIG": "/dev/null"})
        super().__init__(stand, name, dsn)
        self.start(
            stand.winnow, "run", database, "--kafka.bootstrap.servers=" + stand.broker, "--kafka.group.id=" + name,
            "--ingest.topic=" + name, "--score.threads=%d" % SCORERS, "--score.depth=" + depth,
            "--http.listen=127.0.0.1:0")

    def port(self):
        with open(self.stand.log.name, "rb") as f:
            found = re.findall(rb" http\.listen .*\bport=(\d+)", f.read())
        if not found:
            fail("winnow run does not say where it listens: %s" % self.stand.log.name)
        return int(found[-1])

    def stages(self):
        """Seconds in each stage so far, of all threads."""
        text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.port(), timeout=10).read().decode()
        return {k: float(v) for k, v in re.findall(r'^winnow_stage_seconds_sum\{stage="(\w+)"\} (\S+)$', text, re.M)}

    def check(self, n):
        scored = self.db.execute("SELECT count(*) FROM winnow.verdict WHERE outcome = 1").fetchone()[0]
        if scored != n:
            fail("%d of %d posts have a verdict" % (scored, n))


class Peer(System):
    count = "SELECT count(*) FROM peer_verdict"
    times = ("SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS t, count(*) FROM peer_verdict "
             "GROUP BY t ORDER BY t")

    def __init__(self, stand, name, dsn, conf):
        fetch, call, processes, threads = conf
        super().__init__(stand, name, dsn)
        self.db.execute("CREATE TABLE peer_verdict (post_id text, scores real[], action text, at timestamptz DEFAULT now())")
        for i in range(processes):
            parts = ",".join(str(p) for p in range(PARTS) if p % processes == i)
            self.start(
                sys.executable, os.path.join(HERE, "peer.py"), stand.broker, name, name, parts, dsn, stand.model,
                ",".join(stand.disabled), stand.tokenizer, str(fetch), str(call), str(threads))

    def check(self, n):
        if self.rows() != n:
            fail("%d rows of the peer, not %d" % (self.rows(), n))


# --- full load ---


def snapshot(stand, system, rows):
    out = {"rows": rows, "own": cpu_of(system.pids()), "kafka": cpu_of([stand.kafka_pid]),
           "pg": cpu_of_tree(stand.pg_pid), "driver": time.process_time(), "at": time.monotonic()}
    if isinstance(system, Winnow):
        out["threads"], out["stages"] = cpu_of_threads(system.pids()[0]), system.stages()
    return out


def rate(system, n):
    """Posts a second from the first commit to the one that completes 95 %."""
    commits = system.db.execute(system.times).fetchall()
    first_at, done = commits[0][0], commits[0][1]
    before, at = done, first_at
    for at, rows in commits[1:]:
        done += rows
        if done >= 0.95 * n:
            break
    if at <= first_at:
        fail("all of %d posts came in one commit" % n)
    return (done - before) / (at - first_at)


def not_encoder(first, last):
    """
    The share of winnow's CPU time that is not the encoder. Stages are timed by the wall clock, which also runs while
    a thread waits for a core; so only their proportions are used, to divide the CPU time of the scorer threads (the
    busiest ones), whose work they are.
    """
    stages = {k: last["stages"][k] - first["stages"].get(k, 0) for k in last["stages"]}
    threads = sorted((last["threads"][t] - first["threads"].get(t, 0) for t in last["threads"]), reverse=True)
    scorers = sum(threads[:SCORERS])
    scoring = sum(stages[k] for k in ("parse", "text", "encode", "policy"))
    if scoring <= 0:  # of a run so short that all was scored before the first look: no share to tell
        return float("nan"), stages, threads
    encoder = scorers * stages["encode"] / scoring
    return 1 - encoder / (last["own"] - first["own"]), stages, threads


def full_load(stand, make, n):
    name, dsn = stand.prepare()
    stand.fill(name, n)
    system = make(stand, name, dsn)
    first = snapshot(stand, system, system.wait_rows(1))
    last = snapshot(stand, system, system.wait_rows(0.95 * n))
    system.wait_rows(n)
    system.check(n)
    posts = last["rows"] - first["rows"]
    out = {"posts": n, "posts_s": rate(system, n), "rss_mb": peak_rss_mb(system.pids())}
    if posts <= 0:
        fail("%d posts are too few for %s" % (n, name))
    for part, title in (("own", "cpu_s"), ("kafka", "broker_cpu_s"), ("pg", "database_cpu_s"), ("driver", "driver_cpu_s")):
        out[title + "_per_million"] = (last[part] - first[part]) / posts * 1e6
    if isinstance(system, Winnow):
        share, stages, threads = not_encoder(first, last)
        out["not_encoder_share"] = share
        out["stage_us_a_post"] = {k: v / posts * 1e6 for k, v in stages.items()}
        out["threads_cpu_us_a_post"] = [t / posts * 1e6 for t in threads]
    system.stop()
    stand.drop(name)
    return out


# --- latency ---


class Watch(threading.Thread):
    """Asks for the cursors every 5 ms and keeps when each was first seen where."""

    def __init__(self, dsn):
        super().__init__(daemon=True)
        self.db = psycopg.connect(dsn, autocommit=True)
        self.seen = {part: ([], []) for part in range(PARTS)}  # next offsets, and when
        self.ended = False

    def run(self):
        sql = "SELECT part, next_offset FROM winnow.source_cursor"
        while not self.ended:
            rows = self.db.execute(sql, prepare=True).fetchall()
            now = time.monotonic()
            for part, offset in rows:
                offsets, times = self.seen[part]
                if not offsets or offset > offsets[-1]:
                    offsets.append(offset)
                    times.append(now)
            time.sleep(0.005)

    def when(self, part, offset):
        offsets, times = self.seen[part]
        return times[bisect.bisect_right(offsets, offset)]

    def committed(self):
        return sum(offsets[-1] for offsets, _ in self.seen.values() if offsets)


class Pace:
    """Sends posts at a steady pace and remembers when, and where they came to lie."""

    def __init__(self, stand, topic):
        self.stand, self.topic, self.next, self.sent = stand, topic, 0, []

    def send(self, n, a_second):
        start = time.monotonic()
        for i in range(n):
            while (left := start + i / a_second - time.monotonic()) > 0:
                self.stand.producer.poll(min(left, 0.05))
            at = time.monotonic()
            self.stand.send(self.topic, self.next, lambda error, m, at=at: self.acknowledge(error, m, at))
            self.next += 1
            self.stand.producer.poll(0)
        if self.stand.producer.flush(60) != 0:
            fail("produce: not all posts were acknowledged")

    def acknowledge(self, error, message, at):
        if error is not None:
            fail("produce: %s" % error)
        self.sent.append((message.partition(), message.offset(), at))


def latency(stand, full_rate):
    """{load in per cent: figures}, all from one process."""
    name, dsn = stand.prepare()
    system = Winnow(stand, name, dsn)
    pace, watch, out = Pace(stand, name), Watch(dsn), {}
    pace.send(2 * PARTS, 50)  # until it holds its partitions
    system.wait_rows(pace.next)
    watch.start()
    for load in LOADS:
        pace.sent = []
        a_second = full_rate * load / 100
        pace.send(max(int(a_second * LATENCY_SECONDS), 100), a_second)
        system.wait_rows(pace.next, 0.1)
        while watch.committed() < pace.next:
            time.sleep(0.01)
        ms = sorted((watch.when(part, offset) - at) * 1e3 for part, offset, at in pace.sent)
        out[load] = {"posts_s": a_second, "posts": len(ms), "p50_ms": ms[len(ms) // 2], "p99_ms": ms[len(ms) * 99 // 100],
                     "max_ms": ms[-1]}
    watch.ended = True
    watch.join()
    system.stop()
    stand.drop(name)
    return out


# --- all of it ---


def median_of(runs):
    """Medians of each figure, and the rates of all runs."""
    out = {}
    for k, v in runs[0].items():
        if isinstance(v, dict):
            out[k] = {name: statistics.median(r[k][name] for r in runs) for name in v}
        elif isinstance(v, list):
            out[k] = [statistics.median(each) for each in zip(*(r[k] for r in runs))]
        else:
            out[k] = statistics.median(r[k] for r in runs)
    out["posts_s_all"] = [r["posts_s"] for r in runs]
    return out


def has_exits():
    with open(os.path.join(WEIGHTS, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    return bool(config["winnow"].get("exits")), str(config["num_hidden_layers"])


def systems():
    """winnow reads a text as deep as it needs; the peer, and winnow at full depth, all layers."""
    exits, layers = has_exits()
    out = {"winnow": Winnow}
    if exits:
        out[FULL] = lambda stand, topic, dsn: Winnow(stand, topic, dsn, layers)
    for name, conf in PEERS.items():
        out[name] = lambda stand, topic, dsn, conf=conf: Peer(stand, topic, dsn, conf)
    return out


def whole_blocks(stand, posts_s, name):
    seconds = SECONDS_PADDED if name in ("batch 8", "batch 32") else SECONDS
    blocks = max(1, round(posts_s * seconds / BLOCK))
    return min(blocks * BLOCK, len(stand.posts) // BLOCK * BLOCK)


def measure(stand):
    """{system: its runs}; in each round every peer runs once and winnow twice."""
    makers, runs = systems(), {}
    peers = list(PEERS)
    order = peers[:2] + ["winnow"] + peers[2:] + [name for name in (FULL,) if name in makers] + ["winnow"]
    sizes = {name: whole_blocks(stand, full_load(stand, make, BLOCK)["posts_s"], name) for name, make in makers.items()}
    begin = time.monotonic()
    for i in range(ROUNDS):
        so_far = time.monotonic() - begin
        if i > 0 and so_far * (i + 1) / i > ROUNDS_SECONDS:
            print("%d of %d rounds: the machine is too busy for more" % (i, ROUNDS))
            break
        for name in order:
            got = full_load(stand, makers[name], sizes[name])
            runs.setdefault(name, []).append(got)
            print("round %d  %-42s %6d posts  %7.1f posts/s  %6.0f CPU s a million" % (
                i + 1, name, got["posts"], got["posts_s"], got["cpu_s_per_million"]), flush=True)
    return runs


def against(runs, peer, figure, ours="winnow"):
    """Winnow's figure over a peer's: the median of the rounds' own ratios, since the machine's other work comes and goes."""
    each = len(runs[ours]) // len(runs[peer])  # of ours in a round
    return statistics.median(
        statistics.mean(r[figure] for r in runs[ours][each * i : each * (i + 1)]) / run[figure]
        for i, run in enumerate(runs[peer]))


def ratios(runs, results):
    best = max(PEERS, key=lambda name: results[name]["posts_s"])
    out = {"posts_s_vs_best": against(runs, best, "posts_s"),
           "best_cpu_s_vs_ours": 1 / against(runs, best, "cpu_s_per_million")}
    for name, short in (("2 processes, one post a call", "one_post_a_call"), ("batch 8", "batch_8"), ("batch 32", "batch_32")):
        out["posts_s_vs_" + short] = against(runs, name, "posts_s")
        out[short + "_cpu_s_vs_ours"] = 1 / against(runs, name, "cpu_s_per_million")
    if FULL in runs:
        out["all_layers_posts_s_vs_best"] = against(runs, best, "posts_s", FULL)
        out["best_cpu_s_vs_all_layers"] = 1 / against(runs, best, "cpu_s_per_million", FULL)
    return best, out


def show(out):
    print("\n%-42s %9s %17s %9s %9s %9s %8s" % (
        "", "posts/s", "least .. most", "CPU s/M", "broker", "database", "RSS MB"))
    ours = {"winnow": out["winnow"], **({FULL: out["winnow_all_layers"]} if "winnow_all_layers" in out else {})}
    for name, r in {**ours, **out["peers"]}.items():
        spread = "%.1f .. %.1f" % (min(r["posts_s_all"]), max(r["posts_s_all"]))
        print("%-42s %9.1f %17s %9.0f %9.0f %9.0f %8.0f" % (
            name, r["posts_s"], spread, r["cpu_s_per_million"], r["broker_cpu_s_per_million"],
            r["database_cpu_s_per_million"], r["rss_mb"]))
    print("\nratios (best peer: %s)" % out["best_peer"])
    for name, value in out["ratio"].items():
        print("  %-34s %6.2f" % (name, value))
    print("\nwinnow, produce to committed (asked every 5 ms)")
    for load, r in out["latency"].items():
        print("  %3d %% load, %6.1f posts/s, %5d posts   p50 %7.1f ms   p99 %7.1f ms   most %7.1f ms" % (
            load, r["posts_s"], r["posts"], r["p50_ms"], r["p99_ms"], r["max_ms"]))
    ours = out["winnow"]
    print("\nwinnow's CPU time that is not the encoder: %.1f %%" % (100 * ours["not_encoder_share"]))
    print("  stages, us of wall time a post: " + "  ".join("%s %.0f" % kv for kv in ours["stage_us_a_post"].items()))
    print("  threads, us of CPU time a post: " + "  ".join("%.0f" % t for t in ours["threads_cpu_us_a_post"] if t >= 1))


def main():
    winnow, posts, path, models = sys.argv[1:]
    logging.disable(logging.WARNING)  # quantize_dynamic() gives advice
    atexit.register(end_started)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    start, where = time.monotonic(), machine()
    stand = Stand(winnow, posts, models)
    print("bench-service: %(cpu)s, %(cores)d cores, %(isa)s, load %(load_at_start).2f" % where)
    print("weights: %s; winnow reads a text as deep as it needs, the peer through all layers" % WEIGHTS if has_exits()[0]
          else "weights: %s" % WEIGHTS)
    print("winnow with %d scorers, %d partitions, fsync on; %d rounds; all on the same cores\n" % (SCORERS, PARTS, ROUNDS),
          flush=True)
    runs = measure(stand)
    results = {name: median_of(r) for name, r in runs.items()}
    out = {"machine": where, "rounds": len(runs["batch 8"]), "scorers": SCORERS, "winnow": results["winnow"],
           "peers": {name: results[name] for name in PEERS}}
    if FULL in results:
        out["winnow_all_layers"] = results[FULL]
    out["best_peer"], out["ratio"] = ratios(runs, results)
    out["latency"] = latency(stand, out["winnow"]["posts_s"])
    out["took_s"] = time.monotonic() - start
    with open(path + ".new", "w") as f:
        json.dump(out, f, indent=2)
        f.write("\n")
    os.rename(path + ".new", path)
    show(out)
    print("\n%.0f s; %s" % (out["took_s"], path))


if __name__ == "__main__":
    main()
