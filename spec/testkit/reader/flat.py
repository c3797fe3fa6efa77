# SPDX-License-Identifier: Apache-2.0
"""Reads FlatBuffers by schema into dicts, checking the structure on the way (spec section 5)."""

import struct

from .. import flat
from . import malformed_unless, require


class Reader:
    """One buffer. `limits` maps the path of a vector of tables to its limit."""

    def __init__(self, data, schema, identifier, limit, limits, known_minor):
        require(len(data) <= limit, "limit", "L-LIMITS")
        self.data, self.limits, self.known_minor = data, limits, known_minor
        malformed_unless(len(data) >= 8 and data[4:8] == identifier, "B-VERIFY")
        self.long_vtables, self.bad_text, self.text_bytes = False, False, 0
        self.count_first(schema)
        self.root = self.table(schema, self.follow(0), "", 1)
        malformed_unless(not self.bad_text, "M-UTF8")
        malformed_unless(not self.long_vtables, "M-VTABLE")

    def unpack(self, fmt, offset):
        size = struct.calcsize(fmt)
        malformed_unless(0 <= offset and offset + size <= len(self.data), "B-VERIFY")
        return struct.unpack_from(fmt, self.data, offset)[0]

    def follow(self, position):
        offset = self.unpack("<I", position)
        malformed_unless(0 < offset < 1 << 31, "B-VERIFY")
        malformed_unless(position + offset < len(self.data), "B-VERIFY")
        return position + offset

    def slots(self, table):
        """The fields' positions, by slot."""
        malformed_unless(table % 4 == 0, "B-VERIFY")
        vtable = table - self.unpack("<i", table)
        malformed_unless(vtable >= 0 and vtable % 2 == 0, "B-VERIFY")
        size = self.unpack("<H", vtable)
        malformed_unless(size >= 4 and size % 2 == 0 and vtable + size <= len(self.data), "B-VERIFY")
        return [self.unpack("<H", vtable + i) for i in range(4, size, 2)]

    def count_first(self, schema):
        """Compares the lengths of vectors with their limits before anything in them is followed."""
        table = self.follow(0)
        slots = self.slots(table)
        for slot, (name, kind) in enumerate(flat.SCHEMAS[schema]):
            if name in self.limits and slot < len(slots) and slots[slot]:
                vector = self.follow(table + slots[slot])
                count = self.unpack("<I", vector)
                malformed_unless(vector + 4 + count * flat.size_of(kind[1:-1])[0] <= len(self.data), "B-VERIFY")
                require(count <= self.limits[name], "limit", "L-LIMITS")

    def table(self, schema, position, path, depth):
        malformed_unless(depth <= 4, "B-VERIFY")
        slots, fields, values = self.slots(position), flat.SCHEMAS[schema], {}
        if len(slots) > len(fields) and self.known_minor:
            self.long_vtables = True
        for slot, (name, kind) in enumerate(fields):
            if slot < len(slots) and slots[slot]:
                values[name] = self.value(kind, position + slots[slot], f"{path}.{name}", depth)
        return values

    def value(self, kind, position, path, depth):
        size, alignment = flat.size_of(kind)
        malformed_unless(position % alignment == 0 and position + size <= len(self.data), "B-VERIFY")
        if kind in flat.SCALARS:
            return self.unpack(flat.SCALARS[kind], position)
        if kind in flat.STRUCTS:
            return bytes(self.data[position:position + size])
        position = self.follow(position)
        if kind == "string":
            return self.string(position)
        if kind.startswith("["):
            return self.vector(kind[1:-1], position, path, depth)
        return self.table(kind, position, path, depth + 1)

    def string(self, position):
        malformed_unless(position % 4 == 0, "B-VERIFY")
        length = self.unpack("<I", position)
        malformed_unless(position + 4 + length < len(self.data), "B-VERIFY")
        malformed_unless(self.data[position + 4 + length] == 0, "B-VERIFY")
        self.text_bytes += length
        require(self.text_bytes <= 4 * len(self.data), "limit", "M-SLACK")
        text = bytes(self.data[position + 4:position + 4 + length])
        try:
            self.bad_text |= "\0" in text.decode("utf-8")
        except UnicodeDecodeError:
            self.bad_text = True
        return text

    def vector(self, element, position, path, depth):
        size, alignment = flat.size_of(element)
        malformed_unless(position % 4 == 0, "B-VERIFY")
        count = self.unpack("<I", position)
        first = position + 4
        malformed_unless(first + count * size <= len(self.data), "B-VERIFY")
        malformed_unless(count == 0 or first % alignment == 0, "B-VERIFY")
        if element in flat.SCALARS:
            return [self.unpack(flat.SCALARS[element], first + i * size) for i in range(count)]
        if element in flat.STRUCTS:
            return [bytes(self.data[first + i * size:first + (i + 1) * size]) for i in range(count)]
        return [self.table(element, self.follow(first + 4 * i), f"{path}[{i}]", depth + 1) for i in range(count)]
