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
            "2 D are missing",
            "Exactly 2 D are missing. They may be half of the norms: how many LayerNorms stand in a block, and what "
            "does each of them learn besides a scale? Or two of the four biases of attention: queries, keys and values "
            "have one each.",
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
        Mistake(
            "each head maps its own part only",
            "Your heads map d numbers to d numbers each. The maps to queries, keys and values read *all* D numbers of "
            "a token, for every head.",
            lambda d, h, m: 3 * h * ((d // h) ** 2 + d // h) + d * d + d + 2 * d * m + m + d + 4 * d,
        ),
        Mistake(
            "the hidden width is not used",
            "You took 4 D for the hidden width of the MLP. That is usual, but `hidden_dim` says what it is here.",
            lambda d, h, m: _count_block(d, h, 4 * d),
        ),
        Mistake(
            "the rule of thumb",
            "12 D² is a rule of thumb: it leaves out biases and norms, and takes 4 D for the hidden width. The check "
            "wants the exact number.",
            lambda d, h, m: 12 * d * d,
            lambda d, h, m: 4 * d * d + 2 * d * m,
        ),
        Mistake(
            "hidden_dim taken for a ratio",
            "You multiply hidden_dim by D. It is the number of hidden units itself, not how many times D.",
            lambda d, h, m: _count_block(d, h, d * m),
        ),
        Mistake(
            "the biases of the MLP",
            "The biases of the MLP are not right. A linear map has one bias for each of its *outputs*: the first map "
            "has M outputs, the second D.",
            lambda d, h, m: 4 * (d * d + d) + 2 * (d * m + m) + 4 * d,
            lambda d, h, m: 4 * (d * d + d) + 2 * (d * m + d) + 4 * d,
        ),
        Mistake(
            "^ in place of **",
            "In Python, ^ is no power: 4 ^ 2 is 6. The power is **.",
            lambda d, h, m: 4 * ((d ^ 2) + d) + 2 * d * m + m + d + 4 * d,
            lambda d, h, m: 4 * (d ^ 2) + 4 * d + 2 * d * m + m + d + 4 * d,
        ),
        Mistake(
            "a norm for each head",
            "You counted the norms once for each head. A norm works on the whole token, before it is split.",
            lambda d, h, m: 4 * (d * d + d) + 2 * d * m + m + d + 4 * d * h,
        ),
        Mistake(
            "the ratio of the MLP rounded",
            "You divided hidden_dim by D and lost the rest: 15 // 6 is 2. Use hidden_dim itself.",
            lambda d, h, m: _count_block(d, h, m // d * d),
        ),
    ),
    "The formula gives exactly what PyTorch counts, from the tiny block of this lesson to the one of ViT-B/16.",
    tolerance=1e-9,
)
