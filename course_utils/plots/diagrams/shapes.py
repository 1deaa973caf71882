"""What several diagrams share: the colour of each part of the model, and small helpers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from course_utils.model.config import ViTConfig
from course_utils.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

Bar = tuple[str, str]  # words and colour

PATCH, TOKEN, CLASS, POSITION, ATTENTION, MLP, NORM = SKY, BLUE, VERMILLION, PURPLE, GREEN, ORANGE, GREY


def spread(left: float, right: float, widths: Sequence[float]) -> list[float]:
    """Return the centres of boxes that fill a line with equal gaps."""
    gap = (right - left - sum(widths)) / max(len(widths) - 1, 1)
    return [left + sum(widths[:i]) + gap * i + width / 2 for i, width in enumerate(widths)]


def token_rows(config: ViTConfig) -> tuple[list[Bar], list[Bar], list[Bar]]:
    """Return bars for the tokens before the patches, for the patches (first ones and last), and for all their codes."""
    n, before = config.num_patches, config.num_prefix_tokens
    prefix, codes = [], []
    if config.has_class_token:
        prefix, codes = [("class", CLASS)], ["code 0"]
    if config.num_registers:
        prefix.append((f"{config.num_registers} reg.", GREY))
        codes.append(f"code {before - 1}" if config.num_registers == 1 else "⋮")
    first = 2 if len(prefix) == 2 else 3
    shown = list(range(n)) if n <= first + 2 else [*range(first), -1, n - 1]  # -1: left out
    patches = [("⋮" if i < 0 else f"patch {i}", TOKEN) for i in shown]
    codes += ["⋮" if i < 0 else f"code {before + i}" for i in shown]
    return prefix, patches, [(code, POSITION) for code in codes]


def words_of(values: Tensor | np.ndarray, form: str = "") -> list[list[str]]:
    """Return the numbers of a matrix as words."""
    return [[format(value, form) for value in row] for row in values.tolist()]
