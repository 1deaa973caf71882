"""How a model begins: with small random numbers."""

from __future__ import annotations

from torch import nn


def initialise(model: nn.Module, depth: int) -> None:
    """Fill a model with small random numbers.

    Linear weights, class token, registers, position codes: normal with standard deviation 0.02, cut off at two standard
    deviations, as in DeiT and timm. Biases: 0. The last map of each residual branch: 0.02 / sqrt(2 L), so that the
    residual stream does not grow with the depth (Radford et al. 2019, section 2.3). Norms: scale 1, shift 0. (The
    authors of ViT start otherwise: Xavier in attention and MLP, class token and head at 0, only the codes at 0.02.)

    Args:
        model: The model, with the course's names for its parts.
        depth: Number L of its blocks.
    """
    std = 0.02
    residual_std = std / (2 * depth) ** 0.5
    for name, parameter in model.named_parameters():
        if "norm" in name:
            continue  # PyTorch's own start: scale 1, shift 0
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            branch_end = name.endswith(("attention.projection.weight", "mlp.fc2.weight"))
            spread = residual_std if branch_end else std
            nn.init.trunc_normal_(parameter, std=spread, a=-2 * spread, b=2 * spread)
