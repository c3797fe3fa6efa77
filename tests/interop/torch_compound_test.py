#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tensors that are made of others (quantised, sparse, nested, jagged) or have no data (meta), in every layout that PyTorch writes,
and TorchScript programs: saves them, converts the files, and compares the parts bit for bit. Then breaks the numbers in
the files, byte by byte in place, and expects the rule that must refuse them.
Usage: SAFEMODEL_CLI=… python torch_compound_test.py"""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
import zipfile

try:
    import torch
    from torch import nn

    import compare
    from compare import ARGS, INERT, STATE, Mismatch
    from torch_test import TorchComparison
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

warnings.simplefilter("ignore")
torch.manual_seed(5)

CHANNELS = (torch.per_channel_affine, torch.per_channel_affine_float_qparams)


class Dtype(str):
    """Stands for a global of torch."""


class CompoundComparison(TorchComparison):
    def compare(self, path, live, number):
        node = self.nodes[number]
        if isinstance(live, Dtype):
            self.expect(path, node, "global")
            names = [self.nodes[child]["value"] for child in node["children"]]
            if names != ["torch", str(live)]:
                self.fail(path, f"is {names}, not torch.{live}")
            return []
        if isinstance(live, torch.Size):
            return self.parts(path, node, "torch", "Size", [tuple(live)])
        if type(live).__name__ == "NestedTensor":
            return self.jagged(path, live, node)
        if isinstance(live, nn.Parameter) and (live.is_meta or live.is_sparse):
            return self.parts(path, node, "torch.nn.parameter", "Parameter", [live.data, live.requires_grad])
        if isinstance(live, torch.Tensor) and type(live) is torch.Tensor:
            made_of = self.taken_apart(live)
            if made_of is not None:
                return self.parts(path, node, "torch._utils", *made_of)
        return super().compare(path, live, number)

    def names_of(self, node):
        return [self.nodes[child]["value"] for child in self.nodes[node["children"][0]]["children"]]

    def entries(self, number):
        """A dict whose keys are texts, as {key: node number}."""
        items = self.nodes[number]["children"]
        return dict(zip((self.nodes[key]["value"] for key in items[::2]), items[1::2]))

    def jagged(self, path, live, node):
        """What a nested tensor is made of. Its attributes are the same once more, and what the compiler noted."""
        self.expect(path, node, "object")
        if self.names_of(node) != ["torch.nested._internal.nested_tensor", "NestedTensor"] or node["parts"] != ARGS | STATE:
            self.fail(path, f"is {self.names_of(node)}, parts {node['parts']}")
        keywords = self.entries(self.nodes[node["children"][1]]["children"][0])
        wanted = {"values": live._values, "offsets": live._offsets, "lengths": live._lengths, "_ragged_idx": live._ragged_idx,
                  "_metadata_cache": live._metadata_cache, "requires_grad": live.requires_grad}  # fmt: skip
        state = self.entries(node["children"][2])
        if keywords.keys() != wanted.keys() or any(state[f"_{name}"] != keywords[name] for name in ("values", "offsets")):
            self.fail(path, f"is made of {keywords}, has {state}")
        cache = self.entries(keywords.pop("_metadata_cache"))
        pairs = [(name, wanted[name], number) for name, number in keywords.items()]
        pairs += [(name, wanted["_metadata_cache"][name], number) for name, number in cache.items()]
        self.checked_values += 1
        return [(f"{path}.{name}", value, self.unmarked(path, number)) for name, value, number in pairs]

    def unmarked(self, path, number):
        """The compiler leaves notes on tensors, as attributes."""
        node = self.nodes[number]
        if node["kind"] != "object" or node["parts"] != ARGS | STATE:
            return number
        if self.names_of(node) != ["torch", "Tensor"] or any(not key.startswith("_") for key in self.entries(node["children"][2])):
            self.fail(path, f"holds a {self.names_of(node)}")
        return self.nodes[node["children"][1]]["children"][0]

    def parts(self, path, node, module, name, values):
        args = self.args_of(path, node, module, name)
        if len(args) != len(values):
            self.fail(path, f"has {len(args)} parts, not {len(values)}")
        self.checked_values += 1
        return [(f"{path}.{i}", value, number) for i, (value, number) in enumerate(zip(values, args))]

    @staticmethod
    def taken_apart(live):
        if live.is_quantized:
            return "_rebuild_qtensor", quantised(live)
        if live.is_nested:
            return "_rebuild_nested_tensor", [live.values(), live._nested_tensor_size(),
                                              live._nested_tensor_strides(), live._nested_tensor_storage_offsets()]
        if live.layout == torch.sparse_coo:
            return "_rebuild_sparse_tensor", [Dtype("sparse_coo"), (live._indices(), live._values(), live.size(), live.is_coalesced())]
        if live.layout in (torch.sparse_csr, torch.sparse_bsr):
            return "_rebuild_sparse_tensor", [Dtype(str(live.layout)[6:]), (live.crow_indices(), live.col_indices(), live.values(), live.size())]
        if live.layout in (torch.sparse_csc, torch.sparse_bsc):
            return "_rebuild_sparse_tensor", [Dtype(str(live.layout)[6:]), (live.ccol_indices(), live.row_indices(), live.values(), live.size())]
        if live.is_meta:
            return "_rebuild_meta_tensor_no_storage", [Dtype(str(live.dtype)[6:]), tuple(live.size()), live.stride(), live.requires_grad]
        return None


PACKED = {torch.quint4x2: 2, torch.quint2x4: 4}


def quantised(live):
    """The integers, their type, the sizes and the parameters."""
    if live.dtype in PACKED:
        whole = bytes(live.untyped_storage().tolist())
        shape = [*live.shape[:-1], -(-live.shape[-1] // PACKED[live.dtype])]
        count = 1
        for size in shape:
            count *= size
        integers = torch.frombuffer(bytearray(whole[:count]), dtype=torch.uint8).reshape(shape)
    else:
        integers = live.int_repr()
    if live.qscheme() in CHANNELS:
        params = (Dtype("per_channel_affine"), live.q_per_channel_scales(), live.q_per_channel_zero_points(), live.q_per_channel_axis())
    else:
        params = (Dtype("per_tensor_affine"), live.q_scale(), live.q_zero_point())
    return [integers, Dtype(str(live.dtype)[6:]), tuple(live.size()), params]


def cases():
    x = torch.randn(3, 4)
    scales, zeros = torch.rand(3, dtype=torch.float64) + 0.1, torch.tensor([0, 3, 7])
    for dtype in (torch.qint8, torch.quint8, torch.qint32):
        yield f"quantised {dtype}", torch.quantize_per_tensor(x, 0.1, 3, dtype)
        yield f"quantised by channel {dtype}", torch.quantize_per_channel(x, scales, zeros, 0, dtype)
    yield "quantised, a view", torch.quantize_per_tensor(x, 0.1, 3, torch.qint8)[1:, ::2]
    yield "quantised, transposed", torch.quantize_per_tensor(x, 0.1, 3, torch.quint8).t()
    yield "quantised embeddings", torch.quantize_per_channel(x, scales.float(), zeros.float(), 0, torch.quint4x2)
    yield "quantised, floats as zero points", torch.quantize_per_channel(x, scales.float(), zeros.float(), 0, torch.quint8)
    dense = torch.randn(4, 6) * (torch.rand(4, 6) > 0.5)
    yield "coo", dense.to_sparse()
    yield "coo, not coalesced", torch.sparse_coo_tensor([[0, 0, 3], [1, 1, 5]], [1.0, 2.0, 3.0], (4, 6))
    yield "coo, dense rows", torch.sparse_coo_tensor([[2, 0]], torch.randn(2, 3), (4, 3))
    yield "coo, transposed indices", torch.sparse_coo_tensor(torch.tensor([[0, 1], [3, 5]]).t(), torch.ones(2), (4, 6))
    yield "coo, three dimensions", torch.randn(2, 3, 4).to_sparse()
    yield "coo, empty", torch.zeros(4, 6).to_sparse()
    yield "coo, no dimensions", torch.sparse_coo_tensor(torch.empty(0, 1, dtype=torch.long), torch.ones(1), ())
    yield "csr", dense.to_sparse_csr()
    yield "csr, i32", torch.sparse_csr_tensor(torch.tensor([0, 1, 2], dtype=torch.int32), torch.tensor([1, 0], dtype=torch.int32), torch.ones(2))
    yield "csr, batches", torch.stack([torch.eye(3), torch.eye(3)]).to_sparse_csr()
    yield "csr, empty", torch.zeros(3, 2).to_sparse_csr()
    yield "csr, dense rows", torch.eye(3)[..., None].expand(3, 3, 2).to_sparse_csr(dense_dim=1)
    yield "csc", dense.to_sparse_csc()
    yield "bsr", dense.to_sparse_bsr((2, 3))
    yield "bsc", dense.to_sparse_bsc((2, 3))
    yield "nested", torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(1, 3)])
    yield "nested, three dimensions", torch.nested.nested_tensor([torch.randn(2, 3, 1), torch.randn(1, 4, 2)])
    yield "nested, transposed", torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(1, 3)]).transpose(1, 2)
    yield "nested, empty", torch.nested.nested_tensor([])
    yield from jagged_cases()
    yield "meta", torch.empty(3, 4, device="meta")
    yield "meta, strides", torch.empty(3, 4, device="meta", dtype=torch.bfloat16).t()
    yield "parameter on the meta device", nn.Parameter(torch.empty(3, device="meta"))
    yield "together", {"a": dense.to_sparse(), "b": [torch.quantize_per_tensor(x, 0.1, 3, torch.qint8), x], "c": torch.empty(2, device="meta")}


def jagged_cases():
    jagged = torch.nested.nested_tensor_from_jagged
    values, offsets = torch.randn(6, 3), torch.tensor([0, 2, 6])
    yield "jagged", torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(4, 3)], layout=torch.jagged)
    yield "jagged, from its parts", jagged(values, offsets)
    yield "jagged, with lengths", jagged(values, offsets, lengths=torch.tensor([1, 3]))
    yield "jagged, with extremes", jagged(values, offsets, min_seqlen=2, max_seqlen=4)
    yield "jagged, i32", jagged(values, offsets.int())
    yield "jagged, transposed", jagged(values, offsets).transpose(1, 2)
    yield "jagged, gradients", jagged(values.clone().requires_grad_(), offsets)
    yield "jagged, no rows", jagged(torch.randn(0, 3), torch.tensor([0]))
    yield "jagged, narrowed", torch.nested.narrow(torch.randn(3, 5, 2), 1, torch.tensor([1, 0, 2]), torch.tensor([2, 3, 1]), layout=torch.jagged)
    yield "jagged, another dimension", jagged(torch.randn(3, 6, 2), offsets, jagged_dim=2)


def write(value, layout, path):
    if layout == "pickle":
        with open(path, "wb") as file:
            pickle.dump(value, file)
    else:
        torch.save(value, path, _use_new_zipfile_serialization=layout == "zip")


def whole_files(folder):
    count = failures = tensors = 0
    for name, value in cases():
        for layout in ("zip", "legacy", "pickle"):
            path = os.path.join(folder, "model.pt")
            try:
                write(value, layout, path)
            except Exception as error:  # noqa: BLE001: what PyTorch does not write needs no reader
                print(f"{name}, {layout}: not written by PyTorch: {error}")
                continue
            count += 1
            try:
                comparison = CompoundComparison(compare.convert(path), 2)
                comparison.run(value)
                tensors += comparison.checked_tensors
                verdict(path, "clean")
            except Mismatch as error:
                print(f"{name}, {layout}: {error}")
                failures += 1
    print(f"{count} files, {tensors} tensors compared; {failures} failures")
    return failures


def verdict(path, wanted, rule=None):
    done = subprocess.run([compare.CLI, "scan", path, "--json"], capture_output=True, text=True)
    document = json.loads(done.stdout)
    found = document["verdict"]
    rules = {finding["rule"] for file in document["inputs"] for finding in file["findings"]}
    if found != wanted or rule is not None and rule not in rules:
        raise Mismatch(f"scan says {found}, {sorted(rules)}, not {wanted}, {rule}")


def broken(folder):
    """One number of a part is changed where it lies in the file: the proofs must read what PyTorch would."""
    i64 = lambda *numbers: b"".join(n.to_bytes(8, "little", signed=True) for n in numbers)  # noqa: E731
    coo = torch.sparse_coo_tensor([[0, 11], [22, 33]], [1.0, 2.0], (64, 64)).coalesce()
    csr = torch.sparse_csr_tensor([0, 1, 3], [17, 18, 19], torch.ones(3), (2, 64))
    nested = torch.nested.nested_tensor([torch.ones(5, 7), torch.ones(2, 7)])
    jagged = torch.nested.nested_tensor_from_jagged(torch.ones(40, 3), torch.tensor([0, 15, 40]), torch.tensor([11, 22]))
    plain = torch.nested.nested_tensor_from_jagged(torch.ones(40, 3), torch.tensor([0, 13, 40]))
    channels = torch.quantize_per_channel(torch.ones(2, 3), torch.tensor([0.25, 0.5], dtype=torch.float64), torch.tensor([21, 23]), 0, torch.qint8)
    rows = [
        ("an index beyond", coo, i64(22, 33), i64(22, 64), "MEM-SPARSE"),
        ("a negative index", coo, i64(22, 33), i64(-1, 33), "MEM-SPARSE"),
        ("indices out of order", coo, i64(0, 11), i64(11, 0), "MEM-SPARSE"),
        ("pointers that fall", csr, i64(0, 1, 3), i64(0, 4, 3), "MEM-SPARSE"),
        ("a column beyond", csr, i64(17, 18, 19), i64(17, 18, 640), "MEM-SPARSE"),
        ("offset outside the buffer", nested, i64(0, 35), i64(0, 36), "MEM-NESTED"),
        ("size beyond the buffer", nested, i64(5, 7, 2, 7), i64(5, 7, 3, 7), "MEM-NESTED"),
        ("jagged: an offset beyond", jagged, i64(0, 15, 40), i64(0, 15, 41), "MEM-NESTED"),
        ("jagged: offsets that fall", jagged, i64(0, 15, 40), i64(0, 41, 40), "MEM-NESTED"),
        ("jagged: a first offset that is negative", jagged, i64(0, 15, 40), i64(-1, 15, 40), "MEM-NESTED"),
        ("jagged: a first offset that is not 0", plain, i64(0, 13, 40), i64(1, 13, 40), "MEM-NESTED"),
        ("jagged: a negative offset", jagged, i64(0, 15, 40), i64(0, -15, 40), "MEM-NESTED"),
        ("jagged: a row longer than its place", jagged, i64(11, 22), i64(16, 22), "MEM-NESTED"),
        ("jagged: a negative length", jagged, i64(11, 22), i64(11, -1), "MEM-NESTED"),
        ("a zero point beyond", channels, i64(21, 23), i64(21, 2300), "MEM-QUANT"),
        ("a scale of 0", channels, b"\0\0\0\0\0\0\xd0\x3f", bytes(8), "MEM-QUANT"),
        ("a scale that is no number", channels, b"\0\0\0\0\0\0\xd0\x3f", b"\0\0\0\0\0\0\xf8\x7f", "MEM-QUANT"),
    ]
    failures = 0
    for (name, value, old, new, rule) in rows:
        for layout in ("zip", "legacy"):
            path = os.path.join(folder, "broken.pt")
            write(value, layout, path)
            if layout == "zip":
                torch.serialization.set_crc32_options(False)
                write(value, layout, path)
                torch.serialization.set_crc32_options(True)
            with open(path, "rb") as file:
                data = file.read()
            if data.count(old) != 1:
                print(f"{name}, {layout}: the numbers are {data.count(old)} times in the file")
                failures += 1
                continue
            with open(path, "wb") as file:
                file.write(data.replace(old, new))
            try:
                verdict(path, "dangerous", rule)
                try:
                    compare.convert(path)
                except Mismatch as error:
                    if rule not in str(error):
                        raise Mismatch(f"refused with another word: {error}") from None
                else:
                    raise Mismatch("was converted")
            except Mismatch as error:
                print(f"{name}, {layout}: {error}")
                failures += 1
    print(f"{2 * len(rows)} broken files; {failures} failures")
    return failures


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)
        self.register_buffer("buffer", torch.randn(2))
        self.sizes, self.factors, self.flags, self.name = [1, 2], [1.5], [True, False], "part"
        self.table = {"a": 1}
        self.tensors = [torch.randn(1)]

    def forward(self, x):
        constant = torch.tensor([1.0, 2.0, 3.0])
        return self.layer(x) + len(self.sizes) + self.factors[0] + self.table["a"] + self.tensors[0] + constant


def convert_program(path):
    output = f"{path}.safemodel"
    compare.run("convert", path, "-o", output, "--name", "m", "--force", "--quiet", "--allow-unknown")
    return json.loads(compare.run("inspect", output, "--json", "--tree", "--tensors"))


def attributes(comparison, node):
    """The state of an inert object as {name: node number}."""
    node = comparison.nodes[node]
    if node["kind"] != "object" or node["parts"] != STATE | INERT:
        raise Mismatch(f"a module of the program is {node}")
    state = comparison.nodes[node["children"][-1]]
    keys = [comparison.nodes[child]["value"] for child in state["children"][::2]]
    return dict(zip(keys, state["children"][1::2]))


def scripted(folder):
    path = os.path.join(folder, "script.pt")
    part = Part()
    torch.jit.script(part).save(path)
    verdict(path, "unknown", "TORCH-SCRIPT")
    refuses(path, "TORCH-SCRIPT", "__torch__.")
    comparison = TorchComparison(convert_program(path), 2)
    found = attributes(comparison, 0)
    layer = attributes(comparison, found["layer"])
    for name, value, number in [
        ("buffer", part.buffer, found["buffer"]), ("sizes", [1, 2], found["sizes"]), ("factors", [1.5], found["factors"]),
        ("flags", [True, False], found["flags"]), ("name", "part", found["name"]), ("table", {"a": 1}, found["table"]),
        ("tensors", part.tensors, found["tensors"]), ("weight", part.layer.weight.data, layer["weight"]), ("bias", part.layer.bias.data, layer["bias"]),
    ]:  # fmt: skip
        if name in ("weight", "bias"):
            value = value.requires_grad_()
        pending = [(name, value, number)]
        while pending:
            pending.extend(comparison.compare(*pending.pop()))


def traced(folder):
    path = os.path.join(folder, "trace.pt")
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval()
    torch.jit.trace(model, torch.ones(1, 2)).save(path)
    verdict(path, "unknown", "TORCH-SCRIPT")
    document = convert_program(path)
    if len(document["tensors"]) != len(model.state_dict()):
        raise Mismatch(f"a traced program has {len(document['tensors'])} tensors")


def frozen(folder):
    """The weights of a frozen program are constants."""
    path = os.path.join(folder, "frozen.pt")
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)).eval()
    torch.jit.freeze(torch.jit.script(model)).save(path)
    verdict(path, "unknown", "TORCH-SCRIPT")
    shapes = sorted(tensor["shape"] for tensor in convert_program(path)["tensors"])
    if shapes != sorted(list(value.shape) for value in model.state_dict().values()):
        raise Mismatch(f"a frozen program has tensors of shapes {shapes}")


def refuses(path, *words):
    try:
        compare.convert(path)
    except Mismatch as error:
        if all(word in str(error) for word in words):
            return
        raise Mismatch(f"refused with other words: {error}") from None
    raise Mismatch("was converted")


class Stop(Exception):
    pass


class Unsavable:
    def __reduce__(self):
        raise Stop


def interrupted(folder):
    """torch.save that fails in the middle leaves an archive without its pickle."""
    path = os.path.join(folder, "interrupted.pt")
    try:
        torch.save([torch.ones(3), Unsavable()], path)
    except Stop:
        pass
    with zipfile.ZipFile(path) as archive:
        if any(name.endswith("data.pkl") for name in archive.namelist()):
            raise Mismatch("the save was not interrupted")
    verdict(path, "unreadable", "FILE-MISSING")
    refuses(path, "FILE-MISSING")


def hidden(folder):
    """A pickle that no storage refers to, for torch.load(pickle_file=…)."""
    path = os.path.join(folder, "hidden.pt")
    torch.save({"w": torch.ones(3)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("hidden/data/evil", b"cos\nsystem\n(S'true'\ntR.")
    verdict(path, "dangerous", "GLOBAL-DANGEROUS")
    refuses(path, "GLOBAL-DANGEROUS", "hidden/data/evil")


def packaged(folder):
    path = os.path.join(folder, "package.pt")
    with torch.package.PackageExporter(path) as exporter:
        exporter.save_pickle("model", "model.pkl", {"w": torch.ones(3)})
    verdict(path, "dangerous", "TORCH-PACKAGE")
    refuses(path, "TORCH-PACKAGE")


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        failures += whole_files(folder) + broken(folder)
        for check in (scripted, traced, frozen, interrupted, hidden, packaged):
            try:
                check(folder)
            except Mismatch as error:
                print(f"{check.__name__}: {error}")
                failures += 1
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
