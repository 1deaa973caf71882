"""Augmentation of whole batches, on whatever device they are: every image gets its own random draw.

All chance comes from torch's global generator, on the CPU. So ``torch.manual_seed`` before a batch decides the
batch, and it is the same batch on the CPU and on an accelerator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.data.normalisation import Normalisation
from course_utils.data.rand_augment import rand_augment


def random_crop_flip(images: Tensor, padding: int = 4, mode: str = "reflect", flip: bool = True) -> Tensor:
    """Shift each image at random by up to ``padding`` pixels, and mirror it left to right with probability 1/2.

    This is the usual augmentation for CIFAR-10: pad, crop back to the old size, flip. Source: C.-Y. Lee et al.,
    "Deeply-Supervised Nets", 2015, section 4; K. He et al., "Deep Residual Learning", 2016, section 4.2.

    Args:
        images: uint8 or float, ``(B, C, H, W)``.
        padding: Pixels on each side, 0 or more and smaller than the image.
        mode: What stands outside the image: ``"reflect"`` (its mirror image) or ``"constant"`` (zeros).
        flip: Whether images are mirrored at all.

    Returns:
        Images of the same shape, type and device.

    Raises:
        ValueError: An argument has none of these values.
    """
    batch, channels, height, width = _check(images)
    if not 0 <= padding < min(height, width):
        raise ValueError(f"padding must be 0 or more and smaller than the image ({height}x{width}), not {padding}.")
    if mode not in ("reflect", "constant"):
        raise ValueError(f"mode must be 'reflect' or 'constant', not {mode!r}.")
    device = images.device
    down, right = torch.randint(-padding, padding + 1, (2, batch, 1)).to(device)
    mirrored = (torch.rand(batch, 1).to(device) < 0.5) & flip
    # For each image: which row and which column of the old image comes where.
    rows = torch.arange(height, device=device) + down  # (B, H)
    columns = torch.arange(width, device=device) + right  # (B, W)
    columns = torch.where(mirrored, columns.flip(1), columns)
    pixels = _reflect(rows, height)[:, :, None] * width + _reflect(columns, width)[:, None, :]  # (B, H, W)
    pixels = pixels.view(batch, 1, -1).expand(-1, channels, -1)  # (B, H, W) -> (B, C, H*W)
    result = images.flatten(2).gather(2, pixels).view_as(images)  # (B, C, H*W) -> (B, C, H, W)
    if mode == "constant":
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
        result = result * inside[:, None]  # (B, H, W) -> (B, 1, H, W)
    return result


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Fold positions outside 0..size-1 back inside: -1 -> 1, size -> size-2."""
    positions = positions.abs()
    return (size - 1) - (size - 1 - positions).abs()


def random_erasing(
    images: Tensor,
    probability: float,
    area: tuple[float, float] = (0.02, 0.33),
    ratio: tuple[float, float] = (0.3, 3.3),
    value: float = 0.0,
) -> Tensor:
    """Paint a rectangle over some of the images, each with its own place, size and form.

    Source: Z. Zhong et al., "Random Erasing Data Augmentation", 2017, algorithm 1. There a rectangle that does not
    fit is drawn again; here it is cut to the image's height or width.

    Args:
        images: uint8 or float, ``(B, C, H, W)``. Of normalised images, 0 is the mean colour.
        probability: Share of the images that get a rectangle, 0 to 1.
        area: Smallest and largest share of the image that is painted over.
        ratio: Smallest and largest height divided by width.
        value: What is painted.

    Returns:
        Images of the same shape, type and device.

    Raises:
        ValueError: ``probability`` is not between 0 and 1.
    """
    batch, _, height, width = _check(images)
    if not 0 <= probability <= 1:
        raise ValueError(f"probability must lie between 0 and 1, not {probability}.")
    chosen = torch.rand(batch) < probability
    pixels = height * width * torch.empty(batch).uniform_(*area)
    form = torch.empty(batch).uniform_(*torch.tensor(ratio).log().tolist()).exp()
    tall = (pixels * form).sqrt().round().clamp(1, height)
    wide = (pixels / form).sqrt().round().clamp(1, width)
    top = (torch.rand(batch) * (height - tall + 1)).floor()
    left = (torch.rand(batch) * (width - wide + 1)).floor()
    rows = (_between(height, top, tall) & chosen[:, None]).to(images.device)  # (B, H)
    columns = _between(width, left, wide).to(images.device)  # (B, W)
    erased = rows[:, None, :, None] & columns[:, None, None, :]  # (B, 1, H, W)
    return images.masked_fill(erased, value)


