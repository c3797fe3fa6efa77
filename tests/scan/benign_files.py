# SPDX-License-Identifier: Apache-2.0
"""Writes benign files with the libraries that people save models with, for benign_test.py. Each function is a group of
files; what they hold comes from the tests that compare conversions, where it has to be right value by value."""

import datetime
import decimal
import io
import itertools
import os
import pickle
import sys
import tarfile

INTEROP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../interop")
sys.path.insert(0, INTEROP)
try:
    import estimators_test
    import joblib
    import joblib_test
    import lightgbm
    import numpy as np
    import pandas as pd
    import pandas_test
    import safetensors.numpy
    import safetensors.torch
    import safetensors_test
    import scipy.interpolate
    import scipy.sparse
    import sklearn.linear_model
    import sklearn.preprocessing
    import sklearn_test
    import stdlib_test
    import torch
    import torch_legacy_test
    import torch_test
    from torch import nn
    from torch.testing._internal.two_tensor import TwoTensor
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

# What joblib calls them, and a scan.
COMPRESSORS = {"zlib": "zlib", "gzip": "gzip", "bz2": "bzip2", "lzma": "lzma", "xz": "xz", "lz4": "lz4"}
FROM_2 = (2, 3, 4, 5)


class Writer:
    """Names files in a folder, and knows which layouts a scan may find each to have."""

    def __init__(self, folder):
        self.folder = folder
        self.layouts = {}

    def path(self, name, *layouts):
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        path = os.path.join(self.folder, f"{len(self.layouts):04} {safe}")
        self.layouts[path] = layouts
        return path

    def pickle(self, name, value, protocols):
        for protocol in protocols:
            with open(self.path(f"{name} {protocol}", "pickle"), "wb") as file:
                pickle.dump(value, file, protocol=protocol)

    def joblib(self, name, value, compressor=None):
        """A joblib file without arrays is a pickle like any other."""
        behind = f", {COMPRESSORS[compressor]}" if compressor else ""
        path = self.path(f"{name} joblib {compressor}", f"joblib{behind}", f"pickle{behind}")
        joblib.dump(value, path, compress=compressor or 0)


def estimators(write):
    """Every compressor gets a share of the estimators: it sees nothing but bytes."""
    for i, (name, fitted) in enumerate(estimators_test.fitted_estimators()):
        write.pickle(name, fitted, FROM_2)
        write.joblib(name, fitted)
        write.joblib(name, fitted, list(COMPRESSORS)[i % len(COMPRESSORS)])
    for name, fitted in sklearn_test.estimators():
        write.pickle(name, fitted, FROM_2)
        write.joblib(name, fitted)


def modules():
    """One of each module of torch.nn, from whichever of these arguments it takes."""
    arguments = [
        (), (2,), (4, 2), (2, 2, 2), (4, 2, 3, 1), (2, 3, 4), (4, 6, [2, 3]), ("LSTM", 2, 3), (1, (2, 3)),
        (nn.TransformerEncoderLayer(4, 2, 8), 2), (nn.TransformerDecoderLayer(4, 2, 8), 2),
    ]  # fmt: skip
    for name, cls in sorted(vars(nn).items()):
        if not isinstance(cls, type) or not issubclass(cls, nn.Module):
            continue
        if issubclass(cls, nn.modules.lazy.LazyModuleMixin):
            continue  # see lazy_modules
        for args in arguments:
            try:
                yield name, cls(*args)
                break
            except Exception:  # takes others; one that takes none of them is counted by the test
                continue


def torch_zip(write):
    for name, value, protocol in [*torch_test.cases(), *torch_test.training()]:
        torch.save(value, write.path(name, "torch-zip"), pickle_protocol=protocol)
    compound = {
        "sparse": torch.eye(3).to_sparse(), "sparse rows": torch.eye(3).to_sparse_csr(),
        "meta": torch.ones(2, device="meta"), "nested": torch.nested.nested_tensor([torch.ones(2)]),
        "jagged": torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)], layout=torch.jagged),
        "quantised": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    }  # fmt: skip
    for name, value in compound.items():
        torch.save(value, write.path(name, "torch-zip"))
    # Their bytes begin with everything that a program may begin with.
    torch.save({str(i): torch.randn(16) for i in range(5000)}, write.path("many tensors", "torch-zip"))
    # And so do tensors of one small number, without an end.
    alike = {str(i): torch.full((10_000,), i, dtype=torch.uint8) for i in range(256)}
    torch.save(alike, write.path("equal numbers", "torch-zip"))


def lazy_modules():
    """Modules that wait for their first input with hooks, and have no weights."""
    for name, cls in sorted(vars(nn).items()):
        if isinstance(cls, type) and issubclass(cls, nn.modules.lazy.LazyModuleMixin):
            yield name, cls(*{"LazyLinear": (3,)}.get(name, (3, 3) if "Conv" in name else ()))


