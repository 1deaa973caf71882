"""Which kind of model a command trains, and from which settings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.cli.options import settings

if TYPE_CHECKING:
    from course_utils.support.settings import Settings

MODEL, RECIPE, FINE_TUNING = "cifar_micro", "cpu-minutes", "fine-tune"
RECIPE_OF_OTHERS = "half-hour"  # "cpu-minutes" starts with large patches and whitens them: made for a plain ViT
SIDE = 32  # pixels, of the images that a model without an image size learns from


def add_kind(command: argparse.ArgumentParser) -> None:
    """Add the option that names the kind."""
    command.add_argument(
        "--kind", default="vit", help=f"of model: vit, cnn, ... (the recipe of others than vit: {RECIPE_OF_OTHERS})"
    )


def name_of(options: argparse.Namespace) -> str:
    """Return what a run is called after: the weights that it starts from, the preset, or the kind."""
    if options.start is not None:
        file = Path(options.start)
        return file.parent.name if file.stem == "weights" and file.parent.name else file.stem
    return options.model or (MODEL if options.kind == "vit" else options.kind)


def recipe_name(options: argparse.Namespace) -> str:
    """Return the name of the recipe that is asked for, or that suits the start or the kind."""
    if options.recipe is not None:
        return options.recipe
    if options.start is not None:
        return FINE_TUNING
    return RECIPE if options.kind == "vit" else RECIPE_OF_OTHERS


def config_of(options: argparse.Namespace) -> Settings:
    """Return the settings of the model that ``--kind``, ``--model`` and ``--model-set`` ask for.

    A kind that is made from the Vision Transformer may start from one of its presets; the others have their defaults.

    Raises:
        TypeError: A setting is of the wrong type.
        ValueError: There is no such kind or preset, the kind has no presets, or a setting is impossible.
    """
    from course_utils.model.config import ViTConfig
    from course_utils.support.settings import look_up
    from course_utils.zoo.kinds import KINDS

    kind = look_up("model kind", options.kind, KINDS)
    start: dict[str, Any] = {}
    if issubclass(kind.config, ViTConfig):
        start = ViTConfig.preset(options.model or MODEL).to_dict()
    elif options.model is not None:
        raise ValueError(f"--model names a preset of a Vision Transformer; a {options.kind} is set with --model-set.")
    return kind.config.from_dict(start | settings(options.model_set))


def at_size(config: Settings, side: int | None) -> Settings:
    """Return the settings for images of another size, if one is asked for; a CNN takes any, so its settings stay."""
    return config.replace(image_size=side) if side is not None and hasattr(config, "image_size") else config


def size_of(config: Any, side: int | None) -> tuple[int, int]:
    """Return height and width of the images that a model of these settings learns from, in pixels.

    Args:
        config: The settings of the model.
        side: What was asked for, which counts if the settings say nothing.
    """
    own = side or SIDE
    return getattr(config, "image_height", own), getattr(config, "image_width", own)
