"""Lesson 10 (cnn): checks of the convolution and of what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake


def numbers(*shape: int, seed: int = 0) -> Tensor:
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
        (numbers(2, 3, 5, 7), numbers(4, 3, 3, 3, seed=1)),
        (numbers(1, 2, 6, 7, seed=2), numbers(3, 2, 5, 5, seed=3)),
        (numbers(2, 2, 3, 4, seed=4), numbers(5, 2, 1, 1, seed=5)),
        (numbers(1, 2, 4, 5, seed=6).double(), numbers(3, 2, 3, 3, seed=7).double()),
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
    ),
    "Your convolution equals PyTorch's, for kernels of 1x1, 3x3 and 5x5 and images that are not square.",
    forbidden=("conv1d", "conv2d", "conv3d", "convolution", "conv_transpose2d"),
)


# ---- conv_cost


def _conv_cost(in_channels: int, out_channels: int, kernel_size: int, height: int, width: int, stride: int = 1) -> int:
    places = math.ceil(height / stride) * math.ceil(width / stride)
    return places * out_channels * in_channels * kernel_size**2


def _cost_examples() -> list[tuple[Any, ...]]:
    return [
        (2, 5, 3, 4, 6),
        (3, 16, 3, 32, 20),
        (4, 6, 1, 10, 7),
        (3, 8, 3, 8, 12, 2),
        (2, 4, 5, 7, 9, 2),
        (1, 3, 3, 10, 11, 3),
        (255, 511, 5, 61, 63),  # 12 thousand million: too many for int32, and for float32 to be exact
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
    tolerance=1e-9,  # exact, for numbers of this size
)
