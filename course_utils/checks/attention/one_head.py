"""Softmax and the attention weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake
from course_utils.model import attention as package


def _random(*shape: int, scale: float = 1.0) -> Tensor:
    """Return the same random numbers each time, whatever was drawn before."""
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(3))


# --- softmax


def _softmax_examples() -> list[tuple[Any, ...]]:
    return [
        (torch.tensor([[0.0, math.log(2.0)]]),),  # (1, 2): weights 1/3 and 2/3
        (torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]),),  # (2, 3)
        (_random(2, 3, 3),),
        (_random(2, 2, 3, 4),),
        (torch.tensor([[1000.0, 1001.0, 1002.0], [-1000.0, -1001.0, -1002.0]]),),
        (torch.tensor([[1000.0, 0.0, 0.0], [0.0, 0.0, 400.0]]),),  # what is large stands first, and last
        (torch.tensor([[200.0, 201.0, 202.0], [199.0, 202.0, 200.0]]),),  # all is large alike
    ]


def _softmax(x: Tensor) -> Tensor:
    return _shifted(x) / _shifted(x).sum(dim=-1, keepdim=True)


def _away(x: Tensor, shift: Tensor) -> Tensor:
    return (x - shift).exp() / (x - shift).exp().sum(dim=-1, keepdim=True)


def _shifted(x: Tensor) -> Tensor:
    return (x - x.amax(dim=-1, keepdim=True)).exp()


softmax = Exercise(
    "softmax",
    _softmax,
    _softmax_examples,
    (
        Mistake(
            "large numbers overflow",
            "Right for small numbers. For large ones exp() leaves the range of a float and the result is nan (exp(100) "
            "is infinite in float32; infinity divided by infinity is no number). Take the same number away from all "
            "scores of a row first: this changes no weight. Which number keeps exp() from growing too large?",
            lambda x: x.exp() / x.exp().sum(dim=-1, keepdim=True),
            lambda x: (x.double().exp() / x.double().exp().sum(dim=-1, keepdim=True)).float(),
        ),
        Mistake(
            "another number than the largest is taken away",
            "You take a number away from each row, but not its largest. In the row 1000, 0, 0 something large is then "
            "still left, exp() of it is infinite, and the result is nan. Which number leaves nothing above 0?",
            lambda x: _away(x, x.mean(dim=-1, keepdim=True)),
            lambda x: _away(x, x[..., :1]),
            lambda x: _away(x, x[..., -1:]),
            lambda x: _away(x, x.amin(dim=-1, keepdim=True)),
            lambda x: _away(x, x.median(dim=-1, keepdim=True).values),
            lambda x: _away(x, x.mean()),
        ),
        Mistake(
            "one maximum for the whole tensor",
            "You take the largest number of the whole tensor away. A row that lies far below it becomes exp(-2000) = 0 "
            "everywhere, and 0 divided by 0 is nan. Each row needs its own largest number.",
            lambda x: (x - x.max()).exp() / (x - x.max()).exp().sum(dim=-1, keepdim=True),
        ),
        Mistake(
            "over the wrong axis",
            "The columns sum to 1 here, not the rows. The last axis counts the keys: each query (each row) divides its "
            "attention among the keys. Which `dim` is the last one, however many axes there are?",
            lambda x: x.softmax(dim=-2),
            lambda x: x.softmax(dim=0),
            lambda x: x.exp() / x.exp().sum(dim=0, keepdim=True),
            lambda x: x.exp() / x.exp().sum(dim=-2, keepdim=True),
            lambda x: _shifted(x) / _shifted(x).sum(dim=-2, keepdim=True),
            lambda x: _shifted(x) / _shifted(x).sum(dim=0, keepdim=True),
            lambda x: x.softmax(dim=1),
        ),
        Mistake(
            "normalised over everything",
            "All numbers of the tensor together sum to 1. Each row must sum to 1 by itself: sum() needs to know along "
            "which axis.",
            lambda x: _shifted(x) / _shifted(x).sum(),
            lambda x: (x - x.max()).exp() / (x - x.max()).exp().sum(),
            lambda x: x.exp() / x.exp().sum(),
        ),
        Mistake(
            "the summed axis is gone",
            "A maximum or a sum over the last axis has one axis less, so it lines up with the columns, not with the "
            "rows: an error at best, silently wrong numbers for a square matrix. Look for `keepdim`.",
            lambda x: _shifted(x) / _shifted(x).sum(dim=-1),
            lambda x: (x - x.amax(dim=-1)).exp(),
            lambda x: x.exp() / x.exp().sum(dim=-1),
        ),
        Mistake(
            "no exponential",
            "You divide the scores themselves by their sum. Scores can be negative or sum to 0, and weights must be "
            "positive. Softmax takes the exponential of each score first.",
            lambda x: x / x.sum(dim=-1, keepdim=True),
            lambda x: (x - x.amax(dim=-1, keepdim=True)) / (x - x.amax(dim=-1, keepdim=True)).sum(dim=-1, keepdim=True),
            lambda x: (x - x.amin(dim=-1, keepdim=True)) / (x - x.amin(dim=-1, keepdim=True)).sum(dim=-1, keepdim=True),
        ),
        Mistake(
            "not divided by the sum",
            "The exponentials are there, but a row does not sum to 1 yet. Weights are shares: divide each by the sum "
            "of its row.",
            _shifted,
            lambda x: x.exp(),
        ),
        Mistake(
            "the logarithm of the weights",
            "These are the logarithms of the right weights (all negative or 0). That is useful in a loss, but "
            "attention needs the weights themselves.",
            lambda x: x.log_softmax(dim=-1),
        ),
        Mistake(
            "PyTorch's own softmax",
            "The result is right, but PyTorch made it. Here the point is to write it: exp() and a sum.",
            lambda x: x.softmax(dim=-1),
            lambda x: x.log_softmax(dim=-1).exp(),
        ),
        Mistake(
            "large scores are cut off",
            "You cut the scores off at some number. Then different scores become equal, and the weights are wrong. "
            "Take the largest number of the row away from all of the row instead: nothing is lost.",
            *(
                lambda x, most=most: x.clamp(-most, most).softmax(dim=-1)
                for most in (20, 30, 50, 60, 70, 80, 85, 88, 100, 500)
            ),
            *(
                lambda x, most=most: x.clamp(max=most).softmax(dim=-1)
                for most in (20, 30, 50, 60, 70, 80, 85, 88, 100, 500)
            ),
        ),
        Mistake(
            "nan is replaced",
            "Where exp() overflows, you replace nan by a number: the weights there are lost. It must not overflow: "
            "take the largest number of each row away first.",
            lambda x: (x.exp() / x.exp().sum(dim=-1, keepdim=True)).nan_to_num(nan=0.0),
            lambda x: (x.exp() / x.exp().sum(dim=-1, keepdim=True)).nan_to_num(nan=1.0),
        ),
        Mistake(
            "the largest is taken away only if it is positive",
            "You take the largest number away only where it is above 0. In a row of large negative numbers every "
            "exp() is then 0, and 0 / 0 is nan.",
            lambda x: _away(x, x.amax(dim=-1, keepdim=True).clamp(min=0)),
        ),
        Mistake(
            "another base",
            "You take powers of another number than e. Softmax takes exp().",
            lambda x: (x * math.log(2)).softmax(dim=-1),
            lambda x: (x * math.log(10)).softmax(dim=-1),
        ),
        Mistake(
            "divided by the largest",
            "You divide the scores by the largest one before exp(). That changes the weights, and turns signs round "
            "if it is negative. To *subtract* it changes nothing.",
            lambda x: (x / x.amax(dim=-1, keepdim=True)).softmax(dim=-1),
            lambda x: (x / x.abs().amax(dim=-1, keepdim=True)).softmax(dim=-1),
        ),
        Mistake(
            "something is added to the sum",
            "You add a small number to the sum, so the rows sum to less than 1. The sum is never 0: the largest score "
            "gives exp(0) = 1.",
            lambda x: _shifted(x) / (_shifted(x).sum(dim=-1, keepdim=True) + 0.1),
            lambda x: _shifted(x) / (_shifted(x).sum(dim=-1, keepdim=True) + 0.01),
            lambda x: _shifted(x) / (_shifted(x).sum(dim=-1, keepdim=True) + 1e-3),
            lambda x: _shifted(x) / (_shifted(x).sum(dim=-1, keepdim=True) + 1.0),
        ),
        Mistake(
            "all weights alike",
            "All your weights are alike, whatever the scores are. A larger score must get a larger weight.",
            lambda x: torch.ones_like(x) / x.shape[-1],
        ),
    ),
    "Every row sums to 1 over the last axis, and numbers of 1000 do not break it.",
    forbidden=("softmax", "log_softmax", "softmin", "special_softmax", "special_log_softmax", "_softmax"),
)


# --- attention_weights


def _attention_examples() -> list[tuple[Any, ...]]:
    q = torch.tensor([[2.0, 0.0], [0.0, 1.0], [2.0, 1.0]])  # (N, d) = (3, 2): the lesson's tokens
    k = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    shapes = (2, 3, 4), (3, 5, 2), (2, 3, 5, 4)
    large = torch.tensor([[[100.0, 0.0], [0.0, 100.0]]]), torch.tensor([[[100.0, 50.0], [50.0, 100.0]]])
    return [(q, k), *(tuple(_random(2, *shape)) for shape in shapes), large]


def _weights(q: Tensor, k: Tensor) -> Tensor:
    return package.attention_weights(q, k)


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.transpose(-2, -1)  # (B, h, N, N)


def _naive(x: Tensor) -> Tensor:
    return x.exp() / x.exp().sum(dim=-1, keepdim=True)


def _root(q: Tensor) -> float:
    return math.sqrt(q.shape[-1])


def _cosines(q: Tensor, k: Tensor) -> Tensor:
    return (q / q.norm(dim=-1, keepdim=True)) @ (k / k.norm(dim=-1, keepdim=True)).mT


def _future(q: Tensor) -> Tensor:
    return torch.full((q.shape[-2], q.shape[-2]), -math.inf).triu(1)


attention_weights = Exercise(
    "attention_weights",
    _weights,
    _attention_examples,
    (
        Mistake(
            "not scaled",
            "The scores go into the softmax as they are. Their variance grows with the width d, and the "
            "softmax becomes a hard choice with hardly a gradient. Divide the scores by something that depends on d.",
            lambda q, k: _scores(q, k).softmax(dim=-1),
        ),
        Mistake(
            "divided by d, not by its root",
            "You divide by d. The *variance* of the scores is d, so their standard deviation, their typical size, is "
            "something smaller. With d itself the weights are too even.",
            lambda q, k: (_scores(q, k) / q.shape[-1]).softmax(dim=-1),
        ),
        Mistake(
            "large numbers overflow",
            "Right for small scores. For large ones exp() leaves the range of a float and the result is nan. Use your "
            "softmax of exercise 1, or PyTorch's, which both take the largest score of a row away first.",
            lambda q, k: _naive(_scores(q, k) / _root(q)),
        ),
        Mistake(
            "multiplied by the root",
            "You multiply by the root of d. The scores were too large, and are now larger still. Which way must it go?",
            lambda q, k: (_scores(q, k) * _root(q)).softmax(dim=-1),
        ),
        Mistake(
            "scaled by the number of tokens",
            "You divide by the root of the number of tokens N. A dot product adds up d products, however many tokens "
            "there are. Which axis of q has the width d?",
            lambda q, k: (_scores(q, k) / math.sqrt(q.shape[-2])).softmax(dim=-1),
            lambda q, k: (_scores(q, k) / math.sqrt(q.numel())).softmax(dim=-1),
        ),
        Mistake(
            "scaled after the softmax",
            "The division comes too late: after the softmax the rows no longer sum to 1, and the softmax itself was as "
            "hard as without scaling. What has to be made smaller are the scores.",
            lambda q, k: _scores(q, k).softmax(dim=-1) / _root(q),
        ),
        Mistake(
            "softmax over the queries",
            "Here each column sums to 1: the queries compete for a key. It has to be the other way round: each query "
            "(row) divides its attention among the keys (last axis).",
            lambda q, k: (_scores(q, k) / _root(q)).softmax(dim=-2),
        ),
        Mistake(
            "axes counted from the front",
            "You name an axis from the front. That fits one number of axes only: with more axes before N and d it is "
            "another axis, which counts images, for example. Count from the end: -1 is the last axis, -2 the one "
            "before.",
            *(lambda q, k, dim=dim: (_scores(q, k) / _root(q)).softmax(dim=dim) for dim in (0, 1, 2, 3)),
            *(lambda q, k, one=one: (q @ k.transpose(one, one + 1) / _root(q)).softmax(dim=-1) for one in (0, 1, 2)),
            lambda q, k: (q @ k.permute(*reversed(range(k.ndim))) / _root(q)).softmax(dim=-1),  # k.T
            lambda q, k: (q @ k.transpose(1, 2) / _root(q)).softmax(dim=2),
            lambda q, k: (_scores(q, k) / math.sqrt(q.shape[1])).softmax(dim=-1),
            lambda q, k: (_scores(q, k) / math.sqrt(len(q))).softmax(dim=-1),
        ),
        Mistake(
            "queries and keys exchanged",
            "Rows and columns are exchanged: here each key asks the queries. Row i must belong to query i, column j to "
            "key j.",
            lambda q, k: (_scores(k, q) / _root(q)).softmax(dim=-1),
        ),
        Mistake(
            "reshaped in place of transposed",
            "The keys were brought to the shape (..., d, N) with a reshape. The shape fits, but the numbers stay in "
            "the order in which they lie in memory, so each column mixes several keys. What exchanges two axes?",
            lambda q, k: (q @ k.reshape(*k.shape[:-2], k.shape[-1], k.shape[-2]) / _root(q)).softmax(dim=-1),
        ),
        Mistake(
            "keys not transposed",
            "q is (..., N, d) and k is (..., N, d): these two cannot be multiplied as they are. For the matrix product "
            "the inner sizes must agree: (..., N, d) @ (..., d, N).",
            lambda q, k: (q @ k / _root(q)).softmax(dim=-1),
        ),
        Mistake(
            "no softmax",
            "These are the scores. To be weights they must be positive, and each row must sum to 1.",
            lambda q, k: _scores(q, k) / _root(q),
            _scores,
        ),
        Mistake(
            "the keys are not used",
            "Your scores compare the queries with each other, or the keys: one of the two is not used. A score belongs "
            "to one query and one key.",
            lambda q, k: _weights(q, q),
            lambda q, k: _weights(k, k),
        ),
        Mistake(
            "the scale is written in",
            "Your scale is a fixed number, right for the small example only. It must follow the width d, which is the "
            "last size of q.",
            lambda q, k: (_scores(q, k) / math.sqrt(2)).softmax(dim=-1),
            lambda q, k: (_scores(q, k) / math.sqrt(3)).softmax(dim=-1),
            lambda q, k: (_scores(q, k) / 2.0).softmax(dim=-1),
            lambda q, k: (_scores(q, k) / 8.0).softmax(dim=-1),
        ),
        Mistake(
            "the root is rounded",
            "You make a whole number of the root of d. Leave it as it is: the root of 2 is 1.414...",
            lambda q, k: (_scores(q, k) / int(_root(q))).softmax(dim=-1),
            lambda q, k: (_scores(q, k) / round(_root(q))).softmax(dim=-1),
            lambda q, k: (_scores(q, k) // _root(q)).softmax(dim=-1),
        ),
        Mistake(
            "product number by number",
            "You multiply q and k number by number. A score is a dot product, one number for each pair of tokens: "
            "that is the matrix product @.",
            lambda q, k: (q * k / _root(q)).softmax(dim=-1),
        ),
        Mistake(
            "the width compared with itself",
            "Your table is (d, d): you turned q round, so channels are compared. A table (N, N) of tokens is asked: "
            "which of the two must be turned round?",
            lambda q, k: (q.mT @ k / _root(q)).softmax(dim=-1),
            lambda q, k: (k.mT @ q / _root(q)).softmax(dim=-1),
        ),
        Mistake(
            "cosines",
            "You divide the lengths of queries and keys out. Attention does not: a long key may win.",
            lambda q, k: (_cosines(q, k) / _root(q)).softmax(dim=-1),
            lambda q, k: _cosines(q, k).softmax(dim=-1),
        ),
        Mistake(
            "the future is hidden",
            "Each token sees itself and those before it only, as in a language model. In a Vision Transformer every "
            "token sees all.",
            lambda q, k: (_scores(q, k) / _root(q) + _future(q)).softmax(dim=-1),
        ),
        Mistake(
            "mean over what stands before",
            "You take a mean over the axes that stand before. They hold images or heads, and each has weights of its "
            "own.",
            lambda q, k: (
                _weights(q, k).mean(dim=tuple(range(q.ndim - 2)), keepdim=True)
                if q.ndim > 2
                else _weights(q, k)[None, None].mean((0, 1, 2, 3), keepdim=True)[0, 0]
            ),
            lambda q, k: _weights(q, k).mean(dim=tuple(range(q.ndim - 2))),
            lambda q, k: _weights(q, k).mean(dim=0),
        ),
    ),
    "Each row sums to 1, and the scale is the root of the width d, however many axes stand before.",
    forbidden=(package.attention_weights,),
)
