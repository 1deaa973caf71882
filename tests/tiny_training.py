"""A tiny model and a few images: enough to train in a second."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from course_utils import VisionTransformer, ViTConfig
from course_utils.data import ImageSet, Normalisation
from course_utils.training.recipes import Recipe
from course_utils.training.tasks import Classification
from course_utils.training.trainer import Trainer

CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4, dropout=0.1)
NORMALISATION = Normalisation((0.4, 0.5, 0.6), (0.2, 0.22, 0.25))  # not CIFAR-10's


def make_images(count: int = 50, seed: int = 0, classes: int = 4, size: int = 8, channels: int = 3) -> ImageSet:
    """Random pictures whose mean brightness tells the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    noise = torch.randint(0, 60, (count, channels, size, size), generator=generator)
    images = (noise + 240 // classes * labels[:, None, None, None]).clamp(max=255).to(torch.uint8)
    normalisation = Normalisation(NORMALISATION.mean[:channels], NORMALISATION.std[:channels])
    return ImageSet(images, labels, tuple("abcdefgh"[:classes]), "train", "synthetic", normalisation)


def darkened(image_set: ImageSet) -> ImageSet:
    """The same pictures in the dark, with a normalisation that brings the light back."""
    images = (image_set.images // 8).to(torch.uint8)
    return replace(image_set, images=images, normalisation=Normalisation.of(images))


def trainer_of(model, task, recipe: Recipe, **options) -> Trainer:
    """Make a trainer as the tests want it: quiet, on the CPU, without rounding."""
    return Trainer(model, task, recipe, **{"device": "cpu", "precision": "fp32", "show_progress": False} | options)


def make_trainer(recipe: Recipe, config: ViTConfig = CONFIG, validation: bool = True, **options) -> Trainer:
    """Make a trainer with a freshly seeded tiny model."""
    torch.manual_seed(0)
    task = Classification(make_images(), make_images(20, seed=1) if validation else None)
    return trainer_of(VisionTransformer(config), task, recipe, **options)


def before_step(trainer: Trainer, act) -> None:
    """Let something happen before each step; it is given the number of the step."""
    step = trainer.learner.step

    def acting(number, total):
        act(number)
        return step(number, total)

    trainer.learner.step = acting


def after_step(trainer: Trainer, act) -> None:
    """Let something happen at the end of each step; it is given the number of the step."""
    step = trainer.learner.step

    def acting(number, total):
        sums = step(number, total)
        act(number)
        return sums

    trainer.learner.step = acting


class Killed(Exception):
    """Stands for the end of the process."""


def kill_before(trainer: Trainer, stop_at: int) -> None:
    """End the training before a step."""

    def act(number):
        if number == stop_at:
            raise Killed

    before_step(trainer, act)


def state_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Everything that the training changed, but for the optimiser."""
    owners = trainer.learner.state()
    return {f"{owner} {name}": value for owner in ("model", "average", "task") for name, value in owners[owner].items()}


def assert_bit_equal(one, other) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def figures(record) -> list[dict[str, float]]:
    """The history without its times."""
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in record["epochs"]]


def torchrun(script: Path, processes: int, run_dir: Path) -> dict[str, Any]:
    """Run a script in several processes, and return the record that it leaves in a folder."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    for _ in range(3):  # now and then gloo's own threads abort a process that has done its work and ends
        shutil.rmtree(run_dir, ignore_errors=True)
        done = subprocess.run(
            [*command, str(script)], capture_output=True, text=True, timeout=240, cwd=Path(__file__).parents[1]
        )
        if "terminate called without an active exception" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads((run_dir / "record.json").read_text())
    assert record["processes"] == processes
    return record
