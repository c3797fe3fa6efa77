# SPDX-License-Identifier: Apache-2.0
"""M: the manifest, and what holds for the directory's FlatBuffer too."""

import struct

from .. import constants as c
from ..flat import SCHEMAS
from ..model import Model, Object, Tensor
from ..tree import tensor
from .base import one, setting, storage, tiny, vector

METADATA = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]


def vectors():
    yield vector(
        "M0-ok", "ok", "M-REQUIRED M-UTF8 M-VTABLE M-SUITE M-NAME M-VERSION M-SEQUENCE M-CREATED M-CHUNK-SIZE "
        "M-METADATA M-REGIONS B-VERIFY", "metadata in both tables, no extension", at="content",
        model=tiny(metadata=[("k", "v")]), manifest=setting(metadata=METADATA))
    yield from buffers()
    yield from strings()
    yield from required()
    yield from numbers()
    yield from vtables()
    yield from extensions()
    yield from alignment_and_slack()
    yield from metadata()
    yield from chunk_sizes()
    yield from objects()
    yield from sizes()
    yield from names()


def buffers():
    """M2: what the FlatBuffers verifier finds, in both buffers. `text` is a string, `list_` a vector of the buffer."""
    for which, text, list_, scalar in [("manifest", "name", "metadata", "sequence"),
                                       ("directory", "tensors[0].name", "tensors", "tensors[0].byte_offset")]:
        table = scalar.rpartition(".")[0]
        schema = {"manifest": "Manifest", "directory": "Tensor"}[which]
        slot = [name for name, _ in SCHEMAS[schema]].index(scalar.rpartition(".")[2])

        def broken(name, change, reason, which=which):
            return vector(f"M2-{which}-{name}", "malformed", "B-VERIFY", reason, twin="M0-ok",
                          model=tiny(metadata=[("k", "v")]), **{
                              "manifest": setting(metadata=METADATA),
                              f"{which}_buffer": change
                          })

        yield broken("identifier", lambda b: b.put_bytes("identifier", 0, b"XXXX"), "another file identifier")
        yield broken("root-zero", lambda b: b.put("root", "<I", 0), "the root offset is zero")
        yield broken("root-negative", lambda b: b.put("root", "<i", -8), "the root offset is negative")
        yield broken("root-beyond", lambda b: b.put("root", "<I", len(b.data)), "the root table lies past the end")
        yield broken("root-odd", lambda b: b.put("root", "<I", b.get("root", "<I") + 1), "the root table is misaligned")
        yield broken("vtable-outside", lambda b, t=table: b.put(t + ".table", "<i", 1 << 30),
                     "a vtable before the buffer")
        yield broken("vtable-behind", lambda b, t=table: b.put(t + ".table", "<i", -(1 << 30)),
                     "a vtable behind the buffer")
        yield broken("vtable-odd-size", lambda b, t=table: b.put(t + ".vtable", "<H",
                                                                 b.get(t + ".vtable", "<H") + 1),
                     "a vtable of odd size")
        yield broken("vtable-short", lambda b, t=table: b.put(t + ".vtable", "<H", 2), "a vtable shorter than its head")
        yield broken("vtable-long", lambda b, t=table: b.put(t + ".vtable", "<H", 0xFFFE), "a vtable past the end")
        yield broken(
            "field-outside",
            lambda b, t=table, s=slot: struct.pack_into("<H", b.data, b.marks[t + ".vtable"][0] + 4 + 2 * s, 0xFFF8),
            "a field outside the buffer")
        yield broken(
            "field-misaligned", lambda b, t=table, s=slot: struct.pack_into(
                "<H", b.data, b.marks[t + ".vtable"][0] + 4 + 2 * s,
                struct.unpack_from("<H", b.data, b.marks[t + ".vtable"][0] + 4 + 2 * s)[0] + 4),
            "a scalar off its alignment")
        yield broken("vector-outside", lambda b, v=list_: b.put(v + ".slot", "<I", 1 << 20), "a vector past the end")
        yield broken("vector-long", lambda b, v=list_: b.put(v, "<I", 1 << 16), "a vector longer than the buffer")
        yield broken("vector-longest", lambda b, v=list_: b.put(v, "<I", (1 << 32) - 1), "a vector of 2^32-1 elements")
        yield broken("element-outside", lambda b, v=list_: b.put(f"{v}[0].slot", "<I", 1 << 20), "a table past the end")
        yield broken("string-outside", lambda b, x=text: b.put(x + ".slot", "<I", 1 << 20), "a string past the end")
        yield broken("string-long", lambda b, x=text: b.put(x, "<I", 1 << 30), "a string longer than the buffer")
        yield broken("string-open", lambda b, x=text: b.put_bytes(x, 4 + b.get(x, "<I"), b"x"),
                     "a string without its terminating zero")


