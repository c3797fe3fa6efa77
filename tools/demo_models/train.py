# SPDX-License-Identifier: Apache-2.0
"""Trains the demo's models and saves them the way people do: as pickles. Also writes a hostile one, by hand."""

import pickle
import pickletools
import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier


def train_forest(folder: Path) -> None:
    x, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(n_estimators=20, random_state=0).fit(x, y)
    (folder / "forest.pkl").write_bytes(pickle.dumps(forest))
    joblib.dump(forest, folder / "forest.joblib", compress=("xz", 3))
    print(f"forest.pkl     RandomForestClassifier, {len(forest.estimators_)} trees, accuracy {forest.score(x, y):.3f}")
    print("forest.joblib  the same, by joblib with xz")
    # What the demo compares with after the round trip: the node values of the first tree.
    np.save(folder / "expected_tree0_values.npy", forest.estimators_[0].tree_.value)


def train_net(folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    x, y = (torch.tensor(part) for part in load_iris(return_X_y=True))
    net = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x.float()), y.long())
        loss.backward()
        optimizer.step()
    torch.save(net.state_dict(), folder / "net.pt")
    print(f"net.pt         torch state dict, {len(net.state_dict())} tensors, loss {loss.item():.3f}")


def write_hostile(folder: Path) -> None:
    """A pickle that would run a command when loaded. It is assembled by hand and never loaded."""
    marker = folder / "I-WAS-RUN"
    program = b"cposix\nsystem\n(Vtouch " + str(marker).encode() + b"\ntR."
    pickletools.dis(program, out=open("/dev/null", "w"))  # it is a well-formed pickle
    (folder / "hostile.pkl").write_bytes(program)
    print("hostile.pkl    would run a shell command in whoever loads it")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    train_forest(target)
    if "--torch" in sys.argv:
        train_net(target)
    write_hostile(target)
