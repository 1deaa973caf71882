"""Lesson 10 (cnn): checks of the exercises."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.in_a_model import as_in_a_model, no_gradient, other_type
from course_utils.model.patches import patchify, unpatchify


def _numbers(*shape: int, seed: int = 0) -> Tensor:
    """Return whole and half numbers from -3 to 3: no two places do the same by chance."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-6, 7, shape, generator=generator) / 2


# ---- convolve


def _lay(padded: Tensor, kernels: Tensor) -> Tensor:
    """Convolve as it is, without zeros around and without PyTorch's own convolution."""
    k, (height, width) = kernels.shape[-1], padded.shape[-2:]
    windows = F.unfold(padded, k)  # (B, C, H, W) -> (B, C*k*k, H'*W')
    return (kernels.flatten(1) @ windows).unflatten(2, (height - k + 1, width - k + 1))  # -> (B, K, H', W')


def _convolve(images: Tensor, kernels: Tensor) -> Tensor:
    return _lay(F.pad(images, (kernels.shape[-1] // 2,) * 4), kernels)  # (B, C, H, W) -> (B, K, H, W)


def _convolve_examples() -> list[tuple[Any, ...]]:
    image = torch.arange(1.0, 13).reshape(1, 1, 3, 4)
    kernel = torch.zeros(1, 1, 3, 3)
    kernel[0, 0, 1, 1], kernel[0, 0, 1, 2], kernel[0, 0, 2, 1] = 10.0, 1.0, 100.0
    return [
        (image, kernel),
        (_numbers(2, 3, 5, 7), _numbers(4, 3, 3, 3, seed=1)),
        (_numbers(1, 2, 6, 7, seed=2), _numbers(3, 2, 5, 5, seed=3)),
        (_numbers(2, 2, 3, 4, seed=4), _numbers(5, 2, 1, 1, seed=5)),
    ]


def _padded_by(mode: str) -> Callable[[Tensor, Tensor], Tensor]:
    def convolve(images: Tensor, kernels: Tensor) -> Tensor:
        side = kernels.shape[-1] // 2
        return _lay(F.pad(images, (side,) * 4, mode=mode), kernels)

    return convolve


def _padded_at_the_end(images: Tensor, kernels: Tensor) -> Tensor:
    side = kernels.shape[-1] - 1
    return _lay(F.pad(images, (0, side, 0, side)), kernels)


def _padded_at_the_start(images: Tensor, kernels: Tensor) -> Tensor:
    side = kernels.shape[-1] - 1
    return _lay(F.pad(images, (side, 0, side, 0)), kernels)


def _always_3(images: Tensor, kernels: Tensor) -> Tensor:
    middle = kernels.shape[-1] // 2
    if middle == 0:
        return _convolve(images, kernels)
    return _convolve(images, kernels[..., middle - 1 : middle + 2, middle - 1 : middle + 2])


def _channel_by_channel(images: Tensor, kernels: Tensor) -> Tensor:
    parts = [_convolve(images[:, [c]], kernels[:, [c]]) for c in range(images.shape[1])]
    return torch.stack(parts, dim=2)  # (B, K, C, H, W)


convolve = Exercise(
    "convolve",
    _convolve,
    _convolve_examples,
    (
        Mistake(
            "kernel turned around",
            "Each window meets the kernel upside down: you turned it by half a turn. The mathematicians' convolution "
            "does so; in deep learning the number at the top left of the kernel meets the pixel at the top left.",
            lambda images, kernels: _convolve(images, kernels.flip(-1, -2)),
        ),
        Mistake(
            "rows and columns of the kernel exchanged",
            "The kernel is mirrored at its diagonal. Its first axis of length k goes down, the second to the right: "
            "kernels[:, :, i, j] meets the pixel i rows down and j columns to the right in the window.",
            lambda images, kernels: _convolve(images, kernels.mT),
        ),
        Mistake(
            "no zeros around the image",
            "The result is smaller than the image: a window that reaches over the border was left out. Put k // 2 "
            "zeros around the image on each side, so that every pixel is the middle of a window.",
            _lay,
            lambda images, kernels: _lay(F.pad(images, (1, 1, 1, 1)), kernels),
        ),
        Mistake(
            "zeros at one side only",
            "The numbers are there, but moved: the window does not lie around its pixel. The same number of zeros, "
            "k // 2, belongs on each side, left and right, above and below.",
            _padded_at_the_end,
            _padded_at_the_start,
        ),
        Mistake(
            "no zeros but pixels at the border",
            "Inside all is right, at the border it is not: you filled what lies outside with pixels of the image "
            "(repeated, mirrored, or from the other side). Here it is filled with zeros.",
            _padded_by("replicate"),
            _padded_by("circular"),
            _padded_by("reflect"),
        ),
        Mistake(
            "channels not added up",
            "There is a result for each channel of the image. A kernel has numbers for every channel, (C, k, k), and "
            "all its products are added up to one number.",
            _channel_by_channel,
        ),
        Mistake(
            "one channel only",
            "For one channel this works. With several, only one of them counts: a window has C channels, and so has "
            "the kernel.",
            lambda images, kernels: _convolve(images[:, :1], kernels[:, :1]),
            lambda images, kernels: _convolve(images[:, -1:], kernels[:, -1:]),
        ),
        Mistake(
            "a mean in place of a sum",
            "The products are averaged. A convolution adds them up, over channels, rows and columns of the window.",
            lambda images, kernels: _convolve(images, kernels) / kernels[0].numel(),
            lambda images, kernels: _convolve(images, kernels) / kernels.shape[1],
            lambda images, kernels: _convolve(images, kernels) / kernels.shape[-1] ** 2,
        ),
        Mistake(
            "3 written in",
            "With a kernel of 3x3 this works, with 5x5 only its middle counts. Read k from the shape of the kernels.",
            _always_3,
        ),
        Mistake(
            "channels on the last axis",
            "The numbers are right, but the axis of the kernels stands at another place. The result is (B, K, H, W).",
            lambda images, kernels: _convolve(images, kernels).permute(0, 2, 3, 1),
            lambda images, kernels: _convolve(images, kernels).transpose(0, 1),
            lambda images, kernels: _convolve(images, kernels).flatten(2),
        ),
        Mistake(
            "only the first image",
            "With one image this works. With several, the answers of all but one are lost, or all are the same: keep "
            "the batch axis.",
            lambda images, kernels: _convolve(images[:1], kernels),
            lambda images, kernels: _convolve(images[:1], kernels).expand(len(images), -1, -1, -1),
        ),
        no_gradient(_convolve),
        other_type(_convolve),
        Mistake(
            "PyTorch's own convolution",
            "The numbers are right, but PyTorch computed them: write it without F.conv2d and nn.Conv2d.",
            lambda images, kernels: F.conv2d(images, kernels, padding=kernels.shape[-1] // 2),
        ),
    ),
    "Your convolution equals PyTorch's, for kernels of 1x1, 3x3 and 5x5 and images that are not square.",
    as_in_a_model(_convolve, ("conv2d", "conv1d", "conv3d", "convolution", "conv_transpose2d")),
)


# ---- conv_cost


def _conv_cost(in_channels: int, out_channels: int, kernel_size: int, height: int, width: int, stride: int = 1) -> int:
    places = math.ceil(height / stride) * math.ceil(width / stride)
    return places * out_channels * in_channels * kernel_size**2


def _whole(attempt: Callable[..., Any], *arguments: Any) -> Any:
    """Run an attempt; a number of NumPy is a number."""
    result = attempt(*arguments)
    return result.item() if isinstance(result, np.generic) else result


def _cost_examples() -> list[tuple[Any, ...]]:
    return [
        (2, 5, 3, 4, 6),
        (3, 16, 3, 32, 20),
        (4, 6, 1, 10, 7),
        (3, 8, 3, 8, 12, 2),
        (2, 4, 5, 7, 9, 2),
        (1, 3, 3, 10, 11, 3),
    ]


def _cost_with(places: Callable[[int, int, int, int], float]) -> Callable[..., Any]:
    """Count as it should be, but for the number of places: a function of kernel size, height, width, stride."""

    def cost(c: int, out: int, k: int, height: int, width: int, stride: int = 1) -> float:
        return places(k, height, width, stride) * out * c * k**2

    return cost


conv_cost = Exercise(
    "conv_cost",
    _conv_cost,
    _cost_examples,
    (
        Mistake(
            "stride forgotten",
            "With stride 1 this is right. With stride 2 the kernel is laid at every second row and every second column "
            "only: there are fewer places.",
            _cost_with(lambda k, h, w, s: h * w),
        ),
        Mistake(
            "stride in one direction only",
            "The stride counts once in your formula. It leaves out rows **and** columns.",
            _cost_with(lambda k, h, w, s: h * w / s),
            _cost_with(lambda k, h, w, s: math.ceil(h * w / s)),
            _cost_with(lambda k, h, w, s: h * w // s),
            _cost_with(lambda k, h, w, s: math.ceil(h / s) * w),
            _cost_with(lambda k, h, w, s: h * math.ceil(w / s)),
        ),
        Mistake(
            "sides not rounded up",
            "If the stride divides the sides, this is right. Else the places are rounded **up**, each side by itself: "
            "with 7 rows and stride 2 the kernel lies at rows 0, 2, 4 and 6.",
            _cost_with(lambda k, h, w, s: (h // s) * (w // s)),
            _cost_with(lambda k, h, w, s: h / s * w / s),
            _cost_with(lambda k, h, w, s: math.ceil(h * w / s**2)),
            _cost_with(lambda k, h, w, s: h * w // s**2),
            _cost_with(lambda k, h, w, s: (h // s + 1) * (w // s + 1) if s > 1 else h * w),
        ),
        Mistake(
            "places without the zeros",
            "You count the places at which the kernel lies inside the image. The zeros around it add the others: "
            "with stride 1 there are as many places as pixels.",
            _cost_with(lambda k, h, w, s: (h - k + 1) * (w - k + 1)),
            _cost_with(lambda k, h, w, s: ((h - k) // s + 1) * ((w - k) // s + 1)),
        ),
        Mistake(
            "kernel size counted once",
            "A kernel of size k has k rows of k numbers for each channel.",
            lambda c, out, k, h, w, s=1: _conv_cost(c, out, 1, h, w, s) * k,
            lambda c, out, k, h, w, s=1: _conv_cost(c, out, 1, h, w, s),
        ),
        Mistake(
            "channels of the image left out",
            "Each result adds up products of **all** channels that come in.",
            lambda c, out, k, h, w, s=1: _conv_cost(1, out, k, h, w, s),
        ),
        Mistake(
            "number of kernels left out",
            "You count one kernel. There are as many as channels that come out, and each is laid at every place.",
            lambda c, out, k, h, w, s=1: _conv_cost(c, 1, k, h, w, s),
        ),
        Mistake(
            "weights counted, not their use",
            "These are the parameters. Each of them is used once at every place: that is what weight sharing means.",
            lambda c, out, k, h, w, s=1: c * out * k**2,
            lambda c, out, k, h, w, s=1: c * out * k**2 + out,
        ),
        Mistake(
            "multiplications and additions counted apart",
            "The result is twice too large. A product and its addition to the sum are **one** multiply-add.",
            lambda c, out, k, h, w, s=1: 2 * _conv_cost(c, out, k, h, w, s),
        ),
        Mistake(
            "a square image assumed",
            "One of the two sides counts twice in your formula. Height and width may differ.",
            _cost_with(lambda k, h, w, s: math.ceil(h / s) ** 2),
            _cost_with(lambda k, h, w, s: math.ceil(w / s) ** 2),
        ),
        Mistake(
            "the bias counted",
            "There is no bias here: the batch normalisation behind it would take it away again.",
            lambda c, out, k, h, w, s=1: math.ceil(h / s) * math.ceil(w / s) * out * (c * k**2 + 1),
        ),
    ),
    "You count what PyTorch's counter counts, also for odd sides and other strides.",
    run=_whole,
    tolerance=1e-9,  # exact, for numbers of this size
)


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
            "another type of number",
            "The pixels are right, but their type has changed: images of uint8 must stay uint8, and floats stay "
            "floats. Moving pixels needs no change of type.",
            lambda images, p, order: _scramble(images, p, order).float(),
            lambda images, p, order: _scramble(images, p, order).double(),
            lambda images, p, order: _scramble(images, p, order).byte(),
        ),
        no_gradient(_scramble),
    ),
    "Your pieces stand where the order says, for images of any sides, of colours and of floats.",
    as_in_a_model(_scramble, tolerance=0.0),
    tolerance=0.0,
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
        (_numbers(2, 3, 8, 12), [_numbers(4, 3, 3, 3, seed=1), _numbers(5, 4, 3, 3, seed=2) / 8]),
        (_numbers(3, 2, 16, 8, seed=3), [_numbers(n, c, 3, 3, seed=n) / 4 for n, c in ((3, 2), (4, 3), (6, 4))]),
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
        no_gradient(_stem_tokens),
        other_type(_stem_tokens),
    ),
    "Your tokens equal those of the package's kind of stem: as many as patches, on the same grid.",
    as_in_a_model(_stem_tokens),
)
