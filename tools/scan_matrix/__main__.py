# SPDX-License-Identifier: Apache-2.0
"""Makes docs/scan-matrix.md: what safemodel and other scanners say about the same files.

    build/venv/bin/python tools/scan_matrix [-o docs/scan-matrix.md]

Needs the release build and the packages of tests/requirements.txt; the other scanners are installed into build/peers-venv. No file is loaded.
"""

import argparse
import datetime
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import benign  # noqa: E402
import hostile  # noqa: E402
import peers  # noqa: E402

TIMEOUT = 60

EXPLANATION = """
## How to read it

- **safemodel**: the verdict of `safemodel scan`, with the rules that led to it ([scan-rules.md](../spec/scan-rules.md)).
- **flagged**: the scanner says that the file is dangerous. **clean**: it says nothing and exits with 0; *suspicious* where picklescan
  counts a global as suspicious, which does not change its exit code. **unread**: it says that it could not read the file, or leaves it out;
  with *exits 0* where a pipeline would not notice. **crashed**: it ended with a traceback, of which a pipeline sees an exit code that
  is not 0. **timeout**: stopped after {timeout} seconds.
- The other scanners run as their documentation says: `picklescan -p FILE`, `picklescan --strict -p FILE`, `fickling --check-safety FILE`,
  `modelscan scan -p FILE`, each without the optional packages for other formats. fickling reads pickles; that it does not read an archive
  is no fault of it, but an answer that a user gets.
- The hostile files are one for each family of ways past a scanner, chosen by the authors of safemodel: they show what the rules are for,
  and are no measure of how often such files occur. The benign files are saved by the libraries themselves.
"""


def row(path, what):
    verdict, rules = peers.ours(path, TIMEOUT)
    others = [peers.verdict(tool, peers.run(peers.command(tool, path), TIMEOUT)) for tool in peers.PEERS]
    print(f"{path.name}: {verdict} {rules} {others}", flush=True)
    return path.name, what, verdict, rules, others


def judge(folder, files):
    rows = []
    for name, what, content in files:
        path = folder / name
        path.write_bytes(content)
        rows.append(row(path, what))
    return rows


def table(rows):
    lines = ["| file | what it is | safemodel | " + " | ".join(peers.PEERS) + " |", "|---|---|---|" + "---|" * len(peers.PEERS)]
    for name, what, verdict, rules, others in rows:
        own = verdict + (f": {', '.join(rules[:3])}" if rules and verdict != "clean" else "")
        lines.append(f"| `{name}` | {what} | {own} | " + " | ".join(others) + " |")
    return lines


def totals(rows):
    """How many files of a group each tool calls what."""
    kinds = {"flagged": ("flagged", "dangerous"), "clean": ("clean",), "unread": ("unread", "unreadable"), "unknown": ("unknown",), "crashed": ("crashed",), "timeout": ("timeout",)}
    lines = ["| tool | " + " | ".join(kinds) + " |", "|---|" + "---|" * len(kinds)]
    for i, tool in enumerate(["safemodel", *peers.PEERS]):
        answers = [(r[2] if i == 0 else r[4][i - 1]).split()[0] for r in rows]
        lines.append(f"| {tool} | " + " | ".join(str(sum(answer in names for answer in answers)) for names in kinds.values()) + " |")
    return lines


def document(hostile_rows, benign_rows):
    versions = ", ".join(f"{name} {version}" for name, version in peers.versions().items())
    first = f"<!-- Made by `build/venv/bin/python tools/scan_matrix` on {datetime.date.today()}: safemodel {peers.safemodel_version()}, {versions}. Do not edit. -->"
    lines = [first, "# What scanners say about the same files", "", f"safemodel {peers.safemodel_version()}, {versions}, {datetime.date.today()}.", ""]
    lines += [f"## {len(hostile_rows)} hostile files", "", *totals(hostile_rows), "", *table(hostile_rows), ""]
    lines += [f"## {len(benign_rows)} benign files", "", "Flagged is a false alarm here.", "", *totals(benign_rows), "", *table(benign_rows)]
    return "\n".join(lines) + "\n" + EXPLANATION.format(timeout=TIMEOUT)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs/scan-matrix.md")
    arguments = parser.parse_args()
    peers.install()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hostile_rows = judge(folder, [*hostile.files(), hostile.behind_array(*benign.joblib_array())])
        benign_rows = judge(folder, benign.files())
    arguments.output.write_text(document(hostile_rows, benign_rows))
    missed = [r[0] for r in hostile_rows if r[2] not in ("dangerous", "unreadable")] + [r[0] for r in benign_rows if r[2] != "clean"]
    if missed:
        sys.exit(f"safemodel does not give the verdict that it should: {', '.join(missed)}")


if __name__ == "__main__":
    main()