BAD_UTF8 = [("overlong", b"\xc0\xaf"), ("overlong-zero", b"a\xc0\x80"), ("surrogate", b"\xed\xa0\x80"), ("ff", b"\xff"),
            ("cut", b"\xe2\x82"), ("beyond", b"\xf4\x90\x80\x80"), ("nul", b"a\0b")]


def strings():
    for name, text in BAD_UTF8:
        yield vector(f"M3-metadata-{name}", "malformed", "M-UTF8", "a metadata value that is no UTF-8 without NUL",
                     twin="M0-ok", manifest=setting(metadata=[{
                         "key": "a",
                         "value": text
                     }]))
        yield vector(f"M3-directory-{name}", "malformed", "M-UTF8",
                     "a private metadata value that is no UTF-8 without NUL", twin="M0-ok",
                     model=tiny(metadata=[("k", text)]))
    yield vector("M3-key-ff", "malformed", "M-UTF8", "a metadata key that is no UTF-8", twin="M0-ok",
                 manifest=setting(metadata=[{
                     "key": b"\xff",
                     "value": "1"
                 }]))
    yield vector("M3-extension-ff", "malformed", "M-UTF8", "an extension's name that is no UTF-8",
                 twin="M7-not-critical-ok", manifest=setting(extensions=[{
                     "name": b"\xff",
                     "critical": False
                 }]))


def required():
    optional = {"encryption", "metadata", "extensions"}
    for name, _ in SCHEMAS["Manifest"]:
        if name not in optional:
            yield vector(f"M4-no-{name.replace('_', '-')}", "malformed", "M-REQUIRED", f"the manifest has no {name}",
                         twin="M0-ok", manifest=setting(**{name: None}))
    for name in ("key", "value"):
        yield vector(f"M4-metadata-no-{name}", "malformed", "M-REQUIRED", f"a metadata entry has no {name}",
                     twin="M0-ok", manifest=setting(metadata=[{
                         "key": "a",
                         "value": "1",
                         name: None
                     }]))
    for name in ("name", "critical"):
        yield vector(f"M4-extension-no-{name}", "malformed", "M-REQUIRED", f"an extension has no {name}",
                     twin="M7-not-critical-ok", manifest=setting(extensions=[{
                         "name": "x",
                         "critical": False,
                         name: None
                     }]))


def record(number, **values):

    def change(layout):
        for name, value in values.items():
            setattr(layout.objects[number], name, value)

    return change


def numbers():
    for suite in (0, 2, 255):
        yield vector(f"M5-suite-{suite}", "unsupported", "M-SUITE", f"suite {suite}", twin="M0-ok",
                     manifest=setting(suite=suite))
    for kind in (0, 4, 255):
        yield vector(f"M5-kind-{kind}", "unsupported", "O-KIND", f"object kind {kind}", twin="M0-ok",
                     layout=record(1, kind=kind))
    for form in (0, 3, 255):
        yield vector(f"M5-form-{form}", "unsupported", "O-FORM", f"storage form {form}", twin="M0-ok",
                     layout=record(1, form=form))
    for layout in (5, 255):
        yield vector(f"M5-layout-{layout}", "unsupported", "O-LAYOUT", f"element layout {layout}", twin="M0-ok",
                     layout=record(1, layout=layout))
    yield vector("M5-object-reserved", "malformed", "O-RESERVED", "the reserved byte of an object record is not zero",
                 twin="M0-ok", layout=record(1, reserved=1))
    yield vector("M5-object-salt", "malformed", "O-RESERVED", "a salt in a container that is not encrypted",
                 twin="M0-ok", layout=record(1, salt=bytes(31) + b"\1"))


