# SPDX-License-Identifier: Apache-2.0
"""What the tests of encryption share: a model whose names and bytes are told apart from everything else, recipients, and
the envelope's frame, which these tests read and write themselves."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

from blake3 import blake3

from cli_case import CliTest, floats, safetensors

NAME = "marker_of_a_tensor_name"
CONTENT = b"marker of the content! "
CONTENTS = CONTENT * 2000
ENVELOPE = bytes.fromhex("89534d454e560d0a")
KEY_WRAP = 2
SECRET = rb"(?i)AGE-(SECRET-KEY|PLUGIN)-[A-Z0-9+._-]*1[02-9A-Z]{6}"


class EncryptionCase(CliTest):
    def setUp(self):
        super().setUp()
        self.run_cli("keygen", "-o", "k", "--no-passphrase")
        for name in ("alice", "bob"):
            self.run_cli("keygen", "--format", "age", "-o", name)
        self.write("m.safetensors", safetensors({NAME: ("U8", [len(CONTENTS)], CONTENTS), "w": ("F32", [64], floats(64))}))

    def recipient(self, name):
        return (self.path / f"{name}.pub").read_text().strip()

    def secret(self, name):
        return (self.path / f"{name}.key").read_text().splitlines()[-1]

    def make_plain(self, name="plain.safemodel"):
        self.run_cli("convert", "m.safetensors", "-o", name, "--name", "team/m", "--sequence", "3", "--sign-with", "k.key")
        return name

    def make_encrypted(self, *recipients, name="m.safemodel", signed=True):
        to = [part for recipient in recipients or ("alice.pub",) for part in ("--encrypt-to", recipient)]
        sign = ["--sign-with", "k.key"] if signed else []
        self.run_cli("convert", "m.safetensors", "-o", name, "--name", "team/m", "--sequence", "3", *to, *sign)
        return name

    def exports(self, name, *identity, expect=0, key="k.pub", **options):
        """Exports a container, and checks what comes out; the refusal's code where nothing may."""
        output = self.path / "out.safetensors"
        output.unlink(missing_ok=True)
        result = self.run_cli("export", name, "-o", output.name, "--key", key, *identity, "--json", expect=expect, **options)
        self.assertEqual(output.exists(), expect == 0)
        if expect == 0:
            self.assertIn(CONTENTS, output.read_bytes())
        else:
            self.silent(result)
        return result

    def silent(self, result):
        """Nothing of the content, and no secret, is in what was said."""
        secrets = [self.secret(name).encode() for name in ("alice", "bob")]
        for stream in (result.stdout, result.stderr):
            for text in (NAME.encode(), CONTENT, *secrets):
                self.assertNotIn(text, stream)
            self.assertNotRegex(stream, SECRET)

    def frame(self, name):
        """The head of a container's envelope and its items: (kind, bytes)."""
        data = (self.path / name).read_bytes()
        start = data.rindex(ENVELOPE)
        count, total = struct.unpack_from("<IQ", data, start + 12)
        items, at = [], start + 64
        for _ in range(count):
            kind, _, size = struct.unpack_from("<HHI", data, at)
            items.append((kind, data[at + 8 : at + 8 + size]))
            at += 8 + size
        assert start + total == len(data) and at + 32 == len(data)
        return data[:start], data[start : start + 64], items

    def wraps(self, name):
        return [data for kind, data in self.frame(name)[2] if kind == KEY_WRAP]

    def write_frame(self, name, core, head, items):
        """Puts a container together again with other items, as anybody can who writes the file."""
        body = b"".join(struct.pack("<HHI", kind, 0, len(data)) + data for kind, data in items)
        head = head[:12] + struct.pack("<IQ", len(items), 64 + len(body) + 32) + head[24:]
        self.write(name, core + head + body + blake3(head + body).digest())

    def core(self, name):
        return self.frame(name)[0]

    def files(self):
        return sorted(p.name for p in Path(self.path).iterdir())


def start_on_terminal(words, **options):
    """Starts a program on a terminal of its own; returns the child and the terminal's other end."""
    master, slave = pty.openpty()
    child = subprocess.Popen(list(map(str, words)), stdin=slave, stderr=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **options)
    os.close(slave)
    return child, master


def read_terminal(terminal, seconds=0.1):
    """What a program has printed on its terminal; nothing when it closed it."""
    if not select.select([terminal], [], [], seconds)[0]:
        return b""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def asks(seen):
    return re.search(rb"assphrase[^:]*: \Z", seen)


def with_terminal(words, answers, **options):
    """Runs a program that asks on its terminal, and types an answer whenever it asks; returns exit code, what was printed
    there, and standard output."""
    child, terminal = start_on_terminal(words, stdout=subprocess.PIPE, **options)
    seen, answered, deadline = b"", 0, time.monotonic() + 60
    while child.poll() is None and time.monotonic() < deadline:
        seen += read_terminal(terminal)
        if asks(seen) and len(seen) > answered and answers:
            answered = len(seen)
            time.sleep(0.2)  # it turns the echo off first
            os.write(terminal, answers.pop(0) + b"\n")
    output = child.communicate(timeout=60)[0]
    seen += read_terminal(terminal)
    os.close(terminal)
    return child.returncode, seen, output
