# SPDX-License-Identifier: Apache-2.0
"""What the scripts of this folder share: the real program (SAFEMODEL_CLI) in a fresh folder for each test."""

import json
import os
import re
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

CLI = os.environ["SAFEMODEL_CLI"]


def safetensors(tensors, metadata=None):
    """A safetensors file: {name: (dtype, shape, bytes)}."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def floats(count):
    return struct.pack(f"<{count}f", *(0.5 * i - 3 for i in range(count)))


def holders(pid, maps, text):
    """The flags of each mapping of a process that holds the text, once for each place; large mappings are not searched."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, flags in re.findall(rb"^([0-9a-f]+)-([0-9a-f]+) rw.*?^VmFlags: ([^\n]*)$", maps, re.MULTILINE | re.DOTALL):
            begin, size = int(start, 16), int(end, 16) - int(start, 16)
            if size > 64 << 20:
                continue
            memory.seek(begin)
            for _ in range(memory.read(size).count(text)):
                yield flags


class CliTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)

    def run_cli(self, *arguments, expect=0, **options):
        options.setdefault("timeout", 60)
        result = subprocess.run([CLI, *map(str, arguments)], cwd=self.path, capture_output=True, **options)
        self.assertEqual(result.returncode, expect, result.stdout[-2000:] + result.stderr[-2000:])
        for stream in (result.stdout, result.stderr):
            self.assertIsNone(re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", stream), f"control bytes in the output: {stream!r}")
        return result

    def run_json(self, *arguments, expect=0):
        result = self.run_cli(*arguments, "--json", expect=expect)
        return json.loads(result.stdout)

    def write(self, name, content):
        (self.path / name).write_bytes(content)

    def listing(self):
        return {p.name: (p.read_bytes(), p.stat().st_mode, p.stat().st_mtime_ns) for p in self.path.iterdir() if p.is_file()}

    def make_signed(self, name="m.safemodel", tensors=None, **options):
        self.write("m.safetensors", safetensors(tensors or {"w": ("F32", [4, 8], floats(32)), "b": ("F32", [8], floats(8))}))
        if not (self.path / "k.key").exists():
            self.run_cli("keygen", "-o", "k", "--no-passphrase")
        extra = [str(part) for pair in options.items() for part in ("--" + pair[0].replace("_", "-"), pair[1])]
        self.run_cli("convert", "m.safetensors", "-o", name, "--sign-with", "k.key", *extra)
        return name
