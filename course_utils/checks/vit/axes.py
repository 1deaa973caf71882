"""The shapes on the way through a ViT."""

from __future__ import annotations

from collections.abc import Callable

import torch

from course_utils.checks.core import Exercise, Mistake
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer

Shape = tuple[int, ...]


def _shapes(image_shape: Shape, patch_size: int, embed_dim: int, num_classes: int) -> dict[str, Shape]:
    """Run a model without numbers, and look."""
    b, c, height, width = image_shape
    config = ViTConfig((height, width), patch_size, c, num_classes, embed_dim, depth=1, num_heads=1)
    with torch.device("meta"):
        found = VisionTransformer(config).intermediates(torch.zeros(image_shape))
    names = {"patch tokens": "patch_embedding", "tokens": "embeddings", "pooled": "pooled", "logits": "logits"}
    shapes = {name: tuple(found[part].shape) for name, part in names.items()}
    return {"patches": (b, config.num_patches, config.patch_dim), **shapes}


def _wrong_shapes(change: Callable[..., dict[str, Shape]]) -> Callable[..., dict[str, Shape]]:
    """Make an imitation: ``change`` gets B, patches, numbers in a patch, D, K, C, P, rows, columns."""

    def imitation(image_shape: Shape, patch_size: int, embed_dim: int, num_classes: int) -> dict[str, Shape]:
        b, c, height, width = image_shape
        rows, columns, d, k = height // patch_size, width // patch_size, embed_dim, num_classes
        n, p = rows * columns, c * patch_size**2
        right = {"patches": (b, n, p), "patch tokens": (b, n, d), "tokens": (b, n + 1, d), "pooled": (b, d)}
        return right | {"logits": (b, k)} | change(b, n, p, d, k, c, patch_size, rows, columns)

    return imitation


def _with_tokens(b: int, n: int, p: int, d: int) -> dict[str, Shape]:
    """The shapes that depend on the number of patches n."""
    return {"patches": (b, n, p), "patch tokens": (b, n, d), "tokens": (b, n + 1, d)}


def _channels_last(image_shape: Shape, patch_size: int, embed_dim: int, num_classes: int) -> dict[str, Shape]:
    b, height, width, c = image_shape
    n, d = height // patch_size * (width // patch_size), embed_dim
    return {**_with_tokens(b, n, c * patch_size**2, d), "pooled": (b, d), "logits": (b, num_classes)}


