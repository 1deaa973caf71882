"""Lesson 10 (cnn): a small convolutional network, to compare the Vision Transformer with."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from course_utils.support.settings import Settings, Size


@dataclass(frozen=True)
class CNNConfig(Settings):
    """Everything that decides the shape of a :class:`SmallCNN`. The defaults make 0.67 million parameters.

    Attributes:
        in_channels: Channels C of an image.
        num_classes: Classes K.
        width: Channels of the first stage. Each stage has twice as many as the one before.
        stages: Each stage but the first halves height and width.

    Raises:
        TypeError: A setting is no whole number.
        ValueError: A setting is below 1.
    """

    in_channels: Size = 3
    num_classes: Size = 10
    width: Size = 24
    stages: Size = 4


class SmallCNN(nn.Module):
    """Two convolutions a stage, each with batch normalisation and ReLU; then the mean over all places, and a head.

    A VGG in small (Simonyan and Zisserman 2015, arXiv 1409.1556), with batch normalisation (Ioffe and Szegedy 2015,
    arXiv 1502.03167). What it knows before it has seen an image, and a Vision Transformer does not: neighbours belong
    together, and a thing looks the same wherever it stands.

    Args:
        config: The settings.

    Example:
        >>> SmallCNN(CNNConfig())(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, config: CNNConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        channels = config.in_channels
        for stage in range(config.stages):
            width = config.width * 2**stage
            layers += conv_norm_relu(channels, width, stride=1 if stage == 0 else 2)
            layers += conv_norm_relu(width, width)
            channels = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W), floats, normalised, to logits (B, K)."""
        features = self.features(images)  # (B, C, H, W) -> (B, width, H / 2^(stages - 1), W / 2^(stages - 1))
        return self.head(features.mean(dim=(2, 3)))  # -> (B, width) -> (B, K)


def conv_norm_relu(in_channels: int, out_channels: int, stride: int = 1) -> list[nn.Module]:
    """Return a 3x3 convolution, its batch normalisation and ReLU: (B, C, H, W) -> (B, out, H / stride, W / stride)."""
    # The normalisation subtracts the mean, so a bias before it would do nothing.
    conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU()]
