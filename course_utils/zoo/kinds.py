"""The kinds of model that an experiment can train, by name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils.beyond.cnn import CNNConfig, SmallCNN
from course_utils.beyond.conv_stem import ConvStemViT
from course_utils.model.attention import set_attention_implementation
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer
from course_utils.support.settings import Settings


@dataclass(frozen=True)
class ModelKind:
    """One kind of model.

    Attributes:
        config: The class of its settings.
        make: From the settings to a module that maps images (B, C, H, W) to logits (B, K) and holds its ``config``.
    """

    config: type[Settings]
    make: Callable[[Any], nn.Module]


# A new kind needs one line here: its config says how many classes there are, and the trainer asks for no more.
KINDS: dict[str, ModelKind] = {
    "vit": ModelKind(ViTConfig, VisionTransformer),
    "conv_stem_vit": ModelKind(ViTConfig, ConvStemViT),
    "cnn": ModelKind(CNNConfig, SmallCNN),
}


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
