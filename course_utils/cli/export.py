"""``export``: a trained model as an ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path

from course_utils.cli.options import Commands, add_command, unused


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(
        commands,
        export,
        "export runs/cats/weights.safetensors",
        "export cifar_small --out small.onnx",
        "export runs/cats/weights.safetensors --image-size 64",
    )
    command.add_argument("weights", help="a file, or the name of shipped weights")
    command.add_argument("--out", help="where to write (default: a new file beside the weights, or in runs/)")
    command.add_argument("--image-size", type=int, help="of the file, in pixels a side (default: the model's own)")


def export(options: argparse.Namespace) -> int:
    """Write weights as an ONNX file, which runs without PyTorch, and compare it with them."""
    from course_utils.zoo.onnx_file import export_onnx
    from course_utils.zoo.weights import load_vit, load_weights, pretrained_names

    shipped = options.weights in pretrained_names()
    model = load_weights(options.weights)
    if options.image_size is not None:
        model = load_vit(options.weights).with_image_size(options.image_size)
    beside = Path("runs") / f"{options.weights}.onnx" if shipped else Path(options.weights).with_suffix(".onnx")
    out = Path(options.out) if options.out else unused(beside)
    if out.exists() and not shipped and out.samefile(options.weights):
        raise ValueError(f"{out} are the weights themselves: give --out another name.")
    found = export_onnx(model, out)
    sizes = ", ".join(map(str, found["batches"]))
    print(f"Written to {out}: {out.stat().st_size / 1e6:.1f} MB.")
    print("It takes pixels from 0 to 255, any number of images; normalisation and class names are in it.")
    print(f"Compared with PyTorch for {sizes} images: no logit differs by more than {found['largest_difference']:.1g}.")
    return 0
