# SPDX-License-Identifier: Apache-2.0
"""Random containers, broken behind their signatures or in what is signed, with the answers of the test kit's reader.

They have the form of vectors, so that the runner of the vectors compares another reader's answers with these. They are
not kept: a difference becomes a vector, or a sentence of the spec.
"""

import random
import re

from .container import build
from .encryption import ALICE, BOB, OTHER_DEK, Sealing, salt_of, wrap, wrap_content
from .envelope import BUILDER, SECOND, Signer
from .flat import SCALARS, SCHEMAS, size_of
from .groups import base, codecs, directory, index, values
from .model import DTYPE_NAMES
from .planes import encode
from .reader.run import answer
from .vector import Vector, key_line
from . import constants as c

INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 191, 192, 254, 255)
NUMBERS = (0, 1, 2, 7, 8, 63, 64, 4095, 4096, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 53) - 1, 1 << 53,
           (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


# What is written for a number, a text or a time of a statement: JSON, so that no writer of JSON smooths it.
JSON_NUMBERS = ("-0", "1.0", "1e0", "01", "-1", "1.5e300", "1e400", "1e-400", "9007199254740991", "9007199254740992",
                "18446744073709551615", "18446744073709551616", "-9223372036854775808", "-9223372036854775809",
                "1" * 400, "NaN", "true", "null")
JSON_TEXTS = ('""', '"a"', '"\\u0062uilder"', '"\\ud800"', '"\\u0000"', '"builder "', "[]", "{}", '["builder"]',
              '["a"]', '["' + '","'.join(["builder"] * 17) + '"]', "[" * 14 + "]" * 14)
JSON_TIMES = ('"1969-12-31T23:59:59Z"', '"1970-01-01T00:00:00Z"', '"0000-01-01T00:00:00Z"', '"9999-12-31T23:59:59Z"',
              '"2024-02-29T00:00:00Z"', '"2026-02-29T00:00:00Z"', '"2026-01-01T00:00:60Z"', '"2026-01-01T00:00:00z"')
TEXTS = ("", "a", "a/b", "a//b", "..", "a" * 255, "a" * 256, "a" * 5000, "a\n", "\x85", "größe",
         b"\xff", "a\0", "com1", ".git", "z ")
DIMENSIONS = (0, 1, 2, 3, 4, 8, 1 << 31, 1 << 32, (1 << 32) + 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


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
        {
            "manifest": lambda m: change_table(rng, "Manifest", m)
        },
        {
            "directory": lambda d: change_directory(rng, d)
        },
        {
            "directory": lambda d: change_directory(rng, d)
        },
    ))


def other_value(rng, kind):
    """A value for a field of a FlatBuffers table; None leaves it out."""
    if kind in SCALARS:
        bits = 8 * size_of(kind)[0]
        value = rng.choice(NUMBERS) % (1 << bits)
        return value - (1 << bits) if kind == "i64" and value >> bits - 1 else value
    if kind == "string":
        return rng.choice(TEXTS)
    return None


def change_table(rng, schema, values):
    """One field of a table, in place."""
    name, kind = rng.choice(SCHEMAS[schema])
    values[name] = other_value(rng, kind)


def change_directory(rng, directory):
    """One field of the directory: mostly of a tensor, whose shape and strides are numbers that meet."""
    tables = [(part, number) for part in ("tensors", "files", "element_types")
              for number in range(len(directory.get(part) or []))]
    if not tables:
        return change_table(rng, "Directory", directory)
    part, number = rng.choice(tables)
    entry = directory[part][number]
    if part == "element_types" and entry.get("fields") and rng.random() < 0.6:
        entry, part = rng.choice(entry["fields"]), "fields"
    if part in ("tensors", "fields") and rng.random() < 0.7:
        return change_shape(rng, entry, "strides" if part == "tensors" else None)
    change_table(rng, {"tensors": "Tensor", "files": "File", "element_types": "ElementType", "fields": "Field"}[part],
                 entry)


def change_shape(rng, entry, strides):
    """Another shape, often with a zero in it; for a tensor sometimes with strides, a packed dtype or no digest."""
    shape = entry["shape"] = [rng.choice(DIMENSIONS) for _ in range(rng.choice((0, 1, 1, 2, 2, 3)))]
    if shape and rng.random() < 0.5:
        shape[rng.randrange(len(shape))] = 0
    if rng.random() < 0.3 and entry["dtype"] in DTYPE_NAMES:
        entry["dtype"] = rng.choice((2, 12, 13, 19, 21))
    if strides and rng.random() < 0.4:
        entry[strides] = [rng.choice(DIMENSIONS) for _ in shape]
    if strides and rng.random() < 0.4:
        entry["digest"] = None


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


def change_json(rng, text):
    """One value of a JSON text, or a member that nobody knows."""
    number, word = rng.choice(JSON_NUMBERS), rng.choice((*JSON_NUMBERS, *JSON_TEXTS))
    if rng.random() < 0.3:
        return text[:-1] + f',"x":{word}}}'.encode()
    members = list(re.finditer(rb'"(\w+)":("[^"]*"|\d+)', text))
    found = rng.choice(members)
    name, old = found.group(1).decode(), found.group(2)
    if rng.random() < 0.1:  # a member twice, or under another name
        return text[:found.start()] + rng.choice((found.group() + b"," + found.group(), b'"x":' + old)) + \
            text[found.end():]
    new = rng.choice(JSON_TIMES) if name.endswith("At") else number if old.isdigit() else word
    return text[:found.start(2)] + new.encode() + text[found.end(2):]


def signer(rng):
    """A signer whose statement is changed before it is signed, or its item behind that."""
    return rng.choice((Signer(payload=lambda p: edit(rng, p)), Signer(payload=lambda p: change_json(rng, p)),
                       Signer(payload=lambda p: change_json(rng, p)), Signer(item=lambda item: change_json(rng, item))))


def make(seed, count):
    """Vectors whose expectation is the test kit's answer."""
    rng = random.Random(seed)
    keys = [key_line(BUILDER), key_line(SECOND)]
    shapes = list(models())
    for number in range(count):
        sealed = sealing(rng)
        of_signer = rng.random() < 0.25
        broken = {} if of_signer or sealed and rng.random() < 0.6 else steps(rng)
        made = build(rng.choice(shapes), [signer(rng) if of_signer else Signer()], sealed, **broken)
        vector = Vector(f"differ-{seed}-{number}", "made at random", ["F-TILES"], made.data, keys=keys,
                        identities=identities(rng) if sealed else [])
        step, word = answer(vector.serialize())
        vector.expect, vector.at = word, step
        yield vector
