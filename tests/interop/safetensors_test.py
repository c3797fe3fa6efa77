# SPDX-License-Identifier: Apache-2.0
"""Safetensors and npz, with the real libraries on the other side.

Files written by the safetensors library go through convert and export and must come back byte for byte; numpy must read
what export writes as npz, bit for bit; and of files that were damaged at random, whatever we accept the library accepts with the same
content.
"""

import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy
    import safetensors
    import safetensors.torch
    import torch
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

CLI = os.environ["SAFEMODEL_CLI"]
SEED = 20260101

# Every dtype of the library's PyTorch side, and those that only its format has.
TORCH_DTYPES = sorted(safetensors.torch._SIZE, key=str)
FORMAT_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E8M0": 8, "C64": 64}
CODECS = ("auto", "raw", "zstd")


def random_tensor(dtype, shape, rng):
    """Random bits, so that NaN payloads, infinities, denormals and -0 are among them; for bool 0 and 1."""
    size = safetensors.torch._SIZE[dtype]
    count = 1
    for dimension in shape:
        count *= dimension
    data = bytes(rng.getrandbits(1 if dtype == torch.bool else 8) for _ in range(count * size))
    if not data:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(dtype).reshape(shape)


def bits(tensor):
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).numpy()) if tensor.numel() else b""


def file_of(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def reference_padding(text):
    return text + b" " * (-len(text) % 8)


class InteropTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)
        self.rng = random.Random(SEED)
        self.run_cli("keygen", "-o", "k", "--no-passphrase")

    def run_cli(self, *arguments, expect=0):
        result = subprocess.run([CLI, *map(str, arguments)], cwd=self.path, capture_output=True, timeout=120)
        self.assertEqual(result.returncode, expect, (arguments, result.stdout[-2000:], result.stderr[-2000:]))
        return result

    def through(self, content, codec="auto", output="out.safetensors"):
        """The bytes of a safetensors file after convert and export."""
        (self.path / "in.safetensors").write_bytes(content)
        self.run_cli("convert", "in.safetensors", "-o", "m.safemodel", "--codec", codec, "--sign-with", "k.key", "--force")
        self.run_cli("export", "m.safemodel", "-o", output, "--key", "k.pub", "--force")
        return (self.path / output).read_bytes()


class RoundTripTest(InteropTest):
    def test_every_torch_dtype_comes_back_byte_for_byte(self):
        for dtype in TORCH_DTYPES:
            with self.subTest(dtype=dtype):
                tensors = {"m": random_tensor(dtype, (3, 4), self.rng), "e": random_tensor(dtype, (0, 5), self.rng),
                           "a.vector": random_tensor(dtype, (6,), self.rng)}
                if dtype != torch.float4_e2m1fn_x2:  # two elements to a byte: no scalar
                    tensors["scalar"] = random_tensor(dtype, (), self.rng)
                content = safetensors.torch.save(tensors)
                self.assertEqual(self.through(content), content)

    def test_all_dtypes_in_one_file_under_every_codec(self):
        tensors = {f"layer.{i}.{str(dtype)[6:]}": random_tensor(dtype, (64, 8), self.rng) for i, dtype in enumerate(TORCH_DTYPES)}
        content = safetensors.torch.save(tensors, {"format": "pt"})
        for codec in CODECS:
            with self.subTest(codec=codec):
                self.assertEqual(self.through(content, codec), content)

    def test_weights_that_compress_come_back_byte_for_byte(self):
        generator = torch.Generator().manual_seed(SEED)
        tensors = {f"w.{dtype}": torch.randn(700, 801, generator=generator).to(getattr(torch, dtype))
                   for dtype in ("bfloat16", "float16", "float32", "float64")}
        content = safetensors.torch.save(tensors)
        self.assertEqual(self.through(content), content)
        self.assertLess((self.path / "m.safemodel").stat().st_size, len(content))

    def test_dtypes_of_the_format_alone(self):
        for dtype, width in FORMAT_BITS.items():
            with self.subTest(dtype=dtype):
                size = 8 * width // 8
                header = json.dumps({"x": {"dtype": dtype, "shape": [2, 4], "data_offsets": [0, size]}}, separators=(",", ":"))
                content = file_of(reference_padding(header.encode()), bytes(self.rng.getrandbits(8) for _ in range(size)))
                self.assertEqual(dict(safetensors.deserialize(content))["x"]["dtype"], dtype)  # the library knows it
                self.assertEqual(self.through(content), content)

    def test_names_and_metadata(self):
        names = ["a", "b/c", "d e", "~", "é", "\u2028", "日本", "quote\"", "back\\slash", "__metadata", "x" * 1000, "."]
        tensors = {name: torch.tensor([float(i)]) for i, name in enumerate(names)}
        content = safetensors.torch.save(tensors, {"note": "é\n\"\x7f/\u2028"})
        self.assertEqual(self.through(content), content)

    def test_no_tensors(self):
        content = safetensors.torch.save({})
        self.assertEqual(self.through(content), content)

    def test_other_writers_layouts_keep_their_content(self):
        data = bytes(range(12))
        content = file_of(b'{ "z" : {"data_offsets":[0,4],"shape":[4],"dtype":"U8"},\n"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', data)
        back = self.through(content)
        self.assertEqual(dict(safetensors.deserialize(back)).keys(), {"a", "z"})
        ours, theirs = dict(safetensors.deserialize(back)), dict(safetensors.deserialize(content))
        for name in ("a", "z"):
            self.assertEqual(bytes(ours[name]["data"]), bytes(theirs[name]["data"]))

    def test_the_digest_is_that_of_the_tensors(self):
        content = safetensors.torch.save({"w": torch.arange(12.0).reshape(3, 4)}, {"format": "pt"})
        self.through(content)
        report = json.loads(self.run_cli("digest", "in.safetensors", "m.safemodel", "out.safetensors", "--json").stdout)
        self.assertEqual(len({entry["tensor_digest"] for entry in report["files"]}), 1)
        self.assertEqual(len({entry["content_digest"] for entry in report["files"]}), 1)


