# SPDX-License-Identifier: Apache-2.0
"""What encryption costs a service that loads a model: all tensors of a BF16 checkpoint into memory of the caller, verified, against the
same model not encrypted, in turn in one run. Beside it the throughput of XChaCha20-Poly1305 alone, and the time of adding a recipient.

    build/venv/bin/python bench/encryption.py [--rounds 11] [--mebibytes 1024] [--json FILE]

Needs the release build with the targets load_tensors and raw_aead.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from run import CLI, ROOT, THREADS, make_checkpoint, seconds, write_report

BIN = ROOT / "build/release/bin"


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def drop_from_cache(path):
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def load_seconds(container, key, identity, cold):
    def command(rounds):
        return [BIN / "load_tensors", container, key, THREADS, rounds, *identity]

    if cold:  # one round is all that a cold cache is good for, so its buffers are new in both variants
        drop_from_cache(container)
        return seconds(command(1))
    return float(run(*command(2)).split()[-1])  # the first round makes the buffers


def compare_load(name, plain, encrypted, key, identity, rounds, cold):
    pairs = [(load_seconds(encrypted, key, identity, cold), load_seconds(plain, key, [], cold)) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in pairs)
    result = {"name": name, "encrypted_s": statistics.median(a for a, _ in pairs), "plain_s": statistics.median(b for _, b in pairs), "ratio": ratio}
    print(f"{name}: encrypted {result['encrypted_s']:.3f} s, plain {result['plain_s']:.3f} s, ratio {ratio:.2f}", flush=True)
    return result


def recipients(container, folder, rounds):
    """Adds and removes a recipient; whole processes."""
    run(CLI, "keygen", "--format", "age", "-o", folder / "other", "--quiet")
    times = {"add": [], "remove": []}
    for _ in range(rounds):
        for verb in times:
            times[verb].append(seconds([CLI, "recipients", verb, container, "-r", folder / "other.pub", "--identity", folder / "me.key", "--quiet"]))
    for verb, taken in times.items():
        print(f"recipients {verb} on {container.stat().st_size >> 20} MiB: {statistics.median(taken) * 1000:.1f} ms (bar 100)", flush=True)
    return {verb: statistics.median(taken) for verb, taken in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = Path(name)
        run(CLI, "keygen", "-o", folder / "k", "--no-passphrase", "--quiet")
        run(CLI, "keygen", "--format", "age", "-o", folder / "me", "--quiet")
        checkpoint = folder / "checkpoint.pt"
        make_checkpoint(checkpoint, arguments.mebibytes)
        throughput = {threads: float(run(BIN / "raw_aead", 2048, threads)) for threads in (1, THREADS)}
        print("XChaCha20-Poly1305 alone: " + ", ".join(f"{rate:.2f} GB/s on {threads} threads" for threads, rate in throughput.items()), flush=True)
        for codec in ("auto", "raw"):
            plain, encrypted = folder / f"{codec}.safemodel", folder / f"{codec}-encrypted.safemodel"
            shared = ["--sign-with", folder / "k.key", "--codec", codec, "--quiet"]
            run(CLI, "convert", checkpoint, "-o", plain, *shared)
            run(CLI, "convert", checkpoint, "-o", encrypted, "--encrypt-to", folder / "me.pub", *shared)
            for cold in (False, True):
                label = f"load, codec {codec}, {'cold' if cold else 'warm'}"
                results.append(compare_load(label, plain, encrypted, folder / "k.pub", [folder / "me.key"], arguments.rounds, cold))
        times = recipients(encrypted, folder, arguments.rounds)
    write_report(arguments.json, throughput=throughput, results=results, recipients=times)


if __name__ == "__main__":
    main()
