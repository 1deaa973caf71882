"""Lesson 15 (swin): a Vision Transformer with a hierarchy, whose attention looks through windows.

A map of places is (B, H, W, D) here: tokens that still stand on their grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.model.attention import MultiHeadSelfAttention, attention_weights
from course_utils.model.blocks import TransformerBlock
from course_utils.model.config import ViTConfig
from course_utils.model.embeddings import POSITION_CODES, check_images
from course_utils.model.initialise import initialise
from course_utils.model.patches import PatchEmbedding
from course_utils.support.settings import Count, Positive, Rate, Rule, Settings, Size

Sizes = Annotated[tuple[Size, ...], Rule("one whole number of at least 1 for each stage", lambda sizes: len(sizes) > 0)]
SHUT = -100.0  # added to a score: its weight is then below 1e-40


@dataclass(frozen=True)
class SwinConfig(Settings):
    """Everything that decides the shape of a Swin Transformer (Liu et al. 2021, arXiv 2103.14030).

    The defaults are a model of 1.0 million parameters for CIFAR-10: maps of 16x16, 8x8 and 4x4 places.

    Attributes:
        image_size: Height and width of the images in pixels.
        patch_size: Side P of a patch in pixels. It must divide the image size.
        in_channels: Channels C of an image.
        num_classes: Classes K.
        embed_dim: Width of a place in the first stage. Each stage has twice the width of the one before.
        depths: Blocks of each stage.
        num_heads: Attention heads of each stage.
        window_size: Side W of a window, in places.
        shifted: Whether the windows of every second block lie half a window further (Swin), or all alike.
        mlp_ratio: Hidden width of the MLP, as a multiple of the width.
        norm_eps: The small number under the root in the normalisation.
        drop_path: Stochastic depth rate of the last block; it grows linearly from 0 in the first.

    Raises:
        TypeError: A setting is of the wrong type.
        ValueError: A setting is impossible. The sentence says which one and what to do.
    """

    image_size: Size = 32
    patch_size: Size = 2
    in_channels: Size = 3
    num_classes: Count = 10
    embed_dim: Size = 48
    depths: Sizes = (2, 2, 2)
    num_heads: Sizes = (2, 4, 8)
    window_size: Size = 4
    shifted: bool = True
    mlp_ratio: Positive = 2.0
    norm_eps: Positive = 1e-5
    drop_path: Rate = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} does not divide image_size {self.image_size}.")
        if len(self.depths) != len(self.num_heads):
            raise ValueError(
                f"depths has {len(self.depths)} stages and num_heads {len(self.num_heads)}: one number a stage."
            )
        for stage in range(len(self.depths)):
            self.window(stage)  # says what does not fit

    def window(self, stage: int) -> ViTConfig:
        """Return the settings of one window of a stage: a small ViT whose patches are the places of the window."""
        return ViTConfig(
            image_size=self.window_size,
            patch_size=1,
            num_classes=0,
            embed_dim=self.embed_dim * 2**stage,
            num_heads=self.num_heads[stage],
            mlp_ratio=self.mlp_ratio,
            position="relative",
            pooling="mean",
            norm_eps=self.norm_eps,
        )


def to_windows(places: Tensor, window_size: int) -> Tensor:
    """Cut a map into windows, row by row: (B, H, W, D) -> (B, windows, M, D), with M = window_size² places each.

    Raises:
        ValueError: The window does not divide the map.
    """
    b, rows, columns, d = places.shape
    w = window_size
    if rows % w or columns % w:
        raise ValueError(f"Windows of {w}x{w} places do not fill a map of {rows}x{columns}: pad it first.")
    cut = places.reshape(b, rows // w, w, columns // w, w, d)  # (B, H, W, D) -> (B, H/w, w, W/w, w, D)
    return cut.transpose(2, 3).reshape(b, -1, w * w, d)  # -> (B, H/w, W/w, w, w, D) -> (B, windows, M, D)


def from_windows(windows: Tensor, size: tuple[int, int]) -> Tensor:
    """Put windows (B, windows, M, D) back into a map (B, H, W, D) of this size: the inverse of :func:`to_windows`."""
    b, _, m, d = windows.shape
    rows, columns, w = *size, round(m**0.5)
    cut = windows.reshape(b, rows // w, columns // w, w, w, d)  # (B, windows, M, D) -> (B, H/w, W/w, w, w, D)
    return cut.transpose(2, 3).reshape(b, rows, columns, d)  # -> (B, H/w, w, W/w, w, D) -> (B, H, W, D)


def shift_mask(size: tuple[int, int], window_size: int, shift: tuple[int, int]) -> Tensor:
    """What to add to the scores so that a shifted window does not mix places that are not neighbours.

    Rolling the map brings its first rows and columns to the far end. A window there holds up to four regions that do
    not belong together: scores between two regions get :data:`SHUT`, all others 0.

    Args:
        size: Height and width of the map.
        window_size: Side W of a window.
        shift: By how many places the map was rolled, down and to the right.

    Returns:
        (windows, M, M): row = query, column = key.

    Source: Swin, section 3.2, "Efficient batch computation for shifted configuration".
    """
    rows, columns = (
        torch.bucketize(torch.arange(side), torch.tensor([side - window_size, side - by]), right=True)
        if by
        else torch.zeros(side, dtype=torch.int64)
        for side, by in zip(size, shift, strict=True)
    )  # number of the region along each side: 0, or 1 and 2 in the last windows
    region = (3 * rows[:, None] + columns)[None, :, :, None]  # (1, H, W, 1)
    found = to_windows(region, window_size)[0, :, :, 0]  # -> (windows, M)
    apart = found[:, :, None] != found[:, None, :]  # -> (windows, M, M)
    return apart * SHUT


class WindowAttention(MultiHeadSelfAttention):
    """Self-attention inside windows of W x W places; with a shift, the windows lie half a window further.

    Args:
        config: Of one window, see :meth:`SwinConfig.window`.
        shift: By how many places the windows are shifted: 0 or W // 2.
    """

    def __init__(self, config: ViTConfig, shift: int = 0) -> None:
        bias = POSITION_CODES[config.position].bias(config)
        super().__init__(config.embed_dim, config.num_heads, config.qkv_bias, relative_bias=bias)
        self.window_size, self.shift = config.image_height, shift

    def forward(self, x: Tensor, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """Let every place gather from the places of its window.

        Args:
            x: A map (B, H, W, D). Where windows do not fill it, zeros are added below and to the right.
            need_weights: Whether to return the weights too.

        Returns:
            The new map (B, H, W, D), and the weights (B, windows, h, M, M) or None.
        """
        rows, columns, w = x.shape[1], x.shape[2], self.window_size
        x = F.pad(x, (0, 0, 0, -columns % w, 0, -rows % w))
        size = x.shape[1], x.shape[2]
        shift = tuple(self.shift if side > w else 0 for side in size)  # one window covers that side: nothing to shift
        x = x.roll((-shift[0], -shift[1]), dims=(1, 2))

        windows = to_windows(x, w)  # (B, H, W, D) -> (B, windows, M, D)
        q, k, v = (
            each.unflatten(0, windows.shape[:2])  # (B windows, h, M, d) -> (B, windows, h, M, d)
            for each in self.queries_keys_values(windows.flatten(0, 1))
        )
        bias = self.relative_bias()  # type: ignore[misc]  # (h, M, M)
        if any(shift):
            bias = bias + shift_mask(size, w, shift).to(bias)[:, None]  # type: ignore[arg-type]  # (windows, h, M, M)
        weights = None
        if need_weights or self.chosen_implementation(q) == "written_out":
            weights = attention_weights(q, k, bias)  # -> (B, windows, h, M, M)
            heads = weights @ v  # -> (B, windows, h, M, d)
        else:
            heads = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))  # -> (B, windows, h, M, d)
        joined = heads.transpose(2, 3).flatten(3)  # -> (B, windows, M, h, d) -> (B, windows, M, D)

        x = from_windows(self.projection(joined), size).roll(shift, dims=(1, 2))  # -> (B, H, W, D)
        return x[:, :rows, :columns], weights if need_weights else None


class SwinBlock(TransformerBlock):
    """A Transformer block on a map (B, H, W, D) whose attention is a :class:`WindowAttention`; all else is the same."""

    def __init__(self, config: ViTConfig, shift: int = 0, drop_path: float = 0.0) -> None:
        super().__init__(config, drop_path)
        self.attention = WindowAttention(config, shift)


class PatchMerging(nn.Module):
    """Four neighbours become one place: (B, H, W, D) -> (B, H/2, W/2, 2 D). An odd side gets a row of zeros first.

    Source: Swin, section 3.1.
    """

    def __init__(self, embed_dim: int, norm_eps: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * embed_dim, eps=norm_eps)
        self.reduction = nn.Linear(4 * embed_dim, 2 * embed_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Merge the places of a map."""
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]  # four times (B, H/2, W/2, D)
        return self.reduction(self.norm(torch.cat(corners, dim=-1)))  # -> (B, H/2, W/2, 4 D) -> (B, H/2, W/2, 2 D)


