"""Lesson 13 (masked): checks of the exercises that take patches away, and bring them back to their places."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.beyond.masked import hidden_patches, inverse_order, random_order, take
from course_utils.checks.core import Exercise, Mistake

# Two orders of five patches. Neither is its own inverse, and they begin with other patches.
TWO_ORDERS = torch.tensor([[2, 4, 1, 3, 0], [3, 0, 4, 1, 2]])


def orders_without_symmetry(batch: int, patches: int, draw: torch.Generator) -> Tensor:
    """Draw orders (B, N), each of which differs from its inverse, from its reverse and from raster order."""
    while True:
        order = random_order(batch, patches, draw)
        raster = torch.arange(patches)
        same = (order == inverse_order(order)).all(1) | (order == order.flip(1)).all(1) | (order == raster).all(1)
        if not same.any():
            return order


def _first(tokens: Tensor, order: Tensor, visible: int) -> Tensor:
    """Keep the tokens at the first places of an order: (B, N, D) -> (B, visible, D)."""
    return take(tokens, order[:, :visible])


def _as_ranks(tokens: Tensor, order: Tensor, visible: int) -> Tensor:
    """Keep the tokens below a small number of the order, as if it held ranks."""
    return tokens[order < visible].reshape(len(tokens), visible, -1)


def _keep_examples() -> list[tuple[Tensor, Tensor, int]]:
    """Five patches of two numbers, to look at; then batches, one image alone, one patch left, doubles."""
    draw = torch.Generator().manual_seed(0)
    examples = [(torch.arange(20.0).reshape(2, 5, 2), TWO_ORDERS, 2)]
    for batch, patches, dim, visible in ((3, 9, 4, 5), (1, 6, 3, 4), (4, 12, 5, 3), (2, 7, 3, 1)):
        order = orders_without_symmetry(batch, patches, draw)
        examples.append((1000 * torch.randn(batch, patches, dim, generator=draw), order, visible))
    tokens, order, visible = examples[1]
    return [*examples, (tokens.double(), order, visible)]


keep_visible = Exercise(
    "keep_visible",
    _first,
    _keep_examples,
    (
        Mistake(
            "one mask for the whole batch",
            "Every image keeps the places that the order of one image names. Each image has its own row in `order`.",
            lambda tokens, order, visible: tokens[:, order[0, :visible]],
            lambda tokens, order, visible: tokens[:, order[-1, :visible]],
        ),
        Mistake(
            "the first patches of the image",
            "You keep the first patches of the image, and `order` is not used. The patches to keep stand in the first "
            "columns of `order`.",
            lambda tokens, order, visible: tokens[:, :visible],
        ),
        Mistake(
            "the hidden patches kept",
            "You keep the patches that should be hidden. The first `visible` columns of `order` name those that stay.",
            lambda tokens, order, visible: take(tokens, order[:, visible:]),
            lambda tokens, order, visible: take(tokens, order[:, -visible:]),
            lambda tokens, order, visible: take(tokens, order[:, visible:].sort(dim=1).values),
            lambda tokens, order, visible: take(tokens, order[:, -visible:].sort(dim=1).values),
        ),
        Mistake(
            "nothing taken away",
            "Your result holds all patches in the new order. Only the first `visible` of them stay.",
            lambda tokens, order, visible: take(tokens, order),
        ),
        Mistake(
            "hidden patches set to zero",
            "You set the hidden tokens to zero, but they are still there, and the encoder would have to read them. "
            "Take them away: (B, visible, D).",
            lambda tokens, order, visible: tokens * ~hidden_patches(order, visible)[:, :, None],
            lambda tokens, order, visible: take(tokens, order) * (torch.arange(order.shape[1]) < visible)[:, None],
        ),
        Mistake(
            "sorted by place",
            "The right patches stay, but they stand as in the image. The task asks for the order of `order`: the patch "
            "that its first column names comes first.",
            lambda tokens, order, visible: take(tokens, order[:, :visible].sort(dim=1).values),
        ),
        Mistake(
            "place and number exchanged",
            "You read `order` the wrong way round. order[b, 0] = 2 says: patch 2 comes first. It does not say that "
            "patch 0 comes at place 2.",
            lambda tokens, order, visible: take(tokens, inverse_order(order)[:, :visible]),
            _as_ranks,
            lambda tokens, order, visible: torch.zeros_like(tokens).scatter(
                1, order[:, :, None].expand_as(tokens), tokens
            )[:, :visible],
        ),
        Mistake(
            "tokens of one image for all",
            "Every row of your result is made of the tokens of the first image. Each image keeps its own tokens.",
            lambda tokens, order, visible: tokens.flatten(0, 1)[order[:, :visible]],
            lambda tokens, order, visible: tokens[0][order[:, :visible]],
        ),
        Mistake(
            "every image with every order",
            "`tokens[:, order]` takes from each image the places of ALL orders: the result has one axis too many. "
            "`gather` takes the places of each image from that image, and so does an index for the batch beside the "
            "places.",
            lambda tokens, order, visible: tokens[:, order[:, :visible]],
            lambda tokens, order, visible: tokens[:, order[:, :visible]].flatten(0, 1),
        ),
        Mistake(
            "one number of each token",
            "From each token you take the first number alone. `gather` needs an index as wide as a token: repeat it "
            "along D with `expand`.",
            lambda tokens, order, visible: tokens.gather(1, order[:, :visible, None]),
            lambda tokens, order, visible: take(tokens, order[:, :visible])[..., 0],
        ),
        Mistake(
            "one patch too many or too few",
            "You keep one patch too many, or one too few. Exactly `visible` of them stay.",
            lambda tokens, order, visible: take(tokens, order[:, : visible + 1]),
            lambda tokens, order, visible: take(tokens, order[:, : visible - 1]),
        ),
    ),
    "Each image keeps its own patches, in the order that was given.",
    tolerance=0.0,  # numbers are moved, not computed
    forbidden=(take,),
)


# ---- put_back


def _shuffled(seen: Tensor, mask_token: Tensor, order: Tensor) -> Tensor:
    """Lay mask tokens behind what was seen: (B, M, D) -> (B, N, D), in the order of the order."""
    unseen = mask_token.expand(len(seen), order.shape[1] - seen.shape[1], -1)
    return torch.cat([seen, unseen], dim=1)


def _masks_first(seen: Tensor, mask_token: Tensor, order: Tensor) -> Tensor:
    both = _shuffled(seen, mask_token, order)
    return torch.cat([both[:, seen.shape[1] :], seen], dim=1)


def _put_back(seen: Tensor, mask_token: Tensor, order: Tensor) -> Tensor:
    """Bring seen tokens (B, M, D) and mask tokens to their places: (B, N, D)."""
    return take(_shuffled(seen, mask_token, order), inverse_order(order))


def _back_examples() -> list[tuple[Tensor, Tensor, Tensor]]:
    """Two of five tokens, to look at; then batches, one image alone, one token seen, doubles."""
    draw = torch.Generator().manual_seed(0)
    examples = [(torch.arange(8.0).reshape(2, 2, 2) + 1, torch.tensor([-1.0, -2.0]), TWO_ORDERS)]
    for batch, patches, dim, visible in ((3, 9, 4, 5), (1, 6, 3, 4), (4, 12, 5, 3), (2, 7, 3, 1)):
        seen = 1000 * torch.randn(batch, visible, dim, generator=draw)
        order = orders_without_symmetry(batch, patches, draw)
        examples.append((seen, torch.randn(dim, generator=draw), order))
    seen, mask_token, order = examples[1]
    return [*examples, (seen.double(), mask_token.double(), order)]


put_back = Exercise(
    "put_back",
    _put_back,
    _back_examples,
    (
        Mistake(
            "the order not undone",
            "The seen tokens still stand first, and all mask tokens behind them: the shuffling was not undone. Every "
            "token must go back to the place of its patch in the image.",
            _shuffled,
        ),
        Mistake(
            "shuffled once more",
            "You use `order` itself where its inverse is needed: the tokens are shuffled once more. The inverse says "
            "at which place of the order each patch stands.",
            lambda seen, mask, order: take(_shuffled(seen, mask, order), order),
        ),
        Mistake(
            "read from the end",
            "You turn the order around, from the last to the first. That is not its inverse: the inverse says at which "
            "place of the order each patch stands.",
            lambda seen, mask, order: take(_shuffled(seen, mask, order), order.flip(1)),
            lambda seen, mask, order: _shuffled(seen, mask, order).flip(1),
        ),
        Mistake(
            "one order for the whole batch",
            "Every image is put back by the order of one image. Each has its own row in `order`.",
            lambda seen, mask, order: _shuffled(seen, mask, order)[:, inverse_order(order)[0]],
            lambda seen, mask, order: _shuffled(seen, mask, order)[:, inverse_order(order)[-1]],
        ),
        Mistake(
            "mask tokens before the seen ones",
            "You lay the mask tokens first, and the seen ones behind them. In `order` the seen patches come first.",
            lambda seen, mask, order: take(_masks_first(seen, mask, order), inverse_order(order)),
            _masks_first,
        ),
        Mistake(
            "zeros in place of the mask token",
            "Hidden places hold zeros. They should hold the mask token, which the model learns.",
            lambda seen, mask, order: _put_back(seen, 0 * mask, order),
        ),
        Mistake(
            "the mask token added to all",
            "The mask token is in the seen tokens too. It stands only where nothing was seen.",
            lambda seen, mask, order: _put_back(seen, 0 * mask, order) + mask,
            lambda seen, mask, order: _put_back(seen + mask, mask, order),
        ),
        Mistake(
            "hidden places left out",
            "Your result has only the seen tokens. All N places are asked, and at the hidden ones stands the mask "
            "token.",
            lambda seen, mask, order: take(seen, order[:, : seen.shape[1]].argsort(dim=1)),
            lambda seen, mask, order: seen,
        ),
        Mistake(
            "seen tokens in raster order",
            "Hidden and seen places are right, but the seen tokens stand in the wrong seen places: you fill them from "
            "left to right. The first token of `seen` belongs to the patch order[b, 0].",
            lambda seen, mask, order: torch.where(
                hidden_patches(order, seen.shape[1])[:, :, None],
                mask,
                take(seen, ((~hidden_patches(order, seen.shape[1])).cumsum(1) - 1).clamp(min=0)),
            ),
        ),
        Mistake(
            "every image with every order",
            "`tokens[:, places]` takes from each image the places of ALL images: the result has one axis too many. "
            "`gather` takes the places of each image from that image.",
            lambda seen, mask, order: _shuffled(seen, mask, order)[:, inverse_order(order)],
            lambda seen, mask, order: _shuffled(seen, mask, order)[:, order],
        ),
        Mistake(
            "one number of each token",
            "From each token you take the first number alone. `gather` needs an index as wide as a token: repeat it "
            "along D with `expand`.",
            lambda seen, mask, order: _shuffled(seen, mask, order).gather(1, inverse_order(order)[:, :, None]),
        ),
        Mistake(
            "all hidden",
            "Every place holds the mask token: the seen ones got lost.",
            lambda seen, mask, order: mask.expand(*order.shape, -1),
        ),
    ),
    "Every seen token stands at the place of its patch, and the mask token at all others.",
    tolerance=0.0,
)
