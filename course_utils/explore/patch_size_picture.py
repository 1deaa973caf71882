"""The picture that stands for the patch size explorer where no kernel runs."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from course_utils.plots.style import BLUE, SKY, new_figure, show_image, styled


@styled
def patch_size_picture(image: Tensor, name: str, answers: Mapping[int, Mapping[str, float]], own_size: int) -> Figure:
    """Draw an image, cut into patches of each size, and below it how sure the model is of each class.

    Args:
        image: (C, H, W), uint8, or floats from 0 to 1.
        name: Of the image.
        answers: Patch size -> class -> probability.
        own_size: The patch size that the model was trained with.

    Returns:
        The figure.
    """
    height, width = image.shape[-2:]
    best = {p: max(table, key=lambda each: table[each]) for p, table in answers.items()}
    said = ", ".join(f"{p}x{p} pixels {best[p]} {table[best[p]]:.0%}" for p, table in answers.items())
    figure = new_figure(
        (2.4 * len(answers) + 0.8, 5.2),
        f"{name}: one picture cut into patches of several sizes, and what the same model says of it. {said}. "
        f"It was trained with patches of {own_size}x{own_size} pixels.",
    )
    axes = figure.subplots(2, len(answers), squeeze=False)
    for place, (p, table) in enumerate(answers.items()):
        cut, bars = axes[:, place]
        own = p == own_size
        rows, columns = height // p, width // p
        show_image(cut, image, f"P = {p}{' (trained)' if own else ''}\n{rows * columns} patches")
        for edges, draw in ((range(0, width + 1, p), cut.axvline), (range(0, height + 1, p), cut.axhline)):
            for edge in edges:  # white with a black core: seen on bright and on dark pixels
                draw(edge - 0.5, color="white", linewidth=1.4, clip_on=False)
                draw(edge - 0.5, color="black", linewidth=0.5, clip_on=False)
        bars.barh(list(table), [100 * value for value in table.values()], color=BLUE if own else SKY)
        bars.set(xlim=(0, 100), xlabel="probability in %", title=f"says {best[p]}, {table[best[p]]:.0%}")
        bars.invert_yaxis()
        if place:
            bars.set_yticklabels([])
    return figure
