# SPDX-License-Identifier: Apache-2.0
"""What the layouts of PyTorch, joblib and numpy can hide, what suffixes hide, and data that native code would trust."""

import struct

from assemble import BENIGN, EVIL, EVIL0, PAYLOAD, Row, blob, call, frame, member, name, new, proto, stack_name, state, text, torch_zip, zip_of

CALL = "CALL-UNLISTED"
MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."


def boolean(value):
    return b"\x88" if value else b"\x89"


def small(value):
    return b"K" + bytes([value]) if value < 256 else b"J" + struct.pack("<i", value)


def sys_info(extra=b""):
    sizes = b"".join(text(key) + small(value) for key, value in (("short", 2), ("int", 4), ("long", 4)))
    return (proto(2) + b"}(" + text("protocol_version") + small(1001) + text("little_endian") + boolean(True) + text("type_sizes") +
            b"}(" + sizes + b"u" + extra + b"u.")


def legacy(magic=MAGIC, version=proto(2) + small(1001) + b".", info=None, item=BENIGN, keys=proto(2) + b"].", tail=b""):
    return magic + version + (info or sys_info()) + item + keys + tail


def legacy_torch():
    yield "the payload in the object", legacy(item=EVIL), CALL
    yield "the payload in the facts about the machine", legacy(info=sys_info(text("x") + PAYLOAD)), CALL
    yield "the payload in the keys", legacy(keys=proto(2) + b"]" + PAYLOAD + b"a."), CALL
    yield "the payload in the version", legacy(version=proto(2) + PAYLOAD + b"0" + small(1001) + b"."), CALL
    yield "the payload beside the magic", legacy(magic=proto(2) + PAYLOAD + b"0" + MAGIC[2:]), CALL
    yield "the payload behind the storages", legacy(tail=EVIL), CALL
    number = call("builtins", "int", text(str(0x1950a86a20f9469cfc6c)))
    yield "the magic is the result of a call", legacy(magic=proto(2) + number + b"."), "TORCH-MAGIC"
    module = b"(" + text("module") + name("os", "system") + b"NNtQ"
    yield "a function as a module", legacy(item=proto(2) + module + b"."), "GLOBAL-DANGEROUS"
    yield "a function as a module, called", legacy(item=proto(2) + b"(" + text("module") + name("a.b", "c") + b"NNtQ)R."), CALL


def storage(key="0", count=4, kind="FloatStorage"):
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + small(count) + b"tQ"


def tensor(offset=0, size=(4,), stride=(1,), hooks=None, **store):
    numbers = (b"(" + b"".join(map(small, size)) + b"t", b"(" + b"".join(map(small, stride)) + b"t")
    return call("torch._utils", "_rebuild_tensor_v2", storage(**store) + small(offset) + numbers[0] + numbers[1] + boolean(False) +
                (hooks or name("collections", "OrderedDict") + b")R"))


def tensors():
    data = member("archive/data/0", b"\0" * 16)
    for title, item, rule in (
            ("a size beyond the storage", tensor(size=(5,)), "MEM-VIEW"), ("a stride beyond the storage", tensor(stride=(2,)), "MEM-VIEW"),
            ("an offset beyond the storage", tensor(offset=1), "MEM-VIEW"), ("hooks", tensor(hooks=call("collections", "OrderedDict",
             b"]" + text("x") + name("a.b", "c") + b"\x86a")), "CALL-ARGS"),
            ("one storage of two lengths", b"]" + tensor() + b"a" + tensor(count=2, size=(2,)) + b"a", "MEM-STORAGE"),
            ("one storage of two types", b"]" + tensor() + b"a" + tensor(kind="DoubleStorage", count=2, size=(2,)) + b"a", "MEM-STORAGE"),
            ("a storage type of another module", tensor(kind="FloatStorage").replace(b"ctorch\n", b"cevil\n"), "PKL-PERSID")):
        verdict = "unreadable" if rule == "PKL-PERSID" else "dangerous"
        yield Row(f"torch: {title}", torch_zip(proto(2) + item + b".", data), rule, verdict, "model.pt")
    code, constants = member("archive/code/__torch__.py", b"def f(): pass\n"), member("archive/constants.pkl", proto(2) + b").")
    numbers = new("__torch__", "M") + state(("x", call("torch.jit._pickle", "build_intlist", b"]K\1a")))
    yield Row("torch: TorchScript", torch_zip(proto(2) + numbers + b".", constants, code), "TORCH-SCRIPT", "unknown", "model.pt")
    yield Row("torch: a payload in TorchScript", torch_zip(EVIL, constants, code), CALL, file="model.pt")
    yield Row("torch: sources beside a payload, which torch.load runs", torch_zip(EVIL, code), CALL, file="model.pt")
    yield Row("torch: a payload under a wrong byte order", zip_of(member("a/data.pkl", EVIL), member("a/byteorder", b"?"),
                                                                  member("a/version", b"3\n")), CALL, file="model.pt")
    package = zip_of(member("p/.data/extern_modules", b"os\n"), member("p/.data/version", b"6\n"), member("p/model/model.pkl", BENIGN),
                     member("p/evil.py", b"x = 1\n"))
    yield Row("torch: torch.package", package, "TORCH-PACKAGE", file="model.pt")


