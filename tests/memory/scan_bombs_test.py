#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small files that ask for a lot: a scan answers each in 0.2 s of processor time and 64 MiB above what an empty run takes.

An answer is any verdict; a bomb that hides a call must be dangerous as well. SAFEMODEL_CLI names the program.
"""

import bz2
import gzip
import json
import lzma
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scan"))
from assemble import PAYLOAD, STOP, blob, member, name, proto, text, torch_zip, zip_of  # noqa: E402

CLI = os.environ["SAFEMODEL_CLI"]
SECONDS = 0.2
BYTES = 64 << 20
# Linux counts the memory of the parent at the time of the fork into a child's peak, so the parent is a small process.
LAUNCHER = """
import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(os.waitstatus_to_exitcode(status), usage.ru_utime, usage.ru_maxrss, file=sys.stderr)
"""
ZEROS = 256 << 20  # of a compressed file


def laughs(start, double):
    """Thirty levels, each of which holds the one before ten times: 10^30 values in a few hundred bytes."""
    return proto(2) + start + b"".join(double(level) for level in range(30)) + STOP


def list_laughs(level):
    return b"q" + bytes([level]) + b"0](" + (b"h" + bytes([level])) * 10 + b"e"


def dict_laughs(level):
    items = b"".join(b"K" + bytes([i]) + b"h" + bytes([level]) for i in range(10))
    return b"q" + bytes([level]) + b"0}(" + items + b"u"


def tuple_laughs(level):
    return b"q" + bytes([level]) + b"0(" + (b"h" + bytes([level])) * 10 + b"t"


def streams():
    """(title, content, what must be said besides an answer)."""
    yield "billion laughs of lists", laughs(b"]", list_laughs), "clean"
    yield "billion laughs of dicts", laughs(b"}", dict_laughs), "clean"
    yield "billion laughs of tuples", laughs(b")", tuple_laughs), "clean"
    yield "billion laughs of a global", laughs(name("a.b", "c"), list_laughs), "unknown"
    yield "billion laughs as an argument", laughs(b"]", list_laughs)[:-1] + b"q\xff0" + name("a.b", "c") + b"(h\xfftR.", "dangerous"
    yield "billion laughs as a state", laughs(b"]", list_laughs)[:-1] + b"q\xff0" + name("a.b", "C") + b")\x81h\xffb.", None
    for opcode in (b"\x8d", b"\x8e", b"\x96"):
        yield f"2^62 bytes by {opcode.hex()}", proto(4) + b"N0N0" + opcode + struct.pack("<Q", 1 << 62) + b"x.", "unreadable"
    yield "a frame of 2^62 bytes", proto(4) + b"N0N0\x95" + struct.pack("<Q", 1 << 62) + b"N.", "unreadable"
    yield "2^31 - 1 bytes of a number", proto(2) + b"N0N0\x8b" + struct.pack("<i", (1 << 31) - 1) + b"\0.", "unreadable"
    yield "2^62 bytes behind a call", proto(4) + PAYLOAD + b"\x8e" + struct.pack("<Q", 1 << 62) + b"x.", "dangerous"
    for title, opening, closing in (("lists", b"]", b"a"), ("tuples", b"(", b"t"), ("dicts", b"}K\0", b"s")):
        inner = b"" if title == "tuples" else b"N"
        yield f"200 000 levels of {title}", proto(2) + opening * 200_000 + inner + closing * 200_000 + STOP, None
    yield "memo index 2^31 - 1", proto(2) + b"N0N0Np2147483647\n.", None
    yield "memo index 10^9", proto(2) + b"N0N0Nr" + struct.pack("<I", 10**9) + STOP, None
    yield "many memo indices", proto(2) + b"N" + b"".join(b"r" + struct.pack("<I", i * 40_009) for i in range(50_000)) + STOP, None
    yield "a number of 4 000 digits, often", (b"L" + b"9" * 4000 + b"L\n0") * 100 + b"N.", None
    yield "a number of 10^6 digits", b"L" + b"9" * 1_000_000 + b"L\n.", None
    yield "an array of 2^62 numbers", proto(3) + call_reconstruct(1 << 62), None
    yield "20 000 streams", (proto(2) + b"N.") * 20_000, None
    yield "100 000 starts of streams", proto(2) + b"N." + b"\x80\x02K" * 100_000, "unreadable"


def call_reconstruct(length):
    shape = b"(\x8a\x08" + struct.pack("<q", length) + b"t"
    return (name("numpy.core.multiarray", "_reconstruct") + name("numpy", "ndarray") + b"K\0\x85" + blob(b"b") + b"\x87R(K\1" + shape +
            name("numpy", "dtype") + text("f8") + b"K\0K\1\x87R\x89" + blob(b"") + b"tb.")


def deflated_zeros():
    """Raw deflate of ZEROS zeros, without ever holding them."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [deflate.compress(bytes(1 << 20)) for _ in range(ZEROS >> 20)]
    return b"".join(pieces) + deflate.flush()


