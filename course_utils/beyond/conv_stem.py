"""Lesson 10 (cnn): a Vision Transformer whose patches come from a few small convolutions instead of one large cut."""

from __future__ import annotations

from torch import Tensor, nn

from course_utils.beyond.cnn import conv_norm_relu
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer


class ConvStem(nn.Module):
    """Images to tokens by log2(P) convolutions of stride 2, then a linear map of each place (a 1x1 convolution).

    It takes the place of the patch embedding: as many tokens come out, on the same grid, but each has seen a little of
    its neighbours' pixels. The channels double from layer to layer and end at the width D.

    Args:
        config: Of the Vision Transformer.

    Raises:
        ValueError: The patch size is no power of 2, or 1; or D cannot be halved often enough.

    Source: Xiao et al. 2021, arXiv 2106.14881, section 4.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        steps = config.patch_size.bit_length() - 1
        if steps < 1 or config.patch_size != 2**steps:
            raise ValueError(f"A convolutional stem halves the image step by step: patch_size {config.patch_size} is "
                             "no power of 2 above 1.")  # fmt: skip
        if config.embed_dim % 2 ** (steps - 1):
            raise ValueError(f"embed_dim {config.embed_dim} cannot be halved {steps - 1} times.")
        layers: list[nn.Module] = []
        channels = config.in_channels
        for step in reversed(range(steps)):
            width = config.embed_dim // 2**step
            layers += conv_norm_relu(channels, width, stride=2)
            channels = width
        self.convolutions = nn.Sequential(*layers)
        self.projection = nn.Conv2d(channels, config.embed_dim, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to tokens (B, N, D)."""
        features = self.projection(self.convolutions(images))  # (B, C, H, W) -> (B, D, H/P, W/P)
        return features.flatten(2).transpose(1, 2)  # -> (B, N, D)


class ConvStemViT(VisionTransformer):
    """A :class:`VisionTransformer` with a :class:`ConvStem`. All else is the same.

    The stem costs about as much as one block, so the paper takes one block away where it compares.

    Args:
        config: The settings; the stem needs none of its own.

    Example:
        >>> ConvStemViT(ViTConfig.preset("cifar_micro", depth=5))(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        # After the model was filled with random numbers: convolutions keep PyTorch's own start.
        self.embeddings.patch_embedding = ConvStem(config)  # type: ignore[assignment]