def vtables():
    """M6: with our own minor there may be no field that a reader of this version does not show."""
    with_metadata = setting(metadata=METADATA, extensions=[])
    for where, steps in [
        ("manifest", {
            "manifest_slots": {
                "": 1
            }
        }),
        ("metadata", {
            "manifest_slots": {
                "metadata[0]": 1
            }
        }),
        ("directory", {
            "directory_slots": {
                "": 1
            }
        }),
        ("tensor", {
            "directory_slots": {
                "tensors[0]": 1
            }
        }),
        ("file", {
            "directory_slots": {
                "files[0]": 1
            }
        }),
    ]:
        yield vector(f"M6-vtable-{where}", "malformed", "M-VTABLE",
                     f"a field behind the last one of the schema ({where})",
                     twin=f"M6-newer-minor-{where}-ok" if where in ("manifest", "directory") else "M0-ok",
                     manifest=with_metadata, **steps)
        if where in ("manifest", "directory"):
            yield vector(f"M6-newer-minor-{where}-ok", "ok", "M-VTABLE P-MINOR", "a newer minor may have more fields",
                         manifest=setting(metadata=METADATA, extensions=[], minor=1), **steps)


def extensions():
    for name, expect, code, listed in [
        ("critical", "unsupported", None, [{
            "name": "acme/x",
            "critical": True,
            "data": b"1"
        }]),
        ("critical-among-others", "unsupported", None, [{
            "name": "a",
            "critical": False
        }, {
            "name": "b",
            "critical": True
        }, {
            "name": "c",
            "critical": False
        }]),
        ("not-critical-ok", "ok", None, [{
            "name": "acme/x",
            "critical": False,
            "data": b"1"
        }]),
        ("twice", "malformed", None, [{
            "name": "x",
            "critical": False
        }, {
            "name": "x",
            "critical": False
        }]),
        ("descending", "malformed", None, [{
            "name": "y",
            "critical": False
        }, {
            "name": "x",
            "critical": False
        }]),
        ("empty-name", "malformed", None, [{
            "name": "",
            "critical": False
        }]),
    ]:
        yield vector(
            f"M7-{name}", expect, "M-CRITICAL" if "critical" in name else "M-EXTENSIONS",
            "an extension that this version does not know" if "critical" in name else
            "names of extensions ascend strictly and are not empty", code=code,
            at="content" if expect == "ok" else "open", twin=None if expect == "ok" else "M7-not-critical-ok",
            manifest=setting(extensions=listed))
    yield vector("M7-newer-minor-critical", "unsupported", "M-CRITICAL P-MINOR",
                 "a newer minor with a critical extension", twin="P2-newer-minor-1-ok",
                 manifest=setting(minor=1, extensions=[{
                     "name": "acme/x",
                     "critical": True
                 }]))
    two = [{"name": "a", "critical": False}, {"name": "b", "critical": False}]
    yield vector("M7-too-many", "limit", "L-LIMITS", "more extensions than the limit", twin="M7-not-critical-ok",
                 options={"limits": ["extensions=1"]}, manifest=setting(extensions=two))


def share(path, other):
    """A hook that makes the reference at `path` point to what `other` refers to."""

    def change(buffer):
        buffer.put(path + ".slot", "<I", buffer.marks[other][0] - buffer.marks[path + ".slot"][0])

    return change


