# SPDX-License-Identifier: Apache-2.0
"""I: the index, its slices, and the digests of chunks."""

import struct

from blake3 import blake3

from .. import constants as c
from .. import tree, zstdframe
from ..container import Record, build, slice_head
from ..model import Model, Tensor, derive
from .base import one, storage, vector

EVERYWHERE = "verify load"


def filled(*values):
    """Coded chunks, each of chunk-size bytes of one value: small when stored, and all of equal stored length."""
    plain = b"".join(bytes([value]) * c.CHUNK_SIZE for value in values)
    chunks = [(c.CODEC_ZSTD, zstdframe.frame(bytes([value]) * c.CHUNK_SIZE)) for value in values]
    return plain, chunks


def coded(*values):
    plain, chunks = filled(*values)
    return one(plain, chunks=chunks)


def pair():
    """Two storages of equal geometry: objects 1 and 2."""
    objects = []
    for values in ((1, 2), (3, 4)):
        plain, chunks = filled(*values)
        objects.append(storage(plain, form=c.CODED, chunks=chunks))
    tensors = [Tensor("a", "u8", [2 * c.CHUNK_SIZE], 0), Tensor("b", "u8", [2 * c.CHUNK_SIZE], 1)]
    return Model(objects=objects, storages=[1, 2], tensors=tensors, root=tree.of({
        "a": tree.tensor(0),
        "b": tree.tensor(1)
    }))


def vectors():
    yield vector("I0-ok", "ok", "I-SLICE I-RECORD I-FIRST O-ORDER", "two coded objects of two chunks each",
                 model=pair(), at="content")
    yield from flips()
    yield from exchanges()
    yield from slice_digests()
    yield from records()
    yield from ownership()
    yield from counts()


def swap(data, first, second, length):
    data[first:first + length], data[second:second + length] = \
        data[second:second + length], data[first:first + length]


def flips():
    """I1, raw edits: what was signed is not what lies there."""
    made = build(pair())
    chunk, record = made.layout.records[1][0].offset, made.index_offset + 48
    for name, position, at, reason in [
        ("chunk", chunk + 5, EVERYWHERE, "a bit of a stored chunk"),
        ("slice", record + 48, EVERYWHERE, "a bit of a chunk record"),
        ("record-digest", record + 16, EVERYWHERE, "a bit of the digest in a chunk record"),
        ("directory-chunk", made.layout.records[0][0].offset + 60, "open", "a bit of the directory"),
        ("directory-slice", made.index_offset + 20, "open", "a bit of the directory's chunk record"),
        ("table", made.table_offset + 96 + 16, "open", "a bit of the object table"),
    ]:
        yield vector(f"I1-{name}", "digest_mismatch", "I-FIRST", reason + " was changed after signing", model=pair(),
                     at=at, twin="I0-ok", file=lambda data, p=position: data.__setitem__(p, data[p] ^ 1))
    yield vector("M1-manifest", "digest_mismatch", "E-FOREIGN", "a bit of the manifest was changed after signing",
                 twin="I0-ok", model=pair(),
                 file=lambda data: data.__setitem__(len(made.core) - 8, data[len(made.core) - 8] ^ 1))


