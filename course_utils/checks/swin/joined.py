"""Lesson 15 (swin): checks of the exercises on merging and on the way through shifted windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.beyond import swin as package
from course_utils.checks.core import Exercise, Mistake, same_value
from course_utils.checks.in_a_model import Flawed
from course_utils.checks.swin.windows import numbered

# ---- merge_patches


def _corners(x: Tensor, order: str = "00 10 01 11") -> list[Tensor]:
    """Take every second row and column, from the corners given as "row column": each (B, H/2, W/2, D)."""
    return [x[:, int(corner[0]) :: 2, int(corner[1]) :: 2] for corner in order.split()]


def _quarters(x: Tensor) -> list[Tensor]:
    """Cut a map into its four quarters."""
    h, w = x.shape[1] // 2, x.shape[2] // 2
    return [x[:, :h, :w], x[:, h:, :w], x[:, :h, w:], x[:, h:, w:]]


def _merge_examples() -> list[tuple[Tensor]]:
    """A map of 2x4 numbers, to look at; then several numbers a place, and batches."""
    draw = torch.Generator().manual_seed(0)
    shapes = ((2, 4, 6, 3), (3, 6, 2, 2), (1, 2, 8, 5))
    return [
        (numbered(1, 2, 4, 1),),
        *((torch.randn(shape, generator=draw),) for shape in shapes),
        (numbered(2, 4, 2, 3).double(),),
    ]


merge_patches = Exercise(
    "merge_patches",
    package.merge_patches,
    _merge_examples,
    (
        Mistake(
            "read along the rows",
            "The right four are joined, but in another order: you go right before you go down. The published "
            "weights want the left column first: upper left, LOWER LEFT, upper right, lower right.",
            lambda x: torch.cat(_corners(x, "00 01 10 11"), -1),
        ),
        Mistake(
            "another order of the four",
            "The right four are joined, but in another order than asked: upper left, lower left, upper right, lower "
            "right.",
            *(
                lambda x, order=order: torch.cat(_corners(x, order), -1)
                for order in ("11 01 10 00", "11 10 01 00", "00 10 11 01", "00 01 11 10", "01 00 11 10", "10 00 11 01")
            ),
        ),
        Mistake(
            "a bare reshape",
            "Your reshape joins places that follow each other in memory: four of one row. Two of the four must come "
            "from the row below.",
            lambda x: x.reshape(len(x), x.shape[1] // 2, x.shape[2] // 2, -1),
        ),
        Mistake(
            "quarters of the map",
            "You lay the four quarters of the map on top of each other. They are far apart: merge neighbours, those "
            "that stand in one square of 2x2 places. `x[:, 0::2]` takes every second row.",
            lambda x: torch.cat(_quarters(x), -1),
            lambda x: torch.cat([_quarters(x)[i] for i in (0, 2, 1, 3)], -1),
        ),
        Mistake(
            "numbers of the four interleaved",
            "The right four are joined, but number by number: the first of all four, then the second of all four. "
            "Keep the D numbers of one place together, and lay the four side by side.",
            lambda x: torch.stack(_corners(x), -1).flatten(-2),
            lambda x: torch.stack(_corners(x, "00 01 10 11"), -1).flatten(-2),
        ),
        Mistake(
            "a mean in place of all four",
            "You take the mean of the four, or their sum, or the largest. That throws three quarters of the numbers "
            "away. Lay the four vectors side by side: 4 D numbers.",
            lambda x: torch.stack(_corners(x)).mean(0),
            lambda x: torch.stack(_corners(x)).sum(0),
            lambda x: torch.stack(_corners(x)).amax(0),
        ),
        Mistake(
            "three of four thrown away",
            "You keep one place of four, and drop the rest. All four go on, side by side.",
            lambda x: _corners(x)[0],
            lambda x: _corners(x)[3],
        ),
        Mistake(
            "two in place of four",
            "You join two neighbours, and only one side of the map becomes half as long. A square of 2x2 places "
            "becomes one.",
            lambda x: torch.cat([x[:, 0::2], x[:, 1::2]], -1),
            lambda x: torch.cat([x[:, :, 0::2], x[:, :, 1::2]], -1),
        ),
        Mistake(
            "the four not joined",
            "The four are right, but they stand on an axis of their own. Join it with D: (B, H/2, W/2, 4 D).",
            lambda x: torch.stack(_corners(x), -2),
            lambda x: torch.stack(_corners(x), -1),
            lambda x: torch.stack(_corners(x)),
            lambda x: torch.stack(_corners(x), 1),
            _corners,
            lambda x: tuple(_corners(x)),
        ),
        Mistake(
            "joined along another axis",
            "You join the four along the wrong axis: the map is as large as before, or the batch. Join them along "
            "the last one, D.",
            *(lambda x, dim=dim: torch.cat(_corners(x), dim) for dim in (0, 1, 2)),
        ),
        Mistake(
            "the map flattened",
            "The numbers are right, but rows and columns are joined to one axis. The result is still a map, (B, "
            "H/2, W/2, 4 D): the next windows need it.",
            lambda x: package.merge_patches(x).flatten(1, 2),
        ),
        Mistake(
            "rows and columns exchanged",
            "Rows and columns of the new map are exchanged. The result is (B, H/2, W/2, 4 D).",
            lambda x: package.merge_patches(x).transpose(1, 2),
        ),
    ),
    "Four neighbours stand side by side, in the order of the published weights.",
    forbidden=(package.merge_patches,),
)


# ---- shifted_windows

Attend = Callable[[Tensor, Tensor], Tensor]


def mean_of_open(windows: Tensor, mask: Tensor) -> Tensor:
    """Stand for attention: each place becomes the mean of those that the mask leaves open to it."""
    return mask.softmax(dim=-1) @ windows  # (windows, M, M) @ (B, windows, M, D) -> (B, windows, M, D)


def by_place(windows: Tensor, mask: Tensor) -> Tensor:
    """Stand for attention too: what a place takes depends on both places in the window, and on the channel."""
    m, d = windows.shape[2:]
    scores = torch.sin(torch.arange(float(m * m))).reshape(m, m)  # numbers without any pattern
    return (scores + mask).softmax(dim=-1) @ windows * torch.arange(1.0, d + 1)


def through_shifted_windows(places: Tensor, window_size: int, shift: int, attend: Attend) -> Tensor:
    """Roll a map, let attention work inside its windows, and roll it back: (B, H, W, D) -> (B, H, W, D)."""
    return _through(places, window_size, shift, attend)


def _through(
    places: Tensor,
    w: int,
    shift: int,
    attend: Attend,
    *,
    there: int = -1,
    back: int = 1,
    dims: tuple[int, ...] = (1, 2),
    masked: bool = True,
    exchanged: bool = False,
) -> Tensor:
    """Go the whole way, or with one step changed."""
    height, width = places.shape[1:3]
    rolled = places.roll([there * shift] * len(dims), dims)
    size = (width, height) if exchanged else (height, width)
    mask = package.shift_mask(size, w, (shift, shift))
    windows = attend(package.to_windows(rolled, w), mask if masked else torch.zeros_like(mask))
    return package.from_windows(windows, (height, width)).roll([back * shift] * len(dims), dims)


def _cut_first(places: Tensor, w: int, shift: int, attend: Attend) -> Tensor:
    """Cut into windows before the roll, and roll the windows."""
    size = (places.shape[1], places.shape[2])
    windows = package.to_windows(places, w).roll(-shift, 2)
    windows = attend(windows, package.shift_mask(size, w, (shift, shift))).roll(shift, 2)
    return package.from_windows(windows, size)


def _left_in_windows(places: Tensor, w: int, shift: int, attend: Attend) -> Tensor:
    rolled = places.roll((-shift, -shift), (1, 2))
    return attend(
        package.to_windows(rolled, w), package.shift_mask((places.shape[1], places.shape[2]), w, (shift, shift))
    )


def _way_examples() -> list[tuple[Any, ...]]:
    """A map of 4x6 numbers, to look at; then batches, larger windows, and shifts of one and two."""
    draw = torch.Generator().manual_seed(0)
    examples: list[tuple[Any, ...]] = [(numbered(1, 4, 6, 1), 2, 1, mean_of_open)]
    for shape, w, shift in (((2, 6, 9, 3), 3, 1), ((2, 12, 8, 2), 4, 2), ((1, 8, 12, 2), 4, 1), ((3, 4, 8, 2), 2, 1)):
        examples.append((torch.randn(shape, generator=draw), w, shift, by_place))
    return examples


NOT_ONCE = Flawed("attend was called more than once, or with some of the windows only")


def _watched(attempt: Callable[..., Any], places: Tensor, w: int, shift: int, attend: Attend) -> Any:
    """Run an attempt, and look how often it calls ``attend``."""
    calls = 0

    def counted(windows: Tensor, mask: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return attend(windows, mask)

    found = attempt(places, w, shift, counted)
    right = isinstance(found, Tensor) and same_value(found, _through(places, w, shift, attend), 1e-4)
    return NOT_ONCE if right and calls > 1 else found


shifted_windows = Exercise(
    "shifted_windows",
    through_shifted_windows,
    _way_examples,
    (
        Mistake(
            "attend called several times",
            "The result is right, but you call `attend` more than once: for each image, or each window. It takes all "
            "windows of all images at a time, with one mask for each window: that is what makes it fast.",
            lambda p, w, s, attend: (_through(p, w, s, attend), _through(p, w, s, attend))[0],
            lambda p, w, s, attend: torch.cat([_through(each, w, s, attend) for each in p.split(1)]),
        ),
        Mistake(
            "not rolled back",
            "At the end every place stands `shift` places too far up and to the left. Roll the map back.",
            lambda p, w, s, attend: _through(p, w, s, attend, back=0),
        ),
        Mistake(
            "rolled the same way twice",
            "You roll up and to the left, and at the end once more. The way back goes down and to the right.",
            lambda p, w, s, attend: _through(p, w, s, attend, back=-1),
        ),
        Mistake(
            "rolled down and to the right",
            "You roll down and to the right first. The map is to go up and to the left, by minus `shift`: that is "
            "what the mask is made for.",
            lambda p, w, s, attend: _through(p, w, s, attend, there=1, back=-1),
            lambda p, w, s, attend: _through(p, w, s, attend, there=1, back=1),
            lambda p, w, s, attend: _through(p, w, s, attend, there=1, back=0),
        ),
        Mistake(
            "no shift",
            "The windows lie where they always lie: the map is never rolled.",
            lambda p, w, s, attend: _through(p, w, s, attend, there=0, back=0),
            lambda p, w, s, attend: _through(p, w, s, attend, there=0, back=0, masked=False),
            lambda p, w, s, attend: _through(p, w, s, attend, there=0),
        ),
        Mistake(
            "without the mask",
            "In the last windows places look at each other that are not neighbours on the image: the right mask is "
            "missing. It is made from the size of the map and the shift.",
            lambda p, w, s, attend: _through(p, w, s, attend, masked=False),
        ),
        Mistake(
            "shifted along one side only",
            "You roll the rows, or the columns, but not both.",
            lambda p, w, s, attend: _through(p, w, s, attend, dims=(1,)),
            lambda p, w, s, attend: _through(p, w, s, attend, dims=(2,)),
        ),
        Mistake(
            "rolled along the wrong axes",
            "Rows and columns of (B, H, W, D) are the axes 1 and 2. You roll D, the numbers of a place.",
            lambda p, w, s, attend: _through(p, w, s, attend, dims=(2, 3)),
            lambda p, w, s, attend: _through(p, w, s, attend, dims=(-2, -1)),
        ),
        Mistake(
            "rolled without axes",
            "`roll` without `dims` flattens everything and rolls one long row. Name the axes: `dims=(1, 2)`.",
            lambda p, w, s, attend: package.from_windows(
                attend(package.to_windows(p.roll(-s), w), package.shift_mask((p.shape[1], p.shape[2]), w, (s, s))),
                (p.shape[1], p.shape[2]),
            ).roll(s),
        ),
        Mistake(
            "left in windows",
            "Your result is still in windows, (B, windows, M, D). Put them back into a map with `from_windows`, "
            "then roll it back.",
            _left_in_windows,
        ),
        Mistake(
            "put back by a bare reshape",
            "Your windows become a map by a reshape alone. That writes a window along the rows of the map: use "
            "`from_windows`.",
            lambda p, w, s, attend: _left_in_windows(p, w, s, attend).reshape(p.shape).roll((s, s), (1, 2)),
        ),
        Mistake(
            "windows cut before the roll",
            "You cut the map first, and roll the places inside each window. So no window ever holds places of two "
            "old ones. Roll the map, then cut it.",
            _cut_first,
        ),
        Mistake(
            "height and width exchanged",
            "Height and width are exchanged where you make the mask: the size is (H, W).",
            lambda p, w, s, attend: _through(p, w, s, attend, exchanged=True),
        ),
        Mistake(
            "the input added",
            "You add the input to the result. That is the block's work; here only what attention gives is asked.",
            lambda p, w, s, attend: p + _through(p, w, s, attend),
        ),
    ),
    "Roll, cut, mask, attend, put back, roll back: so a window may lie across the borders of four others.",
    run=_watched,
)
