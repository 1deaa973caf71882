"""The state of an unfinished training run in one file, so that it can go on as if nothing had happened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.support.files import load_tensors, save_tensors

NAME = "checkpoint.safetensors"
PREVIOUS = "checkpoint.previous.safetensors"


def save_checkpoint(
    run_dir: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None,
    progress: dict[str, Any],
) -> None:
    """Write weights, optimiser state, average of the weights and progress. The checkpoint before stays as a reserve.

    There is no state of a random generator in it: every step seeds its own (see ``training.seed_step``).

    Raises:
        OSError: The file cannot be written. The checkpoint before is untouched.
    """
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value for key, value in state.items()}
    if average is not None:
        tensors |= {f"average/{name}": tensor for name, tensor in average.state_dict().items()}
    path = run_dir / NAME
    fresh = run_dir / f"{NAME}.new"
    save_tensors(fresh, tensors, progress)
    if path.exists():
        os.replace(path, run_dir / PREVIOUS)
    os.replace(fresh, path)


def find_checkpoint(run_dir: Path) -> Path | None:
    """Return the newest checkpoint of a run, or None."""
    return next((run_dir / name for name in (NAME, PREVIOUS) if (run_dir / name).exists()), None)


def load_checkpoint(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Read a checkpoint.

    Returns:
        The tensors by owner ("model", "optimizer", "average") and name, and the progress.

    Raises:
        DamagedFileError: The file is damaged; the sentence names it.
    """
    tensors, progress = load_tensors(path)
    owners: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "average": {}}
    for name, tensor in tensors.items():
        owner, key = name.split("/", 1)
        owners[owner][key] = tensor
    return owners, progress


def restore(
    owners: dict[str, dict[str, Tensor]],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: nn.Module | None,
) -> None:
    """Put the tensors of a checkpoint back where they came from."""
    model.load_state_dict(owners["model"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in owners["optimizer"].items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    if average is not None:
        average.load_state_dict(owners["average"])
