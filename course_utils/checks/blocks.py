"""Lesson 04 (blocks): checks of the exercises."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.in_a_model import (
    Flawed,
    as_in_a_model,
    no_gradient,
    other_type,
)
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
    result = _run_layer_norm(attempt, x, weight, bias, eps)
    if not isinstance(result, Tensor) or not torch.equal(x, given) or result.shape != x.shape:
        return result
    if not torch.allclose(result, blocks.layer_norm(x, weight, bias, eps), 1e-4, 1e-4):
        return result
    for other in (x[0, 0], x[0], torch.stack([x, x.flip(0) + 1])):
        right = blocks.layer_norm(other, weight, bias, eps)
        try:
            found = attempt(other.clone(), weight, bias, eps)
            same = found.shape == right.shape and torch.allclose(found, right, 1e-4, 1e-4)
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
            same = False
        if not same:
            return THREE_AXES
    return result


_run_layer_norm = as_in_a_model(blocks.layer_norm, ("layer_norm", "native_layer_norm", "batch_norm"))


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
            "eps does not occur in your result. A token whose numbers are all equal has variance 0: what would your "
            "code divide by?",
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
        no_gradient(blocks.layer_norm),
        other_type(blocks.layer_norm),
    ),
    "Each token has its own mean and variance, then come scale and shift: your function equals nn.LayerNorm.",
    run=_with_any_axes,
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
        no_gradient(blocks.gelu),
        other_type(blocks.gelu),
    ),
    "Every number is multiplied by the probability that a standard normal number is below it: the exact GELU.",
    run=as_in_a_model(blocks.gelu, ("gelu",), 1e-5),
    tolerance=1e-5,
)


# ---- pre_norm_block


@dataclass(frozen=True)
class Function:
    """A function that shows itself in words when an example is printed."""

    words: str
    apply: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it."""
        return self.apply(x)

    def __repr__(self) -> str:
        return self.words


def _block_examples() -> list[tuple[Any, ...]]:
    """Four functions of one number, to be followed by hand; then layers with random weights."""
    by_hand = (
        torch.tensor([[[2.0]]]),
        Function("x -> x / 2", lambda x: x / 2),
        Function("x -> x + 10", lambda x: x + 10),
        Function("x -> x - 1", lambda x: x - 1),
        Function("x -> 3 x", lambda x: 3 * x),
    )
    mixing = Function("every token becomes the mean of all", lambda x: x.mean(dim=1, keepdim=True).expand_as(x))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        norm1, norm2, linear = nn.LayerNorm(4), nn.LayerNorm(4), nn.Linear(4, 4)
        for parameter in (norm1.weight, norm1.bias, norm2.weight, norm2.bias):
            nn.init.normal_(parameter)
        return [by_hand, (torch.randn(2, 3, 4), norm1, mixing, norm2, linear)]


def _pre_norm_block(x: Tensor, norm1: Callable, attention: Callable, norm2: Callable, mlp: Callable) -> Tensor:
    x = x + attention(norm1(x))
    return x + mlp(norm2(x))


def _norm_on_stream(x: Tensor, n1: Callable, a: Callable, n2: Callable, m: Callable) -> Tensor:
    x = n1(x) + a(n1(x))
    return n2(x) + m(n2(x))


def _post_norm(x: Tensor, n1: Callable, a: Callable, n2: Callable, m: Callable) -> Tensor:
    x = n1(x + a(x))
    return n2(x + m(x))


def _no_norms(x: Tensor, n1: Callable, a: Callable, n2: Callable, m: Callable) -> Tensor:
    return _pre_norm_block(x, lambda y: y, a, lambda y: y, m)


def _first_residual_missing(x: Tensor, n1: Callable, a: Callable, n2: Callable, m: Callable) -> Tensor:
    x = a(n1(x))
    return x + m(n2(x))


