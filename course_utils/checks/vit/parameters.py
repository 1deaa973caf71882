"""The parameters of a block."""

from __future__ import annotations

import torch

from course_utils.checks.core import Exercise, Mistake
from course_utils.model.blocks import TransformerBlock
from course_utils.model.config import ViTConfig


def _count_block(embed_dim: int, num_heads: int, hidden_dim: int) -> int:
    """Count what a real block has."""
    with torch.device("meta"):
        config = ViTConfig(embed_dim=embed_dim, num_heads=num_heads, mlp_ratio=hidden_dim / embed_dim)
        return sum(parameter.numel() for parameter in TransformerBlock(config).parameters())


parameters_of_block = Exercise(
    "parameters_of_block",
    _count_block,
    lambda: [(4, 2, 8), (6, 3, 15), (192, 3, 768), (768, 12, 3072)],
    (
        Mistake(
            "the biases of the linear maps are missing",
            "You counted the matrices. Each linear map adds a bias too: one number for each of its outputs.",
            lambda d, h, m: 4 * d * d + 2 * d * m + 4 * d,
            lambda d, h, m: 4 * (d * d + d) + 2 * d * m + 4 * d,
        ),
        Mistake(
            "one map instead of queries, keys and values",
            "You counted one map from a token to a token for q, k and v together. Each of the three has its own.",
            lambda d, h, m: 2 * (d * d + d) + 2 * d * m + m + d + 4 * d,
        ),
        Mistake(
            "the output projection of attention is missing",
            "You counted the maps to q, k and v. After the heads are joined, one more linear map mixes them.",
            lambda d, h, m: 3 * (d * d + d) + 2 * d * m + m + d + 4 * d,
        ),
        Mistake(
            "4 D are missing",
            "Exactly 4 D are missing. They may be the norms: in front of attention and of the MLP stands a LayerNorm, "
            "which learns something too. Or they may be the biases of attention's four maps.",
            lambda d, h, m: 4 * (d * d + d) + 2 * d * m + m + d,
        ),
        Mistake(
            "half of the norms",
            "You counted half of what the norms learn. How many LayerNorms stand in a block, and what does each "
            "of them learn besides a scale?",
            lambda d, h, m: 4 * (d * d + d) + 2 * d * m + m + d + 2 * d,
        ),
        Mistake(
            "the last norm of the model counted in",
            "You counted three norms. The third stands once at the end of the encoder, not in every block.",
            lambda d, h, m: 4 * (d * d + d) + 2 * d * m + m + d + 6 * d,
        ),
        Mistake(
            "half of the MLP",
            "The MLP goes from D numbers to the hidden width, and back again. You counted one of the two maps.",
            lambda d, h, m: 4 * (d * d + d) + d * m + m + 4 * d,
            lambda d, h, m: 4 * (d * d + d) + d * m + d + 4 * d,
        ),
        Mistake(
            "multiplied by the number of heads",
            "Heads share the width: each has D / h numbers. So all heads together have as many parameters as one head "
            "of the full width.",
            lambda d, h, m: 3 * h * (d * d + d) + d * d + d + 2 * d * m + m + d + 4 * d,
            lambda d, h, m: 4 * h * (d * d + d) + 2 * d * m + m + d + 4 * d,
            lambda d, h, m: 3 * h * (d * d + d) + h * d * d + d + 2 * d * m + m + d + 4 * d,
        ),
        Mistake(
            "the maps of one head",
            "You counted the maps to q, k and v for one head, D to D / h. There are h heads, each with its own.",
            lambda d, h, m: 3 * (d * d // h + d // h) + d * d + d + 2 * d * m + m + d + 4 * d,
        ),
    ),
    "The formula gives exactly what PyTorch counts, from the tiny block of this lesson to the one of ViT-B/16.",
    tolerance=1e-9,
)
