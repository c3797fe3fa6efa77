# SPDX-License-Identifier: Apache-2.0
"""D11, D13 to D17: the value tree."""

import struct

from .. import tree
from ..tree import Node
from .base import leaf, tiny, vector

U32 = (1 << 32) - 1


def value(name, expect, spec, reason, root, at="open", twin="D11-ok", **options):
    ok = expect == "ok"
    return vector(name, expect, spec, reason, model=leaf(root), at="content" if ok else at, twin=None if ok else twin,
                  **options)


def everything():
    """Each kind at least once."""
    zone = tree.timezone(tree.timedelta(0, 3600), "CET")
    cls = tree.global_("collections", "OrderedDict")
    items = sorted([Node(tree.STR, payload=b"x"), Node(tree.INT, payload=b"\5")], key=lambda n: n.kind)
    return {
        "none": None,
        "bools": [True, False],
        "ints": [0, 1, -1, 127, 128, -128, -129, 1 << 64],
        "float": float("nan"),
        "complex": 1 - 2j,
        "text": "größe",
        "bytes": b"\0\xff",
        "tuple": (1, "a"),
        "set": Node(tree.SET, children=items),
        "frozenset": Node(tree.FROZENSET),
        "slice": Node(tree.SLICE, children=[tree.of(None), tree.of(2), tree.of(None)]),
        "range": Node(tree.RANGE, children=[tree.of(0), tree.of(9), tree.of(-3)]),
        "date": tree.date(2024, 2, 29),
        "time": tree.time(23, 59, 59, 999999, 1),
        "when": tree.zoned(tree.datetime(9999, 12, 31, 0, 0, 0), zone),
        "delta": tree.timedelta(-999999999, 86399, 999999),
        "class": cls,
        "object": tree.object_(cls, tree.ARGS | tree.STATE | tree.LIST_ITEMS | tree.DICT_ITEMS | tree.SET_ITEMS,
                               tree.of(()), tree.of({"a": 1}), tree.of([1]), tree.of({1: 2}), tree.of([3])),
        "inert": tree.object_(tree.global_("os", "system"), tree.ARGS | tree.INERT, tree.of(("true", ))),
    }


def vectors():
    yield value("D11-ok", "ok", "T-TILES T-ORDER T-KINDS T-FLAGS T-COUNTS", "every kind of node", everything())
    yield from tables()
    yield from arity()
    yield from cycles()
    yield from keys()
    yield from more_keys()
    yield from scalars()
    yield from sets()
    yield value("D17-dangerous-ok", "ok", "T-GLOBAL", "classes are data: nothing is called or looked up", [
        tree.global_("os", "system"),
        tree.global_("builtins", "eval"),
        tree.global_("a.b", "c.d.e"),
        tree.object_(tree.global_("os", "system"), tree.ARGS | tree.STATE, tree.of(
            ("true", )), tree.of({"__class__": 1}))
    ])


def tables():
    base = ["a", 1]

    def broken(name, change, reason, spec="T-TILES", expect="malformed"):
        return value(f"D11-{name}", expect, spec, reason, base, tables=change)

    def node(number, kind=None, flags=None, count=None):

        def change(tables):
            old = tables.nodes[number]
            tables.nodes[number] = tuple(new if new is not None else was for new, was in zip((kind, flags, count), old))

        return change

    yield broken("no-root", lambda t: (t.nodes.clear(), t.children.clear(), setattr(t, "payload", b"")) and None,
                 "no nodes at all", "T-ROOT")
    for kind in (0, 25, 255):
        yield broken(f"kind-{kind}", node(1, kind=kind), f"a node of kind {kind}", "T-KINDS", "unsupported")
    yield broken("child-outside", lambda t: t.children.__setitem__(1, 3), "a child that does not exist", "T-ORDER")
    yield broken("child-huge", lambda t: t.children.__setitem__(1, U32), "child 2^32-1", "T-ORDER")
    yield broken("unreached", lambda t: t.children.__setitem__(1, 1), "a node that nothing reaches", "T-ORDER")
    yield broken("order", lambda t: t.children.reverse(), "nodes not in the order of the first visits", "T-ORDER")
    yield broken("children-left", lambda t: t.children.append(1), "a child that no node takes")
    yield broken("children-short", lambda t: t.children.pop() and None,
                 "a node that takes more children than there are")
    yield broken("payload-left", lambda t: setattr(t, "payload", t.payload + b"x"), "a byte that no node takes")
    yield broken("payload-short", lambda t: setattr(t, "payload", t.payload[:-1]),
                 "a node that takes more bytes than there are")
    yield broken("count-huge", node(1, count=U32), "a str of 2^32-1 bytes")
    yield broken("flags", node(1, flags=1), "flags of a str", "T-FLAGS")

    def reserved(directory):
        directory["nodes"][1] = directory["nodes"][1][:2] + b"\1\0" + directory["nodes"][1][4:]

    yield value("D11-reserved", "malformed", "T-FLAGS", "reserved bytes of a node", base, directory=reserved)
    yield value("D11-nodes-over", "limit", "L-LIMITS", "more nodes than the limit", base,
                options={"limits": ["tree_nodes=2"]})


