#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Key wraps against the program age, in both directions: X25519, ssh-ed25519, passphrases, and a plugin that this script is.
Usage: AGE_TOOL=… python age_test.py"""

import base64
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spec"))
from testkit.bech32 import decode, encode  # noqa: E402

TOOL = os.environ.get("AGE_TOOL", "")
PLAIN = b"safemodel key wrap\n" + bytes(range(48))


def run(words, data=b"", fails=False, **options):
    done = subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **options)
    assert (done.returncode != 0) == fails, (words, done)
    return done


def seal(keys, data=PLAIN, **options):
    return run([TOOL, "seal", str(keys)], data, **options).stdout


def unseal(keys, data, **options):
    return run([TOOL, "open", str(keys)], data, **options).stdout


def refusal(verb, keys, data, **options):
    done = run([TOOL, verb, str(keys)], data, fails=True, **options)
    assert done.stdout == b"", done
    return done.stderr.decode().split()[-1]


def with_terminal(words, answers):
    """Runs a program that asks on its terminal, and types an answer whenever it asks for one."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(words[0], words)
    seen, asked, deadline = b"", 0, time.monotonic() + 20
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the program closed it
            part = b""
        if not part:
            break
        seen += part
        if seen.count(b"passphrase") > asked and seen.rstrip().endswith(b":") and answers:
            asked = seen.count(b"passphrase")
            time.sleep(0.2)  # it turns the echo off first
            os.write(terminal, answers.pop(0) + b"\n")
    else:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen


def check_x25519(folder):
    run(["age-keygen", "-o", str(folder / "age.key")])
    run(["age-keygen", "-o", str(folder / "other.key")])
    for name in ("age", "other"):
        (folder / f"{name}.pub").write_bytes(run(["age-keygen", "-y", str(folder / f"{name}.key")]).stdout)
    both = folder / "both.pub"
    both.write_bytes(b"# two\n" + (folder / "age.pub").read_bytes() + b"\n" + (folder / "other.pub").read_bytes())
    wraps = [seal(both), run(["age", "-R", str(both)], PLAIN).stdout]
    for wrap in wraps:
        for name in ("age", "other"):
            assert unseal(folder / f"{name}.key", wrap) == PLAIN
            assert run(["age", "-d", "-i", str(folder / f"{name}.key")], wrap).stdout == PLAIN
    alone = seal(folder / "age.pub")
    assert refusal("open", folder / "other.key", alone) == "no_identity"
    run(["age", "-d", "-i", str(folder / "other.key")], alone, fails=True)
    armored = run(["age", "-a", "-R", str(both)], PLAIN).stdout
    assert refusal("open", folder / "age.key", armored) == "age_header"
    for size in (0, 1, 15000):  # any plain text, also none
        data = os.urandom(size)
        assert unseal(folder / "age.key", run(["age", "-R", str(both)], data).stdout) == data
        assert run(["age", "-d", "-i", str(folder / "age.key")], seal(both, data)).stdout == data
    print("x25519: both directions, two recipients, three sizes")


def check_ssh(folder):
    for name in ("ssh", "ssh2"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "somebody@somewhere", "-f", str(folder / name)])
    for wrap in (seal(folder / "ssh.pub"), run(["age", "-R", str(folder / "ssh.pub")], PLAIN).stdout):
        assert unseal(folder / "ssh", wrap) == PLAIN
        assert run(["age", "-d", "-i", str(folder / "ssh")], wrap).stdout == PLAIN
        assert refusal("open", folder / "ssh2", wrap) == "no_identity"
    mixed = folder / "mixed.pub"
    mixed.write_bytes((folder / "ssh.pub").read_bytes() + (folder / "age.pub").read_bytes())
    for wrap in (seal(mixed), run(["age", "-R", str(mixed)], PLAIN).stdout):
        for identity in ("ssh", "age.key"):
            assert unseal(folder / identity, wrap) == PLAIN
            assert run(["age", "-d", "-i", str(folder / identity)], wrap).stdout == PLAIN
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(folder / "locked")])
    assert refusal("open", folder / "locked", wrap) == "encrypted_key"
    run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(folder / "rsa")])
    assert refusal("seal", folder / "rsa.pub", PLAIN) == "bad_key_file"
    print("ssh-ed25519: both directions, alone and beside X25519; protected and RSA keys refused")


