# SPDX-License-Identifier: Apache-2.0
"""The value tree (spec section 7). Python itself says which keys are equal."""

import datetime
import struct

from .. import tree as t
from . import malformed_unless, require

EXACT = {
    t.NONE: 0,
    t.FALSE: 0,
    t.TRUE: 0,
    t.DATE: 4,
    t.TENSOR: 4,
    t.FLOAT: 8,
    t.TIME: 8,
    t.DATETIME: 12,
    t.TIMEDELTA: 12,
    t.COMPLEX: 16,
    t.GLOBAL: 2,
    t.ZONED: 2,
    t.SLICE: 3,
    t.RANGE: 3
}
PARTS = ((t.ARGS, t.TUPLE), (t.STATE, None), (t.LIST_ITEMS, t.LIST), (t.DICT_ITEMS, t.DICT), (t.SET_ITEMS, t.LIST))


class Node:

    def __init__(self, number, kind, flags, count, content):
        self.number, self.kind, self.flags, self.count = number, kind, flags, count
        self.payload = content if isinstance(content, bytes) else b""
        self.children = content if not isinstance(content, bytes) else []


def take_nodes(d):
    nodes, child, byte = [], 0, 0
    children, payload = d["children"], bytes(d["payload"])
    rows = [struct.unpack("<BBHI", row) for row in d["nodes"]]
    malformed_unless(all(reserved == 0 for _, _, reserved, _ in rows), "T-FLAGS")
    for number, (kind, flags, _, count) in enumerate(rows):
        require(t.NONE <= kind <= t.ZONED, "unsupported", "T-KINDS")
        if kind in t.WITH_CHILDREN:
            nodes.append(Node(number, kind, flags, count, children[child:child + count]))
            child += count
        else:
            nodes.append(Node(number, kind, flags, count, payload[byte:byte + count]))
            byte += count
    malformed_unless(child == len(children) and byte == len(payload), "T-TILES")
    malformed_unless(nodes, "T-ROOT")
    return nodes


def parts_of(node):
    return [kind for flag, kind in PARTS if node.flags & flag]


def check_scalar(node, tensors, limits):
    allowed = {t.TENSOR: 63, t.OBJECT: 31 | t.INERT}.get(node.kind, 0)
    malformed_unless(node.flags & ~allowed == 0, "T-FLAGS")
    malformed_unless(node.kind != t.TENSOR or node.flags & 3 != 3, "T-FLAGS")
    if node.kind in EXACT:
        malformed_unless(node.count == EXACT[node.kind], "T-COUNTS")
    if node.kind == t.OBJECT:
        malformed_unless(node.count == 1 + len(parts_of(node)), "T-COUNTS")
    malformed_unless(node.kind != t.DICT or node.count % 2 == 0, "T-COUNTS")
    malformed_unless(node.kind != t.TIMEZONE or node.count in (1, 2), "T-COUNTS")
    if node.kind == t.INT:
        require(node.count <= limits["int_bytes"], "limit", "L-LIMITS")
        malformed_unless(t.int_bytes(int.from_bytes(node.payload, "little", signed=True)) == node.payload, "T-INT")
    if node.kind == t.TENSOR:
        malformed_unless(struct.unpack("<I", node.payload)[0] < tensors, "T-TENSOR")
    try:
        if node.kind == t.STR:
            node.payload.decode("utf-8", "surrogatepass")
        else:
            moment_of(node)
    except UnicodeDecodeError:
        malformed_unless(False, "T-STR")
    except (ValueError, OverflowError):
        malformed_unless(False, "T-TIME")


def moment_of(node):
    """The Python value of a date, time, datetime or timedelta; ValueError when there is none."""
    p = node.payload
    if node.kind == t.DATE:
        return datetime.date(*struct.unpack("<HBB", p))
    if node.kind in (t.TIME, t.DATETIME):
        hour, minute, second, fold, micro = struct.unpack("<BBBBI", p[-8:])
        clock = datetime.time(hour, minute, second, micro, fold=fold)
        return clock if node.kind == t.TIME else datetime.datetime.combine(datetime.date(
            *struct.unpack("<HBB", p[:4])), clock)
    if node.kind == t.TIMEDELTA:
        days, seconds, micro = struct.unpack("<iII", p)
        if not (abs(days) <= 999999999 and seconds < 86400 and micro < 10**6):
            raise ValueError
        return datetime.timedelta(days, seconds, micro)
    return None


