"""Lesson 15 (swin): checks of the exercises on windows and on the mask."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.beyond import swin as package
from course_utils.checks.core import Exercise, Mistake

Sides = tuple[int, int]


def numbered(*shape: int) -> Tensor:
    """Make a map whose values count from 0, as floats."""
    size = int(torch.tensor(shape).prod())
    return torch.arange(float(size)).reshape(shape)


# ---- to_windows


def _cut(places: Tensor, w: int) -> Tensor:
    """Split both sides of a map: (B, H, W, D) -> (B, H/w, w, W/w, w, D)."""
    b, rows, columns, d = places.shape
    return places.reshape(b, rows // w, w, columns // w, w, d)


def _cut_apart(places: Tensor, w: int) -> Tensor:
    """Split both sides the wrong way round: (B, H, W, D) -> (B, w, H/w, w, W/w, D)."""
    b, rows, columns, d = places.shape
    return places.reshape(b, w, rows // w, w, columns // w, d)


def _window_examples() -> list[tuple[Tensor, int]]:
    """Eight numbers in two windows, to look at; then batches and maps that are not square."""
    draw = torch.Generator().manual_seed(0)
    shapes = {(2, 4, 6, 3): 2, (2, 6, 9, 2): 3, (3, 6, 3, 5): 3, (1, 8, 4, 2): 4}
    return [
        (numbered(1, 2, 4, 1), 2),
        *((torch.randn(shape, generator=draw), w) for shape, w in shapes.items()),
        (numbered(2, 4, 2, 3).double(), 2),
    ]


to_windows = Exercise(
    "to_windows",
    package.to_windows,
    _window_examples,
    (
        Mistake(
            "a bare reshape",
            "Your windows hold places that follow each other in memory: the first row of the map, then the second. "
            "A window holds w places of the first row, then w of the next. Split both sides first, then exchange "
            "two axes.",
            lambda p, w: p.reshape(len(p), -1, w * w, p.shape[3]),
        ),
        Mistake(
            "windows numbered down the columns",
            "Each window is right, but they come in another order: you go down before you go right. The second "
            "window lies to the right of the first.",
            lambda p, w: _cut(p, w).permute(0, 3, 1, 2, 4, 5).flatten(3, 4).flatten(1, 2),
        ),
        Mistake(
            "rows and columns exchanged inside a window",
            "The windows are right and in order, but the places inside are read down the columns. Read each window "
            "row by row.",
            lambda p, w: _cut(p, w).permute(0, 1, 3, 4, 2, 5).flatten(3, 4).flatten(1, 2),
        ),
        Mistake(
            "places that are far apart",
            "Your windows take every second or third place, spread over the whole map. A window is made of "
            "neighbours. When you split a side of H places, the axis of the windows comes first: (H/w, w), not (w, "
            "H/w).",
            lambda p, w: (
                p.reshape(len(p), w, p.shape[1] // w, w, p.shape[2] // w, -1)
                .permute(0, 2, 4, 1, 3, 5)
                .flatten(3, 4)
                .flatten(1, 2)
            ),
            lambda p, w: (
                p.reshape(len(p), w, p.shape[1] // w, w, p.shape[2] // w, -1)
                .transpose(2, 3)
                .flatten(3, 4)
                .flatten(1, 2)
            ),
        ),
        Mistake(
            "windows left as small maps",
            "The windows are right, but each is still a map of w rows and w columns. Attention takes a sequence: "
            "join these two axes to one of w*w places.",
            lambda p, w: _cut(p, w).transpose(2, 3).flatten(1, 2),
            lambda p, w: _cut(p, w).transpose(2, 3),
        ),
        Mistake(
            "the grid of windows not flattened",
            "Each window is a sequence now, but the windows still stand in rows and columns. Join the first two "
            "axes behind the batch.",
            lambda p, w: _cut(p, w).transpose(2, 3).flatten(3, 4),
        ),
        Mistake(
            "windows joined with the batch",
            "The numbers are right, but all windows of all images stand in one long list. Here the batch keeps its "
            "axis: (B, windows, w*w, D).",
            lambda p, w: package.to_windows(p, w).flatten(0, 1),
            lambda p, w: _cut(p, w).transpose(2, 3).flatten(0, 2),
        ),
        Mistake(
            "windows before the batch",
            "The numbers are right, but the windows stand before the batch. The result is (B, windows, w*w, D).",
            lambda p, w: package.to_windows(p, w).transpose(0, 1),
        ),
        Mistake(
            "D before the places",
            "The numbers are right, but the last two axes are exchanged: (B, windows, D, w*w). A sequence of tokens "
            "has its places first, and D last.",
            lambda p, w: package.to_windows(p, w).mT,
        ),
        Mistake(
            "cut along one side only",
            "You cut the map into strips, along one of its sides only. A window ends after w rows and after w columns.",
            lambda p, w: p.unflatten(1, (-1, w)).flatten(2, 3),
            lambda p, w: p.unflatten(1, (-1, w)),
            lambda p, w: p.unflatten(2, (-1, w)).transpose(1, 2).flatten(2, 3),
        ),
    ),
    "Every window holds neighbours, row by row, also where map and batch have any shape.",
    tolerance=0.0,  # numbers are moved, not computed
    forbidden=(package.to_windows,),
)


# ---- shift_mask


def _region(size: Sides, starts: Callable[[int, int], tuple[int, ...]], shift: Sides) -> Tensor:
    """Number the regions of a map whose sides begin a new part at some places: (H, W)."""
    rows, columns = (
        torch.bucketize(torch.arange(side), torch.tensor(starts(side, by), dtype=torch.int64), right=True)
        for side, by in zip(size, shift, strict=True)
    )
    return 100 * rows[:, None] + columns


def _mask_of(region: Tensor, w: int) -> Tensor:
    """Shut pairs of places of different regions: (H, W) -> (windows, M, M)."""
    found = package.to_windows(region[None, :, :, None], w)[0, :, :, 0]  # -> (windows, M)
    return (found[:, :, None] != found[:, None, :]) * package.SHUT


def _apart(size: Sides, w: int, shift: Sides) -> Tensor:
    return package.shift_mask(size, w, shift) != 0


def _end(side: int, by: int) -> tuple[int, ...]:
    return (side - by,)


def _mask_in_memory_order(size: Sides, w: int, shift: Sides) -> Tensor:
    """Cut the regions into windows by a bare reshape."""
    found = _region(size, _end, shift).reshape(-1, w * w)
    return (found[:, :, None] != found[:, None, :]) * package.SHUT


def _mask_examples() -> list[tuple[Sides, int, Sides]]:
    """Maps that are not square, shifts below and above half a window, and another one down than to the right."""
    return [
        ((4, 6), 2, (1, 1)),
        ((6, 9), 3, (1, 2)),
        ((8, 12), 4, (1, 3)),
        ((15, 10), 5, (2, 1)),
        ((10, 15), 5, (4, 3)),
    ]


shift_mask = Exercise(
    "shift_mask",
    package.shift_mask,
    _mask_examples,
    (
        Mistake(
            "a mask of zeros",
            "Your mask shuts nothing. In the last windows stand places that came from the other end of the map: "
            "they are no neighbours of the others there.",
            lambda s, w, by: torch.zeros(_apart(s, w, by).shape),
        ),
        Mistake(
            "shut and open exchanged",
            "You shut the pairs that belong together, and leave the others open. 0 is for two places of one region, "
            "-100 for two of different regions.",
            lambda s, w, by: ~_apart(s, w, by) * package.SHUT,
        ),
        Mistake(
            "a mask of 0 and 1",
            "Your mask holds True and False, or 0 and 1. It is added to the scores before the softmax, where 1 "
            "is hardly anything: take 0.0 for a pair that stays open, and -100.0 for one that is shut.",
            _apart,
            lambda s, w, by: ~_apart(s, w, by),
            lambda s, w, by: -_apart(s, w, by).float(),
        ),
        Mistake(
            "another number than -100",
            "The right pairs are shut, but with another number. Minus infinity would do here as well; the task asks "
            "for -100.0, as the published models have it.",
            lambda s, w, by: torch.zeros(_apart(s, w, by).shape).masked_fill(_apart(s, w, by), float("-inf")),
            *(
                lambda s, w, by, number=number: _apart(s, w, by) * number
                for number in (-1e9, -1e4, -1e5, -1e6, -1e8, -1000.0, -10.0, torch.finfo(torch.float32).min)
            ),
        ),
        Mistake(
            "plus 100 in place of minus",
            "Your mask draws attention to just those pairs that it should shut: it is +100. Minus it must be.",
            lambda s, w, by: _apart(s, w, by) * -package.SHUT,
        ),
        Mistake(
            "shut along one side only",
            "You shut rows from rows, or columns from columns, but not both. The map is rolled up and to the left, "
            "so the last rows are strangers, and the last columns too.",
            lambda s, w, by: _mask_of(_region(s, _end, by) // 100, w),
            lambda s, w, by: _mask_of(_region(s, _end, by) % 100, w),
        ),
        Mistake(
            "the corner counted as one with its sides",
            "You have two kinds of places only: those that came round, and those that did not. But rows that came "
            "from the top and columns that came from the left are strangers too: number four regions, not two.",
            lambda s, w, by: _mask_of((_region(s, _end, by) > 0).long(), w),
            lambda s, w, by: _mask_of((_region(s, _end, by) > 100).long(), w),
            lambda s, w, by: _mask_of(_region(s, _end, by) // 100 + _region(s, _end, by) % 100, w),
        ),
        Mistake(
            "the border at the wrong end",
            "Your strangers stand at the beginning of the map. The roll goes up and to the left, so what was first "
            "stands at the END: the last `shift` rows and columns.",
            lambda s, w, by: _mask_of(_region(s, lambda side, x: (x,), by), w),
        ),
        Mistake(
            "the border at the wrong place",
            "Your border in the last windows is not where the strangers begin. By how many places was the map "
            "rolled? As many rows came round, counted from the end; not the other part of the window.",
            lambda s, w, by: _mask_of(_region(s, lambda side, x: (side - w + x,), by), w),
            lambda s, w, by: _mask_of(_region(s, lambda side, x: (side - w // 2,), by), w),
            lambda s, w, by: _mask_of(_region(s, lambda side, x: (side - x - 1,), by), w),
            lambda s, w, by: _mask_of(_region(s, lambda side, x: (side - x + 1,), by), w),
            lambda s, w, by: _mask_of(_region(s, lambda side, x: (side - w, side - w + x), by), w),
        ),
        Mistake(
            "shift down and to the right exchanged",
            "The two shifts are exchanged: `shift` is (down, to the right), so its first number belongs to the rows.",
            lambda s, w, by: package.shift_mask(s, w, by[::-1]),
        ),
        Mistake(
            "the same shift for both sides",
            "You use one of the two shifts for both sides. Rows were rolled by shift[0], columns by shift[1].",
            lambda s, w, by: package.shift_mask(s, w, (by[0], by[0])),
            lambda s, w, by: package.shift_mask(s, w, (by[1], by[1])),
        ),
        Mistake(
            "rows and columns of the map exchanged",
            "Height and width of the map are exchanged. `size` is (height, width).",
            lambda s, w, by: package.shift_mask(s[::-1], w, by[::-1]),
            lambda s, w, by: package.shift_mask(s[::-1], w, by),
        ),
        Mistake(
            "regions cut by a bare reshape",
            "The regions are right, but you cut their map into windows by a reshape alone: then a window holds the "
            "beginning of a row. Use `to_windows`.",
            _mask_in_memory_order,
        ),
        Mistake(
            "one mask for the whole map",
            "You compare every place with every other of the map. Attention looks inside a window only: cut the map "
            "of regions into windows first, then compare. The result is (windows, M, M).",
            lambda s, w, by: (
                (_region(s, _end, by).flatten()[:, None] != _region(s, _end, by).flatten()[None]) * package.SHUT
            ),
        ),
    ),
    "Inside each window only places that are neighbours on the image may look at each other.",
    forbidden=(package.shift_mask,),
    in_a_model=False,
)
