# SPDX-License-Identifier: Apache-2.0
"""Just enough arithmetic on edwards25519 (RFC 8032) to make the signatures that no signer makes."""

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(a, b):
    x1, y1 = a
    x2, y2 = b
    product = D * x1 * x2 * y1 * y2
    return ((x1 * y2 + y1 * x2) * pow(1 + product, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P) % P)


def multiply(scalar, point):
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def encode(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(data):
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    return (P - x if x & 1 != data[31] >> 7 else x, y)


BASE = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
ORDER_8 = decode(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))
IDENTITY = (1).to_bytes(32, "little")
IDENTITY_NOT_CANONICAL = (P + 1).to_bytes(32, "little")


def secret_scalar(seed):
    return int.from_bytes(sha512(seed).digest()[:32], "little") & (1 << 254) - 8 | 1 << 254


def sign_with(seed, public, message, r_bytes, r=0):
    """The signature with a chosen R, of which r is the discrete logarithm up to points of low order."""
    k = int.from_bytes(sha512(r_bytes + public + message).digest(), "little") % L
    return r_bytes + ((r + k * secret_scalar(seed)) % L).to_bytes(32, "little")


def with_residue(seed, public, message):
    """Its verification equation holds only when multiplied by the cofactor."""
    r = 12345
    return sign_with(seed, public, message, encode(add(multiply(r, BASE), ORDER_8)), r)


def with_large_s(signature):
    """The same signature with S + L: malleable, and refused by RFC 8032."""
    s = int.from_bytes(signature[32:], "little") + L
    return signature[:32] + s.to_bytes(32, "little")