def alignment_and_slack():
    yield vector("M10-odd-offset-ok", "ok", "F-TILES M-SLACK", "the manifest lies at an odd offset of the file",
                 at="content", directory_buffer=lambda b: b.data.append(0))
    yield vector("M11-slack-ok", "ok", "M-SLACK", "bytes that nothing references: signed, and not to be excluded",
                 at="content", manifest_buffer=lambda b: b.data.extend(b"nothing refers to this"))
    yield vector("M11-shared-string-ok", "ok", "M-SLACK", "key and value are the same bytes", at="content",
                 manifest=setting(metadata=[{
                     "key": "a",
                     "value": "b"
                 }]), manifest_buffer=share("metadata[0].value", "metadata[0].key"))
    yield from shared_tables()
    for which in ("manifest", "directory"):
        yield vector(f"M10-table-length-{which}-ok", "ok", "B-VERIFY", "a vtable states another length of its table",
                     at="content", **{f"{which}_buffer": lambda b: b.put_bytes(".vtable", 2, b"\xff\xff")})
    for name, expect, value in [("empty-ok", "ok", []), ("filled", "malformed", [1])]:
        yield vector(f"M10-odd-vector-{name}", expect, "B-VERIFY", "64-bit numbers off their alignment",
                     twin="M10-odd-vector-empty-ok" if value else None, at="open" if value else "content",
                     model=one(b"\7", shape=value), directory_buffer=lambda b, v=value: move_odd(b, v))
    for name, expect, size in [("longest-ok", "ok", 16), ("long", "limit", 17)]:
        yield vector(f"M7-name-{name}", expect, "M-EXTENSIONS L-LIMITS", f"a name of {size} bytes where 16 are allowed",
                     twin=None if expect == "ok" else "M7-name-longest-ok", options={"limits": ["name_bytes=16"]},
                     manifest=setting(extensions=[{
                         "name": "x" * size,
                         "critical": False
                     }]))
    for name, expect, count in [("ok", "ok", 8), ("over", "limit", 20)]:
        yield vector(f"M11-text-{name}", expect, "M-SLACK L-LIMITS",
                     f"a value of 300 bytes that {count} keys have in common",
                     twin=None if expect == "ok" else "M11-text-ok", manifest=setting(metadata=common(count)),
                     manifest_buffer=share_all([f"metadata[{i}].value" for i in range(count)]))
    yield vector("M7-critical-2", "unsupported", "M-CRITICAL", "a bool is true when it is not 0",
                 twin="M7-not-critical-ok", manifest=setting(extensions=[{
                     "name": "x",
                     "critical": 2
                 }]))


def move_odd(buffer, numbers):
    """Moves a tensor's shape to a place whose numbers are aligned to 4 and not to 8."""
    while len(buffer.data) % 8:
        buffer.data.append(0)
    buffer.put("tensors[0].shape.slot", "<I", len(buffer.data) - buffer.marks["tensors[0].shape.slot"][0])
    buffer.data += struct.pack(f"<I{len(numbers)}Q", len(numbers), *numbers)


def common(count):
    """Entries of metadata, of which only the last has its value yet."""
    return [{"key": chr(ord("a") + i), "value": "v" * 300 if i == count - 1 else ""} for i in range(count)]


def share_all(paths):
    """A hook that makes references to the last of several values of all of them."""

    def change(buffer):
        for path in paths[:-1]:
            share(path, paths[-1])(buffer)

    return change


def shared_tables():
    """Whatever is shared counts as often as it is referred to."""
    void = {"kind": c.VOID, "item_size": 1, "detail": ""}
    record = {
        "kind": c.RECORD,
        "item_size": 1,
        "detail": "",
        "fields": [{
            "name": "a",
            "dtype": 2,
            "offset": 0,
            "shape": []
        }]
    }

    def typed(kind):
        return Model(objects=[storage(bytes(2))], storages=[1], element_types=[kind, kind], root=tensor(0), tensors=[
            Tensor(name, kind["kind"], [1], byte_offset=i, element_type=i) for i, name in enumerate("ab")
        ])

    yield vector("M11-shared-table-ok", "ok", "M-SLACK B-VERIFY", "two element types are one table", at="content",
                 model=typed(void), directory_buffer=share_table("element_types[1]", "element_types[0]"))
    fields = share("element_types[0].fields", "element_types[1].fields")
    yield vector("M11-shared-fields-ok", "ok", "M-SLACK B-VERIFY", "two records have their fields in common",
                 at="content", model=typed(record), directory_buffer=fields, options={"limits": ["record_fields=2"]})
    yield vector("M11-shared-fields", "limit", "M-SLACK L-LIMITS", "fields in common count for each record",
                 twin="M11-shared-fields-ok", model=typed(record), directory_buffer=fields,
                 options={"limits": ["record_fields=1"]})