# joblib: the bytes of an array follow the BUILD of its wrapper.

def wrapper(count, kind="i8", shape=None, alignment=b"", objects=False, mapped=False):
    dtype = call("numpy", "dtype", text("O8" if objects else kind) + b"K\0K\1") + b"(K\3" + text("|" if objects else "<")
    dtype += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff" + (b"K\x3f" if objects else b"K\0") + b"tb"
    return new("joblib.numpy_pickle", "NumpyArrayWrapper") + state(
        ("subclass", name("numpy", "ndarray")), ("shape", shape or small(count) + b"\x85"), ("order", text("C")), ("dtype", dtype),
        ("allow_mmap", boolean(mapped)), *alignment_field(alignment))


def alignment_field(alignment):
    return [("numpy_array_alignment_bytes", small(16))] if alignment else []


def joblib():
    array = wrapper(2) + b"\1" * 16
    yield "a raw array, then the payload", proto(3) + array + b"0" + PAYLOAD + b".", CALL
    yield "a later stream", proto(3) + array + b"." + EVIL, CALL
    # A reader that goes on behind the wrapper takes the array for a BINBYTES that swallows the payload.
    rest = b"0" + PAYLOAD + b"."
    swallow = b"B" + struct.pack("<I", 11 + len(rest) - 1) + b"\0" * 11
    yield "the array swallows the payload", proto(3) + wrapper(2) + swallow + rest, CALL
    yield "the payload in an object array", proto(3) + wrapper(1, objects=True) + EVIL + b".", CALL
    yield "a payload that only the plain reading sees", proto(3) + wrapper(2) + (b"0" + name("a", "b") + b")R.").ljust(16, b"\0") + b".", CALL
    for odd in (b"}b", b"I 5\n", b"FNaN\n", b"Nr\xff\xff\xff\x7f"):
        hidden = (odd + name("a", "b") + b")R.").ljust(32, b"\0")
        yield f"a payload that only the plain reading sees, behind {odd!r}", proto(3) + wrapper(4) + hidden + b".", CALL
    # A module that joblib's reading imports from has functions too. What stands in front gives findings of its own.
    write = b"(Vx\n]Vid\naV%s\nt"
    for odd in (b"0", b"}b", b"0\x82\x010"):
        hidden = (odd + name("numpy", "savetxt") + write + b"R.").ljust(96, b"\0")
        yield f"a function of numpy that only the plain reading sees, behind {odd!r}", proto(4) + wrapper(12) + hidden + b".", CALL
    of_numpy = (b"0" + name("numpy", "__name__") + b"Vsavetxt\n\x93" + write + b"R.").ljust(96, b"\0")
    yield "a computed function of numpy", proto(4) + wrapper(12) + of_numpy + b".", "GLOBAL-NAME"
    computed = (b"0" + name("a", "b") + b"Vx\n\x93)R.").ljust(32, b"\0")
    yield "a computed name that only the plain reading sees", proto(4) + wrapper(4) + computed + b".", "GLOBAL-NAME"
    used = wrapper(2).replace(b"\x81}", b"\x81q\x05}", 1) + b"\1" * 16
    yield "a wrapper is used twice", proto(3) + used + b"h\x05\x86.", "JOBLIB-REUSE"
    yield "a wrapper amid a frame", proto(4) + frame(wrapper(2) + b"N") + b"\1" * 16 + b"0.", "JOBLIB-FRAME"
    yield "wrong padding", proto(3) + wrapper(2, alignment=b"x") + b"\0" * 17 + b".", "JOBLIB-PADDING"
    yield "padding that hides bytes", proto(3) + wrapper(2, alignment=b"x") + b"\x20" + b"\xff" * 32 + b"\1" * 16 + b".", "JOBLIB-PADDING"
    old = new("joblib.numpy_pickle", "NDArrayWrapper")
    path = state(("filename", text("../evil.npy")), ("subclass", name("numpy", "ndarray")))
    yield "a companion by a path", proto(2) + old + path + b".", "FILE-PATH"
    yield "an array of objects that may be mapped", proto(3) + wrapper(1, objects=True, mapped=True) + BENIGN + b".", "MEM-OBJECT"


