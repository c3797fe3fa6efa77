# SPDX-License-Identifier: Apache-2.0
"""D: the directory: tensors, storages, element types and files."""

import struct

from .. import constants as c
from .. import tree
from ..flat import SCHEMAS
from ..model import File, Model, Tensor
from .base import CONFIG, WEIGHTS, file, leaf, one, setting, storage, tiny, vector

U64 = 1 << 64


def vectors():
    yield vector("D0-ok", "ok", "D-NAMES D-VIEW D-STRIDES D-ORPHAN D-DIGEST D-REQUIRED",
                 "two tensors on one storage, one of them transposed", model=views(), at="content")
    yield from required()
    yield from names()
    yield from shapes()
    yield from overflows()
    yield from strides()
    yield from odd_but_good()
    yield from packed_and_bool()
    yield from records()
    yield from references()
    yield from digests()


def views(**changes):
    model = Model(objects=[storage(WEIGHTS)], storages=[1],
                  tensors=[Tensor("a", "f32", [2, 2]),
                           Tensor("b", "f32", [2, 2], strides=[1, 2])], root=tree.of({
                               "a": tree.tensor(0),
                               "b": tree.tensor(1)
                           }))
    for name, value in changes.items():
        setattr(model, name, value)
    return model


def tensor(number=0, **values):
    """A hook that changes fields of a tensor after the digests were made."""
    return lambda directory: directory["tensors"][number].update(values)


def required():
    for name, _ in SCHEMAS["Directory"]:
        if name not in ("element_types", "files", "metadata"):
            yield vector(f"M4-directory-no-{name.replace('_', '-')}", "malformed", "D-REQUIRED",
                         f"the directory has no {name}", twin="D0-ok", model=views(), directory=setting(**{name: None}))
    for name in ("name", "dtype", "shape", "storage", "byte_offset"):
        yield vector(f"M4-tensor-no-{name.replace('_', '-')}", "malformed", "D-REQUIRED", f"a tensor has no {name}",
                     twin="D0-ok", model=views(), directory=tensor(**{name: None}))
    for name in ("path", "media_type", "object"):
        yield vector(f"M4-file-no-{name.replace('_', '-')}", "malformed", "D-REQUIRED", f"a file has no {name}",
                     twin="M0-ok", directory=lambda d, n=name: d["files"][0].update({n: None}))


def names():
    two = {"a": tree.tensor(0), "b": tree.tensor(1)}
    for name, first, second, reason in [
        ("descending", "b", "a", "names that descend"),
        ("equal", "a", "a", "two tensors of one name"),
        ("empty", "", "b", "an empty name"),
        ("ff", "a", b"\xff", "a name that is no UTF-8"),
        ("overlong", "a", b"b\xc0\xaf", "a name with an overlong character"),
        ("surrogate", "a", b"b\xed\xa0\x80", "a name with a lone surrogate"),
        ("nul", "a", "b\0", "a name with NUL"),
        ("newline", "a", "b\n", "a name with a line feed"),
        ("escape", "a", "b\x1b[2J", "a name with ESC"),
        ("del", "a", "b\x7f", "a name with DEL"),
        ("c1", "a", "b\x9b", "a name with a C1 control"),
    ]:
        yield vector(
            f"D1-{name}", "malformed", "D-NAMES", reason, twin="D1-utf8-ok", model=views(root=tree.of(two)),
            directory=lambda d, f=first, s=second:
            (d["tensors"][0].update(name=f), d["tensors"][1].update(name=s)) and None)
    good = views(tensors=[Tensor("größe", "f32", [2, 2]), Tensor("重み/~0", "f32", [2, 2], strides=[1, 2])])
    yield vector("D1-utf8-ok", "ok", "D-NAMES", "names in UTF-8, ascending by bytes", model=good, at="content")
    yield vector("D1-name-long", "limit", "L-LIMITS", "a name of one byte more than the limit",
                 twin="D1-name-longest-ok", options={"limits": ["name_bytes=16"]},
                 model=tiny(tensors=[Tensor("n" * 17, "f32", [2, 2])]))
    yield vector("D1-name-longest-ok", "ok", "L-LIMITS", "a name as long as the limit",
                 options={"limits": ["name_bytes=16"]}, model=tiny(tensors=[Tensor("n" * 16, "f32", [2, 2])]))
    yield vector("D1-rank-65", "limit", "L-LIMITS", "65 dimensions", twin="D1-rank-64-ok",
                 directory=tensor(shape=[1] * 64 + [4]))
    yield vector("D1-rank-64-ok", "ok", "L-LIMITS", "64 dimensions", at="content",
                 model=tiny(tensors=[Tensor("w", "f32", [1] * 63 + [4])]))
    yield vector("D1-tensors-over", "limit", "L-LIMITS", "more tensors than the limit", twin="D0-ok", model=views(),
                 options={"limits": ["tensors=1"]})
    yield vector("D10-directory-over", "limit", "L-LIMITS", "a directory larger than its limit", twin="D0-ok",
                 model=views(), options={"limits": ["directory_bytes=64"]})


