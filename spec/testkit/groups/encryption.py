# SPDX-License-Identifier: Apache-2.0
"""K: encrypted containers. Key wraps are in wraps.py."""

import struct

from blake3 import blake3

from .. import constants as c
from .. import planes, salamander, zstdframe
from ..container import build
from ..encryption import (ALICE, BOB, BUCKET, DEK, OTHER_DEK, Place, Sealing, commitment, object_key, salt_of,
                          sealed_length, wrap, wrap_content)
from ..envelope import STRANGER, Signer
from ..model import File, derive
from .base import CONFIG, WEIGHTS, file, one, redigest, setting, storage, tiny, vector
from .codecs import BF16
from .index import EVERYWHERE, coded, pair
from .policies import HEAD, key, rule

WITH_KEY = {"identities": [ALICE.text()]}
WITH_OTHER = {"identities": [BOB.text()]}
KEYLESS = {}


def sealed(name, expect, spec, reason, model=None, twin="K0-ok", options=None, sealing=None, at=None, changes=None,
           **steps):
    """A vector over an encrypted container. `changes` are fields of its Sealing."""
    ok = expect == "ok"
    made = Sealing(**(changes or {})) if sealing is None else sealing
    return vector(name, expect, spec, reason, model=model, sealing=made, twin=None if ok else twin, at=at
                  or ("content" if ok else "open"), options=WITH_KEY if options is None else options, **steps)


def vectors():
    yield sealed("K0-ok", "ok", "M-ENCRYPTION M-BUCKET O-SALT K-COMMITMENT K-CHUNK K-WRAP K-FIRST",
                 "a tensor and a file, encrypted for one recipient")
    yield from accepted()
    yield from keyless()
    yield from salamanders()
    yield from commitments()
    yield from manifests()
    yield from seals()
    yield from exchanges()
    yield from salts()
    yield from lengths()
    yield from contents()
    yield from parts()
    yield from policies()


def accepted():
    planes_of = planes.encode(c.LAYOUT_BF16, BF16)
    for name, model, reason in [
        ("zstd", coded(1, 2), "two chunks of codec zstd"),
        ("planes", one(BF16, "bf16", chunks=[(c.CODEC_PLANES, planes_of)], layout=c.LAYOUT_BF16), "a chunk of planes"),
        ("raw-chunks", one(bytes(range(100)) + bytes(c.CHUNK_SIZE)), "a raw object of two chunks"),
        ("raw-in-coded", one(WEIGHTS, chunks=[(c.CODEC_RAW, WEIGHTS)]), "a raw chunk of a coded object"),
        ("empty", tiny(objects=[storage(WEIGHTS), file(b"")]), "an empty object, which has a salt too"),
        ("two-files", tiny(objects=[storage(WEIGHTS), file(CONFIG), file(b"b")],
                           files=[File("a.txt", 2), File("b.txt", 3)]), "three objects"),
    ]:
        yield sealed(f"K0-{name}-ok", "ok", "K-CHUNK", reason, model=model)
    for bucket in (1, 16, 512):
        yield sealed(f"K0-bucket-{bucket}-ok", "ok", "M-BUCKET", f"stored lengths are multiples of {bucket}",
                     changes={"bucket": bucket})


