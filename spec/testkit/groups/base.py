# SPDX-License-Identifier: Apache-2.0
"""The small models that most vectors change one field of."""

import struct

from blake3 import blake3

from .. import constants as c
from .. import tree
from ..container import build
from ..model import File, Model, Object, Tensor
from ..vector import Vector

WEIGHTS = struct.pack("<4f", 1.0, 2.0, 3.0, 4.0)
CONFIG = b'{"a": 1}\n'


def storage(plain, **options):
    return Object(c.KIND_STORAGE, plain, **options)


def file(plain, **options):
    return Object(c.KIND_FILE, plain, **options)


def tiny(**changes):
    """One f32 tensor of shape 2 × 2 and one file: objects 1 and 2."""
    model = Model(objects=[storage(WEIGHTS), file(CONFIG)], storages=[1], tensors=[Tensor("w", "f32", [2, 2])],
                  files=[File("config.json", 2)], root=tree.of({"w": tree.tensor(0)}))
    for name, value in changes.items():
        setattr(model, name, value)
    return model


def one(plain, dtype="u8", shape=None, chunks=None, layout=c.LAYOUT_BYTES, **changes):
    """A lone tensor over one storage; coded when `chunks` is given."""
    form = c.RAW if chunks is None else c.CODED
    width = c.DTYPES[dtype][1] // 8
    tensor = Tensor("tensor", dtype, [len(plain) // width] if shape is None else shape)
    model = Model(objects=[storage(plain, form=form, layout=layout, chunks=chunks)], storages=[1], tensors=[tensor],
                  root=tree.tensor(0))
    for name, value in changes.items():
        setattr(model, name, value)
    return model


def leaf(root, **changes):
    """No tensors: a value tree, and nothing else."""
    model = Model(objects=[], root=tree.of(root))
    for name, value in changes.items():
        setattr(model, name, value)
    return model


def vector(name, expect, spec, reason, model=None, signers=None, code=None, at="open", twin=None, options=None,
           **steps):
    """A vector over a container made by `build`."""
    made = build(tiny() if model is None else model, signers, **steps)
    return Vector(name=name, reason=reason, spec=spec.split(), container=made.data, expect=expect, code=code, at=at,
                  twin=twin, **(options or {}))


def setting(**values):
    """A hook that sets fields of a dict."""
    return lambda fields: fields.update(values)


def shift(number, delta):
    """A hook that states another place for an object, without moving its bytes."""

    def change(layout):
        layout.objects[number].offset += delta
        for chunk in layout.records[number]:
            chunk.offset += delta

    return change


def redigest(layout, number):
    """Makes the digests of an object's chunks those of the bytes that its records now name."""
    for chunk in layout.records[number]:
        chunk.digest = blake3(bytes(layout.core[chunk.offset:chunk.offset + chunk.length])).digest()


def place(number, offset):
    """A hook that states another place for an object and makes its chunk digests those of the bytes there."""

    def change(layout):
        target = offset(layout) if callable(offset) else offset
        shift(number, target - layout.objects[number].offset)(layout)
        redigest(layout, number)

    return change
