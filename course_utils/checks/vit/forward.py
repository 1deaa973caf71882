"""The shapes on the way through a ViT, and the way itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer

Shape = tuple[int, ...]


# ---- shapes_of_forward


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
    ),
    "These are the shapes that a running model has, also for images that are not square.",
)  # fmt: skip

# ---- vit_forward


class Rows(nn.Module):
    """Every row of the image is a token: (B, 1, H, W) -> (B, H, W)."""

    def forward(self, images: Tensor) -> Tensor:
        """Drop the axis of the channels."""
        return images[:, 0]


class AddOne(nn.Module):
    """A block that adds 1."""

    def forward(self, x: Tensor, need_weights: bool = False) -> tuple[Tensor, None]:
        """Return the tokens and no weights."""
        return x + 1, None


class Double(nn.Module):
    """A block that doubles."""

    def forward(self, x: Tensor, need_weights: bool = False) -> tuple[Tensor, None]:
        """Return the tokens and no weights."""
        return 2 * x, None


class Square(nn.Module):
    """A "norm" that squares."""

    def forward(self, x: Tensor) -> Tensor:
        """Square every number."""
        return x**2


class Sum(nn.Module):
    """A "head" with one class: (..., D) -> (..., 1)."""

    def forward(self, x: Tensor) -> Tensor:
        """Add up the numbers of a token."""
        return x.sum(dim=-1, keepdim=True)


def _forward_examples() -> list[tuple[Any, ...]]:
    """One example to follow by hand, then a real model with several images and random numbers in every parameter."""
    rows = torch.tensor([[[[1.0, 2.0], [3.0, 5.0], [4.0, 0.0]]]])  # (1, 1, 3, 2)
    examples: list[tuple[Any, ...]] = [(rows, Rows(), [AddOne(), Double()], Square(), Sum())]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = VisionTransformer(ViTConfig((4, 6), 2, 3, 5, embed_dim=8, depth=3, num_heads=2)).eval()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.5)
        images = torch.randn(4, 3, 4, 6)
    encoder = model.encoder
    examples.append((images, model.embeddings, list(encoder.blocks), encoder.norm, model.head))
    return examples


def _run_blocks(tokens: Tensor, blocks: list[nn.Module]) -> Tensor:
    for block in blocks:
        tokens = block(tokens)[0]
    return tokens


def _last_of_all(images: Tensor, embeddings: nn.Module, blocks: list[nn.Module]) -> Tensor:
    tokens = embeddings(images)
    return [block(tokens)[0] for block in blocks][-1]


def _tuple_passed_on(images: Tensor, embeddings: nn.Module, blocks: list[nn.Module], norm: Any, head: Any) -> Tensor:
    x = embeddings(images)
    for block in blocks:
        x = block(x)
    return head(norm(x)[:, 0])


def _norm_in_loop(tokens: Tensor, blocks: list[nn.Module], norm: nn.Module) -> Tensor:
    for block in blocks:
        tokens = norm(block(tokens)[0])
    return tokens


def _vit_forward(images: Tensor, embeddings: Any, blocks: list[nn.Module], norm: Any, head: Any) -> Tensor:
    return head(norm(_run_blocks(embeddings(images), blocks))[:, 0])


vit_forward = Exercise(
    "vit_forward",
    _vit_forward,
    _forward_examples,
    (
        Mistake(
            "no final norm",
            "The last LayerNorm is not used. It is part of the model: inside the blocks every norm acts on a copy, so "
            "the tokens that leave the last block were never normalised.",
            lambda i, e, b, n, h: h(_run_blocks(e(i), b)[:, 0]),
        ),
        Mistake(
            "the head before the norm",
            "The head comes before the norm in your code. The norm prepares tokens of width D for the head; after the "
            "head there are K class scores, which nothing may level out.",
            lambda i, e, b, n, h: n(h(_run_blocks(e(i), b)[:, 0])),
        ),
        Mistake(
            "mean instead of the class token",
            "Your read-out is a mean over tokens. Some models do that, but this one reads the class token alone.",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b)).mean(1)),
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b))[:, 1:].mean(1)),
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b).mean(1))),
        ),
        Mistake(
            "the last token instead of the first",
            "You read the last token. That is the patch in the lower right corner; the class token stands at the other "
            "end of the sequence.",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b))[:, -1]),
        ),
        Mistake(
            "the first patch instead of the class token",
            "You read token 1, which is the first patch. Counting starts at 0.",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b))[:, 1]),
        ),
        Mistake(
            "the first image instead of the first token",
            "You took the first entry along the axis of the *images*. Tokens lie along the next axis, (B, N, D).",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b))[0]),
        ),
        Mistake(
            "a softmax at the end",
            "Your result is a set of probabilities. The model returns logits: the loss function takes the softmax "
            "itself, and taking it twice makes learning slow.",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b))[:, 0]).softmax(-1),
        ),
        Mistake(
            "every token is classified",
            "You return logits for every token. An image gets one answer: read out one token, then apply the head.",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b))),
        ),
        Mistake(
            "every block starts from the embeddings",
            "Each of your blocks gets the embeddings, and only the last result survives. A block takes what the block "
            "before it has made.",
            lambda i, e, b, n, h: h(n(_last_of_all(i, e, b))[:, 0]),
        ),
        Mistake(
            "only the first block runs",
            "Only one block has an effect. Does your `return` stand inside the loop?",
            lambda i, e, b, n, h: h(n(b[0](e(i))[0])[:, 0]),
        ),
        Mistake(
            "the norm after every block",
            "The final norm is inside your loop. It comes once, after the last block.",
            lambda i, e, b, n, h: h(_norm_in_loop(e(i), b, n)[:, 0]),
        ),
        Mistake(
            "the pair that a block returns is passed on",
            "A block returns two things: the tokens, and the attention weights or None. You pass both on as if they "
            "were the tokens.",
            _tuple_passed_on,
        ),
    ),
    "It gives the logits of a whole Vision Transformer, for any embeddings, blocks, norm and head.",
)
