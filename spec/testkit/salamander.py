# SPDX-License-Identifier: Apache-2.0
"""Ciphertexts that open under two keys.

Poly1305 is a polynomial in a secret point, so a block of ciphertext that gives it the same value (and so the same tag)
at the points of two keys is the solution of a linear equation modulo 2^130 - 5.
"""

import struct

from . import aead

PRIME = (1 << 130) - 5
CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
PAD = 1 << 128  # every block is a whole one, which Poly1305 marks by a bit behind it


def padded(data):
    return data + bytes(-len(data) % 16)


def point(key, nonce):
    """Where the polynomial of a key is evaluated, and what is added to its value."""
    block = aead.keystream(key, nonce, 0, 32)
    return int.from_bytes(block[:16], "little") & CLAMP, int.from_bytes(block[16:], "little")


def blocks(associated, sealed):
    message = padded(associated) + padded(sealed) + struct.pack("<QQ", len(associated), len(sealed))
    return [int.from_bytes(message[i:i + 16], "little") + PAD for i in range(0, len(message), 16)]


def value(at, coefficients):
    total = 0
    for coefficient in coefficients:
        total = (total + coefficient) * at % PRIME
    return total


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def collide(keys, nonce, associated, plain, filler, place):
    """`plain` with 16 bytes at `place` chosen, and a count at `filler`, so that its ciphertext under the first key has
    the same tag under the second. Both are multiples of 16."""
    (first, first_end), (second, second_end) = (point(key, nonce) for key in keys)
    stream, plain = aead.keystream(keys[0], nonce, 1, len(plain)), bytearray(plain)
    for count in range(1 << 16):
        plain[filler:filler + 4] = struct.pack("<I", count)
        sealed = bytearray(xor(plain, stream))
        coefficients = blocks(associated, sealed)
        chosen = len(padded(associated)) // 16 + place // 16
        power = len(coefficients) - chosen
        coefficients[chosen] = 0
        gap = value(second, coefficients) + second_end - value(first, coefficients) - first_end
        inverse = pow(pow(first, power, PRIME) - pow(second, power, PRIME), -1, PRIME)
        for wraps in range(-4, 5):  # the tag is the sum modulo 2^128
            block = (gap + wraps * PAD) * inverse % PRIME - PAD
            if not 0 <= block < PAD:
                continue
            sealed[place:place + 16] = block.to_bytes(16, "little")
            whole = blocks(associated, sealed)
            if (value(first, whole) + first_end - value(second, whole) - second_end) % PAD == 0:
                return xor(sealed, stream)
    raise AssertionError("no solution")
