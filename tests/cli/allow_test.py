# SPDX-License-Identifier: Apache-2.0
"""Files of one's own classes: what --allow makes clean, what it never does, and what such a file may not say."""

import collections
import io
import json
import zipfile
import os
import pickle
import subprocess
import sys
import types
import unittest

import blake3
import numpy

from cli_case import CLI, CliTest

ALLOW = """version = 1
[[class]]
name = "acme.models.Ranker"
optional = ["note"]
[class.attributes]
weights = "ndarray"
bias = "float"
tags = "list[str]"
inner = "acme.models.Layer | none"
note = "str"
[[class]]
name = "acme.models.Layer"
attributes = { size = "int" }
extra_attributes = "data"
"""

# Classes of a module that exists in this process only: the program under test never imports anything.
acme = types.ModuleType("acme")
models = types.ModuleType("acme.models")
sys.modules.update({"acme": acme, "acme.models": models})


def make_class(name):
    made = type(name, (), {"__module__": "acme.models"})
    setattr(models, name, made)
    return made


Ranker, Layer, Other = make_class("Ranker"), make_class("Layer"), make_class("Other")


def built(cls, **attributes):
    made = cls.__new__(cls)
    made.__dict__.update(attributes)
    return made


def ranker(**changes):
    layer = built(Layer, size=3, anything={"a": [1, None]})
    return built(Ranker, **{"weights": numpy.arange(4.0), "bias": 0.5, "tags": ["a"], "inner": layer, **changes})


