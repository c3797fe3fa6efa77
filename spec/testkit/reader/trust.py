# SPDX-License-Identifier: Apache-2.0
"""Statements and policy (spec section 11)."""

import datetime
import itertools
import json
import math
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .. import ed25519
from ..envelope import PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, pae
from hashlib import sha256
from . import Refusal, malformed_unless, require

WORST_FIRST = ("bad_signature", "digest_mismatch", "malformed", "unsupported", "limit", "untrusted")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ROLE = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass
class Key:
    public: bytes
    roles: list
    not_before: int = None
    not_after: int = None
    application: str = None  # of a key in a token

    def key_id(self):
        if self.application is not None:
            return sha256(b"safemodel key sk-ed25519\n" + self.public + self.application.encode()).hexdigest()
        return sha256(b"safemodel key ed25519\n" + self.public).hexdigest()


def read_key(text, roles, bounds):
    """A key of a vector: 32 bytes in hex, or TYPE:BASE64 of an OpenSSH key."""
    if ":" not in text:
        return Key(bytes.fromhex(text), roles, **bounds)
    kind, base64 = text.split(":")
    data, parts = decode_base64(base64), []
    while data:
        length = int.from_bytes(data[:4], "big")
        parts.append(data[4:4 + length])
        assert len(parts[-1]) == length
        data = data[4 + length:]
    assert parts[0].decode() == kind and len(parts[1]) == 32
    assert len(parts) == {"ssh-ed25519": 2, "sk-ssh-ed25519@openssh.com": 3}[kind]
    return Key(parts[1], roles, **bounds, application=parts[2].decode() if len(parts) == 3 else None)


@dataclass
class Rule:
    glob: str
    required: dict
    overlap: bool = False
    minimum_sequence: int = None

    def matches(self, name):
        parts = re.split(r"(\*\*|\*)", self.glob)
        pattern = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
        return re.fullmatch(pattern, name) is not None


class Signed(int):
    """An integer that is written with a sign, which even a zero may have."""


def read_integer(text):
    value = int(text)
    malformed_unless(-(1 << 63) <= value < 1 << 64, "S-JSON")
    return Signed(value) if text.startswith("-") else value


def read_fraction(text):
    value = float(text)
    malformed_unless(math.isfinite(value), "S-JSON")
    return value


def strict_json(data, limits, most):
    require(len(data) <= most, "limit", "S-JSON")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("malformed", "S-JSON") from None

    def pairs(items):
        malformed_unless(len({name for name, _ in items}) == len(items), "S-JSON")
        return dict(items)

    def constant(_):
        raise Refusal("malformed", "S-JSON")

    malformed_unless(not text.startswith("\ufeff"), "S-JSON")
    depth = deepest = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
        deepest = max(deepest, depth)
    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_int=read_integer,
                           parse_float=read_fraction)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate does not encode
    except (ValueError, RecursionError):
        raise Refusal("malformed", "S-JSON") from None
    require(deepest <= limits["json_depth"], "limit", "S-JSON")
    return value


def decode_base64(text):
    malformed_unless(not (set("+/") & set(text) and set("-_") & set(text)), "S-BASE64")
    text = text.replace("-", "+").replace("_", "/")
    malformed_unless(len(text) % 4 == 0 and re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text), "S-BASE64")
    import base64
    data = base64.b64decode(text)
    malformed_unless(base64.b64encode(data).decode() == text, "S-BASE64")
    return data


def text_of(container, name, rule):
    value = container.get(name)
    malformed_unless(isinstance(value, str), rule)
    return value


