# SPDX-License-Identifier: Apache-2.0
"""Where identities, recipients and passphrases come from, what is none of them, and that no secret is seen anywhere."""

import json
import os
import shutil
import stat
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "interop"), str(Path(__file__).resolve().parents[2] / "spec")]

from age_test import bech32  # noqa: E402
from cli_case import CLI, holders  # noqa: E402
from encryption_case import NAME, EncryptionCase, asks, read_terminal, start_on_terminal, with_terminal  # noqa: E402
from testkit.bech32 import decode  # noqa: E402

PHRASE = b"correct horse battery staple"


class KeygenTest(EncryptionCase):
    def test_files_are_those_of_age_keygen(self):
        made = self.run_json("keygen", "--format", "age", "-o", "carol", "--no-passphrase")
        self.assertEqual((made["secret_key"], made["public_key"]), ("carol.key", "carol.pub"))
        text = (self.path / "carol.key").read_text()
        self.assertRegex(text, r"\A# created: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n# public key: age1[0-9a-z]{58}\nAGE-SECRET-KEY-1[0-9A-Z]{58}\n\Z")
        self.assertIn("# public key: " + self.recipient("carol"), text)
        self.assertEqual(made["recipient"], self.recipient("carol"))
        self.assertNotIn(self.secret("carol"), json.dumps(made))
        if shutil.which("age-keygen"):
            self.assertEqual(subprocess.run(["age-keygen", "-y", self.path / "carol.key"], capture_output=True, check=True).stdout.decode().strip(), self.recipient("carol"))

    def test_the_secret_is_private_from_the_start_and_not_overwritten(self):
        self.run_cli("keygen", "--format", "age", "-o", "carol", preexec_fn=lambda: os.umask(0))
        self.assertEqual(stat.S_IMODE((self.path / "carol.key").stat().st_mode), 0o600)
        before = self.listing()
        self.assertEqual(self.run_json("keygen", "--format", "age", "-o", "carol", expect=2)["code"], "exists")
        self.assertEqual(self.listing(), before)
        self.run_cli("keygen", "--format", "age", "-o", "carol", "--force")
        self.write("pass", PHRASE)
        self.assertEqual(self.run_json("keygen", "--format", "age", "-o", "d", "--passphrase-file", "pass", expect=2)["code"], "unprotected_format")

    def test_what_to_do_next_is_said(self):
        told = self.run_cli("keygen", "--format", "age", "-o", "carol")
        self.assertIn(self.recipient("carol").encode(), told.stdout)
        self.assertIn(b"--identity carol.key", told.stderr)
        self.silent(told)


