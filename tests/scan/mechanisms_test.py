#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ways past scanners: each hostile file must get the verdict and the rule that its row names.

The files are assembled byte by byte (assemble.py); nothing is pickled, unpickled or loaded. SAFEMODEL_CLI names the program.
"""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import archive_rows
import end_rows
import gadget_rows
import layout_rows
import pickle_rows
from assemble import Row, STOP, member, name, proto, stack_name, text, zip_of

CLI = os.environ["SAFEMODEL_CLI"]
HERE = Path(__file__).resolve().parent
CORPUS = HERE.parents[2] / "shared" / "corpus" / "picklescan"


def scan(paths, folder):
    """The reports of one run over many paths, by path; a folder has several."""
    result = subprocess.run([CLI, "scan", "--json", *paths], cwd=folder, capture_output=True, timeout=300)
    document = json.loads(result.stdout)
    assert result.returncode == document["exit"], result.stderr
    return document["inputs"]


def rules_of(report):
    return [finding["rule"] for finding in report["findings"]]


class ScanTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def scan_rows(self, rows):
        paths = []
        for number, row in enumerate(rows):
            (self.folder / str(number)).mkdir()
            for file, content in {row.file: row.content, **row.beside}.items():
                (self.folder / str(number) / file).write_bytes(content)
            paths.append(f"{number}/{row.file}")
        reports = scan(paths, self.folder)
        self.assertEqual([report["path"] for report in reports], paths)
        return zip(rows, reports, strict=True)

    def check(self, rows):
        rows = list(rows)
        self.assertGreater(len(rows), 0)
        self.assertEqual(len({row.name for row in rows}), len(rows), "names of rows are ids")
        for row, report in self.scan_rows(rows):
            with self.subTest(row.name):
                self.assertEqual(report["verdict"], row.verdict, rules_of(report))
                self.assertIn(row.rule, rules_of(report))


class Mechanisms(ScanTest):
    def test_streams(self):
        self.check(pickle_rows.rows())

    def test_programs_of_listed_names(self):
        self.check(gadget_rows.rows())

    def test_archives(self):
        self.check(archive_rows.rows())

    def test_ends(self):
        self.check(end_rows.rows())

    def test_layouts(self):
        self.check(layout_rows.rows())

    def test_records_of_torch_are_explained_by_their_content(self):
        records = {"version": (b"3\n", b"10"), "byteorder": (b"little", b"big"), ".format_version": (b"1",), ".data/version": (b"4\n",),
                   ".storage_alignment": (b"64", b"1"), ".data/serialization_id": (b"0123456789" * 4,)}  # fmt: skip
        wrong = {".format_version": (b"2", b"", b"1\n"), ".storage_alignment": (b"064", b"x", b"123456"),
                 ".data/serialization_id": (b"0123456789" * 3, b"0123456789" * 4 + b"0", b"g" * 40),
                 "readme": (b"3\n",), "sub/version": (b"3\n",)}  # fmt: skip
        rows = []
        for expected, table in (([], records), (None, wrong)):
            for name, contents in table.items():
                for content in contents:
                    always = {"data.pkl": proto(2) + b"}.", "version": b"3\n"}
                    members = {**always, name: content}
                    listed = [f"a/{name}"] if expected is None else expected
                    rows.append((Row(f"{name} {content}", zip_of(*(member(f"a/{n}", c) for n, c in members.items())), ""), listed))
        for (row, report), (_, listed) in zip(self.scan_rows([row for row, _ in rows]), rows, strict=True):
            with self.subTest(row.name):
                self.assertEqual((report["verdict"], report["opaque"]), ("clean", listed), rules_of(report))

    def test_streams_hide_in_no_archive_and_in_no_folder(self):
        """What is dangerous as a file stays so as a member that nothing points at, whose bytes are merely probed."""
        # What breaks before it does anything is followed in a file of its own only: nothing that loads it gets further.
        evil = [row for row in pickle_rows.rows() if row.verdict == "dangerous" and row.name != "a stream behind a broken one"]
        places = {"a member": lambda content, method: zip_of(member("a/notes.txt", content, method=method)),
                  "a storage": lambda content, method: zip_of(member("a/data.pkl", proto(2) + b"}."), member("a/version", b"3\n"),
                                                               member("a/data/0", content, method=method))}
        self.check(Row(f"{row.name}, as {place} by method {method}", pack(row.content, method), row.rule)
                   for row in evil for place, pack in places.items() for method in (0, 8))
        folder = self.folder / "folder"
        folder.mkdir()
        for number, row in enumerate(evil):
            (folder / f"{number:04}").write_bytes(row.content)
        for row, report in zip(evil, scan(["folder"], self.folder), strict=True):
            with self.subTest(row.name, place="folder"):
                self.assertEqual(report["verdict"], "dangerous")

    def test_cut_streams_are_never_clean(self):
        """A cut inside a stream, at every place: in front of the payload it is not clean, behind it dangerous."""
        row = next(row for row in pickle_rows.rows() if row.name == "a call whose result is popped")
        called = row.content.index(b"R") + 1
        cuts = [Row(f"cut at {end}", row.content[:end], "") for end in range(1, len(row.content))]
        for end, (cut, report) in enumerate(self.scan_rows(cuts), start=1):
            with self.subTest(cut.name):
                self.assertIn(report["verdict"], ("dangerous",) if end >= called else ("dangerous", "unreadable"))


def gadgets():
    for line in (HERE / "gadgets.txt").read_text().splitlines():
        module, *names = line.split("#")[0].split() or [""]
        for attribute in names:
            yield module, attribute


class Gadgets(ScanTest):
    def calls(self, module, attribute):
        """The call at protocols 0, 2 and 4, by each opcode that names a global."""
        title = f"{module}.{attribute}"
        by_line = name(module, attribute)
        yield Row(f"{title}, protocol 0", by_line + b"(S'x'\ntR" + STOP, "CALL-UNLISTED")
        yield Row(f"{title}, protocol 2", proto(2) + by_line + text("x") + b"\x85R" + STOP, "CALL-UNLISTED")
        yield Row(f"{title}, protocol 4", proto(4) + stack_name(module, attribute) + text("x") + b"\x85R" + STOP, "CALL-UNLISTED")
        yield Row(f"{title}, INST", f"(S'x'\ni{module}\n{attribute}\n.".encode(), "CALL-UNLISTED")

    def test_calls(self):
        table = list(gadgets())
        self.assertEqual(len(set(table)), len(table))
        self.assertGreaterEqual(len(table), 168)
        # What is called by its name alone suffices, whether the name is known to be dangerous or not.
        self.check(row for module, attribute in table for row in self.calls(module, attribute))

    def test_the_rule_about_calls_suffices(self):
        """Names that no list can contain: the table again under modules that do not exist."""
        self.check(row for module, attribute in gadgets() for row in self.calls("unheard_of." + module, attribute))


class Corpus(ScanTest):
    BENIGN = ("benign0", "int_array", "object_array")
    # A legacy and a zip checkpoint of a real model.
    CHECKPOINTS = ("pytorch_model.bin", "new_pytorch_model.bin")

    @unittest.skipUnless(CORPUS.is_dir(), f"no corpus in {CORPUS}")
    def test_fixtures_of_picklescan(self):
        paths = sorted(str(path) for path in CORPUS.rglob("*") if path.is_file() and path.suffix not in (".py", ".md"))
        self.assertGreater(len(paths), 90)
        for path, report in zip(paths, scan(paths, self.folder), strict=True):
            file = Path(path).name
            with self.subTest(file):
                if file.startswith(self.BENIGN) or file in self.CHECKPOINTS:
                    self.assertEqual(report["verdict"], "clean", rules_of(report))
                elif file.startswith(("GHSA", "malicious")) and not file.endswith(".7z"):
                    self.assertEqual(report["verdict"], "dangerous", rules_of(report))
                else:
                    self.assertNotEqual(report["verdict"], "clean")


if __name__ == "__main__":
    unittest.main()
