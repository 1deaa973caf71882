"""A forward pass to mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake
from course_utils.model.patches import patchify


def _parts() -> nn.ModuleDict:
    """Make the parts of the patient to mend: three patches on a row, width 4, three classes."""
    torch.manual_seed(3)
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, norm_first=True)
    parts = nn.ModuleDict(
        {
            "embed": nn.Linear(12, 4),
            "encoder": nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
            "head": nn.Linear(4, 3),
        }
    )
    parts.class_token = nn.Parameter(torch.randn(1, 1, 4))  # type: ignore[assignment]
    parts.codes = nn.Parameter(torch.randn(1, 7, 4))  # type: ignore[assignment]
    return parts


def _mended(
    *,
    tokens: Callable[[Any, Tensor], Tensor] | None = None,
    axes: Callable[[Any, Tensor], Tensor] | None = None,
    read: Callable[[Tensor], Tensor] = lambda x: x[:, 0],
    end: Callable[[Tensor], Tensor] = lambda logits: logits,
) -> Callable[[Any, Tensor], Tensor]:
    """Make a forward pass; each part of it can be done wrongly."""
    encode = axes or _through_the_encoder
    build = tokens or _tokens

    def mended_logits(parts: Any, images: Tensor) -> Tensor:
        return end(parts.head(read(encode(parts, build(parts, images)))))

    return mended_logits


def _through_the_encoder(parts: Any, x: Tensor) -> Tensor:
    return parts.encoder(x.transpose(0, 1)).transpose(0, 1)  # (B, N, D) -> (N, B, D) -> (B, N, D)


def _embedded(parts: Any, images: Tensor) -> Tensor:
    return parts.embed(patchify(images, 2))  # (B, C, H, W) -> (B, N - 1, D)


def _tokens(parts: Any, images: Tensor) -> Tensor:
    patches = _embedded(parts, images)
    return torch.cat([parts.class_token.expand(len(patches), -1, -1), patches], dim=1) + parts.codes  # -> (B, N, D)


def _class_last(parts: Any, images: Tensor) -> Tensor:
    patches = _embedded(parts, images)
    return torch.cat([patches, parts.class_token.expand(len(patches), -1, -1)], dim=1) + parts.codes


def _without_codes(parts: Any, images: Tensor) -> Tensor:
    return _tokens(parts, images) - parts.codes


def _one_code(parts: Any, images: Tensor) -> Tensor:
    return _without_codes(parts, images) + parts.codes[:, :1]


def _patches_coded_only(parts: Any, images: Tensor) -> Tensor:
    patches = _embedded(parts, images) + parts.codes[:, 1:]
    return torch.cat([parts.class_token.expand(len(patches), -1, -1), patches], dim=1)


def _codes_cut(parts: Any, images: Tensor) -> Tensor:
    return _without_codes(parts, images).detach() + parts.codes


def _bare_patches(parts: Any, images: Tensor) -> Tensor:
    patches = parts.embed(images.reshape(len(images), -1, 12))
    return torch.cat([parts.class_token.expand(len(patches), -1, -1), patches], dim=1) + parts.codes


def _over_the_batch(parts: Any, x: Tensor) -> Tensor:
    return parts.encoder(x)


def _reshaped(parts: Any, x: Tensor) -> Tensor:
    b, n, d = x.shape
    return parts.encoder(x.reshape(n, b, d)).reshape(b, n, d)


def _masked(parts: Any, x: Tensor) -> Tensor:
    mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
    return parts.encoder(x.transpose(0, 1), mask=mask).transpose(0, 1)


mended_logits = Exercise(
    "mended_logits",
    _mended(),
    lambda: [
        (_parts(), torch.randn(b, 3, 4, 6, generator=torch.Generator().manual_seed(seed)))
        for b, seed in ((2, 1), (3, 2), (1, 3))
    ],
    (
        Mistake(
            "the class token sees itself alone",
            "The class token sees no patch, so all images get the same logits. This encoder was made without "
            "batch_first: it takes (N, B, D). Given (B, N, D) it lets the images look at each other. Exchange the axes "
            "before, and back after. (A causal mask would do the same harm.)",
            _mended(axes=_over_the_batch),
            _mended(axes=_over_the_batch, end=lambda logits: logits.softmax(dim=-1)),
            _mended(axes=_masked),
        ),
        Mistake(
            "the axes are not changed back",
            "Behind the encoder the axes are still (N, B, D), so you read all tokens of the first image. Exchange them "
            "back before you take the class token.",
            _mended(axes=lambda parts, x: parts.encoder(x.transpose(0, 1))),
        ),
        Mistake(
            "a reshape in place of a transpose",
            "reshape does not exchange axes: it cuts the same row of numbers into other pieces, and mixes images and "
            "tokens. Use transpose(0, 1).",
            _mended(axes=_reshaped),
        ),
        Mistake(
            "softmax at the end",
            "A softmax is still at the end. Cross-entropy takes logits; with a softmax before it one batch stops at "
            "ln(1 + (K - 1)/e).",
            _mended(end=lambda logits: logits.softmax(dim=-1)),
            _mended(end=lambda logits: logits.log_softmax(dim=-1)),
            _mended(end=lambda logits: logits.softmax(dim=0)),
        ),
        Mistake(
            "no position codes",
            "parts.codes is not in use: the patches may change places, and nothing changes. Add it to the tokens.",
            _mended(tokens=_without_codes),
        ),
        Mistake(
            "one code for all",
            "All tokens get the same code. parts.codes is (1, N, D), one row for each token: add all of it.",
            _mended(tokens=_one_code),
        ),
        Mistake(
            "the class token has no code",
            "parts.codes has N rows, the first of them for the class token. Put the class token in front first, then "
            "add the codes.",
            _mended(tokens=_patches_coded_only),
        ),
        Mistake(
            "the class token stands last",
            "You put the class token behind the patches. It should stand in front, and be read from there.",
            _mended(tokens=_class_last),
            _mended(tokens=_class_last, read=lambda x: x[:, -1]),
        ),
        Mistake(
            "another token is read",
            "You read the last token, or the mean of all. The head wants the class token: the first one.",
            _mended(read=lambda x: x[:, -1]),
            _mended(read=lambda x: x.mean(dim=1)),
            _mended(read=lambda x: x[:, 1:].mean(dim=1)),
        ),
        Mistake(
            "patches by a bare reshape",
            "Your patches come from a reshape alone: each holds rows of one channel. Use patchify(images, 2).",
            _mended(tokens=_bare_patches),
        ),
        Mistake(
            "the gradient is cut off",
            "The logits are right, but no gradient comes through to all parts: leave out detach, .data and no_grad.",
            _mended(tokens=_codes_cut),
            _mended(end=lambda logits: logits.detach()),
        ),
    ),
    "Three slips are mended: the axes, the codes, and the end.",
)