def shapes():
    for name, shape, reason in [
        ("product-wraps", [1 << 32, 1 << 32], "2^32 x 2^32 wraps to zero"),
        ("product-wraps-63", [1 << 63, 2], "2^63 x 2 wraps to zero"),
        ("product-wraps-to-size", [(1 << 62) + 1, 4], "wraps to the right number of elements"),
        ("bytes-wrap", [(1 << 62) + 4], "elements x width wraps to the right number of bytes"),
        ("zero-hides-wrap", [0, 1 << 32, 1 << 32], "a zero dimension in front of dimensions that overflow"),
        ("zero-behind-wrap", [1 << 63, 2, 0], "a zero dimension behind dimensions that overflow"),
        ("too-many", [2, 3], "more elements than the storage has"),
        ("one-more", [5], "one element more than the storage has"),
        ("largest", [U64 - 1], "2^64-1 elements"),
    ]:
        spec = "D-VIEW"
        yield vector(f"D2-{name}" if "wrap" in name else f"D3-{name}", "malformed", spec, reason, twin="P0-ok",
                     directory=tensor(shape=shape))
    for name, values, reason in [
        ("offset-outside", {
            "byte_offset": 20
        }, "an offset behind the storage"),
        ("offset-at-end", {
            "byte_offset": 16
        }, "an offset at the end of the storage"),
        ("offset-shifts-out", {
            "byte_offset": 4
        }, "offset + extent leaves the storage"),
        ("offset-wraps", {
            "byte_offset": U64 - 8
        }, "offset + extent wraps"),
        ("offset-in-element", {
            "byte_offset": 2,
            "shape": [2]
        }, "an offset that is no multiple of the element"),
        ("dtype-wider", {
            "dtype": 13
        }, "a wider dtype than the storage has bytes for"),
    ]:
        yield vector(f"D3-{name}", "malformed", "D-VIEW", reason, twin="P0-ok", directory=tensor(**values))
    for dtype in (0, 25, 31, 39, 255):
        yield vector(f"M5-dtype-{dtype}", "unsupported", "D-DTYPE", f"dtype {dtype}", twin="P0-ok",
                     directory=tensor(dtype=dtype))
    yield vector(
        "D3-element-type-on-plain", "malformed", "D-DTYPE", "an element type beside a dtype that has none",
        twin="P0-ok", directory=lambda d: (d.update(element_types=[{
            "kind": c.VOID,
            "item_size": 4,
            "detail": ""
        }]), d["tensors"][0].update(element_type=0)) and None)


def overflows():
    """What must fit 64 bits although no element needs it."""
    yield vector("D2-zero-behind-large-ok", "ok", "D-VIEW", "2^62 x 0 elements of four bytes", at="content",
                 model=tiny(tensors=[Tensor("w", "f32", [1 << 62, 0])]))
    yield vector("D2-zero-before-large-ok", "ok", "D-VIEW D-STRIDES", "0 x (2^63-1), an implied stride of 2^63-1",
                 at="content", model=tiny(tensors=[Tensor("w", "u8", [0, (1 << 63) - 1])]))
    for name, dtype, shape, twin in [
        ("stride-implied", "u8", [0, 1 << 63], "D2-zero-before-large-ok"),
        ("stride-implied-product", "u8", [0, 1 << 32, 1 << 31], "D2-zero-before-large-ok"),
        ("packed-product", "f4_e2m1", [0, 1 << 32, 1 << 32], "D2-zero-behind-large-ok"),
    ]:
        yield vector(f"D2-{name}", "malformed", "D-VIEW D-STRIDES", "dimensions beside a zero that reach too far",
                     twin=twin, model=tiny(tensors=[Tensor("w", dtype, shape)]))
    yield vector("D2-expanded-bytes", "malformed", "D-VIEW", "2^62 times one element of four bytes",
                 twin="D4-expanded-ok", model=tiny(tensors=[Tensor("w", "f32", [1 << 62], strides=[0])]))


