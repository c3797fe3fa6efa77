# SPDX-License-Identifier: Apache-2.0
"""Writes a PyTorch checkpoint that is hard on memory: a transposed tensor of a quarter of its size, 10^5 names on one
storage, and large storages with equal content that are not tied.

    make_checkpoint.py OUT MEBIBYTES
"""

import sys

import torch


def main(out, mebibytes):
    torch.manual_seed(0)
    quarter = mebibytes * (1 << 20) // 4
    rows = 4096
    columns = quarter // 4 // rows
    shared = torch.randn(100_000 * 16)
    equal = torch.randn(quarter // 4)
    tensors = {f"names.{i:06d}": shared[16 * i : 16 * i + 16] for i in range(100_000)}
    tensors["transposed"] = torch.randn(columns, rows).t()
    tensors["equal.first"] = equal
    tensors["equal.second"] = equal.clone()
    tensors["rest"] = torch.randn(quarter // 4 - shared.numel()).to(torch.float32)
    torch.save(tensors, out)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
