"""What an exercise's result needs besides the right numbers, if the function is to stand in a model."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_utils.checks.core import Mistake, same_value


@dataclass(frozen=True)
class Flawed:
    """Stands for right numbers that a model could not use, or that were not the learner's own work."""

    words: str

    def __repr__(self) -> str:
        return self.words


NO_GRADIENT = Flawed("the right numbers, but a gradient is lost on the way")
OTHER_TYPE = Flawed("the right numbers, in another type")
READY_MADE = Flawed("the right numbers, made by PyTorch's own layer")


class _Calls(TorchFunctionMode):
    """Note the names of the PyTorch functions that are called inside a ``with``."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def as_in_a_model(
    answer: Callable[..., Tensor], forbidden: Sequence[str] = (), tolerance: float = 1e-4
) -> Callable[..., Any]:
    """Make the ``run`` of an exercise whose function stands in a model.

    A result with other numbers than the right ones is returned as it is. If the numbers are right, their type must be
    right too, a gradient must reach everything that it reaches in the answer, and no forbidden function may be called.

    Args:
        answer: The right function.
        forbidden: Names of PyTorch functions that the learner should do without.
        tolerance: How far right numbers may lie from the answer's.
    """

    def run(attempt: Callable[..., Any], *arguments: Any) -> Any:
        given = copy.deepcopy(arguments)
        result, right = attempt(*arguments), answer(*copy.deepcopy(given))
        if not isinstance(result, Tensor) or result.is_complex() or result.shape != right.shape:
            return result
        if not same_value(arguments, given, 0.0):  # the check itself says that the input was changed
            return result
        if not torch.allclose(result.detach().double(), right.detach().double(), tolerance, tolerance):
            return result
        if result.dtype != right.dtype:
            return OTHER_TYPE
        reached, calls = _reached(attempt, given)
        if calls.intersection(forbidden):
            return READY_MADE
        if any(should and not does for does, should in zip(reached, _reached(answer, given)[0], strict=True)):
            return NO_GRADIENT
        return result

    return run


def _reached(function: Callable[..., Any], given: tuple[Any, ...]) -> tuple[list[bool], set[str]]:
    """Say which floats among the arguments and which of their parameters get a gradient, and what was called."""
    arguments = copy.deepcopy(given)
    leaves = list(_leaves(arguments))
    for leaf in leaves:
        leaf.requires_grad_()
    calls = _Calls()
    found: tuple[Tensor | None, ...] = (None,) * len(leaves)
    try:
        # a leaf must not be changed in place: the function gets copies that belong to the leaves
        passed = [each * 1 if isinstance(each, Tensor) else each for each in arguments]
        with warnings.catch_warnings(), calls:
            warnings.simplefilter("ignore", UserWarning)  # of a number that is read from a tensor
            result = function(*passed)
        found = torch.autograd.grad(result.sum(), leaves, allow_unused=True)
    except RuntimeError:  # nothing asks for a gradient, or NumPy refuses a tensor that does
        pass
    return [each is not None for each in found], calls.names


def _leaves(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor) and value.is_floating_point():
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each)


def no_gradient(answer: Callable[..., Tensor], *imitations: Callable[..., Tensor]) -> Mistake:
    """Return the mistake of a right result that a gradient does not pass."""
    return Mistake(
        "no gradient",
        "The numbers are right, but the gradient is lost on the way back, so a model could not learn with it. Look for "
        "`detach`, `.data`, `no_grad`, or a detour through NumPy or Python numbers.",
        lambda *arguments: answer(*arguments).detach(),
        *imitations,
    )


def other_type(answer: Callable[..., Tensor]) -> Mistake:
    """Return the mistake of a right result in another type of number."""
    return Mistake(
        "another type of number",
        "The numbers are right, but their type has changed: a model that works in float32 needs float32 back. Where do "
        "you convert, or make a new tensor of another type?",
        lambda *arguments: answer(*arguments).double(),
    )


# ---- layer_norm
