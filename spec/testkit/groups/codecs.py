# SPDX-License-Identifier: Apache-2.0
"""C: codecs. All digests hold, so the decoder is reached."""

import struct

from .. import constants as c
from .. import planes, zstdframe
from .base import one, vector
from .index import EVERYWHERE

SIZE = 1024
ZEROS = bytes(SIZE)
ITEMS = bytes(range(1, 9)) * 128

MIXED = ITEMS[:SIZE - 64] + bytes(64)

# Made once by libzstd 1.5.7, level 19, from TEXT: a compressed block with Huffman-coded literals and FSE tables.
TEXT = b"".join(b"layers.%d.attention.weight;" % (i * 7919 % 1000) for i in range(64))[:SIZE]
TEXT_FRAME = bytes.fromhex(
    "28b52ffd600003ed0300d2c71511b03b27c11dbab8a412a5d25269eb240e06eb3c72ac68a11ede3734270fa1adb9efdc3fb8353dff4570cdb1"
    "6259c5d8c0de6378efbbf8103eb3856055dd4d7e1e3d9adbd53f9f3c74928160b1f49679af80005c33b1a825a811f4f4fdcfb0590711cc1038"
    "847fea0722a6140a9e28208443b00f7ca2b3d75d05")
CHECKSUM_OF_ZEROS = bytes.fromhex("cdac85f0")  # the low half of XXH64 of ZEROS, seed 0


def chunk(name, expect, stored, reason, plain=ZEROS, spec="C-FRAME", codec=c.CODEC_ZSTD, at=None, twin="C0-zstd-ok",
          layout=c.LAYOUT_BYTES):
    ok = expect == "ok"
    return vector(name, expect, spec, reason, model=one(plain, chunks=[(codec, stored)], layout=layout), at=at
                  or ("content" if ok else "load"), twin=None if ok else twin)


def vectors():
    frame = zstdframe.frame(ZEROS)
    yield chunk("C0-zstd-ok", "ok", frame, "one frame that states its content size")
    yield from raw()
    yield from contents(frame)
    yield from extents(frame)
    yield from features()
    yield from plane_heads()
    yield from plane_contents()


def raw():
    yield vector("C1-raw-short", "malformed", "C-RAW I-RECORD", "a raw chunk shorter than its plain bytes",
                 model=one(ZEROS, chunks=[(c.CODEC_RAW, ZEROS[:-1])]), at=EVERYWHERE, twin="C1-raw-in-coded-ok")
    yield vector("C1-raw-in-coded-ok", "ok", "C-RAW", "a coded object may hold raw chunks",
                 model=one(ITEMS, chunks=[(c.CODEC_RAW, ITEMS)]), at="content")
    yield chunk("C1-zstd-over-raw", "malformed", ITEMS, "a zstd record over raw bytes", plain=ITEMS)


def contents(frame):
    """C2: frames that make something else than they and their record say."""
    header, rle = zstdframe.header, lambda n: zstdframe.block(zstdframe.RLE_BLOCK, n, b"\0")
    for name, stored, reason in [
        ("more", header(SIZE) + rle(SIZE + 1), "a frame that makes one byte more than it states"),
        ("fewer", header(SIZE) + rle(SIZE - 1), "a frame that makes one byte fewer than it states"),
        ("stated-less", header(SIZE - 1) + rle(SIZE - 1), "a frame of one byte less than the chunk"),
        ("stated-more", header(SIZE + 1) + rle(SIZE + 1), "a frame of one byte more than the chunk"),
        ("stated-small", header(1) + rle(SIZE), "a frame that states 1 byte and makes the whole chunk"),
        ("stated-huge", header(1 << 60, size_flag=3) + rle(SIZE), "a frame that states 2^60 bytes"),
        ("stated-largest", header((1 << 64) - 1, size_flag=3) + rle(SIZE), "a frame that states 2^64-1 bytes"),
        ("unstated", header(None, single_segment=False, window_log=10) + rle(SIZE), "a frame that states no size"),
        ("empty", header(0) + zstdframe.block(zstdframe.RAW_BLOCK, 0, b""), "a frame of nothing"),
    ]:
        yield chunk(f"C2-{name}", "malformed", stored, reason)


