# SPDX-License-Identifier: Apache-2.0
"""Writes fuzz/corpus/structures: small estimators, matrices and tables as the real libraries pickle them, as they are and with one field changed.

    build/venv/bin/python fuzz/structure_seeds.py

`where` is 0xFFFFFFFF and `width` 0 where nothing is changed: a test demands that those convert and that their structures are found."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.interpolate
import scipy.sparse
from sklearn import cluster, ensemble, neighbors, preprocessing, svm, tree
from sklearn.feature_extraction.text import TfidfVectorizer

FOLDER = Path(__file__).resolve().parent / "corpus/structures"
rng = np.random.RandomState(5)
X = rng.rand(20, 3)
Y = np.arange(20) % 2
SPARSE = scipy.sparse.csr_matrix(np.where(X > 0.6, X, 0))


def structures():
    mixed = np.c_[X[:, :2], np.arange(20) % 3]
    yield "tree", tree.DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y)
    yield "forest", ensemble.RandomForestRegressor(2, max_depth=2, random_state=0).fit(X, Y)
    yield "isolation", ensemble.IsolationForest(n_estimators=2, max_samples=8, max_features=2, random_state=0).fit(X)
    yield "boosting", ensemble.GradientBoostingClassifier(n_estimators=2, max_depth=2, random_state=0).fit(X, Y)
    yield "histograms", ensemble.HistGradientBoostingRegressor(max_iter=2, max_leaf_nodes=4, min_samples_leaf=2, categorical_features=[2]).fit(mixed, X[:, 0])
    yield "kd-tree", neighbors.KDTree(X, leaf_size=4)
    yield "ball-tree", neighbors.BallTree(X, leaf_size=6, metric="manhattan")
    yield "csr", SPARSE
    yield "csc", SPARSE.tocsc()
    yield "bsr", scipy.sparse.bsr_matrix(np.kron(np.eye(3), np.ones((2, 2))), blocksize=(2, 2))
    yield "coo", scipy.sparse.coo_array(SPARSE)
    yield "svc", svm.SVC().fit(X, Y)
    yield "sparse-svr", svm.SVR().fit(SPARSE, X[:, 0])
    yield "random-state", np.random.RandomState(1)
    yield "vocabulary", TfidfVectorizer().fit(["a model is data", "data is no program"])
    yield "spline", scipy.interpolate.BSpline(np.arange(8.0), np.arange(4.0), 3)
    yield "one-hot", preprocessing.OneHotEncoder(drop="first", min_frequency=4).fit(np.c_[Y, np.arange(20) % 5])
    yield "bins", preprocessing.KBinsDiscretizer(3, encode="onehot").fit(X)
    yield "k-means", cluster.KMeans(2, n_init=1, random_state=0).fit(X)
    yield "bisecting", cluster.BisectingKMeans(3, random_state=0).fit(X)
    yield "table", pd.DataFrame({"a": np.arange(3), "b": np.arange(3.0), "c": np.arange(3)})


def arrays(obj, found, depth=0):
    """All arrays below an object, in any order. Reducing an object makes new ones each time, so the depth is bounded."""
    if id(obj) in found or depth > 10 or isinstance(obj, type):
        return
    found[id(obj)] = obj
    if isinstance(obj, dict):
        children = list(obj.values())
    elif isinstance(obj, (list, tuple)) or (isinstance(obj, np.ndarray) and obj.dtype == object):
        children = list(obj)
    elif isinstance(obj, np.ndarray):
        return
    else:
        try:
            reduced = obj.__reduce_ex__(2)
        except TypeError:
            return
        children = list(reduced[1:3]) if isinstance(reduced, tuple) else []
    for child in children:
        arrays(child, found, depth + 1)


def fields(array):
    """(offset, width) of numbers of an array: of the first element, of the last and of one in the middle."""
    kinds = [(array.dtype.fields[name][1], array.dtype.fields[name][0].itemsize) for name in array.dtype.names] if array.dtype.names else [(0, array.dtype.itemsize)]
    for element in sorted({0, array.size // 2, array.size - 1}):
        for offset, width in kinds:
            yield element * array.dtype.itemsize + offset, width


def write(name, where, width, value, data):
    (FOLDER / name).write_bytes(struct.pack("<IBQ", where, width, value) + data)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, obj in structures():
        data = pickle.dumps(obj, protocol=4)
        write(name, 0xFFFFFFFF, 0, 0, data)
        found = {}
        arrays(obj, found)
        places = set()
        for array in found.values():
            if not isinstance(array, np.ndarray) or array.dtype == object or array.size == 0 or array.dtype.hasobject:
                continue
            begin = data.find(array.tobytes("A"))
            if begin >= 0:
                places |= {(begin + offset, min(width, 8)) for offset, width in fields(array)}
        places = sorted(places)
        for number, (where, width) in enumerate(places[:: max(1, len(places) // 3)][:3]):
            write(f"{name}-{number}", where, width, (0, 0x7FFFFFFF, 0xFFFFFFFFFFFFFFFF)[number % 3], data)


if __name__ == "__main__":
    main()
