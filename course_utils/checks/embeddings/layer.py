"""The embedding layer as a whole."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.core import Exercise, Mistake
from course_utils.checks.embeddings.class_token import class_token_first
from course_utils.model.patches import patchify


def _linear(images: Tensor, patch_size: int, weight: Tensor, bias: Tensor) -> Tensor:
    return patchify(images, patch_size) @ weight.T + bias  # (B, C, H, W) -> (B, N, D)


def _embed(
    images: Tensor, patch_size: int, weight: Tensor, bias: Tensor, class_token: Tensor, position_code: Tensor
) -> Tensor:
    return class_token_first(_linear(images, patch_size, weight, bias), class_token) + position_code


def _images_and_numbers() -> list[tuple[Any, ...]]:
    """One image of two patches to follow by hand; then batches in which no two sizes are the same."""
    torch.manual_seed(0)
    image = torch.tensor([[[[1.0, 2.0, 0.0, 0.0], [3.0, 4.0, 0.0, 1.0]]]])  # (1, 1, 2, 4)
    weight = torch.tensor([[0.25, 0.25, 0.25, 0.25], [-0.5, 0.5, -0.5, 0.5], [0.0, 0.0, 0.0, 1.0]])
    bias, class_token = torch.tensor([0.0, 1.0, 0.5]), torch.tensor([[[7.0, -7.0, 0.25]]])
    codes = torch.tensor([[[0.1, 0.2, 0.3], [10.0, 20.0, 30.0], [100.0, 200.0, 300.0]]])
    examples: list[tuple[Any, ...]] = [(image, 2, weight, bias, class_token, codes)]
    for b, c, height, width, p, d in ((3, 2, 4, 10, 2, 5), (2, 3, 9, 6, 3, 4)):
        n = height // p * (width // p)
        numbers = ((d, c * p * p), (d,), (1, 1, d), (1, n + 1, d))
        examples.append((torch.randn(b, c, height, width), p, *(torch.randn(shape) for shape in numbers)))
    return examples


def _cut(images: Tensor, patch_size: int, order: str) -> Tensor:
    """Cut patches with the axes b, h (rows), w (columns), c, p, q in another order: (B, N, C*P*P)."""
    b, c, height, width = images.shape
    p = patch_size
    split = images.reshape(b, c, height // p, p, width // p, p)
    moved = split.permute([*map("bchpwq".index, order)])
    return moved.reshape(b, height // p * (width // p), c * p * p)


embed = Exercise(
    "embed",
    _embed,
    _images_and_numbers,
    (
        Mistake(
            "patches cut by a bare reshape",
            "The shapes fit, but the patches are not patches: a bare reshape takes the pixels row by row. Cut with "
            "`patchify`.",
            lambda i, p, w, b, c, e: class_token_first(i.reshape(len(i), -1, w.shape[1]) @ w.T + b, c) + e,
        ),
        Mistake(
            "a bare reshape of a convolution",
            "A convolution gives (B, D, rows, columns), and a bare reshape to (B, N, D) mixes the numbers of several "
            "tokens. Flatten the grid, then exchange the last two axes.",
            lambda i, p, w, b, c, e: (
                class_token_first(F.conv2d(i, w.reshape(len(w), -1, p, p), b, p).reshape(len(i), -1, len(w)), c) + e
            ),
        ),
        Mistake(
            "patches in another order",
            "The numbers in your patches, or the patches themselves, stand in another order than in `patchify`: "
            "patches row by row, and in each patch channel, row, column.",
            *(
                lambda i, p, w, b, c, e, order=order: class_token_first(_cut(i, p, order) @ w.T + b, c) + e
                for order in ("bhwpqc", "bwhcpq", "bhwcqp", "bhwqpc")
            ),
        ),
        Mistake(
            "weight not turned round",
            "The weight has the shape (D, C*P*P), and the patches (B, N, C*P*P). To get D numbers for each patch, the "
            "sum must run over C*P*P: turn the weight round.",
            lambda i, p, w, b, c, e: patchify(i, p) @ w,
            lambda i, p, w, b, c, e: patchify(i, p).mT.contiguous().mT @ w,
        ),
        Mistake(
            "no bias",
            "The bias is missing: a token is the matrix times the patch, plus the bias.",
            lambda i, p, w, b, c, e: class_token_first(patchify(i, p) @ w.T, c) + e,
        ),
        Mistake(
            "the bias added to the class token too",
            "The class token gets the bias as well. The bias belongs to the linear projection of patches, and the "
            "class token does not come from a patch.",
            lambda i, p, w, b, c, e: class_token_first(patchify(i, p) @ w.T, c) + b + e,
        ),
        Mistake(
            "no position codes",
            "The position codes are not in the result: these tokens do not know where they stand.",
            lambda i, p, w, b, c, e: class_token_first(_linear(i, p, w, b), c),
        ),
        Mistake(
            "no class token",
            "The class token is missing. There are N patch tokens, but N + 1 codes, so the two do not fit: put the "
            "class token in front before you add the codes.",
            lambda i, p, w, b, c, e: _linear(i, p, w, b) + e,
            lambda i, p, w, b, c, e: _linear(i, p, w, b) + e[:, 1:],
            lambda i, p, w, b, c, e: _linear(i, p, w, b) + e[:, :-1],
            lambda i, p, w, b, c, e: _linear(i, p, w, b),
        ),
        Mistake(
            "the class token without its code",
            "The patches have their codes, but the class token has none. Its code is the first row of `position_code`.",
            lambda i, p, w, b, c, e: class_token_first(_linear(i, p, w, b) + e[:, 1:], c),
        ),
        Mistake(
            "codes moved by one",
            "The codes are moved by one: the first row of `position_code` belongs to the class token, the second to "
            "the first patch.",
            lambda i, p, w, b, c, e: class_token_first(_linear(i, p, w, b) + e[:, :-1], c),
            lambda i, p, w, b, c, e: class_token_first(_linear(i, p, w, b), c) + e.roll(-1, 1),
            lambda i, p, w, b, c, e: class_token_first(_linear(i, p, w, b), c) + e.roll(1, 1),
        ),
        Mistake(
            "the class token at the end",
            "The class token stands behind the patches. It belongs in front, at index 0, and so does its code.",
            lambda i, p, w, b, c, e: torch.cat([t := _linear(i, p, w, b), c.expand(len(t), -1, -1)], dim=1) + e,
            lambda i, p, w, b, c, e: torch.cat(
                [t := _linear(i, p, w, b) + e[:, 1:], (c + e[:, :1]).expand(len(t), -1, -1)], 1
            ),
            lambda i, p, w, b, c, e: torch.cat([_linear(i, p, w, b), c], dim=1) + e,
        ),
        Mistake(
            "the class token not repeated for each image",
            "For one image it works; for a batch it stops. Every image needs a copy of the class token in front of its "
            "own patches.",
            lambda i, p, w, b, c, e: torch.cat([c, _linear(i, p, w, b)], dim=1) + e,
        ),
        Mistake(
            "zeros in place of the class token",
            "A token of zeros stands in front (plus its code). The class token is learned: use the one that your "
            "function is given.",
            lambda i, p, w, b, c, e: F.pad(_linear(i, p, w, b), (0, 0, 1, 0)) + e,
        ),
        Mistake(
            "a projection of its own",
            "You make a new linear map, which has random numbers of its own. Use the `weight` and the `bias` that your "
            "function is given.",
            lambda i, p, w, b, c, e: class_token_first(nn.Linear(*reversed(w.shape))(patchify(i, p)), c) + e,
        ),
        Mistake(
            "codes multiplied",
            "You multiply by the codes. They are added: a code of zeros must leave a token as it is.",
            lambda i, p, w, b, c, e: class_token_first(_linear(i, p, w, b), c) * e,
        ),
        Mistake(
            "codes joined along the width",
            "The codes are joined to the tokens, so each token is 2D long. Add them: the width stays D.",
            lambda i, p, w, b, c, e: torch.cat(
                [class_token_first(_linear(i, p, w, b), c), e.expand(len(i), -1, -1)], -1
            ),
        ),
        Mistake(
            "the same code for all tokens",
            "All tokens get the same code. `position_code` has a row for each of them.",
            lambda i, p, w, b, c, e: class_token_first(_linear(i, p, w, b), c) + e[:, :1],
            lambda i, p, w, b, c, e: class_token_first(_linear(i, p, w, b), c) + e.mean(1, keepdim=True),
        ),
        Mistake(
            "one image only",
            "You return the tokens of the first image only. Keep the axis of the batch: (B, N + 1, D).",
            lambda i, p, w, b, c, e: _embed(i, p, w, b, c, e)[0],
            lambda i, p, w, b, c, e: _embed(i, p, w, b, c, e)[:1],
        ),
        Mistake(
            "the codes added twice",
            "The position codes are in the result twice. Add them once, to all tokens together.",
            lambda i, p, w, b, c, e: _embed(i, p, w, b, c, 2 * e),
            lambda i, p, w, b, c, e: _embed(i, p, w, b, c, e) + F.pad(e[:, 1:], (0, 0, 1, 0)),
        ),
        Mistake(
            "a ReLU behind the projection",
            "Negative numbers are cut off behind the projection. The embedding is linear: a matrix and a bias, "
            "nothing else.",
            lambda i, p, w, b, c, e: class_token_first(_linear(i, p, w, b).relu(), c) + e,
            lambda i, p, w, b, c, e: _embed(i, p, w, b, c, e).relu(),
            lambda i, p, w, b, c, e: class_token_first(F.gelu(_linear(i, p, w, b)), c) + e,
        ),
    ),
    "It is the whole embedding layer: for any batch, image size, patch size and width.",
)
