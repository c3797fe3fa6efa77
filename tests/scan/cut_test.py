#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Half a download is no attack: what the real libraries wrote, cut off anywhere, is unreadable, never clean and never
dangerous, though the numbers of a model begin like every kind of pickle. Usage: SAFEMODEL_CLI=… python cut_test.py"""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import joblib
import numpy as np
import safetensors.numpy
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

CLI = os.environ["SAFEMODEL_CLI"]
PLACES = 12


def written(save, *arguments, **options):
    """The bytes that a function writes that takes a file."""
    file = io.BytesIO()
    save(*arguments, file, **options)
    return file.getvalue()


def files():
    numbers = np.random.default_rng(7).standard_normal(150_000)
    arrays = {"weight": numbers, "bias": numbers[:1000].astype("f4")}
    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    forest = RandomForestClassifier(10, random_state=0).fit(*load_digits(return_X_y=True))
    yield "torch.pt", written(torch.save, tensors)
    yield "old.pt", written(torch.save, tensors, _use_new_zipfile_serialization=False)
    for protocol in (2, 4, 5):
        yield f"arrays{protocol}.pkl", pickle.dumps(arrays, protocol)
        yield f"forest{protocol}.pkl", pickle.dumps(forest, protocol)
    yield "plain.joblib", written(joblib.dump, arrays)
    yield "forest.joblib", written(joblib.dump, forest)
    for compress in ("zlib", "gzip", "bz2", "xz", "lzma", "lz4"):
        yield f"{compress}.joblib", written(joblib.dump, arrays, compress=(compress, 1))
    for name, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        yield f"arrays.pkl.{name}", pack(pickle.dumps(arrays, 4))
    file = io.BytesIO()
    np.save(file, numbers)
    yield "one.npy", file.getvalue()
    for name, save in (("plain.npz", np.savez), ("deflated.npz", np.savez_compressed)):
        file = io.BytesIO()
        save(file, **arrays)
        yield name, file.getvalue()
    yield "model.safetensors", safetensors.numpy.save(arrays)


class Cut(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_half_a_download_is_unreadable(self):
        chance = random.Random(11)
        for name, content in files():
            ends = {len(content) - 1, len(content) // 2, *(chance.randrange(16, len(content)) for _ in range(PLACES))}
            paths = []
            for end in sorted(ends):
                paths.append(str(Path(self.folder.name, f"{end:08}-{name}")))
                Path(paths[-1]).write_bytes(content[:end])
            done = subprocess.run([CLI, "scan", "--json", *paths], capture_output=True)
            for path, report in zip(paths, json.loads(done.stdout)["inputs"], strict=True):
                with self.subTest(Path(path).name, of=len(content)):
                    self.assertEqual(report["verdict"], "unreadable", {(f["rule"], f["message"]) for f in report["findings"]})
            for path in (paths[len(paths) // 2], paths[-1]):
                with self.subTest("convert", file=Path(path).name):
                    done = subprocess.run([CLI, "convert", path, "-o", f"{path}.safemodel", "--name", "a/b"], capture_output=True, text=True)
                    self.assertRegex(done.stderr, r"\(malformed: ")
                    self.assertFalse(Path(f"{path}.safemodel").exists())


if __name__ == "__main__":
    sys.exit(unittest.main())
