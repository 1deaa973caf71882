"""Lesson 0: the lessons as a map."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from matplotlib.figure import Figure

from course_utils.plots.diagrams.shapes import spread
from course_utils.plots.drawing import Box, Page
from course_utils.plots.style import BLUE, GREY, styled

LESSONS = (
    "Start here", "Patches", "Embeddings", "Attention", "Blocks", "The Vision\nTransformer", "Training on\nCIFAR-10",
    "Attention\nvisualization", "ViT or CNN", "Patch size\nand position\ncodes", "Distillation",
    "Pretraining\nand\nfine-tuning", "Hierarchy", "CLIP and\nSigLIP", "Recap",
)  # fmt: skip


@styled
def course_map(written: Collection[int] = range(8)) -> Figure:
    """Draw the lessons as a map.

    Args:
        written: Numbers of the lessons that can be read; the others are drawn dashed.

    Returns:
        The figure.
    """
    planned = [f"{number:02d}" for number in range(len(LESSONS)) if number not in written]
    page = Page(
        (10, 4.2),
        "The course, lesson by lesson",
        f"Map of the {len(LESSONS)} lessons in two rows. 01 to 05 build the model, 06 trains it, 07 looks inside, 08 "
        f"to 13 show what came after, 14 is the recap. Planned and drawn dashed: {', '.join(planned) or 'none'}.",
    )
    xs, ys = spread(0.4, 9.75, [1.06] * 8), (2.75, 0.85)
    path = [(xs[0], ys[0]), (xs[7], ys[0]), (xs[7], 1.95), (0.2, 1.95), (0.2, ys[1]), (xs[6], ys[1])]
    page.arrow(*path, head=False, linewidth=4, color="#BFBFBF", zorder=0.5)
    groups = ((1, 5, "build the model"), (6, 6, "train it"), (7, 7, "look inside"), (8, 13, "what came after"))
    for first, last, name in groups:
        left, right, y = xs[first % 8] - 0.53, xs[last % 8] + 0.53, ys[first // 8] + 0.65
        page.text((left + right) / 2, y + 0.16, name)
        page.arrow((left, y - 0.05), (left, y), (right, y), (right, y - 0.05), head=False)
    for number, title in enumerate(LESSONS):
        row, column = divmod(number, 8)
        ready = number in written
        box = Box(xs[column], ys[row], 1.06, 1.1)
        settings: dict[str, Any] = {} if ready else {"facecolor": "white", "linestyle": (0, (4, 3))}
        page.box(box, colour=BLUE if ready else GREY, **settings)
        page.text(box.x, box.y + 0.33, f"{number:02d}", fontsize=14, weight="bold", zorder=2)
        page.text(box.x, box.y - 0.14, title, fontsize=10, zorder=2)
    page.box(Box(xs[7] - 0.3, ys[1] + 0.2, 0.3, 0.22), colour=BLUE)
    page.box(Box(xs[7] - 0.3, ys[1] - 0.2, 0.3, 0.22), facecolor="white", linestyle=(0, (4, 3)))
    page.text(xs[7] - 0.05, ys[1] + 0.2, "written", ha="left", fontsize=10)
    page.text(xs[7] - 0.05, ys[1] - 0.2, "planned", ha="left", fontsize=10)
    return page.figure
