"""Lesson 09 (finetuning): begin with a trained model: other classes, other image size, the same body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.data.normalisation import remember
from course_utils.model.convert import WeightsError
from course_utils.zoo.kinds import KINDS


@torch.no_grad()
def replace_head(model: nn.Module, num_classes: int, classes: Sequence[str] | None = None) -> Any:
    """Return a copy of a trained model with a new head, all zeros, for other classes.

    With zeros, every class gets the same probability at first, so the loss begins at ln K and the first gradients that
    reach the body are small. Normalisation travels with the weights: the body was trained with it.

    Args:
        model: With a ``config`` and a linear ``head``. It is not changed.
        num_classes: Classes K of the copy.
        classes: Their names; None: not known.

    Raises:
        ValueError: There is not even one class, not as many names, or the model has no head.
    """
    if num_classes < 1 or (classes is not None and len(classes) != num_classes):
        raise ValueError(f"A head needs one class or more, and as many names, not {num_classes} and {classes}.")
    config: Any = model.config
    copy = type(model)(config.replace(num_classes=num_classes)).to(next(model.parameters()))
    if not isinstance(getattr(copy, "head", None), nn.Linear):
        raise ValueError(f"A {type(model).__name__} has no linear head to replace.")
    body = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("head.")}
    copy.load_state_dict(body, strict=False)  # only head.* is missing: both have the same config but for the classes
    for parameter in copy.get_submodule("head").parameters():
        parameter.zero_()
    remember(copy, getattr(model, "normalisation", None), classes)
    return copy.train(model.training)


@torch.no_grad()
def take_over(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Put the weights of a trained body into a model whose head is another one, and set that head to zeros.

    Weights that the model has no place for (a decoder, another head) are left out.

    Args:
        model: With a linear ``head``; it is changed.
        state: Weights by name.
        source: Where they are from, for the message.

    Raises:
        WeightsError: The body lacks a weight, or one has another shape.
    """
    own = model.state_dict()
    body = {name: tensor for name, tensor in own.items() if not name.startswith("head.")}
    faults = [
        f"{name} is {tuple(state[name].shape) if name in state else 'missing'}, but must be {tuple(tensor.shape)}"
        for name, tensor in body.items()
        if name not in state or state[name].shape != tensor.shape
    ]
    if faults:
        raise WeightsError("\n  ".join([f"The weights from {source} do not fit this model:", *faults]))
    zeros = {name: torch.zeros_like(tensor) for name, tensor in own.items() if name.startswith("head.")}
    model.load_state_dict({name: state[name] for name in body} | zeros)


def backbone_state(state: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """Return the weights of what a kind of model is kept for: all, or those of the encoder inside, by its own names."""
    start = KINDS[kind].backbone
    return {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}