pre_norm_block = Exercise(
    "pre_norm_block",
    _pre_norm_block,
    _block_examples,
    (
        Mistake(
            "post-norm",
            "You normalise after each addition. This is post-norm, as in the first Transformer. In pre-norm the norm "
            "stands at the entrance of a branch, and no norm stands on the way of x itself.",
            _post_norm,
        ),
        Mistake(
            "a residual is missing",
            "At least one of the two branches is not added to what went into it. Without the addition, the path of "
            "the gradient through a deep stack is broken. Draw the two plus signs of the diagram, and find them in "
            "your code.",
            lambda x, n1, a, n2, m: m(n2(a(n1(x)))),
            _first_residual_missing,
            lambda x, n1, a, n2, m: m(n2(x + a(n1(x)))),
        ),
        Mistake(
            "the norm stands on the residual stream",
            "You add the branch to the *normalised* x. The stream then goes through a norm in every block. Only the "
            "branch sees the normalised tokens; it is added to x as it was.",
            _norm_on_stream,
        ),
        Mistake(
            "both branches from the same input",
            "Attention and MLP both read the x that came into the block. The MLP should read what attention has "
            "already changed.",
            lambda x, n1, a, n2, m: x + a(n1(x)) + m(n2(x)),
        ),
        Mistake(
            "the second addition takes the first x",
            "The MLP's output is added to the x that came into the block, so what attention added gets lost. Add it to "
            "the x after the first addition.",
            lambda x, n1, a, n2, m: x + m(n2(x + a(n1(x)))),
            lambda x, n1, a, n2, m: x + m(n2(a(n1(x)))),
        ),
        Mistake(
            "one norm used twice",
            "One of the two norms is used twice and the other never. They have the same form, but each learns a scale "
            "and a shift of its own.",
            lambda x, n1, a, n2, m: _pre_norm_block(x, n1, a, n1, m),
            lambda x, n1, a, n2, m: _pre_norm_block(x, n2, a, n2, m),
        ),
        Mistake(
            "the norms are swapped",
            "norm1 belongs to attention and norm2 to the MLP; you have them the other way round. With weights of "
            "another model, the wrong numbers come out.",
            lambda x, n1, a, n2, m: _pre_norm_block(x, n2, a, n1, m),
        ),
        Mistake(
            "the norm comes after the branch",
            "You normalise what a branch puts out. In pre-norm the norm stands in front: it prepares what attention "
            "and MLP read.",
            lambda x, n1, a, n2, m: _pre_norm_block(x, a, n1, m, n2),
        ),
        Mistake(
            "no norms",
            "The norms are never used. Nothing then holds the size of what attention and MLP read, and it grows from "
            "block to block.",
            _no_norms,
        ),
        Mistake(
            "MLP first",
            "The MLP comes first in your block. In a ViT block, attention comes first and the MLP second.",
            lambda x, n1, a, n2, m: _pre_norm_block(x, n2, m, n1, a),
            lambda x, n1, a, n2, m: _pre_norm_block(x, n1, m, n2, a),
        ),
        no_gradient(_pre_norm_block, lambda x, n1, a, n2, m: _pre_norm_block(x, n1, a, n2, lambda y: m(y).detach())),
        other_type(_pre_norm_block),
    ),
    "Two branches, each behind its own norm, each added to the residual stream.",
    run=as_in_a_model(_pre_norm_block),
)


# ---- drop_path


def _drop_path(branch: Tensor, draw: Tensor, rate: float) -> Tensor:
    return branch * (draw >= rate).view(-1, 1, 1) / (1 - rate)


def _drop_path_examples() -> list[tuple[Tensor, Tensor, float]]:
    """As many images as tokens and numbers, so that a mask along the wrong axis gives values, and not an error."""
    return [
        (torch.arange(1.0, 9.0).view(2, 2, 2), torch.tensor([0.3, 0.7]), 0.5),
        (torch.arange(1.0, 28.0).view(3, 3, 3), torch.tensor([0.9, 0.1, 0.5]), 0.2),
        (torch.arange(1.0, 28.0).view(3, 3, 3), torch.tensor([0.9, 0.1, 0.5]), 0.05),
        (torch.arange(1.0, 28.0).view(3, 3, 3), torch.tensor([0.1, 0.25, 0.5]), 0.25),  # one equals the rate
    ]


drop_path = Exercise(
    "drop_path",
    _drop_path,
    _drop_path_examples,
    (
        Mistake(
            "not rescaled",
            "The right images are dropped. But the mean over many draws is now too small, and the model would see "
            "larger numbers at test time than in training. What must be done to those that are kept?",
            lambda x, draw, rate: x * (draw >= rate).view(-1, 1, 1),
        ),
        Mistake(
            "keeps what should be dropped",
            "You keep the images that should be dropped. An image is dropped with probability `rate`, so it is the "
            "small draws, those below `rate`, that are dropped.",
            lambda x, draw, rate: x * (draw < rate).view(-1, 1, 1) / (1 - rate),
            lambda x, draw, rate: x * (draw < rate).view(-1, 1, 1) / rate,
        ),
        Mistake(
            "multiplied, not divided",
            "You multiply what is kept by the probability of being kept. That makes the mean even smaller. To make up "
            "for what is missing, the rest must become larger.",
            lambda x, draw, rate: x * (draw >= rate).view(-1, 1, 1) * (1 - rate),
        ),
        Mistake(
            "divided by the drop rate",
            "You divide by `rate`, the probability of being dropped. With a rate of one half this looks right. Try a "
            "rate close to 0, where almost nothing is dropped: what should happen to the numbers?",
            lambda x, draw, rate: x * (draw >= rate).view(-1, 1, 1) / rate,
        ),
        Mistake(
            "along the wrong axis",
            "Your mask runs along the tokens, or along the numbers of a token. A draw belongs to an image, the first "
            "axis of (B, N, D). PyTorch lines shapes up from the right: which shape must the mask have?",
            lambda x, draw, rate: x * (draw >= rate) / (1 - rate),
            lambda x, draw, rate: x * (draw >= rate).view(-1, 1) / (1 - rate),
        ),
        Mistake(
            "nothing is dropped",
            "All images are kept. Those whose draw is below `rate` should become 0 in the branch.",
            lambda x, draw, rate: x / (1 - rate),
            lambda x, draw, rate: x,
        ),
        Mistake(
            "drops at the rate itself",
            "An image whose draw *equals* `rate` is dropped too. Only those below `rate` should be: with a rate of 0 "
            "and a draw of 0, nothing may be lost.",
            lambda x, draw, rate: x * (draw > rate).view(-1, 1, 1) / (1 - rate),
        ),
        no_gradient(_drop_path),
        other_type(_drop_path),
    ),
    "Whole images leave the branch, and the expected value stays the same.",
    run=as_in_a_model(_drop_path),
)