def share_table(path, other):
    """A hook that makes two references to tables one."""

    def change(buffer):
        buffer.put(path + ".slot", "<I", buffer.marks[other + ".table"][0] - buffer.marks[path + ".slot"][0])

    return change


def metadata():
    for name, entries in [
        ("descending", [{
            "key": "b",
            "value": "1"
        }, {
            "key": "a",
            "value": "2"
        }]),
        ("equal", [{
            "key": "a",
            "value": "1"
        }, {
            "key": "a",
            "value": "1"
        }]),
        ("empty-key", [{
            "key": "",
            "value": "1"
        }]),
    ]:
        yield vector(f"M12-{name}", "malformed", "M-METADATA", "metadata keys ascend strictly and are not empty",
                     twin="M0-ok", manifest=setting(metadata=entries))
        yield vector(f"M12-directory-{name}", "malformed", "M-METADATA",
                     "private metadata keys ascend strictly and are not empty", twin="M0-ok",
                     model=tiny(metadata=[(e["key"], e["value"]) for e in entries]))
    for name, limit in [("entries", "metadata_entries=1"), ("bytes", "metadata_bytes=3")]:
        yield vector(f"M12-{name}", "limit", "L-LIMITS", "one more than the limit allows", twin=f"M12-{name}-ok",
                     options={"limits": [limit]}, manifest=setting(metadata=METADATA))
        yield vector(f"M12-directory-{name}", "limit", "L-LIMITS", "one more than the limit allows",
                     twin=f"M12-{name}-ok", options={"limits": [limit]}, model=tiny(metadata=[("a", "1"), ("b", "2")]))
    yield vector("M12-entries-ok", "ok", "L-LIMITS", "as many as the limit allows", manifest=setting(metadata=METADATA),
                 options={"limits": ["metadata_entries=2"]}, model=tiny(metadata=[("a", "1"), ("b", "2")]))
    yield vector("M12-bytes-ok", "ok", "L-LIMITS", "as many as the limit allows", manifest=setting(metadata=METADATA),
                 options={"limits": ["metadata_bytes=4"]}, model=tiny(metadata=[("a", "1"), ("b", "2")]))


def chunk_sizes():
    for size in (0, 4095, 4097, 12288, (1 << 32) - 1):
        yield vector(f"M13-chunk-size-{size}", "malformed", "M-CHUNK-SIZE", "no power of two", twin="M0-ok",
                     manifest=setting(chunk_size=size))
    for size in (1, 2048, 1 << 27, 1 << 31):
        yield vector(f"M13-chunk-size-{size}", "limit", "M-CHUNK-SIZE L-LIMITS", "a power of two outside the limits",
                     twin="M0-ok", manifest=setting(chunk_size=size))


