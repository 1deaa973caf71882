"""Lesson 03 (attention): one attention head, and several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.diagrams.shapes import ATTENTION, TOKEN, spread
from course_utils.plots.drawing import Box, Page, tint
from course_utils.plots.style import BLACK, styled


@styled
def attention_head() -> Figure:
    """Draw one attention head: queries, keys and values, scores, weights, output.

    Returns:
        The figure. The shades are those of a computed example.
    """
    page = Page(
        (10, 4.85),
        "One attention head",
        "One attention head. Tokens x of shape (N, D) become queries q, keys k and values v, each (N, d), by three "
        "linear maps. The scores q k transposed over the root of d, (N, N), become weights by a softmax over each row; "
        "weights times v is the output, (N, d). One row is outlined all along: one query and its output.",
    )
    rng = np.random.default_rng(3)
    n, width, d = 4, 6, 3
    x = 1.5 * rng.normal(size=(n, width))
    q, k, v = (x @ rng.normal(size=(width, d)) / width**0.5 for _ in range(3))
    scores = q @ k.T / d**0.5
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    chosen, side = 1, 0.2

    def matrix(x: float, y: float, name: str, values: np.ndarray, colour: str, *shape: str) -> Box:
        shades = (values - values.min()) / np.ptp(values) * 0.75 + 0.15
        box = Box(x, y, side * values.shape[1], side * values.shape[0])
        page.cells(box, [[""] * values.shape[1]] * len(values), [[tint(colour, s) for s in row] for row in shades])
        if name not in ("x", "k", "v"):
            line = Box(x, box.top[1] - (chosen + 0.5) * side, box.width, side)
            page.box(line, rounded=False, facecolor="none", edgecolor=BLACK, linewidth=2.2, zorder=3)
        page.text(x, box.top[1] + 0.16, name, fontsize=12 if len(name) == 1 else 11)
        page.shape(x, box.bottom[1] - 0.16, *shape)
        return box

    xs = spread(0.3, 9.6, [1.2, 0.55, 0.6, 1.0, 0.8, 1.05, 0.8, 0.3, 0.6])
    ys = 3.6, 2.2, 0.8
    middle = (ys[0] + ys[1]) / 2
    tokens = matrix(xs[0], ys[1], "x", x, TOKEN, "N", "D")
    heads = []
    for y, name, values in zip(ys, "qkv", (q, k, v), strict=True):
        linear = page.linear(xs[1], y, 0.55, f"$W_{name}$", 0.5)
        turn = (tokens.right[0] + linear.left[0]) / 2
        page.arrow(tokens.right, (turn, ys[1]), (turn, y), linear.left)
        heads.append(matrix(xs[2], y, name, values, TOKEN, "N", "d"))
        page.arrow(linear.right, heads[-1].left)
    product = page.box(Box(xs[3], middle, 1.0, 0.6), r"$q\,k^\top\!/\,\sqrt{d}$", ATTENTION, size=12)
    page.arrow(heads[0].right, (xs[3], ys[0]), product.top)
    page.arrow(heads[1].right, (xs[3], ys[1]), product.bottom)
    stops = [product, matrix(xs[4], middle, "scores", scores, ATTENTION, "N", "N")]
    stops.append(page.box(Box(xs[5], middle, 1.05, 0.6), "softmax\nof each row", ATTENTION))
    stops.append(matrix(xs[6], middle, "weights", weights, ATTENTION, "N", "N"))
    stops.append(page.sign(xs[7], middle, "×"))
    stops.append(matrix(xs[8], middle, "output", weights @ v, TOKEN, "N", "d"))
    page.chain(stops, middle)
    page.arrow(heads[2].right, (xs[7], ys[2]), stops[4].bottom)
    page.text(xs[5], 1.4, "outlined: one query,\nits scores, weights and output")
    return page.figure


@styled
def multi_head(num_heads: int = 3) -> Figure:
    """Draw attention with several heads: the width is split, each head attends on its own, the results are joined.

    Args:
        num_heads: Heads h, from 1 to 6.

    Returns:
        The figure.

    Raises:
        ValueError: There are no heads, or too many to draw.
    """
    if not 1 <= num_heads <= 6:
        raise ValueError(f"num_heads must be from 1 to 6 to be drawn, not {num_heads}.")
    high = max(0.85 * num_heads, 1.7)
    page = Page(
        (10, high + 1.1),
        "Attention with several heads",
        f"Linear maps make q, k and v of shape (N, D) from the tokens. Their width is split into {num_heads} parts of "
        f"d = D / {num_heads} numbers; each of the {num_heads} heads attends on its own. The outputs, (N, d), are "
        "joined to (N, D) and go through the output projection.",
    )
    y, tall = high / 2 + 0.3, 0.9
    xs = spread(0.25, 9.75, [0.7, 0.65, 1.07, 0.95, 0.4, 0.95, 0.95, 0.7])
    xs[2] -= 0.06  # room for the sheets behind
    shades = [tint(TOKEN, 0.3 + 0.4 * (i % 2)) for i in range(num_heads)]
    numbers = [str(i) for i in range(num_heads)]

    def block(x: float, name: str, words: Sequence[str] = ("",), colours: Sequence[object] = (TOKEN,)) -> Box:
        page.text(x, y + 0.72, name)
        page.shape(x, y - 0.72, "N", "D")
        return page.cells(Box(x, y, 0.7 if words == ("",) else 0.95, tall), [words], [colours])

    first = [block(xs[0], "x"), page.linear(xs[1], y, 0.65, "linear\nmaps")]
    for shift in (0.12, 0.06):
        page.cells(Box(xs[2] + shift, y + shift, 0.95, tall), [[""]], [[tint(TOKEN, 0.3)]])
    first.append(block(xs[2], "", numbers, shades))
    page.text(xs[2] + 0.06, y + 0.76, "q, k, v")
    page.text(xs[2], y - 1.0, f"d = D / {num_heads}", fontsize=10)
    joined = block(xs[5], "joined", numbers, shades)
    page.chain(first, y)
    page.chain([joined, page.linear(xs[6], y, 0.95, "output\nprojection"), block(xs[7], "output")], y)
    right = first[-1].right[0] + 0.12
    split, join = (right + xs[3] - 0.475) / 2, (xs[4] + 0.2 + joined.left[0]) / 2
    for i, line in enumerate(spread(y + high / 2, y - high / 2, [-high / num_heads] * num_heads)):
        head = page.box(Box(xs[3], line, 0.95, 0.55), f"attention\nhead {i}", ATTENTION)
        part = page.cells(Box(xs[4], line, 0.36, 0.4), [[str(i)]], [[shades[i]]])
        page.arrow((right, y), (split, y), (split, line), head.left)
        page.arrow(head.right, part.left)
        page.arrow(part.right, (join, line), (join, y), joined.left)
        page.shape(xs[4], line - 0.31, "N", "d")
    return page.figure
