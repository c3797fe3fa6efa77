# SPDX-License-Identifier: Apache-2.0
"""Builds containers front to back, with a hook behind each step (spec sections 1 to 6).

A hook breaks one field; everything that is computed later (lengths, digests, offsets, signatures) is computed from the
broken value, so that the check under test is the first one that can fail.
"""

import struct
from dataclasses import dataclass, field
from hashlib import sha256

from blake3 import blake3

from . import constants as c
from . import flat, model as m, tree
from .envelope import Frame, Signer, apply


@dataclass
class Record:
    """A chunk record."""

    offset: int
    length: int
    codec: int
    digest: bytes
    reserved: bytes = bytes(3)

    def serialize(self):
        return struct.pack("<QIB", self.offset, self.length, self.codec) + self.reserved + self.digest


@dataclass
class ObjectRecord:
    kind: int
    form: int
    layout: int
    chunk_count: int
    first_chunk: int
    plain_size: int
    offset: int
    slice_digest: bytes = None
    salt: bytes = bytes(32)
    reserved: int = 0

    def serialize(self):
        return struct.pack("<BBBBIQQQ", self.kind, self.form, self.layout, self.reserved, self.chunk_count,
                           self.first_chunk, self.plain_size, self.offset) + self.salt + self.slice_digest


def alignment_of(form, plain_size, encrypted=False):
    if form == c.CODED or encrypted:
        return 64
    return 4096 if plain_size >= 1 << 20 else 256


def slice_head(number, record, chunk_size):
    return struct.pack("<IBBBBQII", number, record.kind, record.form, record.layout, 0, record.plain_size, chunk_size,
                       record.chunk_count)


def slice_digest(number, record, chunk_size, records):
    return m.derive(c.INDEX_SLICE, slice_head(number, record, chunk_size) + records)


@dataclass
class Layout:
    """The bytes of the core up to the index, and where everything lies. Lists are by object number."""

    core: bytearray
    objects: list  # ObjectRecord
    records: list  # [Record] for each object


@dataclass
class Hooks:
    """One function for each step; it changes its argument in place, or returns another value."""

    tables: object = None  # tree.Tables
    directory: object = None  # dict of the directory
    directory_slots: dict = field(default_factory=dict)  # table path: empty slots added to its vtable
    directory_buffer: object = None  # flat.Buffer
    directory_object: object = None  # model.Object of the directory
    order: list = None  # object numbers in the order in which they lie
    padding: object = None  # (object number, padding bytes) -> other bytes
    layout: object = None  # Layout
    slice_digest: object = slice_digest  # replaces the function
    index: object = None  # bytearray, after the slice digests
    table: object = None  # bytearray
    gap: bytes = b""  # between index and object table
    manifest: object = None  # dict
    manifest_slots: dict = field(default_factory=dict)
    manifest_buffer: object = None  # flat.Buffer
    manifest_bytes: object = None  # bytes
    before_manifest: bytes = b""  # between object table and manifest
    preamble: object = None  # dict
    core: object = None  # bytearray, before anything is signed
    subject: object = None  # manifest digest as the statements name it
    frame: object = None  # Frame
    envelope: object = None  # bytes
    file: object = None  # bytearray of the whole file


@dataclass
class Container:
    data: bytes  # the file
    core: bytes
    envelope: bytes
    manifest: dict
    manifest_bytes: bytes
    manifest_buffer: flat.Buffer
    directory_buffer: flat.Buffer
    layout: Layout
    index_offset: int
    table_offset: int
    frame: Frame


def lay_out(model, objects, hooks, sealing):
    """Places the objects in the order 1 ... n-1, 0, each at its alignment."""
    order = hooks.order or [*range(1, len(objects)), 0]
    core, records, offsets = bytearray(c.PREAMBLE_BYTES), {}, {}
    for number in order:
        object_ = objects[number]
        if object_.plain:
            padding = bytes(-len(core) % alignment_of(object_.form, len(object_.plain), sealing is not None))
            core += hooks.padding(number, padding) if hooks.padding else padding
        offsets[number], records[number] = len(core), []
        size = model.chunk_size
        for codec, stored in sealing.chunks(number, object_, size) if sealing else object_.stored_chunks(size):
            records[number].append(Record(len(core), len(stored), codec, blake3(stored).digest()))
            core += stored
    rows, first = [], 0
    for number, object_ in enumerate(objects):
        count = len(records[number])
        rows.append(
            ObjectRecord(object_.kind, object_.form, object_.layout, count, first, len(object_.plain), offsets[number],
                         salt=sealing.salt(number) if sealing else bytes(32)))
        first += count
    return Layout(core, rows, [records[number] for number in range(len(objects))])


