"""What is timed, wherever speed is measured: a training step and a forward pass on one fixed batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Work(NamedTuple):
    """Three functions over one model and one batch.

    Attributes:
        forward: Returns logits (B, K), float32.
        train: Takes one training step, with AdamW.
        infer: Runs the model in eval mode, without gradients.
    """

    forward: Callable[[], Tensor]
    train: Callable[[], None]
    infer: Callable[[], None]


def work_of(model: nn.Module, images: Tensor, labels: Tensor, precision: str, compile_model: bool = False) -> Work:
    """Put a model to work on a batch that lies on its device.

    Args:
        model: It is changed by the training steps.
        images: float (B, C, H, W).
        labels: int64 (B,).
        precision: "fp32" or "bf16" (autocast).
        compile_model: Whether it goes through ``torch.compile``.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=images.device.type in ("cpu", "cuda"))
    net = torch.compile(model) if compile_model else model

    def forward() -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
            return net(images).float()

    def train() -> None:
        model.train()
        F.cross_entropy(forward(), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def infer() -> None:
        model.eval()
        with torch.no_grad():
            forward()

    return Work(forward, train, infer)
