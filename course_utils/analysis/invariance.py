"""What a model's answer survives: a shift of the picture by some pixels, or its pieces in another order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_utils.analysis.evaluation import predict
from course_utils.model.patches import patchify, unpatchify

DISTANCES = (0, 1, 2, 4, 6, 8, 12)  # pixels
SIDES = (32, 16, 8, 4, 2)  # pixels; a piece as large as the image leaves it as it is
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right


def shifted(images: Tensor, rows: int, columns: int) -> Tensor:
    """Move what is in the images down and to the right. What comes in at the border is reflected.

    Args:
        images: (..., H, W), of any type.
        rows: Pixels down; negative: up. Less than H.
        columns: Pixels to the right; negative: to the left. Less than W.

    Returns:
        The same shape and type.

    Raises:
        ValueError: The shift is as large as the image, or larger.
    """
    for axis, distance in ((-2, rows), (-1, columns)):
        side = images.shape[axis]
        if abs(distance) >= side:
            raise ValueError(f"A shift by {distance} pixels leaves nothing of a side of {side}: choose a smaller one.")
        place = torch.arange(side, device=images.device) - distance  # where each pixel comes from
        place = (side - 1) - ((side - 1) - place.abs()).abs()  # -1 -> 1 and side -> side - 2: reflected
        images = images.index_select(axis, place)
    return images


def scrambled(images: Tensor, side: int, seed: int = 0) -> Tensor:
    """Cut each image into square pieces, and put them together in a random order, another one for each image.

    Args:
        images: (B, C, H, W), of any type.
        side: Of a piece, in pixels; it must divide height and width.
        seed: Of the orders.

    Returns:
        The same shape and type.

    Raises:
        ValueError: The side does not divide height and width.
    """
    pieces = patchify(images, side)  # (B, C, H, W) -> (B, N, C*side*side)
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(pieces.shape[:2], generator=generator).argsort(dim=1).to(images.device)  # (B, N)
    pieces = pieces.gather(1, order[:, :, None].expand_as(pieces))
    return unpatchify(pieces, side, (images.shape[-2], images.shape[-1]))  # -> (B, C, H, W)


def shift_test(
    model: nn.Module, images: Tensor, labels: Tensor, distances: Sequence[int] = DISTANCES, precision: str = "fp32"
) -> dict[str, dict[str, float]]:
    """Find out how often a model is right when each picture is moved up, down, left and right.

    Args:
        model: Maps float images to logits; it knows its normalisation.
        images: (N, C, H, W), uint8.
        labels: (N,).
        distances: In pixels.
        precision: "fp32", or "bf16" for autocast.

    Returns:
        For each distance, as text: "accuracy", the mean over the four directions; its "standard_error" over the images;
        and "same": how often the answer is that to the picture in its place.
    """
    still = predict(model, images, precision=precision).argmax(dim=1)  # (N, K) -> (N,)
    found = {}
    for distance in distances:
        answers = [still]
        if distance:
            moved = (shifted(images, down * distance, right * distance) for down, right in DIRECTIONS)
            answers = [predict(model, each, precision=precision).argmax(dim=1) for each in moved]
        found[str(distance)] = _shares(torch.stack(answers), labels, still)
    return found


def scramble_test(
    model: nn.Module, images: Tensor, labels: Tensor, sides: Sequence[int] = SIDES, precision: str = "fp32"
) -> dict[str, dict[str, float]]:
    """Find out how often a model is right when each picture is cut into pieces that are put together at random.

    Args:
        model: As for :func:`shift_test`, and so are the other arguments.
        images: (N, C, H, W), uint8.
        labels: (N,).
        sides: Of the pieces, in pixels.
        precision: "fp32", or "bf16" for autocast.

    Returns:
        For each side, as text, what :func:`shift_test` returns for a distance.

    Raises:
        ValueError: A side does not divide height and width.
    """
    still = predict(model, images, precision=precision).argmax(dim=1)  # (N, K) -> (N,)
    found = {}
    for side in sides:
        answers = predict(model, scrambled(images, side), precision=precision).argmax(dim=1)
        found[str(side)] = _shares(answers[None], labels, still)
    return found


def _shares(answers: Tensor, labels: Tensor, still: Tensor) -> dict[str, float]:
    """Return how often answers (tries, N) are right, and how often they are those to the pictures as they were."""
    right = (answers == labels).double().mean(dim=0)  # (tries, N) -> (N,)
    return {
        "accuracy": right.mean().item(),
        "standard_error": right.std().item() / len(right) ** 0.5,
        "same": (answers == still).double().mean().item(),
    }
