# SPDX-License-Identifier: Apache-2.0
"""What a writer of encrypted containers does with objects and keys (spec section 16), from fixed keys and salts."""

import struct
from dataclasses import dataclass, field

from blake3 import blake3

from . import aead, age
from . import constants as c
from .envelope import apply
from .model import derive

COMMITMENT = "safemodel 2026 v1 key commitment"
OBJECT_KEY = "safemodel 2026 v1 object key"
NOTE_KEY = "safemodel 2026 v1 recipient note key"
WRAP_LABEL = b"safemodel 2026 v1 key wrap"
XCHACHA20_POLY1305 = 1
OVERHEAD = 20  # the encoded length in front of a chunk, and the tag behind it

DEK, OTHER_DEK = bytes(range(0x20, 0x40)), bytes(range(0x60, 0x80))
BUCKET = 64
ALICE, BOB = age.Identity(0x41), age.Identity(0x42)
PASSPHRASE = "correct horse battery staple"


def fixed(name, size=32):
    """What a writer would draw at random."""
    return blake3(f"safemodel vectors: {name}".encode()).digest(length=size)


def commitment(dek, file_id=c.FILE_ID):
    return derive(COMMITMENT, dek + file_id)


def object_key(dek, salt):
    return derive(OBJECT_KEY, dek + salt)


def salt_of(number):
    return fixed(f"salt {number}")


def sealed_length(encoded, bucket):
    return -(-(OVERHEAD + encoded) // bucket) * bucket


@dataclass
class Place:
    """Which chunk of which object it is: what the nonce and the associated data say."""

    file_id: bytes
    object: int
    chunk: int
    count: int
    plain: int  # plain length of the chunk
    codec: int

    def nonce(self):
        return struct.pack("<QB", self.chunk, self.chunk == self.count - 1) + bytes(15)

    def associated(self):
        return self.file_id + struct.pack("<IIIIB", self.object, self.chunk, self.count, self.plain, self.codec)


@dataclass
class Sealing:
    """Seals the chunks of a container; the functions replace one step each, so that a vector can break that step."""

    dek: bytes = DEK
    bucket: int = BUCKET
    file_id: bytes = c.FILE_ID
    salt: object = salt_of  # object number -> 32 bytes
    key: object = None  # (place, key) -> another key
    place: object = None  # Place -> changes in place: the associated data of another chunk
    nonce: object = None  # (place, nonce) -> another nonce
    content: object = None  # (place, content) -> another content
    stored: object = None  # (place, stored bytes) -> others
    table: object = None  # the table in the manifest -> changes in place, or another one, or {} for none
    items: list = field(default_factory=lambda: [wrap()])  # (kind, bytes) in the envelope, behind the statements

    def chunks(self, number, object_, chunk_size):
        """(codec, stored bytes) of each chunk of an object."""
        encoded = object_.stored_chunks(chunk_size)
        for chunk, (codec, data) in enumerate(encoded):
            plain = min(chunk_size, len(object_.plain) - chunk * chunk_size)
            yield codec, self.seal(Place(self.file_id, number, chunk, len(encoded), plain, codec), data)

    def seal(self, place, encoded):
        def step(hook, value):
            return hook(place, value) if hook else value

        content = struct.pack("<I", len(encoded)) + encoded
        content = step(self.content, content + bytes(sealed_length(len(encoded), self.bucket) - 16 - len(content)))
        key = step(self.key, object_key(self.dek, self.salt(place.object)))
        nonce = step(self.nonce, place.nonce())
        stated = apply(self.place, Place(**vars(place)))
        return step(self.stored, aead.seal(key, nonce, stated.associated(), content))

    def manifest_table(self):
        return apply(
            self.table, {
                "algorithm": XCHACHA20_POLY1305,
                "commitment": commitment(self.dek, self.file_id),
                "bucket": self.bucket
            }) or None


def wrap_content(dek=DEK, file_id=c.FILE_ID, label=WRAP_LABEL):
    return label + file_id + dek


def wrap(*whom, content=None, name="wrap", change=None, **steps):
    """An envelope item with the data key for an identity, or for the stanzas that the functions in `whom` make of a
    file key. `name` tells what is fixed instead of random."""
    file_key = fixed(f"{name} file key", 16)
    stanzas = []
    for number, one in enumerate(whom or (ALICE,)):
        drawn = fixed(f"{name} ephemeral {number}")
        stanzas.append(
            one(file_key, drawn) if callable(one) else age.x25519_stanza(one.public, file_key, drawn))
    content = wrap_content() if content is None else content
    chunks = steps.pop("chunks", None)
    file = age.header(stanzas, file_key, **steps) + age.payload(file_key, fixed(f"{name} nonce", 16), content, chunks)
    return c.ITEM_KEY_WRAP, change(file) if change else file


def passphrase(text=PASSPHRASE, work_factor=4):
    """A stanza for `wrap`."""
    return lambda file_key, drawn: age.scrypt_stanza(text, file_key, drawn[:16], work_factor)


def note(about, text, dek=DEK, nonce=None, associated=None, key=None):
    """An envelope item that tells for whom a wrap is."""
    nonce = fixed(f"note nonce {text}", 24) if nonce is None else nonce
    digest = blake3(about[1]).digest()
    text = text if isinstance(text, bytes) else text.encode()
    sealed = aead.seal(derive(NOTE_KEY, dek) if key is None else key, nonce, c.FILE_ID + digest
                       if associated is None else associated, text)
    return c.ITEM_RECIPIENT_NOTE, digest + nonce + sealed
