# SPDX-License-Identifier: Apache-2.0
"""Intermediate values of encryption (spec section 16), for whoever writes it anew and looks for the step that differs.

All are computed from the fixed keys of the vectors. Bytes are in hex.
"""

import json
import struct

from blake3 import blake3

from . import aead, planes, zstdframe
from . import constants as c
from .encryption import (ALICE, BOB, BUCKET, DEK, NOTE_KEY, OTHER_DEK, PASSPHRASE, Place, Sealing, commitment, note,
                         object_key, passphrase, salt_of, sealed_length, wrap, wrap_content)
from .groups.codecs import BF16
from .model import derive

SALAMANDER = {
    "nonce": b"smf-salamander-nonce-024",
    "keys": [b"\x11" * 32, b"\x22" * 32],
    "no_key": b"\x33" * 32,
    "ciphertext": bytes.fromhex("7e0a56e94d28acadc40303c51bd86cd9546eb0894737fbd7022260089766922f"
                                "f2be08043d511c62e53cb3b361e6eb9fa5f36a9bf67eaa2c88b209c3dc907daa"
                                "dcbea5a578e246bd160aa917152a97fbd28063b4e4f21ae4fd7e07c8be40fa61"
                                "0000000000000000000000000000000012faaf52a69cca4874f0e7ac8a3ca0d9"),
    "tag": bytes.fromhex("799934f0498e305dbb454b562805567a"),
}


def salamander():
    """A ciphertext without associated data that opens under two keys."""
    values, sealed = dict(SALAMANDER), SALAMANDER["ciphertext"] + SALAMANDER["tag"]
    values["plain"] = [aead.unseal(key, values["nonce"], b"", sealed) for key in values["keys"]]
    assert None not in values["plain"] and values["plain"][0] != values["plain"][1]
    assert aead.unseal(values["no_key"], values["nonce"], b"", sealed) is None
    return values


def chunk(name, place, plain, encoded, layout=c.LAYOUT_BYTES):
    sealing = Sealing()
    salt = salt_of(place.object)
    content = struct.pack("<I", len(encoded)) + encoded
    content += bytes(sealed_length(len(encoded), BUCKET) - 16 - len(content))
    stored = sealing.seal(place, encoded)
    assert aead.unseal(object_key(DEK, salt), place.nonce(), place.associated(), stored) == content
    return {
        "name": name,
        "object": place.object,
        "chunk": place.chunk,
        "chunk_count": place.count,
        "codec": place.codec,
        "layout": layout,
        "plain": plain,
        "encoded": encoded,
        "salt": salt,
        "object_key": object_key(DEK, salt),
        "nonce": place.nonce(),
        "associated_data": place.associated(),
        "content": content,
        "stored": stored,
        "digest": blake3(stored).digest(),
    }


def chunks():
    """A chunk of each codec; the middle one of three and the last one of two among them."""
    zeros, text = bytes(c.CHUNK_SIZE), bytes(range(100))
    yield chunk("raw", Place(c.FILE_ID, 1, 0, 1, len(text), c.CODEC_RAW), text, text)
    yield chunk("zstd", Place(c.FILE_ID, 2, 1, 3, len(zeros), c.CODEC_ZSTD), zeros, zstdframe.frame(zeros))
    encoded = planes.encode(c.LAYOUT_BF16, BF16)
    yield chunk("planes", Place(c.FILE_ID, 300, 1, 2, len(BF16), c.CODEC_PLANES), BF16, encoded, c.LAYOUT_BF16)
    yield chunk("directory", Place(c.FILE_ID, 0, 0, 1, len(text), c.CODEC_RAW), text, text)


def wraps():
    for name, item, identity, recipient in [("X25519", wrap(), ALICE.text(), ALICE.recipient()),
                                            ("X25519 for two", wrap(ALICE, BOB), BOB.text(), BOB.recipient()),
                                            ("scrypt", wrap(passphrase()), f"passphrase:{PASSPHRASE}", "passphrase")]:
        yield {"name": name, "identity": identity, "recipient": recipient, "content": wrap_content(), "age": item[1]}


def notes():
    about = wrap()
    for text in (ALICE.recipient(), "passphrase", "M\u00fcller \u2116 1"):
        item = note(about, text)[1]
        yield {
            "text": text,
            "wrap_digest": item[:32],
            "nonce": item[32:56],
            "associated_data": c.FILE_ID + item[:32],
            "item": item,
        }


def hexed(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: hexed(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [hexed(part) for part in value]
    return value


def encryption():
    """The text of values/encryption.json."""
    values = {
        "about": "Intermediate values of section 16, made by spec/testkit. Bytes are in hex; the keys are public.",
        "data_key": DEK,
        "file_id": c.FILE_ID,
        "bucket": BUCKET,
        "commitment": commitment(DEK),
        "other_data_key": OTHER_DEK,
        "other_commitment": commitment(OTHER_DEK),
        "note_key": derive(NOTE_KEY, DEK),
        "chunks": list(chunks()),
        "wraps": list(wraps()),
        "notes": list(notes()),
        "salamander": salamander(),
    }
    return (json.dumps(hexed(values), indent=1, ensure_ascii=False) + "\n").encode()
