#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the structure of the sources: who may include whom, and a few rules that no compiler knows.

    check.py ROOT          checks the tree at ROOT
    check.py --self-test   checks that each rule finds its violation
"""

import re
import sys
import tempfile
from pathlib import Path

# Lowest layer first. A folder may include the folders before it ...
LAYERS = ["base", "value", "json", "toml", "crypto", "log", "codec", "container", "encryption", "pickle", "formats", "trust", "model"]
# ... except that these are kept apart from each other, so that each can be read and fuzzed alone.
ONLY = {
    "base": set(),
    "value": {"base"},
    "json": {"base"},
    "toml": {"base"},
    "crypto": {"base", "value"},
    "log": {"base", "json", "crypto"},
    "codec": {"base", "value"},
    "container": {"base", "value"},
    "encryption": {"base", "value", "crypto", "container"},
    "pickle": {"base", "value"},
}
# Each library of somebody else is met in one folder, which answers for how it is used.
HOMES = {
    r"sodium(\.h|/.*)": "crypto",
    r"blake3\.h": "crypto",
    r"(zstd|zstd_errors|zdict)\.h": "codec",
    r"flatbuffers/.*": "container",
    r".*_generated\.h": "container",
    r"nlohmann/.*": "json",
    r"toml\+\+/.*": "toml",
    r"(zlib|bzlib|lzma|lz4frame)\.h": "pickle",
    r"CLI/.*": "cli",
}
# Headers of the compiler and the system that code may use anywhere below the public API.
SYSTEM = re.compile(r"(sys|linux)/[a-z_]+\.h|(dirent|fcntl|unistd|poll|spawn|sched|pthread|immintrin|arm_neon|termios|signal|getopt)\.h")
STANDARD = re.compile(r"[a-z_0-9]+")  # <vector>, <cstdint>: no dot, no slash

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
MAX_LINES = 500
SOURCE_FOLDERS = ["libsafemodel", "cli", "fuzz", "tests", "bench", "python"]
SOURCES = {".h", ".cc", ".cpp"}
COMMENTED = SOURCES | {".py", ".cmake", ".sh"}


def folder_of(path):
    """The layer of a file: "public", a folder of the library, or the top folder."""
    parts = path.parts
    if parts[0] != "libsafemodel":
        return parts[0]
    return "public" if parts[1] == "include" else parts[1]


def check_third_party(folder, header):
    for pattern, home in HOMES.items():
        if re.fullmatch(pattern, header):
            return [] if home == folder else [f"<{header}> belongs in {home}/ alone"]
    if STANDARD.fullmatch(header) or header.startswith("safemodel/") or SYSTEM.fullmatch(header):
        return []
    return [f"<{header}> is no library that docs/dependencies.md knows"]


def check_include(folder, bracket, header):
    if folder == "public":
        known = STANDARD.fullmatch(header) or header.startswith("safemodel/")
        return [] if bracket == "<" and known else [f"a public header includes {header}: only the standard library and <safemodel/...>"]
    if bracket == "<" or any(re.fullmatch(pattern, header) for pattern in HOMES):
        return check_third_party(folder, header)
    target = header.split("/")[0]
    if folder == "cli":
        return [] if "/" not in header or target == "cli" else [f"the command line includes {header}: it uses the public headers only"]
    if target not in LAYERS:
        return [f"{header} is in no folder of the library"]
    if target == folder:
        return []
    if LAYERS.index(target) > LAYERS.index(folder):
        return [f"{folder}/ includes {header}, which lies above it"]
    if folder in ONLY and target not in ONLY[folder]:
        return [f"{folder}/ includes {header}: it may use only {', '.join(sorted(ONLY[folder])) or 'the public headers'}"]
    return []


def check_text(path, text):
    """The rules that hold for every file."""
    problems = []
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        problems.append(f"{len(lines)} lines, at most {MAX_LINES}")
    if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines[:2]):
        problems.append("no SPDX line at the top")
    if path.suffix == ".h" and "#pragma once" not in lines:
        problems.append("no #pragma once")
    # LookupByKey searches in a vector that a hostile file need not have sorted: it and a scan would find different entries.
    if path.suffix in SOURCES and re.search(r"\bLookupByKey\s*\(", text):
        problems.append("calls LookupByKey, which trusts the order of a vector in the file")
    # A path of the machine that wrote the file would be wrong on every other.
    if re.search(r"(?<![\w./])/(work|home)/\w", text):
        problems.append("names a path of one machine")
    return problems


def check_file(path, text):
    problems = check_text(path, text)
    folder = folder_of(path)
    if path.suffix in SOURCES and (folder in LAYERS or folder in ("public", "cli")):
        for bracket, header in INCLUDE.findall(text):
            problems += check_include(folder, bracket, header)
    return [f"{path}: {problem}" for problem in problems]


def check_tree(root):
    files = [p for top in SOURCE_FOLDERS for p in sorted((root / top).rglob("*")) if p.suffix in COMMENTED and p.is_file()]
    problems = []
    for path in files:
        problems += check_file(path.relative_to(root), path.read_text(encoding="utf-8"))
    return len(files), problems


HEAD = "// SPDX-License-Identifier: Apache-2.0\n"
HEADER = HEAD + "#pragma once\n"
VIOLATIONS = [
    ("libsafemodel/codec/a.cc", HEAD + '#include "trust/authenticate.h"\n', "lies above"),
    ("libsafemodel/base/a.cc", HEAD + '#include "value/builder.h"\n', "lies above"),
    ("libsafemodel/container/a.cc", HEAD + '#include "crypto/hash.h"\n', "may use only"),
    ("libsafemodel/json/a.cc", HEAD + '#include "value/builder.h"\n', "may use only"),
    ("libsafemodel/pickle/a.cc", HEAD + '#include "container/format.h"\n', "may use only"),
    ("libsafemodel/trust/a.cc", HEAD + "#include <sodium.h>\n", "belongs in crypto/"),
    ("libsafemodel/model/a.cc", HEAD + "#include <zstd.h>\n", "belongs in codec/"),
    ("libsafemodel/trust/a.cc", HEAD + '#include "manifest_generated.h"\n', "belongs in container/"),
    ("libsafemodel/trust/a.cc", HEAD + "#include <nlohmann/json.hpp>\n", "belongs in json/"),
    ("libsafemodel/trust/a.cc", HEAD + "#include <toml++/toml.h>\n", "belongs in toml/"),
    ("libsafemodel/formats/a.cc", HEAD + "#include <zlib.h>\n", "belongs in pickle/"),
    ("libsafemodel/codec/a.cc", HEAD + "#include <lz4frame.h>\n", "belongs in pickle/"),
    ("libsafemodel/model/a.cc", HEAD + "#include <openssl/sha.h>\n", "dependencies.md"),
    ("libsafemodel/include/safemodel/a.h", HEADER + "#include <zstd.h>\n", "public header"),
    ("libsafemodel/include/safemodel/a.h", HEADER + '#include "base/file.h"\n', "public header"),
    ("cli/a.cc", HEAD + '#include "trust/authenticate.h"\n', "public headers only"),
    ("libsafemodel/base/a.cc", HEAD + '#include "elsewhere/x.h"\n', "no folder"),
    ("libsafemodel/base/a.cc", HEAD + "\n" * 500, "at most 500"),
    ("libsafemodel/base/a.cc", "#include <vector>\n", "no SPDX"),
    ("libsafemodel/base/a.h", HEAD, "no #pragma once"),
    ("libsafemodel/container/a.cc", HEAD + "auto* x = root->tensors()->LookupByKey(name);\n", "LookupByKey"),
    ("tests/base/a.cc", HEAD + 'const char* path = "/ho' + 'me/somebody/model.pt";\n', "one machine"),
]
FINE = [
    ("libsafemodel/trust/a.cc", HEAD + '#include <sys/file.h>\n#include <vector>\n#include <safemodel/model.h>\n#include "crypto/hash.h"\n'),
    ("libsafemodel/crypto/a.cc", HEAD + "#include <sodium.h>\n"),
    ("libsafemodel/container/a.cc", HEAD + '#include <flatbuffers/flatbuffers.h>\n#include "manifest_generated.h"\n'),
    ("libsafemodel/include/safemodel/a.h", HEADER + "#include <span>\n#include <safemodel/bytes.h>\n"),
    ("cli/a.cc", HEAD + '#include <CLI/CLI.hpp>\n#include <safemodel/model.h>\n#include "report.h"\n'),
    ("libsafemodel/base/a.cc", HEAD + "\n" * 499),
]


def self_test():
    with tempfile.TemporaryDirectory() as name:
        for number, row in enumerate(VIOLATIONS + FINE):
            root = Path(name) / str(number)
            file = root / row[0]
            file.parent.mkdir(parents=True)
            file.write_text(row[1])
            count, problems = check_tree(root)
            assert count == 1, row
            if len(row) == 3:
                assert len(problems) == 1 and row[2] in problems[0], (row, problems)
            else:
                assert not problems, (row, problems)
    print(f"{len(VIOLATIONS)} violations found, {len(FINE)} good files passed")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    count, problems = check_tree(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f"{count} files, {len(problems)} problems")
    return 1 if problems or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
