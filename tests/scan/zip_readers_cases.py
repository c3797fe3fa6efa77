# SPDX-License-Identifier: Apache-2.0
"""Archives for zip_readers_test.py: (title, bytes) of each. Nothing here pickles, unpickles or loads anything."""

import binascii
import itertools
import struct

from assemble import changed, headers, member, pack, proto, text, zip_of

MARKS = [f"copy_{number:02}" for number in range(16)]
RULE = "CALL-UNLISTED"
COUNTS = range(2, 10)
CASES = (b"data.pkl", b"DATA.PKL", b"Data.pkl")


def good(mark):
    """A state dict of one tensor, whose name is the mark, over the storage `data/0` of eight bytes."""
    storage = b"(" + text("storage") + b"ctorch\nByteStorage\n" + text("0") + text("cpu") + b"K\x08tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0K\x08\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    return proto(2) + b"}" + text(mark) + tensor + b"s."


# As long as the others, so that whichever takes its place moves nothing.
CALL = proto(2) + b"cos\nsystem\n" + text("true".ljust(len(good(MARKS[0])) - len(proto(2) + b"cos\nsystem\n" + text("") + b"\x85R."))) + b"\x85R"
EVIL = CALL + b"."
assert len(EVIL) == len(good(MARKS[0]))


def storage(number):
    return b"bytes%03d" % number


def calls(content):
    """Whether an unpickler that is handed these bytes calls os.system."""
    return content.startswith(CALL)


def mark_of(content):
    return next((mark for mark in MARKS if mark.encode() in content), None)


# An archive is a list of members and what zip_of may be told besides. Slots are the members of which one at a time is evil.

class Archive:
    def __init__(self, title, members, slots, **options):
        self.title, self.members, self.slots, self.options = title, members, slots, options

    def files(self):
        yield self.title, zip_of(*self.members, **self.options)
        for slot in self.slots:
            members = list(self.members)
            members[slot] = changed(members[slot], content=EVIL)
            yield f"{self.title}, {slot} evil", zip_of(*members, **self.options)


def copies(root, names, method=0):
    return [member(root + b"/" + name, good(MARKS[number]), method=method) for number, name in enumerate(names)]


def storages(root, count=1, method=0):
    return [member(root + b"/data/0", storage(number), method=method) for number in range(count)]


def small(root):
    return [member(root + b"/byteorder", b"little"), member(root + b"/version", b"3\n")]


def orders(count):
    """Orders of the directory: as the members stand, backwards, rotated."""
    yield "", None
    yield ", directory backwards", list(range(count))[::-1]
    yield ", directory rotated", list(range(1, count)) + [0]


def duplicates():
    """Copies of the pickle or of a storage, 2 to 9, by case, number of other members, method, and order of the directory."""
    for count, method, others in itertools.product(COUNTS, (0, 8), (0, 2, 5)):
        for title, names in (("", [CASES[0]] * count), (" in two cases", [CASES[number % 2] for number in range(count)]),
                             (" in three cases", [CASES[-number % 3] for number in range(count)])):
            members = copies(b"archive", names, method) + storages(b"archive") + small(b"archive")[:max(1, others)]
            members += [member(b"archive/data/%d" % number, b"x") for number in range(1, others)]
            for ordered, order in orders(len(members)):
                yield Archive(f"{count} data.pkl{title}, method {method}, {others} others{ordered}", members, range(count), order=order)
    for count, method in itertools.product(COUNTS, (0, 8)):
        members = copies(b"archive", CASES[:1]) + storages(b"archive", count, method) + small(b"archive")
        for ordered, order in orders(len(members)):
            yield Archive(f"{count} data/0, method {method}{ordered}", members, range(1, count + 1), order=order)


def roots():
    """Names of the folder, one or two of them, and members beside it."""
    for root in (b"archive", b"model", b"a b", b"x" * 200, "größe".encode(), b"ARCHIVE", b"archive/archive"):
        for method in (0, 8):
            members = copies(root, CASES[:1], method) + storages(root, 1, method) + small(root)
            for ordered, order in orders(len(members)):
                yield Archive(f"root {root[:20]!r}, method {method}{ordered}", members, (0, 1), order=order)
            # Names without the flag are code page 437 for Python, and whatever they are for PyTorch.
            flagged = [changed(entry, flags=0x800) for entry in members]
            yield Archive(f"root {root[:20]!r}, method {method}, UTF-8", flagged, (0, 1))
        if root != b"archive":
            both = copies(b"archive", CASES[:1]) + storages(b"archive") + small(b"archive") + copies(root, CASES[:1])
            for first, order in (("archive", None), (root, [4, 0, 1, 2, 3])):
                yield Archive(f"two roots, {first[:20]!r} first", both, (0, 4), order=order)
    for name in (b"data.pkl", b"./archive/data.pkl", b"archive//data.pkl", b"/archive/data.pkl", b"archive/./data.pkl", b"archive/x/../data.pkl",
                 b"archive\\data.pkl", b"archive/data.pkl\0", b"archive/data.pkl\0.txt", b"archive/data.pkl/", b"archive/data.pkl ",
                 b"archive/DATA.pkl", b"archive/data.pk\xfc", b"archive/DATA/0", b"archive/.data/version", b"archive/VERSION"):
        members = copies(b"archive", CASES[:1]) + storages(b"archive") + small(b"archive")
        for place in (0, 1, len(members)):
            more = members[:place] + [member(name, good(MARKS[9]))] + members[place:]
            slots = (place, 1 if place == 0 else 0)
            yield Archive(f"also {name!r}, at {place}", more, slots)


