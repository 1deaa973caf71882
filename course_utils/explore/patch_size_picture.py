"""The picture that stands for the patch size explorer where no kernel runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.plots.style import BLUE, SKY, new_figure, show_image, styled


@styled
def patch_size_picture(
    image: Tensor,
    name: str,
    answers: Mapping[int, Mapping[str, float]],
    maps: Mapping[int, Sequence[float]],
    own_size: int,
) -> Figure:
    """Draw an image, cut into patches of each size; below it where the model looks, and how sure it is of each class.

    Args:
        image: (C, H, W), uint8, or floats from 0 to 1.
        name: Of the image.
        answers: Patch size -> class -> probability.
        maps: Patch size -> the weights of the read-out on the patches, in raster order.
        own_size: The patch size that the model was trained with; 0 if with all of them.

    Returns:
        The figure.
    """
    height, width = image.shape[-2:]
    best = {p: max(table, key=lambda each: table[each]) for p, table in answers.items()}
    said = ", ".join(f"{p}x{p} pixels {best[p]} {table[best[p]]:.0%}" for p, table in answers.items())
    trained = f"patches of {own_size}x{own_size} pixels" if own_size else "all of these sizes"
    figure = new_figure(
        (2.4 * len(answers) + 0.8, 7.4),
        f"{name}: one picture cut into patches of several sizes, and what the same model says of it. {said}. "
        f"It was trained with {trained}. Between picture and answer: where it looks, one weight for each patch.",
    )
    axes = figure.subplots(3, len(answers), squeeze=False)
    for place, (p, table) in enumerate(answers.items()):
        cut, looks, bars = axes[:, place]
        own = p == own_size
        rows, columns = height // p, width // p
        show_image(cut, image, f"P = {p}{' (trained)' if own else ''}\n{rows * columns} patches")
        for edges, draw in ((range(0, width + 1, p), cut.axvline), (range(0, height + 1, p), cut.axhline)):
            for edge in edges:  # white with a black core: seen on bright and on dark pixels
                draw(edge - 0.5, color="white", linewidth=1.4, clip_on=False)
                draw(edge - 0.5, color="black", linewidth=0.5, clip_on=False)
        weights = np.array(maps[p]).reshape(rows, columns)
        looks.imshow(weights, vmin=0, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest")
        looks.set(xticks=[], yticks=[], title=f"where it looks:\nat most {weights.max():.0%} on a patch")
        bars.barh(list(table), [100 * value for value in table.values()], color=BLUE if own else SKY)
        bars.set(xlim=(0, 100), xlabel="probability in %", title=f"says {best[p]}, {table[best[p]]:.0%}")
        bars.invert_yaxis()
        if place:
            bars.set_yticklabels([])
    return figure
