#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the table "Limits" of the spec with limits.h: same names, same values, same order.

    check.py ROOT          compares the two
    check.py ROOT --table  prints the table that the header asks for
"""

import re
import sys
from pathlib import Path

FIELD = re.compile(r"^\s*std::uint(?:32|64)_t\s+(\w+)\s*=\s*([^;]+);\s*//\s*(.*)$", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \| ([\d ]+) \| (.*) \|$", re.MULTILINE)


def value_of(expression):
    """The value of a C++ constant such as `(1ull << 53) - 1`."""
    plain = re.sub(r"(?<=\d)(?:ull|ul|u)\b", "", expression, flags=re.IGNORECASE)
    if not re.fullmatch(r"[\d\s()<+*-]+", plain):
        raise ValueError(f"a limit that is no constant expression: {expression}")
    return eval(plain)  # digits and operators only, checked above


def limits_of_header(root):
    text = (root / "libsafemodel/include/safemodel/limits.h").read_text()
    fields = [(name, value_of(value), why.strip()) for name, value, why in FIELD.findall(text)]
    declared = len(re.findall(r"^\s*std::uint\d+_t\s", text, re.MULTILINE))
    assert fields and len(fields) == declared, f"{declared} fields, {len(fields)} of them readable"
    return fields


def limits_of_spec(root):
    text = (root / "spec/safemodel-v1.md").read_text()
    section = re.split(r"^## \d+\. Limits$", text, flags=re.MULTILINE)
    assert len(section) == 2, "the spec has no section Limits"
    section = re.split(r"^## ", section[1], flags=re.MULTILINE)[0]
    return [(name, int(value.replace(" ", "")), why) for name, value, why in ROW.findall(section)]


def table(fields):
    rows = [f"| `{name}` | {value:,} | {why} |".replace(",", " ", f"{value:,}".count(",")) for name, value, why in fields]
    return "\n".join(["| limit | value | why |", "|---|---|---|", *rows])


def main():
    root = Path(sys.argv[1])
    header = limits_of_header(root)
    if "--table" in sys.argv:
        print(table(header))
        return 0
    spec = limits_of_spec(root)
    if header == spec:
        print(f"{len(header)} limits agree")
        return 0
    for row in header:
        if row not in spec:
            print("in the header, not so in the spec:", row)
    for row in spec:
        if row not in header:
            print("in the spec, not so in the header:", row)
    if sorted(header) == sorted(spec):
        print("the order differs")
    return 1


if __name__ == "__main__":
    sys.exit(main())