def check_order(nodes, limits):
    """[T-ORDER]: numbers are those of the first visits; children exist; depth by the first visit."""
    visited, stack = 0, [(0, 1)]
    seen = set()
    while stack:
        number, depth = stack.pop()
        malformed_unless(number < len(nodes), "T-ORDER")
        if number in seen:
            continue
        malformed_unless(number == visited, "T-ORDER")
        require(depth <= limits["tree_depth"], "limit", "L-LIMITS")
        seen.add(number)
        visited += 1
        stack.extend((child, depth + 1) for child in reversed(nodes[number].children))
    malformed_unless(visited == len(nodes), "T-ORDER")


def check_children(node, nodes):
    kids = [nodes[child] for child in node.children]
    kinds = [kid.kind for kid in kids]
    if node.kind == t.RANGE:
        malformed_unless(kinds == [t.INT] * 3 and kids[2].count, "T-CHILDREN")
    elif node.kind == t.GLOBAL:
        malformed_unless(kinds == [t.STR] * 2, "T-GLOBAL")
    elif node.kind == t.TIMEZONE:
        malformed_unless(kinds[0] == t.TIMEDELTA and kinds[1:] in ([], [t.STR]), "T-CHILDREN")
        malformed_unless(abs(moment_of(kids[0])) < datetime.timedelta(days=1), "T-TIME")
    elif node.kind == t.ZONED:
        malformed_unless(kinds[0] in (t.TIME, t.DATETIME) and kinds[1] in (t.TIMEZONE, t.OBJECT, t.GLOBAL),
                         "T-CHILDREN")
    elif node.kind == t.OBJECT:
        malformed_unless(kinds[0] == t.GLOBAL, "T-CHILDREN")
        for wanted, kind in zip(parts_of(node), kinds[1:]):
            malformed_unless(wanted is None or kind == wanted, "T-CHILDREN")


def closed_children(node):
    if node.kind == t.LIST:
        return []
    if node.kind == t.DICT:
        return node.children[::2]
    if node.kind == t.OBJECT:
        return node.children[:2 if node.flags & t.ARGS else 1]
    return node.children


def closed_order(nodes):
    """Nodes after all that they close over; [T-CYCLE]."""
    done, active, order = set(), set(), []
    for start in range(len(nodes)):
        stack = [(start, None)]
        while stack:
            number, rest = stack.pop()
            if rest is None:
                if number in done:
                    continue
                malformed_unless(number not in active, "T-CYCLE")
                active.add(number)
                rest = iter(closed_children(nodes[number]))
            child = next(rest, None)
            if child is None:
                active.discard(number)
                done.add(number)
                order.append(number)
                continue
            stack.append((number, rest))
            malformed_unless(child not in active, "T-CYCLE")
            stack.append((child, None))
    return order


class Same:
    """What equals only itself."""


def key_of(node, nodes, keys):
    """A hashable Python value that equals another's exactly when the nodes are equal; None for what is unhashable."""
    kids = [keys.get(child) for child in closed_children(node)]
    kind, p = node.kind, node.payload
    if kind in (t.LIST, t.DICT, t.SET, t.TENSOR):
        return None
    if kind in (t.TUPLE, t.FROZENSET, t.SLICE) and any(kid is None for kid in kids):
        return None
    if kind in (t.FALSE, t.TRUE):
        return ("number", kind == t.TRUE)
    if kind == t.INT:
        return ("number", int.from_bytes(p, "little", signed=True))
    if kind in (t.FLOAT, t.COMPLEX):
        value = struct.unpack("<d", p)[0] if kind == t.FLOAT else complex(*struct.unpack("<dd", p))
        return ("number", value) if value == value else Same()
    if kind == t.OBJECT:
        return Same()
    if any(isinstance(kid, Same) for kid in kids) and kind in (t.TUPLE, t.FROZENSET, t.SLICE):
        return (kind, frozenset(kids) if kind == t.FROZENSET else tuple(kids))
    if kind == t.RANGE:
        return ("range", range(*(kid[1] for kid in kids)))
    if kind == t.TIMEZONE:
        return ("timezone", moment_of(nodes[node.children[0]]))
    if kind == t.ZONED:
        return zoned_key(node, nodes, kids)
    if kind == t.FROZENSET:
        return (kind, frozenset(kids))
    if kind in (t.TUPLE, t.SLICE, t.GLOBAL):
        return (kind, tuple(kids))
    if kind in (t.DATE, t.TIME, t.DATETIME, t.TIMEDELTA):
        return (kind, moment_of(node).replace(fold=0) if kind in (t.TIME, t.DATETIME) else moment_of(node))
    return (kind, p)


