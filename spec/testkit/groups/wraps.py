# SPDX-License-Identifier: Apache-2.0
"""K: key wraps, which are age files, and recipient notes."""

import base64

from .. import age
from .. import constants as c
from ..container import build
from ..encryption import (ALICE, BOB, DEK, OTHER_DEK, PASSPHRASE, WRAP_LABEL, Sealing, note, passphrase, wrap,
                          wrap_content)
from ..envelope import BUILDER
from .base import tiny
from .encryption import KEYLESS, WITH_KEY, WITH_OTHER, sealed
from .envelope import frame

WITH_PASSPHRASE = {"identities": [f"passphrase:{PASSPHRASE}"]}
GOOD = wrap()
FOREIGN = wrap(content=wrap_content(file_id=bytes(16)), name="foreign")
OTHER_KEY = wrap(content=wrap_content(OTHER_DEK), name="other key")


def wrapped(name, expect, reason, *items, spec="K-WRAP", code=None, options=WITH_KEY, **more):
    return sealed(name, expect, spec, reason, code=code, options=options, changes={"items": list(items)}, **more)


def vectors():
    yield from identities()
    yield from contents()
    yield from files()
    yield from stanzas()
    yield from limits()
    yield from notes()
    yield from recipients()


def identities():
    """K2: who opens what."""
    for_all = (ALICE, BOB, lambda file_key, drawn: age.ssh_stanza(BUILDER.public, file_key, drawn))
    yield wrapped("K2-two-recipients-ok", "ok", "a wrap for each of two recipients", wrap(BOB, name="bob"), GOOD)
    yield wrapped("K2-one-wrap-ok", "ok", "one wrap for three recipients, one of them an ssh-ed25519 key",
                  wrap(*for_all), options=WITH_OTHER)
    yield wrapped("K2-passphrase-ok", "ok", "a passphrase", wrap(passphrase()), options=WITH_PASSPHRASE)
    yield wrapped("K2-several-identities-ok", "ok", "the second identity opens the second wrap",
                  wrap(passphrase("another")), GOOD,
                  options={"identities": [BOB.text(), ALICE.text()]})
    yield wrapped("K2-wrong-identity", "key", "an identity that no wrap is for", GOOD, options=WITH_OTHER,
                  code="no_identity")
    yield wrapped("K2-passphrase-for-key", "key", "a passphrase, and a wrap for a key", GOOD, options=WITH_PASSPHRASE,
                  code="no_identity")
    yield wrapped("K2-key-for-passphrase", "key", "a key, and a wrap for a passphrase", wrap(passphrase()),
                  code="no_identity", twin="K2-passphrase-ok")
    yield wrapped("K2-wrong-passphrase", "key", "another passphrase", wrap(passphrase()), twin="K2-passphrase-ok",
                  options={"identities": ["passphrase:correct horse battery stable"]}, code="wrong_passphrase")
    yield wrapped("K2-no-wraps", "key", "no key wrap in the envelope", code="no_key_wraps")
    yield wrapped("K2-only-note", "key", "a recipient note, and no key wrap", note(GOOD, ALICE.recipient()),
                  code="no_key_wraps", spec="K-WRAP K-NOTE")
    yield wrapped("K2-file-id", "key", "a wrap that names another file id", FOREIGN, code="foreign_wrap")
    yield wrapped("K2-data-key", "key", "a wrap with another data key", OTHER_KEY, code="wrong_data_key",
                  spec="K-WRAP K-COMMITMENT")
    yield wrapped("K2-other-container", "key", "the wrap of another container",
                  wrap(content=wrap_content(OTHER_DEK, bytes(16))), code="foreign_wrap")
    yield wrapped("K2-before-chunks", "key", "another data key, and a directory that nobody could open", OTHER_KEY,
                  code="wrong_data_key", spec="K-FIRST",
                  file=lambda data: data.__setitem__(64 * 4, data[64 * 4] ^ 1))
    yield wrapped("K2-foreign-first-ok", "ok", "wraps behind one that does not fit are tried", FOREIGN, OTHER_KEY, GOOD)
    yield wrapped("K2-two-words", "key", "the first wrap that opens and does not fit answers", FOREIGN, OTHER_KEY,
                  code="foreign_wrap")
    yield wrapped("K2-two-words-other", "key", "the first wrap that opens and does not fit answers", OTHER_KEY, FOREIGN,
                  code="wrong_data_key")
    yield wrapped("K2-opened-answers", "key", "a wrap that opens answers before one that does not",
                  wrap(mac=lambda mac: bytes(32)), OTHER_KEY, code="wrong_data_key")