def arity():
    text, one = tree.of("a"), tree.of(1)
    cls = tree.global_("a", "b")
    for name, node, reason in [
        ("none-with-bytes", Node(tree.NONE, payload=b"x"), "a none with payload"),
        ("float-short", Node(tree.FLOAT, payload=bytes(7)), "a float of seven bytes"),
        ("complex-long", Node(tree.COMPLEX, payload=bytes(17)), "a complex of 17 bytes"),
        ("date-short", Node(tree.DATE, payload=bytes(3)), "a date of three bytes"),
        ("datetime-short", Node(tree.DATETIME, payload=bytes(8)), "a datetime of eight bytes"),
        ("dict-odd", Node(tree.DICT, children=[text]), "a dict with a key and no value"),
        ("slice-two", Node(tree.SLICE, children=[one, one]), "a slice of two"),
        ("range-four", Node(tree.RANGE, children=[one] * 4), "a range of four"),
        ("global-one", Node(tree.GLOBAL, children=[text]), "a global without a name"),
        ("zoned-one", Node(tree.ZONED, children=[tree.time(1, 2, 3)]), "a zoned time without a zone"),
        ("timezone-none", Node(tree.TIMEZONE), "a timezone without an offset"),
        ("timezone-three", Node(tree.TIMEZONE, children=[tree.timedelta(0, 60), text,
                                                         text]), "a timezone of three parts"),
        ("object-empty", Node(tree.OBJECT), "an object without a class"),
        ("object-part-missing", tree.object_(cls, tree.ARGS), "an object whose flag announces a part that is missing"),
        ("object-part-extra", tree.object_(cls, 0, tree.of(())), "an object with a part that no flag announces"),
        ("tensor-short", Node(tree.TENSOR, payload=b"\0"), "a tensor reference of one byte"),
    ]:
        yield value(f"D11-{name}", "malformed", "T-COUNTS", reason, [node])
    for name, node, reason in [
        ("object-class", tree.object_(text, 0), "an object whose class is a str"),
        ("object-args", tree.object_(cls, tree.ARGS, tree.of([])), "constructor arguments in a list"),
        ("object-items", tree.object_(cls, tree.LIST_ITEMS, tree.of(())), "list items in a tuple"),
        ("object-dict", tree.object_(cls, tree.DICT_ITEMS, tree.of([])), "dict items in a list"),
        ("global-bytes", Node(tree.GLOBAL, children=[tree.of(b"os"), text]), "a module name that is bytes"),
        ("range-float", Node(tree.RANGE, children=[one, one, tree.of(1.0)]), "a range of floats"),
        ("range-zero", Node(tree.RANGE, children=[one, one, tree.of(0)]), "a range of step zero"),
        ("zoned-date", tree.zoned(tree.date(2024, 1, 1), tree.timezone(tree.timedelta(0, 0))), "a date with a zone"),
        ("zoned-str", tree.zoned(tree.time(1, 2, 3), text), "a zone that is a str"),
        ("timezone-int", Node(tree.TIMEZONE, children=[one]), "an offset that is an int"),
        ("timezone-name", Node(tree.TIMEZONE, children=[tree.timedelta(0, 60), one]), "a zone name that is an int"),
    ]:
        yield value(f"D11-{name}", "malformed", "T-CHILDREN", reason, [node])
    for flags, reason in [(3, "numpy and torch"), (64, "an unknown flag"), (128, "an unknown flag")]:
        yield vector(f"D11-tensor-flags-{flags}", "malformed", "T-FLAGS", f"a tensor reference with {reason}",
                     twin="P0-ok", model=tiny(root=tree.of({"w": tree.tensor(0, flags)})))
    for index in (1, U32):
        yield vector(f"D11-tensor-{index}", "malformed", "T-TENSOR", "a reference to a tensor that does not exist",
                     twin="P0-ok", model=tiny(root=tree.of({"w": tree.tensor(index)})))
    for flags in (32, 64):
        yield value(f"D11-object-flags-{flags}", "malformed", "T-FLAGS", "an unknown part of an object",
                    [tree.object_(cls, flags)])


