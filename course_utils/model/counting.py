"""How many parameters a Vision Transformer has and how many multiply-adds it costs, by formula."""

from __future__ import annotations

from course_utils.model.config import ViTConfig


def count_parameters(config: ViTConfig) -> dict[str, int]:
    """Count the learned numbers of each part, from the config alone.

    Returns:
        Part -> parameters, for "patch embedding", "tokens" (class token and registers), "positions", "attention",
        "mlp", "norms", "pooling" and "head". Their sum is the number of parameters of the model.
    """
    d, hidden, depth = config.embed_dim, config.mlp_hidden_dim, config.depth
    norm = 2 * d if config.norm == "layernorm" else d
    positions = 0
    if config.position == "learned":
        positions = config.num_tokens * d
    elif config.position == "relative":
        rows, columns = config.grid
        extra = 3 if config.num_prefix_tokens else 0
        positions = depth * config.num_heads * ((2 * rows - 1) * (2 * columns - 1) + extra)
    return {
        "patch embedding": config.patch_dim * d + d,
        "tokens": config.num_prefix_tokens * d,
        "positions": positions,
        "attention": depth * (3 * d * d + 3 * d * config.qkv_bias + d * d + d),  # to q, k, v; and back
        "mlp": depth * (2 * d * hidden + hidden + d),
        "norms": norm * (2 * depth + config.pre_norm),  # pre-norm has one more, at the end
        "pooling": d + 1 if config.pooling == "attention" else 0,
        "head": d * config.num_classes + config.num_classes,
    }


def count_multiply_adds(config: ViTConfig) -> dict[str, int]:
    """Count the multiply-adds of one image's forward pass, matrix products only.

    One multiply-add is two floating-point operations; a training step costs about three forward passes.

    Returns:
        Part -> multiply-adds, for "patch embedding", "projections" (to q, k, v and back: linear in the number N of
        tokens), "attention products" (q k^T and weights times v: quadratic in N), "mlp", "pooling" and "head".
    """
    d, n, depth = config.embed_dim, config.num_tokens, config.depth
    return {
        "patch embedding": config.num_patches * config.patch_dim * d,
        "projections": depth * n * 4 * d * d,
        "attention products": depth * 2 * n * n * d,
        "mlp": depth * n * 2 * d * config.mlp_hidden_dim,
        "pooling": 2 * config.num_patches * d if config.pooling == "attention" else 0,
        "head": d * config.num_classes,
    }
