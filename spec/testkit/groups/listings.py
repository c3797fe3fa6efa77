# SPDX-License-Identifier: Apache-2.0
"""F: files and folders that are signed as they lie, and sets of containers."""

from hashlib import sha256

from blake3 import blake3

from .. import constants as c
from ..container import build
from ..encryption import Sealing
from ..envelope import PREDICATE_TYPE, SECOND, STRANGER, Signer
from ..listing import FILES_PREDICATE, SET_MAGIC, SET_PREDICATE, Entry, Listing, Member, signed
from ..vector import Vector
from .base import tiny
from .policies import HEAD, key, rule

DATA = b"GGUF" + bytes(range(64))


def files(case, expect, spec, reason, content=DATA, code=None, at="open", twin="F0-file-ok", kind="file", path="model.bin",
          predicate=FILES_PREDICATE, signers=None, frame=None, data=None, raw=None, limits=(), policy=None, **fields):
    """A vector about one file, alone or in a folder. `raw` changes the bytes of the finished envelope file."""
    listing = Listing([Entry("model.bin", DATA)], shape=1 if kind == "file" else 2)
    for field, value in fields.items():
        setattr(listing, field, value)
    sidecar = signed(listing, predicate, signers, frame, data(listing.serialize()) if data else None)
    return Vector(name=case, reason=reason, spec=spec.split(), container=content, expect=expect, code=code, at=at,
                  twin=None if expect == "ok" else twin, sidecar=raw(sidecar) if raw else sidecar, kind=kind, path=path,
                  limits=list(limits), policy=policy)


def vectors():
    yield files("F0-file-ok", "ok", "F-HEAD F-DIGEST F-FILES", "one file", at="verify")
    yield files("F0-folder-ok", "ok", "F-HEAD F-ALL F-FILES", "a folder with one file", kind="folder", at="verify")
    yield from heads()
    yield from counts()
    yield from orders_and_paths()
    yield from contents()
    yield from statements()
    yield from sets()
    yield from rules_of_sets()


def heads():
    for name, fields, expect, reason in [
        ("magic", {"magic": c.MAGIC}, "malformed", "the magic of a container"),
        ("magic-of-set", {"magic": SET_MAGIC}, "malformed", "the magic of a set"),
        ("version", {"version_number": 2}, "unsupported", "another version"),
        ("shape-0", {"shape": 0}, "malformed", "no shape"),
        ("shape-3", {"shape": 3}, "malformed", "an unknown shape"),
        ("reserved", {"reserved": b"\0\0\1\0\0"}, "malformed", "a reserved byte"),
        ("reserved-last", {"tail_reserved": 1}, "malformed", "the reserved field behind the counts"),
        ("length-short", {"total_length": lambda n: n - 1}, "malformed", "a length of one byte less"),
        ("length-71", {"total_length": lambda n: 71}, "malformed", "a length below that of the head"),
        ("length-over", {"total_length": lambda n: (64 << 20) + 1}, "limit", "a length above its limit"),
        ("length-huge", {"total_length": lambda n: (1 << 64) - 1}, "limit", "a length of 2^64-1"),
        ("created", {"created": 253402300800}, "malformed", "created in the year 10000"),
        ("sequence", {"sequence": 1 << 53}, "limit", "a sequence of 2^53"),
    ]:
        yield files(f"F1-head-{name}", expect, "F-HEAD", reason, **fields)
    for length in (0, 7, 71, 72, 100):
        yield files(f"F1-torn-{length}", "malformed", "F-HEAD", f"only {length} bytes", raw=lambda b, n=length: b[:n])
    yield files("F1-trailing", "malformed", "E-FRAME", "a byte behind the frame", raw=lambda b: b + b"\0")
    yield files("F1-unsigned", "untrusted", "E-NONE", "a listing alone", code="no_signature",
                raw=lambda b: b[:len(Listing([Entry("model.bin", DATA)]).serialize())])
    yield files("F1-foreign", "digest_mismatch", "F-FOREIGN", "the frame of another listing", code="foreign_envelope",
                frame=lambda made: setattr(made, "manifest_digest", bytes(32)))
    for name, fields in [("name", {"name": "a b"}), ("name-empty", {"name": ""}), ("version-slash", {"version": "1/2"})]:
        yield files(f"F1-{name}", "malformed", "M-NAME", "a name or version that a manifest may not have", **fields)


