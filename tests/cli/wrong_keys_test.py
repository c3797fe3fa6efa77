# SPDX-License-Identifier: Apache-2.0
"""The wrong key for the purpose: what was given is named, and what is needed."""

import subprocess
import unittest

from cli_case import CliTest


class WrongKeyTest(CliTest):
    def setUp(self):
        super().setUp()
        self.make_signed()
        self.run_cli("keygen", "-o", "alice", "--format", "age")
        self.run_cli("keygen", "-o", "ssh", "--format", "openssh", "--no-passphrase")
        self.run_cli("keygen", "-o", "pem", "--format", "pem", "--no-passphrase")

    def told(self, *arguments, expect=5):
        return self.run_cli(*arguments, expect=expect).stderr.decode()

    def test_a_secret_key_to_verify_with(self):
        for name in ("k.key", "ssh.key", "pem.key"):
            told = self.told("verify", "m.safemodel", "--key", name)
            self.assertIn("this is a secret key; give its public half", told)
            self.assertIn(f"[{name}]", told)
        secret = (self.path / "k.key").read_text().splitlines()[1]
        self.assertNotIn(secret[20:60], self.told("verify", "m.safemodel", "--key", secret))
        for name in ("alice.key", "alice.pub"):
            self.assertIn("this is a key of age", self.told("verify", "m.safemodel", "--key", name))
        self.assertIn("no public key of minisign, OpenSSH or OpenSSL", self.told("verify", "m.safemodel", "--key", "m.safetensors"))

    def test_a_public_key_to_sign_with(self):
        for name in ("k.pub", "ssh.pub", "pem.pub"):
            self.assertIn("this is a public key; what signs is its secret half", self.told("sign", "m.safemodel", "-k", name))
        self.assertIn("an age identity, which opens", self.told("sign", "m.safemodel", "-k", "alice.key"))

    def test_the_same_key_twice(self):
        answer = self.run_json("verify", "m.safemodel", "--key", "k.pub", "--key", "./k.pub", expect=2)
        self.assertEqual((answer["code"], answer["subject"]), ("bad_arguments", "./k.pub"))

    def decrypt(self, identity, expect=5):
        return self.told("decrypt", "secret.safemodel", "-o", "plain.safemodel", "--key", "k.pub", "--identity", identity, expect=expect)

    def test_what_opens_nothing(self):
        self.run_cli("convert", "m.safetensors", "-o", "secret.safemodel", "--encrypt-to", "alice.pub", "--sign-with", "k.key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", self.path / "locked"], check=True)
        for name in ("alice.pub", "k.key", "locked"):
            (self.path / name).chmod(0o644)
        for name, said in (("alice.pub", "this is a recipient, the public half"), ("ssh.pub", "this is a recipient, the public half"),
                           ("k.key", "a key of minisign, which signs only"), ("k.pub", "a key of minisign, which signs only"),
                           ("m.safetensors", "an identity starts with AGE-SECRET-KEY-"), ("locked", "no agent can open a container"),
                           ("pem.key", "only OpenSSH's private keys and age's identities")):
            with self.subTest(name=name):
                told = self.decrypt(name)
                self.assertIn(said, told)
                self.assertNotIn("warning", told)
                self.assertNotIn("ssh-add", told)
        (self.path / "alice.key").chmod(0o644)
        self.assertIn("(key_readable_by_others)", self.decrypt("alice.key", expect=0))

    def test_keygen_names_its_own_options(self):
        told = self.run_cli("keygen", "-o", "q", expect=5, start_new_session=True, stdin=subprocess.DEVNULL).stderr.decode()
        self.assertIn("--no-passphrase", told)
        self.assertNotIn("--key-passphrase-file", told)
        self.assertNotIn("passphrase:FILE", told)


if __name__ == "__main__":
    unittest.main()