def cycles():

    def closed(node, through=None):
        (through or node).children.append(node)
        return node

    own_list, own_dict = tree.of([1]), Node(tree.DICT)
    own_dict.children += [tree.of("self"), own_dict]
    state = Node(tree.DICT)
    own_object = tree.object_(tree.global_("a", "B"), tree.STATE, state)
    state.children += [tree.of("self"), own_object]
    yield value("D13-cycles-ok", "ok", "T-CYCLE", "a list, a dict and an object that contain themselves",
                [closed(own_list), own_dict, own_object])
    own_tuple, own_frozen, own_slice = tree.of((1, )), Node(tree.FROZENSET), Node(tree.SLICE)
    own_slice.children += [tree.of(None), tree.of(None), own_slice]
    key = tree.of(("k", ))
    key.children.append(key)
    args = tree.of(())
    by_args = tree.object_(tree.global_("a", "B"), tree.ARGS, args)
    args.children.append(by_args)
    through_list = tree.of(())
    through_list.children.append(Node(tree.LIST, children=[through_list]))
    for name, node, reason in [
        ("tuple", closed(own_tuple), "a tuple that contains itself"),
        ("frozenset", closed(own_frozen), "a frozenset that contains itself"),
        ("slice", own_slice, "a slice that contains itself"),
        ("key", Node(tree.DICT, children=[key, tree.of(1)]), "a dict key that contains itself"),
        ("args", by_args, "constructor arguments that contain the object"),
    ]:
        yield value(f"D13-{name}", "malformed", "T-CYCLE", reason, [node], twin="D13-cycles-ok")
    yield value("D13-tuple-of-list-ok", "ok", "T-CYCLE", "a tuple that contains a list that contains the tuple",
                through_list)

    def nested(depth):
        node = Node(tree.LIST)
        for _ in range(depth - 1):
            node = Node(tree.LIST, children=[node])
        return node

    yield value("D13-depth-ok", "ok", "L-LIMITS", "as deep as the limit", nested(100),
                options={"limits": ["tree_depth=100"]})
    yield value("D13-depth", "limit", "L-LIMITS", "one deeper than the limit", nested(101), twin="D13-depth-ok",
                options={"limits": ["tree_depth=100"]})
    laughs = tree.of("ha")
    for _ in range(30):
        laughs = Node(tree.LIST, children=[laughs, laughs])
    yield value("D14-billion-laughs-ok", "ok", "T-ORDER", "30 levels of two references each: 31 nodes", laughs)


