# SPDX-License-Identifier: Apache-2.0
"""What archives and wrappers can hide from a scanner. Zip archives are checkpoints of PyTorch unless a row says otherwise."""

import bz2
import gzip
import itertools
import lzma
import struct
import zlib

from assemble import BENIGN, EVIL, EVIL0, Row, blob, changed, member, proto, tar_header, tar_member, tar_of, text, torch_zip, zip_of

CALL = "CALL-UNLISTED"
MODEL = "model.pt"


def raw_evil():
    """A checkpoint whose pickle is the payload."""
    return member("archive/data.pkl", EVIL)


def flags_and_fields():
    evil, deflated = raw_evil(), member("archive/data.pkl", EVIL, method=8)
    for flag in (0x1, 0x20, 0x40, 0x2000):
        yield f"flag {flag:#x} in the local header", changed(evil, local={"flags": flag}), "ZIP-FLAGS"
    for flag, rule in ((0x1, "FILE-ENCRYPTED"), (0x20, "ZIP-FLAGS"), (0x40, "ZIP-FLAGS"), (0x2000, "ZIP-FLAGS")):
        yield f"flag {flag:#x} in both headers", changed(evil, flags=flag), rule
        yield f"flag {flag:#x} in the directory", changed(evil, central={"flags": flag}), "ZIP-FLAGS"
    yield "a wrong CRC", changed(evil, local={"crc": 1}, central={"crc": 1}), "ZIP-CRC"
    yield "a wrong CRC in one header", changed(evil, local={"crc": 1}), "ZIP-CRC"
    yield "CRC 0", changed(evil, local={"crc": 0}, central={"crc": 0}), CALL
    yield "another local name", changed(evil, local={"name": b"archive/data.txt"}), "ZIP-NAME-MISMATCH"
    yield "a second name in an extra field", changed(evil, extra=struct.pack("<HHBI", 0x7075, 9, 1, 0) + b"evil"), "ZIP-NAME-MISMATCH"
    yield "version 99", changed(evil, version=99), "ZIP-VERSION"
    yield "version 99 in the directory", changed(evil, central={"version": 99}), "ZIP-VERSION"
    yield "method 8 in the local header", changed(evil, local={"method": 8}), "ZIP-METHOD-MISMATCH"
    yield "method 0 in the local header", changed(deflated, local={"method": 0}), "ZIP-METHOD-MISMATCH"
    yield "an unknown method in the directory", changed(evil, central={"method": 97}), "ZIP-METHOD-MISMATCH"
    yield "stored, size above the stored size", changed(evil, local={"size": 400}, central={"size": 400}), "ZIP-SIZES"
    yield "another local size", changed(evil, local={"size": 1}), "ZIP-SIZES"
    yield "the directory attribute", changed(evil, attributes=0x10), "ZIP-ATTR"
    yield "a member on another disk", changed(evil, central={"disk": 1}), "ZIP-END"
    yield "padding that holds data", changed(evil, extra=struct.pack("<HH", 0x4246, 4) + b"ZZxZ"), "ZIP-OUTSIDE"
    for title, name in (("a NUL", b"archive/data.pkl\0.txt"), ("..", b"archive/../data.pkl"), ("an absolute path", b"/archive/data.pkl"),
                        ("a drive", b"C:/data.pkl"), ("a backslash", b"archive\\data.pkl"), ("a control character", b"archive/\x1bdata.pkl")):
        yield f"a name with {title}", changed(evil, name=name), "ZIP-NAME"


def unknown_methods():
    """Nothing in them can be read; everything about them is refused."""
    for method in (9, 12, 14, 93, 97):
        content = zip_of(member("archive/data.pkl", EVIL, method=method), member("archive/version", b"3\n"))
        yield Row(f"zip: method {method}", content, "FILE-UNSUPPORTED", "unreadable", MODEL)


