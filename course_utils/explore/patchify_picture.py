"""The picture that stands for the patchify explorer where no kernel runs."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_utils.plots.charts import bar_chart
from course_utils.plots.pictures import patch_grid
from course_utils.plots.style import BLACK, new_figure


def patchify_picture(
    image: Tensor, name: str, patch_size: int, patch: int, costs: Mapping[int, float], reference: int
) -> Figure:
    """Draw an image with its grid, its patches pulled apart, and a bar for the cost of every patch size.

    Args:
        image: (3, H, W), uint8, or floats from 0 to 1.
        name: Of the image.
        patch_size: Side P of a patch in pixels.
        patch: Number of the patch that gets a mark.
        costs: Patch size -> multiply-adds, as a multiple of those with ``reference``.
        reference: The patch size that the others are compared with.

    Returns:
        The figure.
    """
    p, (height, width) = patch_size, image.shape[-2:]
    rows, columns = height // p, width // p
    row, column = divmod(patch, columns)
    relative = {f"P = {size}": cost for size, cost in costs.items()}
    compared = f"times the multiply-adds of P = {reference}"
    figure = new_figure(
        (11, 3.8),
        f"{name}, {height}x{width} pixels, cut into patches of {p}x{p} pixels: {rows} rows and "
        f"{columns} columns. The patch in row {row}, column {column} is marked: token {patch} of "
        f"{rows * columns}, counted from 0. Beside it the patches pulled apart, and a bar for each patch size, "
        f"{compared}: {', '.join(f'{size} {cost:.2g}' for size, cost in relative.items())}.",
    )
    whole, apart, bars = figure.subplots(1, 3)
    patch_grid(image, p, axes=(whole, apart))
    corner = (column * p - 0.5, row * p - 0.5)
    for colour, line in ((BLACK, 5), ("white", 2.5)):  # seen on bright and on dark pixels
        frame = Rectangle(corner, p, p, fill=False, edgecolor=colour, linewidth=line, clip_on=False, zorder=3)
        whole.add_patch(frame)
    whole.set_title(f"row {row}, column {column}: token {patch}")
    if apart.texts:  # few enough patches to be numbered
        apart.texts[patch].set(color=BLACK, bbox={"facecolor": "white", "edgecolor": BLACK, "pad": 2})
    bar_chart(relative, title="Cost", x_label=f"{compared}, logarithmic", number_format="{:.2g}×", ax=bars)
    bars.set_xscale("log")  # or all but the longest bar are out of sight
    bars.set_xlim(min(relative.values()) / 2, 8 * max(relative.values()))
    return figure
