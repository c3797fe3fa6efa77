# SPDX-License-Identifier: Apache-2.0
"""The file format of a vector: a text header, a blank line, the bytes of the container, of the sidecar,
and the text of the policy file."""

from dataclasses import dataclass, field

from . import constants as c
from .envelope import BUILDER

STAGES = {"ok", "io", "malformed", "unsupported", "limit", "digest_mismatch", "bad_signature", "untrusted", "unsafe",
          "key", "config"}
STEPS = ("policy", "open", "verify", "load", "content", "logged")


def key_line(key, roles="builder", not_before=None, not_after=None, encoded=None):
    line = f"{encoded or key.public.hex()} {roles}"
    if not_before is not None:
        line += f" not_before={not_before}"
    return line + (f" not_after={not_after}" if not_after is not None else "")


@dataclass
class Vector:
    name: str
    reason: str
    spec: list  # tags of the spec
    container: bytes
    expect: str = "ok"
    code: str = None
    at: str = "open"  # the steps that refuse, each with the word of `expect`; steps before the first succeed
    twin: str = None  # the accepting vector that differs only in what is wrong here
    sidecar: bytes = None
    now: int = c.NOW
    keys: list = field(default_factory=lambda: [key_line(BUILDER)])
    rules: list = field(default_factory=lambda: ["** builder=1"])
    expect_name: str = "*"
    log: list = field(default_factory=list)  # lines about logs (section 14), for the step "logged"
    policy: bytes = None  # the text of a policy file, in place of `keys` and `rules`
    kind: str = "container"  # what is verified; see section 13
    path: str = None  # name of what the bytes of the container are
    limits: list = field(default_factory=list)  # limits of the reader other than the defaults: "tensors=2"
    identities: list = field(default_factory=list)  # what the reader has to open key wraps with

    def header(self):
        assert self.expect in STAGES and set(self.at.split()) <= set(STEPS), self.name
        lines = [
            "safemodel vector 1",
            f"name: {self.name}",
            f"reason: {self.reason}",
            f"spec: {' '.join(self.spec)}",
            f"at: {self.at}",
            f"expect: {self.expect}",
        ]
        lines += [f"code: {self.code}"] if self.code else []
        lines += [f"twin: {self.twin}"] if self.twin else []
        lines += [f"now: {self.now}"]
        if self.policy is None:
            lines += [f"key: {key}" for key in self.keys] + [f"rule: {rule}" for rule in self.rules]
        lines += [f"kind: {self.kind}", f"path: {self.path}"] if self.kind != "container" else []
        lines += [f"limit: {limit}" for limit in self.limits]
        lines += [f"identity: {identity}" for identity in self.identities]
        lines += self.log
        lines += [f"expect-name: {self.expect_name}", f"container: {len(self.container)}"]
        lines += [f"sidecar: {len(self.sidecar)}"] if self.sidecar is not None else []
        lines += [f"policy: {len(self.policy)}"] if self.policy is not None else []
        return "\n".join(lines) + "\n\n"

    def serialize(self):
        return self.header().encode() + self.container + (self.sidecar or b"") + (self.policy or b"")


def parse(data):
    """The header as a list of (key, value), and the rest."""
    head, rest = data.split(b"\n\n", 1)
    lines = head.decode().split("\n")
    assert lines[0] == "safemodel vector 1"
    return [tuple(line.split(": ", 1)) for line in lines[1:]], rest