def duplicates():
    """Equal names, 2 to 9 times, the payload at each end, and names that differ in case."""
    for count, last, cased in itertools.product(range(2, 10), (False, True), (False, True)):
        copies = [member("archive/data.pkl", BENIGN) for _ in range(count)]
        if cased:
            copies = [changed(copy, name=b"archive/DATA.pkl" if i % 2 else copy.name) for i, copy in enumerate(copies)]
        at = -1 if last else 0
        copies[at] = changed(copies[at], content=EVIL)
        content = zip_of(*copies, member("archive/version", b"3\n"), member("archive/byteorder", b"little"))
        title = f"zip: {count} data.pkl, {'the last' if last else 'the first'} evil{', in two cases' if cased else ''}"
        yield Row(title, content, "ZIP-DUPLICATE", file=MODEL)
        yield Row(title + ", seen", content, CALL, file=MODEL)


def zip_structure():
    evil, good = torch_zip(EVIL), torch_zip(BENIGN)
    pair = [member("archive/data.pkl", BENIGN), member("archive/version", b"3\n")]
    yield "DATA.PKL", zip_of(member("archive/DATA.PKL", EVIL0), pair[1]), "ZIP-CASE"
    yield "DATA.PKL, seen", zip_of(member("archive/DATA.PKL", EVIL0), pair[1]), CALL
    yield "evil and good joined", evil + good, "ZIP-OUTSIDE"
    yield "evil and good joined, seen", evil + good, CALL
    yield "good and evil joined", good + evil, CALL
    yield "an archive in the comment", zip_of(*pair, comment=evil), "ZIP-OUTSIDE"
    yield "bytes behind the end", good + b"x" * 50, "ZIP-OUTSIDE"
    yield "a wrong length of the comment", zip_of(*pair, end={"comment": 5}), "ZIP-OUTSIDE"
    yield "a pickle in a gap", zip_of(*pair, before_directory=EVIL), "ZIP-OUTSIDE"
    hidden = zip_of(member("archive/data.pkl", EVIL))
    yield "a member that no record names", zip_of(pair[0], changed(pair[1], gap=hidden[:hidden.index(b"PK\1\2")])), "ZIP-OUTSIDE"
    yield "a member that no record names, seen", zip_of(pair[0], changed(pair[1], gap=hidden[:hidden.index(b"PK\1\2")])), CALL
    yield "the end counts too few", zip_of(*pair, end={"here": 1, "entries": 1}), "ZIP-END"
    yield "the end counts too many", zip_of(*pair, end={"here": 3, "entries": 3}), "ZIP-END"
    yield "two disks", zip_of(*pair, end={"disk": 1}), "ZIP-END"
    yield "two records of one member", zip_of(pair[0], changed(member("archive/other", BENIGN), central={"offset": 0})), "ZIP-NAME-MISMATCH"
    inner = b"PK\3\4" + zip_of(member("x", EVIL))[4:]
    yield "a member around another", zip_of(changed(pair[0], content=inner), changed(member("x", EVIL), central={"offset": 46})), "ZIP-OVERLAP"
    for title, layer in (("stored", 0), ("deflated", 8)):
        yield f"a zip in a zip, {title}", zip_of(member("a/inner.dat", zip_of(member("a/x", EVIL, method=layer)), method=layer)), CALL
        yield f"a pickle without suffix or magic, {title}", zip_of(member("weights", EVIL0, method=layer)), CALL
        yield f"a pickle in weights.txt beside a checkpoint, {title}", torch_zip(BENIGN, member("archive/weights.txt", EVIL0, method=layer)), CALL
        yield f"a pickle as a storage, {title}", torch_zip(BENIGN, member("archive/data/0", EVIL, method=layer)), CALL
    yield "a long text, then a call, as a storage", torch_zip(BENIGN, member("archive/data/0", proto(2) + text("x" * 9000) + b"0" + EVIL[2:])), CALL
    yield "a checkpoint in bytes of a checkpoint", torch_zip(proto(3) + blob(evil) + b"."), CALL
    yield "a deep checkpoint in a checkpoint", zip_of(member("a/b", zip_of(member("c/d", evil)))), CALL


