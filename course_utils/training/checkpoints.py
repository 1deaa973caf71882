"""The state of an unfinished training run in one file, so that it can go on as if nothing had happened."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from torch import Tensor

from course_utils.support.files import load_tensors, save_tensors

NAME = "checkpoint.safetensors"
PREVIOUS = "checkpoint.previous.safetensors"


def save_checkpoint(run_dir: Path, owners: dict[str, dict[str, Tensor]], progress: dict[str, Any]) -> None:
    """Write what a training has changed, and its progress. The checkpoint before stays as a reserve.

    Args:
        run_dir: Folder of the run.
        owners: Tensors by owner and name, see ``Learner.state``.
        progress: Anything that JSON can hold.

    Raises:
        OSError: The file cannot be written. The checkpoint before is untouched.
    """
    tensors = {f"{owner}/{name}": tensor for owner, state in owners.items() for name, tensor in state.items()}
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
        The tensors by owner and name, and the progress. An owner without tensors is there, and empty.

    Raises:
        DamagedFileError: The file is damaged; the sentence names it.
    """
    tensors, progress = load_tensors(path)
    owners: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        owner, key = name.split("/", 1)
        owners[owner][key] = tensor
    return owners, progress