def strides():
    for name, values, reason in [
        ("count", {
            "strides": [1]
        }, "fewer strides than dimensions"),
        ("count-more", {
            "strides": [1, 2, 1]
        }, "more strides than dimensions"),
        ("negative", {
            "strides": [U64 - 2, 1],
            "byte_offset": 8
        }, "a negative stride"),
        ("wrap", {
            "strides": [1 << 63, 1]
        }, "a stride whose extent wraps"),
        ("wrap-sum", {
            "strides": [(1 << 63) - 1, (1 << 63) - 1],
            "shape": [3, 3]
        }, "strides whose extents wrap together"),
        ("leave", {
            "strides": [3, 1]
        }, "strides that leave the storage"),
        ("redundant", {
            "strides": [2, 1]
        }, "strides that follow from the shape"),
        ("wrap-bytes", {
            "strides": [1 << 62, 1]
        }, "an extent whose bytes wrap"),
    ]:
        spec = "D-STRIDES" if name in ("count", "count-more", "redundant") else "D-VIEW"
        yield vector(f"D3-strides-{name}", "malformed", spec, reason, twin="D0-ok", directory=tensor(**values))
    expanded = Tensor("w", "f32", [1 << 40], strides=[0])
    yield vector("D4-expanded-ok", "ok", "D-VIEW D-EXPANDED", "stride 0 over 2^40 elements is a view", at="content",
                 model=tiny(tensors=[expanded]))
    copied = Tensor("w", "f32", [64], strides=[0])
    yield vector("D4-expanded-copied", "limit", "L-LIMITS D-EXPANDED", "copies of more than 8 times the storage",
                 at="load", twin="D4-expanded-ok", model=tiny(tensors=[copied]))
    yield vector("D4-eightfold-ok", "ok", "D-EXPANDED", "copies of 8 times the storage", at="content",
                 model=tiny(tensors=[Tensor("w", "f32", [32], strides=[0])]))
    columns = [Tensor(f"c{i:02}", "u8", [4], byte_offset=i, strides=[16]) for i in range(16)]
    yield vector("D4-interleaved-ok", "ok", "L-DECODE", "the columns of a matrix, each a tensor", at="content",
                 model=Model(objects=[storage(bytes(range(64)))], storages=[1], tensors=columns))
    eightfold = [Tensor(name, "f32", [32], storage=i, strides=[0]) for i, name in enumerate("vw")]
    yield vector(
        "D4-storages-one-object", "limit", "D-EXPANDED D-STORAGE",
        "copies of 8 times each of two storages that are one object", at="load", twin="D4-storages-two-objects-ok",
        model=Model(objects=[storage(WEIGHTS)], storages=[1, 1], tensors=eightfold))
    yield vector("D4-storages-two-objects-ok", "ok", "D-EXPANDED D-STORAGE",
                 "copies of 8 times each of two storages that are two objects", at="content",
                 model=Model(objects=[storage(WEIGHTS), storage(WEIGHTS)], storages=[1, 2], tensors=eightfold))
    yield vector("D4-expanded-digest", "malformed", "D-DIGEST", "an expanded tensor with a digest",
                 twin="D4-expanded-ok", model=tiny(tensors=[expanded]), directory=tensor(digest=bytes(32)))
    yield vector("D4-no-digest", "malformed", "D-DIGEST", "a tensor without a digest that is not expanded",
                 twin="D4-eightfold-ok", directory=tensor(digest=None))


