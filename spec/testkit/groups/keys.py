# SPDX-License-Identifier: Apache-2.0
"""Keys that people already have: OpenSSH's encoding of a key, and keys that live in a FIDO token."""

from ..envelope import BUILDER, SECOND, Signer, Token, openssh_key
from ..vector import key_line
from .base import vector

SSH = {"keys": [key_line(BUILDER, encoded=openssh_key(BUILDER))]}
TOKEN = {"keys": [key_line(BUILDER, encoded=openssh_key(BUILDER, "ssh:"))]}
BOTH = {
    "keys": [key_line(SECOND), key_line(BUILDER, encoded=openssh_key(BUILDER, "ssh:"))],
    "rules": ["** builder=2"]
}


def signed(name, expect, spec, reason, *signers, options=TOKEN, twin="S21-ok", code=None):
    return vector(name, expect, spec, reason, signers=list(signers), twin=None if expect == "ok" else twin, code=code,
                  options=options)


def flip(signature):
    return signature[:40] + bytes([signature[40] ^ 1]) + signature[41:]


def vectors():
    yield signed("S2-openssh-ok", "ok", "S-KEYS", "the policy has the key in OpenSSH's encoding", Signer(), options=SSH)
    yield signed("S2-openssh-twice", "untrusted", "S-KEYS S-THRESHOLD",
                 "one key of OpenSSH's encoding twice, under the ids of two keys", Signer(),
                 Signer(key_id=SECOND.key_id()), options={
                     "keys": [SSH["keys"][0], key_line(SECOND)], "rules": ["** builder=2"]
                 }, twin="S2-two-ok")
    yield signed("S21-ok", "ok", "S-HARDWARE S-PRESENCE S-KEYS", "a statement by a key in a token",
                 Signer(token=Token()))
    yield signed("S21-two-kinds-ok", "ok", "S-HARDWARE S-ORDER", "one key in a file and one in a token",
                 Signer(token=Token()), Signer(SECOND), options=BOTH)
    yield signed("S21-verified-ok", "ok", "S-PRESENCE", "other flags may be set too", Signer(token=Token(flags=5)))
    yield signed("S21-counter-ok", "ok", "S-HARDWARE", "the largest counter", Signer(token=Token(counter=2**32 - 1)))
    yield signed("S21-no-id-ok", "ok", "S-KEYID", "no key id", Signer(token=Token(), key_id=""))
    yield signed("S21-other-id-ok", "ok", "S-KEYID", "the key id that the same bytes have as a plain key",
                 Signer(token=Token(), key_id=BUILDER.key_id()))
    for flags in (0, 4, 0xfe):
        yield signed(f"S21-absent-{flags}", "untrusted", "S-PRESENCE", "the token was not touched",
                     Signer(token=Token(flags=flags)), code="no_user_presence")
    for name, change, reason in [
        ("counter", lambda e: e.update(counter=8), "another counter than was signed"),
        ("flags", lambda e: e.update(flags=5), "other flags than were signed"),
        ("presence", lambda e: e.update(flags=1), "presence claimed for a signature without it"),
    ]:
        token = Token(flags=0) if name == "presence" else Token()
        yield signed(f"S21-{name}", "bad_signature", "S-HARDWARE", reason, Signer(token=token, entry=change))
    yield signed("S21-signature", "bad_signature", "S-HARDWARE", "a bit of the signature",
                 Signer(token=Token(), signature=flip))
    yield signed("S21-application", "bad_signature", "S-HARDWARE", "the token was asked for another application",
                 Signer(token=Token("ssh:other"), key_id=Token().key_id(BUILDER)))
    yield signed("S21-application-own-id", "untrusted", "S-HARDWARE", "the same, under its own key id",
                 Signer(token=Token("ssh:other")), code="unknown_key")
    yield signed("S21-as-statement", "bad_signature", "S-HARDWARE", "the signature of a token in a plain statement item",
                 Signer(token=Token(), kind=1))
    yield signed("S21-plain-key", "bad_signature", "S-HARDWARE", "a plain signature by the bytes of a token's key",
                 Signer(key_id=Token().key_id(BUILDER)))
    yield signed("S21-plain-policy", "bad_signature", "S-HARDWARE", "the policy has the same bytes as a plain key",
                 Signer(token=Token(), key_id=BUILDER.key_id()), options=None)
    yield signed("S21-raw-message", "bad_signature", "S-HARDWARE", "the PAE itself was signed",
                 Signer(kind=4, entry=lambda e: e.update(flags=1, counter=7), key_id=Token().key_id(BUILDER)))
    for name, change, reason in [
        ("no-flags", lambda e: e.pop("flags"), "no flags"),
        ("no-counter", lambda e: e.pop("counter"), "no counter"),
        ("flags-256", lambda e: e.update(flags=256), "flags of more than a byte"),
        ("flags-text", lambda e: e.update(flags="1"), "flags as a text"),
        ("flags-fraction", lambda e: e.update(flags=1.5), "flags with a fraction"),
        ("counter-2-32", lambda e: e.update(counter=2**32), "a counter of more than four bytes"),
        ("counter-negative", lambda e: e.update(counter=-1), "a negative counter"),
        ("flags-true", lambda e: e.update(flags=True), "true for flags"),
    ]:
        yield signed(f"S21-{name}", "malformed", "S-HARDWARE", reason,
                     Signer(token=Token(), entry=lambda e, f=change: f(e) and None))
    blob = bytes.fromhex("535348534947") + bytes(100)
    for name, signature, reason in [
        ("sshsig", blob, "an SSHSIG blob"),
        ("minisign", b"ED" + bytes(8) + bytes(64), "a blob of minisign"),
        ("minisign-legacy", b"Ed" + bytes(8) + bytes(64), "a blob of legacy minisign"),
    ]:
        yield signed(f"S7-{name}-by-token", "malformed", "S-LENGTH", reason + " for the signature of a token",
                     Signer(token=Token(), signature=lambda s, b=signature: b))
