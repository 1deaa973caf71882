"""``examine``: why does a model not learn? The tests of lesson 08 (clinic), on a model from a file."""

from __future__ import annotations

import argparse
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from course_utils.cli.options import Commands, add_command, with_device, with_images

IMAGES = 512


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(
        commands,
        examine,
        "examine my_model.py:make_model",
        "examine my_model.py:make_model --step make_step",
        "examine my_model.py:make_model --data pictures/cats --size 64",
    )
    with_images(command)
    with_device(command)
    command.add_argument("model", metavar="FILE.py:FUNCTION", help="the function takes nothing and returns a model")
    command.add_argument(
        "--step", metavar="FUNCTION", help="of the same file: takes the model, returns step(model, images, labels)"
    )
    command.add_argument("--size", type=int, help="resize the images to so many pixels (default: as they are; 32)")
    command.add_argument(
        "--raw", action="store_true", help="give pixels from 0 to 1, not normalised, as the model's own code wants them"
    )


def examine(options: argparse.Namespace) -> int:
    """Say why a model does not learn. This runs FILE.py, so use it on files that you trust.

    Exit code 1 if something was found.
    """
    import torch
    import torch.nn.functional as F

    from course_utils.analysis.clinic import examine as examined
    from course_utils.cli.images import training_sets
    from course_utils.support.devices import pick_device

    make, names = function_in(options.model)
    torch.manual_seed(0)
    model = make()
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"{options.model} returned {type(model).__name__}, and not a model (nn.Module).")
    model.to(pick_device(options.device))
    step = None
    if options.step is not None:
        if not callable(names.get(options.step)):
            raise ValueError(f"There is no function {options.step} in that file.")
        step = names[options.step](model)
    image_set = training_sets(options, options.size or 32, None)[0]
    chosen = torch.randperm(len(image_set), generator=torch.Generator().manual_seed(0))[:IMAGES]
    images = image_set.images[chosen]
    images = images.float() / 255 if options.raw else image_set.normalisation(images)
    if options.size and images.shape[-1] != options.size:
        images = F.interpolate(images, size=(options.size, options.size), mode="bilinear", antialias=True)
    print(image_set.description)
    found = examined(model, images, image_set.labels[chosen], step)
    print(found)
    return int(bool(found.findings))


def function_in(place: str) -> tuple[Callable[[], Any], dict[str, Any]]:
    """Run a file, and return a function of it, and all that the file defines.

    Args:
        place: "FILE.py:FUNCTION".

    Raises:
        ValueError: It has another form, or the file defines no such function.
        FileNotFoundError: There is no such file.
    """
    file, colon, name = place.rpartition(":")
    if not colon or not name.isidentifier():
        raise ValueError(f"Name the file and a function in it, as FILE.py:make_model, not {place!r}.")
    if not Path(file).is_file():
        raise FileNotFoundError(f"There is no file {file}.")
    names = runpy.run_path(file, run_name="examined")  # not __main__: a training at its end must not start
    if not callable(names.get(name)):
        raise ValueError(f"{file} defines no function {name}.")
    return names[name], names
