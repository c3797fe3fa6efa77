# SPDX-License-Identifier: Apache-2.0
"""Zstandard frames (RFC 8878) made by hand, so that no version of a compressor decides what a vector holds."""

import struct

MAGIC = bytes.fromhex("28b52ffd")
RAW_BLOCK, RLE_BLOCK, COMPRESSED_BLOCK, RESERVED_BLOCK = range(4)
MAX_BLOCK = 128 * 1024


def block(kind, size, content, last=True):
    return struct.pack("<I", size << 3 | kind << 1 | int(last))[:3] + content


def header(content_size, single_segment=True, window_log=None, dictionary_id=None, checksum=False, reserved_bit=False,
           size_flag=None):
    """A frame header. Without `content_size` the frame does not state it (then a window is needed)."""
    if size_flag is None:
        size_flag = 0 if content_size is None or (single_segment and content_size < 256) else 2
    descriptor = size_flag << 6 | int(single_segment) << 5 | int(reserved_bit) << 3 | int(checksum) << 2
    descriptor |= 1 if dictionary_id is not None else 0
    out = bytes([descriptor])
    if not single_segment:
        out += bytes([(window_log - 10) << 3])
    if dictionary_id is not None:
        out += bytes([dictionary_id])
    if content_size is not None:
        out += {
            0: lambda: bytes([content_size]),
            1: lambda: struct.pack("<H", content_size - 256),
            2: lambda: struct.pack("<I", content_size),
            3: lambda: struct.pack("<Q", content_size)
        }[size_flag]()
    return MAGIC + out


def runs(data):
    """Splits data into runs of one byte."""
    start = 0
    for i in range(1, len(data) + 1):
        if i == len(data) or data[i] != data[start]:
            yield data[start], i - start
            start = i


def blocks_of(data):
    """RLE blocks for runs of 8 and more bytes, raw blocks for all else."""
    parts, raw = [], b""
    for value, count in runs(data):
        if count < 8:
            raw += bytes([value]) * count
            continue
        if raw:
            parts.append((RAW_BLOCK, len(raw), raw))
            raw = b""
        parts.append((RLE_BLOCK, count, bytes([value])))
    if raw or not parts:
        parts.append((RAW_BLOCK, len(raw), raw))
    assert all(size <= MAX_BLOCK for _, size, _ in parts)
    return b"".join(
        block(kind, size, content, last=i == len(parts) - 1) for i, (kind, size, content) in enumerate(parts))


def frame(data, **options):
    """One frame that decodes to `data`."""
    content_size = options.pop("content_size", len(data))
    return header(content_size, **options) + blocks_of(data)


def skippable(content=b"skip", magic=0x184D2A50):
    return struct.pack("<II", magic, len(content)) + content
