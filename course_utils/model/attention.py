"""Lesson 03 (attention): scaled dot-product attention, and many heads of it."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Implementation = Literal["auto", "written_out", "sdpa"]
IMPLEMENTATIONS: tuple[Implementation, ...] = get_args(Implementation)


def attention_weights(q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
    """How much each query takes from each key: softmax(q k^T / sqrt(d) + bias), one distribution a row.

    The scores are divided by the root of the *head* width d. A dot product of d independent numbers of variance 1 has
    variance d; after the division it has variance 1 again, and the softmax does not start saturated.

    Args:
        q: Queries (..., N, d).
        k: Keys (..., M, d).
        bias: Added to the scores before the softmax; its shape broadcasts to (..., N, M). -inf shuts a pair out.

    Returns:
        Weights (..., N, M); every row sums to 1.

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.2.1.
    """
    scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-2, -1)  # (..., N, d) @ (..., d, M) -> (..., N, M)
    if bias is not None:
        scores = scores + bias
    return scores.softmax(dim=-1)


class MultiHeadSelfAttention(nn.Module):
    """Multi-head self-attention: h heads of width d = D / h, side by side (ViT, appendix A).

    All queries, keys and values come from one linear map of width 3 D. Two ways of the same computation are kept: the
    written-out one (two products and a softmax, which can show its weights) and PyTorch's fused kernel.

    Args:
        embed_dim: Width D of a token.
        num_heads: Heads h; must divide D.
        qkv_bias: Whether the map to queries, keys and values has a bias.
        dropout: Dropout on the output.
        attention_dropout: Dropout on the weights.
        rotary: Turns queries and keys by their place, if given.
        relative_bias: Returns a bias (h, N, N) to add to the scores, by the offset of two tokens, if given.

    Attributes:
        implementation: "written_out", "sdpa" or "auto". See :meth:`chosen_implementation`.

    Raises:
        ValueError: h does not divide D.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        qkv_bias: bool = True,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        rotary: nn.Module | None = None,
        relative_bias: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f"num_heads {num_heads} does not divide embed_dim {embed_dim}.")
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim, bias=qkv_bias)
        self.projection = nn.Linear(embed_dim, embed_dim)
        self.attention_dropout = nn.Dropout(attention_dropout)
        self.dropout = nn.Dropout(dropout)
        self.rotary = rotary
        self.relative_bias = relative_bias
        self.implementation: Implementation = "auto"

    def forward(self, x: Tensor, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """Let every token gather from all tokens.

        Args:
            x: Tokens (B, N, D).
            need_weights: Whether to return the weights too. Only the written-out way has them.

        Returns:
            The new tokens (B, N, D), and the weights (B, h, N, N) or None, as ``nn.MultiheadAttention`` does.
        """
        b, n, d_model = x.shape
        q, k, v = self.queries_keys_values(x)  # three (B, h, N, d)
        bias = self.relative_bias() if self.relative_bias is not None else None  # (h, N, N)
        weights = None
        if need_weights or self.chosen_implementation(q) == "written_out":
            weights = attention_weights(q, k, bias)  # -> (B, h, N, N)
            heads = self.attention_dropout(weights) @ v  # (B, h, N, N) @ (B, h, N, d) -> (B, h, N, d)
        else:
            dropout = self.attention_dropout.p if self.training else 0.0
            bias = bias if bias is None else bias.to(q.dtype)
            heads = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout)  # -> (B, h, N, d)
        joined = heads.transpose(1, 2).reshape(b, n, d_model)  # (B, h, N, d) -> (B, N, h, d) -> (B, N, D)
        return self.dropout(self.projection(joined)), weights if need_weights else None

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map tokens (B, N, D) to queries, keys and values, each (B, h, N, d), turned by their place if rotary."""
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, self.head_dim))  # (B, N, D) -> (B, N, 3, h, d)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # -> (3, B, h, N, d) -> three (B, h, N, d)
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        return q, k, v

    def chosen_implementation(self, q: Tensor) -> Implementation:
        """Say which way runs for these queries.

        "auto" takes PyTorch's fused kernel, with one exception: on a CPU in bfloat16, where gradients are needed, its
        backward pass is far slower than the written-out way (``python -m course_utils bench`` measures both).
        """
        if self.implementation != "auto":
            return self.implementation
        with_gradient = q.requires_grad and torch.is_grad_enabled()
        slow_kernel = q.device.type == "cpu" and q.dtype == torch.bfloat16 and with_gradient
        return "written_out" if slow_kernel else "sdpa"


class LoopedMultiHeadSelfAttention(MultiHeadSelfAttention):
    """The same map with the same parameters, one head after the other: slow, and easy to read."""

    def forward(self, x: Tensor, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """Like :meth:`MultiHeadSelfAttention.forward`."""
        q, k, v = self.queries_keys_values(x)  # three (B, h, N, d)
        bias = self.relative_bias() if self.relative_bias is not None else None  # (h, N, N)
        outputs, weights = [], []
        for head in range(self.num_heads):
            w = attention_weights(q[:, head], k[:, head], None if bias is None else bias[head])  # (B, N, N)
            weights.append(w)
            outputs.append(self.attention_dropout(w) @ v[:, head])  # (B, N, N) @ (B, N, d) -> (B, N, d)
        joined = torch.cat(outputs, dim=-1)  # h times (B, N, d) -> (B, N, D)
        return self.dropout(self.projection(joined)), torch.stack(weights, dim=1) if need_weights else None


def set_attention_implementation(model: nn.Module, implementation: Implementation) -> None:
    """Choose the way of computing attention for every attention layer inside ``model``.

    Raises:
        ValueError: The name is not one of ``IMPLEMENTATIONS``.
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"attention implementation {implementation!r} is unknown: choose one of {', '.join(IMPLEMENTATIONS)}."
        )
    for module in model.modules():
        if isinstance(module, MultiHeadSelfAttention):
            module.implementation = implementation
