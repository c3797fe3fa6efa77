# SPDX-License-Identifier: Apache-2.0
"""Keys of minisign, OpenSSH and OpenSSL: made by each of them and by us, read by the other; and no signature of one is
taken for a signature of another."""

import base64
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(os.environ["SAFEMODEL_SOURCE_DIR"])
sys.path[:0] = [str(ROOT / "tests/cli"), str(ROOT / "spec")]
from cli_case import CliTest  # noqa: E402

MISSING = [tool for tool in ("minisign", "ssh-keygen", "ssh-agent", "ssh-add", "openssl") if not shutil.which(tool)]
if MISSING:
    print("skipped: not on this machine:", *MISSING)
    sys.exit(77)
try:
    from testkit.envelope import Frame, Key, Signer, Token, openssh_key, pae
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)


class KeysTest(CliTest):
    def setUp(self):
        super().setUp()
        self.make_signed()
        self.run_cli("convert", "m.safetensors", "-o", "plain.safemodel", "--name", "acme/m", "--force")

    def tool(self, *command, expect=0, **options):
        result = subprocess.run([str(c) for c in command], cwd=self.path, capture_output=True, timeout=60, **options)
        self.assertEqual(result.returncode == 0, expect == 0, result.stdout + result.stderr)
        return result.stdout

    def answer(self, container, public, word):
        """The stage or the code of our refusal, or "ok"."""
        result = subprocess.run([os.environ["SAFEMODEL_CLI"], "verify", container, "--key", public, "--json"], cwd=self.path,
                                capture_output=True, timeout=60)
        document = json.loads(result.stdout)
        if result.returncode == 0:
            self.assertTrue(document["ok"])
            return "ok"
        return document[word] if word in document else document["files"][0][word]

    def copy(self, name):
        shutil.copy(self.path / "plain.safemodel", self.path / name)
        return name

    def sign_and_verify(self, key, public, **options):
        """Signs a fresh container and verifies it under the public key."""
        name = self.copy("signed.safemodel")
        options.setdefault("expect", 0)
        arguments = options.pop("arguments", [])
        report = self.run_cli("sign", name, "-k", key, *arguments, **options)
        if options["expect"] == 0:
            self.run_cli("verify", name, "--key", public)
        return report

    def refused(self, code, *arguments, expect=5, **options):
        result = self.run_cli("sign", self.copy("refused.safemodel"), *arguments, "--json", expect=expect, **options)
        self.assertEqual(json.loads(result.stdout)["code"], code, result.stdout)
        self.assertEqual((self.path / "refused.safemodel").read_bytes(), (self.path / "plain.safemodel").read_bytes())
        return result

    def agent(self, *keys):
        """An ssh-agent with these keys; its environment."""
        socket = self.path / "agent.socket"
        server = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        environment = dict(os.environ, SSH_AUTH_SOCK=str(socket))
        for _ in range(500):
            if subprocess.run(["ssh-add", "-l"], env=environment, capture_output=True).returncode != 2:
                break
        for key in keys:
            self.tool("ssh-add", "-q", key, env=environment)
        return environment


