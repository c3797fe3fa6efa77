# SPDX-License-Identifier: Apache-2.0
"""Archives that readers find where another file was seen: at its end, in a storage, or by a negative sum of a tar header."""

import gzip
import json
import struct

from assemble import BENIGN, EVIL, Row, blob, member, proto, tar_header, tar_member, tar_of, text, torch_zip, zip64_of, zip_of
from layout_rows import legacy, npy, storage

CALL = "CALL-UNLISTED"

NEGATIVE_SUMS = {"octal": lambda number: b"-%o" % -number, "octal with a prefix": lambda number: b"-0o%o" % -number,
                 "binary": lambda number: b"\xff" + (256**7 + number).to_bytes(7, "big")}


def negative_tars():
    """Python sums the bytes of a header with signs as well, and reads the negative number that comes out."""
    for title, state in NEGATIVE_SUMS.items():
        fields = {"link": b"\x80" * 100, "state": state}
        yield Row(f"tar: a negative sum, {title}", tar_of(tar_member("m.pkl", EVIL, **fields)), CALL, file="model.tar")
        rest = tar_of(tar_member("storages", EVIL))
        first = proto(4) + b"B" + struct.pack("<I", 512 + len(rest) - 7)
        yield Row(f"tar: bytes of a pickle, a negative sum, {title}", tar_header(first, 0, **fields) + rest + b".", "FILE-POLYGLOT")


def around(start, content):
    """The rest of a tar header that begins with the start of another file, one member with the content, and the end."""
    return (tar_header(start, len(content)) + content + b"\0" * (-len(content) % 512 + 1024))[len(start):]


def tars_and_others():
    """tarfile asks for little: numbers at some places, and their sum."""
    behind = 512 - 31 + 512 + 1024
    start = zip_of(member("a", bytes(behind), local={"crc": 0}, central={"crc": 0}))[:31]
    both = zip_of(member("a", around(start, EVIL), local={"crc": 0}, central={"crc": 0}))
    yield Row("tar: a payload in what a zip holds in its only member", both, "FILE-POLYGLOT", file="model.zip")
    start = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", 500)
    yield Row("tar: a payload in gzip around the header", start + around(start, gzip.compress(EVIL, mtime=0)[10:]), CALL, file="model.gz")
    yield Row("tar: gzip around the header", start + around(start, gzip.compress(BENIGN, mtime=0)[10:]), "FILE-POLYGLOT", file="model.gz")
    name = b"a".ljust(124 - 23) + b"%12o" % 512 + b" " * 12 + b"  000000"  # the sum is the number at the end
    head = b"{'descr': [('" + name + b"', '|O')], 'fortran_order': False, 'shape': (1,), }"
    head = b"\x93NUMPY\1\0" + struct.pack("<H", 590) + head.ljust(589) + b"\n"
    head = head[:148] + b"  %06o" % (sum(head[:148] + head[156:512]) + 256) + head[156:]
    content = head + EVIL
    content += b"\0" * (1024 - len(content) + 1024)
    yield Row("tar: a payload in an array of objects around the header", content, CALL, file="model.npy")
    yield Row("tar: an array of objects around the header", content, "FILE-POLYGLOT", file="model.npy")


def array(content):
    return npy(content, descr="'|u1'", shape=f"({len(content)},)")


def safetensors(content):
    header = json.dumps({"x": {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}}).encode()
    return struct.pack("<Q", len(header)) + header + content


def gzip_with_field(content, field):
    return b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", len(field)) + field + gzip.compress(content, mtime=0)[10:]


def legacy_torch(content):
    item = proto(2) + storage(count=len(content), kind="ByteStorage").removesuffix(b"tQ") + b"NtQ."  # no view of another
    return legacy(item=item, keys=proto(2) + b"]" + text("0") + b"a.", tail=struct.pack("<Q", len(content)) + content)


def hosts(archive, long):
    """Files of other kinds that end with an archive; `long` is the same with a comment, into which their own end falls."""
    yield "an array", array(b"junk" + archive)
    yield "an array of nothing else", array(archive)
    yield "safetensors", safetensors(b"junk" + archive)
    yield "a pickle", proto(3) + blob(b"junk" + long) + b"."
    yield "a pickle without a comment", proto(3) + blob(b"junk" + archive) + b"."
    yield "a pickle, far from it", proto(3) + blob(b"junk" + archive) + b"0" + blob(b"x" * 65000) + b"."
    yield "torch.save before 1.6", legacy_torch(b"junk" + archive)
    yield "a field of gzip", gzip_with_field(BENIGN, b"junk" + long)
    yield "a file in a tar", tar_of(tar_member("a", b"junk" + archive))


def ends():
    """zipfile, and pandas with it, opens whatever has an end record in its last 64 KiB."""
    evil = member("m.pkl", EVIL)
    for bits, make in ((32, zip_of), (64, zip64_of)):
        archive, long = make(evil), make(evil, end={"comment": 200})
        for title, content in hosts(archive, long):
            yield Row(f"zip: at the end of {title}, {bits} bits", content, "FILE-POLYGLOT")
            yield Row(f"zip: at the end of {title}, {bits} bits, seen", content, CALL)
            for outer, pack in (("a zip", lambda inner: zip_of(member("a/notes.dat", inner))), ("gzip", lambda inner: gzip.compress(inner, mtime=0))):
                if title == "safetensors":  # of no kind inside of another file
                    continue
                yield Row(f"zip: at the end of {title} in {outer}, {bits} bits", pack(content), "FILE-POLYGLOT")
        yield Row(f"zip: behind bytes of no kind, {bits} bits", b"\xffjunk" + archive, "ZIP-OUTSIDE")
        yield Row(f"zip: behind bytes of no kind, {bits} bits, seen", b"\xffjunk" + archive, CALL)
    moved = zip_of(evil, prefix=bytes(128))[128:]
    assert array(moved).index(moved) == 128
    yield Row("zip: at the end of an array, whose offsets count from its start", array(moved), "FILE-POLYGLOT")
    plain = zip_of(member("a.txt", b"text"))
    yield Row("zip: at the end of an array, with a hidden member", array(plain[:-1] + b"\1"), "FILE-POLYGLOT")
    encrypted = zip_of(member("a.txt", b"text", flags=1))
    yield Row("zip: at the end of an array, encrypted", array(encrypted), "FILE-POLYGLOT")
    other = zip_of(member("a.pkl", proto(2) + b"csome_package\nClass\n."))
    yield Row("zip: at the end of an array, with an unknown class", array(other), "FILE-EMBEDDED", "unknown")
    for title, content in hosts(plain, plain):
        if title != "safetensors" and title != "a file in a tar":
            yield Row(f"zip: at the end of {title}, nothing in it", content, "FILE-EMBEDDED", "clean")


def rows():
    yield from negative_tars()
    yield from tars_and_others()
    yield from ends()
    objects = npy(EVIL)
    for offset in (0, 1, 2):  # in front of others, and behind
        storages = [member(f"archive/data/{number}", objects if number == offset else bytes(16)) for number in range(3)]
        yield Row(f"npz: storage {offset} of a checkpoint is an array of objects", torch_zip(BENIGN, *storages), CALL, file="model.pt")
