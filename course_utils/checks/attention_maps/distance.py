"""How far heads look."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.analysis import attention_maps as maps
from course_utils.checks.attention_maps.weights import random_weights
from course_utils.checks.core import Exercise, Mistake
from course_utils.model.embeddings import grid_coordinates

Grid = tuple[int, int]


ONE_HEAD = torch.tensor(
    [
        [
            [0.2, 0.2, 0.2, 0.2, 0.2],
            [0.2, 0.4, 0.2, 0.0, 0.2],
            [0.0, 0.0, 1.0, 0.0, 0.0],
            [0.6, 0.1, 0.2, 0.1, 0.0],
            [0.5, 0.0, 0.0, 0.5, 0.0],
        ]
    ]
)


def _distances(grid: Grid, patch_size: int, order: float = 2.0) -> Tensor:
    """Distance in pixels from every patch to every patch: (patches, patches)."""
    places = grid_coordinates(grid).float() * patch_size
    return torch.cdist(places, places, p=order)


def _per_head(weights: Tensor, distances: Tensor) -> Tensor:
    """Mean over the rows of the weighted mean distance, for patches: (h, patches, patches) -> (h,)."""
    return ((weights * distances).sum(-1) / weights.sum(-1)).mean(-1)


def _padded(distances: Tensor) -> Tensor:
    """Put a row and a column of zeros before distances, as if the class token were everywhere: (N, N)."""
    return torch.nn.functional.pad(distances, (1, 0, 1, 0))


def _without_class(weights: Tensor) -> Tensor:
    """Drop the class token's column, and let each row sum to 1 again; its row stays: (h, N, patches)."""
    patches = weights[:, :, 1:]
    return patches / patches.sum(-1, keepdim=True)


def _shares(weights: Tensor) -> Tensor:
    """Drop the class token, and let each row sum to 1 again: (h, patches, patches)."""
    return weights[:, 1:, 1:] / weights[:, 1:, 1:].sum(-1, keepdim=True)


def _differences(count: int) -> Tensor:
    """Return how far the numbers 0, 1, ... lie apart: (count, count)."""
    numbers = torch.arange(count).float()
    return (numbers[:, None] - numbers).abs()


def _off_diagonal(weights: Tensor) -> Tensor:
    """Set what each token takes from itself to 0."""
    return weights * (1 - torch.eye(weights.shape[-1]))


def _with_distances(distances: Callable[[Grid, int], Tensor]) -> Callable[[Tensor, Grid, int], Tensor]:
    """Imitate an attempt that is right but for the distances."""
    return lambda w, g, p: _per_head(w[:, 1:, 1:], distances(g, p))


