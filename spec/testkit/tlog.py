# SPDX-License-Identifier: Apache-2.0
"""An audit log (spec section 14): Merkle trees of RFC 6962, notes, checkpoints, proofs. Written from those texts."""

import base64
import json
from dataclasses import dataclass, field
from hashlib import sha256

from . import constants as c
from .envelope import Key, compact

ORIGIN = "example.com/models"
ENTRY_TYPE = "https://safemodel.dev/log-entry/v1"
LOG_KEY, WITNESS_1, WITNESS_2, OTHER_LOG = Key(21), Key(22), Key(23), Key(24)
NOTE_ED25519, NOTE_COSIGNATURE = 1, 4


def b64(data):
    return base64.b64encode(data).decode()


def leaf_hash(entry):
    return sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return sha256(b"\1" + left + right).digest()


def split(n):
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def tree_hash(leaves):
    """MTH of RFC 6962, section 2.1, over leaf hashes."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(tree_hash(leaves[:k]), tree_hash(leaves[k:]))


def audit_path(index, leaves):
    """PATH of section 2.1.1."""
    if len(leaves) <= 1:
        return []
    k = split(len(leaves))
    if index < k:
        return audit_path(index, leaves[:k]) + [tree_hash(leaves[k:])]
    return audit_path(index - k, leaves[k:]) + [tree_hash(leaves[:k])]


def consistency(old, leaves, whole=True):
    """SUBPROOF of section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    k = split(len(leaves))
    if old <= k:
        return consistency(old, leaves[:k], whole) + [tree_hash(leaves[k:])]
    return consistency(old - k, leaves[k:], False) + [tree_hash(leaves[:k])]


def key_hash(name, kind, public):
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def note_line(name, key, text, kind=NOTE_ED25519, hashed=None):
    """The signature line of the log itself."""
    identity = key_hash(name, kind, key.public) if hashed is None else hashed
    return f"\u2014 {name} {b64(identity + key.sign(text))}\n"


def cosignature(name, key, text, time=c.NOW):
    """The line of a witness: cosignature/v1."""
    signature = key.sign(b"cosignature/v1\ntime %d\n" % time + text)
    return f"\u2014 {name} {b64(key_hash(name, NOTE_COSIGNATURE, key.public) + time.to_bytes(8, 'big') + signature)}\n"


def entry_of(item, signer, **changes):
    """The entry about the statement in a DSSE item."""
    payload = base64.b64decode(json.loads(item)["payload"])
    statement = json.loads(payload)
    predicate = statement["predicate"]
    fields = {
        "type": ENTRY_TYPE,
        "role": predicate["role"],
        "key": signer.key_id(),
        "model": predicate["model"],
        "version": predicate["version"],
        "sequence": predicate["sequence"],
        "manifest": statement["subject"][0]["digest"]["sha256"],
        "statement": sha256(payload).hexdigest(),
        "ci": "https://ci.example/1",
        "time": c.NOW,
    }
    fields.update(changes)
    return compact(fields)


@dataclass
class Proof:
    """One log proof over a log of 7 entries, our own among them; fields that a vector replaces."""

    entry: bytes
    index: int = 4
    size: int = 7
    origin: str = ORIGIN
    key: Key = field(default_factory=lambda: LOG_KEY)
    path: object = None  # list of hashes -> another
    leaf: object = None  # entry -> the leaf's hash
    extra: object = None  # the line of the entry -> another
    text: object = None  # the checkpoint's text -> another, which is then signed
    lines: object = None  # (name, key, text) -> the signature lines
    note: object = None  # the whole note -> another
    whole: object = None  # the whole proof -> another

    def leaves(self):
        own = (self.leaf or leaf_hash)(self.entry)
        leaves = [leaf_hash(b"entry %d" % i) for i in range(self.size)]
        if self.index < self.size:
            leaves[self.index] = own
        return leaves

    def state(self, size=None):
        """Size and root of an earlier state of the same log."""
        leaves = self.leaves()[:self.size if size is None else size]
        return len(leaves), tree_hash(leaves)

    def make(self):
        leaves = self.leaves()
        path = audit_path(self.index, leaves) if self.index < self.size else []
        path = self.path(path) if self.path else path
        text = f"{self.origin}\n{self.size}\n{b64(tree_hash(leaves))}\n"
        text = self.text(text) if self.text else text
        signed = text.encode()
        note = text + "\n" + (self.lines or note_line)(self.origin, self.key, signed)
        note = self.note(note) if self.note else note
        extra = f"extra {b64(self.entry)}\n"
        extra = self.extra(extra) if self.extra else extra
        proof = f"c2sp.org/tlog-proof@v1\n{extra}index {self.index}\n"
        proof += "".join(b64(node) + "\n" for node in path) + "\n" + note
        return (self.whole(proof) if self.whole else proof).encode()