def counts():
    for name, fields, expect, reason in [
        ("none", {"entries": []}, "malformed", "no entry"),
        ("less", {"entry_count": 0}, "malformed", "fewer entries than there are"),
        ("more", {"entry_count": 2}, "malformed", "more entries than there are"),
        ("largest", {"entry_count": (1 << 32) - 1}, "malformed", "2^32-1 entries"),
        ("patterns-largest", {"pattern_count": (1 << 32) - 1}, "malformed", "2^32-1 patterns"),
        ("left-out-largest", {"left_out_count": (1 << 32) - 1}, "malformed", "2^32-1 paths left out"),
        ("tail", {"tail": b"\0"}, "malformed", "a byte behind the last entry"),
        ("sizes", {"entries": [Entry("model.bin", size=(1 << 46) + 1, digest=bytes(32))]}, "limit", "a size above the limit"),
        ("size-largest", {"entries": [Entry("model.bin", size=(1 << 64) - 1, digest=bytes(32))]}, "limit",
         "a size of 2^64-1"),
    ]:
        yield files(f"F2-{name}", expect, "F-COUNTS", reason, **fields)
    two = [Entry("a", size=(1 << 63), digest=bytes(32)), Entry("b", size=(1 << 63), digest=bytes(32))]
    yield files("F2-sizes-wrap", "limit", "F-COUNTS", "sizes whose sum is 2^64", kind="folder", twin="F0-folder-ok",
                entries=two)
    yield files("F2-limit-files", "limit", "L-LIMITS F-COUNTS", "more files than the limit", kind="folder",
                twin="F0-folder-ok", entries=[Entry("a"), Entry("model.bin", DATA)], limits=["files=1"])
    yield files("F2-limit-patterns", "limit", "L-LIMITS F-COUNTS", "more patterns than the limit", kind="folder",
                twin="F0-folder-ok", patterns=[f"{i:03}" for i in range(257)])
    two = dict(kind="folder", twin="F2-limit-two-patterns-ok", patterns=["x", "y"])
    yield files("F2-limit-two-patterns-ok", "ok", "L-LIMITS F-COUNTS", "as many patterns as the limit",
                limits=["listing_patterns=2"], **two)
    yield files("F2-limit-two-patterns", "limit", "L-LIMITS F-COUNTS", "more patterns than the limit",
                code="many_patterns", limits=["listing_patterns=1"], **two)
    length = len(Listing([Entry("model.bin", DATA)]).serialize())
    yield files("F2-limit-bytes-ok", "ok", "L-LIMITS F-HEAD", "as long as the limit", limits=[f"listing_bytes={length}"])
    yield files("F2-limit-bytes", "limit", "L-LIMITS F-HEAD", "a byte longer than the limit", code="large_listing",
                twin="F2-limit-bytes-ok", limits=[f"listing_bytes={length - 1}"])


def orders_and_paths():
    folder = dict(kind="folder", twin="F0-folder-ok")
    for name, entries in [("twice", [Entry("model.bin", DATA)] * 2), ("order", [Entry("model.bin", DATA), Entry("a")]),
                          ("empty", [Entry("", DATA)])]:
        yield files(f"F3-entries-{name}", "malformed", "F-ORDER", "entries that are not strictly ascending", entries=entries,
                    **folder)
    for name, patterns in [("twice", ["x", "x"]), ("order", ["x", "a"]), ("empty", [""]), ("control", ["a\n"]),
                           ("utf8", [b"\xff"])]:
        yield files(f"F3-patterns-{name}", "malformed", "F-ORDER", "patterns out of order, or no text", patterns=patterns,
                    **folder)
    yield files("F3-left-out-order", "malformed", "F-ORDER", "paths left out, out of order", patterns=["**"],
                left_out=["b", "a"], **folder)
    for name, path in [("dot-dot", "../model.bin"), ("absolute", "/model.bin"), ("backslash", "a\\b"), ("device", "nul"),
                       ("utf8", b"\xff")]:
        yield files(f"F4-{name}", "malformed", "F-PATHS", "a path that a packed file may not have",
                    entries=[Entry(path, DATA)], **folder)
    yield files("F4-case", "malformed", "F-PATHS", "paths that are one when case does not count",
                entries=[Entry("A"), Entry("a"), Entry("model.bin", DATA)], **folder)
    yield files("F4-folder-of", "malformed", "F-PATHS", "a path that is the folder of another",
                entries=[Entry("a"), Entry("a/b"), Entry("model.bin", DATA)], **folder)
    yield files("F4-left-out-meets", "malformed", "F-PATHS", "a file both listed and left out", patterns=["**"],
                left_out=["model.bin"], **folder)
    yield files("F4-git-ok", "ok", "F-PATHS", "a file of a .git folder is listed like any other", kind="folder",
                path=".git/config", entries=[Entry(".git/config", DATA)], at="verify")
    yield files("F5-two", "malformed", "F-SHAPE", "one file with two entries", entries=[Entry("a"), Entry("model.bin", DATA)])
    yield files("F5-folder", "malformed", "F-SHAPE", "one file in a folder", entries=[Entry("a/model.bin", DATA)])
    yield files("F5-pattern", "malformed", "F-SHAPE", "one file with a pattern", patterns=["x"])
    yield files("F5-left-out", "malformed", "F-SHAPE", "paths left out by no pattern", left_out=["x"], **folder)


