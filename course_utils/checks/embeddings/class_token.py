"""The class token in front."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.core import Exercise, Mistake


def class_token_first(tokens: Tensor, class_token: Tensor) -> Tensor:
    """Put a copy of the class token in front of the tokens of every image."""
    return torch.cat([class_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)  # -> (B, N + 1, D)


def _tokens_and_class_token() -> list[tuple[Tensor, Tensor]]:
    """The smallest example has a batch of one: what is right there may be wrong for more images."""
    torch.manual_seed(0)
    small = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]), torch.tensor([[[9.0, 8.0]]])
    return [small, (torch.randn(3, 4, 5), torch.randn(1, 1, 5)), (torch.randn(2, 6, 3), torch.randn(1, 1, 3))]


add_class_token = Exercise(
    "add_class_token",
    class_token_first,
    _tokens_and_class_token,
    (
        Mistake(
            "appended at the end",
            "The class token stands behind the patches. Everything that follows looks for it at index 0, and the "
            "position codes would go to the wrong tokens.",
            lambda t, c: torch.cat([t, c.expand(len(t), -1, -1)], dim=1),
            lambda t, c: torch.cat([t, c], dim=1),
        ),
        Mistake(
            "not repeated for each image",
            "For one image it works; for a batch it stops. There is one class token, of shape (1, 1, D), but every "
            "image of the batch needs a copy of it in front of its own patches.",
            lambda t, c: torch.cat([c, t], dim=1),
        ),
        Mistake(
            "joined along the width",
            "You join along the width D: each token would get longer. The class token is a token of its own, so the "
            "sequence must get longer. Which axis is the sequence?",
            lambda t, c: torch.cat([c.expand_as(t), t], dim=2),
            lambda t, c: torch.cat([t, c.expand_as(t)], dim=2),
            lambda t, c: torch.cat([c.expand(len(t), -1, -1), t], dim=2),
            lambda t, c: torch.cat([c, t], dim=2),
            lambda t, c: torch.cat([c, t], dim=-1),
            lambda t, c: torch.cat([c.expand(len(t), -1, -1), t], dim=-1),
        ),
        Mistake(
            "joined along the batch",
            "You join along the batch: that makes one more image. The class token is one more token of every image.",
            lambda t, c: torch.cat([c.expand(1, *t.shape[1:]), t], dim=0),
            lambda t, c: torch.cat([c, t], dim=0),
            lambda t, c: torch.cat([c, t]),
        ),
        Mistake(
            "added instead of put in front",
            "You add the class token to every patch token: the shape stays (B, N, D). Adding is for position codes. "
            "Here the sequence must become one token longer.",
            lambda t, c: t + c,
        ),
        Mistake(
            "put over the first patch",
            "The class token takes the place of the first patch, so this patch is lost: N tokens went in, N came out. "
            "There should be N + 1.",
            lambda t, c: torch.cat([c.expand(len(t), -1, -1), t[:, 1:]], dim=1),
        ),
        Mistake(
            "one class token for each patch",
            "There are now 2N tokens: a class token for every patch. An image needs only one: check what each axis is "
            "expanded to.",
            lambda t, c: torch.cat([c.expand_as(t), t], dim=1),
        ),
        Mistake(
            "a new token instead of the given one",
            "The shape is right, but a token of zeros stands in front. The class token is learned, so use the one "
            "that your function is given.",
            lambda t, c: F.pad(t, (0, 0, 1, 0)),
        ),
        Mistake(
            "only the first image gets it",
            "Only the first image gets the class token, the others get something else. Every image needs a copy of it.",
            lambda t, c: torch.cat([torch.cat([c, torch.zeros(len(t) - 1, *c.shape[1:])]), t], dim=1),
        ),
    ),
    "Each image has the class token at index 0 and its patches behind it, in their order, for any batch.",
)
