# SPDX-License-Identifier: Apache-2.0
"""S10 to S12: the texts of statements and of their items: DSSE, base64 and JSON."""

import json
from hashlib import sha256

from .. import constants as c
from ..container import build
from ..envelope import BUILDER, SECOND, STRANGER, Signer
from ..vector import key_line
from .base import tiny
from .statements import signed


def vectors():
    yield from dsse()
    yield from base64_texts()
    yield from json_texts()


def dsse():
    for name, key_id in [("absent", ""), ("random", "no such key"), ("other-key", SECOND.key_id()),
                         ("long", "k" * 4000)]:
        yield signed(f"S10-id-{name}-ok", "ok", "S-KEYID", "a key id is a hint", Signer(key_id=key_id),
                     options={"keys": [key_line(BUILDER), key_line(SECOND)]})
    for name, change, reason in [
        ("no-signatures", lambda d: d.update(signatures=[]), "no signatures"),
        ("two-signatures", lambda d: d["signatures"].append(dict(d["signatures"][0])), "two signatures"),
        ("signatures-object", lambda d: d.update(signatures=d["signatures"][0]), "signatures that are no array"),
        ("no-sig", lambda d: d["signatures"][0].pop("sig") and None, "no sig"),
        ("no-payload", lambda d: d.pop("payload") and None, "no payload"),
        ("no-type", lambda d: d.pop("payloadType") and None, "no payload type"),
        ("payload-object", lambda d: d.update(payload={}), "a payload that is no string"),
        ("key-id-number", lambda d: d["signatures"][0].update(keyid=1), "a key id that is no string"),
        ("array", lambda d: [d], "an array around it"),
    ]:
        yield signed(f"S10-{name}", "malformed", "S-DSSE", reason, Signer(wrap=change))
    for name, edit, reason in [
        ("empty-item", lambda item: b"", "an item without bytes"),
        ("item-cut", lambda item: item[:-1], "an item that is cut"),
        ("item-behind", lambda item: item + b"{}", "text behind it"),
        ("item-bom", lambda item: b"\xef\xbb\xbf" + item, "a byte order mark"),
        ("item-equal-names", lambda item: item[:-1] + b',"payload":"e30="}', "two payloads"),
    ]:
        yield signed(f"S10-{name}", "malformed", "S-DSSE", reason, Signer(item=edit))
    inside = lambda extra: Signer(item=lambda item: item[:-1] + b',"x":' + extra + b"}")
    yield signed("S10-item-depth-ok", "ok", "S-DSSE L-LIMITS", "an item nested 16 deep", inside(b"[" * 15 + b"]" * 15))
    yield signed("S10-item-depth", "limit", "S-DSSE L-LIMITS", "an item nested 17 deep", inside(b"[" * 16 + b"]" * 16),
                 twin="S10-item-depth-ok")
    yield signed("S10-item-number", "malformed", "S-DSSE", "2^64 in a member that is ignored",
                 inside(b"18446744073709551616"))
    small = {"limits": ["statement_bytes=600"]}

    def long(size):
        """An item of so many bytes: its key id fills it."""
        own = BUILDER.key_id().encode()
        return Signer(item=lambda item: item.replace(own, b"k" * (size - len(item) + len(own))))

    most = 2 * 600 + (128 << 10)
    yield signed("S10-item-longest-ok", "ok", "S-DSSE S-KEYID", "an item as long as its limit", long(most),
                 options=small)
    yield signed("S10-item-long", "limit", "S-DSSE S-KEYID", "an item of one byte more than its limit", long(most + 1),
                 options=small, twin="S10-item-longest-ok")
    yield signed("S10-payload-by-stranger", "limit", "S-DSSE", "a payload over the limit; no key has been tried",
                 Signer(STRANGER), options={"limits": ["statement_bytes=200"]})


def with_specials():
    """A signer whose signature has both letters in which the two alphabets differ."""
    for number in range(1000):
        made = Signer(predicate={"n": number})
        item = json.loads(
            made.make({
                "name": "acme/tiny",
                "version": "1.0",
                "sequence": 1,
                "file_id": c.FILE_ID
            }, manifest_digest()))
        if "+" in item["signatures"][0]["sig"] and "/" in item["signatures"][0]["sig"]:
            return number
    raise AssertionError


def manifest_digest():
    return sha256(build(tiny()).manifest_bytes).digest()


def base64_texts():
    number = with_specials()

    def sig(change):
        return Signer(predicate={"n": number},
                      wrap=lambda d: d["signatures"][0].update(sig=change(d["signatures"][0]["sig"])))

    yield signed("S11-url-safe-ok", "ok", "S-BASE64", "the URL-safe alphabet",
                 sig(lambda t: t.replace("+", "-").replace("/", "_")))
    last = lambda t: t[:-3] + chr(ord(t[-3]) + 1) + "=="
    for name, change, reason in [
        ("mixed", lambda t: t.replace("+", "-"), "both alphabets in one text"),
        ("space", lambda t: t[:8] + " " + t[8:], "a space"),
        ("newline", lambda t: t + "\n", "a line feed"),
        ("no-padding", lambda t: t.rstrip("="), "no padding"),
        ("padding-short", lambda t: t[:-1], "one padding character of two"),
        ("padding-long", lambda t: t + "=", "too much padding"),
        ("padding-inside", lambda t: t[:4] + "=" + t[5:], "padding inside"),
        ("trailing-bits", last, "unused bits that are not zero"),
        ("letter", lambda t: "*" + t[1:], "a letter of no alphabet"),
        ("not-ascii", lambda t: "é" + t[1:], "a letter beyond ASCII"),
    ]:
        yield signed(f"S11-{name}", "malformed", "S-BASE64", reason, sig(change), twin="S11-url-safe-ok")
    yield signed("S11-payload-space", "malformed", "S-BASE64", "a space in the payload",
                 Signer(wrap=lambda d: d.update(payload=" " + d["payload"])))


