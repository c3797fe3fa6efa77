# SPDX-License-Identifier: Apache-2.0
"""Mistakes of people at a command line: each is named, with what to do instead, and nothing is written."""

import os
import shutil
import subprocess
import unittest

from cli_case import CLI, CliTest, floats, safetensors


class MistakeTest(CliTest):
    def refused(self, *arguments, says, expect=2, **options):
        """What a refusal prints: every text of `says` is in it."""
        told = self.run_cli(*arguments, expect=expect, **options).stderr.decode()
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, told)
        return told


class WordTest(MistakeTest):
    def test_an_unknown_word_is_named_first_with_the_nearest_one(self):
        for arguments, said in (
            ("convret a b", "there is no verb convret; did you mean convert?\nTry: safemodel --help\n"),
            ("polcy check", "there is no verb polcy; did you mean policy?\nTry: safemodel --help\n"),
            ("frobnicate", "there is no verb frobnicate\nTry: safemodel --help\n"),
            ("log inti", "log has no verb inti; did you mean init?\nTry: safemodel log --help\n"),
            ("policy state shwo", "state has no verb shwo; did you mean show?\nTry: safemodel policy state --help\n"),
            ("convert --outptu x a", "convert has no option --outptu; did you mean --output?\nTry: safemodel convert --help\n"),
            ("verify m --polcy=p", "verify has no option --polcy; did you mean --policy?\nTry: safemodel verify --help\n"),
            ("log init", "DIR is required\nTry: safemodel log init --help\n"),
            ("policy state --json", "say what is to be done: show, init, set\nTry: safemodel policy state --help\n"),
            ("policy", "say what is to be done: check, revoke, deny, state\nTry: safemodel policy --help\n"),
        ):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.refused(*arguments.split(), says=""), "safemodel: " + said)
        self.assertIn("did you mean verify?", self.run_json("verfy", expect=2)["subject"])
        self.refused(says="say what is to be done: convert, keygen, sign")

    def test_the_value_of_an_option_is_no_unknown_word(self):
        self.assertIn("is required", self.refused("policy", "revoke", "--reason", "--lost", says=""))
        # A file may be called like what the parser answers.
        self.write("-h", b"x")
        self.run_cli("digest", "--", "-h", expect=3)

    def test_help_and_version_are_verbs_too(self):
        self.assertEqual(self.run_cli("help").stdout, self.run_cli("--help").stdout)
        self.assertEqual(self.run_cli("help", "log", "init").stdout, self.run_cli("log", "init", "--help").stdout)
        for words in (("version",), ("-V",), ("version", "help")):
            self.assertEqual(self.run_cli(*words).stdout, self.run_cli("--version").stdout)
        for words in (("help", "help"), ("help", "version"), ("help", "help", "version")):
            self.assertEqual(self.run_cli(*words).stdout, self.run_cli("--help").stdout)
        self.assertEqual(self.run_cli("help", "help", "log").stdout, self.run_cli("log", "--help").stdout)
        self.assertEqual(self.run_cli("log", "init", "-h").stdout, self.run_cli("log", "init", "--help").stdout)
        self.refused("help", "convret", says="did you mean convert?")
        for asked in ("--help", "-h", "--version", "-V"):
            self.refused(asked, "convret", says="did you mean convert?")
            self.refused("convret", asked, says="did you mean convert?")
            self.refused("log", "inti", asked, says="did you mean init?" if asked in ("--help", "-h") else "")

    def test_json_beside_help_and_version(self):
        version = self.run_cli("--version").stdout.decode().split()[1]
        for words in (("version",), ("--version",), ("-V",)):
            self.assertEqual(self.run_json(*words), {"ok": True, "version": version})
        self.assertEqual(self.run_cli("--json", "--version").stdout, self.run_cli("version", "--json").stdout)
        for words in (("help",), ("--help",), ("help", "policy"), ("policy", "state", "-h")):
            self.assertEqual(self.run_cli(*words, "--json").stdout, self.run_cli(*words).stdout)
        self.refused("policy", "--json", "check", says="policy has no option --json")

    def test_numbers_of_threads(self):
        self.make_signed()
        for verb in (["digest", "m.safetensors"], ["verify", "m.safemodel", "--key", "k.pub"], ["convert", "m.safetensors", "-o", "x.safemodel"],
                     ["sign", "m.safetensors", "-k", "k.key"]):
            for number in ("-1", "1.5", "x", "4294967296"):
                self.refused(*verb, "--threads", number, says="takes a whole number from 0 on, where 0 is one for each processor")
            self.run_cli(*verb, "--threads", "300")

    def test_half_an_expectation(self):
        self.make_signed()
        for verb in (["verify", "m.safemodel"], ["inspect", "m.safemodel"], ["export", "m.safemodel", "-o", "o.npz"]):
            for expected in ("m@", "@1", "@"):
                self.refused(*verb, "--key", "k.pub", "--expect", expected, says="empty")
        self.assertFalse((self.path / "o.npz").exists())

    def test_a_file_behind_a_key_is_a_file(self):
        self.make_signed()
        self.run_cli("export", "--key", "k.pub", "m.safemodel", "-o", "out.npz")
        self.run_cli("verify", "--key", "k.pub", "m.safemodel", "--quiet")


