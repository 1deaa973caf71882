"""Lesson 13 (masked): check of the exercise on the encoder that sees the visible patches alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils.beyond.masked import MaskedAutoencoder, hidden_patches, inverse_order, take
from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.masked.places import TWO_ORDERS, orders_without_symmetry

Layer = Callable[[Tensor], Tensor]


def project(patches: Tensor) -> Tensor:
    """Stand for the linear map of a patch: (..., 3) -> (..., 2)."""
    weights = torch.tensor([[1.0, -0.5], [0.3, 0.8], [-0.7, 0.4]], dtype=patches.dtype)
    return patches @ weights + torch.tensor([0.5, -0.25], dtype=patches.dtype)


def blocks(tokens: Tensor) -> Tensor:
    """Stand for the blocks: each token takes from all tokens of its image: (B, M, D) -> (B, M, D)."""
    mixed = (tokens @ tokens.mT / tokens.shape[-1] ** 0.5).softmax(dim=-1) @ tokens
    return tokens + torch.tanh(mixed)


def add_one(tokens: Tensor) -> Tensor:
    """Stand for blocks that do nothing but add 1, so that a hand can follow."""
    return tokens + 1


def _encode(patches: Tensor, order: Tensor, visible: int, project: Layer, positions: Tensor, blocks: Layer) -> Tensor:
    """Run the encoder on visible patches: (B, N, C*P*P) -> (B, visible, D)."""
    return blocks(take(project(patches) + positions, order[:, :visible]))


def _at(positions: Tensor, places: Tensor) -> Tensor:
    """Take position codes (N, D) at places (B, M): (B, M, D)."""
    return positions[places]


def _zeroed(tokens: Tensor, order: Tensor, visible: int) -> Tensor:
    return tokens * ~hidden_patches(order, visible)[:, :, None]


def _examples() -> list[tuple[Any, ...]]:
    """Five patches, blocks that add 1; then batches, one image alone, doubles."""
    draw = torch.Generator().manual_seed(0)
    first = torch.arange(30.0).reshape(2, 5, 3) / 4, TWO_ORDERS, 2, project, 100 * torch.arange(10.0).reshape(5, 2)
    examples: list[tuple[Any, ...]] = [(*first, add_one)]
    for batch, patches, visible in ((3, 9, 4), (1, 7, 3), (2, 12, 5)):
        drawn = torch.randn(batch, patches, 3, generator=draw)
        order = orders_without_symmetry(batch, patches, draw)
        examples.append((drawn, order, visible, project, torch.randn(patches, 2, generator=draw), blocks))
    drawn, order, visible, _, positions, _ = examples[1]
    return [*examples, (drawn.double(), order, visible, project, positions.double(), blocks)]


encode_visible = Exercise(
    "encode_visible",
    _encode,
    _examples,
    (
        Mistake(
            "positions after patches were taken away",
            "You add the position codes after patches were taken away. So the first token that is left gets the code "
            "of place 0, wherever its patch stood. Each token needs the code of its own place.",
            lambda p, o, v, project, pos, blocks: blocks(project(take(p, o[:, :v])) + pos[:v]),
            lambda p, o, v, project, pos, blocks: blocks(project(take(p, o[:, :v].sort(dim=1).values)) + pos[:v]),
        ),
        Mistake(
            "no positions",
            "The position codes are missing, so the encoder cannot know where a patch stood.",
            lambda p, o, v, project, pos, blocks: blocks(take(project(p), o[:, :v])),
        ),
        Mistake(
            "the encoder sees all",
            "The blocks read all patches, and you take tokens away afterwards. By then the visible ones have learned "
            "from the hidden ones: the answer leaks. Take away first.",
            lambda p, o, v, project, pos, blocks: take(blocks(project(p) + pos), o[:, :v]),
            lambda p, o, v, project, pos, blocks: take(
                blocks(take(project(p) + pos, o)), torch.arange(v).expand(len(p), -1)
            ),
        ),
        Mistake(
            "nothing taken away",
            "Your result has N tokens: none was taken away. The blocks get the visible ones alone.",
            lambda p, o, v, project, pos, blocks: blocks(project(p) + pos),
            lambda p, o, v, project, pos, blocks: blocks(take(project(p) + pos, o)),
        ),
        Mistake(
            "hidden patches set to zero",
            "You set hidden patches to zero and leave them in the row. The blocks then read zeros as if they were "
            "tokens, and save no work. Take them away.",
            lambda p, o, v, project, pos, blocks: take(blocks(_zeroed(project(p) + pos, o, v)), o[:, :v]),
            lambda p, o, v, project, pos, blocks: take(blocks(project(_zeroed(p, o, v)) + pos), o[:, :v]),
            lambda p, o, v, project, pos, blocks: take(blocks(_zeroed(project(p), o, v) + pos), o[:, :v]),
            lambda p, o, v, project, pos, blocks: blocks(_zeroed(project(p) + pos, o, v)),
            lambda p, o, v, project, pos, blocks: blocks(project(_zeroed(p, o, v)) + pos),
            lambda p, o, v, project, pos, blocks: blocks(_zeroed(project(p), o, v) + pos),
        ),
        Mistake(
            "the hidden patches kept",
            "You keep the patches that should be hidden. The first `visible` columns of `order` name those that stay.",
            lambda p, o, v, project, pos, blocks: blocks(take(project(p) + pos, o[:, v:])),
            lambda p, o, v, project, pos, blocks: blocks(take(project(p) + pos, o[:, -v:])),
        ),
        Mistake(
            "one mask for the whole batch",
            "Every image keeps the places that the order of one image names. Each image has its own row in `order`.",
            lambda p, o, v, project, pos, blocks: blocks((project(p) + pos)[:, o[0, :v]]),
            lambda p, o, v, project, pos, blocks: blocks(take(project(p), o[:, :v]) + pos[o[0, :v]]),
        ),
        Mistake(
            "the first patches of the image",
            "You keep the first patches of the image, and `order` is not used.",
            lambda p, o, v, project, pos, blocks: blocks((project(p) + pos)[:, :v]),
        ),
        Mistake(
            "codes of other places",
            "The tokens that stay are right, but each gets the code of another place. A patch that order[b, i] names "
            "has the code positions[order[b, i]].",
            lambda p, o, v, project, pos, blocks: blocks(
                take(project(p), o[:, :v]) + _at(pos, inverse_order(o)[:, :v])
            ),
            lambda p, o, v, project, pos, blocks: blocks(take(project(take(p, o)) + pos, o[:, :v])),
        ),
        Mistake(
            "sorted by place",
            "The right tokens stay, but they stand as in the image. The task asks for the order of `order`.",
            lambda p, o, v, project, pos, blocks: blocks(take(project(p) + pos, o[:, :v].sort(dim=1).values)),
        ),
        Mistake(
            "place and number exchanged",
            "You read `order` the wrong way round. order[b, 0] = 2 says that patch 2 comes first.",
            lambda p, o, v, project, pos, blocks: blocks(take(project(p) + pos, inverse_order(o)[:, :v])),
        ),
        Mistake(
            "blocks left out",
            "The tokens are ready, but the blocks never read them. Return what `blocks` makes of them.",
            lambda p, o, v, project, pos, blocks: take(project(p) + pos, o[:, :v]),
        ),
        Mistake(
            "positions added twice",
            "The position codes are added twice, before patches are taken away and after.",
            lambda p, o, v, project, pos, blocks: blocks(take(project(p) + 2 * pos, o[:, :v])),
            lambda p, o, v, project, pos, blocks: blocks(take(project(p) + pos, o[:, :v]) + pos[:v]),
        ),
        Mistake(
            "positions after the blocks",
            "You add the position codes to what comes out of the blocks. The blocks need to know the places.",
            lambda p, o, v, project, pos, blocks: blocks(take(project(p), o[:, :v])) + _at(pos, o[:, :v]),
        ),
    ),
    "The blocks read the visible tokens alone, and each token carries the code of its own place.",
    forbidden=(MaskedAutoencoder.encode,),
)
