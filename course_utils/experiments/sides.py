"""What larger images cost: a plain ViT, the same with windows, and a Swin Transformer, counted and timed.

All three have patches of 4 pixels, six blocks and the same first width, so at 32 pixels they cost about the same. The
records look like those of an experiment, with one variant for each model and side, so that lessons read them alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_utils.beyond.swin import SwinConfig, SwinTransformer
from course_utils.experiments.cost import cost
from course_utils.experiments.sets import slug
from course_utils.experiments.timing import Work, work_of
from course_utils.model.config import ViTConfig
from course_utils.model.vit import VisionTransformer
from course_utils.support import environment
from course_utils.support.devices import synchronize
from course_utils.support.files import write_json

NAME = "image_sides"  # of the folder of the records
SIDES = (32, 64, 96, 128, 192, 256)
PIXELS = 256 * 256  # in a batch, so that every batch has about as many patches
MOST = 64  # images in a batch
PATCH, DEPTH, WINDOW = 4, 6, 4


def plain_vit(side: int) -> VisionTransformer:
    """Make the plain ViT: attention over the whole image."""
    return VisionTransformer(
        ViTConfig(side, PATCH, embed_dim=96, depth=DEPTH, num_heads=3, mlp_ratio=4.0, pooling="mean")
    )


def with_windows(side: int) -> SwinTransformer:
    """Make the same with windows: one stage, no merging."""
    return SwinTransformer(
        SwinConfig(side, PATCH, embed_dim=96, depths=(DEPTH,), num_heads=(3,), window_size=WINDOW, mlp_ratio=4.0)
    )


def swin(side: int) -> SwinTransformer:
    """Make the Swin Transformer: windows, and two mergings on the way."""
    return SwinTransformer(
        SwinConfig(side, PATCH, embed_dim=96, depths=(2, 2, 2), num_heads=(3, 6, 12), window_size=WINDOW, mlp_ratio=4.0)
    )


MODELS: dict[str, Callable[[int], nn.Module]] = {"ViT": plain_vit, "windows": with_windows, "Swin": swin}


def count(side: int) -> dict[str, dict[str, int]]:
    """Count what each model costs for an image of a side, without computing anything.

    Returns:
        Model -> "parameters", "multiply_adds" and "attention_weights", the numbers in all attention maps of one image.
    """
    found = {}
    for name, make in MODELS.items():
        with torch.device("meta"):  # shapes without numbers
            model = make(side)
        found[name] = cost(model, (3, side, side)) | {"attention_weights": attention_weights(model)}
    return found


def attention_weights(model: nn.Module) -> int:
    """Count the numbers in all attention maps that a ViT or a Swin Transformer makes of one image.

    Raises:
        TypeError: It is another model.
    """
    if isinstance(model, VisionTransformer):
        c = model.config
        return c.depth * c.num_heads * c.num_tokens**2
    if not isinstance(model, SwinTransformer):
        raise TypeError(f"A {type(model).__name__} is neither a VisionTransformer nor a SwinTransformer.")
    s, total = model.config, 0
    side = s.image_size // s.patch_size
    for blocks, heads in zip(s.depths, s.num_heads, strict=True):
        windows = (-(-side // s.window_size)) ** 2  # the last ones are filled up
        total += blocks * heads * windows * s.window_size**4
        side = -(-side // 2)
    return total


def measure_sides(
    sides: Sequence[int] = SIDES,
    *,
    rounds: int = 3,
    precision: str = "fp32",
    device: torch.device | str = "cpu",
    report: Callable[[str], None] = print,
) -> dict[tuple[str, int], dict[str, list[float]]]:
    """Time a forward pass and a training step of each model at each side, in turn, round after round.

    Args:
        sides: Of the images, in pixels; multiples of 4.
        rounds: How often each has its turn; one more before them warms up.
        precision: "fp32" or "bf16".
        device: Where to run.
        report: Called with each line of progress.

    Returns:
        (model, side) -> "inference" and "training": milliseconds an image, one number for each round.
    """
    device = torch.device(device)
    works: dict[tuple[str, int], tuple[int, Work]] = {}
    for side in sides:
        batch = min(MOST, max(1, PIXELS // side**2))
        for name, make in MODELS.items():
            torch.manual_seed(0)
            images, labels = torch.randn(batch, 3, side, side, device=device), torch.zeros(batch, dtype=torch.int64)
            works[name, side] = batch, work_of(make(side).to(device), images, labels.to(device), precision)
    found: dict[tuple[str, int], dict[str, list[float]]] = {key: {"inference": [], "training": []} for key in works}
    for number in range(rounds + 1):
        for key, (batch, work) in works.items():
            for kind, run in (("inference", work.infer), ("training", work.train)):
                synchronize(device)
                start = time.perf_counter()
                run()
                synchronize(device)
                if number:  # the first round warms up
                    found[key][kind].append(1000 * (time.perf_counter() - start) / batch)
        report(f"round {number} of {rounds}")
    return found


def write_records(
    found: dict[tuple[str, int], dict[str, list[float]]], folder: Path, *, precision: str, device: torch.device
) -> None:
    """Write a record for each model and side: milliseconds an image (median over the rounds), and what was counted."""
    what: dict[str, Any] = {
        "command": environment.command_line(),
        "written": environment.now(),
        "environment": environment.describe(device),
        "precision": precision,
        "experiment": NAME,
        "seed": 0,
        "status": "finished",
    }
    for place, ((name, side), times) in enumerate(found.items()):
        variant = f"{name}, {side} pixels"
        record = what | {"variant": variant, "place": place, "model": name, "side": side}
        record["cost"] = count(side)[name]
        record["milliseconds"] = {kind: statistics.median(each) for kind, each in times.items()}
        record["rounds"] = {kind: [float(f"{value:.5g}") for value in each] for kind, each in times.items()}
        write_json(folder / NAME / f"{slug(variant)}.json", record)


def as_table(found: dict[tuple[str, int], dict[str, list[float]]]) -> str:
    """Write milliseconds an image as a Markdown table: the median over the rounds."""
    sides = list(dict.fromkeys(side for _, side in found))
    lines = [
        "| milliseconds an image | " + " | ".join(f"{side} px" for side in sides) + " |",
        "|---" * (len(sides) + 1) + "|",
    ]
    for name in MODELS:
        for kind in ("inference", "training"):
            cells = [f"{statistics.median(found[name, side][kind]):.2f}" for side in sides]
            lines.append(f"| {name}, {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
