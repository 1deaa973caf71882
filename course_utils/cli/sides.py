"""``sides``: what larger images cost a plain ViT, one with windows, and a Swin Transformer."""

from __future__ import annotations

import argparse
import sys

from course_utils.cli.options import Commands, add_command, with_device


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(commands, sides, "sides", "sides --sides 32 64 --rounds 3")
    with_device(command)
    command.add_argument("--sides", type=int, nargs="+", metavar="PIXELS", help="of the images (default: 32 to 256)")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--precision", default="fp32", help="auto, fp32 or bf16")
    command.add_argument("--out", metavar="FOLDER", help="write a record for each model and side here")


def sides(options: argparse.Namespace) -> int:
    """Time a plain ViT, one with windows and a Swin Transformer over the side of the images."""
    from pathlib import Path

    from course_utils.experiments import sides as measurement
    from course_utils.support import environment
    from course_utils.support.devices import pick_device, pick_precision

    device = pick_device(options.device)
    precision = pick_precision(options.precision, device)
    found = measurement.measure_sides(
        options.sides or measurement.SIDES,
        rounds=options.rounds,
        precision=precision,
        device=device,
        report=lambda line: print(line, file=sys.stderr),
    )
    print(f"{precision}, {environment.device_name(device)}, rounds: {options.rounds}")
    print(measurement.as_table(found))
    if options.out:
        measurement.write_records(found, Path(options.out), precision=precision, device=device)
        print(f"Written to {Path(options.out) / measurement.NAME}.")
    return 0
