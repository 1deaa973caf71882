"""The official files of CIFAR-10, in either layout, each checked against its published MD5 before it is read.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009, and
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.support.files import DamagedFileError

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def _decode_binary(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Read records of 1 label byte and 3072 pixel bytes (channel first, row-major)."""
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    return records[:, 1:], records[:, 0]


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that can build NumPy arrays and plain containers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return np.empty(0).__reduce__()[0]  # the same function under the name that this NumPy gives it
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it wants to load {module}.{name}, which no data file needs")


def _decode_pickle(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Read a dictionary with ``data`` (N, 3072) and ``labels`` (N)."""
    # The files were written by Python 2, whose strings are bytes: latin1 maps each byte to one character.
    batch = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
    return batch["data"], np.asarray(batch["labels"])


@dataclass(frozen=True)
class Layout:
    """One of the two forms in which CIFAR-10 is published.

    Attributes:
        folder: The name of the folder in the published archive.
        train: File name -> published MD5 of the five training batches, in order.
        test: The same for the test batch.
        decode: Turns a file's bytes into pixels ``(N, 3072)`` and labels ``(N,)``.
    """

    folder: str
    train: dict[str, str]
    test: dict[str, str]
    decode: Callable[[bytes], tuple[np.ndarray, np.ndarray]]


PYTHON = Layout(
    folder="cifar-10-batches-py",
    train={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    test={"test_batch": "40351d587109b95175f43aff81a1287e"},
    decode=_decode_pickle,
)
BINARY = Layout(
    folder="cifar-10-batches-bin",
    train={
        "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
        "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
        "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
        "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
        "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    },
    test={"test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d"},
    decode=_decode_binary,
)
LAYOUTS = (PYTHON, BINARY)


def find_official(place: Path) -> tuple[Layout, Path] | None:
    """Find the official files in a folder.

    Args:
        place: The folder that holds ``cifar-10-batches-py`` or ``cifar-10-batches-bin``, or one of these itself.

    Returns:
        The layout and its folder; of several, the one with the most files. None if there is no official file.
    """

    def present(found: tuple[Layout, Path]) -> int:
        layout, folder = found
        return sum((folder / name).is_file() for name in layout.train | layout.test)

    candidates = [(layout, folder) for layout in LAYOUTS for folder in (place / layout.folder, place)]
    best = max(candidates, key=present)
    return best if present(best) else None


def read_official(place: str | Path, part: str) -> tuple[Tensor, Tensor]:
    """Read one part of CIFAR-10 in the official order.

    Args:
        place: As in :func:`find_official`.
        part: ``"train"`` (50,000 images) or ``"test"`` (10,000).

    Returns:
        Images, uint8 ``(N, 3, 32, 32)``, and labels, int64 ``(N,)``.

    Raises:
        FileNotFoundError: A file is missing.
        DamagedFileError: A file is not the published one. The sentence names it.
    """
    found = find_official(Path(place))
    if found is None:
        raise FileNotFoundError(f"There is neither {PYTHON.folder} nor {BINARY.folder} in {place}.")
    layout, folder = found
    digests = layout.test if part == "test" else layout.train
    batches = [layout.decode(_read_verified(folder / name, md5)) for name, md5 in digests.items()]
    images = np.concatenate([pixels for pixels, _ in batches]).reshape(-1, 3, 32, 32)  # (N, 3072) -> (N, 3, 32, 32)
    labels = np.concatenate([labels for _, labels in batches]).astype(np.int64)
    return torch.from_numpy(images), torch.from_numpy(labels)


def _read_verified(path: Path, md5: str) -> bytes:
    """Read a file whole; what is returned is exactly what was checked."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: put it back, or delete the other CIFAR-10 files in {path.parent} and run again, "
            "then the data set is fetched anew."
        )
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DamagedFileError(
            f"{path} is damaged: its {len(content):,} bytes have the MD5 {found}, the published file has {md5}. "
            f"Replace it, or delete the CIFAR-10 files in {path.parent} and run again, "
            "then the data set is fetched anew."
        )
    return content