def verifies(key, signature, message):
    """RFC 8032 without cofactor, and with neither R nor A of low order or not canonical."""
    for encoded in (signature[:32], key.public):
        y = int.from_bytes(encoded, "little") & (1 << 255) - 1
        if y >= ed25519.P:
            return False
        point = ed25519.decode(encoded)
        if (point[0] == 0 and encoded[31] >> 7) or ed25519.multiply(8, point) == (0, 1):
            return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def parse_time(text):
    malformed_unless(TIME.fullmatch(text), "S-TIMES")
    try:
        parsed = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise Refusal("malformed", "S-TIMES") from None
    malformed_unless(int(text[17:19]) <= 59 and parsed.year >= 1970, "S-TIMES")
    return int((parsed - datetime.datetime(1970, 1, 1)).total_seconds())


@dataclass
class Statement:
    key: Key
    digest: bytes
    subject: str
    predicate: dict
    issued_at: int
    not_after: int
    requires: list = field(default_factory=list)


def parse_statement(payload, limits):
    root = strict_json(payload, limits, limits["statement_bytes"])
    malformed_unless(isinstance(root, dict), "S-FIELDS")
    kind, predicate_type = text_of(root, "_type", "S-FIELDS"), text_of(root, "predicateType", "S-FIELDS")
    require(kind == STATEMENT_TYPE and predicate_type == PREDICATE_TYPE, "untrusted", "S-TYPE")
    subjects, predicate = root.get("subject"), root.get("predicate")
    malformed_unless(isinstance(subjects, list) and len(subjects) == 1 and isinstance(subjects[0], dict), "S-SUBJECT")
    subject = text_of(subjects[0], "name", "S-SUBJECT")
    digests = subjects[0].get("digest")
    malformed_unless(isinstance(digests, dict) and set(digests) == {"sha256"}, "S-SUBJECT")
    digest = text_of(digests, "sha256", "S-SUBJECT")
    malformed_unless(re.fullmatch("[0-9a-f]{64}", digest), "S-SUBJECT")
    malformed_unless(isinstance(predicate, dict), "S-FIELDS")
    for name in ("model", "version", "fileId", "issuedAt", "verified"):
        text_of(predicate, name, "S-FIELDS")
    sequence = predicate.get("sequence")
    malformed_unless(type(sequence) is int, "S-FIELDS")
    require(sequence <= limits["json_integer_max"], "limit", "S-JSON")
    malformed_unless(predicate["verified"] in ("none", "manifest", "stored", "full"), "S-FIELDS")
    requires = predicate.get("requires", [])
    malformed_unless(isinstance(requires, list), "S-FIELDS")
    require(len(requires) <= 16, "limit", "S-REQUIRES")
    for role in [*requires, *([predicate["role"]] if "role" in predicate else [])]:
        malformed_unless(isinstance(role, str) and ROLE.fullmatch(role), "S-FIELDS")
    issued, until = parse_time(predicate["issuedAt"]), None
    if "notAfter" in predicate:
        until = parse_time(text_of(predicate, "notAfter", "S-FIELDS"))
        malformed_unless(until >= issued, "S-TIMES")
    return Statement(None, bytes.fromhex(digest), subject, predicate, issued, until, requires)


def read_number(entry, name, most):
    value = entry.get(name)
    malformed_unless(type(value) is int and value <= most, "S-HARDWARE")
    return value


