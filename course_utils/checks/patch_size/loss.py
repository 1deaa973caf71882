"""One step of a FlexiViT's training: a patch size is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.beyond.flexivit import FlexiClassification
from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.in_a_model import Flawed


class Recorder(nn.Module):
    """Stands for a FlexiViT: a small model that notes which patch sizes it is asked for."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.asked: list[Any] = []
        self.evaluated = False  # whether it was ever called in eval mode
        draw = torch.Generator().manual_seed(classes)
        self.weight = nn.Parameter(torch.randn(classes, 3, generator=draw))

    def forward(self, images: Tensor, patch_size: Any = None) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, K), which depend on the patch size."""
        self.asked.append(patch_size)
        self.evaluated |= not self.training
        scale = 1.0 if patch_size is None else 0.3 * float(patch_size)
        return images.mean(dim=(2, 3)) @ self.weight.T * scale  # (B, 3) @ (3, K) -> (B, K)


def drawn_loss(model: nn.Module, images: Tensor, labels: Tensor, patch_sizes: Sequence[int]) -> Tensor:
    """Draw a patch size, and return the cross-entropy of the model with patches of that size, a scalar."""
    patch_size = patch_sizes[int(torch.randint(len(patch_sizes), ()))]
    return F.cross_entropy(model(images, patch_size), labels)


STEPS = 240  # calls of an attempt on each example
FAR = 0.5  # how far from its share a size may come


def _shares(asked: Sequence[int], sizes: Sequence[int]) -> tuple[bool, ...]:
    """Say of each size whether about its share of all calls was of it."""
    return tuple(abs(asked.count(size) / len(asked) * len(sizes) - 1) < FAR for size in sizes)


PYTHONS = Flawed("another draw each time, although torch was seeded the same")
NOT_ALIKE = Flawed("not every patch size about equally often")
SEVERAL = Flawed("the model was called more than once, or never")
NOT_ON_OFFER = Flawed("the model was asked for a patch size that is not in the list")
IN_EVAL_MODE = Flawed("the model is no longer in train mode")
WENT_BACK = Flawed("a loss whose gradient has been computed already")
NO_LOSS_GRADIENT = Flawed("a loss from which the model cannot learn")


def _in_a_training(
    attempt: Callable[..., Any], model: Recorder, images: Tensor, labels: Tensor, patch_sizes: Sequence[int]
) -> Any:
    """Call an attempt many times, as a training does, and look at what it asks for and what it returns."""
    asked: list[int] = []
    losses: list[Any] = []
    torch.manual_seed(1)
    for _ in range(STEPS):
        model.asked.clear()
        loss = attempt(model, images, labels, patch_sizes)
        if len(model.asked) != 1:
            return SEVERAL
        if not any(type(model.asked[0]) is int and model.asked[0] == size for size in patch_sizes):
            return NOT_ON_OFFER
        asked.append(model.asked[0])
        losses.append(loss)
        if model.evaluated or not model.training:
            return IN_EVAL_MODE
        if model.weight.grad is not None:
            return WENT_BACK
    first = losses[0]
    if not isinstance(first, Tensor) or first.shape != ():
        return first
    right = F.cross_entropy(model(images, asked[0]), labels)
    if not torch.allclose(first.detach().float(), right.detach(), 1e-4, 1e-4):
        return dict(zip(asked, losses, strict=True)).get(patch_sizes[0], first).detach()
    if not first.requires_grad:
        return NO_LOSS_GRADIENT
    if not all(_shares(asked, patch_sizes)):
        return NOT_ALIKE
    torch.manual_seed(1)
    again: list[Any] = []
    for _ in range(30):
        model.asked.clear()
        attempt(model, images, labels, patch_sizes)
        again += model.asked
    return right_of(model, images, labels, patch_sizes) if again == asked[:30] else PYTHONS


def right_of(model: nn.Module, images: Tensor, labels: Tensor, patch_sizes: Sequence[int]) -> Tensor:
    """Return the loss with the first of the sizes: what every right attempt is reported with."""
    return F.cross_entropy(model(images, patch_sizes[0]), labels).detach()


def _loss_examples() -> list[tuple[Recorder, Tensor, Tensor, tuple[int, ...]]]:
    """Images of two colours; other sizes, in no order, none of which is an index."""
    draw = torch.Generator().manual_seed(2)
    return [
        (Recorder(3), torch.randn(2, 3, 4, 4, generator=draw), torch.tensor([1, 0]), (4, 8)),
        (Recorder(5), torch.randn(5, 3, 8, 8, generator=draw), torch.tensor([2, 0, 1, 1, 3]), (16, 8, 4)),
        (Recorder(4), torch.randn(3, 3, 4, 8, generator=draw), torch.tensor([0, 2, 2]), (8, 16, 32, 64)),
    ]


def _draw(sizes: Sequence[int]) -> int:
    return sizes[int(torch.randint(len(sizes), ()))]


flexi_loss = Exercise(
    "flexi_loss",
    drawn_loss,
    _loss_examples,
    (
        Mistake(
            "always the same size",
            "Not every patch size comes about equally often: in 240 steps each should have about its share. Draw one "
            "in each call; `torch.randint(n, ())` gives a number from 0 to n - 1. And seed nothing: a generator that "
            "is seeded in every call always draws the same.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, sizes[0]), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i, sizes[int(torch.randint(len(sizes) - 1, ()))]), t),
        ),
        Mistake(
            "the index in place of the size",
            "The model is asked for a patch size that is not in the list. `torch.randint` gives the place in the "
            "list: take the size that stands there, as a Python int.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, int(torch.randint(len(sizes), ()))), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i, torch.tensor(_draw(sizes))), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i), t),
        ),
        Mistake(
            "eval mode",
            "You put the model into eval mode. This is a step of its training: dropout would stop, also in the steps "
            "that follow. Leave the mode as it is.",
            lambda m, i, t, sizes: F.cross_entropy(m.eval()(i, _draw(sizes)), t),
        ),
        Mistake(
            "backward inside",
            "You call `backward()` inside. The trainer does that with the loss that you return: after yours, its own "
            "stops with an error, or every gradient counts twice. Return the loss only.",
            lambda m, i, t, sizes: (loss := F.cross_entropy(m(i, _draw(sizes)), t), loss.backward())[0],
        ),
        Mistake(
            "all sizes in one step",
            "The model should be called exactly once in a step. You call it with several sizes: that is several times "
            "the work. Draw one size.",
            lambda m, i, t, sizes: torch.stack([F.cross_entropy(m(i, s), t) for s in sizes]).mean(),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t) + 0 * m(i, sizes[0]).sum(),
        ),
        Mistake(
            "drawn by Python or NumPy",
            "The sizes are drawn, but not by torch's own generator. The trainer seeds that one anew before each step, "
            "so that a run which was stopped goes on exactly as it would have. Draw with `torch.randint`.",
            lambda m, i, t, sizes: (m(i, sizes[0]), PYTHONS)[1],
        ),
        Mistake(
            "softmax before the cross-entropy",
            "`F.cross_entropy` takes logits and does the softmax itself. You give it probabilities.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)).softmax(dim=-1), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)).sigmoid(), t),
        ),
        Mistake(
            "the softmax in the wrong place, or none",
            "This is no cross-entropy: the loss of an image is minus the log of the probability that its own class "
            "gets.",
            lambda m, i, t, sizes: F.nll_loss(m(i, _draw(sizes)), t),
            lambda m, i, t, sizes: F.nll_loss(m(i, _draw(sizes)).softmax(dim=-1), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)).T, t[: m.weight.shape[0]]),
        ),
        Mistake(
            "the sum over the images",
            "You add the losses of the images. Take their mean, or the step would grow with the batch.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t, reduction="sum"),
        ),
        Mistake(
            "one loss for each image",
            "There is one loss for each image. A step needs one number: their mean.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t, reduction="none"),
        ),
        Mistake(
            "weighted by the size",
            "The loss depends on the patch size not only through the model: you weigh it. Each size counts as much as "
            "the others.",
            lambda m, i, t, sizes: (lambda s: F.cross_entropy(m(i, s), t) * s / max(sizes))(_draw(sizes)),
            lambda m, i, t, sizes: (lambda s: F.cross_entropy(m(i, s), t) / s)(_draw(sizes)),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t) / len(sizes),
        ),
        Mistake(
            "a Python number",
            "You return a number from which no gradient leads back to the model. Return the loss as the tensor that "
            "it is: no `.item()`, no `detach`, no `no_grad`.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t).item(),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t).detach(),
        ),
        Mistake(
            "the logits",
            "You return what the model says. The loss says how wrong that is: compare it with the labels.",
            lambda m, i, t, sizes: m(i, _draw(sizes)),
        ),
    ),
    "Each step draws one patch size, all equally often, and the trainer's seed decides which.",
    run=_in_a_training,
    in_a_model=False,  # the gradient is looked at in the training
    forbidden=(FlexiClassification.loss,),
)
