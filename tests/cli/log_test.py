#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The verb log, and sign --log, through the real program."""

import unittest

from cli_case import CliTest


class Log(CliTest):
    def setUp(self):
        super().setUp()
        self.make_signed()
        self.run_cli("keygen", "-o", "log", "--no-passphrase")
        self.run_cli("log", "init", "audit", "--origin", "example.com/models", "-k", "log.key")

    def sign(self, *extra):
        return self.run_json("sign", "m.safemodel", "-k", "k.key", "--log", "audit", "--log-key", "log.key", *extra)

    def test_sign_verify_query_check(self):
        report = self.sign("--ci-identity", "job\n\x1b[31m1")
        self.assertEqual(report["log"]["index"], 0)
        self.assertEqual(report["log"]["checkpoint"]["size"], 1)
        self.assertEqual(report["log"]["ci_identity"], "job\n\x1b[31m1")
        self.run_cli("verify", "m.safemodel", "--key", "k.pub")
        verified = self.run_json("log", "verify", "audit", "--log-key", "log.pub")
        self.assertEqual(verified["checkpoint"]["size"], 1)
        text = self.run_cli("log", "query", "audit", "--log-key", "log.pub", "--key", "k.pub").stdout
        self.assertIn(rb"job\x0a\x1b[31m1", text)
        self.assertEqual(self.run_cli("log", "query", "audit", "--log-key", "log.pub", "--key", "log.pub").stdout, b"")
        check = ("log", "check", "m.safemodel", "--key", "k.pub", "--log-key", "log.pub", "--origin")
        self.assertEqual(self.run_json(*check, "example.com/models")["logged"][0]["index"], 0)
        self.assertEqual(self.run_json(*check, "example.com/other", expect=1)["code"], "unknown_log")

    def test_add_prove_and_earlier_states(self):
        added = self.run_json("log", "add", "audit", "m.safemodel", "-k", "log.key", "--signer", "k.pub")
        self.assertEqual(len(added["added"]), 1)
        self.write("early", (self.path / "audit/checkpoint").read_bytes())
        self.sign()
        trust = ("audit", "--log-key", "log.pub")
        proof = self.run_cli("log", "prove", *trust, "--index", "1").stdout.decode()
        self.assertTrue(proof.startswith("c2sp.org/tlog-proof@v1\nextra "))
        self.assertIn("\nindex 1\n", proof)
        self.assertEqual(self.run_json("log", "prove", *trust, "--checkpoint", "early", "--consistency")["from"], 1)
        self.run_cli("log", "prove", *trust, "--container", "m.safemodel", "--checkpoint", "early", "--store")
        check = ("log", "check", "m.safemodel", "--key", "k.pub", "--log-key", "log.pub", "--origin", "example.com/models")
        self.assertEqual(self.run_json(*check, "--checkpoint", "early")["logged"][0]["checkpoint"]["size"], 1)
        self.assertEqual(self.run_json("log", "verify", *trust, "--checkpoint", "early")["compared"], True)
        self.run_cli("log", "prove", *trust, "--index", "9", expect=2)
        self.run_cli("log", "prove", *trust, expect=2)

    def test_refusals(self):
        self.sign()
        trust = ("audit", "--log-key", "log.pub")
        bundle = self.path / "audit/tile/entries/000.p/1"
        good = bundle.read_bytes()
        bundle.write_bytes(good.replace(b"builder", b"auditor"))
        report = self.run_json("log", "verify", *trust, expect=1)
        self.assertEqual((report["stage"], report["subject"]), ("digest_mismatch", "entry 0"))
        bundle.write_bytes(good)
        self.assertEqual(self.run_json("log", "verify", "audit", "--log-key", "k.pub", expect=1)["code"], "log_signature")
        self.run_cli("log", "verify", "nothing", "--log-key", "log.pub", expect=4)
        self.run_cli("log", "init", "audit", "--origin", "example.com/models", "-k", "log.key", expect=2)
        (self.path / "audit/checkpoint").write_text("x")
        self.run_cli("log", "verify", *trust, expect=3)

    def test_audit(self):
        self.sign()
        trust = ("audit", "--log-key", "log.pub")
        self.assertEqual(self.run_json("log", "audit", *trust, "--key", "k.pub")["findings"], [])
        self.run_cli("keygen", "-o", "other", "--no-passphrase")
        report = self.run_json("log", "audit", *trust, "--key", "other.pub", expect=1)
        self.assertEqual([finding["code"] for finding in report["findings"]], ["unknown_key"])

    def test_environment_of_the_job(self):
        environment = {"PATH": "/usr/bin", "CI_JOB_URL": "https://gitlab.example/j/7"}
        self.run_cli("sign", "m.safemodel", "-k", "k.key", "--log", "audit", "--log-key", "log.key", env=environment)
        entries = self.run_json("log", "query", "audit", "--log-key", "log.pub")["entries"]
        self.assertEqual(entries[0]["ci_identity"], "https://gitlab.example/j/7")


if __name__ == "__main__":
    unittest.main()
