"""The loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake


def _random(*shape: int) -> Tensor:
    """Return the same random numbers each time, whatever was drawn before."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(6))


LARGE = 1000.0  # a logit whose exponential is no float


def _cross_entropy_examples() -> list[tuple[Any, ...]]:
    return [
        (torch.zeros(1, 2), torch.tensor([0])),  # two classes, no idea: ln(2)
        (torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]]), torch.tensor([1, 0])),  # the mean of ln(4/3) and ln(2)
        (_random(4, 3), torch.tensor([2, 0, 1, 1])),
        (2 * _random(3, 3) + 1, torch.tensor([0, 2, 2])),
        (torch.tensor([[LARGE, 0.0, 300.0], [0.0, -LARGE, 0.0]]), torch.tensor([1, 2])),  # LARGE and ln(2)
    ]


def _naive(x: Tensor, dim: int = 1) -> Tensor:
    return (x.exp() / x.exp().sum(dim=dim, keepdim=True)).log()


def _logs(x: Tensor, dim: int = 1) -> tuple[Tensor, ...]:
    """Logarithms of the probabilities, in the three ways that people write them."""
    return x.log_softmax(dim=dim), x.softmax(dim=dim).log(), _naive(x, dim)


def _right(logs: Tensor, labels: Tensor) -> Tensor:
    return logs.gather(1, labels[:, None])[:, 0]  # (B, K), (B,) -> (B,)


def _three_ways(
    finish: Callable[[Tensor, Tensor], Tensor], dim: int = 1
) -> tuple[Callable[[Tensor, Tensor], Tensor], ...]:
    """Make the same mistake with each way to write the logarithm."""
    return tuple(lambda logits, labels, way=way: finish(_logs(logits, dim)[way], labels) for way in range(3))


