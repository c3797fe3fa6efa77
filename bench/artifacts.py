# SPDX-License-Identifier: Apache-2.0
"""Signing and verifying a model directory beside the OpenSSF `model-signing` package, interleaved in one run.

    python3 bench/artifacts.py [--peer PATH/model_signing] [--files 8] [--gib 2] [--rounds 5] [--json OUT]

Needs the release build, openssl, and the command `model_signing` (pip install model-signing pyopenssl) in the path or named with --peer. It
installs nothing. Both sign with a key of their own and verify every byte; files are in the page cache; whole-process wall times.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLI = ROOT / "build/release/bin/safemodel"


def missing(peer):
    if not CLI.is_file():
        yield f"{CLI}: build the release preset"
    if shutil.which("openssl") is None:
        yield "openssl: install it"
    if peer is None:
        yield "model_signing: pip install model-signing pyopenssl, then name it with --peer"


def seconds(command, cwd):
    start = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def write_model(folder, files, size):
    """Files that are not compressible and not equal; written from one random MiB, so that making them is quick."""
    folder.mkdir()
    block = bytearray(os.urandom(1 << 20))
    for i in range(files):
        with open(folder / f"model-{i:05}.safetensors", "wb") as file:
            for j in range(size // len(block)):
                block[:8] = (i << 32 | j).to_bytes(8, "little")
                file.write(block)


def warm(folder):
    for path in folder.iterdir():
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass


def commands(peer):
    """What each side runs: (sign, verify)."""
    ours = ([CLI, "sign", "model", "-k", "ours.key", "--update", "--quiet"], [CLI, "verify", "model", "--key", "ours.pub", "--no-progress"])
    theirs = ([peer, "sign", "key", "model", "--private_key", "peer.pem", "--signature", "model.sig"],
              [peer, "verify", "key", "model", "--signature", "model.sig", "--public_key", "peer.pub"])
    return ours, theirs


def make_keys(folder):
    seconds([CLI, "keygen", "-o", "ours", "--no-passphrase"], folder)
    seconds(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "peer.pem"], folder)
    seconds(["openssl", "ec", "-in", "peer.pem", "-pubout", "-out", "peer.pub"], folder)


def measure(folder, peer, rounds):
    ours, theirs = commands(peer)
    results = {}
    for number, what in enumerate(("sign", "verify")):
        seconds(ours[number], folder), seconds(theirs[number], folder)
        pairs = []
        for _ in range(rounds):
            pairs.append((seconds(ours[number], folder), seconds(theirs[number], folder)))
        results[what] = {
            "ours_s": statistics.median(a for a, _ in pairs),
            "peer_s": statistics.median(b for _, b in pairs),
            "speed_ratio": statistics.median(b / a for a, b in pairs),
        }
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=shutil.which("model_signing"))
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--gib", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=None, help="where the model is made; the system's place for temporary files")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lacks = list(missing(options.peer))
    if lacks:
        print("missing:\n  " + "\n  ".join(lacks), file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_model(folder / "model", options.files, int(options.gib * (1 << 30)) // options.files)
        warm(folder / "model")
        make_keys(folder)
        results = measure(folder, options.peer, options.rounds)
    for what, result in results.items():
        print(f"{what}: ours {result['ours_s']:.3f} s, model-signing {result['peer_s']:.3f} s, speed ratio {result['speed_ratio']:.2f}"
              + (" (target: at least 5)" if what == "verify" else ""))
    if options.json:
        options.json.write_text(json.dumps({"files": options.files, "gib": options.gib, "processors": os.cpu_count(), **results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
