"""Lesson 14 (dino): random views of images, a crop and other colours, for a whole batch at once.

As in ``augment``, all chance comes from torch's global generator, on the CPU.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

GREY = (0.299, 0.587, 0.114)  # how bright red, green and blue look (ITU-R BT.601)


def random_resized_crop(
    images: Tensor, size: int, scale: tuple[float, float], ratio: tuple[float, float] = (3 / 4, 4 / 3)
) -> Tensor:
    """Cut a random rectangle out of each image, and resize it to a square; half of them are mirrored.

    Args:
        images: (B, C, H, W), uint8 or float.
        size: Side of the square in pixels.
        scale: Smallest and largest share of the image's area.
        ratio: Smallest and largest width divided by height.

    Returns:
        (B, C, size, size), float32, on the scale of the images' numbers. Bilinear.

    Raises:
        ValueError: A scale is not above 0, or above 1, or they are in the wrong order.

    Source: Szegedy et al. 2015, arXiv 1409.4842, section 6. There a rectangle that does not fit is drawn again; here
    its side is cut to that of the image.
    """
    if not 0 < scale[0] <= scale[1] <= 1:
        raise ValueError(f"scale must be two numbers above 0 and up to 1, the smaller one first, not {tuple(scale)}.")
    batch, channels, height, width = images.shape
    area = torch.empty(batch).uniform_(*scale) * height * width
    form = torch.empty(batch).uniform_(math.log(ratio[0]), math.log(ratio[1])).exp()  # width / height
    wide, tall = (area * form).sqrt().clamp(max=width), (area / form).sqrt().clamp(max=height)
    left, top = torch.rand(batch) * (width - wide), torch.rand(batch) * (height - tall)
    mirror = 1 - 2 * torch.randint(2, (batch,))  # (B,), each 1 or -1
    # grid_sample counts from -1, the left or upper edge, to 1. Each row: how much of the image, and around which place.
    zero = torch.zeros(batch)
    across = torch.stack([mirror * wide / width, zero, (2 * left + wide) / width - 1], dim=1)  # (B, 3)
    down = torch.stack([zero, tall / height, (2 * top + tall) / height - 1], dim=1)  # (B, 3)
    boxes = torch.stack([across, down], dim=1).to(images.device)  # -> (B, 2, 3)
    places = F.affine_grid(boxes, [batch, channels, size, size], align_corners=False)  # -> (B, size, size, 2)
    return F.grid_sample(images.float(), places, mode="bilinear", padding_mode="border", align_corners=False)


def random_colours(images: Tensor, strength: float = 0.4, probability: float = 0.8, grey: float = 0.2) -> Tensor:
    """Change brightness, contrast and saturation of most images, and take the colour from some.

    Without it, two views of an image could be matched by their colours alone.

    Args:
        images: (B, 3, H, W), floats from 0 to 255.
        strength: Each of the three is multiplied by a number from 1 - strength to 1 + strength.
        probability: Share of the images that are changed.
        grey: Share of the images that become grey.

    Returns:
        The same shape, from 0 to 255. The hue stays, other than in DINO.

    Source: Chen et al. 2020 (SimCLR), arXiv 2002.05709, appendix A.
    """
    batch, device = len(images), images.device
    changes = 1 + strength * (2 * torch.rand(3, batch) - 1) * (torch.rand(batch) < probability)  # (3, B)
    is_grey = (torch.rand(batch) < grey).to(device)
    brightness, contrast, saturation = changes.to(device)[:, :, None, None, None]  # three (B, 1, 1, 1)
    weights = torch.tensor(GREY, device=device).view(3, 1, 1)
    images = images * brightness
    middle = (images * weights).sum(dim=1).mean(dim=(1, 2))[:, None, None, None]  # -> (B, 1, 1, 1)
    images = middle + contrast * (images - middle)
    luminance = (images * weights).sum(dim=1, keepdim=True)  # (B, 3, H, W) -> (B, 1, H, W)
    images = luminance + saturation * ~is_grey[:, None, None, None] * (images - luminance)
    return images.clamp(0, 255)


def random_views(images: Tensor, count: int, size: int, scale: tuple[float, float], colours: bool = True) -> Tensor:
    """Make several views of each image: (B, C, H, W) uint8 -> (B, count, C, size, size) uint8.

    Args:
        images: uint8.
        count: Views of each image.
        size: Side of a view in pixels.
        scale: Smallest and largest share of the image that a view shows.
        colours: Whether colours change too. Images that are not RGB keep theirs.
    """
    views = random_resized_crop(images.repeat_interleave(count, dim=0), size, scale)  # -> (B * count, C, size, size)
    if colours and images.shape[1] == 3:
        views = random_colours(views)
    return views.round().to(torch.uint8).unflatten(0, (len(images), count))  # -> (B, count, C, size, size)