class SourceTest(EncryptionCase):
    def setUp(self):
        super().setUp()
        self.make_encrypted()

    def test_file_variable_descriptor_and_standard_input(self):
        text = (self.path / "alice.key").read_bytes()
        self.exports("m.safemodel", "--identity", "alice.key")
        self.exports("m.safemodel", "--identity", "env:ALICE", env=dict(os.environ, ALICE=text.decode()))
        self.exports("m.safemodel", "--identity", "-", input=text)
        with open(self.path / "alice.key") as file:
            self.exports("m.safemodel", "--identity", f"fd:{file.fileno()}", pass_fds=[file.fileno()])

    def test_one_reading_serves_several_containers(self):
        self.make_encrypted(name="second.safemodel")
        text = (self.path / "alice.key").read_text()
        for source, options in (("env:ALICE", {"env": dict(os.environ, ALICE=text)}), ("-", {"input": text.encode()})):
            result = self.run_cli("verify", "m.safemodel", "second.safemodel", "--key", "k.pub", "--identity", source, "--json", **options)
            self.assertEqual([file["scope"] for file in json.loads(result.stdout)["files"]], ["full", "full"])
            self.run_cli("inspect", "m.safemodel", "--key", "k.pub", "--identity", source, **options)
            self.run_cli("digest", "m.safemodel", "second.safemodel", "--identity", source, **options)

    def test_several_identities_are_tried(self):
        self.exports("m.safemodel", "--identity", "bob.key", "--identity", "alice.key")
        self.write("all.key", b"# everybody\n\n" + (self.path / "bob.key").read_bytes() + (self.path / "alice.key").read_bytes())
        self.exports("m.safemodel", "--identity", "all.key")

    def test_identities_are_not_read_where_nothing_is_encrypted(self):
        self.make_plain()
        self.run_cli("verify", "plain.safemodel", "--key", "k.pub", "--identity", "missing")
        self.exports("plain.safemodel", "--identity", "env:NOBODY")

    def test_what_is_no_identity(self):
        self.write("empty", b"# nothing\n")
        self.write("encrypted.key", b"age-encryption.org/v1\n-> scrypt x 18\n")
        self.write("text", b"hello\n")
        self.write("long", b"#" * (256 * 1024 + 1))
        self.write("cut.key", self.secret("alice")[:-1].encode())
        self.write("lower.key", self.secret("alice").lower().encode())
        self.write("mixed.key", ("a" + self.secret("alice")[1:]).encode())
        self.write("31.key", bech32("AGE-SECRET-KEY-", bytes(31)).encode())
        for name, prefix in (("slash", "AGE-PLUGIN-A/B-"), ("dots", "AGE-PLUGIN-..-"), ("path", "AGE-PLUGIN-../../TMP/EVIL-"), ("shell", "AGE-PLUGIN-A;B-"), ("none", "AGE-PLUGIN--")):
            self.write(f"{name}.key", bech32(prefix, bytes(16)).encode())
        for source, expect, code in (
            ("missing", 4, "not_found"),
            ("empty", 5, "no_keys"),
            ("encrypted.key", 5, "encrypted_identities"),
            ("text", 5, "bad_identity"),
            ("k.pub", 5, "bad_identity"),
            ("alice.pub", 5, "bad_identity"),
            ("long", 3, "keys_file"),
            ("cut.key", 5, "bad_identity"),
            ("lower.key", 5, "bad_identity"),
            ("mixed.key", 5, "bad_identity"),
            ("31.key", 5, "bad_identity"),
            ("slash.key", 5, "bad_plugin_name"),
            ("dots.key", 5, "bad_plugin_name"),
            ("path.key", 5, "bad_plugin_name"),
            ("shell.key", 5, "bad_plugin_name"),
            ("none.key", 5, "bad_plugin_name"),
            ("env:NOBODY", 5, "no_key"),
            ("fd:77", 5, "no_key"),
            ("fd:x", 5, "no_key"),
            ("passphrase:missing", 5, None),  # there is no wrap that a passphrase opens
            (self.secret("alice"), 2, "secret_as_argument"),
        ):
            with self.subTest(source=source[:20]):
                result = self.exports("m.safemodel", "--identity", source, expect=expect)
                if code:
                    self.assertEqual(json.loads(result.stdout)["code"], code)

    def test_an_identity_that_others_can_read_is_warned_of(self):
        for mode, warned in ((0o600, False), (0o640, True), (0o604, True)):
            (self.path / "alice.key").chmod(mode)
            self.assertEqual(b"(key_readable_by_others)" in self.exports("m.safemodel", "--identity", "alice.key").stderr, warned)


class ExampleTest(EncryptionCase):
    def test_the_example_of_the_documentation_opens_what_is_encrypted(self):
        example = Path(CLI).with_name("decrypt_example")
        self.make_encrypted()
        run = lambda identity, name: subprocess.run([example, "m.safemodel", "k.pub", name], cwd=self.path, capture_output=True, input=(self.path / identity).read_bytes())
        loaded = run("alice.key", "team/m")
        self.assertEqual(loaded.returncode, 0, loaded.stderr)
        self.assertEqual(sorted(line.split()[-1] for line in loaded.stdout.decode().splitlines()), sorted(["w", NAME]))
        self.assertEqual(run("bob.key", "team/m").returncode, 5)
        self.assertEqual(run("alice.key", "other").returncode, 1)