def odd_but_good():
    yield vector(
        "D5-shapes-ok", "ok", "D-VIEW", "rank 0, no elements, overlapping views, tied names", at="content", model=Model(
            objects=[storage(WEIGHTS)], storages=[1], tensors=[
                Tensor("empty", "f32", [0, 3]),
                Tensor("empty-at-end", "f32", [0], byte_offset=16),
                Tensor("overlap", "f32", [3], byte_offset=4),
                Tensor("scalar", "f32", [], byte_offset=12),
                Tensor("tied", "f32", [4]),
                Tensor("tied-again", "f32", [4])
            ], root=tree.tensor(4)))
    floats = struct.pack("<8I", 0x7F800001, 0xFFBFFFFF, 0x7FC00000, 0x80000000, 1, 0x807FFFFF, 0x7F800000, 0xFF7FFFFF)
    yield vector("D5-floats-ok", "ok", "D-VIEW", "signalling NaN, quiet NaN, -0, denormals, infinity: all kept",
                 at="content", model=one(floats, "f32"))
    every = Model(
        objects=[storage(bytes([1, 0] * 16))], storages=[1], tensors=[
            Tensor(f"{number:02}", name, [1]) for name, (number, _) in c.DTYPES.items()
            if not name.startswith(("f4", "f6"))
        ], root=tree.tensor(0))
    yield vector("D5-dtypes-ok", "ok", "D-DTYPE", "every dtype of whole bytes", at="content", model=every)


def packed(dtype, shape, plain):
    return Model(objects=[storage(plain)], storages=[1], tensors=[Tensor("w", dtype, shape)], root=tree.tensor(0))


def packed_and_bool():
    yield vector("D6-f4-ok", "ok", "D-PACKED", "three f4_e2m1 in two bytes", at="content",
                 model=packed("f4_e2m1", [3], b"\x21\x03"))
    yield vector("D6-f6-ok", "ok", "D-PACKED", "three f6_e3m2 in 18 bits", at="content",
                 model=packed("f6_e3m2", [3], b"\xff\xff\x03"))
    yield vector("D6-f4-pad", "malformed", "D-PACKED", "the pad nibble is not zero", at="load", twin="D6-f4-ok",
                 model=packed("f4_e2m1", [3], b"\x21\x13"))
    yield vector("D6-f6-pad", "malformed", "D-PACKED", "a pad bit is not zero", at="load", twin="D6-f6-ok",
                 model=packed("f6_e3m2", [3], b"\xff\xff\x07"))
    yield vector("D6-f4-strided", "malformed", "D-PACKED", "packed elements with strides", twin="D6-f4-ok",
                 model=packed("f4_e2m1", [2, 2], b"\x21\x43"), directory=tensor(strides=[1, 2]))
    yield vector("D6-f4-outside", "malformed", "D-VIEW", "five elements in two bytes", twin="D6-f4-ok",
                 model=packed("f4_e2m1", [3], b"\x21\x03"), directory=tensor(shape=[5]))
    yield vector("D7-bool-ok", "ok", "D-BOOL", "bool bytes are 0 and 1", at="content", model=one(b"\0\1\1", "bool"))
    for value in (2, 255):
        yield vector(f"D7-bool-{value}", "malformed", "D-BOOL", f"a bool byte of {value}", at="load", twin="D7-bool-ok",
                     model=one(bytes([0, 1, value]), "bool"))


def record_type(fields, size=8, kind=c.RECORD, detail=""):
    return {"kind": kind, "item_size": size, "detail": detail, "fields": fields}


def member(name, dtype, offset, **options):
    return {"name": name, "dtype": dtype, "offset": offset, "shape": [], **options}


def structured(types, number=None):
    number = len(types) - 1 if number is None else number
    size = types[number]["item_size"]
    return Model(objects=[storage(bytes(2 * size))], storages=[1], element_types=types,
                 tensors=[Tensor("w", types[number]["kind"], [2], element_type=number)], root=tree.tensor(0))


