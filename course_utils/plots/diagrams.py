"""Diagrams of the course: what is built, in which order, and how its parts work.

The same thing has the same colour everywhere; the words beside it say it too. Shapes are computed from what is given.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.analysis.attention_maps import rollout
from course_utils.lessons import LESSONS, Lesson, span
from course_utils.model.config import ViTConfig
from course_utils.model.patches import patchify
from course_utils.plots.drawing import ROW, Box, Page, tint
from course_utils.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    display_array,
    mosaic,
    styled,
)

Bar = tuple[str, str]  # words and colour

PATCH, TOKEN, CLASS, POSITION, ATTENTION, MLP, NORM = SKY, BLUE, VERMILLION, PURPLE, GREEN, ORANGE, GREY

# Year and month of the first arXiv version (the number begins with both), name, authors, what it added.
PAPERS = (
    (1409, "Attention", "Bahdanau et al.", "in translation, each word\nweighs all input words"),
    (1706, "Transformer", "Vaswani et al.", "attention and MLPs alone,\nno recurrence"),
    (2010, "ViT", "Dosovitskiy et al.", "an image is a sequence\nof patches"),
    (2012, "DeiT", "Touvron et al.", "a recipe and distillation:\nImageNet alone is enough"),
    (2103, "CLIP", "Radford et al.", "images and texts\nin one space"),
    (2103, "Swin", "Liu et al.", "windows: cost grows\nlinearly with the area"),
    (2104, "DINO", "Caron et al.", "learns without labels,\nfrom its own average"),
    (2111, "MAE", "He et al.", "hides most patches,\nlearns to fill them in"),
)


def _spread(left: float, right: float, widths: Sequence[float]) -> list[float]:
    """Return the centres of boxes that fill a line with equal gaps."""
    gap = (right - left - sum(widths)) / max(len(widths) - 1, 1)
    return [left + sum(widths[:i]) + gap * i + width / 2 for i, width in enumerate(widths)]


def _token_rows(config: ViTConfig) -> tuple[list[Bar], list[Bar], list[Bar]]:
    """Return bars for the tokens before the patches, for the patches (first ones and last), and for all their codes."""
    n, before = config.num_patches, config.num_prefix_tokens
    prefix, codes = [], []
    if config.pooling == "class_token":
        prefix, codes = [("class", CLASS)], ["code 0"]
    if config.num_registers:
        prefix.append((f"{config.num_registers} reg.", GREY))
        codes.append(f"code {before - 1}" if config.num_registers == 1 else "⋮")
    first = 2 if len(prefix) == 2 else 3
    shown = list(range(n)) if n <= first + 2 else [*range(first), -1, n - 1]  # -1: left out
    patches = [("⋮" if i < 0 else f"patch {i}", TOKEN) for i in shown]
    codes += ["⋮" if i < 0 else f"code {before + i}" for i in shown]
    return prefix, patches, [(code, POSITION) for code in codes]


@styled
def pipeline(config: ViTConfig, image: Tensor | None = None) -> Figure:
    """Draw the whole Vision Transformer, from an image to class scores, with the shape at every station.

    Args:
        config: The model's settings: all numbers of the picture come from here.
        image: (C, H, W), uint8, or floats from 0 to 1, of the size that the config says. None: a plain square.

    Returns:
        The figure.

    Raises:
        ValueError: The image has another shape than the config says.
    """
    size = config.in_channels, config.image_height, config.image_width
    n, d, p = config.num_patches, config.embed_dim, config.patch_size
    if image is not None and tuple(image.shape) != size:
        raise ValueError(f"The config wants an image of shape {size}, not {tuple(image.shape)}.")
    if image is None:
        image = torch.tensor(tint(PATCH, 0.6))[: size[0], None, None].expand(size)
    prefix, patches, codes = _token_rows(config)
    pooled, bar = {
        "class_token": ("class token", ("class", CLASS)),
        "mean": ("mean of the\npatch tokens", ("mean", TOKEN)),
        "attention": ("weighted mean of\nthe patch tokens", ("mean", TOKEN)),
    }[config.pooling]
    in_front = " and ".join(
        ["class token"] * (config.pooling == "class_token") + ["registers"] * bool(config.num_registers)
    )
    page = Page(
        (10, 5.6),
        "The Vision Transformer, from an image to class scores",
        f"A Vision Transformer in two rows. First: an image of shape {size} is cut into {n} patches of "
        f"{config.patch_dim} numbers, and a linear projection makes of each a token of {d} numbers"
        f"{f'; {in_front} in front, that is {config.num_tokens} tokens' if prefix else ''}. Second: the tokens go "
        f"through an encoder of {config.depth} blocks, then the {pooled.replace(chr(10), ' ')} "
        + (
            f"goes to the head, which gives {config.num_classes} class scores."
            if config.num_classes
            else "is the output."
        ),
    )

    def station(name: str, x: float, y: float, *shape: int) -> None:
        page.text(x, y + 0.84, name, va="bottom")
        page.shape(x, y - 1.02, *shape)

    # The first row: from the image to the sequence.
    y, top, added = 3.75, 2.5 * ROW, config.position in ("learned", "sincos2d")  # the third bar is level with y
    xs = _spread(0.25, 9.75, [1.5, 1.5, 1.1, 0.8, *[0.8] * bool(prefix), *([0.3, 0.8] if added else [0.0])])
    scale = 1.5 / max(size[1:])
    whole = page.picture(Box(xs[0], y, size[2] * scale, size[1] * scale), display_array(image))
    tiles = np.stack([display_array(patch.reshape(size[0], p, p)) for patch in patchify(image, p)])
    tiles = mosaic(tiles.reshape(*config.grid, *tiles.shape[1:]), max(1, p // 4), fill=1.0)
    stops = [whole, page.picture(whole._replace(x=xs[1]), tiles), page.linear(xs[2], y, 1.1, "linear\nprojection")]
    station("image", xs[0], y, *size)
    station(f"{n} patches", xs[1], y, n, config.patch_dim)
    stops.append(page.rows(xs[3], y + top - ROW * len(prefix), patches))  # level with the same patches further right
    station("patch tokens", xs[3], y, n, d)
    if prefix:
        stops.append(page.rows(xs[4], y + top, prefix + patches))
        station(f"{in_front}\nin front".replace(" and ", "\nand "), xs[4], y, config.num_tokens, d)
    if added:
        stops.append(page.sign(xs[-2], y))
        page.arrow((page.rows(xs[-1], y + top, codes).left[0], y), stops[-1].right)
        station("position\ncodes", xs[-1], y, config.num_tokens, d)
    page.chain(stops, y)
    leave = [stops[-1].bottom] if added else [(stops[-1].right[0], y), (xs[-1], y)]

    # The second row: from the sequence to the scores.
    y = 1.25
    widths = [3.7, 0.8, 0.8, 0.75, 1.1][: 5 if config.num_classes else 3]
    xs = _spread(0.75, 9.75 if config.num_classes else 9.3, widths)
    encoder = page.frame(Box(xs[0], y, widths[0], 1.5))
    page.arrow(*leave, (leave[-1][0], 2.48), (0.4, 2.48), (0.4, y), encoder.left)
    ending = ", then a norm" if config.pre_norm else ""
    page.text(xs[0], y + 0.84, f"encoder: {config.depth} blocks{ending}", va="bottom")
    if config.position in ("rotary", "relative"):
        page.text(xs[0], y - 1.02, f"{config.position} positions in every block")
    block = Box(xs[0] - (0.47 if config.pre_norm else 0.05), y - 0.07, 2.35, 0.95)
    for shift in (0.14, 0.07, 0) if config.depth > 1 else (0,):
        page.box(block._replace(x=block.x + shift, y=block.y + shift), facecolor="white", edgecolor=GREY, zorder=1)
    attention = page.box(Box(block.x - 0.5, block.y, 1.05, 0.55), "attention", ATTENTION)
    page.chain([attention, page.box(Box(block.x + 0.68, block.y, 0.7, 0.55), "MLP", MLP)], block.y)
    if config.pre_norm:
        last = page.box(Box(xs[0] + 1.4, block.y, 0.65, 0.55), "norm", NORM)
        page.chain([block._replace(width=block.width + 0.28 * (config.depth > 1)), last], block.y)
    stops = [encoder, page.rows(xs[1], y + top, prefix + patches), page.rows(xs[2], y + ROW / 2, [bar])]
    station("tokens", xs[1], y, config.num_tokens, d)
    page.text(xs[2], y + 0.24, pooled, va="bottom")
    page.shape(xs[2], y - 1.02, d)
    if config.num_classes:
        stops += [page.linear(xs[3], y, 0.75, "head"), Box(xs[4], y, 1.16, 1.5)]
        lengths = (0.35, 0.2, 1.0, 0.3, 0.15, 0.5, 0.4, 0.25, 0.1, 0.3)[: config.num_classes]
        pitch = 1.5 / len(lengths)
        for i, length in enumerate(lengths):
            score = Box(xs[4] + (length - 1) * 0.55, y + 0.75 - (i + 0.5) * pitch, length * 1.1, min(0.65 * pitch, 0.2))
            shade = BLACK if length == max(lengths) else "#A6A6A6"
            page.box(score, rounded=False, facecolor=shade, linewidth=0)
        station("class scores", xs[4], y, config.num_classes)
    page.chain(stops, y)
    return page.figure


@styled
def course_map(lessons: Sequence[Lesson] = LESSONS) -> Figure:
    """Draw the lessons as a map.

    Args:
        lessons: In order. Those that are not written yet are drawn dashed.

    Returns:
        The figure.
    """
    parts = groupby(lessons, key=lambda lesson: lesson.part)
    said = [f"{span(list(group), ' to ')}: {part}" for part, group in parts if part]
    planned = [f"{lesson.number:02d}" for lesson in lessons if not lesson.written]
    rows, a_row = len(lessons) // 8 + 1, 8  # the last place of the last row is left for the legend
    page = Page(
        (10, 0.4 + 1.9 * rows),
        "The course, lesson by lesson",
        f"Map of the {len(lessons)} lessons in {rows} rows. {'; '.join(said)}. "
        f"Planned and drawn dashed: {', '.join(planned) or 'none'}.",
    )
    xs, ys = _spread(0.4, 9.75, [1.06] * a_row), [0.85 + 1.9 * row for row in reversed(range(rows))]
    turns = [point for y in ys[:-1] for point in ((xs[-1], y), (xs[-1], y - 0.8), (0.2, y - 0.8), (0.2, y - 1.9))]
    end = (xs[(len(lessons) - 1) % a_row], ys[(len(lessons) - 1) // a_row])
    page.arrow((xs[0], ys[0]), *turns, end, head=False, linewidth=4, color="#BFBFBF", zorder=0.5)
    for (part, row), group in groupby(lessons, key=lambda lesson: (lesson.part, lesson.number // a_row)):
        if part:
            columns = [lesson.number % a_row for lesson in group]
            left, right, y = xs[columns[0]] - 0.53, xs[columns[-1]] + 0.53, ys[row] + 0.65
            page.text((left + right) / 2, y + 0.16, part)
            page.arrow((left, y - 0.05), (left, y), (right, y), (right, y - 0.05), head=False)
    dashed: dict[str, Any] = {"facecolor": "white", "linestyle": (0, (4, 3))}
    for lesson in lessons:
        box = Box(xs[lesson.number % a_row], ys[lesson.number // a_row], 1.06, 1.1)
        page.box(box, colour=BLUE if lesson.written else GREY, **({} if lesson.written else dashed))
        page.text(box.x, box.y + 0.33, f"{lesson.number:02d}", fontsize=14, weight="bold", zorder=2)
        title = "\n".join(textwrap.wrap(lesson.title, 12, break_long_words=False, break_on_hyphens=False))
        page.text(box.x, box.y - 0.14, title, fontsize=10, zorder=2)
    for name, y, settings in (("written", ys[-1] + 0.2, {"colour": BLUE}), ("planned", ys[-1] - 0.2, dashed)):
        page.box(Box(xs[-1] - 0.3, y, 0.3, 0.22), **settings)
        page.text(xs[-1] - 0.05, y, name, ha="left", fontsize=10)
    return page.figure


@styled
def timeline() -> Figure:
    """Draw how attention came to vision, and what came after, by the first arXiv version of each paper.

    Returns:
        The figure.
    """
    words = "; ".join(f"20{month // 100} {name}" for month, name, *_ in PAPERS)
    page = Page((10, 4.3), "How attention came to vision", f"A line of time with {len(PAPERS)} papers: {words}.")
    y, xs = 2.0, _spread(0.75, 9.45, [0.7] * len(PAPERS))
    page.arrow((0.4, y), (9.8, y), linewidth=3, mutation_scale=16)
    for i, (month, name, authors, added) in enumerate(PAPERS):
        side = 1 if i % 2 == 0 else -1
        page.arrow((xs[i], y), (xs[i], y + side * 0.45), head=False, zorder=0.5)
        page.box(Box(xs[i], y, 0.6, 0.3), f"20{month // 100}", facecolor=BLUE, linewidth=0, weight="bold")
        top = y + (1.45 if side > 0 else -0.6)
        page.text(xs[i], top, name, fontsize=12, weight="bold")
        page.text(xs[i], top - 0.23, authors, fontsize=10, color=GREY)
        page.text(xs[i], top - 0.62, added, fontsize=10)
    page.text(
        0.4, 0.25, "Years of the first arXiv version; the spacing is not to scale.", fontsize=10, color=GREY, ha="left"
    )
    return page.figure


@styled
def convolution_and_attention() -> Figure:
    """Draw what one output position takes from, in a layer of convolution and in a layer of attention.

    Returns:
        The figure. The squares have the area of the weights; each map has its own scale.
    """
    page = Page(
        (10, 4.2),
        "What one output position takes from, in one layer",
        "Four grids of 8 by 8 positions. Convolution: positions A and B take from the 3 by 3 window around them, with "
        "the same weights. Attention: they take from all positions, A most from the dark ones and B most from the "
        "light ones, which are like them.",
    )
    # A dark shape on light ground, not quite even. Attention here: softmax of how alike two positions are.
    rows, columns = np.mgrid[:8, :8]
    content = np.where(np.hypot(rows - 2.6, columns - 3.2) < 2.4, 0.75, 0.12) + 0.08 * np.sin(
        2.1 * rows + 1.3 * columns
    )
    places, side = {"A": (3, 3), "B": (6, 5)}, 0.25
    xs, y = _spread(0.35, 9.65, [2.0] * 4), 1.95
    for i, x in enumerate(xs):
        name, (row, column) = list(places.items())[i % 2]
        if i < 2:
            kernel = np.array([1, 2, 1]) / 4
            weights = np.zeros((8, 8))
            weights[row - 1 : row + 2, column - 1 : column + 2] = np.outer(kernel, kernel)
        else:
            weights = np.exp(-6 * (content - content[row, column]) ** 2)
            weights /= weights.sum()
        grey = [[str(value) for value in line] for line in (1 - 0.55 * content).tolist()]
        page.cells(Box(x, y, 8 * side, 8 * side), [[""] * 8] * 8, grey)
        for (r, c), weight in np.ndenumerate(weights / weights.max()):
            mark = Box(x + (c - 3.5) * side, y + (3.5 - r) * side, *[0.8 * side * weight**0.5] * 2)
            page.box(
                mark,
                rounded=False,
                facecolor=PATCH if i < 2 else ATTENTION,
                edgecolor=BLACK,
                linewidth=0.5 * (weight > 0.01),
            )
        here = Box(x + (column - 3.5) * side, y + (3.5 - row) * side, side, side)
        page.box(here, rounded=False, facecolor="none", edgecolor=BLACK, linewidth=2.5, zorder=3)
        page.text(x, y + 1.18, f"for position {name}")
    for centre, name, note in (
        ((xs[0] + xs[1]) / 2, "Convolution, 3×3", "a small window, the same weights everywhere"),
        ((xs[2] + xs[3]) / 2, "Attention", "all positions, weights from the content"),
    ):
        page.text(centre, y + 1.5, name, fontsize=12, weight="bold")
        page.text(centre, y - 1.25, note)
    legend = "Grey: what the positions hold. Area of a square: its weight. Outlined: the output position."
    page.text(5, 0.27, legend, fontsize=10, color=GREY)
    return page.figure


@styled
def patch_order(rows: int = 2, columns: int = 2, patch: int = 2) -> Figure:
    """Draw an image of one channel with numbered pixels, its patches in raster order, and the matrix they become.

    Args:
        rows: Rows of the patch grid.
        columns: Columns of the patch grid.
        patch: Side P of a patch in pixels.

    Returns:
        The figure.

    Raises:
        ValueError: There are too many pixels to number them, or there is none.
    """
    if min(rows, columns, patch) < 1:
        raise ValueError(f"rows, columns and patch must be at least 1, not {rows}, {columns} and {patch}.")
    n, width, height = rows * columns, columns * patch, rows * patch
    side = min(0.5, 6.4 / (2 * width + patch**2), 4.8 / max(height, n))
    if side < 0.29:
        raise ValueError(f"An image of {height}x{width} pixels in {n} patches has too many to number: take fewer.")
    pixels = torch.arange(height * width).reshape(1, height, width)
    matrix = patchify(pixels, patch)  # (1, H, W) -> (N, P*P)
    colours = [tint((PATCH, ORANGE, GREEN, PURPLE, VERMILLION, BLUE)[i % 6], 0.45) for i in range(n)]
    inner = max(height * side + 0.35 * (rows - 1), n * side)
    page = Page(
        (10, inner + 1.75),
        "From an image to the patch matrix",
        f"An image of {height} by {width} numbered pixels in one channel, its {n} patches numbered row by row, and the "
        f"patch matrix of {n} rows: row 0 holds the pixels {', '.join(map(str, matrix[0].tolist()))} of patch 0.",
    )
    y, gap = inner / 2 + 0.65, 0.35
    widths = [width * side, width * side + gap * (columns - 1), patch**2 * side]
    xs = _spread(0.5, 9.1, widths)
    owner = [[colours[(r // patch) * columns + c // patch] for c in range(width)] for r in range(height)]
    whole = page.cells(Box(xs[0], y, widths[0], height * side), _words(pixels[0]), owner)
    apart = Box(xs[1], y, widths[1], height * side + gap * (rows - 1))
    table = Box(xs[2], y, widths[2], n * side)
    for i, values in enumerate(matrix):
        r, c = divmod(i, columns)
        x = apart.left[0] + patch * side / 2 + c * (patch * side + gap)
        top = apart.top[1] - r * (patch * side + gap)
        page.cells(
            Box(x, top - patch * side / 2, patch * side, patch * side),
            _words(values.reshape(patch, patch)),
            [[colours[i]] * patch] * patch,
        )
        page.text(x, top + 0.14, f"patch {i}", fontsize=10)
        line = Box(table.x, table.top[1] - (i + 0.5) * side, table.width, side)
        page.cells(line, _words(values[None]), [[colours[i]] * patch**2])
        page.text(line.right[0] + 0.1, line.y, f"patch {i}", fontsize=10, ha="left")
    page.arrow((whole.right[0] + 0.08, y), (apart.left[0] - 0.08, y))
    page.arrow((apart.right[0] + 0.08, y), (table.left[0] - 0.08, y))
    for box, name, *shape in (
        (whole, "image", 1, height, width),
        (apart, "patches in raster order", n, 1, patch, patch),
        (table, "patch matrix", n, patch**2),
    ):
        page.text(box.x, inner + 0.65 + 0.4, name)
        page.shape(box.x, 0.35, *shape)
    return page.figure


def _words(values: Tensor | np.ndarray, form: str = "") -> list[list[str]]:
    """Return the numbers of a matrix as words."""
    return [[format(value, form) for value in row] for row in values.tolist()]


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
    if config.position not in ("learned", "sincos2d"):
        raise ValueError(f"With position {config.position!r} no codes are added: choose 'learned' or 'sincos2d'.")
    prefix, patches, codes = _token_rows(config)
    n, total, d, tokens = config.num_patches, config.num_tokens, config.embed_dim, prefix + patches
    page = Page(
        (10, 3.7),
        "The tokens that enter the encoder",
        f"{n} patch tokens of {d} numbers"
        f"{', other tokens put in front of them' if prefix else ''}, plus {total} position codes, one for each token: "
        f"{total} tokens go into the encoder.",
    )
    wide, tall, top = 1.15, 0.34, 2.65
    xs = _spread(0.5, 9.5, [wide, *[wide] * bool(prefix), 0.3, wide, 0.3, 2.0])
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


@styled
def attention_head() -> Figure:
    """Draw one attention head: queries, keys and values, scores, weights, output.

    Returns:
        The figure. The shades are those of a computed example.
    """
    page = Page(
        (10, 4.85),
        "One attention head",
        "One attention head. Tokens x of shape (N, D) become queries q, keys k and values v, each (N, d), by three "
        "linear maps. The scores q k transposed over the root of d, (N, N), become weights by a softmax over each row; "
        "weights times v is the output, (N, d). One row is outlined all along: one query and its output.",
    )
    rng = np.random.default_rng(3)
    n, width, d = 4, 6, 3
    x = 1.5 * rng.normal(size=(n, width))
    q, k, v = (x @ rng.normal(size=(width, d)) / width**0.5 for _ in range(3))
    scores = q @ k.T / d**0.5
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    chosen, side = 1, 0.2

    def matrix(x: float, y: float, name: str, values: np.ndarray, colour: str, *shape: str) -> Box:
        shades = (values - values.min()) / np.ptp(values) * 0.75 + 0.15
        box = Box(x, y, side * values.shape[1], side * values.shape[0])
        page.cells(box, [[""] * values.shape[1]] * len(values), [[tint(colour, s) for s in row] for row in shades])
        if name not in ("x", "k", "v"):
            line = Box(x, box.top[1] - (chosen + 0.5) * side, box.width, side)
            page.box(line, rounded=False, facecolor="none", edgecolor=BLACK, linewidth=2.2, zorder=3)
        page.text(x, box.top[1] + 0.16, name, fontsize=12 if len(name) == 1 else 11)
        page.shape(x, box.bottom[1] - 0.16, *shape)
        return box

    xs = _spread(0.3, 9.6, [1.2, 0.55, 0.6, 1.0, 0.8, 1.05, 0.8, 0.3, 0.6])
    ys = 3.6, 2.2, 0.8
    middle = (ys[0] + ys[1]) / 2
    tokens = matrix(xs[0], ys[1], "x", x, TOKEN, "N", "D")
    heads = []
    for y, name, values in zip(ys, "qkv", (q, k, v), strict=True):
        linear = page.linear(xs[1], y, 0.55, f"$W_{name}$", 0.5)
        turn = (tokens.right[0] + linear.left[0]) / 2
        page.arrow(tokens.right, (turn, ys[1]), (turn, y), linear.left)
        heads.append(matrix(xs[2], y, name, values, TOKEN, "N", "d"))
        page.arrow(linear.right, heads[-1].left)
    product = page.box(Box(xs[3], middle, 1.0, 0.6), r"$q\,k^\top\!/\,\sqrt{d}$", ATTENTION, size=12)
    page.arrow(heads[0].right, (xs[3], ys[0]), product.top)
    page.arrow(heads[1].right, (xs[3], ys[1]), product.bottom)
    stops = [product, matrix(xs[4], middle, "scores", scores, ATTENTION, "N", "N")]
    stops.append(page.box(Box(xs[5], middle, 1.05, 0.6), "softmax\nof each row", ATTENTION))
    stops.append(matrix(xs[6], middle, "weights", weights, ATTENTION, "N", "N"))
    stops.append(page.sign(xs[7], middle, "×"))
    stops.append(matrix(xs[8], middle, "output", weights @ v, TOKEN, "N", "d"))
    page.chain(stops, middle)
    page.arrow(heads[2].right, (xs[7], ys[2]), stops[4].bottom)
    page.text(xs[5], 1.4, "outlined: one query,\nits scores, weights and output")
    return page.figure


@styled
def multi_head(num_heads: int = 3) -> Figure:
    """Draw attention with several heads: the width is split, each head attends on its own, the results are joined.

    Args:
        num_heads: Heads h, from 1 to 6.

    Returns:
        The figure.

    Raises:
        ValueError: There are no heads, or too many to draw.
    """
    if not 1 <= num_heads <= 6:
        raise ValueError(f"num_heads must be from 1 to 6 to be drawn, not {num_heads}.")
    high = max(0.85 * num_heads, 1.7)
    page = Page(
        (10, high + 1.1),
        "Attention with several heads",
        f"Linear maps make q, k and v of shape (N, D) from the tokens. Their width is split into {num_heads} parts of "
        f"d = D / {num_heads} numbers; each of the {num_heads} heads attends on its own. The outputs, (N, d), are "
        "joined to (N, D) and go through the output projection.",
    )
    y, tall = high / 2 + 0.3, 0.9
    xs = _spread(0.25, 9.75, [0.7, 0.65, 1.07, 0.95, 0.4, 0.95, 0.95, 0.7])
    xs[2] -= 0.06  # room for the sheets behind
    shades = [tint(TOKEN, 0.3 + 0.4 * (i % 2)) for i in range(num_heads)]
    numbers = [str(i) for i in range(num_heads)]

    def block(x: float, name: str, words: Sequence[str] = ("",), colours: Sequence[object] = (TOKEN,)) -> Box:
        page.text(x, y + 0.72, name)
        page.shape(x, y - 0.72, "N", "D")
        return page.cells(Box(x, y, 0.7 if words == ("",) else 0.95, tall), [words], [colours])

    first = [block(xs[0], "x"), page.linear(xs[1], y, 0.65, "linear\nmaps")]
    for shift in (0.12, 0.06):
        page.cells(Box(xs[2] + shift, y + shift, 0.95, tall), [[""]], [[tint(TOKEN, 0.3)]])
    first.append(block(xs[2], "", numbers, shades))
    page.text(xs[2] + 0.06, y + 0.76, "q, k, v")
    page.text(xs[2], y - 1.0, f"d = D / {num_heads}", fontsize=10)
    joined = block(xs[5], "joined", numbers, shades)
    page.chain(first, y)
    page.chain([joined, page.linear(xs[6], y, 0.95, "output\nprojection"), block(xs[7], "output")], y)
    right = first[-1].right[0] + 0.12
    split, join = (right + xs[3] - 0.475) / 2, (xs[4] + 0.2 + joined.left[0]) / 2
    for i, line in enumerate(_spread(y + high / 2, y - high / 2, [-high / num_heads] * num_heads)):
        head = page.box(Box(xs[3], line, 0.95, 0.55), f"attention\nhead {i}", ATTENTION)
        part = page.cells(Box(xs[4], line, 0.36, 0.4), [[str(i)]], [[shades[i]]])
        page.arrow((right, y), (split, y), (split, line), head.left)
        page.arrow(head.right, part.left)
        page.arrow(part.right, (join, line), (join, y), joined.left)
        page.shape(xs[4], line - 0.31, "N", "d")
    return page.figure


@styled
def transformer_block() -> Figure:
    """Draw a transformer block with the norms before attention and MLP, and with the norms after the additions.

    Returns:
        The figure. The thick line is the residual stream.
    """
    page = Page(
        (10, 4.9),
        "A transformer block: where the norms stand",
        "Two transformer blocks, the residual stream as a thick line from left to right. Pre-norm: two branches leave "
        "it, norm then attention, norm then MLP, and are added to it; no norm stands on the stream. Post-norm: the "
        "branches are attention and MLP alone, and after each addition a norm stands on the stream.",
    )
    for y, name, note, pre in (
        (2.85, "pre-norm", "ViT", True),
        (0.75, "post-norm", "the first\nTransformer", False),
    ):
        page.text(0.3, y + 0.75, name, fontsize=12, weight="bold", ha="left")
        page.text(0.3, y + 0.58, note, fontsize=10, ha="left", va="top")
        page.arrow((1.3, y), (9.75, y), color=TOKEN, linewidth=5, mutation_scale=18)
        for left, words, colour in ((1.8, "attention", ATTENTION), (5.6, "MLP", MLP)):
            up = y + 0.85
            stops = [page.box(Box(left + 0.85, up, 0.8, 0.5), "norm", NORM)] if pre else []
            stops.append(page.box(Box(left + 2.2 if pre else left + 1.1, up, 1.15, 0.5), words, colour))
            plus = page.sign(left + (3.3 if pre else 2.2), y)
            page.chain(stops, up)
            page.arrow((left, y), (left, up), stops[0].left)
            page.arrow(stops[-1].right, (plus.x, up), plus.top)
            page.dot(left, y)
            if not pre:
                page.box(Box(left + 3.0, y, 0.8, 0.5), "norm", NORM)
    page.text(5.5, 2.45, "residual stream: nothing but additions from the first block to the last")
    page.text(5.5, 0.3, "every norm stands on the stream itself")
    return page.figure


@styled
def rollout_steps() -> Figure:
    """Draw how rollout works on two layers of three tokens: half identity in each layer, then the matrix product.

    Returns:
        The figure. All numbers are computed here; every row sums to 1.
    """
    names = ["class", "0", "1"]
    layers = torch.tensor(
        [[[0.4, 0.6, 0.0], [0.2, 0.8, 0.0], [0.0, 0.4, 0.6]], [[0.6, 0.0, 0.4], [0.4, 0.4, 0.2], [0.2, 0.2, 0.6]]]
    )
    mixed = (layers + torch.eye(3)) / 2
    result = rollout(layers[:, None])  # (L, 1, N, N) -> (N, N)
    page = Page(
        (10, 4.5),
        "Attention rollout, on three tokens and two layers",
        "Two attention matrices of three tokens, layer 0 and layer 1. Each is averaged with the identity: half of a "
        "token stays its own. The product of the two is the rollout; its first row, "
        f"{', '.join(_words(result, '.2f')[0])}, says how much of the class token comes from each input token. All "
        "rows sum to 1.",
    )

    def matrix(x: float, y: float, name: str, values: Tensor) -> Box:
        box = Box(x, y, 1.44, 1.05)
        page.cells(
            box,
            _words(values, ".2f"),
            [[tint(ATTENTION, 0.08 + 0.8 * value) for value in row] for row in values.tolist()],
        )
        page.text(x, y + 0.93, name)
        for i, token in enumerate(names):
            line = box.top[1] - (i + 0.5) * 0.35
            page.text(x + (i - 1) * 0.48, y + 0.64, token, fontsize=10, color=GREY)
            page.text(box.left[0] - 0.08, line, token, fontsize=10, color=GREY, ha="right")
            page.text(box.right[0] + 0.08, line, f"= {values[i].sum():.2f}", fontsize=10, color=GREY, ha="left")
        return box

    xs, ys = (1.45, 5.0, 8.55), (2.8, 0.85)
    middle = sum(ys) / 2
    halves = []
    for i, y in enumerate(ys):
        start = matrix(xs[0], y, f"layer {i}: attention $A_{i}$", layers[i])
        halves.append(matrix(xs[1], y, f"$A'_{i} = (A_{i} + I)\\,/\\,2$", mixed[i]))
        page.arrow((start.right[0] + 0.68, y), (halves[-1].left[0] - 0.55, y))
    product = matrix(xs[2], middle, r"rollout $R = A'_1\,A'_0$", result)
    for half in halves:
        turn = product.left[0] - 0.85
        page.arrow((half.right[0] + 0.68, half.y), (turn, half.y), (turn, middle), (product.left[0] - 0.55, middle))
    page.text(
        xs[2], middle - 0.85, "row: a token after layer 1\ncolumn: the input it comes from", fontsize=10, color=GREY
    )
    return page.figure


@styled
def data_splits(train: int, validation: int, test: int) -> Figure:
    """Draw the three parts of a data set: how many images each has and what it is for.

    Args:
        train: Images for training.
        validation: Images for choosing.
        test: Images for the last look.

    Returns:
        The figure.

    Raises:
        ValueError: A count is negative, or all are 0.
    """
    counts = (train, validation, test)
    if min(counts) < 0 or max(counts) == 0:
        raise ValueError(f"Counts of images must be 0 or more, and not all 0, but they are {counts}.")
    page = Page(
        (10, 3.0),
        "Three parts of the data, three jobs",
        f"Three bars: {train:,} images for training, {validation:,} for validation, {test:,} for the test. The weights "
        "are fitted to the first, settings are chosen on the second, the third is looked at once, at the end.",
    )
    jobs = (
        ("training", "the weights are fitted to these"),
        ("validation", "settings are chosen on these"),
        ("test", "looked at once, at the end"),
    )
    for i, (count, (name, job)) in enumerate(zip(counts, jobs, strict=True)):
        y, width = 2.05 - 0.72 * i, 5.2 * count / max(counts)
        page.text(0.4, y + 0.13, name, fontsize=12, weight="bold", ha="left")
        page.text(0.4, y - 0.13, job, ha="left")
        page.box(Box(3.5 + width / 2, y, width, 0.42), rounded=False, facecolor=BLUE, linewidth=0)
        page.text(3.6 + width, y, f"{count:,}", ha="left", fontsize=12)
    return page.figure
