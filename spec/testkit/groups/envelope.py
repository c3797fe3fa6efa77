# SPDX-License-Identifier: Apache-2.0
"""E: the envelope's frame, and the sidecar."""

from hashlib import sha256

from .. import constants as c
from ..container import build
from ..envelope import SECOND, STRANGER, Signer
from ..vector import Vector
from .base import tiny, vector


def frame(**values):
    """A hook that sets fields of the frame."""

    def change(made):
        for name, value in values.items():
            setattr(made, name, value(made) if callable(value) and name != "digest" else value)

    return change


def vectors():
    yield vector("E0-ok", "ok", "E-FRAME E-ITEMS", "one statement in the envelope", at="content")
    yield from unsigned()
    yield from frames()
    yield from limits()
    yield from foreign()
    yield from sidecars()


def unsigned():
    yield vector("E1-no-envelope", "untrusted", "E-NONE", "the core alone", code="no_signature", twin="E0-ok",
                 frame=None, envelope=lambda e: b"")
    yield vector("E1-no-items", "untrusted", "E-NONE", "an envelope without items", code="no_signature", twin="E0-ok",
                 signers=[])
    yield vector("E1-no-statement", "untrusted", "E-NONE", "an envelope without a statement", code="no_signature",
                 twin="E0-ok", frame=frame(items=[(c.ITEM_LOG_PROOF, b"proof")]))


def frames():
    whole = build(tiny()).envelope
    for length in (1, 8, 63, 64, 95, 96, len(whole) - 33, len(whole) - 1):
        yield vector(f"E2-torn-{length}", "malformed", "E-FRAME", f"only {length} bytes of the envelope", twin="E0-ok",
                     envelope=lambda e, n=length: e[:n])
    for name, values, reason in [
        ("magic", {
            "magic": c.MAGIC
        }, "the magic of a container"),
        ("reserved", {
            "reserved": 1
        }, "the reserved field of the frame"),
        ("digest", {
            "digest": lambda body: bytes(32)
        }, "another frame digest"),
        ("digest-other-hash", {
            "digest": lambda body: sha256(body).digest()
        }, "SHA-256 for the frame digest"),
        ("length-zero", {
            "total_length": 0
        }, "a length of zero"),
        ("length-95", {
            "total_length": 95
        }, "a length below that of an empty frame"),
        ("length-short", {
            "total_length": len(whole) - 1
        }, "a length of one byte less"),
        ("length-long", {
            "total_length": len(whole) + 1
        }, "a length of one byte more"),
        ("count-less", {
            "item_count": 0
        }, "fewer items than there are"),
        ("count-more", {
            "item_count": 2
        }, "more items than there are"),
        ("count-largest", {
            "item_count": (1 << 32) - 1
        }, "2^32-1 items"),
        ("item-short", {
            "item_lengths": {
                0: 8
            }
        }, "an item that is longer than it says"),
        ("item-long", {
            "item_lengths": {
                0: len(whole)
            }
        }, "an item that reaches behind the frame"),
        ("item-largest", {
            "item_lengths": {
                0: (1 << 32) - 1
            }
        }, "an item of 2^32-1 bytes"),
        ("item-reserved", {
            "item_reserved": 1
        }, "the reserved field of an item"),
        ("tail", {
            "tail": b"hidden"
        }, "bytes behind the last item"),
        ("generation-0", {
            "generation": 0
        }, "generation 0"),
        ("generation-last", {
            "generation": (1 << 64) - 1
        }, "generation 2^64-1, which has no successor"),
    ]:
        spec = {
            "generation-0": "E-GENERATION",
            "generation-last": "E-GENERATION",
            "item-reserved": "E-ITEMS",
            "item-short": "E-ITEMS",
            "item-long": "E-ITEMS",
            "item-largest": "E-ITEMS"
        }.get(name, "E-FRAME")
        yield vector(f"E2-{name}", "malformed", spec, reason, twin="E0-ok", frame=frame(**values))
    yield vector("E2-twice", "malformed", "E-FRAME", "two envelopes behind the core", twin="E0-ok",
                 envelope=lambda e: e + e)
    for version in (0, 2, 65535):
        yield vector(f"E3-version-{version}", "unsupported", "E-VERSION", f"frame version {version}", twin="E0-ok",
                     frame=frame(version=version))
    yield vector(
        "E3-item-kinds-ok", "ok", "E-ITEMS S-ORDER", "reserved and unknown kinds of items are worth nothing",
        frame=lambda f: f.items.__setitem__(slice(0, 0), [(2, b"wrap"), (3, b"proof"), (5, b""), (6, b"six"),
                                                          (65535, b"\0" * 20)]))


