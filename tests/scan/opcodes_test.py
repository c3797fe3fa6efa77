#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The machine against pickletools: where each stream ends, how many instructions it has, and which one a finding names.

pickletools.genops reads opcodes and arguments and runs nothing. Streams: what pickle.dumps writes of many values at all
protocols, and the hostile rows whose bytes genops can read. SAFEMODEL_CLI names the program.
"""

import pickle
import pickletools
import random
import tempfile
import unittest
from pathlib import Path

import pickle_rows
from mechanisms_test import scan

OPCODES = {opcode.code.encode("latin-1")[0]: opcode.name for opcode in pickletools.opcodes}


def value(source, depth=0):
    """A random value of data, with every form that pickle writes."""
    kind = source.randrange(14 if depth < 4 else 9)
    if kind == 0:
        return source.choice([None, True, False])
    if kind == 1:
        return source.choice([0, 1, 255, 256, 65535, 65536, -1, 2**31 - 1, -2**31, 2**31, 2**63, -2**63, 2**2000, -2**2039])
    if kind == 2:
        return source.getrandbits(source.randrange(1, 300)) - source.getrandbits(200)
    if kind == 3:
        return source.choice([0.0, -0.0, 1.5, float("inf"), float("nan"), 1e300, 5e-324])
    if kind in (4, 5):
        return "".join(source.choice("a\n\\'\"é€😀\0\x1a\x7f") for _ in range(source.choice([0, 1, 5, 255, 256, 300])))
    if kind in (6, 7):
        return source.randbytes(source.choice([0, 1, 255, 256, 70_000]))
    if kind == 8:
        return bytearray(source.randbytes(source.randrange(40)))
    items = [value(source, depth + 1) for _ in range(source.choice([0, 1, 2, 3, 4, 12]))]
    if kind == 9:
        return items
    if kind == 10:
        return tuple(items)
    if kind == 11:
        return {f"key {i}": item for i, item in enumerate(items)}
    if kind == 12:
        return source.choice([set, frozenset])(str(item)[:20] for item in items)
    return [items, items, tuple(items)]  # references through the memo


def instructions(content):
    """(name, offset) of each instruction of the first stream and where it ends, or nothing when genops refuses it."""
    try:
        found = [(opcode.name, offset) for opcode, _, offset in pickletools.genops(content)]
    except Exception:  # genops raises whatever its helpers do
        return None
    return found, found[-1][1] + 1


class Opcodes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def reports(self, contents):
        for number, content in enumerate(contents):
            (self.folder / f"{number:05}").write_bytes(content)
        return scan([f"{number:05}" for number in range(len(contents))], self.folder)

    def compare(self, content, report, wanted):
        found, end = wanted
        stream = report["streams"][0]
        self.assertEqual((stream["offset"], stream["length"], stream["opcodes"]), (0, end, len(found)))
        protocols = [content[offset + 1] for name, offset in found if name == "PROTO"]
        self.assertEqual(stream["protocol"], protocols[-1] if protocols else 0)

    def test_data(self):
        source = random.Random(20261127)
        contents = [pickle.dumps(value(source), protocol) for _ in range(60) for protocol in range(6)]
        for content, report in zip(contents, self.reports(contents), strict=True):
            with self.subTest(content[:60]):
                self.assertEqual(report["verdict"], "clean", report["findings"][:3])
                self.compare(content, report, instructions(content))

    def test_findings_name_their_instruction(self):
        # A pickle in bytes counts from its own start.
        rows = [row for row in pickle_rows.rows() if instructions(row.content) and "_load_from_bytes" not in row.name]
        self.assertGreater(len(rows), 60)
        compared = 0
        for row, report in zip(rows, self.reports([row.content for row in rows]), strict=True):
            if report["stream_count"] != 1:
                continue
            found, _ = instructions(row.content)
            for finding in report["findings"]:
                if "opcode" not in finding:
                    continue
                with self.subTest(row.name, rule=finding["rule"]):
                    name, offset = found[finding["opcode_index"]]
                    self.assertEqual(finding["opcode"], name)
                    if finding["rule"] == "CALL-UNLISTED":
                        self.assertEqual(finding["offset"], offset)
                    self.assertEqual(OPCODES[row.content[offset]], name)
                    compared += 1
        self.assertGreater(compared, 60)


if __name__ == "__main__":
    unittest.main()