def keys():
    nan = lambda: tree.of(float("nan"))
    yield value(
        "D15-keys-ok", "ok", "T-KEYS", "keys of many kinds, and NaN twice",
        Node(
            tree.DICT, children=[
                part for key in [
                    tree.of(1),
                    tree.of("1"),
                    tree.of(b"1"),
                    tree.of((1, 2)),
                    tree.of(None),
                    tree.of(1.5),
                    nan(),
                    nan(),
                    tree.date(2024, 1, 1)
                ] for part in (key, tree.of(0))
            ]))
    for name, first, second, reason in [
        ("equal", tree.of("a"), tree.of("a"), "two equal keys"),
        ("same-node", None, None, "one node twice as key"),
        ("int-float", tree.of(1), tree.of(1.0), "1 and 1.0"),
        ("int-bool", tree.of(1), tree.of(True), "1 and True"),
        ("float-bool", tree.of(0.0), tree.of(False), "0.0 and False"),
        ("zeros", tree.of(0.0), tree.of(-0.0), "0.0 and -0.0"),
        ("complex", tree.of(1), tree.of(1 + 0j), "1 and 1+0j"),
        ("large", tree.of(1 << 70), tree.of(float(1 << 70)), "2^70 as int and float"),
        ("tuples", tree.of((1, "a")), tree.of((True, "a")), "tuples of keys that are equal"),
        ("list", tree.of([1]), tree.of(2), "a list as key"),
        ("dict", tree.of({}), tree.of(2), "a dict as key"),
        ("set", Node(tree.SET), tree.of(2), "a set as key"),
        ("tuple-of-list", tree.of(([], )), tree.of(2), "a tuple with a list as key"),
    ]:
        if name == "same-node":
            first = second = tree.of("a")
        yield value(f"D15-{name}", "malformed", "T-KEYS", reason,
                    Node(tree.DICT, children=[first, tree.of(0), second, tree.of(0)]), twin="D15-keys-ok")


def more_keys():
    """Python's equality beyond numbers and text."""
    part = tree.of

    def span(*bounds):
        return Node(tree.RANGE, children=[part(bound) for bound in bounds])

    def cut(*bounds):
        return Node(tree.SLICE, children=[part(bound) for bound in bounds])

    def frozen(*items):
        return Node(tree.FROZENSET, children=[part(item) for item in items])

    def hours(count, name=None):
        days, rest = divmod(count, 24)
        return tree.timezone(tree.timedelta(days, 3600 * rest), name)

    def keys(*nodes):
        return Node(tree.DICT, children=[child for node in nodes for child in (node, part(0))])

    def inert():
        return tree.object_(tree.global_("a", "B"), 0)

    for name, first, second, reason in [
        ("ranges", span(0, 3, 2), span(0, 4, 2), "ranges that yield the same integers"),
        ("ranges-empty", span(0, 0, 1), span(5, 1, 2), "two empty ranges"),
        ("slices", cut(1, None, None), cut(True, None, None), "slices of equal parts"),
        ("frozensets", frozen(1, 2), frozen(1.0, 2.0), "frozensets of equal items"),
        ("globals", tree.global_("a", "B"), tree.global_("a", "B"), "the same class twice"),
        ("dates", tree.date(2024, 1, 1), tree.date(2024, 1, 1), "one day twice"),
        ("times", tree.time(1, 2, 3), tree.time(1, 2, 3, 0, 1), "times that differ in their fold only"),
        ("deltas", tree.timedelta(1, 2, 3), tree.timedelta(1, 2, 3), "one duration twice"),
        ("timezones", hours(1, "CET"), hours(1), "timezones that differ in their name only"),
        ("zoned", tree.zoned(tree.datetime(2024, 1, 1, 1, 0, 0),
                             hours(1)), tree.zoned(tree.datetime(2024, 1, 1, 0, 0, 0),
                                                   hours(0)), "one instant in two zones"),
        ("zoned-day", tree.zoned(tree.datetime(2024, 1, 1, 1, 0, 0),
                                 hours(2)), tree.zoned(tree.datetime(2023, 12, 31, 23, 0, 0),
                                                       hours(0)), "one instant on two days"),
        ("fraction-complex", part(1.5), part(1.5 + 0j), "1.5 and 1.5+0j"),
    ]:
        yield value(f"D15-{name}", "malformed", "T-KEYS", reason, keys(first, second), twin="D15-more-keys-ok")
    nan, other = part(float("nan")), part(float("nan"))
    pair = lambda kind, first: Node(kind, children=[first, part(1)] if kind == tree.TUPLE else [part(1), first])
    yield value("D15-shared-nan-ok", "ok", "T-KEYS", "tuples and frozensets, each with a NaN of its own",
                keys(*[pair(kind, first) for kind in (tree.TUPLE, tree.FROZENSET) for first in (nan, other)]))
    for name, kind in [("tuple", tree.TUPLE), ("frozenset", tree.FROZENSET)]:
        yield value(f"D15-{name}-shared-nan", "malformed", "T-KEYS", "two keys with one NaN as item",
                    keys(pair(kind, nan), pair(kind, nan)), twin="D15-shared-nan-ok")
    same = inert()
    yield value("D15-object-twice", "malformed", "T-KEYS", "one object twice", keys(same, same),
                twin="D15-more-keys-ok")
    yield value(
        "D15-more-keys-ok", "ok", "T-KEYS", "keys that look alike and are not equal",
        keys(part("1"), part(b"1"), part(1), span(0, 3, 2), span(0, 5, 2), cut(1, None, None), part((1, None, None)),
             frozen(1), frozen(), tree.date(2024, 1, 1), tree.datetime(2024, 1, 1, 0, 0, 0), tree.time(0, 0, 0),
             tree.zoned(tree.datetime(2024, 1, 1, 0, 0, 0), hours(0)), hours(0), tree.timedelta(0, 0), inert(), inert(),
             tree.global_("a", "B"), tree.global_("a.B", ""), part(2**53), part(2.0**53 + 2)))
    yield value("D15-range-wide", "limit", "T-KEYS", "a range as key with a bound beyond 64 bits",
                keys(span(0, 1 << 70, 1)), twin="D15-more-keys-ok")

    def pairs(levels):
        laughs = part("ha")
        for _ in range(levels):
            laughs = Node(tree.TUPLE, children=[laughs, laughs])
        return keys(laughs)

    yield value("D15-key-pairs-ok", "ok", "T-KEYS", "a key of 12 tuples, each the one before twice", pairs(12))
    yield value("D15-key-laughs", "limit", "T-KEYS", "a key of 40 tuples, each the one before twice", pairs(40),
                twin="D15-key-pairs-ok")


