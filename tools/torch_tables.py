#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes libsafemodel/pickle/allow_list/torch_classes.inc from the installed PyTorch: optimizers and schedulers.

The output is frozen data that is committed and reviewed; nothing is computed from an installed library when a file is
judged. Run it again when a new release adds classes:

    python tools/torch_tables.py > libsafemodel/pickle/allow_list/torch_classes.inc
"""

import collections
import inspect
import textwrap

import torch
from torch import optim
from torch.optim import lr_scheduler, swa_utils

# Attributes of instances that are functions, chosen when they were made.
INSTANCE_FUNCTIONS = {"anneal_func", "scale_fn", "_anneal_func", "_scale_fn_ref"}
# Functions that schedulers keep in such attributes.
KEPT = {
    "CyclicLR": ["_triangular_scale_fn", "_triangular2_scale_fn", "_exp_range_scale_fn"],
    "OneCycleLR": ["_annealing_cos", "_annealing_linear"],
    "SWALR": ["_cosine_anneal", "_linear_anneal"],
}


# hooks is a schema of torch.inc.
OPTIMIZER = r"""# Optimizers ask their groups and defaults for items when they are loaded.
schema optimizer: {defaults?: dict(str: node), param_groups?: list(dict(str: node)), state?: mapping(node: mapping(node: data | inert)), \
    _optimizer_step_pre_hooks?: @hooks, _optimizer_step_post_hooks?: @hooks, _optimizer_state_dict_pre_hooks?: @hooks, \
    _optimizer_state_dict_post_hooks?: @hooks, _optimizer_load_state_dict_pre_hooks?: @hooks, \
    _optimizer_load_state_dict_post_hooks?: @hooks, **: node}"""


def print_wrapped(first, names):
    lines = textwrap.wrap(f"{first} {' '.join(sorted(names))}", 116, subsequent_indent="    ", break_long_words=False)
    print(" \\\n".join(lines))


def optimizers():
    return [c for _, c in inspect.getmembers(optim, inspect.isclass) if issubclass(c, optim.Optimizer)]


def schedulers():
    found = [
        c for _, c in inspect.getmembers(lr_scheduler, inspect.isclass)
        if issubclass(c, lr_scheduler.LRScheduler) or c.__name__ == "ReduceLROnPlateau"
    ]  # fmt: skip
    return [*(c for c in found if c.__name__ not in ("LRScheduler", "_LRScheduler")), swa_utils.SWALR]


def methods(classes):
    """Names that a loader, or a user of what was loaded, finds in the class: functions and properties."""
    names = set()
    for cls in classes:
        for name, member in inspect.getmembers(cls):
            dunder = name.startswith("__") and name.endswith("__")
            if not dunder and (callable(member) or isinstance(member, property)):
                names.add(name)
    return names - INSTANCE_FUNCTIONS


def print_classes(classes, group, state):
    modules = collections.defaultdict(list)
    for cls in classes:
        modules[cls.__module__].append(cls.__name__)
    for module, names in sorted(modules.items()):
        # Some are said to live in torch.optim, a module each.
        for part in [[name] for name in sorted(names)] if module == "torch.optim" else [names]:
            print_wrapped(f"class {module}:", part)
            if module == "torch.optim":
                print(f"  alias torch.optim._{part[0].lower()}")
            print(f"  new ()\n  state {state}\n  reserved @{group}")


def main():
    print('R"table(')
    print(f"# Generated from PyTorch {torch.__version__.split('+')[0]} by tools/torch_tables.py.\n")
    print_wrapped("reserve optimizer:", methods(optimizers()))
    print(OPTIMIZER)
    print_classes([c for c in optimizers() if c is not optim.Optimizer], "optimizer", "@optimizer")
    print()
    print_wrapped("reserve scheduler:", methods(schedulers()))
    print_classes(schedulers(), "scheduler", "{*: node}")
    print("\n# Functions that schedulers keep.")
    for cls in schedulers():
        if cls.__name__ in KEPT:
            print_wrapped(f"function {cls.__module__}:", [f"{cls.__name__}.{name}" for name in KEPT[cls.__name__]])
    print(')table"')


if __name__ == "__main__":
    main()
