"""Which parameters decay, which go to Muon, and the optimiser that a recipe names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from course_utils.model.blocks import TransformerBlock
from course_utils.training.layers import rate_shares
from course_utils.training.muon import Muon
from course_utils.training.recipes import Recipe


def parameter_groups(
    model: nn.Module, weight_decay: float, shares: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Split the parameters: weight matrices of linear maps decay, all else does not.

    Biases, norms, class token, registers, position codes and bias tables do not decay. The matrices inside blocks are
    a group of their own, marked for :class:`Muon`, which is not meant for the first and the last map. A block is a
    transformer block, or any module that says so with an attribute ``is_block = True``.

    Args:
        model: Parameters that need no gradient are left out.
        weight_decay: Of those that decay.
        shares: Name -> learning rate of that parameter, as a share of the recipe's. Each of the groups is then cut into
            one for each share, the smallest first. None: 1 for all.

    Returns:
        Groups for an optimiser; "share" is the share of the learning rate.
    """
    matrices = {id(module.weight) for module in model.modules() if isinstance(module, (nn.Linear, nn.Conv2d))}
    blocks = [module for module in model.modules() if isinstance(module, TransformerBlock) or is_block(module)]
    hidden = {id(p) for block in blocks for p in block.parameters()} & matrices
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    share_of = {id(parameter): 1.0 if shares is None else shares[name] for name, parameter in named}
    parameters = [parameter for _, parameter in named]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if id(p) in hidden], "weight_decay": weight_decay, "muon": True},
        {"params": [p for p in parameters if id(p) in matrices - hidden], "weight_decay": weight_decay},
        {"params": [p for p in parameters if id(p) not in matrices], "weight_decay": 0.0},
    ]
    different = sorted(set(share_of.values())) or [1.0]
    return [
        group | {"params": [p for p in group["params"] if share_of[id(p)] == share], "share": share}
        for group in groups
        for share in different
    ]


def is_block(module: nn.Module) -> bool:
    """Whether a module says that it is a block, one of the layers between the first map and the last."""
    return getattr(module, "is_block", False) is True


def make_optimizer(model: nn.Module, recipe: Recipe, fused: bool, precision: str = "fp32") -> torch.optim.Optimizer:
    """Make the optimiser that a recipe names. Its state is float32; ``precision`` is that of Muon's matrix products."""
    groups = parameter_groups(model, recipe.weight_decay, rate_shares(model, recipe))
    options: dict[str, Any] = {"lr": recipe.learning_rate, "betas": recipe.betas, "fused": fused}
    if recipe.optimizer == "muon":
        return Muon(groups, dtype=torch.bfloat16 if precision == "bf16" else torch.float32, **options)
    return torch.optim.AdamW(groups, **options)
