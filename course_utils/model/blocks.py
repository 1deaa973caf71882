"""Lesson 04 (blocks): normalisation, the MLP, the residual block, and the encoder that stacks them."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from course_utils.model.attention import MultiHeadSelfAttention
from course_utils.model.config import Activation, ViTConfig
from course_utils.model.embeddings import POSITION_CODES


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-6) -> Tensor:
    """LayerNorm, written out: each token (..., D) gets mean 0 and variance 1, then a learned scale and shift.

    Source: Ba et al. 2016, arXiv 1607.06450. ``nn.LayerNorm`` computes the same, faster; the model uses that.
    """
    mean = x.mean(dim=-1, keepdim=True)  # (..., D) -> (..., 1)
    variance = x.var(dim=-1, keepdim=True, unbiased=False)  # (..., D) -> (..., 1)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    """RMSNorm, written out: each token (..., D) is divided by its root mean square; no mean is taken away, no shift.

    Source: Zhang and Sennrich 2019, arXiv 1910.07467.
    """
    mean_square = x.square().mean(dim=-1, keepdim=True)  # (..., D) -> (..., 1)
    return x / torch.sqrt(mean_square + eps) * weight


def gelu(x: Tensor) -> Tensor:
    """The exact GELU: x times the probability that a standard normal number is below x.

    Source: Hendrycks and Gimpel 2016, arXiv 1606.08415.
    """
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def gelu_tanh(x: Tensor) -> Tensor:
    """The tanh approximation of GELU, from the same paper. It differs from the exact one by at most 0.0005."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


class RMSNorm(nn.Module):
    """RMSNorm as a layer: a learned scale for each of the D numbers, no shift."""

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise tokens (..., D)."""
        return rms_norm(x, self.weight, self.eps)


class DropPath(nn.Module):
    """Stochastic depth, image by image: in training, drop a whole branch for a random share of the images.

    What is kept is divided by the probability of being kept, so that the expected value stays the same.

    Source: Huang et al. 2016, arXiv 1603.09382, who drop a layer for a whole batch and scale in use; this form is the
    later one (torchvision's ``stochastic_depth`` with mode "row", timm's ``DropPath``).
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop the branch output x, (B, ..., D), for some of the B images."""
        if not self.training or self.rate == 0:
            return x
        keep = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) >= self.rate  # (B, 1, ..., 1)
        return x * keep / (1 - self.rate)


class MLP(nn.Module):
    """Two linear maps with a GELU between them, applied to each token by itself.

    Args:
        embed_dim: Width D of a token.
        hidden_dim: Width between the two maps.
        activation: "gelu" (exact) or "gelu_tanh".
        dropout: Dropout after each map.
    """

    def __init__(self, embed_dim: int, hidden_dim: int, activation: Activation = "gelu", dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, hidden_dim)
        # PyTorch's one-kernel versions of gelu and gelu_tanh above
        self.activation = nn.GELU(approximate="tanh" if activation == "gelu_tanh" else "none")
        self.fc2 = nn.Linear(hidden_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to tokens (B, N, D)."""
        x = self.dropout(self.activation(self.fc1(x)))  # (B, N, D) -> (B, N, hidden)
        return self.dropout(self.fc2(x))  # -> (B, N, D)


class TransformerBlock(nn.Module):
    """Attention, then MLP, each added to its input (ViT, equations 2 and 3).

    Args:
        config: The model's settings.
        drop_path: Stochastic depth rate of this block.
        rotary: Shared by all blocks of a model, if it uses rotary positions.
    """

    def __init__(self, config: ViTConfig, drop_path: float = 0.0, rotary: nn.Module | None = None) -> None:
        super().__init__()
        relative_bias = POSITION_CODES[config.position].bias(config)
        self.pre_norm = config.pre_norm
        self.norm1 = make_norm(config)
        self.attention = MultiHeadSelfAttention(
            config.embed_dim,
            config.num_heads,
            qkv_bias=config.qkv_bias,
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            rotary=rotary,
            relative_bias=relative_bias,
        )
        self.norm2 = make_norm(config)
        self.mlp = MLP(config.embed_dim, config.mlp_hidden_dim, config.activation, config.dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """Map tokens (B, N, D) to tokens (B, N, D), and the attention weights (B, h, N, N) if they are asked for."""
        if self.pre_norm:
            attended, weights = self.attention(self.norm1(x), need_weights)
            x = x + self.drop_path(attended)
            x = x + self.drop_path(self.mlp(self.norm2(x)))
        else:
            attended, weights = self.attention(x, need_weights)
            x = self.norm1(x + self.drop_path(attended))
            x = self.norm2(x + self.drop_path(self.mlp(x)))
        return x, weights


class TransformerEncoder(nn.Module):
    """L blocks, and with pre-norm one last normalisation, which is part of the model (ViT, equation 4).

    Args:
        config: The model's settings.

    Attributes:
        checkpointing: See :func:`set_checkpointing`.
    """

    checkpointing = False

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        rotary = POSITION_CODES[config.position].turn(config)
        rates = [config.drop_path * index / max(config.depth - 1, 1) for index in range(config.depth)]
        self.blocks = nn.ModuleList(TransformerBlock(config, rate, rotary) for rate in rates)
        # A post-norm block ends with its own norm already.
        self.norm = make_norm(config) if config.pre_norm else nn.Identity()

    def forward(self, x: Tensor, layers: Collection[int] = ()) -> tuple[Tensor, dict[int, Tensor]]:
        """Run all blocks.

        Args:
            x: Tokens (B, N, D).
            layers: Blocks whose attention weights are wanted, counted from 0.

        Returns:
            The tokens (B, N, D), and for each wanted layer its weights (B, h, N, N).
        """
        maps: dict[int, Tensor] = {}
        for index, block in enumerate(self.blocks):
            if self.checkpointing and self.training and torch.is_grad_enabled() and index not in layers:
                x, weights = checkpoint(block, x, use_reentrant=False)
            else:
                x, weights = block(x, need_weights=index in layers)
            if weights is not None:
                maps[index] = weights
        return self.norm(x), maps


def set_checkpointing(model: nn.Module, on: bool) -> None:
    """Choose whether the blocks of a model in training keep what they computed, or compute it a second time.

    The backward pass needs all that the forward pass computed. With checkpointing only the tokens between the blocks
    are kept, and each block runs again when its turn comes: memory falls from that of L blocks to about that of one,
    and a step takes about a third longer. The result is the same, dropout included. A resized copy begins without.

    Raises:
        ValueError: The model has no transformer blocks.

    Source: Chen et al. 2016, arXiv 1604.06174.
    """
    encoders = [module for module in model.modules() if isinstance(module, TransformerEncoder)]
    if not encoders:
        raise ValueError(f"A {type(model).__name__} has no transformer blocks to checkpoint.")
    for encoder in encoders:
        encoder.checkpointing = on


def make_norm(config: ViTConfig) -> nn.Module:
    """Make the normalisation layer that the config names."""
    layer = nn.LayerNorm if config.norm == "layernorm" else RMSNorm
    return layer(config.embed_dim, eps=config.norm_eps)
