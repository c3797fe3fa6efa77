# SPDX-License-Identifier: Apache-2.0
"""P: preamble and framing."""

from .. import constants as c
from .. import zstdframe
from ..container import build
from ..vector import Vector
from .base import file, place, setting, storage, tiny, vector


def vectors():
    yield vector("P0-ok", "ok", "P-MAGIC P-RESERVED P-MAJOR P-FLAGS P-LENGTH P-OFFSET F-TILES M-COPY",
                 "the container that the rejections of this group change", at="content")
    yield from magic()
    yield from numbers()
    yield from copies()
    yield from manifest_place()
    yield from tiling()


def magic():
    for name, code, value, reason in [
        ("P1-magic", "bad_magic", "88534d444c0d0a1a", "another first byte"),
        ("P1-magic-last", "bad_magic", "89534d444c0d0a1b", "another last byte"),
        ("P1-crlf-to-lf", "transfer_damage", "89534d444c0a1a00", "a text transfer dropped the CR"),
        ("P1-lf-to-crlf", "transfer_damage", "89534d444c0d0d0a", "a text transfer wrote CR LF for LF"),
        ("P1-high-bit", "transfer_damage", "09534d444c0d0a1a", "a 7-bit transfer cleared the high bit"),
    ]:
        yield vector(name, "malformed", "P-MAGIC", reason, code=code, twin="P0-ok",
                     preamble=setting(magic=bytes.fromhex(value)))
    yield vector("P1-no-line-end", "malformed", "P-MAGIC", "neither CR nor LF is left", code="bad_magic", twin="P0-ok",
                 preamble=setting(magic=bytes.fromhex("89534d444c1a0000")))
    whole = build(tiny()).data
    for length in (0, 8, 63):
        yield Vector(name=f"P1-length-{length}", reason=f"a file of {length} bytes", spec=["P-SHORT"],
                     container=whole[:length], expect="malformed", code=None if length else "bad_magic", twin="P0-ok")
    for position in (0, 15):
        reserved = bytearray(16)
        reserved[position] = 1
        yield vector(f"P1-reserved-{position}", "malformed", "P-RESERVED", f"reserved byte {position} is not zero",
                     twin="P0-ok", preamble=setting(reserved=bytes(reserved)))


def numbers():
    for major in (0, 2, 65535):
        yield vector(f"P2-major-{major}", "unsupported", "P-MAJOR", f"major {major} in both copies", twin="P0-ok",
                     manifest=setting(major=major))
    for bit in (0, 31):
        yield vector(f"P2-flag-{bit}", "unsupported", "P-FLAGS", f"unknown flag bit {bit} in both copies", twin="P0-ok",
                     manifest=setting(flags=1 << bit))
    for minor in (1, 65535):
        yield vector(f"P2-newer-minor-{minor}-ok", "ok", "P-MINOR", "a newer minor without critical extensions is read",
                     at="content", manifest=setting(minor=minor))


def copies():
    other_id = bytes(range(16))
    for name, change in [("minor", {"minor": 1}), ("file-id", {"file_id": other_id})]:
        yield vector(f"P3-{name}", "malformed", "M-COPY", f"the preamble's {name} is not the manifest's", twin="P0-ok",
                     preamble=setting(**change))
    yield vector("P3-major", "malformed", "M-COPY", "the manifest's major is not the preamble's", twin="P0-ok",
                 manifest=setting(major=2), preamble=setting(major=1))
    yield vector("P3-flags", "malformed", "M-COPY", "the manifest's flags are not the preamble's", twin="P0-ok",
                 manifest=setting(flags=1), preamble=setting(flags=0))
    yield vector("P3-offset", "malformed", "M-COPY", "the manifest's offset is not the preamble's", twin="P0-ok",
                 manifest=lambda m: m.update(manifest_offset=m["manifest_offset"] + 8))


def manifest_place():
    size = len(build(tiny()).data)
    for name, offset, reason in [
        ("zero", 0, "the manifest would lie on the preamble"),
        ("in-preamble", 63, "the manifest would begin in the last byte of the preamble"),
        ("file-end", size, "the manifest would begin at the end of the file"),
        ("beyond", size + 1, "the manifest would begin behind the end of the file"),
        ("2-63", 1 << 63, "2^63 is no place in a file"),
        ("2-64", (1 << 64) - 1, "offset + length wraps"),
    ]:
        yield vector(f"P4-offset-{name}", "malformed", "P-OFFSET", reason, twin="P0-ok",
                     preamble=setting(manifest_offset=offset))
    yield vector("P4-offset-wraps", "malformed", "P-OFFSET", "offset + length is the true end modulo 2^64",
                 twin="P0-ok", preamble=lambda p: p.update(manifest_offset=(1 << 64) - p["manifest_length"] + 64))
    for length in (0, 1, 7):
        yield vector(f"P5-length-{length}", "malformed", "P-LENGTH", "no FlatBuffers buffer is that short",
                     twin="P0-ok", preamble=setting(manifest_length=length))
    for name, length in [("limit", (1 << 20) + 1), ("2-31-1", (1 << 31) - 1), ("2-31", 1 << 31),
                         ("2-64", (1 << 64) - 1)]:
        yield vector(f"P5-length-{name}", "limit", "P-LENGTH", "over the limit on manifests, which is asked first",
                     twin="P0-ok", preamble=setting(manifest_length=length))


