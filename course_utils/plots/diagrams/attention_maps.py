"""Lesson 07 (attention_maps): attention through all layers."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.analysis.attention_maps import rollout
from course_utils.plots.diagrams.shapes import ATTENTION, words_of
from course_utils.plots.drawing import Box, Page, tint
from course_utils.plots.style import GREY, styled


@styled
def rollout_steps() -> Figure:
    """Draw how rollout works on two layers of three tokens: half identity in each layer, then the matrix product.

    Returns:
        The figure. All numbers are computed here; every row sums to 1.
    """
    names = ["class", "0", "1"]
    layers = torch.tensor(
        [[[0.4, 0.6, 0.0], [0.2, 0.8, 0.0], [0.0, 0.4, 0.6]], [[0.6, 0.0, 0.4], [0.4, 0.4, 0.2], [0.2, 0.2, 0.6]]]
    )
    mixed = (layers + torch.eye(3)) / 2
    result = rollout(layers[:, None])  # (L, 1, N, N) -> (N, N)
    page = Page(
        (10, 4.5),
        "Attention rollout, on three tokens and two layers",
        "Two attention matrices of three tokens, layer 0 and layer 1. Each is averaged with the identity: half of a "
        "token stays its own. The product of the two is the rollout; its first row, "
        f"{', '.join(words_of(result, '.2f')[0])}, says how much of the class token comes from each input token. All "
        "rows sum to 1.",
    )

    def matrix(x: float, y: float, name: str, values: Tensor) -> Box:
        box = Box(x, y, 1.44, 1.05)
        page.cells(
            box,
            words_of(values, ".2f"),
            [[tint(ATTENTION, 0.08 + 0.8 * value) for value in row] for row in values.tolist()],
        )
        page.text(x, y + 0.93, name)
        for i, token in enumerate(names):
            line = box.top[1] - (i + 0.5) * 0.35
            page.text(x + (i - 1) * 0.48, y + 0.64, token, fontsize=10, color=GREY)
            page.text(box.left[0] - 0.08, line, token, fontsize=10, color=GREY, ha="right")
            page.text(box.right[0] + 0.08, line, f"= {values[i].sum():.2f}", fontsize=10, color=GREY, ha="left")
        return box

    xs, ys = (1.45, 5.0, 8.55), (2.8, 0.85)
    middle = sum(ys) / 2
    halves = []
    for i, y in enumerate(ys):
        start = matrix(xs[0], y, f"layer {i}: attention $A_{i}$", layers[i])
        halves.append(matrix(xs[1], y, f"$A'_{i} = (A_{i} + I)\\,/\\,2$", mixed[i]))
        page.arrow((start.right[0] + 0.68, y), (halves[-1].left[0] - 0.55, y))
    product = matrix(xs[2], middle, r"rollout $R = A'_1\,A'_0$", result)
    for half in halves:
        turn = product.left[0] - 0.85
        page.arrow((half.right[0] + 0.68, half.y), (turn, half.y), (turn, middle), (product.left[0] - 0.55, middle))
    page.text(
        xs[2], middle - 0.85, "row: a token after layer 1\ncolumn: the input it comes from", fontsize=10, color=GREY
    )
    return page.figure
