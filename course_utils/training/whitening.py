"""A start for the map from patches to tokens that is made from the training images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.model.patches import PatchEmbedding, patchify, whitening_weight

IMAGES_TO_WHITEN = 5000  # a few hundred thousand patches


@torch.no_grad()
def start_whitened(model: nn.Module, images: Tensor, std: float) -> None:
    """Let the map from patches to tokens start by whitening patches.

    Args:
        model: With a linear patch embedding.
        images: Float images (B, C, H, W) to take the patches from, normalised as in training.
        std: Standard deviation of a token's numbers.

    Raises:
        ValueError: The model has no linear patch embedding.
    """
    embedding = next((module for module in model.modules() if isinstance(module, PatchEmbedding)), None)
    if embedding is None:
        raise ValueError(
            f"whitening starts a linear map of patches, and a {type(model).__name__} has none: set it to 0."
        )
    weight = embedding.projection.weight  # (D, C*P*P)
    weight.copy_(whitening_weight(patchify(images, embedding.patch_size), len(weight), std))
