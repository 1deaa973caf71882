"""Lesson 02 (embeddings): the picture that stands for the position explorer where no kernel runs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_utils.plots.charts import line_chart
from course_utils.plots.drawing import ink
from course_utils.plots.style import BLACK, label_tiles, mosaic, new_figure, styled

PALETTE = "RdBu_r"  # from -limit to limit; 0 is white
WRITTEN = 12  # numbers fit into the cells up to so many rows and columns


@styled
def position_picture(
    similarities: Mapping[str, Tensor],
    grid: tuple[int, int],
    position: int,
    *,
    title: str,
    measure: str = "cosine similarity",
    limit: float = 1.0,
    note: str = "",
) -> Figure:
    """Draw how alike one position is to all others, and for the last moment how alike all positions are.

    Args:
        similarities: Moment -> (patches, patches). The last one has the overview and the profiles. If it is empty, the
            figure holds the note alone.
        grid: Rows and columns of the patch grid.
        position: The one that is compared, in raster order.
        title: Above all.
        measure: What the numbers are.
        limit: The scale goes from minus this to this.
        note: One or two sentences for the description.

    Returns:
        The figure: a map for each moment, the small maps of all positions with this one marked, and the numbers along
        its row and its column.
    """
    (row, column), (rows, columns) = divmod(position, grid[1]), grid
    if not similarities:
        figure = new_figure((8.6, 1.6), f"{title}. {note}")
        figure.suptitle(title)
        figure.text(0.5, 0.4, textwrap.fill(note, 90), ha="center", va="center")
        return figure
    ranges = ", ".join(f"{name} from {_others(table[position], position)}" for name, table in similarities.items())
    words = (
        f"{title}. The {measure}, of row {row}, column {column} of {rows}x{columns} with the other positions: "
        f"{ranges}. Beside it one small map for each position, and the numbers along its row and its column. {note}"
    )
    count = len(similarities) + 2
    lines = math.ceil(count / 2)
    figure = new_figure((8.6, 0.5 + lines * (0.8 + 3.1 * max(0.5, rows / columns))), words)
    axes = list(figure.subplots(lines, 2).flat)
    for ax in axes[count:]:
        ax.set_visible(False)
    for ax, (name, table) in zip(axes, similarities.items(), strict=False):
        drawn = _draw_map(ax, table[position].reshape(grid).numpy(), limit)
        _mark(ax, column - 0.5, row - 0.5, 1, 1)
        ax.set(title=f"row {row}, column {column}, {name}", xlabel="column", ylabel="row")
    overview, profile = axes[count - 2 : count]
    tiles = table.reshape(rows, columns, rows, columns).numpy()  # (patches, patches) -> the map of each patch
    overview.imshow(mosaic(tiles), cmap=PALETTE, vmin=-limit, vmax=limit)
    label_tiles(overview, grid, grid, 1, "column of the position", "row of the position")
    _mark(overview, column * (columns + 1) - 1, row * (rows + 1) - 1, columns + 1, rows + 1)
    overview.set_title(f"all positions, {name}")
    values = table[position].reshape(grid).tolist()
    profiles = {
        f"along row {row}": (range(columns), values[row]),
        f"along column {column}": (range(rows), [each[column] for each in values]),
    }
    line_chart(profiles, title="along its row and column", x_label="column or row", y_label=measure, ax=profile)
    profile.set(ylim=(-1.05 * limit, 1.05 * limit), xticks=range(max(rows, columns)))
    figure.suptitle(title)
    figure.colorbar(drawn, ax=axes, label=measure, fraction=0.03).outline.set_visible(False)  # type: ignore[operator]
    return figure


def _others(values: Tensor, position: int) -> str:
    """Say from where to where the values of all other positions go."""
    others = np.delete(values.numpy(), position)
    return f"{others.min():.2f} to {others.max():.2f}"


def _draw_map(ax: Axes, cells: np.ndarray, limit: float) -> mpl.image.AxesImage:
    """Draw one number for each position (rows, columns), written in if there is room."""
    drawn = ax.imshow(cells, cmap=PALETTE, vmin=-limit, vmax=limit)
    rows, columns = cells.shape
    if max(rows, columns) <= WRITTEN:
        for (row, column), value in np.ndenumerate(cells):
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=ink(drawn.to_rgba(value)))
        ax.set(xticks=range(columns), yticks=range(rows))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return drawn


def _mark(ax: Axes, x: float, y: float, width: float, height: float) -> None:
    """Put a white frame with a black edge around a cell."""
    for colour, line in ((BLACK, 3.5), ("white", 1.4)):
        ax.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=line))
