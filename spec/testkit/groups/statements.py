# SPDX-License-Identifier: Apache-2.0
"""S, and what of Y a container can show: statements, signatures, and the policy that counts them. Their texts stand in
statement_texts."""

import base64
import json
import struct
from hashlib import sha512

from .. import constants as c
from .. import ed25519
from ..envelope import BUILDER, SECOND, STRANGER, THIRD, Signer, pae, rfc3339
from ..vector import key_line
from .base import tiny, vector

TWO_BUILDERS = {"keys": [key_line(BUILDER), key_line(SECOND)], "rules": ["** builder=2"]}
ROLES = {"keys": [key_line(BUILDER, "builder"), key_line(SECOND, "approver")], "rules": ["** builder=1"]}


def signed(name, expect, spec, reason, *signers, twin="S0-ok", code=None, options=None, **steps):
    return vector(name, expect, spec, reason, signers=list(signers), twin=None if expect == "ok" else twin, code=code,
                  options=options, **steps)


def vectors():
    yield signed("S0-ok", "ok", "S-DSSE S-PAE S-JSON S-TYPE S-SUBJECT S-MATCH S-FIELDS S-BEFORE",
                 "one statement by the builder", Signer())
    yield from order_of_steps()
    yield from keys_and_roles()
    yield from thresholds()
    yield from subjects()
    yield from encodings()
    yield from types()
    yield from other_signatures()
    yield from curve()
    yield from matches()
    yield from times()
    yield from requirements()
    yield from policies()


def order_of_steps():
    """Nothing is parsed before somebody whom the policy knows has signed it."""
    flipped = lambda s: bytes([s[0] ^ 1]) + s[1:]
    broken = {"manifest_bytes": lambda b: b[:4] + b"XXXX" + b[8:]}
    yield signed("S0-manifest-by-stranger",
                 "untrusted", "S-BEFORE", "a broken manifest is not even parsed when a stranger signed it",
                 Signer(STRANGER), code="unknown_key", **broken)
    yield signed("S0-manifest-by-builder", "malformed", "S-BEFORE", "the same manifest, signed by the builder",
                 Signer(), **broken)
    yield signed("S0-manifest-bad-signature", "bad_signature", "S-BEFORE", "the same manifest, the signature broken",
                 Signer(signature=flipped), **broken)
    yield signed("S0-payload-bad-signature", "bad_signature",
                 "S-FIRST", "a payload that is no JSON, under a broken signature",
                 Signer(payload=lambda p: b"{", signature=flipped))
    yield signed("S0-payload-by-stranger", "untrusted", "S-FIRST", "a payload that is no JSON, signed by a stranger",
                 Signer(STRANGER, payload=lambda p: b"{"), code="unknown_key")
    for name, by in [("expired", Signer(predicate={"notAfter": rfc3339(c.NOW - 1)})),
                     ("other-role", Signer(role="approver"))]:
        yield signed(f"S0-manifest-{name}", "malformed", "S-BEFORE",
                     "role and times are compared when the manifest has been parsed", by, **broken)
    yield signed("S0-policy-before-table", "untrusted", "S-BEFORE", "the policy answers before a broken object table",
                 Signer(role="approver"), table=lambda t: t.__setitem__(0, 9))


def keys_and_roles():
    yield signed("S1-unknown-key", "untrusted", "S-KEYID", "a key that the policy does not know", Signer(STRANGER),
                 code="unknown_key")
    yield signed("S1-unknown-key-lying-id", "bad_signature", "S-KEYID", "an unknown key under the id of a known one",
                 Signer(STRANGER, key_id=BUILDER.key_id()), code="bad_signature")
    yield signed("S1-other-role", "untrusted", "S-ROLE", "a known key in a role that it does not hold",
                 Signer(role="approver"), options=ROLES, twin="S1-roles-ok")
    yield signed("S1-roles-ok", "ok", "S-ROLE", "each key in its own role", Signer(), Signer(SECOND, "approver"),
                 options=ROLES)
    yield signed("S1-role-of-other-key", "untrusted", "S-ROLE", "the approver signs as builder", Signer(SECOND),
                 options=ROLES, twin="S1-roles-ok")
    for name, role in [("unknown", "wizard"), ("upper-case", "Builder"), ("space", "builder "), ("empty", "")]:
        yield signed(f"S1-role-{name}", "malformed" if name in ("space", "empty") else "untrusted", "S-ROLE",
                     "roles are compared byte by byte", Signer(role=role))
    yield signed("S1-role-absent", "untrusted", "S-ROLE", "a statement without a role",
                 Signer(edit=lambda s: s["predicate"].pop("role") and None))
    yield signed("S1-wrong-role-beside-ok", "ok", "S-ORDER", "a statement that does not count changes nothing",
                 Signer(role="approver"), Signer())


