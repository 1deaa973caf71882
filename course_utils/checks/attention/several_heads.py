"""Heads, and multi-head attention as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake
from course_utils.model import attention as package


def _random(*shape: int, scale: float = 1.0) -> Tensor:
    """Return the same random numbers each time, whatever was drawn before."""
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(3))


# --- split_heads


def _count(*shape: int) -> Tensor:
    """Return a tensor whose numbers say where they stood: 0, 1, 2, ..."""
    return torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)


def _cut(x: Tensor, h: int) -> Tensor:
    return x.reshape(x.shape[0], x.shape[1], h, x.shape[2] // h)  # (B, N, D) -> (B, N, h, d)


def _interleaved(x: Tensor, h: int) -> Tensor:
    return x.reshape(x.shape[0], x.shape[1], x.shape[2] // h, h)  # (B, N, D) -> (B, N, d, h)


def _split(x: Tensor, num_heads: int) -> Tensor:
    return _cut(x, num_heads).transpose(1, 2)  # (B, N, D) -> (B, N, h, d) -> (B, h, N, d)


def _split_examples() -> list[tuple[Any, ...]]:
    return [(_count(1, 2, 4), 2), (_count(2, 6, 12), 3), (_count(1, 4, 6), 2)]


split_heads = Exercise(
    "split_heads",
    _split,
    _split_examples,
    (
        Mistake(
            "a bare reshape",
            "The shape is right, the numbers are not: they stay in the order in which they lie in memory, so head 0 "
            "gets the first *tokens* in place of the first *channels*. Cut the axis D in two first, then exchange two "
            "axes.",
            lambda x, h: x.reshape(x.shape[0], h, x.shape[1], x.shape[2] // h),
        ),
        Mistake(
            "tokens and heads not exchanged",
            "The width is cut correctly, but the result is (B, N, h, d). A matrix product works on the last two axes, "
            "so here every token would attend among its own heads. N and d must be the last two.",
            _cut,
        ),
        Mistake(
            "interleaved channels",
            "Head 0 gets the channels 0, h, 2h, ... Each head must get d *neighbouring* channels: head 0 the first d, "
            "head 1 the next d. When you cut D, which part changes slowly and comes first?",
            lambda x, h: _interleaved(x, h).permute(0, 3, 1, 2),
        ),
        Mistake(
            "head width and number of heads exchanged",
            "You make d heads of width h. That goes unnoticed when both are the same number. num_heads says how many "
            "heads there are; the width of each follows from D.",
            lambda x, h: _interleaved(x, h).transpose(1, 2),
        ),
        Mistake(
            "tokens and channels exchanged",
            "Each head has the right numbers, but as (d, N): its tokens are columns. The order of the axes is "
            "(B, h, N, d): a row is a token.",
            lambda x, h: _cut(x, h).permute(0, 2, 3, 1),
        ),
        Mistake(
            "heads on the last axis",
            "The heads stand on the last axis. A matrix product works on the last two axes, and these must be a "
            "head's tokens and channels: (B, h, N, d).",
            lambda x, h: _cut(x, h).transpose(2, 3),
            _interleaved,
        ),
        Mistake(
            "heads before the batch",
            "The heads stand before the images: (h, B, N, d). It could be made to work, but nearly every library "
            "expects the batch first: (B, h, N, d).",
            lambda x, h: _cut(x, h).permute(2, 0, 1, 3),
        ),
        Mistake(
            "the tokens are split",
            "You give each head a part of the tokens. Every head sees *all* tokens, and a part of the channels.",
            lambda x, h: x.unflatten(1, (h, -1)),
        ),
        Mistake(
            "every head gets the same channels",
            "Every head gets the first d channels. Head i must get its own: from i·d to (i+1)·d.",
            lambda x, h: _split(x, h)[:, :1].expand(-1, h, -1, -1),
        ),
        Mistake(
            "windows that overlap",
            "Head i begins at channel i, so the heads overlap. It must begin at i·d.",
            lambda x, h: torch.stack([x[..., i : i + x.shape[-1] // h] for i in range(h)], dim=1),
        ),
        Mistake(
            "every head keeps the whole width",
            "Every head has all D channels. The width is divided among the heads: d = D / num_heads each.",
            lambda x, h: x[:, None].expand(-1, h, -1, -1),
            lambda x, h: x[:, None].repeat(1, h, 1, 1),
        ),
        Mistake(
            "tokens and channels exchanged first",
            "You exchange tokens and channels before you cut, so the reshape cuts through the tokens. Cut the last "
            "axis first, then exchange.",
            lambda x, h: x.mT.reshape(x.shape[0], -1, h, x.shape[2] // h).transpose(1, 2),
            lambda x, h: x.mT.reshape(x.shape[0], h, x.shape[1], -1),
        ),
    ),
    "Head i has the channels from i·d to (i+1)·d of every token.",
)


# --- multi_head_attention


def _layers(width: int, seed: int) -> tuple[nn.Linear, nn.Linear]:
    """Return the map to queries, keys and values, and the output projection, with the same numbers each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Linear(width, 3 * width), nn.Linear(width, width)


