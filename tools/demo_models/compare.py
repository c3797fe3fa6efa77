# SPDX-License-Identifier: Apache-2.0
"""Compares what came out of the containers with what went in, with the real libraries."""

import sys
from pathlib import Path

import numpy as np


def compare_forest(folder: Path) -> None:
    expected = np.load(folder / "expected_tree0_values.npy")
    with np.load(folder / "forest.npz") as arrays:
        name = next(key for key in arrays.files if "estimators_/~i0/" in key and key.endswith("/values"))
        assert arrays[name].tobytes() == expected.tobytes(), f"{name} differs"
        print(f"forest.npz          {len(arrays.files)} arrays; {name} is equal to the trained tree's, bit for bit")


def compare_net(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    original = torch.load(folder / "net.pt", weights_only=True)  # our own file, made a moment ago
    loaded = load_file(folder / "net.safetensors")
    assert original.keys() == loaded.keys()
    for name, tensor in original.items():
        assert torch.equal(tensor, loaded[name]), f"{name} differs"
    print(f"net.safetensors     {len(loaded)} tensors, each equal to the original, bit for bit")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    compare_forest(target)
    if "--torch" in sys.argv:
        compare_net(target)
