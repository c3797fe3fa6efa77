# SPDX-License-Identifier: Apache-2.0
"""What a single stream can do to get past a scanner."""

import struct

from assemble import BENIGN, EVIL, EVIL0, PAYLOAD, Row, STOP, blob, call, frame, line, name, new, proto, stack_name, state, text

NAMESPACE = new("argparse", "Namespace")
FUNCTION = ("some_package.module", "function")


def calls():
    yield Row("GLOBAL and REDUCE, protocol 0", EVIL0, "CALL-UNLISTED")
    for protocol in (1, 2, 3, 4, 5):
        yield Row(f"GLOBAL and REDUCE, protocol {protocol}", proto(protocol) + PAYLOAD + STOP, "CALL-UNLISTED")
    yield Row("STACK_GLOBAL and REDUCE", proto(4) + frame(stack_name(*FUNCTION) + b")R.") , "CALL-UNLISTED")
    yield Row("STACK_GLOBAL without a frame", proto(5) + stack_name(*FUNCTION) + b")R.", "CALL-UNLISTED")
    yield Row("INST", b"(I1\nisome_package.module\nfunction\n.", "CALL-UNLISTED")
    yield Row("INST without arguments", b"(isome_package.module\nfunction\n.", "CALL-UNLISTED")
    yield Row("OBJ", proto(2) + b"(" + name(*FUNCTION) + b"I1\no.", "CALL-UNLISTED")
    yield Row("OBJ without arguments", proto(2) + b"(" + name(*FUNCTION) + b"o.", "CALL-UNLISTED")
    mapped = name("builtins", "map") + b"(" + name(*FUNCTION) + b"]I1\nat"
    eager = name("builtins", "tuple") + b"(" + mapped + b"\x81" + b"t\x81."
    yield Row("NEWOBJ of map, consumed by tuple", proto(3) + eager, "NEW-UNLISTED")
    yield Row("NEWOBJ_EX of map", proto(4) + mapped + b"}\x92.", "NEW-UNLISTED")
    yield Row("NEWOBJ_EX with keywords", proto(4) + name("argparse", "Namespace") + b")}" + text("a") + b"Ns\x92.", "CALL-ARGS")
    yield Row("a result is called", proto(2) + NAMESPACE + b")R.", "CALL-NOT-GLOBAL")
    yield Row("a call whose result is popped", proto(2) + PAYLOAD + b"0N.", "CALL-UNLISTED")
    yield Row("OBJ, then POP", proto(2) + b"(" + name(*FUNCTION) + b"I1\no0N.", "CALL-UNLISTED")
    yield Row("a call, then BUILD", proto(2) + PAYLOAD + state(("x", b"N")) + STOP, "CALL-UNLISTED")
    yield Row("a name is seen by one check and called by another", proto(2) + name(*FUNCTION) + b"0" + PAYLOAD + STOP, "CALL-UNLISTED")
    yield Row("arguments are a list", proto(2) + name("collections", "OrderedDict") + b"]R.", "PKL-DIFFERENTIAL")


def states():
    function = name(*FUNCTION)
    yield Row("BUILD plants __setstate__, BUILD calls it", proto(2) + NAMESPACE + state(("__setstate__", function)) + b"Nb.", "STATE-RESERVED")
    planted = NAMESPACE + state(("append", function), ("extend", function))
    yield Row("BUILD plants append, APPEND calls it", proto(2) + planted + b"Na.", "STATE-RESERVED")
    yield Row("APPEND on an object", proto(2) + NAMESPACE + b"Na.", "ITEMS-TARGET")
    yield Row("SETITEM on a list", proto(2) + b"]K\0Ns.", "ITEMS-TARGET")
    yield Row("ADDITEMS on an object", proto(4) + NAMESPACE + b"(N\x90.", "ITEMS-TARGET")
    yield Row("BUILD on a function", proto(2) + name("builtins", "len") + b"}b.", "STATE-TARGET")
    linear = new("torch.nn.modules.linear", "Linear")
    yield Row("a planted forward", proto(2) + linear + state(("forward", name("os", "system"))) + STOP, "STATE-RESERVED")
    yield Row("a dangerous import as a hook", proto(2) + b"}" + text("hook") + name("os", "system") + b"s.", "GLOBAL-DANGEROUS")
    yield Row("an unlisted function as a value", proto(2) + b"}" + text("metric") + function + b"s.", "GLOBAL-UNLISTED", "unknown")
    yield Row("a default_factory", proto(2) + call("collections", "defaultdict", function) + STOP, "CALL-ARGS")