def records():
    fields = [member("a", 6, 0), member("b", 4, 4, shape=[2])]
    good = structured([record_type(fields)])
    yield vector("D8-record-ok", "ok", "D-TYPES", "a record of u32 and two u16", at="content", model=good)
    yield vector(
        "D8-types-ok", "ok", "D-TYPES", "each extended kind, a record in a record", at="content", model=Model(
            objects=[storage(bytes(32))], storages=[1], root=tree.tensor(0),
            element_types=[{
                "kind": c.BYTES,
                "item_size": 3,
                "detail": ""
            }, {
                "kind": c.TEXT,
                "item_size": 8,
                "detail": ""
            },
                           {
                               "kind": c.VOID,
                               "item_size": 5,
                               "detail": ""
                           }, {
                               "kind": c.DATETIME64,
                               "item_size": 8,
                               "detail": "ns"
                           }, {
                               "kind": c.TIMEDELTA64,
                               "item_size": 8,
                               "detail": "25us"
                           },
                           record_type(fields),
                           record_type(
                               [member("r", c.RECORD, 0, element_type=5),
                                member("s", c.BYTES, 8, element_type=0)], 12), {
                                    "kind": c.FOREIGN,
                                    "item_size": 2,
                                    "detail": "float_of_others"
                                }],
            tensors=[
                Tensor(f"t{i}", kind, [1], element_type=i)
                for i, kind in enumerate(
                    [c.BYTES, c.TEXT, c.VOID, c.DATETIME64, c.TIMEDELTA64, c.RECORD, c.RECORD, c.FOREIGN])
            ]))
    for name, types, reason in [
        ("overlap", [record_type([member("a", 6, 0), member("b", 4, 2)])], "fields that overlap"),
        ("leave", [record_type([member("a", 6, 0), member("b", 6, 6)])], "a field that leaves the item"),
        ("leave-shape", [record_type([member("a", 6, 0, shape=[3])])], "a subarray that leaves the item"),
        ("shape-wraps", [record_type([member("a", 6, 0, shape=[1 << 32, 1 << 32])])], "a subarray whose size wraps"),
        ("repeat", [record_type([member("a", 6, 0), member("a", 6, 4)])], "two fields of one name"),
        ("empty-name", [record_type([member("", 6, 0)])], "a field without a name"),
        ("no-fields", [record_type([])], "a record without fields"),
        ("size-zero", [record_type(fields), {
            "kind": c.VOID,
            "item_size": 0,
            "detail": ""
        }], "an item of no bytes"),
        ("self", [record_type([member("a", c.RECORD, 0, element_type=0)])], "a record that contains itself"),
        ("later", [record_type([member("a", c.RECORD, 0, element_type=1)]),
                   record_type(fields)], "a field of a type that stands behind"),
        ("fields-of-void", [record_type(fields, kind=c.VOID)], "fields of a type that is no record"),
        ("packed-field", [record_type([member("a", 21, 0)])], "a field of less than a byte"),
        ("packed-field-pair", [record_type([member("a", 21, 0, shape=[2])])], "two packed elements in a byte"),
        ("time-size", [{
            "kind": c.DATETIME64,
            "item_size": 4,
            "detail": "ns"
        }], "a datetime64 of four bytes"),
        ("text-size", [{
            "kind": c.TEXT,
            "item_size": 6,
            "detail": ""
        }], "UTF-32 in six bytes"),
        ("time-unit", [{
            "kind": c.DATETIME64,
            "item_size": 8,
            "detail": "n s"
        }], "a unit that is no word"),
        ("void-detail", [{
            "kind": c.VOID,
            "item_size": 8,
            "detail": "x"
        }], "a detail where there is none"),
        ("plain-kind", [record_type(fields), {
            "kind": 12,
            "item_size": 4,
            "detail": ""
        }], "an element type for f32"),
    ]:
        yield vector(
            f"D8-{name}", "malformed", "D-TYPES", reason, twin="D8-record-ok", model=good, directory=lambda d, t=types:
            (d.update(element_types=t), d["tensors"][0].update(dtype=t[0]["kind"], element_type=0)) and None)
    yield vector("D8-type-outside", "malformed", "D-DTYPE", "an element type that does not exist", twin="D8-record-ok",
                 model=good, directory=tensor(element_type=1))
    yield vector("D8-type-missing", "malformed", "D-DTYPE", "a record without an element type", twin="D8-record-ok",
                 model=good, directory=tensor(element_type=None))
    yield vector("M5-element-kind-39", "unsupported", "D-DTYPE", "an unknown kind of element type", twin="D8-record-ok",
                 model=good, directory=lambda d: d["element_types"][0].update(kind=39))

    def nested(depth):
        types = [record_type([member("a", 2, 0)], 1)]
        for number in range(1, depth):
            types.append(record_type([member("a", c.RECORD, 0, element_type=number - 1)], 1))
        return structured(types)

    yield vector("D8-nested-16-ok", "ok", "D-TYPES L-LIMITS", "records nested 16 deep", model=nested(16))
    yield vector("D8-nested-17", "limit", "L-LIMITS", "records nested 17 deep", twin="D8-nested-16-ok",
                 model=nested(17))
    yield vector("D8-detail-long", "limit", "D-TYPES L-LIMITS", "a detail of 17 bytes where 16 are allowed",
                 twin="D8-record-ok", model=good, options={"limits": ["name_bytes=16"]},
                 directory=lambda d: d["element_types"][0].update(detail="x" * 17))
    yield vector("D8-fields-over", "limit", "L-LIMITS", "more fields than the limit", twin="D8-record-ok", model=good,
                 options={"limits": ["record_fields=1"]})


