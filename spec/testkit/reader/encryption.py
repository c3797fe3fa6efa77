# SPDX-License-Identifier: Apache-2.0
"""Encrypted containers: the data key, and chunks (spec section 16)."""

import hmac
import struct

from .. import aead
from .. import constants as c
from ..encryption import OVERHEAD, WRAP_LABEL, XCHACHA20_POLY1305, Place, commitment, object_key, sealed_length
from . import Refusal, age, malformed_unless, require

MOST_PASSPHRASES = 2


def check_fields(m):
    for name in ("algorithm", "commitment", "bucket"):
        malformed_unless("encryption" not in m or name in m["encryption"], "M-REQUIRED", "missing_field")


def check_manifest(table, limits):
    require(table["algorithm"] == XCHACHA20_POLY1305, "unsupported", "M-ENCRYPTION", "unknown_encryption")
    malformed_unless(table["bucket"].bit_count() == 1, "M-BUCKET", "bad_bucket")
    require(table["bucket"] <= limits["bucket_bytes_max"], "limit", "M-BUCKET", "large_bucket")


def check_salt(salt, m):
    if "encryption" in m:
        malformed_unless(any(salt), "O-SALT", "missing_salt")
    else:
        malformed_unless(not any(salt), "O-RESERVED")


def header_of(wrap):
    """None when it is no age file. Limits hold for every wrap, before any is opened."""
    try:
        return age.parse(wrap)
    except age.NotAge:
        return None


def data_key(wraps, identities, m):
    """The key that the commitment is to [K-FIRST]."""
    require(wraps, "key", "K-WRAP", "no_key_wraps")
    headers = [header_of(wrap) for wrap in wraps]
    passphrases = sum(header is not None and header.is_for_passphrase() for header in headers)
    require(passphrases <= MOST_PASSPHRASES, "limit", "K-WRAP", "many_passphrases")
    wrong, refused = [], []
    for header in headers:
        content, code = open_wrap(header, identities)
        if content is None:
            refused += [code] if code != "no_identity" else []
            continue
        if len(content) != len(WRAP_LABEL) + 48 or content[:-32] != WRAP_LABEL + m["file_id"]:
            wrong.append("foreign_wrap")
        elif hmac.compare_digest(commitment(content[-32:], m["file_id"]), m["encryption"]["commitment"]):
            return content[-32:]
        else:
            wrong.append("wrong_data_key")
    raise Refusal("key", "K-WRAP", [*wrong, *refused, "no_identity"][0])


def open_wrap(header, identities):
    """(content, None), or (None, code)."""
    if header is None:
        return None, "age_header"
    try:
        return age.open_file(header, identities)
    except age.NotAge:
        return None, "age_header"


def stored_bounds(o, m):
    """The least and the greatest stored length of an object, from its record alone."""
    bucket = m["encryption"]["bucket"]
    full, rest = divmod(o.plain_size, m["chunk_size"])
    most = full * sealed_length(m["chunk_size"], bucket) + (sealed_length(rest, bucket) if rest else 0)
    return most if o.form == c.RAW else o.chunk_count * sealed_length(1, bucket), most


def check_length(length, codec, plain, bucket):
    most = sealed_length(plain, bucket)
    good = length % bucket == 0 and sealed_length(1, bucket) <= length <= most and (codec != c.CODEC_RAW
                                                                                    or length == most)
    malformed_unless(good, "I-RECORD", "bad_chunk_length")


def open_chunk(stored, place, key, salt, bucket):
    """What the codec gets of a sealed chunk whose digest has been checked."""
    content = aead.unseal(object_key(key, salt), place.nonce(), place.associated(), stored)
    require(content is not None, "digest_mismatch", "K-CHUNK", "chunk_tag")
    length = struct.unpack_from("<I", content)[0]
    right = 1 <= length <= place.plain and (place.codec != c.CODEC_RAW or length == place.plain)
    malformed_unless(right and sealed_length(length, bucket) == len(stored), "K-CHUNK", "sealed_length")
    malformed_unless(not any(content[4 + length:]), "K-CHUNK", "sealed_padding")
    return content[4:4 + length]


def place_of(m, number, o, chunk, codec):
    plain = min(m["chunk_size"], o.plain_size - chunk * m["chunk_size"])
    return Place(m["file_id"], number, chunk, o.chunk_count, plain, codec)
