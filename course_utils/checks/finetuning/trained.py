"""The small models that the exercises of lesson 09 (finetuning) are tried on."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from course_utils.data.normalisation import Normalisation, remember
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer


@dataclass(frozen=True)
class Trained:
    """A small Vision Transformer that is still to be made, so that every attempt gets a new one."""

    depth: int
    num_classes: int = 4
    embed_dim: int = 8
    frozen: bool = False

    def make(self) -> VisionTransformer:
        """Make it, with numbers other than zero everywhere."""
        config = ViTConfig(8, 4, 3, self.num_classes, self.embed_dim, self.depth, num_heads=2, mlp_ratio=1.0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(9)
            model = VisionTransformer(config)
            torch.manual_seed(9)
            for parameter in model.parameters():
                parameter.data.normal_()
        remember(
            model, Normalisation((0.5, 0.4, 0.3), (0.2, 0.25, 0.3)), [f"class {i}" for i in range(self.num_classes)]
        )
        return model.requires_grad_(not self.frozen)

    def __repr__(self) -> str:
        frozen = ", everything frozen" if self.frozen else ""
        return f"a ViT with {self.depth} blocks, D = {self.embed_dim}, {self.num_classes} classes{frozen}"


def part_of(name: str) -> str:
    """Name the part of the model that a parameter belongs to."""
    if name.startswith("encoder.blocks."):
        return f"block {name.split('.')[2]}"
    return "last norm" if name.startswith("encoder.norm.") else name.partition(".")[0]


def block_of(name: str) -> int | None:
    """Return the number of the block that a parameter belongs to; None: to none."""
    return int(name.split(".")[2]) if name.startswith("encoder.blocks.") else None