def joblib_readings():
    """What pickle.load, and joblib before 1.2, take for instructions."""
    def hidden(program, behind=b"."):
        return wrapper(len(program), "u1") + program + behind

    def attribute(of, text_of_it):
        return call("builtins", "getattr", of + text(text_of_it))

    environment = attribute(attribute(attribute(name("pathlib", "Path"), "cwd"), "__func__"), "__globals__")
    command = attribute(environment, "get") + b"(" + text("os") + b"tR"
    chain = attribute(command, "system") + b"(" + text("id") + b"tR."
    space = name("types", "SimpleNamespace") + b")R}" + text("__x__") + b"K\1sb0"
    for title, front, rule in (("", b"", CALL), (", behind an object", space, "STATE-RESERVED")):
        yield f"attributes of what the list knows, in turn{title}", proto(4) + hidden(front + chain), rule
    listed = b"0" + call("builtins", "getattr", name("builtins", "getattr") + text("__self__")) + b"."
    yield "a listed function with other arguments", proto(4) + hidden(listed), CALL
    yield "an object of a class that joblib's reading does not import", proto(4) + hidden(b"0" + new("a.b", "C") + b"."), "NEW-UNLISTED"
    program = b"0" + PAYLOAD + b"."
    yield "the payload behind a STOP", proto(3) + hidden(b"." + EVIL), CALL
    yield "the payload behind the STOP of an array of objects", proto(3) + wrapper(1, objects=True) + BENIGN + hidden(program), CALL
    yield "a plain stream, then one with a payload", b"N." + proto(3) + hidden(program), CALL
    used = wrapper(len(program) + 2, "u1").replace(b"\x81}", b"\x81q\x05}", 1)
    yield "the wrapper, used again in front of the payload", proto(3) + used + b"h\5" + program + b".", CALL
    frames = b"\x95" + struct.pack("<Q", 20) + b"N\x95" + struct.pack("<Q", 10) + program
    yield "a frame inside another one, in front of the payload", proto(4) + hidden(frames), "PKL-FRAME"
    for front in (b"", b"N0N0N"):
        tail = front + name("os", "system") + b"N"
        padded = bytes([len(tail) - 1]) + b"\xff" * (len(tail) - 1) + b"\1" * (64 - len(tail)) + tail
        old = proto(2) + name("pathlib", "PurePosixPath") + wrapper(64, "u1", alignment=b"x") + padded + b"0" + text("id") + b"\x85R."
        yield f"an array whose last {len(tail)} bytes joblib before 1.2 runs", old, "GLOBAL-DANGEROUS"


def companions():
    old = new("joblib.numpy_pickle", "NDArrayWrapper")
    item = proto(2) + old + state(("filename", text("model_01.npy")), ("subclass", name("numpy", "ndarray")), ("allow_mmap", boolean(True))) + b"."
    yield Row("joblib: the payload in a companion", item, CALL, file="model.joblib", beside={"model_01.npy": npy(EVIL)})
    yield Row("joblib: a companion is missing", item, "FILE-MISSING", "unreadable", "model.joblib")


# numpy

