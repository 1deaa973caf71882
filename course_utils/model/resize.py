"""One model for other image and patch sizes: what was learned is resized, all else is the same."""

from __future__ import annotations

import functools
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from course_utils.data.normalisation import remember
from course_utils.model.attention import MultiHeadSelfAttention
from course_utils.model.config import ViTConfig
from course_utils.model.embeddings import RelativePositionBias
from course_utils.model.patches import PatchEmbedding, linear_to_conv_weight

M = TypeVar("M", bound=nn.Module)


def resize_positions(
    codes: Tensor, old_grid: tuple[int, int], new_grid: tuple[int, int], num_prefix_tokens: int = 0
) -> Tensor:
    """Interpolate position codes to another grid, so that a trained model takes images of another size.

    Args:
        codes: (1, prefix + rows*columns, D): codes of the prefix tokens first, then of the patches in raster order.
        old_grid: Rows and columns that the codes were made for.
        new_grid: Rows and columns that are wanted.
        num_prefix_tokens: How many codes at the front belong to no patch. They are kept as they are.

    Returns:
        (1, prefix + new rows * new columns, D).

    Raises:
        ValueError: The codes do not fit ``old_grid``.

    Source: ViT, section 3.2; bicubic and antialiased, as in timm.
    """
    if codes.shape[1] != num_prefix_tokens + old_grid[0] * old_grid[1]:
        raise ValueError(
            f"{codes.shape[1]} position codes do not fit a grid of {old_grid[0]}x{old_grid[1]} patches "
            f"after {num_prefix_tokens} prefix tokens."
        )
    if tuple(old_grid) == tuple(new_grid):
        return codes
    prefix, patches = codes.split([num_prefix_tokens, codes.shape[1] - num_prefix_tokens], dim=1)
    picture = patches.unflatten(1, old_grid).permute(0, 3, 1, 2)  # (1, rows*columns, D) -> (1, D, rows, columns)
    picture = F.interpolate(picture.float(), new_grid, mode="bicubic", antialias=True, align_corners=False)
    patches = picture.to(codes.dtype).flatten(2).transpose(1, 2)  # -> (1, new rows * new columns, D)
    return torch.cat([prefix, patches], dim=1)


def resize_patch_weight(weight: Tensor, in_channels: int, patch_size: int) -> Tensor:
    """Resize the weight of a linear patch embedding, so that patches of another size give nearly the same tokens.

    Let R be the matrix that resizes a patch of side P to side Q (bicubic, antialiased, as in timm). The new weight is
    the old one times the pseudo-inverse of R. A patch x that was enlarged, R x, then gives exactly the token of x; for
    smaller patches the match is as close as can be on average. Plain interpolation of the weight would not do: four
    times as many pixels would make a token about four times as large.

    Args:
        weight: (D, C*P*P).
        in_channels: Channels C.
        patch_size: The side Q that is wanted.

    Returns:
        (D, C*Q*Q).

    Source: FlexiViT (Beyer et al. 2022, arXiv 2212.08013), section 3.4.
    """
    kernel = linear_to_conv_weight(weight, in_channels)  # (D, C*P*P) -> (D, C, P, P)
    p, q = kernel.shape[-1], patch_size
    if p == q:
        return weight
    inverse = _inverse_of_resizing(p, q, weight.dtype, weight.device)
    return (kernel.flatten(2) @ inverse).flatten(1)  # (D, C, P*P) @ (P*P, Q*Q) -> (D, C, Q*Q) -> (D, C*Q*Q)


def resize_matrix(old_side: int, new_side: int) -> Tensor:
    """Return the matrix R that resizes a square picture: R x is the picture x, its pixels one after the other, resized.

    Args:
        old_side: Side P of the picture, in pixels.
        new_side: Side Q that is wanted.

    Returns:
        (Q*Q, P*P), float64. Each column is the picture that one lit pixel becomes.
    """
    p, q = old_side, new_side
    pixels = torch.eye(p * p, dtype=torch.float64).unflatten(1, (1, p, p))  # (P*P, 1, P, P): each lights one pixel
    enlarged = F.interpolate(pixels, (q, q), mode="bicubic", antialias=True)  # -> (P*P, 1, Q, Q)
    return enlarged.flatten(1).mT  # -> (Q*Q, P*P)