def extensions():
    register = call("copyreg", "add_extension", text("os") + text("system") + b"K\x01")
    yield Row("the registry is filled, then used", proto(2) + register + b"0\x82\x01)R.", "EXT-CODE")
    yield Row("EXT1 alone", proto(2) + b"\x82\x01.", "EXT-CODE")
    yield Row("EXT2 alone", proto(2) + b"\x83\x01\x00.", "EXT-CODE")
    yield Row("EXT4 alone", proto(2) + b"\x84\x01\x00\x00\x00.", "EXT-CODE")


def memo():
    module, attribute = map(text, FUNCTION)
    use = b"\x93)R."
    yield Row("memo by DUP and MEMOIZE", proto(4) + module + b"2\x9400" + attribute + b"\x940h\0h\x01" + use, "CALL-UNLISTED")
    yield Row("memo of a memo", proto(4) + module + b"\x940h\0\x940" + attribute + b"\x940h\x01h\x02" + use, "CALL-UNLISTED")
    yield Row("a sparse memo", proto(4) + text("len") + b"q\x05q\x060" + module + b"\x940h\x02" + attribute + use, "CALL-UNLISTED")
    yield Row("PUT 01 is PUT 1", module + b"p01\n0g1\n" + attribute + use, "PKL-DIFFERENTIAL")
    yield Row("a slot is overwritten", proto(4) + text("builtins") + b"q\x000" + module + b"q\x000h\0" + attribute + use, "CALL-UNLISTED")
    yield Row("LONG_BINPUT and GET", proto(4) + module + b"r\x07\0\0\x000g7\n" + attribute + use, "CALL-UNLISTED")
    yield Row("an unset slot", proto(4) + attribute + b"0N0h\x05" + attribute + use, "PKL-MALFORMED", "unreadable")
    yield Row("a number as a name", proto(4) + b"K\x01q\x00h\x00" + use, "PKL-MALFORMED", "unreadable")
    yield Row("decoys above a mark", proto(4) + module + attribute + b"(" + text("builtins") + text("len") + b"1" + use, "CALL-UNLISTED")
    yield Row("POP takes a mark away", proto(4) + module + attribute + b"(0" + use, "CALL-UNLISTED")
    yield Row("POP of decoys and their mark", proto(4) + module + attribute + b"(" + text("len") + b"00" + use, "CALL-UNLISTED")


def names():
    for module, attribute in (("random", "_os.system"), ("collections", "_sys.modules.get"), ("torch", "os.system"), ("numpy", "os.system"),
                              ("sklearn", "os.system")):
        yield Row(f"{module} and {attribute}", proto(4) + stack_name(module, attribute) + b")R.", "GLOBAL-DOTTED")
    yield Row("a dotted GLOBAL, protocol 2", proto(2) + name("random", "_os.system") + b")R.", "GLOBAL-DOTTED")
    yield Row("<locals>", proto(4) + stack_name("builtins", "f.<locals>.g") + STOP, "GLOBAL-NAME")
    yield Row("a name with a NUL", proto(4) + stack_name("os\0", "system") + STOP, "GLOBAL-NAME")
    imported = call("importlib", "import_module", text("os"))
    attribute = call("builtins", "object.__getattribute__", imported + text("system"))
    yield Row("object.__getattribute__ of import_module", proto(4) + attribute + b")R.", "CALL-NOT-GLOBAL")
    yield Row("getattr of import_module", proto(4) + call("builtins", "getattr", imported + text("system")) + b")R.", "CALL-NOT-GLOBAL")
    yield Row("pkgutil.resolve_name", proto(2) + call("pkgutil", "resolve_name", text("os:system")) + b")R.", "CALL-UNLISTED")
    yield Row("operator.attrgetter", proto(2) + call("operator", "attrgetter", text("system")) + STOP, "CALL-UNLISTED")
    yield Row("operator.methodcaller", proto(2) + call("operator", "methodcaller", text("system") + text("x")) + STOP, "CALL-UNLISTED")
    for module, function in (("cPickle", "loads"), ("urllib", "urlopen"), ("commands", "getoutput"), ("__builtin__", "execfile")):
        yield Row(f"Python 2: {module}.{function}", proto(2) + call(module, function) + STOP, "CALL-UNLISTED")
        yield Row(f"Python 2: {module}.{function} as a value", proto(2) + name(module, function) + STOP, "GLOBAL-DANGEROUS")
    yield Row("escapes in UNICODE", b"V\\u0073ome_package\nV\\U00000066unction\n\x93)R.", "CALL-UNLISTED")
    yield Row("escapes in STRING", b"S'\\x73ome_package'\nS\"\\146unction\"\n\x93)R.", "CALL-UNLISTED")
    yield Row("an escaped dangerous name", b"S'\\x6fs'\nS'system'\n\x93.", "GLOBAL-DANGEROUS")


