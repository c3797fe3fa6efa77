# SPDX-License-Identifier: Apache-2.0
"""Value trees: what a model holds besides its tensors (spec section 7)."""

import struct
from dataclasses import dataclass, field

(NONE, FALSE, TRUE, INT, FLOAT, COMPLEX, STR, BYTES, LIST, TUPLE, DICT, SET, FROZENSET, SLICE, RANGE, DATE, TIME,
 DATETIME, TIMEDELTA, TIMEZONE, TENSOR, GLOBAL, OBJECT, ZONED) = range(1, 25)
WITH_CHILDREN = {LIST, TUPLE, DICT, SET, FROZENSET, SLICE, RANGE, TIMEZONE, GLOBAL, OBJECT, ZONED}

NUMPY, TORCH, BIG_ENDIAN, REQUIRES_GRAD, CONJUGATE, NEGATIVE = 1, 2, 4, 8, 16, 32
ARGS, STATE, LIST_ITEMS, DICT_ITEMS, SET_ITEMS, INERT = 1, 2, 4, 8, 16, 128


@dataclass(eq=False)
class Node:
    """A node. Sharing a Node object shares it in the tree; `children` may be changed later to close a cycle."""

    kind: int
    flags: int = 0
    payload: bytes = b""
    children: list = field(default_factory=list)


def int_bytes(value):
    """Minimal two's complement; zero has no bytes."""
    if value == 0:
        return b""
    length = 1
    while not -(1 << (8 * length - 1)) <= value < 1 << (8 * length - 1):
        length += 1
    return value.to_bytes(length, "little", signed=True)


def of(value):
    """The node of a plain Python value; a Node stands for itself."""
    if isinstance(value, Node):
        return value
    if value is None:
        return Node(NONE)
    if value is True or value is False:
        return Node(TRUE if value else FALSE)
    if isinstance(value, int):
        return Node(INT, payload=int_bytes(value))
    if isinstance(value, float):
        return Node(FLOAT, payload=struct.pack("<d", value))
    if isinstance(value, complex):
        return Node(COMPLEX, payload=struct.pack("<dd", value.real, value.imag))
    if isinstance(value, str):
        return Node(STR, payload=value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return Node(BYTES, payload=value)
    if isinstance(value, list):
        return Node(LIST, children=[of(item) for item in value])
    if isinstance(value, tuple):
        return Node(TUPLE, children=[of(item) for item in value])
    if isinstance(value, dict):
        return Node(DICT, children=[of(part) for item in value.items() for part in item])
    raise TypeError(type(value))


def tensor(index, flags=TORCH):
    return Node(TENSOR, flags, struct.pack("<I", index))


def global_(module, name):
    return Node(GLOBAL, children=[of(module), of(name)])


def object_(cls, flags, *parts):
    return Node(OBJECT, flags, children=[cls, *parts])


def date(year, month, day):
    return Node(DATE, payload=struct.pack("<HBB", year, month, day))


def time(hour, minute, second, microsecond=0, fold=0):
    return Node(TIME, payload=struct.pack("<BBBBI", hour, minute, second, fold, microsecond))


def datetime(year, month, day, hour, minute, second, microsecond=0, fold=0):
    return Node(DATETIME,
                payload=date(year, month, day).payload + time(hour, minute, second, microsecond, fold).payload)


def timedelta(days, seconds, microseconds=0):
    return Node(TIMEDELTA, payload=struct.pack("<iII", days, seconds, microseconds))


def zoned(what, zone):
    return Node(ZONED, children=[what, zone])


def timezone(offset, name=None):
    return Node(TIMEZONE, children=[offset] + ([of(name)] if name is not None else []))


@dataclass
class Tables:
    """The three flat tables. Vectors change them directly to break what no walk would write."""

    nodes: list  # (kind, flags, count)
    children: list
    payload: bytes

    def node_bytes(self):
        return [struct.pack("<BBHI", kind, flags, 0, count) for kind, flags, count in self.nodes]


def flatten(root):
    """Numbers the nodes in first-visit order, depth first, and lays the tables out. No recursion: trees may be deep."""
    numbers, order, stack = {}, [], [root]
    while stack:
        node = stack.pop()
        if id(node) in numbers:
            continue
        numbers[id(node)] = len(order)
        order.append(node)
        stack.extend(reversed(node.children))
    tables = Tables([], [], b"")
    for node in order:
        has_children = node.kind in WITH_CHILDREN
        tables.nodes.append((node.kind, node.flags, len(node.children) if has_children else len(node.payload)))
        tables.children.extend(numbers[id(child)] for child in node.children)
        tables.payload += node.payload
    return tables