def thresholds():
    yield signed("S2-two-ok", "ok", "S-THRESHOLD", "two builders", Signer(), Signer(SECOND), options=TWO_BUILDERS)
    for name, signers, reason in [
        ("one", [Signer()], "one of two"),
        ("twice", [Signer(), Signer()], "one key twice"),
        ("twice-two-ids", [Signer(), Signer(key_id=SECOND.key_id())], "one key under two ids"),
        ("twice-other-text", [Signer(), Signer(predicate={"note": "2"})], "two statements by one key"),
    ]:
        yield signed(f"S2-{name}", "untrusted", "S-THRESHOLD", reason, *signers, options=TWO_BUILDERS, twin="S2-two-ok")
    bad = Signer(SECOND, signature=lambda s: s[:10] + bytes([s[10] ^ 1]) + s[11:])
    yield signed("S3-one-bad", "bad_signature", "S-WORST", "one good, one bad by a key of the policy", Signer(), bad,
                 options=TWO_BUILDERS, twin="S2-two-ok")
    yield signed("S3-bad-first", "bad_signature", "S-WORST S-ORDER", "the same, the bad one first", bad, Signer(),
                 options=TWO_BUILDERS, twin="S2-two-ok")
    yield signed("S3-bad-beside-ok", "ok", "S-ORDER", "a bad one beside enough good ones", bad, Signer())
    yield signed("S3-bad-behind-ok", "ok", "S-ORDER", "a bad one behind enough good ones", Signer(), bad)
    overlap = {
        "keys": [key_line(BUILDER, "builder,approver"),
                 key_line(SECOND, "builder")],
        "rules": ["** builder=1 approver=1"]
    }
    yield signed("S3-matching-ok", "ok", "S-THRESHOLD", "the key that holds both roles must be the approver", Signer(),
                 Signer(BUILDER, "approver"), Signer(SECOND), options=overlap)
    yield signed("S3-one-key-two-roles", "untrusted", "S-THRESHOLD", "one key for two roles", Signer(),
                 Signer(BUILDER, "approver"), options=overlap, twin="S3-matching-ok")
    yield signed("S3-overlap-ok", "ok", "S-THRESHOLD", "one key for two roles where the rule lets them overlap",
                 Signer(), Signer(BUILDER, "approver"), options={
                     **overlap, "rules": ["** builder=1 approver=1 overlap"]
                 })


def subjects():
    yield signed("S4-other-manifest", "digest_mismatch", "S-DIGEST", "a statement about another manifest", Signer(),
                 subject=lambda digest: bytes(32))
    yield signed("S4-beside-ok", "ok", "S-DIGEST S-ORDER", "a statement about another manifest beside a good one",
                 Signer(edit=lambda s: s["subject"][0]["digest"].update(sha256="00" * 32)), Signer())

    def subject(change):
        return Signer(edit=lambda s: change(s["subject"]))

    for name, change, reason in [
        ("none", lambda s: s.clear(), "no subject"),
        ("two", lambda s: s.append(dict(s[0])), "two subjects"),
        ("sha512-instead", lambda s: s[0].update(digest={"sha512": "00" * 64}), "sha512 instead"),
        ("sha512-beside", lambda s: s[0]["digest"].update(sha512="00" * 64), "sha512 beside"),
        ("upper-case", lambda s: s[0]["digest"].update(sha256=s[0]["digest"]["sha256"].upper()), "upper-case hex"),
        ("short", lambda s: s[0]["digest"].update(sha256=s[0]["digest"]["sha256"][:-2]), "a short digest"),
        ("no-name", lambda s: s[0].pop("name") and None, "no name"),
        ("no-digest", lambda s: s[0].pop("digest") and None, "no digest"),
        ("digest-empty", lambda s: s[0].update(digest={}), "an empty digest"),
        ("digest-number", lambda s: s[0].update(digest={"sha256": 1}), "a number for a digest"),
        ("string", lambda s: s.__setitem__(0, "acme/tiny@1.0"), "a subject that is a string"),
    ]:
        yield signed(f"S13-{name}", "malformed", "S-SUBJECT", reason, subject(change))


