"""Boxes, arrows and words on a page measured in inches: what the diagrams are drawn with.

Data (tokens, patches, matrices) is drawn as square boxes in full colour, an operation as a rounded box in a tint.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from course_utils.plots.style import BLACK, GREY, new_figure

Point = tuple[float, float]
ROW = 0.25  # height of one token of a sequence


class Box(NamedTuple):
    """A rectangle on the page, by its centre; its four edges are where arrows start and end."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        """The middle of the left edge."""
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> Point:
        """The middle of the right edge."""
        return self.x + self.width / 2, self.y

    @property
    def top(self) -> Point:
        """The middle of the upper edge."""
        return self.x, self.y + self.height / 2

    @property
    def bottom(self) -> Point:
        """The middle of the lower edge."""
        return self.x, self.y - self.height / 2


def tint(colour: str, amount: float = 0.22) -> tuple[float, ...]:
    """Mix a colour with white: 0 gives white, 1 the colour itself."""
    return tuple(1 - amount * (1 - part) for part in to_rgb(colour))


def ink(colour: Any) -> str:
    """Return black or white, whichever is read better on a colour (relative luminance, WCAG 2.2)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else BLACK


class Page:
    """An empty figure to draw on. Places are in inches from the lower left corner.

    Args:
        size: Width and height in inches.
        title: Above the drawing.
        description: What the picture shows, in words.
    """

    def __init__(self, size: Point, title: str, description: str) -> None:
        self.figure = new_figure(size, description)
        self.figure.set_layout_engine("none")  # every place is chosen here
        self.ax = self.figure.add_axes((0, 0, 1, 1))
        self.ax.set(xlim=(0, size[0]), ylim=(0, size[1]))
        self.ax.set_axis_off()
        if title:
            self.text(size[0] / 2, size[1] - 0.27, title, fontsize=13)

    def text(self, x: float, y: float, words: str, **settings: Any) -> None:
        """Write words, centred on a point."""
        self.ax.text(x, y, words, **{"ha": "center", "va": "center", "linespacing": 1.25, **settings})

    def shape(self, x: float, y: float, *sizes: int | str, **settings: Any) -> None:
        """Write the shape of a tensor as Python prints it."""
        words = f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"
        self.text(x, y, words, **{"family": "DejaVu Sans Mono", "fontsize": 10, **settings})

    def box(self, box: Box, words: str = "", colour: str = GREY, *, rounded: bool = True, **settings: Any) -> Box:
        """Draw a box with words in it. ``settings`` go to matplotlib's patch, ``size`` and ``weight`` to the words."""
        font = {"fontsize": settings.pop("size", 10.5), "weight": settings.pop("weight", "normal")}
        style = "round,pad=0,rounding_size=0.07" if rounded else "square,pad=0"
        settings = {"facecolor": tint(colour), "edgecolor": colour, "linewidth": 1.3, "zorder": 2, **settings}
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        patch = self.ax.add_patch(FancyBboxPatch(corner, box.width, box.height, boxstyle=style, **settings))
        if words:
            self.text(box.x, box.y, words, color=ink(patch.get_facecolor()), zorder=settings["zorder"], **font)
        return box

    def linear(self, x: float, y: float, width: float, words: str, height: float = 0.7) -> Box:
        """Draw a linear map: a white box."""
        return self.box(Box(x, y, width, height), words, facecolor="white", edgecolor=BLACK)

    def frame(self, box: Box, **settings: Any) -> Box:
        """Draw a frame around other boxes, behind them."""
        return self.box(box, **{"facecolor": "#F7F7F7", "edgecolor": "#BFBFBF", "zorder": 0, **settings})

    def cells(self, box: Box, words: Sequence[Sequence[str]], colours: Any, **settings: Any) -> Box:
        """Draw a matrix: its cells fill the box, each with its words and colour (one for all, or one for each)."""
        rows, columns = len(words), len(words[0])
        width, height = box.width / columns, box.height / rows
        settings = {"rounded": False, "edgecolor": "white", "linewidth": 1.0, "size": 10, **settings}
        for row in range(rows):
            for column in range(columns):
                colour = colours if isinstance(colours, str) else colours[row][column]
                x = box.x - box.width / 2 + (column + 0.5) * width
                y = box.y + box.height / 2 - (row + 0.5) * height
                self.box(Box(x, y, width, height), words[row][column], facecolor=colour, **settings)
        return box

    def rows(
        self,
        x: float,
        top: float,
        bars: Sequence[tuple[str, str]],
        width: float = 0.8,
        height: float = ROW,
        **settings: Any,
    ) -> Box:
        """Draw a sequence downwards from ``top``: a bar for each (words, colour); "⋮" stands for those left out."""
        for index, (words, colour) in enumerate(bars):
            bar = Box(x, top - (index + 0.5) * height, width, height - 0.05)
            if words == "⋮":
                self.text(bar.x, bar.y, words, fontsize=12)
            else:
                style = {"facecolor": colour, "linewidth": 0, "size": 10, **settings}
                self.box(bar, words, colour, rounded=False, **style)
        return Box(x, top - height * len(bars) / 2, width, height * len(bars))

    def picture(self, box: Box, pixels: np.ndarray) -> Box:
        """Draw pixels, (H, W) or (H, W, 3) from 0 to 1, each with sharp edges also where a viewer would smooth them."""
        factor = max(1, 256 // max(pixels.shape[:2]))
        sharp = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
        extent = (box.left[0], box.right[0], box.bottom[1], box.top[1])
        self.ax.imshow(sharp, cmap="gray", vmin=0, vmax=1, extent=extent, aspect="auto", zorder=2)
        self.ax.set(xlim=(0, self.figure.get_figwidth()), ylim=(0, self.figure.get_figheight()))
        return box

    def arrow(self, *points: Point, head: bool = True, **settings: Any) -> None:
        """Draw a line through points, with an arrowhead that touches the last one."""
        settings = {"color": GREY, "linewidth": 1.5, "mutation_scale": 11, "zorder": 1, **settings}
        style = "-|>,head_length=0.6,head_width=0.3" if head else "-"
        self.ax.add_patch(FancyArrowPatch(path=Path(points), arrowstyle=style, joinstyle="miter", **settings))

    def chain(self, boxes: Sequence[Box], y: float) -> None:
        """Draw level arrows from each box to the next."""
        for start, stop in pairwise(boxes):
            self.arrow((start.right[0], y), (stop.left[0], y))

    def sign(self, x: float, y: float, sign: str = "+") -> Box:
        """Draw "+", "×" or "=" in a circle: lines, since a letter would not sit in its middle."""
        self.ax.add_patch(Circle((x, y), 0.15, facecolor="white", edgecolor=BLACK, linewidth=1.3, zorder=3))
        a, b = 0.08, 0.06
        strokes = {
            "+": ((-a, 0, a, 0), (0, -a, 0, a)),
            "×": ((-b, -b, b, b), (-b, b, b, -b)),
            "=": ((-a, 0.035, a, 0.035), (-a, -0.035, a, -0.035)),
        }
        for left, low, right, high in strokes[sign]:
            self.arrow((x + left, y + low), (x + right, y + high), head=False, color=BLACK, zorder=4)
        return Box(x, y, 0.3, 0.3)

    def dot(self, x: float, y: float) -> None:
        """Mark where a line branches."""
        self.ax.add_patch(Circle((x, y), 0.07, facecolor=BLACK, linewidth=0, zorder=3))