def zip64(entry, size=None, stored=None, where=("local", "central"), masked=True, offset=None):
    """Sizes in an extra field of 64 bits; `masked` says that those of 32 bits are all ones, as they should be."""
    packed = len(pack(entry))
    field = struct.pack("<QQ", len(entry.content) if size is None else size, packed if stored is None else stored)
    field += b"" if offset is None else struct.pack("<Q", offset)
    extra = struct.pack("<HH", 1, len(field)) + field
    lies = {"extra": extra, **({"size": 0xFFFFFFFF, "stored": 0xFFFFFFFF} if masked else {})}
    if offset is not None:
        lies["offset"] = 0xFFFFFFFF
    return changed(entry, **{header: {**getattr(entry, header), **lies} for header in where})


def descriptor(entry, signature=True, wide=False, sizes=(0, 0), crc=0):
    packed = len(pack(entry))
    layout = "<IQQ" if wide else "<III"
    content = (b"PK\7\x08" if signature else b"") + struct.pack(
        layout, binascii.crc32(entry.content) ^ crc, packed + sizes[0], len(entry.content) + sizes[1])
    return changed(entry, behind=content, flags=entry.flags | 8)


def lies_of_headers():
    """(title, function of a member) of each way in which the headers of one member can lie."""
    fields = {"flags": (1, 8, 0x20, 0x40, 0x800, 0x2000), "crc": (0, 1), "version": (10, 45, 63, 64, 99), "method": (0, 8, 12, 99),
              "name": (b"archive/data.pkl", b"archive/DATA.PKL", b"archive/other.pkl", b"data.pkl", b"archive/data/0", b"", b"other/data.pkl")}
    for field, values in fields.items():
        for value, header in itertools.product(values, ("local", "central", "both")):
            lie = {field: value}
            if header == "both":
                yield f"{field} {value!r}", lambda entry, lie=lie: changed(entry, local={**entry.local, **lie}, central={**entry.central, **lie})
            else:
                yield f"{header} {field} {value!r}", lambda entry, lie=lie, header=header: changed(entry, **{header: {**getattr(entry, header), **lie}})
    for field, header, more in itertools.product(("size", "stored"), ("local", "central"), (-20, -1, 1, 8, 60, 300)):
        def resized(entry, field=field, header=header, more=more):
            own = len(entry.content) if field == "size" else len(pack(entry))
            return changed(entry, **{header: {**getattr(entry, header), field: max(0, own + more)}})
        yield f"{header} {field} {more:+}", resized
    for more, honest in itertools.product((-20, -1, 1, 8, 60, 300), (False, True)):
        def cut(entry, more=more, honest=honest):
            lie = {"size": max(0, len(entry.content) + more)}
            if honest:  # the checksum is that of what a reader who believes the size takes
                lie["crc"] = binascii.crc32(entry.content[:lie["size"]])
            return changed(entry, local={**entry.local, **lie}, central={**entry.central, **lie})
        yield f"size {more:+} in both headers{' with its CRC' if honest else ''}", cut
    for header in ("local", "central"):
        yield f"{header} sizes 0", lambda entry, header=header: changed(entry, **{header: {**getattr(entry, header), "size": 0, "stored": 0}})
    yield "sizes and CRC 0 in the local header", lambda entry: changed(entry, local={**entry.local, "size": 0, "stored": 0, "crc": 0})
    for attributes in (0x10, 0x20, 0o100644 << 16, 0o120777 << 16):
        yield f"attributes {attributes:#x}", lambda entry, attributes=attributes: changed(entry, attributes=attributes)
    for title, options in (("", {}), (" in the local header", {"where": ("local",)}), (" in the directory", {"where": ("central",)}),
                           (", unmasked", {"masked": False}), (", size 8", {"size": 8}), (", unmasked size 8", {"size": 8, "masked": False}),
                           (", stored size 8", {"stored": 8}), (", unmasked stored size 8", {"stored": 8, "masked": False}), (", size 2^40", {"size": 1 << 40}),
                           (" of the offset", {"where": ("central",), "offset": 0}), (" of the offset, unmasked", {"where": ("central",), "offset": 0, "masked": False})):
        yield f"64 bits{title}", lambda entry, options=options: zip64(entry, **options)
    for title, options in (("", {}), (" without signature", {"signature": False}), (" of 64 bits", {"wide": True}),
                           (" of 64 bits without signature", {"wide": True, "signature": False}), (" of other sizes", {"sizes": (1, 1)}), (" of another CRC", {"crc": 1})):
        yield f"descriptor{title}", lambda entry, options=options: descriptor(entry, **options)
        yield f"descriptor{title}, local sizes 0", lambda entry, options=options: changed(
            descriptor(entry, **options), local={**entry.local, "size": 0, "stored": 0, "crc": 0})
    for title, name in (("the same", None), ("another", b"archive/data/0"), ("the pickle's", b"archive/data.pkl"), ("a case", b"archive/DATA.pkl")):
        def second_name(entry, name=name):
            own = entry.name if name is None else name
            return changed(entry, extra=struct.pack("<HHBI", 0x7075, 5 + len(own), 1, binascii.crc32(entry.name)) + own)
        yield f"{title} name in an extra field", second_name
    for title, extra in (("padding of PyTorch", struct.pack("<HH", 0x4246, 8) + b"ZZZZZZZZ"), ("padding with data", struct.pack("<HH", 0x4246, 4) + b"ZZaZ"),
                         ("an extra field that is too long", struct.pack("<HH", 0x7777, 99)), ("times", struct.pack("<HHBI", 0x5455, 5, 1, 9)), ("three zeros", b"\0\0\0")):
        yield title, lambda entry, extra=extra: changed(entry, extra=extra)
        yield f"{title}, local only", lambda entry, extra=extra: changed(entry, local={**entry.local, "extra": extra})
        yield f"{title}, in the directory only", lambda entry, extra=extra: changed(entry, central={**entry.central, "extra": extra})
    for gap in (b"\0" * 8, b"\0" * 70000, b"gap", EVIL):
        yield f"a gap of {len(gap)} bytes of {gap[:1]!r}", lambda entry, gap=gap: changed(entry, gap=gap)