class SwinTransformer(nn.Module):
    """The Swin Transformer (Liu et al. 2021, arXiv 2103.14030).

    Args:
        config: The settings.

    Example:
        >>> SwinTransformer(SwinConfig())(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        self.config = c = config
        self.patch_embedding = PatchEmbedding(c.patch_size, c.in_channels, c.embed_dim)
        self.patch_norm = nn.LayerNorm(c.embed_dim, eps=c.norm_eps)
        depth = sum(c.depths)
        rates = iter([c.drop_path * index / max(depth - 1, 1) for index in range(depth)])
        self.stages, self.merges = nn.ModuleList(), nn.ModuleList()
        for stage, blocks in enumerate(c.depths):
            window = c.window(stage)
            shifts = [c.window_size // 2 * (c.shifted and index % 2) for index in range(blocks)]
            self.stages.append(nn.ModuleList(SwinBlock(window, shift, next(rates)) for shift in shifts))
            if stage < len(c.depths) - 1:
                self.merges.append(PatchMerging(window.embed_dim, c.norm_eps))
        self.norm = nn.LayerNorm(window.embed_dim, eps=c.norm_eps)
        self.head = nn.Linear(window.embed_dim, c.num_classes) if c.num_classes else nn.Identity()
        initialise(self, depth)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W), floats, normalised, to logits (B, K).

        Raises:
            ValueError: The images have another shape than the config says, or another dtype than the weights.
        """
        places = self.norm(self.feature_maps(images)[-1])  # (B, C, H, W) -> (B, H', W', D')
        return self.head(places.mean(dim=(1, 2)))  # -> (B, D') -> (B, K)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Return the map at the end of each stage: (B, H/P, W/P, D), (B, H/2P, W/2P, 2 D), and so on."""
        c = self.config
        expected = ViTConfig(c.image_size, c.patch_size, c.in_channels)
        check_images(images, expected, dtype=self.norm.weight.dtype)
        tokens = self.patch_norm(self.patch_embedding(images))  # (B, C, H, W) -> (B, N, D)
        x = tokens.unflatten(1, expected.grid)  # -> (B, H/P, W/P, D)
        maps = []
        for stage, blocks in enumerate(self.stages):
            if stage:
                x = self.merges[stage - 1](x)
            for block in blocks:  # type: ignore[attr-defined]
                x, _ = block(x)
            maps.append(x)
        return maps
