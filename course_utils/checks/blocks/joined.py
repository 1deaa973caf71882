"""The pre-norm block, and branches that are dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake

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


def _halved(x: Tensor, n1: Callable, a: Callable, n2: Callable, m: Callable) -> Tensor:
    x = (x + a(n1(x))) / 2
    return (x + m(n2(x))) / 2


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
        Mistake(
            "one norm is missing",
            "One of the two norms is not used. Each branch has a norm at its entrance.",
            lambda x, n1, a, n2, m: _pre_norm_block(x, n1, a, lambda y: y, m),
            lambda x, n1, a, n2, m: _pre_norm_block(x, lambda y: y, a, n2, m),
        ),
        Mistake(
            "the branches alone",
            "You return what the branches put out, without the stream that came in. Each branch is *added* to the "
            "stream.",
            lambda x, n1, a, n2, m: _pre_norm_block(x, n1, a, n2, m) - x,
        ),
        Mistake(
            "the input added once more",
            "The input is in your result one time too often. There are two additions: attention to x, and the MLP to "
            "what came of that.",
            lambda x, n1, a, n2, m: _pre_norm_block(x, n1, a, n2, m) + x,
        ),
        Mistake(
            "a mean in place of a sum",
            "You divide the sum of stream and branch by 2. It is a plain sum: the stream must pass unchanged.",
            lambda x, n1, a, n2, m: _halved(x, n1, a, n2, m),
        ),
        Mistake(
            "attention twice",
            "Attention is applied twice, one time after the other. A block calls it once.",
            lambda x, n1, a, n2, m: _pre_norm_block(x, n1, lambda y: a(n1(a(y))), n2, m),
            lambda x, n1, a, n2, m: _pre_norm_block(x, n1, lambda y: a(a(y)), n2, m),
        ),
        Mistake(
            "the first part of a result taken",
            "You take [0] of what a branch puts out. Here the functions return tokens, and not a pair, so [0] takes "
            "the first image only.",
            lambda x, n1, a, n2, m: _pre_norm_block(x, n1, lambda y: a(y)[0], n2, lambda y: m(y)[0]),
            lambda x, n1, a, n2, m: _pre_norm_block(x, n1, lambda y: a(y)[0], n2, m),
        ),
    ),
    "Two branches, each behind its own norm, each added to the residual stream.",
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
        (torch.arange(1.0, 10.0).view(1, 3, 3), torch.tensor([0.9]), 0.6),  # an image alone
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
            "You keep images that should be dropped. An image is dropped with probability `rate`: it is the small "
            "draws, those below `rate` (not below 1 - `rate`), that are dropped.",
            lambda x, draw, rate: x * (draw < rate).view(-1, 1, 1) / (1 - rate),
            lambda x, draw, rate: x * (draw < rate).view(-1, 1, 1) / rate,
            lambda x, draw, rate: x * (draw < 1 - rate).view(-1, 1, 1) / (1 - rate),
            lambda x, draw, rate: x * (draw >= 1 - rate).view(-1, 1, 1) / (1 - rate),
            lambda x, draw, rate: x * (draw > 1 - rate).view(-1, 1, 1) / (1 - rate),
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
            "divided by the share of this batch",
            "You divide by the share of images that happened to be kept. That share changes from batch to batch, and "
            "is 0 if all are dropped. Divide by the probability of being kept, which is always the same.",
            lambda x, draw, rate: x * (draw >= rate).view(-1, 1, 1) / (draw >= rate).float().mean(),
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
        Mistake(
            "multiplied by the draw",
            "You multiply by the random number itself. It only decides: an image is kept whole, or it is 0.",
            lambda x, draw, rate: x * draw.view(-1, 1, 1) / (1 - rate),
            lambda x, draw, rate: x * draw.view(-1, 1, 1),
        ),
        Mistake(
            "dropped images are left out",
            "You leave the dropped images out of the batch. The shape must stay (B, N, D): their branch becomes 0.",
            lambda x, draw, rate: x[draw >= rate] / (1 - rate),
            lambda x, draw, rate: x[draw >= rate],
        ),
        Mistake(
            "one decision for all images",
            "One random number decides for all images. Each image has its own.",
            lambda x, draw, rate: x * (draw[:1] >= rate).view(-1, 1, 1) / (1 - rate),
            lambda x, draw, rate: x * (draw[-1:] >= rate).view(-1, 1, 1) / (1 - rate),
            lambda x, draw, rate: x * (draw.mean() >= rate) / (1 - rate),
            lambda x, draw, rate: x * (draw >= rate).any() / (1 - rate),
            lambda x, draw, rate: x * (draw >= rate).all() / (1 - rate),
        ),
        Mistake(
            "dropped images keep their branch",
            "The dropped images keep their branch as it is. It should be 0 for them.",
            lambda x, draw, rate: torch.where((draw >= rate).view(-1, 1, 1), x / (1 - rate), x),
        ),
    ),
    "Whole images leave the branch, and the expected value stays the same.",
)