def _between(size: int, start: Tensor, length: Tensor) -> Tensor:
    """Mark, for each image, the positions that lie in its stretch: (B,) and (B,) -> (B, size)."""
    positions = torch.arange(size)
    return (positions >= start[:, None]) & (positions < (start + length)[:, None])


def mix(
    images: Tensor,
    labels: Tensor,
    num_classes: int,
    cutmix_probability: float = 0.5,
    mixup_probability: float = 0.0,
    mixup_alpha: float = 0.8,
) -> tuple[Tensor, Tensor]:
    """Mix each image of a batch with another one, by CutMix or by MixUp or not at all: one draw for the batch.

    Sources: S. Yun et al., "CutMix", 2019, section 3.1; H. Zhang et al., "mixup", 2018, section 2.

    Args:
        images: float ``(B, C, H, W)``, normalised.
        labels: int64 ``(B,)``.
        num_classes: How many classes there are.
        cutmix_probability: How often CutMix is applied. Its area is drawn from Beta(1, 1).
        mixup_probability: How often MixUp is applied. The two together must not exceed 1.
        mixup_alpha: MixUp draws its weight from Beta(alpha, alpha).

    Returns:
        Images of the same shape, and soft targets, float32 ``(B, num_classes)``; each row sums to 1.

    Raises:
        ValueError: The images are not float, or the probabilities are not possible.
    """
    _check(images)
    if not images.is_floating_point():
        raise ValueError(f"mix takes float images, not {images.dtype}: normalise them first.")
    if min(cutmix_probability, mixup_probability) < 0 or cutmix_probability + mixup_probability > 1:
        raise ValueError(
            "cutmix_probability and mixup_probability must be 0 or more and together at most 1, "
            f"not {cutmix_probability} and {mixup_probability}."
        )
    from torchvision.transforms import v2  # late: it takes a second to import

    draw = torch.rand(()).item()
    if draw < cutmix_probability:
        images, targets = v2.CutMix(num_classes=num_classes)(images, labels)
    elif draw < cutmix_probability + mixup_probability:
        images, targets = v2.MixUp(num_classes=num_classes, alpha=mixup_alpha)(images, labels)
    else:
        targets = F.one_hot(labels, num_classes)
    return images, targets.float()


@dataclass(frozen=True)
class Augmentation:
    """From stored pixels to a training batch: crop and flip, RandAugment, normalisation, random erasing.

    Call it with uint8 images ``(B, C, H, W)``; it returns float32 of the same shape on the same device. For
    evaluation call the normalisation alone.

    Attributes:
        normalisation: Of the image set.
        padding: See :func:`random_crop_flip`.
        mode: See :func:`random_crop_flip`.
        flip: See :func:`random_crop_flip`.
        rand_augment_n: How many operations of RandAugment; 0 for none.
        rand_augment_m: Their strength, 0 to 30.
        erasing_probability: See :func:`random_erasing`.
    """

    normalisation: Normalisation
    padding: int = 4
    mode: str = "reflect"
    flip: bool = True
    rand_augment_n: int = 0
    rand_augment_m: int = 9
    erasing_probability: float = 0.0

    def __call__(self, images: Tensor) -> Tensor:
        """Augment one batch."""
        images = random_crop_flip(images, self.padding, self.mode, self.flip)
        images = rand_augment(images, self.rand_augment_n, self.rand_augment_m)
        images = self.normalisation(images)
        return random_erasing(images, self.erasing_probability)


def _check(images: Tensor) -> tuple[int, int, int, int]:
    if images.dim() != 4:
        raise ValueError(f"A batch of images has the shape (B, C, H, W), not {tuple(images.shape)}.")
    batch, channels, height, width = images.shape
    return batch, channels, height, width
