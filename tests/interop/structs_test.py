#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Saves real fitted objects with one field changed, and expects that each is refused by the rule that guards the field; the
same object without the change must convert. Usage: SAFEMODEL_CLI=… python structs_test.py"""

import collections
import os
import sys
import tempfile
import warnings

try:
    from struct_changes import saved, verdict
    from struct_models import encoders, forests, generators, machines, shapes, splines, tables, words
    from struct_trees import boosted_histograms, neighbour_trees, sparse, trees
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

warnings.simplefilter("ignore")
WANTED = 30  # changes of each family
FAMILIES = [
    trees, boosted_histograms, neighbour_trees, sparse, machines, generators, words, splines, encoders, forests, shapes,
    tables,
]  # fmt: skip


def main():
    counts, failures, accepted = collections.Counter(), [], set()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.pkl")

        def judge(data):
            with open(path, "wb") as file:
                file.write(data)
            return verdict(path)

        for family in FAMILIES:
            for rule, root, target, label, change in family():
                if id(root) not in accepted:
                    accepted.add(id(root))
                    code, subject = judge(saved(root))
                    if code is not None:
                        failures.append(f"{family.__name__}: {type(root).__name__} as it is: {code} {subject}")
                code, subject = judge(saved(root, target, change))
                counts[rule] += 1
                if code != rule:
                    failures.append(f"{family.__name__}: {label}: {code} {subject}, not {rule}")
                alive.append(root)
    for failure in failures:
        print("FAIL", failure)
    few = [rule for rule, count in counts.items() if count < WANTED]
    print(f"{sum(counts.values())} changes of {len(accepted)} objects refused as they must be, {len(failures)} failures")
    print(", ".join(f"{rule} {count}" for rule, count in counts.items()), "too few:" if few else "", *few)
    return 1 if failures or few else 0


alive = []  # roots: two objects must not have the same id

if __name__ == "__main__":
    sys.exit(main())