def zoned_key(node, nodes, kids):
    clock, zone = (nodes[child] for child in node.children)
    if zone.kind != t.TIMEZONE:
        return ("zoned", kids[0], kids[1])
    moment, offset = moment_of(clock), moment_of(nodes[zone.children[0]])
    micro = datetime.timedelta(microseconds=1)
    day = datetime.timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second,
                             microseconds=moment.microsecond)
    if clock.kind == t.TIME:
        return ("utc time", (day - offset) // micro)
    return ("utc datetime", (datetime.timedelta(days=moment.toordinal()) + day - offset) // micro)


def check_weights(nodes, order):
    limit = 2**20 + 32 * sum(1 + len(node.children) for node in nodes)
    weights = {}
    for number in order:
        node = nodes[number]
        own = 1 + (node.count // 8 if node.kind == t.INT else 0)
        weights[number] = own + sum(weights[child] for child in closed_children(node))
    total = sum(weights[key] for node in nodes if node.kind == t.DICT for key in node.children[::2])
    require(total <= limit, "limit", "T-KEYS")


def check_keys(nodes, order):
    keys = {}
    for number in order:
        keys[number] = key_of(nodes[number], nodes, keys)
    for node in nodes:
        if node.kind not in (t.DICT, t.SET, t.FROZENSET):
            continue
        items = node.children[::2] if node.kind == t.DICT else node.children
        malformed_unless(all(keys[item] is not None for item in items), "T-KEYS")
        for item in items:
            if nodes[item].kind == t.RANGE:
                bounds = [nodes[child].count <= 8 for child in nodes[item].children]
                require(all(bounds), "limit", "T-KEYS")
        malformed_unless(len({keys[item] for item in items}) == len(items), "T-KEYS")


def encoding(number, nodes, path, known):
    """The encoding of a node; `known` has those of nodes from which no cycle is reached."""
    malformed_unless(number not in path, "T-SET")
    if number in known:
        return known[number]
    node = nodes[number]
    require(node.kind != t.TENSOR, "unsupported", "T-SET")
    out = struct.pack("<BBI", node.kind, node.flags, node.count) + node.payload
    for child in node.children:
        out += encoding(child, nodes, path | {number}, known)
        require(len(out) <= 65536, "limit", "T-SET")
    known[number] = out
    return out


def check_sets(nodes):
    tables = sum(8 + 4 * len(node.children) + len(node.payload) for node in nodes)
    total, known = 0, {}
    for node in nodes:
        if node.kind in (t.SET, t.FROZENSET):
            encodings = [encoding(child, nodes, {node.number}, known) for child in node.children]
            total += sum(len(item) for item in encodings)
            require(total <= (16 << 20) + 32 * tables, "limit", "T-SET")
            malformed_unless(encodings == sorted(encodings), "T-SET")


def check_tree(d, limits):
    require(len(d["nodes"]) <= limits["tree_nodes"], "limit", "L-LIMITS")
    nodes = take_nodes(d)
    for node in nodes:
        check_scalar(node, len(d["tensors"]), limits)
    check_order(nodes, limits)
    for node in nodes:
        check_children(node, nodes)
    order = closed_order(nodes)
    check_weights(nodes, order)
    check_keys(nodes, order)
    check_sets(nodes)
