# SPDX-License-Identifier: Apache-2.0
"""Writes FlatBuffers from schemas, front to back, and remembers where every value lies.

The usual builders write back to front, share vtables and hide positions. A test kit wants the opposite: one obvious
layout, and the offset of each value under its path ("tensors[0].shape"), so that a vector can break exactly that value.
"""

import struct
from dataclasses import dataclass, field

SCALARS = {"bool": "<B", "u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "i64": "<q"}
STRUCTS = {"Hash": (32, 1), "Id": (16, 1), "Node": (8, 4)}  # size, alignment; values are given as bytes

# Fields in the order of their slots.
SCHEMAS = {
    "KeyValue": [("key", "string"), ("value", "string")],
    "Extension": [("name", "string"), ("critical", "bool"), ("data", "[u8]")],
    "Encryption": [("algorithm", "u8"), ("commitment", "Hash"), ("bucket", "u32")],
    "Manifest": [
        ("major", "u16"),
        ("minor", "u16"),
        ("flags", "u32"),
        ("suite", "u8"),
        ("file_id", "Id"),
        ("manifest_offset", "u64"),
        ("name", "string"),
        ("version", "string"),
        ("sequence", "u64"),
        ("created", "i64"),
        ("chunk_size", "u32"),
        ("object_count", "u32"),
        ("chunk_count", "u64"),
        ("index_offset", "u64"),
        ("table_offset", "u64"),
        ("table_digest", "Hash"),
        ("encryption", "Encryption"),
        ("metadata", "[KeyValue]"),
        ("extensions", "[Extension]"),
    ],
    "Field": [("name", "string"), ("dtype", "u8"), ("element_type", "u32"), ("offset", "u32"), ("shape", "[u64]")],
    "ElementType": [("kind", "u8"), ("item_size", "u32"), ("detail", "string"), ("fields", "[Field]")],
    "Tensor": [
        ("name", "string"),
        ("dtype", "u8"),
        ("element_type", "u32"),
        ("shape", "[u64]"),
        ("strides", "[u64]"),
        ("storage", "u32"),
        ("byte_offset", "u64"),
        ("digest", "Hash"),
    ],
    "File": [("path", "string"), ("media_type", "string"), ("object", "u32")],
    "Directory": [
        ("storages", "[u32]"),
        ("element_types", "[ElementType]"),
        ("tensors", "[Tensor]"),
        ("files", "[File]"),
        ("nodes", "[Node]"),
        ("children", "[u32]"),
        ("payload", "[u8]"),
        ("metadata", "[KeyValue]"),
        ("tensor_digest", "Hash"),
        ("content_digest", "Hash"),
    ],
}


def size_of(kind):
    """Size and alignment of an inline value; references are 4-byte offsets."""
    if kind in SCALARS:
        size = struct.calcsize(SCALARS[kind])
        return size, size
    return STRUCTS.get(kind, (4, 4))


def is_inline(kind):
    return kind in SCALARS or kind in STRUCTS


@dataclass
class Buffer:
    """The bytes, and for each path the offset and kind of the value: for a reference that of what it refers to.

    Besides the values, `P.vtable`, `P.table` and `P.slot` stand for the parts of the table at path P ("" is the root)
    and the offset field of the value at path P.
    """

    data: bytearray = field(default_factory=bytearray)
    marks: dict = field(default_factory=dict)

    def put(self, path, fmt, value):
        """Overwrites the bytes at a mark."""
        struct.pack_into(fmt, self.data, self.marks[path][0], value)

    def get(self, path, fmt):
        return struct.unpack_from(fmt, self.data, self.marks[path][0])[0]

    def put_bytes(self, path, offset, value):
        start = self.marks[path][0] + offset
        self.data[start:start + len(value)] = value

    def _align(self, alignment, offset=0):
        while (len(self.data) + offset) % alignment:
            self.data.append(0)

    def _refer(self, position):
        """Makes the offset field at `position` point to the end of the buffer."""
        struct.pack_into("<I", self.data, position, len(self.data) - position)

    def _write_table(self, schema, values, path, reference, extra_slots):
        fields = SCHEMAS[schema]
        unknown = set(values) - {name for name, _ in fields}
        assert not unknown, unknown
        last = max((slot for slot, (name, _) in enumerate(fields) if values.get(name) is not None), default=-1)
        slots = last + 1 + extra_slots.get(path, 0)
        # The vtable stands in front of its table.
        self._align(2)
        while (len(self.data) + 4 + 2 * slots) % 4:
            self.data += b"\0\0"
        vtable = len(self.data)
        self.marks[path + ".vtable"] = (vtable, "vtable")
        self.data += bytes(4 + 2 * slots)
        table = len(self.data)
        self.marks[path + ".table"] = (table, schema)
        struct.pack_into("<I", self.data, reference, table - reference)
        self.data += struct.pack("<i", table - vtable)
        references = []
        for slot, (name, kind) in enumerate(fields):
            value = values.get(name)
            if value is None:
                continue
            where = f"{path}.{name}" if path else name
            size, alignment = size_of(kind)
            self._align(alignment)
            position = len(self.data)
            struct.pack_into("<H", self.data, vtable + 4 + 2 * slot, position - table)
            self.marks[where + ".slot"] = (position, kind)
            if kind in SCALARS:
                self.data += struct.pack(SCALARS[kind], value)
            elif kind in STRUCTS:
                assert len(value) == size, where
                self.data += value
            else:
                self.data += bytes(4)
                references.append((position, kind, value, where))
            if is_inline(kind):
                self.marks[where] = (position, kind)
        struct.pack_into("<HH", self.data, vtable, 4 + 2 * slots, len(self.data) - table)
        for position, kind, value, where in references:
            self._write_reference(position, kind, value, where, extra_slots)

    def _write_reference(self, position, kind, value, path, extra_slots):
        if kind == "string":
            value = value.encode() if isinstance(value, str) else value
            self._align(4)
            self._refer(position)
            self.marks[path] = (len(self.data), kind)
            self.data += struct.pack("<I", len(value)) + value + b"\0"
        elif kind.startswith("["):
            self._write_vector(position, kind[1:-1], value, path, extra_slots)
        else:
            self._write_table(kind, value, path, position, extra_slots)

    def _write_vector(self, position, element, values, path, extra_slots):
        size, alignment = size_of(element)
        self._align(4)
        self._align(alignment, offset=4)
        self._refer(position)
        self.marks[path] = (len(self.data), f"[{element}]")
        self.data += struct.pack("<I", len(values))
        if element in SCALARS:
            for i, value in enumerate(values):
                self.marks[f"{path}[{i}]"] = (len(self.data), element)
                self.data += struct.pack(SCALARS[element], value)
        elif element in STRUCTS:
            for i, value in enumerate(values):
                self.marks[f"{path}[{i}]"] = (len(self.data), element)
                self.data += value
        else:
            first = len(self.data)
            self.data += bytes(4 * len(values))
            for i, value in enumerate(values):
                self.marks[f"{path}[{i}].slot"] = (first + 4 * i, element)
                self._write_table(element, value, f"{path}[{i}]", first + 4 * i, extra_slots)


def write(schema, identifier, values, extra_slots=None):
    """Writes one buffer. `extra_slots` lengthens the vtables of the tables at the given paths by empty slots."""
    buffer = Buffer()
    buffer.data += bytes(4) + identifier
    buffer.marks["root"] = (0, "u32")
    buffer.marks["identifier"] = (4, "identifier")
    buffer._write_table(schema, values, "", 0, extra_slots or {})
    buffer._align(4)
    return buffer