def contents():
    yield files("F6-empty-ok", "ok", "F-DIGEST", "an empty file", content=b"", entries=[Entry("model.bin")], at="verify")
    for name, content, code in [
        ("changed", DATA[:-1] + b"\0", "file_changed"),
        ("truncated", DATA[:-1], "file_truncated"),
        ("emptied", b"", "file_truncated"),
        ("grown", DATA + b"\0", "file_grown"),
    ]:
        for kind in ("file", "folder"):
            yield files(f"F6-{name}-{kind}", "digest_mismatch", "F-FILES", "another file than the one that was signed",
                        content=content, code=code, kind=kind, at="verify", twin=f"F0-{kind}-ok")
    yield files("F6-digest-plain", "digest_mismatch", "F-DIGEST", "the BLAKE3 of the bytes, without size and label",
                at="verify", code="file_changed",
                entries=[Entry("model.bin", DATA, digest=blake3(DATA).digest())])
    yield files("F6-renamed-file", "digest_mismatch", "F-FILES", "the file has another name", code="file_renamed",
                path="other.bin", at="verify")
    folder = dict(kind="folder", twin="F0-folder-ok", at="verify")
    yield files("F6-renamed-folder", "digest_mismatch", "F-FILES", "a file of the folder has another name",
                code="file_renamed", path="other.bin", **folder)
    yield files("F6-missing", "digest_mismatch", "F-FILES", "a listed file is missing", code="file_missing",
                entries=[Entry("a"), Entry("model.bin", DATA)], **folder)
    yield files("F6-extra", "digest_mismatch", "F-ALL F-FILES", "a file that is not listed", code="file_extra",
                entries=[Entry("z")], **folder)
    yield files("F6-hidden", "digest_mismatch", "F-ALL", "a hidden file that is not listed", code="file_extra",
                path=".git/config", entries=[Entry("z", b"longer" * 90)], **folder)
    yield files("F6-type", "digest_mismatch", "F-FILES", "a file where a folder was", code="file_type_changed",
                entries=[Entry("model.bin/a", b"x")], **folder)
    yield files("F6-type-folder", "digest_mismatch", "F-FILES", "a folder where a file was", code="file_type_changed",
                path="a/b", entries=[Entry("a", b"x")], **folder)
    # Were it not passed over, the answer would be about the extra file, whose path comes first.
    yield files("F6-left-out", "digest_mismatch", "F-ALL", "what a pattern matches is passed over; a listed file is not",
                code="file_missing", path="cache/x.bin", patterns=["cache"], left_out=["cache"], **folder)


def statements():
    yield files("F7-container-kind", "untrusted", "S-KIND", "a statement about a container", code="other_statement",
                predicate=PREDICATE_TYPE)
    yield files("F7-set-kind", "untrusted", "S-KIND", "a statement about a set", code="other_statement",
                predicate=SET_PREDICATE)
    yield files("F7-unknown-key", "untrusted", "S-THRESHOLD", "signed by a stranger", code="unknown_key",
                signers=[Signer(key=STRANGER)])
    yield files("F7-contradicts", "untrusted", "S-MATCH", "a statement about another version", code="contradicts_manifest",
                signers=[Signer(predicate={"version": "2"})])
    yield files("F7-before", "untrusted", "S-BEFORE", "a broken listing that nobody trusted signed", code="unknown_key",
                signers=[Signer(key=SECOND)], shape=9)