def in_pieces(compressor):
    return b"".join(compressor.compress(bytes(1 << 20)) for _ in range(ZEROS >> 20)) + compressor.flush()


def lz4_zeros():
    """Blocks of 4 MiB: one literal zero, then a match that repeats it."""
    block = b"\x1f\0\1\0" + b"\xff" * 16448 + b"\0" + b"\x50" + b"\0" * 5
    return b"\x04\x22\x4d\x18\x60\x70\x73" + (struct.pack("<I", len(block)) + block) * (ZEROS >> 22) + b"\0\0\0\0"


def zip_bomb(layout):
    packed = deflated_zeros()
    fields = {"stored": len(packed), "size": ZEROS, "method": 8, "crc": 0}
    path = {"zip": "zeros", "npz": "zeros.npy", "torch": "archive/data/0", "pickle": "archive/data.pkl"}[layout]
    entry = member(path, packed, local=fields, central=fields)
    if layout == "torch":
        return torch_zip(proto(2) + b"}.", entry)
    return zip_of(entry, member("archive/version", b"3\n"))


def archives():
    for kind, decoder in (("gzip", lambda: zlib.compressobj(9, zlib.DEFLATED, 31)), ("zlib", lambda: zlib.compressobj(9)),
                          ("bz2", lambda: bz2.BZ2Compressor(9)), ("xz", lambda: lzma.LZMACompressor(preset=0)),
                          ("LZMA-alone", lambda: lzma.LZMACompressor(format=lzma.FORMAT_ALONE, preset=0))):
        yield f"{kind} of zeros", in_pieces(decoder()), None
    yield "lz4 of zeros", lz4_zeros(), None
    yield "Z-file of zeros", b"ZF" + f"{ZEROS:#x}".ljust(19).encode() + in_pieces(zlib.compressobj(9)), None
    for layout in ("zip", "npz", "torch", "pickle"):
        yield f"zip of zeros as {layout}", zip_bomb(layout), None
    nested = proto(2) + b"N."
    for _ in range(40):
        nested = zip_of(member("a", nested, method=8))
    yield "40 zips in each other", nested, "unreadable"
    nested = proto(2) + b"N."
    for _ in range(40):
        nested = gzip.compress(nested)
    yield "40 gzips in each other", nested, "unreadable"
    same = zip_of(*(member("a", b"x", central={"offset": 0}) for _ in range(20_000)))
    yield "20 000 records of one member", same, "dangerous"
    yield "2^32 entries", zip_of(member("a", b"x"), end={"here": 0xFFFF, "entries": 0xFFFF}), "dangerous"


class Bombs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "model.pkl"

    def scan(self, content):
        """The verdict, the processor time, and the peak memory of one run over one file."""
        self.file.write_bytes(content)
        command = [sys.executable, "-I", "-S", "-c", LAUNCHER, CLI, "scan", "--json", str(self.file)]
        launched = subprocess.run(command, capture_output=True, timeout=60)
        self.assertEqual(launched.returncode, 0, launched.stderr[-1000:])
        status, seconds, peak = launched.stderr.split()[-3:]
        self.assertIn(int(status), (0, 1, 3))
        return json.loads(launched.stdout)["inputs"][0], float(seconds), int(peak) << 10

    def check(self, bombs):
        _, _, empty = self.scan(proto(2) + b"N.")
        for title, content, verdict in bombs:
            with self.subTest(title):
                # The best of three: what other programs do to the caches is not ours to bound.
                runs = []
                while not runs or (len(runs) < 3 and min(seconds for _, seconds, _ in runs) >= SECONDS):
                    runs.append(self.scan(content))
                report, _, peak = runs[0]
                seconds = min(seconds for _, seconds, _ in runs)
                print(f"{title}: {len(content)} bytes, {report['verdict']} {sorted({f['rule'] for f in report['findings']})}, {seconds:.3f} s, "
                      f"{(peak - empty) >> 20} MiB")
                self.assertLess(seconds, SECONDS)
                self.assertLess(peak - empty, BYTES)
                if verdict:
                    self.assertEqual(report["verdict"], verdict)

    def test_streams(self):
        self.check(streams())

    def test_archives(self):
        self.check(archives())


if __name__ == "__main__":
    unittest.main()
