"""Where a training starts: random weights, or a model that is trained already (``--start``)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from course_utils.cli.kinds import recipe_name
from course_utils.cli.options import settings

if TYPE_CHECKING:
    from torch import nn

    from course_utils.data import ImageSet
    from course_utils.model.vit import VisionTransformer
    from course_utils.support.settings import Settings
    from course_utils.training.recipes import Recipe

CHANGEABLE = ("patch_size", "dropout", "attention_dropout", "drop_path")  # settings that leave trained weights whole


def add_start(command: argparse.ArgumentParser) -> None:
    """Add the options that choose where to start."""
    command.add_argument("--start", metavar="WEIGHTS", help="fine-tune these weights: a file, or a shipped name")
    command.add_argument("--freeze", type=int, metavar="N", help="with --start: the first N blocks stay as they are")


def recipe_of(options: argparse.Namespace) -> Recipe:
    """Return the recipe that the options ask for.

    Raises:
        ValueError: It does not fit where the training starts.
    """
    from course_utils.training.recipes import BUDGETS, Recipe

    given = {name: getattr(options, name) for name in BUDGETS if getattr(options, name) is not None}
    if options.freeze is not None:
        given["freeze"] = options.freeze
    name = recipe_name(options)
    recipe = Recipe.preset(name, **settings(options.set), **given)
    if options.start is None and recipe.freeze:
        raise ValueError(
            "--freeze keeps what a model has learned, so it needs --start WEIGHTS: random weights must learn."
        )
    if options.start is not None and recipe.whitening:
        raise ValueError(
            f"{name} makes the first layer anew (whitening {recipe.whitening:g}), and --start's would be lost: "
            "leave --recipe out, or add --set whitening=0."
        )
    return recipe


def trained_start(options: argparse.Namespace) -> VisionTransformer | None:
    """Load the model that the training starts from, for the image and patch size that are wanted; None: none.

    Raises:
        ValueError: It is no Vision Transformer, or an option contradicts it.
        OSError: The file cannot be read.
    """
    from course_utils.zoo.weights import load_vit

    if options.start is None:
        return None
    if options.model is not None or options.kind != "vit":
        raise ValueError("--start brings its own model: leave --model and --kind out.")
    asked = settings(options.model_set)
    fixed = [name for name in asked if name not in CHANGEABLE]
    if fixed:
        raise ValueError(
            f"--start brings its own {fixed[0]}, which its weights were made for: with it, --model-set takes "
            f"{', '.join(CHANGEABLE)} (and --image-size resizes)."
        )
    from course_utils.model.resize import resized

    start = load_vit(options.start)
    if options.image_size is not None:
        asked["image_size"] = options.image_size
    elif options.data is None:
        asked["image_size"] = 32  # CIFAR-10's
    return resized(start, start.config.replace(**asked))


def model_for(
    train_set: ImageSet, config: Settings, start: VisionTransformer | None, options: argparse.Namespace
) -> tuple[nn.Module, dict[str, Any] | None]:
    """Make the model to be trained.

    Args:
        train_set: Says which classes there are.
        config: For random weights of the kind that is asked for.
        start: A trained model, or None.
        options: With ``start``.

    Returns:
        The model, and what the record says of its start. A start of the same classes keeps its head; for any others it
        gets a new one, of zeros.
    """
    from course_utils.zoo.kinds import KINDS
    from course_utils.zoo.start import replace_head
    from course_utils.zoo.weights import weights_checksum

    if start is None:
        return KINDS[options.kind].make(config), None
    known = getattr(start, "classes", None)
    same = known == train_set.classes
    model = start if same else replace_head(start, len(train_set.classes), train_set.classes)
    said = {"weights": str(options.start), "sha256": weights_checksum(options.start), "head": "kept" if same else "new"}
    return model, said


def describe_start(model: nn.Module, start: dict[str, Any], recipe: Recipe) -> str:
    """Say in two lines what a training starts from, and what of it learns."""
    from course_utils.data import normalisation_of
    from course_utils.training.layers import frozen_names

    still = frozen_names(model, recipe.freeze)
    counts = {name: parameter.numel() for name, parameter in model.named_parameters()}
    learning = sum(count for name, count in counts.items() if name not in still)
    head = "the classes are the same, so its head stays" if start["head"] == "kept" else "its head is new, all zeros"
    lines = [f"Start: {start['weights']}; {head}. {learning:,} of {sum(counts.values()):,} numbers learn."]
    if getattr(model, "normalisation", None) is not None:
        mean = ", ".join(f"{value:.3f}" for value in normalisation_of(model).mean)
        lines.append(f"Pixels are normalised as that model knows them (mean {mean}).")
    return "\n".join(lines)
