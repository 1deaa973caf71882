"""Lesson 14 (dino): the patch tokens of a model, seen as colours."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.analysis.evaluation import evaluation_mode
from course_utils.model.vit import VisionTransformer


@torch.no_grad()
def patch_tokens(model: VisionTransformer, images: Tensor) -> Tensor:
    """Return the last layer's patch tokens, after the last norm: images (B, C, H, W), normalised -> (B, N, D)."""
    with evaluation_mode(model) as device:
        tokens, _ = model.encoder(model.embed(images.to(device)))  # (B, C, H, W) -> (B, prefix + N, D)
    return tokens[:, model.config.num_prefix_tokens :].float().cpu()


def component_colours(tokens: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Turn the three directions in which patch tokens differ most into red, green and blue.

    All images share the directions, so one colour means one thing in all of them. A direction has no sign of its own:
    here each points to where its largest numbers are positive.

    Args:
        tokens: (B, N, D), N at least 2 and D at least 3.
        grid: Rows and columns of the patches.

    Returns:
        Colours (B, rows, columns, 3), each from 0 to 1; and the share of the variance that each of the three has (3,).

    Raises:
        ValueError: The grid does not fit.
    """
    if grid[0] * grid[1] != tokens.shape[1]:
        raise ValueError(f"{tokens.shape[1]} patches do not fill a grid of {grid[0]}x{grid[1]}.")
    flat = tokens.flatten(0, 1).double()  # (B, N, D) -> (B*N, D)
    flat = flat - flat.mean(dim=0)
    _, lengths, directions = torch.linalg.svd(flat, full_matrices=False)  # (.,) falling, (., D)
    found = flat @ directions[:3].T  # (B*N, D) @ (D, 3) -> (B*N, 3)
    largest = found.gather(0, found.abs().argmax(dim=0, keepdim=True))  # (1, 3)
    found = found * largest.sign()
    low, high = found.amin(dim=0), found.amax(dim=0)  # (3,)
    colours = (found - low) / (high - low).clamp(min=1e-12)
    shares = lengths[:3].square() / lengths.square().sum()
    return colours.float().reshape(len(tokens), *grid, 3), shares.float()
