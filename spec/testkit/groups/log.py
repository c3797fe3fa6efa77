# SPDX-License-Identifier: Apache-2.0
"""L: log proofs in the envelope."""

from hashlib import sha256

from .. import constants as c
from ..envelope import BUILDER, SECOND
from ..tlog import (LOG_KEY, NOTE_COSIGNATURE, ORIGIN, OTHER_LOG, WITNESS_1, WITNESS_2, Proof, b64, consistency,
                    cosignature, entry_of, leaf_hash, node_hash, note_line)
from . import logged
from .base import vector

TRUSTED = [f"log: {ORIGIN} {LOG_KEY.public.hex()}"]
WITNESSES = [
    f"witness: witness.example/1 {WITNESS_1.public.hex()}", f"witness: witness.example/2 {WITNESS_2.public.hex()}"
]


def proven(name, expect, spec, reason, code=None, twin="L0-logged-ok", lines=TRUSTED, entry=None, extra_lines=None,
           items=None, **changes):
    """A container whose one statement has one log proof."""
    made = {}

    def add(frame):
        statement = frame.items[0][1]
        made["proof"] = Proof((entry or entry_of)(statement, BUILDER), **changes)
        frame.items.append((c.ITEM_LOG_PROOF, made["proof"].make()))
        if items:
            items(frame, made["proof"])

    result = vector(name, expect, spec, reason, code=code, at="logged", twin=None if expect == "ok" else twin, frame=add)
    result.log = list(lines) + (extra_lines(made["proof"]) if extra_lines else [])
    return result


def vectors():
    yield proven("L0-logged-ok", "ok", "L-INCLUSION L-BOUND L-SIGNED L-PROOF L-ENTRY L-NOTE L-CHECKPOINT",
                 "a statement with its proof")
    yield from bound()
    yield from inclusion()
    yield from signed()
    yield from texts()
    yield from continued()
    yield from before()
    yield from logged.vectors()


def changed(**fields):
    return lambda item, signer: entry_of(item, signer, **fields)


def bound():
    for field, value in (("role", "approver"), ("model", "acme/other"), ("version", "9"), ("sequence", 99),
                         ("manifest", "00" * 32), ("statement", "00" * 32), ("key", SECOND.key_id())):
        yield proven(f"L1-other-{field}", "untrusted", "L-BOUND", f"an entry that is in the log, with another {field}",
                     code="other_entry", entry=changed(**{field: value}))
    yield proven("L1-other-leaf", "untrusted", "L-INCLUSION", "our entry beside the proof of another leaf",
                 code="not_in_log", leaf=lambda entry: leaf_hash(b"another artifact"))
    yield proven("L1-no-entry", "malformed", "L-PROOF", "a proof without extra data", code="bad_proof",
                 extra=lambda line: "")
    yield proven("L1-none", "untrusted", "L-BOUND", "no log proof at all", code="not_logged",
                 items=lambda frame, proof: frame.items.pop())


def inclusion():
    yield proven("L2-index-size", "untrusted", "L-INCLUSION", "index = size", code="not_in_log", index=7)
    yield proven("L2-index-other", "untrusted", "L-INCLUSION", "another index", code="not_in_log",
                 whole=lambda text: text.replace("index 4\n", "index 5\n"))
    yield proven("L2-size-zero", "untrusted", "L-INCLUSION", "a proof in the empty tree", code="not_in_log", index=0,
                 size=0)
    for name, path in [
        ("short", lambda path: path[:-1]),
        ("long", lambda path: path + [bytes(32)]),
        ("empty", lambda path: []),
        ("changed", lambda path: [bytes([path[0][0] ^ 1]) + path[0][1:]] + path[1:]),
        ("swapped", lambda path: path[::-1]),
    ]:
        yield proven(f"L2-path-{name}", "untrusted", "L-INCLUSION", f"hashes: {name}", code="not_in_log", path=path)
    yield proven("L2-root", "untrusted", "L-INCLUSION", "another root, well signed", code="not_in_log",
                 text=lambda text: text.replace(text.split("\n")[2], b64(bytes(32))))
    yield proven("L2-leaf-as-node", "untrusted", "L-INCLUSION", "the leaf hashed with the prefix of nodes",
                 code="not_in_log", leaf=lambda entry: node_hash(entry, b""))
    yield proven("L2-leaf-bare", "untrusted", "L-INCLUSION", "the leaf hashed without a prefix", code="not_in_log",
                 leaf=lambda entry: sha256(entry).digest())
    yield proven("L2-one-entry-ok", "ok", "L-INCLUSION", "the only entry of a log", index=0, size=1)


