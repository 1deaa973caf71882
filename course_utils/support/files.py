"""Files that are either whole or absent: atomic writing, and tensor files that notice damage and never run code."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

ASSETS = Path(__file__).parent.parent / "assets"  # what ships with the package


class DamagedFileError(OSError):
    """A file is not what was once written: cut off, changed, or of another kind."""


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> None:
    """Write a file so that ``path`` holds the old content or the whole new one, even if the power fails in between.

    Args:
        path: Where the file shall stand. Missing folders are made.
        write: Called with a temporary path in the same folder; it writes the content there.

    Raises:
        OSError: The file cannot be written (disk full, no permission). What stood at ``path`` is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(
            f"Cannot write {path}: {error}. Check that the disk has room and that you may write in this folder; "
            "nothing that was there before is lost."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # the error above says more than a failed clean-up would
            temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON that a person can read, atomically."""
    write_atomically(path, lambda file: file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8"))


def save_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Save named tensors and a JSON record in one safetensors file, atomically, with a checksum.

    Args:
        path: Where to write.
        tensors: Name -> tensor, on any device.
        metadata: Anything that JSON can hold.

    Raises:
        OSError: The file cannot be written.
    """
    # A copy of each, because safetensors refuses tensors that share memory.
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    record = json.dumps(metadata)
    content = save(copies, {"json": record, "sha256": _checksum(copies, record)})
    # Written by Python, and not by safetensors, whose files only their owner may read.
    write_atomically(path, lambda file: file.write_bytes(content))


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Load what :func:`save_tensors` wrote. Nothing in the file is ever run as code.

    Returns:
        The tensors, on the CPU, and the record.

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFileError: The file is cut off, was changed, or is not one of ours. The sentence names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise DamagedFileError(
            f"{path} is damaged or is no safetensors file ({error}): delete it and make or fetch it again."
        ) from error
    if not {"json", "sha256"} <= set(header):
        raise DamagedFileError(f"{path} is a safetensors file, but not one that this course wrote.")
    if header["sha256"] != _checksum(tensors, header["json"]):
        raise DamagedFileError(f"{path} is damaged: its checksum does not fit. Delete it and make or fetch it again.")
    return tensors, json.loads(header["json"])


def _checksum(tensors: dict[str, Tensor], record: str) -> str:
    """SHA-256 over the record and over names, types, shapes and bytes of the tensors."""
    digest = hashlib.sha256(record.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