def of_set(name, expect, spec, reason, code=None, at="open", twin="F8-set-ok", predicate=SET_PREDICATE, changes=None,
           container=None, path="model.safemodel", limits=(), policy=None, made=None, **fields):
    made = made or build(tiny())
    member = Member("model.safemodel", sha256(made.manifest_bytes).digest())
    fields_of_tiny(member)
    for field, value in (changes or {}).items():
        setattr(member, field, value)
    listing = Listing([member], magic=SET_MAGIC, shape=0)
    for field, value in fields.items():
        setattr(listing, field, value)
    return Vector(name=name, reason=reason, spec=spec.split(), container=container or made.data, expect=expect, code=code,
                  at=at, twin=None if expect == "ok" else twin, sidecar=signed(listing, predicate), kind="set", path=path,
                  limits=list(limits), policy=policy)


def fields_of_tiny(member):
    model = tiny()
    member.name, member.version, member.sequence = model.name, model.version, model.sequence


def sets():
    yield of_set("F8-set-ok", "ok", "F-MEMBER", "a set of one container", at="verify")
    yield of_set("F8-unsigned-member-ok", "ok", "F-MEMBER", "a container without a signature of its own", at="verify",
                 container=build(tiny(), envelope=lambda e: b"").data)
    yield of_set("F8-changed", "digest_mismatch", "F-MEMBER", "another container than the listed one",
                 code="member_changed", container=build(tiny(version="other")).data)
    for field, value in (("name", "other"), ("version", "9"), ("sequence", 1000)):
        yield of_set(f"F8-{field}", "untrusted", "F-MEMBER", "the set lists another one than the container has",
                     code="contradicts_manifest", changes={field: value})
    yield of_set("F8-files-kind", "untrusted", "S-KIND", "a statement about files", code="other_statement",
                 predicate=FILES_PREDICATE)
    yield of_set("F8-shape", "malformed", "F-HEAD", "a set with a shape", shape=1)
    yield of_set("F8-patterns", "malformed", "F-HEAD", "a set with a pattern", patterns=["x"])
    yield of_set("F8-empty", "malformed", "F-COUNTS", "a set without members", entries=[])
    yield of_set("F8-limit-ok", "ok", "L-LIMITS F-COUNTS", "as many members as the limit", limits=["set_members=1"])
    yield of_set("F8-limit", "limit", "L-LIMITS F-COUNTS", "more members than the limit", twin="F8-limit-ok",
                 limits=["set_members=0"])
    yield of_set("F8-outside", "malformed", "F-PATHS", "a member outside the folder", changes={"path": "../m.safemodel"})
    yield of_set("F8-git", "unsafe", "F-PATHS", "a member in a .git folder", changes={"path": ".git/m.safemodel"})


def asking(more):
    return (HEAD + key("a") + rule(more=more)).encode()


def rules_of_sets():
    """The rule that decides about a set holds for its members; the sequence that it bounds is the set's."""
    required, forbidden = (asking(f'encryption = "{word}"') for word in ("required", "forbidden"))
    sealed = build(tiny(), sealing=Sealing())
    yield of_set("F8-encrypted-required-ok", "ok", "F-MEMBER P-ENCRYPTION", "an encrypted member where encryption is "
                 "required", at="verify", made=sealed, policy=required)
    yield of_set("F8-encrypted-forbidden", "untrusted", "F-MEMBER P-ENCRYPTION", "an encrypted member where encryption "
                 "is forbidden", code="encrypted", made=sealed, policy=forbidden, twin="F8-encrypted-required-ok")
    yield of_set("F8-plain-required", "untrusted", "F-MEMBER P-ENCRYPTION", "a plain member where encryption is required",
                 code="not_encrypted", policy=required, twin="F8-encrypted-required-ok")
    yield files("F7-encryption-required", "untrusted", "P-ENCRYPTION", "a file where encryption is required",
                code="not_encrypted", policy=required)
    minimum = asking("minimum_sequence = 5")
    yield of_set("F8-minimum-sequence-ok", "ok", "F-MEMBER S-SEQUENCE", "a member of sequence 0 in a set of sequence 5",
                 at="verify", made=build(tiny(sequence=0)), changes={"sequence": 0}, sequence=5, policy=minimum)
    yield of_set("F8-minimum-sequence", "untrusted", "F-MEMBER S-SEQUENCE", "a set of sequence 4, whatever its members have",
                 code="old_sequence", sequence=4, policy=minimum, twin="F8-minimum-sequence-ok")