def objects():
    yield vector("M14-no-objects", "malformed", "M-COUNTS", "no objects at all", twin="M0-ok",
                 manifest=setting(object_count=0))
    yield vector("M14-no-directory", "malformed", "O-DIRECTORY", "object 0 is a storage", twin="M0-ok",
                 layout=record(0, kind=c.KIND_STORAGE))
    yield vector("M14-second-directory", "malformed", "O-DIRECTORY", "object 1 is a directory too", twin="M0-ok",
                 layout=record(1, kind=c.KIND_DIRECTORY))
    yield vector("M14-empty-directory", "malformed", "O-DIRECTORY", "the directory has no bytes", twin="M0-ok",
                 directory_object=lambda object_: Object(c.KIND_DIRECTORY, b""))
    for count in ((1 << 22) + 1, (1 << 32) - 1):
        yield vector(f"M14-objects-{count}", "limit", "L-LIMITS", "more objects than the limit", twin="M0-ok",
                     manifest=setting(object_count=count))
    yield vector("M14-chunks-over", "limit", "L-LIMITS", "more chunks than the limit", twin="M0-ok",
                 manifest=setting(chunk_count=(1 << 28) + 1))
    yield vector("M14-chunks-wrap", "limit", "L-LIMITS", "48 × chunks wraps", twin="M0-ok",
                 manifest=setting(chunk_count=(1 << 64) // 48 + 1))


def sizes():
    empty = one(b"", shape=[0])
    yield vector("M15-empty-ok", "ok", "O-COUNT O-EMPTY", "an object without bytes has no chunk", model=empty,
                 at="content")
    yield vector("M15-empty-with-chunk", "malformed", "O-COUNT", "an object without bytes has a chunk",
                 twin="M15-empty-ok", model=one(b"", shape=[0], objects=[storage(b"", chunks=[(c.CODEC_RAW, b"x")])]))
    yield vector("M15-empty-coded", "malformed", "O-EMPTY", "an object without bytes is not raw", twin="M15-empty-ok",
                 model=one(b"", shape=[0], chunks=[]))
    yield vector("M15-empty-elsewhere", "malformed", "O-EMPTY", "an empty object that lies inside another",
                 twin="M15-empty-ok", model=empty, layout=record(1, offset=80))
    for name, change in [("low", {"plain_size": 4097}), ("high", {"chunk_count": 2}), ("zero", {"chunk_count": 0})]:
        yield vector(f"M15-count-{name}", "malformed", "O-COUNT",
                     "the chunk count is not ceil(plain size / chunk size)", twin="M0-ok", layout=record(1, **change))
    for name, size in [("over", (1 << 46) + 1), ("2-63", 1 << 63), ("2-64", (1 << 64) - 1)]:
        yield vector(f"M15-plain-{name}", "limit", "L-LIMITS", "over the limit on plain bytes, which is asked first",
                     twin="M0-ok", layout=record(1, plain_size=size))
    yield vector("M15-plain-sum", "limit", "L-LIMITS", "plain sizes that only together are over the limit",
                 twin="M0-ok", options={"limits": ["total_plain_bytes=20"]}, model=one(b"x" * 16))
    yield vector("M15-first-chunk", "malformed", "O-FIRST", "first chunk is not the sum of the counts before",
                 twin="M0-ok", layout=record(1, first_chunk=2))
    yield vector("M15-chunk-sum", "malformed", "M-COUNTS", "the chunk counts do not sum up to the manifest's",
                 twin="M0-ok", layout=lambda layout: layout.records[2].append(layout.records[2][0]))


def names():
    for name, text in [("empty", ""), ("at", "a@b"), ("space", "a b"), ("control", "a\tb"), ("cyrillic", "аcme"),
                       ("slash-first", "/a"), ("slash-last", "a/"), ("slash-twice", "a//b"), ("backslash", "a\\b"),
                       ("dot", "a/./b"), ("dot-dot", "a/.."), ("dot-alone", ".")]:
        yield vector(f"M16-name-{name}", "malformed", "M-NAME", "a model name with what names may not hold",
                     twin="M0-ok", manifest=setting(name=text))
    for name, text in [("empty", ""), ("slash", "1/2"), ("space", "1 "), ("plus", "1+2")]:
        yield vector(f"M16-version-{name}", "malformed", "M-VERSION", "a version with what versions may not hold",
                     twin="M0-ok", manifest=setting(version=text))
    yield vector("M16-longest-name-ok", "ok", "M-NAME M-VERSION", "255 bytes each",
                 model=tiny(name="n" * 255, version="1" * 255))
    yield vector("M16-name-long", "limit", "M-NAME L-LIMITS", "256 bytes of name", twin="M16-longest-name-ok",
                 model=tiny(name="n" * 256))
    yield vector("M16-version-long", "limit", "M-VERSION L-LIMITS", "256 bytes of version", twin="M16-longest-name-ok",
                 model=tiny(version="1" * 256))
    for name, created in [("negative", -1), ("year-10000", 253402300800), ("huge", (1 << 63) - 1)]:
        yield vector(f"M16-created-{name}", "malformed", "M-CREATED", "no time that a calendar date has", twin="M0-ok",
                     manifest=setting(created=created))
    for sequence in (1 << 53, (1 << 64) - 1):
        yield vector(f"M16-sequence-{sequence}", "limit", "M-SEQUENCE L-LIMITS",
                     "a sequence that JSON cannot hold exactly", twin="M16-sequence-largest-ok",
                     manifest=setting(sequence=sequence))
    yield vector("M16-sequence-largest-ok", "ok", "M-SEQUENCE", "2^53-1", model=tiny(sequence=(1 << 53) - 1))