class RecipientTest(EncryptionCase):
    def test_what_is_no_recipient(self):
        self.make_plain()
        self.make_encrypted()
        good = self.recipient("alice")
        low_order = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        self.write("team", b"# the team\n" + good.encode() + b"\nsomebody else\n")
        self.write("empty", b"# nobody\n")
        self.write("many", (good + "\n").encode() * 65)
        self.write("blank", b"\n")
        before = self.listing()
        for text, expect, code in (
            (good[:-1] + ("q" if good[-1] != "q" else "p"), 5, "bad_recipient"),
            (good[:-1], 5, "bad_recipient"),
            (good.upper(), 5, "bad_recipient"),
            (good[:-1] + "A", 5, "bad_recipient"),
            (bech32("age", bytes(32)), 5, "unusable_key"),
            (bech32("age", bytes(31)), 5, "bad_recipient"),
            (bech32("aga", bytes(32)), 5, "bad_recipient"),
            (bech32("age1a/b", bytes(16)), 5, "bad_plugin_name"),
            (bech32("age1../../tmp/evil", bytes(16)), 5, "bad_plugin_name"),
            (bech32("age1..", bytes(16)), 5, "bad_plugin_name"),
            (bech32("age1a;b", bytes(16)), 5, "bad_plugin_name"),
            (bech32("age1", bytes(16)), 5, "bad_plugin_name"),
            (low_order, 5, "unusable_key"),
            ("ssh-ed25519 AAAA", 5, "bad_key_file"),
            ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==", 5, "bad_key_file"),
            ("nobody", 5, "bad_recipient"),
            ("team", 5, "bad_recipient"),
            ("empty", 5, "no_keys"),
            ("k.pub", 5, "bad_recipient"),
            ("many", 3, "too_many_keys"),
            (".", 4, "not_regular"),
            ("alice.key", 5, "bad_recipient"),
            ("passphrase:missing", 5, "no_passphrase"),
            ("passphrase:blank", 2, "empty_passphrase"),
            (self.secret("alice"), 2, "secret_as_argument"),
        ):
            for command in (
                ["encrypt", "plain.safemodel", "-o", "o.safemodel", "--key", "k.pub", "-r", text],
                ["convert", "m.safetensors", "-o", "o.safemodel", "--encrypt-to", text],
                ["reencrypt", "m.safemodel", "-o", "o.safemodel", "--key", "k.pub", "--identity", "alice.key", "-r", text],
                ["recipients", "add", "m.safemodel", "--identity", "alice.key", "-r", text],
            ):
                with self.subTest(command=command[0], text=text[:40]):
                    result = self.run_cli(*command, "--json", expect=expect)
                    document = json.loads(result.stdout)
                    self.assertEqual((document["code"], document["exit"]), (code, expect))
                    self.silent(result)
        self.assertEqual(self.listing(), before)

    def test_a_file_of_recipients(self):
        self.write("team", f"# the team\n{self.recipient('alice')}\n\n{self.recipient('bob')}\n".encode())
        self.make_encrypted("team")
        for name in ("alice", "bob"):
            self.exports("m.safemodel", "--identity", f"{name}.key")

    @unittest.skipUnless(shutil.which("ssh-keygen"), "there is no ssh-keygen")
    def test_keys_of_openssh(self):
        for name in ("ssh", "locked"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret" if name == "locked" else "", "-C", "a comment", "-f", self.path / name], check=True)
        self.make_encrypted("ssh.pub", (self.path / "locked.pub").read_text().strip())
        self.exports("m.safemodel", "--identity", "ssh")
        self.exports("m.safemodel", "--identity", "env:SSH", env=dict(os.environ, SSH=(self.path / "ssh").read_text()))
        self.assertEqual(json.loads(self.exports("m.safemodel", "--identity", "locked", expect=5).stdout)["code"], "encrypted_key")
        listed = self.run_json("recipients", "list", "m.safemodel", "--identity", "ssh")["recipients"]
        self.assertEqual([r["kinds"] for r in listed], [["ssh-ed25519"]] * 2)
        self.assertEqual(listed[0]["recipient"], " ".join((self.path / "ssh.pub").read_text().split()[:2]))


class PassphraseTest(EncryptionCase):
    def setUp(self):
        super().setUp()
        self.write("pass", PHRASE + b"\nsecond line\n")
        self.write("wrong", b"battery staple\n")

    def test_from_files(self):
        self.make_plain()
        self.run_cli("encrypt", "plain.safemodel", "-o", "m.safemodel", "--key", "k.pub", "-r", "passphrase", "--passphrase-file", "pass", "--sign-with", "k.key")
        self.exports("m.safemodel", "--passphrase-file", "pass")
        self.exports("m.safemodel", "--identity", "passphrase:pass")
        self.assertEqual(json.loads(self.exports("m.safemodel", "--passphrase-file", "wrong", expect=5).stdout)["code"], "wrong_passphrase")
        self.assertEqual(json.loads(self.exports("m.safemodel", "--passphrase-file", "missing", expect=5).stdout)["code"], "no_passphrase")
        self.assertEqual(json.loads(self.exports("m.safemodel", "--passphrase-file", "pass", "--identity", "passphrase", expect=2).stdout)["code"], "bad_arguments")
        listed = self.run_json("recipients", "list", "m.safemodel", "--passphrase-file", "pass")["recipients"]
        self.assertEqual([(r["kinds"], r["recipient"]) for r in listed], [(["scrypt"], "passphrase")])

    def test_beside_keys(self):
        self.make_encrypted("passphrase:pass", "alice.pub")
        self.exports("m.safemodel", "--identity", "alice.key")
        self.exports("m.safemodel", "--passphrase-file", "pass", "--identity", "bob.key")
        # A passphrase that nothing needs is not read.
        self.make_encrypted("alice.pub", name="keys.safemodel")
        self.exports("keys.safemodel", "--identity", "alice.key", "--passphrase-file", "missing")

    def test_they_are_removed_without_being_asked_for(self):
        self.make_encrypted("passphrase:pass", "alice.pub")
        self.assertEqual(self.run_json("recipients", "remove", "m.safemodel", "-r", "passphrase:pass", expect=2)["code"], "bad_arguments")
        self.assertEqual(self.run_json("recipients", "remove", "m.safemodel", "-r", "passphrase")["removed"], 1)
        self.exports("m.safemodel", "--passphrase-file", "pass", expect=5)
        self.exports("m.safemodel", "--identity", "alice.key")

    def test_a_new_passphrase_for_an_old_one(self):
        self.write("new", b"another phrase\n")
        self.make_encrypted("passphrase:pass")
        self.run_cli("reencrypt", "m.safemodel", "-o", "n.safemodel", "--key", "k.pub", "--passphrase-file", "pass", "-r", "passphrase:new", "--sign-with", "k.key")
        self.exports("n.safemodel", "--passphrase-file", "new")
        self.exports("n.safemodel", "--passphrase-file", "pass", expect=5)

    def test_the_key_that_signs_has_its_own(self):
        self.write("key-pass", b"for the key\n")
        self.run_cli("keygen", "-o", "locked", "--passphrase-file", "key-pass")
        self.make_plain()
        self.run_cli("encrypt", "plain.safemodel", "-o", "m.safemodel", "--key", "k.pub", "-r", "passphrase", "--passphrase-file", "pass", "--sign-with", "locked.key", "--key-passphrase-file", "key-pass")
        self.exports("m.safemodel", "--passphrase-file", "pass", key="locked.pub")

    def test_one_that_is_for_nobody_is_refused(self):
        self.make_plain()
        self.assertEqual(self.run_json("encrypt", "plain.safemodel", "-o", "m.safemodel", "--key", "k.pub", "-r", "alice.pub", "--passphrase-file", "pass", expect=2)["code"], "bad_arguments")

    def test_a_third_is_refused(self):
        self.make_plain()
        for name in ("two", "three"):
            self.write(name, name.encode() + b"\n")
        self.assertEqual(self.run_json("encrypt", "plain.safemodel", "-o", "m.safemodel", "--key", "k.pub", "-r", "passphrase:pass", "-r", "passphrase:two", "-r", "passphrase:three", expect=2)["code"], "many_passphrases")

    def test_on_the_terminal(self):
        code, seen, _ = with_terminal([CLI, "convert", "m.safetensors", "-o", "m.safemodel", "--encrypt-to", "passphrase", "--sign-with", "k.key"], [PHRASE, PHRASE], cwd=self.path)
        self.assertEqual(code, 0, seen)
        self.assertEqual(seen.count(b"New passphrase of the container"), 2)
        self.assertNotIn(PHRASE, seen)
        export = [CLI, "export", "m.safemodel", "-o", "out.npz", "--key", "k.pub", "--identity", "passphrase"]
        code, seen, _ = with_terminal(export, [b"no"], cwd=self.path)
        self.assertEqual((code, (self.path / "out.npz").exists()), (5, False), seen)
        self.assertIn(b"wrong_passphrase", seen)
        code, seen, _ = with_terminal(export, [PHRASE], cwd=self.path)
        self.assertEqual(code, 0, seen)
        self.assertEqual(seen.count(b"Passphrase that opens the container"), 1)
        code, seen, _ = with_terminal([CLI, "convert", "m.safetensors", "-o", "n.safemodel", "--encrypt-to", "passphrase"], [PHRASE, b"other"], cwd=self.path)
        self.assertEqual((code, (self.path / "n.safemodel").exists()), (5, False), seen)

    def test_it_is_asked_once_for_several_containers(self):
        for name in ("m.safemodel", "second.safemodel"):
            self.make_encrypted("passphrase:pass", name=name)
        code, seen, output = with_terminal([CLI, "verify", "m.safemodel", "second.safemodel", "--key", "k.pub", "--identity", "passphrase"], [PHRASE], cwd=self.path)
        self.assertEqual((code, output.count(b"(full, ")), (0, 2), seen)
        self.assertEqual(seen.count(b"Passphrase"), 1)

    def test_without_a_terminal(self):
        self.make_encrypted("passphrase:pass")
        result = self.exports("m.safemodel", "--identity", "passphrase", expect=5, start_new_session=True)
        self.assertEqual(json.loads(result.stdout)["code"], "no_terminal")


class SecretTest(EncryptionCase):
    def test_secrets_among_the_arguments_are_not_repeated(self):
        self.make_encrypted()
        secret = self.secret("alice")
        for words in (
            ["export", "m.safemodel", "-o", "o.npz", "--key", "k.pub", "--identity", secret],
            ["verify", "m.safemodel", "--key", "k.pub", "--identity", secret],
            ["inspect", "m.safemodel", "--identity", secret],
            ["digest", "m.safemodel", "--identity", secret],
            ["decrypt", "m.safemodel", "-o", "o.safemodel", "--key", "k.pub", "--identity", secret],
            ["recipients", "list", "m.safemodel", "--identity", secret],
            ["recipients", "add", "m.safemodel", "--identity", "alice.key", "-r", secret],
            ["convert", "m.safetensors", "-o", "o.safemodel", "--encrypt-to", secret],
            ["inspect", "m.safemodel", secret],
            ["inspect", "m.safemodel", f"--identiti={secret}"],
            ["keygen", "-o", "x", "--format", secret],
        ):
            with self.subTest(words=words[:4]):
                self.silent(self.run_cli(*words, "--json", expect=2))
                self.silent(self.run_cli(*words, expect=2))

    @unittest.skipUnless(shutil.which("age"), "there is no age")
    def test_no_child_gets_a_secret_in_arguments_or_environment(self):
        """age-plugin-spy writes down what it and its parents can be seen with, and then fails."""
        programs = self.path / "bin"
        programs.mkdir()
        seen = self.path / "seen"
        spy = programs / "age-plugin-spy"
        spy.write_text(f"#!{sys.executable}\n" + "import os\n" f"with open({str(seen)!r}, 'ab') as out:\n" "  pid = os.getpid()\n" "  for _ in range(3):\n" "    for part in ('cmdline', 'environ'):\n" "      out.write(part.encode() + b' ' + open(f'/proc/{pid}/{part}', 'rb').read() + b'\\n')\n" "    pid = int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])\n" "raise SystemExit(1)\n")
        spy.chmod(0o755)
        plugin = bech32("AGE-PLUGIN-SPY-", bytes(range(32)))
        self.write("spy.key", plugin.encode() + b"\n")
        self.make_encrypted()
        environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", BOB=self.secret("bob"), TOKEN="a token of the caller")
        result = self.exports("m.safemodel", "--identity", "spy.key", "--identity", "env:BOB", expect=5, env=environment)
        self.assertEqual(json.loads(result.stdout)["code"], "program_failed")
        text = seen.read_bytes()
        self.assertIn(b"age\0--decrypt", text)
        ours = os.path.basename(CLI).encode() + b"\0export"
        self.assertIn(ours, text)
        for secret in (plugin.encode(), self.secret("bob").encode(), b"AGE-SECRET-KEY", b"AGE-PLUGIN"):
            self.assertNotIn(secret, text)
        # What the caller has in its own environment is for nobody else.
        children = text[: text.index(ours)]
        self.assertNotIn(b"a token of the caller", children)
        shutil.rmtree(programs)

    def test_identities_are_kept_out_of_core_dumps(self):
        self.write("pass", PHRASE)
        self.make_encrypted("passphrase:pass")
        master_words = [CLI, "export", "m.safemodel", "-o", "o.npz", "--key", "k.pub", "--identity", "alice.key", "--identity", "passphrase"]
        secret = self.secret("alice")
        raw = decode(secret)[1]
        found = {}

        def look(pid):
            maps = Path(f"/proc/{pid}/smaps").read_bytes()
            found["raw"], found["text"] = list(holders(pid, maps, raw)), list(holders(pid, maps, secret.encode()))

        self.at_prompt(master_words, look)
        self.assertTrue(found["raw"], "the identity is nowhere: the test looks at the wrong moment")
        for flags in found["raw"] + found["text"]:
            self.assertIn(b"dd", flags.split(), "a core dump would have it")

    def at_prompt(self, words, look):
        """Calls `look` while the program waits for a passphrase."""
        child, terminal = start_on_terminal(words, cwd=self.path, stdout=subprocess.DEVNULL)
        try:
            seen, deadline = b"", time.monotonic() + 30
            while not asks(seen) and time.monotonic() < deadline:
                seen += read_terminal(terminal)
            self.assertTrue(asks(seen), seen)
            look(child.pid)
        except PermissionError:
            self.skipTest("the memory of a child process cannot be read here")
        finally:
            child.kill()
            child.wait()
            os.close(terminal)


if __name__ == "__main__":
    unittest.main()
