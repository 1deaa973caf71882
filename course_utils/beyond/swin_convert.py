"""Lesson 15 (swin): take over a Swin Transformer of torchvision, weights included."""

from __future__ import annotations

from torch import nn

from course_utils.beyond.swin import SwinConfig, SwinTransformer

_IN_A_BLOCK = {  # torchvision's name -> ours
    "attn.relative_position_bias_table": "attention.relative_bias.table",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.projection",
    "mlp.0": "mlp.fc1",
    "mlp.3": "mlp.fc2",
}


def from_torchvision_swin(model: nn.Module, image_size: int = 224) -> SwinTransformer:
    """Return our Swin Transformer with the weights of ``torchvision.models.swin_t``, ``swin_s``, ``swin_b`` or alike.

    Args:
        model: Of the class ``torchvision.models.SwinTransformer``, the first version.
        image_size: Of the images that ours is to take, in pixels.

    Returns:
        A model in the mode (training or evaluation) of the one given, without stochastic depth.

    Raises:
        ValueError: It is another kind of model, such as Swin's second version.
    """
    blocks = {type(block).__name__ for stage in list(getattr(model, "features", ()))[1::2] for block in stage}
    if type(model).__name__ != "SwinTransformer" or blocks != {"SwinTransformerBlock"}:
        raise ValueError(f"A {type(model).__name__} of {_listed(blocks)} is no Swin Transformer of the first version.")
    ours = SwinTransformer(_config_of(model, image_size))
    shapes = {name: tensor.shape for name, tensor in ours.state_dict().items()}
    given = {_our_name(name): tensor for name, tensor in model.state_dict().items() if not name.endswith("_index")}
    # the kernel of a convolution (D, C, P, P) becomes a linear map (D, C*P*P)
    ours.load_state_dict({name: tensor.reshape(shapes.get(name, tensor.shape)) for name, tensor in given.items()})
    return ours.train(model.training)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "no blocks"


def _config_of(model: nn.Module, image_size: int) -> SwinConfig:
    """Read the settings off a torchvision model: its parts stand in turn, embedding, blocks, merging, blocks, ..."""
    features = list(model.features)  # type: ignore[arg-type]
    stages, projection = features[1::2], features[0][0]
    first = stages[0][0]
    return SwinConfig(
        image_size=image_size,
        patch_size=projection.kernel_size[0],
        in_channels=projection.in_channels,
        num_classes=model.head.out_features,  # type: ignore[union-attr, arg-type]
        embed_dim=projection.out_channels,
        depths=tuple(map(len, stages)),
        num_heads=tuple(stage[0].attn.num_heads for stage in stages),
        window_size=first.attn.window_size[0],
        mlp_ratio=first.mlp[0].out_features / projection.out_channels,
        norm_eps=first.norm1.eps,
    )


def _our_name(name: str) -> str:
    """Turn the name of one of torchvision's tensors into ours."""
    parts = name.split(".")
    if parts[0] != "features":
        return name  # norm and head
    place, rest = int(parts[1]), ".".join(parts[2:])
    if place == 0:
        part, _, kind = rest.partition(".")
        return {"0": "patch_embedding.projection", "2": "patch_norm"}[part] + f".{kind}"
    if place % 2 == 0:
        return f"merges.{place // 2 - 1}.{rest}"
    for theirs, ours in _IN_A_BLOCK.items():
        rest = rest.replace(theirs, ours)
    return f"stages.{place // 2}.{rest}"
