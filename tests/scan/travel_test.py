#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `scan` refuses does not travel: every hostile file of the other tests, in a folder that is converted with all that
may run. Usage: SAFEMODEL_CLI=… python travel_test.py"""

import json
import struct
import subprocess
import sys
import unittest

import archive_rows
import layout_rows
import pickle_rows
from assemble import Row, member, proto, zip_of
from mechanisms_test import CLI, ScanTest, rules_of

CALL = b"cos\nsystem\n(S'true'\ntR."
HEADER = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
WEIGHTS = struct.pack("<Q", len(HEADER)) + HEADER + b"x"


def disguised():
    """Archives that a reader opens in spite of what stands before, in or behind them."""
    archive = zip_of(member("m/evil.pkl", proto(2) + CALL))
    yield Row("a zip with a pickle", archive, "GLOBAL-DANGEROUS", file="state.bin")
    yield Row("a script in front of a zip", b"#!/bin/sh\n" + archive, "", file="state.bin")
    yield Row("zeros behind a zip", archive + bytes(66000), "", file="state.bin")
    yield Row("a zip in a zip", zip_of(member("inner.zip", archive)), "GLOBAL-DANGEROUS", file="state.bin")
    yield Row("a zip without its end", archive[:-22], "", file="state.bin")
    arrays = zip_of(member("a.npy", b"\x93NUMPY\1\0"), member("evil.pkl", proto(2) + CALL))
    yield Row("an npz with a pickle", arrays, "GLOBAL-DANGEROUS", file="state.bin")


class Travel(ScanTest):
    def convert(self, row):
        folder = self.folder / "model"
        folder.mkdir(exist_ok=True)
        (folder / "model.safetensors").write_bytes(WEIGHTS)
        file = folder / "extra.dat"
        file.write_bytes(row.content)
        done = subprocess.run([CLI, "convert", "model", "-o", "m.safemodel", "--name", "a/b", "--force", "--weights", "model.safetensors",
                               "--include-executable", "--allow-unknown", "--json"], cwd=self.folder, capture_output=True)  # fmt: skip
        return json.loads(done.stdout)

    def test_what_scan_refuses_does_not_travel(self):
        rows = [row for row in (*pickle_rows.rows(), *archive_rows.rows(), *layout_rows.rows(), *disguised()) if not row.beside]
        self.assertGreater(len(rows), 400)
        for row, report in self.scan_rows(rows):
            with self.subTest(row.name, verdict=report["verdict"], layout=report["layout"]):
                loaded = report["layout"] not in ("", "opaque", "foreign", "safetensors")  # by something that may run what it loads
                if report["verdict"] == "dangerous" or (report["verdict"] == "unreadable" and loaded):
                    packed = [file["path"] for file in self.convert(row).get("files", [])]
                    self.assertNotIn("extra.dat", packed, rules_of(report))


if __name__ == "__main__":
    sys.exit(unittest.main())
