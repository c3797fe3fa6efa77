# SPDX-License-Identifier: Apache-2.0
"""Random containers, broken behind their signatures, with the answers of the test kit's own reader.

They have the form of vectors, so that the runner of the vectors compares another reader's answers with these. They are
not kept: a difference becomes a vector, or a sentence of the spec.
"""

import random

from .container import build
from .encryption import ALICE, BOB, OTHER_DEK, Sealing, salt_of, wrap, wrap_content
from .envelope import BUILDER, SECOND, Signer
from .groups import base, codecs, directory, index, values
from .planes import encode
from .reader.run import answer
from .vector import Vector, key_line
from . import constants as c

INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 191, 192, 254, 255)
NUMBERS = (0, 1, 2, 7, 8, 63, 64, 4095, 4096, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 53) - 1, 1 << 53,
           (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def models():
    """One of each shape that the groups use."""
    yield base.tiny(metadata=[("k", "v")])
    yield index.pair()
    yield directory.views()
    yield base.leaf(values.everything())
    yield directory.structured([directory.record_type([directory.member("a", 6, 0), directory.member("b", 4, 4)])])
    yield directory.packed("f4_e2m1", [3], b"\x21\x03")
    yield base.one(codecs.MIXED, chunks=[(c.CODEC_ZSTD, codecs.zstdframe.frame(codecs.MIXED))])
    yield base.one(codecs.TEXT, chunks=[(c.CODEC_ZSTD, codecs.TEXT_FRAME)])
    yield base.one(codecs.BF16, "bf16", chunks=[(c.CODEC_PLANES, encode(c.LAYOUT_BF16, codecs.BF16))],
                   layout=c.LAYOUT_BF16)


def edit(rng, data):
    """One to three bytes of a buffer, or a number in it."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        position = rng.randrange(len(data))
        if rng.random() < 0.2 and position + 8 <= len(data):
            width = rng.choice((2, 4, 8))
            data[position:position + width] = (rng.choice(NUMBERS) % (1 << 8 * width)).to_bytes(width, "little")
        elif rng.random() < 0.5:
            data[position] = rng.choice(INTERESTING)
        else:
            data[position] ^= 1 << rng.randrange(8)
    return bytes(data)


def in_place(rng, buffer):
    buffer.data[:] = edit(rng, buffer.data)


def change_chunk(rng, layout):
    """Stored bytes of a chunk that is not the directory's, with its digest repaired."""
    numbers = [n for n in range(1, len(layout.objects)) if layout.records[n]]
    if not numbers:
        return
    number = rng.choice(numbers)
    record = rng.choice(layout.records[number])
    layout.core[record.offset:record.offset + record.length] = edit(
        rng, layout.core[record.offset:record.offset + record.length])
    base.redigest(layout, number)


def change_record(rng, layout):
    number = rng.randrange(len(layout.objects))
    if not layout.records[number]:
        return
    record = rng.choice(layout.records[number])
    name = rng.choice(("offset", "length", "codec"))
    width = {"offset": 64, "length": 32, "codec": 8}[name]
    value = rng.choice((*NUMBERS, getattr(record, name) + 1, getattr(record, name) - 1))
    setattr(record, name, value % (1 << width))


def steps(rng):
    """What is broken in one container."""
    return rng.choice((
        {
            "directory_buffer": lambda b: in_place(rng, b)
        },
        {
            "directory_buffer": lambda b: in_place(rng, b)
        },
        {
            "manifest_buffer": lambda b: in_place(rng, b)
        },
        {
            "table": lambda t: bytearray(edit(rng, t))
        },
        {
            "layout": lambda layout: change_chunk(rng, layout)
        },
        {
            "layout": lambda layout: change_record(rng, layout)
        },
        {
            "file": lambda f: bytearray(edit(rng, f))
        },
        {
            "frame": lambda f: f.items.append((rng.randrange(6), edit(rng, f.items[0][1])))
        },
        {
            "frame": lambda f: f.items.__setitem__(0, (1, edit(rng, f.items[0][1])))
        },
        {
            "tables": lambda t: change_tree(rng, t)
        },
    ))


def change_chunks(rng, name):
    """A step of the sealing that changes what is sealed, or what was."""

    def change(place, value):
        return edit(rng, value) if rng.random() < 0.5 else value

    return {name: change}


def change_place(rng, place):
    name = rng.choice(("object", "chunk", "count", "plain", "codec"))
    setattr(place, name, (getattr(place, name) + rng.choice((0, 0, 1))) % (256 if name == "codec" else 1 << 32))


def sealing(rng):
    """One container in three is encrypted; what is broken in it, if anything, is done while it is sealed."""
    if rng.random() < 0.67:
        return None
    return Sealing(
        bucket=rng.choice((1, 16, 64)), **rng.choice((
            {},
            {},
            change_chunks(rng, "content"),
            change_chunks(rng, "stored"),
            {
                "place": lambda place: change_place(rng, place)
            },
            {
                "salt": lambda number: rng.choice((bytes(32), salt_of(0)))
            },
            {
                "table": lambda table: table.update(bucket=rng.choice((0, 1, 2, 3, 32, 128, 1 << 20, 1 << 21)))
            },
            {
                "items": [rng.choice((wrap(content=edit(rng, wrap_content())), wrap(change=lambda f: edit(rng, f)),
                                      wrap(content=wrap_content(OTHER_DEK)))), wrap(rng.choice((ALICE, BOB)))]
            },
        )))


def identities(rng):
    return rng.choice(([ALICE.text()], [ALICE.text()], [ALICE.text(), BOB.text()], [BOB.text()], []))


def change_tree(rng, tables):
    part = rng.choice(("nodes", "children", "payload"))
    if part == "nodes":
        i = rng.randrange(len(tables.nodes))
        kind, flags, count = tables.nodes[i]
        tables.nodes[i] = rng.choice(((rng.randrange(1, 25), flags, count), (kind, rng.choice(INTERESTING), count),
                                      (kind, flags, max(0, count + rng.choice((-1, 1))))))
    elif part == "children" and tables.children:
        tables.children[rng.randrange(len(tables.children))] = rng.randrange(len(tables.nodes))
    elif part == "payload" and tables.payload:
        tables.payload = edit(rng, tables.payload)


def signer(rng):
    if rng.random() < 0.85:
        return Signer()
    return Signer(payload=lambda p: edit(rng, p))


def make(seed, count):
    """Vectors whose expectation is the test kit's answer."""
    rng = random.Random(seed)
    keys = [key_line(BUILDER), key_line(SECOND)]
    shapes = list(models())
    for number in range(count):
        sealed = sealing(rng)
        broken = {} if sealed and rng.random() < 0.6 else steps(rng)
        made = build(rng.choice(shapes), [signer(rng)], sealed, **broken)
        vector = Vector(f"differ-{seed}-{number}", "made at random", ["F-TILES"], made.data, keys=keys,
                        identities=identities(rng) if sealed else [])
        step, word = answer(vector.serialize())
        vector.expect, vector.at = word, step
        yield vector