PREAMBLE_FIELDS = ("magic", "major", "minor", "flags", "file_id", "manifest_offset", "manifest_length", "reserved")


def serialize_preamble(p):
    return p["magic"] + struct.pack("<HHI", p["major"], p["minor"], p["flags"]) + p["file_id"] + \
        struct.pack("<QQ", p["manifest_offset"], p["manifest_length"]) + p["reserved"]


def build(model, signers=None, sealing=None, **steps):
    """Builds, signs and returns a Container. `signers` is a list of Signer; one builder by default. With `sealing`, an
    encryption.Sealing, it is encrypted."""
    hooks = Hooks(**steps)
    tables = apply(hooks.tables, tree.flatten(model.root))
    directory = apply(hooks.directory, m.directory(model, tables))
    directory_buffer = flat.write("Directory", b"SMD1", directory, hooks.directory_slots)
    directory_buffer = apply(hooks.directory_buffer, directory_buffer)
    directory_object = m.Object(c.KIND_DIRECTORY, bytes(directory_buffer.data))
    objects = [apply(hooks.directory_object, directory_object), *model.objects]

    layout = apply(hooks.layout, lay_out(model, objects, hooks, sealing))
    core, index = layout.core, bytearray()
    index_offset = len(core)
    for number, record in enumerate(layout.objects):
        part = b"".join(r.serialize() for r in layout.records[number])
        if record.slice_digest is None:
            record.slice_digest = hooks.slice_digest(number, record, model.chunk_size, part)
        index += part
    index = apply(hooks.index, index)
    core += index + hooks.gap
    table_offset = len(core)
    table = apply(hooks.table, bytearray(b"".join(record.serialize() for record in layout.objects)))
    core += table + hooks.before_manifest

    manifest = {
        "major": c.MAJOR,
        "minor": c.MINOR,
        "flags": c.FLAGS,
        "suite": c.SUITE,
        "file_id": c.FILE_ID,
        "manifest_offset": len(core),
        "name": model.name,
        "version": model.version,
        "sequence": model.sequence,
        "created": c.CREATED,
        "chunk_size": model.chunk_size,
        "object_count": len(layout.objects),
        "chunk_count": sum(len(records) for records in layout.records),
        "index_offset": index_offset,
        "table_offset": table_offset,
        "table_digest": m.derive(c.OBJECT_TABLE, bytes(table)),
        "encryption": sealing.manifest_table() if sealing else None,
    }
    manifest = apply(hooks.manifest, manifest)
    manifest_buffer = flat.write("Manifest", b"SMM1", manifest, hooks.manifest_slots)
    manifest_buffer = apply(hooks.manifest_buffer, manifest_buffer)
    manifest_bytes = apply(hooks.manifest_bytes, bytes(manifest_buffer.data))
    stated = {
        **{
            "major": 1,
            "minor": 0,
            "flags": 0,
            "file_id": c.FILE_ID,
            "manifest_offset": len(core),
            "name": "-",
            "version": "-",
            "sequence": 0
        },
        **{
            k: v
            for k, v in manifest.items() if v is not None
        }
    }
    preamble = {
        "magic": c.MAGIC,
        "major": stated["major"],
        "minor": stated["minor"],
        "flags": stated["flags"],
        "file_id": stated["file_id"],
        "manifest_offset": len(core),
        "manifest_length": len(manifest_bytes),
        "reserved": bytes(16)
    }
    core[:c.PREAMBLE_BYTES] = serialize_preamble(apply(hooks.preamble, preamble))
    core += manifest_bytes
    core = apply(hooks.core, core)

    digest = sha256(manifest_bytes).digest()
    subject = apply(hooks.subject, digest)
    signers = [Signer()] if signers is None else signers
    items = [(s.item_kind(), s.make(stated, subject)) for s in signers] + (sealing.items if sealing else [])
    frame = Frame(digest, items)
    frame = apply(hooks.frame, frame)
    envelope = apply(hooks.envelope, frame.serialize() if frame is not None else b"")
    data = apply(hooks.file, bytearray(core + envelope))
    return Container(bytes(data), bytes(core), envelope, manifest, manifest_bytes, manifest_buffer, directory_buffer,
                     layout, index_offset, table_offset, frame)