def encodings():
    """S5: what else has been signed instead of the PAE."""
    for name, message, reason in [
        ("length", lambda t, p: pae(t, p).replace(b" %d " % len(p), b" %d " % (len(p) + 1)), "another payload length"),
        ("type-length", lambda t, p: b"DSSEv1 %d %s %d %s" %
         (len(t) + 1, t.encode(), len(p), p), "another type length"),
        ("leading-zero", lambda t, p: b"DSSEv1 %d %s 0%d %s" %
         (len(t), t.encode(), len(p), p), "a length with a leading zero"),
        ("space", lambda t, p: b"DSSEv1 %d %s %d%s" % (len(t), t.encode(), len(p), p), "a missing space"),
        ("no-version", lambda t, p: b"%d %s %d %s" % (len(t), t.encode(), len(p), p), "without the version"),
        ("old-form", lambda t, p: struct.pack("<QQ", 2, len(t)) + t.encode() + struct.pack("<Q", len(p)) + p,
         "the encoding before version 1"),
        ("payload", lambda t, p: p, "the payload alone"),
        ("base64", lambda t, p: base64.b64encode(p), "the payload in base64"),
        ("hash", lambda t, p: sha512(pae(t, p)).digest(), "the hash of the PAE"),
        ("manifest-digest", lambda t, p: bytes.fromhex(json.loads(p)["subject"][0]["digest"]["sha256"]),
         "the manifest's digest"),
        ("other-type", lambda t, p: pae("application/json", p), "the PAE of another payload type"),
        ("empty", lambda t, p: b"", "nothing"),
    ]:
        yield signed(f"S5-{name}", "bad_signature", "S-PAE", "signed: " + reason, Signer(message=message))


def types():
    for name, kind in [("json", "application/json"), ("empty", ""), ("case", "application/vnd.In-Toto+json"),
                       ("other", "text/plain")]:
        yield signed(f"S6-payload-type-{name}", "untrusted", "S-TYPE", "another payload type",
                     Signer(payload_type=kind))
    for name, field, value in [
        ("slsa", "predicateType", "https://slsa.dev/provenance/v1"),
        ("vsa", "predicateType", "https://slsa.dev/verification_summary/v1"),
        ("sbom", "predicateType", "https://cyclonedx.org/bom"),
        ("later", "predicateType", "https://safemodel.dev/release/v2"),
        ("old-statement", "_type", "https://in-toto.io/Statement/v0.1"),
        ("later-statement", "_type", "https://in-toto.io/Statement/v2"),
    ]:
        yield signed(f"S6-{name}", "untrusted", "S-TYPE", "an attestation with our fields inside is no release",
                     Signer(edit=lambda s, f=field, v=value: s.update({f: v})))
    yield signed(
        "S6-unknown-field-ok", "ok", "S-FIELDS", "unknown fields are ignored",
        Signer(predicate={"future": {
            "a": [1, 2]
        }}, edit=lambda s: s.update(extra=None), wrap=lambda d: d.update(extra=1)))
    for name in ("_type", "subject", "predicateType", "predicate"):
        yield signed(f"S6-no-{name.strip('_')}", "malformed", "S-FIELDS", f"a statement without {name}",
                     Signer(edit=lambda s, n=name: s.pop(n) and None))
    for name in ("model", "version", "sequence", "fileId", "issuedAt", "verified"):
        yield signed(f"S6-no-{name}", "malformed", "S-FIELDS", f"a predicate without {name}",
                     Signer(edit=lambda s, n=name: s["predicate"].pop(n) and None))
    for label, name, value in [
        ("role-number", "role", 1),
        ("model-null", "model", None),
        ("sequence-text", "sequence", "1"),
        ("sequence-negative", "sequence", -1),
        ("verified-other", "verified", "all"),
        ("requires-text", "requires", "builder"),
        ("requires-numbers", "requires", [1]),
        ("not-after-number", "notAfter", 5),
    ]:
        yield signed(f"S6-{label}", "malformed", "S-FIELDS", f"a wrong value of {name}",
                     Signer(edit=lambda s, n=name, v=value: s["predicate"].update({n: v})))


