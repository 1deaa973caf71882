"""The forward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer

Shape = tuple[int, ...]


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


def _added(tokens: Tensor, blocks: list[nn.Module]) -> Tensor:
    for block in blocks:
        tokens = tokens + block(tokens)[0]
    return tokens


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
        Mistake(
            "the blocks have no effect",
            "The result of the blocks is not used: `block(tokens)` makes new tokens and leaves the old ones as they "
            "are. Keep what it returns.",
            lambda i, e, b, n, h: h(n(e(i))[:, 0]),
        ),
        Mistake(
            "the norm before the blocks",
            "The last norm comes before the blocks. It belongs behind the last one.",
            lambda i, e, b, n, h: h(_run_blocks(n(e(i)), b)[:, 0]),
            lambda i, e, b, n, h: h(n(_run_blocks(n(e(i)), b))[:, 0]),
        ),
        Mistake(
            "the norm twice",
            "The last norm is applied twice.",
            lambda i, e, b, n, h: h(n(n(_run_blocks(e(i), b)))[:, 0]),
        ),
        Mistake(
            "no head",
            "You stop before the head: these are D numbers of the class token. The head makes K logits of them.",
            lambda i, e, b, n, h: n(_run_blocks(e(i), b))[:, 0],
            lambda i, e, b, n, h: _run_blocks(e(i), b)[:, 0],
            lambda i, e, b, n, h: n(_run_blocks(e(i), b)),
        ),
        Mistake(
            "each block added to its input",
            "You add what a block returns to what went in. The blocks have their two additions inside: take the "
            "tokens that come out.",
            lambda i, e, b, n, h: h(n(_added(e(i), b))[:, 0]),
        ),
        Mistake(
            "blocks in reverse order",
            "The blocks run in reverse order. The first of the list comes first.",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b[::-1]))[:, 0]),
        ),
        Mistake(
            "a block left out",
            "A block is left out, the first or the last. `range(len(blocks) - 1)` stops one too early.",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b[:-1]))[:, 0]),
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b[1:]))[:, 0]),
        ),
        Mistake(
            "two blocks written in",
            "Your code runs two blocks, whatever the list holds. Loop over the list.",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i), b[:2]))[:, 0]),
        ),
        Mistake(
            "read out before the blocks",
            "You take the class token out before the blocks. It has to go through them together with the patches: it "
            "reads from them.",
            lambda i, e, b, n, h: h(n(_run_blocks(e(i)[:, :1], b))[:, 0]),
        ),
        Mistake(
            "the class in place of the logits",
            "You return the number of the class. The model returns the logits themselves, (B, K).",
            lambda i, e, b, n, h: _vit_forward(i, e, b, n, h).argmax(dim=-1),
        ),
    ),
    "It gives the logits of a whole Vision Transformer, for any embeddings, blocks, norm and head.",
)
