# SPDX-License-Identifier: Apache-2.0
"""The directory: tensors, element types, files (spec section 6)."""

from .. import constants as c
from ..flat import SCHEMAS
from ..model import row_major
from . import malformed_unless, require
from .container import check_metadata, has_controls
from .flat import Reader
from .tree import check_tree

MOST_STRIDE = (1 << 63) - 1
U64 = (1 << 64) - 1
BITS = {number: bits for number, bits in c.DTYPES.values()}
DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"
           } | {port + digit
                for port in ("com", "lpt")
                for digit in "123456789\u00b9\u00b2\u00b3"}


def fold(text):
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def check_label(text, limits, rule):
    """The rules of tensor names."""
    require(len(text) <= limits["name_bytes"], "limit", rule)
    malformed_unless(text and not has_controls(text), rule)


def check_path(path, limits):
    malformed_unless(not has_controls(path) and b"\\" not in path and b":" not in path, "D-PATHS")
    parts = path.decode().split("/")
    require(len(parts) <= limits["path_components"], "limit", "L-LIMITS")
    for part in parts:
        malformed_unless(part not in ("", ".", ".."), "D-PATHS")
        require(len(part.encode()) <= limits["path_component_bytes"], "limit", "L-LIMITS")
        malformed_unless(part[-1] not in ". ", "D-PATHS")
        require(fold(part) not in (".git", "git~1"), "unsafe", "D-GIT")
        malformed_unless(fold(part).split(".")[0].rstrip(" ") not in DEVICES, "D-PATHS")


def check_files(files, objects, limits, used):
    last = b""
    for file in files:
        for name, _ in SCHEMAS["File"]:
            malformed_unless(name in file, "D-REQUIRED")
        require(len(file["path"]) <= 256 * limits["path_components"], "limit", "L-LIMITS")
        check_path(file["path"], limits)
        malformed_unless(file["path"] > last, "D-FILES")
        require(len(file["media_type"]) <= limits["name_bytes"], "limit", "D-FILES")
        malformed_unless(not has_controls(file["media_type"]), "D-FILES")
        last = file["path"]
    folded = [fold(file["path"].decode()) for file in files]
    malformed_unless(len(set(folded)) == len(folded), "D-PATHS")
    for path in folded:
        malformed_unless(not any(other.startswith(path + "/") for other in folded), "D-PATHS")
    for file in files:
        malformed_unless(file["object"] < len(objects), "D-FILES")
        malformed_unless(objects[file["object"]].kind == c.KIND_FILE, "D-FILES")
        used.add(file["object"])


def dtype_bits(entry, types):
    dtype = entry["dtype"]
    require(dtype in BITS or c.BYTES <= dtype <= c.FOREIGN, "unsupported", "D-DTYPE")
    malformed_unless((dtype >= c.BYTES) == ("element_type" in entry), "D-DTYPE")
    if dtype in BITS:
        return BITS[dtype]
    malformed_unless(entry["element_type"] < len(types), "D-DTYPE")
    malformed_unless(types[entry["element_type"]]["kind"] == dtype, "D-DTYPE")
    return 8 * types[entry["element_type"]]["item_size"]


def count_of(shape):
    """The number of elements; non-zero dimensions may not overflow beside a zero one."""
    product = 1
    for dimension in shape:
        product *= dimension or 1
        malformed_unless(product <= U64, "D-VIEW")
    return 0 if 0 in shape else product


def check_types(types, limits):
    fields, depths = 0, []
    for number, kind in enumerate(types):
        for name in ("kind", "item_size", "detail"):
            malformed_unless(name in kind, "D-REQUIRED")
        require(kind["kind"] in BITS or c.BYTES <= kind["kind"] <= c.FOREIGN, "unsupported", "D-DTYPE")
        malformed_unless(kind["kind"] >= c.BYTES and kind["item_size"] >= 1, "D-TYPES")
        check_detail(kind, limits)
        members = kind.get("fields", [])
        malformed_unless(bool(members) == (kind["kind"] == c.RECORD), "D-TYPES")
        fields += len(members)
        require(fields <= limits["record_fields"], "limit", "L-LIMITS")
        depth = check_fields(kind, members, types[:number], depths, limits) + (kind["kind"] == c.RECORD)
        require(depth <= limits["record_depth"], "limit", "L-LIMITS")
        depths.append(depth)


