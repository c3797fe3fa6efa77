#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a reader of Python runs is never clean: the scanner against the readers themselves.

reader_streams.py makes thousands of beginnings of pickles, broken in all ways, each with a call behind it. The readers of this
Python, in C and in Python, run them with a call that only takes note. Where one of them comes to the call, the scanner is given the
same bytes with os.system in its place and has to name it: in a file, in a folder, and in members of archives; and nothing may convert.
Nothing else is ever unpickled here. SAFEMODEL_CLI names the program.
"""

import collections
import io
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import types
import unittest
import warnings
from pathlib import Path

import reader_streams
from assemble import BENIGN, member, text, torch_zip, zip_of
from mechanisms_test import CLI, rules_of, scan

SAFETENSORS = b"\x3e\0\0\0\0\0\0\0" + b'{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.ljust(62) + b"\1"
MEMBERS = 120  # of one archive: a report lists 1 000 findings
# Where readers disagree about frames the scanner does not go on, and says that they do.
NAMED = {"GLOBAL-DANGEROUS", "PKL-FRAME"}


class Odd:
    """Takes whatever an instruction does to it."""

    def __setitem__(self, key, value):
        pass

    append = extend = add = __setstate__ = lambda self, value: None


def modules(ran):
    qz, mymod = types.ModuleType("qz"), types.ModuleType("mymod")
    qz.record = ran.append
    mymod.obj, mymod.text, mymod.mapping, mymod.items, mymod.array = Odd(), "qz", {}, [], bytearray(4)
    mymod.Class, mymod.function = type("Class", (Odd,), {"__module__": "mymod"}), lambda *arguments: None
    return {"qz": qz, "mymod": mymod}


READERS = {
    "C": lambda content: pickle.loads(content),
    "Python": lambda content: pickle._loads(content),
    "C, latin-1, buffers": lambda content: pickle.loads(content, encoding="latin-1", buffers=[b"x"] * 4),
    "Python, latin-1, buffers": lambda content: pickle._loads(content, encoding="latin-1", buffers=[b"x"] * 4),
    "C, a file": lambda content: pickle.Unpickler(io.BytesIO(content)).load(),
}


def reached(content):
    """The readers that come to the call."""
    ran, found = [], []
    for name, read in READERS.items():
        sys.modules.update(modules(ran))
        ran.clear()
        try:
            read(content)
        except Exception:  # whatever stops a reader
            pass
        if ran:
            found.append(name)
    return found


def run_convert(*arguments, folder):
    return subprocess.run([CLI, "convert", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


class Readers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name)
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, hard))  # the C reader makes room for each number of a memo
        cls.cases, made = [], set()
        warnings.simplefilter("ignore", DeprecationWarning)  # of odd escapes
        by_family = collections.defaultdict(list)
        for family, content in reader_streams.streams():
            if content in made:
                continue
            made.add(content)
            readers = reached(content)
            if readers:
                by_family[family].append(len(cls.cases))
                cls.cases.append((family, readers, reader_streams.hostile(content)))
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        for module in ("qz", "mymod"):
            sys.modules.pop(module, None)
        cls.made = len(made)
        cls.families = dict(by_family)
        (cls.root / "cases").mkdir()
        for number, (_, _, content) in enumerate(cls.cases):
            (cls.root / "cases" / f"{number:05}").write_bytes(content)

    def check(self, number, report):
        family, readers, content = self.cases[number]
        with self.subTest(family, readers=readers, content=content[:80]):
            rules = rules_of(report)
            self.assertEqual(report["verdict"], "dangerous", rules)
            if family != "by chance":  # which may hide the name of what is called, or stop a reader behind it
                self.assertTrue({"GLOBAL-NAME"} <= set(rules) if family.endswith("computed name") else NAMED & set(rules), rules)

    def test_the_readers_come_to_many_calls(self):
        only = collections.Counter("C" if not any("Python" in name for name in readers) else
                                   "Python" if not any("C" in name for name in readers) else "both" for _, readers, _ in self.cases)
        print(f"{self.made} streams, {len(self.cases)} that a reader comes to the call of, in {len(self.families)} families: {dict(only)}")
        self.assertGreater(len(self.cases), 3000)
        self.assertGreater(min(only["C"], only["Python"]), 20)
        instructions = {family.removesuffix(" on a stack") for family in self.families if family.endswith(" on a stack")}
        refused = {"STOP", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4"}  # by readers without persistent ids and extensions
        self.assertEqual(refused, {opcode.name for opcode in reader_streams.pickletools.opcodes} - instructions)

    def test_files(self):
        paths = [f"cases/{number:05}" for number in range(len(self.cases))]
        for number, report in enumerate(scan(paths, self.root)):
            self.check(number, report)

    def test_a_folder(self):
        reports = {report["path"]: report for report in scan(["cases"], self.root)}
        self.assertEqual(len(reports), len(self.cases))
        for number in range(len(self.cases)):
            self.check(number, reports[f"cases/{number:05}"])

    def archives(self, pack, kind):
        names = []
        for first in range(0, len(self.cases), MEMBERS):
            part = range(first, min(first + MEMBERS, len(self.cases)))
            members = [member(f"a/extra/{number:05}.pkl", self.cases[number][2], method=8 * (number % 2)) for number in part]
            names.append(f"{kind}{first}")
            (self.root / names[-1]).write_bytes(pack(members))
        for name, report in zip(names, scan(names, self.root), strict=True):
            found = collections.defaultdict(list)
            for finding in report["findings"]:
                found[finding["member"]].append(finding)
            for number in range(int(name[len(kind):]), min(int(name[len(kind):]) + MEMBERS, len(self.cases))):
                self.check(number, {"verdict": "dangerous", "findings": found[f"a/extra/{number:05}.pkl"]})
            self.assertEqual(report["verdict"], "dangerous")
        return names

    def test_members_of_torch_archives(self):
        def pack(members):
            return zip_of(member("a/data.pkl", BENIGN), *members, member("a/byteorder", b"little"), member("a/version", b"3\n"))

        for name in self.archives(pack, "torch"):
            with self.subTest(name):
                self.refused(name)

    def test_members_of_plain_archives(self):
        self.archives(lambda members: zip_of(*members), "plain")

    def refused(self, path):
        done = run_convert(path, "-o", "out.safemodel", folder=self.root)
        self.assertNotIn(done.returncode, (0, 2, 70), done.stderr)
        self.assertFalse((self.root / "out.safemodel").exists())

    def test_nothing_converts(self):
        (self.root / "one").mkdir()
        (self.root / "one" / "model.safetensors").write_bytes(SAFETENSORS)
        self.assertEqual(run_convert("one", "-o", "benign.safemodel", folder=self.root).returncode, 0)
        shown = [numbers[0] for family, numbers in self.families.items() if not family.endswith(" on a stack")]
        self.assertGreater(len(shown), 60)
        for number in shown:
            family, _, content = self.cases[number]
            with self.subTest(family, content=content[:80]):
                self.refused(f"cases/{number:05}")
                (self.root / "one" / "notes.bin").write_bytes(content)
                self.refused("one")

    def test_the_beginnings_alone(self):
        # Nothing is called, so the verdict is whatever the beginning deserves: but a file that is given up is never clean.
        given_up = [b"Np" + b"9" * 30 + b"\n.", b"Nr\xff\xff\xff\x7f.", b"I" + b"1" * 5000 + b"\n.", b"F 1\n.", b"\x97.", b"C\0\x98."]
        for number, content in enumerate(given_up):
            (self.root / f"begin{number}").write_bytes(content)
        for report in scan([f"begin{number}" for number in range(len(given_up))], self.root):
            self.assertIn(report["verdict"], ("dangerous", "unreadable"))


if __name__ == "__main__":
    unittest.main()
