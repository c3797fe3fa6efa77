# SPDX-License-Identifier: Apache-2.0
"""The contract of the command line: exit codes, output rules, and that nothing is written on failure."""

import json
import os
import re
import resource
import signal
import stat
import subprocess
import time
import unittest
from pathlib import Path

from cli_case import CLI, CliTest, floats, holders, safetensors


class MainPathTest(CliTest):
    def test_convert_sign_verify_export(self):
        self.write("m.safetensors", safetensors({"w": ("F32", [4, 8], floats(32))}, {"format": "pt"}))
        self.run_cli("keygen", "-o", "k", "--no-passphrase")
        report = self.run_json("convert", "m.safetensors", "-o", "m.safemodel", "--name", "team/m", "--version", "3", "--sequence", "7", "--metadata", "license=MIT")
        self.assertEqual((report["name"], report["version"], report["sequence"], report["layout"]), ("team/m", "3", 7, "safetensors"))
        self.run_cli("verify", "m.safemodel", "--key", "k.pub", expect=1)
        signed = self.run_json("sign", "m.safemodel", "-k", "k.key")
        self.assertEqual(signed["signatures"], 1)
        verdict = self.run_json("verify", "m.safemodel", "--key", "k.pub", "--expect", "team/m@3", "--content")
        self.assertTrue(verdict["ok"])
        self.assertEqual(verdict["files"][0]["manifest_sha256"], report["manifest_sha256"])
        self.assertEqual(verdict["files"][0]["metadata"]["license"], "MIT")
        self.run_cli("export", "m.safemodel", "-o", "out.safetensors", "--key", "k.pub")
        digests = self.run_json("digest", "m.safetensors", "m.safemodel", "out.safetensors")
        self.assertEqual(len({entry["tensor_digest"] for entry in digests["files"]}), 1)

    def test_several_signatures_stand_side_by_side(self):
        self.make_signed()
        self.run_cli("keygen", "-o", "second", "--no-passphrase")
        self.assertEqual(self.run_json("sign", "m.safemodel", "-k", "second.key")["signatures"], 2)
        for key in ("k.pub", "second.pub"):
            self.run_cli("verify", "m.safemodel", "--key", key)

    def test_signing_leaves_the_core_alone(self):
        self.make_signed()
        before = (self.path / "m.safemodel").read_bytes()
        core = self.run_json("inspect", "m.safemodel")["core_bytes"]
        self.run_cli("sign", "m.safemodel", "-k", "k.key", "--role", "approver")
        self.assertEqual((self.path / "m.safemodel").read_bytes()[:core], before[:core])

    def test_detached_envelope(self):
        self.make_signed()
        core = self.run_json("inspect", "m.safemodel")["core_bytes"]
        self.run_cli("sign", "m.safemodel", "-k", "k.key", "--detached")
        self.assertTrue((self.path / "m.safemodel.envelope").exists())
        self.assertGreaterEqual((self.path / "m.safemodel").stat().st_size, core)
        self.run_cli("verify", "m.safemodel", "--key", "k.pub")
        self.write("m.safemodel.envelope", b"torn")
        self.run_cli("verify", "m.safemodel", "--key", "k.pub", expect=3)


class ExampleTest(CliTest):
    def test_the_example_of_the_documentation_loads_what_is_signed(self):
        example = Path(CLI).with_name("load_example")
        self.make_signed(name="m.safemodel")
        self.run_cli("keygen", "-o", "stranger", "--no-passphrase")
        run = lambda key, name: subprocess.run([example, "m.safemodel", key, name], cwd=self.path, capture_output=True)
        loaded = run("k.pub", "m")
        self.assertEqual(loaded.returncode, 0, loaded.stderr)
        self.assertEqual([line.split()[0] + line.split()[-1] for line in loaded.stdout.decode().splitlines()], ["f32b", "f32w"])
        self.assertEqual(run("stranger.pub", "m").returncode, 1)
        self.assertEqual(run("k.pub", "other").returncode, 1)


