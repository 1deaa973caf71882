"""Figures that show images: galleries, and an image cut into patches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.analysis.evaluation import most_confident_mistakes
from course_utils.model.patches import patchify
from course_utils.plots.style import display_array, hide_frame, many_axes, mosaic, show_image, styled


@styled
def image_gallery(
    images: Tensor,
    captions: Sequence[str] | None = None,
    *,
    title: str = "",
    columns: int = 6,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw images side by side, each with a caption above it.

    Args:
        images: (N, C, H, W), uint8, or floats from 0 to 1.
        captions: One for each image; it may have more than one line.
        title: Above all.
        columns: Images in a row.
        axes: N axes.

    Returns:
        The figure.

    Raises:
        ValueError: There are no images, or not one caption for each.
    """
    n = len(images)
    captions = [""] * n if captions is None else list(captions)
    if n == 0:
        raise ValueError("There are no images to draw.")
    if len(captions) != n:
        raise ValueError(f"There are {len(captions)} captions for {n} images.")
    columns = min(columns, n) if axes is None else n
    rows = math.ceil(n / columns)
    lines = max(caption.count("\n") + 1 for caption in captions)
    words = "; ".join(caption.replace("\n", ", ") for caption in captions if caption)
    figure, grid = many_axes(
        axes,
        (rows, columns),
        (1.65 * columns, (1.5 + 0.19 * lines) * rows + (0.4 if title else 0)),
        f"{title or 'Gallery'}: {n} images. {words}".strip(),
    )
    for ax, image, caption in zip(grid.flat, images, captions, strict=False):
        show_image(ax, image)
        ax.set_title(caption, fontsize=10)
    for ax in grid.flat[n:]:
        ax.set_visible(False)
    if title and axes is None:
        figure.suptitle(title)
    return figure


def prediction_gallery(
    images: Tensor,
    logits: Tensor,
    classes: Sequence[str],
    labels: Tensor | None = None,
    *,
    title: str = "Predictions",
    columns: int = 6,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw images with the predicted class and its probability, and the true class if it is known.

    Args:
        images: (N, C, H, W), uint8, or floats from 0 to 1.
        logits: (N, K).
        classes: The K names.
        labels: (N,).
        title: Above all.
        columns: Images in a row.
        axes: N axes.

    Returns:
        The figure.
    """
    probability, predicted = logits.softmax(dim=1).max(dim=1)  # (N, K) -> two (N,)
    captions = [f"{classes[i]} {p:.0%}" for i, p in zip(predicted.tolist(), probability.tolist(), strict=True)]
    if labels is not None:
        captions = [f"{text}\ntrue: {classes[i]}" for text, i in zip(captions, labels.tolist(), strict=True)]
    return image_gallery(images, captions, title=title, columns=columns, axes=axes)


def mistake_gallery(
    images: Tensor, logits: Tensor, labels: Tensor, classes: Sequence[str], *, count: int = 12
) -> Figure:
    """Draw the wrong predictions with the highest probability, the most confident first.

    Args:
        images: (N, C, H, W), uint8, or floats from 0 to 1.
        logits: (N, K).
        labels: (N,).
        classes: The K names.
        count: How many at most.

    Returns:
        The figure.

    Raises:
        ValueError: There is no mistake.
    """
    worst = most_confident_mistakes(logits, labels, count)
    if len(worst) == 0:
        raise ValueError("There is no mistake to draw: all predictions are right.")
    title = f"The {len(worst)} most confident mistakes"
    return prediction_gallery(images[worst], logits[worst], classes, labels[worst], title=title)


@styled
def patch_grid(image: Tensor, patch_size: int, *, axes: Sequence[Axes] | None = None) -> Figure:
    """Draw an image with the lines of its patches, and beside it the patches pulled apart.

    Args:
        image: (C, H, W), uint8, or floats from 0 to 1.
        patch_size: Side P in pixels.
        axes: Two axes.

    Returns:
        The figure. Up to 100 patches are numbered in raster order, counted from 0: the place in the sequence.

    Raises:
        ValueError: P does not divide the image.
    """
    c, height, width = image.shape
    p = patch_size
    patches = patchify(image, p)  # (C, H, W) -> (N, C*P*P)
    rows, columns = height // p, width // p
    n = rows * columns
    figure, grid = many_axes(
        axes,
        (1, 2),
        (9, 0.6 + 4.4 * height / width),
        f"Left: an image of {height}x{width} pixels with the lines of its patches. Right: its {n} patches of {p}x{p} "
        f"pixels, in {rows} rows and {columns} columns, numbered row by row.",
        gridspec_kw={"wspace": 0.06},
    )
    whole, apart = grid[0]
    show_image(whole, image, f"image: {height}×{width} pixels")
    for edges, draw in ((range(0, width + 1, p), whole.axvline), (range(0, height + 1, p), whole.axhline)):
        for edge in edges:
            # White with a black core: seen on bright and on dark pixels.
            draw(edge - 0.5, color="white", linewidth=1.8, clip_on=False)
            draw(edge - 0.5, color="black", linewidth=0.6, clip_on=False)

    tiles = np.stack([display_array(patch.reshape(c, p, p)) for patch in patches])  # (N, P, P) and 3 for colours
    gap = max(1, p // 8)
    canvas = mosaic(tiles.reshape(rows, columns, *tiles.shape[1:]), gap, fill=1.0)
    apart.imshow(canvas, cmap="gray", vmin=0, vmax=1)
    apart.set_title(f"{n} patches of {p}×{p} pixels")
    hide_frame(apart)
    if n <= 100:
        for index in range(n):
            row, column = divmod(index, columns)
            apart.text(
                column * (p + gap) - 0.4,
                row * (p + gap) - 0.4,
                str(index),
                fontsize=8,
                va="top",
                color="white",
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "black", "edgecolor": "none", "alpha": 0.75},
            )
    return figure
