# SPDX-License-Identifier: Apache-2.0
"""Decoding of chunks, and the digests of content (spec sections 4 and 8)."""

import struct

import zstandard
from blake3 import blake3

from .. import constants as c
from .. import model, planes, tree, zstdframe
from . import malformed_unless, require


def decode_frame(stored, size):
    """[C-FRAME]. The header is read here: a library is only asked for what is left to check."""
    malformed_unless(len(stored) >= 6 and stored[:4] == zstdframe.MAGIC, "C-FRAME")
    descriptor, position = stored[4], 5
    single, window = descriptor >> 5 & 1, 0
    malformed_unless(descriptor & 8 == 0, "C-FRAME")
    if not single:
        window = (1 << 10 + (stored[5] >> 3)) // 8 * (8 + (stored[5] & 7))
        position += 1
    id_bytes = (0, 1, 2, 4)[descriptor & 3]
    malformed_unless(not any(stored[position:position + id_bytes]), "C-FRAME")
    position += id_bytes
    width = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    malformed_unless(width > 0 and len(stored) >= position + width, "C-FRAME")
    content = int.from_bytes(stored[position:position + width], "little") + (256 if width == 2 else 0)
    malformed_unless(content == size, "C-FRAME")
    malformed_unless((content if single else window) <= max(size, 128 << 10), "C-FRAME")
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    try:
        plain = decoder.decompress(stored)
    except zstandard.ZstdError:
        malformed_unless(False, "C-FRAME")
    malformed_unless(decoder.eof and not decoder.unused_data and len(plain) == size, "C-FRAME")
    return plain


def decode_planes(stored, layout, size):
    malformed_unless(layout != c.LAYOUT_BYTES, "C-PLANES")
    width = planes.WIDTH[layout]
    count, tail = divmod(size, width)
    malformed_unless(count >= 1, "C-PLANES-EMPTY")
    sizes = [count, count] + ([count * (width - 2)] if width > 2 else [])
    position = 1 + 5 * len(sizes)
    malformed_unless(len(stored) >= 1 and stored[0] == len(sizes), "C-PLANES")
    heads = []
    for i, plain in enumerate(sizes):
        malformed_unless(len(stored) >= 6 + 5 * i, "C-PLANES")
        method, length = struct.unpack_from("<BI", stored, 1 + 5 * i)
        require(method <= planes.ZSTD, "unsupported", "C-PLANES")
        malformed_unless(length == plain if method == planes.RAW else length < plain, "C-PLANES")
        heads.append((method, length))
    malformed_unless(position + sum(length for _, length in heads) + tail == len(stored), "C-PLANES")
    parts = []
    for (method, length), plain in zip(heads, sizes):
        part = stored[position:position + length]
        parts.append(part if method == planes.RAW else decode_frame(part, plain))
        position += length
    return b"".join(merge(layout, width, parts, i) for i in range(count)) + stored[position:]


def merge(layout, width, parts, i):
    if layout == c.LAYOUT_F16:
        return bytes([parts[1][i], parts[0][i]])
    top = parts[0][i] << 7 | parts[1][i] >> 7 << 15 | parts[1][i] & 0x7F
    low = parts[2][i * (width - 2):(i + 1) * (width - 2)] if width > 2 else b""
    return low + struct.pack("<H", top)


def decode_chunk(codec, layout, stored, size):
    if codec == c.CODEC_RAW:
        malformed_unless(len(stored) == size, "C-RAW")
        return stored
    return decode_frame(stored, size) if codec == c.CODEC_ZSTD else decode_planes(stored, layout, size)


def as_model(d, plains):
    """The directory's values as the model that the writer would take."""
    storages = [plains[number] for number in d["storages"]]
    types = [{
        **kind, "detail": kind["detail"].decode(),
        "fields": [{
            **f, "name": f["name"].decode()
        } for f in kind.get("fields", [])]
    } for kind in d.get("element_types", [])]
    names = {number: name for name, (number, _) in c.DTYPES.items()}
    tensors = [
        model.Tensor(t["name"], names.get(t["dtype"], t["dtype"]), t["shape"], t["storage"], t["byte_offset"],
                     t.get("strides"), t.get("element_type")) for t in d["tensors"]
    ]
    files = d.get("files", [])
    objects = [model.Object(c.KIND_STORAGE, plain) for plain in storages]
    objects += [model.Object(c.KIND_FILE, plains[file["object"]]) for file in files]
    return model.Model(objects=objects, storages=list(range(1,
                                                            len(storages) + 1)), element_types=types, tensors=tensors,
                       files=[model.File(file["path"],
                                         len(storages) + 1 + i) for i, file in enumerate(files)])


def check_values(m):
    """What a reader of plain bytes checks: bools, and the pad bits of packed elements."""
    for tensor in m.tensors:
        if tensor.dtype not in ("bool", "f4_e2m1", "f6_e2m3", "f6_e3m2"):
            continue
        plain = model.contiguous_bytes(m, tensor)
        if tensor.dtype == "bool":
            malformed_unless(set(plain) <= {0, 1}, "D-BOOL")
        else:
            count = 1
            for dimension in tensor.shape:
                count *= dimension
            used = count * model.element_bits(tensor, m.element_types) % 8
            malformed_unless(not used or plain[-1] >> used == 0, "D-PACKED")


def check_content(d, plains):
    m = as_model(d, plains)
    for entry, tensor in zip(d["tensors"], m.tensors):
        digest = blake3(model.contiguous_bytes(m, tensor)).digest()
        require(entry.get("digest", digest) == digest, "digest_mismatch", "D-DIGEST")
    require(model.tensor_digest(m) == d["tensor_digest"], "digest_mismatch", "G-TENSORS")
    nodes = [struct.unpack("<BBHI", row) for row in d["nodes"]]
    tables = tree.Tables([(kind, flags, count) for kind, flags, _, count in nodes], d["children"], bytes(d["payload"]))
    digest = model.content_digest(m, d["tensor_digest"], tables)
    require(digest == d["content_digest"], "digest_mismatch", "G-CONTENT")


def check_expansion(tensors, o, types):
    """[D-EXPANDED], for a call that copies these tensors at once."""
    wanted = sum(tensor_bytes(tensor, types) for tensor in tensors)
    objects = {o.d["storages"][tensor["storage"]] for tensor in tensors}
    there = sum(o.objects[number].plain_size for number in objects)
    require(wanted <= o.limits["alias_expansion"] * there, "limit", "D-EXPANDED")


def tensor_bytes(tensor, types):
    count = 1
    for dimension in tensor["shape"]:
        count *= dimension
    bits = dict(c.DTYPES.values()).get(tensor["dtype"]) or 8 * types[tensor["element_type"]]["item_size"]
    return (count * bits + 7) // 8
