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
        self.write("m.bin", b"x")
        self.run_cli("sign", "m.bin", "-k", "k.key")
        envelope = (self.path / "m.bin.envelope").read_bytes()
        report = self.run_json("attest", "m.bin", "--scan", "hostile.pkl", "-k", "k.key", expect=1)
        self.assertEqual((report["code"], report["subject"]), ("scan_not_clean", "verdict dangerous"))
        self.assertEqual((self.path / "m.bin.envelope").read_bytes(), envelope)
        for predicate in (b'{"verdict": "dangerous"}', b'{"verdict": "unknown"}', b"{}"):
            self.write("p.json", predicate)
            report = self.run_json("attest", container, "--predicate", "p.json", "--type", "scan", "-k", "k.key", expect=1)
            self.assertEqual(report["code"], "scan_not_clean")
        self.assertEqual((self.path / container).read_bytes(), before)
        self.run_cli("verify", container, "--policy", policy, expect=1)
        text = self.run_cli("attest", container, "--scan", "m.safetensors", "-k", "k.key").stdout
        self.assertIn(b"verdict    clean\n", text)
        self.run_cli("verify", container, "--policy", policy)

    def test_what_is_scanned_is_what_the_container_was_made_of(self):
        container = self.make_signed()
        self.write("other.safetensors", safetensors({"w": ("F32", [1], floats(1))}))
        before = (self.path / container).read_bytes()
        report = self.run_json("attest", container, "--scan", "other.safetensors", "-k", "k.key", expect=1)
        self.assertEqual(report["code"], "other_source")
        self.assertEqual((self.path / container).read_bytes(), before)
        self.write("p.json", json.dumps({"verdict": "clean", "source": {"digest": {"blake3": "00" * 32}}}).encode())
        report = self.run_json("attest", container, "--predicate", "p.json", "--type", "scan", "-k", "k.key", expect=1)
        self.assertEqual(report["code"], "other_source")
        # The container itself may be scanned, by whatever path it goes.
        self.run_cli("attest", container, "--scan", f"./{container}", "-k", "k.key")
        self.run_cli("verify", container, "--policy", self.scan_policy())


if __name__ == "__main__":
    unittest.main()