class CopyThreeTimes(nn.Linear):
    """The map to queries, keys and values of the first example; its name is shown to the learner."""


class Double(nn.Linear):
    """The output projection of the first example."""


def _attention_layer_examples() -> list[tuple[Any, ...]]:
    """One example to follow by hand, then others with random numbers."""
    tokens = torch.tensor([[[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 2.0]]])  # (B, N, D)
    qkv, projection = CopyThreeTimes(4, 12), Double(4, 4)
    with torch.no_grad():
        qkv.weight.copy_(torch.eye(4).repeat(3, 1))  # (3 D, D)
        projection.weight.copy_(2 * torch.eye(4))
        qkv.bias.zero_()
        projection.bias.zero_()
    return [
        (tokens, qkv, projection, 2),
        (2 * _random(2, 5, 12), *_layers(12, 1), 3),
        (2 * _random(3, 4, 10), *_layers(10, 2), 5),
        (2 * _random(4, 6, 6), *_layers(6, 3), 1),
    ]


def _pytorchs(x: Tensor, qkv: nn.Linear, projection: nn.Linear, num_heads: int) -> Tensor:
    """What ``nn.MultiheadAttention`` computes, with these weights."""
    x = x.transpose(0, 1)  # (B, N, D) -> (N, B, D), its own order
    out, _ = F.multi_head_attention_forward(
        x, x, x, x.shape[-1], num_heads, qkv.weight, qkv.bias, None, None, False, 0.0,
        projection.weight, projection.bias, need_weights=False,
    )  # fmt: skip
    return out.transpose(0, 1)


def _step_by_step(
    x: Tensor,
    qkv: Callable[[Tensor], Tensor],
    projection: Callable[[Tensor], Tensor],
    num_heads: int,
    parts: Callable[[Tensor, int], Any] = lambda t, h: t.chunk(3, dim=-1),
    order: tuple[int, int, int] = (0, 1, 2),
    split: Callable[[Tensor, int], Tensor] = _split,
    scale: Callable[[int, int], float] = lambda d, h: math.sqrt(d),
    softmax_over: int = -1,
    join: Callable[[Tensor], Tensor] = lambda heads: heads.transpose(1, 2).flatten(2),
) -> Tensor:
    """Write attention out, so that each step can be done wrongly."""
    cut = parts(qkv(x), num_heads)
    q, k, v = (split(cut[index], num_heads) for index in order)  # three (B, h, N, d)
    scores = q @ k.transpose(-2, -1) / scale(q.shape[-1], num_heads)  # -> (B, h, N, N)
    return projection(join(scores.softmax(dim=softmax_over) @ v))


def _with(**step: Any) -> Callable[..., Tensor]:
    """Return attention with one step done in another way."""
    return lambda x, qkv, projection, num_heads: _step_by_step(x, qkv, projection, num_heads, **step)


