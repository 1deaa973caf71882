"""The map of the class token."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_utils.analysis import attention_maps as maps
from course_utils.checks.attention_maps.weights import random_weights
from course_utils.checks.core import Exercise, Mistake


def _side(weights: Tensor) -> int:
    """Return the side of the square that the patches would make, rounded down."""
    return math.isqrt(weights.shape[-1] - 1)


# --- class_token_map

TWO_HEADS = torch.tensor(
    [
        [[0.2, 0.6, 0.2], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]],
        [[0.4, 0.2, 0.4], [0.5, 0.2, 0.3], [0.0, 0.6, 0.4]],
    ]
)

class_token_map = Exercise(
    name="class_token_map",
    answer=lambda weights, grid: maps.class_token_grid(weights.mean(dim=0), grid),
    examples=lambda: [
        (TWO_HEADS, (1, 2)),
        (random_weights(0, 3, 7, 7), (2, 3)),
        (random_weights(1, 2, 13, 13), (4, 3)),
        (random_weights(6, 5, 11, 11), (5, 2)),
    ],
    mistakes=(
        Mistake(
            "column instead of row",
            "You took the first column: how much every patch takes FROM the class token. The map asks for the "
            "opposite: how much the class token takes from every patch. Which axis is the token that takes?",
            lambda w, g: w.mean(0)[1:, 0].reshape(g),
        ),
        Mistake(
            "class token not removed",
            "Your row still has one number for every token, so it does not fit the grid, which has patches only. One "
            "of the tokens is no patch.",
            lambda w, g: w.mean(0)[0].reshape(g),
            lambda w, g: w[:, 0].mean(0).reshape(g[0], g[1]),
            lambda w, g: w.mean(0)[0].unflatten(0, g),
            lambda w, g: w[:, 0].reshape(len(w), *g),
            lambda w, g: w.mean(0)[0],
        ),
        Mistake(
            "last token dropped instead of the first",
            "Your row has the right length, but you left out the last patch and kept the class token. At which end of "
            "the sequence does the class token stand?",
            lambda w, g: w.mean(0)[0, :-1].reshape(g),
        ),
        Mistake(
            "row of a patch instead of the class token",
            "You took the row of another token. The class token is the first token of the sequence, number 0.",
            lambda w, g: w.mean(0)[1, 1:].reshape(g),
            lambda w, g: w.mean(0)[-1, 1:].reshape(g),
        ),
        Mistake(
            "maximum over the heads",
            "You took the largest weight of any head. One head that looks at a patch is then enough to make it bright. "
            "The task asks for the mean over the heads.",
            lambda w, g: w.amax(0)[0, 1:].reshape(g),
        ),
        Mistake(
            "sum over the heads",
            "You added the heads up. With h heads, your weights are h times too large, and 1/N no longer says where "
            "uniform attention would be.",
            lambda w, g: w.sum(0)[0, 1:].reshape(g),
        ),
        Mistake(
            "one head only",
            "You took one head and left the others out. The map is the mean over all heads.",
            lambda w, g: w[0, 0, 1:].reshape(g),
            lambda w, g: w[-1, 0, 1:].reshape(g),
        ),
        Mistake(
            "heads still apart",
            "You returned one map for each head. The task asks for one map: fuse the heads.",
            lambda w, g: w[:, 0, 1:].reshape(len(w), *g),
            lambda w, g: w[:, 0, 1:].reshape(g),
            lambda w, g: w[:, 0, 1:].view(g),
            lambda w, g: w[:, 0, 1:].unflatten(-1, g),
        ),
        Mistake(
            "mean over the wrong axis",
            "You averaged, but not over the heads: along the columns every row has the same mean, 1/N, and along the "
            "rows nobody can tell any more which token takes. Which of the three axes holds the heads?",
            lambda w, g: w.mean(-1)[0, 1:].reshape(g),
            lambda w, g: w.mean(1)[0, 1:].reshape(g),
            lambda w, g: w.mean(-1).mean(0)[1:].reshape(g),
        ),
        Mistake(
            "divided by a fixed number of heads",
            "You divided by a number that you wrote down. Other models have other numbers of heads: take it from the "
            "weights, or let `mean` count.",
            lambda w, g: w.sum(0)[0, 1:].reshape(g) / 4,
            lambda w, g: w.sum(0)[0, 1:].reshape(g) / 2,
        ),
        Mistake(
            "square grid assumed",
            "You took the grid for a square. It may be longer than wide: rows and columns come in `grid`.",
            lambda w, g: w.mean(0)[0, 1:].reshape(_side(w), -1),
            lambda w, g: w.mean(0)[0, 1:].reshape(_side(w), _side(w)),
            lambda w, g: w.mean(0)[0, 1:].reshape(g[0], g[0]),
        ),
        Mistake(
            "scaled to its own largest value",
            "You scaled the map so that its brightest patch is 1. Then maps cannot be compared, and 1/N is no longer "
            "the right mark. Give the weights as they are.",
            lambda w, g: (w.mean(0)[0, 1:] / w.mean(0)[0, 1:].max()).reshape(g),
            lambda w, g: ((x := w.mean(0)[0, 1:]) - x.min()).div(x.max() - x.min()).reshape(g),
        ),
        Mistake(
            "mean over all rows",
            "You averaged over all tokens that take. That says how much a patch is used by all tokens together. The "
            "map asks for one token only: the class token.",
            lambda w, g: w.mean((0, 1))[1:].reshape(g),
            lambda w, g: w[:, 1:, 1:].mean((0, 1)).reshape(g),
        ),
        Mistake(
            "grid transposed",
            "Your numbers are right but stand in the wrong places. Patches are numbered row by row, as we read: the "
            "first row of the grid comes first, from left to right.",
            lambda w, g: w.mean(0)[0, 1:].reshape(g[1], g[0]),
            lambda w, g: w.mean(0)[0, 1:].reshape(g[1], g[0]).T,
            lambda w, g: w.mean(0)[0, 1:].reshape(g).T,
        ),
        Mistake(
            "normalised again",
            "You divided the map by its sum, or by uniform attention. Then nobody can see how much the class token "
            "keeps from itself, and 1/N is no longer the right mark. Give the weights as they are.",
            lambda w, g: (w.mean(0)[0, 1:] / w.mean(0)[0, 1:].sum()).reshape(g),
            lambda w, g: (w[:, 0, 1:] / w[:, 0, 1:].sum(-1, keepdim=True)).mean(0).reshape(g),
            lambda w, g: (w.mean(0)[0, 1:] * w.shape[-1]).reshape(g),
            lambda w, g: (w.mean(0)[0, 1:] * (w.shape[-1] - 1)).reshape(g),
        ),
        Mistake(
            "the median of the heads",
            "You took the median of the heads. The task asks for the mean.",
            lambda w, g: w.quantile(0.5, dim=0)[0, 1:].reshape(g),
            lambda w, g: w.median(dim=0).values[0, 1:].reshape(g),
        ),
    ),
    proved="It gives the same maps as course_utils, for square and other grids and any number of heads.",
    forbidden=(maps.class_token_grid,),
    in_a_model=False,
)
