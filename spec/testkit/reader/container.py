# SPDX-License-Identifier: Apache-2.0
"""Preamble, manifest, object table, index and envelope (spec sections 1 to 5 and 9)."""

import struct
from dataclasses import dataclass
from hashlib import sha256

from blake3 import blake3

from .. import constants as c
from ..container import alignment_of, slice_head, ObjectRecord, Record
from ..model import derive
from . import encryption, malformed_unless, require
from .flat import Reader

NAME_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


@dataclass
class Preamble:
    major: int
    minor: int
    flags: int
    file_id: bytes
    manifest_offset: int
    manifest_length: int


def parse_preamble(data, limits):
    malformed_unless(len(data) >= 64 and data[:8] == c.MAGIC, "P-MAGIC")
    malformed_unless(data[48:64] == bytes(16), "P-RESERVED")
    preamble = Preamble(*struct.unpack("<HHI16sQQ", data[8:48]))
    require(preamble.major == c.MAJOR, "unsupported", "P-MAJOR")
    require(preamble.flags == 0, "unsupported", "P-FLAGS")
    malformed_unless(preamble.manifest_length >= 8, "P-LENGTH")
    require(preamble.manifest_length <= limits["manifest_bytes"], "limit", "P-LENGTH")
    malformed_unless(preamble.manifest_offset >= 64, "P-OFFSET")
    malformed_unless(preamble.manifest_offset + preamble.manifest_length <= len(data), "P-OFFSET")
    return preamble


def has_controls(text):
    return any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in text.decode("utf-8"))


def check_name(name, limits):
    require(len(name) <= limits["model_name_bytes"], "limit", "M-NAME")
    for part in name.split(b"/"):
        malformed_unless(part not in (b"", b".", b"..") and set(part) <= NAME_LETTERS, "M-NAME")


def check_metadata(entries, limits):
    require(len(entries) <= limits["metadata_entries"], "limit", "L-LIMITS")
    last, total = b"", 0
    for entry in entries:
        malformed_unless("key" in entry and "value" in entry, "M-REQUIRED")
        malformed_unless(entry["key"] > last, "M-METADATA")
        last = entry["key"]
        total += len(entry["key"]) + len(entry["value"])
    require(total <= limits["metadata_bytes"], "limit", "L-LIMITS")


def check_extensions(entries, limits):
    last = b""
    for entry in entries:
        malformed_unless("name" in entry and "critical" in entry, "M-REQUIRED")
        require(len(entry["name"]) <= limits["name_bytes"], "limit", "M-EXTENSIONS")
        malformed_unless(entry["name"] > last and not has_controls(entry["name"]), "M-EXTENSIONS")
        last = entry["name"]
    require(not any(entry["critical"] for entry in entries), "unsupported", "M-CRITICAL")


def parse_manifest(data, preamble, limits):
    bounds = {"metadata": limits["metadata_entries"], "extensions": limits["extensions"]}
    reader = Reader(data, "Manifest", b"SMM1", limits["manifest_bytes"], bounds, preamble.minor <= c.MINOR)
    m = reader.root
    for name in ("major", "minor", "flags", "suite", "file_id", "manifest_offset", "name", "version", "sequence",
                 "created", "chunk_size", "object_count", "chunk_count", "index_offset", "table_offset",
                 "table_digest"):
        malformed_unless(name in m, "M-REQUIRED")
    encryption.check_fields(m)
    for name in ("major", "minor", "flags", "file_id", "manifest_offset"):
        malformed_unless(m[name] == getattr(preamble, name), "M-COPY")
    require(m["suite"] == c.SUITE, "unsupported", "M-SUITE")
    check_name(m["name"], limits)
    require(len(m["version"]) <= limits["model_name_bytes"], "limit", "M-VERSION")
    malformed_unless(m["version"] and set(m["version"]) <= NAME_LETTERS, "M-VERSION")
    require(m["sequence"] <= limits["json_integer_max"], "limit", "M-SEQUENCE")
    malformed_unless(0 <= m["created"] <= 253402300799, "M-CREATED")
    malformed_unless(m["chunk_size"].bit_count() == 1, "M-CHUNK-SIZE")
    require(limits["chunk_bytes_min"] <= m["chunk_size"] <= limits["chunk_bytes_max"], "limit", "M-CHUNK-SIZE")
    if "encryption" in m:
        encryption.check_manifest(m["encryption"], limits)
    malformed_unless(m["object_count"] >= 1, "M-COUNTS")
    require(m["object_count"] <= limits["objects"] and m["chunk_count"] <= limits["chunks"], "limit", "L-LIMITS")
    malformed_unless(m["index_offset"] >= 64, "M-REGIONS")
    malformed_unless(m["index_offset"] + 48 * m["chunk_count"] == m["table_offset"], "M-REGIONS")
    malformed_unless(m["table_offset"] + 96 * m["object_count"] == m["manifest_offset"], "M-REGIONS")
    check_metadata(m.get("metadata", []), limits)
    check_extensions(m.get("extensions", []), limits)
    return m


