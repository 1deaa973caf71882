"""Lesson 00 (start): how attention came to vision, and how it differs from convolution."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from course_utils.plots.diagrams.shapes import ATTENTION, PATCH, spread
from course_utils.plots.drawing import Box, Page
from course_utils.plots.style import BLACK, BLUE, GREY, styled

# Year and month of the first arXiv version (the number begins with both), name, authors, what it added.
PAPERS = (
    (1409, "Attention", "Bahdanau et al.", "in translation, each word\nweighs all input words"),
    (1706, "Transformer", "Vaswani et al.", "attention and MLPs alone,\nno recurrence"),
    (2010, "ViT", "Dosovitskiy et al.", "an image is a sequence\nof patches"),
    (2012, "DeiT", "Touvron et al.", "a recipe and distillation:\nImageNet alone is enough"),
    (2103, "CLIP", "Radford et al.", "images and texts\nin one space"),
    (2103, "Swin", "Liu et al.", "windows: cost grows\nlinearly with the area"),
    (2104, "DINO", "Caron et al.", "learns without labels,\nfrom its own average"),
    (2111, "MAE", "He et al.", "hides most patches,\nlearns to fill them in"),
)


@styled
def timeline() -> Figure:
    """Draw how attention came to vision, and what came after, by the first arXiv version of each paper.

    Returns:
        The figure.
    """
    words = "; ".join(f"20{month // 100} {name}" for month, name, *_ in PAPERS)
    page = Page((10, 4.3), "How attention came to vision", f"A line of time with {len(PAPERS)} papers: {words}.")
    y, xs = 2.0, spread(0.75, 9.45, [0.7] * len(PAPERS))
    page.arrow((0.4, y), (9.8, y), linewidth=3, mutation_scale=16)
    for i, (month, name, authors, added) in enumerate(PAPERS):
        side = 1 if i % 2 == 0 else -1
        page.arrow((xs[i], y), (xs[i], y + side * 0.45), head=False, zorder=0.5)
        page.box(Box(xs[i], y, 0.6, 0.3), f"20{month // 100}", facecolor=BLUE, linewidth=0, weight="bold")
        top = y + (1.45 if side > 0 else -0.6)
        page.text(xs[i], top, name, fontsize=12, weight="bold")
        page.text(xs[i], top - 0.23, authors, fontsize=10, color=GREY)
        page.text(xs[i], top - 0.62, added, fontsize=10)
    page.text(
        0.4, 0.25, "Years of the first arXiv version; the spacing is not to scale.", fontsize=10, color=GREY, ha="left"
    )
    return page.figure


@styled
def convolution_and_attention() -> Figure:
    """Draw what one output position takes from, in a layer of convolution and in a layer of attention.

    Returns:
        The figure. The squares have the area of the weights; each map has its own scale.
    """
    page = Page(
        (10, 4.2),
        "What one output position takes from, in one layer",
        "Four grids of 8 by 8 positions. Convolution: positions A and B take from the 3 by 3 window around them, with "
        "the same weights. Attention: they take from all positions, A most from the dark ones and B most from the "
        "light ones, which are like them.",
    )
    # A dark shape on light ground, not quite even. Attention here: softmax of how alike two positions are.
    rows, columns = np.mgrid[:8, :8]
    content = np.where(np.hypot(rows - 2.6, columns - 3.2) < 2.4, 0.75, 0.12) + 0.08 * np.sin(
        2.1 * rows + 1.3 * columns
    )
    places, side = {"A": (3, 3), "B": (6, 5)}, 0.25
    xs, y = spread(0.35, 9.65, [2.0] * 4), 1.95
    for i, x in enumerate(xs):
        name, (row, column) = list(places.items())[i % 2]
        if i < 2:
            kernel = np.array([1, 2, 1]) / 4
            weights = np.zeros((8, 8))
            weights[row - 1 : row + 2, column - 1 : column + 2] = np.outer(kernel, kernel)
        else:
            weights = np.exp(-6 * (content - content[row, column]) ** 2)
            weights /= weights.sum()
        grey = [[str(value) for value in line] for line in (1 - 0.55 * content).tolist()]
        page.cells(Box(x, y, 8 * side, 8 * side), [[""] * 8] * 8, grey)
        for (r, c), weight in np.ndenumerate(weights / weights.max()):
            mark = Box(x + (c - 3.5) * side, y + (3.5 - r) * side, *[0.8 * side * weight**0.5] * 2)
            page.box(
                mark,
                rounded=False,
                facecolor=PATCH if i < 2 else ATTENTION,
                edgecolor=BLACK,
                linewidth=0.5 * (weight > 0.01),
            )
        here = Box(x + (column - 3.5) * side, y + (3.5 - row) * side, side, side)
        page.box(here, rounded=False, facecolor="none", edgecolor=BLACK, linewidth=2.5, zorder=3)
        page.text(x, y + 1.18, f"for position {name}")
    for centre, name, note in (
        ((xs[0] + xs[1]) / 2, "Convolution, 3×3", "a small window, the same weights everywhere"),
        ((xs[2] + xs[3]) / 2, "Attention", "all positions, weights from the content"),
    ):
        page.text(centre, y + 1.5, name, fontsize=12, weight="bold")
        page.text(centre, y - 1.25, note)
    legend = "Grey: what the positions hold. Area of a square: its weight. Outlined: the output position."
    page.text(5, 0.27, legend, fontsize=10, color=GREY)
    return page.figure
