# SPDX-License-Identifier: Apache-2.0
"""Whether the test kit's own reader answers a vector as its header says."""

from .run import outcome

STEPS = ("open", "verify", "load", "content")


def is_read(vector):
    """This reader reads no policy files, logs and listings."""
    return vector.kind == "container" and vector.policy is None and set(vector.at.split()) <= set(STEPS)


def difference(vector):
    """A sentence, or None. Refusals are compared by word, by first step, and by code where both name one."""
    if not is_read(vector):
        return None
    step, refusal = outcome(vector.serialize())
    steps = vector.at.split()
    if vector.expect == "ok":
        right = refusal is None or STEPS.index(step) > STEPS.index(steps[-1])
    else:
        right = refusal is not None and (step, refusal.stage) == (steps[0], vector.expect)
        right = right and (None in (vector.code, refusal.code) or vector.code == refusal.code)
    return None if right else f"{vector.name}: our reader says {refusal} ({refusal and refusal.code}) at {step}"
