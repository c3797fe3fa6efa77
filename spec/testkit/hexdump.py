# SPDX-License-Identifier: Apache-2.0
"""The annotated hexdump of the spec's appendix, made from the vector I6-1-ok: one tensor of one byte."""

import re
import struct

from .container import build
from .groups.base import one

BEGIN, END = "<!-- hexdump: made by spec/testkit, do not edit -->\n", "<!-- end of hexdump -->\n"
VECTOR, MODEL = "I6-1-ok", one(b"\7")


class Dump:
    """Takes consecutive fields of the file and remembers a label for each."""

    def __init__(self, data):
        self.data, self.position, self.lines = data, 0, []

    def heading(self, text):
        self.lines.append(f"          --- {text}")

    def take(self, length, label):
        part = self.data[self.position:self.position + length]
        assert len(part) == length, label
        if length > 16 and not any(part):
            self.lines.append(f"{self.position:08x}  {'00 × ' + str(length):<47}  {label}")
        else:
            for start in range(0, length, 16):
                row = part[start:start + 16]
                text = label if start == 0 else ""
                self.lines.append(f"{self.position + start:08x}  {row.hex(' '):<47}  {text}".rstrip())
        self.position += length

    def text(self, length, label):
        """ASCII text, 60 characters a line."""
        part = self.data[self.position:self.position + length].decode("ascii")
        self.lines.append(f"{self.position:08x}  {length} bytes of text: {label}")
        self.lines.extend(f"          {part[i:i + 100]}" for i in range(0, length, 100))
        self.position += length

    def flat(self, buffer):
        """A FlatBuffers buffer: a field reaches to the next mark."""
        starts = {}
        for path, (offset, kind) in buffer.marks.items():
            starts.setdefault(offset, self.describe(path, kind, buffer))
        offsets = sorted(starts)
        for begin, end in zip(offsets, offsets[1:] + [len(buffer.data)]):
            self.take(end - begin, starts[begin])

    @staticmethod
    def describe(path, kind, buffer):
        owner = path.rpartition(".")[0] or "root"
        if path.endswith("vtable"):
            return f"vtable of {owner}: its size, the table's size, slots"
        if path.endswith(".table"):
            return f"{owner}: distance back to its vtable"
        if path == "root":
            return "offset of the root table"
        if path == "identifier":
            return "file identifier"
        if path.endswith(".slot"):
            field = path[:-len(".slot")]
            return f"{field}: offset" if kind[0] in "[s" or kind[0].isupper() and kind not in ("Hash", "Id") else field
        if kind.startswith("["):
            return f"{path}: length, elements"
        return f"{path}: length, text, zero byte" if kind == "string" else path


def record_fields(dump, number):
    for length, label in ((1, "kind"), (1, "storage form"), (1, "element layout"), (1, "reserved"), (4, "chunk count"),
                          (8, "first chunk"), (8, "plain size"), (8, "stored offset"), (32, "salt"), (32,
                                                                                                      "slice digest")):
        dump.take(length, f"object {number}: {label}")


def dump():
    made = build(MODEL)
    out = Dump(made.data)
    out.heading("preamble")
    for length, label in ((8, "magic"), (2, "major"), (2, "minor"), (4, "flags"), (16, "file id"),
                          (8, "manifest offset"), (8, "manifest length"), (16, "reserved")):
        out.take(length, label)
    for number in (1, 0):
        record = made.layout.objects[number]
        out.heading(f"object {number}: " + ("the directory" if number == 0 else "a storage"))
        out.take(record.offset - out.position, "padding")
        if number == 0:
            out.flat(made.directory_buffer)
        else:
            out.take(record.plain_size, "its one byte")
    out.heading("index")
    assert out.position == made.index_offset
    for number in (0, 1):
        for length, label in ((8, "stored offset"), (4, "stored length"), (1, "codec"), (3, "reserved"), (32,
                                                                                                          "digest")):
            out.take(length, f"chunk 0 of object {number}: {label}")
    out.heading("object table")
    for number in (0, 1):
        record_fields(out, number)
    out.heading("manifest")
    assert out.position == made.manifest["manifest_offset"]
    out.flat(made.manifest_buffer)
    out.heading("envelope")
    for length, label in ((8, "magic"), (2, "version"), (2, "reserved"), (4, "item count"), (8, "total length"),
                          (8, "generation"), (32, "manifest digest"), (2, "item 0: kind"), (2, "item 0: reserved"),
                          (4, "item 0: length")):
        out.take(length, label)
    item = struct.unpack_from("<I", made.data, out.position - 4)[0]
    out.text(item, "the DSSE envelope")
    out.take(32, "frame digest")
    assert out.position == len(made.data)
    return "```\n" + "\n".join(out.lines) + "\n```\n"


def update(spec):
    """The spec with the hexdump as it must be."""
    assert spec.count(BEGIN) == 1 and spec.count(END) == 1, "the spec has no place for the hexdump"
    return re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: BEGIN + dump() + END, spec, flags=re.DOTALL)
