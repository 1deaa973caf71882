"""Lesson 11 (patch_size): checks of the exercises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.in_a_model import Flawed, as_in_a_model, no_gradient, other_type
from course_utils.model import resize

# ---- resize_kernel


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
    smaller = torch.randn(4, 9, generator=draw)
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
            "You resize the kernel as if it were a picture. Then a token grows with the number of pixels. The kernel must "
            "undo the resizing: for every patch x, the new kernel times (matrix @ x) is to be the old kernel times x.",
            lambda w, m: _by_channel(w, m, m.T),
        ),
        Mistake(
            "enlarged like a picture, divided by the number of pixels",
            "You resize the kernel like a picture, and divide by how many times as many pixels there are. That is right "
            "only where each pixel is copied as it is; any other way of resizing mixes neighbours. Use the pseudo-inverse.",
            lambda w, m: _by_channel(w, m, m.T) * m.shape[1] / m.shape[0],
            lambda w, m: _by_channel(w, m, m.T) * (m.shape[1] / m.shape[0]) ** 0.5,
        ),
        Mistake(
            "pseudo-inverse applied from the wrong side",
            "You use the pseudo-inverse of the transposed matrix in the place of its own, so that shapes do not meet, or "
            "you multiply on the other side. Kernels are rows here: (C, P*P) @ (P*P, Q*Q). Which of `matrix`, its "
            "transpose and their pseudo-inverses has the shape (P*P, Q*Q) and undoes the resizing?",
            lambda w, m: _by_channel(w, m, torch.linalg.pinv(m.T)),
            lambda w, m: _by_channel(w, m, m),
        ),
        Mistake(
            "an ordinary inverse",
            "`inv` wants a square matrix that can be undone. This one is not square: it has as many rows as the new patch "
            "has pixels, and as many columns as the old one. Use `torch.linalg.pinv`.",
            lambda w, m: _by_channel(w, m, torch.linalg.inv(m)),
        ),
        Mistake(
            "channels forgotten",
            "A kernel has P*P numbers for each channel, and `weight` has those of all channels in one row. So it does not "
            "fit the matrix. Take the channels apart first: (D, C*P*P) -> (D, C, P*P).",
            lambda w, m: w @ torch.linalg.pinv(m),
            lambda w, m: w @ m.T,
        ),
        Mistake(
            "channels and pixels exchanged",
            "You take the row apart as if the channel changed fastest. It is (channel, row, column): first all pixels of "
            "channel 0, then all of channel 1.",
            lambda w, m: (w.unflatten(1, (m.shape[1], -1)).mT @ torch.linalg.pinv(m)).flatten(1),
            lambda w, m: (w.unflatten(1, (m.shape[1], -1)).mT @ torch.linalg.pinv(m)).mT.flatten(1),
        ),
        Mistake(
            "joined pixel by pixel",
            "The numbers are right, but they stand in another order: in a row of the result, first all pixels of channel "
            "0, then all of channel 1.",
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
            "You have the pseudo-inverse, and scale its result as well. It needs no scale: it knows already that there are "
            "more pixels, or fewer.",
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
        no_gradient(resized_kernel),
        other_type(resized_kernel),
    ),
    "Whatever the resizing does to a patch, the new kernel undoes as well as can be, channel by channel.",
    run=as_in_a_model(resized_kernel),
)


# ---- resize_codes


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
    ]


resize_codes = Exercise(
    "resize_codes",
    resized_codes,
    _code_examples,
    (
        Mistake(
            "the class token's code is lost",
            "The class token has lost its code: it is the first one, belongs to no place, and stays as it is. Put it back in "
            "front.",
            lambda c, old, new: _pictures(c[:, 1:], old, new, **_BICUBIC),
        ),
        Mistake(
            "the class token is taken for a patch",
            "You put all codes on the grid, the class token's too. There is one too many: split the first one off before.",
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
            "You stretch the sequence as one line. But the patch below is a neighbour too: put the codes on their grid of "
            "rows and columns first.",
            _after_the_class_token(
                lambda p, old, new: F.interpolate(p.mT, new[0] * new[1], mode="linear").mT,
            ),
            _after_the_class_token(lambda p, old, new: F.interpolate(p.mT, new[0] * new[1], mode="nearest").mT),
            lambda c, old, new: F.interpolate(c.mT, 1 + new[0] * new[1], mode="linear").mT,
        ),
        Mistake(
            "a bare reshape to (1, D, rows, columns)",
            "The shape fits, but the numbers of one code are now scattered over the grid. In memory a code's D numbers lie "
            "together, so reshape to (1, rows, columns, D) first, and move D to the front with `permute`.",
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
            "Up to the interpolation it is right. On the way back, D must become the last axis again before rows and columns "
            "are joined: (1, D, rows, columns) -> (1, rows, columns, D) -> (1, rows*columns, D).",
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
            'The way is right, the interpolation is another one: take `mode="bicubic"` and `antialias=True`, as the task '
            "says, so that your numbers can be compared.",
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
            "You change the size of the codes as well. A kernel sums over pixels, so it must shrink where there are more of "
            "them. A code is added to one token: it keeps its size.",
            _after_the_class_token(
                lambda p, old, new: _pictures(p, old, new, **_BICUBIC) * (old[0] * old[1] / (new[0] * new[1]))
            ),
            _after_the_class_token(
                lambda p, old, new: _pictures(p, old, new, **_BICUBIC) * (new[0] * new[1] / (old[0] * old[1]))
            ),
        ),
        no_gradient(resized_codes),
        other_type(resized_codes),
    ),
    "The codes of patches are stretched like a picture, on their grid; the class token keeps its own.",
    run=as_in_a_model(resized_codes),
)


# ---- flexi_loss


class Recorder(nn.Module):
    """Stands for a FlexiViT: a small model that notes which patch sizes it is asked for, and whether it is in training."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.asked: list[Any] = []
        draw = torch.Generator().manual_seed(classes)
        self.weight = nn.Parameter(torch.randn(classes, 3, generator=draw))

    def forward(self, images: Tensor, patch_size: Any = None) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, K), which depend on the patch size."""
        self.asked.append(patch_size)
        scale = 1.0 if patch_size is None else 0.3 * float(patch_size)
        return images.mean(dim=(2, 3)) @ self.weight.T * scale  # (B, 3) @ (3, K) -> (B, K)


def drawn_loss(model: nn.Module, images: Tensor, labels: Tensor, patch_sizes: Sequence[int]) -> Tensor:
    """Draw a patch size, and return the cross-entropy of the model with patches of that size, a scalar."""
    patch_size = patch_sizes[int(torch.randint(len(patch_sizes), ()))]
    return F.cross_entropy(model(images, patch_size), labels)


STEPS = 240  # calls of an attempt on each example
FAR = 0.5  # how far from its share a size may come


def _shares(asked: Sequence[int], sizes: Sequence[int]) -> tuple[bool, ...]:
    """Say of each size whether about its share of all calls was of it."""
    return tuple(abs(asked.count(size) / len(asked) * len(sizes) - 1) < FAR for size in sizes)


PYTHONS = Flawed("another draw each time, although torch was seeded the same")
NOT_ALIKE = Flawed("not every patch size about equally often")
SEVERAL = Flawed("the model was called more than once, or never")
NOT_ON_OFFER = Flawed("the model was asked for a patch size that is not in the list")
NO_LOSS_GRADIENT = Flawed("a loss from which the model cannot learn")


def _in_a_training(attempt: Callable[..., Any], images: Tensor, labels: Tensor, patch_sizes: Sequence[int]) -> Any:
    """Call an attempt many times, as a training does, and look at what it asks for and what it returns."""
    classes = int(labels.max()) + 2
    model, asked, losses = Recorder(classes), [], []
    torch.manual_seed(1)
    for _ in range(STEPS):
        model.asked.clear()
        loss = attempt(model, images, labels, patch_sizes)
        if len(model.asked) != 1:
            return SEVERAL
        if not any(type(model.asked[0]) is int and model.asked[0] == size for size in patch_sizes):
            return NOT_ON_OFFER
        asked.append(model.asked[0])
        losses.append(loss)
    first = losses[0]
    if not isinstance(first, Tensor) or first.shape != ():
        return first
    right = F.cross_entropy(model(images, asked[0]), labels)
    if not torch.allclose(first.detach().float(), right.detach(), 1e-4, 1e-4):
        return {size: loss.detach() for size, loss in zip(asked, losses, strict=True)}[patch_sizes[0]]
    if not first.requires_grad:
        return NO_LOSS_GRADIENT
    if not all(_shares(asked, patch_sizes)):
        return NOT_ALIKE
    torch.manual_seed(1)
    again: list[Any] = []
    for _ in range(30):
        model.asked.clear()
        attempt(model, images, labels, patch_sizes)
        again += model.asked
    return right_of(model, images, labels, patch_sizes) if again == asked[:30] else PYTHONS


def right_of(model: nn.Module, images: Tensor, labels: Tensor, patch_sizes: Sequence[int]) -> Tensor:
    """Return the loss with the first of the sizes: what every right attempt is reported with."""
    return F.cross_entropy(model(images, patch_sizes[0]), labels).detach()


def _loss_examples() -> list[tuple[Tensor, Tensor, tuple[int, ...]]]:
    """Images of two colours; other sizes, in no order, none of which is an index."""
    draw = torch.Generator().manual_seed(2)
    return [
        (torch.randn(2, 3, 4, 4, generator=draw), torch.tensor([1, 0]), (4, 8)),
        (torch.randn(5, 3, 8, 8, generator=draw), torch.tensor([2, 0, 1, 1, 3]), (16, 8, 4)),
        (torch.randn(3, 3, 4, 8, generator=draw), torch.tensor([0, 2, 2]), (8, 16, 32, 64)),
    ]


def _draw(sizes: Sequence[int]) -> int:
    return sizes[int(torch.randint(len(sizes), ()))]


flexi_loss = Exercise(
    "flexi_loss",
    drawn_loss,
    _loss_examples,
    (
        Mistake(
            "always the same size",
            "Not every patch size comes about equally often: in 240 steps each of them should have about its share. Draw "
            "one of the list in each call, `torch.randint(n, ())` gives a number from 0 to n - 1.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, sizes[0]), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i, sizes[int(torch.randint(len(sizes) - 1, ()))]), t),
        ),
        Mistake(
            "the index in place of the size",
            "The model is asked for a patch size that is not in the list. `torch.randint` gives the place in the list: take "
            "the size that stands there, as a Python int.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, int(torch.randint(len(sizes), ()))), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i, torch.tensor(_draw(sizes))), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i), t),
        ),
        Mistake(
            "all sizes in one step",
            "The model should be called exactly once in a step. You call it with several sizes: that is several times the "
            "work. Draw one size.",
            lambda m, i, t, sizes: torch.stack([F.cross_entropy(m(i, s), t) for s in sizes]).mean(),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t) + 0 * m(i, sizes[0]).sum(),
        ),
        Mistake(
            "drawn by Python or NumPy",
            "The sizes are drawn, but not by torch's own generator. The trainer seeds that one anew before each step, so "
            "that a run which was stopped goes on exactly as it would have. Draw with `torch.randint`.",
            lambda m, i, t, sizes: PYTHONS,
        ),
        Mistake(
            "seeded in every call",
            "Not every patch size comes about equally often: you seed the generator in every call, so it always draws the "
            "same. Leave the seed to the trainer.",
            lambda m, i, t, sizes: (torch.manual_seed(0), F.cross_entropy(m(i, _draw(sizes)), t))[1],
        ),
        Mistake(
            "softmax before the cross-entropy",
            "`F.cross_entropy` takes logits and does the softmax itself. You give it probabilities.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)).softmax(dim=-1), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)).sigmoid(), t),
        ),
        Mistake(
            "the softmax in the wrong place, or none",
            "This is no cross-entropy: the loss of an image is minus the log of the probability that its own class gets.",
            lambda m, i, t, sizes: F.nll_loss(m(i, _draw(sizes)), t),
            lambda m, i, t, sizes: F.nll_loss(m(i, _draw(sizes)).softmax(dim=-1), t),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)).T, t[: m.weight.shape[0]]),
        ),
        Mistake(
            "the sum over the images",
            "You add the losses of the images. Take their mean, or the step would grow with the batch.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t, reduction="sum"),
        ),
        Mistake(
            "one loss for each image",
            "There is one loss for each image. A step needs one number: their mean.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t, reduction="none"),
        ),
        Mistake(
            "weighted by the size",
            "The loss depends on the patch size not only through the model: you weigh it. Each size counts as much as the "
            "others.",
            lambda m, i, t, sizes: (lambda s: F.cross_entropy(m(i, s), t) * s / max(sizes))(_draw(sizes)),
            lambda m, i, t, sizes: (lambda s: F.cross_entropy(m(i, s), t) / s)(_draw(sizes)),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t) / len(sizes),
        ),
        Mistake(
            "a Python number",
            "You return a number from which no gradient leads back to the model. Return the loss as the tensor that it is: "
            "no `.item()`, no `detach`, no `no_grad`.",
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t).item(),
            lambda m, i, t, sizes: F.cross_entropy(m(i, _draw(sizes)), t).detach(),
        ),
        Mistake(
            "the logits",
            "You return what the model says. The loss says how wrong that is: compare it with the labels.",
            lambda m, i, t, sizes: m(i, _draw(sizes)),
        ),
    ),
    "Each step draws one patch size, all equally often, and the trainer's seed decides which.",
    run=_in_a_training,
)