def check_detail(kind, limits):
    detail, size = kind["detail"], kind["item_size"]
    require(len(detail) <= limits["name_bytes"], "limit", "D-TYPES")
    if kind["kind"] == c.FOREIGN:
        check_label(detail, limits, "D-TYPES")
    elif kind["kind"] in (c.DATETIME64, c.TIMEDELTA64):
        malformed_unless(size == 8 and len(detail) <= 32, "D-TYPES")
        malformed_unless(not detail or detail.isalnum(), "D-TYPES")
    else:
        malformed_unless(not detail and (kind["kind"] != c.TEXT or size % 4 == 0), "D-TYPES")


def check_fields(kind, members, earlier, depths, limits):
    depth, places, names = 0, [], set()
    for member in members:
        for name in ("name", "dtype", "offset"):
            malformed_unless(name in member, "D-REQUIRED")
        check_label(member["name"], limits, "D-TYPES")
        malformed_unless(member["name"] not in names, "D-TYPES")
        names.add(member["name"])
        bits, shape = dtype_bits(member, earlier), member.get("shape", [])
        require(len(shape) <= limits["rank"], "limit", "L-LIMITS")
        malformed_unless(bits % 8 == 0, "D-TYPES")
        end = member["offset"] + count_of(shape) * bits // 8
        malformed_unless(end <= kind["item_size"], "D-TYPES")
        places.append((member["offset"], end))
        if member["dtype"] >= c.BYTES:
            depth = max(depth, depths[member["element_type"]])
    end = 0
    for begin, stop in sorted(place for place in places if place[0] < place[1]):
        malformed_unless(begin >= end, "D-TYPES")
        end = stop
    return depth


def is_expanded(tensor, types, objects, storages):
    total = (count_of(tensor["shape"]) * dtype_bits(tensor, types) + 7) // 8
    return total > 8 * objects[storages[tensor["storage"]]].plain_size


def check_tensor(tensor, last, types, storages, objects, limits):
    for name in ("name", "dtype", "shape", "storage", "byte_offset"):
        malformed_unless(name in tensor, "D-REQUIRED")
    check_label(tensor["name"], limits, "D-NAMES")
    malformed_unless(tensor["name"] > last, "D-NAMES")
    shape, bits = tensor["shape"], dtype_bits(tensor, types)
    require(len(shape) <= limits["rank"], "limit", "L-LIMITS")
    malformed_unless(tensor["storage"] < len(storages), "D-STORAGE")
    count = count_of(shape)
    if "strides" in tensor:
        strides = tensor["strides"]
        malformed_unless(len(strides) == len(shape), "D-STRIDES")
        malformed_unless(strides != row_major([d or 1 for d in shape]), "D-STRIDES")
        malformed_unless(bits % 8 == 0, "D-PACKED")
    else:
        strides = row_major([d or 1 for d in shape])
    malformed_unless(all(stride <= MOST_STRIDE for stride in strides), "D-STRIDES")
    extent = 0 if count == 0 else 1 + sum((d - 1) * s for d, s in zip(shape, strides))
    size = objects[storages[tensor["storage"]]].plain_size
    malformed_unless(extent <= U64 and count * (bits if bits % 8 else bits // 8) <= U64, "D-VIEW")
    malformed_unless(bits % 8 or tensor["byte_offset"] % (bits // 8) == 0, "D-VIEW")
    malformed_unless(tensor["byte_offset"] + (extent * bits + 7) // 8 <= size, "D-VIEW")
    malformed_unless(("digest" in tensor) != is_expanded(tensor, types, objects, storages), "D-DIGEST")


def parse_directory(data, manifest, objects, limits):
    bounds = {
        "tensors": limits["tensors"],
        "files": limits["files"],
        "metadata": limits["metadata_entries"],
        "element_types": limits["element_types"],
        "nodes": limits["tree_nodes"],
        "storages": limits["tensors"]
    }
    d = Reader(data, "Directory", b"SMD1", limits["directory_bytes"], bounds, manifest["minor"] <= c.MINOR).root
    for name in ("storages", "tensors", "nodes", "children", "payload", "tensor_digest", "content_digest"):
        malformed_unless(name in d, "D-REQUIRED")
    storages, types, used = d["storages"], d.get("element_types", []), set()
    for number in storages:
        malformed_unless(number < len(objects) and objects[number].kind == c.KIND_STORAGE, "D-STORAGE")
        used.add(number)
    check_types(types, limits)
    last = b""
    for tensor in d["tensors"]:
        check_tensor(tensor, last, types, storages, objects, limits)
        last = tensor["name"]
    check_files(d.get("files", []), objects, limits, used)
    malformed_unless({t["storage"] for t in d["tensors"]} == set(range(len(storages))), "D-ORPHAN")
    malformed_unless(used == set(range(1, len(objects))), "D-ORPHAN")
    check_tree(d, limits)
    check_metadata(d.get("metadata", []), limits)
    return d
