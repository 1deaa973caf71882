"""``train``: train a Vision Transformer, or another kind of model, then write what came out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from course_utils.cli.kinds import FINE_TUNING, MODEL, add_kind, at_size, config_of, name_of, recipe_name, size_of
from course_utils.cli.options import (
    INTERRUPTED,
    Commands,
    accuracy_line,
    add_command,
    settings,
    unused,
    with_device,
    with_images,
)
from course_utils.cli.starting import add_start, describe_start, model_for, recipe_of, trained_start


def add_to(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(
        commands,
        train,
        "train",
        "train --recipe half-hour",
        "train --recipe evening --epochs 20 --set learning_rate=2e-3 --model-set pooling=mean",
        "train --kind cnn --model-set width=32 --epochs 10",
        "train --name mine --resume",
        "train --data pictures/cats --start cifar_small",
        "train --data pictures/cats --start cifar_small --freeze 4 --image-size 48",
        "train --data pictures/cats --image-size 64 --model-set patch_size=8",
    )
    with_images(command)
    with_device(command)
    add_kind(command)
    add_start(command)
    command.add_argument("--model", help=f"a preset of ViTConfig (default: {MODEL})")
    command.add_argument("--image-size", type=int, help="with --data: pixels a side that pictures are resized to")
    command.add_argument("--recipe", help=f"a preset of Recipe (default: cpu-minutes; with --start {FINE_TUNING})")
    command.add_argument("--epochs", type=float, help="budget in passes over the data")
    command.add_argument("--steps", type=int, help="budget in optimiser steps")
    command.add_argument("--minutes", type=float, help="budget in minutes of training")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change the recipe")
    command.add_argument("--model-set", action="append", default=[], metavar="NAME=VALUE", help="change the model")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--name", help="folder of the run, inside --runs")
    command.add_argument("--runs", default="runs", help="where runs are kept")
    command.add_argument("--resume", action="store_true", help="go on with the run of that name")
    command.add_argument(
        "--snapshots", action="store_true", help="keep position codes, attention and predictions after every pass"
    )
    command.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    command.add_argument("--checkpointing", action="store_true", help="less memory, more time, the same result")
    command.add_argument("--compile", action="store_true", help="compile the model: a minute first, faster then")
    command.add_argument("--workers", type=int, default=0, help="processes that prepare batches ahead, for a GPU")
    command.add_argument("--report-every", type=float, default=1.0, help="passes between two looks at validation")


def train(options: argparse.Namespace) -> int:
    """Train, then look at the test set once, and write record, weights and pictures."""
    import torch

    from course_utils.analysis.snapshots import Snapshots
    from course_utils.cli.images import training_sets
    from course_utils.model.config import ViTConfig
    from course_utils.model.vit import VisionTransformer
    from course_utils.report import write_report
    from course_utils.training import distributed
    from course_utils.training.layers import frozen_names
    from course_utils.training.tasks import Classification
    from course_utils.training.trainer import Trainer

    recipe = recipe_of(options)
    if options.image_size is not None and options.data is None:
        raise ValueError("--image-size resizes the pictures of --data FOLDER; CIFAR-10 stays as it is.")
    start = trained_start(options)
    config: Any
    if start is not None:
        config = start.config
        frozen_names(start, recipe.freeze)  # an error now and not after the reading
    else:
        config = at_size(config_of(options), options.image_size)
    if options.snapshots and not isinstance(config, ViTConfig):
        raise ValueError(f"--snapshots keeps codes and attention maps, but a {options.kind} has none: leave it out.")
    if options.snapshots and recipe.early:
        raise ValueError(
            f"--snapshots shows one grid of patches from beginning to end, but this recipe begins with patches of "
            f"{recipe.early_patch_size} pixels: add --set early=0 --set early_patch_size=0, or leave --snapshots out."
        )
    run_dir = Path(options.runs) / (options.name or f"{name_of(options)}-{recipe_name(options)}-seed{options.seed}")
    if not options.resume:
        run_dir = unused(run_dir)
    asked = settings(options.model_set)
    size = size_of(config, options.image_size)
    channels = config.in_channels if start is not None else asked.get("in_channels")
    train_set, validation_set, test_set = training_sets(options, size, channels)
    if options.data is not None and start is None:  # classes and channels follow the pictures
        follow = {"num_classes": len(train_set.classes), "in_channels": train_set.images.shape[1]}
        config = config.replace(**{name: value for name, value in follow.items() if name not in asked})
    with distributed.process_group():
        torch.manual_seed(options.seed)
        model, started = model_for(train_set, config, start, options)
        trainer = Trainer(
            model,
            Classification(train_set, validation_set),
            recipe,
            run_dir=run_dir,
            seed=options.seed,
            device=options.device,
            precision=options.precision,
            compile_model=options.compile,
            workers=options.workers,
            report_every=options.report_every,
            checkpointing=options.checkpointing,
            start=started,
        )
        if trainer.is_main:
            print(train_set.description)
            if started is not None:
                print(describe_start(model, started, recipe))
            print(f"{name_of(options)} on {trainer.device}, {trainer.precision}; writing to {run_dir}")
        watcher = None
        if isinstance(model, VisionTransformer) and options.snapshots and trainer.is_main:
            watcher = Snapshots(model, validation_set, run_dir / "snapshots.safetensors")
        record = trainer.fit(resume=options.resume, on_report=watcher)
        if record["status"] != "finished":
            return INTERRUPTED
        if trainer.is_main:
            record = write_report(run_dir, model, record, test_set, trainer.averaged_model)
            for name in ("last_weights", "average_weights"):
                if name in record["test"]:
                    print(f"{name.replace('_', ' ')}: {accuracy_line(record['test'][name])}")
            print(f"Written to {run_dir}: {', '.join(sorted(path.name for path in run_dir.iterdir()))}")
    return 0