def coded_tiny():
    """As tiny, with both objects coded: alignment 64 instead of 256."""
    weights, config = bytes(64), b" " * 64
    model = tiny()
    model.objects = [
        storage(weights, form=c.CODED, chunks=[(c.CODEC_ZSTD, zstdframe.frame(weights))]),
        file(config, form=c.CODED, chunks=[(c.CODEC_ZSTD, zstdframe.frame(config))])
    ]
    return model


def tiling():
    yield vector("P9-coded-ok", "ok", "F-TILES O-PADDING", "coded objects are aligned to 64 bytes", model=coded_tiny(),
                 at="content")
    yield vector("P9-padding-nonzero", "malformed", "O-PADDING", "a padding byte is not zero", at="verify",
                 twin="P0-ok", padding=lambda number, pad: pad[:-1] + b"\1" if number == 2 else pad)
    yield vector("P9-padding-nonzero-first", "malformed", "O-PADDING", "the first padding byte is not zero",
                 at="verify", twin="P0-ok", padding=lambda number, pad: b"\1" + pad[1:] if number == 1 else pad)
    yield vector("P9-padding-long", "malformed", "O-PADDING", "padding as long as the alignment", twin="P0-ok",
                 padding=lambda number, pad: pad + bytes(256) if number == 2 else pad)
    yield vector("P9-raw-unaligned", "malformed", "O-PADDING", "a raw object off its 256", twin="P0-ok",
                 padding=lambda number, pad: pad[:-64] if number == 2 else pad)
    yield vector("P9-coded-unaligned", "malformed", "O-PADDING", "a coded object off its 64", twin="P9-coded-ok",
                 model=coded_tiny(), padding=lambda number, pad: pad[:-8] if number == 2 else pad)
    yield vector("P9-coded-overaligned", "malformed", "O-PADDING", "a coded object at 256 where 64 was next",
                 twin="P9-coded-ok", model=coded_tiny(), padding=lambda number, pad: pad + bytes(128)
                 if number == 2 else pad)
    yield vector("P9-directory-padding", "malformed", "O-PADDING", "padding before the directory is too long",
                 twin="P0-ok", padding=lambda number, pad: pad + bytes(256) if number == 0 else pad)

    yield vector("P10-chunk-on-chunk", "malformed", "F-TILES", "object 2 lies on object 1", twin="P0-ok",
                 layout=place(2, lambda layout: layout.objects[1].offset))
    yield vector("P10-chunk-on-preamble", "malformed", "F-TILES", "object 1 lies on the preamble", twin="P0-ok",
                 layout=place(1, 0))
    yield vector("P10-chunk-on-index", "malformed", "F-TILES", "the directory reaches one byte into the index",
                 twin="P0-ok", layout=lambda layout: setattr(layout, "core", layout.core[:-1]))
    yield vector("P10-gap-before-index", "malformed", "F-TILES", "a gap between the directory and the index",
                 twin="P0-ok", layout=lambda layout: setattr(layout, "core", layout.core + bytes(4)))
    yield vector("P10-gap-before-table", "malformed", "M-REGIONS", "a gap between the index and the object table",
                 twin="P0-ok", gap=bytes(4))
    yield vector("P10-gap-before-manifest", "malformed", "M-REGIONS", "a gap between the table and the manifest",
                 twin="P0-ok", before_manifest=bytes(4))
    yield vector("P10-index-on-table", "malformed", "M-REGIONS", "the index ends inside the object table", twin="P0-ok",
                 manifest=lambda m: m.update(index_offset=m["index_offset"] + 48))
    yield vector("P10-table-on-manifest", "malformed", "M-REGIONS", "the object table ends inside the manifest",
                 twin="P0-ok",
                 manifest=lambda m: m.update(index_offset=m["index_offset"] + 96, table_offset=m["table_offset"] + 96))
    yield vector("P10-index-behind-manifest", "malformed", "M-REGIONS", "the index lies behind the manifest",
                 twin="P0-ok", manifest=lambda m: m.update(index_offset=m["manifest_offset"] + 1024))
    yield vector("P10-table-behind-manifest", "malformed", "M-REGIONS", "the object table lies behind the manifest",
                 twin="P0-ok", manifest=lambda m: m.update(table_offset=m["manifest_offset"] + 1024))
    yield vector(
        "P10-index-offset-wraps", "malformed", "M-REGIONS", "index offset + 48 × chunks wraps to the table",
        twin="P0-ok", manifest=lambda m: m.update(index_offset=(m["table_offset"] - 48 * 1000) %
                                                  (1 << 64), chunk_count=1000))
    yield vector("P10-order-swapped", "malformed", "O-ORDER", "object 2 lies before object 1", twin="P0-ok",
                 order=[2, 1, 0])
    yield vector("P10-order-directory-first", "malformed", "O-ORDER", "the directory lies before its objects",
                 twin="P0-ok", order=[0, 1, 2])
    made = build(tiny())
    core, envelope = made.core, made.envelope
    for name, data, reason in [
        ("P7-byte-behind-core", core + b"\0" + envelope, "a byte between the core and the envelope"),
        ("P7-byte-in-front", b"\0" + core + envelope, "a byte in front: nobody searches for the magic"),
        ("P7-byte-behind-envelope", core + envelope + b"\0", "a byte behind the envelope"),
    ]:
        spec = "P-MAGIC" if name == "P7-byte-in-front" else "E-FRAME"
        yield Vector(name=name, reason=reason, spec=[spec], container=data, expect="malformed", twin="P0-ok")
