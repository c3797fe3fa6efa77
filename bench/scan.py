# SPDX-License-Identifier: Apache-2.0
"""Benchmark of `safemodel scan` against picklescan, fickling and modelscan, in turn in one run; medians of the ratios of each round.

    build/venv/bin/python bench/scan.py [--rounds 11] [--json bench/scan-results.json]

Needs the release build and the packages of tests/requirements.txt; the other scanners are installed into build/peers-venv from
bench/requirements-peers.txt. Times are of whole processes, files are in the page cache. Of a peer that needs minutes, fewer rounds are run or
a smaller file of the same kind is given, which the table says. Machines are noisy: trust ratios, and CPU time on a machine that others use too.
"""

import argparse
import datetime
import json
import os
import pickle
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import peers

FOLDER = peers.ROOT / "build/scan-bench"
MAKERS = {}


@dataclass
class Peer:
    tool: str
    rounds: int = 1_000  # at most
    file: str = ""  # a smaller file than ours
    timeout: int = 120


@dataclass
class Case:
    name: str
    file: str
    peers: list = field(default_factory=list)
    wall_bar: float | None = None
    most_read: int | None = None  # bytes that a scan may read of the file


CASES = [
    Case("vocabulary of 1 000 000 words with their numbers", "vocabulary.pkl",
         [Peer("picklescan"), Peer("modelscan", rounds=3), Peer("fickling", rounds=3, file="vocabulary-small.pkl")]),
    Case("random forest of 200 trees", "forest.pkl", [Peer("picklescan"), Peer("modelscan", rounds=3), Peer("fickling", rounds=1, timeout=60)], wall_bar=0.05),
    Case("PyTorch archive of 50 000 small tensors", "small.pt", [Peer("picklescan", rounds=3), Peer("modelscan", rounds=1, timeout=60)], wall_bar=0.2),
    Case("PyTorch archive of 1 GiB", "large.pt", [Peer("picklescan", rounds=3), Peer("modelscan", rounds=3)], wall_bar=0.05, most_read=1 << 20),
]
TARGETS = {"picklescan": 50, "fickling": 100}  # times as many bytes of pickle a second, on the vocabulary


def maker(name):
    return lambda function: MAKERS.setdefault(name, function)


def vocabulary(path, entries):
    path.write_bytes(pickle.dumps({f"word{i:07d}": i for i in range(entries)}, protocol=4))


@maker("vocabulary.pkl")
def make_vocabulary(path):
    vocabulary(path, 1_000_000)


@maker("vocabulary-small.pkl")
def make_small_vocabulary(path):
    vocabulary(path, 50_000)


@maker("forest.pkl")
def make_forest(path):
    import numpy
    from sklearn.ensemble import RandomForestClassifier

    random = numpy.random.default_rng(0)
    model = RandomForestClassifier(200, random_state=0).fit(random.normal(size=(6000, 20)), random.integers(0, 4, 6000))
    path.write_bytes(pickle.dumps(model))


@maker("small.pt")
def make_small_tensors(path):
    import torch

    torch.manual_seed(0)
    torch.save({f"layer{i // 50}.block{i % 50}.weight": torch.randn(4) for i in range(50_000)}, path)


@maker("large.pt")
def make_large(path):
    import torch

    torch.manual_seed(0)
    base = torch.randn(8192, 8192).to(torch.bfloat16)
    torch.save({f"layer{i}.weight": base + i for i in range(8)}, path)


def made(name):
    path = FOLDER / name
    if not path.is_file():
        partial = path.with_suffix(".partial")
        MAKERS[name](partial)
        partial.rename(path)
    return path


