#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The older layouts of PyTorch. Saves with torch.save's legacy layout and with plain pickle, writes tar files the way torch
0.1.1 did, converts them, and compares every value, every tensor bit for bit, and which tensors share memory. Then the
files of gopickle, whose values are known from its tests. Usage: SAFEMODEL_CLI=… python torch_legacy_test.py"""

import io
import itertools
import json
import os
import pickle
import struct
import sys
import tarfile
import tempfile

try:
    import blake3
    import torch
    from torch import nn

    import compare
    import torch_test
    from compare import Mismatch
    from torch_test import TorchComparison
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)


class Count:
    def __init__(self):
        self.files = self.values = self.tensors = self.failures = 0

    def check(self, name, path, value, protocol, layout, memory=True):
        """Converts `path` and compares it with `value`."""
        self.files += 1
        try:
            document = compare.convert(path)
            found = layout_of(path)
            if found != layout:
                raise Mismatch(f"is {found}, not {layout}")
            comparison = TorchComparison(document, protocol)
            comparison.run(value)
            if memory:
                comparison.finish()
            self.values += comparison.checked_values
            self.tensors += comparison.checked_tensors
        except Mismatch as error:
            print(f"{name}: {error}")
            self.failures += 1

    def refused(self, name, path, code):
        self.files += 1
        try:
            compare.convert(path)
        except Mismatch as error:
            if code not in str(error):
                print(f"{name}: refused with another word: {error}")
                self.failures += 1
        else:
            print(f"{name}: was converted")
            self.failures += 1


def layout_of(path):
    document = json.loads(compare.run("inspect", f"{path}.safemodel", "--json"))
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if "source.layout" in node:
                return node["source.layout"]
            pending.extend(node.values())
        elif isinstance(node, list):
            if len(node) == 2 and node[0] == "source.layout":
                return node[1]
            pending.extend(node)
    raise Mismatch("inspect names no layout")


def legacy(folder, count):
    path = os.path.join(folder, "legacy.pt")
    for name, value, protocol in torch_test.cases():
        torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
        count.check(f"legacy: {name}", path, value, protocol, "torch-legacy")
    net, optimizer, _ = torch_test.trained()
    for protocol in (2, 3, 4, 5):
        adam = torch.optim.Adam(net.parameters())
        adam.load_state_dict(optimizer.state_dict())
        value = {"net": [net.state_dict(), {"again": net.state_dict()}], "adam": adam.state_dict()}
        torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
        count.check(f"legacy: nested, protocol {protocol}", path, value, protocol, "torch-legacy")


def pickled_cases():
    net, optimizer, _ = torch_test.trained()
    cases = {f"dtype {name}": tensor for name, tensor in torch_test.dtypes()}
    cases |= {"state dict": net.state_dict(), "checkpoint": {"net": net.state_dict(), "adam": optimizer.state_dict()}}
    cases |= {"large": torch.arange(600_000.0), "parameter": nn.Parameter(torch.randn(3)), "view": torch.arange(12.0)[3:9:2]}
    return cases | {"twice": [cases["large"], cases["large"]], "module": nn.Sequential(nn.Linear(2, 3), nn.ReLU())}


def pickled(folder, count):
    """pickle.dump writes every storage as a file of its own: what it reads back shares no memory."""
    path = os.path.join(folder, "plain.pkl")
    for (name, value), protocol in itertools.product(pickled_cases().items(), (2, 3, 4, 5)):
        with open(path, "wb") as file:
            pickle.dump(value, file, protocol=protocol)
        try:
            with open(path, "rb") as file:
                back = pickle.load(file)  # written just above
        except AttributeError:  # torch does not load its own untyped storages from this layout
            back = value
        count.check(f"pickle: {name}, protocol {protocol}", path, back, protocol, "pickle")


OLD_TYPES = {
    torch.float32: "Float", torch.float64: "Double", torch.float16: "Half", torch.int64: "Long", torch.int32: "Int",
    torch.int16: "Short", torch.int8: "Char", torch.uint8: "Byte",
}  # fmt: skip


class Name:
    """Pickled as a global of torch that no longer exists under this name or pickles differently."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return self.name


def dump_global(value, protocol):
    """A pickle of `value` in which every Name is a plain import from torch."""

    class Pickler(pickle._Pickler):
        def save(self, obj, save_persistent_id=True):
            if isinstance(obj, Name):
                return self.write(pickle.GLOBAL + b"torch\n" + obj.name.encode() + b"\n")
            return super().save(obj, save_persistent_id)

    buffer = io.BytesIO()
    Pickler(buffer, protocol).dump(value)
    return buffer.getvalue()


