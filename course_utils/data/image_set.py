"""The container that every data set of the course comes in: images, labels, and where they are from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course_utils.data.normalisation import Normalisation

if TYPE_CHECKING:
    from course_utils.data.folder import PictureFolder

_SOURCES = {
    "official": "official CIFAR-10",
    "sample": "shipped sample of CIFAR-10 (accuracies are not comparable with the whole data set)",
    "synthetic": "synthetic images",
    "folder": "folder",
    "torchvision": "torchvision's",
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
        source: One word: ``"official"``, ``"sample"``, ``"synthetic"``, ``"folder"`` or ``"torchvision"``.
        normalisation: How its pixels become floats. All parts of a data set share that of the training part.
        name: What it is called, if the source has more than one: the folder's name, for example, without its path.

    Raises:
        ValueError: The tensors do not have these shapes, types or values, or the normalisation other channels.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    split: str
    source: str
    normalisation: Normalisation
    name: str = ""

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

    @classmethod
    def from_folder(
        cls, path: str | Path, image_size: int | tuple[int, int], split: str = "all", channels: int | None = None
    ) -> ImageSet:
        """Read a folder that holds one subfolder of pictures a class.

        For several splits read it once: :func:`course_utils.data.folder.read_folder`, then :meth:`from_pictures`.

        Args:
            path: The folder.
            image_size: (H, W) in pixels that every picture is cropped and resized to, or one number for a square.
            split: ``"train"`` (80% of each class), ``"validation"`` (10%), ``"trainval"`` (both), ``"test"`` (10%) or
                ``"all"``. Which pictures these are follows from the content of their files.
            channels: 3 for colour, 1 for grey; None: 1 if no picture has any colour, else 3.

        Raises:
            OSError: The folder cannot be read, or is no folder.
            MemoryError: A picture needs more memory than there is.
            ValueError: The folder has no two classes with pictures; the split is empty; or there is no such split, size
                or number of channels.
        """
        from course_utils.data.folder import parts_of, read_folder  # late: it needs an image library

        parts_of(split)  # an error now and not after the reading
        return cls.from_pictures(read_folder(path, image_size, channels), split)

    @classmethod
    def from_pictures(cls, pictures: PictureFolder, split: str = "all") -> ImageSet:
        """Take one split of a folder that was read.

        Raises:
            ValueError: There is no such split, or it is empty.
        """
        chosen = pictures.chosen(split)  # (N,)
        return cls(
            pictures.images[chosen],
            pictures.labels[chosen],
            pictures.classes,
            split,
            "folder",
            pictures.normalisation,
            pictures.name,
        )

    @classmethod
    def from_torchvision(
        cls,
        dataset: Any,
        split: str = "train",
        image_size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        classes: Sequence[str] | None = None,
        normalisation: Normalisation | None = None,
    ) -> ImageSet:
        """Read a data set of torchvision's, made without a transform, or any other with items ``(image, label)``.

        Example:
            >>> train = ImageSet.from_torchvision(CIFAR100("data"))  # doctest: +SKIP
            >>> test = ImageSet.from_torchvision(  # doctest: +SKIP
            ...     CIFAR100("data", train=False), "test", normalisation=train.normalisation
            ... )

        Args:
            dataset: Its images are PIL images or uint8 tensors ``(C, H, W)``, its labels whole numbers.
            split: What this part is called.
            image_size: (H, W) to crop and resize to, or one number for a square; None: as they are.
            channels: 3 for colour, 1 for grey; None: 1 if no image has any colour, else 3.
            classes: The names of the classes; None: ``dataset.classes``, or else ``"0"``, ``"1"``, ...
            normalisation: That of the training part; None if this is the training part.

        Raises:
            ValueError: The data set is empty or its items are something else; its images differ in size and
                ``image_size`` is None; or this is no training part and ``normalisation`` is missing.
        """
        from course_utils.data.torchvision_set import read_torchvision  # late: it needs an image library

        if normalisation is None and split not in ("train", "trainval", "all"):
            raise ValueError(f"The {split} split takes the training part's normalisation=..., not one of its own.")
        images, labels, classes = read_torchvision(dataset, image_size, channels, classes)
        if normalisation is None:
            normalisation = Normalisation.of(images)
        return cls(images, labels, classes, split, "torchvision", normalisation, type(dataset).__name__)

    @property
    def description(self) -> str:
        """One line for humans: which source, which split, how many images."""
        channels, height, width = self.images.shape[1:]
        source = f"{_SOURCES.get(self.source, self.source)} {self.name}".strip()
        return (
            f"{source}, {self.split} split: {len(self):,} images of "
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

    def of_classes(self, names: Sequence[str]) -> ImageSet:
        """Return the images of some classes alone, in the old order; their labels count from 0 in the new order.

        Raises:
            ValueError: There are not two or more names, one stands twice, or there is no such class.
        """
        unknown = [name for name in names if name not in self.classes]
        if unknown or len(names) < 2 or len(set(names)) < len(names):
            fault = f"there is no class {unknown[0]!r}" if unknown else "two or more different names are needed"
            raise ValueError(f"{fault}: choose among {', '.join(self.classes)}.")
        new_label = torch.full((len(self.classes),), -1)
        new_label[[self.classes.index(name) for name in names]] = torch.arange(len(names))
        labels = new_label[self.labels]  # (N,): -1 for what is left out
        chosen = labels >= 0
        return replace(self, images=self.images[chosen], labels=labels[chosen], classes=tuple(names))

    def describe(self) -> dict[str, Any]:
        """Return a record for JSON that says exactly which images these are.

        Returns:
            ``source``, ``name`` if there is one, ``split``, ``images`` (how many), ``shape`` (of one image),
            ``classes`` (names) and ``sha256`` over the pixel bytes, then the label bytes.
        """
        digest = hashlib.sha256(self.images.cpu().contiguous().numpy().data)
        digest.update(self.labels.cpu().contiguous().numpy().data)
        return {
            "source": self.source,
            **({"name": self.name} if self.name else {}),
            "split": self.split,
            "images": len(self),
            "shape": list(self.images.shape[1:]),
            "classes": list(self.classes),
            "sha256": digest.hexdigest(),
        }
