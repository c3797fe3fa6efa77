# SPDX-License-Identifier: Apache-2.0
"""Benign files, saved by the libraries themselves."""

import datetime
import decimal
import io
import pickle

import joblib
import numpy
import pandas
import safetensors.torch
import scipy.sparse
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ARRAY = numpy.arange(64, dtype=numpy.float64) + 0.25


def saved(save):
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def fitted(model):
    random = numpy.random.default_rng(0)
    return model.fit(random.normal(size=(60, 4)), numpy.arange(60) % 3)


def joblib_array():
    """A joblib file with an array in it, into which a hostile row puts its payload."""
    return saved(lambda out: joblib.dump({"weights": ARRAY}, out)), ARRAY.tobytes()


def files():
    torch.manual_seed(0)
    state = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8)).state_dict()
    many = {f"layer{i}.weight": torch.randn(4) for i in range(2000)}
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    forest, pipeline = fitted(RandomForestClassifier(20, random_state=0)), fitted(make_pipeline(StandardScaler(), LogisticRegression()))
    return [
        ("vocabulary.pkl", "a dict of 10 000 strings", pickle.dumps({f"token{i}": f"piece{i}" for i in range(10_000)})),
        ("standard.pkl", "datetime, Decimal, set, complex", pickle.dumps([datetime.datetime(2026, 1, 1), decimal.Decimal("1.5"), {1, 2}, 1j])),
        ("arrays.pkl", "arrays of NumPy", pickle.dumps({"x": ARRAY, "y": ARRAY.astype("f4").reshape(8, 8)})),
        ("sparse.pkl", "a sparse matrix of SciPy", pickle.dumps(scipy.sparse.random(20, 20, 0.1, "csr", random_state=0))),
        ("frame.pkl", "a DataFrame of pandas", pickle.dumps(frame)),
        ("forest.pkl", "a random forest of scikit-learn", pickle.dumps(forest)),
        ("pipeline.joblib", "a pipeline of scikit-learn", saved(lambda out: joblib.dump(pipeline, out))),
        ("forest-zlib.joblib", "a random forest, compressed by joblib", saved(lambda out: joblib.dump(forest, out, compress=("zlib", 3)))),
        ("state.pt", "a state dict of PyTorch", saved(lambda out: torch.save(state, out))),
        ("state-legacy.pt", "a state dict in the format before PyTorch 1.6", saved(lambda out: torch.save(state, out, _use_new_zipfile_serialization=False))),
        ("many.pt", "2 000 small tensors", saved(lambda out: torch.save(many, out))),
        ("weights.npy", "an array of numbers", saved(lambda out: numpy.save(out, ARRAY))),
        ("weights.npz", "two arrays, compressed", saved(lambda out: numpy.savez_compressed(out, x=ARRAY, y=ARRAY))),
        ("state.safetensors", "the same state dict as safetensors", safetensors.torch.save(state)),
    ]