def _bare(x: Tensor, h: int) -> Tensor:
    return x.reshape(x.shape[0], h, x.shape[1], x.shape[2] // h)


def _unprojected(x: Tensor, qkv: nn.Linear, projection: nn.Linear, num_heads: int) -> Tensor:
    return _step_by_step(x, qkv, nn.Identity(), num_heads)


def _every_head_with_its_own_three(t: Tensor, h: int) -> list[Tensor]:
    cut = t.unflatten(-1, (h, 3, -1))  # (B, N, 3 D) -> (B, N, h, 3, d)
    return [cut[:, :, :, index].flatten(2) for index in range(3)]


def _every_third(t: Tensor, h: int) -> list[Tensor]:
    return [t[..., index::3] for index in range(3)]


def _all_weights(x: Tensor, qkv: nn.Linear, num_heads: int) -> Tensor:
    q, k, _ = (_split(t, num_heads) for t in qkv(x).chunk(3, dim=-1))
    return package.attention_weights(q, k)  # (B, h, N, N)


def _weights_alone(x: Tensor, qkv: nn.Linear, projection: nn.Linear, num_heads: int) -> Tensor:
    return _all_weights(x, qkv, num_heads)


def _with_weights(
    x: Tensor, qkv: nn.Linear, projection: nn.Linear, num_heads: int, change: Callable[[Tensor], Tensor]
) -> Tensor:
    values = _split(qkv(x).chunk(3, dim=-1)[2], num_heads)
    return projection((change(_all_weights(x, qkv, num_heads)) @ values).transpose(1, 2).flatten(2))


multi_head_attention = Exercise(
    "multi_head_attention",
    _pytorchs,
    _attention_layer_examples,
    (
        Mistake(
            "heads split by a bare reshape",
            "The heads are cut with one reshape: the shape is right, but head 0 then gets the first *tokens* in place "
            "of the first *channels*. Use what you wrote in exercise 3.",
            _with(split=_bare),
            _with(split=_bare, join=lambda heads: heads.reshape(heads.shape[0], heads.shape[2], -1)),
        ),
        Mistake(
            "joined by a bare reshape",
            "The heads are right, but they are joined with one reshape: (B, h, N, d) is then read in its own order, "
            "and a token gets numbers of other tokens. Before the reshape, N and h must change places.",
            _with(join=lambda heads: heads.reshape(heads.shape[0], heads.shape[2], -1)),
        ),
        Mistake(
            "heads cut in another way",
            "The width D of the queries, keys and values is cut in another way. Head 0 gets the first D / num_heads "
            "channels, head 1 the next, and so on: in the reshape the heads come first, then their channels.",
            _with(split=lambda t, h: _interleaved(t, h).transpose(1, 2)),
            _with(split=lambda t, h: _interleaved(t, h).permute(0, 3, 1, 2)),
            _with(
                split=lambda t, h: _interleaved(t, h).permute(0, 3, 1, 2),
                join=lambda heads: heads.permute(0, 2, 3, 1).flatten(2),
            ),
        ),
        Mistake(
            "tokens attend among their own heads",
            "N and h were not exchanged. A matrix product works on the last two axes, so in (B, N, h, d) each token "
            "compares its own heads with each other and never sees another token. No error is raised.",
            _with(split=_cut, join=lambda heads: heads.flatten(2)),
        ),
        Mistake(
            "scaled by the model width",
            "You divide by the root of the model width D = h · d. A dot product of one head has only d terms, so its "
            "variance grows with d, not with D. With one head alone nobody notices.",
            _with(scale=lambda d, h: math.sqrt(d * h)),
        ),
        Mistake(
            "not scaled",
            "The scores go into the softmax as they are. Divide them by the root of the width of a head first.",
            _with(scale=lambda d, h: 1.0),
        ),
        Mistake(
            "divided by d, not by its root",
            "You divide the scores by d. It is their variance that is d: divide by its root.",
            _with(scale=lambda d, h: float(d)),
        ),
        Mistake(
            "the output projection is missing",
            "The heads are joined correctly, and there you stop. One linear map is left: the output projection, which "
            "mixes what the heads have found.",
            _unprojected,
        ),
        Mistake(
            "a bias is forgotten",
            "A layer is more than its weight: nn.Linear also adds a bias. Call the layer, as in `projection(x)`.",
            lambda x, qkv, projection, h: _step_by_step(x, qkv, lambda t: F.linear(t, projection.weight), h),
            lambda x, qkv, projection, h: _step_by_step(x, lambda t: F.linear(t, qkv.weight), projection, h),
            lambda x, qkv, projection, h: _step_by_step(
                x, lambda t: F.linear(t, qkv.weight), lambda t: F.linear(t, projection.weight), h
            ),
        ),
        Mistake(
            "the input is added",
            "You add the input to the result. A block of a Vision Transformer does that (the next lesson), attention "
            "itself does not.",
            lambda x, qkv, projection, h: x + _step_by_step(x, qkv, projection, h),
        ),
        Mistake(
            "softmax over the wrong axis",
            "The softmax runs over the queries or over the heads. Each query (row) divides its attention among the "
            "keys: the last axis.",
            _with(softmax_over=-2),
            _with(softmax_over=1),
            _with(softmax_over=0),
        ),
        Mistake(
            "queries, keys and values in another order",
            "The large map gives first all queries, then all keys, then all values. Your code takes them in another "
            "order.",
            *(_with(order=order) for order in ((1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1))),
        ),
        Mistake(
            "the result of the large map is cut in another way",
            "Your code cuts the 3 D numbers of a token in another way. They lie as D queries, D keys, D values, and "
            "only within each of them lie the heads: first cut in three, then into heads.",
            _with(parts=_every_head_with_its_own_three),
            _with(parts=_every_third),
        ),
        Mistake(
            "one head only",
            "All is right for one head of the full width D. Here are num_heads heads, each of width D / num_heads, and "
            "each with its own weights.",
            lambda x, qkv, projection, h: _step_by_step(x, qkv, projection, 1),
            lambda x, qkv, projection, h: _step_by_step(x, qkv, projection, 1, scale=lambda d, _: math.sqrt(d / h)),
        ),
        Mistake(
            "heads averaged or added",
            "You average the heads or add them up. They are *joined*: laid side by side, their h times d numbers "
            "make the D numbers of a token again.",
            _with(join=lambda heads: heads.mean(dim=1)),
            _with(join=lambda heads: heads.sum(dim=1)),
            _with(join=lambda heads: heads.mean(dim=1).repeat(1, 1, heads.shape[1])),
            _with(join=lambda heads: heads.sum(dim=1).repeat(1, 1, heads.shape[1])),
        ),
        Mistake(
            "the weights in place of the tokens",
            "These are the weights (B, h, N, N). They still have to take the values, be joined and projected.",
            _weights_alone,
        ),
        Mistake(
            "the weights are returned too",
            "The first of your two results is right, the second is one too many: return the new tokens alone.",
            lambda *arguments: (_step_by_step(*arguments), _weights_alone(*arguments)),
        ),
        Mistake(
            "images and tokens exchanged",
            "Here tokens attend to the tokens at the same place in the *other images*, not to those of their own. "
            "The order is (B, N, D): images first.",
            lambda x, qkv, projection, h: _pytorchs(x.transpose(0, 1), qkv, projection, h).transpose(0, 1),
        ),
        Mistake(
            "PyTorch's own multi-head attention",
            "The result is right, but PyTorch made it. Here the point is to write it, step by step.",
            lambda x, qkv, projection, h: _pytorchs(x, qkv, projection, h),
        ),
        Mistake(
            "the output projection twice",
            "The output projection is applied twice.",
            lambda x, qkv, projection, h: projection(_step_by_step(x, qkv, projection, h)),
        ),
        Mistake(
            "the weights turned round",
            "The weights are turned round before they take the values. Row i of the weights belongs to query i: "
            "weights @ values.",
            lambda x, qkv, projection, h: _with_weights(x, qkv, projection, h, lambda w: w.mT),
        ),
        Mistake(
            "the input in place of the values",
            "You mix the tokens themselves. Each has a value, the last third of what `qkv` gives: these are mixed.",
            lambda x, qkv, projection, h: projection(
                (_all_weights(x, qkv, h) @ _split(x, h)).transpose(1, 2).flatten(2)
            ),
        ),
    ),
    "It equals PyTorch's nn.MultiheadAttention, for any number of images, tokens and heads.",
    forbidden=("multi_head_attention_forward", "_native_multi_head_attention"),
    no_loop=((_random(2, 5, 12), *_layers(12, 1), 2), (_random(3, 7, 12), *_layers(12, 1), 6)),
)
