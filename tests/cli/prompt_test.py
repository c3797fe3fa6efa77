#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The passphrase prompt on a real terminal: whatever ends it, what is typed is shown again afterwards (row O7)."""

import fcntl
import os
import pty
import shutil
import signal
import subprocess
import termios
import time
import unittest

from cli_case import CLI, CliTest

DEADLINE = 30


class Prompt(CliTest):
    def setUp(self):
        super().setUp()
        self.make_signed()
        self.write("passphrase", b"correct horse\n")
        self.run_cli("keygen", "-o", "locked", "--passphrase-file", "passphrase")
        self.ours, self.terminal = pty.openpty()
        self.addCleanup(os.close, self.ours)
        self.addCleanup(os.close, self.terminal)

    def echoes(self):
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def signs(self):
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ISIG)

    def start(self, *before):
        """Starts signing with the locked key, and waits until the prompt is there and the echo off."""
        command = [*before, CLI, "sign", "m.safemodel", "-k", "locked.key"]
        process = subprocess.Popen(command, cwd=self.path, stdin=self.terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.addCleanup(process.kill)
        deadline = time.monotonic() + DEADLINE
        while self.echoes():
            self.assertLess(time.monotonic(), deadline, "the prompt never came")
            self.assertIsNone(process.poll(), "it ended without a prompt")
            time.sleep(0.01)
        return process

    def end(self, process):
        out, err = process.communicate(timeout=DEADLINE)
        self.assertTrue(self.echoes(), "what is typed stays hidden")
        self.assertTrue(self.signs(), "Ctrl-C stays without effect")
        return process.returncode, out + err

    def signatures(self):
        return len(self.run_json("inspect", "m.safemodel")["signatures"])

    def test_the_right_passphrase_signs(self):
        process = self.start()
        os.write(self.ours, b"correct horse\n")
        code, output = self.end(process)
        self.assertEqual(code, 0, output)
        self.assertNotIn(b"correct horse", output)
        self.assertEqual(self.signatures(), 2)

    def test_a_signal_ends_it_and_the_echo_is_back(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(signal=number):
                process = self.start()
                os.write(self.ours, b"half a pass")
                process.send_signal(number)
                code, output = self.end(process)
                self.assertEqual(code, -number, output)  # whoever waits for it sees what ended it
                self.assertNotIn(b"half a pass", output)
                termios.tcflush(self.terminal, termios.TCIFLUSH)
        self.assertEqual(self.signatures(), 1)

    def test_a_signal_that_its_parent_ignores_stays_ignored(self):
        process = self.start("nohup")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        self.assertIsNone(process.poll())
        os.write(self.ours, b"correct horse\n")
        self.assertEqual(self.end(process)[0], 0)

    def test_keys_that_give_up(self):
        """At once: nobody presses Enter behind Ctrl-C."""
        for before in (b"", b"half a pass"):
            for key, number in ((b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)):
                with self.subTest(before=before, key=key):
                    process = self.start()
                    os.write(self.ours, before + key)
                    code, output = self.end(process)
                    self.assertEqual(code, -number, output)
                    self.assertNotIn(b"half a pass", output)
                    termios.tcflush(self.terminal, termios.TCIFLUSH)
        process = self.start()
        os.write(self.ours, b"\x04")
        code, output = self.end(process)
        self.assertEqual(code, 5, output)
        self.assertIn(b"key: interrupted", output)
        self.assertEqual(self.signatures(), 1)

    @unittest.skipUnless(shutil.which("strace"), "there is no strace")
    def test_what_was_read_before_an_error_is_no_passphrase(self):
        """The right passphrase and more of it: were an error the end of the file, its first line would be taken for it."""
        self.write("torn", b"correct horse, and more\n")
        command = ["strace", "-f", "-o", "trace", "-P", self.path / "torn", "-e", "trace=read", "-e", "inject=read:error=EIO:when=14+",
                   CLI, "sign", "m.safemodel", "-k", "locked.key", "--passphrase-file", "torn"]
        result = subprocess.run(command, cwd=self.path, capture_output=True, timeout=DEADLINE)
        self.assertIn("EIO", (self.path / "trace").read_text())
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn(b"key: no_passphrase", result.stderr)
        self.assertEqual(self.signatures(), 1)

    def test_a_wrong_passphrase(self):
        process = self.start()
        os.write(self.ours, b"wrong\n")
        self.assertEqual(self.end(process)[0], 5)
        self.assertEqual(self.signatures(), 1)


if __name__ == "__main__":
    unittest.main()
