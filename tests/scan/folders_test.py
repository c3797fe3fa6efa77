#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing in a folder is passed over in silence: links, loops, and folders that are too deep. SAFEMODEL_CLI names the program."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from assemble import BENIGN, EVIL
from mechanisms_test import CLI, rules_of, scan


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


if __name__ == "__main__":
    unittest.main()