def old_save(obj, path, protocol, tar_format, parts=()):
    """Writes `obj` as torch.save of 0.1.1 did. `parts` are tensors whose storage becomes a part of another one's."""
    tensors, storages = {}, {}

    class Pickler(pickle._Pickler):
        def persistent_id(self, value):
            if isinstance(value, torch.Tensor):
                tensors[id(value)] = value
                return id(value)
            return None

    objects = io.BytesIO()
    Pickler(objects, protocol).dump(obj)

    views = []
    for tensor in tensors.values():
        storage = tensor.untyped_storage()
        storages.setdefault(storage.data_ptr(), (storage, tensor.dtype))
    storage_bytes = dump_global(len(storages), protocol)
    for key, (storage, dtype) in storages.items():
        storage_bytes += dump_global((key, "cpu", Name(OLD_TYPES[dtype] + "Storage")), protocol)
        storage_bytes += struct.pack("<q", storage.nbytes() // dtype.itemsize) + bytes(storage.tolist())
    keys = {}
    for tensor in parts:  # a storage key of its own for exactly the elements of a contiguous tensor
        key = id(tensor) ^ 1 << 62
        keys[id(tensor)] = key
        views.append((key, tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.numel()))
    storage_bytes += dump_global(views, protocol)

    tensor_bytes = dump_global(len(tensors), protocol)
    for key, tensor in tensors.items():
        part = key in keys
        storage = keys[key] if part else tensor.untyped_storage().data_ptr()
        tensor_bytes += dump_global((key, storage, Name(OLD_TYPES[tensor.dtype] + "Tensor")), protocol)
        tensor_bytes += struct.pack("<i", tensor.dim()) + b"\x5a\x5a\x5a\x5a"
        offset = 0 if part else tensor.storage_offset()
        tensor_bytes += struct.pack(f"<{2 * tensor.dim() + 1}q", *tensor.shape, *tensor.stride(), offset)
    info = {"protocol_version": 1000, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    members = {
        "sys_info": pickle.dumps(info, protocol=protocol), "pickle": objects.getvalue(), "storages": storage_bytes,
        "tensors": tensor_bytes,
    }  # fmt: skip
    with tarfile.open(path, "w:", format=tar_format) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def same(path, left, right):
    if isinstance(left, dict):
        assert list(left) == list(right), path
        for key in left:
            same(f"{path}.{key}", left[key], right[key])
    elif isinstance(left, list):
        assert len(left) == len(right), path
        for i, pair in enumerate(zip(left, right)):
            same(f"{path}[{i}]", *pair)
    elif isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype and left.stride() == right.stride() and torch.equal(left, right), path
    else:
        assert left == right, path


def tars(folder, count):
    path = os.path.join(folder, "old.tar")
    base = torch.arange(24.0).reshape(4, 6)
    part = torch.arange(10)[2:6]
    # data_ptr of an empty storage is 0, so there is none here.
    value = {
        "types": [torch.tensor([1, 2, 3]).to(dtype) for dtype in OLD_TYPES], "base": base, "turned": base.t(),
        "window": base[1:3, ::2], "part": part, "again": base, "epoch": 3, "text": "\u00e4", "loss": [0.5, None, True],
    }  # fmt: skip
    formats = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    for (name, tar_format), protocol in itertools.product(formats.items(), (1, 2, 3, 4)):
        old_save(value, path, protocol, tar_format, parts=[part])
        same("root", value, torch.load(path, weights_only=False))  # torch itself reads what was written just above
        count.check(f"tar: {name}, protocol {protocol}", path, value, protocol, "torch-tar")


class Exploit:
    def __reduce__(self):
        return os.system, ("true",)


def hostile_tars(folder, count):
    """Every pickle in the archive is judged."""
    path = os.path.join(folder, "hostile.tar")
    for victim in ("sys_info", "pickle", "storages", "tensors", "other"):
        old_save({"a": torch.ones(2)}, path, 2, tarfile.PAX_FORMAT)
        with tarfile.open(path) as tar:
            members = {member.name: tar.extractfile(member).read() for member in tar}
        members[victim] = pickle.dumps(Exploit(), protocol=2)
        with tarfile.open(path, "w:") as tar:
            for name, data in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        count.refused(f"tar: a program in {victim}", path, "GLOBAL-DANGEROUS")


def corpus(folder, count):
    """gopickle's tests state the values: ten types, protocols 1 to 5, both layouts."""
    source = os.environ.get("SAFEMODEL_SOURCE_DIR", os.path.join(os.path.dirname(__file__), "../.."))
    files = os.path.join(source, "../shared/corpus/real/gopickle/pytorch/testdata")
    if not os.path.isdir(files):
        print("skipped: the corpus real/gopickle is absent")
        return
    floats, integers = [1.2, -3.4, 5.6, -7.8], [1, -2, 3, -4]
    values = {"bool": [True, False, True, False], "uint8": [1, 10, 100, 255]}
    values |= dict.fromkeys(("float16", "bfloat16", "float32", "float64"), floats)
    values |= dict.fromkeys(("int8", "int16", "int32", "int64"), integers)
    read = 0
    for (name, value), protocol, suffix in itertools.product(values.items(), range(1, 6), ("", "_zip")):
        path = os.path.join(files, f"tensor_{name}_proto{protocol}{suffix}.pt")
        if not os.path.exists(path):
            print(f"gopickle: {path} is absent")
            count.failures += 1
            continue
        output = os.path.join(folder, "gopickle.safemodel")
        compare.run("convert", path, "-o", output, "--name", "m", "--force", "--quiet")
        [tensor] = json.loads(compare.run("inspect", output, "--json", "--tensors"))["tensors"]
        live = torch.tensor(value, dtype=getattr(torch, name))
        wanted = (torch_test.NAMES[name], [4], blake3.blake3(torch_test.stored_bytes(live)).hexdigest())
        if (tensor["dtype"], tensor["shape"], tensor["blake3"]) != wanted:
            print(f"gopickle: {os.path.basename(path)} has other elements")
            count.failures += 1
        read += 1
    count.files += read
    print(f"gopickle: {read} files")


def main():
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        for test in (legacy, pickled, tars, hostile_tars, corpus):
            test(folder, count)
    print(f"{count.files} files, {count.values} values, {count.tensors} tensors compared; {count.failures} failures")
    return 1 if count.failures else 0


if __name__ == "__main__":
    sys.exit(main())
