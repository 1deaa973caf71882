"""What a result has to carry so that someone else can repeat it."""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import torch
import torchvision


def describe(device: torch.device) -> dict[str, Any]:
    """Describe machine and software: versions, device, threads, and the commit of the course.

    Returns:
        A dict that JSON can hold. "commit" is None outside a git checkout, and ends in "+changes" where files differ
        from the commit.
    """
    from course_utils import __version__

    return {
        "course_utils": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
    }


def device_name(device: torch.device) -> str:
    """Name a device in words, for example "cuda: NVIDIA H100" or "cpu: Intel Xeon, 2 threads"."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "mps: Apple GPU"
    threads = torch.get_num_threads()
    return f"cpu: {_processor()}, {threads} thread{'s' * (threads > 1)}"


def commit() -> str | None:
    """Return the git commit that the package runs from, or None."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def command_line() -> str:
    """Return the command that started this process; of absolute paths, true on one machine only, the last part."""
    program = Path(sys.argv[0]).name
    if program == "__main__.py":
        program = f"python -m {Path(sys.argv[0]).parent.name}"
    return " ".join([program, *map(_without_folders, sys.argv[1:])])


def _without_folders(argument: str) -> str:
    """Shorten an absolute path to its last part, also where it follows an option: --root=/data/cifar."""
    option, equals, value = argument.rpartition("=")
    return f"{option}{equals}{Path(value).name}" if Path(value).is_absolute() else argument


def now() -> str:
    """Return date and time, UTC, in ISO format."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _processor() -> str:
    """Name the processor as well as the system lets us."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
