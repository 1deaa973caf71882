"""Another start for learned position codes: larger, smaller, or zero."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def start_codes(model: nn.Module, std: float, seed: int) -> None:
    """Let learned position codes start with normal random numbers of a standard deviation.

    Args:
        model: With learned position codes that are added to the tokens.
        std: Standard deviation. 0 starts all codes at zero.
        seed: Of the random numbers; those of the rest of the training stay as they are.

    Raises:
        ValueError: The model has no such codes.
    """
    codes = dict(model.named_parameters()).get("embeddings.position_code")
    if codes is None:
        raise ValueError(f"code_start is for learned position codes, and this {type(model).__name__} has none.")
    drawn = torch.randn(codes.shape, generator=torch.Generator().manual_seed(seed))  # (1, N, D)
    codes.copy_(std * drawn)
