"""Lesson 04 (blocks): the transformer block."""

from __future__ import annotations

from matplotlib.figure import Figure

from course_utils.plots.diagrams.shapes import ATTENTION, MLP, NORM, TOKEN
from course_utils.plots.drawing import Box, Page
from course_utils.plots.style import styled


@styled
def transformer_block() -> Figure:
    """Draw a transformer block with the norms before attention and MLP, and with the norms after the additions.

    Returns:
        The figure. The thick line is the residual stream.
    """
    page = Page(
        (10, 4.9),
        "A transformer block: where the norms stand",
        "Two transformer blocks, the residual stream as a thick line from left to right. Pre-norm: two branches leave "
        "it, norm then attention, norm then MLP, and are added to it; no norm stands on the stream. Post-norm: the "
        "branches are attention and MLP alone, and after each addition a norm stands on the stream.",
    )
    for y, name, note, pre in (
        (2.85, "pre-norm", "ViT", True),
        (0.75, "post-norm", "the first\nTransformer", False),
    ):
        page.text(0.3, y + 0.75, name, fontsize=12, weight="bold", ha="left")
        page.text(0.3, y + 0.58, note, fontsize=10, ha="left", va="top")
        page.arrow((1.3, y), (9.75, y), color=TOKEN, linewidth=5, mutation_scale=18)
        for left, words, colour in ((1.8, "attention", ATTENTION), (5.6, "MLP", MLP)):
            up = y + 0.85
            stops = [page.box(Box(left + 0.85, up, 0.8, 0.5), "norm", NORM)] if pre else []
            stops.append(page.box(Box(left + 2.2 if pre else left + 1.1, up, 1.15, 0.5), words, colour))
            plus = page.sign(left + (3.3 if pre else 2.2), y)
            page.chain(stops, up)
            page.arrow((left, y), (left, up), stops[0].left)
            page.arrow(stops[-1].right, (plus.x, up), plus.top)
            page.dot(left, y)
            if not pre:
                page.box(Box(left + 3.0, y, 0.8, 0.5), "norm", NORM)
    page.text(5.5, 2.45, "residual stream: nothing but additions from the first block to the last")
    page.text(5.5, 0.3, "every norm stands on the stream itself")
    return page.figure
