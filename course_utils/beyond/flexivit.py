"""Lesson 11 (patch_size): FlexiViT, one set of weights for every patch size."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import torch
from torch import Tensor, nn

from course_utils.data import ImageSet
from course_utils.data.normalisation import remember
from course_utils.model.blocks import TransformerEncoder
from course_utils.model.config import Sides, ViTConfig
from course_utils.model.embeddings import TokenPool, check_images
from course_utils.model.initialise import initialise
from course_utils.model.patches import PatchEmbedding, patchify
from course_utils.model.resize import resize_patch_weight, resize_positions
from course_utils.model.vit import VisionTransformer
from course_utils.support.settings import Positive, Size
from course_utils.training.tasks import Classification

PATCH_SIZES = (2, 4, 8, 16)  # for images of 32 pixels


@dataclass(frozen=True)
class FlexiViTConfig(ViTConfig):
    """Settings of a :class:`FlexiViT`: those of the Vision Transformer, and the sizes of the two parts that are kept.

    The defaults make 1.8 million parameters, about as many as ``cifar_small`` has.

    Attributes:
        patch_size: Which patches are cut if nobody asks for others. No parameter has a shape that depends on it.
        base_patch_size: Side of the kernel that is kept, in pixels. All others are made from it. A larger patch is seen
            as coarsely as this kernel is; for a smaller one, many numbers of it move together.
        base_grid: Rows and columns of the position codes that are kept. One number means a square.

    Raises:
        TypeError: As for :class:`ViTConfig`.
        ValueError: As for :class:`ViTConfig`; or ``position`` is not "learned".
    """

    num_heads: Size = 6
    mlp_ratio: Positive = 2.0
    base_patch_size: Size = 8
    base_grid: Sides = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.position != "learned":
            raise ValueError(f"A FlexiViT resizes learned position codes, so position cannot be {self.position!r}.")

    @property
    def code_grid(self) -> tuple[int, int]:
        """Rows and columns of the position codes that are kept."""
        return self.base_grid if isinstance(self.base_grid, tuple) else (self.base_grid, self.base_grid)

    def at(self, patch_size: int) -> ViTConfig:
        """Return the settings of the plain Vision Transformer that this model is at one patch size.

        Raises:
            ValueError: The patch size does not divide the image.
        """
        plain = {field.name: getattr(self, field.name) for field in fields(ViTConfig)}
        return ViTConfig(**plain).replace(patch_size=patch_size)


CIFAR_FLEXI = FlexiViTConfig(base_patch_size=4, base_grid=(8, 8))  # what ships: cifar_small, made flexible


class FlexiEmbeddings(nn.Module):
    """Images to tokens, for patches of any size: kernel and position codes are resized to fit them, in every call.

    Args:
        config: The model's settings.
    """

    def __init__(self, config: FlexiViTConfig) -> None:
        super().__init__()
        rows, columns = config.code_grid
        d, registers = config.embed_dim, config.num_registers
        self.config = config
        self.patch_embedding = PatchEmbedding(config.base_patch_size, config.in_channels, d)
        self.class_token = nn.Parameter(torch.zeros(1, 1, d)) if config.has_class_token else None
        self.registers = nn.Parameter(torch.zeros(1, registers, d)) if registers else None
        self.position_code = nn.Parameter(torch.zeros(1, config.num_prefix_tokens + rows * columns, d))
        self.dropout = nn.Dropout(config.dropout)

    def resized(self, patch_size: int) -> tuple[Tensor, Tensor]:
        """Return weight (D, C*P*P) and position codes (1, N, D) for one patch size. Gradients flow back to the base."""
        config, kept = self.config, self.patch_embedding.projection.weight  # (D, C * base * base)
        with torch.autocast(kept.device.type, enabled=False):  # not rounded twice
            weight = resize_patch_weight(kept, config.in_channels, patch_size)  # -> (D, C*P*P)
        grid = config.at(patch_size).grid
        return weight, resize_positions(self.position_code, config.code_grid, grid, config.num_prefix_tokens)

    def forward(self, images: Tensor, patch_size: int) -> Tensor:
        """Map images (B, C, H, W), cut into patches of a size, to tokens (B, N, D)."""
        weight, position_code = self.resized(patch_size)
        patches = patchify(images, patch_size)  # (B, C, H, W) -> (B, patches, C*P*P)
        tokens = nn.functional.linear(patches, weight, self.patch_embedding.projection.bias)  # -> (B, patches, D)
        prefix = [
            token.expand(tokens.shape[0], -1, -1)  # (1, ., D) -> (B, ., D)
            for token in (self.class_token, self.registers)
            if token is not None
        ]
        return self.dropout(torch.cat([*prefix, tokens], dim=1) + position_code)  # -> (B, N, D)


class FlexiViT(nn.Module):
    """A Vision Transformer whose patches may have any size, by one set of weights (Beyer et al. 2023).

    Only two parts of a Vision Transformer know the patch size: the map from patches to tokens, and the position codes.
    This model keeps both at a size of their own, and resizes them to what is asked for. Blocks and head take what
    comes, for attention works with any number of tokens.

    Args:
        config: The settings; see :class:`FlexiViTConfig`.

    Example:
        >>> model = FlexiViT(FlexiViTConfig(embed_dim=32, num_heads=2))
        >>> model(torch.zeros(2, 3, 32, 32), patch_size=16).shape
        torch.Size([2, 10])

    Source: arXiv 2212.08013, section 3. There a kernel of 32 pixels and 7x7 codes are kept, and both are resized
    linearly; here bicubically, as in timm.
    """

    def __init__(self, config: FlexiViTConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = FlexiEmbeddings(config)
        self.encoder = TransformerEncoder(config)
        self.pool = TokenPool(config)
        self.head = nn.Linear(config.embed_dim, config.num_classes) if config.num_classes else nn.Identity()
        initialise(self, config.depth)

    def forward(self, images: Tensor, patch_size: int | None = None) -> Tensor:
        """Map images to logits.

        Args:
            images: (B, C, H, W), floats, normalised.
            patch_size: Side of the patches in pixels. None means that of the settings.

        Returns:
            (B, K).

        Raises:
            ValueError: The patch size does not divide the image; or the images have another shape than the settings
                say, or another dtype than the weights.
        """
        check_images(images, self.config, dtype=next(self.parameters()).dtype)
        tokens = self.embeddings(images, patch_size or self.config.patch_size)  # (B, C, H, W) -> (B, N, D)
        tokens, _ = self.encoder(tokens)
        return self.head(self.pool(tokens))  # -> (B, D) -> (B, K)

    @torch.no_grad()
    def at(self, patch_size: int) -> VisionTransformer:
        """Return a plain Vision Transformer for one patch size, with weights of its own, that gives the same logits.

        Raises:
            ValueError: The patch size does not divide the image.
        """
        vit = VisionTransformer(self.config.at(patch_size)).to(next(self.parameters()))
        weight, position_code = self.embeddings.resized(patch_size)
        fitted = {
            "embeddings.patch_embedding.projection.weight": weight,
            "embeddings.position_code": position_code,
        }
        vit.load_state_dict({**self.state_dict(), **fitted})
        remember(vit, getattr(self, "normalisation", None), getattr(self, "classes", None))
        return vit.train(self.training)

    @classmethod
    @torch.no_grad()
    def of(cls, vit: VisionTransformer) -> FlexiViT:
        """Make a FlexiViT of a trained plain model, to go on training with patches of many sizes.

        At the plain model's own patch size both give the same logits.

        Raises:
            ValueError: Its position codes are not learned, or its patches pass through no linear map.
        """
        config = vit.config
        if not isinstance(vit.embeddings.patch_embedding, PatchEmbedding):
            raise ValueError(f"The patches of a {type(vit).__name__} pass through no linear map, as they should here.")
        kept: dict[str, Any] = {"base_patch_size": config.patch_size, "base_grid": config.grid}
        model = cls(FlexiViTConfig(**config.to_dict(), **kept)).to(next(vit.parameters()))
        model.load_state_dict(vit.state_dict())  # the same names and shapes: what is kept is what the plain model has
        remember(model, getattr(vit, "normalisation", None), getattr(vit, "classes", None))
        return model.train(vit.training)

    def with_patch_size(self, patch_size: int) -> VisionTransformer:
        """Return the same as :meth:`at`, under the name that a plain Vision Transformer has for it."""
        return self.at(patch_size)


class EveryPatchSize(Classification):
    """Classification of which the figures say how good the model is with patches of several sizes.

    Args:
        train_set: The images to learn from.
        validation_set: As for every task.
        patch_sizes: Sides of the patches, in pixels.

    Raises:
        ValueError: There is no patch size, or no image to learn from.
    """

    name = "every_patch_size"

    def __init__(
        self,
        train_set: ImageSet,
        validation_set: ImageSet | None = None,
        patch_sizes: Sequence[int] = PATCH_SIZES,
    ) -> None:
        super().__init__(train_set, validation_set)
        if not patch_sizes:
            raise ValueError("patch_sizes is empty: give one patch size or more.")
        self.patch_sizes = tuple(patch_sizes)

    def figures(self, model: nn.Module, images: ImageSet, precision: str = "fp32") -> dict[str, float]:
        """Return "loss" and "accuracy" at the model's own patch size, and "accuracy_at_P" for each P."""
        found = super().figures(model, images, precision)
        for patch_size in self.patch_sizes:
            resized = cast(VisionTransformer | FlexiViT, model).with_patch_size(patch_size)
            found[f"accuracy_at_{patch_size}"] = super().figures(resized, images, precision)["accuracy"]
        return found

    def describe(self) -> dict[str, Any]:
        """Say what is learned from what, see :meth:`Task.describe`."""
        return super().describe() | {"task": {"name": self.name, "patch_sizes": list(self.patch_sizes)}}