@functools.lru_cache(maxsize=64)
def _inverse_of_resizing(old_side: int, new_side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the pseudo-inverse of :func:`resize_matrix`, (P*P, Q*Q). Kept: a FlexiViT needs it in every step."""
    with torch.inference_mode(False):  # else what is kept could take no part in a training later
        return torch.linalg.pinv(resize_matrix(old_side, new_side)).to(device, dtype)


@torch.no_grad()
def resized(model: M, config: ViTConfig) -> M:
    """Return a copy of a model for a config that differs in image size and patch size alone.

    Args:
        model: A :class:`VisionTransformer`, or a model of a class made from it.
        config: What the copy is to be.

    Raises:
        ValueError: The patches are to have another size, but do not pass through a linear map.
    """
    other = type(model)(config).to(next(model.parameters()))
    other.load_state_dict({**model.state_dict(), **resized_state(model, other)})
    for new, old in zip(other.modules(), model.modules(), strict=True):
        if isinstance(new, MultiHeadSelfAttention) and isinstance(old, MultiHeadSelfAttention):
            new.implementation = old.implementation
    remember(other, getattr(model, "normalisation", None), getattr(model, "classes", None))
    return other.train(model.training)


def resized_state(model: nn.Module, other: nn.Module) -> dict[str, Tensor]:
    """Return a model's parameters in the shapes of another one, which differs in image and patch size alone.

    Gradients flow through the resizing. What needs none is returned as it is, not as a copy.

    Raises:
        ValueError: As for :func:`resized`.
    """
    state: dict[str, Tensor] = dict(model.named_parameters())
    config, wanted = cast(ViTConfig, model.config), cast(ViTConfig, other.config)
    if wanted.patch_size != config.patch_size:
        embedding = model.get_submodule("embeddings.patch_embedding")
        if not isinstance(embedding, PatchEmbedding):
            raise ValueError(
                f"patch_size stays {config.patch_size} in a {type(model).__name__}: its {type(embedding).__name__} is "
                "no linear map, which could be resized."
            )
        key = "embeddings.patch_embedding.projection.weight"
        state[key] = resize_patch_weight(state[key], config.in_channels, wanted.patch_size)
    key = "embeddings.position_code"
    if key in state:
        state[key] = resize_positions(state[key], config.grid, wanted.grid, config.num_prefix_tokens)
    for name, new in other.named_modules():
        old = model.get_submodule(name)
        if isinstance(new, RelativePositionBias) and isinstance(old, RelativePositionBias):
            table = old.table[None]  # (offsets, h) -> (1, offsets, h): a grid of offsets is a grid like any other
            state[f"{name}.table"] = resize_positions(table, old.offset_grid, new.offset_grid, old.num_extra)[0]
    return state


class AtPatchSize(nn.Module):
    """A model at work with patches of another size. It has no parameters of its own: training it trains the model.

    Args:
        model: Whose parameters are used. They are resized in every forward pass, and keep their shapes.
        patch_size: Side of the patches.

    Raises:
        ValueError: The patch size does not divide the image, or as for :func:`resized`.
    """

    def __init__(self, model: nn.Module, patch_size: int) -> None:
        super().__init__()
        self.model = model
        config = cast(ViTConfig, model.config).replace(patch_size=patch_size)
        self._frame = (resized(model, config),)  # in a tuple: its own parameters are to be out of sight
        remember(self, getattr(model, "normalisation", None), getattr(model, "classes", None))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B, K)."""
        frame = self._frame[0].train(self.training)
        return functional_call(frame, resized_state(self.model, frame), (images,))
