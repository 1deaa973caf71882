"""How pixels become the numbers that a model takes: one value, held by every image set and by every trained model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel, for pixels scaled to 0..1. Call it to normalise images.

    Example:
        >>> pixels = CIFAR10_NORMALISATION(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))  # (B, C, H, W), float32

    Attributes:
        mean: One number a channel.
        std: Likewise, above 0.

    Raises:
        ValueError: They are not as many, or a number is not finite, or a standard deviation is not above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(map(float, self.mean)))  # a list, as JSON gives it back
        object.__setattr__(self, "std", tuple(map(float, self.std)))
        if not self.mean or len(self.mean) != len(self.std):
            raise ValueError(f"mean and std need one number a channel each, not {len(self.mean)} and {len(self.std)}.")
        if not all(map(math.isfinite, self.mean)) or not all(0 < spread < math.inf for spread in self.std):
            raise ValueError(f"mean must be finite, and std finite and above 0, not {self.mean} and {self.std}.")

    @classmethod
    def of(cls, images: Tensor) -> Normalisation:
        """Compute mean and standard deviation of each channel over all pixels, in float64.

        A channel that has the same value everywhere gets 1 as its standard deviation, so it becomes 0 everywhere.

        Args:
            images: uint8 ``(N, C, H, W)``.

        Raises:
            ValueError: There are no images.
        """
        if len(images) == 0:
            raise ValueError("There are no images to compute a mean over.")
        values = torch.arange(256, dtype=torch.float64) / 255
        means, deviations = [], []
        for channel in images.unbind(1):
            # A pixel has only 256 values: counting them gives exact sums without a float copy of the images.
            share = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
            mean = (share * values).sum()
            means.append(mean.item())
            deviations.append((share * (values - mean) ** 2).sum().sqrt().item() if (share > 0).sum() > 1 else 1.0)
        return cls(tuple(means), tuple(deviations))

    @classmethod
    def none(cls, channels: int) -> Normalisation:
        """Leave pixels between 0 and 1."""
        return cls((0.0,) * channels, (1.0,) * channels)

    def __call__(self, images: Tensor) -> Tensor:
        """Turn pixels 0..255 into floats with mean 0 and standard deviation 1 in each channel.

        Args:
            images: uint8 ``(B, C, H, W)``.

        Returns:
            float32 ``(B, C, H, W)`` on the same device.

        Raises:
            ValueError: The images are not uint8, or have another number of channels.
        """
        if images.dim() != 4:
            raise ValueError(f"A batch of images has the shape (B, C, H, W), not {tuple(images.shape)}.")
        if images.dtype != torch.uint8:
            raise ValueError(f"Normalisation takes uint8 images, not {images.dtype}: were they normalised already?")
        if images.shape[1] != len(self.mean):
            raise ValueError(f"This normalisation is for {len(self.mean)} channels, not for {images.shape[1]}.")
        centre = torch.tensor(self.mean, device=images.device).view(-1, 1, 1)  # (C,) -> (C, 1, 1)
        spread = torch.tensor(self.std, device=images.device).view(-1, 1, 1)  # (C,) -> (C, 1, 1)
        return (images.float() / 255 - centre) / spread


CIFAR10_NORMALISATION = Normalisation((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


def remember(model: nn.Module, normalisation: Normalisation | None, classes: Sequence[str] | None) -> None:
    """Let a model keep how its images are normalised and what its classes are called.

    They stand in ``model.normalisation`` and ``model.classes``, and travel with its weights file. None: not known.
    """
    model = getattr(model, "_orig_mod", model)  # torch.compile's wrapper hands on what the model inside knows
    # Past nn.Module's own __setattr__, which is made for parameters and submodules.
    object.__setattr__(model, "normalisation", normalisation)
    object.__setattr__(model, "classes", tuple(classes) if classes is not None else None)


def normalisation_of(model: nn.Module) -> Normalisation:
    """Return the normalisation that a model was trained with.

    Raises:
        ValueError: The model does not know it.
    """
    found = getattr(model, "normalisation", None)
    if not isinstance(found, Normalisation):
        raise ValueError(
            f"This {type(model).__name__} does not know how its images are normalised: give it floats, as "
            "image_set.normalisation(images) returns them, or train it or load its weights first."
        )
    return found


def classes_of(model: nn.Module) -> tuple[str, ...]:
    """Return the names of the classes that a model was trained on, in the order of its logits.

    Raises:
        ValueError: The model does not know them.
    """
    found = getattr(model, "classes", None)
    if not isinstance(found, tuple):
        raise ValueError(
            f"This {type(model).__name__} does not know what its classes are called: train it or load its weights."
        )
    return found