def contents():
    """K9: what a wrap holds."""
    content = wrap_content()
    for name, other, reason in [
        ("label", b"S" + content[1:], "a letter of the label"),
        ("label-plural", wrap_content(label=b"safemodel 2026 v1 key wraq"), "another label"),
        ("label-missing", content[len(WRAP_LABEL):], "no label"),
        ("short", content[:-1], "a byte too few"),
        ("long", content + b"\0", "a byte too many"),
        ("line", content + b"\n", "a line feed at the end"),
        ("empty", b"", "no content"),
        ("key-alone", DEK, "the data key alone"),
        ("order", WRAP_LABEL + DEK + c.FILE_ID, "file id and data key in the other order"),
        ("hex", WRAP_LABEL + c.FILE_ID.hex().encode() + DEK.hex().encode(), "file id and data key in hex"),
    ]:
        yield wrapped(f"K9-{name}", "key", reason, wrap(content=other), code="foreign_wrap")
    for name, chunks, reason in [
        ("two-chunks", [content, b""], "two chunks of payload, an empty one at the end"),
        ("two-halves", [content[:40], content[40:]], "two chunks of payload"),
    ]:
        yield wrapped(f"K9-{name}", "key", reason, wrap(chunks=chunks), code="age_payload")
    for name, change, reason in [
        ("byte-behind", lambda file: file + b"\0", "a byte behind the payload"),
        ("cut", lambda file: file[:-1], "a byte of the payload is missing"),
        ("payload-bit", lambda file: file[:-1] + bytes([file[-1] ^ 1]), "a bit of the payload"),
        ("nonce-bit", lambda file: file[:-91] + bytes([file[-91] ^ 1]) + file[-90:], "a bit of the payload's nonce"),
    ]:
        yield wrapped(f"K9-{name}", "key", reason, wrap(change=change), code="age_payload")
    for name, length, code, reason in [("no-payload", 106, "age_header", "no payload"),
                                       ("short-nonce", 91, "age_header", "the payload ends in its nonce"),
                                       ("nonce-alone", 90, "age_payload", "a nonce and nothing behind it")]:
        yield wrapped(f"K9-{name}", "key", reason, wrap(change=lambda file, n=length: file[:-n]), code=code)


def in_header(old, new):
    """Other bytes in the header, behind which the MAC is not made again."""

    def change(file):
        assert file.count(old) == 1, (old, file)
        return file.replace(old, new)

    return change


