"""``attend``: where a model looks in your own pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from course_utils.cli.options import Commands, add_command, unused

MOST_PICTURES = 12


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(
        commands,
        attend,
        "attend cat.jpg --weights runs/mine/weights.safetensors --out cat_attention.png",
        "attend pictures/cats --weights cifar_small",
    )
    command.add_argument("pictures", nargs="+", help="picture files, or folders of them")
    command.add_argument("--weights", required=True, help="a file, or the name of shipped weights")
    command.add_argument("--out", help="where to write the figure (default: a new file in runs/)")


def attend(options: argparse.Namespace) -> int:
    """Name the pictures and draw where the model looks."""
    import torch

    from course_utils.data.folder import pictures_in
    from course_utils.data.picture import load_picture
    from course_utils.report import attention_figure, save_figure
    from course_utils.zoo.weights import load_vit

    model = load_vit(options.weights)
    paths: list[Path] = []
    for path in map(Path, options.pictures):
        paths += filter(_can_be_read, pictures_in(path)) if path.is_dir() else [path]
    if len(paths) > MOST_PICTURES:
        print(f"{len(paths):,} pictures: the first {MOST_PICTURES} are drawn.")
        paths = paths[:MOST_PICTURES]
    config = model.config
    size = (config.image_height, config.image_width)
    small = torch.stack([load_picture(path, size, config.in_channels) for path in paths])  # (B, C, H, W)
    large = torch.stack([load_picture(path, (8 * size[0], 8 * size[1])) for path in paths])  # (B, 3, 8H, 8W)
    figure = attention_figure(model, small, [path.name for path in paths], display=large)
    out = Path(options.out) if options.out else unused(Path("runs") / "attention.png")
    save_figure(figure, out)
    print(f"Written to {out}: {figure.get_label()}")
    return 0


def _can_be_read(path: Path) -> bool:
    """Say so if a picture of a folder is damaged; one that was named by itself is an error instead."""
    from course_utils.data.picture import load_picture

    try:
        load_picture(path)
    except (OSError, ValueError) as error:
        print(f"Left out: {error}", file=sys.stderr)
        return False
    return True