def scalars():
    yield value("D16-surrogate-ok", "ok", "T-STR", "a str with a lone surrogate is kept exactly", "a\ud800")
    for name, kind, payload, spec, reason in [
        ("int-zero-byte", tree.INT, b"\0", "T-INT", "zero in a byte"),
        ("int-long", tree.INT, b"\1\0", "T-INT", "1 in two bytes"),
        ("int-long-negative", tree.INT, b"\xff\xff", "T-INT", "-1 in two bytes"),
        ("str-overlong", tree.STR, b"\xc0\x80", "T-STR", "an overlong character"),
        ("str-cut", tree.STR, b"\xe2\x82", "T-STR", "a cut character"),
        ("str-beyond", tree.STR, b"\xf4\x90\x80\x80", "T-STR", "a character beyond U+10FFFF"),
        ("str-ff", tree.STR, b"\xff", "T-STR", "a byte that UTF-8 does not have"),
        ("date-year-0", tree.DATE, struct.pack("<HBB", 0, 1, 1), "T-TIME", "year 0"),
        ("date-year-10000", tree.DATE, struct.pack("<HBB", 10000, 1, 1), "T-TIME", "year 10000"),
        ("date-month-13", tree.DATE, struct.pack("<HBB", 2024, 13, 1), "T-TIME", "month 13"),
        ("date-feb-30", tree.DATE, struct.pack("<HBB", 2024, 2, 30), "T-TIME", "30 February"),
        ("date-feb-29", tree.DATE, struct.pack("<HBB", 2023, 2, 29), "T-TIME", "29 February of no leap year"),
        ("time-24", tree.TIME, struct.pack("<BBBBI", 24, 0, 0, 0, 0), "T-TIME", "hour 24"),
        ("time-second-60", tree.TIME, struct.pack("<BBBBI", 0, 0, 60, 0, 0), "T-TIME", "second 60"),
        ("time-fold-2", tree.TIME, struct.pack("<BBBBI", 0, 0, 0, 2, 0), "T-TIME", "fold 2"),
        ("time-microsecond", tree.TIME, struct.pack("<BBBBI", 0, 0, 0, 0, 10**6), "T-TIME", "a million microseconds"),
        ("delta-days", tree.TIMEDELTA, struct.pack("<iII", 10**9, 0, 0), "T-TIME", "a thousand million days"),
        ("delta-seconds", tree.TIMEDELTA, struct.pack("<iII", 0, 86400, 0), "T-TIME", "86400 seconds"),
    ]:
        yield value(f"D16-{name}", "malformed", spec, reason, Node(kind, payload=payload))
    for name, delta in [("25h", tree.timedelta(1, 3600)), ("24h", tree.timedelta(1, 0)),
                        ("minus-24h", tree.timedelta(-1, 0))]:
        yield value(f"D16-offset-{name}", "malformed", "T-TIME", "a UTC offset that is not within 24 hours",
                    tree.timezone(delta))
    yield value("D16-int-limit-ok", "ok", "L-LIMITS", "an int as long as the limit", (1 << 127) - 1,
                options={"limits": ["int_bytes=16"]})
    yield value("D16-int-over", "limit", "L-LIMITS", "an int longer than the limit", 1 << 127, twin="D16-int-limit-ok",
                options={"limits": ["int_bytes=16"]})