class NpzTest(InteropTest):
    def test_numpy_reads_every_dtype_that_it_has(self):
        tensors = {}
        for dtype in (torch.bool, torch.uint8, torch.int8, torch.uint16, torch.int16, torch.uint32, torch.int32, torch.uint64,
                      torch.int64, torch.float16, torch.float32, torch.float64, torch.complex64):
            name = str(dtype)[6:]
            tensors |= {f"{name}/matrix": random_tensor(dtype, (3, 5), self.rng), f"{name}.scalar": random_tensor(dtype, (), self.rng),
                        f"{name} é": random_tensor(dtype, (0, 2), self.rng)}
        self.through(safetensors.torch.save(tensors), output="out.npz")
        with numpy.load(self.path / "out.npz", allow_pickle=False) as arrays:
            self.assertEqual(set(arrays.files), set(tensors))
            for name, tensor in tensors.items():
                array = arrays[name]
                self.assertEqual(array.dtype, tensor.numpy().dtype, name)
                self.assertEqual(array.shape, tuple(tensor.shape), name)
                self.assertEqual(array.tobytes(), bits(tensor), name)

    def test_the_archive_is_sound_for_zip_readers(self):
        import zipfile
        self.through(safetensors.torch.save({"w": torch.ones(300, 300), "é": torch.zeros(2)}), output="out.npz")
        with zipfile.ZipFile(self.path / "out.npz") as archive:
            self.assertIsNone(archive.testzip())
            self.assertEqual(archive.namelist(), ["w.npy", "é.npy"])

    def test_what_numpy_does_not_have_is_refused_by_name_and_leaves_nothing(self):
        for dtype in (torch.bfloat16, torch.float8_e4m3fn):
            with self.subTest(dtype=dtype):
                (self.path / "in.safetensors").write_bytes(safetensors.torch.save({"the.weight": random_tensor(dtype, (4,), self.rng)}))
                self.run_cli("convert", "in.safetensors", "-o", "m.safemodel", "--sign-with", "k.key", "--force")
                result = self.run_cli("export", "m.safemodel", "-o", "refused.npz", "--key", "k.pub", expect=3)
                self.assertIn(b"the.weight", result.stderr)
                self.assertFalse((self.path / "refused.npz").exists())

    def test_names_that_leave_the_archive_are_refused(self):
        for name in ("../x", "/x", "a//b", "c:x", "a\\b"):
            with self.subTest(name=name):
                (self.path / "in.safetensors").write_bytes(safetensors.torch.save({name: torch.ones(1)}))
                self.run_cli("convert", "in.safetensors", "-o", "m.safemodel", "--sign-with", "k.key", "--force")
                self.run_cli("export", "m.safemodel", "-o", "refused.npz", "--key", "k.pub", expect=3)
                self.assertFalse((self.path / "refused.npz").exists())


