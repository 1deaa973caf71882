"""Lesson 08 (clinic): test 0: the numbers that enter, and whether the labels have anything to do with them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.analysis.clinic.findings import Examination

LINE_IMAGES = 200  # fewer say nothing about labels
MOST_IMAGES = 2000  # more would only take longer


def look(images: Tensor, labels: Tensor, found: Examination) -> bool:
    """Look at images (N, C, H, W) and labels (N,). Return whether the images can be used at all."""
    images, labels = images[:MOST_IMAGES], labels[:MOST_IMAGES]
    pixels = images.double()
    if not pixels.isfinite().all():
        found.find("not finite", "The images hold NaN or infinity.")
        return False
    mean, spread = pixels.mean(dim=(0, 2, 3)), pixels.std(dim=(0, 2, 3))  # each (C,)
    words = f"mean {mean.mean():.3g}, standard deviation {spread.mean():.3g} in a channel"
    # A model that takes whole numbers divides them itself.
    if images.is_floating_point() and (not 0.05 < spread.mean() < 10 or mean.abs().max() > 10):
        found.find("pixels", f"The pixels that enter have {words}; 0 and 1 are usual.")
    else:
        found.passed.append(f"0: the pixels that enter have {words}.")
    n, guess = len(labels), labels.bincount().max().item() / len(labels)
    if n < LINE_IMAGES:
        found.passed.append(f"0: {n} images say nothing of the labels; {LINE_IMAGES} would.")
        return True
    share = line_accuracy(images, labels)
    words = f"a straight line from pixels to classes names {share:.0%} of the images left out, guessing {guess:.0%}"
    if share < guess + 2.5 * math.sqrt(guess * (1 - guess) / n):
        found.find("labels", f"The labels do not follow from the images: {words}.")
    else:
        found.passed.append(f"0: the labels have to do with the images: {words}.")
    return True


def line_accuracy(images: Tensor, labels: Tensor, side: int = 8, parts: int = 5) -> float:
    """Fit a straight line from coarse pixels to classes (ridge regression), and test it on images left out.

    Args:
        images: (N, C, H, W).
        labels: (N,).
        side: To how many pixels height and width are brought first.
        parts: The images are cut into so many parts, each left out once.

    Returns:
        The share of the images that were named rightly while they were left out.
    """
    coarse = F.adaptive_avg_pool2d(images.double().cpu(), side).flatten(1)  # (N, C, H, W) -> (N, C * side²)
    coarse = (coarse - coarse.mean(dim=0)) / coarse.std(dim=0).clamp(min=1e-12)
    labels = labels.cpu()
    targets = F.one_hot(labels).double()  # (N, K)
    targets = targets - targets.mean(dim=0)
    part = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)) % parts  # (N,)
    right = 0
    for number in range(parts):
        x, y = coarse[part != number], targets[part != number]
        ridge = x.T @ x + len(x) * torch.eye(x.shape[1], dtype=x.dtype)
        weights = torch.linalg.solve(ridge, x.T @ y)  # (C * side², K)
        said = (coarse[part == number] @ weights).argmax(dim=1)
        right += int((said == labels[part == number]).sum())
    return right / len(labels)
