"""Position codes for another grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake
from course_utils.model import resize


def resized_codes(codes: Tensor, old_grid: tuple[int, int], new_grid: tuple[int, int]) -> Tensor:
    """Resize position codes (1, 1 + rows*columns, D), class token first, to another grid."""
    return resize.resize_positions(codes, old_grid, new_grid, 1)


def _pictures(patches: Tensor, old: tuple[int, int], new: tuple[int, int], **how: Any) -> Tensor:
    """Interpolate codes of patches (1, rows*columns, D) in some way: (1, new rows * new columns, D)."""
    picture = patches.unflatten(1, old).permute(0, 3, 1, 2)  # -> (1, D, rows, columns)
    return F.interpolate(picture, new, **how).flatten(2).mT


_BICUBIC: dict[str, Any] = {"mode": "bicubic", "antialias": True}


def _after_the_class_token(change: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Make a mistake with the codes of patches, and put the class token's code back in front."""
    return lambda c, old, new: torch.cat([c[:, :1], change(c[:, 1:], old, new)], dim=1)


def _code_examples() -> list[tuple[Tensor, tuple[int, int], tuple[int, int]]]:
    """Codes of one number each on a grid of 2x3, to look at; then larger, smaller, and stretched one way only."""
    draw = torch.Generator().manual_seed(1)
    small = torch.tensor([9.0, 0, 1, 4, 10, 11, 14])[None, :, None]  # (1, 1 + 6, 1)
    return [
        (small, (2, 3), (2, 6)),
        (torch.randn(1, 1 + 12, 5, generator=draw), (4, 3), (8, 6)),
        (torch.randn(1, 1 + 48, 3, generator=draw), (6, 8), (3, 2)),
        (torch.randn(1, 1 + 6, 4, generator=draw), (2, 3), (5, 3)),
        (torch.randn(1, 1 + 6, 2, generator=draw), (3, 2), (3, 2)),  # nothing to do, and the class token is not lost
    ]


resize_codes = Exercise(
    "resize_codes",
    resized_codes,
    _code_examples,
    (
        Mistake(
            "the class token's code is lost",
            "The class token has lost its code: it is the first one, belongs to no place, and stays as it is. Put it "
            "back in front.",
            lambda c, old, new: _pictures(c[:, 1:], old, new, **_BICUBIC),
        ),
        Mistake(
            "the class token is taken for a patch",
            "You put all codes on the grid, the class token's too. There is one too many: split the first one off "
            "before.",
            lambda c, old, new: _pictures(c, old, new, **_BICUBIC),
            lambda c, old, new: c.unflatten(1, old),
            lambda c, old, new: c.reshape(1, *old, -1),
            lambda c, old, new: c.reshape(1, *old, c.shape[-1]),
            lambda c, old, new: c.view(1, *old, c.shape[-1]),
        ),
        Mistake(
            "the class token's code at the end",
            "The class token's code stands behind those of the patches. It belongs in front, at index 0.",
            lambda c, old, new: torch.cat([_pictures(c[:, 1:], old, new, **_BICUBIC), c[:, :1]], dim=1),
        ),
        Mistake(
            "zeros for the class token",
            "The class token's code has become zero. It is learned like the others: keep it as it is.",
            lambda c, old, new: F.pad(_pictures(c[:, 1:], old, new, **_BICUBIC), (0, 0, 1, 0)),
        ),
        Mistake(
            "interpolated along the sequence",
            "You stretch the sequence as one line. But the patch below is a neighbour too: put the codes on their "
            "grid of rows and columns first.",
            _after_the_class_token(
                lambda p, old, new: F.interpolate(p.mT, new[0] * new[1], mode="linear").mT,
            ),
            _after_the_class_token(lambda p, old, new: F.interpolate(p.mT, new[0] * new[1], mode="nearest").mT),
            lambda c, old, new: F.interpolate(c.mT, 1 + new[0] * new[1], mode="linear").mT,
        ),
        Mistake(
            "a bare reshape to (1, D, rows, columns)",
            "The shape fits, but the numbers of one code are now scattered over the grid. In memory a code's D "
            "numbers lie together, so reshape to (1, rows, columns, D) first, and move D to the front with `permute`.",
            _after_the_class_token(
                lambda p, old, new: F.interpolate(p.reshape(1, -1, *old), new, **_BICUBIC).flatten(2).mT
            ),
            _after_the_class_token(
                lambda p, old, new: F.interpolate(p.reshape(1, -1, *old), new, **_BICUBIC).reshape(
                    1, new[0] * new[1], -1
                )
            ),
        ),
        Mistake(
            "a bare reshape back",
            "Up to the interpolation it is right. On the way back, D must become the last axis again before rows and "
            "columns are joined: (1, D, rows, columns) -> (1, rows, columns, D) -> (1, rows*columns, D).",
            _after_the_class_token(
                lambda p, old, new: _pictures(p, old, new, **_BICUBIC).mT.reshape(1, new[0] * new[1], -1)
            ),
        ),
        Mistake(
            "rows and columns exchanged",
            "Rows and columns are exchanged. A grid is (rows, columns), and the columns change fastest.",
            _after_the_class_token(lambda p, old, new: _pictures(p, old[::-1], new, **_BICUBIC)),
            _after_the_class_token(lambda p, old, new: _pictures(p, old, new[::-1], **_BICUBIC)),
            _after_the_class_token(lambda p, old, new: _pictures(p, old[::-1], new[::-1], **_BICUBIC)),
            _after_the_class_token(
                lambda p, old, new: (
                    F.interpolate(p.unflatten(1, old).permute(0, 3, 2, 1), new[::-1], **_BICUBIC).flatten(2).mT
                )
            ),
        ),
        Mistake(
            "another kind of interpolation",
            'The way is right, the interpolation is another one. Take `mode="bicubic"` and `antialias=True`, as the '
            "task says: so your numbers can be compared.",
            *(
                _after_the_class_token(lambda p, old, new, how=how: _pictures(p, old, new, **how))
                for how in (
                    {"mode": "bicubic"},
                    {"mode": "bilinear"},
                    {"mode": "bilinear", "antialias": True},
                    {"mode": "nearest"},
                    {"mode": "nearest-exact"},
                    {"mode": "area"},
                    {"mode": "bicubic", "align_corners": True},
                    {"mode": "bicubic", "align_corners": True, "antialias": True},
                    {"mode": "bilinear", "align_corners": True},
                )
            ),
        ),
        Mistake(
            "scaled like a kernel",
            "You change the size of the codes as well. A kernel sums over pixels, so it must shrink where there are "
            "more of them. A code is added to one token: it keeps its size.",
            _after_the_class_token(
                lambda p, old, new: _pictures(p, old, new, **_BICUBIC) * (old[0] * old[1] / (new[0] * new[1]))
            ),
            _after_the_class_token(
                lambda p, old, new: _pictures(p, old, new, **_BICUBIC) * (new[0] * new[1] / (old[0] * old[1]))
            ),
        ),
    ),
    "The codes of patches are stretched like a picture, on their grid; the class token keeps its own.",
    forbidden=(resize.resize_positions,),
)
