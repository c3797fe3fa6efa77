# SPDX-License-Identifier: Apache-2.0
"""Checks that the spec shows the schemas that the library is built from: python check_schemas.py SPEC SCHEMA..."""

import pathlib
import re
import sys


def without_comments(text):
    lines = (line.split("//")[0].rstrip() for line in text.split("\n"))
    return [line for line in lines if line]


def main():
    spec = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    shown = [without_comments(block) for block in re.findall(r"```fbs\n(.*?)```", spec, re.DOTALL)]
    paths = [pathlib.Path(argument) for argument in sys.argv[2:]]
    used = [without_comments(path.read_text(encoding="utf-8")) for path in paths]
    if not used or shown != used:
        print("the schemas in the spec are not those of the library")
        return 1
    print(f"{len(used)} schemas are as the spec shows them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