def json_texts():

    def inserted(extra):
        return Signer(payload=lambda p: p[:-1] + b"," + extra + b"}")

    def predicate(old, new):

        def change(payload):
            assert payload.count(old) == 1
            return payload.replace(old, new)

        return Signer(payload=change)

    for name, signer, reason in [
        ("equal-names", inserted(b'"_type":"https://in-toto.io/Statement/v1"'), "two equal names"),
        ("equal-roles", predicate(b'"role":"builder"', b'"role":"approver","role":"builder"'), "two roles"),
        ("equal-escaped", predicate(b'"role":"builder"',
                                    b'"r\\u006fle":"approver","role":"builder"'), "two roles, one escaped"),
        ("nan", inserted(b'"x":NaN'), "NaN"),
        ("infinity", inserted(b'"x":Infinity'), "Infinity"),
        ("bom", Signer(payload=lambda p: b"\xef\xbb\xbf" + p), "a byte order mark"),
        ("surrogate", inserted(b'"x":"\\ud800"'), "a lone surrogate"),
        ("overlong", inserted(b'"x":"\xc0\xaf"'), "an overlong character"),
        ("behind", Signer(payload=lambda p: p + b"x"), "text behind"),
        ("second", Signer(payload=lambda p: p + b"{}"), "a second value"),
        ("comment", Signer(payload=lambda p: b"/**/" + p), "a comment"),
        ("trailing-comma", Signer(payload=lambda p: p[:-1] + b",}"), "a comma behind the last member"),
        ("single-quotes", Signer(payload=lambda p: p.replace(b'"', b"'")), "single quotes"),
        ("control", inserted(b'"x":"\n"'), "a control character in a string"),
        ("fraction", predicate(b'"sequence":1', b'"sequence":1.0'), "1.0 for an integer"),
        ("exponent", predicate(b'"sequence":1', b'"sequence":1e0'), "1e0 for an integer"),
        ("leading-zero", predicate(b'"sequence":1', b'"sequence":01'), "01 for an integer"),
        ("utf16", Signer(payload=lambda p: p.decode().encode("utf-16-le")), "UTF-16"),
        ("empty", Signer(payload=lambda p: b""), "nothing"),
        ("array", Signer(payload=lambda p: b"[" + p + b"]"), "an array"),
        ("null", Signer(payload=lambda p: b"null"), "null"),
    ]:
        yield signed(f"S12-{name}", "malformed", "S-JSON", reason, signer)
    some = b'{"a":[9007199254740992,18446744073709551615,-9223372036854775808,-0,1.5,1e300,1e-400]}'
    yield signed("S12-numbers-ok", "ok", "S-JSON", "numbers in a member that is ignored", inserted(b'"x":' + some))
    for name, number in [("2-64", b"18446744073709551616"), ("below-2-63", b"-9223372036854775809"),
                         ("1e400", b"1e400"), ("long", b"1" * 400)]:
        yield signed(f"S12-number-{name}", "malformed", "S-JSON", "a number beyond 64 bits in a member that is ignored",
                     inserted(b'"x":' + number), twin="S12-numbers-ok")
    for name, number, expect in [("2-64", b"18446744073709551616", "malformed"),
                                 ("2-64-1", b"18446744073709551615", "limit")]:
        yield signed(f"S12-integer-{name}", expect, "S-JSON", f"a sequence of {number.decode()}",
                     predicate(b'"sequence":1', b'"sequence":' + number))
    yield signed("S12-zero-ok", "ok", "S-JSON", "a sequence of 0", Signer(), model=tiny(sequence=0))
    yield signed("S12-minus-zero", "malformed", "S-JSON", "a sequence of -0",
                 predicate(b'"sequence":0', b'"sequence":-0'), model=tiny(sequence=0), twin="S12-zero-ok")
    yield signed("S12-integer", "limit", "S-JSON L-LIMITS", "a sequence of 2^53",
                 predicate(b'"sequence":1', b'"sequence":9007199254740992'))
    yield signed("S12-depth-ok", "ok", "S-JSON L-LIMITS", "nested 16 deep", inserted(b'"x":' + b"[" * 15 + b"]" * 15))
    yield signed("S12-depth", "limit", "S-JSON L-LIMITS", "nested 17 deep", inserted(b'"x":' + b"[" * 16 + b"]" * 16),
                 twin="S12-depth-ok")
    yield signed("S12-escapes-ok", "ok", "S-JSON", "escapes mean what they stand for",
                 predicate(b'"role":"builder"', b'"r\\u006fle":"\\u0062uilder"'))
    yield signed("S12-bytes", "limit", "S-JSON L-LIMITS", "a statement over the limit", Signer(),
                 options={"limits": ["statement_bytes=200"]})