class ExitCodeTest(CliTest):
    def test_usage(self):
        self.run_cli(expect=2)
        self.run_cli("verify", expect=2)
        self.run_cli("convert", "a", "b", "-o", "c", expect=2)
        self.run_cli("frobnicate", expect=2)
        self.assertEqual(self.run_json("verify", expect=2)["code"], "bad_arguments")

    def test_an_empty_value_is_never_taken_for_none(self):
        self.make_signed()
        self.write("weights.bin", b"GGUF")
        before = self.listing()
        for arguments in (["sign", "weights.bin", "-k", "k.key", "--name", ""], ["sign", "weights.bin", "-k", "k.key", "--version="],
                          ["sign", "m.safemodel", "-k", "k.key", "--requires", ""], ["verify", "m.safemodel", "--policy", "", "--key", "k.pub"],
                          ["convert", "m.safetensors", "-o", "new.safemodel", "--name", ""], ["policy", "check", ""],
                          ["log", "init", "audit", "--origin", "", "-k", "k.key"]):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.run_json(*arguments, expect=2)["code"], "bad_arguments")
        self.assertEqual(self.listing(), before)
        self.assertFalse((self.path / "audit").exists())

    def test_help_is_no_error(self):
        for verb in ("convert", "keygen", "sign", "verify", "inspect", "export", "digest", "encrypt", "decrypt", "reencrypt", "recipients"):
            self.assertIn(b"Usage", self.run_cli(verb, "--help").stdout)
        self.run_cli("--version")

    def test_missing_and_special_files(self):
        self.run_cli("keygen", "-o", "k", "--no-passphrase")
        os.mkfifo(self.path / "fifo")
        os.symlink("loop", self.path / "loop")
        for name in ("missing", "fifo", "loop", ".", "/dev/zero"):
            # A folder is signed as it lies, or not.
            verdict = self.run_json("verify", name, "--key", "k.pub", expect=1 if name == "." else 4)["files"][0]
            self.assertEqual(verdict["stage"], "untrusted" if name == "." else "io")
            self.assertEqual(self.run_json("convert", name, "-o", "out.safemodel", expect=4)["stage"], "io")

    def test_empty_and_foreign_files(self):
        self.run_cli("keygen", "-o", "k", "--no-passphrase")
        self.write("empty", b"")
        self.write("text", b"hello world, this is not a model\n" * 10)
        for name in ("empty", "text"):
            # It is no container, so it is a file that nobody signed; what is called a container must be one.
            self.assertEqual(self.run_json("verify", name, "--key", "k.pub", expect=1)["files"][0]["code"], "no_signature")
            self.write(name + ".safemodel", (self.path / name).read_bytes())
            self.run_cli("verify", name + ".safemodel", "--key", "k.pub", expect=3)
            self.run_cli("convert", name, "-o", "out.safemodel", expect=3)
        self.assertFalse((self.path / "out.safemodel").exists())

    def test_refusals(self):
        self.make_signed()
        self.run_cli("keygen", "-o", "stranger", "--no-passphrase")
        self.assertEqual(self.run_json("verify", "m.safemodel", expect=1)["code"], "no_policy")
        self.run_cli("verify", "m.safemodel", "--key", "stranger.pub", expect=1)
        self.run_cli("verify", "m.safemodel", "--key", "k.pub", "--expect", "other", expect=1)
        self.run_cli("verify", "m.safemodel", "--key", "k.pub", "--expect", "m@9", expect=1)
        self.run_cli("verify", "m.safemodel", "--key", "k.pub", "--expect", "m@0")

    def test_key_trouble(self):
        self.make_signed()
        self.write("bad.pub", b"not a key\n")
        self.run_cli("verify", "m.safemodel", "--key", "bad.pub", expect=5)
        self.run_cli("sign", "m.safemodel", "-k", "bad.pub", expect=5)
        self.run_cli("sign", "m.safemodel", "-k", "missing.key", expect=4)

    def test_inspect_with_a_key_is_trusted_or_fails(self):
        self.make_signed()
        self.run_cli("keygen", "-o", "stranger", "--no-passphrase")
        self.run_cli("convert", "m.safetensors", "-o", "unsigned.safemodel")
        trusted = self.run_json("inspect", "m.safemodel", "--key", "k.pub", "--expect", "m")
        self.assertEqual((trusted["ok"], trusted["exit"], trusted["authenticated"]), (True, 0, True))
        unchecked = self.run_json("inspect", "m.safemodel")
        self.assertEqual((unchecked["ok"], unchecked["exit"], unchecked["authenticated"]), (True, 0, False))
        for file, arguments, code in (
            ("m.safemodel", ["--key", "stranger.pub"], "unknown_key"),
            ("m.safemodel", ["--key", "k.pub", "--expect", "other"], "unexpected_model"),
            ("unsigned.safemodel", ["--key", "k.pub"], "no_signature"),
        ):
            with self.subTest(code=code):
                answer = self.run_json("inspect", file, *arguments, expect=1)
                self.assertEqual((answer["ok"], answer["code"], answer["exit"], answer["authenticated"]), (False, code, 1, False))
                self.assertEqual(sorted(t["name"] for t in answer["tensors"]), ["b", "w"])
                shown = self.run_cli("inspect", file, *arguments, "--tensors", expect=1)
                self.assertRegex(shown.stdout, rb"NOT (TRUSTED|SIGNED)")
                self.assertIn(b"2 tensors", shown.stdout)
                self.assertIn(f": {code})".encode(), shown.stderr)
        self.run_cli("sign", "m.safemodel", "-k", "stranger.key")
        self.run_cli("inspect", "m.safemodel", "--key", "stranger.pub")
        self.write("bad.pub", b"not a key\n")
        self.assertEqual(self.run_json("inspect", "m.safemodel", "--key", "bad.pub", expect=5)["stage"], "key")
        self.assertEqual(self.run_json("inspect", "m.safemodel", "--expect", "m", expect=2)["code"], "expect_needs_key")

    def test_skipping_verification_excludes_what_is_verified_by(self):
        self.make_signed()
        for arguments in (["--key", "k.pub"], ["--expect", "m"]):
            self.assertEqual(self.run_json("export", "m.safemodel", "-o", "o.npz", "--insecure-skip-verification", *arguments, expect=2)["code"], "bad_arguments")
        self.assertFalse((self.path / "o.npz").exists())
        self.run_cli("export", "m.safemodel", "-o", "o.npz", "--insecure-skip-verification")

    def test_times_are_real(self):
        self.make_signed()
        sign = ["sign", "m.safemodel", "-k", "k.key", "--role", "approver", "--not-after"]
        for text in ("2027-02-31", "2027-02-29", "2027-04-31T00:00:00Z", "2027-13-01", "2027-01-00", "2027-1-1", " 2027-01-01", "2027-01-01T24:00:00Z", "2027-01-01T00:00:60Z", "2027-01-01T00:00:00", "2027-01-01 00:00:00Z", "12027-01-01", "2027-01-01x", "d", "-1d", "1234567d"):
            with self.subTest(text=text):
                self.assertEqual(self.run_json(*sign[:-1], f"--not-after={text}", expect=2)["code"], "bad_time")
        for text in ("2096-02-29", "2097-12-31T23:59:59Z", "90d"):
            self.run_cli(*sign, text)
        self.assertEqual([s["not_after"][:10] for s in self.run_json("inspect", "m.safemodel")["signatures"]][1:3], ["2096-02-29", "2097-12-31"])

    def test_the_gravest_exit_code_of_several_files_wins(self):
        self.make_signed()
        self.write("cut", (self.path / "m.safemodel").read_bytes()[:100])
        self.run_cli("keygen", "-o", "stranger", "--no-passphrase")
        answer = self.run_json("verify", "m.safemodel", "cut", "missing", "--key", "k.pub", expect=4)
        self.assertEqual([entry["ok"] for entry in answer["files"]], [True, False, False])
        self.run_cli("verify", "cut", "m.safemodel", "--key", "k.pub", expect=3)