class AllowTest(CliTest):
    def setUp(self):
        super().setUp()
        self.allow(ALLOW)

    def allow(self, text, name="allow.toml", mode=0o644):
        self.write(name, text.encode() if isinstance(text, str) else text)
        os.chmod(self.path / name, mode)

    def verdict(self, content, *options):
        self.write("m.pkl", content)
        report = self.run_json_any("scan", "m.pkl", *options)
        return report["inputs"][0]["verdict"], [f["rule"] for f in report["inputs"][0]["findings"]]

    def run_json_any(self, *arguments):
        result = subprocess.run([CLI, *arguments, "--json"], cwd=self.path, capture_output=True, timeout=60)
        return json.loads(result.stdout)

    def test_classes_inside_an_archive_of_torch(self):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("m/data.pkl", pickle.dumps(ranker(), 2))
            archive.writestr("m/version", "3\n")
        self.assertEqual(self.verdict(content.getvalue(), "--allow", "allow.toml"), ("clean", []))
        self.assertEqual(self.verdict(content.getvalue())[0], "unknown")

    def test_a_stated_class_is_clean_with_the_file_and_unknown_without(self):
        for protocol in range(6):
            content = pickle.dumps(ranker(), protocol)
            with self.subTest(protocol=protocol):
                self.assertEqual(self.verdict(content, "--allow", "allow.toml"), ("clean", []))
                self.assertEqual(self.verdict(content)[0], "unknown")
                self.assertEqual(self.verdict(pickle.dumps(ranker(note="x", inner=None), protocol), "--allow", "allow.toml")[0], "clean")

    def test_a_class_that_no_file_states_stays_unknown(self):
        self.assertEqual(self.verdict(pickle.dumps(ranker(inner=built(Other, a=1))), "--allow", "allow.toml")[0], "unknown")

    def test_attributes_that_do_not_fit_are_never_clean(self):
        for change in (
            {"weights": [1.0]}, {"weights": built(Layer, size=1)}, {"bias": "0.5"}, {"bias": numpy.arange(2)}, {"tags": ["a", 1]},
            {"tags": ("a",)}, {"inner": built(Ranker)}, {"inner": built(Layer)}, {"inner": built(Layer, size="3")}, {"more": 1},
            {"inner": built(Layer, size=1, other=built(Layer, size=1))}, {"note": 3},
        ):
            with self.subTest(change=change):
                self.assertEqual(self.verdict(pickle.dumps(ranker(**change)), "--allow", "allow.toml")[0], "unknown")
        missing = ranker()
        del missing.bias
        self.assertEqual(self.verdict(pickle.dumps(missing), "--allow", "allow.toml")[0], "unknown")

    def test_nothing_of_an_allowed_class_is_ever_called(self):
        cls = b"cacme.models\nLayer\n"
        state = b"}U\x04sizeK\x01s"
        rows = {
            "REDUCE without arguments": (b"\x80\x02" + cls + b")R.", "dangerous"),
            "REDUCE with arguments": (b"\x80\x02" + cls + b"K\x01\x85R.", "dangerous"),
            "NEWOBJ with arguments": (b"\x80\x02" + cls + b"K\x01\x85\x81" + state + b"b.", "unknown"),
            "NEWOBJ_EX with keywords": (b"\x80\x04" + cls + b")}X\x01\x00\x00\x00aK\x01s\x92.", "dangerous"),
            "OBJ": (b"(" + cls + b"o" + state + b"b.", "dangerous"),
            "INST": (b"(iacme.models\nLayer\n" + state + b"b.", "dangerous"),
            "INST with arguments": (b"(K\x01iacme.models\nLayer\n.", "dangerous"),
            "slots": (b"\x80\x02" + cls + b")\x81N" + state + b"\x86b.", "unknown"),
            "dict and slots": (b"\x80\x02" + cls + b")\x81" + state + b"}U\x01aK\x01s\x86b.", "unknown"),
            "a state that is no dict": (b"\x80\x02" + cls + b")\x81K\x01b.", "unknown"),
            "a dunder": (b"\x80\x02" + cls + b")\x81}(U\x04sizeK\x01U\x09__class__" + cls + b"ub.", "dangerous"),
            "items": (b"\x80\x02" + cls + b")\x81" + state + b"bK\x01a.", "dangerous"),
            "two states": (b"\x80\x02" + cls + b")\x81" + state + b"b" + state + b"b.", "dangerous"),
            "a factory": (b"\x80\x02ccollections\ndefaultdict\n" + cls + b"\x85R.", "dangerous"),
            "another base": (b"ccopy_reg\n_reconstructor\n(" + cls + b"c__builtin__\ndict\n}tR.", "dangerous"),
            "an attribute of it": (b"\x80\x04\x8c\x0bacme.models\x8c\x0eLayer.__init__\x93.", "dangerous"),
        }
        for name, (content, expected) in rows.items():
            with self.subTest(name):
                self.assertEqual(self.verdict(content, "--allow", "allow.toml")[0], expected)

    def test_what_a_file_may_not_say(self):
        def one(name='"acme.models.A"', attributes='{ a = "int" }', more=""):
            return f"version = 1\n[[class]]\nname = {name}\nattributes = {attributes}\n{more}\n"

        rows = [
            ("", "missing_field"), ("version = 2\n", "out_of_range"), ("version = 1\n", "no_classes"),
            (one().replace("version", "versions"), "missing_field"), (one() + "[other]\n", "unknown_field"),
            (one(more='calls = ["x"]'), "unknown_field"), (one(more="reduce = true"), "unknown_field"),
            (one(more='extra_attributes = "all"'), "bad_value"), (one(more='optional = ["b"]'), "bad_optional"),
            (one(more='optional = ["a", "a"]'), "bad_optional"), (one() + one().replace("version = 1\n", ""), "class_twice"),
            (one("1"), "wrong_type"), (one(attributes='["a"]'), "wrong_type"), (one(attributes="{ a = 1 }"), "wrong_type"),
            ("version = 1\nversion = 1\n", "toml_syntax"), ("a." * 100 + "a = 1\n", "too_deep"), (b"\xff", "toml_encoding"),
        ]
        rows += [(one(f'"{name}"'), "class_not_allowed") for name in (
            "Ranker", "", ".A", "acme.", "acme..A", "acme.A B", "acme.m\u00f6.A", "acme:A", "acme.__init__", "builtins.object", "builtins.eval",
            "__builtin__.eval", "os.system", "os.path.join", "posix.system", "subprocess.Popen", "copyreg._reconstructor",
            "collections.OrderedDict", "functools.partial", "numpy.dtype", "numpy.ndarray", "torch.FloatStorage",
            "sklearn.linear_model._base.LinearRegression", "torch._utils._rebuild_tensor_v2", "dill._dill._create_function",
            "a." * 200 + "A")]
        rows += [(one(attributes=f'{{ a = "{kind}" }}'), "unknown_type") for kind in (
            "", "integer", "int?", "list", "list[]", "list[int", "list[int]]", "dict[str]", "dict[str, int, int]", "tuple[]", "tuple[int ...]",
            "set[int, int]", "int |", "| int", "call", "node", "callable", "type", "function", "os.system", "builtins.eval",
            "acme.models.Unstated", "numpy.ndarray", "ndarray) new (node", "str, *: node", "list[" * 9 + "int" + "]" * 9)]
        rows += [(one(attributes=f'{{ "{name}" = "int" }}'), code) for name, code in (
            ("__class__", "reserved_attribute"), ("__setstate__", "reserved_attribute"), ("__dict__", "reserved_attribute"),
            ("____", "reserved_attribute"), ("a b", "bad_attribute"), ("", "bad_attribute"), ("1a", "bad_attribute"), ("a: node, b", "bad_attribute"),
            ("a?", "bad_attribute"), ("*", "bad_attribute"), ("a\\n", "bad_attribute"))]
        self.write("m.pkl", pickle.dumps(1))
        for text, code in rows:
            with self.subTest(text=text):
                self.allow(text)
                error = self.run_json("scan", "m.pkl", "--allow", "allow.toml", expect=6)
                self.assertEqual((error["stage"], error["code"]), ("config", code))
        self.assertEqual(self.run_json("convert", "m.pkl", "-o", "m.safemodel", "--allow", "allow.toml", expect=6)["code"], "bad_attribute")
        self.assertFalse((self.path / "m.safemodel").exists())

    def test_files_that_cannot_say_what_is_allowed(self):
        self.write("m.pkl", pickle.dumps(1))
        os.mkfifo(self.path / "fifo")
        (self.path / "folder").mkdir()
        self.allow(ALLOW, "group.toml", 0o664)
        self.allow(ALLOW, "world.toml", 0o646)
        self.allow(ALLOW + "#" * (1 << 20), "large.toml")
        for name, code in (("fifo", "not_regular"), ("folder", "not_regular"), ("absent", "not_found"), ("group.toml", "writable_by_others"),
                           ("world.toml", "writable_by_others"), ("large.toml", "too_large")):
            with self.subTest(name):
                self.assertEqual(self.run_json("scan", "m.pkl", "--allow", name, expect=6)["code"], code)
        text = self.run_cli("scan", "m.pkl", "--allow", "group.toml", expect=6).stderr.decode()
        self.assertIn("group.toml", text)
        self.assertIn("chmod go-w", text)

    def test_several_files_and_all_types(self):
        self.allow('version = 1\n[[class]]\nname = "acme.models.Ranker"\n[class.attributes]\na = "acme.models.Layer"\nb = "tuple[int, ...]"\n'
                   'c = "tuple[int, str | none]"\nd = "dict[str, list[float]]"\ne = "set[int]"\nf = "scalar"\ng = "bytes"\nh = "data"\n'
                   'i = "number"\nj = "bool"\nk = "collections.OrderedDict"\nl = "tuple[float, ...]"\n', "a.toml")
        self.allow('version = 1\n[[class]]\nname = "acme.models.Layer"\nattributes = {}\n', "b.toml")
        good = {"a": built(Layer), "b": (1, 2), "c": (1, None), "d": {"x": [1.5]}, "e": {1}, "f": numpy.float32(1), "g": b"x", "h": [1, {"a": ()}],
                "i": 1, "j": True, "k": collections.OrderedDict(a=1), "l": ()}
        both = ("--allow", "a.toml", "--allow", "b.toml")
        self.assertEqual(self.verdict(pickle.dumps(built(Ranker, **good)), *both), ("clean", []))
        for key, value in (("b", ("1",)), ("c", (1,)), ("d", {1: [1.5]}), ("e", {"a"}), ("f", 1.0), ("g", "x"), ("h", Layer), ("j", 1), ("k", {}), ("l", [1.0])):
            with self.subTest(key):
                self.assertEqual(self.verdict(pickle.dumps(built(Ranker, **{**good, key: value})), *both)[0], "unknown")
        self.assertEqual(self.run_json("scan", "m.pkl", "--allow", "a.toml", expect=6)["code"], "unknown_type")
        self.assertEqual(self.run_json("scan", "m.pkl", *both, "--allow", "b.toml", expect=6)["code"], "class_twice")

    def test_a_report_says_whose_word_it_rests_on(self):
        self.write("m.pkl", pickle.dumps(ranker()))
        digest = blake3.blake3(ALLOW.encode()).hexdigest()
        stated = [{"path": "allow.toml", "blake3": digest, "classes": 2}]
        self.assertEqual(self.run_json("scan", "m.pkl", "--allow", "allow.toml")["allow_files"], stated)
        self.assertNotIn("allow_files", self.run_json("scan", "m.pkl", expect=1))
        log = json.loads(self.run_cli("scan", "m.pkl", "--allow", "allow.toml", "--sarif").stdout)
        self.assertEqual(log["runs"][0]["properties"]["allowFiles"], stated)
        self.assertIn(b"allowing 2 classes of allow.toml, BLAKE3 " + digest.encode(), self.run_cli("scan", "m.pkl", "--allow", "allow.toml").stderr)

    def test_a_container_says_it_too_and_holds_the_data(self):
        self.write("m.pkl", pickle.dumps(ranker()))
        self.run_json("convert", "m.pkl", "-o", "no.safemodel", expect=1)
        report = self.run_json("convert", "m.pkl", "-o", "m.safemodel", "--allow", "allow.toml")
        self.assertEqual((report["verdict"], report["tensors"], report["inert"]), ("clean", 1, []))
        metadata = self.run_json("inspect", "m.safemodel")["metadata"]
        self.assertEqual(metadata["source.allow_blake3"], blake3.blake3(ALLOW.encode()).hexdigest())
        self.assertEqual(metadata["source.verdict"], "clean")
        self.assertIn("source.rule_set", metadata)
        self.write("n.pkl", pickle.dumps(1))
        self.run_json("convert", "n.pkl", "-o", "n.safemodel")
        self.assertNotIn("source.allow_blake3", self.run_json("inspect", "n.safemodel")["metadata"])


if __name__ == "__main__":
    unittest.main()
