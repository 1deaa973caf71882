"""A start for the map from patches to tokens that is made from the training images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_utils.model.patches import PatchEmbedding, patchify

IMAGES_TO_WHITEN = 5000  # a few hundred thousand patches


def whitening_weight(patches: Tensor, embed_dim: int, std: float) -> Tensor:
    """Make a weight for a linear patch embedding whose tokens are the patches, whitened.

    Patches are mostly brightness: their numbers go up and down together, so most directions of a random map see little
    else. Whitening looks along the principal components of the patches, each divided by its standard deviation.
    So fine stripes enter nearly as strongly as brightness; only the very finest patterns stay smaller, by the 0.01
    below. If D is more than C*P*P, the components follow again
    with the other sign.

    Args:
        patches: (..., C*P*P), normalised, some thousands.
        embed_dim: Width D of a token.
        std: Standard deviation of each number of a token.

    Returns:
        The weight (D, C*P*P), the components with the most variance first.

    Source: for the first layer of a CNN, K. Jordan 2024, arXiv 2404.00498.
    """
    patches = patches.reshape(-1, patches.shape[-1])  # -> (M, C*P*P)
    variances, components = torch.linalg.eigh(patches.T @ patches / len(patches))  # (C*P*P,) rising, one a column
    filters = (components / (variances + 0.01).sqrt()).T.flip(0)  # the 0.01 keeps what is mere noise small
    copies = -(-embed_dim // len(filters))  # rounded up
    return std * torch.cat([filters * (-1) ** copy for copy in range(copies)])[:embed_dim]


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
