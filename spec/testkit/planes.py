# SPDX-License-Identifier: Apache-2.0
"""Codec 2: elements split by bit field into planes (spec section 4)."""

import struct

from . import constants as c
from . import zstdframe

RAW, ZSTD = 0, 1
WIDTH = {c.LAYOUT_F16: 2, c.LAYOUT_BF16: 2, c.LAYOUT_F32: 4, c.LAYOUT_F64: 8}


def split(layout, plain):
    """The planes, and the tail that is no whole element."""
    width = WIDTH[layout]
    count = len(plain) // width
    elements = [plain[i * width:(i + 1) * width] for i in range(count)]
    tail = plain[count * width:]
    if layout == c.LAYOUT_F16:
        return [bytes(e[1] for e in elements), bytes(e[0] for e in elements)], tail
    tops = [struct.unpack("<H", e[-2:])[0] for e in elements]
    planes = [bytes(top >> 7 & 0xFF for top in tops), bytes((top >> 15) << 7 | top & 0x7F for top in tops)]
    if width > 2:
        planes.append(b"".join(e[:-2] for e in elements))
    return planes, tail


def pack(parts, tail=b"", count=None):
    """A chunk from (method, stored bytes[, stated length]) for each plane."""
    out = bytes([len(parts) if count is None else count])
    for method, stored, *length in parts:
        out += struct.pack("<BI", method, length[0] if length else len(stored))
    return out + b"".join(part[1] for part in parts) + tail


def shorter(plane):
    """(method, stored): a zstd frame if that is shorter."""
    frame = zstdframe.frame(plane)
    return (ZSTD, frame) if len(frame) < len(plane) else (RAW, plane)


def encode(layout, plain):
    parts, tail = split(layout, plain)
    return pack([shorter(plane) for plane in parts], tail)