class OutputTest(CliTest):
    def test_existing_output_is_refused_without_force(self):
        self.write("m.safetensors", safetensors({"w": ("F32", [2], floats(2))}))
        self.write("out.safemodel", b"precious")
        before = self.listing()
        self.assertEqual(self.run_json("convert", "m.safetensors", "-o", "out.safemodel", expect=2)["code"], "exists")
        self.assertEqual(self.listing(), before)
        self.run_cli("convert", "m.safetensors", "-o", "out.safemodel", "--force")

    def test_output_equal_to_input_is_refused(self):
        self.write("m.safetensors", safetensors({"w": ("F32", [2], floats(2))}))
        os.link(self.path / "m.safetensors", self.path / "hard")
        os.symlink("m.safetensors", self.path / "soft")
        before = self.listing()
        for name in ("m.safetensors", "./m.safetensors", "hard"):
            self.run_cli("convert", "m.safetensors", "-o", name, "--force", expect=2)
        self.assertNotEqual(subprocess.run([CLI, "convert", "m.safetensors", "-o", "soft", "--force"], cwd=self.path, capture_output=True).returncode, 0)
        self.assertEqual(self.listing(), before)

    def test_failure_leaves_nothing(self):
        self.make_signed()
        self.write("evil.pkl", b"cposix\nsystem\n(Vtouch ran\ntR.")
        damaged = bytearray((self.path / "m.safemodel").read_bytes())
        damaged[520] ^= 1  # in the second tensor, behind the padding of the first
        self.write("damaged.safemodel", bytes(damaged))
        before = self.listing()
        answer = self.run_json("convert", "evil.pkl", "-o", "evil.safemodel", expect=1)
        self.assertEqual((answer["stage"], answer["subject"]), ("unsafe", "posix.system"))
        self.run_cli("export", "damaged.safemodel", "-o", "damaged.npz", "--key", "k.pub", expect=1)
        self.run_cli("export", "m.safemodel", "-o", "unverified.npz", expect=1)
        self.run_cli("convert", "m.safetensors", "-o", "no/such/folder/out.safemodel", expect=4)
        self.assertEqual(self.listing(), before)

    def test_killed_conversion_leaves_nothing(self):
        self.write("big.safetensors", safetensors({"w": ("U8", [64 << 20], os.urandom(64 << 20))}))
        for wait in (0.005, 0.02, 0.05):
            child = subprocess.Popen([CLI, "convert", "big.safetensors", "-o", "big.safemodel"], cwd=self.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(wait)
            child.send_signal(signal.SIGTERM)
            child.wait()
            if child.returncode != 0:
                self.assertEqual(sorted(p.name for p in self.path.iterdir()), ["big.safetensors"])

    def test_failures_are_told_in_both_places(self):
        self.make_signed()
        self.run_cli("keygen", "-o", "stranger", "--no-passphrase")
        for arguments, expect in (
            (["verify", "m.safemodel", "--key", "stranger.pub"], 1),
            (["verify", "m.safemodel"], 1),
            (["inspect", "m.safemodel", "--key", "stranger.pub"], 1),
            (["inspect", "missing"], 4),
            (["digest", "missing"], 4),
            (["export", "m.safemodel", "-o", "o.npz", "--key", "stranger.pub"], 1),
            (["export", "m.safemodel", "-o", "o.bin", "--key", "k.pub"], 2),
            (["convert", "missing", "-o", "o.safemodel"], 4),
            (["sign", "missing", "-k", "k.key"], 4),
            (["sign", "m.safemodel", "-k", "missing"], 4),
            (["sign", "m.safemodel", "-k", "k.key", "--detached", "--append"], 2),
            (["keygen", "-o", "k", "--no-passphrase"], 2),
            (["keygen", "-o", "q", "--passphrase-file", "missing"], 5),
        ):
            with self.subTest(arguments=arguments):
                result = self.run_cli(*arguments, "--json", "--quiet", expect=expect)
                document = json.loads(result.stdout)
                self.assertIs(document["ok"], False)
                self.assertEqual(document["exit"], expect)
                failed = document["files"][0] if arguments[0] in ("verify", "digest") and "files" in document else document
                self.assertTrue({"stage", "code", "message"} <= failed.keys())
                self.assertIn(f"({failed['stage']}: {failed['code']})".encode(), result.stderr)
                plain = self.run_cli(*arguments, "--quiet", expect=expect)
                self.assertEqual(plain.stderr, result.stderr)

    @unittest.skipIf(os.environ.get("SAFEMODEL_SANITIZE"), "a sanitizer needs more addresses than can be limited")
    def test_out_of_memory_is_told_in_one_document(self):
        rows = 3000
        tensors = {f"layer{i:05}": ("F32", [1], floats(1)) for i in range(rows)}
        self.make_signed(tensors=tensors)
        commands = (["inspect", "m.safemodel"], ["digest", "m.safetensors"], ["verify", "m.safemodel", "--key", "k.pub"], ["convert", "m.safetensors", "-o", "o.safemodel", "--threads", "1"])
        told = set()
        started = False
        for megabytes in range(4, 40):
            limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
            for command in commands:
                (self.path / "o.safemodel").unlink(missing_ok=True)
                result = subprocess.run([CLI, *command, "--json"], cwd=self.path, capture_output=True, preexec_fn=limit)
                if not result.stdout and not started:
                    continue  # too little for the program itself
                started = True
                with self.subTest(megabytes=megabytes, command=command[0]):
                    document = json.loads(result.stdout)
                    self.assertEqual(document.get("exit", 0), result.returncode)
                    self.assertIn(result.returncode, (0, 4))
                    if document.get("code") == "out_of_memory":
                        told.add(command[0])
                        self.assertIn(b"(io: out_of_memory)", result.stderr)
                    self.assertEqual((self.path / "o.safemodel").exists(), command[0] == "convert" and result.returncode == 0)
        self.assertTrue(told, "no limit was met")

    def test_closed_or_full_standard_output(self):
        self.make_signed()
        with open("/dev/full", "wb") as full:
            result = subprocess.run([CLI, "verify", "m.safemodel", "--key", "k.pub"], cwd=self.path, stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 4)

    def test_names_are_escaped(self):
        name = "evil\u202e\u200b<script>\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") + "%s{}"
        self.make_signed(tensors={name: ("F32", [2], floats(2))})
        text = self.run_cli("inspect", "m.safemodel", "--tensors", "--tree").stdout.decode()
        self.assertIn("\\u{202e}", text)
        self.assertNotIn("\u202e", text)
        document = self.run_json("inspect", "m.safemodel", "--tree")
        self.assertEqual(document["tensors"][0]["name"], name)

    def test_text_of_any_locale(self):
        self.make_signed()
        outputs = {subprocess.run([CLI, "inspect", "m.safemodel", "--json"], cwd=self.path, capture_output=True, env={"LC_ALL": value}).stdout for value in ("C", "tr_TR.UTF-8", "C.UTF-8")}
        self.assertEqual(len(outputs), 1)

    def test_threads_do_not_change_the_bytes(self):
        self.write("m.safetensors", safetensors({f"t{i}": ("F32", [50000], floats(50000)) for i in range(4)} | {"r": ("U8", [3 << 20], os.urandom(3 << 20))}))
        for threads in (1, 2, 7):
            self.run_cli("convert", "m.safetensors", "-o", f"{threads}.safemodel", "--threads", threads, "--reproducible", "--name", "m")
        contents = {(self.path / f"{threads}.safemodel").read_bytes() for threads in (1, 2, 7)}
        self.assertEqual(len(contents), 1)