def extents(frame):
    """C3, C5: exactly one frame, of the one format."""
    skip = zstdframe.skippable()
    for name, stored, reason in [
        ("skippable-front", skip + frame, "a skippable frame in front"),
        ("skippable-behind", frame + skip, "a skippable frame behind"),
        ("skippable-alone", zstdframe.skippable(bytes(SIZE - 8)), "a skippable frame alone"),
        ("second-frame", frame + frame, "a second frame"),
        ("second-empty-frame", frame + zstdframe.frame(b""), "a second frame, of nothing"),
        ("byte-behind", frame + b"\0", "a byte behind the frame"),
        ("two-halves", zstdframe.frame(ZEROS[:SIZE // 2]) * 2, "two frames that make the chunk together"),
    ]:
        yield chunk(f"C3-{name}", "malformed", stored, reason)
    for version, magic in [("05", 0xFD2FB525), ("06", 0xFD2FB526), ("07", 0xFD2FB527)]:
        yield chunk(f"C5-zstd-{version}", "malformed",
                    struct.pack("<I", magic) + frame[4:],
                    f"the magic number of zstd 0.{version[1]}, which some builds of libzstd still decode")
    yield chunk("C5-magicless", "malformed", frame[4:], "a frame without its magic number")


def features():
    """C4: features of the frame format that the container does not have, and damage inside a frame."""
    header = zstdframe.header
    rle = zstdframe.block(zstdframe.RLE_BLOCK, SIZE, b"\0")
    mixed = zstdframe.frame(MIXED)
    for name, stored, reason in [
        ("dictionary", header(SIZE, dictionary_id=1) + rle, "a dictionary id"),
        ("window-31", header(SIZE, single_segment=False, window_log=31) + rle, "a window of 2 GiB"),
        ("window-18", header(SIZE, single_segment=False, window_log=18) + rle, "a window of 256 KiB"),
        ("reserved-bit", header(SIZE, reserved_bit=True) + rle, "the reserved bit of the frame header"),
        ("block-reserved", header(SIZE) + zstdframe.block(zstdframe.RESERVED_BLOCK, SIZE, b"\0"), "block type 3"),
        ("block-open", header(SIZE) + zstdframe.block(zstdframe.RLE_BLOCK, SIZE, b"\0", last=False), "no last block"),
        ("checksum-wrong", header(SIZE, checksum=True) + rle + bytes(4), "a wrong content checksum"),
        ("checksum-missing", header(SIZE, checksum=True) + rle, "a content checksum that is announced and missing"),
        ("huffman", header(SIZE) + compressed(huffman_without_weights()), "a Huffman table of zeros"),
        ("fse", header(SIZE) + compressed(raw_literals(b"abc") + b"\x01\x80\x0f\xff\xff\xff"),
         "an FSE table of accuracy 20"),
        ("offset-zero", header(SIZE) + compressed(raw_literals(b"") + b"\x01\x54\x00\x01\x00\x03"),
         "a match at offset 0"),
        ("offset-before", header(SIZE) + compressed(raw_literals(b"") + b"\x01\x54\x00\x04\x00\x1f"),
         "a match before the first byte"),
    ]:
        yield chunk(f"C4-{name}", "malformed", stored, reason)
    for cut in (1, 3, 4, 5, 6, 8, 9, 11, 600, len(mixed) - 1):
        yield chunk(f"C4-cut-{cut}", "malformed", mixed[:cut], f"a frame cut to {cut} bytes", plain=MIXED,
                    twin="C4-raw-block-ok")
    for cut in (12, 40, 80, len(TEXT_FRAME) - 1):
        yield chunk(f"C4-compressed-cut-{cut}", "malformed", TEXT_FRAME[:cut], f"a compressed block cut to {cut} bytes",
                    plain=TEXT, twin="C4-compressed-ok")
    yield chunk("C4-raw-block-ok", "ok", mixed, "a raw and an RLE block", plain=MIXED)
    yield chunk("C4-compressed-ok", "ok", TEXT_FRAME, "a compressed block", plain=TEXT)
    yield chunk("C4-window-17-ok", "ok",
                header(SIZE, single_segment=False, window_log=17) + rle, "128 KiB of window are always allowed")
    yield chunk("C4-checksum-ok", "ok",
                header(SIZE, checksum=True) + rle + CHECKSUM_OF_ZEROS, "a right content checksum")


def compressed(content):
    return zstdframe.block(zstdframe.COMPRESSED_BLOCK, len(content), content)


def raw_literals(literals):
    assert len(literals) < 32
    return bytes([len(literals) << 3]) + literals


def huffman_without_weights():
    tree = b"\x80\x00"
    head = 2 | 0 << 2 | SIZE - 1 << 4 | len(tree) + 1 << 14
    return struct.pack("<I", head)[:3] + tree + b"\x01" + b"\x00"


BF16 = struct.pack("<256H", *(0x3F80 + i for i in range(256)))  # two exponents, all mantissas


def planes_chunk(name, expect, stored, reason, plain=BF16, spec="C-PLANES", layout=c.LAYOUT_BF16, twin="C7-bf16-ok"):
    return chunk(f"C7-{name}", expect, stored, reason, plain=plain, spec=spec, codec=c.CODEC_PLANES, layout=layout,
                 twin=twin)


def plane_heads():
    """C7: the lengths in front of the planes."""
    exponents, mantissas = planes.split(c.LAYOUT_BF16, BF16)[0]
    first, second = planes.shorter(exponents), (planes.RAW, mantissas)
    good = planes.pack([first, second])
    yield planes_chunk("bf16-ok", "ok", good, "a compressed plane of exponents, a raw one of mantissas")
    for name, stored, reason in [
        ("count-0", planes.pack([first, second], count=0), "no planes"),
        ("count-1", planes.pack([first, second], count=1), "one plane"),
        ("count-3", planes.pack([first, second, (planes.RAW, b"")]), "three planes where there are two"),
        ("count-255", planes.pack([first, second], count=255), "255 planes"),
        ("raw-short", planes.pack([first, (planes.RAW, mantissas[:-1])]), "a raw plane that is one byte short"),
        ("raw-long", planes.pack([first, (planes.RAW, mantissas + b"x")]), "a raw plane that is one byte long"),
        ("length-largest", planes.pack([(*first, (1 << 32) - 1), second]), "a plane of 2^32-1 bytes"),
        ("length-wraps", planes.pack([(*first, (1 << 32) - len(mantissas)),
                                      second]), "lengths whose sum wraps in 32 bits"),
        ("zstd-zero", planes.pack([(planes.ZSTD, b""), second]), "a zstd plane without bytes"),
        ("byte-behind", good + b"\0", "a byte behind the planes"),
        ("byte-missing", good[:-1], "a byte missing at the end"),
        ("cut-head", good[:8], "a head that is cut"),
        ("only-count", good[:1], "nothing but the count"),
    ]:
        yield planes_chunk(name, "malformed", stored, reason)
    same = struct.pack("<H", 0x3F80) * 256
    both = [planes.shorter(plane) for plane in planes.split(c.LAYOUT_BF16, same)[0]]
    yield planes_chunk("both-zstd-ok", "ok", planes.pack(both), "two compressed planes", plain=same)
    yield planes_chunk("zstd-as-long", "malformed",
                       planes.pack([(planes.ZSTD, both[0][1] + bytes(256 - len(both[0][1]))), both[1]]),
                       "a zstd plane as long as its plain bytes", plain=same, twin="C7-both-zstd-ok")
    for method in (2, 255):
        yield planes_chunk(f"method-{method}", "unsupported", planes.pack([(method, first[1]), second]),
                           "an unknown method of a plane")
    yield planes_chunk("layout-bytes", "malformed", good, "planes of an object whose elements have none",
                       layout=c.LAYOUT_BYTES)
    yield planes_chunk("layout-f32", "malformed", good, "two planes where the layout has three", layout=c.LAYOUT_F32)


def plane_contents():
    """C7: frames inside planes, elements that are not whole, and each layout once."""
    exponents, mantissas = planes.split(c.LAYOUT_BF16, BF16)[0]
    second = (planes.RAW, mantissas)
    frame = zstdframe.frame(exponents)
    for name, stored, reason in [
        ("frame-short", zstdframe.frame(exponents[:-1]), "a plane whose frame makes one byte fewer"),
        ("frame-long", zstdframe.frame(exponents + b"\x7f"), "a plane whose frame makes one byte more"),
        ("frame-skippable", zstdframe.skippable() + frame, "a skippable frame in front of a plane"),
        ("frame-byte-behind", frame + b"\0", "a byte behind the frame of a plane"),
        ("frame-magic", struct.pack("<I", 0xFD2FB527) + frame[4:], "a frame of zstd 0.7 in a plane"),
    ]:
        yield planes_chunk(name, "malformed", planes.pack([(planes.ZSTD, stored), second]), reason,
                           spec="C-FRAME C-PLANES")
    yield planes_chunk("no-element", "malformed", b"\2" * 1, "planes of a chunk without a whole element", plain=b"x",
                       spec="C-PLANES-EMPTY")
    layouts = [("f16", c.LAYOUT_F16), ("f32", c.LAYOUT_F32), ("f64", c.LAYOUT_F64)]
    for name, layout in layouts:
        width = planes.WIDTH[layout]
        plain = b"".join(bytes([i // 64] * (width - 2) + [0, 0x3C + i // 64]) for i in range(256))
        stored = planes.encode(layout, plain)
        yield planes_chunk(f"{name}-ok", "ok", stored, f"planes of {name}", plain=plain, layout=layout)
        with_tail = plain + b"\x01" * (width - 1)
        yield planes_chunk(f"{name}-tail-ok", "ok", planes.encode(layout, with_tail), "a tail that is no whole element",
                           plain=with_tail, layout=layout)
        yield planes_chunk(f"{name}-tail-missing", "malformed", stored, "the tail is missing", plain=with_tail,
                           layout=layout, twin=f"C7-{name}-tail-ok")
