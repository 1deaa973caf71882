"""A kernel for patches of another size."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake
from course_utils.model import resize


def resized_kernel(weight: Tensor, matrix: Tensor) -> Tensor:
    """Resize kernels (D, C*P*P) by the pseudo-inverse of a matrix (Q*Q, P*P): (D, C*Q*Q)."""
    kernels = weight.unflatten(1, (-1, matrix.shape[1]))  # (D, C*P*P) -> (D, C, P*P)
    inverse = torch.linalg.pinv(matrix)  # (Q*Q, P*P) -> (P*P, Q*Q)
    return (kernels @ inverse).flatten(1)  # -> (D, C, Q*Q) -> (D, C*Q*Q)


def _by_channel(weight: Tensor, matrix: Tensor, other: Tensor) -> Tensor:
    """Multiply the kernel of each channel by another matrix (P*P, Q*Q)."""
    return (weight.unflatten(1, (-1, matrix.shape[1])) @ other).flatten(1)


def _kernel_examples() -> list[tuple[Tensor, Tensor]]:
    """A patch of 1x2 made 1x3 by hand; then kernels of several channels, made larger and smaller."""
    draw = torch.Generator().manual_seed(0)
    by_hand = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 2.0]])  # (3, 2)
    larger = torch.randn(9, 4, generator=draw)
    smaller = torch.zeros(4, 9)  # four of nine pixels, three of them brighter or darker
    smaller[[0, 1, 2, 3], [0, 2, 4, 7]] = torch.tensor([1.0, 2.0, 0.5, -1.0])
    return [
        (torch.tensor([[3.0, 6.0]]), by_hand),
        (torch.randn(5, 3 * 4, generator=draw), larger),
        (torch.randn(3, 2 * 9, generator=draw), smaller),
        (torch.randn(4, 3 * 4, generator=draw), resize.resize_matrix(2, 4).float()),
    ]


resize_kernel = Exercise(
    "resize_kernel",
    resized_kernel,
    _kernel_examples,
    (
        Mistake(
            "the kernel is enlarged like a picture",
            "You resize the kernel as if it were a picture. Then a token grows with the number of pixels. The kernel "
            "must undo the resizing: for every patch x, the new kernel times (matrix @ x) is to be the old kernel "
            "times x.",
            lambda w, m: _by_channel(w, m, m.T),
        ),
        Mistake(
            "enlarged like a picture, divided by the number of pixels",
            "You resize the kernel like a picture, and divide by how many times as many pixels there are. That is "
            "right only where each pixel is copied as it is; any other way of resizing mixes neighbours. Use the "
            "pseudo-inverse.",
            lambda w, m: _by_channel(w, m, m.T) * m.shape[1] / m.shape[0],
            lambda w, m: _by_channel(w, m, m.T) * (m.shape[1] / m.shape[0]) ** 0.5,
        ),
        Mistake(
            "pseudo-inverse applied from the wrong side",
            "You use the pseudo-inverse of the transposed matrix in the place of its own, so that shapes do not meet, "
            "or you multiply on the other side. Kernels are rows here: (C, P*P) @ (P*P, Q*Q). Which of `matrix`, its "
            "transpose and their pseudo-inverses has the shape (P*P, Q*Q) and undoes the resizing?",
            lambda w, m: _by_channel(w, m, torch.linalg.pinv(m.T)),
            lambda w, m: _by_channel(w, m, m),
        ),
        Mistake(
            "an ordinary inverse",
            "`inv` wants a square matrix that can be undone. This one is not square: it has as many rows as the new "
            "patch has pixels, and as many columns as the old one. Use `torch.linalg.pinv`.",
            lambda w, m: _by_channel(w, m, torch.linalg.inv(m)),
        ),
        Mistake(
            "channels forgotten",
            "A kernel has P*P numbers for each channel, and `weight` has those of all channels in one row. So it does "
            "not fit the matrix. Take the channels apart first: (D, C*P*P) -> (D, C, P*P).",
            lambda w, m: w @ torch.linalg.pinv(m),
            lambda w, m: w @ m.T,
        ),
        Mistake(
            "channels and pixels exchanged",
            "You take the row apart as if the channel changed fastest. It is (channel, row, column): first all pixels "
            "of channel 0, then all of channel 1.",
            lambda w, m: (w.unflatten(1, (m.shape[1], -1)).mT @ torch.linalg.pinv(m)).flatten(1),
            lambda w, m: (w.unflatten(1, (m.shape[1], -1)).mT @ torch.linalg.pinv(m)).mT.flatten(1),
        ),
        Mistake(
            "joined pixel by pixel",
            "The numbers are right, but they stand in another order: in a row of the result, first all pixels of "
            "channel 0, then all of channel 1.",
            lambda w, m: (w.unflatten(1, (-1, m.shape[1])) @ torch.linalg.pinv(m)).mT.flatten(1),
        ),
        Mistake(
            "channels left apart",
            "The numbers are right, but the channels are still an axis of their own. Join the last two axes: "
            "(D, C, Q*Q) -> (D, C*Q*Q).",
            lambda w, m: w.unflatten(1, (-1, m.shape[1])) @ torch.linalg.pinv(m),
        ),
        Mistake(
            "scaled by the number of pixels",
            "You have the pseudo-inverse, and scale its result as well. It needs no scale: it knows already that "
            "there are more pixels, or fewer.",
            lambda w, m: resized_kernel(w, m) * m.shape[1] / m.shape[0],
            lambda w, m: resized_kernel(w, m) * m.shape[0] / m.shape[1],
            lambda w, m: resized_kernel(w, m) * (m.shape[0] / m.shape[1]) ** 0.5,
            lambda w, m: resized_kernel(w, m) * (m.shape[1] / m.shape[0]) ** 0.5,
        ),
        Mistake(
            "only for larger patches",
            "It is right where the patch grows, but not where it shrinks: then `matrix.T @ matrix` has no inverse. "
            "`torch.linalg.pinv` does for both.",
            lambda w, m: _by_channel(w, m, torch.linalg.inv(m.T @ m) @ m.T),
            lambda w, m: _by_channel(w, m, torch.linalg.solve(m.T @ m, m.T)),
        ),
    ),
    "Whatever the resizing does to a patch, the new kernel undoes as well as can be, channel by channel.",
    forbidden=(resize.resize_patch_weight,),
)
