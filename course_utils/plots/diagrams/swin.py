"""Lesson 15 (swin): a map that is rolled, its regions, and the masks of its windows."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from course_utils.beyond.swin import shift_mask, to_windows
from course_utils.plots.diagrams.shapes import spread
from course_utils.plots.drawing import Box, Page, tint
from course_utils.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, styled

SIDE, WINDOW, SHIFT = 4, 2, 1  # more places could not be numbered
REGIONS = "ABCDEFGHI"
_COLOURS = [
    tint(colour, strength)
    for colour, strength in zip(
        (SKY, ORANGE, GREEN, PURPLE, VERMILLION, BLUE, GREY, ORANGE, GREEN),
        (0.5, 0.6, 0.5, 0.6, 0.45, 0.45, 0.35, 0.25, 0.2),
        strict=True,
    )
]


@styled
def shifted_windows() -> Figure:
    """Draw a map of 4x4 places, the same rolled by one place and cut into windows, and the four masks.

    Returns:
        The figure. Each region has a letter as well as a colour.
    """
    places = torch.arange(SIDE * SIDE).reshape(1, SIDE, SIDE, 1)
    rolled = places.roll((-SHIFT, -SHIFT), dims=(1, 2))
    windows = to_windows(rolled, WINDOW)[0, :, :, 0]  # (4 windows, 4 places)
    masks = shift_mask((SIDE, SIDE), WINDOW, (SHIFT, SHIFT))  # (4 windows, 4, 4)
    region = _regions(windows, masks)  # place -> number
    listed = "; ".join(
        f"window {i} holds the places {', '.join(map(str, held.tolist()))} of "
        f"{_counted(len({region[place] for place in held.tolist()}))}"
        for i, held in enumerate(windows)
    )
    page = Page(
        (10, 6.55),
        "Windows that lie half a window further: roll, cut, mask",
        "A map of 4 by 4 numbered places; the same rolled up and to the left by one place, cut into four windows; and "
        f"the mask of each window, with open and shut pairs. {listed}.",
    )
    cell, gap = 0.58, 0.4
    y = 4.1
    whole = Box(2.35, y, SIDE * cell, SIDE * cell)
    for place in range(SIDE * SIDE):
        row, column = divmod(place, SIDE)
        _place(page, place, region, whole.left[0] + (column + 0.5) * cell, whole.top[1] - (row + 0.5) * cell, cell)
    page.text(whole.x, whole.top[1] + 0.22, "the map, its regions A to I")
    apart = Box(7.2, y, SIDE * cell + gap, SIDE * cell + gap)
    for i, held in enumerate(windows.tolist()):
        row, column = divmod(i, SIDE // WINDOW)
        left = apart.left[0] + column * (WINDOW * cell + gap)
        top = apart.top[1] - row * (WINDOW * cell + gap)
        for index, place in enumerate(held):
            down, right = divmod(index, WINDOW)
            _place(page, place, region, left + (right + 0.5) * cell, top - (down + 0.5) * cell, cell)
        page.text(left + WINDOW * cell / 2, top + 0.16, f"window {i}", fontsize=10)
    page.text(apart.x, apart.top[1] + 0.42, "rolled by one place, cut into windows")
    page.arrow((whole.right[0] + 0.15, y), (apart.left[0] - 0.15, y))
    small = 0.33
    for x, mask, held, i in zip(spread(0.9, 9.5, [4 * small] * 4), masks, windows.tolist(), range(4), strict=True):
        _mask(page, Box(x, 1.35, 4 * small, 4 * small), mask, held)
        page.text(x, 0.4, f"mask of window {i}", fontsize=10)
    page.text(5, 0.13, "row: who looks; column: at whom. White 0: open. Hatched: −100, shut.", fontsize=10)
    return page.figure


def _counted(regions: int) -> str:
    return "one region" if regions == 1 else f"{regions} regions"


def _regions(windows: torch.Tensor, masks: torch.Tensor) -> dict[int, int]:
    """Number the regions window by window: places that see each other share one."""
    region: dict[int, int] = {}
    for held, mask in zip(windows.tolist(), masks, strict=True):
        for index, place in enumerate(held):
            seen = [
                region[other] for other, score in zip(held, mask[index], strict=True) if score == 0 and other in region
            ]
            region[place] = seen[0] if seen else max(region.values(), default=-1) + 1
    return region


def _place(page: Page, place: int, region: dict[int, int], x: float, y: float, side: float) -> None:
    """Draw a place: its number and the letter of its region."""
    number = region[place]
    settings = {"rounded": False, "edgecolor": "white", "linewidth": 1.0, "size": 10}
    page.box(Box(x, y, side, side), f"{place} {REGIONS[number]}", facecolor=_COLOURS[number], **settings)


def _mask(page: Page, box: Box, mask: torch.Tensor, held: list[int]) -> None:
    """Draw a mask: open pairs white with a 0, shut pairs grey and hatched; the places along both edges."""
    side = box.width / len(held)
    for row, query in enumerate(held):
        y = box.top[1] - (row + 0.5) * side
        page.text(box.left[0] - 0.17, y, str(query), fontsize=10)
        page.text(box.left[0] + (row + 0.5) * side, box.top[1] + 0.15, str(query), fontsize=10)
        for column in range(len(held)):
            cell = Box(box.left[0] + (column + 0.5) * side, y, side, side)
            settings = {"rounded": False, "linewidth": 0.8, "size": 10, "edgecolor": BLACK}
            if mask[row, column] == 0:
                page.box(cell, "0", facecolor="white", **settings)
            else:
                page.box(cell, facecolor=tint(GREY, 0.55), hatch="////", **settings)