def torch_modules(write):
    for name, module in lazy_modules():
        torch.save(module, write.path(name, "torch-zip"))
        torch.save(nn.Sequential(module), write.path(name + " legacy", "torch-legacy"), _use_new_zipfile_serialization=False)
    for name, module in modules():
        torch.save(module, write.path(name, "torch-zip"))
        torch.save(module.state_dict(), write.path(name + " state", "torch-zip"))
        torch.save(module.half(), write.path(name + " legacy", "torch-legacy"), _use_new_zipfile_serialization=False)


def torch_legacy(write):
    for name, value, protocol in [*torch_test.cases(), *torch_test.training()]:
        path = write.path(name, "torch-legacy")
        torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)


def torch_pickle(write):
    for name, value in torch_legacy_test.pickled_cases().items():
        write.pickle(name, value, FROM_2)


def torch_tar(write):
    part = torch.arange(10)[2:6]
    types = [torch.tensor([1, 2]).to(dtype) for dtype in torch_legacy_test.OLD_TYPES]
    value = {"types": types, "part": part, "epoch": 3}
    formats = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    for tar_format, protocol in itertools.product(formats, (1, 2, 3, 4)):
        torch_legacy_test.old_save(value, write.path("tar", "torch-tar"), protocol, tar_format, parts=[part])


def arrays(folder):
    yield from sklearn_test.data()
    yield from joblib_test.contents(folder)
    yield "record array", np.rec.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", "f8")])
    yield "masked constant", np.ma.masked
    yield "masked records", np.ma.array([(1, 2.5), (3, 4.5)], mask=[(0, 1), (1, 0)], dtype=[("a", "i4"), ("b", "f8")])
    yield "masked records of vectors", np.ma.array([(1, [2.5, 3.5])], mask=[(0, 1)], dtype=[("a", "i4"), ("b", ">f8", (2,))])
    yield "nested records", np.zeros(3, dtype=[("a", [("b", "f4", (2, 2)), ("c", "S3")]), ("d", "M8[s]")])
    yield "functions and types", [np.add, np.log1p, np.mean, np.float32, np.dtype("f8"), np.ndarray]


def numpy_pickle(write, scratch):
    for name, value in arrays(scratch):
        write.pickle(name, value, (0, 2, 4, 5))


def numpy_files(write, scratch):
    for name, value in arrays(scratch):
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        saved = [part for part in parts if isinstance(part, np.ndarray) and not isinstance(part, np.ma.MaskedArray)]
        if not saved:  # numpy saves what is no array as an array of one object
            saved = [np.empty((), object)]
            saved[0][()] = value
        for array, version in itertools.product(saved, ((1, 0), (2, 0), (3, 0))):
            with open(write.path(f"{name} {version[0]}", "npy"), "wb") as file:
                np.lib.format.write_array(file, array, version)
        for save in (np.savez, np.savez_compressed):
            with open(write.path(f"{name} {save.__name__}", "zip"), "wb") as file:
                save(file, *saved)


def joblib_arrays(write, scratch):
    for name, value in joblib_test.contents(scratch):
        for compressor in (None, *COMPRESSORS):
            write.joblib(name, value, compressor)


class Pipe:
    """What joblib writes to as it did before 1.2: without padding in front of arrays."""

    def __init__(self, file):
        self.write = file.write

    def tell(self):
        raise io.UnsupportedOperation


WORDS = "to be or not of and top total output one other our off on under use unit bus box tub object open Ro QR".split()


def chance_array(rng, kind):
    """An array whose bytes are instructions of a pickle now and then."""
    count = int(rng.integers(1, 40))
    if kind in ("f4", "f8"):
        return rng.standard_normal(count).astype(kind)
    if kind in ("i1", "u1", "u2", "i8", "?"):
        return rng.integers(0, 2 if kind == "?" else 127, count).astype(kind)
    words = [WORDS[i] for i in rng.integers(0, len(WORDS), count)]
    if kind == "text":
        return np.frombuffer(" ".join(words).encode(), "u1").copy()
    if kind == "objects":
        return np.array([*words, decimal.Decimal(count), datetime.date(2020, 1, 1), decimal.Decimal(2), None], dtype=object)
    return np.array([] if kind == "empty" else words, dtype="f8" if kind == "empty" else kind)


def joblib_chance(write):
    """Arrays between instructions, for those who read the arrays as instructions too."""
    rng = np.random.default_rng(5)
    kinds = ("u1", "i1", "u2", "i8", "f4", "f8", "?", "S", "U", "text", "objects", "empty")
    for i, kind in enumerate(kinds * 200):
        one, other = chance_array(rng, kind), chance_array(rng, kinds[int(rng.integers(len(kinds)))])
        model = sklearn.linear_model.LinearRegression()
        model.coef_, model.intercept_ = one, np.float64(2)
        encoder = sklearn.preprocessing.OneHotEncoder()
        encoder.categories_ = [one, other]
        frame = pd.DataFrame({"a": one, "b": one})
        value = [one, [one, other], {"x": one, "y": other}, model, [model, one], encoder, (np.dtype("i4"), one), frame][int(rng.integers(8))]
        path = write.path(f"{kind} {i}", "joblib", "pickle")  # a table of strings may hold no array
        with open(path, "wb") as file:
            joblib.dump(value, file if i % 3 == 0 else Pipe(file), protocol=int(rng.integers(2, 6)))