def other_signatures():
    """S7: what other tools call a signature."""

    def text(data):
        return struct.pack(">I", len(data)) + data

    def sshsig(namespace, hash_):
        key = text(b"ssh-ed25519") + text(BUILDER.public)
        return lambda s: b"SSHSIG" + struct.pack(">I", 1) + text(key) + text(namespace) + text(b"") + text(hash_) + \
            text(text(b"ssh-ed25519") + text(s))

    for name, blob in [
        ("sshsig-file", sshsig(b"file", b"sha512")),
        ("sshsig-git", sshsig(b"git", b"sha512")),
        ("sshsig-empty", sshsig(b"", b"sha256")),
        ("minisign-prehashed", lambda s: b"ED" + bytes(8) + s),
        ("minisign-legacy", lambda s: b"Ed" + bytes(8) + s),
        ("length-63", lambda s: s[:-1]),
        ("length-65", lambda s: s + b"\0"),
        ("length-0", lambda s: b""),
        ("with-key", lambda s: s + BUILDER.public),
    ]:
        yield signed(f"S7-{name}", "malformed", "S-LENGTH", "a signature that is not 64 bytes", Signer(signature=blob))


class _Forger:
    """A key whose signatures no honest signer makes."""

    def __init__(self, forge):
        self.forge, self.public, self.key_id = forge, BUILDER.public, BUILDER.key_id

    def sign(self, message):
        return self.forge(message)


def curve():
    seed, public = bytes([1]) * 32, BUILDER.public
    for name, forge, reason in [
        ("large-s", lambda m: ed25519.with_large_s(BUILDER.sign(m)), "S + L"),
        ("low-order-r", lambda m: ed25519.sign_with(seed, public, m, ed25519.IDENTITY),
         "R of low order, the equation holds"),
        ("r-not-canonical", lambda m: ed25519.sign_with(seed, public, m, ed25519.IDENTITY_NOT_CANONICAL),
         "R of low order, not canonical"),
        ("residue", lambda m: ed25519.with_residue(seed, public, m), "R with a residue of low order"),
        ("zeros", lambda m: bytes(64), "64 zero bytes"),
        ("ones", lambda m: b"\xff" * 64, "64 bytes of 0xFF"),
        ("r-zero", lambda m: bytes(32) + BUILDER.sign(m)[32:], "R = 0"),
        ("s-zero", lambda m: BUILDER.sign(m)[:32] + bytes(32), "S = 0"),
    ]:
        yield signed(f"S9-{name}", "bad_signature", "S-ED25519", reason, Signer(_Forger(forge)))


def matches():
    for name, value in [("model", "acme/other"), ("version", "1.1"), ("sequence", 2), ("fileId", "00" * 16)]:
        yield signed(f"S14-{name}", "untrusted", "S-MATCH", f"another {name} than the manifest's",
                     Signer(predicate={name: value}), code="contradicts_manifest")
    yield signed("S14-subject-name", "untrusted", "S-MATCH", "another name of the subject", code="contradicts_manifest",
                 *[Signer(edit=lambda s: s["subject"][0].update(name="acme/tiny@1.1"))])
    yield signed("S14-file-id-upper", "untrusted", "S-MATCH", "the file id in upper case", code="contradicts_manifest",
                 *[Signer(edit=lambda s: s["predicate"].update(fileId=s["predicate"]["fileId"].upper()))])