def bytes_read(path):
    """What `safemodel scan` asks the system to read, its own program and libraries included."""
    process = subprocess.Popen([peers.CLI, "scan", "--quiet", path], stdout=subprocess.DEVNULL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its counters are there until it is reaped
    counters = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
    process.wait()
    return int(counters["rchar"])


def measure(case, rounds):
    """Runs ours and each peer in turn."""
    ours, others = made(case.file), [(peer, made(peer.file or case.file)) for peer in case.peers]
    own, runs = [], {peer.tool: [] for peer in case.peers}
    peers.run(peers.command("safemodel", ours), 60)
    for turn in range(rounds):
        own.append(peers.run(peers.command("safemodel", ours), 60))
        if own[-1].code != 0:
            sys.exit(f"{case.file} is benign, but safemodel says otherwise: {own[-1].output[:500]}")
        for peer, path in others:
            if turn >= peer.rounds or any(result.code is None for result in runs[peer.tool]):
                continue
            runs[peer.tool].append(peers.run(peers.command(peer.tool, path), peer.timeout))
    return own, runs


def summary(size, runs):
    return {"bytes": size, "rounds": len(runs), "wall_s": statistics.median(r.wall for r in runs), "cpu_s": statistics.median(r.cpu for r in runs)}


def report(case, rounds):
    own, runs = measure(case, rounds)
    size = made(case.file).stat().st_size
    result = {"name": case.name, "file": case.file, "ours": summary(size, own), "fastest_s": min(r.wall for r in own), "bytes_read": bytes_read(made(case.file)), "peers": {}}
    if case.wall_bar:
        result |= {"wall_bar_s": case.wall_bar, "wall_bar_met": result["ours"]["wall_s"] <= case.wall_bar}
    if case.most_read:
        result |= {"most_read": case.most_read, "most_read_met": result["bytes_read"] <= case.most_read}
    for peer in case.peers:
        taken = runs[peer.tool]
        other_size = made(peer.file or case.file).stat().st_size
        pairs = list(zip(own, taken))
        line = summary(other_size, taken) | {"verdict": peers.verdict(peer.tool, taken[-1]), "timeout_s": peer.timeout}
        # Bytes a second of ours over those of the peer, in the same round. A peer that was stopped is at least as slow as that.
        line["speed_ratio_wall"] = statistics.median((size / a.wall) / (other_size / b.wall) for a, b in pairs)
        line["speed_ratio_cpu"] = statistics.median((size / a.cpu) / (other_size / b.cpu) for a, b in pairs)
        result["peers"][peer.tool] = line
    show(result)
    return result


def show(result):
    def rate(line):
        return f"{line['wall_s']:9.3f} s wall {line['cpu_s']:9.3f} s CPU {line['bytes'] / line['cpu_s'] / 1e6:9.1f} MB/s of CPU, {line['rounds']} rounds"

    print(f"\n{result['name']} ({result['file']}, {result['ours']['bytes']} bytes)")
    bar = f"; bar {result['wall_bar_s']} s" if "wall_bar_s" in result else ""
    print(f"  {'safemodel':12}{rate(result['ours'])}; fastest {result['fastest_s']:.3f} s{bar}; read {result['bytes_read']} bytes")
    for tool, line in result["peers"].items():
        smaller = "" if line["bytes"] == result["ours"]["bytes"] else f" of {line['bytes']} bytes"
        least = "at least " if line["verdict"] == "timeout" else ""
        print(f"  {tool:12}{rate(line)}{smaller}; {line['verdict']}; safemodel is {least}{line['speed_ratio_cpu']:.0f} times as fast by CPU, {least}{line['speed_ratio_wall']:.0f} by wall", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--only", help="the file of one case")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    peers.install()
    FOLDER.mkdir(parents=True, exist_ok=True)
    machine = peers.processor()
    print(f"{datetime.date.today()}, {machine}, load {os.getloadavg()[0]:.1f}; safemodel {peers.safemodel_version()}, {peers.versions()}")
    results = [report(case, arguments.rounds) for case in CASES if arguments.only in (None, case.file)]
    document = {"date": datetime.date.today().isoformat(), "machine": machine, "load": os.getloadavg(), "command": "bench/scan.py " + " ".join(sys.argv[1:]),
                "safemodel": peers.safemodel_version(), "peers": peers.versions(), "speed_targets": TARGETS, "results": results}
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
