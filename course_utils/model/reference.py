"""The whole forward pass in NumPy alone: the proof that nothing is hidden behind PyTorch. Slow, and made to be read.

    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    logits = forward(images, weights, model.config)

Dropout and stochastic depth do nothing outside training, so they do not appear here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from course_utils.model.config import ViTConfig

Array = np.ndarray
Weights = Mapping[str, Array]


def forward(images: Array, weights: Weights, config: ViTConfig, dtype: type[np.floating] = np.float64) -> Array:
    """Compute the logits of a Vision Transformer.

    Args:
        images: (B, C, H, W), normalised.
        weights: The model's state dict, as arrays.
        config: The model's settings.
        dtype: In what precision to compute.

    Returns:
        Logits (B, K); without a head (K = 0), the pooled features (B, D).

    Raises:
        ValueError: The images have another shape than the config says.
        KeyError: A weight is missing.
    """
    expected = (config.in_channels, config.image_height, config.image_width)
    if images.shape[1:] != expected:
        raise ValueError(f"The images must have the shape (B, {', '.join(map(str, expected))}), not {images.shape}.")
    images = images.astype(dtype)
    weights = {name: np.asarray(array, dtype) for name, array in weights.items()}

    x = embed(images, weights, config)  # (B, C, H, W) -> (B, N, D)
    for layer in range(config.depth):
        x = block(x, weights, config, f"encoder.blocks.{layer}")  # (B, N, D) -> (B, N, D)
    if config.pre_norm:
        x = norm(x, weights, config, "encoder.norm")
    x = pool(x, weights, config)  # -> (B, D)
    return linear(x, weights, "head") if config.num_classes else x  # -> (B, K)


def embed(images: Array, weights: Weights, config: ViTConfig) -> Array:
    """Images (B, C, H, W) to tokens (B, N, D): [class token] [registers] patches, plus position codes."""
    b, c, p = len(images), config.in_channels, config.patch_size
    rows, columns = config.grid
    patches = images.reshape(b, c, rows, p, columns, p).transpose(0, 2, 4, 1, 3, 5)  # -> (B, rows, columns, C, P, P)
    patches = patches.reshape(b, rows * columns, c * p * p)  # -> (B, patches, C*P*P)
    parts = [linear(patches, weights, "embeddings.patch_embedding.projection")]  # -> (B, patches, D)
    for name in ("embeddings.registers", "embeddings.class_token"):
        if name in weights:
            parts.insert(0, np.repeat(weights[name], b, axis=0))  # (1, ., D) -> (B, ., D)
    tokens = np.concatenate(parts, axis=1)  # -> (B, N, D)
    if config.position == "learned":
        tokens = tokens + weights["embeddings.position_code"]
    elif config.position == "sincos2d":
        angles = patch_angles(config, config.embed_dim // 4, base=10_000)  # (patches, 2, D/4)
        code = np.concatenate([np.sin(angles), np.cos(angles)], axis=2)  # -> (patches, 2, D/2)
        tokens[:, config.num_prefix_tokens :] += rounded(code).reshape(rows * columns, config.embed_dim)
    return tokens


def block(x: Array, weights: Weights, config: ViTConfig, name: str) -> Array:
    """One transformer block: attention, then MLP, each added to its input."""

    def normalise(x: Array, number: int) -> Array:
        return norm(x, weights, config, f"{name}.norm{number}")

    if config.pre_norm:
        x = x + attention(normalise(x, 1), weights, config, f"{name}.attention")
        return x + mlp(normalise(x, 2), weights, config, f"{name}.mlp")
    x = normalise(x + attention(x, weights, config, f"{name}.attention"), 1)
    return normalise(x + mlp(x, weights, config, f"{name}.mlp"), 2)


def attention(x: Array, weights: Weights, config: ViTConfig, name: str) -> Array:
    """Multi-head self-attention: softmax(q k^T / sqrt(d) + bias) v for each head, joined and projected."""
    b, n, d_model = x.shape
    qkv = linear(x, weights, f"{name}.qkv").reshape(b, n, 3, config.num_heads, config.head_dim)  # (B, N, 3, h, d)
    q, k, v = qkv.transpose(2, 0, 3, 1, 4)  # -> three (B, h, N, d)
    if config.position == "rotary":
        q, k = rotate(q, config), rotate(k, config)
    scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(config.head_dim)  # (B, h, N, d) @ (B, h, d, N) -> (B, h, N, N)
    if config.position == "relative":
        scores = scores + relative_bias(weights[f"{name}.relative_bias.table"], config)
    heads = softmax(scores, axis=-1) @ v  # (B, h, N, N) @ (B, h, N, d) -> (B, h, N, d)
    joined = heads.transpose(0, 2, 1, 3).reshape(b, n, d_model)  # -> (B, N, h, d) -> (B, N, D)
    return linear(joined, weights, f"{name}.projection")


def rotate(x: Array, config: ViTConfig) -> Array:
    """Turn queries or keys (B, h, N, d) by the angles of their patch; prefix tokens stay as they are."""
    angles = patch_angles(config, config.head_dim // 4, base=100).reshape(config.num_patches, -1)  # (patches, d/2)
    angles = np.pad(angles, ((config.num_prefix_tokens, 0), (0, 0)))  # -> (N, d/2)
    cos, sin = rounded(np.cos(angles)), rounded(np.sin(angles))
    first, second = np.split(x, 2, axis=-1)  # two (B, h, N, d/2)
    return np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)  # -> (B, h, N, d)


def relative_bias(table: Array, config: ViTConfig) -> Array:
    """Look up the bias (h, N, N) of each query and key in the table (offsets, h)."""
    p, (rows, columns) = config.num_prefix_tokens, config.grid
    first = 3 if p else 0  # entries for prefix to patch, patch to prefix, prefix to prefix
    offset = patch_places(config)[:, None] - patch_places(config)[None]  # (patches, patches, 2)
    index = np.zeros((p + rows * columns,) * 2, dtype=int)  # (N, N)
    index[p:, p:] = first + (offset[..., 0] + rows - 1) * (2 * columns - 1) + offset[..., 1] + columns - 1
    index[:p, p:], index[p:, :p], index[:p, :p] = 0, 1, 2
    return table[index].transpose(2, 0, 1)  # (N, N, h) -> (h, N, N)


def mlp(x: Array, weights: Weights, config: ViTConfig, name: str) -> Array:
    """Two linear maps with a GELU between them."""
    x = linear(x, weights, f"{name}.fc1")  # (B, N, D) -> (B, N, hidden)
    if config.activation == "gelu":
        x = x * (1 + np.vectorize(math.erf, otypes=[x.dtype])(x / math.sqrt(2))) / 2
    else:
        x = x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    return linear(x, weights, f"{name}.fc2")  # -> (B, N, D)


def norm(x: Array, weights: Weights, config: ViTConfig, name: str) -> Array:
    """LayerNorm, or RMSNorm, of each token."""
    if config.norm == "layernorm":
        x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + config.norm_eps) * weights[f"{name}.weight"]
    return x + weights[f"{name}.bias"] if config.norm == "layernorm" else x


def pool(tokens: Array, weights: Weights, config: ViTConfig) -> Array:
    """Tokens (B, N, D) to one vector for each image (B, D)."""
    if config.pooling == "class_token":
        return tokens[:, 0]
    patches = tokens[:, config.num_prefix_tokens :]  # (B, N, D) -> (B, patches, D)
    if config.pooling == "mean":
        return patches.mean(axis=1)
    shares = softmax(linear(patches, weights, "pool.score"), axis=1)  # -> (B, patches, 1)
    return (shares * patches).sum(axis=1)


def linear(x: Array, weights: Weights, name: str) -> Array:
    """Map x (..., in) to (..., out). The weight is (out, in), as PyTorch keeps it."""
    x = x @ weights[f"{name}.weight"].T
    return x + weights[f"{name}.bias"] if f"{name}.bias" in weights else x


def softmax(x: Array, axis: int) -> Array:
    """Turn scores into shares that sum to 1; the largest score is taken away first, so that nothing overflows."""
    x = np.exp(x - x.max(axis=axis, keepdims=True))
    return x / x.sum(axis=axis, keepdims=True)


def patch_places(config: ViTConfig) -> Array:
    """Row and column of every patch in raster order: (patches, 2)."""
    return np.indices(config.grid).reshape(2, -1).T  # (2, rows, columns) -> (patches, 2)


def patch_angles(config: ViTConfig, count: int, base: float) -> Array:
    """Row and column of every patch times ``count`` speeds that fall from 1 towards 1 / base: (patches, 2, count)."""
    speeds = float(base) ** -(np.arange(count) / count)
    return patch_places(config)[:, :, None] * speeds


def rounded(codes: Array) -> Array:
    """Round fixed codes to float32: the model keeps them so, whatever it computes in."""
    return codes.astype(np.float32)