def signed():
    yield proven("L2-other-origin", "untrusted", "L-SIGNED", "a checkpoint of another origin by the same key",
                 code="unknown_log", origin="example.com/other")
    yield proven("L2-unknown-key", "untrusted", "L-SIGNED", "signed by another key", code="log_signature",
                 key=OTHER_LOG)
    yield proven("L2-key-hash", "untrusted", "L-SIGNED", "a wrong key hash: the line is by nobody",
                 code="log_signature",
                 note=lambda note: note.replace(note.rsplit(" ", 1)[1], "AAAAA" + note.rsplit(" ", 1)[1][5:]))
    yield proven("L2-signature", "untrusted", "L-SIGNED", "a signature over another text", code="log_signature",
                 note=lambda note: note.split("\n\n")[0] + "\n\n" + note_line(ORIGIN, LOG_KEY, b"another text\n"))
    yield proven("L2-type", "untrusted", "L-SIGNED", "a plain signature with the hash of a cosignature",
                 code="log_signature", note=lambda note: note.split("\n\n")[0] + "\n\n" + note_line(
                     ORIGIN, LOG_KEY, (note.split("\n\n")[0] + "\n").encode(), kind=NOTE_COSIGNATURE))
    two = TRUSTED + WITNESSES + ["witnesses: 2"]

    def witnessed(second):
        return lambda note: note + cosignature("witness.example/1", WITNESS_1, text_of(note)) + second(text_of(note))

    yield proven("L2-witnesses-ok", "ok", "L-WITNESS", "two witnesses", lines=two,
                 note=witnessed(lambda text: cosignature("witness.example/2", WITNESS_2, text)))
    yield proven("L2-witness-missing", "untrusted", "L-WITNESS", "one of two witnesses", code="few_witnesses",
                 lines=two, note=witnessed(lambda text: ""), twin="L2-witnesses-ok")
    yield proven("L2-witness-twice", "untrusted", "L-WITNESS", "one witness twice", code="few_witnesses", lines=two,
                 note=witnessed(lambda text: cosignature("witness.example/1", WITNESS_1, text, c.NOW + 1)),
                 twin="L2-witnesses-ok")
    yield proven("L2-witness-wrong", "untrusted", "L-WITNESS", "a cosignature of another text",
                 code="witness_signature", lines=two,
                 note=witnessed(lambda text: cosignature("witness.example/2", WITNESS_2, text + b"more\n")),
                 twin="L2-witnesses-ok")
    yield proven("L2-witness-plain", "untrusted", "L-WITNESS", "a witness's plain signature is no cosignature",
                 code="few_witnesses", lines=two,
                 note=witnessed(lambda text: note_line("witness.example/2", WITNESS_2, text)), twin="L2-witnesses-ok")


def text_of(note):
    return (note.split("\n\n")[0] + "\n").encode()


def resized(size):
    return lambda text: text.replace("\n7\n", f"\n{size}\n")


