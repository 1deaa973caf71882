"""Make a FlexiViT of a plain model that ships: go on with its training, and draw a patch size for each step.

    python tools/train_flexi.py runs/cifar_flexi --root data --precision bf16
    python tools/ship_weights.py runs/cifar_flexi

Call it again with --resume if it was stopped. What it writes is what ``train`` writes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from course_utils.beyond.flexivit import FlexiClassification, FlexiViT
from course_utils.data import load_cifar10
from course_utils.report import write_report
from course_utils.training.recipes import Recipe
from course_utils.training.trainer import Trainer
from course_utils.zoo.weights import load_vit

# Patches of 2 cost six times as much as those of 4, so they are drawn seldom.
SHARES = {2: 1, 4: 5, 8: 7, 16: 7}
RECIPE = Recipe(epochs=1, optimizer="muon", learning_rate=1.5e-3, warmup=0.05)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder for record, weights and checkpoints")
    parser.add_argument("--start", default="cifar_small", help="weights to begin with")
    parser.add_argument("--epochs", type=float, default=RECIPE.epochs, help="passes over the training images")
    parser.add_argument("--root", help="folder of CIFAR-10 (default: $CIFAR10_ROOT, data/, the cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument("--resume", action="store_true", help="go on with this run")
    options = parser.parse_args()
    train, test = (load_cifar10(split, options.root, "never") for split in ("train", "test"))
    task = FlexiClassification(train, None, tuple(SHARES), tuple(SHARES.values()))
    model = FlexiViT.of(load_vit(options.start))
    trainer = Trainer(
        model,
        task,
        RECIPE.replace(epochs=options.epochs),
        run_dir=options.run,
        device=options.device,
        precision=options.precision,
        report_every=0.5,
        start={"weights": options.start},
    )
    record = trainer.fit(resume=options.resume)
    if record["status"] == "finished":
        write_report(options.run, model, record, test)


if __name__ == "__main__":
    main()
