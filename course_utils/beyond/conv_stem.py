"""Lesson 10 (cnn): a Vision Transformer whose patches come from a few small convolutions instead of one large cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from course_utils.beyond.cnn import conv_norm_relu
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer

Stem = Literal["strided", "pooled"]


@dataclass(frozen=True)
class ConvStemConfig(ViTConfig):
    """The settings of a Vision Transformer, and which stem it has.

    Attributes:
        stem: "strided": convolutions of stride 2, each with batch normalisation and ReLU, then a linear map of each
            place (Xiao et al. 2021, arXiv 2106.14881, section 4). "pooled": convolutions of stride 1, each with ReLU
            and a max-pooling of stride 2 (the tokenizer of the Compact Convolutional Transformer, Hassani et al. 2021,
            arXiv 2104.05704, section 3.3).

    Raises:
        TypeError: As :class:`ViTConfig`.
        ValueError: As :class:`ViTConfig`; or the patch size is no power of 2, or 1; or D cannot be halved often enough.
    """

    stem: Stem = "strided"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.halvings < 1 or self.patch_size != 2**self.halvings:
            raise ValueError(f"A convolutional stem halves the image step by step: patch_size {self.patch_size} is "
                             "no power of 2 above 1.")  # fmt: skip
        if self.embed_dim % 2 ** (self.halvings - 1):
            raise ValueError(f"embed_dim {self.embed_dim} cannot be halved {self.halvings - 1} times.")

    @property
    def halvings(self) -> int:
        """How often the stem halves height and width: log2(P)."""
        return self.patch_size.bit_length() - 1

    @property
    def stem_channels(self) -> list[int]:
        """Channels after each convolution of the stem: they double from layer to layer and end at the width D."""
        return [self.embed_dim // 2**step for step in reversed(range(self.halvings))]


class ConvStem(nn.Module):
    """Images to tokens by log2(P) small convolutions.

    It takes the place of the patch embedding: as many tokens come out, on the same grid, but each has seen a little of
    its neighbours' pixels.

    Args:
        config: Of the Vision Transformer; ``config.stem`` says which of two stems.
    """

    def __init__(self, config: ConvStemConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = config.in_channels
        for width in config.stem_channels:
            if config.stem == "strided":
                layers += conv_norm_relu(channels, width, stride=2)
            else:
                layers += conv_relu_pool(channels, width)
            channels = width
        self.convolutions = nn.Sequential(*layers)
        last = nn.Conv2d(channels, config.embed_dim, kernel_size=1) if config.stem == "strided" else nn.Identity()
        self.projection: nn.Module = last

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to tokens (B, N, D)."""
        # Channels last in memory: on a CPU the pooled stem runs twice as fast so.
        images = images.contiguous(memory_format=torch.channels_last)
        features = self.projection(self.convolutions(images))  # (B, C, H, W) -> (B, D, H/P, W/P)
        return features.flatten(2).transpose(1, 2)  # -> (B, N, D)


class ConvStemViT(VisionTransformer):
    """A :class:`VisionTransformer` with a :class:`ConvStem`. All else is the same.

    The stem costs as much as one block or more, so compare it with a plain model of more blocks. With the pooled stem
    and ``pooling="attention"`` it is a Compact Convolutional Transformer.

    Args:
        config: The settings.

    Example:
        >>> ConvStemViT(ConvStemConfig(embed_dim=128, depth=2, num_heads=2))(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, config: ConvStemConfig) -> None:
        super().__init__(config)
        # After the model was filled with random numbers: convolutions keep PyTorch's own start.
        self.embeddings.patch_embedding = ConvStem(config)  # type: ignore[assignment]


def conv_relu_pool(in_channels: int, out_channels: int) -> list[nn.Module]:
    """Return a 3x3 convolution, ReLU and a max-pooling: (B, C, H, W) -> (B, out, H / 2, W / 2)."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight)  # as in the source: without a normalisation the start sets the size
    return [conv, nn.ReLU(), nn.MaxPool2d(kernel_size=3, stride=2, padding=1)]