def keyless():
    """K1 and K14: who has no key checks all stored bytes, and reads nothing."""
    yield sealed("K1-verify-ok", "ok", "K-FIRST", "without an identity all stored bytes are checked", at="verify",
                 options=KEYLESS)
    yield sealed("K1-load", "key", "K-FIRST", "without an identity nothing is read", at="load", options=KEYLESS,
                 code="identity_needed", twin="K1-verify-ok")
    yield sealed("K1-no-wraps-ok", "ok", "K-FIRST", "without an identity nobody asks for key wraps", at="verify",
                 options=KEYLESS, changes={"items": []})
    yield sealed("K1-no-wraps-load", "key", "K-FIRST", "neither an identity nor a key wrap", at="load", options=KEYLESS,
                 code="identity_needed", twin="K1-no-wraps-ok", changes={"items": []})
    made = build(tiny(), sealing=Sealing())
    for name, position, reason in [
        ("chunk", made.layout.records[1][0].offset + 5, "a bit of a sealed chunk"),
        ("directory", made.layout.records[0][0].offset + 5, "a bit of the sealed directory"),
        ("index", made.index_offset + 48 + 16, "a bit of a chunk record"),
        ("table", made.table_offset + 96 + 40, "a bit of a salt"),
    ]:
        yield sealed(f"K1-{name}", "digest_mismatch", "I-FIRST", reason + " was changed after signing", at="verify",
                     options=KEYLESS, twin="K1-verify-ok",
                     file=lambda data, p=position: data.__setitem__(p, data[p] ^ 1))
    yield sealed("K1-padding", "malformed", "O-PADDING", "a byte between objects is not zero", at="verify",
                 options=KEYLESS, twin="K1-verify-ok", changes={"bucket": 1},
                 padding=lambda number, pad: pad[:-1] + b"\1" if pad else pad)
    yield sealed("K1-salt", "malformed", "O-SALT", "two objects have one salt", at="verify", options=KEYLESS,
                 twin="K1-verify-ok", code="repeated_salt", changes={"salt": lambda number: salt_of(0)})
    yield sealed("K1-key-before-table", "key", "K-FIRST", "the wrong identity, and two objects have one salt",
                 options=WITH_OTHER, code="no_identity", changes={"salt": lambda number: salt_of(0)})
    yield sealed("K1-policy-before-key", "untrusted", "K-FIRST", "the wrong identity, and a stranger signed",
                 options=WITH_OTHER, signers=[Signer(STRANGER)])

    def broken(buffer):
        buffer.put("root", "<I", len(buffer.data))

    yield sealed("K14-keyless-ok", "ok", "K-FIRST", "a malformed directory in a well-sealed container: nobody sees it",
                 at="verify", options=KEYLESS, directory_buffer=broken)
    yield sealed("K14-with-key", "malformed", "B-VERIFY", "a malformed directory in a well-sealed container",
                 directory_buffer=broken)


def colliding(encoded, number, place):
    """An object of one raw chunk that opens under both data keys. The 32 bytes at `place` of its content count and
    solve the equation; the encoded length stands in front of the bytes."""
    where = Place(c.FILE_ID, number, 0, 1, len(encoded), c.CODEC_RAW)
    content = struct.pack("<I", len(encoded)) + encoded
    content += bytes(sealed_length(len(encoded), BUCKET) - 16 - len(content))
    keys = [object_key(dek, salt_of(number)) for dek in (DEK, OTHER_DEK)]
    content = salamander.collide(keys, where.nonce(), where.associated(), content, place, place + 16)
    return content[4:4 + len(encoded)]


def with_room(buffer):
    """Bytes behind the directory that nothing refers to, where a solution may lie."""
    buffer.data += bytes(-len(buffer.data) % 16 + 64)
    buffer.data[:] = colliding(bytes(buffer.data), 0, len(buffer.data) - 48)


def salamanders():
    """K3: each chunk opens under two data keys. Only the commitment tells them apart."""
    model = one(colliding(bytes(60), 1, 16))
    both = [wrap(), wrap(BOB, content=wrap_content(OTHER_DEK), name="other")]
    for name, expect, identities, items, reason in [
        ("committed-ok", "ok", [ALICE], both, "the key that the manifest commits to"),
        ("second-wrap-ok", "ok", [ALICE], both[::-1], "the key of the manifest's commitment, in the second wrap"),
        ("both-ok", "ok", [ALICE, BOB], both[::-1], "the first wrap opens and does not fit, the second one does"),
        ("other", "key", [BOB], both, "the other key: it opens every chunk, and is refused before one is opened"),
        ("other-alone", "key", [ALICE, BOB], both[1:], "the only wrap holds the other key"),
    ]:
        yield sealed(f"K3-{name}", expect, "K-COMMITMENT K-FIRST", reason, model=model, twin="K3-committed-ok",
                     changes={"items": items}, directory_buffer=with_room,
                     options={"identities": [identity.text() for identity in identities]},
                     code="wrong_data_key" if expect == "key" else None)