def sets():
    a, b = Node(tree.STR, payload=b"a"), Node(tree.STR, payload=b"b")
    one = tree.of(1)
    yield value("D15-set-ok", "ok", "T-SET", "items in ascending order of their encodings",
                Node(tree.SET, children=[one, a, b]))
    for name, items, reason in [
        ("descending", [b, a], "items that descend"),
        ("equal", [a, Node(tree.STR, payload=b"a")], "equal items"),
        ("kinds", [a, one], "items that descend by kind"),
        ("list", [tree.of([])], "a list in a set"),
        ("equal-in-python", [one, tree.of(1.0)], "1 and 1.0 in a set"),
    ]:
        spec = "T-SET" if name in ("descending", "kinds") else "T-KEYS"
        yield value(f"D15-set-{name}", "malformed", spec, reason, Node(tree.SET, children=items), twin="D15-set-ok")
    yield value(
        "D15-set-alike-ok", "ok", "T-SET", "two NaN, and two objects of the same content",
        Node(
            tree.SET, children=[
                tree.of(float("nan")),
                tree.of(float("nan")),
                tree.object_(tree.global_("a", "B"), 0),
                tree.object_(tree.global_("a", "B"), 0)
            ]))
    own = Node(tree.SET)
    own.children.append(tree.object_(tree.global_("a", "B"), tree.STATE, tree.of([own])))
    yield value("D15-set-reached", "malformed", "T-SET", "an item from which its set is reached", [own],
                twin="D15-set-ok")
    circle = tree.of([])
    circle.children.append(circle)
    yield value("D15-set-cycle", "malformed", "T-SET", "an item from which a cycle is reached, but not its set",
                Node(tree.SET, children=[tree.object_(tree.global_("a", "B"), tree.STATE, circle)]), twin="D15-set-ok")
    pairs = tree.of("ha")
    for _ in range(12):
        pairs = Node(tree.TUPLE, children=[pairs, pairs])
    for name, expect, count in [("many-ok", "ok", 290), ("many", "limit", 300)]:
        yield value(f"D15-sets-{name}", expect, "T-SET", f"{count} sets with one item of 57 338 bytes in common",
                    [Node(tree.SET, children=[pairs]) for _ in range(count)], twin="D15-sets-many-ok")
    tensor_inside = tree.object_(tree.global_("a", "B"), tree.STATE, tree.of([tree.tensor(0)]))
    yield vector("D15-set-tensor", "unsupported", "T-SET", "an item that contains a tensor", twin="D15-set-ok",
                 model=tiny(root=Node(tree.SET, children=[tensor_inside])))
