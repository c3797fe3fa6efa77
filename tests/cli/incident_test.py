#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/runbook.md, from the leaked key to the fleet that is signed anew: its own commands, on a hundred containers."""

import json
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from cli_case import CLI, CliTest, floats, safetensors

RUNBOOK = Path(os.environ.get("SAFEMODEL_SOURCE_DIR", Path(__file__).parents[2])) / "docs" / "runbook.md"
FLEET = 100


def blocks():
    """The commands of the runbook by their names."""
    found = re.findall(r"^```sh incident: ([a-z ]+)\n(.*?)^```", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    return dict(found)


class Incident(CliTest):
    def setUp(self):
        super().setUp()
        self.blocks = blocks()
        self.ran = set()
        (self.path / "bin").mkdir()
        (self.path / "bin" / "safemodel").symlink_to(Path(CLI).resolve())
        (self.path / "models").mkdir()
        (self.path / "checkpoints").mkdir()
        for key in ("release", "log"):
            self.run_cli("keygen", "-o", key, "--no-passphrase")
        self.run_cli("log", "init", "audit", "--origin", "example.com/models", "-k", "log.key")

    def block(self, name, expect=0):
        """Runs a block of the runbook as it stands there."""
        self.ran.add(name)
        environment = {**os.environ, "PATH": f"{self.path}/bin:{os.environ['PATH']}"}
        result = subprocess.run(["bash", "-euo", "pipefail", "-c", self.blocks[name]], cwd=self.path, env=environment,
                                capture_output=True, timeout=60)
        self.assertEqual(result.returncode, expect, name + ": " + (result.stdout + result.stderr).decode()[-2000:])
        return result.stdout.decode(), result.stderr.decode()

    def container(self, path, name, value=0.0):
        self.write("w.safetensors", safetensors({"w": ("F32", [4], floats(3) + floats(1)), "id": ("U8", [8], name.encode()[-8:])}))
        self.run_cli("convert", "w.safetensors", "-o", path, "--name", name, "--version", "1", "--sequence", 1)
        return path

    def sign(self, path, *more, log=True):
        logging = ("--log", "audit", "--log-key", "log.key") if log else ()
        self.run_cli("sign", path, "-k", "release.key", *logging, *more)

    def fleet(self):
        for number in range(FLEET):
            more = ("--role", "approver") if number == 1 else ()
            self.sign(self.container(f"models/model-{number:03}.safemodel", f"acme/model-{number:03}"), *more)
        # One of them is signed in two roles, one asks for another role and has an end.
        self.sign("models/model-001.safemodel")
        self.sign(self.container("asks.safemodel", "acme/model-ask"), "--requires", "approver", "--not-after", "2999-01-01")

    def attack(self):
        """What somebody does with the key: signs in secret, logs, and signs a container of the fleet in another role."""
        self.container("evil-secret.safemodel", "acme/evil-sec")
        self.sign("evil-secret.safemodel", log=False)
        self.sign(self.container("evil-logged.safemodel", "acme/evil-log"))
        self.sign("models/model-002.safemodel", "--role", "approver")

    def policy(self, name, *keys, more=""):
        text = 'version = 1\nstate = "policy.seen"\n' + more
        for key in keys:
            public = (self.path / f"{key}.pub").read_text().split("\n")[1]
            text += f'[[key]]\nname = "{key}"\npublic = "{public}"\nroles = ["builder", "approver"]\n'
        text += '[[rule]]\nmodels = "**"\nroles = { builder = 1 }\n'
        public = (self.path / "log.pub").read_text().split("\n")[1]
        (self.path / name).write_text(text + f'[[log]]\norigin = "example.com/models"\npublic = "{public}"\n')

    def trust_new_key(self):
        text = (self.path / "policy.toml").read_text()
        public = (self.path / "release-2.pub").read_text().split("\n")[1]
        key = f'[[key]]\nname = "release-2"\npublic = "{public}"\nroles = ["builder", "approver"]\n'
        (self.path / "policy.toml").write_text(text.replace("[[rule]]", key + "[[rule]]", 1))

    def verify(self, policy, *files, expect):
        document = self.run_json("verify", *files, "--policy", policy, expect=expect)
        return {Path(one["file"]).name: one.get("code", "ok") if not one["ok"] else "ok" for one in document["files"]}

    def names(self):
        return sorted(str(p.relative_to(self.path)) for p in (self.path / "models").glob("*.safemodel"))

    def resign(self, *files, expect=0, key="release-2.key"):
        return self.run_json("sign", "--from-log", "audit", "--before", "checkpoints/before", "--signed-by", "release.pub",
                             "--log-key", "log.pub", "-k", key, *files, expect=expect)

    def test_runbook(self):
        self.fleet()
        self.policy("policy.toml", "release")
        self.run_cli("policy", "state", "init", "policy.toml")
        fleet = self.names()
        self.assertEqual(set(self.verify("policy.toml", *fleet, expect=0).values()), {"ok"})
        self.block("routine")
        (kept,) = (self.path / "checkpoints").iterdir()
        shutil.copy(kept, self.path / "checkpoints" / "before")
        self.attack()
        evil = ["evil-secret.safemodel", "evil-logged.safemodel"]
        self.assertEqual(set(self.verify("policy.toml", *evil, expect=0).values()), {"ok"})  # that is the incident
        shutil.copy(self.path / "policy.toml", self.path / "kept.toml")
        shutil.copytree(self.path / "models", self.path / "elsewhere")

        self.block("revoke")
        self.assertEqual(set(self.verify("policy.toml", *fleet, *evil, expect=1).values()), {"revoked_key"})
        listed, _ = self.block("query")
        self.assertEqual(len(re.findall(r"^ +\d+  ", listed, re.MULTILINE)), FLEET + 2 + 2)
        self.block("new key")
        self.trust_new_key()

        # The thief's containers lie in the same folder, as they would.
        for name in evil:
            shutil.copy(self.path / name, self.path / "models" / name)
        shutil.copy(self.path / "asks.safemodel", self.path / "models" / "model-ask.safemodel")
        text, errors = self.block("resign", expect=1)
        self.assertIn(f"{FLEET + 1} signed, 0 already signed, 2 skipped", text)
        self.assertIn("evil-secret.safemodel: the log has no statement", errors)
        self.assertIn("not_logged", errors)
        self.assertIn("logged_after_checkpoint", errors)
        for name in evil:
            self.assertEqual((self.path / name).read_bytes(), (self.path / "models" / name).read_bytes())
            (self.path / "models" / name).unlink()
        self.roles_are_those_before_the_leak()

        (self.path / "models" / "model-ask.safemodel").unlink()
        self.assertEqual(set(self.verify("policy.toml", *fleet, expect=0).values()), {"ok"})
        self.assertEqual(set(self.verify("policy.toml", *evil, expect=1).values()), {"revoked_key"})
        again = self.resign("models")
        self.assertEqual((again["signed"], again["already_signed"], again["skipped"]), (0, FLEET, 0))

        self.old_signatures_are_kept()
        self.block("check")
        self.block("log key")
        self.assertEqual(self.run_json("log", "query", "audit-2", "--log-key", "log-2.pub")["checkpoint"]["size"], FLEET + 1)
        shutil.copy(self.path / fleet[5], self.path / "bad.safemodel")
        self.block("deny")
        self.assertEqual(self.verify("policy.toml", fleet[5], expect=1), {"model-005.safemodel": "denied_manifest"})
        shown, _ = self.block("sequence")
        self.assertIn("acme/model-000", shown)
        _, noted = self.block("end")
        self.assertEqual(noted, "")
        signatures = self.run_json("inspect", fleet[0])["signatures"]
        ends = [s["not_after"] for s in signatures if s["key_id"] == signatures[-1]["key_id"]]
        self.assertEqual([bool(end) for end in ends], [True])  # no endless one is left
        self.verify("policy.toml", fleet[0], expect=0)
        self.assertEqual(self.ran, set(self.blocks))  # nothing in the runbook is untried

    def roles_are_those_before_the_leak(self):
        new = self.key_id("release-2")

        def signed(file):
            return sorted(s["role"] for s in self.run_json("inspect", file)["signatures"] if s["key_id"] == new)

        self.assertEqual(signed("models/model-000.safemodel"), ["builder"])
        self.assertEqual(signed("models/model-001.safemodel"), ["approver", "builder"])
        self.assertEqual(signed("models/model-002.safemodel"), ["builder"])  # the thief approved it
        asks = self.run_json("inspect", "models/model-ask.safemodel")["signatures"][-1]
        self.assertTrue(asks["not_after"].startswith("2999-01-01"))
        self.assertEqual(self.verify("policy.toml", "models/model-ask.safemodel", expect=1)["model-ask.safemodel"],
                         "missing_required_role")

    def key_id(self, name):
        return self.run_json("sign", self.container(f"id-{name}.safemodel", "acme/key-name"), "-k", f"{name}.key")["key_id"]

    def old_signatures_are_kept(self):
        """Step 5, on copies that only the old key has signed."""
        shutil.move(self.path / "models", self.path / "new")
        shutil.move(self.path / "elsewhere", self.path / "models")
        shutil.copy(self.path / "evil-logged.safemodel", self.path / "models-evil")
        self.block("proofs")
        verdicts = self.verify("kept.toml", *self.names(), "evil-logged.safemodel", "evil-secret.safemodel", expect=1)
        self.assertEqual({name for name, code in verdicts.items() if code != "ok"},
                         {"evil-logged.safemodel", "evil-secret.safemodel"})
        shutil.rmtree(self.path / "models")
        shutil.move(self.path / "new", self.path / "models")


class Resign(Incident):
    """What sign --from-log refuses, on a fleet of one."""

    test_runbook = None

    def setUp(self):
        super().setUp()
        self.run_cli("keygen", "-o", "release-2", "--no-passphrase")
        self.sign(self.container("m.safemodel", "acme/model-one"))
        shutil.copy(self.path / "audit" / "checkpoint", self.path / "checkpoints" / "before")

    def code(self, *files, expect=1, **options):
        document = self.resign(*files, expect=expect, **options)
        return document["code"] if "code" in document else document["files"][0].get("code")

    def test_denied(self):
        self.policy("policy.toml", "release")
        self.run_cli("policy", "deny", "policy.toml", "m.safemodel")
        self.assertEqual(self.code("m.safemodel", "--policy", "policy.toml"), "denied_manifest")
        self.policy("policy.toml", "release")
        content = self.run_json("inspect", "m.safemodel")["content_digest"]
        self.run_cli("policy", "deny", "policy.toml", "--content", content)
        self.assertEqual(self.code("m.safemodel", "--policy", "policy.toml"), "denied_content")
        self.policy("policy.toml", "release", "release-2")
        self.run_cli("policy", "revoke", "policy.toml", "--key", "release-2")
        self.assertEqual(self.code("m.safemodel", "--policy", "policy.toml"), "revoked_key")

    def test_statement_taken_out_of_the_envelope(self):
        shutil.copy(self.path / "m.safemodel", self.path / "bare.safemodel")
        data = (self.path / "m.safemodel").read_bytes()
        size = self.run_json("inspect", "m.safemodel")["core_bytes"]
        (self.path / "bare.safemodel").write_bytes(data[:size])
        self.assertEqual(self.code("bare.safemodel"), "no_old_statement")
        manifest = self.run_json("inspect", "bare.safemodel")["manifest_sha256"]
        self.run_cli("sign", "bare.safemodel", "-k", "release-2.key", "--manifest", "ab" * 32, expect=1)
        self.run_cli("sign", "bare.safemodel", "-k", "release-2.key", "--manifest", manifest)
        self.run_cli("verify", "bare.safemodel", "--key", "release-2.pub")

    def test_checkpoints_that_say_nothing(self):
        before = (self.path / "checkpoints" / "before")
        good = before.read_bytes()
        self.run_cli("log", "init", "other", "--origin", "example.com/models", "-k", "log.key")
        self.run_cli("sign", self.container("o.safemodel", "acme/model-two"), "-k", "release.key", "--log", "other",
                     "--log-key", "log.key")
        before.write_bytes((self.path / "other" / "checkpoint").read_bytes())
        self.assertEqual(self.code("m.safemodel"), "log_fork")
        before.write_bytes(good.replace(b"\n1\n", b"\n2\n"))
        self.assertEqual(self.code("m.safemodel"), "log_signature")
        before.write_bytes(good)
        bundle = self.path / "audit/tile/entries/000.p/1"
        bundle.write_bytes(bundle.read_bytes().replace(b"builder", b"auditor"))
        self.resign("m.safemodel", expect=1)
        self.run_cli("verify", "m.safemodel", "--key", "release-2.pub", expect=1)

    def test_same_key_other_key_and_arguments(self):
        self.assertEqual(self.code("m.safemodel", expect=2, key="release.key"), "same_key")
        base = ("sign", "m.safemodel", "-k", "release-2.key")
        log = ("--from-log", "audit", "--before", "checkpoints/before", "--signed-by", "release.pub")
        for bad in (log, log[:4] + ("--log-key", "log.pub"), log + ("--log-key", "log.pub", "--role", "scanner"),
                    log + ("--log-key", "log.pub", "--manifest", "ab" * 32), ("--before", "checkpoints/before"),
                    ("--manifest", "xyz"), ("m.safemodel",)):
            self.run_cli(*base, *bad, expect=2)
        document = self.run_json(*base, "--from-log", "audit", "--before", "checkpoints/before", "--signed-by",
                                 "log.pub", "--log-key", "log.pub", expect=1)
        self.assertEqual(document["files"][0]["code"], "not_logged")

    def test_folders_and_faults_are_told_one_by_one(self):
        (self.path / "some").mkdir()
        shutil.copy(self.path / "m.safemodel", self.path / "some" / "b.safemodel")
        (self.path / "some" / "a.safemodel").write_bytes(b"no container")
        (self.path / "some" / "link.safemodel").symlink_to("../m.safemodel")
        (self.path / "some" / "notes.txt").write_text("x")
        document = self.resign("some", "missing.safemodel", expect=4)
        self.assertEqual([(Path(f["file"]).name, f["outcome"]) for f in document["files"]],
                         [("a.safemodel", "skipped"), ("b.safemodel", "signed"), ("missing.safemodel", "skipped")])
        (self.path / "empty").mkdir()
        self.assertEqual(self.code("empty", expect=2), "no_containers")

    def test_the_end_of_the_old_signature_is_kept(self):
        self.sign(self.container("old.safemodel", "acme/model-old"), "--not-after", "2999-01-01")
        shutil.copy(self.path / "audit" / "checkpoint", self.path / "checkpoints" / "before")
        self.resign("old.safemodel")
        signature = self.run_json("inspect", "old.safemodel")["signatures"][-1]
        self.assertTrue(signature["not_after"].startswith("2999"))


if __name__ == "__main__":
    unittest.main()