def times():

    def at(issued=None, until=None):
        fields = {}
        if issued is not None:
            fields["issuedAt"] = issued if isinstance(issued, str) else rfc3339(issued)
        if until is not None:
            fields["notAfter"] = until if isinstance(until, str) else rfc3339(until)
        return Signer(predicate=fields)

    yield signed("S15-not-after-ok", "ok", "S-TIMES", "not-after is now", at(until=c.NOW))
    yield signed("S15-expired", "untrusted", "S-TIMES", "not-after has passed by a second", at(until=c.NOW - 1),
                 twin="S15-not-after-ok", code="expired")
    yield signed("S15-leap-day-ok", "ok", "S-TIMES", "not-after on 29 February of a leap year",
                 at(until="2028-02-29T00:00:00Z"))
    yield signed("S15-1970-ok", "ok", "S-TIMES", "issued at second 0", at("1970-01-01T00:00:00Z"))
    yield signed("S15-before-1970", "malformed", "S-TIMES", "issued a second before 1970", at("1969-12-31T23:59:59Z"),
                 twin="S15-1970-ok")
    yield signed("S15-skew-ok", "ok", "S-TIMES", "issued 300 s ahead", at(c.NOW + 300))
    yield signed("S15-ahead", "untrusted", "S-TIMES", "issued 301 s ahead", at(c.NOW + 301), twin="S15-skew-ok")
    for name, signer, reason in [
        ("backwards", at(c.CREATED, c.CREATED - 1), "not-after before issued-at"),
        ("no-zone", at("2026-01-01T00:00:00"), "no zone"),
        ("offset", at("2026-01-01T01:00:00+01:00"), "a zone other than Z"),
        ("second-61", at("2026-01-01T00:00:61Z"), "second 61"),
        ("second-60", at("2026-01-01T00:00:60Z"), "second 60"),
        ("hour-24", at("2026-01-01T24:00:00Z"), "hour 24"),
        ("month-13", at("2026-13-01T00:00:00Z"), "month 13"),
        ("feb-30", at("2026-02-30T00:00:00Z"), "30 February"),
        ("feb-29", at("2026-02-29T00:00:00Z"), "29 February of a common year"),
        ("feb-31", at(until="2027-02-31T00:00:00Z"), "31 February, in not-after"),
        ("apr-31", at(until="2027-04-31T00:00:00Z"), "31 April, in not-after"),
        ("day-0", at("2026-01-00T00:00:00Z"), "day 0"),
        ("minute-60", at("2026-01-01T00:60:00Z"), "minute 60"),
        ("fraction", at("2026-01-01T00:00:00.5Z"), "half a second"),
        ("space", at("2026-01-01 00:00:00Z"), "a space for T"),
        ("lower", at("2026-01-01t00:00:00z"), "t and z"),
        ("year", at("10000-01-01T00:00:00Z"), "five digits of year"),
        ("empty", at(""), "nothing"),
        ("text", at(until="never"), "a word"),
    ]:
        yield signed(f"S15-{name}", "malformed", "S-TIMES", reason, signer)


def requirements():
    rule = {
        "keys": [key_line(BUILDER, "builder"),
                 key_line(SECOND, "approver"),
                 key_line(THIRD, "scanner")],
        "rules": ["** builder=1"]
    }
    wants = {"requires": ["approver"]}
    yield signed("S17-filled-ok", "ok", "S-REQUIRES", "the required role has signed", Signer(predicate=wants),
                 Signer(SECOND, "approver"), options=rule)
    yield signed("S17-stripped", "untrusted", "S-REQUIRES", "the required statement was removed",
                 Signer(predicate=wants), options=rule, twin="S17-filled-ok")
    yield signed("S17-own-role-ok", "ok", "S-REQUIRES", "its own role is filled by itself",
                 Signer(predicate={"requires": ["builder"]}), options=rule)
    yield signed("S17-of-uncounted-ok", "ok", "S-REQUIRES",
                 "requirements of a statement that does not count are ignored", Signer(),
                 Signer(STRANGER, predicate=wants), options=rule)
    yield signed("S17-chain-broken", "untrusted", "S-REQUIRES", "the required statement itself lacks what it requires",
                 Signer(predicate=wants), Signer(SECOND, "approver", predicate={"requires": ["scanner"]}), options=rule,
                 twin="S17-chain-ok")
    yield signed("S17-chain-ok", "ok", "S-REQUIRES", "each requires the next", Signer(predicate=wants),
                 Signer(SECOND, "approver", predicate={"requires": ["scanner"]}),
                 Signer(THIRD, "scanner", predicate={"requires": ["builder"]}), options=rule)
    yield signed("S17-unknown-role", "untrusted", "S-REQUIRES", "a role that nobody holds",
                 Signer(predicate={"requires": ["wizard"]}), options=rule, twin="S17-filled-ok")
    yield signed("S17-too-many", "limit", "S-REQUIRES", "17 required roles",
                 Signer(predicate={"requires": ["builder"] * 17}), options=rule, twin="S17-filled-ok")