def commitments():
    """K4."""
    good = commitment(DEK)
    for name, value, reason in [
        ("flipped", bytes([good[0] ^ 1]) + good[1:], "a bit of the commitment"),
        ("last-byte", good[:31] + bytes([good[31] ^ 0x80]), "the last bit of the commitment"),
        ("zero", bytes(32), "a commitment of zeros"),
        ("other-key", commitment(OTHER_DEK), "the commitment to another key"),
        ("other-file", commitment(DEK, bytes(16)), "the commitment of another file"),
        ("no-file", derive("safemodel 2026 v1 key commitment", DEK), "a commitment that does not bind the file"),
        ("no-context", blake3(DEK + c.FILE_ID).digest(), "a commitment made without its context"),
        ("order", derive("safemodel 2026 v1 key commitment", c.FILE_ID + DEK), "file id and key in the other order"),
        ("key", DEK, "the key itself"),
    ]:
        yield sealed(f"K4-{name}", "key", "K-COMMITMENT", reason, code="wrong_data_key",
                     changes={"table": setting(commitment=value)})
    for name in ("algorithm", "commitment", "bucket"):
        yield sealed(f"K4-no-{name}", "malformed", "M-REQUIRED", f"the encryption table has no {name}",
                     code="missing_field", changes={"table": setting(**{name: None})})

    def cut(buffer):
        """The commitment would reach one byte past the end of the buffer."""
        table = buffer.marks["encryption.table"][0]
        place = buffer.marks["encryption.vtable"][0] + 4 + 2
        struct.pack_into("<H", buffer.data, place, len(buffer.data) - 31 - table)

    yield sealed("K4-31-bytes", "malformed", "B-VERIFY", "the commitment reaches past the end of the manifest",
                 manifest_buffer=cut)
    position = build(tiny(), sealing=Sealing())
    raw = position.manifest["manifest_offset"] + position.manifest_buffer.marks["encryption.commitment"][0]
    yield sealed("K4-raw", "digest_mismatch", "E-FOREIGN", "a bit of the commitment was changed after signing",
                 file=lambda data: data.__setitem__(raw, data[raw] ^ 1))


