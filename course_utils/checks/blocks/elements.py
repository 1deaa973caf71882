"""LayerNorm and GELU."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake, same_value
from course_utils.checks.in_a_model import Flawed
from course_utils.model import blocks


def _normalised(
    x: Tensor, axes: tuple[int, ...] = (-1,), unbiased: bool = False, eps: float = 0.0, std_eps: float = 0.0
) -> Tensor:
    """Subtract the mean and divide by the root of the variance, in whatever way a mistake needs."""
    variance = x.var(dim=axes, keepdim=True, unbiased=unbiased)
    return (x - x.mean(dim=axes, keepdim=True)) / (torch.sqrt(variance + eps) + std_eps)


def _variance(x: Tensor) -> Tensor:
    return x.var(dim=-1, keepdim=True, unbiased=False)


THREE_AXES = Flawed("right for tokens (B, N, D), not for (D,), (N, D) or four axes")


def _with_any_axes(attempt: Callable[..., Any], x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Any:
    """Run an attempt, and if it is right for three axes, also with one, two and four."""
    given = x.clone()
    result = attempt(x, weight, bias, eps)
    if not same_value(result, blocks.layer_norm(given, weight, bias, eps), 1e-4) or not torch.equal(x, given):
        return result
    for other in (given[0, 0], given[0], torch.stack([given, given.flip(0) + 1])):
        right = blocks.layer_norm(other, weight, bias, eps)
        try:
            same = same_value(attempt(other.clone(), weight, bias, eps), right, 1e-4)
        except Exception:  # as many kinds as there are ways to count axes
            same = False
        if not same:
            return THREE_AXES
    return result


def _layer_norm_of_three_axes(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    _images, _tokens, _width = x.shape
    return blocks.layer_norm(x, weight, bias, eps)


def _layer_norm_examples() -> list[tuple[Tensor, Tensor, Tensor, float]]:
    """One token by hand; tokens with scale and shift; an eps that can be seen; one large number among small ones."""
    draw = torch.Generator().manual_seed(4)
    tokens, wide = torch.randn(2, 3, 4, generator=draw) * 2 + 1, torch.randn(3, 2, 5, generator=draw)
    return [
        (
            torch.tensor([[[1.0, 3.0, 3.0, 9.0]]]),
            torch.tensor([1.0, 2.0, 3.0, 6.0]),
            torch.tensor([0.0, 0.0, 1.0, 5.0]),
            1e-6,
        ),
        (tokens, torch.tensor([1.0, 2.0, 0.5, -1.0]), torch.tensor([0.5, 0.0, 1.0, 2.0]), 1e-6),
        (wide, torch.tensor([1.0, 2.0, 0.5, 3.0, 1.5]), torch.tensor([0.0, 1.0, 0.5, 2.0, 0.25]), 1.0),
        (torch.tensor([[[0.5, -3.0, 1000.0]], [[0.0, 0.0, 1.0]]]), torch.tensor([1.0, 2.0, 0.5]), torch.ones(3), 0.1),
    ]


def _by_distance(x: Tensor, eps: float) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.abs().mean(dim=-1, keepdim=True) + eps)


layer_norm = Exercise(
    "layer_norm",
    blocks.layer_norm,
    _layer_norm_examples,
    (
        Mistake(
            "one mean for everything",
            "You take one mean and one variance over the whole tensor. Then an image changes when another image in the "
            "batch changes. Each token has its own mean and its own variance: which axis holds the numbers of a token?",
            lambda x, w, b, eps: _normalised(x, (0, 1, 2), eps=eps) * w + b,
            lambda x, w, b, eps: _normalised(x, (1, 2), eps=eps) * w + b,
        ),
        Mistake(
            "over the tokens",
            "Your mean is taken over the tokens, so that each token depends on all the others. LayerNorm looks at one "
            "token at a time: which axis of (B, N, D) holds the numbers of one token?",
            lambda x, w, b, eps: _normalised(x, (1,), eps=eps) * w + b,
        ),
        Mistake(
            "over the batch",
            "Your mean is taken over the images of the batch. This is what BatchNorm does. In LayerNorm, an image must "
            "not depend on the images beside it: take the mean over the numbers of one token.",
            lambda x, w, b, eps: _normalised(x, (0,), eps=eps) * w + b,
            lambda x, w, b, eps: _normalised(x, (0, 1), eps=eps) * w + b,
        ),
        Mistake(
            "the axis is lost",
            "The mean of a tensor (B, N, D) over its last axis has the shape (B, N), and this cannot be subtracted "
            "from (B, N, D). Keep an axis of length 1 in its place: look at the arguments of `mean` and `var`.",
            lambda x, w, b, eps: (x - x.mean(dim=-1)) / torch.sqrt(x.var(dim=-1, unbiased=False) + eps) * w + b,
        ),
        Mistake(
            "variance divided by D - 1",
            "Your variance divides by D - 1, as PyTorch's `var` and `std` do if you do not ask for anything else. That "
            "is for guessing the variance of a large population from a sample. Here the D numbers are all there are.",
            lambda x, w, b, eps: _normalised(x, unbiased=True, eps=eps) * w + b,
        ),
        Mistake(
            "x.std with eps beside it",
            "Two things are wrong at once, as in many programs on the web. PyTorch's `std` divides by D - 1 if you do "
            "not ask for anything else, but here the D numbers are all there are. And eps belongs under the root, "
            "beside the variance.",
            lambda x, w, b, eps: _normalised(x, unbiased=True, std_eps=eps) * w + b,
            lambda x, w, b, eps: _normalised(x, unbiased=True) * w + b,
        ),
        Mistake(
            "divided by the variance",
            "You divide by the variance. The result should have variance 1, so the numbers must be divided by the "
            "standard deviation. How do you get from one to the other?",
            lambda x, w, b, eps: (x - x.mean(dim=-1, keepdim=True)) / (_variance(x) + eps) * w + b,
        ),
        Mistake(
            "eps outside the root",
            "You add eps to the standard deviation. In the definition it is added to the variance, before the root is "
            "taken. With a small eps one hardly sees it, but weights of others then do not give the same numbers.",
            lambda x, w, b, eps: _normalised(x, std_eps=eps) * w + b,
        ),
        Mistake(
            "eps is missing",
            "The argument eps does not count in your result: it is missing, or another number stands in its place. A "
            "token whose numbers are all equal has variance 0: what would your code divide by?",
            lambda x, w, b, eps: _normalised(x) * w + b,
        ),
        Mistake(
            "the mean stays in",
            "You divide, but you do not subtract the mean. The result should have mean 0 before the scale and the "
            "shift. (Leaving the mean in is the idea of RMSNorm, which divides by something else.)",
            lambda x, w, b, eps: x / torch.sqrt(_variance(x) + eps) * w + b,
            lambda x, w, b, eps: blocks.rms_norm(x, w, eps) + b,
        ),
        Mistake(
            "no scale, no shift",
            "The normalised numbers are right. But `weight` and `bias`, which the model learns, must still be used.",
            lambda x, w, b, eps: _normalised(x, eps=eps),
        ),
        Mistake(
            "scale or shift missing",
            "Only one of `weight` and `bias` is used. The one multiplies the normalised numbers, the other is added "
            "after that.",
            lambda x, w, b, eps: _normalised(x, eps=eps) * w,
            lambda x, w, b, eps: _normalised(x, eps=eps) + b,
        ),
        Mistake(
            "shift before scale",
            "You add `bias` before you multiply by `weight`, so the shift is scaled too. Which comes first in the "
            "equation?",
            lambda x, w, b, eps: (_normalised(x, eps=eps) + b) * w,
        ),
        Mistake(
            "three axes only",
            "It is right for tokens (B, N, D). The task says (..., D): one token (D,) alone, or one more axis in front "
            "should work too. Which number names the last axis, however many there are?",
            _layer_norm_of_three_axes,
        ),
        Mistake(
            "PyTorch's own",
            "PyTorch's own layer does the work here. Write it with mean, variance and root.",
            lambda x, w, b, eps: F.layer_norm(x, x.shape[-1:], w, b, eps),
        ),
        Mistake(
            "1 is added to the weight",
            "You multiply by 1 + weight, as some language models do. Here the weight is the factor itself.",
            lambda x, w, b, eps: _normalised(x, eps=eps) * (1 + w) + b,
        ),
        Mistake(
            "the mean distance in place of the root",
            "You divide by the mean of the absolute distances. The standard deviation is the root of the mean of the "
            "*squares*.",
            lambda x, w, b, eps: _by_distance(x, eps) * w + b,
        ),
    ),
    "Each token has its own mean and variance, then come scale and shift: your function equals nn.LayerNorm.",
    run=_with_any_axes,
    forbidden=("layer_norm", "native_layer_norm", "batch_norm", "group_norm", "instance_norm", blocks.layer_norm),
)


# ---- gelu


def _gelu_examples() -> list[tuple[Tensor]]:
    """Whole numbers, a matrix of random numbers, the range where the curve bends, and far outside of it."""
    draw = torch.Generator().manual_seed(4)
    return [
        (torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]),),
        (torch.randn(2, 3, generator=draw) * 2,),
        (torch.linspace(-6, 6, 25),),
        (torch.tensor([[[-1000.0, 0.0, 0.1]], [[0.25, 1000.0, -0.5]]]),),
    ]


def _below(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(x / math.sqrt(2)))


gelu = Exercise(
    "gelu",
    blocks.gelu,
    _gelu_examples,
    (
        Mistake(
            "the tanh approximation",
            "This is the tanh approximation. It is close, but not equal: look at the fourth decimal. The exact GELU "
            "asks for the probability itself, and that is made from `torch.erf`.",
            blocks.gelu_tanh,
        ),
        Mistake(
            "the sigmoid approximation",
            "This is x times the sigmoid of 1.702 x, a rough approximation from the same paper. The exact GELU asks "
            "for the probability of a normal number, and that is made from `torch.erf`.",
            lambda x: x * torch.sigmoid(1.702 * x),
        ),
        Mistake(
            "SiLU",
            "This is x times the sigmoid of x. It is called SiLU or Swish, and other models use it. In GELU, x is "
            "multiplied by the probability that a standard normal number is below x.",
            F.silu,
        ),
        Mistake(
            "ReLU",
            "This is ReLU: it cuts everything below 0 off. GELU has no corner: small negative numbers stay small "
            "negative numbers.",
            torch.relu,
        ),
        Mistake(
            "the half is missing",
            "Your values are twice too large. erf runs from -1 to 1, so 1 + erf runs from 0 to 2. A probability runs "
            "from 0 to 1.",
            lambda x: x * (1 + torch.erf(x / math.sqrt(2))),
        ),
        Mistake(
            "erf of x itself",
            "You take erf of x. The probability of a standard normal number needs a factor inside erf: look at the "
            "fraction in the equation.",
            lambda x: x * 0.5 * (1 + torch.erf(x)),
        ),
        Mistake(
            "the probability alone",
            "You return the probability that a standard normal number is below x. GELU multiplies x by it: far to the "
            "right it should be x, not 1.",
            lambda x: 0.5 * (1 + torch.erf(x / math.sqrt(2))),
        ),
        Mistake(
            "the 1 is missing",
            "You multiply x by half of erf, which is negative for negative x: two minus signs make a plus. The "
            "probability needs the 1 too.",
            lambda x: x * 0.5 * torch.erf(x / math.sqrt(2)),
            lambda x: x * torch.erf(x / math.sqrt(2)),
        ),
        Mistake(
            "mirrored",
            "Your curve is turned: large numbers become 0 and negative numbers stay. The probability of being *below* "
            "x grows with x. Look at the sign in front of erf.",
            lambda x: x * 0.5 * (1 - torch.erf(x / math.sqrt(2))),
        ),
        Mistake(
            "PyTorch's own",
            "PyTorch's own GELU does the work here. Write it with `torch.erf`.",
            F.gelu,
        ),
        Mistake(
            "divided by another number inside erf",
            "The number inside erf is not right: x is divided by the root of 2, not by 2, and not multiplied by it.",
            lambda x: x * 0.5 * (1 + torch.erf(x / 2)),
            lambda x: x * 0.5 * (1 + torch.erf(x * math.sqrt(2))),
            lambda x: x * 0.5 * (1 + torch.erf(2 * x)),
        ),
        Mistake(
            "the half belongs to both",
            "Only the 1 is halved. The half belongs to the whole bracket, 1 + erf: where do your brackets stand?",
            lambda x: x * (0.5 + torch.erf(x / math.sqrt(2))),
            lambda x: x * 0.5 + torch.erf(x / math.sqrt(2)),
            lambda x: 0.5 * x + x * torch.erf(x / math.sqrt(2)),
        ),
        Mistake(
            "the density in place of the probability",
            "You multiply by the density, the height of the bell curve at x. The probability of being below x is the "
            "area under it, and that is made from `torch.erf`.",
            lambda x: x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi),
        ),
        Mistake(
            "cut off below",
            "Far below 0 you set the result to 0. It is nearly 0 there, but not exactly, and a corner comes into the "
            "curve. Use the same formula for every x.",
            *(lambda x, least=least: torch.where(x < least, 0.0, x * _below(x)) for least in (-1, -2, -3, -4)),
        ),
        Mistake(
            "x is standardised first",
            "You take mean and deviation of x away first. GELU looks at each number alone: it must not depend on the "
            "numbers beside it.",
            lambda x: x * _below((x - x.mean()) / x.std(unbiased=False)),
            lambda x: x * _below((x - x.mean()) / (x.std(unbiased=False) + 1e-6)),
            lambda x: x * _below((x - x.mean()) / x.std()),
        ),
    ),
    "Every number is multiplied by the probability that a standard normal number is below it: the exact GELU.",
    tolerance=1e-5,
    forbidden=("gelu", blocks.gelu),
)
