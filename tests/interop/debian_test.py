#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An older generation of the libraries: those that Debian 12 packages for its own Python (scikit-learn 1.2, PyTorch 1.13).
Every estimator that fits, state dicts and modules must scan clean. Exit code 77 when the packages are absent."""

import json
import os
import subprocess
import sys
import tempfile

CLI = os.environ["SAFEMODEL_CLI"]
PYTHON = "/usr/bin/python3"
PACKAGES = ("sklearn", "joblib", "numpy", "pandas", "torch")

WRITER = r"""
import pickle, sys, warnings
warnings.simplefilter("ignore")
import joblib, numpy as np, pandas as pd, torch
from sklearn.datasets import make_classification
from sklearn.utils import all_estimators

folder = sys.argv[1] + "/"
X, y = make_classification(60, 8, n_informative=4, n_classes=3, random_state=0)

def fitted(make):
    for inputs, targets in ((X, y), (abs(X), y), (X[:, 0], y), (X[:20], X[:20, :2])):
        try:
            return make().fit(inputs, targets)
        except Exception:
            pass

def save(value, name):
    for protocol in (2, 4):
        with open(f"{folder}{name}.{protocol}.pkl", "wb") as out:
            pickle.dump(value, out, protocol)
    joblib.dump(value, f"{folder}{name}.joblib")
    joblib.dump(value, f"{folder}{name}.joblib.gz", compress=("gzip", 3))

for name, make in all_estimators():
    estimator = fitted(make)
    if estimator is not None:
        save(estimator, name)
frame = pd.DataFrame({"a": [1, 2, 3], "b": list("xyz"), "c": pd.Categorical(list("aba")), "d": pd.date_range("2020", periods=3)})
save(frame, "frame")
save(frame.a, "series")

module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Conv1d(1, 2, 3), torch.nn.LSTM(3, 4))
values = {"state": module.state_dict(), "module": module, "optimizer": torch.optim.Adam(module.parameters()).state_dict(),
          "sparse": torch.eye(3).to_sparse(), "csr": torch.eye(3).to_sparse_csr(), "view": torch.arange(10.0)[::2],
          "quantised": torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8), "parameter": torch.nn.Parameter(torch.ones(2))}
for name, value in values.items():
    for zip in (True, False):
        torch.save(value, f"{folder}torch_{name}_{zip}.pt", _use_new_zipfile_serialization=zip)
"""
LEAST_FILES = 650
CONVERTED = ("torch_state_True.pt", "torch_state_False.pt", "RandomForestClassifier.joblib", "GradientBoostingRegressor.2.pkl", "PoissonRegressor.4.pkl", "frame.4.pkl")


def run(*arguments):
    return subprocess.run([CLI, *arguments], capture_output=True, text=True)


def main():
    probe = subprocess.run([PYTHON, "-c", "import " + ", ".join(PACKAGES)], capture_output=True, text=True) if os.path.exists(PYTHON) else None
    if probe is None or probe.returncode != 0:
        print("SKIP: the packages python3-sklearn, python3-joblib, python3-pandas and python3-torch of Debian 12 are not installed")
        sys.exit(77)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PYTHON, "-c", WRITER, folder], check=True, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": ""})
        reports = json.loads(run("scan", "--json", folder).stdout)["inputs"]
        for report in reports:
            if report["verdict"] != "clean" or report["bytes_explained"] != report["size"]:
                failures += 1
                said = [(finding["rule"], finding.get("global", "")) for finding in report["findings"] if finding["verdict"] != "note"]
                print(f"FAIL {os.path.basename(report['path'])}: {report['verdict']} {said[:3]}")
        for name in CONVERTED:
            path = os.path.join(folder, name)
            done = run("convert", path, "-o", path + ".smd")
            if done.returncode != 0:
                failures += 1
                print(f"FAIL {name}: {done.stderr}")
    if len(reports) < LEAST_FILES:
        failures += 1
        print(f"FAIL: {len(reports)} files of at least {LEAST_FILES}")
    print(f"{len(reports)} files, {failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
