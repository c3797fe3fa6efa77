# SPDX-License-Identifier: Apache-2.0
"""The scanners that ours is compared with: how they are installed, run, and what their answers mean.

They run in a process of their own, in an empty folder, without this environment, with a limit of time and memory. None of them loads the
file that it scans: only their scan modes are used.
"""

import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLI = ROOT / "build/release/bin/safemodel"
VENV = ROOT / "build/peers-venv"
REQUIREMENTS = ROOT / "bench/requirements-peers.txt"
MEMORY_BYTES = 6 << 30

PEERS = {
    "picklescan": ["picklescan", "-p"],
    "picklescan --strict": ["picklescan", "--strict", "-p"],
    "fickling": ["fickling", "--check-safety", "--print-results"],
    "modelscan": ["modelscan", "scan", "-r", "json", "-p"],
}


@dataclass
class Run:
    wall: float
    cpu: float
    code: int | None  # None: it was stopped when its time was up
    output: str
    errors: str


def install():
    """Makes build/peers-venv with exactly the pinned packages; instant when it is there."""
    stamp, digest = VENV / "requirements.sha256", hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    subprocess.run([VENV / "bin/pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
    stamp.write_text(digest)


def versions():
    listed = json.loads(subprocess.run([VENV / "bin/pip", "list", "--format", "json"], check=True, capture_output=True).stdout)
    names = {package["name"].lower(): package["version"] for package in listed}
    return {name: names[name] for name in ("picklescan", "fickling", "modelscan")}


def run(command, timeout):
    """Runs a command in an empty folder. CPU is that of the process and of its children."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PATH": "/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8", "COLUMNS": "400"}
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        try:
            done = subprocess.run([str(part) for part in command], cwd=folder, env=environment, capture_output=True, timeout=timeout, preexec_fn=limit)
            code, output, errors = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as stopped:
            code, output, errors = None, stopped.stdout or b"", stopped.stderr or b""
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, code, output.decode(errors="replace"), errors.decode(errors="replace"))


def command(tool, path):
    if tool == "safemodel":
        return [CLI, "scan", "--quiet", path]
    name, *options = PEERS[tool]
    return [VENV / "bin" / name, *options, path]


def verdict(tool, result):
    """What an answer means: flagged, clean, unread (it says that it could not read the file, or leaves it out), crashed, timeout."""
    if result.code is None:
        return "timeout"
    text = result.output + result.errors
    if "Traceback (most recent call last)" in text or result.code < 0:
        return "crashed"
    return {"picklescan": picklescan_verdict, "fickling": fickling_verdict, "modelscan": modelscan_verdict}[tool.split()[0]](result.code, text)


def count(text, label):
    found = re.search(label + r": (\d+)", text)
    return int(found.group(1)) if found else 0


def picklescan_verdict(code, text):
    if count(text, "Infected files"):
        return "flagged"
    # What could not be parsed gets a warning, but counts as scanned, and the exit code is 0.
    if code == 2 or "parsing pickle" in text or count(text, "Scanned files") <= text.count("could not parse"):
        return "unread" if code else "unread (exits 0)"
    if code:
        return "flagged"
    return "clean (suspicious)" if count(text, "Suspicious globals") else "clean"


def fickling_verdict(code, text):
    if "may be unsafe" in text:
        return "flagged"
    return "clean" if code == 0 else "unread"


def modelscan_verdict(code, text):
    start = text.find('{"summary"')
    report = json.loads(" ".join(text[start:].splitlines()), strict=False) if start >= 0 else {}
    if report.get("summary", {}).get("total_issues"):
        return "flagged"
    scanned = report.get("summary", {}).get("scanned", {}).get("total_scanned", 0)
    if report.get("errors") or not scanned or code:
        return "unread" if code else "unread (exits 0)"
    return "clean"


def ours(path, timeout):
    """The verdict of safemodel, and the rules that led to it."""
    result = run([CLI, "scan", "--json", path], timeout)
    if result.code is None:
        return "timeout", []
    if result.code < 0 or result.code == 70:
        return "crashed", []
    found = json.loads(result.output)["inputs"][0]
    rules = [finding["rule"] for finding in found["findings"] if finding["verdict"] == found["verdict"]]
    return found["verdict"], list(dict.fromkeys(rules))


def safemodel_version():
    return subprocess.run([CLI, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} processors"
    return f"{os.cpu_count()} processors"
