# SPDX-License-Identifier: Apache-2.0
"""Bech32 (BIP 173) without its limit on the length: how age writes keys."""

LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def checksum(prefix, values):
    state = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values:
        top, state = state >> 25, (state & 0x1FFFFFF) << 5 ^ value
        for bit, constant in enumerate(GENERATOR):
            state ^= constant if top >> bit & 1 else 0
    return state


def regroup(values, width, new_width, pad):
    bits, count, out = 0, 0, []
    for value in values:
        bits, count = bits << width | value, count + width
        while count >= new_width:
            count -= new_width
            out.append(bits >> count & (1 << new_width) - 1)
    rest = bits & (1 << count) - 1
    if pad and count:
        out.append(rest << new_width - count)
    elif not pad and (count >= width or rest):
        raise ValueError("bits behind the data")
    return out


def encode(prefix, data):
    values = regroup(data, 8, 5, True)
    state = checksum(prefix, values + [0] * 6) ^ 1
    values += [state >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(LETTERS[value] for value in values)


def decode(text):
    """Prefix and data; either case, but not both in one text."""
    if text not in (text.lower(), text.upper()):
        raise ValueError("letters of both cases")
    prefix, _, rest = text.lower().rpartition("1")
    values = [LETTERS.index(letter) for letter in rest]
    if not prefix or len(values) < 6 or checksum(prefix, values) != 1:
        raise ValueError("checksum")
    return prefix, bytes(regroup(values[:-6], 5, 8, False))
