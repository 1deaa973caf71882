"""Lesson 09 (finetuning): the layers of a model from the images to the head; some may be frozen, others move slowly."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn

from course_utils.training.recipes import Recipe


def layer_numbers(model: nn.Module) -> dict[str, int]:
    """Number the parameters of a Vision Transformer by how far they are from the images.

    Returns:
        Name of the parameter -> its layer: 0 for the embeddings (patches, class token, position codes), 1 to L for the
        blocks, L + 1 for the head. What stands between the last block and the head (the last norm, a pooling that is
        learned) belongs to the last block. So a parameter of layer n reads what the layers below n have made.

    Raises:
        ValueError: The model has no transformer blocks.
    """
    names = [name for name, _ in model.named_parameters()]
    depth = len({name.split(".")[2] for name in names if name.startswith("encoder.blocks.")})
    if not depth:
        raise ValueError(
            f"A {type(model).__name__} has no transformer blocks to number: freeze, backbone_rate and layer_decay are "
            "for a VisionTransformer."
        )

    def number(name: str) -> int:
        if name.startswith("embeddings."):
            return 0
        if name.startswith("encoder.blocks."):
            return 1 + int(name.split(".")[2])
        return depth + 1 if name.startswith("head.") else depth

    return {name: number(name) for name in names}


def rate_shares(model: nn.Module, recipe: Recipe) -> dict[str, float]:
    """Say how large the learning rate of each parameter is, as a share of the recipe's.

    Returns:
        Name -> ``backbone_rate * layer_decay ** (L + 1 - layer)``; the head has 1.

    Raises:
        ValueError: As for :func:`layer_numbers`, if the recipe does not treat all layers alike.
    """
    if recipe.backbone_rate == recipe.layer_decay == 1:
        return {name: 1.0 for name, _ in model.named_parameters()}
    numbers = layer_numbers(model)
    head = max(numbers.values()) if any(name.startswith("head.") for name in numbers) else 1 + max(numbers.values())
    return {
        name: 1.0 if number == head else recipe.backbone_rate * recipe.layer_decay ** (head - number)
        for name, number in numbers.items()
    }


def frozen_names(model: nn.Module, blocks: int) -> set[str]:
    """Name the parameters that stay as they are if the embeddings and the first blocks are frozen.

    Args:
        model: A Vision Transformer.
        blocks: How many blocks; 0: nothing is frozen, the embeddings neither.

    Raises:
        ValueError: The model has fewer blocks, or none.
    """
    if not blocks:
        return set()
    numbers = layer_numbers(model)
    depth = len({number for name, number in numbers.items() if name.startswith("encoder.blocks.")})
    if blocks > depth:
        raise ValueError(
            f"freeze {blocks} is more than the {depth} blocks of the model: {depth} leaves the head alone."
        )
    frozen = {name for name, number in numbers.items() if number <= blocks}
    if frozen == set(numbers):
        raise ValueError("Nothing would be left to learn: this model has no head (num_classes is 0).")
    return frozen


@contextlib.contextmanager
def frozen(model: nn.Module, blocks: int) -> Iterator[None]:
    """Freeze the embeddings and the first blocks for a while: no gradients, so no memory for them, and no steps.

    Afterwards they are as free as before. A frozen model that stays frozen is a trap: the next training would
    learn nothing in these layers, and nothing would say so.

    Raises:
        ValueError: As for :func:`frozen_names`.
    """
    names = frozen_names(model, blocks)
    chosen = [parameter for name, parameter in model.named_parameters() if name in names and parameter.requires_grad]
    for parameter in chosen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in chosen:
            parameter.requires_grad_(True)
