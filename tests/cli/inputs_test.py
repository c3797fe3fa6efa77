# SPDX-License-Identifier: Apache-2.0
"""What the command line makes of folders and of plain pickles."""

import pickle
import struct
import unittest

from cli_case import CliTest, floats, safetensors


class FolderTest(CliTest):
    def make_folder(self):
        (self.path / "in").mkdir()
        self.write("in/model.safetensors", safetensors({"w": ("F32", [2], floats(2))}))
        self.write("in/config.json", b"{}")
        self.write("in/run.py", b"print()")

    def test_everything_in_a_folder_is_packed_or_listed(self):
        self.make_folder()
        text = self.run_cli("convert", "in/", "-o", "m.safemodel").stdout.decode()
        for line in ("model      in version 0", "weights    model.safetensors", "file       config.json, 2 bytes", "left out   run.py: a script, which can run"):
            self.assertIn(line + "\n", text)
        self.assertIn(b"file config.json, 2 bytes", self.run_cli("inspect", "m.safemodel").stdout)
        report = self.run_json("convert", "in", "-o", "m.safemodel", "--force", "--include-executable")
        self.assertEqual(report["files"][1], {"path": "run.py", "bytes": 7, "executable": "script"})
        self.assertEqual(self.run_json("export", "m.safemodel", "-o", "out", "--insecure-skip-verification", expect=1)["code"], "executable_file")
        self.run_cli("export", "m.safemodel", "-o", "out", "--insecure-skip-verification", "--include-executable")
        self.assertEqual(sorted(p.name for p in (self.path / "out").iterdir()), ["config.json", "model.safetensors", "run.py"])

    def test_an_output_without_a_suffix_is_a_folder(self):
        self.make_folder()
        self.run_cli("convert", "in", "-o", "m.safemodel", "--sign-with", self.key())
        self.assertEqual(self.run_json("export", "m.safemodel", "-o", "v1.2", "--key", "k.pub", expect=2)["code"], "unknown_format")
        for out in ("v1.2/", "plain"):
            self.assertEqual(self.run_json("export", "m.safemodel", "-o", out, "--key", "k.pub")["files"], 1)
            self.assertEqual(self.run_json("export", "m.safemodel", "-o", out, "--key", "k.pub", "--force", expect=2)["code"], "exists")
        flat = self.run_json("export", "m.safemodel", "-o", "out.npz", "--key", "k.pub")
        self.assertEqual((flat["files"], flat["files_left_out"]), (0, 1))
        self.run_cli("export", "m.safemodel", "-o", "unverified/", expect=1)
        self.assertEqual({p.name for p in self.path.iterdir() if p.is_dir()}, {"in", "v1.2", "plain"})

    def test_a_damaged_container_leaves_no_folder(self):
        self.make_folder()
        self.run_cli("convert", "in", "-o", "m.safemodel", "--sign-with", self.key(), "--codec", "raw")
        objects = self.run_json("inspect", "m.safemodel")["objects"]
        for number in (1, 2):  # the tensor, the file
            damaged = bytearray((self.path / "m.safemodel").read_bytes())
            damaged[objects[number]["offset"]] ^= 1
            self.write("damaged.safemodel", bytes(damaged))
            self.assertEqual(self.run_json("export", "damaged.safemodel", "-o", "out/", "--key", "k.pub", expect=1)["stage"], "digest_mismatch")
        self.assertEqual([p.name for p in self.path.iterdir() if p.is_dir()], ["in"])

    def test_names_are_escaped(self):
        self.make_folder()
        self.write("in/\u202eevil.py", b"")
        self.assertNotIn("\u202e".encode(), self.run_cli("convert", "in", "-o", "m.safemodel").stdout)

    def key(self):
        self.run_cli("keygen", "-o", "k", "--no-passphrase")
        return "k.key"


class PickleTest(CliTest):
    def test_plain_values_survive(self):
        value = {"a": [1, -2, 2**70, -(2**70)], "b": (None, True, False, 1.5, float("inf"), "x\ud800y", b"\x00\xff"), 3: {4, 5}, "c": complex(1, -0.0), "s": slice(1, None, 2)}
        for protocol in range(2, 6):
            self.write("v.pkl", pickle.dumps(value, protocol))
            self.run_cli("convert", "v.pkl", "-o", "v.safemodel", "--force")
            nodes = self.run_json("inspect", "v.safemodel", "--tree")["tree"]["nodes"]
            self.assertEqual(rebuild(nodes), value)

    def test_shared_and_cyclic_values(self):
        cyclic = []
        cyclic.append(cyclic)
        self.write("c.pkl", pickle.dumps(cyclic))
        self.run_cli("convert", "c.pkl", "-o", "c.safemodel")
        nodes = self.run_json("inspect", "c.safemodel", "--tree")["tree"]["nodes"]
        self.assertEqual(nodes[0]["children"], [0])


def rebuild(nodes, index=0):
    """Plain Python values from the JSON table; for trees without cycles."""
    node = nodes[index]
    kind, items = node["kind"], [rebuild(nodes, child) for child in node.get("children", [])]
    if kind in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[kind]
    if kind == "int":
        return node["value"] if isinstance(node["value"], int) else int(node["value"], 0)
    if kind == "float":
        return struct.unpack("<d", bytes.fromhex(node["bits"]))[0]
    if kind == "complex":
        return complex(*struct.unpack("<2d", bytes.fromhex(node["bits"])))
    if kind == "str":
        return node["value"]
    if kind == "bytes":
        return bytes.fromhex(node["hex"])
    if kind == "dict":
        return dict(zip(items[::2], items[1::2]))
    return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "slice": lambda parts: slice(*parts)}[kind](items)


if __name__ == "__main__":
    unittest.main()