def limits():
    size = len(build(tiny()).envelope)
    yield vector("E4-bytes-ok", "ok", "L-LIMITS", "as large as the limit",
                 options={"limits": [f"envelope_bytes={size}"]})
    yield vector("E4-bytes", "limit", "L-LIMITS", "one byte over the limit", twin="E4-bytes-ok",
                 options={"limits": [f"envelope_bytes={size - 1}"]})
    for name, length in [("stated", (8 << 20) + 1), ("stated-largest", (1 << 64) - 1)]:
        yield vector(f"E4-{name}", "limit", "E-FRAME L-LIMITS", "a stated length over the limit, which is asked first",
                     twin="E0-ok", frame=frame(total_length=length))
    two = [Signer(), Signer()]
    yield vector("E4-statements-ok", "ok", "L-LIMITS", "as many statements as the limit", signers=two,
                 options={"limits": ["statements=2"]})
    yield vector("E4-statements", "limit", "L-LIMITS", "more statements than the limit", signers=[*two, Signer()],
                 twin="E4-statements-ok", options={"limits": ["statements=2"]})
    yield vector("E4-statements-65", "limit", "L-LIMITS", "65 statements", twin="E0-ok",
                 frame=frame(items=[(c.ITEM_STATEMENT, b"{}")] * 65))
    yield vector("E4-wraps-65", "limit", "L-LIMITS", "65 key wraps", twin="E0-ok",
                 frame=lambda f: f.items.extend([(c.ITEM_KEY_WRAP, b"")] * 65))
    yield vector("E4-items-512-ok", "ok", "E-ITEMS L-LIMITS", "512 items, nearly all of an unknown kind",
                 frame=lambda f: f.items.extend([(999, b"")] * 511))
    yield vector("E4-items-513", "limit", "E-ITEMS L-LIMITS", "513 items, nearly all of an unknown kind",
                 code="many_items", twin="E4-items-512-ok",
                 frame=lambda f: f.items.extend([(999, b"")] * 512))


def foreign():
    yield vector("E5-embedded", "digest_mismatch", "E-FOREIGN", "an envelope that belongs to another manifest",
                 code="foreign_envelope", twin="E0-ok", frame=frame(manifest_digest=bytes(32)))
    yield vector("E5-another-release", "digest_mismatch", "E-FOREIGN", "the envelope of another release",
                 code="foreign_envelope", twin="E0-ok",
                 envelope=lambda e: build(tiny(sequence=2, version="2.0")).envelope)


def with_sidecar(name, expect, reason, embedded, sidecar, code=None, spec="E-SIDECAR", at=None):
    made = build(tiny())
    ok = expect == "ok"
    return Vector(name=name, reason=reason, spec=spec.split(), container=made.core + embedded, sidecar=sidecar,
                  expect=expect, code=code, at=at or ("content" if ok else "open"),
                  twin=None if ok else "E6-newer-sidecar-ok")


def sidecars():

    def envelope(generation=1, signers=None):
        return build(tiny(), signers, frame=frame(generation=generation)).envelope

    first, second, other = envelope(), envelope(2), envelope(1, [Signer(), Signer(SECOND)])
    stranger = envelope(1, [Signer(STRANGER)])
    foreign_one = build(tiny(version="2.0")).envelope
    yield with_sidecar("E6-sidecar-alone-ok", "ok", "a detached envelope, none in the file", b"", first)
    yield with_sidecar("E6-newer-sidecar-ok", "ok", "a newer sidecar: a writer was stopped before it folded it in",
                       first, second)
    yield with_sidecar("E6-equal-ok", "ok", "the same envelope in both places", first, first)
    yield with_sidecar("E6-newer-decides", "untrusted",
                       "the newer sidecar decides, although the embedded envelope would do", first,
                       envelope(2, [Signer(STRANGER)]))
    yield with_sidecar("E6-other-bytes", "malformed", "the same generation with other bytes", first, other,
                       "envelope_stale")
    yield with_sidecar("E6-older-sidecar", "malformed", "the sidecar is older", second, first, "envelope_stale")
    yield with_sidecar("E6-sidecar-of-strangers", "untrusted", "a detached envelope that nobody of the policy signed",
                       b"", stranger)
    for length in (1, 64, len(first) - 1):
        yield with_sidecar(f"E7-embedded-torn-{length}-ok", "ok", "the embedded frame is torn: the trace of a crash",
                           first[:length], second)
        yield with_sidecar(f"E7-sidecar-torn-{length}", "malformed", "the sidecar is torn, and no reader falls back",
                           first, second[:length])
    crash = second[:200] + bytes(len(second) - 200)
    yield with_sidecar("E7-embedded-zeros-ok", "ok", "the end of the embedded frame was never written: zeros", crash,
                       second)
    for name, embedded, reason in [
        ("foreign-bytes", b"hidden", "bytes that are no frame behind the core"),
        ("rotten", first[:200] + b"x" + first[201:], "a whole frame that is rotten is not torn"),
        ("tail", first + b"\0", "a byte behind the embedded frame"),
        ("zeros-and-more", crash + b"x", "more bytes than the sidecar has"),
    ]:
        yield with_sidecar(f"E7-embedded-{name}", "malformed", reason, embedded, second)
    yield with_sidecar("E7-sidecar-empty", "malformed", "an empty sidecar is not a missing one", first, b"")
    yield with_sidecar("E7-sidecar-tail", "malformed", "a byte behind the frame in the sidecar", b"", first + b"\0")
    yield with_sidecar("E5-foreign-sidecar", "digest_mismatch", "the sidecar of another container", first, foreign_one,
                       "foreign_envelope", "E-FOREIGN E-SIDECAR")
    yield with_sidecar("E5-foreign-sidecar-alone", "digest_mismatch",
                       "the sidecar of another container, none in the file", b"", foreign_one, "foreign_envelope",
                       "E-FOREIGN E-SIDECAR")
