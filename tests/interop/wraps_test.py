#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Key wraps of containers and the program age: it opens ours, and we open those that it made, put into an envelope: X25519,
several recipients, ssh-ed25519, a passphrase, and a plugin, which is that of age_test.py."""

import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "cli")]

from age_test import bech32, with_terminal  # noqa: E402
from encryption_case import KEY_WRAP, EncryptionCase  # noqa: E402

MISSING = [name for name in ("age", "age-keygen", "ssh-keygen") if shutil.which(name) is None]
LABEL = b"safemodel 2026 v1 key wrap"
PHRASE = b"correct horse battery staple"


def age(*words, data=b"", **options):
    return subprocess.run(["age", *map(str, words)], input=data, capture_output=True, timeout=60, check=True, **options).stdout


class WrapTest(EncryptionCase):
    def setUp(self):
        super().setUp()
        for name in ("age", "other"):
            subprocess.run(["age-keygen", "-o", self.path / f"{name}.key"], capture_output=True, check=True)
            self.write(f"{name}.pub", subprocess.run(["age-keygen", "-y", self.path / f"{name}.key"], capture_output=True, check=True).stdout)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "somebody", "-f", self.path / "ssh"], check=True)

    def plain_of(self, wrap, identity, **options):
        """What is in a wrap, by age's word."""
        plain = age("-d", "-i", self.path / identity, data=wrap, **options)
        self.assertEqual((len(plain), plain[:26]), (74, LABEL))
        return plain

    def with_wraps(self, wraps, name="theirs.safemodel"):
        """The container m.safemodel with these key wraps and no others."""
        core, head, items = self.frame("m.safemodel")
        self.write_frame(name, core, head, [item for item in items if item[0] != KEY_WRAP] + [(KEY_WRAP, wrap) for wrap in wraps])
        return name

    def test_age_opens_ours(self):
        self.make_encrypted("age.pub", "ssh.pub", "alice.pub")
        wraps = self.wraps("m.safemodel")
        plains = [self.plain_of(wrap, identity) for wrap, identity in zip(wraps, ("age.key", "ssh", "alice.key"))]
        self.assertEqual(len(set(plains)), 1)
        self.assertEqual(plains[0][26:42].hex(), self.run_json("inspect", "m.safemodel")["file_id"])
        for wrap in wraps:
            self.assertNotEqual(subprocess.run(["age", "-d", "-i", self.path / "other.key"], input=wrap, capture_output=True).returncode, 0)

    def test_we_open_those_of_age(self):
        self.make_encrypted()
        plain = self.plain_of(self.wraps("m.safemodel")[0], "alice.key")
        for recipients, identities in (
            (["-R", "age.pub"], ["age.key"]),
            (["-R", "ssh.pub"], ["ssh"]),
            (["-R", "age.pub", "-R", "other.pub", "-R", "ssh.pub"], ["age.key", "other.key", "ssh"]),
        ):
            name = self.with_wraps([age(*recipients, data=plain, cwd=self.path)])
            for identity in identities:
                with self.subTest(recipients=recipients, identity=identity):
                    self.exports(name, "--identity", identity)
            self.exports(name, "--identity", "alice.key", expect=5)
            self.run_cli("recipients", "add", name, "-r", "alice.pub", "--identity", identities[0])
            self.exports(name, "--identity", "alice.key")

    def test_what_age_made_of_another_content_is_refused(self):
        self.make_encrypted()
        plain = self.plain_of(self.wraps("m.safemodel")[0], "alice.key")
        changed = bytearray(plain)
        changed[-1] ^= 1
        for content, code in ((plain + b"x", "foreign_wrap"), (plain[:-1], "foreign_wrap"), (b"S" + plain[1:], "foreign_wrap"), (plain[:26] + bytes(16) + plain[42:], "foreign_wrap"), (bytes(changed), "wrong_data_key"), (b"", "foreign_wrap")):
            name = self.with_wraps([age("-R", "age.pub", data=content, cwd=self.path)])
            with self.subTest(code=code, size=len(content)):
                self.assertIn(f"(key: {code})".encode(), self.exports(name, "--identity", "age.key", expect=5).stderr)
        armored = self.with_wraps([age("-a", "-R", "age.pub", data=plain, cwd=self.path)])
        self.exports(armored, "--identity", "age.key", expect=5)

    def test_passphrases(self):
        self.write("pass", PHRASE + b"\n")
        self.make_encrypted("passphrase:pass", "alice.pub")
        ours = self.path / "ours.age"
        ours.write_bytes(self.wraps("m.safemodel")[0])
        code, seen = with_terminal(["age", "-d", "-o", str(self.path / "plain"), str(ours)], [PHRASE])
        self.assertEqual(code, 0, seen)
        plain = (self.path / "plain").read_bytes()
        self.assertEqual(plain, self.plain_of(self.wraps("m.safemodel")[1], "alice.key"))
        code, seen = with_terminal(["age", "-p", "-o", str(self.path / "theirs.age"), str(self.path / "plain")], [PHRASE, PHRASE])
        self.assertEqual(code, 0, seen)
        name = self.with_wraps([(self.path / "theirs.age").read_bytes()])
        self.exports(name, "--passphrase-file", "pass")

    def test_a_plugin_seals_and_opens_through_age(self):
        programs = self.path / "bin"
        programs.mkdir()
        (programs / "age-plugin-test").write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "age_test.py"} "$@"\n')
        (programs / "age-plugin-test").chmod(0o755)
        key = bytes(range(100, 116))
        self.write("plugin.key", bech32("AGE-PLUGIN-TEST-", key).encode() + b"\n")
        recipient = bech32("age1test", key)
        environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}")
        self.run_cli("convert", "m.safetensors", "-o", "m.safemodel", "--encrypt-to", recipient, "--encrypt-to", "alice.pub", "--sign-with", "k.key", env=environment)
        self.exports("m.safemodel", "--identity", "plugin.key", env=environment)
        plain = self.plain_of(self.wraps("m.safemodel")[0], "plugin.key", env=environment)
        name = self.with_wraps([age("-r", recipient, data=plain, env=environment)])
        self.exports(name, "--identity", "plugin.key", env=environment)
        listed = self.run_json("recipients", "list", "m.safemodel", "--identity", "alice.key")["recipients"]
        self.assertEqual([(r["kinds"], r["recipient"]) for r in listed], [(["test"], recipient), (["X25519"], self.recipient("alice"))])
        self.assertIn(b"(key: program_failed)", self.exports(name, "--identity", "plugin.key", expect=5).stderr)
        before = self.listing()
        self.run_cli("convert", "m.safetensors", "-o", "n.safemodel", "--encrypt-to", recipient, expect=5)
        self.assertEqual(self.listing(), before)
        shutil.rmtree(programs)


if __name__ == "__main__":
    if MISSING:
        print(f"skipped: there is no {', '.join(MISSING)}")
        sys.exit(77)
    unittest.main()
