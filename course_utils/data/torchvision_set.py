"""The images of any torchvision data set."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from course_utils.data.picture import fit_picture, grey_if_without_colour


def read_torchvision(
    dataset: Any,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    classes: Sequence[str] | None = None,
    show_progress: bool = True,
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Read a whole data set of torchvision's, or any other with a length and items ``(image, label)``.

    Args:
        dataset: Its images are PIL images or uint8 tensors ``(C, H, W)``, its labels whole numbers.
        image_size: (H, W) to crop and resize to, or one number for a square; None: as they are.
        channels: 3 for colour, 1 for grey; None: 1 if no image has any colour, else 3.
        classes: The names of the classes; None: ``dataset.classes``, or else ``"0"``, ``"1"``, ...
        show_progress: Whether a bar is shown.

    Returns:
        Images, uint8 ``(N, C, H, W)``; labels, int64 ``(N,)``; the names of the classes.

    Raises:
        ValueError: It is empty; an item is something else; the images differ in size and image_size is None.
    """
    name = type(dataset).__name__
    if len(dataset) == 0:
        raise ValueError(f"{name} holds no images.")
    read_as = 3 if channels is None else channels
    images: list[Tensor] = []
    labels: list[int] = []
    for index in tqdm(range(len(dataset)), f"reading {name}", unit="img", mininterval=0.5, disable=not show_progress):
        picture, label = _item(dataset, index, name)
        size = (picture.height, picture.width) if image_size is None else image_size
        image = fit_picture(picture, size, read_as, f"Image {index} of {name}")  # (C, H, W)
        if images and image.shape != images[0].shape:
            first, other = ("x".join(map(str, each.shape[1:])) for each in (images[0], image))
            raise ValueError(f"{name} has images of {first} and of {other} pixels: give one image_size for all.")
        images.append(image)
        labels.append(label)
    stacked = torch.stack(images)  # (N, C, H, W)
    if channels is None:
        stacked = grey_if_without_colour(stacked)
    names = getattr(dataset, "classes", range(max(labels) + 1)) if classes is None else classes
    return stacked, torch.tensor(labels), tuple(map(_class_name, names))


def _item(dataset: Any, index: int, name: str) -> tuple[Image.Image, int]:
    """Return one image and its label."""
    item = dataset[index]
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise ValueError(f"Item {index} of {name} is no pair of image and label.")
    image, label = item
    try:
        return _as_picture(image, name), operator.index(label)
    except TypeError as error:
        raise ValueError(
            f"The label of image {index} of {name} is no whole number but of the type {type(label).__name__}."
        ) from error


def _as_picture(image: Any, name: str) -> Image.Image:
    if isinstance(image, Image.Image):
        return image
    if not isinstance(image, Tensor):
        raise ValueError(f"{name} gives images as {type(image).__name__}: it must give PIL images or uint8 tensors.")
    if image.dtype != torch.uint8:
        raise ValueError(
            f"{name} gives tensors of {image.dtype}: make it without transform=..., for an image set keeps pixels "
            "as they are, 0 to 255, and normalises them itself."
        )
    if image.dim() != 3 or image.shape[0] not in (1, 3):
        raise ValueError(f"{name} gives tensors of the shape {tuple(image.shape)}: it must be (1 or 3, H, W).")
    pixels = image.permute(1, 2, 0).squeeze(2)  # (C, H, W) -> (H, W, 3) or (H, W)
    return Image.fromarray(pixels.contiguous().numpy())


def _class_name(name: Any) -> str:
    return ", ".join(map(str, name)) if isinstance(name, tuple | list) else str(name)  # ImageNet's have synonyms
