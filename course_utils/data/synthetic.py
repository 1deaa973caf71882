"""Images made by a formula, for lessons that need a task small enough to see through, or captions."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils.data.image_set import ImageSet
from course_utils.data.normalisation import Normalisation

PATTERN_CLASSES = ("bars across", "bars down", "diagonal ramp", "checkerboard")


def patterns(n: int, seed: int, size: int = 8, noise: float = 0.1) -> ImageSet:
    """Make small grey images of four patterns, each with its own phase, width, direction and contrast.

    The classes take turns: 0, 1, 2, 3, 0, ... The same arguments give the same images; torch's global generator
    is not touched.

    Args:
        n: How many images.
        seed: Decides the images.
        size: Height and width in pixels, 4 or more.
        noise: Standard deviation of the noise on each pixel, for pixels scaled to 0..1.

    Returns:
        uint8 images ``(n, 1, size, size)``, like every image set of the course.

    Raises:
        ValueError: An argument is out of range.
    """
    if n < 0 or size < 4 or noise < 0:
        raise ValueError(f"patterns needs n >= 0, size >= 4 and noise >= 0, not n={n}, size={size}, noise={noise}.")
    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, generator=generator)

    def whole(low: int, high: int) -> Tensor:
        return torch.randint(low, high + 1, (n, 1, 1), generator=generator)

    width = whole(1, 2)  # of a bar or a square
    y = torch.arange(size).view(1, -1, 1) + whole(0, 3)  # (n, size, 1)
    x = torch.arange(size).view(1, 1, -1) + whole(0, 3)  # (n, 1, size)
    across = (y // width % 2).expand(n, size, size)
    down = (x // width % 2).expand(n, size, size)
    step = torch.linspace(0, 1, size)
    rising_down, rising_right = (torch.where(whole(0, 1) == 1, step, 1 - step) for _ in range(2))  # (n, 1, size)
    ramp = (rising_down.transpose(1, 2) + rising_right) / 2  # (n, size, 1) + (n, 1, size) -> (n, size, size)
    kinds = torch.stack([across, down, ramp, across ^ down])  # (4, n, size, size)

    labels = torch.arange(n) % len(PATTERN_CLASSES)
    grey = 0.5 + uniform(0.5, 1) * (kinds[labels, torch.arange(n)] - 0.5)  # (n, size, size)
    grey = grey + noise * torch.randn(n, size, size, generator=generator)
    images = (255 * grey.clamp(0, 1)).round().to(torch.uint8).unsqueeze(1)  # (n, size, size) -> (n, 1, size, size)
    return ImageSet(images, labels, PATTERN_CLASSES, "patterns", "synthetic", Normalisation((0.5,), (0.25,)))


COLOURS = {
    "red": (220, 50, 47),
    "orange": (245, 140, 30),
    "yellow": (240, 220, 60),
    "green": (50, 160, 70),
    "blue": (50, 90, 220),
    "purple": (145, 70, 190),
}
SHAPES = ("circle", "square", "triangle", "cross", "ring")
PLACES = {  # centre of the shape, (x, y) as shares of the image's width and height
    "upper left": (0.28, 0.28),
    "upper right": (0.72, 0.28),
    "centre": (0.5, 0.5),
    "lower left": (0.28, 0.72),
    "lower right": (0.72, 0.72),
}


class CaptionedImage(NamedTuple):
    """One image of :class:`ColouredShapes`, uint8 ``(3, 32, 32)``, with its caption and what the caption is made of."""

    image: Tensor
    caption: str
    colour: str
    shape: str
    place: str


class ColouredShapes:
    """As many captioned images as you like: one coloured shape on a dark ground, "a red circle in the upper left".

    Item ``i`` of a seed is always the same image, whatever else was drawn before. Size, exact place, tilt, shade and
    ground vary, so that two images with the same caption are not equal. There are 150 captions.

    It has no length. Take ``batch(start, count)``, and never reuse an index for testing that was used for training.

    Args:
        seed: 0 or more.

    Raises:
        ValueError: The seed is negative.
    """

    size = 32

    def __init__(self, seed: int = 0) -> None:
        if seed < 0:
            raise ValueError(f"seed must be 0 or more, not {seed}.")
        self.seed = seed

    def __getitem__(self, index: int) -> CaptionedImage:
        """Draw one image.

        Raises:
            IndexError: The index is negative.
        """
        if index < 0:
            raise IndexError(f"ColouredShapes has no end, so it has no item {index}: count from 0.")
        # NumPy promises that this stream stays the same in every release.
        random = np.random.SeedSequence([self.seed, index]).generate_state(12) / 2**32  # 12 numbers in [0, 1)
        colour = list(COLOURS)[int(random[0] * len(COLOURS))]
        shape = SHAPES[int(random[1] * len(SHAPES))]
        place = list(PLACES)[int(random[2] * len(PLACES))]

        radius = 0.15 + 0.06 * random[3]
        x, y = (share + 0.06 * (r - 0.5) for share, r in zip(PLACES[place], random[4:6], strict=True))
        tilt = math.radians(20 * (random[6] - 0.5))
        cover = self._cover(shape, x, y, radius, tilt)  # (32, 32)
        shade = torch.tensor(COLOURS[colour]) + 30 * torch.from_numpy(random[7:10] - 0.5)  # (3,)
        ground = 20 + 60 * random[10]
        image = ground + cover * (shade.view(3, 1, 1) - ground)  # (3, 32, 32)
        article = "an" if colour[0] in "aeiou" else "a"
        caption = f"{article} {colour} {shape} in the {place}"
        return CaptionedImage(image.clamp(0, 255).round().to(torch.uint8), caption, colour, shape, place)

    def batch(self, start: int, count: int) -> tuple[Tensor, list[str]]:
        """Draw the items ``start`` to ``start + count - 1``.

        Returns:
            uint8 images ``(count, 3, 32, 32)`` and their captions.

        Raises:
            ValueError: ``count`` is less than 1.
        """
        if count < 1:
            raise ValueError(f"A batch has at least one image, so count cannot be {count}.")
        items = [self[index] for index in range(start, start + count)]
        return torch.stack([item.image for item in items]), [item.caption for item in items]

    def _cover(self, shape: str, x: float, y: float, radius: float, tilt: float) -> Tensor:
        """Compute which share of each pixel the shape covers, ``(32, 32)``, from 4 x 4 points a pixel."""
        points = (torch.arange(4 * self.size) + 0.5) / (4 * self.size)
        right, down = (points - x) / radius, (points[:, None] - y) / radius  # (128,), (128, 1)
        u = math.cos(tilt) * right + math.sin(tilt) * down  # (128, 128), turned with the shape
        v = math.cos(tilt) * down - math.sin(tilt) * right
        if shape == "circle":
            inside = u**2 + v**2 < 1
        elif shape == "ring":
            inside = (u**2 + v**2 < 1) & (u**2 + v**2 > 0.55**2)
        elif shape == "square":
            inside = torch.maximum(u.abs(), v.abs()) < 0.9
        elif shape == "triangle":
            inside = (v < 0.8) & (v > 2 * u.abs() - 1)
        else:  # a cross
            inside = (torch.minimum(u.abs(), v.abs()) < 0.3) & (torch.maximum(u.abs(), v.abs()) < 1)
        return inside.float().view(self.size, 4, self.size, 4).mean((1, 3))  # (128, 128) -> (32, 32)