def texts():
    yield proven("L3-leading-zero", "malformed", "L-CHECKPOINT", "a size with a leading zero", code="bad_checkpoint",
                 text=resized("07"))
    yield proven("L3-size-negative", "malformed", "L-CHECKPOINT", "a negative size", code="bad_checkpoint",
                 text=resized("-7"))
    yield proven("L3-size-2-63", "malformed", "L-CHECKPOINT", "a size of 2^63", code="bad_checkpoint",
                 text=resized(1 << 63))
    yield proven("L3-root-short", "malformed", "L-CHECKPOINT", "a root of 31 bytes", code="bad_checkpoint",
                 text=lambda text: text.replace(text.split("\n")[2], b64(bytes(31))))
    yield proven("L3-carriage-return", "malformed", "L-NOTE", "CR before a line end", code="bad_note",
                 text=lambda text: text.replace("\n", "\r\n", 1))
    yield proven("L3-hyphen", "malformed", "L-NOTE", "a hyphen for the em dash", code="bad_note",
                 note=lambda note: note.replace("\u2014", "-"))
    yield proven("L3-no-blank-line", "malformed", "L-NOTE", "no empty line before the signatures", code="bad_note",
                 note=lambda note: note.replace("\n\n", "\n"))
    yield proven("L3-no-signature", "malformed", "L-NOTE", "no signature line", code="bad_note",
                 note=lambda note: note.split("\n\n")[0] + "\n\n")
    yield proven("L3-16-signatures-ok", "ok", "L-NOTE", "16 signature lines, 15 of them by strangers",
                 note=lambda note: note + "".join(note_line(f"stranger.example/{i}", OTHER_LOG, b"x\n") for i in range(15)))
    many = proven("L3-3-signatures", "limit", "L-NOTE L-LIMITS", "3 signature lines where the limit is 2",
                  code="many_signatures", note=lambda note: note + note.split("\n\n")[1] * 2,
                  twin="L3-16-signatures-ok")
    many.limits = ["note_signatures=2"]
    yield many
    yield proven("L3-proof-version", "malformed", "L-PROOF", "another version of proofs", code="bad_proof",
                 whole=lambda text: text.replace("@v1", "@v2"))
    yield proven("L3-proof-index", "malformed", "L-PROOF", "an index with a leading zero", code="bad_proof",
                 whole=lambda text: text.replace("index 4", "index 04"))
    yield proven("L3-proof-hash", "malformed", "L-PROOF", "a hash of 31 bytes", code="bad_proof",
                 path=lambda path: [bytes(31)] + path[1:])
    yield proven("L3-entry-space", "malformed", "L-ENTRY", "an entry with a space in it", code="bad_entry",
                 entry=lambda item, signer: entry_of(item, signer).replace(b",\"role\"", b", \"role\""))
    yield proven("L3-entry-escape", "malformed", "L-ENTRY", "an entry with an escape that nobody needs",
                 code="bad_entry", entry=lambda item, signer: entry_of(item, signer).replace(b"builder", b"\\u0062uilder"))
    yield proven("L3-entry-member", "malformed", "L-ENTRY", "an entry with a member more", code="bad_entry",
                 entry=changed(more=1))


def continued():
    def earlier(size, root=None, path=None):
        def line(proof):
            old_size, old_root = proof.state(size)
            hashes = consistency(size, proof.leaves()) if 0 < size <= proof.size else []
            hashes = path(hashes) if path else hashes
            words = [str(size), (root or old_root).hex()] + [node.hex() for node in hashes]
            return ["earlier: " + " ".join(words)]

        return line

    for size in (3, 4):
        yield proven(f"L4-continues-{size}-ok", "ok", "L-CONSISTENT", f"the log continues its state of size {size}",
                     extra_lines=earlier(size))
    twin = {"code": "log_fork", "twin": "L4-continues-3-ok"}
    yield proven("L4-smaller", "untrusted", "L-CONSISTENT", "the checkpoint is smaller than the remembered one",
                 extra_lines=earlier(8, root=bytes(32)), **twin)
    yield proven("L4-same-size", "untrusted", "L-CONSISTENT", "the same size with another root",
                 extra_lines=earlier(7, root=bytes(32)), **twin)
    yield proven("L4-old-root", "untrusted", "L-CONSISTENT", "another root of the earlier state",
                 extra_lines=earlier(3, root=bytes(32)), **twin)
    yield proven("L4-hash-short", "untrusted", "L-CONSISTENT", "a hash short",
                 extra_lines=earlier(3, path=lambda path: path[:-1]), **twin)
    yield proven("L4-hash-long", "untrusted", "L-CONSISTENT", "a hash long",
                 extra_lines=earlier(3, path=lambda path: path + [bytes(32)]), **twin)
    yield proven("L4-no-hashes", "untrusted", "L-CONSISTENT", "no hashes",
                 extra_lines=earlier(3, path=lambda path: []), **twin)


def before():
    def named(origin=ORIGIN, size=None, root=None):
        def line(proof):
            at, there = proof.state()
            return [f"before: {origin} {at if size is None else size} {(root or there).hex()}"]

        return line

    yield proven("Y12-before-ok", "ok", "L-BEFORE", "in the tree of the named checkpoint", extra_lines=named())
    twin = {"code": "not_logged_before", "twin": "Y12-before-ok"}
    yield proven("Y12-forked", "untrusted", "L-BEFORE", "the named size with another root",
                 extra_lines=named(root=bytes(32)), **twin)
    yield proven("Y12-later", "untrusted", "L-BEFORE", "in a later tree only",
                 extra_lines=lambda proof: [f"before: {ORIGIN} 6 {proof.state(6)[1].hex()}"], **twin)
    yield proven("Y12-other-origin", "untrusted", "L-BEFORE", "another log's checkpoint of that size and root",
                 extra_lines=named(origin="example.com/other"), **twin)
