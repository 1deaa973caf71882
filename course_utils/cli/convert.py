"""``convert``: weights files of an older version of the course."""

from __future__ import annotations

import argparse

from course_utils.cli.options import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(commands, convert, "convert runs/mine/weights.safetensors")
    command.add_argument("weights", nargs="+", help="weights files that an older version wrote")


def convert(options: argparse.Namespace) -> int:
    """Turn weights files of an older version into files of this one, in place; no number in them changes."""
    from course_utils.zoo.weights import convert_old

    for path in options.weights:
        convert_old(path)
        print(f"Converted {path}.")
    return 0
