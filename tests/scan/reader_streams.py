# SPDX-License-Identifier: Apache-2.0
"""Beginnings of pickles that some reader of Python takes and a careless scanner gives up, family by family.

Each stream is a beginning and, behind it, a call. The call is of `qz.record`, which readers may run, or of `os.system` in its
place, which nobody runs: hostile() turns one into the other, byte for byte of the same length.
"""

import itertools
import pickletools
import random

CALL = b"cqz\nrecord\n(S'true'\ntR."
AT_END = b"(S'true'\niqz\nrecordX"  # the Python reader cuts off the last byte of a line that ends with the file

NUMBERS = [
    b"5", b"0", b"00", b"01", b"-5", b"+5", b" 5", b"5 ", b"5\t", b"\v5", b"\f5\r", b"- 5", b"+-5", b"-0", b"+0",
    b"0x1f", b"0X_1", b"0x", b"0xg", b"0o17", b"017", b"08", b"0b1", b"0b2", b"1_0", b"1__0", b"_1", b"1_", b"0_5", b"5L", b"5l", b"LL",
    b"5\0", b"5\0junk", b"\0", b"\0junk", b" \0", b"-5\0@", b"x\x005", b"", b"-", b"+", b"abc", b"0xAbC", b"five",
    b"1e5", b"1.5", b"1.", b".5", b".", b"1_0.5", b"1_.5", b"1._5", b"1.5_0", b"1e1_0", b"1e", b"1e+", b"1E+5", b"1d5", b"0x1p3",
    b"1e999", b"-1e999", b"1e-999", b"1e999999999999999999999", b"inf", b"-inf", b"+inf", b"INF", b"Inf", b"infinity", b"-Infinity",
    b"+INFINITY", b" inf ", b"infinit", b"inf\0x", b"nan", b"NaN", b"-nan", b"+NAN", b"nan(1)", b"nanx", b"\tnan",
    b"1" * 5000, b"0." + b"0" * 5000 + b"1", b"0x" + b"f" * 5000, b"9" * 18, b"9" * 19, b"9" * 20, b"-" + b"9" * 20, b"1" + b"0" * 30,
    b"0" * 40 + b"5", b"0" * 5000 + b"5", b"2097152", b" 2097152", b"9223372036854775807", b"9223372036854775808", "٣".encode(), b"5\xa0",
]  # fmt: skip
TEXTS = [
    b"'abc'", b'"abc"', b"''", b"'a\\x41'", b"'\\x4'", b"'\\q'", b"'\\777'", b"'\\8'", b"'\\'", b"'a'b'", b"'abc", b"abc", b"'", b"", b"'abc' ",
    b" 'abc'", b"'abc\"", b"'\xe9'", b"'\\N{DIGIT ONE}'", b"'\\u12'", b"b'abc'", b"\\u0041", b"\\u41", b"\\U0001F600", b"\\U00110000", b"\\x41",
    b"\\", b"\\\\u0041", b"\\\\u41", b"\xff", b"\\ud800", b"id\0x", b"'\0'",
]  # fmt: skip
UTF8 = [b"abc", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xa0", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98\x80", b"\xfe", b"a\0b", b""]
MEMO = [0, 255, 256, 2**20 - 1, 2**20, 2**20 + 1, 2**20 + 5, 2**31 - 1, 2**31, 2**32 - 1]
SIZES = [0, 1, 2, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1]
LONG_SIZES = [*SIZES, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1]

