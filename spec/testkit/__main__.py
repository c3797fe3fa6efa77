# SPDX-License-Identifier: Apache-2.0
"""Writes the vectors: python -m testkit --out DIR, or compares them: python -m testkit --check DIR."""

import argparse
import importlib
import pathlib
import sys

GROUPS = ("preamble", "manifest", "index", "codecs", "directory", "values", "names", "envelope", "statements")
LARGEST = 8192


def all_vectors():
    for group in GROUPS:
        yield from importlib.import_module(f"testkit.groups.{group}").vectors()


def make():
    """All vectors by file name, after checking what holds for each of them and for all together."""
    vectors = {}
    for vector in all_vectors():
        assert vector.name not in vectors, f"two vectors are called {vector.name}"
        vectors[vector.name] = vector
    for vector in vectors.values():
        assert len(vector.serialize()) <= LARGEST, f"{vector.name} has {len(vector.serialize())} bytes"
        if vector.expect == "ok":
            assert vector.name.endswith("-ok"), f"{vector.name} is accepted, so its name ends in -ok"
        else:
            assert not vector.name.endswith("-ok"), vector.name
            twin = vectors.get(vector.twin)
            assert twin and twin.expect == "ok", f"{vector.name} needs a twin that is accepted"
    accepted = sum(vector.expect == "ok" for vector in vectors.values())
    assert accepted * 5 <= len(vectors), f"{accepted} of {len(vectors)} vectors are accepted; at most a fifth may be"
    return {f"{name}.smv": vector.serialize() for name, vector in vectors.items()}


def differences(made, folder):
    """What is wrong with a folder of vectors, a line each."""
    there = {path.name: path.read_bytes() for path in folder.glob("*.smv")}
    for name in sorted(made.keys() | there.keys()):
        if name not in there:
            yield f"{name} is missing"
        elif name not in made:
            yield f"{name} is not made by the test kit"
        elif made[name] != there[name]:
            yield f"{name} differs from what the test kit makes"


def main():
    parser = argparse.ArgumentParser(prog="testkit", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--out", type=pathlib.Path, metavar="DIR", help="write the vectors, and remove others")
    action.add_argument("--check", type=pathlib.Path, metavar="DIR", help="compare the vectors of DIR")
    options = parser.parse_args()
    made = make()
    if options.check:
        wrong = list(differences(made, options.check))
        print("\n".join(wrong) if wrong else f"{len(made)} vectors are as the test kit makes them")
        return 1 if wrong else 0
    options.out.mkdir(parents=True, exist_ok=True)
    for path in options.out.glob("*.smv"):
        if path.name not in made:
            path.unlink()
    for name, data in made.items():
        (options.out / name).write_bytes(data)
    print(f"wrote {len(made)} vectors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
