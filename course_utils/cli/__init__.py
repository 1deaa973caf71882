"""The command line: ``python -m course_utils COMMAND``; one module a command.

Exit codes: 0 all went well; 1 something is wrong, one sentence on stderr says what; 2 the command was mistyped; 130
stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from course_utils.cli import attend, bench, convert, data, doctor, evaluate, experiments, export, train
from course_utils.cli.options import INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, TypeError, OSError, FloatingPointError, MemoryError, ModuleNotFoundError) as error:
        if options.traceback:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m course_utils", description="The Vision Transformer course on the command line."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (doctor, data, train, evaluate, attend, export, convert, bench, experiments):
        module.add_to(commands)
    return parser
