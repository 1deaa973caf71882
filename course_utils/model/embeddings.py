"""Lesson 02 (embeddings): from an image to tokens, how a token knows its place, how one vector comes out.

Five position codes are kept side by side (``ViTConfig.position``): ``POSITION_CODES`` below has them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.model.config import ViTConfig
from course_utils.model.patches import PatchEmbedding


def grid_coordinates(grid: tuple[int, int]) -> Tensor:
    """Return row and column of every patch in raster order: (N, 2), whole numbers."""
    rows, columns = torch.arange(grid[0]), torch.arange(grid[1])
    return torch.cartesian_prod(rows, columns)  # (N, 2)


def frequencies(count: int, base: float) -> Tensor:
    """Return ``count`` angular speeds that fall geometrically from 1 towards 1 / base, in radians per patch."""
    return base ** -(torch.arange(count, dtype=torch.float64) / count)  # (count,)


def sincos_2d(grid: tuple[int, int], embed_dim: int, base: float = 10_000.0) -> Tensor:
    """Fixed position codes: sines and cosines of the row in the first half, of the column in the second.

    Args:
        grid: Rows and columns of the patch grid.
        embed_dim: Width D of a token; 4 must divide it.
        base: The slowest wave is about this many times slower than the fastest.

    Returns:
        The codes, (N, D), float32.

    Raises:
        ValueError: 4 does not divide D.

    Source: Vaswani et al. 2017, section 3.5, in two dimensions nearly as in Beyer et al. 2022, arXiv 2205.01580: their
    speeds are base^(-i / (count - 1)), and their column stands before the row.
    """
    if embed_dim % 4:
        raise ValueError(f"A 2-D sine-cosine code needs an embed_dim that 4 divides, not {embed_dim}.")
    angles = grid_coordinates(grid)[:, :, None] * frequencies(embed_dim // 4, base)  # (N, 2, D/4)
    codes = torch.cat([angles.sin(), angles.cos()], dim=-1)  # -> (N, 2, D/2)
    return codes.flatten(1).float()  # -> (N, D)


class Rotary2d(nn.Module):
    """Turn queries and keys by angles that depend on row and column.

    A score then depends on the *offset* between two patches only: turning the query by a and the key by b turns their
    dot product by a - b. One half of each head turns with the row, the other with the column. Prefix tokens do not
    turn.

    Args:
        grid: Rows and columns of the patch grid.
        head_dim: Width d of a head; 4 must divide it.
        num_prefix_tokens: Tokens before the patches.
        base: The slowest turn is about this many times slower than the fastest.

    Source: RoFormer, arXiv 2104.09864, section 3.2; in two dimensions, with this base, as the axial form of
    Heo et al. 2024, arXiv 2403.13298.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, grid: tuple[int, int], head_dim: int, num_prefix_tokens: int = 0, base: float = 100.0) -> None:
        super().__init__()
        angles = grid_coordinates(grid)[:, :, None] * frequencies(head_dim // 4, base)  # (patches, 2, d/4)
        angles = F.pad(angles.flatten(1), (0, 0, num_prefix_tokens, 0))  # -> (N, d/2), angle 0 for the prefix
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Turn queries or keys (B, h, N, d): the same shape comes back."""
        first, second = x.chunk(2, dim=-1)  # two (B, h, N, d/2): coordinate pairs in the plane
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)  # (B, h, N, d)


class RelativePositionBias(nn.Module):
    """One learned number for every head and every offset between two patches, added to the attention scores.

    The table has (2 rows - 1) * (2 columns - 1) offsets. Where there are prefix tokens, three more entries stand before
    them: prefix to patch, patch to prefix, prefix to prefix.

    Args:
        grid: Rows and columns of the patch grid.
        num_heads: Heads h.
        num_prefix_tokens: Tokens before the patches.

    Source: Swin, arXiv 2103.14030, section 3.2; the entries for prefix tokens as in BEiT, arXiv 2106.08254.
    """

    index: Tensor

    def __init__(self, grid: tuple[int, int], num_heads: int, num_prefix_tokens: int = 0) -> None:
        super().__init__()
        rows, columns = grid
        self.offset_grid = (2 * rows - 1, 2 * columns - 1)
        self.num_extra = 3 if num_prefix_tokens else 0
        self.table = nn.Parameter(torch.zeros(self.num_extra + self.offset_grid[0] * self.offset_grid[1], num_heads))

        xy = grid_coordinates(grid)
        offset = xy[:, None] - xy[None, :] + torch.tensor([rows - 1, columns - 1])  # (patches, patches, 2), from 0
        index = self.num_extra + offset[..., 0] * self.offset_grid[1] + offset[..., 1]  # -> (patches, patches)
        p = num_prefix_tokens
        index = F.pad(index, (p, 0, p, 0))  # -> (N, N): row = query, column = key
        index[:p, p:], index[p:, :p], index[:p, :p] = 0, 1, 2
        self.register_buffer("index", index, persistent=False)

    def forward(self) -> Tensor:
        """Return the bias (h, N, N): what to add to the score of query row and key column."""
        return self.table[self.index].permute(2, 0, 1)  # (N, N, h) -> (h, N, N)

    def offset_table(self) -> Tensor:
        """Return the bias of every offset, without gradient (h, 2 rows - 1, 2 columns - 1): offset 0 in the middle."""
        return self.table.detach()[self.num_extra :].T.unflatten(1, self.offset_grid)  # (offsets, h) -> (h, R, C)


def check_images(images: Tensor, config: ViTConfig, dtype: torch.dtype) -> None:
    """Say what is wrong with images (B, C, H, W) before a model of this config and dtype takes them.

    Raises:
        ValueError: The images have another shape than the config says, or another dtype than the weights.
    """
    expected = (config.in_channels, config.image_height, config.image_width)
    if images.ndim != 4 or tuple(images.shape[1:]) != expected:
        raise ValueError(
            f"This model takes images of shape (B, {', '.join(map(str, expected))}), not {tuple(images.shape)}."
        )
    if not images.is_floating_point():
        raise ValueError(f"This model takes normalised float images, not {images.dtype}: see data.Normalisation.")
    if images.dtype != dtype and not torch.is_autocast_enabled(images.device.type):
        raise ValueError(f"The images are {images.dtype}, but the weights {dtype}: use images.to({dtype}).")


def nothing(config: ViTConfig) -> None:
    """Make nothing."""


class PositionCode(NamedTuple):
    """A way to tell a token its place: what it makes from the config, for each of three places in the model.

    Attributes:
        added: Codes (1, N, D), which are added to the tokens once, at the start. They are learned if a parameter.
        turn: A module that turns queries and keys (B, h, N, d). All blocks share it.
        bias: A module that returns numbers (h, N, N) to add to the scores. Each block has its own.
    """

    added: Callable[[ViTConfig], Tensor | None] = nothing
    turn: Callable[[ViTConfig], nn.Module | None] = nothing
    bias: Callable[[ViTConfig], nn.Module | None] = nothing


POSITION_CODES = {  # the names are those of config.POSITIONS
    # No position at all.
    "none": PositionCode(),
    # One learned vector for each token (ViT).
    "learned": PositionCode(added=lambda config: nn.Parameter(torch.zeros(1, config.num_tokens, config.embed_dim))),
    # Fixed sines and cosines of row and column; zeros for the prefix.
    "sincos2d": PositionCode(
        added=lambda config: F.pad(sincos_2d(config.grid, config.embed_dim), (0, 0, config.num_prefix_tokens, 0))[None]
    ),
    # Queries and keys are turned by an angle that grows with row and column.
    "rotary": PositionCode(turn=lambda config: Rotary2d(config.grid, config.head_dim, config.num_prefix_tokens)),
    # One learned number for each offset (rows, columns) and head.
    "relative": PositionCode(
        bias=lambda config: RelativePositionBias(config.grid, config.num_heads, config.num_prefix_tokens)
    ),
}


class ViTEmbeddings(nn.Module):
    """Images to the sequence of tokens: [class token] [registers] patches, plus position codes (ViT, equation 1).

    Args:
        config: The model's settings. Codes that turn or bias act inside attention; here they add nothing.
    """

    position_code: Tensor | None

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.patch_embedding = PatchEmbedding(config.patch_size, config.in_channels, config.embed_dim)
        d = config.embed_dim
        self.class_token = nn.Parameter(torch.zeros(1, 1, d)) if config.has_class_token else None
        self.registers = nn.Parameter(torch.zeros(1, config.num_registers, d)) if config.num_registers else None
        code = POSITION_CODES[config.position].added(config)  # (1, N, D)
        if isinstance(code, nn.Parameter):
            self.position_code = code
        else:
            self.register_buffer("position_code", code, persistent=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to tokens (B, N, D)."""
        tokens = self.patch_embedding(images)  # (B, C, H, W) -> (B, patches, D)
        prefix = [
            token.expand(tokens.shape[0], -1, -1)  # (1, ., D) -> (B, ., D)
            for token in (self.class_token, self.registers)
            if token is not None
        ]
        tokens = torch.cat([*prefix, tokens], dim=1)  # -> (B, N, D)
        if self.position_code is not None:
            tokens = tokens + self.position_code
        return self.dropout(tokens)


class TokenPool(nn.Module):
    """From the tokens of an image to one vector.

    - "class_token": take the first token (ViT).
    - "mean": the mean of the patch tokens.
    - "attention": a weighted mean of the patch tokens. A learned map and a softmax compute the weights from the tokens
      of each image (Hassani et al. 2021, arXiv 2104.05704, "SeqPool").

    Args:
        config: The model's settings.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.pooling = config.pooling
        self.num_prefix_tokens = config.num_prefix_tokens
        if self.pooling == "attention":
            self.score = nn.Linear(config.embed_dim, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, N, D) to one vector for each image (B, D)."""
        if self.pooling == "class_token":
            return tokens[:, 0]  # (B, N, D) -> (B, D)
        patches = tokens[:, self.num_prefix_tokens :]  # (B, N, D) -> (B, patches, D)
        if self.pooling == "mean":
            return patches.mean(dim=1)  # -> (B, D)
        weights = self.score(patches).softmax(dim=1)  # -> (B, patches, 1)
        return (weights * patches).sum(dim=1)  # -> (B, D)
