#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes archives with tarfile, lists what tarfile reads from each, and has the unit tests compare that with what the
library reads. Usage: PICKLE_TESTS=… python tar_test.py"""

import io
import itertools
import os
import random
import subprocess
import sys
import tarfile
import tempfile

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def names(rng, tar_format):
    """Short and long ones, in folders, beyond ASCII; ustar holds 100 bytes behind at most 155 of folders."""
    yield from ("pickle", "a b", "folder/member", "\u00e4\u00f6/\u4e2d", "x" * 100, "d" * 90 + "/" + "f" * 90)
    if tar_format != tarfile.USTAR_FORMAT:
        yield from ("y" * 101, "z" * 300, "/".join(["deep"] * 100), "\u00e4" * 80)
    for i in range(rng.randrange(4)):
        yield f"{i}" + "".join(rng.choices("abc._-/", k=rng.randrange(1, 120))).replace("//", "/").replace("..", ".").rstrip("/")


def write(path, rng, tar_format):
    with tarfile.open(path, "w:", format=tar_format, pax_headers={"comment": "made by a test"} if rng.random() < 0.3 else {}) as tar:
        for name in dict.fromkeys(names(rng, tar_format)):
            member = tarfile.TarInfo(name)
            member.mtime = rng.choice([0, 1700000000, 1700000000.25]) if tar_format == tarfile.PAX_FORMAT else 0
            member.uname, member.uid = rng.choice([("", 0), ("user", 1000), ("\u00e4", 2**21 + 5 if tar_format != tarfile.USTAR_FORMAT else 7)])
            data = rng.randbytes(rng.choice([0, 1, 511, 512, 513, 5000]))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        folder = tarfile.TarInfo("empty")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)


def listing(path):
    lines = []
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            kind = "folder" if member.isdir() else "file"
            lines.append(f"{kind} {member.offset_data} {member.size} {member.name}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def links(path):
    with tarfile.open(path, "w:") as tar:
        for name, kind in (("a", tarfile.SYMTYPE), ("b", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)


def duplicate(path):
    with tarfile.open(path, "w:") as tar:
        for data in (b"first", b"second"):
            member = tarfile.TarInfo("pickle")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def appended(path):
    duplicate_free = io.BytesIO()
    with tarfile.open(fileobj=duplicate_free, mode="w:") as tar:
        tar.addfile(tarfile.TarInfo("a"))
    with open(path, "wb") as file:
        file.write(duplicate_free.getvalue() * 2)


def main():
    tests = os.environ.get("PICKLE_TESTS")
    if not tests:
        sys.exit("PICKLE_TESTS must name the program of the unit tests")
    rng = random.Random(5)
    with tempfile.TemporaryDirectory() as folder:
        count = 0
        for (name, tar_format), i in itertools.product(FORMATS.items(), range(40)):
            path = os.path.join(folder, f"{name}{i}.tar")
            write(path, rng, tar_format)
            with open(path + ".list", "wb") as file:
                file.write(listing(path))
            count += 1
        for make, code in ((links, "TAR-NAME"), (duplicate, "TAR-DUPLICATE"), (appended, "TAR-OUTSIDE")):
            path = os.path.join(folder, f"{make.__name__}.tar")
            make(path)
            with open(path + ".list", "w") as file:
                file.write(code + "\n")
            count += 1
        done = subprocess.run(
            [tests, "--test-case=tar: the archives of a folder"], env={**os.environ, "SAFEMODEL_TAR_FOLDER": folder},
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0 or f"{count} archives" not in done.stdout:
            print(done.stdout[-4000:], done.stderr)
            return 1
    print(f"{count} archives compared")
    return 0


if __name__ == "__main__":
    sys.exit(main())
