# SPDX-License-Identifier: Apache-2.0
"""Makes the vectors and the hexdump of the spec, or checks that they are current. Run it in the folder spec/."""

import argparse
import importlib
import importlib.util
import os
import pathlib
import subprocess
import sys

GROUPS = ("preamble", "manifest", "index", "codecs", "directory", "values", "names", "envelope", "statements",
          "statement_texts", "policies", "log", "keys", "listings", "encryption", "wraps")
LARGEST = 8192
LARGER = ("K9-size-ok", "K9-size", "S10-item-longest-ok", "S10-item-long")  # they are about a size
VALUES = "values/encryption.json"  # in the folder of the vectors
DIFFER_SEED, DIFFER_COUNT = 2, 1000


def all_vectors():
    for group in GROUPS:
        yield from importlib.import_module(f"testkit.groups.{group}").vectors()


def make():
    """All files by name, after checking what holds for each vector and for all together, and that our own reader
    answers as the vectors say."""
    from . import values
    from .reader import agree
    vectors = {}
    for vector in all_vectors():
        assert vector.name not in vectors, f"two vectors are called {vector.name}"
        vectors[vector.name] = vector
    for vector in vectors.values():
        size = len(vector.serialize())
        assert size <= LARGEST or vector.name in LARGER, f"{vector.name} has {size} bytes"
        if vector.expect == "ok":
            assert vector.name.endswith("-ok"), f"{vector.name} is accepted, so its name ends in -ok"
        else:
            assert not vector.name.endswith("-ok"), vector.name
            twin = vectors.get(vector.twin)
            assert twin and twin.expect == "ok", f"{vector.name} needs a twin that is accepted"
    accepted = sum(vector.expect == "ok" for vector in vectors.values())
    assert accepted * 5 <= len(vectors), f"{accepted} of {len(vectors)} vectors are accepted; at most a fifth may be"
    for vector in vectors.values():
        answered = agree.difference(vector)
        assert answered is None, answered
    return {f"{name}.smv": vector.serialize() for name, vector in vectors.items()} | {VALUES: values.encryption()}


def files_of(folder):
    """What the test kit makes, by its path in the folder of the vectors."""
    paths = [*folder.glob("*.smv"), *folder.glob("values/*")]
    return {path.relative_to(folder).as_posix(): path for path in paths}


def differences(made, folder):
    """What is wrong with a folder of vectors, a line each."""
    there = {name: path.read_bytes() for name, path in files_of(folder).items()}
    for name in sorted(made.keys() | there.keys()):
        if name not in there:
            yield f"{name} is missing"
        elif name not in made:
            yield f"{name} is not made by the test kit"
        elif made[name] != there[name]:
            yield f"{name} differs from what the test kit makes"


def write_vectors(folder):
    made = make()
    (folder / VALUES).parent.mkdir(parents=True, exist_ok=True)
    for name, path in files_of(folder).items():
        if name not in made:
            path.unlink()
    for name, data in made.items():
        (folder / name).write_bytes(data)
    print(f"wrote {len(made) - 1} vectors")
    return 0


def check_vectors(folder):
    made = make()
    wrong = list(differences(made, folder))
    print("\n".join(wrong) if wrong else f"{len(made) - 1} vectors are as the test kit makes them")
    return 1 if wrong else 0


def write_spec(path):
    from . import hexdump
    path.write_text(hexdump.update(path.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote the hexdump in {path}")
    return 0


def check_spec(path):
    from . import hexdump
    text = path.read_text(encoding="utf-8")
    current = hexdump.update(text) == text
    print("the hexdump is current" if current else f"the hexdump is old: python -m testkit --spec {path}")
    return 0 if current else 1


def write_differ(folder):
    from . import differ
    vectors = folder / "spec" / "vectors"
    vectors.mkdir(parents=True, exist_ok=True)
    for vector in differ.make(DIFFER_SEED, DIFFER_COUNT):
        (vectors / f"{vector.name}.smv").write_bytes(vector.serialize())
    print(f"wrote {DIFFER_COUNT} random containers, seed {DIFFER_SEED}")
    runner = os.environ.get("VECTOR_RUNNER")
    return subprocess.run([runner], env={**os.environ, "SAFEMODEL_SOURCE_DIR": str(folder)}).returncode if runner else 0


ACTIONS = [
    ("out", "DIR", write_vectors, "write the vectors, and remove others"),
    ("check", "DIR", check_vectors, "compare the vectors of DIR"),
    ("spec", "FILE", write_spec, "write the hexdump into the spec"),
    ("differ", "DIR", write_differ, "write random containers to DIR/spec/vectors, and start VECTOR_RUNNER on them"),
    ("check-spec", "FILE", check_spec, "compare the hexdump in the spec"),
]


def main():
    missing = [name for name in ("blake3", "cryptography", "zstandard") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: the test kit needs the Python packages {', '.join(missing)}")
        return 77
    parser = argparse.ArgumentParser(prog="testkit", description=__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    for name, metavar, _, text in ACTIONS:
        group.add_argument(f"--{name}", type=pathlib.Path, metavar=metavar, help=text)
    options = vars(parser.parse_args())
    return next(
        action(options[name.replace("-", "_")]) for name, _, action, _ in ACTIONS if options[name.replace("-", "_")])


if __name__ == "__main__":
    sys.exit(main())
