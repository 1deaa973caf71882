"""Lesson 05 (vit): the whole Vision Transformer."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.model.config import ViTConfig
from course_utils.model.embeddings import POSITION_CODES
from course_utils.model.patches import patchify
from course_utils.plots.diagrams.shapes import ATTENTION, CLASS, MLP, NORM, PATCH, TOKEN, spread, token_rows
from course_utils.plots.drawing import ROW, Box, Page, tint
from course_utils.plots.style import BLACK, GREY, display_array, mosaic, styled


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
    prefix, patches, codes = token_rows(config)
    pooled, bar = {
        "class_token": ("class token", ("class", CLASS)),
        "mean": ("mean of the\npatch tokens", ("mean", TOKEN)),
        "attention": ("weighted mean of\nthe patch tokens", ("mean", TOKEN)),
    }[config.pooling]
    in_front = " and ".join(["class token"] * (config.has_class_token) + ["registers"] * bool(config.num_registers))
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
    y, top = 3.75, 2.5 * ROW  # the third bar is level with y
    added = POSITION_CODES[config.position].added(config) is not None
    xs = spread(0.25, 9.75, [1.5, 1.5, 1.1, 0.8, *[0.8] * bool(prefix), *([0.3, 0.8] if added else [0.0])])
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
    xs = spread(0.75, 9.75 if config.num_classes else 9.3, widths)
    encoder = page.frame(Box(xs[0], y, widths[0], 1.5))
    page.arrow(*leave, (leave[-1][0], 2.48), (0.4, 2.48), (0.4, y), encoder.left)
    ending = ", then a norm" if config.pre_norm else ""
    page.text(xs[0], y + 0.84, f"encoder: {config.depth} blocks{ending}", va="bottom")
    if not added and config.position != "none":
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
