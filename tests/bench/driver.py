"""What the benchmarks share that hold engines warm and run them in turns: an engine's process, the machine, a spread.

An engine says {"ready": true, ...} on one line and then answers each line "go N" with one JSON object of a timed pass, until
its input ends. Standard library only.
"""
import json
import os
import statistics
import subprocess
import tempfile

FLAGS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "amx_int8")


class EngineFailed(Exception):
    pass


class Engine:
    """A process that answers "go N" with one timed pass over N posts."""

    def __init__(self, name, threads, command, env):
        self.name, self.threads = name, threads
        self.errors = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=self.errors, text=True, bufsize=1)
        except OSError as e:
            raise EngineFailed(str(e)) from e
        self.about = self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            said = self.errors.read().decode(errors="replace").strip().splitlines()
            raise EngineFailed(said[-1] if said else f"ended with status {self.process.returncode}")
        return json.loads(line)

    def go(self, posts):
        try:
            self.process.stdin.write(f"go {posts}\n")
        except BrokenPipeError:
            pass  # the answer says why
        return self._answer()

    def close(self):
        self.process.kill()
        self.process.communicate()


def machine():
    """Model name, flags, cores of the first CPU."""
    about = {}
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            key, _, value = line.partition(":")
            about.setdefault(key.strip(), value.strip())
    flags = set(about.get("flags", "").split())
    return {"model": f"{about.get('model name', 'unknown')} (family {about.get('cpu family')} model {about.get('model')})",
            "flags": [f for f in FLAGS if f in flags], "cores": len(os.sched_getaffinity(0))}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def save(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1)
        f.write("\n")
    print(f"written to {path}")
