"""Trained weights: save, load, and convert to and from torchvision's and timm's Vision Transformer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course_utils.config import ViTConfig
from course_utils.files import DamagedFileError, load_tensors, save_tensors
from course_utils.patches import conv_to_linear_weight, linear_to_conv_weight
from course_utils.vit import VisionTransformer

if TYPE_CHECKING:
    from torchvision.models import VisionTransformer as TorchvisionVisionTransformer

FORMAT = "vit-course weights 1"
PRETRAINED_FOLDER = Path(__file__).parent / "assets" / "weights"
PATCH_WEIGHT = "embeddings.patch_embedding.projection.weight"


class WeightsError(ValueError):
    """The weights are whole, but they do not fit the model, or the file holds something else."""


# Save and load


def save_weights(
    model: VisionTransformer, path: str | Path, record: dict[str, Any] | None = None, half: bool = False
) -> None:
    """Save a model's weights and its config in one safetensors file, atomically, with a checksum.

    Args:
        model: The model. It is not changed.
        path: Where to write; the usual ending is ".safetensors".
        record: Anything about the run that made the weights, as JSON can hold it.
        half: Store float16: half the size, and about three digits of each number.

    Raises:
        OSError: The file cannot be written. What stood at ``path`` is untouched.
    """
    state = model.state_dict()
    if half:
        state = {name: tensor.half() for name, tensor in state.items()}
    metadata = {"format": FORMAT, "config": model.config.to_dict(), "record": record or {}}
    save_tensors(path, state, metadata)


def load_weights(path: str | Path) -> VisionTransformer:
    """Load a model that :func:`save_weights` wrote. Nothing in the file is ever run as code.

    Returns:
        The model in float32, on the CPU, in eval mode.

    Raises:
        FileNotFoundError: There is no such file.
        DamagedFileError: The file is cut off or was changed.
        WeightsError: The file is a pickle or holds no weights, or the weights do not fit the config beside them. The
            message lists every key that is missing, unexpected or of the wrong shape.
    """
    state, metadata = _read(path)
    return _fill(ViTConfig.from_dict(metadata["config"]), state, str(path))


def read_record(path: str | Path) -> dict[str, Any]:
    """Return the record that was given to :func:`save_weights`.

    Raises:
        FileNotFoundError, DamagedFileError, WeightsError: As for :func:`load_weights`.
    """
    return _read(path)[1]["record"]


def pretrained_names() -> list[str]:
    """Return the names of the trained weights that come with the package."""
    return sorted(path.stem for path in PRETRAINED_FOLDER.glob("*.safetensors"))


def load_pretrained(name: str) -> VisionTransformer:
    """Load a trained model that comes with the package, in eval mode.

    Raises:
        ValueError: No weights have that name. The sentence lists those there are.
    """
    names = pretrained_names()
    if name not in names:
        raise ValueError(f"There are no weights {name!r}: this version comes with {', '.join(names) or 'none'}.")
    return load_weights(PRETRAINED_FOLDER / f"{name}.safetensors")


def _read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and metadata of a weights file, or say why it is none."""
    try:
        tensors, metadata = load_tensors(path)
    except DamagedFileError as error:
        with Path(path).open("rb") as file:
            start = file.read(2)
        if start in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"):  # torch.save's zip archive; a bare pickle
            raise WeightsError(
                f"{path} looks like a .pt or .pth file. Such a file is a pickle: opening it can run any program that "
                "is hidden in it, so it is not opened here. If you trust its maker, read it with "
                "torch.load(path, weights_only=True), put it into a VisionTransformer with load_state_dict, and save "
                "that with save_weights."
            ) from error
        raise
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise WeightsError(f"{path} is a file of this course, but holds no weights: save_weights writes such a file.")
    return tensors, metadata


def _fill(config: ViTConfig, state: Mapping[str, Tensor], source: str) -> VisionTransformer:
    """Make a model, in eval mode, and put weights into it that must fit."""
    model = VisionTransformer(config)
    _check_fit(state, {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}, source)
    model.load_state_dict(state)
    return model.eval()


def _check_fit(state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], source: str) -> None:
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


# Convert


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
    return _fill(config, from_torchvision(model.state_dict(), config), "torchvision")


def _to(library: _Library, state: Mapping[str, Tensor], config: ViTConfig) -> dict[str, Tensor]:
    """Rename our weights to a library's."""
    names, shapes = _names_and_shapes(library, config)
    _check_fit(state, shapes, "this state dict")
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
    _check_fit(state, their_shapes, library.name)
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
