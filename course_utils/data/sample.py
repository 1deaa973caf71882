"""The sample of CIFAR-10 that ships with the course: 5,000 training and 1,000 test images, not a pixel changed.

The images lie in columns of 125, 32 pixels wide, stored as lossless WebP: of the layouts that were tried, the one
with the smallest files. A maintainer makes the sample anew with ``python -m course_utils.data.sample ROOT``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import Image, features
from torch import Tensor

from course_utils.data.official import CIFAR10_CLASSES, read_official
from course_utils.data.splits import VALIDATION_SHARE, shuffled_by_class
from course_utils.support.files import ASSETS, DamagedFileError, write_atomically, write_json

SAMPLE_FOLDER = ASSETS / "cifar10_sample"
RECORD = "sample.json"
IMAGES_PER_SHEET = 125
ENCODING = {"lossless": True, "quality": 100, "method": 6, "exact": True}  # the slowest and smallest
SEED = 0


def load_sample(part: str, folder: str | Path = SAMPLE_FOLDER) -> tuple[Tensor, Tensor, Tensor]:
    """Load one part of the shipped sample.

    Args:
        part: ``"train"`` (5,000 images) or ``"test"`` (1,000).
        folder: Where the sample lies.

    Returns:
        Images, uint8 ``(N, 3, 32, 32)``; labels, int64 ``(N,)``; and the number of each image in the official
        order of that part, int64 ``(N,)``, ascending.

    Raises:
        FileNotFoundError: A file is missing.
        DamagedFileError: A file is not the one that was shipped. The sentence names it.
    """
    folder = Path(folder)
    sheets = sample_record(folder)["parts"][part]["sheets"]
    pixels = np.concatenate([_decode(folder / sheet["file"], sheet["sha256"]) for sheet in sheets])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()  # (N, 32, 32, 3) -> (N, 3, 32, 32)
    labels = [int(label) for sheet in sheets for label in sheet["labels"]]
    indices = [int(index) for sheet in sheets for index in sheet["indices"].split()]
    return images, torch.tensor(labels), torch.tensor(indices)


def sample_record(folder: str | Path = SAMPLE_FOLDER) -> dict[str, Any]:
    """Read the sample's record: its origin, how it was made, and the checksums, labels and numbers of the images.

    Raises:
        FileNotFoundError: The record is missing.
    """
    return json.loads(_read(Path(folder, RECORD)))


def pixel_checksum(images: Tensor) -> str:
    """SHA-256 over the bytes of uint8 images, channel first and row-major as in the official files."""
    return hashlib.sha256(images.contiguous().numpy().data).hexdigest()


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(f"{path}, a part of the shipped sample, is missing: install the course again.")
    return path.read_bytes()


def _decode(path: Path, sha256: str) -> np.ndarray:
    """Check one sheet and turn it into images, uint8 ``(N, 32, 32, 3)``."""
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedFileError(f"{path}, a part of the shipped sample, is damaged: install the course again.")
    column = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return column.reshape(-1, 32, 32, 3)  # (N*32, 32, 3) -> (N, 32, 32, 3)


def write_sample(root: str | Path, destination: str | Path = SAMPLE_FOLDER, per_class: int = 500) -> None:
    """Make the sample from the whole data set. The result depends on nothing but the data set and the WebP encoder.

    Args:
        root: The folder with the official files.
        destination: Where the sheets and the record are written.
        per_class: Training images of each class; of the test images a fifth of it is taken.

    Raises:
        FileNotFoundError: The data set is not in ``root``.
        DamagedFileError: A file of the data set is not the published one.
        OSError: The destination cannot be written.
    """
    destination = Path(destination)
    parts = {}
    for part in ("train", "test"):
        images, labels = read_official(root, part)
        chosen = _choose(labels, part, per_class)
        parts[part] = {
            "images": len(chosen),
            "pixels_sha256": pixel_checksum(images[chosen]),
            "sheets": _write_sheets(destination, part, images, labels, chosen),
        }
    record = {
        "about": "A class-balanced sample of CIFAR-10, lossless. Images in the official order, one below the other.",
        "source": "https://www.cs.toronto.edu/~kriz/cifar.html",
        "citation": 'A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.',
        "made_by": "python -m course_utils.data.sample ROOT",
        "seed": SEED,
        "encoder": f"Pillow {PIL.__version__}, libwebp {features.version('webp')}, {ENCODING}",
        "pixels_sha256": "over all images of the part, uint8, channel first, row-major",
        "indices": "numbers of the images in the official order of the part, from 0",
        "labels": f"one digit an image: {', '.join(f'{i} {name}' for i, name in enumerate(CIFAR10_CLASSES))}",
        "parts": parts,
    }
    write_json(destination / RECORD, record)


def _choose(labels: Tensor, part: str, per_class: int) -> Tensor:
    """Choose images of each class at random; of the training images a tenth from those set aside for validation."""
    chosen = []
    for order in shuffled_by_class(labels, torch.arange(len(labels)), SEED):
        if part == "test":
            chosen.append(order[: per_class // 5])
        else:  # a class begins with its validation images, see split_positions
            of_validation, first_of_train = per_class // VALIDATION_SHARE, len(order) // VALIDATION_SHARE
            chosen.append(order[:of_validation])
            chosen.append(order[first_of_train : first_of_train + per_class - of_validation])
    return torch.cat(chosen).sort().values


def _write_sheets(destination: Path, part: str, images: Tensor, labels: Tensor, chosen: Tensor) -> list[dict[str, Any]]:
    def write(number: int, numbers: Tensor) -> dict[str, Any]:
        column = images[numbers].permute(0, 2, 3, 1).reshape(-1, 32, 3)  # (N, 3, 32, 32) -> (N*32, 32, 3)
        sheet = io.BytesIO()
        Image.fromarray(column.numpy()).save(sheet, "WEBP", **ENCODING)
        file = f"{part}_{number:02}.webp"
        write_atomically(destination / file, lambda path: path.write_bytes(sheet.getvalue()))
        return {
            "file": file,
            "sha256": hashlib.sha256(sheet.getvalue()).hexdigest(),
            "labels": "".join(map(str, labels[numbers].tolist())),
            "indices": " ".join(map(str, numbers.tolist())),
        }

    with ThreadPoolExecutor() as pool:  # the encoder runs outside Python's lock
        return list(pool.map(write, itertools.count(), chosen.split(IMAGES_PER_SHEET)))


def main(arguments: list[str] | None = None) -> None:
    """Make the sample from the command line."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.data.sample", description=main.__doc__)
    parser.add_argument("root", help="the folder that holds cifar-10-batches-py or cifar-10-batches-bin")
    parser.add_argument("destination", nargs="?", default=SAMPLE_FOLDER, help="default: where the course reads it")
    options = parser.parse_args(arguments)
    write_sample(options.root, options.destination)


if __name__ == "__main__":
    main()
