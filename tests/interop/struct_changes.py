# SPDX-License-Identifier: Apache-2.0
"""Changes of one field of an object while it is pickled, and what the command line tool says about the file.

Nothing here unpickles: the pickler below writes another state for one object and saves everything else as it is.
"""

import io
import json
import os
import pickle
import subprocess
import sys
import types

import numpy as np

CLI = os.environ.get("SAFEMODEL_CLI")
if not CLI:
    sys.exit("SAFEMODEL_CLI must name the safemodel program")


class Changing(pickle.Pickler):
    """Writes what `change` makes of the state of `target`."""

    def __init__(self, file, target, change):
        super().__init__(file, protocol=4)
        self.target, self.change = target, change

    def reducer_override(self, value):
        if value is not self.target:
            return NotImplemented
        reduced = list(value.__reduce_ex__(4))
        return tuple(self.change(reduced))


def saved(root, target=None, change=None):
    file = io.BytesIO()
    Changing(file, target, change).dump(root)
    return file.getvalue()


def verdict(path):
    """The code of the refusal and its subject, or None when the file was converted."""
    done = subprocess.run(
        [CLI, "convert", path, "-o", path + ".safemodel", "--name", "model", "--force", "--json"],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode == 0:
        return None, ""
    answer = json.loads(done.stdout)
    return answer["code"], answer.get("subject", "")


# --- changes of the reduced form (callable, arguments, state, …) ---


def attribute(name, change):
    def apply(reduced):
        state = dict(reduced[2])
        state[name] = change(state[name])
        return [*reduced[:2], state, *reduced[3:]]

    return apply


def without(name):
    def apply(reduced):
        return [*reduced[:2], {k: v for k, v in reduced[2].items() if k != name}, *reduced[3:]]

    return apply


def part(index, change):
    """Changes an item of a state that is a tuple."""

    def apply(reduced):
        state = list(reduced[2])
        state[index] = change(state[index])
        return [*reduced[:2], tuple(state), *reduced[3:]]

    return apply


def argument(index, change):
    def apply(reduced):
        args = list(reduced[1])
        args[index] = change(args[index])
        return [reduced[0], tuple(args), *reduced[2:]]

    return apply


# --- changes of a value ---


def to(value):
    return lambda old: value


def at(index, value):
    """Another element: of an array, of a list, or of a tuple."""

    def apply(old):
        new = old.copy() if isinstance(old, np.ndarray) else list(old)
        new[index] = value(new[index]) if isinstance(value, types.FunctionType) else value
        return tuple(new) if isinstance(old, tuple) else new

    return apply


def field(row, name, value):
    """Another field of a record in an array."""

    def apply(old):
        new = old.copy()
        new[name][row] = value
        return new

    return apply


def cut(old):
    """Without the last item."""
    return old[:-1].copy() if isinstance(old, np.ndarray) else old[:-1]


def longer(old):
    """With the last item twice."""
    return np.concatenate([old, old[-1:]]) if isinstance(old, np.ndarray) else old + old[-1:]


def narrow(old):
    """Without the last column."""
    return np.ascontiguousarray(old[..., :-1])


def cast(dtype):
    return lambda old: old.astype(dtype)


def flat(old):
    return old.ravel()


def plus(number):
    return lambda old: old + number
