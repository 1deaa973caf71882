"""A line of small matrices with signs between them: a calculation that can be followed by hand."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.plots.drawing import Box, Page, tint
from course_utils.plots.style import BLUE, GREY, VERMILLION, styled

CELL = 0.5  # inches


Values = np.ndarray | Tensor


@styled
def matrix_equation(*parts: str | tuple[str, Values] | tuple[str, Values, int], title: str, note: str = "") -> Figure:
    """Draw matrices in a row, with their numbers written in, and signs between them.

    Args:
        parts: In the order of reading, each a sign such as "=" or "@", or a (name, matrix of two axes). A third value
            is the number of a row, which gets a black outline.
        title: Over the figure.
        note: A line of text under it.

    Returns:
        The figure. Positive numbers are blue, negative ones orange, the deeper the larger; numbers that are not
        finite stand on white.

    Raises:
        ValueError: There is no matrix, or one has other than two axes.

    Example:
        >>> a = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> figure = matrix_equation(("a", a), "@", ("a", a), "=", ("a @ a", a @ a), title="A product")
    """
    matrices = {index: (part[0], as_array(part[1])) for index, part in enumerate(parts) if not isinstance(part, str)}
    if not matrices or any(values.ndim != 2 or not values.size for _, values in matrices.values()):
        raise ValueError("A matrix equation needs at least one matrix, and each must have two axes.")
    tall = CELL * max(len(values) for _, values in matrices.values())
    gap = 0.25
    widths = [
        CELL * matrices[index][1].shape[1] if index in matrices else max(0.12, 0.11 * len(str(part)))
        for index, part in enumerate(parts)
    ]
    total = sum(widths) + gap * (len(parts) - 1)
    page_width = max(7.0, total + 0.8)
    words = " ".join(
        f"{matrices[index][0]} [{values_in_words(matrices[index][1])}]" if index in matrices else str(part)
        for index, part in enumerate(parts)
    )
    page = Page((page_width, tall + 1.45 + 0.3 * bool(note)), title, f"{title}. {words}. {note}".strip())
    left, y = (page_width - total) / 2, tall / 2 + 0.45 + 0.3 * bool(note)
    for index, (part, width) in enumerate(zip(parts, widths, strict=True)):
        x = left + width / 2
        if index in matrices:
            row = part[2] if not isinstance(part, str) and len(part) == 3 else None
            _draw(page, x, y, *matrices[index], row)
        else:
            page.text(x, y, str(part), fontsize=14)
        left += width + gap
    if note:
        page.text(page_width / 2, 0.22, note, fontsize=10, color=GREY)
    return page.figure


def as_array(values: Values) -> np.ndarray:
    """Return an array or a tensor as an array of floats."""
    return np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, dtype=float)


def number_in_words(value: float) -> str:
    """Write a number with at most two decimals: 1, 0.5, 1.41, −∞."""
    if np.isinf(value):
        return "−∞" if value < 0 else "∞"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:.0f}"
    return {"-0": "0"}.get(text, text.replace("-", "−"))


def values_in_words(values: np.ndarray) -> str:
    """Write a matrix out, row by row."""
    return "; ".join(" ".join(number_in_words(value) for value in row) for row in values)


def _draw(page: Page, x: float, y: float, name: str, values: np.ndarray, outlined: int | None) -> None:
    """Draw one matrix around a point: its name above, its shape below."""
    rows, columns = values.shape
    box = Box(x, y, CELL * columns, CELL * rows)
    finite = np.where(np.isfinite(values), values, 0)
    depth = 0.75 * np.abs(finite) / max(float(np.abs(finite).max()), 1e-12)
    colours = [
        [tint(BLUE if value >= 0 else VERMILLION, 0.06 + amount) for value, amount in zip(*row, strict=True)]
        for row in zip(finite, depth, strict=True)
    ]
    page.cells(box, [[number_in_words(value) for value in row] for row in values], colours)
    if outlined is not None:
        row = Box(x, box.top[1] - CELL * (outlined + 0.5), box.width, CELL)
        page.box(row, rounded=False, facecolor="none", edgecolor="black", linewidth=2.0, zorder=3)
    page.text(x, box.top[1] + 0.18, name)
    page.shape(x, box.bottom[1] - 0.18, rows, columns)
