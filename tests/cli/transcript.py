# SPDX-License-Identifier: Apache-2.0
"""Transcripts in the guides: `$ command` lines with what the program printed. A test runs them again."""

import os
import re
import subprocess
from pathlib import Path

DOCS = Path(os.environ.get("SAFEMODEL_SOURCE_DIR", Path(__file__).parents[2])) / "docs"


def block(guide, heading):
    """The first block without a language below a heading."""
    text = (DOCS / guide).read_text()
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.search(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL).group(1)


def same_everywhere(text):
    """A text without what differs from run to run: digests, key ids and times."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text)
    text = re.sub(r"\b[0-9a-f]{16}\b", "KEYID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)


def run(transcript, folder, environment):
    """Runs the commands of a transcript and returns what it would be today."""
    lines = []
    for line in transcript.splitlines():
        if not line.startswith("$ "):
            continue
        result = subprocess.run(["bash", "-c", line[2:]], cwd=folder, env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=60)
        lines += [line, *result.stdout.decode().splitlines()]
        lines += [f"(exit {result.returncode})"] if result.returncode else []
    return "\n".join(lines) + "\n"
