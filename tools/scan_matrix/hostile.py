# SPDX-License-Identifier: Apache-2.0
"""Hostile files, assembled byte by byte. Nothing here is ever unpickled, and what they would run does nothing."""

import io
import struct
import tarfile
import zipfile
import zlib

CALL = b"cos\nsystem\n(S'true'\ntR"  # os.system('true')
EVIL = CALL + b"."
# A call that no list of bad names holds.
UNLISTED_CALL = b"csome_package.module\nfunction\n(S'true'\ntR"
BENIGN = b"\x80\x04}\x94\x8c\x01a\x94K\x01s."


def text(value):
    return b"\x8c" + bytes([len(value)]) + value.encode()


def stack_global(module, name):
    return text(module) + text(name) + b"\x93"


def called(module, name, *arguments):
    """A call with texts as arguments, of protocol 4."""
    return stack_global(module, name) + b"(" + b"".join(map(text, arguments)) + b"tR"


def archive(members, method=zipfile.ZIP_STORED):
    """A zip archive; names may repeat."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as target:
        for name, content in members:
            target.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def torch_archive(pickle, *more):
    return archive([*more, ("model/data.pkl", pickle), ("model/byteorder", b"little"), ("model/data/0", struct.pack("<4f", 1, 2, 3, 4)), ("model/version", b"3\n")])


def tensor(sizes, strides):
    """A state dict with one tensor over the 4 floats of the record data/0."""
    ints = lambda values: b"".join(b"J" + struct.pack("<i", value) for value in values)
    storage = b"(" + unicode("storage") + b"ctorch\nFloatStorage\n" + unicode("0") + unicode("cpu") + b"K\x04tQ"
    arguments = b"(" + storage + b"K\x00" + b"(" + ints(sizes) + b"t(" + ints(strides) + b"t\x89ccollections\nOrderedDict\n)Rt"
    return b"\x80\x02}" + unicode("weight") + b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."


def unicode(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def with_encrypted_flag(data):
    """Sets the flag bit that says "encrypted" in the headers of all members, as in CVE-2025-1944."""
    out = bytearray(data)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = out.find(signature)
        while start >= 0:
            out[start + at] |= 1
            start = out.find(signature, start + 4)
    return bytes(out)


def tar(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as target:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        target.addfile(info, io.BytesIO(content))
    return out.getvalue()


def npy(pickle):
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickle


def legacy_torch(keys):
    magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
    return magic + b"\x80\x02M\xe9\x03." + b"\x80\x02}." + b"\x80\x02}." + keys


def namespace_state(name, follow):
    """An argparse.Namespace whose attribute `name` becomes a function; `follow` is what sets it off."""
    return b"cargparse\nNamespace\n)\x81}S'" + name + b"'\ncos\nsystem\nsb" + follow + b"."


def frame_straddle():
    """The header of a BINBYTES crosses the end of a frame; the two unpicklers of Python go on at different bytes."""
    return b"\x80\x04X" + struct.pack("<I", 131072) + b"a" * 131072 + b"\x95" + struct.pack("<Q", 2) + b"B" + struct.pack("<I", len(EVIL)) + EVIL + b"00N."


def files():
    """(name, what it is, bytes): one for each family of ways past a scanner."""
    old, new = b"\x80\x02", b"\x80\x04"
    nested = b"ctorch.storage\n_load_from_bytes\n(B" + struct.pack("<I", len(EVIL)) + EVIL + b"tR."
    return [
        ("call.pkl", "`os.system` called, protocol 0", EVIL),
        ("unlisted-call.pkl", "a function of a package that no list knows, called", UNLISTED_CALL + b"."),
        ("newobj.pkl", "NEWOBJ instead of a call: `map` over a command, consumed by `tuple`", old + b"cbuiltins\ntuple\n(cbuiltins\nmap\n(cos\nsystem\n](S'true'\net\x81t\x81."),
        ("build.pkl", "BUILD makes the call: `__setstate__` overwritten, then a state", namespace_state(b"__setstate__", b"S'true'\nb")),
        ("append.pkl", "APPEND makes the call: `append` overwritten, then an item", namespace_state(b"append", b"S'true'\na")),
        ("extension.pkl", "the function is put into the extension registry, then called by its number", old + b"ccopyreg\nadd_extension\n(X\x02\x00\x00\x00osX\x06\x00\x00\x00systemK\x01tR0\x82\x01(X\x04\x00\x00\x00truetR."),
        ("memo.pkl", "names reach STACK_GLOBAL through the memo only", new + text("os") + b"\x940" + text("system") + b"\x940h\x00\x94h\x01\x940" + b"0h\x02h\x01\x93(" + text("true") + b"tR."),
        ("pop-mark.pkl", "decoy names that POP_MARK drops before STACK_GLOBAL", new + text("os") + text("system") + b"(" + text("math") + text("sqrt") + b"1\x93(" + text("true") + b"tR."),
        ("dotted.pkl", "an attribute of an attribute: `random`, `_os.system`", new + called("random", "_os.system", "true") + b"."),
        ("resolver.pkl", "`pkgutil.resolve_name` finds the function, the result is called", new + called("pkgutil", "resolve_name", "os:system") + b"(" + text("true") + b"tR."),
        ("python2.pkl", "a name of Python 2 that is mapped while loading: `commands.getoutput`", old + b"ccommands\ngetoutput\n(X\x04\x00\x00\x00truetR."),
        ("nested-loader.pkl", "`joblib.load` of another file", new + called("joblib", "load", "other.pkl") + b"."),
        ("nested-pickle.pkl", "`torch.storage._load_from_bytes` of a pickle", nested),
        ("broken.pkl", "the stream breaks behind the call", CALL + b"\xff\xff\xff"),
        ("second-stream.pkl", "a harmless pickle, zeros, then the payload", BENIGN + bytes(64) + EVIL),
        ("escaped.pkl", "the name is escaped: `V\\u006fs`", b"V\\u006fs\nVsystem\n\x93(S'true'\ntR."),
        ("frame.pkl", "a frame ends within an instruction: unpicklers disagree about what follows", frame_straddle()),
        ("planted.pkl", "`os.system` planted as the attribute `forward`, not called while loading", b"cargparse\nNamespace\n)\x81}S'forward'\ncos\nsystem\nsb."),
        ("new-gadget.pkl", "a file writer of the standard library: `distutils.file_util.write_file`", new + called("distutils.file_util", "write_file", "a", "b") + b"."),
        ("memo-bomb.pkl", "9 bytes for which Python allocates 16 GiB", old + b"Nr\xff\xff\xff\x7f."),
        ("call.pt", "the payload in a PyTorch archive", torch_archive(EVIL)),
        ("encrypted-flag.pt", "its members claim to be encrypted, which PyTorch does not look at", with_encrypted_flag(torch_archive(EVIL))),
        ("duplicate.pt", "two members `data.pkl`, the payload first", torch_archive(BENIGN, ("model/data.pkl", EVIL))),
        ("case.pt", "the payload as `DATA.PKL`, which PyTorch takes", archive([("model/DATA.PKL", EVIL), ("model/version", b"3\n")])),
        ("polyglot.bin", "the payload in front of a harmless archive", EVIL + torch_archive(BENIGN)),
        ("nested.zip", "the payload in `weights.txt` of a zip in a zip", archive([("inner.zip", archive([("weights.txt", EVIL)], zipfile.ZIP_DEFLATED))])),
        ("stride.pt", "a tensor whose strides reach out of its storage", torch_archive(tensor([2, 2], [1 << 20, 1]))),
        ("payload.tar", "the payload as a member of a tar", tar("pickle", EVIL)),
        ("compressed.joblib", "the payload, compressed by zlib as joblib does", zlib.compress(EVIL)),
        ("object.npy", "an array of objects: the payload behind the header", npy(EVIL)),
        ("legacy-keys.pt", "an old PyTorch file with the payload in its last stream", legacy_torch(EVIL)),
        ("pickle.safetensors", "the payload under another suffix", EVIL),
    ]


def behind_array(dump, array):
    """The payload behind the raw bytes of an array that joblib wrote."""
    end = dump.index(array) + len(array)
    return ("behind-array.joblib", "the payload behind the raw bytes of an array", dump[:end] + CALL + b"0" + dump[end:])
