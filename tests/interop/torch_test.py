#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Saves models, checkpoints and tensors with torch.save, converts the files, and compares every value, every tensor bit for
bit, and which tensors share memory, with the objects that were saved. Usage: SAFEMODEL_CLI=… python torch_test.py"""

import argparse
import collections
import datetime
import os
import pathlib
import sys
import tempfile
import warnings

try:
    import blake3
    import numpy as np
    import torch
    from torch import nn

    import compare
    from compare import Comparison, Mismatch
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

warnings.simplefilter("ignore")
torch.manual_seed(3)

TORCH, BIG_ENDIAN, GRAD, CONJ, NEG = 2, 4, 8, 16, 32
NAMES = {
    "float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16", "int64": "i64", "int32": "i32", "int16": "i16",
    "int8": "i8", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64", "bool": "bool", "complex32": "complex32",
    "complex64": "complex64", "complex128": "complex128", "float8_e4m3fn": "f8_e4m3fn", "float8_e4m3fnuz": "f8_e4m3fnuz",
    "float8_e5m2": "f8_e5m2", "float8_e5m2fnuz": "f8_e5m2fnuz", "float8_e8m0fnu": "f8_e8m0fnu", "float4_e2m1fn_x2": "f4_e2m1",
}  # fmt: skip


def stored_bytes(tensor):
    """The elements as they lie in memory, pending conjugation and negation undone."""
    tensor = tensor.detach()
    if tensor.is_conj():
        tensor = tensor.conj()
    if tensor.is_neg():
        tensor = torch._neg_view(tensor)
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


class TorchComparison(Comparison):
    def __init__(self, document, protocol):
        super().__init__(document, protocol, identity=False)
        self.memory = collections.defaultdict(set)  # address of a live storage -> storages of the container

    def compare(self, path, live, number):
        node = self.nodes[number]
        if isinstance(live, nn.Parameter):
            args = self.args_of(path, node, "torch.nn.parameter", "Parameter")
            return self.torch_tensor(path, live, self.nodes[args[0]])
        if isinstance(live, torch.Tensor):
            return self.torch_tensor(path, live, node)
        if isinstance(live, (torch.UntypedStorage, torch.TypedStorage)):
            return self.storage(path, live, node)
        if isinstance(live, (datetime.datetime, datetime.date, datetime.timedelta)):
            self.expect(path, node, type(live).__name__)
            return []
        if isinstance(live, bytearray):
            args = self.args_of(path, node, "builtins", "bytearray")
            return [(path + ".bytes", bytes(live), args[0])]
        return super().compare(path, live, number)

    def torch_tensor(self, path, live, node):
        self.expect(path, node, "tensor")
        flags = TORCH | GRAD * live.requires_grad | CONJ * live.is_conj() | NEG * live.is_neg()
        if node["flags"] != flags:
            self.fail(path, f"has flags {node['flags']}, not {flags}")
        tensor = self.tensors[node["tensor"]]
        name = str(live.dtype).removeprefix("torch.")
        shape = list(live.shape)
        if name == "float4_e2m1fn_x2":
            shape[-1] *= 2
        if tensor["dtype"] != NAMES[name] or tensor["shape"] != shape:
            self.fail(path, f"is {tensor['dtype']}{tensor['shape']}, not {name}{shape}")
        if tensor.get("blake3") is not None and tensor["blake3"] != blake3.blake3(stored_bytes(live)).hexdigest():
            self.fail(path, "has other elements")
        if tensor.get("blake3") is None and live.untyped_storage().nbytes() * 8 >= live.numel() * live.itemsize:
            self.fail(path, "has no digest")
        if live.untyped_storage().nbytes() > 0:
            self.memory[live.untyped_storage().data_ptr()].add(tensor["storage"])
        self.checked_tensors += 1
        return []

    def storage(self, path, live, node):
        untyped = live if isinstance(live, torch.UntypedStorage) else live._untyped_storage
        cls = self.nodes[node["children"][0]]
        name = self.nodes[cls["children"][1]]["value"]
        if not name.endswith("Storage"):
            self.fail(path, f"is a {name}")
        tensor = self.tensors[self.nodes[self.nodes[node["children"][1]]["children"][0]]["tensor"]]
        if tensor["blake3"] != blake3.blake3(bytes(untyped.tolist())).hexdigest():
            self.fail(path, "has other bytes")
        self.checked_tensors += 1
        return []

    def finish(self):
        """Tensors share memory in the container exactly when they did in the process."""
        for address, storages in self.memory.items():
            if len(storages) != 1:
                self.fail("root", f"memory {address:#x} was split into storages {sorted(storages)}")
        used = [storage for storages in self.memory.values() for storage in storages]
        if len(used) != len(set(used)):
            self.fail("root", "different memory ended in one storage")


class Net(nn.Module):
    """Tied weights, buffers, an index that is no float."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10)
        self.head.weight = self.embedding.weight
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.head(self.norm(self.embedding(x)))


