#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing in a folder is passed over in silence: links, loops, folders that are too deep, and files that only some readers
recognise. SAFEMODEL_CLI names the program."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import archive_rows
from assemble import BENIGN, EVIL, STOP, call, member, name, proto, tar_member, tar_of, torch_zip, zip_of
from end_rows import NEGATIVE_SUMS, array, hosts
from layout_rows import npy
from mechanisms_test import CLI, rules_of, scan

DANGEROUS = proto(2) + call("os", "mkdir") + STOP  # what is merely unlisted is left out of a folder


class Folders(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name, content in (("ok/model.pkl", BENIGN), ("bad/model.pkl", EVIL)):
            (self.root / name).parent.mkdir()
            (self.root / name).write_bytes(content)

    def reports(self, folder="ok"):
        return {report["path"]: report for report in scan([folder], self.root)}

    def check_link(self, target):
        (self.root / "ok" / "sub").symlink_to(target)
        reports = self.reports()
        self.assertEqual(set(reports), {"ok/model.pkl", "ok/sub"})
        self.assertEqual(reports["ok/model.pkl"]["verdict"], "clean")
        self.assertEqual(reports["ok/sub"]["verdict"], "unreadable")
        return reports["ok/sub"]

    def test_a_link_to_a_folder(self):
        report = self.check_link("../bad")
        self.assertEqual(rules_of(report), ["FILE-LINK"])
        done = subprocess.run([CLI, "scan", "ok"], cwd=self.root, capture_output=True, text=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn("scan that folder too", done.stdout)

    def test_a_loop(self):
        self.assertEqual(rules_of(self.check_link("..")), ["FILE-LINK"])

    def test_a_link_to_a_link_to_a_folder(self):
        (self.root / "between").symlink_to("bad")
        self.assertEqual(rules_of(self.check_link("../between")), ["FILE-LINK"])

    def test_a_link_to_nothing(self):
        self.assertIn("error", self.check_link("nothing"))

    def test_a_link_to_itself(self):
        self.assertIn("error", self.check_link("sub"))

    def test_links_to_files_are_read(self):
        (self.root / "ok" / "good").symlink_to("model.pkl")
        (self.root / "ok" / "worse").symlink_to("../bad/model.pkl")
        reports = self.reports()
        self.assertEqual({path: report["verdict"] for path, report in reports.items()},
                         {"ok/model.pkl": "clean", "ok/good": "clean", "ok/worse": "dangerous"})  # fmt: skip

    def test_a_named_link_to_a_folder_is_entered(self):
        (self.root / "link").symlink_to("bad")
        self.assertEqual([report["verdict"] for report in self.reports("link").values()], ["dangerous"])

    def test_what_is_too_deep(self):
        below = self.root / "ok"
        for _ in range(31):
            below = below / "d"
        below.mkdir(parents=True)
        (below / "model.pkl").write_bytes(EVIL)
        self.assertEqual(sorted(report["verdict"] for report in self.reports().values()), ["clean", "dangerous"])
        (below / "model.pkl").rename(self.root / "evil.pkl")
        (below / "d").mkdir()
        (self.root / "evil.pkl").rename(below / "d" / "model.pkl")
        reports = self.reports()
        deepest = os.path.relpath(below / "d", self.root)
        self.assertEqual(set(reports), {"ok/model.pkl", deepest})
        self.assertEqual((reports[deepest]["verdict"], rules_of(reports[deepest])), ("unreadable", ["LIMIT-DEPTH"]))

    def test_nothing_but_a_link(self):
        (self.root / "empty").mkdir()
        (self.root / "empty" / "sub").symlink_to("../bad")
        self.assertEqual([report["verdict"] for report in self.reports("empty").values()], ["unreadable"])


class Conversions(unittest.TestCase):
    """What convert does with files that only some readers recognise, and with folders that hold them."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "ok").mkdir()
        (self.root / "ok" / "model.pkl").write_bytes(BENIGN)

    def convert(self, path, *options):
        command = [CLI, "convert", path, "-o", "out.safemodel", "--force", *options]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True)

    def judge(self, content, *options):
        """The verdict on a file, the verdict on a folder that holds it, how both are converted, and what is said of the second."""
        for path in ("notes.dat", "ok/notes.dat"):
            (self.root / path).write_bytes(content)
        verdicts = [max(scan([path], self.root), key=lambda report: report["verdict"] != "clean")["verdict"] for path in ("notes.dat", "ok")]
        return verdicts, self.convert("notes.dat", *options).returncode, self.convert("ok", *options)

    def test_what_is_dangerous_is_refused(self):
        evil = zip_of(member("m.pkl", DANGEROUS))
        files = dict(hosts(evil, zip_of(member("m.pkl", DANGEROUS), end={"comment": 200})))
        files |= {kind: wrap(DANGEROUS) for kind, wrap in archive_rows.WRAPPERS.items()}
        files["a storage"] = torch_zip(BENIGN, member("archive/data/0", npy(DANGEROUS)))
        files |= {kind: tar_of(tar_member("storages", DANGEROUS, link=b"\x80" * 100, state=state)) for kind, state in NEGATIVE_SUMS.items()}
        for title, content in files.items():
            with self.subTest(title):
                verdicts, code, folder = self.judge(content)
                self.assertEqual(verdicts, ["dangerous"] * 2)
                self.assertEqual((code, folder.returncode), (1, 1), folder.stderr)

    def test_what_is_not_read_is_left_out(self):
        for content in (archive_rows.skipped() + b"\x28\xb5\x2f\xfd", b"x" * 512 + b"\x89HDF\r\n\x1a\n"):
            verdicts, code, folder = self.judge(content)
            self.assertEqual(verdicts, ["unreadable"] * 2)
            self.assertNotEqual(code, 0)
            self.assertEqual(folder.returncode, 0, folder.stderr)
            self.assertIn("left out   notes.dat", folder.stdout)

    def test_archives_in_wrappers_that_only_some_recognise_are_left_out(self):
        archive = zip_of(member("a.txt", b"text"))
        for kind in ("lzma", "lzma, pb 0", "lzma, 1 GiB", "lzip", "lz4 behind a skipped frame"):
            with self.subTest(kind):
                self.assertIn("left out   notes.dat", self.judge(archive_rows.WRAPPERS[kind](archive))[2].stdout)

    def test_what_only_looks_like_lzma_is_data(self):
        for content in (bytes(100), archive_rows.lzma_with(b"a text", pb=0)):
            verdicts, _, folder = self.judge(content)
            self.assertEqual(verdicts, ["unreadable", "clean"])  # named, and in a folder
            self.assertIn("file       notes.dat", folder.stdout)

    def test_honest_archives_inside(self):
        content = array(zip_of(member("a.txt", b"text")))
        verdicts, code, _ = self.judge(content, "--codec", "raw")
        self.assertEqual((verdicts, code), (["clean"] * 2, 0))
        self.convert("notes.dat", "--codec", "raw")
        (report,) = scan(["out.safemodel"], self.root)
        self.assertEqual((report["verdict"], rules_of(report)), ("clean", ["FILE-EMBEDDED"]))

    def test_unknown_classes_in_an_archive_inside(self):
        content = array(zip_of(member("a.pkl", proto(2) + name("some_package", "Class") + STOP)))
        verdicts, code, _ = self.judge(content)
        self.assertEqual((verdicts, code), (["unknown"] * 2, 1))
        self.assertEqual(self.convert("notes.dat", "--codec", "raw", "--allow-unknown").returncode, 0)
        (report,) = scan(["out.safemodel"], self.root)
        self.assertEqual(report["verdict"], "unknown")


if __name__ == "__main__":
    unittest.main()
