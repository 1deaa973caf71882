"""What several commands share: how one is added, and the options that many have."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
INTERRUPTED = 130


def add_command(
    commands: Commands, run: Callable[[argparse.Namespace], int], *examples: str
) -> argparse.ArgumentParser:
    """Add a command that is called like the function that runs it, and says what its docstring says."""
    lines = "\n".join(f"  python -m course_utils {example}" for example in examples)
    added = commands.add_parser(
        run.__name__,
        help=run.__doc__,
        description=run.__doc__,
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added.set_defaults(command=run)
    added.add_argument("--traceback", action="store_true", help="show where an error arose")
    return added


def with_root(command: argparse.ArgumentParser) -> None:
    """Add the option that says where CIFAR-10 is."""
    command.add_argument("--root", help="folder of CIFAR-10 (default: $CIFAR10_ROOT, data/, the cache)")


def with_cifar10(command: argparse.ArgumentParser) -> None:
    """Add the options of CIFAR-10."""
    with_root(command)
    command.add_argument("--sample", choices=("auto", "never", "always"), default="auto", help="use the shipped sample")


def with_images(command: argparse.ArgumentParser) -> None:
    """Add the options that choose the images: CIFAR-10, or a folder."""
    with_cifar10(command)
    command.add_argument("--data", metavar="FOLDER", help="your own pictures: a folder with one subfolder a class")


def with_device(command: argparse.ArgumentParser) -> None:
    """Add the option that chooses the device."""
    command.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE pairs; values are JSON where they can be, else text.

    Raises:
        ValueError: One is no such pair.
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"A setting is given as NAME=VALUE, not as {pair!r}.")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def unused(path: Path) -> Path:
    """Return the path, with a number behind its name if something stands there already."""
    number, free = 2, path
    while free.exists():
        free, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return free


def accuracy_line(figures: dict[str, Any]) -> str:
    """Say in one line what ``evaluate`` found. Where all answers are right, or none, the error is not known, not 0."""
    error = f" ± {figures['accuracy_standard_error']:.2%}" if figures["accuracy_standard_error"] else ""
    return (
        f"test accuracy {figures['accuracy']:.2%}{error} on {figures['n']:,} images "
        f"(top {figures['top_k']}: {figures['top_k_accuracy']:.2%}, loss {figures['loss']:.4f}, "
        f"calibration error {figures['calibration_error']:.2%})"
    )