def lying_headers():
    lies = list(lies_of_headers())
    for (title, lie), method, place in itertools.product(lies, (0, 8), (0, 1)):
        members = copies(b"archive", CASES[:1], method) + storages(b"archive", 1, method) + small(b"archive")
        members[place] = lie(members[place])
        yield Archive(f"{title} of {'the pickle' if place == 0 else 'the storage'}, method {method}", members, (0, 1))
    for title, lie in lies:
        members = copies(b"archive", (b"data.pkl", b"other.pkl")) + storages(b"archive") + small(b"archive")
        members[1] = lie(members[1])
        yield Archive(f"{title} of another pickle", members, (0, 1))


def moved():
    """Directories whose records point at other members."""
    members = copies(b"archive", (b"data.pkl", b"other.pkl")) + storages(b"archive") + small(b"archive")
    at = [0]
    for entry in members:
        local, _ = headers(entry, pack(entry), at[-1])
        at.append(at[-1] + len(local) + len(pack(entry)))
    for record, target in itertools.product(range(3), range(len(members))):
        if record != target:
            lying = list(members)
            lying[record] = changed(lying[record], central={"offset": at[target]})
            yield Archive(f"record {record} points at member {target}", lying, (0, 1, 2))
    for shift in (-1, 1, 30):
        lying = list(members)
        lying[1] = changed(lying[1], central={"offset": at[1] + shift})
        yield Archive(f"record 1 is {shift:+} off", lying, (0, 1, 2))


