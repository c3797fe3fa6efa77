#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sign --replace, on containers, files, folders and sets."""

import unittest

from cli_case import CliTest, floats, safetensors


class ReplaceTest(CliTest):
    def setUp(self):
        super().setUp()
        self.run_cli("keygen", "-o", "k", "--no-passphrase")
        self.run_cli("keygen", "-o", "other", "--no-passphrase")

    def check(self, target, verify, first=()):
        """An endless signature by two keys; then one of them wants an end."""
        self.run_cli("sign", *target, *first, "-k", "k.key")
        self.run_cli("sign", *target, "-k", "other.key")
        for number in (-1, 0):
            self.run_cli("sign", *target, "-k", "k.key", "--not-after", f"{number}d", expect=2)
        warned = self.run_cli("sign", *target, "-k", "k.key", "--not-after", "30d")
        self.assertIn(b"(outlasted)", warned.stderr)
        self.assertIn(b"--replace", warned.stderr)
        report = self.run_json("sign", *target, "-k", "k.key", "--not-after", "20d")
        self.assertEqual((report["outlasted"], report["replaced_signatures"], report["signatures"]), (True, 0, 4))
        replaced = self.run_cli("sign", *target, "-k", "k.key", "--not-after", "10d", "--replace")
        self.assertIn(b"replaced   3 earlier signatures by this key\n", replaced.stdout)
        self.assertEqual(replaced.stderr, b"")
        report = self.run_json("sign", *target, "-k", "k.key", "--not-after", "10d", "--replace")
        self.assertEqual((report["outlasted"], report["replaced_signatures"], report["signatures"]), (False, 1, 2))
        for key in ("k", "other"):
            self.run_cli("verify", *verify, "--key", f"{key}.pub")
        return report

    def test_a_container(self):
        self.write("m.safetensors", self.tensors())
        self.run_cli("convert", "m.safetensors", "-o", "m.safemodel", "--name", "acme/m")
        self.assertEqual(self.check(["m.safemodel"], ["m.safemodel"])["envelope"], "m.safemodel")

    def test_a_container_with_its_envelope_beside_it(self):
        self.write("m.safetensors", self.tensors())
        self.run_cli("convert", "m.safetensors", "-o", "m.safemodel", "--name", "acme/m")
        report = self.check(["m.safemodel"], ["m.safemodel"], first=["--detached"])
        self.assertEqual(report["envelope"], "m.safemodel.envelope")

    def test_a_file_a_folder_and_a_set(self):
        self.write("m.bin", b"x")
        self.check(["m.bin"], ["m.bin"])
        (self.path / "folder").mkdir()
        self.write("folder/a", b"x")
        self.check(["folder"], ["folder"])
        self.write("m.safetensors", self.tensors())
        self.run_cli("convert", "m.safetensors", "-o", "m.safemodel", "--name", "acme/m")
        self.check(["--set", "all.set"], ["--set", "all.set"], first=["m.safemodel"])

    def test_it_is_for_plain_signing(self):
        self.make_signed()
        self.run_cli("sign", "m.safemodel", "-k", "k.key", "--manifest", "ab" * 32, "--replace", expect=2)

    @staticmethod
    def tensors():
        return safetensors({"w": ("F32", [8], floats(8))})


if __name__ == "__main__":
    unittest.main()
