# SPDX-License-Identifier: Apache-2.0
"""Whatever a broken file makes the scanner say is a rule of the catalogue, in every form in which it is told."""

import io
import json
import os
import random
import re
import struct
import subprocess
import tarfile
import unittest
import zipfile
from pathlib import Path

from cli_case import CLI, CliTest, floats

ROOT = Path(os.environ.get("SAFEMODEL_SOURCE_DIR", Path(__file__).parents[2]))
RULES = set(re.findall(r"^### ([A-Z0-9-]+)$", (ROOT / "spec/scan-rules.md").read_text(), re.MULTILINE))
PICKLE = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."


def npy(content=floats(8)):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def zip_of(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def tar_of(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def header(text):
    return struct.pack("<Q", len(text)) + text


# What a reader of safetensors refuses in its own words, each by another check.
SAFETENSORS = {
    "long": struct.pack("<Q", 1 << 20) + b'{"w"',
    "json": header(b'{"w":{"dtype":"F32",}}'),
    "dtype": header(b'{"w":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}') + bytes(4),
    "rank": header(json.dumps({"w": {"dtype": "U8", "shape": [1] * 200, "data_offsets": [0, 1]}}).encode()) + bytes(1),
    "size": header(b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}') + bytes(4),
}


class CatalogueTest(CliTest):
    def setUp(self):
        super().setUp()
        self.make_signed()
        (self.path / "broken").mkdir()

    def scan(self, name):
        result = subprocess.run([CLI, "scan", name, "--json"], cwd=self.path, capture_output=True, timeout=120)
        self.assertIn(result.returncode, (1, 3), result.stderr)
        return json.loads(result.stdout)

    def test_every_finding_about_a_broken_file_is_a_rule(self):
        whole = {"safetensors": (self.path / "m.safetensors").read_bytes(), "safemodel": (self.path / "m.safemodel").read_bytes(),
                 "npy": npy(), "npz": zip_of({"a.npy": npy()}), "zip": zip_of({"a.pkl": PICKLE, "b.txt": b"text" * 20}),
                 "tar": tar_of({"a.pkl": PICKLE, "b.txt": b"text" * 20}), "pkl": PICKLE}
        draw = random.Random(7)
        for kind, content in whole.items():
            for i in range(24):
                cut = content[:draw.randrange(1, len(content))]
                flipped = bytearray(content)
                flipped[draw.randrange(len(content) if i % 2 else min(len(content), 160))] ^= 1 << draw.randrange(8)
                (self.path / f"broken/{kind}-cut{i}").write_bytes(cut)
                (self.path / f"broken/{kind}-flip{i}").write_bytes(flipped)
        for name, content in SAFETENSORS.items():
            (self.path / f"broken/safetensors-{name}").write_bytes(content)
        findings = [(entry["path"], finding) for entry in self.scan("broken")["inputs"] for finding in entry["findings"]]
        self.assertGreater(len(findings), 150)
        self.assertEqual({(path, finding["rule"]) for path, finding in findings if finding["rule"] not in RULES}, set())
        self.assertTrue({"FILE-MALFORMED", "FILE-CONTAINER", "NPY-HEADER"} <= {finding["rule"] for _, finding in findings})

    def test_what_readers_of_safetensors_refuse_has_a_rule_a_title_and_advice(self):
        for name, rule in (("long", "FILE-MALFORMED"), ("json", "FILE-MALFORMED"), ("dtype", "FILE-UNSUPPORTED"), ("rank", "LIMIT-BYTES"), ("size", "FILE-MALFORMED")):
            with self.subTest(name=name):
                self.write("x.safetensors", SAFETENSORS[name])
                [finding] = self.scan("x.safetensors")["inputs"][0]["findings"]
                self.assertEqual((finding["rule"], finding["verdict"]), (rule, "unreadable"))
                self.assertNotEqual(finding["subject"], "")
                text = self.run_cli("scan", "x.safetensors", expect=3).stdout.decode()
                self.assertRegex(text, rf"\n  {rule} \(high\): \w")
                self.assertIn("What to do: ", text)
                [result] = json.loads(self.run_cli("scan", "x.safetensors", "--sarif", expect=3).stdout)["runs"][0]["results"]
                self.assertIsInstance(result["ruleIndex"], int)

    def test_an_encrypted_container_is_to_be_decrypted(self):
        self.run_cli("keygen", "-o", "alice", "--format", "age")
        self.run_cli("convert", "m.safetensors", "-o", "e.safemodel", "--encrypt-to", "alice.pub", "--sign-with", "k.key")
        [finding] = self.scan("e.safemodel")["inputs"][0]["findings"]
        self.assertEqual((finding["rule"], finding["verdict"]), ("FILE-ENCRYPTED", "unreadable"))
        text = self.run_cli("scan", "e.safemodel", expect=3).stdout.decode()
        self.assertIn("safemodel decrypt", text)
        self.assertNotIn("etch it again", text)
        self.run_cli("decrypt", "e.safemodel", "-o", "d.safemodel", "--key", "k.pub", "--identity", "alice.key")
        self.run_cli("scan", "d.safemodel")


if __name__ == "__main__":
    unittest.main()
