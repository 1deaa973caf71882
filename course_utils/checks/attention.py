"""Lesson 03 (attention): checks of the exercises."""

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
        (torch.tensor([[1000.0, 1001.0, 1002.0], [-1000.0, -1001.0, -1002.0]]),),
    ]


def _shifted(x: Tensor) -> Tensor:
    return (x - x.amax(dim=-1, keepdim=True)).exp()


softmax = Exercise(
    "softmax",
    lambda x: x.softmax(dim=-1),
    _softmax_examples,
    (
        Mistake(
            "large numbers overflow",
            "Right for small numbers. For large ones exp() leaves the range of a float and the result is nan (exp(100) "
            "is infinite in float32; infinity divided by infinity is no number). Take the same number away from all "
            "scores of a row first: this changes no weight. Which number keeps exp() from growing too large?",
            lambda x: x.exp() / x.exp().sum(dim=-1, keepdim=True),
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
    ),
    "Every row sums to 1 over the last axis, and numbers of 1000 do not break it.",
)


# --- attention_weights


def _attention_examples() -> list[tuple[Any, ...]]:
    q = torch.tensor([[[[2.0, 0.0], [0.0, 1.0], [2.0, 1.0]]]])  # (B, h, N, d) = (1, 1, 3, 2): the lesson's tokens
    k = torch.tensor([[[[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]]])
    more = [(_random(*shape), _random(*shape).flip(0, 1, 2)) for shape in ((1, 2, 3, 4), (2, 3, 5, 4))]
    return [(q, k), *more]


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.transpose(-2, -1)  # (B, h, N, N)


def _root(q: Tensor) -> float:
    return math.sqrt(q.shape[-1])


attention_weights = Exercise(
    "attention_weights",
    package.attention_weights,
    _attention_examples,
    (
        Mistake(
            "scaled by the model width",
            "You divide by the root of the model width D = h · d. The dot product of one head has only d terms, so its "
            "variance grows with d, not with D. With D the weights are too even; with one head alone nobody notices. "
            "Which axis of q has the width of a head?",
            lambda q, k: (_scores(q, k) / math.sqrt(q.shape[1] * q.shape[-1])).softmax(dim=-1),
        ),
        Mistake(
            "not scaled",
            "The scores go into the softmax as they are. Their variance grows with the width d of the head, and the "
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
            "multiplied by the root",
            "You multiply by the root of d. The scores were too large, and are now larger still. Which way must it go?",
            lambda q, k: (_scores(q, k) * _root(q)).softmax(dim=-1),
        ),
        Mistake(
            "scaled by the number of tokens",
            "You divide by the root of the number of tokens N. A dot product adds up d products, however many tokens "
            "there are. Which axis of q has the width of a head?",
            lambda q, k: (_scores(q, k) / math.sqrt(q.shape[-2])).softmax(dim=-1),
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
            "softmax over the heads or the images",
            "The softmax runs over an axis that counts heads or images. Heads and images must not mix: each row of "
            "each score matrix sums to 1 by itself. Count axes from the end, then it does not matter how many stand "
            "before.",
            lambda q, k: (_scores(q, k) / _root(q)).softmax(dim=1),
            lambda q, k: (_scores(q, k) / _root(q)).softmax(dim=0),
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
    ),
    "Each row sums to 1, and the scale is the root of the head width, also with several heads.",
)


# --- split_heads


def _count(*shape: int) -> Tensor:
    """Return a tensor whose numbers say where they stood: 0, 1, 2, ..."""
    return torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)


def _cut(x: Tensor, h: int) -> Tensor:
    return x.reshape(x.shape[0], x.shape[1], h, x.shape[2] // h)  # (B, N, D) -> (B, N, h, d)


def _interleaved(x: Tensor, h: int) -> Tensor:
    return x.reshape(x.shape[0], x.shape[1], x.shape[2] // h, h)  # (B, N, D) -> (B, N, d, h)


split_heads = Exercise(
    "split_heads",
    lambda x, num_heads: _cut(x, num_heads).transpose(1, 2),
    lambda: [(_count(1, 2, 4), 2), (_count(2, 6, 12), 3), (_count(1, 4, 6), 2)],
    (
        Mistake(
            "a bare reshape",
            "The shape is right, the numbers are not: they stay in the order in which they lie in memory, so head 0 "
            "gets the first *tokens* in place of the first *channels*. Cut the axis D in two first, then exchange two "
            "axes.",
            lambda x, h: x.reshape(x.shape[0], h, x.shape[1], x.shape[2] // h),
        ),
        Mistake(
            "tokens and heads not exchanged",
            "The width is cut correctly, but the result is (B, N, h, d). A matrix product works on the last two axes, "
            "so here every token would attend among its own heads. N and d must be the last two.",
            _cut,
        ),
        Mistake(
            "interleaved channels",
            "Head 0 gets the channels 0, h, 2h, ... Each head must get d *neighbouring* channels: head 0 the first d, "
            "head 1 the next d. When you cut D, which part changes slowly and comes first?",
            lambda x, h: _interleaved(x, h).permute(0, 3, 1, 2),
        ),
        Mistake(
            "head width and number of heads exchanged",
            "You make d heads of width h. That goes unnoticed when both are the same number. num_heads says how many "
            "heads there are; the width of each follows from D.",
            lambda x, h: _interleaved(x, h).transpose(1, 2),
        ),
        Mistake(
            "tokens and channels exchanged",
            "Each head has the right numbers, but as (d, N): its tokens are columns. The order of the axes is "
            "(B, h, N, d): a row is a token.",
            lambda x, h: _cut(x, h).permute(0, 2, 3, 1),
        ),
        Mistake(
            "heads on the last axis",
            "The heads stand on the last axis. A matrix product works on the last two axes, and these must be a "
            "head's tokens and channels: (B, h, N, d).",
            lambda x, h: _cut(x, h).transpose(2, 3),
            _interleaved,
        ),
        Mistake(
            "heads before the batch",
            "The heads stand before the images: (h, B, N, d). It could be made to work, but nearly every library "
            "expects the batch first: (B, h, N, d).",
            lambda x, h: _cut(x, h).permute(2, 0, 1, 3),
        ),
        Mistake(
            "the tokens are split",
            "You give each head a part of the tokens. Every head sees *all* tokens, and a part of the channels.",
            lambda x, h: x.unflatten(1, (h, -1)),
        ),
    ),
    "Head i has the channels from i·d to (i+1)·d of every token.",
)


# --- causal_weights


def _causal_examples() -> list[tuple[Any, ...]]:
    return [(torch.zeros(3, 3),), (_random(2, 4, 4),), (_random(1, 2, 5, 5),)]


def _later(scores: Tensor, diagonal: int = 1) -> Tensor:
    """Return True where the key comes after the query."""
    return torch.ones(scores.shape[-2:], dtype=torch.bool).triu(diagonal)  # (N, N)


def _filled(scores: Tensor, where: Tensor, value: float = -math.inf) -> Tensor:
    return scores.masked_fill(where, value).softmax(dim=-1)


causal_weights = Exercise(
    "causal_weights",
    lambda scores: _filled(scores, _later(scores)),
    _causal_examples,
    (
        Mistake(
            "0 in place of minus infinity",
            "You set the scores of later tokens to 0. But exp(0) = 1, so they still get weight. Which score has the "
            "exponential 0?",
            lambda scores: _filled(scores, _later(scores), 0.0),
        ),
        Mistake(
            "weights taken away after the softmax",
            "The later tokens got their share first, and then it was thrown away: the rows no longer sum to 1. Shut "
            "them out *before* the softmax, so that the others share the whole.",
            lambda scores: scores.softmax(dim=-1).tril(),
        ),
        Mistake(
            "the wrong triangle",
            "Here each token sees itself and those *after* it. Causal means: itself and those before it. Row 0 may see "
            "column 0 only.",
            lambda scores: _filled(scores, ~_later(scores, 0)),
        ),
        Mistake(
            "a token does not see itself",
            "The diagonal is shut too. A token may see itself; otherwise row 0 has nothing left to see, and becomes "
            "nan or evenly spread over what it must not see.",
            lambda scores: _filled(scores, _later(scores, 0)),
            lambda scores: _filled(scores, _later(scores, 0), -1e9),
        ),
        Mistake(
            "0 times minus infinity",
            "A mask of 0 and 1 was multiplied by minus infinity. 0 times infinity is nan, and it spreads over the "
            "whole row. Fill in minus infinity only where it belongs.",
            lambda scores: (scores + _later(scores).float() * -math.inf).softmax(dim=-1),
        ),
        Mistake(
            "scores of 0 shut out too",
            "You look for zeros after cutting off the triangle. But a score can be 0 by itself, as in this example, "
            "and is then shut out as well. Decide by the place in the matrix, never by the value.",
            lambda scores: _filled(scores, scores.tril() == 0),
        ),
        Mistake(
            "a one in place of infinity",
            "A mask of 0 and 1 was added to the scores or taken away. That makes later tokens a little less likely, "
            "but does not shut them out: their weights must be exactly 0.",
            lambda scores: (scores - _later(scores).float()).softmax(dim=-1),
        ),
        Mistake(
            "no mask",
            "Every token still sees every other one. This is the attention of a Vision Transformer; the task is to "
            "shut the later tokens out.",
            lambda scores: scores.softmax(dim=-1),
        ),
        Mistake(
            "minus infinity after the softmax",
            "The weights of later tokens are minus infinity now. A weight is a share from 0 to 1. Minus infinity "
            "belongs into the *scores*, before the softmax turns it into 0.",
            lambda scores: scores.softmax(dim=-1).masked_fill(_later(scores), -math.inf),
        ),
        Mistake(
            "softmax over the queries",
            "The mask is right, but here the columns sum to 1. Each query (row) divides its attention among the keys "
            "(last axis).",
            lambda scores: scores.masked_fill(_later(scores), -math.inf).softmax(dim=-2),
        ),
    ),
    "No token takes from a later one, and every row still sums to 1.",
)