def npy(content, version=1, descr="'|O'", shape="(1,)"):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    size = 2 if version == 1 else 4
    header += b" " * (-(8 + size + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + content


def numpy():
    for version in (1, 2, 3):
        yield Row(f"npy {version}: an object array", npy(EVIL, version), CALL, file="model.npy")
    yield Row("npy: an object in a record", npy(EVIL, descr="[('a', '<f8'), ('b', '|O')]"), CALL, file="model.npy")
    yield Row("npy: named .pkl", npy(EVIL), CALL)
    yield Row("npy: a pickle by the name", EVIL, CALL, file="model.npy")
    yield Row("npy: a payload behind the data", npy(b"\0" * 8 + EVIL, descr="'<f8'"), "MEM-NPY", file="model.npy")
    one = npy(b"\0" * 8, descr="'<f8'")
    yield Row("npy: several arrays", one + one + npy(BENIGN), "FILE-UNSUPPORTED", "unreadable", "model.npy")
    yield Row("npy: several arrays, and the last one is a payload", one + npy(BENIGN) + npy(EVIL), CALL, file="model.npy")
    yield Row("npy: several arrays, and a payload behind them", one + one + EVIL, "MEM-NPY", file="model.npy")
    yield Row("npy: several arrays, and one that only begins", one + b"\x93NUMPY\1\0\4\0{}\n\n" + EVIL, "MEM-NPY", file="model.npy")
    yield Row("npy: longer than its data", npy(b"\0" * 4, descr="'<f8'"), "FILE-MALFORMED", "unreadable", "model.npy")
    for title, layer in (("stored", 0), ("deflated", 8)):
        yield Row(f"npz: an object array, {title}", zip_of(member("a.npy", npy(EVIL), method=layer)), CALL, file="model.npz")
        yield Row(f"npz: a member without suffix, {title}", zip_of(member("arr_0", npy(EVIL), method=layer)), CALL, file="model.npz")
        yield Row(f"npz: a pickle for a member, {title}", zip_of(member("arr_0.npy", EVIL0, method=layer)), CALL, file="model.npz")
    dtype = call("numpy", "dtype", text("f8") + b"K\0K\1") + b"(K\3" + text("<") + b"NNNK\x40K\x40K\0tb"
    yield Row("numpy: a forged dtype", proto(2) + dtype + b".", "MEM-DTYPE")
    array = call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray") + b"K\0\x85" + blob(b"b"))
    plain = call("numpy", "dtype", text("f8") + b"K\0K\1") + b"(K\3" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    state_of_nine = b"(K\1" + b"K\x09\x85" + plain + b"\x89" + blob(b"\0" * 8) + b"tb."
    yield Row("numpy: an array longer than its bytes", proto(3) + array + state_of_nine, "MEM-NPY")


def exported_programs():
    parts = [member("m/archive_format", b"pt2"), member("m/.data/version", b"3\n"), member("m/models/model.json", b"{}")]
    yield Row("an exported program", zip_of(*parts), "FILE-UNSUPPORTED", "unreadable", "model.pt2")
    evil = member("m/data/sample_inputs/model.pt", EVIL)
    yield Row("an exported program with a payload", zip_of(*parts, evil), CALL, file="model.pt2")


def suffixes():
    for suffix in (".bin", ".pt", ".pth", ".ckpt", ".h5", ".safetensors", ".txt", ".PKL", ".onnx", ".gguf", ".zip", ".npz", ".json", ".7z", ""):
        yield Row(f"a pickle named model{suffix}", EVIL, CALL, file="model" + suffix)
        yield Row(f"a pickle of protocol 0 named model{suffix}", EVIL0, CALL, file="model" + suffix)
    header = b"7z\xbc\xaf\x27\x1c\0\4" + b"\0" * 24 + EVIL
    yield Row("7z around a pickle", header, "FILE-UNSUPPORTED", "unreadable", "model.pt")
    yield Row("rar around a pickle", b"Rar!\x1a\x07\x01\x00" + EVIL, "FILE-UNSUPPORTED", "unreadable", "model.pt")
    # The first opcode is a BINFLOAT: "GGUF" and more.
    yield Row("a pickle that starts like GGUF", b"GGUFxxxxx0" + PAYLOAD + b".", CALL)
    yield Row("a pickle that looks like TensorFlow Lite", b"C\6abTFL30" + PAYLOAD + b".", CALL)
    header = b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'
    tensors_and_zip = struct.pack("<Q", len(header)) + header + zip_of(member("a", EVIL))
    yield Row("safetensors with an archive behind it", tensors_and_zip, "ZIP-OUTSIDE", file="model.safetensors")
    yield Row("our own magic in front of an archive", b"\x89SMDL\r\n\x1a" + zip_of(member("a", EVIL)), "FILE-POLYGLOT", file="model.safemodel")
    trailing = struct.pack("<Q", len(header)) + header + b"\0" * 4 + EVIL
    yield Row("safetensors with a payload behind it", trailing, "FILE-MALFORMED", "unreadable", "model.safetensors")


def foreign():
    for version in (3, 6, 7, 11, 13):
        for title, behind in (("a producer", b"\x12\7pytorch"), ("a graph", b"\x3a\2\x0a\0")):
            content = bytes([8, version]) + behind + bytes(40)
            yield Row(f"ONNX {version} with {title}", content, "FILE-UNSUPPORTED", "unreadable", "model.onnx")
    for size in (0, 512, 1024, 65536):
        content = bytes(size) + b"\x89HDF\r\n\x1a\n" + bytes(600)
        yield Row(f"HDF5 behind {size} bytes of the user", content, "FILE-UNSUPPORTED", "unreadable", "model.h5")


def rows():
    module = b"(" + text("module") + name("torch.nn.modules.activation", "ReLU") + text("relu.py") + text("class ReLU: pass") + b"tQ"
    built = module + b")\x81}" + text("training") + b"\x88sb."
    yield Row("torch legacy: the source of a class", legacy(item=proto(2) + built), "TORCH-SOURCE", "clean", "model.pt")
    for title, content, rule in legacy_torch():
        yield Row(f"torch legacy: {title}", content, rule, file="model.pt")
    for title, content, rule in (*joblib(), *joblib_readings()):
        yield Row(f"joblib: {title}", content, rule, file="model.joblib")
    for family in (tensors, companions, numpy, exported_programs, suffixes, foreign):
        yield from family()