class OutputTest(MistakeTest):
    def test_help_on_a_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([CLI, "--help"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 4)
        self.assertIn(b"could not be written", result.stderr)

    def test_a_closed_pipe_is_no_news(self):
        self.make_signed(tensors={f"t{i:05}": ("F32", [1], floats(1)) for i in range(2000)})
        ours, theirs = os.pipe()
        os.close(ours)
        result = subprocess.run([CLI, "inspect", "m.safemodel", "--json"], cwd=self.path, stdout=theirs, stderr=subprocess.PIPE)
        os.close(theirs)
        self.assertEqual((result.returncode, result.stderr), (4, b""))

    def test_names_that_would_become_others(self):
        (self.path / "iris").mkdir()
        self.write("m.safetensors", safetensors({"w": ("F32", [2], floats(2))}))
        self.refused("keygen", "--no-passphrase", "-o", "iris/", says=["this is a folder", "iris/NAME"])
        self.refused("keygen", "--no-passphrase", "-o", "release.key", says=["without its ending", "[release]"])
        for verb in (["keygen", "--no-passphrase"], ["convert", "m.safetensors"], ["export", "m.safetensors"]):
            self.refused(*verb, "-o", "-", says="never to standard output")
        self.assertEqual(sorted(p.name for p in self.path.rglob("*")), ["iris", "m.safetensors"])

    def test_a_long_name_does_not_hide_the_reason(self):
        self.write("m.safetensors", safetensors({"w": ("F32", [2], floats(2))}))
        for name in ("n" * 250 + ".safemodel", "é" * 125 + ".safemodel"):
            told = self.refused("convert", "m.safetensors", "-o", name, says="File name too long]", expect=4)
            self.assertNotIn("\\x", told)


class InputTest(MistakeTest):
    def test_what_is_not_there_is_told_before_its_options_are_judged(self):
        self.run_cli("keygen", "-o", "k", "--no-passphrase")
        for options in ((), ("--name", "a/b", "--version", "3")):
            self.assertEqual(self.run_json("sign", "typo", *options, "-k", "k.key", expect=4)["code"], "not_found")

    def test_a_verdict_outranks_a_folder_without_weights(self):
        (self.path / "empty").mkdir()
        self.write("evil.pkl", b"cposix\nsystem\n(S'id'\ntR.")
        for files in (("empty", "evil.pkl"), ("evil.pkl", "empty")):
            self.assertEqual(self.run_json("digest", *files, expect=1)["exit"], 1)
        self.run_cli("digest", "empty", expect=2)
        self.run_cli("digest", "empty", "evil.pkl", "missing", expect=4)

    def test_what_is_exported_is_read_back(self):
        self.make_signed("two.safemodel", {"a": ("F32", [2], floats(2)), "A": ("F32", [2], floats(2))})
        refused = self.run_json("export", "two.safemodel", "-o", "two.npz", "--key", "k.pub", expect=3)
        self.assertEqual((refused["code"], sorted(refused["subject"].split(", "))), ("names_collide", ["A", "a"]))
        self.write("none.pkl", b"}.")
        self.run_cli("convert", "none.pkl", "-o", "none.safemodel", "--sign-with", "k.key")
        self.assertEqual(self.run_json("export", "none.safemodel", "-o", "none.npz", "--key", "k.pub", expect=3)["code"], "no_tensors")
        for container in ("two", "none"):
            self.run_cli("export", f"{container}.safemodel", "-o", f"{container}.safetensors", "--key", "k.pub")
            self.run_cli("digest", f"{container}.safetensors")
        self.assertEqual(list(self.path.glob("*.npz")), [])

    def test_a_link_to_a_container_is_not_signed_through(self):
        self.make_signed()
        os.symlink("m.safemodel", self.path / "latest.safemodel")
        self.run_cli("verify", "latest.safemodel", "--key", "k.pub")
        self.refused("sign", "latest.safemodel", "-k", "k.key", expect=4,
                     says=["this is a link; name the file that it leads to", str((self.path / "m.safemodel").resolve())])

    def test_a_link_to_its_own_folder(self):
        (self.path / "iris").mkdir()
        shutil.copy(self.path / self.weights(), self.path / "iris/a.safetensors")
        os.symlink(".", self.path / "iris/self")
        self.refused("convert", "iris", "-o", "o.safemodel", expect=1, says=["leads to the folder itself", "iris/self"])

    def weights(self):
        self.write("m.safetensors", safetensors({"w": ("F32", [2], floats(2))}))
        return "m.safetensors"

    def test_weights_may_be_named_with_their_folder(self):
        (self.path / "multi").mkdir()
        for name in ("a", "b"):
            shutil.copy(self.path / self.weights(), self.path / f"multi/{name}.safetensors")
        for i, (folder, path) in enumerate((("multi", "multi/a.safetensors"), ("multi/", "./multi/a.safetensors"), ("./multi", "a.safetensors"),
                                            (self.path / "multi", self.path / "multi/a.safetensors"))):
            report = self.run_json("convert", folder, "-o", f"o{i}.safemodel", "--weights", path)
            self.assertEqual(report["weights"], ["a.safetensors"])
        self.refused("convert", "multi", "-o", "x.safemodel", "--weights", "m.safetensors", says="the folder has no such file [m.safetensors]")

    def test_names_and_empty_folders_are_usage_everywhere(self):
        self.make_signed()
        (self.path / "empty").mkdir()
        for verb in (["convert", "m.safetensors", "-o", "x.safemodel"], ["sign", "m.safetensors", "-k", "k.key"],
                     ["sign", "--set", "s.set", "m.safemodel", "-k", "k.key"]):
            self.assertEqual(self.run_json(*verb, "--name", "a b", expect=2)["code"], "bad_model_name")
        self.run_cli("convert", "empty", "-o", "x.safemodel", expect=2)
        self.assertEqual(self.run_json("sign", "empty", "-k", "k.key", expect=2)["code"], "no_files")

    def test_errors_name_the_file_that_they_are_about(self):
        self.make_signed()
        self.write("bad.json", b"{bad")
        told = self.refused("attest", "m.safemodel", "-k", "k.key", "--type", "slsa", "--predicate", "bad.json", expect=3, says="at byte 1")
        self.assertTrue(told.startswith("safemodel: bad.json: the predicate is no JSON"), told)
        told = self.refused("sign", "--set", "s.set", "m.safemodel", "m.safetensors", "-k", "k.key", expect=3, says="")
        self.assertTrue(told.startswith("safemodel: m.safetensors: this is not a safemodel container"), told)
        self.refused("sign", "--set", "s.set", "m.safemodel", "./m.safemodel", "-k", "k.key", says="a container is named twice")
        self.refused("attest", "m.safemodel", "-k", "k.key", says="either --predicate FILE, or --scan SOURCE")
        self.write("good.json", b"{}")
        self.refused("attest", "m.safemodel", "-k", "k.key", "--predicate", "good.json", says="say with --type")

    def test_a_set_is_verified_as_one(self):
        self.make_signed()
        told = self.run_cli("sign", "--set", "all.set", "m.safemodel", "-k", "k.key").stdout
        self.assertIn(b"\nmembers    1 container\n", told)
        self.assertNotIn(b"0 bytes", told)
        self.refused("verify", "all.set", "--key", "k.pub", expect=1, says="(--set)")
        self.run_cli("verify", "all.set", "--set", "--key", "k.pub")


class LogTest(MistakeTest):
    def test_a_query_without_a_hit_says_so(self):
        self.make_signed()
        self.run_cli("keygen", "-o", "log", "--no-passphrase")
        self.run_cli("log", "init", "audit", "--origin", "example.com/m", "-k", "log.key")
        query = ["log", "query", "audit", "--log-key", "log.pub", "--model", "none"]
        result = self.run_cli(*query)
        self.assertEqual((result.stdout, result.stderr), (b"", b"no entry matches\n"))
        self.assertEqual(self.run_json(*query)["entries"], [])
        prove = ["log", "prove", "audit", "--log-key", "log.pub"]
        self.refused(*prove, says="give --index or --container")
        self.refused(*prove, "--index", "0", "--container", "m.safemodel", says="exclude each other")


if __name__ == "__main__":
    unittest.main()