class FilesTest(KeysTest):
    def test_minisign(self):
        self.tool("minisign", "-G", "-W", "-p", "theirs.pub", "-s", "theirs.key")
        self.sign_and_verify("theirs.key", "theirs.pub")
        self.sign_and_verify("theirs.key", (self.path / "theirs.pub").read_text().split("\n")[1])

    def test_openssh(self):
        self.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a comment, with spaces", "-f", "id")
        self.sign_and_verify("id", "id.pub")
        self.sign_and_verify("id", (self.path / "id.pub").read_text())
        # The same key for ssh-keygen: its public half, and a passphrase added and taken away by it.
        self.assertEqual(self.tool("ssh-keygen", "-y", "-f", "id").split()[:2], (self.path / "id.pub").read_bytes().split()[:2])
        self.tool("ssh-keygen", "-p", "-q", "-P", "", "-N", "secret", "-f", "id")
        self.assertIn(b"ssh-agent", self.refused("encrypted_key", "-k", "id").stdout)
        self.tool("ssh-keygen", "-p", "-q", "-P", "secret", "-N", "", "-f", "id")
        self.sign_and_verify("id", "id.pub")
        for kind, bits in (("rsa", 2048), ("ecdsa", 256)):
            self.tool("ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", kind)
            self.refused("bad_key_file", "-k", kind)
            self.run_cli("verify", "plain.safemodel", "--key", f"{kind}.pub", expect=5)
        self.tool("ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", "old")
        self.refused("bad_key_file", "-k", "old")

    def test_openssl(self):
        self.tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem")
        self.tool("openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
        self.sign_and_verify("key.pem", "pub.pem")
        self.sign_and_verify("key.pem", (self.path / "pub.pem").read_text())
        self.tool("openssl", "pkey", "-in", "key.pem", "-aes256", "-passout", "pass:secret", "-out", "locked.pem")
        self.refused("encrypted_key", "-k", "locked.pem")
        for algorithm in ("x25519", "ed448"):
            self.tool("openssl", "genpkey", "-algorithm", algorithm, "-out", "other.pem")
            self.refused("bad_key_file", "-k", "other.pem")
            self.tool("openssl", "pkey", "-in", "other.pem", "-pubout", "-out", "other-pub.pem")
            self.run_cli("verify", "plain.safemodel", "--key", "other-pub.pem", expect=5)
        self.tool("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", "ec.pem")
        self.refused("bad_key_file", "-k", "ec.pem")

    def test_ours_are_read_by_them(self):
        self.write("message", b"hello")
        self.run_cli("keygen", "-o", "a", "--no-passphrase", "--format", "minisign")
        self.tool("minisign", "-S", "-W", "-s", "a.key", "-m", "message")
        self.tool("minisign", "-V", "-p", "a.pub", "-m", "message")
        self.run_cli("keygen", "-o", "b", "--no-passphrase", "--format", "openssh")
        self.assertEqual(self.tool("ssh-keygen", "-y", "-f", "b.key").split()[:2], (self.path / "b.pub").read_bytes().split()[:2])
        self.tool("ssh-keygen", "-l", "-f", "b.pub")
        self.tool("ssh-keygen", "-Y", "sign", "-q", "-n", "file", "-f", "b.key", "message")
        self.run_cli("keygen", "-o", "c", "--no-passphrase", "--format", "pem")
        self.assertEqual(self.tool("openssl", "pkey", "-in", "c.key", "-pubout"), (self.path / "c.pub").read_bytes())
        self.assertEqual(self.tool("openssl", "pkey", "-in", "c.key"), (self.path / "c.key").read_bytes())
        for stem in "abc":
            self.sign_and_verify(f"{stem}.key", f"{stem}.pub")
            self.assertEqual(stat.S_IMODE((self.path / f"{stem}.key").stat().st_mode), 0o600)
        self.run_cli("keygen", "-o", "d", "--format", "openssh", expect=2)
        self.assertFalse((self.path / "d.key").exists())

    def test_one_key_in_three_encodings_is_one_key(self):
        self.run_cli("keygen", "-o", "k3", "--no-passphrase", "--format", "pem")
        self.tool("openssl", "pkey", "-in", "k3.key", "-outform", "DER", "-out", "k3.der")
        raw = self.tool("openssl", "pkey", "-in", "k3.key", "-pubout", "-outform", "DER")[-32:]
        lines = [base64.b64encode(b"Ed" + bytes(8) + raw).decode(), openssh_key(Public(raw)).replace(":", " ")]
        self.sign_and_verify("k3.key", lines[0])
        self.sign_and_verify("k3.key", lines[1])
        self.run_cli("verify", "signed.safemodel", "--key", lines[0], "--key", lines[1], expect=2)  # a key twice

    def test_convert_signs_with_any_of_them(self):
        self.tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem")
        self.tool("openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
        self.run_cli("convert", "m.safetensors", "-o", "c.safemodel", "--sign-with", "key.pem")
        self.run_cli("verify", "c.safemodel", "--key", "pub.pem")
        self.run_cli("convert", "m.safetensors", "-o", "d.safemodel", "--sign-with", "exec:false", "--public-key", "pub.pem",
                     expect=5)
        self.assertFalse((self.path / "d.safemodel").exists())


class Public:
    def __init__(self, public):
        self.public = public


class SourcesTest(KeysTest):
    def setUp(self):
        super().setUp()
        self.run_cli("keygen", "-o", "s", "--no-passphrase", "--format", "pem")
        self.secret = (self.path / "s.key").read_text()

    def test_variable_descriptor_and_input(self):
        for form in ("pem", "openssh", "minisign"):
            self.run_cli("keygen", "-o", form, "--no-passphrase", "--format", form)
            text = (self.path / f"{form}.key").read_bytes()
            self.sign_and_verify("env:MODEL_KEY", f"{form}.pub", env=dict(os.environ, MODEL_KEY=text.decode()))
            self.sign_and_verify("-", f"{form}.pub", input=text)
            with open(self.path / f"{form}.key", "rb") as file:
                self.sign_and_verify(f"fd:{file.fileno()}", f"{form}.pub", pass_fds=[file.fileno()])
        self.refused("no_key", "-k", "env:NO_SUCH_VARIABLE")
        self.refused("no_key", "-k", "fd:77")
        self.refused("bad_key_file", "-k", "-", input=b"")

    def test_a_key_as_an_argument_is_refused_and_not_repeated(self):
        for arguments in (["sign", "plain.safemodel", "-k", self.secret],
                          ["sign", "plain.safemodel", "-k", "s.key", "--log", "log", "--log-key", self.secret],
                          ["verify", "plain.safemodel", "--key", self.secret]):
            for more in ([], ["--json"]):
                result = self.run_cli(*arguments, *more, expect=2 if arguments[0] == "sign" else 5)
                self.assertNotIn(self.secret.split("\n")[1].encode(), result.stdout + result.stderr)

    def test_a_program_signs_and_sees_no_secret(self):
        """The program of exec: looks at everything that a child can see."""
        spy = self.path / "spy"
        spy.write_text("#!/bin/sh\n"
                       "cat /proc/self/environ /proc/$PPID/cmdline >seen\n"
                       "exec openssl pkeyutl -sign -rawin -inkey s.key -in /dev/stdin\n")
        spy.chmod(0o755)
        self.sign_and_verify("exec:./spy", "s.pub", arguments=["--public-key", "s.pub"],
                             env=dict(os.environ, LEAK=self.secret, PLAIN="kept"))
        seen = (self.path / "seen").read_bytes()
        self.assertIn(b"PLAIN=kept", seen)
        self.assertIn(b"--public-key", seen)
        self.assertNotIn(b"LEAK=", seen)
        self.assertNotIn(self.secret.split("\n")[1].encode(), seen)
        self.refused("public_key_needed", "-k", "exec:./spy", expect=2)
        self.run_cli("keygen", "-o", "other", "--no-passphrase")
        self.refused("wrong_signature", "-k", "exec:./spy", "--public-key", "other.pub")
        self.refused("other_key", "-k", "s.key", "--public-key", "other.pub")

    def test_the_variable_is_gone_from_what_the_kernel_shows(self):
        """While a signer waits for the passphrase of a key that came in a variable, /proc/PID/environ has it no more."""
        cost = struct.pack("<QQ", 32768, 16 << 20)
        line = base64.b64encode(b"EdScB2" + bytes(range(32)) + cost + bytes(104))
        os.mkfifo(self.path / "passphrase")
        process = subprocess.Popen([os.environ["SAFEMODEL_CLI"], "sign", "plain.safemodel", "-k", "env:MODEL_KEY",
                                    "--passphrase-file", "passphrase"], cwd=self.path, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE,
                                   env=dict(os.environ, PLAIN="kept", MODEL_KEY=f"untrusted comment: x\n{line.decode()}\n"))
        with open(self.path / "passphrase", "wb", buffering=0) as passphrase:  # opens when the other side does
            shown = Path(f"/proc/{process.pid}/environ").read_bytes()
            told = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            passphrase.write(b"wrong-passphrase\n")
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 5, errors)
        self.assertIn(b"wrong_passphrase", errors)
        self.assertIn(b"PLAIN=kept", shown)
        self.assertNotIn(line, shown + told + errors)
        self.assertNotIn(b"wrong-passphrase", shown + told + errors)

    def test_readable_by_others_is_said(self):
        (self.path / "s.key").chmod(0o644)
        self.assertIn(b"key_readable_by_others", self.sign_and_verify("s.key", "s.pub").stderr)
        (self.path / "s.key").chmod(0o600)
        self.assertNotIn(b"key_readable_by_others", self.sign_and_verify("s.key", "s.pub").stderr)


class PassphraseTest(KeysTest):
    def test_an_empty_passphrase_makes_no_key(self):
        self.write("empty", b"\n")
        self.run_cli("keygen", "-o", "new", "--passphrase-file", "empty", expect=2)
        self.assertFalse((self.path / "new.key").exists())

    def test_a_wrong_passphrase(self):
        self.write("right", b"correct horse\n")
        self.write("wrong", b"battery staple\n")
        self.run_cli("keygen", "-o", "new", "--passphrase-file", "right")
        self.sign_and_verify("new.key", "new.pub", arguments=["--passphrase-file", "right"])
        result = self.refused("wrong_passphrase", "-k", "new.key", "--passphrase-file", "wrong")
        self.assertNotIn(b"battery", result.stdout + result.stderr)


class AgentTest(KeysTest):
    def test_the_real_agent_signs(self):
        self.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "id")
        self.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "id2")
        self.tool("ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", "rsa")
        environment = self.agent("rsa", "id")
        self.sign_and_verify("ssh-agent:id.pub", "id.pub", env=environment)
        self.sign_and_verify("ssh-agent:" + (self.path / "id.pub").read_text().strip(), "id.pub", env=environment)
        self.refused("agent_lacks_key", "-k", "ssh-agent:id2.pub", env=environment)
        self.refused("no_agent", "-k", "ssh-agent:id.pub", env={k: v for k, v in os.environ.items() if k != "SSH_AUTH_SOCK"})
        # A key that we made: the agent takes it.
        self.run_cli("keygen", "-o", "ours", "--no-passphrase", "--format", "openssh")
        self.tool("ssh-add", "-q", "ours.key", env=environment)
        self.sign_and_verify("ssh-agent:ours.pub", "ours.pub", env=environment)