def verify_item(kind_of_item, item, keys, digest, limits):
    root = strict_json(item, limits, 2 * limits["statement_bytes"] + (128 << 10))
    malformed_unless(isinstance(root, dict), "S-DSSE")
    kind = text_of(root, "payloadType", "S-DSSE")
    payload = decode_base64(text_of(root, "payload", "S-DSSE"))
    require(len(payload) <= limits["statement_bytes"], "limit", "S-JSON")
    signatures = root.get("signatures")
    malformed_unless(
        isinstance(signatures, list) and len(signatures) == 1 and isinstance(signatures[0], dict), "S-DSSE")
    signature = decode_base64(text_of(signatures[0], "sig", "S-DSSE"))
    malformed_unless(len(signature) == 64, "S-LENGTH")
    key_id = text_of(signatures[0], "keyid", "S-DSSE") if "keyid" in signatures[0] else ""
    message, flags, hardware = pae(kind, payload), 1, kind_of_item == 4
    if hardware:
        flags = read_number(signatures[0], "flags", 0xff)
        touch = bytes([flags]) + read_number(signatures[0], "counter", 0xffffffff).to_bytes(4, "big")

    def signed(key):
        if not hardware:
            return message
        return sha256(key.application.encode()).digest() + touch + sha256(message).digest()

    of_kind = [k for k in keys if (k.application is not None) == hardware]
    key = next((k for k in of_kind if verifies(k, signature, signed(k))), None)
    if key is None:
        raise Refusal("bad_signature" if any(k.key_id() == key_id for k in keys) else "untrusted", "S-KEYID")
    require(flags & 1, "untrusted", "S-PRESENCE")
    require(kind == PAYLOAD_TYPE, "untrusted", "S-TYPE")
    statement = parse_statement(payload, limits)
    statement.key = key
    require(statement.digest == digest, "digest_mismatch", "S-DIGEST")
    return statement


def check_statement(s, manifest, now):
    name, version = manifest["name"].decode(), manifest["version"].decode()
    p = s.predicate
    matches = (s.subject, p["model"], p["version"], p["sequence"], p["fileId"]) == \
        (f"{name}@{version}", name, version, manifest["sequence"], manifest["file_id"].hex())
    require(matches, "untrusted", "S-MATCH")
    require(p.get("role") in s.key.roles, "untrusted", "S-ROLE")
    require(s.issued_at <= now + 300 and (s.not_after is None or s.not_after >= now), "untrusted", "S-TIMES")
    for time in (now, s.issued_at):
        require(s.key.not_before is None or time >= s.key.not_before, "untrusted", "S-WINDOW")
        require(s.key.not_after is None or time <= s.key.not_after, "untrusted", "S-WINDOW")


def satisfied(rule, statements):
    places = [role for role, count in rule.required.items() for _ in range(count)]
    held = {(s.key.public, s.predicate["role"]) for s in statements}
    publics = {public for public, _ in held}
    if rule.overlap:
        return all(sum(r == role for _, r in held) >= count for role, count in rule.required.items())
    return any(
        all((public, role) in held for public, role in zip(choice, places))
        for choice in itertools.permutations(publics, len(places)))


def counting(statements):
    """The greatest set in which everybody's required roles are filled."""
    while True:
        roles = {s.predicate["role"] for s in statements}
        kept = [s for s in statements if set(s.requires) <= roles]
        if len(kept) == len(statements):
            return kept
        statements = kept


def authenticate(items, digest, keys, rules, expected, now, limits, parse_manifest):
    """The manifest, once it may be parsed and the policy has accepted it."""
    statements, refusals = [], []
    for kind, item in items:
        if kind not in (1, 4):
            continue
        try:
            statements.append(verify_item(kind, item, keys, digest, limits))
        except Refusal as refusal:
            refusals.append(refusal)

    def worst():
        stages = {refusal.stage for refusal in refusals} | {"untrusted"}
        return Refusal(next(stage for stage in WORST_FIRST if stage in stages), "S-WORST")

    if not statements:
        raise worst()
    manifest = parse_manifest()
    good = []
    for statement in statements:
        try:
            check_statement(statement, manifest, now)
            good.append(statement)
        except Refusal as refusal:
            refusals.append(refusal)
    name = manifest["name"].decode()
    wanted = expected.split("@", 1)
    require(expected == "*" or (wanted[0] == name and wanted[1:] in ([], [manifest["version"].decode()])), "untrusted",
            "S-EXPECT")
    rule = next((rule for rule in rules if rule.matches(name)), None)
    require(rule is not None, "untrusted", "S-RULE")
    if not satisfied(rule, counting(good)):
        raise worst()
    require(rule.minimum_sequence is None or manifest["sequence"] >= rule.minimum_sequence, "untrusted", "S-SEQUENCE")
    return manifest