def references():
    yield vector("D9-storage-outside", "malformed", "D-STORAGE", "a tensor on a storage that does not exist",
                 twin="P0-ok", directory=tensor(storage=1))
    yield vector("D9-storage-huge", "malformed", "D-STORAGE", "storage 2^32-1", twin="P0-ok",
                 directory=tensor(storage=(1 << 32) - 1))
    for name, number, reason in [("outside", 3, "an object that does not exist"), ("file", 2, "a file"),
                                 ("directory", 0, "the directory")]:
        yield vector(f"D9-storage-on-{name}", "malformed", "D-STORAGE D-ORPHAN", f"a storage that names {reason}",
                     twin="P0-ok", directory=setting(storages=[number]))
    for name, number, reason in [("outside", 3, "an object that does not exist"), ("storage", 1, "a storage"),
                                 ("directory", 0, "the directory")]:
        yield vector(f"D9-file-on-{name}", "malformed", "D-FILES D-ORPHAN", f"a file that names {reason}", twin="P0-ok",
                     directory=lambda d, n=number: d["files"][0].update(object=n))
    yield vector("D9-orphan-storage", "malformed", "D-ORPHAN", "a storage object that nothing names", twin="P0-ok",
                 model=tiny(objects=[storage(WEIGHTS), file(CONFIG), storage(b"hidden")]))
    yield vector("D9-orphan-file", "malformed", "D-ORPHAN", "a file object that nothing names", twin="P0-ok",
                 model=tiny(objects=[storage(WEIGHTS), file(CONFIG), file(b"hidden")]))
    yield vector("D9-unused-storage", "malformed", "D-ORPHAN", "a storage that no tensor uses", twin="P0-ok",
                 model=tiny(objects=[storage(WEIGHTS), file(CONFIG), storage(b"hidden")], storages=[1, 3]))
    yield vector(
        "D9-shared-object-ok", "ok", "D-STORAGE D-ORPHAN",
        "two storages, and two files, of equal content share objects", at="content",
        model=tiny(storages=[1, 1], tensors=[Tensor("a", "f32", [4], 0),
                                             Tensor("b", "f32", [4], 1)], files=[File("a.json", 2),
                                                                                 File("b.json", 2)]))
    yield vector("D9-no-tensors-ok", "ok", "D-REQUIRED", "no tensors, no files: a value tree alone", at="content",
                 model=leaf({"a": 1}))


def digests():

    def wrong(name):
        return lambda d: d.update({name: bytes([d[name][0] ^ 1]) + d[name][1:]})

    yield vector("D12-tensor", "digest_mismatch", "D-DIGEST", "a tensor's digest is not that of its bytes",
                 at="content", twin="P0-ok", directory=tensor(digest=bytes(32)))
    yield vector("D12-tensor-digest", "digest_mismatch", "G-TENSORS", "the tensor digest is wrong", at="content",
                 twin="P0-ok", directory=wrong("tensor_digest"))
    yield vector("D12-content-digest", "digest_mismatch", "G-CONTENT", "the content digest is wrong", at="content",
                 twin="P0-ok", directory=wrong("content_digest"))
    yield vector("D12-strided", "digest_mismatch", "D-DIGEST",
                 "a digest of the bytes as stored, not as read by its strides", at="content", twin="D0-ok",
                 model=views(), directory=lambda d: d["tensors"][1].update(digest=d["tensors"][0]["digest"]))