class SeparationTest(KeysTest):
    """Row S8: a signature means one thing in one tool."""

    def setUp(self):
        super().setUp()
        self.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", "id")
        self.run_cli("sign", self.copy("signed.safemodel"), "-k", "id", "--detached")
        self.frame = (self.path / "signed.safemodel.envelope").read_bytes()
        length = int.from_bytes(self.frame[68:72], "little")
        self.item = json.loads(self.frame[72:72 + length])
        self.payload = base64.b64decode(self.item["payload"])
        self.message = pae(self.item["payloadType"], self.payload)
        self.signature = base64.b64decode(self.item["signatures"][0]["sig"])
        self.write("pae", self.message)

    def verdict(self, signature):
        """Our verdict on a container whose statement has this signature."""
        self.item["signatures"][0]["sig"] = base64.b64encode(signature).decode()
        frame = Frame(self.frame[32:64], [(1, json.dumps(self.item).encode())])
        self.write("signed.safemodel.envelope", frame.serialize())
        return self.answer("signed.safemodel", "id.pub", "stage")

    def test_ours_is_nothing_to_ssh_keygen(self):
        string = lambda data: len(data).to_bytes(4, "big") + data
        public = base64.b64decode((self.path / "id.pub").read_text().split()[1])
        (self.path / "allowed").write_text("me " + (self.path / "id.pub").read_text())
        # The same armour around a signature by ssh-keygen verifies, so it is the signature that is refused below.
        self.tool("ssh-keygen", "-Y", "sign", "-q", "-n", "file", "-f", "id", "pae")
        self.tool("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "me", "-n", "file", "-s", "pae.sig", input=self.message)
        for namespace in (b"file", b"git", b"safemodel"):
            for digest in (b"sha256", b"sha512"):
                blob = b"SSHSIG" + (1).to_bytes(4, "big") + string(public) + string(namespace) + string(b"") + string(digest)
                blob += string(string(b"ssh-ed25519") + string(self.signature))
                text = base64.encodebytes(blob).decode()
                self.write("forged.sig", f"-----BEGIN SSH SIGNATURE-----\n{text}-----END SSH SIGNATURE-----\n".encode())
                self.tool("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "me", "-n", namespace.decode(), "-s", "forged.sig",
                          input=self.message, expect=1)

    def test_theirs_is_nothing_to_us(self):
        self.assertEqual(self.verdict(self.signature), "ok")
        self.tool("ssh-keygen", "-Y", "sign", "-q", "-n", "file", "-f", "id", "pae")
        armour = (self.path / "pae.sig").read_text()
        blob = base64.b64decode(re.sub(r"-----.*-----|\s", "", armour))
        self.assertEqual(self.verdict(blob[-64:]), "bad_signature")
        self.assertEqual(self.verdict(blob), "malformed")

    def test_minisign(self):
        self.run_cli("keygen", "-o", "mini", "--no-passphrase")
        (self.path / "signed.safemodel.envelope").unlink()
        self.run_cli("sign", self.copy("signed.safemodel"), "-k", "mini.key", "--detached")
        self.frame = (self.path / "signed.safemodel.envelope").read_bytes()
        self.item = json.loads(self.frame[72:72 + int.from_bytes(self.frame[68:72], "little")])
        self.write("pae", pae(self.item["payloadType"], base64.b64decode(self.item["payload"])))
        ours = base64.b64decode(self.item["signatures"][0]["sig"])
        shutil.copy(self.path / "mini.pub", self.path / "id.pub")
        self.assertEqual(self.verdict(ours), "ok")
        self.tool("minisign", "-S", "-W", "-s", "mini.key", "-m", "pae", "-x", "pae.minisig")
        self.tool("minisign", "-V", "-p", "mini.pub", "-m", "pae", "-x", "pae.minisig")
        lines = (self.path / "pae.minisig").read_text().split("\n")
        theirs = base64.b64decode(lines[1])
        self.assertEqual(theirs[:2], b"ED")
        self.assertEqual(self.verdict(theirs[10:]), "bad_signature")
        self.assertEqual(self.verdict(theirs), "malformed")
        # Ours in minisign's file: refused, in its prehashed form. Its global signature is made of bytes that nobody has.
        lines[1] = base64.b64encode(b"ED" + theirs[2:10] + ours).decode()
        self.write("forged.minisig", "\n".join(lines).encode())
        self.tool("minisign", "-V", "-p", "mini.pub", "-m", "pae", "-x", "forged.minisig", expect=1)
        # The old form signs raw bytes. A file that is a PAE, signed with it, is a statement: nobody can tell them apart.
        self.tool("minisign", "-S", "-l", "-W", "-s", "mini.key", "-m", "pae", "-x", "legacy.minisig")
        legacy = base64.b64decode((self.path / "legacy.minisig").read_text().split("\n")[1])
        self.assertEqual(legacy[:2], b"Ed")
        self.assertEqual(self.verdict(legacy[10:]), "ok")


class TokenTest(KeysTest):
    """Keys in FIDO tokens, played by the Python package cryptography."""

    def test_statements_of_tokens(self):
        self.run_cli("sign", self.copy("token.safemodel"), "-k", "k.key", "--detached")
        frame = (self.path / "token.safemodel.envelope").read_bytes()
        item = json.loads(frame[72:72 + int.from_bytes(frame[68:72], "little")])
        message = pae(item["payloadType"], base64.b64decode(item["payload"]))
        key = Key(42)
        public = openssh_key(key, "ssh:").replace(":", " ", 1) + " token"
        self.write("token.pub", public.encode() + b"\n")
        good = Token("ssh:", 1, 9)

        def code(token=good, public="token.pub", kind=4, **changed):
            entry = {"keyid": token.key_id(key), "sig": base64.b64encode(key.sign(token.message(message))).decode(),
                     "flags": token.flags, "counter": token.counter, **changed}
            made = json.dumps({**item, "signatures": [entry]}).encode()
            self.write("token.safemodel.envelope", Frame(frame[32:64], [(kind, made)]).serialize())
            return self.answer("token.safemodel", public, "code")

        self.tool("ssh-keygen", "-l", "-f", "token.pub")  # it is a key of this kind for OpenSSH too
        self.assertEqual(code(), "ok")
        self.assertEqual(code(public=public), "ok")
        self.assertEqual(code(Token("ssh:", 5, 9)), "ok")
        self.assertEqual(code(Token("ssh:", 0, 9)), "no_user_presence")
        self.assertEqual(code(Token("ssh:other", 1, 9)), "unknown_key")
        self.assertEqual(code(counter=10), "bad_signature")
        self.assertEqual(code(flags=5), "bad_signature")
        self.assertEqual(code(kind=1), "bad_signature")
        self.assertEqual(code(public=openssh_key(key).replace(":", " ")), "unknown_key")
        self.assertEqual(code(flags=None), "bad_dsse")


if __name__ == "__main__":
    unittest.main()