def loaders():
    for module, function in (("torch.serialization", "load"), ("torch", "load"), ("torch.jit", "load"), ("torch.hub", "load"),
                             ("joblib.numpy_pickle", "load"), ("joblib", "load"), ("numpy", "load"), ("pandas", "read_pickle"),
                             ("pandas.io.pickle", "read_pickle"), ("dill", "loads"), ("cloudpickle", "loads"), ("marshal", "loads"),
                             ("yaml", "unsafe_load"), ("transformers", "pipeline"), ("pickle", "loads"), ("_pickle", "Unpickler")):
        yield Row(f"loader {module}.{function}", proto(2) + call(module, function, text("x")) + STOP, "CALL-UNLISTED")
    for module, function in (("types", "FunctionType"), ("types", "CodeType"), ("dill._dill", "_create_function"),
                             ("cloudpickle.cloudpickle", "_make_function"), ("dill._dill", "_create_code")):
        yield Row(f"code by {module}.{function}", proto(2) + call(module, function) + STOP, "CODE-OBJECT")
    nested = call("torch.storage", "_load_from_bytes", blob(EVIL))
    yield Row("a pickle in _load_from_bytes", proto(3) + nested + STOP, "CALL-UNLISTED")
    for depth in range(2):
        nested = call("torch.storage", "_load_from_bytes", blob(proto(3) + nested + STOP))
        yield Row(f"a pickle in _load_from_bytes, {depth + 2} deep", proto(3) + nested + STOP, "CALL-UNLISTED")


def broken():
    for kind, tail in (("cut off", b""), ("garbage", b"\xff\xff\xff"), ("a stack underflow", b"00000"), ("a cut argument", b"X\xff\0"),
                       ("an unset memo", b"h\x09"), ("a bad line", b"Fabc\n.")):
        yield Row(f"broken after the payload: {kind}", proto(2) + PAYLOAD + tail, "CALL-UNLISTED")
        yield Row(f"broken after the payload, protocol 0: {kind}", PAYLOAD + tail, "CALL-UNLISTED")
    yield Row("a persistent id stops pickle.load only", proto(2) + PAYLOAD + b"0Pid\n.", "CALL-UNLISTED")
    yield Row("an out-of-band buffer", proto(5) + b"N0N0\x97.", "PKL-BUFFER", "unreadable")
    yield Row("a persistent id", proto(2) + b"K\x01Q.", "PKL-PERSID", "unreadable")
    yield Row("nothing dangerous, and cut off", proto(2) + b"](NNN", "PKL-MALFORMED", "unreadable")
    for kind, number in (("octal", b"I010\n"), ("a sign", b"I+1\n"), ("a space", b"I 1\n"), ("hexadecimal", b"I0x10\n"), ("F1_0", b"F1_0\n"),
                         ("F with a space", b"F 1.5\n")):
        yield Row(f"readers disagree on a number: {kind}", number + STOP, "PKL-DIFFERENTIAL")
    for kind, number in (("a word in capitals", b"FNaN\n"), ("out of range", b"F1e999\n"), ("behind a NUL", b"I\0x\n")):
        yield Row(f"a call behind a number: {kind}", number + b"0" + EVIL0, "CALL-UNLISTED")
    yield Row("a call behind a far memo", b"Nr\xff\xff\xff\x7f0" + EVIL0, "LIMIT-MEMO")
    yield Row("a call behind a read-only buffer", b"C\1x\x980" + EVIL0, "CALL-UNLISTED")
    yield Row("a call that ends with the file", b"(I1\nisome_package.module\nfunctionX", "CALL-UNLISTED")
    yield Row("a name that another import gives", proto(4) + name("some_package", "NAME") + text("f") + b"\x93)R.", "GLOBAL-NAME")
    yield Row("NEWOBJ with a list", proto(2) + name("argparse", "Namespace") + b"]\x81.", "PKL-DIFFERENTIAL")


