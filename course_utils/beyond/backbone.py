"""What the models of lessons 13 (masked) and 14 (dino) share: an encoder that learns without labels, and is kept."""

from __future__ import annotations

from dataclasses import fields

from torch import nn

from course_utils.data import remember
from course_utils.model.config import ViTConfig
from course_utils.model.embeddings import POSITION_CODES, nothing
from course_utils.model.vit import VisionTransformer


def encoder_config(config: ViTConfig) -> ViTConfig:
    """Return the settings of the Vision Transformer inside a model whose settings have some more."""
    return ViTConfig(**{field.name: getattr(config, field.name) for field in fields(ViTConfig)})


def check_without_labels(config: ViTConfig, name: str) -> None:
    """Refuse settings of an encoder that learns without labels, from parts of images.

    Raises:
        ValueError: There are classes; or the position codes act inside attention, where they need all patches.
    """
    if config.num_classes:
        raise ValueError(f"A {name} names no classes: num_classes must be 0, not {config.num_classes}.")
    code = POSITION_CODES[config.position]
    if code.turn is not nothing or code.bias is not nothing:
        raise ValueError(
            f"position {config.position!r} acts inside attention, on all patches of an image, and a {name} sees a part "
            "of them: choose learned, sincos2d or none."
        )


def kept_encoder(model: nn.Module, encoder: VisionTransformer) -> VisionTransformer:
    """Return the encoder inside a model, after it was told how the model's images are normalised."""
    remember(encoder, getattr(model, "normalisation", None), None)
    return encoder