cross_entropy = Exercise(
    "cross_entropy",
    lambda logits, labels: F.nll_loss(logits.log_softmax(dim=1), labels),
    _cross_entropy_examples,
    (
        Mistake(
            "the ready-made function",
            "The number is right, but it comes from PyTorch's own cross-entropy. The task is to write it without.",
            lambda logits, labels: F.cross_entropy(logits, labels),
        ),
        Mistake(
            "a plain number",
            "The number is right, but it is a Python number, and `backward()` needs a tensor: leave `.item()` out.",
            lambda logits, labels: F.nll_loss(logits.log_softmax(dim=1), labels).item(),
        ),
        Mistake(
            "softmax twice",
            "You make a softmax of a softmax: `log_softmax` and `F.cross_entropy` take logits, not probabilities. The "
            "second one flattens, so the loss can never come near 0.",
            lambda logits, labels: -_right(logits.softmax(dim=1).log_softmax(dim=1), labels).mean(),
        ),
        Mistake(
            "sum instead of mean",
            "You add the losses of the batch up. With a larger batch the loss would be larger, and so would the "
            "gradients: the learning rate would have to change with the batch size. Take the mean over the images.",
            *_three_ways(lambda logs, labels: -_right(logs, labels).sum()),
        ),
        Mistake(
            "mean over all classes",
            "You divide by the number of images times the number of classes. Only one number of each row counts, that "
            "of the right class, so the mean is over the images alone.",
            *_three_ways(lambda logs, labels: -_right(logs, labels).sum() / logs.numel()),
            *_three_ways(lambda logs, labels: -(F.one_hot(labels, logs.shape[1]) * logs).mean()),
        ),
        Mistake(
            "the minus is missing",
            "Your loss is negative. The logarithm of a probability is below 0, and a loss should be small where the "
            "model is right. Training makes the loss smaller: with your sign it would make the right class less "
            "likely.",
            *_three_ways(lambda logs, labels: _right(logs, labels).mean()),
        ),
        Mistake(
            "softmax over the batch",
            "Your probabilities sum to 1 down each column: the images compete with each other. The classes of one "
            "image should. Which axis of (B, K) counts the classes?",
            *_three_ways(lambda logs, labels: -_right(logs, labels).mean(), dim=0),
        ),
        Mistake(
            "the logarithm of a logit",
            "You take the logarithm of a logit. A logit is no probability: it may be negative, and then its logarithm "
            "is nan. One step is missing between the two.",
            lambda logits, labels: -_right(logits, labels).log().mean(),
        ),
        Mistake(
            "no softmax and no logarithm",
            "You take the logit of the right class, and the other classes do not count. A large logit means nothing by "
            "itself: the model can make all of them large. Turn them into probabilities first.",
            lambda logits, labels: -_right(logits, labels).mean(),
        ),
        Mistake(
            "no logarithm",
            "You use the probability itself. With the logarithm, a right class that gets almost no probability costs "
            "very much; without it, at most 1, and a model that is quite wrong learns slowly.",
            lambda logits, labels: -_right(logits.softmax(dim=1), labels).mean(),
            lambda logits, labels: 1 - _right(logits.softmax(dim=1), labels).mean(),
        ),
        Mistake(
            "every image with every label",
            "You pick the labels of all images from each row: logs[:, labels] has the shape (B, B). Each row needs its "
            "own label only, so give the row numbers too.",
            *_three_ways(lambda logs, labels: -logs[:, labels].mean()),
        ),
        Mistake(
            "the labels are not used",
            "Your loss does not depend on the labels: you use the class that the model prefers, or all classes. A "
            "model that is sure and wrong would not be told so.",
            *_three_ways(lambda logs, labels: -logs.max(dim=1).values.mean()),
            *_three_ways(lambda logs, labels: -logs.mean()),
            *_three_ways(lambda logs, labels: -logs.sum(dim=1).mean()),
        ),
        Mistake(
            "another logarithm",
            "Your loss is right up to a factor: you took the logarithm to base 2 or 10. The natural logarithm is "
            "meant, torch.log.",
            *_three_ways(lambda logs, labels: -_right(logs, labels).mean() / math.log(2)),
            *_three_ways(lambda logs, labels: -_right(logs, labels).mean() / math.log(10)),
        ),
        Mistake(
            "a small number against the logarithm of 0",
            "A small number beside the probability hides the logarithm of 0, but the loss is then wrong: where a "
            "large logit belongs to another class it should be about 1000, and your small number holds it far below. "
            "What is the logarithm of a fraction?",
            *(
                lambda logits, labels, small=small, change=change: (
                    -_right(change(logits.softmax(dim=1), small).log(), labels).mean()
                )
                for change in (lambda p, small: p + small, lambda p, small: p.clamp(min=small))
                for small in (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-20)
            ),
        ),
        Mistake(
            "large numbers overflow",
            "Right for small logits. For large ones the exponential leaves the range of a float, or a probability "
            "becomes exactly 0 and its logarithm minus infinity. Do not compute the probability at all: what is the "
            "logarithm of a fraction? PyTorch has a function that does softmax and logarithm together.",
            lambda logits, labels: -_right(logits.softmax(dim=1).log(), labels).mean(),
            lambda logits, labels: -_right(_naive(logits), labels).mean(),
            lambda logits, labels: (logits.exp().sum(dim=1).log() - _right(logits, labels)).mean(),
        ),
        Mistake(
            "large logits are cut off",
            "You cut the logits off at some number. Then a model that is sure and wrong is told a smaller loss than "
            "it has. `log_softmax` needs no such help.",
            *(
                lambda logits, labels, most=most: F.nll_loss(logits.clamp(-most, most).log_softmax(dim=1), labels)
                for most in (10, 20, 30, 50, 80, 88, 100)
            ),
        ),
        Mistake(
            "one maximum for the whole batch",
            "You take the largest logit of the whole batch away. A row that lies far below it becomes exp(-1000) = 0 "
            "everywhere, and the logarithm of 0 is minus infinity. Each row needs its own largest number.",
            lambda logits, labels: -_right(_naive(logits - logits.max()), labels).mean(),
            lambda logits, labels: (
                (logits - logits.max()).exp().sum(1).log() - _right(logits - logits.max(), labels)
            ).mean(),
        ),
        Mistake(
            "the logarithm of the mean",
            "You take the mean of the probabilities, then the logarithm. Each image has a loss of its own: first the "
            "logarithm, then the mean.",
            lambda logits, labels: -_right(logits.softmax(dim=1), labels).mean().log(),
            lambda logits, labels: -_right(logits.softmax(dim=1), labels).log().mean().exp(),
        ),
        Mistake(
            "one loss for each image",
            "You return one loss for each image, (B,). One number is asked: their mean.",
            *_three_ways(lambda logs, labels: -_right(logs, labels)),
        ),
        Mistake(
            "the entropy of the model",
            "Your loss is the entropy of the model's own answer: it says how sure the model is, not whether it is "
            "right. The label must come in.",
            *_three_ways(lambda logs, labels: -(logs.exp() * logs).sum(dim=1).mean()),
        ),
        Mistake(
            "divided by one less",
            "You divide by the number of images less 1. A mean divides by their number.",
            *_three_ways(lambda logs, labels: -_right(logs, labels).sum() / max(1, len(labels) - 1)),
        ),
        Mistake(
            "only one image counts",
            "Only the first image of the batch counts in your loss, or only the last. Take the mean over all.",
            *_three_ways(lambda logs, labels: -_right(logs, labels)[0]),
            *_three_ways(lambda logs, labels: -_right(logs, labels)[-1]),
        ),
    ),
    "The mean over the images, equal to F.cross_entropy, also for large logits.",
    forbidden=("cross_entropy", "cross_entropy_loss"),
)