def check_passphrase(folder):
    phrase = b"correct horse battery staple"
    ours, theirs, plain = folder / "ours.age", folder / "theirs.age", folder / "plain"
    ours.write_bytes(seal("passphrase:" + phrase.decode()))
    code, seen = with_terminal(["age", "-d", "-o", str(plain), str(ours)], [phrase])
    assert code == 0 and plain.read_bytes() == PLAIN, (code, seen)
    code, seen = with_terminal(["age", "-d", "-o", str(folder / "none"), str(ours)], [b"another"])
    assert code != 0 and not (folder / "none").exists(), (code, seen)
    code, seen = with_terminal(["age", "-p", "-o", str(theirs), str(plain)], [phrase, phrase])
    assert code == 0, (code, seen)
    assert b"-> scrypt " in theirs.read_bytes()
    assert unseal("passphrase:" + phrase.decode(), theirs.read_bytes()) == PLAIN
    assert refusal("open", "passphrase:another", theirs.read_bytes()) == "wrong_passphrase"
    assert refusal("open", folder / "age.key", theirs.read_bytes()) == "no_identity"
    print("passphrase: both directions, wrong ones refused")


def bech32(prefix, data):
    """A key of a plugin, which the library must not have made itself; in capitals when its prefix is."""
    text = encode(prefix.lower(), data)
    return text.upper() if prefix.isupper() else text


def check_plugin(folder):
    """age-plugin-test is this script; it hides the file key by XOR with the identity's bytes, enough to see who opens what."""
    programs = folder / "bin"
    programs.mkdir()
    plugin = programs / "age-plugin-test"
    plugin.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} "$@"\n')
    plugin.chmod(0o755)
    key = bytes(range(100, 116))
    (folder / "plugin.pub").write_text(bech32("age1test", key) + "\n" + (folder / "age.pub").read_text())
    (folder / "plugin.key").write_text("# plugin\n" + bech32("AGE-PLUGIN-TEST-", key) + "\n")
    (folder / "wrong.key").write_text(bech32("AGE-PLUGIN-TEST-", bytes(16)) + "\n")
    environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}")
    for wrap in (seal(folder / "plugin.pub", env=environment), run(["age", "-R", str(folder / "plugin.pub")], PLAIN, env=environment).stdout):
        assert b"-> test" in wrap
        assert unseal(folder / "plugin.key", wrap, env=environment) == PLAIN
        assert unseal(folder / "age.key", wrap) == PLAIN  # ourselves, although there is no plugin
        assert refusal("open", folder / "wrong.key", wrap, env=environment) == "program_failed"
    assert refusal("open", folder / "plugin.key", wrap) == "program_failed"  # age without its plugin
    assert refusal("seal", folder / "plugin.pub", PLAIN) == "program_failed"
    nothing = dict(os.environ, PATH=".:bin")
    assert refusal("open", folder / "plugin.key", wrap, env=nothing, cwd=folder) == "age_missing"
    evil = folder / "evil.pub"
    evil.write_text(bech32("age1../../evil", key) + "\n")
    assert refusal("seal", evil, PLAIN, env=environment) == "bad_plugin_name"
    print("plugin: sealed and opened through age, which the library finds and feeds")


def plugin():
    """The side of a plugin in the protocol of C2SP age-plugin, for one recipient or one identity and one file."""
    lines = sys.stdin.buffer

    def unbase64(text):
        return base64.b64decode(text + "=" * (-len(text) % 4))

    def get():
        words = lines.readline().decode().rstrip("\n").split(" ")
        body = ""
        while True:
            line = lines.readline().decode().rstrip("\n")
            body += line
            if len(line) < 64:
                return words[1:], unbase64(body)

    def put(words, body=b""):
        text = base64.b64encode(body).decode().rstrip("=")
        sys.stdout.write(f"-> {' '.join(words)}\n{text}\n")
        sys.stdout.flush()

    def hidden(a, b):
        return bytes(x ^ y for x, y in zip(a, b))

    given = {}
    stanzas = []
    while (message := get())[0][0] != "done":
        words, body = message
        given[words[0]] = (words, body)
        if words[0] == "recipient-stanza":
            stanzas.append((words, body))
    if sys.argv[1] == "--age-plugin=recipient-v1":
        key = decode(given["add-recipient"][0][1])[1]
        put(["recipient-stanza", "0", "test"], hidden(given["wrap-file-key"][1], key) + key[:1])
    else:
        key = decode(given["add-identity"][0][1])[1]
        mine = [body for words, body in stanzas if words[2] == "test" and body[16:] == key[:1]]
        if mine:
            put(["file-key", "0"], hidden(mine[0][:16], key))
    if sys.argv[1] == "--age-plugin=recipient-v1" or mine:
        get()  # ok
    put(["done"])


def main():
    if len(sys.argv) > 1 and sys.argv[1].startswith("--age-plugin="):
        return plugin()
    missing = [name for name in ("age", "age-keygen", "ssh-keygen") if shutil.which(name) is None]
    if missing or not TOOL:
        print(f"skipped: there is no {', '.join(missing) or 'AGE_TOOL'}")
        return 77
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_x25519(folder)
        check_ssh(folder)
        check_passphrase(folder)
        check_plugin(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
