#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Saves tables of pandas and models of LightGBM, converts the files, and compares what they hold with the live objects.
Usage: SAFEMODEL_CLI=… python pandas_test.py"""

import os
import pickle
import sys
import tempfile
import warnings

try:
    import lightgbm
    import numpy as np
    import pandas as pd
    from sklearn import compose, pipeline, preprocessing

    from compare import Mismatch, check
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

warnings.simplefilter("ignore")
DAYS = pd.date_range("2020-01-01", periods=3)
FRAME = pd.DataFrame({
    "int": [1, 2, 3], "more": [4, 5, 6], "float": [1.5, np.nan, 2], "text": ["x", "y", None], "bool": [True, False, True],
    "category": pd.Categorical(["u", "v", None]), "day": DAYS, "utc": DAYS.tz_localize("UTC"), "span": DAYS - DAYS[0],
    "masked": pd.array([1, None, 3], dtype="Int64"), "real": pd.array([1.5, None, 3.0]), "flag": pd.array([True, None, False]),
    "period": pd.period_range("2020-01", periods=3, freq="M"), "interval": pd.interval_range(0, 3),
    "sparse": pd.arrays.SparseArray([0, 0, 1]), "objects": np.array([1, "a", None], dtype=object),
})  # fmt: skip


def tables():
    yield "all sorts of columns", FRAME
    yield "no columns", pd.DataFrame(index=range(3))
    yield "no rows", FRAME[:0]
    yield "a transposed table", pd.DataFrame(np.arange(12.0).reshape(3, 4)).T
    yield "columns in another order", FRAME[["float", "int", "text", "more"]]
    yield "columns that fall", FRAME.iloc[:, ::-1]
    yield "every other column", FRAME.iloc[:, ::2]
    yield "numbers that fall", pd.DataFrame(np.arange(12.0).reshape(3, 4)).iloc[:, ::-1]
    yield "several levels", FRAME.set_index(["int", "text"])
    yield "levels of columns", FRAME[["int", "float"]].pivot_table(index="int", columns="float", aggfunc="size")
    for name in ("category", "day", "utc", "span", "period", "interval", "text"):
        yield f"labels: {name}", FRAME.set_index(name)[["int"]]
    for name in FRAME:
        yield f"column: {name}", FRAME[name]
    yield "attributes", FRAME.assign().__finalize__(FRAME)
    yield "values", [pd.Timestamp(1), pd.Timedelta(1), pd.NaT, DAYS, FRAME.dtypes]
    columns = compose.ColumnTransformer([("scale", preprocessing.StandardScaler(), ["int", "more"])]).fit(FRAME)
    yield "a pipeline that knows columns", pipeline.make_pipeline(columns)
    for model in (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor):
        yield model.__name__, model(n_estimators=2, verbose=-1).fit(np.random.rand(60, 3), np.arange(60) % 2)


def main():
    failures, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "table.pkl")
        for name, value in tables():
            for protocol in (2, 4, 5):
                with open(path, "wb") as file:
                    pickle.dump(value, file, protocol=protocol)
                count += 1
                try:
                    check(path, value, protocol, identity=False)
                except Mismatch as mismatch:
                    failures.append(f"{name}, protocol {protocol}: {mismatch}")
                    print("FAIL", failures[-1])
    print(f"{count} files compared, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
