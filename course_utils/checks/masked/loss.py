"""Lesson 13 (masked): check of the exercise on the loss."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.beyond import masked as package
from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.masked.places import orders_without_symmetry


def _errors(predicted: Tensor, targets: Tensor) -> Tensor:
    return (predicted - targets).square()


def _loss_examples() -> list[tuple[Tensor, Tensor, Tensor]]:
    """Two images of three patches, to look at; then batches, large numbers, doubles."""
    draw = torch.Generator().manual_seed(0)
    predicted = torch.tensor([[[1.0, 2.0], [0.0, 5.0], [3.0, 3.0]], [[4.0, 1.0], [2.0, 2.0], [0.0, 1.0]]])
    targets = torch.tensor([[[1.0, 2.5], [2.0, 1.0], [0.0, 3.0]], [[4.0, 0.0], [1.0, 2.0], [7.0, 1.0]]])
    hidden = torch.tensor([[False, True, True], [True, True, False]])
    examples = [(predicted, targets, hidden)]
    for batch, patches, pixels, visible, size in ((3, 9, 4, 2, 1.0), (1, 6, 3, 4, 1.0), (4, 10, 5, 7, 1000.0)):
        shape = batch, patches, pixels
        hidden = package.hidden_patches(orders_without_symmetry(batch, patches, draw), visible)
        pair = (size * torch.randn(shape, generator=draw) for _ in range(2))
        examples.append((*pair, hidden))  # type: ignore[arg-type]
    one, two, hidden = examples[1]
    return [*examples, (one.double(), two.double(), hidden)]


def _of_images(p: Tensor, t: Tensor, h: Tensor) -> Tensor:
    """One loss for each image."""
    return (_errors(p, t).mean(-1) * h).sum(-1) / h.sum(-1)


masked_loss = Exercise(
    "masked_loss",
    package.masked_loss,
    _loss_examples,
    (
        Mistake(
            "the loss on all patches",
            "Your mean goes over all patches, seen ones too. What was seen is easy to say again; only hidden patches "
            "count.",
            lambda p, t, h: _errors(p, t).mean(),
        ),
        Mistake(
            "the loss on seen patches",
            "Your mean goes over the patches that were seen. `hidden` is True where a patch was hidden: these count.",
            lambda p, t, h: package.masked_loss(p, t, ~h),
        ),
        Mistake(
            "divided by all patches",
            "You leave the errors on seen patches out of the sum, but still divide by the number of all patches. "
            "Divide by the number of hidden ones.",
            lambda p, t, h: (_errors(p, t) * h[..., None]).mean(),
        ),
        Mistake(
            "summed over the pixels",
            "You add up the errors inside a patch. Take their mean: a patch has C*P*P numbers.",
            lambda p, t, h: (_errors(p, t).sum(-1) * h).sum() / h.sum(),
        ),
        Mistake(
            "a sum in place of the mean",
            "You add up the errors of all hidden patches. Take their mean, or the loss grows with the batch.",
            lambda p, t, h: (_errors(p, t) * h[..., None]).sum(),
            lambda p, t, h: (_errors(p, t).mean(-1) * h).sum(),
            lambda p, t, h: (_errors(p, t).mean(-1) * h).sum() / len(h),
            lambda p, t, h: (_errors(p, t) * h[..., None]).sum() / len(h),
        ),
        Mistake(
            "not squared",
            "You take the distance, or the plain difference. The mean square is asked: large errors count more.",
            lambda p, t, h: (p - t)[h].abs().mean(),
            lambda p, t, h: (p - t)[h].mean(),
            lambda p, t, h: (t - p)[h].mean(),
        ),
        Mistake(
            "a root too many",
            "You take the root of the mean square. Leave it out.",
            lambda p, t, h: package.masked_loss(p, t, h).sqrt(),
        ),
        Mistake(
            "one loss for each image",
            "You return one number for each image. One number for the whole batch is asked.",
            _of_images,
        ),
        Mistake(
            "one loss for each patch",
            "You return the errors of the single patches or pixels. One number for the whole batch is asked.",
            lambda p, t, h: _errors(p, t).mean(-1),
            lambda p, t, h: _errors(p, t).mean(-1) * h,
            lambda p, t, h: _errors(p, t).mean(-1)[h],
            lambda p, t, h: _errors(p, t)[h],
            lambda p, t, h: _errors(p, t) * h[..., None],
        ),
        Mistake(
            "a sum over the images",
            "Each image has the right loss, but you add the images up. Take the mean over the batch.",
            lambda p, t, h: _of_images(p, t, h).sum(),
        ),
        Mistake(
            "the target forgotten",
            "Your error does not depend on the targets, or not on what was predicted. Subtract one from the other.",
            lambda p, t, h: p[h].square().mean(),
            lambda p, t, h: t[h].square().mean(),
        ),
        Mistake(
            "the mean before the square",
            "You take the mean of a patch first and square it then. So errors with different signs cancel each other. "
            "Square first.",
            lambda p, t, h: (p - t).mean(-1)[h].square().mean(),
        ),
    ),
    "Only hidden patches count, and each of them alike.",
    forbidden=(package.masked_loss,),
)
