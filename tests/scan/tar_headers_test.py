#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever Python's tarfile takes for the start of an archive, the scanner takes for one. Sums of headers are written in every way that
an int() of Python reads, and in ways that it does not. SAFEMODEL_CLI names the program."""

import io
import random
import tarfile
import tempfile
import unittest
from pathlib import Path

from assemble import EVIL, tar_header, tar_member, tar_of
from mechanisms_test import scan

SEED, FILES = 7, 600


def binary(number):
    return b"\xff" + (256**7 + number).to_bytes(7, "big") if number < 0 else b"\x80" + number.to_bytes(7, "big")


def octal(rng, number):
    """A sign, a prefix, zeros, digits with _ between some, blanks around."""
    digits = "%o" % abs(number)
    if rng.random() < 0.3:
        cut = rng.randrange(1, len(digits))
        digits = digits[:cut] + rng.choice(["_", "__", " ", "\0"]) + digits[cut:]
    sign = "-" if number < 0 and rng.random() < 0.9 else rng.choice(["", "+", "-"])
    text = rng.choice(["", "", " ", "\t", "\x1f", "\v", "\xa0"]) + sign + rng.choice(["", "", "0o", "0O", "0o_", "0", "_", "0x"]) + digits
    return (text + rng.choice(["", " ", "\0x", "\n", "8", "\xa0"])).encode("latin-1")[:8]


def header(rng):
    high = bytes(rng.choice([0, 128, 255, 65]) for _ in range(rng.choice([0, 3, 100])))
    plain = tar_header(b"m.pkl", len(EVIL), link=high)
    both = [sum(plain) - sum(plain[148:156]) + 256]
    both.append(both[0] - 256 * sum(byte > 127 for byte in plain[:148] + plain[156:]))
    number = rng.choice(both) + rng.choice([0, 0, 0, 1])
    stated = binary(number) if rng.random() < 0.3 else octal(rng, number)
    return plain[:148] + stated.ljust(8, rng.choice([b"\0", b" "])) + plain[156:]


def opens(content):
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            return archive.getnames() == ["m.pkl"]
    except tarfile.TarError:
        return False


class TarHeaders(unittest.TestCase):
    def test_sums(self):
        rng, opened = random.Random(SEED), 0
        with tempfile.TemporaryDirectory() as name:
            files = {}
            for number in range(FILES):
                content = tar_of(header(rng) + tar_member("m.pkl", EVIL)[512:])
                (Path(name) / f"{number}").write_bytes(content)
                files[f"{number}"] = content
            for report in scan(list(files), name):
                content = files[report["path"]]
                if opens(content):
                    opened += 1
                    with self.subTest(sum=content[148:156]):
                        self.assertEqual((report["layout"], report["verdict"]), ("tar", "dangerous"))
        self.assertGreater(opened, FILES / 4)
        self.assertLess(opened, FILES * 3 / 4)


if __name__ == "__main__":
    unittest.main()
