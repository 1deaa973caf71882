"""Lesson 02 (embeddings): position codes side by side, of two models, or of one at several moments of its training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.plots.style import label_tiles, many_axes, mosaic, styled


@styled
def position_similarity_panels(
    similarities: Mapping[str, Tensor],
    grid: tuple[int, int],
    *,
    title: str = "Similarity of position codes",
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw several figures like :func:`course_utils.plots.position_similarity_grid` side by side, on one scale.

    Args:
        similarities: Caption -> (patches, patches), from -1 to 1.
        grid: Rows and columns of the patch grid.
        title: Above all.
        axes: One for each panel.

    Returns:
        The figure. The scale is always -1 to 1.

    Raises:
        ValueError: There is nothing to draw, or a similarity does not fit the grid.
    """
    rows, across = grid
    n = rows * across
    if not similarities:
        raise ValueError("There are no similarities to draw.")
    for name, similarity in similarities.items():
        if similarity.shape != (n, n):
            raise ValueError(f"{name}: a grid of {rows}x{across} needs {n}x{n}, not {tuple(similarity.shape)}.")
    columns = min(2, len(similarities)) if axes is None else len(similarities)
    lines = math.ceil(len(similarities) / columns)
    words = (
        f"{title}: {', '.join(similarities)}. In each panel, one small map for each of {rows}x{across} patches shows "
        "the cosine similarity of its code with every code."
    )
    panel = 6.2 / columns
    size = (8.6, lines * (0.75 + panel * rows * (rows + 1) / (across * (across + 1))) + 0.4)
    figure, panels = many_axes(axes, (lines, columns), size, words)
    for ax, (name, similarity) in zip(panels.flat, similarities.items(), strict=False):
        tiles = similarity.detach().cpu().float().reshape(rows, across, rows, across)
        drawn = ax.imshow(mosaic(tiles.numpy()), vmin=-1, vmax=1)
        label_tiles(ax, grid, grid, 1, "column of the patch", "row of the patch")
        ax.set_title(name)
    for ax in panels.flat[len(similarities) :]:
        ax.set_visible(False)
    if axes is None:
        figure.suptitle(title)
        figure.colorbar(drawn, ax=panels, label="cosine similarity", fraction=0.04).outline.set_visible(False)  # type: ignore[operator]
    return figure