def ends():
    """What stands around an archive and what its end records say."""
    members = copies(b"archive", (b"data.pkl", b"other.pkl")) + storages(b"archive") + small(b"archive")
    evil = zip_of(*[changed(members[0], content=EVIL), *members[1:]])
    plain = zip_of(*members)
    for prefix, adjusted in itertools.product((b"\0", b"\0" * 64, EVIL, good(MARKS[9]), evil, b"#!/bin/sh\n", b"PK\3\4"), (False, True)):
        yield Archive(f"behind {prefix[:8]!r} ({len(prefix)}), {'adjusted' if adjusted else 'raw'}", members, (0, 1), prefix=prefix, adjusted=adjusted)
    for suffix in (b"\0", b"\0" * 22, b"x" * 100, b"\0" * 70000, EVIL, evil, plain, evil[-22:], b"PK\5\6" + b"\0" * 18, b"PK\5\6"):
        yield Archive(f"in front of {suffix[:4]!r} ({len(suffix)})", members, (0, 1), suffix=suffix)
        yield Archive(f"comment {suffix[:4]!r} ({len(suffix)})", members, (0, 1), comment=suffix[:65535])
        yield Archive(f"comment {suffix[:4]!r} ({len(suffix)}), not counted", members, (0, 1), comment=suffix[:65535], end={"comment": 0})
        yield Archive(f"in front of the directory {suffix[:4]!r} ({len(suffix)})", members, (0, 1), before_directory=suffix)
    for field, values in {"disk": (1, 0xFFFF), "start_disk": (1,), "here": (0, 1, 4, 6, 0xFFFF), "entries": (0, 1, 4, 6, 0xFFFF),
                          "size": (0, 46, 0xFFFFFFFF), "offset": (0, 1, 0xFFFFFFFF), "comment": (1, 9)}.items():
        for value in values:
            yield Archive(f"end: {field} {value}", members, (0, 1), end={field: value})
            if field == "here":
                yield Archive(f"end: both counts {value}", members, (0, 1), end={"here": value, "entries": value})
    yield from ends64(members)
    yield from second_directories(members)


def end64(entries, size, offset, at, disks=1):
    """The end record of 64 bits, and its locator, which says that the record is at `at`."""
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, entries, entries, size, offset)
    return record + struct.pack("<IIQI", 0x07064B50, 0, at, disks)


def ends64(members):
    content = zip_of(*members)
    end = len(content) - 22
    size, offset = struct.unpack("<II", content[end + 12:end + 20])
    ones = {"here": 0xFFFF, "entries": 0xFFFF, "size": 0xFFFFFFFF, "offset": 0xFFFFFFFF}
    count = len(members)
    for masked, fields in (("", {}), (", masked", ones)):
        for title, values in (("right", (count, size, offset)), ("too few", (count - 1, size, offset)), ("too many", (count + 1, size, offset)),
                              ("another offset", (count, size, 0)), ("another size", (count, size - 1, offset)), ("huge", (1 << 40, size, offset))):
            yield Archive(f"end of 64 bits: {title}{masked}", members, (0, 1), before_end=end64(*values, end), end=fields)
        yield Archive(f"end of 64 bits: elsewhere{masked}", members, (0, 1), before_end=end64(count, size, offset, 0), end=fields)
        yield Archive(f"end of 64 bits: two disks{masked}", members, (0, 1), before_end=end64(count, size, offset, end, disks=2), end=fields)


def second_directories(members):
    """Two directories in one archive, of which records of 32 and of 64 bits name one each."""
    content = zip_of(*members)
    end = len(content) - 22
    size, offset = struct.unpack("<II", content[end + 12:end + 20])
    swapped = [changed(members[1], name=members[0].name), changed(members[0], name=members[1].name), *members[2:]]
    other = zip_of(*swapped)[offset:end]
    for behind in (False, True):
        for named in (0, 1):
            where = offset + size * named
            fields = {"offset": where, "size": size}
            options = {"before_end": other} if behind else {"before_directory": other}
            title = f"another directory {'behind' if behind else 'in front'}, the end names number {named}"
            yield Archive(title, members, (0, 1), end=fields, **options)
            more = {**options, "before_end": options.get("before_end", b"") + end64(len(members), size, where, end + size)}
            yield Archive(title + ", of 64 bits", members, (0, 1), **more)
            yield Archive(title + ", both", members, (0, 1), end={**fields, "offset": offset + size * (1 - named)}, **more)


def mixed(random, count):
    """Several copies of which each may lie, around each other, in any order."""
    lies = list(lies_of_headers())
    for number in range(count):
        names = [random.choice(CASES) if random.random() < 0.3 else random.choice((b"data.pkl", b"other.pkl", b"data.pkl.bak"))
                 for _ in range(random.randint(1, 4))]
        members = copies(b"archive", names, random.choice((0, 8))) + storages(b"archive", random.choice((1, 1, 2))) + small(b"archive")
        titles = []
        for _ in range(random.randint(1, 3)):
            place = random.randrange(len(members))
            title, lie = random.choice(lies)
            members[place] = lie(members[place])
            titles.append(f"{title} of {place}")
        order = random.sample(range(len(members)), len(members)) if random.random() < 0.5 else None
        yield Archive(f"mixed {number}: {[name.decode() for name in names]}, {'; '.join(titles)}, order {order}", members, range(len(names)), order=order)


def files(random):
    for family in (duplicates(), roots(), lying_headers(), moved(), ends(), mixed(random, 1000)):
        for archive in family:
            yield from archive.files()
