"""Lesson 01 (patches): checks of the exercises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake
from course_utils.model import patches as package


def _count(*shape: int) -> Tensor:
    """Return a tensor whose numbers say where they stood: 0, 1, 2, ..."""
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)


def _cut(images: Tensor, p: int, order: tuple[int, ...]) -> Tensor:
    """Cut (B, C, H, W) to the axes (B, C, rows, P, columns, P), and permute them."""
    b, c, height, width = images.shape
    return images.reshape(b, c, height // p, p, width // p, p).permute(order)


def _patchify_examples() -> list[tuple[Any, ...]]:
    fractions = _count(2, 3, 6, 4) / 8 - 1.5  # a result in whole numbers would lose them
    return [(_count(1, 1, 4, 4), 2), (_count(1, 2, 2, 6), 2), (fractions, 2), (_count(2, 2, 6, 9), 3)]


def _reshaped_patches(images: Tensor, p: int) -> Tensor:
    b, c, height, width = images.shape
    return images.reshape(b, (height // p) * (width // p), c * p * p)


def _split_wrongly(images: Tensor, p: int) -> Tensor:
    """Split each side into P times rows, in place of rows times P: (B, C, H, W) -> (B, N, C*P*P)."""
    b, c, height, width = images.shape
    split = images.reshape(b, c, p, height // p, p, width // p).permute(0, 2, 4, 1, 3, 5)
    return split.reshape(b, height // p * (width // p), c * p * p)


def _width_first(images: Tensor, p: int) -> Tensor:
    b, c, width, height = images.shape
    split = images.reshape(b, c, height // p, p, width // p, p).permute(0, 2, 4, 1, 3, 5)
    return split.reshape(b, height // p * (width // p), c * p * p)


patchify = Exercise(
    "patchify",
    package.patchify,
    _patchify_examples,
    (
        Mistake(
            "a bare reshape",
            "You cut the numbers into groups in the order in which the axes are read: row by row through the whole "
            "image. A patch takes its numbers from several rows. Split the axes first, then bring the axes of the grid "
            "together, and only then join axes.",
            _reshaped_patches,
        ),
        Mistake(
            "patches numbered down the columns",
            "Each patch is right, but the patches come in another order: you go down before you go right. Raster order "
            "is the order of reading: along the first row of patches, then the second. Which axis of the grid changes "
            "slowest?",
            lambda images, p: _cut(images, p, (0, 4, 2, 1, 3, 5)).reshape(package.patchify(images, p).shape),
        ),
        Mistake(
            "channel last inside a patch",
            "The patches are right, but inside a patch the channel changes fastest (red, green, blue of one pixel, "
            "then the next pixel). Here the order is (channel, row, column), as in the kernel of a convolution. "
            "Weights trained with one order are useless with the other.",
            lambda images, p: _cut(images, p, (0, 2, 4, 3, 5, 1)).flatten(3).flatten(1, 2),
        ),
        Mistake(
            "rows and columns exchanged inside a patch",
            "The patches are in the right order, but each one is mirrored at its diagonal: its columns are read as "
            "rows. The row inside a patch must stand before the column inside a patch.",
            lambda images, p: _cut(images, p, (0, 2, 4, 1, 5, 3)).flatten(3).flatten(1, 2),
        ),
        Mistake(
            "channels not moved into the patch",
            "For one channel this works. With several, a line of your result mixes patches: the channel still stands "
            "before the axes of the grid. All channels of a pixel belong to the same patch, so the channel axis must "
            "move behind the grid axes.",
            lambda images, p: _cut(images, p, (0, 1, 2, 4, 3, 5)).reshape(package.patchify(images, p).shape),
        ),
        Mistake(
            "tokens on the last axis",
            "The numbers are right, but the last two axes are exchanged. The result is (B, N, C*P*P): one line for "
            "each patch. F.unfold, for example, gives them the other way round.",
            lambda images, p: F.unfold(images, p, stride=p),
        ),
        Mistake(
            "patches not flattened",
            "The patches are right, but each is still a small image. Make one line of numbers of it, so that the "
            "result has three axes: (B, N, C*P*P).",
            lambda images, p: _cut(images, p, (0, 2, 4, 1, 3, 5)).flatten(1, 2),
            lambda images, p: _cut(images, p, (0, 2, 4, 1, 3, 5)),
        ),
        Mistake(
            "the grid not flattened",
            "Each patch is a line of numbers now, but the patches still stand in rows and columns. A Transformer takes "
            "a sequence: join the two axes of the grid to one axis of length N.",
            lambda images, p: _cut(images, p, (0, 2, 4, 1, 3, 5)).flatten(3),
        ),
        Mistake(
            "turned into whole numbers",
            "The numbers stand at the right places, but they have lost what stood behind the point. Cutting moves "
            "numbers and never changes them: leave out the rounding or the change of type.",
            lambda images, p: package.patchify(images, p).int(),
            lambda images, p: package.patchify(images, p).round(),
        ),
        Mistake(
            "images of a batch joined",
            "The patches of all images stand in one long list. The model must know which patch belongs to which image: "
            "keep the batch axis, (B, N, C*P*P).",
            lambda images, p: package.patchify(images, p).flatten(0, 1),
        ),
        Mistake(
            "width and height exchanged",
            "For square images this works. The shape of images is (B, C, H, W): the height stands before the width.",
            _width_first,
        ),
        Mistake(
            "the sides split in the wrong order",
            "You split a side into (P, rows). Pixels that lie side by side belong to the same patch, so the place "
            "inside the patch must change faster: (rows, P).",
            _split_wrongly,
        ),
        Mistake(
            "overlapping patches",
            "There are too many patches: your window moves by one pixel each time, so the patches overlap. By how "
            "many pixels must it move?",
            lambda images, p: F.unfold(images, p).mT,
        ),
    ),
    "Your patches equal the package's, also for images that are not square and have several channels.",
    tolerance=0.0,  # numbers are moved, not computed
    forbidden=(package.patchify,),
    gradient=False,  # to the pixels: no model needs it
    no_loop=((_count(2, 3, 4, 6), 2), (_count(3, 3, 8, 10), 2)),
)


def _unpatchify_examples() -> list[tuple[Any, ...]]:
    images = (_count(1, 1, 4, 4), _count(1, 2, 2, 6), _count(2, 3, 6, 4) / 8 - 1.5, _count(2, 2, 6, 9))
    sizes = zip(images, (2, 2, 2, 3), strict=True)
    return [(package.patchify(image, p), p, tuple(image.shape[2:])) for image, p in sizes]


def _place(patches: Tensor, p: int, axes: str, order: tuple[int, ...], size: tuple[int, int]) -> Tensor:
    """Split (B, N, C*P*P) to the named axes ("r" rows, "c" columns, "k" channels, "p" P), permute and join them."""
    length = {"r": size[0] // p, "c": size[1] // p, "k": patches.shape[2] // p**2, "p": p}
    split = patches.reshape(-1, *(length[axis] for axis in axes))
    return split.permute(order).reshape(_image_shape(patches, p, size))


def _as_if_square(patches: Tensor, p: int) -> Tensor:
    """Split (B, N, C*P*P) as if the grid were square, and permute to (B, C, rows, P, columns, P)."""
    side = int(patches.shape[1] ** 0.5)
    return patches.reshape(len(patches), side, side, -1, p, p).permute(0, 3, 1, 4, 2, 5)


def _image_shape(patches: Tensor, p: int, size: tuple[int, int]) -> tuple[int, ...]:
    return len(patches), patches.shape[2] // p**2, *size


unpatchify = Exercise(
    "unpatchify",
    package.unpatchify,
    _unpatchify_examples,
    (
        Mistake(
            "a bare reshape",
            "You wrote the patches one after the other into the rows of the image. The first row of the image takes "
            "numbers from several patches. Split the axes first, then bring each axis of the grid next to the axis "
            "inside the patch that it belongs to.",
            lambda patches, p, size: patches.reshape(_image_shape(patches, p, size)),
        ),
        Mistake(
            "patches placed down the columns",
            "Each patch is whole, but it is put down at the wrong place: you fill the first column of the grid, then "
            "the second. The patches come in raster order: along the first row first.",
            lambda patches, p, size: _place(patches, p, "crkpp", (0, 3, 2, 4, 1, 5), size),
        ),
        Mistake(
            "channel read last inside a patch",
            "You read the numbers of a patch as (row, column, channel). They stand in the order (channel, row, "
            "column): first all of red, then all of green, then all of blue.",
            lambda patches, p, size: _place(patches, p, "rcppk", (0, 5, 1, 3, 2, 4), size),
        ),
        Mistake(
            "rows and columns exchanged inside a patch",
            "Each patch stands at the right place, but is mirrored at its diagonal. The row of the grid belongs to the "
            "row inside the patch, the column of the grid to the column inside the patch.",
            lambda patches, p, size: _place(patches, p, "rckpp", (0, 3, 1, 5, 2, 4), size),
        ),
        Mistake(
            "grid axes not beside their pixel axes",
            "The channel is in front, but rows and columns are joined in the wrong pairs. A row of the image is a row "
            "of the grid and then a row inside the patch: these two axes must stand side by side before you join them.",
            lambda patches, p, size: _place(patches, p, "rckpp", (0, 3, 1, 2, 4, 5), size),
        ),
        Mistake(
            "patchify's own permutation",
            "You permute the axes as patchify does. But now they begin in another order, (B, rows, columns, C, P, P). "
            "The way back needs another permutation: it must lead to (B, C, rows, P, columns, P).",
            lambda patches, p, size: _place(patches, p, "rckpp", (0, 2, 4, 1, 3, 5), size),
        ),
        Mistake(
            "channels on the last axis",
            "The picture is right, but its axes are (B, H, W, C), as for drawing it. PyTorch's layers want "
            "(B, C, H, W).",
            lambda patches, p, size: package.unpatchify(patches, p, size).permute(0, 2, 3, 1),
        ),
        Mistake(
            "a square grid assumed",
            "You take the root of N as the number of rows and of columns. That is right for square images only: "
            "image_size says how high and how wide the image is.",
            lambda patches, p, size: _as_if_square(patches, p).flatten(4).flatten(2, 3),
            lambda patches, p, size: _as_if_square(patches, p).reshape(_image_shape(patches, p, size)),
        ),
        Mistake(
            "width and height exchanged",
            "For square images this works. image_size is (height, width), in this order: the number of rows comes from "
            "the height.",
            lambda patches, p, size: package.unpatchify(patches, p, (size[1], size[0])),
            lambda patches, p, size: package.unpatchify(patches, p, (size[1], size[0])).reshape(
                _image_shape(patches, p, size)
            ),
        ),
        Mistake(
            "the last patch left out",
            "The last patch is missing in the image. `range(n - 1)` stops one place too early, and so does `[:-1]`.",
            lambda patches, p, size: package.unpatchify(
                torch.cat([patches[:, :-1], 0 * patches[:, -1:]], dim=1), p, size
            ),
        ),
    ),
    "Your function undoes patchify exactly, also for images that are not square and have several channels.",
    tolerance=0.0,
    forbidden=(package.unpatchify,),
    gradient=False,
)


def _tokens_from_linear(images: Tensor, weight: Tensor, bias: Tensor, patch_size: int) -> Tensor:
    """Embed patches as the linear map does: (B, C, H, W) -> (B, N, D)."""
    return F.linear(package.patchify(images, patch_size), weight, bias)


def _embed_examples() -> list[tuple[Any, ...]]:
    # The lesson's two features: the mean of a patch, and its right half minus its left half, plus 10.
    weight, bias = torch.tensor([[0.25, 0.25, 0.25, 0.25], [-0.5, 0.5, -0.5, 0.5]]), torch.tensor([0.0, 10.0])
    examples: list[tuple[Any, ...]] = [(_count(1, 1, 4, 4), weight, bias, 2)]
    generator = torch.Generator().manual_seed(0)
    for b, c, height, width, p, d in ((1, 2, 2, 4, 2, 3), (2, 3, 6, 4, 2, 5), (2, 3, 6, 9, 3, 4)):
        arguments = [torch.randn(shape, generator=generator) for shape in ((b, c, height, width), (d, c * p * p), (d,))]
        examples.append((*arguments, p))
    return examples


def _features(images: Tensor, weight: Tensor, bias: Tensor | None, p: int, stride: int | None = None) -> Tensor:
    """Convolve (B, C, H, W) with the reshaped weight -> (B, D, rows, columns)."""
    kernel = weight.reshape(len(weight), images.shape[1], p, p)
    return F.conv2d(images, kernel, bias, stride=stride or p)


def _sequence(features: Tensor) -> Tensor:
    return features.flatten(2).transpose(1, 2)


def _turned(images: Tensor, weight: Tensor, bias: Tensor, p: int, turn: Callable[[Tensor], Tensor]) -> Tensor:
    return F.conv2d(images, turn(weight.reshape(len(weight), -1, p, p)), bias, stride=p)


embed_by_convolution = Exercise(
    "embed_by_convolution",
    _tokens_from_linear,
    _embed_examples,
    (
        Mistake(
            "tokens on the last axis",
            "The numbers are right, but the last two axes are exchanged: this is (B, D, N). A convolution puts its "
            "output channels before the places. A sequence of tokens is (B, N, D).",
            lambda images, weight, bias, p: _features(images, weight, bias, p).flatten(2),
        ),
        Mistake(
            "a bare reshape of the output",
            "The shape is right, but each line mixes numbers of several tokens. A convolution gives (B, D, rows, "
            "columns). A reshape alone never exchanges axes: it only cuts the row of numbers at other places.",
            lambda images, weight, bias, p: _features(images, weight, bias, p).reshape(len(images), -1, len(weight)),
        ),
        Mistake(
            "stride left at 1",
            "There are too many tokens: your kernel moves by one pixel each time, so the windows overlap. Patches do "
            "not overlap. By how many pixels must the kernel move?",
            lambda images, weight, bias, p: _sequence(_features(images, weight, bias, p, stride=1)),
        ),
        Mistake(
            "bias forgotten",
            "Each token lacks the same vector: the bias of the linear map. A convolution takes a bias too, one number "
            "for each output channel.",
            lambda images, weight, bias, p: _sequence(_features(images, weight, None, p)),
        ),
        Mistake(
            "kernel read with the channel last",
            "For one channel this works. With several, your kernel takes the numbers of a weight row as (row, column, "
            "channel). They stand in the order of the patch: (channel, row, column).",
            lambda images, weight, bias, p: _sequence(
                F.conv2d(images, weight.unflatten(1, (p, p, -1)).permute(0, 3, 1, 2), bias, stride=p)
            ),
        ),
        Mistake(
            "tokens numbered down the columns",
            "Each token is right, but they come in another order: you go down before you go right. Raster order reads "
            "along the rows. Rows must stand before columns when you join the two.",
            lambda images, weight, bias, p: _sequence(_features(images, weight, bias, p).transpose(2, 3)),
        ),
        Mistake(
            "the grid not flattened",
            "This is still a small image of features, with rows and columns. Join the two axes of the grid to one axis "
            "of length N, and put it before D: (B, N, D).",
            lambda images, weight, bias, p: _features(images, weight, bias, p),
            lambda images, weight, bias, p: _features(images, weight, bias, p).permute(0, 2, 3, 1),
        ),
        Mistake(
            "patches cut in place of a convolution",
            "The tokens are right, but you cut patches and multiply them by the weight, as before. Here one call of "
            "`F.conv2d` does both.",
            lambda images, weight, bias, p: F.unfold(images, p, stride=p).transpose(1, 2) @ weight.T + bias,
        ),
        Mistake(
            "the kernel turned round",
            "Your kernel is turned by half a turn, as a convolution in mathematics asks for it. PyTorch's `conv2d` "
            "does not turn it, so take the weight as it is.",
            lambda images, weight, bias, p: _sequence(_turned(images, weight, bias, p, lambda k: k.flip(2, 3))),
        ),
        Mistake(
            "rows and columns of the kernel exchanged",
            "Each kernel is mirrored at its diagonal. A row of the weight holds a patch as (channel, row, column): a "
            "reshape is enough.",
            lambda images, weight, bias, p: _sequence(_turned(images, weight, bias, p, lambda k: k.mT)),
        ),
        Mistake(
            "the weight turned round before the reshape",
            "You transpose the weight before the reshape, so each kernel mixes numbers of several features. A row of "
            "the weight is one feature: it becomes one kernel.",
            lambda images, weight, bias, p: _sequence(
                _turned(images, weight.T.reshape(weight.shape), bias, p, lambda k: k)
            ),
        ),
        Mistake(
            "padding",
            "There are too many tokens: you put a border of zeros around the image. Patches fit into it without one.",
            lambda images, weight, bias, p: _sequence(
                F.conv2d(images, weight.reshape(len(weight), -1, p, p), bias, p, p // 2)
            ),
            lambda images, weight, bias, p: _sequence(
                F.conv2d(images, weight.reshape(len(weight), -1, p, p), bias, p, 1)
            ),
        ),
        Mistake(
            "the bias added twice",
            "The bias is in your result twice. `F.conv2d` adds it already, if it is given.",
            lambda images, weight, bias, p: _sequence(_features(images, weight, 2 * bias, p)),
        ),
    ),
    "Your convolution gives the tokens of the linear map: a patch embedding is a convolution with kernel and stride P.",
    needed=("conv2d",),
)
