"""What a model costs: parameters and multiply-adds, counted while it runs."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils.model.attention import set_attention_implementation


def cost(model: nn.Module, image_shape: tuple[int, int, int]) -> dict[str, int]:
    """Count parameters, and the multiply-adds of one image's forward pass (matrix products and convolutions).

    PyTorch's own counter watches one pass, so it serves every kind of model. For the Vision Transformer it finds what
    ``counting.count_multiply_adds`` says.

    Args:
        model: Any model.
        image_shape: (C, H, W).
    """
    parameter = next(model.parameters())
    counted = copy.deepcopy(model).eval()
    set_attention_implementation(counted, "written_out")  # some versions of the counter pass over the fused kernel
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        counted(torch.zeros(1, *image_shape).to(parameter))
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
    }