class DifferentialTest(InteropTest):
    """Random damage to a header. Being stricter than the library is allowed, seeing something else is not."""

    ROUNDS = 1000

    def damaged(self, rng, header, data):
        text = bytearray(json.dumps(header, separators=(",", ":")).encode())
        for _ in range(rng.choice([1, 1, 1, 2])):
            at = rng.randrange(len(text))
            choice = rng.randrange(5)
            if choice == 0:
                text[at] = rng.choice(b'0123456789{}[],:" \\uFUabcI8')
            elif choice == 1:
                del text[at]
            elif choice == 2:
                text.insert(at, rng.choice(b'0123456789 {}[],:"-.e'))
            elif choice == 3:
                end = min(len(text), at + rng.randrange(1, 70))
                text[at:at] = text[at:end]
            else:
                spot = rng.choice([i for i, byte in enumerate(text) if byte in b"{}[],:"])
                text.insert(spot + rng.randrange(2), rng.choice(b" \t\n\r\0\xa0"))
        return file_of(bytes(text), data[:rng.choice([len(data)] * 20 + [len(data) - 1, 0])] + b"\0" * rng.choice([0] * 20 + [1]))

    def test_what_we_accept_the_library_reads_the_same(self):
        rng = random.Random(SEED)
        header = {"__metadata__": {"k": "v"}, "a": {"dtype": "U8", "shape": [2, 3], "data_offsets": [0, 6]},
                  "b": {"dtype": "F16", "shape": [], "data_offsets": [6, 8]}, "c": {"dtype": "I8", "shape": [0], "data_offsets": [8, 8]}}
        files = {}
        for i in range(self.ROUNDS):
            files[f"{i}.safetensors"] = self.damaged(rng, header, bytes(range(8)))
        for name, content in files.items():
            (self.path / name).write_bytes(content)
        result = subprocess.run([CLI, "digest", "--json", *files], cwd=self.path, capture_output=True, timeout=300)
        self.assertEqual(result.returncode, 3, result.stderr[-2000:])
        reports = json.loads(result.stdout)["files"]
        self.assertEqual(len(reports), self.ROUNDS)
        self.assertEqual({report["stage"] for report in reports if not report["ok"]} - {"malformed", "unsupported", "limit"}, set())
        accepted = [report["file"] for report in reports if report["ok"]]
        print(f"{len(accepted)} of {self.ROUNDS} damaged files are still valid")
        self.assertGreater(len(accepted), 20)
        for name in accepted:
            self.compare(name, files[name])

    def compare(self, name, content):
        try:
            theirs = dict(safetensors.deserialize(content))
        except Exception as error:  # noqa: BLE001  (the library's error types vary)
            self.fail(f"{name}: we accept what the library refuses ({error}): {content!r}")
        if not all(printable(key) for key in theirs):
            return  # such names are escaped in the container
        self.run_cli("convert", name, "-o", "m.safemodel", "--sign-with", "k.key", "--force")
        self.run_cli("export", "m.safemodel", "-o", "out.safetensors", "--key", "k.pub", "--force")
        ours = dict(safetensors.deserialize((self.path / "out.safetensors").read_bytes()))
        self.assertEqual(ours.keys(), theirs.keys(), content)
        for key, entry in theirs.items():
            self.assertEqual((ours[key]["dtype"], ours[key]["shape"], bytes(ours[key]["data"])),
                             (entry["dtype"], entry["shape"], bytes(entry["data"])), content)


def printable(name):
    return name != "" and all(ord(letter) >= 0x20 and not 0x7F <= ord(letter) < 0xA0 for letter in name)


if __name__ == "__main__":
    print(f"safetensors {safetensors.__version__}, torch {torch.__version__}, numpy {numpy.__version__}, seed {SEED}")
    unittest.main(verbosity=2)