# What stands below the instruction under test. mymod.text is the str "qz", which no scanner can know.
GLOBALS = [b"cmymod\n" + attribute + b"\n" for attribute in (b"obj", b"text", b"mapping", b"Class", b"function", b"items", b"array")]
BELOW = [
    b"", b"N", b"NN", b"NNN", b"(", b"N(", b"(N", b"(NN", b"(NNN", b"N(N", b"((", b"N((", b"]", b"]N", b"](N", b"](NN", b"]NN", b"]](N", b"}", b"}N", b"}NN",
    b"}]N", b"}(NN", b"}(NNN", b"}(]N", b"}((N", b"\x8f", b"\x8f(N", b"\x8f(]", b"\x8f(NN", b"\x8fNN", b")", b"))", b"()", b"I1\n", b"K\1K\2", b"(K\1K\2",
    b"Vqz\n", b"Vqz\nVrecord\n", b"S'qz'\nS'record'\n", b"Vmymod\nVobj\n", b"S'\xe9'\nVx\n", b"Vx\nS'\xe9'\n", b"B\0\0\0\0", b"B\3\0\0\0abc",
    b"\x96" + b"\0" * 8, b"\x88", b"G\0\0\0\0\0\0\0\0", b"X\0\0\0\0", b"U\0",
    *GLOBALS, *(g + below for g in GLOBALS for below in (b"N", b"NN", b"]N", b"]]", b")", b"]", b"}", b"(NN", b"(NNN", b"(]N", b"(N", b"))", b")}", b"Vx\n", b"(Vx\nN")),
    *(b"cmymod\nClass\n)" + g for g in GLOBALS), *(g + b"Vrecord\n" for g in GLOBALS), *(b"Vqz\n" + g for g in GLOBALS),
    b"cmymod\nClass\n)\x81", b"cmymod\nClass\n)\x81N", b"cmymod\nClass\n)\x81}", b"cmymod\nClass\n)\x81(NN", b"cmymod\nClass\n)\x81]N",
    b"(cmymod\nClass\n", b"(cmymod\nClass\nN", b"(cmymod\nobj\n", b"(N)", b"Np1\n0", b"Nq\1", b"N\x94",
]  # fmt: skip
ARGUMENTS = {
    "uint1": b"\1", "uint2": b"\1\0", "uint4": b"\1\0\0\0", "int4": b"\1\0\0\0", "uint8": b"\1" + b"\0" * 7, "float8": b"\0" * 8,
    "decimalnl_short": b"1\n", "decimalnl_long": b"1L\n", "floatnl": b"1.5\n", "stringnl": b"'x'\n", "stringnl_noescape": b"x\n",
    "stringnl_noescape_pair": b"mymod\nClass\n", "unicodestringnl": b"x\n", "string1": b"\1x", "string4": b"\1\0\0\0x", "bytes1": b"\1x",
    "bytes4": b"\1\0\0\0x", "bytes8": b"\1" + b"\0" * 7 + b"x", "bytearray8": b"\1" + b"\0" * 7 + b"x", "unicodestring1": b"\1x",
    "unicodestring4": b"\1\0\0\0x", "unicodestring8": b"\1" + b"\0" * 7 + b"x", "long1": b"\1\1", "long4": b"\1\0\0\0\1",
}  # fmt: skip
DISGUISES = (("", b""), ("PROTO 2, ", b"\x80\x02"), ("PROTO 4, ", b"\x80\x04"))


def little(value, width):
    return value.to_bytes(width, "little")


def lines():
    for opcode, spelling in itertools.product((b"I", b"L", b"F"), NUMBERS):
        yield f"number {opcode.decode()}", opcode + spelling + b"\n0"
    for spelling in NUMBERS:
        yield "PUT", b"Np" + spelling + b"\n0"
        yield "GET", b"Np5\n0g" + spelling + b"\n0"
        yield "GET of what was PUT", b"Np" + spelling + b"\n0g" + spelling + b"\n0"
    for opcode, spelling in itertools.product((b"S", b"V", b"P"), TEXTS):
        yield f"text {opcode.decode()}", opcode + spelling + b"\n0"
    for first, second in itertools.product((b"mymod", b"", b"mymod\r", b"my\xff", b"\xe9"), (b"obj", b"", b"obj\r", b"\xff", b"no")):
        yield "GLOBAL", b"c" + first + b"\n" + second + b"\n0"
        yield "INST", b"(i" + first + b"\n" + second + b"\n0"


def memo():
    for number in MEMO:
        yield "LONG_BINPUT", b"Nr" + little(number, 4) + b"0"
        yield "LONG_BINPUT and GET", b"Nr" + little(number, 4) + b"0j" + little(number, 4) + b"0"
        yield "PUT of the same", b"Np" + str(number).encode() + b"\n0"
        yield "MEMOIZE behind it", b"Nr" + little(number, 4) + b"\x940h\x010"


def lengths():
    for opcode, size in itertools.product((b"T", b"X", b"B", b"\x8b"), SIZES):
        yield f"length of {opcode!r}", opcode + little(size, 4) + b"a" * min(size, 2) + b"0"
        yield f"length of {opcode!r}, to the end", opcode + little(size, 4)
    for opcode, size in itertools.product((b"\x8d", b"\x8e", b"\x96"), LONG_SIZES):
        yield f"length of {opcode!r}", opcode + little(size, 8) + b"a" * min(size, 2) + b"0"
        yield f"length of {opcode!r}, to the end", opcode + little(size, 8)
    for opcode, value in itertools.product((b"U", b"\x8c", b"C", b"\x8a"), UTF8):
        yield f"content of {opcode!r}", opcode + little(len(value), 1) + value + b"0"
    for opcode, value in itertools.product((b"T", b"X", b"B", b"\x8b"), UTF8):
        yield f"content of {opcode!r}", opcode + little(len(value), 4) + value + b"0"
    for size in (0, 1, 2, 255):
        yield "LONG1 with zeros", b"\x8a" + little(size, 1) + b"\0" * size + b"0"