shapes_of_forward = Exercise(
    "shapes_of_forward",
    _shapes,
    lambda: [((1, 1, 4, 4), 2, 6, 3), ((2, 3, 8, 12), 4, 10, 7), ((5, 3, 32, 32), 8, 64, 10)],
    (
        Mistake(
            "the class token is missing",
            "Your sequence is as long as there are patches. But the class token stands in front of them, and it goes "
            "through the encoder like every other token: one more.",
            _wrong_shapes(lambda b, n, p, d, *_: {"tokens": (b, n, d)}),
        ),
        Mistake(
            "the class token is there too early",
            "You counted the class token among the patches already. It is no piece of the image: it joins the sequence "
            "after the projection.",
            _wrong_shapes(lambda b, n, p, d, *_: {"patches": (b, n + 1, p), "patch tokens": (b, n + 1, d)}),
            _wrong_shapes(lambda b, n, p, d, *_: {"patch tokens": (b, n + 1, d)}),
        ),
        Mistake(
            "patches counted along one side",
            "An image has rows *and* columns of patches. You counted along one side only.",
            _wrong_shapes(
                lambda b, n, p, d, k, c, s, rows, _: {
                    "patches": (b, rows, p), "patch tokens": (b, rows, d), "tokens": (b, rows + 1, d),
                }
            ),
            _wrong_shapes(
                lambda b, n, p, d, k, c, s, _, columns: {
                    "patches": (b, columns, p), "patch tokens": (b, columns, d), "tokens": (b, columns + 1, d),
                }
            ),
        ),
        Mistake(
            "the channels of a patch are missing",
            "A patch of a colour image holds P·P pixels, and each pixel holds C numbers. Your patch has one number a "
            "pixel.",
            _wrong_shapes(lambda b, n, p, d, k, c, *_: {"patches": (b, n, p // c)}),
        ),
        Mistake(
            "a patch is as long as its side",
            "A patch is a square of P·P pixels. You counted P of them.",
            _wrong_shapes(lambda b, n, p, d, k, c, s, *_: {"patches": (b, n, c * s)}),
        ),
        Mistake(
            "logits for every token",
            "Your head answers once for every token. The model answers once for every image: the read-out leaves one "
            "vector of D numbers for each image before the head comes.",
            _wrong_shapes(lambda b, n, p, d, k, *_: {"pooled": (b, n + 1, d), "logits": (b, n + 1, k)}),
            _wrong_shapes(lambda b, n, p, d, k, *_: {"logits": (b, n + 1, k)}),
        ),
        Mistake(
            "tokens and width exchanged",
            "Tokens lie along the axis before the last, (B, N, D): one row for each token. Your last two axes stand "
            "the other way round.",
            _wrong_shapes(
                lambda b, n, p, d, *_: {"patches": (b, p, n), "patch tokens": (b, d, n), "tokens": (b, d, n + 1)}
            ),
            _wrong_shapes(lambda b, n, p, d, *_: {"patch tokens": (b, d, n), "tokens": (b, d, n + 1)}),
        ),
        Mistake(
            "a square image assumed",
            "You took the image for a square. Rows come from the height, columns from the width.",
            _wrong_shapes(lambda b, n, p, d, k, c, s, rows, _: _with_tokens(b, rows * rows, p, d)),
            _wrong_shapes(lambda b, n, p, d, k, c, s, _, columns: _with_tokens(b, columns * columns, p, d)),
        ),
        Mistake(
            "the axis of the tokens is kept",
            "Your pooled tensor still has an axis for the tokens. Read-out takes one token and leaves (B, D).",
            _wrong_shapes(lambda b, n, p, d, *_: {"pooled": (b, 1, d)}),
            _wrong_shapes(lambda b, n, p, d, k, *_: {"pooled": (b, 1, d), "logits": (b, 1, k)}),
        ),
        Mistake(
            "a number of channels written in",
            "You counted three channels, or one. The image says how many there are: the second number of its shape.",
            _wrong_shapes(lambda b, n, p, d, k, c, s, *_: {"patches": (b, n, 3 * s * s)}),
        ),
        Mistake(
            "patches not flattened",
            "Your patches are still small images. Cut out *and flattened*, each is one line of C·P·P numbers.",
            _wrong_shapes(lambda b, n, p, d, k, c, s, *_: {"patches": (b, n, c, s, s)}),
            _wrong_shapes(lambda b, n, p, d, k, c, s, *_: {"patches": (b, n, s, s, c)}),
        ),
        Mistake(
            "the grid not joined",
            "Your patches still stand in rows and columns. They come in one line: rows times columns.",
            _wrong_shapes(lambda b, n, p, d, k, c, s, rows, columns: {"patches": (b, rows, columns, p)}),
            _wrong_shapes(lambda b, n, p, d, k, c, s, rows, columns: {
                "patches": (b, rows, columns, p), "patch tokens": (b, rows, columns, d)
            }),
        ),
        Mistake(
            "the batch is left out",
            "The first axis is missing: B images go through the model together.",
            _wrong_shapes(lambda b, n, p, d, k, *_: {
                "patches": (n, p), "patch tokens": (n, d), "tokens": (n + 1, d), "pooled": (d,), "logits": (k,)
            }),
        ),
        Mistake(
            "P is taken for the number of patches",
            "You took P for the number of patches along a side. It is the side of a patch, in pixels.",
            _wrong_shapes(lambda b, n, p, d, k, c, s, *_: {**_with_tokens(b, s**2, p, d), "patches": (b, s**2, c * n)}),
            _wrong_shapes(lambda b, n, p, d, k, c, s, rows, columns: _with_tokens(b, s * s, p, d)),
        ),
        Mistake(
            "pixels counted",
            "You divided the number of pixels by P. A patch has P·P pixels, so there are fewer patches.",
            _wrong_shapes(lambda b, n, p, d, k, c, s, *_: _with_tokens(b, n * s, p, d)),
            _wrong_shapes(lambda b, n, p, d, k, c, s, *_: _with_tokens(b, n * s * s, p, d)),
        ),
        Mistake(
            "width and classes exchanged",
            "D and K have changed places at the end: the pooled tensor has the width D, and the logits have K "
            "numbers.",
            _wrong_shapes(lambda b, n, p, d, k, *_: {"pooled": (b, k), "logits": (b, d)}),
            _wrong_shapes(lambda b, n, p, d, k, *_: {"pooled": (b, k)}),
            _wrong_shapes(lambda b, n, p, d, k, *_: {"logits": (b, d)}),
        ),
        Mistake(
            "channels read last",
            "You read `image_shape` as (B, H, W, C). In PyTorch the channels come second: (B, C, H, W).",
            lambda image, p, d, k: _channels_last(image, p, d, k),
        ),
    ),
    "These are the shapes that a running model has, also for images that are not square.",
)  # fmt: skip