mean_attention_distance = Exercise(
    name="mean_attention_distance",
    answer=lambda weights, grid, patch_size: maps.mean_attention_distance(weights[None, None], grid, patch_size)[0],
    examples=lambda: [
        (ONE_HEAD, (2, 2), 4),
        (random_weights(4, 2, 7, 7), (2, 3), 8),
        (random_weights(5, 3, 13, 13), (4, 3), 5),
        (random_weights(8, 6, 7, 7), (3, 2), 2),  # as many heads as patches
    ],
    mistakes=(
        Mistake(
            "in patches instead of pixels",
            "Your distances count patches. From one patch to the next it is P pixels, not 1. In patches, models with "
            "different patch sizes cannot be compared.",
            _with_distances(lambda g, p: _distances(g, 1)),
        ),
        Mistake(
            "squared distance",
            "You used the squared distance, or multiplied by P inside the root. The result is then no length in "
            "pixels. What is missing after the sum of the squares, and where does P belong?",
            _with_distances(lambda g, p: _distances(g, p) ** 2),
            _with_distances(lambda g, p: p * _distances(g, 1) ** 2),
            _with_distances(lambda g, p: _distances(g, 1) * math.sqrt(p)),
        ),
        Mistake(
            "steps along rows and columns",
            "You added the steps along the rows and along the columns, as a taxi drives. The task asks for the "
            "straight line between two centres (Pythagoras).",
            _with_distances(lambda g, p: _distances(g, p, order=1.0)),
        ),
        Mistake(
            "not weighted",
            "Your result does not depend on the attention weights: every patch counts the same. It is the distance of "
            "a head that looks everywhere alike.",
            lambda w, g, p: _distances(g, p).mean().expand(len(w)),
            lambda w, g, p: _distances(g, p).mean(),
        ),
        Mistake(
            "class token not removed",
            "The weights have one row and one column more than there are patches. The class token has no place in the "
            "picture, so it has no distance: leave it out, as row and as column.",
            lambda w, g, p: _per_head(w, _distances(g, p)),
            lambda w, g, p: _distances(g, p) * w,
            lambda w, g, p: _per_head(w[:, :, 1:], _distances(g, p)),
            lambda w, g, p: _distances(g, p) * w[:, :, 1:],
        ),
        Mistake(
            "class token given a place",
            "You gave the class token a distance of 0 and kept it in the mean. It has no place in the picture: a head "
            "that takes much from it would look local. Leave it out, as row and as column.",
            lambda w, g, p: (w * _padded(_distances(g, p))).sum(-1).mean(-1),
            lambda w, g, p: (_without_class(w) * _padded(_distances(g, p))[:, 1:]).sum(-1).mean(-1),
        ),
        Mistake(
            "own patch left out",
            "You left out what a patch takes from itself. That is attention, too, at a distance of 0.",
            lambda w, g, p: _per_head(_off_diagonal(w[:, 1:, 1:]), _distances(g, p)),
            lambda w, g, p: (
                ((own := _off_diagonal(w[:, 1:, 1:])) * _distances(g, p)).sum(-1) / own.sum(-1).clamp(min=1e-9)
            ).mean(-1),
        ),
        Mistake(
            "softmax in place of dividing",
            "You put the weights through a softmax once more. They are shares already: to let a row sum to 1 again, "
            "divide it by its sum.",
            lambda w, g, p: _per_head(w[:, 1:, 1:].softmax(-1), _distances(g, p)),
        ),
        Mistake(
            "normalised down the columns",
            "You made the columns sum to 1. A row is the patch that takes, and its weights must sum to 1. Which axis "
            "runs along a row?",
            lambda w, g, p: (w[:, 1:, 1:] / w[:, 1:, 1:].sum(-2, keepdim=True) * _distances(g, p)).sum(-1).mean(-1),
        ),
        Mistake(
            "keepdim forgotten",
            "You divided by the sums of the rows without `keepdim=True`. PyTorch then lines the sums up with the last "
            "axis, which belongs to the columns.",
            lambda w, g, p: (w[:, 1:, 1:] / w[:, 1:, 1:].sum(-1) * _distances(g, p)).sum(-1).mean(-1),
        ),
        Mistake(
            "mean in place of a sum",
            "You took the mean of weight times distance along a row. The weights of a row sum to 1, so the weighted "
            "mean is the *sum* of weight times distance.",
            lambda w, g, p: _per_head(w[:, 1:, 1:], _distances(g, p)) / (w.shape[-1] - 1),
        ),
        Mistake(
            "no mean over the rows",
            "You have one distance for each patch that takes. The task asks for one for each head: the mean over its "
            "rows.",
            lambda w, g, p: (_shares(w) * _distances(g, p)).sum(-1),
        ),
        Mistake(
            "numbers of the patches subtracted",
            "You subtracted the numbers of the patches. Patches with neighbouring numbers may lie at opposite edges: "
            "find row and column of each first.",
            _with_distances(lambda g, p: p * _differences(g[0] * g[1])),
        ),
        Mistake(
            "square grid assumed",
            "You took the grid for a square. It may be longer than wide: rows and columns come in `grid`.",
            _with_distances(lambda g, p: _distances((g[0], g[0]), p)),
            _with_distances(lambda g, p: _distances((g[1], g[1]), p)),
            _with_distances(lambda g, p: _distances((math.isqrt(g[0] * g[1]),) * 2, p)),
            lambda w, g, p: _shares(w) * _distances((g[0], g[0]), p),
            lambda w, g, p: _shares(w) * _distances((g[1], g[1]), p),
            lambda w, g, p: _shares(w) * _distances((math.isqrt(g[0] * g[1]),) * 2, p),
        ),
        Mistake(
            "larger of the two steps",
            "You took the larger one of the steps along rows and columns, as a king moves in chess. The task asks for "
            "the straight line between two centres (Pythagoras).",
            _with_distances(lambda g, p: _distances(g, p, order=float("inf"))),
        ),
        Mistake(
            "last token dropped instead of the first",
            "You left out the last patch and kept the class token, so each weight meets the distance of another patch. "
            "At which end does the class token stand?",
            lambda w, g, p: _per_head(w[:, :-1, :-1], _distances(g, p)),
        ),
        Mistake(
            "rows not normalised again",
            "Without the class token's column, a row sums to less than 1, so your distance comes out too short: a head "
            "that takes much from the class token would look local. Let each row sum to 1 again.",
            lambda w, g, p: (w[:, 1:, 1:] * _distances(g, p)).sum(-1).mean(-1),
        ),
        Mistake(
            "all rows thrown together",
            "You divided by the sum of the whole matrix. Patches that take much from the class token then count less "
            "than others. First one distance for each row, then the mean over the rows.",
            lambda w, g, p: (w[:, 1:, 1:] * _distances(g, p)).sum((-1, -2)) / w[:, 1:, 1:].sum((-1, -2)),
        ),
        Mistake(
            "sum over the patches",
            "You added up the distances of all patches. A head's distance is their mean; a sum grows with the number "
            "of patches.",
            lambda w, g, p: _per_head(w[:, 1:, 1:], _distances(g, p)) * (w.shape[-1] - 1),
        ),
        Mistake(
            "heads averaged",
            "You returned one number for all heads. Heads differ: that is what the figure is about. Give one number "
            "for each head.",
            lambda w, g, p: _per_head(w[:, 1:, 1:], _distances(g, p)).mean(),
            lambda w, g, p: _per_head(w.mean(0, keepdim=True)[:, 1:, 1:], _distances(g, p))[0],
            lambda w, g, p: (_shares(w) * _distances(g, p)).sum(-1).mean(0),
            lambda w, g, p: (_shares(w) * _distances(g, p)).sum(-1).mean(-1).sum(),
            lambda w, g, p: _per_head(w.mean(0, keepdim=True)[:, 1:, 1:], _distances(g, p)).expand(len(w)),
        ),
        Mistake(
            "rows and columns of the grid exchanged",
            "Your patches stand in the wrong places. The grid is (rows, columns), and patches are numbered row by row. "
            "On a square grid this does not show.",
            _with_distances(lambda g, p: _distances((g[1], g[0]), p)),
        ),
        Mistake(
            "one row only",
            "You took the row of one patch only. The distance of a head is the mean over all patches that take.",
            lambda w, g, p: (_shares(w)[:, 0] * _distances(g, p)[0]).sum(-1),
            lambda w, g, p: (w[:, 1, 1:] * _distances(g, p)[0]).sum(-1),
        ),
        Mistake(
            "the largest weight alone",
            "You took the distance to the patch with the largest weight. All patches count, each by its weight.",
            lambda w, g, p: (
                _distances(g, p)
                .expand(len(w), -1, -1)
                .gather(2, w[:, 1:, 1:].argmax(-1, keepdim=True))[..., 0]
                .mean(-1)
            ),
        ),
        Mistake(
            "from edge to edge",
            "You measured from the edge of a patch to the edge of the other. The task asks for the distance of their "
            "centres.",
            _with_distances(lambda g, p: (_distances(g, p) - p).clamp(min=0)),
        ),
    ),
    proved="It gives the same as course_utils, in pixels, for square and other grids.",
    forbidden=(maps.mean_attention_distance,),
    in_a_model=False,
)
