"""Slips of every exercise that are seen in the result: it is the right one, always changed in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.mistakes import Mistake
from course_utils.checks.values import is_number, plain

NOTHING_RETURNED = Mistake(
    "nothing is returned",
    "Your function returned None: is the `return` missing?",
)
SIZES_WRITTEN_IN = Mistake(
    "right for some sizes only",
    "Are there numbers in your code (three channels, two heads, a batch of one, a square image) that should come from "
    "the arguments?",
)
RANDOM = Mistake(
    "random numbers of its own",
    "Your result is another one every time: it depends on random numbers (`torch.rand`, drop-out, or a new layer such "
    "as nn.Linear, whose weights are random). All numbers that are needed come in the arguments.",
)
MORE_THAN_ASKED = Mistake(
    "more than one result",
    "The first of your results is right, but there is more behind it. Return this one alone.",
)
CHANGED_TOO = Mistake(
    "changes its input",
    "Your code also changes its input: look for a line that writes into an argument.",
)
ANOTHER_KIND = "another kind of result"
OTHER_KEYS = "other keys"

SLIPS = (
    Mistake(
        "an axis of length 1 is lost",
        "For a batch of one, an axis is missing in your result. `squeeze()` takes away every axis of length 1, also "
        "that of the batch; and an index such as `[0]` takes its axis away. Which line does it?",
        torch.squeeze,
        lambda right: right.squeeze(0),
        lambda right: right.squeeze(-1),
        lambda right: right.squeeze(1),
    ),
    Mistake(
        "an axis of length 1 too many",
        "The numbers are right, but your result has one axis more than asked, of length 1. Take it away, or do not "
        "make it.",
        lambda right: torch.as_tensor(right)[None],
        lambda right: torch.as_tensor(right)[..., None],
        lambda right: right.unsqueeze(1),
    ),
    Mistake(
        "only the first of the batch",
        "You return the result of the first image only, or of the first row. Keep the first axis as it is.",
        lambda right: right[0],
        lambda right: right[:1],
        lambda right: right[:1].expand_as(right),
        lambda right: torch.cat([right[:1], torch.zeros_like(right[1:])]),
    ),
    Mistake(
        "rounded",
        "Your numbers are rounded. Leave rounding to the one who prints them: return them as they are.",
        *(lambda right, digits=digits: _mapped(right, lambda x: x.round(decimals=digits)) for digits in range(5)),
        lambda right: _mapped(right, torch.trunc),
    ),
    Mistake(
        "the wrong sign",
        "All your numbers have the wrong sign.",
        lambda right: _mapped(right, torch.neg),
    ),
    Mistake(
        "too large or too small by a factor",
        "All your numbers are too large, or too small, by the same factor. What do you multiply or divide by?",
        *(
            lambda right, factor=factor: _mapped(right, lambda x: x * factor)
            for one in (2.0, 3.0, 4.0, 10.0, 100.0, 1000.0)
            for factor in (one, 1 / one)
        ),
    ),
    Mistake(
        "one too many or one too few",
        "Your result is off by one, always.",
        lambda right: _mapped(right, lambda x: x + 1),
        lambda right: _mapped(right, lambda x: x - 1),
    ),
    Mistake(
        "squared, or a root too many",
        "All your numbers are the squares of the right ones, or their roots. Is a root missing, or one too many?",
        lambda right: _mapped(right, torch.square),
        lambda right: _mapped(right, torch.sqrt),
    ),
    Mistake(
        "the sign is cut off",
        "Where the right number is negative, yours is not. The sign matters: look for `abs`, `relu` or `clamp`.",
        lambda right: _mapped(right, torch.abs),
        lambda right: _mapped(right, lambda x: x.clamp(min=0)),
        lambda right: _mapped(right, lambda x: x.clamp(min=0, max=1)),
    ),
    Mistake(
        "a softmax too many",
        "Your result went through a softmax at the end. It is not asked for here.",
        lambda right: right.softmax(-1),
        lambda right: right.flatten().softmax(0).reshape(right.shape),
    ),
    Mistake(
        "flattened",
        "The numbers are right, but they stand in one long row. Keep the axes that are asked for.",
        torch.flatten,
        lambda right: right.flatten(1),
        lambda right: right.flatten(0, 1),
    ),
    Mistake(
        "two axes exchanged",
        "The numbers are right, but the last two axes of your result are exchanged.",
        lambda right: right.mT,
    ),
    Mistake(
        "in reverse order",
        "The numbers are right, but along one axis they stand in reverse order.",
        *(lambda right, dim=dim: right.flip(dim) for dim in (-1, -2, -3, 0)),
    ),
    Mistake(
        "a list in place of a tensor",
        "The numbers are right, but they come as a list, and a tensor is asked. `torch.stack` makes one tensor of "
        "several; build with tensors from the start.",
        lambda right: right.tolist(),
        lambda right: list(right.unbind(0)),
        lambda right: list(right.unbind(1)),
        lambda right: [float(each) for each in right],
    ),
    Mistake(
        "an array in place of a tensor",
        "The numbers are right, but they come as a NumPy array, and a tensor is asked. Stay in PyTorch from beginning "
        "to end, or make a tensor of the array.",
        lambda right: right.numpy(),
    ),
    Mistake(
        "wrapped in a tuple or a list",
        "Your result is right, but it stands in a tuple or a list. Return it alone: is there a comma behind it, or are "
        "there brackets around it?",
        lambda right: (right,),
        lambda right: [right],
    ),
    Mistake(
        "a text in place of the value",
        "Your result is a text. Return the value itself; to write it nicely is the task of whoever prints it.",
        str,
        repr,
    ),
)


def slipped(change: Callable[..., Any], right: Any) -> Any:
    """Return what a slip makes of a right result, or a value that is the same as nothing."""
    try:
        return change(right)
    except Exception:  # the change makes no sense for such a result
        return object()


def _mapped(right: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Change every number of a tensor, or a number."""
    if is_number(plain(right)):
        return change(torch.tensor(plain(right), dtype=torch.float64)).item()
    if isinstance(right, (list, tuple)):
        return [_mapped(each, change) for each in right]
    return change(right.double())