def trained():
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    for _ in range(2):
        net(torch.tensor([1, 2, 3])).sum().backward()
        optimizer.step()
        scheduler.step()
    return net, optimizer, scheduler


def dtypes():
    for name in NAMES:
        dtype = getattr(torch, name)
        raw = torch.randint(0, 2 if name == "bool" else 256, (4, 48), dtype=torch.uint8)
        yield name, raw.bool() if name == "bool" else raw.view(dtype).clone()


def views():
    base = torch.arange(24.0).reshape(4, 6)
    z = torch.randn(3, dtype=torch.complex64)
    return {
        "base": base, "transposed": base.t(), "window": base[1:3, ::2], "column": base[:, 5], "scalar": base[2, 3],
        "expanded": torch.ones(1).expand(5), "empty": torch.empty(0, 3), "empty_view": base[:0], "lone": torch.tensor(1.5),
        "conj": z.conj(), "neg": torch.randn(3, dtype=torch.complex64).conj().imag, "grad": torch.randn(2, requires_grad=True),
        "parameter": nn.Parameter(torch.randn(2)), "frozen": nn.Parameter(torch.randn(2), requires_grad=False),
        "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }  # fmt: skip


def cases():
    net, optimizer, scheduler = trained()
    for protocol in (2, 3, 4, 5):
        yield f"state dict, protocol {protocol}", net.state_dict(), protocol
        yield f"checkpoint, protocol {protocol}", {
            "model": net.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "epoch": 3,
            "args": argparse.Namespace(lr=1e-3, betas=(0.9, 0.999), nested={"a": {1, 2}, "b": frozenset("x")}, path=pathlib.PosixPath("/data/x")),
            "when": datetime.datetime(2024, 1, 2, 3, 4, 5, 6), "took": datetime.timedelta(1, 2, 3), "day": datetime.date(1999, 12, 31),
            "numbers": [1 + 2j, 2**100, -(2**70), float("nan"), -0.0, True, None], "bytes": b"\x00\xff" * 4, "slice": slice(1, None, 2),
            "array": bytearray(b"xyz"), "counts": collections.Counter("hello"), "queue": collections.deque([1, 2]),
            "lists": collections.defaultdict(list, {"a": [1]}), "text": "\u00e4\ud800", "range": range(1, 9, 2),
            "numpy": np.arange(6, dtype="i4").reshape(2, 3), "scalar": np.float64(2.5),
        }, protocol  # fmt: skip
        yield f"views, protocol {protocol}", views(), protocol
    for name, tensor in dtypes():
        yield f"dtype {name}", tensor, 2
    yield "nan payloads", torch.tensor([0x7FC00001, 0x7F800001, -1, 0], dtype=torch.int32).view(torch.float32), 2
    yield "sizes, dtypes, devices", {"size": torch.Size([2, 3]), "dtype": torch.bfloat16, "device": torch.device("cuda", 1)}, 2
    yield "storages", {"untyped": torch.arange(5, dtype=torch.uint8).untyped_storage(), "typed": torch.arange(3.0).storage()}, 2
    yield "parameter list", [nn.Parameter(torch.ones(2)), nn.Parameter(torch.zeros(3))], 2
    yield "a module as a whole", nn.Sequential(
        nn.Linear(2, 3), nn.ReLU(), nn.Conv2d(1, 2, 3), nn.LSTM(2, 2, num_layers=2), nn.BatchNorm2d(2), nn.Dropout(0.1), nn.GELU(),
        nn.LayerNorm(4), nn.MultiheadAttention(4, 2), nn.ModuleDict({"a": nn.Embedding(3, 2), "b": nn.ModuleList([nn.GRU(2, 2)])}),
    ), 2  # fmt: skip
    yield "modules with hooks", nn.DataParallel(nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 3)), nn.utils.spectral_norm(nn.Linear(3, 2)))), 2


