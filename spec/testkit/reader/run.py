# SPDX-License-Identifier: Apache-2.0
"""Answers vectors: the step that refuses and its word, or ("content", "ok")."""

from .. import constants as c
from .. import vector as v
from . import LIMITS, Refusal, age, encryption, malformed_unless, require
from .container import (check_tiling, choose_envelope, manifest_digest, parse_manifest, parse_objects, parse_preamble,
                        parse_slice, stored_chunk)
from .content import as_model, check_content, check_expansion, check_values, decode_chunk, tensor_bytes
from .directory import parse_directory
from .trust import Rule, authenticate, read_key

MOST_BYTES = 1 << 20  # what is larger in a vector is a tensor expanded by strides of 0, which nobody copies


class Header:
    """What a vector's header says to a reader."""

    def __init__(self, lines):
        self.limits, self.keys, self.rules, self.identities = dict(LIMITS), [], [], []
        self.fields = dict(lines)
        for name, text in lines:
            if name == "limit":
                self.limits.update({text.split("=")[0]: int(text.split("=")[1])})
            elif name == "key":
                public, roles, *bounds = text.split()
                bounds = {bound.split("=")[0]: int(bound.split("=")[1]) for bound in bounds}
                self.keys.append(read_key(public, roles.split(","), bounds))
            elif name == "identity":
                self.identities.append(age.read_identity(text))
            elif name == "rule":
                glob, *words = text.split()
                parts = dict(word.split("=") for word in words if "=" in word)
                minimum = parts.pop("minimum_sequence", None)
                self.rules.append(
                    Rule(glob, {
                        role: int(count)
                        for role, count in parts.items()
                    }, "overlap" in words, None if minimum is None else int(minimum)))


def answer(data):
    """The first step that refuses, and its word; ("content", "ok") if none does."""
    step, refusal = outcome(data)
    return step, refusal.stage if refusal else "ok"


def outcome(data):
    """The first step that refuses, and its Refusal; ("content", None) if none does."""
    lines, rest = v.parse(data)
    header = Header(lines)
    size = int(header.fields["container"])
    container, sidecar = rest[:size], rest[size:] if "sidecar" in header.fields else None
    try:
        opened = open_container(container, sidecar, header)
    except Refusal as refusal:
        return "open", refusal
    for step in (verify, load, content):
        try:
            step(container, opened)
        except Refusal as refusal:
            return step.__name__, refusal
    return "content", None


class Opened:
    """What the steps behind open need: limits, manifest, objects, directory, and the data key if it is encrypted."""

    key = None

    def is_closed(self):
        """Encrypted, and there is no identity: who has no key can still check all stored bytes."""
        return "encryption" in self.m and self.key is None


def open_container(data, sidecar, header):
    limits, o = header.limits, Opened()
    o.limits = limits
    preamble = parse_preamble(data, limits)
    end = preamble.manifest_offset + preamble.manifest_length
    digest = manifest_digest(data, preamble)
    envelope = choose_envelope(data[end:], sidecar, digest, limits)
    raw = data[preamble.manifest_offset:end]
    o.m = authenticate(envelope.items if envelope else [], digest, header.keys, header.rules,
                       header.fields["expect-name"], int(header.fields["now"]), limits,
                       lambda: parse_manifest(raw, preamble, limits))
    if "encryption" in o.m:
        if not header.identities:
            return o
        o.key = encryption.data_key([item for kind, item in envelope.items if kind == c.ITEM_KEY_WRAP],
                                    header.identities, o.m)
    o.objects = parse_objects(data[o.m["table_offset"]:o.m["manifest_offset"]], o.m, limits)
    records, _ = parse_slice(data, 0, o.objects[0], o.m)
    o.d = parse_directory(plain_of(data, o, 0, records), o.m, o.objects, limits)
    return o


def plain_of(data, o, number, records):
    row, size, out = o.objects[number], o.m["chunk_size"], b""
    for i, record in enumerate(records):
        plain, chunk = min(size, row.plain_size - i * size), stored_chunk(data, record)
        if o.key is not None:
            place = encryption.place_of(o.m, number, row, i, record.codec)
            chunk = encryption.open_chunk(chunk, place, o.key, row.salt, o.m["encryption"]["bucket"])
        out += decode_chunk(record.codec, row.layout, chunk, plain)
    return out


def verify(data, o):
    """All slices and where they put the chunks, the padding between them, then the stored bytes."""
    if o.is_closed():
        o.objects = parse_objects(data[o.m["table_offset"]:o.m["manifest_offset"]], o.m, o.limits)
    slices = [parse_slice(data, number, row, o.m) for number, row in enumerate(o.objects)]
    padding = check_tiling(o.objects, [end for _, end in slices], o.m)
    malformed_unless(not any(any(data[begin:end]) for begin, end in padding), "O-PADDING")
    o.records = [records for records, _ in slices]
    for records in o.records:
        for record in records:
            stored_chunk(data, record)


def load(data, o):
    require(not o.is_closed(), "key", "K-FIRST", "identity_needed")
    o.plains = {number: plain_of(data, o, number, o.records[number]) for number in range(1, len(o.objects))}
    types = o.d.get("element_types", [])
    check_expansion([t for t in o.d["tensors"] if tensor_bytes(t, types) <= MOST_BYTES], o, types)
    check_values(as_model(o.d, o.plains))


def content(data, o):
    check_content(o.d, o.plains)
