#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Python's zipfile takes from the end of a file of another kind, the scanner has judged. Archives with a payload are
moved, cut and changed at random behind other bytes; wherever zipfile still hands out the payload, the scan must say
that the file is dangerous. zipfile returns bytes; nothing is unpickled. SAFEMODEL_CLI names the program."""

import io
import random
import struct
import tempfile
import unittest
import zipfile
from pathlib import Path

from assemble import BENIGN, EVIL, member, zip64_of, zip_of
from end_rows import hosts
from mechanisms_test import scan

SEED, FILES, LEAST = 11, 2500, 400


def changed(rng, archive):
    """The archive with a number of its end or its directory changed, most often a little."""
    directory = archive.index(b"PK\1\2")
    at = rng.randrange(directory, len(archive) - 3)
    form = rng.choice("BHI")
    old = struct.unpack_from("<" + form, archive, at)[0]
    new = rng.choice([0, 1, old + 1, old - 1, old + 76, old + 128, 2**32 - 1, rng.getrandbits(32)]) % 256 ** struct.calcsize(form)
    return archive[:at] + struct.pack("<" + form, new) + archive[at + struct.calcsize(form):]


def archive(rng):
    """One with a payload, and often a second one within it that some readers may see instead."""
    evil = [member("m.pkl", EVIL, method=rng.choice([0, 8])), member("n.pkl", rng.choice([BENIGN, EVIL]))][:rng.choice([1, 1, 2])]
    options = {"prefix": rng.choice([b"", b"", bytes(128), b"junk"]), "adjusted": rng.random() < 0.5}
    if rng.random() < 0.3:
        options["before_end"] = zip_of(member("a.txt", b"text"))[rng.choice([0, 35]):]
    if rng.random() < 0.3:
        options["comment"] = rng.choice([b"text", zip_of(member("a.txt", b"text")), b"PK\5\6", b"PK\5\6" + bytes(18)])
    made = rng.choice([zip_of, zip64_of])(*evil, **options)
    return changed(rng, made) if rng.random() < 0.5 else made


def host(rng, content):
    choice = rng.randrange(4)
    if choice == 0:
        return b"\xff" + bytes(rng.randrange(9)) + content + bytes(rng.choice([0, 0, 1, 22, 65513, 65514, 65515, 65536]))
    return rng.choice(list(hosts(content, content)))[1]


def taken(content):
    """Whether zipfile hands out the payload."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as found:
            for entry in found.infolist():
                try:
                    if EVIL in found.read(entry):
                        return True
                except Exception:  # whatever it refuses, it hands to nobody
                    pass
    except Exception:
        pass
    return False


class EndReaders(unittest.TestCase):
    def test_what_zipfile_takes_is_judged(self):
        rng, found = random.Random(SEED), 0
        with tempfile.TemporaryDirectory() as name:
            files = {f"{number}": host(rng, archive(rng)) for number in range(FILES)}
            for path, content in files.items():
                (Path(name) / path).write_bytes(content)
            for report in scan(list(files), name):
                if taken(files[report["path"]]):
                    found += 1
                    with self.subTest(report["path"]):
                        self.assertEqual(report["verdict"], "dangerous", [finding["rule"] for finding in report["findings"]])
        self.assertGreater(found, LEAST)


if __name__ == "__main__":
    unittest.main()