def roots():
    yield Row("zip: a second root", torch_zip(BENIGN, member("other/data/1", b"x")), "ZIP-ROOT", "unreadable", MODEL)
    yield Row("zip: a payload beside a record without folder", torch_zip(EVIL, member("extra", b"x")), CALL, file=MODEL)
    yield Row("zip: a record without folder", torch_zip(BENIGN, member("extra", b"x")), "ZIP-ROOT", "unreadable", MODEL)
    yield Row("zip: a payload under a second root", torch_zip(BENIGN, member("other/data.pkl", EVIL)), CALL, file=MODEL)
    yield Row("zip: no version", zip_of(member("archive/data.pkl", BENIGN), member("archive/data/0", b"")), "FILE-MISSING", "unreadable", MODEL)


def prefixed():
    """Python's zipfile finds an archive behind anything."""
    members = [member("archive/data.pkl", EVIL), member("archive/version", b"3\n")]
    packed = [changed(entry, method=8) for entry in members]
    for title, entries in (("stored", members), ("deflated", packed)):
        for adjusted in (False, True):
            content = zip_of(*entries, prefix=b"\x00" * 64, adjusted=adjusted)
            yield Row(f"zip: behind zeros, {title}, {'adjusted' if adjusted else 'raw'} offsets", content, "ZIP-OUTSIDE", file=MODEL)
        for file in ("model.pkl", "model.bin"):
            yield Row(f"zip: evil behind a good pickle, {title}, {file}", zip_of(*entries, prefix=BENIGN), "FILE-POLYGLOT", file=file)
            yield Row(f"zip: behind a good pickle, {title}, {file}, seen", zip_of(*entries, prefix=BENIGN), CALL, file=file)
    yield Row("zip: good behind an evil pickle", torch_zip(BENIGN, prefix=EVIL), CALL, file="model.bin")
    yield Row("zip: good behind a good pickle", torch_zip(BENIGN, prefix=BENIGN), "FILE-POLYGLOT", file="model.bin")


def tars():
    good = {"sys_info": BENIGN, "pickle": BENIGN, "storages": BENIGN, "tensors": BENIGN}
    for evil in good:
        content = tar_of(*(tar_member(path, EVIL if path == evil else value) for path, value in good.items()))
        yield Row(f"tar: the payload in {evil}", content, CALL, file="model.tar")
        yield Row(f"tar.gz: the payload in {evil}", gzip.compress(content, mtime=0), CALL, file="model.tar.gz")
    yield Row("tar: the payload in any member", tar_of(tar_member("notes.txt", EVIL0)), CALL, file="model.pt")
    yield Row("tar: equal names", tar_of(tar_member("pickle", BENIGN), tar_member("pickle", EVIL)), "TAR-DUPLICATE", file="model.pt")
    yield Row("tar: a link", tar_of(tar_header(b"a", 0, b"2", b"/etc/passwd"), tar_member("b", b"x")), "TAR-NAME", file="model.pt")
    yield Row("tar: ..", tar_of(tar_member("../a", b"x")), "TAR-NAME", file="model.pt")
    yield Row("tar: an absolute name", tar_of(tar_member("/a", b"x")), "TAR-NAME", file="model.pt")
    yield Row("tar: data behind the end", tar_of(tar_member("a", b"x"), tail=EVIL), "TAR-OUTSIDE", file="model.pt")
    yield Row("tar: sparse", tar_of(tar_header(b"a", 0, b"S")), "TAR-SPARSE", "unreadable", "model.pt")
    yield Row("tar: not ustar", tar_of(tar_header(b"a", len(EVIL), magic=b"") + EVIL.ljust(512, b"\0")), CALL, file="model.pt")


def lz4_frame(content):
    """One stored block; the header checksum is the second byte of xxHash32 over the two descriptor bytes 60 40."""
    return b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", len(content) | 1 << 31) + content + b"\0\0\0\0"


def zfile(content):
    return b"ZF" + f"{len(content):#x}".ljust(19).encode() + zlib.compress(content)


def lzma_with(content, **parameters):
    return lzma.compress(content, format=lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, **parameters}])


def lzip(content):
    data = lzma.compress(content, format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}])
    return b"LZIP\1\x10" + data + struct.pack("<IQQ", zlib.crc32(content), len(content), len(data) + 26)


def skipped(content=b"abcd"):
    """A frame that readers of LZ4 and zstd pass over."""
    return struct.pack("<II", 0x184D2A53, len(content)) + content