def later_streams():
    yield Row("a second stream", BENIGN + EVIL, "CALL-UNLISTED")
    yield Row("a third stream, protocol 0", BENIGN + b"N." + EVIL0, "CALL-UNLISTED")
    yield Row("a stream behind zeros", BENIGN + b"\0" * 4096 + EVIL, "CALL-UNLISTED")
    yield Row("a stream behind garbage", BENIGN + b"\xff\xfe" * 20 + EVIL, "CALL-UNLISTED")
    yield Row("a stream behind garbage, protocol 0", BENIGN + b"\xff\xfe" * 20 + EVIL0, "PKL-TRAILING")
    yield Row("a stream behind a broken one", proto(2) + b"N0N00" + EVIL, "CALL-UNLISTED")
    carried = proto(2) + text("some_package") + b"q\x00." + proto(4) + b"h\x00" + text("function") + b"\x93)R."
    # No loader of files carries a memo over: the second stream is not even one that starts.
    yield Row("a memo that one Unpickler would carry over", carried, "PKL-TRAILING", "unreadable")
    yield Row("garbage behind a stream", BENIGN + b"\xff" * 50, "PKL-TRAILING", "unreadable")
    yield Row("200 streams, the last one evil", BENIGN * 200 + EVIL, "CALL-UNLISTED")


def frames():
    header = b"B" + struct.pack("<I", len(PAYLOAD))
    straddle = text("x" * (128 << 10)) + b"0" + b"\x95" + struct.pack("<Q", 2) + header + PAYLOAD + STOP
    yield Row("a header crosses the end of a frame", proto(4) + straddle, "PKL-FRAME")
    yield Row("an argument crosses the end of a frame", proto(4) + b"\x95" + struct.pack("<Q", 3) + text("abc") + STOP, "PKL-FRAME")
    yield Row("a frame in a frame", proto(4) + frame(b"N0" + frame(b"N.")), "PKL-FRAME")
    yield Row("a frame is open at STOP", proto(4) + frame(b"N.NN"), "PKL-FRAME")
    yield Row("a call in a frame longer than the file", proto(4) + b"\x95" + struct.pack("<Q", 100) + EVIL0, "CALL-UNLISTED")
    yield Row("a frame longer than the file", proto(4) + b"N0N0\x95" + struct.pack("<Q", 100) + b"N.", "PKL-MALFORMED", "unreadable")


def notes():
    """What changes no verdict and is told."""
    yield Row("a key is set twice", proto(2) + b"}(" + text("lr") + b"K\1" + text("lr") + b"K\2u.", "PKL-DUP-KEY", "clean")
    yield Row("a key is set twice, a thousand keys apart", proto(2) + b"}(" + b"".join(text(f"k{i % 1000}") + b"N" for i in range(1001)) + b"u.",
              "PKL-DUP-KEY", "clean")
    yield Row("1 and True are the same key", proto(2) + b"}(K\1N\x88Nu.", "PKL-DUP-KEY", "clean")
    yield Row("two pickles", proto(2) + b"N." + proto(2) + b"N.", "PKL-MULTI-STREAM", "clean")
    yield Row("a pickle in a constant", proto(4) + blob(proto(4) + b"]" + 8 * b"K\1a" + STOP) + STOP, "PKL-NESTED", "clean")
    yield Row("the overwritten value calls", proto(2) + b"}(" + text("lr") + PAYLOAD + text("lr") + b"K\2u.", "CALL-UNLISTED")
    yield Row("an attribute of a dict", proto(2) + call("collections", "OrderedDict", b"") + state(("note", text("mine"))) + STOP, "STATE-EXTRA", "clean")


def rows():
    for family in (notes, calls, states, extensions, memo, names, loaders, broken, later_streams, frames):
        yield from family()