def exchanges():
    """I2, raw edits: parts of a validly signed container exchanged with each other or with those of an older one."""
    made = build(pair())
    rows = made.layout.records
    first, second, other = rows[1][0], rows[1][1], rows[2][0]
    length = first.length
    slices = made.index_offset + 48 * made.layout.objects[1].first_chunk, made.index_offset + 48 * 3

    def chunks_and_digests(data, a, b, record_a, record_b):
        swap(data, a.offset, b.offset, length)
        swap(data, record_a + 16, record_b + 16, 32)

    def slices_and_rows(data):
        swap(data, slices[0], slices[1], 96)
        swap(data, made.table_offset + 96, made.table_offset + 192, 96)

    older = build(coded(7, 8))
    for name, at, edit, reason in [
        ("within-object", EVERYWHERE, lambda d: swap(d, first.offset, second.offset, length),
         "two chunks of an object"),
        ("within-object-records", EVERYWHERE, lambda d: chunks_and_digests(d, first, second, slices[0], slices[0] + 48),
         "two chunks and their digests"),
        ("between-objects", EVERYWHERE, lambda d: swap(d, first.offset, other.offset, length), "chunks of two objects"),
        ("between-objects-records", EVERYWHERE, lambda d: chunks_and_digests(d, first, other, slices[0], slices[1]),
         "chunks and digests of two objects"),
        ("whole-slices", EVERYWHERE, lambda d: swap(d, slices[0], slices[1], 96), "the index slices of two objects"),
        ("slices-and-rows", "open", slices_and_rows, "slices and object records of two objects"),
    ]:
        yield vector(f"I2-{name}", "digest_mismatch", "I-SLICE I-FIRST", reason + " exchanged after signing",
                     model=pair(), at=at, twin="I0-ok", file=edit)

    def from_older(data):
        chunk = older.layout.records[1][0]
        data[first.offset:first.offset + length] = older.data[chunk.offset:chunk.offset + length]

    yield vector("I2-older-release", "digest_mismatch", "I-FIRST", "a chunk of an older release", model=pair(),
                 at=EVERYWHERE, twin="I0-ok", file=from_older)


def slice_digests():
    """I3: digests made without what they must bind, and then signed."""

    def with_head(change):

        def digest(number, record, chunk_size, records):
            head = slice_head(number, record, chunk_size)
            return derive(c.INDEX_SLICE, (change(head) if number == 1 else head) + records)

        return digest

    def zeroed(start, end):
        return with_head(lambda head: head[:start] + bytes(end - start) + head[end:])

    for name, function, reason in [
        ("number", zeroed(0, 4), "without the object number"),
        ("other-number", with_head(lambda head: struct.pack("<I", 2) + head[4:]), "with another object's number"),
        ("kind", zeroed(4, 5), "without the kind"),
        ("form", zeroed(5, 6), "without the storage form"),
        ("layout", with_head(lambda head: head[:6] + b"\3" + head[7:]), "with another element layout"),
        ("plain-size", zeroed(8, 16), "without the plain size"),
        ("chunk-size", zeroed(16, 20), "without the chunk size"),
        ("count", zeroed(20, 24), "without the chunk count"),
        ("head", with_head(lambda head: b""), "over the records alone"),
        ("context", lambda n, r, s, records: derive(c.OBJECT_TABLE if n == 1 else c.INDEX_SLICE,
                                                    slice_head(n, r, s) + records), "in another context"),
        ("plain-hash", lambda n, r, s, records: blake3(slice_head(n, r, s) + records).digest()
         if n == 1 else derive(c.INDEX_SLICE,
                               slice_head(n, r, s) + records), "in BLAKE3's hash mode"),
    ]:
        yield vector(f"I3-{name}", "digest_mismatch", "I-SLICE", "a slice digest made " + reason, model=pair(),
                     at=EVERYWHERE, twin="I0-ok", slice_digest=function)

    def table_digest(function):

        def change(manifest):
            made = build(pair())
            manifest["table_digest"] = function(made.data[made.table_offset:made.manifest["manifest_offset"]])

        return change

    for name, function, reason in [
        ("table-hash", lambda table: blake3(table).digest(), "in BLAKE3's hash mode"),
        ("table-context", lambda table: derive(c.INDEX_SLICE, table), "in another context"),
    ]:
        yield vector(f"I3-{name}", "digest_mismatch", "M-TABLE", "a table digest made " + reason, model=pair(),
                     twin="I0-ok", manifest=table_digest(function))


def set_record(number, chunk, **values):

    def change(layout):
        for name, value in values.items():
            record = layout.records[number][chunk]
            setattr(record, name, value(layout) if callable(value) else value)

    return change