def frames():
    for size in [*LONG_SIZES, len(CALL), len(CALL) + 1, len(CALL) + 2]:
        yield "FRAME", b"\x95" + little(size, 8)
        yield "FRAME behind a value", b"N0\x95" + little(size, 8)
        yield "FRAME behind a frame", b"\x95\2" + b"\0" * 7 + b"N0\x95" + little(size, 8)
        yield "FRAME in a frame", b"\x95" + little(len(CALL) + 11, 8) + b"N0\x95" + little(size, 8)


def codes():
    for number in (*range(8), 127, 128, 255):
        yield "PROTO", b"\x80" + little(number, 1)
        yield "PROTO in the middle", b"N0\x80" + little(number, 1)
    for opcode, width in ((b"\x82", 1), (b"\x83", 2), (b"\x84", 4)):
        for code in (0, 1, 2**(8 * width) - 1, 2**(8 * width - 1)):
            yield "EXT", opcode + little(code, width) + b"0"


def instructions():
    """Every instruction on many stacks, and what is no instruction."""
    known = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
    for byte in range(256):
        opcode = bytes([byte])
        argument = b"" if opcode not in known or known[opcode].arg is None else ARGUMENTS[known[opcode].arg.name]
        for below in BELOW if opcode in known else BELOW[:4]:
            yield f"{known[opcode].name if opcode in known else 'no instruction'} on a stack", below + opcode + argument


def names():
    """The name of what is called passes through something."""
    far = 10**20
    yield "a name under a far number", b"Vqz\nr" + little(2**31, 4) + b"0j" + little(2**31, 4) + b"Vrecord\n\x93(S'true'\ntR."
    yield "a name under numbers of 21 digits", f"Vqz\np{far}\n0Vjunk\np{far + 1}\n0g{far}\nVrecord\n".encode() + b"\x93(S'true'\ntR."
    yield "a name under a number with zeros", b"Vqz\np0_5\n0g5\nVrecord\n\x93(S'true'\ntR."
    yield "a name behind an odd number", b"Finfinity\n0Vqz\nVrecord\n\x93(S'true'\ntR."


def chance():
    """Instructions in random order, of which a reader takes one sequence in eight."""
    source = random.Random(20261127)
    pool = [
        opcode.code.encode("latin-1") + (b"" if opcode.arg is None else ARGUMENTS[opcode.arg.name])
        for opcode in pickletools.opcodes if opcode.name not in ("STOP", "FRAME")
    ] + [b"N", b"]", b"}", b"(", b")", b"\x8f", b"0", b"2", b"t", b"Vx\n", b"Vqz\n", b"Vrecord\n", b"cqz\nrecord\n", b"FNaN\n", b"I\0x\n", b"p 5\n", b"g5\n",
         b"r\0\0\0\xf0", b"j\0\0\0\xf0", b"\x95\4" + b"\0" * 7, b"\x95\xff" + b"\0" * 7, b"\x80\x02", b"\x80\x04", *GLOBALS]  # fmt: skip
    ends = [CALL, AT_END, b"Vqz\nVrecord\n\x93(S'true'\ntR.", b"(cqz\nrecord\nNo.", b"cqz\nrecord\n)\x81."]
    for _ in range(4000):
        yield "by chance", b"".join(source.choice(pool) for _ in range(source.randint(2, 9))) + source.choice(ends)


def streams():
    """(family, stream) of everything."""
    for family, begin in itertools.chain(lines(), memo(), lengths(), frames(), codes(), instructions()):
        yield family, begin + CALL
    for before, begin in DISGUISES[1:]:
        for family, rest in itertools.chain(lines(), memo(), frames()):
            yield before + family, begin + rest + CALL
    for before, begin in DISGUISES:
        yield before + "INST at the end", begin + AT_END
        yield before + "INST at the end, behind an odd number", begin + b"FNaN\n0" + AT_END
        yield before + "computed name", begin + b"cmymod\ntext\nVrecord\n\x93(S'true'\ntR."
        yield before + "computed arguments", begin + b"cmymod\nClass\n)cmymod\nmapping\n\x920" + CALL
        for family, content in names():
            yield before + family, begin + content
    yield from chance()


def hostile(content):
    """The same stream with os.system in place of the call that takes note."""
    return content.replace(b"cqz\nrecord\n", b"cos\nsystem\n").replace(b"iqz\nrecord", b"ios\nsystem").replace(
        b"Vqz\n", b"Vos\n").replace(b"Vrecord\n", b"Vsystem\n")
