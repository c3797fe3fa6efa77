# SPDX-License-Identifier: Apache-2.0
"""Converts a file with the command line tool and compares what it holds with a live Python object.

The file is never unpickled: the object that was saved still exists, and its parts are taken apart with the protocol that
pickle itself uses (__reduce_ex__).
"""

import copyreg
import datetime
import functools
import importlib
import json
import os
import re
import struct
import subprocess
import sys
import types

import blake3
import numpy as np

CLI = os.environ.get("SAFEMODEL_CLI")
if not CLI:
    sys.exit("SAFEMODEL_CLI must name the safemodel program")

LIST_ITEMS, DICT_ITEMS, STATE, ARGS, SET_ITEMS, INERT = 4, 8, 2, 1, 16, 128


class Mismatch(Exception):
    pass


def run(*args):
    done = subprocess.run([CLI, *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise Mismatch(f"safemodel {args[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def convert(path, name="model"):
    output = f"{path}.safemodel"
    run("convert", path, "-o", output, "--name", name, "--force", "--quiet")
    return json.loads(run("inspect", output, "--json", "--tree", "--tensors"))


def resolve(module, name):
    value = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value


def plain_bytes(array):
    """The bytes that a tensor digest covers: contiguous, row-major, little-endian."""
    array = np.asarray(array)
    little = array.dtype.newbyteorder("<")
    # Only what must be turned round is copied: a copy of a record loses the bytes between its fields.
    return np.ascontiguousarray(array if array.dtype == little else array.astype(little)).tobytes()


PLAIN = {
    "bool": "bool", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "uint8": "u8", "uint16": "u16",
    "uint32": "u32", "uint64": "u64", "float16": "f16", "float32": "f32", "float64": "f64", "complex64": "complex64",
    "complex128": "complex128",
}  # fmt: skip
EXTENDED = {"S": "bytes", "U": "text", "M": "datetime64", "m": "timedelta64", "V": "void"}


class Comparison:
    def __init__(self, document, protocol, identity=True):
        self.nodes = document["tree"]["nodes"]
        self.tensors = document["tensors"]
        self.protocol = protocol
        self.identity = identity
        self.seen = {}  # id of a live object -> node
        self.alive = []  # keeps temporary parts alive, so that ids stay unique
        self.checked_tensors = 0
        self.checked_values = 0

    def fail(self, path, message):
        raise Mismatch(f"{path}: {message}")

    def expect(self, path, node, kind):
        if node["kind"] != kind:
            self.fail(path, f"is {node['kind']}, not {kind}")

    def run(self, value):
        pending = [("root", value, 0)]
        while pending:
            path, live, number = pending.pop()
            pending.extend(self.compare(path, live, number))

    def compare(self, path, live, number):
        node = self.nodes[number]
        self.checked_values += 1
        if isinstance(live, (list, dict)) or (
                not isinstance(live, (type, functools.partial)) and hasattr(live, "__dict__")):  # a partial makes one
            known = self.seen.get(id(live))
            if known is not None:
                if self.identity and known != number:
                    self.fail(path, "is a copy of something that is shared in the original")
                if known == number:
                    return []
            self.seen[id(live)] = number
            self.alive.append(live)
        if live is None or live is True or live is False:
            self.expect(path, node, {None: "none", True: "true", False: "false"}[live])
            return []
        kind = type(live)
        if isinstance(live, np.generic):
            return self.scalar(path, live, node)
        if kind in (np.ndarray, np.memmap):  # what a map shows is saved as an array
            return self.array(path, live, node)
        if isinstance(live, np.ma.MaskedArray):
            return self.masked(path, live, node)
        if isinstance(live, np.dtype):
            return self.dtype(path, live, node)
        if kind in (int, float, complex, str, bytes):
            return self.leaf(path, live, node)
        if kind in (list, tuple):
            self.expect(path, node, kind.__name__)
            return self.pairs(path, live, node["children"])
        if kind is dict:
            self.expect(path, node, "dict")
            return self.items(path, live, node["children"])
        if kind in (set, frozenset):
            return self.unordered(path, live, node)
        if kind in (slice, range):
            self.expect(path, node, kind.__name__)
            return self.pairs(path, [live.start, live.stop, live.step], node["children"])
        if isinstance(live, types.MethodType) or isinstance(live, types.BuiltinMethodType) and (
                isinstance(live.__self__, re.Pattern)):
            return self.object(path, live, node)
        if isinstance(live, datetime.timezone):
            self.expect(path, node, "timezone")
            return []
        if isinstance(live, type) or callable(live) and hasattr(live, "__qualname__") or isinstance(live, np.ufunc):
            return self.by_name(path, live, node)
        return self.object(path, live, node)

    def pairs(self, path, values, numbers):
        if len(values) != len(numbers):
            self.fail(path, f"has {len(numbers)} items, not {len(values)}")
        return [(f"{path}[{i}]", value, number) for i, (value, number) in enumerate(zip(values, numbers))]

    def items(self, path, live, children):
        if 2 * len(live) != len(children):
            self.fail(path, f"has {len(children) // 2} items, not {len(live)}")
        out = []
        for i, (key, value) in enumerate(live.items()):
            out.append((f"{path}.key{i}", key, children[2 * i]))
            out.append((f"{path}[{key!r}]", value, children[2 * i + 1]))
        return out

    def unordered(self, path, live, node):
        self.expect(path, node, type(live).__name__)
        values = {self.nodes[child].get("value") for child in node["children"]}
        if len(live) != len(node["children"]) or all(isinstance(x, str) for x in live) and values != set(live):
            self.fail(path, "is another set")
        return []

    def leaf(self, path, live, node):
        self.expect(path, node, type(live).__name__)
        if isinstance(live, int):
            found = node["value"] if isinstance(node["value"], int) else int(node["value"], 0)
        elif isinstance(live, float):
            found, live = node["bits"], struct.pack("<d", live).hex()
        elif isinstance(live, complex):
            found, live = node["bits"], struct.pack("<dd", live.real, live.imag).hex()
        elif isinstance(live, bytes):
            found, live = node["hex"], live.hex()
        else:
            found = node["value"]
        if found != live:
            self.fail(path, f"is {found!r}, not {live!r}")
        return []

    def tensor(self, path, live, node):
        self.expect(path, node, "tensor")
        if not node["flags"] & 1:
            self.fail(path, "is not marked as an array of numpy")
        if (live.dtype.byteorder == ">") and not node["flags"] & 4:
            self.fail(path, "is not marked as big-endian")
        tensor = self.tensors[node["tensor"]]
        record = live.dtype.names is not None
        wanted = "record" if record else PLAIN.get(live.dtype.name) or EXTENDED[live.dtype.kind]
        if tensor["dtype"] != wanted or tensor["shape"] != list(live.shape):
            self.fail(path, f"is {tensor['dtype']}{tensor['shape']}, not {wanted}{list(live.shape)}")
        if tensor["blake3"] != blake3.blake3(plain_bytes(live)).hexdigest():
            self.fail(path, "has other elements")
        self.checked_tensors += 1
        return []

    def args_of(self, path, node, module, name):
        self.expect(path, node, "object")
        cls = self.nodes[node["children"][0]]
        names = [self.nodes[child]["value"] for child in cls["children"]]
        if names != [module, name] or node["parts"] != ARGS:
            self.fail(path, f"is {names}, parts {node['parts']}, not {module}.{name}")
        return self.nodes[node["children"][1]]["children"]

    def scalar(self, path, live, node):
        args = self.args_of(path, node, "numpy", "generic")
        return self.tensor(path, np.asarray(live), self.nodes[args[0]])

    def array(self, path, live, node):
        if live.dtype != object:
            return self.tensor(path, live, node)
        args = self.args_of(path, node, "numpy", "ndarray")
        values = [live.flat[i] for i in range(live.size)]
        self.alive.append(values)
        return [(path + ".shape", live.shape, args[0]), *self.pairs(path, values, self.nodes[args[1]]["children"])]

    def masked(self, path, live, node):
        args = self.args_of(path, node, "numpy.ma", "MaskedArray")
        mask = np.ma.getmaskarray(live)
        self.tensor(path + ".mask", mask, self.nodes[args[1]])
        data = np.asarray(live.data)
        self.alive.append(data)
        return [*self.array(path + ".data", data, self.nodes[args[0]]), (path + ".fill", live._fill_value, args[2])]

    def dtype(self, path, live, node):
        args = self.args_of(path, node, "numpy", "dtype")
        text = self.nodes[args[0]]
        if text["kind"] == "str" and np.dtype(text["value"]) != live:
            self.fail(path, f"is {text['value']}, not {live}")
        if (text["kind"] == "dict") != (live.names is not None):
            self.fail(path, "is a record on one side only")
        return []

    def by_name(self, path, live, node):
        self.expect(path, node, "global")
        module, name = (self.nodes[child]["value"] for child in node["children"])
        if resolve(module, name) is not live:
            self.fail(path, f"is {module}.{name}, not {live}")
        return []

    def object(self, path, live, node):
        registered = copyreg.dispatch_table.get(type(live))
        reduced = registered(live) if registered else live.__reduce_ex__(self.protocol)
        self.alive.append(reduced)
        if isinstance(reduced, str):
            return self.by_name(path, live, node)
        self.expect(path, node, "object")
        made, args, state, list_items, dict_items = (tuple(reduced) + (None,) * 5)[:5]
        parts = iter(node["children"])
        cls = self.nodes[next(parts)]
        module, name = (self.nodes[child]["value"] for child in cls["children"])
        found = resolve(module, name)
        if found is not type(live) and found is not made:
            self.fail(path, f"is {module}.{name}, not {type(live)}")
        out = []
        if made.__name__.startswith("__pyx_unpickle"):  # class, checksum, state
            args = tuple(a for a in args[2:] if a is not None)
        elif made.__name__ == "__newobj__" or args and args[0] is type(live):
            args = args[1:]
        if made.__name__ == "__bit_generator_ctor":
            args = ()
        flags = (ARGS if args else 0) | (STATE if state is not None else 0)
        list_items, dict_items = list(list_items or []), dict(dict_items or [])
        flags |= (LIST_ITEMS if list_items else 0) | (DICT_ITEMS if dict_items else 0)
        if node["parts"] != flags:
            self.fail(path, f"has parts {node['parts']}, not {flags}: {reduced!r:.200}")
        if args:
            out += self.pairs(path + ".args", args, self.nodes[next(parts)]["children"])
        if state is not None:
            out.append((path + ".state", state, next(parts)))
        if list_items:
            out += self.pairs(path + ".items", list_items, self.nodes[next(parts)]["children"])
        if dict_items:
            out += self.items(path + ".items", dict_items, self.nodes[next(parts)]["children"])
        return out


def check(path, live, protocol, identity=True):
    """check converts `path` and raises Mismatch unless it holds `live`; it returns how much was compared."""
    comparison = Comparison(convert(path), protocol, identity)
    comparison.run(live)
    return comparison.checked_values, comparison.checked_tensors
