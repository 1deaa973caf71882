"""Lesson 02 (embeddings): the tokens that enter the encoder."""

from __future__ import annotations

from matplotlib.figure import Figure

from course_utils.model.config import ViTConfig
from course_utils.model.embeddings import POSITION_CODES
from course_utils.plots.diagrams.shapes import CLASS, POSITION, spread, token_rows
from course_utils.plots.drawing import Page
from course_utils.plots.style import styled


@styled
def embedding_sum(config: ViTConfig) -> Figure:
    """Draw how the sequence is made: class token in front of the patch tokens, position codes added token by token.

    Args:
        config: The model's settings; its position codes must be of the kind that is added.

    Returns:
        The figure.

    Raises:
        ValueError: This config adds no position codes to the tokens.
    """
    if POSITION_CODES[config.position].added(config) is None:
        raise ValueError(f"With position {config.position!r} no codes are added: choose 'learned' or 'sincos2d'.")
    prefix, patches, codes = token_rows(config)
    n, total, d, tokens = config.num_patches, config.num_tokens, config.embed_dim, prefix + patches
    page = Page(
        (10, 3.7),
        "The tokens that enter the encoder",
        f"{n} patch tokens of {d} numbers"
        f"{', other tokens put in front of them' if prefix else ''}, plus {total} position codes, one for each token: "
        f"{total} tokens go into the encoder.",
    )
    wide, tall, top = 1.15, 0.34, 2.65
    xs = spread(0.5, 9.5, [wide, *[wide] * bool(prefix), 0.3, wide, 0.3, 2.0])
    y, foot = top - tall * (len(tokens) // 2 + 0.5), top - tall * len(tokens) - 0.25
    first = page.rows(xs[0], top - tall * len(prefix), patches, wide, tall)
    columns = [(xs[0], "patch tokens", n)]
    if prefix:
        second = page.rows(xs[1], top, tokens, wide, tall)
        page.chain([first, second], y)
        columns.append((xs[1], "class token\nin front" if prefix[0][1] == CLASS else "registers\nin front", total))
    page.rows(xs[-3], top, codes, wide, tall)
    page.sign(xs[-4], y)
    page.sign(xs[-2], y, "=")
    sums = [
        (f"{a} + {b}" if "⋮" not in a + b else "⋮", colour) for (a, colour), (b, _) in zip(tokens, codes, strict=True)
    ]
    page.rows(xs[-1], top, sums, 2.0, tall, linewidth=2.5, edgecolor=POSITION)
    columns += [(xs[-3], "position codes", total), (xs[-1], "into the encoder", total)]
    for x, name, count in columns:
        page.text(x, top + 0.12, name, va="bottom")
        page.shape(x, foot, count, d)
    return page.figure
