# SPDX-License-Identifier: Apache-2.0
"""Listings of files and of sets, and their statements (spec section 15)."""

import struct
from dataclasses import dataclass, field
from hashlib import sha256

from blake3 import blake3

from . import constants as c
from .envelope import Frame, Signer, apply

FILES_MAGIC = bytes.fromhex("89534d46494c0d0a")
SET_MAGIC = bytes.fromhex("89534d5345540d0a")
FILES_PREDICATE = "https://safemodel.dev/files-release/v1"
SET_PREDICATE = "https://safemodel.dev/set-release/v1"
FILE_DIGEST = "safemodel 2026 v1 file digest"
CHUNK = 1 << 20


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<H", len(data)) + data


def file_digest(data):
    chunks = b"".join(blake3(data[i:i + CHUNK]).digest() for i in range(0, len(data), CHUNK))
    return blake3(struct.pack("<Q", len(data)) + chunks, derive_key_context=FILE_DIGEST).digest()


@dataclass
class Entry:
    """A file; `size` and `digest` are computed from `data` when None."""

    path: object
    data: bytes = b""
    size: int = None
    digest: bytes = None

    def serialize(self):
        size = len(self.data) if self.size is None else self.size
        return text(self.path) + struct.pack("<Q", size) + (self.digest or file_digest(self.data))


@dataclass
class Member:
    path: object
    manifest_digest: bytes
    name: object = "tiny"
    version: object = "1"
    sequence: int = 7

    def serialize(self):
        return text(self.path) + text(self.name) + text(self.version) + struct.pack(
            "<Q", self.sequence) + self.manifest_digest


@dataclass
class Listing:
    """Fields of a listing; counts and length are computed when None."""

    entries: list
    magic: bytes = FILES_MAGIC
    version_number: int = 1
    shape: int = 1
    reserved: bytes = bytes(5)
    total_length: object = None  # length -> the one to state
    sequence: int = 7
    created: int = c.CREATED
    file_id: bytes = bytes(range(16))
    entry_count: int = None
    pattern_count: int = None
    left_out_count: int = None
    tail_reserved: int = 0
    name: object = "team/weights"
    version: object = "1.0"
    patterns: list = field(default_factory=list)
    left_out: list = field(default_factory=list)
    tail: bytes = b""  # behind the last entry, inside the length

    def serialize(self):
        body = text(self.name) + text(self.version)
        body += b"".join(text(pattern) for pattern in self.patterns)
        body += b"".join(text(path) for path in self.left_out)
        body += b"".join(entry.serialize() for entry in self.entries) + self.tail
        length = 72 + len(body)
        counts = [
            len(there) if stated is None else stated
            for there, stated in ((self.entries, self.entry_count), (self.patterns, self.pattern_count),
                                  (self.left_out, self.left_out_count))
        ]
        head = self.magic + struct.pack("<HB", self.version_number, self.shape) + self.reserved
        head += struct.pack("<QQQ", self.total_length(length) if self.total_length else length, self.sequence,
                            self.created) + self.file_id
        return head + struct.pack("<IIII", *counts, self.tail_reserved) + body


def signed(listing, predicate_type, signers=None, frame=None, data=None):
    """A listing with its frame. `data` replaces the listing's bytes before they are signed."""
    manifest = data if data is not None else listing.serialize()
    digest = sha256(manifest).digest()
    fields = {
        "name": listing.name,
        "version": listing.version,
        "sequence": listing.sequence,
        "file_id": listing.file_id
    }

    def typed(signer):
        edit = signer.edit

        def change(statement):
            statement["predicateType"] = predicate_type
            return apply(edit, statement)

        signer.edit = change
        return signer

    items = [(c.ITEM_STATEMENT, typed(signer).make(fields, digest)) for signer in (signers or [Signer()])]
    made = apply(frame, Frame(digest, items))
    return manifest + made.serialize()
