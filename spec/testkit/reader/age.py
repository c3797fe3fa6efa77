# SPDX-License-Identifier: Apache-2.0
"""Reads age v1 files strictly (https://c2sp.org/age): one header has one encoding."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from .. import age, bech32
from . import require

MOST_BYTES, MOST_STANZAS, MOST_WORK = 16384, 64, 20
BODY = 32  # of the stanzas that are ours: a file key of 16 bytes and its tag
SEALED = age.CHUNK + 16


class NotAge(Exception):
    """A header that is not as the specification says."""


@dataclass
class Stanza:
    kind: str
    arguments: list
    body: bytes


@dataclass
class Header:
    stanzas: list
    mac: bytes
    authenticated: bytes  # what the MAC is of
    rest: bytes  # the payload

    def is_for_passphrase(self):
        return len(self.stanzas) == 1 and self.stanzas[0].kind == age.SCRYPT


@dataclass
class Identity:
    """What a vector gives the reader: a secret of X25519, or a passphrase."""

    secret: bytes = None
    passphrase: str = None


def read_identity(text):
    if text.startswith("passphrase:"):
        return Identity(passphrase=text.removeprefix("passphrase:"))
    prefix, secret = bech32.decode(text)
    assert text.startswith("AGE-SECRET-KEY-1") and prefix == "age-secret-key-" and len(secret) == 32
    return Identity(secret=secret)


def right(condition, text):
    if not condition:
        raise NotAge(text)


def decode(text):
    """Base64 without padding; the unused bits of the last letter are zero."""
    right(re.fullmatch(rb"[A-Za-z0-9+/]*", text) and len(text) % 4 != 1, "base64")
    data = base64.b64decode(text + b"=" * (-len(text) % 4))
    right(age.unpadded(data).encode() == text, "base64")
    return data


def parse(file):
    """The header. More stanzas than we look at are a matter of limits, whatever follows them."""
    require(len(file) <= MOST_BYTES, "limit", "K-WRAP", "age_size")
    position, stanzas = 0, []

    def line():
        nonlocal position
        end = file.find(b"\n", position)
        right(end >= 0, "the header ends too early")
        taken, position = file[position:end], end + 1
        return taken

    right(line() == age.VERSION, "version")
    while True:
        start, words = position, line()
        if not words.startswith(b"-> "):
            break
        require(len(stanzas) < MOST_STANZAS, "limit", "K-WRAP", "age_stanzas")
        words = words[3:].split(b" ")
        right(all(re.fullmatch(rb"[!-~]+", word) for word in words), "a word of a stanza")
        body, columns = b"", 64
        while columns == 64:
            text = line()
            columns = len(text)
            right(columns <= 64, "a line of a body")
            body += decode(text)
        kind, *arguments = (word.decode() for word in words)
        stanzas.append(Stanza(kind, arguments, body))
    right(stanzas, "no stanza")
    right(words.startswith(b"--- "), "the end of the header")
    mac = decode(words[4:])
    right(len(mac) == 32, "MAC")
    header = Header(stanzas, mac, file[:start + 3], file[position:])
    for stanza in stanzas:
        check_stanza(stanza, len(stanzas))
    return header


def check_stanza(stanza, count):
    """The shape of the kinds that we know, whoever they are for."""
    sizes = {age.X25519: [32], age.SSH: [4, 32], age.SCRYPT: [16, None]}.get(stanza.kind)
    if sizes is None:
        return
    right(stanza.kind != age.SCRYPT or count == 1, "a passphrase beside others")
    right(len(stanza.arguments) == len(sizes) and len(stanza.body) == BODY, "the shape of a stanza")
    for argument, size in zip(stanza.arguments, sizes):
        right(size is None or len(decode(argument.encode())) == size, "an argument of a stanza")
    if stanza.kind == age.SCRYPT:
        right(re.fullmatch("[1-9][0-9]*", stanza.arguments[1]), "work factor")
        require(int(stanza.arguments[1]) <= MOST_WORK, "limit", "K-WRAP", "scrypt_cost")


def unseal(key, nonce, sealed):
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, None)
    except InvalidTag:
        return None


def file_key_of(stanza, identity):
    """The file key, or None when the stanza is for somebody else."""
    if stanza.kind == age.X25519 and identity.secret is not None:
        share = decode(stanza.arguments[0].encode())
        try:
            shared = age.multiply(identity.secret, share)
        except ValueError:
            raise NotAge("a share of low order") from None
        key = age.hkdf(shared, share + age.public_of(identity.secret), age.LABEL + age.X25519)
        return unseal(key, bytes(12), stanza.body)
    if stanza.kind == age.SCRYPT and identity.passphrase is not None:
        salt = decode(stanza.arguments[0].encode())
        return unseal(age.scrypt(identity.passphrase, salt, int(stanza.arguments[1])), bytes(12), stanza.body)
    return None


def open_file(header, identities):
    """(content, None), or (None, code)."""
    keys = (file_key_of(stanza, identity) for identity in identities for stanza in header.stanzas)
    file_key = next((key for key in keys if key is not None), None)
    if file_key is None:
        asked = header.is_for_passphrase() and any(identity.passphrase is not None for identity in identities)
        return None, "wrong_passphrase" if asked else "no_identity"
    mac = hmac.digest(age.hkdf(file_key, b"", "header"), header.authenticated, hashlib.sha256)
    if not hmac.compare_digest(mac, header.mac):
        return None, "age_mac"
    content = open_payload(file_key, header.rest)
    return content, "age_payload" if content is None else None


def open_payload(file_key, payload):
    """All of the content, or None."""
    nonce, sealed = payload[:16], payload[16:]
    right(len(nonce) == 16, "the file ends in the nonce of its payload")
    if not sealed:
        return None
    key, content = age.hkdf(file_key, nonce, "payload"), b""
    chunks = [sealed[i:i + SEALED] for i in range(0, len(sealed), SEALED)]
    for number, chunk in enumerate(chunks):
        last = number == len(chunks) - 1
        plain = unseal(key, number.to_bytes(11, "big") + bytes([last]), chunk) if len(chunk) >= 16 else None
        if plain is None or (not plain and number):
            return None
        content += plain
    return content
