# SPDX-License-Identifier: Apache-2.0
"""What a container holds: objects, tensors, files, the value tree, the digests of content (spec sections 3, 6, 8)."""

import copy
import itertools
import struct
from dataclasses import dataclass, field

from blake3 import blake3

from . import constants as c
from . import tree


def derive(context, data):
    return blake3(data, derive_key_context=context).digest()


@dataclass
class Object:
    """A byte string cut in chunks. `chunks` holds (codec, stored bytes) for each chunk; None stores them raw."""

    kind: int
    plain: bytes
    form: int = c.RAW
    layout: int = c.LAYOUT_BYTES
    chunks: list = None

    def stored_chunks(self, chunk_size):
        if self.chunks is not None:
            return self.chunks
        return [(c.CODEC_RAW, self.plain[i:i + chunk_size]) for i in range(0, len(self.plain), chunk_size)]


@dataclass
class Tensor:
    name: object  # str, or bytes for what is no UTF-8
    dtype: str
    shape: list
    storage: int = 0
    byte_offset: int = 0
    strides: list = None
    element_type: int = None


@dataclass
class File:
    path: str
    object: int
    media_type: str = "application/json"


@dataclass
class Model:
    objects: list  # object 0, the directory, is added when the container is built
    storages: list = field(default_factory=list)  # object numbers, from 1
    element_types: list = field(default_factory=list)  # dicts as flat.write takes them
    tensors: list = field(default_factory=list)
    files: list = field(default_factory=list)
    root: tree.Node = field(default_factory=lambda: tree.of(None))
    name: str = "acme/tiny"
    version: str = "1.0"
    sequence: int = 1
    chunk_size: int = c.CHUNK_SIZE
    metadata: list = field(default_factory=list)  # private: (key, value)


def element_bits(tensor, types):
    if tensor.dtype in c.DTYPES:
        return c.DTYPES[tensor.dtype][1]
    return 8 * types[tensor.element_type]["item_size"]


def dtype_number(dtype):
    return c.DTYPES[dtype][0] if dtype in c.DTYPES else dtype


def row_major(shape):
    strides, step = [0] * len(shape), 1
    for i in reversed(range(len(shape))):
        strides[i] = step
        step *= shape[i]
    return strides


def contiguous_bytes(model, tensor):
    """The elements in row-major order without gaps; dimensions of stride 0 count once for an expanded tensor."""
    bits = element_bits(tensor, model.element_types)
    plain = model.objects[model.storages[tensor.storage] - 1].plain
    count = 1
    for dimension in tensor.shape:
        count *= dimension
    if tensor.strides is None:
        return plain[tensor.byte_offset:tensor.byte_offset + (count * bits + 7) // 8]
    if count == 0:
        return b""
    shape = tensor.shape
    if is_expanded(model, tensor):
        shape = [1 if stride == 0 else size for size, stride in zip(tensor.shape, tensor.strides)]
    width = bits // 8
    out = bytearray()
    for index in itertools.product(*(range(size) for size in shape)):
        start = tensor.byte_offset + width * sum(i * s for i, s in zip(index, tensor.strides))
        out += plain[start:start + width]
    return bytes(out)


def is_expanded(model, tensor):
    count = 1
    for dimension in tensor.shape:
        count *= dimension
    total = (count * element_bits(tensor, model.element_types) + 7) // 8
    return total > 8 * len(model.objects[model.storages[tensor.storage] - 1].plain)


EXTENDED_NAMES = {
    c.BYTES: "bytes",
    c.TEXT: "text",
    c.VOID: "void",
    c.DATETIME64: "datetime64",
    c.TIMEDELTA64: "timedelta64",
    c.RECORD: "record",
    c.FOREIGN: "foreign"
}
DTYPE_NAMES = {number: name for name, (number, _) in c.DTYPES.items()}


def framed(text):
    return f"{len(text.encode())}'{text}"


def type_text(types, number):
    """The canonical text of an extended dtype."""
    kind = types[number]
    text = f"{EXTENDED_NAMES[kind['kind']]}:{kind['item_size']}:{framed(kind['detail'])}"
    if kind["kind"] != c.RECORD:
        return text
    parts = []
    for member in kind["fields"]:
        dtype = member["dtype"]
        inner = type_text(types, member["element_type"]) if dtype in EXTENDED_NAMES else DTYPE_NAMES[dtype]
        shape = ",".join(map(str, member.get("shape") or []))
        parts.append(f"{framed(member['name'])}@{member['offset']}:{inner}[{shape}]")
    return text + "{" + ",".join(parts) + "}"


def encoded(text):
    return text if isinstance(text, bytes) else text.encode()


def tensor_digest(model):
    out = struct.pack("<Q", len(model.tensors))
    for tensor in sorted(model.tensors, key=lambda t: encoded(t.name)):
        name = encoded(tensor.name)
        out += struct.pack("<I", len(name)) + name + struct.pack("<B", dtype_number(tensor.dtype))
        if tensor.element_type is not None:
            out += blake3(type_text(model.element_types, tensor.element_type).encode()).digest()
        out += struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        out += blake3(contiguous_bytes(model, tensor)).digest()
    return derive(c.TENSOR_DIGEST, out)


def content_digest(model, tensors, tables):
    out = tensors + struct.pack("<Q", len(model.files))
    for file in sorted(model.files, key=lambda f: encoded(f.path)):
        path, plain = encoded(file.path), model.objects[file.object - 1].plain
        out += struct.pack("<I", len(path)) + path + struct.pack("<Q", len(plain)) + blake3(plain).digest()
    out += struct.pack("<I", len(tables.nodes)) + b"".join(tables.node_bytes())
    out += struct.pack(f"<I{len(tables.children)}I", len(tables.children), *tables.children)
    out += struct.pack("<Q", len(tables.payload)) + tables.payload
    return derive(c.CONTENT_DIGEST, out)


def directory(model, tables):
    """The directory's values, for flat.write: hooks may change them, so they are no part of the model."""
    tensors = []
    for tensor in model.tensors:
        entry = {
            "name": tensor.name,
            "dtype": dtype_number(tensor.dtype),
            "shape": list(tensor.shape),
            "storage": tensor.storage,
            "byte_offset": tensor.byte_offset
        }
        if tensor.strides is not None:
            entry["strides"] = tensor.strides
        if tensor.element_type is not None:
            entry["element_type"] = tensor.element_type
        if not is_expanded(model, tensor):
            entry["digest"] = blake3(contiguous_bytes(model, tensor)).digest()
        tensors.append(entry)
    digest = tensor_digest(model)
    return {
        "storages": list(model.storages),
        "element_types": copy.deepcopy(model.element_types),
        "tensors": tensors,
        "files": [{
            "path": f.path,
            "media_type": f.media_type,
            "object": f.object
        } for f in model.files],
        "nodes": tables.node_bytes(),
        "children": tables.children,
        "payload": tables.payload,
        "metadata": [{
            "key": key,
            "value": value
        } for key, value in model.metadata],
        "tensor_digest": digest,
        "content_digest": content_digest(model, digest, tables),
    }