def files():
    """K10: headers that are no age file. What does not parse opens for nobody."""
    version, mac = age.VERSION, b"\n--- "
    for name, change, reason in [
        ("empty", lambda file: b"", "an empty item"),
        ("version", in_header(version, b"age-encryption.org/v2"), "version 2"),
        ("version-space", in_header(version, version + b" "), "a space behind the version"),
        ("crlf", in_header(version + b"\n", version + b"\r\n"), "CR LF behind the version"),
        ("armor", lambda file: b"-----BEGIN AGE ENCRYPTED FILE-----\n" + base64.encodebytes(file) +
         b"-----END AGE ENCRYPTED FILE-----\n", "armor"),
        ("double-space", in_header(b"-> X25519 ", b"-> X25519  "), "two spaces in a stanza"),
        ("no-type", in_header(b"-> X25519 ", b"->  "), "a stanza without a type"),
        ("mac-missing", lambda file: file[:file.index(mac) + 1], "the header ends before its MAC"),
        ("mac-padded", lambda file: file[:file.index(mac) + 48] + b"=" + file[file.index(mac) + 48:], "a padded MAC"),
        ("mac-short", lambda file: file[:file.index(mac) + 47] + file[file.index(mac) + 48:], "a short MAC"),
        ("mac-no-space", in_header(mac, b"\n---"), "no space in front of the MAC"),
    ]:
        yield wrapped(f"K10-{name}", "key", reason, wrap(change=change), code="age_header")
    for name, mac_, reason in [("mac-bit", lambda m: m[:31] + bytes([m[31] ^ 1]), "a bit of the MAC"),
                               ("mac-zero", lambda m: bytes(32), "a MAC of zeros")]:
        yield wrapped(f"K10-{name}", "key", reason, wrap(mac=mac_), code="age_mac")
    junk = (c.ITEM_KEY_WRAP, b"not an age file")
    yield wrapped("K10-junk-first-ok", "ok", "a wrap that is no age file, in front of a good one", junk, GOOD)
    yield wrapped("K10-refused-first-ok", "ok", "a wrap whose MAC is wrong, in front of a good one",
                  wrap(mac=lambda mac: bytes(32)), GOOD)
    yield wrapped("K10-kind-lost", "key", "the wrap is an item of an unknown kind", (77, GOOD[1]), code="no_key_wraps")


def raw_stanza(words, body=bytes(32)):
    return lambda file_key, drawn: age.stanza(words, body)


def of_x25519(change):
    """A good stanza for Alice whose text is changed; the MAC is right."""
    return lambda file_key, drawn: change(age.x25519_stanza(ALICE.public, file_key, drawn))


def with_body(size):
    """The body of a stanza for Alice that has another size."""

    def make(file_key, drawn):
        share = age.public_of(drawn)
        key = age.hkdf(age.multiply(drawn, ALICE.public), share + ALICE.public, age.LABEL + age.X25519)
        return age.stanza([age.X25519, age.unpadded(share)], age.seal_file_key(key, (2 * file_key)[:size]))

    return make


def lines_of(change):
    """Changes the three parts of a stanza: its words, its body, the rest."""
    return of_x25519(lambda text: b"\n".join(change(*text.split(b"\n", 2))))


LOW_ORDER = {
    "zero": bytes(32),
    "one": b"\1" + bytes(31),
    "eight": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "minus-one": bytes.fromhex("ec" + "ff" * 30 + "7f"),
}


