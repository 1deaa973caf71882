"""The same weights under other names: to and from torchvision's and timm's Vision Transformer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_utils.model.config import ViTConfig
from course_utils.model.patches import conv_to_linear_weight, linear_to_conv_weight
from course_utils.model.vit import VisionTransformer

if TYPE_CHECKING:
    from torchvision.models import VisionTransformer as TorchvisionVisionTransformer

PATCH_WEIGHT = "embeddings.patch_embedding.projection.weight"


class WeightsError(ValueError):
    """The weights are whole, but they do not fit the model, or the file holds something else."""


def check_fit(state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], source: str) -> None:
    """Refuse weights that lack a key, have one too many, or have another shape; name every one of them."""
    faults = [f"missing: {name}" for name in shapes if name not in state]
    faults += [f"unexpected: {name}" for name in state if name not in shapes]
    faults += [
        f"wrong shape: {name} is {tuple(state[name].shape)}, but must be {shape}"
        for name, shape in shapes.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    if faults:
        raise WeightsError("\n  ".join([f"The weights from {source} do not fit the model:", *faults]))


@dataclass(frozen=True)
class _Library:
    """How another library names the same parameters, and which of our settings it has.

    Attributes:
        name: As an error message calls it.
        names: Our name -> theirs. A star stands for the number of the block, a dot at the end for any ending.
        settings: Setting -> the values that have a counterpart. A setting that is not listed may have any value.
        square_only: Whether images must be square.
    """

    name: str
    names: dict[str, str]
    settings: dict[str, tuple]
    square_only: bool = False


TORCHVISION = _Library(
    name="torchvision",
    names={
        "embeddings.class_token": "class_token",
        "embeddings.position_code": "encoder.pos_embedding",
        "embeddings.patch_embedding.projection.": "conv_proj.",
        "encoder.blocks.*.norm1.": "encoder.layers.encoder_layer_*.ln_1.",
        "encoder.blocks.*.attention.qkv.weight": "encoder.layers.encoder_layer_*.self_attention.in_proj_weight",
        "encoder.blocks.*.attention.qkv.bias": "encoder.layers.encoder_layer_*.self_attention.in_proj_bias",
        "encoder.blocks.*.attention.projection.": "encoder.layers.encoder_layer_*.self_attention.out_proj.",
        "encoder.blocks.*.norm2.": "encoder.layers.encoder_layer_*.ln_2.",
        "encoder.blocks.*.mlp.fc1.": "encoder.layers.encoder_layer_*.mlp.0.",
        "encoder.blocks.*.mlp.fc2.": "encoder.layers.encoder_layer_*.mlp.3.",
        "encoder.norm.": "encoder.ln.",
        "head.": "heads.head.",
    },
    settings={
        "position": ("learned",),
        "pooling": ("class_token",),
        "num_registers": (0,),
        "norm": ("layernorm",),
        "pre_norm": (True,),
        "activation": ("gelu",),
        "qkv_bias": (True,),
        "in_channels": (3,),
    },
    square_only=True,
)

TIMM = _Library(
    name="timm",
    names={
        "embeddings.class_token": "cls_token",
        "embeddings.registers": "reg_token",
        "embeddings.position_code": "pos_embed",
        "embeddings.patch_embedding.projection.": "patch_embed.proj.",
        "encoder.blocks.*.norm1.": "blocks.*.norm1.",
        "encoder.blocks.*.attention.qkv.": "blocks.*.attn.qkv.",
        "encoder.blocks.*.attention.projection.": "blocks.*.attn.proj.",
        "encoder.blocks.*.norm2.": "blocks.*.norm2.",
        "encoder.blocks.*.mlp.": "blocks.*.mlp.",
        "encoder.norm.": "norm.",
        "head.": "head.",
    },
    settings={"position": ("none", "learned"), "pooling": ("class_token", "mean"), "pre_norm": (True,)},
)


def to_torchvision(state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    """Rename our weights to those of ``torchvision.models.VisionTransformer``. No number changes.

    Args:
        state: The state dict of a :class:`VisionTransformer` with this config.
        config: Its settings.

    Returns:
        The state dict for torchvision's model. The tensors share their memory with ``state``. torchvision must be given
        the same ``norm_eps``; it is no part of a state dict.

    Raises:
        ValueError: A setting has no counterpart there. The sentence names it.
        WeightsError: ``state`` does not fit ``config``.
    """
    return _to(TORCHVISION, state, config)


def from_torchvision(state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    """Rename the weights of ``torchvision.models.VisionTransformer`` to ours: the inverse of :func:`to_torchvision`.

    Raises:
        ValueError: A setting has no counterpart there. The sentence names it.
        WeightsError: ``state`` does not fit ``config``.
    """
    return _from(TORCHVISION, state, config)


def to_timm(state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    """Rename our weights to those of ``timm.models.VisionTransformer``. No number changes.

    These are timm's arguments for the same model: ``reg_tokens=num_registers``, ``pos_embed="none"`` for no positions,
    ``norm_layer="rmsnorm"``, ``act_layer="gelu_tanh"``, and for mean pooling ``global_pool="avg"``, ``fc_norm=False``
    and ``class_token=False``.

    Args:
        state: The state dict of a :class:`VisionTransformer` with this config.
        config: Its settings.

    Returns:
        The state dict for timm's model. The tensors share their memory with ``state``.

    Raises:
        ValueError: A setting has no counterpart there. The sentence names it.
        WeightsError: ``state`` does not fit ``config``.
    """
    return _to(TIMM, state, config)


def from_timm(state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    """Rename the weights of ``timm.models.VisionTransformer`` to ours: the inverse of :func:`to_timm`.

    Raises:
        ValueError: A setting has no counterpart there. The sentence names it.
        WeightsError: ``state`` does not fit ``config``.
    """
    return _from(TIMM, state, config)


def from_torchvision_model(model: TorchvisionVisionTransformer) -> VisionTransformer:
    """Turn a ``torchvision.models.VisionTransformer`` into ours, with the same weights and the same settings.

    Returns:
        Our model in eval mode: ``from_torchvision_model(torchvision.models.vit_b_16(weights="DEFAULT"))``.

    Raises:
        WeightsError: The model has a part that ours lacks, such as a convolutional stem.
    """
    attention = model.encoder.layers[0].self_attention
    config = ViTConfig(
        image_size=model.image_size,
        patch_size=model.patch_size,
        num_classes=model.num_classes,
        embed_dim=model.hidden_dim,
        depth=len(model.encoder.layers),
        num_heads=attention.num_heads,
        mlp_ratio=model.mlp_dim / model.hidden_dim,
        norm_eps=model.encoder.ln.eps,
        dropout=model.dropout,
        attention_dropout=model.attention_dropout,
    )
    converted = VisionTransformer(config)
    converted.load_state_dict(from_torchvision(model.state_dict(), config))
    return converted.eval()


def _to(library: _Library, state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    """Rename our weights to a library's."""
    names, shapes = _names_and_shapes(library, config)
    check_fit(state, shapes, "this state dict")
    renamed = {names[name]: tensor for name, tensor in state.items()}
    patch_weight = names[PATCH_WEIGHT]
    renamed[patch_weight] = linear_to_conv_weight(renamed[patch_weight], config.in_channels)
    return renamed


