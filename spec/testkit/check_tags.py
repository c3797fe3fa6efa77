# SPDX-License-Identifier: Apache-2.0
"""Checks that each rule of the spec has a vector, and each vector a rule: python check_tags.py SPEC VECTORS.

Needs the standard library only, so that it runs wherever the tests do.
"""

import pathlib
import re
import sys

TAG = re.compile(r"`\[([A-Z]+(?:-[A-Z0-9]+)+)\]`")


def blocks(text):
    """Paragraphs, table rows and list items."""
    block = []
    for line in text.split("\n"):
        if line.startswith(("|", "- ", "#")) or not line.strip():
            yield " ".join(block)
            block = []
        block.append(line)
    yield " ".join(block)


def cited(path):
    """The tags in the header of a vector."""
    for line in path.read_bytes().split(b"\n\n", 1)[0].decode().split("\n"):
        if line.startswith("spec: "):
            return set(line[len("spec: "):].split())
    return set()


def problems(spec, vectors):
    defined = set(TAG.findall(spec))
    if not defined:
        yield "the spec defines no tag"
    for block in blocks(spec):
        if re.search(r"\bMUST\b", block) and "RFC 2119" not in block and not TAG.search(block):
            yield f"a MUST without a tag: {block.strip()[:100]}"
    used = {}
    for path in vectors:
        tags = cited(path)
        if not tags:
            yield f"{path.name} cites no rule"
        for tag in tags:
            used.setdefault(tag, path.name)
    for tag in sorted(used.keys() - defined):
        yield f"{used[tag]} cites {tag}, which the spec does not define"
    for tag in sorted(defined - used.keys()):
        yield f"no vector cites {tag}"


def main():
    spec, folder = (pathlib.Path(argument) for argument in sys.argv[1:3])
    vectors = sorted(folder.glob("*.smv"))
    if not vectors:
        print(f"no vectors in {folder}")
        return 1
    found = list(problems(spec.read_text(encoding="utf-8"), vectors))
    print("\n".join(found) if found else f"every rule has a vector, and each of {len(vectors)} vectors has a rule")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
