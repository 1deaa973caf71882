"""RandAugment for whole batches: each image draws its own operations, and those that drew the same go together.

Source: E. D. Cubuk et al., "RandAugment", 2019, section 3; operations and strengths as in
``torchvision.transforms.v2.RandAugment``. That class draws once a call, so it would have to be called for every
single image. Here a batch takes at most one call for each operation and direction, on any device.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

STRONGEST = 30


def rand_augment(images: Tensor, n: int = 2, m: int = 9) -> Tensor:
    """Apply ``n`` random operations of strength ``m`` to each image, one after the other.

    All chance comes from torch's global generator, on the CPU.

    Args:
        images: uint8 ``(B, C, H, W)`` with 1 or 3 channels.
        n: How many operations each image gets, 0 or more.
        m: Their strength, 0 to 30.

    Returns:
        Images of the same shape, type and device. What comes in from outside the image is black.

    Raises:
        ValueError: The images are not uint8 ``(B, C, H, W)``, or ``n`` or ``m`` is out of range.
    """
    if images.dtype != torch.uint8 or images.dim() != 4:
        raise ValueError(
            f"rand_augment takes uint8 images of shape (B, C, H, W), not {images.dtype} of {tuple(images.shape)}."
        )
    if n < 0 or not 0 <= m <= STRONGEST:
        raise ValueError(f"RandAugment needs n of 0 or more and m from 0 to {STRONGEST}, not n={n} and m={m}.")
    if n == 0:
        return images
    operations = list(rand_augment_operations(m, *images.shape[-2:]).values())
    for _ in range(n):
        drawn = torch.randint(len(operations), (len(images),))  # (B,)
        sign = 2 * torch.randint(2, (len(images),)) - 1  # (B,), each 1 or -1
        result = torch.empty_like(images)
        for number, direction in set(zip(drawn.tolist(), sign.tolist(), strict=True)):
            group = ((drawn == number) & (sign == direction)).nonzero().squeeze(1).to(images.device)
            result[group] = operations[number](images[group], direction)
        images = result
    return images


def rand_augment_operations(m: int, height: int, width: int) -> dict[str, Callable[[Tensor, int], Tensor]]:
    """List RandAugment's 14 operations at strength ``m``, each as a function of a batch and a direction, 1 or -1.

    Args:
        m: 0 to 30.
        height: Height of the images in pixels.
        width: Width of the images in pixels.
    """
    from torchvision.transforms.v2 import functional as F  # late: it takes a second to import

    def affine(images: Tensor, translate: tuple[int, int] = (0, 0), shear: tuple[float, float] = (0, 0)) -> Tensor:
        corner = [0.0, 0.0] if any(shear) else None  # shearing leaves the upper left corner where it is
        return F.affine(images, angle=0, translate=list(translate), scale=1, shear=list(shear), center=corner)

    strength = m / STRONGEST
    shear = math.degrees(math.atan(0.3 * strength))
    # AutoAugment, where the operations are from, moved images of 331 pixels by up to 150.
    across, down = int(150 / 331 * width * strength), int(150 / 331 * height * strength)
    factor = 0.9 * strength
    return {
        "Identity": lambda images, sign: images,
        "ShearX": lambda images, sign: affine(images, shear=(sign * shear, 0)),
        "ShearY": lambda images, sign: affine(images, shear=(0, sign * shear)),
        "TranslateX": lambda images, sign: affine(images, translate=(sign * across, 0)),
        "TranslateY": lambda images, sign: affine(images, translate=(0, sign * down)),
        "Rotate": lambda images, sign: F.rotate(images, sign * 30 * strength),
        "Brightness": lambda images, sign: F.adjust_brightness(images, 1 + sign * factor),
        "Color": lambda images, sign: F.adjust_saturation(images, 1 + sign * factor),
        "Contrast": lambda images, sign: F.adjust_contrast(images, 1 + sign * factor),
        "Sharpness": lambda images, sign: F.adjust_sharpness(images, 1 + sign * factor),
        "Posterize": lambda images, sign: F.posterize(images, round(8 - 4 * strength)),
        "Solarize": lambda images, sign: F.solarize(images, 255 * (1 - strength)),
        "AutoContrast": lambda images, sign: F.autocontrast(images),
        "Equalize": lambda images, sign: F.equalize(images),
    }
