"""Lesson 00 (start): is everything there? For Colab, JupyterLab and VS Code alike."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform

import torch
from packaging.requirements import Requirement

from course_utils.data import find_local
from course_utils.support.devices import pick_device, pick_precision
from course_utils.support.environment import device_name

PACKAGE = "vit-course"
ONLY_TO_SERVE_NOTEBOOKS = {"jupyterlab", "nbval"}  # Colab and VS Code bring their own


def in_colab() -> bool:
    """Whether this is Google Colab."""
    return importlib.util.find_spec("google") is not None and importlib.util.find_spec("google.colab") is not None


def check_environment() -> bool:
    """Print versions, device and data, and one sentence for each package that is missing or too old.

    Returns:
        Whether the course can run here.
    """
    wrong = []
    for requirement in _requirements():
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            version = "missing"
        print(f"{requirement.name:12} {version}")
        if version == "missing" or not requirement.specifier.contains(version, prereleases=True):
            wrong.append(
                f"{requirement.name} is {version}, but the course needs {requirement.specifier}: "
                f'run  pip install "{requirement}"  and restart the kernel.'
            )
    device = pick_device()
    folder = find_local()
    print(f"{'python':12} {platform.python_version()}")
    print(f"{'device':12} {device_name(device)}")
    print(f"{'precision':12} {pick_precision('auto', device)}")
    print(f"{'threads':12} {torch.get_num_threads()}")
    print(f"{'data':12} {'whole CIFAR-10' if folder else 'the sample of CIFAR-10 that comes with the course'}")
    for sentence in wrong:
        print(sentence)
    print("All is well: the course can run here." if not wrong else "Something is missing: see above.")
    return not wrong


def _requirements() -> list[Requirement]:
    """Read what the installed course asks for, less what only serves notebooks."""
    lines = importlib.metadata.requires(PACKAGE) or []
    requirements = [Requirement(line) for line in lines]
    return [each for each in requirements if each.marker is None and each.name not in ONLY_TO_SERVE_NOTEBOOKS]
