#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files of joblib: the old ones of its own tests (0.8.4 to 0.12.2, Python 2 and 3, every compressor, arrays in files of
their own), and new ones with every compressor and kind of array. Each is converted and compared with what was saved.
Usage: SAFEMODEL_CLI=… python joblib_test.py"""

import os
import shutil
import sys
import tempfile
import warnings

try:
    import joblib
    import lz4.frame  # noqa: F401  joblib needs it for "lz4"
    import numpy as np

    from compare import Comparison, Mismatch, check, convert, run
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

warnings.simplefilter("ignore")
ROOT = os.environ.get("SAFEMODEL_SOURCE_DIR", os.path.join(os.path.dirname(__file__), "../.."))
CORPUS = os.path.join(ROOT, "../shared/corpus/real/joblib/joblib/test/data")
OLD_FILES = 66

INTS = np.arange(5, dtype="<i8")
FLOATS = np.arange(5, dtype="<f8")
OBJECTS = np.array([1, "abc", {"a": 1, "b": 2}], dtype="O")
BYTES = np.arange(256, dtype=np.uint8).tobytes()
MATRIX = np.matrix([0, 1, 2], dtype="<i8")
OLD_CONTENT = [INTS, FLOATS, OBJECTS, BYTES, MATRIX, "C'est l'\xe9t\xe9 !"]
COMPANIONS = {"01": INTS, "02": FLOATS, "03": OBJECTS, "04": MATRIX}


class JoblibComparison(Comparison):
    """A matrix is an object whose argument is the array."""

    def object(self, path, live, node):
        if not isinstance(live, np.matrix):
            return super().object(path, live, node)
        args = self.args_of(path, node, "numpy", "matrix")
        return self.tensor(path, np.asarray(live), self.nodes[args[0]])


class OldComparison(JoblibComparison):
    """The dicts of old Pythons have another order."""

    def items(self, path, live, children):
        keys = [self.nodes[child]["value"] for child in children[::2]]
        return super().items(path, {key: live[key] for key in keys if key in live}, children)


def content_of(name):
    """What an old file holds, from its name; nothing for the compressed bytes of an array, which have no shape."""
    if name.endswith(".npy.z"):
        return None
    if not name.endswith(".npy"):
        return OLD_CONTENT
    # A .npy file forgets the class of the array.
    return np.asarray(COMPANIONS[name[-6:-4]])


def check_old(folder):
    """Companions of an array count as read when the file that names them is equal: it says what their bytes mean."""
    failures, equal = [], 0
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        content = content_of(name)
        try:
            if content is None:
                owner = name[: name.rindex("_")]
                os.rename(path, path + ".away")
                refused = ""
                try:
                    convert(os.path.join(folder, owner))
                except Mismatch as mismatch:
                    refused = str(mismatch)
                os.rename(path + ".away", path)
                if "FILE-MISSING" not in refused or name not in refused:
                    raise Mismatch(f"{owner} does not miss it: {refused}")
                path, content = os.path.join(folder, owner), OLD_CONTENT
            OldComparison(convert(path), 2).run(content)
            equal += 1
        except Mismatch as mismatch:
            failures.append(f"{name}: {mismatch}")
    if equal != OLD_FILES:
        failures.append(f"{equal} of {OLD_FILES} old files are equal")
    return equal, failures


def old_files():
    if not os.path.isdir(CORPUS):
        print(f"the old files are not compared: there is no {os.path.normpath(CORPUS)}")
        return []
    with tempfile.TemporaryDirectory() as folder:
        copies = os.path.join(folder, "data")
        shutil.copytree(CORPUS, copies)
        equal, failures = check_old(copies)
    print(f"{equal} old files are equal")
    return failures


def compressors():
    yield "none", 0
    for level in (1, 3, 9):
        yield f"level {level}", level
    yield "default", True
    for name in ("zlib", "gzip", "bz2", "lzma", "xz", "lz4"):
        yield name, name
        for level in (0, 3, 9):
            # bzip2 has no level 0: joblib falls back to its default there.
            if (name, level) != ("bz2", 0):
                yield f"{name} {level}", (name, level)


def contents(folder):
    rng = np.random.RandomState(3)
    mapped = np.memmap(os.path.join(folder, "mapped"), dtype="f4", mode="w+", shape=(3, 5))
    mapped[:] = rng.rand(3, 5)
    record = np.zeros(4, dtype=[("id", "<i4"), ("name", "S5"), ("point", ">f8")])
    record["id"] = range(4)
    record["point"] = [0.5, -1, np.inf, 2]
    yield "ints", np.arange(1000)
    yield "empty", np.zeros((0, 3))
    yield "scalar array", np.array(7.5)
    yield "columns first", np.asfortranarray(rng.rand(7, 9))
    yield "view", rng.rand(8, 8)[::2, 1:]
    yield "big-endian", np.arange(12, dtype=">i2").reshape(3, 4)
    yield "objects", np.array([1, "two", None, {"three": np.arange(3)}], dtype=object)
    yield "records", record
    yield "times", np.array(["2024-02-29", "NaT"], dtype="M8[us]")
    yield "durations", np.array([1, -2], dtype="m8[ns]")
    yield "texts", np.array(["a", "\u00e9t\u00e9"])
    yield "memory map", mapped
    yield "many", {"weights": [rng.rand(n, 3).astype("f4") for n in range(1, 30)], "step": 12, "name": "x" * 300}
    yield "long", [rng.randint(0, 50, 300_000).astype("u1"), "end"]
    yield "matrix", np.matrix(rng.rand(2, 3))


def compared(live):
    """Memory maps are saved as what they map."""
    return np.asarray(live) if isinstance(live, np.memmap) else live


def new_files():
    failures, files, arrays = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.joblib")
        for name, live in contents(folder):
            for compressor, setting in compressors():
                joblib.dump(live, path, compress=setting)
                files += 1
                try:
                    comparison = JoblibComparison(convert(path), 4, identity=False)
                    comparison.run(compared(live))
                    arrays += comparison.checked_tensors
                except Mismatch as mismatch:
                    failures.append(f"{name}, {compressor}: {mismatch}")
    print(f"{files} new files with {arrays} arrays compared")
    return failures


def large_file():
    """Larger than what stays in memory, so that the compressed bytes are decoded again and again."""
    rng = np.random.RandomState(4)
    live = [rng.randint(0, 16, 9_000_000).astype("i4"), "between", rng.randint(0, 16, (1000, 900)).astype("f8")]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.joblib")
        joblib.dump(live, path, compress=("zlib", 1))
        try:
            check(path, live, 4, identity=False)
            # What was exported reads as the same numbers.
            run("export", path + ".safemodel", "-o", os.path.join(folder, "model.npz"), "--insecure-skip-verification")
        except Mismatch as mismatch:
            return [f"large file: {mismatch}"]
        with np.load(os.path.join(folder, "model.npz")) as archive:
            exported = sorted((archive[name] for name in archive.files), key=lambda array: array.ndim)
        equal = [np.array_equal(a, b) for a, b in zip(exported, (live[0], live[2]))]
    return [] if equal == [True, True] else ["large file: the exported arrays differ"]


def main():
    failures = old_files() + new_files() + large_file()
    for failure in failures:
        print("FAIL", failure)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
