# SPDX-License-Identifier: Apache-2.0
"""XChaCha20-Poly1305-IETF from ChaCha20-Poly1305 and HChaCha20 (draft-irtf-cfrg-xchacha-03)."""

import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

WORD = 0xFFFFFFFF
ROUND = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13),
         (3, 4, 9, 14))


def quarter_round(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = s[x] + s[y] & WORD
        mixed = s[z] ^ s[x]
        s[z] = (mixed << turn | mixed >> 32 - turn) & WORD


def hchacha20(key, nonce):
    """The subkey of 32 bytes for the first 16 bytes of a nonce."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))
    for _ in range(10):
        for words in ROUND:
            quarter_round(state, *words)
    return struct.pack("<8I", *state[:4], *state[12:])


def inner(key, nonce):
    """Key and nonce of the ChaCha20-Poly1305 (RFC 8439) inside."""
    return hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]


def seal(key, nonce, associated, plain):
    """The ciphertext, and the tag of 16 bytes behind it."""
    subkey, rest = inner(key, nonce)
    return ChaCha20Poly1305(subkey).encrypt(rest, plain, associated)


def unseal(key, nonce, associated, sealed):
    """What was sealed, or None."""
    subkey, rest = inner(key, nonce)
    try:
        return ChaCha20Poly1305(subkey).decrypt(rest, sealed, associated)
    except InvalidTag:
        return None


def keystream(key, nonce, counter, length):
    """ChaCha20's bytes from a block on; the first block makes the key of Poly1305, the next one meets the text."""
    subkey, rest = inner(key, nonce)
    cipher = Cipher(ChaCha20(subkey, struct.pack("<I", counter) + rest), mode=None).encryptor()
    return cipher.update(bytes(length))