class KeyTest(CliTest):
    def test_secret_key_is_private_from_the_start(self):
        for umask in (0o000, 0o077):
            name = f"k{umask:o}"
            self.run_cli("keygen", "-o", name, "--no-passphrase", preexec_fn=lambda: os.umask(umask))
            self.assertEqual(stat.S_IMODE((self.path / f"{name}.key").stat().st_mode), 0o600)

    def test_no_overwrite_without_force(self):
        self.run_cli("keygen", "-o", "k", "--no-passphrase")
        before = self.listing()
        self.run_cli("keygen", "-o", "k", "--no-passphrase", expect=2)
        self.assertEqual(self.listing(), before)

    def test_passphrase(self):
        self.write("pass", b"correct horse\n")
        self.write("wrong", b"battery staple\n")
        self.write("empty", b"\n")
        self.run_cli("keygen", "-o", "k", "--passphrase-file", "empty", expect=2)
        self.run_cli("keygen", "-o", "k", "--passphrase-file", "pass")
        self.write("m.safetensors", safetensors({"w": ("F32", [2], floats(2))}))
        self.run_cli("convert", "m.safetensors", "-o", "m.safemodel")
        self.run_cli("sign", "m.safemodel", "-k", "k.key", "--passphrase-file", "wrong", expect=5)
        self.run_cli("sign", "m.safemodel", "-k", "k.key", "--passphrase-file", "pass")
        self.run_cli("verify", "m.safemodel", "--key", "k.pub")

    def test_a_passphrase_lies_in_guarded_memory_alone(self):
        passphrase = os.urandom(12).hex().encode()
        self.write("pass", passphrase + b"\n")
        self.make_signed()
        self.run_cli("keygen", "-o", "p", "--passphrase-file", "pass")
        for command in (["keygen", "-o", "q"], ["sign", "m.safemodel", "-k", "p.key"]):
            with self.subTest(verb=command[0]):
                found = self.watch([*command, "--passphrase-file", "pass"], passphrase)
                self.assertEqual([flags for flags in found if b"dd" not in flags.split()], [], "a core dump would have it")
                self.assertEqual(len(found), 1)

    def watch(self, command, text):
        """The flags of each mapping that holds the text, at a moment when the program derives a key from it."""
        child = subprocess.Popen([CLI, *command], cwd=self.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while child.poll() is None:
                child.send_signal(signal.SIGSTOP)
                try:
                    maps = Path(f"/proc/{child.pid}/smaps").read_bytes()
                    # scrypt's own memory: more than anything else that the program asks for
                    if re.search(rb"^Size: +(?:[5-9]\d{5}|1\d{6}) kB$", maps, re.MULTILINE):
                        return list(holders(child.pid, maps, text))
                except PermissionError:
                    self.skipTest("the memory of a child process cannot be read here")
                child.send_signal(signal.SIGCONT)
                time.sleep(0.01)
            self.fail("the program ended before it was looked at")
        finally:
            child.kill()
            child.wait()

    def test_an_unprotected_key_that_others_can_read_is_warned_of(self):
        self.make_signed()
        commands = (["sign", "m.safemodel", "-k", "k.key"], ["convert", "m.safetensors", "-o", "n.safemodel", "--force", "--sign-with", "k.key"])
        for mode, warned in ((0o600, False), (0o640, True), (0o604, True), (0o644, True)):
            (self.path / "k.key").chmod(mode)
            for command in commands:
                with self.subTest(mode=oct(mode), verb=command[0]):
                    self.assertEqual(b"(key_readable_by_others)" in self.run_cli(*command).stderr, warned)
                    self.assertNotIn(b"warning", self.run_cli(*command, "--quiet").stderr)

    def test_a_protected_key_may_be_read_by_others(self):
        self.make_signed()
        self.write("pass", b"correct horse\n")
        self.run_cli("keygen", "-o", "p", "--passphrase-file", "pass")
        (self.path / "p.key").chmod(0o644)
        signed = self.run_cli("sign", "m.safemodel", "-k", "p.key", "--passphrase-file", "pass")
        self.assertNotIn(b"warning", signed.stderr)

    def test_without_a_terminal_the_prompt_refuses(self):
        self.run_cli("keygen", "-o", "k", expect=5, start_new_session=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    unittest.main()
