#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fits every estimator of scikit-learn that its own tests can make, saves it with pickle and joblib, converts the files,
and compares them with the fitted estimators. None may be refused. Usage: SAFEMODEL_CLI=… python estimators_test.py"""

import os
import pickle
import sys
import tempfile
import warnings

try:
    import joblib
    import numpy as np
    from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
    from sklearn.utils import all_estimators
    from sklearn.utils._test_common.instance_generator import _construct_instances

    from compare import Mismatch, check
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

warnings.simplefilter("ignore")
rng = np.random.RandomState(0)
X = np.abs(rng.rand(40, 5))
TEXTS = ["some text here", "other words there", "more words"] * 13 + ["x y"]
INPUTS = [X, X[:, :1], X[:, 0], TEXTS, [{"a": 1, "b": 2}] * 40, np.round(X * 5), np.eye(40)]
CLASSES, HALVES, NUMBERS = np.arange(40) % 3, np.arange(40) % 2, rng.rand(40)
TARGETS = [CLASSES, HALVES, NUMBERS, None, np.c_[HALVES, 1 - HALVES], np.c_[NUMBERS, NUMBERS]]
WANTED = 190  # estimators that must get as far as a comparison


def fit(estimator):
    """fit tries inputs of all sorts: some estimators take texts, some one column, some no target."""
    for target in TARGETS:
        for inputs in INPUTS:
            try:
                return estimator.fit(inputs) if target is None else estimator.fit(inputs, target)
            except Exception:  # each estimator has reasons of its own; those that fit nothing are counted below
                continue
    return None


def instances(cls):
    try:
        yield from _construct_instances(cls)
    except BaseException:  # SkipTest: needs another estimator that its tests do not make
        return


def fitted_estimators():
    """Yields the name of each estimator with what was fitted of it, once for each of its instances."""
    for name, cls in all_estimators():
        for estimator in instances(cls):
            fitted = fit(estimator)
            if fitted is not None:
                yield name, fitted


def main():
    compared, files, failures = set(), 0, []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.bin")
        for name, fitted in fitted_estimators():
            for saver in ("pickle", "joblib"):
                files += 1
                if saver == "joblib":
                    joblib.dump(fitted, path)
                else:
                    with open(path, "wb") as file:
                        pickle.dump(fitted, file, protocol=4)
                try:
                    check(path, fitted, 4, identity=saver == "pickle")
                    compared.add(name)
                except Mismatch as mismatch:
                    failures.append(f"{name}, {saver}: {mismatch}")
                    print("FAIL", failures[-1], flush=True)
    print(f"{files} files of {len(compared)} estimators compared, {len(failures)} failures")
    return 1 if failures or len(compared) < WANTED else 0


if __name__ == "__main__":
    sys.exit(main())
