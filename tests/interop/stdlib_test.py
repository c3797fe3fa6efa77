#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Saves values of Python's standard library with every protocol, converts the files, builds the values again from their
value trees, and compares them with the originals. All must be clean. Usage: SAFEMODEL_CLI=… python stdlib_test.py"""

import argparse
import array
import collections
import datetime
import decimal
import fractions
import functools
import http
import ipaddress
import math
import operator
import os
import pathlib
import pickle
import plistlib
import pstats
import random
import re
import string
import struct
import sys
import tempfile
import types
import uuid
import zoneinfo

try:
    from compare import ARGS, DICT_ITEMS, LIST_ITEMS, SET_ITEMS, STATE, Mismatch, convert, resolve
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30), "IST")
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def attributes(made, **values):
    made.__dict__.update(values)
    return made


def consumed(generator, numbers):
    for _ in range(numbers):
        generator.gauss(0, 1)
    return generator


KINDS = {
    "none and bools": [None, True, False],
    "int": [0, -1, 255, 256, 65536, -(2**31), 2**63 - 1, -(2**63), 2**64, -(2**200), 10**600],
    "float": [0.0, -0.0, 1.5, math.inf, -math.inf, 5e-324, 1.7976931348623157e308],
    "complex": [0j, 1 - 2j, complex(math.inf, -0.0)],
    "str": ["", "text", "zwölf € 𝄞", "\x00\n\\u0041'\"", "\ud800 alone", "x" * 300],
    "bytes": [b"", b"\x00\xff'\"\n\\", bytes(range(256))],
    "bytearray": [bytearray(), bytearray(b"\x00\xff\x80"), bytearray(b"abc")],
    "list": [[], [1, [2, [3]]]],
    "tuple": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),))],
    "dict": [{}, {"a": 1, 2: "b", (1, "x"): [1], None: None, 1.5: b"", frozenset([1]): 0}],
    "set": [set(), {1, 2, 3}, {"a", (1, 2), None}],
    "frozenset": [frozenset(), frozenset([1, "a", (2, 3)]), frozenset([frozenset([1])])],
    "range": [range(5), range(10, -3, -2), range(0)],
    "slice": [slice(None), slice(1, 2), slice("a", None, 3)],
    "ellipsis and not implemented": [Ellipsis, NotImplemented],
    "types of constants": [type(None), type(Ellipsis), type(NotImplemented)],
    "builtin types": [int, str, dict, object, bytes, list, range, complex, type],
    "builtin functions": [len, sum, abs, sorted, max],
    "datetime.date": [datetime.date(1, 1, 1), datetime.date(2024, 2, 29), datetime.date(9999, 12, 31)],
    "datetime.time": [datetime.time(), datetime.time(23, 59, 59, 999999, fold=1), datetime.time(1, 2, tzinfo=EAST)],
    "datetime.datetime": [
        datetime.datetime(2026, 8, 1, 12, 30, 1, 5), datetime.datetime(2026, 8, 1, tzinfo=UTC),
        datetime.datetime(2026, 8, 1, tzinfo=EAST, fold=1), datetime.datetime(2026, 8, 1, tzinfo=BERLIN),
    ],
    "datetime.timedelta": [datetime.timedelta(), datetime.timedelta(-5, 3, 7), datetime.timedelta.max],
    "datetime.timezone": [UTC, EAST, datetime.timezone(-datetime.timedelta(minutes=1))],
    "zoneinfo.ZoneInfo": [BERLIN, zoneinfo.ZoneInfo.no_cache("America/New_York")],
    "collections.OrderedDict": [
        collections.OrderedDict(), collections.OrderedDict([("z", 1), ("a", [2])]),
        attributes(collections.OrderedDict(a=1), _metadata={"version": 1}),
    ],
    "collections.defaultdict": [
        collections.defaultdict(), collections.defaultdict(list, a=[1]), collections.defaultdict(int, {1: 2}),
    ],
    "collections.Counter": [collections.Counter(), collections.Counter("abracadabra")],
    "collections.deque": [collections.deque(), collections.deque([1, [2]]), collections.deque([1, 2], maxlen=5)],
    "collections.ChainMap": [collections.ChainMap(), collections.ChainMap({"a": 1}, {"a": 2, "b": [3]})],
    "collections.UserDict": [collections.UserDict(), collections.UserDict(a=1, b=[2])],
    "collections.UserList": [collections.UserList(), collections.UserList([1, [2]])],
    "collections.UserString": [collections.UserString(""), collections.UserString("text")],
    "types.SimpleNamespace": [types.SimpleNamespace(), types.SimpleNamespace(a=1, b=[2])],
    "argparse.Namespace": [argparse.Namespace(), argparse.Namespace(lr=0.1, name="x", layers=[1, 2])],
    "decimal.Decimal": [decimal.Decimal(text) for text in ("0", "-1.50", "1E+20", "123456789.987654321", "Infinity", "-0")],
    "fractions.Fraction": [fractions.Fraction(0), fractions.Fraction(-3, 7), fractions.Fraction(10**30, 7)],
    "uuid.UUID": [uuid.UUID(int=0), uuid.UUID("12345678-1234-5678-1234-567812345678"), uuid.uuid4()],
    "pathlib": [
        pathlib.Path("."), pathlib.Path("a/b.txt"), pathlib.Path("/etc"), pathlib.PurePosixPath("x/y"),
        pathlib.PureWindowsPath("c:\\d\\e"),
    ],
    "re.Pattern": [re.compile("a+"), re.compile(b"\\w\\d", re.I), re.compile("(?P<x>.)", re.M | re.S)],
    "array.array": [
        array.array("i"), array.array("d", [1.5, -2.0]), array.array("B", b"\x00\xff"), array.array("q", [-(2**63), 7]),
        array.array("u", "zw\u00f6lf"),
    ],
    "ipaddress": [
        ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("2001:db8::1"), ipaddress.ip_network("192.0.2.0/24"),
        ipaddress.ip_network("2001:db8::/32"), ipaddress.ip_interface("192.0.2.5/24"),
        ipaddress.ip_interface("2001:db8::5/64"),
    ],
    "exceptions": [
        ValueError("bad", 3), KeyError("k"), Exception(), RuntimeError("x"), attributes(TypeError("noted"), extra=[1]),
        StopIteration(5), UserWarning("careful"), NotImplementedError(),
    ],
    "functools.partial": [functools.partial(round, ndigits=2), functools.partial(max, 1, 2), functools.partial(len)],
    "random.Random": [consumed(random.Random(7), 3), random.Random("text")],
    "string.Template": [string.Template("$who likes $what")],
    "enums": [
        http.HTTPStatus.NOT_FOUND, http.HTTPMethod.GET, uuid.SafeUUID.unknown, uuid.SafeUUID.safe, re.RegexFlag.IGNORECASE,
        re.I | re.M, plistlib.FMT_XML, pstats.SortKey.CALLS,
    ],
    "math and operator functions": [math.sqrt, math.log1p, operator.add, operator.mul],
    "methods": [str.lower, str.split, re.compile("[a-z]+").findall],
}


class Rebuild:
    """Makes the Python values of a value tree, inner ones first; containers that may hold themselves are filled later."""

    def __init__(self, document):
        self.nodes = document["tree"]["nodes"]
        self.made = {}

    def value(self, number):
        if number not in self.made:
            self.made[number] = self.make(self.nodes[number])
        return self.made[number]

    def children(self, node):
        return [self.value(child) for child in node["children"]]

    def dict(self, node):
        parts = self.children(node)
        return dict(zip(parts[::2], parts[1::2]))

    def make(self, node):
        kind = node["kind"]
        if kind in ("none", "true", "false"):
            return {"none": None, "true": True, "false": False}[kind]
        if kind == "int":
            return node["value"] if isinstance(node["value"], int) else int(node["value"], 0)
        if kind in ("float", "complex"):
            numbers = struct.unpack(f"<{len(node['bits']) // 16}d", bytes.fromhex(node["bits"]))
            return numbers[0] if kind == "float" else complex(*numbers)
        if kind == "str":
            return node["value"]
        if kind == "bytes":
            return bytes.fromhex(node["hex"])
        if kind == "dict":
            return self.dict(node)
        if kind in ("list", "tuple", "set", "frozenset"):
            return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind](self.children(node))
        if kind in ("slice", "range", "timezone"):
            return {"slice": slice, "range": range, "timezone": datetime.timezone}[kind](*self.children(node))
        if kind == "global":
            return resolve(*self.children(node))
        if kind == "object":
            return self.object(node)
        if kind == "zoned":
            clock, zone = self.children(node)
            return clock.replace(tzinfo=zone)
        return self.moment(kind, node)

    def moment(self, kind, node):
        data = bytes.fromhex(node["hex"])
        if kind == "timedelta":
            return datetime.timedelta(*struct.unpack("<iII", data))
        date = struct.unpack("<HBB", data[:4]) if kind != "time" else ()
        if kind == "date":
            return datetime.date(*date)
        hour, minute, second, fold, micro = struct.unpack("<BBBBI", data[-8:])
        return getattr(datetime, kind)(*date, hour, minute, second, micro, fold=fold)

    def object(self, node):
        if node["parts"] & 128:
            raise Mismatch("is inert")
        cls, *parts = self.children(node)
        parts = iter(parts)
        args = next(parts) if node["parts"] & ARGS else ()
        made = self.construct(cls, args)
        if node["parts"] & STATE:
            self.set_state(made, next(parts))
        if node["parts"] & LIST_ITEMS:
            made.extend(next(parts))
        if node["parts"] & DICT_ITEMS:
            made.update(next(parts))
        if node["parts"] & SET_ITEMS:
            raise Mismatch("has set items")
        return made

    def construct(self, cls, args):
        if cls is zoneinfo.ZoneInfo:
            return zoneinfo.ZoneInfo(args[0]) if args[1] else zoneinfo.ZoneInfo.no_cache(args[0])
        if cls is array.array and len(args) == 3:
            return array._array_reconstructor(cls, *args)
        if cls in (argparse.Namespace, uuid.UUID, string.Template) or cls.__module__ == "collections" and cls.__name__.startswith("User"):
            return cls.__new__(cls, *args)
        return cls(*args)

    def set_state(self, made, state):
        if hasattr(made, "__setstate__") and not isinstance(made, BaseException):
            made.__setstate__(state)
        else:
            made.__dict__.update(state)


def same(live, found):
    """same compares two values, their types included, and whatever == does not look at."""
    if type(live) is not type(found):
        return False
    if isinstance(live, (float, complex)):
        return repr(live) == repr(found)
    if isinstance(live, (list, tuple, collections.deque, collections.UserList)):
        return (len(live) == len(found) and getattr(live, "maxlen", 0) == getattr(found, "maxlen", 0)
                and all(map(same, live, found)))
    if isinstance(live, (dict, collections.UserDict)):
        pairs = zip(live.items(), found.items(), strict=True)
        return (all(same(a, c) and same(b, d) for (a, b), (c, d) in pairs)
                and getattr(live, "default_factory", 0) is getattr(found, "default_factory", 0)
                and vars_of(live) == vars_of(found))
    if isinstance(live, (set, frozenset)):
        return live == found and set(map(type, live)) == set(map(type, found))
    if isinstance(live, BaseException):
        return live.args == found.args and vars(live) == vars(found)
    if isinstance(live, functools.partial):
        return (live.func, live.args, live.keywords) == (found.func, found.args, found.keywords)
    if isinstance(live, random.Random):
        return live.getstate() == found.getstate()
    if isinstance(live, zoneinfo.ZoneInfo):
        return live.key == found.key and live.__reduce__()[1] == found.__reduce__()[1]
    if isinstance(live, types.BuiltinMethodType) and isinstance(live.__self__, re.Pattern):
        return (live.__name__, live.__self__) == (found.__name__, found.__self__)
    if isinstance(live, string.Template):
        return live.template == found.template
    if isinstance(live, (datetime.datetime, datetime.time)):
        return (repr(live), live.fold) == (repr(found), found.fold)
    return live == found and repr(live) == repr(found)


def vars_of(value):
    return {} if isinstance(value, collections.UserDict) else getattr(value, "__dict__", {})


def main():
    values, failures = 0, []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "value.pkl")
        for name, live in KINDS.items():
            for protocol in range(6):
                written = pickle.dumps(live, protocol)
                with open(path, "wb") as file:
                    file.write(written)
                try:
                    document = convert(path)
                    found = Rebuild(document).value(0)
                    wanted = pickle.loads(written)  # some protocols lose something, such as the fold of a time
                    if not same(wanted, found):
                        raise Mismatch(f"is {found!r}, not {wanted!r}")
                    values += len(live)
                except Mismatch as mismatch:
                    failures.append(f"{name}, protocol {protocol}: {mismatch}")
                    print("FAIL", failures[-1], flush=True)
    print(f"{values} values of {len(KINDS)} kinds compared, {len(failures)} failures")
    return 1 if failures or values == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
