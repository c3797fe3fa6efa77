# SPDX-License-Identifier: Apache-2.0
"""Assembles hostile files byte by byte. Nothing here pickles, unpickles or loads anything."""

import binascii
import struct
import zlib
from dataclasses import dataclass, field, replace


@dataclass
class Row:
    """A hostile file, the rule that must fire, and the verdict that must come of it."""

    name: str
    content: bytes
    rule: str
    verdict: str = "dangerous"
    file: str = "model.pkl"
    beside: dict = field(default_factory=dict)  # files in the same folder


# Opcodes of pickle. The payload calls a function of no real package: only the rule about calls can catch it.

STOP = b"."


def proto(number):
    return b"\x80" + bytes([number])


def line(opcode, text):
    return opcode + text.encode() + b"\n"


def name(module, attribute):
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def text(value):
    """BINUNICODE, or SHORT_BINUNICODE's older brother for every protocol above 0."""
    raw = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(raw)) + raw


def blob(value):
    """BINBYTES."""
    return b"B" + struct.pack("<I", len(value)) + value


def stack_name(module, attribute):
    return text(module) + text(attribute) + b"\x93"


def call(module, attribute, arguments=b"I1\n"):
    """GLOBAL, a tuple of arguments, REDUCE."""
    return name(module, attribute) + b"(" + arguments + b"tR"


def new(module, attribute, arguments=b")"):
    """GLOBAL, arguments, NEWOBJ."""
    return name(module, attribute) + arguments + b"\x81"


def state(*items):
    """BUILD of a dict of attribute, value (assembled) pairs."""
    return b"}(" + b"".join(text(key) + value for key, value in items) + b"ub"


def frame(content):
    return b"\x95" + struct.pack("<Q", len(content)) + content


PAYLOAD = call("some_package.module", "function")
EVIL = proto(2) + PAYLOAD + STOP
EVIL0 = PAYLOAD + STOP  # of protocol 0: no magic number anywhere
BENIGN = proto(2) + b"}" + STOP


# Zip archives of which every field can lie.

@dataclass
class Member:
    name: bytes
    content: bytes
    method: int = 0
    flags: int = 0
    version: int = 20
    attributes: int = 0
    extra: bytes = b""
    local: dict = field(default_factory=dict)  # fields of the local header that differ
    central: dict = field(default_factory=dict)  # fields of the central record that differ
    gap: bytes = b""  # in front of the local header
    behind: bytes = b""  # behind the data


def member(path, content, **fields):
    return Member(path.encode() if isinstance(path, str) else path, content, **fields)


def pack(entry):
    if entry.method != 8:
        return entry.content
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(entry.content) + deflate.flush()


def headers(entry, packed, offset):
    """The local header and the central record, before the directory."""
    common = {"version": entry.version, "flags": entry.flags, "method": entry.method, "crc": binascii.crc32(entry.content),
              "stored": len(packed), "size": len(entry.content), "name": entry.name, "extra": entry.extra}
    here, there = {**common, **entry.local}, {**common, **entry.central}
    local = struct.pack("<IHHHIIIIHH", 0x04034B50, here["version"], here["flags"], here["method"], 0x21 << 16, here["crc"], here["stored"],
                        here["size"], len(here["name"]), len(here["extra"])) + here["name"] + here["extra"]
    record = struct.pack("<IHHHHIIIIHHHHHII", 0x02014B50, 20, there["version"], there["flags"], there["method"], 0x21 << 16, there["crc"],
                         there["stored"], there["size"], len(there["name"]), len(there["extra"]), 0, there.get("disk", 0), 0,
                         entry.attributes, there.get("offset", offset)) + there["name"] + there["extra"]
    return local, record


def zip_of(*members, prefix=b"", before_directory=b"", before_end=b"", order=None, end=None, comment=b"", suffix=b"", adjusted=True):
    """A zip archive; `order` is that of the directory, by number of the member; `end` replaces fields of the end record."""
    out, records = prefix, []
    for entry in members:
        out += entry.gap
        packed = pack(entry)
        local, record = headers(entry, packed, len(out) - (0 if adjusted else len(prefix)))
        out += local + packed + entry.behind
        records.append(record)
    out += before_directory
    directory = b"".join(records[number] for number in (range(len(records)) if order is None else order))
    fields = {"disk": 0, "start_disk": 0, "here": len(members), "entries": len(members), "size": len(directory),
              "offset": len(out) - (0 if adjusted else len(prefix)), "comment": len(comment), **(end or {})}
    out += directory + before_end + struct.pack("<IHHHHIIH", 0x06054B50, *fields.values()) + comment
    return out + suffix


def zip64_of(*members, **options):
    """The same with 64-bit end records, on which the old one relies."""
    whole = zip_of(*members, **options)
    at = len(whole) - 22 - len(options.get("comment", b""))
    entries, size, offset = struct.unpack("<HII", whole[at + 10:at + 20])
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<IIQI", 0x07064B50, 0, at, 1)
    return whole[:at] + record + locator + whole[at:at + 8] + b"\xff" * 12 + whole[at + 20:]


def torch_zip(pickle=BENIGN, *more, **options):
    """A checkpoint as torch.save writes it, with the pickle given."""
    return zip_of(member("archive/data.pkl", pickle), *more, member("archive/byteorder", b"little"), member("archive/version", b"3\n"), **options)


# Tar archives.

def tar_header(path, size, kind=b"0", link=b"", magic=b"ustar\x0000", state=None):
    """`state` writes the sum of the bytes with signs; without it stands the usual sum in the usual way."""
    header = path.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"00000000000\0" + b" " * 8 + kind
    header = (header + link.ljust(100, b"\0") + magic).ljust(512, b"\0")
    if state:
        return header[:148] + state(sum(header) - 256 * sum(byte > 127 for byte in header)).ljust(8, b"\0") + header[156:]
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def tar_member(path, content, **fields):
    path = path.encode() if isinstance(path, str) else path
    return tar_header(path, len(content), **fields) + content + b"\0" * (-len(content) % 512)


def tar_of(*members, tail=b""):
    return b"".join(members) + b"\0" * 1024 + tail


def changed(entry, **fields):
    return replace(entry, **fields)
