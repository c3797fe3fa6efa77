#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""attest --scan: only good news is attested, about what the container was made of."""

import json
import unittest

from cli_case import CliTest, floats, safetensors


class ScanTest(CliTest):
    HOSTILE = b"cos\nsystem\n(S'true'\ntR."

    def scan_policy(self):
        public = (self.path / "k.pub").read_text().strip().splitlines()[-1]
        self.write("p.toml", f"""version = 1
key = [{{ name = "k", public = "{public}", roles = ["builder"], attests = ["https://safemodel.dev/scan/v1"] }}]
rule = [{{ models = "**", roles = {{ builder = 1 }}, attestations = [{{ type = "https://safemodel.dev/scan/v1" }}] }}]
""".encode())
        (self.path / "p.toml").chmod(0o600)
        return "p.toml"

    def test_a_scan_that_is_not_clean_is_not_attested(self):
        container = self.make_signed()
        policy = self.scan_policy()
        self.write("hostile.pkl", self.HOSTILE)
        before = (self.path / container).read_bytes()
        report = self.run_json("attest", container, "--scan", "hostile.pkl", "-k", "k.key", expect=1)
        self.assertEqual((report["code"], report["subject"]), ("scan_not_clean", "verdict dangerous"))
        self.assertEqual(report["input"], "hostile.pkl")
        self.run_cli("sign", "hostile.pkl", "-k", "k.key")
        envelope = (self.path / "hostile.pkl.envelope").read_bytes()
        report = self.run_json("attest", "hostile.pkl", "--scan", "hostile.pkl", "-k", "k.key", expect=1)
        self.assertEqual((report["code"], report["subject"]), ("scan_not_clean", "verdict dangerous"))
        self.assertEqual((self.path / "hostile.pkl.envelope").read_bytes(), envelope)
        for predicate in (b'{"verdict": "dangerous"}', b'{"verdict": "unknown"}', b"{}"):
            self.write("p.json", predicate)
            report = self.run_json("attest", container, "--predicate", "p.json", "--type", "scan", "-k", "k.key", expect=1)
            self.assertEqual(report["code"], "scan_not_clean")
        self.assertEqual((self.path / container).read_bytes(), before)
        self.run_cli("verify", container, "--policy", policy, expect=1)
        text = self.run_cli("attest", container, "--scan", "m.safetensors", "-k", "k.key").stdout
        self.assertIn(b"verdict    clean\n", text)
        self.run_cli("verify", container, "--policy", policy)

    def test_what_has_no_signature_yet_is_signed_first(self):
        self.make_signed()
        self.write("p.json", b"{}")
        for what, code, expect in (("m.safetensors", "no_signature", 1), ("missing", "not_found", 4)):
            refused = self.run_json("attest", what, "--predicate", "p.json", "--type", "slsa", "-k", "k.key", expect=expect)
            self.assertEqual(refused["code"], code)
        refused = self.run_json("attest", "m.safetensors", "--scan", "m.safetensors", "-k", "k.key", expect=1)
        self.assertIn("sign it first", refused["message"])
        self.run_cli("sign", "m.safetensors", "-k", "k.key")
        self.run_cli("attest", "m.safetensors", "--scan", "m.safetensors", "-k", "k.key")

    def test_a_predicate_that_cannot_be_read_says_why(self):
        container = self.make_signed()
        (self.path / "folder").mkdir()
        for file, code, why in (("missing", "not_found", "No such file"), ("folder", "read_failed", "Is a directory")):
            refused = self.run_json("attest", container, "--predicate", file, "--type", "slsa", "-k", "k.key", expect=4)
            self.assertEqual(refused["code"], code)
            self.assertIn(why, refused["subject"])

    def test_what_is_scanned_is_what_the_container_was_made_of(self):
        container = self.make_signed()
        self.write("other.safetensors", safetensors({"w": ("F32", [1], floats(1))}))
        before = (self.path / container).read_bytes()
        report = self.run_json("attest", container, "--scan", "other.safetensors", "-k", "k.key", expect=1)
        self.assertEqual((report["code"], report["input"]), ("other_source", "other.safetensors"))
        self.assertEqual((self.path / container).read_bytes(), before)
        self.write("p.json", json.dumps({"verdict": "clean", "source": {"digest": {"blake3": "00" * 32}}}).encode())
        report = self.run_json("attest", container, "--predicate", "p.json", "--type", "scan", "-k", "k.key", expect=1)
        self.assertEqual((report["code"], report["input"]), ("other_source", "p.json"))
        for source in ({}, {"digest": {}}, {"digest": {"md5": "00" * 16}}, {"digest": {"blake3": ""}}, {"digest": {"blake3": 7}}):
            self.write("p.json", json.dumps({"verdict": "clean", "source": source}).encode())
            report = self.run_json("attest", container, "--predicate", "p.json", "--type", "scan", "-k", "k.key", expect=2)
            self.assertEqual(report["code"], "source_not_named", source)
        self.assertEqual((self.path / container).read_bytes(), before)
        # The container itself may be scanned, by whatever path it goes.
        self.run_cli("attest", container, "--scan", f"./{container}", "-k", "k.key")
        self.run_cli("verify", container, "--policy", self.scan_policy())

    def test_a_file_is_scanned_itself(self):
        """Nobody records what a file was made of: a clean scan of another one says nothing about it."""
        self.make_signed()
        self.write("hostile.pkl", self.HOSTILE)
        self.write("good.pkl", b"N.")
        (self.path / "folder").mkdir()
        self.write("folder/hostile.pkl", self.HOSTILE)
        self.run_cli("sign", "hostile.pkl", "-k", "k.key")
        self.run_cli("sign", "good.pkl", "-k", "k.key")
        self.run_cli("sign", "folder", "-k", "k.key")
        self.run_cli("sign", "--set", "all.set", "m.safemodel", "-k", "k.key")
        self.write("p.json", b'{"verdict": "clean"}')
        before = self.listing()
        for subject in (["hostile.pkl"], ["folder"], ["all.set", "--set"]):
            for told in (["--scan", "good.pkl"], ["--predicate", "p.json", "--type", "scan"]):
                report = self.run_json("attest", *subject, *told, "-k", "k.key", expect=2)
                self.assertIn("by scanning that file itself", report["message"])
        # Neither is what it scans taken for what it is not.
        for itself in ("hostile.pkl", "folder", "all.set"):
            code = {"hostile.pkl": 1, "folder": 4, "all.set": 1}[itself]
            self.run_cli("attest", itself, "--scan", itself, "-k", "k.key", *(["--set"] if itself == "all.set" else []), expect=code)
        self.assertEqual(self.listing(), before)
        policy = self.scan_policy()
        self.run_cli("verify", "good.pkl", "--policy", policy, expect=1)
        self.run_cli("attest", "good.pkl", "--scan", "./good.pkl", "-k", "k.key")
        self.run_cli("verify", "good.pkl", "--policy", policy)

    def test_attestations_are_renewed_for_ever(self):
        container = self.make_signed()
        self.run_cli("keygen", "-o", "other", "--no-passphrase")
        self.write("p.json", b"{}")
        attest = ("attest", container, "--predicate", "p.json", "--type", "slsa", "-k")
        self.run_cli(*attest, "other.key")
        self.run_cli("attest", container, "--scan", "m.safetensors", "-k", "k.key")
        for _ in range(3):
            self.assertEqual(self.run_json(*attest, "k.key")["replaced_attestations"], 0)
        self.assertIn(b"replaced   3 earlier attestations of this type by this key\n", self.run_cli(*attest, "k.key", "--replace").stdout)
        # Those of others and of other types stay, and so do the signatures.
        seen = [s["code"] for s in self.run_json("verify", container, "--key", "k.pub")["files"][0]["signatures"]]
        self.assertEqual(sorted(seen), ["counted", "other_statement", "other_statement", "unknown_key"])
        for _ in range(60):
            self.run_cli(*attest, "other.key")
        full = self.run_json(*attest, "other.key", expect=3)
        self.assertEqual(full["code"], "many_statements")
        self.assertEqual(self.run_json(*attest, "other.key", "--replace")["replaced_attestations"], 61)
        self.run_cli("verify", container, "--policy", self.scan_policy())

    def test_a_scan_is_attested_as_a_scan(self):
        container = self.make_signed()
        self.write("hostile.pkl", self.HOSTILE)
        before = (self.path / container).read_bytes()
        for kind in ("slsa", "cyclonedx", "https://example.org/x"):
            report = self.run_json("attest", container, "--scan", "hostile.pkl", "--type", kind, "-k", "k.key", expect=2)
            self.assertIn("leave out --type", report["message"])
        self.assertEqual((self.path / container).read_bytes(), before)
        self.run_cli("attest", container, "--scan", "m.safetensors", "--type", "scan", "-k", "k.key")


if __name__ == "__main__":
    unittest.main()
