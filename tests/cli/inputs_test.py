# SPDX-License-Identifier: Apache-2.0
"""What the command line makes of folders and of plain pickles."""

import json
import os
import pickle
import shutil
import struct
import subprocess
import unittest

from cli_case import CLI, CliTest, floats, safetensors


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


class ShardTest(CliTest):
    FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"

    def setUp(self):
        super().setUp()
        (self.path / "in").mkdir()
        self.write("in/" + self.FIRST, safetensors({"a": ("F32", [2], floats(2))}))

    def test_half_a_download_is_no_model(self):
        refused = self.run_json("convert", "in", "-o", "m.safemodel", expect=3)
        self.assertEqual((refused["code"], refused["subject"]), ("FILE-MISSING", self.SECOND + ", model.safetensors.index.json"))
        self.run_cli("convert", "in", "-o", "m.safemodel", "--weights", self.FIRST, expect=3)
        self.run_cli("digest", "in", expect=3)
        self.assertFalse((self.path / "m.safemodel").exists())
        self.write("in/" + self.SECOND, safetensors({"b": ("F32", [2], floats(2))}))
        report = self.run_json("convert", "in", "-o", "m.safemodel")
        self.assertEqual((report["tensors"], report["weights"]), (2, [self.FIRST, self.SECOND]))
        self.assertNotIn("shard", report)

    def test_one_shard_that_is_named_is_told_to_be_one(self):
        report = self.run_json("convert", "in/" + self.FIRST, "-o", "m.safemodel")
        self.assertEqual(report["shard"], {"number": 1, "of": 2})
        text = self.run_cli("convert", "in/" + self.FIRST, "-o", "n.safemodel").stdout
        self.assertIn(b"\nshard      1 of 2, by its name: not the whole model", text)

    def test_an_index_names_its_model(self):
        self.write("in/model.safetensors.index.json", json.dumps({"weight_map": {"a": self.FIRST}}).encode())
        for inputs in (["in/model.safetensors.index.json"], ["in/model.safetensors.index.json", "in/" + self.FIRST]):
            self.assertEqual(self.run_json("convert", *inputs, "-o", "m.safemodel", "--force")["name"], "model")


class ScanTest(CliTest):
    EVIL = b"cposix\nsystem\n(S'id'\ntR."

    def scan(self, *arguments, expect):
        return self.run_json("scan", *arguments, expect=expect)

    def test_the_gravest_verdict_decides(self):
        self.write("clean.pkl", pickle.dumps([1, 2]))
        self.write("evil.pkl", self.EVIL)
        self.write("junk.bin", b"\x00\x01\x02")
        self.assertEqual(self.scan("clean.pkl", expect=0)["verdict"], "clean")
        self.assertEqual(self.scan("junk.bin", expect=3)["verdict"], "unreadable")
        self.assertEqual(self.scan("clean.pkl", "missing", expect=4)["verdict"], "unreadable")
        self.assertEqual(self.scan("clean.pkl", "junk.bin", "evil.pkl", "missing", expect=1)["verdict"], "dangerous")

    def test_nothing_scanned_is_never_clean(self):
        (self.path / "empty").mkdir()
        report = self.scan("empty", expect=3)
        self.assertEqual(report["inputs"][0]["findings"][0]["rule"], "FILE-NOTHING")
        (self.path / "empty/README").write_text("no model here")
        self.assertEqual(self.scan("empty", expect=3)["verdict"], "unreadable")

    def test_a_folder_that_cannot_be_listed_hides_nothing_else(self):
        (self.path / "mix/closed").mkdir(parents=True)
        (self.path / "mix/open").mkdir()
        self.write("mix/evil.pkl", self.EVIL)
        self.write("mix/open/clean.pkl", pickle.dumps([1]))
        (self.path / "mix/closed").chmod(0)
        self.path.chmod(0o755)
        self.addCleanup((self.path / "mix/closed").chmod, 0o700)
        user = {"user": 65534} if os.geteuid() == 0 else {}  # root may list any folder
        shutil.copy(CLI, self.path / "cli")
        command = [self.path / "cli", "scan", "--json"]

        def scan(what):
            result = subprocess.run([*command, what], cwd=self.path, capture_output=True, timeout=60, **user)
            return result.returncode, {entry["path"]: entry for entry in json.loads(result.stdout)["inputs"]}

        code, inputs = scan("mix")
        self.assertEqual(code, 1)  # dangerous outranks what could not be read
        self.assertEqual({path: entry["verdict"] for path, entry in inputs.items()},
                         {"mix/closed": "unreadable", "mix/evil.pkl": "dangerous", "mix/open/clean.pkl": "clean"})
        self.assertIn("Permission denied", json.dumps(inputs["mix/closed"]))
        (self.path / "mix/evil.pkl").unlink()
        self.assertEqual(scan("mix")[0], 4)
        code, inputs = scan("mix/closed")
        self.assertEqual(code, 4)
        self.assertIn("Permission denied", json.dumps(inputs))

    def test_names_never_decide_and_are_noted(self):
        self.write("weights.safetensors", self.EVIL)
        rules = [finding["rule"] for finding in self.scan("weights.safetensors", expect=1)["inputs"][0]["findings"]]
        self.assertIn("FILE-MISNAMED", rules)
        self.assertIn("CALL-UNLISTED", rules)

    def test_files_in_a_container_are_judged(self):
        (self.path / "in").mkdir()
        self.write("in/model.safetensors", safetensors({"w": ("F32", [2], floats(2))}))
        self.write("in/config.json", b'{"token": "ghp_0123456789abcdefghijklmnopqrstuvwxyz"}')
        self.run_cli("convert", "in", "-o", "m.safemodel")
        (finding,) = self.scan("m.safemodel", expect=1)["inputs"][0]["findings"]
        self.assertEqual((finding["rule"], finding["member"], finding["verdict"]), ("SECRET-TOKEN", "config.json", "unknown"))
        self.assertNotIn(b"0123456789abcdef", self.run_cli("scan", "m.safemodel", "in", expect=1).stdout)
        content = (self.path / "m.safemodel").read_bytes()
        self.write("cut.safemodel", content[:-9])
        self.assertEqual(self.scan("cut.safemodel", expect=3)["inputs"][0]["findings"][0]["rule"], "FILE-CONTAINER")


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
