#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Names that are made of file names: what would be lost is asked for."""

import unittest

from cli_case import CliTest, floats, safetensors


class NameTest(CliTest):
    def setUp(self):
        super().setUp()
        self.run_cli("keygen", "-o", "k", "--no-passphrase")
        self.content = safetensors({"w": ("F32", [8], floats(8))})

    def test_convert(self):
        for name in ("модель.pt", "r\u00e9sum\u00e9.pt", "(((.pt"):
            self.write(name, self.content)
            refused = self.run_json("convert", name, "-o", "m.safemodel", expect=2)
            self.assertEqual(refused["code"], "name_needed")
            self.assertIn("--name", refused["message"])
            self.assertFalse((self.path / "m.safemodel").exists())
            self.run_cli("convert", name, "-o", "m.safemodel", "--name", "acme/net")
            self.assertEqual(self.run_json("inspect", "m.safemodel")["name"], "acme/net")
            (self.path / "m.safemodel").unlink()
        (self.path / "модель").mkdir()
        self.write("модель/model.safetensors", self.content)
        self.assertEqual(self.run_json("convert", "модель", "-o", "m.safemodel", expect=2)["code"], "name_needed")
        self.run_cli("convert", "модель/model.safetensors", "-o", "m.safemodel")
        self.write("net (v1).safetensors", self.content)
        self.run_cli("convert", "net (v1).safetensors", "-o", "n.safemodel")
        self.assertEqual(self.run_json("inspect", "n.safemodel")["name"], "net-v1")

    def test_sign(self):
        self.write("модель.bin", b"x")
        (self.path / "папка").mkdir()
        self.write("папка/a", b"x")
        for what in ("модель.bin", "папка"):
            refused = self.run_json("sign", what, "-k", "k.key", expect=2)
            self.assertEqual(refused["code"], "name_needed")
            self.assertFalse((self.path / f"{what}.envelope").exists())
            self.assertEqual(self.run_json("sign", what, "-k", "k.key", "--name", "acme/net")["name"], "acme/net")
            # From then on the manifest has the name.
            self.assertEqual(self.run_json("sign", what, "-k", "k.key")["name"], "acme/net")
            self.assertEqual(self.run_json("sign", what, "-k", "k.key", "--update")["name"], "acme/net")
        self.write("m.safetensors", self.content)
        self.run_cli("convert", "m.safetensors", "-o", "m.safemodel")
        self.assertEqual(self.run_json("sign", "--set", "набор.set", "m.safemodel", "-k", "k.key", expect=2)["code"], "name_needed")
        self.run_cli("sign", "--set", "набор.set", "m.safemodel", "-k", "k.key", "--name", "acme/all")


if __name__ == "__main__":
    unittest.main()