def manifests():
    """K6: the encryption table."""
    for algorithm in (0, 2, 255):
        yield sealed(f"K6-algorithm-{algorithm}", "unsupported", "M-ENCRYPTION", f"algorithm {algorithm}",
                     code="unknown_encryption", changes={"table": setting(algorithm=algorithm)})
    for bucket in (0, 3, 48, 65, (1 << 20) + 1, (1 << 32) - 1):
        yield sealed(f"K6-bucket-{bucket}", "malformed", "M-BUCKET", f"a bucket of {bucket} bytes", code="bad_bucket",
                     changes={"table": setting(bucket=bucket)})
    for bucket in (1 << 21, 1 << 31):
        yield sealed(f"K6-bucket-{bucket}", "limit", "M-BUCKET", f"a bucket of {bucket} bytes", code="large_bucket",
                     changes={"table": setting(bucket=bucket)})
    for limit, expect in ((BUCKET, "ok"), (BUCKET // 2, "limit")):
        yield sealed(f"K6-bucket-limit-{limit}" + ("-ok" if expect == "ok" else ""), expect, "M-BUCKET L-LIMITS",
                     f"a bucket of {BUCKET} bytes and a limit of {limit}", code=None
                     if expect == "ok" else "large_bucket", options={
                         **WITH_KEY, "limits": [f"bucket_bytes_max={limit}"]
                     })
    for bucket in (BUCKET // 2, BUCKET * 2):
        yield sealed(f"K6-bucket-{bucket}-stated", "malformed", "I-RECORD O-PADDING",
                     f"chunks sealed for buckets of {BUCKET} bytes, the manifest says {bucket}",
                     changes={"table": setting(bucket=bucket)})
    yield sealed("K6-slot", "malformed", "M-VTABLE", "an encryption table with a field that we do not know",
                 manifest_slots={"encryption": 1})
    yield sealed("K6-removed", "malformed", "O-RESERVED", "the manifest does not say that it is encrypted",
                 changes={"table": lambda table: {}})
    yield sealed("K6-removed-with-salts", "malformed", "I-RECORD O-PADDING",
                 "neither manifest nor object table say that it is encrypted", changes={
                     "table": lambda table: {},
                     "salt": lambda number: bytes(32)
                 })
    table = {"algorithm": 1, "commitment": commitment(DEK), "bucket": 1}
    yield vector("K6-added", "malformed", "O-SALT", "the manifest of a plain container says that it is encrypted",
                 at="verify", twin="M0-ok", code="missing_salt", manifest=setting(encryption=table))


def is_first(place):
    return (place.object, place.chunk) == (1, 0)


def stated(**changes):
    """The associated data of another chunk, for the first chunk of object 1."""

    def change(place):
        if is_first(place):
            for name, value in changes.items():
                setattr(place, name, value)

    return change


def at_first(function):
    """A step of the sealing, for the first chunk of object 1 alone."""
    return lambda place, value: function(value) if is_first(place) else value


SALT = salt_of(1)
SEALS = [
    ("file-id", {"place": stated(file_id=bytes(16))}, "the file id of another container"),
    ("object", {"place": stated(object=2)}, "the number of another object"),
    ("number", {"place": stated(chunk=1)}, "the number of another chunk, in the associated data"),
    ("count", {"place": stated(count=1)}, "another number of chunks"),
    ("plain", {"place": stated(plain=c.CHUNK_SIZE - 1)}, "another plain length"),
    ("codec", {"place": stated(codec=c.CODEC_RAW)}, "another codec"),
    ("nonce-number", {"nonce": at_first(lambda n: b"\1" + n[1:])}, "the number of another chunk, in the nonce"),
    ("nonce-big-endian", {"nonce": lambda place, n: n[7::-1] + n[8:]}, "a big-endian chunk number in the nonce"),
    ("last", {"nonce": at_first(lambda n: n[:8] + b"\1" + n[9:])}, "the first of two chunks sealed as the last one"),
    ("not-last", {"nonce": lambda place, n: n[:8] + bytes(16) if place.object == 1 else n},
     "the last chunk is not sealed as such"),
    ("last-255", {"nonce": lambda place, n: n[:8] + bytes([0xff * n[8]]) + n[9:] if place.object == 1 else n},
     "the flag of the last chunk is 255"),
    ("nonce-end", {"nonce": at_first(lambda n: n[:-1] + b"\1")}, "the nonce does not end in zeros"),
    ("object-key", {"key": at_first(lambda k: object_key(DEK, salt_of(2)))}, "the key of another object"),
    ("data-key", {"key": at_first(lambda k: DEK)}, "sealed under the data key itself"),
    ("other-data-key", {"key": at_first(lambda k: object_key(OTHER_DEK, SALT))},
     "the object's key of another data key"),
    ("key-context", {"key": at_first(lambda k: derive("safemodel 2026 v1 recipient note key", DEK + SALT))},
     "a key made for another use"),
    ("key-order", {"key": at_first(lambda k: derive("safemodel 2026 v1 object key", SALT + DEK))},
     "salt and data key in the other order"),
    ("tag-zeroed", {"stored": at_first(lambda s: s[:-16] + bytes(16))}, "a tag of zeros"),
    ("tag-bit", {"stored": at_first(lambda s: s[:-1] + bytes([s[-1] ^ 1]))}, "a bit of the tag"),
    ("tag-in-front", {"stored": at_first(lambda s: s[-16:] + s[:-16])}, "the tag in front of the ciphertext"),
    ("ciphertext-bit", {"stored": at_first(lambda s: bytes([s[0] ^ 1]) + s[1:])}, "a bit of the ciphertext"),
    ("salt-of-old", {
        "salt": lambda number: salt_of(number) if number != 1 else salt_of(9),
        "key": lambda place, k: object_key(DEK, SALT) if place.object == 1 else k
    }, "an object sealed with an older salt"),
]


def seals():
    """K5: the digests are right, the tag is not that of this chunk."""
    yield sealed("K5-ok", "ok", "K-CHUNK", "two objects of two chunks each", model=pair())
    for name, changes, reason in SEALS:
        yield sealed(f"K5-{name}", "digest_mismatch", "K-CHUNK", reason, model=pair(), at="load", code="chunk_tag",
                     twin="K5-ok", changes=changes)
    for name, step in [("tag", {
        "stored": lambda place, s: s[:-16] + bytes(16) if place.object == 0 else s
    }), ("object", {
        "place": lambda place: setattr(place, "object", 1) if place.object == 0 else None
    })]:
        yield sealed(f"K5-directory-{name}", "digest_mismatch", "K-CHUNK", "the directory is not sealed as such",
                     code="chunk_tag", changes=step)


def exchanges():
    """K5: sealed chunks in places that are not theirs, all digests repaired and signed."""

    def swapped(first, second):
        def change(layout):
            a, b = (layout.records[number][chunk] for number, chunk in (first, second))
            length = a.length
            parts = [bytes(layout.core[r.offset:r.offset + length]) for r in (b, a)]
            for record, part in zip((a, b), parts):
                layout.core[record.offset:record.offset + length] = part
            for number in (1, 2):
                redigest(layout, number)

        return change

    for name, second, reason in [("within-object", (1, 1), "two chunks of one object"),
                                 ("between-objects", (2, 0), "chunks of two objects"),
                                 ("between-objects-last", (2, 1), "a first and a last chunk")]:
        yield sealed(f"K5-swap-{name}", "digest_mismatch", "K-CHUNK", reason + " exchanged before signing", at="load",
                     model=pair(), code="chunk_tag", twin="K5-ok", layout=swapped((1, 0), second))

    def replayed(**old):
        older = build(pair(), sealing=Sealing(**old))

        def change(layout):
            for a, b in zip(layout.records[1], older.layout.records[1]):
                layout.core[a.offset:a.offset + a.length] = older.data[b.offset:b.offset + b.length]
            redigest(layout, 1)

        return change

    for name, old, reason in [("release", {
        "file_id": bytes(16)
    }, "another container with the same data key"), ("salt", {
        "salt": lambda number: salt_of(number + 10)
    }, "the same container before the object was written again"), ("key", {
        "dek": OTHER_DEK
    }, "the same container before it was encrypted anew")]:
        yield sealed(f"K5-replay-{name}", "digest_mismatch", "K-CHUNK", "an object from " + reason, at="load",
                     model=pair(), code="chunk_tag", twin="K5-ok", layout=replayed(**old))


def salts():
    """K6."""
    for name, numbers in [("directory", [0]), ("object", [1]), ("all", [0, 1, 2])]:
        yield sealed(f"K6-no-salt-{name}", "malformed", "O-SALT", "a salt of zeros", code="missing_salt",
                     changes={"salt": lambda number, none=numbers: bytes(32) if number in none else salt_of(number)})
    for name, first, second in [("objects", 1, 2), ("directory", 0, 2)]:
        yield sealed(f"K6-salt-twice-{name}", "malformed", "O-SALT", "two objects have one salt", code="repeated_salt",
                     changes={"salt": lambda number, a=first, b=second: salt_of(a if number == b else number)})
    empty = tiny(objects=[storage(WEIGHTS), file(b"")])
    yield sealed("K6-empty-no-salt", "malformed", "O-SALT", "an empty object without a salt", code="missing_salt",
                 model=empty, twin="K0-empty-ok",
                 changes={"salt": lambda number: bytes(32) if number == 2 else salt_of(number)})
    yield sealed("K6-empty-salt-twice", "malformed", "O-SALT", "an empty object with the salt of another", model=empty,
                 code="repeated_salt", twin="K0-empty-ok",
                 changes={"salt": lambda number: salt_of(1 if number == 2 else number)})


ZEROS = bytes(c.CHUNK_SIZE)


def tail(codec=c.CODEC_RAW):
    """Two chunks, the second one of 16 bytes: what the first one leaves free, the second may not take."""
    rest = bytes(16)
    encoded = rest if codec == c.CODEC_RAW else zstdframe.frame(rest)
    return one(ZEROS + rest, chunks=[(c.CODEC_ZSTD, zstdframe.frame(ZEROS)), (codec, encoded)])


def lengths():
    """K6: stored lengths in the index."""
    yield sealed("K6-tail-ok", "ok", "I-RECORD", "a coded chunk and a raw one of 16 bytes", model=tail())
    for name, stored, reason in [
        ("off-bucket", lambda s: s[:-1], "a stored length that is no multiple of the bucket"),
        ("off-bucket-long", lambda s: s + b"\0", "a stored length one byte over a bucket"),
        ("half", lambda s: s[:32], "a stored length of half a bucket"),
    ]:
        yield sealed(f"K6-length-{name}", "malformed", "I-RECORD", reason, model=tail(), at=EVERYWHERE,
                     twin="K6-tail-ok", code="bad_chunk_length", changes={"stored": at_first(stored)})
    yield sealed("K6-length-long", "malformed", "I-RECORD", "a bucket more than the plain bytes can need",
                 model=tail(c.CODEC_ZSTD), at=EVERYWHERE, twin="K6-tail-ok", code="bad_chunk_length",
                 changes={"stored": lambda place, s: s + bytes(64) if place.chunk == 1 else s})
    yield sealed("K6-length-raw-long", "malformed", "I-RECORD", "a raw chunk with a bucket of padding", model=tail(),
                 at=EVERYWHERE, twin="K6-tail-ok", code="bad_chunk_length",
                 changes={"stored": lambda place, s: s + bytes(64) if place.chunk == 1 else s})
    plain = bytes(100)
    raw = one(plain, chunks=[(c.CODEC_RAW, plain)])
    yield sealed("K6-length-raw-short", "malformed", "I-RECORD", "a raw chunk with a bucket too few", model=raw,
                 at=EVERYWHERE, twin="K0-raw-in-coded-ok", code="bad_chunk_length",
                 changes={"stored": lambda place, s: s[:64] if place.object == 1 else s})
    yield sealed("K6-length-short", "malformed", "I-RECORD", "fewer bytes than an encoded byte and its seal",
                 model=tail(), at=EVERYWHERE, twin="K6-tail-ok", code="bad_chunk_length", changes={
                     "bucket": 16,
                     "stored": at_first(lambda s: s[:16])
                 })
    yield sealed("K6-length-raw-object", "malformed", "O-PADDING O-ORDER", "a raw object a bucket longer than it is",
                 changes={"stored": lambda place, s: s + bytes(64) if place.object == 1 else s})
    yield sealed("K6-plain-length", "malformed", "I-RECORD O-PADDING", "a raw object that is stored plain",
                 changes={"stored": lambda place, s: WEIGHTS if place.object == 1 else s}, at=EVERYWHERE)
    yield sealed("K6-alignment", "malformed", "O-PADDING", "a raw object at 256 where 64 was next", model=tiny(),
                 padding=lambda number, pad: pad + bytes(128) if number == 2 else pad)
    yield sealed("K6-unaligned", "malformed", "O-PADDING", "an object behind one of an odd length, not aligned",
                 changes={"bucket": 1}, twin="K0-bucket-1-ok", padding=lambda number, pad: b"" if number == 2 else pad)


def contents():
    """K6: the tag holds, and what was sealed is no content."""
    model = tail()
    for name, content, reason in [
        ("zero", lambda e: bytes(4) + e[4:], "no encoded bytes"),
        ("largest", lambda e: b"\xff" * 4 + e[4:], "2^32-1 encoded bytes"),
        ("over-plain", lambda e: struct.pack("<I", c.CHUNK_SIZE + 1) + e[4:], "more encoded bytes than plain ones"),
        ("over-stored", lambda e: struct.pack("<I", len(e) - 3) + e[4:], "an encoded byte more than there is room for"),
        ("bucket-too-many", lambda e: e + bytes(64), "a bucket more of padding than it takes"),
    ]:
        yield sealed(f"K6-sealed-{name}", "malformed", "K-CHUNK", reason, model=model, at="load", twin="K6-tail-ok",
                     code="sealed_length", changes={"content": at_first(content)})
    plain = bytes(range(16))
    frame = zstdframe.frame(plain)
    assert len(frame) > len(plain)
    yield sealed("K6-sealed-long-frame", "malformed", "K-CHUNK", "a good frame that is longer than the plain bytes",
                 model=one(plain, chunks=[(c.CODEC_ZSTD, frame)]), at="load", twin="K6-tail-ok", code="sealed_length")
    second = (lambda function: lambda place, e: function(e) if (place.object, place.chunk) == (1, 1) else e)
    for length in (15, 17):
        yield sealed(f"K6-sealed-raw-{length}", "malformed", "K-CHUNK", f"a raw chunk of 16 bytes that says {length}",
                     model=model, at="load", twin="K6-tail-ok", code="sealed_length",
                     changes={"content": second(lambda e, n=length: struct.pack("<I", n) + e[4:])})
    for name, content, reason in [
        ("first", second(lambda e: e[:20] + b"\1" + e[21:]), "the first byte of the padding is not zero"),
        ("last", second(lambda e: e[:-1] + b"\1"), "the last byte of the padding is not zero"),
        ("coded", at_first(lambda e: e[:-1] + b"\x80"), "the padding of a coded chunk is not zero"),
    ]:
        yield sealed(f"K6-padding-{name}", "malformed", "K-CHUNK", reason, model=model, at="load", twin="K6-tail-ok",
                     code="sealed_padding", changes={"content": content})
    yield sealed("K6-directory-padding", "malformed", "K-CHUNK", "the padding of the directory is not zero",
                 code="sealed_padding",
                 changes={"content": lambda place, e: e[:-1] + b"\1" if place.object == 0 else e})
    frame = zstdframe.frame(ZEROS)
    for name, encoded, reason in [("byte-behind", frame + b"\0", "a byte behind the frame, inside the encoded length"),
                                  ("cut", frame[:-1], "a byte of the frame is missing"),
                                  ("skippable", zstdframe.skippable() + frame, "a skippable frame in front")]:
        yield sealed(f"K6-frame-{name}", "malformed", "C-FRAME", reason, at="load", twin="K6-frame-ok",
                     model=one(ZEROS, chunks=[(c.CODEC_ZSTD, encoded)]))
    yield sealed("K6-frame-ok", "ok", "C-FRAME K-CHUNK", "one frame", model=one(ZEROS, chunks=[(c.CODEC_ZSTD, frame)]))


def parts():
    """K6: encryption covers all objects."""
    for name, number, at in [("object", 2, "load"), ("directory", 0, "open")]:
        contents = {}
        yield sealed(f"K6-{name}-not-sealed", "digest_mismatch", "K-CHUNK", f"object {number} is padded and not sealed",
                     at=at, code="chunk_tag", changes={
                         "content": lambda place, e, kept=contents: kept.setdefault(place.object, e),
                         "stored": lambda place, s, kept=contents, n=number: kept[n] + bytes(16)
                                   if place.object == n else s
                     })


def policies():
    for word, expect in [("required", "ok"), ("any", "ok"), ("forbidden", "untrusted")]:
        text = HEAD + key("a") + rule(more=f'encryption = "{word}"')
        yield sealed(f"Y8-encrypted-{word}" + ("-ok" if expect == "ok" else ""), expect, "P-ENCRYPTION",
                     f"an encrypted container where encryption is {word}", at="open",
                     code="encrypted" if expect != "ok" else None, twin="Y8-encrypted-required-ok", options={
                         **WITH_KEY, "policy": text.encode()
                     })
