#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals that end the program half way: nothing is left, and whoever waits for it sees the signal."""

import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from cli_case import CLI, CliTest, floats, safetensors

FILES = 3000  # each is synced, so that there is time


class SignalTest(CliTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.shared.cleanup)
        folder = Path(cls.shared.name)
        source = folder / "source"
        source.mkdir()
        (source / "model.safetensors").write_bytes(safetensors({"w": ("F32", [8], floats(8))}))
        for number in range(FILES):
            (source / f"part-{number:04}.txt").write_text("secret")
        for arguments in (("keygen", "-o", "k", "--no-passphrase"),
                          ("convert", "source", "-o", "m.safemodel", "--name", "acme/net", "--sign-with", "k.key")):
            subprocess.run([CLI, *arguments], cwd=folder, check=True, capture_output=True, timeout=120)

    def setUp(self):
        super().setUp()
        for name in ("m.safemodel", "k.pub"):
            shutil.copy(Path(self.shared.name) / name, self.path)
        self.before = {path.name for path in self.path.iterdir()}

    def hidden(self):
        return [path for path in self.path.iterdir() if path.name not in self.before]

    def start(self, **options):
        """Begins an export, and returns once files of it lie in the folder that has not got its name."""
        process = subprocess.Popen([CLI, "export", "m.safemodel", "--key", "k.pub", "-o", "out/"], cwd=self.path,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            hidden = self.hidden()
            if hidden and len(list(hidden[0].glob("*/part-*"))) > 2:
                self.assertTrue(hidden[0].name.startswith(".safemodel-"), hidden)
                self.assertEqual(hidden[0].stat().st_mode & 0o777, 0o700)
                return process
            self.assertIsNone(process.poll(), "the export ended before it could be stopped")
        self.fail("the export wrote nothing")

    def test_each_signal_ends_an_export_and_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                process = self.start()
                process.send_signal(number)
                process.send_signal(number)  # as timeout(1) does
                _, errors = process.communicate(timeout=60)
                self.assertEqual(process.returncode, -number, errors)
                self.assertIn(b"(io: stopped)", errors)
                self.assertEqual(self.hidden(), [])

    def test_a_shell_sees_the_usual_status(self):
        for number, status in (("INT", 130), ("TERM", 143)):
            # In a job of its own: a shell starts background commands without job control with SIGINT ignored.
            script = f"""set -m; "$0" export m.safemodel --key k.pub -o out/ & while ! ls .safemodel-*/*/part-0000.txt > /dev/null 2>&1
                do kill -0 $! || exit 99; done; kill -{number} $!; wait $!; exit $?"""
            result = subprocess.run(["bash", "-c", script, CLI], cwd=self.path, capture_output=True, timeout=60)
            self.assertEqual(result.returncode, status, result.stderr)
            self.assertEqual(self.hidden(), [])

    def test_an_ignored_signal_stays_ignored(self):
        process = self.start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(len(list((self.path / "out").iterdir())), FILES + 1)

    def test_what_cannot_be_caught_leaves_only_what_its_owner_can_read(self):
        process = self.start()
        process.kill()
        process.communicate(timeout=60)
        self.assertEqual([path.stat().st_mode & 0o777 for path in self.hidden()], [0o700])


if __name__ == "__main__":
    unittest.main()
