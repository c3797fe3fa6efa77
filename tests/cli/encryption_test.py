# SPDX-License-Identifier: Apache-2.0
"""Encrypted containers from the command line: what each verb shows and does with an identity and without, and how
recipients come and go."""

import json
import shutil
import subprocess
import unittest

from cli_case import CLI
from encryption_case import CONTENT, CONTENTS, KEY_WRAP, NAME, EncryptionCase

ALICE = ("--identity", "alice.key")
BOB = ("--identity", "bob.key")
POLICY = """version = 1
[[key]]
name = "release"
public = "KEY"
roles = ["builder"]
[[rule]]
models = "**"
roles = { builder = 1 }
"""


class LifeTest(EncryptionCase):
    def test_from_conversion_to_export(self):
        report = self.run_json("convert", "m.safetensors", "-o", "m.safemodel", "--encrypt-to", "alice.pub", "--encrypt-to", self.recipient("bob"))
        self.assertEqual((report["encrypted"], report["recipients"]), (True, [self.recipient("alice"), self.recipient("bob")]))
        self.assertEqual(self.exports("m.safemodel", *ALICE, expect=1).returncode, 1)  # not signed yet
        self.run_cli("sign", "m.safemodel", "-k", "k.key")
        for identity in (ALICE, BOB):
            self.exports("m.safemodel", *identity)
        digests = self.run_json("digest", "m.safetensors", "m.safemodel", *BOB)["files"]
        self.assertEqual(digests[0]["content_digest"], digests[1]["content_digest"])

    def test_verify_with_and_without_an_identity(self):
        self.make_encrypted()
        hidden = self.run_json("verify", "m.safemodel", "--key", "k.pub")["files"][0]
        self.assertEqual((hidden["ok"], hidden["scope"], hidden["encrypted"]), (True, "stored", True))
        read = self.run_json("verify", "m.safemodel", "--key", "k.pub", *ALICE)["files"][0]
        self.assertEqual((read["scope"], read["manifest_sha256"]), ("full", hidden["manifest_sha256"]))
        self.assertEqual(read["bytes_checked"], hidden["bytes_checked"])
        self.assertEqual(self.run_json("verify", "m.safemodel", "--key", "k.pub", "--content", *ALICE)["files"][0]["scope"], "content")
        self.make_plain()
        plain = self.run_json("verify", "plain.safemodel", "--key", "k.pub")["files"][0]
        self.assertEqual((plain["scope"], plain["encrypted"]), ("full", False))
        self.assertIn(b"(scope: stored bytes, ", self.run_cli("verify", "m.safemodel", "--key", "k.pub").stdout)
        self.assertIn(b"(full, ", self.run_cli("verify", "m.safemodel", "--key", "k.pub", *ALICE).stdout)

    def test_each_stored_byte_is_verified_without_an_identity(self):
        self.make_encrypted()
        whole = (self.path / "m.safemodel").read_bytes()
        stored = self.run_json("inspect", "m.safemodel")["objects"]
        for thing in stored:
            damaged = bytearray(whole)
            damaged[thing["offset"] + thing["stored_bytes"] // 2] ^= 1
            self.write("damaged.safemodel", damaged)
            verdict = self.run_json("verify", "damaged.safemodel", "--key", "k.pub", expect=1)["files"][0]
            self.assertEqual(verdict["stage"], "digest_mismatch")
            self.run_cli("export", "damaged.safemodel", "-o", "o.safetensors", "--key", "k.pub", *ALICE, expect=1)
            self.assertFalse((self.path / "o.safetensors").exists())

    def test_inspect_without_an_identity_shows_what_anybody_sees(self):
        self.make_encrypted("alice.pub", "bob.pub")
        document = self.run_json("inspect", "m.safemodel")
        self.assertEqual((document["name"], document["sequence"], document["encrypted"]), ("team/m", 3, True))
        encryption = document["encryption"]
        self.assertEqual((encryption["bucket_bytes"], encryption["directory"]), (16384, "hidden"))
        self.assertEqual([(r["number"], r["kinds"], r.get("recipient")) for r in encryption["recipients"]], [(1, ["X25519"], None), (2, ["X25519"], None)])
        for hidden in ("tensors", "files", "tensor_digest", "content_digest", "private_metadata", "tree"):
            self.assertNotIn(hidden, document)
        self.assertEqual(len(document["signatures"]), 1)
        self.assertTrue(document["objects"])
        for thing in document["objects"]:
            self.assertEqual(thing["stored_bytes"] % 16384, 0)
        shown = self.run_cli("inspect", "m.safemodel", "--tensors", "--tree")
        self.silent(shown)
        self.assertIn(b"hidden", shown.stdout)
        self.assertIn(b"--identity", shown.stdout)
        self.assertNotIn(b"digest 0000", shown.stdout)

    def test_inspect_with_an_identity_shows_all(self):
        self.make_encrypted("alice.pub", "bob.pub")
        document = self.run_json("inspect", "m.safemodel", "--key", "k.pub", *BOB)
        self.assertTrue(document["authenticated"])
        self.assertEqual(sorted(t["name"] for t in document["tensors"]), [NAME, "w"])
        self.assertEqual(document["encryption"]["directory"], "read")
        self.assertEqual([r["recipient"] for r in document["encryption"]["recipients"]], [self.recipient("alice"), self.recipient("bob")])
        self.assertIn("source.blake3", document["private_metadata"])
        self.assertNotIn("source.blake3", document["metadata"])
        self.assertIn(NAME.encode(), self.run_cli("inspect", "m.safemodel", "--tensors", *BOB).stdout)

    def test_without_the_right_identity_nothing_comes_out(self):
        self.make_encrypted()
        before = self.listing()
        for identity, code in (((), "identity_needed"), (BOB, "no_identity")):
            for command in (
                ["export", "m.safemodel", "-o", "o.safetensors", "--key", "k.pub"],
                ["export", "m.safemodel", "-o", "folder", "--insecure-skip-verification"],
                ["decrypt", "m.safemodel", "-o", "o.safemodel", "--key", "k.pub"],
                ["reencrypt", "m.safemodel", "-o", "o.safemodel", "--key", "k.pub", "-r", "bob.pub"],
                ["digest", "m.safemodel"],
                ["verify", "m.safemodel", "--key", "k.pub", "--content"],
                ["recipients", "add", "m.safemodel", "-r", "bob.pub"],
            ):
                with self.subTest(command=command, code=code):
                    result = self.run_cli(*command, *identity, "--json", expect=5)
                    self.silent(result)
                    document = json.loads(result.stdout)
                    document = document["files"][0] if "files" in document else document
                    self.assertEqual((document["ok"], document["stage"], document["code"]), (False, "key", code))
                    self.assertIn(f"(key: {code})".encode(), result.stderr)
                    self.assertEqual(self.listing(), before)
                    self.assertFalse((self.path / "folder").exists())
        for verb in (["inspect", "m.safemodel"], ["verify", "m.safemodel", "--key", "k.pub"], ["recipients", "list", "m.safemodel"]):
            self.silent(self.run_cli(*verb, *BOB, "--json", expect=5))

    def test_the_policy_is_asked_before_the_key(self):
        self.make_encrypted(signed=False)
        document = json.loads(self.exports("m.safemodel", *BOB, expect=1).stdout)
        self.assertEqual(document["stage"], "untrusted")

    def test_names_and_contents_are_nowhere_in_the_file(self):
        self.make_encrypted()
        stored = (self.path / "m.safemodel").read_bytes()
        for text in (NAME.encode(), CONTENT, b"m.safetensors", b"source.blake3"):
            self.assertNotIn(text, stored)

    def test_no_two_encryptions_of_a_model_have_a_block_in_common(self):
        seen = set()
        for name in ("m.safemodel", "second.safemodel"):
            stored = (self.path / self.make_encrypted(name=name)).read_bytes()
            for thing in self.run_json("inspect", name)["objects"]:
                for at in range(thing["offset"], thing["offset"] + thing["stored_bytes"], 16):
                    self.assertNotIn(stored[at : at + 16], seen)
                    seen.add(stored[at : at + 16])
        self.assertGreaterEqual(len(seen), 2 * 3 * 1024)

    @unittest.skipUnless(shutil.which("strace"), "there is no strace")
    def test_conversion_writes_nothing_plain_anywhere(self):
        trace = self.path / "trace"
        command = [CLI, "convert", "m.safetensors", "-o", "m.safemodel", "--encrypt-to", "alice.pub"]
        calls = "write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile,mmap"
        subprocess.run(["strace", "-f", "-s", "200000", "-xx", "-e", f"trace={calls}", "-o", trace, *command], cwd=self.path, check=True, capture_output=True)
        written = trace.read_text()
        self.assertIn("pwrite64(", written)
        self.assertNotRegex(written, r"copy_file_range\(|sendfile\(|PROT_WRITE[^)]*MAP_SHARED\b")
        for text in (NAME.encode(), CONTENT):
            self.assertNotIn("".join(f"\\x{byte:02x}" for byte in text), written)

    def test_a_set_says_whether_its_members_were_read(self):
        self.make_encrypted()
        self.run_cli("sign", "--set", "all.set", "m.safemodel", "-k", "k.key", "--name", "team/all", "--version", "1")
        self.assertEqual(self.run_json("verify", "--set", "all.set", "--key", "k.pub")["files"][0]["scope"], "stored")
        self.assertEqual(self.run_json("verify", "--set", "all.set", "--key", "k.pub", *ALICE)["files"][0]["scope"], "full")

    def test_what_is_encrypted_can_be_denied(self):
        self.make_plain()
        self.make_encrypted()
        self.write("policy.toml", POLICY.replace("KEY", (self.path / "k.pub").read_text().splitlines()[1]).encode())
        self.run_cli("verify", "plain.safemodel", "m.safemodel", "--policy", "policy.toml", *ALICE)
        self.assertEqual(self.run_json("policy", "deny", "policy.toml", "m.safemodel", expect=5)["code"], "identity_needed")
        self.run_cli("policy", "deny", "policy.toml", "m.safemodel", *ALICE)
        codes = [file["code"] for file in self.run_json("verify", "plain.safemodel", "m.safemodel", "--policy", "policy.toml", expect=1)["files"]]
        self.assertEqual(codes, ["denied_content", "denied_manifest"])
        # Another encryption of the same content is known for it only by those who can read it.
        self.make_encrypted(name="again.safemodel")
        hidden = self.run_json("verify", "again.safemodel", "--policy", "policy.toml")["files"][0]
        self.assertEqual((hidden["scope"], hidden["denied_contents"]), ("stored", "not_checked"))
        self.assertEqual(self.run_json("verify", "again.safemodel", "--policy", "policy.toml", *ALICE, expect=1)["files"][0]["code"], "denied_content")

    def test_conversion_cannot_be_reproducible_and_encrypted(self):
        self.assertEqual(self.run_json("convert", "m.safetensors", "-o", "m.safemodel", "--encrypt-to", "alice.pub", "--reproducible", expect=2)["stage"], "usage")
        self.assertFalse((self.path / "m.safemodel").exists())


class RecipientsTest(EncryptionCase):
    def test_add_list_and_remove_leave_core_and_signatures_alone(self):
        self.make_encrypted()
        core = self.core("m.safemodel")
        statements = [item for item in self.frame("m.safemodel")[2] if item[0] == 1]
        added = self.run_json("recipients", "add", "m.safemodel", "-r", "bob.pub", *ALICE)
        self.assertEqual((added["added"], added["removed"], added["envelope"]), (1, 0, "m.safemodel"))
        self.exports("m.safemodel", *BOB)
        listed = self.run_json("recipients", "list", "m.safemodel", *BOB)["recipients"]
        self.assertEqual([(r["recipient"], r["opened"]) for r in listed], [(self.recipient("alice"), "no"), (self.recipient("bob"), "yes")])
        removed = self.run_json("recipients", "remove", "m.safemodel", "-r", self.recipient("alice"), *BOB)
        self.assertEqual((removed["removed"], [r["recipient"] for r in removed["recipients"]]), (1, [self.recipient("bob")]))
        self.exports("m.safemodel", *ALICE, expect=5)
        self.exports("m.safemodel", *BOB)
        self.assertEqual(self.core("m.safemodel"), core)
        self.assertEqual([item for item in self.frame("m.safemodel")[2] if item[0] == 1], statements)

    def test_remove_by_number_needs_no_identity(self):
        self.make_encrypted("alice.pub", "bob.pub")
        self.run_cli("recipients", "remove", "m.safemodel", "--number", "1")
        self.exports("m.safemodel", *ALICE, expect=5)
        self.exports("m.safemodel", *BOB)

    def test_who_is_a_recipient_already_is_passed_over(self):
        self.make_encrypted()
        before = self.listing()["m.safemodel"]
        again = self.run_json("recipients", "add", "m.safemodel", "-r", "alice.pub", *ALICE)
        self.assertEqual((again["added"], again["envelope"]), (0, ""))
        self.assertEqual(self.listing()["m.safemodel"], before)

    def test_refusals(self):
        self.make_encrypted()
        self.make_plain()
        before = self.listing()
        for words, expect, code in (
            (["remove", "m.safemodel", "-r", "bob.pub", *ALICE], 2, "no_such_recipient"),
            (["remove", "m.safemodel", "--number", "2"], 2, "no_such_recipient"),
            (["remove", "m.safemodel", "--number", "0"], 2, "no_such_recipient"),
            (["remove", "m.safemodel", "--number", "1"], 2, "last_recipient"),
            (["remove", "m.safemodel", "-r", "alice.pub", *ALICE], 2, "last_recipient"),
            (["remove", "m.safemodel", "-r", "alice.pub"], 5, "identity_needed"),
            (["remove", "m.safemodel"], 2, "bad_arguments"),
            (["add", "m.safemodel", *ALICE], 2, "bad_arguments"),
            (["add", "m.safemodel", "-r", "bob.pub", *ALICE, "--detached", "--append"], 2, "bad_arguments"),
            (["add", "plain.safemodel", "-r", "bob.pub", *ALICE], 2, "not_encrypted"),
            (["list", "plain.safemodel"], 2, "not_encrypted"),
            (["list", "missing"], 4, "not_found"),
            (["list", "m.safetensors"], 3, None),
        ):
            with self.subTest(words=words):
                document = self.run_json("recipients", *words, expect=expect)
                self.assertEqual((document["ok"], document["exit"]), (False, expect))
                if code:
                    self.assertEqual(document["code"], code)
        self.assertEqual(self.listing(), before)

    def test_who_was_shut_out_by_hand_is_let_in_again(self):
        """A note without its wrap names nobody: whoever writes the file could leave one."""
        self.make_encrypted("alice.pub", "bob.pub")
        core, head, items = self.frame("m.safemodel")
        bobs = [data for kind, data in items if kind == KEY_WRAP][1]
        self.write_frame("m.safemodel", core, head, [item for item in items if item != (KEY_WRAP, bobs)])
        self.exports("m.safemodel", *BOB, expect=5)
        self.assertEqual(self.run_json("recipients", "add", "m.safemodel", "-r", "bob.pub", *ALICE)["added"], 1)
        self.exports("m.safemodel", *BOB)

    def test_the_envelope_may_lie_beside_the_file(self):
        self.make_encrypted()
        added = self.run_json("recipients", "add", "m.safemodel", "-r", "bob.pub", *ALICE, "--detached")
        self.assertEqual(added["envelope"], "m.safemodel.envelope")
        self.exports("m.safemodel", *BOB)
        self.run_cli("recipients", "remove", "m.safemodel", "-r", "alice.pub", *BOB, "--append")
        self.assertFalse((self.path / "m.safemodel.envelope").exists())
        self.exports("m.safemodel", *BOB)

    def test_the_list_for_people(self):
        self.make_encrypted("alice.pub", "bob.pub")
        stranger = self.run_cli("recipients", "list", "m.safemodel")
        self.assertEqual(stranger.stdout.count(b"X25519"), 2)
        self.assertNotIn(b"age1", stranger.stdout)
        self.assertIn(b"--identity", stranger.stderr)
        reader = self.run_cli("recipients", "list", "m.safemodel", *ALICE).stdout.decode().splitlines()
        self.assertIn(self.recipient("alice") + "  (your identity opens it)", reader[0])
        self.assertTrue(reader[1].endswith(self.recipient("bob")))

    def test_whoever_writes_the_file_can_remove_wraps_and_nothing_more(self):
        self.make_encrypted()
        core, head, items = self.frame("m.safemodel")
        self.write_frame("m.safemodel", core, head, [item for item in items if item[0] != KEY_WRAP])
        self.assertEqual(self.run_json("verify", "m.safemodel", "--key", "k.pub")["files"][0]["scope"], "stored")
        self.assertEqual(json.loads(self.exports("m.safemodel", *ALICE, expect=5).stdout)["code"], "no_key_wraps")

    def test_a_wrap_of_another_container_is_told(self):
        self.make_encrypted()
        self.make_encrypted(name="other.safemodel")
        core, head, items = self.frame("m.safemodel")
        foreign = [(KEY_WRAP, wrap) for wrap in self.wraps("other.safemodel")]
        self.write_frame("m.safemodel", core, head, [item for item in items if item[0] != KEY_WRAP] + foreign)
        self.assertEqual(json.loads(self.exports("m.safemodel", *ALICE, expect=5).stdout)["code"], "foreign_wrap")
        self.write_frame("m.safemodel", core, head, foreign + items)  # the right one behind it is still found
        self.exports("m.safemodel", *ALICE)


class RepackTest(EncryptionCase):
    def test_encrypt_and_decrypt(self):
        self.make_plain()
        before = self.listing()
        encrypted = self.run_json("encrypt", "plain.safemodel", "-o", "e.safemodel", "-r", "alice.pub", "--key", "k.pub", "--sign-with", "k.key")
        self.assertEqual((encrypted["encrypted"], encrypted["recipients"], encrypted["verified"], encrypted["signed"], encrypted["sequence"]), (True, 1, True, True, 4))
        self.assertNotIn(CONTENT, (self.path / "e.safemodel").read_bytes())
        self.exports("e.safemodel", *ALICE)
        decrypted = self.run_json("decrypt", "e.safemodel", "-o", "d.safemodel", "--key", "k.pub", *ALICE, "--sequence", "9")
        self.assertEqual((decrypted["encrypted"], decrypted["recipients"], decrypted["signed"], decrypted["sequence"]), (False, 0, False, 9))
        self.assertEqual({encrypted["content_digest"], decrypted["content_digest"]}, {self.run_json("digest", "m.safetensors")["files"][0]["content_digest"]})
        self.assertEqual(self.run_json("verify", "d.safemodel", "--key", "k.pub", expect=1)["files"][0]["code"], "no_signature")
        self.run_cli("sign", "d.safemodel", "-k", "k.key")
        self.exports("d.safemodel")
        after = self.listing()
        self.assertEqual({name: after[name] for name in before}, before)

    def test_reencrypt_shuts_out_old_wraps(self):
        self.make_encrypted("alice.pub", "bob.pub")
        report = self.run_json("reencrypt", "m.safemodel", "-o", "new.safemodel", "-r", "bob.pub", "--key", "k.pub", *ALICE, "--sign-with", "k.key")
        self.assertEqual((report["recipients"], report["encrypted"]), (1, True))
        self.exports("new.safemodel", *BOB)
        self.exports("new.safemodel", *ALICE, expect=5)
        core, head, items = self.frame("new.safemodel")
        old = [(KEY_WRAP, wrap) for wrap in self.wraps("m.safemodel")]
        self.write_frame("new.safemodel", core, head, items + old)
        self.assertEqual(json.loads(self.exports("new.safemodel", *ALICE, expect=5).stdout)["code"], "foreign_wrap")

    def test_reencrypt_keeps_the_recipients(self):
        self.make_encrypted("alice.pub", "bob.pub")
        self.assertEqual(self.run_json("reencrypt", "m.safemodel", "-o", "new.safemodel", "--key", "k.pub", *ALICE, "--sign-with", "k.key")["recipients"], 2)
        for identity in (ALICE, BOB):
            self.exports("new.safemodel", *identity)

    def test_what_is_not_verified_is_not_repacked(self):
        self.make_plain()
        self.make_encrypted()
        self.run_cli("keygen", "-o", "stranger", "--no-passphrase")
        before = self.listing()
        for verb in (["encrypt", "plain.safemodel", "-r", "alice.pub"], ["decrypt", "m.safemodel", *ALICE], ["reencrypt", "m.safemodel", "-r", "bob.pub", *ALICE]):
            for trust, expect, code in (
                ([], 1, "no_policy"),
                (["--key", "stranger.pub"], 1, "unknown_key"),
                (["--key", "k.pub", "--expect", "another"], 1, "unexpected_model"),
                (["--key", "k.pub", "--insecure-skip-verification"], 2, "bad_arguments"),
            ):
                with self.subTest(verb=verb[0], code=code):
                    self.assertEqual(self.run_json(*verb, "-o", "o.safemodel", *trust, expect=expect)["code"], code)
            self.assertEqual(self.listing(), before)
            warned = self.run_cli(*verb, "-o", "o.safemodel", "--insecure-skip-verification", "--json")
            self.assertIn(b"WARNING: signatures are not checked", warned.stderr)
            self.assertFalse(json.loads(warned.stdout)["verified"])
            (self.path / "o.safemodel").unlink()

    def test_refusals(self):
        self.make_plain()
        self.make_encrypted()
        self.write("there.safemodel", b"precious")
        before = self.listing()
        for words, expect, code in (
            (["encrypt", "m.safemodel", "-o", "o.safemodel", "-r", "bob.pub", "--key", "k.pub"], 2, "already_encrypted"),
            (["encrypt", "plain.safemodel", "-o", "o.safemodel", "--key", "k.pub"], 2, "bad_arguments"),
            (["decrypt", "plain.safemodel", "-o", "o.safemodel", "--key", "k.pub", *ALICE], 2, "not_encrypted"),
            (["reencrypt", "plain.safemodel", "-o", "o.safemodel", "--key", "k.pub", *ALICE], 2, "not_encrypted"),
            (["encrypt", "plain.safemodel", "-o", "there.safemodel", "-r", "bob.pub", "--key", "k.pub"], 2, "exists"),
            (["encrypt", "plain.safemodel", "-o", "./plain.safemodel", "-r", "bob.pub", "--key", "k.pub", "--force"], 2, "output_is_input"),
            (["decrypt", "m.safemodel", "-o", "m.safemodel", "--key", "k.pub", *ALICE, "--force"], 2, "output_is_input"),
            (["encrypt", "plain.safemodel", "-o", "o.safemodel", "-r", "bob.pub", "--key", "k.pub", "--bucket", "1000"], 2, "bad_arguments"),
            (["encrypt", "plain.safemodel", "-o", "o.safemodel", "-r", "bob.pub", "--key", "k.pub", "--bucket", "2MiB"], 2, "bad_arguments"),
            (["encrypt", "plain.safemodel", "-o", "o.safemodel", "-r", "bob.pub", "--key", "k.pub", "--bucket", "0"], 2, "bad_arguments"),
            (["encrypt", "plain.safemodel", "-o", "no/such/folder", "-r", "bob.pub", "--key", "k.pub"], 4, None),
        ):
            with self.subTest(words=words):
                document = self.run_json(*words, expect=expect)
                self.assertEqual(document["exit"], expect)
                if code:
                    self.assertEqual(document["code"], code)
                self.assertEqual(self.listing(), before)
        self.run_cli("encrypt", "plain.safemodel", "-o", "there.safemodel", "-r", "bob.pub", "--key", "k.pub", "--force")

    def test_buckets(self):
        self.make_plain()
        for words, bytes_ in (("1", 1), ("4KiB", 4096), ("64k", 65536), ("1MiB", 1 << 20)):
            self.run_cli("encrypt", "plain.safemodel", "-o", "o.safemodel", "-r", "alice.pub", "--key", "k.pub", "--bucket", words, "--force", "--sign-with", "k.key")
            document = self.run_json("inspect", "o.safemodel")
            self.assertEqual(document["encryption"]["bucket_bytes"], bytes_)
            for thing in document["objects"]:
                self.assertEqual(thing["stored_bytes"] % bytes_, 0)
            self.exports("o.safemodel", *ALICE)
        self.assertEqual(self.run_json("convert", "m.safetensors", "-o", "c.safemodel", "--bucket", "4096", expect=2)["code"], "bad_arguments")

    def test_threads_give_the_same_content(self):
        self.make_plain()
        for threads in (1, 3):
            self.run_cli("encrypt", "plain.safemodel", "-o", f"{threads}.safemodel", "-r", "alice.pub", "--key", "k.pub", "--threads", threads, "--sign-with", "k.key")
            self.exports(f"{threads}.safemodel", *ALICE)

    def test_options_may_stand_before_the_file(self):
        self.make_plain()
        self.run_cli("encrypt", "-r", "alice.pub", "-r", "bob.pub", "plain.safemodel", "-o", "o.safemodel", "--insecure-skip-verification")
        self.assertEqual(len(self.wraps("o.safemodel")), 2)
        self.run_cli("decrypt", *BOB, "o.safemodel", "-o", "p.safemodel", "--insecure-skip-verification")
        self.run_cli("recipients", "remove", "--number", "1", "o.safemodel")


if __name__ == "__main__":
    unittest.main()