WRAPPERS = {"zlib": zlib.compress, "gzip": lambda content: gzip.compress(content, mtime=0), "bz2": bz2.compress, "xz": lzma.compress,
            "lzma": lambda content: lzma.compress(content, format=lzma.FORMAT_ALONE), "lz4": lz4_frame, "Z-file": zfile,
            "lzma, pb 0": lambda content: lzma_with(content, pb=0, dict_size=1 << 16), "lzma, lc 0": lambda content: lzma_with(content, lc=0, lp=2),
            "lzma, 1.5 times 4 KiB": lambda content: lzma_with(content, dict_size=6144),
            "lzma, 1 GiB": lambda content: lzma_with(content, lc=1, dict_size=1 << 13)[:1] + struct.pack("<I", 1 << 30) +
            lzma_with(content, lc=1, dict_size=1 << 13)[5:],
            "lzip": lzip, "lz4 behind a skipped frame": lambda content: skipped() + skipped(b"") + lz4_frame(content)}


def wrapped():
    for kind, wrap in WRAPPERS.items():
        yield Row(f"{kind} around a pickle", wrap(EVIL), CALL, file="model.joblib")
        yield Row(f"{kind} around a pickle of protocol 0", wrap(EVIL0), CALL, file="model.pkl." + kind[:2])
        yield Row(f"{kind} around a checkpoint", wrap(torch_zip(EVIL)), CALL, file="model.pt")
        yield Row(f"{kind} in a zip", zip_of(member("a/model.joblib", wrap(EVIL), method=8)), CALL, file="model.zip")
    yield Row("zstd behind a skipped frame", skipped() + b"\x28\xb5\x2f\xfd" + EVIL, "FILE-UNSUPPORTED", "unreadable")
    yield Row("half a payload in lzip", lzip(EVIL)[:-12], CALL)
    yield Row("gzip in gzip in xz", lzma.compress(gzip.compress(gzip.compress(EVIL))), CALL)
    yield Row("two members of gzip", gzip.compress(EVIL[:9]) + gzip.compress(EVIL[9:]), CALL)
    yield Row("a second gzip holds the payload", gzip.compress(BENIGN) + gzip.compress(EVIL), CALL)
    yield Row("gzip with a wrong checksum", gzip.compress(EVIL)[:-8] + b"\0" * 8, CALL)
    yield Row("gzip with a wrong checksum, told", gzip.compress(BENIGN)[:-8] + b"\1" * 8, "WRAP-CRC", "unreadable")
    yield Row("gzip cut off behind the payload", gzip.compress(EVIL + b"N" * 5000)[:-12], CALL)
    yield Row("a pickle behind zlib", zlib.compress(BENIGN) + EVIL, CALL)
    yield Row("a pickle behind xz", lzma.compress(BENIGN) + EVIL, CALL)


def headless():
    """Archives without a directory: a member is what its data inflate to, whatever its header says."""
    for size in (0, 1, 10**6):
        entry = member("archive/data.pkl", EVIL, method=8, local={"size": size})
        yield Row(f"zip: no end record, deflated, local size {size}", zip_of(entry, member("archive/version", b"3\n"))[:-22], CALL, file=MODEL)


def many_streams():
    """Each member is within the limit of streams; all of them together are not."""
    members = [member(f"a{i}", b"N." * 40_000, method=8) for i in range(3)]
    yield Row("zip: streams without end", zip_of(*members), "LIMIT-COUNT", "unreadable", "a.zip")
    yield Row("zip: streams without end, and a payload", zip_of(*members, member("b", EVIL)), CALL, file="a.zip")


def rows():
    for title, entry, rule in flags_and_fields():
        content = zip_of(entry, member("archive/version", b"3\n"))
        yield Row(f"zip: {title}", content, rule, file=MODEL)
        if rule != CALL:
            yield Row(f"zip: {title}, seen", content, CALL, file=MODEL)
    for title, content, rule in zip_structure():
        yield Row(f"zip: {title}", content, rule, file=MODEL)
    for family in (unknown_methods, duplicates, headless, roots, prefixed, tars, wrapped, many_streams):
        yield from family()