def schedulers(optimizer):
    s = torch.optim.lr_scheduler
    yield s.StepLR(optimizer, 2)
    yield s.MultiStepLR(optimizer, [1, 2])
    yield s.ExponentialLR(optimizer, 0.9)
    yield s.CosineAnnealingLR(optimizer, 5)
    yield s.CosineAnnealingWarmRestarts(optimizer, 5)
    yield s.OneCycleLR(optimizer, 0.1, total_steps=10)
    yield s.CyclicLR(optimizer, 0.1, 0.2)
    yield s.ReduceLROnPlateau(optimizer)
    yield s.SequentialLR(optimizer, [s.ConstantLR(optimizer), s.LinearLR(optimizer), s.PolynomialLR(optimizer)], [2, 4])
    yield torch.optim.swa_utils.SWALR(optimizer, 0.1)


def training():
    """Optimizers and schedulers as whole objects: all of PyTorch's, after a step."""
    for name, cls in sorted(vars(torch.optim).items()):
        if not isinstance(cls, type) or not issubclass(cls, torch.optim.Optimizer) or cls is torch.optim.Optimizer:
            continue
        net = nn.Embedding(4, 2, sparse=True) if name == "SparseAdam" else nn.Linear(3, 2, bias=name != "Muon")
        inputs = torch.tensor([1]) if name == "SparseAdam" else torch.ones(1, 3)
        optimizer = cls(net.parameters(), lr=0.1)

        def loss():
            value = net(inputs).sum()  # noqa: B023: called before the next turn
            value.backward()
            return value

        optimizer.step(loss)
        net.zero_grad()
        yield f"optimizer {name}", optimizer, 2
    for protocol in (2, 4):
        optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1, momentum=0.9)
        for scheduler in schedulers(optimizer):
            yield f"scheduler {type(scheduler).__name__}, protocol {protocol}", scheduler, protocol


def refused(folder):
    """What must not be converted, and the word that says why."""
    path = os.path.join(folder, "refused.pt")
    rows = [
        ("a class of the user's", Net(), "GLOBAL-UNLISTED"),
        ("a function that is planted as a value", {"f": os.system}, "GLOBAL-DANGEROUS"),
    ]
    for name, value, code in rows:
        torch.save(value, path)
        try:
            compare.convert(path)
        except Mismatch as error:
            if code not in str(error):
                raise Mismatch(f"{name}: refused with another word: {error}") from None
        else:
            raise Mismatch(f"{name}: was converted")
        if os.path.exists(path + ".safemodel"):
            raise Mismatch(f"{name}: left an output behind")
    return len(rows)


def main():
    failures = values = tensors = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, value, protocol in [*cases(), *training()]:
            path = os.path.join(folder, "model.pt")
            torch.save(value, path, pickle_protocol=protocol)
            count += 1
            try:
                comparison = TorchComparison(compare.convert(path), protocol)
                comparison.run(value)
                comparison.finish()
                values += comparison.checked_values
                tensors += comparison.checked_tensors
            except Mismatch as error:
                print(f"{name}: {error}")
                failures += 1
        try:
            count += refused(folder)
        except Mismatch as error:
            print(error)
            failures += 1
    print(f"{count} files, {values} values, {tensors} tensors compared; {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
