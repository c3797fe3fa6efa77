# SPDX-License-Identifier: Apache-2.0
"""Policies from the outside: what verify explains, and what policy check, revoke, deny and state do."""

import os
import unittest
from pathlib import Path

import transcript
from cli_case import CLI, CliTest


class PolicyTest(CliTest):
    def setUp(self):
        super().setUp()
        self.make_signed()  # acme/m or whatever the helper calls it, signed by k in role builder
        self.info = self.run_json("inspect", "m.safemodel")
        self.run_cli("keygen", "-o", "second", "--no-passphrase")

    def public(self, name):
        return (self.path / f"{name}.pub").read_text().split("\n")[1]

    def key(self, name, file, roles='["builder"]', more=""):
        return f'[[key]]\nname = "{name}"\npublic = "{self.public(file)}"\nroles = {roles}\n{more}'

    def policy(self, rules=None, head="version = 1\n", keys=None, more=""):
        keys = self.key("release", "k") if keys is None else keys
        rules = '[[rule]]\nmodels = "**"\nroles = { builder = 1 }\n' if rules is None else rules
        (self.path / "policy.toml").write_text(head + keys + rules + more)

    def verify(self, expect=0, *more):
        document = self.run_json("verify", "m.safemodel", "--policy", "policy.toml", *more, expect=expect)
        return document["files"][0]

    def test_verify_inspect_and_export_take_a_policy(self):
        self.policy()
        verdict = self.verify()
        self.assertEqual(verdict["rule"], "**")
        self.assertEqual(verdict["signatures"][0]["key_name"], "release")
        self.assertTrue(self.run_json("inspect", "m.safemodel", "--policy", "policy.toml")["authenticated"])
        self.run_cli("export", "m.safemodel", "-o", "out.safetensors", "--policy", "policy.toml")
        self.assertEqual(self.run_json("verify", "m.safemodel", "--policy", "policy.toml", "--key", "k.pub",
                                       expect=2)["code"], "bad_arguments")

    def test_what_is_wrong_with_a_policy_is_trouble_with_the_configuration(self):
        self.policy(more="hurry = true\n")
        for arguments in (["verify", "m.safemodel", "--policy", "policy.toml"], ["policy", "check", "policy.toml"],
                          ["export", "m.safemodel", "-o", "x.npz", "--policy", "policy.toml"]):
            document = self.run_json(*arguments, expect=6)
            self.assertEqual((document["stage"], document["code"]), ("config", "unknown_field"))
        self.assertEqual(self.run_json("policy", "check", "none.toml", expect=6)["code"], "not_found")

    def test_explain_names_what_is_missing_and_who_could_add_it(self):
        keys = self.key("release", "k") + self.key("boss", "second", '["approver"]')
        slsa = "https://slsa.dev/provenance/v1"
        keys += f'attests = ["{slsa}"]\n'
        self.policy('[[rule]]\nmodels = "**"\nroles = { builder = 1, approver = 1 }\n'
                    f'attestations = [{{ type = "{slsa}" }}]\n', keys=keys)
        verdict = self.verify(1)
        self.assertEqual(verdict["code"], "missing_role")
        self.assertEqual(verdict["missing"], [{"role": "approver", "keys": ["boss"]},
                                              {"attestation": slsa, "keys": ["boss"]}])
        text = self.run_cli("verify", "m.safemodel", "--policy", "policy.toml", "--explain", expect=1).stdout.decode()
        self.assertIn("missing    role approver; could sign: boss", text)
        self.assertIn("(release)", text)

    def test_nobody_is_told_to_sign_with_a_key_that_cannot(self):
        slsa = "https://slsa.dev/provenance/v1"
        self.run_cli("keygen", "-o", "third", "--no-passphrase")
        keys = self.key("release", "k") + self.key("alice", "second", '["approver"]', f'attests = ["{slsa}"]\n')
        keys += self.key("bob", "third", '["approver"]', 'valid_until = "2020-01-01T00:00:00Z"\n')
        self.policy(f'[[rule]]\nmodels = "**"\nroles = {{ builder = 1, approver = 1 }}\nattestations = [{{ type = "{slsa}" }}]\n', keys=keys)
        check = self.run_cli("policy", "check", "policy.toml").stdout.decode()
        self.assertIn("1 signature in role approver by: alice\n", check)  # bob has ended
        self.assertNotIn("unfillable_role", check)
        self.assertEqual(self.verify(1)["missing"][0], {"role": "approver", "keys": ["alice"]})
        self.run_cli("policy", "revoke", "policy.toml", "--key", "alice")
        self.assertEqual(self.verify(1)["missing"], [{"role": "approver", "keys": []}, {"attestation": slsa, "keys": []}])
        text = self.run_cli("verify", "m.safemodel", "--policy", "policy.toml", "--explain", expect=1).stdout.decode()
        self.assertIn("missing    role approver; could sign: no key of the policy that is left\n", text)
        check = self.run_cli("policy", "check", "policy.toml").stdout.decode()
        self.assertIn("1 signature in role approver by: nobody who still can\n", check)
        self.assertIn("approver for **: too few keys can still sign in a role that a rule asks for (unfillable_role)", check)

    def test_check_warns_of_shadowing(self):
        rule = '[[rule]]\nmodels = "{}"\nroles = {{ builder = 1 }}\n'
        self.policy(rule.format("acme/**") + rule.format("acme/prod") + rule.format("**"))
        document = self.run_json("policy", "check", "policy.toml")
        self.assertEqual([w["code"] for w in document["warnings"]], ["shadowed_rule"])
        self.assertIn("shadowed_rule", self.run_cli("policy", "check", "policy.toml").stdout.decode())

    def test_revoke_voids_a_key_and_keeps_comments(self):
        self.policy(head="# ours\nversion = 1\n")
        before = (self.path / "policy.toml").read_text()
        self.run_cli("policy", "revoke", "policy.toml", "--key", "release", "--reason", "leaked", "--except-before",
                     f"example.com/log,7,{'ab' * 32}")
        self.assertTrue((self.path / "policy.toml").read_text().startswith(before))
        self.assertEqual(self.verify(1)["code"], "revoked_key")
        self.assertEqual(self.run_json("policy", "revoke", "policy.toml", "--key", "release", expect=6)["code"],
                         "revoked_twice")
        for bad in ("log,7", "log,x," + "ab" * 32, "log,7," + "AB" * 32):
            self.run_cli("policy", "revoke", "policy.toml", "--key", "release", "--except-before", bad, expect=2)

    def test_a_key_that_the_policy_does_not_know_is_a_mistake_of_the_command_line(self):
        self.policy()
        before = (self.path / "policy.toml").read_bytes()
        refused = self.run_json("policy", "revoke", "policy.toml", "--key", "nosuch", expect=2)
        self.assertEqual(refused["code"], "no_such_key")
        self.assertEqual(refused["subject"], "nosuch; the policy has release")
        self.assertEqual((self.path / "policy.toml").read_bytes(), before)

    def test_what_is_revoked_or_denied_already_is_said_so(self):
        self.policy()
        self.run_cli("policy", "revoke", "policy.toml", "--key", "release")
        again = self.run_cli("policy", "revoke", "policy.toml", "--key", "release", expect=6)
        self.assertIn(b"the policy revokes this key already", again.stderr)
        self.run_cli("policy", "deny", "policy.toml", "m.safemodel")
        before = (self.path / "policy.toml").read_bytes()
        again = self.run_cli("policy", "deny", "policy.toml", "m.safemodel")
        self.assertIn(b"denies this already; nothing was changed", again.stderr)
        self.assertEqual((self.path / "policy.toml").read_bytes(), before)
        self.run_cli("policy", "deny", "policy.toml", "--content", "ab" * 32)
        self.assertNotEqual((self.path / "policy.toml").read_bytes(), before)

    def test_revoke_takes_the_file_of_a_key(self):
        self.policy()
        self.run_cli("policy", "revoke", "policy.toml", "--key", "k.pub")
        self.assertEqual(self.verify(1)["code"], "revoked_key")
        self.policy()
        self.run_cli("policy", "revoke", "policy.toml", "--key", "m.safemodel", expect=5)

    def test_deny_a_container_its_manifest_or_its_content(self):
        for what in (["m.safemodel"], ["--manifest", self.info["manifest_sha256"]],
                     ["--content", self.info["content_digest"]]):
            self.policy()
            self.verify()
            self.run_cli("policy", "deny", "policy.toml", *what)
            code = "denied_content" if "--content" in what else "denied_manifest"
            self.assertEqual(self.verify(1)["code"], code)
        self.assertEqual(self.verify(0, "--manifest-only")["denied_contents"], "not_checked")
        self.run_cli("policy", "deny", "policy.toml", expect=2)
        self.run_cli("policy", "deny", "policy.toml", "m.safemodel", "--content", "ab" * 32, expect=2)

    def test_how_denied_contents_were_compared(self):
        self.policy(more=f'[[denied]]\ncontent = "{"ab" * 32}"\n')
        for flags, word in ([["--manifest-only"], "not_checked"], [[], "stated"], [["--content"], "computed"]):
            self.assertEqual(self.verify(0, *flags)["denied_contents"], word)

    def test_rollback_state(self):
        self.policy(head='version = 1\nstate = "seen"\n')
        self.assertEqual(self.verify(6)["code"], "state_missing")
        self.run_cli("policy", "state", "init", "policy.toml")
        self.assertEqual(self.run_json("policy", "state", "init", "policy.toml", expect=2)["code"], "exists")
        self.assertEqual(self.verify(1)["code"], "unsequenced")
        for sequence in (5, 6):
            (self.path / "m.safemodel").unlink()
            self.run_cli("convert", "m.safetensors", "-o", "m.safemodel", "--name", "acme/m", "--version", "1",
                         "--sequence", sequence)
            self.run_cli("sign", "m.safemodel", "-k", "k.key")
            (self.path / f"m{sequence}").write_bytes((self.path / "m.safemodel").read_bytes())
            self.assertEqual(self.verify()["rollback"]["code"], "first_seen" if sequence == 5 else "newer")
        self.assertEqual(self.verify()["rollback"], {"code": "same", "highest": 6})
        self.run_cli("verify", "m5", "--policy", "policy.toml", expect=1)
        self.run_cli("export", "m5", "-o", "x.npz", "--policy", "policy.toml", expect=1)
        before = (self.path / "seen").read_bytes()
        refused = self.run_json("policy", "state", "set", "policy.toml", "nosuch/net", 3, expect=2)
        self.assertEqual((refused["code"], refused["subject"]), ("unknown_model", "nosuch/net; known: acme/m"))
        self.assertEqual((self.path / "seen").read_bytes(), before)
        self.run_cli("policy", "state", "set", "policy.toml", "acme/new", 3, "--add")
        self.assertIn(b"model 3 - acme/new\n", (self.path / "seen").read_bytes())
        self.run_cli("policy", "state", "set", "policy.toml", "acme/m", 5)
        self.run_cli("export", "m5", "-o", "x.npz", "--policy", "policy.toml")
        shown = self.run_json("policy", "state", "show", "policy.toml")
        self.assertEqual([(m["name"], m["sequence"]) for m in shown["models"]], [("acme/m", 5), ("acme/new", 3)])
        self.run_cli("policy", "state", "set", "policy.toml", "--newest", "2999-01-01")
        self.assertEqual(self.verify(1)["code"], "clock_behind")
        self.run_cli("policy", "state", "set", "policy.toml", "--newest", "now")
        self.verify()
        self.run_cli("policy", "state", "set", "policy.toml", expect=2)
        self.policy()
        self.assertEqual(self.run_json("policy", "state", "show", "policy.toml", expect=6)["code"], "no_state")

    def test_a_rollback_state_is_made_anew_only_on_purpose(self):
        """The messages name what works, and it does."""
        self.policy(head='version = 1\nstate = "seen"\n')
        self.run_cli("policy", "state", "init", "policy.toml")
        self.run_cli("policy", "state", "set", "policy.toml", "acme/m", 7, "--add")
        for damage in (None, b"", b"safemodel rollback state 1\nnewest 20", b"nonsense\n"):
            if damage is not None:
                self.write("seen", damage)
                refused = self.run_json("policy", "state", "show", "policy.toml", expect=6)
                self.assertEqual(refused["code"], "state_malformed")
                self.assertIn("safemodel policy state init POLICY --force", refused["message"])
                self.assertTrue(refused["subject"].endswith("seen"), refused)
                said = self.run_cli("policy", "state", "show", "policy.toml", expect=6).stderr
                self.assertEqual(said.count(b"seen"), 1, said)  # it is named once
                self.assertEqual(self.verify(6)["code"], "state_malformed")
            before = (self.path / "seen").read_bytes()
            refused = self.run_json("policy", "state", "init", "policy.toml", expect=2)
            self.assertEqual(refused["code"], "exists")
            self.assertIn("--force", refused["message"])
            self.assertEqual((self.path / "seen").read_bytes(), before)
            made = self.run_json("policy", "state", "init", "policy.toml", "--force")
            self.assertEqual(made["models"], [])
        self.assertIn(b"forgets which releases", b" ".join(self.run_cli("policy", "state", "init", "--help").stdout.split()))

    def log(self):
        self.run_cli("keygen", "-o", "log", "--no-passphrase")
        self.run_cli("log", "init", "audit", "--origin", "example.com/models", "-k", "log.key")
        return f'[[log]]\norigin = "example.com/models"\npublic = "{self.public("log")}"\n'

    def test_a_rule_may_want_signatures_to_be_logged(self):
        log = self.log()
        rule = '[[rule]]\nmodels = "**"\nroles = {{ builder = 1 }}\nlogged = {}\n'
        self.policy(rule.format("true"), more=log)
        verdict = self.verify(1)
        self.assertEqual((verdict["stage"], verdict["code"]), ("untrusted", "not_logged"))
        self.assertEqual([s["code"] for s in verdict["signatures"]], ["not_logged"])
        self.run_cli("export", "m.safemodel", "-o", "out.npz", "--policy", "policy.toml", expect=1)
        self.run_cli("log", "add", "audit", "m.safemodel", "-k", "log.key", "--signer", "k.pub")
        place = {"origin": "example.com/models", "index": 0}
        self.assertEqual(self.verify()["signatures"][0]["logged"], place)
        text = self.run_cli("verify", "m.safemodel", "--policy", "policy.toml", "--explain").stdout.decode()
        self.assertIn("counted  in example.com/models at 0\n", text)
        text = self.run_cli("policy", "check", "policy.toml").stdout.decode()
        self.assertIn("  each signature must be in a log: example.com/models\n", text)
        checked = self.run_json("policy", "check", "policy.toml")
        self.assertEqual(checked["rules"][0]["logged"], {"logs": ["example.com/models"], "witnesses": 0})
        self.assertEqual(checked["warnings"], [])
        self.policy(rule.format('"example.com/none"'), more=log)
        self.assertEqual(self.run_json("policy", "check", "policy.toml", expect=6)["code"], "unknown_log")
        self.policy(more=log)
        self.assertEqual([w["code"] for w in self.run_json("policy", "check", "policy.toml")["warnings"]], ["idle_log"])

    def guide(self, heading, until=None):
        """The transcript of the guide as it stands there, and as it is today."""
        (self.path / "bin").mkdir()
        (self.path / "bin" / "safemodel").symlink_to(Path(CLI).resolve())
        environment = {**os.environ, "PATH": f"{self.path}/bin:{os.environ['PATH']}"}
        guide = transcript.block("policy.md", heading).split(until)[0] if until else transcript.block("policy.md", heading)
        self.assertIn("(exit 1)", guide)
        now = transcript.run(guide, self.path, environment)
        return transcript.same_everywhere(guide), transcript.same_everywhere(now)

    def test_the_guide_signs_a_policy(self):
        self.policy()
        self.run_cli("keygen", "-o", "security", "--no-passphrase")
        self.run_cli("keygen", "-o", "release", "--no-passphrase")
        self.assertEqual(*self.guide("Signing the policy itself"))

    def test_the_guide_revokes_a_key(self):
        rule = '[[rule]]\nmodels = "**"\nroles = { builder = 1, approver = 1 }\n'
        self.policy(rule, keys=self.key("release-2026", "k") + self.key("review", "second", '["approver"]'))
        (self.path / "m.safemodel").rename(self.path / "net.safemodel")
        self.run_cli("sign", "net.safemodel", "-k", "second.key", "--role", "approver")
        self.run_cli("verify", "net.safemodel", "--policy", "policy.toml")
        self.assertEqual(*self.guide("Incidents", "$ safemodel policy state"))


if __name__ == "__main__":
    unittest.main()
