"""``data``: fetch CIFAR-10 and say what there is."""

from __future__ import annotations

import argparse

from course_utils.cli.options import Commands, add_command, with_cifar10


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(commands, data, "data", "data --root ~/data --normalisation", "data --sample always")
    with_cifar10(command)
    command.add_argument("--normalisation", action="store_true", help="compute mean and std, and check those in use")


def data(options: argparse.Namespace) -> int:
    """Fetch CIFAR-10, say what there is, and check the normalisation constants against it."""
    from course_utils.data import CIFAR10_NORMALISATION, Normalisation, load_cifar10

    for split in ("train", "validation", "test"):
        image_set = load_cifar10(split, options.root, options.sample)
        print(image_set.description)
    if options.normalisation:
        every = load_cifar10("trainval", options.root, options.sample)
        computed, known = Normalisation.of(every.images), CIFAR10_NORMALISATION
        tolerance = 0.01 if every.source == "sample" else 5e-5
        for name in ("mean", "std"):
            found, in_use = getattr(computed, name), getattr(known, name)
            print(f"{name:4} computed {tuple(round(x, 4) for x in found)}, in use {in_use}")
            if max(abs(a - b) for a, b in zip(found, in_use, strict=True)) > tolerance:
                raise ValueError(f"The {name} in use does not fit these images.")
    return 0