class FlexiClassification(EveryPatchSize):
    """Classification by a :class:`FlexiViT`: each step draws a patch size.

    Args:
        train_set: The images to learn from.
        validation_set: As for every task.
        patch_sizes: Sides of the patches, in pixels.
        shares: How often each of them is drawn, in any unit. None: all equally often.

    Raises:
        ValueError: As for :class:`EveryPatchSize`; or there is not one share above 0 for each size.

    Source: arXiv 2212.08013, section 3.3.
    """

    name = "flexi_classification"

    def __init__(
        self,
        train_set: ImageSet,
        validation_set: ImageSet | None = None,
        patch_sizes: Sequence[int] = PATCH_SIZES,
        shares: Sequence[float] | None = None,
    ) -> None:
        super().__init__(train_set, validation_set, patch_sizes)
        self.shares = tuple(shares) if shares is not None else (1.0,) * len(self.patch_sizes)
        if len(self.shares) != len(self.patch_sizes) or min(self.shares) <= 0:
            raise ValueError(f"shares must be {len(self.patch_sizes)} numbers above 0, one a patch size, not {shares}.")

    def loss(self, model: nn.Module, *batch: Tensor) -> dict[str, Tensor]:
        """Return the figures of a batch, cut into patches of one size.

        The trainer seeds torch's generator anew for each step, so a run that is resumed draws the same sizes.
        """
        drawn = int(torch.multinomial(torch.tensor(self.shares, dtype=torch.float32), 1))
        at_this_size = functools.partial(model, patch_size=self.patch_sizes[drawn])
        return super().loss(cast(nn.Module, at_this_size), *batch)

    def describe(self) -> dict[str, Any]:
        """Say what is learned from what, see :meth:`Task.describe`."""
        told = super().describe()
        return told | {"task": told["task"] | {"shares": list(self.shares)}}