def records():
    """I4: records that no writer makes; their slice digests hold."""
    size = len(build(pair()).data)
    made = build(pair())
    for name, expect, values, reason in [
        ("wraps", "malformed", {
            "offset": (1 << 64) - 8
        }, "offset + length wraps"),
        ("in-preamble", "malformed", {
            "offset": 8
        }, "a chunk inside the preamble"),
        ("in-index", "malformed", {
            "offset": made.index_offset
        }, "a chunk inside the index"),
        ("in-manifest", "malformed", {
            "offset": made.manifest["manifest_offset"]
        }, "a chunk inside the manifest"),
        ("in-envelope", "malformed", {
            "offset": len(made.core) + 100
        }, "a chunk inside the envelope"),
        ("beyond", "malformed", {
            "offset": size + 4096
        }, "a chunk behind the end of the file"),
        ("length-zero", "malformed", {
            "length": 0
        }, "a chunk without bytes"),
        ("length-over", "malformed", {
            "length": c.CHUNK_SIZE + 1
        }, "a chunk stored in more bytes than it has"),
        ("length-huge", "malformed", {
            "length": (1 << 32) - 1
        }, "a chunk that reaches behind the file"),
        ("reserved-1", "malformed", {
            "reserved": b"\1\0\0"
        }, "the first reserved byte is not zero"),
        ("reserved-3", "malformed", {
            "reserved": b"\0\0\x80"
        }, "the last reserved byte is not zero"),
        ("codec-3", "unsupported", {
            "codec": 3
        }, "an unknown codec"),
        ("codec-255", "unsupported", {
            "codec": 255
        }, "an unknown codec"),
    ]:
        yield vector(f"I4-{name}", expect, "C-CODEC" if expect == "unsupported" else "I-RECORD", reason, model=pair(),
                     at=EVERYWHERE, twin="I0-ok", layout=set_record(1, 0, **values))
    yield vector("I4-directory-wraps", "malformed", "I-RECORD", "offset + length wraps, in the directory's record",
                 twin="I0-ok", model=pair(), layout=set_record(0, 0, offset=(1 << 64) - 8))
    yield vector("I4-codec-in-raw-object", "malformed", "O-RAW", "a chunk of a raw object with codec zstd",
                 at=EVERYWHERE, twin="I6-chunk-size-ok", model=one(b"\7" * 4096),
                 layout=set_record(1, 0, codec=c.CODEC_ZSTD))


def ownership():
    """I5: every byte has one owner."""

    def same(layout):
        layout.records[1][1] = Record(**vars(layout.records[1][0]))

    def borrow(layout):
        layout.records[2][0] = Record(**vars(layout.records[1][0]))

    def backwards(layout):
        layout.records[1].reverse()

    for name, change, reason in [
        ("two-records", same, "two records on one chunk"),
        ("borrowed", borrow, "a record on another object's chunk"),
        ("descending", backwards, "records that do not ascend"),
    ]:
        yield vector(f"I5-{name}", "malformed", "I-RECORD", reason, model=pair(), at=EVERYWHERE, twin="I0-ok",
                     layout=change)

    def drop(layout):
        layout.records[2].pop()
        layout.objects[2].chunk_count -= 1

    def repeat(layout):
        layout.records[2].append(Record(**vars(layout.records[2][1])))
        layout.objects[2].chunk_count += 1

    yield vector("I5-dropped", "malformed", "O-COUNT", "the last chunk dropped, the counts repaired", model=pair(),
                 twin="I0-ok", layout=drop)
    yield vector("I5-repeated", "malformed", "O-COUNT", "the last chunk repeated, the counts repaired", model=pair(),
                 twin="I0-ok", layout=repeat)
    yield vector("I5-gap-between-chunks", "malformed", "I-RECORD", "a hole between two chunks of an object",
                 model=pair(), at=EVERYWHERE, twin="I0-ok",
                 layout=set_record(1, 1, offset=lambda l: l.records[1][1].offset + 1))


def counts():
    for size in (1, 4095, 4096, 4097):
        name = {4096: "chunk-size"}.get(size, str(size))
        yield vector(f"I6-{name}-ok", "ok", "O-COUNT", f"a raw object of {size} bytes", model=one(b"\7" * size),
                     at="content")
    yield vector("I6-three-chunks-ok", "ok", "O-COUNT", "three whole chunks", model=coded(1, 2, 3), at="content")
    plain, chunks = filled(1, 2)
    yield vector("I6-two-and-a-byte-ok", "ok", "O-COUNT", "the last chunk has one byte", at="content",
                 model=one(plain + b"\3", chunks=[*chunks, (c.CODEC_RAW, b"\3")]))
