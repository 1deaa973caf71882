"""Rollout: attention through all layers."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.analysis import attention_maps as maps
from course_utils.checks.attention_maps.weights import random_weights
from course_utils.checks.core import Exercise, Mistake

STEPS = torch.tensor(  # the worked example of the lesson: two layers of one head, three tokens
    [
        [[[0.4, 0.6, 0.0], [0.2, 0.8, 0.0], [0.0, 0.4, 0.6]]],
        [[[0.6, 0.0, 0.4], [0.4, 0.4, 0.2], [0.2, 0.2, 0.6]]],
    ]
)


def _mixing(weights: Tensor) -> Tensor:
    """Half attention, half identity, for each layer: (L, h, N, N) -> (L, N, N)."""
    return (weights.mean(dim=1) + torch.eye(weights.shape[-1])) / 2


def _product(layers: Tensor) -> Tensor:
    """Multiply matrices (L, N, N) so that the last layer stands on the left."""
    result = torch.eye(layers.shape[-1])
    for layer in layers:
        result = layer @ result
    return result


def _unbracketed(weights: Tensor) -> Tensor:
    identity = torch.eye(weights.shape[-1])
    result = identity
    for layer in weights.mean(dim=1):
        result = layer + identity / 2 @ result
    return result


def _every_step(weights: Tensor) -> Tensor:
    return torch.stack([_product(_mixing(weights[: n + 1])) for n in range(len(weights))])


rollout = Exercise(
    name="rollout",
    answer=lambda weights: maps.rollout(weights),
    examples=lambda: [
        (STEPS,),
        (random_weights(2, 3, 2, 4, 4),),
        (random_weights(3, 4, 3, 6, 6),),
        (random_weights(7, 1, 2, 5, 5),),  # a single layer counts, too
    ],
    mistakes=(
        Mistake(
            "no residual connection",
            "You multiplied the attention matrices as they are. In each block a token also keeps itself: the residual "
            "connection. Without it, rollout forgets where a token stood.",
            lambda w: _product(w.mean(1)),
        ),
        Mistake(
            "product in the wrong order",
            "Your factors are right, but the order is not. Matrix products read from right to left: the layer that "
            "comes first in the model stands furthest right.",
            lambda w: _product(_mixing(w).flip(0)),
        ),
        Mistake(
            "sum instead of average",
            "You added the identity but did not divide the whole sum by 2. Each row of A + I sums to 2, so after L "
            "layers each row of your result sums to 2 to the power L. Every row must sum to 1. Where are your "
            "brackets?",
            lambda w: _product(2 * _mixing(w)),
            lambda w: _product(w.mean(1) + torch.eye(w.shape[-1]) / 2),
            lambda w: _product(w.mean(1) / 2 + torch.eye(w.shape[-1])),
        ),
        Mistake(
            "only one layer",
            "Your result holds one layer only. Rollout follows the tokens through all layers: does your loop overwrite "
            "its result, or return too early?",
            lambda w: _mixing(w)[-1],
            lambda w: _mixing(w)[0],
            lambda w: w[-1].mean(0),
        ),
        Mistake(
            "a layer left out",
            "One layer is missing in your product. Where does your loop start, and where does it end?",
            lambda w: _product(_mixing(w)[1:]),
            lambda w: _product(_mixing(w)[:-1]),
        ),
        Mistake(
            "elementwise product",
            "You multiplied number by number. To follow a path over every token in between, sum over that token: that "
            "is what a matrix product does.",
            lambda w: _mixing(w).prod(0),
        ),
        Mistake(
            "layers averaged",
            "You added or averaged the layers. Then no layer builds on the one before. The output of one layer is the "
            "input of the next: that is a product of matrices.",
            lambda w: _mixing(w).mean(0),
            lambda w: _mixing(w).sum(0),
            lambda w: torch.matrix_power(_mixing(w).mean(0), len(w)),
        ),
        Mistake(
            "residual connection only once",
            "You mixed in the identity once, before or after the whole product. Every block has its own residual "
            "connection, so it belongs into every factor.",
            lambda w: (_product(w.mean(1)) + torch.eye(w.shape[-1])) / 2,
        ),
        Mistake(
            "maximum over the heads",
            "You took the largest weight of any head. Such a row sums to more than 1. The task asks for the mean over "
            "the heads.",
            lambda w: _product((w.amax(1) + torch.eye(w.shape[-1])) / 2),
            lambda w: _product(maps.rollout(w[:, None], head_fusion="max")),
            lambda w: _product((m := w.amax(1) + torch.eye(w.shape[-1])) / m.sum(-1, keepdim=True)),
        ),
        Mistake(
            "one head only",
            "You took one head and left the others out. Take the mean over all heads of a layer before you multiply.",
            lambda w: _product(_mixing(w[:, :1])),
            lambda w: _product(_mixing(w[:, -1:])),
        ),
        Mistake(
            "heads averaged at the end",
            "You followed each head through all layers and averaged then. But a head does not hand on to the head of "
            "the same number: every layer reads what all heads of the layer before have written. Average first, then "
            "multiply.",
            lambda w: torch.stack([_product(_mixing(w[:, [head]])) for head in range(w.shape[1])]).mean(0),
        ),
        Mistake(
            "heads still apart",
            "You returned one matrix for each head. The task asks for one: take the mean over the heads first.",
            lambda w: torch.stack([_product(_mixing(w[:, [head]])) for head in range(w.shape[1])]),
        ),
        Mistake(
            "heads added up",
            "You added the heads up. With h heads, attention then counts h times as much as the residual connection, "
            "and no row sums to 1. The task asks for the mean over the heads.",
            lambda w: _product((w.sum(1) + torch.eye(w.shape[-1])) / 2),
        ),
        Mistake(
            "mean over the wrong axis",
            "You averaged over the layers instead of the heads, so your product runs over the heads. In (L, h, N, N), "
            "which axis holds the heads?",
            lambda w: _product((w.mean(0) + torch.eye(w.shape[-1])) / 2),
        ),
        Mistake(
            "a layer twice",
            "Layer 0 counts twice: it is the start value, and your loop begins with it again.",
            lambda w: _product(_mixing(w)) @ _mixing(w)[0],
        ),
        Mistake(
            "only the row of the class token",
            "You returned one row. The task asks for the whole matrix (N, N), a row for every token.",
            lambda w: _product(_mixing(w))[0],
            lambda w: _product(_mixing(w))[0, 1:],
        ),
        Mistake(
            "the same layer every time",
            "Your loop multiplies the same layer again and again. Does it use its loop variable?",
            lambda w: torch.matrix_power(_mixing(w)[0], len(w)),
            lambda w: torch.matrix_power(_mixing(w)[-1], len(w)),
        ),
        Mistake(
            "rows and columns exchanged",
            "Your result lies on its side: its columns sum to 1, not its rows. Row = the token after the last layer "
            "that takes, column = the token of the input.",
            lambda w: _product(_mixing(w)).mT,
            lambda w: _product(_mixing(w.mT)),
        ),
        Mistake(
            "identity taken away at the end",
            "You took the identity away at the end. That belongs to the gradient-weighted map. In a rollout every row "
            "sums to 1.",
            lambda w: _product(_mixing(w)) - torch.eye(w.shape[-1]),
        ),
        Mistake(
            "normalised down the columns",
            "You made the columns sum to 1 instead of the rows. A row is the token that takes; what it takes must sum "
            "to 1. Which axis runs along a row?",
            lambda w: _product(_mixing(w) / _mixing(w).sum(-2, keepdim=True)),
        ),
        Mistake(
            "keepdim forgotten",
            "You divided by the sums of the rows without `keepdim=True`. PyTorch then lines the sums, (L, N), up with "
            "the last two axes of (L, N, N), and they do not fit.",
            lambda w: _product(w.mean(1) / w.mean(1).sum(-1)),
            lambda w: _product(2 * _mixing(w) / (2 * _mixing(w)).sum(-1)),
        ),
        Mistake(
            "the product before the sum",
            "The matrix product is computed before the sum, so it meets the identity alone. Put brackets around the "
            "sum: first mix, then multiply.",
            _unbracketed,
        ),
        Mistake(
            "ones in place of the identity",
            "You added a matrix full of ones. The identity has ones on its diagonal only: a token keeps *itself*.",
            lambda w: _product((w.mean(1) + 1) / 2),
        ),
        Mistake(
            "the first layer without the identity",
            "Your start value is the first layer as it is. It has a residual connection too: mix the identity into "
            "every layer.",
            lambda w: _product(_mixing(w)[1:]) @ w[0].mean(0),
        ),
        Mistake(
            "two layers written in",
            "Your code multiplies two layers, whatever there is. Loop over all layers.",
            lambda w: _product(_mixing(w)[:2]),
        ),
        Mistake(
            "every step is kept",
            "You return the product after each layer. The task asks for the last one, (N, N).",
            _every_step,
        ),
    ),
    proved="It gives the same as course_utils, for any number of layers and heads, and every row sums to 1.",
    forbidden=(maps.rollout,),
    in_a_model=False,
)
