"""The container that every data set of the course comes in: images, labels, and where they are from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from course_utils.data.normalisation import Normalisation

_SOURCES = {
    "official": "official CIFAR-10",
    "sample": "shipped sample of CIFAR-10 (accuracies are not comparable with the whole data set)",
    "synthetic": "synthetic images",
}


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """Labelled images, held in memory as two tensors.

    It works as a map-style data set for ``torch.utils.data.DataLoader``. For speed, index ``images`` and
    ``labels`` with a whole batch of indices instead.

    Attributes:
        images: uint8, ``(N, C, H, W)``, values 0 to 255.
        labels: int64, ``(N,)``, values 0 to ``len(classes) - 1``.
        classes: The name of each class, in the order of the labels.
        split: Which part of the data set this is, for example ``"train"``.
        source: One word: ``"official"``, ``"sample"`` or ``"synthetic"``.
        normalisation: How its pixels become floats. All parts of a data set share that of the training part.

    Raises:
        ValueError: The tensors do not have these shapes, types or values, or the normalisation other channels.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    split: str
    source: str
    normalisation: Normalisation

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.dim() != 4:
            found = f"{self.images.dtype} of shape {tuple(self.images.shape)}"
            raise ValueError(f"images must be a uint8 tensor of shape (N, C, H, W), not {found}.")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            found = f"{self.labels.dtype} of shape {tuple(self.labels.shape)}"
            raise ValueError(f"labels must be an int64 tensor of shape ({len(self.images)},), not {found}.")
        if len(self) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ValueError(f"labels must lie between 0 and {len(self.classes) - 1}, the last class.")
        channels = len(self.normalisation.mean)
        if channels != self.images.shape[1]:
            raise ValueError(f"normalisation is for {channels} channels, but the images have {self.images.shape[1]}.")

    @property
    def description(self) -> str:
        """One line for humans: which source, which split, how many images."""
        channels, height, width = self.images.shape[1:]
        return (
            f"{_SOURCES.get(self.source, self.source)}, {self.split} split: {len(self):,} images of "
            f"{channels}x{height}x{width} in {len(self.classes)} classes"
        )

    def __repr__(self) -> str:
        return f"<ImageSet: {self.description}>"

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return one image ``(C, H, W)`` and its label."""
        if isinstance(index, slice):
            raise TypeError("An ImageSet takes one whole number as index; for several images use subset(indices).")
        return self.images[index], int(self.labels[index])

    def subset(self, indices: Sequence[int] | Tensor) -> ImageSet:
        """Return a new set with only these images, in this order.

        Args:
            indices: Whole numbers, or a boolean mask of length ``N``.

        Raises:
            IndexError: An index lies outside the set.
        """
        chosen = torch.as_tensor(indices)
        if chosen.numel() == 0:  # an empty list becomes a float tensor, which cannot be an index
            chosen = chosen.long()
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])

    def describe(self) -> dict[str, Any]:
        """Return a record for JSON that says exactly which images these are.

        Returns:
            ``source``, ``split``, ``images`` (how many), ``shape`` (of one image), ``classes`` (names) and
            ``sha256`` over the pixel bytes, then the label bytes.
        """
        digest = hashlib.sha256(self.images.cpu().contiguous().numpy().data)
        digest.update(self.labels.cpu().contiguous().numpy().data)
        return {
            "source": self.source,
            "split": self.split,
            "images": len(self),
            "shape": list(self.images.shape[1:]),
            "classes": list(self.classes),
            "sha256": digest.hexdigest(),
        }