def stanzas():
    """K10: stanzas. The MAC of each header is right."""
    for name, stanza, reason in [
        ("body-31", with_body(15), "a body of 31 bytes"),
        ("body-48", with_body(32), "no key of 16 bytes in the body"),
        ("body-empty", raw_stanza([age.X25519, age.unpadded(ALICE.public)], b""), "an empty body"),
        ("no-share", raw_stanza([age.X25519]), "no share"),
        ("two-shares", lines_of(lambda w, b, r: (w + b" " + w.split()[2], b, r)), "an argument too many"),
        ("share-short", lines_of(lambda w, b, r: (w[:-2], b, r)), "a share that is too short"),
        ("share-padded", lines_of(lambda w, b, r: (w + b"=", b, r)), "a padded share"),
        ("share-bits", lines_of(lambda w, b, r: (w[:-1] + b"9", b, r)), "bits behind the share"),
        ("share-url", lines_of(lambda w, b, r: (w[:12] + b"_" + w[13:], b, r)), "a letter of the URL-safe base64"),
        ("body-padded", lines_of(lambda w, b, r: (w, b + b"=", r)), "a padded body"),
        ("body-two-lines", lines_of(lambda w, b, r: (w, b[:20] + b"\n" + b[20:], r)), "a body cut in two lines"),
        ("body-blank", lines_of(lambda w, b, r: (w, b + b"\n", r)), "an empty line behind the body"),
        ("body-cr", lines_of(lambda w, b, r: (w, b + b"\r", r)), "CR behind the body"),
        ("trailing-space", lines_of(lambda w, b, r: (w + b" ", b, r)), "a space behind the words"),
    ]:
        yield wrapped(f"K10-{name}", "key", reason, wrap(stanza), code="age_header")
    for name, share in LOW_ORDER.items():
        yield wrapped(f"K10-low-order-{name}", "key", "a share of low order",
                      wrap(raw_stanza([age.X25519, age.unpadded(share)])), code="age_header")
    yield wrapped("K10-lower-case", "key", "a type that nobody knows", wrap(raw_stanza(["x25519", "a"])),
                  code="no_identity")
    both = wrap(ALICE, passphrase())
    yield wrapped("K10-scrypt-beside-key", "key", "a passphrase beside a key, for the key", both, code="age_header")
    yield wrapped("K10-scrypt-beside", "key", "a passphrase beside a key, for the passphrase", both, code="age_header",
                  options=WITH_PASSPHRASE, twin="K2-passphrase-ok")
    yield wrapped("K10-scrypt-twice", "key", "two passphrases in one wrap", wrap(passphrase(), passphrase("b")),
                  code="age_header", options=WITH_PASSPHRASE, twin="K2-passphrase-ok")
    for name, words in [("salt-short", [age.unpadded(bytes(15)), "4"]), ("no-factor", [age.unpadded(bytes(16))]),
                        ("factor-zero", [age.unpadded(bytes(16)), "0"]),
                        ("factor-sign", [age.unpadded(bytes(16)), "+4"]),
                        ("factor-leading-zero", [age.unpadded(bytes(16)), "04"])]:
        yield wrapped(f"K10-scrypt-{name}", "key", "a stanza of a passphrase that is none",
                      wrap(raw_stanza([age.SCRYPT, *words])), code="age_header", options=WITH_PASSPHRASE,
                      twin="K2-passphrase-ok")
    yield wrapped("K10-unknown-ok", "ok", "stanzas of unknown kinds around ours",
                  wrap(raw_stanza(["grease", "a", "b"], bytes(48)), ALICE, raw_stanza(["~"], b"")))
    yield wrapped("K10-no-stanza", "key", "a header without stanzas", wrap(lambda file_key, drawn: b""),
                  code="age_header")


def of_size(size):
    """A wrap of exactly so many bytes: a stanza that nobody knows fills it."""

    def whole(columns):
        return wrap(ALICE, lambda file_key, drawn: b"-> grease " + b"a" * columns + b"\n\n")

    made = whole(size - len(whole(1)[1]) + 1)
    assert len(made[1]) == size
    return made


def limits():
    """K9 and K11: limits hold before any wrap is opened, in all of them."""
    yield wrapped("K9-size-ok", "ok", "a wrap of 16 384 bytes", of_size(16384))
    yield wrapped("K9-size", "limit", "a wrap of 16 385 bytes", of_size(16385), code="age_size", twin="K9-size-ok")
    some = [raw_stanza(["a"], b"")] * 64
    yield wrapped("K9-stanzas-ok", "ok", "a wrap of 64 stanzas", wrap(*some[1:], ALICE))
    yield wrapped("K9-stanzas", "limit", "a wrap of 65 stanzas", wrap(ALICE, *some), code="age_stanzas",
                  twin="K9-stanzas-ok")
    yield wrapped("K9-stanzas-behind", "limit", "65 stanzas, in a wrap behind the one that fits", GOOD,
                  wrap(BOB, *some), code="age_stanzas", twin="K9-stanzas-ok")
    salt = age.unpadded(bytes(16))
    for factor in ("21", "63", "64", "99999999999999999999"):
        yield wrapped(f"K11-factor-{factor}", "limit", f"a work factor of {factor}",
                      wrap(raw_stanza([age.SCRYPT, salt, factor])), options=WITH_PASSPHRASE, code="scrypt_cost",
                      twin="K2-passphrase-ok")
    yield wrapped("K11-factor-behind", "limit", "a work factor of 21, in a wrap behind the one that fits", GOOD,
                  wrap(raw_stanza([age.SCRYPT, salt, "21"])), code="scrypt_cost")
    three = [wrap(passphrase(text), name=text) for text in (PASSPHRASE, "b", "c")]
    yield wrapped("K11-two-passphrases-ok", "ok", "two wraps for passphrases, the second one fits", three[1], three[0],
                  options=WITH_PASSPHRASE)
    yield wrapped("K11-three-passphrases", "limit", "three wraps for passphrases", *three, options=WITH_PASSPHRASE,
                  code="many_passphrases", twin="K11-two-passphrases-ok")
    yield wrapped("K11-three-beside", "limit", "three wraps for passphrases behind the one that fits", GOOD, *three,
                  code="many_passphrases", twin="K11-two-passphrases-ok")
    yield wrapped("K11-keyless-ok", "ok", "without an identity nobody looks into the wraps", *three, at="verify",
                  options=KEYLESS)


