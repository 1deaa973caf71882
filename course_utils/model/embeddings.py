"""Lesson 02 (embeddings): from an image to the sequence of tokens, and how a token knows its place.

Five ways are kept side by side (``ViTConfig.position``):

- "none": no position at all.
- "learned": one learned vector for each token, added once at the start (ViT).
- "sincos2d": fixed sines and cosines of row and column, added once at the start.
- "rotary": queries and keys are turned by an angle that grows with row and column, in every block.
- "relative": one learned number for each offset (rows, columns) and head, added to the scores, in every block.
"""

from __future__ import annotations

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

    Source: Vaswani et al. 2017, section 3.5, in two dimensions as in Beyer et al. 2022, arXiv 2205.01580.
    """
    if embed_dim % 4:
        raise ValueError(f"A 2-D sine-cosine code needs an embed_dim that 4 divides, not {embed_dim}.")
    angles = grid_coordinates(grid)[:, :, None] * frequencies(embed_dim // 4, base)  # (N, 2, D/4)
    codes = torch.cat([angles.sin(), angles.cos()], dim=-1)  # -> (N, 2, D/2)
    return codes.flatten(1).float()  # -> (N, D)


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


class ViTEmbeddings(nn.Module):
    """Images to the sequence of tokens: [class token] [registers] patches, plus position codes (ViT, equation 1).

    Args:
        config: The model's settings. "rotary" and "relative" add nothing here: they act inside attention.
    """

    position_code: Tensor | None

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.patch_embedding = PatchEmbedding(config.patch_size, config.in_channels, config.embed_dim)
        d = config.embed_dim
        self.class_token = nn.Parameter(torch.zeros(1, 1, d)) if config.pooling == "class_token" else None
        self.registers = nn.Parameter(torch.zeros(1, config.num_registers, d)) if config.num_registers else None
        if config.position == "learned":
            self.position_code = nn.Parameter(torch.zeros(1, config.num_tokens, d))
        elif config.position == "sincos2d":
            codes = F.pad(sincos_2d(config.grid, d), (0, 0, config.num_prefix_tokens, 0))  # zeros for the prefix
            self.register_buffer("position_code", codes[None], persistent=False)
        else:
            self.position_code = None
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to tokens (B, N, D)."""
        tokens = self.patch_embedding(images)  # (B, C, H, W) -> (B, patches, D)
        prefix = [
            token.expand(len(tokens), -1, -1) for token in (self.class_token, self.registers) if token is not None
        ]
        tokens = torch.cat([*prefix, tokens], dim=1)  # -> (B, N, D)
        if self.position_code is not None:
            tokens = tokens + self.position_code
        return self.dropout(tokens)
