"""The image sets that the options of a command ask for."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from course_utils.data import ImageSet, load_cifar10


def training_sets(
    options: argparse.Namespace, image_size: int | tuple[int, int], channels: int | None
) -> tuple[ImageSet, ImageSet, ImageSet]:
    """Return the images for training, validation and test.

    Args:
        options: With ``data``, ``root`` and ``sample``.
        image_size: For pictures from a folder, which are cropped and resized.
        channels: Likewise; None follows the pictures.

    Raises:
        ValueError: The options contradict each other, or the folder does not hold what is needed.
        OSError: The images cannot be read.
    """
    if options.data is None:
        train, validation, test = (
            load_cifar10(split, options.root, options.sample) for split in ("train", "validation", "test")
        )
    else:
        _refuse_cifar10(options)
        from course_utils.data.folder import read_folder  # late: it needs an image library

        pictures = read_folder(options.data, image_size, channels)
        train, validation, test = (ImageSet.from_pictures(pictures, split) for split in ("train", "validation", "test"))
    return train, validation, test


def test_images(options: argparse.Namespace, record: dict[str, Any]) -> ImageSet:
    """Return images to test weights with: those that these weights have not seen.

    Of the folder that the weights were trained on that is its test part, of any other folder all pictures. It is the
    same folder if its training part is the same, or if it has the same name: pictures may have been added.

    Args:
        options: With ``data``, ``root`` and ``sample``.
        record: Of the training.

    Raises:
        ValueError: The options contradict each other, or the folder does not hold what is needed.
        OSError: The images cannot be read.
    """
    if options.data is None:
        return load_cifar10("test", options.root, options.sample)
    _refuse_cifar10(options)
    from course_utils.data.folder import read_folder  # late: it needs an image library

    learned_from = record["data"]
    channels, *image_size = learned_from["shape"]
    pictures = read_folder(options.data, tuple(image_size), channels)
    train = ImageSet.from_pictures(pictures, "train").describe()
    same = train["sha256"] == learned_from["sha256"]
    changed = not same and learned_from["source"] == "folder" and learned_from.get("name") == pictures.name
    if changed:
        print(
            f"{pictures.name!r} has changed since the training, which can move a few pictures between parts: some of "
            "its test part may have been trained on.",
            file=sys.stderr,
        )
    return ImageSet.from_pictures(pictures, "test" if same or changed else "all")


def _refuse_cifar10(options: argparse.Namespace) -> None:
    if options.root is not None or options.sample != "auto":
        raise ValueError("--data takes a folder of your own, --root and --sample are for CIFAR-10: give one of them.")
