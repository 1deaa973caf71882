"""Lesson 10 (cnn): checks of the scramble test and of the convolutional stem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.analysis.invariance import scrambled
from course_utils.checks.cnn.convolution import numbers
from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.in_a_model import Flawed
from course_utils.checks.mistakes import OTHER_TYPE
from course_utils.model.patches import patchify, unpatchify

# ---- scramble


def _scramble(images: Tensor, patch_size: int, order: Tensor) -> Tensor:
    pieces = patchify(images, patch_size)[:, order]  # (B, C, H, W) -> (B, N, C*P*P), then in the new order
    return unpatchify(pieces, patch_size, (images.shape[-2], images.shape[-1]))  # -> (B, C, H, W)


def _scramble_examples() -> list[tuple[Any, ...]]:
    first = torch.arange(8.0).reshape(1, 1, 2, 4)
    colours = torch.randint(256, (2, 3, 4, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    tall = torch.arange(2 * 2 * 9 * 6).reshape(2, 2, 9, 6) / 8
    return [
        (first, 1, torch.tensor([1, 2, 3, 0, 7, 4, 5, 6])),
        (colours, 2, torch.tensor([3, 0, 5, 1, 4, 2])),
        (tall, 3, torch.tensor([4, 2, 0, 1, 5, 3])),
        (tall / 2 - 5, 3, torch.tensor([1, 2, 3, 4, 5, 0])),
        (tall.double(), 3, torch.tensor([5, 2, 0, 1, 3, 4])),
        (numbers(1, 2, 6, 12), 2, torch.arange(18).roll(5).flip(0)),  # more pieces than 16
    ]


def _pieces_as(images: Tensor, p: int, to_pieces: Sequence[int], order: Tensor) -> Tensor:
    """Cut (B, C, rows, P, columns, P) in another order of axes, reorder, and put it back in raster order."""
    b, c, height, width = images.shape
    cut = images.reshape(b, c, height // p, p, width // p, p).permute(*to_pieces)
    return unpatchify(cut.reshape(b, -1, c * p * p)[:, order], p, (height, width))


def _by_columns(images: Tensor, p: int, order: Tensor) -> Tensor:
    return _scramble(images.mT, p, order).mT


def _back_as_a_square(images: Tensor, p: int, order: Tensor) -> Tensor:
    return unpatchify(patchify(images, p)[:, order], p)


def _back_by_reshape(images: Tensor, p: int, order: Tensor) -> Tensor:
    return patchify(images, p)[:, order].reshape(images.shape)


def _all_by_reshape(images: Tensor, p: int, order: Tensor) -> Tensor:
    b, c, height, width = images.shape
    return images.reshape(b, len(order), -1)[:, order].reshape(b, c, height, width)


def _with_its_type(attempt: Callable[..., Any], images: Tensor, p: int, order: Tensor) -> Any:
    """Run an attempt; pixels that came back right, but in another type, are not yet right."""
    before = images.dtype
    result = attempt(images, p, order)
    if not isinstance(result, Tensor) or result.dtype == before or result.shape != images.shape:
        return result
    same = torch.equal(result.detach().double(), _scramble(images, p, order).detach().double())
    return Flawed("another type", OTHER_TYPE) if same else result


scramble = Exercise(
    "scramble",
    _scramble,
    _scramble_examples,
    (
        Mistake(
            "the order read backwards",
            "The pieces changed places, but the wrong way round: piece i went to place order[i]. It should be: at "
            "place i stands the piece that was number order[i].",
            lambda images, p, order: _scramble(images, p, order.argsort()),
        ),
        Mistake(
            "pieces numbered down the columns",
            "You number the pieces down the first column, then down the second. The order of reading goes along the "
            "first row of pieces first.",
            _by_columns,
        ),
        Mistake(
            "pieces not put together again",
            "These are the pieces in their new order, each as one line. The result is an image again: (B, C, H, W).",
            lambda images, p, order: patchify(images, p)[:, order],
        ),
        Mistake(
            "put together by a bare reshape",
            "The pieces are in the right order, but each became a run of pixels along the row. `unpatchify` brings the "
            "pixels of a piece back to its rows.",
            _back_by_reshape,
        ),
        Mistake(
            "cut by a bare reshape",
            "Your pieces are runs of pixels along the rows, not squares. `patchify` cuts squares.",
            _all_by_reshape,
        ),
        Mistake(
            "a square image assumed",
            "With a square image this works. With another one tell `unpatchify` its size, (height, width).",
            _back_as_a_square,
            lambda images, p, order: unpatchify(patchify(images, p)[:, order], p, (images.shape[3], images.shape[2])),
        ),
        Mistake(
            "images of the batch exchanged",
            "The order was applied to another axis than that of the pieces. Patches are (B, N, C*P*P): the pieces are "
            "axis 1.",
            lambda images, p, order: unpatchify(patchify(images, p)[order], p, tuple(images.shape[2:])),
            lambda images, p, order: images[:, order],
            lambda images, p, order: images[order],
        ),
        Mistake(
            "the order is not used",
            "The picture is as it was. Index the axis of the pieces with `order`.",
            lambda images, p, order: images.clone(),
            lambda images, p, order: _scramble(images, p, order.sort().values),
        ),
        Mistake(
            "only the first image",
            "With one image this works; with several, all but one are lost.",
            lambda images, p, order: _scramble(images[:1], p, order),
            lambda images, p, order: _scramble(images, p, order)[0],
        ),
        Mistake(
            OTHER_TYPE.name,
            OTHER_TYPE.hint,
            lambda images, p, order: _scramble(images, p, order).float(),
            lambda images, p, order: _scramble(images, p, order).double(),
            lambda images, p, order: _scramble(images, p, order).long(),
            lambda images, p, order: _scramble(images.float() if images.dtype == torch.float64 else images, p, order),
            lambda images, p, order: (
                _scramble(images, p, order).int() if images.dtype == torch.uint8 else _scramble(images, p, order)
            ),
        ),
    ),
    "Your pieces stand where the order says, for images of any sides, of colours and of floats.",
    run=_with_its_type,
    tolerance=0.0,
    forbidden=(scrambled,),
)


# ---- stem_tokens


def _stem_tokens(images: Tensor, kernels: Sequence[Tensor]) -> Tensor:
    features = images
    for kernel in kernels:
        features = F.conv2d(features, kernel, stride=2, padding=1).relu()  # (B, C, H, W) -> (B, out, H/2, W/2)
    return features.flatten(2).transpose(1, 2)  # (B, D, H/P, W/P) -> (B, N, D)


def _stem_examples() -> list[tuple[Any, ...]]:
    first = torch.zeros(2, 1, 3, 3)
    first[0, 0, 1, 1], first[1, 0, 1, 1], first[1, 0, 0, 1] = 1.0, -1.0, 2.0
    image = torch.tensor([[1.0, 9, 2, 9, 3, 9], [5.0, 9, 5, 9, 5, 9], [4.0, 9, 5, 9, 6, 9], [0, 0, 0, 0, 0, 0]])
    return [
        (image[None, None], [first]),
        (numbers(2, 3, 8, 12), [numbers(4, 3, 3, 3, seed=1), numbers(5, 4, 3, 3, seed=2) / 8]),
        (numbers(1, 2, 4, 6, seed=5).double(), [numbers(3, 2, 3, 3, seed=6).double()]),
        (numbers(3, 2, 16, 8, seed=3), [numbers(n, c, 3, 3, seed=n) / 4 for n, c in ((3, 2), (4, 3), (6, 4))]),
    ]


def _stem_with(
    step: Callable[[Tensor, Tensor, bool], Tensor], to_tokens: Callable[[Tensor], Tensor] | None = None
) -> Callable[[Tensor, Sequence[Tensor]], Tensor]:
    """Build a stem from another step (features, kernel, whether it is the last) or another way to tokens."""

    def stem(images: Tensor, kernels: Sequence[Tensor]) -> Tensor:
        features = images
        for number, kernel in enumerate(kernels):
            features = step(features, kernel, number == len(kernels) - 1)
        return to_tokens(features) if to_tokens is not None else features.flatten(2).transpose(1, 2)

    return stem


def _step(features: Tensor, kernel: Tensor, last: bool = False) -> Tensor:
    return F.conv2d(features, kernel, stride=2, padding=1).relu()


def _raw(features: Tensor, kernel: Tensor) -> Tensor:
    return F.conv2d(features, kernel, stride=2, padding=1)


stem_tokens = Exercise(
    "stem_tokens",
    _stem_tokens,
    _stem_examples,
    (
        Mistake(
            "no ReLU",
            "There are numbers below 0 in your result: a ReLU follows every convolution. Without it, several "
            "convolutions in a row are only one larger linear map.",
            _stem_with(lambda x, kernel, last: _raw(x, kernel)),
        ),
        Mistake(
            "ReLU missing after the last or after the first",
            "A ReLU follows **every** convolution: those before the last one, and the last one too.",
            _stem_with(lambda x, kernel, last: _raw(x, kernel) if last else _step(x, kernel)),
            _stem_with(lambda x, kernel, last: _step(x, kernel) if last else _raw(x, kernel)),
            lambda images, kernels: _stem_with(lambda x, kernel, last: _raw(x, kernel))(images, kernels).relu(),
        ),
        Mistake(
            "another activation",
            "The numbers are near the right ones: you took another activation than ReLU.",
            _stem_with(lambda x, kernel, last: F.gelu(_raw(x, kernel))),
            _stem_with(lambda x, kernel, last: F.silu(_raw(x, kernel))),
            _stem_with(lambda x, kernel, last: _raw(x, kernel).abs()),
        ),
        Mistake(
            "stride left at 1",
            "There are too many tokens: each convolution takes a step of 2, so that height and width are halved.",
            _stem_with(lambda x, kernel, last: F.conv2d(x, kernel, padding=1).relu()),
        ),
        Mistake(
            "halved by pooling",
            "The shapes are right. But you laid the kernel at every pixel and then took the largest, or the mean, of "
            "neighbours. That is the other stem, or near it; here the convolution itself takes steps of 2.",
            _stem_with(lambda x, kernel, last: F.max_pool2d(F.conv2d(x, kernel, padding=1).relu(), 2)),
            _stem_with(lambda x, kernel, last: F.max_pool2d(F.conv2d(x, kernel, padding=1).relu(), 3, 2, 1)),
            _stem_with(lambda x, kernel, last: F.avg_pool2d(F.conv2d(x, kernel, padding=1).relu(), 2)),
        ),
        Mistake(
            "no zeros around the image",
            "The grid is too small: with `padding=1` one row of zeros is put around the features, and a side of 8 "
            "becomes 4.",
            _stem_with(lambda x, kernel, last: F.conv2d(x, kernel, stride=2).relu()),
        ),
        Mistake(
            "zeros at one side only",
            "The window does not lie around its pixel: the zeros belong on all sides, `padding=1`, and not only at the "
            "right and the lower one.",
            _stem_with(lambda x, kernel, last: F.conv2d(F.pad(x, (0, 1, 0, 1)), kernel, stride=2).relu()),
        ),
        Mistake(
            "a bare reshape to tokens",
            "The numbers are right, but a token takes its numbers from several places: a reshape cannot exchange axes. "
            "First flatten the grid, then bring the channels to the last axis.",
            _stem_with(_step, lambda x: x.reshape(x.shape[0], -1, x.shape[1])),
        ),
        Mistake(
            "tokens on the last axis",
            "The last two axes are exchanged: one line is one token, (B, N, D).",
            _stem_with(_step, lambda x: x.flatten(2)),
        ),
        Mistake(
            "the grid not flattened",
            "The tokens still stand in rows and columns. A Transformer takes a sequence: (B, N, D).",
            _stem_with(_step, lambda x: x),
            _stem_with(_step, lambda x: x.permute(0, 2, 3, 1)),
        ),
        Mistake(
            "tokens numbered down the columns",
            "Each token is right, but they come in another order: along the first row of the grid first.",
            _stem_with(_step, lambda x: x.mT.flatten(2).transpose(1, 2)),
        ),
        Mistake(
            "one convolution only",
            "Only one of the convolutions is used. Each takes what the one before has made.",
            lambda images, kernels: _stem_tokens(images, kernels[:1]),
        ),
    ),
    "Your tokens equal those of the package's kind of stem: as many as patches, on the same grid.",
)