def policies():
    other = key_line(SECOND, "approver")

    def rules(*lines, **more):
        return {"keys": [key_line(BUILDER), other], "rules": list(lines), **more}

    for name, first, expect in [("star-ok", "acme/*", "ok"), ("prefix", "acme-x/*", "untrusted"),
                                ("case", "ACME/*", "untrusted"), ("star-and-slash", "*", "untrusted"),
                                ("exact-ok", "acme/tiny", "ok"), ("part", "acme/tin", "untrusted"),
                                ("deeper", "acme/*/x", "untrusted"), ("inside-ok", "a*e/t*y", "ok")]:
        yield signed(f"Y6-{name}", expect, "S-RULE",
                     f"the rule {first} for the model acme/tiny; any other wants an approver", Signer(),
                     options=rules(f"{first} builder=1", "** approver=1"), twin="Y6-star-ok")
    yield signed("Y6-first-match", "untrusted", "S-RULE", "the first rule that matches decides", Signer(),
                 options=rules("acme/* approver=1", "** builder=1"), twin="Y6-star-ok")
    for name, expected in [("name", "acme/other"), ("version", "acme/tiny@2.0"), ("prefix", "acme"),
                           ("case", "Acme/tiny")]:
        yield signed(f"Y7-{name}", "untrusted", "S-EXPECT",
                     "a validly signed model, but not the one that was asked for", Signer(),
                     options={"expect_name": expected}, twin="Y7-expected-ok", code="unexpected_model")
    yield signed("Y7-expected-ok", "ok", "S-EXPECT", "name and version are those expected", Signer(),
                 options={"expect_name": "acme/tiny@1.0"})
    minimum = {"rules": ["** builder=1 minimum_sequence=5"]}
    yield signed("Y8-sequence-ok", "ok", "S-SEQUENCE", "the minimum sequence", Signer(), model=tiny(sequence=5),
                 options=minimum)
    yield signed("Y8-sequence", "untrusted", "S-SEQUENCE", "one under the minimum sequence", Signer(),
                 model=tiny(sequence=4), options=minimum, twin="Y8-sequence-ok")
    yield signed("Y8-unsequenced", "untrusted", "S-SEQUENCE", "unsequenced where a minimum is asked for", Signer(),
                 model=tiny(sequence=0), options={"rules": ["** builder=1 minimum_sequence=1"]}, twin="Y8-sequence-ok")

    def window(**times):
        return {"keys": [key_line(BUILDER, **times)]}

    yield signed("Y8-window-ok", "ok", "S-WINDOW", "the last second of a key, and the first", Signer(),
                 options=window(not_before=c.CREATED, not_after=c.NOW))
    for name, times, reason in [
        ("key-ended", {
            "not_after": c.NOW - 1
        }, "the key's time has ended, whatever issued-at says"),
        ("key-not-yet", {
            "not_before": c.NOW + 1
        }, "the key's time has not begun"),
        ("issued-before", {
            "not_before": c.CREATED + 1
        }, "issued before the key's time"),
    ]:
        yield signed(f"Y8-{name}", "untrusted", "S-WINDOW", reason, Signer(), options=window(**times),
                     twin="Y8-window-ok")
