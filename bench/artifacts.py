# SPDX-License-Identifier: Apache-2.0
"""Signing and verifying a model directory beside the OpenSSF `model-signing` package, interleaved in one run.

    python3 bench/artifacts.py [--peer PATH/model_signing] [--files 8] [--gib 2] [--rounds 5] [--json OUT]

Needs the release build, openssl, and the command `model_signing` (pip install model-signing pyopenssl) in the path or named with --peer. It
installs nothing. Both sign with a key of their own and verify every byte; files are in the page cache; times are those of whole processes,
by the clock and of the processors. The ceiling is raw_blake3 (build its target too): the same bytes read and hashed, and nothing else. What
the other side needs at least is shown too: SHA-256 of the same bytes, and starting its interpreter with its packages.
"""

import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CLI = ROOT / "build/release/bin/safemodel"
RAW_BLAKE3 = ROOT / "build/release/bin/raw_blake3"
THREADS = os.cpu_count()


def missing(peer):
    if not CLI.is_file():
        yield f"{CLI}: build the release preset"
    if not RAW_BLAKE3.is_file():
        yield f"{RAW_BLAKE3}: build the target raw_blake3"
    if shutil.which("openssl") is None:
        yield "openssl: install it"
    if peer is None:
        yield "model_signing: pip install model-signing pyopenssl, then name it with --peer"


class Times(NamedTuple):
    wall: float
    cpu: float


def run(command, cwd):
    """Runs a command; the time of the processors is that of all its threads."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Times(time.perf_counter() - start, used.ru_utime + used.ru_stime)


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


def make_keys(folder):
    run([CLI, "keygen", "-o", "ours", "--no-passphrase"], folder)
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "peer.pem"], folder)
    run(["openssl", "ec", "-in", "peer.pem", "-pubout", "-out", "peer.pub"], folder)


SHA256 = """
import hashlib, sys
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        hashlib.file_digest(file, "sha256")
"""


def contenders(folder, peer):
    """What runs in turn, by what is measured."""
    files = sorted((folder / "model").iterdir())
    raw = [RAW_BLAKE3, *files, THREADS]
    return {
        "sign": {
            "ours": [CLI, "sign", "model", "-k", "ours.key", "--update", "--quiet"],
            "peer": [peer, "sign", "key", "model", "--private_key", "peer.pem", "--signature", "model.sig"],
            "ceiling": raw,
        },
        "verify": {
            "ours": [CLI, "verify", "model", "--key", "ours.pub", "--no-progress"],
            "peer": [peer, "verify", "key", "model", "--signature", "model.sig", "--public_key", "peer.pub"],
            "ceiling": raw,
            "sha256": [sys.executable, "-c", SHA256, *files],
            "peer_start": [peer, "--version"],
        },
    }


def measure(commands, folder, rounds):
    """Medians, and medians of the ratios within a round: what else the machine does hits all of a round alike."""
    for command in commands.values():
        run(command, folder)
    times = [{who: run(command, folder) for who, command in commands.items()} for _ in range(rounds)]
    result = {f"{who}_{field}_s": statistics.median(getattr(one[who], field) for one in times) for who in commands for field in Times._fields}
    for field in Times._fields:
        for other in ("peer", "ceiling"):
            ratios = [getattr(one[other], field) / getattr(one["ours"], field) for one in times]
            result[f"{field}_ratio_to_{other}"] = statistics.median(ratios)
    return result


def show(what, result):
    for field, target in (("wall", "; target: at least 5 times the peer" if what == "verify" else ""), ("cpu", "")):
        print(f"{what} {field}: ours {result[f'ours_{field}_s']:.3f} s, model-signing {result[f'peer_{field}_s']:.3f} s, raw BLAKE3 {result[f'ceiling_{field}_s']:.3f} s; "
              f"{result[f'{field}_ratio_to_peer']:.2f} times as fast as the peer; {result[f'{field}_ratio_to_ceiling']:.2f} of raw BLAKE3's speed{target}")
    if "sha256_cpu_s" in result:
        print(f"{what} cpu: of the peer's, SHA-256 of the bytes is {result['sha256_cpu_s']:.3f} s, starting {result['peer_start_cpu_s']:.3f} s; "
              f"raw BLAKE3 is {result['peer_cpu_s'] / result['ceiling_cpu_s']:.2f} times as fast as the peer, which nobody who hashes with it can exceed")


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
        results = {what: measure(commands, folder, options.rounds) for what, commands in contenders(folder, options.peer).items()}
    load = os.getloadavg()[0]
    print(f"{options.files} files, {options.gib} GiB, {THREADS} processors, {options.rounds} rounds, load {load:.1f}, {datetime.date.today()}")
    for what, result in results.items():
        show(what, result)
    if options.json:
        options.json.write_text(json.dumps({"files": options.files, "gib": options.gib, "processors": THREADS, "rounds": options.rounds, "load": load, **results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