def sparse(write):
    matrix = np.array([[0, 1.5, 0], [2, 0, 0], [0, 0, -3], [0, 0, 0]])
    for form, kind in itertools.product(("bsr", "coo", "csc", "csr", "dia", "dok", "lil"), ("matrix", "array")):
        for dtype in ("f4", "f8", "i8", "c16", "?"):
            value = getattr(scipy.sparse, f"{form}_{kind}")(matrix.astype(dtype))
            write.pickle(f"{form} {kind} {dtype}", value, FROM_2)
            write.joblib(f"{form} {kind} {dtype}", value)
            if form in ("bsr", "coo", "csc", "csr", "dia"):
                with open(write.path(f"{form} {kind} {dtype} npz", "zip"), "wb") as file:
                    scipy.sparse.save_npz(file, value)


def interpolations(write):
    x = np.arange(9.0)
    for kind in ("linear", "nearest", "previous", "zero", "slinear", "cubic"):
        for fill in ("extrapolate", (0.0, 9.0)):
            value = scipy.interpolate.interp1d(x, x**2, kind=kind, fill_value=fill, bounds_error=False)
            write.pickle(f"interp1d {kind} {fill}", value, FROM_2)
            write.joblib(f"interp1d {kind} {fill}", value)


def pandas_tables(write):
    for name, value in pandas_test.tables():
        write.pickle(name, value, FROM_2)
        write.joblib(name, value)
    for compression in ("gzip", "bz2", "xz", "zip", "tar"):
        layout = compression if compression in ("zip", "tar") else f"pickle, {COMPRESSORS[compression]}"
        pandas_test.FRAME.to_pickle(write.path(f"to_pickle {compression}", layout), compression=compression)


def boosters(write):
    x, y = np.random.RandomState(1).rand(60, 3), np.arange(60) % 2
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(x, y), 3)
    write.pickle("booster", booster, FROM_2)
    write.joblib("booster", booster)


def standard_library(write):
    for name, value in stdlib_test.KINDS.items():
        write.pickle(name, value, range(6))


def embedded(write):
    """Files that end with the bytes of an archive, as somebody keeps them who collects such files."""
    archives = {}
    for name, save in (("npz", lambda file: np.savez(file, a=np.arange(9), b=np.ones(3))), ("compressed npz", lambda file: np.savez_compressed(
            file, a=np.arange(999))), ("checkpoint", lambda file: torch.save({"a": torch.ones(3), "b": torch.arange(9)}, file))):  # fmt: skip
        file = io.BytesIO()
        save(file)
        archives[name] = file.getvalue()
    for name, content in archives.items():
        numbers = np.frombuffer(content, "u1").copy()
        for value in (content, [content], {"a": content, "b": 1}, [content] * 3, numbers, list(archives.values())):
            write.pickle(name, value, range(6))
        write.joblib(name, numbers)
        np.save(open(write.path(name, "npy"), "wb"), numbers)
        torch.save({"a": torch.from_numpy(numbers)}, write.path(name, "torch-legacy"), _use_new_zipfile_serialization=False)
        for compress in (0, 1):
            joblib.dump([content, numbers], write.path(name, "joblib", "joblib, zlib"), compress=compress)
        with tarfile.open(write.path(name, "tar"), "w") as tar:
            member = tarfile.TarInfo("model")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def unread(write):
    """What this version is known not to read, or not to vouch for: the path of each file, and the rule that says so."""
    path = write.path("wrapper")  # a subclass that holds other tensors; which classes do is anybody's to define
    torch.save(TwoTensor(torch.ones(2, 3), torch.zeros(2, 3)), path)
    yield path, "GLOBAL-UNLISTED"
    records = np.ma.array([((1, 2), 3.5)], dtype=[("a", [("x", "i4"), ("y", "i2")]), ("b", "f8")])
    path = write.path("masked records in records")
    with open(path, "wb") as file:
        pickle.dump(records, file)
    yield path, "FILE-UNSUPPORTED"


def safetensors_files(write):
    rng = safetensors_test.random.Random(safetensors_test.SEED)
    every = {str(dtype): safetensors_test.random_tensor(dtype, (6, 8), rng) for dtype in safetensors_test.TORCH_DTYPES}
    for name, tensor in every.items():
        safetensors.torch.save_file({"a": tensor, "b": tensor.reshape(-1).clone()}, write.path(name, "safetensors"))
    safetensors.torch.save_file(every, write.path("every type", "safetensors"), metadata={"format": "pt"})
    safetensors.torch.save_file({}, write.path("no tensors", "safetensors"))
    for dtype in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"):
        safetensors.numpy.save_file({"a": np.ones((3, 2), dtype)}, write.path("numpy " + dtype, "safetensors"))
