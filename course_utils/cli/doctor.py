"""``doctor``: can the course run here?"""

from __future__ import annotations

import argparse

from course_utils.cli.options import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add the command."""
    add_command(commands, doctor, "doctor")


def doctor(options: argparse.Namespace) -> int:
    """Say whether the course can run here, and on what."""
    from course_utils.doctor import check_environment

    return 0 if check_environment() else 1