def notes():
    """K16: notes tell recipients who the others are, and decide nothing."""
    good = note(GOOD, ALICE.recipient())
    bob = wrap(BOB, name="bob")
    yield wrapped("K16-notes-ok", "ok", "a note for each of two wraps", GOOD, bob, good, note(bob, BOB.recipient()),
                  spec="K-NOTE")
    for name, item in [("bit", (good[0], good[1][:-1] + bytes([good[1][-1] ^ 1]))), ("empty", (good[0], b"")),
                       ("no-wrap", note(bob, BOB.recipient())), ("other-key", note(GOOD, "a", dek=OTHER_DEK))]:
        yield wrapped(f"K16-{name}-ok", "ok", "a note that tells nothing is passed over", item, GOOD, spec="K-NOTE")
    for name, text in [("text-control", "age1\x1b[31m"), ("text-utf8", b"age1\xff"), ("text-empty", ""),
                       ("text-long", "a" * 4097)]:
        yield wrapped(f"K16-{name}-ok", "ok", "a note whose text is none is passed over", note(GOOD, text), GOOD,
                      spec="K-NOTE")
    two = {"limits": ["key_wraps=2"]}
    yield wrapped("K16-limit-ok", "ok", "two notes where two are allowed", GOOD, bob, good, good,
                  spec="K-NOTE E-ITEMS", options={**WITH_KEY, **two})
    yield wrapped("K16-limit", "limit", "three notes where two are allowed", GOOD, bob, good, good, good,
                  spec="K-NOTE E-ITEMS", options={**WITH_KEY, **two}, twin="K16-limit-ok")
    yield wrapped("K16-limit-keyless", "limit", "the same, without an identity", GOOD, bob, good, good, good,
                  spec="K-NOTE E-ITEMS", options=two, twin="K16-limit-ok")
    yield wrapped("K16-65", "limit", "65 notes of one byte", GOOD, *[(c.ITEM_RECIPIENT_NOTE, b"n")] * 65,
                  spec="K-NOTE E-ITEMS", twin="K16-notes-ok")
    yield wrapped("K16-as-wrap", "key", "a note in the place of a wrap", (c.ITEM_KEY_WRAP, good[1]), spec="K-NOTE")


def recipients():
    """K15: another envelope, the same core. A newer sidecar decides who can read."""
    bob = wrap(BOB, name="bob")

    def sidecar(*items):
        return build(tiny(), sealing=Sealing(items=list(items)), frame=frame(generation=2)).envelope

    for name, expect, embedded, newer, reason in [
        ("added-ok", "ok", [bob], [bob, GOOD], "a recipient was added, in a sidecar"),
        ("removed", "key", [bob, GOOD], [bob], "a recipient was removed, in a sidecar"),
        ("all-removed", "key", [GOOD], [], "all recipients were removed, in a sidecar"),
    ]:
        yield wrapped(f"K15-{name}", expect, reason, *embedded, spec="K-WRAP E-SIDECAR", twin="K15-added-ok",
                      code={"removed": "no_identity", "all-removed": "no_key_wraps"}.get(name), options={
                          **WITH_KEY, "sidecar": sidecar(*newer)
                      })
