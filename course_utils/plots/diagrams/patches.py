"""Lesson 01 (patches): an image cut into patches."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from course_utils.model.patches import patchify
from course_utils.plots.diagrams.shapes import PATCH, spread, words_of
from course_utils.plots.drawing import Box, Page, tint
from course_utils.plots.style import BLUE, GREEN, ORANGE, PURPLE, VERMILLION, styled


@styled
def patch_order(rows: int = 2, columns: int = 2, patch: int = 2) -> Figure:
    """Draw an image of one channel with numbered pixels, its patches in raster order, and the matrix they become.

    Args:
        rows: Rows of the patch grid.
        columns: Columns of the patch grid.
        patch: Side P of a patch in pixels.

    Returns:
        The figure.

    Raises:
        ValueError: There are too many pixels to number them, or there is none.
    """
    if min(rows, columns, patch) < 1:
        raise ValueError(f"rows, columns and patch must be at least 1, not {rows}, {columns} and {patch}.")
    n, width, height = rows * columns, columns * patch, rows * patch
    side = min(0.5, 6.4 / (2 * width + patch**2), 4.8 / max(height, n))
    if side < 0.29:
        raise ValueError(f"An image of {height}x{width} pixels in {n} patches has too many to number: take fewer.")
    pixels = torch.arange(height * width).reshape(1, height, width)
    matrix = patchify(pixels, patch)  # (1, H, W) -> (N, P*P)
    colours = [tint((PATCH, ORANGE, GREEN, PURPLE, VERMILLION, BLUE)[i % 6], 0.45) for i in range(n)]
    inner = max(height * side + 0.35 * (rows - 1), n * side)
    page = Page(
        (10, inner + 1.75),
        "From an image to the patch matrix",
        f"An image of {height} by {width} numbered pixels in one channel, its {n} patches numbered row by row, and the "
        f"patch matrix of {n} rows: row 0 holds the pixels {', '.join(map(str, matrix[0].tolist()))} of patch 0.",
    )
    y, gap = inner / 2 + 0.65, 0.35
    widths = [width * side, width * side + gap * (columns - 1), patch**2 * side]
    xs = spread(0.5, 9.1, widths)
    owner = [[colours[(r // patch) * columns + c // patch] for c in range(width)] for r in range(height)]
    whole = page.cells(Box(xs[0], y, widths[0], height * side), words_of(pixels[0]), owner)
    apart = Box(xs[1], y, widths[1], height * side + gap * (rows - 1))
    table = Box(xs[2], y, widths[2], n * side)
    for i, values in enumerate(matrix):
        r, c = divmod(i, columns)
        x = apart.left[0] + patch * side / 2 + c * (patch * side + gap)
        top = apart.top[1] - r * (patch * side + gap)
        page.cells(
            Box(x, top - patch * side / 2, patch * side, patch * side),
            words_of(values.reshape(patch, patch)),
            [[colours[i]] * patch] * patch,
        )
        page.text(x, top + 0.14, f"patch {i}", fontsize=10)
        line = Box(table.x, table.top[1] - (i + 0.5) * side, table.width, side)
        page.cells(line, words_of(values[None]), [[colours[i]] * patch**2])
        page.text(line.right[0] + 0.1, line.y, f"patch {i}", fontsize=10, ha="left")
    page.arrow((whole.right[0] + 0.08, y), (apart.left[0] - 0.08, y))
    page.arrow((apart.right[0] + 0.08, y), (table.left[0] - 0.08, y))
    for box, name, *shape in (
        (whole, "image", 1, height, width),
        (apart, "patches in raster order", n, 1, patch, patch),
        (table, "patch matrix", n, patch**2),
    ):
        page.text(box.x, inner + 0.65 + 0.4, name)
        page.shape(box.x, 0.35, *shape)
    return page.figure
