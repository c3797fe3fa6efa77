# SPDX-License-Identifier: Apache-2.0
"""Statements, their signatures, and the envelope frame (spec sections 9 and 11)."""

import base64
import datetime
import json
import struct
from dataclasses import dataclass, field
from hashlib import sha256

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import constants as c

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://safemodel.dev/release/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Key:
    """A signing key made from a fixed seed."""

    def __init__(self, seed):
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def key_id(self):
        return sha256(b"safemodel key ed25519\n" + self.public).hexdigest()

    def sign(self, message):
        return self.private.sign(message)


@dataclass
class Token:
    """What a FIDO token does with a message: it binds an application, flags and a counter to it."""

    application: str = "ssh:"
    flags: int = 1
    counter: int = 7

    def message(self, message):
        head = sha256(self.application.encode()).digest() + struct.pack(">BI", self.flags, self.counter)
        return head + sha256(message).digest()

    def key_id(self, key):
        return sha256(b"safemodel key sk-ed25519\n" + key.public + self.application.encode()).hexdigest()


def openssh_key(key, application=None):
    """The type and the base64 of an OpenSSH public key, joined by a colon for the line of a vector."""
    kind = "ssh-ed25519" if application is None else "sk-ssh-ed25519@openssh.com"
    parts = [kind.encode(), key.public] + ([application.encode()] if application is not None else [])
    return kind + ":" + base64.b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()


BUILDER, SECOND, THIRD, STRANGER = Key(1), Key(2), Key(3), Key(9)


def pae(payload_type, payload):
    """The pre-authentication encoding of DSSE v1."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def statement(manifest, manifest_digest, role="builder", **changes):
    """The in-toto statement that says: I, in this role, released this manifest."""
    name, version = (v if isinstance(v, str) else v.decode("utf-8", "replace")
                     for v in (manifest["name"], manifest["version"]))
    predicate = {
        "role": role,
        "model": name,
        "version": version,
        "sequence": manifest["sequence"],
        "fileId": manifest["file_id"].hex(),
        "issuedAt": rfc3339(c.CREATED),
        "verified": "manifest",
    }
    predicate.update(changes)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{
            "name": f"{name}@{version}",
            "digest": {
                "sha256": manifest_digest.hex()
            }
        }],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass
class Signer:
    """How one statement item is made; each function replaces one step, so that a vector can break exactly that step."""

    key: Key = field(default_factory=lambda: BUILDER)
    role: str = "builder"
    predicate: dict = field(default_factory=dict)  # fields added to the predicate or changed in it
    edit: object = None  # statement dict -> changes in place, or another dict
    payload: object = None  # payload bytes -> other bytes that are then signed
    payload_type: str = PAYLOAD_TYPE
    message: object = None  # (payload type, payload) -> the bytes that are signed; the PAE by default
    signature: object = None  # signature -> another
    key_id: object = None  # the text to state; "" leaves the field out
    wrap: object = None  # DSSE dict -> changes in place, or another dict
    item: object = None  # the item's bytes -> other bytes
    token: Token = None  # the key lives in a token
    entry: object = None  # the object in `signatures` -> changes in place
    kind: int = None  # of the item, when it is not that of the key

    def make(self, manifest, manifest_digest):
        what = statement(manifest, manifest_digest, self.role, **self.predicate)
        payload = compact(apply(self.edit, what))
        if self.payload:
            payload = self.payload(payload)
        message = (self.message or pae)(self.payload_type, payload)
        if self.token:
            message = self.token.message(message)
        signature = self.key.sign(message)
        if self.signature:
            signature = self.signature(signature)
        own_id = self.token.key_id(self.key) if self.token else self.key.key_id()
        entry = {
            "keyid": own_id if self.key_id is None else self.key_id,
            "sig": base64.b64encode(signature).decode()
        }
        if entry["keyid"] == "":
            del entry["keyid"]
        if self.token:
            entry.update(flags=self.token.flags, counter=self.token.counter)
        apply(self.entry, entry)
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [entry]
        }
        item = compact(apply(self.wrap, envelope))
        return self.item(item) if self.item else item

    def item_kind(self):
        own = c.ITEM_HARDWARE_STATEMENT if self.token else c.ITEM_STATEMENT
        return own if self.kind is None else self.kind


def apply(hook, value):
    """A hook changes its argument in place, or returns another value to be used."""
    if hook is None:
        return value
    result = hook(value)
    return value if result is None else result


@dataclass
class Frame:
    """The envelope's fields. `total_length` and `item_count` are computed when None."""

    manifest_digest: bytes
    items: list  # (kind, bytes)
    generation: int = 1
    magic: bytes = c.ENVELOPE_MAGIC
    version: int = 1
    reserved: int = 0
    item_count: int = None
    total_length: int = None
    item_reserved: int = 0
    item_lengths: dict = field(default_factory=dict)  # item number: stated length
    tail: bytes = b""  # behind the last item, inside the digest
    digest: object = None  # body -> the 32 bytes at the end

    def serialize(self):
        items = b"".join(
            struct.pack("<HHI", kind, self.item_reserved, self.item_lengths.get(i, len(data))) + data
            for i, (kind, data) in enumerate(self.items)) + self.tail
        total = 64 + len(items) + 32 if self.total_length is None else self.total_length
        count = len(self.items) if self.item_count is None else self.item_count
        body = self.magic + struct.pack("<HHIQQ", self.version, self.reserved, count, total, self.generation)
        body += self.manifest_digest + items
        return body + (self.digest(body) if self.digest else blake3(body).digest())