def _from(library: _Library, state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    """Rename a library's weights to ours."""
    names, shapes = _names_and_shapes(library, config)
    their_shapes = {names[name]: shape for name, shape in shapes.items()}
    p = config.patch_size
    their_shapes[names[PATCH_WEIGHT]] = (config.embed_dim, config.in_channels, p, p)
    check_fit(state, their_shapes, library.name)
    renamed = {ours: state[theirs] for ours, theirs in names.items()}
    renamed[PATCH_WEIGHT] = conv_to_linear_weight(renamed[PATCH_WEIGHT])
    return renamed


def _names_and_shapes(library: _Library, config: ViTConfig) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Return our name -> theirs and our name -> shape for every parameter, after a check of the settings."""
    for setting, allowed in library.settings.items():
        value = getattr(config, setting)
        if value not in allowed:
            raise ValueError(
                f"{library.name}'s VisionTransformer has no counterpart for {setting}={value!r}: "
                f"only {setting}={' or '.join(map(repr, allowed))} can be converted."
            )
    if library.square_only and config.image_height != config.image_width:
        raise ValueError(
            f"{library.name}'s VisionTransformer has no counterpart for image_size={config.image_size}: "
            "it takes square images only."
        )
    with torch.device("meta"):  # names and shapes without numbers
        state = VisionTransformer(config).state_dict()
    return {name: _rename(name, library.names) for name in state}, {name: tuple(state[name].shape) for name in state}


def _rename(name: str, names: dict[str, str]) -> str:
    """Rename one parameter by the pattern that it begins with."""
    number = re.search(r"\.(\d+)\.", name)
    pattern = re.sub(r"\.\d+\.", ".*.", name)  # encoder.blocks.3.norm1.weight -> encoder.blocks.*.norm1.weight
    ours = next(beginning for beginning in names if pattern.startswith(beginning))
    renamed = names[ours] + pattern[len(ours) :]
    return renamed.replace("*", number.group(1)) if number else renamed