def parse_objects(table, m, limits):
    require(derive(c.OBJECT_TABLE, table) == m["table_digest"], "digest_mismatch", "M-TABLE")
    objects, first, total = [], 0, 0
    for number in range(m["object_count"]):
        row = table[96 * number:96 * number + 96]
        kind, form, layout, reserved, count, start, size, offset = struct.unpack("<BBBBIQQQ", row[:32])
        malformed_unless(reserved == 0, "O-RESERVED")
        require(1 <= kind <= 3, "unsupported", "O-KIND")
        require(1 <= form <= 2, "unsupported", "O-FORM")
        require(layout <= 4, "unsupported", "O-LAYOUT")
        encryption.check_salt(row[32:64], m)
        malformed_unless((kind == c.KIND_DIRECTORY) == (number == 0), "O-DIRECTORY")
        malformed_unless(number != 0 or size > 0, "O-DIRECTORY")
        require(number != 0 or size <= limits["directory_bytes"], "limit", "L-LIMITS")
        total += size
        require(total <= limits["total_plain_bytes"], "limit", "L-LIMITS")
        malformed_unless(count == -(-size // m["chunk_size"]), "O-COUNT")
        malformed_unless(size > 0 or form == c.RAW, "O-EMPTY")
        malformed_unless(start == first, "O-FIRST")
        first += count
        objects.append(ObjectRecord(kind, form, layout, count, start, size, offset, row[64:96], row[32:64]))
    malformed_unless(first == m["chunk_count"], "M-COUNTS")
    if "encryption" in m:
        salts = [o.salt for o in objects]
        malformed_unless(len(set(salts)) == len(salts), "O-SALT", "repeated_salt")
    check_raw_offsets(objects, m)
    return objects


def check_raw_offsets(objects, m):
    """What the table alone tells about the tiling: a coded object stores at least a byte for each chunk."""
    low = high = 64
    for number in [*range(1, len(objects)), 0]:
        o = objects[number]
        if o.plain_size:
            align = alignment_of(o.form, o.plain_size, "encryption" in m)
            low, high = (-(-end // align) * align for end in (low, high))
            malformed_unless(o.offset % align == 0, "O-PADDING")
        malformed_unless(low <= o.offset <= high, "O-PADDING")
        least, most = stored_bounds(o, m)
        low, high = o.offset + least, o.offset + most
    malformed_unless(low <= m["index_offset"] <= high, "O-ORDER")


def stored_bounds(o, m):
    if "encryption" in m:
        return encryption.stored_bounds(o, m)
    return o.plain_size if o.form == c.RAW else o.chunk_count, o.plain_size


def parse_slice(data, number, o, m):
    start = m["index_offset"] + 48 * o.first_chunk
    part = data[start:start + 48 * o.chunk_count]
    digest = derive(c.INDEX_SLICE, slice_head(number, o, m["chunk_size"]) + part)
    require(digest == o.slice_digest, "digest_mismatch", "I-SLICE")
    records, end = [], o.offset
    for i in range(o.chunk_count):
        row = part[48 * i:48 * i + 48]
        offset, length, codec = struct.unpack("<QIB", row[:13])
        plain = min(m["chunk_size"], o.plain_size - i * m["chunk_size"])
        malformed_unless(row[13:16] == bytes(3), "I-RECORD")
        require(codec <= 2, "unsupported", "C-CODEC")
        malformed_unless(offset == end, "I-RECORD")
        if "encryption" in m:
            encryption.check_length(length, codec, plain, m["encryption"]["bucket"])
        else:
            malformed_unless(1 <= length <= plain and (codec != 0 or length == plain), "I-RECORD")
        malformed_unless(o.form == c.CODED or codec == 0, "O-RAW")
        end = offset + length
        malformed_unless(end <= m["index_offset"], "I-RECORD")
        records.append(Record(offset, length, codec, row[16:48]))
    return records, end


def stored_chunk(data, record):
    stored = data[record.offset:record.offset + record.length]
    require(blake3(stored).digest() == record.digest, "digest_mismatch", "I-FIRST")
    return stored


def check_tiling(objects, ends, m):
    """Compares each object's place with the end of the one before it; returns the padding between them."""
    end, padding = 64, []
    for number in [*range(1, len(objects)), 0]:
        o = objects[number]
        align = alignment_of(o.form, o.plain_size, "encryption" in m) if o.plain_size else 1
        malformed_unless(o.offset == -(-end // align) * align, "O-PADDING")
        padding.append((end, o.offset))
        end = ends[number]
    malformed_unless(end == m["index_offset"], "O-ORDER")
    return padding


@dataclass
class Envelope:
    generation: int
    manifest_digest: bytes
    items: list


def parse_envelope(frame, limits):
    malformed_unless(len(frame) >= 64 and frame[:8] == c.ENVELOPE_MAGIC, "E-FRAME")
    version, reserved, count, total, generation = struct.unpack("<HHIQQ", frame[8:32])
    require(version == 1, "unsupported", "E-VERSION")
    malformed_unless(reserved == 0, "E-FRAME")
    require(total <= limits["envelope_bytes"], "limit", "L-LIMITS")
    malformed_unless(total >= 96 and total == len(frame), "E-FRAME")
    malformed_unless(count <= (total - 96) // 8, "E-ITEMS")
    require(count <= limits["envelope_items"], "limit", "L-LIMITS")
    malformed_unless(0 < generation < (1 << 64) - 1, "E-GENERATION")
    malformed_unless(blake3(frame[:-32]).digest() == frame[-32:], "E-FRAME")
    items, position, counts = [], 64, {}
    for _ in range(count):
        malformed_unless(position + 8 <= len(frame) - 32, "E-ITEMS")
        kind, reserved, length = struct.unpack_from("<HHI", frame, position)
        malformed_unless(reserved == 0 and position + 8 + length <= len(frame) - 32, "E-ITEMS")
        items.append((kind, frame[position + 8:position + 8 + length]))
        position += 8 + length
        family = {1: "statements", 4: "statements", 2: "key_wraps", 5: "notes"}.get(kind)
        counts[family] = counts.get(family, 0) + 1
        bound = limits.get({"notes": "key_wraps"}.get(family, family))
        require(family is None or counts[family] <= bound, "limit", "L-LIMITS")
    malformed_unless(position == len(frame) - 32, "E-FRAME")
    return Envelope(generation, frame[32:64], items)


def choose_envelope(embedded, sidecar, digest, limits):
    """The frame that decides; None when there is none. A frame is held against the manifest before another frame."""

    def parse(frame):
        envelope = parse_envelope(frame, limits)
        require(envelope.manifest_digest == digest, "digest_mismatch", "E-FOREIGN")
        return envelope

    if sidecar is None:
        return parse(embedded) if embedded else None
    chosen = parse(sidecar)
    if not embedded or is_torn(embedded, sidecar):
        return chosen
    inner = parse(embedded)
    malformed_unless(chosen.generation > inner.generation or sidecar == embedded, "E-SIDECAR")
    return chosen


def is_torn(embedded, sidecar):
    if len(embedded) <= len(sidecar) and embedded != sidecar and all(a in (0, b) for a, b in zip(embedded, sidecar)):
        return True
    if embedded[:8] != c.ENVELOPE_MAGIC[:len(embedded)]:
        return False
    return len(embedded) < 24 or len(embedded) < struct.unpack_from("<Q", embedded, 16)[0]


def manifest_digest(data, preamble):
    return sha256(data[preamble.manifest_offset:preamble.manifest_offset + preamble.manifest_length]).digest()
