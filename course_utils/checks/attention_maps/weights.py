"""Attention weights for examples."""

from __future__ import annotations

import torch
from torch import Tensor


def random_weights(seed: int, *shape: int) -> Tensor:
    """Attention weights of this shape; each row sums to 1."""
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(*shape, generator=generator)).softmax(dim=-1)
