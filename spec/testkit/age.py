# SPDX-License-Identifier: Apache-2.0
"""Writes age v1 files (https://c2sp.org/age) from fixed keys, in steps that a vector can break one by one."""

import base64
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import bech32, ed25519

VERSION = b"age-encryption.org/v1"
X25519, SSH, SCRYPT = "X25519", "ssh-ed25519", "scrypt"
LABEL = "age-encryption.org/v1/"
CHUNK = 65536


def unpadded(data):
    return base64.b64encode(data).rstrip(b"=").decode()


def hkdf(secret, salt, info):
    return HKDF(SHA256(), 32, salt, info.encode()).derive(secret)


def multiply(scalar, point):
    """X25519; ValueError for a point of low order."""
    return X25519PrivateKey.from_private_bytes(scalar).exchange(X25519PublicKey.from_public_bytes(point))


def public_of(scalar):
    return X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def scrypt(passphrase, salt, work_factor):
    n = 1 << work_factor
    return hashlib.scrypt(passphrase.encode(), salt=(LABEL + SCRYPT).encode() + salt, n=n, r=8, p=1, dklen=32,
                          maxmem=1024 * n + (1 << 20))


class Identity:
    """A key of X25519 from a fixed secret."""

    def __init__(self, seed):
        self.secret = bytes([seed]) * 32
        self.public = public_of(self.secret)

    def text(self):
        return bech32.encode("age-secret-key-", self.secret).upper()

    def recipient(self):
        return bech32.encode("age", self.public)


def stanza(words, body):
    """One stanza of the header: the last line of its body is shorter than 64 columns."""
    text, lines = unpadded(body), []
    for start in range(0, len(text) + 1, 64):
        lines.append(text[start:start + 64])
    return "\n".join(["-> " + " ".join(words), *lines]).encode() + b"\n"


def seal_file_key(key, file_key):
    return ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)


def x25519_stanza(public, file_key, ephemeral):
    share = public_of(ephemeral)
    key = hkdf(multiply(ephemeral, public), share + public, LABEL + X25519)
    return stanza([X25519, unpadded(share)], seal_file_key(key, file_key))


def scrypt_stanza(passphrase, file_key, salt, work_factor):
    return stanza([SCRYPT, unpadded(salt), str(work_factor)],
                  seal_file_key(scrypt(passphrase, salt, work_factor), file_key))


def ssh_wire(public):
    return b"".join(struct.pack(">I", len(part)) + part for part in (SSH.encode(), public))


def ssh_stanza(public, file_key, ephemeral):
    """For an Ed25519 key, by its form as a key of X25519."""
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    point = ((1 + y) * pow(1 - y, -1, ed25519.P) % ed25519.P).to_bytes(32, "little")
    share = public_of(ephemeral)
    tweak = hkdf(b"", ssh_wire(public), LABEL + SSH)
    key = hkdf(multiply(tweak, multiply(ephemeral, point)), share + point, LABEL + SSH)
    tag = hashlib.sha256(ssh_wire(public)).digest()[:4]
    return stanza([SSH, unpadded(tag), unpadded(share)], seal_file_key(key, file_key))


def payload(file_key, nonce, content, chunks=None):
    """STREAM of the content, cut in `chunks` or as it should be."""
    key = hkdf(file_key, nonce, "payload")
    if chunks is None:
        chunks = [content[i:i + CHUNK] for i in range(0, len(content), CHUNK)] or [b""]
    out = nonce
    for number, chunk in enumerate(chunks):
        last = number == len(chunks) - 1
        out += ChaCha20Poly1305(key).encrypt(number.to_bytes(11, "big") + bytes([last]), chunk, None)
    return out


def header(stanzas, file_key, version=VERSION, mac=None):
    """The header; `mac` changes the 32 bytes of its end."""
    text = version + b"\n" + b"".join(stanzas) + b"---"
    code = hmac.digest(hkdf(file_key, b"", "header"), text, "sha256")
    return text + b" " + unpadded(mac(code) if mac else code).encode() + b"\n"
