"""Lesson 02 (embeddings): what a model has learned in its first layer, its patch embedding and position codes."""

from __future__ import annotations

import math

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.model.patches import linear_to_conv_weight
from course_utils.plots.style import add_colour_bar, display_array, hide_frame, label_tiles, mosaic, one_axes, styled


@styled
def position_similarity_grid(
    similarity: Tensor,
    grid: tuple[int, int],
    *,
    title: str = "Similarity of position codes",
    limits: tuple[float, float] = (-1.0, 1.0),
    ax: Axes | None = None,
) -> Figure:
    """Draw for every patch a small map: how much its position code is like that of every patch.

    Args:
        similarity: (patches, patches), from -1 to 1, from
            :func:`course_utils.analysis.attention_maps.position_similarity`.
        grid: Rows and columns of the patch grid.
        title: Above the figure.
        limits: The values of the darkest and the brightest colour.
        ax: Where to draw.

    Returns:
        The figure: rows * columns small maps, each of rows * columns cells.

    Raises:
        ValueError: The similarity does not fit the grid.

    Source: ViT, arXiv 2010.11929, figure 7, centre.
    """
    rows, columns = grid
    n = rows * columns
    if similarity.shape != (n, n):
        raise ValueError(f"A grid of {rows}x{columns} needs a similarity of {n}x{n}, not {tuple(similarity.shape)}.")
    tiles = similarity.detach().cpu().float().reshape(rows, columns, rows, columns)
    figure, ax = one_axes(
        ax,
        (7, 0.9 + 5.2 * rows * (rows + 1) / (columns * (columns + 1))),  # each small map has a gap of one cell
        f"Cosine similarity of the position codes of {rows}x{columns} patches: one small map for each patch.",
    )
    drawn = ax.imshow(mosaic(tiles.numpy()), vmin=limits[0], vmax=limits[1])
    label_tiles(ax, grid, grid, 1, "column of the patch", "row of the patch")
    ax.set_title(title)
    add_colour_bar(drawn, ax, "cosine similarity")
    return figure


@styled
def patch_filters(
    weight: Tensor,
    in_channels: int = 3,
    *,
    count: int = 28,
    columns: int = 7,
    principal: bool = True,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw filters of a patch embedding: what each looks for in a patch.

    Args:
        weight: Of the linear map, (D, C*P*P): ``model.embeddings.patch_embedding.projection.weight``.
        in_channels: C: 3 or 1.
        count: How many to draw at most.
        columns: Filters in a row.
        principal: True: the directions along which the D filters differ most, strongest first (as in the paper). False:
            the first filters as they are.
        title: Above the figure.
        ax: Where to draw.

    Returns:
        The figure. Mid grey is 0; each filter is scaled to its own largest number.

    Source: ViT, arXiv 2010.11929, figure 7, left.
    """
    weight = weight.detach().cpu().float()
    if principal:
        weight = torch.linalg.svd(weight, full_matrices=False).Vh  # (D, C*P*P) -> (min(D, C*P*P), C*P*P)
    filters = linear_to_conv_weight(weight[:count], in_channels)  # -> (count, C, P, P)
    filters = filters / filters.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    n = len(filters)
    rows = math.ceil(n / columns)
    tiles = np.stack([display_array(image) for image in filters / 2 + 0.5])  # (n, P, P) and 3 for colours
    tiles = np.concatenate([tiles, np.ones((rows * columns - n, *tiles.shape[1:]))])  # white where a row is not full
    name = title or f"Patch embedding: {n} {'principal ' if principal else ''}filters"
    figure, ax = one_axes(ax, (0.9 * columns + 0.4, 0.9 * rows + 0.4), f"{name}, each a small picture; mid grey is 0.")
    p = filters.shape[-1]
    ax.imshow(mosaic(tiles.reshape(rows, columns, *tiles.shape[1:]), max(1, p // 8), 1.0), cmap="gray", vmin=0, vmax=1)
    ax.set_title(name)
    hide_frame(ax)
    return figure
