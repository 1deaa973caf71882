"""Lesson 10 (cnn): a small residual network of convolutions, to compare the Vision Transformer with."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.support.settings import Settings, Size


@dataclass(frozen=True)
class CNNConfig(Settings):
    """Everything that decides the shape of a :class:`SmallCNN`. The defaults make 0.31 million parameters.

    Attributes:
        in_channels: Channels C of an image.
        num_classes: Classes K.
        width: Channels of the first stage. Each stage has twice as many as the one before.
        stages: Each stage but the first halves height and width.
        blocks: Residual blocks in a stage.

    Raises:
        TypeError: A setting is no whole number.
        ValueError: A setting is below 1.
    """

    in_channels: Size = 3
    num_classes: Size = 10
    width: Size = 16
    stages: Size = 4
    blocks: Size = 1


class SmallCNN(nn.Module):
    """A small ResNet: a convolution, stages of residual blocks, the mean over all places, and a linear head.

    What it knows before it has seen an image, and a Vision Transformer does not: neighbours belong together, a thing
    looks the same wherever it stands, and large things are made of small ones.

    Args:
        config: The settings.

    Source: He et al. 2016, arXiv 1512.03385, section 4.2, with a projection as shortcut where the shape changes; batch
    normalisation: Ioffe and Szegedy 2015, arXiv 1502.03167.

    Example:
        >>> SmallCNN(CNNConfig())(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, config: CNNConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Sequential(*conv_norm_relu(config.in_channels, config.width))
        blocks: list[nn.Module] = []
        channels = config.width
        for stage in range(config.stages):
            width = config.width * 2**stage
            for block in range(config.blocks):
                blocks.append(ResidualBlock(channels, width, stride=2 if stage > 0 and block == 0 else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W), floats, normalised, to logits (B, K).

        Height and width may be any: each stage but the first halves them, rounded up.
        """
        return self.head(self.features(images).mean(dim=(2, 3)))  # (B, C', H', W') -> (B, C') -> (B, K)

    def features(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the last feature map (B, width * 2^(stages - 1), H / 2^(stages - 1), W / ...)."""
        return self.blocks(self.stem(images))  # (B, C, H, W) -> (B, width, H, W) -> (B, C', H', W')


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each with batch normalisation; their result is added to the input.

    As in a transformer block, the input has a way around the layers, so a deep stack of them can be trained.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        stride: 2 halves height and width.
    """

    is_block = True  # its kernels are trained by Muon where a recipe asks for it

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *conv_norm_relu(in_channels, out_channels, stride),
            *conv_norm_relu(out_channels, out_channels)[:-1],  # the last ReLU comes after the sum
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != out_channels:  # what is added must have the same shape
            conv = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, out, H / stride, W / stride), rounded up."""
        return F.relu(self.shortcut(x) + self.convolutions(x))


def conv_norm_relu(in_channels: int, out_channels: int, stride: int = 1) -> list[nn.Module]:
    """Return a 3x3 convolution, its batch normalisation and ReLU: (B, C, H, W) -> (B, out, H / stride, W / stride)."""
    # The normalisation subtracts the mean, so a bias before it would do nothing.
    conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU()]
